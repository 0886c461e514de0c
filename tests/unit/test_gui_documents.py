"""What result files hold, as JSON documents by path."""

from __future__ import annotations

import base64
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mvakit_gui.documents import Documents, documents
from mvakit_gui.documents.encoding import encoded, packed
from mvakit_gui.views.source import Source

from mvakit.errors import FormulaError, OptionError, ResultFileError
from mvakit.evaluation import cut_point, cut_scan, evaluate_classification
from mvakit.resultfile import ResultFile


def read(found: Documents, path: str, **query: str) -> Any:
    document = found.read(path, query)
    assert document is not None, path
    return json.loads(document)


def numbers(text: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.frombuffer(base64.b64decode(text), dtype="<f8")


@pytest.fixture(scope="module")
def classification(reference: Path) -> Documents:
    return Documents([reference / "toy" / "cat" / "TMVA.root"])


@pytest.fixture(scope="module")
def tutorial(reference: Path) -> Documents:
    return Documents([reference / "tutorial" / "class" / "TMVAC.root"])


def test_numbers_that_json_lacks_become_null() -> None:
    given = {"a": [math.nan, math.inf, 1.5], "b": (np.float32(2.0), np.int64(3)), "c": np.array([1.0, np.nan]), 4: None}
    assert json.loads(encoded(given)) == {"a": [None, None, 1.5], "b": [2.0, 3], "c": [1.0, None], "4": None}
    assert encoded("ε\ud800") == '"ε?"'.encode()
    assert numbers(packed([0.1, -1e300])).tolist() == [0.1, -1e300]


def test_the_index_and_the_catalogue(classification: Documents) -> None:
    index = read(classification, "index.json")
    assert index["files"] == ["TMVA.root"]
    assert index["start"] == 0
    catalogue = read(classification, "d/0/catalogue.json")
    assert catalogue["analysis"] == "Classification"
    assert catalogue["classes"] == ["Signal", "Background"]
    titles = [method["title"] for method in catalogue["methods"]]
    assert titles == ["FisherCat", "Fisher"]
    for group in catalogue["groups"]:
        assert bool(group["views"]) == (group["reason"] is None)


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "index", "index.json/", "../index.json", "d/1/catalogue.json", "d/99999/catalogue.json", "d/-1/catalogue.json",
        "d/0/", "d/0/view/../catalogue.json", "d/0/view/a/b.json", "d/0/method/99/row.json", "d/0/method/0/none.json",
        "d/0/catalogue.json\n", "d/٠/catalogue.json", "d/0/view/%2e%2e.json", "/etc/passwd",
    ],
)  # fmt: skip
def test_other_paths_name_nothing(classification: Documents, path: str) -> None:
    assert classification.read(path) is None


def test_an_unknown_view_is_told(classification: Documents) -> None:
    with pytest.raises(ResultFileError, match="no view 'none'"):
        classification.read("d/0/view/none.json")
    assert classification.read("d/0/pages/rejBvsS.json") is None, "it has no pages"


def test_a_row_is_the_evaluation_of_the_events(tutorial: Documents, reference: Path) -> None:
    catalogue = read(tutorial, "d/0/catalogue.json")
    number = [method["title"] for method in catalogue["methods"]].index("BDTG")
    row = read(tutorial, f"d/0/method/{number}/row.json")
    with ResultFile(reference / "tutorial" / "class" / "TMVAC.root") as file:
        source = Source.of(file)
        result = evaluate_classification("BDTG", source.two_classes("BDTG"), source.two_classes("BDTG", "TrainTree"))
    assert row["auc"] == result.auc
    assert row["auc_error"] == result.auc_error
    assert row["ks_signal"] == result.ks_signal
    assert row["ks_background"] == result.ks_background
    assert [row[key] for key in ("at0_01", "at0_1", "at0_3")] == [e.value for e in result.efficiencies]
    # And TMVA's own table, to the binning of its estimates.
    assert row["auc"] == pytest.approx(0.900, abs=2e-3)
    assert row["at0_1"] == pytest.approx(0.711, abs=5e-3)
    assert row["separation"] == pytest.approx(0.498, abs=2e-2)
    columns = read(tutorial, "d/0/table.json")
    for column in columns:
        assert column["key"] in row
        assert not column["error"] or column["error"] in row
    cuts = [method["title"] for method in catalogue["methods"]].index("Cuts")
    assert "one cut only" in read(tutorial, f"d/0/method/{cuts}/row.json")["remark"]
    assert catalogue["methods"][cuts]["cuts"] is False


def test_rows_of_several_classes_and_of_targets(reference: Path) -> None:
    several = Documents([reference / "tutorial" / "multi" / "TMVAMulticlass.root"])
    catalogue = read(several, "d/0/catalogue.json")
    number = [method["title"] for method in catalogue["methods"]].index("BDTG")
    row = read(several, f"d/0/method/{number}/row.json")
    assert row["accuracy"] == pytest.approx(0.7455, abs=5e-4)
    assert row["accuracy_error"] == pytest.approx((0.7455 * 0.2545 / 4000) ** 0.5, rel=0.1)
    assert [row[f"auc{i}"] for i in range(4)] == pytest.approx([0.9636, 0.8820, 0.9304, 0.9558], abs=5e-4)
    assert {column["key"] for column in read(several, "d/0/table.json")} == {
        "name", "type", "accuracy", "auc0", "auc1", "auc2", "auc3",
    }  # fmt: skip
    targets = Documents([reference / "tutorial" / "reg" / "TMVAReg.root"])
    catalogue = read(targets, "d/0/catalogue.json")
    number = [method["title"] for method in catalogue["methods"]].index("LD")
    row = read(targets, f"d/0/method/{number}/row.json")
    assert row["rms0"] == pytest.approx(19.7, abs=0.06)
    assert row["bias0"] == pytest.approx(-0.083, abs=0.01)
    assert row["mutual0"] == pytest.approx(1.987, abs=0.01)
    assert {column["key"] for column in read(targets, "d/0/table.json")} <= set(row)


def test_points_are_those_of_the_scan(tutorial: Documents, reference: Path) -> None:
    catalogue = read(tutorial, "d/0/catalogue.json")
    number = [method["title"] for method in catalogue["methods"]].index("Fisher")
    points = read(tutorial, f"d/0/method/{number}/points.json")
    with ResultFile(reference / "tutorial" / "class" / "TMVAC.root") as file:
        sample = Source.of(file).two_classes("Fisher")
    scan = cut_scan(sample)
    cuts, eff_s, err_b = (numbers(points[key]) for key in ("cuts", "effS", "errB"))
    assert points["exact"] is False
    assert 1000 < len(cuts) <= 2000
    assert (cuts[0], cuts[-1]) == (scan.cuts[0], scan.cuts[-1])
    place = {cut: i for i, cut in enumerate(scan.cuts.tolist())}
    at = [place[cut] for cut in cuts.tolist()]
    assert at == sorted(at)
    np.testing.assert_array_equal(eff_s, scan.signal_efficiency[at])
    np.testing.assert_array_equal(err_b, scan.background_efficiency_error[at])
    assert np.abs(np.diff(eff_s)).max() < 5e-3
    edges = numbers(points["edges"])
    inside = (sample.signal.values >= edges[0]) & (sample.signal.values <= edges[-1])
    expected = float(sample.signal.weights[inside].sum()) / sample.signal.sum_of_weights
    assert numbers(points["binsS"]).sum() == pytest.approx(expected, rel=1e-12)


def test_a_cut_is_measured_on_the_events(tutorial: Documents, reference: Path) -> None:
    catalogue = read(tutorial, "d/0/catalogue.json")
    titles = [method["title"] for method in catalogue["methods"]]
    path = f"d/0/method/{titles.index('MLP')}/cut.json"
    found = read(tutorial, path, cut="0.25", signal="10", background="500", formula="S/sqrt(B)")
    with ResultFile(reference / "tutorial" / "class" / "TMVAC.root") as file:
        sample = Source.of(file).two_classes("MLP")
    exact = cut_point(sample, 0.25, 10.0, 500.0, lambda s, b: s / np.sqrt(b))
    assert found["significance"] == pytest.approx(exact.significance, rel=1e-12)
    assert found["signal_efficiency"] == exact.signal_efficiency
    for wrong in ({}, {"cut": "a"}, {"cut": "nan"}, {"cut": "0", "signal": "-1"}, {"cut": "0", "background": "inf"}):
        with pytest.raises(OptionError):
            tutorial.read(path, wrong)
    for formula in ("S/T", "", "S" * 1000, "__import__('os')"):
        with pytest.raises(FormulaError):
            tutorial.read(path, {"cut": "0", "formula": formula})
    with pytest.raises(ResultFileError, match="one cut only"):
        tutorial.read(f"d/0/method/{titles.index('Cuts')}/points.json")


def test_a_card_tells_the_options_behind_a_method(classification: Documents, tmp_path: Path, reference: Path) -> None:
    methods = read(classification, "d/0/catalogue.json")["methods"]
    number = [method["title"] for method in methods].index("FisherCat")
    card = read(classification, f"d/0/method/{number}/card.json")
    assert card["weights"].endswith("_FisherCat.weights.xml")
    assert card["parts"]
    assert card["obstacle"] is None
    assert {v["label"] for v in card["variables"]} == {"sum", "diff", "var3", "var4"}
    moved = tmp_path / "TMVA.root"
    moved.write_bytes((reference / "toy" / "cat" / "TMVA.root").read_bytes())
    card = read(Documents([moved]), f"d/0/method/{number}/card.json")
    assert "the weight file is not there" in card["obstacle"]
    assert {v["label"] for v in card["variables"]} == {"sum", "diff", "var3", "var4"}


def test_several_files_are_laid_over_each_other(reference: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "old" / "TMVA.root", tmp_path / "new" / "TMVA.root"
    for path in (first, second):
        path.parent.mkdir()
        path.write_bytes((reference / "toy" / "cat" / "TMVA.root").read_bytes())
    both = Documents([first, second])
    assert read(both, "index.json")["files"] == ["old/TMVA.root", "new/TMVA.root"]
    names = [method["name"] for method in read(both, "d/0/catalogue.json")["methods"]]
    assert "old/TMVA.root: FisherCat" in names
    assert "new/TMVA.root: FisherCat" in names
    unlike = Documents([first, reference / "toy" / "reg" / "TMVA.root"])
    assert len(read(unlike, "index.json")["datasets"]) == 2
    with pytest.raises(ResultFileError, match="named twice"):
        Documents([first, tmp_path / "old" / ".." / "old" / "TMVA.root"])
    with pytest.raises(ResultFileError, match="name one"):
        Documents([])
    with pytest.raises(ResultFileError, match="no dataset 'nome'"):
        Documents([first], "nome")


def test_what_was_asked_for_is_kept_up_to_a_size(classification: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Documents([Path(classification._files[0].path)])
    made = []
    monkeypatch.setattr(documents, "card", lambda source, method: made.append(method.title) or {"text": "x" * 1000})
    monkeypatch.setattr(documents, "_KEPT_BYTES", 4500)
    for number in (0, 1, 0, 1):
        found.read(f"d/0/method/{number}/card.json")
    assert len(made) == 2
    for number in (2, 3, 4, 0):
        found.read(f"d/0/method/{number % 3}/card.json", {"again": str(number)})
    assert found._size <= 4500
    found.close()

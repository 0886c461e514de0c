"""The catalogue: what a file can show, told from names alone; several files over each other; names that are not nice."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import uproot
from mvakit_gui.catalogue import Catalogue, Group, Keys
from mvakit_gui.densities import density_of
from mvakit_gui.views import Source
from mvakit_gui.views.source import find_weight_file, gather, listed
from mvakit_gui.views.training import control
from mvakit_gui.views.trees import forests

from mvakit.dataset import DataSet
from mvakit.errors import DataError, ResultFileError
from mvakit.evaluation import Curve, response_histograms
from mvakit.resultfile import (
    DatasetContents,
    MethodContents,
    ResultContents,
    ResultFile,
    TransformedInputs,
    TreeColumns,
    write_result_file,
)
from mvakit.types import AnalysisType
from mvakit.variables import define
from tests.unit.test_gui_charts import rows_of
from tests.unit.test_gui_plots import CLASSES, make_sample, two

NAMES = ("BDTG", "<img src=x onerror=alert(1)>", "a.b[c] $x$", "a b c x", 'it\'s "q" \\ é', "x" * 150)
VARIABLES = (define("pt", "p_{T}", "GeV"), define("v.1[0]", "<b>bold</b>"), define("n", "n", "", "I"))


def contents(
    name: str = "loader", names: tuple[str, ...] = NAMES, *, seed: int = 0, weight_file: str = ""
) -> DatasetContents:
    samples = [make_sample(seed + i) for i in (1, 2)]
    samples = [s.with_inputs(s.X[:, : len(VARIABLES)]) for s in samples]
    dataset = DataSet(name, VARIABLES, (), (), CLASSES, *samples)
    methods = []
    for i, title in enumerate(names):
        train, test = (s.X[:, 0].astype(np.float64) + i * s.X[:, 1] for s in samples)
        methods.append(
            MethodContents(
                "BDT", title, weight_file, histograms=tuple(response_histograms(title, two(samples[1], test), two(samples[0], train))),
                curves=(Curve("loss", "Loss", "Epoch", "Loss", np.arange(1.0, 4.0), np.array([3.0, 2.0, 1.0])),),
                train_scores=train, test_scores=test,
            )
        )  # fmt: skip
    correlation = np.corrcoef(samples[0].X.T)
    return DatasetContents(
        dataset,
        AnalysisType.CLASSIFICATION,
        [TransformedInputs(samples[0])],
        dict.fromkeys(CLASSES, correlation),
        methods,
    )


def written(path: Path, part: DatasetContents) -> Path:
    write_result_file(path, ResultContents([part]))
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("catalogue") / "TMVA.root", contents())


# ---------------------------------------------------------------------------------------------- names


def test_keys_are_safe_and_all_different() -> None:
    keys = Keys()
    made = [keys("overtrain", name) for name in (*NAMES, "bdtg", "../..", "", "a.b[c] $x$")]
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", key) for key in made)
    assert len({key.lower() for key in made}) == len(made)
    assert made[0] == "overtrain-BDTG"
    again = Keys()
    assert [again("overtrain", name) for name in NAMES] == made[: len(NAMES)]


def test_titles_are_values_and_never_names_of_fields(path: Path) -> None:
    with ResultFile(path) as file:
        catalogue = Catalogue([Source.of(file)])
        assert catalogue.methods == NAMES
        assert catalogue.classes == CLASSES
        assert catalogue.analysis is AnalysisType.CLASSIFICATION
        keys = [view.key for view in catalogue]
        assert len(set(keys)) == len(keys)
        fields: set[str] = set()
        for view in (
            v for v in catalogue if v.methods != (NAMES[0],) and (len(v.methods) != 1 or v.methods == (NAMES[1],))
        ):
            collect(view.chart().to_dict(), fields)
    assert fields <= {
        "method", "class", "sample", "x", "x2", "y", "y2", "h", "base", "low", "high", "foot", "top", "first", "cut", "at", "b", "b2",
        "c", "c2", "i", "area", "effS", "effB", "S", "B", "purity", "product", "significance", "highest", "key", "value", "curve",
        "n", "m", "r", "strength", "sign", "text", "axis", "v", "event", "loss",
    }  # fmt: skip


def collect(node: object, fields: set[str]) -> None:
    """Collect the names of fields that a chart speaks of."""
    if isinstance(node, list):
        for item in node:
            collect(item, fields)
    elif isinstance(node, dict):
        fields |= {node["field"]} if isinstance(node.get("field"), str) else set()
        fields |= set(node["flatten"]) if isinstance(node.get("flatten"), list) else set()
        for name, item in node.items():
            if name not in {"data", "datasets", "usermeta"}:
                collect(item, fields)


# ---------------------------------------------------------------------------------------------- what there is


def test_nothing_of_the_events_is_read_until_a_view_is_asked_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    original = TreeColumns.__getitem__
    monkeypatch.setattr(TreeColumns, "__getitem__", lambda self, name: read.append(name) or original(self, name))
    with ResultFile(path) as file:
        catalogue = Catalogue([Source.of(file)])
        assert len(list(catalogue)) > 40
        assert read == []
        catalogue.view("mva-BDTG").chart()
        assert read == []
        catalogue.view("rejBvsS").chart()
    assert set(read) == {*NAMES, "classID", "weight"}


def test_a_group_has_views_or_a_reason(path: Path) -> None:
    with ResultFile(path) as file:
        groups = {group.key: group for group in Catalogue([Source.of(file)]).groups}
    assert list(groups) == [
        "1a", "2a", "3", "4a", "4b", "4c", "4d", "5a", "5b", "5b-inverse", "6", "7", "8", "9", "10a", "10b", "11", "12", "13", "14",
    ]  # fmt: skip
    greyed = {key: group.reason for key, group in groups.items() if group.reason}
    assert set(greyed) == {"4c", "4d", "7", "9", "10a", "10b", "11", "12", "13", "14"}
    assert greyed["4c"].startswith("no method was booked with CreateMVAPdfs")
    # They were trained epoch by epoch, but the file names no weight file.
    assert "the result file names none, which is not there" in greyed["10a"]
    assert greyed["13"].startswith("the weight files are not where the result file names them")
    for wrong in ({"views": (), "reason": None}, {"views": groups["3"].views, "reason": "x"}):
        with pytest.raises(DataError, match="either views, or a reason"):
            Group("1", "title", **wrong)


def test_views_that_there_are_not(path: Path) -> None:
    with ResultFile(path) as file:
        catalogue = Catalogue([Source.of(file)])
        for key in ("mva-BDT", "mva-BDTG.1", "../etc", "", "trees-BDTG.0"):
            with pytest.raises(ResultFileError, match="there is no view"):
                catalogue.view(key)
    with pytest.raises(ResultFileError, match="needs a dataset"):
        Catalogue([])


def test_one_broken_method_does_not_hide_the_others(tmp_path: Path) -> None:
    part = contents(names=("Good", "Bad"))
    bad = part.methods[1]
    empty = [replace(h, flow_contents=h.flow_contents * 0) if h.name == "MVA_Bad_S" else h for h in bad.histograms]
    scores = np.full(len(bad.test_scores), np.nan)
    part = replace(
        part, methods=[part.methods[0], replace(bad, histograms=empty, test_scores=scores, train_scores=scores)]
    )
    with ResultFile(written(tmp_path / "TMVA.root", part)) as file:
        catalogue = Catalogue([Source.of(file)])
        for key in ("rejBvsS", "mvaeffs", "mva"):
            said = " ".join(catalogue.view(key).chart().to_dict()["title"]["text"])
            assert "Bad is not drawn: " in said
        with pytest.raises(DataError, match="entries are not finite"):
            catalogue.view("mvaeffs-Bad").chart()


def test_what_can_be_made_of_no_method_is_an_error(path: Path) -> None:
    def fail(source: Source, title: str) -> int:
        raise DataError(f"no {title}")

    with ResultFile(path) as file:
        source = Source.of(file)
        with pytest.raises(DataError, match="no b"):
            gather([(source, "a"), (source, "b")], fail)
        assert gather([(source, "a")], lambda source, title: len(title)) == ([1], [])
        assert gather([], fail) == ([], [])


def test_cuts_from_histograms_where_there_are_no_events(path: Path, tmp_path: Path) -> None:
    part = contents(names=("BDTG",))
    bare = replace(part, methods=[replace(part.methods[0], train_scores=None, test_scores=None)])
    with ResultFile(path) as file, ResultFile(written(tmp_path / "TMVA.root", bare)) as other:
        exact, binned = Source.of(file).scan("BDTG"), Source.of(other).scan("BDTG")
    assert binned.optimum.significance == pytest.approx(exact.optimum.significance, rel=2e-3)
    assert len(binned) == 10_000
    assert binned.orientation == exact.orientation


# ---------------------------------------------------------------------------------------------- several files


def test_several_files_over_each_other(path: Path, tmp_path: Path) -> None:
    other = written(tmp_path / "other.root", contents(names=("BDTG", "New"), seed=10))
    with ResultFile(path) as first, ResultFile(other) as second:
        sources = [Source.of(first, label="old"), Source.of(second, label="new")]
        catalogue = Catalogue(sources)
        assert catalogue.methods[0] == "old: BDTG"
        assert catalogue.methods[-2:] == ("new: BDTG", "new: New")
        spec = catalogue.view("rejBvsS").chart().to_dict()
        assert spec["usermeta"]["mvakit"]["methods"] == list(catalogue.methods)
        assert catalogue.view("overtrain-new_BDTG").figure().axes
        assert [v.key for g in catalogue.groups if g.key == "3" for v in g.views] == [
            "correlation-S-old", "correlation-B-old", "correlation-S-new", "correlation-B-new",
        ]  # fmt: skip
        # What both have is drawn over each other, each file's variables with the outlines of the other's.
        over = {group.key: [v.key for v in group.views if "-all-" in v.key] for group in catalogue.groups}
        assert (over["4a"], over["4b"], over["5a"]) == (["mva-all-BDTG"], ["overtrain-all-BDTG"], ["mvaeffs-all-BDTG"])
        spec = catalogue.view("mva-all-BDTG").chart().to_dict()
        assert {(row["sample"], row.get("file")) for row in rows_of(spec)} == {("test", None), ("other", "new")}
        expected = density_of(sources[1].pair("BDTG")["Signal"]).values
        seen = [row["y"] for row in rows_of(spec) if row["sample"] == "other" and row["class"] == "Signal"]
        np.testing.assert_allclose(seen[:-1], expected, rtol=1e-5)
        assert spec["title"]["text"] == ["filled: old: BDTG; dotted: new"]
        spec = catalogue.view("overtrain-all-BDTG").chart().to_dict()
        assert {row["method"] for row in rows_of(spec)} == {"old: BDTG", "new: BDTG"}
        spec = catalogue.view("variables-id-c1-new").chart().to_dict()
        panel = rows_of(spec["concat"][0])
        assert {(row["sample"], row.get("file")) for row in panel} == {("test", None), ("other", "old")}
        pairs = [v.key for g in catalogue.groups if g.key == "2a" for v in g.views]
        assert len(pairs) == 2 * len(VARIABLES) * 2
        assert {key.rpartition("-")[2] for key in pairs} == {"old", "new"}
        for labels in (("", ""), ("a", "a")):
            with pytest.raises(ResultFileError, match="need labels"):
                Catalogue([Source.of(first, label=labels[0]), Source.of(second, label=labels[1])])
        regression = tmp_path / "regression.root"
        samples = [
            replace(s, targets=np.ones((len(s), 1), "f4")) for s in (contents().dataset.train, contents().dataset.test)
        ]
        dataset = DataSet(
            "loader",
            VARIABLES,
            (),
            (define("t"),),
            ("Regression",),
            *(replace(s, class_index=s.class_index * 0) for s in samples),
        )
        part = DatasetContents(
            dataset,
            AnalysisType.REGRESSION,
            methods=[MethodContents("LD", "LD")],
            correlations={"Regression": np.eye(3)},
        )
        with ResultFile(written(regression, part)) as third, pytest.raises(ResultFileError, match="same analysis"):
            Catalogue([sources[0], Source.of(third, label="third")])


# ---------------------------------------------------------------------------------------------- weight files


@pytest.mark.parametrize(
    ("told", "place", "found"),
    [
        ("dataset/weights/T_BDTG.weights.xml", "dataset/weights/T_BDTG.weights.xml", True),
        ("dataset/weights/T_BDTG.weights.xml", "weights/T_BDTG.weights.xml", True),
        ("dataset/weights/T_BDTG.weights.xml", "T_BDTG.weights.xml", True),
        ("/elsewhere/T_BDTG.weights.xml", "weights/T_BDTG.weights.xml", True),
        ("../T_BDTG.weights.xml", "T_BDTG.weights.xml", False),
        ("weights/T_BDTG.root", "weights/T_BDTG.root", False),
        ("a\0b.xml", "weights/T_BDTG.weights.xml", False),
        ("", "weights/T_BDTG.weights.xml", False),
    ],
)
def test_weight_files_are_found_where_they_lie(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: str, place: str, found: bool
) -> None:
    file = tmp_path / place
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(toy / "class/weights/Toy_BDTG.weights.xml", file)
    with ResultFile(written(tmp_path / "TMVA.root", contents(names=("BDTG",)))) as result:
        dataset = result.dataset()
        monkeypatch.setattr(dataset, "method_text", lambda title, name: told)
        assert find_weight_file(dataset, tmp_path, "BDTG") == (file if found else None)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        (
            {'name="DoPreselection" modified="No">False': 'name="DoPreselection" modified="Yes">True'},
            "with DoPreselection",
        ),
        ({'name="UseFisherCuts" modified="No">False': 'name="UseFisherCuts" modified="Yes">True'}, None),
        (
            {
                'name="UseFisherCuts" modified="No">False': 'name="UseFisherCuts" modified="Yes">True',
                '<Node pos="s"': '<Node fC0="1" pos="s"',
            },
            "cut on Fisher discriminants",
        ),
    ],
)
def test_trees_that_do_not_say_all_are_greyed(
    toy: Path, tmp_path: Path, changes: dict[str, str], reason: str | None
) -> None:
    text = (toy / "class/weights/Toy_BDTG.weights.xml").read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    weights = tmp_path / "B.weights.xml"
    weights.write_text(text)
    with ResultFile(written(tmp_path / "TMVA.root", contents(names=("BDTG",)))) as result:
        source = Source(result.dataset(), weight_file=lambda title: weights)
        source.__dict__["_names"] = {"BDTG": frozenset({"BoostWeightVsTree"})}
        group = forests("11", [source], Keys())
    assert (group.reason is None) == (reason is None)
    assert reason is None or reason in str(group.reason)


def test_control_plots_from_the_ntuple_alone(tmp_path: Path) -> None:
    with uproot.recreate(tmp_path / "t.root") as file:
        for title, count in (("Full", 3), ("Empty", 0)):
            columns = {
                "iTree": np.arange(count, dtype="i4"),
                "boostWeight": np.arange(count) / 2,
                "errorFraction": np.arange(count) / 4,
            }
            tree = file.mktree(
                f"dataset/Method_BDT/{title}/MonitorNtuple", {name: c.dtype for name, c in columns.items()}
            )
            tree.extend(columns)
    with ResultFile(tmp_path / "t.root") as result:
        dataset = result.dataset()
        curves = dataset.curves("Full")
        assert [curve.name for curve in curves] == ["BoostWeightVsTree", "ErrFractHist"]
        np.testing.assert_array_equal(curves[0].y, [0.0, 0.5, 1.0])
        np.testing.assert_array_equal(curves[1].y, [0.0, 0.25, 0.5])
        assert dataset.curves("Empty") == ()
        group = control("12", [Source(dataset)], Keys())
        assert [view.methods for view in group.views] == [("Full",)]
        group.views[0].chart()


def test_a_notebook_shows_a_view(path: Path) -> None:
    with ResultFile(path) as file:
        bundle = Catalogue([Source.of(file)]).view("correlation-S")._repr_mimebundle_(include=None)
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert "correlation-S" in bundle["text/plain"]
    assert any("vegalite" in name for name in bundle)


def test_boosting_and_references_from_made_up_histograms(tmp_path: Path) -> None:
    part = contents(names=("B",))
    flat = part.methods[0].histograms[0]
    extra = [
        replace(flat, name=name)
        for name in ("Booster_BoostWeight", "Booster_ROCIntegral_test", "pt_sig", "pt_bgd", "v.1[0]_sig", "B_tr_S", "B_tr_B",
                     "B_tr_S_hist_from_KDE", "BoostWeightVsTree")
    ]  # fmt: skip
    part = replace(
        part, methods=[replace(part.methods[0], histograms=(*part.methods[0].histograms, *extra), curves=())]
    )
    with ResultFile(written(tmp_path / "TMVA.root", part)) as file:
        catalogue = Catalogue([Source.of(file)])
        groups = {group.key: group for group in catalogue.groups}
        assert [v.name for v in groups["14"].views] == ["B_BoostControlPlots"]
        assert [v.name for v in groups["9"].views] == ["likelihood_B_c1"]
        assert [v.name for v in groups["7"].views] == ["mvapdf_B"]
        assert [v.name for v in groups["12"].views] == ["B_ControlPlots"]
        assert groups["11"].reason is not None
        assert (
            "no method has trees that can be drawn (the weight file of B is not there: the result file names none)"
            in groups["11"].reason
        )
        boost = groups["14"].views[0].draw()
        np.testing.assert_allclose(boost.lines[0].get_ydata(), flat.contents)
        np.testing.assert_array_equal(boost.lines[0].get_xdata(), np.arange(flat.nbins))
        references = groups["9"].views[0].draw()
        assert [axes.get_xlabel() for axes in references.axes] == ["$p_{\\mathregular{T}}$"] or len(
            references.axes
        ) == 1
        pdf = groups["7"].views[0].draw()
        assert [len(lines) for lines in pdf.lines] == [1]
        for key in ("14", "9", "7"):
            groups[key].views[0].chart().to_dict()


def test_lists_of_names() -> None:
    assert listed("abc") == "a, b, c"
    assert listed("abcdef") == "a, b, c, d and 2 more"

"""Views of TMVA's own result files: which are drawn and which are greyed, and that their numbers are those of the files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot
import vl_convert
from mvakit_gui.catalogue import Catalogue
from mvakit_gui.merit import figure_of_merit
from mvakit_gui.views import Source
from mvakit_gui.views.outputs import ks_of

from mvakit.errors import DataError, ResultFileError
from mvakit.evaluation import cut_point
from mvakit.method import Partition
from mvakit.model import Model
from mvakit.resultfile import ResultFile
from tests.unit.test_gui_charts import rows_of

CLASS, REG, MULTI = "tutorial/class/TMVAC.root", "tutorial/reg/TMVAReg.root", "tutorial/multi/TMVAMulticlass.root"
# Views of each group, by file; 0 where it is greyed.
VIEWS = {
    CLASS: {
        "1a": 1, "1b": 1, "1c": 1, "1d": 1, "2a": 8, "2b": 8, "2c": 8, "2d": 8, "3": 2, "4a": 13, "4b": 13, "4c": 3,
        "4d": 3, "5a": 13, "5b": 2, "5b-inverse": 1, "6": 14, "7": 2, "8": 0, "9": 2, "10a": 1, "10b": 1, "11": 4,
        "12": 4, "13": 0, "14": 0,
    },
    "tutorial/higgs/Higgs_ClassificationOutput.root": {
        "1a": 2, "2a": 14, "3": 2, "4a": 5, "4b": 5, "4c": 1, "4d": 1, "5a": 5, "5b": 2, "5b-inverse": 1, "6": 4,
        "7": 1, "8": 0, "9": 2, "10a": 1, "10b": 1, "11": 1, "12": 1, "13": 0, "14": 0,
    },
    "toy/cat/TMVA.root": {
        "1a": 0, "2a": 0, "3": 0, "4a": 3, "4b": 3, "4c": 0, "4d": 0, "5a": 3, "5b": 2, "5b-inverse": 1, "6": 2,
        "7": 0, "8": 0, "9": 0, "10a": 0, "10b": 0, "11": 0, "12": 0, "13": 0, "14": 0,
    },
    MULTI: {
        "1a": 1, "1b": 1, "1c": 1, "1d": 1, "2a": 16, "2b": 16, "2c": 16, "2d": 16, "3": 4, "4a": 12, "4b": 12,
        "5a": 12, "5b": 36, "6a": 1, "6b": 1, "6c": 0, "7": 1, "8": 0, "9": 1,
    },
    "toy/multi/TMVA.root": {
        "1a": 1, "1b": 1, "1c": 1, "2a": 16, "2b": 16, "2c": 16, "3": 4, "4a": 16, "4b": 16, "5a": 12, "5b": 36,
        "6a": 2, "6b": 3, "6c": 0, "7": 1, "8": 0, "9": 0,
    },
    REG: {
        "1a": 1, "2a": 2, "3": 1, "4a": 7, "4b": 7, "4c": 14, "4d": 14, "5": 1, "6a": 1, "6b": 1, "6c": 0, "7": 1,
        "8": 2, "9": 2,
    },
    "toy/reg/TMVA.root": {
        "1a": 1, "1b": 1, "2a": 2, "2b": 2, "3": 1, "4a": 11, "4b": 11, "4c": 22, "4d": 22, "5": 1, "6a": 1, "6b": 1,
        "6c": 0, "7": 1, "8": 3, "9": 3,
    },
}  # fmt: skip


def opened(path: Path) -> tuple[ResultFile, Catalogue]:
    file = ResultFile(path)
    return file, Catalogue([Source.of(file)])


@pytest.mark.parametrize("name", VIEWS)
def test_what_each_file_can_show(reference: Path, name: str) -> None:
    file, catalogue = opened(reference / name)
    with file:
        assert {group.key: len(group.views) for group in catalogue.groups} == VIEWS[name]
        # One view of each group: the last, which is no summary.
        for group in catalogue.groups:
            if group.views:
                spec = group.views[-1].chart().to_dict()
                assert spec["description"]
                vl_convert.vegalite_to_vega(json.dumps(spec, allow_nan=False))


def test_reasons_name_what_is_missing(reference: Path) -> None:
    file, catalogue = opened(reference / "toy/cat/TMVA.root")
    with file:
        reasons = {group.key: group.reason for group in catalogue.groups if group.reason}
        names = {name for method in file.dataset().methods for name in file.dataset().method_names(method.title)}
    assert "InputVariables_Id" in reasons["1a"]
    assert "CorrelationMatrix*" in reasons["3"]
    assert "MVA_<title>_Proba_S" in reasons["4c"]
    assert not any("Proba_" in name or name.startswith(("Booster_", "estimatorHist", "weights_hist")) for name in names)
    assert "*_foams.root" in reasons["13"]


@pytest.fixture(scope="module")
def events(reference: Path) -> dict[str, np.ndarray]:
    return uproot.open(reference / CLASS)["dataset/TestTree"].arrays(library="np")


@pytest.mark.parametrize("title", ["BDTG", "MLP", "Likelihood"])
def test_significance_is_that_of_the_events_and_of_the_histograms(
    reference: Path, events: dict[str, np.ndarray], title: str
) -> None:
    file, _ = opened(reference / CLASS)
    with file:
        source = Source.of(file)
        effs = [source.histogram(title, f"MVA_{title}_eff{letter}") for letter in "SB"]
        sample, scan = source.two_classes(title), source.scan(title)
    weight, is_signal = events["weight"].astype(float), events["classID"] == 0
    best = (0.0, 0.0)
    for cut in np.unique(events[title]):
        passed = events[title] >= cut
        s, b = (1000 * weight[passed & c].sum() / weight[c].sum() for c in (is_signal, ~is_signal))
        best = max(best, (s / np.sqrt(s + b), float(cut))) if s + b > 0 else best
    assert scan.optimum.significance == pytest.approx(best[0], rel=1e-6)
    assert scan.optimum.cut == best[1]
    # Where a bin of the 10000 begins its content is the efficiency of that cut, but for an event on the edge.
    merit = figure_of_merit("S/sqrt(S+B)")
    compared = 0
    for i in range(100, 9900, 700):
        cut = float(effs[0].edges[i])
        s, b = (1000 * float(eff.values[i]) for eff in effs)
        found = cut_point(sample, cut, merit=merit)
        passed = events[title] >= cut
        direct = [1000 * weight[passed & c].sum() / weight[c].sum() for c in (is_signal, ~is_signal)]
        assert (found.signal, found.background) == pytest.approx(direct, rel=1e-6)
        assert found.significance == pytest.approx(direct[0] / np.sqrt(sum(direct)), rel=1e-6)
        if abs(s - direct[0]) < 1e-4 and abs(b - direct[1]) < 1e-4:
            compared += 1
            assert found.significance == pytest.approx(s / np.sqrt(s + b), rel=1e-6)
    assert compared >= 10


def test_binned_kolmogorov_smirnov_is_roots(reference: Path) -> None:
    file, catalogue = opened(reference / CLASS)
    with file:
        _, bins = ks_of(Source.of(file), "BDT")
        stored = uproot.open(reference / CLASS)["dataset/Method_BDT/BDT"]
        said = " ".join(catalogue.view("overtrain-BDT").chart().to_dict()["title"]["text"])
    from scipy.stats import kstwobign

    for name, letter in (("Signal", "S"), ("Background", "B")):
        test, training = (stored[f"MVA_BDT{which}_{letter}"] for which in ("", "_Train"))
        steps = [np.cumsum(h.values()) / h.values().sum() for h in (test, training)]
        numbers = [h.values().sum() ** 2 / h.variances().sum() for h in (test, training)]
        z = np.abs(steps[0] - steps[1]).max() / np.sqrt(1 / numbers[0] + 1 / numbers[1])
        assert bins[name].probability == pytest.approx(kstwobign.sf(z), rel=1e-6)
        assert f"{name} {bins[name].probability:.3g}" in said


def test_averages_are_those_of_the_histograms(reference: Path) -> None:
    file, catalogue = opened(reference / REG)
    with file:
        drawn = catalogue.view("averagedevs-0").draw()
        table = rows_of(catalogue.view("averagedevs-0").chart().to_dict())
    stored = uproot.open(reference / REG)["datasetreg"]
    assert len(table) == 7 * 4
    for row in table:
        which, kind = row["kind"].split(" ")[0], "Deviation" if "all" in row["kind"] else "Dev_best90perc"
        which = "test" if which == "test" else "train"
        title = row["method"]
        path = next(k for k in stored.keys(cycle=False) if k.endswith(f"/MVA_{title}{which}_Quadr_{kind}_target_0_"))
        h = stored[path]
        assert row["value"] == pytest.approx(np.sqrt(h.member("fTsumwx") / h.member("fTsumw")), rel=1e-5)
    assert len(drawn.points) == 4


def test_parallel_coordinates_hold_events_of_the_tree(reference: Path, events: dict[str, np.ndarray]) -> None:
    file, catalogue = opened(reference / CLASS)
    with file:
        first = catalogue.view("paracoor-BDT").chart().to_dict()
        again = catalogue.view("paracoor-BDT").chart().to_dict()
    assert first == again
    part = first["layer"][0]["data"]["values"][0]
    values = np.array(part["value"]).reshape(-1, 5)
    assert len(values) == 1000
    everything = {
        tuple(float(f"{x:.6g}") for x in row)
        for row in zip(*(events[n].astype(float) for n in ("BDT", "myvar1", "myvar2", "var3", "var4")), strict=True)
    }
    assert {tuple(row) for row in values} <= everything
    assert part["class"].count("Signal") == part["class"].count("Background") == 2500


def test_pairs_and_profiles_are_those_of_the_file(reference: Path) -> None:
    file, catalogue = opened(reference / CLASS)
    with file:
        spec = catalogue.view("scatter-id-myvar1-Signal").chart().to_dict()
    stored = uproot.open(reference / CLASS)["dataset/InputVariables_Id/CorrelationPlots"]
    table = rows_of(spec["concat"][0])
    scatter = stored["scat_myvar2_vs_myvar1_Signal_Id"]
    assert sum(row["n"] for row in table if row.get("n")) == pytest.approx(scatter.values().sum(), rel=1e-5)
    profile = stored["prof_myvar2_vs_myvar1_Signal_Id"]
    filled = profile.counts() > 0
    means = [row["m"] for row in table if row.get("m") is not None]
    np.testing.assert_allclose(means, profile.values()[filled], rtol=1e-4, atol=1e-5)


def test_trees_of_the_weight_file_are_walked(reference: Path) -> None:
    file, catalogue = opened(reference / CLASS)
    with file:
        view = catalogue.view("trees-BDT")
        assert view.pages is not None
        assert (view.pages.count(), view.pages.noun) == (850, "tree")
        text = catalogue.view("trees-BDT.849").chart().to_dict()["title"]["text"][0]
        assert text.startswith("BDT, tree 849 (0 to 849), weight ")
        assert catalogue.view("trees-BDT.849").key == "trees-BDT.849"
        assert catalogue.view("trees-BDT.3").figure().axes
        with pytest.raises(ResultFileError, match="has 850 trees, counted from 0, but no 850"):
            catalogue.view("trees-BDT.850")
        with pytest.raises(ResultFileError, match="no view"):
            catalogue.view("trees-BDT.-1")


def test_a_network_is_the_same_from_its_histograms_and_from_its_weight_file(reference: Path) -> None:
    from mvakit_gui.views.models import _network

    file, _ = opened(reference / "tutorial/higgs/Higgs_ClassificationOutput.root")
    with file:
        source = Source.of(file)
        of_file = _network(source, "MLP")
        of_histograms = _network(Source(source.dataset), "MLP")
    assert of_file.activations
    assert of_file.sizes == of_histograms.sizes
    for one, other in zip(of_file.weights, of_histograms.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "title", "number"), [(REG, "PDEFoam", 1), (MULTI, "PDEFoam", 4)])
def test_foams_fill_their_box_and_are_projected(reference: Path, name: str, title: str, number: int) -> None:
    file, catalogue = opened(reference / name)
    with file:
        path = Source.of(file).weight_file(title)
        assert path is not None
        structure = Model.load(path).structure()
        assert isinstance(structure, Partition)
        assert len(structure.parts) == number
        for part in structure.parts:
            assert np.prod(part.upper - part.lower, axis=1).sum() == pytest.approx(1.0)
        view = catalogue.view(f"foam-{title}")
        spec = view.chart().to_dict()
        assert view.pages is not None
        assert view.pages.count() == (1 if number == 1 else 4)
        means = [np.mean([row["n"] for row in rows_of(panel if "data" in panel else spec)]) for panel in spec["concat"]]
        part = structure.parts[0]
        expected = float((part.value * np.prod(part.upper - part.lower, axis=1)).sum())
        np.testing.assert_allclose(means, expected, rtol=0.03)
        assert view.figure().axes


def test_a_foam_that_is_where_a_forest_is_expected(reference: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, catalogue = opened(reference / REG)
    with file:
        source = catalogue.sources[0]
        foam = source.weight_file("PDEFoam")
        object.__setattr__(source, "weight_file", lambda title: foam)
        with pytest.raises(DataError, match="the trees of BDT say less than all of its answer"):
            catalogue.view("trees-BDT").chart()


def test_curves_of_one_class_against_one_other(reference: Path) -> None:
    from sklearn.metrics import roc_auc_score

    file, catalogue = opened(reference / MULTI)
    with file:
        drawn: Any = catalogue.view("rejBvsS-bg1-vs-bg2").draw()
        rest: Any = catalogue.view("rejBvsS-bg0").draw()
    tree = uproot.open(reference / MULTI)["dataset/TestTree"].arrays(library="np")
    for title in ("BDTG", "MLP", "PDEFoam"):
        scores = {
            name: tree[f"{title}.{name}" if f"{title}.{name}" in tree else f"{title}/{name}"]
            if title not in tree
            else tree[title][name]
            for name in ("bg0", "bg1")
        }
        pair = np.isin(tree["classID"], (2, 3))
        one = roc_auc_score(tree["classID"][pair] == 2, scores["bg1"][pair], sample_weight=tree["weight"][pair])
        all_others = roc_auc_score(tree["classID"] == 1, scores["bg0"], sample_weight=tree["weight"])
        for shown, area in ((drawn, one), (rest, all_others)):
            entry = next(t.get_text() for t in shown.legend.get_texts() if t.get_text().endswith(f"  {title}"))
            assert float(entry.split()[0]) == pytest.approx(area, abs=6e-5)


# What stands in a file's keys, or in weight files beside it, where the group of this title is drawn.
FEEDS: dict[str, str] = {
    "Input variables": r"InputVariables_\w+;",
    "Input variables and targets": r"InputVariables_\w+;",
    "Input variable correlations, scatter plots and profiles": r"InputVariables_\w+/CorrelationPlots/scat_",
    "Linear correlation coefficients of the input variables": r"CorrelationMatrix",
    "Classifier output distributions, test sample": r"/MVA_[^/]+(_S|_Test_\w+_prob_for_\w+);",
    "Classifier output distributions, test and training sample": r"/MVA_[^/]+_Train_",
    "Classifier probability distributions, test sample": r"/MVA_[^/]+_Proba_S;",
    "Classifier rarity distributions, test sample": r"/MVA_[^/]+_Rarity_S;",
    "PDFs of the classifiers": r"/[^/]+_tr_S;",
    "Training history": r"/TrainingHistory_",
    "Likelihood reference distributions": r"/[^/]+_sig;",
    "Network architecture": r"/(weights_hist01|estimatorHistTrain|TrainingHistory_[^/]+);",
    "Network convergence test": r"/estimatorHistTrain;",
    "Decision trees": r"/(BoostWeightVsTree|NodesBeforePruning|MonitorNtuple);",
    "Decision tree control plots": r"/(BoostWeight|BoostWeightVsTree|ErrFractHist|NodesBeforePruning|NodesAfterPruning);",
    "Boost control plots": r"/Booster_",
}


@pytest.mark.parametrize("name", VIEWS)
def test_what_is_greyed_is_not_in_the_file_and_what_is_drawn_is(reference: Path, name: str) -> None:
    with uproot.open(reference / name) as file:
        keys = "\n".join(file.keys(recursive=True))
        ntuples = [key for key in file.keys(recursive=True) if key.endswith("/MonitorNtuple;1")]
        entries = {key.split("/")[-2]: file[key].num_entries for key in ntuples}
    file, catalogue = opened(reference / name)
    with file:
        compared = 0
        for group in catalogue.groups:
            title = re.sub(r", (\w+-transformed|training sample)(?=,|$)", "", group.title)
            title = re.sub(r", \w+-transformed", "", title).removesuffix(", training sample")
            pattern = FEEDS.get(title)
            if pattern is None:
                continue
            compared += 1
            assert bool(re.search(pattern, keys)) == (group.reason is None), (group.key, group.title, group.reason)
            if group.reason is not None:
                # What the reason says there is not: no name of it is a key.
                for said in re.findall(
                    r"\b(InputVariables_Id|CorrelationMatrix|TrainingHistory_|estimatorHistTrain|weights_hist01|BoostWeightVsTree|ErrFractHist|NodesBeforePruning|Booster_)",
                    group.reason,
                ):
                    assert said not in keys, (group.key, said)
        assert compared >= 6
        for group in catalogue.groups:
            if group.reason and "MonitorNtuple of" in group.reason:
                assert set(entries.values()) == {0}
            if group.title == "PDE-foams":
                folder = (reference / name).parent
                titles = [method.title for method in file.dataset().methods]
                beside = [
                    path for path in folder.rglob("*_foams.root") if any(f"_{t}.weights" in path.name for t in titles)
                ]
                assert bool(beside) == (group.reason is None)

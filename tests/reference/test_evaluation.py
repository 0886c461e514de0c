"""Against TMVA: its own scores (TestTree, TrainTree), histograms and printed tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import uproot

from mvakit.evaluation import (
    TwoClassSample,
    correlation_matrix,
    correlation_percent,
    evaluate_classification,
    rank_by_separation,
    response_histograms,
    roc_curve,
    tmva_estimates,
    variable_histograms,
    variable_statistics,
)

RUNS = {
    "class": ("tutorial/class/TMVAC.root", "tutorial/class/class_training.log", ["myvar1", "myvar2", "var3", "var4"]),
    "higgs": (
        "tutorial/higgs/Higgs_ClassificationOutput.root",
        "tutorial/higgs/higgs_training.log",
        ["m_jj", "m_jjj", "m_lv", "m_jlv", "m_bb", "m_wbb", "m_wwbb"],
    ),
    # weighted signal, 3 % negative weights
    "categ": ("toy/cat/TMVA.root", "toy/cat/training.log", ["sum", "diff", "var3", "var4"]),
}
METHODS = [
    ("class", "Method_Fisher", "Fisher"),
    ("class", "Method_LD", "LD"),
    ("class", "Method_Fisher", "FisherG"),
    ("class", "Method_Likelihood", "LikelihoodD"),
    ("class", "Method_Likelihood", "Likelihood"),
    ("class", "Method_MLP", "MLP"),
    ("class", "Method_SVM", "SVM"),
    ("class", "Method_BDT", "BDTG"),
    ("class", "Method_BDT", "BDTD"),
    ("class", "Method_BDT", "BDT"),
    ("class", "Method_BDT", "BDTB"),
    ("class", "Method_KNN", "KNN"),
    ("higgs", "Method_BDT", "BDT"),
    ("higgs", "Method_MLP", "MLP"),
    ("higgs", "Method_Likelihood", "Likelihood"),
    ("higgs", "Method_Fisher", "Fisher"),
    ("categ", "Method_Fisher", "Fisher"),
    ("categ", "Method_Category", "FisherCat"),
]
NUMBER = r"(\d\.\d+)"
RESULT_ROW = re.compile(
    rf"dataset +(\w+) +: {NUMBER}\((\d+)\) +{NUMBER}\((\d+)\) +{NUMBER}\((\d+)\) +{NUMBER} +{NUMBER} \| (\S+) +(\S+)"
)
TRAINING_ROW = re.compile(rf"dataset +(\w+) +: {NUMBER} \({NUMBER}\) +{NUMBER} \({NUMBER}\) +{NUMBER} \({NUMBER}\)")


@dataclass
class Run:
    file: uproot.ReadOnlyDirectory
    log: str
    variables: list[str]
    test: dict[str, np.ndarray]
    train: dict[str, np.ndarray]

    def samples(self, column: str) -> tuple[TwoClassSample, TwoClassSample]:
        test, train = (
            TwoClassSample.from_arrays(tree[column], tree["classID"] == 0, tree["weight"])
            for tree in (self.test, self.train)
        )
        return test, train

    def matrix(self, tree: dict[str, np.ndarray]) -> np.ndarray:
        return np.stack([tree[v] for v in self.variables], axis=1).astype(np.float64)


@pytest.fixture(scope="module")
def runs(reference: Path) -> dict[str, Run]:
    loaded = {}
    for name, (file, log, variables) in RUNS.items():
        directory = uproot.open(reference / file)["dataset"]
        columns = [*variables, "classID", "weight", *(m for run, _, m in METHODS if run == name)]
        if name == "class":
            columns += ["Cuts", "CutsGA"]
        trees = [directory[t].arrays(columns, library="np") for t in ("TestTree", "TrainTree")]
        loaded[name] = Run(directory, (reference / log).read_text(), variables, *trees)
    return loaded


def printed_row(run: Run, method: str, pattern: re.Pattern[str]) -> tuple[str, ...]:
    (row,) = (match.groups()[1:] for match in pattern.finditer(run.log) if match.group(1) == method)
    return row


@pytest.mark.parametrize(("run", "folder", "method"), METHODS)
def test_histograms_are_tmvas_bin_by_bin(runs, run, folder, method):
    test, train = runs[run].samples(method)
    stored = runs[run].file[f"{folder}/{method}"]
    for ours in response_histograms(method, test, train, training_cuts="test"):
        theirs = stored[ours.name]
        axis = theirs.axis()
        assert ours.nbins == axis.member("fNbins")
        assert ours.low == pytest.approx(axis.member("fXmin"), abs=1e-12)
        assert ours.high == pytest.approx(axis.member("fXmax"), abs=1e-12)
        assert ours.title == theirs.title
        assert (ours.x_title, ours.y_title) == (axis.member("fTitle"), theirs.all_members["fYaxis"].member("fTitle"))
        assert ours.entries == theirs.member("fEntries")
        np.testing.assert_allclose(
            ours.moments, [theirs.member(f"fTsumw{m}") for m in ("", "2", "x", "x2")], rtol=1e-6, atol=1e-9
        )
        contents = theirs.values(flow=True)
        difference = np.abs(ours.flow_contents - contents)
        # TMVA filled its training histograms with double-precision responses, the tree holds single precision:
        # an event at a bin edge may fall on the other side of it (one in a thousand, with 10000 bins)
        allowed = 8 if "training" in ours.name else 0
        assert np.count_nonzero(difference > 1e-6 * contents.max()) <= allowed
        assert difference.max() < 2e-4 * contents.max()
        variances = theirs.member("fSumw2")
        if ours.flow_variances is None:
            assert len(variances) == 0
        else:
            np.testing.assert_allclose(ours.flow_variances, variances, rtol=1e-5, atol=1e-7 * np.max(variances))


@pytest.mark.parametrize(("run", "folder", "method"), METHODS)
def test_estimates_are_what_tmva_prints(runs, run, folder, method):
    test, train = runs[run].samples(method)
    estimates = tmva_estimates(response_histograms(method, test, train, training_cuts="test"))
    row = printed_row(runs[run], method, RESULT_ROW)
    assert [f"{e.value:.3f}" for e in estimates.efficiencies] == [row[0], row[2], row[4]]
    assert [f"{int(1000 * e.error):02d}" for e in estimates.efficiencies] == [row[1], row[3], row[5]]
    assert f"{estimates.roc_integral:.3f}" == row[6]
    assert f"{estimates.separation:.3f}" == row[8]
    assert f"{evaluate_classification(method, test).significance:.3f}" == row[9]
    training = printed_row(runs[run], method, TRAINING_ROW)
    assert [f"{e:.3f}" for e in estimates.training_efficiencies] == [training[1], training[3], training[5]]


@pytest.mark.parametrize(("run", "folder", "method"), METHODS)
def test_exact_numbers_are_near_tmvas(runs, run, folder, method):
    test, train = runs[run].samples(method)
    result = evaluate_classification(method, test, train)
    row = printed_row(runs[run], method, RESULT_ROW)
    # 0.0005 is the rounding of the print
    assert result.auc == pytest.approx(float(row[6]), abs=0.002 + 0.0005)
    assert 0.0 < result.auc_error < 0.01
    assert f"{result.separation:.3f}" == row[8]
    for ours, theirs in zip(result.efficiencies[1:], (row[2], row[4]), strict=True):
        assert ours.value == pytest.approx(float(theirs), abs=0.006)
    # TMVA places the training sample's cuts with the test sample and so sees less overtraining than there is
    assert result.auc_train > result.auc - 2 * result.auc_error - 2 * result.auc_train_error


def test_areas_are_sklearns(runs):
    metrics = pytest.importorskip("sklearn.metrics")
    for run, _, method in METHODS:
        tree = runs[run].test
        if tree["weight"].min() > 0:  # sklearn takes no negative weights
            truth = tree["classID"] == 0
            expected = metrics.roc_auc_score(truth, tree[method], sample_weight=tree["weight"].astype(np.float64))
            assert roc_curve(tree[method], truth, tree["weight"]).area == pytest.approx(expected, abs=1e-9)


def test_overtraining_shows_in_the_training_sample_alone(runs):
    test, train = runs["class"].samples("BDTD")
    shown = tmva_estimates(response_histograms("BDTD", test, train)).training_efficiencies
    exact = evaluate_classification("BDTD", test, train).efficiencies_train
    # TMVA prints 0.682, 0.868 and 0.949
    assert shown == pytest.approx([e.value for e in exact], abs=0.01)
    assert shown[1] > 0.92


def test_tied_scores(runs):
    """Where scores are tied the histogram estimate is not the exact area, and a yes-no response has no curve."""
    test, _ = runs["class"].samples("BDTB")
    tied = [float((s.values == 1.0) @ s.weights) / s.sum_of_weights for s in (test.signal, test.background)]
    assert tied == pytest.approx([0.2154, 0.0156], abs=1e-4)
    exact = evaluate_classification("BDTB", test)
    estimate = tmva_estimates(response_histograms("BDTB", test))
    # up to there TMVA's curve stays at the background efficiency of the tightest cut, above .01: it finds no signal
    # efficiency, where the diagonal of the exact curve has .01 / .0156 of the tied signal
    assert estimate.efficiencies[0].value == pytest.approx(0.00025)
    assert exact.efficiencies[0].value == pytest.approx(tied[0] * 0.01 / tied[1])
    assert 0.001 < exact.auc - estimate.roc_integral < 0.002
    # Cuts answers pass or fail at one signal efficiency, of which the tree holds one; TMVA scans its own list instead
    cuts = runs["class"].test["Cuts"]
    assert set(np.unique(cuts)) <= {0.0, 1.0}
    assert len(roc_curve(cuts, runs["class"].test["classID"] == 0, runs["class"].test["weight"]).thresholds) <= 3


def test_variables_are_ranked_as_printed(runs):
    labels = {
        "class": {"Variable 4": "var4", "Variable 3": "var3", "myvar1": "myvar1", "Expression 2": "myvar2"},
        "higgs": {v: v for v in RUNS["higgs"][2]},
    }
    for run, names in labels.items():
        table = runs[run].log.split("Ranking input variables (method unspecific)")[1].split("Train method")[0]
        printed = re.findall(r": +(\d+) : (.+?) +: (\d\.\d+e[-+]\d+)", table)
        assert len(printed) == len(names)
        train = runs[run].train
        ranking = rank_by_separation(
            runs[run].variables, runs[run].matrix(train), train["classID"] == 0, train["weight"]
        )
        assert [(str(r.rank), r.name, f"{r.value:.3e}") for r in ranking] == [
            (rank, names[label], value) for rank, label, value in printed
        ]


def test_input_variable_histograms_are_tmvas(runs):
    titles = {"myvar1": ("", ""), "myvar2": ("Expression 2", ""), "var3": ("Variable 3", "units")}
    for run, variable, title, unit in [
        *(("class", v, *t) for v, t in titles.items()),
        *(("higgs", v, "", "") for v in RUNS["higgs"][2]),
    ]:
        sample = runs[run].samples(variable)[1]
        for ours in variable_histograms(sample, name=variable, title=title, unit=unit):
            theirs = runs[run].file[f"InputVariables_Id/{ours.name}"]
            axis = theirs.axis()
            assert (ours.nbins, ours.title) == (axis.member("fNbins"), theirs.title)
            assert (ours.x_title, ours.y_title) == (
                axis.member("fTitle"),
                theirs.all_members["fYaxis"].member("fTitle"),
            )
            assert (ours.low, ours.high) == pytest.approx((axis.member("fXmin"), axis.member("fXmax")), abs=1e-9)
            np.testing.assert_allclose(ours.flow_contents, theirs.values(flow=True), rtol=1e-5, atol=1e-5)
            assert theirs.classname == f"TH1{ours.storage}"


@pytest.mark.parametrize("run", ["class", "higgs"])
def test_correlations_are_tmvas(runs, run):
    train = runs[run].train
    for index, (letter, name) in enumerate((("S", "Signal"), ("B", "Background"))):
        chosen = train["classID"] == index
        matrix = correlation_matrix(runs[run].matrix(train)[chosen], train["weight"][chosen])
        stored = runs[run].file[f"CorrelationMatrix{letter}"].values()
        np.testing.assert_array_equal(correlation_percent(matrix), stored)
        table = runs[run].log.split(f"Correlation matrix ({name}):")[1].split("Correlation matrix")[0]
        rows = [re.findall(r"[-+]\d\.\d{3}", line) for line in table.splitlines() if re.search(r"[-+]\d\.\d{3}", line)]
        printed = np.array(rows[: len(matrix)], dtype=float)
        np.testing.assert_allclose(matrix, printed, atol=0.000501)


@pytest.mark.parametrize("run", ["class", "higgs"])
def test_variable_table_is_tmvas(runs, run):
    table = runs[run].log.split("Preparing the Identity transformation")[1].split("Plot event variables")[0]
    printed = re.findall(r": +(\w+): +(\S+) +(\S+) +\[ +(\S+) +(\S+) +\]", table)
    ours = variable_statistics(runs[run].variables, runs[run].matrix(runs[run].train), runs[run].train["weight"])
    assert len(printed) == len(ours)
    for row, expected in zip(ours, printed, strict=True):
        assert row.name == expected[0]
        for value, text in zip((row.mean, row.rms, row.minimum, row.maximum), expected[1:], strict=True):
            # five significant digits
            assert value == pytest.approx(float(text), rel=6e-5)

"""Multiclass against TMVA: its responses (TestTree, TrainTree), histograms, cuts and printed tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import uproot

from mvakit.evaluation import MulticlassSample, ScoreCut, evaluate_multiclass, multiclass_histograms, working_point

RUNS = {
    "tutorial": ("tutorial/multi/TMVAMulticlass.root", "tutorial/multi/multi_training.log"),
    "toy": ("toy/multi/TMVA.root", "toy/multi/training.log"),
}
METHODS = [
    ("tutorial", "Method_BDT", "BDTG"),
    ("tutorial", "Method_MLP", "MLP"),
    ("tutorial", "Method_PDEFoam", "PDEFoam"),
    ("toy", "Method_BDT", "BDTG"),
    ("toy", "Method_MLP", "MLP"),
    ("toy", "Method_MLP", "MLPN"),
    ("toy", "Method_FDA", "FDA"),
]
CLASSES = ("Signal", "bg0", "bg1", "bg2")


@dataclass
class Run:
    file: uproot.ReadOnlyDirectory
    log: str

    def sample(self, tree: str, method: str) -> MulticlassSample:
        columns = self.file[tree].arrays(["classID", "weight", method], library="np")
        scores = np.stack([columns[method][name] for name in CLASSES], axis=1)
        return MulticlassSample.from_arrays(scores, columns["classID"], columns["weight"], classes=CLASSES)

    def printed(self, method: str) -> list[float]:
        """Efficiency times purity of every class."""
        rows = set(re.findall(rf"\[dataset +\] {method} +((?:\d\.\d+ +){{4}})", self.log))
        (row,) = rows
        return [float(number) for number in row.split()]

    def cuts(self, method: str) -> list[list[ScoreCut]]:
        """TMVA's cuts for every class: a negative one is an upper limit on the modulus."""
        values = re.findall(rf"ResultsMultiClass{method} +: +cutValue\[(\w+)\] = (\S+);", self.log)
        cuts = [
            ScoreCut(CLASSES.index(name), name, abs(float(value)), not value.startswith("-")) for name, value in values
        ]
        assert len(cuts) == 16
        return [cuts[i : i + 4] for i in range(0, 16, 4)]


@pytest.fixture(scope="module")
def runs(reference: Path) -> dict[str, Run]:
    return {
        name: Run(uproot.open(reference / file)["dataset"], (reference / log).read_text())
        for name, (file, log) in RUNS.items()
    }


@pytest.mark.parametrize(("run", "folder", "method"), METHODS)
def test_histograms_are_tmvas_bin_by_bin(runs, run, folder, method):
    stored = runs[run].file[f"{folder}/{method}"]
    histograms = multiclass_histograms(
        method, runs[run].sample("TestTree", method), runs[run].sample("TrainTree", method)
    )
    names = [key.split(";")[0] for key in stored.keys(recursive=False) if "_prob_for_" in key]
    assert [ours.name for ours in histograms] == names
    for ours in histograms:
        theirs = stored[ours.name]
        axis = theirs.axis()
        assert theirs.classname == f"TH1{ours.storage}"
        assert (ours.nbins, ours.low, ours.high) == (
            axis.member("fNbins"),
            axis.member("fXmin"),
            axis.member("fXmax"),
        )
        assert ours.title == theirs.title
        assert (ours.x_title, ours.y_title) == (axis.member("fTitle"), theirs.all_members["fYaxis"].member("fTitle"))
        assert ours.entries == theirs.member("fEntries")
        np.testing.assert_allclose(
            ours.moments, [theirs.member(f"fTsumw{m}") for m in ("", "2", "x", "x2")], rtol=1e-6, atol=1e-9
        )
        contents = theirs.values(flow=True)
        np.testing.assert_allclose(ours.flow_contents, contents, rtol=1e-5, atol=1e-6 * contents.max())
        variances = theirs.member("fSumw2")
        np.testing.assert_allclose(ours.flow_variances, variances, rtol=1e-5, atol=1e-7 * np.max(variances))


@pytest.mark.parametrize(("run", "folder", "method"), METHODS)
def test_tmvas_cuts_achieve_what_tmva_prints(runs, run, folder, method):
    sample = runs[run].sample("TestTree", method)
    products = [working_point(sample, i, cuts).product for i, cuts in enumerate(runs[run].cuts(method))]
    # the cuts are printed with six digits: an event may change sides
    np.testing.assert_allclose(products, runs[run].printed(method), atol=0.0005 + 0.0003)


@pytest.mark.parametrize(("run", "folder", "method"), METHODS)
def test_best_cuts_are_at_least_as_good_as_tmvas(runs, run, folder, method):
    result = evaluate_multiclass(method, runs[run].sample("TestTree", method))
    for point, printed, cuts in zip(
        result.working_points, runs[run].printed(method), runs[run].cuts(method), strict=True
    ):
        assert point.product >= printed - 0.0005
        theirs = working_point(runs[run].sample("TestTree", method), CLASSES.index(point.name), cuts)
        assert point.product >= theirs.product - 1e-6
        # FDA's responses are nearly all 0 or 1, where TMVA's search in [-1, 1] finds little
        if method != "FDA":
            assert point.product < printed + 0.01


# areas by scikit-learn, and the accuracy: the table in the README of the reference data
TABLE = {
    "BDTG": ([0.9636, 0.8820, 0.9304, 0.9558], 0.7455),
    "MLP": ([0.9718, 0.9337, 0.9620, 0.9658], 0.8013),
    "PDEFoam": ([0.9262, 0.8447, 0.8956, 0.9605], 0.7218),
}


@pytest.mark.parametrize("method", TABLE)
def test_areas_and_accuracy_of_the_tutorial(runs, method):
    result = evaluate_multiclass(method, runs["tutorial"].sample("TestTree", method))
    areas, accuracy = TABLE[method]
    np.testing.assert_allclose(result.auc, areas, atol=0.5e-4 + 1e-9)
    assert result.accuracy == pytest.approx(accuracy, abs=0.5e-4 + 1e-9)
    assert result.accuracy_error == pytest.approx((result.accuracy * (1 - result.accuracy) / 4000) ** 0.5)

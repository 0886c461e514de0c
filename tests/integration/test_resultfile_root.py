"""ROOT itself opens what we write: trees, histograms, profiles, labels, texts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvakit.dataset import DataSet, Sample
from mvakit.evaluation.histograms import Histogram1D
from mvakit.resultfile import (
    Curve,
    DatasetContents,
    MethodContents,
    ResultContents,
    TransformedInputs,
    write_result_file,
)
from mvakit.types import AnalysisType
from mvakit.variables import define

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    ROOT = pytest.importorskip("ROOT")

CLASSES = ("Signal", "bg0", "bg1")
BEYOND_FLOAT = 2**53 + 1


def _sample(count: int, seed: int) -> Sample:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, 2)).astype(np.float32)
    spectators = {"event": np.arange(count, dtype=np.int64) + BEYOND_FLOAT, "flag": np.arange(count) % 2 == 0}
    return Sample(X, np.arange(count) % 3, rng.uniform(0.5, 1.5, count), spectators=spectators)


@pytest.fixture(scope="module")
def contents() -> DatasetContents:
    dataset = DataSet(
        "dataset",
        (define("sum := a+b", "The sum", "GeV"), define("a-b")),
        (),
        (),
        CLASSES,
        _sample(120, 1),
        _sample(90, 2),
    )
    rng = np.random.default_rng(3)
    flat = np.arange(1.0, 13.0)
    histogram = Histogram1D("MVA_X_S", "a title", -1.0, 1.0, flat, flat * 2, 7.0, (1.0, 2.0, 0.5, 3.0), "x", "y")
    curve = Curve("loss", "Loss", "epoch", "loss", np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.25, 0.125]))
    trees = (
        Curve("BoostWeightVsTree", "boost", "#tree", "", np.arange(3.0), np.array([0.5, 0.25, 0.125])),
        Curve("ErrFractHist", "error", "#tree", "", np.arange(3.0), np.array([0.1, 0.2, 0.3])),
    )
    methods = [
        MethodContents(
            "MLP",
            "Many",
            "dataset/weights/Job_Many.weights.xml",
            histograms=[histogram],
            curves=[curve],
            train_scores=rng.random((120, 3)),
            test_scores=rng.random((90, 3)),
        ),
        MethodContents(
            "BDT",
            "One",
            curves=trees,
            train_scores=rng.random(120),
            test_scores=rng.random(90),
            inputs=TransformedInputs(dataset.test),
        ),
    ]
    correlations = {name: np.array([[1.0, 0.5], [0.5, 1.0]]) for name in CLASSES}
    inputs = [TransformedInputs(dataset.train)]
    return DatasetContents(dataset, AnalysisType.MULTICLASS, inputs, correlations, methods)


@pytest.fixture(scope="module")
def directory(contents: DatasetContents, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    path: Path = tmp_path_factory.mktemp("root") / "TMVA.root"
    write_result_file(path, ResultContents([contents]))
    file = ROOT.TFile.Open(str(path))
    assert not file.IsZombie()
    assert not file.TestBit(ROOT.TFile.kRecovered)
    yield file.Get("dataset")
    file.Close()


@pytest.mark.parametrize("which", ["TrainTree", "TestTree"])
def test_trees(directory: Any, contents: DatasetContents, which: str) -> None:
    sample = dict(contents.dataset.samples())[which]
    tree = directory.Get(which)
    assert tree.ClassName() == "TTree"
    assert tree.GetEntries() == len(sample)
    many, one = (m.train_scores if which == "TrainTree" else m.test_scores for m in contents.methods)
    assert many is not None
    assert one is not None
    for i in (0, 1, 2, len(sample) - 1):
        tree.GetEntry(i)
        assert tree.GetLeaf("classID").GetValue() == sample.class_index[i]
        assert tree.GetLeaf("className").GetValueString() == CLASSES[sample.class_index[i]]
        assert tree.GetLeaf("sum").GetValue() == sample.X[i, 0]
        assert tree.GetLeaf("a_M_b").GetValue() == sample.X[i, 1]
        assert tree.GetLeaf("weight").GetValue() == np.float32(sample.weight[i])
        assert tree.GetLeaf("event").GetValueLong64() == sample.spectators["event"][i]
        assert bool(tree.GetLeaf("flag").GetValue()) == bool(sample.spectators["flag"][i])
        assert tree.GetLeaf("One").GetValue() == np.float32(one[i])
        assert tree.GetBranch("Many.bg1").GetLeaf("Many.bg1").GetValue() == np.float32(many[i, 2])


def test_expressions_on_trees(directory: Any, contents: DatasetContents) -> None:
    """As macros for TMVA's files say it, a response of several classes included."""
    tree = directory.Get("TestTree")
    for expression, cut, expected in (
        ("One", "classID==1", contents.dataset.test.class_index == 1),
        ("Many.bg0", 'className=="bg1"', contents.dataset.test.class_index == 2),
        ("sum*weight", "flag", contents.dataset.test.spectators["flag"]),
    ):
        assert tree.Draw(expression, cut, "goff") == np.count_nonzero(expected)
    scores = contents.methods[0].test_scores
    assert scores is not None
    tree.Draw("Many.bg0", "", "goff")
    drawn = [tree.GetV1()[i] for i in range(len(scores))]
    np.testing.assert_array_equal(drawn, scores[:, 1].astype(np.float32))


def test_histograms_of_methods(directory: Any) -> None:
    histogram = directory.Get("Method_MLP/Many/MVA_X_S")
    assert histogram.ClassName() == "TH1D"
    assert histogram.GetTitle() == "a title"
    assert [histogram.GetBinContent(i) for i in range(12)] == list(range(1, 13))
    assert histogram.GetBinError(3) == pytest.approx(np.sqrt(8.0))
    assert histogram.GetEntries() == 7.0
    assert histogram.GetMean() == 0.5
    assert (histogram.GetXaxis().GetTitle(), histogram.GetYaxis().GetTitle()) == ("x", "y")
    assert str(directory.Get("Method_MLP/Many/WeightFileName")) == "dataset/weights/Job_Many.weights.xml"


def test_correlation_matrix(directory: Any) -> None:
    matrix = directory.Get("CorrelationMatrixbg0")
    assert matrix.ClassName() == "TH2F"
    assert [matrix.GetXaxis().GetBinLabel(i) for i in (1, 2)] == ["The sum", "a-b"]
    assert [matrix.GetYaxis().GetBinLabel(i) for i in (1, 2)] == ["The sum", "a-b"]
    assert matrix.GetXaxis().FindFixBin("a-b") == 2
    assert [[matrix.GetBinContent(i, j) for i in (1, 2)] for j in (1, 2)] == [[100.0, 50.0], [50.0, 100.0]]
    assert (matrix.GetMinimum(), matrix.GetMaximum()) == (-100.0, 100.0)


def test_plots_of_inputs_are_what_root_would_fill(directory: Any, contents: DatasetContents) -> None:
    sample = contents.dataset.train
    inputs = directory.Get("InputVariables_Id")
    for c, name in enumerate(CLASSES):
        x, y = sample.X[sample.class_index == c].astype(np.float64).T
        w = sample.weight[sample.class_index == c]
        one = inputs.Get(f"sum__{name}_Id")
        two = inputs.Get(f"CorrelationPlots/scat_a_M_b_vs_sum_{name}_Id")
        profile = inputs.Get(f"CorrelationPlots/prof_a_M_b_vs_sum_{name}_Id")
        assert (one.ClassName(), two.ClassName(), profile.ClassName()) == ("TH1F", "TH2F", "TProfile")
        filled = []
        for stored in (one, two, profile):
            copy = stored.Clone("copy")
            copy.Reset()
            for values in zip(x, w, strict=True) if stored is one else zip(x, y, w, strict=True):
                copy.Fill(*values)
            filled.append(copy)
        for stored, copy in zip((one, two, profile), filled, strict=True):
            cells = range(stored.GetNcells())
            if stored is not two:
                cells = range(1, stored.GetNbinsX() + 1)
            inside = [b for b in cells if not stored.IsBinOverflow(b)]
            for b in inside:
                assert stored.GetBinContent(b) == pytest.approx(copy.GetBinContent(b), rel=1e-6)
                if stored is not two:
                    assert stored.GetBinError(b) == pytest.approx(copy.GetBinError(b), rel=1e-6)
            assert stored.GetMean() == pytest.approx(copy.GetMean(), rel=1e-9)
            assert stored.GetRMS() == pytest.approx(copy.GetRMS(), rel=1e-9)
            assert stored.GetEntries() == copy.GetEntries()
        assert two.GetCorrelationFactor() == pytest.approx(filled[1].GetCorrelationFactor(), rel=1e-9)
        assert profile.GetMean(2) == pytest.approx(filled[2].GetMean(2), rel=1e-9)


def test_monitoring(directory: Any) -> None:
    history = directory.Get("Method_MLP/Many/TrainingHistory_Many_loss")
    assert [history.GetBinContent(history.FindBin(x)) for x in (1.0, 2.0, 3.0)] == [0.5, 0.25, 0.125]
    boost = directory.Get("Method_BDT/One/BoostWeightVsTree")
    assert (boost.ClassName(), boost.GetBinContent(1)) == ("TH1F", 0.5)
    ntuple = directory.Get("Method_BDT/One/MonitorNtuple")
    assert ntuple.GetEntries() == 3
    ntuple.GetEntry(2)
    assert (ntuple.iTree, ntuple.boostWeight, ntuple.errorFraction) == (2, 0.125, 0.3)

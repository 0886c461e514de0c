"""BDT: what `DoBoostMonitor` and the distributions of boost weights leave in the result file."""

from __future__ import annotations

import numpy as np
import pytest
import uproot
from mvakit_methods.bdt import BDT, BDTOptions
from mvakit_methods.bdt.staged import monitored_rounds
from sklearn.metrics import roc_auc_score

from mvakit import DataLoader, Factory
from mvakit.dataset import DataSet, Sample
from mvakit.evaluation import Curve
from mvakit.model import Model
from mvakit.resultfile import ResultFile
from mvakit.types import AnalysisType
from tests.unit.test_bdt_stopping import CLASSIFICATION, MULTICLASS, REGRESSION, dataset, fit, sample


def monitored(analysis: AnalysisType, text: str) -> tuple[Model, DataSet, Curve]:
    from mvakit.model import train

    data = dataset(analysis)
    model = train(data, "BDT", text)
    respond = lambda stages: model.staged_predict(data.test.X, stages)  # noqa: E731
    (curve,) = model.method.staged_monitoring(model.state, data.test, respond, "test")
    return model, data, curve


def roc_integral(response: np.ndarray, some: Sample, k: int = 0) -> float:
    return float(roc_auc_score(some.class_index == k, response, sample_weight=some.weight))


def test_the_roc_integral_of_the_test_sample_against_the_number_of_trees():
    model, data, curve = monitored(CLASSIFICATION, "NTrees=30:DoBoostMonitor")
    assert (curve.name, curve.title) == ("BoostMonitorGraph", "ROC integral, test events")
    np.testing.assert_array_equal(curve.x, monitored_rounds(30))
    staged = list(model.staged_predict(data.test.X))
    np.testing.assert_allclose(curve.y, [roc_integral(staged[int(n) - 1], data.test) for n in curve.x], rtol=1e-12)


def test_of_several_classes_it_is_the_mean_of_one_against_the_rest():
    model, data, curve = monitored(MULTICLASS, "NTrees=8:BoostType=Grad:DoBoostMonitor")
    response = model.predict(data.test.X)
    expected = np.mean([roc_integral(response[:, k], data.test, k) for k in range(3)])
    assert curve.y[-1] == pytest.approx(expected, rel=1e-12)
    assert curve.y_title == "Mean ROC integral of one against the rest"
    assert curve.x.tolist() == [1, 6, 8]


def test_of_a_regression_it_is_the_rms():
    model, data, curve = monitored(REGRESSION, "NTrees=8:BoostType=Grad:DoBoostMonitor")
    deviation = model.predict(data.test.X) - data.test.targets[:, 0]
    assert curve.y[-1] == pytest.approx(np.sqrt(np.average(deviation**2, weights=data.test.weight)), rel=1e-12)
    assert curve.y[-1] < curve.y[0]


def test_without_the_option_nothing_is_monitored():
    method, state = fit(CLASSIFICATION, "NTrees=3")
    assert method.staged_monitoring(state, sample(CLASSIFICATION), lambda stages: iter(()), "test") == ()


@pytest.mark.parametrize("text", ["AdaBoostBeta=1", "!UseYesNoLeaf", "BoostType=AdaCost"])
def test_the_distribution_of_boost_weights(text):
    method, state = fit(CLASSIFICATION, f"NTrees=20:{text}")
    (histogram,) = method.histograms(state)
    expected, edges = np.histogram(state.boost_weight, 100, (0, 30))
    np.testing.assert_array_equal(histogram.contents, expected)
    np.testing.assert_allclose(histogram.edges, edges)
    assert histogram.entries == 20
    assert histogram.moments == pytest.approx((20, 20, state.boost_weight.sum(), (state.boost_weight**2).sum()))


@pytest.mark.parametrize("bagged", ["", ":UseBaggedBoost"])
def test_the_distribution_of_boost_factors(bagged):
    train = sample(REGRESSION)
    method, state = fit(REGRESSION, f"NTrees=1:MaxDepth=4{bagged}", train)
    (histogram,) = method.histograms(state)
    deviation = np.abs(method.predict(state, train.X) - train.targets[:, 0])
    from mvakit_methods.bdt.randomness import bagging_seed, draw_counts

    count = draw_counts(bagging_seed(0, 1), 600, 0.6) if bagged else np.ones(600, int)
    factor = (state.error[0] / (1 - state.error[0])) ** (1 - deviation / deviation[count > 0].max())
    expected, _ = np.histogram(factor, 100, (0, 1 + 1e-12), weights=count)
    assert np.abs(histogram.contents + np.eye(1, 100, 99)[0] * histogram.overflow - expected).sum() <= 2
    assert histogram.entries == count.sum()
    assert histogram.title == "Boost event weights distribution"


@pytest.mark.parametrize(
    ("analysis", "text"), [(CLASSIFICATION, "BoostType=Grad"), (CLASSIFICATION, "BoostType=Bagging")]
)
def test_where_weights_mean_nothing_there_is_no_distribution(analysis, text):
    method, state = fit(analysis, f"NTrees=3:{text}")
    assert method.histograms(state) == ()


def test_forests_of_tmva_s_files_have_no_factors():
    from dataclasses import replace

    _, state = fit(REGRESSION, "NTrees=3")
    assert BDT(BDTOptions()).histograms(replace(state, boost_factors=np.empty(0, np.int64))) == ()


def test_all_of_it_is_in_the_result_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    loader = DataLoader("dataset")
    for name in "xyz":
        loader.AddVariable(name)
    some = sample(CLASSIFICATION)
    for class_name, index in (("Signal", 0), ("Background", 1)):
        X = some.X[some.class_index == index]
        loader.AddTree(dict(zip("xyz", X.T, strict=True)), class_name)
    loader.PrepareTrainingAndTestTree("", "SplitMode=Alternate")
    factory = Factory("Job", "job.root", "!V:Silent:AnalysisType=Classification")
    factory.BookMethod(loader, "BDT", "BDT", "NTrees=12:DoBoostMonitor:ValidationSize=20%")
    factory.TrainAllMethods()
    factory.TestAllMethods()
    factory.EvaluateAllMethods()
    with uproot.open("job.root") as file:
        there = file["dataset/Method_BDT/BDT"]
        graph, frame = there["BoostMonitorGraph"], there["BoostMonitor"]
        assert there["BoostWeight"].member("fEntries") == 12
        assert frame.axis("x").edges().tolist() == [0, 6, 12]
        assert frame.axis("y").high == pytest.approx(1.05)
        assert not frame.values().any()
    test = loader.prepare().test
    model = Model.load("dataset/weights/Job_BDT.weights.xml")
    with ResultFile("job.root") as file:
        curves = {curve.name: curve for curve in file.dataset("dataset").curves("BDT")}
    assert list(curves) == [
        "BoostWeightVsTree", "ErrFractHist", "NodesBeforePruning", "NodesAfterPruning", "trainLoss", "valLoss",
        "BoostMonitorGraph", "BoostMonitorGraph_training",
    ]  # fmt: skip
    found = curves["BoostMonitorGraph"]
    np.testing.assert_array_equal(np.array(graph.values()), [found.x, found.y])
    assert found.x.tolist() == monitored_rounds(12)
    assert (found.title, found.x_title, found.y_title) == (
        "ROC integral, test events",
        "Number of trees",
        "ROC integral",
    )
    assert found.y[-1] == pytest.approx(roc_integral(model.predict(test.X), test), rel=1e-12)
    assert curves["valLoss"].x.tolist() == list(range(1, 13))
    np.testing.assert_array_equal(curves["valLoss"].y, model.state.losses[1])

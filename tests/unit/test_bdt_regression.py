"""BDT for regression: AdaBoost.R2, bagging, the losses of Grad, defaults, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from mvakit_methods.bdt import BDT, BDTOptions, team
from mvakit_methods.bdt.quantiles import weighted_quantile
from mvakit_methods.bdt.randomness import bagging_seed, draw_counts
from numba import config

from mvakit.dataset import DataSet, Sample
from mvakit.errors import MethodError, MvakitWarning, OptionError
from mvakit.method import FitContext
from mvakit.model import Model, book
from mvakit.model import train as train_model
from mvakit.types import AnalysisType
from mvakit.variables import define
from tests.reference.naive.weights import NaiveModel

VARIABLES, TARGETS = (define("x"), define("y")), (define("t"),)
LOSSES = ["Huber", "AbsoluteDeviation", "LeastSquares"]
# More than what sums are made of at once.
SIZE = 140_000 if not config.DISABLE_JIT else 300


def context(targets=TARGETS) -> FitContext:
    return FitContext(AnalysisType.REGRESSION, "BDT", VARIABLES, ("Regression",), targets)


def sample(n: int = 400, seed: int = 1, shift: float = 0.0) -> Sample:
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, size=(n, 2)).astype(np.float32)
    target = 3 * X[:, 0] + X[:, 1] ** 2 + rng.normal(scale=0.3, size=n) + shift
    return Sample(X, np.zeros(n, int), rng.uniform(0.5, 2, n), target.astype(np.float32)[:, None])


def fit(train: Sample, text: str = "", place: FitContext | None = None):
    place = place or context()
    method = BDT(BDTOptions.parse(text).for_analysis(AnalysisType.REGRESSION))
    method.check(place)
    return method, method.fit(train, place)


def leaves_of(state, tree: int, X: np.ndarray) -> np.ndarray:
    found, first = [], int(state.first[tree])
    for x in X:
        node = first
        while state.nodes.variable[node] >= 0:
            right = x[state.nodes.variable[node]] >= state.nodes.cut[node]
            node = first + int((state.nodes.right if right else state.nodes.left)[node])
        found.append(node)
    return np.array(found)


LOSS = {"Linear": lambda d: d, "Quadratic": lambda d: d**2, "Exponential": lambda d: 1 - np.exp(-d)}


@pytest.mark.parametrize("loss", LOSS)
@pytest.mark.parametrize("exact", ["ExactCuts", "!ExactCuts"])
@pytest.mark.parametrize("shift", [0.0, 1000.0])
def test_adaboost_r2(loss, exact, shift):
    train = sample(shift=shift)
    _, state = fit(train, f"NTrees=4:MaxDepth=3:AdaBoostR2Loss={loss}:{exact}")
    weight, target = train.weight.copy(), train.targets[:, 0].astype(float)
    for t in range(4):
        at = leaves_of(state, t, train.X)
        for leaf in np.unique(at):
            mean = np.average(target[at == leaf], weights=weight[at == leaf])
            assert state.nodes.response[leaf] == pytest.approx(mean, rel=1e-6)
            spread = np.sqrt(np.average((target[at == leaf] - mean) ** 2, weights=weight[at == leaf]))
            assert state.nodes.rms[leaf] == pytest.approx(spread, rel=1e-3)
        deviation = np.abs(state.nodes.response[at] - target)
        deviation /= deviation.max()
        error = np.average(LOSS[loss](deviation), weights=weight)
        assert state.error[t] == pytest.approx(error, rel=1e-4)
        assert state.boost_weight[t] == pytest.approx(np.log((1 - error) / error), rel=1e-4)
        weight *= (error / (1 - error)) ** (1 - deviation)
        weight *= train.weight.sum() / weight.sum()


def test_boost_weights_count_as_no_less_than_tmva_reads():
    """An event that is met exactly, tree after tree, keeps the least weight that TMVA reads, times the last changes."""
    train = sample()
    target = np.where(train.X[:, :1] > 0, train.targets, 0).astype(np.float32)
    _, state = fit(Sample(train.X, train.class_index, train.weight, target), "NTrees=40:MaxDepth=4")
    weight, boost, least = train.weight, np.ones(400), 1.0
    for t, boost_weight in enumerate(state.boost_weight):
        response = state.nodes.response[leaves_of(state, t, train.X)]
        deviation = np.abs(response - target[:, 0])
        deviation /= deviation.max()
        total = weight @ boost
        error = weight * boost @ deviation**2 / total
        if error >= 0.5:
            break
        assert boost_weight == pytest.approx(np.log((1 - error) / error), rel=1e-3)
        boost = (np.maximum(boost, 1e-4) * (error / (1 - error)) ** (1 - deviation)).astype(np.float32)
        least = min(least, boost.min())
        boost = np.maximum(boost, 1e-4) * (total / (weight @ boost))
    assert least < 5e-5


def test_an_event_that_is_twice_in_a_sample_changes_once():
    train = sample()
    _, state = fit(train, "NTrees=3:MaxDepth=3:UseBaggedBoost")
    weight = train.weight.copy()
    for t, boost_weight in enumerate(state.boost_weight):
        count = draw_counts(bagging_seed(t, 1), 400, 0.6).astype(float)
        deviation = np.abs(state.nodes.response[leaves_of(state, t, train.X)] - train.targets[:, 0])
        deviation /= deviation[count > 0].max()
        total = weight @ count
        error = weight * count @ deviation**2 / total
        assert boost_weight == pytest.approx(np.log((1 - error) / error), rel=1e-4)
        changed = weight * (error / (1 - error)) ** (1 - deviation)
        changed *= total / (changed @ count)
        weight = np.where(count > 0, changed, weight)


def test_negative_weights_are_boosted_inversely():
    train = sample()
    weight = np.where(np.arange(400) % 20 == 3, -train.weight, train.weight)
    _, inverse = fit(train.with_weight(weight), "NTrees=3:MaxDepth=3")
    _, plain = fit(train.with_weight(weight), "NTrees=3:MaxDepth=3:Pray")
    first = slice(0, inverse.first[1])
    np.testing.assert_array_equal(inverse.nodes.cut[first], plain.nodes.cut[first])
    assert inverse.boost_weight[0] == plain.boost_weight[0] != 0
    assert inverse.boost_weight[1] != plain.boost_weight[1]


def test_boosting_ends_where_half_is_wrong_or_nothing():
    train = sample()
    noise = Sample(
        train.X, train.class_index, train.weight, np.sign(train.X[:, :1] * 0 + np.arange(400)[:, None] % 2 - 0.5)
    )
    with pytest.raises(MethodError, match=r"error of the first tree, 0\.[5-9].*, is not below 0.5"):
        fit(noise, "MaxDepth=1:AdaBoostR2Loss=Linear")
    exact = Sample(train.X, train.class_index, train.weight, np.sign(train.X[:, :1]))
    method, state = fit(exact, "nCuts=-1:MaxDepth=3")
    assert len(state.boost_weight) <= 2
    np.testing.assert_allclose(method.predict(state, train.X), exact.targets[:, 0])


def test_small_samples_are_cut_exactly_where_nothing_is_drawn():
    for text, few, many in (
        ("", True, False),
        ("ExactCuts", True, True),
        ("ExactCuts:UseBaggedBoost", True, True),
        ("!ExactCuts", False, False),
        *((drawn, False, False) for drawn in ("UseBaggedBoost", "BoostType=Bagging", "UseRandomisedTrees")),
    ):
        options = BDTOptions.parse(text)
        assert (options.exact(5000), options.exact(5001)) == (few, many)
    default, exact, snapped = (fit(sample(), f"NTrees=2:{text}")[1] for text in ("", "ExactCuts", "!ExactCuts"))
    np.testing.assert_array_equal(default.nodes.cut, exact.nodes.cut)
    assert not np.array_equal(default.nodes.cut, snapped.nodes.cut)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("exact", ["ExactCuts", "!ExactCuts"])
def test_leaves_of_grad_say_the_best_constant(loss, exact):
    train = sample()
    text = (
        f"BoostType=Grad:NTrees=4:MaxDepth=2:Shrinkage=0.5:RegressionLossFunctionBDTG={loss}:HuberQuantile=0.6:{exact}"
    )
    method, state = fit(train, text)
    weight, target = train.weight, train.targets[:, 0].astype(float)
    start = np.average(target, weights=weight) if loss == "LeastSquares" else weighted_quantile(target, weight, 0.5)
    assert state.boost_weight == pytest.approx([start, 1, 1, 1], rel=1e-6)
    residual = target - np.float32(start)
    for t in range(4):
        limit = weighted_quantile(np.abs(residual), weight, 0.6)
        at = leaves_of(state, t, train.X)
        for leaf in np.unique(at):
            r, w = residual[at == leaf], weight[at == leaf]
            median = weighted_quantile(r, w, 0.5)
            expected = {
                "Huber": median + np.mean(np.clip(r - median, -limit, limit)),
                "AbsoluteDeviation": median,
                "LeastSquares": np.average(r, weights=w),
            }[loss]
            assert state.nodes.response[leaf] == pytest.approx(0.5 * expected, rel=1e-5, abs=1e-7)
        root = int(state.first[t])
        gradient = {"Huber": np.clip(residual, -limit, limit), "AbsoluteDeviation": np.where(residual < 0, -1, 1)}.get(
            loss, residual
        )
        mean = np.average(gradient, weights=weight)
        assert state.nodes.response[root] == pytest.approx(mean, rel=1e-4, abs=1e-6)
        residual = residual - state.nodes.response[at]
    np.testing.assert_allclose(method.predict(state, train.X), target - residual, rtol=1e-6, atol=1e-6)


def test_the_quantile_is_the_value_after_the_one_that_exceeds_it():
    values, weight = np.array([3.0, 1.0, 2.0, 5.0]), np.array([1.0, 1.0, 1.0, 1.0])
    assert weighted_quantile(values, weight, 0.0) == 2.0
    assert weighted_quantile(values, weight, 0.4) == 3.0
    assert weighted_quantile(values, weight, 0.5) == 5.0
    assert weighted_quantile(values, weight, 1.0) == 5.0
    assert weighted_quantile(values, np.array([1.0, 10.0, 1.0, 1.0]), 0.5) == 2.0


@pytest.mark.parametrize(
    "text", ["", "BoostType=Grad", "BoostType=Bagging:NTrees=50", *(f"BoostType=Grad:{x}" for x in LOSSES)]
)
def test_targets_are_found(text):
    train, test = sample(1500), sample(500, seed=2)
    method, state = fit(train, f"{text}:Shrinkage=0.2" + ("" if "NTrees" in text else ":NTrees=100"))
    assert np.std(method.predict(state, test.X) - test.targets[:, 0]) < 0.65


@pytest.mark.parametrize(
    "text", ["NTrees=5:UseBaggedBoost", "NTrees=5:BoostType=Grad:UseBaggedBoost", "NTrees=5:BoostType=Bagging"]
)
def test_a_forest_is_read_back(tmp_path, text):
    train = sample()
    data = DataSet("dataset", VARIABLES, (), TARGETS, ("Regression",), train, train)
    model = train_model(data, "BDT", text)
    path = model.save(tmp_path / "x.weights.xml")
    again, expected = Model.load(path), model.predict(train.X)
    np.testing.assert_array_equal(again.predict(train.X), expected)
    naive = NaiveModel(path)
    for x, value in zip(train.X[::20], expected.ravel()[::20], strict=True):
        np.testing.assert_allclose(naive.responses(x.tolist()), value, rtol=1e-6)


def test_a_regression_has_defaults_of_its_own():
    train = sample(50)
    data = DataSet("dataset", VARIABLES, (), TARGETS, ("Regression",), train, train)
    options = book(data, "BDT", "NTrees=3").options
    found = (options.boost_type, options.max_depth, options.min_node_size, options.separation_type)
    assert found == ("AdaBoostR2", 50, "0.2%", "RegressionVariance")
    assert not options.use_yes_no_leaf
    options = book(data, "BDT", "MaxDepth=3:MinNodeSize=5%:BoostType=Grad").options
    assert (options.boost_type, options.max_depth, options.min_node_size) == ("Grad", 3, "5%")


@pytest.mark.parametrize("strength", [30, -1])
def test_pruning_takes_splits_back(strength):
    train = sample()
    method, state = fit(train, f"NTrees=5:PruneMethod=CostComplexity:PruneStrength={strength}:MinNodeSize=1%")
    after = np.diff(state.first)
    assert (after <= state.nodes_before).all()
    assert after.sum() < state.nodes_before.sum()
    assert np.std(method.predict(state, train.X) - train.targets[:, 0]) < 1.2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("BoostType=AdaBoost", "'BoostType' of BDT may be AdaBoostR2, Bagging, Grad for .*, and is AdaBoost"),
        ("UseFisherCuts", "'UseFisherCuts' of BDT tells signal from background"),
        ("DoPreselection", "'DoPreselection' of BDT tells signal from background"),
        ("UseYesNoLeaf", "'UseYesNoLeaf' of BDT is for signal and background"),
        ("PruneMethod=ExpectedError", "may be CostComplexity for .*, not ExpectedError"),
    ],
)
def test_what_is_made_for_classes_is_refused(text, message):
    with pytest.raises(OptionError, match=message):
        fit(sample(), text)


def test_other_criteria_are_told_of():
    with pytest.warns(MvakitWarning, match="'SeparationType' of BDT is GiniIndex, but trees of a regression"):
        fit(sample(), "NTrees=1:SeparationType=GiniIndex")


def test_regression_variance_is_not_for_classes():
    place = FitContext(AnalysisType.CLASSIFICATION, "BDT", VARIABLES, ("Signal", "Background"))
    with pytest.raises(OptionError, match="'SeparationType' of BDT is RegressionVariance, which is for regression"):
        BDT(BDTOptions.parse("SeparationType=RegressionVariance")).check(place)
    BDT(BDTOptions.parse("SeparationType=RegressionVariance:BoostType=Grad")).check(place)
    with pytest.raises(OptionError, match="'BoostType' of BDT may be AdaBoost, .*, and is AdaBoostR2"):
        BDT(BDTOptions.parse("AdaBoostR2")).check(place)


def test_what_cannot_be_trained_is_refused():
    with pytest.raises(MethodError, match="one target at a time, and there are 2: t, u"):
        fit(sample(), "", context((define("t"), define("u"))))
    same = Sample(np.zeros((400, 2), np.float32), np.zeros(400, int), np.ones(400), sample().targets)
    with pytest.raises(MethodError, match="no cut tells targets apart"):
        fit(same, "NTrees=2")
    with pytest.raises(MethodError, match="weights of the training events add up to -"):
        fit(sample().with_weight(-np.ones(400)), "NTrees=2")


def test_bagged_gradients_of_events_outside_the_sample_are_old_ones():
    train = sample()
    _, state = fit(train, "BoostType=Grad:NTrees=2:MaxDepth=2:UseBaggedBoost:BaggedSampleFraction=0.5:LeastSquares")
    first, second = (draw_counts(bagging_seed(t, 1), 400, 0.5) for t in (0, 1))
    target = train.targets[:, 0].astype(float)
    residual = target - state.boost_weight[0] - state.nodes.response[leaves_of(state, 0, train.X)]
    seen = np.where(first > 0, residual, target)
    mean = np.average(seen, weights=train.weight * second)
    assert state.nodes.response[state.first[1]] == pytest.approx(mean, rel=1e-5)


@pytest.mark.parametrize(
    "text", ["", "UseBaggedBoost", *(f"BoostType=Grad:{loss}" for loss in LOSSES), "BoostType=Grad:UseBaggedBoost"]
)
@pytest.mark.parametrize("cuts", ["nCuts=-1", "ExactCuts", "!ExactCuts"])
def test_threads_and_where_events_lie_do_not_change_a_forest(tmp_path, monkeypatch, text, cuts):
    train = sample(SIZE)
    X = np.memmap(tmp_path / "X", np.float32, "w+", shape=train.X.shape)
    X[:] = train.X
    mapped = train.with_inputs(np.memmap(tmp_path / "X", np.float32, "r", shape=train.X.shape))
    monkeypatch.setattr(team, "_WORTH_SHARING", 0)
    forests = []
    for workers, events in ((1, train), (2, train), (2, mapped)):
        monkeypatch.setattr(team, "default_workers", lambda workers=workers: workers)
        forests.append(fit(events, f"NTrees=3:MaxDepth=3:{text}:{cuts}")[1])
    for other in forests[1:]:
        np.testing.assert_array_equal(other.boost_weight, forests[0].boost_weight)
        for name in ("variable", "cut", "purity", "response", "rms"):
            np.testing.assert_array_equal(getattr(other.nodes, name), getattr(forests[0].nodes, name))

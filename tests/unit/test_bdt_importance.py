"""Importance of variables: of a BDT by TMVA's rule and by gain, and of any model by permutation."""

from __future__ import annotations

import numpy as np
import pytest
from mvakit_methods.bdt import BDTOptions
from mvakit_methods.bdt.events import prepare
from sklearn.metrics import roc_auc_score

from mvakit.dataset import DataSet, Sample
from mvakit.errors import DataError, OptionError
from mvakit.importance import permutation_importance
from mvakit.model import Model, train
from mvakit.scores import score
from mvakit.types import AnalysisType
from tests.unit.test_bdt_stopping import (
    CLASSIFICATION,
    MULTICLASS,
    REGRESSION,
    VARIABLES,
    context,
    dataset,
    fit,
    sample,
)

# --------------------------------------------------------------------------------------------------- gain


def gains_by_hand(state, train: Sample, impurity) -> list[np.ndarray]:
    """What the cuts of each tree gain, from the events that reach their nodes."""
    found = []
    for begin, end in zip(state.first[:-1], state.first[1:], strict=True):
        gain, waiting = np.zeros(3), [(0, np.ones(len(train), bool))]
        assert end > begin
        while waiting:
            node, here = waiting.pop()
            f = state.nodes.variable[begin + node]
            if f < 0:
                continue
            right = here & (train.X[:, f] >= state.nodes.cut[begin + node])
            left = here & ~right
            gain[f] += impurity(here) - impurity(left) - impurity(right)
            waiting += [(state.nodes.left[begin + node], left), (state.nodes.right[begin + node], right)]
        found.append(gain)
    return found


def test_gain_is_weight_times_separation():
    some = sample(CLASSIFICATION)
    _, state = fit(CLASSIFICATION, "NTrees=1:MaxDepth=4:BoostType=Bagging:BaggedSampleFraction=10", some)
    options = BDTOptions.parse("")
    events = prepare(some, options, context(CLASSIFICATION))
    from mvakit_methods.bdt.randomness import bagging_seed, draw_counts

    weight = events.weight * events.factor[events.group] * draw_counts(bagging_seed(0, 1), 600, 10.0)

    def impurity(members: np.ndarray) -> float:
        s, b = weight[members & some.is_signal].sum(), weight[members & ~some.is_signal].sum()
        return 2 * s * b / (s + b)

    (gain,) = gains_by_hand(state, some, impurity)
    # Cuts between leaves of the same kind were taken back, and do not count.
    assert (state.nodes_before == np.diff(state.first)).all()
    np.testing.assert_allclose(state.gain, gain / gain.sum(), rtol=1e-5)
    assert not np.allclose(state.gain, state.importance, rtol=1e-3)


def test_gain_of_targets_is_the_fall_of_the_sum_of_squares():
    some = sample(REGRESSION)
    method, state = fit(REGRESSION, "NTrees=1:MaxDepth=4:BoostType=Grad:RegressionLossFunctionBDTG=LeastSquares", some)
    target = some.targets[:, 0].astype(float)

    def impurity(members: np.ndarray) -> float:
        mean = np.average(target[members], weights=some.weight[members])
        return float(np.sum(some.weight[members] * (target[members] - mean) ** 2))

    (gain,) = gains_by_hand(state, some, impurity)
    np.testing.assert_allclose(state.gain, gain / gain.sum(), rtol=1e-4)
    assert method.ranking(state, VARIABLES).criterion == "Variable Importance"


def test_trees_count_with_their_weights():
    some = sample(CLASSIFICATION)
    method, two = fit(CLASSIFICATION, "NTrees=2:MaxDepth=2:MinNodeSize=10%:AdaBoostBeta=1", some)
    events = prepare(some, BDTOptions.parse(""), context(CLASSIFICATION))
    weight, total = events.weight * events.factor[events.group], np.zeros(3)

    def impurity(members: np.ndarray) -> float:
        s, b = weight[members & some.is_signal].sum(), weight[members & ~some.is_signal].sum()
        return 2 * s * b / (s + b)

    for tree in range(2):
        total += two.boost_weight[tree] * gains_by_hand(two, some, impurity)[tree]
        if tree == 0:
            wrong = (next(method.predict_stages(two, some.X, [1])) > 0) != some.is_signal
            weight = np.where(wrong, weight * np.exp(two.boost_weight[0]), weight)
            weight *= len(some) / weight.sum()
    np.testing.assert_allclose(two.gain, total / total.sum(), rtol=1e-5)
    assert (two.gain > 0).sum() > 1


def test_discriminants_share_what_they_gain():
    _, state = fit(CLASSIFICATION, "NTrees=1:MaxDepth=1:UseFisherCuts:UseExclusiveVars:MinLinCorrForFisher=0")
    if len(state.nodes.discriminants):
        squares = state.nodes.discriminants[0, :-1] ** 2
        np.testing.assert_allclose(state.gain, squares / squares.sum(), rtol=1e-6)
    else:
        assert state.gain.max() == pytest.approx(1)


def test_the_ranking_is_by_what_the_option_says(tmp_path):
    data = dataset(CLASSIFICATION)
    model = train(data, "BDT", "NTrees=10:ImportanceType=Gain")
    ranking = model.ranking()
    assert ranking.criterion == "Gain"
    assert [value for _, value in ranking.values] == model.state.gain.tolist()
    assert Model.load(model.save(tmp_path / "x.weights.xml")).ranking() == ranking
    assert train(data, "BDT", "NTrees=10").ranking().criterion == "Variable Importance"
    with pytest.raises(OptionError, match="ImportanceType"):
        train(data, "BDT", "ImportanceType=Permutation")


# -------------------------------------------------------------------------------------------- permutation


@pytest.mark.parametrize(("method", "text"), [("BDT", "NTrees=20"), ("Fisher", ""), ("LD", "VarTransform=D")])
def test_permutations(method, text):
    data = dataset(CLASSIFICATION)
    model = train(data, method, text)
    found = permutation_importance(model, data.test, repeats=3, seed=5)
    rng, test = np.random.default_rng(5), data.test
    before = roc_auc_score(test.is_signal, model.predict(test.X), sample_weight=test.weight)
    assert found.score == pytest.approx(before, rel=1e-12)
    for j in range(3):
        for k in range(3):
            X = test.X.copy()
            X[:, j] = rng.permutation(X[:, j])
            after = roc_auc_score(test.is_signal, model.predict(X), sample_weight=test.weight)
            assert found.losses[j, k] == pytest.approx(before - after, abs=1e-12)
    np.testing.assert_allclose(found.importance, found.losses.mean(axis=1))
    np.testing.assert_allclose(found.error, found.losses.std(axis=1, ddof=1) / np.sqrt(3))
    assert found.ranking().criterion == "Loss of ROC integral"
    assert dict(found.ranking().values) == dict(zip("xyz", found.importance, strict=True))
    assert found.ranking().ordered()[0][0] == "x"
    assert repr(found).startswith(f"PermutationImportance(ROC integral {before:.4f}; x 0.")
    same = permutation_importance(model, data.test, repeats=3, seed=5)
    np.testing.assert_array_equal(same.losses, found.losses)


def test_the_sample_stays_as_it_is():
    data = dataset(REGRESSION)
    model, before = train(data, "BDT", "NTrees=10:BoostType=Grad"), data.test.X.copy()
    found = permutation_importance(model, data.test)
    np.testing.assert_array_equal(data.test.X, before)
    assert found.losses.shape == (3, 5)
    assert found.importance[0] > 10 * abs(found.importance[2]) > 0
    assert found.importance[0] > found.importance[1] > 0


def test_several_classes():
    data = dataset(MULTICLASS)
    found = permutation_importance(train(data, "BDT", "NTrees=10:BoostType=Grad"), data.test, repeats=1)
    assert found.score_title == "Mean ROC integral of one against the rest"
    assert np.isnan(found.error).all()
    assert found.importance[1] > found.importance[2]


def test_an_importance_needs_a_permutation():
    data = dataset(CLASSIFICATION)
    with pytest.raises(DataError, match="one permutation or more of each variable, not 0"):
        permutation_importance(train(data, "Fisher"), data.test, repeats=0)


def test_the_rms_of_several_targets_is_in_units_of_their_spread():
    rng = np.random.default_rng(1)
    targets = (rng.normal(size=(50, 2)) * [1.0, 1000.0]).astype(np.float32)
    weight = rng.uniform(0.5, 2, 50)
    some = Sample(np.zeros((50, 1), np.float32), np.zeros(50, int), weight, targets)
    estimates = targets + np.array([0.1, 300.0])
    spread = [np.average((t - np.average(t, weights=weight)) ** 2, weights=weight) for t in targets.T.astype(float)]
    expected = np.sqrt(np.mean(np.array([0.01, 90_000]) / spread))
    assert score(AnalysisType.REGRESSION, estimates, some) == pytest.approx(expected, rel=1e-5)
    one = Sample(some.X, some.class_index, weight, targets[:, :1])
    assert score(AnalysisType.REGRESSION, estimates[:, 0], one) == pytest.approx(0.1, rel=1e-5)


def test_spectators_are_handed_on():
    data = dataset(CLASSIFICATION)
    rng = np.random.default_rng(3)
    test = Sample(data.test.X, data.test.class_index, data.test.weight, spectators={"eta": rng.normal(size=600)})
    data = DataSet("d", VARIABLES, (), (), data.classes, data.train, test)
    assert permutation_importance(train(data, "Fisher"), test, repeats=1).score > 0.5

"""What BDT does beside growing trees: pruning, cuts on Fisher discriminants, preselection."""

from __future__ import annotations

import math

import numpy as np
import pytest
from mvakit_methods.bdt import BDT, BDTOptions
from mvakit_methods.bdt.criteria import GINI
from mvakit_methods.bdt.fisher_cuts import fisher_coefficients, fisher_values
from mvakit_methods.bdt.grower import Tree
from mvakit_methods.bdt.preselection import find_preselection
from mvakit_methods.bdt.pruning import (
    cost_complexity_sequence,
    prune_by_cost_complexity,
    prune_by_expected_error,
    prune_by_validation,
)
from mvakit_methods.bdt.shaping import Shape

from mvakit.dataset import Sample
from mvakit.errors import MvakitWarning, OptionError
from mvakit.method import FitContext
from mvakit.types import AnalysisType
from mvakit.variables import define


def context(n: int) -> FitContext:
    variables = tuple(define(label) for label in "abcdef"[:n])
    return FitContext(AnalysisType.CLASSIFICATION, "BDT", variables, ("Signal", "Background"))


def fit(train: Sample, text: str):
    method = BDT(BDTOptions.parse(text))
    method.check(context(train.X.shape[1]))
    return method, method.fit(train, context(train.X.shape[1]))


def sample(n: int = 400, seed: int = 1) -> Sample:
    """Two variables that are strongly correlated, of which the difference separates, and one that does little."""
    rng = np.random.default_rng(seed)
    index = rng.permutation(np.arange(n) % 2)
    common, side = rng.normal(size=n), np.where(index == 0, 0.4, -0.4)
    X = np.column_stack([common, common + 0.3 * rng.normal(size=n) + side, rng.normal(size=n) + 0.2 * side])
    return Sample(X.astype(np.float32), index, rng.uniform(0.5, 2, n))


# ------------------------------------------------------------------------------------------------- pruning


def shape(*sums: tuple[float, float], children: dict[int, tuple[int, int]], limit: float = 0.5) -> Shape:
    """A tree whose leaves hold the given weights of signal and background; inner nodes are given as (0, 0)."""
    tree = Tree()
    for _ in sums:
        tree.add(0)
    for node, (left, right) in children.items():
        tree.variable[node] = tree.selected[node] = 0
        tree.left[node], tree.right[node] = left, right
    full = np.zeros((len(sums), 5))
    full[:, :2] = sums
    return Shape(tree, full, GINI, limit)


CHILDREN = {0: (1, 2), 1: (3, 4), 2: (5, 6), 5: (7, 8)}
LEAVES = [(0, 0), (0, 0), (0, 0), (30, 10), (28, 12), (0, 0), (4, 36), (9, 11), (6, 14)]


def left(shape: Shape) -> set[int]:
    return {node for node in shape.members() if shape.tree.variable[node] >= 0}


def test_the_weakest_links_go_first():
    tree = shape(*LEAVES, children=CHILDREN)

    def cost(s, b):
        return (s + b) * 2 * s * b / (s + b) ** 2

    # alpha of each node: what it costs, per leaf, to make it one.
    alpha_1 = cost(58, 22) - cost(30, 10) - cost(28, 12)
    alpha_5 = cost(15, 25) - cost(9, 11) - cost(6, 14)
    assert alpha_1 < alpha_5
    assert cost_complexity_sequence(tree) == [1, 5, 2]
    for strength, expected in ((0, {0, 1, 2, 5}), (33, {0, 1, 2, 5}), (34, {0, 2, 5}), (67, {0, 2}), (100, {0})):
        tree = shape(*LEAVES, children=CHILDREN)
        prune_by_cost_complexity(tree, strength)
        assert left(tree) == expected
        assert tree.n_nodes == 1 + 2 * len(expected)


def test_a_tree_whose_root_is_the_weakest_link_is_not_pruned():
    assert cost_complexity_sequence(shape((0, 0), (5, 5), (5, 6), children={0: (1, 2)})) == []
    assert cost_complexity_sequence(shape((5, 5), children={})) == []


def test_nodes_that_err_no_more_than_their_leaves_are_pruned():
    def error(s, b, strength):
        f = max(s, b) / (s + b)
        return min(1.0, 1 - (f - strength * math.sqrt(f * (1 - f) / (s + b))))

    for strength in (0.1, 0.5, 1.0, 3.0):
        tree = shape(*LEAVES, children=CHILDREN)
        expected = {0, 1, 2, 5}
        totals = tree.sums[:, :2]
        below = {node: error(*totals[node], strength) for node in range(9)}
        for node in (5, 2, 1, 0):
            a, b = CHILDREN[node]
            alone = error(*totals[node], strength)
            n = totals.sum(axis=1)
            below[node] = (n[a] * below[a] + n[b] * below[b]) / n[node]
            if below[node] >= alone:
                expected -= {node}
        if 2 not in expected:
            expected -= {5}
        prune_by_expected_error(tree, strength)
        assert left(tree) == expected
    assert left(tree) != {0, 1, 2, 5}


def test_a_validation_sample_decides():
    signal, background = np.zeros(9), np.zeros(9)
    # Leaf 4 is signal by its training, and background by the validation.
    signal[[3, 4, 6, 7, 8]], background[[3, 4, 6, 7, 8]] = [8, 2, 1, 2, 2], [2, 3, 8, 4, 4]
    tree = shape(*LEAVES, children=CHILDREN)
    prune_by_validation(tree, signal, background)
    assert left(tree) == {0, 1, 2, 5}
    # Leaf 7 is background (9 of 20) and says so of 6 signal events; cutting 5 off changes nothing, 2 neither.
    tree = shape(*LEAVES, children=CHILDREN, limit=0.4)
    signal[[7, 8]], background[[7, 8]] = [1, 6], [9, 1]
    prune_by_validation(tree, signal, background)
    # Pruning 1 does not help, 1 and 5 does not, all three do: TMVA prunes all but the last of them.
    wrong = [2 + 3 + 1 + 9 + 6, 2 + 3 + 1 + 9 + 6, 2 + 3 + 1 + 7, 2 + 3 + 8]
    assert min(wrong[1:]) < wrong[0]
    assert left(tree) in ({0, 2}, {0, 2, 5})


@pytest.mark.parametrize(
    "text", ["PruneMethod=ExpectedError:PruneStrength=3", "PruneMethod=CostComplexity:PruneStrength=60"]
)
def test_pruned_forests_are_smaller(text):
    train = sample()
    method, plain = fit(train, "NTrees=8:MaxDepth=4:MinNodeSize=3%")
    _, pruned = fit(train, f"NTrees=8:MaxDepth=4:MinNodeSize=3%:{text}")
    # The boost weights are those of the trees as they grew; the first tree, pruned, is the beginning of the first.
    assert pruned.boost_weight[0] == plain.boost_weight[0]
    assert pruned.nodes_before[0] == plain.nodes_before[0]
    assert len(pruned.nodes) < len(plain.nodes)
    curves = {curve.name: curve.y for curve in method.monitoring(pruned)}
    assert (curves["NodesAfterPruning"] <= curves["NodesBeforePruning"]).all()
    assert (curves["NodesAfterPruning"] < curves["NodesBeforePruning"]).any()


def test_a_part_of_the_events_decides_on_pruning():
    train = sample(600)
    text = "NTrees=6:MaxDepth=5:MinNodeSize=1%:PruneMethod=CostComplexity:PruneStrength=-1:PruningValFraction=0.33:ExactCuts"
    _, state = fit(train, text)
    # Every third event is held out: the trees are those of the others.
    rest = train.select(np.arange(600) % 3 != 0)
    _, alone = fit(rest, "NTrees=6:MaxDepth=5:MinNodeSize=1%:ExactCuts")
    assert state.nodes_before[0] == alone.nodes_before[0]
    assert state.nodes.cut[0] == alone.nodes.cut[0]
    np.testing.assert_allclose(state.boost_weight, alone.boost_weight, rtol=1e-12)
    assert len(state.nodes) < len(alone.nodes)
    # With bagging the sample is drawn from the others, too.
    drawn = fit(train, f"{text}:UseBaggedBoost")[1]
    np.testing.assert_array_equal(
        drawn.boost_weight, fit(rest, "NTrees=6:MaxDepth=5:MinNodeSize=1%:UseBaggedBoost:ExactCuts")[1].boost_weight
    )


@pytest.mark.parametrize(("fraction", "period"), [(0.5, 2), (0.33, 3), (0.4, 2), (0.39, 3), (0.1, 10)])
def test_how_many_events_decide(fraction, period):
    assert BDTOptions.parse(f"PruningValFraction={fraction}").validation_period() == period


def test_only_a_negative_strength_lets_events_decide():
    for strength, validates in ((-0.1, True), (0, False), (0.5, False)):
        options = BDTOptions.parse(f"PruneMethod=CostComplexity:PruneStrength={strength}")
        assert options.validates is validates
    assert not BDTOptions.parse("PruneStrength=-1").validates


def test_pruning_that_cannot_be_is_told():
    with pytest.raises(OptionError, match="negative for PruneMethod=CostComplexity only"):
        BDT(BDTOptions.parse("PruneMethod=ExpectedError:PruneStrength=-1")).check(context(3))
    for text, what in (("BoostType=Grad", "BoostType=Grad"), ("UseRandomisedTrees", "randomised trees")):
        method = BDT(BDTOptions.parse(f"NTrees=3:PruneMethod=CostComplexity:PruneStrength=90:{text}"))
        with pytest.warns(MvakitWarning, match=f"{what} are not pruned"):
            method.check(context(3))
        train = sample()
        np.testing.assert_array_equal(
            method.fit(train, context(3)).nodes.cut, fit(train, f"NTrees=3:{text}")[1].nodes.cut
        )


# ---------------------------------------------------------------------------------------------- fisher cuts


def test_the_discriminant_of_a_node():
    train = sample()
    signal, w = train.is_signal, train.weight
    x = train.X.astype(np.float64)
    found = fisher_coefficients(x.T, w, ~signal, np.ones(3, bool), 0.8)
    means = [np.average(x[m], axis=0, weights=w[m]) for m in (signal, ~signal)]
    within = sum(np.cov(x[m].T, aweights=w[m], ddof=0) for m in (signal, ~signal))
    s, b = w[signal].sum(), w[~signal].sum()
    slope = np.linalg.solve(within[:2, :2], (means[0] - means[1])[:2]) * math.sqrt(s * b) / (s + b)
    np.testing.assert_allclose(found[:2], slope, rtol=1e-9)
    assert found[2] == 0
    middle = (means[0] + means[1]) / 2
    assert fisher_values(found, middle[:, None])[0] == pytest.approx(0, abs=1e-12)
    assert fisher_values(found, means[0][:, None])[0] > 0


def test_nodes_without_a_discriminant():
    train = sample()
    x, w, background = train.X.T.astype(np.float64), train.weight, ~train.is_signal
    every = np.ones(3, bool)
    assert fisher_coefficients(x, w, background, every, 1.0) is None
    independent = np.random.default_rng(3).normal(size=(2, 400))
    assert fisher_coefficients(independent, w, background, every[:2], 0.2) is None
    assert fisher_coefficients(independent, w, background, every[:2], 0.0) is not None
    assert fisher_coefficients(x, w, np.zeros(400, bool), every, 0.5) is None
    assert fisher_coefficients(x, w, background, np.array([False, False, True]), 0.5) is None
    # One of two correlated variables may be used alone, as the random choice of variables has it.
    alone = fisher_coefficients(x, w, background, np.array([False, True, True]), 0.5)
    assert (alone[:3] != 0).tolist() == [False, True, False]


def test_a_matrix_without_inverse_makes_no_discriminant(monkeypatch):
    def inverse(matrix):
        raise np.linalg.LinAlgError

    monkeypatch.setattr(np.linalg, "inv", inverse)
    train = sample()
    assert fisher_coefficients(train.X.T.astype(float), train.weight, ~train.is_signal, np.ones(3, bool), 0.5) is None


@pytest.mark.parametrize("boost", ["AdaBoost", "Grad", "Bagging"])
def test_fisher_cuts_are_chosen_where_they_separate_best(boost):
    train, test = sample(), sample(seed=2)
    method, state = fit(train, f"NTrees=10:UseFisherCuts:BoostType={boost}")
    assert len(state.nodes.discriminants) >= 5
    assert state.nodes.variable[0] == 3
    assert (state.nodes.discriminants[:, 2] == 0).any()
    plain, without = fit(train, f"NTrees=10:BoostType={boost}")

    def separation(method, state):
        response = method.predict(state, test.X)
        ranks = np.argsort(np.argsort(response + 1e-9 * test.X[:, 0]))
        return ranks[test.is_signal].mean() - ranks[~test.is_signal].mean()

    assert separation(method, state) > separation(plain, without)
    assert method.structure(state) is None
    importance = dict(method.ranking(state, context(3).variables).values)
    assert importance["c"] < min(importance["a"], importance["b"])
    np.testing.assert_array_equal(
        np.concatenate([method.predict(state, test.X[:9]), method.predict(state, test.X[9:])]),
        method.predict(state, test.X),
    )
    assert method.predict(state, test.X[:0]).shape == (0,)


def test_trees_of_any_depth_may_have_fisher_cuts():
    train = sample(600)
    method, state = fit(train, "NTrees=2:UseFisherCuts:MaxDepth=9:MinNodeSize=0.5%:!UseYesNoLeaf")
    assert state.nodes.depth.max() > 6
    nodes, X = state.nodes, train.X[:60]
    expected = np.zeros(60)
    for t, weight in enumerate(state.boost_weight):
        for e, x in enumerate(X):
            node = first = state.first[t]
            while nodes.variable[node] >= 0:
                f = nodes.variable[node]
                if f >= 3:
                    row = nodes.discriminants[f - 3]
                    right = row[:3] @ x.astype(float) + row[3] > nodes.cut[node]
                else:
                    right = x[f] >= nodes.cut[node]
                node = first + (nodes.right if right else nodes.left)[node]
            expected[e] += weight * nodes.purity[node]
    np.testing.assert_allclose(method.predict(state, X), expected / state.boost_weight.sum(), atol=1e-12)


def test_variables_of_the_discriminant_may_be_kept_from_being_cut_alone():
    train = sample()
    _, state = fit(train, "NTrees=10:UseFisherCuts:UseExclusiveVars:MaxDepth=1")
    assert set(state.nodes.variable[state.nodes.variable >= 0]) <= {2, *range(3, 13)}
    text = "NTrees=10:UseFisherCuts:MaxDepth=4:MinNodeSize=1%"
    assert {0, 1} & set(fit(train, text)[1].nodes.variable)
    assert not {0, 1} & set(fit(train, f"{text}:UseExclusiveVars:MinLinCorrForFisher=0.1")[1].nodes.variable)


def test_fisher_cuts_set_the_number_of_cuts():
    method = BDT(BDTOptions.parse("NTrees=3:UseFisherCuts:nCuts=-1"))
    with pytest.warns(MvakitWarning, match="'UseFisherCuts' of BDT sets nCuts=20; it was -1"):
        method.check(context(3))
    np.testing.assert_array_equal(
        method.fit(sample(), context(3)).nodes.cut, fit(sample(), "NTrees=3:UseFisherCuts")[1].nodes.cut
    )


# -------------------------------------------------------------------------------------------- preselection


def pure_ends() -> Sample:
    rng = np.random.default_rng(5)
    index = np.arange(400) % 2
    X = rng.uniform(0, 1, (400, 3)).astype(np.float32)
    signal = index == 0
    X[signal, 0] = 0.2 + 0.8 * X[signal, 0]  # below 0.2: background
    X[signal, 1] = 0.9 * X[signal, 1]  # above 0.9: background
    X[~signal, 2] = 0.15 + 0.7 * X[~signal, 2]  # below 0.15 and above 0.85: signal
    return Sample(X, index, rng.uniform(0.5, 2, 400))


def test_pure_ends_of_variables_are_found():
    train = pure_ends()
    found = find_preselection(train.X, train.is_signal, train.weight)
    X, signal = train.X, train.is_signal
    for f, (name, values) in enumerate(
        [
            ("low_background", X[~signal, 0][X[~signal, 0] < X[signal, 0].min()].max()),
            ("high_background", X[~signal, 1][X[~signal, 1] > X[signal, 1].max()].min()),
            ("low_signal", X[signal, 2][X[signal, 2] < X[~signal, 2].min()].max()),
        ]
    ):
        span = float(X[:, f].max() - X[:, f].min())
        margin = 0.01 * span if name.startswith("high") else -0.01 * span
        # Above an end all events of the other class have come: the last of them is the border.
        border = X[signal, 1].max() if name == "high_background" else values
        assert getattr(found, name)[f] == pytest.approx(border + margin, rel=1e-6)
    assert np.isnan(found.low_background[1:]).all()
    assert np.isfinite(found.high_signal).tolist() == [False, False, True]


def test_ends_with_few_events_do_not_count():
    rng = np.random.default_rng(6)
    X = rng.uniform(0, 1, (400, 1)).astype(np.float32)
    signal = np.arange(400) % 2 == 0
    X[signal, 0] = 0.03 + 0.97 * X[signal, 0]
    found = find_preselection(X, signal, np.ones(400))
    assert np.isnan(found.low_background).all()


def test_preselected_events_are_answered_without_trees():
    train = pure_ends()
    method, state = fit(train, "NTrees=5:DoPreselection")
    verdict = state.preselection.verdict(train.X)
    assert set(verdict) == {-1, 0, 1}
    np.testing.assert_array_equal(verdict[verdict != 0] > 0, train.is_signal[verdict != 0])
    response = method.predict(state, train.X)
    np.testing.assert_array_equal(response[verdict != 0], verdict[verdict != 0])
    # The trees are those of the other events.
    _, rest = fit(train.select(verdict == 0), "NTrees=5")
    np.testing.assert_array_equal(state.nodes.cut, rest.nodes.cut)
    np.testing.assert_array_equal(response[verdict == 0], method.predict(rest, train.X[verdict == 0]))
    assert method.structure(state) is None
    assert np.isfinite(method.predict(state, train.X[:1])).all()


def test_the_last_region_decides():
    train = pure_ends()
    found = find_preselection(train.X, train.is_signal, train.weight)
    # Background by the first variable, signal by the third.
    assert found.verdict(np.array([[0.0, 0.5, 0.5], [0.0, 0.5, 0.0], [0.5, 0.5, 0.5], [0.0, 1.0, 1.0]], np.float32)).tolist() == [
        -1, 1, 0, 1,
    ]  # fmt: skip

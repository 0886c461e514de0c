"""Training and applying BDT: boosting, weights, sampling, the order of sums."""

from __future__ import annotations

import itertools
import logging
import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
import pytest
from mvakit_methods.bdt import BDT, BDTOptions, application, binning, boosting, splits, team
from mvakit_methods.bdt import compiled as compiled_module
from mvakit_methods.bdt.criteria import CRITERIA, GINI, separation_gain, separation_index
from mvakit_methods.bdt.events import prepare
from mvakit_methods.bdt.randomness import draw_counts, subset_drawer
from mvakit_methods.bdt.trees import CompleteTrees
from numba import config

from mvakit.columnstore import Space
from mvakit.dataset import Sample
from mvakit.errors import MethodError, MvakitWarning, OptionError
from mvakit.method import FitContext
from mvakit.modelfile import same_parts
from mvakit.progress import Messenger
from mvakit.types import AnalysisType
from mvakit.variables import Variable, define

compiled = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="takes minutes without the compiler")


def context(n: int = 3, *, integer: bool = False) -> FitContext:
    variables = [define(label) for label in "abcdefghij"[:n]]
    if integer:
        variables[0] = Variable("a", "a", type="I")
    return FitContext(
        AnalysisType.CLASSIFICATION, "BDT", tuple(variables), ("Signal", "Background"), log=Messenger("BDTTest")
    )


def sample(n: int = 240, *, seed: int = 3, weights: bool = True, n_variables: int = 3) -> Sample:
    rng = np.random.default_rng(seed)
    index = rng.permutation(np.arange(n) % 2)
    X = rng.normal(size=(n, n_variables)) + 0.8 * np.outer(1 - index, 1 / np.arange(1, n_variables + 1))
    weight = rng.uniform(0.5, 2.0, n) if weights else np.ones(n)
    return Sample(X.astype(np.float32), index, weight)


def fit(train: Sample, text: str = "", **keywords):
    method = BDT(BDTOptions.parse(text, **keywords))
    method.check(context(train.X.shape[1]))
    return method, method.fit(train, context(train.X.shape[1]))


def trees(state) -> list[list[dict]]:
    names = ("variable", "cut", "left", "right", "depth", "purity", "response", "rms", "kind")
    found = []
    for begin, end in zip(state.first[:-1], state.first[1:], strict=True):
        found.append([{name: getattr(state.nodes, name)[i].item() for name in names} for i in range(begin, end)])
    return found


def leaf(tree: list[dict], x: np.ndarray) -> dict:
    node = tree[0]
    while node["variable"] >= 0:
        node = tree[node["right"] if x[node["variable"]] >= np.float32(node["cut"]) else node["left"]]
    return node


def response_by_hand(state, X: np.ndarray) -> np.ndarray:
    found, forest = [], trees(state)
    for x in X:
        total = norm = 0.0
        for weight, tree in zip(state.boost_weight, forest, strict=True):
            end = leaf(tree, x)
            if state.gradient:
                total += end["response"]
            else:
                total += weight * (end["kind"] if state.yes_no else end["purity"])
                norm += weight
        found.append(math.tanh(total) if state.gradient else total / norm)
    return np.array(found)


def balanced(train: Sample) -> np.ndarray:
    """Weights whose sums are the same for both classes, and together the number of events."""
    weight = train.weight.copy()
    for members in (train.is_signal, ~train.is_signal):
        weight[members] *= len(train) / 2 / weight[members].sum()
    return weight


def gini(s: float, b: float) -> float:
    return 2 * s * b / (s + b) ** 2 if s > 0 and b > 0 else 0.0


def best_cut(X, signal, weight, n_cuts: int, min_size: float, index=gini) -> tuple[float, int, float]:
    """The best of all cuts at equal steps, event by event."""
    best = (0.0, -1, 0.0)
    s, b = weight[signal].sum(), weight[~signal].sum()
    for f in range(X.shape[1]):
        x = X[:, f].astype(float)
        for k in range(n_cuts):
            cut = x.min() + (k + 1) * (x.max() - x.min()) / (n_cuts + 1)
            left = x < cut
            sl, bl = weight[left & signal].sum(), weight[left & ~signal].sum()
            sizes = (left.sum(), (~left).sum(), sl + bl, s + b - sl - bl)
            if min(sizes) < min_size:
                continue
            gain = index(s, b) - (sl + bl) / (s + b) * index(sl, bl)
            gain -= (s + b - sl - bl) / (s + b) * index(s - sl, b - bl)
            if gain > best[0] + 1e-12:
                best = (gain, f, cut)
    return best


# ------------------------------------------------------------------------------------------- one tree, by hand


def test_the_first_tree_of_adaboost_and_the_weights_it_leaves():
    train = sample()
    _, state = fit(train, "NTrees=2:MaxDepth=1:nCuts=7:ExactCuts:MinNodeSize=10%:AdaBoostBeta=0.7")
    weight, signal = balanced(train), train.is_signal
    for i in (0, 1):
        tree = trees(state)[i]
        _, variable, cut = best_cut(train.X, signal, weight, 7, 24)
        assert (tree[0]["variable"], tree[0]["cut"]) == (variable, pytest.approx(cut, rel=1e-6))
        assert [node["depth"] for node in tree] == [0, 1, 1]
        right = train.X[:, variable] >= np.float32(cut)
        for node, members in ((tree[0], np.ones(len(train), bool)), (tree[1], ~right), (tree[2], right)):
            purity = weight[members & signal].sum() / weight[members].sum()
            assert node["purity"] == pytest.approx(purity, rel=1e-6)
        assert [node["kind"] for node in tree] == [0, *(1 if node["purity"] > 0.5 else -1 for node in tree[1:])]
        wrong = (np.array([leaf(tree, x)["kind"] for x in train.X]) > 0) != signal
        error = weight[wrong].sum() / weight.sum()
        assert state.error[i] == pytest.approx(error)
        assert state.boost_weight[i] == pytest.approx(0.7 * math.log((1 - error) / error))
        weight[wrong] *= ((1 - error) / error) ** 0.7
        weight *= len(train) / weight.sum()


@pytest.mark.parametrize("boost", ["RealAdaBoost", "AdaCost"])
def test_trees_whose_leaves_say_a_purity(boost):
    train = sample()
    costs = (
        {"ss": 0.9, "sb": 1.0, "bs": 0.6, "bb": 0.8}
        if boost == "AdaCost"
        else dict.fromkeys(("ss", "sb", "bs", "bb"), 1.0)
    )
    text = (
        f"Css={costs['ss']}:Cts_sb={costs['sb']}:Ctb_ss={costs['bs']}:Cbb={costs['bb']}" if boost == "AdaCost" else ""
    )
    method, state = fit(train, f"NTrees=2:MaxDepth=2:BoostType={boost}:{text}")
    assert not state.yes_no
    weight, signal = balanced(train), train.is_signal
    truth = np.where(signal, 1, -1)
    for i in (0, 1):
        says = 2 * np.array([leaf(trees(state)[i], x)["purity"] for x in train.X]) - 1
        keys = np.where(signal, np.where(says > 0, "ss", "sb"), np.where(says > 0, "bs", "bb"))
        product = truth * says * np.array([costs[key] for key in keys])
        mean = np.sum(weight * product) / weight.sum()
        assert state.boost_weight[i] == pytest.approx(0.5 * math.log((1 + mean) / (1 - mean)), rel=1e-6)
        weight *= np.exp(-state.boost_weight[i] * product)
        weight *= len(train) / weight.sum()
    # The second tree saw these weights: the purity of its root is that of the reweighted sample.
    _, longer = fit(train, f"NTrees=3:MaxDepth=2:BoostType={boost}:{text}")
    assert trees(longer)[2][0]["purity"] == pytest.approx(weight[signal].sum() / weight.sum(), rel=1e-6)
    response = method.predict(state, train.X)
    assert 0 <= response.min() < response.max() <= 1


def test_the_trees_of_gradient_boosting_add_friedman_s_steps():
    train = sample()
    _, state = fit(train, "BoostType=Grad:NTrees=3:MaxDepth=2:Shrinkage=0.3:MinNodeSize=8%")
    weight, signal, score = balanced(train), train.is_signal, np.zeros(len(train))
    assert state.gradient
    assert np.isnan(state.error).all()
    for tree in trees(state):
        r = signal - 1 / (1 + np.exp(-2 * score))
        ends = [id(leaf(tree, x)) for x in train.X]
        assert all(node["kind"] == (0 if node["variable"] >= 0 else -99) for node in tree)
        for node in (node for node in tree if node["variable"] < 0):
            here = np.array([end == id(node) for end in ends])
            w, t = weight[here], r[here]
            step = 0.3 / 2 * np.sum(w * t) / np.sum(w**2 * np.abs(t) * (1 - np.abs(t)))
            assert node["response"] == pytest.approx(step, rel=1e-5, abs=1e-8)
            mean = np.average(t, weights=w)
            assert node["rms"] == pytest.approx(np.sqrt(np.average((t - mean) ** 2, weights=w)), rel=1e-4)
            assert node["purity"] == pytest.approx(w[signal[here]].sum() / w.sum(), rel=1e-5)
            score[here] += node["response"]
        assert tree[0]["response"] == pytest.approx(np.average(r, weights=weight), abs=1e-6)


def test_gradient_boosting_chooses_the_cut_that_leaves_the_least_variance():
    train = sample()
    _, state = fit(train, "BoostType=Grad:NTrees=1:MaxDepth=1:nCuts=9:ExactCuts:MinNodeSize=5%")

    def variance(s: float, b: float) -> float:
        return s * b / (s + b) ** 2 if s + b > 0 else 0.0

    # The residuals of the first tree are 0.5 and -0.5: their variance is that of a proportion.
    _, variable, cut = best_cut(train.X, train.is_signal, balanced(train), 9, 12, variance)
    root = trees(state)[0][0]
    assert (root["variable"], root["cut"]) == (variable, pytest.approx(cut, rel=1e-6))


@pytest.mark.parametrize("cuts", ["20:ExactCuts", "20:!ExactCuts", "-1", "-1:UseBaggedBoost"])
@pytest.mark.parametrize("kind", ["EQUAL_WEIGHTS", "CLASS_WEIGHTS"])
def test_sums_of_equal_weights_are_numbers_of_events(cuts, kind, monkeypatch):
    train = sample(weights=False)
    if kind == "CLASS_WEIGHTS":
        train = train.select(np.flatnonzero(train.is_signal | (np.arange(len(train)) % 3 == 0)))
    text = f"BoostType=Grad:NTrees=4:nCuts={cuts}"
    seen = []
    of_extremes = boosting.kind_of_sums

    def spy(extremes):
        seen.append(of_extremes(extremes))
        return seen[-1]

    monkeypatch.setattr(boosting, "kind_of_sums", spy)
    short = fit(train, text)[1]
    assert seen == [getattr(splits, kind)]
    monkeypatch.setattr(boosting, "kind_of_sums", lambda extremes: splits.WEIGHTED)
    full = fit(train, text)[1]
    np.testing.assert_array_equal(short.nodes.cut, full.nodes.cut)
    np.testing.assert_array_equal(short.nodes.response, full.nodes.response)


SEPARATIONS = {
    "GiniIndex": gini,
    "CrossEntropy": lambda s, b: -sum(p * math.log2(p) for p in (s / (s + b), b / (s + b)) if p > 0) if s + b else 0.0,
    "GiniIndexWithLaplace": lambda s, b: (s * b + s + b + 1) / (s + b + 2) ** 2 if s > 0 and b > 0 else 0.0,
    "MisClassificationError": lambda s, b: min(s, b) / (s + b) if s + b else 0.0,
    "SDivSqrtSPlusB": lambda s, b: s / math.sqrt(s + b) if s + b else 0.0,
}


@pytest.mark.parametrize("text", ["", ":UseBaggedBoost"])
def test_equal_steps_move_to_the_nearest_edges(text):
    """240 distinct values make 239 edges: those between neighbours; a step goes to the nearest one.

    The range of a node ends with its own event in the outermost bins, in others with the edge of the bin.
    """
    train = sample()
    _, state = fit(train, "NTrees=1:MaxDepth=2:nCuts=7:MinNodeSize=10%:!UseYesNoLeaf:!ExactCuts" + text)
    count = draw_counts(1234, 240, 0.6) if text else np.ones(240, np.uint8)
    drawn = np.repeat(np.arange(240), count)
    X, signal, weight = train.X[drawn].astype(float), train.is_signal[drawn], balanced(train)[drawn]
    tree = trees(state)[0]

    def best(members: np.ndarray) -> tuple[int, float]:
        found = (0.0, -1, 0.0)
        s, b = weight[members & signal].sum(), weight[members & ~signal].sum()
        for f in range(3):
            values = np.sort(train.X[:, f].astype(float))
            edges = ((values[1:] + values[:-1]) / 2).astype(np.float32)
            x = X[:, f]
            low, high = x[members].min(), x[members].max()
            low = low if low < edges[0] else edges[edges <= low].max()
            high = high if high >= edges[-1] else edges[edges > high].min()
            for step in np.linspace(low, high, 9)[1:-1]:
                cut = edges[np.argmin(np.abs(edges - step))]
                sides = [members & (x < cut), members & (x >= cut)]
                if min(min(m.sum(), weight[m].sum()) for m in sides) < 0.1 * len(drawn):
                    continue
                gain = gini(s, b) - sum(
                    weight[m].sum() / (s + b) * gini(weight[m & signal].sum(), weight[m & ~signal].sum()) for m in sides
                )
                if gain > found[0] + 1e-9:
                    found = gain, f, float(cut)
        return found[1:]

    root = tree[0]
    right = X[:, root["variable"]] >= root["cut"]
    for node, members in ((root, np.full(len(X), True)), (tree[root["left"]], ~right), (tree[root["right"]], right)):
        assert (node["variable"], node["cut"] if node["variable"] >= 0 else 0.0) == best(members)


def test_codes_and_values_of_whole_numbers_make_the_same_forest():
    """Both cut at every whole number: all that differs is how sums are made, whatever boosting does to the weights."""
    rng = np.random.default_rng(21)
    index = np.arange(2000) % 2
    X = rng.poisson(np.where(index == 0, 9, 7)[:, None], (2000, 2)).astype(np.float32)
    train = Sample(X, index, rng.uniform(0.5, 2.0, 2000))
    variables = tuple(Variable(label, label, type="I") for label in "ab")
    whole = FitContext(AnalysisType.CLASSIFICATION, "BDT", variables, ("Signal", "Background"))
    for text in ("AdaBoostBeta=1", "UseBaggedBoost", "BoostType=Grad", "BoostType=RealAdaBoost"):
        a, b = (
            BDT(BDTOptions.parse(f"NTrees=25:MaxDepth=4:MinNodeSize=1%:{text}:{how}")).fit(train, whole)
            for how in ("ExactCuts", "!ExactCuts")
        )
        np.testing.assert_array_equal(a.nodes.variable, b.nodes.variable)
        np.testing.assert_array_equal(a.nodes.cut, b.nodes.cut)
        np.testing.assert_allclose(a.boost_weight, b.boost_weight, rtol=1e-12)


@pytest.mark.parametrize("name", SEPARATIONS)
def test_separation_types(name):
    train = sample(seed=8)
    text = f"NTrees=1:MaxDepth=1:nCuts=11:ExactCuts:MinNodeSize=4%:SeparationType={name}:!UseYesNoLeaf"
    found, variable, cut = best_cut(train.X, train.is_signal, balanced(train), 11, 9.6, SEPARATIONS[name])
    if found == 0:
        with pytest.raises(MethodError, match="no cut separates"):
            fit(train, text)
        return
    root = trees(fit(train, text)[1])[0][0]
    assert (root["variable"], root["cut"]) == (variable, pytest.approx(cut, rel=1e-6))


def test_gains_at_the_edge():
    for criterion in CRITERIA.values():
        assert separation_index(criterion, 0.0, 0.0) == 0
        assert separation_index(criterion, 1.0, -2.0) == 0
        assert separation_gain(criterion, 2.0, 3.0, 4.0, 6.0) == 0
    # What is less than the square root of the machine epsilon is no gain.
    assert separation_gain(GINI, 50.0, 50.0 + 1e-3, 100.0, 100.0) == 0
    assert separation_gain(GINI, 50.0, 50.0 + 1e-1, 100.0, 100.0) > 1e-8
    for s, b in ((3.0, -1.0), (-1.0, 3.0)):
        assert separation_index(GINI, s, b) == 0


def test_edges_of_bins_find_the_best_of_all_cuts():
    train = sample(120)
    _, state = fit(train, "NTrees=1:MaxDepth=1:nCuts=-1:MinNodeSize=5%")
    weight, signal = balanced(train), train.is_signal
    best, where = 0.0, None
    for f in range(3):
        values = np.sort(train.X[:, f])
        for below, above in itertools.pairwise(values):
            left = train.X[:, f] <= below
            if min(left.sum(), (~left).sum(), weight[left].sum(), weight[~left].sum()) < 6:
                continue
            sides = [(weight[m & signal].sum(), weight[m & ~signal].sum()) for m in (left, ~left)]
            gain = 0.5 - sum((s + b) / 120 * gini(s, b) for s, b in sides)
            if gain > best + 1e-12:
                best, where = gain, (f, below, above)
    root = trees(state)[0][0]
    assert root["variable"] == where[0]
    assert root["cut"] == np.float32((float(where[1]) + float(where[2])) / 2)


@pytest.mark.parametrize(
    "text", ["nCuts=6:ExactCuts", "nCuts=-1", "nCuts=-1:BoostType=Grad", "BoostType=Grad:nCuts=6:ExactCuts"]
)
def test_events_that_come_in_several_pieces(text):
    """More events than a kernel takes at once: every sum has to hold them all."""
    n = 70_000
    rng = np.random.default_rng(12)
    index = (rng.random(n) < 0.5).astype(int)
    X = rng.integers(0, 40, (n, 1)) + 4 * (1 - index[:, None]) * rng.random((n, 1)) ** 3
    train = Sample(np.round(X).astype(np.float32), index, rng.uniform(0.5, 2, n))
    _, state = fit(train, f"NTrees=1:MaxDepth=2:MinNodeSize=1%:!UseYesNoLeaf:{text}")
    weight, signal = balanced(train), train.is_signal
    x, root = train.X[:, 0], trees(state)[0][0]
    cuts = np.unique(x)[1:] - 0.5
    if "=6" in text:
        cuts = x.min() + np.arange(1, 7) * (x.max() - x.min()) / 7
    gains = []
    for cut in cuts:
        sides = [(weight[m & signal].sum(), weight[m & ~signal].sum()) for m in (x < cut, x >= cut)]
        gains.append(-sum((s + b) * gini(s, b) for s, b in sides))
    assert root["cut"] == pytest.approx(cuts[np.argmax(gains)], rel=1e-6)
    for side, members in (("left", x < root["cut"]), ("right", x >= root["cut"])):
        purity = weight[members & signal].sum() / weight[members].sum()
        assert trees(state)[0][root[side]]["purity"] == pytest.approx(purity, rel=1e-5)


# ------------------------------------------------------------------------------------------------- growth


def test_no_node_holds_less_than_it_has_to():
    train = sample(400)
    for text in ("nCuts=15", "nCuts=-1", "BoostType=Grad:nCuts=15"):
        _, state = fit(train, f"NTrees=1:MaxDepth=6:MinNodeSize=7%:!UseYesNoLeaf:{text}")
        tree = trees(state)[0]
        weight = balanced(train)
        ends = [id(leaf(tree, x)) for x in train.X]
        for node in (node for node in tree if node["variable"] < 0):
            here = np.array([end == id(node) for end in ends])
            assert here.sum() >= 28
            assert weight[here].sum() >= 28
        assert max(node["depth"] for node in tree) > 2


@pytest.mark.parametrize("text", ["nCuts=10", "nCuts=-1", "BoostType=Grad"])
def test_deeper_trees_begin_as_shallower_ones(text):
    train = sample(500)
    shallow, deep = (
        trees(fit(train, f"NTrees=1:MinNodeSize=1%:!UseYesNoLeaf:MaxDepth={d}:{text}")[1])[0] for d in (3, 7)
    )
    assert max(node["depth"] for node in deep) > 4

    def shape(tree, node, depth):
        if depth == 0 or node["variable"] < 0:
            return None
        below = (shape(tree, tree[node[side]], depth - 1) for side in ("left", "right"))
        return node["variable"], node["cut"], *below

    assert shape(deep, deep[0], 3) == shape(shallow, shallow[0], 3)


def test_histograms_by_subtraction_and_by_counting_make_the_same_trees(monkeypatch):
    from mvakit_methods.bdt import searches

    train = sample(600)
    text = "NTrees=5:MaxDepth=6:MinNodeSize=0.5%:nCuts=-1:!UseYesNoLeaf"
    a = fit(train, text)[1]
    monkeypatch.setattr(searches, "_HISTOGRAM_BYTES", 0)
    b = fit(train, text)[1]
    np.testing.assert_array_equal(a.nodes.cut, b.nodes.cut)
    np.testing.assert_array_equal(a.nodes.purity, b.nodes.purity)
    # Kept for some levels only.
    monkeypatch.setattr(searches, "_HISTOGRAM_BYTES", 4 * 3 * 256 * 24)
    np.testing.assert_array_equal(a.nodes.cut, fit(train, text)[1].nodes.cut)


def test_splits_between_leaves_of_one_kind_are_taken_back():
    train = sample(300)
    tree = trees(fit(train, "NTrees=1:MaxDepth=4:MinNodeSize=2%")[1])[0]
    for node in tree:
        if node["variable"] >= 0:
            kinds = {tree[node[side]]["kind"] for side in ("left", "right")}
            assert kinds not in ({1}, {-1})
    whole = trees(fit(train, "NTrees=1:MaxDepth=4:MinNodeSize=2%:!UseYesNoLeaf")[1])[0]
    assert len(whole) > len(tree)


def test_the_purity_limit_says_what_is_signal():
    train = sample(300)
    _, state = fit(train, "NTrees=1:MaxDepth=3:MinNodeSize=3%:NodePurityLimit=0.8")
    leaves = state.nodes.variable < 0
    np.testing.assert_array_equal(state.nodes.kind[leaves] > 0, state.nodes.purity[leaves] > 0.8)
    assert set(state.nodes.kind[leaves]) == {-1, 1}


def test_whole_numbers_are_cut_at_each_of_them():
    rng = np.random.default_rng(4)
    index = np.arange(300) % 2
    X = np.column_stack([rng.poisson(np.where(index == 0, 9, 5)), rng.normal(size=300)]).astype(np.float32)
    train = Sample(X, index, np.ones(300))
    method = BDT(BDTOptions.parse("NTrees=6:nCuts=3:MinNodeSize=2%"))
    cuts = method.fit(train, context(2, integer=True)).nodes
    chosen = cuts.cut[cuts.variable == 0]
    assert len(chosen)
    np.testing.assert_array_equal(chosen, np.round(chosen))
    plain = method.fit(train, context(2)).nodes
    assert (plain.cut[plain.variable == 0] != np.round(plain.cut[plain.variable == 0])).any()


def test_a_constant_variable_is_never_cut():
    train = sample()
    X = train.X.copy()
    X[:, 0] = 3.25
    for cuts in ("20", "-1"):
        assert 0 not in fit(train.with_inputs(X), f"NTrees=5:nCuts={cuts}")[1].nodes.variable


def test_bins_of_a_variable_with_few_values():
    train = sample(400)
    X = np.round(train.X).astype(np.float32)
    _, state = fit(train.with_inputs(X), "NTrees=10:nCuts=-1:MinNodeSize=1%")
    cuts = state.nodes.cut[state.nodes.variable >= 0]
    np.testing.assert_array_equal(cuts - np.floor(cuts), 0.5)


def test_neighbouring_numbers_are_told_apart():
    x = np.where(np.arange(40) % 2 == 0, np.float32(1), np.nextafter(np.float32(1), np.float32(2)))
    train = Sample(x[:, None].astype(np.float32), np.arange(40) % 2, np.ones(40))
    method, state = fit(train, "NTrees=1:nCuts=-1")
    np.testing.assert_array_equal(method.predict(state, train.X) > 0, train.is_signal)


# ------------------------------------------------------------------------------------------------ weights


def test_signal_and_background_are_balanced():
    train = sample(90, seed=6)
    train = train.select(np.flatnonzero(train.is_signal | (np.arange(90) % 3 == 0)))
    for text, ratio in (("", 1.0), ("SigToBkgFraction=0.25", 0.25)):
        events = prepare(train, BDTOptions.parse(text), context())
        weight = events.weight * events.factor[events.group]
        assert weight.sum() == pytest.approx(len(train))
        assert weight[events.group == 0].sum() / weight[events.group == 1].sum() == pytest.approx(ratio)
    events = prepare(train, BDTOptions.parse("SkipNormalization"), context())
    np.testing.assert_array_equal(events.weight * events.factor[events.group], train.weight)


@pytest.mark.parametrize("boost", ["AdaBoost", "Grad"])
def test_the_scale_of_weights_does_not_matter(boost):
    train = sample()
    method, state = fit(train, f"NTrees=3:BoostType={boost}")
    _, tiny = fit(train.with_weight(2.0**-40 * train.weight), f"NTrees=3:BoostType={boost}")
    np.testing.assert_array_equal(method.predict(tiny, train.X), method.predict(state, train.X))


def test_the_fraction_of_signal_holds_for_every_tree():
    train = sample()
    _, state = fit(train, "NTrees=2:SigToBkgFraction=0.5:NodePurityLimit=0.3")
    assert trees(state)[0][0]["purity"] == pytest.approx(1 / 3, rel=1e-6)
    weight, signal = balanced(train), train.is_signal
    weight *= np.where(signal, 2 / 3, 4 / 3)
    wrong = (np.array([leaf(trees(state)[0], x)["kind"] for x in train.X]) > 0) != signal
    error = weight[wrong].sum() / weight.sum()
    weight[wrong] *= math.sqrt((1 - error) / error)
    weight *= np.where(signal, 0.5, 1.0)
    assert trees(state)[1][0]["purity"] == pytest.approx(weight[signal].sum() / weight.sum(), rel=1e-6)


def with_negative_weights(n: int = 240) -> Sample:
    train = sample(n)
    weight = train.weight.copy()
    weight[::11] *= -0.5
    weight[5] = 0.0
    return train.with_weight(weight)


def test_events_of_weight_zero_are_left_out():
    events = prepare(with_negative_weights(), BDTOptions.parse(), context())
    assert len(events.weight) == 239
    assert (events.weight != 0).all()


@pytest.mark.parametrize(
    "text",
    [
        "NegWeightTreatment=IgnoreNegWeightsInTraining",
        "NegWeightTreatment=NoNegWeightsInTraining",
        "IgnoreNegWeightsInTraining",
    ],
)
def test_negative_weights_are_left_out(text, caplog):
    train = with_negative_weights()
    with caplog.at_level(logging.INFO, logger="mvakit.BDTTest"):
        events = prepare(train, BDTOptions.parse(text), context())
    assert "22 events with negative weights are left out" in caplog.text
    np.testing.assert_array_equal(events.weight, train.weight[train.weight > 0])


def test_negative_weights_are_kept(caplog):
    train = with_negative_weights()
    events = prepare(train, BDTOptions.parse("Pray"), context())
    assert "22 events with negative weights are used in the training" in caplog.text
    assert np.sum(events.weight < 0) == 22
    weight = events.weight * events.factor[events.group]
    assert weight[events.group == 0].sum() == pytest.approx(weight[events.group == 1].sum())


def test_negative_weights_are_paired_away():
    # Event 1 eats up its nearest neighbour of the same class and a part of the next.
    X = np.array([[0.0], [1.0], [1.2], [1.5], [9.0], [1.1], [4.0]], np.float32)
    weight = np.array([0.75, -1.5, 1.0, 2.0, 1.0, 5.0, 0.5])
    index = np.array([0, 0, 0, 0, 0, 1, 1])
    options = BDTOptions.parse("NegWeightTreatment=PairNegWeightsGlobal:SkipNormalization")
    events = prepare(Sample(X, index, weight), options, context(1))
    np.testing.assert_allclose(events.columns()[0], [0.0, 1.5, 9.0, 1.1, 4.0])
    np.testing.assert_allclose(events.weight, [0.75, 1.5, 1.0, 5.0, 0.5])
    # Distances are measured in units of the spread: y hardly varies, so that it decides.
    X = np.array([[0, 0], [1, 0.1], [5, 0.001], [100, 0], [-100, 0.1]], np.float32)
    weight = np.array([-0.5, 1, 1, 1, 1], float)
    both = Sample(np.concatenate([X, X + 1]), np.repeat([0, 1], 5), np.concatenate([weight, np.ones(5)]))
    events = prepare(both, options, context(2))
    np.testing.assert_allclose(events.weight[:4], [1, 0.5, 1, 1])
    with pytest.raises(MethodError, match="more positive than negative weight"):
        prepare(both.with_weight(np.where(both.is_signal, -1.0, 1.0)), options, context(2))


def test_negative_weights_are_boosted_inversely():
    train = with_negative_weights()
    for text, power in (("InverseBoostNegWeights", -1), ("Pray", 1)):
        _, state = fit(train, f"NTrees=2:NegWeightTreatment={text}")
        kept = train.select(train.weight != 0)
        weight, signal = balanced(kept), kept.is_signal
        wrong = (np.array([leaf(trees(state)[0], x)["kind"] for x in kept.X]) > 0) != signal
        error = weight[wrong].sum() / weight.sum()
        factor = math.sqrt((1 - error) / error)
        weight[wrong] *= np.where(weight[wrong] > 0, factor, factor**power)
        assert trees(state)[1][0]["purity"] == pytest.approx(weight[signal].sum() / weight.sum(), rel=1e-5)


@pytest.mark.parametrize("boost", ["AdaBoost", "Grad", "Bagging"])
def test_negative_weights_train(boost):
    method, state = fit(with_negative_weights(), f"NTrees=10:BoostType={boost}")
    assert np.isfinite(method.predict(state, sample().X)).all()


def test_what_cannot_be_trained_is_refused():
    train = sample()
    with pytest.raises(MethodError, match="no background event"):
        fit(train.select(train.is_signal))
    with pytest.raises(MethodError, match="signal events add up to -"):
        fit(train.with_weight(np.where(train.is_signal, -1.0, 1.0)))
    with pytest.raises(MethodError, match=r"no cut separates .* MinNodeSize=5% of the 240"):
        fit(train.with_inputs(np.zeros_like(train.X)))
    with pytest.raises(MethodError, match="no cut separates"):
        fit(train.with_inputs(np.zeros_like(train.X)), "BoostType=Grad:nCuts=-1")


def test_an_empty_sample_is_refused():
    train = sample(4, weights=False)
    with pytest.raises(MethodError, match="random sample of tree .* is empty: 4 events are too few .* of 0.01"):
        fit(train, "NTrees=50:UseBaggedBoost:BaggedSampleFraction=0.01:MinNodeSize=1%")


def test_negative_weights_that_outweigh_the_others_end_boosting():
    rng = np.random.default_rng(11)
    for seed in range(30):
        train = sample(60, seed=seed)
        train = train.with_weight(rng.uniform(-0.9, 1.0, 60) + 0.15)
        try:
            method, state = fit(train, "NTrees=40:MinNodeSize=2%:NegWeightTreatment=Pray")
        except MethodError:
            continue
        assert (state.boost_weight >= 0).all()
        assert np.isfinite(method.predict(state, train.X)).all()


def test_a_tree_without_error_ends_boosting(caplog):
    train = sample()
    X = train.X.copy()
    X[:, 1] = np.where(train.is_signal, 2.0, -2.0)
    for text in ("", "!UseYesNoLeaf"):
        with caplog.at_level(logging.INFO, logger="mvakit.BDTTest"):
            method, state = fit(train.with_inputs(X), f"NTrees=10:{text}")
        assert "boosting ends with tree 1" in caplog.text
        assert len(state.boost_weight) == 1
        response = method.predict(state, X)
        assert response[train.is_signal].min() > response[~train.is_signal].max()


def test_boosting_ends_when_a_tree_is_no_better_than_chance():
    rng = np.random.default_rng(2)
    train = Sample(rng.integers(0, 2, (400, 2)).astype(np.float32), rng.permutation(np.arange(400) % 2), np.ones(400))
    _, state = fit(train, "NTrees=500:MaxDepth=2")
    assert len(state.boost_weight) < 500
    assert state.boost_weight[-1] == 0
    assert (state.boost_weight[:-1] > 0).all()
    assert state.error[-1] >= 0.5 - 1e-9


# ----------------------------------------------------------------------------------------------- sampling


def test_samples_are_those_that_tmva_draws():
    # TMVA's log of the Higgs tutorial: "the training sample size of 7056".
    assert draw_counts(1234, 14_000, 0.5).sum() == 7056
    counts = draw_counts(99, 50_000, 2.0)
    assert counts.mean() == pytest.approx(2, abs=0.03)
    assert counts.var() == pytest.approx(2, abs=0.06)


def test_numbers_are_drawn_again_if_they_do_not_suffice(monkeypatch):
    from mvakit_methods.bdt import randomness

    expected = draw_counts(5, 3000, 0.7)
    real, sizes = randomness.uniforms, []

    def few(state, size):
        sizes.append(size)
        return real(state, size if len(sizes) > 2 else 100)

    monkeypatch.setattr(randomness, "uniforms", few)
    np.testing.assert_array_equal(draw_counts(5, 3000, 0.7), expected)
    assert sizes[1:] == [2 * sizes[0], 4 * sizes[0]]


def test_bagging_grows_each_tree_from_its_own_sample():
    train = sample(300)
    _, state = fit(train, "NTrees=3:BoostType=Bagging:BaggedSampleFraction=0.8")
    np.testing.assert_array_equal(state.boost_weight, 1.0)
    weight = balanced(train)
    for i, tree in enumerate(trees(state)):
        count = draw_counts(100 * i + 1234, 300, 0.8)
        drawn = weight * count
        assert tree[0]["purity"] == pytest.approx(drawn[train.is_signal].sum() / drawn.sum(), rel=1e-6)


def test_events_are_boosted_as_often_as_they_were_drawn():
    train = sample(300)
    _, state = fit(train, "NTrees=2:UseBaggedBoost:BaggedSampleFraction=1.5")
    weight, signal = balanced(train), train.is_signal
    count = draw_counts(1234, 300, 1.5).astype(int)
    wrong = (np.array([leaf(trees(state)[0], x)["kind"] for x in train.X]) > 0) != signal
    error = (weight * count)[wrong].sum() / (weight * count).sum()
    factor = math.sqrt((1 - error) / error)
    total = 0.0
    for e in range(300):
        for _ in range(count[e]):
            weight[e] *= factor if wrong[e] else 1.0
            total += weight[e]
    weight *= (count.sum() / total) ** count
    second = draw_counts(1334, 300, 1.5)
    assert trees(state)[1][0]["purity"] == pytest.approx(
        (weight * second)[signal].sum() / (weight * second).sum(), rel=1e-6
    )


def test_the_seed_decides():
    train = sample(300)
    for text in ("UseBaggedBoost", "UseRandomisedTrees", "BoostType=Grad:UseBaggedBoost", "BoostType=Bagging:nCuts=-1"):
        one, again, other = (fit(train, f"NTrees=6:{text}:RandomSeed={seed}")[1].nodes for seed in (1, 1, 2))
        np.testing.assert_array_equal(one.cut, again.cut)
        assert not np.array_equal(one.cut, other.cut)


def test_subsets_of_variables():
    draw = subset_drawer(3, 10, 4, poisson=False)
    drawn = np.array([draw() for _ in range(2000)])
    assert (drawn.sum(axis=1) == 4).all()
    assert drawn.mean(axis=0) == pytest.approx(0.4, abs=0.05)
    draw = subset_drawer(3, 10, 4, poisson=True)
    sizes = np.array([draw().sum() for _ in range(2000)])
    assert sizes.min() == 1
    assert sizes.max() == 10
    assert sizes.mean() == pytest.approx(4, abs=0.15)


@pytest.mark.parametrize(("n", "wanted"), [(2, 2), (3, 2), (4, 2), (6, 3), (9, 3)])
def test_by_default_subsets_grow_as_the_root_of_the_number_of_variables(n, wanted, monkeypatch):
    from mvakit_methods.bdt import training

    asked = []

    def drawer(seed, n_variables, n_wanted, *, poisson):
        asked.append((n_variables, n_wanted, poisson))
        return subset_drawer(seed, n_variables, n_wanted, poisson=poisson)

    monkeypatch.setattr(training, "subset_drawer", drawer)
    fit(sample(n_variables=n), "NTrees=2:UseRandomisedTrees")
    fit(sample(n_variables=n), "NTrees=1:UseRandomisedTrees:UseNvars=1:!UsePoissonNvars")
    assert asked == [(n, wanted, True), (n, wanted, True), (n, 1, False)]


@pytest.mark.parametrize("cuts", ["20:!ExactCuts", "-1"])
def test_randomised_trees_cut_on_what_they_may(cuts):
    train = sample(400, n_variables=6)
    X = train.X.copy()
    X[:, 0] += 2 * train.is_signal
    train = train.with_inputs(X)
    plain = fit(train, f"NTrees=20:MaxDepth=2:nCuts={cuts}")[1].nodes.variable
    text = f"NTrees=20:MaxDepth=2:UseRandomisedTrees:nCuts={cuts}"
    one = fit(train, f"{text}:UseNvars=1:!UsePoissonNvars")[1]
    assert len(set(one.nodes.variable[one.first[:-1]])) == 6
    every = fit(train, f"{text}:UseNvars=6:!UsePoissonNvars")[1].nodes.variable
    np.testing.assert_array_equal(every, plain)
    # By default a Poisson number with the root of 6 as mean: the strong variable is often, and not always, at hand.
    some = fit(train, f"{text}:BoostType=Bagging")[1]
    roots = some.nodes.variable[some.first[:-1]]
    assert 2 < np.sum(roots == 0) < 18


# ------------------------------------------------------------------------------------------ the same result


def test_threads_do_not_change_a_forest(monkeypatch):
    train = sample(140_000 if not config.DISABLE_JIT else 300, n_variables=3)
    monkeypatch.setattr(team, "_WORTH_SHARING", 0)
    for text in ("MaxDepth=3", "BoostType=Grad:nCuts=-1", "BoostType=Grad:UseBaggedBoost"):
        found = []
        for workers in (1, 2, 5):
            monkeypatch.setattr(team, "default_workers", lambda workers=workers: workers)
            found.append(fit(train, f"NTrees=3:{text}")[1])
        for other in found[1:]:
            for name in ("variable", "cut", "purity", "response", "rms"):
                np.testing.assert_array_equal(getattr(found[0].nodes, name), getattr(other.nodes, name))
            np.testing.assert_array_equal(found[0].boost_weight, other.boost_weight)


@pytest.mark.parametrize("text", ["", "BoostType=Grad:nCuts=-1", "nCuts=20:ExactCuts"])
def test_mapped_events_grow_the_same_forest(text, tmp_path, monkeypatch):
    monkeypatch.setattr(team, "_WORTH_SHARING", 0)
    train = sample(70_000 if not config.DISABLE_JIT else 300)
    space = Space(1, tmp_path)
    X, index, weight = (space.empty(a.shape, a.dtype) for a in (train.X, train.class_index, train.weight))
    X[:], index[:], weight[:] = train.X, train.class_index, train.weight
    assert config.DISABLE_JIT or isinstance(X, np.memmap)
    mapped = Sample(X, index, weight, space=space)
    monkeypatch.setattr(team, "default_workers", lambda: 1)
    expected = fit(train, f"NTrees=3:{text}")[1]
    for workers in (1, 2):
        monkeypatch.setattr(team, "default_workers", lambda workers=workers: workers)
        assert same_parts(fit(mapped, f"NTrees=3:{text}")[1], expected)


def test_a_team_hands_on_what_goes_wrong():
    def work(begin: int, end: int) -> None:
        if end == 10:
            raise ValueError("at the end")

    with team.team(3) as crew, pytest.raises(ValueError, match="at the end"):
        crew.run(work, 10, 1e9)
    with team.team(1) as crew:
        assert crew.pool is None
    assert team.default_workers() >= 1


def test_kernels_are_compiled_where_nothing_can_be_kept(monkeypatch):
    real, asked = compiled_module.njit, []

    def njit(**options):
        asked.append(options)
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(compiled_module, "njit", njit)

    def double(x):
        return 2 * x

    assert compiled_module.kernel(double)(4) == 8
    assert asked == [{"nogil": True, "cache": True}, {"nogil": True}]


@pytest.mark.parametrize("depth", [1, 3, 5, 9])
@pytest.mark.parametrize("text", ["", "BoostType=Grad:Shrinkage=0.4", "!UseYesNoLeaf", "BoostType=Bagging:nCuts=-1"])
def test_responses_are_those_of_the_trees_whatever_the_number_of_events(depth, text, monkeypatch):
    train = sample(400)
    method, state = fit(train, f"NTrees=7:MaxDepth={depth}:MinNodeSize=0.4%:{text}")
    layout = "FlatTrees" if state.nodes.depth.max() > 6 else "CompleteTrees"
    assert type(state.layout).__name__ == layout
    X = sample(300, seed=9).X
    inner = np.flatnonzero(state.nodes.variable >= 0)
    for e in range(200):  # an event on a cut goes right
        node = inner[e % len(inner)]
        X[e, state.nodes.variable[node]] = state.nodes.cut[node]
    response = method.predict(state, X)
    np.testing.assert_allclose(response, response_by_hand(state, X), rtol=0, atol=1e-14)
    for n in (1, 7, 9, 129):
        np.testing.assert_array_equal(method.predict(state, X[:n]), response[:n])
    singles = np.concatenate([method.predict(state, X[i : i + 1]) for i in range(40)])
    np.testing.assert_array_equal(singles, response[:40])
    one = method.single_event(state)
    assert [one(x) for x in X] == response.tolist()
    assert math.isnan(one(np.array([0.0, 0.0, np.nan], np.float32)))
    monkeypatch.setattr(team, "_WORTH_SHARING", 0)
    np.testing.assert_array_equal(application.respond(state, X, workers=3), response)
    assert method.predict(state, X[:0]).shape == (0,)
    np.testing.assert_array_equal(method.predict(state, X.astype(np.float64)), response)


@pytest.mark.parametrize("depth", [3, 4, 5])
def test_codes_say_all_that_comparisons_do(depth):
    rng = np.random.default_rng(1)
    n_trees = 301 if not config.DISABLE_JIT else 91
    variable = rng.choice(
        3, (n_trees, 2**depth - 1), p=[0.02 * 8 / 2**depth, 0.09 * 8 / 2**depth, 1 - 0.11 * 8 / 2**depth]
    )
    variable = variable.astype(np.uint32)
    cut = rng.normal(size=variable.shape).astype(np.float32)
    cut[variable == 2] = np.exp(2 * cut[variable == 2])
    cut[:3, 0] = np.nan, np.inf, -np.inf
    trees = CompleteTrees(depth, variable, cut, rng.normal(size=(n_trees, 2**depth)))
    coded = trees.coded
    # Few cuts and many, and more than one byte can tell; far apart and close together.
    of_each = [np.isfinite(coded.edges[coded.column_variable == f]).sum() for f in range(3)]
    assert of_each[0] < 64
    assert config.DISABLE_JIT or 64 <= of_each[1] <= 255 < of_each[2]
    assert config.DISABLE_JIT or {2, 3} <= set(coded.halvings.tolist())
    X = np.concatenate([rng.normal(size=(1500, 3)), np.full((1, 3), np.nan), np.full((1, 3), np.inf)])
    X = np.concatenate([X, np.full((1, 3), -np.inf), np.zeros((1, 3))]).astype(np.float32)
    X[200:1500, 2] = np.exp(2 * X[200:1500, 2])
    X[:200, 2] = cut[variable == 2][:200]
    found, expected = np.empty(len(X)), np.empty(len(X))
    application._complete(X, *coded.arrays(), 0, 2, found)
    application._one_by_one(X, *trees.arrays(), 0, len(X), expected)
    np.testing.assert_array_equal(found, expected)
    # Pair by pair, the trees are what the leaf of each says.
    for e in (0, 700, 1499):
        says = []
        for t in range(n_trees):
            k = 0
            for _ in range(depth):
                k = 2 * k + (2 if X[e, variable[t, k]] >= cut[t, k] else 1)
            says.append(trees.value[t, k - 2**depth + 1])
        assert expected[e] == pytest.approx(sum(says), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    "cuts",
    [[0.0], [-3e38, 3e38], [1.0, np.nextafter(np.float32(1), np.float32(2))], [-1e30, *np.linspace(0, 1, 100), 1e30]],
    ids=["one", "far apart", "neighbours", "most in one cell"],
)
def test_cells_tell_how_many_cuts_a_value_is_not_below(cuts):
    cut = np.zeros((len(cuts), 7), np.float32)
    cut[:, :] = np.float32(cuts)[:, None]
    trees = CompleteTrees(3, np.zeros(cut.shape, np.uint32), cut, np.zeros((len(cuts), 8)))
    x = np.concatenate(
        [cut[:, 0], np.nextafter(cut[:, 0], -np.inf, dtype=np.float32), np.float32([np.inf, -np.inf, 0.5])]
    )
    coded, codes = trees.coded, np.zeros((1, 1024), np.uint8)
    with np.errstate(over="ignore", invalid="ignore"):
        application._encode(x[:, None], *coded.arrays()[1:7], 0, len(x), codes)
    # Trees are filled up with those that cut at nothing.
    edges = np.unique(np.concatenate([cut[:, 0], np.zeros(-len(cuts) % 4, np.float32)]))
    np.testing.assert_array_equal(codes[0, : len(x)], np.searchsorted(edges, x, side="right"))


def test_edges_of_bins_lie_between_values():
    few = np.sort(np.float32([1, 1, 2, 2, 2, 5]))
    np.testing.assert_array_equal(binning._edges(few, integer=False), np.float32([1.5, 3.5]))
    np.testing.assert_array_equal(binning._edges(few, integer=True), np.float32([2, 5]))
    close = np.float32([1, np.nextafter(np.float32(1), np.float32(2))])
    np.testing.assert_array_equal(binning._edges(close, integer=False), close[1:])
    many = np.sort(np.concatenate([np.zeros(5000), np.arange(1, 1001)])).astype(np.float32)
    edges = binning._edges(many, integer=False)
    # Quantiles: of 6000 values every 23.4th begins a bin, apart from those among equal ones.
    wanted = {many[len(many) * k // 256] for k in range(1, 256)} - {0}
    np.testing.assert_array_equal(edges, np.float32(sorted(wanted)) - np.float32(0.5))
    np.testing.assert_array_equal(binning._edges(np.float32([3, 3]), integer=False), [])


@compiled
def test_many_events_at_once_from_many_threads():
    train = sample(400)
    method, state = fit(train, "NTrees=60:MaxDepth=4:BoostType=Grad")
    X = sample(30_000, seed=5).X
    expected = method.predict(state, X)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: method.predict(state, X), range(8)):
            np.testing.assert_array_equal(found, expected)


def test_an_event_on_a_cut_goes_right():
    method, state = fit(sample(), "NTrees=1:MaxDepth=1")
    root = trees(state)[0][0]
    X = np.zeros((2, 3), np.float32)
    X[0, root["variable"]] = root["cut"]
    X[1, root["variable"]] = np.nextafter(np.float32(root["cut"]), np.float32(-np.inf))
    right, left = (trees(state)[0][root[side]]["kind"] for side in ("right", "left"))
    np.testing.assert_array_equal(method.predict(state, X), [right, left])


# ---------------------------------------------------------------------------------------- what it tells


def test_the_importance_of_variables():
    train = sample(300)
    method, state = fit(train, "NTrees=1:MaxDepth=2:!UseYesNoLeaf:MinNodeSize=4%")
    weight, signal = balanced(train), train.is_signal
    tree, expected = trees(state)[0], np.zeros(3)

    def add(node, members):
        if node["variable"] < 0:
            return
        right = train.X[:, node["variable"]] >= np.float32(node["cut"])
        parts = [members, members & ~right, members & right]
        sums = [(weight[m & signal].sum(), weight[m & ~signal].sum()) for m in parts]
        n = sum(sums[0])
        gain = gini(*sums[0]) - sum(sum(side) / n * gini(*side) for side in sums[1:])
        expected[node["variable"]] += (gain * n) ** 2
        add(tree[node["left"]], parts[1])
        add(tree[node["right"]], parts[2])

    add(tree[0], np.ones(300, bool))
    ranking = method.ranking(state, context().variables)
    assert ranking.criterion == "Variable Importance"
    assert [label for label, _ in ranking.values] == ["a", "b", "c"]
    roots = np.sqrt(expected)
    np.testing.assert_allclose([value for _, value in ranking.values], roots / roots.sum(), rtol=1e-6)


def test_the_importance_for_gradient_boosting():
    train = sample(300)
    method, state = fit(train, "NTrees=1:MaxDepth=1:BoostType=Grad")
    values = dict(method.ranking(state, context().variables).values)
    assert values == {v: float(i == state.nodes.variable[0]) for i, v in enumerate("abc")}
    # Trees have the same weight; within a tree gains count relative to the variance of the node.
    _, two = fit(train, "NTrees=1:MaxDepth=2:BoostType=Grad:MinNodeSize=4%")
    weight, r = balanced(train), train.is_signal - 0.5
    tree, expected = trees(two)[0], np.zeros(3)

    def squares(members):
        w = weight[members]
        return np.sum(w * (r[members] - np.average(r[members], weights=w)) ** 2)

    right = train.X[:, tree[0]["variable"]] >= np.float32(tree[0]["cut"])
    for node, members in (
        (tree[0], np.ones(300, bool)),
        (tree[tree[0]["left"]], ~right),
        (tree[tree[0]["right"]], right),
    ):
        side = train.X[:, node["variable"]] >= np.float32(node["cut"])
        gain = 1 - (squares(members & side) + squares(members & ~side)) / squares(members)
        expected[node["variable"]] += (gain * weight[members].sum()) ** 2
    roots = np.sqrt(expected)
    np.testing.assert_allclose(two.importance, roots / roots.sum(), rtol=1e-5)


def test_curves():
    method, state = fit(sample(), "NTrees=4:MaxDepth=2")
    curves = {curve.name: curve for curve in method.monitoring(state)}
    assert list(curves) == ["BoostWeightVsTree", "ErrFractHist", "NodesBeforePruning", "NodesAfterPruning"]
    np.testing.assert_array_equal(curves["BoostWeightVsTree"].y, state.boost_weight)
    np.testing.assert_array_equal(curves["ErrFractHist"].y, state.error)
    np.testing.assert_array_equal(curves["NodesAfterPruning"].y, [len(tree) for tree in trees(state)])
    assert all(np.array_equal(curve.x, [0.5, 1.5, 2.5, 3.5]) for curve in curves.values())
    method, state = fit(sample(), "NTrees=4:BoostType=Grad")
    assert [c.name for c in method.monitoring(state)] == ["NodesBeforePruning", "NodesAfterPruning"]
    method, state = fit(sample(), "NTrees=4:BoostType=Bagging")
    assert next(c.name for c in method.monitoring(state)) == "BoostWeightVsTree"


@pytest.mark.parametrize("text", ["", "BoostType=Grad", "!UseYesNoLeaf"])
def test_the_structure_is_the_forest(text):
    method, state = fit(sample(), f"NTrees=4:{text}")
    forest = method.structure(state)
    X = sample(50, seed=7).X
    total = np.zeros(50)
    for t in range(4):
        for e, x in enumerate(X):
            node = forest.first[t]
            while forest.variable[node] >= 0:
                side = forest.right if x[forest.variable[node]] >= forest.cut[node] else forest.left
                node = forest.first[t] + side[node]
            total[e] += forest.tree_weight[t] * forest.value[node]
    expected = np.tanh(total) if "Grad" in text else total / forest.tree_weight.sum()
    np.testing.assert_allclose(method.predict(state, X), expected, atol=1e-14)
    np.testing.assert_array_equal(forest.purity, state.nodes.purity)


def test_progress_is_told():
    told = []
    place = context()
    place = FitContext(
        place.analysis,
        place.title,
        place.variables,
        place.classes,
        tick=lambda done, total, note="": told.append((done, total)),
    )
    BDT(BDTOptions.parse("NTrees=3")).fit(sample(), place)
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


# --------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize(("text", "percent"), [("2.5%", 2.5), ("2.5", 2.5), (" 7 %", 7.0), ("0.01%", 0.01)])
def test_min_node_size_is_a_percentage(text, percent):
    with pytest.warns(MvakitWarning, match="white space") if " " in text else nullcontext():
        options = BDTOptions.parse(f"MinNodeSize={text}")
    assert options.min_percent(1000) == percent


@pytest.mark.parametrize("text", ["0", "50", "-1%", "many", "5%%", "nan", ""])
def test_what_is_no_percentage_is_refused(text):
    method = BDT(BDTOptions.parse(MinNodeSize=text))
    with pytest.raises(OptionError, match=r"'MinNodeSize' of BDT takes a percentage .* not "):
        method.check(context())


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("nEventsMin=24", "MinNodeSize=10%"),
        ("NNodesMax=5", "MaxDepth=2"),
        ("UseBaggedGrad:BoostType=Grad", "UseBaggedBoost:BoostType=Grad"),
        ("UseBaggedBoost:GradBaggingFraction=0.3", "UseBaggedBoost:BaggedSampleFraction=0.3"),
        ("UseBaggedBoost:UseNTrainEvents=120", "UseBaggedBoost:BaggedSampleFraction=0.5"),
    ],
)
def test_deprecated_options_are_understood(text, same):
    train = sample()
    method = BDT(BDTOptions.parse(f"NTrees=4:{text}"))
    name = next(
        n for n in ("nEventsMin", "NNodesMax", "UseBaggedGrad", "GradBaggingFraction", "UseNTrain") if n in text
    )
    with pytest.warns(MvakitWarning, match=f"'{name}.*' of BDT is deprecated; use "):
        method.check(context())
    np.testing.assert_array_equal(method.fit(train, context()).nodes.cut, fit(train, f"NTrees=4:{same}")[1].nodes.cut)


def test_too_large_a_number_of_events_is_refused():
    with pytest.raises(OptionError, match="less than half of the 240 training events, not 120"):
        BDT(BDTOptions.parse("nEventsMin=120")).fit(sample(), context())


@pytest.mark.parametrize(
    "text", ["NTrees=0", "MaxDepth=0", "nCuts=-2", "BoostType=RegBoost", "Shrinkage=0", "NodePurityLimit=1.5"]
)
def test_values_out_of_range_are_refused(text):
    with pytest.raises(OptionError, match=text.split("=")[0]):
        BDTOptions.parse(text)


@pytest.mark.parametrize(
    "text",
    ["Css=0", "Cts_sb=0", "Ctb_ss=0", "Cbb=0", "NodePurityLimit=0", "MinLinCorrForFisher=0", "nCuts=-1", "UseNvars=0",
     "PruningValFraction=0.5", "RandomSeed=0", "MaxDepth=500"],
)  # fmt: skip
def test_values_at_the_edge_are_taken(text):
    name, value = text.split("=")
    options = {spec.name: found for spec, found in BDTOptions.parse(text).items()}
    assert options[name] == float(value)

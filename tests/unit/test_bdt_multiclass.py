"""BDT for several classes: trees in turn, residuals, leaves, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from mvakit_methods.bdt import BDT, BDTOptions, team
from numba import config

from mvakit.dataset import DataSet, Sample
from mvakit.errors import MethodError, OptionError
from mvakit.method import FitContext
from mvakit.model import Model
from mvakit.model import train as train_model
from mvakit.types import AnalysisType
from mvakit.variables import define
from tests.reference.naive.weights import NaiveModel

CLASSES = ("one", "two", "three")
VARIABLES = (define("x"), define("y"))
# More than what sums are made of at once.
SIZE = 140_000 if not config.DISABLE_JIT else 300


def context(classes: tuple[str, ...] = CLASSES) -> FitContext:
    return FitContext(AnalysisType.MULTICLASS, "BDT", VARIABLES, classes)


def sample(n: int = 300, seed: int = 1, weights: bool = True) -> Sample:
    rng = np.random.default_rng(seed)
    index = np.arange(n) % 3
    X = rng.normal(size=(n, 2)) + np.array([[0, 0], [2, 0], [0, 2]])[index]
    return Sample(X.astype(np.float32), index, rng.uniform(0.5, 2, n) if weights else np.ones(n))


def fit(train: Sample, text: str, place: FitContext | None = None):
    place = place or context()
    method = BDT(BDTOptions.parse(text))
    method.check(place)
    return method, method.fit(train, place)


def leaf_of(state, tree: int, x: np.ndarray) -> int:
    node = first = int(state.first[tree])
    while state.nodes.variable[node] >= 0:
        right = x[state.nodes.variable[node]] >= state.nodes.cut[node]
        node = first + int((state.nodes.right if right else state.nodes.left)[node])
    return node


@pytest.mark.parametrize("weights", [True, False])
@pytest.mark.parametrize("exact", ["ExactCuts", "!ExactCuts"])
def test_leaves_say_what_the_residuals_of_their_class_ask_for(weights, exact):
    train = sample(weights=weights)
    _, state = fit(train, f"BoostType=Grad:NTrees=4:Shrinkage=0.5:MaxDepth=2:{exact}")
    assert state.n_outputs == 3
    assert len(state.boost_weight) == 12
    score = np.zeros((300, 3))
    for turn in range(4):
        share = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
        residual = ((train.class_index[:, None] == np.arange(3)) - share).astype(np.float32).astype(float)
        for k in range(3):
            at = np.array([leaf_of(state, 3 * turn + k, x) for x in train.X])
            for leaf in np.unique(at):
                w, r = train.weight[at == leaf], residual[at == leaf, k]
                expected = 0.5 / 3 * np.sum(w * r) / np.sum(w**2 * np.abs(r) * (1 - np.abs(r)))
                assert state.nodes.response[leaf] == pytest.approx(expected, rel=1e-4)
                share_of_class = np.sum(w[train.class_index[at == leaf] == k]) / w.sum()
                assert state.nodes.purity[leaf] == pytest.approx(share_of_class, rel=1e-5)
            score[:, k] += state.nodes.response[at]


def test_responses_are_shares_that_grow_sure():
    train = sample()
    method, state = fit(train, "BoostType=Grad:NTrees=40:Shrinkage=1")
    response = method.predict(state, train.X)
    assert response.shape == (300, 3)
    np.testing.assert_allclose(response.sum(axis=1), 1)
    assert np.mean(response.argmax(axis=1) == train.class_index) > 0.8


def test_each_tree_of_a_class_has_its_own_random_sample():
    bagged = fit(sample(), "BoostType=Grad:NTrees=3:UseBaggedBoost")[1]
    again = fit(sample(), "BoostType=Grad:NTrees=3:UseBaggedBoost")[1]
    other = fit(sample(), "BoostType=Grad:NTrees=3:UseBaggedBoost:RandomSeed=2")[1]
    np.testing.assert_array_equal(bagged.nodes.response, again.nodes.response)
    assert not np.array_equal(bagged.nodes.response, other.nodes.response)


def test_the_order_of_the_classes_does_not_matter():
    train = sample()
    method, state = fit(train, "BoostType=Grad:NTrees=5")
    turned = Sample(train.X, (train.class_index + 1) % 3, train.weight)
    _, other = fit(turned, "BoostType=Grad:NTrees=5")
    np.testing.assert_allclose(
        method.predict(other, train.X)[:, [1, 2, 0]], method.predict(state, train.X), rtol=1e-5, atol=1e-7
    )


def test_a_forest_is_read_back(tmp_path):
    train = sample()
    data = DataSet("dataset", VARIABLES, (), (), CLASSES, train, train)
    model = train_model(data, "BDT", "BoostType=Grad:NTrees=6:UseBaggedBoost:Shrinkage=0.3")
    path = model.save(tmp_path / "x.weights.xml")
    again, expected = Model.load(path), model.predict(train.X)
    np.testing.assert_array_equal(again.predict(train.X), expected)
    naive = NaiveModel(path)
    for x, row in zip(train.X[::20], expected[::20], strict=True):
        np.testing.assert_allclose(naive.responses(x.tolist()), row, rtol=0, atol=1e-6)


@pytest.mark.parametrize("boost", ["AdaBoost", "RealAdaBoost", "AdaCost", "Bagging", "AdaBoostR2"])
def test_only_grad_tells_several_classes_apart(boost):
    with pytest.raises(OptionError, match=rf"'BoostType' of BDT may be Grad for .*, and is {boost}"):
        fit(sample(), f"BoostType={boost}")


@pytest.mark.parametrize("option", ["UseFisherCuts", "DoPreselection"])
def test_what_is_for_two_classes_is_refused(option):
    with pytest.raises(OptionError, match=f"'{option}' of BDT tells signal from background"):
        fit(sample(), f"BoostType=Grad:{option}")


def test_events_that_cannot_be_trained_on_are_refused():
    train = sample()
    with pytest.raises(MethodError, match="no four event"):
        fit(train, "BoostType=Grad", context((*CLASSES, "four")))
    negative = train.with_weight(np.where(train.class_index == 1, -train.weight, train.weight))
    with pytest.raises(MethodError, match="weights of the two events add up to -"):
        fit(negative, "BoostType=Grad:Pray")
    with pytest.raises(MethodError, match="no cut separates the classes and leaves MinNodeSize=49%"):
        fit(Sample(np.zeros((300, 2), np.float32), train.class_index, train.weight), "BoostType=Grad:MinNodeSize=49%")
    with pytest.raises(MethodError, match="at most 255 classes apart, not 256"):
        fit(train, "BoostType=Grad", context(tuple(f"c{i}" for i in range(256))))


def test_negative_weights_are_paired_away_class_by_class():
    train = sample()
    weight = train.weight.copy()
    weight[[4, 5, 6]] = -0.4
    _, state = fit(train.with_weight(weight), "BoostType=Grad:NTrees=2:NegWeightTreatment=PairNegWeightsGlobal")
    assert np.isfinite(state.nodes.response).all()


@pytest.mark.parametrize("text", ["BoostType=Grad", "BoostType=Grad:UseBaggedBoost"])
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

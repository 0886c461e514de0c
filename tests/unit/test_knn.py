"""KNN against neighbours found by looking at every event, and against files that are damaged."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods.knn import KNN, KNNOptions, tree

from mvakit.errors import DataError, MethodError, WeightFileError
from mvakit.method import FitContext, WeightContext
from mvakit.types import AnalysisType
from mvakit.variables import Variable

RNG = np.random.default_rng(5)
N = 400
X = RNG.normal(size=(N, 3)).astype(np.float32) * np.float32([1, 10, 0.1])
KIND = np.where(RNG.random(N) < 0.4, 1, 2)
WEIGHT = RNG.uniform(0.1, 2, N)
TARGETS = RNG.normal(size=(N, 2)).astype(np.float32)
EVENTS = RNG.normal(size=(60, 3)).astype(np.float32) * np.float32([1, 10, 0.1])


def context(n_variables: int = 3, n_targets: int = 0) -> WeightContext:
    def names(letter: str, n: int) -> tuple[Variable, ...]:
        return tuple(Variable(f"{letter}{i}", f"{letter}{i}", "", "", "F", 0, 1) for i in range(n))

    analysis = AnalysisType.REGRESSION if n_targets else AnalysisType.CLASSIFICATION
    classes = ("Signal", "Background")
    return WeightContext(
        analysis, "KNN", names("x", n_variables), classes, names("t", n_targets), {}, lambda name: b"", {}
    )


def element(x=X, weight=WEIGHT, kind=KIND, targets=None) -> ET.Element:
    targets = np.empty((len(x), 0)) if targets is None else targets
    weights = ET.Element("Weights", NEvents=str(len(x)), NVar=str(x.shape[1]), NTgt=str(targets.shape[1]))
    for row, w, k in zip(np.hstack([x, targets]), weight, kind, strict=True):
        ET.SubElement(weights, "Event", Type=str(k), Weight=repr(float(w))).text = " ".join(map(repr, row.tolist()))
    return weights


def load(options: str = "", weights: ET.Element | None = None, n_targets: int = 0):
    weights = element() if weights is None else weights
    method = KNN(KNNOptions.parse(options))
    state = method.read_state(weights, context(int(weights.get("NVar", 0)), n_targets))
    return method, state


def neighbours(x: np.ndarray, events: np.ndarray, fraction: float, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the nearest k, the squares of their distances, and the scale, by looking at all events."""
    ordered = np.sort(x.astype(np.float64), axis=0)
    low, high = int(np.ceil((1 - fraction) / 2 * len(x))), int(np.ceil((1 + fraction) / 2 * len(x)))
    scale = ordered[min(high, len(x) - 1)] - ordered[low] if fraction else np.ones(x.shape[1])
    scaled, points = (x / scale).astype(np.float32), (events / scale).astype(np.float32)
    square = ((points[:, np.newaxis].astype(np.float64) - scaled) ** 2).sum(axis=2)
    nearest = np.argsort(square, axis=1, kind="stable")[:, :k]
    return nearest, np.take_along_axis(square, nearest, axis=1), scale


@pytest.mark.parametrize("fraction", [0.8, 0.5, 1.0, 0.0])
@pytest.mark.parametrize("k", [1, 20])
def test_fraction_of_signal(fraction, k):
    method, state = load(f"nkNN={k}:ScaleFrac={fraction}")
    nearest, _, scale = neighbours(X, EVENTS, fraction, k)
    np.testing.assert_allclose(state.tree.scale, scale)
    share = (WEIGHT[nearest] * (KIND[nearest] == 1)).sum(axis=1) / WEIGHT[nearest].sum(axis=1)
    np.testing.assert_allclose(method.predict(state, EVENTS), share, rtol=1e-12)


def test_event_weights_can_be_left_out():
    method, state = load("nkNN=10:UseWeight=False:UseKernel")
    nearest, _, _ = neighbours(X, EVENTS, 0.8, 10)
    np.testing.assert_allclose(method.predict(state, EVENTS), (KIND[nearest] == 1).mean(axis=1))


def test_polynomial_kernel():
    method, state = load("nkNN=15:UseKernel:Kernel=Poln")
    nearest, square, _ = neighbours(X, EVENTS, 0.8, 15)
    share = (1 - (square / square[:, -1:]) ** 1.5) ** 3 * WEIGHT[nearest]
    expected = (share * (KIND[nearest] == 1)).sum(axis=1) / share.sum(axis=1)
    np.testing.assert_allclose(method.predict(state, EVENTS), expected, rtol=1e-5)


def test_gaussian_kernel():
    """TMVA compares the scaled neighbours with the event as it is."""
    method, state = load("nkNN=15:UseKernel:SigmaFact=-1.5")
    nearest, _, scale = neighbours(X, EVENTS, 0.8, 15)
    gap = (X / scale).astype(np.float32)[nearest].astype(np.float64) - EVENTS[:, np.newaxis]
    width = 1.5 * np.sqrt((gap**2).mean(axis=1))
    share = WEIGHT[nearest] * np.exp(-0.5 * ((gap / width[:, np.newaxis]) ** 2).sum(axis=2))
    expected = (share * (KIND[nearest] == 1)).sum(axis=1) / share.sum(axis=1)
    np.testing.assert_allclose(method.predict(state, EVENTS), expected, rtol=1e-5)


def test_a_kernel_of_another_name_is_none():
    plain, state = load("nkNN=15")
    method = KNN(KNNOptions.parse("nkNN=15:UseKernel:Kernel=Gauss"))
    np.testing.assert_array_equal(method.predict(state, EVENTS), plain.predict(state, EVENTS))


@pytest.mark.parametrize("weighted", [True, False])
def test_mean_targets(weighted):
    method, state = load(f"nkNN=12:UseWeight={weighted}", element(targets=TARGETS), 2)
    nearest, _, _ = neighbours(X, EVENTS, 0.8, 12)
    weight = WEIGHT[nearest] if weighted else np.ones_like(WEIGHT[nearest])
    expected = (TARGETS[nearest] * weight[:, :, np.newaxis]).sum(axis=1) / weight.sum(axis=1)[:, np.newaxis]
    np.testing.assert_allclose(method.predict(state, EVENTS), expected, rtol=1e-4, atol=1e-6)


def test_one_target_is_one_column():
    method, state = load("nkNN=12", element(targets=TARGETS[:, :1]), 1)
    assert method.predict(state, EVENTS).shape == (len(EVENTS),)


def test_trim_takes_the_first_events_of_each_class():
    few = int((KIND == 1).sum())
    assert few < N / 2
    kept = np.sort(np.concatenate([np.flatnonzero(KIND == 1), np.flatnonzero(KIND == 2)[:few]]))
    _, state = load("Trim")
    np.testing.assert_array_equal(np.sort(state.tree.event[state.tree.event >= 0]), kept)
    trimmed, by_hand = load("nkNN=9:Trim"), load("nkNN=9", element(X[kept], WEIGHT[kept], KIND[kept]))
    np.testing.assert_array_equal(trimmed[0].predict(trimmed[1], EVENTS), by_hand[0].predict(by_hand[1], EVENTS))


def test_events_without_positive_weight_are_nobodys_neighbours():
    weight = WEIGHT.copy()
    weight[::3] *= -1
    method, state = load("nkNN=10:ScaleFrac=0", element(weight=weight))
    nearest, _, _ = neighbours(X, EVENTS, 0, N)
    expected = [
        (weight[row] * (KIND[row] == 1)).sum() / weight[row].sum()
        for row in (row[weight[row] > 0][:10] for row in nearest)
    ]
    np.testing.assert_allclose(method.predict(state, EVENTS), expected, rtol=1e-12)


# ------------------------------------------------------------------- equally distant events: the order of the search


@dataclass
class Node:
    x: list[float]
    event: int
    variable: int
    low: float = 0.0
    high: float = 0.0
    below: list[Node | None] = field(default_factory=lambda: [None, None])

    def __post_init__(self) -> None:
        self.low = self.high = self.x[self.variable]

    def add(self, x: list[float], event: int) -> None:
        value = x[self.variable]
        self.low, self.high = min(self.low, value), max(self.high, value)
        side = int(value >= self.x[self.variable])
        below = self.below[side]
        if below is None:
            self.below[side] = Node(x, event, (self.variable + 1) % len(x))
        else:
            below.add(x, event)

    def search(self, x: list[float], k: int, found: list[tuple[float, int]]) -> None:
        value = x[self.variable]
        if self.event >= 0:
            farthest = found[-1][0] if found else 0.0
            outside = max(value - self.high, self.low - value, 0.0)
            if len(found) == k and outside**2 > farthest:
                return
            square = sum((a - b) ** 2 for a, b in zip(x, self.x, strict=True))
            if len(found) < k or square < farthest:
                found.insert(sum(other <= square for other, _ in found), (square, self.event))
                del found[k:]
        first = int(value >= self.x[self.variable])
        for side in (first, 1 - first):
            if self.below[side] is not None:
                self.below[side].search(x, k, found)


def grow(x: np.ndarray, levels: int) -> Node:
    ordered, n_variables = np.sort(x, axis=0), x.shape[1]
    root = Node([float(ordered[len(x) // 2, 0])] * n_variables, -1, 0)
    row = [root]
    for level in range(1, levels):
        variable, children = level % n_variables, []
        for parent in row:
            for side in range(2):
                cut = ordered[len(x) * (len(children) + 1) // (2 * len(row) + 1), variable]
                parent.below[side] = Node([float(cut)] * n_variables, -1, variable)
                children.append(parent.below[side])
        row = children
    for i, values in enumerate(x.tolist()):
        root.add(values, i)
    return root


@pytest.mark.parametrize("levels", [1, 3, 6])
def test_of_equally_distant_events_those_count_that_the_search_meets_first(levels):
    x = RNG.integers(0, 4, size=(300, 2)).astype(np.float32)
    events = RNG.integers(-1, 5, size=(40, 2)).astype(np.float32)
    targets = np.arange(300, dtype=np.float32)[:, np.newaxis]
    weights = element(x, np.ones(300), np.ones(300, int), targets)
    method, state = load(f"nkNN=7:ScaleFrac=0:BalanceDepth={levels}", weights, 1)
    root, expected = grow(x, levels), []
    for event in events.tolist():
        found: list[tuple[float, int]] = []
        root.search(event, 9, found)
        expected.append(np.mean([place for _, place in found[:7]]))
    np.testing.assert_allclose(method.predict(state, events), expected, rtol=1e-6)


# --------------------------------------------------------------------------------------------- files and options


def test_read_write_read():
    for weights, n_targets in ((element(), 0), (element(targets=TARGETS), 2)):
        method, state = load("", weights, n_targets)
        again = ET.Element("Weights")
        assert method.write_state(state, again) == {}
        copy = method.read_state(ET.fromstring(ET.tostring(again)), context(3, n_targets))
        for name in ("X", "targets", "weight", "kind"):
            np.testing.assert_array_equal(getattr(copy, name), getattr(state, name))
        assert again.attrib == weights.attrib
        assert again[0].attrib.keys() == weights[0].attrib.keys()


def test_options_are_those_of_tmva():
    found = {spec.name: spec.default for spec in KNNOptions.declared()}
    expected = {
        "nkNN": 20,
        "BalanceDepth": 6,
        "ScaleFrac": 0.8,
        "SigmaFact": 1.0,
        "Kernel": "Gaus",
        "Trim": False,
        "UseKernel": False,
        "UseWeight": True,
        "UseLDA": False,
    }
    assert {name: found[name] for name in expected} == expected


def test_it_is_not_trained():
    with pytest.raises(MethodError, match="cannot be trained"):
        KNN(KNNOptions()).fit(None, FitContext(AnalysisType.CLASSIFICATION, "KNN", (), ()))


@pytest.mark.parametrize("size", [1, 5000])
def test_an_event_alone_gets_the_same_response(size):
    method, state = load("nkNN=11")
    events = np.resize(EVENTS, (size, 3))
    found = method.predict(state, events)
    np.testing.assert_array_equal(found[:60], method.predict(state, EVENTS)[:size])


def damaged(change) -> ET.Element:
    weights = element()
    change(weights)
    return weights


DAMAGES = {
    "NVar": lambda w: w.set("NVar", "4"),
    "NTgt": lambda w: w.set("NTgt", "1"),
    "NEvents": lambda w: w.set("NEvents", "1000000000000"),
    "Type": lambda w: w[3].set("Type", "3"),
    "Weight": lambda w: w[3].attrib.pop("Weight"),
    "not finite": lambda w: w[3].set("Weight", "nan"),
    "single precision": lambda w: setattr(w[3], "text", "1 1e300 1"),
    "not a number": lambda w: setattr(w[3], "text", "1 x 1"),
    "holds 2": lambda w: setattr(w[3], "text", "1 1"),
    "NEvents='50'": lambda w: [w.set("NEvents", "50"), [w.remove(e) for e in w[50:]]],
    "NEvents=1>": lambda w: [w.set("NEvents", "1"), [w.remove(e) for e in w[1:]]],
    "one value of the variable 'x1'": lambda w: [
        setattr(e, "text", f"{e.text.split()[0]} 5 {e.text.split()[2]}") for e in w
    ],
}


@pytest.mark.parametrize("what", DAMAGES)
def test_damaged_files_are_refused(what):
    options = "ScaleFrac=0" if what == "NEvents='50'" else ""
    options = "nkNN=49:ScaleFrac=0" if what == "NEvents='50'" else options
    with pytest.raises(WeightFileError, match=what.replace("(", r"\(")):
        method = KNN(KNNOptions.parse(options))
        method.read_state(damaged(DAMAGES[what]), context())


def test_measuring_takes_a_hundred_events():
    with pytest.raises(WeightFileError, match="takes 100 events"):
        load("nkNN=5", element(X[:99], WEIGHT[:99], KIND[:99]))
    load("nkNN=5", element(X[:100], WEIGHT[:100], KIND[:100]))


def test_a_regression_needs_targets():
    without = dataclasses.replace(context(), analysis=AnalysisType.REGRESSION)
    with pytest.raises(WeightFileError, match="without targets"):
        KNN(KNNOptions()).read_state(element(), without)


def test_the_unfinished_discriminant_is_refused():
    with pytest.raises(WeightFileError, match="UseLDA"):
        load("UseLDA")


def test_events_that_are_all_alike_are_refused_in_time(monkeypatch):
    monkeypatch.setattr(tree, "_MOST_STEPS", 10_000)
    same = np.ones((200, 2), np.float32)
    with pytest.raises(WeightFileError, match="too much alike"):
        load("ScaleFrac=0", element(same, np.ones(200), np.ones(200, int)))


def test_kernels_say_which_event_they_cannot_weigh():
    x = np.vstack([np.zeros((150, 3)), X]).astype(np.float32)
    weights = element(x, np.ones(len(x)), np.ones(len(x), int))
    events = np.float32([[9, 9, 9], [0, 0, 0]])
    method, state = load("nkNN=20:UseKernel:Kernel=Poln:ScaleFrac=0", weights)
    with pytest.raises(DataError, match="event 1: .*no radius"):
        method.predict(state, events)
    flat = X.copy()
    flat[:, 1] = np.where(np.arange(N) < 300, 7, 8)
    method, state = load("nkNN=20:UseKernel:ScaleFrac=0", element(flat))
    with pytest.raises(DataError, match="event 0: .*'x1'"):
        method.predict(state, np.float32([[0, 7, 0]]))
    method, state = load("nkNN=20:UseKernel:ScaleFrac=0:SigmaFact=1e-3")
    with pytest.raises(DataError, match="event 0: .*so far away"):
        method.predict(state, np.float32([[50, 500, 5]]))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of sums that overflow
def test_sums_too_large_for_a_number_are_left_for_the_model_to_refuse():
    method, state = load("", element(weight=np.full(N, 1e308)))
    assert not np.isfinite(method.predict(state, EVENTS)).all()
    method, state = load("", element(targets=np.full((N, 1), 3e38, np.float32)), 1)
    assert not np.isfinite(method.predict(state, EVENTS)).all()

"""PDERS against its volumes found by looking at every event, and against files that are damaged."""

from __future__ import annotations

import copy
import dataclasses
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods.pders import PDERS, PDERSOptions, method

from mvakit.errors import DataError, MethodError, WeightFileError
from mvakit.method import FitContext, WeightContext
from mvakit.types import AnalysisType
from mvakit.variables import Variable

RNG = np.random.default_rng(11)
N = 500
X = RNG.normal(size=(N, 2)).astype(np.float32) * np.float32([1, 5])
KIND = RNG.integers(0, 2, N)
X[KIND == 0, 0] += 1
WEIGHT = RNG.uniform(0.5, 1.5, N).astype(np.float32)
TARGETS = RNG.normal(size=(N, 2)).astype(np.float32)
EVENTS = np.vstack([RNG.normal(size=(80, 2)) * [1.5, 7], [[30, -200], [0, 1e6]]]).astype(np.float32)
OPTIONS = "NEventsMin=20:NEventsMax=40"


def context(n_targets: int = 0, classes: tuple[str, ...] = ("Signal", "Background")) -> WeightContext:
    def names(letter: str, n: int) -> tuple[Variable, ...]:
        return tuple(Variable(f"{letter}{i}", f"{letter}{i}", "", "", "F", 0, 1) for i in range(n))

    analysis = AnalysisType.REGRESSION if n_targets else AnalysisType.CLASSIFICATION
    return WeightContext(analysis, "PDERS", names("x", 2), classes, names("t", n_targets), {}, lambda name: b"", {})


def element(x=X, weight=WEIGHT, kind=KIND, targets=None) -> ET.Element:
    """Return events in a search tree, each put in where it belongs."""
    weights = ET.Element("Weights")
    tree = ET.SubElement(weights, "BinaryTree", type="BinarySearchTree")
    values = x if targets is None else np.hstack([x, targets])
    root: list | None = None
    for row, w, k in zip(values, weight, kind, strict=True):
        parent, side, depth, at = None, "s", 0, root
        while at is not None:
            parent, v = at, depth % 2
            side = "l" if row[v] <= at[0][v] else "r"
            at, depth = at[2].get(side), depth + 1
        attributes = {"pos": side, "depth": str(depth), "selector": str(depth % 2), "weight": repr(float(w))}
        node = ET.SubElement(tree if parent is None else parent[1], "Node", attributes, type=str(k), NVars="2")
        node.text = " ".join(map(repr, row.tolist()))
        made = [row, node, {}]
        if parent is None:
            root = made
        else:
            parent[2][side] = made
    for node in weights.iter("Node"):
        node[:] = sorted(node, key=lambda child: child.get("pos", ""))
    return weights


def load(options: str = OPTIONS, weights: ET.Element | None = None, **keywords):
    pders = PDERS(PDERSOptions.parse(options))
    return pders, pders.read_state(element() if weights is None else weights, context(**keywords))


def spread(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    mean = np.average(x.astype(np.float64), axis=0, weights=weight)
    return np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weight))


def volume(event: np.ndarray, width: np.ndarray, minimum: float, maximum: float, volumes: int = 150) -> np.ndarray:
    """Return which training events lie in the volume about an event, in double precision."""
    wanted, half, growth = (minimum + maximum) / 2, width / 2, 1.0

    def inside(scale: float) -> np.ndarray:
        gap = X.astype(np.float64) - event
        return ((-scale * growth * half < gap) & (gap <= scale * growth * half)).all(axis=1)

    while WEIGHT[inside(1)].sum() < minimum:
        growth *= 1.15
    first = now = best = float(WEIGHT[inside(1)].sum())
    scale = previous = best_scale = 0.99
    for _ in range(1, volumes):
        if minimum <= now <= maximum:
            break
        now = float(WEIGHT[inside(scale)].sum())
        if now > 1 and now != first:
            scale += (previous - 1) / (now - first) * (wanted - now) if previous != 1 else -0.01
        else:
            scale += 0.5
        previous = scale
        if abs(now - wanted) < abs(best - wanted) and (now >= minimum or best < now):
            best, best_scale = now, scale
    return inside(best_scale)


WIDTH = 3 * (spread(X[KIND == 0], WEIGHT[KIND == 0]) + spread(X[KIND == 1], WEIGHT[KIND == 1])) / 2


@pytest.mark.parametrize("options", ["", "VolumeRangeMode=kNN:KernelEstimator=Gauss:GaussSigma=0.3"])
def test_density_of_signal(options):
    """TMVA applies files with an adaptive volume and without a kernel, whatever their options."""
    pders, state = load(f"{OPTIONS}:{options}")
    np.testing.assert_allclose(state.volume.delta, WIDTH, rtol=1e-5)
    total = [WEIGHT[k == KIND].sum() for k in (0, 1)]
    expected = []
    for event in EVENTS:
        inside = volume(event, WIDTH, 20, 40)
        of_signal, of_background = (WEIGHT[inside & (k == KIND)].sum() / total[k] for k in (0, 1))
        expected.append(of_signal / (of_signal + of_background))
    np.testing.assert_allclose(pders.predict(state, EVENTS), expected, rtol=1e-5, atol=1e-7)


def test_where_one_class_is_alone():
    kind = (X[:, 0] < 0).astype(int)
    pders, state = load("NEventsMin=4:NEventsMax=8", element(kind=kind))
    found = pders.predict(state, np.float32([[2, 0], [-2, 0], [0, 0]]))
    assert found[:2].tolist() == [1.0, 0.0]
    assert 0 < found[2] < 1


@pytest.mark.parametrize(("minimum", "maximum", "scale", "volumes"), [(3, 6, 0.99, 150), (60, 61, 0.99, 3)])
def test_few_events_and_few_volumes(minimum, maximum, scale, volumes):
    options = f"NEventsMin={minimum}:NEventsMax={maximum}:InitialScale={scale}:MaxVIterations={volumes}"
    pders, state = load(options, element(targets=TARGETS), n_targets=2)
    width = state.volume.delta.astype(np.float64)
    # Far out, a volume ends at the edge of a training event, and rounding decides.
    near = EVENTS[:80]
    inside = [volume(event, width, minimum, maximum, volumes) for event in near]
    expected = [
        np.average(TARGETS[rows], axis=0, weights=WEIGHT[rows]) if rows.any() else np.zeros(2) for rows in inside
    ]
    np.testing.assert_allclose(pders.predict(state, near), expected, rtol=1e-4, atol=1e-6)


def test_widths_of_a_regression_are_those_of_its_one_class():
    _, state = load(OPTIONS, element(kind=np.zeros(N, int), targets=TARGETS[:, :1]), n_targets=1)
    np.testing.assert_allclose(state.volume.delta, 3 * spread(X, WEIGHT), rtol=1e-5)


def test_one_target_is_one_column():
    pders, state = load(OPTIONS, element(targets=TARGETS[:, :1]), n_targets=1)
    assert pders.predict(state, EVENTS).shape == (len(EVENTS),)


def test_signal_is_found_by_its_name():
    pders, state = load(weights=element(kind=1 - KIND))
    _, turned = load(weights=element(kind=1 - KIND), classes=("Background", "Signal"))
    # The scales stay those of the numbers: so it is in TMVA.
    ratio = np.float64(state.volume.scale[1]) / np.float64(state.volume.scale[0])
    some = (pders.predict(state, EVENTS) > 0) & (pders.predict(state, EVENTS) < 1)
    of_zero, of_one = pders.predict(state, EVENTS)[some], pders.predict(turned, EVENTS)[some]
    np.testing.assert_allclose((1 - of_zero) / of_zero / ratio, of_one / (1 - of_one) * ratio, rtol=1e-5)


def test_the_right_child_may_come_first():
    weights = element()
    for node in weights.iter("Node"):
        node[:] = reversed(node[:])
    pders, turned = load(weights=weights)
    np.testing.assert_array_equal(pders.predict(turned, EVENTS), pders.predict(load()[1], EVENTS))


def test_classes_may_be_named():
    weights = element()
    for node in weights.iter("Node"):
        node.set("type", ["Signal", "Background"][int(node.get("type"))])
    pders, named = load(weights=weights)
    np.testing.assert_array_equal(pders.predict(named, EVENTS), pders.predict(load()[1], EVENTS))


@pytest.mark.parametrize("size", [1, 2000])
def test_an_event_alone_gets_the_same_response(size):
    pders, state = load()
    found = pders.predict(state, np.resize(EVENTS, (size, 2)))
    np.testing.assert_array_equal(found[: len(EVENTS)], pders.predict(state, EVENTS)[:size])


def test_an_event_that_no_volume_reaches():
    pders, state = load()
    with pytest.raises(DataError, match="event 1: .*NEventsMin=20"):
        pders.predict(state, np.float32([[0, 0], [3e38, 0]]))


@pytest.mark.parametrize("n_targets", [0, 2])
def test_read_write_read(n_targets):
    weights = element(targets=TARGETS[:, :n_targets])
    pders, state = load(weights=weights, n_targets=n_targets)
    again = ET.Element("Weights")
    assert pders.write_state(state, again) == {}
    back = pders.read_state(ET.fromstring(ET.tostring(again)), context(n_targets))
    np.testing.assert_array_equal(pders.predict(back, EVENTS), pders.predict(state, EVENTS))
    for mine, theirs in zip(again.iter("Node"), weights.iter("Node"), strict=True):
        assert mine.keys() == theirs.keys()
        assert {k: v for k, v in mine.items() if k != "weight"} == {k: v for k, v in theirs.items() if k != "weight"}
        assert float(mine.get("weight")) == float(theirs.get("weight"))
        assert [float(w) for w in mine.text.split()] == [float(w) for w in theirs.text.split()]


def test_options_are_those_of_tmva():
    found = {spec.name: spec.default for spec in PDERSOptions.declared()}
    expected = {
        "VolumeRangeMode": "Adaptive",
        "KernelEstimator": "Box",
        "DeltaFrac": 3.0,
        "NEventsMin": 100.0,
        "NEventsMax": 200.0,
        "MaxVIterations": 150.0,
        "InitialScale": 0.99,
        "GaussSigma": 0.1,
        "NormTree": False,
    }
    assert {name: found[name] for name in expected} == expected


def test_it_is_not_trained():
    with pytest.raises(MethodError, match="cannot be trained"):
        PDERS(PDERSOptions()).fit(None, FitContext(AnalysisType.CLASSIFICATION, "PDERS", (), ()))


def first(weights: ET.Element) -> ET.Element:
    return weights[0][0]


def second(weights: ET.Element) -> ET.Element:
    return first(weights)[0]


WHOLE = element()
DAMAGES = {
    "lacks <BinaryTree>": lambda w: w.remove(w[0]),
    "one <Node> as its root and has 0": lambda w: w[0].remove(w[0][0]),
    "at most a child 'l'": lambda w: [child.set("pos", "l") for child in first(w)],
    "depth": lambda w: second(w).set("depth", "3"),
    "selector": lambda w: second(w).set("selector", "0"),
    "NVars": lambda w: second(w).set("NVars", "3000000000"),
    "type": lambda w: second(w).set("type", "2"),
    "weight": lambda w: second(w).set("weight", "nan"),
    "not finite": lambda w: setattr(second(w), "text", "inf 0"),
    "single precision": lambda w: second(w).set("weight", "1e300"),
    "holds 1": lambda w: setattr(second(w), "text", "1"),
    "lacks the attribute 'pos'": lambda w: second(w).attrib.pop("pos"),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_damaged_files_are_refused(what):
    weights = copy.deepcopy(WHOLE)
    DAMAGES[what](weights)
    with pytest.raises(WeightFileError, match=what):
        load(weights=weights)


def test_trees_that_are_too_deep_are_refused(monkeypatch):
    monkeypatch.setattr(method, "MAX_DEPTH", 10)
    with pytest.raises(WeightFileError, match="deeper than 10"):
        load()


def test_searches_that_would_never_end_are_refused():
    with pytest.raises(WeightFileError, match="NEventsMin=1000"):
        load("NEventsMin=1000:NEventsMax=2000")
    flat = X.copy()
    flat[:, 1] = 3
    with pytest.raises(WeightFileError, match="no spread in the variable 'x1'"):
        load(weights=element(flat))
    with pytest.raises(WeightFileError, match="DeltaFrac=0"):
        load(f"{OPTIONS}:DeltaFrac=0")


def test_a_regression_needs_targets():
    without = dataclasses.replace(context(), analysis=AnalysisType.REGRESSION)
    with pytest.raises(WeightFileError, match="without targets"):
        PDERS(PDERSOptions.parse(OPTIONS)).read_state(WHOLE, without)


def test_a_class_without_events_has_no_spread_of_its_own():
    pders, state = load(weights=element(kind=np.zeros(N, int)))
    np.testing.assert_allclose(state.volume.delta, 1.5 * spread(X, WEIGHT), rtol=1e-5)
    assert set(pders.predict(state, EVENTS)) == {1.0}

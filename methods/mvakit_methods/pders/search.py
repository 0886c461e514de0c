"""The volume about an event and what lies in it, in the steps and with the roundings of TMVA.

The outcome depends on both: a volume that is larger by the last digit may hold one more event.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError
from mvakit_methods._compiled import kernel, over_events
from mvakit_methods.pders.options import PDERSOptions
from mvakit_methods.pders.tree import EventTree, Volume

__all__ = ["classify", "regress"]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]

_GROWTH: Final = 1.15
# Enough to grow from the smallest to the largest single-precision number; TMVA would go on.
_MOST_GROWTHS: Final = 1500
_NOTHING: Final = 1e-20


@kernel
def _inside(x: Array, lower: Array, upper: Array) -> bool:
    for v in range(x.size):  # noqa: SIM110 - a loop is what is compiled best
        if not (lower[v] < x[v] and upper[v] >= x[v]):
            return False
    return True


@kernel
def _search(
    X: Array, weight: Array, children: Array, depth: Array, lower: Array, upper: Array, waiting: Array, found: Array
) -> tuple[float, int]:
    """Return the sum of weights in a volume and how many nodes it holds, which are put into `found`."""
    total, count, top = 0.0, 0, 1
    waiting[0] = 0
    while top:
        top -= 1
        node = waiting[top]
        x = X[node]
        if _inside(x, lower, upper):
            total += weight[node]
            found[count] = node
            count += 1
        v = depth[node] % x.size
        left, right = children[node, 0], children[node, 1]
        if right >= 0 and upper[v] >= x[v]:
            waiting[top] = right
            top += 1
        if left >= 0 and lower[v] < x[v]:
            waiting[top] = left
            top += 1
    return total, count


@kernel
def _search_among(
    X: Array, weight: Array, among: Array, size: int, lower: Array, upper: Array, found: Array
) -> tuple[float, int]:
    """Return what `_search` does, looking only at some nodes, which hold all of the volume in the tree's order."""
    total, count = 0.0, 0
    for i in range(size):
        if _inside(X[among[i]], lower, upper):
            total += weight[among[i]]
            found[count] = among[i]
            count += 1
    return total, count


@kernel
def _within(lower: Array, upper: Array, outer_lower: Array, outer_upper: Array) -> bool:
    for v in range(lower.size):  # noqa: SIM110
        if not (lower[v] >= outer_lower[v] and upper[v] <= outer_upper[v]):
            return False
    return True


@kernel
def _scale(lower: Array, upper: Array, factor: float, new_lower: Array, new_upper: Array) -> None:
    """Widen a volume about its middle."""
    for v in range(lower.size):
        low = 0.5 * (lower[v] * (1.0 + factor) + upper[v] * (1.0 - factor))
        new_upper[v] = 0.5 * (lower[v] * (1.0 - factor) + upper[v] * (1.0 + factor))
        new_lower[v] = low


@kernel
def _adapt(
    X: Array,
    weight: Array,
    children: Array,
    depth: Array,
    lower: Array,
    upper: Array,
    minimum: float,
    maximum: float,
    most_volumes: float,
    initial_scale: float,
    waiting: Array,
    found: Array,
    known: Array,
    trial: Array,
    outer: Array,
) -> int:
    """Scale a volume until its sum of weights lies in a range; return how many nodes it holds, or -1 if none suffices.

    `found` takes the nodes. `known` holds those of the smallest volume so far that has too many: a smaller one within
    that, which is what is tried next, is looked for among them.
    """
    least, largest = np.float32(minimum), np.float32(maximum)
    total, n_known = _search(X, weight, children, depth, lower, upper, waiting, known)
    first = np.float32(total)
    growths = 0
    while first < least:
        if growths == _MOST_GROWTHS:
            return -1
        _scale(lower, upper, _GROWTH, lower, upper)
        total, n_known = _search(X, weight, children, depth, lower, upper, waiting, known)
        first = np.float32(total)
        growths += 1
    outer[0], outer[1] = lower, upper
    # Linear steps, in single precision, always from the first volume. With the best volume the scale of the one that
    # follows it is kept: so it is in TMVA.
    now = best = first
    wanted = np.float32(0.5 * float(least + largest))
    scale = scale_now = best_scale = np.float32(initial_scale)
    step = 1
    while step < most_volumes and (now < least or now > largest):
        _scale(lower, upper, float(scale), trial[0], trial[1])
        if _within(trial[0], trial[1], outer[0], outer[1]):
            total, count = _search_among(X, weight, known, n_known, trial[0], trial[1], found)
            if np.float32(total) > largest:
                known[:count] = found[:count]
                n_known = count
                outer[:] = trial
        else:
            total, count = _search(X, weight, children, depth, trial[0], trial[1], waiting, found)
        now = np.float32(total)
        if now > np.float32(1.0) and now - first != np.float32(0.0):
            if scale_now - np.float32(1.0) != np.float32(0.0):
                slope = np.float32(np.float32(scale_now - np.float32(1.0)) / np.float32(now - first))
                scale = np.float32(scale + np.float32(slope * np.float32(wanted - now)))
            else:
                scale = np.float32(float(scale) - 0.01)
        else:
            scale = np.float32(float(scale) + 0.5)
        scale_now = scale
        if abs(now - wanted) < abs(best - wanted) and (now >= least or best < now):
            best, best_scale = now, scale
        step += 1
    _scale(lower, upper, float(best_scale), lower, upper)
    if _within(lower, upper, outer[0], outer[1]):
        return _search_among(X, weight, known, n_known, lower, upper, found)[1]
    return _search(X, weight, children, depth, lower, upper, waiting, found)[1]


@kernel
def _respond(
    events: Array,
    X: Array,
    weight: Array,
    kind: Array,
    targets: Array,
    children: Array,
    depth: Array,
    delta: Array,
    scales: Array,
    signal: int,
    minimum: float,
    maximum: float,
    most_volumes: float,
    initial_scale: float,
    regression: bool,
    begin: int,
    end: int,
    out: Array,
) -> None:
    n_nodes, n_variables = X.shape
    n_targets = targets.shape[1]
    lower, upper = np.empty(n_variables), np.empty(n_variables)
    trial, outer = np.empty((2, n_variables)), np.empty((2, n_variables))
    waiting, found, known = np.empty(n_nodes + 1, np.int64), np.empty(n_nodes, np.int64), np.empty(n_nodes, np.int64)
    sums = np.empty(n_targets, np.float32)
    for e in range(begin, end):
        for v in range(n_variables):
            lower[v] = float(events[e, v]) - float(delta[v]) * 0.5
            upper[v] = float(events[e, v]) + float(np.float32(delta[v] * np.float32(0.5)))
        count = _adapt(
            X, weight, children, depth, lower, upper, minimum, maximum, most_volumes, initial_scale,
            waiting, found, known, trial, outer,
        )  # fmt: skip
        if count < 0:
            out[e, 0] = np.nan
            continue
        if regression:
            # TMVA keeps these sums in single precision.
            divisor = np.float32(0.0)
            sums[:] = 0.0
            for i in range(count):
                share = float(weight[found[i]])
                divisor = np.float32(divisor + share)
                for t in range(n_targets):
                    sums[t] = np.float32(sums[t] + share * targets[found[i], t])
            for t in range(n_targets):
                out[e, t] = sums[t] / divisor if divisor != 0.0 else sums[t]
            continue
        of_signal = of_background = 0.0
        for i in range(count):
            if kind[found[i]] == signal:
                of_signal += weight[found[i]]
            else:
                of_background += weight[found[i]]
        if of_signal < _NOTHING and of_background < _NOTHING:
            out[e, 0] = 0.5
        elif of_background < _NOTHING:
            out[e, 0] = 1.0
        elif of_signal < _NOTHING:
            out[e, 0] = 0.0
        else:
            ratio = np.float32(of_background * scales[1] / (of_signal * scales[0]))
            out[e, 0] = 1.0 / (float(ratio) + 1.0)


def _apply(
    tree: EventTree, volume: Volume, X: npt.NDArray[np.float32], options: PDERSOptions, signal: int, *, regression: bool
) -> FloatArray:
    X = np.ascontiguousarray(X, np.float32)
    out = np.empty((len(X), tree.targets.shape[1] if regression else 1))
    scales = np.array([float(scale) for scale in volume.scale])

    def work(begin: int, end: int) -> None:
        _respond(
            X, tree.X, tree.weight, tree.kind, tree.targets, tree.children, tree.depth, volume.delta, scales, signal,
            options.min_events, options.max_events, options.max_iterations, options.initial_scale,
            regression, begin, end, out,
        )  # fmt: skip

    over_events(work, len(X))
    if np.isnan(out[:, 0]).any():
        event = int(np.argmax(np.isnan(out[:, 0])))
        raise DataError(f"event {event}: no volume about it holds NEventsMin={options.min_events:g} training events")
    return out


def classify(
    tree: EventTree, volume: Volume, X: npt.NDArray[np.float32], options: PDERSOptions, signal: int
) -> FloatArray:
    """Return the probability of each event to be signal, shape (n,).

    Parameters
    ----------
    tree : EventTree
    volume : Volume
    X : ndarray of float32, shape (n, n_variables)
    options : PDERSOptions
    signal : int
        The number of the class that is signal.

    Raises
    ------
    DataError
        If an event lies so far out that no volume about it holds ``NEventsMin``; TMVA would search forever.
    """
    return _apply(tree, volume, X, options, signal, regression=False)[:, 0]


def regress(tree: EventTree, volume: Volume, X: npt.NDArray[np.float32], options: PDERSOptions) -> FloatArray:
    """Return the mean targets of the training events about each event, shape (n, n_targets).

    Raises
    ------
    DataError
        As `classify`.
    """
    return _apply(tree, volume, X, options, 0, regression=True)

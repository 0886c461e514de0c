"""What the neighbours of an event say: a fraction of signal, or mean targets, in TMVA's arithmetic."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError
from mvakit_methods._compiled import kernel, over_events
from mvakit_methods.knn.tree import SearchTree, nearest

__all__ = ["GAUSS", "NO_KERNEL", "PADDING", "POLYNOMIAL", "classify", "regress"]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]

NO_KERNEL: Final = 0
GAUSS: Final = 1
POLYNOMIAL: Final = 2
SIGNAL: Final = 1
# TMVA looks for two neighbours more than it uses.
PADDING: Final = 2

_NO_RADIUS: Final = -1
_NO_WEIGHT: Final = -2
_NO_WIDTH: Final = -3  # of variable 0, and -4 of variable 1


@kernel
def _gauss_widths(
    x: Array, position: Array, found: Array, distance: Array, used: int, factor: float, widths: Array
) -> int:
    """Fill in the spread of the neighbours about an event in each variable; return the variable that has none, or -1.

    The neighbours are in units of the tree's scale and the event is not: so it is in TMVA.
    """
    n_variables, count = x.size, 0
    widths[:] = 0.0
    for k in range(found.size):
        if distance[k] > 0.0:
            for v in range(n_variables):
                gap = float(position[found[k], v] - x[v])
                widths[v] += gap * gap
            count += 1
            if count == used:
                break
    for v in range(n_variables):
        if not widths[v] > 0.0:
            return v
        widths[v] = factor * math.sqrt(widths[v] / count)
        if not widths[v] > 0.0:
            return v
    return -1


@kernel
def _gauss(x: Array, neighbour: Array, widths: Array) -> float:
    exponent = 0.0
    for v in range(x.size):
        gap = float(neighbour[v] - x[v])
        exponent += gap * gap / (2.0 * widths[v] * widths[v])
    return math.exp(-exponent)


@kernel
def _classify(
    X: Array,
    scale: Array,
    position: Array,
    weight: Array,
    signal: Array,
    split: Array,
    low: Array,
    high: Array,
    children: Array,
    depth: int,
    used: int,
    mode: int,
    factor: float,
    weighted: bool,
    begin: int,
    end: int,
    out: Array,
    problem: Array,
) -> None:
    n_variables = X.shape[1]
    found, distance = np.empty(used + PADDING, np.int64), np.empty(used + PADDING, np.float32)
    waiting, scaled = np.empty((depth + 2, 2), np.int64), np.empty(n_variables, np.float32)
    widths = np.empty(n_variables)
    for e in range(begin, end):
        x = X[e]
        for v in range(n_variables):
            scaled[v] = x[v] / scale[v]
        nearest(scaled, position, weight, split, low, high, children, found, distance, waiting)
        inverse_radius = 0.0
        if mode == POLYNOMIAL:
            # The neighbours come nearest first.
            radius, count = 0.0, 0
            for k in range(found.size):
                if distance[k] > 0.0 and count < used:
                    radius = float(distance[k])
                    count += 1
            if not radius > 0.0:
                problem[e] = _NO_RADIUS
                continue
            inverse_radius = 1.0 / math.sqrt(radius)
        elif mode == GAUSS:
            flat = _gauss_widths(x, position, found, distance, used, factor, widths)
            if flat >= 0:
                problem[e] = _NO_WIDTH - flat
                continue
        total = of_signal = 0.0
        for k in range(used):
            node = found[k]
            share = weight[node] if weighted else 1.0
            if weighted and mode == GAUSS:
                share *= _gauss(x, position[node], widths)
            elif weighted and mode == POLYNOMIAL:
                r = math.sqrt(float(distance[k])) * inverse_radius
                term = 1.0 - r * r * r
                share *= term * term * term if r < 1.0 else 0.0
            total += share
            if signal[node]:
                of_signal += share
        if not total > 0.0:
            problem[e] = _NO_WEIGHT
            continue
        out[e] = of_signal / total


@kernel
def _regress(
    X: Array,
    scale: Array,
    position: Array,
    weight: Array,
    targets: Array,
    split: Array,
    low: Array,
    high: Array,
    children: Array,
    depth: int,
    used: int,
    weighted: bool,
    begin: int,
    end: int,
    out: Array,
) -> None:
    n_variables, n_targets = X.shape[1], targets.shape[1]
    found, distance = np.empty(used + PADDING, np.int64), np.empty(used + PADDING, np.float32)
    waiting, scaled = np.empty((depth + 2, 2), np.int64), np.empty(n_variables, np.float32)
    sums = np.empty(n_targets, np.float32)
    for e in range(begin, end):
        for v in range(n_variables):
            scaled[v] = X[e, v] / scale[v]
        nearest(scaled, position, weight, split, low, high, children, found, distance, waiting)
        total = 0.0
        sums[:] = 0.0
        for k in range(used):
            share = weight[found[k]] if weighted else 1.0
            total += share
            for t in range(n_targets):
                # TMVA keeps the sum in single precision.
                sums[t] = np.float32(sums[t] + targets[found[k], t] * share)
        for t in range(n_targets):
            out[e, t] = np.float32(sums[t] / total)


def classify(
    tree: SearchTree,
    signal: npt.NDArray[np.bool_],
    X: npt.NDArray[np.float32],
    labels: tuple[str, ...],
    *,
    used: int,
    mode: int,
    factor: float,
    weighted: bool,
) -> FloatArray:
    """Return the fraction of signal among the neighbours of each event, shape (n,).

    Parameters
    ----------
    tree : SearchTree
    signal : ndarray of bool, shape (n_nodes,)
        Which nodes of the tree are signal.
    X : ndarray of float32, shape (n, n_variables)
    labels : tuple of str
        What the variables are called.
    used : int
        How many neighbours count.
    mode : int
        `NO_KERNEL`, `GAUSS` or `POLYNOMIAL`.
    factor : float
        What the widths of the Gaussian kernel are multiplied with.
    weighted : bool
        Whether event weights, and with them the kernel, count.

    Raises
    ------
    DataError
        If an event's neighbours give a kernel no width, where TMVA ends the program.
    """
    X = np.ascontiguousarray(X, np.float32)
    out, problem = np.empty(len(X)), np.zeros(len(X), np.int64)
    arrays = (tree.scale, tree.position, tree.weight, signal, tree.split, tree.lowest, tree.highest, tree.children)

    def work(begin: int, end: int) -> None:
        _classify(X, *arrays, tree.depth, used, mode, factor, weighted, begin, end, out, problem)

    over_events(work, len(X))
    if problem.any():
        event = int(np.argmax(problem != 0))
        raise DataError(f"event {event}: {_explained(int(problem[event]), labels)}")
    return out


def _explained(problem: int, labels: tuple[str, ...]) -> str:
    if problem == _NO_RADIUS:
        return "its neighbours all lie where it does, which gives Kernel=Poln no radius"
    if problem == _NO_WEIGHT:
        return "its neighbours lie so far away that Kernel=Gaus gives none a weight"
    label = labels[_NO_WIDTH - problem]
    return f"its neighbours have its value of the variable {label!r}, which gives Kernel=Gaus no width"


def regress(
    tree: SearchTree,
    targets: npt.NDArray[np.float32],
    X: npt.NDArray[np.float32],
    *,
    used: int,
    weighted: bool,
) -> FloatArray:
    """Return the mean targets of the neighbours of each event, shape (n, n_targets).

    Parameters
    ----------
    tree : SearchTree
    targets : ndarray of float32, shape (n_nodes, n_targets)
    X : ndarray of float32, shape (n, n_variables)
    used : int
        How many neighbours count.
    weighted : bool
        Whether event weights count.

    Raises
    ------
    DataError
        If a sum of targets is too large for single precision.
    """
    X = np.ascontiguousarray(X, np.float32)
    out = np.empty((len(X), targets.shape[1]))
    arrays = (tree.scale, tree.position, tree.weight, targets, tree.split, tree.lowest, tree.highest, tree.children)

    def work(begin: int, end: int) -> None:
        _regress(X, *arrays, tree.depth, used, weighted, begin, end, out)

    over_events(work, len(X))
    return out

"""What the cells of a foam say of events: the cell of an event, or an average over cells, in TMVA's single precision."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods._compiled import kernel, over_events
from mvakit_methods.pdefoam.foam import Foam

__all__ = ["GAUSS", "LINEAR_NEIGHBOURS", "NO_KERNEL", "cell_values", "targets"]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]
SingleArray = npt.NDArray[np.float32]

# As numbered in <Weights Kernel=>.
NO_KERNEL: Final = 0
GAUSS: Final = 1
LINEAR_NEIGHBOURS: Final = 2

# How far beyond a border a neighbour is looked for.
_STEP: Final = float(np.float32(1e-6))
_SMALL: Final = float(np.finfo(np.float32).eps)


@kernel
def _find(x: Array, dimension: Array, border: Array, daughters: Array) -> int:
    """Return the undivided cell in which a point lies."""
    cell = 0
    while dimension[cell] >= 0:
        cell = daughters[cell, 0 if x[dimension[cell]] <= border[cell] else 1]
    return cell


@kernel
def _neighbours_mean(
    x: Array,
    cell: int,
    dimension: Array,
    border: Array,
    daughters: Array,
    position: Array,
    size: Array,
    value: Array,
    undefined: Array,
) -> np.float32:
    """Return the mean value of a cell's neighbours at a point, or 0 if none has one."""
    total, count = np.float32(0.0), np.float32(0.0)
    for d in range(x.size):
        kept = x[d]
        for side in range(2):
            low = position[cell, d]
            x[d] = np.float32(low - _STEP if side == 0 else low + size[cell, d] + _STEP)
            other = _find(x, dimension, border, daughters)
            if not undefined[other]:
                total = np.float32(total + value[other])
                count = np.float32(count + np.float32(1.0))
        x[d] = kept
    return np.float32(total / count) if count > np.float32(0.0) else np.float32(0.0)


@kernel
def _linear(
    x: Array,
    cell: int,
    dimension: Array,
    border: Array,
    daughters: Array,
    position: Array,
    size: Array,
    value: Array,
    undefined: Array,
) -> np.float32:
    """Return the value of a cell, shared with its nearest neighbour in each dimension."""
    total, count = np.float32(0.0), 0
    for d in range(x.size):
        kept, low = x[d], position[cell, d]
        share = np.float32((kept - low) / size[cell, d])
        if share < 0.5:
            x[d] = np.float32(low - _STEP)
        else:
            share = np.float32(np.float32(1.0) - share)
            x[d] = np.float32(low + size[cell, d] + _STEP)
        other = _find(x, dimension, border, daughters)
        x[d] = kept
        if not undefined[other]:
            total = np.float32(total + value[cell] * (0.5 + float(share)))
            total = np.float32(total + value[other] * (0.5 - float(share)))
            count += 1
    return np.float32(total / np.float32(count)) if count else value[cell]


@kernel
def _gauss(
    x: Array,
    cell: int,
    dimension: Array,
    border: Array,
    daughters: Array,
    position: Array,
    size: Array,
    value: Array,
    undefined: Array,
    sigma: float,
) -> np.float32:
    """Return the mean of all cells by the distance of their nearest points."""
    total, norm = np.float32(0.0), np.float32(0.0)
    instead = np.float32(0.0)
    if undefined.any():
        instead = _neighbours_mean(x, cell, dimension, border, daughters, position, size, value, undefined)
    for d in range(x.size):
        x[d] = min(max(x[d], np.float32(0.0)), np.float32(1.0))
    for c in range(dimension.size):
        if dimension[c] >= 0:
            continue
        square = np.float32(0.0)
        for d in range(x.size):
            low = position[c, d]
            high = low + size[c, d]
            nearest = np.float32(low) if low > x[d] else np.float32(high) if high < x[d] else x[d]
            gap = np.float32(x[d] - nearest)
            square = np.float32(square + np.float32(gap * gap))
        pull = float(np.float32(math.sqrt(float(square)))) / sigma
        weight = np.float32(math.exp(-0.5 * pull * pull))
        total = np.float32(total + np.float32(weight * (instead if undefined[c] else value[c])))
        norm = np.float32(norm + weight)
    return np.float32(total / norm) if norm != np.float32(0.0) else np.float32(0.0)


@kernel
def _cell_values(
    X: Array,
    lowest: Array,
    highest: Array,
    dimension: Array,
    border: Array,
    daughters: Array,
    position: Array,
    size: Array,
    value: Array,
    undefined: Array,
    mode: int,
    sigma: float,
    begin: int,
    end: int,
    out: Array,
) -> None:
    x = np.empty(X.shape[1], np.float32)
    for e in range(begin, end):
        for d in range(x.size):
            x[d] = np.float32((float(X[e, d]) - lowest[d]) / (highest[d] - lowest[d]))
        cell = _find(x, dimension, border, daughters)
        if undefined[cell]:
            out[e] = _neighbours_mean(x, cell, dimension, border, daughters, position, size, value, undefined)
        elif mode == LINEAR_NEIGHBOURS:
            out[e] = _linear(x, cell, dimension, border, daughters, position, size, value, undefined)
        elif mode == GAUSS:
            out[e] = _gauss(x, cell, dimension, border, daughters, position, size, value, undefined, sigma)
        else:
            out[e] = value[cell]


@kernel
def _targets(
    X: Array,
    lowest: Array,
    highest: Array,
    dimension: Array,
    border: Array,
    daughters: Array,
    position: Array,
    size: Array,
    density: Array,
    most_probable: bool,
    begin: int,
    end: int,
    out: Array,
) -> None:
    n_variables, n_dimensions = X.shape[1], lowest.size
    x, middle = np.empty(n_variables, np.float32), np.empty(n_dimensions, np.float32)
    sums, norm = np.empty(n_dimensions, np.float32), np.empty(n_dimensions, np.float32)
    waiting = np.empty(dimension.size + 1, np.int64)
    for e in range(begin, end):
        for d in range(n_variables):
            inside = X[e, d]
            if inside <= lowest[d]:
                inside = np.float32(lowest[d] + _SMALL)
            elif inside >= highest[d]:
                inside = np.float32(highest[d] - _SMALL)
            x[d] = np.float32((float(inside) - lowest[d]) / (highest[d] - lowest[d]))
        sums[:] = 0.0
        norm[:] = 0.0
        densest = 0.0
        waiting[0] = 0
        top = 1
        while top:
            top -= 1
            cell = waiting[top]
            while 0 <= dimension[cell] < n_variables:
                cell = daughters[cell, 0 if x[dimension[cell]] <= border[cell] else 1]
            if dimension[cell] >= 0:
                waiting[top], waiting[top + 1] = daughters[cell, 1], daughters[cell, 0]
                top += 2
                continue
            of_cell = float(density[cell])
            for d in range(n_variables, n_dimensions):
                centre = np.float32(position[cell, d] + 0.5 * size[cell, d])
                middle[d] = np.float32(float(centre) * (highest[d] - lowest[d]) + lowest[d])
                if not most_probable:
                    sums[d] = np.float32(sums[d] + of_cell * middle[d])
                    norm[d] = np.float32(norm[d] + of_cell)
                elif of_cell > densest:
                    # So that TMVA sets only the first target of a cell.
                    densest = of_cell
                    sums[d] = middle[d]
        for d in range(n_variables, n_dimensions):
            if most_probable:
                out[e, d - n_variables] = sums[d]
            elif norm[d] > _SMALL:
                out[e, d - n_variables] = np.float32(sums[d] / norm[d])
            else:
                out[e, d - n_variables] = np.float32((highest[d] - lowest[d]) / 2.0)


def cell_values(foam: Foam, X: SingleArray, mode: int, sigma: float, *, density: bool = False) -> FloatArray:
    """Return what a foam says at events, shape (n,).

    Parameters
    ----------
    foam : Foam
    X : ndarray of float32, shape (n, n_dimensions)
    mode : int
        `NO_KERNEL`, `GAUSS` or `LINEAR_NEIGHBOURS`.
    sigma : float
        The width of `GAUSS`, as a fraction of each range.
    density : bool
        Whether densities are asked for rather than values.

    Raises
    ------
    DataError
        If a sum is too large for single precision.
    """
    X = np.ascontiguousarray(X, np.float32)
    out = np.empty(len(X))
    value = foam.density if density else foam.value
    arrays = (foam.lowest, foam.highest, foam.dimension, foam.border, foam.daughters, foam.position, foam.size, value)

    def work(begin: int, end: int) -> None:
        _cell_values(X, *arrays, foam.undefined, mode, sigma, begin, end, out)

    over_events(work, len(X))
    return out


def targets(foam: Foam, X: SingleArray, *, most_probable: bool) -> FloatArray:
    """Return the targets of events, which are the last dimensions of a foam, shape (n, n_targets).

    Parameters
    ----------
    foam : Foam
    X : ndarray of float32, shape (n, n_variables)
    most_probable : bool
        Whether the densest of the cells at an event is taken rather than their mean.

    Raises
    ------
    DataError
        If a sum is too large for single precision.
    """
    X = np.ascontiguousarray(X, np.float32)
    out = np.empty((len(X), len(foam.lowest) - X.shape[1]))
    arrays = (foam.lowest, foam.highest, foam.dimension, foam.border, foam.daughters, foam.position, foam.size)

    def work(begin: int, end: int) -> None:
        _targets(X, *arrays, foam.density, most_probable, begin, end, out)

    over_events(work, len(X))
    return out

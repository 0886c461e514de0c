"""The distribution of a column too long to be sorted: a summary of it, made in one pass, whose error is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from mvakit.transformations.base import Float32Array, FloatArray

__all__ = ["QuantileSketch", "Summary", "stable_order"]

POINTS: Final = 8192
"""Values that stand for a summarised stretch of events."""
FAN: Final = 8
"""How many summaries are made into one; and how many times `POINTS` events make the first."""
_MANY: Final = 64  # stretches that wait to be summarised, if they have few different values


@dataclass(frozen=True, slots=True)
class Summary:
    """Values in rising order, and weights that stand for those of all events near them.

    Attributes
    ----------
    values : ndarray of float32
        The first and the last are the smallest and the largest of the events.
    weight : ndarray of float64
    total : float
        The sum of the weights of the events.
    smallest_weight : float
        Of any event.
    error : float
        The share of the absolute weight by which what lies below a value may at most be wrong.
    """

    values: Float32Array
    weight: FloatArray
    total: float
    smallest_weight: float
    error: float

    @classmethod
    def joined(cls, parts: Sequence[Summary]) -> Summary:
        """Return the summary of all events of several."""
        values, weight = _joined([(part.values, part.weight) for part in parts])
        size = sum(float(np.abs(part.weight).sum()) for part in parts)
        wrong = sum(part.error * float(np.abs(part.weight).sum()) for part in parts)
        return cls(
            values,
            weight,
            sum(part.total for part in parts),
            min(part.smallest_weight for part in parts),
            wrong / size if size else 0.0,
        )


class QuantileSketch:
    """Makes a `Summary` of events that come block by block.

    Events are collected, and whenever they have more than ``FAN * points`` different values, `points` of these take their
    place: those below which lie 1/2, 3/2, 5/2... of `points` equal shares of the weight, each with one share. That
    changes the weight below any value by half a share at most. `FAN` such summaries are joined and summarised again, and so
    on: each event takes part in about ``log(n / points) / log(FAN)`` of these steps, and each step adds ``1 / (2 points)``
    to the error. Columns of few events or few different values are never summarised, and exact.

    Negative weights are kept apart from the others.

    References
    ----------
    The scheme is that of J. I. Munro and M. S. Paterson, *Selection and Sorting with Limited Storage*, Theoretical Computer
    Science 12 (1980) 315, and G. S. Manku, S. Rajagopalan, B. G. Lindsay, SIGMOD Record 27 (1998) 426, with weights.
    """

    def __init__(self, points: int = POINTS) -> None:
        self._signs = (_Levels(points), _Levels(points))
        self._smallest_weight = np.inf
        self._low, self._high = np.float32(np.inf), np.float32(-np.inf)
        self._total = 0.0

    def add(self, values: Float32Array, weight: FloatArray) -> None:
        """Add events."""
        if not len(values):
            return
        self._low, self._high = min(self._low, values.min()), max(self._high, values.max())
        self._smallest_weight = min(self._smallest_weight, float(weight.min()))
        self._total += float(weight.sum())
        positive = weight >= 0
        if positive.all():
            self._signs[0].add(values, weight)
            return
        self._signs[0].add(values[positive], weight[positive])
        self._signs[1].add(values[~positive], -weight[~positive])

    def summary(self) -> Summary:
        """Return what the events so far come to."""
        values, weight = _joined(
            [(v, sign * w) for sign, levels in zip((1, -1), self._signs, strict=True) for v, w in levels.all()]
        )
        size = sum(levels.weight for levels in self._signs)
        moved = sum(levels.moved for levels in self._signs)
        if len(values) and (values[0] > self._low or values[-1] < self._high):
            # Some of what the outermost values stand for goes to the very ends: no more than may be wrong in any case.
            first, last = (float(np.clip(weight[i] / 2, -moved, moved)) for i in (0, -1))
            values = np.concatenate([[self._low], values, [self._high]]).astype(np.float32)
            weight = np.concatenate([[first], weight, [last]])
            weight[1] -= first
            weight[-2] -= last
            values, weight = _distinct(values, weight)
        return Summary(values, weight, self._total, self._smallest_weight, moved / size if size else 0.0)


class _Levels:
    """Events of weights of one sign: those that wait, and behind them summaries of ever more events."""

    def __init__(self, points: int) -> None:
        self._points = points
        self._levels: list[list[tuple[Float32Array, FloatArray]]] = [[]]
        self.weight = 0.0
        self.moved = 0.0
        """The weight by which that below any value may be wrong."""

    def add(self, values: Float32Array, weight: FloatArray) -> None:
        """Add events of positive weight."""
        self.weight += float(weight.sum())
        order = stable_order(values)
        waiting = self._levels[0]
        waiting.append(_distinct(values[order], weight[order]))
        if len(waiting) >= _MANY:
            waiting[:] = [_joined(waiting)]
        if sum(len(values) for values, _ in waiting) > FAN * self._points:
            self._reduce(0)

    def _reduce(self, level: int) -> None:
        values, weight = _joined(self._levels[level])
        self._levels[level].clear()
        if len(values) > self._points:
            share = float(weight.sum()) / self._points
            middle = (np.arange(self._points) + 0.5) * share
            at = np.minimum(np.searchsorted(np.cumsum(weight), middle), len(values) - 1)
            values, weight = _distinct(values[at], np.full(self._points, share))
            self.moved += share / 2
        if level + 1 == len(self._levels):
            self._levels.append([])
        self._levels[level + 1].append((values, weight))
        if len(self._levels[level + 1]) == FAN:
            self._reduce(level + 1)

    def all(self) -> list[tuple[Float32Array, FloatArray]]:
        """Return everything that is kept."""
        return [part for level in self._levels for part in level]


def _joined(parts: Sequence[tuple[Float32Array, FloatArray]]) -> tuple[Float32Array, FloatArray]:
    if not parts:
        return np.zeros(0, np.float32), np.zeros(0)
    values, weight = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = stable_order(values)
    return _distinct(values[order], weight[order])


def _distinct(values: Float32Array, weight: FloatArray) -> tuple[Float32Array, FloatArray]:
    """Sum the weights of equal values, which lie side by side."""
    first = np.flatnonzero(np.diff(values, prepend=np.float32(np.nan)) != 0)
    if len(first) == len(values):
        return values, weight
    return values[first], np.add.reduceat(weight, first)


def stable_order(values: Float32Array) -> npt.NDArray[np.intp]:
    """Return the order that sorts values, equal ones as they come: `argsort`, several times faster.

    The bits of a positive number rise with it and those of a negative number fall, so that with some of them flipped they
    sort as whole numbers, and the place in the array fits beside them.
    """
    bits = (values + np.float32(0)).view(np.uint32)  # minus zero becomes zero
    bits = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    keys = (bits.astype(np.uint64) << np.uint64(32)) | np.arange(values.size, dtype=np.uint64)
    return (np.sort(keys) & np.uint64(0xFFFFFFFF)).astype(np.intp)

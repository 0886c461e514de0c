"""Weighted means and covariances of events that come block by block, in one pass over them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

__all__ = ["Moments", "moments_by_class"]

FloatArray = npt.NDArray[np.float64]

CHUNK: Final = 4096  # events summed at a time, so that they stay in the cache


class Moments:
    r"""The sums :math:`\sum w`, :math:`\sum w y` and :math:`\sum w y y^T` over events, and the range of each column.

    Here :math:`y = x - o` with an origin :math:`o` near the events, without which the difference of two large numbers would
    be all that is left of a covariance (T. F. Chan, G. H. Golub, R. J. LeVeque, *Algorithms for Computing the Sample
    Variance*, The American Statistician 37 (1983) 242). What rounding takes from each sum is kept beside it and added in
    the end (D. E. Knuth, *The Art of Computer Programming* 2, 4.2.2, theorem B). No product is left to BLAS, whose last
    digit depends on the number of threads.

    Parameters
    ----------
    origin : ndarray of float64, shape (n_columns,)
        See `near`.

    Attributes
    ----------
    count : int
        The number of events.
    minimum, maximum : ndarray, shape (n_columns,)
        Over all events, whatever their weights; infinite without events.
    """

    def __init__(self, origin: FloatArray) -> None:
        self.origin = origin
        self.count = 0
        self.minimum = np.full(len(origin), np.inf)
        self.maximum = np.full(len(origin), -np.inf)
        self._sums = np.zeros(1 + len(origin) + len(origin) ** 2)
        self._lost = np.zeros_like(self._sums)

    @staticmethod
    def near(values: npt.NDArray[Any]) -> FloatArray:
        """Return an origin near events: the mean of the first of them, shape (n_events, n_columns)."""
        first = values[:CHUNK]
        return np.asarray(first.mean(axis=0, dtype=np.float64)) if len(first) else np.zeros(values.shape[1])

    def add(self, values: npt.NDArray[Any], weight: npt.NDArray[Any] | None = None) -> None:
        """Add events.

        Parameters
        ----------
        values : ndarray, shape (n_events, n_columns)
        weight : ndarray, shape (n_events,), optional
            By default every event counts once.
        """
        for begin in range(0, len(values), CHUNK):
            columns = values[begin : begin + CHUNK].T.astype(np.float64, order="C")
            np.minimum(self.minimum, columns.min(axis=1), out=self.minimum)
            np.maximum(self.maximum, columns.max(axis=1), out=self.maximum)
            columns -= self.origin[:, np.newaxis]
            if weight is None:
                weighted, total = columns, float(columns.shape[1])
            else:
                w = weight[begin : begin + CHUNK]
                weighted, total = columns * w, float(w.sum(dtype=np.float64))
            second = np.zeros((len(columns), len(columns)))
            for i, column in enumerate(weighted):
                second[i, i:] = np.einsum("n,jn->j", column, columns[i:])
            self._add(np.concatenate([[total], weighted.sum(axis=1), second.ravel()]))
        self.count += len(values)

    def _add(self, terms: FloatArray) -> None:
        sums = self._sums + terms
        seen = sums - self._sums
        self._lost += (self._sums - (sums - seen)) + (terms - seen)
        self._sums = sums

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return the moments of all events in several moments about one origin."""
        made = cls(parts[0].origin)
        for part in parts:
            made._add(part._sums)  # noqa: SLF001  (of its own class)
            made._lost += part._lost  # noqa: SLF001
            made.count += part.count
            np.minimum(made.minimum, part.minimum, out=made.minimum)
            np.maximum(made.maximum, part.maximum, out=made.maximum)
        return made

    @property
    def total(self) -> float:
        """The sum of weights."""
        return float(self._sums[0] + self._lost[0])

    @property
    def mean(self) -> FloatArray:
        """The weighted means; the sum of weights must not be zero."""
        return self.origin + self._first() / self.total

    def _first(self) -> FloatArray:
        places = slice(1, 1 + len(self.origin))
        first: FloatArray = self._sums[places] + self._lost[places]
        return first

    @property
    def covariance(self) -> FloatArray:
        """The weighted covariance matrix, divided by the sum of weights, which must not be zero.

        A column that does not vary has exactly none.
        """
        size = len(self.origin)
        second = (self._sums + self._lost)[1 + size :].reshape(size, size) / self.total
        off = self._first() / self.total
        matrix: FloatArray = np.triu(second - np.outer(off, off))
        constant = self.minimum == self.maximum
        matrix[constant] = 0.0
        matrix[:, constant] = 0.0
        return matrix + np.triu(matrix, 1).T


def moments_by_class(
    blocks: Iterable[tuple[npt.NDArray[Any], npt.NDArray[np.integer], npt.NDArray[Any] | None]],
    n_columns: int,
    n_classes: int,
) -> list[Moments]:
    """Return the moments of each class, about one origin, in one pass over blocks of (values, class index, weight)."""
    found: list[Moments] = []
    for values, class_index, weight in blocks:
        if not found:
            origin = Moments.near(values)
            found = [Moments(origin) for _ in range(n_classes)]
        for index, moments in enumerate(found):
            rows = np.flatnonzero(class_index == index)
            if len(rows) == len(values):
                moments.add(values, weight)
            elif len(rows):
                moments.add(values[rows], None if weight is None else weight[rows])
    return found or [Moments(np.zeros(n_columns)) for _ in range(n_classes)]

"""Variables cut into at most 256 bins of about the same number of events each, once for the whole training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.code_splits import MAX_BINS
from mvakit_methods.bdt.compiled import kernel
from mvakit_methods.bdt.team import Team

__all__ = ["Bins", "bin_variables"]

Array = npt.NDArray[Any]

# Quantiles are taken from at most this many events, evenly spaced.
_ENOUGH: Final = 200_000


@dataclass(frozen=True, slots=True)
class Bins:
    """Events as bin numbers.

    Attributes
    ----------
    codes : ndarray of uint8, shape (n_variables, n_events)
    count : ndarray of int64, shape (n_variables,)
        The number of bins of each variable.
    edges : ndarray of float32, shape (n_variables, 256)
        ``edges[f, k]`` is the cut that divides the bins up to `k` from those above: ``code > k`` if ``x >= edge``.
    """

    codes: npt.NDArray[np.uint8]
    count: npt.NDArray[np.int64]
    edges: npt.NDArray[np.float32]


def _edges(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return at most 255 cuts that divide sorted `values` evenly; each lies between two distinct values."""
    distinct = values[np.concatenate(([True], values[1:] != values[:-1]))]
    if distinct.size <= MAX_BINS:
        below = np.arange(distinct.size - 1)
    else:
        wanted = values[np.arange(1, MAX_BINS) * values.size // MAX_BINS]
        below = np.unique(np.searchsorted(distinct, wanted)) - 1
        below = below[below >= 0]
    middle = ((distinct[below].astype(np.float64) + distinct[below + 1]) / 2).astype(np.float32)
    # Between neighbouring float32 numbers there is none: the upper one then is the cut.
    return np.where(middle > distinct[below], middle, distinct[below + 1])


@kernel
def _encode(values: Array, edges: Array, codes: Array) -> None:
    """Write the bin of each value, by eight halvings of the 256 `edges`."""
    for e in range(values.size):
        x = values[e]
        k, half = 0, MAX_BINS // 2
        while half > 0:
            k += half if x >= edges[k + half - 1] else 0
            half //= 2
        codes[e] = k


def bin_variables(X: npt.NDArray[np.float32], team: Team) -> Bins:
    """Bin the columns of `X`, shape (n_events, n_variables)."""
    n_events, n_variables = X.shape
    bins = Bins(
        np.empty((n_variables, n_events), np.uint8),
        np.empty(n_variables, np.int64),
        # No number is above not-a-number: there are no bins beyond the last edge.
        np.full((n_variables, MAX_BINS), np.nan, np.float32),
    )

    def bin_some(begin: int, end: int) -> None:
        for f in range(begin, end):
            column = np.ascontiguousarray(X[:, f])
            edges = _edges(np.sort(column[:: -(-n_events // _ENOUGH)]))
            bins.count[f] = edges.size + 1
            bins.edges[f, : edges.size] = edges
            _encode(column, bins.edges[f], bins.codes[f])

    team.run(bin_some, n_variables, 100.0 * X.size)
    return bins

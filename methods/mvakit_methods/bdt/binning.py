"""Variables cut into at most 256 bins of about the same number of events each, once for the whole training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.code_splits import MAX_BINS
from mvakit_methods.bdt.compiled import kernel
from mvakit_methods.bdt.events import TrainingEvents
from mvakit_methods.bdt.partition import CHUNK
from mvakit_methods.bdt.team import Team

__all__ = ["Bins", "bin_variables"]

Array = npt.NDArray[Any]
FloatArray32 = npt.NDArray[np.float32]

# Quantiles are taken from at most this many events, evenly spaced.
_ENOUGH: Final = 200_000
# Events that are encoded at once: their rows stay in the cache while variable after variable is looked at.
_BLOCK: Final = 1 << 9
# Of the lowest and the highest bin so many events are listed at most, and one in so many of all events.
_MOST_AT_AN_END: Final = 1 << 10
_SHARE_AT_AN_END: Final = 1 << 10


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
    ends : ndarray of int64, shape (2 * n_variables + 1,)
        Where the events at each end of each variable begin among the following.
    end_events, end_values : ndarray of uint32 and of float32
        The events of the lowest bin, from the least value on, and of the highest bin, from the largest value on; of full
        bins not all.
    """

    codes: npt.NDArray[np.uint8]
    count: npt.NDArray[np.int64]
    edges: npt.NDArray[np.float32]
    ends: npt.NDArray[np.int64]
    end_events: npt.NDArray[np.uint32]
    end_values: npt.NDArray[np.float32]


@kernel
def _first_places(values: Array, most: int) -> Array:
    """Return where sorted values differ from the one before; if there are more, only the first `most` places."""
    places, n = np.empty(most, np.int64), 0
    for i in range(values.size):
        if i == 0 or values[i] != values[i - 1]:
            places[n] = i
            n += 1
            if n == most:
                break
    return places[:n]


def _edges(values: FloatArray32, *, integer: bool) -> FloatArray32:
    """Return at most 255 cuts that divide sorted `values` evenly; each lies between two distinct values.

    Those of an integer variable are values, as TMVA's are.
    """
    first = _first_places(values, MAX_BINS + 1)
    if len(first) > MAX_BINS:
        wanted = values[np.arange(1, MAX_BINS) * values.size // MAX_BINS]
        first = np.unique(np.searchsorted(values, wanted))
    first = first[first > 0]
    below: FloatArray32 = values[first - 1]
    above: FloatArray32 = values[first]
    if integer:
        return above
    middle = ((below.astype(np.float64) + above) / 2).astype(np.float32)
    # Between neighbouring float32 numbers there is none: the upper one then is the cut.
    return np.where(middle > below, middle, above)


@kernel
def _encode(X: Array, rows: Array, edges: Array, begin: int, end: int, codes: Array) -> None:
    """Write the bin of each value of the events `begin` to `end`, by eight halvings of the 256 `edges`."""
    values = np.empty(_BLOCK, np.float32)
    for start in range(begin, end, _BLOCK):
        n = min(_BLOCK, end - start)
        for f in range(X.shape[1]):
            if rows.size:
                for i in range(n):
                    values[i] = X[rows[start + i], f]
            else:
                for i in range(n):
                    values[i] = X[start + i, f]
            _encode_some(values[:n], edges[f], codes[f, start : start + n])


@kernel
def _encode_some(values: Array, edges: Array, codes: Array) -> None:
    for e in range(values.size):
        x = values[e]
        k, half = 0, MAX_BINS // 2
        while half > 0:
            k += half if x >= edges[k + half - 1] else 0
            half //= 2
        codes[e] = k


def _where(codes: npt.NDArray[np.uint8], code: int) -> npt.NDArray[np.uint32]:
    """Return the events with a code; piece by piece, to need little memory."""
    pieces = range(0, len(codes), CHUNK)
    found = [(np.flatnonzero(codes[i : i + CHUNK] == code) + i).astype(np.uint32) for i in pieces]
    return np.concatenate(found)


def _outermost(
    events: npt.NDArray[np.uint32], values: npt.NDArray[np.float32], most: int
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.float32]]:
    """Return at most `most` events and their values, in ascending order."""
    if len(values) > most:
        some = np.argpartition(values, most - 1)[:most]
        events, values = events[some], values[some]
    # Among equal values the order does not matter.
    order = np.argsort(values)
    return events[order], values[order]


def bin_variables(
    events: TrainingEvents, integer: npt.NDArray[np.bool_], with_ends: npt.NDArray[np.bool_], team: Team
) -> Bins:
    """Bin the variables; `with_ends` says of which the ends are listed."""
    X, rows = events.X, np.empty(0, np.uint32) if events.rows is None else events.rows
    n_events, n_variables = len(events.weight), X.shape[1]
    step = -(-n_events // _ENOUGH)
    sample = X[rows[::step]] if len(rows) else X[::step]
    codes = np.empty((n_variables, n_events), np.uint8)
    count = np.empty(n_variables, np.int64)
    # No number is above not-a-number: there are no bins beyond the last edge.
    edges = np.full((n_variables, MAX_BINS), np.nan, np.float32)
    most = _MOST_AT_AN_END + n_events // _SHARE_AT_AN_END
    found: dict[int, tuple[npt.NDArray[np.uint32], npt.NDArray[np.float32]]] = {}

    def divide(begin: int, end: int) -> None:
        for f in range(begin, end):
            cuts = _edges(np.sort(sample[:, f]), integer=bool(integer[f]))
            count[f] = cuts.size + 1
            edges[f, : cuts.size] = cuts

    def find_ends(begin: int, end: int) -> None:
        for f in range(begin, end):
            for side, (code, sign) in enumerate(((0, 1), (count[f] - 1, -1))):
                there = _where(codes[f], code) if with_ends[f] else np.empty(0, np.uint32)
                some, values = _outermost(there, sign * X[rows[there] if len(rows) else there, f], most)
                found[2 * f + side] = some, sign * values

    team.run(divide, n_variables, 10.0 * sample.size)
    team.run(lambda begin, end: _encode(X, rows, edges, begin, end, codes), n_events, 10.0 * n_events * n_variables)
    team.run(find_ends, n_variables, n_events * n_variables)
    both = [found[i] for i in range(2 * n_variables)]
    ends = np.cumsum([0, *(len(one) for one, _ in both)])
    return Bins(codes, count, edges, ends, np.concatenate([e for e, _ in both]), np.concatenate([v for _, v in both]))

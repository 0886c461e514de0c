"""Kernels that find the best cut at the edges of bins that were made once for the whole training (``nCuts=-1``).

The histogram of the larger of two siblings is that of their parent less that of the smaller one. Sums are made of whole
numbers, of which 64 bits hold a sum and a count side by side: one addition for each event and variable, and a result
that no order of the events and no subtraction changes.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.compiled import kernel
from mvakit_methods.bdt.splits import BY_CLASS, EQUAL_WEIGHTS, WEIGHTED, clear, scan

__all__ = ["LARGEST", "MAX_BINS", "best_cuts_of_codes", "to_fixed_point"]

MAX_BINS: Final = 256
# Numbers have 29 bits and a sign. With 2**16 of them their sum has 46, above the 17 of the count.
LARGEST: Final = 1 << 29
_PIECE: Final = 1 << 16
_COUNT_BITS: Final = 17
_COUNT_MASK: Final = (1 << _COUNT_BITS) - 1

Array = npt.NDArray[Any]


@kernel
def to_fixed_point(values: Array, unit: float, begin: int, end: int, fixed: Array) -> None:
    """Write values as the nearest multiples of a unit."""
    inverse = 1.0 / unit
    for i in range(begin, end):
        x = values[i] * inverse
        fixed[i] = np.int32(x + (0.5 if x >= 0.0 else -0.5))


@kernel
def _add(codes: Array, weight: Array, product: Array, group: Array, sums: int, words: Array) -> None:
    """Add events to the words of their bins."""
    if sums == BY_CLASS:
        for i in range(codes.size):
            words[codes[i], group[i]] += (np.int64(weight[i]) << _COUNT_BITS) + 1
    elif sums == WEIGHTED:
        for i in range(codes.size):
            k = codes[i]
            words[k, 0] += weight[i]
            words[k, 1] += (np.int64(product[i]) << _COUNT_BITS) + 1
    else:
        for i in range(codes.size):
            words[codes[i], 1] += (np.int64(product[i]) << _COUNT_BITS) + 1


@kernel
def _add_some(codes: Array, order: Array, weight: Array, product: Array, group: Array, sums: int, words: Array) -> None:
    """Add the events that `order` lists to the words of their bins."""
    if sums == BY_CLASS:
        for i in range(order.size):
            words[codes[order[i]], group[i]] += (np.int64(weight[i]) << _COUNT_BITS) + 1
    elif sums == WEIGHTED:
        for i in range(order.size):
            k = codes[order[i]]
            words[k, 0] += weight[i]
            words[k, 1] += (np.int64(product[i]) << _COUNT_BITS) + 1
    else:
        # Four at a time, so that looking one up need not wait for the sum before.
        n = order.size // 4 * 4
        for i in range(0, n, 4):
            a, b, c, d = codes[order[i]], codes[order[i + 1]], codes[order[i + 2]], codes[order[i + 3]]
            words[a, 1] += (np.int64(product[i]) << _COUNT_BITS) + 1
            words[b, 1] += (np.int64(product[i + 1]) << _COUNT_BITS) + 1
            words[c, 1] += (np.int64(product[i + 2]) << _COUNT_BITS) + 1
            words[d, 1] += (np.int64(product[i + 3]) << _COUNT_BITS) + 1
        for i in range(n, order.size):
            words[codes[order[i]], 1] += (np.int64(product[i]) << _COUNT_BITS) + 1


@kernel
def _unpack(words: Array, n_bins: int, sums: int, histogram: Array) -> None:
    """Add words to a histogram, and clear them."""
    for k in range(n_bins):
        first, second = words[k, 0], words[k, 1]
        words[k, 0] = words[k, 1] = 0
        histogram[k, 1] += float(second >> _COUNT_BITS)
        histogram[k, 2] += float(second & _COUNT_MASK)
        if sums == BY_CLASS:
            histogram[k, 0] += float(first >> _COUNT_BITS)
            histogram[k, 2] += float(first & _COUNT_MASK)
        elif sums == WEIGHTED:
            histogram[k, 0] += float(first)
    if sums == EQUAL_WEIGHTS:
        for k in range(n_bins):
            histogram[k, 0] = histogram[k, 2]


@kernel
def best_cuts_of_codes(
    codes: Array,
    n_bins: Array,
    edges: Array,
    order: Array,
    natural: bool,
    weight: Array,
    product: Array,
    group: Array,
    sums: int,
    units: Array,
    families: Array,
    totals: Array,
    allowed: Array,
    criterion: int,
    min_size: float,
    parents: Array,
    histograms: Array,
    keep: bool,
    begin: int,
    end: int,
    gain: Array,
    cut: Array,
    threshold: Array,
) -> None:
    """Find the best cut of the variables `begin` to `end` at all nodes of a level.

    Parameters
    ----------
    codes : ndarray of uint8, shape (n_variables, n_events)
    n_bins : ndarray of int64, shape (n_variables,)
    edges : ndarray of float32, shape (n_variables, 256)
        The cut above each bin.
    natural : bool
        Whether position i holds event i, as at the root.
    order, group, sums, units, totals, allowed, gain, cut
        As for `mvakit_methods.bdt.splits.best_cuts_of_values`.
    weight, product : ndarray of int32, shape (n_positions,) or (0,)
        Likewise, in `units`.
    families : ndarray of int64, shape (n_families, 6)
        Of each pair of siblings: parent (its place among `parents`, -1 for none), first position of the left one, of
        the right one, end of the right one, and the places of both among the nodes of this level (-1 for a leaf).
    parents, histograms : ndarray of float64, shape (n_histograms, n_variables, 256, 3)
        Of the level above, and of this one; sibling s of family k has place ``2 * k + s``.
    keep : bool
        Whether there is a histogram for every node, or room for one only.
    threshold : ndarray, shape (n_nodes, n_variables)
        A result: the first code on the right of the cut.
    """
    words = np.zeros((MAX_BINS, 2), np.int64)
    for f in range(begin, end):
        n = n_bins[f]
        for k in range(families.shape[0]):
            middle, stop = families[k, 2], families[k, 3]
            smaller = 0 if 2 * middle <= families[k, 1] + stop else 1
            for turn in range(2):
                side = smaller if turn == 0 else 1 - smaller
                node = families[k, 4 + side]
                needed = node >= 0 and allowed[node, f]
                # The smaller sibling is counted even if it is a leaf where the larger one is got by subtraction.
                if not needed and not (turn == 0 and families[k, 0] >= 0 and families[k, 5 - side] >= 0):
                    continue
                histogram = histograms[2 * k + side if keep else 0, f]
                if turn == 1 and families[k, 0] >= 0:
                    parent, sibling = parents[families[k, 0], f], histograms[2 * k + smaller, f]
                    for j in range(n):
                        for q in range(3):
                            histogram[j, q] = parent[j, q] - sibling[j, q]
                else:
                    first, last = (families[k, 1], middle) if side == 0 else (middle, stop)
                    clear(histogram, n)
                    for start in range(first, last, _PIECE):
                        some = slice(start, min(start + _PIECE, last))
                        if natural:
                            _add(codes[f, some], weight[some], product[some], group[some], sums, words)
                        else:
                            _add_some(codes[f], order[some], weight[some], product[some], group[some], sums, words)
                        _unpack(words, n, sums, histogram)
                if not needed:
                    continue
                best, where = scan(histogram, n, units, criterion, min_size, totals[node])
                gain[node, f] = best
                if where >= 0:
                    cut[node, f] = edges[f, where]
                    threshold[node, f] = where + 1

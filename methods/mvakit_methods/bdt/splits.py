"""Kernels that find the best cut of every variable at every node of one level of a tree.

Two ways to fill the histograms of a node, one way to scan them:

* `best_cuts_of_values` cuts the range of each node anew into ``nCuts + 1`` bins of equal width, as TMVA does.
* `best_cuts_of_codes` works on variables cut into at most 256 bins once for the whole training. The histogram of the
  larger of two siblings is that of their parent less that of the smaller one.

Each call treats all nodes of a level for a range of variables, so that threads share the variables among themselves and
every sum is made by one thread, in the order of the events.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.compiled import kernel
from mvakit_methods.bdt.criteria import REGRESSION_VARIANCE, separation_gain

__all__ = [
    "BY_CLASS",
    "EQUAL_WEIGHTS",
    "MAX_BINS",
    "MAX_STEPS",
    "WEIGHTED",
    "best_cuts_of_codes",
    "best_cuts_of_values",
]

MAX_BINS: Final = 256
MAX_STEPS: Final = 1 << 16

# What the two sums of a histogram are: the weights of the two classes, or weight and weight times target; where all
# weights are equal the first of them follows from the number of events.
BY_CLASS: Final = 0
WEIGHTED: Final = 1
EQUAL_WEIGHTS: Final = 2

_BLOCK: Final = 4096
_FLOAT_EPSILON: Final = 2.0**-23
_FLOAT_TINY: Final = 2.0**-126

Array = npt.NDArray[Any]


@kernel
def _scan(histogram: Array, n_bins: int, criterion: int, min_size: float, total: Array) -> tuple[float, int]:
    """Return the best gain and the last bin on the left of its cut; (-1, -1) where no cut leaves enough on each side."""
    best, where = -1.0, -1
    left, left2, count = 0.0, 0.0, 0.0
    sum1, sum2, number = total[0], total[1], total[2]
    both = criterion != REGRESSION_VARIANCE
    weight = sum1 + sum2 if both else sum1
    for k in range(n_bins - 1):
        left += histogram[k, 0]
        left2 += histogram[k, 1]
        count += histogram[k, 2]
        if count < min_size:
            continue
        if number - count < min_size:
            break
        left_weight = left + left2 if both else left
        if left_weight < min_size or weight - left_weight < min_size:
            continue
        gain = separation_gain(criterion, left, left2, sum1, sum2)
        if gain > best:
            best, where = gain, k
    return best, where


@kernel
def _clear(histogram: Array, n_bins: int) -> None:
    """Set all sums to zero."""
    # Loops, here and elsewhere: numba takes seconds to compile an assignment to a slice.
    for k in range(n_bins):
        for q in range(3):
            histogram[k, q] = 0.0


@kernel
def _weigh(histogram: Array, n_bins: int, weight: float) -> None:
    """Make sums of weights of numbers of events."""
    for k in range(n_bins):
        histogram[k, 0] = histogram[k, 2] * weight


@kernel
def _add(codes: Array, weight: Array, product: Array, group: Array, sums: int, histogram: Array) -> None:
    """Add events to a histogram."""
    if sums == BY_CLASS:
        for i in range(codes.size):
            k = codes[i]
            histogram[k, group[i]] += weight[i]
            histogram[k, 2] += 1.0
    elif sums == WEIGHTED:
        for i in range(codes.size):
            k = codes[i]
            histogram[k, 0] += weight[i]
            histogram[k, 1] += product[i]
            histogram[k, 2] += 1.0
    else:
        for i in range(codes.size):
            k = codes[i]
            histogram[k, 1] += product[i]
            histogram[k, 2] += 1.0


@kernel
def _add_some(
    codes: Array, order: Array, weight: Array, product: Array, group: Array, sums: int, histogram: Array
) -> None:
    """Add the events that `order` lists to a histogram."""
    if sums == BY_CLASS:
        for i in range(order.size):
            k = codes[order[i]]
            histogram[k, group[i]] += weight[i]
            histogram[k, 2] += 1.0
    elif sums == WEIGHTED:
        for i in range(order.size):
            k = codes[order[i]]
            histogram[k, 0] += weight[i]
            histogram[k, 1] += product[i]
            histogram[k, 2] += 1.0
    else:
        for i in range(order.size):
            k = codes[order[i]]
            histogram[k, 1] += product[i]
            histogram[k, 2] += 1.0


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
    order : ndarray of uint32, shape (n_positions,)
        The events sorted by node.
    natural : bool
        Whether position i holds event i, as at the root.
    weight : ndarray of float64, shape (n_positions,)
        Sorted by node.
    product : ndarray of float64, shape (n_positions,) or (0,)
        Weight times target, sorted by node.
    group : ndarray of uint8, shape (n_positions,) or (0,)
        0 for signal, 1 for background, sorted by node.
    sums : int
        `BY_CLASS`, `WEIGHTED` or `EQUAL_WEIGHTS`.
    families : ndarray of int64, shape (n_families, 6)
        Of each pair of siblings: parent (its place among `parents`, -1 for none), first position of the left one, of
        the right one, end of the right one, and the places of both among the nodes of this level (-1 for a leaf).
    totals : ndarray of float64, shape (n_nodes, 3)
        The two sums of each node and the number of its events.
    allowed : ndarray of bool, shape (n_nodes, n_variables)
    parents, histograms : ndarray of float64, shape (n_histograms, n_variables, 256, 3)
        Of the level above, and of this one; sibling s of family k has place ``2 * k + s``.
    keep : bool
        Whether there is a histogram for every node, or room for one only.
    gain, cut, threshold : ndarray, shape (n_nodes, n_variables)
        The results: best gain, its cut, and the first code on the right of it.
    """
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
                    _clear(histogram, n)
                    some = slice(first, last)
                    if natural:
                        _add(codes[f, some], weight[some], product[some], group[some], sums, histogram)
                    else:
                        _add_some(codes[f], order[some], weight[some], product[some], group[some], sums, histogram)
                    if sums == EQUAL_WEIGHTS:
                        _weigh(histogram, n, weight[0])
                if not needed:
                    continue
                best, where = _scan(histogram, n, criterion, min_size, totals[node])
                gain[node, f] = best
                if where >= 0:
                    cut[node, f] = edges[f, where]
                    threshold[node, f] = where + 1


@kernel
def _range(x: Array) -> tuple[float, float]:
    """Return the least and the largest value; four at a time, as one comparison has to wait for the last."""
    a = b = c = d = e = f = g = h = x[0]
    n = x.size // 4 * 4
    for i in range(0, n, 4):
        a, e = min(a, x[i]), max(e, x[i])
        b, f = min(b, x[i + 1]), max(f, x[i + 1])
        c, g = min(c, x[i + 2]), max(g, x[i + 2])
        d, h = min(d, x[i + 3]), max(h, x[i + 3])
    for i in range(n, x.size):
        a, e = min(a, x[i]), max(e, x[i])
    a, b, e, f = min(a, b), min(c, d), max(e, f), max(g, h)
    return min(a, b), max(e, f)


@kernel
def best_cuts_of_values(
    values: Array,
    integer: Array,
    n_cuts: int,
    order: Array,
    weight: Array,
    product: Array,
    group: Array,
    sums: int,
    nodes: Array,
    totals: Array,
    allowed: Array,
    criterion: int,
    min_size: float,
    begin: int,
    end: int,
    gain: Array,
    cut: Array,
) -> None:
    """Find the best cut of the variables `begin` to `end` at all nodes of a level, at TMVA's own positions.

    Parameters
    ----------
    values : ndarray of float32, shape (n_variables, n_events)
    integer : ndarray of bool, shape (n_variables,)
        Variables of type 'I' are cut at every whole number above the least one, `MAX_STEPS` of them at most.
    n_cuts : int
    nodes : ndarray of int64, shape (n_nodes, 2)
        First and end position of each node.
    order, weight, product, group, sums, totals, allowed, gain, cut
        As for `best_cuts_of_codes`.
    """
    largest_node = 1
    for k in range(nodes.shape[0]):
        largest_node = max(largest_node, nodes[k, 1] - nodes[k, 0])
    column = np.empty(largest_node, np.float32)
    codes = np.empty(_BLOCK, np.uint16)
    histogram = np.empty((MAX_BINS, 3))
    for k in range(nodes.shape[0]):
        lo, size = nodes[k, 0], nodes[k, 1] - nodes[k, 0]
        members, x = order[lo : lo + size], column[:size]
        for f in range(begin, end):
            if not allowed[k, f]:
                continue
            source = values[f]
            for i in range(size):
                x[i] = source[members[i]]
            smallest, largest = _range(x)
            spread = abs(largest - smallest)
            if spread < _FLOAT_EPSILON * abs(largest + smallest) * 4 or spread < _FLOAT_TINY:
                continue
            minimum = float(smallest)
            n, width = n_cuts + 1, (float(largest) - minimum) / (n_cuts + 1)
            if integer[f] and float(largest) - minimum < MAX_STEPS:
                n, width = int(float(largest) - minimum + 1), 1.0
            if n > histogram.shape[0]:
                histogram = np.empty((n, 3))
            inverse, top = 1.0 / width, np.int32(n - 1)
            _clear(histogram, n)
            for start in range(0, size, _BLOCK):
                part = x[start : start + _BLOCK]
                for i in range(part.size):
                    codes[i] = min(top, np.int32(inverse * (part[i] - minimum)))
                some = slice(lo + start, lo + start + part.size)
                _add(codes[: part.size], weight[some], product[some], group[some], sums, histogram)
            if sums == EQUAL_WEIGHTS:
                _weigh(histogram, n, weight[0])
            best, where = _scan(histogram, n, criterion, min_size, totals[k])
            gain[k, f] = best
            if where >= 0:
                cut[k, f] = minimum + (where + 1) * width

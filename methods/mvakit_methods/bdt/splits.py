"""Kernels that find the best cut of every variable at every node of one level of a tree, as TMVA finds it.

The range of each node is cut anew into ``nCuts + 1`` bins of equal width. A call treats all nodes of a level for a range
of variables, so that threads share the variables among themselves and every sum is made by one thread, in the order of
the events. This is ``ExactCuts``; see `mvakit_methods.bdt.code_splits` for the faster way.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.compiled import kernel
from mvakit_methods.bdt.criteria import REGRESSION_VARIANCE, separation_gain

__all__ = [
    "BY_CLASS",
    "CLASS_WEIGHTS",
    "EQUAL_WEIGHTS",
    "MAX_STEPS",
    "WEIGHTED",
    "best_cuts_of_values",
    "scan",
    "steps_of",
]

MAX_STEPS: Final = 1 << 16

# What the two sums of a histogram are: the weights of the two classes, or weight and weight times target. Where all
# weights are equal the first of them is the number of events, in units of that weight; where those of each class are
# equal, as they mostly are, events are counted by class.
BY_CLASS: Final = 0
WEIGHTED: Final = 1
EQUAL_WEIGHTS: Final = 2
CLASS_WEIGHTS: Final = 3

_BLOCK: Final = 4096
_FLOAT_EPSILON: Final = 2.0**-23
_FLOAT_TINY: Final = 2.0**-126

Array = npt.NDArray[Any]


@kernel
def scan(
    histogram: Array, n_bins: int, wanted: Array, units: Array, criterion: int, min_size: float, total: Array
) -> tuple[float, int]:
    """Return the best gain and the last bin on the left of its cut; (-1, -1) where no cut leaves enough on each side.

    Parameters
    ----------
    histogram : ndarray of float64, shape (>= n_bins, 3)
        The two sums, in multiples of `units`, and the number of events in each bin.
    wanted : ndarray of bool, shape (>= n_bins,) or (0,)
        Which bins may be the last on the left; empty for all.
    total : ndarray of float64, shape (3,)
        The same of the node, in full.
    """
    best, where = -1.0, -1
    below, below2, count = 0.0, 0.0, 0.0
    sum1, sum2, number = total[0], total[1], total[2]
    both = criterion != REGRESSION_VARIANCE
    weight = sum1 + sum2 if both else sum1
    for k in range(n_bins - 1):
        below += histogram[k, 0]
        below2 += histogram[k, 1]
        count += histogram[k, 2]
        if count < min_size or (wanted.size and not wanted[k]):
            continue
        if number - count < min_size:
            break
        left, left2 = below * units[0], below2 * units[1]
        left_weight = left + left2 if both else left
        if left_weight < min_size or weight - left_weight < min_size:
            continue
        gain = separation_gain(criterion, left, left2, sum1, sum2)
        if gain > best:
            best, where = gain, k
    return best, where


@kernel
def clear(histogram: Array, n_bins: int) -> None:
    """Set all sums to zero."""
    # Loops, here and elsewhere: numba takes seconds to compile an assignment to a slice.
    for k in range(n_bins):
        for q in range(3):
            histogram[k, q] = 0.0


@kernel
def _add(codes: Array, weight: Array, product: Array, group: Array, sums: int, histogram: Array) -> None:
    """Add events to a histogram; where they are only counted, `_finish` makes sums of the numbers."""
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
    elif sums == CLASS_WEIGHTS:
        for i in range(codes.size):
            k = codes[i]
            histogram[k, 2 * group[i]] += 1.0
            histogram[k, 1] += product[i]
    else:
        for i in range(codes.size):
            k = codes[i]
            histogram[k, 0] += 1.0
            histogram[k, 1] += product[i]


@kernel
def _finish(histogram: Array, n_bins: int, sums: int, class_weight: Array) -> None:
    """Make weights of numbers of events."""
    if sums == EQUAL_WEIGHTS:
        for k in range(n_bins):
            histogram[k, 2] = histogram[k, 0]
    elif sums == CLASS_WEIGHTS:
        for k in range(n_bins):
            signal, background = histogram[k, 0], histogram[k, 2]
            histogram[k, 0] = signal * class_weight[0] + background * class_weight[1]
            histogram[k, 2] = signal + background


@kernel
def _gather(source: Array, members: Array, x: Array) -> tuple[float, float]:
    """Look up values; return the least and the largest. Four at a time, as one comparison has to wait for the last."""
    a = b = c = d = e = f = g = h = source[members[0]]
    n = members.size // 4 * 4
    for i in range(0, n, 4):
        p, q, r, s = source[members[i]], source[members[i + 1]], source[members[i + 2]], source[members[i + 3]]
        x[i], x[i + 1], x[i + 2], x[i + 3] = p, q, r, s
        a, e = min(a, p), max(e, p)
        b, f = min(b, q), max(f, q)
        c, g = min(c, r), max(g, r)
        d, h = min(d, s), max(h, s)
    for i in range(n, members.size):
        p = source[members[i]]
        x[i] = p
        a, e = min(a, p), max(e, p)
    return min(a, b, c, d), max(e, f, g, h)


@kernel
def steps_of(smallest: float, largest: float, integer: bool, n_cuts: int) -> tuple[int, float]:
    """Return into how many steps the range of a node is cut, and their width; no steps where it has no width."""
    spread = abs(largest - smallest)
    if spread < _FLOAT_EPSILON * abs(largest + smallest) * 4 or spread < _FLOAT_TINY:
        return 0, 0.0
    minimum = float(smallest)
    if integer and float(largest) - minimum < MAX_STEPS:
        return int(float(largest) - minimum + 1), 1.0
    return n_cuts + 1, (float(largest) - minimum) / (n_cuts + 1)


@kernel
def _best_cut(
    x: Array, smallest: float, largest: float, integer: bool, n_cuts: int, weight: Array, product: Array, group: Array,
    sums: int, units: Array, class_weight: Array, criterion: int, min_size: float, total: Array, codes: Array,
    histogram: Array,
) -> tuple[float, float]:  # fmt: skip
    """Return the best gain and its cut for one variable at one node; -1 where there is none."""
    n, width = steps_of(smallest, largest, integer, n_cuts)
    if n == 0:
        return -1.0, 0.0
    minimum = float(smallest)
    if n > histogram.shape[0]:
        histogram = np.empty((n, 3))
    inverse, top = 1.0 / width, np.int32(n - 1)
    clear(histogram, n)
    for start in range(0, x.size, _BLOCK):
        part = x[start : start + _BLOCK]
        for i in range(part.size):
            codes[i] = min(top, np.int32(inverse * (float(part[i]) - minimum)))
        some = slice(start, start + part.size)
        _add(codes[: part.size], weight[some], product[some], group[some], sums, histogram)
    _finish(histogram, n, sums, class_weight)
    best, where = scan(histogram, n, np.empty(0, np.bool_), units, criterion, min_size, total)
    return best, minimum + (where + 1) * width


@kernel
def best_cuts_of_values(
    values: Array,
    ranges: Array,
    integer: Array,
    n_cuts: int,
    order: Array,
    weight: Array,
    product: Array,
    group: Array,
    sums: int,
    units: Array,
    class_weight: Array,
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
    ranges : ndarray of float32, shape (n_variables, 2)
        The least and the largest value of each variable.
    integer : ndarray of bool, shape (n_variables,)
        Variables of type 'I' are cut at every whole number above the least one, `MAX_STEPS` of them at most.
    n_cuts : int
    order : ndarray of uint32, shape (n_positions,) or (0,)
        The events sorted by node; empty for all events in their order.
    weight : ndarray, shape (n_positions,)
        Sorted by node; empty if all weights, or those of each class, are equal.
    product : ndarray, shape (n_positions,)
        Weight times target, sorted by node; empty in classification.
    group : ndarray of uint8, shape (n_positions,)
        0 for signal, 1 for background, sorted by node; empty where it does not matter.
    sums : int
        `BY_CLASS`, `WEIGHTED`, `EQUAL_WEIGHTS` or `CLASS_WEIGHTS`.
    units : ndarray of float64, shape (2,)
        What the two sums are multiples of.
    class_weight : ndarray of float64, shape (2,)
        The weight of an event of each class, where those are equal.
    nodes : ndarray of int64, shape (n_nodes, 2)
        First and end position of each node.
    totals : ndarray of float64, shape (n_nodes, 3)
        The two sums of each node and the number of its events.
    allowed : ndarray of bool, shape (n_nodes, n_variables)
    gain, cut : ndarray, shape (n_nodes, n_variables)
        The results: the best gain, -1 where there is none, and its cut.
    """
    largest_node = 1
    for k in range(nodes.shape[0]):
        largest_node = max(largest_node, nodes[k, 1] - nodes[k, 0])
    column = np.empty(largest_node if order.size else 0, values.dtype)
    codes, histogram = np.empty(_BLOCK, np.uint16), np.empty((n_cuts + 1, 3))
    for k in range(nodes.shape[0]):
        some = slice(nodes[k, 0], nodes[k, 1])
        w, p, g = weight[some], product[some], group[some]
        for f in range(begin, end):
            if not allowed[k, f]:
                continue
            if order.size:
                x = column[: nodes[k, 1] - nodes[k, 0]]
                low, high = _gather(values[f], order[some], x)
                gain[k, f], cut[k, f] = _best_cut(
                    x, low, high, integer[f], n_cuts, w, p, g, sums, units, class_weight, criterion, min_size,
                    totals[k], codes, histogram,
                )  # fmt: skip
            else:
                gain[k, f], cut[k, f] = _best_cut(
                    values[f, some], ranges[f, 0], ranges[f, 1], integer[f], n_cuts, w, p, g, sums, units, class_weight,
                    criterion, min_size, totals[k], codes, histogram,
                )  # fmt: skip

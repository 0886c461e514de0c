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

__all__ = ["BY_CLASS", "CLASS_WEIGHTS", "EQUAL_WEIGHTS", "MAX_STEPS", "WEIGHTED", "best_cuts_of_values", "scan"]

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
            histogram[k, 0] += 1.0
            histogram[k, 1] += product[i]


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
    units: Array,
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
    order : ndarray of uint32, shape (n_positions,)
        The events sorted by node.
    weight : ndarray, shape (n_positions,)
        Sorted by node; empty if all weights are equal.
    product : ndarray, shape (n_positions,)
        Weight times target, sorted by node; empty in classification.
    group : ndarray of uint8, shape (n_positions,)
        0 for signal, 1 for background, sorted by node; empty where there is a target.
    sums : int
        `BY_CLASS`, `WEIGHTED` or `EQUAL_WEIGHTS`.
    units : ndarray of float64, shape (2,)
        What the two sums are multiples of.
    nodes : ndarray of int64, shape (n_nodes, 2)
        First and end position of each node.
    totals : ndarray of float64, shape (n_nodes, 3)
        The two sums of each node and the number of its events.
    allowed : ndarray of bool, shape (n_nodes, n_variables)
    gain, cut : ndarray, shape (n_nodes, n_variables)
        The results: the best gain and its cut.
    """
    largest_node = 1
    for k in range(nodes.shape[0]):
        largest_node = max(largest_node, nodes[k, 1] - nodes[k, 0])
    column = np.empty(largest_node, values.dtype)
    codes = np.empty(_BLOCK, np.uint16)
    histogram, everywhere = np.empty((n_cuts + 1, 3)), np.empty(0, np.bool_)
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
            clear(histogram, n)
            for start in range(0, size, _BLOCK):
                part = x[start : start + _BLOCK]
                for i in range(part.size):
                    codes[i] = min(top, np.int32(inverse * (part[i] - minimum)))
                some = slice(lo + start, lo + start + part.size)
                _add(codes[: part.size], weight[some], product[some], group[some], sums, histogram)
            if sums == EQUAL_WEIGHTS:
                for j in range(n):
                    histogram[j, 2] = histogram[j, 0]
            best, where = scan(histogram, n, everywhere, units, criterion, min_size, totals[k])
            gain[k, f] = best
            if where >= 0:
                cut[k, f] = minimum + (where + 1) * width

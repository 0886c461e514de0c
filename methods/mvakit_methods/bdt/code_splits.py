"""Kernels that find the best cut at the edges of bins that were made once for the whole training.

The histogram of the larger of two siblings is that of their parent less that of the smaller one. Sums are made of whole
numbers, of which 64 bits hold a sum and a count side by side: one addition for each event and variable, and a result
that no order of the events and no subtraction changes.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.compiled import kernel
from mvakit_methods.bdt.partition import CHUNK, look_up
from mvakit_methods.bdt.splits import BY_CLASS, CLASS_WEIGHTS, WEIGHTED, clear, scan

__all__ = ["LARGEST", "MAX_BINS", "best_cuts_of_codes", "fill_listed", "fill_root", "subtract"]

MAX_BINS: Final = 256
# Numbers have 29 bits and a sign. With 2**15 of them their sum has 45, above the 17 of the count.
LARGEST: Final = 1 << 29
_MOST: Final = 1 << 15
# Looked up at once: what is looked up stays in the cache while variable after variable is filled.
_PIECE: Final = 1 << 13
_COUNT_BITS: Final = 17
_COUNT_MASK: Final = (1 << _COUNT_BITS) - 1

Array = npt.NDArray[Any]


@kernel
def _add(codes: Array, weight: Array, product: Array, group: Array, sums: int, words: Array) -> None:
    """Add events to the words of their bins."""
    if sums == BY_CLASS:
        for i in range(codes.size):
            words[codes[i], group[i]] += (np.int64(weight[i]) << _COUNT_BITS) + 1
    elif sums == CLASS_WEIGHTS:
        for i in range(codes.size):
            words[codes[i], group[i]] += (np.int64(product[i]) << _COUNT_BITS) + 1
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
    elif sums == CLASS_WEIGHTS:
        n = order.size // 4 * 4
        for i in range(0, n, 4):
            a, b, c, d = codes[order[i]], codes[order[i + 1]], codes[order[i + 2]], codes[order[i + 3]]
            words[a, group[i]] += (np.int64(product[i]) << _COUNT_BITS) + 1
            words[b, group[i + 1]] += (np.int64(product[i + 1]) << _COUNT_BITS) + 1
            words[c, group[i + 2]] += (np.int64(product[i + 2]) << _COUNT_BITS) + 1
            words[d, group[i + 3]] += (np.int64(product[i + 3]) << _COUNT_BITS) + 1
        for i in range(n, order.size):
            words[codes[order[i]], group[i]] += (np.int64(product[i]) << _COUNT_BITS) + 1
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
def _unpack(words: Array, n_bins: int, sums: int, class_weight: Array, histogram: Array) -> None:
    """Add words to a histogram, and clear them."""
    for k in range(n_bins):
        first, second = words[k, 0], words[k, 1]
        words[k, 0] = words[k, 1] = 0
        n_first, n_second = float(first & _COUNT_MASK), float(second & _COUNT_MASK)
        value, value2 = float(first >> _COUNT_BITS), float(second >> _COUNT_BITS)
        if sums == BY_CLASS:
            histogram[k, 0] += value
            histogram[k, 1] += value2
            histogram[k, 2] += n_first + n_second
        elif sums == WEIGHTED:
            histogram[k, 0] += float(first)
            histogram[k, 1] += value2
            histogram[k, 2] += n_second
        else:
            histogram[k, 0] += n_first * class_weight[0] + n_second * class_weight[1]
            histogram[k, 1] += value + value2
            histogram[k, 2] += n_first + n_second


@kernel
def _unpack_all(
    words: Array, n_bins: Array, sums: int, class_weight: Array, allowed: Array, begin: int, end: int, histograms: Array
) -> None:
    """Add the words of the variables `begin` to `end` to their histograms."""
    for f in range(begin, end):
        if allowed[f]:
            _unpack(words[f - begin], n_bins[f], sums, class_weight, histograms[f])


@kernel
def fill_root(
    codes: Array, n_bins: Array, original: Array, factor: Array, group: Array, target: Array, by_class: bool,
    count: Array, sums: int, class_weight: Array, scale: float, allowed: Array, begin: int, end: int, histograms: Array,
) -> None:  # fmt: skip
    """Fill the histograms of the variables `begin` to `end` with all events of the sample.

    Parameters
    ----------
    codes : ndarray of uint8, shape (n_variables, n_events)
    n_bins : ndarray of int64, shape (n_variables,)
    original, factor, group, target, by_class, count
        As for `mvakit_methods.bdt.partition.look_up` and `collect`.
    sums : int
        `BY_CLASS`, `WEIGHTED`, `EQUAL_WEIGHTS` or `CLASS_WEIGHTS`.
    class_weight : ndarray of float64, shape (2,)
        The whole number that is the weight of an event of each class, where those are equal.
    scale : float
        What makes whole numbers of weights and products.
    allowed : ndarray of bool, shape (n_variables,)
        Which variables are wanted.
    histograms : ndarray of float64, shape (n_variables, 256, 3)
        The result.
    """
    words = np.zeros((end - begin, MAX_BINS, 2), np.int64)
    order = np.empty(_PIECE if count.size else 0, np.uint32)
    weight = np.empty(_PIECE if sums in (BY_CLASS, WEIGHTED) else 0, np.int32)
    product = np.empty(_PIECE if sums != BY_CLASS else 0, np.int32)
    member = np.empty(_PIECE if count.size and sums in (BY_CLASS, CLASS_WEIGHTS) else 0, np.uint8)
    for f in range(begin, end):
        clear(histograms[f], n_bins[f])
    n, e, again, filled = codes.shape[1], 0, 0, 0
    while e < n:
        if filled + _PIECE > _MOST:
            _unpack_all(words, n_bins, sums, class_weight, allowed, begin, end, histograms)
            filled = 0
        start, size = e, 0
        if count.size:
            # The events of a sample, each as often as it was drawn, as many as fit.
            while e < n and size < _PIECE:
                if again < count[e]:
                    order[size] = e
                    size += 1
                    again += 1
                else:
                    e += 1
                    again = 0
            look_up(
                original, factor, group, target, by_class, order, scale, 0.5, 0, size, weight, product, member
            )  # fmt: skip
        else:
            e = min(e + _PIECE, n)
            size = e - start
            look_up(
                original, factor, group, target, by_class, order, scale, 0.5, start, e, weight, product, member
            )  # fmt: skip
        for f in range(begin, end):
            if not allowed[f]:
                continue
            if count.size:
                _add_some(codes[f], order[:size], weight, product, member, sums, words[f - begin])
            else:
                _add(codes[f, start:e], weight, product, group[start:e], sums, words[f - begin])
        filled += size
    _unpack_all(words, n_bins, sums, class_weight, allowed, begin, end, histograms)


@kernel
def fill_listed(
    codes: Array, n_bins: Array, original: Array, factor: Array, group: Array, target: Array, by_class: bool,
    order: Array, bounds: Array, places: Array, sums: int, class_weight: Array, scale: float, allowed: Array, begin: int,
    end: int, histograms: Array,
) -> None:  # fmt: skip
    """Fill the histograms of the variables `begin` to `end` with the events of lists.

    Parameters
    ----------
    order : ndarray of uint16
        The events of the lists, one list after the other, by their places in their chunks.
    bounds : ndarray of int64, shape (n_lists, n_chunks + 1)
        Where in `order` the events of each chunk begin, and where the last ones end.
    places : ndarray of int64, shape (n_lists,)
        Where the histogram of each list is.
    allowed : ndarray of bool, shape (n_variables,)
        Which variables are wanted.
    histograms : ndarray of float64, shape (n_histograms, n_variables, 256, 3)
        The result.
    """
    words = np.zeros((end - begin, MAX_BINS, 2), np.int64)
    # Looked up piece by piece, by each thread again: kept for all events this would be a good part of all memory.
    size = min(_PIECE, order.size)
    weight = np.empty(size if sums in (BY_CLASS, WEIGHTED) else 0, np.int32)
    product = np.empty(size if sums != BY_CLASS else 0, np.int32)
    member = np.empty(size if sums in (BY_CLASS, CLASS_WEIGHTS) else 0, np.uint8)
    for k in range(places.size):
        histogram, filled = histograms[places[k]], 0
        for f in range(begin, end):
            clear(histogram[f], n_bins[f])
        for c in range(bounds.shape[1] - 1):
            at = c * CHUNK
            weights, factors, groups, targets = (
                original[at:],
                factor if by_class else factor[at:],
                group[at:],
                target[at:],
            )
            for start in range(bounds[k, c], bounds[k, c + 1], _PIECE):
                stop = min(start + _PIECE, bounds[k, c + 1])
                if filled + stop - start > _MOST:
                    _unpack_all(words, n_bins, sums, class_weight, allowed, begin, end, histogram)
                    filled = 0
                look_up(
                    weights, factors, groups, targets, by_class, order, scale, 0.5, start, stop, weight, product, member
                )  # fmt: skip
                for f in range(begin, end):
                    if allowed[f]:
                        _add_some(codes[f, at:], order[start:stop], weight, product, member, sums, words[f - begin])
                filled += stop - start
        _unpack_all(words, n_bins, sums, class_weight, allowed, begin, end, histogram)


@kernel
def subtract(n_bins: Array, families: Array, parents: Array, begin: int, end: int, histograms: Array) -> None:
    """Make the histograms of siblings that were not filled: those of the parent less those of the other.

    Parameters
    ----------
    families : ndarray of int64, shape (n_families, 3)
        The places of the parent, of the sibling that was filled, and of the one to make.
    parents, histograms : ndarray of float64, shape (n_histograms, n_variables, 256, 3)
        Of the level above, and of this one.
    """
    for k in range(families.shape[0]):
        above, filled, place = families[k]
        for f in range(begin, end):
            parent, sibling, histogram = parents[above, f], histograms[filled, f], histograms[place, f]
            for j in range(n_bins[f]):
                for q in range(3):
                    histogram[j, q] = parent[j, q] - sibling[j, q]


@kernel
def _extreme(events: Array, values: Array, node: Array, which: int, count: Array) -> float:
    """Return the value of the first of `events` that is in the node, or the last value of all."""
    for i in range(events.size):
        e = events[i]
        if node[e] == which and (not count.size or count[e] > 0):
            return float(values[i])
    return float(values[-1])


@kernel
def _steps(
    histogram: Array, n_bins: int, edges: Array, ends: Array, events: Array, values: Array, node: Array, which: int,
    count: Array, n_cuts: int, wanted: Array,
) -> None:  # fmt: skip
    """Want the edges next to `n_cuts` equal steps through the range of a node.

    Within the lowest and the highest bin of all, which may be wide, the range ends with the node's own event; in other bins
    with the edge of the bin.
    """
    low, high = 0, n_bins - 1
    while low < high and histogram[low, 2] == 0.0:
        low += 1
    while high > low and histogram[high, 2] == 0.0:
        high -= 1
    for k in range(n_bins):
        wanted[k] = False
    if low == high:
        return
    if low > 0:
        smallest = float(edges[low - 1])
    else:
        smallest = _extreme(events[ends[0] : ends[1]], values[ends[0] : ends[1]], node, which, count)
    if high < n_bins - 1:
        largest = float(edges[high])
    else:
        largest = _extreme(events[ends[1] : ends[2]], values[ends[1] : ends[2]], node, which, count)
    k, width = low, (largest - smallest) / (n_cuts + 1)
    for i in range(n_cuts):
        at = smallest + (i + 1) * width
        while k < high - 1 and abs(edges[k + 1] - at) <= abs(edges[k] - at):
            k += 1
        wanted[k] = True


@kernel
def best_cuts_of_codes(
    histograms: Array, places: Array, nodes: Array, n_bins: Array, edges: Array, ends: Array, end_events: Array,
    end_values: Array, steps: Array, node: Array, count: Array, units: Array, allowed: Array, criterion: int,
    min_size: float, begin: int, end: int, totals: Array, gain: Array, cut: Array, threshold: Array, left: Array,
) -> None:  # fmt: skip
    """Find the best cut of the variables `begin` to `end` at all nodes of a level.

    Parameters
    ----------
    histograms : ndarray of float64, shape (n_histograms, n_variables, 256, 3)
    places, nodes : ndarray of int64, shape (n_nodes,)
        Of each node the place of its histogram, and its place in the tree.
    n_bins : ndarray of int64, shape (n_variables,)
    edges : ndarray of float32, shape (n_variables, 256)
        The cut above each bin.
    ends : ndarray of int64, shape (2 * n_variables + 1,)
    end_events, end_values : ndarray of uint32 and of float32
        From ``ends[2 * f]`` on the events of the lowest bin of variable f, in ascending order, from ``ends[2 * f + 1]`` on
        those of the highest one, in descending order.
    steps : ndarray of int64, shape (n_variables,)
        How many equal steps through the range of each node are tried; 0 for every edge.
    node : ndarray of unsigned int, shape (n_events,)
        The node of each event.
    count
        As for `fill_root`.
    units : ndarray of float64, shape (2,)
        What the two sums are multiples of.
    allowed : ndarray of bool, shape (n_nodes, n_variables)
    totals : ndarray of float64, shape (n_nodes, 3)
        A result: the two sums of each node, in `units`, and the number of its events.
    gain, cut, threshold : ndarray, shape (n_nodes, n_variables)
        The results: the best gain, its cut, and the first code on the right of it.
    left : ndarray of float64, shape (n_nodes, n_variables, 3)
        A result: `totals` of what is left of the cut.
    """
    some_edges, every_edge, total = np.empty(MAX_BINS, np.bool_), np.empty(0, np.bool_), np.empty(3)
    for i in range(nodes.size):
        for f in range(begin, end):
            if not allowed[i, f]:
                continue
            histogram, n = histograms[places[i], f], n_bins[f]
            for q in range(3):
                # The same for every variable, as whole numbers add up to the same in any order.
                totals[i, q] = _sum_up(histogram, n, q)
                total[q] = totals[i, q] * (units[q] if q < 2 else 1.0)
            wanted = every_edge
            if steps[f] > 0:
                _steps(
                    histogram, n, edges[f], ends[2 * f : 2 * f + 3], end_events, end_values, node, nodes[i], count,
                    steps[f], some_edges,
                )  # fmt: skip
                wanted = some_edges
            best, where = scan(histogram, n, wanted, units, criterion, min_size, total)
            gain[i, f] = best
            if where >= 0:
                cut[i, f] = edges[f, where]
                threshold[i, f] = where + 1
                for q in range(3):
                    left[i, f, q] = _sum_up(histogram, where + 1, q)


@kernel
def _sum_up(histogram: Array, n: int, q: int) -> float:
    total = 0.0
    for k in range(n):
        total += histogram[k, q]
    return total

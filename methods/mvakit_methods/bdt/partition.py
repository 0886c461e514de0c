"""Kernels that send events to the left and to the right, and those that walk them through a whole tree."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.compiled import kernel

__all__ = ["CHUNK", "SMALL_DEPTH", "add_up", "leaf_sums", "move", "sides", "walk", "walk_small"]

Array = npt.NDArray[Any]

# Sums over more events than this are made in pieces of this size and added in their order, so that they do not depend
# on the number of threads.
CHUNK: Final = 1 << 16
SMALL_DEPTH: Final = 3
_BLOCK: Final = 4096


@kernel
def sides(
    data: Array,
    order: Array,
    pieces: Array,
    variable: Array,
    threshold: Array,
    begin: int,
    end: int,
    right: Array,
    n_right: Array,
) -> None:
    """Decide for the pieces `begin` to `end` which events go right.

    Parameters
    ----------
    data : ndarray, shape (n_variables, n_events)
        Values or codes; an event goes right if its entry is not below the threshold.
    order : ndarray of uint32, shape (n_positions,)
    pieces : ndarray of int64, shape (n_pieces, 3)
        Node, first and end position.
    variable, threshold : ndarray, shape (n_nodes,)
    right : ndarray of uint8, shape (n_positions,)
        The result, by position.
    n_right : ndarray of int64, shape (n_pieces,)
        The result: how many.
    """
    for p in range(begin, end):
        node = pieces[p, 0]
        column, limit = data[variable[node]], threshold[node]
        n = 0
        for i in range(pieces[p, 1], pieces[p, 2]):
            goes = column[order[i]] >= limit
            right[i] = goes
            n += goes
        n_right[p] = n


@kernel
def _scatter(source: Array, right: Array, to_left: int, to_right: int, target: Array) -> None:
    """Copy entries to their sides, each side in the order they come."""
    for i in range(source.size):
        goes = right[i]
        target[to_right if goes else to_left] = source[i]
        to_right += goes
        to_left += 1 - goes


@kernel
def _total(values: Array, zero: Any) -> float:
    """Sum entries in their order."""
    total = zero
    for i in range(values.size):
        total += values[i]
    return float(total)


@kernel
def _total_of(values: Array, group: Array, which: int, zero: Any) -> float:
    """Sum the entries of one group."""
    total = zero
    for i in range(values.size):
        total += values[i] if group[i] == which else zero
    return float(total)


@kernel
def add_up(weight: Array, product: Array, group: Array, size: int, units: Array, zero: Any, sums: Array) -> None:
    """Sum both quantities of the criterion, and count; without weights each event has the unit of weight.

    `zero` is that of the type in which the sums are made: 64 bits, floating point or whole.
    """
    if group.size:
        first, second = _total_of(weight, group, 0, zero), _total_of(weight, group, 1, zero)
    else:
        first, second = _total(weight, zero) if weight.size else float(size), _total(product, zero)
    sums[0], sums[1], sums[2] = first * units[0], second * units[1], float(size)


@kernel
def move(
    order: Array,
    weight: Array,
    product: Array,
    group: Array,
    right: Array,
    n_right: Array,
    pieces: Array,
    targets: Array,
    units: Array,
    zero: Any,
    begin: int,
    end: int,
    new_order: Array,
    new_weight: Array,
    new_product: Array,
    new_group: Array,
    sums: Array,
) -> None:
    """Move the pieces `begin` to `end` to their nodes, and sum what comes to each side.

    Parameters
    ----------
    order, weight, product, group, units, zero, right, n_right, pieces
        As for `sides`, `add_up` and `mvakit_methods.bdt.splits.best_cuts_of_values`.
    targets : ndarray of int64, shape (n_pieces, 2)
        Where the left and the right events of each piece begin.
    new_order, new_weight, new_product, new_group
        The results, by new position.
    sums : ndarray of float64, shape (n_pieces, 2, 3)
        The result: the two sums, and the number of events, on the left and on the right.
    """
    for p in range(begin, end):
        some = slice(pieces[p, 1], pieces[p, 2])
        left, other = targets[p, 0], targets[p, 1]
        _scatter(order[some], right[some], left, other, new_order)
        if weight.size:
            _scatter(weight[some], right[some], left, other, new_weight)
        if product.size:
            _scatter(product[some], right[some], left, other, new_product)
        if group.size:
            _scatter(group[some], right[some], left, other, new_group)
        for side in range(2):
            start = targets[p, side]
            size = n_right[p] if side == 1 else pieces[p, 2] - pieces[p, 1] - n_right[p]
            some = slice(start, start + size)
            add_up(new_weight[some], new_product[some], new_group[some], size, units, zero, sums[p, side])


@kernel
def walk(
    data: Array, variable: Array, threshold: Array, children: Array, depth: int, begin: int, end: int, leaf: Array
) -> None:
    """Write the leaf that each of the events `begin` to `end` reaches in `depth` steps.

    Parameters
    ----------
    data : ndarray, shape (n_variables, n_events)
    variable : ndarray of uint32, shape (n_nodes,)
    threshold : ndarray of float32, shape (n_nodes,)
    children : ndarray of uint32, shape (n_nodes, 2)
        Left and right; a leaf is its own child.
    leaf : ndarray of uint32, shape (n_events,)
        The result.
    """
    for e in range(begin, end):
        node = np.uint32(0)
        for _ in range(depth):
            node = children[node, 1 if data[variable[node], e] >= threshold[node] else 0]
        leaf[e] = node


@kernel
def _above(values: Array, limit: float, out: Array) -> None:
    for i in range(values.size):
        out[i] = values[i] >= limit


@kernel
def walk_small(data: Array, variable: Array, threshold: Array, ends: Array, begin: int, end: int, leaf: Array) -> None:
    """Write the leaf that each of the events `begin` to `end` reaches in a tree of depth 3.

    All comparisons are made, many events at a time, and their bits combined.

    Parameters
    ----------
    data : ndarray, shape (n_variables, n_events)
    variable : ndarray of uint32, shape (7,)
        Of a complete tree, in which the children of node k are 2 k + 1 and 2 k + 2.
    threshold : ndarray, shape (7,)
        Of the type of `data`.
    ends : ndarray of uint32, shape (8,)
        What to write for the lowest nodes, from the leftmost to the rightmost.
    leaf : ndarray of uint32, shape (n_events,)
        The result.
    """
    bits = np.empty((7, _BLOCK), np.uint8)
    code = np.empty(_BLOCK, np.uint8)
    b0, b1, b2, b3, b4, b5, b6 = bits[0], bits[1], bits[2], bits[3], bits[4], bits[5], bits[6]
    for start in range(begin, end, _BLOCK):
        size = min(_BLOCK, end - start)
        for k in range(7):
            _above(data[variable[k], start : start + size], threshold[k], bits[k])
        for i in range(size):
            top = b0[i]
            middle = (top & b2[i]) | ((top ^ 1) & b1[i])
            low = (middle & b4[i]) | ((middle ^ 1) & b3[i])
            high = (middle & b6[i]) | ((middle ^ 1) & b5[i])
            code[i] = 4 * top + 2 * middle + ((top & high) | ((top ^ 1) & low))
        out = leaf[start : start + size]
        for i in range(size):
            out[i] = ends[code[i]]


@kernel
def leaf_sums(
    leaf: Array,
    group: Array,
    weight: Array,
    target: Array,
    count: Array,
    begin: int,
    end: int,
    sums: Array,
) -> None:
    """Sum over the events of the chunks `begin` to `end` what each leaf needs.

    Parameters
    ----------
    leaf : ndarray of uint32, shape (n_events,)
    group : ndarray of uint8, shape (n_events,)
        0 for signal, 1 for background.
    weight : ndarray of float64, shape (n_events,)
    target : ndarray of float32, shape (n_events,) or (0,)
        Residuals of gradient boosting.
    count : ndarray of uint8, shape (n_events,)
        How often an event is in the sample of this tree.
    sums : ndarray of float64, shape (n_chunks, n_nodes, 5)
        The result: weight of signal and of background, weight times target, weight times squared target, and the
        denominator of the leaf's response.
    """
    for c in range(begin, end):
        for k in range(sums.shape[1]):
            for q in range(sums.shape[2]):
                sums[c, k, q] = 0.0
        for e in range(c * CHUNK, min((c + 1) * CHUNK, leaf.size)):
            row, w = sums[c, leaf[e]], weight[e]
            for _ in range(count[e]):
                row[group[e]] += w
                if target.size:
                    t = float(target[e])
                    row[2] += w * t
                    row[3] += w * t * t
                    row[4] += abs(t) * (1.0 - abs(t)) * w * w

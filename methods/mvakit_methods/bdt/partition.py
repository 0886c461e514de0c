"""Kernels that send events down a tree, list those of a node, and sum what boosting wants to know of its leaves."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.compiled import kernel

__all__ = ["CHUNK", "add_up", "collect", "count_listed", "descend", "leaf_sums", "look_up"]

Array = npt.NDArray[Any]

# Sums over more events than this are made in pieces of this size and added in their order, so that they do not depend
# on the number of threads.
CHUNK: Final = 1 << 16
_BLOCK: Final = 1 << 11
# Up to so many lists each is made in a pass of its own.
_FEW: Final = 4


@kernel
def _descend_one(column: Array, limit: Any, below: int, node: Array) -> None:
    for i in range(column.size):
        node[i] = below + (1 if column[i] >= limit else 0)


@kernel
def descend(
    data: Array, variable: Array, threshold: Array, left: Array, level: int, begin: int, end: int, node: Array
) -> None:
    """Send the events of the chunks `begin` to `end` from the nodes of one level to their children.

    Parameters
    ----------
    data : ndarray, shape (n_variables, n_events)
        Values or codes; an event goes right if its entry is not below the threshold.
    variable : ndarray of int32, shape (n_nodes,)
        -1 for nodes where events stay.
    threshold : ndarray, shape (n_nodes,)
        Of the type of `data`.
    left : ndarray of int32, shape (n_nodes,)
        The left children; each right one follows.
    level : int
        The first node of the level: no event is at a later one.
    node : ndarray of unsigned int, shape (n_events,)
        The node of each event, which is changed.
    """
    for c in range(begin, end):
        some = slice(c * CHUNK, min((c + 1) * CHUNK, node.size))
        here = node[some]
        if level == 0:
            _descend_one(data[variable[0], some], threshold[0], left[0], here)
            continue
        part = data[:, some]
        for i in range(here.size):
            k = here[i]
            f = variable[k]
            if f >= 0:
                here[i] = left[k] + (1 if part[f, i] >= threshold[k] else 0)


@kernel
def count_listed(node: Array, count: Array, lists: Array, begin: int, end: int, n_listed: Array) -> None:
    """Count, chunk by chunk, the events that come into each list.

    Parameters
    ----------
    node : ndarray of unsigned int, shape (n_events,)
    count : ndarray of uint8, shape (n_events,) or (0,)
        How often each event is in the sample; empty for once.
    lists : ndarray, shape (n_lists,)
        The node of each list, of the type of `node`, in ascending order.
    n_listed : ndarray of int64, shape (n_chunks, n_lists)
        The result.
    """
    for c in range(begin, end):
        some = slice(c * CHUNK, min((c + 1) * CHUNK, node.size))
        here = node[some]
        if lists.size > _FEW:
            slot = _slots(lists)
            n_listed[c, :] = 0
            for i in range(here.size):
                s = slot[here[i]] if here[i] < slot.size else -1
                if s >= 0:
                    n_listed[c, s] += count[some.start + i] if count.size else 1
            continue
        for s in range(lists.size):
            which, n = lists[s], 0
            if count.size:
                times = count[some]
                for i in range(here.size):
                    n += int(times[i]) if here[i] == which else 0
            else:
                for i in range(here.size):
                    n += 1 if here[i] == which else 0
            n_listed[c, s] = n


@kernel
def _slots(lists: Array) -> Array:
    """Return the list of each node up to the last that is listed, -1 for those that are not."""
    slot = np.full(np.int64(lists[-1]) + 1, -1, np.int64)
    for s in range(lists.size):
        slot[lists[s]] = s
    return slot


@kernel
def collect(
    node: Array, count: Array, lists: Array, first: Array, n_listed: Array, within: bool, begin: int, end: int, order: Array
) -> None:  # fmt: skip
    """List the events of nodes in their order; one that is in the sample twice comes twice.

    Parameters
    ----------
    node, count, lists, n_listed
        As for `count_listed`.
    first : ndarray of int64, shape (n_chunks, n_lists)
        Where the events of each chunk begin in each list.
    within : bool
        Whether events are told by their place in their chunk, or in the whole.
    order : ndarray of unsigned int
        The result.
    """
    for c in range(begin, end):
        some = slice(c * CHUNK, min((c + 1) * CHUNK, node.size))
        here, times, shift = node[some], count[some], 0 if within else some.start
        if lists.size > _FEW:
            slot, place = _slots(lists), first[c].copy()
            for e in range(here.size):
                s = slot[here[e]] if here[e] < slot.size else -1
                if s >= 0:
                    for _ in range(np.int64(times[e]) if times.size else 1):
                        order[place[s]] = shift + e
                        place[s] += 1
            continue
        for s in range(lists.size):
            which, n, left = lists[s], 0, n_listed[c, s]
            out = order[first[c, s] : first[c, s] + left]
            e = 0
            if times.size:
                while n < left:
                    if here[e] == which:
                        for _ in range(np.int64(times[e])):
                            out[n] = shift + e
                            n += 1
                    e += 1
            else:
                # Written without a branch, and again until it is one that is listed.
                while n < left:
                    out[n] = shift + e
                    n += 1 if here[e] == which else 0
                    e += 1


@kernel
def _weights(
    original: Array, factor: Array, group: Array, by_class: bool, order: Array, begin: int, end: int, out: Array
) -> None:
    """Write the weights of the events from `begin` on, or of those that `order` lists there."""
    n = end - begin
    # Not looked up in the array, so that the loops can use vector instructions.
    signal, background = factor[0], factor[-1]
    if order.size and by_class:
        for i in range(n):
            e = order[begin + i]
            out[i] = original[e] * (background if group[e] else signal)
    elif order.size:
        for i in range(n):
            e = order[begin + i]
            out[i] = original[e] * factor[e]
    elif by_class:
        some, members = original[begin:end], group[begin:end]
        for i in range(n):
            out[i] = some[i] * (background if members[i] else signal)
    else:
        some, factors = original[begin:end], factor[begin:end]
        for i in range(n):
            out[i] = some[i] * factors[i]


@kernel
def _store(values: Array, n: int, scale: float, half: float, out: Array) -> None:
    if half != 0.0:
        for i in range(n):
            x = values[i] * scale
            out[i] = np.int32(x + (half if x >= 0.0 else -half))
    else:
        for i in range(n):
            out[i] = values[i]


@kernel
def look_up(
    original: Array, factor: Array, group: Array, target: Array, by_class: bool, order: Array, scale: float, half: float,
    begin: int, end: int, weight: Array, product: Array, member: Array,
) -> None:  # fmt: skip
    """Write weight, weight times target, and class of events, from place 0 on.

    Parameters
    ----------
    original : ndarray of float64, shape (n_events,)
    factor : ndarray of float64, shape (n_events,) or (2,)
        What the weights are multiplied with, by class or by event.
    group : ndarray of uint8, shape (n_events,)
        0 for signal, 1 for background.
    target : ndarray of float32, shape (n_events,) or (0,)
    by_class : bool
    order : ndarray of unsigned int
        The events, of which those at the places `begin` to `end` are meant; empty for all in their order.
    scale, half : float
        What makes whole numbers: they are multiplied and, half being 0.5, rounded; 0 for others.
    weight, product, member : ndarray
        The results; those that are empty are not wanted.
    """
    values = np.empty(_BLOCK)
    for start in range(begin, end, _BLOCK):
        stop = min(start + _BLOCK, end)
        n, at = stop - start, start - begin
        if weight.size or product.size:
            _weights(original, factor, group, by_class, order, start, stop, values)
        if weight.size:
            _store(values, n, scale, half, weight[at : at + n])
        if product.size:
            if order.size:
                for i in range(n):
                    values[i] *= target[order[start + i]]
            else:
                some = target[start:stop]
                for i in range(n):
                    values[i] *= some[i]
            _store(values, n, scale, half, product[at : at + n])
        if member.size:
            out = member[at : at + n]
            if order.size:
                for i in range(n):
                    out[i] = group[order[start + i]]
            else:
                for i in range(n):
                    out[i] = group[start + i]


@kernel
def _total(values: Array, zero: Any) -> float:
    """Sum entries in their order."""
    total = zero
    for i in range(values.size):
        total += values[i]
    return float(total)


@kernel
def add_up(
    weight: Array, product: Array, group: Array, class_weight: Array, pieces: Array, begin: int, end: int, sums: Array
) -> None:  # fmt: skip
    """Sum both quantities of the criterion over pieces of lists, and count.

    Parameters
    ----------
    weight, product, group
        Those that are empty are not needed. Without weights each event has that of its class, or counts as one.
    class_weight : ndarray of float64, shape (2,)
    pieces : ndarray of int64, shape (n_pieces, 2)
        Where each piece begins and ends.
    begin, end : int
        The pieces that are summed.
    sums : ndarray of float64, shape (n_pieces, 3)
        The result.
    """
    for k in range(begin, end):
        size = pieces[k, 1] - pieces[k, 0]
        some = slice(pieces[k, 0], pieces[k, 1])
        w, members = weight[some], group[some]
        sums[k, 0] = sums[k, 1] = 0.0
        if members.size and w.size:
            for i in range(size):
                sums[k, members[i]] += w[i]
        else:
            n_background = _total(members, np.int64(0))
            of_classes = class_weight[0] * (size - n_background) + class_weight[1] * n_background
            sums[k, 0] = _total(w, 0.0) if w.size else of_classes if members.size else float(size)
            sums[k, 1] = _total(product[some], 0.0)
        sums[k, 2] = float(size)


@kernel
def leaf_sums(
    leaf: Array, original: Array, factor: Array, group: Array, target: Array, by_class: bool, count: Array,
    begin: int, end: int, sums: Array,
) -> None:  # fmt: skip
    """Sum over the events of the chunks `begin` to `end` what each leaf needs.

    Parameters
    ----------
    leaf : ndarray of unsigned int, shape (n_events,)
    original, factor, group, target, by_class
        As for `look_up`; the targets are residuals of gradient boosting.
    count : ndarray of uint8, shape (n_events,) or (0,)
        How often an event is in the sample of this tree; empty for once.
    sums : ndarray of float64, shape (n_chunks, n_nodes, 5)
        The result: weight of signal and of background, weight times target, weight times squared target, and the
        denominator of the leaf's response.
    """
    weight, no_order = np.empty(_BLOCK), np.empty(0, np.uint32)
    for c in range(begin, end):
        here = sums[c]
        for k in range(sums.shape[1]):
            for q in range(sums.shape[2]):
                sums[c, k, q] = 0.0
        for start in range(c * CHUNK, min((c + 1) * CHUNK, leaf.size), _BLOCK):
            stop = min(start + _BLOCK, (c + 1) * CHUNK, leaf.size)
            _weights(original, factor, group, by_class, no_order, start, stop, weight)
            for i in range(stop - start):
                e = start + i
                k, w = leaf[e], weight[i]
                for _ in range(np.int64(count[e]) if count.size else 1):
                    here[k, group[e]] += w
                    if target.size:
                        t = float(target[e])
                        here[k, 2] += w * t
                        here[k, 3] += w * t * t
                        here[k, 4] += abs(t) * (1.0 - abs(t)) * w * w

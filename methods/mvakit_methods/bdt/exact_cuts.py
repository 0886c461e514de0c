"""Cuts at TMVA's own positions, at little more than the price of cuts at the edges of bins.

A cut of a node lies within one of the bins that were made once for the whole training. What the node has in the bins below
is known from their histograms, of which most are made by subtraction; what it has in the rest of that one bin is found
among the events of the bin, which are sorted. They are few: half the events of a bin at most, and a bin holds one in 256.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.binning import Bins
from mvakit_methods.bdt.code_splits import MAX_BINS
from mvakit_methods.bdt.compiled import kernel
from mvakit_methods.bdt.grower import Found, IntArray, Level, Mask
from mvakit_methods.bdt.partition import look_up
from mvakit_methods.bdt.searches import CodeSearch
from mvakit_methods.bdt.splits import BY_CLASS, CLASS_WEIGHTS, WEIGHTED, scan, steps_of
from mvakit_methods.bdt.team import Team

__all__ = ["LEAST_EVENTS", "ExactSearch", "pays"]

Array = npt.NDArray[Any]

# With fewer events the histograms are larger than the nodes.
LEAST_EVENTS: Final = 1 << 16
# Of a level and a variable: with more of them the parts of bins hold more events than the nodes do.
_MOST_CUTS: Final = 1 << 10
_PIECE: Final = 1 << 12


@kernel
def _extremes(
    column: Array, sorted_events: Array, first: Array, low: int, high: int, node: Array, which: int, count: Array
) -> tuple[float, float]:
    """Return the least and the largest value of a node, whose events are in the bins `low` to `high`."""
    start, stop = first[low], first[high + 1] - 1
    i, j = start, stop
    while i < stop and (node[sorted_events[i]] != which or (count.size and count[sorted_events[i]] == 0)):
        i += 1
    while j > start and (node[sorted_events[j]] != which or (count.size and count[sorted_events[j]] == 0)):
        j -= 1
    return column[sorted_events[i]], column[sorted_events[j]]


@kernel
def _add_piece(
    weight: Array, product: Array, member: Array, size: int, sums: int, class_weight: Array, found: Array
) -> None:
    """Add whole numbers up, as `mvakit_methods.bdt.code_splits` does."""
    if sums == BY_CLASS:
        for i in range(size):
            found[member[i]] += weight[i]
    else:
        n_background = 0
        for i in range(size):
            found[1] += product[i]
        if sums == WEIGHTED:
            for i in range(size):
                found[0] += weight[i]
        else:
            if sums == CLASS_WEIGHTS:
                for i in range(size):
                    n_background += 1 if member[i] else 0
            found[0] += (size - n_background) * class_weight[0] + n_background * class_weight[1]
    found[2] += size


@kernel
def _add_members(
    events: Array, node: Array, which: int, count: Array, original: Array, factor: Array, group: Array, target: Array,
    by_class: bool, sums: int, class_weight: Array, scale: float, members: Array, weight: Array, product: Array,
    member: Array, found: Array,
) -> None:  # fmt: skip
    """Add up the events of a node among some."""
    found[0] = found[1] = found[2] = 0.0
    i, again = 0, 0
    while i < events.size:
        n = 0
        if count.size:
            while i < events.size and n < members.size:
                e = events[i]
                if node[e] == which and again < count[e]:
                    members[n] = e
                    n, again = n + 1, again + 1
                else:
                    i, again = i + 1, 0
        else:
            # Written without a branch, and again until it is one of the node.
            for k in range(i, min(i + members.size, events.size)):
                members[n] = events[k]
                n += 1 if node[events[k]] == which else 0
            i += members.size
        if n:
            look_up(
                original, factor, group, target, by_class, members, scale, 0.5, 0, n, weight, product, member
            )  # fmt: skip
            _add_piece(weight, product, member, n, sums, class_weight, found)


@kernel
def best_exact_cuts(
    histograms: Array, places: Array, nodes: Array, n_bins: Array, columns: Array, sorted_events: Array, first: Array,
    integer: Array, n_cuts: int, node: Array, original: Array, factor: Array, group: Array, target: Array,
    by_class: bool, count: Array, sums: int, class_weight: Array, scale: float, units: Array, allowed: Array,
    criterion: int, min_size: float, begin: int, end: int, totals: Array, gain: Array, cut: Array, left: Array,
) -> None:  # fmt: skip
    """Find the best cut of the variables `begin` to `end` at all nodes of a level.

    Parameters
    ----------
    histograms, places, nodes, n_bins, node, count, units, allowed, totals, gain, left
        As for `mvakit_methods.bdt.code_splits.best_cuts_of_codes`.
    columns : ndarray of float32, shape (n_variables, n_events)
    sorted_events : ndarray of uint32, shape (n_variables, n_events)
        The events in ascending order of each variable.
    first : ndarray of int64, shape (n_variables, 257)
        Where the events of each bin begin among them.
    integer, n_cuts, cut
        As for `mvakit_methods.bdt.splits.best_cuts_of_values`.
    original, factor, group, target, by_class, sums, class_weight, scale
        As for `mvakit_methods.bdt.code_splits.fill_root`.
    """
    members = np.empty(_PIECE, np.uint32)
    weight = np.empty(_PIECE if sums in (BY_CLASS, WEIGHTED) else 0, np.int32)
    product = np.empty(_PIECE if sums != BY_CLASS else 0, np.int32)
    member = np.empty(_PIECE if sums in (BY_CLASS, CLASS_WEIGHTS) else 0, np.uint8)
    everywhere, total, part = np.empty(0, np.bool_), np.empty(3), np.empty(3)
    # What a node has below each bin, and below each cut.
    below_bin, below_cut = np.empty((MAX_BINS + 1, 3)), np.empty((n_cuts + 2, 3))
    steps, place = np.empty((n_cuts + 1, 3)), np.empty(n_cuts + 2, np.int64)
    for i in range(nodes.size):
        for f in range(begin, end):
            if not allowed[i, f]:
                continue
            histogram, column, events, which = histograms[places[i], f], columns[f], sorted_events[f], nodes[i]
            low, high = n_bins[f] - 1, 0
            for q in range(3):
                below_bin[0, q] = 0.0
                for j in range(n_bins[f]):
                    below_bin[j + 1, q] = below_bin[j, q] + histogram[j, q]
                # The same for every variable, as whole numbers add up to the same in any order.
                totals[i, q] = below_bin[n_bins[f], q]
                total[q] = totals[i, q] * (units[q] if q < 2 else 1.0)
            for j in range(n_bins[f]):
                if histogram[j, 2] > 0.0:
                    low, high = min(low, j), j
            smallest, largest = _extremes(column, events, first[f], low, high, node, which, count)
            n, width = steps_of(smallest, largest, integer[f], n_cuts)
            if n == 0:
                continue
            if n > steps.shape[0]:
                below_cut, steps, place = np.empty((n + 1, 3)), np.empty((n, 3)), np.empty(n + 1, np.int64)
            minimum, inverse, j = float(smallest), 1.0 / width, low
            for q in range(3):
                below_cut[0, q], below_cut[n, q] = 0.0, totals[i, q]
            for k in range(1, n):
                while j < high and inverse * (float(column[events[first[f, j + 1]]]) - minimum) < k:
                    j += 1
                here, there = first[f, j], first[f, j + 1]
                while here < there:
                    middle = (here + there) // 2
                    if inverse * (float(column[events[middle]]) - minimum) < k:
                        here = middle + 1
                    else:
                        there = middle
                place[k] = here
                _below(
                    here, j, below_bin, first[f], events, node, which, count, original, factor, group, target, by_class,
                    sums, class_weight, scale, members, weight, product, member, part, below_cut[k],
                )  # fmt: skip
            for k in range(n):
                for q in range(3):
                    steps[k, q] = below_cut[k + 1, q] - below_cut[k, q]
            best, where = scan(steps, n, everywhere, units, criterion, min_size, total)
            gain[i, f] = best
            if where < 0:
                continue
            cut[i, f] = minimum + (where + 1) * width
            # An event right at the cut may be on the other side of what is kept of it as a float32.
            here, k = place[where + 1], where + 1
            while here < events.size and column[events[here]] < cut[i, f]:
                here += 1
            while here > 0 and column[events[here - 1]] >= cut[i, f]:
                here -= 1
            if here != place[k]:
                j = 0
                while first[f, j + 1] < here:
                    j += 1
                _below(
                    here, j, below_bin, first[f], events, node, which, count, original, factor, group, target, by_class,
                    sums, class_weight, scale, members, weight, product, member, part, below_cut[k],
                )  # fmt: skip
            for q in range(3):
                left[i, f, q] = below_cut[k, q]


@kernel
def _below(
    here: int, j: int, below_bin: Array, first: Array, events: Array, node: Array, which: int, count: Array,
    original: Array, factor: Array, group: Array, target: Array, by_class: bool, sums: int, class_weight: Array,
    scale: float, members: Array, weight: Array, product: Array, member: Array, part: Array, found: Array,
) -> None:  # fmt: skip
    """Write what a node has before the place `here` among sorted events, which is in the bin `j`."""
    from_below = here - first[j] <= first[j + 1] - here
    some = events[first[j] : here] if from_below else events[here : first[j + 1]]
    # A bin of which the node has nothing need not be looked at.
    if below_bin[j, 2] == below_bin[j + 1, 2]:
        some = some[:0]
    _add_members(
        some, node, which, count, original, factor, group, target, by_class, sums, class_weight, scale, members, weight,
        product, member, part,
    )  # fmt: skip
    for q in range(3):
        found[q] = below_bin[j, q] + part[q] if from_below else below_bin[j + 1, q] - part[q]


def _sort(columns: npt.NDArray[np.float32], begin: int, end: int, out: npt.NDArray[np.uint32]) -> None:
    """List the events in ascending order of each variable."""
    event = np.arange(columns.shape[1], dtype=np.uint64)
    for f in range(begin, end):
        # Numbers that are in the order of the float32 ones, above those of the events: numpy sorts such words fastest.
        bits = columns[f].view(np.uint32)
        words = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31)).astype(np.uint64)
        words <<= np.uint64(32)
        words |= event
        words.sort()
        out[f] = words.astype(np.uint32)


def pays(bins: Bins, integer: Mask, n_cuts: int, max_depth: int) -> bool:
    """Whether there are few enough cuts; whole numbers, which are cut everywhere, have to be in a bin each."""
    return not (integer & (bins.count == MAX_BINS)).any() and n_cuts * 2.0 ** (max_depth - 1) <= _MOST_CUTS


class ExactSearch(CodeSearch):
    """Cuts at equal steps through the range of each node, as `mvakit_methods.bdt.searches.ValueSearch` finds them.

    Parameters
    ----------
    columns : ndarray of float32, shape (n_variables, n_events)
    bins : Bins
    integer : ndarray of bool, shape (n_variables,)
        Which variables are of type 'I'.
    n_cuts : int
    team : Team
    """

    def __init__(self, columns: npt.NDArray[np.float32], bins: Bins, integer: Mask, n_cuts: int, team: Team) -> None:
        super().__init__(bins, np.zeros(len(columns), np.int64), subtract=True)
        # Events are sent down by their values.
        self.data = columns
        self.integer = integer
        self.n_cuts = n_cuts
        self.sorted_events = np.empty(columns.shape, np.uint32)
        team.run(lambda begin, end: _sort(columns, begin, end, self.sorted_events), len(columns), 10.0 * columns.size)
        n_events: list[IntArray] = [np.bincount(codes, minlength=MAX_BINS) for codes in bins.codes]
        self.first = np.cumsum(np.pad(n_events, ((0, 0), (1, 0))), axis=1)

    def _scan(
        self, which: slice, level: Level, allowed: Mask, criterion: int, min_size: float, begin: int, end: int, found: Found
    ) -> None:  # fmt: skip
        assert found.left is not None
        best_exact_cuts(
            self._histograms, np.array(self._places[which]), np.array(level.nodes[which]), self.bins.count, self.data,
            self.sorted_events, self.first, self.integer, self.n_cuts, self.node, *self._weighted(), self.count,
            self.view.sums, self._class_weight, self._scale, self.units, allowed[which], criterion, min_size, begin, end,
            level.totals[which], found.gain[which], found.cut[which], found.left[which],
        )  # fmt: skip
        found.threshold[which, begin:end] = found.cut[which, begin:end]

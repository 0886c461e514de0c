"""The two ways to look for cuts: at the edges of bins that were made once, or at equal steps through each node."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.binning import Bins
from mvakit_methods.bdt.code_splits import LARGEST, MAX_BINS, best_cuts_of_codes, fill_listed, fill_root, subtract
from mvakit_methods.bdt.grower import Found, IntArray, Level, Mask, Search, View
from mvakit_methods.bdt.partition import CHUNK, add_up, look_up
from mvakit_methods.bdt.splits import BY_CLASS, CLASS_WEIGHTS, EQUAL_WEIGHTS, WEIGHTED, best_cuts_of_values
from mvakit_methods.bdt.team import Team

__all__ = ["CodeSearch", "ValueSearch"]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]

# Histograms of a level are kept for subtraction as long as they need no more bytes than this.
_HISTOGRAM_BYTES: Final = 1 << 28


class _Lists:
    """What is known of listed events, in memory that is used again and again."""

    def __init__(self) -> None:
        self.order = np.empty(0, np.uint32)
        self.weight, self.product = np.empty(0), np.empty(0)
        self.group = np.empty(0, np.uint8)

    def fill(self, view: View, sums: int, order: npt.NDArray[np.uint32], team: Team) -> None:
        """Look up what the histograms of events need; an empty list is that of all events."""
        n = self.size = len(order) or len(view.group)
        self.order = order
        if max(len(self.weight), len(self.product)) < n:
            size = max(n, len(view.group) // 2)
            for name, wanted in (
                ("weight", sums in {BY_CLASS, WEIGHTED}),
                ("product", sums != BY_CLASS),
                ("group", sums in {BY_CLASS, CLASS_WEIGHTS}),
            ):
                kind = getattr(self, name).dtype
                # What was there goes first.
                setattr(self, name, np.empty(0, kind))
                setattr(self, name, np.empty(size if wanted else 0, kind))
        weight, product, group = self.weight[:n], self.product[:n], self.group[:n]
        team.run(
            lambda begin, end: look_up(
                view.original, view.factor, view.group, view.target, view.by_class, order, 1.0, 0.0, begin, end,
                weight[begin:end], product[begin:end], group[begin:end],
            ),
            n,
            3 * n,
        )  # fmt: skip

    def arrays(self) -> tuple[Array, Array, Array, Array]:
        """Return events, weights, products and classes; those that are not needed are empty."""
        return self.order, self.weight[: self.size], self.product[: self.size], self.group[: self.size]


class CodeSearch(Search):
    """Cuts at the edges of bins.

    Parameters
    ----------
    bins : Bins
    steps : ndarray of int64, shape (n_variables,)
        How many equal steps through the range of a node are tried, at the nearest edges; 0 for every edge.
    subtract : bool
        Whether histograms of larger siblings are made by subtraction.
    """

    within = True

    def __init__(self, bins: Bins, steps: IntArray, *, subtract: bool) -> None:
        self.bins = bins
        self.steps = steps
        self.data = bins.codes
        self.n_variables = len(bins.codes)
        self.subtract = subtract
        self._order = np.empty(0, np.uint16)
        # Levels take turns with two arrays of histograms, the root always with the first: so neither grows more than it must.
        self._rooms = [np.empty((1, len(bins.codes), MAX_BINS, 3)) for _ in range(2)]
        self._turn = 0
        self._parents = self._histograms = self._rooms[1]
        # Of the nodes of this level: where their histograms are, whether all are kept, and where those of their parents are.
        self._places: list[int] = []
        self._kept = self._subtracts = False
        self._families: list[tuple[int, int]] = []
        self._bounds = np.empty((0, 2, 2), np.int64)

    def begin(self, view: View, count: npt.NDArray[np.uint8], node: Array) -> None:
        """Begin a tree: weights and products become whole numbers."""
        super().begin(view, count, node)
        unit = view.bound / LARGEST
        self._scale = 1.0 / unit
        # Where weights are equal they are counted.
        self._class_weight = np.ones(2)
        weight = unit
        if view.sums == EQUAL_WEIGHTS:
            weight = view.class_weight(0)
        elif view.sums == CLASS_WEIGHTS:
            self._class_weight = np.array([np.floor(view.class_weight(k) / unit + 0.5) for k in (0, 1)])
        self.units = np.array([weight, unit])
        self._kept = False
        self._turn = 0

    def root(self, team: Team) -> Level:  # noqa: ARG002 - there is nothing to share
        """Return the root, whose sums its histograms will tell."""
        return Level([0], np.empty((1, 3)), [(-1, 0)])

    def divide(self, level: Level, chosen: list[int], best: list[int], found: Found) -> tuple[FloatArray | None, Mask]:
        """Return the sums of the children; of each two only the smaller one is listed, where that will do."""
        assert found.left is not None
        left = found.left[chosen, best]
        totals = np.stack([left, level.totals[chosen] - left], axis=1)
        fits = self.subtract and 2 * len(chosen) * self.n_variables * MAX_BINS * 24 <= _HISTOGRAM_BYTES
        self._subtracts, self._kept = fits and self._kept, fits
        self._families = [(self._places[k] if self._subtracts else -1, 2 * i) for i, k in enumerate(chosen)]
        listed = np.ones((len(chosen), 2), np.bool_)
        if self._subtracts:
            smaller = totals[:, 0, 2] <= totals[:, 1, 2]
            listed = np.stack([smaller, ~smaller], axis=1)
        return totals, listed

    def take(self, order: Array, bounds: IntArray, team: Team) -> None:  # noqa: ARG002
        """Take the lists."""
        self._order = order
        self._bounds = bounds

    def best_cuts(self, level: Level, allowed: Mask, criterion: int, min_size: float, team: Team) -> Found:
        """Find the best cut of every variable at every node."""
        shape = allowed.shape
        found = Found(
            np.full(shape, -1.0), np.zeros(shape, np.float32), np.zeros(shape, np.float32), np.zeros((*shape, 3))
        )
        if level.nodes == [0]:
            self._places, self._kept = [0], self.subtract
            self._room(1)
            steps, work = self.data.size, self._root
        elif self._kept:
            self._places = [2 * i + side for i, side in level.parents]
            self._room(2 * len(self._families))
            steps, work = len(self._order) * self.n_variables, self._level
        else:
            self._places = [0] * len(level.nodes)
            self._room(1)
            steps, work = len(self._order) * self.n_variables, self._one_by_one

        def search(begin: int, end: int) -> None:
            work(level, allowed, criterion, min_size, begin, end, found)

        team.run(search, self.n_variables, steps)
        return found

    def _room(self, n: int) -> None:
        """Make room for the histograms of a level; those of the level above stay."""
        self._parents = self._histograms
        if len(self._rooms[self._turn]) < n:
            self._rooms[self._turn] = np.empty((0, 0, 0, 0))  # what was there goes first
            self._rooms[self._turn] = np.empty((n, self.n_variables, MAX_BINS, 3))
        self._histograms = self._rooms[self._turn]
        self._turn = 1 - self._turn

    def _scan(
        self, which: slice, level: Level, allowed: Mask, criterion: int, min_size: float, begin: int, end: int, found: Found
    ) -> None:  # fmt: skip
        bins = self.bins
        assert found.left is not None
        best_cuts_of_codes(
            self._histograms, np.array(self._places[which]), np.array(level.nodes[which]), bins.count, bins.edges, bins.ends,
            bins.end_events, bins.end_values, self.steps, self.node, self.count, self.units, allowed[which],
            criterion, min_size, begin, end, level.totals[which], found.gain[which], found.cut[which],
            found.threshold[which], found.left[which],
        )  # fmt: skip

    def _weighted(self) -> tuple[Array, Array, Array, Array, bool]:
        """Return what weights and products are made of."""
        view = self.view
        return view.original, view.factor, view.group, view.target, view.by_class

    def _root(
        self, level: Level, allowed: Mask, criterion: int, min_size: float, begin: int, end: int, found: Found
    ) -> None:
        bins = self.bins
        fill_root(
            bins.codes, bins.count, *self._weighted(), self.count, self.view.sums,
            self._class_weight, self._scale, allowed[0], begin, end, self._histograms[0],
        )  # fmt: skip
        self._scan(slice(None), level, allowed, criterion, min_size, begin, end, found)

    def _level(
        self, level: Level, allowed: Mask, criterion: int, min_size: float, begin: int, end: int, found: Found
    ) -> None:
        """Fill or subtract the histograms of all nodes."""
        bins = self.bins
        made = []
        there = self._bounds[:, :, 0] < self._bounds[:, :, -1]
        places = np.array([place for _, place in self._families])[:, None] + [0, 1]
        if self._subtracts:
            for (above, _), listed, (left, right) in zip(self._families, there, places.tolist(), strict=True):
                if listed.any():
                    made.append((above, left, right) if listed[0] else (above, right, left))
        fill_listed(
            bins.codes, bins.count, *self._weighted(), self._order, self._bounds[there], places[there], self.view.sums,
            self._class_weight, self._scale, np.ones(self.n_variables, np.bool_), begin, end, self._histograms,
        )  # fmt: skip
        families = np.array(made, np.int64).reshape(-1, 3)
        subtract(bins.count, families, self._parents, begin, end, self._histograms)
        self._scan(slice(None), level, allowed, criterion, min_size, begin, end, found)

    def _one_by_one(
        self, level: Level, allowed: Mask, criterion: int, min_size: float, begin: int, end: int, found: Found
    ) -> None:
        """Fill the histograms of one node after the other."""
        for k, (i, side) in enumerate(level.parents):
            fill_listed(
                self.bins.codes, self.bins.count, *self._weighted(), self._order, self._bounds[i, side : side + 1], np.zeros(1, np.int64),
                self.view.sums, self._class_weight, self._scale, allowed[k], begin, end, self._histograms,
            )  # fmt: skip
            self._scan(slice(k, k + 1), level, allowed, criterion, min_size, begin, end, found)


class ValueSearch(Search):
    """Cuts at equal steps through the range of each node.

    Parameters
    ----------
    columns : ndarray of float32, shape (n_variables, n_events)
    integer : ndarray of bool, shape (n_variables,)
        Which variables are of type 'I'.
    n_cuts : int
    """

    def __init__(self, columns: npt.NDArray[np.float32], integer: Mask, n_cuts: int) -> None:
        self.data = columns
        self.n_variables = len(columns)
        self.integer = integer
        self.n_cuts = n_cuts
        self.units, self.class_weight = np.ones(2), np.ones(2)
        self.lists = _Lists()
        # Of each variable in all events, and of each node in the list.
        self._extremes = np.stack([columns.min(axis=1), columns.max(axis=1)], axis=1)
        self._ranges = np.empty((0, 2, 2), np.int64)

    def root(self, team: Team) -> Level:
        """List the events of the sample, if it is not all of them."""
        view = self.view
        self.units[0] = view.class_weight(0) if view.sums == EQUAL_WEIGHTS else 1.0
        if view.sums == CLASS_WEIGHTS:
            self.class_weight = np.array([view.class_weight(0), view.class_weight(1)])
        order, n = np.empty(0, np.uint32), len(self.node)
        if len(self.count):
            order = np.repeat(np.arange(n, dtype=np.uint32), self.count)
            n = len(order)
        totals = self.take(order, np.array([[[0, n], [0, 0]]]), team)
        return Level([0], totals[0, :1], [(0, 0)])

    def divide(
        self,
        level: Level,  # noqa: ARG002 - this search need not know
        chosen: list[int],
        best: list[int],  # noqa: ARG002
        found: Found,  # noqa: ARG002
    ) -> tuple[FloatArray | None, Mask]:
        """List all children; their sums will be made of the lists."""
        return None, np.ones((len(chosen), 2), np.bool_)

    def take(self, order: Array, bounds: IntArray, team: Team) -> FloatArray:
        """Look up the events of the lists, and add them up."""
        self.lists.fill(self.view, self.view.sums, order, team)
        self._ranges = bounds[:, :, [0, -1]]
        # Piece by piece, and these in their order: the sum must not depend on how many threads make it.
        ranges = self._ranges.reshape(-1, 2)
        pieces = [
            (k, i, min(i + CHUNK, last))
            for k, (first, last) in enumerate(ranges.tolist())
            for i in range(first, last, CHUNK)
        ]
        which, where = np.array(pieces)[:, 0], np.array(pieces)[:, 1:]
        totals, sums = np.zeros((len(ranges), 3)), np.empty((len(pieces), 3))
        _, weight, product, group = self.lists.arrays()
        team.run(
            lambda begin, end: add_up(weight, product, group, self.class_weight, where, begin, end, sums),
            len(pieces),
            3 * self.lists.size,
        )
        np.add.at(totals, which, sums)
        return totals.reshape(-1, 2, 3)

    def ranges(self, level: Level) -> IntArray:
        """Return where the events of each node begin and end in the list."""
        return np.array([self._ranges[i, side] for i, side in level.parents], np.int64)

    def best_cuts(self, level: Level, allowed: Mask, criterion: int, min_size: float, team: Team) -> Found:
        """Find the best cut of every variable at every node."""
        gain, cut = np.full(allowed.shape, -1.0), np.zeros(allowed.shape, np.float32)
        ranges = self.ranges(level)
        totals = level.totals * [*self.units, 1.0]

        def search(begin: int, end: int) -> None:
            best_cuts_of_values(
                self.data, self._extremes, self.integer, self.n_cuts, *self.lists.arrays(), self.view.sums, self.units,
                self.class_weight, ranges, totals, allowed, criterion, min_size, begin, end, gain, cut,
            )  # fmt: skip

        team.run(search, self.n_variables, 2 * self.lists.size * self.n_variables)
        return Found(gain, cut, cut)

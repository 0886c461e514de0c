"""Growing one decision tree, level by level."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.binning import Bins
from mvakit_methods.bdt.code_splits import LARGEST, MAX_BINS, best_cuts_of_codes, to_fixed_point
from mvakit_methods.bdt.criteria import REGRESSION_VARIANCE
from mvakit_methods.bdt.partition import CHUNK, add_up, move, sides
from mvakit_methods.bdt.splits import BY_CLASS, best_cuts_of_values
from mvakit_methods.bdt.team import Team

__all__ = ["CodeSearch", "Grower", "Growth", "Level", "Positions", "Search", "Tree", "ValueSearch"]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]
FloatArray32 = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_NO_GAIN: Final = 2.0**-52
_TINY: Final = 2.0**-1022
# Histograms of a level are kept for subtraction as long as they need no more bytes than this.
_HISTOGRAM_BYTES: Final = 1 << 28


@dataclass(frozen=True, slots=True)
class Growth:
    """What limits the growth of a tree.

    Attributes
    ----------
    criterion : int
        One of `mvakit_methods.bdt.criteria`.
    max_depth : int
    min_percent : float
        What each node has to hold at least, in percent of the events of the tree, counted and weighted.
    """

    criterion: int
    max_depth: int
    min_percent: float


@dataclass(slots=True)
class Tree:
    """A tree that grows; node 0 is the root.

    Attributes
    ----------
    variable, left, right, depth : list of int
        -1 for the variable and the children of a leaf.
    selected : list of int
        The variable on which the node was cut, even if the cut was taken back.
    cut, threshold : list of float
        What values, and what the entries of the search's data, are compared with.
    gain : list of float
        The separation gain of each node that was cut, as `separation_gain` gives it.
    discriminants : list of ndarray of float64, shape (n_variables + 1,)
        Coefficients, and last the offset, of Fisher discriminants; the k-th is the variable ``n_variables + k``.
    """

    variable: list[int] = field(default_factory=list)
    selected: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    cut: list[float] = field(default_factory=list)
    threshold: list[float] = field(default_factory=list)
    gain: list[float] = field(default_factory=list)
    discriminants: list[FloatArray] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.variable)

    def add(self, depth: int) -> int:
        """Add a leaf and return its place."""
        for column in (self.variable, self.selected, self.left, self.right):
            column.append(-1)
        self.depth.append(depth)
        for values in (self.cut, self.threshold, self.gain):
            values.append(0.0)
        return len(self) - 1


@dataclass(frozen=True, slots=True)
class Positions:
    """The events of a tree, sorted by node.

    Attributes
    ----------
    order : ndarray of uint32
        The events; one that was drawn twice comes twice.
    weight, product : ndarray of float64 or int32
        The weight of each (empty if all are equal), and weight times target (empty in classification), in `units`.
    group : ndarray of uint8
        0 for signal, 1 for background (empty where there is a target).
    sums : int
        How histograms are filled; see `mvakit_methods.bdt.splits`.
    units : ndarray of float64, shape (2,)
        What the two sums are multiples of.
    natural : bool
        Whether position i holds event i.
    bound : float
        What no absolute value of a product exceeds, if that is known; otherwise 0.
    """

    order: npt.NDArray[np.uint32]
    weight: Array
    product: Array
    group: npt.NDArray[np.uint8]
    sums: int
    units: FloatArray
    natural: bool
    bound: float = 0.0

    @property
    def zero(self) -> np.float64 | np.int64:
        """Zero in the type in which sums of these weights and products are made."""
        whole = (self.weight if self.weight.size else self.product).dtype == np.int32
        return np.int64(0) if whole else np.float64(0)

    def empty(self, size: int) -> Positions:
        """Return room for the same kind of positions."""
        weight, product, group = (
            np.empty(size if array.size else 0, array.dtype) for array in (self.weight, self.product, self.group)
        )
        return Positions(np.empty(size, np.uint32), weight, product, group, self.sums, self.units, natural=False)


@dataclass(slots=True)
class Level:
    """The nodes of one level that may be cut, their events, and the places of their histograms."""

    nodes: list[int]
    ranges: npt.NDArray[np.int64]
    totals: FloatArray
    families: npt.NDArray[np.int64]
    places: list[int]
    positions: Positions

    @property
    def n_events(self) -> int:
        """How many events are in these nodes."""
        return int(np.sum(self.ranges[:, 1] - self.ranges[:, 0]))


class Search(ABC):
    """Finds the best cut of every variable at the nodes of a level.

    Attributes
    ----------
    data : ndarray, shape (n_variables, n_events), or more rows for discriminants
        What thresholds are compared with.
    n_variables : int
    discriminants : list of ndarray
        The Fisher discriminants of the tree that grows.
    """

    data: Array
    n_variables: int
    discriminants: list[FloatArray]

    def begin(self) -> None:
        """Forget the last tree."""
        self.discriminants = []

    def prepare(self, positions: Positions, team: Team) -> Positions:  # noqa: ARG002 - most take them as they are
        """Return the events of a tree as this search wants them."""
        return positions

    @abstractmethod
    def best_cuts(
        self, level: Level, allowed: Mask, criterion: int, min_size: float, team: Team
    ) -> tuple[FloatArray, FloatArray32, FloatArray32]:
        """Return gain, cut and threshold, each of shape (n_nodes, n_variables); a gain of -1 means no cut.

        There may be one column more, for a discriminant.
        """

    def choose(self, node: int, variable: int, cut: float, threshold: float) -> tuple[int, float]:  # noqa: ARG002
        """Settle a cut at the `node`-th node of the level; return what it compares: a row of `data`, and a threshold."""
        return variable, threshold


def _largest(values: Array, team: Team) -> float:
    """Return the largest absolute value."""
    found = []

    def look(begin: int, end: int) -> None:
        part = values[begin:end]
        found.append(max(float(part.max()), -float(part.min())))

    team.run(look, len(values), len(values))
    return max(found)


class CodeSearch(Search):
    """Cuts at the edges of bins.

    Parameters
    ----------
    bins : Bins
    subtract : bool
        Whether histograms of larger siblings are made by subtraction.
    """

    def __init__(self, bins: Bins, *, subtract: bool) -> None:
        self.bins = bins
        self.data = bins.codes
        self.n_variables = len(bins.codes)
        self.subtract = subtract
        self._kept = False
        self._parents = np.empty((1, len(bins.codes), MAX_BINS, 3))
        self._histograms = np.empty_like(self._parents)

    def begin(self) -> None:
        """Forget the histograms of the last tree."""
        super().begin()
        self._kept = False

    def prepare(self, positions: Positions, team: Team) -> Positions:
        """Return the events of a tree with weights and products as whole numbers."""
        units, fixed = positions.units.copy(), []
        for k, (values, bound) in enumerate(((positions.weight, 0.0), (positions.product, positions.bound))):
            unit = (bound or _largest(values, team)) / LARGEST if values.size else 1.0
            whole = np.empty(len(values), np.int32)

            def convert(begin: int, end: int, values: Array = values, unit: float = unit, whole: Array = whole) -> None:
                to_fixed_point(values, unit, begin, end, whole)

            if values.size:
                team.run(convert, len(values), 2 * len(values))
                # In classification both sums are weights.
                units[[0, 1] if positions.sums == BY_CLASS else k] = unit
            fixed.append(whole)
        return replace(positions, weight=fixed[0], product=fixed[1], units=units)

    def best_cuts(
        self, level: Level, allowed: Mask, criterion: int, min_size: float, team: Team
    ) -> tuple[FloatArray, FloatArray32, FloatArray32]:
        """Return gain, cut and threshold of every variable at every node."""
        bins, families, at = self.bins, level.families, level.positions
        shape = allowed.shape
        self._parents, self._histograms = self._histograms, self._parents
        wanted = 2 * len(families)
        keep = self.subtract and wanted * shape[1] * MAX_BINS * 24 <= _HISTOGRAM_BYTES
        if keep and len(self._histograms) < wanted:
            self._histograms = np.empty((wanted, shape[1], MAX_BINS, 3))
        if not (self._kept and keep):
            # There is nothing to subtract from, or no room for what is subtracted.
            families = families.copy()
            families[:, 0] = -1
        self._kept = keep
        gain = np.full(shape, -1.0)
        cut, threshold = np.zeros(shape, np.float32), np.zeros(shape, np.float32)

        def search(begin: int, end: int) -> None:
            best_cuts_of_codes(
                bins.codes, bins.count, bins.edges, at.order, at.natural, at.weight, at.product, at.group, at.sums, at.units,
                families, level.totals, allowed, criterion, min_size, self._parents, self._histograms, keep, begin,
                end, gain, cut, threshold,
            )  # fmt: skip

        team.run(search, shape[1], level.n_events * shape[1])
        return gain, cut, threshold


class ValueSearch(Search):
    """Cuts at equal steps through the range of each node.

    Parameters
    ----------
    X : ndarray of float32, shape (n_events, n_variables)
    integer : ndarray of bool, shape (n_variables,)
        Which variables are of type 'I'.
    n_cuts : int
    """

    def __init__(self, X: FloatArray32, integer: Mask, n_cuts: int) -> None:
        self.data = np.ascontiguousarray(X.T)
        self.n_variables = len(self.data)
        self.integer = integer
        self.n_cuts = n_cuts

    def best_cuts(
        self, level: Level, allowed: Mask, criterion: int, min_size: float, team: Team
    ) -> tuple[FloatArray, FloatArray32, FloatArray32]:
        """Return gain, cut and threshold of every variable at every node."""
        at = level.positions
        gain = np.full(allowed.shape, -1.0)
        cut = np.zeros(allowed.shape, np.float32)

        def search(begin: int, end: int) -> None:
            best_cuts_of_values(
                self.data, self.integer, self.n_cuts, at.order, at.weight, at.product, at.group, at.sums, at.units, level.ranges,
                level.totals, allowed, criterion, min_size, begin, end, gain, cut,
            )  # fmt: skip

        team.run(search, allowed.shape[1], 2 * level.n_events * allowed.shape[1])
        return gain, cut, cut


def _worth_cutting(total: FloatArray, criterion: int, min_size: float) -> bool:
    """Whether a node may be cut: enough events for two, and not pure."""
    first, second, count = total
    if criterion == REGRESSION_VARIANCE:
        return bool(count >= 2 * min_size and first >= 2 * min_size)
    return bool(count >= 2 * min_size and first + second >= 2 * min_size and first != 0 and second != 0)


class Grower:
    """Grows one tree after another.

    Parameters
    ----------
    search : Search
    growth : Growth
    team : Team
    """

    def __init__(self, search: Search, growth: Growth, team: Team) -> None:
        self.search = search
        self.growth = growth
        self.team = team
        # Memory that is used again and again: fresh pages cost as much as what is written to them.
        self._rooms: tuple[Positions, Positions] | None = None
        self._right = np.empty(0, np.uint8)

    def _room(self, positions: Positions) -> Positions:
        """Return room for as many positions, other than that in which they are."""
        size = len(positions.order)
        if self._rooms is None or len(self._rooms[0].order) < size:
            # Samples that are drawn vary a little in size.
            size += size // 20
            self._rooms = positions.empty(size), positions.empty(size)
            self._right = np.empty(size, np.uint8)
        first, second = self._rooms
        return second if positions is first else first

    def grow(self, positions: Positions, choose: Callable[[], Mask] | None = None) -> Tree:
        """Grow a tree: at each node the cut with the largest gain, the first one among equals, as TMVA chooses.

        `choose`, if given, draws the variables that the next node may be cut on, as a mask.
        """
        self.search.begin()
        tree = Tree()
        tree.add(0)
        n, criterion = len(positions.order), self.growth.criterion
        # TMVA keeps the percentage as a float32.
        min_size = float(np.float32(self.growth.min_percent)) / 100 * n
        total = np.empty(3)
        positions = self.search.prepare(positions, self.team)
        add_up(positions.weight, positions.product, positions.group, n, positions.units, positions.zero, total)
        if not _worth_cutting(total, criterion, min_size):
            return tree
        ranges, families = np.array([[0, n]], np.int64), np.array([[-1, 0, n, n, 0, -1]], np.int64)
        level: Level | None = Level([0], ranges, total[None], families, [0], positions)
        least_gain = _NO_GAIN
        while level is not None:
            allowed = np.ones((len(level.nodes), self.search.n_variables), np.bool_)
            if choose is not None:
                for row in allowed:
                    row[:] = choose()
            gain, cut, threshold = self.search.best_cuts(level, allowed, criterion, min_size, self.team)
            if criterion == REGRESSION_VARIANCE and level.nodes == [0]:
                # These gains have the unit of a squared target; the first one tells how large they are.
                least_gain = max(_NO_GAIN * float(gain.max()), _TINY)
            chosen = []
            for k, f in enumerate(gain.argmax(axis=1).tolist()):
                node, best = level.nodes[k], float(gain[k, f])
                if best < least_gain:
                    continue
                chosen.append(k)
                variable, limit = self.search.choose(k, f, float(cut[k, f]), float(threshold[k, f]))
                tree.variable[node] = tree.selected[node] = variable
                tree.cut[node], tree.threshold[node], tree.gain[node] = float(cut[k, f]), limit, best
                tree.left[node] = tree.add(tree.depth[node] + 1)
                tree.right[node] = tree.add(tree.depth[node] + 1)
            if not chosen or tree.depth[-1] >= self.growth.max_depth:
                break
            level = self._divide(tree, level, chosen, min_size)
        tree.discriminants = self.search.discriminants
        return tree

    def _divide(self, tree: Tree, level: Level, chosen: list[int], min_size: float) -> Level | None:
        """Send the events of the nodes that were cut to their sides; return what may be cut further, or None."""
        ranges = level.ranges.tolist()
        starts = [
            (i, start, ranges[k][1]) for i, k in enumerate(chosen) for start in range(ranges[k][0], ranges[k][1], CHUNK)
        ]
        pieces = np.array([(i, start, min(start + CHUNK, stop)) for i, start, stop in starts], np.int64)
        variable = np.array([tree.variable[level.nodes[k]] for k in chosen], np.int64)
        threshold = np.array([tree.threshold[level.nodes[k]] for k in chosen], np.float32)
        at, new = level.positions, self._room(level.positions)
        right, n_right, data = self._right, np.empty(len(pieces), np.int64), self.search.data
        steps = 2 * level.n_events
        self.team.run(
            lambda begin, end: sides(data, at.order, pieces, variable, threshold, begin, end, right, n_right),
            len(pieces),
            steps,
        )
        size = pieces[:, 2] - pieces[:, 1]
        n_left = np.bincount(pieces[:, 0], size - n_right).astype(np.int64).tolist()
        middle = [ranges[k][0] + n for k, n in zip(chosen, n_left, strict=True)]
        targets = np.empty((len(pieces), 2), np.int64)
        to = [[ranges[k][0], middle[i]] for i, k in enumerate(chosen)]
        for p, (i, n, m) in enumerate(zip(pieces[:, 0].tolist(), size.tolist(), n_right.tolist(), strict=True)):
            targets[p] = to[i]
            to[i][0] += n - m
            to[i][1] += m
        sums = np.empty((len(pieces), 2, 3))
        self.team.run(
            lambda begin, end: move(
                at.order, at.weight, at.product, at.group, right, n_right, pieces, targets, at.units, at.zero,
                begin, end, new.order, new.weight, new.product, new.group, sums,
            ),
            len(pieces),
            3 * steps,
        )  # fmt: skip
        totals = np.zeros((len(chosen), 2, 3))
        for p, i in enumerate(pieces[:, 0].tolist()):
            totals[i] += sums[p]
        nodes: list[int] = []
        places: list[int] = []
        bounds: list[tuple[int, int]] = []
        kept: list[FloatArray] = []
        families: list[tuple[int, ...]] = []
        for i, k in enumerate(chosen):
            lo, hi = ranges[k]
            here = [-1, -1]
            for side, child in enumerate((tree.left[level.nodes[k]], tree.right[level.nodes[k]])):
                if _worth_cutting(totals[i, side], self.growth.criterion, min_size):
                    here[side] = len(nodes)
                    nodes.append(child)
                    places.append(2 * len(families) + side)
                    bounds.append((lo, middle[i]) if side == 0 else (middle[i], hi))
                    kept.append(totals[i, side])
            if here != [-1, -1]:
                families.append((level.places[k], lo, middle[i], hi, *here))
        if not nodes:
            return None
        return Level(nodes, np.array(bounds, np.int64), np.array(kept), np.array(families, np.int64), places, new)

"""Growing one decision tree, level by level."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.criteria import REGRESSION_VARIANCE
from mvakit_methods.bdt.partition import CHUNK, collect, count_listed, descend
from mvakit_methods.bdt.team import Team

__all__ = ["Found", "Grower", "Growth", "Level", "Search", "Tree", "View"]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]
FloatArray32 = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_NO_GAIN: Final = 2.0**-52
_TINY: Final = 2.0**-1022


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
class View:
    """What a tree sees of the events.

    Attributes
    ----------
    original : ndarray of float64, shape (n_events,)
        The weights without what boosting makes of them.
    factor : ndarray of float64, shape (n_events,) or (2,)
        What boosting multiplies the weights with: event by event, or class by class.
    group : ndarray of uint8, shape (n_events,)
        0 for signal, 1 for background.
    target : ndarray of float32, shape (n_events,) or (0,)
        Residuals.
    sums : int
        How histograms are filled; see `mvakit_methods.bdt.splits`.
    bound : float
        What no absolute value of a weight or a product exceeds.
    """

    original: FloatArray
    factor: FloatArray
    group: npt.NDArray[np.uint8]
    target: FloatArray32
    sums: int
    bound: float

    @property
    def by_class(self) -> bool:
        """Whether the factor is that of the class: so it is where boosting changes targets and not weights."""
        return len(self.target) > 0

    def class_weight(self, which: int) -> float:
        """Return the weight of each event of a class, where they are equal."""
        first = self.group.argmax() if which else self.group.argmin()
        return float(self.original[first] * self.factor[which]) if self.group[first] == which else 0.0


@dataclass(frozen=True, slots=True)
class Found:
    """The best cut of every variable at every node of a level; there may be one column more, for a discriminant.

    Attributes
    ----------
    gain : ndarray of float64, shape (n_nodes, n_variables)
        -1 where there is no cut.
    cut, threshold : ndarray of float32, shape (n_nodes, n_variables)
    left : ndarray of float64, shape (n_nodes, n_variables, 3), or None
        The two sums and the number of the events on the left of it, where they are known.
    """

    gain: FloatArray
    cut: FloatArray32
    threshold: FloatArray32
    left: FloatArray | None = None


@dataclass(slots=True)
class Level:
    """The nodes of one level that may be cut.

    Attributes
    ----------
    nodes : list of int
    totals : ndarray of float64, shape (n_nodes, 3)
        Of each node the two sums, in the units of the search, and the number of its events.
    parents : list of (int, int)
        Of each node the place of its parent among those that were cut in the level above, and its side.
    """

    nodes: list[int]
    totals: FloatArray
    parents: list[tuple[int, int]]


class Search(ABC):
    """Finds the best cut of every variable at the nodes of a level.

    Attributes
    ----------
    data : ndarray, shape (n_variables, n_events), or more rows for discriminants
        What thresholds are compared with.
    n_variables : int
    discriminants : list of ndarray
        The Fisher discriminants of the tree that grows.
    units : ndarray of float64, shape (2,)
        What the two sums are multiples of.
    view : View
    count : ndarray of uint8, shape (n_events,) or (0,)
        How often each event is in the sample of the tree; empty for once.
    node : ndarray of unsigned int, shape (n_events,)
        The node in which each event is.
    within : bool
        Whether the lists that it takes tell events by their places in their chunks, in half the memory.
    """

    within: bool = False
    data: Array
    n_variables: int
    discriminants: list[FloatArray]
    units: FloatArray
    view: View
    count: npt.NDArray[np.uint8]
    node: Array

    def begin(self, view: View, count: npt.NDArray[np.uint8], node: Array) -> None:
        """Begin a tree."""
        self.view = view
        self.count = count
        self.node = node
        self.discriminants = []

    @abstractmethod
    def root(self, team: Team) -> Level:
        """Return the level of the root, whose sums may still be missing."""

    @abstractmethod
    def best_cuts(self, level: Level, allowed: Mask, criterion: int, min_size: float, team: Team) -> Found:
        """Find the best cuts; sums that were missing are filled in."""

    @abstractmethod
    def divide(self, level: Level, chosen: list[int], best: list[int], found: Found) -> tuple[FloatArray | None, Mask]:
        """Return the sums of the children, if they are known, and which of them are to be listed.

        Parameters
        ----------
        chosen : list of int
            The nodes of the level that are cut, by their places.
        best : list of int
            The variable of the best cut of each of them.

        Returns
        -------
        totals : ndarray of float64, shape (n_chosen, 2, 3), or None
        listed : ndarray of bool, shape (n_chosen, 2)
        """

    @abstractmethod
    def take(self, order: Array, bounds: IntArray, team: Team) -> FloatArray | None:
        """Take the lists of the children; return their sums, if they were not known before.

        Parameters
        ----------
        order : ndarray of uint32 or, if `within`, uint16
            Events, list after list, in memory that the next call uses again.
        bounds : ndarray of int64, shape (n_chosen, 2, n_chunks + 1)
            Where the events of each chunk begin in each list, and where the last ones end.

        Returns
        -------
        ndarray of float64, shape (n_chosen, 2, 3), or None
        """

    def choose(self, node: int, variable: int, cut: float, threshold: float) -> tuple[int, float]:  # noqa: ARG002
        """Settle a cut at the `node`-th node of the level; return what it compares: a row of `data`, and a threshold."""
        return variable, threshold


def _worth_cutting(total: FloatArray, units: FloatArray, criterion: int, min_size: float) -> bool:
    """Whether a node may be cut: enough events for two, and not pure."""
    first, second, count = total[0] * units[0], total[1] * units[1], total[2]
    if criterion == REGRESSION_VARIANCE:
        return bool(count >= 2 * min_size and first >= 2 * min_size)
    return bool(count >= 2 * min_size and first + second >= 2 * min_size and first != 0 and second != 0)


def _node_type(max_depth: int, n_events: int) -> type[np.unsignedinteger[Any]]:
    """Return the smallest type that holds the number of any node."""
    largest = min(2 ** min(max_depth + 1, 32), 2 * n_events + 1)
    return np.uint8 if largest <= 1 << 8 else np.uint16 if largest <= 1 << 16 else np.uint32


class Grower:
    """Grows one tree after another.

    Parameters
    ----------
    search : Search
    growth : Growth
    team : Team
    n_events : int

    Attributes
    ----------
    node : ndarray of unsigned int, shape (n_events,)
        The node in which each event has ended; trees that grow use it again.
    """

    def __init__(self, search: Search, growth: Growth, team: Team, n_events: int) -> None:
        self.search = search
        self.growth = growth
        self.team = team
        self.node = np.empty(n_events, _node_type(growth.max_depth, n_events))
        # Memory that is used again and again: fresh pages cost as much as what is written to them.
        self._order = np.empty(0, np.uint16 if search.within else np.uint32)

    def grow(self, view: View, count: npt.NDArray[np.uint8], choose: Callable[[], Mask] | None = None) -> Tree:
        """Grow a tree: at each node the cut with the largest gain, the first one among equals, as TMVA chooses.

        `count` tells how often each event is in the sample, and is empty for once. `choose`, if given, draws the variables that the next node may be cut on, as a mask.
        """
        self.node[:] = 0
        search, criterion = self.search, self.growth.criterion
        search.begin(view, count, self.node)
        tree = Tree()
        tree.add(0)
        n = int(count.sum(dtype=np.int64)) if len(count) else len(self.node)
        # TMVA keeps the percentage as a float32.
        min_size = float(np.float32(self.growth.min_percent)) / 100 * n
        level: Level | None = search.root(self.team)
        least_gain = _NO_GAIN
        while level is not None:
            allowed = np.ones((len(level.nodes), search.n_variables), np.bool_)
            if choose is not None:
                for row in allowed:
                    row[:] = choose()
            found = search.best_cuts(level, allowed, criterion, min_size, self.team)
            if level.nodes == [0]:
                if not _worth_cutting(level.totals[0], search.units, criterion, min_size):
                    break
                if criterion == REGRESSION_VARIANCE:
                    # These gains have the unit of a squared target; the first one tells how large they are.
                    least_gain = max(_NO_GAIN * float(found.gain.max()), _TINY)
            chosen, best = [], []
            for k, f in enumerate(found.gain.argmax(axis=1).tolist()):
                node, gain = level.nodes[k], float(found.gain[k, f])
                if gain < least_gain:
                    continue
                chosen.append(k)
                best.append(f)
                cut = float(found.cut[k, f])
                variable, limit = search.choose(k, f, cut, float(found.threshold[k, f]))
                tree.variable[node] = tree.selected[node] = variable
                tree.cut[node], tree.threshold[node], tree.gain[node] = cut, limit, gain
                tree.left[node] = tree.add(tree.depth[node] + 1)
                tree.right[node] = tree.add(tree.depth[node] + 1)
            if not chosen:
                break
            self._descend(tree, level.nodes[0], [level.nodes[k] for k in chosen])
            if tree.depth[-1] >= self.growth.max_depth:
                break
            level = self._divide(tree, level, chosen, best, found, min_size)
        tree.discriminants = search.discriminants
        return tree

    def _descend(self, tree: Tree, first: int, cut: list[int]) -> None:
        """Send the events of the nodes that were cut to their children."""
        data, node = self.search.data, self.node
        variable = np.full(len(tree), -1, np.int32)
        variable[cut] = np.array(tree.variable)[cut]
        threshold, left = np.array(tree.threshold, data.dtype), np.array(tree.left, np.int32)
        self.team.run(
            lambda begin, end: descend(data, variable, threshold, left, first, begin, end, node),
            -(-len(node) // CHUNK),
            len(node),
        )

    def _divide(
        self, tree: Tree, level: Level, chosen: list[int], best: list[int], found: Found, min_size: float
    ) -> Level | None:
        """Return the level of the children that may be cut further, or None if there are none."""
        search = self.search
        totals, listed = search.divide(level, chosen, best, found)
        children = np.array([(tree.left[level.nodes[k]], tree.right[level.nodes[k]]) for k in chosen])
        if totals is not None:
            worth = self._worth(totals, min_size)
            # A family without a node that may be cut further is not looked at again.
            listed &= worth.any(axis=1, keepdims=True)
            if not worth.any():
                return None
        order, bounds = self._collect(children, listed)
        known = search.take(order, bounds, self.team)
        if totals is None:
            assert known is not None
            totals = known
            worth = self._worth(totals, min_size)
        where = np.argwhere(worth)
        if not len(where):
            return None
        return Level(
            [int(children[i, side]) for i, side in where],
            totals[worth],
            [(int(i), int(side)) for i, side in where],
        )

    def _worth(self, totals: FloatArray, min_size: float) -> Mask:
        rows = totals.reshape(-1, 3)
        worth = [_worth_cutting(total, self.search.units, self.growth.criterion, min_size) for total in rows]
        return np.array(worth).reshape(totals.shape[:2])

    def _collect(self, children: npt.NDArray[Any], listed: Mask) -> tuple[Array, IntArray]:
        """List the events of nodes; return the events, and where those of each child and chunk begin and end."""
        node, count, within = self.node, self.search.count, self.search.within
        lists = children[listed].astype(node.dtype)
        n_chunks = -(-len(node) // CHUNK)
        n_listed = np.empty((n_chunks, len(lists)), np.int64)
        self.team.run(lambda begin, end: count_listed(node, count, lists, begin, end, n_listed), n_chunks, len(node))
        sizes = n_listed.sum(axis=0)
        ends = np.cumsum(sizes)
        total = int(ends[-1])
        if len(self._order) < total:
            # Half of the events are the most that smaller siblings hold; pages that are not written to cost nothing.
            kind, self._order = self._order.dtype, np.empty(0)
            self._order = np.empty(max(total, len(node) // 2), kind)
        order = self._order[:total]
        first = ends - sizes + np.cumsum(n_listed, axis=0) - n_listed
        self.team.run(
            lambda begin, end: collect(node, count, lists, first, n_listed, within, begin, end, order),
            n_chunks,
            len(node),
        )
        bounds = np.zeros((*children.shape, n_chunks + 1), np.int64)
        bounds[listed] = np.concatenate([first, ends[None]]).T
        return order, bounds

"""How often a formula is evaluated in each event, and which element of each column is meant each time.

ROOT calls one evaluation an *instance*. A formula of numbers has one per event. Every pair of brackets that is empty or
left out makes it loop: the first such dimensions of all columns run together, as do the second ones, and so on, each as
far as its shortest array. What else ROOT does is kept, since trainings depend on it:

* A dimension of one element so far is taken for none yet: ``v+w`` with one element in v, which comes first, and three
  in w has three instances, and NaN where v has no element. (``w+v`` has one.)
* An element that an index computed from columns does not find makes the whole formula NaN for this instance; a literal
  index beyond the end of a list leaves the event without instances.
* ``vv[][]`` of nested lists loops over the inner lists of each outer element; other columns are repeated alongside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mvakit.errors import FormulaError
from mvakit.formula.columns import VARIABLE, Column, Columns
from mvakit.formula.points import AllPoints, Integers, Points, Rows, enumerate_lists, offsets_of
from mvakit.formula.syntax import Alternate, Index, Name, Node, Reduction, SizeOf, Special, children

__all__ = ["Leaf", "Place", "Scope", "Size", "ValueOf"]

Size: TypeAlias = int | Integers
"""A size that is the same for all events, or one per event."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A column where it stands in a formula: each dimension looped over (None), fixed (int) or computed (a scope)."""

    name: str
    column: Column
    indexes: tuple[int | Scope | None, ...]

    @property
    def is_nested_loop(self) -> bool:
        """Whether the formula loops over lists within lists."""
        return self.column.inner is not None and self.indexes[0] is None


class Scope:
    """A formula, or two that loop together, on given columns: what ROOT calls the manager of its instances.

    Parameters
    ----------
    columns
        Where the columns are found.
    roots
        The formula, or the formula and the condition of ``MinIf$`` and ``MaxIf$``.
    """

    def __init__(self, columns: Columns, *roots: Node) -> None:
        self.columns = columns
        self.roots = roots
        self.leaves: dict[int, Leaf] = {}
        self.inner: dict[int, Scope] = {}
        self._parts: list[tuple[int, list[Leaf]]] = []
        for root in roots:
            leaves: list[Leaf] = []
            self._parts.append((self._collect(root, leaves), leaves))
        self.multiplicity = self._parts[0][0]
        """ROOT's: 0 for one number per event, else a list per event; 1 if of variable length, 2 if not."""
        self._sizes = self._declared_sizes()
        self.loop = self._loop()

    def resolve(self, value_of: ValueOf) -> None:
        """Work out how many instances each event has; all columns of all scopes must have been found."""
        indexes = (index for leaf in self._all_leaves() for index in leaf.indexes if isinstance(index, Scope))
        for scope in (*self.inner.values(), *indexes):
            scope.resolve(value_of)
        self._value_of = value_of
        self.events = self.columns.events()
        self.sizes: list[Size] = [abs(size) for size in self._sizes]
        self.rows: Rows | None = None
        self.count = self._count()

    # --- what the formula loops over ----------------------------------------------------------------------------

    def _collect(self, node: Node, leaves: list[Leaf]) -> int:
        """Gather the columns of a formula in the order of its text; return its multiplicity."""
        found = 0
        stack = [node]
        while stack:
            node = stack.pop()
            kind = 0
            match node:
                case Name():
                    if not self.columns.is_constant(node):
                        leaf = self._leaf(node)
                        self.leaves[id(node)] = leaf
                        leaves.append(leaf)
                        kind = leaf.column.multiplicity
                case SizeOf():
                    self.columns.get(node.name)
                case Special(name="Iteration$"):
                    kind = 1
                case Reduction():
                    self.inner[id(node)] = Scope(self.columns, *children(node))
                case Alternate(primary=primary, alternate=alternate):
                    self.inner[id(primary)] = Scope(self.columns, primary)
                    other = self.inner[id(alternate)] = Scope(self.columns, alternate)
                    if other.loop != 0:
                        raise FormulaError(
                            f"the second argument of Alt$ must be one number per event in {self.columns.formula!r}"
                        )
                    kind = other.multiplicity
                case _:
                    stack.extend(reversed(children(node)))
            found = 1 if 1 in (found, kind) else max(found, kind)
        return found

    def _leaf(self, node: Name) -> Leaf:
        column = self.columns.get(node.name)
        given = [*node.indexes, *([None] * len(column.dimensions))][: len(column.dimensions)]  # ROOT drops what is more
        indexes = tuple(self._index(index) for index in given)
        for number, (index, size) in enumerate(zip(indexes, column.dimensions, strict=True), 1):
            if isinstance(index, int) and size != VARIABLE and index >= size:
                raise FormulaError(
                    f"index {index} of {node.name!r} in {self.columns.formula!r} is too large: dimension {number} "
                    f"has {size} element{'s' * (size != 1)}"
                )
            if column.inner is not None and isinstance(index, Scope) and index.multiplicity:
                raise FormulaError(
                    f"the nested lists {node.name!r} in {self.columns.formula!r} take one number as an index, no list"
                )
        return Leaf(node.name, column, indexes)

    def _index(self, index: Index) -> int | Scope | None:
        return index if index is None or isinstance(index, int) else Scope(self.columns, index)

    def _all_leaves(self) -> Iterator[Leaf]:
        for _, leaves in self._parts:
            yield from leaves

    def _declared_sizes(self) -> list[int]:
        """Return the size of each level of looping as far as it is known without data; negative where it varies."""
        sizes: list[int] = []
        for leaf in self._all_leaves():
            level = 0
            for size, index in zip(leaf.column.dimensions, leaf.indexes, strict=True):
                if isinstance(index, int) or (isinstance(index, Scope) and not index.multiplicity):
                    continue
                if isinstance(index, Scope):
                    size = index.static_count  # noqa: PLW2901  the index is looped over, not the column
                if level == len(sizes):
                    sizes.append(1)
                known = abs(sizes[level])
                if size == VARIABLE:
                    sizes[level] = -known
                elif known == 1 or size < known:
                    sizes[level] = -size if sizes[level] < 0 else size
                level += 1
        return sizes

    def _loop(self) -> int:
        """Return how the formulae loop together: as the multiplicity, but 0 or -1 where that is once at most."""
        kinds = {kind for kind, _ in self._parts}
        kind = 1 if 1 in kinds else max(kinds)
        overall = 1
        for size in reversed(self._sizes):
            overall = size * overall if size >= 0 else -abs(overall)
        if overall == 1 and kind > 0:
            return kind - 2
        return 1 if overall < 0 and kind == 2 else kind

    @property
    def static_count(self) -> int:
        """The number of instances per event if it is the same for all, else `VARIABLE`."""
        return VARIABLE if abs(self.loop) == 1 else prod(self._sizes) if self.loop else 1

    # --- how many instances each event has ----------------------------------------------------------------------

    def _count(self) -> Size:
        if self.loop in (0, 2):
            return self.static_count
        reachable: NDArray[np.bool_] | None = None
        for kind, leaves in self._parts:
            for leaf in leaves:
                if kind == 1 and leaf.column.outer is not None and isinstance(leaf.indexes[0], int):
                    there = leaf.column.lengths > leaf.indexes[0]
                    reachable = there if reachable is None else reachable & there
                if kind == 1:
                    self._measure(leaf)
        if self.loop == -1:
            return 1 if reachable is None or reachable.all() else reachable.astype(np.int64)
        if any(leaf.is_nested_loop for leaf in self._all_leaves()):
            return self._count_rows(reachable)
        count = _product(self.sizes)
        if reachable is not None:
            count = count * reachable
        return count if isinstance(count, np.ndarray) else np.full(self.events, count, dtype=np.int64)

    def _measure(self, leaf: Leaf) -> None:
        """Let the sizes of one column in each event shorten the loops."""
        column, level = leaf.column, 0
        for dimension, index in enumerate(leaf.indexes):
            varies = column.dimensions[dimension] == VARIABLE
            if isinstance(index, int):
                continue
            if isinstance(index, Scope):
                if index.multiplicity:
                    self._measure_index(index, level)
                    level += 1
                continue
            if varies and dimension == 0:
                self._shorten(level, column.lengths, shrink_to_one=True)
            elif varies and leaf.indexes[0] is not None:
                self._shorten(level, _inner_lengths(leaf, self._row(leaf)), shrink_to_one=False)
            level += 1

    def _shorten(self, level: int, size: Integers, *, shrink_to_one: bool) -> None:
        now = self.sizes[level]
        if isinstance(now, int) and now == 1:
            self.sizes[level] = size
            return
        shorter = size < now if shrink_to_one else (size < now) & (size != 1)
        self.sizes[level] = np.where((np.asarray(now) == 1) | shorter, size, now)

    def _measure_index(self, index: Scope, level: int) -> None:
        if self._sizes[level] >= 0:
            return  # the same for all events, and known already
        now, size = self.sizes[level], np.broadcast_to(index.count, self.events)
        one = size == 1
        replaced = np.where(one, (index.loop == 1) & (size < now), (now == abs(self._sizes[level])) | (size < now))
        self.sizes[level] = np.where(replaced, size, now)

    def _row(self, leaf: Leaf) -> Any:
        """Return which outer element of nested lists each event means, where the formula does not loop over them."""
        index = leaf.indexes[0]
        assert index is not None
        return index if isinstance(index, int) else self._value_of(index, Points(self.events))

    def _count_rows(self, reachable: NDArray[np.bool_] | None) -> Integers:
        """Count the instances of each outer element of nested lists."""
        rows = np.asarray(np.broadcast_to(self.sizes[0], self.events), dtype=np.int64)
        if reachable is not None:
            rows = rows * reachable
        events, outer = enumerate_lists(rows)
        found = np.zeros(len(events), dtype=np.int64)
        for leaf in self._all_leaves():
            if leaf.column.inner is not None:
                size = _inner_lengths(leaf, outer, events)
                if leaf.is_nested_loop and isinstance(leaf.indexes[1], int):
                    size = (size > leaf.indexes[1]).astype(np.int64)
                elif leaf.is_nested_loop and leaf.indexes[1] is not None:
                    size = np.ones_like(size)
                there = outer < leaf.column.lengths[events]
                found = np.where(there & ((found == 0) | (size < found)), size, found)
        second = _spread(self.sizes[1], events) if len(self.sizes) > 1 else np.int64(1)
        counts = np.where((second == 1) | ((found != 1) & (found < second)), found, second)
        counts = counts * _spread(_product(self.sizes[2:]), events)
        self.rows = Rows(offsets_of(counts), offsets_of(rows), found)
        return np.diff(self.rows.begin[self.rows.first])

    @cached_property
    def points(self) -> Points:
        """All instances of all events."""
        if isinstance(self.count, int) and self.count == 1:
            return Points(self.events)
        counts = np.asarray(np.broadcast_to(self.count, self.events), dtype=np.int64)
        if self.loop == -1:
            chosen = np.flatnonzero(counts)
            return Points(len(chosen), chosen)
        return AllPoints(counts)

    @cached_property
    def offsets(self) -> Integers:
        """Where the instances of each event begin among all, and the end."""
        if isinstance(self.count, int):
            return np.arange(self.events + 1, dtype=np.int64) * self.count
        for leaf in self._all_leaves():
            if leaf.column.outer is not None and self.count is leaf.column.lengths:
                return leaf.column.outer
        return offsets_of(self.count)

    def blocks(self, size: int) -> list[Points]:
        """Return `points`, cut up into blocks if nothing but columns of numbers is read."""
        if self.inner or any(leaf.indexes for leaf in self._all_leaves()) or self.events <= size:
            return [self.points]
        return [Points(min(size, self.events - begin), begin=begin) for begin in range(0, self.events, size)]

    # --- which element is meant ---------------------------------------------------------------------------------

    def _below(self, level: int, points: Points, row: Integers | None) -> Any:
        """Return how many instances one step of a level of looping is, with all levels below it, at each point."""
        if row is None or level > 1:
            return points.of_event(_product(self.sizes[level:]))
        assert self.rows is not None
        return self.rows.lengths[row] * points.of_event(_product(self.sizes[2:]))

    def _locals(self, leaf: Leaf, points: Points, value_of: ValueOf) -> list[Any]:
        """Return the index in each dimension of a column at each point.

        As in ROOT, an index that varies counts as a level of looping here, whether it is a list or not; and the last
        of several dimensions is not divided among the levels below it.
        """
        instance: Any = 0 if points.instances is None else points.instances
        row: Integers | None = None
        rest: Any = None
        if self.rows is not None:
            row, primary, rest = self.rows.place(points)
        level, last = 0, len(leaf.indexes) - 1
        found: list[Any] = []
        for dimension, index in enumerate(leaf.indexes):
            if isinstance(index, int):
                found.append(index)
                continue
            here = instance
            if dimension == 0 and row is None:
                here = _quotient(instance, self._below(1, points, None))
            elif dimension > 0:
                size = self._below(level, points, row) if level else 1
                if np.any(size > 1):
                    here = np.where(size > 1, instance % np.maximum(size, 1), instance)
                if dimension < last:
                    here = _quotient(here, self._below(level + 1, points, row))
            if index is not None:
                at = None if np.ndim(here) == 0 else np.asarray(here)
                found.append(value_of(index, Points(points.size, points.events, at, points.begin)))
                if dimension == 0 and row is not None:
                    continue  # which is no level of its own where another column has rows
            elif dimension == 0 and row is not None:
                found.append(primary)
                instance = rest
            else:
                found.append(here)
            level += 1
        return found

    def whole(self, leaf: Leaf, points: Points) -> bool:
        """Whether the points are the elements of the column, each once and in order."""
        column = leaf.column
        if points is not self.points or any(index is not None for index in leaf.indexes):
            return False
        if column.outer is not None and self.count is column.lengths:
            return True
        if self.rows is not None:
            return (
                column.inner is not None
                and _same(self.rows.first, column.outer)
                and _same(self.rows.begin, column.inner)
            )
        if len(self.sizes) != len(column.dimensions):
            return False
        fixed = self.sizes[len(self.sizes) - len(column.fixed) :]
        if any(not isinstance(mine, int) or mine != size for mine, size in zip(fixed, column.fixed, strict=True)):
            return False
        return _same(self.offsets, column.begin)

    def element(self, leaf: Leaf, points: Points) -> NDArray[Any] | None:
        """Return one and the same element of a fixed array of each event, where that is all that is asked for."""
        column = leaf.column
        if column.outer is not None or points.events is not None:
            return None
        offset = 0
        for index, size in zip(leaf.indexes, column.fixed, strict=True):
            if not isinstance(index, int):
                return None
            offset = offset * size + index
        return column.content[offset :: prod(column.fixed)][points.begin : points.begin + points.size]

    def locate(self, leaf: Leaf, points: Points, value_of: ValueOf) -> Place:
        """Return where in the content of a column the element of each point is."""
        return (self._locate_nested if leaf.column.inner is not None else self._locate)(leaf, points, value_of)

    def _locate(self, leaf: Leaf, points: Points, value_of: ValueOf) -> Place:
        column = leaf.column
        offset: Any = 0
        missing: Any = False
        strayed: Any = False
        for dimension, where in enumerate(self._locals(leaf, points, value_of)):
            if isinstance(leaf.indexes[dimension], Scope):
                if dimension == 0:
                    missing = where < 0
                else:
                    outside = (where < 0) | (where >= column.dimensions[dimension])
                    strayed = strayed | outside
                    where = np.where(outside, column.dimensions[dimension] - 1, where)  # noqa: PLW2901
            offset = offset + where * prod(column.dimensions[dimension + 1 :])
        begin = column.begin
        missing = missing | (offset >= points.of_event(np.diff(begin)))
        position = np.where(missing, 0, points.of_event(begin[:-1]) + offset)
        return Place(position, np.broadcast_to(missing, points.size), np.broadcast_to(strayed, points.size))

    def _locate_nested(self, leaf: Leaf, points: Points, value_of: ValueOf) -> Place:
        column = leaf.column
        row, element = self._locals(leaf, points, value_of)
        size, begin = _inner_lengths(leaf, row, points.events, with_begin=True)
        missing = np.broadcast_to((element < 0) | (element >= size), points.size)
        # ROOT reads 0 from an inner list without elements, unless no inner list of the event has any
        inside = (row >= 0) & (row < points.of_event(column.lengths))
        zero = inside & (size == 0) & (points.of_event(np.diff(column.begin)) > 0) & (leaf.indexes[1] == 0)
        nowhere = np.zeros(points.size, dtype=np.bool_)
        return Place(np.where(missing, 0, begin + element), missing & ~zero, nowhere, missing & zero)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where elements are: positions, and masks of those that do not exist.

    `missing` makes the formula NaN; `strayed` is an index beyond a later dimension, where ROOT takes the last element;
    `zero` is where ROOT reads 0.
    """

    position: Integers
    missing: NDArray[np.bool_]
    strayed: NDArray[np.bool_]
    zero: NDArray[np.bool_] | None = None


ValueOf: TypeAlias = Callable[[Scope, Points], Integers]
"""Evaluates the formula of an index; what is no index becomes -1."""


def _same(one: Integers, other: Integers | None) -> bool:
    return other is not None and np.array_equal(one, other)


def _product(sizes: list[Size]) -> Size:
    result: Size = 1
    for size in sizes:
        if not isinstance(size, int) or size != 1:
            result = size if isinstance(result, int) and result == 1 else result * size
    return result


def _quotient(instance: Any, size: Any) -> Any:
    """Divide by a number of instances, one where there is none."""
    return instance if np.ndim(size) == 0 and size <= 1 else instance // np.maximum(size, 1)


def _spread(size: Size, events: Integers) -> Any:
    return size if isinstance(size, int) else np.asarray(size)[events]


def _inner_lengths(leaf: Leaf, row: Any, events: Integers | None = None, *, with_begin: bool = False) -> Any:
    """Return the length of an inner list of events (by default of all in order), 0 where there is none such."""
    column = leaf.column
    assert column.outer is not None
    assert column.inner is not None
    which = slice(None) if events is None else events
    valid = (row >= 0) & (row < column.lengths[which])
    inner = column.inner if len(column.inner) > 1 else np.zeros(2, dtype=np.int64)
    number = np.where(valid, column.outer[:-1][which] + row, 0)
    size = np.where(valid, inner[number + 1] - inner[number], 0)
    return (size, inner[number]) if with_begin else size

"""Trees made of trees: files one after the other, and friends side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from mvakit.errors import SourceError
from mvakit.sources.tree import BaseTree, Column, ColumnType, Tree, files_of

if TYPE_CHECKING:
    from mvakit.sources.tree import Array

__all__ = ["ChainedTree", "FriendedTree", "with_friends"]


class ChainedTree(BaseTree):
    """Trees one after the other, as ROOT's ``TChain``.

    The first tree says which columns there are. Each of the others must have those that are read, of the same shape;
    where the types of the numbers differ, all chunks come in the type that holds them all.

    Parameters
    ----------
    trees : sequence of Tree
    """

    def __init__(self, trees: Sequence[Tree]) -> None:
        self._trees = tuple(trees)
        leader = self._trees[0]
        more = len(self._trees) - 1
        columns = [Column((name,), leader.column_type(name), key=name) for name in leader.branches]
        location = f"{leader.location} and {more} more"
        super().__init__(leader.name, location, sum(tree.num_entries for tree in self._trees), columns)

    @property
    def files(self) -> tuple[tuple[str, int], ...]:
        """Location and number of entries of each tree."""
        return tuple(part for tree in self._trees for part in files_of(tree))

    def full_name(self, name: str) -> str:
        """Return `name`, which the first tree must know."""
        self._trees[0].column_type(name)  # its own words say best what is wrong
        return name

    def column_type(self, name: str) -> ColumnType:
        """Return the type that holds the column of every tree.

        Raises
        ------
        SourceError
            A tree lacks the column, or has it in another shape.
        """
        leader = self._trees[0]
        common = leader.column_type(name)
        for tree in self._trees[1:]:
            other = tree.column_type(name)
            if other.shape != common.shape or other.is_text != common.is_text:
                raise SourceError(
                    f"the trees of a chain differ: {name!r} is {common} in {leader.location} and {other} in {tree.location}"
                )
            if other.dtype != common.dtype and not common.is_text:
                common = ColumnType(np.result_type(common.dtype, other.dtype), common.shape)
        return common

    def _read(
        self, names: list[str], step_size: int | str, start: int, stop: int
    ) -> Iterator[tuple[int, dict[str, Array]]]:
        types = {name: self.column_type(name) for name in names}
        offset = 0
        for tree in self._trees:
            lower, upper = max(start - offset, 0), min(stop - offset, tree.num_entries)
            if lower < upper:
                for first, columns in tree.chunks(names, step_size, lower, upper):
                    yield offset + first, {name: _cast(columns[name], types[name]) for name in names}
            offset += tree.num_entries

    def fingerprint(self) -> str:
        """Return a digest of the fingerprints of the trees."""
        return "chain:" + _digest(tree.fingerprint() for tree in self._trees)


def _cast(array: Array, column_type: ColumnType) -> Array:
    if column_type.is_text:
        return array
    if isinstance(array, np.ndarray):
        return array.astype(column_type.dtype, copy=False)
    import awkward as ak

    return ak.values_astype(array, column_type.dtype)


class FriendedTree(BaseTree):
    """A tree with others read alongside it, as ROOT's ``AddFriend``; made by `with_friends`."""

    def __init__(self, tree: Tree, friends: Mapping[str, Tree]) -> None:
        self._trees = {"": tree, **friends}
        own = set(tree.branches)
        columns = [Column((name,), tree.column_type(name), key="") for name in tree.branches]
        for alias, friend in friends.items():
            if friend.num_entries != tree.num_entries:
                raise SourceError(
                    f"the friend {alias!r} ({friend.location}) has {friend.num_entries} entries, "
                    f"and {tree.location} has {tree.num_entries}"
                )
            for name in friend.branches:
                if f"{alias}.{name}" in own:
                    raise SourceError(
                        f"'{alias}.{name}' is a column of {tree.location} as well as one of the friend {alias!r} "
                        f"({friend.location}): give the friend another alias"
                    )
                columns.append(Column((alias, name), friend.column_type(name), key=alias))
        super().__init__(tree.name, tree.location, tree.num_entries, columns)

    @property
    def files(self) -> tuple[tuple[str, int], ...]:
        """Those of the tree that has the friends."""
        return files_of(self._trees[""])

    def _read(
        self, names: list[str], step_size: int | str, start: int, stop: int
    ) -> Iterator[tuple[int, dict[str, Array]]]:
        wanted: dict[str, list[str]] = {}
        for name in names:
            column = self._columns[name]
            wanted.setdefault(column.key, []).append(column.path[-1])
        leader, *followers = wanted
        following = {
            alias: _Follower(self._trees[alias].chunks(wanted[alias], step_size, start, stop)) for alias in followers
        }
        for first, columns in self._trees[leader].chunks(wanted[leader], step_size, start, stop):
            size = len(columns[wanted[leader][0]])
            found = {leader: columns, **{alias: follower.take(size) for alias, follower in following.items()}}
            yield first, {name: found[self._columns[name].key][self._columns[name].path[-1]] for name in names}

    def fingerprint(self) -> str:
        """Return a digest of the fingerprints of the tree and its friends."""
        return "friends:" + _digest(f"{alias}\0{tree.fingerprint()}" for alias, tree in self._trees.items())


def with_friends(tree: Tree, friends: Mapping[str, Tree]) -> Tree:
    """Return `tree` with further trees read alongside it, entry by entry.

    Parameters
    ----------
    tree : Tree
    friends : mapping of str to Tree
        By the alias of each: its column ``z`` is ``alias.z``, and ``z`` as well where neither `tree` nor another
        friend has a column of that name.

    Raises
    ------
    SourceError
        A friend has another number of entries, or a name would have two meanings.
    """
    for alias in friends:
        if not alias.isidentifier():
            raise SourceError(f"the alias of a friend is a word, as in 'alias.variable', not {alias!r}")
    return FriendedTree(tree, friends) if friends else tree


class _Follower:
    """Chunks of one tree, cut to the lengths that another tree's have."""

    def __init__(self, chunks: Iterator[tuple[int, Mapping[str, Array]]]) -> None:
        self._chunks = chunks
        self._held: Mapping[str, Array] = {}
        self._used = 0
        self._length = 0

    def take(self, size: int) -> dict[str, Array]:
        """Return the next `size` entries."""
        parts: list[dict[str, Array]] = []
        while size > 0:
            if self._used == self._length:
                _, self._held = next(self._chunks)
                self._used, self._length = 0, len(next(iter(self._held.values())))
            upper = min(self._used + size, self._length)
            parts.append({name: array[self._used : upper] for name, array in self._held.items()})
            size -= upper - self._used
            self._used = upper
        return {name: _joined([part[name] for part in parts]) for name in parts[0]}


def _joined(arrays: list[Array]) -> Array:
    if len(arrays) == 1:
        return arrays[0]
    if isinstance(arrays[0], np.ndarray):
        return np.concatenate(arrays)
    import awkward as ak

    return ak.concatenate(arrays)


def _digest(texts: Iterator[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()

"""The *tree* protocol: named columns, read in chunks, whatever they lie in.

Everything that holds events is seen through :class:`Tree`. What the adapters share is here: the type of a column,
the names that a formula may use for it, and the size of a chunk.
"""

from __future__ import annotations

import dataclasses
import operator
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from mvakit.errors import SourceError, did_you_mean

if TYPE_CHECKING:
    import awkward as ak

    Array: TypeAlias = npt.NDArray[Any] | ak.Array

__all__ = ["BaseTree", "Column", "ColumnType", "Tree", "entries_per_chunk", "files_of"]

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([KMGT]?I?)B\s*", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True)
class ColumnType:
    """What one column holds, known before any of it is read.

    Attributes
    ----------
    dtype : numpy.dtype
        Type of one number, in native byte order; of kind ``"U"`` for text.
    shape : tuple of (int or None)
        Shape of one entry: ``()`` for a single value, ``(3,)`` for a fixed array, ``(None,)`` for a list of
        variable length, ``(None, 2)`` for a list of pairs.
    """

    dtype: np.dtype[Any]
    shape: tuple[int | None, ...] = ()

    @property
    def is_text(self) -> bool:
        """Whether the column holds words rather than numbers."""
        return self.dtype.kind == "U"

    @property
    def is_jagged(self) -> bool:
        """Whether the number of values differs from entry to entry."""
        return None in self.shape

    @property
    def is_numpy(self) -> bool:
        """Whether chunks of the column are NumPy arrays; else they are awkward arrays."""
        return not (self.is_text or self.is_jagged)

    @property
    def nbytes(self) -> int:
        """Bytes of one entry; a list is taken to hold four values, a word sixteen letters."""
        values = 16 if self.is_text else self.dtype.itemsize
        for size in self.shape:
            values *= 4 if size is None else size
        return values

    def __str__(self) -> str:
        return ("text" if self.is_text else str(self.dtype)) + "".join(
            "[]" if n is None else f"[{n}]" for n in self.shape
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One column that an adapter offers, and how the adapter finds it.

    Attributes
    ----------
    path : tuple of str
        Parts of its name, outermost first: ``("ev", "pt")`` is the column ``ev.pt``, in short ``pt``.
    type : ColumnType or str
        Its type; or, where no formula can use it, the reason.
    key : str
        What the adapter reads for it: a branch, a field, a column of a frame.
    within : tuple of str
        The record fields of `key` that lead to it.
    also : tuple of str
        Further names.
    """

    path: tuple[str, ...]
    type: ColumnType | str
    key: str
    within: tuple[str, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The full name, dotted."""
        return ".".join(self.path)

    @property
    def short_names(self) -> tuple[str, ...]:
        """What else it may be called where no other column claims it: the ends of its dotted name."""
        ends = (".".join(self.path[i:]) for i in range(1, len(self.path)))
        return (
            *(end for end in ends if not end[:1].isdigit()),
            *self.also,
        )  # a formula would take a digit for a number


@runtime_checkable
class Tree(Protocol):
    """Named columns of equal length, read in chunks.

    Attributes
    ----------
    name : str
        What the tree is called: ``"TreeS"``.
    location : str
        Where it is, as a person would say it in an error: ``"file.root:TreeS"``.
    """

    name: str
    location: str

    @property
    def num_entries(self) -> int:
        """Number of entries."""
        ...

    @property
    def branches(self) -> tuple[str, ...]:
        """Every name that a formula may use, the full names first."""
        ...

    def column_type(self, name: str) -> ColumnType:
        """Return the type of a column; raise `SourceError` where there is none of that name."""
        ...

    def chunks(
        self,
        names: Sequence[str],
        step_size: int | str = "100 MB",
        start: int | None = None,
        stop: int | None = None,
    ) -> Iterator[tuple[int, Mapping[str, Array]]]:
        """Iterate over the entries from `start` to `stop` in order.

        Parameters
        ----------
        names : sequence of str
            The columns wanted, by any of their names.
        step_size : int or str
            The most entries of a chunk, or about how much memory one may take (``"100 MB"``).
        start, stop : int, optional
            Bounds, as in a slice.

        Yields
        ------
        (int, mapping)
            The first entry of the chunk, and each of `names` with its values: a NumPy array with one row per entry
            in native byte order, or an awkward array for lists and text. The arrays may be views of the caller's
            data and are not to be written to. Chunks follow each other without gaps.
        """
        ...

    def fingerprint(self) -> str:
        """Return a text that changes when the content does."""
        ...


def files_of(tree: Tree) -> tuple[tuple[str, int], ...]:
    """Return where the entries of a tree come from: location and number of entries of each part, in their order.

    A chain has a part for each of its trees, and a tree with friends those of the tree itself. A tree that does not tell
    its `files` is one part.
    """
    files: tuple[tuple[str, int], ...] | None = getattr(tree, "files", None)
    return ((tree.location, tree.num_entries),) if files is None else files


def entries_per_chunk(step_size: int | str, bytes_per_entry: float) -> int:
    """Return the entries of a chunk of `step_size` (entries, or memory such as ``"100 MB"``); at least one.

    Raises
    ------
    SourceError
        `step_size` is neither.
    """
    if isinstance(step_size, str):
        match = _SIZE.fullmatch(step_size)
        size = float(match[1]) * _UNITS[match[2].upper()] if match else 0.0
        if size > 0.0:
            return max(1, int(size / max(bytes_per_entry, 1.0)))
    elif not isinstance(step_size, bool | np.bool_):
        try:
            entries = operator.index(step_size)
        except TypeError:
            entries = 0
        if entries > 0:
            return entries
    raise SourceError(f"step_size must be a positive number of entries or an amount like '100 MB', not {step_size!r}")


class BaseTree(ABC):
    """What every adapter shares: names, checks and the bounds of reading.

    An adapter says in `_read` how the columns are read.
    """

    def __init__(self, name: str, location: str, num_entries: int, columns: Iterable[Column]) -> None:
        self.name = name
        self.location = location
        self._num_entries = num_entries
        self._columns: dict[str, Column] = {}
        for column in columns:
            self._columns.setdefault(column.name, column)  # of two branches of one name ROOT finds the first
        claims: dict[str, list[str]] = {}
        for full, column in self._columns.items():
            if isinstance(column.type, ColumnType):
                for short in dict.fromkeys(column.short_names):
                    if short not in self._columns:
                        claims.setdefault(short, []).append(full)
        self._short = {short: fulls[0] for short, fulls in claims.items() if len(fulls) == 1}
        self._ambiguous = {short: fulls for short, fulls in claims.items() if len(fulls) > 1}
        usable = (full for full, column in self._columns.items() if isinstance(column.type, ColumnType))
        self._branches = (*usable, *self._short)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.location!r}: {self.num_entries} entries>"

    @property
    def num_entries(self) -> int:
        """Number of entries."""
        return self._num_entries

    @property
    def branches(self) -> tuple[str, ...]:
        """Every name that a formula may use: the full names, then the short ones that are unambiguous."""
        return self._branches

    @property
    def files(self) -> tuple[tuple[str, int], ...]:
        """Location and number of entries of each tree that this one is a chain of; see `files_of`."""
        return ((self.location, self.num_entries),)

    def full_name(self, name: str) -> str:
        """Return the full name of the column that `name` stands for.

        Raises
        ------
        SourceError
            There is none, more than one, or one that no formula can use.
        """
        full = self._short.get(name, name)
        column = self._columns.get(full)
        if column is not None:
            if isinstance(column.type, str):
                raise SourceError(f"{self.location}: {name!r} cannot be used as a variable: {column.type}")
            return full
        if name in self._ambiguous:
            raise SourceError(f"{self.location}: {name!r} may be any of {_listed(self._ambiguous[name])}: write which")
        members = [full for full in self._branches if full.startswith(f"{name}.")]
        if members:
            raise SourceError(f"{self.location}: {name!r} is a group of columns, not a column: {_listed(members)}")
        hint = did_you_mean(name, self._branches, noun="columns")
        raise SourceError(f"{self.location}: there is no branch {name!r}; {hint}")

    def column_type(self, name: str) -> ColumnType:
        """Return the type of the column that `name` stands for; raise `SourceError` where there is none."""
        found = self._columns[self.full_name(name)].type
        assert isinstance(found, ColumnType)  # full_name refuses the others
        return found

    def chunks(
        self,
        names: Sequence[str],
        step_size: int | str = "100 MB",
        start: int | None = None,
        stop: int | None = None,
    ) -> Iterator[tuple[int, Mapping[str, Array]]]:
        """Iterate over the entries in order: see :meth:`Tree.chunks`. Wrong names are refused at the call."""
        if isinstance(names, str):
            raise SourceError(f"{self.location}: the columns wanted are a list of names, not the text {names!r}")
        full = {name: self.full_name(name) for name in names}
        entries_per_chunk(step_size, 1.0)
        first, last, _ = slice(start, stop).indices(self.num_entries)
        return self._chunks(full, step_size, first, last)

    def _chunks(
        self, full: Mapping[str, str], step_size: int | str, start: int, stop: int
    ) -> Iterator[tuple[int, Mapping[str, Array]]]:
        if start >= stop:
            return
        if not full:
            step = entries_per_chunk(step_size, 8.0)
            yield from ((first, {}) for first in range(start, stop, step))
            return
        for first, columns in self._read(list(dict.fromkeys(full.values())), step_size, start, stop):
            yield first, {name: columns[column] for name, column in full.items()}

    @abstractmethod
    def _read(
        self, names: list[str], step_size: int | str, start: int, stop: int
    ) -> Iterator[tuple[int, dict[str, Array]]]:
        """Read columns by their full names; ``start < stop`` and `names` is not empty."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Return a text that changes when the content does."""


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names[:10]) + (", ..." if len(names) > 10 else "")

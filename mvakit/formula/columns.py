"""The columns a formula reads: which one a name means, and one plain layout for all that NumPy and Awkward hold."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mvakit.errors import FormulaError, did_you_mean
from mvakit.formula.syntax import Name

__all__ = ["CONSTANTS", "VARIABLE", "Column", "Columns", "find", "unknown"]

CONSTANTS = ("pi", "rndm")
"""Names that mean a number where no column is called so."""
VARIABLE = -1
"""The size of a dimension that differs from event to event."""


@dataclass(frozen=True, eq=False)
class Column:
    """One column: its elements in a row, and how they belong to events.

    Attributes
    ----------
    name
        What it is called in messages.
    content
        All elements, the last dimension running fastest.
    events
        The number of events.
    fixed
        The sizes of the dimensions that are the same for all events (they come behind those that are not).
    outer
        Where the list of each event begins, counted in elements of the next dimension; None if there are no lists.
    inner
        Where each list within the lists begins; None if there are none.
    """

    name: str
    content: NDArray[Any]
    events: int
    fixed: tuple[int, ...] = ()
    outer: NDArray[np.int64] | None = None
    inner: NDArray[np.int64] | None = None

    @property
    def dimensions(self) -> tuple[int, ...]:
        """The size of every dimension, `VARIABLE` where it differs."""
        return (VARIABLE,) * ((self.outer is not None) + (self.inner is not None)) + self.fixed

    @property
    def multiplicity(self) -> int:
        """ROOT's: 0 for a number, 1 for a list of variable length, 2 for a fixed array of more than one element."""
        if self.outer is not None:
            return 1
        return 2 if prod(self.fixed) > 1 else 0

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """The length of the list of each event."""
        assert self.outer is not None
        return np.diff(self.outer)

    @cached_property
    def begin(self) -> NDArray[np.int64]:
        """Where the elements of each event begin in `content`, and where those of the last end."""
        if self.outer is None:
            return np.arange(self.events + 1, dtype=np.int64) * prod(self.fixed)
        begin = self.outer if self.inner is None else self.inner[self.outer]
        return begin * prod(self.fixed) if self.fixed else begin


class Columns:
    """What the caller handed over, a mapping or an awkward record array, one `Column` at a time.

    Parameters
    ----------
    source
        A mapping from names to arrays (a frame is one), or an awkward record array.
    formula
        The text of the formula, for messages.
    """

    def __init__(self, source: Any, formula: str) -> None:
        self.source = source
        self.formula = formula
        self._fields = getattr(source, "fields", None) if _is_awkward(source) else None
        self._found: dict[str, Column] = {}

    @property
    def names(self) -> list[str]:
        """The names of all columns."""
        return [str(name) for name in (self._fields if self._fields is not None else self.source.keys())]

    def has(self, name: str) -> bool:
        """Whether `name` means a column."""
        return self._place(name) is not None

    def is_constant(self, node: Name) -> bool:
        """Whether a name is ``pi`` or ``rndm``, and no column is called so."""
        return node.name in CONSTANTS and not node.indexes and not self.has(node.name)

    def get(self, name: str) -> Column:
        """Return the column that `name` means.

        Raises
        ------
        FormulaError
            If there is none, or it holds neither numbers nor strings.
        """
        if name not in self._found:
            place = self._place(name)
            if place is None:
                raise unknown(name, self._leaves(), self.formula)
            data = self.source[place[0]]
            for field in place[1:]:
                data = data[field]
            while fields := _fields(data):  # ROOT takes the first leaf of a branch named alone
                data = data[fields[0]]
            self._found[name] = _column(name, data)
        return self._found[name]

    def events(self) -> int:
        """Return the number of events, the same for all columns read so far, or that of the first column."""
        if not self._found:
            names = self.names
            if not names:
                raise FormulaError(f"the number of events is unknown for {self.formula!r}: there are no columns")
            return len(self.source[names[0]])
        columns = list(self._found.values())
        for column in columns[1:]:
            if column.events != columns[0].events:
                raise FormulaError(
                    f"columns of different length in {self.formula!r}: {columns[0].name!r} has {columns[0].events} "
                    f"events, {column.name!r} has {column.events}"
                )
        return columns[0].events

    def _place(self, name: str) -> tuple[str, ...] | None:
        if name in (self._fields if self._fields is not None else self.source):
            return (name,)
        place = find(name, self.names)
        return place if place and self._leads_on(place) else self._place_in_records(name)

    def _leads_on(self, place: tuple[str, ...]) -> bool:
        """Whether the fields that a name speaks of are there."""
        data = self.source[place[0]]
        for field in place[1:]:
            if field not in _fields(data):
                return False
            data = data[field]
        return True

    def _place_in_records(self, name: str) -> tuple[str, ...] | None:
        """Find the leaf `name` of a column that is a record."""
        places = [(column, *name.split(".")) for column in self.names]
        return _only(name, [place for place in places if self._leads_on(place)])

    def _leaves(self) -> list[str]:
        found = self.names
        return found + [f"{column}.{field}" for column in found for field in _fields(self.source[column])]


def unknown(name: str, available: Sequence[str], formula: str) -> FormulaError:
    """Return the error that `name` in `formula` is no column."""
    shown = "" if name == formula else f" of the formula {formula!r}"
    return FormulaError(f"no branch or leaf {name!r}{shown}; {did_you_mean(name, available, noun='branches')}")


def find(name: str, available: Iterable[str]) -> tuple[str, ...] | None:
    """Find what `name` means among the names `available`.

    Looked for in this order: the name itself, with or without a dot at its end; ``branch.leaf`` where only the branch
    is there; the last part of a longer name (a leaf of any branch, a column of any friend).

    Returns
    -------
    tuple of str or None
        The name as it is available, and the fields to follow in it; None if there is nothing of that name.

    Raises
    ------
    FormulaError
        If it is the last part of several names. (ROOT takes the first.)
    """
    known = list(available)
    bare = name.rstrip(".")
    for candidate in (name, bare, f"{bare}."):
        if candidate in known:
            return (candidate,)
    dotted = {key.replace("/", "."): key for key in reversed(known)}
    if bare in dotted:
        return (dotted[bare],)
    parts = bare.split(".")
    for cut in range(len(parts) - 1, 0, -1):
        branch, leaves = ".".join(parts[:cut]), tuple(parts[cut:])
        for candidate in (branch, f"{branch}."):
            if candidate in dotted:
                key = dotted[candidate]
                same = leaves == (candidate.rstrip(".").rpartition(".")[2],)  # ROOT's x.x is the leaf x of branch x
                return (key,) if same else (key, *leaves)
    return _only(name, [(key,) for key in known if key.replace("/", ".").endswith(f".{bare}")])


def _only(name: str, places: list[tuple[str, ...]]) -> tuple[str, ...] | None:
    if len(places) > 1:
        listed = ", ".join(repr(".".join(place)) for place in places)
        raise FormulaError(f"{name!r} may be any of {listed}: write which")
    return places[0] if places else None


def _is_awkward(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "awkward"


def _fields(data: Any) -> list[str]:
    if _is_awkward(data):
        return [str(field) for field in data.fields]
    return list(getattr(getattr(data, "dtype", None), "names", None) or ())


def _column(name: str, data: Any) -> Column:
    if _is_awkward(data):
        return _from_awkward(name, data)
    if isinstance(data, np.ma.MaskedArray) and np.any(np.ma.getmaskarray(data)):
        raise FormulaError(f"the column {name!r} has missing values")
    array = np.asarray(data)
    if array.dtype.kind == "O":
        return _from_objects(name, array)
    if array.dtype.kind in "US":
        return Column(name, array.astype(str), len(array))
    _check_numbers(name, array.dtype)
    if array.ndim == 0:
        raise FormulaError(f"the column {name!r} is a single number, not an array with one entry per event")
    return Column(name, _native(array).reshape(-1), len(array), array.shape[1:])


def _check_numbers(name: str, dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "biuf":
        raise FormulaError(
            f"the column {name!r} holds {dtype}, which a formula cannot read: numbers or strings expected"
        )


def _native(array: NDArray[Any]) -> NDArray[Any]:
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _from_objects(name: str, array: NDArray[Any]) -> Column:
    """Take an array of Python objects: strings, lists of numbers, or numbers."""
    if all(isinstance(item, str) for item in array):
        return Column(name, array.astype(str) if len(array) else np.empty(0, dtype=str), len(array))
    try:
        if all(hasattr(item, "__len__") for item in array):
            import awkward as ak

            return _from_awkward(name, ak.from_iter([_listed(item) for item in array]))
        return Column(name, array.astype(np.float64), len(array))
    except (TypeError, ValueError) as error:
        raise FormulaError(f"the column {name!r} holds objects that are neither numbers nor strings") from error


def _listed(item: Any) -> Any:
    if isinstance(item, np.ndarray) and item.dtype != object:
        return item.tolist()
    return [_listed(below) if hasattr(below, "__len__") else below for below in item]


def _from_awkward(name: str, data: Any) -> Column:
    import awkward as ak

    layout = ak.to_layout(data)
    events = len(layout)
    lists: list[NDArray[np.int64]] = []
    fixed: list[int] = []
    while True:
        if layout.is_option:
            if np.any(ak.is_none(ak.Array(layout))):
                raise FormulaError(f"the column {name!r} has missing values")
            layout = layout.project()
        elif layout.is_indexed:
            layout = layout.project()
        elif layout.parameter("__array__") in ("string", "bytestring"):
            if lists or fixed:
                raise FormulaError(f"the column {name!r} holds lists of strings: a formula reads one string per event")
            return Column(name, np.array([_string(item) for item in ak.to_list(layout)], dtype=str), events)
        elif layout.is_regular and layout.is_list:
            fixed.append(int(layout.size))
            layout = layout.content[: len(layout) * layout.size]
        elif layout.is_list:
            layout = layout.to_ListOffsetArray64(True)
            if fixed or len(lists) == 2:
                raise FormulaError(
                    f"the column {name!r} has lists of variable length inside {'arrays' if fixed else 'nested lists'}: "
                    f"a formula reads at most two levels, outermost"
                )
            lists.append(np.asarray(layout.offsets.data, dtype=np.int64))
            layout = layout.content[: lists[-1][-1]]
        elif layout.is_numpy and len(layout.shape) > 1:
            layout = layout.to_RegularArray()
        else:
            break
    if layout.is_unknown:
        content: NDArray[Any] = np.empty(0, dtype=np.float64)
    elif layout.is_numpy:
        content = _native(np.asarray(layout.data))
        _check_numbers(name, content.dtype)
    else:
        raise FormulaError(f"the column {name!r} holds {ak.Array(layout).type.content}, which a formula cannot read")
    if len(lists) == 2 and fixed:
        raise FormulaError(
            f"the column {name!r} has arrays inside nested lists: a formula reads no more than two levels"
        )
    outer, inner = [*lists, None, None][:2]
    return Column(name, content, events, tuple(fixed), outer, inner)


def _string(item: str | bytes) -> str:
    return item if isinstance(item, str) else item.decode(errors="replace")

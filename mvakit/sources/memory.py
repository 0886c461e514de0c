"""Trees of what is already in memory: NumPy columns, awkward arrays, pandas, polars and Arrow frames."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mvakit.errors import SourceError
from mvakit.sources.columns import RecordTree, columns_of, form_types
from mvakit.sources.series import Slicer, slicer
from mvakit.sources.tree import Column, ColumnType, entries_per_chunk

if TYPE_CHECKING:
    from mvakit.sources.tree import Array

__all__ = ["MemoryTree", "from_awkward", "from_frame", "from_mapping", "from_structured"]


class MemoryTree(RecordTree):
    """A tree of columns in memory.

    Parameters
    ----------
    name : str
    num_entries : int
    columns : iterable of Column
    slicers : mapping of str to callable
        For each key of the columns, what gives its entries from one to another.
    """

    def __init__(self, name: str, num_entries: int, columns: Iterable[Column], slicers: Mapping[str, Slicer]) -> None:
        super().__init__(name, name, num_entries, columns)
        self._slicers = slicers

    def _read_keys(
        self, columns: list[Column], step_size: int | str, start: int, stop: int
    ) -> Iterator[tuple[int, Mapping[str, Array]]]:
        size = sum(self.column_type(column.name).nbytes for column in columns)
        step = entries_per_chunk(step_size, size)
        keys = {column.key for column in columns}
        for first in range(start, stop, step):
            last = min(first + step, stop)
            yield first, {key: self._slicers[key](first, last) for key in keys}

    def fingerprint(self) -> str:
        """Return a digest of all columns; it takes a pass over them."""
        digest = hashlib.sha256(f"{self.num_entries}".encode())
        for column in sorted(self._columns.values(), key=lambda column: column.name):
            if isinstance(column.type, ColumnType):
                digest.update(f"\0{column.name}\0{column.type}\0".encode())
                for _, chunk in self.chunks([column.name], "16 MB"):
                    for buffer in _buffers(chunk[column.name]):
                        digest.update(buffer)
        return f"memory:{digest.hexdigest()}"


def _buffers(array: Array) -> Iterator[bytes]:
    if isinstance(array, np.ndarray):
        yield array.tobytes()
        return
    import awkward as ak

    _, _, buffers = ak.to_buffers(ak.to_packed(array))
    for key in sorted(buffers):
        yield np.asarray(buffers[key]).tobytes()


def _from_columns(source: Iterable[tuple[str, Any]], name: str) -> MemoryTree:
    """Return a tree of named columns of any library."""
    columns: list[Column] = []
    slicers: dict[str, Slicer] = {}
    lengths: dict[str, int] = {}
    for label, values in source:
        if label in lengths:
            raise SourceError(f"{name}: two columns are named {label!r}")
        try:
            slicers[label] = slicer(values)
            columns.extend(columns_of(label, slicers[label](0, 0)))
            lengths[label] = len(values)
        except (TypeError, ValueError, NotImplementedError) as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            columns.append(Column((label,), f"no array can be made of it: {reason}", key=label))
    if len(set(lengths.values())) > 1:
        longest, shortest = max(lengths, key=lengths.__getitem__), min(lengths, key=lengths.__getitem__)
        raise SourceError(
            f"{name}: the columns differ in length: {longest!r} has {lengths[longest]} entries, "
            f"{shortest!r} has {lengths[shortest]}"
        )
    return MemoryTree(name, next(iter(lengths.values()), 0), columns, slicers)


def from_mapping(source: Mapping[Any, Any], name: str) -> MemoryTree:
    """Return a tree of a mapping of column names to arrays or lists.

    Raises
    ------
    SourceError
        The columns differ in length, or a name is no text.
    """
    for key in source:
        if not isinstance(key, str):
            raise SourceError(f"{name}: a column is named by text, not by {key!r}")
    return _from_columns(source.items(), name)


def from_structured(source: np.ndarray[Any, np.dtype[Any]], name: str) -> MemoryTree:
    """Return a tree of a structured NumPy array, one field per column.

    Raises
    ------
    SourceError
        The array has no fields.
    """
    if source.dtype.names is None or source.ndim != 1:
        raise SourceError(
            f"an array of type {source.dtype} and shape {source.shape} has no column names: "
            "hand over a mapping {'name': column, ...}"
        )
    return _from_columns(((field, source[field]) for field in source.dtype.names), name)


def from_awkward(source: Any, name: str) -> MemoryTree:
    """Return a tree of an awkward record array; records within it, and lists of records, give dotted columns.

    Raises
    ------
    SourceError
        The array has no fields.
    """
    types = list(form_types(source.layout.form))
    if any(not path for path, _ in types):
        raise SourceError(f"an awkward array of type {source.type} has no column names: hand over an array of records")
    columns = [Column(path, found, key="", within=path) for path, found in types]
    return MemoryTree(name, len(source), columns, {"": slicer(source)})


def from_frame(source: Any, name: str) -> MemoryTree:
    """Return a tree of a pandas or polars frame, or of an Arrow table.

    A lazy frame is collected. The index of a pandas frame is left out, and so are columns whose names are no text.
    """
    if hasattr(source, "collect"):
        source = source.collect()
    if hasattr(source, "iloc"):
        labels, series = source.columns, (source.iloc[:, i] for i in range(source.shape[1]))
    elif hasattr(source, "schema") and hasattr(source, "get_columns"):
        labels, series = source.columns, source.get_columns()
    else:
        labels, series = source.schema.names, source.columns
    named = ((label, values) for label, values in zip(labels, series, strict=True) if isinstance(label, str))
    return _from_columns(named, name)

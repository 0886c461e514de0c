"""Columns that may be larger than memory: grown by appending, held in memory up to a limit and in mapped files beyond it.

Everything here is an array of NumPy to whoever uses it, and only where its bytes lie differs. The files are scratch: they
have no name once they are open, so that they vanish with the last array that looks into them, however the process ends.
"""

from __future__ import annotations

import errno
import math
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Self

import numpy as np
import numpy.typing as npt

from mvakit.files import OutputError

__all__ = [
    "BLOCK",
    "Column",
    "ColumnStore",
    "Space",
    "allocate",
    "disk_error",
    "gather",
    "index_type",
    "spans",
    "total",
]

Array = npt.NDArray[Any]

BLOCK: Final = 1 << 16
"""Events that are worked on together. Sums depend on it in their last digit, so it is the same wherever events lie."""

_STRIPE: Final = 1 << 14
"""Events put in their places together, few enough to stay in the cache of the processor."""
_STRIDE: Final = 1 << 18
"""Events dealt into buckets together."""
_SMALLEST_BUCKET: Final = 1 << 20
"""Bytes below which it makes no sense to sort events in parts."""
_NO_RESERVING: Final = {None, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS}
"""What systems and disks say that cannot reserve room; None where Python has no function for it."""


def spans(length: int, size: int = BLOCK) -> Iterator[slice]:
    """Yield slices of `size` that cover `length` events in order."""
    for begin in range(0, length, size):
        yield slice(begin, min(begin + size, length))


def total(values: npt.NDArray[np.floating[Any]]) -> float:
    """Return the sum, in double precision, of a column; the same wherever its bytes lie.

    Blocks are summed pairwise and their sums without any rounding.
    """
    return math.fsum(float(np.sum(values[rows], dtype=np.float64)) for rows in spans(len(values)))


def index_type(length: int) -> np.dtype[np.integer[Any]]:
    """Return the smaller of two types that can number `length` events."""
    return np.dtype(np.uint32 if length <= 2**32 else np.int64)


@dataclass(frozen=True, slots=True)
class Space:
    """Where columns go that are larger than memory.

    Attributes
    ----------
    limit : int
        The bytes of memory that events may take while they are worked on.
    folder : Path
        Of the files beyond it; it is made when the first of them is.
    """

    limit: int
    folder: Path

    @property
    def small(self) -> int:
        """Bytes up to which a single array is no reason to make a file."""
        return self.limit // 16

    def bucket(self, row: int) -> int:
        """Return how many rows of so many bytes may be sorted at once."""
        return max(1, max(self.limit // 8, _SMALLEST_BUCKET) // max(row, 1))

    def file(self) -> IO[bytes]:
        """Open a file without a name.

        Raises
        ------
        OutputError
            If the folder cannot be made or written to.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return tempfile.TemporaryFile(dir=self.folder)
        except OSError as error:
            raise disk_error(self.folder, error) from None

    def empty(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """Return an array to be filled: in memory if it is small, else in a file.

        Raises
        ------
        OutputError
            If the disk has no room for it.
        """
        size = math.prod(shape) * np.dtype(dtype).itemsize
        if size <= max(self.small, 1):
            return np.empty(shape, dtype)
        with self.file() as file:
            allocate(file, size, self.folder)
            return np.memmap(file, dtype, "r+", shape=shape)


def disk_error(folder: Path, error: OSError) -> OutputError:
    """Return the error to raise where a file of the cache folder cannot be written."""
    return OutputError(
        f"events that are larger than MaxMemory go to files in {str(folder)!r}, which cannot be written: "
        f"{error.strerror or error}; choose another folder with CacheDir, or raise MaxMemory"
    )


def allocate(file: IO[bytes], size: int, folder: Path) -> None:
    """Give a file its size and all its room on the disk: what is mapped cannot report a disk that is full.

    Raises
    ------
    OutputError
        If the disk is full.
    """
    try:
        file.flush()
        begin = file.tell()
        try:
            os.posix_fallocate(file.fileno(), begin, size)
        except (AttributeError, OSError) as error:
            if getattr(error, "errno", None) not in _NO_RESERVING:
                raise
            zeros = bytes(_SMALLEST_BUCKET)
            for rows in spans(size, len(zeros)):
                file.write(zeros[: rows.stop - rows.start])
            file.flush()
            file.seek(begin)
    except OSError as error:
        raise disk_error(folder, error) from None


class ColumnStore:
    """Columns that grow together within one limit; to be used in a ``with``, which closes what was not finished.

    Parameters
    ----------
    space : Space or None
        Without one everything stays in memory.

    Attributes
    ----------
    mapped : bool
        Whether any column had to leave memory.
    """

    def __init__(self, space: Space | None = None) -> None:
        self.space = space
        self.mapped = False
        self._held = 0
        self._files = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    @property
    def limit(self) -> float:
        """Bytes that the columns may take: half of the space, since whoever rearranges them needs as much again."""
        return math.inf if self.space is None else self.space.limit / 2

    def column(self, dtype: npt.DTypeLike, width: int | None = None, expected: int = 0) -> Column:
        """Return a column without events.

        Parameters
        ----------
        dtype : numpy.dtype
        width : int, optional
            The numbers of one event; by default it has one, and the column one dimension.
        expected : int
            The events that may come, if that is known.
        """
        return Column(self, np.dtype(dtype), () if width is None else (width,), expected)

    def take(self, size: int) -> bool:
        """Claim bytes of memory; false where that would be too many."""
        if self._held + size > self.limit:
            self.mapped = True
            return False
        self._held += size
        return True

    def leave(self, size: int) -> IO[bytes]:
        """Return a file for a column that releases the bytes it claimed.

        Raises
        ------
        OutputError
            If there can be no file.
        """
        assert self.space is not None  # without a space nothing has to leave memory
        self._held -= size
        return self._files.enter_context(self.space.file())


class Column:
    """One column of a `ColumnStore`, which grows at its end."""

    def __init__(self, store: ColumnStore, dtype: np.dtype[Any], shape: tuple[int, ...], expected: int) -> None:
        self._store = store
        self._dtype = dtype
        self._shape = shape
        self._row = max(1, dtype.itemsize * math.prod(shape))
        # What is never written to takes no memory.
        room = int(min(float(expected), store.limit / self._row))
        self._array = np.empty((room, *shape), dtype)
        self._file: IO[bytes] | None = None
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def append(self, rows: Array) -> None:
        """Add events.

        Raises
        ------
        OutputError
            If they have to go to a file and the disk has no room.
        """
        rows = np.ascontiguousarray(rows, self._dtype)
        end = self._length + len(rows)
        if self._file is None and not self._store.take(rows.nbytes):
            self._leave_memory()
        if self._file is not None:
            self._write(rows)
        else:
            if end > len(self._array):
                grown = np.empty((max(end, len(self._array) * 3 // 2), *self._shape), self._dtype)
                grown[: self._length] = self._array[: self._length]
                self._array = grown
            self._array[self._length : end] = rows
        self._length = end

    def _leave_memory(self) -> None:
        self._file = self._store.leave(self._length * self._row)
        self._write(self._array[: self._length])
        self._array = self._array[:0].copy()

    def _write(self, rows: Array) -> None:
        assert self._file is not None
        with self._disk():
            self._file.write(rows.data)

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            assert self._store.space is not None
            raise disk_error(self._store.space.folder, error) from None

    def finish(self) -> Array:
        """Return the whole column; nothing can be added afterwards. What lies in a file is not to be written to.

        Raises
        ------
        OutputError
            If the disk has no room for the last of it.
        """
        if self._file is None:
            return self._array[: self._length]
        with self._file as file:
            with self._disk():
                file.flush()
            return np.memmap(file, self._dtype, "r", shape=(self._length, *self._shape))


def gather(
    parts: Sequence[Sequence[Array]], order: npt.NDArray[np.integer], outs: Sequence[Array], bucket: int = 0
) -> None:
    """Fill columns with events of other columns, in any order, reading and writing long stretches of each.

    Where parts are too large to be read at random, they are read from beginning to end, once: their events are dealt into
    consecutive buckets first, as they come, and then put in order within each of them.

    Parameters
    ----------
    parts : sequence of sequence of ndarray
        The columns of each part; the parts are thought of as one behind the other.
    order : ndarray of int, shape (n_events,)
        Which event of the parts comes where.
    outs : sequence of ndarray
        The columns to fill, as many as those of a part, each of `n_events`.
    bucket : int
        The events of a bucket; 0 to do without.
    """
    length = len(order)
    bounds = np.cumsum([0, *(len(part[0]) for part in parts)])
    if not 0 < bucket < length or bool(np.all(order[1:] >= order[:-1])):
        for span in spans(length, _STRIPE):
            which = np.searchsorted(bounds, order[span], side="right") - 1
            for number in np.unique(which):
                places = slice(None) if len(parts) == 1 else np.flatnonzero(which == number)
                events = order[span][places] - bounds[number]
                for column, out in zip(parts[number], outs, strict=True):
                    out[span][places] = _picked(column, events)
        return
    by_source = np.argsort(order)
    deal = _Deal(length, bucket)
    for span in spans(length, _STRIDE):
        places = by_source[span]
        rows = order[places]
        cuts = np.searchsorted(rows, bounds)
        for part, begin, low, high in zip(parts, bounds, cuts, cuts[1:], strict=False):
            if low < high:
                values = [_picked(column, rows[low:high] - begin) for column in part]
                for to, which in deal(places[low:high]):
                    for column, out in zip(values, outs, strict=True):
                        out[to] = column[which]
    for span in spans(length, bucket):
        arrived = np.argsort(order[span])
        for out in outs:
            within = out[span]
            within[arrived] = within.copy()


def _picked(column: Array, events: npt.NDArray[np.integer]) -> Array:
    # `take` is the faster of the two, but would first copy all of a column that does not lie in one piece.
    return column.take(events, axis=0) if column.flags.c_contiguous else column[events]


class _Deal:
    """Deals events into buckets of consecutive places, behind those that came before them."""

    def __init__(self, length: int, bucket: int) -> None:
        self._bucket = bucket
        self._next = np.arange(0, length, bucket)

    def __call__(self, places: npt.NDArray[np.intp]) -> Iterator[tuple[slice, npt.NDArray[np.intp]]]:
        """Yield, for each bucket that some `places` belong to, where to write, and which of them."""
        numbers = places // self._bucket
        by_number = np.argsort(numbers, kind="stable")
        counts = np.bincount(numbers, minlength=len(self._next))
        ends = np.cumsum(counts)
        for number in np.flatnonzero(counts):
            count, end = int(counts[number]), int(ends[number])
            begin = int(self._next[number])
            self._next[number] += count
            yield slice(begin, begin + count), by_number[end - count : end]

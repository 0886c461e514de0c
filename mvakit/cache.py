"""A folder of columns that were expensive to make, found again by what they were made of.

An entry is a folder named by its key: one ``.npy`` file for each column and ``manifest.json``, which tells their types and
shapes, when they were written, and a checksum of every block of them. An entry is written aside under a name of its own
and then renamed, so that it is there whole or not at all, and of two processes that make the same entry at once either may
win. What is found is looked at before it is used: sizes and times always, and checksums of some blocks of every file, or
of all of them where a file is small or its time is not the one noted. An entry that fails is made again. Nothing in an
entry is ever executed, and a manifest is read as the work of a stranger: bounded, and refused where it says anything
unexpected.

Entries that nobody used for `UNUSED` days go, and so do those used longest ago when the entries of a folder take more than
half of the room that its disk would otherwise have free. A process that reads an entry while another removes it is not
disturbed, where the system lets files be removed that are in use (as Linux and macOS do).
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import random
import re
import shutil
import socket
import stat
import sys
import time
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from mvakit.columnstore import allocate, disk_error
from mvakit.files import OutputError

__all__ = ["Cache", "DamagedError", "Entry", "NewEntry", "default_folder"]

Array = npt.NDArray[Any]

UNUSED: Final = 30  # days
_FORMAT: Final = "mvakit columns 1"
_MANIFEST: Final = "manifest.json"
_MANIFEST_BYTES: Final = 64 << 20
_BLOCK: Final = 1 << 20  # bytes with one checksum
_SAMPLED: Final = 8  # blocks of a file that are always looked at
_MOST: Final = 10_000  # columns
_NAME: Final = re.compile(r"[a-z][A-Za-z0-9_]{0,40}")
_WIDE: Final = ("i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8", "f16")
_KEY: Final = re.compile(r"[0-9a-f]{16,64}")
_ASIDE: Final = re.compile(r"aside-(?P<host>[^/]*)-(?P<process>\d+)-[0-9a-f]{32}")
_TYPES: Final = frozenset({"|b1", "|i1", "|u1", *(f"{o}{k}" for o in "<>" for k in _WIDE)})
_ATTEMPTS: Final = 10  # to put an entry into its place, while others may do the same
_ABANDONED: Final = 3600.0  # seconds after which what a process left behind goes, if the process is gone
_FORGOTTEN: Final = 2 * 86400.0  # and after which it goes in any case


class DamagedError(Exception):
    """An entry is not what was written; what is wrong with it."""


def default_folder() -> Path:
    """Return the folder for caches of this user: ``$XDG_CACHE_HOME/mvakit``, or ``~/.cache/mvakit``."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    if Path(given).is_absolute():
        return Path(given) / "mvakit"
    local = os.environ.get("LOCALAPPDATA", "") if sys.platform == "win32" else ""
    return Path(local) / "mvakit" if local else Path.home() / ".cache" / "mvakit"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a cache holds under one key.

    Attributes
    ----------
    path : Path
    columns : mapping of str to ndarray
        Mapped, and not to be written to.
    facts : mapping
        What was noted with them: text, numbers, lists and mappings.
    """

    path: Path
    columns: Mapping[str, Array]
    facts: Mapping[str, Any]


class Cache:
    """The entries in a folder.

    Parameters
    ----------
    folder : Path
        Made when there is something to keep.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __len__(self) -> int:
        return len(self._entries())

    def _entries(self) -> list[Path]:
        try:
            return [path for path in self.folder.iterdir() if _KEY.fullmatch(path.name)]
        except OSError:
            return []

    def find(self, key: str) -> Entry | None:
        """Return the entry of a key, or None if there is none.

        Raises
        ------
        DamagedError
            If there is one that cannot be used.
        """
        path = self.folder / key
        try:
            entry = _read(path)
        except FileNotFoundError:
            if path.exists():
                raise DamagedError(f"{path} lacks a file") from None
            return None
        except OSError as error:
            raise DamagedError(f"{path} cannot be read: {error.strerror}") from None
        with contextlib.suppress(OSError):
            os.utime(path)  # when it was last of use
        return entry

    def new(self, key: str, size: int) -> NewEntry:
        """Begin an entry of about so many bytes; older ones may have to go.

        Raises
        ------
        OutputError
            If the folder cannot be written to.
        """
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.tidy(size)
            aside = self.folder / f"aside-{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}"
            aside.mkdir(mode=0o700)
        except OSError as error:
            raise disk_error(self.folder, error) from None
        return NewEntry(aside, self.folder / key)

    def tidy(self, size: int = 0) -> None:
        """Remove what processes left behind, entries that are long unused, and as many others as `size` bytes ask for."""
        now = time.time()
        for path in _within(self.folder):
            match = _ASIDE.fullmatch(path.name)
            if match and _is_abandoned(path, match, now):
                shutil.rmtree(path, ignore_errors=True)
        used: list[tuple[float, int, Path]] = []
        for path in self._entries():
            with contextlib.suppress(OSError):
                used.append((path.stat().st_mtime, _bytes_in(path), path))
        held = sum(taken for _, taken, _ in used)
        room = (shutil.disk_usage(self.folder).free + held) // 2
        for at, taken, path in sorted(used):
            if now - at > UNUSED * 86400 or held + size > room:
                _remove(path)
                held -= taken


def _within(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _bytes_in(path: Path) -> int:
    return sum(file.stat().st_size for file in _within(path))


def _is_abandoned(path: Path, match: re.Match[str], now: float) -> bool:
    """Whether nobody works any more on what lies aside."""
    try:
        newest = max(file.stat().st_mtime for file in (path, *_within(path)))
    except OSError:
        return False
    gone = match["host"] == socket.gethostname() and not _is_running(int(match["process"]))
    return now - newest > (_ABANDONED if gone else _FORGOTTEN)


def _is_running(process: int) -> bool:
    if sys.platform == "win32":
        return True  # where to ask is to kill
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _remove(path: Path) -> None:
    """Remove an entry: out of sight first, so that nobody finds half of it."""
    aside = path.with_name(f"aside-{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex}")
    with contextlib.suppress(OSError):
        path.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)


# ---------------------------------------------------------------------------------------------------- writing


@dataclass
class NewEntry:
    """An entry that is being made; to be used in a ``with``, which removes it again unless it was kept."""

    aside: Path
    target: Path
    _shapes: dict[str, tuple[np.dtype[Any], tuple[int, ...]]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.aside, ignore_errors=True)

    def make(self, name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> Array:
        """Return a column to be filled.

        Raises
        ------
        OutputError
            If the disk has no room for it.
        """
        assert _NAME.fullmatch(name)
        assert name not in self._shapes
        kind = np.dtype(dtype)
        assert kind.str in _TYPES  # sources hand over nothing but numbers
        self._shapes[name] = kind, shape
        size = kind.itemsize * math.prod(shape)
        if not size:
            return np.empty(shape, kind)
        path = self.aside / f"{name}.npy"
        try:
            with path.open("w+b") as file:
                offset = file.write(_header(kind, shape))
                allocate(file, size, self.aside.parent)
                return np.memmap(file, kind, "r+", offset, shape)
        except OutputError:
            raise
        except OSError as error:
            raise disk_error(self.aside.parent, error) from None

    def keep(self, facts: Mapping[str, Any]) -> Entry:
        """Put the entry where it will be found, and return it; the columns that were made must not be used any more.

        Parameters
        ----------
        facts : mapping
            What is to be noted with the columns; JSON must be able to say it.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        try:
            told = {name: self._told(name, *column) for name, column in self._shapes.items()}
            text = json.dumps({"format": _FORMAT, "columns": told, "facts": facts})
            (self.aside / _MANIFEST).write_text(f"{text}\n{zlib.crc32(text.encode()):08x}\n")
            if sys.platform == "win32":  # nothing there can be renamed that is open
                self._move()
                return _read(self.target)
            entry = _read(self.aside)
            self._move()
        except OSError as error:
            raise disk_error(self.aside.parent, error) from None
        return Entry(self.target, entry.columns, entry.facts)

    def _told(self, name: str, kind: np.dtype[Any], shape: tuple[int, ...]) -> dict[str, Any]:
        """Return what the manifest says of a column."""
        told: dict[str, Any] = {"type": kind.str, "shape": list(shape)}
        path = self.aside / f"{name}.npy"
        if path.exists():
            size = path.stat().st_size
            told["sums"] = "".join(f"{number:08x}" for number in _checksums(path, range(_blocks(size))))
            os.utime(path)  # the system may note only now when it was written to
            told["size"], told["time"] = size, path.stat().st_mtime_ns
        return told

    def _move(self) -> None:
        """Take the place of whatever lies at the target: an entry that is damaged, or the same from another process."""
        for attempt in range(_ATTEMPTS):
            try:
                self.aside.rename(self.target)
            except OSError:
                if attempt + 1 == _ATTEMPTS:
                    raise
                _remove(self.target)
            else:
                return


# ---------------------------------------------------------------------------------------------------- reading


def _header(kind: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """Return the beginning of the ``.npy`` file of a column."""
    told = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, told)
    return file.getvalue()


def _blocks(size: int) -> int:
    return -(-size // _BLOCK)


def _checksums(path: Path, blocks: Iterable[int]) -> Iterator[int]:
    """Yield the checksums of some blocks of a file, in rising order."""
    with path.open("rb", buffering=0) as file:
        for block in blocks:
            file.seek(block * _BLOCK)
            yield zlib.crc32(file.read(_BLOCK))


def _read(path: Path) -> Entry:
    """Read an entry.

    Raises
    ------
    DamagedError
        If it is not what was written.
    OSError
        If a file is missing or cannot be read.
    """
    manifest = _manifest(path / _MANIFEST)
    columns, facts = manifest.get("columns"), manifest.get("facts")
    if manifest.get("format") != _FORMAT or not isinstance(columns, dict) or not isinstance(facts, dict):
        raise DamagedError(f"{path / _MANIFEST} is of another format")
    if len(columns) > _MOST:
        raise DamagedError(f"{path / _MANIFEST} has {len(columns)} columns")
    found = {}
    for name, told in columns.items():
        try:
            found[name] = _column(path, name, told)
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedError(f"{path / _MANIFEST} does not describe the column {name[:50]!r}: {error}") from None
    return Entry(path, found, facts)


def _manifest(path: Path) -> dict[str, Any]:
    if not stat.S_ISREG(path.stat().st_mode):
        raise DamagedError(f"{path} is no file")
    with path.open("rb") as file:
        raw = file.read(_MANIFEST_BYTES + 1)
    if len(raw) > _MANIFEST_BYTES:
        raise DamagedError(f"{path} is larger than {_MANIFEST_BYTES >> 20} MiB")
    text, _, number = raw.strip().rpartition(b"\n")
    if number != f"{zlib.crc32(text):08x}".encode():
        raise DamagedError(f"{path} does not have its checksum")
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{path} is no JSON: {error}") from None
    if not isinstance(manifest, dict):
        raise DamagedError(f"{path} holds no mapping")
    return manifest


def _column(folder: Path, name: str, told: Mapping[str, Any]) -> Array:
    """Map one column, and see that it is the one that was written."""
    if not _NAME.fullmatch(name) or told["type"] not in _TYPES:
        raise ValueError("its name or type is not one that is kept")
    kind, shape = np.dtype(told["type"]), tuple(told["shape"])
    if len(shape) > 2 or not all(type(n) is int and 0 <= n < 2**48 for n in shape):
        raise ValueError("its shape is not one that is kept")
    content = kind.itemsize * math.prod(shape)
    if not content:
        return np.empty(shape, kind)
    path = folder / f"{name}.npy"
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size != told["size"]:
        raise DamagedError(f"{path} has {status.st_size} bytes, not {told['size']}")
    count = _blocks(status.st_size)
    sums = told["sums"]
    if len(sums) != 8 * count:
        raise ValueError("it has too many checksums, or too few")
    which = list(range(count))
    if status.st_mtime_ns == told["time"] and count > _SAMPLED:
        which = sorted([0, count - 1, *random.SystemRandom().sample(which[1:-1], _SAMPLED - 2)])
    for block, number in zip(which, _checksums(path, which), strict=True):
        if f"{number:08x}" != sums[8 * block : 8 * block + 8]:
            raise DamagedError(f"{path} is not what was written, {block} MiB from its beginning")
    header = _header(kind, shape)
    with path.open("rb") as file:
        if file.read(len(header)) != header or len(header) + content != status.st_size:
            raise ValueError("its file holds something else")
        return np.memmap(file, kind, "r", len(header), shape)

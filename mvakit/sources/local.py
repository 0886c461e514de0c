"""What the adapters of files share: what a file is, when it has changed, and errors that say so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from mvakit.errors import SourceError, did_you_mean, nearest

__all__ = ["EmptyFileError", "file_kind", "file_stamp", "reading"]


class EmptyFileError(SourceError):
    """A file holds nothing at all, as a job leaves it that ended before it wrote."""


def file_kind(path: Path) -> str:
    """Return ``"ROOT"`` or ``"Parquet"``, told by the first bytes of a file.

    Raises
    ------
    EmptyFileError
        The file has no bytes.
    SourceError
        There is no such file, it cannot be opened, or it is neither.
    """
    if path.is_dir():
        raise SourceError(f"{path} is a folder: name its files, as in '{path / '*.root'}:Tree'")
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except FileNotFoundError:
        raise SourceError(f"there is no file {str(path)!r}{_similar(path)}") from None
    except OSError as error:
        raise SourceError(f"{path} cannot be opened: {error.strerror}") from None
    if not magic:
        raise EmptyFileError(f"{path} is empty: it has no bytes")
    if magic not in {b"root", b"PAR1"}:
        raise SourceError(f"{path} is neither a ROOT nor a Parquet file: it begins with {magic!r}")
    return "ROOT" if magic == b"root" else "Parquet"


def _similar(path: Path) -> str:
    """Return the end of a sentence: the files beside a missing one that are spelled most like it."""
    try:
        beside = [entry.name for entry in islice(path.parent.iterdir(), 10_000)]
    except OSError:
        return f": there is no folder {str(path.parent)!r}"
    return f"; {did_you_mean(path.name, beside)}" if nearest(path.name, beside) else ""


def file_stamp(path: str) -> str:
    """Return a text that changes when a local file does: where it is, its size and time; for an address, itself."""
    try:
        resolved = Path(path).resolve(strict=True)
        status = resolved.stat()
    except OSError:
        return path
    return f"{resolved}|{status.st_size}|{status.st_mtime_ns}"


@contextmanager
def reading(location: str) -> Iterator[None]:
    """Turn whatever a library raises over a damaged file into a `SourceError` that names the file.

    Not around a ``yield`` of data: what the reader of the data raises is not the file's fault.
    """
    try:
        yield
    except SourceError:
        raise
    except ImportError as error:  # for an address, or for an uncommon compression
        raise SourceError(f"to read {location} needs a package that is not installed: {error}") from error
    except Exception as error:
        said = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
        raise SourceError(
            f"{location} cannot be read: it is damaged, truncated, or out of reach ({type(error).__name__}: {said[:200]})"
        ) from error

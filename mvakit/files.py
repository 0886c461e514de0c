"""Outputs are written aside and moved into place: whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from mvakit.errors import MvakitError

__all__ = ["write_files", "written_aside"]


class OutputError(MvakitError, OSError):
    """An output file cannot be written."""


@contextlib.contextmanager
def written_aside(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside `path`; what was written there takes the place of `path` once the block ends well.

    The temporary file keeps the suffix of `path`, since some writers choose their format by it.

    Raises
    ------
    OutputError
        If the folder cannot be made or written to.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{target.stem}.", suffix=target.suffix, dir=target.parent)
        os.close(descriptor)
    except OSError as error:
        raise OutputError(f"the folder {str(target.parent)!r} cannot be written to: {error.strerror}") from None
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_files(folder: str | os.PathLike[str], files: Mapping[str, bytes]) -> None:
    """Write several files into a folder; none takes its place before every one of them is whole.

    Raises
    ------
    OutputError
        If the folder cannot be made or written to.
    """
    with contextlib.ExitStack() as stack:
        for name, data in files.items():
            temporary = stack.enter_context(written_aside(Path(folder) / name))
            temporary.write_bytes(data)

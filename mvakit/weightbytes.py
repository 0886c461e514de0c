"""The bytes of a weight file, piece by piece and within bounds; what gzip has compressed is unpacked on the way."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from mvakit.errors import WeightFileError

__all__ = ["pieces"]

MAX_BYTES: Final = 2 * 1024**3
_PIECE: Final = 1 << 20
_GZIP: Final = b"\x1f\x8b"
# How the weight files of TMVA 3 start, which were no XML.
_TEXT_FILE: Final = b"#GEN -*-*"


def pieces(path: Path) -> Iterator[bytes]:
    """Yield a file piece by piece.

    Raises
    ------
    WeightFileError
        If it cannot be read, is too large, or is a text file of TMVA 3.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise WeightFileError(f"{path} is larger than {MAX_BYTES >> 20} MiB")
        with path.open("rb") as file:
            start = file.read(len(_TEXT_FILE))
            file.seek(0)
            if start == _TEXT_FILE:
                raise WeightFileError(
                    f"{path} is a text file, as TMVA wrote before 4.0; mvakit reads the XML files of TMVA 4.0 and later"
                )
            if start.startswith(_GZIP):
                yield from _unpacked(path, file)
            else:
                yield from _read(file)
    except OSError as error:
        raise WeightFileError(f"the weight file {str(path)!r} cannot be read: {error.strerror}") from None


def _read(file: BinaryIO | gzip.GzipFile) -> Iterator[bytes]:
    while piece := file.read(_PIECE):
        yield piece


def _unpacked(path: Path, file: BinaryIO) -> Iterator[bytes]:
    size = 0
    with gzip.open(file) as unpacked:
        try:
            for piece in _read(unpacked):
                size += len(piece)
                if size > MAX_BYTES:
                    raise WeightFileError(f"{path} is larger than {MAX_BYTES >> 20} MiB when it is unpacked")
                yield piece
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise WeightFileError(f"the weight file {str(path)!r} cannot be unpacked: {error}") from None

"""The compressed records of a ROOT file, unpacked to no more than they say they hold."""

from __future__ import annotations

import lzma
import struct
import zlib
from typing import Final

from mvakit.errors import WeightFileError

__all__ = ["record"]

_KEY: Final = struct.Struct(">ihiihh")
_BLOCK_HEAD: Final = 9
_LZ4_CHECKSUM: Final = 8


def record(data: bytes, place: int, limit: int, what: str) -> tuple[bytes, int]:
    """Return what a record holds.

    Parameters
    ----------
    data : bytes
        The file.
    place : int
        Where the record begins.
    limit : int
        How many bytes it may hold.
    what : str
        What the errors are about.

    Returns
    -------
    bytes
    int
        The size of the head of the record, from which offsets in it count.

    Raises
    ------
    WeightFileError
        If it is damaged or holds more.
    """
    if not 0 <= place <= len(data) - _KEY.size:
        raise WeightFileError(f"{what} lies outside of its file")
    packed, _, size, _, head, _ = _KEY.unpack_from(data, place)
    if not 0 <= size <= limit:
        raise WeightFileError(f"{what} is larger than {limit >> 20} MiB")
    if not _KEY.size <= head <= packed <= len(data) - place:
        raise WeightFileError(f"{what} ends early")
    body = data[place + head : place + packed]
    if len(body) == size:
        return body, head
    parts, found = [], 0
    while body and found < size:
        part, used = _block(body, what)
        parts.append(part)
        found += len(part)
        body = body[used:]
    if found != size:
        raise WeightFileError(f"{what} unpacks to {found} bytes and should hold {size}")
    return b"".join(parts), head


def _block(body: bytes, what: str) -> tuple[bytes, int]:
    """Unpack the first block; return it and how many bytes it took."""
    if len(body) < _BLOCK_HEAD:
        raise WeightFileError(f"{what} ends early")
    size, unpacked = int.from_bytes(body[3:6], "little"), int.from_bytes(body[6:9], "little")
    packed = body[_BLOCK_HEAD : _BLOCK_HEAD + size]
    try:
        found = _unpack(body[:2], packed, unpacked)
    except Exception as error:  # noqa: BLE001 - each library has errors of its own
        raise WeightFileError(f"{what} cannot be unpacked: {error}") from None
    if found is None or len(found) != unpacked or len(packed) != size:
        raise WeightFileError(
            f"{what} is packed in a way that is not known, or holds another number of bytes than it says"
        )
    return found, _BLOCK_HEAD + size


def _unpack(algorithm: bytes, packed: bytes, size: int) -> bytes | None:
    """Unpack bytes, one more than they say at most; None if the algorithm is not known."""
    if algorithm == b"ZL":
        return zlib.decompressobj().decompress(packed, size + 1)
    if algorithm == b"XZ":
        return lzma.LZMADecompressor(memlimit=1 << 28).decompress(packed, size + 1)
    if algorithm in {b"L4", b"ZS"}:
        import cramjam

        room = bytearray(size)
        if algorithm == b"L4":
            count = cramjam.lz4.decompress_block_into(packed[_LZ4_CHECKSUM:], room)
        else:
            count = cramjam.zstd.decompress_into(packed, room)
        return bytes(room[:count])
    return None

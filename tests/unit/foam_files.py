"""Foams made by hand: as objects, as TMVA's bytes of them, and as a ROOT file with those bytes in the place of others."""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass, field

import numpy as np
import uproot
from mvakit_methods.pdefoam.rootfile import StreamedCell, StreamedFoam

CELL, VECTOR = b"TMVA::PDEFoamCell\0", b"TVectorT<double>\0"


@dataclass
class Box:
    """A cell that knows where it lies."""

    low: np.ndarray
    size: np.ndarray
    elements: tuple[float, ...] = ()
    number: int = 0
    parent: int = 0
    best: int = 0
    division: float = 0.5
    daughters: list[int] = field(default_factory=list)

    @property
    def volume(self) -> float:
        return float(np.prod(self.size))


def grow(rng: np.random.Generator, n_dimensions: int, n_leaves: int, empty: float = 0.0) -> list[Box]:
    """Divide a box at random; a fraction of the leaves is empty, as TMVA marks it."""
    boxes = [Box(np.zeros(n_dimensions), np.ones(n_dimensions), number=1)]
    leaves = [0]
    while len(leaves) < n_leaves:
        box = boxes[leaves.pop(int(rng.integers(len(leaves))))]
        box.best, box.division = int(rng.integers(n_dimensions)), float(rng.choice([0.2, 0.4, 0.5, 0.6, 0.8]))
        for part, shift in ((box.division, 0.0), (1 - box.division, box.division)):
            low, size = box.low.copy(), box.size.copy()
            low[box.best] += shift * size[box.best]
            size[box.best] *= part
            leaves.append(len(boxes))
            box.daughters.append(len(boxes) + 1)
            boxes.append(Box(low, size, number=len(boxes) + 1, parent=box.number))
    for i in leaves:
        boxes[i].elements = (0.0, -1.0) if rng.random() < empty else (float(rng.uniform(0.1, 1)), 0.5)
    return boxes


def streamed(
    boxes: list[Box], kind: str = "PDEFoamDiscriminant", selection: int | None = None, **other
) -> StreamedFoam:
    """Return a foam as it comes out of a file; it fills the box from 0 to 10 in each dimension."""
    n = len(boxes[0].low)
    cells = [
        StreamedCell(
            b.number,
            b.parent,
            (b.daughters[0], b.daughters[1]) if b.daughters else (0, 0),
            not b.daughters,
            b.best,
            b.division,
            b.volume,
            b.elements,
        )
        for b in boxes
    ]
    foam_type = other.get("foam_type")
    return StreamedFoam(f"TMVA::{kind}", n, (0.0,) * n, (10.0,) * n, foam_type, selection, cells)


# ------------------------------------------------------------------------------------------------------- bytes


def counted(body: bytes) -> bytes:
    return struct.pack(">I", 0x40000000 | len(body)) + body


def versioned(version: int, body: bytes) -> bytes:
    return counted(struct.pack(">H", version) + body)


def base(number: int = 0) -> bytes:
    bits = 0x03000010 if number else 0x03000000
    return struct.pack(">HII", 1, number, bits) + (b"\0\0" if number else b"")


def reference(number: int) -> bytes:
    return struct.pack(">HIIH", 1, number, 0, 0)


class Writer:
    """Writes objects by pointers, each class by its name once."""

    def __init__(self, origin: int) -> None:
        self.origin, self.known = origin, dict[bytes, int]()

    def pointer(self, place: int, name: bytes, make) -> bytes:
        """Return an object of a class; `make` is told where its bytes begin."""
        if name in self.known:
            tag = struct.pack(">I", 0x80000000 | self.known[name])
        else:
            self.known[name] = place + 4 + self.origin + 2
            tag = struct.pack(">I", 0xFFFFFFFF) + name
        return counted(tag + make(place + 4 + len(tag)))


def foam_bytes(boxes: list[Box], origin: int) -> bytes:
    """Return a ``TMVA::PDEFoamDiscriminant`` as ROOT streams it into a record whose head has `origin` bytes."""
    writer, n, last = Writer(origin), len(boxes[0].low), len(boxes) - 1
    name = b"DiscrFoam"
    head = base() + bytes([len(name)]) + name + struct.pack(">7i", n, last + 1, 5, 2000, 10000, 1, last)
    place = 6 + 6 + len(head) + 6
    cells = b""
    for serial, box in enumerate(boxes):

        def cell(start: int, box: Box = box, serial: int = serial) -> bytes:
            body = base(box.number) + struct.pack(">hii", n, serial, int(not box.daughters)) + reference(box.parent)
            body += b"".join(reference(number) for number in box.daughters or (0, 0))
            body += struct.pack(">diddd", box.division, box.best, box.volume, 0, 0)
            if not box.elements:
                return versioned(2, body + struct.pack(">I", 0))
            vector = base() + struct.pack(">iib", len(box.elements), 0, 1) + struct.pack(">2d", *box.elements)
            return versioned(2, body + writer.pointer(start + 6 + len(body), VECTOR, lambda _: versioned(4, vector)))

        cells += writer.pointer(place + len(cells), CELL, cell)
    tail = struct.pack(">IbIb", 0, 0, 0, 0) + struct.pack(">i", 1)
    for edge in (0.0, 10.0):
        tail += b"\1" + struct.pack(f">{n}d", *[edge] * n)
    tail += struct.pack(">IIIfbibI", 2, 100, 0, 0.07, 0, 0, 1, 0)
    return versioned(1, versioned(7, head + versioned(10, cells) + tail) + struct.pack(">I", 0))


def with_record(data: bytes, make, blocks=None) -> bytes:
    """Return a ROOT file with another object in the place of its foam.

    Parameters
    ----------
    data : bytes
    make : callable
        Is given the foam's bytes and the size of the head of its record, and returns the new bytes.
    blocks : callable, optional
        Packs the bytes; by default they are stored as they are.
    """
    with uproot.open(io.BytesIO(data)) as file:
        key = next(file.key(name) for name in file if file.key(name).fClassName.startswith("TMVA"))
        chunk, _ = key.get_uncompressed_chunk_cursor()
        new = make(chunk.raw_data.tobytes(), key.fKeylen)
        packed = blocks(new) if blocks else new
        head = data[key.fSeekKey : key.fSeekKey + key.fKeylen]
        sizes = struct.pack(">ihi", key.fKeylen + len(packed), key.fVersion, len(new))
        fields = sizes + head[10:18] + struct.pack(">i", len(data))
    return data.replace(head[:22], fields) + fields + head[22:] + packed


def block(algorithm: bytes, packed: bytes, size: int) -> bytes:
    """Return a compressed block with its head."""
    return algorithm + b"\1" + len(packed).to_bytes(3, "little") + size.to_bytes(3, "little") + packed

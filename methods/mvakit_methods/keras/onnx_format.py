"""ONNX files: as much of their format as writing a network takes, and as making sure of one takes that was found in a file.

The format is that of protocol buffers: fields with a number each, one behind the other. The numbers are those of
``onnx.proto3``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError

__all__ = ["GraphWriter", "check_graph"]

Attribute = float | int | str | Sequence[int]

_IR_VERSION: Final = 8
_OPSET: Final = 17
_FLOAT, _INT64 = 1, 7
_MAX_BYTES: Final = 1 << 28
_MAX_NODES: Final = 20_000
_STANDARD: Final = frozenset({b"", b"ai.onnx", b"ai.onnx.ml"})


# ----------------------------------------------------------------------------------------------- writing


def _varint(number: int) -> bytes:
    number &= (1 << 64) - 1  # negative ones are written as ten bytes
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _integer(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _block(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _attribute(name: str, value: Attribute) -> bytes:
    if isinstance(value, str):
        return _block(1, name) + _block(4, value) + _integer(20, 3)
    if isinstance(value, float):
        return _block(1, name) + _varint(2 << 3 | 5) + struct.pack("<f", value) + _integer(20, 1)
    if isinstance(value, int):
        return _block(1, name) + _integer(3, value) + _integer(20, 2)
    return _block(1, name) + b"".join(_integer(8, number) for number in value) + _integer(20, 7)


def _matrix(name: str, width: int) -> bytes:
    """A matrix of single precision with any number of rows."""
    shape = _block(1, _block(2, "events")) + _block(1, _integer(1, width))
    return _block(1, name) + _block(2, _block(1, _integer(1, _FLOAT) + _block(2, shape)))


class GraphWriter:
    """Collects the operations of a graph that takes one matrix and gives one.

    Parameters
    ----------
    n_inputs : int
        The columns of the matrix that it takes, whose name is `input`.
    """

    input: Final = "x"

    def __init__(self, n_inputs: int) -> None:
        self._n_inputs = n_inputs
        self._nodes: list[bytes] = []
        self._tensors: list[bytes] = []
        self._names = 0

    def _name(self) -> str:
        self._names += 1
        return f"t{self._names}"

    def constant(self, values: npt.ArrayLike) -> str:
        """Add numbers, as int64 if they are whole ones and as float32 if not, and return their name."""
        array = np.asarray(values)
        whole = array.dtype.kind in "iu"
        array = np.ascontiguousarray(array, dtype="<i8" if whole else "<f4")
        name = self._name()
        dims = b"".join(_integer(1, size) for size in array.shape)
        self._tensors.append(
            dims + _integer(2, _INT64 if whole else _FLOAT) + _block(8, name) + _block(9, array.tobytes())
        )
        return name

    def add(self, operation: str, *inputs: str, outputs: int = 1, **attributes: Attribute) -> str:
        """Add an operation and return the name of its last output; an empty input is left out."""
        names = [self._name() for _ in range(outputs)]
        self._nodes.append(
            b"".join(_block(1, name) for name in inputs)
            + b"".join(_block(2, name) for name in names)
            + _block(4, operation)
            + b"".join(_block(5, _attribute(name, value)) for name, value in attributes.items())
        )
        return names[-1]

    def finish(self, output: str, n_outputs: int) -> bytes:
        """Return the file of a graph that gives what `output` names."""
        result = "y"
        self._nodes.append(_block(1, output) + _block(2, result) + _block(4, "Identity"))
        graph = (
            b"".join(_block(1, node) for node in self._nodes)
            + _block(2, "network")
            + b"".join(_block(5, tensor) for tensor in self._tensors)
            + _block(11, _matrix(self.input, self._n_inputs))
            + _block(12, _matrix(result, n_outputs))
        )
        return _integer(1, _IR_VERSION) + _block(2, "mvakit") + _block(7, graph) + _block(8, _integer(2, _OPSET))


# ----------------------------------------------------------------------------------------------- checking


def check_graph(data: bytes) -> None:
    """Make sure that a graph holds everything that it works with, and nothing but operations of ONNX that come to an end.

    Raises
    ------
    WeightFileError
        If it is too large, cannot be read, names other files, or has loops, branches, functions or operations that are not
        ONNX' own.
    """
    if len(data) > _MAX_BYTES:
        raise WeightFileError(f"the ONNX graph is larger than {_MAX_BYTES >> 20} MiB")
    graphs = 0
    for field, value in _fields(data):
        if field == 7:
            graphs += 1
            _check_nodes(value)
        elif field == 8:
            domain = next((text for number, text in _fields(value) if number == 1), b"")
            _check_domain(domain)
        elif field in {20, 25}:
            raise WeightFileError("the ONNX graph holds functions or a training; only a plain graph is applied")
    if graphs != 1:
        raise WeightFileError("ONNX Runtime cannot read the graph: it is no file of ONNX")


def _check_nodes(graph: bytes) -> None:
    nodes = 0
    for field, value in _fields(graph):
        if field == 1:
            nodes += 1
            if nodes > _MAX_NODES:
                raise WeightFileError(f"the ONNX graph has more than {_MAX_NODES} operations")
            _check_node(value)
        elif field == 5:
            _check_tensor(value)
        elif field == 15:
            raise WeightFileError("the ONNX graph holds a sparse matrix; only plain ones are read")


def _check_node(node: bytes) -> None:
    for field, value in _fields(node):
        if field == 7:
            _check_domain(value)
        elif field == 5:
            for number, part in _fields(value):
                if number in {5, 10}:
                    _check_tensor(part)
                elif number in {6, 11, 22, 23}:
                    raise WeightFileError("the ONNX graph has an operation with a graph of its own, such as a loop")


def _check_domain(domain: bytes) -> None:
    if domain not in _STANDARD:
        raise WeightFileError(f"the ONNX graph has operations of {domain[:80]!r}; only those of ONNX are applied")


def _check_tensor(tensor: bytes) -> None:
    if any(field in {13, 14} for field, _ in _fields(tensor)):
        raise WeightFileError("the ONNX graph has numbers in another file, which is not read")


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the fields of a message; of a number its bytes."""
    view, place = memoryview(message), 0
    while place < len(view):
        key, place = _read_varint(view, place)
        begin, kind = place, key & 7
        if kind == 0:
            _, place = _read_varint(view, place)
        elif kind == 2:
            length, begin = _read_varint(view, place)
            place = begin + length
        elif kind in {1, 5}:
            place += 8 if kind == 1 else 4
        else:
            place = len(view) + 1
        if place > len(view):
            raise WeightFileError("ONNX Runtime cannot read the graph: it is damaged")
        yield key >> 3, bytes(view[begin:place])


def _read_varint(view: memoryview, place: int) -> tuple[int, int]:
    number = 0
    for index in range(10):
        if place + index >= len(view):
            break
        byte = view[place + index]
        number |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return number, place + index + 1
    raise WeightFileError("ONNX Runtime cannot read the graph: it is damaged")

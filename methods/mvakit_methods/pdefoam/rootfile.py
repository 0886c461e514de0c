"""The file of the foams: objects of TMVA's classes in a ROOT file, read member by member.

The bytes of an object are walked through by the description that the file itself holds of its classes, so that foams of any
release of TMVA are read. No code is made of a file, and nothing is read beyond its bytes.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from mvakit.errors import WeightFileError, did_you_mean
from mvakit_methods.pdefoam.unpacking import record

__all__ = ["FoamFile", "StreamedCell", "StreamedFoam"]

MAX_CELLS: Final = 1_000_000
MAX_OBJECT_BYTES: Final = 512 * 1024**2
MAX_STREAMER_BYTES: Final = 16 * 1024**2

_CELL: Final = "TMVA::PDEFoamCell"
_VECTOR: Final = "TVectorT<double>"

_BYTE_COUNT: Final = 0x40000000
_NEW_CLASS: Final = 0xFFFFFFFF
_CLASS: Final = 0x80000000
_MAP_OFFSET: Final = 2
_IS_REFERENCED: Final = 1 << 4
_HAS_UUID: Final = 1 << 5
_UNIQUE_ID: Final = 0xFFFFFF

# ROOT's numbers of the types of members.
_BASE, _TSTRING, _TOBJECT = 0, 65, 66
_OBJECT, _ANY = 61, 62
_DIRECT_POINTERS: Final = frozenset({63, 68})
_POINTERS: Final = frozenset({64, 69})
_FIXED_ARRAY_OF: Final = 20
_ARRAY_OF: Final = 40
_LOOP: Final = 501
_BASIC: Final[Mapping[int, struct.Struct]] = {
    number: struct.Struct(">" + code)
    for number, code in {
        1: "b", 2: "h", 3: "i", 4: "q", 5: "f", 6: "i", 8: "d", 10: "b", 11: "B", 12: "H", 13: "I", 14: "Q", 15: "I",
        16: "q", 17: "Q", 18: "?",
    }.items()
}  # fmt: skip
_U1, _U2, _U4 = (struct.Struct(">" + code) for code in "BHI")


@dataclass(frozen=True, slots=True)
class StreamedCell:
    """What a file says of a cell; cells name each other by the unique numbers that ROOT gave them."""

    unique_id: int
    parent: int
    daughters: tuple[int, int]
    active: bool
    best: int
    division: float
    volume: float
    elements: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class StreamedFoam:
    """What a file says of a foam.

    Attributes
    ----------
    kind : str
        Its class: ``TMVA::PDEFoamDiscriminant``.
    n_dimensions : int
    lowest, highest : tuple of float
        The box that it fills.
    foam_type : int or None
        What foams of TMVA before 4.1.1, which are all of one class, are for.
    target_selection : int or None
        Only foams of several targets have it.
    cells : list of StreamedCell
        Up to the last that is in use.
    """

    kind: str
    n_dimensions: int
    lowest: tuple[float, ...]
    highest: tuple[float, ...]
    foam_type: int | None
    target_selection: int | None
    cells: list[StreamedCell]


@dataclass(frozen=True, slots=True)
class _Member:
    """One member of a class, as the file describes it."""

    name: str
    type: int
    typename: str
    counter: str
    length: int


@dataclass(slots=True)
class _Stream:
    """The bytes of one object, and how far they are read."""

    data: bytes
    origin: int
    classes: Mapping[str, Mapping[int, tuple[_Member, ...]]]
    what: str
    position: int = 0
    known: dict[int, str] = field(default_factory=dict)

    def take(self, kind: struct.Struct) -> Any:
        if self.position + kind.size > len(self.data):
            raise WeightFileError(f"{self.what} ends early")
        (value,) = kind.unpack_from(self.data, self.position)
        self.position += kind.size
        return value

    def skip(self, size: int) -> None:
        if size > len(self.data) - self.position:
            raise WeightFileError(f"{self.what} ends early")
        self.position += size

    def array(self, kind: struct.Struct, size: int) -> tuple[Any, ...]:
        if size < 0 or size > (len(self.data) - self.position) // kind.size:
            raise WeightFileError(f"{self.what} holds an array of {size} numbers, more than there are bytes")
        values = struct.unpack_from(f">{size}{kind.format[1:]}", self.data, self.position)
        self.position += size * kind.size
        return values

    def text(self) -> str:
        size = self.take(_U1)
        if size == 255:
            size = self.take(_U4)
        start = self.position
        self.skip(size)
        return self.data[start : self.position].decode("utf-8", "replace")

    def version(self) -> tuple[int, int | None]:
        """Return the version of a class and where the object ends, if that is said."""
        count = self.take(_U4)
        if not count & _BYTE_COUNT:
            self.position -= 4
            return self.take(_U2), None
        end = self._end(count)
        return self.take(_U2), end

    def _end(self, count: int) -> int:
        """Return where an object of so many bytes ends."""
        size = count & ~_BYTE_COUNT
        if size < 4 or size > len(self.data) - self.position:
            raise WeightFileError(f"{self.what} ends early")
        return self.position + size

    def pointer(self) -> tuple[str | None, int]:
        """Return the class of an object that is pointed to, None for none or one that came before, and where it ends."""
        count = self.take(_U4)
        if not count & _BYTE_COUNT:
            return None, self.position
        end = self._end(count)
        place = self.position + self.origin + _MAP_OFFSET
        tag = self.take(_U4)
        if tag == _NEW_CLASS:
            stop = self.data.find(b"\0", self.position, self.position + 200)
            if stop < 0:
                raise WeightFileError(f"{self.what} ends early")
            name = self.data[self.position : stop].decode("utf-8", "replace")
            self.position = stop + 1
            self.known[place] = name
            return name, end
        if not tag & _CLASS or tag & ~_CLASS not in self.known:
            raise WeightFileError(f"{self.what} points to a class that it has not named")
        return self.known[tag & ~_CLASS], end

    def base_object(self) -> int:
        """Read what every ROOT object begins with; return its unique number."""
        self.version()
        unique_id: int = self.take(_U4) & _UNIQUE_ID
        if self.take(_U4) & _IS_REFERENCED:
            self.take(_U2)
        return unique_id

    def reference(self) -> int:
        """Read a ``TRef``; return the number of the object it refers to, 0 for none."""
        self.version()
        unique_id: int = self.take(_U4) & _UNIQUE_ID
        bits = self.take(_U4)
        if bits & _HAS_UUID:
            raise WeightFileError(f"{self.what} refers to an object of another file")
        if bits & _IS_REFERENCED:
            self.take(_U2)
        self.take(_U2)
        return unique_id

    def members(self, name: str) -> dict[str, Any]:
        """Read an object of a class; its base classes' members are its own."""
        version, end = self.version()
        described = self.classes.get(name, {}).get(version)
        if described is None:
            raise WeightFileError(f"{self.what} holds a {name} of version {version}, which its file does not describe")
        values: dict[str, Any] = {}
        for member in described:
            self._member(member, values)
        if end is not None and self.position != end:
            raise WeightFileError(f"{self.what}: a {name} is not as long as it says")
        return values

    def _member(self, member: _Member, values: dict[str, Any]) -> None:
        kind = member.type
        if kind in _BASIC:
            values[member.name] = self.take(_BASIC[kind])
        elif kind == _TOBJECT:
            values["unique_id"] = self.base_object()
        elif kind == _TSTRING:
            values[member.name] = self.text()
        elif kind == _BASE:
            values.update(self.members(member.name))
        elif kind == _OBJECT and member.typename == "TRef":
            values[member.name] = self.reference()
        elif kind in _POINTERS:
            values[member.name] = self._pointed()
        elif kind - _FIXED_ARRAY_OF in _BASIC:
            values[member.name] = self.array(_BASIC[kind - _FIXED_ARRAY_OF], member.length)
        elif kind - _ARRAY_OF in _BASIC:
            present = self.take(_U1)
            size = values.get(member.counter, -1)
            values[member.name] = self.array(_BASIC[kind - _ARRAY_OF], size) if present else ()
        elif kind == _LOOP and member.typename.startswith(_CELL):
            values[member.name] = self._cells(values.get(member.counter, -1))
        elif kind in _DIRECT_POINTERS or kind in {_OBJECT, _ANY}:
            _, end = self.version()
            if end is None:
                raise WeightFileError(f"{self.what}: the size of its member {member.name} is not said")
            self.position = end
        else:
            raise WeightFileError(f"{self.what}: its member {member.name} is of the type {member.typename!r}")

    def _pointed(self) -> tuple[float, ...] | None:
        """Read a pointer; return the numbers of a vector, or None of any other object, which is skipped."""
        name, end = self.pointer()
        if name != _VECTOR:
            self.position = end
            return None
        vector = self.members(_VECTOR)
        if vector.get("fRowLwb") != 0 or len(vector.get("fElements", ())) != vector.get("fNrows"):
            raise WeightFileError(f"{self.what} holds a vector that is none")
        elements: tuple[float, ...] = vector["fElements"]
        return elements

    def _cells(self, size: int) -> list[StreamedCell | None]:
        if not 0 < size <= MAX_CELLS:
            raise WeightFileError(f"{self.what} should have between 1 and {MAX_CELLS} cells, not {size}")
        self.version()
        return [self._cell() for _ in range(size)]

    def _cell(self) -> StreamedCell | None:
        name, end = self.pointer()
        if name is None:
            return None
        if name != _CELL:
            raise WeightFileError(f"{self.what} has a {name} among its cells")
        values = self.members(_CELL)
        if self.position != end:
            raise WeightFileError(f"{self.what}: a cell is not as long as it says")
        try:
            return StreamedCell(
                values["unique_id"],
                values["fParent"],
                (values["fDaught0"], values["fDaught1"]),
                values["fStatus"] == 1,
                int(values["fBest"]),
                float(values["fXdiv"]),
                float(values["fVolume"]),
                values["fElement"] or (),
            )
        except KeyError as error:
            raise WeightFileError(f"{self.what}: its cells lack the member {error}") from None


class FoamFile:
    """The foams in a ROOT file.

    Parameters
    ----------
    data : bytes
        The file.
    name : str
        What it is called.

    Raises
    ------
    WeightFileError
        If it is no ROOT file.
    """

    def __init__(self, data: bytes, name: str) -> None:
        self.data = data
        self.name = name

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        import uproot

        try:
            with uproot.open(io.BytesIO(self.data), object_cache=None, array_cache=None) as directory:
                yield directory
        except WeightFileError:
            raise
        except Exception as error:  # noqa: BLE001 - uproot raises whatever a damaged file leads to
            raise WeightFileError(f"{self.name} is no ROOT file, or damaged: {error}"[:500]) from None

    def read(self, names: tuple[str, ...]) -> list[StreamedFoam]:
        """Read foams by their names.

        Raises
        ------
        WeightFileError
            If one is missing or damaged.
        """
        with self._opened() as directory:
            classes = self._classes(directory)
            found = []
            for name in names:
                if name not in directory.keys(cycle=False, recursive=False):
                    known = directory.keys(cycle=False, recursive=False)
                    raise WeightFileError(
                        f"{self.name} lacks {name!r}; {did_you_mean(name, known, noun='its objects')}"
                    )
                found.append(self._read(directory.key(name), classes))
            return found

    def _classes(self, directory: Any) -> dict[str, dict[int, tuple[_Member, ...]]]:
        """Return the members of every class that the file describes."""
        # What uproot unpacks next is looked at first.
        record(
            self.data, int(directory.file.fSeekInfo), MAX_STREAMER_BYTES, f"the description of classes in {self.name}"
        )
        classes: dict[str, dict[int, tuple[_Member, ...]]] = {}
        for name, versions in directory.file.streamers.items():
            if not (name.startswith("TMVA::PDEFoam") or name == _VECTOR):
                continue
            classes[name] = {
                int(version): tuple(
                    _Member(
                        str(element.name),
                        int(element.member("fType")),
                        str(element.typename),
                        str(element.all_members.get("fCountName", "")),
                        int(element.member("fArrayLength")),
                    )
                    for element in streamer.elements
                )
                for version, streamer in versions.items()
            }
        return classes

    def _read(self, key: Any, classes: Mapping[str, Mapping[int, tuple[_Member, ...]]]) -> StreamedFoam:
        kind = str(key.fClassName)
        what = f"{key.fName} in {self.name}"
        if kind not in classes or not kind.startswith("TMVA::PDEFoam"):
            raise WeightFileError(f"{what} is a {kind}, not a foam")
        data, head = record(self.data, int(key.fSeekKey), MAX_OBJECT_BYTES, what)
        members = _Stream(data, head, classes, what).members(kind)
        cells, last = members.get("fCells"), members.get("fLastCe", -1)
        if cells is None or not 0 <= last < len(cells) or None in cells[: last + 1]:
            raise WeightFileError(f"{what} has no cells, or not those up to fLastCe={last}")
        lowest, highest = (tuple(map(float, members.get(name, ()))) for name in ("fXmin", "fXmax"))
        foam_type, selection = (
            None if (value := members.get(name)) is None else int(value) for name in ("fFoamType", "fTargetSelection")
        )
        return StreamedFoam(kind, int(members.get("fDim", 0)), lowest, highest, foam_type, selection, cells[: last + 1])

"""The weight file: TMVA's XML document, its sections and numbers, both ways; it knows no method.

A file is read by expat, piece by piece, with every declaration of a document type or entity refused, within bounds on
size, depth and number of elements. What lies in ``<Weights>`` may be consumed while it is read, by a `WeightsReader`, so
that a forest never becomes a tree of elements. A file is written aside and moved into place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol
from xml.etree import ElementTree as ET
from xml.parsers import expat

from mvakit.elements import (
    attribute,
    boolean_attribute,
    child,
    float_attribute,
    int_attribute,
    number,
    numbers,
    text_numbers,
)
from mvakit.errors import WeightFileError
from mvakit.files import write_files
from mvakit.variables import Variable
from mvakit.weightbytes import pieces

__all__ = [
    "SectionReader",
    "WeightDocument",
    "WeightsReader",
    "attribute",
    "boolean_attribute",
    "child",
    "feed",
    "fill",
    "float_attribute",
    "int_attribute",
    "number",
    "numbers",
    "parse_document",
    "read_document",
    "release_code",
    "text_numbers",
    "to_bytes",
    "write_document",
]

MAX_DEPTH: Final = 2000
# Of those that are kept as elements, each of which takes some hundred bytes.
MAX_ELEMENTS: Final = 10_000_000
# Those that expat knows by itself.
_ENCODINGS: Final = frozenset({"utf-8", "us-ascii", "iso-8859-1", "utf-16"})

# What the classes are where a file of TMVA 4.0 or 4.1 does not say it.
_OLD_CLASSES: Final = ("Signal", "Background")

# What has to come before <Weights> so that they can be consumed while they are read.
_BEFORE: Final = frozenset({"Options", "Variables"})
_SECTIONS: Final = frozenset({"GeneralInfo", "Options", "Variables", "Spectators", "Classes", "Targets"})


@dataclass
class WeightDocument:
    """What a weight file says, section by section; the method's own part stays an element.

    Attributes
    ----------
    method, title : str
        The two halves of ``Method="BDT::BDTG"``.
    info : dict
        GeneralInfo: releases, date, host, number of training events, analysis type, and what mvakit adds.
    options : list of (name, modified, text)
        The options of the method, in declaration order.
    sizes : dict of str to int
        How many elements the text of an option holds, for those with one value per variable.
    variables, spectators, targets : tuple of Variable
    classes : tuple of str
        In the order of their index.
    transformations, pdfs, weights : Element
        The sections that transformations and methods read and write themselves.
    path : Path or None
        Where it was read from; methods find the files beside it by this.
    state : object
        What a `WeightsReader` made of ``<Weights>``, whose element is then without children.
    has_weights : bool
        Whether there are ``<Weights>``; the files of TMVA's Python methods have none.
    """

    method: str
    title: str
    info: dict[str, str] = field(default_factory=dict)
    options: list[tuple[str, bool, str]] = field(default_factory=list)
    sizes: dict[str, int] = field(default_factory=dict)
    variables: tuple[Variable, ...] = ()
    spectators: tuple[Variable, ...] = ()
    targets: tuple[Variable, ...] = ()
    classes: tuple[str, ...] = ()
    transformations: ET.Element = field(default_factory=lambda: ET.Element("Transformations", NTransformations="0"))
    pdfs: ET.Element = field(default_factory=lambda: ET.Element("MVAPdfs"))
    weights: ET.Element = field(default_factory=lambda: ET.Element("Weights"))
    path: Path | None = None
    state: Any = None
    has_weights: bool = True

    def option(self, name: str) -> str | None:
        """Return the text of an option, case ignored, or None where the file has none of that name."""
        for known, _, text in self.options:
            if known.lower() == name.lower():
                return text
        return None


# ------------------------------------------------------------------------------------------------- reading


class WeightsReader(Protocol):
    """Consumes ``<Weights>`` while it is read: `start` and `end` of every element in it, itself the first and the last."""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Begin an element."""

    def end(self, tag: str) -> None:
        """End an element."""

    def data(self, text: str) -> None:
        """Take a piece of text."""

    def close(self) -> Any:
        """Return what was read."""


def feed(element: ET.Element, reader: WeightsReader) -> Any:
    """Hand an element to a reader, as if it came from a file, and return what the reader makes of it."""
    waiting: list[tuple[ET.Element, Iterator[ET.Element]]] = [(element, iter(element))]
    reader.start(element.tag, element.attrib)
    reader.data(element.text or "")
    while waiting:
        parent, children = waiting[-1]
        for item in children:
            reader.start(item.tag, item.attrib)
            reader.data(item.text or "")
            waiting.append((item, iter(item)))
            break
        else:
            waiting.pop()
            reader.end(parent.tag)
            if waiting:
                reader.data(parent.tail or "")
    return reader.close()


class SectionReader:
    """Reads the sections of one method, a whole file's or those of a method within a composite.

    Parameters
    ----------
    name : str
        What the errors are about.
    open_weights : callable, optional
        Is given the sections before ``<Weights>`` and returns who consumes these, or None; then they become an element.
        It is asked only if options and variables came before.
    path : Path, optional
    """

    def __init__(
        self,
        name: str,
        open_weights: Callable[[WeightDocument], WeightsReader | None] | None = None,
        path: Path | None = None,
    ) -> None:
        self.name = name
        self._open = open_weights
        self._path = path
        self._builder = ET.TreeBuilder()
        self._root: ET.Element | None = None
        self._depth = 0
        self._elements = 0
        self._reader: WeightsReader | None = None
        self._reading = False
        self._state: Any = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise WeightFileError(f"{self.name} nests deeper than {MAX_DEPTH} elements")
        if self._reading:
            assert self._reader is not None
            self._reader.start(tag, attributes)
            return
        self._elements += 1
        if self._elements > MAX_ELEMENTS:
            raise WeightFileError(f"{self.name} holds more than {MAX_ELEMENTS} elements")
        if self._reader is not None and self._depth == 2 and tag in {*_SECTIONS, "Weights"}:
            raise WeightFileError(f"{self.name}: <{tag}> comes after <Weights>")
        element = self._builder.start(tag, attributes)
        if self._root is None:
            self._root = element
        elif self._depth == 2 and tag == "Weights" and self._open is not None:
            if {section.tag for section in self._root} >= _BEFORE:
                self._reader = self._open(self._document())
            if self._reader is not None:
                self._reading = True
                self._reader.start(tag, attributes)

    def end(self, tag: str) -> None:
        """End an element."""
        self._depth -= 1
        if self._reading:
            assert self._reader is not None
            self._reader.end(tag)
            if self._depth > 1:
                return
            self._reading = False
            self._state = self._reader.close()
        self._builder.end(tag)

    def data(self, text: str) -> None:
        """Take a piece of text."""
        if self._reading:
            assert self._reader is not None
            self._reader.data(text)
        else:
            self._builder.data(text)

    def close(self) -> WeightDocument:
        """Return what was read.

        Raises
        ------
        WeightFileError
            If a section is damaged.
        """
        document = self._document()
        document.state = self._state
        return document

    def _document(self) -> WeightDocument:
        assert self._root is not None
        return _sections(self._root, self._path)


def parse_document(data: Iterable[bytes], reader: SectionReader) -> WeightDocument:
    """Read a weight file that comes in pieces.

    Raises
    ------
    WeightFileError
        If it is not XML, declares entities, has another root, or a section is damaged.
    """
    name, parser = reader.name, expat.ParserCreate()
    parser.buffer_text = True

    def refuse(*_: object) -> int:
        raise WeightFileError(
            f"{name} declares a document type or an entity, which no weight file needs; it is not read"
        )

    def start(tag: str, attributes: dict[str, str]) -> None:
        if tag != "MethodSetup":
            raise WeightFileError(f"{name} is no weight file: its root is <{tag}>, not <MethodSetup>")
        parser.StartElementHandler = reader.start
        reader.start(tag, attributes)

    def declare(version: str, encoding: str | None, standalone: int) -> None:  # noqa: ARG001
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise WeightFileError(f"{name} is said to be written in {encoding!r}; TMVA writes UTF-8")

    parser.XmlDeclHandler = declare
    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.UnparsedEntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    try:
        begun = False
        for piece in data:
            # Some files start with empty lines, which XML allows only where no declaration follows.
            part = piece if begun else piece.lstrip(b" \t\r\n")
            begun = begun or bool(part)
            parser.Parse(part, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise WeightFileError(f"{name} is not a whole XML file: {error}") from None
    return reader.close()


def _read_variables(root: ET.Element, section: str, entry: str, count: str) -> tuple[Variable, ...]:
    element = root.find(section)
    if element is None:
        return ()
    found = []
    for item in element.findall(entry):
        expression = attribute(item, "Expression")
        label = item.get("Label", expression)
        found.append(
            Variable(
                expression,
                label,
                item.get("Title", label),
                item.get("Unit", ""),
                item.get("Type", "F")[:1] or "F",
                float_attribute(item, "Min", finite=False) if "Min" in item.keys() else 0.0,  # noqa: SIM118 - an Element is no dict
                float_attribute(item, "Max", finite=False) if "Max" in item.keys() else 0.0,  # noqa: SIM118
            )
        )
    if count in element.keys() and int_attribute(element, count, 0) != len(found):  # noqa: SIM118
        raise WeightFileError(f"<{section} {count}={element.get(count)!r}> holds {len(found)} <{entry}>")
    return tuple(found)


def _sections(root: ET.Element, path: Path | None) -> WeightDocument:
    """Return what the sections of a method say."""
    method, separator, title = attribute(root, "Method").partition("::")
    if not separator:
        title = method
    # TMVA 4.0 wrote a title before the method: "Method: BDT::BDTG".
    document = WeightDocument(method.split()[-1] if method.strip() else method, title, path=path)
    info = root.find("GeneralInfo")
    if info is not None:
        document.info = {attribute(item, "name"): item.get("value", "") for item in info.findall("Info")}
    options = root.find("Options")
    if options is not None:
        document.options = [
            (attribute(item, "name"), item.get("modified", "No").lower() == "yes", (item.text or "").strip())
            for item in options.findall("Option")
        ]
        document.sizes = {
            attribute(item, "name"): int_attribute(item, "size", 0)
            for item in options.findall("Option")
            if item.get("size") is not None
        }
    document.variables = _read_variables(root, "Variables", "Variable", "NVar")
    document.spectators = _read_variables(root, "Spectators", "Spectator", "NSpec")
    document.targets = _read_variables(root, "Targets", "Target", "NTrgt")
    classes = root.find("Classes")
    if classes is not None:
        document.classes = tuple(
            attribute(item, "Name")
            for item in sorted(classes.findall("Class"), key=lambda c: int_attribute(c, "Index", 0))
        )
    elif not document.targets:
        document.classes = _OLD_CLASSES
    for name, tag in (("transformations", "Transformations"), ("pdfs", "MVAPdfs"), ("weights", "Weights")):
        element = root.find(tag)
        if element is not None:
            setattr(document, name, element)
    document.has_weights = root.find("Weights") is not None
    return document


def read_document(
    path: str | os.PathLike[str],
    open_weights: Callable[[WeightDocument], WeightsReader | None] | None = None,
    *,
    need_weights: bool = True,
) -> WeightDocument:
    """Read a ``*.weights.xml`` file of TMVA or mvakit.

    Parameters
    ----------
    path : path
    open_weights : callable, optional
        As for `SectionReader`; without it, ``<Weights>`` becomes an element.
    need_weights : bool
        Whether a file without ``<Weights>`` is refused.

    Raises
    ------
    WeightFileError
        If the file is missing, is not XML, declares entities, or lacks a section.
    """
    path = Path(path)
    document = parse_document(pieces(path), SectionReader(str(path), open_weights, path))
    if need_weights and not document.has_weights:
        raise WeightFileError(f"{path} lacks <Weights>")
    return document


def release_code(info: Mapping[str, str]) -> int | None:
    """Return the code of the release of TMVA that wrote a file, ``(a << 16) + (b << 8) + c``, or None where it is not told."""
    text = info.get("TMVA Release") or info.get("TMVA") or ""
    found = re.search(r"\[\s*(\d{1,9})\s*\]", text)
    return int(found.group(1)) if found else None


# ------------------------------------------------------------------------------------------------- writing


def _write_variables(root: ET.Element, section: str, entry: str, count: str, variables: Sequence[Variable]) -> None:
    element = ET.SubElement(root, section, {count: str(len(variables))})
    index = {"Variable": "VarIndex", "Spectator": "SpecIndex", "Target": "TargetIndex"}[entry]
    for i, variable in enumerate(variables):
        attributes = {
            index: str(i),
            "Expression": variable.expression,
            "Label": variable.label,
            "Title": variable.title,
            "Unit": variable.unit,
            "Internal": variable.internal,
            "Type": variable.type,
            "Min": number(variable.minimum),
            "Max": number(variable.maximum),
        }
        ET.SubElement(element, entry, attributes)


def fill(root: ET.Element, document: WeightDocument) -> None:
    """Write the sections of a method into an element, which becomes a ``MethodSetup`` or the like."""
    root.set("Method", f"{document.method}::{document.title}")
    info = ET.SubElement(root, "GeneralInfo")
    for name, value in document.info.items():
        ET.SubElement(info, "Info", name=name, value=value)
    options = ET.SubElement(root, "Options")
    for name, modified, text in document.options:
        size = {"size": str(document.sizes[name])} if name in document.sizes else {}
        attributes = {"name": name, **size, "modified": "Yes" if modified else "No"}
        ET.SubElement(options, "Option", attributes).text = text
    _write_variables(root, "Variables", "Variable", "NVar", document.variables)
    _write_variables(root, "Spectators", "Spectator", "NSpec", document.spectators)
    classes = ET.SubElement(root, "Classes", NClass=str(len(document.classes)))
    for i, name in enumerate(document.classes):
        ET.SubElement(classes, "Class", Name=name, Index=str(i))
    if document.targets:
        _write_variables(root, "Targets", "Target", "NTrgt", document.targets)
    root.append(document.transformations)
    root.append(document.pdfs)
    root.append(document.weights)


def to_bytes(document: WeightDocument) -> bytes:
    """Return a weight file."""
    root = ET.Element("MethodSetup")
    fill(root, document)
    ET.indent(root)
    data: bytes = ET.tostring(root, encoding="us-ascii")
    return b'<?xml version="1.0"?>\n' + data + b"\n"


def write_document(
    document: WeightDocument, path: str | os.PathLike[str], beside: Mapping[str, bytes] | None = None
) -> Path:
    """Write a weight file, and the files that belong `beside` it, and return its path.

    A ``*`` in the name of such a file stands for the name of the weight file without ``.xml``.

    Raises
    ------
    WeightFileError
        If the folder cannot be written to.
    """
    path = Path(path)
    named = {name.replace("*", path.name.removesuffix(".xml")): data for name, data in (beside or {}).items()}
    write_files(path.parent, {**named, path.name: to_bytes(document)})
    return path

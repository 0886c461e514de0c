"""The weight file: TMVA's XML document, its sections and numbers, both ways; it knows no method.

A file is read by expat with every declaration of a document type or entity refused, within bounds on size, depth and
number of elements. It is written aside and moved into place.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET
from xml.parsers import expat

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError, did_you_mean
from mvakit.files import write_files
from mvakit.variables import Variable

__all__ = [
    "WeightDocument",
    "attribute",
    "boolean_attribute",
    "child",
    "float_attribute",
    "int_attribute",
    "number",
    "numbers",
    "read_document",
    "text_numbers",
    "write_document",
]

FloatArray = npt.NDArray[np.float64]

MAX_BYTES: Final = 2 * 1024**3
MAX_DEPTH: Final = 2000
MAX_ELEMENTS: Final = 100_000_000


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
    variables, spectators, targets : tuple of Variable
    classes : tuple of str
        In the order of their index.
    transformations, pdfs, weights : Element
        The sections that transformations and methods read and write themselves.
    path : Path or None
        Where it was read from; methods find the files beside it by this.
    """

    method: str
    title: str
    info: dict[str, str] = field(default_factory=dict)
    options: list[tuple[str, bool, str]] = field(default_factory=list)
    variables: tuple[Variable, ...] = ()
    spectators: tuple[Variable, ...] = ()
    targets: tuple[Variable, ...] = ()
    classes: tuple[str, ...] = ()
    transformations: ET.Element = field(default_factory=lambda: ET.Element("Transformations", NTransformations="0"))
    pdfs: ET.Element = field(default_factory=lambda: ET.Element("MVAPdfs"))
    weights: ET.Element = field(default_factory=lambda: ET.Element("Weights"))
    path: Path | None = None

    def option(self, name: str) -> str | None:
        """Return the text of an option, case ignored, or None where the file has none of that name."""
        for known, _, text in self.options:
            if known.lower() == name.lower():
                return text
        return None


# ------------------------------------------------------------------------------------------------- numbers


def number(value: float) -> str:
    """Write a number so that reading it gives the same number (17 significant digits, TMVA's own format)."""
    return f"{float(value):.16e}"


def numbers(values: Iterable[float]) -> str:
    """Write numbers as the text of an element, separated by spaces."""
    return " ".join(number(v) for v in values)


def text_numbers(element: ET.Element, expected: int | None = None) -> FloatArray:
    """Read the numbers in the text of an element.

    Raises
    ------
    WeightFileError
        If the text is not numbers, or not `expected` of them.
    """
    words = (element.text or "").split()
    try:
        values = np.array(words, dtype=np.float64)
    except ValueError as error:
        raise WeightFileError(f"<{element.tag}> holds something that is not a number: {error}") from None
    if expected is not None and values.size != expected:
        raise WeightFileError(f"<{element.tag}> should hold {expected} numbers and holds {values.size}")
    return values


def attribute(element: ET.Element, name: str) -> str:
    """Return an attribute that has to be there.

    Raises
    ------
    WeightFileError
        Naming the element, the attribute and the nearest spelling, if it is missing.
    """
    value = element.get(name)
    if value is None:
        raise WeightFileError(
            f"<{element.tag}> lacks the attribute {name!r}; {did_you_mean(name, element.keys(), noun='its attributes')}"
        )
    return value


def float_attribute(element: ET.Element, name: str, *, finite: bool = True) -> float:
    """Return an attribute as a number; not-a-number and infinities are refused unless `finite` is False."""
    text = attribute(element, name)
    try:
        value = float(text)
    except ValueError:
        raise WeightFileError(f"<{element.tag} {name}={text!r}> should be a number") from None
    if finite and not np.isfinite(value):
        raise WeightFileError(f"<{element.tag} {name}={text!r}> should be a finite number")
    return value


def int_attribute(element: ET.Element, name: str, minimum: int | None = None, maximum: int | None = None) -> int:
    """Return an attribute as a whole number within its bounds, both included."""
    text = attribute(element, name)
    try:
        value = int(text)
    except ValueError:
        raise WeightFileError(f"<{element.tag} {name}={text!r}> should be a whole number") from None
    if (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
        low, high = "-inf" if minimum is None else minimum, "inf" if maximum is None else maximum
        raise WeightFileError(f"<{element.tag} {name}={text!r}> should lie between {low} and {high}")
    return value


def boolean_attribute(element: ET.Element, name: str) -> bool:
    """Return an attribute that says yes or no."""
    text = attribute(element, name).lower()
    if text in {"1", "true", "yes", "t"}:
        return True
    if text in {"0", "false", "no", "f"}:
        return False
    raise WeightFileError(f"<{element.tag} {name}={text!r}> should be 0 or 1")


def child(element: ET.Element, tag: str) -> ET.Element:
    """Return the child of that tag, which has to be there."""
    found = element.find(tag)
    if found is None:
        raise WeightFileError(
            f"<{element.tag}> lacks <{tag}>; {did_you_mean(tag, {c.tag for c in element}, noun='its elements')}"
        )
    return found


# ------------------------------------------------------------------------------------------------- reading


def _parse(data: bytes, name: str) -> ET.Element:
    builder = ET.TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    state = {"depth": 0, "elements": 0}

    def refuse(*_: object) -> int:
        raise WeightFileError(
            f"{name} declares a document type or an entity, which no weight file needs; it is not read"
        )

    def start(tag: str, attributes: dict[str, str]) -> None:
        state["depth"] += 1
        state["elements"] += 1
        if state["depth"] > MAX_DEPTH or state["elements"] > MAX_ELEMENTS:
            raise WeightFileError(f"{name} nests deeper than {MAX_DEPTH} or holds more than {MAX_ELEMENTS} elements")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        state["depth"] -= 1
        builder.end(tag)

    parser.StartDoctypeDeclHandler = refuse
    parser.EntityDeclHandler = refuse
    parser.UnparsedEntityDeclHandler = refuse
    parser.ExternalEntityRefHandler = refuse
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(data, True)
        return builder.close()
    except expat.ExpatError as error:
        raise WeightFileError(f"{name} is not a whole XML file: {error}") from None
    except AssertionError:  # the builder's word for elements left open
        raise WeightFileError(f"{name} is not a whole XML file: it ends early") from None


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


def read_document(path: str | os.PathLike[str]) -> WeightDocument:
    """Read a ``*.weights.xml`` file of TMVA or mvakit.

    Raises
    ------
    WeightFileError
        If the file is missing, is not XML, declares entities, or lacks a section.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise WeightFileError(f"{path} is larger than {MAX_BYTES >> 20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise WeightFileError(f"the weight file {str(path)!r} cannot be read: {error.strerror}") from None
    root = _parse(data, str(path))
    if root.tag != "MethodSetup":
        raise WeightFileError(f"{path} is no weight file: its root is <{root.tag}>, not <MethodSetup>")
    method, separator, title = attribute(root, "Method").partition("::")
    if not separator:
        title = method
    document = WeightDocument(method, title, path=path)
    info = root.find("GeneralInfo")
    if info is not None:
        document.info = {attribute(item, "name"): item.get("value", "") for item in info.findall("Info")}
    options = root.find("Options")
    if options is not None:
        document.options = [
            (attribute(item, "name"), item.get("modified", "No").lower() == "yes", (item.text or "").strip())
            for item in options.findall("Option")
        ]
    document.variables = _read_variables(root, "Variables", "Variable", "NVar")
    document.spectators = _read_variables(root, "Spectators", "Spectator", "NSpec")
    document.targets = _read_variables(root, "Targets", "Target", "NTrgt")
    classes = root.find("Classes")
    if classes is not None:
        document.classes = tuple(
            attribute(item, "Name")
            for item in sorted(classes.findall("Class"), key=lambda c: int_attribute(c, "Index", 0))
        )
    for name in ("transformations", "pdfs", "weights"):
        element = root.find({"transformations": "Transformations", "pdfs": "MVAPdfs", "weights": "Weights"}[name])
        if element is not None:
            setattr(document, name, element)
        elif name == "weights":
            raise WeightFileError(f"{path} lacks <Weights>")
    return document


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


def _element(document: WeightDocument) -> ET.Element:
    root = ET.Element("MethodSetup", Method=f"{document.method}::{document.title}")
    info = ET.SubElement(root, "GeneralInfo")
    for name, value in document.info.items():
        ET.SubElement(info, "Info", name=name, value=value)
    options = ET.SubElement(root, "Options")
    for name, modified, text in document.options:
        ET.SubElement(options, "Option", name=name, modified="Yes" if modified else "No").text = text
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
    return root


def write_document(
    document: WeightDocument, path: str | os.PathLike[str], beside: Mapping[str, bytes] | None = None
) -> Path:
    """Write a weight file, and the files that belong `beside` it, and return its path.

    Raises
    ------
    WeightFileError
        If the folder cannot be written to.
    """
    path = Path(path)
    root = _element(document)
    ET.indent(root)
    data = b'<?xml version="1.0"?>\n' + ET.tostring(root, encoding="us-ascii") + b"\n"
    write_files(path.parent, {**(beside or {}), path.name: data})
    return path

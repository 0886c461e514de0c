"""Numbers and attributes of XML elements, both ways; what is missing or no number is an error that names it."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError, did_you_mean

__all__ = [
    "attribute",
    "boolean_attribute",
    "child",
    "float_attribute",
    "int_attribute",
    "number",
    "numbers",
    "text_numbers",
]

FloatArray = npt.NDArray[np.float64]


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

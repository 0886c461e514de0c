"""I: the variables as they are; a place in a chain and in the list of input plots, and no trace in the numbers."""

from __future__ import annotations

from typing import ClassVar, Self
from xml.etree import ElementTree as ET

from mvakit.transformations.base import Events, Float32Array, Transformation
from mvakit.transformations.grammar import Step
from mvakit.transformations.selection import IntArray, Kind, Selection

__all__ = ["Identity"]


class Identity(Transformation):
    """Leaves every value as it is."""

    letter: ClassVar[str] = "I"
    short_name: ClassVar[str] = "Id"

    @classmethod
    def fit(cls, step: Step, events: Events) -> Self:
        """Return the identity; there is nothing to learn."""
        return cls(step.selection, None, len(events.classes))

    def transform(self, values: Float32Array, positions: IntArray, block: int) -> Float32Array:  # noqa: ARG002
        """Return the values."""
        return values

    def invert(self, values: Float32Array, positions: IntArray, block: int) -> Float32Array:  # noqa: ARG002
        """Return the values."""
        return values

    def write(self, parent: ET.Element) -> None:
        """Write nothing: TMVA counts the identity among the transformations of a file and leaves it out."""

    @classmethod
    def read(cls, element: ET.Element, selection: Selection, n_classes: int) -> Self:  # noqa: ARG003
        """Return the identity."""
        return cls(selection, None, n_classes)

    def kinds(self) -> frozenset[Kind]:
        """Return nothing: it changes no value."""
        return frozenset()

"""Rearrange: values to other places; TMVA puts one before the models of a Category, and none can be booked."""

from __future__ import annotations

from typing import ClassVar, Self
from xml.etree import ElementTree as ET

from mvakit.errors import TransformationError, WeightFileError
from mvakit.transformations.base import Events, Float32Array, Transformation
from mvakit.transformations.grammar import Step
from mvakit.transformations.selection import IntArray, Selection

__all__ = ["Rearrange"]


class Rearrange(Transformation):
    """Writes each input of the selection, as it is, to the output of the same position."""

    letter: ClassVar[str] = "R"
    short_name: ClassVar[str] = "Rearrange"

    @classmethod
    def fit(cls, step: Step, events: Events) -> Self:  # noqa: ARG003
        """Refuse: there is no such step in ``VarTransform``.

        Raises
        ------
        TransformationError
            Always.
        """
        raise TransformationError(f"{step.text}: variables are rearranged in weight files only")

    def transform(self, values: Float32Array, positions: IntArray, block: int) -> Float32Array:  # noqa: ARG002
        """Return the values; the selection says where they go."""
        return values

    def invert(self, values: Float32Array, positions: IntArray, block: int) -> Float32Array:  # noqa: ARG002
        """Return the values; the selection says where they come from."""
        return values

    def write(self, parent: ET.Element) -> None:
        """Append ``<Transform Name="Rearrange">``."""
        self.selection.write(ET.SubElement(parent, "Transform", Name="Rearrange"))

    @classmethod
    def read(cls, element: ET.Element, selection: Selection, n_classes: int) -> Self:
        """Read it; its selection is all there is.

        Raises
        ------
        WeightFileError
            If the selection is missing.
        """
        if element.find("Selection") is None:
            raise WeightFileError("a Rearrange transformation lacks its <Selection>")
        return cls(selection, None, n_classes)

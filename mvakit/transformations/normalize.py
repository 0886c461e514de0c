"""N: each value linearly onto [-1, 1], by the smallest and largest value in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self
from xml.etree import ElementTree as ET

import numpy as np

from mvakit.errors import WeightFileError
from mvakit.transformations.base import Events, Float32Array, Transformation, blocks_of, frozen
from mvakit.transformations.grammar import Step
from mvakit.transformations.selection import IntArray, Selection
from mvakit.weightfile import child, float_attribute, int_attribute, number

__all__ = ["Normalize"]


@dataclass(frozen=True, eq=False)
class Normalize(Transformation):
    """``2 (x - min) / (max - min) - 1``, in single precision as TMVA computes it.

    Values beyond the training range lie beyond [-1, 1]. A variable that is constant within one class (but not within the
    class that the transformation is made for, which is refused) becomes -1 in the block of that class.

    Attributes
    ----------
    minimum, maximum : ndarray of float32, shape (n_blocks, n_inputs)
    """

    minimum: Float32Array
    maximum: Float32Array

    letter: ClassVar[str] = "N"
    short_name: ClassVar[str] = "Norm"

    @classmethod
    def fit(cls, step: Step, events: Events) -> Self:
        """Find the ranges.

        Raises
        ------
        TransformationError
            If a variable is constant.
        """
        low, high = events.ranges(len(step.selection))
        transformation = cls(
            step.selection, step.reference, len(events.classes), frozen(low, np.float32), frozen(high, np.float32)
        )
        block = transformation.block(None)
        events.refuse_constant(step, block, low[block], high[block])
        return transformation

    def _scale(self, positions: IntArray, block: int) -> tuple[Float32Array, Float32Array]:
        offset = self.minimum[block, positions]
        with np.errstate(over="ignore"):  # a range below 1e-38 has an infinite scale, as it should
            width = self.maximum[block, positions] - offset
            scale = np.divide(1.0, width, out=np.zeros(width.shape), where=width > 0).astype(np.float32)
        return offset, scale

    def transform(self, values: Float32Array, positions: IntArray, block: int) -> Float32Array:
        """Return ``(x - min) scale 2 - 1``, each operation rounded to single precision."""
        offset, scale = self._scale(positions, block)
        with np.errstate(over="ignore", invalid="ignore"):
            result: Float32Array = (values - offset) * scale * np.float32(2) - np.float32(1)
        return result

    def invert(self, values: Float32Array, positions: IntArray, block: int) -> Float32Array:
        """Return ``min + (y + 1) / (2 scale)``."""
        offset, scale = self._scale(positions, block)
        with np.errstate(over="ignore", invalid="ignore"):
            length = np.divide(1, scale * np.float32(2), out=np.zeros_like(scale), where=scale > 0)
            result: Float32Array = offset + (values + np.float32(1)) * length
        return result

    def write(self, parent: ET.Element) -> None:
        """Append ``<Transform Name="Normalize">``."""
        element = ET.SubElement(parent, "Transform", Name="Normalize")
        self.selection.write(element)
        for index, block in enumerate(self.written_blocks):
            ranges = ET.SubElement(ET.SubElement(element, "Class", ClassIndex=str(index)), "Ranges")
            for i, (low, high) in enumerate(zip(self.minimum[block], self.maximum[block], strict=True)):
                ET.SubElement(ranges, "Range", Index=str(i), Min=number(low), Max=number(high))

    @classmethod
    def read(cls, element: ET.Element, selection: Selection, n_classes: int) -> Self:
        """Read the ranges; TMVA 4.0 kept those of variables and targets apart.

        Raises
        ------
        WeightFileError
            If a range is missing or upside down.
        """
        blocks = blocks_of(element.findall("Class"), n_classes, "Class")
        bounds = np.full((2, len(blocks), len(selection)), np.nan, np.float32)
        for b, block in enumerate(blocks):
            for place, item in _ranges(block, selection):
                if not 0 <= place < len(selection):
                    raise WeightFileError(f"<{item.tag}> number {place} of {len(selection)} inputs")
                bounds[:, b, place] = float_attribute(item, "Min"), float_attribute(item, "Max")
        if np.isnan(bounds).any() or np.any(bounds[0, -1] > bounds[1, -1]):
            raise WeightFileError("a Normalize transformation lacks a range, or has one whose Min is above its Max")
        return cls(selection, None, n_classes, frozen(bounds[0], np.float32), frozen(bounds[1], np.float32))


def _ranges(block: ET.Element, selection: Selection) -> list[tuple[int, ET.Element]]:
    """Return the elements with a Min and a Max, and the position of each in the selection."""
    if block.find("Variables") is None:
        return [(int_attribute(item, "Index", 0), item) for item in child(block, "Ranges").findall("Range")]
    n_variables = len(selection.places("Variable")[0])
    found = [(int_attribute(item, "VarIndex", 0), item) for item in child(block, "Variables")]
    targets = block.find("Targets")
    if targets is not None:
        found += [(n_variables + int_attribute(item, "TargetIndex", 0), item) for item in targets]
    return found

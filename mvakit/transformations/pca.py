"""P: principal components, the axes along which the training events vary most, most first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self
from xml.etree import ElementTree as ET

import numpy as np

from mvakit.errors import TransformationError, WeightFileError
from mvakit.transformations.base import (
    Events,
    Float32Array,
    FloatArray,
    Transformation,
    blocks_of,
    frozen,
    require_finite,
)
from mvakit.transformations.grammar import Step
from mvakit.transformations.linear import rotate, symmetric_eigen
from mvakit.transformations.selection import IntArray, Selection
from mvakit.weightfile import int_attribute, numbers, text_numbers

__all__ = ["PrincipalComponents"]

_CLASS_NAMES = ("Signal", "Background", "Combined")  # TMVA's words, whatever the classes are called


@dataclass(frozen=True, eq=False)
class PrincipalComponents(Transformation):
    """``V^T (x - mean)`` with the eigenvectors ``V`` of the covariance matrix.

    As in TMVA the events count once each, whatever their weights. The sign of an eigenvector is what ROOT's own sequence
    of reflections and rotations gives (see `symmetric_eigen`).

    Attributes
    ----------
    means : ndarray of float64, shape (n_blocks, n_inputs)
    vectors : ndarray of float64, shape (n_blocks, n_inputs, n_inputs)
        One eigenvector in each column.
    """

    means: FloatArray
    vectors: FloatArray

    letter: ClassVar[str] = "P"
    short_name: ClassVar[str] = "PCA"

    @classmethod
    def fit(cls, step: Step, events: Events) -> Self:
        """Find the means and the axes.

        Raises
        ------
        TransformationError
            If there is only one variable, or none that varies.
        """
        if len(step.selection) < 2:
            raise TransformationError(
                f"{step.text}: principal components need two variables, not {len(step.selection)}"
            )
        means, vectors = [], []
        main = events.n_blocks - 1 if step.reference is None else step.reference
        for block, moments in enumerate(events.moments(len(step.selection), weighted=False)):
            matrix = moments.covariance
            trace = matrix.trace()
            if block == main and trace == 0:
                raise TransformationError(f"{step.text}: no variable varies among {events.whose(block)}")
            means.append(moments.mean)
            vectors.append(symmetric_eigen(matrix / trace if trace else matrix)[1])
        return cls(
            step.selection, step.reference, len(events.classes), frozen(means, np.float64), frozen(vectors, np.float64)
        )

    def transform(self, values: Float32Array, positions: IntArray, block: int) -> Float32Array:  # noqa: ARG002
        """Return the components of every event along the axes."""
        return rotate(values, self.vectors[block].T, self.means[block])

    def write(self, parent: ET.Element) -> None:
        """Append ``<Transform Name="PCA">``."""
        element = ET.SubElement(parent, "Transform", Name="PCA")
        self.selection.write(element)
        size = str(len(self.selection))
        for tag, shape in (("Statistics", {"NRows": size}), ("Eigenvectors", {"NRows": size, "NCols": size})):
            content = self.means if tag == "Statistics" else self.vectors
            for index, block in enumerate(self.written_blocks):
                name = _CLASS_NAMES[min(index, 2)]
                item = ET.SubElement(element, tag, {"Class": name, "ClassIndex": str(index), **shape})
                item.text = numbers(content[block].ravel())

    @classmethod
    def read(cls, element: ET.Element, selection: Selection, n_classes: int) -> Self:
        """Read the means and the axes.

        Raises
        ------
        WeightFileError
            If there are too few or too many of them.
        """
        size = len(selection)
        means = []
        for item in blocks_of(element.findall("Statistics"), n_classes, "Statistics"):
            if int_attribute(item, "NRows") != size:
                raise WeightFileError(f"principal components of {size} inputs need {size} means")
            means.append(text_numbers(item, size))
        vectors = []
        for item in blocks_of(element.findall("Eigenvectors"), n_classes, "Eigenvectors"):
            if int_attribute(item, "NRows") != size or int_attribute(item, "NCols") != size:
                raise WeightFileError(
                    f"principal components of {size} inputs need {size} eigenvectors of {size} numbers"
                )
            vectors.append(text_numbers(item, size * size).reshape(size, size))
        require_finite(means[-1], "Statistics")
        require_finite(vectors[-1], "Eigenvectors")
        return cls(selection, None, n_classes, frozen(means, np.float64), frozen(vectors, np.float64))

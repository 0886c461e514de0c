"""D: the inverse square root of the covariance matrix, which leaves variables uncorrelated and of unit variance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Self
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

__all__ = ["Decorrelation"]

DEPENDENT: Final = 1e-12  # smallest eigenvalue of a correlation matrix that is more than the rounding of float32
NEGATIVE: Final = 1e-9  # an eigenvalue below minus this is no rounding
RESOLVED: Final = 1e-14  # smallest eigenvalue beside the largest that double precision still tells from zero


@dataclass(frozen=True, eq=False)
class Decorrelation(Transformation):
    """``C^(-1/2) x`` with the weighted covariance matrix ``C`` of the training events; means are not subtracted.

    In the block of a class where some combination of variables does not vary, that combination is mapped to zero
    (the pseudo-inverse); in the block that the transformation is made for, it is refused.

    Attributes
    ----------
    matrices : ndarray of float64, shape (n_blocks, n_inputs, n_inputs)
    """

    matrices: FloatArray

    letter: ClassVar[str] = "D"
    short_name: ClassVar[str] = "Deco"

    @classmethod
    def fit(cls, step: Step, events: Events) -> Self:
        """Find the matrices.

        Raises
        ------
        TransformationError
            If a variable is constant or a combination of others, or the weights leave no positive variance.
        """
        main = events.n_blocks - 1 if step.reference is None else step.reference
        found = events.moments(len(step.selection))
        events.refuse_constant(step, main, found[main].minimum, found[main].maximum)
        matrices = []
        for block, moments in enumerate(found):
            if moments.total <= 0:
                raise TransformationError(
                    f"{step.text}: the weights of {events.whose(block)} sum to {moments.total:g}, "
                    "from which no covariance follows"
                )
            matrix = moments.covariance
            if block == main:
                _refuse_dependent(matrix, step, events.whose(block))
            matrices.append(_inverse_root(matrix))
        return cls(step.selection, step.reference, len(events.classes), frozen(matrices, np.float64))

    def transform(self, values: Float32Array, positions: IntArray, block: int) -> Float32Array:  # noqa: ARG002
        """Return the product of the matrix with every event."""
        return rotate(values, self.matrices[block])

    def write(self, parent: ET.Element) -> None:
        """Append ``<Transform Name="Decorrelation">``."""
        element = ET.SubElement(parent, "Transform", Name="Decorrelation")
        self.selection.write(element)
        size = str(len(self.selection))
        for block in self.written_blocks:
            ET.SubElement(element, "Matrix", Rows=size, Columns=size).text = numbers(self.matrices[block].ravel())

    @classmethod
    def read(cls, element: ET.Element, selection: Selection, n_classes: int) -> Self:
        """Read the matrices.

        Raises
        ------
        WeightFileError
            If they are not square, or not one for each class and one for all.
        """
        size = len(selection)
        matrices = []
        for item in blocks_of(element.findall("Matrix"), n_classes, "Matrix"):
            if int_attribute(item, "Rows") != size or int_attribute(item, "Columns") != size:
                raise WeightFileError(f"a decorrelation of {size} inputs needs a <Matrix> of {size} rows and columns")
            matrices.append(text_numbers(item, size * size).reshape(size, size))
        require_finite(matrices[-1], "Matrix")
        return cls(selection, None, n_classes, frozen(matrices, np.float64))


def _inverse_root(matrix: FloatArray) -> FloatArray:
    values, vectors = symmetric_eigen(matrix)
    real = values > RESOLVED * values[0]
    root = np.divide(1.0, np.sqrt(values, where=real, out=np.ones_like(values)), where=real, out=np.zeros_like(values))
    product: FloatArray = np.einsum("ik,jk->ij", vectors * root, vectors)
    return product


def _refuse_dependent(matrix: FloatArray, step: Step, whose: str) -> None:
    """Refuse a covariance matrix without an inverse square root, and say why it has none."""
    labels = step.selection.labels
    sigma = np.sqrt(np.maximum(np.diag(matrix), 0.0))
    if not np.all(sigma > 0):
        label = labels[int(np.argmin(sigma))]
        raise TransformationError(f"{step.text}: negative weights leave {label!r} no positive variance among {whose}")
    values, vectors = symmetric_eigen(matrix / np.outer(sigma, sigma))
    if values[-1] < DEPENDENT:
        names = ", ".join(repr(label) for label, part in zip(labels, vectors[:, -1], strict=True) if abs(part) > 0.05)
        if values[-1] < -NEGATIVE:
            raise TransformationError(
                f"{step.text}: negative weights leave a combination of {names} no positive variance among {whose}"
            )
        raise TransformationError(
            f"{step.text}: {names} depend on each other linearly among {whose}, so that their covariance matrix has no "
            "inverse; drop one of them"
        )
    values, _ = symmetric_eigen(matrix)
    if values[-1] <= RESOLVED * values[0]:
        wide, narrow = labels[int(np.argmax(sigma))], labels[int(np.argmin(sigma))]
        raise TransformationError(
            f"{step.text}: {wide!r} varies by {sigma.max():.3g} and {narrow!r} by {sigma.min():.3g}, too different for one "
            f"covariance matrix in double precision; choose other units, or normalise first: 'N,{step.text}'"
        )

"""What every transformation has in common: a selection, a block of numbers for each class, and both directions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import TransformationError, WeightFileError
from mvakit.evaluation.moments import Moments, moments_by_class
from mvakit.transformations.grammar import Step
from mvakit.transformations.selection import IntArray, Kind, Selection

__all__ = ["Events", "Float32Array", "FloatArray", "Transformation", "blocks_of", "frozen", "require_finite"]

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]
ScalarT = TypeVar("ScalarT", np.float32, np.float64)


def frozen(values: npt.ArrayLike, dtype: type[ScalarT]) -> npt.NDArray[ScalarT]:
    """Return a contiguous copy that nobody can write to, so that threads may share it."""
    array: npt.NDArray[ScalarT] = np.array(values, dtype=dtype, order="C")
    array.flags.writeable = False
    return array


@dataclass(frozen=True)
class Events:
    """The training events as one transformation sees them: its inputs after the steps before it.

    Attributes
    ----------
    stream : callable
        Gives the inputs of the events, block by block in their order: arrays of float32, shape (n, n_inputs).
    class_index : ndarray of int, shape (n_events,)
    weight : ndarray of float64, shape (n_events,)
    classes : tuple of str
    mapped : bool
        Whether the events are too many to be had in one array.
    """

    stream: Callable[[], Iterator[Float32Array]]
    class_index: npt.NDArray[np.integer]
    weight: FloatArray
    classes: tuple[str, ...]
    mapped: bool = False

    @property
    def n_blocks(self) -> int:
        """One block for each class and one for all; a single class needs no other."""
        return len(self.classes) + 1 if len(self.classes) > 1 else 1

    def blocks(self) -> Iterator[tuple[Float32Array, npt.NDArray[np.integer], FloatArray]]:
        """Yield inputs, classes and weights of consecutive events."""
        begin = 0
        for values in self.stream():
            rows = slice(begin, begin + len(values))
            yield values, self.class_index[rows], self.weight[rows]
            begin = rows.stop

    def table(self) -> Float32Array:
        """Return the inputs of all events, shape (n_events, n_inputs)."""
        return np.concatenate(list(self.stream()))

    def moments(self, n_inputs: int, *, weighted: bool = True) -> list[Moments]:
        """Return the moments of the events of each block, in one pass."""
        blocks = ((values, index, weight if weighted else None) for values, index, weight in self.blocks())
        found = moments_by_class(blocks, n_inputs, len(self.classes))
        return [*found, Moments.joined(found)] if len(found) > 1 else found

    def ranges(self, n_inputs: int) -> tuple[Float32Array, Float32Array]:
        """Return the smallest and the largest inputs in each block, shape (n_blocks, n_inputs)."""
        low = np.full((self.n_blocks, n_inputs), np.inf, np.float32)
        high = -low
        for values, index, _ in self.blocks():
            for block in range(self.n_blocks):
                chosen = values if block == self.n_blocks - 1 else values[index == block]
                if len(chosen):
                    np.minimum(low[block], chosen.min(axis=0), out=low[block])
                    np.maximum(high[block], chosen.max(axis=0), out=high[block])
        return low, high

    def rows(self, block: int) -> IntArray | slice:
        """Return the events of a block, in their order."""
        if block == self.n_blocks - 1:
            return slice(None)
        return np.flatnonzero(self.class_index == block)

    def whose(self, block: int) -> str:
        """Say whose events a block holds, for error messages."""
        return "the training events" if block == self.n_blocks - 1 else f"the events of class {self.classes[block]!r}"

    def refuse_constant(self, step: Step, block: int, low: npt.NDArray[Any], high: npt.NDArray[Any]) -> None:
        """Refuse inputs that do not vary among the events that define a transformation, which lie from `low` to `high`.

        Raises
        ------
        TransformationError
            Naming the first of them.
        """
        constant = np.flatnonzero(low == high)
        if constant.size:
            labels = step.selection.labels
            label = labels.pop(constant[0])
            remedy = f", or name the others: '{step.letter}({','.join(labels)})'" if labels else ""
            raise TransformationError(
                f"{step.text}: {label!r} is always {low[constant[0]]:g} among {self.whose(block)}, which leaves "
                f"nothing to transform; drop it{remedy}"
            )


@dataclass(frozen=True, eq=False)
class Transformation(ABC):
    """A fitted transformation; everything in it is read-only.

    Attributes
    ----------
    selection : Selection
    reference : int or None
        The class whose block applies unless another is asked for; None for the last block, of all classes.
    n_classes : int
    """

    selection: Selection
    reference: int | None
    n_classes: int

    letter: ClassVar[str]
    short_name: ClassVar[str]
    """TMVA's word for it in the names of directories."""

    @property
    def n_blocks(self) -> int:
        """One block for each class and, where there are several, one for all of them."""
        return self.n_classes + 1 if self.n_classes > 1 else 1

    def block(self, class_index: int | None) -> int:
        """Return the block that applies when a class is asked for, or None.

        Raises
        ------
        TransformationError
            If there is no such class.
        """
        if class_index is None:
            return self.n_blocks - 1 if self.reference is None else self.reference
        if not 0 <= class_index < self.n_classes:
            raise TransformationError(f"there are {self.n_classes} classes, counted from 0; there is no {class_index}")
        return class_index

    @property
    def written_blocks(self) -> list[int]:
        """The blocks in the order of a weight file, where the last one applies.

        TMVA forgets the class of ``D_Signal`` when it reads a file and applies the last block. A chain with a reference
        class therefore writes its block last, and TMVA and mvakit agree on what the file means.
        """
        return [*range(self.n_blocks - 1), self.block(None)]

    @classmethod
    @abstractmethod
    def fit(cls, step: Step, events: Events) -> Self:
        """Make the transformation from training events.

        Raises
        ------
        TransformationError
            If it cannot be made from them.
        """

    @abstractmethod
    def transform(self, values: Float32Array, positions: IntArray, block: int) -> Float32Array:
        """Transform the inputs at some positions of the selection, shape (n_events, n_positions)."""

    def invert(self, values: Float32Array, positions: IntArray, block: int) -> Float32Array:  # noqa: ARG002
        """Undo `transform`; only transformations of one value at a time can.

        Raises
        ------
        TransformationError
            If it mixes its inputs.
        """
        raise TransformationError(f"the transformation {self.short_name!r} of targets cannot be undone")

    @abstractmethod
    def write(self, parent: ET.Element) -> None:
        """Append ``<Transform>`` to ``<Transformations>``."""

    @classmethod
    @abstractmethod
    def read(cls, element: ET.Element, selection: Selection, n_classes: int) -> Self:
        """Read ``<Transform>``.

        Raises
        ------
        WeightFileError
            If it is damaged.
        """

    def kinds(self) -> frozenset[Kind]:
        """Return the kinds of value that it changes."""
        return self.selection.kinds


def blocks_of(elements: Sequence[ET.Element], n_classes: int, what: str) -> list[ET.Element]:
    """Put the elements of a file in the order of their ``ClassIndex``, one for each class and one for all.

    Raises
    ------
    WeightFileError
        If one is missing or comes twice.
    """
    expected = n_classes + 1 if n_classes > 1 else 1
    by_index = {element.get("ClassIndex", str(i)): element for i, element in enumerate(elements)}
    if len(elements) != expected or set(by_index) != {str(i) for i in range(expected)}:
        raise WeightFileError(
            f"a transformation of {n_classes} classes should hold {expected} <{what}>, numbered from 0; "
            f"it holds those numbered {', '.join(by_index) or 'none'}"
        )
    return [by_index[str(i)] for i in range(expected)]


def require_finite(values: FloatArray, what: str) -> None:
    """Refuse the numbers of the block that applies if they are not all finite.

    Those of another block may be undefined: TMVA writes that where a variable is constant within a class.

    Raises
    ------
    WeightFileError
        Naming the element.
    """
    if not np.all(np.isfinite(values)):
        raise WeightFileError(
            f"the last <{what}> of a transformation, which applies, holds a number that is not finite"
        )

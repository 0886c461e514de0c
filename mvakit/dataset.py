"""The prepared events: columns of float32 inputs with classes, weights, targets and spectators, split in two samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mvakit.columnstore import BLOCK, Space, gather, spans
from mvakit.types import AnalysisType
from mvakit.variables import Variable

__all__ = ["CutStep", "DataSet", "Sample", "SampleCounts"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """Events of one purpose (training or test), column for column.

    Attributes
    ----------
    X : ndarray of float32, shape (n_events, n_variables)
        The input variables, untransformed.
    class_index : ndarray of int, shape (n_events,)
        0 for the class that was added first.
    weight : ndarray of float64, shape (n_events,)
        In a training sample renormalised as NormMode says; in a test sample as given.
    targets : ndarray of float32, shape (n_events, n_targets)
    spectators : mapping of str to ndarray
        By label, in the type that the tree has.
    space : Space or None
        Where events go that are derived from these, if they are larger than memory; then the columns lie in mapped
        files and are not to be written to. None if they are in memory.
    """

    X: npt.NDArray[np.float32]
    class_index: npt.NDArray[np.integer]
    weight: FloatArray
    targets: npt.NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    spectators: Mapping[str, npt.NDArray[np.generic]] = field(default_factory=dict)
    space: Space | None = field(default=None, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.weight)

    @property
    def is_signal(self) -> npt.NDArray[np.bool_]:
        """True for the events of class 0, the signal of a classification."""
        return np.asarray(self.class_index == 0)

    def spectator_columns(self) -> npt.NDArray[np.float64] | None:
        """The spectators side by side, shape (n_events, n_spectators), or None where there are none."""
        if not self.spectators:
            return None
        table = _empty(self.space, (len(self), len(self.spectators)), np.float64)
        for rows in spans(len(self)):
            for i, column in enumerate(self.spectators.values()):
                table[rows, i] = column[rows]
        return table

    def blocks(self, size: int = BLOCK) -> Iterator[Sample]:
        """Yield the events in order, at most `size` at a time, without copying them."""
        for rows in spans(len(self), size):
            yield self.select(rows)

    def select(self, which: npt.NDArray[np.generic] | slice) -> Sample:
        """Return the events that a mask, an index array or a slice picks.

        Of events in mapped files a mask or an index array makes a copy in other files.
        """
        if self.space is not None and not isinstance(which, slice):
            return self._gathered(np.asarray(which), self.space)
        return Sample(
            self.X[which],
            self.class_index[which],
            self.weight[which],
            self.targets[which] if self.targets.size else self.targets,
            {label: column[which] for label, column in self.spectators.items()},
            self.space,
        )

    def _gathered(self, which: npt.NDArray[np.generic], space: Space) -> Sample:
        order = np.flatnonzero(which) if which.dtype == np.bool_ else which.astype(np.intp)
        order[order < 0] += len(self)
        if len(order) and not 0 <= order.min() <= order.max() < len(self):
            raise IndexError(f"a sample of {len(self)} events has no event {order.min()} or {order.max()}")
        columns = [self.X, self.class_index, self.weight, self.targets, *self.spectators.values()]
        made = [space.empty((len(order), *column.shape[1:]), column.dtype) for column in columns]
        gather([columns], order, made, space.bucket(row_bytes(columns)))
        X, class_index, weight, targets, *others = made
        return Sample(X, class_index, weight, targets, dict(zip(self.spectators, others, strict=True)), space)

    def with_weight(self, weight: FloatArray) -> Sample:
        """Return the same events with other weights."""
        return replace(self, weight=weight)

    def with_inputs(self, X: npt.NDArray[np.float32]) -> Sample:
        """Return the same events with other (transformed) inputs."""
        return replace(self, X=X)

    def map_inputs(self, function: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]) -> Sample:
        """Return the same events with inputs that a function makes of these, whose result for an event depends on no other.

        Of events in mapped files it is handed one block after the other.
        """
        return self.with_inputs(self._mapped(self.X, function))

    def map_targets(self, function: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]) -> Sample:
        """Return the same events with other targets, in the way of `map_inputs`."""
        return replace(self, targets=self._mapped(self.targets, function))

    def _mapped(
        self, table: npt.NDArray[np.float32], function: Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
    ) -> npt.NDArray[np.float32]:
        if self.space is None:
            return function(table)
        made = self.space.empty(table.shape, np.float32)
        for rows in spans(len(table)):
            made[rows] = function(table[rows])
        return made


def _empty(space: Space | None, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    return np.empty(shape, dtype) if space is None else space.empty(shape, dtype)


def row_bytes(columns: Iterable[npt.NDArray[Any]]) -> int:
    """Return the bytes of one event in some columns."""
    return sum(column.dtype.itemsize * math.prod(column.shape[1:]) for column in columns)


@dataclass(frozen=True, slots=True)
class CutStep:
    """What one cut left, or one of the terms that ``&&`` joins in it, in the order in which they are applied.

    Attributes
    ----------
    cut : str
        Its formula.
    trees : str
        Where the trees are whose own cut it is; empty for what is a cut of the whole class.
    n_before, sum_before : int, float
        The events that came to it, and the sum of their weights.
    n_after, sum_after : int, float
        Those that it left.
    n_alone, sum_alone : int, float
        Those that it would leave of all events of its trees if it were the only cut.
    """

    cut: str
    trees: str
    n_before: int
    sum_before: float
    n_after: int
    sum_after: float
    n_alone: int
    sum_alone: float

    @property
    def efficiency(self) -> float:
        """The weighted fraction that it left of what came to it."""
        return self.sum_after / self.sum_before if self.sum_before else 0.0


@dataclass(frozen=True, slots=True)
class SampleCounts:
    """How many events of a class came, passed the cut, and went where, as TMVA's table counts them.

    Attributes
    ----------
    n_input, sum_input : int, float
        Entries of the class's trees, and the sum of their weights.
    n_passed, sum_passed : int, float
        What the cut left.
    n_train, sum_train, n_test, sum_test : int, float
        After the split and the renormalisation of the training weights.
    rescale : float
        The factor of that renormalisation.
    effective_train, effective_test : float
        Events of unit weight that would fluctuate as much: (sum w)^2 / sum w^2.
    cut_flow : tuple of CutStep
        What each cut left: those of single trees first, then those of the class, which come to the events of all its
        trees. Events that were added one by one come to no cut.
    """

    name: str
    cut: str
    n_input: int
    sum_input: float
    n_passed: int
    sum_passed: float
    n_train: int = 0
    sum_train: float = 0.0
    n_test: int = 0
    sum_test: float = 0.0
    rescale: float = 1.0
    effective_train: float = 0.0
    effective_test: float = 0.0
    cut_flow: tuple[CutStep, ...] = ()

    @property
    def efficiency(self) -> float:
        """The weighted fraction of events that passed the cut."""
        return self.sum_passed / self.sum_input if self.sum_input else 0.0


@dataclass(frozen=True, slots=True)
class DataSet:
    """Everything a method may know of the events: the variables, the classes and the two samples.

    Attributes
    ----------
    name : str
        The DataLoader's name, which is also the folder of the weight files and the top directory of the result file.
    variables, targets, spectators : tuple of Variable
        With the ranges seen in the training sample.
    classes : tuple of str
    train, test : Sample
    counts : tuple of SampleCounts
        One for each class.
    """

    name: str
    variables: tuple[Variable, ...]
    spectators: tuple[Variable, ...]
    targets: tuple[Variable, ...]
    classes: tuple[str, ...]
    train: Sample
    test: Sample
    counts: tuple[SampleCounts, ...] = ()

    @property
    def labels(self) -> list[str]:
        """The labels of the input variables, in order."""
        return [v.label for v in self.variables]

    def default_analysis(self) -> AnalysisType:
        """Return what TMVA's ``AnalysisType=Auto`` would take for these classes and targets.

        Exactly the classes Signal and Background make a classification; any other two or more a multiclass analysis.
        Targets with one class make a regression.
        """
        if self.targets and len(self.classes) == 1:
            return AnalysisType.REGRESSION
        if set(self.classes) == {"Signal", "Background"}:
            return AnalysisType.CLASSIFICATION
        return AnalysisType.MULTICLASS

    def samples(self) -> Iterator[tuple[str, Sample]]:
        """Yield the two samples with the names of their trees."""
        yield "TrainTree", self.train
        yield "TestTree", self.test

"""Events with several outputs: the responses of a multiclass method, and the estimates of a regression.

Arrays are checked once, here, as those of two classes are in `mvakit.evaluation.samples`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mvakit.errors import DataError
from mvakit.evaluation.samples import (
    ClassSample,
    FloatArray,
    IndexArray,
    TwoClassSample,
    as_values_and_weights,
    require_positive_sum,
)

__all__ = ["MulticlassSample", "RegressionSample"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MulticlassSample:
    """Responses to events of several classes.

    Attributes
    ----------
    classes : tuple of str, length k
    scores : ndarray of float64, shape (n, k)
        Column i is the response for class i, the larger the more like it.
    class_index : ndarray of int, shape (n,)
        The true class.
    weights : ndarray of float64, shape (n,)
    """

    classes: tuple[str, ...]
    scores: FloatArray
    class_index: IndexArray
    weights: FloatArray

    @classmethod
    def from_arrays(
        cls,
        scores: ArrayLike,
        class_index: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        classes: Sequence[str],
        what: str = "responses",
    ) -> MulticlassSample:
        """Check the arrays.

        Parameters
        ----------
        scores : array_like, shape (n, k)
            Must be finite.
        class_index : array_like of int, shape (n,)
            From 0 to k - 1.
        weights : array_like, shape (n,), optional
            Event weights, negative ones allowed; 1 when left out.
        classes : sequence of str, length k
            At least two, all different.
        what : str
            What the scores are, for error messages.

        Raises
        ------
        DataError
            For a wrong shape or type, a value that is not finite, a class that does not exist, or one without events
            or whose weights do not sum to more than zero.
        """
        names = tuple(str(name) for name in classes)
        if len(names) < 2 or len(set(names)) < len(names):
            raise DataError(f"a multiclass sample has two or more classes of different names, not {list(names)}")
        table = _table(scores, names, "classes", what)
        index = np.asarray(class_index)
        if index.dtype.kind not in "iu" or index.shape != (len(table),):
            raise DataError(
                f"the class indices of the {what} must be {len(table)} integers, "
                f"but are of type {index.dtype} and shape {index.shape}"
            )
        outside = (index < 0) | (index >= len(names))
        if outside.any():
            entry = int(np.argmax(outside))
            raise DataError(
                f"entry {entry} of the {what} has class {index[entry]}, but the classes are 0 to {len(names) - 1}"
            )
        sample = cls(names, table, index.astype(np.intp), _weights(weights, len(table), what))
        for i in range(len(names)):
            require_positive_sum(sample.output(i, i), what=what)
        return sample

    def __len__(self) -> int:
        return len(self.weights)

    def __repr__(self) -> str:
        return f"MulticlassSample({len(self)} events of {', '.join(self.classes)})"

    def output(self, output: int, true: int) -> ClassSample:
        """Return the responses for class `output` to the events of class `true`."""
        chosen = self.class_index == true
        return ClassSample(self.classes[true], self.scores[chosen, output], self.weights[chosen])

    def versus_rest(self, signal: int) -> TwoClassSample:
        """Return the responses for a class, with that class as signal and all others together as background."""
        rest = self.class_index != signal
        return TwoClassSample(
            self.output(signal, signal),
            ClassSample(f"all but {self.classes[signal]}", self.scores[rest, signal], self.weights[rest]),
        )

    def versus(self, signal: int, background: int) -> TwoClassSample:
        """Return the responses for a class to the events of that class, the signal, and of one other."""
        return TwoClassSample(self.output(signal, signal), self.output(signal, background))


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RegressionSample:
    """Estimates of one target or more, with the true values.

    Attributes
    ----------
    names : tuple of str, length t
        The targets.
    estimates, targets : ndarray of float64, shape (n, t)
    weights : ndarray of float64, shape (n,)
    """

    names: tuple[str, ...]
    estimates: FloatArray
    targets: FloatArray
    weights: FloatArray

    @classmethod
    def from_arrays(
        cls,
        estimates: ArrayLike,
        targets: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        names: Sequence[str],
        what: str = "estimates",
    ) -> RegressionSample:
        """Check the arrays.

        Parameters
        ----------
        estimates, targets : array_like, shape (n, t), or (n,) for one target
            Must be finite.
        weights : array_like, shape (n,), optional
            Event weights, negative ones allowed; 1 when left out.
        names : sequence of str, length t
        what : str
            What the estimates are, for error messages.

        Raises
        ------
        DataError
            For shapes that do not match, a value that is not finite, no events, or weights that do not sum to more
            than zero.
        """
        labels = tuple(str(name) for name in names)
        if not labels:
            raise DataError("a regression has one target or more, but no names of targets were given")
        estimated = _table(estimates, labels, "targets", what)
        true = _table(targets, labels, "targets", f"targets of the {what}")
        if len(estimated) != len(true):
            raise DataError(f"there are {len(estimated)} {what}, but {len(true)} events with targets")
        sample = cls(labels, estimated, true, _weights(weights, len(true), what))
        require_positive_sum(ClassSample("regression", sample.weights, sample.weights), what=what)
        return sample

    def __len__(self) -> int:
        return len(self.weights)

    def __repr__(self) -> str:
        return f"RegressionSample({len(self)} events with {', '.join(self.names)})"

    def deviation(self, target: int) -> ClassSample:
        """Return estimate minus true value of a target."""
        difference = self.estimates[:, target] - self.targets[:, target]
        return ClassSample(self.names[target], difference, self.weights)


def _table(values: ArrayLike, names: tuple[str, ...], noun: str, what: str) -> FloatArray:
    """Return events by columns, all finite; one column may come without its axis."""
    table = np.asarray(values, dtype=np.float64)
    if table.ndim == 1 and len(names) == 1:
        table = table[:, np.newaxis]
    if table.ndim != 2 or table.shape[1] != len(names):
        raise DataError(
            f"the {what} have shape {table.shape}, but must be events by {len(names)} {noun} ({', '.join(names)})"
        )
    bad = ~np.isfinite(table)
    if bad.any():
        entry, column = (int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            f"entry {entry} of the {what} is {table[entry, column]} for {names[column]}: "
            f"{int(np.count_nonzero(bad.any(axis=1)))} of {len(table)} entries are not finite"
        )
    return table


def _weights(weights: ArrayLike | None, length: int, what: str) -> FloatArray:
    return as_values_and_weights(np.zeros(length), weights, what=what)[1]

"""What every figure of merit starts from: the values of one class, or of signal and background, with their weights.

Arrays are checked once, here; the rest of the package relies on it. Weights may be negative (event generators make
them so); what is required is that each class has a positive sum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mvakit.errors import DataError

__all__ = ["ClassSample", "FloatArray", "IndexArray", "TwoClassSample", "as_values_and_weights", "require_positive_sum"]

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class ClassSample:
    """Values of one class (responses or one variable) and the weights of its events.

    Attributes
    ----------
    name : str
        The class, as error messages are to name it.
    values, weights : ndarray of float64, shape (n,)
    """

    name: str
    values: FloatArray
    weights: FloatArray

    def __len__(self) -> int:
        return len(self.values)

    @property
    def sum_of_weights(self) -> float:
        """Sum of the weights."""
        return float(self.weights.sum())

    @property
    def effective_number(self) -> float:
        """Events of unit weight that would fluctuate as much: (sum w)^2 / sum w^2."""
        total = self.sum_of_weights
        return total * total / float((self.weights * self.weights).sum())

    @property
    def mean(self) -> float:
        """Weighted mean."""
        return float((self.weights * self.values).sum()) / self.sum_of_weights

    @property
    def rms(self) -> float:
        """Weighted root mean square deviation from the mean (divisor: the sum of weights).

        Negative weights can make the variance negative; its modulus is taken then.
        """
        deviation = self.values - self.mean
        return math.sqrt(abs(float((self.weights * deviation * deviation).sum()) / self.sum_of_weights))

    def __repr__(self) -> str:
        return f"ClassSample({self.name!r}, {len(self)} events, sum of weights {self.sum_of_weights:.6g})"


@dataclass(frozen=True, slots=True, eq=False)
class TwoClassSample:
    """Signal and background with weights."""

    signal: ClassSample
    background: ClassSample

    @classmethod
    def from_arrays(
        cls, scores: ArrayLike, is_signal: ArrayLike, weights: ArrayLike | None = None, *, what: str = "scores"
    ) -> TwoClassSample:
        """Check the arrays and split them into the two classes.

        Parameters
        ----------
        scores : array_like, shape (n,)
            The response of each event; must be finite.
        is_signal : array_like of bool, shape (n,)
            True for signal. A class index is compared first (``class_id == signal_index``): integers are refused,
            since TMVA's signal usually has index 0, which as a truth value is false.
        weights : array_like, shape (n,), optional
            Event weights, negative ones allowed; 1 when left out.
        what : str
            What the scores are, for error messages.

        Raises
        ------
        DataError
            For a wrong shape or type, a value that is not finite, an empty class, or a class whose weights do not
            sum to more than zero.
        """
        values, event_weights = as_values_and_weights(scores, weights, what=what)
        flags = np.asarray(is_signal)
        if flags.dtype != np.bool_:
            raise DataError(
                f"is_signal must be an array of booleans, not of {flags.dtype}: "
                "compare class indices with the index of the signal class first"
            )
        if flags.shape != values.shape:
            raise DataError(f"is_signal has shape {flags.shape}, but the {what} have shape {values.shape}")
        signal = ClassSample("signal", values[flags], event_weights[flags])
        background = ClassSample("background", values[~flags], event_weights[~flags])
        for sample in (signal, background):
            require_positive_sum(sample, what=what)
        return cls(signal, background)

    @property
    def orientation(self) -> int:
        """+1 when signal lies at larger values (cut: value above), -1 otherwise: TMVA's cut orientation."""
        return 1 if self.signal.mean > self.background.mean else -1


def as_values_and_weights(
    values: ArrayLike, weights: ArrayLike | None, *, what: str = "values"
) -> tuple[FloatArray, FloatArray]:
    """Return both as float64 arrays of one dimension and equal length, all finite, or raise `DataError`."""
    checked = np.asarray(values, dtype=np.float64)
    if checked.ndim != 1:
        raise DataError(f"the {what} must be one-dimensional, but have shape {checked.shape}")
    require_finite(checked, what)
    if weights is None:
        return checked, np.ones(len(checked))
    event_weights = np.asarray(weights, dtype=np.float64)
    if event_weights.shape != checked.shape:
        raise DataError(f"the weights have shape {event_weights.shape}, but the {what} have shape {checked.shape}")
    require_finite(event_weights, f"weights of the {what}")
    return checked, event_weights


def require_finite(array: FloatArray, what: str) -> None:
    """Raise `DataError` naming the first entry that is NaN or infinite."""
    finite = np.isfinite(array)
    if not finite.all():
        entry = int(np.argmin(finite))
        raise DataError(
            f"entry {entry} of the {what} is {array[entry]}: "
            f"{int(np.count_nonzero(~finite))} of {len(array)} entries are not finite"
        )


def require_positive_sum(sample: ClassSample, *, what: str) -> None:
    """Raise `DataError` naming the class when it has no events or its weights do not sum to more than zero."""
    if len(sample) == 0:
        raise DataError(f"there are no {sample.name} events among the {what}")
    if not sample.sum_of_weights > 0:
        raise DataError(
            f"the weights of the {len(sample)} {sample.name} events among the {what} sum to "
            f"{sample.sum_of_weights:.6g}; a positive sum is needed"
        )

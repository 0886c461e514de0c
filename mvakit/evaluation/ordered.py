"""Two classes in the order of their responses: what ROC curves and scans of cuts both start from, sorted once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mvakit.evaluation.samples import FloatArray, TwoClassSample

__all__ = ["OrderedClass", "OrderedSample", "in_order"]


@dataclass(frozen=True, slots=True, eq=False)
class OrderedClass:
    """Sums of the weights of one class, and of their squares, up to and with each distinct response.

    Attributes
    ----------
    up_to, squares_up_to : ndarray, shape (n,)
    """

    up_to: FloatArray
    squares_up_to: FloatArray

    @property
    def total(self) -> float:
        """Sum of the weights."""
        return float(self.up_to[-1])

    @property
    def effective_number(self) -> float:
        """Events of unit weight that would fluctuate as much: (sum w)^2 / sum w^2."""
        return self.total * self.total / float(self.squares_up_to[-1])

    def selected(self, side: int, *, squares: bool = False) -> FloatArray:
        """Return the sum that each distinct response selects as a cut, from above (1) or from below (-1)."""
        sums = self.squares_up_to if squares else self.up_to
        return sums if side < 0 else sums[-1] - np.concatenate([[0.0], sums[:-1]])


@dataclass(frozen=True, slots=True, eq=False)
class OrderedSample:
    """Signal and background by rising response.

    Attributes
    ----------
    values : ndarray, shape (n,)
        The distinct responses of both classes.
    signal, background : OrderedClass
    """

    values: FloatArray
    signal: OrderedClass
    background: OrderedClass


def in_order(sample: TwoClassSample) -> OrderedSample:
    """Sort a sample; events of equal response become one step."""
    values = np.concatenate([sample.signal.values, sample.background.values])
    order = np.argsort(values)
    values = values[order]
    weights = np.concatenate([sample.signal.weights, sample.background.weights])[order]
    from_signal = order < len(sample.signal)
    del order
    last = np.append(values[1:] != values[:-1], True)
    distinct = bool(last.all())

    def summed(chosen: FloatArray) -> FloatArray:
        sums = np.cumsum(chosen)
        return sums if distinct else sums[last]

    parts = []
    for belongs in (from_signal, ~from_signal):
        own = weights * belongs
        up_to = summed(own)
        own *= own
        parts.append(OrderedClass(up_to, summed(own)))
    return OrderedSample(values if distinct else values[last], parts[0], parts[1])

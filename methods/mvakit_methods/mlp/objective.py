r"""What a training of an MLP makes small, for whole samples: the error, its gradient, the estimator that is shown.

With the outputs :math:`o_k` of an event, what is desired :math:`d_k`, and the weight `w` of the event, an estimator

- ``MSE`` is :math:`w \sum_k (o_k - d_k)^2`, with linear outputs,
- ``CE`` is :math:`-2 w (d \ln o + (1 - d) \ln(1 - o))`, with a sigmoid.

The error is half of it; with both, its derivative by the input of an output neuron is :math:`w (o_k - d_k)`. Events are
taken in blocks of one size, whose sums are added in order, so that no thread of a library changes a result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.columnstore import Space, gather
from mvakit.dataset import row_bytes
from mvakit_methods._network import rows_per_block, sigmoid
from mvakit_methods.mlp.network import COMBINATIONS, NEURONS

__all__ = ["Events", "Objective"]

FloatArray = npt.NDArray[np.float64]

_SLOPES: Final[dict[str, Callable[[FloatArray, FloatArray], FloatArray | float]]] = {
    "linear": lambda x, y: 1.0,  # noqa: ARG005
    "sigmoid": lambda x, y: y * (1.0 - y),  # noqa: ARG005
    "radial": lambda x, y: -x * y,
    "ReLU": lambda x, y: np.greater(x, 0.0),  # noqa: ARG005
    **dict.fromkeys(("tanh", "fast_tanh", "open_fast_tanh"), lambda x, y: 1.0 - y * y),  # noqa: ARG005
}
# The derivatives of `COMBINATIONS`.
_PREPARED_SLOPES: Final[dict[str, Callable[[FloatArray], FloatArray]]] = {
    "sum": np.ones_like,
    "sqsum": lambda x: 2.0 * x,
    "abssum": np.sign,
}


@dataclass(frozen=True, slots=True, eq=False)
class Events:
    """Events to train on or to look at; they may lie in mapped files.

    Attributes
    ----------
    X : ndarray of float, shape (n_events, n_variables)
    desired : ndarray of float, shape (n_events, n_outputs)
    weight : ndarray of float64, shape (n_events,)
    space : Space or None
        Where events go that are picked from these, if they are larger than memory.
    """

    X: npt.NDArray[Any]
    desired: npt.NDArray[Any]
    weight: FloatArray
    space: Space | None = None

    def __len__(self) -> int:
        return len(self.weight)

    def select(self, which: npt.NDArray[np.intp]) -> Events:
        """Return some of the events."""
        if self.space is None:
            return Events(self.X[which], self.desired[which], self.weight[which])
        columns = [self.X, self.desired, self.weight]
        made = [self.space.empty((len(which), *column.shape[1:]), column.dtype) for column in columns]
        gather([columns], which, made, self.space.bucket(row_bytes(columns)))
        X, desired, weight = map(np.asarray, made)
        return Events(X, desired, weight, self.space)


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """The function of the weights that is made small.

    Attributes
    ----------
    layout : tuple of int
        Neurons of each layer, without biases.
    neuron, combination : str
        As for `Perceptron`.
    estimator : str
        ``MSE`` or ``CE``.
    """

    layout: tuple[int, ...]
    neuron: str
    combination: str
    estimator: str

    @property
    def n_weights(self) -> int:
        """The number of synapses."""
        return sum((a + 1) * b for a, b in zip(self.layout, self.layout[1:], strict=False))

    def tables(self, weights: FloatArray) -> list[FloatArray]:
        """Return the weights as a table from each layer to the next, shape (n_from + 1, n_to)."""
        tables, first = [], 0
        for n_from, n_to in zip(self.layout, self.layout[1:], strict=False):
            tables.append(weights[first : first + (n_from + 1) * n_to].reshape(n_from + 1, n_to))
            first += (n_from + 1) * n_to
        return tables

    def error(self, events: Events, weights: FloatArray) -> float:
        """Return the error, a sum over the events."""
        return 0.5 * float(self._losses(events, weights).sum())

    def mean_estimator(self, events: Events, weights: FloatArray, share: float = 1.0) -> float:
        """Return the estimator per unit of weight, of the `share` of the events with the smallest values of it."""
        losses, weight = self._losses(events, weights), events.weight
        total = float(weight.sum())
        if not total:
            return 0.0
        if share < 1.0:
            with np.errstate(divide="ignore", invalid="ignore"):
                order = np.argsort(losses / weight, kind="stable")
            kept = order[np.cumsum(weight[order]) <= share * total]
            return float(losses[kept].sum() / (share * total))
        return float(losses.sum() / total)

    def _losses(self, events: Events, weights: FloatArray) -> FloatArray:
        """Return the estimator of each event, its weight included."""
        tables = self.tables(weights)
        return np.concatenate(
            [self._loss(self._forward(block.X, tables)[0][-1], block) for block in self._blocks(events)]
        )

    def _loss(self, z: FloatArray, events: Events) -> FloatArray:
        if self.estimator == "MSE":
            return np.asarray(events.weight * np.square(z - events.desired).sum(axis=1))
        return 2.0 * events.weight * (np.logaddexp(0.0, z[:, 0]) - events.desired[:, 0] * z[:, 0])

    def outputs(self, z: FloatArray) -> FloatArray:
        """Return the outputs for the inputs of the output neurons."""
        return sigmoid(z) if self.estimator == "CE" else z

    def responses(self, events: Events, weights: FloatArray) -> FloatArray:
        """Return the outputs for events, shape (n_events, n_outputs)."""
        tables = self.tables(weights)
        return np.concatenate([self.outputs(self._forward(block.X, tables)[0][-1]) for block in self._blocks(events)])

    def gradient(self, events: Events, weights: FloatArray) -> FloatArray:
        """Return the derivative of the error by each weight, a sum over the events."""
        tables = self.tables(weights)
        total = np.zeros_like(weights)
        for block in self._blocks(events):
            inputs, values = self._forward(block.X, tables)
            delta = (self.outputs(inputs[-1]) - block.desired) * block.weight[:, np.newaxis]
            parts = []
            for value, error in self._backward(delta, inputs, values, tables):
                parts.append(np.vstack([value.T @ error, error.sum(axis=0)]))
            total += self._by_weight(parts, tables)
        return total

    def normal_matrix(self, events: Events, weights: FloatArray) -> FloatArray:
        """Return the sum over events of the products of derivatives of the inputs of output neurons by two weights.

        It approximates the second derivatives of the error: for a sigmoid each event counts ``o (1 - o)``.
        """
        tables = self.tables(weights)
        total = np.zeros((weights.size, weights.size))
        for block in self._blocks(events, weights.size):
            inputs, values = self._forward(block.X, tables)
            outputs = self.outputs(inputs[-1])
            for output in range(self.layout[-1]):
                delta = np.zeros_like(outputs)
                delta[:, output] = 1.0
                parts = []
                for value, error in self._backward(delta, inputs, values, tables):
                    with_bias = np.hstack([value, np.ones((len(value), 1))])
                    parts.append(with_bias[:, :, np.newaxis] * error[:, np.newaxis, :])
                slopes = self._by_weight(parts, tables)
                factor = 1.0 if self.estimator == "MSE" else outputs[:, output] * (1.0 - outputs[:, output])
                total += (slopes.T * factor) @ slopes
        return total

    # ------------------------------------------------------------------------------------------ the passes

    def _blocks(self, events: Events, values_of_an_event: int = 1) -> Iterator[Events]:
        largest = max((a + 1) * b for a, b in zip(self.layout, self.layout[1:], strict=False))
        rows = rows_per_block(max(*self.layout, values_of_an_event), max(largest, values_of_an_event**2))
        for first in range(0, max(len(events), 1), rows):
            part = slice(first, first + rows)
            # Inputs are single precision; everything is computed in double.
            X, desired = (a[part].astype(np.float64, copy=False) for a in (events.X, events.desired))
            yield Events(X, desired, events.weight[part])

    def _forward(self, x: FloatArray, tables: list[FloatArray]) -> tuple[list[FloatArray], list[FloatArray]]:
        """Return the inputs of all neurons, layer by layer, and the values of all but those of the output layer."""
        prepare, activate = COMBINATIONS[self.combination], NEURONS[self.neuron]
        inputs, values = [x], [x]
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for table in tables:
                ready = prepare(table)
                z = prepare(values[-1]) @ ready[:-1]
                z += ready[-1]
                inputs.append(z)
                if len(inputs) <= len(tables):
                    values.append(activate(z))
        return inputs, values

    def _backward(
        self, delta: FloatArray, inputs: list[FloatArray], values: list[FloatArray], tables: list[FloatArray]
    ) -> Iterator[tuple[FloatArray, FloatArray]]:
        """Yield, from the last table to the first, the prepared values before it and the derivatives behind it."""
        prepare, slope = COMBINATIONS[self.combination], _PREPARED_SLOPES[self.combination]
        for index in range(len(tables) - 1, -1, -1):
            yield prepare(values[index]), delta
            if index:
                delta = delta @ prepare(tables[index][:-1]).T
                if self.combination != "sum":
                    delta = delta * slope(values[index])
                delta = delta * _SLOPES[self.neuron](inputs[index], values[index])

    def _by_weight(self, parts: list[FloatArray], tables: list[FloatArray]) -> FloatArray:
        """Return derivatives by the weights, from those by the prepared weights, which came last table first."""
        slope = _PREPARED_SLOPES[self.combination]
        found = [part * slope(table) for part, table in zip(reversed(parts), tables, strict=True)]
        if found[0].ndim == 2:
            return np.concatenate([part.ravel() for part in found])
        return np.concatenate([part.reshape(len(part), -1) for part in found], axis=1)

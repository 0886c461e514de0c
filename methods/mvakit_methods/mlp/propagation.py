"""Back-propagation event by event, compiled: the weights change while an epoch runs, so that no event waits for others.

The weights lie in one array, table after table, each of shape (n_from + 1, n_to) row by row with the bias last: TMVA's
order of synapses. Sums run over the neurons in their order, the bias last, as in TMVA, and nothing depends on threads.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods._compiled import kernel

__all__ = ["CODES", "COMBINATION_CODES", "propagate_epoch", "shuffle"]

Array = npt.NDArray[Any]

CODES: Final = {
    name: code
    for code, name in enumerate(("linear", "sigmoid", "tanh", "radial", "ReLU", "fast_tanh", "open_fast_tanh"))
}
COMBINATION_CODES: Final = {"sum": 0, "sqsum": 1, "abssum": 2}


@kernel
def shuffle(uniform: Array, order: Array) -> None:
    """Put the events of an epoch into TMVA's order: each changes places with another one, the last one never asked for."""
    last = order.size - 1
    for i in range(order.size):
        j = int(uniform[i] * last)
        order[i], order[j] = order[j], order[i]


@kernel
def _open_fast_tanh(x: float) -> float:
    square = np.float32(x * x)
    numerator = np.float32(135135) + square * (np.float32(17325) + square * (np.float32(378) + square))
    denominator = np.float32(135135) + square * (
        np.float32(62370) + square * (np.float32(3150) + square * np.float32(28))
    )
    return float(np.float32(x * numerator) / denominator)


@kernel
def _activate(code: int, x: float) -> float:
    if code == 0:
        return x
    if code == 1:
        return 1.0 / (1.0 + math.exp(-x))
    if code == 2:
        return math.tanh(x)
    if code == 3:
        return math.exp(-0.5 * x * x)
    if code == 4:
        return max(x, 0.0)
    if code == 5 and abs(x) > 4.97:
        return math.copysign(1.0, x)
    return _open_fast_tanh(x)


@kernel
def _slope(code: int, x: float, value: float) -> float:
    """Return the derivative at `x`, where the function has that value."""
    if code == 0:
        return 1.0
    if code == 1:
        return value * (1.0 - value)
    if code == 3:
        return -x * value
    if code == 4:
        return 1.0 if x > 0.0 else 0.0
    return 1.0 - value * value


@kernel
def _input(combination: int, weight: float, value: float) -> float:
    """Return what a neuron adds for one synapse."""
    product = weight * value
    if combination == 0:
        return product
    return product * product if combination == 1 else abs(product)


@kernel
def _by_weight(combination: int, weight: float, value: float) -> float:
    """Return the derivative of `_input` by the weight."""
    if combination == 0:
        return value
    if combination == 1:
        return 2.0 * weight * value * value
    return math.copysign(1.0, weight) * abs(value)


@kernel
def propagate_epoch(
    X: Array,
    desired: Array,
    event_weight: Array,
    order: Array,
    weights: Array,
    layout: Array,
    hidden: int,
    output: int,
    combination: int,
    rate: float,
    batch: int,
    gradient: Array,
    count: int,
) -> int:
    """Show each event of an epoch to the network, and change `weights` after each event or batch.

    Parameters
    ----------
    X, desired, event_weight : ndarray of float64
        Inputs (n, n_variables), desired outputs (n, n_outputs) and weights (n,) of the events.
    order : ndarray of int
        The events to show.
    weights : ndarray, shape (n_weights,)
    layout : ndarray of int
        Neurons of each layer, without biases.
    hidden, output, combination : int
        `CODES` and `COMBINATION_CODES`.
    rate : float
    batch : int
        0: weights change after each event; else after so many events, by the mean of what each would change.
    gradient, count : ndarray, int
        What a batch that an epoch left unfinished has collected.

    Returns
    -------
    int
        The events in an unfinished batch.
    """
    n_tables = layout.size - 1
    widest = layout.max()
    values = np.zeros((layout.size, widest + 1))
    inputs = np.zeros((layout.size, widest))
    delta = np.zeros(widest)
    below = np.zeros(widest)
    ends = np.zeros(n_tables + 1, np.int64)
    for t in range(n_tables):
        ends[t + 1] = ends[t] + (layout[t] + 1) * layout[t + 1]
        values[t, layout[t]] = 1.0
    for position in range(order.size):
        event = order[position]
        for i in range(layout[0]):
            values[0, i] = X[event, i]
        for t in range(n_tables):
            n_from, n_to = layout[t], layout[t + 1]
            z = inputs[t + 1]
            for j in range(n_to):
                z[j] = 0.0
            for i in range(n_from + 1):
                value, first = values[t, i], ends[t] + i * n_to
                if combination == 0:
                    for j in range(n_to):
                        z[j] += weights[first + j] * value
                else:
                    for j in range(n_to):
                        z[j] += _input(combination, weights[first + j], value)
            code = output if t == n_tables - 1 else hidden
            for j in range(n_to):
                values[t + 1, j] = _activate(code, z[j])
        n_outputs = layout[n_tables]
        # Of squares with linear outputs, and of a cross entropy with a sigmoid, this is the derivative.
        for j in range(n_outputs):
            delta[j] = (values[n_tables, j] - desired[event, j]) * event_weight[event]
        for t in range(n_tables - 1, -1, -1):
            n_from, n_to = layout[t], layout[t + 1]
            for i in range(n_from + 1):
                value, first = values[t, i], ends[t] + i * n_to
                if t > 0 and i < n_from:
                    error = 0.0
                    for j in range(n_to):
                        # An input's derivative is that of the weight, with the two in each other's place.
                        error += _by_weight(combination, value, weights[first + j]) * delta[j]
                    below[i] = error * _slope(hidden, inputs[t, i], value)
                if batch:
                    for j in range(n_to):
                        gradient[first + j] += delta[j] * _by_weight(combination, weights[first + j], value)
                elif combination == 0:
                    for j in range(n_to):
                        weights[first + j] -= rate * (delta[j] * value)
                else:
                    for j in range(n_to):
                        weights[first + j] -= rate * (delta[j] * _by_weight(combination, weights[first + j], value))
            delta, below = below, delta
        if batch:
            count += 1
            if (position + 1) % batch == 0:
                for k in range(weights.size):
                    weights[k] -= rate * (gradient[k] / count)
                    gradient[k] = 0.0
                count = 0
    return count

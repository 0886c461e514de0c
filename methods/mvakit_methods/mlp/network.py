r"""The perceptron of an MLP: layers of neurons, each of which sees all neurons of the layer before it and a bias of 1.

With the values :math:`x_i` of a layer, the bias included, and the weights :math:`w_{ij}`, neuron `j` of the next one gets

- ``sum``: :math:`\sum_i w_{ij} x_i`,
- ``sqsum``: :math:`\sum_i (w_{ij} x_i)^2`,
- ``abssum``: :math:`\sum_i |w_{ij} x_i|`,

and answers with the function of its type. TMVA's Reader takes the weights in single precision and sums in double; so
does this.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from mvakit.method import Curve
from mvakit_methods._network import apply_in_blocks, fast_tanh, open_fast_tanh, rows_per_block, sigmoid

__all__ = ["COMBINATIONS", "NEURONS", "Perceptron"]

FloatArray = npt.NDArray[np.float64]

# The two fast ones are no types of TMVA: they are how some of its releases compute tanh.
NEURONS: Final[dict[str, Callable[[FloatArray], FloatArray]]] = {
    "linear": lambda x: x,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "fast_tanh": fast_tanh,
    "open_fast_tanh": open_fast_tanh,
    "radial": lambda x: np.exp(-0.5 * x * x),
    "ReLU": lambda x: np.maximum(x, 0.0),
}
# What becomes of values and weights before they are multiplied.
COMBINATIONS: Final[dict[str, Callable[[FloatArray], FloatArray]]] = {
    "sum": lambda x: x,
    "sqsum": np.square,
    "abssum": np.abs,
}


@dataclass(frozen=True, slots=True, eq=False)
class Perceptron:
    """A trained MLP.

    Attributes
    ----------
    weights : tuple of ndarray of float64
        From each layer to the next, of shape (n_from + 1, n_to); the last row belongs to the bias. As a file has them.
    neuron : str
        The function of the hidden neurons, a key of `NEURONS`.
    output : str
        That of the output neurons: ``linear``, or ``sigmoid`` for an estimator CE.
    combination : str
        A key of `COMBINATIONS`.
    inverse_hessian : ndarray, shape (n_weights, n_weights), or None
        What ``CalculateErrors`` left for the errors of a response; kept, and not used for the response.
    multiclass : bool
        Whether the response is the softmax of the outputs.
    curves : tuple of Curve
        What the training recorded; a file does not keep it.
    """

    weights: tuple[FloatArray, ...]
    neuron: str = "tanh"
    output: str = "linear"
    combination: str = "sum"
    inverse_hessian: FloatArray | None = None
    multiclass: bool = False
    curves: tuple[Curve, ...] = ()
    _steps: tuple[tuple[FloatArray, FloatArray], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        prepare = COMBINATIONS[self.combination]
        rounded = [prepare(w.astype(np.float32).astype(np.float64)) for w in self.weights]
        object.__setattr__(self, "_steps", tuple((np.ascontiguousarray(w[:-1]), w[-1]) for w in rounded))

    @property
    def layout(self) -> tuple[int, ...]:
        """The numbers of neurons of each layer, without biases."""
        return (*(len(w) - 1 for w in self.weights), self.weights[-1].shape[1])

    def __call__(self, X: npt.NDArray[np.float32]) -> FloatArray:
        """Return the values of the output neurons, shape (n_events, n_outputs)."""
        rows = rows_per_block(max(self.layout), max(w.size for w in self.weights))
        return apply_in_blocks(X, rows, self.layout[-1], self._forward)

    def _forward(self, x: FloatArray) -> FloatArray:
        prepare, hidden = COMBINATIONS[self.combination], NEURONS[self.neuron]
        last = len(self._steps) - 1
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for index, (weights, bias) in enumerate(self._steps):
                x = prepare(x) @ weights
                x += bias
                x = NEURONS[self.output](x) if index == last else hidden(x)
        return x

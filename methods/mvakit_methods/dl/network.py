"""The state of a DL or DNN: layers one behind the other, and what becomes of the values of the last one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from mvakit.method import Curve, DenseLayer, DenseNetwork
from mvakit_methods._network import apply_in_blocks, rows_per_block, sigmoid, softmax
from mvakit_methods.dl.layers import ACTIVATIONS, BatchNorm, Conv, Dense, MaxPool, Reshape
from mvakit_methods.dl.recurrent import Recurrent

__all__ = ["OUTPUTS", "DeepNetwork", "Layer"]

FloatArray = npt.NDArray[np.float64]
Layer = Dense | Conv | MaxPool | Reshape | BatchNorm | Recurrent

OUTPUTS: Final = {"I": "linear", "S": "sigmoid", "M": "softmax"}
_APPLIED: Final[dict[str, Callable[[FloatArray], FloatArray]]] = {"I": lambda x: x, "S": sigmoid, "M": softmax}
# TMVA's functions that Keras has too, and those that viewers and exporters know by other names or not at all.
_NAMES: Final = tuple(name for name, _ in ACTIVATIONS)


@dataclass(frozen=True, slots=True, eq=False)
class DeepNetwork:
    """A trained network.

    Attributes
    ----------
    layers : tuple of Layer
    output : str
        What is applied to the last layer: a key of `OUTPUTS`.
    n_outputs : int
    header : tuple of (str, str)
        The attributes of ``<Weights>`` as a file has them.
    curves : tuple of Curve
        What the training recorded; a file does not keep it.
    """

    layers: tuple[Layer, ...]
    output: str
    n_outputs: int
    header: tuple[tuple[str, str], ...]
    curves: tuple[Curve, ...] = ()

    def __call__(self, X: npt.NDArray[np.float32]) -> FloatArray:
        """Return the outputs, shape (n_events, n_outputs)."""
        largest = max((layer.weights.size for layer in self.layers if isinstance(layer, Dense)), default=1)
        rows = rows_per_block(max(layer.work for layer in self.layers), largest)
        return apply_in_blocks(X, rows, self.n_outputs, self._forward)

    def _forward(self, x: FloatArray) -> FloatArray:
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for layer in self.layers:
                x = layer(x)
            return _APPLIED[self.output](x)

    def structure(self) -> DenseNetwork | None:
        """Return the network as a chain of dense layers, or None where it has others."""
        chain: list[DenseLayer] = []
        for layer in self.layers:
            if isinstance(layer, Reshape):
                continue
            if not isinstance(layer, Dense):
                return None
            chain.append(
                DenseLayer(
                    layer.weights.T.astype(np.float32), layer.biases.astype(np.float32), _NAMES[layer.activation]
                )
            )
        if self.output != "I":
            last = chain[-1]
            if last.activation == "linear":
                chain[-1] = DenseLayer(last.weights, last.bias, OUTPUTS[self.output])
            else:
                unit = np.eye(self.n_outputs, dtype=np.float32)
                chain.append(DenseLayer(unit, np.zeros(self.n_outputs, np.float32), OUTPUTS[self.output]))
        return DenseNetwork(tuple(chain))

"""A chain of dense layers applied by NumPy, and its form in a weight file.

Weights are single precision, as Keras trains them; sums are double precision, so that a response does not depend on how
many events are applied at once beyond the last of its sixteen digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError, did_you_mean
from mvakit.method import DenseLayer, DenseNetwork
from mvakit.weightfile import attribute, child, int_attribute, text_numbers

__all__ = ["ACTIVATIONS", "Forward", "activation_function", "read_network", "write_network"]

FloatArray = npt.NDArray[np.float64]
Activation = Callable[[FloatArray], FloatArray]

_MAX_WIDTH: Final = 1_000_000
_MAX_LAYERS: Final = 10_000
# Multiplications up to which OpenBLAS stays in one thread. Blocks below it are twice as fast on an idle machine, and many
# times on a busy one, where threads wait for each other at every layer.
_ONE_THREAD: Final = 1 << 19
_LARGE_BLOCK: Final = 512
_SELU_ALPHA: Final = 1.6732632423543772
_SELU_SCALE: Final = 1.0507009873554805


def _softmax(x: FloatArray) -> FloatArray:
    x = x - x.max(axis=1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=1, keepdims=True)
    return x


def _sigmoid(x: FloatArray) -> FloatArray:
    # For large negative x the exponential overflows to infinity and the quotient is 0, as it should be.
    return 1.0 / (1.0 + np.exp(-x))


def _softplus(x: FloatArray) -> FloatArray:
    return np.logaddexp(x, 0.0)


def _gelu(x: FloatArray) -> FloatArray:
    from scipy.special import erf

    return np.asarray(0.5 * x * (1.0 + erf(x / np.sqrt(2.0))))


def _elu(x: FloatArray, alpha: float = 1.0) -> FloatArray:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def _leaky_relu(x: FloatArray, slope: float = 0.2) -> FloatArray:
    return np.where(x > 0, x, slope * x)


# By Keras' names; the formulae are those of keras.activations.
ACTIVATIONS: Final[dict[str, Activation]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0.0),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "softmax": _softmax,
    "softplus": _softplus,
    "softsign": lambda x: x / (1.0 + np.abs(x)),
    "elu": _elu,
    "selu": lambda x: _SELU_SCALE * _elu(x, _SELU_ALPHA),
    "gelu": _gelu,
    "silu": lambda x: x * _sigmoid(x),
    "exponential": np.exp,
    "hard_sigmoid": lambda x: np.clip(x / 6.0 + 0.5, 0.0, 1.0),
    "hard_silu": lambda x: x * np.clip(x / 6.0 + 0.5, 0.0, 1.0),
    "relu6": lambda x: np.clip(x, 0.0, 6.0),
    "leaky_relu": _leaky_relu,
    "mish": lambda x: x * np.tanh(_softplus(x)),
}
_WITH_PARAMETER: Final[dict[str, Callable[[FloatArray, float], FloatArray]]] = {"elu": _elu, "leaky_relu": _leaky_relu}
_CALL: Final = re.compile(r"(?P<name>\w+)\((?P<parameter>[^()]*)\)")


def activation_function(name: str) -> Activation:
    """Return the function of an activation: a name of `ACTIVATIONS`, or ``elu(alpha)``, ``leaky_relu(slope)``.

    Raises
    ------
    WeightFileError
        If there is no such activation.
    """
    if name in ACTIVATIONS:
        return ACTIVATIONS[name]
    match = _CALL.fullmatch(name)
    if match is not None and match["name"] in _WITH_PARAMETER:
        try:
            parameter = float(match["parameter"])
        except ValueError:
            parameter = np.nan
        if np.isfinite(parameter):
            function = _WITH_PARAMETER[match["name"]]
            return lambda x: function(x, parameter)
    raise WeightFileError(f"there is no activation {name!r}; {did_you_mean(name, ACTIVATIONS, noun='the activations')}")


class Forward:
    """A dense network ready to be applied; immutable and thread-safe.

    Parameters
    ----------
    network : DenseNetwork
        Layers that fit one behind the other.
    """

    def __init__(self, network: DenseNetwork) -> None:
        self.network = network
        self._steps = [
            (layer.weights.astype(np.float64), layer.bias.astype(np.float64), activation_function(layer.activation))
            for layer in network.layers
        ]
        rows = min(_ONE_THREAD // max(layer.weights.size for layer in network.layers), 8192)
        self._rows = rows if rows >= 32 else _LARGE_BLOCK

    def __reduce__(self) -> tuple[type[Forward], tuple[DenseNetwork]]:
        return Forward, (self.network,)

    @property
    def n_outputs(self) -> int:
        """The number of outputs."""
        return int(self.network.layers[-1].weights.shape[1])

    def __call__(self, X: npt.NDArray[np.float32]) -> FloatArray:
        """Return the outputs, shape (n_events, n_outputs)."""
        if len(X) <= self._rows:
            return self._block(X)
        out = np.empty((len(X), self.n_outputs))
        for start in range(0, len(X), self._rows):
            out[start : start + self._rows] = self._block(X[start : start + self._rows])
        return out

    def _block(self, X: npt.NDArray[np.float32]) -> FloatArray:
        x = X.astype(np.float64)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for weights, bias, activation in self._steps:
                x = x @ weights
                x += bias
                x = activation(x)
        return x


# ------------------------------------------------------------------------------------------- weight file


def _text(values: npt.NDArray[np.float32]) -> str:
    # Nine significant digits give the same float32 back.
    return " ".join(f"{value:.8e}" for value in values.ravel().tolist())


def write_network(network: DenseNetwork, parent: ET.Element) -> None:
    """Write ``<Dense NLayers=>`` with a ``<Layer NIn= NOut= Activation=>`` for each layer, kernels row by row."""
    element = ET.SubElement(parent, "Dense", NLayers=str(len(network.layers)))
    for index, layer in enumerate(network.layers):
        n_in, n_out = layer.weights.shape
        item = ET.SubElement(
            element, "Layer", Index=str(index), NIn=str(n_in), NOut=str(n_out), Activation=layer.activation
        )
        ET.SubElement(item, "Kernel").text = _text(layer.weights)
        ET.SubElement(item, "Bias").text = _text(layer.bias)


def read_network(element: ET.Element, n_inputs: int) -> DenseNetwork:
    """Read what `write_network` wrote.

    Raises
    ------
    WeightFileError
        If layers are missing, do not fit together or to the inputs, or hold anything but finite numbers.
    """
    layers: list[DenseLayer] = []
    items = element.findall("Layer")
    if len(items) != int_attribute(element, "NLayers", 1, _MAX_LAYERS):
        raise WeightFileError(f"<Dense NLayers={element.get('NLayers')!r}> holds {len(items)} <Layer>")
    width = n_inputs
    for item in items:
        n_in, n_out = int_attribute(item, "NIn", 1, _MAX_WIDTH), int_attribute(item, "NOut", 1, _MAX_WIDTH)
        if n_in != width:
            raise WeightFileError(f"<Layer NIn={n_in}> follows {width} values; it should take as many")
        kernel = text_numbers(child(item, "Kernel"), n_in * n_out)
        bias = text_numbers(child(item, "Bias"), n_out)
        name = attribute(item, "Activation")
        activation_function(name)
        with np.errstate(over="ignore"):
            layer = DenseLayer(kernel.astype(np.float32).reshape(n_in, n_out), bias.astype(np.float32), name)
        if not (np.isfinite(layer.weights).all() and np.isfinite(layer.bias).all()):
            raise WeightFileError("<Layer> holds numbers that are not finite")
        layers.append(layer)
        width = n_out
    return DenseNetwork(tuple(layers))

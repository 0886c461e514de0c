"""From a Keras model to a chain of dense layers, where it is one.

What is the identity at inference (dropout, noise) is dropped; what scales and shifts each feature (batch normalisation,
`Normalization`, `Rescaling`) is folded into its neighbour. The result is compared with the model before it is used.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.method import DenseLayer, DenseNetwork
from mvakit_methods._keras_session import numbers_of, quiet
from mvakit_methods.keras.network import ACTIVATIONS, Forward

__all__ = ["dense_network"]

FloatArray = npt.NDArray[np.float64]

_IDENTITIES: Final = frozenset(
    {
        "InputLayer", "Dropout", "GaussianDropout", "GaussianNoise", "AlphaDropout", "ActivityRegularization",
        "Flatten", "Identity",
    }
)  # fmt: skip
_TOLERANCE: Final = 1e-5


class _NotDenseError(Exception):
    """The model is something else than a chain of dense layers."""


class _Chain:
    """Collects layers, holding back a scale and a shift until they can be folded into a neighbour."""

    def __init__(self, width: int) -> None:
        self.layers: list[tuple[FloatArray, FloatArray, str]] = []
        self.width = width
        self.scale: FloatArray | None = None
        self.shift = np.zeros(width)

    def dense(self, kernel: FloatArray, bias: FloatArray, activation: str) -> None:
        if self.scale is not None:
            bias = bias + self.shift @ kernel
            kernel = self.scale[:, np.newaxis] * kernel
            self.scale = None
        self.layers.append((kernel, bias, activation))
        self.width = kernel.shape[1]

    def affine(self, scale: FloatArray, shift: FloatArray) -> None:
        scale, shift = np.broadcast_to(scale, self.width), np.broadcast_to(shift, self.width)
        if self.layers and self.layers[-1][2] == "linear" and self.scale is None:
            kernel, bias, _ = self.layers[-1]
            self.layers[-1] = (kernel * scale, bias * scale + shift, "linear")
        elif self.scale is None:
            self.scale, self.shift = scale, shift
        else:
            self.scale, self.shift = self.scale * scale, self.shift * scale + shift

    def activation(self, name: str) -> None:
        if name == "linear":
            return
        if self.layers and self.layers[-1][2] == "linear" and self.scale is None:
            kernel, bias, _ = self.layers[-1]
            self.layers[-1] = (kernel, bias, name)
        else:
            self.dense(np.eye(self.width), np.zeros(self.width), name)

    def finish(self) -> DenseNetwork:
        if self.scale is not None or not self.layers:
            self.dense(np.eye(self.width), np.zeros(self.width), "linear")
        return DenseNetwork(
            tuple(
                DenseLayer(kernel.astype(np.float32), bias.astype(np.float32), activation)
                for kernel, bias, activation in self.layers
            )
        )


def dense_network(model: Any, n_inputs: int) -> DenseNetwork | None:
    """Return a Keras model as a chain of dense layers, or None where it is none.

    Parameters
    ----------
    model : keras.Model
        Taking a matrix with `n_inputs` columns.
    n_inputs : int
    """
    chain = _Chain(n_inputs)
    # Three ranges, so that every branch of the activations is seen.
    inputs = np.random.default_rng(0).normal(size=(96, n_inputs)).astype(np.float32)
    inputs[32:64] *= 10
    inputs[64:] *= 0.1
    with quiet():
        try:
            for layer in _in_a_row(model):
                _add(chain, layer)
        except _NotDenseError:
            return None
        expected = numbers_of(model(inputs, training=False)).astype(np.float32)
    network = chain.finish()
    with np.errstate(over="ignore"):  # what the model takes for infinite
        found = Forward(network)(inputs).astype(np.float32)
    return network if found.shape == expected.shape and _agree(found, expected) else None


def _agree(found: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> bool:
    """Whether outputs are the same but for the rounding of sums in single precision, for each range of the inputs."""
    for rows in (slice(0, 32), slice(32, 64), slice(64, 96)):
        finite = np.abs(expected[rows][np.isfinite(expected[rows])])
        scale = float(finite.max(initial=1.0))
        if not np.allclose(found[rows], expected[rows], rtol=_TOLERANCE, atol=_TOLERANCE * scale):
            return False
    return True


def _in_a_row(model: Any) -> list[Any]:
    """Return the layers of a model whose layers follow one another."""
    import keras

    layers: list[Any] = []
    if isinstance(model, keras.Sequential):
        for layer in model.layers:
            layers.extend(_in_a_row(layer) if isinstance(layer, keras.Model) else [layer])
        return layers
    tensor = model.inputs[0]
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            raise _NotDenseError
        if isinstance(layer, keras.layers.InputLayer):
            continue
        # A layer that is used twice answers for its first use, and the chain breaks at its second.
        if layer.input is not tensor:
            raise _NotDenseError
        tensor = layer.output
        layers.append(layer)
    if tensor is not model.outputs[0]:
        raise _NotDenseError
    return layers


def _add(chain: _Chain, layer: Any) -> None:
    import keras

    kind = type(layer).__name__
    if not type(layer).__module__.startswith("keras."):
        raise _NotDenseError
    if kind == "Dense":
        bias = numbers_of(layer.bias) if layer.use_bias else np.zeros(layer.units)
        chain.dense(numbers_of(layer.kernel), bias, "linear")
        chain.activation(_name(layer.activation))
    elif kind == "Activation":
        chain.activation(_name(layer.activation))
    elif kind == "Softmax" and layer.axis in {-1, 1}:
        chain.activation("softmax")
    elif kind == "ReLU" and layer.max_value is None and not layer.threshold:
        chain.activation(f"leaky_relu({float(layer.negative_slope)!r})" if layer.negative_slope else "relu")
    elif kind == "LeakyReLU":
        chain.activation(f"leaky_relu({float(layer.negative_slope)!r})")
    elif kind == "ELU":
        chain.activation(f"elu({float(layer.alpha)!r})")
    elif kind == "BatchNormalization":
        scale = 1.0 / np.sqrt(numbers_of(layer.moving_variance) + layer.epsilon)
        if layer.scale:
            scale = scale * numbers_of(layer.gamma)
        shift = -numbers_of(layer.moving_mean) * scale
        chain.affine(scale, shift + numbers_of(layer.beta) if layer.center else shift)
    elif kind == "Normalization" and not layer.invert:
        # Keras divides by the standard deviation, held above its smallest number.
        deviation = np.maximum(np.sqrt(numbers_of(layer.variance)), keras.backend.epsilon()).ravel()
        chain.affine(1.0 / deviation, -numbers_of(layer.mean).ravel() / deviation)
    elif kind == "Rescaling":
        chain.affine(numbers_of(layer.scale), numbers_of(layer.offset))
    elif kind not in _IDENTITIES:
        raise _NotDenseError


def _name(activation: object) -> str:
    import keras

    # By identity: a function of the user's own may carry the name of one of Keras'.
    for name in ACTIVATIONS:
        if keras.activations.get(name) is activation:
            return name
    raise _NotDenseError

"""From the plans of layers to a Keras model, and from a trained model to the layers that are applied and written.

Keras has the depth of an image last, TMVA first: where an image begins or ends, its axes are put into the other order.
What leaves the model is what the last layer makes, without the function of the outputs.

Imported only when something trains, so that Keras may be imported at the top.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

from mvakit_methods._keras_session import numbers_of
from mvakit_methods.dl.layers import BatchNorm, Conv, Dense, MaxPool, Reshape, Shape
from mvakit_methods.dl.layout import (
    ConvPlan,
    DensePlan,
    LayerPlan,
    NormPlan,
    PoolPlan,
    RecurrentPlan,
    ReshapePlan,
)
from mvakit_methods.dl.network import Layer
from mvakit_methods.dl.recurrent import Gru, Lstm, Rnn

__all__ = ["build_model", "initializer", "trained_layers"]

FloatArray = npt.NDArray[np.float64]

# By the numbers of `ACTIVATIONS`.
_FUNCTIONS: Final[tuple[str | Callable[[Any], Any], ...]] = (
    "linear",
    "relu",
    "sigmoid",
    "tanh",
    keras.ops.abs,
    "softsign",
    lambda x: keras.ops.exp(-keras.ops.square(x)),
    "tanh",
)


class _Diagonal(keras.initializers.Initializer):  # type: ignore[misc, name-defined, unused-ignore]
    """Ones where the input and the output have the same number, zeros elsewhere; for a convolution as for a table."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Any:
        return keras.ops.reshape(keras.ops.eye(int(np.prod(shape[:-1])), shape[-1], dtype=dtype), shape)


class _OneBias(keras.constraints.Constraint):  # type: ignore[misc, name-defined, unused-ignore]
    """Holds the second bias of a GRU at zero: the layers of TMVA have one."""

    def __call__(self, w: Any) -> Any:
        return w * keras.ops.convert_to_tensor([[1.0], [0.0]], dtype=w.dtype)


def initializer(name: str, seed: int) -> Any:
    """Return what makes the first weights, for a value of ``WeightInitialization``."""
    scaled = keras.initializers.VarianceScaling
    if name == "XAVIER":
        return keras.initializers.GlorotNormal(seed)
    if name == "XAVIERUNIFORM":
        return keras.initializers.GlorotUniform(seed)
    if name == "UNIFORM":
        # A half width of sqrt(2 / inputs), as a variance.
        return scaled(2.0 / 3.0, "fan_in", "uniform", seed)
    if name == "IDENTITY":
        return _Diagonal()
    if name == "ZERO":
        return keras.initializers.Zeros()
    return scaled(2.0, "fan_in", "untruncated_normal", seed)


class _Tensor:
    """What flows between two layers, as a row, an image with its depth last, or a sequence."""

    def __init__(self, tensor: Any, shape: Shape) -> None:
        self.tensor = tensor
        self.shape = shape
        self.form = "row"

    def _as(self, form: str, tensor: Any) -> Any:
        self.form, self.tensor = form, tensor
        return tensor

    def row(self) -> Any:
        if self.form == "image":
            self._as("row", keras.layers.Permute((3, 1, 2))(self.tensor))
        if len(self.tensor.shape) > 2:
            self.tensor = keras.layers.Flatten()(self.tensor)
        return self._as("row", self.tensor)

    def image(self) -> Any:
        if self.form != "image":
            self._as("image", keras.layers.Permute((2, 3, 1))(keras.layers.Reshape(self.shape)(self.row())))
        return self.tensor

    def sequence(self, steps: int) -> Any:
        if self.form != "sequence":
            self._as("sequence", keras.layers.Reshape((steps, self.shape.size // steps))(self.row()))
        return self.tensor


def build_model(
    plans: Sequence[LayerPlan],
    weights: str,
    seed: int,
    drops: Sequence[float],
    penalty: Any = None,
) -> Any:
    """Return a Keras model of layers.

    Parameters
    ----------
    plans : sequence of LayerPlan
    weights : str
        A value of ``WeightInitialization``.
    seed : int
    drops : sequence of float
        The share of the inputs of each layer that is dropped in the training; layers beyond the last drop nothing.
    penalty : keras.Regularizer, optional
        Of all weights but biases.
    """
    inputs = keras.Input((plans[0].inputs.size,))
    flow = _Tensor(inputs, plans[0].inputs)
    for index, plan in enumerate(plans):
        # Each layer has a seed of its own, which does not depend on the other layers.
        own = seed + 1000 * (index + 1)
        name = f"layer_{index}"
        common = {"kernel_initializer": initializer(weights, own), "kernel_regularizer": penalty, "name": name}

        def ready(tensor: Any, share: float = drops[index] if index < len(drops) else 0.0, own: int = own) -> Any:
            return keras.layers.Dropout(share, seed=own)(tensor) if share else tensor

        if isinstance(plan, DensePlan):
            layer = keras.layers.Dense(plan.output.width, _FUNCTIONS[plan.activation], **common)
            flow = _Tensor(layer(ready(flow.row())), plan.output)
        elif isinstance(plan, ConvPlan):
            image = ready(flow.image())
            if any(plan.padding):
                image = keras.layers.ZeroPadding2D(plan.padding)(image)
            layer = keras.layers.Conv2D(
                plan.output.depth, plan.filter, plan.stride, activation=_FUNCTIONS[plan.activation], **common
            )
            flow = _Tensor(layer(image), plan.output)
            flow.form = "image"
        elif isinstance(plan, PoolPlan):
            layer = keras.layers.MaxPooling2D(plan.filter, plan.stride, name=name)
            flow = _Tensor(layer(ready(flow.image())), plan.output)
            flow.form = "image"
        elif isinstance(plan, ReshapePlan):
            flow = _Tensor(ready(flow.row()), plan.output)
        elif isinstance(plan, NormPlan):
            layer = keras.layers.BatchNormalization(momentum=plan.momentum, epsilon=plan.epsilon, name=name)
            form = "image" if plan.channels else "row"
            flow = _Tensor(layer(ready(flow.image() if plan.channels else flow.row())), plan.output)
            flow.form = form
        elif isinstance(plan, RecurrentPlan):
            flow = _Tensor(_recurrent(plan, common)(ready(flow.sequence(plan.time_steps))), plan.output)
            flow.form = "sequence"
    return keras.Model(inputs, flow.row())


def _recurrent(plan: RecurrentPlan, common: dict[str, Any]) -> Any:
    settings = {
        **common,
        "units": plan.output.width,
        "return_sequences": plan.return_sequence,
        "recurrent_regularizer": common["kernel_regularizer"],
    }
    if plan.kind == "RNN":
        return keras.layers.SimpleRNN(**settings)
    if plan.kind == "LSTM":
        return keras.layers.LSTM(**settings)
    return keras.layers.GRU(
        reset_after=plan.reset_after, bias_constraint=_OneBias() if plan.reset_after else None, **settings
    )


def trained_layers(plans: Sequence[LayerPlan], model: Any) -> tuple[Layer, ...]:
    """Return the layers of a model as TMVA has them."""
    layers: list[Layer] = []
    for index, plan in enumerate(plans):
        if isinstance(plan, ReshapePlan):
            layers.append(Reshape(plan.output, plan.flattening))
            continue
        if isinstance(plan, PoolPlan):
            layers.append(MaxPool(plan.inputs, plan.filter, plan.stride))
            continue
        found = model.get_layer(f"layer_{index}")
        arrays = [numbers_of(w) for w in found.weights]
        if isinstance(plan, DensePlan):
            layers.append(Dense(np.ascontiguousarray(arrays[0].T), arrays[1], plan.activation))
        elif isinstance(plan, ConvPlan):
            # From (height, width, depth, filters) to a row for each filter, with the depth slowest.
            table = arrays[0].transpose(3, 2, 0, 1).reshape(plan.output.depth, -1)
            layers.append(Conv(plan.inputs, plan.filter, plan.stride, plan.padding, table, arrays[1], plan.activation))
        elif isinstance(plan, NormPlan):
            gamma, beta, mean, variance = arrays
            repeats = plan.inputs.size // len(mean)
            layers.append(BatchNorm(plan.momentum, plan.epsilon, mean, variance, gamma, beta, repeats))
        elif isinstance(plan, RecurrentPlan):
            layers.append(_trained_recurrent(plan, arrays))
    return tuple(layers)


def _trained_recurrent(plan: RecurrentPlan, arrays: Sequence[FloatArray]) -> Layer:
    def by_gate(table: FloatArray, order: Sequence[int]) -> FloatArray:
        """Return the parts of the columns that belong to each gate, turned, in TMVA's order of the gates."""
        return np.stack([part.T for part in np.split(table, len(order), axis=-1)])[list(order)]

    # The gates of Keras: input, forget, candidate, output; and update, reset, candidate.
    order, kind = {"RNN": ((0,), Rnn), "LSTM": ((0, 1, 2, 3), Lstm), "GRU": ((1, 0, 2), Gru)}[plan.kind]
    biases = arrays[2][0] if arrays[2].ndim == 2 else arrays[2]
    return kind(
        plan.time_steps,
        by_gate(arrays[0], order),
        by_gate(arrays[1], order),
        by_gate(biases[np.newaxis], order)[:, :, 0],
        plan.return_sequence,
        plan.reset_after,
    )

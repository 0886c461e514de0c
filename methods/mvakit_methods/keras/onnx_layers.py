"""From the layers of a network to the operations of an ONNX graph, on every backend of Keras.

A network with a layer that is not among these is left to Keras' own exporter. What is written is compared with the model
before it is used.
"""

# ruff: noqa: ARG001, ARG005 - what writes a layer takes the same arguments for every layer

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.method import DenseNetwork
from mvakit_methods.keras.onnx_format import GraphWriter

__all__ = ["UnknownLayerError", "graph_of_dense", "graph_of_model"]

_CALL: Final = re.compile(r"(\w+)\((.*)\)")


class UnknownLayerError(Exception):
    """There is a layer that is not written here."""


# -------------------------------------------------------------------------------------------- activations


def _gelu(to: GraphWriter, x: str) -> str:
    inner = to.add("Erf", to.add("Mul", x, to.constant(math.sqrt(0.5))))
    return to.add("Mul", to.add("Mul", x, to.constant(0.5)), to.add("Add", inner, to.constant(1.0)))


def _hard_sigmoid(to: GraphWriter, x: str) -> str:
    return to.add("HardSigmoid", x, alpha=1 / 6, beta=0.5)


_ACTIVATIONS: Final[dict[str, Callable[[GraphWriter, str], str]]] = {
    "linear": lambda to, x: x,
    "relu": lambda to, x: to.add("Relu", x),
    "sigmoid": lambda to, x: to.add("Sigmoid", x),
    "tanh": lambda to, x: to.add("Tanh", x),
    "softmax": lambda to, x: to.add("Softmax", x, axis=-1),
    "softplus": lambda to, x: to.add("Softplus", x),
    "softsign": lambda to, x: to.add("Softsign", x),
    "elu": lambda to, x: to.add("Elu", x, alpha=1.0),
    "selu": lambda to, x: to.add("Selu", x),
    "gelu": _gelu,
    "silu": lambda to, x: to.add("Mul", x, to.add("Sigmoid", x)),
    "exponential": lambda to, x: to.add("Exp", x),
    "hard_sigmoid": _hard_sigmoid,
    "hard_silu": lambda to, x: to.add("Mul", x, _hard_sigmoid(to, x)),
    "relu6": lambda to, x: to.add("Clip", x, to.constant(0.0), to.constant(6.0)),
    "leaky_relu": lambda to, x: to.add("LeakyRelu", x, alpha=0.2),
    "mish": lambda to, x: to.add("Mul", x, to.add("Tanh", to.add("Softplus", x))),
}  # fmt: skip
_WITH_PARAMETER: Final = {"elu": "Elu", "leaky_relu": "LeakyRelu"}


def _activated(to: GraphWriter, x: str, name: str) -> str:
    match = _CALL.fullmatch(name)
    if match is not None:
        return to.add(_WITH_PARAMETER[match[1]], x, alpha=float(match[2]))
    return _ACTIVATIONS[name](to, x)


def graph_of_dense(network: DenseNetwork) -> bytes:
    """Return the ONNX file of a chain of dense layers."""
    to = GraphWriter(network.layers[0].weights.shape[0])
    x = to.input
    for layer in network.layers:
        x = _activated(to, to.add("Gemm", x, to.constant(layer.weights), to.constant(layer.bias)), layer.activation)
    return to.finish(x, network.layers[-1].weights.shape[1])


# ------------------------------------------------------------------------------------------------- models


def graph_of_model(model: Any) -> bytes:
    """Return the ONNX file of a Keras model with one matrix as input and one as output.

    Raises
    ------
    UnknownLayerError
        Naming the layer that is not written here.
    """
    to = _Model(GraphWriter(int(model.inputs[0].shape[1])))
    (output,) = to.walk(model, [to.graph.input])
    return to.graph.finish(output, int(model.outputs[0].shape[1]))


def _array(values: Any) -> npt.NDArray[np.float32]:
    import keras

    return np.asarray(keras.ops.convert_to_numpy(values), dtype=np.float32)


class _Model:
    """Writes layer after layer; images are kept with their channels first as well, as ONNX has them."""

    def __init__(self, graph: GraphWriter) -> None:
        self.graph = graph
        self._first: dict[str, str] = {}

    def walk(self, model: Any, inputs: list[str]) -> list[str]:
        """Write a model and return the names of its outputs."""
        import keras

        if isinstance(model, keras.Sequential):
            for layer in model.layers:
                inputs = self.layer(layer, inputs, [layer.input] if hasattr(layer, "input") else [])
            return inputs
        if not isinstance(model, keras.Model) or not getattr(model, "_nodes", None):
            raise UnknownLayerError(type(model).__name__)
        names = {id(tensor): name for tensor, name in zip(model.inputs, inputs, strict=True)}
        return [self._tensor(tensor, names) for tensor in model.outputs]

    def _tensor(self, tensor: Any, names: dict[int, str]) -> str:
        """Write what a tensor of a model comes from, as far as it is not written yet."""
        open_tensors = [tensor]
        while open_tensors:
            wanted = open_tensors[-1]
            if id(wanted) in names:
                open_tensors.pop()
                continue
            history = wanted._keras_history  # noqa: SLF001 - there is no other way to the node of a tensor
            node = history.operation._inbound_nodes[history.node_index]  # noqa: SLF001
            missing = [source for source in node.input_tensors if id(source) not in names]
            if missing:
                open_tensors.extend(missing)
                continue
            sources = [names[id(source)] for source in node.input_tensors]
            outputs = self.layer(history.operation, sources, list(node.input_tensors))
            names.update({id(made): name for made, name in zip(node.output_tensors, outputs, strict=True)})
        return names[id(tensor)]

    def layer(self, layer: Any, inputs: list[str], tensors: list[Any]) -> list[str]:
        """Write a layer and return the names of its outputs."""
        import keras

        if isinstance(layer, keras.Model):
            return self.walk(layer, inputs)
        kind = type(layer).__name__
        write = _LAYERS.get(kind)
        own = type(layer).__module__.startswith("keras.")
        if write is None or not own or len(inputs) != len(tensors):
            raise UnknownLayerError(kind)
        return [write(self, layer, inputs if kind in _SEVERAL else inputs[0], tensors)]

    # ------------------------------------------------------------------------------- what layers share

    def activated(self, x: str, activation: Any) -> str:
        import keras

        # By identity: a function of the user's own may carry the name of one of Keras'.
        for name in _ACTIVATIONS:
            if keras.activations.get(name) is activation:
                return _activated(self.graph, x, name)
        raise UnknownLayerError(getattr(activation, "__name__", str(activation)))

    def channels_first(self, x: str, rank: int) -> str:
        if x not in self._first:
            self._first[x] = self.graph.add("Transpose", x, perm=[0, rank - 1, *range(1, rank - 1)])
        return self._first[x]

    def channels_last(self, first: str, rank: int) -> str:
        x = self.graph.add("Transpose", first, perm=[0, *range(2, rank), 1])
        self._first[x] = first
        return x

    def affine(self, x: str, scale: npt.ArrayLike, shift: npt.ArrayLike) -> str:
        scaled = self.graph.add("Mul", x, self.graph.constant(np.asarray(scale, np.float32)))
        return self.graph.add("Add", scaled, self.graph.constant(np.asarray(shift, np.float32)))


_Inputs = Any  # a name, or the list of them for layers that take several
_Writer = Callable[[_Model, Any, _Inputs, list[Any]], str]


def _rank(tensors: list[Any]) -> int:
    return len(tensors[0].shape)


def _same(to: _Model, layer: Any, x: str, tensors: list[Any]) -> str:
    return x


def _dense(to: _Model, layer: Any, x: str, tensors: list[Any]) -> str:
    graph, kernel = to.graph, to.graph.constant(_array(layer.kernel))
    if _rank(tensors) == 2:
        inputs = [x, kernel, graph.constant(_array(layer.bias))] if layer.use_bias else [x, kernel]
        made = graph.add("Gemm", *inputs)
    else:
        made = graph.add("MatMul", x, kernel)
        if layer.use_bias:
            made = graph.add("Add", made, graph.constant(_array(layer.bias)))
    return to.activated(made, layer.activation)


def _convolution(to: _Model, layer: Any, x: str, tensors: list[Any]) -> str:
    weights = np.moveaxis(_array(layer.kernel), (-1, -2), (0, 1))
    return _convolved(to, layer, x, tensors[0].shape, weights, layer.groups, layer.bias if layer.use_bias else None)


def _depthwise(to: _Model, layer: Any, x: str, tensors: list[Any]) -> str:
    weights = _per_channel(layer.kernel)
    bias = layer.bias if layer.use_bias else None
    return _convolved(to, layer, x, tensors[0].shape, weights, int(layer.kernel.shape[-2]), bias)


def _separable(to: _Model, layer: Any, x: str, tensors: list[Any]) -> str:
    weights = _per_channel(layer.depthwise_kernel)
    groups = int(layer.depthwise_kernel.shape[-2])
    spread = _convolved(to, layer, x, tensors[0].shape, weights, groups, None, activate=False)
    made = to.graph.add(
        "MatMul", spread, to.graph.constant(_array(layer.pointwise_kernel).reshape(weights.shape[0], -1))
    )
    if layer.use_bias:
        made = to.graph.add("Add", made, to.graph.constant(_array(layer.bias)))
    return to.activated(made, layer.activation)


def _per_channel(kernel: Any) -> npt.NDArray[np.float32]:
    """The kernel of each channel by itself, as ONNX has it: (channels * multiplier, 1, ...)."""
    values = _array(kernel)
    moved = np.moveaxis(values, (-2, -1), (0, 1))
    return moved.reshape(-1, 1, *moved.shape[2:])


def _convolved(
    to: _Model,
    layer: Any,
    x: str,
    shape: tuple[int, ...],
    weights: npt.NDArray[np.float32],
    groups: int,
    bias: Any,
    *,
    activate: bool = True,
) -> str:
    _need_channels_last(layer)
    strides, dilations = (_numbers(value, weights.ndim - 2) for value in (layer.strides, layer.dilation_rate))
    inputs = [to.channels_first(x, len(shape)), to.graph.constant(weights)]
    if bias is not None:
        inputs.append(to.graph.constant(_array(bias)))
    made = to.graph.add(
        "Conv", *inputs, kernel_shape=list(weights.shape[2:]), strides=strides, dilations=dilations, group=groups,
        pads=_pads(layer.padding, shape[1:-1], weights.shape[2:], strides, dilations),
    )  # fmt: skip
    return to.channels_last(to.activated(made, layer.activation) if activate else made, len(shape))


def _pads(
    padding: str, sizes: Sequence[int | None], kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]
) -> list[int]:
    """Return the zeros before each axis and then behind each, as Keras has them."""
    before, behind = [], []
    for size, width, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        reach = (width - 1) * dilation
        if padding == "valid":
            zeros = 0
        elif padding == "causal":
            zeros = reach
        elif size is None:
            raise UnknownLayerError("a padding that depends on the event")
        else:
            zeros = max((-(-size // stride) - 1) * stride + reach + 1 - size, 0)
        before.append(zeros if padding == "causal" else zeros // 2)
        behind.append(zeros - before[-1])
    return [*before, *behind]


def _pooling(to: _Model, layer: Any, x: str, tensors: list[Any]) -> str:
    _need_channels_last(layer)
    shape = tensors[0].shape
    sizes, strides = (_numbers(value, len(shape) - 2) for value in (layer.pool_size, layer.strides))
    made = to.graph.add(
        "MaxPool" if type(layer).__name__.startswith("Max") else "AveragePool",
        to.channels_first(x, len(shape)),
        kernel_shape=sizes,
        strides=strides,
        pads=_pads(layer.padding, shape[1:-1], sizes, strides, [1] * len(sizes)),
    )
    return to.channels_last(made, len(shape))


def _global_pooling(to: _Model, layer: Any, x: str, tensors: list[Any]) -> str:
    _need_channels_last(layer)
    operation = "ReduceMax" if type(layer).__name__.startswith("GlobalMax") else "ReduceMean"
    return to.graph.add(operation, x, axes=list(range(1, _rank(tensors) - 1)), keepdims=int(layer.keepdims))


def _need_channels_last(layer: Any) -> None:
    if layer.data_format != "channels_last":
        raise UnknownLayerError(f"{type(layer).__name__} with {layer.data_format}")


def _numbers(value: Any, length: int) -> list[int]:
    return [int(v) for v in value] if isinstance(value, tuple | list) else [int(value)] * length


def _flatten(to: _Model, layer: Any, x: str, tensors: list[Any]) -> str:
    return _reshaped(to, x, (math.prod(tensors[0].shape[1:]),))


def _reshape(to: _Model, layer: Any, x: str, tensors: list[Any]) -> str:
    return _reshaped(to, x, layer.compute_output_shape(tensors[0].shape)[1:])


def _reshaped(to: _Model, x: str, shape: tuple[int, ...]) -> str:
    # A size of 0 is that of the input: the number of events stays, none included.
    return to.graph.add("Reshape", x, to.graph.constant(np.array([0, *shape])))


def _permute(to: _Model, layer: Any, x: str, tensors: list[Any]) -> str:
    return to.graph.add("Transpose", x, perm=[0, *(int(axis) for axis in layer.dims)])


def _cropping(to: _Model, layer: Any, x: str, tensors: list[Any]) -> str:
    before, behind = layer.cropping
    ends = [int(before)], [int(tensors[0].shape[1] - behind)], [1]
    return to.graph.add("Slice", x, *(to.graph.constant(np.array(numbers)) for numbers in ends))


def _batch_normalization(to: _Model, layer: Any, x: str, tensors: list[Any]) -> str:
    if layer.axis not in {-1, _rank(tensors) - 1}:
        raise UnknownLayerError("BatchNormalization of an axis that is not the last")
    scale = 1.0 / np.sqrt(_array(layer.moving_variance).astype(np.float64) + layer.epsilon)
    if layer.scale:
        scale = scale * _array(layer.gamma)
    shift = -_array(layer.moving_mean) * scale
    return to.affine(x, scale, shift + _array(layer.beta) if layer.center else shift)


def _normalization(to: _Model, layer: Any, x: str, tensors: list[Any]) -> str:
    import keras

    if layer.invert:
        raise UnknownLayerError("Normalization with invert")
    deviation = np.maximum(np.sqrt(_array(layer.variance)), keras.backend.epsilon())
    return to.affine(x, 1.0 / deviation, -_array(layer.mean) / deviation)


def _rescaling(to: _Model, layer: Any, x: str, tensors: list[Any]) -> str:
    return to.affine(x, layer.scale, layer.offset)


def _activation(to: _Model, layer: Any, x: str, tensors: list[Any]) -> str:
    return to.activated(x, layer.activation)


def _relu(to: _Model, layer: Any, x: str, tensors: list[Any]) -> str:
    if layer.threshold or (layer.negative_slope and layer.max_value is not None):
        raise UnknownLayerError("ReLU with a threshold")
    if layer.negative_slope:
        return to.graph.add("LeakyRelu", x, alpha=float(layer.negative_slope))
    if layer.max_value is None:
        return to.graph.add("Relu", x)
    return to.graph.add("Clip", x, to.graph.constant(0.0), to.graph.constant(float(layer.max_value)))


def _softmax(to: _Model, layer: Any, x: str, tensors: list[Any]) -> str:
    if not isinstance(layer.axis, int):
        raise UnknownLayerError("Softmax over several axes")
    return to.graph.add("Softmax", x, axis=layer.axis)


def _folded(operation: str) -> _Writer:
    def write(to: _Model, layer: Any, inputs: list[str], tensors: list[Any]) -> str:
        made = inputs[0]
        for other in inputs[1:]:
            made = to.graph.add(operation, made, other)
        if type(layer).__name__ == "Average":
            made = to.graph.add("Mul", made, to.graph.constant(1.0 / len(inputs)))
        return made

    return write


def _concatenate(to: _Model, layer: Any, inputs: list[str], tensors: list[Any]) -> str:
    return to.graph.add("Concat", *inputs, axis=int(layer.axis))


# The gates of Keras in the order of ONNX.
_GATES: Final = {"SimpleRNN": ("RNN", [0]), "LSTM": ("LSTM", [0, 3, 1, 2]), "GRU": ("GRU", [0, 1, 2])}


def _recurrent(to: _Model, layer: Any, x: str, tensors: list[Any]) -> str:
    import keras

    kind = type(layer).__name__
    operation, order = _GATES[kind]
    cell, units = layer.cell, int(layer.units)
    plain = keras.activations.get("tanh") is cell.activation and (
        kind == "SimpleRNN" or keras.activations.get("sigmoid") is cell.recurrent_activation
    )
    if not plain or layer.go_backwards or layer.stateful or layer.return_state:
        raise UnknownLayerError(f"{kind} with settings of its own")
    graph = to.graph
    kernels = [_gates(_array(values), units, order) for values in (cell.kernel, cell.recurrent_kernel)]
    bias = _array(cell.bias) if cell.use_bias else np.zeros(units * len(order), np.float32)
    both = bias if bias.ndim == 2 else np.stack([bias, np.zeros_like(bias)])
    biases = np.concatenate([_gates(row[np.newaxis], units, order).ravel() for row in both])
    inputs = [
        graph.add("Transpose", x, perm=[1, 0, 2]),
        *(graph.constant(kernel[np.newaxis]) for kernel in kernels),
        graph.constant(biases[np.newaxis]),
    ]
    more = {"linear_before_reset": int(bool(cell.reset_after))} if kind == "GRU" else {}
    if layer.return_sequences:
        made = graph.add(operation, *inputs, hidden_size=units, **more)
        return graph.add("Transpose", graph.add("Squeeze", made, graph.constant(np.array([1]))), perm=[1, 0, 2])
    made = graph.add(operation, *inputs, outputs=2, hidden_size=units, **more)
    return graph.add("Squeeze", made, graph.constant(np.array([0])))


def _gates(kernel: npt.NDArray[np.float32], units: int, order: list[int]) -> npt.NDArray[np.float32]:
    parts = kernel.reshape(len(kernel), -1, units)[:, order]
    return np.ascontiguousarray(parts.reshape(len(kernel), -1).T)


_IDENTITIES: Final = (
    "InputLayer", "Dropout", "GaussianDropout", "GaussianNoise", "AlphaDropout", "SpatialDropout1D", "SpatialDropout2D",
    "ActivityRegularization", "Identity",
)  # fmt: skip
_SEVERAL: Final = frozenset({"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"})
_LAYERS: Final[dict[str, _Writer]] = {
    **dict.fromkeys(_IDENTITIES, _same),
    "Dense": _dense,
    "Conv1D": _convolution,
    "Conv2D": _convolution,
    "DepthwiseConv2D": _depthwise,
    "SeparableConv1D": _separable,
    "SeparableConv2D": _separable,
    **dict.fromkeys(("MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D"), _pooling),
    **dict.fromkeys(
        ("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D"),
        _global_pooling,
    ),
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "Cropping1D": _cropping,
    "BatchNormalization": _batch_normalization,
    "Normalization": _normalization,
    "Rescaling": _rescaling,
    "Activation": _activation,
    "ReLU": _relu,
    "LeakyReLU": lambda to, layer, x, tensors: to.graph.add("LeakyRelu", x, alpha=float(layer.negative_slope)),
    "ELU": lambda to, layer, x, tensors: to.graph.add("Elu", x, alpha=float(layer.alpha)),
    "PReLU": lambda to, layer, x, tensors: to.graph.add("PRelu", x, to.graph.constant(_array(layer.alpha))),
    "Softmax": _softmax,
    "Add": _folded("Add"),
    "Subtract": _folded("Sub"),
    "Multiply": _folded("Mul"),
    "Average": _folded("Add"),
    "Maximum": _folded("Max"),
    "Minimum": _folded("Min"),
    "Concatenate": _concatenate,
    **dict.fromkeys(_GATES, _recurrent),
}

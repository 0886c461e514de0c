"""The ``<Weights>`` of a DL, both ways: an element for each layer, with its matrices row by row.

Matrices of single precision have seven digits in TMVA's files; such numbers are written as they came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError, did_you_mean
from mvakit.method import WeightContext
from mvakit.weightfile import attribute, boolean_attribute, child, float_attribute, int_attribute, number, numbers
from mvakit_methods._network import MAX_VALUES, check_outputs, finite_numbers
from mvakit_methods.dl.layers import ACTIVATIONS, BatchNorm, Conv, Dense, Flow, MaxPool, Reshape, Shape
from mvakit_methods.dl.network import OUTPUTS, DeepNetwork, Layer
from mvakit_methods.dl.recurrent import RECURRENT, Recurrent

__all__ = ["activation", "matrix", "output_function", "read_deep_network", "write_deep_network"]

FloatArray = npt.NDArray[np.float64]

_HEADER: Final = (
    "NetDepth", "InputDepth", "InputHeight", "InputWidth", "BatchSize", "BatchDepth", "BatchHeight", "BatchWidth",
    "LossFunction", "Initialization", "Regularization", "OutputFunction", "WeightDecay",
)  # fmt: skip
_MAX_LAYERS: Final = 10_000
_MAX_EDGE: Final = 1_000_000
_NORM: Final = ("Training-mu", "Training-variance", "Gamma", "Beta")


def read_deep_network(weights: ET.Element, context: WeightContext) -> DeepNetwork:
    """Read what `write_deep_network` or TMVA wrote.

    Raises
    ------
    WeightFileError
        If layers are missing, unknown, or do not fit to the variables, to one another or to the outputs, if a number is
        not finite, or if one event would become too many values.
    """
    header = tuple((name, attribute(weights, name)) for name in _HEADER)
    depth = int_attribute(weights, "NetDepth", 1, _MAX_LAYERS)
    if depth != len(weights):
        raise WeightFileError(f"<Weights NetDepth={depth}> of {context.title} holds {len(weights)} layers")
    shape = Shape(*(int_attribute(weights, name, 1, _MAX_EDGE) for name in ("InputDepth", "InputHeight", "InputWidth")))
    if shape.size != len(context.variables):
        raise WeightFileError(
            f"<Weights InputDepth={shape.depth} InputHeight={shape.height} InputWidth={shape.width}> of {context.title} "
            f"takes {shape.size} values, and there are {len(context.variables)} variables"
        )
    flow = Flow(shape, rows=1 if shape.depth == shape.height == 1 else 0)
    layers: list[Layer] = []
    for element in weights:
        reader = _READERS.get(element.tag)
        if reader is None:
            raise WeightFileError(
                f"{context.title} has a layer <{element.tag}>; {did_you_mean(element.tag, _READERS, noun='the layers')}"
            )
        layer, flow = reader(element, flow)
        if layer.work > MAX_VALUES:
            raise WeightFileError(
                f"<{element.tag}> of {context.title} makes {layer.work} values of one event; at most {MAX_VALUES} are taken"
            )
        layers.append(layer)
    _plain(flow, "what follows the last layer")
    check_outputs(flow.shape.width, context, f"<{weights[-1].tag}>")
    return DeepNetwork(tuple(layers), output_function(weights), flow.shape.width, header)


def output_function(weights: ET.Element) -> str:
    """Return the letter of the output function."""
    letter = attribute(weights, "OutputFunction")
    if letter not in OUTPUTS:
        raise WeightFileError(f"<Weights OutputFunction={letter!r}> should be one of {', '.join(OUTPUTS)}")
    return letter


def activation(element: ET.Element) -> int:
    """Return the number of an activation function."""
    return int_attribute(element, "ActivationFunction", 0, len(ACTIVATIONS) - 1)


def matrix(
    parent: ET.Element, tag: str, rows: int, columns: int, names: tuple[str, str] = ("Rows", "Columns")
) -> FloatArray:
    """Read the matrix in the child of that tag, which has to have these rows and columns."""
    element = child(parent, tag)
    for name, expected in zip(names, (rows, columns), strict=True):
        if int_attribute(element, name) != expected:
            raise WeightFileError(
                f"<{tag} {name}={element.get(name)!r}> of a <{parent.tag}> should be {expected}: its matrix has {rows} "
                f"rows and {columns} columns"
            )
    return finite_numbers(element, rows * columns).reshape(rows, columns)


# ------------------------------------------------------------------------------------------------- layers


def _plain(flow: Flow, what: str) -> int:
    """Return the width of a plain row of values, and refuse anything else."""
    if flow.rows > 1 or flow.shape.depth * flow.shape.height != 1:
        raise WeightFileError(
            f"{what} takes a row of values, and gets {' x '.join(map(str, flow.shape))}; TMVA flattens it by a "
            "<ReshapeLayer> before"
        )
    return flow.shape.width


def _image(flow: Flow, what: str) -> Shape:
    if flow.rows not in {0, flow.shape.depth}:
        raise WeightFileError(f"{what} takes an image, and gets a sequence of {flow.rows} steps")
    return flow.shape


def _read_dense(element: ET.Element, flow: Flow) -> tuple[Layer, Flow]:
    n_in, n_out = _plain(flow, "<DenseLayer>"), int_attribute(element, "Width", 1, _MAX_EDGE)
    weights = matrix(element, "Weights", n_out, n_in)
    layer = Dense(weights, matrix(element, "Biases", n_out, 1)[:, 0], activation(element))
    return layer, Flow(Shape(1, 1, n_out))


def _window(element: ET.Element, shape: Shape) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    padding = (0, 0)
    if element.tag == "ConvLayer":
        padding = (
            int_attribute(element, "PaddingHeight", 0, _MAX_EDGE),
            int_attribute(element, "PaddingWidth", 0, _MAX_EDGE),
        )
    size = (
        int_attribute(element, "FilterHeight", 1, shape.height + 2 * padding[0]),
        int_attribute(element, "FilterWidth", 1, shape.width + 2 * padding[1]),
    )
    stride = (int_attribute(element, "StrideRows", 1, _MAX_EDGE), int_attribute(element, "StrideCols", 1, _MAX_EDGE))
    return size, stride, padding


def _read_conv(element: ET.Element, flow: Flow) -> tuple[Layer, Flow]:
    shape = _image(flow, "<ConvLayer>")
    size, stride, padding = _window(element, shape)
    n_out = int_attribute(element, "Depth", 1, _MAX_EDGE)
    weights = matrix(element, "Weights", n_out, shape.depth * size[0] * size[1])
    biases = matrix(element, "Biases", n_out, 1)[:, 0]
    layer = Conv(shape, size, stride, padding, weights, biases, activation(element))
    return layer, Flow(layer.output, rows=n_out, channels=True)


def _read_pool(element: ET.Element, flow: Flow) -> tuple[Layer, Flow]:
    shape = _image(flow, "<MaxPoolLayer>")
    size, stride, _ = _window(element, shape)
    layer = MaxPool(shape, size, stride)
    return layer, Flow(layer.output, rows=shape.depth, channels=True)


def _read_reshape(element: ET.Element, flow: Flow) -> tuple[Layer, Flow]:
    if boolean_attribute(element, "Flattening"):
        shape = Shape(1, 1, flow.shape.size)
        return Reshape(shape, flattening=True), Flow(shape)
    shape = Shape(*(int_attribute(element, name, 1, _MAX_EDGE) for name in ("Depth", "Height", "Width")))
    if shape.size != flow.shape.size:
        raise WeightFileError(
            f"<ReshapeLayer> makes {' x '.join(map(str, shape))} of {flow.shape.size} values; it should keep their number"
        )
    if flow.rows > 1:
        raise WeightFileError("<ReshapeLayer> that does not flatten takes a row of values; TMVA defines nothing else")
    return Reshape(shape, flattening=False), Flow(shape, rows=shape.depth)


def _read_norm(element: ET.Element, flow: Flow) -> tuple[Layer, Flow]:
    channels = flow.shape.depth if flow.channels else _plain(flow, "<BatchNormLayer>")
    mean, variance, gamma, beta = (matrix(element, tag, 1, channels)[0] for tag in _NORM)
    epsilon = float_attribute(element, "Epsilon")
    if not (variance + epsilon > 0).all():
        raise WeightFileError("<Training-variance> of a <BatchNormLayer> holds a variance that is not positive")
    momentum = float_attribute(element, "Momentum")
    layer = BatchNorm(momentum, epsilon, mean, variance, gamma, beta, flow.shape.size // channels)
    return layer, flow._replace(channels=False)


def _read_recurrent(element: ET.Element, flow: Flow) -> tuple[Layer, Flow]:
    kind = RECURRENT[element.tag]
    n_state = int_attribute(element, "StateSize", 1, _MAX_EDGE)
    n_inputs = int_attribute(element, "InputSize", 1, _MAX_EDGE)
    steps = int_attribute(element, "TimeSteps", 1, _MAX_EDGE)
    shape = flow.shape
    if shape.width != n_inputs or shape.depth * shape.height != steps or flow.rows not in {0, steps}:
        raise WeightFileError(
            f"<{element.tag} TimeSteps={steps} InputSize={n_inputs}> gets {' x '.join(map(str, shape))} values; it "
            "should get the time steps one after the other"
        )
    if boolean_attribute(element, "RememberState"):
        raise WeightFileError(
            f"<{element.tag} RememberState=1> makes a response depend on the events before it, which is not applied here"
        )
    gates = len(kind.gates)
    shapes = [(n_state, n_inputs)] * gates + [(n_state, n_state)] * gates
    weights = [matrix(element, tag, *size) for tag, size in zip(_weight_tags(kind.gates), shapes, strict=True)]
    layer = kind(
        steps,
        np.array(weights[:gates]),
        np.array(weights[gates:]),
        np.array([matrix(element, f"{gate}Biases", n_state, 1)[:, 0] for gate in kind.gates]),
        # Files of the first releases have no such choice: every state was returned.
        boolean_attribute(element, "ReturnSequence") if element.get("ReturnSequence") is not None else True,
        element.tag == "GRULayer" and boolean_attribute(element, "ResetGateAfter"),
    )
    return layer, Flow(layer.output, rows=layer.output.height)


_READERS: Final[dict[str, Callable[[ET.Element, Flow], tuple[Layer, Flow]]]] = {
    "DenseLayer": _read_dense,
    "ConvLayer": _read_conv,
    "MaxPoolLayer": _read_pool,
    "ReshapeLayer": _read_reshape,
    "BatchNormLayer": _read_norm,
    **dict.fromkeys(RECURRENT, _read_recurrent),
}


def _weight_tags(gates: tuple[str, ...]) -> list[str]:
    """Return the tags of the weights for the inputs, gate by gate, and of those for the state.

    TMVA numbers the weights in this order, and names them by another, in which each gate has its two side by side: so the
    tag of most matrices is that of another one. For the output gate of an LSTM it also lacks a letter.
    """
    if gates == ("",):
        return ["InputWeights", "StateWeights"]
    tags = [f"{gate}{kind}Weights" for gate in gates for kind in ("", "State")]
    return ["OuputWeights" if tag == "OutputWeights" else tag for tag in tags]


# ------------------------------------------------------------------------------------------------ writing


def write_deep_network(network: DeepNetwork, weights: ET.Element) -> Mapping[str, bytes]:
    """Write an element for each layer."""
    for name, text in network.header:
        weights.set(name, text)
    for layer in network.layers:
        _write_layer(layer, weights)
    return {}


def _write_layer(layer: Layer, weights: ET.Element) -> None:
    if isinstance(layer, Recurrent):
        _write_recurrent(layer, weights)
    elif isinstance(layer, Dense):
        element = _element(weights, "DenseLayer", Width=len(layer.weights), ActivationFunction=layer.activation)
        _write_matrix(element, "Weights", layer.weights)
        _write_matrix(element, "Biases", layer.biases[:, np.newaxis])
    elif isinstance(layer, Conv | MaxPool):
        _write_window(layer, weights)
    elif isinstance(layer, Reshape):
        depth, height, width = layer.output
        _element(weights, "ReshapeLayer", Depth=depth, Height=height, Width=width, Flattening=int(layer.flattening))
    else:
        element = ET.SubElement(
            weights, "BatchNormLayer", Momentum=number(layer.momentum), Epsilon=number(layer.epsilon)
        )
        for tag, values in zip(_NORM, (layer.mean, layer.variance, layer.gamma, layer.beta), strict=True):
            _write_matrix(element, tag, values[np.newaxis])


def _element(parent: ET.Element, tag: str, **attributes: int) -> ET.Element:
    return ET.SubElement(parent, tag, {name: str(value) for name, value in attributes.items()})


def _write_window(layer: Conv | MaxPool, weights: ET.Element) -> None:
    size = {"FilterHeight": layer.filter[0], "FilterWidth": layer.filter[1]}
    stride = {"StrideRows": layer.stride[0], "StrideCols": layer.stride[1]}
    if isinstance(layer, MaxPool):
        _element(weights, "MaxPoolLayer", **size, **stride)
        return
    padding = {"PaddingHeight": layer.padding[0], "PaddingWidth": layer.padding[1]}
    element = _element(
        weights, "ConvLayer", Depth=len(layer.weights), **size, **stride, **padding, ActivationFunction=layer.activation
    )
    _write_matrix(element, "Weights", layer.weights)
    _write_matrix(element, "Biases", layer.biases[:, np.newaxis])


def _write_recurrent(layer: Recurrent, weights: ET.Element) -> None:
    element = _element(weights, layer.tag, StateSize=layer.n_state)
    if layer.tag == "LSTMLayer":
        element.set("CellSize", str(layer.n_state))
    element.set("InputSize", str(layer.n_inputs))
    element.set("TimeSteps", str(layer.time_steps))
    element.set("RememberState", "0")
    element.set("ReturnSequence", str(int(layer.return_sequence)))
    if layer.tag == "GRULayer":
        element.set("ResetGateAfter", str(int(layer.reset_after)))
    matrices = dict(zip(_weight_tags(layer.gates), (*layer.inputs, *layer.states), strict=True))
    per_gate = len(matrices) // len(layer.gates)
    tags = _weight_tags(layer.gates)
    for index, gate in enumerate(layer.gates):
        for tag in tags[per_gate * index : per_gate * (index + 1)]:
            _write_matrix(element, tag, matrices[tag])
        _write_matrix(element, f"{gate}Biases", layer.biases[index][:, np.newaxis])


def _write_matrix(parent: ET.Element, tag: str, values: FloatArray) -> None:
    element = _element(parent, tag, Rows=values.shape[0], Columns=values.shape[1])
    flat = values.ravel().tolist()
    short = [f"{value:.6e}" for value in flat]
    element.text = " ".join(short) if [float(text) for text in short] == flat else numbers(flat)

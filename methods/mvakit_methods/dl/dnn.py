"""The two forms of the ``<Weights>`` of a DNN, both ways.

Since ROOT 6.08 there is a ``<Layer>`` for each layer, with a matrix of weights and one of biases. Before, all weights were
in one ``<Synapses>``, of which ``<Layout>`` tells the layers; the only bias was an input that is always 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError
from mvakit.method import WeightContext
from mvakit.weightfile import attribute, child, int_attribute, numbers
from mvakit_methods._network import (
    apply_in_blocks,
    check_outputs,
    finite_numbers,
    rows_per_block,
    sigmoid,
    softmax,
    sole_children,
)
from mvakit_methods.dl.layers import Dense
from mvakit_methods.dl.network import DeepNetwork, Layer
from mvakit_methods.dl.xml import activation, matrix, output_function

__all__ = ["OldNetwork", "read_dnn", "read_old_dnn", "write_dnn", "write_old_dnn"]

FloatArray = npt.NDArray[np.float64]

_MAX_LAYERS: Final = 10_000
_MAX_WIDTH: Final = 1_000_000
_HEADER: Final = ("InputWidth", "Depth", "LossFunction", "OutputFunction")
_ROWS: Final = ("rows", "cols")


def read_dnn(weights: ET.Element, context: WeightContext) -> DeepNetwork:
    """Read a ``<Layer>`` for each layer.

    Raises
    ------
    WeightFileError
        If layers are missing, do not fit, or hold numbers that are not finite.
    """
    header = tuple((name, attribute(weights, name)) for name in _HEADER)
    width = int_attribute(weights, "InputWidth")
    if width != len(context.variables):
        raise WeightFileError(
            f"<Weights InputWidth={width}> of {context.title} should be {len(context.variables)}, one for each variable"
        )
    layers: list[Layer] = []
    for item in sole_children(weights, "Layer", "Depth", _MAX_LAYERS):
        n_out = int_attribute(child(item, "Weights"), "rows", 1, _MAX_WIDTH)
        table = matrix(item, "Weights", n_out, width, _ROWS)
        layers.append(Dense(table, matrix(item, "Biases", n_out, 1, _ROWS)[:, 0], activation(item)))
        width = n_out
    check_outputs(width, context, "<Layer>")
    return DeepNetwork(tuple(layers), output_function(weights), width, header)


def write_dnn(network: DeepNetwork, weights: ET.Element) -> Mapping[str, bytes]:
    """Write a ``<Layer>`` for each layer."""
    for name, text in network.header:
        weights.set(name, text)
    for layer in network.layers:
        assert isinstance(layer, Dense)
        item = ET.SubElement(weights, "Layer", ActivationFunction=str(layer.activation))
        for tag, table in (("Weights", layer.weights), ("Biases", layer.biases[:, np.newaxis])):
            rows, columns = table.shape
            ET.SubElement(item, tag, rows=str(rows), cols=str(columns)).text = numbers(table.ravel().tolist())
    return {}


# ------------------------------------------------------------------------------------------- the older form


def _shrunk(x: FloatArray) -> FloatArray:
    margin = 0.3
    return np.where(x > margin, x - margin, np.where(x < -margin, x + margin, 0.0))


def _double_inverted(x: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-((8.0 * (x - 0.1)) ** 2)) - np.exp(-((8.0 * (x + 0.1)) ** 2)))


_OLD_ACTIVATIONS: Final[dict[str, Callable[[FloatArray], FloatArray]]] = {
    "0": np.zeros_like,
    "L": lambda x: x,
    "T": np.tanh,
    "R": lambda x: np.maximum(x, 0.0),
    "r": _shrunk,
    "t": lambda x: np.tanh(x - 0.3),
    "s": lambda x: sigmoid(np.clip(x, -100.0, 100.0)),
    "S": lambda x: x / (1.0 + np.abs(x)),
    "G": lambda x: np.exp(-((6.0 * x) ** 2)),
    "C": lambda x: 1.0 - np.exp(-((6.0 * x) ** 2)),
    "D": _double_inverted,
}
# Of the last layer; first a letter, then a number.
_OLD_OUTPUTS: Final[dict[str, Callable[[FloatArray], FloatArray]]] = {
    "d": lambda x: x,
    "1": lambda x: x,
    "s": sigmoid,
    "2": sigmoid,
    "S": softmax,
    "4": softmax,
}


@dataclass(frozen=True, slots=True, eq=False)
class OldNetwork:
    """A DNN of the older form.

    Attributes
    ----------
    layers : tuple of (ndarray of shape (n_from, n_to), str, str)
        Weights, activation and output mode of each layer; the last row of the first belongs to the bias.
    """

    layers: tuple[tuple[FloatArray, str, str], ...]

    def __call__(self, X: npt.NDArray[np.float32]) -> FloatArray:
        """Return the outputs, shape (n_events, n_outputs)."""
        widest = max(max(table.shape) for table, _, _ in self.layers)
        rows = rows_per_block(widest, max(table.size for table, _, _ in self.layers))
        return apply_in_blocks(X, rows, self.layers[-1][0].shape[1], self._forward)

    def _forward(self, x: FloatArray) -> FloatArray:
        x = np.hstack([x, np.ones((len(x), 1))])
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for table, function, _ in self.layers:
                x = _OLD_ACTIVATIONS[function](x @ table)
            return _OLD_OUTPUTS[self.layers[-1][2]](x)


def read_old_dnn(weights: ET.Element, context: WeightContext) -> OldNetwork:
    """Read ``<Layout>`` and ``<Synapses>``.

    Raises
    ------
    WeightFileError
        If layers or synapses are missing or too many, or hold anything but known functions and finite numbers.
    """
    layout, synapses = child(weights, "Layout"), child(weights, "Synapses")
    width = int_attribute(synapses, "InputSize")
    if width != len(context.variables) + 1:
        raise WeightFileError(
            f"<Synapses InputSize={width}> of {context.title} should be {len(context.variables) + 1}, one for each "
            "variable and a bias"
        )
    plan: list[tuple[int, int, str, str]] = []
    for item in sole_children(layout, "Layer", "NumberLayers", _MAX_LAYERS):
        if attribute(item, "Connection") != "FULL":
            raise WeightFileError(f"<Layer Connection={item.get('Connection')!r}> should be 'FULL'")
        nodes = int_attribute(item, "Nodes", 1, _MAX_WIDTH)
        plan.append((width, nodes, _known(item, "ActivationFunction", _OLD_ACTIVATIONS),
                     _known(item, "OutputMode", _OLD_OUTPUTS)))  # fmt: skip
        width = nodes
    total = sum(n_from * n_to for n_from, n_to, _, _ in plan)
    if int_attribute(synapses, "NumberSynapses") != total:
        raise WeightFileError(
            f"<Synapses NumberSynapses={synapses.get('NumberSynapses')!r}> of {context.title} should be {total}"
        )
    check_outputs(width, context, "<Layout>")
    values, layers, first = finite_numbers(synapses, total), [], 0
    for n_from, n_to, function, mode in plan:
        layers.append((values[first : first + n_from * n_to].reshape(n_from, n_to), function, mode))
        first += n_from * n_to
    return OldNetwork(tuple(layers))


def _known(item: ET.Element, name: str, table: Mapping[str, object]) -> str:
    text = attribute(item, name)
    if text not in table:
        raise WeightFileError(f"<{item.tag} {name}={text!r}> should be one of {', '.join(table)}")
    return text


def write_old_dnn(network: OldNetwork, weights: ET.Element) -> Mapping[str, bytes]:
    """Write ``<Layout>`` and ``<Synapses>``."""
    layout = ET.SubElement(weights, "Layout", NumberLayers=str(len(network.layers)))
    values: list[float] = []
    for table, function, mode in network.layers:
        ET.SubElement(
            layout, "Layer", Connection="FULL", Nodes=str(table.shape[1]), ActivationFunction=function, OutputMode=mode
        )
        values += table.ravel().tolist()
    ET.SubElement(
        weights, "Synapses", InputSize=str(len(network.layers[0][0])), NumberSynapses=str(len(values))
    ).text = numbers(values)
    return {}

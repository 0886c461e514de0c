r"""CFMlpANN: the Clermont-Ferrand neural network for two classes, applied from TMVA's weight files.

Each variable is held inside the range it had in the training, which becomes -1 to 1. Every neuron answers with
:math:`\tanh(u / 2T)` to the sum `u` of its weighted inputs and its bias, where `T` is the temperature of its layer. Of the
two outputs the first one, `y`, makes the response: :math:`(1 + y) / 2`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError
from mvakit.method import Capabilities, Method, MethodOptions, WeightContext
from mvakit.options import option
from mvakit.types import AnalysisType
from mvakit.weightfile import child, int_attribute, numbers, text_numbers
from mvakit_methods._network import apply_in_blocks, finite_numbers, rows_per_block

__all__ = ["CFMlpANN", "CFMlpANNOptions", "CFMlpANNState"]

FloatArray = npt.NDArray[np.float64]

_MAX_LAYERS: Final = 1000
_MAX_NEURONS: Final = 1_000_000
_N_CLASSES: Final = 2


@dataclass(frozen=True, kw_only=True)
class CFMlpANNOptions(MethodOptions):
    """The options of `CFMlpANN`; they tell how a file was trained."""

    n_cycles: int = option("NCycles", 3000, "passes over the training events", minimum=0)
    hidden_layers: str = option(
        "HiddenLayers", "N,N-1", "neurons of each hidden layer, where N is the number of variables"
    )


@dataclass(frozen=True, slots=True, eq=False)
class CFMlpANNState:
    """A trained network.

    Attributes
    ----------
    ranges : ndarray, shape (n_variables, 2)
        The smallest and the largest value of each variable.
    layers : tuple of ndarray, shape (n_to, 1 + n_from)
        The bias and the weights of each neuron of each layer but the first.
    temperatures : ndarray, shape (n_layers,)
        Those of all layers; the first layer does not look at its own.
    """

    ranges: FloatArray
    layers: tuple[FloatArray, ...]
    temperatures: FloatArray


class CFMlpANN(Method[CFMlpANNOptions, CFMlpANNState]):
    """A feed-forward network with two outputs."""

    name: ClassVar[str] = "CFMlpANN"
    options_type: ClassVar[type[MethodOptions]] = CFMlpANNOptions
    capabilities: ClassVar[Capabilities] = Capabilities(
        analyses=frozenset({AnalysisType.CLASSIFICATION}), trainable=False
    )

    def predict(
        self,
        state: CFMlpANNState,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,  # noqa: ARG002
        efficiency: float | None = None,  # noqa: ARG002
    ) -> FloatArray:
        """Return the response, shape (n,), between 0 and 1."""
        lowest, highest = state.ranges.T

        def forward(x: FloatArray) -> FloatArray:
            y = np.clip(x, lowest, highest)
            y -= (highest + lowest) / 2
            y /= (highest - lowest) / 2
            for layer, temperature in zip(state.layers, state.temperatures[1:].tolist(), strict=True):
                y = np.tanh((y @ layer[:, 1:].T + layer[:, 0]) / (2 * temperature))
            return 0.5 * (1.0 + y)

        widest = max(max(layer.shape) for layer in state.layers)
        rows = rows_per_block(widest, max(layer.size for layer in state.layers))
        return apply_in_blocks(X, rows, _N_CLASSES, forward)[:, 0]

    def write_state(self, state: CFMlpANNState, weights: ET.Element) -> Mapping[str, bytes]:
        """Write ``<VarMinMax>``, ``<NNeurons>``, a ``<Layer1>`` and so on for each layer, and ``<LayerTemp>``."""
        sizes = [len(state.ranges), *(len(layer) for layer in state.layers)]
        weights.set("NVars", str(sizes[0]))
        weights.set("NClasses", str(_N_CLASSES))
        weights.set("NLayers", str(len(sizes)))
        ET.SubElement(weights, "VarMinMax").text = numbers(state.ranges.ravel().tolist())
        ET.SubElement(weights, "NNeurons").text = " ".join(str(size) for size in sizes)
        for index, layer in enumerate(state.layers, start=1):
            element = ET.SubElement(weights, f"Layer{index}", NNeurons=str(len(layer)))
            for neuron, row in enumerate(layer.tolist()):
                ET.SubElement(element, f"Neuron{neuron}").text = numbers(row)
        ET.SubElement(weights, "LayerTemp").text = numbers(state.temperatures.tolist())
        return {}

    def read_state(self, weights: ET.Element, context: WeightContext) -> CFMlpANNState:
        """Read what `write_state` or TMVA wrote.

        Raises
        ------
        WeightFileError
            If ranges, layers or neurons are missing or too many, do not fit, or hold numbers that are not finite.
        """
        n_layers = int_attribute(weights, "NLayers", 2, _MAX_LAYERS)
        n_variables = len(context.variables)
        sizes = _sizes(weights, n_layers)
        if sizes[0] != n_variables or int_attribute(weights, "NVars") != n_variables:
            raise WeightFileError(
                f"<Weights NVars={weights.get('NVars')!r}> of {context.title} has {sizes[0]} neurons in <NNeurons> for the "
                f"{n_variables} variables"
            )
        if sizes[-1] != _N_CLASSES or int_attribute(weights, "NClasses") != _N_CLASSES:
            raise WeightFileError(
                f"<Weights NClasses={weights.get('NClasses')!r}> of {context.title} ends in {sizes[-1]} neurons; it should "
                f"end in {_N_CLASSES}, one for each class"
            )
        ranges = finite_numbers(child(weights, "VarMinMax"), 2 * n_variables).reshape(n_variables, 2)
        for variable, (lowest, highest) in zip(context.variables, ranges.tolist(), strict=True):
            if not highest > lowest:
                raise WeightFileError(
                    f"<VarMinMax> says that {variable.label!r} lies between {lowest:g} and {highest:g}"
                )
        temperatures = finite_numbers(child(weights, "LayerTemp"), n_layers)
        if not temperatures.all():
            raise WeightFileError("<LayerTemp> holds a temperature of 0")
        layers = tuple(_read_layer(weights, i, sizes[i - 1], sizes[i]) for i in range(1, n_layers))
        return CFMlpANNState(ranges, layers, temperatures)


def _sizes(weights: ET.Element, n_layers: int) -> list[int]:
    """Return the numbers of neurons of the layers."""
    values = text_numbers(child(weights, "NNeurons"), n_layers)
    for value in values.tolist():
        if not (1 <= value <= _MAX_NEURONS and value == int(value)):
            raise WeightFileError(f"<NNeurons> holds {value:g}, which should be a whole number of neurons")
    return [int(value) for value in values.tolist()]


def _read_layer(weights: ET.Element, index: int, n_from: int, n_to: int) -> FloatArray:
    element = child(weights, f"Layer{index}")
    if int_attribute(element, "NNeurons") != n_to or len(element) != n_to:
        raise WeightFileError(
            f"<{element.tag} NNeurons={element.get('NNeurons')!r}> holds {len(element)} neurons and should have {n_to}, "
            "as <NNeurons> says"
        )
    return np.array([finite_numbers(child(element, f"Neuron{i}"), n_from + 1) for i in range(n_to)])

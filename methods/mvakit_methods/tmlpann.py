r"""TMlpANN: ROOT's own multilayer perceptron for two classes, applied from TMVA's weight files.

The inputs are :math:`(x - mean) / rms`, hidden neurons are sigmoids of their bias and weighted inputs, and the response is
the sum of the bias and the weighted inputs of one linear neuron (ROOT's class ``TMultiLayerPerceptron``).

TMVA hands the weights to ROOT in a file with six digits, and ROOT takes mean and rms in single precision. TMVA's weight
files have six digits, so that nothing is lost; numbers with more digits are cut as TMVA would cut them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar, Final
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError
from mvakit.method import Capabilities, Method, MethodOptions, WeightContext
from mvakit.options import option
from mvakit.types import AnalysisType
from mvakit.weightfile import attribute, child
from mvakit_methods._network import apply_in_blocks, finite_numbers, rows_per_block, sigmoid

__all__ = ["TMlpANN", "TMlpANNOptions", "TMlpANNState"]

FloatArray = npt.NDArray[np.float64]

_WIDTH: Final = re.compile("[0-9]{1,7}")


@dataclass(frozen=True, kw_only=True)
class TMlpANNOptions(MethodOptions):
    """The options of `TMlpANN`; they tell how a file was trained."""

    n_cycles: int = option("NCycles", 200, "passes over the training events", minimum=0)
    hidden_layers: str = option(
        "HiddenLayers", "N,N-1", "neurons of each hidden layer, where N is the number of variables"
    )
    validation_fraction: float = option(
        "ValidationFraction", 0.5, "share of the training events kept for validation", minimum=0.0, maximum=1.0
    )
    learning_method: str = option(
        "LearningMethod",
        "Stochastic",
        "how weights are learnt",
        choices=("Stochastic", "Batch", "SteepestDescent", "RibierePolak", "FletcherReeves", "BFGS"),
    )


@dataclass(frozen=True, slots=True, eq=False)
class TMlpANNState:
    """A trained network.

    Attributes
    ----------
    structure : str
        ROOT's words for the layout.
    sizes : tuple of int
        The numbers of neurons of the layers: the variables, the hidden layers, and 1.
    inputs : ndarray, shape (n_variables, 2)
        Rms and mean of each variable.
    outputs : ndarray, shape (1, 2)
        Those of what was learnt; the response does not look at them.
    neurons : ndarray, shape (sum(sizes),)
        The biases, layer by layer; those of the first layer mean nothing.
    synapses : ndarray
        The weights of each neuron after the first layer, neuron by neuron.
    """

    structure: str
    sizes: tuple[int, ...]
    inputs: FloatArray
    outputs: FloatArray
    neurons: FloatArray
    synapses: FloatArray
    _layers: tuple[tuple[FloatArray, FloatArray], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        biases, weights = _six_digits(self.neurons), _six_digits(self.synapses)
        layers, neuron, synapse = [], self.sizes[0], 0
        for n_from, n_to in pairwise(self.sizes):
            table = weights[synapse : synapse + n_from * n_to].reshape(n_to, n_from)
            layers.append((np.ascontiguousarray(table.T), biases[neuron : neuron + n_to]))
            neuron += n_to
            synapse += n_from * n_to
        object.__setattr__(self, "_layers", tuple(layers))

    def __call__(self, X: npt.NDArray[np.float32]) -> FloatArray:
        """Return the value of the last neuron, shape (n_events, 1)."""
        rms, mean = _six_digits(self.inputs).astype(np.float32).astype(np.float64).T

        def forward(x: FloatArray) -> FloatArray:
            y: FloatArray = (x - mean) / rms
            for index, (weights, bias) in enumerate(self._layers):
                y = y @ weights + bias
                if index < len(self._layers) - 1:
                    y = sigmoid(y)
            return y

        rows = rows_per_block(max(self.sizes), max(weights.size for weights, _ in self._layers))
        return apply_in_blocks(X, rows, 1, forward)


class TMlpANN(Method[TMlpANNOptions, TMlpANNState]):
    """A feed-forward network of sigmoids with a linear output."""

    name: ClassVar[str] = "TMlpANN"
    options_type: ClassVar[type[MethodOptions]] = TMlpANNOptions
    capabilities: ClassVar[Capabilities] = Capabilities(
        analyses=frozenset({AnalysisType.CLASSIFICATION}), trainable=False
    )

    def predict(
        self,
        state: TMlpANNState,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,  # noqa: ARG002
        efficiency: float | None = None,  # noqa: ARG002
    ) -> FloatArray:
        """Return the response, shape (n,); it is near 1 for signal and 0 for background, and has no bounds."""
        return state(X)[:, 0]

    def write_state(self, state: TMlpANNState, weights: ET.Element) -> Mapping[str, bytes]:
        """Write ``<Architecture>``, ``<input>``, ``<output>``, ``<neurons>`` and ``<synapses>``."""
        ET.SubElement(weights, "Architecture", BuildOptions=state.structure)
        for tag, values in (
            ("input", state.inputs),
            ("output", state.outputs),
            ("neurons", state.neurons),
            ("synapses", state.synapses),
        ):
            ET.SubElement(weights, tag).text = " ".join(_text(value) for value in values.ravel().tolist())
        return {}

    def read_state(self, weights: ET.Element, context: WeightContext) -> TMlpANNState:
        """Read what `write_state` or TMVA wrote.

        Raises
        ------
        WeightFileError
            If the layout is none of TMVA's, or a number is missing, too many or not finite.
        """
        structure = attribute(child(weights, "Architecture"), "BuildOptions")
        sizes = _sizes(structure, len(context.variables))
        inputs = finite_numbers(child(weights, "input"), 2 * sizes[0]).reshape(-1, 2)
        for variable, (rms, _) in zip(context.variables, inputs.tolist(), strict=True):
            if not rms:
                raise WeightFileError(f"<input> says that {variable.label!r} has an rms of 0")
        return TMlpANNState(
            structure,
            sizes,
            inputs,
            finite_numbers(child(weights, "output"), 2).reshape(-1, 2),
            finite_numbers(child(weights, "neurons"), sum(sizes)),
            finite_numbers(child(weights, "synapses"), sum(a * b for a, b in pairwise(sizes))),
        )


def _sizes(structure: str, n_variables: int) -> tuple[int, ...]:
    """Return the numbers of neurons of the layers of a layout."""
    _, *hidden, output = structure.split(":") if ":" in structure else ("", "")
    widths = [int(width) if _WIDTH.fullmatch(width) else 0 for width in hidden]
    # A "!" at the end asks for another output, and "@" for one on another scale; TMVA asks for neither.
    if not widths or not all(widths) or output != "type":
        raise WeightFileError(
            f"<Architecture BuildOptions={structure[:80]!r}> should be variables, sizes of hidden layers and 'type', as in "
            "'@var1,@var2:5:4:type'"
        )
    return (n_variables, *widths, 1)


def _six_digits(values: FloatArray) -> FloatArray:
    """Return numbers as they are after they were written with six digits."""
    return np.array([float(f"{value:.6g}") for value in values.ravel().tolist()]).reshape(values.shape)


def _text(value: float) -> str:
    """Write a number with the six digits of TMVA where they say all."""
    short = f"{value:.6g}"
    return short if float(short) == value else f"{value:.17g}"

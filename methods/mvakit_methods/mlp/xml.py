"""The ``<Weights>`` of an MLP, both ways: ``<Layout>``, and ``<InverseHessian>`` where errors were asked for.

The text of a ``<Neuron>`` holds its weights to the neurons of the next layer; the last neuron of each layer but the last
is the bias. Files of TMVA 4.0 have the layers without a ``<Layout>`` about them; they are written with one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError
from mvakit.weightfile import int_attribute, numbers
from mvakit_methods._network import finite_numbers, sole_children

__all__ = ["read_hessian", "read_layers", "write_perceptron"]

FloatArray = npt.NDArray[np.float64]

_MAX_LAYERS: Final = 1000
_MAX_NEURONS: Final = 1_000_000


def read_layers(weights: ET.Element, n_variables: int) -> tuple[FloatArray, ...]:
    """Read the weights from layer to layer, each of shape (n_from + 1, n_to).

    Raises
    ------
    WeightFileError
        If layers, neurons or synapses are missing or too many, or a weight is no finite single precision number.
    """
    layout = weights.find("Layout")
    layout = weights if layout is None else layout
    items = sole_children(layout, "Layer", "NLayers", _MAX_LAYERS)
    if len(items) < 2:
        raise WeightFileError(f"<{layout.tag} NLayers={len(items)}> has no layer between which weights could be")
    layers: dict[int, list[ET.Element]] = {}
    for item in items:
        index = int_attribute(item, "Index", 0, len(items) - 1)
        if index in layers:
            raise WeightFileError(f"<{layout.tag}> holds two <Layer Index={index}>")
        layers[index] = sole_children(item, "Neuron", "NNeurons", _MAX_NEURONS)
    if len(layers[0]) != n_variables + 1:
        raise WeightFileError(
            f"<Layer Index=0 NNeurons={len(layers[0])}> should have {n_variables + 1} neurons, one for each of the "
            f"{n_variables} variables and a bias"
        )
    last = len(items) - 1
    # A bias has no synapses into it.
    sizes = [len(layers[i]) - (0 if i == last else 1) for i in range(len(items))]
    for index, size in enumerate(sizes):
        if not size:
            raise WeightFileError(f"<Layer Index={index} NNeurons={len(layers[index])}> has no neuron beside the bias")
    for neuron in layers[last]:
        _synapses(neuron, 0, last)
    return tuple(_between(layers[i], sizes[i + 1], i) for i in range(last))


def _between(neurons: Sequence[ET.Element], n_to: int, layer: int) -> FloatArray:
    rows = np.array([_synapses(neuron, n_to, layer) for neuron in neurons])
    with np.errstate(over="ignore"):
        if not np.isfinite(rows.astype(np.float32)).all():
            raise WeightFileError(
                f"<Layer Index={layer}> holds a weight of {np.abs(rows).max():g}, which is too large for a float32 number"
            )
    return rows


def _synapses(neuron: ET.Element, expected: int, layer: int) -> FloatArray:
    if int_attribute(neuron, "NSynapses", 0) != expected:
        raise WeightFileError(
            f"<Neuron NSynapses={neuron.get('NSynapses')!r}> of <Layer Index={layer}> should have {expected} synapses, "
            "one for each neuron of the next layer but its bias"
        )
    return finite_numbers(neuron, expected)


def read_hessian(weights: ET.Element, n_weights: int) -> FloatArray | None:
    """Read the inverse Hessian matrix of `n_weights` weights, or None where there is none.

    Raises
    ------
    WeightFileError
        If it is not a matrix of finite numbers with a row and a column for each weight.
    """
    element = weights.find("InverseHessian")
    if element is None:
        return None
    for name, expected in (("NRows", n_weights), ("NCols", n_weights), ("NElements", n_weights**2)):
        if int_attribute(element, name) != expected:
            raise WeightFileError(
                f"<InverseHessian {name}={element.get(name)!r}> should be {expected} for the {n_weights} weights"
            )
    rows: dict[int, FloatArray] = {}
    for item in sole_children(element, "Row", "NRows", n_weights):
        index = int_attribute(item, "Index", 0, n_weights - 1)
        if index in rows:
            raise WeightFileError(f"<InverseHessian> holds two <Row Index={index}>")
        rows[index] = finite_numbers(item, n_weights)
    return np.array([rows[i] for i in range(n_weights)])


def write_perceptron(
    tables: Sequence[FloatArray], inverse_hessian: FloatArray | None, weights: ET.Element
) -> Mapping[str, bytes]:
    """Write what `read_layers` and `read_hessian` read."""
    layout = ET.SubElement(weights, "Layout", NLayers=str(len(tables) + 1))
    for index, table in enumerate(tables):
        layer = ET.SubElement(layout, "Layer", Index=str(index), NNeurons=str(len(table)))
        for row in table.tolist():
            ET.SubElement(layer, "Neuron", NSynapses=str(len(row))).text = numbers(row)
    n_outputs = tables[-1].shape[1]
    layer = ET.SubElement(layout, "Layer", Index=str(len(tables)), NNeurons=str(n_outputs))
    for _ in range(n_outputs):
        ET.SubElement(layer, "Neuron", NSynapses="0")
    if inverse_hessian is not None:
        size = len(inverse_hessian)
        element = ET.SubElement(weights, "InverseHessian", NElements=str(size * size), NRows=str(size), NCols=str(size))
        for index, row in enumerate(inverse_hessian.tolist()):
            ET.SubElement(element, "Row", Index=str(index)).text = numbers(row)
    return {}

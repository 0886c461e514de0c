"""DNN: both forms of its files, by loops; files that are refused."""

from __future__ import annotations

import itertools
import math
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods.dl import DNN, DNNOptions

from mvakit.errors import WeightFileError
from mvakit.method import WeightContext
from mvakit.types import AnalysisType
from mvakit.variables import define

CLASSES = ("Signal", "Background", "Other")
RNG = np.random.default_rng(8)
X = RNG.normal(size=(6, 3)).astype(np.float32)


def context(analysis=AnalysisType.CLASSIFICATION) -> WeightContext:
    classes = CLASSES if analysis is AnalysisType.MULTICLASS else CLASSES[:2]
    return WeightContext(analysis, "D", tuple(define(v) for v in "abc"), classes, (), {}, lambda name: b"", {})


def there_and_back(weights: ET.Element, where: WeightContext) -> np.ndarray:
    method = DNN(DNNOptions())
    state = method.read_state(weights, where)
    element = ET.Element("Weights")
    assert method.write_state(state, element) == {}
    assert [(e.tag, e.attrib) for e in element.iter()] == [(e.tag, e.attrib) for e in weights.iter()]
    assert [(e.text or "").split() for e in element.iter()] == [(e.text or "").split() for e in weights.iter()]
    response = method.predict(state, X)
    np.testing.assert_array_equal(method.predict(method.read_state(element, where), X), response)
    return response


def layered(sizes: tuple[int, ...], output: str, activation: int = 5) -> tuple[ET.Element, list]:
    """A ``<Layer>`` for each layer."""
    weights = ET.Element(
        "Weights", InputWidth=str(sizes[0]), Depth=str(len(sizes) - 1), LossFunction="C", OutputFunction=output
    )
    tables = []
    for index, (n_from, n_to) in enumerate(itertools.pairwise(sizes)):
        function = 0 if index == len(sizes) - 2 else activation
        layer = ET.SubElement(weights, "Layer", ActivationFunction=str(function))
        w, b = RNG.normal(size=(n_to, n_from)), RNG.normal(size=(n_to, 1))
        for tag, table in (("Weights", w), ("Biases", b)):
            element = ET.SubElement(layer, tag, rows=str(table.shape[0]), cols=str(table.shape[1]))
            element.text = " ".join(f"{v:.16e}" for v in table.ravel())
        tables.append((w, b[:, 0]))
    return weights, tables


@pytest.mark.parametrize("output", "ISM")
def test_a_layer_for_each_layer(output):
    analysis = AnalysisType.MULTICLASS if output == "M" else AnalysisType.CLASSIFICATION
    weights, tables = layered((3, 4, 3 if output == "M" else 1), output)
    expected = []
    for x in X.tolist():
        values = x
        for index, (w, b) in enumerate(tables):
            values = [b[j] + sum(w[j, i] * v for i, v in enumerate(values)) for j in range(len(b))]
            if index == 0:
                values = [v / (1 + abs(v)) for v in values]
        if output == "S":
            values = [1 / (1 + math.exp(-v)) for v in values]
        if output == "M":
            values = [math.exp(v) / sum(math.exp(u) for u in values) for v in values]
        expected.append(values if output == "M" else values[0])
    np.testing.assert_allclose(there_and_back(weights, context(analysis)), expected, rtol=1e-12)


def test_structure():
    weights, tables = layered((3, 4, 1), "S")
    method = DNN(DNNOptions())
    network = method.structure(method.read_state(weights, context()))
    assert [layer.activation for layer in network.layers] == ["softsign", "sigmoid"]
    np.testing.assert_array_equal(network.layers[0].weights, tables[0][0].T.astype(np.float32))
    assert method.structure(method.read_state(old("TL", "22")[0], context())) is None


FUNCTIONS = {
    "0": lambda x: 0.0,
    "L": lambda x: x,
    "T": math.tanh,
    "R": lambda x: max(x, 0.0),
    "r": lambda x: x - 0.3 if x > 0.3 else x + 0.3 if x < -0.3 else 0.0,
    "t": lambda x: math.tanh(x - 0.3),
    "s": lambda x: 1 / (1 + math.exp(-x)),
    "S": lambda x: x / (1 + abs(x)),
    "G": lambda x: math.exp(-((6 * x) ** 2)),
    "C": lambda x: 1 - math.exp(-((6 * x) ** 2)),
    "D": lambda x: math.exp(-((8 * (x - 0.1)) ** 2)) - math.exp(-((8 * (x + 0.1)) ** 2)),
}


def old(functions: str, modes: str, n_outputs: int = 1) -> tuple[ET.Element, list[float], list[int]]:
    """``<Layout>`` and ``<Synapses>``."""
    weights = ET.Element("Weights")
    layout = ET.SubElement(weights, "Layout", NumberLayers=str(len(functions)))
    sizes = [4, *[5] * (len(functions) - 1), n_outputs]
    for size, function, mode in zip(sizes[1:], functions, modes, strict=True):
        ET.SubElement(layout, "Layer", Connection="FULL", Nodes=str(size), ActivationFunction=function, OutputMode=mode)
    values = RNG.normal(scale=0.3, size=sum(a * b for a, b in itertools.pairwise(sizes)))
    synapses = ET.SubElement(weights, "Synapses", InputSize="4", NumberSynapses=str(len(values)))
    synapses.text = " ".join(f"{v:.16e}" for v in values)
    return weights, values.tolist(), sizes


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("modes", ["11", "dd", "22", "ss", "14", "dS"])
def test_the_older_form(function, modes):
    softmax = modes[-1] in "4S"
    weights, values, sizes = old(function + "L", modes, 3 if softmax else 1)
    expected = []
    for x in X.tolist():
        nodes, left = [*x, 1.0], iter(values)
        for size, name in zip(sizes[1:], function + "L", strict=True):
            sums = [0.0] * size
            for node in nodes:
                for j in range(size):
                    sums[j] += node * next(left)
            nodes = [FUNCTIONS[name](v) for v in sums]
        if modes[-1] in "2s":
            nodes = [1 / (1 + math.exp(-v)) for v in nodes]
        if softmax:
            nodes = [math.exp(v) / sum(math.exp(u) for u in nodes) for v in nodes]
        expected.append(nodes if softmax else nodes[0])
    analysis = AnalysisType.MULTICLASS if softmax else AnalysisType.CLASSIFICATION
    np.testing.assert_allclose(there_and_back(weights, context(analysis)), expected, rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.set("InputWidth", "4"), "InputWidth=4> of D should be 3"),
        (lambda w: w.set("Depth", "70000000"), "Depth='70000000'"),
        (lambda w: w.set("Depth", "3"), "holds 2 <Layer>"),
        (lambda w: w.set("OutputFunction", "X"), "OutputFunction='X'"),
        (lambda w: w.attrib.pop("LossFunction"), "lacks the attribute 'LossFunction'"),
        (lambda w: w[0].set("ActivationFunction", "-1"), "ActivationFunction='-1'"),
        (lambda w: w[0][0].set("rows", "900000"), "<Weights> should hold 2700000 numbers and holds 12"),
        (lambda w: w[0][0].set("rows", "0"), "rows='0'"),
        (lambda w: w[0][0].set("cols", "4"), "cols='4'"),
        (lambda w: w[1].remove(w[1][1]), "lacks <Biases>"),
        (lambda w: setattr(w[1][0], "text", "1 2 3 inf"), "not finite"),
        (lambda w: (w.remove(w[1]), w.set("Depth", "1")), "ends in 4 outputs"),
    ],
)
def test_what_is_refused(change, message):
    weights, _ = layered((3, 4, 1), "S")
    change(weights)
    with pytest.raises(WeightFileError, match=message):
        DNN(DNNOptions()).read_state(weights, context())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w[0].set("NumberLayers", "800000000"), "NumberLayers='800000000'"),
        (lambda w: w[0].set("NumberLayers", "1"), "holds 2 <Layer>"),
        (lambda w: w[0][0].set("Nodes", "900000"), "NumberSynapses='25'> of D should be 4500000"),
        (lambda w: w[0][0].set("Nodes", "0"), "Nodes='0'"),
        (lambda w: w[0][0].set("Connection", "SPARSE"), "'SPARSE'> should be 'FULL'"),
        (lambda w: w[0][0].set("ActivationFunction", "Q"), "ActivationFunction='Q'"),
        (lambda w: w[0][1].set("OutputMode", "9"), "OutputMode='9'"),
        (lambda w: w[1].set("InputSize", "3"), "InputSize=3> of D should be 4"),
        (lambda w: w[1].set("NumberSynapses", "24"), "NumberSynapses='24'> of D should be 25"),
        (
            lambda w: setattr(w[1], "text", w[1].text.rsplit(" ", 1)[0]),
            "<Synapses> should hold 25 numbers and holds 24",
        ),
        (lambda w: setattr(w[1], "text", "nan " + w[1].text.split(" ", 1)[1]), "not finite"),
        (lambda w: w.remove(w[1]), "lacks <Synapses>"),
        (lambda w: (w[0].remove(w[0][1]), w[0].set("NumberLayers", "1"), w[1].set("NumberSynapses", "20")), "outputs"),
    ],
)
def test_what_is_refused_of_the_older_form(change, message):
    weights, _, _ = old("TL", "11")
    change(weights)
    with pytest.raises(WeightFileError, match=message):
        DNN(DNNOptions()).read_state(weights, context())

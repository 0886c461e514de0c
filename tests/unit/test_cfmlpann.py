"""CFMlpANN: neuron by neuron; files that are refused."""

from __future__ import annotations

import itertools
import math
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods.cfmlpann import CFMlpANN, CFMlpANNOptions

from mvakit.errors import WeightFileError
from mvakit.method import WeightContext
from mvakit.types import AnalysisType
from mvakit.variables import define

VARIABLES = tuple(define(label) for label in "abc")
CONTEXT = WeightContext(
    AnalysisType.CLASSIFICATION, "C", VARIABLES, ("Signal", "Background"), (), {}, lambda name: b"", {}
)
SIZES = (3, 4, 3, 2)
RANGES = ((-1.0, 2.0), (0.5, 3.5), (-4.0, -1.0))
TEMPERATURES = (1.0, 0.8, 1.3, 0.9)
RNG = np.random.default_rng(4)
TABLES = [RNG.normal(size=(b, a + 1)) for a, b in itertools.pairwise(SIZES)]
X = RNG.uniform([-3, -1, -6], [4, 5, 1], size=(12, 3)).astype(np.float32)


def document() -> ET.Element:
    """What TMVA writes."""
    weights = ET.Element("Weights", NVars="3", NClasses="2", NLayers="4")
    ET.SubElement(weights, "VarMinMax").text = " ".join(f"{v:.16e}" for pair in RANGES for v in pair) + " "
    ET.SubElement(weights, "NNeurons").text = " ".join(str(size) for size in SIZES) + " "
    for index, table in enumerate(TABLES, start=1):
        layer = ET.SubElement(weights, f"Layer{index}", NNeurons=str(len(table)))
        for neuron, row in enumerate(table):
            ET.SubElement(layer, f"Neuron{neuron}").text = " ".join(f"{v:.16e}" for v in row)
    ET.SubElement(weights, "LayerTemp").text = " ".join(f"{v:.16e}" for v in TEMPERATURES) + " "
    return weights


def answer(u: float, temperature: float) -> float:
    if u / temperature > 170:
        return 1.0
    if u / temperature < -170:
        return -1.0
    y = math.exp(-u / temperature)
    return (1 - y) / (1 + y)


def naive(x: np.ndarray) -> float:
    values = []
    for value, (lowest, highest) in zip(x.tolist(), RANGES, strict=True):
        held = min(max(value, lowest), highest)
        values.append((held - (highest + lowest) / 2) / ((highest - lowest) / 2))
    for layer, table in enumerate(TABLES, start=1):
        values = [
            answer(row[0] + sum(w * v for w, v in zip(row[1:], values, strict=True)), TEMPERATURES[layer])
            for row in table.tolist()
        ]
    return 0.5 * (1 + values[0])


def test_neuron_by_neuron():
    method = CFMlpANN(CFMlpANNOptions())
    state = method.read_state(document(), CONTEXT)
    expected = [naive(x) for x in X]
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(method.predict(state, X), expected, rtol=1e-12)
    np.testing.assert_allclose(method.predict(state, np.tile(X, (2000, 1))), np.tile(expected, 2000), rtol=1e-12)
    assert not method.capabilities.trainable


def test_a_file_is_written_as_it_was_read():
    method = CFMlpANN(CFMlpANNOptions())
    weights = document()
    element = ET.Element("Weights")
    assert method.write_state(method.read_state(weights, CONTEXT), element) == {}
    assert [(e.tag, e.attrib) for e in element.iter()] == [(e.tag, e.attrib) for e in weights.iter()]
    assert [(e.text or "").split() for e in element.iter()] == [(e.text or "").split() for e in weights.iter()]


def test_large_sums_end_at_one():
    weights = document()
    for neuron in weights.find("Layer3"):
        neuron.text = "1e300 0 0 0"
    method = CFMlpANN(CFMlpANNOptions())
    np.testing.assert_array_equal(method.predict(method.read_state(weights, CONTEXT), X), 1.0)


def text_of(tag: str, text: str):
    def change(w: ET.Element) -> None:
        w.find(tag).text = text

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.set("NLayers", "900000000"), "NLayers='900000000'"),
        (lambda w: w.set("NLayers", "5"), "<NNeurons> should hold 5 numbers and holds 4"),
        (lambda w: w.set("NVars", "4"), "NVars='4'> of C has 3 neurons in <NNeurons> for the 3 variables"),
        (lambda w: w.set("NClasses", "3"), "NClasses='3'"),
        (text_of("NNeurons", "4 4 3 2"), "has 4 neurons in <NNeurons>"),
        (text_of("NNeurons", "3 4 3 1"), "ends in 1 neurons"),
        (text_of("NNeurons", "3 4.5 3 2"), "<NNeurons> holds 4.5"),
        (text_of("NNeurons", "3 nan 3 2"), "<NNeurons> holds nan"),
        (text_of("NNeurons", "3 900000000 3 2"), "<NNeurons> holds 9e"),
        (text_of("NNeurons", "3 900000 3 2"), "<Layer1 NNeurons='4'> holds 4 neurons and should have 900000"),
        (text_of("VarMinMax", "0 1 0 1"), "<VarMinMax> should hold 6 numbers"),
        (text_of("VarMinMax", "0 1 2 2 0 1"), "'b' lies between 2 and 2"),
        (text_of("VarMinMax", "0 inf 0 1 0 1"), "<VarMinMax> holds a number that is not finite"),
        (text_of("LayerTemp", "1 1 0 1"), "a temperature of 0"),
        (text_of("LayerTemp", "1 1"), "<LayerTemp> should hold 4"),
        (text_of("Layer2/Neuron1", "1 2 nan 4 5"), "<Neuron1> holds a number that is not finite"),
        (text_of("Layer2/Neuron1", "1 2 3 4"), "<Neuron1> should hold 5 numbers and holds 4"),
        (lambda w: w.find("Layer1").set("NNeurons", "5"), "<Layer1 NNeurons='5'>"),
        (lambda w: w.find("Layer1").remove(w.find("Layer1/Neuron0")), "holds 3 neurons"),
        (lambda w: setattr(w.find("Layer1/Neuron0"), "tag", "Neuron9"), "lacks <Neuron0>"),
        (lambda w: w.remove(w.find("Layer2")), "lacks <Layer2>"),
        (lambda w: w.remove(w.find("VarMinMax")), "lacks <VarMinMax>"),
    ],
)
def test_what_is_refused(change, message):
    weights = document()
    change(weights)
    with pytest.raises(WeightFileError, match=message):
        CFMlpANN(CFMlpANNOptions()).read_state(weights, CONTEXT)

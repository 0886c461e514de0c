"""MLP: neurons one by one, the files of TMVA's releases, and files that are refused."""

from __future__ import annotations

import copy
import math
import pickle
from itertools import pairwise
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods._network import fast_tanh, open_fast_tanh, rows_per_block
from mvakit_methods.mlp import MLP, MLPOptions
from mvakit_methods.mlp.options import hidden_widths

from mvakit.errors import MethodError, WeightFileError
from mvakit.method import WeightContext
from mvakit.types import AnalysisType
from mvakit.variables import define

VARIABLES = tuple(define(label) for label in "abc")
CLASSES = ("Signal", "Background", "Other")
TARGETS = (define("t"), define("u"))
LAYOUT = (3, 4, 2)
CUT_OFF = {"TMVA Release": "4.2.1 [262657]", "ROOT Release": "6.24/04 [399364]"}

FUNCTIONS = {
    "linear": lambda x: x,
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "tanh": math.tanh,
    "radial": lambda x: math.exp(-x * x / 2),
    "ReLU": lambda x: x if x > 0 else 0.0,
}
INPUTS = {"sum": lambda x: x, "sqsum": lambda x: x * x, "abssum": abs}


def context(analysis=AnalysisType.CLASSIFICATION, info=None, **options: str) -> WeightContext:
    classes = CLASSES if analysis is AnalysisType.MULTICLASS else CLASSES[:2]
    targets = TARGETS if analysis is AnalysisType.REGRESSION else ()
    return WeightContext(analysis, "M", VARIABLES, classes, targets, options, lambda name: b"", info or {})


def tables(n_outputs: int, seed: int = 1) -> list[np.ndarray]:
    """Weights in single precision, of shape (n_from + 1, n_to)."""
    rng = np.random.default_rng(seed)
    sizes = (*LAYOUT, n_outputs)
    return [rng.normal(size=(a + 1, b)).astype(np.float32) for a, b in pairwise(sizes)]


def document(weights: list[np.ndarray], layout: bool = True) -> ET.Element:
    """The XML of TMVA."""
    root = ET.Element("Weights")
    parent = ET.SubElement(root, "Layout") if layout else root
    parent.set("NLayers", str(len(weights) + 1))
    for index, table in enumerate(weights):
        layer = ET.SubElement(parent, "Layer", Index=str(index), NNeurons=str(len(table)))
        for row in table:
            neuron = ET.SubElement(layer, "Neuron", NSynapses=str(len(row)))
            neuron.text = "\n " + " ".join(f"{w:.16e}" for w in row) + " \n"
    n_outputs = weights[-1].shape[1]
    layer = ET.SubElement(parent, "Layer", Index=str(len(weights)), NNeurons=str(n_outputs))
    for _ in range(n_outputs):
        ET.SubElement(layer, "Neuron", NSynapses="0")
    return root


def naive(weights: list[np.ndarray], x: np.ndarray, neuron: str, output: str, combine: str) -> list[float]:
    """Neuron by neuron, as TMVA does."""
    values = [float(v) for v in x]
    for index, table in enumerate(weights):
        values = [*values, 1.0]
        function = FUNCTIONS[output if index == len(weights) - 1 else neuron]
        values = [
            function(sum(INPUTS[combine](float(table[i, j]) * v) for i, v in enumerate(values)))
            for j in range(table.shape[1])
        ]
    return values


X = np.random.default_rng(2).normal(size=(7, 3)).astype(np.float32)


@pytest.mark.parametrize("neuron", FUNCTIONS)
@pytest.mark.parametrize("combine", INPUTS)
@pytest.mark.parametrize(("estimator", "output"), [("MSE", "linear"), ("CE", "sigmoid")])
def test_every_neuron(neuron, combine, estimator, output):
    weights = tables(1)
    options = {"NeuronType": neuron, "NeuronInputType": combine, "EstimatorType": estimator}
    method = MLP(MLPOptions())
    state = method.read_state(document(weights), context(**options))
    expected = [naive(weights, x, neuron, output, combine)[0] for x in X]
    np.testing.assert_allclose(method.predict(state, X), expected, rtol=1e-12)


def test_options_of_the_method_count_where_a_file_has_none():
    method = MLP(MLPOptions.parse("NeuronType=radial:EstimatorType=CE"))
    state = method.read_state(document(tables(1)), context())
    assert (state.neuron, state.output, state.combination) == ("radial", "sigmoid", "sum")
    assert MLP(MLPOptions()).read_state(document(tables(1)), context()).output == "linear"


def test_several_classes_get_a_softmax():
    weights = tables(3)
    method = MLP(MLPOptions())
    state = method.read_state(document(weights), context(AnalysisType.MULTICLASS, NeuronType="sigmoid"))
    outputs = np.array([naive(weights, x, "sigmoid", "linear", "sum") for x in X])
    expected = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(method.predict(state, X), expected, rtol=1e-12)


def test_targets_are_the_outputs():
    weights = tables(2)
    method = MLP(MLPOptions())
    state = method.read_state(document(weights), context(AnalysisType.REGRESSION, NeuronType="sigmoid"))
    expected = [naive(weights, x, "sigmoid", "linear", "sum") for x in X]
    np.testing.assert_allclose(method.predict(state, X), expected, rtol=1e-12)


def test_many_events_are_the_same_in_blocks_and_alone():
    state = MLP(MLPOptions()).read_state(document(tables(1)), context(NeuronType="tanh", info=CUT_OFF))
    many = np.random.default_rng(3).normal(size=(20_001, 3)).astype(np.float32)
    response = MLP(MLPOptions()).predict(state, many)
    assert response.shape == (20_001,)
    for i in (0, 8191, 8192, 20_000):
        np.testing.assert_allclose(MLP(MLPOptions()).predict(state, many[i : i + 1]), response[i : i + 1], rtol=1e-13)
    assert MLP(MLPOptions()).predict(state, many[:0]).shape == (0,)
    assert rows_per_block(10**9) == 1
    assert rows_per_block(10, 10**6) == 512


def test_a_state_travels():
    method = MLP(MLPOptions())
    state = method.read_state(document(tables(1)), context(NeuronType="radial"))
    again = pickle.loads(pickle.dumps(state))
    np.testing.assert_array_equal(method.predict(again, X), method.predict(state, X))


# ------------------------------------------------------------------------------------------------ tangents


@pytest.mark.parametrize(
    ("tmva", "root", "kind"),
    [
        ("4.1.2 [262402]", "5.32/00 [335872]", "tanh"),
        ("4.2.0 [262656]", "5.34/11 [336395]", "tanh"),
        ("4.2.1 [262657]", "6.04/14 [394254]", "open_fast_tanh"),
        ("4.2.1 [262657]", "6.05/99 [394751]", "open_fast_tanh"),
        ("4.2.1 [262657]", "6.06/00 [394752]", "fast_tanh"),
        ("4.2.1 [262657]", "6.24/04 [399364]", "fast_tanh"),
        ("4.2.1 [262657]", "6.26/00 [399872]", "tanh"),
        ("4.2.1 [262657]", "6.33/01 [401665]", "tanh"),
        ("4.2.1 [262657]", "6.40/00 [403456]", "open_fast_tanh"),
        ("4.2.1 [262657]", "6.40/02 [403458]", "tanh"),
        ("4.2.1 [262657]", "", "tanh"),
        ("", "", "tanh"),
    ],
)
def test_each_release_has_its_tangent(tmva, root, kind):
    info = {"TMVA Release": tmva, "ROOT Release": root}
    state = MLP(MLPOptions()).read_state(document(tables(1)), context(info=info, NeuronType="tanh"))
    assert state.neuron == kind


def test_fast_tangents():
    x = np.array([-30.0, -4.98, -4.96, -1.0, 0.0, 0.5, 4.969, 4.971, 12.0])
    inside = np.abs(x) < 4.97
    np.testing.assert_allclose(fast_tanh(x)[inside], np.tanh(x[inside]), atol=1.2e-4)
    np.testing.assert_array_equal(fast_tanh(x)[~inside], np.sign(x[~inside]))
    np.testing.assert_array_equal(open_fast_tanh(x)[inside], fast_tanh(x)[inside])
    f = np.float32
    for value in x:
        square = f(value * value)
        above = f(value * (f(135135) + square * (f(17325) + square * (f(378) + square))))
        below = f(135135) + square * (f(62370) + square * (f(3150) + square * f(28)))
        assert open_fast_tanh(np.array([value]))[0] == above / below
    # 7 terms of the continued fraction x / (1 + x^2 / (3 + x^2 / (5 + ...))).
    fraction = 13.0
    for odd in (11, 9, 7, 5, 3, 1):
        fraction = odd + 0.25 / fraction
    assert fast_tanh(np.array([0.5]))[0] == pytest.approx(0.5 / fraction, rel=1e-6)


# -------------------------------------------------------------------------------------------------- files


def test_a_file_is_written_as_it_was_read():
    weights = document(tables(3))
    weights.append(hessian(sum(t.size for t in tables(3))))
    method = MLP(MLPOptions())
    where = context(AnalysisType.MULTICLASS)
    state = method.read_state(weights, where)
    element = ET.Element("Weights")
    assert method.write_state(state, element) == {}
    assert [(e.tag, e.attrib) for e in element.iter()] == [(e.tag, e.attrib) for e in weights.iter()]
    assert [(e.text or "").split() for e in element.iter()] == [(e.text or "").split() for e in weights.iter()]
    again = method.read_state(element, where)
    np.testing.assert_array_equal(method.predict(again, X), method.predict(state, X))


def test_files_of_tmva_4_0_have_no_layout():
    method = MLP(MLPOptions())
    old = method.read_state(document(tables(1), layout=False), context())
    new = method.read_state(document(tables(1)), context())
    np.testing.assert_array_equal(method.predict(old, X), method.predict(new, X))
    element = ET.Element("Weights")
    method.write_state(old, element)
    assert element.find("Layout").get("NLayers") == "4"


def test_a_network_without_hidden_layers():
    table = np.array([[1.0], [2.0], [-1.0], [0.5]], dtype=np.float32)
    state = MLP(MLPOptions()).read_state(document([table]), context())
    np.testing.assert_allclose(MLP(MLPOptions()).predict(state, X), X @ [1, 2, -1] + 0.5, rtol=1e-6)


def hessian(size: int) -> ET.Element:
    element = ET.Element("InverseHessian", NElements=str(size * size), NRows=str(size), NCols=str(size))
    for index in range(size):
        ET.SubElement(element, "Row", Index=str(index)).text = " ".join(
            f"{1 / (1 + index + j):.16e}" for j in range(size)
        )
    return element


def broken(change) -> ET.Element:
    weights = document(tables(1))
    weights.append(hessian(sum(t.size for t in tables(1))))
    change(weights)
    return copy.deepcopy(weights)


def set_to(path: str, name: str, value: str):
    return lambda w: w.find(path).set(name, value)


def text_of(path: str, text: str):
    def change(w: ET.Element) -> None:
        w.find(path).text = text

    return change


NEURON = "Layout/Layer/Neuron"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_to("Layout", "NLayers", "999999999"), "NLayers='999999999'"),
        (set_to("Layout", "NLayers", "3"), "NLayers='3'> holds 4 <Layer>"),
        (set_to("Layout", "NLayers", "x"), "NLayers='x'"),
        (set_to("Layout/Layer", "NNeurons", "4000000000"), "NNeurons='4000000000'"),
        (set_to("Layout/Layer", "NNeurons", "5"), "holds 4 <Neuron>"),
        (set_to("Layout/Layer", "Index", "1"), "two <Layer Index=1>"),
        (set_to("Layout/Layer", "Index", "-1"), "Index='-1'"),
        (set_to(NEURON, "NSynapses", "5"), "should have 4 synapses"),
        (set_to(NEURON, "NSynapses", "-4"), "NSynapses='-4'"),
        (text_of(NEURON, "1 2 3"), "<Neuron> should hold 4 numbers"),
        (text_of(NEURON, "1 2 3 4 5"), "<Neuron> should hold 4 numbers"),
        (text_of(NEURON, "1 2 nan 4"), "<Neuron> holds a number that is not finite"),
        (text_of(NEURON, "1 2 -inf 4"), "<Neuron> holds a number that is not finite"),
        (text_of(NEURON, "1 2 1e39 4"), "too large for a float32"),
        (text_of(NEURON, "1 2 three 4"), "not a number"),
        (lambda w: w.find("Layout").remove(w.find("Layout")[3]), "NLayers"),
        (lambda w: w.find("Layout/Layer").remove(w.find(NEURON)), "holds 3 <Neuron>"),
        (lambda w: w.remove(w.find("Layout")), "NLayers"),
        (lambda w: w.find("Layout")[3][0].set("NSynapses", "1"), "should have 0 synapses"),
        (set_to("InverseHessian", "NRows", "100000"), "<InverseHessian NRows='100000'>"),
        (set_to("InverseHessian", "NElements", "1"), "<InverseHessian NElements='1'>"),
        (set_to("InverseHessian/Row", "Index", "1"), "two <Row Index=1>"),
        (text_of("InverseHessian/Row", "1"), "<Row> should hold"),
        (lambda w: w.find("InverseHessian").remove(w.find("InverseHessian/Row")), "holds 28 <Row>"),
    ],
)
def test_what_is_refused(change, message):
    with pytest.raises(WeightFileError, match=message.replace("(", r"\(")):
        MLP(MLPOptions()).read_state(broken(change), context())


def test_layers_have_to_be_there():
    one = document(tables(1))
    layout = one.find("Layout")
    for layer in list(layout)[1:]:
        layout.remove(layer)
    layout.set("NLayers", "1")
    with pytest.raises(WeightFileError, match="no layer between"):
        MLP(MLPOptions()).read_state(one, context())
    empty = document([np.ones((4, 0), np.float32), np.ones((1, 1), np.float32)])
    with pytest.raises(WeightFileError, match="no neuron beside the bias"):
        MLP(MLPOptions()).read_state(empty, context())


def test_the_variables_and_the_outputs_have_to_fit():
    with pytest.raises(WeightFileError, match="should have 4 neurons, one for each of the 3 variables"):
        MLP(MLPOptions()).read_state(document([np.ones((3, 1), np.float32)]), context())
    with pytest.raises(WeightFileError, match="ends in 2 outputs; it should have one for each of: signal"):
        MLP(MLPOptions()).read_state(document(tables(2)), context())
    with pytest.raises(WeightFileError, match="Signal, Background, Other"):
        MLP(MLPOptions()).read_state(document(tables(1)), context(AnalysisType.MULTICLASS))
    with pytest.raises(WeightFileError, match="t, u"):
        MLP(MLPOptions()).read_state(document(tables(1)), context(AnalysisType.REGRESSION))


def test_a_neuron_that_there_is_none_of():
    with pytest.raises(WeightFileError, match="did you mean 'sigmoid'"):
        MLP(MLPOptions()).read_state(document(tables(1)), context(NeuronType="sigmoidal"))


# --------------------------------------------------------------------------------------------- what it tells


def test_structure():
    method = MLP(MLPOptions())
    weights = tables(3)
    where = context(AnalysisType.MULTICLASS, NeuronType="ReLU")
    network = method.structure(method.read_state(document(weights), where))
    assert [layer.activation for layer in network.layers] == ["relu", "relu", "softmax"]
    np.testing.assert_array_equal(network.layers[1].weights, weights[1][:-1])
    np.testing.assert_array_equal(network.layers[1].bias, weights[1][-1])
    for options, names in (
        ({"NeuronType": "sigmoid", "EstimatorType": "CE"}, ["sigmoid", "sigmoid", "sigmoid"]),
        ({"NeuronType": "tanh", "info": CUT_OFF}, ["fast_tanh", "fast_tanh", "linear"]),
        ({"NeuronType": "radial"}, ["radial", "radial", "linear"]),
    ):
        state = method.read_state(document(tables(1)), context(**options))
        assert [layer.activation for layer in method.structure(state).layers] == names
    for options in ({"NeuronInputType": "sqsum"}, {"NeuronInputType": "abssum"}):
        assert method.structure(method.read_state(document(tables(1)), context(**options))) is None
    where = context(AnalysisType.MULTICLASS, EstimatorType="CE")
    assert method.structure(method.read_state(document(weights), where)) is None


def test_the_options_are_those_of_tmva():
    known = {spec.name: spec for spec in MLPOptions.declared()}
    assert known["HiddenLayers"].default == "N,N-1"
    assert known["NeuronType"].choices == ("linear", "sigmoid", "tanh", "ReLU", "radial")
    assert not known["RandomSeed"].extension
    for name, default in (
        ("NCycles", 500), ("TrainingMethod", "BP"), ("LearningRate", 0.02), ("DecayRate", 0.01), ("TestRate", 10),
        ("Sampling", 1.0), ("SamplingEpoch", 1.0), ("SamplingImportance", 1.0), ("SamplingTraining", True),
        ("SamplingTesting", False), ("ResetStep", 50), ("Tau", 3.0), ("BPMode", "sequential"), ("BatchSize", -1),
        ("ConvergenceImprove", 1e-30), ("ConvergenceTests", -1), ("UseRegulator", False), ("UpdateLimit", 10000),
        ("CalculateErrors", False), ("WeightRange", 1.0), ("EpochMonitoring", False), ("EstimatorType", "MSE"),
        ("NeuronInputType", "sum"), ("RandomSeed", 1),
    ):  # fmt: skip
        assert known[name].default == default
        assert known[name].help


def test_hidden_layers():
    assert hidden_widths("N+5, 10,n-1,N", 4) == (9, 10, 3, 4)
    for text, wrong in (
        ("N,", "''"),
        ("5+N", "'5[+]N'"),
        ("0", "'0'"),
        ("N-4", "'N-4'"),
        ("+3", "'[+]3'"),
        ("9999999", "'9"),
    ):
        with pytest.raises(MethodError, match=f"'HiddenLayers' is .*, of which {wrong}"):
            hidden_widths(text, 4)

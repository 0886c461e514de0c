"""What of PyKeras works without Keras: its options, the NumPy network, the graph, the weight file."""

from __future__ import annotations

import importlib.util
import itertools
import math
import os
import pickle
import sys
import types
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods._keras_session import _without_chatter, first_line, import_keras
from mvakit_methods.keras import PyKeras, PyKerasOptions
from mvakit_methods.keras.graph import Graph
from mvakit_methods.keras.method import PyKerasState
from mvakit_methods.keras.network import ACTIVATIONS, Forward, activation_function, read_network, write_network
from mvakit_methods.keras.onnx_layers import graph_of_dense
from mvakit_methods.keras.options import parse_schedule
from mvakit_methods.keras.session import need_exporter, set_threads

from mvakit.errors import MethodError, MissingPackageError, OptionError, WeightFileError
from mvakit.method import DenseLayer, DenseNetwork, FitContext, WeightContext
from mvakit.types import AnalysisType
from mvakit.variables import define

CLASSES = ("Signal", "Background")


def network(*widths: int, activation: str = "tanh", last: str = "softmax", seed: int = 0) -> DenseNetwork:
    rng = np.random.default_rng(seed)
    layers = [
        DenseLayer(
            (rng.normal(size=(a, b)) / a**0.5).astype(np.float32), rng.normal(size=b).astype(np.float32), activation
        )
        for a, b in itertools.pairwise(widths)
    ]
    layers[-1] = DenseLayer(layers[-1].weights, layers[-1].bias, last)
    return DenseNetwork(tuple(layers))


def weight_context(
    n: int = 3,
    files: dict[str, bytes] | None = None,
    analysis: AnalysisType = AnalysisType.CLASSIFICATION,
    names: tuple[str, ...] = CLASSES,
    **options: str,
) -> WeightContext:
    def read(name: str) -> bytes:
        if name not in (files or {}):
            raise WeightFileError(f"{name} cannot be read")
        return (files or {})[name]

    variables = tuple(define(f"v{i}") for i in range(n))
    targets = tuple(define(name) for name in names) if analysis is AnalysisType.REGRESSION else ()
    return WeightContext(analysis, "Net", variables, () if targets else names, targets, options, read, {})


# ----------------------------------------------------------------------------------------------------- options


def test_the_options_of_the_tutorial():
    options = PyKerasOptions.parse(
        "H:!V:VarTransform=D,G:FilenameModel=model.keras:FilenameTrainedModel=trained.keras:NumEpochs=20:BatchSize=32:"
        "LearningRateSchedule=10,0.01;20,0.005:tf.keras:TriesEarlyStopping=5:SaveBestOnly=false:ValidationSize=30%"
    )
    assert (options.filename_model, options.num_epochs, options.batch_size) == ("model.keras", 20, 32)
    assert parse_schedule(options.learning_rate_schedule) == {10: 0.01, 20: 0.005}
    assert (options.tries_early_stopping, options.save_best_only, options.tf_keras) == (5, False, True)
    assert PyKerasOptions.parse("!tfkeras").tf_keras is False


def test_the_defaults_are_those_of_tmva():
    options = PyKerasOptions()
    assert (options.batch_size, options.num_epochs, options.num_threads, options.keras_verbose) == (100, 10, 0, 1)
    assert (options.continue_training, options.save_best_only, options.tries_early_stopping) == (False, True, -1)
    assert (options.validation_size, options.learning_rate_schedule, options.tensor_board) == ("20%", "", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("50,0.01;70,0.005", {50: 0.01, 70: 0.005}),
        ("[10,0.01; 20,0.001]", {10: 0.01, 20: 0.001}),
        ("0,1e-3;", {0: 0.001}),
    ],
)
def test_schedules(text, expected):
    assert parse_schedule(text) == expected


@pytest.mark.parametrize("text", ["5", "a,0.1", "1,x", "1,0.1,2", "-1,0.1", "1,0", "1,-2", "1,nan", "1,inf", "1.5,0.1"])
def test_schedules_that_are_none(text):
    with pytest.raises(OptionError, match=r"'50,0\.01;70,0\.005'"):
        parse_schedule(text)


@pytest.mark.parametrize("words", ["[10,0.01; 20,0.001]", " 10, 0.01;20,0.001 ", "10,0.01;20,0.001"])
def test_a_schedule_may_have_blanks(words):
    """Warnings are errors here: blanks in a value are told of where they may be a mistake."""
    for options in (
        PyKerasOptions.parse(
            f"H:!V:learningRateSchedule={words}:GpuOptions=allow_growth=True, memory_limit=9:BatchSize=5"
        ),
        PyKerasOptions.parse("GpuOptions=allow_growth=True,memory_limit=9:BatchSize=5", LearningRateSchedule=words),
    ):
        assert parse_schedule(options.learning_rate_schedule) == {10: 0.01, 20: 0.001}
        assert (options.gpu_options, options.batch_size) == ("allow_growth=True,memory_limit=9", 5)


def test_an_epoch_has_one_rate():
    with pytest.raises(OptionError, match="epoch 3 twice"):
        parse_schedule("3,0.1;3,0.2")


# ----------------------------------------------------------------------------------------------------- network


def expected_activation(name: str, x: float) -> float:
    """Each activation as a textbook has it, in plain Python."""
    sigmoid = 1 / (1 + math.exp(-x))
    softplus = math.log(1 + math.exp(x))
    return {
        "linear": x,
        "relu": max(x, 0),
        "sigmoid": sigmoid,
        "tanh": math.tanh(x),
        "softplus": softplus,
        "softsign": x / (1 + abs(x)),
        "elu": x if x > 0 else math.exp(x) - 1,
        "elu(0.3)": x if x > 0 else 0.3 * (math.exp(x) - 1),
        "selu": 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * (math.exp(x) - 1)),
        "gelu": x * 0.5 * (1 + math.erf(x / math.sqrt(2))),
        "silu": x * sigmoid,
        "exponential": math.exp(x),
        "hard_sigmoid": min(max(x / 6 + 0.5, 0), 1),
        "hard_silu": x * min(max(x / 6 + 0.5, 0), 1),
        "relu6": min(max(x, 0), 6),
        "leaky_relu": x if x > 0 else 0.2 * x,
        "leaky_relu(0.01)": x if x > 0 else 0.01 * x,
        "mish": x * math.tanh(softplus),
    }[name]


@pytest.mark.parametrize("name", sorted({*ACTIVATIONS, "elu(0.3)", "leaky_relu(0.01)"} - {"softmax"}))
def test_activations(name):
    x = np.array([[-7.5, -3.1, -1.0, -0.2, 0.0, 0.4, 1.0, 2.9, 6.5]])
    expected = [[expected_activation(name, v) for v in x[0]]]
    np.testing.assert_allclose(activation_function(name)(x.copy()), expected, rtol=1e-12, atol=1e-15)


def test_softmax_and_sigmoid_stay_finite_far_out():
    x = np.array([[1000.0, 0.0], [-1000.0, 1000.0], [0.0, math.log(3)]])
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(activation_function("softmax")(x), [[1, 0], [0, 1], [0.25, 0.75]], atol=1e-15)
        np.testing.assert_allclose(activation_function("sigmoid")(x), [[1, 0.5], [0, 1], [0.5, 0.75]], atol=1e-15)


@pytest.mark.parametrize("name", ["rely", "leaky_relu(x)", "leaky_relu(nan)", "tanh(2)", "", "__import__('os')"])
def test_unknown_activations_are_refused(name):
    with pytest.raises(WeightFileError, match="there is no activation"):
        activation_function(name)


def test_the_forward_pass_is_the_sum_over_the_layers():
    net = network(3, 5, 2)
    X = np.random.default_rng(1).normal(size=(7, 3)).astype(np.float32)
    out = Forward(net)(X)
    for row, found in zip(X.tolist(), out, strict=True):
        values = row
        for layer in net.layers:
            sums = [
                float(b) + sum(v * float(w) for v, w in zip(values, column, strict=True))
                for column, b in zip(layer.weights.T, layer.bias, strict=True)
            ]
            values = [math.tanh(s) for s in sums]
        weights = [math.exp(s) for s in sums]
        np.testing.assert_allclose(found, [w / sum(weights) for w in weights], rtol=1e-12)


@pytest.mark.parametrize("widths", [(4, 64, 64, 2), (3, 800, 800, 1)])
def test_a_response_is_the_same_alone_and_among_many(widths):
    forward = Forward(network(*widths, activation="relu", last="sigmoid"))
    X = np.random.default_rng(3).normal(size=(forward._rows + 5, widths[0])).astype(np.float32)
    together = forward(X)
    alone = np.concatenate([forward(X[i : i + 1]) for i in range(0, len(X), 13)])
    np.testing.assert_allclose(alone, together[::13], rtol=1e-12)
    assert forward(X[:0]).shape == (0, widths[-1])


def test_a_network_can_be_sent_to_another_process():
    forward = Forward(network(3, 4, 2))
    X = np.ones((2, 3), np.float32)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(forward))(X), forward(X))
    assert pickle.loads(pickle.dumps(Graph(b"abc"))).data == b"abc"


def test_writing_and_reading_keep_every_bit():
    net = network(3, 5, 2, activation="leaky_relu(0.1)")
    parent = ET.Element("Weights")
    write_network(net, parent)
    again = read_network(ET.fromstring(ET.tostring(parent))[0], 3)
    for a, b in zip(net.layers, again.layers, strict=True):
        assert (a.weights == b.weights).all()
        assert (a.bias == b.bias).all()
        assert a.activation == b.activation
        assert b.weights.dtype == np.float32


LAYER = "<Layer NIn='{}' NOut='{}' Activation='{}'><Kernel>{}</Kernel><Bias>{}</Bias></Layer>"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<Dense NLayers='0'/>", "between 1 and"),
        ("<Dense NLayers='2'/>", "holds 0 <Layer>"),
        ("<Dense NLayers='1'>" + LAYER.format(2, 1, "relu", "1 2", "0") + "</Dense>", "follows 3 values"),
        ("<Dense NLayers='1'>" + LAYER.format(3, 1, "relu", "1 2", "0") + "</Dense>", "should hold 3 numbers"),
        ("<Dense NLayers='1'>" + LAYER.format(3, 1, "relu", "1 2 3", "") + "</Dense>", "should hold 1 numbers"),
        ("<Dense NLayers='1'>" + LAYER.format(3, 1, "rely", "1 2 3", "0") + "</Dense>", "'relu'"),
        ("<Dense NLayers='1'>" + LAYER.format(3, 1, "relu", "1 2 nan", "0") + "</Dense>", "not finite"),
        ("<Dense NLayers='1'>" + LAYER.format(3, 1, "relu", "1 2 1e39", "0") + "</Dense>", "not finite"),
        ("<Dense NLayers='1'><Layer NIn='3' NOut='1' Activation='relu'/></Dense>", "lacks <Kernel>"),
        ("<Dense NLayers='1'>" + LAYER.format(3, 10**7, "relu", "1", "0") + "</Dense>", "between 1 and 1000000"),
    ],
)
def test_damaged_layers_are_refused(text, words):
    with pytest.raises(WeightFileError, match=words):
        read_network(ET.fromstring(text), 3)


# -------------------------------------------------------------------------------------------------- weight file


def dense_state(
    analysis: AnalysisType = AnalysisType.CLASSIFICATION, n_outputs: int = 2, last: str = "softmax"
) -> PyKerasState:
    history = (("loss", np.array([0.7, 0.5])), ("val_loss", np.array([0.8, 0.6])))
    forward = Forward(network(3, 4, n_outputs, last=last))
    graph = Graph(graph_of_dense(forward.network))
    return PyKerasState("TrainedModel_Net", analysis, 3, n_outputs, forward, graph, b"a keras file", history)


def written(state: PyKerasState) -> tuple[ET.Element, dict[str, bytes]]:
    element = ET.Element("Weights")
    files = dict(PyKeras(PyKerasOptions()).write_state(state, element))
    return ET.fromstring(ET.tostring(element)), files


def test_a_dense_state_is_written_and_read():
    method = PyKeras(PyKerasOptions())
    state = dense_state()
    element, files = written(state)
    assert files == {"TrainedModel_Net.keras": b"a keras file", "TrainedModel_Net.onnx": state.graph.data}
    again = method.read_state(element, weight_context(files=files))
    X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    np.testing.assert_array_equal(method.predict(again, X), state.network(X)[:, 0])
    assert again.graph.data == state.graph.data
    assert (again.model, again.n_inputs, again.n_outputs) == (b"a keras file", 3, 2)
    assert method.structure(again).layers[0].activation == "tanh"
    curves = method.monitoring(again)
    assert [c.name for c in curves] == ["loss", "val_loss"]
    assert curves[1].x.tolist() == [1, 2]
    assert curves[1].y.tolist() == [0.8, 0.6]


@pytest.mark.parametrize(
    ("analysis", "names", "shape"),
    [
        (AnalysisType.CLASSIFICATION, CLASSES, (4,)),
        (AnalysisType.MULTICLASS, CLASSES, (4, 2)),
        (AnalysisType.MULTICLASS, ("s", "b", "c"), (4, 3)),
        (AnalysisType.REGRESSION, ("y",), (4,)),
        (AnalysisType.REGRESSION, ("y", "z"), (4, 2)),
    ],
)
def test_each_analysis_has_its_response(analysis, names, shape):
    method = PyKeras(PyKerasOptions())
    state = dense_state(analysis, len(names), "linear" if analysis is AnalysisType.REGRESSION else "softmax")
    element, files = written(state)
    again = method.read_state(element, weight_context(3, files, analysis, names))
    assert again.analysis is analysis
    X = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    response = method.predict(again, X)
    assert response.shape == shape
    outputs = state.network(X)
    np.testing.assert_array_equal(response, outputs if len(shape) == 2 else outputs[:, 0])


@pytest.mark.parametrize(
    ("analysis", "names", "words"),
    [
        (AnalysisType.MULTICLASS, ("s", "b", "c"), r"3, one for each class \(s, b, c\)"),
        (AnalysisType.REGRESSION, ("y",), r"1, one for each target \(y\)"),
    ],
)
def test_outputs_have_to_fit_the_analysis(analysis, names, words):
    element, files = written(dense_state(analysis))
    with pytest.raises(WeightFileError, match=f"the network of Net has 2 outputs; it should have {words}"):
        PyKeras(PyKerasOptions()).read_state(element, weight_context(3, files, analysis, names))


@pytest.mark.parametrize("files", [{}, {"TrainedModel_Net.keras": b"another's"}])
def test_a_dense_state_does_without_the_files_beside_it(files):
    element, _ = written(dense_state())
    again = PyKeras(PyKerasOptions()).read_state(element, weight_context(files=files))
    assert isinstance(again.network, Forward)
    assert again.model is None


def test_a_name_that_leaves_the_folder_is_refused():
    element, files = written(dense_state())
    element.set("Model", "../secret.keras")
    with pytest.raises(WeightFileError, match="no bare file name"):
        PyKeras(PyKerasOptions()).read_state(element, weight_context(files=files))


def test_a_graph_has_to_be_the_one_that_was_written():
    graph = Graph(graph_of_dense(network(3, 2)))
    state = PyKerasState("TrainedModel_Net", AnalysisType.CLASSIFICATION, 3, 2, graph, graph, None)
    element, files = written(state)
    method = PyKeras(PyKerasOptions())
    assert method.read_state(element, weight_context(files=files)).graph.data == graph.data
    assert method.structure(state) is None
    with pytest.raises(WeightFileError, match="not the one that was written with it"):
        method.read_state(element, weight_context(files={"TrainedModel_Net.onnx": b"other"}))
    with pytest.raises(WeightFileError, match=r"TrainedModel_Net\.onnx cannot be read"):
        method.read_state(element, weight_context())


def test_inputs_and_outputs_have_to_fit():
    element, files = written(dense_state())
    with pytest.raises(WeightFileError, match="has 3 inputs for 4 variables"):
        PyKeras(PyKerasOptions()).read_state(element, weight_context(4, files))
    element.set("NOutputs", "1")
    with pytest.raises(WeightFileError, match="has 2 outputs, not 1 as it says"):
        PyKeras(PyKerasOptions()).read_state(element, weight_context(files=files))
    element.set("NOutputs", "3")
    with pytest.raises(
        WeightFileError, match=r"has 3 outputs; it should have 1 or 2, one for each class \(Signal, Background\)"
    ):
        PyKeras(PyKerasOptions()).read_state(element, weight_context(files=files))
    element.remove(element.find("History"))
    element.set("NOutputs", "2")
    with pytest.raises(WeightFileError, match="lacks <History>"):
        PyKeras(PyKerasOptions()).read_state(element, weight_context(files=files))


def test_a_weight_file_of_tmva_says_where_its_network_is():
    context = weight_context(FilenameTrainedModel="weights/TrainedModel_PyKeras.h5")
    with pytest.raises(WeightFileError, match=r"but in 'weights/TrainedModel_PyKeras\.h5'"):
        PyKeras(PyKerasOptions()).read_state(ET.Element("Weights"), context)


# -------------------------------------------------------------------------------------------------------- graph


def graph_of(n_in: int = 3, n_out: int = 2, inputs: int = 1, kind: str = "Softmax") -> Graph:
    """A graph ``softmax(X @ W)``, or another function of it, made with the onnx package alone."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(4).normal(size=(n_in, n_out)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["s"]), helper.make_node(kind, ["s"], ["y"])]
    taken = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, n_in]) for n in ("x", "x2")[:inputs]]
    given = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, n_out])]
    graph = helper.make_graph(nodes, "g", taken, given, [numpy_helper.from_array(weights, "w")])
    return Graph(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9).SerializeToString()
    )


def test_a_graph_is_applied_in_blocks_and_by_many_threads(monkeypatch):
    from mvakit_methods.keras import graph as module

    graph = graph_of()
    X = np.random.default_rng(0).normal(size=(1000, 3)).astype(np.float64)[:, ::-1]
    whole = graph(X)
    assert whole.shape == (1000, 2)
    assert whole.dtype == np.float64
    monkeypatch.setattr(module, "_ROWS", 300)
    np.testing.assert_allclose(graph(X), whole, rtol=1e-6)
    assert graph(X[:0]).shape == (0, 2)
    with ThreadPoolExecutor(8) as pool:
        for part in pool.map(graph_of().__call__, [X] * 16):
            np.testing.assert_allclose(part, whole, rtol=1e-6)
    state = PyKerasState("TrainedModel_Net", AnalysisType.CLASSIFICATION, 3, 2, graph, graph, None)
    np.testing.assert_array_equal(PyKeras(PyKerasOptions()).predict(state, X.astype(np.float32)), graph(X)[:, 0])


def test_damaged_graphs_are_refused():
    pytest.importorskip("onnxruntime")
    X = np.zeros((1, 3), np.float32)
    with pytest.raises(WeightFileError, match="cannot read the graph"):
        Graph(b"no graph at all")(X)
    with pytest.raises(WeightFileError, match="one matrix"):
        graph_of(inputs=2)(X)
    with pytest.raises(WeightFileError, match="does not take events of 3 variables"):
        graph_of(n_in=4)(X)
    with pytest.raises(WeightFileError, match=r"gives an array of shape \(2, 1\) for 1 events"):
        graph_of(kind="Transpose")(X)


def test_a_graph_without_onnxruntime_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingPackageError, match=r"onnxruntime.*pip install 'mvakit\[keras\]'"):
        Graph(b"")(np.zeros((1, 3), np.float32))


# ------------------------------------------------------------------------------------------------------ session


def test_start_up_chatter_is_held_back_and_nothing_else(capfd):
    with _without_chatter():
        os.write(2, b"I0000 00:00:17 port.cc:153] oneDNN custom operations are on\nE0000 something is wrong\n")
        print("plain", file=sys.stderr)
    assert sorted(capfd.readouterr().err.split()) == sorted(["E0000", "something", "is", "wrong", "plain"])


def test_a_process_without_standard_error(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with _without_chatter():
        pass
    monkeypatch.setattr(os, "dup", lambda descriptor: os.close(-1))
    with _without_chatter():
        pass


def fake_keras(version: str = "3.12.1", backend: str = "jax") -> types.ModuleType:
    module = types.ModuleType("keras")
    module.__version__ = version
    module.backend = types.SimpleNamespace(backend=lambda: backend)
    return module


def test_an_old_keras_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", fake_keras("3.9.2"))
    with pytest.raises(MethodError, match=r"needs Keras 3\.10 or later; 3\.9\.2 is installed"):
        import_keras("PyKeras")


def test_threads_are_tensorflows(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", fake_keras())
    set_threads(0, MethodError)
    with pytest.raises(
        MethodError, match="NumThreads=2 is for TensorFlow and PyTorch, but the backend of Keras is jax"
    ):
        set_threads(2, MethodError)


@pytest.mark.parametrize(("backend", "package"), [("jax", "jax2onnx"), ("tensorflow", "tf2onnx"), ("openvino", "onnx")])
def test_each_backend_has_its_exporter(monkeypatch, backend, package):
    monkeypatch.setitem(sys.modules, "keras", fake_keras(backend=backend))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=f"'{package}'"):
        need_exporter("LayerNormalization")


def test_a_backend_that_is_missing_is_named(monkeypatch):
    def fail(name: str) -> None:
        raise ModuleNotFoundError("no module", name="tensorflow")

    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(importlib, "import_module", fail)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "1")
    with pytest.raises(MissingPackageError, match="the method PyKeras needs the package 'tensorflow'"):
        import_keras("PyKeras")


def test_without_keras_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", None)
    context = FitContext(AnalysisType.CLASSIFICATION, "Net", (define("a"),), CLASSES)
    with pytest.raises(MissingPackageError, match=r"the method PyKeras needs the package 'keras'.*mvakit\[keras\]"):
        PyKeras(PyKerasOptions.parse("FilenameModel=m.keras")).check(context)


def test_the_first_line_of_an_error():
    assert first_line(ValueError("\n  too long\nby far")) == "too long"
    assert first_line(ValueError()) == "ValueError"

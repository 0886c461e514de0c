"""ONNX graphs: written layer by layer as ONNX' own checker wants them, equal to the model, and refused if hostile."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mvakit_methods.keras import PyKeras, PyKerasOptions
from mvakit_methods.keras import graph as graph_module
from mvakit_methods.keras import method as method_module
from mvakit_methods.keras.graph import Graph
from mvakit_methods.keras.method import PyKerasState
from mvakit_methods.keras.network import ACTIVATIONS, Forward
from mvakit_methods.keras.onnx_format import check_graph
from mvakit_methods.keras.onnx_layers import graph_of_dense

from mvakit.errors import WeightFileError
from mvakit.method import DenseLayer, DenseNetwork
from mvakit.types import AnalysisType

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def dense(*widths: int, activation: str = "tanh", last: str = "sigmoid") -> DenseNetwork:
    random = np.random.default_rng(3)
    layers = []
    for index, (n_in, n_out) in enumerate(pairwise(widths)):
        weights = random.normal(size=(n_in, n_out)).astype(np.float32)
        name = last if index == len(widths) - 2 else activation
        layers.append(DenseLayer(weights, random.normal(size=n_out).astype(np.float32), name))
    return DenseNetwork(tuple(layers))


def checked(data: bytes) -> bytes:
    """Let ONNX' own checker look at a graph."""
    import onnx

    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    check_graph(data)
    return data


@pytest.mark.parametrize("activation", [*ACTIVATIONS, "elu(0.5)", "leaky_relu(0.125)"])
def test_a_dense_network_and_its_graph_agree(activation):
    network = dense(5, 7, 3, activation=activation, last="softmax")
    X = 3 * np.random.default_rng(0).normal(size=(200, 5)).astype(np.float32)
    graph = Graph(checked(graph_of_dense(network)))
    np.testing.assert_allclose(graph(X), Forward(network)(X), atol=1e-5)


# ------------------------------------------------------------------------------------------------- many events


def test_many_events_go_through_the_graph_in_blocks(monkeypatch):
    network = dense(4, 8, 1)
    graph = Graph(graph_of_dense(network))
    X = np.random.default_rng(0).normal(size=(3000, 4)).astype(np.float32)
    expected = Forward(network)(X)
    for rows, share in ((7, 21), (512, 8192), (1000, 1000), (3000, 6000)):
        monkeypatch.setattr(graph_module, "_ROWS", rows)
        monkeypatch.setattr(graph_module, "_SHARE", share)
        np.testing.assert_allclose(graph(X), expected, atol=1e-6)
    assert graph(X[:0]).shape == (0, 1)


def test_the_graph_is_for_many_events_where_there_is_a_runtime(monkeypatch):
    forward = Forward(dense(4, 8, 1))
    graph = Graph(graph_of_dense(forward.network))
    state = PyKerasState("TrainedModel_Net", AnalysisType.CLASSIFICATION, 4, 1, forward, graph, None)
    method = PyKeras(PyKerasOptions())
    monkeypatch.setattr(method_module, "_MANY", 100)
    X = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
    np.testing.assert_array_equal(method.predict(state, X), graph(X)[:, 0])
    np.testing.assert_array_equal(method.predict(state, X[:99]), forward(X[:99])[:, 0])
    monkeypatch.setattr(method_module, "has_runtime", lambda: False)
    np.testing.assert_array_equal(method.predict(state, X), forward(X)[:, 0])
    assert graph_module.has_runtime()


# --------------------------------------------------------------------------------------------------- of Keras


@pytest.fixture(scope="module")
def keras():
    pytest.importorskip("keras")
    from mvakit_methods._keras_session import import_keras

    return import_keras("PyKeras")


def joined(keras):
    layers, x = keras.layers, keras.Input((64,))
    a, b = layers.Dense(6, activation="selu")(x), layers.Dense(6)(x)
    inner = keras.Sequential([keras.Input((36,)), layers.Dense(5, activation="tanh")])
    both = [kind()([a, b]) for kind in (layers.Add, layers.Subtract, layers.Average, layers.Maximum, layers.Minimum)]
    y = layers.Concatenate()([*both, layers.Multiply()([a, b, a])])
    return keras.Model(x, layers.Dense(2, activation="softmax")(inner(y)))


def layers_of(keras, name: str) -> list[Any]:
    layers = keras.layers
    return {
        "images": lambda: [
            layers.Reshape((8, 8, 1)), layers.Conv2D(6, 3, padding="same", activation="relu"),
            layers.BatchNormalization(), layers.MaxPooling2D(), layers.SpatialDropout2D(0.1),
            layers.Conv2D(4, (2, 3), strides=2, padding="same", activation="gelu"),
            layers.AveragePooling2D(2, padding="same"), layers.Flatten(),
        ],
        "channels by themselves": lambda: [
            layers.Reshape((4, 4, 4)), layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same", activation="tanh"),
            layers.SeparableConv2D(5, 2, activation="relu", depth_multiplier=2),
            layers.Conv2D(4, 2, dilation_rate=2, padding="same"), layers.GlobalAveragePooling2D(),
        ],
        "groups": lambda: [
            layers.Reshape((4, 4, 4)), layers.Conv2D(8, 3, groups=2, use_bias=False),
            layers.BatchNormalization(center=False, scale=False), layers.GlobalMaxPooling2D(keepdims=True),
            layers.Flatten(),
        ],
        "series": lambda: [
            layers.Reshape((16, 4)), layers.Cropping1D((1, 2)), layers.Conv1D(5, 3, padding="causal", dilation_rate=2, activation="elu"),
            layers.MaxPooling1D(2), layers.SeparableConv1D(3, 3, padding="same"),
            layers.AveragePooling1D(3, strides=2, padding="same"), layers.Permute((2, 1)),
            layers.Dense(3, activation="silu"), layers.GlobalMaxPooling1D(),
        ],
        "long memory": lambda: [layers.Reshape((8, 8)), layers.LSTM(5, return_sequences=True), layers.LSTM(4)],
        "gates": lambda: [
            layers.Reshape((8, 8)), layers.GRU(5, return_sequences=True), layers.GRU(4, reset_after=False)
        ],
        "recurrent": lambda: [
            layers.Reshape((8, 8)), layers.SimpleRNN(5, return_sequences=True), layers.SimpleRNN(4, use_bias=False)
        ],
        "scales": lambda: [
            layers.Normalization(mean=1.0, variance=2.0), layers.Rescaling(0.5, 1), layers.Dense(9, use_bias=False),
            layers.ReLU(6), layers.Dense(9), layers.ReLU(negative_slope=0.3), layers.Dense(9), layers.LeakyReLU(0.1),
            layers.Dense(9), layers.PReLU(alpha_initializer="normal"), layers.ELU(0.5), layers.Dense(9),
            layers.Softmax(), layers.ReLU(), layers.Activation("mish"), layers.GaussianNoise(0.1),
        ],
    }[name]()  # fmt: skip


@pytest.mark.keras
@pytest.mark.parametrize(
    "name",
    ["joined", "images", "channels by themselves", "groups", "series", "long memory", "gates", "recurrent", "scales"],
)
def test_a_model_and_its_graph_agree(keras, name):
    from mvakit_methods._keras_session import quiet
    from mvakit_methods.keras.onnx_layers import graph_of_model

    keras.utils.set_random_seed(4)
    model = (
        joined(keras)
        if name == "joined"
        else keras.Sequential([keras.Input((64,)), *layers_of(keras, name), keras.layers.Dense(3)])
    )
    random = np.random.default_rng(1)
    model.set_weights([random.uniform(0.2, 0.9, values.shape) * random.choice([-1, 1]) ** (values.ndim > 1)
                       for values in model.get_weights()])  # fmt: skip
    X = random.normal(size=(37, 64)).astype(np.float32)
    with quiet():
        expected = np.asarray(model(X, training=False))
    found = Graph(checked(graph_of_model(model)))(X)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.mark.keras
def test_layers_with_settings_of_their_own_are_left_to_keras(keras):
    from mvakit_methods.keras.onnx_layers import UnknownLayerError, graph_of_model

    layers = keras.layers
    for made in (
        [layers.LayerNormalization()],
        [layers.Reshape((8, 8)), layers.LSTM(3, go_backwards=True)],
        [layers.Reshape((8, 8)), layers.GRU(3, activation="relu")],
        [layers.Dense(3, activation="log_softmax")],
        [layers.ReLU(threshold=1.0)],
        [layers.Normalization(mean=1.0, variance=2.0, invert=True)],
        [layers.Reshape((8, 8)), layers.BatchNormalization(axis=1), layers.Flatten()],
    ):
        model = keras.Sequential([keras.Input((64,)), *made, layers.Dense(2)])
        with pytest.raises(UnknownLayerError):
            graph_of_model(model)


# ----------------------------------------------------------------------------------------------- hostile graphs


def hostile(change: str) -> bytes:
    import onnx
    from onnx import TensorProto, helper

    model = onnx.load_from_string(graph_of_dense(dense(3, 2)))
    if change == "another file":
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="/etc/passwd")
    elif change == "another file in a constant":
        inner = TensorProto(data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
        model.graph.node.append(helper.make_node("Constant", [], ["c"], value=inner))
    elif change == "operations of others":
        model.opset_import.append(helper.make_opsetid("com.evil", 1))
    elif change == "an operation of others":
        model.graph.node[0].domain = "com.evil"
    elif change == "a loop":
        body = helper.make_graph([], "body", [], [])
        model.graph.node.append(helper.make_node("Loop", ["a", "b"], ["c"], body=body))
    elif change == "functions":
        model.functions.append(helper.make_function("mine", "f", [], [], [], []))
    elif change == "a sparse matrix":
        model.graph.sparse_initializer.add()
    elif change == "two graphs":
        return model.SerializeToString() + model.SerializeToString()
    return model.SerializeToString()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("another file", "numbers in another file"),
        ("another file in a constant", "numbers in another file"),
        ("operations of others", "operations of b'com.evil'"),
        ("an operation of others", "operations of b'com.evil'"),
        ("a loop", "an operation with a graph of its own"),
        ("functions", "functions or a training"),
        ("a sparse matrix", "a sparse matrix"),
        ("two graphs", "no file of ONNX"),
    ],
)
def test_hostile_graphs_are_refused(change, words):
    check_graph(hostile("nothing"))
    with pytest.raises(WeightFileError, match=words):
        check_graph(hostile(change))


def test_graphs_are_bounded(monkeypatch):
    from mvakit_methods.keras import onnx_format

    data = graph_of_dense(dense(3, 2))
    monkeypatch.setattr(onnx_format, "_MAX_NODES", 2)
    with pytest.raises(WeightFileError, match="more than 2 operations"):
        check_graph(data)
    monkeypatch.setattr(onnx_format, "_MAX_BYTES", len(data) - 1)
    with pytest.raises(WeightFileError, match="is larger than"):
        check_graph(data)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_graphs_are_refused_or_read(data):
    graph = bytearray(graph_of_dense(dense(2, 2, 1)))
    for _ in range(data.draw(st.integers(1, 4))):
        graph[data.draw(st.integers(0, len(graph) - 1))] = data.draw(st.integers(0, 255))
    try:
        check_graph(bytes(graph[: data.draw(st.integers(0, len(graph)))]))
    except WeightFileError as error:
        assert "ONNX" in str(error)

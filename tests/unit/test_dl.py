"""DL: every layer by loops, element by element, and by Keras."""

from __future__ import annotations

import math
import pickle
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods import _network
from mvakit_methods.dl import DL, DLOptions

from mvakit.method import WeightContext
from mvakit.types import AnalysisType
from mvakit.variables import define

CLASSES = ("Signal", "Background", "Other")
RNG = np.random.default_rng(5)

FUNCTIONS = (
    lambda x: x,
    lambda x: x if x > 0 else 0.0,
    lambda x: 1 / (1 + math.exp(-x)),
    math.tanh,
    abs,
    lambda x: x / (1 + abs(x)),
    lambda x: math.exp(-x * x),
    math.tanh,
)


def context(n_variables: int, analysis=AnalysisType.CLASSIFICATION, n_targets: int = 0) -> WeightContext:
    variables = tuple(define(f"v{i}") for i in range(n_variables))
    targets = tuple(define(f"t{i}") for i in range(n_targets))
    classes = CLASSES if analysis is AnalysisType.MULTICLASS else CLASSES[:2]
    return WeightContext(analysis, "D", variables, classes, targets, {}, lambda name: b"", {})


def root(depth: int, height: int, width: int, output: str = "I") -> ET.Element:
    return ET.Element(
        "Weights", NetDepth="0", InputDepth=str(depth), InputHeight=str(height), InputWidth=str(width), BatchSize="1",
        BatchDepth="30", BatchHeight=str(depth), BatchWidth=str(height * width), LossFunction="C", Initialization="X",
        Regularization="0", OutputFunction=output, WeightDecay="0.0000000000000000e+00",
    )  # fmt: skip


def add(parent: ET.Element, tag: str, matrices: dict[str, np.ndarray] | None = None, **attributes) -> ET.Element:
    layer = ET.SubElement(parent, tag, {name: str(value) for name, value in attributes.items()})
    for name, values in (matrices or {}).items():
        table = np.asarray(values)
        table = table[:, np.newaxis] if table.ndim == 1 else table
        element = ET.SubElement(layer, name, Rows=str(table.shape[0]), Columns=str(table.shape[1]))
        element.text = "\n" + "".join(f"{v:.6e}  " for v in table.ravel()) + "\n"
    parent.set("NetDepth", str(len(parent)))
    return layer


def random(*shape: int) -> np.ndarray:
    """Numbers of seven digits."""
    return np.array([float(f"{v:.6e}") for v in RNG.normal(size=shape).ravel()]).reshape(shape)


def dense(parent: ET.Element, n_in: int, n_out: int, activation: int = 0) -> tuple[np.ndarray, np.ndarray]:
    w, b = random(n_out, n_in), random(n_out)
    add(parent, "DenseLayer", {"Weights": w, "Biases": b}, Width=n_out, ActivationFunction=activation)
    return w, b


def flat(parent: ET.Element) -> None:
    add(parent, "ReshapeLayer", Depth=0, Height=0, Width=0, Flattening=1)


def one_for_each(parent: ET.Element, n: int) -> np.ndarray:
    """End with one linear output; return its weights."""
    return dense(parent, n, 1)[0][0]


def predict(weights: ET.Element, where: WeightContext, X: np.ndarray) -> np.ndarray:
    """The response; that of the file as it is written has to be the same."""
    method = DL(DLOptions())
    state = method.read_state(weights, where)
    response = method.predict(state, X)
    element = ET.Element("Weights")
    assert method.write_state(state, element) == {}
    assert element.attrib == weights.attrib
    for ours, theirs in zip(element.iter(), weights.iter(), strict=True):
        assert ours.tag == theirs.tag
        if ours.tag != "ReshapeLayer" or theirs.get("Flattening") == "0":
            assert ours.attrib.keys() == theirs.attrib.keys()
            for name in ours.attrib:
                assert ours.get(name) == theirs.get(name) or float(ours.get(name)) == float(theirs.get(name))
        assert (ours.text or "").split() == (theirs.text or "").split()
    again = pickle.loads(pickle.dumps(method.read_state(element, where)))
    np.testing.assert_array_equal(method.predict(again, X), response)
    return response


def events(n: int, n_variables: int) -> np.ndarray:
    return RNG.normal(size=(n, n_variables)).astype(np.float32)


# --------------------------------------------------------------------------------------------------- dense


@pytest.mark.parametrize("activation", range(8))
@pytest.mark.parametrize("output", "IS")
def test_dense(activation, output):
    weights = root(1, 1, 3, output)
    (w1, b1), (w2, b2) = dense(weights, 3, 4, activation), dense(weights, 4, 1, 0)
    X = events(5, 3)
    expected = []
    for x in X.tolist():
        hidden = [FUNCTIONS[activation](b1[j] + sum(w1[j, i] * v for i, v in enumerate(x))) for j in range(4)]
        value = b2[0] + sum(w2[0, j] * h for j, h in enumerate(hidden))
        expected.append(value if output == "I" else 1 / (1 + math.exp(-value)))
    np.testing.assert_allclose(predict(weights, context(3), X), expected, rtol=1e-12)


def test_several_classes_and_targets():
    weights = root(1, 1, 2, "M")
    w, b = dense(weights, 2, 3)
    X = events(4, 2)
    outputs = np.exp(X.astype(float) @ w.T + b)
    response = predict(weights, context(2, AnalysisType.MULTICLASS), X)
    np.testing.assert_allclose(response, outputs / outputs.sum(axis=1, keepdims=True), rtol=1e-12)
    weights.set("OutputFunction", "I")
    response = predict(weights, context(2, AnalysisType.REGRESSION, 3), X)
    np.testing.assert_allclose(response, X.astype(float) @ w.T + b, rtol=1e-12)


def test_large_outputs_have_a_softmax():
    weights = root(1, 1, 1, "M")
    add(weights, "DenseLayer", {"Weights": np.array([[900.0], [0.0], [-900.0]]), "Biases": np.zeros(3)}, Width=3,
        ActivationFunction=0)  # fmt: skip
    response = predict(weights, context(1, AnalysisType.MULTICLASS), np.ones((1, 1), np.float32))
    np.testing.assert_array_equal(response, [[1.0, 0.0, 0.0]])


# --------------------------------------------------------------------------------------------------- images


@pytest.mark.parametrize(
    ("size", "stride", "padding"),
    [((3, 3), (1, 1), (1, 1)), ((2, 3), (1, 2), (0, 1)), ((4, 2), (2, 1), (2, 0)), ((5, 4), (1, 1), (0, 0))],
)
def test_convolution(size, stride, padding):
    depth, height, width, filters = 2, 5, 4, 3
    weights = root(depth, height, width)
    w, b = random(filters, depth * size[0] * size[1]), random(filters)
    add(
        weights, "ConvLayer", {"Weights": w, "Biases": b}, Depth=filters, FilterHeight=size[0], FilterWidth=size[1],
        StrideRows=stride[0], StrideCols=stride[1], PaddingHeight=padding[0], PaddingWidth=padding[1],
        ActivationFunction=3,
    )  # fmt: skip
    rows = (height - size[0] + 2 * padding[0]) // stride[0] + 1
    columns = (width - size[1] + 2 * padding[1]) // stride[1] + 1
    flat(weights)
    last = one_for_each(weights, filters * rows * columns)
    bias = float(weights[-1].find("Biases").text)
    X = events(3, depth * height * width)
    expected = []
    for x in X.astype(float):
        total, index = bias, 0
        for f in range(filters):
            for r in range(rows):
                for c in range(columns):
                    value = b[f]
                    for d in range(depth):
                        for i in range(size[0]):
                            for j in range(size[1]):
                                y, z = r * stride[0] - padding[0] + i, c * stride[1] - padding[1] + j
                                if 0 <= y < height and 0 <= z < width:
                                    pixel = x[d * height * width + y * width + z]
                                    value += w[f, d * size[0] * size[1] + i * size[1] + j] * pixel
                    total += last[index] * math.tanh(value)
                    index += 1
        expected.append(total)
    np.testing.assert_allclose(predict(weights, context(40), X), expected, rtol=1e-11)


@pytest.mark.parametrize(("size", "stride"), [((2, 2), (2, 2)), ((3, 2), (1, 2)), ((2, 3), (2, 1))])
def test_pooling(size, stride):
    depth, height, width = 2, 5, 4
    weights = root(depth, height, width)
    add(weights, "MaxPoolLayer", FilterHeight=size[0], FilterWidth=size[1], StrideRows=stride[0], StrideCols=stride[1])
    rows, columns = (height - size[0]) // stride[0] + 1, (width - size[1]) // stride[1] + 1
    flat(weights)
    last = one_for_each(weights, depth * rows * columns)
    bias = float(weights[-1].find("Biases").text)
    X = events(3, 40)
    expected = []
    for image in X.astype(float).reshape(3, depth, height, width):
        pooled = [
            image[d, r * stride[0] : r * stride[0] + size[0], c * stride[1] : c * stride[1] + size[1]].max()
            for d in range(depth)
            for r in range(rows)
            for c in range(columns)
        ]
        expected.append(bias + sum(a * p for a, p in zip(last, pooled, strict=True)))
    np.testing.assert_allclose(predict(weights, context(40), X), expected, rtol=1e-12)


def norm(parent: ET.Element, n: int) -> tuple[np.ndarray, ...]:
    mean, variance, gamma, beta = random(n), np.abs(random(n)) + 0.5, random(n), random(n)
    variance = np.array([float(f"{v:.6e}") for v in variance])
    tags = ("Training-mu", "Training-variance", "Gamma", "Beta")
    tables = {tag: v[np.newaxis] for tag, v in zip(tags, (mean, variance, gamma, beta), strict=True)}
    add(parent, "BatchNormLayer", tables, Momentum="9.9e-01", Epsilon="1.0e-02")
    return mean, variance, gamma, beta


def test_normalised_values():
    weights = root(1, 1, 3)
    mean, variance, gamma, beta = norm(weights, 3)
    w = one_for_each(weights, 3)
    bias = float(weights[-1].find("Biases").text)
    X = events(4, 3)
    expected = [
        bias + sum(w[i] * (gamma[i] * (x[i] - mean[i]) / math.sqrt(variance[i] + 0.01) + beta[i]) for i in range(3))
        for x in X.astype(float)
    ]
    np.testing.assert_allclose(predict(weights, context(3), X), expected, rtol=1e-12)


def test_normalised_channels():
    weights = root(2, 2, 2)
    add(weights, "MaxPoolLayer", FilterHeight=1, FilterWidth=1, StrideRows=1, StrideCols=1)
    mean, variance, gamma, beta = norm(weights, 2)
    flat(weights)
    w = one_for_each(weights, 8)
    bias = float(weights[-1].find("Biases").text)
    X = events(4, 8)
    expected = []
    for x in X.astype(float):
        y = [
            gamma[i // 4] * (x[i] - mean[i // 4]) / math.sqrt(variance[i // 4] + 0.01) + beta[i // 4] for i in range(8)
        ]
        expected.append(bias + sum(a * b for a, b in zip(w, y, strict=True)))
    np.testing.assert_allclose(predict(weights, context(8), X), expected, rtol=1e-12)


def test_a_row_becomes_an_image():
    row, image = root(1, 1, 12), root(3, 2, 2)
    add(row, "ReshapeLayer", Depth=3, Height=2, Width=2, Flattening=0)
    for weights in (row, image):
        add(weights, "MaxPoolLayer", FilterHeight=2, FilterWidth=1, StrideRows=1, StrideCols=1)
        flat(weights)
        add(weights, "DenseLayer", {"Weights": np.arange(6.0)[np.newaxis], "Biases": np.ones(1)}, Width=1,
            ActivationFunction=0)  # fmt: skip
    X = events(3, 12)
    np.testing.assert_array_equal(predict(row, context(12), X), predict(image, context(12), X))


# ------------------------------------------------------------------------------------------------ sequences

STEPS, INPUTS, STATE = 4, 2, 3
# The names in TMVA's files, in their order, and what each matrix is: the numbers of the gates, inputs first.
NAMES = {
    "RNNLayer": ["InputWeights", "StateWeights"],
    "LSTMLayer": [
        "InputWeights", "InputStateWeights", "ForgetWeights", "ForgetStateWeights", "CandidateWeights",
        "CandidateStateWeights", "OuputWeights", "OutputStateWeights",
    ],
    "GRULayer": [
        "ResetWeights", "ResetStateWeights", "UpdateWeights", "UpdateStateWeights", "CandidateWeights",
        "CandidateStateWeights",
    ],
}  # fmt: skip
BIASES = {
    "RNNLayer": ["Biases"],
    "LSTMLayer": ["InputBiases", "ForgetBiases", "CandidateBiases", "OutputBiases"],
    "GRULayer": ["ResetBiases", "UpdateBiases", "CandidateBiases"],
}


def recurrent(parent: ET.Element, tag: str, sequence: bool, after: bool = False, n_inputs: int = INPUTS) -> tuple:
    gates = len(BIASES[tag])
    inputs, states, biases = random(gates, STATE, n_inputs), random(gates, STATE, STATE), random(gates, STATE)
    in_order = dict(zip(NAMES[tag], [*inputs, *states], strict=True))
    matrices = {}
    for index, bias in enumerate(BIASES[tag]):
        for name in NAMES[tag][2 * index : 2 * index + 2]:
            matrices[name] = in_order[name]
        matrices[bias] = biases[index]
    cell = {"CellSize": STATE} if tag == "LSTMLayer" else {}
    more = {"ResetGateAfter": int(after)} if tag == "GRULayer" else {}
    add(parent, tag, matrices, StateSize=STATE, **cell, InputSize=n_inputs, TimeSteps=STEPS, RememberState=0,
        ReturnSequence=int(sequence), **more)  # fmt: skip
    return inputs, states, biases


def walk(tag: str, x: np.ndarray, inputs, states, biases, after: bool) -> list[list[float]]:
    """Number by number."""

    def total(gate: int, step: int, j: int, state: list[float]) -> float:
        given = sum(inputs[gate, j, i] * x[step, i] for i in range(x.shape[1]))
        return given + biases[gate, j] + sum(states[gate, j, i] * state[i] for i in range(STATE))

    def s(v: float) -> float:
        return 1 / (1 + math.exp(-v))

    state, cell, out = [0.0] * STATE, [0.0] * STATE, []
    for t in range(STEPS):
        zero, each = [0.0] * STATE, range(STATE)
        if tag == "RNNLayer":
            state = [math.tanh(total(0, t, j, state)) for j in each]
        elif tag == "LSTMLayer":
            cell = [
                s(total(1, t, j, state)) * cell[j] + s(total(0, t, j, state)) * math.tanh(total(2, t, j, state))
                for j in each
            ]
            state = [s(total(3, t, j, state)) * math.tanh(cell[j]) for j in each]
        else:
            reset, update = ([s(total(g, t, j, state)) for j in each] for g in (0, 1))
            candidate = []
            for j in each:
                before = sum(states[2, j, i] * (1 if after else reset[i]) * state[i] for i in each)
                candidate.append(math.tanh(total(2, t, j, zero) + (reset[j] if after else 1) * before))
            state = [update[j] * state[j] + (1 - update[j]) * candidate[j] for j in each]
        out.append(state)
    return out


@pytest.mark.parametrize("tag", NAMES)
@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("layout", [(STEPS, 1), (1, STEPS)])
def test_sequences(tag, sequence, after, layout):
    weights = root(*layout, INPUTS)
    tables = recurrent(weights, tag, sequence, after)
    flat(weights)
    n = STATE * (STEPS if sequence else 1)
    last = one_for_each(weights, n)
    bias = float(weights[-1].find("Biases").text)
    X = events(3, STEPS * INPUTS)
    expected = []
    for x in X.astype(float).reshape(3, STEPS, INPUTS):
        states = walk(tag, x, *tables, after)
        values = [v for state in states for v in state] if sequence else states[-1]
        expected.append(bias + sum(a * b for a, b in zip(last, values, strict=True)))
    np.testing.assert_allclose(predict(weights, context(STEPS * INPUTS), X), expected, rtol=1e-11)


def test_sequences_behind_sequences():
    weights = root(STEPS, 1, INPUTS)
    first = recurrent(weights, "GRULayer", sequence=True)
    second = recurrent(weights, "LSTMLayer", sequence=False, n_inputs=STATE)
    last = one_for_each(weights, STATE)
    bias = float(weights[-1].find("Biases").text)
    X = events(2, STEPS * INPUTS)
    expected = []
    for x in X.astype(float).reshape(2, STEPS, INPUTS):
        between = np.array(walk("GRULayer", x, *first, after=False))
        expected.append(bias + float(last @ walk("LSTMLayer", between, *second, after=False)[-1]))
    np.testing.assert_allclose(predict(weights, context(STEPS * INPUTS), X), expected, rtol=1e-11)


def test_an_rnn_of_the_first_releases_returns_its_sequence():
    weights = root(STEPS, 1, INPUTS)
    recurrent(weights, "RNNLayer", sequence=True)
    flat(weights)
    one_for_each(weights, STATE * STEPS)
    X = events(2, STEPS * INPUTS)
    expected = predict(weights, context(STEPS * INPUTS), X)
    del weights[0].attrib["ReturnSequence"]
    method = DL(DLOptions())
    state = method.read_state(weights, context(STEPS * INPUTS))
    np.testing.assert_array_equal(method.predict(state, X), expected)


def test_keras_agrees():
    """The layers of Keras, with the same weights in its own order."""
    keras = pytest.importorskip("keras")
    weights = root(STEPS, 1, INPUTS)
    lstm = recurrent(weights, "LSTMLayer", sequence=True)
    gru = recurrent(weights, "GRULayer", sequence=True, n_inputs=STATE)
    rnn = recurrent(weights, "RNNLayer", sequence=False, n_inputs=STATE)
    last = one_for_each(weights, STATE)
    bias = float(weights[-1].find("Biases").text)

    def kernel(tables, order: tuple[int, ...]) -> list[np.ndarray]:
        inputs, states, biases = tables
        return [np.hstack([inputs[g].T for g in order]), np.hstack([states[g].T for g in order]),
                np.concatenate([biases[g] for g in order])]  # fmt: skip

    model = keras.Sequential(
        [
            keras.layers.Input((STEPS, INPUTS)),
            keras.layers.LSTM(STATE, return_sequences=True),
            keras.layers.GRU(STATE, return_sequences=True, reset_after=False),
            keras.layers.SimpleRNN(STATE),
        ]
    )
    model.set_weights([*kernel(lstm, (0, 1, 2, 3)), *kernel(gru, (1, 0, 2)), *kernel(rnn, (0,))])
    X = events(16, STEPS * INPUTS)
    expected = np.asarray(model(X.reshape(16, STEPS, INPUTS)), np.float64) @ last + bias
    np.testing.assert_allclose(predict(weights, context(STEPS * INPUTS), X), expected, atol=1e-5)


def test_keras_agrees_on_images():
    keras = pytest.importorskip("keras")
    weights = root(2, 6, 6)
    w, b = random(3, 2 * 3 * 3), random(3)
    add(weights, "ConvLayer", {"Weights": w, "Biases": b}, Depth=3, FilterHeight=3, FilterWidth=3, StrideRows=1,
        StrideCols=1, PaddingHeight=1, PaddingWidth=1, ActivationFunction=1)  # fmt: skip
    mean, variance, gamma, beta = norm(weights, 3)
    add(weights, "MaxPoolLayer", FilterHeight=2, FilterWidth=2, StrideRows=2, StrideCols=2)
    flat(weights)
    last = one_for_each(weights, 27)
    bias = float(weights[-1].find("Biases").text)
    model = keras.Sequential(
        [
            keras.layers.Input((6, 6, 2)),
            keras.layers.Conv2D(3, 3, padding="same", activation="relu"),
            keras.layers.BatchNormalization(epsilon=0.01),
            keras.layers.MaxPooling2D(2),
        ]
    )
    model.set_weights([w.reshape(3, 2, 3, 3).transpose(2, 3, 1, 0), b, gamma, beta, mean, variance])
    X = events(8, 72)
    pooled = np.asarray(model(X.reshape(8, 2, 6, 6).transpose(0, 2, 3, 1)), np.float64)
    expected = pooled.transpose(0, 3, 1, 2).reshape(8, 27) @ last + bias
    np.testing.assert_allclose(predict(weights, context(72), X), expected, atol=1e-5)


# -------------------------------------------------------------------------------------- blocks, structure


def test_many_events_are_the_same_in_blocks_and_alone(monkeypatch):
    weights = root(STEPS, 1, INPUTS)
    recurrent(weights, "GRULayer", sequence=False)
    one_for_each(weights, STATE)
    method = DL(DLOptions())
    state = method.read_state(weights, context(STEPS * INPUTS))
    X = events(101, STEPS * INPUTS)
    whole = method.predict(state, X)
    monkeypatch.setattr(_network, "_BLOCK_VALUES", 10 * max(layer.work for layer in state.layers))
    np.testing.assert_allclose(method.predict(state, X), whole, rtol=1e-12)
    np.testing.assert_allclose(method.predict(state, X[100:]), whole[100:], rtol=1e-12)
    assert method.predict(state, X[:0]).shape == (0,)


def test_structure():
    method = DL(DLOptions())
    weights = root(1, 1, 2, "S")
    (w, b), _ = dense(weights, 2, 3, 1), dense(weights, 3, 1)
    network = method.structure(method.read_state(weights, context(2)))
    assert [layer.activation for layer in network.layers] == ["relu", "sigmoid"]
    np.testing.assert_array_equal(network.layers[0].weights, w.T.astype(np.float32))
    np.testing.assert_array_equal(network.layers[0].bias, b.astype(np.float32))
    weights[1].set("ActivationFunction", "6")
    network = method.structure(method.read_state(weights, context(2)))
    assert [layer.activation for layer in network.layers] == ["relu", "gauss", "sigmoid"]
    weights.set("OutputFunction", "I")
    assert len(method.structure(method.read_state(weights, context(2))).layers) == 2
    image = root(1, 1, 4)
    add(image, "ReshapeLayer", Depth=1, Height=2, Width=2, Flattening=0)
    flat(image)
    dense(image, 4, 1)
    assert len(method.structure(method.read_state(image, context(4))).layers) == 1
    image = root(1, 2, 2)
    add(image, "MaxPoolLayer", FilterHeight=2, FilterWidth=2, StrideRows=1, StrideCols=1)
    dense(image, 1, 1)
    assert method.structure(method.read_state(image, context(4))) is None

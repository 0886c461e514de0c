"""PyKeras with Keras: what is refused at booking, what training does, and that applying needs no Keras."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods._keras_session import import_keras, quiet
from mvakit_methods.keras import PyKeras, PyKerasOptions
from mvakit_methods.keras import method as method_module
from mvakit_methods.keras.method import PyKerasState
from mvakit_methods.keras.network import ACTIVATIONS
from mvakit_methods.keras.onnx_layers import graph_of_dense

from mvakit.dataset import Sample
from mvakit.errors import MethodError, MissingPackageError, MvakitWarning, OptionError
from mvakit.method import DenseLayer, DenseNetwork, FitContext
from mvakit.progress import Messenger
from mvakit.types import AnalysisType
from mvakit.variables import define

pytestmark = pytest.mark.keras

CLASSES = ("Signal", "Background")
LABELS = ("a", "b", "c")


@pytest.fixture(scope="module")
def keras():
    pytest.importorskip("keras")
    return import_keras("PyKeras")


def context(title: str = "Net", labels: tuple[str, ...] = LABELS, **more: Any) -> FitContext:
    return FitContext(AnalysisType.CLASSIFICATION, title, tuple(define(label) for label in labels), CLASSES, **more)


def sample(n: int = 600) -> Sample:
    """Two overlapping Gaussians, class after class as SplitMode=Block leaves them."""
    which = np.repeat([0, 1], n // 2)
    X = np.random.default_rng(7).normal(size=(n, 3)) + np.outer(which, [1.5, -1, 0])
    return Sample(X.astype(np.float32), which, np.ones(n))


def compiled(keras, *layers: Any, loss: Any = "categorical_crossentropy", rate: float = 0.1, **more: Any):
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile(loss=loss, optimizer=keras.optimizers.SGD(learning_rate=rate), **more)
    return model


def softmax_model(keras, **more: Any):
    keras.utils.set_random_seed(1)
    return compiled(
        keras,
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dropout(0.1),
        keras.layers.Dense(2, activation="softmax"),
        weighted_metrics=["accuracy"],
        **more,
    )


def residual_model(keras):
    """No chain: an input is added to what became of it."""
    keras.utils.set_random_seed(1)
    x = keras.Input((3,))
    y = keras.layers.Add()([x, keras.layers.Dense(3, activation="tanh")(x)])
    model = keras.Model(x, keras.layers.Dense(2, activation="softmax")(y))
    model.compile(loss="categorical_crossentropy", optimizer="adam")
    return model


def normalised_model(keras):
    """A layer that is left to Keras' exporter."""
    return compiled(keras, keras.layers.LayerNormalization(), keras.layers.Dense(2, activation="softmax"))


def save(model: Any, path: Path) -> str:
    with quiet():
        warnings.filterwarnings("ignore", message="You are saving a model that has not yet been built")
        model.save(path)
    return str(path)


def booked(model: Any, tmp_path: Path, options: str = "", suffix: str = ".keras") -> PyKeras:
    epochs = "" if "NumEpochs" in options else "NumEpochs=2:"
    text = f"FilenameModel={save(model, tmp_path / ('m' + suffix))}:BatchSize=50:{epochs}{options}"
    method = PyKeras(PyKerasOptions.parse(text))
    method.check(context())
    return method


def curve(method: PyKeras, state: PyKerasState, name: str) -> list[float]:
    return next(c.y.tolist() for c in method.monitoring(state) if c.name == name)


# --------------------------------------------------------------------------------------------------- booking


def functional(keras, inputs: int = 1, outputs: int = 1):
    x = [keras.Input((3,)) for _ in range(inputs)]
    joined = keras.layers.Concatenate()(x) if inputs > 1 else x[0]
    model = keras.Model(x, [keras.layers.Dense(2, activation="softmax")(joined) for _ in range(outputs)])
    model.compile(loss="categorical_crossentropy", optimizer="sgd")
    return model


def unbuilt(keras):
    model = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
    model.compile(loss="categorical_crossentropy", optimizer="sgd")
    return model


def of_shape(keras, *shape: int):
    model = keras.Sequential([keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(2, activation="softmax")])
    model.compile(loss="categorical_crossentropy", optimizer="sgd")
    return model


REFUSED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "four inputs": (lambda k: of_shape(k, 4), "takes 4 inputs, but there are 3 variables: a, b, c"),
    "a matrix as input": (lambda k: of_shape(k, 3, 1), r"takes events of shape \(3, 1\); .* keras.Input\(\(3,\)\)"),
    "two input tensors": (lambda k: functional(k, inputs=2), "has 2 input and 1 output tensors"),
    "two output tensors": (lambda k: functional(k, outputs=2), "has 1 input and 2 output tensors"),
    "no declared input": (unbuilt, "declares no input"),
    "three outputs": (
        lambda k: compiled(k, k.layers.Dense(3, activation="softmax")),
        r"has 3 outputs; a classification needs 2 outputs with a softmax, one for each class \(Signal, Background\), or 1",
    ),
    "linear outputs": (
        lambda k: compiled(k, k.layers.Dense(2)),
        r"does not end in probabilities \(its last .* 'linear'\)",
    ),
    "two sigmoids": (lambda k: compiled(k, k.layers.Dense(2, activation="sigmoid")), "'sigmoid'"),
    "tanh": (lambda k: compiled(k, k.layers.Dense(1, activation="tanh"), loss="mse"), "'tanh'"),
    "logits": (
        lambda k: compiled(
            k, k.layers.Dense(2, activation="softmax"), loss=k.losses.CategoricalCrossentropy(from_logits=True)
        ),
        "from_logits=True",
    ),
    "categorical loss of one output": (
        lambda k: compiled(k, k.layers.Dense(1, activation="sigmoid")),
        "has one output, for which categorical_crossentropy is no loss",
    ),
    "metrics of another shape": (
        lambda k: compiled(
            k, k.layers.Dense(2, activation="softmax"), loss="mse", metrics=["sparse_categorical_crossentropy"]
        ),
        "loss or metrics that do not fit",
    ),
    "weights that are not finite": (
        lambda k: compiled(
            k,
            k.layers.Dense(2, bias_initializer=k.initializers.Constant(float("nan"))),
            k.layers.Activation("softmax"),
        ),
        "does not end in probabilities",
    ),
    "numbers that are no inputs": (
        lambda k: compiled(k, k.layers.Embedding(3, 1), k.layers.Flatten(), k.layers.Dense(2, activation="softmax")),
        "cannot be applied to 3 numbers",
    ),
    "a loss that is not finite": (
        lambda k: compiled(
            k, k.layers.Dense(2, activation="softmax"), loss=k.losses.CategoricalCrossentropy(label_smoothing=np.inf)
        ),
        "a loss that is not finite",
    ),
    "not compiled": (
        lambda k: k.Sequential([k.Input((3,)), k.layers.Dense(2, activation="softmax")]),
        "is not compiled",
    ),
    "a Lambda layer": (
        lambda k: compiled(k, k.layers.Lambda(lambda x: x * 2), k.layers.Dense(2, activation="softmax")),
        "holds a Lambda layer.*enable_unsafe_deserialization",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_models_that_cannot_be_trained_are_refused_at_booking(keras, tmp_path, case):
    make, words = REFUSED[case]
    name = save(make(keras), tmp_path / "m.keras")
    with pytest.raises(MethodError, match=f"^PyKeras: .*m.keras.*{words}"):
        PyKeras(PyKerasOptions.parse(FilenameModel=name)).check(context())


def test_files_that_are_no_models_are_refused_at_booking(keras, tmp_path):
    def check(name: str) -> None:
        PyKeras(PyKerasOptions.parse(FilenameModel=name)).check(context())

    (tmp_path / "model.keras").write_text("no zip")
    (tmp_path / "model.pb").write_text("")
    (tmp_path / "model.h5").write_text("no HDF5")
    with pytest.raises(MethodError, match="'FilenameModel' has to name the Keras model"):
        check("")
    with pytest.raises(
        MethodError, match=r"modle\.keras' of FilenameModel does not exist; did you mean 'model\.keras'"
    ):
        check(str(tmp_path / "modle.keras"))
    with pytest.raises(MethodError, match="does not exist; there are no models in that folder"):
        check(str(tmp_path / "nowhere" / "m.keras"))
    with pytest.raises(MethodError, match=r"is no \.keras or \.h5 file"):
        check(str(tmp_path / "model.pb"))
    for name in ("model.keras", "model.h5"):
        with pytest.raises(MethodError, match=f"{name}' of FilenameModel cannot be read as a Keras model"):
            check(str(tmp_path / name))
    with pytest.raises(MethodError, match=r"FilenameModel takes a file, not <.*hand the model over as Model="):
        PyKeras(PyKerasOptions.parse(FilenameModel=keras.Sequential())).check(context())


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ("ValidationSize=100%", OptionError, "ValidationSize"),
        ("LearningRateSchedule=10", OptionError, "LearningRateSchedule"),
        ("FilenameTrainedModel=trained.pb", MethodError, "ends in .keras or .h5"),
        ("FilenameTrainedModel=/proc/nowhere/trained.h5", MethodError, "cannot be written into '/proc'"),
        ("ContinueTraining", MethodError, "ContinueTraining needs FilenameTrainedModel"),
    ],
)
def test_options_that_cannot_be_honoured_are_refused_at_booking(keras, tmp_path, monkeypatch, options, error, words):
    monkeypatch.setattr(os, "access", lambda path, mode: not str(path).startswith("/proc"))
    with pytest.raises(error, match=words):
        booked(softmax_model(keras), tmp_path, options)


def test_a_schedule_needs_an_optimizer_without_one(keras, tmp_path):
    model = softmax_model(keras)
    decay = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9)
    model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.SGD(decay))
    with pytest.raises(MethodError, match="whose optimizer has a schedule of its own"):
        booked(model, tmp_path, "LearningRateSchedule=1,0.1")


def test_threads_come_too_late_once_tensorflow_runs(keras, tmp_path):
    model = softmax_model(keras)
    with pytest.raises(MethodError, match="NumThreads=3 comes too late"):
        booked(model, tmp_path, "NumThreads=3")


def test_what_a_network_that_is_not_dense_needs_is_asked_for_at_booking(keras, tmp_path, monkeypatch):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tf2onnx" else find(name))
    booked(softmax_model(keras), tmp_path)
    booked(residual_model(keras), tmp_path)
    with pytest.raises(MissingPackageError, match="a PyKeras model with LayerNormalization.*'tf2onnx'"):
        booked(normalised_model(keras), tmp_path)
    monkeypatch.setattr(method_module, "has_runtime", lambda: False)
    booked(softmax_model(keras), tmp_path)
    with pytest.raises(MissingPackageError, match="not a plain chain of dense layers.*'onnxruntime'"):
        booked(residual_model(keras), tmp_path)


def test_tensorboard_is_asked_for_at_booking(keras, tmp_path, monkeypatch):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tensorboard" else find(name))
    with pytest.raises(MissingPackageError, match="TensorBoard of PyKeras needs the package 'tensorboard'"):
        booked(softmax_model(keras), tmp_path, "TensorBoard=logs")


def test_a_network_that_cannot_be_exported_is_refused_at_booking(keras, tmp_path, monkeypatch):
    def fail(model: object) -> None:
        raise NotImplementedError("no such operation\nand much more")

    monkeypatch.setattr(method_module, "export_graph", fail)
    with pytest.raises(MethodError, match=r"cannot be exported as one: no such operation$"):
        booked(residual_model(keras), tmp_path)


# -------------------------------------------------------------------------------------------------- training


def test_signal_is_the_first_output_or_the_only_one(keras, tmp_path):
    layers = keras.layers
    models = {
        "one column for each class": softmax_model(keras),
        "a sparse loss": compiled(
            keras, layers.Dense(2), layers.Softmax(), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
        ),
        "one output": compiled(keras, layers.Dense(1, activation="sigmoid"), loss="binary_crossentropy"),
    }
    train = sample()
    for name, model in models.items():
        method = booked(model, tmp_path, "NumEpochs=8:VarTransform=N")
        response = method.predict(method.fit(train, context()), train.X)
        assert response.shape == (600,), name
        assert response[train.is_signal].mean() > response[~train.is_signal].mean() + 0.3, name


def test_weights_of_events_count(keras, tmp_path):
    """Events with the wrong class and no weight change nothing; with weight they turn the response over."""
    train = sample()
    both = Sample(np.tile(train.X, (2, 1)), np.append(train.class_index, 1 - train.class_index), np.ones(1200))
    separation = []
    for weight in (0.0, 3.0):
        method = booked(softmax_model(keras), tmp_path, "NumEpochs=4")
        state = method.fit(both.with_weight(np.repeat([1.0, weight], 600)), context())
        response = method.predict(state, train.X)
        separation.append(response[train.is_signal].mean() - response[~train.is_signal].mean())
    assert separation[0] > 0.2
    assert separation[1] < 0


def test_a_seed_gives_one_result_and_leaves_other_generators_alone(keras, tmp_path):
    def fit(seed: int) -> np.ndarray:
        method = booked(softmax_model(keras), tmp_path, f"RandomSeed={seed}")
        return method.predict(method.fit(sample(), context()), sample().X)

    model = softmax_model(keras)
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002 - what Keras would seed
    method = booked(model, tmp_path)
    first = method.predict(method.fit(sample(), context()), sample().X)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002
    np.testing.assert_array_equal(first, fit(1))
    assert np.abs(first - fit(2)).max() > 1e-4


def test_the_best_epoch_is_kept(keras, tmp_path):
    """After two good epochs the rate jumps and spoils the network; the best is that of a training of two epochs."""
    train = sample()
    states = {}
    for name, options in {
        "best": "NumEpochs=3:LearningRateSchedule=2,30",
        "last": "NumEpochs=3:LearningRateSchedule=2,30:!SaveBestOnly",
        "short": "NumEpochs=2:!SaveBestOnly",
    }.items():
        method = booked(softmax_model(keras), tmp_path, options)
        states[name] = method.fit(train, context())
    response = {name: method.predict(state, train.X) for name, state in states.items()}
    losses = curve(method, states["best"], "val_loss")
    assert len(losses) == 3
    assert losses[1] < losses[0] < losses[2]
    np.testing.assert_array_equal(response["best"], response["short"])
    assert np.abs(response["last"] - response["best"]).max() > 0.1
    assert curve(method, states["best"], "learning_rate") == pytest.approx([0.1, 0.1, 30])
    assert {"loss", "val_loss", "accuracy", "val_accuracy"} <= {c.name for c in method.monitoring(states["short"])}


@pytest.mark.parametrize(("tries", "epochs"), [(0, 2), (1, 2), (3, 4), (-1, 6)])
def test_training_stops_where_nothing_gets_better(keras, tmp_path, tries, epochs):
    method = booked(softmax_model(keras, rate=0.0), tmp_path, f"NumEpochs=6:TriesEarlyStopping={tries}")
    state = method.fit(sample(200), context())
    assert len(curve(method, state, "val_loss")) == epochs


def test_a_loss_that_is_no_number_ends_the_training(keras, tmp_path):
    method = booked(softmax_model(keras, rate=1e20), tmp_path)
    with pytest.raises(MethodError, match=r"the loss is nan in epoch \d.*VarTransform=N"):
        method.fit(sample(), context())


def test_an_interrupt_keeps_the_best_so_far(keras, tmp_path):
    def interrupt(done: float, total: float, note: str = "") -> None:
        if done == 3:
            raise KeyboardInterrupt

    method = booked(softmax_model(keras), tmp_path, "NumEpochs=9")
    with pytest.warns(MvakitWarning, match="training of Net was interrupted in epoch 4 of 9; epoch 3 is kept"):
        state = method.fit(sample(), context(tick=interrupt))
    assert len(curve(method, state, "loss")) == 3
    short = booked(softmax_model(keras), tmp_path, "NumEpochs=3")
    X = sample().X
    np.testing.assert_array_equal(method.predict(state, X), short.predict(short.fit(sample(), context()), X))


def test_what_is_said_while_training(keras, tmp_path, caplog):
    ticks: list[tuple[float, float, str]] = []

    def tick(done: float, total: float, note: str = "") -> None:
        ticks.append((done, total, note))

    for verbose in (0, 1, 2):
        method = booked(softmax_model(keras), tmp_path, f"Verbose={verbose}")
        log = Messenger("Net", verbose=verbose == 2)
        ticks.clear()
        caplog.clear()
        with caplog.at_level("INFO"):
            method.fit(sample(), context(tick=tick, log=log))
        assert "480 events to train on and 120 to validate with" in caplog.text
        assert "2 epochs; kept is epoch" in caplog.text
        assert len(ticks) == (0 if verbose == 0 else 2)
        assert ("Epoch 2/2: " in caplog.text) == (verbose == 2)
        assert ("Trainable params" in caplog.text) == (verbose > 0)
    assert ticks[1][:2] == (2, 2)
    assert "val_loss" in ticks[1][2]


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_training_can_be_continued(keras, tmp_path, suffix):
    trained = tmp_path / "deeper" / f"trained{suffix}"
    method = booked(softmax_model(keras), tmp_path, f"NumEpochs=6:FilenameTrainedModel={trained}", suffix)
    state = method.fit(sample(), context())
    reloaded = keras.saving.load_model(trained, compile=False)
    X = sample().X
    with quiet():
        np.testing.assert_allclose(np.asarray(reloaded(X))[:, 0], method.predict(state, X), rtol=1e-5)
    more = PyKeras(PyKerasOptions.parse(f"ContinueTraining:NumEpochs=1:FilenameTrainedModel={trained}"))
    more.check(context())
    loss = curve(method, state, "loss")
    assert curve(more, more.fit(sample(), context()), "loss")[0] < (loss[0] + loss[-1]) / 2


def test_a_training_is_continued_from_beside_the_weight_file(keras, tmp_path):
    save(softmax_model(keras), tmp_path / "TrainedModel_Net.keras")
    PyKeras(PyKerasOptions.parse("ContinueTraining")).check(context(folder=tmp_path))
    with pytest.raises(MethodError, match=r"TrainedModel_Other\.keras' of FilenameTrainedModel does not exist"):
        PyKeras(PyKerasOptions.parse("ContinueTraining")).check(context("Other", folder=tmp_path))


def test_tensorboard_gets_its_folder(keras, tmp_path):
    pytest.importorskip("tensorboard")
    method = booked(softmax_model(keras), tmp_path, f"TensorBoard={tmp_path / 'logs'}")
    method.fit(sample(), context())
    assert list((tmp_path / "logs").rglob("events.out.tfevents*"))


def test_a_class_without_events_is_named(keras, tmp_path):
    method = booked(softmax_model(keras), tmp_path)
    train = sample()
    with pytest.raises(MethodError, match="class 'Background' have a sum of weights of 0"):
        method.fit(train.select(train.is_signal), context())


def test_what_keras_raises_while_training_becomes_one_sentence(keras, tmp_path, monkeypatch):
    method = booked(softmax_model(keras), tmp_path)

    def fail(*args: object, **more: object) -> None:
        raise RuntimeError("out of memory\nat somewhere")

    monkeypatch.setattr(keras.Model, "fit", fail)
    with pytest.raises(MethodError, match=r"Keras could not train Net: out of memory$"):
        method.fit(sample(), context())


# ---------------------------------------------------------------------------------------- from Keras to NumPy


def many_layers(keras):
    """Every layer that is folded or left out, with numbers in them that are not their defaults."""
    layers = keras.layers
    rng = np.random.default_rng(6)
    model = compiled(
        keras,
        layers.Normalization(mean=[0.5, -1.0, 2.0], variance=[4.0, 0.25, 1.0]),
        layers.BatchNormalization(),
        layers.Rescaling(0.5, offset=-0.1),
        layers.Dense(6, activation="tanh"),
        layers.BatchNormalization(scale=False),
        layers.GaussianNoise(0.1),
        layers.Dense(6, use_bias=False),
        layers.BatchNormalization(center=False),
        layers.LeakyReLU(negative_slope=0.15),
        layers.Activation("softsign"),
        layers.Dropout(0.5),
        keras.Sequential([keras.Input((6,)), layers.Dense(5), layers.ELU(alpha=0.7), layers.ReLU(negative_slope=0.05)]),
        layers.Flatten(),
        layers.Dense(4, activation="relu"),
        layers.ReLU(),
        layers.BatchNormalization(),
        layers.Activation("linear"),
        layers.Softmax(),
        layers.Dense(2, activation="softmax"),
    )
    model.set_weights(
        [np.abs(w) + rng.uniform(0.2, 1, w.shape) * (1 if w.ndim == 1 else 0) for w in model.get_weights()]
    )
    return model


@pytest.mark.parametrize("name", sorted(ACTIVATIONS))
def test_activations_are_those_of_keras(keras, name):
    x = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32) * 4
    expected = keras.ops.convert_to_numpy(keras.activations.get(name)(keras.ops.convert_to_tensor(x)))
    np.testing.assert_allclose(ACTIVATIONS[name](x.astype(np.float64)), expected, rtol=2e-5, atol=2e-6)


def test_layers_are_folded_into_a_chain(keras):
    from mvakit_methods.keras.layers import dense_network
    from mvakit_methods.keras.network import Forward

    model = many_layers(keras)
    network = dense_network(model, 3)
    assert network is not None
    X = np.random.default_rng(0).normal(size=(500, 3)).astype(np.float32)
    np.testing.assert_allclose(Forward(network)(X), model.predict(X, verbose=0), rtol=2e-5, atol=1e-6)


def test_a_last_scaling_and_an_empty_chain_become_layers(keras):
    from mvakit_methods.keras.layers import dense_network

    model = keras.Sequential([keras.Input((3,)), keras.layers.Activation("tanh"), keras.layers.Rescaling(2.0)])
    network = dense_network(model, 3)
    assert [layer.activation for layer in network.layers] == ["tanh", "linear"]
    np.testing.assert_array_equal(network.layers[1].weights, 2 * np.eye(3))
    nothing = dense_network(keras.Sequential([keras.Input((3,)), keras.layers.Dropout(0.1)]), 3)
    np.testing.assert_array_equal(nothing.layers[0].weights, np.eye(3))


def test_a_functional_model_in_a_row_is_a_chain(keras):
    from mvakit_methods.keras.layers import dense_network

    x = keras.Input((3,))
    y = keras.layers.Dense(4, activation="relu")(x)
    assert len(dense_network(keras.Model(x, keras.layers.Dense(2)(y)), 3).layers) == 2


def test_everything_else_is_no_chain(keras):
    from mvakit_methods.keras.layers import dense_network

    layers = keras.layers

    class Twice(layers.Layer):
        def call(self, x):
            return 2 * x

    x = keras.Input((3,))
    shared = layers.Dense(3)
    branch = layers.Dense(3)(x)
    cases = {
        "added": residual_model(keras),
        "a layer of one's own": keras.Sequential([x, Twice()]),
        "used twice": keras.Model(x, shared(shared(x))),
        "an inner model": keras.Model(x, keras.Sequential([keras.Input((3,)), layers.Dense(3)])(x)),
        "two from one": keras.Model(x, layers.Concatenate()([branch, layers.Dense(2)(x)])),
        "a kind that is not known": keras.Sequential([x, layers.UnitNormalization()]),
        "a limited ReLU": keras.Sequential([x, layers.ReLU(max_value=1.0)]),
        "a function of one's own": keras.Sequential([x, layers.Dense(2, activation=lambda v: v * v)]),
        "an activation that is not known": keras.Sequential([x, layers.Dense(2, activation="log_softmax")]),
        "half precision": keras.Sequential([x, layers.Dense(2, dtype="float16")]),
    }
    for name, model in cases.items():
        assert dense_network(model, 3) is None, name


# -------------------------------------------------------------------------------------------------- applying


def test_a_graph_that_differs_from_the_model_is_refused(keras, tmp_path, monkeypatch):
    method = booked(residual_model(keras), tmp_path)
    network = DenseNetwork((DenseLayer(np.zeros((3, 2), np.float32), np.zeros(2, np.float32), "linear"),))
    zeros = method_module.Graph(graph_of_dense(network))
    monkeypatch.setattr(method_module, "export_graph", lambda model: zeros)
    with pytest.raises(MethodError, match="differs from the model by"):
        method.fit(sample(), context())


APPLY = """
    import sys
    import numpy as np
    from pathlib import Path
    from xml.etree import ElementTree as ET
    from mvakit.method import WeightContext
    from mvakit.types import AnalysisType
    from mvakit.variables import define
    from mvakit_methods.keras import PyKeras, PyKerasOptions

    folder = Path(sys.argv[1])
    context = WeightContext(
        AnalysisType.CLASSIFICATION, "Net", tuple(map(define, "abc")), ("Signal", "Background"), (), {},
        lambda name: (folder / name).read_bytes(), {},
    )
    method = PyKeras(PyKerasOptions())
    state = method.read_state(ET.parse(folder / "weights.xml").getroot(), context)
    np.save(folder / "response.npy", method.predict(state, np.load(folder / "X.npy")))
    assert not {"keras", "tensorflow", "tf2onnx"} & set(sys.modules)
"""


@pytest.mark.parametrize("make", [softmax_model, residual_model])
def test_applying_needs_no_keras(keras, tmp_path, make):
    method = booked(make(keras), tmp_path)
    train = sample()
    state = method.fit(train, context())
    assert (method.structure(state) is not None) == (make is softmax_model)
    element = ET.Element("Weights")
    for name, data in method.write_state(state, element).items():
        (tmp_path / name).write_bytes(data)
    ET.ElementTree(element).write(tmp_path / "weights.xml")
    np.save(tmp_path / "X.npy", train.X)
    subprocess.run([sys.executable, "-c", textwrap.dedent(APPLY), str(tmp_path)], check=True, timeout=120)
    with quiet():
        model = keras.saving.load_model(tmp_path / "TrainedModel_Net.keras")
        expected = np.asarray(model(train.X))[:, 0]
    np.testing.assert_allclose(np.load(tmp_path / "response.npy"), expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(state.graph(train.X)[:, 0], expected, rtol=1e-5, atol=1e-7)


START = """
    import sys
    from mvakit.method import FitContext
    from mvakit.types import AnalysisType
    from mvakit.variables import define
    from mvakit_methods.keras import PyKeras, PyKerasOptions

    assert not {"keras", "tensorflow", "onnxruntime"} & set(sys.modules)
    context = FitContext(AnalysisType.CLASSIFICATION, "Net", tuple(map(define, "abc")), ("Signal", "Background"))
    for _ in range(2):
        PyKeras(PyKerasOptions.parse(FilenameModel=sys.argv[1], NumThreads=1)).check(context)
    import tensorflow as tf
    print(tf.config.threading.get_intra_op_parallelism_threads(), tf.config.threading.get_inter_op_parallelism_threads())
"""


def test_a_first_booking_is_quiet_and_sets_the_threads(keras, tmp_path):
    name = save(softmax_model(keras), tmp_path / "m.keras")
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(START), name]
    found = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert (found.stdout, found.stderr, found.returncode) == ("1 1\n", "", 0)

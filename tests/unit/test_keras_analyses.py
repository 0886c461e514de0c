"""PyKeras for several classes and for targets: what is refused, what the outputs mean, and that weights count."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods._keras_session import import_keras, quiet
from mvakit_methods.keras import PyKeras, PyKerasOptions
from mvakit_methods.keras.method import PyKerasState
from mvakit_methods.keras.network import Forward
from mvakit_methods.ld import LD, LDOptions

from mvakit.dataset import Sample
from mvakit.errors import MethodError
from mvakit.method import FitContext, WeightContext
from mvakit.progress import Messenger
from mvakit.types import AnalysisType
from mvakit.variables import define

pytestmark = pytest.mark.keras

INPUTS = tuple(define(label) for label in "abc")
CLASSES = ("signal", "qcd", "top")


@pytest.fixture(scope="module")
def keras():
    pytest.importorskip("keras")
    return import_keras("PyKeras")


def multiclass(*classes: str) -> FitContext:
    return FitContext(AnalysisType.MULTICLASS, "Net", INPUTS, classes or CLASSES)


def regression(*targets: str) -> FitContext:
    return FitContext(
        AnalysisType.REGRESSION,
        "Net",
        INPUTS,
        ("Regression",),
        tuple(define(t) for t in targets or ("y",)),
        log=Messenger("Net"),
    )


def three_classes(n: int = 600) -> Sample:
    """Three Gaussians, the classes in no order."""
    rng = np.random.default_rng(3)
    which = rng.permutation(np.arange(n) % 3)
    X = rng.normal(size=(n, 3)) + 1.5 * np.eye(3)[which]
    return Sample(X.astype(np.float32), which, np.ones(n))


def two_targets(n: int = 500) -> Sample:
    """Targets that bend, of different sizes, with weights of which some are negative."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(n, 3))
    targets = np.column_stack([X @ [2, -1, 0] + 0.3 * X[:, 0] ** 2 + 4, 0.1 * X[:, 2] + 0.2 * X[:, 1] ** 2])
    weight = rng.uniform(0.2, 3, n) * np.where(np.arange(n) % 10 == 0, -0.3, 1)
    return Sample(X.astype(np.float32), np.zeros(n, int), weight, targets.astype(np.float32))


def compiled(keras, *layers: Any, loss: Any, rate: float = 0.1, **more: Any):
    model = keras.Sequential([keras.Input((3,)), *layers])
    model.compile(loss=loss, optimizer=keras.optimizers.SGD(learning_rate=rate), **more)
    return model


def classifier(keras, loss: str = "categorical_crossentropy", n: int = 3):
    keras.utils.set_random_seed(1)
    layers = keras.layers
    return compiled(keras, layers.Dense(8, activation="relu"), layers.Dense(n, activation="softmax"), loss=loss)


def linear(keras, n: int = 1, **more: Any):
    keras.utils.set_random_seed(1)
    return compiled(keras, keras.layers.Dense(n), **{"loss": "mse", **more})


def booked(model: Any, context: FitContext, tmp_path: Path, options: str = "NumEpochs=2:BatchSize=50") -> PyKeras:
    with quiet():
        warnings.filterwarnings("ignore", message="You are saving a model that has not yet been built")
        model.save(tmp_path / "m.keras")
    method = PyKeras(PyKerasOptions.parse(options, FilenameModel=tmp_path / "m.keras"))
    method.check(context)
    return method


def curve(method: PyKeras, state: PyKerasState, name: str) -> list[float]:
    return next(c.y.tolist() for c in method.monitoring(state) if c.name == name)


# --------------------------------------------------------------------------------------------------- booking

FOUR = multiclass("signal", "qcd", "top", "w")
REFUSED: dict[str, tuple[FitContext, Callable[[Any], Any], str]] = {
    "too few outputs": (
        FOUR,
        classifier,
        r"has 3 outputs; a multiclass analysis needs 4 outputs with a softmax, one for each class \(signal, qcd, top, w\)$",
    ),
    "one output for two classes": (
        multiclass("signal", "qcd"),
        lambda k: compiled(k, k.layers.Dense(1, activation="sigmoid"), loss="binary_crossentropy"),
        "has 1 outputs; a multiclass analysis needs 2 outputs",
    ),
    "sigmoids": (
        multiclass(),
        lambda k: compiled(k, k.layers.Dense(3, activation="sigmoid"), loss="binary_crossentropy"),
        r"does not end in probabilities \(its last activation is 'sigmoid'\); a multiclass analysis needs 3",
    ),
    "logits": (
        multiclass(),
        lambda k: compiled(
            k, k.layers.Dense(3, activation="softmax"), loss=k.losses.CategoricalCrossentropy(from_logits=True)
        ),
        "from_logits=True",
    ),
    "an output for each class, not target": (
        regression("y"),
        lambda k: linear(k, 2),
        r"has 2 outputs; a regression needs 1, as a rule linear, one for each target \(y\)",
    ),
    "one output for two targets": (
        regression("y", "z"),
        linear,
        r"has 1 outputs; a regression needs 2, .* \(y, z\)",
    ),
    "a softmax over targets": (
        regression("y", "z"),
        lambda k: compiled(k, k.layers.Dense(2, activation="softmax"), loss="mse"),
        r"has outputs that always add up to 1 \(its last activation is 'softmax'\); a regression needs 2",
    ),
    "a softmax over one target": (
        regression("y"),
        lambda k: compiled(k, k.layers.Dense(1), k.layers.Softmax(), loss="mse"),
        r"always add up to 1 \(its last activation is 'softmax'\)",
    ),
    "a loss for classes": (
        regression("y"),
        lambda k: linear(k, loss="binary_crossentropy"),
        "has the loss binary_crossentropy, which is for classes; use another for targets, such as mse",
    ),
    "a loss object for classes": (
        regression("y", "z"),
        lambda k: linear(k, 2, loss=k.losses.CategoricalCrossentropy(from_logits=True)),
        "has the loss categorical_crossentropy",
    ),
    "a regression that is not compiled": (
        regression("y"),
        lambda k: k.Sequential([k.Input((3,)), k.layers.Dense(1)]),
        "is not compiled",
    ),
    "weights that are not finite": (
        regression("y"),
        lambda k: compiled(k, k.layers.Dense(1, bias_initializer=k.initializers.Constant(np.nan)), loss="mse"),
        "a loss that is not finite",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_models_that_do_not_fit_the_analysis_are_refused_at_booking(keras, tmp_path, case):
    context, make, words = REFUSED[case]
    with pytest.raises(MethodError, match=f"^PyKeras: .*m.keras.*{words}"):
        booked(make(keras), context, tmp_path)


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "log_cosh", "mean_absolute_percentage_error"])
def test_losses_of_a_regression(keras, tmp_path, loss):
    booked(linear(keras, 2, loss=loss, metrics=["mae"], weighted_metrics=["mse"]), regression("y", "z"), tmp_path)


# ------------------------------------------------------------------------------------------------ multiclass


def test_outputs_are_the_probabilities_of_the_classes_in_their_order(keras, tmp_path):
    train = three_classes()
    responses = []
    for loss in ("categorical_crossentropy", "sparse_categorical_crossentropy"):
        method = booked(classifier(keras, loss), multiclass(), tmp_path, "NumEpochs=6:BatchSize=30")
        state = method.fit(train, multiclass())
        response = method.predict(state, train.X)
        assert response.shape == (600, 3)
        np.testing.assert_allclose(response.sum(axis=1), 1, rtol=1e-12)
        for k in range(3):
            assert response[train.class_index == k, k].mean() > response[train.class_index != k, k].mean() + 0.25
        responses.append(response)
    np.testing.assert_allclose(responses[0], responses[1], atol=1e-5)


def test_two_classes_of_a_multiclass_analysis_have_two_outputs(keras, tmp_path):
    train = three_classes()
    train = train.select(train.class_index < 2)
    context = multiclass("one", "two")
    method = booked(classifier(keras, n=2), context, tmp_path)
    response = method.predict(method.fit(train, context), train.X)
    assert response.shape == (len(train), 2)
    assert response[train.class_index == 1, 1].mean() > response[train.class_index == 0, 1].mean() + 0.1


def test_a_class_counts_by_its_weight(keras, tmp_path):
    """One whose weights add up to nothing is refused; one with little weight is seldom the answer."""
    train = three_classes()
    method = booked(classifier(keras), multiclass(), tmp_path, "NumEpochs=8:BatchSize=30")
    with pytest.raises(MethodError, match="training events of class 'top' have a sum of weights of 0; it has to be"):
        method.fit(train.with_weight(np.where(train.class_index == 2, 0.0, 1.0)), multiclass())
    light = method.fit(train.with_weight(np.where(train.class_index == 2, 0.01, 1.0)), multiclass())
    assert np.mean(method.predict(light, train.X).argmax(axis=1) == 2) < 0.02


# ------------------------------------------------------------------------------------------------ regression


@pytest.mark.parametrize("targets", [("y",), ("y", "z")])
def test_a_linear_network_finds_the_weighted_least_squares(keras, tmp_path, targets):
    """Without hidden layers the minimum is known in closed form, from the very events that were not for validation."""
    from mvakit_methods._validation import validation_mask

    sample, context = two_targets(), regression(*targets)
    train = Sample(sample.X, sample.class_index, sample.weight, sample.targets[:, : len(targets)])
    # The loss is the average over the outputs.
    model = linear(keras, len(targets), rate=0.3 * len(targets), weighted_metrics=["mae"])
    method = booked(model, context, tmp_path, "NumEpochs=25:BatchSize=500:Verbose=0:!SaveBestOnly:ValidationSize=50")
    state = method.fit(train, context)
    learn = ~validation_mask(train.class_index, 50, 1)
    reference = LD(LDOptions())
    expected = reference.predict(reference.fit(train.select(learn), context), train.X)
    estimates = method.predict(state, train.X)
    assert estimates.shape == ((500,) if len(targets) == 1 else (500, 2))
    np.testing.assert_allclose(estimates, expected, rtol=2e-4, atol=2e-4)
    assert {"loss", "val_loss", "mae", "val_mae"} <= {c.name for c in method.monitoring(state)}
    assert curve(method, state, "val_loss")[-1] < 0.2 * curve(method, state, "val_loss")[0]


def test_a_regression_is_split_without_regard_to_classes(keras, tmp_path):
    """As its events are of one class, whatever their index."""
    train, context = two_targets(), regression("y", "z")
    other = Sample(train.X, (np.arange(500) > 400).astype(int), train.weight, train.targets)
    method = booked(linear(keras, 2), context, tmp_path)
    responses = [method.predict(method.fit(events, context), train.X) for events in (train, other)]
    np.testing.assert_array_equal(responses[0], responses[1])


def test_a_regression_stops_early_and_keeps_the_best_epoch(keras, tmp_path):
    train, context = two_targets(), regression("y", "z")
    options = "NumEpochs=9:BatchSize=50:TriesEarlyStopping=2:LearningRateSchedule=2,0.9"
    method = booked(linear(keras, 2), context, tmp_path, options)
    state = method.fit(train, context)
    losses = curve(method, state, "val_loss")
    best = int(np.argmin(losses))
    assert len(losses) == best + 3 < 9
    short = booked(linear(keras, 2), context, tmp_path, f"NumEpochs={best + 1}:BatchSize=50:LearningRateSchedule=2,0.9")
    np.testing.assert_array_equal(method.predict(state, train.X), short.predict(short.fit(train, context), train.X))


def test_events_without_positive_weight_are_refused(keras, tmp_path):
    train, context = two_targets(), regression("y", "z")
    method = booked(linear(keras, 2), context, tmp_path)
    with pytest.raises(MethodError, match="PyKeras: the training events have a sum of weights of -400; it has to be"):
        method.fit(train.with_weight(np.full(500, -1.0)), context)


def test_targets_out_of_reach_are_told_of(keras, tmp_path, caplog):
    train, context = two_targets(), regression("y", "z")
    below = int((train.targets[:, 1] < 0).sum())
    layers = keras.layers
    model = compiled(keras, layers.Dense(2), layers.ReLU(), loss="mse", rate=0.01)
    with caplog.at_level("WARNING"):
        booked(model, context, tmp_path).fit(train, context)
    assert (
        f"{below} of 500 training events have a z that the last activation 'relu' cannot reach, below 0 or above inf; "
        "make it linear, or transform the target (VarTransform=N)"
    ) in caplog.text
    caplog.clear()
    inside = Sample(train.X, train.class_index, train.weight, np.tanh(train.targets))
    last = keras.Sequential([keras.Input((4,)), layers.Dense(2, activation="tanh")])
    for model in (compiled(keras, layers.Dense(4), last, loss="mse"), linear(keras, 2)):
        method = booked(model, context, tmp_path)
        with caplog.at_level("WARNING"):
            method.fit(inside, context)
        assert not caplog.text
    with caplog.at_level("WARNING"):
        booked(compiled(keras, layers.Dense(4), last, loss="mse"), context, tmp_path).fit(train, context)
    assert "last activation 'tanh' cannot reach, below -1 or above 1" in caplog.text


# --------------------------------------------------------------------------------------- from Keras to NumPy


def test_large_outputs_are_compared_on_their_scale(keras):
    """Sums of thousands are off by more than 1e-5 in single precision, and yet the same."""
    from mvakit_methods.keras.layers import dense_network

    keras.utils.set_random_seed(2)
    large = keras.initializers.RandomNormal(stddev=3000.0)
    layers = keras.layers
    deep = [layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu")]
    model = keras.Sequential([keras.Input((3,)), *deep, layers.Dense(2, kernel_initializer=large)])
    network = dense_network(model, 3)
    assert network is not None
    X = np.random.default_rng(0).normal(size=(200, 3)).astype(np.float32)
    outputs = np.asarray(model(X))
    assert np.abs(Forward(network)(X) - outputs).max() > 1e-4
    np.testing.assert_allclose(Forward(network)(X), outputs, rtol=1e-4, atol=1e-5 * np.abs(outputs).max())
    beyond = keras.Sequential([keras.Input((3,)), layers.Dense(1, activation="exponential", kernel_initializer="ones")])
    beyond.set_weights([40 * w for w in beyond.get_weights()])
    assert np.isinf(np.asarray(beyond(10 * X))).any()
    assert dense_network(beyond, 3) is not None


def test_outputs_that_differ_are_seen_at_any_scale():
    from mvakit_methods.keras.layers import _agree

    # One output is zero; what it may be off by follows from the other, in each third of the rows.
    expected = np.repeat([[0, 1.0], [0, 1e6], [0, 1e-3]], 32, axis=0).astype(np.float32)
    assert _agree(expected, expected)
    for row, step, same in [(5, 3e-5, False), (5, 1e-6, True), (40, 1.0, True), (40, 40.0, False), (70, 3e-5, False)]:
        found = expected.copy()
        found[row, 0] += np.float32(step)
        assert _agree(found, expected) is same, (row, step)


def test_a_graph_is_compared_with_its_model_on_their_scale(keras):
    method = PyKeras(PyKerasOptions())
    for scale, step, same in [(1.0, 1e-5, True), (1.0, 1e-2, False), (3000.0, 1e-2, True), (3000.0, 3.0, False)]:
        # The first output is near zero, where only the size of the others says what rounding may do.
        outputs = np.array([[0.0], [scale]])
        found = np.array([[step], [scale]])
        arguments = (lambda X, training, y=outputs: y, lambda X, y=found: y, np.zeros((2, 3)))
        if same:
            method._compare(*arguments)
        else:
            with pytest.raises(MethodError, match=f"differs from the model by {step:.2g}"):
                method._compare(*arguments)


# ------------------------------------------------------------------------------------------------- weight file


def residual(keras, context: FitContext):
    """No chain: an input is added to what became of it. Regression outputs are some thousands."""
    keras.utils.set_random_seed(1)
    layers = keras.layers
    x = keras.Input((3,))
    y = layers.Add()([x, layers.Dense(3, activation="tanh")(x)])
    if context.analysis is AnalysisType.MULTICLASS:
        model = keras.Model(x, layers.Dense(3, activation="softmax")(y))
        model.compile(loss="categorical_crossentropy", optimizer="adam")
    else:
        model = keras.Model(x, layers.Rescaling(3000.0)(layers.Dense(2)(y)))
        model.compile(loss="mae", optimizer="adam")
    return model


@pytest.mark.parametrize(
    ("context", "train"), [(multiclass(), three_classes()), (regression("y", "z"), two_targets())], ids=["multi", "reg"]
)
@pytest.mark.parametrize("dense", [True, False])
def test_a_response_is_that_of_the_model_and_survives_a_weight_file(keras, tmp_path, context, train, dense):
    made = residual(keras, context)
    if dense:
        made = classifier(keras) if context.analysis is AnalysisType.MULTICLASS else linear(keras, 2)
    method = booked(made, context, tmp_path)
    state = method.fit(train, context)
    assert (method.structure(state) is not None) is dense
    element = ET.Element("Weights")
    files = dict(method.write_state(state, element))
    (tmp_path / "trained.keras").write_bytes(files["TrainedModel_Net.keras"])
    with quiet():
        expected = np.asarray(keras.saving.load_model(tmp_path / "trained.keras")(train.X))
    question = WeightContext(
        context.analysis, "Net", INPUTS, context.classes, context.targets, {}, files.__getitem__, {}
    )
    again = method.read_state(ET.fromstring(ET.tostring(element)), question)
    scale = np.abs(expected).max()
    assert again.analysis is context.analysis
    np.testing.assert_allclose(method.predict(again, train.X), expected, rtol=1e-5, atol=1e-6 * scale)
    np.testing.assert_array_equal(method.predict(again, train.X), method.predict(state, train.X))
    np.testing.assert_allclose(again.graph(train.X), expected, rtol=1e-5, atol=1e-6 * scale)

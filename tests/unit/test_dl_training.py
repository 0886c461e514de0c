"""Training of DL and DNN: what is refused, layers as Keras and as NumPy apply them, every key of a strategy."""

from __future__ import annotations

import functools
import logging
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods._validation import validation_mask
from mvakit_methods.dl import DL, DNN, DLOptions, DNNOptions
from mvakit_methods.dl.layout import input_shape, plan_layers
from mvakit_methods.dl.network import DeepNetwork
from mvakit_methods.dl.task import Plan
from mvakit_methods.dl.xml import read_deep_network, write_deep_network

from mvakit.dataset import Sample
from mvakit.errors import MethodError, MissingPackageError, MvakitWarning, OptionError
from mvakit.method import FitContext, WeightContext
from mvakit.types import AnalysisType
from mvakit.variables import define

CLASSIFICATION, MULTICLASS, REGRESSION = AnalysisType.CLASSIFICATION, AnalysisType.MULTICLASS, AnalysisType.REGRESSION
CLASSES = {CLASSIFICATION: ("Signal", "Background"), MULTICLASS: ("x", "y", "z"), REGRESSION: ("Regression",)}
TARGETS = (define("t"), define("u"))

# --------------------------------------------------------------------------------------------- the plan


def context(analysis: AnalysisType = CLASSIFICATION, n: int = 4, **changes: object) -> FitContext:
    targets = TARGETS if analysis is REGRESSION else ()
    variables = tuple(define(f"v{i}") for i in range(n))
    return FitContext(analysis, "D", variables, CLASSES[analysis], targets, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("analysis", "strategy", "loss", "output"),
    [
        (CLASSIFICATION, "CROSSENTROPY", "C", "S"),
        (CLASSIFICATION, "SUMOFSQUARES", "R", "S"),
        (MULTICLASS, "CROSSENTROPY", "C", "M"),
        (MULTICLASS, "MUTUALEXCLUSIVE", "S", "M"),
        (MULTICLASS, "SUMOFSQUARES", "R", "M"),
        (REGRESSION, "SUMOFSQUARES", "R", "I"),
    ],
)
def test_headers_are_those_of_tmva(analysis, strategy, loss, output):
    options = DLOptions.parse(
        f"ErrorStrategy={strategy}:Layout=TANH|5,LINEAR:WeightInitialization=XAVIERUNIFORM",
        TrainingStrategy="BatchSize=100,WeightDecay=1e-4,Regularization=L2",
    )
    assert Plan(options, context(analysis)).header() == (
        ("NetDepth", "2"), ("InputDepth", "1"), ("InputHeight", "1"), ("InputWidth", "4"), ("BatchSize", "1"),
        ("BatchDepth", "1"), ("BatchHeight", "100"), ("BatchWidth", "4"), ("LossFunction", loss),
        ("Initialization", "F"), ("Regularization", "2"), ("OutputFunction", output),
        ("WeightDecay", "1.0000000000000000e-04"),
    )  # fmt: skip
    old = DNNOptions.parse(f"ErrorStrategy={strategy}:Layout=TANH|5,LINEAR")
    assert Plan(old, context(analysis)).header() == (
        ("InputWidth", "4"), ("Depth", "2"), ("LossFunction", loss), ("OutputFunction", output),
    )  # fmt: skip


def test_inputs_and_batches_have_a_layout():
    strategy = "BatchSize=25"
    plain, image, batch = (
        dict(
            Plan(DLOptions.parse(text, TrainingStrategy=strategy, Layout="RESHAPE|FLAT,LINEAR"), context(n=12)).header()
        )
        for text in ("", "InputLayout=2|3|2", "InputLayout=2|3|2:BatchLayout=25|1|12")
    )
    assert [plain[f"Input{edge}"] for edge in ("Depth", "Height", "Width")] == ["1", "1", "12"]
    assert [image[f"Input{edge}"] for edge in ("Depth", "Height", "Width")] == ["2", "3", "2"]
    assert [image[f"Batch{edge}"] for edge in ("Depth", "Height", "Width")] == ["25", "2", "6"]
    assert [batch[f"Batch{edge}"] for edge in ("Depth", "Height", "Width")] == ["25", "1", "12"]


def test_options_that_are_refused(monkeypatch):
    with pytest.raises(OptionError, match="MUTUALEXCLUSIVE, which is for the several outputs"):
        DL(DLOptions.parse("ErrorStrategy=MUTUALEXCLUSIVE")).check(context())
    with pytest.raises(OptionError, match="'Architecture' of DL is OPENCL"):
        DL(DLOptions.parse("Architecture=OPENCL")).check(context())
    with pytest.raises(OptionError, match="'ValidationSize' of DNN takes"):
        DNN(DNNOptions.parse("ValidationSize=x")).check(context())
    with pytest.raises(OptionError, match="'Layout' of DNN takes dense layers alone"):
        DNN(DNNOptions.parse("Layout=RESHAPE|FLAT,LINEAR")).check(context())
    monkeypatch.setattr("mvakit_methods.dl.task._gpus", lambda owner: 0)
    with pytest.raises(OptionError, match="Architecture' of DL is GPU, and Keras sees no GPU here"):
        DL(DLOptions.parse("Architecture=GPU")).check(context())
    monkeypatch.setattr("mvakit_methods.dl.task._gpus", lambda owner: 1)
    DL(DLOptions.parse("Architecture=CUDNN")).check(context())
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="training the method DL"):
        DL(DLOptions()).check(context())


def test_what_changes_nothing_is_told(caplog):
    with caplog.at_level(logging.WARNING):
        DL(DLOptions.parse("", TrainingStrategy="Momentum=0.5|WeightDecay=1")).check(context())
        DL(DLOptions.parse("ErrorStrategy=CROSSENTROPY")).check(context(REGRESSION))
    assert "in stage 1 of the TrainingStrategy this changes nothing: Momentum with Optimizer=ADAM" in caplog.text
    assert "in stage 2 of the TrainingStrategy this changes nothing: WeightDecay without Regularization" in caplog.text
    assert "targets are estimated with SUMOFSQUARES" in caplog.text
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        DNN(DNNOptions()).check(context())
        DL(DLOptions()).check(context(REGRESSION))
    assert not caplog.text


# ---------------------------------------------------------------------------------- layers, as Keras has them


@pytest.fixture
def keras(monkeypatch):
    """Keras without its compiler, which takes longer than these trainings."""
    pytest.importorskip("tensorflow")
    from mvakit_methods._keras_session import import_keras

    found = import_keras("DL")
    from mvakit_methods.dl import training

    compiled = found.Model.compile
    monkeypatch.setattr(
        found.Model,
        "compile",
        lambda self, **settings: compiled(self, **{**settings, "run_eagerly": True, "steps_per_execution": 1}),
    )
    assert training.keras is found
    return found


LAYERS = [
    ("1|1|20", "TANH|7,SYMMRELU|6,GAUSS|5,SOFTSIGN|5,SIGMOID|4,FTANH|3,LINEAR"),
    ("1|1|20", "RELU|8,BNORM,RELU|8,BNORM|0.5|0.01,LINEAR"),
    ("2|5|8", "CONV|4|3|2|1|2|1|0|RELU,BNORM,MAXPOOL|2|2|2|1,RESHAPE|FLAT,LINEAR"),
    ("2|5|8", "CONV|3|2|2|1|1|0|0|TANH,CONV|2|2|3|2|1|1|2|SYMMRELU,RESHAPE|FLAT,DENSE|4|RELU,LINEAR"),
    ("1|1|80", "RESHAPE|2|5|8,MAXPOOL|2|3|1|2,RESHAPE|FLAT,BNORM,LINEAR"),
    ("5|4", "RNN|6|4|5|0|1,RESHAPE|FLAT,LINEAR"),
    ("5|4", "RNN|6|4|5,LINEAR"),
    ("5|4", "LSTM|6|4|5|0|1,LSTM|3|6|5,LINEAR"),
    ("5|4", "GRU|6|4|5|0|1,GRU|3|6|5,DENSE|4,LINEAR"),
    ("5|4", "GRU|6|4|5|0|1|1,RESHAPE|FLAT,LINEAR"),
    ("1|1|20", "RESHAPE|5|1|4,GRU|3|4|5|0|0|1,LINEAR"),
]


@pytest.mark.keras
@pytest.mark.parametrize(("inputs", "layout"), LAYERS)
def test_layers_answer_as_in_keras(keras, inputs, layout):
    from mvakit_methods.dl.building import build_model, trained_layers

    n = int(np.prod([int(edge) for edge in inputs.split("|")]))
    plans = plan_layers(layout, "DL", input_shape(inputs, "DL", n), 2)
    model = build_model(plans, "XAVIER", 1, ())
    rng = np.random.default_rng(0)
    # All weights other than they begin, biases and variances included; the second bias of a GRU stays at zero.
    values = [rng.normal(size=w.shape) * (0.5 if w.ndim > 1 else 1) for w in model.get_weights()]
    for weight, value in zip(model.weights, values, strict=True):
        if "variance" in weight.path:
            value[:] = np.abs(value) + 0.1
        if weight.name == "bias" and value.ndim == 2:
            value[1] = 0
    model.set_weights(values)
    X = rng.normal(size=(50, n)).astype(np.float32)
    network = DeepNetwork(trained_layers(plans, model), "I", 2, header(inputs, layout, n))
    expected = np.asarray(model(X))
    np.testing.assert_allclose(network(X), expected, rtol=1e-5, atol=1e-5)
    element = ET.Element("Weights")
    write_deep_network(network, element)
    where = WeightContext(REGRESSION, "D", context(n=n).variables, (), TARGETS, {}, lambda name: b"", {})
    again = read_deep_network(ET.fromstring(ET.tostring(element)), where)
    np.testing.assert_allclose(again(X), network(X), rtol=1e-12, atol=1e-12)


def header(inputs: str, layout: str, n: int) -> tuple[tuple[str, str], ...]:
    options = DLOptions.parse("", InputLayout=inputs, Layout=layout)
    return Plan(options, context(REGRESSION, n)).header()


@pytest.mark.keras
@pytest.mark.parametrize(
    ("name", "deviation"),
    [
        ("XAVIER", np.sqrt(2 / 700)), ("XAVIERUNIFORM", np.sqrt(2 / 700)), ("GAUSS", np.sqrt(2 / 400)),
        ("LAYERSIZE", np.sqrt(2 / 400)), ("UNIFORM", np.sqrt(2 / 400 / 3)), ("ZERO", 0.0),
    ],
)  # fmt: skip
def test_first_weights(keras, name, deviation):
    from mvakit_methods.dl.building import initializer

    weights = keras.ops.convert_to_numpy(initializer(name, 1)((400, 300)))
    assert weights.std() == pytest.approx(deviation, rel=0.02)
    if "UNIFORM" in name:
        assert np.abs(weights).max() == pytest.approx(np.sqrt(3) * deviation, rel=0.01)
    else:
        assert np.abs(weights).max() >= 2 * deviation


@pytest.mark.keras
def test_a_diagonal_of_ones(keras):
    from mvakit_methods.dl.building import initializer

    np.testing.assert_array_equal(keras.ops.convert_to_numpy(initializer("IDENTITY", 1)((3, 4))), np.eye(3, 4))
    kernel = keras.ops.convert_to_numpy(initializer("IDENTITY", 1)((2, 2, 3, 5)))
    np.testing.assert_array_equal(kernel.reshape(12, 5), np.eye(12, 5))


# --------------------------------------------------------------------------------------------- trainings


def sample(n: int = 240, n_classes: int = 2, n_variables: int = 4) -> Sample:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, n_variables)).astype(np.float32)
    classes = np.digitize(X[:, 0] + 0.3 * rng.normal(size=n), np.linspace(-1, 1, n_classes + 1)[1:-1])
    return Sample(X, classes, rng.uniform(0.5, 1.5, n), np.column_stack([X[:, 0] ** 2, X[:, 1]]).astype(np.float32))


def fit(strategy: str, text: str = "", n: int = 60, **changes: object) -> DeepNetwork:
    options = DLOptions.parse(text, TrainingStrategy=strategy, RandomSeed=5, Layout="TANH|6,LINEAR")
    return DL(options).fit(sample(n), context(**changes))


@functools.lru_cache
def weights_of(strategy: str) -> np.ndarray:
    return flat(fit(strategy))


def flat(network: DeepNetwork) -> np.ndarray:
    return np.concatenate([layer.weights.ravel() for layer in network.layers])  # type: ignore[union-attr]


@pytest.mark.keras
@pytest.mark.parametrize(
    ("base", "key"),
    [
        ("", "LearningRate=1e-2"),
        ("Optimizer=SGD,MaxEpochs=2,LearningRate=0.1", "Momentum=0.9"),
        ("Optimizer=RMSPROP,LearningRate=0.1", "Momentum=0.9"),
        ("Optimizer=SGD,LearningRate=50,MaxEpochs=5", "ConvergenceSteps=0"),
        ("", "MaxEpochs=2"),
        ("", "BatchSize=16"),
        ("Optimizer=SGD,LearningRate=50,MaxEpochs=5", "TestRepetitions=2"),
        ("Regularization=L2", "WeightDecay=1e-2"),
        ("WeightDecay=1e-2", "Regularization=L1"),
        ("WeightDecay=1e-2", "Regularization=L2"),
        ("", "DropConfig=0.5"),
        ("DropConfig=0.5", "DropConfig=0.5+0.5"),
        ("", "Optimizer=SGD"),
        ("", "Optimizer=ADAGRAD"),
        ("", "Optimizer=RMSPROP"),
        ("", "Optimizer=ADADELTA"),
        ("", "ADAM_beta1=0.5"),
        ("", "ADAM_beta2=0.9"),
        ("", "ADAM_eps=0.1"),
        ("Optimizer=ADAGRAD", "ADAGRAD_eps=0.1"),
        ("Optimizer=RMSPROP", "RMSPROP_rho=0.5"),
        ("Optimizer=RMSPROP", "RMSPROP_eps=0.1"),
        ("Optimizer=ADADELTA,LearningRate=1", "ADADELTA_rho=0.5"),
        ("Optimizer=ADADELTA,LearningRate=1", "ADADELTA_eps=0.1"),
    ],
)
def test_each_key_changes_the_training(keras, base, key):
    def strategy(*words: str) -> str:
        keys = {word.partition("=")[0] for word in words}
        others = [word for word in ("MaxEpochs=1", "BatchSize=24") if word.partition("=")[0] not in keys]
        return ",".join([*others, *filter(None, words)])

    kept = [word for word in base.split(",") if word.partition("=")[0] != key.partition("=")[0]]
    without, with_it = weights_of(strategy(*base.split(","))), weights_of(strategy(*kept, key))
    assert np.isfinite(with_it).all()
    assert not np.allclose(without, with_it, rtol=1e-4, atol=1e-6)


@pytest.mark.keras
@pytest.mark.parametrize(
    "change",
    [
        "WeightInitialization=GAUSS", "ErrorStrategy=SUMOFSQUARES", "ValidationSize=50%", "ValidationSize=20",
        "RandomSeed=6", "Layout=RELU|6,LINEAR",
    ],
)  # fmt: skip
def test_each_option_changes_the_training(keras, change):
    options = {"RandomSeed": "5", "Layout": "TANH|6,LINEAR", "TrainingStrategy": "MaxEpochs=3,BatchSize=24"}
    events = sample(60)
    plain = DL(DLOptions.parse("", **options)).fit(events, context())
    name, _, value = change.partition("=")
    changed = DL(DLOptions.parse("", **{**options, name: value})).fit(events, context())
    assert not np.allclose(plain(events.X), changed(events.X), rtol=1e-4)
    if name == "RandomSeed":
        again = DL(DLOptions.parse("", **options)).fit(events, context())
        np.testing.assert_array_equal(flat(plain), flat(again))


@pytest.mark.keras
def test_stages_follow_one_another(keras):
    ticks: list[tuple[float, float]] = []
    curves = fit(
        "MaxEpochs=2,BatchSize=24|MaxEpochs=3,BatchSize=48,Optimizer=SGD,LearningRate=0.1",
        tick=lambda done, total, note="": ticks.append((done, total)),
    ).curves
    assert [curve.name for curve in curves] == ["loss", "val_loss"]
    assert curves[0].x.tolist() == [1, 2, 3, 4, 5]
    assert ticks == [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5), (5, 5)]
    # The second begins where the first ended.
    assert curves[1].y[2] < curves[1].y[0]
    # Without a single test the last weights are kept, and carried from stage to stage.
    untested = fit("MaxEpochs=2,BatchSize=24,TestRepetitions=9|MaxEpochs=2,BatchSize=24,TestRepetitions=9")
    assert untested.curves[1].x.size == 0
    assert untested.curves[0].y[2] < untested.curves[0].y[0]


@pytest.mark.keras
def test_the_best_epoch_is_kept(keras):
    network = fit("MaxEpochs=3,BatchSize=24,LearningRate=50,Optimizer=SGD", "ValidationSize=20")
    events = sample(60)
    check = validation_mask(events.class_index, 20, 5)
    response = network(events.X[check])[:, 0]
    desired, weight = events.is_signal[check], events.weight[check]
    loss = -np.sum(weight * np.log(np.where(desired, response, 1 - response))) / check.sum()
    losses = network.curves[1].y
    assert loss == pytest.approx(losses.min(), rel=1e-4)
    assert losses.argmin() < 2


@pytest.mark.keras
@pytest.mark.parametrize(
    ("analysis", "strategy"),
    [
        (CLASSIFICATION, "SUMOFSQUARES"),
        (MULTICLASS, "CROSSENTROPY"),
        (MULTICLASS, "MUTUALEXCLUSIVE"),
        (MULTICLASS, "SUMOFSQUARES"),
        (REGRESSION, "SUMOFSQUARES"),
    ],
)
def test_analyses(analysis, strategy):
    pytest.importorskip("tensorflow")
    options = DLOptions.parse(
        f"ErrorStrategy={strategy}:RandomSeed=5:Layout=TANH|12,LINEAR",
        TrainingStrategy="MaxEpochs=15,BatchSize=24,LearningRate=0.05",
    )
    events = sample(240, n_classes=3 if analysis is MULTICLASS else 2)
    method = DL(options)
    response = method.predict(method.fit(events, context(analysis)), events.X)
    if analysis is CLASSIFICATION:
        assert response.shape == (240,)
        assert np.mean((response > 0.5) == events.is_signal) > 0.8
    elif analysis is MULTICLASS:
        np.testing.assert_allclose(response.sum(axis=1), 1)
        assert np.mean(response.argmax(axis=1) == events.class_index) > 0.65
    else:
        assert np.abs(response - events.targets).mean() < 0.35


@pytest.mark.keras
def test_a_dnn_is_written_and_read(keras):
    events = sample(60)
    method = DNN(DNNOptions.parse("Layout=TANH|6,LINEAR", TrainingStrategy="MaxEpochs=1,LearningRate=0.1,BatchSize=24"))
    state = method.fit(events, context())
    assert [curve.name for curve in method.monitoring(state)] == ["loss", "val_loss"]
    element = ET.Element("Weights")
    method.write_state(state, element)
    where = WeightContext(CLASSIFICATION, "D", context().variables, CLASSES[CLASSIFICATION], (), {}, lambda n: b"", {})
    again = method.read_state(ET.fromstring(ET.tostring(element)), where)
    np.testing.assert_allclose(method.predict(again, events.X), method.predict(state, events.X), rtol=1e-12)
    assert method.monitoring(again) == ()


@pytest.mark.keras
def test_an_interrupt_keeps_the_best_epoch(keras):
    def tick(done, total, note=""):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.warns(MvakitWarning, match="D was interrupted in epoch 4; epoch 3 is kept"):
        network = fit("MaxEpochs=9,BatchSize=24|MaxEpochs=9", tick=tick)
    assert len(network.curves[0].x) == 3
    assert np.isfinite(flat(network)).all()


@pytest.mark.keras
def test_trainings_that_fail(keras, monkeypatch):
    with pytest.raises(MethodError, match="loss of D is not finite in epoch 1; a smaller LearningRate"):
        fit("MaxEpochs=2,BatchSize=24,LearningRate=1e38,Optimizer=SGD", analysis=REGRESSION)
    events = sample(60)
    negative = events.with_weight(np.where(events.is_signal, -1.0, 1.0))
    with pytest.raises(MethodError, match="DL: the training events of class 'Signal' have a sum of weights of -"):
        DL(DLOptions()).fit(negative, context())

    def fails(self, *args, **settings):
        raise ValueError("\n  no room \n at all")

    monkeypatch.setattr(keras.Model, "fit", fails)
    with pytest.raises(MethodError, match="DL: Keras could not train D: no room$"):
        fit("MaxEpochs=2")

"""Every option of PyKeras changes what comes out; models come from files of Keras 2 and 3, or as they are."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mvakit_methods._keras_session import import_keras, quiet
from mvakit_methods.keras import PyKeras, PyKerasOptions
from mvakit_methods.keras.options import GpuOptions, parse_gpu_options
from mvakit_methods.keras.session import set_gpus, set_threads

from mvakit.dataset import Sample
from mvakit.errors import MethodError, OptionError
from mvakit.method import FitContext
from mvakit.progress import Messenger
from mvakit.types import AnalysisType
from mvakit.variables import define

pytestmark = pytest.mark.keras

KERAS2 = Path(__file__).parent / "keras2"


@pytest.fixture(scope="module")
def keras():
    pytest.importorskip("keras")
    return import_keras("PyKeras")


def context(title: str = "Net", **more: Any) -> FitContext:
    return FitContext(AnalysisType.CLASSIFICATION, title, tuple(map(define, "abc")), ("Signal", "Background"), **more)


def sample(n: int = 400) -> Sample:
    which = np.repeat([0, 1], n // 2)
    X = np.random.default_rng(7).normal(size=(n, 3)) + np.outer(which, [1.5, -1, 0])
    return Sample(X.astype(np.float32), which, np.ones(n))


def network(keras, *layers: Any, loss: str = "binary_crossentropy", rate: float = 0.1):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), *layers, keras.layers.Dense(1, activation="sigmoid")])
    model.compile(loss=loss, optimizer=keras.optimizers.SGD(rate))
    return model


def trained(model: Any, options: str = "", title: str = "Net", **keywords: Any) -> tuple[PyKeras, Any]:
    method = PyKeras(PyKerasOptions.parse(f"Verbose=0:{options}", Model=model, **keywords))
    method.check(context(title))
    return method, method.fit(sample(), context(title))


def record(state: Any) -> dict[str, list[float]]:
    return {name: values.tolist() for name, values in state.history}


# --------------------------------------------------------------------------------- what changes the outcome


@pytest.mark.parametrize(
    "options",
    ["BatchSize=20", "NumEpochs=3", "LearningRateSchedule=1,0.5", "LearningRateSchedule=[1,0.5;2,0.1]",
     "ValidationSize=50%", "ValidationSize=0.4", "ValidationSize=100", "RandomSeed=3"],
)  # fmt: skip
def test_leaving_an_option_out_changes_the_losses(keras, options):
    epochs = "" if "NumEpochs" in options else "NumEpochs=4:"
    plain = record(trained(network(keras), "NumEpochs=4")[1])
    other = record(trained(network(keras), epochs + options)[1])
    assert plain == record(trained(network(keras), "NumEpochs=4")[1])
    assert other["loss"] != plain["loss"]


def test_sizes_of_validation_are_the_same_however_they_are_given(keras):
    losses = [record(trained(network(keras), f"NumEpochs=1:ValidationSize={s}")[1]) for s in ("25%", "0.25", "100")]
    assert losses[0] == losses[1] == losses[2]


def test_one_keras_is_left(keras, caplog):
    with caplog.at_level("WARNING"):
        for options in ("", "tf.keras", "tf.keras=true"):
            PyKeras(PyKerasOptions.parse(options, Model=network(keras))).check(context())
        assert not caplog.text
        PyKeras(PyKerasOptions.parse("!tf.keras", Model=network(keras))).check(context())
    assert "!tf.keras changes nothing: there is one Keras since Keras 3" in caplog.text


# ------------------------------------------------------------------------------------------------------- GPUs


def test_gpu_options():
    assert parse_gpu_options("") == GpuOptions()
    assert parse_gpu_options("allow_growth=True") == GpuOptions(allow_growth=True)
    assert parse_gpu_options("memory_limit=4096, visible_device_list=0,2") == GpuOptions(False, 4096, (0, 2))


@pytest.mark.parametrize("text", ["allow_grow=True", "allow_growth", "allow_growth=2", "memory_limit=-1", "a,b"])
def test_gpu_options_that_are_none(text):
    with pytest.raises(OptionError, match="'GpuOptions' of PyKeras takes allow_growth=True or False"):
        parse_gpu_options(text)


def test_a_fraction_of_a_gpu_is_pointed_to_megabytes():
    with pytest.raises(OptionError, match="give megabytes with memory_limit"):
        parse_gpu_options("per_process_gpu_memory_fraction=0.5")


@pytest.fixture
def gpus(keras, monkeypatch):
    """Two GPUs, and what TensorFlow is told of them."""
    tf = pytest.importorskip("tensorflow")
    told: list[tuple[Any, ...]] = []
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["one", "two"])
    monkeypatch.setattr(tf.config, "set_visible_devices", lambda devices, kind: told.append(("visible", devices, kind)))
    monkeypatch.setattr(
        tf.config.experimental, "set_memory_growth", lambda gpu, growth: told.append(("growth", gpu, growth))
    )
    monkeypatch.setattr(
        tf.config,
        "set_logical_device_configuration",
        lambda gpu, logical: told.append(("limit", gpu, logical[0].memory_limit)),
    )
    return told


def test_tensorflow_is_told_how_to_use_gpus(gpus):
    log = Messenger("Net", silent=True)
    set_gpus(GpuOptions(), MethodError, log)
    assert gpus == []
    set_gpus(GpuOptions(allow_growth=True), MethodError, log)
    assert gpus == [("growth", "one", True), ("growth", "two", True)]
    gpus.clear()
    set_gpus(GpuOptions(memory_limit=100, visible=(1,)), MethodError, log)
    assert gpus == [("visible", ["two"], "GPU"), ("limit", "two", 100)]
    with pytest.raises(MethodError, match="GpuOptions names the GPU 2; TensorFlow finds 2"):
        set_gpus(GpuOptions(visible=(2,)), MethodError, log)


def test_gpus_that_are_in_use_keep_their_settings(gpus, monkeypatch):
    import tensorflow as tf

    def fail(*arguments: object) -> None:
        raise RuntimeError("Physical devices cannot be modified after being initialized")

    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", fail)
    with pytest.raises(MethodError, match="GpuOptions cannot be set: Physical devices"):
        set_gpus(GpuOptions(allow_growth=True), MethodError, Messenger("Net"))


def test_without_gpus_it_is_said_that_nothing_changes(keras, caplog, monkeypatch):
    tf = pytest.importorskip("tensorflow")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind="": [])
    with caplog.at_level("WARNING"):
        trained(network(keras), "NumEpochs=1:GpuOptions=allow_growth=True")
    assert "TensorFlow finds no GPU" in caplog.text
    caplog.clear()
    trained(network(keras), "NumEpochs=1")
    assert "GPU" not in caplog.text


def test_other_backends_have_their_own_settings(monkeypatch):
    module = types.ModuleType("keras")
    module.__version__ = "3.12"
    module.backend = types.SimpleNamespace(backend=lambda: "torch")
    monkeypatch.setitem(sys.modules, "keras", module)
    given: list[int] = []
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(set_num_threads=given.append))
    set_threads(3, MethodError)
    assert given == [3]
    with pytest.raises(MethodError, match="GpuOptions is for TensorFlow, but the backend of Keras is torch"):
        set_gpus(GpuOptions(allow_growth=True), MethodError, Messenger("Net"))


# -------------------------------------------------------------------------------------------- a model as it is


def test_a_model_is_trained_as_it_is_and_again_from_its_beginning(keras):
    model = network(keras, keras.layers.Dense(4, activation="tanh"))
    method, state = trained(model)
    X = sample().X
    with quiet():
        np.testing.assert_allclose(np.asarray(model(X))[:, 0], method.predict(state, X), rtol=1e-5)
    again = method.fit(sample(), context())
    assert record(again) == record(state)
    assert record(trained(model)[1]) != record(state)


def test_two_models_are_one_too_many(keras, tmp_path):
    with pytest.raises(MethodError, match=r"Model and FilenameModel=m\.keras are two models"):
        trained(network(keras), "FilenameModel=m.keras")
    with pytest.raises(OptionError, match=r"FilenameModel names the file 'm\.keras'"):
        PyKerasOptions.parse(Model="m.keras")
    with pytest.raises(MethodError, match="'Model' takes a compiled keras.Model, not 3"):
        PyKerasOptions.parse(Model=3)
    with pytest.raises(MethodError, match="is not compiled"):
        trained(keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, activation="sigmoid")]))


def test_booking_takes_a_model(keras, tmp_path, monkeypatch):
    from mvakit import DataLoader, Factory

    monkeypatch.chdir(tmp_path)
    loader = DataLoader("dataset")
    for name in "abc":
        loader.AddVariable(name)
    for index, add in enumerate((loader.AddSignalTree, loader.AddBackgroundTree)):
        add(dict(zip("abc", sample().X[sample().class_index == index].T, strict=True)))
    factory = Factory("Job", "", "Silent:!DrawProgressBar:AnalysisType=Classification")
    factory.BookMethod(loader, "PyKeras", "Net", "NumEpochs=2:Verbose=0", Model=network(keras))
    factory.TrainAllMethods()
    text = Path("dataset/weights/Job_Net.weights.xml").read_text()
    assert "keras.src" not in text
    assert sorted(p.name for p in Path("dataset/weights").iterdir()) == [
        "Job_Net.weights.xml", "TrainedModel_Net.keras", "TrainedModel_Net.onnx",
    ]  # fmt: skip


# -------------------------------------------------------------------------------------------- code of one's own

CODE = """
import keras

class Doubled(keras.layers.Layer):
    def call(self, x):
        return 2 * x

load_model_custom_objects = {"Doubled": Doubled}
"""


@pytest.fixture
def doubled(keras, tmp_path):
    """A model with a layer of one's own, in a file, and the file of its class."""
    code = tmp_path / "mine.py"
    code.write_text(CODE)
    module = types.ModuleType("mine")
    exec(CODE, module.__dict__)
    model = network(keras, module.Doubled())
    path = tmp_path / "m.keras"
    model.save(path)
    return path, code, module.Doubled


def test_classes_of_ones_own_come_from_user_code_or_by_hand(keras, doubled):
    path, code, made = doubled

    def check(options: str = "", **keywords: Any) -> None:
        PyKeras(PyKerasOptions.parse(options, FilenameModel=path, **keywords)).check(context())

    with pytest.raises(MethodError, match=r"cannot be read as a Keras model.*CustomObjects=\{name: class\}"):
        check()
    with pytest.raises(MethodError, match="UserCode=.*would run that file.*say TrustFiles if you trust it"):
        check(UserCode=code)
    with pytest.raises(MethodError, match=r"'none\.py' of UserCode cannot be read: No such file"):
        check("UserCode=none.py:TrustFiles")
    with pytest.raises(OptionError, match="'CustomObjects' of PyKeras takes a dictionary"):
        check(CustomObjects=[made])
    check(CustomObjects={"Doubled": made})
    check("TrustFiles", UserCode=code)


def test_user_code_that_fails_is_said_to(keras, tmp_path):
    def check(code: str, name: str = "code.py") -> None:
        path = tmp_path / name
        path.write_text(code)
        PyKeras(PyKerasOptions.parse("TrustFiles:FilenameModel=m.keras", UserCode=path)).check(context())

    with pytest.raises(MethodError, match="of UserCode fails: ZeroDivisionError: division by zero"):
        check("1 / 0")
    with pytest.raises(MethodError, match="load_model_custom_objects of .* should be a dictionary"):
        check("load_model_custom_objects = 3", "other.py")
    with pytest.raises(MethodError, match="is no Python file"):
        check("", "code.txt")
    with pytest.raises(MethodError, match="'m.keras' of FilenameModel does not exist"):
        check("x = 1", "third.py")


def test_layers_that_are_code_are_opened_where_the_file_is_trusted(keras, tmp_path):
    keras.utils.set_random_seed(1)
    model = network(keras, keras.layers.Lambda(lambda x: x * 2, output_shape=(3,)))
    path = tmp_path / "m.keras"
    model.save(path)
    with pytest.raises(MethodError, match="holds a Lambda layer.*say TrustFiles"):
        PyKeras(PyKerasOptions.parse(FilenameModel=path)).check(context())
    pytest.importorskip("tf2onnx")
    PyKeras(PyKerasOptions.parse("TrustFiles", FilenameModel=path)).check(context())


# ------------------------------------------------------------------------------------------------ checkpoints


def test_a_training_that_is_killed_can_be_continued(keras, tmp_path, monkeypatch):
    """Each epoch that is better is written at once where no time has to pass between two of them."""
    from mvakit_methods.keras import training

    def kill(done: float, total: float, note: str = "") -> None:
        if done == 3:
            raise SystemExit

    def fit(folder: Path) -> None:
        model = network(keras, keras.layers.Dense(4, activation="tanh"))
        method = PyKeras(PyKerasOptions.parse("NumEpochs=5", Model=model))
        with pytest.raises(SystemExit):
            method.fit(sample(), context(folder=folder, tick=kill))

    fit(tmp_path / "slow")
    assert not list(tmp_path.rglob("*.keras"))
    monkeypatch.setattr(training, "_CHECKPOINT_SECONDS", 0.0)
    fit(tmp_path / "fast")
    method = PyKeras(PyKerasOptions.parse("ContinueTraining:NumEpochs=1:Verbose=0"))
    surroundings = context(folder=tmp_path / "fast")
    method.check(surroundings)
    whole = record(trained(network(keras, keras.layers.Dense(4, activation="tanh")), "NumEpochs=4")[1])["loss"]
    continued = record(method.fit(sample(), surroundings))["loss"]
    assert continued[0] < whole[2]


# ---------------------------------------------------------------------------------------------------- Keras 2


@pytest.mark.parametrize("name", sorted(path.stem for path in KERAS2.glob("*.h5")))
def test_files_of_keras_2_are_read_as_keras_2_reads_them(keras, name):
    """The files and responses were made by Keras 2.21; Keras 3 refuses some, and of others forgets the learning rate."""
    from mvakit_methods.keras.user_model import open_model

    model = open_model(str(KERAS2 / f"{name}.h5"), "FilenameModel")
    X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    with quiet():
        found = np.asarray(model(X))
    np.testing.assert_allclose(found, json.loads((KERAS2 / "responses.json").read_text())[name], rtol=1e-5)
    rate = model.optimizer.get_config()["learning_rate"]
    if name == "decay":
        assert rate["class_name"] == "InverseTimeDecay"
        assert (rate["config"]["initial_learning_rate"], rate["config"]["decay_rate"]) == (pytest.approx(0.02), 0.5)
    elif name == "schedule":
        assert rate["class_name"] == "ExponentialDecay"
        assert rate["config"]["initial_learning_rate"] == 0.02
    else:
        assert rate == pytest.approx(0.02)


def first_keras_2(path: Path) -> None:
    """Write a file as Keras 2.1 did: layers in a bare list, the rate called lr."""
    import h5py

    layers = [
        {"class_name": "Dense", "config": {
            "name": f"dense_{i}", "trainable": True, "units": n_out, "activation": activation, "use_bias": True,
            "kernel_initializer": {"class_name": "VarianceScaling", "config": {
                "scale": 1.0, "mode": "fan_avg", "distribution": "uniform", "seed": None}},
            "bias_initializer": {"class_name": "Zeros", "config": {}}, "kernel_regularizer": None,
            "bias_regularizer": None, "activity_regularizer": None, "kernel_constraint": None, "bias_constraint": None,
            **({"batch_input_shape": [None, 3], "dtype": "float32"} if i == 1 else {}),
        }}
        for i, n_out, activation in ((1, 4, "relu"), (2, 1, "sigmoid"))
    ]  # fmt: skip
    training = {
        "optimizer_config": {"class_name": "SGD", "config": {"lr": 0.05, "momentum": 0.5, "decay": 0.0, "nesterov": False}},
        "loss": "binary_crossentropy", "metrics": ["acc"], "sample_weight_mode": None, "loss_weights": None,
    }  # fmt: skip
    random = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = np.bytes_("2.1.5")
        file.attrs["backend"] = np.bytes_("tensorflow")
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": layers}).encode()
        file.attrs["training_config"] = json.dumps(training).encode()
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [b"dense_1", b"dense_2"]
        for name, shape in (("dense_1", (3, 4)), ("dense_2", (4, 1))):
            group = weights.create_group(name)
            names = [f"{name}/kernel:0", f"{name}/bias:0"]
            group.attrs["weight_names"] = [n.encode() for n in names]
            for n, size in zip(names, (shape, shape[1:]), strict=True):
                group[n] = random.normal(size=size).astype(np.float32)


def test_the_first_files_of_keras_2_are_read(keras, tmp_path):
    from mvakit_methods.keras.user_model import open_model

    first_keras_2(tmp_path / "old.h5")
    before = (tmp_path / "old.h5").read_bytes()
    model = open_model(str(tmp_path / "old.h5"), "FilenameModel")
    assert (tmp_path / "old.h5").read_bytes() == before
    random = np.random.default_rng(1)
    first, shift = random.normal(size=(3, 4)), random.normal(size=4)
    second, last = random.normal(size=(4, 1)), random.normal(size=1)
    X = sample().X[:5]
    expected = 1 / (1 + np.exp(-(np.maximum(X @ first + shift, 0) @ second + last)))
    with quiet():
        np.testing.assert_allclose(np.asarray(model(X)), expected, rtol=1e-4)
    config = model.optimizer.get_config()
    assert (config["learning_rate"], config["momentum"]) == (pytest.approx(0.05), 0.5)
    method = PyKeras(PyKerasOptions.parse("Verbose=0:NumEpochs=1", FilenameModel=tmp_path / "old.h5"))
    method.check(context())
    method.fit(sample(), context())


TIME_MAJOR = (
    '{"class_name": "Sequential", "config": [{"class_name": "LSTM", "config": {"name": "a", "time_major": true}}]}'
)


@pytest.mark.parametrize(
    ("attribute", "text", "words"),
    [
        ("model_config", "{", "its description of the model is damaged"),
        ("model_config", '{"class_name": "Sequential"}', "its description of the model is damaged"),
        ("training_config", '{"optimizer_config": 3}', "its description of the model is damaged"),
        ("model_config", "[" * 100_000, "its description of the model is damaged"),
        ("model_config", TIME_MAJOR, "its layer 'a' asks for time_major, which Keras 3 lacks"),
    ],
)  # fmt: skip
def test_damaged_files_of_keras_2_are_refused(keras, tmp_path, attribute, text, words):
    import h5py
    from mvakit_methods.keras.user_model import open_model

    path = tmp_path / "old.h5"
    first_keras_2(path)
    with h5py.File(path, "r+") as file:
        file.attrs.pop(attribute)
        file.attrs.create(attribute, text, dtype=h5py.string_dtype())
    with pytest.raises(MethodError, match=words):
        open_model(str(path), "FilenameModel")


# ---------------------------------------------------------------------------------------------- other backends

BACKEND = """
import numpy as np
from mvakit_methods._keras_session import import_keras
from mvakit_methods.dl import DL, DLOptions
from mvakit_methods.keras import PyKeras, PyKerasOptions
from mvakit.dataset import Sample
from mvakit.method import FitContext
from mvakit.types import AnalysisType
from mvakit.variables import define

keras = import_keras("PyKeras")
assert keras.backend.backend() == {backend!r}
which = np.arange(400) % 2
X = (np.random.default_rng(0).normal(size=(400, 16)) + which[:, None]).astype(np.float32)
context = FitContext(AnalysisType.CLASSIFICATION, "Net", tuple(define(f"v{{i}}") for i in range(16)), ("S", "B"))
for layers in ([keras.layers.Reshape((4, 4, 1)), keras.layers.Conv2D(3, 2), keras.layers.Flatten()], []):
    model = keras.Sequential([keras.Input((16,)), *layers, keras.layers.Dense(2, activation="softmax")])
    model.compile(loss="categorical_crossentropy", optimizer="adam")
    method = PyKeras(PyKerasOptions.parse("NumEpochs=3:BatchSize=16:Verbose=0:LearningRateSchedule=1,0.02", Model=model))
    method.check(context)
    state = method.fit(Sample(X, which, np.ones(400)), context)
    response = method.predict(state, X)
    assert response[which == 0].mean() > response[which == 1].mean() + 0.3
strategy = "MaxEpochs=2,BatchSize=16,LearningRate=0.02,DropConfig=0.1|MaxEpochs=1,BatchSize=32,Optimizer=SGD"
deep = DL(DLOptions.parse("RandomSeed=1", Layout="CONV|2|2|2|1|1|0|0|RELU,RESHAPE|FLAT,TANH|8,LINEAR",
                          InputLayout="1|4|4", TrainingStrategy=strategy))
deep.check(context)
response = deep.predict(deep.fit(Sample(X, which, np.ones(400)), context), X)
assert response[which == 0].mean() > response[which == 1].mean() + 0.3
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_the_other_backends_of_keras(backend):
    import importlib.util
    import os

    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run(
        [sys.executable, "-c", BACKEND.format(backend=backend)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]

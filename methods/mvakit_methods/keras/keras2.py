"""HDF5 files of Keras 2, rewritten where Keras 3 would refuse them or drop a part of them without a word."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, Final

from mvakit.errors import MethodError

__all__ = ["rewritten"]

_MAX_CONFIG: Final = 1 << 26
# What Keras 3 has no argument for, and the values with which it means what Keras 3 does anyway.
_GONE: Final[dict[str, tuple[object, ...]]] = {
    "time_major": (False, None),
    "ragged": (False, None),
    "implementation": (0, 1, 2),
    "input_dtype": (None, "float32"),
}
_LONG: Final = {
    "mse": "mean_squared_error",
    "mae": "mean_absolute_error",
    "mape": "mean_absolute_percentage_error",
    "msle": "mean_squared_logarithmic_error",
    "acc": "accuracy",
}
_BEGIN: Final = frozenset({"InputLayer", "Sequential", "Functional", "Model"})
_MODELS: Final = frozenset({"Sequential", "Functional", "Model"})


def rewritten(path: Path, folder: Path) -> Path:
    """Return a file that Keras 3 reads: `path` itself, or of a file of Keras 1 or 2 a copy in `folder`.

    Raises
    ------
    MethodError
        If what the file says of its model makes no sense, or asks for something that Keras 3 lacks.
    OSError
        If it is no HDF5 file.
    """
    import h5py

    with h5py.File(path, "r") as file:
        version = _text(file.attrs.get("keras_version", "2"))
        found = {name: _text(file.attrs[name]) for name in ("model_config", "training_config") if name in file.attrs}
    if not version.startswith(("1.", "2")) or "model_config" not in found:
        return path
    if sum(map(len, found.values())) > _MAX_CONFIG:
        raise MethodError(f"its description is larger than {_MAX_CONFIG >> 20} MiB")
    try:
        model = json.loads(found["model_config"])
        training = json.loads(found.get("training_config", "null"))
        _model(model)
        if training:
            _training(training)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise MethodError(f"its description of the model is damaged: {error}") from error
    copy = folder / path.name
    shutil.copyfile(path, copy)
    copy.chmod(0o600)
    with h5py.File(copy, "r+") as file:
        file.attrs["model_config"] = json.dumps(model)
        if training:
            file.attrs["training_config"] = json.dumps(training)
    return copy


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def _model(model: dict[str, Any]) -> None:
    """Rewrite a model, layer by layer."""
    if isinstance(model["config"], list):  # as Keras had it until 2.2.3
        model["config"] = {"name": "sequential", "layers": model["config"]}
    if model["class_name"] == "Model":
        model["class_name"] = "Functional"
    for ends in ("input_layers", "output_layers"):
        given = model["config"].get(ends)
        if isinstance(given, list) and len(given) == 1 and isinstance(given[0], list):
            model["config"][ends] = given[0]  # one tensor, where Keras 3 sees a list of one
    layers = model["config"]["layers"]
    if model["class_name"] == "Sequential":
        _begin(layers)
    nested = {
        layer["config"]["name"] for layer in layers if layer["class_name"] in _MODELS and "name" in layer["config"]
    }
    for layer in layers:
        _layer(layer)
        for node in layer.get("inbound_nodes", ()):
            for source in node:
                # A model within a model had its own nodes counted before those of the outer one.
                if source[0] in nested and source[1] > 0:
                    source[1] -= 1


def _begin(layers: list[dict[str, Any]]) -> None:
    """Let a sequence begin with an input, of which the first layer was to know, with the size of a batch."""
    shapes = [layer["config"].pop("batch_input_shape", None) for layer in layers if layer["class_name"] not in _BEGIN]
    if layers and layers[0]["class_name"] not in _BEGIN and shapes[0]:
        name = f"{layers[0]['config']['name']}_input"
        layers.insert(0, {"class_name": "InputLayer", "config": {"batch_shape": shapes[0], "name": name}})


def _layer(layer: dict[str, Any]) -> None:
    config = layer["config"]
    if layer["class_name"] in _MODELS:
        _model(layer)
        return
    for name, harmless in _GONE.items():
        if name in config and config.pop(name) not in harmless:
            raise MethodError(f"its layer {config.get('name')!r} asks for {name}, which Keras 3 lacks")
    if layer["class_name"] == "LeakyReLU" and "alpha" in config:
        config["negative_slope"] = config.pop("alpha")
    inner = config.get("layer")
    for part in (inner, config.get("backward_layer"), config.get("cell"), *(config.get("cells") or ())):
        if isinstance(part, dict) and isinstance(part.get("config"), dict):
            _layer(part)


def _training(training: dict[str, Any]) -> None:
    training["metrics"] = _metrics(training.get("metrics"))
    training["weighted_metrics"] = _metrics(training.get("weighted_metrics"))
    training["loss"] = _losses(training.get("loss"))
    optimizer = training["optimizer_config"]
    # With this prefix Keras 3 takes an optimizer for an unknown one and trains with the defaults of the name behind it.
    optimizer["class_name"] = optimizer["class_name"].removeprefix("Custom>")
    config = optimizer["config"]
    if "lr" in config:
        config["learning_rate"] = config.pop("lr")
    decay = config.pop("decay", 0.0)
    if decay:
        config["learning_rate"] = {
            "module": "keras.optimizers.schedules",
            "class_name": "InverseTimeDecay",
            "config": {
                "initial_learning_rate": config["learning_rate"],
                "decay_steps": 1,
                "decay_rate": decay,
                "staircase": False,
            },
            "registered_name": None,
        }
    for name in ("jit_compile", "is_legacy_optimizer", "schedule_decay"):
        config.pop(name, None)
    if config.get("epsilon", 0) is None:
        del config["epsilon"]


def _losses(losses: Any) -> Any:
    """Return losses by their long names."""
    if isinstance(losses, list):
        return [_losses(loss) for loss in losses]
    if isinstance(losses, dict) and "class_name" not in losses:
        return {name: _losses(loss) for name, loss in losses.items()}
    return _LONG.get(losses, losses) if isinstance(losses, str) else losses


def _metrics(metrics: Any) -> Any:
    """Return metrics by names that Keras 3 knows: short ones were written as functions of short names."""
    if isinstance(metrics, list):
        return [_metrics(metric) for metric in metrics]
    if isinstance(metrics, str):
        return _LONG.get(metrics, metrics)
    if isinstance(metrics, dict) and metrics.get("class_name") in {"MeanMetricWrapper", "Mean"}:
        config = metrics["config"]
        function = config.get("fn", config["name"])
        if isinstance(function, str):
            return _LONG.get(function, function)
    return metrics

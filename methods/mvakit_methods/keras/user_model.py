"""The user's own model file: opened, and refused at booking if it could not be trained, each time with one sentence."""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from mvakit.errors import MethodError, did_you_mean
from mvakit.method import FitContext, WeightContext
from mvakit.types import AnalysisType
from mvakit_methods._keras_session import first_line, numbers_of, quiet
from mvakit_methods.keras.keras2 import rewritten

__all__ = ["GivenModel", "check_model", "is_sparse", "last_activation", "open_model", "output_counts"]

_SUFFIXES: Final = frozenset({".keras", ".h5", ".hdf5"})


def open_model(
    name: str, option: str, *, custom_objects: Mapping[str, Any] | None = None, trusted: bool = False
) -> Any:
    """Open a ``.keras`` or ``.h5`` file, in Keras' safe mode, in which it runs no code of its own, unless it is trusted.

    Files of Keras 2 are converted where Keras 3 refuses them.

    Parameters
    ----------
    name : str
        The file.
    option : str
        The option that names it, for messages.
    custom_objects : mapping of str to object, optional
        Classes and functions of the user's own that it names.
    trusted : bool
        Whether layers that are code may be opened.

    Raises
    ------
    MethodError
        If it is missing, no Keras model, or holds code that safe mode refuses.
    """
    path = Path(name)
    owner = f"PyKeras: the file {name!r} of {option}"
    if not name:
        raise MethodError(
            f"PyKeras: the option {option!r} has to name the Keras model, a .keras or .h5 file, or the keyword 'Model' to be it"
        )
    if not path.exists():
        if name.startswith("<"):
            raise MethodError(f"PyKeras: {option} takes a file, not {name}; hand the model over as Model=")
        beside = [p.name for p in path.parent.glob("*") if p.suffix in _SUFFIXES] if path.parent.is_dir() else []
        raise MethodError(f"{owner} does not exist; {did_you_mean(path.name, beside, noun='models in that folder')}")
    if path.suffix not in _SUFFIXES or path.is_dir():
        raise MethodError(f"{owner} is no .keras or .h5 file; save the model with model.save('m.keras')")
    try:
        with quiet(), tempfile.TemporaryDirectory() as folder:
            # A model that was compiled but never trained has an optimizer without moments.
            warnings.filterwarnings("ignore", message=r"Skipping variable loading for optimizer.*has [0-9]+ variables")
            # What Keras 3 would have written otherwise in a file of Keras 2.
            warnings.filterwarnings("ignore", message="Do not pass an `input_shape`|The structure of `inputs`")
            return _load(path, Path(folder), dict(custom_objects or {}), trusted=trusted)
    except Exception as error:
        text = str(error)
        if "enable_unsafe_deserialization" in text or "safe_mode" in text:
            raise MethodError(
                f"{owner} holds a Lambda layer, which is code that runs when the file is opened, so it is refused. "
                "Use a layer of Keras instead, or a class of your own with CustomObjects; if you trust the file, say TrustFiles "
                "(or call keras.config.enable_unsafe_deserialization() before booking)"
            ) from error
        first = first_line(error)
        unknown = "register_keras_serializable" in text or "Unknown layer" in text or "Could not locate" in text
        hint = "; hand over classes of your own as CustomObjects={name: class}, or by UserCode" if unknown else ""
        raise MethodError(f"{owner} cannot be read as a Keras model: {first}{hint}") from error


def _load(path: Path, folder: Path, custom_objects: dict[str, Any], *, trusted: bool) -> Any:
    import keras

    if path.suffix == ".keras":
        return keras.saving.load_model(path, custom_objects=custom_objects, safe_mode=not trusted)
    with keras.saving.custom_object_scope(custom_objects):
        model = keras.saving.load_model(rewritten(path, folder), safe_mode=not trusted)
    if getattr(model, "optimizer", None) is not None:
        # Keras builds the optimizer of an .h5 file for the variables of the outermost layer only.
        model.optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    return model


class GivenModel:
    """A model that was handed over as it is, and the weights that it had then.

    Parameters
    ----------
    model : keras.Model

    Raises
    ------
    MethodError
        If it is none.
    """

    def __init__(self, model: Any) -> None:
        keras = sys.modules.get("keras")  # whoever has a model has imported it
        if keras is None or not isinstance(model, keras.Model):
            raise MethodError(f"PyKeras: the keyword 'Model' takes a compiled keras.Model, not {model!r}")
        self.model = model
        self.weights = [np.array(values) for values in model.get_weights()]

    def fresh(self) -> Any:
        """Return the model as it was handed over, with an optimizer that has seen nothing."""
        model = self.model
        if len(self.weights) == len(model.get_weights()):
            model.set_weights(self.weights)
        optimizer = getattr(model, "optimizer", None)
        if optimizer is not None and optimizer.built:
            model.optimizer = type(optimizer).from_config(optimizer.get_config())
            model.train_function = None
        return model


def check_model(model: Any, name: str, context: FitContext) -> None:
    """Refuse a model that cannot be trained to tell the classes, or to estimate the targets.

    Parameters
    ----------
    model : keras.Model
    name : str
        Its file, for messages.
    context : FitContext
        The analysis, the variables, and the classes or targets that it has to fit.

    Raises
    ------
    MethodError
        If it has the wrong inputs or outputs, ends in something that is no probability where classes are told or in
        nothing but probabilities where targets are estimated, is not compiled, or has a loss or metrics that do not fit
        its outputs.
    """
    owner = f"PyKeras: the model {name!r}"
    variables = [v.label for v in context.variables]
    if not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        raise MethodError(f"{owner} declares no input; begin it with keras.Input(({len(variables)},))")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise MethodError(
            f"{owner} has {len(model.inputs)} input and {len(model.outputs)} output tensors; it should have one of each"
        )
    given = tuple(model.inputs[0].shape)
    if len(given) != 2 or given[0] is not None:
        raise MethodError(
            f"{owner} takes events of shape {given[1:]}; it should begin with keras.Input(({len(variables)},))"
        )
    if given[1] != len(variables):
        raise MethodError(
            f"{owner} takes {given[1]} inputs, but there are {len(variables)} variables: {', '.join(variables)}"
        )
    _check_outputs(model, owner, context)
    _check_loss(model, owner, context.analysis)
    _rehearse(model, owner, context)


def _check_outputs(model: Any, owner: str, context: FitContext) -> None:
    n_inputs, shape = len(context.variables), tuple(model.outputs[0].shape)
    wanted = _wanted(context)
    if len(shape) != 2 or shape[1] not in output_counts(context)[0]:
        count = shape[1] if len(shape) == 2 else shape[1:]
        raise MethodError(f"{owner} has {count} outputs; {wanted}")
    # Probed rather than read from the last layer: an activation may be a layer, a class or a function.
    inputs = np.random.default_rng(0).normal(size=(256, n_inputs)).astype(np.float32)
    inputs[128:] *= 1000
    try:
        with warnings.catch_warnings():
            # What Keras finds odd, as a softmax of one output, is refused below.
            warnings.simplefilter("ignore")
            probed = numbers_of(model(inputs, training=False))
    except Exception as error:
        raise MethodError(f"{owner} cannot be applied to {n_inputs} numbers: {first_line(error)}") from error
    bounded = bool(np.all((probed >= -1e-6) & (probed <= 1 + 1e-6)))
    adds_up = bounded and np.allclose(probed.sum(axis=1), 1, atol=1e-3)
    last = last_activation(model)
    ends = f" (its last activation is {last!r})" if last else ""
    if context.analysis is AnalysisType.REGRESSION:
        if adds_up:
            raise MethodError(f"{owner} has outputs that always add up to 1{ends}; {wanted}")
    elif not (adds_up if shape[1] > 1 else bounded):
        raise MethodError(f"{owner} does not end in probabilities{ends}; {wanted}")


def output_counts(context: FitContext | WeightContext) -> tuple[set[int], str]:
    """Return how many outputs fit an analysis, and what they stand for."""
    if context.analysis is AnalysisType.REGRESSION:
        return {len(context.targets)}, f"one for each target ({', '.join(v.label for v in context.targets)})"
    count = len(context.classes)
    meaning = f"one for each class ({', '.join(context.classes)})"
    return ({count} if context.analysis is AnalysisType.MULTICLASS else {1, count}), meaning


def _wanted(context: FitContext) -> str:
    counts, meaning = output_counts(context)
    count = max(counts)
    if context.analysis is AnalysisType.REGRESSION:
        return f"a regression needs {count}, as a rule linear, {meaning}"
    if context.analysis is AnalysisType.MULTICLASS:
        return f"a multiclass analysis needs {count} outputs with a softmax, {meaning}"
    return f"a classification needs {count} outputs with a softmax, {meaning}, or 1 with a sigmoid"


def last_activation(model: Any) -> str:
    """Return Keras' name of the activation that a model ends in; empty where it is none or has no name."""
    layer = model.layers[-1]
    while getattr(layer, "layers", None):
        layer = layer.layers[-1]
    activation = getattr(layer, "activation", None)
    if activation is None:
        return {"Softmax": "softmax", "ReLU": "relu"}.get(type(layer).__name__, "")
    return str(getattr(activation, "__name__", ""))


def _check_loss(model: Any, owner: str, analysis: AnalysisType) -> None:
    loss = getattr(model, "loss", None)
    if not getattr(model, "compiled", False) or loss is None:
        raise MethodError(f"{owner} is not compiled: call model.compile(loss=..., optimizer=...) before it is saved")
    name = _loss_name(loss)
    if analysis is AnalysisType.REGRESSION:
        if "crossentropy" in name:
            raise MethodError(
                f"{owner} has the loss {name}, which is for classes; use another for targets, such as mse"
            )
        return
    if getattr(loss, "from_logits", False):
        raise MethodError(f"{owner} ends in probabilities, but its loss is made with from_logits=True; leave that out")
    if model.outputs[0].shape[1] == 1 and "categorical" in name:
        raise MethodError(f"{owner} has one output, for which {name} is no loss; use binary_crossentropy")


def _loss_name(loss: Any) -> str:
    return str(loss if isinstance(loss, str) else getattr(loss, "name", getattr(loss, "__name__", "")))


def is_sparse(model: Any) -> bool:
    """Whether the loss of a model counts classes instead of taking one column for each."""
    return _loss_name(model.loss).startswith("sparse_")


def _rehearse(model: Any, owner: str, context: FitContext) -> None:
    """Compute the loss and the metrics of two events, so that what does not fit is said now."""
    from mvakit_methods._stream import encode_classes

    x = np.zeros((2, len(context.variables)), np.float32)
    outputs = int(model.outputs[0].shape[1])
    if context.analysis is AnalysisType.REGRESSION:
        y = np.zeros((2, outputs), np.float32)
    else:
        y = encode_classes(np.array([0, 1]), outputs, sparse=is_sparse(model))
    weight = np.ones(2, np.float32)
    try:
        with quiet():
            prediction = model(x, training=False)
            loss = model.compute_loss(x=x, y=y, y_pred=prediction, sample_weight=weight)
            model.compute_metrics(x, y, prediction, sample_weight=weight)
            model.reset_metrics()
    except Exception as error:
        first = first_line(error)
        raise MethodError(f"{owner} has a loss or metrics that do not fit its outputs: {first}") from error
    if not np.all(np.isfinite(numbers_of(loss))):
        raise MethodError(f"{owner} has a loss that is not finite for events of zeros; are its weights finite?")

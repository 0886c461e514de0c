"""The user's own model file: opened, and refused at booking if it could not be trained, each time with one sentence."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.errors import MethodError, did_you_mean
from mvakit_methods.keras.session import first_line, quiet

__all__ = ["check_model", "encode_classes", "is_sparse", "open_model"]

_SUFFIXES: Final = frozenset({".keras", ".h5", ".hdf5"})


def open_model(name: str, option: str) -> Any:
    """Open a ``.keras`` or ``.h5`` file with Keras' safe mode, in which it runs no code of its own.

    Parameters
    ----------
    name : str
        The file.
    option : str
        The option that names it, for messages.

    Raises
    ------
    MethodError
        If it is missing, no Keras model, or holds code that safe mode refuses.
    """
    import keras

    path = Path(name)
    owner = f"PyKeras: the file {name!r} of {option}"
    if not name:
        raise MethodError(f"PyKeras: the option {option!r} has to name the Keras model, a .keras or .h5 file")
    if not path.exists():
        if name.startswith("<"):
            raise MethodError(f"PyKeras: {option} takes a file, not {name}; save the model with model.save('m.keras')")
        beside = [p.name for p in path.parent.glob("*") if p.suffix in _SUFFIXES] if path.parent.is_dir() else []
        raise MethodError(f"{owner} does not exist; {did_you_mean(path.name, beside, noun='models in that folder')}")
    if path.suffix not in _SUFFIXES or path.is_dir():
        raise MethodError(f"{owner} is no .keras or .h5 file; save the model with model.save('m.keras')")
    try:
        with quiet():
            # A model that was compiled but never trained has an optimizer without moments.
            warnings.filterwarnings("ignore", message=r"Skipping variable loading for optimizer.*has [0-2] variables")
            model = keras.saving.load_model(path, safe_mode=True)
            if path.suffix != ".keras" and getattr(model, "optimizer", None) is not None:
                # Keras builds the optimizer of an .h5 file for the variables of the outermost layer only.
                model.optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
            return model
    except Exception as error:
        text = str(error)
        if "enable_unsafe_deserialization" in text or "safe_mode" in text:
            raise MethodError(
                f"{owner} holds a Lambda layer, which is code that runs when the file is opened, so it is refused. "
                "Use a layer of Keras instead, or a class of your own with keras.saving.register_keras_serializable; "
                "if you trust a .keras file, call keras.config.enable_unsafe_deserialization() before booking"
            ) from error
        first = first_line(error)
        raise MethodError(f"{owner} cannot be read as a Keras model: {first}") from error


def check_model(model: Any, name: str, variables: Sequence[str], classes: Sequence[str]) -> None:
    """Refuse a model that cannot be trained to tell two classes.

    Parameters
    ----------
    model : keras.Model
    name : str
        Its file, for messages.
    variables, classes : sequence of str
        The inputs and the classes it has to fit.

    Raises
    ------
    MethodError
        If it has the wrong inputs or outputs, ends in something that is no probability, is not compiled, or has a loss or
        metrics that do not fit its outputs.
    """
    owner = f"PyKeras: the model {name!r}"
    if not getattr(model, "inputs", None) or not getattr(model, "outputs", None):
        raise MethodError(f"{owner} declares no input; begin it with keras.Input(({len(variables)},))")
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise MethodError(
            f"{owner} has {len(model.inputs)} input and {len(model.outputs)} output tensors; it should have one of each"
        )
    given, result = tuple(model.inputs[0].shape), tuple(model.outputs[0].shape)
    if len(given) != 2 or given[0] is not None:
        raise MethodError(
            f"{owner} takes events of shape {given[1:]}; it should begin with keras.Input(({len(variables)},))"
        )
    if given[1] != len(variables):
        raise MethodError(
            f"{owner} takes {given[1]} inputs, but there are {len(variables)} variables: {', '.join(variables)}"
        )
    _check_outputs(model, owner, given[1], result, classes)
    loss = getattr(model, "loss", None)
    if not getattr(model, "compiled", False) or loss is None:
        raise MethodError(f"{owner} is not compiled: call model.compile(loss=..., optimizer=...) before it is saved")
    if getattr(loss, "from_logits", False):
        raise MethodError(f"{owner} ends in probabilities, but its loss is made with from_logits=True; leave that out")
    if result[1] == 1 and "categorical" in _loss_name(loss):
        raise MethodError(f"{owner} has one output, for which {_loss_name(loss)} is no loss; use binary_crossentropy")
    _rehearse(model, owner, given[1])


def _check_outputs(model: Any, owner: str, n_inputs: int, shape: tuple[Any, ...], classes: Sequence[str]) -> None:
    wanted = f"{len(classes)} outputs with a softmax, one for each class ({', '.join(classes)}), or 1 with a sigmoid"
    if len(shape) != 2 or shape[1] not in {1, len(classes)}:
        count = shape[1] if len(shape) == 2 else shape[1:]
        raise MethodError(f"{owner} has {count} outputs; a classification needs {wanted}")
    # Probed rather than read from the last layer: an activation may be a layer, a class or a function.
    inputs = np.random.default_rng(0).normal(size=(256, n_inputs)).astype(np.float32)
    inputs[128:] *= 1000
    try:
        probed = np.asarray(model(inputs, training=False), dtype=np.float64)
    except Exception as error:
        raise MethodError(f"{owner} cannot be applied to {n_inputs} numbers: {first_line(error)}") from error
    bounded = bool(np.all((probed >= -1e-6) & (probed <= 1 + 1e-6)))
    if not bounded or (shape[1] > 1 and not np.allclose(probed.sum(axis=1), 1, atol=1e-3)):
        last = getattr(getattr(model.layers[-1], "activation", None), "__name__", "")
        ends = f" (its last activation is {last!r})" if last else ""
        raise MethodError(f"{owner} does not end in probabilities{ends}; a classification needs {wanted}")


def _loss_name(loss: Any) -> str:
    return str(loss if isinstance(loss, str) else getattr(loss, "name", getattr(loss, "__name__", "")))


def is_sparse(model: Any) -> bool:
    """Whether the loss of a model counts classes instead of taking one column for each."""
    return _loss_name(model.loss).startswith("sparse_")


def encode_classes(class_index: npt.NDArray[np.integer], n_outputs: int, *, sparse: bool) -> npt.NDArray[np.float32]:
    """Return what a model is to learn: 1 for signal at one output, else one column for each class, signal first.

    A sparse loss takes the index of the class itself.
    """
    if n_outputs == 1:
        return np.asarray(class_index == 0, dtype=np.float32)[:, np.newaxis]
    if sparse:
        return np.asarray(class_index, dtype=np.float32)[:, np.newaxis]
    return np.asarray(class_index[:, np.newaxis] == np.arange(n_outputs), dtype=np.float32)


def _rehearse(model: Any, owner: str, n_inputs: int) -> None:
    """Compute the loss and the metrics of two events, so that what does not fit is said now."""
    x = np.zeros((2, n_inputs), np.float32)
    y = encode_classes(np.array([0, 1]), int(model.outputs[0].shape[1]), sparse=is_sparse(model))
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
    if not np.all(np.isfinite(np.asarray(loss))):
        raise MethodError(f"{owner} has a loss that is not finite for events of zeros; are its weights finite?")

"""Training a Keras model on a sample: epochs, the best of them, checkpoints, and what is kept of the model.

Imported only when something trains, so that Keras may be imported at the top.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

from mvakit.dataset import Sample
from mvakit.errors import MethodError, MvakitWarning
from mvakit.files import written_aside
from mvakit.method import FitContext
from mvakit.types import AnalysisType
from mvakit_methods._keras_session import first_line, quiet, summary
from mvakit_methods._stream import Stream, feed, steps
from mvakit_methods._validation import check_learnable, parse_validation_size, sole_class, validation_mask
from mvakit_methods.keras.options import PyKerasOptions, parse_schedule
from mvakit_methods.keras.user_model import is_sparse, last_activation

__all__ = ["archive", "save_model", "train_model"]

FloatArray = npt.NDArray[np.float64]
History = tuple[tuple[str, FloatArray], ...]

_CHECKPOINT_SECONDS: Final = 30.0
"""A training that is killed loses no more than the epochs of this time."""

# What an activation cannot leave.
_RANGES: Final = {
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "softsign": (-1.0, 1.0),
    "relu": (0.0, np.inf),
    "relu6": (0.0, 6.0),
    "softplus": (0.0, np.inf),
    "exponential": (0.0, np.inf),
}


@dataclass
class _Snapshot:
    """The weights of an epoch, with the optimizer's own numbers so that a training can be continued from it."""

    weights: list[npt.NDArray[np.generic]]
    optimizer: list[npt.NDArray[np.generic]]

    @classmethod
    def take(cls, model: Any) -> _Snapshot:
        return cls(model.get_weights(), [np.array(keras.ops.convert_to_numpy(v)) for v in model.optimizer.variables])

    def put_back(self, model: Any) -> None:
        model.set_weights(self.weights)
        for variable, value in zip(model.optimizer.variables, self.optimizer, strict=True):
            variable.assign(value)


class _Watch(keras.callbacks.Callback):  # type: ignore[misc, name-defined, unused-ignore]
    """Follows a training: learning rates, the best epoch, early stopping, the record, the progress bar."""

    def __init__(self, options: PyKerasOptions, context: FitContext, checkpoint: Path | None) -> None:
        super().__init__()
        self.options = options
        self.context = context
        self.checkpoint = checkpoint
        self.saved_at = time.monotonic()
        self.schedule = parse_schedule(options.learning_rate_schedule)
        self.record: dict[str, list[float]] = {}
        self.best: _Snapshot | None = None
        self.best_loss = np.inf
        self.best_epoch = 0
        self.epochs = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Set the learning rate that the schedule has for this epoch."""
        if epoch in self.schedule:
            self.model.optimizer.learning_rate = self.schedule[epoch]

    def within_epoch(self, epoch: int, fraction: float) -> None:
        """Move the progress bar within a long epoch."""
        self.context.tick(epoch + fraction, self.options.num_epochs, f"epoch {epoch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Record an epoch, keep it if it is the best, and stop if there is no hope of a better one."""
        values = {name: float(value) for name, value in (logs or {}).items()}
        if not np.isfinite(values["loss"]):
            raise MethodError(
                f"PyKeras: the loss is {values['loss']} in epoch {epoch + 1}; a smaller learning rate or normalised "
                "inputs (VarTransform=N) may help"
            )
        self.epochs = epoch + 1
        if self.schedule:
            values["learning_rate"] = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        for name, value in values.items():
            self.record.setdefault(name, []).append(value)
        if values["val_loss"] < self.best_loss:
            self.best_loss, self.best_epoch = values["val_loss"], self.epochs
            if self.options.save_best_only:
                self.best = _Snapshot.take(self.model)
        # With SaveBestOnly nothing is lost by waiting for the next epoch that is better.
        wanted = self.best_epoch == self.epochs or not self.options.save_best_only
        if self.checkpoint is not None and wanted and time.monotonic() - self.saved_at >= _CHECKPOINT_SECONDS:
            save_model(self.model, self.checkpoint)
            self.saved_at = time.monotonic()
        tries = self.options.tries_early_stopping
        if tries >= 0 and self.epochs - self.best_epoch >= max(tries, 1):
            self.model.stop_training = True
        said = ", ".join(f"{name} {value:.4g}" for name, value in values.items())
        if self.options.keras_verbose > 0:
            self.context.tick(
                self.epochs, self.options.num_epochs, f"loss {values['loss']:.4g}, val_loss {values['val_loss']:.4g}"
            )
        if self.options.keras_verbose > 1:
            self.context.log.info(f"Epoch {self.epochs}/{self.options.num_epochs}: {said}")


def train_model(
    model: Any, options: PyKerasOptions, train: Sample, context: FitContext, checkpoint: Path | None = None
) -> History:
    """Train a compiled model in place and return its history, one array for each quantity.

    Events are streamed, from mapped files as well. An interrupt (Ctrl-C) ends the training; the model is then what it
    would have been had this epoch been the last.

    Parameters
    ----------
    model : keras.Model
    options : PyKerasOptions
    train : Sample
    context : FitContext
    checkpoint : Path, optional
        Where the model is written now and then while it is trained, to be continued from.

    Raises
    ------
    MethodError
        If there are no events to train on, or none of a class, the loss stops being a number, or Keras fails.
    OptionError
        If the validation size does not fit the sample.
    """
    regression = context.analysis is AnalysisType.REGRESSION
    check = validation_mask(
        sole_class(train.class_index, context.analysis),
        parse_validation_size(options.validation_size, "PyKeras", len(train)),
        options.random_seed,
    )
    check_learnable(train, ~check, context, "PyKeras")
    if regression:
        _check_range(model, train, context)
    n_outputs = None if regression else int(model.outputs[0].shape[1])
    watch = _Watch(options, context, checkpoint)
    callbacks: list[Any] = [watch]
    if options.tensor_board:
        callbacks.append(keras.callbacks.TensorBoard(log_dir=options.tensor_board))
    learn = Stream(
        train, ~check, n_outputs, is_sparse(model), options.batch_size, options.random_seed,
        watch.within_epoch if options.keras_verbose > 0 else None,
    )  # fmt: skip
    # How validation events are batched changes nothing but the time it takes.
    validate = Stream(train, check, n_outputs, is_sparse(model), max(options.batch_size, 4096))
    context.log.info(f"{len(learn)} events to train on and {len(validate)} to validate with")
    if options.keras_verbose > 0:
        context.log.info(summary(model))
    try:
        with quiet():
            model.fit(
                feed(learn),
                shuffle=False,  # the stream does that
                steps_per_epoch=steps(learn),
                epochs=options.num_epochs,
                verbose=0,
                validation_data=feed(validate),
                validation_steps=steps(validate),
                callbacks=callbacks,
            )
    except KeyboardInterrupt:
        kept = f"epoch {watch.best_epoch} is" if watch.best is not None else "the weights of this moment are"
        warnings.warn(
            f"the training of {context.title} was interrupted in epoch {watch.epochs + 1} of {options.num_epochs}; {kept} kept",
            MvakitWarning,
            stacklevel=2,
        )
    except MethodError:
        raise
    except Exception as error:
        first = first_line(error)
        raise MethodError(f"PyKeras: Keras could not train {context.title}: {first}") from error
    if watch.best is not None:
        watch.best.put_back(model)
    if watch.epochs:
        epoch = watch.best_epoch if watch.best is not None else watch.epochs
        loss = watch.record["val_loss"][epoch - 1]
        context.log.info(f"{watch.epochs} epochs; kept is epoch {epoch}, with a validation loss of {loss:.5g}")
    return tuple((name, np.array(values)) for name, values in watch.record.items())


def _check_range(model: Any, train: Sample, context: FitContext) -> None:
    """Warn of targets that the outputs of a model cannot reach."""
    last = last_activation(model)
    low, high = _RANGES.get(last, (-np.inf, np.inf))
    for target, values in zip(context.targets, train.targets.T, strict=True):
        count = int(((values < low) | (values > high)).sum())
        if count:
            context.log.warning(
                f"{count} of {len(values)} training events have a {target.label} that the last activation {last!r} "
                f"cannot reach, below {low:g} or above {high:g}; make it linear, or transform the target (VarTransform=N)"
            )


def archive(model: Any, suffix: str = ".keras") -> bytes:
    """Return a model as the bytes of a ``.keras`` (or ``.h5``) file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{suffix}"
        with quiet():
            model.save(path)
        return path.read_bytes()


def save_model(model: Any, target: Path) -> None:
    """Write a model to a ``.keras`` or ``.h5`` file; what was there is replaced by a whole file.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with written_aside(target) as path:
        path.write_bytes(archive(model, target.suffix))

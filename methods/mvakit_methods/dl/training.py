"""Training of a DL or DNN: stage after stage with Keras, the best epoch of all, and what is recorded.

Imported only when something trains, so that Keras may be imported at the top.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

from mvakit.dataset import Sample
from mvakit.errors import MethodError, MvakitWarning
from mvakit.method import Curve, FitContext
from mvakit.types import AnalysisType
from mvakit_methods._keras_session import first_line, summary
from mvakit_methods._stream import Stream, feed, steps
from mvakit_methods._validation import check_learnable, sole_class, validation_mask
from mvakit_methods.dl.building import build_model, trained_layers
from mvakit_methods.dl.layout import LayerPlan
from mvakit_methods.dl.network import Layer
from mvakit_methods.dl.strategy import Stage

__all__ = ["Task", "train_network"]

# Steps that TensorFlow makes before it comes back; it changes nothing but the time that is lost between steps.
_STEPS_AT_ONCE: Final = 16
_VALIDATION_BATCH: Final = 4096


@dataclass(frozen=True, slots=True)
class Task:
    """What is trained.

    Attributes
    ----------
    owner : str
        The method, for messages.
    plans : tuple of LayerPlan
    stages : tuple of Stage
    loss : str
        ``C``, ``R`` or ``S``: cross entropy, squares, cross entropy of a softmax.
    output : str
        A key of `OUTPUTS`.
    weights : str
        A value of ``WeightInitialization``.
    seed : int
    validation : int
        The number of validation events.
    device : str
        Where Keras trains, as ``cpu:0``.
    """

    owner: str
    plans: tuple[LayerPlan, ...]
    stages: tuple[Stage, ...]
    loss: str
    output: str
    weights: str
    seed: int
    validation: int
    device: str


@dataclass(eq=False)
class _Best:
    """The weights of the epoch with the smallest validation loss, and the record of all epochs."""

    weights: list[npt.NDArray[np.generic]] | None = None
    loss: float = np.inf
    epoch: int = 0
    epochs: int = 0
    trained: list[tuple[int, float]] = field(default_factory=list)
    validated: list[tuple[int, float]] = field(default_factory=list)


class _Watch(keras.callbacks.Callback):  # type: ignore[misc, name-defined, unused-ignore]
    """Follows a stage: the record, the best epoch, convergence, the progress bar."""

    def __init__(self, stage: Stage, best: _Best, task: Task, context: FitContext, before: int) -> None:
        super().__init__()
        self.stage = stage
        self.best = best
        self.task = task
        self.context = context
        self.before = before
        self.total = sum(stage.max_epochs for stage in task.stages)
        self.without = 0

    def within_epoch(self, epoch: int, fraction: float) -> None:
        """Move the progress bar within a long epoch."""
        self.context.tick(self.before + epoch + fraction, self.total, f"epoch {self.best.epochs + 1}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Record an epoch, keep it if it is the best, and stop if there is no hope of a better one."""
        values = {name: float(value) for name, value in (logs or {}).items()}
        best = self.best
        best.epochs += 1
        if not all(np.isfinite(value) for value in values.values()):
            raise MethodError(
                f"{self.task.owner}: the loss of {self.context.title} is not finite in epoch {best.epochs}; a smaller "
                "LearningRate or normalised inputs (VarTransform=N) may help"
            )
        best.trained.append((best.epochs, values["loss"]))
        note = f"loss {values['loss']:.4g}"
        if "val_loss" in values:
            best.validated.append((best.epochs, values["val_loss"]))
            note += f", validation {values['val_loss']:.4g}"
            if values["val_loss"] < best.loss:
                best.loss, best.epoch, best.weights = values["val_loss"], best.epochs, self.model.get_weights()
                self.without = 0
            else:
                self.without += self.stage.test_repetitions
                self.model.stop_training = self.without > self.stage.convergence_steps
        self.context.tick(self.before + epoch + 1, self.total, note)
        self.context.log.detail(f"Epoch {best.epochs}: {note}")


def train_network(task: Task, train: Sample, context: FitContext) -> tuple[tuple[Layer, ...], tuple[Curve, ...]]:
    """Train a network and return its layers and what was recorded.

    Events are streamed, from mapped files as well. An interrupt (Ctrl-C) ends the training; the best epoch so far is kept.

    Raises
    ------
    MethodError
        If there are no events to train on, or none of a class, the loss stops being a number, or Keras fails.
    """
    check = validation_mask(sole_class(train.class_index, context.analysis), task.validation, task.seed)
    check_learnable(train, ~check, context, task.owner)
    n_outputs = None if context.analysis is AnalysisType.REGRESSION else task.plans[-1].output.width
    # How validation events are batched changes nothing but the time it takes.
    validate = Stream(train, check, n_outputs, False, _VALIDATION_BATCH)
    context.log.info(f"{len(train) - len(validate)} events to train on and {len(validate)} to validate with")
    best = _Best()
    model: Any = None
    before = 0
    for number, stage in enumerate(task.stages):
        carried = model.get_weights() if model is not None and best.weights is None else best.weights
        model = _stage_model(task, stage, number, len(train) - len(validate))
        if carried is not None:
            model.set_weights(carried)
        if best.weights is not None:
            # The penalty of this stage belongs to what its epochs are compared with.
            best.loss = float(model.evaluate(feed(validate), steps=steps(validate), verbose=0))
        if number == 0:
            context.log.info(summary(model))
        watch = _Watch(stage, best, task, context, before)
        # The order of the batches is another one in each stage.
        learn = Stream(train, ~check, n_outputs, False, stage.batch_size, task.seed + number, watch.within_epoch)
        if not _fit(model, stage, learn, validate, watch):
            break
        before += stage.max_epochs
    if best.weights is not None:
        model.set_weights(best.weights)
        context.log.info(f"{best.epochs} epochs; kept is epoch {best.epoch}, with a validation loss of {best.loss:.5g}")
    total = sum(stage.max_epochs for stage in task.stages)
    context.tick(total, total)
    return trained_layers(task.plans, model), _curves(best)


def _stage_model(task: Task, stage: Stage, number: int, events: int) -> Any:
    """Return a compiled model for a stage."""
    penalty = {"L1": keras.regularizers.L1, "L2": keras.regularizers.L2}.get(stage.regularization)
    model = build_model(
        task.plans,
        task.weights,
        task.seed,
        stage.drop_config,
        penalty(stage.weight_decay) if penalty is not None and stage.weight_decay else None,
    )
    steps = -(-events // stage.batch_size)
    model.compile(
        optimizer=_optimizer(stage),
        loss=_loss(task.loss, task.output),
        steps_per_execution=min(steps, _STEPS_AT_ONCE) if keras.backend.backend() == "tensorflow" else 1,
        jit_compile=False,
    )
    # What is dropped is another choice in each stage.
    keras.utils.set_random_seed((task.seed + number) % 2**32)
    return model


def _optimizer(stage: Stage) -> Any:
    rate, parameters = stage.learning_rate, stage.parameters
    if stage.optimizer == "SGD":
        return keras.optimizers.SGD(rate, momentum=stage.momentum)
    if stage.optimizer == "ADAGRAD":
        # Keras begins with squares of 0.1, TMVA with none.
        return keras.optimizers.Adagrad(rate, initial_accumulator_value=0.0, epsilon=parameters["eps"])
    if stage.optimizer == "RMSPROP":
        return keras.optimizers.RMSprop(rate, rho=parameters["rho"], momentum=stage.momentum, epsilon=parameters["eps"])
    if stage.optimizer == "ADADELTA":
        return keras.optimizers.Adadelta(rate, rho=parameters["rho"], epsilon=parameters["eps"])
    return keras.optimizers.Adam(
        rate, beta_1=parameters["beta1"], beta_2=parameters["beta2"], epsilon=parameters["eps"]
    )


def _loss(letter: str, output: str) -> Any:
    """Return the loss of what the last layer makes."""
    if letter == "C":
        return keras.losses.BinaryCrossentropy(from_logits=True)
    if letter == "S":
        return keras.losses.CategoricalCrossentropy(from_logits=True)
    function: Callable[[Any], Any] = {
        "I": lambda z: z,
        "S": keras.ops.sigmoid,
        "M": lambda z: keras.ops.softmax(z, axis=-1),
    }[output]

    def squares(desired: Any, z: Any) -> Any:
        return keras.ops.mean(keras.ops.square(function(z) - desired), axis=-1)

    return squares


def _fit(model: Any, stage: Stage, learn: Stream, validate: Stream, watch: _Watch) -> bool:
    """Train for a stage; return False where it was interrupted."""
    context, task = watch.context, watch.task
    try:
        with keras.device(task.device):
            model.fit(
                feed(learn),
                shuffle=False,  # the stream does that
                steps_per_epoch=steps(learn),
                epochs=stage.max_epochs,
                verbose=0,
                validation_data=feed(validate),
                validation_steps=steps(validate),
                validation_freq=stage.test_repetitions,
                callbacks=[watch],
            )
    except KeyboardInterrupt:
        kept = f"epoch {watch.best.epoch} is" if watch.best.weights is not None else "the weights of this moment are"
        warnings.warn(
            f"the training of {context.title} was interrupted in epoch {watch.best.epochs + 1}; {kept} kept",
            MvakitWarning,
            stacklevel=4,
        )
        return False
    except MethodError:
        raise
    except Exception as error:
        raise MethodError(f"{task.owner}: Keras could not train {context.title}: {first_line(error)}") from error
    return True


def _curves(best: _Best) -> tuple[Curve, ...]:
    found = []
    for name, values in (("loss", best.trained), ("val_loss", best.validated)):
        x, y = (np.array([pair[i] for pair in values], dtype=np.float64) for i in range(2))
        found.append(Curve(name, name, "epoch", "loss", x, y))
    return tuple(found)

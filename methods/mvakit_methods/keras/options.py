"""The options of PyKeras, and the two little languages among them: validation sizes and learning rate schedules."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from mvakit.errors import OptionError
from mvakit.method import MethodOptions
from mvakit.options import option

__all__ = ["PyKerasOptions", "parse_schedule", "parse_validation_size"]

_SCHEDULE: Final = "pairs of an epoch, counted from 0, and a rate, as in '50,0.01;70,0.005'"
_SIZE: Final = "a percentage ('20%'), a fraction below 1 ('0.2') or a number of events ('100')"


@dataclass(frozen=True, kw_only=True)
class PyKerasOptions(MethodOptions):
    """The options of `PyKeras`."""

    filename_model: str = option("FilenameModel", "", "the compiled Keras model to train: a .keras or .h5 file")
    filename_trained_model: str = option(
        "FilenameTrainedModel",
        "",
        "where the trained model is written for further training (.keras or .h5); "
        "by default TrainedModel_<title>.keras beside the weight file",
    )
    batch_size: int = option("BatchSize", 100, "events in a batch", minimum=1)
    num_epochs: int = option("NumEpochs", 10, "passes over the training events", minimum=1)
    num_threads: int = option(
        "NumThreads", 0, "CPU threads of TensorFlow, 0 for its own choice; fixed once TensorFlow runs", minimum=0
    )
    keras_verbose: int = option(
        "Verbose", 1, "while training: 0 nothing, 1 a progress bar, 2 a line for each epoch", minimum=0, maximum=2
    )
    continue_training: bool = option("ContinueTraining", False, "start from FilenameTrainedModel, not FilenameModel")
    save_best_only: bool = option(
        "SaveBestOnly", True, "keep the epoch with the smallest validation loss, not the last"
    )
    tries_early_stopping: int = option(
        "TriesEarlyStopping", -1, "stop after so many epochs without a smaller validation loss; negative: never"
    )
    learning_rate_schedule: str = option(
        "LearningRateSchedule", "", "learning rates from given epochs on, as in '50,0.01;70,0.005'"
    )
    tensor_board: str = option("TensorBoard", "", "a folder for TensorBoard's logs")
    validation_size: str = option(
        "ValidationSize", "20%", "training events kept for validation: '20%', '0.2', or '100' events"
    )
    tf_keras: bool = option(
        "tf.keras", True, "TMVA's choice between tf.keras and keras, which are one since Keras 3", aliases=("tfkeras",)
    )


def parse_schedule(text: str) -> dict[int, float]:
    """Read a learning rate schedule: epoch, counted from 0, to the rate that is set before it.

    ``50,0.01;70,0.005`` is TMVA's form; brackets and spaces, as in ``[10,0.01; 20,0.001]``, mean nothing.

    Raises
    ------
    OptionError
        If it is not pairs of an epoch and a positive rate, or names an epoch twice.
    """
    schedule: dict[int, float] = {}
    inner = text.strip()
    if inner.startswith("[") and inner.endswith("]"):
        inner = inner[1:-1]
    for step in filter(None, (part.strip() for part in inner.split(";"))):
        words = step.split(",")
        try:
            epoch, rate = int(words[0]), float(words[1])
        except (ValueError, IndexError):
            epoch, rate = -1, math.nan
        if len(words) != 2 or epoch < 0 or not 0 < rate < math.inf:
            raise OptionError(f"the option 'LearningRateSchedule' of PyKeras takes {_SCHEDULE}; {step!r} is none")
        if epoch in schedule:
            raise OptionError(f"the option 'LearningRateSchedule' of PyKeras sets the rate of epoch {epoch} twice")
        schedule[epoch] = rate
    return schedule


def parse_validation_size(text: str, n_events: int | None = None) -> int:
    """Read the number of validation events out of `n_events` training events.

    Parameters
    ----------
    text : str
        ``20%`` and ``0.2`` are a fifth, ``100`` is a hundred events.
    n_events : int, optional
        Without it, only the form is checked and 0 returned.

    Raises
    ------
    OptionError
        If it is none of these forms, or leaves nothing to validate or to train on.
    """
    word = text.strip()
    percent = word.endswith("%")
    try:
        size = float(word.removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        size = math.nan
    # From 1 on a plain number counts events.
    counted = not percent and size >= 1
    if not 0 < size < math.inf or (percent and size >= 1) or (counted and not size.is_integer()):
        raise OptionError(f"the option 'ValidationSize' of PyKeras takes {_SIZE}, not {text!r}")
    if n_events is None:
        return 0
    events = int(size) if counted else int(size * n_events)
    if not 0 < events < n_events:
        raise OptionError(
            f"the option 'ValidationSize' of PyKeras is {text!r}, which is {events} of the {n_events} training events; "
            "some are needed for validation and some for training"
        )
    return events

"""The options of PyKeras, and the little languages among them: validation sizes, learning rate schedules, GPU options."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from mvakit.errors import OptionError
from mvakit.method import MethodOptions
from mvakit.options import option

if TYPE_CHECKING:
    from mvakit_methods.keras.user_model import GivenModel

__all__ = ["GpuOptions", "PyKerasOptions", "parse_gpu_options", "parse_schedule"]

_SCHEDULE: Final = "pairs of an epoch, counted from 0, and a rate, as in '50,0.01;70,0.005'"

# Blanks mean nothing in these.
_LISTS: Final = frozenset({"learningrateschedule", "gpuoptions"})
_LIST: Final = re.compile(rf"(?:^|:)\s*(?:{'|'.join(sorted(_LISTS))})\s*=[^:]*", re.IGNORECASE)

_GPU: Final = {
    "allow_growth": "true|false",
    "memory_limit": "[1-9][0-9]{0,8}",
    "visible_device_list": "[0-9]{1,3}(, *[0-9]{1,3})*",
}
_GPU_FORM: Final = (
    "allow_growth=True or False, memory_limit=<MB> and visible_device_list=<numbers>, with commas between"
)


@dataclass(frozen=True, slots=True)
class GpuOptions:
    """How TensorFlow uses GPUs.

    Attributes
    ----------
    allow_growth : bool
        Whether it takes memory as it needs it.
    memory_limit : int
        The megabytes that it takes of each; 0 for all.
    visible : tuple of int or None
        The numbers of those that it sees; None for all.
    """

    allow_growth: bool = False
    memory_limit: int = 0
    visible: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class PyKerasOptions(MethodOptions):
    """The options of `PyKeras`.

    Attributes
    ----------
    model : GivenModel or None
        The keyword ``Model``: the compiled model itself, in place of a file. It is trained as it is, so that it can be
        looked at afterwards; another training begins where the first one did.
    custom_objects : mapping of str to object
        The keyword ``CustomObjects``: the classes and functions of one's own that a model file names.
    """

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
        "NumThreads",
        0,
        "CPU threads of TensorFlow or PyTorch, 0 for their own choice; fixed once TensorFlow runs",
        minimum=0,
    )
    gpu_options: str = option(
        "GpuOptions",
        "",
        "how TensorFlow uses GPUs: allow_growth=True, memory_limit=<MB>, visible_device_list=<number>, with commas between",
        holds_options=True,
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
    user_code: str = option(
        "UserCode",
        "",
        "a Python file that is run, with TrustFiles, before a model is opened; it may define load_model_custom_objects",
    )
    trust_files: bool = option(
        "TrustFiles",
        False,
        "run what UserCode names, and open models with Lambda layers, which are code",
        extension=True,
    )
    tf_keras: bool = option(
        "tf.keras", True, "TMVA's choice between tf.keras and keras, which are one since Keras 3", aliases=("tfkeras",)
    )

    model: GivenModel | None = dataclasses.field(default=None, compare=False, repr=False)
    custom_objects: Mapping[str, Any] = dataclasses.field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def parse(cls, text: str = "", /, *, owner: str | None = None, **keywords: object) -> Self:
        """Read an option string, keywords, or both; ``Model`` and ``CustomObjects`` are keywords alone.

        Raises
        ------
        OptionError
            If anything is unknown, has a value of the wrong kind, or two options ran together.
        """
        objects = {key.lower(): keywords.pop(key) for key in [*keywords] if key.lower() in {"model", "customobjects"}}
        model, custom = objects.get("model"), objects.get("customobjects", {})
        if isinstance(model, str | Path):
            raise OptionError(
                f"the keyword 'Model' of PyKeras takes a Keras model; FilenameModel names the file {str(model)!r}"
            )
        if not isinstance(custom, Mapping):
            raise OptionError(
                f"the keyword 'CustomObjects' of PyKeras takes a dictionary of names and objects, not {custom!r}"
            )
        text = _LIST.sub(lambda match: "".join(match[0].split()), text)
        for key, value in keywords.items():
            if key.lower() in _LISTS and isinstance(value, str):
                keywords[key] = "".join(value.split())
        options = super().parse(text, owner=owner, **keywords)
        if model is not None:
            from mvakit_methods.keras.user_model import GivenModel

            model = GivenModel(model)
        return dataclasses.replace(options, model=model, custom_objects=dict(custom))


def parse_gpu_options(text: str) -> GpuOptions:
    """Read what TensorFlow is told of GPUs, as in ``allow_growth=True,visible_device_list=0,1``.

    Raises
    ------
    OptionError
        If it is not names and values that TensorFlow 2 has settings for.
    """
    found: dict[str, str] = {}
    for part in filter(None, re.split(r",(?=\s*[A-Za-z])", text.strip())):
        name, _, value = (word.strip() for word in part.partition("="))
        if name in found or name not in _GPU or not re.fullmatch(_GPU[name], value, re.IGNORECASE):
            hint = (
                "; a fraction of a GPU is no setting of TensorFlow 2, give megabytes with memory_limit"
                if name == "per_process_gpu_memory_fraction"
                else ""
            )
            raise OptionError(f"the option 'GpuOptions' of PyKeras takes {_GPU_FORM}; {part.strip()!r} is none{hint}")
        found[name] = value
    numbers = found.get("visible_device_list")
    return GpuOptions(
        found.get("allow_growth", "false").lower() == "true",
        int(found.get("memory_limit", 0)),
        None if numbers is None else tuple(int(word) for word in numbers.split(",")),
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

"""What the options of a DL or DNN ask for, put together and checked before Keras is imported."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Final

from mvakit.errors import MissingPackageError, OptionError
from mvakit.method import FitContext
from mvakit.types import AnalysisType
from mvakit.weightfile import number
from mvakit_methods._trandom3 import seed_or_entropy
from mvakit_methods._validation import parse_validation_size
from mvakit_methods.dl.layers import Shape
from mvakit_methods.dl.layout import DensePlan, LayerPlan, input_shape, plan_batch, plan_layers
from mvakit_methods.dl.options import DLOptions, DNNOptions
from mvakit_methods.dl.strategy import Stage, parse_strategy

__all__ = ["Plan", "check_plan"]

_LOSSES: Final = {"CROSSENTROPY": "C", "SUMOFSQUARES": "R", "MUTUALEXCLUSIVE": "S"}
_OUTPUTS: Final = {AnalysisType.CLASSIFICATION: "S", AnalysisType.MULTICLASS: "M", AnalysisType.REGRESSION: "I"}
# TMVA's letters; names that are not here it takes for the first.
_INITIALIZATIONS: Final = {"XAVIER": "X", "XAVIERUNIFORM": "F", "UNIFORM": "U", "IDENTITY": "I", "ZERO": "Z"}
_GAUSS: Final = "G"
_REGULARIZATIONS: Final = {"NONE": "0", "L1": "1", "L2": "2"}


class Plan:
    """What is to be trained, as the options say it.

    Parameters
    ----------
    options : DLOptions or DNNOptions
    context : FitContext

    Raises
    ------
    OptionError
        If a layout, a strategy, the validation size or the error strategy cannot be read, or do not fit the variables and
        the classes or targets.
    """

    def __init__(self, options: DLOptions | DNNOptions, context: FitContext) -> None:
        self.options = options
        self.owner = "DL" if isinstance(options, DLOptions) else "DNN"
        n_variables = len(context.variables)
        self.output = _OUTPUTS[context.analysis]
        self.loss = self._loss(context)
        self.stages: tuple[Stage, ...] = parse_strategy(
            options.training_strategy, self.owner, "ADAM" if isinstance(options, DLOptions) else "SGD"
        )
        parse_validation_size(options.validation_size, self.owner)
        self.shape = Shape(1, 1, n_variables)
        if isinstance(options, DLOptions):
            self.shape = input_shape(options.input_layout, self.owner, n_variables)
            self.batch = plan_batch(options.batch_layout, self.owner, self.shape, self.stages[0].batch_size)
        n_outputs = {
            AnalysisType.CLASSIFICATION: 1,
            AnalysisType.MULTICLASS: len(context.classes),
            AnalysisType.REGRESSION: len(context.targets),
        }[context.analysis]
        self.layers: tuple[LayerPlan, ...] = plan_layers(options.layout, self.owner, self.shape, n_outputs)
        if self.owner == "DNN" and not all(isinstance(layer, DensePlan) for layer in self.layers):
            raise OptionError("the option 'Layout' of DNN takes dense layers alone; the method DL has the others")
        if options.architecture == "OPENCL":
            raise OptionError(
                f"the option 'Architecture' of {self.owner} is OPENCL, which TMVA itself has never had; take CPU or GPU"
            )

    def _loss(self, context: FitContext) -> str:
        asked = self.options.error_strategy
        if context.analysis is AnalysisType.REGRESSION:
            if asked != "SUMOFSQUARES" and "ErrorStrategy" in self.options.modified:
                context.log.warning(f"ErrorStrategy={asked} is for classes; targets are estimated with SUMOFSQUARES")
            return "R"
        if asked == "MUTUALEXCLUSIVE" and context.analysis is AnalysisType.CLASSIFICATION:
            raise OptionError(
                f"the option 'ErrorStrategy' of {self.owner} is MUTUALEXCLUSIVE, which is for the several outputs of a "
                "multiclass analysis; two classes have one output, and take CROSSENTROPY or SUMOFSQUARES"
            )
        return _LOSSES[asked]

    @property
    def on_gpu(self) -> bool:
        """Whether it is trained on a GPU."""
        return self.options.architecture in {"GPU", "CUDNN"}

    def seed(self) -> int:
        """Return the seed, which is another one each time for ``RandomSeed=0``."""
        return seed_or_entropy(self.options.random_seed)

    def header(self) -> tuple[tuple[str, str], ...]:
        """Return the attributes of ``<Weights>``, as TMVA writes them for these options."""
        if self.owner == "DNN":
            attributes: Mapping[str, object] = {
                "InputWidth": self.shape.width, "Depth": len(self.layers),
                "LossFunction": self.loss, "OutputFunction": self.output,
            }  # fmt: skip
        else:
            first = self.stages[0]
            attributes = {
                "NetDepth": len(self.layers),
                "InputDepth": self.shape.depth, "InputHeight": self.shape.height, "InputWidth": self.shape.width,
                "BatchSize": 1,
                "BatchDepth": self.batch.depth, "BatchHeight": self.batch.height, "BatchWidth": self.batch.width,
                "LossFunction": self.loss,
                "Initialization": _INITIALIZATIONS.get(self.options.weight_initialization, _GAUSS),
                "Regularization": _REGULARIZATIONS[first.regularization],
                "OutputFunction": self.output,
                "WeightDecay": number(first.weight_decay),
            }  # fmt: skip
        return tuple((name, str(value)) for name, value in attributes.items())


def check_plan(options: DLOptions | DNNOptions, context: FitContext) -> None:
    """Refuse what could not be trained, and tell of what changes nothing.

    Raises
    ------
    OptionError
        As `Plan` does, and where a GPU is asked for and there is none.
    MissingPackageError
        If Keras is not installed.
    """
    plan = Plan(options, context)
    if importlib.util.find_spec("keras") is None:
        raise MissingPackageError(f"training the method {plan.owner}", "keras", "keras")
    if "TrainingStrategy" in options.modified:
        for count, stage in enumerate(plan.stages, 1):
            where = f"stage {count} of the TrainingStrategy" if len(plan.stages) > 1 else "the TrainingStrategy"
            for what in stage.without_effect:
                context.log.warning(f"in {where} this changes nothing: {what}")
    if plan.on_gpu and not _gpus(plan.owner):
        raise OptionError(
            f"the option 'Architecture' of {plan.owner} is {options.architecture}, and Keras sees no GPU here; take CPU"
        )


def _gpus(owner: str) -> int:
    """Return the number of GPUs that Keras sees."""
    from mvakit_methods._keras_session import import_keras

    import_keras(owner)
    from keras import distribution

    return len(distribution.list_devices("gpu"))

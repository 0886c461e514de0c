"""The options of DL and DNN, as TMVA spells them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mvakit.method import MethodOptions
from mvakit.options import option

__all__ = ["DLOptions", "DNNOptions"]

_STRATEGIES: Final = ("CROSSENTROPY", "SUMOFSQUARES", "MUTUALEXCLUSIVE")
_WEIGHTS: Final = ("XAVIER", "XAVIERUNIFORM", "GAUSS", "UNIFORM", "IDENTITY", "ZERO", "LAYERSIZE")
_ARCHITECTURES: Final = ("STANDARD", "CPU", "GPU", "OPENCL", "CUDNN")
_STAGES: Final = (
    "stages of the training, separated by '|', each with keys separated by ',': LearningRate (1e-3 where it is not "
    "given), Momentum (0; of SGD and RMSPROP), ConvergenceSteps (100), MaxEpochs (2000), BatchSize (30), TestRepetitions "
    "(1), WeightDecay (0; the factor of the Regularization), Regularization (None, L1, L2), DropConfig (0; of the inputs "
    "of each layer), Optimizer (ADAM, SGD, ADAGRAD, RMSPROP, ADADELTA) with its ADAM_beta1, ADAM_beta2, ADAM_eps, "
    "ADAGRAD_eps, RMSPROP_rho, RMSPROP_eps, ADADELTA_rho, ADADELTA_eps"
)
_ERROR: Final = (
    "what is minimised: cross entropy, squares, or the cross entropy of classes that exclude each other; targets take "
    "squares"
)


@dataclass(frozen=True, kw_only=True)
class DLOptions(MethodOptions):
    """The options of `DL`."""

    input_layout: str = option(
        "InputLayout",
        "0|0|0",
        "depth, height and width of an event, or time steps and width; 0: the variables in a row",
    )
    batch_layout: str = option("BatchLayout", "0|0|0", "depth, height and width of a batch; 0: from InputLayout")
    layout: str = option(
        "Layout",
        "DENSE|(N+100)*2|SOFTSIGN,DENSE|0|LINEAR",
        "layers separated by ',', each with its fields separated by '|': DENSE, CONV, MAXPOOL, RESHAPE, BNORM, RNN, "
        "LSTM, GRU; N is the number of variables and a width of 0 that of the outputs",
    )
    error_strategy: str = option("ErrorStrategy", "CROSSENTROPY", _ERROR, choices=_STRATEGIES)
    weight_initialization: str = option("WeightInitialization", "XAVIER", "the first weights", choices=_WEIGHTS)
    # In TMVA, too, this is an option of DL's own; 0 asks for another seed each time.
    random_seed: int = option(
        "RandomSeed", 0, "seed of first weights and batches; 0: another each time", minimum=0, maximum=2**32 - 1
    )
    validation_size: str = option(
        "ValidationSize", "20%", "training events kept for validation: '20%', '0.2', or '100' events"
    )
    architecture: str = option(
        "Architecture", "CPU", "where it is trained: CPU (or STANDARD), or GPU (or CUDNN)", choices=_ARCHITECTURES
    )
    training_strategy: str = option(
        "TrainingStrategy",
        "LearningRate=1e-3,Momentum=0.0,ConvergenceSteps=100,MaxEpochs=2000,Optimizer=ADAM,BatchSize=30,"
        "TestRepetitions=1,WeightDecay=0.0,Regularization=None,DropConfig=0.0",
        _STAGES,
        holds_options=True,
    )


@dataclass(frozen=True, kw_only=True)
class DNNOptions(MethodOptions):
    """The options of `DNN`."""

    layout: str = option(
        "Layout",
        "SOFTSIGN|(N+100)*2,LINEAR",
        "layers separated by ',', each a function and a width; N is the number of variables",
    )
    error_strategy: str = option("ErrorStrategy", "CROSSENTROPY", _ERROR, choices=_STRATEGIES)
    weight_initialization: str = option("WeightInitialization", "XAVIER", "the first weights", choices=_WEIGHTS)
    validation_size: str = option(
        "ValidationSize", "20%", "training events kept for validation: '20%', '0.2', or '100' events"
    )
    architecture: str = option(
        "Architecture", "CPU", "where it is trained: CPU (or STANDARD), or GPU (or CUDNN)", choices=_ARCHITECTURES
    )
    training_strategy: str = option(
        "TrainingStrategy",
        "LearningRate=1e-1,Momentum=0.3,Repetitions=3,ConvergenceSteps=50,BatchSize=30,TestRepetitions=7,"
        "WeightDecay=0.0,Renormalize=L2,DropConfig=0.0,DropRepetitions=5|LearningRate=1e-4,Momentum=0.3,Repetitions=3,"
        "ConvergenceSteps=50,BatchSize=20,TestRepetitions=7,WeightDecay=0.001,Renormalize=L2,DropConfig=0.0+0.5+0.5,"
        "DropRepetitions=5,Multithreading=True",
        _STAGES,
        holds_options=True,
    )

"""The options of MLP, as TMVA spells them, and what those that are more than a number or a choice mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mvakit.errors import MethodError
from mvakit.method import MethodOptions
from mvakit.options import option
from mvakit.types import AnalysisType

__all__ = ["MLPOptions", "estimator_of", "hidden_widths"]

_MAX_NEURONS: Final = 1_000_000


@dataclass(frozen=True, kw_only=True)
class MLPOptions(MethodOptions):
    """The options of `MLP`."""

    n_cycles: int = option("NCycles", 500, "passes over the training events", minimum=0)
    hidden_layers: str = option(
        "HiddenLayers", "N,N-1", "neurons of each hidden layer, where N is the number of variables"
    )
    neuron_type: str = option(
        "NeuronType",
        "sigmoid",
        "the function of the hidden neurons",
        choices=("linear", "sigmoid", "tanh", "ReLU", "radial"),
    )
    # In TMVA, too, this is an option of MLP's own; 0 asks for another seed each time.
    random_seed: int = option(
        "RandomSeed",
        1,
        "seed of the first weights and of the order of events; 0 for a different one each time",
        minimum=0,
        maximum=2**32 - 1,
    )
    estimator_type: str = option(
        "EstimatorType",
        "MSE",
        "what is minimised: mean square error, with linear outputs, or the cross entropy of two classes, with a sigmoid, "
        "which is taken for these where nothing is said",
        choices=("MSE", "CE"),
    )
    neuron_input_type: str = option(
        "NeuronInputType",
        "sum",
        "what a neuron makes of its weighted inputs: their sum, that of squares, or that of absolute values",
        choices=("sum", "sqsum", "abssum"),
    )
    training_method: str = option(
        "TrainingMethod",
        "BP",
        "back-propagation, a genetic algorithm, or the quasi-Newton method of Broyden, Fletcher, Goldfarb and Shanno",
        choices=("BP", "GA", "BFGS"),
    )
    learning_rate: float = option("LearningRate", 0.02, "step of back-propagation", minimum=0.0)
    decay_rate: float = option("DecayRate", 0.01, "how fast the learning rate decays", minimum=0.0)
    test_rate: int = option("TestRate", 10, "test for overtraining every so many cycles", minimum=1)
    epoch_monitoring: bool = option(
        "EpochMonitoring", False, "keep responses and weights of every TestRate-th cycle in the result file"
    )
    sampling: float = option(
        "Sampling", 1.0, "share of the events that is trained on in a cycle", minimum=0.0, maximum=1.0
    )
    sampling_epoch: float = option(
        "SamplingEpoch", 1.0, "share of the cycles that sample; later ones take all events", minimum=0.0, maximum=1.0
    )
    sampling_importance: float = option(
        "SamplingImportance",
        1.0,
        "factor on the chance to be sampled again of events whose cycles helped; it divides otherwise",
        minimum=1e-6,
    )
    sampling_training: bool = option("SamplingTraining", True, "sample the training events")
    sampling_testing: bool = option("SamplingTesting", False, "sample the test events")
    reset_step: int = option("ResetStep", 50, "steps after which BFGS forgets its history", minimum=1)
    tau: float = option("Tau", 3.0, "by what the line search of BFGS lengthens and shortens its steps", minimum=1.01)
    bp_mode: str = option(
        "BPMode",
        "sequential",
        "change weights after each event, or after a batch",
        choices=("sequential", "batch"),
    )
    batch_size: int = option("BatchSize", -1, "events in a batch; -1 for all", minimum=-1)
    convergence_improve: float = option(
        "ConvergenceImprove", 1e-30, "what counts as an improvement; negative: convergence is not looked for"
    )
    convergence_tests: int = option(
        "ConvergenceTests", -1, "tests without improvement that end the training; negative: never"
    )
    use_regulator: bool = option("UseRegulator", False, "hold weights small by a Bayesian regulator")
    update_limit: int = option("UpdateLimit", 10_000, "how often the regulators are set at most", minimum=0)
    calculate_errors: bool = option(
        "CalculateErrors", False, "keep the inverse Hessian matrix, from which TMVA computes errors of responses"
    )
    weight_range: float = option(
        "WeightRange",
        1.0,
        "share of the events, those with the smallest deviations, that the estimator of the tests counts",
        minimum=1e-6,
        maximum=1.0,
    )
    validation_size: str = option(
        "ValidationSize",
        "0",
        "training events kept for the tests, as '20%', '0.2' or '100' (TMVA tests with its test events); 0: the tests are "
        "made with the training events",
        extension=True,
    )


def hidden_widths(text: str, n_variables: int) -> tuple[int, ...]:
    """Read ``HiddenLayers``, as in ``N+5,10,N-1``: the number of variables and what is added, or a number.

    Raises
    ------
    MethodError
        If a layer is neither, or has no neurons.
    """
    widths = []
    for word in text.split(","):
        stripped = word.strip()
        digits = stripped[1:] if stripped[:1] in {"N", "n"} else stripped
        try:
            width = int(digits or "0") + (n_variables if digits != stripped else 0)
        except ValueError:
            width = -1
        if stripped and digits == stripped and not stripped.isdigit():
            width = -1
        if not stripped or not 0 < width <= _MAX_NEURONS:
            raise MethodError(
                f"MLP: the option 'HiddenLayers' is {text!r}, of which {stripped!r} is no number of neurons; it takes "
                "numbers, or N for the number of variables, as in 'N+5' or 'N-1', separated by ','"
            )
        widths.append(width)
    return tuple(widths)


def estimator_of(options: MLPOptions, analysis: AnalysisType) -> str:
    """Return what is made small: MSE, or CE.

    Since 4.2.1 TMVA takes CE for two classes and MSE for everything else, whatever is asked for; here two classes get MSE
    where it is asked for.
    """
    if analysis is not AnalysisType.CLASSIFICATION:
        return "MSE"
    return options.estimator_type if "EstimatorType" in options.modified else "CE"

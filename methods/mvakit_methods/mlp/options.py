"""The options of MLP, as TMVA spells them."""

from __future__ import annotations

from dataclasses import dataclass

from mvakit.method import MethodOptions
from mvakit.options import option

__all__ = ["MLPOptions"]


@dataclass(frozen=True, kw_only=True)
class MLPOptions(MethodOptions):
    """The options of `MLP`; those that speak of a training tell how a file was trained."""

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
    random_seed: int = option("RandomSeed", 1, "seed of the first weights; 0 for a different one each time", minimum=0)
    estimator_type: str = option(
        "EstimatorType",
        "MSE",
        "what is minimised: mean square error, with linear outputs, or cross entropy, with sigmoids",
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
        "SamplingImportance", 1.0, "factor on the weights of sampled events after a cycle that did not help"
    )
    sampling_training: bool = option("SamplingTraining", True, "sample the training events")
    sampling_testing: bool = option("SamplingTesting", False, "sample the test events")
    reset_step: int = option("ResetStep", 50, "steps after which BFGS forgets its history", minimum=1)
    tau: float = option("Tau", 3.0, "size of the steps of the line search of BFGS")
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
    update_limit: int = option("UpdateLimit", 10_000, "how often the regulator is adapted at most", minimum=0)
    calculate_errors: bool = option(
        "CalculateErrors", False, "keep the inverse Hessian matrix, from which TMVA computes errors of responses"
    )
    weight_range: float = option(
        "WeightRange", 1.0, "share of the events, those with the smallest deviations, that the estimator counts"
    )

"""MLP: TMVA's multilayer perceptron for two classes, several, and regression, trained and applied."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import ClassVar, Final
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.dataset import Sample
from mvakit.errors import WeightFileError, did_you_mean
from mvakit.method import (
    Capabilities,
    Curve,
    DenseLayer,
    DenseNetwork,
    FitContext,
    Method,
    MethodOptions,
    WeightContext,
)
from mvakit.types import AnalysisType
from mvakit_methods._network import check_outputs, columns_or_one, softmax
from mvakit_methods._validation import parse_validation_size
from mvakit_methods.mlp.network import Perceptron
from mvakit_methods.mlp.options import MLPOptions, estimator_of, hidden_widths
from mvakit_methods.mlp.xml import read_hessian, read_layers, write_perceptron

__all__ = ["MLP"]

FloatArray = npt.NDArray[np.float64]

_FAST_SINCE: Final = 0x40201  # TMVA 4.2.1
# How ROOT computed a hyperbolic tangent then: by an open fraction before 6.06, by one that is cut off before 6.26, and
# exactly since.
_CUT_OFF_SINCE: Final = 0x60600
_EXACT_SINCE: Final = 0x61A00
# The release on which TMVA's library of 2015 was built again, beside a ROOT whose package has no TMVA.
_OLD_ON_NEW: Final = 0x62800
_OUTPUTS: Final = {"MSE": "linear", "CE": "sigmoid"}


class MLP(Method[MLPOptions, Perceptron]):
    """A network of neurons; several classes get the softmax of its outputs, targets and two classes the outputs."""

    name: ClassVar[str] = "MLP"
    options_type: ClassVar[type[MethodOptions]] = MLPOptions
    capabilities: ClassVar[Capabilities] = Capabilities(analyses=frozenset(AnalysisType))

    def check(self, context: FitContext) -> None:
        """Refuse options that could not be trained with, and tell of those that change nothing.

        Raises
        ------
        MethodError
            If a genetic algorithm, or layers that are none, are asked for.
        OptionError
            If the validation size is malformed.
        """
        options = self.options
        hidden_widths(options.hidden_layers, len(context.variables))
        if options.validation_size.strip() != "0":
            parse_validation_size(options.validation_size, self.name)
        if options.training_method == "GA":
            raise self.refuse(
                "TrainingMethod=GA, the genetic algorithm, is not offered: TMVA itself calls it slower and worse than "
                "TrainingMethod=BP or BFGS"
            )
        if options.estimator_type == "CE" and context.analysis is not AnalysisType.CLASSIFICATION:
            context.log.warning(
                f"EstimatorType=CE is for two classes; as in TMVA, MSE is taken for {context.analysis.value}"
            )
        for name, reason in _without_effect(options):
            if name in options.modified:
                context.log.warning(f"the option {name} changes nothing {reason}")

    def fit(self, train: Sample, context: FitContext) -> Perceptron:
        """Train the network.

        Raises
        ------
        MethodError
            If these events cannot train it.
        OptionError
            If ``ValidationSize`` does not fit the sample.
        """
        from mvakit_methods.mlp.training import train_perceptron

        # The weight file has to say what was minimised: the function of the outputs follows from it.
        self.options = dataclasses.replace(self.options, estimator_type=estimator_of(self.options, context.analysis))
        return train_perceptron(self.options, train, context)

    def monitoring(self, state: Perceptron) -> tuple[Curve, ...]:
        """Return the estimators of the tests, and with ``EpochMonitoring`` responses and weights at each of them."""
        return state.curves

    def predict(
        self,
        state: Perceptron,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,  # noqa: ARG002
        efficiency: float | None = None,  # noqa: ARG002
    ) -> FloatArray:
        """Return the response: shape (n,), or (n, k) for k > 1 classes or targets."""
        outputs = state(X)
        return softmax(outputs) if state.multiclass else columns_or_one(outputs)

    def write_state(self, state: Perceptron, weights: ET.Element) -> Mapping[str, bytes]:
        """Write ``<Layout>`` and, where there is one, ``<InverseHessian>``."""
        return write_perceptron(state.weights, state.inverse_hessian, weights)

    def read_state(self, weights: ET.Element, context: WeightContext) -> Perceptron:
        """Read what `write_state` or TMVA wrote.

        Raises
        ------
        WeightFileError
            If layers, neurons, synapses or rows are missing or too many, a weight is not finite, or an option names a
            neuron that there is none of.
        """
        tables = read_layers(weights, len(context.variables))
        check_outputs(tables[-1].shape[1], context, "<Layout>")
        neuron = self._choice(context, "NeuronType")
        return Perceptron(
            tables,
            _tangent(context) if neuron == "tanh" else neuron,
            _OUTPUTS[self._choice(context, "EstimatorType")],
            self._choice(context, "NeuronInputType"),
            read_hessian(weights, sum(table.size for table in tables)),
            context.analysis is AnalysisType.MULTICLASS,
        )

    def _choice(self, context: WeightContext, name: str) -> str:
        """Return the value of an option as a file has it, in its canonical spelling."""
        spec, default = next((s, value) for s, value in self.options.items() if s.name == name)
        text = context.options.get(name, str(default))
        for choice in spec.choices:
            if choice.lower() == text.strip().lower():
                return choice
        raise WeightFileError(
            f'<Option name="{name}"> of {context.title} is {text!r}; '
            f"{did_you_mean(text, spec.choices, noun='it may be one of')}"
        )

    def structure(self, state: Perceptron) -> DenseNetwork | None:
        """Return the chain of layers, or None where neurons make something else than a sum of their inputs.

        Functions have the names of Keras where it has them; else they are ``radial``, :math:`e^{-x^2/2}`, and
        ``fast_tanh`` and ``open_fast_tanh``, in whose place TMVA means a ``tanh``.
        """
        if state.combination != "sum" or (state.multiclass and state.output != "linear"):
            return None
        last = len(state.weights) - 1
        hidden = "relu" if state.neuron == "ReLU" else state.neuron
        output = "softmax" if state.multiclass else state.output
        return DenseNetwork(
            tuple(
                DenseLayer(table[:-1].astype(np.float32), table[-1].astype(np.float32), output if i == last else hidden)
                for i, table in enumerate(state.weights)
            )
        )


def _without_effect(options: MLPOptions) -> list[tuple[str, str]]:
    """Return the options that change nothing beside the others, and why."""
    quasi_newton = options.training_method == "BFGS"
    found = []
    if quasi_newton:
        found += [(name, "with TrainingMethod=BFGS") for name in ("LearningRate", "DecayRate", "BPMode", "BatchSize")]
        if not options.use_regulator:
            found.append(("UpdateLimit", "without UseRegulator"))
    else:
        found += [(name, "with TrainingMethod=BP") for name in ("ResetStep", "Tau", "UpdateLimit")]
        if options.bp_mode == "sequential":
            found.append(("BatchSize", "with BPMode=sequential"))
        if options.use_regulator:
            found.append(("UseRegulator", "of the weights with TrainingMethod=BP"))
    if options.sampling == 1.0:
        names = ("SamplingEpoch", "SamplingImportance", "SamplingTraining", "SamplingTesting")
        found += [(name, "without Sampling") for name in names]
    elif not (options.sampling_training or options.sampling_testing):
        found.append(("Sampling", "without SamplingTraining or SamplingTesting"))
    if options.convergence_tests < 0:
        found.append(("ConvergenceImprove", "without ConvergenceTests"))
    elif options.convergence_improve < 0:
        found.append(("ConvergenceTests", "with a negative ConvergenceImprove"))
    return found


def _tangent(context: WeightContext) -> str:
    """Return how the TMVA that wrote a file computes a hyperbolic tangent."""
    root = _release(context, "ROOT Release")
    if _release(context, "TMVA Release") < _FAST_SINCE or not root:
        return "tanh"
    if root < _CUT_OFF_SINCE or root == _OLD_ON_NEW:
        return "open_fast_tanh"
    return "fast_tanh" if root < _EXACT_SINCE else "tanh"


def _release(context: WeightContext, name: str) -> int:
    """Return the code of a release, as in ``4.2.1 [262657]``; 0 where a file has none."""
    match = re.search(r"\[(\d{1,9})\]", context.info.get(name, ""))
    return int(match[1]) if match else 0

"""DL and DNN: TMVA's deep networks for two classes, several, and regression, trained with Keras and applied without."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.dataset import Sample
from mvakit.method import Capabilities, Curve, DenseNetwork, FitContext, Method, MethodOptions, WeightContext
from mvakit.types import AnalysisType
from mvakit_methods._keras_session import import_keras, quiet, seeded
from mvakit_methods._network import columns_or_one
from mvakit_methods._validation import parse_validation_size
from mvakit_methods.dl.dnn import OldNetwork, read_dnn, read_old_dnn, write_dnn, write_old_dnn
from mvakit_methods.dl.network import DeepNetwork
from mvakit_methods.dl.options import DLOptions, DNNOptions
from mvakit_methods.dl.task import Plan, check_plan
from mvakit_methods.dl.xml import read_deep_network, write_deep_network

__all__ = ["DL", "DNN"]

FloatArray = npt.NDArray[np.float64]


class DL(Method[DLOptions, DeepNetwork]):
    """Layers of neurons, filters and memory, one behind the other."""

    name: ClassVar[str] = "DL"
    options_type: ClassVar[type[MethodOptions]] = DLOptions
    capabilities: ClassVar[Capabilities] = Capabilities(analyses=frozenset(AnalysisType))

    def check(self, context: FitContext) -> None:
        """Refuse options that could not be trained with.

        Raises
        ------
        OptionError
            If a layout, the strategy, or another option cannot be read or does not fit the variables and outputs.
        MissingPackageError
            If Keras is not installed.
        """
        check_plan(self.options, context)

    def fit(self, train: Sample, context: FitContext) -> DeepNetwork:
        """Train the network with Keras.

        Raises
        ------
        MethodError
            If these events cannot train it.
        OptionError
            As `check` does, and if ``ValidationSize`` does not fit the sample.
        """
        return _train(Plan(self.options, context), train, context)

    def monitoring(self, state: DeepNetwork) -> tuple[Curve, ...]:
        """Return the loss and the validation loss against the epoch."""
        return state.curves

    def predict(
        self,
        state: DeepNetwork,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,  # noqa: ARG002
        efficiency: float | None = None,  # noqa: ARG002
    ) -> FloatArray:
        """Return the response: shape (n,), or (n, k) for k > 1 classes or targets."""
        return columns_or_one(state(X))

    def write_state(self, state: DeepNetwork, weights: ET.Element) -> Mapping[str, bytes]:
        """Write an element for each layer."""
        return write_deep_network(state, weights)

    def read_state(self, weights: ET.Element, context: WeightContext) -> DeepNetwork:
        """Read what `write_state` or TMVA wrote.

        Raises
        ------
        WeightFileError
            If layers are missing, unknown, do not fit, or hold numbers that are not finite.
        """
        return read_deep_network(weights, context)

    def structure(self, state: DeepNetwork) -> DenseNetwork | None:
        """Return the chain of dense layers, or None where there are others.

        Functions have the names of Keras where it has them; else they are ``symmetric_relu``, :math:`|x|`, and ``gauss``,
        :math:`e^{-x^2}`.
        """
        return state.structure()


class DNN(Method[DNNOptions, DeepNetwork | OldNetwork]):
    """Layers of neurons, as TMVA had them before `DL`, in the two forms of their files."""

    name: ClassVar[str] = "DNN"
    options_type: ClassVar[type[MethodOptions]] = DNNOptions
    capabilities: ClassVar[Capabilities] = Capabilities(analyses=frozenset(AnalysisType))

    def check(self, context: FitContext) -> None:
        """Refuse options that could not be trained with.

        Raises
        ------
        OptionError
            If a layout, the strategy, or another option cannot be read or does not fit the variables and outputs.
        MissingPackageError
            If Keras is not installed.
        """
        check_plan(self.options, context)

    def fit(self, train: Sample, context: FitContext) -> DeepNetwork:
        """Train the network with Keras.

        Raises
        ------
        MethodError
            If these events cannot train it.
        OptionError
            As `check` does, and if ``ValidationSize`` does not fit the sample.
        """
        return _train(Plan(self.options, context), train, context)

    def monitoring(self, state: DeepNetwork | OldNetwork) -> tuple[Curve, ...]:
        """Return the loss and the validation loss against the epoch."""
        return () if isinstance(state, OldNetwork) else state.curves

    def predict(
        self,
        state: DeepNetwork | OldNetwork,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,  # noqa: ARG002
        efficiency: float | None = None,  # noqa: ARG002
    ) -> FloatArray:
        """Return the response: shape (n,), or (n, k) for k > 1 classes or targets."""
        return columns_or_one(state(X))

    def write_state(self, state: DeepNetwork | OldNetwork, weights: ET.Element) -> Mapping[str, bytes]:
        """Write the form that the state was read from."""
        return write_old_dnn(state, weights) if isinstance(state, OldNetwork) else write_dnn(state, weights)

    def read_state(self, weights: ET.Element, context: WeightContext) -> DeepNetwork | OldNetwork:
        """Read what `write_state` or TMVA wrote.

        Raises
        ------
        WeightFileError
            If layers are missing, do not fit, or hold numbers that are not finite.
        """
        return read_old_dnn(weights, context) if weights.find("Layout") is not None else read_dnn(weights, context)

    def structure(self, state: DeepNetwork | OldNetwork) -> DenseNetwork | None:
        """Return the chain of dense layers, with the names of functions as for `DL`; None for the older form."""
        return None if isinstance(state, OldNetwork) else state.structure()


def _train(plan: Plan, train: Sample, context: FitContext) -> DeepNetwork:
    size = parse_validation_size(plan.options.validation_size, plan.owner, len(train))
    keras = import_keras(plan.owner)
    seed = plan.seed()
    with seeded(keras, seed), quiet():
        from mvakit_methods.dl.training import Task, train_network

        task = Task(
            plan.owner,
            plan.layers,
            plan.stages,
            plan.loss,
            plan.output,
            plan.options.weight_initialization,
            seed,
            size,
            "gpu:0" if plan.on_gpu else "cpu:0",
        )
        layers, curves = train_network(task, train, context)
    return DeepNetwork(layers, plan.output, plan.layers[-1].output.width, plan.header(), curves)

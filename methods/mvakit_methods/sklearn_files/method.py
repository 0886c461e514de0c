"""PyRandomForest, PyGTB and PyAdaBoost: trained with scikit-learn, applied without it, written without a pickle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from mvakit.dataset import Sample
from mvakit.method import (
    Capabilities,
    Curve,
    FitContext,
    Forest,
    Method,
    MethodOptions,
    Ranking,
    WeightContext,
)
from mvakit.types import AnalysisType
from mvakit.variables import Variable
from mvakit_methods._network import columns_or_one, outputs_of
from mvakit_methods.sklearn_files.elsewhere import model_elsewhere
from mvakit_methods.sklearn_files.forest import SklearnForest, read_forest, write_forest
from mvakit_methods.sklearn_files.options import (
    ForestOptions,
    PyAdaBoostOptions,
    PyGTBOptions,
    PyRandomForestOptions,
    Reading,
)

__all__ = ["PyAdaBoost", "PyGTB", "PyRandomForest"]

FloatArray = npt.NDArray[np.float64]
OptionsT = TypeVar("OptionsT", bound=ForestOptions)

_ADVICE = (
    "Train it again here, which keeps the model in the weight file, or train the method BDT on the same events{}, or, if "
    "you trust whoever made the file, open it with the version of scikit-learn that wrote it and call predict_proba, or "
    "export it from there, for example with skl2onnx"
)


class _SklearnMethod(Method[OptionsT, SklearnForest]):
    """What the three methods share."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        analyses=frozenset({AnalysisType.CLASSIFICATION, AnalysisType.MULTICLASS}), negative_weights=False
    )
    weights_in_file: ClassVar[bool] = False  # of TMVA's own files, which name a pickle
    pickle: ClassVar[str]
    in_bdt: ClassVar[str]

    def check(self, context: FitContext) -> None:
        """Refuse values that scikit-learn could not be given, and tell of those with other names today.

        Raises
        ------
        OptionError
            Naming the option and what it takes.
        """
        notes: list[str] = []

        def note(name: str, text: str) -> None:
            # Of TMVA's own defaults nobody need be told.
            if name in self.options.modified:
                notes.append(text)

        self.options.arguments(Reading(self.name, note))
        for name, reason in self.options.unused.items():
            if name in self.options.modified:
                notes.append(f"the option {name} changes nothing: {reason}")
        for text in notes:
            context.log.warning(text)

    def _arguments(self) -> dict[str, Any]:
        return self.options.arguments(Reading(self.name, lambda name, text: None))  # noqa: ARG005 - told at booking

    def predict(
        self,
        state: SklearnForest,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,  # noqa: ARG002
        efficiency: float | None = None,  # noqa: ARG002
    ) -> FloatArray:
        """Return the probability of signal, shape (n,), or those of all classes, shape (n, k)."""
        return columns_or_one(state(X))

    def write_state(self, state: SklearnForest, weights: Element) -> Mapping[str, bytes]:
        """Write the trees."""
        return write_forest(state, weights)

    def read_state(self, weights: Element, context: WeightContext) -> SklearnForest:
        """Read what `write_state` wrote.

        Raises
        ------
        WeightFileError
            If the trees are damaged, or if the file is TMVA's own, whose model lies in a pickle.
        """
        if "NTrees" not in weights.attrib:
            raise model_elsewhere(
                self.name,
                context.title,
                context.option("FilenameClassifier") or self.pickle.format(context.title),
                "scikit-learn",
                _ADVICE.format(self.in_bdt),
            )
        return read_forest(weights, len(context.variables), len(outputs_of(context)))

    def ranking(self, state: SklearnForest, variables: Sequence[Variable]) -> Ranking | None:
        """Return scikit-learn's importance of the variables: what their cuts gain, in shares of all."""
        pairs = zip(variables, state.importance.tolist(), strict=True)
        return Ranking("Variable Importance", tuple((variable.label, value) for variable, value in pairs))

    def monitoring(self, state: SklearnForest) -> tuple[Curve, ...]:
        """Return what the training recorded, tree by tree."""
        return tuple(
            Curve(name, name, "tree", name, np.arange(1.0, len(values) + 1), values) for name, values in state.curves
        )

    def structure(self, state: SklearnForest) -> Forest | None:
        """Return the trees of a classification, whose values are added up before the link; None for several classes."""
        if len(state.base) != 1:
            return None
        value = state.value[:, 0]
        return Forest(
            first=state.first,
            variable=state.variable,
            # There an event goes right from the cut on, here beyond it.
            cut=np.nextafter(state.cut, np.float32(np.inf)),
            left=state.left,
            right=state.right,
            value=value,
            tree_weight=np.full(len(state.column), state.scale),
            purity=value if state.link == "identity" else 1.0 / (1.0 + np.exp(-value)),
        )


class PyRandomForest(_SklearnMethod[PyRandomForestOptions]):
    """Random forests of scikit-learn: trees on drawn events, whose leaves count the shares of the classes."""

    name: ClassVar[str] = "PyRandomForest"
    options_type: ClassVar[type[MethodOptions]] = PyRandomForestOptions
    pickle: ClassVar[str] = "PyRFModel_{}.PyData"
    in_bdt: ClassVar[str] = ", with BoostType=Bagging:UseRandomisedTrees"

    def fit(self, train: Sample, context: FitContext) -> SklearnForest:
        """Train the forest.

        Raises
        ------
        MethodError
            If these events cannot train it.
        """
        from mvakit_methods.sklearn_files.training import train_forest

        return train_forest(self.name, self._arguments(), train, context)


class PyGTB(_SklearnMethod[PyGTBOptions]):
    """Gradient boosted trees of scikit-learn."""

    name: ClassVar[str] = "PyGTB"
    options_type: ClassVar[type[MethodOptions]] = PyGTBOptions
    pickle: ClassVar[str] = "PyGTBModel_{}.PyData"
    in_bdt: ClassVar[str] = ", with BoostType=Grad"

    def fit(self, train: Sample, context: FitContext) -> SklearnForest:
        """Train the trees, each on what those before it left.

        Raises
        ------
        MethodError
            If these events cannot train it.
        """
        from mvakit_methods.sklearn_files.training import train_gradient_boosting

        return train_gradient_boosting(self.name, self._arguments(), train, context)


class PyAdaBoost(_SklearnMethod[PyAdaBoostOptions]):
    """AdaBoost of scikit-learn."""

    name: ClassVar[str] = "PyAdaBoost"
    options_type: ClassVar[type[MethodOptions]] = PyAdaBoostOptions
    pickle: ClassVar[str] = "PyAdaBoostModel_{}.PyData"
    in_bdt: ClassVar[str] = ", with BoostType=AdaBoost"

    def fit(self, train: Sample, context: FitContext) -> SklearnForest:
        """Train the trees, each with more weight on the events that those before it took for another class.

        Raises
        ------
        MethodError
            If these events cannot train it.
        """
        from mvakit_methods.sklearn_files.training import train_adaboost

        return train_adaboost(self.name, self._arguments(), train, context)

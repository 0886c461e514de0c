"""Boosted decision trees for classification, several classes, and regression."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from mvakit.dataset import Sample
from mvakit.evaluation import Histogram1D
from mvakit.method import Capabilities, Curve, FitContext, Forest, Method, Ranking, Staged, WeightContext
from mvakit.types import AnalysisType
from mvakit.variables import Variable
from mvakit.weightfile import feed
from mvakit_methods.bdt.application import respond, single_event
from mvakit_methods.bdt.events import prepare
from mvakit_methods.bdt.forest import BDTState
from mvakit_methods.bdt.monitoring import boost_monitor, curves, histograms
from mvakit_methods.bdt.options import BDTOptions
from mvakit_methods.bdt.reading import ForestReader
from mvakit_methods.bdt.staged import n_rounds, respond_in_stages
from mvakit_methods.bdt.team import team
from mvakit_methods.bdt.training import train_forest
from mvakit_methods.bdt.xml import write_forest

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["BDT"]

MAX_CLASSES: Final = 255

FloatArray = npt.NDArray[np.float64]


class BDT(Method[BDTOptions, BDTState]):
    """Boosted decision trees: AdaBoost, RealAdaBoost, AdaCost, AdaBoost.R2, gradient boosting and bagging, as TMVA trains them.

    From the same events grows the forest that TMVA grows, tree by tree (``nCuts=-1``, randomised trees, and several classes
    apart, whose trees TMVA 4.2 grows on the residuals of the first class). A response lies between -1 (background) and 1 (signal), or, where leaves say a purity,
    between 0 and 1; of several classes it is the share of each, and of a regression the target.
    """

    name = "BDT"
    options_type = BDTOptions
    capabilities = Capabilities(
        analyses=frozenset({AnalysisType.CLASSIFICATION, AnalysisType.MULTICLASS, AnalysisType.REGRESSION})
    )

    def check(self, context: FitContext) -> None:
        """Refuse options that cannot be; warn of deprecated ones and of those that others overrule."""
        self.options.for_analysis(context.analysis).check(context.analysis)
        if len(context.targets) > 1 and context.analysis is AnalysisType.REGRESSION:
            names = ", ".join(target.label for target in context.targets)
            raise self.refuse(f"it finds one target at a time, and there are {len(context.targets)}: {names}")
        if len(context.classes) > MAX_CLASSES:
            raise self.refuse(f"it tells at most {MAX_CLASSES} classes apart, not {len(context.classes)}")

    def fit(self, train: Sample, context: FitContext) -> BDTState:
        """Grow the forest.

        Raises
        ------
        MethodError
            If a class has no events or no positive sum of weights, or no cut gains anything.
        """
        options = self.options.for_analysis(context.analysis)
        events = prepare(train, options, context)
        with team() as crew:
            return train_forest(events, options, context, crew)

    def predict(
        self,
        state: BDTState,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,  # noqa: ARG002 - part of the contract
        efficiency: float | None = None,  # noqa: ARG002 - part of the contract
    ) -> FloatArray:
        """Return the response to transformed inputs, shape (n,), or (n, n_classes) for several classes."""
        return respond(state, X)

    def single_event(self, state: BDTState) -> Callable[[npt.NDArray[np.float32]], float] | None:
        """Return what tells the response to one event, where the sum of the trees is all that it takes."""
        return single_event(state)

    def write_state(self, state: BDTState, weights: Element) -> Mapping[str, bytes]:
        """Write the forest as TMVA does."""
        write_forest(state, weights)
        return {}

    def weights_reader(self, context: WeightContext) -> ForestReader:
        """Return what reads a forest while the file is parsed."""
        return ForestReader(context)

    def read_state(self, weights: Element, context: WeightContext) -> BDTState:
        """Read a forest of TMVA or mvakit.

        Raises
        ------
        WeightFileError
            If the element is damaged, or holds something that cannot be applied.
        """
        state: BDTState = feed(weights, self.weights_reader(context))
        return state

    def ranking(self, state: BDTState, variables: Sequence[Variable]) -> Ranking | None:
        """Return the variable importance: squared gains times squared weights of the cuts on each variable, as in TMVA.

        Each tree counts with its boost weight, the root is taken of the sums, and they add up to 1. With
        ``ImportanceType=Gain`` it is the gains times weights of the cuts that are left. TMVA's own files hold neither.
        """
        by_gain = self.options.importance_type == "Gain"
        importance = state.gain if by_gain else state.importance
        if not len(importance):
            return None
        values = zip(variables, importance.tolist(), strict=True)
        title = "Gain" if by_gain else "Variable Importance"
        return Ranking(title, tuple((variable.label, value) for variable, value in values))

    # ---------------------------------------------------------------------------------------- monitoring

    def stages(self, state: BDTState) -> int:
        """Return the number of trees or, of several classes, of trees of each class."""
        return n_rounds(state)

    def predict_stages(
        self, state: BDTState, X: npt.NDArray[np.float32], stages: Sequence[int]
    ) -> Iterator[FloatArray]:
        """Yield the response of the first trees, for each of the numbers `stages`."""
        return respond_in_stages(state, X, stages)

    def monitoring(self, state: BDTState) -> tuple[Curve, ...]:
        """Return boost weight, error fraction, number of nodes and losses against the number of the tree."""
        return curves(state, self.options)

    def histograms(self, state: BDTState) -> tuple[Histogram1D, ...]:
        """Return the distribution of boost weights or, of AdaBoost.R2, of the factors by which weights were boosted."""
        return histograms(state)

    def staged_monitoring(self, state: BDTState, sample: Sample, respond: Staged, which: str) -> tuple[Curve, ...]:
        """Return, with ``DoBoostMonitor``, how the response to a sample improves with the number of trees."""
        return (boost_monitor(state, sample, respond, which),) if self.options.do_boost_monitor else ()

    def structure(self, state: BDTState) -> Forest | None:
        """Return the trees; a leaf's value is its response, 1 or -1, or its purity.

        There is none where trees alone do not say all: with Fisher cuts, or a preselection.
        """
        if len(state.nodes.discriminants) or state.preselection is not None:
            return None
        nodes = state.nodes
        return Forest(
            first=state.first, variable=nodes.variable, cut=state.cuts(), left=nodes.left, right=nodes.right,
            value=state.answers(), tree_weight=state.boost_weight, purity=nodes.purity.astype(np.float64),
        )  # fmt: skip

"""The method RuleFit: what it can do, and what it hands to its rooms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.method import Capabilities, Method, MethodOptions, Ranking, WeightContext
from mvakit.types import AnalysisType
from mvakit.variables import Variable
from mvakit_methods.rulefit.ensemble import RuleFitState
from mvakit_methods.rulefit.options import RuleFitOptions
from mvakit_methods.rulefit.xml import read_ensemble, write_ensemble

__all__ = ["RuleFit"]

FloatArray = npt.NDArray[np.float64]


class RuleFit(Method[RuleFitOptions, RuleFitState]):
    """An ensemble of rules and linear terms, as a weight file keeps it.

    It is the same whether TMVA's or Friedman's program (``RuleFitModule``) has fitted it.
    """

    name: ClassVar[str] = "RuleFit"
    options_type: ClassVar[type[MethodOptions]] = RuleFitOptions
    capabilities: ClassVar[Capabilities] = Capabilities(
        analyses=frozenset({AnalysisType.CLASSIFICATION}), trainable=False
    )

    def predict(
        self,
        state: RuleFitState,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,  # noqa: ARG002
        efficiency: float | None = None,  # noqa: ARG002
    ) -> FloatArray:
        """Return the response, shape (n,); most lie between -1 and 1."""
        with np.errstate(over="ignore", invalid="ignore"):
            return state.respond(X)

    def write_state(self, state: RuleFitState, weights: ET.Element) -> Mapping[str, bytes]:
        """Write ``<Rule>`` with its ``<Cut>``, and ``<Linear>``."""
        write_ensemble(state, weights)
        return {}

    def read_state(self, weights: ET.Element, context: WeightContext) -> RuleFitState:
        """Read what `write_state` or TMVA wrote.

        Raises
        ------
        WeightFileError
            If the element is damaged.
        """
        return read_ensemble(weights, len(context.variables))

    def ranking(self, state: RuleFitState, variables: Sequence[Variable]) -> Ranking:
        """Return the variables by the importance of the terms that they are part of."""
        importance = state.importance(len(variables))
        return Ranking("Importance", tuple((v.label, float(i)) for v, i in zip(variables, importance, strict=True)))

"""Function discriminant analysis: a formula of the variables whose parameters are fitted.

Regression has one set of parameters for each target, multiclass one for each class; the response to class `i` is then
``1 / sum(exp(f_j - f_i))`` over all classes `j`. Formulas follow the rules of the ROOT that wrote the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import FormulaError, WeightFileError
from mvakit.method import Capabilities, Method, MethodOptions, WeightContext
from mvakit.types import AnalysisType
from mvakit.weightfile import attribute, float_attribute, int_attribute, number
from mvakit_methods._responses import refuse_undefined
from mvakit_methods.fda.formula import MAX_PARAMETERS, Discriminant
from mvakit_methods.fda.options import FDAOptions

__all__ = ["FDA", "FDAState"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class FDAState:
    """A formula and its parameters.

    Attributes
    ----------
    formula : str
    parameters : ndarray, shape (n_outputs, n_parameters)
    n_variables : int
    classes : bool
        Whether the outputs are those of classes.
    classic : bool
        Whether the formula follows the rules of ROOT 5.

    Raises
    ------
    FormulaError
        If the formula cannot be read.
    """

    formula: str
    parameters: FloatArray
    n_variables: int
    classes: bool = False
    classic: bool = False
    outputs: tuple[Discriminant, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        made = [
            Discriminant(self.formula, tuple(row), self.n_variables, self.classic) for row in self.parameters.tolist()
        ]
        object.__setattr__(self, "outputs", tuple(made))


class FDA(Method[FDAOptions, FDAState]):
    """Function discriminant analysis, as a weight file keeps it."""

    name: ClassVar[str] = "FDA"
    options_type: ClassVar[type[MethodOptions]] = FDAOptions
    capabilities: ClassVar[Capabilities] = Capabilities(analyses=frozenset(AnalysisType), trainable=False)

    def predict(
        self,
        state: FDAState,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,  # noqa: ARG002
        efficiency: float | None = None,  # noqa: ARG002
    ) -> FloatArray:
        """Return the value of the formula: shape (n,), or (n, k) for k classes or targets.

        Raises
        ------
        MethodError
            If it is not finite for an event. Formulas of ROOT 5 never divide by zero: they take that for zero, and warn.
        """
        response = np.stack([output(X) for output in state.outputs], axis=1)
        what = f"the formula {state.formula[:200]!r}"
        if state.classes:  # TMVA keeps their values in single precision
            with np.errstate(over="ignore"):
                return _shares(refuse_undefined(response.astype(np.float32), self.refuse, what))
        refuse_undefined(response, self.refuse, what)
        return response[:, 0] if len(state.outputs) == 1 else response

    def write_state(self, state: FDAState, weights: ET.Element) -> Mapping[str, bytes]:
        """Write the formula, and ``<Parameter Index= Value=>``, all of one output before those of the next."""
        weights.set("NPars", str(state.parameters.shape[1]))
        weights.set("NDim", str(state.parameters.shape[0]))
        weights.set("Formula", state.formula)
        for index, value in enumerate(state.parameters.ravel()):
            ET.SubElement(weights, "Parameter", Index=str(index), Value=number(value))
        return {}

    def read_state(self, weights: ET.Element, context: WeightContext) -> FDAState:
        """Read what `write_state` or TMVA wrote.

        Raises
        ------
        WeightFileError
            If parameters are missing, double, or not as many as the formula, the classes and the targets ask for.
        """
        outputs = {
            AnalysisType.CLASSIFICATION: 1,
            AnalysisType.REGRESSION: len(context.targets),
            AnalysisType.MULTICLASS: len(context.classes),
        }[context.analysis]
        size = int_attribute(weights, "NPars", 0, MAX_PARAMETERS)
        # TMVA 4.0 knew one output and did not say so
        found = int_attribute(weights, "NDim") if weights.get("NDim") is not None else 1
        if found != outputs:
            raise WeightFileError(
                f"<Weights NDim='{found}'> of {context.title} should be {outputs}, as it is made for {context.analysis}"
            )
        values = np.full(size * outputs, np.nan)
        for item in weights.findall("Parameter"):
            index = int_attribute(item, "Index", 0, values.size - 1)
            if not np.isnan(values[index]):
                raise WeightFileError(f"{context.title} has two parameters with the index {index}")
            values[index] = float_attribute(item, "Value")
        if np.isnan(values).any():
            raise WeightFileError(f"{context.title} lacks the parameter {int(np.argmax(np.isnan(values)))}")
        try:
            return FDAState(
                attribute(weights, "Formula"),
                values.reshape(outputs, size),
                len(context.variables),
                context.analysis is AnalysisType.MULTICLASS,
                _classic(context.info.get("ROOT Release", "")),
            )
        except FormulaError as error:
            raise WeightFileError(f"<Weights Formula=...> of {context.title}: {error}") from None


def _classic(release: str) -> bool:
    """Whether a release of ROOT, ``5.34/09 [336393]``, is older than 6."""
    major = re.match(r"\s*([0-9]+)\.", release)
    return major is not None and int(major[1]) < 6


def _shares(values: npt.NDArray[np.float32]) -> FloatArray:
    """Return ``1 / sum(exp(f_j - f_i))`` over j."""
    with np.errstate(over="ignore"):
        differences = (values[:, np.newaxis, :] - values[:, :, np.newaxis]).astype(np.float64)
        return np.asarray(1.0 / np.exp(differences).sum(axis=2))

r"""The linear discriminant: weighted least squares on the class, signal being 1 and background 0.

With the weighted mean `m` and covariance `C` of all events and their covariance `c` with the target, the coefficients are
:math:`a = C^{-1} c`. For two classes TMVA replaces the offset of the fit, :math:`\bar y - a m`, by :math:`-a m / 2`, which
shifts the response and changes nothing else. A file with several outputs holds one set of coefficients for each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.dataset import Sample
from mvakit.errors import WeightFileError
from mvakit.method import Affine, Capabilities, FitContext, Method, MethodOptions, Ranking, WeightContext
from mvakit.types import AnalysisType
from mvakit.variables import Variable
from mvakit.weightfile import float_attribute, int_attribute, number
from mvakit_methods._linear import apply_affine, coefficient_table, moments, solve_covariance

__all__ = ["LD", "LDOptions", "LDState"]

FloatArray = npt.NDArray[np.float64]

_MAX_OUTPUTS = 10_000


@dataclass(frozen=True, kw_only=True)
class LDOptions(MethodOptions):
    """`LD` has no options of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class LDState:
    """A trained linear discriminant.

    Attributes
    ----------
    offset : ndarray, shape (n_outputs,)
    coefficients : ndarray, shape (n_variables, n_outputs)
    """

    offset: FloatArray
    coefficients: FloatArray


class LD(Method[LDOptions, LDState]):
    """Linear discriminant of two classes, equivalent to `Fisher` up to scale when the classes weigh the same."""

    name: ClassVar[str] = "LD"
    options_type: ClassVar[type[MethodOptions]] = LDOptions
    capabilities: ClassVar[Capabilities] = Capabilities(analyses=frozenset({AnalysisType.CLASSIFICATION}))

    def fit(self, train: Sample, context: FitContext) -> LDState:
        """Solve the normal equations.

        Raises
        ------
        MethodError
            If a class has no events or no positive sum of weights, or if variables are constant or linearly dependent.
        """
        for index, name in enumerate(context.classes):
            events = train.class_index == index
            weight = float(train.weight[events].sum())
            if not weight > 0:
                raise self.refuse(
                    f"the {int(events.sum())} training events of class {name!r} have a sum of weights of {weight:g}; "
                    "it has to be positive"
                )
        width = train.X.shape[1]
        joint = moments([train.X, train.is_signal[:, np.newaxis]], train.weight)
        coefficients = solve_covariance(
            joint.covariance[:width, :width],
            joint.covariance[:width, width:],
            joint.largest[:width],
            [v.label for v in context.variables],
            self.refuse,
            context.log,
        )
        offset = -0.5 * (joint.mean[:width] @ coefficients)
        self._report(offset, coefficients, context)
        return LDState(offset, coefficients)

    def _report(self, offset: FloatArray, coefficients: FloatArray, context: FitContext) -> None:
        context.log.info("Results for LD coefficients:")
        if self.options.var_transform.lower() != "none":
            context.log.info(f"(they apply to the variables after the transformation {self.options.var_transform})")
        labels = [v.label for v in context.variables]
        for first, column in zip(offset.tolist(), coefficients.T.tolist(), strict=True):
            for line in coefficient_table(labels, first, column):
                context.log.info(line)

    def predict(
        self,
        state: LDState,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,  # noqa: ARG002
        efficiency: float | None = None,  # noqa: ARG002
    ) -> FloatArray:
        """Return the response, linear in the inputs: shape (n,), or (n, k) for k > 1 outputs."""
        response = apply_affine(X, state.offset, state.coefficients)
        return response[:, 0] if response.shape[1] == 1 else response

    def write_state(self, state: LDState, weights: ET.Element) -> Mapping[str, bytes]:
        """Write ``<Coefficient IndexOut= IndexCoeff= Value=>``, coefficient 0 being the offset."""
        table = np.vstack([state.offset, state.coefficients])
        weights.set("NOut", str(table.shape[1]))
        weights.set("NCoeff", str(table.shape[0]))
        for output, column in enumerate(table.T.tolist()):
            for index, value in enumerate(column):
                ET.SubElement(weights, "Coefficient", IndexOut=str(output), IndexCoeff=str(index), Value=number(value))
        return {}

    def read_state(self, weights: ET.Element, context: WeightContext) -> LDState:
        """Read what `write_state` or TMVA wrote.

        Raises
        ------
        WeightFileError
            If coefficients are missing, double, or not as many as the variables ask for.
        """
        outputs = int_attribute(weights, "NOut", 1, _MAX_OUTPUTS)
        size = len(context.variables) + 1
        if int_attribute(weights, "NCoeff") != size:
            raise WeightFileError(
                f"<Weights NCoeff={weights.get('NCoeff')!r}> of {context.title} should hold {size} coefficients for "
                f"each output, one for each of the {size - 1} variables and an offset"
            )
        table = np.full((size, outputs), np.nan)
        for item in weights.findall("Coefficient"):
            output = int_attribute(item, "IndexOut", 0, outputs - 1)
            index = int_attribute(item, "IndexCoeff", 0, size - 1)
            if not np.isnan(table[index, output]):
                raise WeightFileError(f"{context.title} has two coefficients {index} for the output {output}")
            table[index, output] = float_attribute(item, "Value")
        if np.isnan(table).any():
            index, output = (int(i) for i in np.argwhere(np.isnan(table))[0])
            raise WeightFileError(f"{context.title} lacks the coefficient {index} of the output {output}")
        return LDState(table[0], table[1:])

    def ranking(self, state: LDState, variables: Sequence[Variable]) -> Ranking | None:
        """Return the variables by the size of their coefficients, summed over the outputs."""
        sizes = np.abs(state.coefficients).sum(axis=1)
        return Ranking("Discr. power", tuple((v.label, float(s)) for v, s in zip(variables, sizes, strict=True)))

    def structure(self, state: LDState) -> Affine:
        """Return the offset and the coefficients."""
        return Affine(state.offset, state.coefficients)

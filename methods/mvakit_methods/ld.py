r"""The linear discriminant: weighted least squares on the class or on regression targets.

With the weighted mean `m` and covariance `C` of all events and their covariance `c` with what is to be learnt, `y`, the
coefficients are :math:`a = C^{-1} c` and the offset is :math:`\bar y - a m`; each output has its own. What is learnt is

- in a classification 1 for signal and 0 for background. TMVA replaces the offset by :math:`-a m / 2`, which shifts the
  response and changes nothing else;
- in a regression the targets, as TMVA does;
- in a multiclass analysis, which TMVA's LD has not, 1 for the class of the output and 0 for the others. The outputs of an
  event add up to 1; they estimate the probabilities of the classes, but being linear they may leave the range 0 to 1.
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
    """Linear least squares. For two classes of the same weight it is equivalent to `Fisher` up to scale."""

    name: ClassVar[str] = "LD"
    options_type: ClassVar[type[MethodOptions]] = LDOptions
    capabilities: ClassVar[Capabilities] = Capabilities(analyses=frozenset(AnalysisType))

    def fit(self, train: Sample, context: FitContext) -> LDState:
        """Solve the normal equations.

        Raises
        ------
        MethodError
            If the events, or those of a class, have no positive sum of weights, or if variables are constant or linearly
            dependent.
        """
        self._check_weights(train, context)
        width = train.X.shape[1]
        joint = moments([train.X, _wanted(train, context)], train.weight)
        coefficients = solve_covariance(
            joint.covariance[:width, :width],
            joint.covariance[:width, width:],
            joint.largest[:width],
            [v.label for v in context.variables],
            self.refuse,
            context.log,
            where="in the training events",
        )
        of_inputs = joint.mean[:width] @ coefficients
        binary = context.analysis is AnalysisType.CLASSIFICATION
        offset = -0.5 * of_inputs if binary else joint.mean[width:] - of_inputs
        self._report(offset, coefficients, context)
        return LDState(offset, coefficients)

    def _check_weights(self, train: Sample, context: FitContext) -> None:
        parts = {"": np.ones(len(train), dtype=np.bool_)}
        if context.analysis is not AnalysisType.REGRESSION:
            parts = {f" of class {name!r}": train.class_index == i for i, name in enumerate(context.classes)}
        for owner, events in parts.items():
            weight = float(train.weight[events].sum())
            if not weight > 0:
                raise self.refuse(
                    f"the {int(events.sum())} training events{owner} have a sum of weights of {weight:g}; "
                    "it has to be positive"
                )

    def _report(self, offset: FloatArray, coefficients: FloatArray, context: FitContext) -> None:
        labels = [v.label for v in context.variables]
        outputs = _outputs(context)
        for output, first, column in zip(outputs, offset.tolist(), coefficients.T.tolist(), strict=True):
            context.log.info(f"Results for LD coefficients{f' of {output}' if len(outputs) > 1 else ''}:")
            if self.options.var_transform.lower() != "none":
                context.log.info(f"(they apply to the variables after the transformation {self.options.var_transform})")
            for line in coefficient_table(labels, first, column):
                context.log.info(line)

    def predict(
        self,
        state: LDState,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,  # noqa: ARG002
        efficiency: float | None = None,  # noqa: ARG002
    ) -> FloatArray:
        """Return the response, linear in the inputs: shape (n,), or (n, k) for k > 1 classes or targets.

        Terms are added in single precision, as TMVA adds them.
        """
        response = apply_affine(X, state.offset, state.coefficients, single=True)
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
            If coefficients are missing, double, or not as many as the variables, classes and targets ask for.
        """
        names = _outputs(context)
        outputs = len(names)
        if int_attribute(weights, "NOut") != outputs:
            raise WeightFileError(
                f"<Weights NOut={weights.get('NOut')!r}> of {context.title} should hold one output for each of: "
                f"{', '.join(names)}"
            )
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


def _outputs(context: FitContext | WeightContext) -> list[str]:
    """Return what each output stands for."""
    if context.analysis is AnalysisType.REGRESSION:
        return [target.label for target in context.targets]
    if context.analysis is AnalysisType.MULTICLASS:
        return list(context.classes)
    return ["signal"]


def _wanted(train: Sample, context: FitContext) -> npt.NDArray[np.generic]:
    """Return what each output should be for each event, shape (n_events, n_outputs)."""
    if context.analysis is AnalysisType.REGRESSION:
        return train.targets
    if context.analysis is AnalysisType.MULTICLASS:
        return np.asarray(train.class_index[:, np.newaxis] == np.arange(len(context.classes)))
    return train.is_signal[:, np.newaxis]

r"""The Fisher discriminant: the axis along which two classes lie farthest apart, measured by their own spread.

With the weighted means :math:`m_S, m_B`, covariances :math:`C_S, C_B` and sums of weights :math:`s_S, s_B` of signal and
background, the within-class matrix is :math:`W = C_S + C_B` and the between-class matrix

.. math:: B = (s_S (m_S - m)(m_S - m)^T + s_B (m_B - m)(m_B - m)^T) / (s_S + s_B)

about the common mean `m`. The coefficients are

.. math:: F = \frac{\sqrt{s_S s_B}}{s_S + s_B} M^{-1} (m_S - m_B), \quad F_0 = -F (m_S + m_B) / 2,

with `M = W` for ``Method=Fisher`` and `M = W + B` for ``Method=Mahalanobis`` (TMVA Users Guide, arXiv:physics/0703039,
section on the Fisher discriminants). The discriminating power of variable `i` is :math:`B_{ii} / (W + B)_{ii}`.
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
from mvakit.options import option
from mvakit.types import AnalysisType
from mvakit.variables import Variable
from mvakit.weightfile import float_attribute, int_attribute, number
from mvakit_methods._linear import Moments, apply_affine, coefficient_table, moments, solve_covariance

__all__ = ["Fisher", "FisherOptions", "FisherState"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class FisherOptions(MethodOptions):
    """The options of `Fisher`."""

    method: str = option(
        "Method",
        "Fisher",
        "the matrix that measures distances: within the classes (Fisher) or of all events (Mahalanobis)",
        choices=("Fisher", "Mahalanobis"),
    )


@dataclass(frozen=True, slots=True, eq=False)
class FisherState:
    """A trained Fisher discriminant.

    Attributes
    ----------
    offset : float
    coefficients : ndarray, shape (n_variables,)
    power : ndarray, shape (n_variables,), or None
        The discriminating power of each variable; a weight file does not keep it.
    """

    offset: float
    coefficients: FloatArray
    power: FloatArray | None = None


class Fisher(Method[FisherOptions, FisherState]):
    """Fisher's linear discriminant for two classes, trained in closed form."""

    name: ClassVar[str] = "Fisher"
    options_type: ClassVar[type[MethodOptions]] = FisherOptions
    capabilities: ClassVar[Capabilities] = Capabilities(analyses=frozenset({AnalysisType.CLASSIFICATION}))

    def fit(self, train: Sample, context: FitContext) -> FisherState:
        """Compute the coefficients.

        Raises
        ------
        MethodError
            If a class has no events or no positive sum of weights, or if variables are constant or linearly dependent.
        """
        signal, background = (self._class_moments(train, index, name) for index, name in enumerate(context.classes))
        total = signal.weight + background.weight
        within = signal.covariance + background.covariance
        difference = signal.mean - background.mean
        # What the definition of B comes to for two classes.
        fractions = signal.weight * background.weight / total**2
        between = fractions * np.outer(difference, difference)
        everything = within + between
        coefficients = np.sqrt(fractions) * solve_covariance(
            within if self.options.method == "Fisher" else everything,
            difference,
            np.maximum(signal.largest, background.largest),
            [v.label for v in context.variables],
            self.refuse,
            context.log,
        )
        offset = -0.5 * float(coefficients @ (signal.mean + background.mean))
        self._report(offset, coefficients, context)
        return FisherState(offset, coefficients, np.diag(between) / np.diag(everything))

    def _class_moments(self, train: Sample, index: int, name: str) -> Moments:
        events = train.select(train.class_index == index)
        weight = float(events.weight.sum())
        if not weight > 0:
            raise self.refuse(
                f"the {len(events)} training events of class {name!r} have a sum of weights of {weight:g}; "
                "it has to be positive"
            )
        return moments([events.X], events.weight)

    def _report(self, offset: float, coefficients: FloatArray, context: FitContext) -> None:
        context.log.info("Results for Fisher coefficients:")
        if self.options.var_transform.lower() != "none":
            context.log.info(f"(they apply to the variables after the transformation {self.options.var_transform})")
        for line in coefficient_table([v.label for v in context.variables], offset, coefficients.tolist()):
            context.log.info(line)

    def predict(
        self,
        state: FisherState,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,  # noqa: ARG002
        efficiency: float | None = None,  # noqa: ARG002
    ) -> FloatArray:
        """Return the response, shape (n,); it is linear in the inputs and has no bounds."""
        return apply_affine(X, np.array([state.offset]), state.coefficients[:, np.newaxis])[:, 0]

    def write_state(self, state: FisherState, weights: ET.Element) -> Mapping[str, bytes]:
        """Write ``<Coefficient Index= Value=>``, index 0 being the offset."""
        values = [state.offset, *state.coefficients.tolist()]
        weights.set("NCoeff", str(len(values)))
        for index, value in enumerate(values):
            ET.SubElement(weights, "Coefficient", Index=str(index), Value=number(value))
        return {}

    def read_state(self, weights: ET.Element, context: WeightContext) -> FisherState:
        """Read what `write_state` or TMVA wrote.

        Raises
        ------
        WeightFileError
            If coefficients are missing, double, or not as many as the variables ask for.
        """
        size = len(context.variables) + 1
        if int_attribute(weights, "NCoeff") != size:
            raise WeightFileError(
                f"<Weights NCoeff={weights.get('NCoeff')!r}> of {context.title} should hold {size} coefficients, "
                f"one for each of the {size - 1} variables and an offset"
            )
        values = np.full(size, np.nan)
        for item in weights.findall("Coefficient"):
            index = int_attribute(item, "Index", 0, size - 1)
            if not np.isnan(values[index]):
                raise WeightFileError(f"{context.title} has two coefficients with the index {index}")
            values[index] = float_attribute(item, "Value")
        if np.isnan(values).any():
            raise WeightFileError(f"{context.title} lacks the coefficient {int(np.argmax(np.isnan(values)))}")
        return FisherState(float(values[0]), values[1:])

    def ranking(self, state: FisherState, variables: Sequence[Variable]) -> Ranking | None:
        """Return the variables by discriminating power; None for a state that was read from a file."""
        if state.power is None:
            return None
        return Ranking("Discr. power", tuple((v.label, float(p)) for v, p in zip(variables, state.power, strict=True)))

    def structure(self, state: FisherState) -> Affine:
        """Return the offset and the coefficients."""
        return Affine(np.array([state.offset]), state.coefficients[:, np.newaxis])

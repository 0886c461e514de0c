r"""The H-matrix classifier: how much closer, in units of its own spread, an event is to signal than to background.

.. math:: y = \frac{\chi^2_B - \chi^2_S}{\chi^2_B + \chi^2_S}, \quad \chi^2_C = (x_C - m_C)^T H_C (x_C - m_C),

with the mean :math:`m_C` and the inverse covariance matrix :math:`H_C` of each class. Where variables are transformed,
each class has its own transformation (TMVA Users Guide, arXiv:physics/0703039, section on the H-matrix discriminant).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError
from mvakit.method import Capabilities, Method, MethodOptions, WeightContext
from mvakit.types import AnalysisType
from mvakit.weightfile import child, int_attribute, numbers, text_numbers
from mvakit_methods._classes import signal_and_background
from mvakit_methods._responses import refuse_undefined

__all__ = ["HMatrix", "HMatrixOptions", "HMatrixState"]

FloatArray = npt.NDArray[np.float64]

_BLOCK: Final = 1 << 16  # terms of the chi-squared at a time, so that they stay in the cache


@dataclass(frozen=True, kw_only=True)
class HMatrixOptions(MethodOptions):
    """`HMatrix` has no options of its own."""


@dataclass(frozen=True, slots=True, eq=False)
class HMatrixState:
    """Means and inverse covariance matrices of signal and background.

    Attributes
    ----------
    means : ndarray, shape (2, n_variables)
    matrices : ndarray, shape (2, n_variables, n_variables)
    places : (int, int)
        The classes of signal and background among those of the model.
    """

    means: FloatArray
    matrices: FloatArray
    places: tuple[int, int] = (0, 1)


class HMatrix(Method[HMatrixOptions, HMatrixState]):
    """The H-matrix classifier, as a weight file keeps it."""

    name: ClassVar[str] = "HMatrix"
    options_type: ClassVar[type[MethodOptions]] = HMatrixOptions
    capabilities: ClassVar[Capabilities] = Capabilities(
        analyses=frozenset({AnalysisType.CLASSIFICATION}), trainable=False, inputs_per_class=True
    )

    def predict(
        self,
        state: HMatrixState,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,  # noqa: ARG002
        efficiency: float | None = None,  # noqa: ARG002
    ) -> FloatArray:
        """Return the response to the inputs of each class, shape (n_classes, n, n_variables); -1 to 1.

        Raises
        ------
        MethodError
            If a chi-squared is not finite, or negative, which only a matrix from negative weights can make; TMVA stops
            there, too.
        """
        chi2 = [
            self._chi2(X[place], mean, matrix, name)
            for place, mean, matrix, name in zip(
                state.places, state.means, state.matrices, ("signal", "background"), strict=True
            )
        ]
        total = chi2[0] + chi2[1]
        # an event in both means at once is neither
        return np.asarray(np.divide(chi2[1] - chi2[0], total, out=np.zeros_like(total), where=total > 0))

    def _chi2(self, X: npt.NDArray[np.float32], mean: FloatArray, matrix: FloatArray, name: str) -> FloatArray:
        chi2 = np.empty(len(X))
        step = max(_BLOCK // matrix.size, 1)
        for begin in range(0, len(X), step):
            away = X[begin : begin + step] - mean
            with np.errstate(over="ignore", invalid="ignore"):
                terms = away[:, :, np.newaxis] * away[:, np.newaxis, :] * matrix
                chi2[begin : begin + step] = terms.reshape(len(away), -1).sum(axis=1)
        refuse_undefined(chi2, self.refuse, f"the chi-squared for {name}")
        if (chi2 < 0).any():
            event = int(np.argmax(chi2 < 0))
            raise self.refuse(
                f"the chi-squared of event {event} for {name} is {chi2[event]:g}; the matrix of this file has not only "
                "positive eigenvalues, as it was made of events with negative weights"
            )
        return chi2

    def write_state(self, state: HMatrixState, weights: ET.Element) -> Mapping[str, bytes]:
        """Write the means, ``<VecMeanS>`` and ``<VecMeanB>``, and the matrices, ``<InvHMatS>`` and ``<InvHMatB>``."""
        tables = [(f"VecMean{c}", mean[np.newaxis]) for c, mean in zip("SB", state.means, strict=True)]
        tables += [(f"InvHMat{c}", matrix) for c, matrix in zip("SB", state.matrices, strict=True)]
        for tag, table in tables:
            element = ET.SubElement(weights, tag, Rows=str(table.shape[0]), Columns=str(table.shape[1]))
            element.text = numbers(table.ravel())
        return {}

    def read_state(self, weights: ET.Element, context: WeightContext) -> HMatrixState:
        """Read what `write_state` or TMVA wrote.

        Raises
        ------
        WeightFileError
            If a mean or a matrix is missing, of the wrong size, or holds what is no finite number.
        """
        size = len(context.variables)
        means = np.concatenate([_table(child(weights, f"VecMean{c}"), 1, size) for c in "SB"])
        matrices = np.stack([_table(child(weights, f"InvHMat{c}"), size, size) for c in "SB"])
        return HMatrixState(means, matrices, signal_and_background(context.classes))


def _table(element: ET.Element, rows: int, columns: int) -> FloatArray:
    """Read a matrix of known size."""
    if int_attribute(element, "Rows") != rows or int_attribute(element, "Columns") != columns:
        raise WeightFileError(
            f"<{element.tag} Rows={element.get('Rows')!r} Columns={element.get('Columns')!r}> should have {rows} rows "
            f"and {columns} columns"
        )
    values = text_numbers(element, rows * columns)
    if not np.isfinite(values).all():
        raise WeightFileError(f"<{element.tag}> holds a number that is not finite")
    return values.reshape(rows, columns)

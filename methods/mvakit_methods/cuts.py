"""Rectangular cuts: an interval for each variable, optimised for every signal efficiency from 0 to 1.

What is asked is not how signal-like an event is but whether it passes the cuts of a signal efficiency:
``model.predict(X, efficiency=0.7)``, in TMVA's words ``reader.EvaluateMVA("Cuts", 0.7)``.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError, MvakitWarning, WeightFileError
from mvakit.method import Capabilities, Method, MethodOptions, WeightContext
from mvakit.options import ArrayValue, array_option, option
from mvakit.types import AnalysisType
from mvakit.weightfile import child, float_attribute, int_attribute, number
from mvakit_methods._fitter_options import FitterOptions

__all__ = ["Cuts", "CutsOptions", "CutsState"]

FloatArray = npt.NDArray[np.float64]

_MAX_BINS: Final = 100_000
_BLOCK: Final = 1 << 16
_COMMENT: Final = (
    "Below are the optimised cuts for {} variables: Format: ibin(hist) effS effB cutMin[ivar=0] cutMax[ivar=0] ... "
    "cutMin[ivar=n-1] cutMax[ivar=n-1]"
)


@dataclass(frozen=True, kw_only=True)
class CutsOptions(FitterOptions):
    """The options of `Cuts`."""

    fit_method: str = option(
        "FitMethod",
        "GA",
        "how the cuts are optimised",
        choices=("GA", "SA", "MC", "MCEvents", "MINUIT", "EventScan"),
    )
    efficiency_method: str = option(
        "EffMethod",
        "EffSel",
        "how efficiencies are found: by counting events, or from densities of the variables",
        choices=("EffSel", "EffPDF"),
    )
    range_minimum: ArrayValue = array_option(
        "CutRangeMin", -1.0, "lower end of the range of the cuts on each variable; the same as the upper: as the events"
    )
    range_maximum: ArrayValue = array_option("CutRangeMax", -1.0, "upper end of that range")
    properties: ArrayValue = array_option(
        "VarProp",
        "NotEnforced",
        "which sides of each variable are cut: both (NotEnforced), a lower cut alone (FMax), an upper one (FMin), or the "
        "one that the means suggest (FSmart)",
        choices=("NotEnforced", "FMax", "FMin", "FSmart"),
    )


@dataclass(frozen=True, slots=True, eq=False)
class CutsState:
    """The cuts at each signal efficiency.

    Attributes
    ----------
    low, high : ndarray, shape (n_bins, n_variables)
        An event passes if ``low < x <= high`` for every variable.
    signal, background : ndarray, shape (n_bins,)
        The efficiencies. That of signal is the lower end of the bin; that of background is -0.1 where no cuts were found.
    efficiency_method, fit_method : int
        TMVA's numbers of ``EffMethod`` and ``FitMethod``.
    """

    low: FloatArray
    high: FloatArray
    signal: FloatArray
    background: FloatArray
    efficiency_method: int = 0
    fit_method: int = 0

    def bin(self, efficiency: float) -> int:
        """Return the bin of a signal efficiency, counted as ROOT counts: 0 below zero, 1 to n_bins, n_bins + 1 from one.

        ROOT before 6.40 may count an efficiency at the edge of a bin, such as 0.7, to the bin above it.

        Raises
        ------
        DataError
            If the efficiency is not a number.
        """
        if np.isnan(efficiency):
            raise DataError("a signal efficiency is a number from 0 to 1, not nan")
        n_bins = len(self.signal)
        if not 0 <= efficiency < 1:
            return 0 if efficiency < 0 else n_bins + 1
        below, width = int(n_bins * efficiency), 1.0 / n_bins
        if efficiency < below * width:
            below -= 1
        elif efficiency >= (below + 1) * width:
            below += 1
        return below + 1

    def at(self, efficiency: float) -> tuple[float, FloatArray, FloatArray]:
        """Return the bin's lower end and cuts at a signal efficiency, which TMVA shows with ``GetCuts``.

        Returns
        -------
        efficiency : float
        low, high : ndarray, shape (n_variables,)
        """
        before = self.bin(efficiency) - 1
        index = min(max(before, 0), len(self.signal) - 1)
        return before * (1.0 / len(self.signal)), self.low[index].copy(), self.high[index].copy()


class Cuts(Method[CutsOptions, CutsState]):
    """Cut optimisation, as a weight file keeps it."""

    name: ClassVar[str] = "Cuts"
    options_type: ClassVar[type[MethodOptions]] = CutsOptions
    capabilities: ClassVar[Capabilities] = Capabilities(
        analyses=frozenset({AnalysisType.CLASSIFICATION}), trainable=False, at_signal_efficiency=True
    )

    def predict(
        self,
        state: CutsState,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,  # noqa: ARG002
        efficiency: float | None = None,
    ) -> FloatArray:
        """Return 1 for events that pass the cuts of a signal efficiency and 0 for others, shape (n,).

        The cuts are those that TMVA applies, which are those of the bin above the one that it shows (`CutsState.at`).
        Without an efficiency, and at 0 and below, no event passes, and a warning says so.

        Raises
        ------
        DataError
            If the efficiency is not a number.
        """
        if efficiency is None or efficiency <= 0:
            warnings.warn(
                f"{self.name} answers at a signal efficiency above 0 (efficiency=0.7), not at {efficiency}: no event passes",
                MvakitWarning,
                stacklevel=3,
            )
            return np.zeros(len(X))
        index = min(state.bin(efficiency), len(state.signal) - 1)
        low, high = state.low[index], state.high[index]
        passed = np.empty(len(X))
        step = max(_BLOCK // max(len(low), 1), 1)
        for begin in range(0, len(X), step):
            x = X[begin : begin + step]
            passed[begin : begin + step] = ((x > low) & (x <= high)).all(axis=1)
        return passed

    def cuts(self, state: CutsState, efficiency: float) -> tuple[float, FloatArray, FloatArray]:
        """Return what `CutsState.at` does."""
        return state.at(efficiency)

    def write_state(self, state: CutsState, weights: ET.Element) -> Mapping[str, bytes]:
        """Write ``<Bin>`` with its ``<Cuts>`` for each signal efficiency."""
        weights.set("OptimisationMethod", str(state.efficiency_method))
        weights.set("FitMethod", str(state.fit_method))
        weights.set("nbins", str(len(state.signal)))
        weights.append(ET.Comment(_COMMENT.format(state.low.shape[1])))
        for i, (signal, background) in enumerate(zip(state.signal, state.background, strict=True)):
            item = ET.SubElement(weights, "Bin", ibin=str(i + 1), effS=number(signal), effB=number(background))
            cuts = ET.SubElement(item, "Cuts")
            for j, (low, high) in enumerate(zip(state.low[i], state.high[i], strict=True)):
                cuts.set(f"cutMin_{j}", number(low))
                cuts.set(f"cutMax_{j}", number(high))
        return {}

    def read_state(self, weights: ET.Element, context: WeightContext) -> CutsState:
        """Read what `write_state` or TMVA wrote.

        Raises
        ------
        WeightFileError
            If a bin or a cut is missing or double.
        """
        n_bins = int_attribute(weights, "nbins", 1, _MAX_BINS)
        found = weights.findall("Bin")
        if len(found) != n_bins:
            raise WeightFileError(
                f"<Weights nbins={weights.get('nbins')!r}> of {context.title} holds {len(found)} <Bin>"
            )
        size = len(context.variables)
        table = np.empty((n_bins, 2 * size + 2))
        seen = np.zeros(n_bins, dtype=np.bool_)
        for item in found:
            index = int_attribute(item, "ibin", 1, n_bins) - 1
            if seen[index]:
                raise WeightFileError(f"{context.title} has two <Bin ibin='{index + 1}'>")
            seen[index] = True
            cuts = child(item, "Cuts")
            row = [float_attribute(cuts, f"cut{side}_{i}") for side in ("Min", "Max") for i in range(size)]
            table[index] = [*row, float_attribute(item, "effS"), float_attribute(item, "effB")]
        return CutsState(
            table[:, :size],
            table[:, size : 2 * size],
            table[:, -2],
            table[:, -1],
            int_attribute(weights, "OptimisationMethod"),
            int_attribute(weights, "FitMethod"),
        )

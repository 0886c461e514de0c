"""Cuts that single out pure regions before any tree is grown (``DoPreselection``)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from mvakit.weightfile import boolean_attribute, float_attribute, number

__all__ = ["Preselection", "find_preselection", "read_preselection", "write_preselection"]

FloatArray = npt.NDArray[np.float64]

# A region counts if it holds more than this share of its class; its border is moved by this share of the range.
_LEAST_SHARE: Final = 0.05
_MARGIN: Final = 0.01

_REGIONS: Final = (
    ("low_background", "PreselectionLowBkgVar{}"),
    ("low_signal", "PreselectionLowSigVar{}"),
    ("high_background", "PreselectionHighBkgVar{}"),
    ("high_signal", "PreselectionHighSigVar{}"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Preselection:
    """Borders beyond which an event is background, or signal; not-a-number where there is none.

    Attributes
    ----------
    low_background, low_signal, high_background, high_signal : ndarray of float64, shape (n_variables,)
    """

    low_background: FloatArray
    low_signal: FloatArray
    high_background: FloatArray
    high_signal: FloatArray

    def verdict(self, X: npt.NDArray[np.float32]) -> npt.NDArray[np.int8]:
        """Return 1 for events in a signal region, -1 for those in a background region and 0 for others.

        Where regions overlap the last variable decides, and of its regions the last one in the order of the attributes
        low background, low signal, high background, high signal, as in TMVA.
        """
        result = np.zeros(len(X), np.int8)
        for f in range(X.shape[1]):
            x = X[:, f].astype(np.float64)
            result[x < self.low_background[f]] = -1
            result[x < self.low_signal[f]] = 1
            result[x > self.high_background[f]] = -1
            result[x > self.high_signal[f]] = 1
        return result


def find_preselection(X: npt.NDArray[np.float32], signal: npt.NDArray[np.bool_], weight: FloatArray) -> Preselection:
    """Find the regions at both ends of each variable that hold events of one class only."""
    n_variables = X.shape[1]
    found = Preselection(*(np.full(n_variables, np.nan) for _ in range(4)))
    total_s, total_b = weight[signal].sum(), weight[~signal].sum()
    if not min(total_s, total_b) > 0:
        return found
    for f in range(n_variables):
        order = np.argsort(X[:, f], kind="stable")
        x = X[order, f].astype(np.float64)
        margin = _MARGIN * (x[-1] - x[0])
        below_s = np.cumsum(np.where(signal[order], weight[order], 0.0))
        below_b = np.cumsum(np.where(signal[order], 0.0, weight[order]))
        # Sums of all weights of a class, however rounded, mean that none is left.
        all_s, all_b = np.cumsum(signal[order]) == signal.sum(), np.cumsum(~signal[order]) == (~signal).sum()
        none_s, none_b = np.cumsum(signal[order]) == 0, np.cumsum(~signal[order]) == 0
        for border, pure, share, move in (
            (found.low_background, none_s, below_b / total_b, -margin),
            (found.low_signal, none_b, below_s / total_s, -margin),
            (found.high_signal, all_b, 1 - below_s / total_s, margin),
            (found.high_background, all_s, 1 - below_b / total_b, margin),
        ):
            here = pure & (share > _LEAST_SHARE)
            here[0] = False
            if here.any():
                best = np.flatnonzero(here)[np.argmax(share[here])]
                border[f] = x[best] + move
    return found


def read_preselection(weights: Element, n_variables: int) -> Preselection | None:
    """Read the borders from ``<Weights>``; None where there are none."""
    if weights.get(_REGIONS[0][1].format(0)) is None:
        return None
    borders = {}
    for name, pattern in _REGIONS:
        flags = [boolean_attribute(weights, pattern.format(f)) for f in range(n_variables)]
        values = [float_attribute(weights, pattern.format(f) + "Value") for f in range(n_variables)]
        borders[name] = np.where(flags, values, np.nan)
    return Preselection(**borders)


def write_preselection(preselection: Preselection, weights: Element, n_variables: int) -> None:
    """Write the borders into ``<Weights>``."""
    for f in range(n_variables):
        for name, pattern in _REGIONS:
            border = float(getattr(preselection, name)[f])
            weights.set(pattern.format(f), "1" if np.isfinite(border) else "0")
            weights.set(pattern.format(f) + "Value", number(border if np.isfinite(border) else 0.0))

"""TMVA's efficiencies: estimated from histograms with many bins, as its tables and result files hold them.

The exact curve is in `mvakit.evaluation.roc`. What is here exists so that result files and tables can be compared
with TMVA's number by number: efficiencies as a function of the cut (10000 bins), the cut for a given signal
efficiency by root finding between the bin centres, background against signal efficiency (100 bins), and, from
straight lines between those, the ROC integral and the signal efficiency at a given background efficiency.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable

import numpy as np

from mvakit.evaluation.histograms import Histogram1D
from mvakit.evaluation.samples import ClassSample, FloatArray

__all__ = [
    "background_versus_signal",
    "cuts_at_signal_efficiency",
    "efficiency_histogram",
    "roc_integral",
    "signal_efficiency_at",
]

# The upper end of TMVA's axes lies this much above the largest response, so that it falls into the last bin.
UPPER_MARGIN = 1e-5
SCAN_POINTS = 1000


def efficiency_histogram(
    sample: ClassSample, nbins: int, low: float, high: float, *, orientation: int, name: str, title: str
) -> Histogram1D:
    """Return the fraction of a sample that passes a cut, for cuts at the bins of an axis.

    For orientation 1 bin i holds what lies in bin i or above, values below the range counting in the first bin and
    values above it not at all; for orientation -1 what lies in bins below i, values above the range counting in the
    last bin and values more than a bin below it not at all. The largest content is scaled to 1. There are no errors.
    """
    position = (np.clip(sample.values, low - (high - low), high + (high - low)) - low) / (high - low) * nbins
    bins = position.astype(np.intp) + 1
    counted = bins <= nbins if orientation > 0 else bins >= 1
    bins = np.clip(bins[counted], 1, nbins)
    steps = np.bincount(bins, sample.weights[counted], minlength=nbins + 1)[1:]
    contents = np.zeros(nbins + 2)
    if orientation > 0:
        contents[1:-1] = np.cumsum(steps[::-1])[::-1]
    else:
        contents[2:-1] = np.cumsum(steps)[:-1]
    largest = max(float(contents[1:-1].max()), float(np.finfo(np.float64).eps))
    return Histogram1D(name, title, low, high, contents * (1.0 / largest), np.zeros(nbins + 2))


def cuts_at_signal_efficiency(
    efficiency: Histogram1D, signal_efficiencies: FloatArray, *, orientation: int
) -> FloatArray:
    """Return the cuts at which a signal efficiency is reached.

    Parameters
    ----------
    efficiency : Histogram1D
        From `efficiency_histogram`; joined by straight lines between bin centres, and taken as 1 and 0 at the ends
        of the range.
    signal_efficiencies : ndarray
        Between 0 and 1, excluding both.
    orientation : {1, -1}
    """
    low, high = efficiency.low, efficiency.high - UPPER_MARGIN
    if high - low < 0.1 * UPPER_MARGIN:  # all responses equal
        high = efficiency.high
    # TMVA's margin, but never more than what lies outside the centres of the first and last bin.
    margin = min(UPPER_MARGIN, 0.5 * efficiency.width)
    at_low, at_high = (1.0, 0.0) if orientation > 0 else (0.0, 1.0)
    curve = _polyline(efficiency.centers, efficiency.contents)

    def value(cut: float) -> float:
        if cut - low < margin:
            return at_low
        if high - cut < margin:
            return at_high
        return curve(cut)

    return np.array([_root(value, low, high, float(target)) for target in signal_efficiencies])


def background_versus_signal(
    signal: Histogram1D, background: Histogram1D, *, orientation: int, nbins: int = 100
) -> FloatArray:
    """Return the background efficiency at the centres of `nbins` bins of signal efficiency.

    Parameters
    ----------
    signal, background : Histogram1D
        From `efficiency_histogram`. Cuts are found with `signal` and applied to `background`.
    orientation : {1, -1}
    nbins : int
    """
    signal_efficiencies = (np.arange(nbins, dtype=np.float64) + 0.5) * (1.0 / nbins)
    cuts = cuts_at_signal_efficiency(signal, signal_efficiencies, orientation=orientation)
    return _on_polyline(cuts, background.centers, background.contents)


def roc_integral(background_efficiencies: FloatArray) -> float:
    """Return TMVA's ``ROC-integ`` from what `background_versus_signal` returned."""
    _, efficiencies = _scan(background_efficiencies)
    return 1.0 - float(efficiencies.mean())


def signal_efficiency_at(background_efficiency: float, background_efficiencies: FloatArray) -> float:
    """Return TMVA's signal efficiency at a background efficiency, on its grid of 0.001.

    Parameters
    ----------
    background_efficiency : float
        The reference value, rounded to single precision as TMVA does.
    background_efficiencies : ndarray
        From `background_versus_signal`.
    """
    signal, background = _scan(background_efficiencies)
    reference = float(np.float32(background_efficiency))
    before = np.concatenate([[0.0], background[:-1]])
    crossed = (background - reference) * (before - reference) <= 0.0
    if not crossed.any():
        return float(signal[-1])
    first = int(np.argmax(crossed))
    # The middle of the step in which it crosses; the step before the first point begins at zero.
    return 0.5 * float(signal[first] + (signal[first - 1] if first else 0.0))


def _scan(background_efficiencies: FloatArray) -> tuple[FloatArray, FloatArray]:
    nbins = len(background_efficiencies)
    signal = (np.arange(SCAN_POINTS, dtype=np.float64) + 0.5) / SCAN_POINTS
    return signal, _on_polyline(signal, (np.arange(nbins, dtype=np.float64) + 0.5) / nbins, background_efficiencies)


def _on_polyline(x: FloatArray, knots: FloatArray, heights: FloatArray) -> FloatArray:
    """Evaluate straight lines through points; the first and last line go on beyond the ends."""
    left = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 2)
    slope = (heights[left + 1] - heights[left]) / (knots[left + 1] - knots[left])
    result: FloatArray = heights[left] + (x - knots[left]) * slope
    return result


def _polyline(knots: FloatArray, heights: FloatArray) -> Callable[[float], float]:
    """Return `_on_polyline` for one value at a time, which root finding needs fast."""
    x, y = knots.tolist(), heights.tolist()
    last = len(x) - 2

    def evaluate(position: float) -> float:
        i = min(max(bisect_right(x, position) - 1, 0), last)
        return float(y[i] + (position - x[i]) * (y[i + 1] - y[i]) / (x[i + 1] - x[i]))

    return evaluate


def _root(function: Callable[[float], float], low: float, high: float, target: float) -> float:
    """Solve ``function(x) == target`` for a function that is on either side of it at `low` and `high`.

    Linear interpolation after a step across the root, halving of the bracket otherwise: what remains of R. P. Brent's
    method (Algorithms for Minimization without Derivatives, 1973, chapter 4) without the quadratic interpolation.
    Where the function is flat at the target every point there is a solution, and the sequence of steps decides which
    one is returned: it is that of TMVA's root finder.
    """
    previous, f_previous = low, function(low) - target
    best, f_best = high, function(high) - target
    other, f_other = previous, f_previous  # the root lies between best and other
    for _ in range(200):
        if f_best * f_other > 0.0:
            other, f_other = previous, f_previous
        if abs(f_other) < abs(f_best):
            previous, best, other = best, other, best
            f_previous, f_best, f_other = f_best, f_other, f_best
        tolerance = 0.5 * float(np.finfo(np.float64).eps) * abs(best)
        step = 0.5 * (other - best)
        if f_best == 0.0 or abs(step) <= tolerance:
            break
        if f_previous * f_best < 0.0:
            ratio = f_best / f_previous
            step = 2.0 * step * ratio / (ratio - 1.0)
        previous, f_previous = best, f_best
        best += step if abs(step) > tolerance else math.copysign(tolerance, step)
        f_best = function(best) - target
    return best

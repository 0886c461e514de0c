"""How far apart two distributions are: separation and significance."""

from __future__ import annotations

import numpy as np

from mvakit.errors import DataError
from mvakit.evaluation.histograms import Histogram1D
from mvakit.evaluation.samples import ClassSample, FloatArray, IndexArray

__all__ = ["response_separation", "separation", "significance"]

# TMVA tabulates the densities at this many points, integrates over so many steps, and keeps them above this value.
DENSITY_POINTS = 10000
INTEGRATION_STEPS = 100
SMALLEST_DENSITY = 1e-12


def separation(signal: Histogram1D, background: Histogram1D) -> float:
    """Return the separation of two histograms, 1/2 sum (s - b)^2 / (s + b), with s and b normalised to one.

    0 for equal distributions, 1 for distributions without overlap. Bins where s + b is not positive do not count.
    This is what TMVA ranks the input variables with.

    Raises
    ------
    DataError
        For different binnings, or contents that do not sum to more than zero.
    """
    _require_same_binning(signal, background)
    densities = []
    for histogram in (signal, background):
        total = float(histogram.contents.sum())
        if not total > 0.0:
            raise DataError(f"the contents of histogram {histogram.name!r} sum to {total:.6g}, not to more than zero")
        densities.append(histogram.contents / total)
    return _half_chi_square(densities[0], densities[1])


def response_separation(signal: Histogram1D, background: Histogram1D) -> float:
    """Return the separation of two responses, 1/2 int (s - b)^2 / (s + b) dx, with smoothed densities.

    The histograms are interpolated quadratically before the integral is taken. TMVA's tables show this number, for
    response histograms of 40 bins.

    Raises
    ------
    DataError
        For different binnings, fewer than three bins, or a histogram that is empty.
    """
    _require_same_binning(signal, background)
    step = (signal.high - signal.low) / INTEGRATION_STEPS
    points = signal.low + (np.arange(INTEGRATION_STEPS, dtype=np.float64) + 0.5) * step
    s, b = (_smooth_density(histogram, points) for histogram in (signal, background))
    return _half_chi_square(s, b) * step


def significance(signal: ClassSample, background: ClassSample) -> float:
    """Return the difference of the means over the quadratic sum of the RMS; 0 where both RMS vanish."""
    spread = float(np.hypot(signal.rms, background.rms))
    return abs(signal.mean - background.mean) / spread if spread > 0.0 else 0.0


def _half_chi_square(s: FloatArray, b: FloatArray) -> float:
    total = s + b
    counted = total > 0.0
    return 0.5 * float(np.sum((s - b)[counted] ** 2 / total[counted]))


def _require_same_binning(signal: Histogram1D, background: Histogram1D) -> None:
    if (signal.nbins, signal.low, signal.high) != (background.nbins, background.low, background.high):
        raise DataError(f"the histograms {signal.name!r} and {background.name!r} have different bins")


def _smooth_density(histogram: Histogram1D, points: FloatArray) -> FloatArray:
    """Return a density of unit area through the bin centres, tabulated finely and read at `points`."""
    if histogram.nbins < 3:
        raise DataError(f"histogram {histogram.name!r} has {histogram.nbins} bins; three are needed to interpolate")
    width = (histogram.high - histogram.low) / DENSITY_POINTS
    fine = histogram.low + (np.arange(DENSITY_POINTS, dtype=np.float64) + 0.5) * width
    density = _parabolas(fine, histogram.centers, histogram.contents)
    # Where the interpolation falls below zero the bin content counts instead.
    plain = histogram.contents[
        np.minimum(np.arange(DENSITY_POINTS) * histogram.nbins // DENSITY_POINTS, histogram.nbins - 1)
    ]
    density = np.maximum(np.where(density <= SMALLEST_DENSITY, plain, density), SMALLEST_DENSITY)
    density /= float(density.sum()) * width
    return np.interp(points, fine, density)


def _parabolas(x: FloatArray, knots: FloatArray, heights: FloatArray) -> FloatArray:
    """Interpolate by the mean of the two parabolas through the neighbouring points, by one of them at the ends."""
    last = len(knots) - 3  # the last parabola begins here
    left = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, len(knots) - 1)
    before, after = np.clip(left - 1, 0, last), np.clip(left, 0, last)
    return 0.5 * (_parabola(x, knots, heights, before) + _parabola(x, knots, heights, after))


def _parabola(x: FloatArray, knots: FloatArray, heights: FloatArray, start: IndexArray) -> FloatArray:
    """Newton's form of the parabola through three successive points, the first at `start`."""
    x0, x1, x2 = knots[start], knots[start + 1], knots[start + 2]
    y0, y1, y2 = heights[start], heights[start + 1], heights[start + 2]
    slope = (y1 - y0) / (x1 - x0)
    curvature = ((y2 - y1) / (x2 - x1) - slope) / (x2 - x0)
    result: FloatArray = y0 + (x - x0) * (slope + curvature * (x - x1))
    return result

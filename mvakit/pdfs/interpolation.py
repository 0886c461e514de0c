"""Splines through the bins of a histogram, evaluated as TMVA and ROOT do."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from mvakit.pdfs.recipe import Interpolation

__all__ = ["interpolate", "rounding"]

FloatArray = npt.NDArray[np.float64]
Float32Array = npt.NDArray[np.float32]

_EPSILON32: Final = float(np.finfo(np.float32).eps) / 2


def interpolate(kind: Interpolation, at: FloatArray, heights: FloatArray, x: FloatArray) -> FloatArray:
    """Return the height of a spline at `x`; beyond the knots its first and last piece go on.

    Parameters
    ----------
    kind : Interpolation
        SPLINE1, a polygon; SPLINE2, the mean of the two parabolas through a segment's ends and the knot before or after;
        SPLINE3, cubic and "not a knot" at the ends; SPLINE5, quintic and natural.
    at, heights : ndarray, shape (n,)
        The knots: three or more, rising.
    x : ndarray, shape (m,)

    Returns
    -------
    ndarray of float64, shape (m,)
    """
    if kind is Interpolation.SPLINE1:
        return _linear(at, heights, x)
    if kind is Interpolation.SPLINE2:
        return _quadratic(at, heights, x)
    if kind is Interpolation.SPLINE3:
        from scipy.interpolate import CubicSpline

        return np.asarray(CubicSpline(at, heights, bc_type="not-a-knot")(x), dtype=np.float64)
    return _quintic(at, heights, x)


def rounding(kind: Interpolation, low: float, high: float, n_bins: int, n_fine: int) -> float:
    """Return about how far TMVA's single-precision arithmetic moves a density, as a fraction of it.

    The parabolas of SPLINE2 and the edges between which a kernel is integrated are numbers of single precision; of bins
    far from zero, compared with their width, little is left.
    """
    reach = max(abs(low), abs(high))
    if kind is Interpolation.SPLINE2:
        return (reach / ((high - low) / n_bins)) ** 2 * _EPSILON32
    if kind is Interpolation.KDE:
        return reach / ((high - low) / n_fine) * _EPSILON32
    return 0.0


def _segment(at: FloatArray, x: FloatArray) -> npt.NDArray[np.intp]:
    """Return the last knot at or below `x`, or the first."""
    return np.clip(np.searchsorted(at, x, side="right") - 1, 0, at.size - 1)


def _linear(at: FloatArray, heights: FloatArray, x: FloatArray) -> FloatArray:
    i = _segment(at, x)
    j = np.where(i < at.size - 1, i + 1, i - 1)
    result: FloatArray = heights[i] + (x - at[i]) * (heights[i] - heights[j]) / (at[i] - at[j])
    return result


def _quadratic(at: FloatArray, heights: FloatArray, x: FloatArray) -> FloatArray:
    i = _segment(at, x)
    last = at.size - 3
    # at both ends there is one parabola only
    before = np.where(i >= at.size - 2, last, np.maximum(i - 1, 0))
    after = np.where(i == 0, 0, np.minimum(i, last))
    knots, values, place = at.astype(np.float32), heights.astype(np.float32), x.astype(np.float32)
    result: FloatArray = (_parabola(knots, values, place, before) + _parabola(knots, values, place, after)) * 0.5
    return result


def _parabola(at: Float32Array, heights: Float32Array, x: Float32Array, first: npt.NDArray[np.intp]) -> FloatArray:
    """Return the parabolas through three knots from `first` on, in TMVA's order of single-precision operations."""
    p, q, r = at[first], at[first + 1], at[first + 2]
    u, v, w = heights[first], heights[first + 1], heights[first + 2]
    a = u * (q - r) + v * (r - p) + w * (p - q)
    b = u * (q * q - r * r) + v * (r * r - p * p) + w * (p * p - q * q)
    c = u * (q - r) * q * r + v * (r - p) * r * p + w * (p - q) * p * q
    determinant = (q - r) * (r - p) * (p - q)
    # where single precision cannot tell the knots apart, TMVA takes zero
    value: FloatArray = np.zeros(x.size)
    apart = determinant != np.float32(0)
    value[apart] = ((-a * x * x + b * x - c)[apart] / determinant[apart]).astype(np.float64)
    return value


def _quintic(at: FloatArray, heights: FloatArray, x: FloatArray) -> FloatArray:
    from scipy.interpolate import make_interp_spline

    natural = [(3, 0.0), (4, 0.0)]
    spline = make_interp_spline(at, heights, k=5, bc_type=(natural, natural))
    beyond = x - at[-1]
    # ROOT goes on with the first piece before the knots, and with slope and curvature only behind them
    value, slope, curvature = (float(spline(at[-1], derivative)) for derivative in (0, 1, 2))
    within: FloatArray = spline(np.minimum(x, at[-1]))
    return np.where(beyond >= 0, value + beyond * (slope + beyond * curvature / 2), within)

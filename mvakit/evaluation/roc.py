"""The exact weighted ROC curve, its area and the area's uncertainty."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mvakit.errors import DataError
from mvakit.evaluation.results import RocCurve
from mvakit.evaluation.samples import FloatArray, IndexArray, TwoClassSample

__all__ = ["efficiency_band", "roc_curve", "roc_curve_of"]

_LOWEST = 1e-3


def roc_curve(
    scores: ArrayLike, is_signal: ArrayLike, weights: ArrayLike | None = None, *, orientation: int = 1
) -> RocCurve:
    """Return the ROC curve of scores, with every distinct score as a cut.

    Parameters
    ----------
    scores : array_like, shape (n,)
    is_signal : array_like of bool, shape (n,)
    weights : array_like, shape (n,), optional
        Event weights; negative ones are allowed as long as each class sums to more than zero.
    orientation : {1, -1}
        1: events with scores *above* the cut are selected; -1: below.

    Returns
    -------
    RocCurve
        Its area is the weighted Mann-Whitney statistic,

        A = sum_ij w_i w_j [ (x_i > x_j) + (x_i == x_j) / 2 ] / (W_S W_B),

        i over signal, j over background: tied scores are joined by a diagonal. This is bilinear in the weights, so
        with negative weights it stays an unbiased estimate, although the curve may step back.

        Its uncertainty is DeLong's, with weights: with V_i the fraction of background that signal event i beats,

        var A = n_S/(n_S - 1) sum_i w_i^2 (V_i - A)^2 / W_S^2 + the same with the classes exchanged,

        n_S being the effective number of events (sum w)^2 / sum w^2. For unit weights this is exactly the estimate
        of DeLong, DeLong and Clarke-Pearson, Biometrics 44 (1988) 837.

    Raises
    ------
    DataError
        For NaN or infinite scores, an empty class, or a class whose weights do not sum to more than zero.
    """
    return roc_curve_of(TwoClassSample.from_arrays(scores, is_signal, weights), orientation=orientation)


def roc_curve_of(sample: TwoClassSample, *, orientation: int = 1) -> RocCurve:
    """Return the ROC curve of a sample that has been checked already; see `roc_curve`."""
    if orientation not in (1, -1):
        raise DataError(f"the cut orientation is 1 (above) or -1 (below), not {orientation}")
    signal, background = sample.signal, sample.background
    values = np.concatenate([signal.values, background.values])
    if orientation < 0:
        values = -values
    order = np.argsort(values)
    values = values[order]
    weights = np.concatenate([signal.weights, background.weights])[order]
    from_signal = order < len(signal)
    signal_weights = np.where(from_signal, weights, 0.0)
    background_weights = np.where(from_signal, 0.0, weights)
    # Events with equal scores are one step of the curve.
    starts = np.flatnonzero(np.append(True, values[1:] != values[:-1]))

    signal_steps = np.add.reduceat(signal_weights, starts)
    background_steps = np.add.reduceat(background_weights, starts)
    signal_up_to = np.cumsum(signal_steps)
    background_up_to = np.cumsum(background_steps)
    signal_total, background_total = float(signal_up_to[-1]), float(background_up_to[-1])

    # The fraction of the other class that an event of this score beats, a tie counting half.
    background_below = (background_up_to - 0.5 * background_steps) / background_total
    signal_above = 1.0 - (signal_up_to - 0.5 * signal_steps) / signal_total
    area = float(np.dot(signal_steps, background_below)) / signal_total
    variance = _variance_of_mean(background_below, signal_weights, starts, area, signal.effective_number)
    variance += _variance_of_mean(signal_above, background_weights, starts, area, background.effective_number)

    # From the tightest cut to the loosest.
    thresholds = np.concatenate([[np.inf], values[starts][::-1]]) * orientation
    signal_passed, background_passed = np.cumsum(signal_steps[::-1]), np.cumsum(background_steps[::-1])
    # Divided by their own last value, so that the efficiencies are exactly 1 once everything has passed.
    signal_efficiency = np.concatenate([[0.0], signal_passed / signal_passed[-1]])
    background_efficiency = np.concatenate([[0.0], background_passed / background_passed[-1]])
    corners = _corners(signal_steps[::-1], background_steps[::-1])
    curve = [array[corners] for array in (signal_efficiency, background_efficiency, thresholds)]
    for array in curve:
        array.flags.writeable = False
    return RocCurve(
        curve[0],
        curve[1],
        curve[2],
        area,
        variance**0.5,
        signal.effective_number,
        background.effective_number,
        orientation,
    )


def efficiency_band(curve: RocCurve, points: int = 40) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the uncertainty of the signal efficiency along a curve.

    Parameters
    ----------
    curve : RocCurve
    points : int
        Half of them equally spaced in background efficiency, half in its logarithm from 0.001 on.

    Returns
    -------
    background_efficiency, signal_efficiency, error : ndarray of float64, shape (points,)
        What `RocCurve.signal_efficiency_at` says.
    """
    half = points // 2
    where = np.unique(np.concatenate([np.linspace(0.0, 1.0, points - half), np.geomspace(_LOWEST, 1.0, half)]))
    found = [curve.signal_efficiency_at(float(b)) for b in where]
    return where, np.array([e.value for e in found]), np.array([e.error for e in found])


def _variance_of_mean(
    placements: FloatArray, weights: FloatArray, starts: IndexArray, mean: float, effective_number: float
) -> float:
    """Variance of the weighted mean of the placements, which are given once per distinct score."""
    if effective_number <= 1.0:
        return float("nan")
    squared_weights = np.add.reduceat(weights * weights, starts)
    spread = float(np.dot(squared_weights, (placements - mean) ** 2)) / float(weights.sum()) ** 2
    return spread * effective_number / (effective_number - 1.0)


def _corners(signal_steps: FloatArray, background_steps: FloatArray) -> IndexArray:
    """Return which points of the curve to keep: those within a vertical or a horizontal run add nothing to it."""
    steps = np.flatnonzero((signal_steps != 0.0) | (background_steps != 0.0))
    signal_steps, background_steps = signal_steps[steps], background_steps[steps]
    vertical = (background_steps == 0.0) & (signal_steps > 0.0)
    horizontal = (signal_steps == 0.0) & (background_steps > 0.0)
    corner = ~((vertical[:-1] & vertical[1:]) | (horizontal[:-1] & horizontal[1:]))
    return np.concatenate([[0], steps[:-1][corner] + 1, steps[-1:] + 1])

"""The exact weighted ROC curve, its area and the area's uncertainty."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mvakit.errors import DataError
from mvakit.evaluation.ordered import OrderedClass, OrderedSample, in_order
from mvakit.evaluation.results import RocCurve
from mvakit.evaluation.samples import FloatArray, IndexArray, TwoClassSample

__all__ = ["efficiency_band", "roc_curve", "roc_curve_in_order", "roc_curve_of"]

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
    return roc_curve_in_order(in_order(sample), orientation)


def roc_curve_in_order(ordered: OrderedSample, orientation: int) -> RocCurve:
    """Return the ROC curve of a sample that is sorted already; see `roc_curve`."""
    signal, background = ordered.signal, ordered.background
    # Each distinct response is a step of the curve; against the orientation they rise from the loosest cut on.
    steps = [np.diff(part.up_to, prepend=0.0)[::orientation] for part in (signal, background)]
    squares = [np.diff(part.squares_up_to, prepend=0.0)[::orientation] for part in (signal, background)]
    passed = [part.selected(orientation)[::orientation] for part in (signal, background)]

    # The fraction of the other class that an event of this score beats, a tie counting half.
    background_below = 1.0 - (passed[1] - 0.5 * steps[1]) / background.total
    signal_above = (passed[0] - 0.5 * steps[0]) / signal.total
    area = float((steps[0] * background_below).sum()) / signal.total
    variance = _variance_of_mean(background_below, squares[0], area, signal)
    variance += _variance_of_mean(signal_above, squares[1], area, background)

    # From the tightest cut to the loosest.
    corners = _corners(steps[0][::-1], steps[1][::-1])
    thresholds = np.concatenate([[np.inf * orientation], ordered.values[::-orientation]])[corners]
    efficiencies = [
        np.concatenate([[0.0], sums[::-1]])[corners] / part.total
        for sums, part in zip(passed, (signal, background), strict=True)
    ]
    for array in (*efficiencies, thresholds):
        array.flags.writeable = False
    return RocCurve(
        efficiencies[0],
        efficiencies[1],
        thresholds,
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


def _variance_of_mean(placements: FloatArray, squares: FloatArray, mean: float, part: OrderedClass) -> float:
    """Variance of the weighted mean of the placements, which are given once per distinct score."""
    effective_number = part.effective_number
    if effective_number <= 1.0:
        return float("nan")
    deviation = placements - mean
    deviation *= deviation
    deviation *= squares
    return float(deviation.sum()) / part.total**2 * effective_number / (effective_number - 1.0)


def _corners(signal_steps: FloatArray, background_steps: FloatArray) -> IndexArray:
    """Return which points of the curve to keep: those within a vertical or a horizontal run add nothing to it."""
    steps = np.flatnonzero((signal_steps != 0.0) | (background_steps != 0.0))
    signal_steps, background_steps = signal_steps[steps], background_steps[steps]
    vertical = (background_steps == 0.0) & (signal_steps > 0.0)
    horizontal = (signal_steps == 0.0) & (background_steps > 0.0)
    corner = ~((vertical[:-1] & vertical[1:]) | (horizontal[:-1] & horizontal[1:]))
    return np.concatenate([[0], steps[:-1][corner] + 1, steps[-1:] + 1])

"""The evaluation of a regression: bias, RMS and mutual information of every target, and TMVA's distributions of them."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from mvakit.errors import DataError
from mvakit.evaluation.histograms import Histogram1D, bin_numbers, fill
from mvakit.evaluation.outputs import RegressionSample
from mvakit.evaluation.regression_results import Deviation, RegressionResult, TargetDeviation
from mvakit.evaluation.samples import ClassSample, FloatArray, as_values_and_weights

__all__ = ["average_deviation", "evaluate_regression", "mutual_information", "quadratic_deviations", "single_precision"]

# The truncated numbers are those of events that deviate by no more than this many RMS from the bias.
TRUNCATION = 2.0
# TMVA fills twice as many bins and joins them in pairs.
ESTIMATE_BINS, TARGET_BINS = 75, 50
QUADRATIC_BINS = 500
BEST_FRACTION = 0.9
LARGEST = float(np.finfo(np.float32).max)


def evaluate_regression(
    title: str,
    test: RegressionSample,
    train: RegressionSample | None = None,
    *,
    method_type: str = "",
    dataset: str = "",
) -> RegressionResult:
    """Measure how far estimates are off, and how much better they are for events that were learned by heart.

    Parameters
    ----------
    title : str
        Title of the method.
    test, train : RegressionSample
        Estimates, true values and weights; without a training sample `train` is None in the result.
    method_type, dataset : str
        TMVA's name of the method type, and the DataLoader's name.

    Returns
    -------
    RegressionResult
        TMVA's numbers, for every target where TMVA looks at the first alone, with their uncertainties.

    Raises
    ------
    DataError
        If the two samples do not have the same targets.
    """
    if train is not None and train.names != test.names:
        raise DataError(
            f"the training sample of {title!r} has the targets {', '.join(train.names)}, "
            f"but the test sample has {', '.join(test.names)}"
        )
    return RegressionResult(
        title,
        method_type,
        dataset,
        test.names,
        tuple(_target(test, i) for i in range(len(test.names))),
        None if train is None else tuple(_target(train, i) for i in range(len(train.names))),
    )


def mutual_information(
    estimates: ArrayLike,
    targets: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    extent: tuple[float, float] | None = None,
) -> tuple[float, float]:
    """Return TMVA's mutual information of estimates and true values, and its standard uncertainty.

    I = sum_xy p_xy ln(p_xy / (p_x p_y)), with the probabilities p from a histogram of 75 bins of the estimate and 50
    of the true value, both in the same range. An event at its upper end or outside is not counted, nor is a bin with
    contents that are not positive.

    Parameters
    ----------
    estimates, targets : array_like, shape (n,)
    weights : array_like, shape (n,), optional
    extent : tuple of 2 floats, optional
        The range of the bins; by default from the smallest to the largest of all estimates and true values. TMVA
        takes that of all events for the truncated sample, too.

    Returns
    -------
    value, error : float
        0 where there is nothing to be learned: a range of no extent, or no contents. The uncertainty is
        sqrt((sum p_xy ln^2 - I^2) / n_eff), with n_eff = (sum w)^2 / sum w^2. A finite sample also shows more
        information than there is, on average by half the number of filled bins over n_eff, as long as that is small
        (L. Paninski, Neural Computation 15 (2003) 1191); the value is not corrected for it.

    Raises
    ------
    DataError
        For arrays that do not match, no events, or values that are not finite.
    """
    x, w = as_values_and_weights(estimates, weights, what="estimates")
    y, _ = as_values_and_weights(targets, None, what="targets")
    if len(x) != len(y) or len(x) == 0:
        raise DataError(f"there are {len(x)} estimates and {len(y)} targets; equal numbers, not 0, are needed")
    low, high = _extent(x, y) if extent is None else extent
    if not high > low:
        return 0.0, 0.0
    columns = (bin_numbers(x, 2 * ESTIMATE_BINS, low, high) - 1) // 2
    rows = (bin_numbers(y, 2 * TARGET_BINS, low, high) - 1) // 2
    inside = (columns >= 0) & (columns < ESTIMATE_BINS) & (rows >= 0) & (rows < TARGET_BINS)
    index, counted = (columns * TARGET_BINS + rows)[inside], w[inside]
    contents = np.bincount(index, counted, minlength=ESTIMATE_BINS * TARGET_BINS)
    total = float(counted.sum())
    if not total > 0.0:
        return 0.0, 0.0
    p = contents.reshape(ESTIMATE_BINS, TARGET_BINS) / total
    product = np.outer(p.sum(axis=1), p.sum(axis=0))
    filled = (p > 0.0) & (product > 0.0)
    logarithm = np.log(p[filled] / product[filled])
    value = max(float(np.dot(p[filled], logarithm)), 0.0)  # less than 0 is rounding, or negative weights
    spread = max(float(np.dot(p[filled], logarithm**2)) - value**2, 0.0)
    return value, (spread * float(np.dot(counted, counted))) ** 0.5 / total


def quadratic_deviations(title: str, sample: RegressionSample, target: int, *, which: str) -> list[Histogram1D]:
    """Return TMVA's distributions of the squared deviation of a target: of all events, and of the best nine tenths.

    They are called ``MVA_<title><which>_Quadr_Deviation_target_<i>_`` and
    ``MVA_<title><which>_Quadr_Dev_best90perc_target_<i>_``, and have 500 bins from 0 to a tenth more than the largest
    squared deviation that they show. Which events are the best nine tenths is read off the bins of the first.

    Parameters
    ----------
    title : str
        Title of the method.
    sample : RegressionSample
    target : int
    which : {"test", "train"}
    """
    estimates, targets = single_precision(sample.estimates[:, target]), single_precision(sample.targets[:, target])
    deviation = single_precision(estimates - targets)
    squares = single_precision(deviation * deviation)
    prefix = f"MVA_{title}{which}_Quadr"
    everything = _quadratic(ClassSample("all", squares, sample.weights), f"{prefix}_Deviation_target_{target}_")
    limit = _quantile(everything, BEST_FRACTION)
    best = squares <= limit
    chosen = ClassSample("best", squares[best], sample.weights[best])
    return [everything, _quadratic(chosen, f"{prefix}_Dev_best90perc_target_{target}_", limit)]


def average_deviation(w: float, w2: float, wx: float, wx2: float) -> tuple[float, float]:
    """Return the root of the mean of squared deviations, which TMVA's summary calls the average deviation, and its uncertainty.

    Parameters
    ----------
    w, w2, wx, wx2 : float
        Sums of weight, squared weight, and weight times the squared deviation and its square: what a histogram of
        squared deviations keeps. Not a number where the weights do not sum to more than zero.
    """
    if not w > 0.0:
        return math.nan, math.nan
    mean = max(wx / w, 0.0)
    spread = max(wx2 / w - mean * mean, 0.0)
    value = math.sqrt(mean)
    return value, math.sqrt(spread * max(w2, 0.0)) / w / (2.0 * value) if value > 0.0 else 0.0


def single_precision(values: FloatArray) -> FloatArray:
    """Return numbers as single precision keeps them; those that it cannot hold become its largest."""
    return np.clip(values, -LARGEST, LARGEST).astype(np.float32).astype(np.float64)


def _target(sample: RegressionSample, target: int) -> TargetDeviation:
    deviation = sample.deviation(target)
    estimates, targets = sample.estimates[:, target], sample.targets[:, target]
    extent = _extent(estimates, targets)
    full = _deviation(deviation, estimates, targets, extent)
    kept = np.abs(deviation.values - full.bias) <= TRUNCATION * full.rms
    inside = ClassSample(deviation.name, deviation.values[kept], deviation.weights[kept])
    return TargetDeviation(deviation.name, full, _deviation(inside, estimates[kept], targets[kept], extent))


def _extent(estimates: FloatArray, targets: FloatArray) -> tuple[float, float]:
    return min(float(estimates.min()), float(targets.min())), max(float(estimates.max()), float(targets.max()))


def _deviation(
    deviation: ClassSample, estimates: FloatArray, targets: FloatArray, extent: tuple[float, float]
) -> Deviation:
    """Return the numbers of events that may have been selected: with negative weights they may sum to nothing."""
    if not deviation.sum_of_weights > 0.0:
        return Deviation(*(float("nan"),) * 7)
    bias, rms, number = deviation.mean, deviation.rms, deviation.effective_number
    if number > 1.0:
        # The variance of a weighted mean, with the correction for a mean that is itself estimated.
        correction = number / (number - 1.0)
        centred = deviation.values - bias
        bias_error = _weighted_norm(centred, deviation) * correction**0.5
        rms_error = _weighted_norm(centred**2 - rms**2, deviation) * correction**0.5 / (2.0 * rms) if rms > 0.0 else 0.0
    else:
        bias_error = rms_error = float("nan")
    absolute = float(np.dot(deviation.weights, np.abs(deviation.values))) / deviation.sum_of_weights
    information = mutual_information(estimates, targets, deviation.weights, extent=extent)
    return Deviation(bias, bias_error, rms, rms_error, absolute, *information)


def _weighted_norm(values: FloatArray, sample: ClassSample) -> float:
    """Return sqrt(sum w^2 x^2) / sum w: the uncertainty of the weighted mean of x, where that is 0."""
    weighted = sample.weights * values
    return math.sqrt(float(np.dot(weighted, weighted))) / sample.sum_of_weights


def _quadratic(squares: ClassSample, name: str, largest: float | None = None) -> Histogram1D:
    if largest is None:
        largest = float(squares.values.max())
    high = float(single_precision(np.array(float(np.float32(largest)) * 1.1)))
    return fill(
        squares,
        QUADRATIC_BINS,
        0.0,
        high if high > 0.0 else 1.0,  # nothing deviates
        name=name,
        title=name,
        x_title="Quadratic Deviation",
        y_title="Weighted Entries",
        storage="F",
    )


def _quantile(histogram: Histogram1D, fraction: float) -> float:
    """Return the value below which lies a fraction of a histogram, its contents spread evenly within a bin."""
    # ROOT sees the contents as it stores them.
    contents = single_precision(histogram.contents)
    total = float(contents.sum())
    if not total > 0.0:
        return histogram.high
    cumulative = np.cumsum(contents) / total
    found = int(np.argmax(cumulative > fraction))
    before = float(cumulative[found - 1]) if found else 0.0
    return histogram.width * (found + (fraction - before) / (float(cumulative[found]) - before))

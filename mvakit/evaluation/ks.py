"""Two-sample Kolmogorov-Smirnov tests with weights: unbinned, and binned as ROOT's ``TH1::KolmogorovTest``."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from mvakit.errors import DataError
from mvakit.evaluation.histograms import Histogram1D
from mvakit.evaluation.results import KolmogorovSmirnov
from mvakit.evaluation.samples import ClassSample, as_values_and_weights, require_positive_sum

__all__ = ["kolmogorov_probability", "ks_binned", "ks_of", "ks_unbinned"]


def kolmogorov_probability(z: float) -> float:
    """Return the probability that the scaled Kolmogorov distance exceeds `z` (ROOT's ``TMath::KolmogorovProb``).

    The limiting distribution, Q(z) = 2 sum_k (-1)^(k-1) exp(-2 k^2 z^2), with Jacobi's transform of that series where
    z is small and it would converge slowly.
    """
    z = abs(z)
    if z < 0.2:  # 1 to better than 1e-12
        return 1.0
    if z < 1.0:
        exponent = -(math.pi**2) / (8.0 * z * z)
        terms = (math.exp((2 * k - 1) ** 2 * exponent) for k in range(1, 5))
        return 1.0 - math.sqrt(2.0 * math.pi) / z * sum(terms)
    alternating = ((1.0 if k % 2 else -1.0) * math.exp(-2.0 * k * k * z * z) for k in range(1, 7))
    return max(0.0, 2.0 * sum(alternating))


def ks_unbinned(
    first: ArrayLike,
    second: ArrayLike,
    first_weights: ArrayLike | None = None,
    second_weights: ArrayLike | None = None,
) -> KolmogorovSmirnov:
    """Compare two samples of values, without bins.

    The probability is that of `kolmogorov_probability` at z = D sqrt(n1 n2 / (n1 + n2)), with the effective numbers
    of events (sum w)^2 / sum w^2 for n1 and n2. It is exact in the limit of many events of a continuous variable;
    ties make it too large (the test is then conservative), and with negative weights it is approximate.

    Raises
    ------
    DataError
        For values that are not finite, an empty sample, or weights that do not sum to more than zero.
    """
    samples = [
        ClassSample(f"{which}-sample", *as_values_and_weights(values, weights, what=f"{which} sample"))
        for which, values, weights in (("first", first, first_weights), ("second", second, second_weights))
    ]
    for sample in samples:
        require_positive_sum(sample, what="values to compare")
    return ks_of(samples[0], samples[1])


def ks_of(first: ClassSample, second: ClassSample) -> KolmogorovSmirnov:
    """Compare two samples that have been checked already; see `ks_unbinned`."""
    values = np.concatenate([first.values, second.values])
    order = np.argsort(values)
    steps = np.concatenate([first.weights / first.sum_of_weights, -second.weights / second.sum_of_weights])[order]
    values = values[order]
    # Between equal values the cumulative distributions are not defined: look where a run of them ends.
    ends = np.append(values[1:] != values[:-1], True)
    distance = float(np.abs(np.cumsum(steps)[ends]).max())
    return _result(distance, first.effective_number, second.effective_number)


def ks_binned(first: Histogram1D, second: Histogram1D) -> KolmogorovSmirnov:
    """Compare two histograms, as ROOT's ``TH1::KolmogorovTest`` with default options.

    Under- and overflow are left out. Since the order of events within a bin is lost, the probability is too large,
    the more so the fewer the bins. A histogram without errors (all variances zero) counts as an exact function.

    Raises
    ------
    DataError
        For different binnings, an empty histogram, or two histograms without errors.
    """
    if (first.nbins, first.low, first.high) != (second.nbins, second.low, second.high):
        raise DataError(
            f"the histograms {first.name!r} ({first.nbins} bins in [{first.low}, {first.high}]) and {second.name!r} "
            f"({second.nbins} bins in [{second.low}, {second.high}]) have different bins"
        )
    cumulative, numbers = [], []
    for histogram in (first, second):
        total = float(histogram.contents.sum())
        if total == 0.0:
            raise DataError(f"the contents of histogram {histogram.name!r} sum to zero")
        # ROOT takes Poisson errors where none are kept.
        variances = np.abs(histogram.contents) if histogram.variances is None else histogram.variances
        variance = float(variances.sum())
        cumulative.append(np.cumsum(histogram.contents) / total)
        numbers.append(total * total / variance if variance > 0.0 else math.inf)
    if math.isinf(numbers[0]) and math.isinf(numbers[1]):
        raise DataError(f"neither {first.name!r} nor {second.name!r} has errors: nothing to compare with")
    distance = float(np.abs(cumulative[0] - cumulative[1]).max())
    return _result(distance, numbers[0], numbers[1])


def _result(distance: float, first_number: float, second_number: float) -> KolmogorovSmirnov:
    z = distance / math.sqrt(1.0 / first_number + 1.0 / second_number)
    return KolmogorovSmirnov(distance, kolmogorov_probability(z))

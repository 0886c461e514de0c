"""TMVA's weighted quantile, found without sorting all values: only those that share a narrow range with it are sorted."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.compiled import kernel

__all__ = ["medians", "weighted_quantile"]

Array = npt.NDArray[Any]

# So few values are sorted.
_FEW: Final = 1 << 10
_BINS: Final = 1 << 10
# Values far from all others may leave most of them in one bin, again and again; then they are sorted.
_MOST_TURNS: Final = 6
_NARROWEST: Final = 1e-300


@kernel
def _by_sorting(values: Array, weight: Array, limit: float, below: float, after: float) -> float:
    """Return the value after the one with which the weight exceeds `limit`.

    `below` is the weight of the values that are smaller than all of these, and `after` the least of those that are larger.
    """
    order = np.argsort(values, kind="mergesort")
    total = below
    for i in range(values.size):
        total += weight[order[i]]
        if total > limit and i + 1 < values.size:
            return float(values[order[i + 1]])
    return after if after < np.inf else float(values[order[-1]])


@kernel
def _narrow(
    values: Array, weight: Array, limit: float, below: float, after: float
) -> tuple[Array, Array, float, float]:
    """Return those of the values with which the weight exceeds `limit`, their weights, and what `_by_sorting` needs."""
    low, high = float(values[0]), float(values[0])
    for i in range(values.size):
        low, high = min(low, float(values[i])), max(high, float(values[i]))
    # A range too narrow for its inverse, or too wide for a number, is not divided.
    scale = (_BINS - 1) / (high - low) if high - low > _NARROWEST else 0.0
    number, sums, counts = np.empty(values.size, np.uint16), np.zeros(_BINS), np.zeros(_BINS, np.int64)
    for i in range(values.size):
        j = np.uint16((values[i] - low) * scale) if scale > 0.0 else np.uint16(0)
        number[i] = j
        sums[j] += weight[i]
        counts[j] += 1
    k, most = 0, int(number.max())
    while k < most and below + sums[k] <= limit:
        below += sums[k]
        k += 1
    kept, weights, n = np.empty(counts[k]), np.empty(counts[k]), 0
    for i in range(values.size):
        if number[i] == k:
            kept[n], weights[n] = values[i], weight[i]
            n += 1
        elif number[i] > k:
            after = min(after, values[i])
    return kept, weights, below, after


@kernel
def weighted_quantile(values: Array, weight: Array, share: float) -> float:
    """Return TMVA's quantile: the value after the one with which the given share of the weight is exceeded.

    Parameters
    ----------
    values, weight : ndarray of float64, shape (n,)
    share : float

    Returns
    -------
    float
        The largest value if there is none after it.
    """
    limit = share * weight.sum()
    # The sum of negative weights falls and rises: only in order it is known where it exceeds the limit first.
    if values.size <= _FEW or weight.min() < 0.0:
        return _by_sorting(values, weight, limit, 0.0, np.inf)
    some, weights, below, after = _narrow(values, weight, limit, 0.0, np.inf)
    for _ in range(_MOST_TURNS):
        if some.size <= _FEW:
            break
        some, weights, below, after = _narrow(some, weights, limit, below, after)
    return _by_sorting(some, weights, limit, below, after)


@kernel
def medians(residual: Array, weight: Array, first: Array, transition: float, begin: int, end: int, out: Array) -> None:
    """Write the weighted median of the residuals of each leaf, and for Huber's loss the mean of what exceeds it.

    Parameters
    ----------
    residual, weight : ndarray of float64
        Sorted by leaf.
    first : ndarray of int64, shape (n_leaves + 1,)
        Where each leaf begins; those that are empty get 0.
    transition : float
        What no difference from the median counts more than; 0 for the median alone.
    """
    for k in range(begin, end):
        x, w = residual[first[k] : first[k + 1]], weight[first[k] : first[k + 1]]
        if x.size == 0:
            out[k] = 0.0
            continue
        median = weighted_quantile(x, w, 0.5)
        shift = 0.0
        for i in range(x.size):
            shift += max(-transition, min(transition, x[i] - median))
        out[k] = median + shift / x.size

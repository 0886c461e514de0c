"""Weighted moments and linear correlations of the input variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mvakit.errors import DataError
from mvakit.evaluation.samples import FloatArray

__all__ = [
    "VariableStatistics",
    "correlation_matrix",
    "correlation_of",
    "correlation_percent",
    "covariance_matrix",
    "variable_statistics",
]


@dataclass(frozen=True, slots=True)
class VariableStatistics:
    """One row of TMVA's table of variables.

    Attributes
    ----------
    name : str
    mean, rms : float
        Weighted; the divisor is the sum of weights.
    minimum, maximum : float
        Over all events, whatever their weight.
    """

    name: str
    mean: float
    rms: float
    minimum: float
    maximum: float


def variable_statistics(
    names: Sequence[str], values: ArrayLike, weights: ArrayLike | None = None
) -> tuple[VariableStatistics, ...]:
    """Return mean, RMS and range of every variable.

    Parameters
    ----------
    names : sequence of str, length k
    values : array_like, shape (n, k)
        Events in rows.
    weights : array_like, shape (n,), optional

    Raises
    ------
    DataError
        For arrays that do not match, no events, values that are not finite, or weights that do not sum to more than
        zero.
    """
    x, w = _events(values, weights)
    if x.shape[1] != len(names):
        raise DataError(f"there are {len(names)} names for {x.shape[1]} variables")
    mean, covariance = _moments(x, w)
    rms = np.sqrt(np.abs(np.diag(covariance)))
    return tuple(
        VariableStatistics(str(name), float(m), float(r), float(low), float(high))
        for name, m, r, low, high in zip(names, mean, rms, x.min(axis=0), x.max(axis=0), strict=True)
    )


def covariance_matrix(values: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
    """Return the weighted covariance matrix, shape (k, k), of values of shape (n, k).

    The divisor is the sum of weights. See `variable_statistics` for what is raised.
    """
    return _moments(*_events(values, weights))[1]


def correlation_matrix(values: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
    """Return the weighted linear correlation coefficients, shape (k, k), of values of shape (n, k).

    A variable without variance has correlation 0 with every other, as in TMVA. See `variable_statistics` for what is
    raised.
    """
    return correlation_of(covariance_matrix(values, weights))


def correlation_of(covariance: FloatArray) -> FloatArray:
    """Return the correlation coefficients that belong to a covariance matrix; see `correlation_matrix`."""
    variances = np.diag(covariance)
    scale = np.zeros(len(variances))
    np.divide(1.0, np.sqrt(np.maximum(variances, 0.0)), out=scale, where=variances > 0.0)
    correlation: FloatArray = covariance * np.outer(scale, scale)
    np.fill_diagonal(correlation, 1.0)
    return correlation


def correlation_percent(correlation: FloatArray) -> FloatArray:
    """Return a correlation matrix in whole percent, as TMVA's result files hold it: cut off, not rounded."""
    percent: FloatArray = np.trunc(100.0 * np.asarray(correlation))
    return percent


def _events(values: ArrayLike, weights: ArrayLike | None) -> tuple[FloatArray, FloatArray]:
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 2 or len(x) == 0:
        raise DataError(
            f"the variables must be an array of events by variables with events in it, not of shape {x.shape}"
        )
    w = np.ones(len(x)) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != (len(x),):
        raise DataError(f"the weights have shape {w.shape}, but there are {len(x)} events")
    for what, array in (("variables", x), ("weights", w)):
        if not np.isfinite(array).all():
            entry = int(np.argmin(np.isfinite(array).reshape(len(array), -1).all(axis=1)))
            raise DataError(f"entry {entry} of the {what} is not finite")
    if not float(w.sum()) > 0.0:
        raise DataError(f"the weights of the {len(w)} events sum to {w.sum():.6g}; a positive sum is needed")
    return x, w


def _moments(x: FloatArray, w: FloatArray) -> tuple[FloatArray, FloatArray]:
    total = float(w.sum())
    mean: FloatArray = w @ x / total
    centred = x - mean
    covariance: FloatArray = (centred * w[:, np.newaxis]).T @ centred / total
    return mean, covariance

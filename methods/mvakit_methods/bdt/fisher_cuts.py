"""Cuts on a Fisher discriminant of correlated variables, made anew at every node (``UseFisherCuts``).

A node that is cut on a discriminant is treated as one that is cut on a variable of its own, which is 1 for the events
whose discriminant exceeds the cut and 0 for the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.grower import FloatArray32, Found, Level, Mask
from mvakit_methods.bdt.searches import ValueSearch
from mvakit_methods.bdt.splits import best_cuts_of_values
from mvakit_methods.bdt.team import Team

__all__ = ["FisherSearch", "fisher_coefficients", "fisher_values"]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]


def fisher_values(coefficients: FloatArray, columns: Array) -> FloatArray:
    """Return the discriminants of events.

    Parameters
    ----------
    coefficients : ndarray, shape (..., n_variables + 1)
        The offset is the last of them.
    columns : ndarray, shape (n_variables, n_events)

    Returns
    -------
    ndarray of float64, shape (..., n_events)
    """
    values = np.repeat(coefficients[..., -1:], columns.shape[1], axis=-1)
    for f, column in enumerate(columns):
        values += coefficients[..., f : f + 1] * column.astype(np.float64)
    return values


def _moments(columns: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    total = weight.sum()
    mean = columns @ weight / total
    return mean, (columns * weight) @ columns.T / total - np.outer(mean, mean)


def _correlated(covariance: FloatArray, least: float) -> Mask:
    """Whether each variable is correlated with another one by more than `least`."""
    variance = np.diag(covariance)
    product = np.outer(variance, variance)
    correlation = np.divide(covariance, np.sqrt(np.abs(product)), out=np.zeros_like(covariance), where=product > 0)
    np.fill_diagonal(correlation, 0.0)
    return np.asarray((np.abs(correlation) > least).any(axis=0))


def fisher_coefficients(
    columns: FloatArray, weight: FloatArray, background: Mask, allowed: Mask, least_correlation: float
) -> FloatArray | None:
    """Return the coefficients of the discriminant at a node, or None where there is none.

    The discriminant is that of the Fisher method, of the variables that are correlated with another one, in signal or in
    background, by more than `least_correlation`.

    Parameters
    ----------
    columns : ndarray of float64, shape (n_variables, n_events)
    weight : ndarray of float64, shape (n_events,)
    background : ndarray of bool, shape (n_events,)
    allowed : ndarray of bool, shape (n_variables,)
    """
    sums = weight[~background].sum(), weight[background].sum()
    if not min(sums) > 0:
        return None
    mean_s, covariance_s = _moments(columns[:, ~background], weight[~background])
    mean_b, covariance_b = _moments(columns[:, background], weight[background])
    use = np.flatnonzero(
        allowed & (_correlated(covariance_s, least_correlation) | _correlated(covariance_b, least_correlation))
    )
    if not len(use):
        return None
    within = (covariance_s + covariance_b)[np.ix_(use, use)]
    try:
        slope = np.linalg.inv(within) @ (mean_s - mean_b)[use] * np.sqrt(sums[0] * sums[1]) / (sums[0] + sums[1])
    except np.linalg.LinAlgError:
        return None
    coefficients = np.zeros(len(columns) + 1)
    coefficients[use] = slope
    coefficients[-1] = -0.5 * (slope @ (mean_s + mean_b)[use])
    return coefficients if np.isfinite(coefficients).all() else None


class FisherSearch(ValueSearch):
    """Looks for cuts on variables and, at each node, on a discriminant.

    Parameters
    ----------
    columns, integer, n_cuts
        As for `ValueSearch`.
    background : ndarray of bool, shape (n_events,)
    least_correlation : float
        MinLinCorrForFisher.
    exclusive : bool
        UseExclusiveVars: variables of the discriminant are not tried on their own.
    """

    def __init__(
        self,
        columns: FloatArray32,
        integer: Mask,
        n_cuts: int,
        background: Mask,
        *,
        least_correlation: float,
        exclusive: bool,
    ) -> None:
        super().__init__(columns, integer, n_cuts)
        self.background = background
        self.least_correlation = least_correlation
        self.exclusive = exclusive
        self._found: list[FloatArray | None] = []

    def best_cuts(self, level: Level, allowed: Mask, criterion: int, min_size: float, team: Team) -> Found:
        """Find the best cut of every variable and, last, of the discriminant at every node."""
        columns, (order, weight, product, group) = self.data[: self.n_variables], self.lists.arrays()
        if not len(weight):
            weight = self.class_weight[group] if len(group) else np.ones(self.lists.size)
        self._found = []
        gain, cut = np.full((len(level.nodes), 1), -1.0), np.zeros((len(level.nodes), 1), np.float32)
        allowed = allowed.copy()
        totals = level.totals * [*self.units, 1.0]
        for k, (lo, hi) in enumerate(self.ranges(level).tolist()):
            events = order[lo:hi] if len(order) else slice(lo, hi)
            x = columns[:, events].astype(np.float64)
            found = fisher_coefficients(x, weight[lo:hi], self.background[events], allowed[k], self.least_correlation)
            self._found.append(found)
            if found is None:
                continue
            if self.exclusive:
                allowed[k] &= found[:-1] == 0
            values = fisher_values(found, x)[None]
            best_cuts_of_values(
                values, np.array([[values.min(), values.max()]]), np.zeros(1, np.bool_), self.n_cuts,
                np.empty(0, np.uint32), weight[lo:hi], product[lo:hi], group[lo:hi], self.view.sums, self.units,
                self.class_weight, np.array([[0, hi - lo]]), totals[k : k + 1], np.ones((1, 1), np.bool_), criterion,
                min_size, 0, 1, gain[k : k + 1], cut[k : k + 1],
            )  # fmt: skip
        of_variables = super().best_cuts(level, allowed, criterion, min_size, team)
        cuts = np.concatenate([of_variables.cut, cut], axis=1)
        return Found(np.concatenate([of_variables.gain, gain], axis=1), cuts, cuts)

    def choose(self, node: int, variable: int, cut: float, threshold: float) -> tuple[int, float]:
        """Make a variable of the discriminant of a node, if it is what the node is cut on."""
        if variable < self.n_variables:
            return variable, threshold
        coefficients = self._found[node]
        assert coefficients is not None
        place = self.n_variables + len(self.discriminants)
        if place == len(self.data):
            self.data = np.concatenate([self.data, np.empty((place, self.data.shape[1]), np.float32)])
        self.data[place] = fisher_values(coefficients, self.data[: self.n_variables]) > np.float32(cut)
        self.discriminants.append(coefficients)
        return place, 0.5

r"""What a trained `RuleFit` consists of.

Its response is

.. math:: y = a_0 + \sum_r a_r r(x) + \sum_i b_i n_i \min(\delta^+_i, \max(\delta^-_i, x_i)),

where a rule is 1 if all its cuts hold, and 0 if not (J. Friedman and B. Popescu, Predictive learning via rule ensembles,
2005; TMVA Users Guide, arXiv:physics/0703039, section on RuleFit).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["BOTH", "LINEAR", "RULES", "Linear", "RuleFitState", "Rules"]

FloatArray = npt.NDArray[np.float64]

BOTH, RULES, LINEAR = 0, 1, 2  # TMVA's numbers of what the response is made of

_BLOCK: Final = 1 << 17  # cuts times events at a time


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """Rules as flat arrays; the cuts of rule `r` are those from ``first[r]`` to ``first[r + 1]``.

    Attributes
    ----------
    first : ndarray of int, shape (n_rules + 1,)
    variable : ndarray of int, shape (n_cuts,)
    low, high : ndarray of float64, shape (n_cuts,)
    has_low, has_high : ndarray of bool, shape (n_cuts,)
        A cut holds if ``low < x`` and ``x < high``, each where it has that side.
    values : ndarray of float64, shape (n_rules, 8)
        What a weight file says of each rule, in the order of `VALUES`.
    """

    first: npt.NDArray[np.int64]
    variable: npt.NDArray[np.int64]
    low: FloatArray
    high: FloatArray
    has_low: npt.NDArray[np.bool_]
    has_high: npt.NDArray[np.bool_]
    values: FloatArray

    VALUES = ("Importance", "Ref", "Coeff", "Support", "Sigma", "Norm", "SSB", "SSBNeve")

    def __len__(self) -> int:
        return len(self.values)

    def respond(self, X: npt.NDArray[np.float32]) -> FloatArray:
        """Return the sum of the coefficients of the rules that hold, shape (n_events,)."""
        if not len(self):
            return np.zeros(len(X))
        coefficient = self.values[:, self.VALUES.index("Coeff")]
        total = np.empty(len(X))
        step = max(_BLOCK // len(self.low), 1)
        for begin in range(0, len(X), step):
            x = X[begin : begin + step, self.variable]
            held = ((self.low < x) | ~self.has_low) & ((x < self.high) | ~self.has_high)
            rules = np.logical_and.reduceat(held, self.first[:-1], axis=1)
            total[begin : begin + step] = np.where(rules, coefficient, 0.0).sum(axis=1)
        return total


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """Linear terms, one for each variable.

    Attributes
    ----------
    used : ndarray of bool, shape (n_terms,)
    values : ndarray of float64, shape (n_terms, 5)
        What a weight file says of each, in the order of `VALUES`.
    """

    used: npt.NDArray[np.bool_]
    values: FloatArray

    VALUES = ("Coeff", "Norm", "DM", "DP", "Importance")

    def respond(self, X: npt.NDArray[np.float32]) -> FloatArray:
        """Return the sum of the terms, shape (n_events,)."""
        total = np.zeros(len(X))
        for i in np.flatnonzero(self.used).tolist():
            coefficient, norm, low, high, _ = self.values[i].tolist()
            total += coefficient * np.minimum(high, np.maximum(low, X[:, i].astype(np.float64))) * norm
        return total


@dataclass(frozen=True, slots=True, eq=False)
class RuleFitState:
    """A trained ensemble of rules and linear terms.

    Attributes
    ----------
    rules : Rules
    linear : Linear
    model : int
        `BOTH`, `RULES` or `LINEAR`: what the response is made of.
    offset, importance_cut, linear_quantile, average_support, average_sigma : float
    """

    rules: Rules
    linear: Linear
    model: int
    offset: float
    importance_cut: float
    linear_quantile: float
    average_support: float
    average_sigma: float

    def respond(self, X: npt.NDArray[np.float32]) -> FloatArray:
        """Return the response, shape (n_events,)."""
        response = np.full(len(X), self.offset)
        if self.model != LINEAR:
            response += self.rules.respond(X)
        if self.model != RULES:
            response += self.linear.respond(X)
        return response

    def importance(self, n_variables: int) -> FloatArray:
        """Return the importance of each variable, the largest being 1: that of its linear term and of its rules.

        The importance of a rule is shared by its variables.
        """
        total = np.zeros(n_variables)
        if self.model != RULES:
            of_terms = self.linear.values[:, Linear.VALUES.index("Importance")]
            total[: len(of_terms)] += np.where(self.linear.used, of_terms, 0.0)
        if self.model != LINEAR:
            of_rules = self.rules.values[:, Rules.VALUES.index("Importance")]
            for begin, end, importance in zip(self.rules.first[:-1], self.rules.first[1:], of_rules, strict=True):
                total[self.rules.variable[begin:end]] += importance / (end - begin)
        largest = float(total.max(initial=0.0))
        return total / largest if largest > 0 else total

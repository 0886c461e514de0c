r"""The quasi-Newton method of Broyden, Fletcher, Goldfarb and Shanno, with the line search and the regulators of TMVA.

A regulator is the width of a Gaussian that holds the weights from one neuron of the first layer, or from all those of
a hidden layer, near zero; it adds :math:`\frac{1}{2} \sum_i r_i w_i^2` to the error. Every now and then all of them are
set to what the weights themselves make most probable (J. Zhong, R.-S. Huang, S.-C. Lee, Comput. Phys. Commun. 182 (2011)
2655), and follow from the matrix of second derivatives.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from mvakit_methods.mlp.objective import Events, Objective

__all__ = ["QuasiNewton", "inverse_hessian"]

FloatArray = npt.NDArray[np.float64]

_FIRST_STEP: Final = 0.01
_LARGEST_FIRST_STEP: Final = 2.0
_LARGEST_STEP: Final = 10_000.0
_TRIES: Final = 100
_PATIENCE: Final = 5  # steps between two changes of the regulators
_SMALL: Final = 1e-6  # keeps a matrix from being singular


class QuasiNewton:
    """The state of a training from step to step.

    Parameters
    ----------
    objective : Objective
    weights : ndarray
        Where to start; they are changed in place.
    tau : float
        By what a line search lengthens and shortens its steps.
    reset_step : int
        Steps after which the history is forgotten, in the first half of the training.
    regulated : bool
    update_limit : int
        How often regulators are set at most.
    """

    def __init__(
        self,
        objective: Objective,
        weights: FloatArray,
        *,
        tau: float,
        reset_step: int,
        regulated: bool = False,
        update_limit: int = 0,
    ) -> None:
        self.objective = objective
        self.weights = weights
        self.tau = tau
        self.reset_step = reset_step
        self.regulated = regulated
        self.update_limit = update_limit
        self.groups = regulator_groups(objective.layout)
        self.regulators = np.zeros(int(self.groups.max()) + 1)
        self.updates = 0
        self._inverse = np.eye(weights.size)
        self._gradient = np.zeros_like(weights)
        self._moved = np.zeros_like(weights)
        self._alpha = 0.0
        self._calm = 0
        self._gained = 0.0

    def step(self, events: Events, cycle: int, cycles: int) -> bool:
        """Make one step; return False where no direction leads down any more."""
        self._calm += 1
        before = self._gradient
        self._gradient = self._slope(events)
        changed = self._gradient - before
        forget = cycle % self.reset_step == 0 and cycle < 0.5 * cycles
        if forget or not self._learn(changed, self._moved):
            direction = self._forget()
        else:
            direction = -self._inverse @ self._gradient
        if direction @ self._gradient > 0:
            direction = self._forget()
        gain = self._search(events, direction)
        if gain is None:
            gain = self._search(events, self._forget())
        if gain is None:
            return False
        self._gained += gain
        if (
            self.regulated
            and self.updates < self.update_limit
            and self._calm >= _PATIENCE
            and abs(gain) < 0.1 * self._gained
        ):
            self.update_regulators(events)
            self._inverse = np.eye(self.weights.size)
            self._calm = 0
            self.updates += 1
            self._gained = 0.0
        return True

    def _error(self, events: Events, weights: FloatArray) -> float:
        prior = 0.5 * float(self.regulators[self.groups] @ np.square(weights)) if self.regulated else 0.0
        return self.objective.error(events, weights) + prior

    def _slope(self, events: Events) -> FloatArray:
        slope = self.objective.gradient(events, self.weights)
        if self.regulated:
            slope += self.regulators[self.groups] * self.weights
        return slope / max(len(events), 1)

    def _forget(self) -> FloatArray:
        """Return the steepest direction, and take the matrix back to the beginning."""
        self._inverse = np.eye(self.weights.size)
        self._calm = 0
        return -self._gradient

    def _learn(self, changed: FloatArray, moved: FloatArray) -> bool:
        """Bring the inverse matrix up to date; return False where the last step says nothing about it."""
        along = float(changed @ moved)
        if along == 0.0:
            return False
        turned = self._inverse @ changed
        factor = 1.0 + float(changed @ turned) / along
        mixed = np.outer(moved, turned)
        self._inverse += (factor * np.outer(moved, moved) - mixed - mixed.T) / along
        return True

    def _search(self, events: Events, direction: FloatArray) -> float | None:
        """Move along a direction to about its minimum; return the relative gain, or None where there is none."""
        origin = self.weights.copy()

        def error_at(alpha: float) -> float:
            self.weights[:] = origin + alpha * direction
            return self._error(events, self.weights)

        first = start = self._error(events, origin)
        low, middle = 0.0, min(max(self._alpha, _FIRST_STEP), _LARGEST_FIRST_STEP)
        begun = high = middle
        second = third = error_at(middle)
        found = False
        if first > second:
            for _ in range(_TRIES):
                high *= self.tau
                third = error_at(high)
                if third > second:
                    found = True
                    break
                low, first, middle, second = middle, second, high, third
        else:
            for attempt in range(_TRIES):
                # Half of the attempts go the other way.
                middle = -begun if attempt == _TRIES // 2 else middle / self.tau
                second = error_at(middle)
                if first > second:
                    found = True
                    break
                high, third = middle, second
            if not found:
                self._alpha = 0.05
        if not found:
            self.weights[:] = origin
            return None
        self._alpha = middle
        if low > 0 and middle > 0 and high > 0:
            bend = (third - second) / (high - middle) - (second - first) / (middle - low)
            if bend:
                self._alpha = 0.5 * (low + high - (third - first) / bend)
        self._alpha = min(self._alpha, _LARGEST_STEP)
        final = error_at(self._alpha)
        self._moved = self.weights - origin
        return (start - final) / final if final else 0.0

    def update_regulators(self, events: Events) -> None:
        """Set the regulators to what the weights make most probable."""
        matrix = self.objective.normal_matrix(events, self.weights)
        matrix[np.diag_indices_from(matrix)] += self.regulators[self.groups]
        spread = np.diag(_inverted(matrix))
        count = len(self.regulators)
        numbers = np.bincount(self.groups, minlength=count)
        traces = np.bincount(self.groups, spread, minlength=count)
        squares = np.bincount(self.groups, np.square(self.weights), minlength=count)
        variance = 1.0
        if self.objective.estimator == "MSE":
            known = float((1.0 - self.regulators[self.groups] * spread).sum())
            variance = self.objective.mean_estimator(events, self.weights)
            if len(events) > known:
                variance /= 1.0 - known / len(events)
        self.regulators = np.maximum(variance * numbers / (squares + variance * traces), 0.0)


def regulator_groups(layout: tuple[int, ...]) -> npt.NDArray[np.intp]:
    """Return the regulator of each weight: one for each neuron of the first layer, bias included, then one for a layer."""
    first, second = layout[0] + 1, layout[1]
    hidden = [
        np.full((layout[index] + 1) * layout[index + 1], first - 1 + index) for index in range(1, len(layout) - 1)
    ]
    return np.concatenate([np.repeat(np.arange(first), second), *hidden])


def inverse_hessian(objective: Objective, events: Events, weights: FloatArray) -> FloatArray:
    """Return the inverse of the matrix of second derivatives, from which errors of responses follow."""
    matrix = objective.normal_matrix(events, weights)
    matrix[np.diag_indices_from(matrix)] += _SMALL
    return _inverted(matrix)


def _inverted(matrix: FloatArray) -> FloatArray:
    try:
        return np.asarray(np.linalg.inv(matrix), dtype=np.float64)
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.pinv(matrix, hermitian=True), dtype=np.float64)

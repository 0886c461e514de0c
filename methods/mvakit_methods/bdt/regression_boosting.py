"""Boosting of regression trees: AdaBoost.R2, bagging, and gradient boosting with three losses."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.boosting import LEAST_BOOST, LEAST_ERROR, Boost, Verdict, kind_of_sums
from mvakit_methods.bdt.compiled import kernel
from mvakit_methods.bdt.criteria import REGRESSION_VARIANCE
from mvakit_methods.bdt.events import TrainingEvents
from mvakit_methods.bdt.grower import View
from mvakit_methods.bdt.options import BDTOptions
from mvakit_methods.bdt.quantiles import medians, weighted_quantile
from mvakit_methods.bdt.shaping import Shape
from mvakit_methods.bdt.splits import WEIGHTED
from mvakit_methods.bdt.team import Team

__all__ = ["AdaptiveRegressionBoost", "GradientRegressionBoost"]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]

_MOST_BOOST: Final = 1e30
# Of the histogram of the factors by which weights of events are boosted, from 0 to 1.
FACTOR_BINS: Final = 100


@kernel
def _count_factors(factor: Array, count: Array, found: Array) -> None:
    """Fill factors from 0 to 1 into a histogram that has underflow and overflow, once for each time in the sample."""
    for e in range(factor.size):
        found[1 + min(int(factor[e] * FACTOR_BINS), FACTOR_BINS)] += count[e] if count.size else 1


def _power_of_two(target: npt.NDArray[np.float32]) -> float:
    """Return a unit in which no target exceeds 1, and that takes no digits from any."""
    largest = float(np.abs(target).max())
    return 2.0 ** math.ceil(math.log2(largest)) if largest > 0 else 1.0


def _readable(boost: FloatArray) -> FloatArray:
    """Return boost weights as TMVA reads them, none smaller than its least one; and none that products overflow with."""
    return np.clip(boost, LEAST_BOOST, _MOST_BOOST)


class AdaptiveRegressionBoost(Boost):
    """AdaBoost.R2 (Drucker, ICML 1997): events whose target a tree misses weigh more in the next one; and bagging.

    With D the largest deviation, the loss of a deviation d is ``d / D``, its square, or ``1 - exp(-d / D)``; with E its mean
    and ``b = E / (1 - E)`` the weight of the tree is ``-ln b``, and those of events change by ``b**(1 - d / D)``. Weights are
    then scaled to keep their sum. Negative weights change by the inverse factor. Bagging changes no weights.
    """

    def __init__(self, events: TrainingEvents, options: BDTOptions) -> None:
        self.options = options
        self.criterion = REGRESSION_VARIANCE
        self.original, self.target = events.weight, events.target
        self.boost = np.ones(len(events.weight))
        self.factors = np.zeros(FACTOR_BINS + 2, np.int64)
        self.group = np.zeros(len(events.weight), np.uint8)
        self.invert = options.negative_weights == "InverseBoostNegWeights" and bool((events.weight < 0).any())
        # Targets far from zero are shifted: the difference of float32 numbers within a factor of two is exact.
        low, high = np.float32(self.target.min()), np.float32(self.target.max())
        self.centre = float(low + high) / 2 if low * high > 0 and max(low / high, high / low) < 2 else 0.0
        centred = self.target - np.float32(self.centre)
        self.scale = _power_of_two(centred)
        self._look(centred / np.float32(self.scale))

    def _look(self, scaled: npt.NDArray[np.float32]) -> None:
        """Let the next tree see the weights."""
        weight = self.original * self.boost
        self.view = View(weight, np.ones(2), self.group, scaled, WEIGHTED, float(np.abs(weight).max()))

    def learn(
        self,
        shape: Shape,
        leaf: npt.NDArray[Any],
        count: npt.NDArray[np.uint8],
        team: Team,  # noqa: ARG002
    ) -> Verdict:
        """Weigh a tree by its deviations, and change the weights of events by theirs."""
        shape.move_targets(self.centre, self.scale)
        response = shape.means().astype(np.float32).astype(np.float64)
        if self.options.boost_type == "Bagging":
            return Verdict(1.0, response=response)
        deviation = np.abs(response[leaf] - self.target)
        inside = count > 0 if len(count) else np.ones(len(leaf), np.bool_)
        largest = float(deviation[inside].max())
        if not largest > 0:
            return Verdict(math.log((1 - LEAST_ERROR) / LEAST_ERROR), 0.0, go_on=False, response=response)
        deviation /= largest
        weight = self.view.original * (count if len(count) else 1)
        total = float(weight.sum())
        loss = self.options.ada_boost_r2_loss
        values = deviation if loss == "Linear" else deviation**2 if loss == "Quadratic" else -np.expm1(-deviation)
        # Negative weights may make it negative.
        error = max(abs(float(weight @ values) / total), LEAST_ERROR) if total > 0 else 1.0
        if error >= 0.5:
            return Verdict(0.0, error, go_on=False, response=response)
        ratio = error / (1 - error)
        factor = ratio ** np.where(inside, 1 - deviation, 0.0)
        _count_factors(factor, count, self.factors)
        self._reweight(factor, count if len(count) else inside.astype(np.uint8), total)
        return Verdict(-math.log(ratio), error, response=response)

    def _reweight(self, factor: FloatArray, count: npt.NDArray[np.uint8], total: float) -> None:
        """Multiply the boost weights of the events of a sample, and keep the sum of its weights.

        An event that is in it several times changes once. (TMVA changes and scales it each time, so that weights of bagged
        events grow beyond all bounds.)
        """
        if self.invert:
            factor = np.where(self.original < 0, 1 / factor, factor)
        inside = count > 0
        # TMVA keeps the product as a float32.
        changed = (_readable(self.boost) * factor).astype(np.float32)
        self.boost = np.where(inside, changed, self.boost)
        new = float((self.original * self.boost) @ count)
        if new > 0:
            self.boost = np.where(inside, _readable(self.boost) * (total / new), self.boost)
        self._look(self.view.target)


class Loss(ABC):
    """The loss of a gradient-boosted regression: where it starts, what the next tree sees, and what a leaf says."""

    @abstractmethod
    def start(self, target: FloatArray, weight: FloatArray) -> float:
        """Return the best constant."""

    @abstractmethod
    def targets(self, residual: FloatArray, sample: npt.NDArray[Any], weight: FloatArray) -> FloatArray:
        """Return what the next tree is grown on; `sample` lists the events of its sample, each as often as it is in it."""

    @abstractmethod
    def leaves(self, residual: FloatArray, weight: FloatArray, first: npt.NDArray[np.int64], team: Team) -> FloatArray:
        """Return what each leaf says, from the residuals of its events; see `mvakit_methods.bdt.quantiles.medians` for the arguments."""


def _all_medians(
    residual: FloatArray, weight: FloatArray, first: npt.NDArray[np.int64], transition: float, team: Team
) -> FloatArray:
    out = np.empty(len(first) - 1)
    team.run(
        lambda begin, end: medians(residual, weight, first, transition, begin, end, out),
        len(out),
        20.0 * len(residual),
    )
    return out


class HuberLoss(Loss):
    """Squares up to the residual that a share of the weight stays below, and absolute deviations from there on."""

    def __init__(self, share: float) -> None:
        self.share = share
        self.transition = 0.0

    def start(self, target: FloatArray, weight: FloatArray) -> float:
        """Return the median."""
        return weighted_quantile(target, weight, 0.5)

    def targets(self, residual: FloatArray, sample: npt.NDArray[Any], weight: FloatArray) -> FloatArray:
        """Return the residuals, cut off where the squares end."""
        size = np.abs(residual[sample])
        self.transition = weighted_quantile(size, weight[sample], self.share)
        if self.transition == 0 and size.any():
            self.transition = float(size[size > 0].min())
        return np.clip(residual, -self.transition, self.transition)

    def leaves(self, residual: FloatArray, weight: FloatArray, first: npt.NDArray[np.int64], team: Team) -> FloatArray:
        """Return the median and the mean difference from it, cut off likewise; without weights, as in TMVA."""
        return _all_medians(residual, weight, first, self.transition, team)


class AbsoluteLoss(Loss):
    """Absolute deviations."""

    def start(self, target: FloatArray, weight: FloatArray) -> float:
        """Return the median."""
        return weighted_quantile(target, weight, 0.5)

    def targets(
        self,
        residual: FloatArray,
        sample: npt.NDArray[Any],  # noqa: ARG002
        weight: FloatArray,  # noqa: ARG002
    ) -> FloatArray:
        """Return the signs of the residuals."""
        return np.where(residual < 0, -1.0, 1.0)

    def leaves(self, residual: FloatArray, weight: FloatArray, first: npt.NDArray[np.int64], team: Team) -> FloatArray:
        """Return the median."""
        return _all_medians(residual, weight, first, 0.0, team)


class SquaredLoss(Loss):
    """Squares."""

    def start(self, target: FloatArray, weight: FloatArray) -> float:
        """Return the mean."""
        return float(np.average(target, weights=weight))

    def targets(
        self,
        residual: FloatArray,
        sample: npt.NDArray[Any],  # noqa: ARG002
        weight: FloatArray,  # noqa: ARG002
    ) -> FloatArray:
        """Return the residuals."""
        return residual

    def leaves(
        self,
        residual: FloatArray,
        weight: FloatArray,
        first: npt.NDArray[np.int64],
        team: Team,  # noqa: ARG002
    ) -> FloatArray:
        """Return the mean."""
        some = np.flatnonzero(np.diff(first))
        out = np.zeros(len(first) - 1)
        sums = [np.add.reduceat(values, first[some]) for values in (weight * residual, weight)]
        # Negative weights may add up to nothing.
        out[some] = np.divide(sums[0], sums[1], out=np.zeros(len(some)), where=sums[1] > 0)
        return out


def _loss(options: BDTOptions) -> Loss:
    if options.regression_loss == "Huber":
        return HuberLoss(options.huber_quantile)
    return AbsoluteLoss() if options.regression_loss == "AbsoluteDeviation" else SquaredLoss()


class GradientRegressionBoost(Boost):
    """Grad for regression: the next tree sees the gradient of the loss (Friedman, Ann. Stat. 29 (2001) 1189).

    A leaf adds the shrunk best constant for the residuals of its events. The weight of the first tree is where the
    residuals start from.

    Where trees are bagged the gradient is renewed for the events of the last sample only, and others keep what they had, at
    first the target itself, as in TMVA. What leaves say is always fitted to the residuals as they are.
    """

    def __init__(self, events: TrainingEvents, options: BDTOptions) -> None:
        self.criterion = REGRESSION_VARIANCE
        self.shrinkage = options.shrinkage
        self.loss = _loss(options)
        self.weight, self.group = events.weight, np.zeros(len(events.weight), np.uint8)
        target = events.target.astype(np.float64)
        inside = slice(None) if not len(events.held_out) else ~events.held_out
        self.start: float | None = float(np.float32(self.loss.start(target[inside], self.weight[inside])))
        self.residual = target - self.start
        self.target = events.target.copy()
        self.last: npt.NDArray[np.uint8] | None = None
        extremes = np.array([[self.weight.min(), self.weight.max()]] * 2)
        self.bound, self.sums = float(np.abs(extremes).max()), kind_of_sums(extremes)
        self.scale = 1.0

    def look(self, count: npt.NDArray[np.uint8]) -> None:
        """Let the next tree see the gradient; the first one sees it for its own sample, the others for that before."""
        last = count if self.last is None else self.last
        sample = np.repeat(np.arange(len(last)), last) if len(last) else np.arange(len(self.residual))
        gradient = self.loss.targets(self.residual, sample, self.weight)
        self.target[sample] = gradient[sample]
        # The array of the sample is used again.
        self.last = count.copy()
        self.scale = _power_of_two(self.target)
        scaled = self.target / np.float32(self.scale)
        self.view = View(self.weight, np.ones(2), self.group, scaled, self.sums, self.bound)

    def learn(self, shape: Shape, leaf: npt.NDArray[Any], count: npt.NDArray[np.uint8], team: Team) -> Verdict:
        """Find what each leaf adds, and the new residuals."""
        shape.move_targets(0.0, self.scale)
        order = np.argsort(leaf, kind="stable")
        if len(count):
            order = np.repeat(order, count[order])
        first = np.searchsorted(leaf[order], np.arange(len(shape.sums) + 1))
        fit = self.loss.leaves(self.residual[order], self.weight[order], first, team)
        response = (self.shrinkage * fit).astype(np.float32).astype(np.float64)
        self.residual -= response[leaf]
        boost_weight, self.start = (1.0 if self.start is None else self.start), None
        return Verdict(boost_weight, response=response)

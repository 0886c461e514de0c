"""Boosting: which weights or residuals the next tree sees, and how much each tree says.

Both ways follow TMVA step by step, what it keeps as float32 included, so that
from the same events the same trees grow.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.compiled import kernel
from mvakit_methods.bdt.criteria import CRITERIA, REGRESSION_VARIANCE
from mvakit_methods.bdt.events import TrainingEvents
from mvakit_methods.bdt.grower import Positions
from mvakit_methods.bdt.options import BDTOptions
from mvakit_methods.bdt.partition import CHUNK
from mvakit_methods.bdt.shaping import Shape
from mvakit_methods.bdt.splits import BY_CLASS, EQUAL_WEIGHTS, WEIGHTED
from mvakit_methods.bdt.team import Team

__all__ = ["AdaptiveBoost", "Boost", "GradientBoost", "Verdict"]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]

_BLOCK: Final = 1 << 14
_LEAST_BOOST: Final = 1e-4  # TMVA reads no smaller boost weight
_LEAST_DENOMINATOR: Final = 1e-30
# A tree without error would weigh infinitely much; it weighs as one with this error, and boosting ends.
_LEAST_ERROR: Final = 1e-12


@kernel
def _reweight(
    leaf: Array, group: Array, factor: Array, invert: bool, count: Array, original: Array, begin: int, end: int,
    boost: Array, sums: Array,
) -> None:  # fmt: skip
    """Multiply boost weights by the factor of leaf and class, once for each time that an event is in the sample."""
    for c in range(begin, end):
        total = 0.0
        for e in range(c * CHUNK, min((c + 1) * CHUNK, leaf.size)):
            f = factor[leaf[e], group[e]]
            for _ in range(count[e]):
                if f != 0.0:
                    if invert and original[e] * boost[e] <= 0.0:
                        boost[e] /= f
                    else:
                        boost[e] = max(_LEAST_BOOST, boost[e]) * f
                total += original[e] * boost[e]
        sums[c] = total


@kernel
def _rescale(
    group: Array, count: Array, scale: Array, original: Array, begin: int, end: int, boost: Array, weight: Array
) -> None:
    """Scale the boost weights of a sample and write the weights of the next tree."""
    for e in range(begin, end):
        for _ in range(count[e]):
            boost[e] *= scale[group[e]]
        weight[e] = original[e] * boost[e]


@kernel
def _add_answers(leaf: Array, response: Array, begin: int, end: int, score: Array, exponent: Array) -> None:
    """Add the answer of a tree to the scores F, and write ``-2 F``."""
    for e in range(begin, end):
        score[e] += response[leaf[e]]
        exponent[e - begin] = -2.0 * score[e]


@kernel
def _next_residuals(
    group: Array, weight: Array, exponential: Array, begin: int, end: int, target: Array, product: Array
) -> None:
    """Write the residuals of the next tree, of which TMVA keeps float32 numbers."""
    for e in range(begin, end):
        target[e] = (0.0 if group[e] else 1.0) - 1.0 / (1.0 + exponential[e - begin])
        product[e] = weight[e] * float(target[e])


@dataclass(frozen=True, slots=True)
class Verdict:
    """What boosting makes of a tree.

    Attributes
    ----------
    boost_weight : float
    error : float
        Not-a-number where it means nothing.
    go_on : bool
        False if no further tree is worth growing.
    response : ndarray of float64, shape (n_nodes,), or None
        What each leaf of a tree of Grad adds.
    """

    boost_weight: float
    error: float = math.nan
    go_on: bool = True
    response: FloatArray | None = None


class Boost(ABC):
    """What trees are grown on; every tree changes it.

    Attributes
    ----------
    criterion : int
    group : ndarray of uint8, shape (n_events,)
        0 for signal, 1 for background.
    weight : ndarray of float64, shape (n_events,)
        With the boost weights.
    target : ndarray of float32, shape (n_events,) or (0,)
        Residuals.
    product : ndarray of float64, shape (n_events,) or (0,)
        Weight times residual.
    sums : int
        How histograms are filled; see `mvakit_methods.bdt.splits`.
    bound : float
        What no absolute value of a product exceeds; 0 where there is no product.
    """

    criterion: int
    weight: FloatArray
    target: npt.NDArray[np.float32]
    product: FloatArray
    sums: int
    bound: float = 0.0

    def __init__(self, events: TrainingEvents) -> None:
        self.group = (~events.signal).astype(np.uint8)
        self.everything = np.arange(len(self.group), dtype=np.uint32)

    def positions(self, count: npt.NDArray[np.uint8] | None) -> Positions:
        """Return the events of the next tree: all of them, or each as often as `count` says."""
        weight = self.weight if self.sums != EQUAL_WEIGHTS else np.empty(0)
        group = self.group if self.sums == BY_CLASS else np.empty(0, np.uint8)
        units = np.array([1.0 if self.sums != EQUAL_WEIGHTS else self.weight[0], 1.0])
        if count is None:
            return Positions(self.everything, weight, self.product, group, self.sums, units, True, self.bound)
        order = np.repeat(self.everything, count)
        weight = weight[order] if weight.size else weight
        product = self.product[order] if self.product.size else self.product
        group = group[order] if group.size else group
        return Positions(order, weight, product, group, self.sums, units, False, self.bound)

    @abstractmethod
    def learn(self, shape: Shape, leaf: npt.NDArray[np.uint32], count: npt.NDArray[np.uint8], team: Team) -> Verdict:
        """Judge a tree, of which the event `e` has reached the node ``leaf[e]``, and prepare the next one."""


class AdaptiveBoost(Boost):
    """AdaBoost, RealAdaBoost, AdaCost and Bagging: the next tree sees other weights.

    With ``f`` the share of weight on the wrong side, the weights of these events grow by the factor
    ``((1 - f) / f)**beta``, whose logarithm is the weight of the tree; where leaves say a purity p, ``f`` is the mean of
    ``y (2 p - 1)``, y being 1 or -1, the weight of the tree is ``beta ln((1 + f) / (1 - f))``, and those of events change
    by ``exp(-weight y (2 p - 1))``. AdaCost multiplies each ``y (2 p - 1)`` by its cost. All weights are then scaled to
    add up to the number of events.
    """

    def __init__(self, events: TrainingEvents, options: BDTOptions) -> None:
        super().__init__(events)
        self.options = options
        self.criterion = CRITERIA[options.separation_type]
        self.original = events.weight
        self.boost = events.boost.copy()
        self.weight = self.original * self.boost
        self.target, self.product, self.sums = np.empty(0, np.float32), np.empty(0), BY_CLASS
        self.invert = options.negative_weights == "InverseBoostNegWeights"

    def learn(self, shape: Shape, leaf: npt.NDArray[np.uint32], count: npt.NDArray[np.uint8], team: Team) -> Verdict:
        """Weigh a tree by its error, and change the weights of the events on the wrong side."""
        options = self.options
        if options.boost_type == "Bagging":
            return Verdict(1.0)
        leaves = shape.leaves()
        s, b = shape.sums[leaves, 0], shape.sums[leaves, 1]
        total = float(shape.sums[0, 0] + shape.sums[0, 1])
        if not total > 0:  # negative weights outweigh the others
            return Verdict(0.0, 1.0, go_on=False)
        beta = options.ada_boost_beta
        factor = np.zeros((len(shape.sums), 2))
        if options.yes_no:
            says_signal = shape.kind[leaves] > 0
            error = float(np.sum(np.where(says_signal, b, s))) / total
            # Negative weights may make it negative.
            error = max(abs(error), _LEAST_ERROR)
            if error >= 0.5:
                return Verdict(0.0, error, go_on=False)
            boost_weight = beta * math.log((1 - error) / error)
            factor[leaves, 0] = np.where(says_signal, 0.0, math.exp(boost_weight))
            factor[leaves, 1] = np.where(says_signal, math.exp(boost_weight), 0.0)
            go_on = error > _LEAST_ERROR
        else:
            says = 2 * (shape.purity[leaves].astype(np.float64) - 0.5)
            if options.boost_type == "AdaCost":
                for_signal = says * np.where(says > 0, options.cost_ss, options.cost_sb)
                for_background = -says * np.where(says > 0, options.cost_bs, options.cost_bb)
            else:
                for_signal, for_background = says, -says
            error = float(np.sum(s * for_signal + b * for_background)) / total
            error = min(abs(error), 1 - _LEAST_ERROR)
            boost_weight = beta * math.log((1 + error) / (1 - error))
            if boost_weight <= 0:
                return Verdict(0.0, error, go_on=False)
            factor[leaves, 0] = np.exp(-boost_weight * for_signal)
            factor[leaves, 1] = np.exp(-boost_weight * for_background)
            go_on = error < 1 - _LEAST_ERROR
        go_on = self._reweight(shape.spread(factor), leaf, count, team) and go_on
        return Verdict(boost_weight, error, go_on)

    def _reweight(
        self, factor: FloatArray, leaf: npt.NDArray[np.uint32], count: npt.NDArray[np.uint8], team: Team
    ) -> bool:
        """Write the weights of the next tree; return False if their sum is not positive."""
        n = len(leaf)
        sums = np.empty(-(-n // CHUNK))
        team.run(
            lambda begin, end: _reweight(
                leaf, self.group, factor, self.invert, count, self.original, begin, end, self.boost, sums
            ),
            len(sums),
            4.0 * n,
        )
        total = float(np.add.accumulate(sums)[-1])
        if not total > 0:
            return False
        scale = float(count.sum(dtype=np.int64)) / total
        # TMVA weighs signal down by SigToBkgFraction again after each tree.
        scales = np.array([scale * self.options.signal_to_background, scale])
        team.run(
            lambda begin, end: _rescale(self.group, count, scales, self.original, begin, end, self.boost, self.weight),
            n,
            4.0 * n,
        )
        return True


def _all_equal(weight: FloatArray) -> bool:
    return bool(weight.min() == weight.max())


class GradientBoost(Boost):
    """Grad: the next tree sees the residuals of the binomial log-likelihood (Friedman, Ann. Stat. 29 (2001) 1189).

    With F the sum of the trees so far, the residual is ``y - 1 / (1 + exp(-2 F))``, y being 1 or 0, and a leaf adds
    ``shrinkage / 2 * sum(w r) / sum(w**2 |r| (1 - |r|))``.
    """

    def __init__(self, events: TrainingEvents, options: BDTOptions) -> None:
        super().__init__(events)
        self.step = options.shrinkage / 2
        self.criterion = REGRESSION_VARIANCE
        self.weight = events.weight * events.boost
        self.target = np.where(events.signal, 0.5, -0.5).astype(np.float32)
        self.product = self.weight * self.target
        self.bound = float(np.abs(self.weight).max())  # no residual exceeds 1
        self.score = np.zeros(len(self.weight))
        self.sums = EQUAL_WEIGHTS if _all_equal(self.weight) else WEIGHTED

    def learn(
        self,
        shape: Shape,
        leaf: npt.NDArray[np.uint32],
        count: npt.NDArray[np.uint8],  # noqa: ARG002 - residuals change for events outside the sample, too
        team: Team,
    ) -> Verdict:
        """Find what each leaf adds, and the new residuals."""
        numerator, denominator = shape.sums[:, 2], np.maximum(shape.sums[:, 4], _LEAST_DENOMINATOR)
        response = (self.step * numerator / denominator).astype(np.float32).astype(np.float64)

        def update(begin: int, end: int) -> None:
            for first in range(begin, end, _BLOCK):
                last = min(first + _BLOCK, end)
                exponential = np.empty(last - first)
                _add_answers(leaf, response, first, last, self.score, exponential)
                # An exponent too large for a number makes a probability of 0, which is right.
                with np.errstate(over="ignore"):
                    np.exp(exponential, out=exponential)
                _next_residuals(self.group, self.weight, exponential, first, last, self.target, self.product)

        team.run(update, len(leaf), 5 * len(leaf))
        return Verdict(1.0, response=response)

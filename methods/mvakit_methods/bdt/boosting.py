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
from mvakit_methods.bdt.grower import View
from mvakit_methods.bdt.options import BDTOptions
from mvakit_methods.bdt.partition import CHUNK
from mvakit_methods.bdt.shaping import Shape
from mvakit_methods.bdt.splits import BY_CLASS, CLASS_WEIGHTS, EQUAL_WEIGHTS, WEIGHTED
from mvakit_methods.bdt.team import Team

__all__ = [
    "LEAST_BOOST",
    "LEAST_DENOMINATOR",
    "LEAST_ERROR",
    "AdaptiveBoost",
    "Boost",
    "GradientBoost",
    "Verdict",
    "kind_of_sums",
]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]

_BLOCK: Final = 1 << 14
LEAST_BOOST: Final = 1e-4  # TMVA reads no smaller boost weight
LEAST_DENOMINATOR: Final = 1e-30
# A tree without error would weigh infinitely much; it weighs as one with this error, and boosting ends.
LEAST_ERROR: Final = 1e-12


@kernel
def _reweight_once(leaf: Array, group: Array, factor: Array, original: Array, boost: Array) -> float:
    """Do as `_reweight` does where nothing is to be inverted and every event comes once, without branches."""
    total, other = 0.0, 0.0
    for e in range(leaf.size):
        f, x = factor[leaf[e], group[e]], boost[e]
        x = max(LEAST_BOOST, x) * f if f != 0.0 else x
        boost[e] = x
        # Two sums, as each addition has to wait for the last.
        total, other = other, total + original[e] * x
    return total + other


@kernel
def _reweight(
    leaf: Array, group: Array, factor: Array, invert: bool, count: Array, original: Array, begin: int, end: int,
    boost: Array, sums: Array,
) -> None:  # fmt: skip
    """Multiply boost weights by the factor of leaf and class, once for each time that an event is in the sample."""
    for c in range(begin, end):
        first, last = c * CHUNK, min((c + 1) * CHUNK, leaf.size)
        if not invert and not count.size:
            sums[c] = _reweight_once(
                leaf[first:last], group[first:last], factor, original[first:last], boost[first:last]
            )
            continue
        total = 0.0
        for e in range(first, last):
            f = factor[leaf[e], group[e]]
            for _ in range(np.int64(count[e]) if count.size else 1):
                if f != 0.0:
                    if invert and original[e] * boost[e] <= 0.0:
                        boost[e] /= f
                    else:
                        boost[e] = max(LEAST_BOOST, boost[e]) * f
                total += original[e] * boost[e]
        sums[c] = total


@kernel
def _rescale(
    group: Array, count: Array, scale: Array, original: Array, begin: int, end: int, boost: Array, largest: Array
) -> None:
    """Scale the boost weights of a sample, and find the largest weight of each chunk."""
    signal, background = scale[0], scale[1]
    for c in range(begin, end):
        most = 0.0
        for e in range(c * CHUNK, min((c + 1) * CHUNK, group.size)):
            f, x = background if group[e] else signal, boost[e]
            if count.size:
                for _ in range(np.int64(count[e])):
                    x *= f
            else:
                x *= f
            boost[e] = x
            most = max(most, abs(original[e] * x))
        largest[c] = most


@kernel
def _add_answers(leaf: Array, response: Array, begin: int, end: int, score: Array, exponent: Array) -> None:
    """Add the answer of a tree to the scores F, and write ``-2 F``."""
    for e in range(begin, end):
        score[e] += response[leaf[e]]
        exponent[e - begin] = -2.0 * score[e]


@kernel
def _next_residuals(group: Array, exponential: Array, begin: int, end: int, target: Array) -> None:
    """Write the residuals of the next tree, of which TMVA keeps float32 numbers."""
    for e in range(begin, end):
        target[e] = (0.0 if group[e] else 1.0) - 1.0 / (1.0 + exponential[e - begin])


@kernel
def _extremes(original: Array, group: Array, which: int) -> tuple[float, float]:
    """Return the least and the largest weight of a class."""
    least, most = np.inf, -np.inf
    for e in range(group.size):
        if group[e] == which:
            least, most = min(least, original[e]), max(most, original[e])
    return least, most


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
        What each leaf of a regression tree adds, and for AdaBoost.R2 and bagging what inner nodes would.
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
    view : View
        What the next tree sees of the events.
    factors : ndarray of int64, shape (102,) or (0,)
        See `BDTState.boost_factors`.
    """

    criterion: int
    view: View
    factors: npt.NDArray[np.int64] = np.empty(0, np.int64)

    def look(self, count: npt.NDArray[np.uint8]) -> None:  # noqa: B027 - most have nothing to do
        """Make ready for a tree of which `count` is the sample; what the next tree sees may depend on it."""

    @abstractmethod
    def learn(self, shape: Shape, leaf: npt.NDArray[Any], count: npt.NDArray[np.uint8], team: Team) -> Verdict:
        """Judge a tree, of which the event `e` has reached the node ``leaf[e]``, and prepare the next one.

        `count` tells how often each event was in the sample; it is empty for once.
        """


class AdaptiveBoost(Boost):
    """AdaBoost, RealAdaBoost, AdaCost and Bagging: the next tree sees other weights.

    With ``f`` the share of weight on the wrong side, the weights of these events grow by the factor
    ``((1 - f) / f)**beta``, whose logarithm is the weight of the tree; where leaves say a purity p, ``f`` is the mean of
    ``y (2 p - 1)``, y being 1 or -1, the weight of the tree is ``beta ln((1 + f) / (1 - f))``, and those of events change
    by ``exp(-weight y (2 p - 1))``. AdaCost multiplies each ``y (2 p - 1)`` by its cost. All weights are then scaled to
    add up to the number of events.
    """

    def __init__(self, events: TrainingEvents, options: BDTOptions) -> None:
        self.options = options
        self.criterion = CRITERIA[options.separation_type]
        self.original, self.group = events.weight, events.group
        self.boost = events.factor[self.group]
        self.invert = options.negative_weights == "InverseBoostNegWeights"
        extremes = _scaled_extremes(events)
        # Where no weight is negative none is boosted inversely.
        self.invert &= bool(extremes.min() < 0)
        self._look(float(np.abs(extremes).max()))

    def _look(self, largest: float) -> None:
        """Let the next tree see the weights, none of which is larger."""
        self.view = View(self.original, self.boost, self.group, np.empty(0, np.float32), BY_CLASS, largest)

    def learn(self, shape: Shape, leaf: npt.NDArray[Any], count: npt.NDArray[np.uint8], team: Team) -> Verdict:
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
            error = max(abs(error), LEAST_ERROR)
            if error >= 0.5:
                return Verdict(0.0, error, go_on=False)
            boost_weight = beta * math.log((1 - error) / error)
            factor[leaves, 0] = np.where(says_signal, 0.0, math.exp(boost_weight))
            factor[leaves, 1] = np.where(says_signal, math.exp(boost_weight), 0.0)
            go_on = error > LEAST_ERROR
        else:
            says = 2 * (shape.purity[leaves].astype(np.float64) - 0.5)
            if options.boost_type == "AdaCost":
                for_signal = says * np.where(says > 0, options.cost_ss, options.cost_sb)
                for_background = -says * np.where(says > 0, options.cost_bs, options.cost_bb)
            else:
                for_signal, for_background = says, -says
            error = float(np.sum(s * for_signal + b * for_background)) / total
            error = min(abs(error), 1 - LEAST_ERROR)
            boost_weight = beta * math.log((1 + error) / (1 - error))
            if boost_weight <= 0:
                return Verdict(0.0, error, go_on=False)
            factor[leaves, 0] = np.exp(-boost_weight * for_signal)
            factor[leaves, 1] = np.exp(-boost_weight * for_background)
            go_on = error < 1 - LEAST_ERROR
        go_on = self._reweight(shape.spread(factor), leaf, count, team) and go_on
        return Verdict(boost_weight, error, go_on)

    def _reweight(self, factor: FloatArray, leaf: npt.NDArray[Any], count: npt.NDArray[np.uint8], team: Team) -> bool:
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
        size = float(count.sum(dtype=np.int64)) if len(count) else float(n)
        # TMVA weighs signal down by SigToBkgFraction again after each tree.
        scales, largest = np.array([self.options.signal_to_background, 1.0]) * (size / total), np.empty(len(sums))
        team.run(
            lambda begin, end: _rescale(self.group, count, scales, self.original, begin, end, self.boost, largest),
            len(sums),
            4.0 * n,
        )
        self._look(float(largest.max()))
        return True


class GradientBoost(Boost):
    """Grad: the next tree sees the residuals of the binomial log-likelihood (Friedman, Ann. Stat. 29 (2001) 1189).

    With F the sum of the trees so far, the residual is ``y - 1 / (1 + exp(-2 F))``, y being 1 or 0, and a leaf adds
    ``shrinkage / 2 * sum(w r) / sum(w**2 |r| (1 - |r|))``.
    """

    def __init__(self, events: TrainingEvents, options: BDTOptions) -> None:
        self.step = options.shrinkage / 2
        self.criterion = REGRESSION_VARIANCE
        self.group = events.group
        self.score = np.zeros(len(self.group))
        target = np.where(self.group == 0, np.float32(0.5), np.float32(-0.5))
        extremes = _scaled_extremes(events)
        # No residual exceeds 1.
        bound = float(np.abs(extremes).max())
        self.view = View(events.weight, events.factor, self.group, target, kind_of_sums(extremes), bound)

    def learn(
        self,
        shape: Shape,
        leaf: npt.NDArray[Any],
        count: npt.NDArray[np.uint8],  # noqa: ARG002 - residuals change for events outside the sample, too
        team: Team,
    ) -> Verdict:
        """Find what each leaf adds, and the new residuals."""
        numerator, denominator = shape.sums[:, 2], np.maximum(shape.sums[:, 4], LEAST_DENOMINATOR)
        response = (self.step * numerator / denominator).astype(np.float32).astype(np.float64)

        def update(begin: int, end: int) -> None:
            exponential = np.empty(min(_BLOCK, end - begin))
            for first in range(begin, end, _BLOCK):
                last = min(first + _BLOCK, end)
                some = exponential[: last - first]
                _add_answers(leaf, response, first, last, self.score, some)
                # An exponent too large for a number makes a probability of 0, which is right.
                with np.errstate(over="ignore"):
                    np.exp(some, out=some)
                _next_residuals(self.group, some, first, last, self.view.target)

        team.run(update, len(leaf), 5 * len(leaf))
        return Verdict(1.0, response=response)


def _scaled_extremes(events: TrainingEvents) -> FloatArray:
    """Return the least and the largest first weight of each class, shape (2, 2)."""
    return np.array([_extremes(events.weight, events.group, which) for which in (0, 1)]) * events.factor[:, None]


def kind_of_sums(extremes: FloatArray) -> int:
    """Return how histograms of weights and residuals are filled."""
    if (extremes == extremes[0, 0]).all():
        return EQUAL_WEIGHTS
    return CLASS_WEIGHTS if (extremes[:, 0] == extremes[:, 1]).all() else WEIGHTED

"""How the loss of a growing forest develops on the events that it is grown from and on others, and when that is enough.

The loss is what the boosting works on where that is one number: the deviance of Grad for two classes, the cross-entropy of
several, squared or absolute deviations of a regression. A weighted vote (AdaBoost and its kin, bagging) orders events and
means nothing else, so it is judged by what its ROC integral lacks to 1. Huber's loss and AdaBoost.R2's exponential one
change their scale with every tree; they are judged by absolute deviations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.types import AnalysisType
from mvakit_methods.bdt.boosting import Verdict
from mvakit_methods.bdt.compiled import kernel
from mvakit_methods.bdt.events import TrainingEvents
from mvakit_methods.bdt.options import BDTOptions
from mvakit_methods.bdt.shaping import Shape
from mvakit_methods.bdt.team import Team

__all__ = ["Loss", "Validation", "loss_of"]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]

_DEVIANCE: Final = 0
_CROSS_ENTROPY: Final = 1
_ABSOLUTE: Final = 2
_SQUARED: Final = 3
_ROC: Final = 4
_EPSILON: Final = 2.0**-52
_ROUNDING: Final = 1e-12
# Events trained on that are looked at even if there are fewer for validation.
_LEAST_CHOSEN: Final = 10_000


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss, and what it is called; the smaller the better."""

    kind: int
    title: str


def loss_of(options: BDTOptions, analysis: AnalysisType) -> Loss:
    """Return the loss by which the number of trees is judged."""
    gradient = options.boost_type == "Grad"
    if analysis is AnalysisType.REGRESSION:
        name = options.regression_loss if gradient else options.ada_boost_r2_loss
        squares = options.boost_type == "Bagging" or name in {"LeastSquares", "Quadratic"}
        return Loss(_SQUARED, "RMS of the deviations") if squares else Loss(_ABSOLUTE, "Mean absolute deviation")
    if not gradient:
        return Loss(_ROC, "1 - ROC integral")
    if analysis is AnalysisType.MULTICLASS:
        return Loss(_CROSS_ENTROPY, "Cross-entropy")
    return Loss(_DEVIANCE, "Deviance")


@kernel
def _add(leaf: Array, value: Array, events: Array, begin: int, end: int, total: Array) -> None:
    """Add what a tree says of each of some events."""
    for i in range(begin, end):
        total[i] += value[leaf[events[i]]]


@kernel
def _insert(
    leaf: Array, value: Array, weight: Array, n_trees: int, events: Array, begin: int, end: int,
    response: Array, place: Array, total: Array,
) -> None:  # fmt: skip
    """Insert what a tree says into the sorted responses of each event, and write the mean around their median.

    Parameters
    ----------
    value : ndarray of float64, shape (n_nodes,)
    weight : ndarray of float64, shape (n_trees,)
    events : ndarray of int64, shape (n,)
    response : ndarray of float32, shape (n, capacity)
    place : ndarray of uint32, shape (n, capacity)
        The tree of each response.
    total : ndarray of float64, shape (n,)
    """
    half = 0.0
    for t in range(n_trees):
        half += weight[t]
    half /= 2.0
    for i in range(begin, end):
        v, k = np.float32(value[leaf[events[i]]]), n_trees - 1
        # Equal responses stay in the order of their trees.
        while k > 0 and response[i, k - 1] > v:
            response[i, k], place[i, k] = response[i, k - 1], place[i, k - 1]
            k -= 1
        response[i, k], place[i, k] = v, n_trees - 1
        median, summed = 0, 0.0
        while summed <= half and median < n_trees:
            summed += weight[place[i, median]]
            median += 1
        low, high = max(0, int(median - n_trees // 6 - 0.5)), min(n_trees, int(median + n_trees // 6 + 0.5))
        summed = 0.0
        for k in range(low, high):
            summed += response[i, k]
        total[i] = summed / (high - low) if high > low else np.nan


@kernel
def _losses(
    kind: int, total: Array, scale: float, offset: float, group: Array, target: Array, weight: Array,
    begin: int, end: int, loss: Array,
) -> None:  # fmt: skip
    """Write the weighted loss of each event."""
    n_classes = total.shape[0]
    for i in range(begin, end):
        if kind == _DEVIANCE:
            margin = -2.0 * total[0, i] if group[i] == 0 else 2.0 * total[0, i]
            one = max(margin, 0.0) + np.log1p(np.exp(-abs(margin)))
        elif kind == _CROSS_ENTROPY:
            largest, share = total[0, i], 0.0
            for k in range(1, n_classes):
                largest = max(largest, total[k, i])
            for k in range(n_classes):
                share += np.exp(total[k, i] - largest)
            one = np.log(share) + largest - total[group[i], i]
        else:
            one = abs(total[0, i] * scale + offset - target[i])
            if kind == _SQUARED:
                one *= one
        loss[i] = weight[i] * one


@kernel
def _roc_area(response: Array, order: Array, group: Array, weight: Array) -> float:
    """Return the ROC integral of responses, of which `order` is the ascending one; those that are equal are half right."""
    area, signal, background = 0.0, 0.0, 0.0
    i = 0
    while i < order.size:
        here, s, b = response[order[i]], 0.0, 0.0
        while i < order.size and response[order[i]] == here:
            if group[order[i]] == 0:
                s += weight[order[i]]
            else:
                b += weight[order[i]]
            i += 1
        area += s * (background + 0.5 * b)
        signal += s
        background += b
    return area / (signal * background)


class Validation:
    """Follows a forest as it grows.

    The loss on events trained on is that of a part of them, evenly chosen, which is as large as that for validation.

    Parameters
    ----------
    events : TrainingEvents
        With some for validation.
    options : BDTOptions
    analysis : AnalysisType

    Attributes
    ----------
    losses : list of (float, float)
        After each round, a tree or one for each class, the loss on the events trained on and on those for validation.
    best : int
        The number of rounds with the smallest validation loss.
    """

    def __init__(self, events: TrainingEvents, options: BDTOptions, analysis: AnalysisType) -> None:
        self.options = options
        self.kind = loss_of(options, analysis).kind
        self.regression = analysis is AnalysisType.REGRESSION
        self.median = options.boost_type == "AdaBoostR2"
        trained, validation = np.flatnonzero(~events.held_out), np.flatnonzero(events.validation)
        chosen = trained[:: -(-len(trained) // max(len(validation), _LEAST_CHOSEN))]
        self.parts = slice(0, len(chosen)), slice(len(chosen), None)
        self.events = followed = np.concatenate([chosen, validation])
        self.group = events.group[followed]
        self.target = events.target[followed] if self.regression else events.target
        self.weight = events.weight[followed]
        if self.kind == _DEVIANCE:
            self.weight *= events.factor[self.group]
        self.total = np.zeros((events.n_outputs, len(followed)))
        self.loss = np.empty(len(followed))
        self.tree_weights: list[float] = []
        self.offset, self.turn = 0.0, 0
        self.losses: list[tuple[float, float]] = []
        self.best, self._least = 0, math.inf
        # For a median all responses of an event are kept, in ascending order.
        self.response = np.empty((len(followed), 0), np.float32)
        self.place = np.empty((len(followed), 0), np.uint32)

    def see(self, shape: Shape, leaf: npt.NDArray[Any], verdict: Verdict, team: Team) -> bool:
        """Take note of a tree as it is kept, of which the event `e` reached the node ``leaf[e]`` when it grew.

        Return False if, after this round, no further one is worth growing.
        """
        value, events, total = shape.spread(self._says(shape, verdict)), self.events, self.total[self.turn]
        if self.median:
            self._insert(leaf, value, team)
        else:
            team.run(lambda begin, end: _add(leaf, value, events, begin, end, total), len(events), 3.0 * len(events))
        self.turn = (self.turn + 1) % len(self.total)
        if self.turn:
            return True
        losses = self._roc_losses() if self.kind == _ROC else self._mean_losses(team)
        self.losses.append(losses)
        # What is smaller by rounding alone is not smaller.
        if losses[1] < self._least - _ROUNDING * abs(self._least) or not self.best:
            self.best, self._least = len(self.losses), losses[1]
        return not self.options.stops_early or len(self.losses) - self.best < self.options.tries_early_stopping

    def _says(self, shape: Shape, verdict: Verdict) -> FloatArray:
        """Return what each node adds to the answer if it is a leaf, as it is kept."""
        options = self.options
        if options.boost_type == "Grad":
            if self.regression and not self.losses:
                self.offset = verdict.boost_weight
            assert verdict.response is not None
            return verdict.response
        self.tree_weights.append(verdict.boost_weight)
        if verdict.response is not None:
            return verdict.response if self.median else verdict.boost_weight * verdict.response
        return verdict.boost_weight * (shape.kind if options.yes_no else shape.purity).astype(np.float64)

    def _insert(self, leaf: npt.NDArray[Any], value: FloatArray, team: Team) -> None:
        n = len(self.tree_weights)
        if n > self.response.shape[1]:
            more = ((0, 0), (0, min(n // 2 + 16, self.options.n_trees)))
            self.response, self.place = np.pad(self.response, more), np.pad(self.place, more)
        weights = np.array(self.tree_weights)
        events, response, place, total = self.events, self.response, self.place, self.total[0]
        team.run(
            lambda begin, end: _insert(leaf, value, weights, n, events, begin, end, response, place, total),
            len(events),
            2.0 * n * len(events),
        )

    def _mean_losses(self, team: Team) -> tuple[float, float]:
        """Return the weighted means of the losses of single events."""
        # What the sum of the trees has to be multiplied with to be a response.
        scale = 1.0
        if not self.median and self.tree_weights:
            norm = float(np.add.accumulate(self.tree_weights)[-1])
            scale = 1.0 / norm if norm > _EPSILON else 0.0
        arrays, loss = (self.group, self.target, self.weight), self.loss
        team.run(
            lambda begin, end: _losses(self.kind, self.total, scale, self.offset, *arrays, begin, end, loss),
            len(loss),
            20.0 * self.total.size,
        )
        trained, validated = (float(loss[part].sum() / self.weight[part].sum()) for part in self.parts)
        if self.kind == _SQUARED:
            # Negative weights may make a mean of squares negative.
            trained, validated = math.sqrt(max(trained, 0.0)), math.sqrt(max(validated, 0.0))
        return trained, validated

    def _roc_losses(self) -> tuple[float, float]:
        """Return what the ROC integrals lack to 1."""
        found = []
        for part in self.parts:
            response = self.total[0, part]
            found.append(1.0 - _roc_area(response, np.argsort(response), self.group[part], self.weight[part]))
        return found[0], found[1]

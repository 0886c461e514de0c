"""Gradient boosting for several classes: one tree for each class in turn."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.boosting import LEAST_DENOMINATOR, Boost, Verdict, kind_of_sums
from mvakit_methods.bdt.compiled import kernel
from mvakit_methods.bdt.criteria import REGRESSION_VARIANCE
from mvakit_methods.bdt.events import TrainingEvents
from mvakit_methods.bdt.grower import View
from mvakit_methods.bdt.options import BDTOptions
from mvakit_methods.bdt.shaping import Shape
from mvakit_methods.bdt.team import Team

__all__ = ["MulticlassGradientBoost"]

Array = npt.NDArray[Any]


@kernel
def _add_responses(leaf: Array, response: Array, begin: int, end: int, score: Array) -> None:
    for e in range(begin, end):
        score[e] += response[leaf[e]]


@kernel
def _share_out(score: Array, group: Array, begin: int, end: int, target: Array) -> None:
    """Write the residuals of all classes, of which TMVA keeps float32 numbers.

    Parameters
    ----------
    score : ndarray of float64, shape (n_classes, n_events)
    group : ndarray of uint8, shape (n_events,)
        The class of each event.
    target : ndarray of float32, shape (n_classes, n_events)
    """
    n_classes = score.shape[0]
    share = np.empty(n_classes)
    for e in range(begin, end):
        largest = score[0, e]
        for k in range(1, n_classes):
            largest = max(largest, score[k, e])
        total = 0.0
        for k in range(n_classes):
            share[k] = np.exp(score[k, e] - largest)
            total += share[k]
        for k in range(n_classes):
            target[k, e] = (1.0 if group[e] == k else 0.0) - share[k] / total


class MulticlassGradientBoost(Boost):
    """Grad for several classes: each tree sees the residuals of the softmax for its class.

    With F_k the sum of the trees of class k so far, the residual is ``y_k - exp(F_k) / sum_j exp(F_j)``, y_k being 1 for
    events of the class and 0 for others, and a leaf adds ``shrinkage / n_classes * sum(w r) / sum(w**2 |r| (1 - |r|))``, as
    TMVA has it. The residuals of all classes change together, when each class has its tree.

    Attributes
    ----------
    score : ndarray of float64, shape (n_classes, n_events)
        F_k of each event.
    """

    def __init__(self, events: TrainingEvents, options: BDTOptions) -> None:
        n = events.n_outputs
        self.step = options.shrinkage / n
        self.criterion = REGRESSION_VARIANCE
        self.group = events.group
        self.score = np.zeros((n, len(self.group)))
        self.target = np.empty((n, len(self.group)), np.float32)
        _share_out(self.score, self.group, 0, len(self.group), self.target)
        self.turn = 0
        extremes = np.array([[events.weight.min(), events.weight.max()]] * 2)
        # No residual exceeds 1.
        bound, sums, ones = float(np.abs(extremes).max()), kind_of_sums(extremes), np.ones(2)
        self.views = [
            View(events.weight, ones, (self.group != k).astype(np.uint8), self.target[k], sums, bound) for k in range(n)
        ]
        self.view = self.views[0]

    def learn(
        self,
        shape: Shape,
        leaf: npt.NDArray[Any],
        count: npt.NDArray[np.uint8],  # noqa: ARG002 - residuals change for events outside the sample, too
        team: Team,
    ) -> Verdict:
        """Find what each leaf adds and, after the tree of the last class, the new residuals."""
        numerator, denominator = shape.sums[:, 2], np.maximum(shape.sums[:, 4], LEAST_DENOMINATOR)
        response = (self.step * numerator / denominator).astype(np.float32).astype(np.float64)
        score = self.score[self.turn]
        team.run(lambda begin, end: _add_responses(leaf, response, begin, end, score), len(leaf), len(leaf))
        self.turn = (self.turn + 1) % len(self.views)
        if self.turn == 0:
            team.run(
                lambda begin, end: _share_out(self.score, self.group, begin, end, self.target),
                len(leaf),
                10.0 * self.score.size,
            )
        self.view = self.views[self.turn]
        return Verdict(1.0, response=response)

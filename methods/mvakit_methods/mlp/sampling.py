"""Which events a cycle takes, and when there is no hope of a better estimator: TMVA's sampling and its convergence test."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods._compiled import kernel
from mvakit_methods._trandom3 import TRandom3

__all__ = ["Convergence", "Sampling"]

Array = npt.NDArray[Any]
_ALL: Final = 0.999999
_NONE: Final = 0.0000001


@kernel
def _choose(importance: Array, positions: Array, chosen: Array) -> int:
    """Walk along the events, whose importances are added up, and choose one for each of the sorted positions."""
    reached, found = np.float32(1e-9), 0
    for event in range(importance.size):
        if found == positions.size:
            break
        reached += importance[event]
        if reached >= positions[found]:
            chosen[found] = event
            found += 1
    return found


class Sampling:
    """Draws the events of a cycle, without putting any back.

    In TMVA each new drawing forgets the importances, so that ``SamplingImportance`` has no effect; here they stay.

    Parameters
    ----------
    n_events : int
    fraction : float
        The share of them that is drawn; all of them where it is 1 or 0.
    importance : float
        The factor on the importance of the drawn events after a success; after a failure it divides.
    random : TRandom3
    """

    def __init__(self, n_events: int, fraction: float, importance: float, random: TRandom3) -> None:
        self.n_events = n_events
        self.factor = importance
        self.random = random
        self.active = _NONE < fraction < _ALL
        self.size = int(np.float32(fraction) * np.float32(n_events))
        self.importance = np.ones(n_events, np.float32)
        self.chosen = np.arange(n_events)

    def draw(self) -> npt.NDArray[np.intp]:
        """Return the events of the next cycles, in their order."""
        if self.active:
            total = np.float32(self.importance.astype(np.float64).sum())
            positions = np.sort((self.random.rndm(self.size) * total).astype(np.float32))
            chosen = np.empty(self.size, np.intp)
            self.chosen = chosen[: _choose(self.importance, positions, chosen)]
        return self.chosen

    def result(self, *, success: bool) -> None:
        """Tell whether the last cycles made the estimator smaller."""
        if self.active and self.factor != 1.0:
            changed = self.importance[self.chosen]
            changed = changed * np.float32(self.factor) if success else changed / np.float32(self.factor)
            self.importance[self.chosen] = np.minimum(changed, np.float32(1.0))


class Convergence:
    """Counts tests in which the estimator did not improve.

    Parameters
    ----------
    tests : int
        How many of them end the training; negative: it is not ended.
    improve : float
        What counts as an improvement; negative: the training is not ended.
    """

    def __init__(self, tests: int, improve: float) -> None:
        self.active = tests >= 0 and improve >= 0
        self.tests = tests
        self.improve = improve
        self._best = 0.0
        self._without: int | None = None

    def reached(self, estimator: float) -> bool:
        """Take note of an estimator; return whether the training has converged."""
        if not self.active:
            return False
        if self._without is None:
            self._best, self._without = estimator, -1
        if self._best - estimator <= self.improve:
            self._without += 1
        else:
            self._without, self._best = 0, estimator
        return self._without >= self.tests

    def begin_again(self) -> None:
        """Forget what was counted."""
        self._without = None

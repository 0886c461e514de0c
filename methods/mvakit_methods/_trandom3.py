"""The random numbers of TMVA's trainings: ROOT's TRandom3, so that the same things are drawn as TMVA draws."""

from __future__ import annotations

import secrets
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["TRandom3", "seed_or_entropy"]

_UNIT: Final = 2.3283064365386963e-10  # 2**-32, as TRandom3 scales its integers


class TRandom3:
    """A Mersenne Twister that gives what ``TRandom3::Rndm`` gives.

    Parameters
    ----------
    seed : int
        From 1 on; ROOT takes 0 for another seed each time.
    """

    def __init__(self, seed: int) -> None:
        # The seeding of TRandom3 is that of the older generators of NumPy.
        self._state = np.random.RandomState(seed)

    def rndm(self, size: int) -> npt.NDArray[np.float64]:
        """Return the next `size` numbers between 0 and 1, neither included: zeros are passed over."""
        words = self._words(size)
        while len(words) < size:
            words = np.concatenate([words, self._words(size - len(words))])
        return np.asarray(words * _UNIT, dtype=np.float64)

    def _words(self, size: int) -> npt.NDArray[np.uint32]:
        words = np.asarray(self._state.randint(0, 2**32, size=size, dtype=np.uint32))
        return np.asarray(words[words != 0])


def seed_or_entropy(seed: int) -> int:
    """Return the seed, and for 0 another one each time, as TMVA's networks take it."""
    return seed or secrets.randbelow(2**32 - 1) + 1

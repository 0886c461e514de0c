"""The random order in which TMVA takes events: ROOT's generator, and the shuffle that it drives."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.columnstore import spans

__all__ = ["Shuffler"]

_UNIT: Final = 2.3283064365386963e-10
"""2**-32, by which ``TRandom3::Rndm`` scales its integers."""
_MANY: Final = 1 << 17
"""Numbers from which on it pays to load the compiler."""


class Shuffler:
    """Puts numbers in the random orders that TMVA gets from one ``TRandom3``, one after the other.

    TMVA 4 and the releases of ROOT 6 that call ``std::random_shuffle`` let each element, from the second on, change places
    with one of those up to itself, ``int(Rndm() * count)``. (Later releases call ``std::shuffle``, whose order C++ leaves
    to each library.)

    Parameters
    ----------
    seed : int
        Of ``TRandom3``, from 1 to 2**32 - 1.
    """

    def __init__(self, seed: int) -> None:
        self._state = np.random.RandomState(seed)  # the same Mersenne Twister, seeded in the same way

    def shuffle(self, items: npt.NDArray[np.integer[Any]]) -> None:
        """Put an array in the next random order, in place."""
        exchange = _exchange if len(items) < _MANY else _compiled()
        for steps in spans(max(len(items) - 1, 0)):
            exchange(items, steps.start + 1, self._words(steps.stop - steps.start))

    def _words(self, size: int) -> npt.NDArray[np.uint32]:
        """Return the next integers of the generator; ``Rndm`` passes over zeros."""
        words = np.zeros(0, np.uint32)
        while len(words) < size:
            more = self._state.randint(0, 2**32, size=size - len(words), dtype=np.uint32)
            words = np.concatenate([words, more[more != 0]])
        return words


def _exchange(items: npt.NDArray[np.integer[Any]], first: int, words: npt.NDArray[np.uint32]) -> None:
    """Let elements change places, from the element `first` on, one for each word."""
    for step in range(len(words)):
        here = first + step
        there = int((here + 1) * (words[step] * _UNIT))
        held = items[here]
        items[here] = items[there]
        items[there] = held


@cache
def _compiled() -> Callable[..., None]:
    """Return `_exchange` as machine code, which numba keeps for the next process where it finds a folder to keep it in."""
    from numba import njit

    made: Callable[..., None]
    try:
        made = njit(nogil=True, cache=True)(_exchange)
    except RuntimeError:
        made = njit(nogil=True)(_exchange)
    return made

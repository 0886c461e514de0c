"""The random numbers of TMVA's training: ROOT's TRandom3, so that the same events are drawn as TMVA draws."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.compiled import kernel

__all__ = ["bagging_seed", "draw_counts", "subset_drawer", "uniforms"]

Array = npt.NDArray[Any]

_UNIT: Final = 2.3283064365386963e-10  # 2**-32, as TRandom3 scales its integers
_STRIDE: Final = 1_000_003


def uniforms(state: np.random.RandomState, size: int) -> npt.NDArray[np.float64]:
    """Return the next numbers that ``TRandom3::Rndm`` gives, `size` at most: it passes over zeros."""
    words = np.asarray(state.randint(0, 2**32, size=size, dtype=np.uint32))
    return np.asarray(words[words != 0] * _UNIT)


def bagging_seed(tree: int, random_seed: int) -> int:
    """Return the seed of the sample of a tree; with ``RandomSeed=1``, the default, it is TMVA's."""
    return int((100 * tree + 1234 + _STRIDE * (random_seed - 1)) % 2**32)


@kernel
def _poisson(uniform: Array, limit: float, counts: Array) -> bool:
    """Fill `counts` by multiplying numbers until they fall to `limit`; return whether there were enough of them."""
    used = 0
    for i in range(counts.size):
        product, n = 1.0, -1
        while product > limit:
            if used == uniform.size:
                return False
            product *= uniform[used]
            used += 1
            n += 1
        counts[i] = n
    return True


def draw_counts(seed: int, size: int, mean: float) -> npt.NDArray[np.uint8]:
    """Return how often each of `size` events is in a bagged sample: Poisson numbers, as ``TRandom3::PoissonD`` draws."""
    counts = np.zeros(size, np.uint8)
    numbers = int(size * (1 + mean) * 1.02) + 1000
    while not _poisson(uniforms(np.random.RandomState(seed), numbers), math.exp(-mean), counts):
        numbers *= 2
    return counts


def subset_drawer(seed: int, n_variables: int, n_wanted: int, *, poisson: bool) -> Callable[[], npt.NDArray[np.bool_]]:
    """Return a function that draws the variables of the next node: `n_wanted` distinct ones, or a Poisson number."""
    state = np.random.RandomState(seed)

    def draw() -> npt.NDArray[np.bool_]:
        number = int(state.poisson(n_wanted)) if poisson else n_wanted
        chosen = np.zeros(n_variables, np.bool_)
        chosen[state.permutation(n_variables)[: min(max(number, 1), n_variables)]] = True
        return chosen

    return draw

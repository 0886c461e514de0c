"""A team of threads that share the work of a kernel; with one worker, or little work, no thread is made.

Kernels release the interpreter's lock. Plain threads are used rather than numba's parallel loops since one of numba's
threading layers ends the process when two threads enter it at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

__all__ = ["Team", "team"]

# Work below this many elementary steps is done at once, as waking a thread would take longer.
_WORTH_SHARING: Final = 50_000


class Team:
    """Runs a function on ranges.

    Parameters
    ----------
    workers : int
    pool : ThreadPoolExecutor or None
    """

    def __init__(self, workers: int, pool: ThreadPoolExecutor | None) -> None:
        self.workers = workers
        self.pool = pool

    def run(self, work: Callable[[int, int], None], size: int, steps: float) -> None:
        """Call ``work(begin, end)`` until the ranges cover 0 to `size`.

        Parameters
        ----------
        work : callable
            What it does to an element may not depend on the range in which the element comes.
        size : int
        steps : float
            Roughly how many elementary steps the whole takes.
        """
        shares = min(self.workers, size)
        if self.pool is None or shares < 2 or steps < _WORTH_SHARING:
            work(0, size)
            return
        bounds = [size * i // shares for i in range(shares + 1)]
        waiting = [self.pool.submit(work, bounds[i], bounds[i + 1]) for i in range(1, shares)]
        work(bounds[0], bounds[1])
        for one in waiting:
            one.result()


def default_workers() -> int:
    """Return how many threads to use: numba's own setting, ``NUMBA_NUM_THREADS``, or the processors of this process."""
    from numba import config

    return int(config.NUMBA_NUM_THREADS)


@contextmanager
def team(workers: int | None = None) -> Iterator[Team]:
    """Yield a team, whose threads end with the block."""
    count = workers or default_workers()
    if count < 2:
        yield Team(1, None)
        return
    with ThreadPoolExecutor(count - 1, thread_name_prefix="mvakit-bdt") as pool:
        yield Team(count, pool)

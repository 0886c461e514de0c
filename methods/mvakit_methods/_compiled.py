"""Kernels for methods that keep their training events: compiled when first called, run in threads on many events.

The code is kept in numba's cache where that has a folder, and releases the interpreter's lock. Divisions by zero follow
IEEE 754, as they do in TMVA. An event's response never depends on the events beside it nor on the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from numba import config, njit

__all__ = ["kernel", "over_events"]

P = ParamSpec("P")
R = TypeVar("R")

# Events below this many are done at once, as waking a thread would take longer.
_WORTH_SHARING: Final = 64


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function with numba."""
    try:
        compiled: Callable[P, R] = njit(nogil=True, cache=True, error_model="numpy")(function)
    except RuntimeError:  # numba finds no folder for its cache
        compiled = njit(nogil=True, error_model="numpy")(function)
    return compiled


def over_events(work: Callable[[int, int], None], size: int) -> None:
    """Call ``work(begin, end)`` until the ranges cover the events 0 to `size`, in as many threads as numba may use."""
    shares = min(int(config.NUMBA_NUM_THREADS), size // _WORTH_SHARING)
    if shares < 2:
        work(0, size)
        return
    bounds = [size * i // shares for i in range(shares + 1)]
    with ThreadPoolExecutor(shares - 1, thread_name_prefix="mvakit") as pool:
        waiting = [pool.submit(work, bounds[i], bounds[i + 1]) for i in range(1, shares)]
        work(bounds[0], bounds[1])
        for one in waiting:
            one.result()

"""How kernels are compiled: when they are first called, to code that releases the interpreter's lock.

The code is kept in numba's cache, so that the next process need not compile again. Where nothing can be kept, as in a
container without a writable folder, each process compiles for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from numba import njit

__all__ = ["kernel"]

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function with numba."""
    try:
        compiled: Callable[P, R] = njit(nogil=True, cache=True)(function)
    except RuntimeError:  # numba finds no folder for its cache
        compiled = njit(nogil=True)(function)
    return compiled

"""How kernels are compiled: when they are first called, to code that releases the interpreter's lock.

The code is kept in numba's cache, so that the next process need not compile again. Where nothing can be kept, as in a
container without a writable folder, each process compiles for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from numba import njit

__all__ = ["brief_kernel", "kernel"]

P = ParamSpec("P")
R = TypeVar("R")


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function with numba."""
    return _compile(function, nogil=True)


def brief_kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function that takes less time than it takes to release the lock and to take it again."""
    return _compile(function, nogil=False)


def _compile(function: Callable[P, R], *, nogil: bool) -> Callable[P, R]:
    try:
        compiled: Callable[P, R] = njit(nogil=nogil, cache=True)(function)
    except RuntimeError:  # numba finds no folder for its cache
        compiled = njit(nogil=nogil)(function)
    return compiled

"""The way from numbers to pictures: whatever package offers the entry point ``mvakit.display`` draws them."""

from __future__ import annotations

import functools
from importlib.metadata import entry_points
from typing import Any, Final

from mvakit.errors import MissingPackageError

__all__ = ["display"]

GROUP: Final = "mvakit.display"


@functools.cache
def display() -> Any:
    """Return the module that draws.

    Raises
    ------
    MissingPackageError
        If no installed package offers it, or it lacks something it needs.
    """
    for entry in entry_points(group=GROUP):
        try:
            return entry.load()
        except ImportError as error:
            raise MissingPackageError("drawing", error.name or entry.value, "gui") from error
    raise MissingPackageError("drawing", "mvakit_gui", "gui")

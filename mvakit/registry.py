"""From entry points to method classes, each loaded when it is asked for."""

from __future__ import annotations

import functools
import warnings
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from mvakit.errors import MethodError, MvakitWarning, did_you_mean
from mvakit.method import Method

__all__ = ["method_class", "method_names", "refresh"]

GROUP: Final = "mvakit.methods"


@functools.cache
def _found() -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for entry in entry_points(group=GROUP):
        earlier = found.get(entry.name.lower())
        if earlier is not None and earlier.value != entry.value:
            warnings.warn(
                f"the method {entry.name!r} is offered by {earlier.value} and by {entry.value}; the first one is used",
                MvakitWarning,
                stacklevel=3,
            )
            continue
        found.setdefault(entry.name.lower(), entry)
    return found


def refresh() -> None:
    """Look for methods anew, after a package was installed in a running session."""
    _found.cache_clear()
    method_class.cache_clear()


def method_names() -> list[str]:
    """Return the names of the methods that are installed, sorted."""
    return sorted(entry.name for entry in _found().values())


@functools.cache
def method_class(name: str) -> type[Method[Any, Any]]:
    """Return the class of a method by its name, case ignored.

    Raises
    ------
    MethodError
        If no package offers it (the nearest names are listed), or the package fails to load.
    """
    entry = _found().get(str(name).lower())
    if entry is None:
        raise MethodError(
            f"there is no method {str(name)!r}; {did_you_mean(str(name), method_names(), noun='the methods')}"
        )
    try:
        loaded = entry.load()
    except Exception as error:
        raise MethodError(f"the method {entry.name!r} ({entry.value}) cannot be loaded: {error}") from error
    if not (isinstance(loaded, type) and issubclass(loaded, Method)):
        raise MethodError(f"the entry point of {entry.name!r} ({entry.value}) is no subclass of mvakit.method.Method")
    return loaded

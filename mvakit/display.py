"""The way from numbers to pictures: whatever package offers the entry point ``mvakit.display`` draws them."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any, Final

from mvakit.errors import MissingPackageError, MvakitError

__all__ = ["TMVAGui", "display", "mimebundle"]

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


def mimebundle(result: Any) -> dict[str, Any]:
    """Return what a notebook shows of a result: its table, and its chart where a package is installed that draws."""
    bundle: dict[str, Any] = {"text/plain": str(result), "text/html": result._repr_html_()}
    try:
        drawn: dict[str, Any] = display().draw_result(result)
    except MvakitError:
        return bundle
    # The table is part of it: a notebook shows one of the forms that it is offered.
    return bundle | drawn


def TMVAGui(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = "TMVA.root",
    dataset: str | None = None,
    *,
    port: int | None = None,
) -> Any:
    """Open the GUI for a result file, TMVA's own or mvakit's.

    Parameters
    ----------
    files : path-like or sequence of path-like
        A ``TMVA.root``, or several to lay over each other.
    dataset : str, optional
        The dataset to begin with, where there are several.
    port : int, optional
        A free one unless given.

    Returns
    -------
    object or None
        In a notebook or at a prompt the running server, which a notebook shows as a frame, with ``url`` and ``close()``.
        A script waits until Ctrl-C; one without a terminal says how to open the GUI and goes on.

    Raises
    ------
    MissingPackageError
        If the GUI's packages are not installed.
    ResultFileError
        If a file is missing, damaged or no result file.
    """
    return display().TMVAGui(files, dataset, port=port)

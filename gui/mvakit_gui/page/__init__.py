"""The page that shows the views, in a browser: plain HTML, CSS and JavaScript modules, served or packed into a report."""

from __future__ import annotations

import functools
from importlib.resources import files
from typing import Final

__all__ = ["MODULES", "page_file"]

# In the order in which each finds what it imports above it, so that a report can join them into one script.
MODULES: Final = (
    "dom.js",
    "source.js",
    "formula.js",
    "points.js",
    "state.js",
    "theme.js",
    "chart.js",
    "panel.js",
    "picker.js",
    "slider.js",
    "card.js",
    "table.js",
    "main.js",
)


@functools.cache
def page_file(name: str) -> bytes:
    """Return a file of the page, one that the package carries."""
    return files(__name__).joinpath(name).read_bytes()

"""Numbers and titles along the axes. The numbers are plain: a formula for each would take most of a figure's time.

This module imports matplotlib; it is imported when a figure is drawn.
"""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, NullFormatter, ScalarFormatter

__all__ = ["PowerFormatter", "format_ticks", "shrink_to_fit"]


class PowerFormatter(ScalarFormatter):
    """Plain numbers along a linear axis; only the power of ten that they have in common is a formula."""

    def __init__(self) -> None:
        super().__init__(useOffset=False, useMathText=False)

    def get_offset(self) -> str:
        """Return the common power of ten, or an empty string."""
        power: str = super().get_offset()  # "1e−4"
        return rf"$\times 10^{{{power.removeprefix('1e').replace('−', '-')}}}$" if power else ""


def _decade(value: float, position: int | None = None) -> str:  # noqa: ARG001
    exponent = round(math.log10(value)) if value > 0.0 else 0
    return {0: "1", 1: "10"}.get(exponent, f"$10^{{{exponent}}}$")


def shrink_to_fit(text: Text, points: float) -> None:
    """Make a text smaller where it is wider than so many points."""
    from matplotlib.textpath import text_to_path

    content = text.get_text()
    is_formula = content.count("$") > content.count(r"\$")
    width = text_to_path.get_text_width_height_descent(content, text.get_fontproperties(), is_formula)[0]
    if width > points:
        text.set_fontsize(text.get_fontproperties().get_size_in_points() * points / width)


def format_ticks(axes: Axes) -> None:
    """Give both axes these numbers, and keep the power of ten of the horizontal one off its title."""
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            axis.set_major_formatter(FuncFormatter(_decade))
            axis.set_minor_formatter(NullFormatter())
        elif isinstance(axis.get_major_formatter(), ScalarFormatter):
            axis.set_major_formatter(PowerFormatter())
    axes.xaxis.get_offset_text().set(x=1.05, ha="left")

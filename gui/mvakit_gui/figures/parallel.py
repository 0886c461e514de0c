"""Parallel coordinates: one line for each event, across a response and the variables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError
from mvakit_gui.figures.saving import figure_bytes
from mvakit_gui.figures.style import Style, class_looks, drawing, new_figure
from mvakit_gui.figures.text import shown
from mvakit_gui.figures.titles import own_text, title_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

__all__ = ["ParallelEvents", "ParallelFigure", "parallel_figure"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ParallelEvents:
    """Some events of a tree.

    Attributes
    ----------
    method : str
        As the chart shows it; its response is the first axis.
    axes : sequence of str
        Titles of the axes.
    classes : sequence of str
    values : ndarray, shape (n, number of axes)
    class_index : ndarray of int, shape (n,)
    lowest, highest : ndarray, shape (number of axes,)
        Of all events, also of those that are left out.
    total : int
        How many events there are in the tree.
    """

    method: str
    axes: Sequence[str]
    classes: Sequence[str]
    values: FloatArray
    class_index: npt.NDArray[np.int64]
    lowest: FloatArray
    highest: FloatArray
    total: int

    @property
    def scaled(self) -> FloatArray:
        """The values between 0 and 1, one half where all are equal."""
        span = self.highest - self.lowest
        return np.where(span > 0.0, (self.values - self.lowest) / np.where(span > 0.0, span, 1.0), 0.5)


class ParallelFigure(NamedTuple):
    """What `parallel_figure` drew: one collection of lines for each class."""

    figure: Figure
    axes: tuple[Axes, ...]
    lines: tuple[LineCollection, ...]

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.figure)


def parallel_figure(events: ParallelEvents, *, label: str | None = None, style: Style = None) -> ParallelFigure:
    """Draw the events of each class in a frame of its own.

    Parameters
    ----------
    events : ParallelEvents
    label : str, optional
        A line of one's own above the first frame; may contain mathtext.
    style : str or mapping, optional
        See `drawing`.

    Raises
    ------
    DataError
        If there are no events.
    """
    from matplotlib.collections import LineCollection

    if len(events.values) == 0:
        raise DataError(f"{events.method}: there are no events to draw")
    number = len(events.axes)
    positions = np.arange(number, dtype=np.float64)
    with drawing(style):
        figure = new_figure(max(8.0, 1.5 * number + 1.0), 3.6 * len(events.classes) + 0.6)
        axes, lines = [], []
        for index, (name, look) in enumerate(zip(events.classes, class_looks(len(events.classes)), strict=True)):
            one = figure.add_subplot(len(events.classes), 1, index + 1)
            chosen = events.scaled[events.class_index == index]
            segments = [np.column_stack([positions, row]) for row in chosen]
            drawn = LineCollection(segments, colors=look.line, linewidths=0.5, alpha=0.25, rasterized=True)
            one.add_collection(drawn)
            for position in positions:
                one.axvline(position, color="0.4", linewidth=0.8)
            one.set_xlim(-0.3, number - 0.7)
            one.set_ylim(-0.02, 1.02)
            one.set_xticks(positions, [title_text(title, 16) for title in events.axes], fontsize=12)
            one.set_yticks([0.0, 1.0], ["min", "max"])
            one.tick_params(which="both", length=0)
            one.set_title(shown(name, 28), loc="right", fontsize="small")
            axes.append(one)
            lines.append(drawn)
        if label:
            axes[0].set_title(own_text(label), loc="left")
    return ParallelFigure(figure, tuple(axes), tuple(lines))

"""How far a regression is off, as a function of a variable or of the target itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mvakit.errors import DataError
from mvakit.resultfile import Histogram2D
from mvakit_gui.figures.saving import figure_bytes
from mvakit_gui.figures.style import Style, drawing, headroom, line_looks, new_figure
from mvakit_gui.figures.text import shown
from mvakit_gui.figures.titles import axis_text, own_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.container import ErrorbarContainer
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = [
    "AverageDeviation",
    "AverageDeviationFigure",
    "DeviationFigure",
    "average_deviation_figure",
    "deviation_figure",
]

_KINDS = (("o", True), ("o", False), ("s", True), ("s", False))


class DeviationFigure(NamedTuple):
    """What `deviation_figure` drew: the bins, and the mean deviation in each bin of the horizontal axis."""

    figure: Figure
    axes: Axes
    mesh: QuadMesh
    mean: Line2D

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.figure)


def deviation_figure(
    title: str, histogram: Histogram2D, *, label: str | None = None, style: Style = None
) -> DeviationFigure:
    """Draw the distribution of regression minus true target against a variable or the target.

    Parameters
    ----------
    title : str
        Of the method.
    histogram : Histogram2D
        As ``MVA_<title>test_reg_tgt0_rtgt0``: the deviation is on the vertical axis.
    label : str, optional
        A line of one's own above the frame; may contain mathtext.
    style : str or mapping, optional
        See `drawing`.

    Raises
    ------
    DataError
        If the histogram is empty.
    """
    from mvakit_gui.figures.ticks import format_ticks

    values = histogram.values.T
    if not np.any(values > 0.0):
        raise DataError(f"histogram {histogram.name!r} is empty")
    centers = 0.5 * (histogram.y_edges[1:] + histogram.y_edges[:-1])
    columns = values.sum(axis=0)
    filled = columns > 0.0
    mean = (centers[:, None] * values).sum(axis=0)[filled] / columns[filled]
    middles = 0.5 * (histogram.x_edges[1:] + histogram.x_edges[:-1])
    with drawing(style):
        figure = new_figure(8.8, 6.6)
        axes = figure.add_subplot()
        shade = np.ma.masked_less_equal(values, 0.0)
        mesh = axes.pcolormesh(histogram.x_edges, histogram.y_edges, shade, cmap="Blues", vmin=0.0)
        axes.axhline(0.0, color="0.4", linewidth=1.0, linestyle=":")
        (line,) = axes.plot(
            middles[filled], mean, color="#d1440c", marker="o", markersize=4.0, linewidth=1.2, label="Mean"
        )
        bar = figure.colorbar(mesh, cax=axes.inset_axes((1.025, 0.0, 0.035, 1.0)))
        bar.set_label("Events per bin")
        headroom(axes, float(histogram.y_edges[-1]), 1, 6.6, bottom=float(histogram.y_edges[0]))
        axes.set_xlabel(axis_text(histogram.x_title))
        axes.set_ylabel(axis_text(histogram.y_title))
        axes.legend(loc="upper right")
        axes.set_title(shown(title), loc="right")
        if label:
            axes.set_title(own_text(label), loc="left")
        format_ticks(axes)
    return DeviationFigure(figure, axes, mesh, line)


@dataclass(frozen=True, slots=True)
class AverageDeviation:
    """The root of the mean squared deviation of a method from a target.

    Attributes
    ----------
    method : str
    kind : str
        Of which events: ``"test sample, all"``.
    value, error : float
        With its standard uncertainty.
    """

    method: str
    kind: str
    value: float
    error: float


class AverageDeviationFigure(NamedTuple):
    """What `average_deviation_figure` drew: points with errors, one container for each kind of events."""

    figure: Figure
    axes: Axes
    points: tuple[ErrorbarContainer, ...]

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.figure)


def average_deviation_figure(
    deviations: Sequence[AverageDeviation], *, label: str | None = None, style: Style = None
) -> AverageDeviationFigure:
    """Draw the average deviations of all methods from a target.

    Parameters
    ----------
    deviations : sequence of AverageDeviation
    label : str, optional
        A line of one's own above the frame; may contain mathtext.
    style : str or mapping, optional
        See `drawing`.

    Raises
    ------
    DataError
        If there is none.
    """
    from mvakit_gui.figures.ticks import format_ticks

    if not deviations:
        raise DataError("there are no deviations to draw")
    titles = list(dict.fromkeys(d.method for d in deviations))
    kinds = list(dict.fromkeys(d.kind for d in deviations))
    with drawing(style):
        figure = new_figure(9.0, 3.0 + 0.55 * len(titles))
        axes = figure.add_subplot()
        points = []
        for number, (kind, look) in enumerate(zip(kinds, line_looks(len(kinds)), strict=True)):
            chosen = [d for d in deviations if d.kind == kind]
            marker, filled = _KINDS[number % len(_KINDS)]
            points.append(
                axes.errorbar(
                    [d.value for d in chosen],
                    [titles.index(d.method) + 0.18 * (number - 0.5 * (len(kinds) - 1)) for d in chosen],
                    xerr=[d.error for d in chosen],
                    linestyle="none",
                    marker=marker,
                    color=look["color"],
                    markerfacecolor=look["color"] if filled else "white",
                    label=kind,
                )
            )
        axes.set_yticks(range(len(titles)), [shown(title, 28) for title in titles])
        axes.tick_params(axis="y", which="both", length=0)
        axes.set_ylim(len(titles) - 0.5, -0.5)
        axes.set_xlim(left=0.0)
        axes.set_xlabel("Average deviation from the target")
        format_ticks(axes)
        figure.legend(loc="outside upper left", ncols=2)
        if label:
            axes.set_title(own_text(label), loc="left")
    return AverageDeviationFigure(figure, axes, tuple(points))

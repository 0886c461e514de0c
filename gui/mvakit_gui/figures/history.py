"""What a training recorded of itself, epoch by epoch or tree by tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from mvakit.errors import DataError
from mvakit.evaluation import Curve
from mvakit_gui.figures.saving import MakeChart, figure_bytes, mimebundle
from mvakit_gui.figures.style import Style, drawing, headroom, line_looks, new_figure
from mvakit_gui.figures.text import shown
from mvakit_gui.figures.titles import axis_text, own_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = ["HistoryFigure", "axis_titles", "history_figure", "is_jumping"]

# Titles in TMVA's files that say little, or nothing at all.
_CLEARER: Final = {
    "#tree": "Tree",
    "#tree nodes": "Nodes",
    "boost weight": "Boost weight",
    "error fraction": "Error fraction",
}
_MAX_PANELS: Final = 6


class HistoryFigure(NamedTuple):
    """What `history_figure` drew; `lines` has one line for each curve, in the order given."""

    figure: Figure
    axes: tuple[Axes, ...]
    lines: tuple[Line2D, ...]
    make_chart: MakeChart | None = None

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.figure)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return mimebundle(self.figure, self.make_chart)


def history_figure(
    title: str, curves: Sequence[Curve], *, label: str | None = None, style: Style = None
) -> HistoryFigure:
    """Draw the monitoring curves of one training; those with the same axis titles share a panel.

    Parameters
    ----------
    title : str
        Of the method.
    curves : sequence of Curve
    label : str, optional
        A line of one's own above the first panel; may contain mathtext.
    style : str or mapping, optional
        See `drawing`.

    Raises
    ------
    DataError
        If there is no curve, one has no finite point, or they need more than six panels.
    """
    from matplotlib.ticker import MaxNLocator

    from mvakit_gui.figures.ticks import format_ticks

    panels: dict[tuple[str, str], list[int]] = {}
    for i, curve in enumerate(curves):
        if len(curve.x) != len(curve.y) or not (np.isfinite(curve.x) & np.isfinite(curve.y)).any():
            raise DataError(f"{title}: the curve {curve.name!r} has no points to draw")
        panels.setdefault(axis_titles(curve), []).append(i)
    if not 1 <= len(panels) <= _MAX_PANELS:
        raise DataError(f"{title}: the curves need {len(panels)} panels; a figure has 1 to {_MAX_PANELS}")
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    width = 8.0 if columns == 1 else 5.8 * columns
    lines: dict[int, Line2D] = {}
    with drawing(style):
        figure = new_figure(width, 5.6 * rows)
        axes = []
        for position, ((x_title, y_title), members) in enumerate(panels.items()):
            one = figure.add_subplot(rows, columns, position + 1)
            for place, (look, i) in enumerate(zip(line_looks(len(members)), members, strict=True)):
                curve = curves[i]
                name = shown(curve.title or curve.name, 32)
                (lines[i],) = one.plot(curve.x, curve.y, label=name, **_drawn(curve, look, place))
            one.set_xlabel(axis_text(x_title))
            one.set_ylabel(axis_text(y_title))
            one.margins(x=0.02)
            if len(members) > 1:
                bottom, top = one.get_ylim()
                headroom(one, top, len(members), 5.6, bottom=bottom)
                one.legend(loc="upper left")
            for axis, name in ((one.xaxis, "x"), (one.yaxis, "y")):
                values = np.concatenate([getattr(curves[i], name) for i in members])
                if np.array_equal(values, np.rint(values)):
                    axis.set_major_locator(MaxNLocator(integer=True))
            format_ticks(one)
            axes.append(one)
        axes[-1].set_title(shown(title), loc="right")
        if label:
            axes[0].set_title(own_text(label), loc="left")
    return HistoryFigure(figure, tuple(axes), tuple(lines[i] for i in range(len(curves))))


def axis_titles(curve: Curve) -> tuple[str, str]:
    """Return what the axes of a curve are called."""
    estimator = curve.name.startswith("estimatorHist")
    x = curve.x_title or ("Epoch" if estimator else "Step")
    y = curve.y_title or ("Estimator" if estimator else curve.title or curve.name)
    return _CLEARER.get(x, x), _CLEARER.get(y, y)


def is_jumping(curve: Curve) -> bool:
    """Return whether a curve jumps from tree to tree, so that a line would say nothing."""
    return "#tree" in curve.x_title.lower()


def _drawn(curve: Curve, look: dict[str, Any], place: int) -> dict[str, Any]:
    """Return the look of a curve: points for what jumps from tree to tree, a line for what develops."""
    if is_jumping(curve):
        # The first one hollow and larger, so that equal points of a second one show inside.
        size = 8.0 if len(curve.x) <= 100 else 5.0
        hollow = {"markersize": size, "markerfacecolor": "none"} if place == 0 else {"markersize": 0.5 * size}
        return {"color": look["color"], "linestyle": "none", "marker": "o", "markeredgewidth": 0.7, **hollow}
    return {**look, "marker": "o" if len(curve.x) <= 25 else ""}

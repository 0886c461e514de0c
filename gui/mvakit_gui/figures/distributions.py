"""Histograms of the classes over each other: responses, the overtraining check, input variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from mvakit.errors import DataError
from mvakit.evaluation.results import KolmogorovSmirnov
from mvakit_gui.densities import AnyHistogram, Density, check_bins, density_of
from mvakit_gui.figures.saving import MakeChart, figure_bytes, mimebundle
from mvakit_gui.figures.style import (
    LEGEND_MARGIN,
    LEGEND_ROW,
    ClassLook,
    Style,
    class_looks,
    drawing,
    headroom,
    new_figure,
)
from mvakit_gui.figures.text import shown
from mvakit_gui.figures.titles import axis_text, own_text, title_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import ErrorbarContainer
    from matplotlib.figure import Figure
    from matplotlib.patches import StepPatch
    from matplotlib.text import Text

__all__ = [
    "AnyHistogram",
    "OvertrainingFigure",
    "ResponseFigure",
    "VariablePanel",
    "VariablesFigure",
    "overtraining_figure",
    "response_figure",
    "variables_figure",
]


_PANELS_PER_PAGE: Final = 6
# Of a figure of one response, and of a panel in a grid, in inches.
_WIDTH: Final = 8.0
_HEIGHT: Final = 6.4
_PANEL_WIDTH: Final = 5.4
_PANEL_HEIGHT: Final = 4.6


class ResponseFigure(NamedTuple):
    """What `response_figure` drew; `filled` has one outline for each class, in the order given."""

    figure: Figure
    axes: Axes
    filled: tuple[StepPatch, ...]

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.figure)


class OvertrainingFigure(NamedTuple):
    """What `overtraining_figure` drew: test samples, training samples, and the line of probabilities, if any."""

    figure: Figure
    axes: Axes
    test: tuple[StepPatch, ...]
    training: tuple[ErrorbarContainer, ...]
    ks: Text | None
    make_chart: MakeChart | None = None

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.figure)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return mimebundle(self.figure, self.make_chart)


class VariablesFigure(NamedTuple):
    """What `variables_figure` drew: `filled` has, for each panel, one outline for each class."""

    figure: Figure
    axes: tuple[Axes, ...]
    filled: tuple[tuple[StepPatch, ...], ...]

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.figure)


@dataclass(frozen=True, slots=True, eq=False)
class VariablePanel:
    """One variable of a grid.

    Attributes
    ----------
    title, unit : str
        For the axis.
    histograms : mapping of str to Histogram or Histogram1D
        By class, signal first; of equal bins.
    """

    title: str
    unit: str
    histograms: Mapping[str, AnyHistogram]


def _fill(axes: Axes, density: Density, look: ClassLook, label: str) -> StepPatch:
    """Draw a filled or hatched outline and return it."""
    # What mplhep.histplot ends in; that one imports SciPy's statistics for errors that are known here.
    return axes.stairs(
        density.values,
        density.edges,
        fill=True,
        label=label,
        facecolor=look.fill or "none",
        edgecolor=look.line,
        hatch=look.hatch,
        linewidth=1.6,
    )


def _points(axes: Axes, density: Density, look: ClassLook, label: str) -> ErrorbarContainer:
    """Draw points with errors where there is anything, and return them."""
    there = (density.values != 0.0) | (density.errors != 0.0)
    return axes.errorbar(
        density.centers[there],
        density.values[there],
        yerr=density.errors[there],
        xerr=0.5 * np.diff(density.edges)[there],
        linestyle="none",
        marker=look.marker,
        markersize=5.5,
        color=look.line,
        markerfacecolor=look.line if look.fill else "white",
        markeredgewidth=1.3,
        elinewidth=1.3,
        label=label,
        zorder=4,
    )


def _density_title(unit: str = "") -> str:
    return "(1/N) dN/dx" + (f" [1/{title_text(unit, 12)}]" if unit.strip() else "")


def _flow_note(axes: Axes, densities: Sequence[tuple[str, Density]]) -> None:
    """Say, outside the right edge, which part of each class is not to be seen, if any."""
    if any(density.outside > 0.0 for _, density in densities):
        text = ", ".join(f"{shown(name, 16)} {_percent(density.outside)}" for name, density in densities)
        axes.annotate(
            f"outside: {text}", (1.0, 0.0), (4, 0), xycoords="axes fraction", textcoords="offset points",
            rotation=90, ha="left", va="bottom", fontsize=10, color="0.3",
        )  # fmt: skip


def _percent(fraction: float) -> str:
    if fraction == 0.0:
        return "0 %"
    return f"{100 * fraction:.1f} %" if fraction >= 0.0005 else "< 0.1 %"


def _titles(axes: Axes, x_title: str, y_title: str, label: str | None, width: float = _WIDTH) -> None:
    from mvakit_gui.figures.ticks import format_ticks, shrink_to_fit

    axes.set_xlabel(x_title)
    shrink_to_fit(axes.xaxis.label, 0.84 * 72 * width)
    axes.set_ylabel(y_title)
    if label:
        axes.set_title(own_text(label), loc="left")
    format_ticks(axes)


def response_figure(
    histograms: Mapping[str, AnyHistogram],
    x_title: str,
    *,
    logy: bool = False,
    label: str | None = None,
    style: Style = None,
) -> ResponseFigure:
    """Draw the classes' distributions of a response, each scaled to unit area.

    Parameters
    ----------
    histograms : mapping of str to Histogram or Histogram1D
        By class, signal first; of equal bins.
    x_title : str
        Shown literally.
    logy : bool
        A logarithmic vertical axis.
    label : str, optional
        A line of one's own above the frame; may contain mathtext.
    style : str or mapping, optional
        See `drawing`.

    Raises
    ------
    DataError
        If there is no histogram, one is empty, or their bins differ.
    """
    check_bins(histograms.items(), x_title)
    densities = [(name, density_of(histogram)) for name, histogram in histograms.items()]
    with drawing(style):
        figure = new_figure(_WIDTH, _HEIGHT)
        axes = figure.add_subplot()
        filled = tuple(
            _fill(axes, density, look, shown(name, 28))
            for (name, density), look in zip(densities, class_looks(len(densities)), strict=True)
        )
        columns = 2 if len(densities) > 1 else 1
        _vertical(axes, [density for _, density in densities], -(-len(densities) // columns), logy=logy)
        axes.set_xlim(densities[0][1].edges[0], densities[0][1].edges[-1])
        _flow_note(axes, densities)
        axes.legend(loc="upper left", ncols=columns)
        _titles(axes, shown(x_title), _density_title(), label)
    return ResponseFigure(figure, axes, filled)


def _vertical(
    axes: Axes, densities: Sequence[Density], rows: float, height: float = _HEIGHT, *, logy: bool = False
) -> None:
    """Set the vertical range: everything below `rows` rows of legend."""
    top = max(density.top for density in densities)
    bottom = min(0.0, *(float(density.values.min()) for density in densities))
    if not logy:
        headroom(axes, top, rows, height, bottom=1.05 * bottom)
        return
    smallest = min(float(d.values[d.values > 0.0].min()) for d in densities)
    axes.set_yscale("log")
    axes.set_ylim(0.5 * smallest, top * (top / (0.5 * smallest)) ** (0.08 * rows + 0.1))


def overtraining_figure(
    title: str,
    test: Mapping[str, AnyHistogram],
    training: Mapping[str, AnyHistogram],
    ks: Mapping[str, KolmogorovSmirnov | float] | None = None,
    *,
    logy: bool = False,
    label: str | None = None,
    style: Style = None,
) -> OvertrainingFigure:
    """Draw a response in the test sample (filled) and in the training sample (points with errors), at unit area.

    Parameters
    ----------
    title : str
        Of the method.
    test, training : mapping of str to Histogram or Histogram1D
        By class, signal first; of equal bins.
    ks : mapping of str to KolmogorovSmirnov or float, optional
        The probability, class by class, that both samples come from one distribution; printed in the figure.
    logy : bool
        A logarithmic vertical axis.
    label : str, optional
        A line of one's own above the frame; may contain mathtext.
    style : str or mapping, optional
        See `drawing`.

    Raises
    ------
    DataError
        If the classes of the two samples differ, a histogram is empty, or their bins differ.
    """
    if list(test) != list(training):
        raise DataError(f"{title}: the test sample has the classes {list(test)}, the training sample {list(training)}")
    check_bins([*test.items(), *((f"{name} in training", h) for name, h in training.items())], title)
    tested = [(name, density_of(histogram)) for name, histogram in test.items()]
    trained = [(name, density_of(histogram)) for name, histogram in training.items()]
    with drawing(style):
        figure = new_figure(_WIDTH, _HEIGHT)
        axes = figure.add_subplot()
        looks = class_looks(len(tested))
        filled = tuple(
            _fill(axes, density, look, f"{shown(name, 20)} (test)")
            for (name, density), look in zip(tested, looks, strict=True)
        )
        points = tuple(
            _points(axes, density, look, f"{shown(name, 20)} (training)")
            for (name, density), look in zip(trained, looks, strict=True)
        )
        _vertical(axes, [density for _, density in (*tested, *trained)], len(tested) + bool(ks), logy=logy)
        axes.set_xlim(tested[0][1].edges[0], tested[0][1].edges[-1])
        _flow_note(axes, tested)
        axes.legend(loc="upper left", ncols=2, columnspacing=1.2)
        text = _ks_line(axes, ks, len(tested)) if ks else None
        _titles(axes, f"{shown(title)} response", _density_title(), label)
    return OvertrainingFigure(figure, axes, filled, points, text)


def _ks_line(axes: Axes, ks: Mapping[str, KolmogorovSmirnov | float], rows: int) -> Text:
    """Write the probabilities below the legend's rows."""
    values = ", ".join(f"{shown(name, 20)} {float(value):.3g}" for name, value in ks.items())
    return axes.annotate(
        f"K–S probability: {values}", (0.0, 1.0), (LEGEND_MARGIN, -(LEGEND_MARGIN + rows * LEGEND_ROW)),
        xycoords="axes fraction", textcoords="offset points", ha="left", va="top", fontsize="small",
    )  # fmt: skip


def variables_figure(
    panels: Sequence[VariablePanel], *, label: str | None = None, style: Style = None
) -> VariablesFigure:
    """Draw the classes' distributions of up to six variables, each scaled to unit area, in a grid.

    Parameters
    ----------
    panels : sequence of VariablePanel
        Between one and six of them, all of the same classes.
    label : str, optional
        A line of one's own above the first panel; may contain mathtext.
    style : str or mapping, optional
        See `drawing`.

    Raises
    ------
    DataError
        If there is no panel or too many, a histogram is empty, or bins or classes differ.
    """
    if not 1 <= len(panels) <= _PANELS_PER_PAGE:
        raise DataError(f"a page shows 1 to {_PANELS_PER_PAGE} variables, not {len(panels)}")
    classes = list(panels[0].histograms)
    for panel in panels:
        if list(panel.histograms) != classes:
            raise DataError(f"{panel.title}: the classes are {list(panel.histograms)}, but {classes} before")
        check_bins(panel.histograms.items(), panel.title)
    rows, columns = {1: (1, 1), 2: (1, 2), 3: (1, 3), 4: (2, 2)}.get(len(panels), (2, 3))
    with drawing(style):
        figure = new_figure(_PANEL_WIDTH * columns + 1.2, _PANEL_HEIGHT * rows + 0.6)
        grid = figure.add_gridspec(rows, columns)
        axes = tuple(figure.add_subplot(grid[i // columns, i % columns]) for i in range(len(panels)))
        filled = tuple(_panel(one, panel) for one, panel in zip(axes, panels, strict=True))
        figure.legend(
            handles=list(filled[0]), labels=[shown(name, 28) for name in classes],
            loc="outside upper right", ncols=len(classes), fontsize="medium" if columns > 1 else "small",
        )  # fmt: skip
        if label:
            axes[0].set_title(own_text(label), loc="left")
    return VariablesFigure(figure, axes, filled)


def _panel(axes: Axes, panel: VariablePanel) -> tuple[StepPatch, ...]:
    densities = [(name, density_of(histogram)) for name, histogram in panel.histograms.items()]
    filled = tuple(
        _fill(axes, density, look, "_")
        for (_, density), look in zip(densities, class_looks(len(densities)), strict=True)
    )
    _vertical(axes, [density for _, density in densities], 0.2, _PANEL_HEIGHT)
    axes.set_xlim(densities[0][1].edges[0], densities[0][1].edges[-1])
    _flow_note(axes, densities)
    _titles(axes, axis_text(panel.title, panel.unit, 28), _density_title(panel.unit), None, _PANEL_WIDTH)
    return filled

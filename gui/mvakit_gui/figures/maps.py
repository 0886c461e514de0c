"""Figures of two dimensions: pairs of variables with their profiles, and quantities over pairs as of a foam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError
from mvakit.resultfile import Histogram2D, Profile
from mvakit_gui.figures.saving import figure_bytes
from mvakit_gui.figures.style import Style, drawing, new_figure
from mvakit_gui.figures.text import shown
from mvakit_gui.figures.titles import axis_text, own_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.figure import Figure

__all__ = ["MapFigure", "MapPanel", "PairPanel", "map_figure", "pair_figure", "profile_of", "rebinned"]

FloatArray = npt.NDArray[np.float64]
_MOST: Final = 6
_BINS: Final = 60


@dataclass(frozen=True, slots=True, eq=False)
class PairPanel:
    """A pair of variables.

    Attributes
    ----------
    x_title, y_title : str
    histogram : Histogram2D
    profile : Profile
        The mean of y in bins of x.
    """

    x_title: str
    y_title: str
    histogram: Histogram2D
    profile: Profile


@dataclass(frozen=True, slots=True, eq=False)
class MapPanel:
    """A quantity over two variables.

    Attributes
    ----------
    title, x_title, y_title : str
    x_edges, y_edges : ndarray, shapes (nx + 1,), (ny + 1,)
    values : ndarray, shape (nx, ny)
    """

    title: str
    x_title: str
    y_title: str
    x_edges: FloatArray
    y_edges: FloatArray
    values: FloatArray


class MapFigure(NamedTuple):
    """What was drawn: one mesh for each panel."""

    figure: Figure
    axes: tuple[Axes, ...]
    meshes: tuple[QuadMesh, ...]

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.figure)


def _joined(edges: FloatArray, bins: int) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Return the edges of about so many bins, and where each of them begins."""
    step = max(1, (len(edges) - 1) // bins)
    starts = np.arange(0, len(edges) - 1, step)
    return np.append(edges[:-1][starts], edges[-1]), starts


def rebinned(histogram: Histogram2D, bins: int) -> Histogram2D:
    """Return a histogram with neighbouring bins joined, so that there are about `bins` each way."""
    x_edges, columns = _joined(histogram.x_edges, bins)
    y_edges, lines = _joined(histogram.y_edges, bins)
    values = np.add.reduceat(np.add.reduceat(histogram.values, columns, axis=0), lines, axis=1)
    return replace(histogram, x_edges=x_edges, y_edges=y_edges, values=values, variances=None)


def profile_of(histogram: Histogram2D, bins: int) -> Profile:
    """Return the mean of y in about so many bins of x, from the bins of a histogram: good to the width of these in y."""
    variances = np.abs(histogram.values) if histogram.variances is None else histogram.variances
    y = 0.5 * (histogram.y_edges[1:] + histogram.y_edges[:-1])
    edges, starts = _joined(histogram.x_edges, bins)
    sums = [
        values.sum(axis=1) for values in (histogram.values, variances, histogram.values * y, histogram.values * y**2)
    ]
    weight, weight2, wy, wy2 = (np.add.reduceat(values, starts) for values in sums)
    return Profile(
        histogram.name, histogram.title, edges, weight, weight2, wy, wy2, histogram.x_title, histogram.y_title
    )


def _grid(number: int) -> tuple[int, int]:
    if not 1 <= number <= _MOST:
        raise DataError(f"a page shows 1 to {_MOST} pairs, not {number}")
    return {1: (1, 1), 2: (1, 2), 3: (1, 3), 4: (2, 2)}.get(number, (2, 3))


def pair_figure(
    panels: Sequence[PairPanel], title: str = "", *, label: str | None = None, style: Style = None
) -> MapFigure:
    """Draw pairs of variables: events per bin, and the profile over them.

    Parameters
    ----------
    panels : sequence of PairPanel
        Between one and six.
    title : str
        Above the last panel: of which class they are.
    label : str, optional
        A line of one's own above the first panel; may contain mathtext.
    style : str or mapping, optional
        See `drawing`.

    Raises
    ------
    DataError
        If there is no panel or too many, or a histogram is empty.
    """
    from mvakit_gui.figures.ticks import format_ticks

    rows, columns = _grid(len(panels))
    with drawing(style):
        figure = new_figure(5.6 * columns + 0.4, 4.8 * rows + 0.4)
        axes, meshes = [], []
        for position, panel in enumerate(panels):
            histogram = rebinned(panel.histogram, _BINS)
            if not np.any(histogram.values > 0.0):
                raise DataError(f"histogram {panel.histogram.name!r} is empty")
            one = figure.add_subplot(rows, columns, position + 1)
            shade = np.ma.masked_less_equal(histogram.values.T, 0.0)
            meshes.append(
                one.pcolormesh(histogram.x_edges, histogram.y_edges, shade, cmap="Blues", vmin=0.0, rasterized=True)
            )
            there = panel.profile.weight > 0.0
            one.errorbar(
                panel.profile.centers[there], panel.profile.values[there], yerr=panel.profile.errors[there],
                linestyle="none", marker="o", markersize=3.0, color="#d1440c", elinewidth=1.0,
            )  # fmt: skip
            one.set_xlim(histogram.x_edges[0], histogram.x_edges[-1])
            one.set_ylim(histogram.y_edges[0], histogram.y_edges[-1])
            one.set_xlabel(axis_text(panel.x_title, limit=28))
            one.set_ylabel(axis_text(panel.y_title, limit=28))
            format_ticks(one)
            axes.append(one)
        if title:
            axes[-1].set_title(shown(title), loc="right")
        if label:
            axes[0].set_title(own_text(label), loc="left")
    return MapFigure(figure, tuple(axes), tuple(meshes))


def map_figure(panels: Sequence[MapPanel], what: str, *, label: str | None = None, style: Style = None) -> MapFigure:
    """Draw a quantity over pairs of variables.

    Parameters
    ----------
    panels : sequence of MapPanel
        Between one and six.
    what : str
        The quantity, for the scales of colours.
    label : str, optional
        A line of one's own above the first panel; may contain mathtext.
    style : str or mapping, optional
        See `drawing`.

    Raises
    ------
    DataError
        If there is no panel or too many.
    """
    from mvakit_gui.figures.ticks import format_ticks

    rows, columns = _grid(len(panels))
    with drawing(style):
        figure = new_figure(6.4 * columns + 0.4, 5.0 * rows + 0.4)
        axes, meshes = [], []
        for position, panel in enumerate(panels):
            one = figure.add_subplot(rows, columns, position + 1)
            mesh = one.pcolormesh(panel.x_edges, panel.y_edges, panel.values.T, cmap="viridis", rasterized=True)
            bar = figure.colorbar(mesh, ax=one)
            bar.set_label(shown(what))
            one.set_xlabel(axis_text(panel.x_title, limit=28))
            one.set_ylabel(axis_text(panel.y_title, limit=28))
            one.set_title(shown(panel.title, 36), loc="right", fontsize="small")
            format_ticks(one)
            axes.append(one)
            meshes.append(mesh)
        if label:
            axes[0].set_title(own_text(label), loc="left")
    return MapFigure(figure, tuple(axes), tuple(meshes))

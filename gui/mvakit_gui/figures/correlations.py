"""Matrices of linear correlations, in percent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError
from mvakit_gui.figures.saving import MakeChart, figure_bytes, mimebundle
from mvakit_gui.figures.style import Style, drawing, new_figure
from mvakit_gui.figures.text import shown
from mvakit_gui.figures.titles import own_text, title_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from matplotlib.text import Text
    from matplotlib.ticker import Locator

__all__ = ["CorrelationFigure", "correlation_figure"]

_MAX_NUMBERED: Final = 60


class CorrelationFigure(NamedTuple):
    """What `correlation_figure` drew; ``cells[i][j]`` is the number in row i, column j.

    More than 60 variables leave no room for numbers: there are no cells then.
    """

    figure: Figure
    axes: Axes
    mesh: QuadMesh
    cells: tuple[tuple[Text, ...], ...]
    make_chart: MakeChart | None = None

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.figure)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return mimebundle(self.figure, self.make_chart)


def correlation_figure(
    names: Sequence[str],
    percent: npt.ArrayLike,
    title: str = "",
    *,
    label: str | None = None,
    style: Style = None,
) -> CorrelationFigure:
    """Draw a correlation matrix with its numbers, the first variable at the lower left, as TMVA does.

    Parameters
    ----------
    names : sequence of str
        Titles of the variables, shown literally.
    percent : array, shape (n, n)
        Linear correlation coefficients in percent; NaN where one is not defined.
    title : str
        Above the frame: of which class it is.
    label : str, optional
        A line of one's own above that; may contain mathtext.
    style : str or mapping, optional
        See `drawing`.

    Raises
    ------
    DataError
        If the matrix is empty, or its shape does not fit the names.
    """
    matrix = np.asarray(percent, dtype=np.float64)
    number = len(names)
    if number == 0 or matrix.shape != (number, number):
        raise DataError(f"a correlation matrix of {number} variables has shape {(number, number)}, not {matrix.shape}")
    with drawing(style):
        side = float(np.clip(4.4 + 0.42 * number, 5.6, 18.0))
        figure = new_figure(side + 1.9, side + 0.6)
        axes = figure.add_subplot()
        edges = np.arange(number + 1)
        mesh = axes.pcolormesh(edges, edges, np.ma.masked_invalid(matrix), cmap=_colours(), vmin=-100.0, vmax=100.0)
        pitch = 72.0 * 0.72 * side / number
        size = float(np.clip(0.36 * pitch, 6.0, 16.0))
        cells = tuple(
            tuple(_cell(axes, row, column, matrix[row, column], size) for column in range(number))
            for row in range(number if number <= _MAX_NUMBERED else 0)
        )
        _ticks(axes, names, float(np.clip(0.8 * pitch, 3.0, min(15.0, max(9.0, 1.25 * size)))))
        bar = figure.colorbar(mesh, cax=axes.inset_axes((1.025, 0.0, 0.035, 1.0)), ticks=np.arange(-100, 101, 50))
        bar.set_label("Linear correlation coefficient [%]")
        bar.minorticks_off()
        heading = [own_text(label)] if label else []
        heading += [shown(title)] if title else []
        if heading:
            axes.set_title("\n".join(heading), loc="left")
    return CorrelationFigure(figure, axes, mesh, cells)


def _cell(axes: Axes, row: int, column: int, value: float, size: float) -> Text:
    text = "–" if np.isnan(value) else str(round(value)).replace("-", "−")
    colour = "white" if abs(value) > 75 else "black"
    return axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=size, color=colour)


def _ticks(axes: Axes, names: Sequence[str], size: float) -> None:
    positions = np.arange(len(names)) + 0.5
    upright = sum(min(len(name), 20) for name in names) > 40
    titles = [title_text(name, 20) for name in names]
    axes.set_xticks(positions, titles, rotation=60 if upright else 0, ha="right" if upright else "center")
    axes.set_yticks(positions, titles)
    for which in (axes.xaxis, axes.yaxis):
        which.set_minor_locator(_no_ticks())
    axes.tick_params(which="both", length=0, labelsize=size)
    if upright:
        for text in axes.get_xticklabels():
            text.set_rotation_mode("anchor")


def _colours() -> Colormap:
    """Return blue over white to red without the darkest ends, on which numbers are hard to read."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    return ListedColormap(colormaps["RdBu_r"](np.linspace(0.12, 0.88, 256)))


def _no_ticks() -> Locator:
    from matplotlib.ticker import NullLocator

    return NullLocator()

"""PDFs that were made of histograms, over these: of responses, and of the variables of a likelihood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from mvakit.errors import DataError
from mvakit_gui.densities import AnyHistogram, density_of
from mvakit_gui.figures.saving import figure_bytes
from mvakit_gui.figures.style import Style, class_looks, drawing, headroom, new_figure
from mvakit_gui.figures.text import shown
from mvakit_gui.figures.titles import axis_text, own_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = ["PdfFigure", "PdfPanel", "pdf_figure"]

_MOST: Final = 6


@dataclass(frozen=True, slots=True, eq=False)
class PdfPanel:
    """One variable, or one response.

    Attributes
    ----------
    title : str
        For the axis.
    histograms : mapping of str to Histogram or Histogram1D
        By class, signal first.
    pdfs : mapping of str to Histogram or Histogram1D
        What was made of them, in fine bins; by class.
    """

    title: str
    histograms: Mapping[str, AnyHistogram]
    pdfs: Mapping[str, AnyHistogram]


class PdfFigure(NamedTuple):
    """What `pdf_figure` drew: `lines` has, for each panel, one PDF for each class."""

    figure: Figure
    axes: tuple[Axes, ...]
    lines: tuple[tuple[Line2D, ...], ...]

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.figure)


def pdf_figure(panels: Sequence[PdfPanel], *, label: str | None = None, style: Style = None) -> PdfFigure:
    """Draw histograms as points and the PDFs that were made of them as lines, all scaled to unit area.

    Parameters
    ----------
    panels : sequence of PdfPanel
        Between one and six.
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

    if not 1 <= len(panels) <= _MOST:
        raise DataError(f"a page shows 1 to {_MOST} PDFs, not {len(panels)}")
    rows, columns = {1: (1, 1), 2: (1, 2), 3: (1, 3), 4: (2, 2)}.get(len(panels), (2, 3))
    width, height = (8.0, 6.4) if len(panels) == 1 else (5.4 * columns + 1.2, 4.8 * rows + 0.6)
    with drawing(style):
        figure = new_figure(width, height)
        axes, lines = [], []
        for position, panel in enumerate(panels):
            one = figure.add_subplot(rows, columns, position + 1)
            drawn, top = [], 0.0
            for look, (name, histogram) in zip(
                class_looks(len(panel.histograms)), panel.histograms.items(), strict=True
            ):
                density = density_of(histogram)
                there = density.values != 0.0
                one.errorbar(
                    density.centers[there], density.values[there], yerr=density.errors[there], linestyle="none",
                    marker=look.marker, markersize=4.0, color=look.line, elinewidth=1.0, label=shown(name, 20),
                )  # fmt: skip
                top = max(top, density.top)
                if name in panel.pdfs:
                    smooth = density_of(panel.pdfs[name])
                    style_of_line = "-" if look.fill else (0, (5, 1.6))
                    drawn += one.plot(
                        smooth.centers, smooth.values, color=look.line, linestyle=style_of_line, linewidth=1.6,
                        label=f"{shown(name, 20)} PDF",
                    )  # fmt: skip
                    top = max(top, float(smooth.values.max()))
                one.set_xlim(density.edges[0], density.edges[-1])
            headroom(one, top, 2 if len(panels) == 1 else 0.2, height / rows)
            one.set_xlabel(axis_text(panel.title))
            one.set_ylabel("(1/N) dN/dx")
            format_ticks(one)
            axes.append(one)
            lines.append(tuple(drawn))
        if len(panels) == 1:
            axes[0].legend(loc="upper left", ncols=2)
        else:
            handles, labels = axes[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside upper right", ncols=4)
        if label:
            axes[0].set_title(own_text(label), loc="left")
    return PdfFigure(figure, tuple(axes), tuple(lines))

"""What a cut on the response does, for so many signal and background events before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError
from mvakit.evaluation import CutPoint, CutScan
from mvakit_gui.figures.roc import thinned
from mvakit_gui.figures.saving import figure_bytes
from mvakit_gui.figures.style import BACKGROUND, SIGNAL, Style, drawing, new_figure
from mvakit_gui.figures.text import shown
from mvakit_gui.figures.titles import own_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

__all__ = ["CutEfficiencyFigure", "cut_efficiency_figure"]

FloatArray = npt.NDArray[np.float64]
# More points than this add nothing that can be seen.
_MAX_POINTS: Final = 2000


class CutEfficiencyFigure(NamedTuple):
    """What `cut_efficiency_figure` drew, and the best cut that it shows.

    `lines` are signal efficiency, background efficiency, purity, signal efficiency times purity, and significance; the
    last one belongs to `significance_axes`.
    """

    figure: Figure
    axes: Axes
    significance_axes: Axes
    lines: tuple[Line2D, ...]
    best: CutPoint

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.figure)


def cut_efficiency_figure(
    title: str, scan: CutScan, merit: str = "S/√(S+B)", *, label: str | None = None, style: Style = None
) -> CutEfficiencyFigure:
    """Draw efficiencies, purity and significance against the cut on a response.

    Parameters
    ----------
    title : str
        Of the method.
    scan : CutScan
        From `mvakit.evaluation.cut_scan`, or from TMVA's histograms.
    merit : str
        What the significance is called.
    label : str, optional
        A line of one's own above the frame; may contain mathtext.
    style : str or mapping, optional
        See `drawing`.

    Raises
    ------
    DataError
        If no significance is a number.
    """
    from mvakit_gui.figures.ticks import format_ticks

    if not np.isfinite(scan.significance).any():
        raise DataError(f"{title}: the significance {merit} is no number for any cut")
    best = scan.optimum
    kept = np.unique(
        np.concatenate(
            [thinned(scan.cuts, y, _MAX_POINTS) for y in (scan.signal_efficiency, scan.background_efficiency)]
        )
    )
    cuts = scan.cuts[kept]
    with drawing(style):
        figure = new_figure(9.0, 7.2)
        axes = figure.add_subplot()
        right = axes.twinx()
        curves = (
            (axes, scan.signal_efficiency, "Signal efficiency", SIGNAL.line, "-"),
            (axes, scan.background_efficiency, "Background efficiency", BACKGROUND.line, (0, (5, 1.6))),
            (axes, scan.purity, "Signal purity", "0.35", (0, (1.4, 1.4))),
            (axes, scan.product, "Efficiency × purity", "0.35", (0, (6, 1.5, 1.2, 1.5))),
            (right, scan.significance, shown(merit, 40), "#0a8754", "-"),
        )
        lines = tuple(
            where.plot(cuts, values[kept], label=name, color=colour, linestyle=dashes)[0]
            for where, values, name, colour, dashes in curves
        )
        right.axvline(best.cut, color="#0a8754", linewidth=1.0, linestyle=":")
        right.set_ylim(0.0, 1.08 * max(best.significance, 1e-9))
        right.set_ylabel("Significance", color="#0a8754")
        axes.tick_params(which="both", right=False)
        right.tick_params(which="both", left=False, top=False, bottom=False)
        axes.set_xlim(*_span(scan.cuts))
        axes.set_ylim(0.0, 1.08)
        format_ticks(axes)
        format_ticks(right)
        axes.set_xlabel(f"Cut on the {shown(title, 30)} response")
        axes.set_ylabel("Efficiency, purity")
        figure.legend(
            handles=list(lines),
            loc="outside upper left",
            ncols=3,
            title=f"For {scan.n_signal:g} signal and {scan.n_background:g} background events the significance is largest, "
            f"{best.significance:.4g}, at {best.cut:.4g}".replace("-", "−"),
            alignment="left",
            title_fontsize=13,
        )
        if label:
            axes.set_title(own_text(label), loc="left")
    return CutEfficiencyFigure(figure, axes, right, lines, best)


def _span(cuts: FloatArray) -> tuple[float, float]:
    low, high = float(cuts.min()), float(cuts.max())
    return (low, high) if low < high else (low - 0.5, high + 0.5)

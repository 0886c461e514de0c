"""What a cut on the response does, for so many signal and background events before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError, OptionError
from mvakit.evaluation.histograms import Histogram1D
from mvakit_gui.figures.distributions import AnyHistogram
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


class CutEfficiencyFigure(NamedTuple):
    """What `cut_efficiency_figure` drew, and the best cut that it shows.

    `lines` are signal efficiency, background efficiency, purity, signal efficiency times purity, and significance; the
    last one belongs to `significance_axes`.
    """

    figure: Figure
    axes: Axes
    significance_axes: Axes
    lines: tuple[Line2D, ...]
    best_cut: float
    best_significance: float

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.figure)


def cut_efficiency_figure(
    title: str,
    efficiencies: tuple[AnyHistogram, AnyHistogram],
    n_signal: float = 1000.0,
    n_background: float = 1000.0,
    *,
    label: str | None = None,
    style: Style = None,
) -> CutEfficiencyFigure:
    """Draw efficiencies, purity and the significance S / sqrt(S + B) against the cut on a response.

    Parameters
    ----------
    title : str
        Of the method.
    efficiencies : tuple of Histogram or Histogram1D
        Of signal and background, ``MVA_<title>_effS`` and ``_effB``: a bin's content is the efficiency of a cut at its
        lower edge.
    n_signal, n_background : float
        Events before the cut.
    label : str, optional
        A line of one's own above the frame; may contain mathtext.
    style : str or mapping, optional
        See `drawing`.

    Raises
    ------
    OptionError
        If a number of events is not positive.
    DataError
        If the two histograms have different bins.
    """
    from mvakit_gui.figures.ticks import format_ticks

    for name, number in (("n_signal", n_signal), ("n_background", n_background)):
        if not (number > 0 and np.isfinite(number)):
            raise OptionError(f"{name} is a positive number of events, not {number}")
    signal_efficiency, background_efficiency = efficiencies
    if len(signal_efficiency.edges) != len(background_efficiency.edges) or not np.allclose(
        signal_efficiency.edges, background_efficiency.edges
    ):
        raise DataError(f"{title}: the efficiencies of signal and background have different bins")
    cuts = signal_efficiency.edges[:-1]
    eff_s, eff_b = _contents(signal_efficiency), _contents(background_efficiency)
    selected_s, selected_b = n_signal * eff_s, n_background * eff_b
    both = selected_s + selected_b
    purity = np.divide(selected_s, both, out=np.zeros_like(both), where=both > 0.0)
    significance = np.divide(selected_s, np.sqrt(np.maximum(both, 0.0)), out=np.zeros_like(both), where=both > 0.0)
    best = int(np.argmax(significance))
    with drawing(style):
        figure = new_figure(9.0, 7.2)
        axes = figure.add_subplot()
        right = axes.twinx()
        curves = (
            (axes, eff_s, "Signal efficiency", SIGNAL.line, "-"),
            (axes, eff_b, "Background efficiency", BACKGROUND.line, (0, (5, 1.6))),
            (axes, purity, "Signal purity", "0.35", (0, (1.4, 1.4))),
            (axes, eff_s * purity, "Efficiency × purity", "0.35", (0, (6, 1.5, 1.2, 1.5))),
            (right, significance, "S/√(S+B)", "#0a8754", "-"),
        )
        lines = tuple(
            where.plot(cuts, values, label=name, color=colour, linestyle=dashes)[0]
            for where, values, name, colour, dashes in curves
        )
        right.axvline(cuts[best], color="#0a8754", linewidth=1.0, linestyle=":")
        right.set_ylim(0.0, 1.08 * max(float(significance[best]), 1e-9))
        right.set_ylabel("Significance", color="#0a8754")
        axes.tick_params(which="both", right=False)
        right.tick_params(which="both", left=False, top=False, bottom=False)
        axes.set_xlim(cuts[0], signal_efficiency.edges[-1])
        axes.set_ylim(0.0, 1.08)
        format_ticks(axes)
        format_ticks(right)
        axes.set_xlabel(f"Cut on the {shown(title, 30)} response")
        axes.set_ylabel("Efficiency, purity")
        figure.legend(
            handles=list(lines),
            loc="outside upper left",
            ncols=3,
            title=f"For {n_signal:g} signal and {n_background:g} background events the significance is largest, "
            f"{significance[best]:.4g}, at {cuts[best]:.4g}".replace("-", "−"),
            alignment="left",
            title_fontsize=13,
        )
        if label:
            axes.set_title(own_text(label), loc="left")
    return CutEfficiencyFigure(figure, axes, right, lines, float(cuts[best]), float(significance[best]))


def _contents(histogram: AnyHistogram) -> FloatArray:
    return np.asarray(histogram.contents if isinstance(histogram, Histogram1D) else histogram.values)

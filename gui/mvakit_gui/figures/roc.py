"""ROC curves of many methods in one figure, in TMVA's three forms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError, OptionError, did_you_mean
from mvakit.evaluation.results import ClassificationResult, RocCurve
from mvakit.evaluation.roc import efficiency_band
from mvakit_gui.figures.saving import MakeChart, figure_bytes, mimebundle
from mvakit_gui.figures.style import Style, drawing, line_looks, new_figure
from mvakit_gui.figures.text import shown
from mvakit_gui.figures.titles import own_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend
    from matplotlib.lines import Line2D

__all__ = ["RocFigure", "RocForm", "RocLine", "roc_figure", "thinned"]

FloatArray = npt.NDArray[np.float64]
RocForm = Literal["rejBvsS", "invBeffvsSeff", "effBvsS"]

_Y_TITLES: Final[dict[str, str]] = {
    "rejBvsS": "Background rejection",
    "invBeffvsSeff": "1 / background efficiency",
    "effBvsS": "Background efficiency",
}
# More points than this add nothing that can be seen, and make a PDF slow to show.
_MAX_POINTS: Final = 3000
_ROWS: Final = 40
_MAX_CURVES: Final = 200
_TIGHTEST: Final = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class RocLine:
    """One curve of the figure.

    Attributes
    ----------
    title : str
        Of the method.
    signal_efficiency, background_efficiency : ndarray, shape (n,)
    area, area_error : float or None
        The ROC integral and its uncertainty, where they are known.
    thresholds : ndarray, shape (n,), or None
        The cut at each point.
    training : tuple of 2 ndarrays, or None
        Signal and background efficiency in the training sample.
    band : tuple of 3 ndarrays, or None
        Background efficiencies, the signal efficiencies there, and the uncertainties of these.
    """

    title: str
    signal_efficiency: FloatArray
    background_efficiency: FloatArray
    area: float | None = None
    area_error: float | None = None
    thresholds: FloatArray | None = None
    training: tuple[FloatArray, FloatArray] | None = None
    band: tuple[FloatArray, FloatArray, FloatArray] | None = None

    @classmethod
    def of(cls, title: str, curve: RocCurve, training: RocCurve | None = None) -> RocLine:
        """Return the line of an exact curve, with its errors, and that of the training sample if there is one."""
        x, y = curve.signal_efficiency, curve.background_efficiency
        kept = _seen(x, y)
        trained = None
        if training is not None:
            x_train, y_train = training.signal_efficiency, training.background_efficiency
            also = _seen(x_train, y_train)
            trained = x_train[also], y_train[also]
        return cls(
            title,
            x[kept],
            y[kept],
            curve.area,
            curve.area_error,
            curve.thresholds[kept],
            trained,
            efficiency_band(curve),
        )

    @classmethod
    def of_result(cls, result: ClassificationResult) -> RocLine:
        """Return the line of the test sample of a result."""
        return cls.of(result.title, result.roc, result.roc_train)

    def points(self, form: RocForm) -> tuple[FloatArray, FloatArray]:
        """Return x and y in one of the three forms; points at which 1 / efficiency has no value are left out."""
        x, efficiency = self.signal_efficiency, self.background_efficiency
        if form == "rejBvsS":
            return x, 1.0 - efficiency
        if form == "effBvsS":
            return x, efficiency
        there = efficiency > 0.0
        return x[there], 1.0 / efficiency[there]


class RocFigure(NamedTuple):
    """What `roc_figure` drew: one line for each method, in the order of the legend (largest area first)."""

    figure: Figure
    axes: Axes
    lines: tuple[Line2D, ...]
    legend: Legend
    make_chart: MakeChart | None = None

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.figure)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        return mimebundle(self.figure, self.make_chart)


def roc_figure(
    curves: Sequence[RocLine],
    form: RocForm = "rejBvsS",
    *,
    label: str | None = None,
    style: Style = None,
) -> RocFigure:
    """Draw the ROC curves of all methods in one figure.

    Parameters
    ----------
    curves : sequence of RocLine
        In any order; they are drawn and listed by falling area.
    form : {"rejBvsS", "invBeffvsSeff", "effBvsS"}
        Against signal efficiency: 1 - background efficiency, its inverse on a logarithmic scale, or the efficiency.
    label : str, optional
        A line of one's own above the frame; may contain mathtext.
    style : str or mapping, optional
        See `drawing`.

    Raises
    ------
    DataError
        If there is no curve, one without points, or more than 200 of them.
    OptionError
        If there is no such form.
    """
    if form not in get_args(RocForm):
        raise OptionError(f"there is no ROC figure {form!r}; {did_you_mean(form, get_args(RocForm), noun='forms')}")
    if not curves:
        raise DataError("there is no ROC curve to draw")
    if len(curves) > _MAX_CURVES:
        raise DataError(f"{len(curves)} ROC curves do not fit in one figure; choose up to {_MAX_CURVES} of them")
    for curve in curves:
        if len(curve.signal_efficiency) < 2 or len(curve.signal_efficiency) != len(curve.background_efficiency):
            raise DataError(
                f"the ROC curve of {curve.title!r} has {len(curve.signal_efficiency)} signal and "
                f"{len(curve.background_efficiency)} background efficiencies; two or more of each are needed"
            )
    ordered = sorted(curves, key=_rank)
    with drawing(style):
        columns = -(-len(ordered) // _ROWS)
        rows = -(-len(ordered) // columns)
        size = max(8.0, min(15.0, 400.0 / (1.32 * rows)))
        entries = _entries(ordered)
        # The frame stays as it is; the legend gets the width that its longest entry needs.
        width = columns * size * (4.0 + 0.56 * max(len(entry) for entry in entries)) / 72
        figure = new_figure(7.2 + max(width, 2.2), 6.8)
        axes = figure.add_subplot()
        lines: list[Line2D] = []
        looks = line_looks(len(ordered))
        for order, (curve, entry) in enumerate(zip(ordered, entries, strict=True)):
            x, y = curve.points(form)
            kept = thinned(x, np.log(y) if form == "invBeffvsSeff" else y, _MAX_POINTS)
            # Dashes lie over full lines, so that equal curves are both seen.
            full = looks[order]["linestyle"] == "-"
            lines += axes.plot(x[kept], y[kept], label=entry, zorder=2.0 if full else 2.5, **looks[order])
        _frame(axes, form, lines)
        if label:
            axes.set_title(own_text(label), loc="left")
        legend = figure.legend(
            handles=lines,
            loc="outside right upper",
            ncols=columns,
            title="ROC integral, method" if any(_known(curve.area) is not None for curve in ordered) else None,
            alignment="left",
            fontsize=size,
            title_fontsize=13,
            handlelength=2.6,
            labelspacing=0.32,
        )
    return RocFigure(figure, axes, tuple(lines), legend)


def _entries(curves: Sequence[RocLine]) -> list[str]:
    """Return what the legend says: the ROC integral first, so that the figures stand below each other."""
    exact = [_known(curve.area_error) is not None for curve in curves]
    # In a sans-serif type " ± 0.0000" and a digit are as wide as this many blanks.
    gap = " " * (18 if any(exact) else 2)
    entries = []
    for curve, with_error in zip(curves, exact, strict=True):
        area, name = _known(curve.area), shown(curve.title, 28)
        if area is None:
            entries.append(name)
        else:
            entries.append(f"{area:.4f} ± {curve.area_error:.4f}  {name}" if with_error else f"{area:.3f}{gap}{name}")
    return entries


def _known(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _rank(curve: RocLine) -> tuple[float, str]:
    """Order by falling area; curves of unknown area come last."""
    area = _known(curve.area)
    return (math.inf if area is None else -area, curve.title)


def _seen(x: FloatArray, y: FloatArray) -> npt.NDArray[np.intp]:
    """Return which points of an exact curve can be seen, on a linear or a logarithmic axis; all of a short one."""
    if len(x) <= 2 * _MAX_POINTS:
        return np.arange(len(x))
    logarithm = np.log(np.maximum(y, 1e-6))
    return np.unique(np.concatenate([thinned(x, y, _MAX_POINTS), thinned(x, logarithm, _MAX_POINTS)]))


def thinned(x: FloatArray, y: FloatArray, points: int) -> npt.NDArray[np.intp]:
    """Return which points of a long curve to keep: the others lie closer to their neighbours than can be seen.

    `y` counts on the scale on which it is drawn, so the logarithm for a logarithmic one.
    """
    if len(x) <= points:
        return np.arange(len(x))
    steps = np.hypot(np.diff(x), np.diff(y) / max(1.0, float(np.ptp(y))))
    travelled = np.concatenate([[0.0], np.cumsum(steps)])
    marks = np.linspace(0.0, travelled[-1], points)
    return np.unique(np.concatenate([np.searchsorted(travelled, marks), [0, len(x) - 1]]).clip(0, len(x) - 1))


def _frame(axes: Axes, form: RocForm, lines: Sequence[Line2D]) -> None:
    from mvakit_gui.figures.ticks import format_ticks

    axes.set_xlabel("Signal efficiency")
    axes.set_ylabel(_Y_TITLES[form])
    axes.set_xlim(0.0, 1.0)
    if form == "invBeffvsSeff":
        # The few events beyond the tightest cuts would stretch the scale by orders of magnitude.
        inside = [np.asarray(line.get_ydata())[np.asarray(line.get_xdata()) >= _TIGHTEST] for line in lines]
        highest = max(float(np.max(y, initial=1.0)) for y in inside)
        axes.set_yscale("log")
        axes.set_ylim(1.0, max(10.0, 2.0 * highest))
    else:
        axes.set_ylim(0.0, 1.02)
    format_ticks(axes)
    axes.grid(visible=True, which="major", color="0.88", linewidth=0.8, linestyle="-")
    axes.set_axisbelow(True)

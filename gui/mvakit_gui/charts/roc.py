"""Charts of ROC curves of many methods, in TMVA's three forms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, get_args

import altair as alt
import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError, OptionError, did_you_mean
from mvakit_gui.charts.base import (
    Row,
    chosen,
    finish,
    layered,
    log_floor,
    method_colour,
    method_dash,
    parameters,
    rows,
    with_parameters,
)
from mvakit_gui.figures.roc import RocForm, RocLine, thinned

__all__ = ["roc_chart"]

FloatArray = npt.NDArray[np.float64]

# Points of a curve in the test and in the training sample, and of the band of errors.
_POINTS: Final = 240
_TRAINING_POINTS: Final = 120
_TIGHTEST: Final = 0.05
_Y: Final[dict[str, tuple[str, str]]] = {
    "rejBvsS": ("Background rejection", "1 - datum.b"),
    "effBvsS": ("Background efficiency", "isValid(floor) ? max(datum.b, floor) : datum.b"),
    "invBeffvsSeff": ("1 / background efficiency", "datum.b > 0 ? 1 / datum.b : null"),
}


def roc_chart(lines: Sequence[RocLine], form: RocForm = "rejBvsS", *, notes: Sequence[str] = ()) -> Any:
    """Return a chart of the ROC curves of all methods.

    Training curves and bands of one standard deviation of the signal efficiency are there at the tick of a box, a point
    at each method's cut where one is set.

    Parameters
    ----------
    lines : sequence of RocLine
        In the order in which they have their looks.
    form : {"rejBvsS", "invBeffvsSeff", "effBvsS"}
    notes : sequence of str
        What is written above.

    Raises
    ------
    DataError
        If there is no curve.
    OptionError
        If there is no such form.
    """
    if form not in get_args(RocForm):
        raise OptionError(f"there is no ROC chart {form!r}; {did_you_mean(form, get_args(RocForm), noun='forms')}")
    if not lines:
        raise DataError("there is no ROC curve to draw")
    titles = [line.title for line in lines]
    y_title, expression = _Y[form]
    legend = alt.Legend(symbolType="stroke")
    colour, dash = method_colour(titles, legend=legend), method_dash(titles, legend=legend)
    y = alt.Y("y:Q", title=y_title, scale=_scale(form, lines))
    base = alt.Chart().transform_calculate(y=expression).transform_filter("isValid(datum.y)")
    hovered = alt.selection_point(name="hovered", fields=["method"], bind="legend")
    test = base.transform_filter("datum.sample === 'test'")
    tooltip = [
        alt.Tooltip("method:N", title="method"),
        alt.Tooltip("area:N", title="ROC integral"),
        alt.Tooltip("x:Q", title="signal efficiency", format=".4f"),
        alt.Tooltip("b:Q", title="background efficiency", format=".4g"),
        alt.Tooltip("c:Q", title="cut", format=".5g"),
    ]
    faded = alt.condition(hovered, alt.value(1.0), alt.value(0.15))
    layers: list[Any] = [
        test.mark_line(strokeWidth=2, clip=True)
        .encode(
            x=alt.X("x:Q", title="Signal efficiency", scale=alt.Scale(domain=[0, 1])),
            y=y, color=colour, strokeDash=dash, order=alt.Order("i:Q"), opacity=faded,
        )
        .add_params(hovered, alt.selection_interval(bind="scales", name="zoom")),
        # What the pointer finds: wide and unseen.
        test.mark_point(size=60, opacity=0, filled=True, clip=True).encode(x=alt.X("x:Q"), y=y, color=colour, tooltip=tooltip),
    ]  # fmt: skip
    switches = {}
    if any(line.training is not None for line in lines):
        switches["training"] = "training sample"
        layers.append(
            base.transform_filter("training && datum.sample === 'training'")
            .mark_line(strokeWidth=1, clip=True)
            .encode(x=alt.X("x:Q"), y=y, color=colour, order=alt.Order("i:Q"), opacity=faded)
        )
    if any(line.band is not None for line in lines):
        switches["errors"] = "errors"
        band = base.transform_filter("errors && datum.sample === 'band'")
        layers.insert(0, band.mark_area(opacity=0.25, orient="horizontal", clip=True).encode(
            x=alt.X("low:Q"), x2=alt.X2("high:Q"), y=y, color=colour, order=alt.Undefined, detail=alt.Detail("method:N"),
        ))  # fmt: skip
    layers.append(_point(test, y, expression))
    table = [row for line in lines for row in _rows(line)]
    smallest = log_floor([line.background_efficiency for line in lines])
    chart = layered(*layers, table=table, keep=[chosen("method", "methods")])
    chart = with_parameters(chart, *parameters(methods=True, cuts=True, floor=True, switches=switches))
    logmin = {"y": smallest} if form == "effBvsS" else {}
    return finish(chart, notes=notes, methods=titles, cuts=True, logmin=logmin, height=460)


def _scale(form: RocForm, lines: Sequence[RocLine]) -> alt.Scale:
    if form != "invBeffvsSeff":
        return alt.Scale(domain=[0, 1])
    # The few events beyond the tightest cuts would stretch the scale by orders of magnitude.
    highest = 10.0
    for line in lines:
        x, inverse = line.points(form)
        highest = max(highest, 2.0 * float(np.max(inverse[x >= _TIGHTEST], initial=1.0)))
    return alt.Scale(type="log", domain=[1, highest], nice=False)


def _rows(line: RocLine) -> list[Row]:
    if len(line.signal_efficiency) < 2 or len(line.signal_efficiency) != len(line.background_efficiency):
        raise DataError(
            f"the ROC curve of {line.title!r} has {len(line.signal_efficiency)} signal and "
            f"{len(line.background_efficiency)} background efficiencies; two or more of each are needed"
        )
    area = "" if line.area is None else f"{line.area:.4f}"
    if line.area is not None and line.area_error is not None:
        area += f" ± {line.area_error:.4f}"
    kept = _kept(line.signal_efficiency, line.background_efficiency, _POINTS)
    x, b = line.signal_efficiency[kept], line.background_efficiency[kept]
    cuts = np.full(len(x), np.nan) if line.thresholds is None else line.thresholds[kept]
    # The cut of the next point, so that a point between two can be found.
    after = [np.append(values[1:], np.nan) for values in (x, b, cuts)]
    found = rows(
        method=line.title, sample="test", area=area, i=np.arange(len(x)), x=x, b=b, c=cuts,
        x2=after[0], b2=after[1], c2=after[2],
    )  # fmt: skip
    if line.training is not None:
        kept = _kept(*line.training, _TRAINING_POINTS)
        x, b = (values[kept] for values in line.training)
        found += rows(method=line.title, sample="training", i=np.arange(len(x)), x=x, b=b)
    if line.band is not None:
        there = line.band[0] >= float(
            np.min(line.background_efficiency, where=line.background_efficiency > 0, initial=1.0)
        )
        b, x, error = (values[there] for values in line.band)
        found += rows(
            method=line.title, sample="band", b=b, low=np.clip(x - error, 0, 1), high=np.clip(x + error, 0, 1)
        )
    return found


def _kept(x: FloatArray, b: FloatArray, points: int) -> npt.NDArray[np.intp]:
    """Return which points to keep, half of them for a linear and half for a logarithmic axis."""
    linear = thinned(x, b, points // 2)
    return np.unique(np.concatenate([linear, thinned(x, np.log(np.maximum(b, 1e-5)), points // 2)]))


def _point(test: Any, y: alt.Y, expression: str) -> Any:
    """Return the point at a method's cut, on the straight line between its two neighbours."""
    return (
        test.transform_filter(
            "isValid(cuts[datum.method]) && isValid(datum.c) && isValid(datum.c2) && "
            "(datum.c - cuts[datum.method]) * (datum.c2 - cuts[datum.method]) <= 0 && datum.c !== datum.c2"
        )
        .transform_calculate(t="(cuts[datum.method] - datum.c) / (datum.c2 - datum.c)")
        .transform_calculate(x="datum.x + datum.t * (datum.x2 - datum.x)", b="datum.b + datum.t * (datum.b2 - datum.b)")
        .transform_calculate(y=expression)
        .mark_point(size=110, filled=True, opacity=1, strokeWidth=1.5, clip=True)
        .encode(x=alt.X("x:Q"), y=y, color=alt.Color("method:N"), tooltip=[
            alt.Tooltip("method:N"), alt.Tooltip("x:Q", title="signal efficiency", format=".4f"),
            alt.Tooltip("b:Q", title="background efficiency", format=".4g"),
        ])
    )  # fmt: skip

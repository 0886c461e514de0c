"""Charts of two dimensions: pairs of variables, correlation matrices, deviations of a regression, foams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import altair as alt
import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError
from mvakit.resultfile import Histogram2D
from mvakit_gui.charts.base import PANEL, Row, chart_of, finish, layered, rows, shortened
from mvakit_gui.figures.maps import MapPanel, PairPanel, rebinned
from mvakit_gui.figures.titles import unicode_text

__all__ = ["correlation_chart", "deviation_chart", "map_chart", "pair_chart"]

_BINS: Final = 30
_LINE: Final = "#e0562d"
_BLUE: Final = "#3f90da"
_NUMBERED: Final = 30
# From blue over the ground itself to red, so that no correlation is no ink on light and on dark ground.
_DIVERGING: Final = ("#2f7ed0", "#d8432b")


def _cells(histogram: Histogram2D) -> list[Row]:
    """Return a row for each filled bin."""
    columns, lines = np.nonzero(histogram.values)
    x, y = histogram.x_edges, histogram.y_edges
    return rows(
        x=x[columns], x2=x[columns + 1], y=y[lines], y2=y[lines + 1], n=histogram.values[columns, lines],
    )  # fmt: skip


def _rectangles(x: alt.X, y: alt.Y, *, title: str) -> Any:
    return (
        alt.Chart()
        .transform_filter("isValid(datum.n)")
        .mark_rect(color=_BLUE, clip=True, stroke=None)
        .encode(
            x=x, x2=alt.X2("x2:Q"), y=y, y2=alt.Y2("y2:Q"),
            opacity=alt.Opacity("n:Q", scale=alt.Scale(range=[0.12, 1.0], type="sqrt", zero=True), legend=None),
            tooltip=[alt.Tooltip("x:Q", format=".4g"), alt.Tooltip("y:Q", format=".4g"), alt.Tooltip("n:Q", title=title, format=".5g")],
        )
    )  # fmt: skip


def _points(x: alt.X, *, line: bool) -> list[Any]:
    """Return the means in bins of x, with their errors where there are any."""
    base: Any = alt.Chart().transform_filter("isValid(datum.m)")
    tooltip = [alt.Tooltip("x:Q", format=".4g"), alt.Tooltip("m:Q", title="mean", format=".4g")]
    points = base.mark_point(filled=True, size=18, color=_LINE, opacity=1, clip=True).encode(
        x=x, y=alt.Y("m:Q"), tooltip=tooltip
    )
    rule = base.mark_rule(color=_LINE, clip=True).encode(x=x, y=alt.Y("low:Q"), y2=alt.Y2("high:Q"))
    return [base.mark_line(color=_LINE, clip=True).encode(x=x, y=alt.Y("m:Q")), points] if line else [rule, points]


def _axes(panel: PairPanel | Histogram2D, limits: Histogram2D) -> tuple[alt.X, alt.Y]:
    def scale(edges: npt.NDArray[np.float64]) -> alt.Scale:
        return alt.Scale(domain=[float(edges[0]), float(edges[-1])], nice=False)

    x_title, y_title = (shortened(unicode_text(title)) for title in (panel.x_title, panel.y_title))
    return (
        alt.X("x:Q", title=x_title, scale=scale(limits.x_edges)),
        alt.Y("y:Q", title=y_title, scale=scale(limits.y_edges)),
    )


def pair_chart(panels: Sequence[PairPanel]) -> Any:
    """Return charts of pairs of variables: bins, the darker the more events, and the profile over them.

    Raises
    ------
    DataError
        If there is no pair, or one without events.
    """
    if not panels:
        raise DataError("there is no pair of variables to draw")
    charts = []
    for number, panel in enumerate(panels):
        histogram = rebinned(panel.histogram, _BINS)
        table = _cells(histogram)
        if not table[0]["n"]:
            raise DataError(f"histogram {panel.histogram.name!r} is empty")
        there = panel.profile.weight > 0.0
        centers, mean, error = (v[there] for v in (panel.profile.centers, panel.profile.values, panel.profile.errors))
        table += rows(x=centers, m=mean, low=mean - error, high=mean + error)
        x, y = _axes(panel, histogram)
        layers = [_rectangles(x, y, title="events"), *_points(x, line=False)]
        layers[0] = layers[0].add_params(alt.selection_interval(bind="scales", name=f"zoom{number}"))
        charts.append(layered(*layers, table=table).properties(width=PANEL, height=PANEL - 40))
    grid = alt.concat(*charts, columns=3)
    return finish(grid, notes=["Blue: events per bin; points: profile"], panel=PANEL, height=None)


def correlation_chart(names: Sequence[str], percent: npt.ArrayLike) -> Any:
    """Return a chart of a matrix of linear correlations in percent, the first variable at the lower left.

    Raises
    ------
    DataError
        If the matrix is empty, or its shape does not fit the names.
    """
    matrix = np.asarray(percent, dtype=np.float64)
    number = len(names)
    if number == 0 or matrix.shape != (number, number):
        raise DataError(f"a correlation matrix of {number} variables has shape {(number, number)}, not {matrix.shape}")
    # Two variables may have the same title; the axis needs them apart.
    shown = [shortened(unicode_text(name), 24) for name in names]
    shown = [name if shown.count(name) == 1 else f"{name} ({i + 1})" for i, name in enumerate(shown)]
    columns, lines = np.meshgrid(np.arange(number), np.arange(number))
    values = matrix[lines.ravel(), columns.ravel()]
    table = rows(
        x=[shown[i] for i in columns.ravel()], y=[shown[i] for i in lines.ravel()], r=values,
        strength=np.abs(np.nan_to_num(values)), sign=["negative" if v < 0 else "positive" for v in values],
        text=["–" if np.isnan(v) else str(round(v)).replace("-", "−") for v in values],
    )  # fmt: skip
    x = alt.X(
        "x:N",
        sort=shown,
        title=None,
        axis=alt.Axis(
            labelAngle=-45 if number > 5 else 0, labelLimit=160, labelOverlap=False, ticks=False, domain=False
        ),
    )
    y = alt.Y(
        "y:N",
        sort=shown[::-1],
        title=None,
        axis=alt.Axis(labelLimit=160, labelOverlap=False, ticks=False, domain=False),
    )
    base: Any = chart_of(table).encode(x=x, y=y)
    cells = base.mark_rect(stroke=None).encode(
        color=alt.Color(
            "sign:N", title="correlation [%]", legend=alt.Legend(symbolType="square"),
            scale=alt.Scale(domain=["negative", "positive"], range=list(_DIVERGING)),
        ),
        opacity=alt.Opacity("strength:Q", scale=alt.Scale(domain=[0, 100], range=[0.0, 0.85]), legend=None),
        tooltip=[alt.Tooltip("x:N", title="variable"), alt.Tooltip("y:N", title="with"), alt.Tooltip("r:Q", title="%", format=".0f")],
    )  # fmt: skip
    layers = [cells]
    if number <= _NUMBERED:
        size = max(8.0, min(15.0, 330.0 / number))
        layers.append(base.mark_text(fontSize=size).encode(text=alt.Text("text:N")))
    side = max(320, min(900, 54 * number))
    chart = alt.layer(*layers).properties(width=side)
    return finish(chart, legend_columns=2, height=side, panel=side)


def deviation_chart(histogram: Histogram2D) -> Any:
    """Return a chart of regression minus true target against a variable or the target, with the mean in each bin.

    Raises
    ------
    DataError
        If the histogram is empty.
    """
    table = _cells(histogram)
    if not table[0]["n"]:
        raise DataError(f"histogram {histogram.name!r} is empty")
    centers = 0.5 * (histogram.y_edges[1:] + histogram.y_edges[:-1])
    sums = histogram.values.sum(axis=1)
    filled = sums > 0.0
    mean = (histogram.values @ centers)[filled] / sums[filled]
    table += rows(x=(0.5 * (histogram.x_edges[1:] + histogram.x_edges[:-1]))[filled], m=mean)
    x, y = _axes(histogram, histogram)
    zero = chart_of(rows(zero=[0])).mark_rule(strokeDash=[3, 3], color="#7d8590").encode(y=alt.Y("zero:Q"))
    cells = _rectangles(x, y, title="events").add_params(alt.selection_interval(bind="scales", name="zoom"))
    chart = layered(cells, zero, *_points(x, line=True), table=table)
    return finish(chart, notes=["Blue: events per bin; line: mean deviation"], height=420)


def map_chart(panels: Sequence[MapPanel], what: str) -> Any:
    """Return charts of a quantity over pairs of variables, as of a foam's cells.

    Raises
    ------
    DataError
        If there is no panel.
    """
    if not panels:
        raise DataError("there is no map to draw")
    charts = []
    for number, panel in enumerate(panels):
        columns, lines = (grid.ravel() for grid in np.indices(panel.values.shape))
        x, y = panel.x_edges, panel.y_edges
        # A little of each cell lies under the next one, or the ground would shine through between them.
        table = rows(
            x=x[columns], x2=x[columns + 1] + 0.1 * np.diff(x)[columns],
            y=y[lines], y2=y[lines + 1] + 0.1 * np.diff(y)[lines], n=panel.values[columns, lines],
        )  # fmt: skip
        x_title, y_title = (shortened(unicode_text(title)) for title in (panel.x_title, panel.y_title))
        chart: Any = chart_of(table).mark_rect(stroke=None, clip=True).encode(
            x=alt.X("x:Q", title=x_title, axis=alt.Axis(grid=False), scale=alt.Scale(domain=[float(x[0]), float(x[-1])], nice=False)), x2=alt.X2("x2:Q"),
            y=alt.Y("y:Q", title=y_title, axis=alt.Axis(grid=False), scale=alt.Scale(domain=[float(y[0]), float(y[-1])], nice=False)), y2=alt.Y2("y2:Q"),
            color=alt.Color("n:Q", title=what, scale=alt.Scale(scheme="viridis", zero=False),
                            legend=alt.Legend(orient="right", direction="vertical", title=None, gradientLength=160)),
            tooltip=[alt.Tooltip("x:Q", format=".4g"), alt.Tooltip("y:Q", format=".4g"), alt.Tooltip("n:Q", title=what, format=".4g")],
        )  # fmt: skip
        chart = chart.add_params(alt.selection_interval(bind="scales", name=f"zoom{number}"))
        charts.append(chart.properties(width=PANEL, height=PANEL - 40, title=shortened(panel.title)))
    grid = alt.concat(*charts, columns=3).resolve_scale(color="independent")
    return finish(grid, notes=[what], panel=PANEL, height=None)

"""A chart of parallel coordinates: one line for each event, across a response and the variables."""

from __future__ import annotations

import json
from typing import Any, Final

import altair as alt
import numpy as np

from mvakit.errors import DataError
from mvakit_gui.charts.base import (
    chart_of,
    chosen,
    class_colour,
    finish,
    layered,
    parameters,
    rows,
    shortened,
    with_parameters,
)
from mvakit_gui.figures.parallel import ParallelEvents
from mvakit_gui.figures.titles import unicode_text

__all__ = ["parallel_chart"]

# Axes whose titles are level.
_LEVEL: Final = 6
# Letters of all titles together.
_TITLES_ON_A_LINE: Final = 30


def parallel_chart(events: ParallelEvents) -> Any:
    """Return a chart of some events; where a cut is set those that do not pass fade.

    Raises
    ------
    DataError
        If there are no events.
    """
    count, number = events.values.shape
    if count == 0:
        raise DataError(f"{events.method}: there are no events to draw")
    names = [events.classes[i] for i in events.class_index]
    titles = [shortened(unicode_text(title), 20) for title in events.axes]
    table = rows(
        event=np.repeat(np.arange(count), number),
        axis=np.tile(np.arange(number), count),
        value=events.values.ravel(),
        r=np.repeat(events.values[:, 0], number),
        method=events.method,
        **{"class": np.repeat(np.array(names, dtype=object), number)},
    )
    x = alt.X(
        "axis:Q", title=None, scale=alt.Scale(domain=[0, number - 1], nice=False, padding=50 if number > _LEVEL else 36),
        axis=alt.Axis(values=list(range(number)), labels=False, grid=True, domain=False, ticks=False),
    )  # fmt: skip
    y = alt.Y("v:Q", axis=None, scale=alt.Scale(domain=[0, 1]))
    side = ">=" if _lies_above(events) else "<="
    passes = f"!isValid(cuts[datum.method]) || datum.r {side} cuts[datum.method]"
    lows, spans = (json.dumps(ends.tolist()) for ends in (events.lowest, events.highest - events.lowest))
    scaled = f"{spans}[datum.axis] > 0 ? (datum.value - {lows}[datum.axis]) / {spans}[datum.axis] : 0.5"
    lines: Any = (
        alt.Chart()
        .transform_calculate(v=scaled)
        .mark_line(strokeWidth=1)
        .encode(
            x=x, y=y, detail=alt.Detail("event:N"), color=class_colour(list(events.classes), legend=alt.Legend(symbolType="stroke", orient="top")),
            opacity=alt.condition(passes, alt.value(0.22), alt.value(0.02)),
            tooltip=[alt.Tooltip("class:N"), alt.Tooltip("r:Q", title="response", format=".4g")],
        )
    )  # fmt: skip
    # Titles are marks, not an expression of the axis: they may hold anything.
    ends = rows(
        axis=np.tile(np.arange(number), 3), v=np.repeat([1.0, 0.0, 2.0], number),
        text=[*(f"{value:.3g}".replace("-", "−") for value in (*events.highest, *events.lowest)), *titles],
    )  # fmt: skip
    marks: Any = chart_of(ends)
    steep = number > _LEVEL
    # Neighbours stand on two lines where they could touch on a narrow screen.
    lines_of_ends = 2 if steep else 1
    lines_of_titles = 2 if not steep and sum(map(len, titles)) > _TITLES_ON_A_LINE else 1

    def written(which: int, at: int, line: int, of: int, size: int, **where: Any) -> Any:
        return (
            marks.transform_filter(f"datum.v === {which} && datum.axis % {of} === {line}")
            .transform_calculate(at=f"{at}")
            .mark_text(fontSize=size, **where)
            .encode(x=alt.X("axis:Q"), y=alt.Y("at:Q"), text=alt.Text("text:N"))
        )

    texts = [written(1, 1, line, lines_of_ends, 10, dy=-8 - 11 * line) for line in range(lines_of_ends)]
    texts += [written(0, 0, line, lines_of_ends, 10, dy=9 + 11 * line) for line in range(lines_of_ends)]
    for line in range(lines_of_titles):
        look: Any = (
            {"dy": 32, "angle": 325, "align": "right"} if steep else {"dy": 24 + 14 * line, "fontWeight": "bold"}
        )
        texts.append(written(2, 0, line, lines_of_titles, 11, **look))
    chart = alt.layer(layered(lines, table=table, keep=[chosen("class", "classes")]), *texts)
    note = (
        f"{count} of {events.total} events of the test sample, the same at every time" if count < events.total else ""
    )
    chart = with_parameters(chart, *parameters(classes=True, cuts=True))
    return finish(
        chart, notes=[note] if note else [], methods=[events.method], classes=events.classes, cuts=True,
        legend_columns=4,
    )  # fmt: skip


def _lies_above(events: ParallelEvents) -> bool:
    """Return whether the first class, signal, has the larger responses."""
    first = events.class_index == 0
    if first.all() or not first.any():
        return True
    return bool(events.values[first, 0].mean() > events.values[~first, 0].mean())

"""Charts of curves: what a training recorded of itself, PDFs over their histograms, deviations of many regressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np

from mvakit.errors import DataError
from mvakit.evaluation import Curve
from mvakit_gui.charts.base import (
    PANEL,
    Row,
    chart_of,
    chosen,
    class_colour,
    class_dash,
    finish,
    layered,
    log_floor,
    method_colour,
    method_dash,
    parameters,
    rows,
    shortened,
    with_parameters,
)
from mvakit_gui.densities import density_of
from mvakit_gui.figures.deviations import AverageDeviation
from mvakit_gui.figures.history import axis_titles, is_jumping
from mvakit_gui.figures.pdfs import PdfPanel
from mvakit_gui.figures.titles import unicode_text

__all__ = ["average_deviation_chart", "history_chart", "pdf_chart"]

_MOST_POINTS: Final = 600


def history_chart(curves: Mapping[str, Sequence[Curve]]) -> Any:
    """Return charts of the monitoring curves of some methods; those with the same axis titles share one.

    Parameters
    ----------
    curves : mapping of str to sequence of Curve
        By method.

    Raises
    ------
    DataError
        If there is no curve with a point.
    """
    panels: dict[tuple[str, str], list[tuple[str, Curve]]] = {}
    for method, recorded in curves.items():
        for curve in recorded:
            if len(curve.x) != len(curve.y) or not (np.isfinite(curve.x) & np.isfinite(curve.y)).any():
                raise DataError(f"{method}: the curve {curve.name!r} has no points to draw")
            panels.setdefault(axis_titles(curve), []).append((method, curve))
    if not panels:
        raise DataError("there is no record of a training to draw")
    charts = []
    single, smallest = len(panels) == 1, []
    for number, ((x_title, y_title), members) in enumerate(panels.items()):
        table: list[Row] = []
        names = []
        for method, curve in members:
            name = curve.title or curve.name
            names.append(name if len(curves) == 1 else f"{method}: {name}")
            every = max(1, -(-len(curve.x) // _MOST_POINTS))
            table += rows(method=method, curve=names[-1], x=curve.x[::every], y=curve.y[::every])
            positive = curve.y[np.isfinite(curve.y) & (curve.y > 0.0)]
            smallest += [float(positive.min())] if len(positive) == len(curve.y) else [0.0]
        names = list(dict.fromkeys(names))
        legend = alt.Legend(symbolType="stroke") if len(names) > 1 else None
        tooltip = [
            alt.Tooltip("curve:N"), alt.Tooltip("x:Q", title=x_title, format=".6g"),
            alt.Tooltip("y:Q", title=y_title, format=".5g"),
        ]  # fmt: skip
        jumping = is_jumping(members[0][1])
        # Points at the ends of an axis are not halved.
        apart: Any = 7 if jumping else alt.Undefined
        base: Any = alt.Chart().encode(
            x=alt.X("x:Q", title=x_title, scale=alt.Scale(zero=False, nice=False, padding=apart)),
            y=alt.Y("y:Q", title=y_title, scale=alt.Scale(zero=False, padding=apart)),
            color=method_colour(names, field="curve", legend=legend),
        )
        line = base.mark_point(clip=True) if jumping else base.mark_line(strokeWidth=2, clip=True)
        line = line.encode(tooltip=tooltip, size=_sizes(names) if len(names) > 1 else alt.value(20)) if jumping else line.encode(
            strokeDash=method_dash(names, field="curve", legend=legend), order=alt.Order("x:Q")
        )  # fmt: skip
        layers = [line.add_params(alt.selection_interval(bind="scales", name=f"zoom{number}"))]
        if not jumping:
            layers.append(base.mark_point(size=50, opacity=0, filled=True, clip=True).encode(tooltip=tooltip))
        chart = layered(*layers, table=table, keep=[chosen("method", "methods")])
        charts.append(chart if single else chart.properties(width=PANEL, height=200))
    wanted = parameters(methods=True)
    logmin = {"y": min(smallest)}
    if single:
        return finish(with_parameters(charts[0], *wanted), methods=curves, logmin=logmin, legend_columns=2)
    grid = alt.concat(*charts, columns=3).resolve_scale(
        color="independent", strokeDash="independent", size="independent"
    )
    grid = with_parameters(grid, *wanted)
    return finish(grid, methods=curves, logmin=logmin, panel=PANEL, height=None, legend_columns=1)


def _sizes(names: Sequence[str]) -> Any:
    """Return sizes of points: the first ones larger, so that equal points of a second curve show inside."""
    return alt.Size("curve:N", legend=None, scale=alt.Scale(domain=list(names), range=[36] + [8] * (len(names) - 1)))


def pdf_chart(panels: Sequence[PdfPanel]) -> Any:
    """Return charts of histograms (points) with the PDFs that were made of them (lines), class by class.

    Raises
    ------
    DataError
        If there is no panel, or a histogram is empty.
    """
    if not panels:
        raise DataError("there is no PDF to draw")
    names = list(panels[0].histograms)
    charts, contents = [], []
    single = len(panels) == 1
    for number, panel in enumerate(panels):
        table: list[Row] = []
        for name, histogram in panel.histograms.items():
            density = density_of(histogram)
            there = density.values != 0.0
            contents.append(density.values)
            table += rows(
                kind="histogram", x=density.centers[there], y=density.values[there],
                low=np.maximum(density.values - density.errors, 0.0)[there],
                high=(density.values + density.errors)[there], **{"class": name},
            )  # fmt: skip
        for name, histogram in panel.pdfs.items():
            density = density_of(histogram)
            every = max(1, len(density.values) // 250)
            table += rows(kind="pdf", x=density.centers[::every], y=density.values[::every], **{"class": name})
        title = shortened(unicode_text(panel.title))
        x = alt.X("x:Q", title=title, scale=alt.Scale(zero=False, nice=False))
        y = alt.Y("y:Q", title="(1/N) dN/dx")
        colour = class_colour(names, legend=alt.Legend(symbolType="stroke"))
        tooltip = [alt.Tooltip("class:N"), alt.Tooltip("x:Q", format=".4g"), alt.Tooltip("y:Q", format=".4g")]
        points: Any = alt.Chart().transform_filter("datum.kind === 'histogram'").transform_calculate(
            bottom="isValid(floor) ? max(datum.low, floor) : datum.low"
        )  # fmt: skip
        lines: Any = alt.Chart().transform_filter("datum.kind === 'pdf' && (!isValid(floor) || datum.y > floor)")
        layers = [
            lines.mark_line(strokeWidth=2, clip=True)
            .encode(x=x, y=y, color=colour, strokeDash=class_dash(names, legend=None))
            .add_params(alt.selection_interval(bind="scales", name=f"zoom{number}")),
            points.mark_rule(clip=True).encode(x=x, y=alt.Y("bottom:Q"), y2=alt.Y2("high:Q"), color=colour),
            points.mark_point(filled=True, size=26, opacity=1, clip=True).encode(
                x=x, y=y, color=colour, tooltip=tooltip,
                shape=alt.Shape("class:N", scale=alt.Scale(domain=names, range=["circle", "square"]), legend=None),
            ),
        ]  # fmt: skip
        chart = layered(*layers, table=table, keep=[chosen("class", "classes")])
        charts.append(chart if single else chart.properties(width=PANEL, height=200))
    wanted = parameters(classes=True, floor=True)
    known: dict[str, Any] = {
        "notes": ["Points: histogram; lines: the PDF made of it"],
        "classes": names,
        "logmin": {"y": log_floor(contents)},
    }
    if single:
        return finish(with_parameters(charts[0], *wanted), legend_columns=2, **known)
    return finish(with_parameters(alt.concat(*charts, columns=3), *wanted), panel=PANEL, height=None, **known)


def average_deviation_chart(deviations: Sequence[AverageDeviation]) -> Any:
    """Return a chart of the average deviations of all methods from a target, in both samples, of all and of the best events.

    Raises
    ------
    DataError
        If there is none.
    """
    if not deviations:
        raise DataError("there are no deviations to draw")
    titles = list(dict.fromkeys(d.method for d in deviations))
    kinds = list(dict.fromkeys(d.kind for d in deviations))
    values = np.array([d.value for d in deviations])
    errors = np.array([d.error for d in deviations])
    table = rows(
        method=[d.method for d in deviations], kind=[d.kind for d in deviations], value=values,
        low=np.maximum(values - errors, 0.0), high=values + errors, error=errors,
    )  # fmt: skip
    x = alt.X("value:Q", title="Average deviation from the target", scale=alt.Scale(zero=True))
    y = alt.Y("method:N", title=None, sort=titles, axis=alt.Axis(labelLimit=220, grid=True))
    offset = alt.YOffset("kind:N", sort=kinds)
    base: Any = chart_of(table).transform_filter(chosen("method", "methods"))
    colour = alt.Color(
        "kind:N",
        title=None,
        sort=kinds,
        scale=alt.Scale(domain=kinds, range=["#3f90da", "#9b5fd0", "#e0562d", "#e89b0c"]),
    )
    points = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=x, y=y, yOffset=offset, color=colour,
        shape=alt.Shape("kind:N", sort=kinds, title=None, scale=alt.Scale(domain=kinds, range=["circle", "square", "triangle-up", "diamond"])),
        tooltip=[alt.Tooltip("method:N"), alt.Tooltip("kind:N", title="events"), alt.Tooltip("value:Q", format=".5g"),
                 alt.Tooltip("error:Q", format=".2g")],
    )  # fmt: skip
    bars = base.mark_rule(strokeWidth=1.5).encode(
        x=alt.X("low:Q"), x2=alt.X2("high:Q"), y=y, yOffset=offset, color=colour
    )
    positive = values[values > 0.0]
    chart = with_parameters(alt.layer(bars, points), *parameters(methods=True))
    logmin = {"x": float(positive.min())} if len(positive) == len(values) else {}
    return finish(chart, methods=titles, logmin=logmin, legend_columns=2, height=max(120, 56 * len(titles)))

"""Charts of what a cut on a response does: efficiencies, purity and significance.

The expected numbers of events are the parameters ``n_signal`` and ``n_background``; the significance is the transform
``{"calculate": ..., "as": "significance"}``, an expression of ``datum.S`` and ``datum.B`` that a page may replace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import altair as alt
import numpy as np

from mvakit.errors import DataError
from mvakit.evaluation import CutScan
from mvakit_gui.charts.base import (
    Row,
    chosen,
    finish,
    layered,
    method_colour,
    method_dash,
    parameters,
    rows,
    with_parameters,
)
from mvakit_gui.figures.roc import thinned

__all__ = ["cut_efficiency_chart", "significance_chart"]

_POINTS: Final = 300
_POINTS_OF_MANY: Final = 100
_CURVES: Final = {
    "Signal efficiency": ("effS", "#3f90da", [1, 0]),
    "Background efficiency": ("effB", "#e0562d", [5, 2]),
    "Signal purity": ("purity", "#7d8590", [2, 2]),
    "Efficiency × purity": ("product", "#9b5fd0", [8, 2, 2, 2]),
}
_GREEN: Final = "#19937f"
_SIGNIFICANCE: Final = "datum.S + datum.B > 0 ? datum.S / sqrt(datum.S + datum.B) : 0"


def _rows(method: str, scan: CutScan, points: int) -> list[Row]:
    """Return some of the cuts, the optimum among them."""
    best = int(np.argmax(np.nan_to_num(scan.significance, nan=-np.inf)))
    finite = np.flatnonzero(np.isfinite(scan.cuts))
    if len(finite) == 0:
        raise DataError(f"{method}: there is no cut to draw")
    span = max(float(np.ptp(scan.cuts[finite])), 1e-300)
    position = (scan.cuts[finite] - scan.cuts[finite[0]]) / span
    kept = [thinned(position, y[finite], points // 2) for y in (scan.signal_efficiency, scan.background_efficiency)]
    kept = finite[np.unique(np.concatenate([*kept, np.searchsorted(finite, [best])]).clip(0, len(finite) - 1))]
    return rows(
        method=method, cut=scan.cuts[kept], effS=scan.signal_efficiency[kept], effB=scan.background_efficiency[kept]
    )


def _computed(chart: Any) -> Any:
    return (
        chart.transform_calculate(S="n_signal * datum.effS", B="n_background * datum.effB")
        .transform_calculate(purity="datum.S + datum.B > 0 ? datum.S / (datum.S + datum.B) : 0")
        .transform_calculate(product="datum.effS * datum.purity")
        .transform_calculate(significance=_SIGNIFICANCE)
    )


def _numbers(scan: CutScan) -> list[Any]:
    return [
        alt.param(name="n_signal", value=scan.n_signal),
        alt.param(name="n_background", value=scan.n_background),
    ]


def cut_efficiency_chart(method: str, scan: CutScan) -> Any:
    """Return a chart of efficiencies, purity and significance against the cut on one response.

    Raises
    ------
    DataError
        If there is no cut.
    """
    table = _rows(method, scan, _POINTS)
    table[0]["first"] = [1]
    x = alt.X("cut:Q", title=f"Cut on the {method} response", scale=alt.Scale(zero=False, nice=False))
    tooltip = [
        alt.Tooltip("cut:Q", format=".5g"), alt.Tooltip("effS:Q", title="signal efficiency", format=".4f"),
        alt.Tooltip("effB:Q", title="background efficiency", format=".4f"), alt.Tooltip("purity:Q", format=".4f"),
        alt.Tooltip("S:Q", format=".5g"), alt.Tooltip("B:Q", format=".5g"), alt.Tooltip("significance:Q", format=".5g"),
    ]  # fmt: skip
    names = {key: name for name, (key, _, _) in _CURVES.items()}
    looks = list(_CURVES.values())
    legend = alt.Legend(symbolType="stroke")
    colour = alt.Color(
        "curve:N", title=None, legend=legend,
        scale=alt.Scale(domain=[*_CURVES, "Significance"], range=[*(c for _, c, _ in looks), _GREEN]),
    )  # fmt: skip
    dash = alt.StrokeDash(
        "curve:N", title=None, legend=legend,
        scale=alt.Scale(domain=[*_CURVES, "Significance"], range=[*(d for _, _, d in looks), [1, 0]]),
    )  # fmt: skip
    base = _computed(alt.Chart())
    left = (
        base.transform_fold(list(names), as_=["key", "value"])
        .transform_calculate(curve=f"({_object(names)})[datum.key]")
        .mark_line(strokeWidth=1.8, clip=True)
        .encode(x=x, y=alt.Y("value:Q", title="Efficiency, purity", scale=alt.Scale(domain=[0, 1.05])), color=colour, strokeDash=dash)
        .add_params(alt.selection_interval(bind="scales", encodings=["x"], name="zoom"))
    )  # fmt: skip
    y = alt.Y(
        "significance:Q", title="Significance", axis=alt.Axis(titleColor=_GREEN, grid=False), scale=alt.Scale(zero=True)
    )
    right = base.transform_calculate(curve="'Significance'").mark_line(strokeWidth=2.2, clip=True).encode(
        x=alt.X("cut:Q"), y=y, color=colour, strokeDash=dash
    )  # fmt: skip
    found = base.mark_rule(strokeWidth=8, opacity=0, clip=True).encode(x=alt.X("cut:Q"), tooltip=tooltip)
    best = (
        base.transform_joinaggregate(highest="max(significance)")
        .transform_filter("datum.significance === datum.highest")
        .mark_point(size=90, filled=True, opacity=1, color=_GREEN, shape="diamond")
        .encode(x=alt.X("cut:Q"), y=y, tooltip=tooltip)
    )
    chosen_cut = (
        alt.Chart()
        .transform_filter("datum.first === 1 && isValid(cuts[datum.method])")
        .transform_calculate(at="cuts[datum.method]")
        .mark_rule(strokeWidth=2, strokeDash=[4, 3], color=_GREEN, clip=True)
        .encode(x=alt.X("at:Q"))
    )
    chart = layered(alt.layer(left, found, chosen_cut), alt.layer(right, best), table=table)
    chart = with_parameters(chart.resolve_scale(y="independent"), *parameters(cuts=True), *_numbers(scan))
    o = scan.optimum
    note = (
        f"For {scan.n_signal:g} signal and {scan.n_background:g} background events the significance is largest, "
        f"{o.significance:.4g}{f' ± {o.significance_error:.2g}' if o.significance_error else ''}, at {o.cut:.4g}: "
        f"S = {o.signal:.4g}, B = {o.background:.4g}"
    )
    return finish(chart, notes=[note], methods=[method], cuts=True, legend_columns=5)


def _object(names: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{key}: '{name}'" for key, name in names.items()) + "}"


def significance_chart(scans: Mapping[str, CutScan], *, notes: Sequence[str] = ()) -> Any:
    """Return a chart of the significance of all methods against the signal efficiency.

    Raises
    ------
    DataError
        If there is no method, or one without cuts.
    """
    if not scans:
        raise DataError("there is no method whose significance could be drawn")
    table = [row for method, scan in scans.items() for row in _rows(method, scan, _POINTS_OF_MANY)]
    titles = list(scans)
    legend = alt.Legend(symbolType="stroke")
    hovered = alt.selection_point(name="hovered", fields=["method"], bind="legend")
    x = alt.X("effS:Q", title="Signal efficiency", scale=alt.Scale(domain=[0, 1]))
    y = alt.Y("significance:Q", title="Significance")
    base = _computed(alt.Chart())
    tooltip = [
        alt.Tooltip("method:N"), alt.Tooltip("effS:Q", title="signal efficiency", format=".4f"),
        alt.Tooltip("cut:Q", format=".5g"), alt.Tooltip("significance:Q", format=".5g"),
    ]  # fmt: skip
    colour = method_colour(titles, legend=legend)
    lines = (
        base.mark_line(strokeWidth=2, clip=True)
        .encode(
            x=x, y=y, color=colour, strokeDash=method_dash(titles, legend=legend), order=alt.Order("cut:Q"),
            opacity=alt.condition(hovered, alt.value(1.0), alt.value(0.15)),
        )
        .add_params(hovered, alt.selection_interval(bind="scales", name="zoom"))
    )  # fmt: skip
    found = base.mark_point(size=60, opacity=0, filled=True, clip=True).encode(x=x, y=y, color=colour, tooltip=tooltip)
    best = (
        base.transform_joinaggregate(highest="max(significance)", groupby=["method"])
        .transform_filter("datum.significance === datum.highest")
        .mark_point(size=70, filled=True, opacity=1, shape="diamond", clip=True)
        .encode(x=x, y=y, color=colour, tooltip=tooltip)
    )
    chart = layered(lines, found, best, table=table, keep=[chosen("method", "methods")])
    first = next(iter(scans.values()))
    chart = with_parameters(chart, *parameters(methods=True), *_numbers(first))
    return finish(chart, notes=notes, methods=titles, height=420)

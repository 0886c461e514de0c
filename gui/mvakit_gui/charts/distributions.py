"""Charts of histograms of the classes over each other: responses, the overtraining check, input variables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError
from mvakit_gui.charts.base import (
    PANEL,
    Row,
    chosen,
    class_colour,
    class_dash,
    finish,
    inline,
    layered,
    log_floor,
    parameters,
    rows,
    shortened,
    with_parameters,
)
from mvakit_gui.densities import AnyHistogram, Density, check_bins, density_of
from mvakit_gui.figures.distributions import VariablePanel
from mvakit_gui.figures.titles import unicode_text

__all__ = ["ResponsePanel", "response_chart", "variables_chart"]

FloatArray = npt.NDArray[np.float64]

_HEIGHT_OF_VALUE = "isValid(floor) ? max(datum.y, floor) : datum.y"
_FLOOR = "isValid(floor) ? floor : 0"
# The outlines of other files.
_OTHER_DASHES = ([2, 2.5], [7, 3], [9, 2, 2, 2])
_DASH_NAMES = ("dotted:", "dashed:", "dot-dashed:")


@dataclass(frozen=True, slots=True, eq=False)
class ResponsePanel:
    """The responses of one method.

    Attributes
    ----------
    method : str
        As the chart shows it.
    test : mapping of str to Histogram or Histogram1D
        By class, signal first; of equal bins.
    training : mapping of str to Histogram or Histogram1D
        The same of the training sample, or empty.
    notes : sequence of str
        Lines below the title: what the Kolmogorov-Smirnov tests say.
    others : mapping of str to mapping
        The same as `test` of other files, by the file's label: outlines over it, of bins of their own.
    """

    method: str
    test: Mapping[str, AnyHistogram]
    training: Mapping[str, AnyHistogram]
    notes: Sequence[str] = ()
    others: Mapping[str, Mapping[str, AnyHistogram]] = field(default_factory=dict)


def _density_rows(method: str, name: str, sample: str, density: Density) -> list[Row]:
    """Return a row for each bin, and one that closes the outline; points in empty bins are left out."""
    edges, y = density.edges, density.values
    if sample == "training":
        there = (y != 0.0) | (density.errors != 0.0)
        return rows(
            method=method, sample=sample, x=density.centers[there], y=y[there],
            low=np.where(y >= 0.0, np.maximum(y - density.errors, 0.0), y - density.errors)[there], high=(y + density.errors)[there], **{"class": name},
        )  # fmt: skip
    closed = {"x": edges, "x2": np.append(edges[1:], edges[-1]), "y": np.append(y, y[-1])}
    return rows(method=method, sample=sample, **closed, **{"class": name})


def _other_rows(method: str, others: Mapping[str, Mapping[str, AnyHistogram]]) -> tuple[list[Row], list[FloatArray]]:
    """Return the outlines of other files, numbered as they come, and their contents."""
    table: list[Row] = []
    contents = []
    for number, (label, histograms) in enumerate(others.items()):
        for name, histogram in histograms.items():
            density = density_of(histogram)
            contents.append(density.values)
            (row,) = _density_rows(method, name, "other", density)
            table.append(row | {"file": label, "number": number})
    return table, contents


def _other_layers(number: int) -> list[Any]:
    """Return a layer for the outlines of each other file."""
    tooltip = [
        alt.Tooltip("file:N"), alt.Tooltip("method:N"), alt.Tooltip("class:N", title="class"),
        alt.Tooltip("x:Q", title="from", format=".4g"), alt.Tooltip("y:Q", title="(1/N) dN/dx", format=".4g"),
    ]  # fmt: skip
    return [
        alt.Chart()
        .transform_calculate(h=_HEIGHT_OF_VALUE)
        .transform_filter(f"datum.sample === 'other' && datum.number === {i}")
        .mark_line(interpolate="step-after", strokeWidth=2.2, clip=True)
        .encode(
            x=alt.X("x:Q"), y=alt.Y("h:Q", stack=None), color=alt.Color("class:N"), detail=alt.Detail("class:N"),
            strokeDash=alt.value(_OTHER_DASHES[i % len(_OTHER_DASHES)]), tooltip=tooltip,
        )
        for i in range(number)
    ]  # fmt: skip


def _other_note(first: str, others: Sequence[str]) -> list[str]:
    """Return which file has which outline."""
    if not others:
        return []
    told = (f"{_DASH_NAMES[i % len(_DASH_NAMES)]} {label}" for i, label in enumerate(others))
    return [f"filled: {first}; " + ", ".join(told)]


def _notes(panel: ResponsePanel, densities: Sequence[tuple[str, Density]]) -> list[str]:
    outside = [(name, density.outside) for name, density in densities if density.outside > 0.0]
    notes = list(panel.notes)
    if outside:
        notes.append("outside the range: " + ", ".join(f"{name} {100 * part:.2g} %" for name, part in outside))
    return notes


def _layers(names: Sequence[str], *, legend: Any, training: bool, y_title: str | None = "(1/N) dN/dx") -> list[Any]:
    """Return the layers of one panel, for rows as `_density_rows` makes them."""
    colour, dash = class_colour(names, legend=legend), class_dash(names, legend=legend)
    tooltip = [
        alt.Tooltip("method:N", title="method"), alt.Tooltip("class:N", title="class"),
        alt.Tooltip("x:Q", title="from", format=".4g"), alt.Tooltip("x2:Q", title="to", format=".4g"),
        alt.Tooltip("y:Q", title="(1/N) dN/dx", format=".4g"),
    ]  # fmt: skip
    y = alt.Y("h:Q", title=y_title, stack=None)
    base = alt.Chart().transform_calculate(h=_HEIGHT_OF_VALUE, base=_FLOOR)
    test = base.transform_filter("datum.sample === 'test'")
    layers = [
        test.mark_bar(opacity=0.22, stroke=None, clip=True).encode(
            x=alt.X("x:Q"), x2=alt.X2("x2:Q"), y=y, y2=alt.Y2("base:Q"), color=colour, tooltip=tooltip
        ),
        test.mark_line(interpolate="step-after", strokeWidth=1.8, clip=True).encode(
            x=alt.X("x:Q"), y=y, color=colour, strokeDash=dash, detail=alt.Detail("class:N")
        ),
    ]
    if not training:
        return layers
    points = base.transform_filter("datum.sample === 'training'").transform_calculate(
        top="isValid(floor) ? max(datum.high, floor) : datum.high",
        foot="isValid(floor) ? max(datum.low, floor) : datum.low",
    )
    tooltip = [
        alt.Tooltip("method:N", title="method"), alt.Tooltip("class:N", title="class (training)"),
        alt.Tooltip("x:Q", title="centre", format=".4g"), alt.Tooltip("y:Q", title="(1/N) dN/dx", format=".4g"),
    ]  # fmt: skip
    layers.append(
        points.mark_rule(strokeWidth=1.3, clip=True).encode(
            x=alt.X("x:Q"), y=alt.Y("foot:Q"), y2=alt.Y2("top:Q"), color=colour
        )
    )
    layers.append(
        points.mark_point(filled=True, size=26, opacity=1, clip=True).encode(
            x=alt.X("x:Q"), y=y, color=colour, tooltip=tooltip,
            shape=alt.Shape("class:N", scale=alt.Scale(domain=list(names), range=_shapes(len(names))), legend=None),
        )
    )  # fmt: skip
    return layers


def _shapes(number: int) -> list[str]:
    shapes = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
    return [shapes[i % len(shapes)] for i in range(number)]


def _cut() -> Any:
    """Return the rule at a method's cut, of which the first row of each method tells."""
    return (
        alt.Chart()
        .transform_filter("datum.first === 1 && isValid(cuts[datum.method])")
        .transform_calculate(cut="cuts[datum.method]")
        .mark_rule(strokeWidth=2, strokeDash=[4, 3], color="#19937f", clip=True)
        .encode(x=alt.X("cut:Q"), tooltip=[alt.Tooltip("method:N"), alt.Tooltip("cut:Q", format=".5g")])
    )


def response_chart(
    panels: Sequence[ResponsePanel], x_title: str = "response", *, cuts: bool = True, notes: Sequence[str] = ()
) -> Any:
    """Return a chart of the responses of one method, or of small ones of several that wrap.

    Parameters
    ----------
    panels : sequence of ResponsePanel
        All of the same classes.
    x_title : str
    cuts : bool
        Whether a cut is on this axis.
    notes : sequence of str
        What is written above.

    Raises
    ------
    DataError
        If there is no panel, a histogram is empty, or bins or classes differ.
    """
    if not panels:
        raise DataError("there is no response to draw")
    names = list(panels[0].test)
    table: list[Row] = []
    contents: list[FloatArray] = []
    training = any(panel.training for panel in panels)
    said: list[str] = []
    for panel in panels:
        if list(panel.test) != names or (panel.training and list(panel.training) != names):
            raise DataError(f"{panel.method}: the classes are not {', '.join(names)} in both samples")
        check_bins([*panel.test.items(), *panel.training.items()], panel.method)
        densities = [(name, density_of(histogram)) for name, histogram in panel.test.items()]
        start = len(table)
        for name, density in densities:
            table += _density_rows(panel.method, name, "test", density)
            contents.append(density.values)
        for name, histogram in panel.training.items():
            density = density_of(histogram)
            contents.append(density.values)
            table += _density_rows(panel.method, name, "training", density)
        added, their_contents = _other_rows(panel.method, panel.others)
        table += added
        contents += their_contents
        table[start]["first"] = [1]
        said = [*_notes(panel, densities), *_other_note(panel.method, list(panel.others))]
    titles = [panel.method for panel in panels]
    single = len(panels) == 1
    y_title = "(1/N) dN/dx" if single else None
    layers = _layers(names, legend=alt.Legend(symbolType="square"), training=training, y_title=y_title)
    x = alt.X("x:Q", title=x_title if single else None, scale=alt.Scale(zero=False, nice=False))
    layers[0] = layers[0].encode(x=x)
    if single:
        layers[0] = layers[0].add_params(alt.selection_interval(bind="scales", name="zoom"))
    layers += _other_layers(max(len(panel.others) for panel in panels))
    if cuts:
        layers.append(_cut())
    wanted = parameters(methods=True, classes=True, cuts=cuts, floor=True)
    known: dict[str, Any] = {"methods": titles, "classes": names, "cuts": cuts, "logmin": {"y": log_floor(contents)}}
    if single:
        chart = layered(*layers, table=table, keep=[chosen("class", "classes")])
        chart = with_parameters(chart, *wanted)
        return finish(chart, notes=[*said, *notes], **known)
    small = alt.layer(*layers).properties(width=PANEL, height=170)
    data, flatten = inline(table)
    kept = [chosen("class", "classes"), chosen("method", "methods")]
    transforms: Any = [flatten, *(alt.FilterTransform(expression) for expression in kept)]
    facet = alt.Facet("method:N", title=None, sort=titles, header=alt.Header(labelLimit=PANEL))
    chart = small.facet(facet, data=data, columns=3, transform=transforms).resolve_scale(
        x="independent", y="independent"
    )
    chart = with_parameters(chart, *wanted)
    points = "; points: training sample" if training else ""
    return finish(
        chart, notes=[f"(1/N) dN/dx against the {x_title}{points}", *notes], panel=PANEL, height=None, **known
    )


def variables_chart(
    panels: Sequence[VariablePanel],
    others: Mapping[str, Mapping[str, Mapping[str, AnyHistogram]]] | None = None,
    *,
    label: str = "",
) -> Any:
    """Return a grid of charts, one for each variable, of the classes' distributions scaled to unit area.

    Parameters
    ----------
    panels : sequence of VariablePanel
    others : mapping, optional
        By a panel's title and the label of another file its histograms by class: outlines over the panel's own.
    label : str
        What tells the panels' file from the others.

    Raises
    ------
    DataError
        If there is no panel, a histogram is empty, or bins or classes differ.
    """
    if not panels:
        raise DataError("there is no variable to draw")
    names = list(panels[0].histograms)
    charts, contents = [], []
    for number, panel in enumerate(panels):
        if list(panel.histograms) != names:
            raise DataError(f"{panel.title}: the classes are {list(panel.histograms)}, but {names} before")
        check_bins(panel.histograms.items(), panel.title)
        table: list[Row] = []
        for name, histogram in panel.histograms.items():
            density = density_of(histogram)
            table += _density_rows(unicode_text(panel.title), name, "test", density)
            contents.append(density.values)
        added, their_contents = _other_rows(unicode_text(panel.title), (others or {}).get(panel.title, {}))
        table += added
        contents += their_contents
        title = shortened(unicode_text(panel.title)) + (f" [{unicode_text(panel.unit)}]" if panel.unit.strip() else "")
        layers = _layers(names, legend=None if len(names) == 1 else alt.Legend(symbolType="square"), training=False)
        layers[0] = (
            layers[0]
            .encode(x=alt.X("x:Q", title=title, scale=alt.Scale(zero=False, nice=False)))
            .add_params(alt.selection_interval(bind="scales", name=f"zoom{number}"))
        )
        layers += _other_layers(len((others or {}).get(panel.title, {})))
        keep = [chosen("class", "classes")]
        charts.append(layered(*layers, table=table, keep=keep).properties(width=PANEL, height=200))
    chart = with_parameters(alt.concat(*charts, columns=3), *parameters(classes=True, floor=True))
    labels = list(dict.fromkeys(name for of_panel in (others or {}).values() for name in of_panel))
    known: dict[str, Any] = {"classes": names, "logmin": {"y": log_floor(contents)}}
    return finish(chart, notes=_other_note(label, labels), panel=PANEL, height=None, **known)

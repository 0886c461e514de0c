"""What every chart shares: plain rows of data, looks that are stable, and the parameters by which a page drives it.

The contract between a chart and whoever shows it:

* Data have fixed field names; a title of a method or a variable is a value, never a name of a field, so that titles may
  hold anything. Numbers are rounded to six digits.
* ``methods`` and ``classes`` are parameters: a list of titles to show, or null for all. ``cuts`` is an object from title
  to cut. ``training`` and ``errors`` are true or false, with a check box of Vega's own. ``floor`` is null, or what
  takes the place of zero on a logarithmic axis.
* ``usermeta.mvakit`` says what may be offered: ``methods`` and ``classes`` (all titles), ``cuts`` (whether one is shown), ``log``
  (axes that may be logarithmic) and ``logmin`` (the `floor` for each of them), ``scrolls`` (whether it is to keep its width), ``panel`` (the width of a panel in pixels where the
  chart is a grid: ``columns`` may be set to what fits).
* A logarithmic axis is the same chart after `logarithmic`, which a page does on the JSON.
* Nothing is black or white: a theme sets the colours of axes and text, and the background.
"""

from __future__ import annotations

import copy
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Final

import altair as alt
import numpy as np
import numpy.typing as npt

from mvakit_gui.figures.text import LIMIT

__all__ = [
    "CLASS_COLOURS",
    "HEIGHT",
    "PANEL",
    "chart_of",
    "class_colour",
    "class_dash",
    "finish",
    "inline",
    "layered",
    "log_floor",
    "logarithmic",
    "method_colour",
    "method_dash",
    "parameters",
    "rows",
    "shortened",
    "with_parameters",
]

HEIGHT: Final = 380
# A page, in pixels: what legends count on; who shows the chart on a narrower one sets `config.legend.columns`.
_WIDE: Final = 860
# Letters of a title in a legend.
_LABEL: Final = 26
# Letters of a note that fit a narrow screen.
_LINE: Final = 64
PANEL: Final = 270

# Seen on light and on dark ground; neighbours differ in hue, and methods in dashes as well.
_METHOD_COLOURS: Final = (
    "#3f90da", "#d8432b", "#e89b0c", "#9b5fd0", "#7d8590", "#19937f", "#b3715c", "#d45a9b", "#8c9b1f", "#2fb4c8",
)  # fmt: skip
_DASHES: Final = ([1, 0], [7, 2.5], [8, 2, 2, 2], [2.5, 2])
CLASS_COLOURS: Final = ("#3f90da", "#e0562d", "#7d8590", "#9b5fd0", "#19937f", "#b3715c", "#e89b0c")
_CLASS_DASHES: Final = ([1, 0], [5, 2], [2, 2], [8, 2, 2, 2])

Row = dict[str, Any]


class _Columns:
    """Data in columns, which Altair is to take as they are: looking at every number would take it seconds."""

    _schema: ClassVar[dict[str, Any]] = {"type": "array"}

    def __init__(self, parts: list[Row]) -> None:
        self._parts = parts

    def to_dict(self, *args: Any, **keywords: Any) -> list[Row]:  # noqa: ARG002 - what Altair hands over
        return self._parts


def rows(**columns: Any) -> list[Row]:
    """Return columns as data of a chart, in one part: lists of equal lengths, and values that hold for all.

    What is no number becomes null. Parts may be joined; a column that a part lacks is null there.
    """
    return [{name: _plain(values) for name, values in columns.items()}]


def _plain(values: Any) -> Any:
    if isinstance(values, str | bool | int | None):
        return values
    array: npt.NDArray[Any] = np.asarray(values)
    if array.dtype.kind in "iu":
        return array.tolist()
    if array.dtype.kind == "b":
        return array.tolist()
    if array.dtype.kind != "f":
        return [str(value) for value in array.tolist()]
    if array.ndim == 0:
        return _rounded(float(array))
    return [_rounded(value) for value in array.astype(np.float64).tolist()]


def inline(table: list[Row]) -> tuple[Any, Any]:
    """Return columns as the data of a chart, and the transform that makes rows of them."""
    fields = list(dict.fromkeys(name for part in table for name, values in part.items() if isinstance(values, list)))
    parts = []
    for part in table:
        length = max((len(values) for values in part.values() if isinstance(values, list)), default=1)
        spread = {name: part.get(name, []) for name in fields}
        spread = {name: v if isinstance(v, list) else [v] * length for name, v in spread.items()}
        parts.append({name: v for name, v in part.items() if name not in spread} | spread)
    data: Any = alt.Data(values=_Columns(parts))  # type: ignore[no-untyped-call]
    return data, alt.FlattenTransform(flatten=fields)


def chart_of(table: list[Row]) -> Any:
    """Return an empty chart of columns."""
    data, flatten = inline(table)
    return alt.Chart(data, transform=[flatten])


def layered(*layers: Any, table: list[Row], keep: Sequence[str] = ()) -> Any:
    """Return layers over the same columns, of which those rows are kept for which all expressions are true."""
    data, flatten = inline(table)
    return alt.layer(*layers, data=data, transform=[flatten, *(alt.FilterTransform(expression) for expression in keep)])


def _rounded(value: float) -> float | None:
    return float(f"{value:.6g}") if math.isfinite(value) else None


def shortened(text: str, limit: int = LIMIT) -> str:
    """Return a title with its middle left out where it is longer than `limit`, on one line."""
    line = " ".join(str(text).split())
    return line if len(line) <= limit else f"{line[: (limit - 1) * 2 // 3]}…{line[len(line) - (limit - 1) // 3 :]}"


def _cycled(values: Sequence[Any], number: int, shift: int = 0) -> list[Any]:
    return [values[(i + (i // shift if shift else 0)) % len(values)] for i in range(number)]


def method_colour(titles: Sequence[str], *, legend: Any = alt.Undefined, field: str = "method") -> alt.Color:
    """Return the colour of methods, the same for the same place in the file."""
    scale = alt.Scale(domain=list(titles), range=_cycled(_METHOD_COLOURS, len(titles)))
    return alt.Color(f"{field}:N", scale=scale, legend=legend, title=None)


def method_dash(titles: Sequence[str], *, legend: Any = alt.Undefined, field: str = "method") -> alt.StrokeDash:
    """Return the dashes of methods; the first forty differ in colour or dashes."""
    scale = alt.Scale(domain=list(titles), range=_cycled(_DASHES, len(titles), 2 * len(_METHOD_COLOURS)))
    return alt.StrokeDash(f"{field}:N", scale=scale, legend=legend, title=None)


def class_colour(names: Sequence[str], *, legend: Any = alt.Undefined, title: str | None = None) -> alt.Color:
    """Return the colour of classes, signal first."""
    scale = alt.Scale(domain=list(names), range=_cycled(CLASS_COLOURS, len(names)))
    return alt.Color("class:N", scale=scale, legend=legend, title=title)


def class_dash(names: Sequence[str], *, legend: Any = alt.Undefined, title: str | None = None) -> alt.StrokeDash:
    """Return the dashes of classes' outlines, so that they differ without colour."""
    scale = alt.Scale(domain=list(names), range=_cycled(_CLASS_DASHES, len(names)))
    return alt.StrokeDash("class:N", scale=scale, legend=legend, title=title)


def chosen(field: str, parameter: str) -> str:
    """Return the expression that is true for rows that a parameter, a list or null, lets through."""
    return f"!isArray({parameter}) || indexof({parameter}, datum.{field}) >= 0"


def parameters(
    *, methods: bool = False, classes: bool = False, cuts: bool = False, floor: bool = False,
    switches: Mapping[str, str] | None = None,
) -> list[alt.Parameter]:  # fmt: skip
    """Return the parameters of a chart; `switches` are names with what their check box says."""
    found = [
        alt.param(name=name, value=value)
        for name, wanted, value in (
            ("methods", methods, None), ("classes", classes, None), ("cuts", cuts, {}), ("floor", floor, None),
        )
        if wanted
    ]  # fmt: skip
    for name, text in (switches or {}).items():
        found.append(alt.param(name=name, value=False, bind=alt.binding_checkbox(name=f"{text} ")))
    return found


def finish(
    chart: Any,
    *,
    notes: Sequence[str] = (),
    methods: Iterable[str] = (),
    classes: Iterable[str] = (),
    cuts: bool = False,
    logmin: Mapping[str, float] | None = None,
    panel: int | None = None,
    scrolls: bool = False,
    legend_columns: int | None = None,
    height: int | None = HEIGHT,
) -> Any:
    """Return a chart with its title, its size and what may be offered to whoever looks at it.

    Parameters
    ----------
    chart : Chart
    notes : sequence of str
        What is written above the chart, in lines that fit a narrow screen; the title is the view's.
    methods, classes : iterable of str
        All titles that the parameters of these names may hold.
    cuts : bool
        Whether the parameter ``cuts`` is drawn.
    logmin : mapping of str to float, optional
        The axes that may be logarithmic, ``x`` or ``y``, with what takes the place of zero.
    panel : int, optional
        The width of a panel, for a grid; else the chart is as wide as what holds it.
    scrolls : bool
        Whether it keeps its width on a narrow screen, where it would be of no use smaller.
    legend_columns : int, optional
        At most so many.
    height : int, optional
        None for a grid, whose panels have their own.
    """
    minima = {axis: value for axis, value in (logmin or {}).items() if value > 0.0}
    offered: dict[str, Any] = {
        "methods": list(methods), "classes": list(classes), "cuts": cuts, "log": list(minima), "logmin": minima,
    }  # fmt: skip
    # Set in place: Altair's own ways to set them copy the whole chart each time.
    if panel is None:
        chart.width = "container"
        chart.autosize = alt.AutoSizeParams(type="fit-x", contains="padding")
    else:
        offered |= {"panel": panel, "scrolls": scrolls}
    if height is not None:
        chart.height = height
    written = [shortened(line, 300) for line in notes if line.strip()]
    lines = [piece for line in written for piece in textwrap.wrap(line, _LINE)]
    if lines:
        offered["notes"] = written
        chart.title = alt.Title(
            text=lines, anchor="start", frame="group" if panel is None else "bounds", fontSize=11.5, fontWeight="normal",
        )  # fmt: skip
    chart.usermeta = {"mvakit": offered}
    columns = legend_columns or _columns(
        [str(name) for name in offered["methods" if panel is None and len(offered["methods"]) > 1 else "classes"]]
    )
    config = chart.config if isinstance(chart.config, alt.Config) else alt.Config()
    config.legend = alt.LegendConfig(
        orient="bottom" if panel is None else "top", direction="horizontal", columns=columns, labelLimit=175, symbolLimit=0,
        symbolStrokeWidth=2.5, symbolSize=160, symbolOpacity=1.0,
    )  # fmt: skip
    config.header = alt.HeaderConfig(labelLimit=PANEL, labelFontWeight="bold")
    config.axis = alt.AxisConfig(titleFontSize=12, labelFontSize=11, labelOverlap="greedy")
    chart.config = config
    return chart


def with_parameters(chart: Any, *found: alt.Parameter) -> Any:
    """Return a chart with parameters that hold values, which Altair's own way would put into each of its parts first."""
    there = chart.params if isinstance(chart.params, list) else []
    chart.params = [*there, *(one.param for one in found)]
    return chart


def _columns(titles: Sequence[str]) -> int:
    """Return how many columns of a legend fit into a wide page."""
    if not titles:
        return 1
    # Few long ones among many are shortened rather than all the others spread.
    lengths = sorted(len(shortened(title, _LABEL)) for title in titles)
    return max(1, min(len(titles), int(_WIDE // (44 + 6.6 * lengths[int(0.85 * (len(lengths) - 1))]))))


def log_floor(contents: Iterable[npt.NDArray[np.float64]]) -> float:
    """Return what takes the place of zero on a logarithmic axis: less than all contents, but within five orders of magnitude.

    0 where there is nothing above zero, and no such axis.
    """
    positive = np.concatenate([values[values > 0.0] for values in contents] or [np.zeros(0)])
    return max(0.5 * float(positive.min()), 1e-5 * float(positive.max())) if len(positive) else 0.0


def logarithmic(spec: Mapping[str, Any], axis: str) -> dict[str, Any]:
    """Return the JSON of a chart with one of its ``usermeta.mvakit.log`` axes logarithmic.

    Every quantitative encoding of that axis gets a logarithmic scale, and the parameter ``floor`` the value of
    ``usermeta.mvakit.logmin``.
    """
    changed = copy.deepcopy(dict(spec))
    floor = changed["usermeta"]["mvakit"]["logmin"][axis]

    def walk(node: Any) -> None:
        if isinstance(node, list):
            for item in node:
                walk(item)
        elif isinstance(node, dict):
            channel = node.get("encoding", {}).get(axis) if isinstance(node.get("encoding"), dict) else None
            if isinstance(channel, dict) and channel.get("type") == "quantitative":
                scale = channel.get("scale")
                if scale is not None or "scale" not in channel:
                    channel["scale"] = {k: v for k, v in (scale or {}).items() if k not in {"zero", "domain"}} | {
                        "type": "log"
                    }
            if node.get("name") == "floor" and "value" in node:
                node["value"] = floor
            for name, item in node.items():
                if name not in {"data", "datasets"}:
                    walk(item)

    walk(changed)
    return changed

"""A chart of one tree of a forest."""

from __future__ import annotations

from typing import Any, Final

import altair as alt

from mvakit_gui.charts.base import chart_of, finish, rows, shortened
from mvakit_gui.figures.titles import unicode_text
from mvakit_gui.figures.trees import TreeBox, TreeLayout

__all__ = ["tree_chart"]

# Pixels across and along, of a tree that hangs from its root and of one that grows to the right.
_HANGING: Final = (116, 92)
_LYING: Final = (40, 190)
_MOST_HANGING: Final = 8
_BOX: Final = (0.92, 0.52)
_LYING_BOX: Final = (0.76, 0.86)
_INK: Final = "#1b1f24"  # on boxes that are light in every theme
_COLOURS: Final = ("#f2a488", "#ebe6e1", "#93c3ee")
_INNER: Final = "#d9dce1"


def _place(box: TreeBox, *, hanging: bool) -> tuple[float, float]:
    return (box.position, float(box.depth)) if hanging else (float(box.depth), box.position)


def tree_chart(layout: TreeLayout) -> Any:
    """Return a chart of a tree: boxes with cut and purity, from background red to signal blue; thick frames are leaves.

    Up to 8 leaves it hangs from its root, and events that pass a cut go right; one with more grows to the right, and they
    go down.
    """
    hanging = layout.n_leaves <= _MOST_HANGING
    across, along = _HANGING if hanging else _LYING
    half = tuple(0.5 * size for size in (_BOX if hanging else _LYING_BOX))
    places = [_place(box, hanging=hanging) for box in layout.boxes]
    limit = 19 if hanging else 24
    boxes = rows(
        x=[x - half[0] for x, _ in places], x2=[x + half[0] for x, _ in places], xm=[x for x, _ in places],
        y=[y - half[1] for _, y in places], y2=[y + half[1] for _, y in places], ym=[y for _, y in places],
        node=[box.node for box in layout.boxes], kind=[box.kind for box in layout.boxes],
        colour=[_or_nan(box.purity if layout.by_purity else box.response) for box in layout.boxes],
        first=[shortened(unicode_text(box.lines[0]), limit) for box in layout.boxes],
        second=[shortened(unicode_text(box.lines[1]), limit) if len(box.lines) > 1 else "" for box in layout.boxes],
        full=[", ".join(unicode_text(line) for line in box.lines) for box in layout.boxes],
        leaf=[int(box.kind != "cut") for box in layout.boxes],
    )  # fmt: skip
    ends = [
        (*_ends(places[link.parent], places[link.child], half, hanging=hanging), "passes" if link.passed else "fails")
        for link in layout.links
    ]
    size = {"width": layout.n_leaves * across, "height": (layout.depth + 1) * along}
    if not hanging:
        size = {"width": (layout.depth + 1) * along, "height": layout.n_leaves * across}
    x_domain = [0, layout.n_leaves] if hanging else [-0.5, layout.depth + 0.5]
    y_domain = [layout.depth + 0.5, -0.5] if hanging else [layout.n_leaves, 0]
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=x_domain, nice=False))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=y_domain, nice=False))
    low, high = layout.low, layout.high if layout.high > layout.low else layout.low + 1.0
    colour = alt.Color(
        "colour:Q", title=layout.scale,
        scale=alt.Scale(domain=[low, 0.5 * (low + high), high], range=list(_COLOURS), clamp=True, interpolate="rgb"),
        legend=alt.Legend(orient="bottom", direction="horizontal", gradientLength=180, format=".3g"),
    )  # fmt: skip
    base: Any = chart_of(boxes)
    tooltip = [alt.Tooltip("full:N", title="node"), alt.Tooltip("kind:N"), alt.Tooltip("node:Q", title="number")]
    frame = {"x": x, "x2": alt.X2("x2:Q"), "y": y, "y2": alt.Y2("y2:Q"), "tooltip": tooltip}
    thickness = alt.condition("datum.leaf === 1", alt.value(2.2), alt.value(0.8))
    layers = [
        base.transform_filter("isValid(datum.colour)").mark_rect(stroke="#5b6470", cornerRadius=3).encode(
            **frame, color=colour, strokeWidth=thickness
        ),
        base.transform_filter("!isValid(datum.colour)").mark_rect(stroke="#5b6470", color=_INNER, cornerRadius=3).encode(
            **frame, strokeWidth=thickness
        ),
    ]  # fmt: skip
    two = any(len(box.lines) > 1 for box in layout.boxes)
    for text, dy in (("first:N", -7), ("second:N", 7)) if two else (("first:N", 0),):
        layers.append(
            base.mark_text(fontSize=10, dy=dy, color=_INK).encode(x=alt.X("xm:Q"), y=alt.Y("ym:Q"), text=text)
        )
    if ends:
        table = rows(
            **{
                name: list(column)
                for name, column in zip(("x", "y", "x2", "y2", "event"), zip(*ends, strict=True), strict=True)
            }
        )
        ways = ["passes", "fails"]
        links: Any = chart_of(table).mark_rule(strokeWidth=1.4, color="#7d8590").encode(
            x=x, y=y, x2=alt.X2("x2:Q"), y2=alt.Y2("y2:Q"),
            strokeDash=alt.StrokeDash(
                "event:N", title="event that", scale=alt.Scale(domain=ways, range=[[1, 0], [4, 3]]),
                legend=alt.Legend(symbolType="stroke", symbolStrokeColor="#7d8590"),
            ),
            tooltip=[alt.Tooltip("event:N", title="event that")],
        )  # fmt: skip
        layers.insert(0, links)
    chart = alt.layer(*layers).properties(width=max(size["width"], 220)).configure_view(stroke=None)
    chart = finish(
        chart, notes=[unicode_text(layout.title), "full lines: events that pass; dashed: that fail; thick frames: leaves"], height=size["height"], panel=max(size["width"], 220), scrolls=True,
        legend_columns=2,
    )  # fmt: skip
    # Where the root is, of the width and the height: what to show of a large tree first.
    across_root = places[0][0] / layout.n_leaves if hanging else 0.0
    chart.usermeta["mvakit"]["focus"] = [across_root, 0.0 if hanging else places[0][1] / layout.n_leaves]
    return chart


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _ends(
    parent: tuple[float, float], child: tuple[float, float], half: tuple[float, ...], *, hanging: bool
) -> tuple[float, float, float, float]:
    (x0, y0), (x1, y1) = parent, child
    return (x0, y0 + half[1], x1, y1 - half[1]) if hanging else (x0 + half[0], y0, x1 - half[0], y1)

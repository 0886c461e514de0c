"""A chart of the architecture of a network."""

from __future__ import annotations

from typing import Any, Final

import altair as alt

from mvakit.errors import DataError
from mvakit_gui.charts.base import chart_of, finish, rows, shortened
from mvakit_gui.figures.network import Network
from mvakit_gui.figures.titles import unicode_text

__all__ = ["network_chart"]

_NAMED: Final = 30
_GREY: Final = "#7d8590"


def network_chart(network: Network) -> Any:
    """Return a chart of neurons in layers and the weights between them, the stronger the wider.

    Raises
    ------
    DataError
        If it has no layers.
    """
    if not network.weights:
        raise DataError(f"{network.title} has no layers to draw")
    synapses, left_out = network.synapses()
    layers, starts, ends, weights, shares = zip(*synapses, strict=True)
    table = rows(
        x=list(layers), x2=[layer + 1 for layer in layers], y=list(starts), y2=list(ends), weight=list(weights),
        share=list(shares), sign=["negative" if weight < 0 else "positive" for weight in weights],
    )  # fmt: skip
    last = len(network.weights)
    places, heights, names, numbers = zip(*network.neurons(), strict=True)
    few = [size <= _NAMED for size in network.sizes]
    neurons = rows(
        x=list(places), y=list(heights), neuron=list(numbers),
        name=[shortened(unicode_text(n), 16) if few[layer] else "" for layer, n in zip(places, names, strict=True)],
        side=["right" if layer == last else "left" for layer in places],
    )  # fmt: skip
    margin = 24 + 6.5 * max(len(name) for part in neurons for name in part["name"])
    x = alt.X("x:Q", axis=None, scale=alt.Scale(domain=[0, last], padding=margin, nice=False))
    y = alt.Y("y:Q", axis=None, scale=alt.Scale(domain=[0, 1], nice=False))
    signs = ["positive", "negative"]
    lines: Any = chart_of(table).mark_rule(opacity=0.75).encode(
        x=x, x2=alt.X2("x2:Q"), y=y, y2=alt.Y2("y2:Q"),
        strokeWidth=alt.StrokeWidth("share:Q", scale=alt.Scale(domain=[0, 1], range=[0.25, 4]), legend=None),
        color=alt.Color("sign:N", title="weight", scale=alt.Scale(domain=signs, range=["#3f90da", "#e0562d"]),
                        legend=alt.Legend(symbolType="stroke")),
        strokeDash=alt.StrokeDash("sign:N", title="weight", scale=alt.Scale(domain=signs, range=[[1, 0], [5, 2]]),
                                  legend=alt.Legend(symbolType="stroke")),
        tooltip=[alt.Tooltip("weight:Q", format=".4g")],
    )  # fmt: skip
    base: Any = chart_of(neurons)
    height = int(min(900, max(280, 26 * max(network.sizes))))
    size = max(12.0, min(150.0, 0.4 * (height / max(network.sizes)) ** 2))
    points = base.mark_point(filled=True, size=size, opacity=1, color=_GREY).encode(
        x=x, y=y, tooltip=["neuron:N", "name:N"]
    )
    layers_of_text = [
        base.transform_filter(f"datum.side === '{side}'").mark_text(align=align, dx=dx, fontSize=11).encode(
            x=x, y=y, text=alt.Text("name:N")
        )
        for side, align, dx in (("left", "right", -9), ("right", "left", 9))
    ]  # fmt: skip
    note = f"{network.title}: " + " → ".join(str(size - (layer < last)) for layer, size in enumerate(network.sizes))
    note += f" neurons; {', '.join(network.activations)}" if network.activations else " neurons"
    lines_of_title = [note] + ([f"the {left_out} weakest weights are left out"] if left_out else [])
    chart = alt.layer(lines, points, *layers_of_text)
    return finish(chart, notes=lines_of_title, height=height, legend_columns=2)

"""The architecture of a network: neurons in layers, and the weights between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError
from mvakit_gui.figures.saving import figure_bytes
from mvakit_gui.figures.style import BACKGROUND, SIGNAL, Style, drawing, new_figure
from mvakit_gui.figures.text import shown
from mvakit_gui.figures.titles import own_text, title_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

__all__ = ["Network", "NetworkFigure", "network_figure"]

FloatArray = npt.NDArray[np.float64]

# More synapses than this between two layers are a black square; the strongest are drawn.
_SYNAPSES: Final = 600
_NAMED: Final = 30


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A chain of layers.

    Attributes
    ----------
    title : str
        Of the method.
    inputs, outputs : sequence of str
        What the first and the last layer stand for; the bias is the last of the inputs.
    weights : sequence of ndarray, shapes (n_in + 1, n_out)
        Between a layer, with its bias, and the next one.
    activations : sequence of str
        Of the layers after the first, where they are known.
    """

    title: str
    inputs: Sequence[str]
    outputs: Sequence[str]
    weights: Sequence[FloatArray]
    activations: Sequence[str] = ()

    @property
    def sizes(self) -> list[int]:
        """The neurons of each layer, the bias counted in all but the last."""
        return [len(weights) for weights in self.weights] + [self.weights[-1].shape[1]]

    def names(self, layer: int) -> list[str]:
        """Return what the neurons of a layer are called; empty texts where they have no names."""
        size = self.sizes[layer]
        if layer == 0:
            return [*self.inputs, "bias"][:size] if len(self.inputs) + 1 == size else [""] * size
        if layer == len(self.weights):
            return list(self.outputs) if len(self.outputs) == size else [""] * size
        return [""] * (size - 1) + ["bias"]

    def neurons(self) -> list[tuple[int, float, str, str]]:
        """Return layer, height between 0 and 1, name and number of every neuron, from the top."""
        found = []
        for layer, size in enumerate(self.sizes):
            for i, name in enumerate(self.names(layer)):
                found.append((layer, _height(i, size), name, f"layer {layer}, neuron {i}"))
        return found

    def synapses(self) -> tuple[list[tuple[int, float, float, float, float]], int]:
        """Return layer, heights of both ends, weight and its share of the layer's largest; and how many are left out."""
        found, left_out = [], 0
        for layer, weights in enumerate(self.weights):
            largest = float(np.max(np.abs(weights), initial=0.0)) or 1.0
            order = np.argsort(-np.abs(weights), axis=None, kind="stable")
            left_out += max(0, len(order) - _SYNAPSES)
            # The strongest lie on top. A bias has nothing that leads into it.
            size_in, size_out = self.sizes[layer], self.sizes[layer + 1]
            for index in order[:_SYNAPSES][::-1]:
                i, j = divmod(int(index), weights.shape[1])
                weight = float(weights[i, j])
                found.append((layer, _height(i, size_in), _height(j, size_out), weight, abs(weight) / largest))
        return found, left_out


def _height(position: int, size: int) -> float:
    return 1.0 - (position + 0.5) / size


class NetworkFigure(NamedTuple):
    """What `network_figure` drew: the synapses, in the order of `Network.synapses`."""

    figure: Figure
    axes: Axes
    synapses: LineCollection

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.figure)


def network_figure(network: Network, *, label: str | None = None, style: Style = None) -> NetworkFigure:
    """Draw the neurons of a network and the weights between them, the stronger the wider; negative ones dashed.

    Parameters
    ----------
    network : Network
    label : str, optional
        A line of one's own above the frame; may contain mathtext.
    style : str or mapping, optional
        See `drawing`.

    Raises
    ------
    DataError
        If it has no layers.
    """
    from matplotlib.collections import LineCollection

    if not network.weights:
        raise DataError(f"{network.title} has no layers to draw")
    synapses, left_out = network.synapses()
    neurons = network.neurons()
    last = len(network.weights)
    with drawing(style):
        figure = new_figure(3.4 + 2.6 * last, float(np.clip(0.42 * max(network.sizes), 4.5, 11.0)))
        axes = figure.add_subplot()
        drawn = LineCollection(
            [[(layer, start), (layer + 1, end)] for layer, start, end, _, _ in synapses],
            colors=[SIGNAL.line if weight >= 0.0 else BACKGROUND.line for *_, weight, _ in synapses],
            linewidths=[0.2 + 2.6 * share for *_, share in synapses],
            linestyles=["-" if weight >= 0.0 else (0, (4, 1.5)) for *_, weight, _ in synapses],
            alpha=0.7,
        )
        axes.add_collection(drawn)
        size = float(np.clip(150.0 / max(network.sizes), 2.0, 11.0))
        axes.plot(
            [layer for layer, *_ in neurons], [height for _, height, *_ in neurons],
            linestyle="none", marker="o", markersize=size, color="0.35", markerfacecolor="white", zorder=3,
        )  # fmt: skip
        for layer, height, name, _ in neurons:
            if name and network.sizes[layer] <= _NAMED:
                side = "left" if layer == last else "right"
                axes.annotate(
                    title_text(name, 20), (layer, height), (9 if layer == last else -9, 0), textcoords="offset points",
                    ha=side, va="center", fontsize=10,
                )  # fmt: skip
        for layer, activation in enumerate(network.activations, 1):
            axes.annotate(
                shown(activation, 18), (layer, 1.0), (0, 8), textcoords="offset points", ha="center", fontsize=10
            )
        axes.set_xlim(-0.45, last + 0.45)
        axes.set_ylim(-0.02, 1.04)
        axes.set_axis_off()
        note = f"{shown(network.title, 30)}: full lines are positive weights, dashed ones negative"
        axes.set_title(
            note + (f"; the {left_out} weakest are left out" if left_out else ""), loc="left", fontsize=11, pad=24
        )
        if label:
            axes.annotate(own_text(label), (0, 1), (0, 24), xycoords="axes fraction", textcoords="offset points")
    return NetworkFigure(figure, axes, drawn)

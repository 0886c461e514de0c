"""One tree of a forest: where its boxes are and what they say, and the picture that TMVA's viewer makes of it.

`tree_layout` is plain values, which any view can draw; `tree_figure` draws them with matplotlib.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import numpy as np

from mvakit.errors import DataError
from mvakit.method import Forest
from mvakit.types import AnalysisType
from mvakit_gui.figures.saving import figure_bytes
from mvakit_gui.figures.style import BACKGROUND, SIGNAL, Style, drawing, new_figure
from mvakit_gui.figures.text import plain, shown
from mvakit_gui.figures.titles import own_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure
    from matplotlib.text import Text

__all__ = ["TreeBox", "TreeFigure", "TreeLayout", "TreeLink", "tree_figure", "tree_layout"]

Kind = Literal["cut", "signal", "background", "response"]

_MAX_NODES: Final = 2000
# Inches that a box and its surroundings take: of a tree that hangs from its root, and of one that grows to the right.
_HANGING: Final = (1.62, 1.3)
_LYING: Final = (2.35, 0.24)  # across for every line
_MOST_HANGING: Final = 16  # leaves; a picture of more would be too wide
_BOX: Final = (0.88, 0.56)
_LYING_BOX: Final = (0.70, 0.86)
_FONT: Final = 10.0
_SMALLEST_FONT: Final = 7.5
_LETTER: Final = 0.56  # of the size of the font, the width of a letter
_INNER: Final = "#eeeeee"


@dataclass(frozen=True, slots=True)
class TreeBox:
    """A node of a tree.

    Attributes
    ----------
    node : int
        Its number within the tree.
    depth : int
        0 for the root.
    position : float
        Its place across the tree: leaves are at 0.5, 1.5, ... from the left branch to the right one, and other nodes in the
        middle of their children.
    kind : {"cut", "signal", "background", "response"}
        What a leaf says: its class, or a number of its own.
    purity : float or None
        S/(S+B); None in a regression.
    response : float or None
        The number that a leaf says.
    lines : tuple of str
        What is written in the box.
    """

    node: int
    depth: int
    position: float
    kind: Kind
    purity: float | None
    response: float | None
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TreeLink:
    """The way from a node to a child: to the right one go events that pass the cut ``variable > value``."""

    parent: int
    child: int
    passed: bool


@dataclass(frozen=True, slots=True)
class TreeLayout:
    """A tree to be drawn.

    Attributes
    ----------
    title : str
    scale : str
        What the colours mean: the purity, or what leaves say.
    low, high : float
        The range of the colours.
    boxes : tuple of TreeBox
        By node: ``boxes[link.child]`` is a child.
    links : tuple of TreeLink
    n_leaves, depth : int
    """

    title: str
    scale: str
    low: float
    high: float
    boxes: tuple[TreeBox, ...]
    links: tuple[TreeLink, ...]
    n_leaves: int
    depth: int

    @property
    def by_purity(self) -> bool:
        """Whether boxes are coloured by their purity, and not leaves by what they say."""
        return self.boxes[0].purity is not None


def tree_layout(
    forest: Forest,
    tree: int,
    names: Sequence[str],
    *,
    title: str = "",
    analysis: AnalysisType = AnalysisType.CLASSIFICATION,
    classes: Sequence[str] = (),
) -> TreeLayout:
    """Return where the boxes of a tree are and what they say.

    Parameters
    ----------
    forest : Forest
    tree : int
        Counted from 0, as TMVA does.
    names : sequence of str
        Of the variables.
    title : str
        Of the method.
    analysis : AnalysisType
        A regression has no purities.
    classes : sequence of str
        Of several classes, tree i tells class ``i % n`` from the others.

    Raises
    ------
    DataError
        If there is no such tree, it has more than 2000 nodes, or a variable has no name.
    """
    n_trees = len(forest.first) - 1
    if not 0 <= tree < n_trees:
        raise DataError(f"{title or 'the forest'} has the trees 0 to {n_trees - 1}, and no tree {tree}")
    nodes = slice(int(forest.first[tree]), int(forest.first[tree + 1]))
    variable = forest.variable[nodes]
    if len(variable) > _MAX_NODES:
        raise DataError(f"tree {tree} has {len(variable)} nodes; at most {_MAX_NODES} can be drawn")
    if variable.max() >= len(names):
        raise DataError(f"tree {tree} cuts on variable {variable.max()}, and there are {len(names)} names")
    depth, position = _places(forest.left[nodes], forest.right[nodes], variable >= 0)
    regression = analysis is AnalysisType.REGRESSION
    says = _leaf_kind(forest, regression=regression)
    boxes, links = [], []
    for node in range(len(variable)):
        i = nodes.start + node
        inner = bool(variable[node] >= 0)
        purity = None if regression else float(forest.purity[i])
        value = float(forest.value[i])
        kind: Kind = "cut"
        if inner:
            text = f"{names[int(variable[node])]} > {_number(float(forest.cut[i]))}"
            links.append(TreeLink(node, int(forest.left[i]), passed=False))
            links.append(TreeLink(node, int(forest.right[i]), passed=True))
        elif says == "response":
            kind, text = "response", _number(value) if regression else f"response {value:+.3g}"
        else:
            signal = value > (0.0 if says == "class" else 0.5)
            kind = "signal" if signal else "background"
            text = kind
        lines = (text,) if purity is None else (f"S/(S+B) = {purity:.3f}", text)
        boxes.append(
            TreeBox(node, int(depth[node]), float(position[node]), kind, purity, None if inner else value, lines)
        )
    scale, low, high = _scale(forest, nodes, regression=regression)
    whose = ""
    if analysis is AnalysisType.MULTICLASS and classes:
        signal_class = classes[tree % len(classes)]
        whose, scale = f", for {signal_class}", f"{scale} with S = {signal_class}"
    weight = f", weight {forest.tree_weight[tree]:.3g}" if says != "response" else ""
    return TreeLayout(
        f"{title}, tree {tree} (0 to {n_trees - 1}){whose}{weight}".removeprefix(", "), scale, low, high, tuple(boxes), tuple(links),
        int((variable < 0).sum()), int(depth.max()),
    )  # fmt: skip


def _number(value: float) -> str:
    return f"{value:.4g}"


def _places(left: Any, right: Any, inner: Any) -> tuple[Any, Any]:
    """Return depth and position of each node."""
    depth, position = np.zeros(len(inner), np.int64), np.zeros(len(inner))
    order, waiting = [], [0]
    while waiting:
        node = waiting.pop()
        order.append(node)
        if inner[node]:
            depth[[left[node], right[node]]] = depth[node] + 1
            waiting += [int(right[node]), int(left[node])]
    leaves = [node for node in order if not inner[node]]
    position[leaves] = np.arange(len(leaves)) + 0.5
    for node in reversed(order):
        if inner[node]:
            position[node] = 0.5 * (position[left[node]] + position[right[node]])
    return depth, position


def _leaf_kind(forest: Forest, *, regression: bool) -> Literal["class", "purity", "response"]:
    """Return what the leaves of a forest say: a class, their purity, or a response of their own."""
    leaf = np.asarray(forest.variable) < 0
    value, purity = forest.value[leaf], forest.purity[leaf]
    if regression:
        return "response"
    if np.isin(value, (-1.0, 1.0)).all():
        return "class"
    return "purity" if np.array_equal(value, purity) else "response"


def _scale(forest: Forest, nodes: slice, *, regression: bool) -> tuple[str, float, float]:
    """Return what colours mean, and their range."""
    if not regression:
        return "S/(S+B)", 0.0, 1.0
    said = forest.value[nodes][forest.variable[nodes] < 0]
    return "Response of the leaf", float(said.min()), float(said.max())


# ------------------------------------------------------------------------------------------------- drawing


class TreeFigure(NamedTuple):
    """What `tree_figure` drew; `texts` has one for each box, in the order of the layout."""

    figure: Figure
    axes: Axes
    layout: TreeLayout
    texts: tuple[Text, ...]
    bar: Colorbar

    def _repr_png_(self) -> bytes:
        return figure_bytes(self.figure)


def tree_figure(layout: TreeLayout, *, label: str | None = None, style: Style = None) -> TreeFigure:
    """Draw a tree as TMVA's viewer does: boxes from background red to signal blue, the cut, and what leaves say.

    Up to 16 leaves it hangs from its root, and events that pass a cut go right; one with more grows from left to right, and
    they go down.

    Parameters
    ----------
    layout : TreeLayout
    label : str, optional
        A line of one's own above; may contain mathtext.
    style : str or mapping, optional
        See `drawing`.
    """
    hanging = layout.n_leaves <= _MOST_HANGING
    across, along = (_HANGING[0], _HANGING[1]) if hanging else (_LYING[1] * len(layout.boxes[0].lines), _LYING[0])
    spans = (max(layout.n_leaves * across, 5.0 if hanging else 2.5), (layout.depth + 1) * along)
    width, height = spans if hanging else spans[::-1]
    with drawing(style):
        figure = new_figure(max(width, 6.0) + 0.6, height + 1.9)
        axes = figure.add_subplot()
        axes.set_axis_off()
        if hanging:
            axes.set(xlim=(0, layout.n_leaves), ylim=(layout.depth + 0.5, -0.5))
        else:
            axes.set(xlim=(-0.5, layout.depth + 0.5), ylim=(layout.n_leaves, 0))
        colours, norm = _colours(layout)
        size = _HANGING[0] * _BOX[0] if hanging else _LYING[0] * _LYING_BOX[0]
        if hanging and layout.n_leaves * across < width:
            size *= width / (layout.n_leaves * across)
        texts = tuple(_draw_box(axes, box, layout, colours, norm, size, hanging=hanging) for box in layout.boxes)
        for link in layout.links:
            _draw_link(axes, layout, link, hanging=hanging)
        bar = _draw_legend(figure, axes, layout, colours, norm)
        axes.set_title(shown(layout.title, 80), loc="right")
        if label:
            axes.set_title(own_text(label), loc="left")
    return TreeFigure(figure, axes, layout, texts, bar)


def _colours(layout: TreeLayout) -> tuple[Colormap, Normalize]:
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    if layout.by_purity:
        steps = [BACKGROUND.line, "#f3b79d", "#f4f1ee", "#a9cbe6", SIGNAL.line]
        colours: Colormap = LinearSegmentedColormap.from_list("purity", steps)
    else:
        colours = colormaps["viridis"]
    low, high = layout.low, layout.high
    return colours, Normalize(low, high if high > low else low + 1.0)


def _place(box: TreeBox, *, hanging: bool) -> tuple[float, float]:
    return (box.position, box.depth) if hanging else (box.depth, box.position)


def _half(*, hanging: bool) -> tuple[float, float]:
    """Return half the width and the height of a box."""
    size = _BOX if hanging else _LYING_BOX
    return size[0] / 2, size[1] / 2


def _draw_box(
    axes: Axes, box: TreeBox, layout: TreeLayout, colours: Colormap, norm: Normalize, width: float, *, hanging: bool
) -> Text:
    """Draw a box, `width` inches wide, and what it says."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Rectangle

    value = box.purity if layout.by_purity else box.response
    fill = to_rgb(_INNER if value is None else colours(norm(value)))
    (x, y), (w, h) = _place(box, hanging=hanging), _half(hanging=hanging)
    leaf = box.kind != "cut"
    axes.add_patch(
        Rectangle(
            (x - w, y - h), 2 * w, 2 * h, facecolor=fill, edgecolor="black", linewidth=2.2 if leaf else 0.8, zorder=2
        )
    )
    points = 0.94 * 72.0 * width / _LETTER
    lines = [_shortened(line, int(points / _SMALLEST_FONT)) for line in box.lines]
    size = min(_FONT, points / max(map(len, lines)))
    dark = 0.299 * fill[0] + 0.587 * fill[1] + 0.114 * fill[2] < 0.5
    return axes.text(
        x, y, "\n".join(lines).replace("$", r"\$"), ha="center", va="center", fontsize=size, linespacing=1.25,
        color="white" if dark else "black", zorder=3,
    )  # fmt: skip


def _shortened(line: str, limit: int) -> str:
    """Return a line that is no longer than `limit`, of a cut with its value whole."""
    name, sign, value = line.rpartition(" > ")
    return plain(name, max(limit - len(sign + value), 1)) + sign + value if sign else plain(line, limit)


def _draw_link(axes: Axes, layout: TreeLayout, link: TreeLink, *, hanging: bool) -> None:
    """Draw the way to a child, solid where events pass the cut and dashed where they fail."""
    from matplotlib.lines import Line2D

    parent, child = layout.boxes[link.parent], layout.boxes[link.child]
    (x0, y0), (x1, y1) = _place(parent, hanging=hanging), _place(child, hanging=hanging)
    w, h = _half(hanging=hanging)
    if hanging:
        side = w / 2 if link.passed else -w / 2
        xs, ys = (x0 + side, x1), (y0 + h, y1 - h)
    else:
        xs, ys = (x0 + w, x1 - w), (y0, y1)
    dashes = "-" if link.passed else (0, (4, 2))
    axes.add_line(Line2D(xs, ys, color="black", linewidth=1.3, linestyle=dashes, zorder=1))
    if hanging or link.parent == 0:
        axes.text(
            0.5 * (xs[0] + xs[1]), 0.5 * (ys[0] + ys[1]), "pass" if link.passed else "fail", ha="center", va="center",
            fontsize=8.0, zorder=1.5, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip


def _draw_legend(figure: Figure, axes: Axes, layout: TreeLayout, colours: Colormap, norm: Normalize) -> Colorbar:
    """Draw what the colours mean below the tree."""
    from matplotlib.cm import ScalarMappable

    width, _ = figure.get_size_inches()
    bar = figure.colorbar(
        ScalarMappable(norm, colours), ax=axes, orientation="horizontal", shrink=min(1.0, 4.5 / width), aspect=25,
        pad=0.02, fraction=0.05,
    )  # fmt: skip
    ends = " (background to signal)" if layout.by_purity else ""
    bar.set_label(f"{layout.scale}{ends}\nthick frames: leaves; dashed: the cut is failed", fontsize=12.0)
    bar.ax.tick_params(labelsize=10.0, which="both", direction="out", top=False, length=3)
    bar.ax.minorticks_off()
    return bar

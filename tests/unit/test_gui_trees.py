"""A tree as it is drawn: boxes, links, colours, and what cannot be drawn."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle
from mvakit_gui import display
from mvakit_gui.figures import tree_figure, tree_layout
from mvakit_gui.figures.style import BACKGROUND, SIGNAL

from mvakit.errors import DataError
from mvakit.method import Forest
from mvakit.model import train
from mvakit.types import AnalysisType
from tests.unit.test_bdt_stopping import CLASSIFICATION, MULTICLASS, REGRESSION, dataset

NAMES = ("x", "y", "z")


def forest(depth: int, *, yes_no: bool = True, n_trees: int = 1, seed: int = 1) -> Forest:
    """Complete trees, each node before its children and the left branch before the right one."""
    rng = np.random.default_rng(seed)
    columns: dict[str, list] = {name: [] for name in ("variable", "cut", "left", "right", "purity")}
    first = [0]

    def grow(level: int) -> int:
        node = len(columns["variable"]) - first[-1]
        for name, value in (("variable", -1), ("cut", 0.0), ("left", -1), ("right", -1), ("purity", rng.uniform())):
            columns[name].append(value)
        if level < depth:
            columns["variable"][first[-1] + node] = int(rng.integers(3))
            columns["cut"][first[-1] + node] = float(rng.normal())
            columns["left"][first[-1] + node] = grow(level + 1)
            columns["right"][first[-1] + node] = grow(level + 1)
        return node

    for _ in range(n_trees):
        grow(0)
        first.append(len(columns["variable"]))
    purity = np.array(columns["purity"])
    return Forest(
        np.array(first), np.array(columns["variable"]), np.array(columns["cut"], np.float32), np.array(columns["left"]),
        np.array(columns["right"]), np.where(purity > 0.5, 1.0, -1.0) if yes_no else rng.normal(size=len(purity)),
        rng.uniform(0.1, 1, n_trees), purity,
    )  # fmt: skip


def small() -> Forest:
    """x > 0.5 at the root; below it, on the right, z > -2."""
    return Forest(
        np.array([0, 5]), np.array([0, -1, 2, -1, -1]), np.array([0.5, 0, -2, 0, 0], np.float32),
        np.array([1, -1, 3, -1, -1]), np.array([2, -1, 4, -1, -1]), np.array([1.0, -1, 1, -1, 1]), np.array([0.25]),
        np.array([0.5, 0.1, 0.7, 0.4, 0.9]),
    )  # fmt: skip


def test_the_layout_of_a_small_tree():
    layout = tree_layout(small(), 0, NAMES, title="BDT")
    assert layout.title == "BDT, tree 0 (0 to 0), weight 0.25"
    assert (layout.n_leaves, layout.depth, layout.scale, layout.low, layout.high) == (3, 2, "S/(S+B)", 0, 1)
    assert [box.position for box in layout.boxes] == [1.25, 0.5, 2.0, 1.5, 2.5]
    assert [box.depth for box in layout.boxes] == [0, 1, 1, 2, 2]
    assert [box.kind for box in layout.boxes] == ["cut", "background", "cut", "background", "signal"]
    assert [box.lines for box in layout.boxes] == [
        ("S/(S+B) = 0.500", "x > 0.5"), ("S/(S+B) = 0.100", "background"), ("S/(S+B) = 0.700", "z > -2"),
        ("S/(S+B) = 0.400", "background"), ("S/(S+B) = 0.900", "signal"),
    ]  # fmt: skip
    assert [(link.parent, link.child, link.passed) for link in layout.links] == [
        (0, 1, False), (0, 2, True), (2, 3, False), (2, 4, True),
    ]  # fmt: skip
    assert [box.response for box in layout.boxes] == [None, -1, None, -1, 1]


def test_what_leaves_say():
    plain = small()
    purities = dataclasses.replace(plain, value=plain.purity)
    assert [box.lines[1] for box in tree_layout(purities, 0, NAMES).boxes[1:]] == [
        "background", "z > -2", "background", "signal",
    ]  # fmt: skip
    grad = dataclasses.replace(plain, value=np.array([0, -0.123456, 0, 0.05, 0.25]))
    layout = tree_layout(grad, 0, NAMES)
    assert [box.lines[1] for box in layout.boxes if box.kind == "response"] == [
        "response -0.123", "response +0.05", "response +0.25",
    ]  # fmt: skip
    assert layout.title == "tree 0 (0 to 0)"
    several = tree_layout(grad, 0, NAMES, title="M", analysis=AnalysisType.MULTICLASS, classes=("A", "B"))
    assert (several.title, several.scale) == ("M, tree 0 (0 to 0), for A", "S/(S+B) with S = A")
    regression = tree_layout(grad, 0, NAMES, analysis=AnalysisType.REGRESSION)
    assert [box.lines for box in regression.boxes[:2]] == [("x > 0.5",), ("-0.1235",)]
    assert (regression.scale, regression.low, regression.high) == ("Response of the leaf", -0.123456, 0.25)
    assert not regression.by_purity
    assert [box.purity for box in regression.boxes] == [None] * 5


def test_trees_of_a_forest_are_apart():
    some = forest(3, n_trees=4)
    for tree in range(4):
        layout = tree_layout(some, tree, NAMES)
        begin = int(some.first[tree])
        assert [box.purity for box in layout.boxes] == some.purity[begin : some.first[tree + 1]].tolist()
        assert layout.title == f"tree {tree} (0 to 3), weight {some.tree_weight[tree]:.3g}"
    for tree in (-1, 4):
        with pytest.raises(DataError, match=f"trees 0 to 3, and no tree {tree}"):
            tree_layout(some, tree, NAMES)


def test_what_cannot_be_laid_out():
    with pytest.raises(DataError, match="4095 nodes; at most 2000"):
        tree_layout(forest(11), 0, NAMES)
    with pytest.raises(DataError, match="cuts on variable 2, and there are 2 names"):
        tree_layout(small(), 0, NAMES[:2])


def boxes_of(drawn) -> list[Rectangle]:
    found = [patch for patch in drawn.axes.patches if isinstance(patch, Rectangle)]
    assert len(found) == len(drawn.layout.boxes)
    return found


def test_colours_are_from_background_to_signal():
    some = dataclasses.replace(small(), purity=np.array([0.5, 0.0, 0.7, 0.4, 1.0]))
    drawn = tree_figure(tree_layout(some, 0, NAMES), label="of $x^2$")
    colours = [box.get_facecolor()[:3] for box in boxes_of(drawn)]
    np.testing.assert_allclose(colours[1], to_rgb(BACKGROUND.line), atol=0.01)
    np.testing.assert_allclose(colours[4], to_rgb(SIGNAL.line), atol=0.01)
    assert colours[3][0] > colours[3][2]
    assert colours[2][0] < colours[2][2]
    assert [text.get_color() for text in drawn.texts] == ["black", "white", "black", "black", "white"]
    assert [box.get_linewidth() for box in boxes_of(drawn)] == [0.8, 2.2, 0.8, 2.2, 2.2]
    assert drawn.axes.get_title("left") == "of $x^2$"
    assert drawn.bar.ax.get_xlabel().startswith("S/(S+B) (background to signal)\nthick frames: leaves; dashed:")
    assert [line.get_linestyle() for line in drawn.axes.lines] == ["--", "-", "--", "-"]
    assert drawn._repr_png_()[1:4] == b"PNG"


def test_the_leaves_of_a_regression_have_the_colours():
    layout = tree_layout(forest(2, yes_no=False), 0, NAMES, analysis=AnalysisType.REGRESSION)
    drawn = tree_figure(layout)
    colours = {box.get_facecolor() for box, one in zip(boxes_of(drawn), layout.boxes, strict=True) if one.kind != "cut"}
    assert len(colours) == 4
    inner = {box.get_facecolor() for box, one in zip(boxes_of(drawn), layout.boxes, strict=True) if one.kind == "cut"}
    assert len(inner) == 1
    assert (drawn.bar.vmin, drawn.bar.vmax) == (layout.low, layout.high)
    one = dataclasses.replace(layout, boxes=layout.boxes[-1:], links=(), n_leaves=1, depth=0, low=1.0, high=1.0)
    assert (
        len(
            tree_figure(
                dataclasses.replace(one, boxes=(dataclasses.replace(one.boxes[0], position=0.5, depth=0),))
            ).texts
        )
        == 1
    )


@pytest.mark.parametrize("depth", [1, 4, 5, 8])
@pytest.mark.parametrize("names", [NAMES, ("a" * 60, "$x$_{2}", "日本")])
def test_boxes_hold_their_texts_and_do_not_overlap(depth, names):
    drawn = tree_figure(tree_layout(forest(depth, yes_no=depth % 2 == 0), 0, names, title="BDT"))
    drawn.figure.set_dpi(40)
    drawn.figure.draw_without_rendering()
    frames = [box.get_window_extent() for box in boxes_of(drawn)]
    assert drawn.figure.get_size_inches()[1] < 140
    for text, frame, box in zip(drawn.texts, frames, drawn.layout.boxes, strict=True):
        inside = text.get_window_extent()
        assert frame.x0 <= inside.x0 <= inside.x1 <= frame.x1
        assert frame.y0 - 1 <= inside.y0 <= inside.y1 <= frame.y1 + 1
        assert text.get_fontsize() >= 7
        if box.kind == "cut":
            assert text.get_text().endswith(box.lines[-1].split(" > ")[1])
    for level in range(depth + 1):
        row = [frame for frame, box in zip(frames, drawn.layout.boxes, strict=True) if box.depth == level]
        assert not any(a.overlaps(b) for a, b in itertools.pairwise(row))
    page = drawn.figure.bbox
    for artist in (*drawn.texts, drawn.axes.title, drawn.axes._right_title, drawn.bar.ax.xaxis.label):
        extent = artist.get_window_extent()
        assert page.x0 <= extent.x0 <= extent.x1 <= page.x1
        assert page.y0 <= extent.y0 <= extent.y1 <= page.y1


@pytest.mark.parametrize("analysis", [CLASSIFICATION, MULTICLASS, REGRESSION])
def test_a_model_is_drawn(analysis):
    model = train(dataset(analysis), "BDT", "NTrees=4:BoostType=Grad:MaxDepth=2", title="BDTG")
    drawn = display.draw_tree(model, 3)
    assert drawn.layout.title.startswith("BDTG, tree 3 (0 to ")
    assert drawn.layout.by_purity is (analysis is not REGRESSION)
    if analysis is MULTICLASS:
        assert drawn.layout.title == "BDTG, tree 3 (0 to 11), for one"
    said = {line.split(" > ")[0] for box in drawn.layout.boxes for line in box.lines if box.kind == "cut"}
    assert said - {line for line in said if line.startswith("S/")} <= {"x", "y", "z"}


@pytest.mark.parametrize(("method", "text"), [("Fisher", ""), ("BDT", "UseFisherCuts:NTrees=5:MinLinCorrForFisher=0")])
def test_models_that_are_no_trees(method, text):
    model = train(dataset(CLASSIFICATION), method, text)
    with pytest.raises(DataError, match=rf"{method} cannot be drawn as a tree: {method} is no forest"):
        display.draw_tree(model)

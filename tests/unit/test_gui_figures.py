"""The artists carry the right numbers, everything is inside the picture, and nothing leaks into matplotlib's state."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from mvakit_gui.figures import (
    RocLine,
    VariablePanel,
    correlation_figure,
    cut_efficiency_figure,
    deviation_figure,
    drawing,
    figure_bytes,
    history_figure,
    overtraining_figure,
    response_figure,
    roc_figure,
    save_figure,
    variables_figure,
)
from mvakit_gui.figures.style import line_looks

from mvakit.errors import DataError, OptionError
from mvakit.evaluation import ClassSample, Histogram1D, KolmogorovSmirnov, cut_scan_of_efficiencies, fill, roc_curve
from mvakit.method import Curve
from mvakit.resultfile import Histogram, Histogram2D

HOSTILE = ("$x$", "<b>", "a_b^c", "日本 µ √", "x" * 300, "#bar{")


def sample(mean: float, count: int = 400, seed: int = 1) -> ClassSample:
    rng = np.random.default_rng(seed)
    return ClassSample("class", rng.normal(mean, 1.0, count), rng.uniform(0.5, 1.5, count))


def histogram(mean: float, seed: int = 1, low: float = -5.0, high: float = 5.0, nbins: int = 20) -> Histogram1D:
    return fill(sample(mean, seed=seed), nbins, low, high, name=f"h{mean}", title="")


def pair(seed: int = 1, **binning: Any) -> dict[str, Histogram1D]:
    return {"Signal": histogram(1.0, seed, **binning), "Background": histogram(-1.0, seed + 1, **binning)}


def line(title: str, separation: float, count: int = 300) -> RocLine:
    rng = np.random.default_rng(7)
    scores = np.concatenate([rng.normal(separation, 1, count), rng.normal(0, 1, count)])
    return RocLine.of(title, roc_curve(scores, np.arange(2 * count) < count))


def densities(h: Histogram1D) -> np.ndarray:
    return h.contents / (h.contents.sum() * h.width)


def assert_inside(drawn: Any) -> None:
    """Everything that is drawn lies inside the picture."""
    figure = drawn.figure
    with drawing():
        figure.draw_without_rendering()
        box = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert box.x0 >= -0.01
    assert box.y0 >= -0.01
    assert box.x1 <= width + 0.01
    assert box.y1 <= height + 0.01


# ---------------------------------------------------------------------------------------------- ROC curves


def test_roc_lines_are_the_curves_in_order_of_area() -> None:
    curves = [line("poor", 0.3), line("good", 2.0), line("fair", 1.0)]
    for form, y in (
        ("rejBvsS", lambda e: 1 - e),
        ("effBvsS", lambda e: e),
        ("invBeffvsSeff", lambda e: 1 / e[e > 0]),
    ):
        drawn = roc_figure(curves, form)
        assert len(drawn.lines) == 3
        for artist, curve in zip(drawn.lines, (curves[1], curves[2], curves[0]), strict=True):
            np.testing.assert_allclose(artist.get_ydata(), y(curve.background_efficiency))
            if form != "invBeffvsSeff":
                np.testing.assert_array_equal(artist.get_xdata(), curve.signal_efficiency)
        assert drawn.axes.get_xlabel() == "Signal efficiency"
        texts = [text.get_text() for text in drawn.legend.get_texts()]
        assert texts == [f"{c.area:.4f} ± {c.area_error:.4f}  {c.title}" for c in (curves[1], curves[2], curves[0])]
    assert drawn.axes.get_yscale() == "linear" if form != "invBeffvsSeff" else "log"


def test_the_tightest_cuts_do_not_stretch_the_logarithmic_scale() -> None:
    curve = RocLine("m", np.array([0.0, 0.01, 0.1, 0.5, 1.0]), np.array([0.0, 1e-9, 1e-3, 0.1, 1.0]))
    drawn = roc_figure([curve], "invBeffvsSeff")
    assert drawn.axes.get_yscale() == "log"
    assert drawn.axes.get_ylim() == pytest.approx((1.0, 2000.0))
    np.testing.assert_allclose(drawn.lines[0].get_ydata(), [1e9, 1e3, 10, 1])


def test_roc_integrals_as_far_as_they_are_known() -> None:
    efficiencies = (np.array([0.0, 0.5, 1.0]), np.array([0.0, 0.1, 1.0]))
    curves = [
        RocLine("unknown", *efficiencies),
        RocLine("binned", *efficiencies, 0.7),
        RocLine("exact", *efficiencies, 0.9, 0.01),
        RocLine("undefined", *efficiencies, float("nan"), float("nan")),
    ]
    drawn = roc_figure(curves)
    texts = [" ".join(text.get_text().split()) for text in drawn.legend.get_texts()]
    assert texts == ["0.9000 ± 0.0100 exact", "0.700 binned", "undefined", "unknown"]
    assert drawn.legend.get_title().get_text() == "ROC integral, method"
    assert roc_figure(curves[:1]).legend.get_title().get_text() == ""
    assert roc_figure(curves[1:2]).legend.get_texts()[0].get_text() == "0.700  binned"


def test_entries_without_uncertainty_stand_in_line() -> None:
    efficiencies = (np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    drawn = roc_figure([RocLine("m", *efficiencies, 0.9, 0.01), RocLine("m", *efficiencies, 0.7)])
    with drawing():
        drawn.figure.draw_without_rendering()
    right_ends = [text.get_window_extent().x1 for text in drawn.legend.get_texts()]
    assert right_ends[0] == pytest.approx(right_ends[1], abs=10)


def test_long_curves_are_thinned_but_stay_the_same() -> None:
    x = np.linspace(0, 1, 50_001)
    drawn = roc_figure([RocLine("m", x, x**3)])
    shown_x, shown_y = drawn.lines[0].get_data()
    assert len(shown_x) <= 3002
    assert (shown_x[0], shown_x[-1]) == (0.0, 1.0)
    np.testing.assert_allclose(np.interp(x, shown_x, shown_y), 1 - x**3, atol=1e-6)
    logarithmic = roc_figure([RocLine("m", x, x**3)], "invBeffvsSeff").lines[0]
    shown_x, shown_y = logarithmic.get_data()
    assert len(shown_x) <= 3002
    inside = x > 5e-4
    np.testing.assert_allclose(np.interp(x, shown_x, np.log(shown_y))[inside], -3 * np.log(x[inside]), atol=0.05)


def test_forty_curves_are_told_apart_and_their_legend_fits() -> None:
    looks = line_looks(40)
    assert len({(look["color"], str(look["linestyle"])) for look in looks}) == 40
    for one, other in itertools.pairwise(looks):
        assert one["color"] != other["color"]
        assert one["linestyle"] != other["linestyle"]
    drawn = roc_figure([line(f"A_method_with_quite_a_long_name_{i}", 0.05 * i, 50) for i in range(41)])
    assert_inside(drawn)
    frame = drawn.axes.get_window_extent()
    assert drawn.legend.get_window_extent().x0 > frame.x1
    assert frame.height > 0.7 * drawn.figure.bbox.height
    assert frame.width > 0.9 * frame.height


def test_of_equal_curves_the_dashed_one_lies_on_top() -> None:
    drawn = roc_figure([line("a", 1.0), line("b", 1.0), line("c", 0.1), line("d", 0.0), line("e", -0.2)])
    full, dashed, *_, last = drawn.lines
    assert dashed.get_zorder() > full.get_zorder()
    assert last.get_linestyle() == "-"
    assert dashed.get_zorder() > last.get_zorder()


def test_what_cannot_be_a_roc_figure() -> None:
    with pytest.raises(DataError, match="no ROC curve"):
        roc_figure([])
    with pytest.raises(DataError, match="'m' has 1 signal and 1 background"):
        roc_figure([RocLine("m", np.ones(1), np.ones(1))])
    with pytest.raises(DataError, match="3 signal and 2 background"):
        roc_figure([RocLine("m", np.ones(3), np.ones(2))])
    with pytest.raises(DataError, match="201 ROC curves"):
        roc_figure([RocLine("m", np.ones(3), np.ones(3))] * 201)
    with pytest.raises(OptionError, match="no ROC figure 'rejBvS'; did you mean 'rejBvsS'"):
        roc_figure([line("m", 1)], "rejBvS")  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------- responses


def test_responses_have_unit_area() -> None:
    histograms = pair()
    drawn = response_figure(histograms, "BDT response")
    for outline, h in zip(drawn.filled, histograms.values(), strict=True):
        np.testing.assert_allclose(outline.get_data().values, densities(h))
        np.testing.assert_allclose(outline.get_data().edges, h.edges)
    assert [text.get_text() for text in drawn.axes.get_legend().get_texts()] == ["Signal", "Background"]
    assert drawn.axes.get_xlabel() == "BDT response"
    assert drawn.axes.get_ylabel() == "(1/N) dN/dx"
    assert drawn.axes.get_title(loc="left") == ""
    signal, background = drawn.filled
    assert signal.get_hatch() is None
    assert background.get_hatch()


def test_histograms_of_a_file_and_uneven_bins() -> None:
    edges = np.array([0.0, 1.0, 3.0])
    h = Histogram("h", "", edges, np.array([1.0, 4.0]), np.array([1.0, 4.0]))
    drawn = response_figure({"Signal": h}, "x")
    np.testing.assert_allclose(drawn.filled[0].get_data().values, [0.2, 0.4])


def test_a_logarithmic_response_ignores_empty_bins() -> None:
    h = Histogram1D("h", "", 0.0, 1.0, np.array([0.0, 0.0, 1e-3, 10.0, 0.0]))
    drawn = response_figure({"Signal": h}, "x", logy=True)
    low, high = drawn.axes.get_ylim()
    heights = drawn.filled[0].get_data().values
    assert drawn.axes.get_yscale() == "log"
    assert 0 < low < heights[heights > 0].min()
    assert high > heights.max()
    drawn.figure.draw_without_rendering()


def test_overtraining_shows_both_samples_and_the_probabilities() -> None:
    test, training = pair(1), pair(5)
    ks = {"Signal": KolmogorovSmirnov(0.1, 0.2345), "Background": 1.5e-7}
    drawn = overtraining_figure("BDT", test, training, ks, label=r"Mine, $\sqrt{s}$")
    for outline, h in zip(drawn.test, test.values(), strict=True):
        np.testing.assert_allclose(outline.get_data().values, densities(h))
    for points, h in zip(drawn.training, training.values(), strict=True):
        filled = h.contents > 0
        assert not filled.all()
        np.testing.assert_allclose(points.lines[0].get_xdata(), h.centers[filled])
        np.testing.assert_allclose(points.lines[0].get_ydata(), densities(h)[filled])
        assert h.variances is not None
        errors = np.sqrt(h.variances[filled]) / (h.contents.sum() * h.width)
        spans = points.lines[2][1].get_segments()
        np.testing.assert_allclose([0.5 * (s[1][1] - s[0][1]) for s in spans], errors)
    assert drawn.ks is not None
    assert drawn.ks.get_text() == "K–S probability: Signal 0.234, Background 1.5e-07"
    assert drawn.axes.get_xlabel() == "BDT response"
    assert drawn.axes.get_title(loc="left") == r"Mine, $\sqrt{s}$"
    assert overtraining_figure("BDT", test, training).ks is None


@pytest.mark.parametrize("logy", [False, True])
def test_legend_and_probabilities_lie_above_the_data(logy: bool) -> None:
    drawn = overtraining_figure("BDT", pair(1), pair(5), {"Signal": 0.5, "Background": 0.5}, logy=logy)
    assert_inside(drawn)
    top = max(float(np.max(outline.get_data().values)) for outline in drawn.test)
    for points in drawn.training:
        top = max(top, *(float(segment[1][1]) for segment in points.lines[2][1].get_segments()))
    highest = drawn.axes.transData.transform((0.0, top))[1]
    assert drawn.ks is not None
    assert drawn.ks.get_window_extent().y0 >= highest
    legend = drawn.axes.get_legend().get_window_extent()
    assert legend.y0 >= drawn.ks.get_window_extent().y1 - 9
    assert legend.x1 <= drawn.axes.get_window_extent().x1


def test_what_lies_outside_the_range_is_noted() -> None:
    narrow = pair(low=-1.0, high=1.0)
    notes = [t.get_text() for t in response_figure(narrow, "x").axes.texts]
    fractions = []
    for h in narrow.values():
        flow = h.underflow + h.overflow
        fractions.append(f"{100 * flow / (flow + h.contents.sum()):.1f} %")
    assert notes == [f"outside: Signal {fractions[0]}, Background {fractions[1]}"]
    assert not response_figure(pair(low=-50.0, high=50.0), "x").axes.texts
    tiny = Histogram1D("h", "", 0.0, 1.0, np.array([1e-6, 1.0, 0.0]))
    none = Histogram1D("h", "", 0.0, 1.0, np.array([0.0, 1.0, 0.0]))
    notes = [t.get_text() for t in response_figure({"S": tiny, "B": none}, "x").axes.texts]
    assert notes == ["outside: S < 0.1 %, B 0 %"]


def test_histograms_that_cannot_be_drawn() -> None:
    empty = Histogram1D("none", "", 0.0, 1.0, np.zeros(4))
    broken = Histogram1D("nan", "", 0.0, 1.0, np.array([0.0, np.nan, 1.0, 0.0]))
    with pytest.raises(DataError, match="there is no histogram"):
        response_figure({}, "x")
    with pytest.raises(DataError, match="'none' is empty: its contents sum to 0"):
        response_figure({"Signal": empty}, "x")
    with pytest.raises(DataError, match="'nan' has contents that are not finite"):
        response_figure({"Signal": broken}, "x")
    with pytest.raises(DataError, match="Signal and Background have different bins"):
        response_figure({"Signal": histogram(0.0), "Background": histogram(0.0, nbins=21)}, "x")
    with pytest.raises(DataError, match="Signal and Background in training have different bins"):
        overtraining_figure("m", pair(), pair() | {"Background": histogram(0.0, high=6.0)})
    with pytest.raises(DataError, match=r"test sample has the classes \['Signal', 'Background'\]"):
        overtraining_figure("m", pair(), {"Signal": histogram(0.0)})


def test_negative_bins_are_within_the_frame() -> None:
    h = Histogram1D("h", "", 0.0, 1.0, np.array([0.0, -1.0, 5.0, 0.0]), np.array([0.0, 1.0, 1.0, 0.0]))
    assert response_figure({"Signal": h}, "x").axes.get_ylim()[0] < -0.5


# ---------------------------------------------------------------------------------------------- variables


@pytest.mark.parametrize("count", [1, 2, 6])
def test_variables_in_a_grid(count: int) -> None:
    panels = [
        VariablePanel(title, unit, pair(i, low=-1e5, high=1e5))
        for i, (title, unit) in enumerate(zip(HOSTILE[:count], ["GeV", "$", "", "GeV^{2}", "", ""], strict=False))
    ]
    drawn = variables_figure(panels, label="Mine")
    assert len(drawn.axes) == len(drawn.filled) == count
    for outlines, panel in zip(drawn.filled, panels, strict=True):
        for outline, h in zip(outlines, panel.histograms.values(), strict=True):
            np.testing.assert_allclose(outline.get_data().values, densities(h))
    assert drawn.axes[0].get_xlabel() == r"\$x\$ [GeV]"
    assert drawn.axes[0].get_ylabel() == "(1/N) dN/dx [1/GeV]"
    assert [t.get_text() for t in drawn.figure.legends[0].get_texts()] == ["Signal", "Background"]
    assert_inside(drawn)


def test_axis_titles_of_neighbours_do_not_touch() -> None:
    drawn = variables_figure([VariablePanel("W" * 99, "GeV", pair(i)) for i in range(3)])
    assert_inside(drawn)
    boxes = [axes.xaxis.label.get_window_extent() for axes in drawn.axes]
    assert boxes[0].x1 < boxes[1].x0 < boxes[1].x1 < boxes[2].x0


def test_pages_that_cannot_be_drawn() -> None:
    panel = VariablePanel("x", "", pair())
    with pytest.raises(DataError, match="1 to 6 variables, not 0"):
        variables_figure([])
    with pytest.raises(DataError, match="1 to 6 variables, not 7"):
        variables_figure([panel] * 7)
    with pytest.raises(DataError, match=r"y: the classes are \['Signal'\]"):
        variables_figure([panel, VariablePanel("y", "", {"Signal": histogram(0.0)})])


# ---------------------------------------------------------------------------------------------- correlations


def test_correlations_are_written_into_the_cells() -> None:
    matrix = np.array([[100.0, -0.4, 45.6], [-0.4, 100.0, -99.5], [45.6, -99.5, np.nan]])
    drawn = correlation_figure(["a", "$b$", "c_{T}"], matrix, "Signal", label="Mine")
    assert [[cell.get_text() for cell in row] for row in drawn.cells] == [
        ["100", "0", "46"],
        ["0", "100", "−100"],
        ["46", "−100", "–"],
    ]
    np.testing.assert_array_equal(drawn.mesh.get_array().filled(np.nan), matrix)
    assert drawn.cells[0][2].get_position() == (2.5, 0.5)
    assert [t.get_text() for t in drawn.axes.get_xticklabels()] == ["a", r"\$b\$", r"c$_{\mathregular{T}}$"]
    assert drawn.axes.get_title(loc="left") == "Mine\nSignal"
    assert correlation_figure(["a"], [[100.0]]).axes.get_title(loc="left") == ""


@pytest.mark.parametrize("count", [4, 30])
def test_labels_of_many_variables_neither_overlap_nor_leave_the_picture(count: int) -> None:
    names = [f"quite_a_long_name_{i}" for i in range(count)]
    drawn = correlation_figure(names, np.eye(count) * 100)
    assert_inside(drawn)
    boxes = [text.get_window_extent() for text in drawn.axes.get_yticklabels()]
    assert all(lower.y1 <= upper.y0 for lower, upper in itertools.pairwise(boxes))
    cell = drawn.cells[0][0].get_window_extent()
    pitch = drawn.axes.get_window_extent().width / count
    assert cell.width < pitch
    assert drawn.cells[0][0].get_fontsize() >= 8


def test_very_many_variables_have_no_numbers() -> None:
    assert correlation_figure([f"v{i}" for i in range(61)], np.eye(61)).cells == ()


def test_matrices_that_cannot_be_drawn() -> None:
    with pytest.raises(DataError, match=r"2 variables has shape \(2, 2\), not \(1, 1\)"):
        correlation_figure(["a", "b"], [[1.0]])
    with pytest.raises(DataError, match="0 variables"):
        correlation_figure([], np.zeros((0, 0)))


# ---------------------------------------------------------------------------------------------- the others


def test_the_best_cut_is_where_the_significance_is_largest() -> None:
    eff_s, eff_b = np.array([1.0, 0.9, 0.5, 0.0]), np.array([1.0, 0.1, 0.05, 0.0])
    scan = cut_scan_of_efficiencies(np.array([-1.0, -0.5, 0.0, 0.5]), eff_s, eff_b, 100.0, 1000.0)
    drawn = cut_efficiency_figure("BDT", scan)
    assert drawn.best.cut == -0.5
    assert drawn.best.significance == pytest.approx(90 / np.sqrt(190))
    expected = (
        eff_s,
        eff_b,
        [100 / 1100, 90 / 190, 50 / 100, 0.0],
        [100 / 1100, 0.9 * 90 / 190, 0.25, 0.0],
        [100 / np.sqrt(1100), 90 / np.sqrt(190), 5.0, 0.0],
    )
    for artist, values in zip(drawn.lines, expected, strict=True):
        np.testing.assert_allclose(artist.get_ydata(), values)
        np.testing.assert_allclose(artist.get_xdata(), [-1, -0.5, 0, 0.5])
    title = drawn.figure.legends[0].get_title().get_text()
    assert title == "For 100 signal and 1000 background events the significance is largest, 6.529, at −0.5"
    assert drawn.axes.get_xlabel() == "Cut on the BDT response"
    assert_inside(drawn)
    hopeless = cut_scan_of_efficiencies(np.zeros(2), eff_s[:2], eff_b[:2], merit=lambda s, b: s * np.nan)
    with pytest.raises(DataError, match="BDT: the significance S/B is no number for any cut"):
        cut_efficiency_figure("BDT", hopeless, "S/B")


def curve(name: str, y: list[float], x_title: str = "Epoch", y_title: str = "Loss", title: str = "") -> Curve:
    return Curve(name, title, x_title, y_title, np.arange(1.0, len(y) + 1), np.array(y))


def test_histories_share_panels_by_their_axes() -> None:
    curves = [
        curve("loss", [3, 2, 1.5], title="training"),
        curve("accuracy", [0.5, 0.6, 0.7], y_title="Accuracy"),
        curve("val_loss", [3, 2.5, 2.4], title="$validation$"),
        curve("NodesAfterPruning", [7, 9, 3], "#tree", "#tree nodes"),
        curve("estimatorHistTrain", [0.2] * 30, "", ""),
        curve("odd", [1.0, np.nan, 3.0], "", "", title="An odd one"),
    ]
    drawn = history_figure("DNN", curves)
    assert [(axes.get_xlabel(), axes.get_ylabel()) for axes in drawn.axes] == [
        ("Epoch", "Loss"), ("Epoch", "Accuracy"), ("Tree", "Nodes"), ("Epoch", "Estimator"), ("Step", "An odd one"),
    ]  # fmt: skip
    for artist, one in zip(drawn.lines, curves, strict=True):
        np.testing.assert_array_equal(artist.get_xdata(), one.x)
        np.testing.assert_array_equal(artist.get_ydata(), one.y)
    assert drawn.lines[2].axes is drawn.axes[0]
    assert [t.get_text() for t in drawn.axes[0].get_legend().get_texts()] == ["training", r"\$validation\$"]
    assert drawn.axes[1].get_legend() is None
    assert drawn.lines[3].get_linestyle() == "None"
    assert drawn.lines[0].get_marker() == "o"
    assert drawn.lines[4].get_marker() == ""
    assert_inside(drawn)
    legend = drawn.axes[0].get_legend().get_window_extent()
    assert legend.y0 > drawn.axes[0].transData.transform((1, 3.0))[1]


def test_histories_that_cannot_be_drawn() -> None:
    with pytest.raises(DataError, match="0 panels"):
        history_figure("m", [])
    with pytest.raises(DataError, match="7 panels"):
        history_figure("m", [curve("c", [1.0], y_title=str(i)) for i in range(7)])
    with pytest.raises(DataError, match="the curve 'c' has no points"):
        history_figure("m", [curve("c", [np.nan])])
    with pytest.raises(DataError, match="the curve 'c' has no points"):
        history_figure("m", [Curve("c", "", "", "", np.arange(3.0), np.arange(2.0))])


def test_deviations_with_their_mean() -> None:
    values = np.array([[0.0, 2.0, 2.0], [0.0, 0.0, 0.0], [3.0, 0.0, 1.0]])
    edges = np.array([0.0, 1.0, 2.0, 3.0])
    h = Histogram2D("h", "", edges, edges - 1.5, values, x_title="p_{T}", y_title="a - b")
    drawn = deviation_figure("MLP", h, label="Mine")
    np.testing.assert_array_equal(drawn.mesh.get_array().filled(0.0), values.T)
    np.testing.assert_allclose(drawn.mean.get_xdata(), [0.5, 2.5])
    np.testing.assert_allclose(drawn.mean.get_ydata(), [0.5, -0.5])
    assert drawn.axes.get_xlabel() == r"p$_{\mathregular{T}}$"
    assert_inside(drawn)
    with pytest.raises(DataError, match="'h' is empty"):
        deviation_figure("MLP", Histogram2D("h", "", edges, edges, np.zeros((3, 3))))


# ---------------------------------------------------------------------------------------------- style and state


def test_nothing_stays_behind_in_matplotlib() -> None:
    from matplotlib import pyplot as plt

    before = dict(mpl.rcParams)
    drawn = response_figure(pair(), "x", style="CMS")
    figure_bytes(drawn.figure)
    with pytest.raises(DataError):
        response_figure({}, "x")
    with drawing():
        assert mpl.rcParams["font.size"] == 18
    assert dict(mpl.rcParams) == before
    assert plt.get_fignums() == []


def test_threads_do_not_mix_their_styles() -> None:
    before = dict(mpl.rcParams)
    widths: dict[float, float] = {}

    def draw(width: float) -> None:
        drawn = response_figure(pair(), "x", style={"axes.linewidth": width})
        widths[width] = drawn.axes.spines["left"].get_linewidth()

    threads = [threading.Thread(target=draw, args=(0.5 + i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert widths == {0.5 + i: 0.5 + i for i in range(6)}
    assert dict(mpl.rcParams) == before


def test_styles() -> None:
    with drawing("lhcb2"):
        assert mpl.rcParams["font.family"][-1] == "DejaVu Sans"
        assert mpl.rcParams["font.size"] == 18
    with drawing({"font.family": "serif", "text.usetex": True}):
        assert mpl.rcParams["text.usetex"] is False
    with pytest.raises(OptionError, match="no style 'CSM'; did you mean 'CMS'"), drawing("CSM"):
        pass
    with pytest.raises(OptionError, match="does not suit matplotlib"), drawing({"no.such": 1}):
        pass
    with pytest.raises(OptionError, match="does not suit matplotlib"), drawing({"font.size": "huge-ish"}):
        pass


def test_numbers_along_the_axes() -> None:
    h = Histogram1D("h", "", 0.0, 4e-6, np.array([0.0, 1.0, 2.0, 0.0]))
    drawn = response_figure({"Signal": h}, "x")
    assert_inside(drawn)
    assert drawn.axes.xaxis.get_offset_text().get_text() == r"$\times 10^{-6}$"
    assert drawn.axes.yaxis.get_offset_text().get_text() == r"$\times 10^{5}$"
    assert "4" in [t.get_text() for t in drawn.axes.get_xticklabels()] or "4.0" in [
        t.get_text() for t in drawn.axes.get_xticklabels()
    ]
    offset, title = drawn.axes.xaxis.get_offset_text(), drawn.axes.xaxis.label
    assert offset.get_window_extent().x0 >= title.get_window_extent().x1
    rising = RocLine("m", np.array([0.1, 0.5, 1.0]), np.array([1e-3, 0.1, 1.0]))
    inverse = roc_figure([rising], "invBeffvsSeff")
    inverse.figure.draw_without_rendering()
    labels = [t.get_text() for t in inverse.axes.get_yticklabels()]
    assert {"1", "10", "$10^{2}$", "$10^{3}$"} <= set(labels)


@pytest.mark.parametrize(
    "code",
    [
        "import mvakit_gui.display",
        "import mvakit_gui.plots, mvakit_gui.views",
    ],
)
def test_drawing_libraries_are_imported_only_to_draw(code: str) -> None:
    check = f"{code}; import sys; print(sorted({{'matplotlib', 'mplhep', 'uproot', 'awkward'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# ---------------------------------------------------------------------------------------------- files

MAGIC = {"pdf": b"%PDF", "png": b"\x89PNG", "svg": b"<?xml", "eps": b"%!PS"}


def test_every_format_is_written_and_two_runs_agree(tmp_path: Path) -> None:
    few = {"Signal": histogram(1.0, nbins=2)}
    for kind, magic in MAGIC.items():
        path = save_figure(response_figure(few, "x$").figure, tmp_path / f"mva.{kind}", kind)
        assert path.read_bytes().startswith(magic)
        if kind != "eps":  # it carries its date
            assert figure_bytes(response_figure(few, "x$").figure, kind) == path.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mva.eps", "mva.pdf", "mva.png", "mva.svg"]


def test_a_figure_is_a_picture_in_a_notebook() -> None:
    for drawn in (
        response_figure(pair(), "x"),
        roc_figure([line("m", 1.0)]),
        correlation_figure(["a"], [[100.0]]),
        history_figure("m", [curve("c", [1.0, 2.0])]),
    ):
        assert drawn._repr_png_().startswith(MAGIC["png"])


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = response_figure(pair(), "x")
    path = tmp_path / "mva.png"
    path.write_text("old")

    def fail(*args: object, **keywords: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(drawn.figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        save_figure(drawn.figure, path, "png")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["mva.png"]
    with pytest.raises(OptionError, match="not written as 'gif'"):
        save_figure(drawn.figure, path, "gif")

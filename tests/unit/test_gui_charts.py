"""Charts: what they hold is what they were given; every one is valid, compiles, and survives logarithmic axes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import vl_convert
from mvakit_gui.charts import base
from mvakit_gui.charts.curves import average_deviation_chart, history_chart, pdf_chart
from mvakit_gui.charts.distributions import ResponsePanel, response_chart, variables_chart
from mvakit_gui.charts.efficiencies import cut_efficiency_chart, significance_chart
from mvakit_gui.charts.maps import correlation_chart, deviation_chart, map_chart, pair_chart
from mvakit_gui.charts.network import network_chart
from mvakit_gui.charts.parallel import parallel_chart
from mvakit_gui.charts.roc import roc_chart
from mvakit_gui.charts.trees import tree_chart
from mvakit_gui.densities import check_bins, density_of
from mvakit_gui.figures import (
    AverageDeviation,
    MapPanel,
    Network,
    PairPanel,
    ParallelEvents,
    PdfPanel,
    RocLine,
    VariablePanel,
    average_deviation_figure,
    map_figure,
    network_figure,
    pair_figure,
    parallel_figure,
    pdf_figure,
)
from mvakit_gui.figures.maps import profile_of, rebinned
from mvakit_gui.figures.titles import unicode_text
from mvakit_gui.figures.trees import tree_layout

from mvakit.errors import DataError, OptionError
from mvakit.evaluation import ClassSample, Curve, TwoClassSample, cut_scan, fill, roc_curve_of
from mvakit.method import Forest
from mvakit.resultfile import Histogram, Histogram2D

RNG = np.random.default_rng(3)
NAMES = ("Signal", "Background")
HOSTILE = "<b>x</b> \"q\" a.b[0] $y$ \\ ''"


def histogram(mean: float, seed: int = 1, count: int = 500) -> Any:
    rng = np.random.default_rng(seed)
    sample = ClassSample("c", rng.normal(mean, 1.0, count), rng.uniform(0.5, 1.5, count))
    return fill(sample, 20, -3.0, 3.0, name="h", title="h")


def panel(method: str = "BDT", *, training: bool = True) -> ResponsePanel:
    test = {"Signal": histogram(1.0), "Background": histogram(-1.0)}
    trained = {"Signal": histogram(1.0, 2), "Background": histogram(-1.0, 2)} if training else {}
    return ResponsePanel(method, test, trained, ("K–S: 0.5",))


def sample(shift: float = 0.0) -> TwoClassSample:
    rng = np.random.default_rng(8)
    scores = np.concatenate([rng.normal(1 + shift, 1, 400), rng.normal(0, 1, 600)])
    return TwoClassSample.from_arrays(scores, np.arange(1000) < 400, rng.uniform(0.5, 1.5, 1000))


def line(title: str, shift: float = 0.0, *, training: bool = True) -> RocLine:
    return RocLine.of(title, roc_curve_of(sample(shift)), roc_curve_of(sample(shift + 0.1)) if training else None)


def square(values: np.ndarray) -> Histogram2D:
    edges = [np.linspace(-1.0, 1.0, n + 1) for n in values.shape]
    return Histogram2D("h", "h", edges[0], edges[1], values, x_title="x_{1}", y_title="y")


PAIR = square(RNG.poisson(3.0, (60, 60)).astype(float))
FOREST = Forest(
    np.array([0, 3, 8]), np.array([0, -1, -1, 1, 0, -1, -1, -1]), np.float32([0.5, 0, 0, 1.5, -2, 0, 0, 0]),
    np.array([1, 0, 0, 1, 2, 0, 0, 0]), np.array([2, 0, 0, 4, 3, 0, 0, 0]), np.array([0, -1.0, 1, 0, 0, 1, -1, 1]),
    np.ones(2), np.array([0.5, 0.2, 0.9, 0.5, 0.4, 0.8, 0.1, 0.7]),
)  # fmt: skip
# The second tree: node 0 cuts, its left child 1 cuts again.
FOREST = replace(FOREST, left=np.array([1, 0, 0, 1, 3, 0, 0, 0]), right=np.array([2, 0, 0, 2, 4, 0, 0, 0]))
NETWORK = Network(
    "MLP", ("a", HOSTILE), ("out",), [RNG.normal(size=(3, 40)), RNG.normal(size=(41, 1))], ("tanh", "sigmoid")
)
EVENTS = ParallelEvents(
    "BDT", ["BDT", *(f"v{i} {HOSTILE}" for i in range(7))], NAMES, RNG.normal(size=(30, 8)), np.arange(30) % 2,
    np.full(8, -4.0), np.full(8, 4.0), 100,
)  # fmt: skip
MAP = MapPanel(HOSTILE, "x", "y", np.linspace(0, 1, 6), np.linspace(0, 2, 5), np.arange(20.0).reshape(5, 4))
DEVIATIONS = [AverageDeviation(m, k, 1.0 + i, 0.1) for m in ("LD", HOSTILE) for i, k in enumerate(("test", "training"))]
CURVES = [
    Curve("loss", "Loss", "Epoch", "Loss", np.arange(5.0), np.exp(-np.arange(5.0))),
    Curve("val_loss", HOSTILE, "Epoch", "Loss", np.arange(5.0), np.exp(-np.arange(5.0)) + 0.1),
    Curve("NodesBeforePruning", "nodes", "#tree", "#tree nodes", np.arange(5.0), np.arange(5.0) + 3),
]

CHARTS: dict[str, Any] = {
    "response": lambda: response_chart([panel(HOSTILE)]),
    "responses": lambda: response_chart([panel("BDT"), panel(HOSTILE, training=False)]),
    "variables": lambda: variables_chart([VariablePanel("p_{T}", "GeV", panel().test), VariablePanel(HOSTILE, "", panel().test)]),
    "rejection": lambda: roc_chart([line("BDT"), line(HOSTILE, 0.5, training=False)], notes=[HOSTILE]),
    "efficiency": lambda: roc_chart([line("BDT")], "effBvsS"),
    "inverse": lambda: roc_chart([line("BDT")], "invBeffvsSeff"),
    "cuts": lambda: cut_efficiency_chart(HOSTILE, cut_scan(sample())),
    "significance": lambda: significance_chart({"BDT": cut_scan(sample()), HOSTILE: cut_scan(sample(0.5))}),
    "history": lambda: history_chart({HOSTILE: CURVES}),
    "one history": lambda: history_chart({"A": CURVES[:1], "B": CURVES[:1]}),
    "pdf": lambda: pdf_chart([PdfPanel(HOSTILE, panel().test, panel().training)]),
    "pdfs": lambda: pdf_chart([PdfPanel(t, panel().test, panel().training) for t in "ab"]),
    "averages": lambda: average_deviation_chart(DEVIATIONS),
    "pairs": lambda: pair_chart([PairPanel(HOSTILE, "y", PAIR, profile_of(PAIR, 20))]),
    "correlation": lambda: correlation_chart(["a", "a", HOSTILE], [[100, -30, np.nan], [-30, 100, 5], [0, 5, 100]]),
    "deviation": lambda: deviation_chart(PAIR),
    "map": lambda: map_chart([MAP, MAP], "density"),
    "network": lambda: network_chart(NETWORK),
    "parallel": lambda: parallel_chart(EVENTS),
    "hanging tree": lambda: tree_chart(tree_layout(FOREST, 1, ["a", HOSTILE], title=HOSTILE)),
}  # fmt: skip


def rows_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of the first data of a chart, as its `flatten` makes them."""
    found: list[dict[str, Any]] = []
    for part in spec["data"]["values"]:
        lists = {name: values for name, values in part.items() if isinstance(values, list)}
        length = max(map(len, lists.values()))
        single = {name: value for name, value in part.items() if name not in lists}
        found += [
            single | {name: values[i] if i < len(values) else None for name, values in lists.items()}
            for i in range(length)
        ]
    return found


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_is_valid_and_compiles(name: str) -> None:
    spec = CHARTS[name]().to_dict()
    text = json.dumps(spec, allow_nan=False)
    vl_convert.vegalite_to_vega(text)
    offered = spec["usermeta"]["mvakit"]
    assert set(offered) >= {"methods", "classes", "cuts", "log", "logmin"}
    assert set(offered["log"]) == set(offered["logmin"])
    parameters = {p["name"] for p in spec.get("params", [])}
    for wanted in ("methods", "classes", "cuts"):
        if wanted in parameters:
            assert offered[wanted]
    if offered["cuts"]:
        assert "cuts" in parameters
    assert not re.search(r'"(black|white|#000|#000000|#fff|#ffffff)"', text)
    if "panel" in offered:
        assert spec.get("width") != "container"
    else:
        assert spec["width"] == "container"
    for axis in offered["log"]:
        changed = base.logarithmic(spec, axis)
        assert '"type": "log"' in json.dumps(changed)
        vega = vl_convert.vegalite_to_vega(changed)
        scales = [s for s in find(vega, "scales") if s["name"].endswith(axis)]
        assert scales
        assert {s["type"] for s in scales} == {"log"}
        assert not any(s.get("zero") for s in scales)


def find(node: Any, name: str) -> list[Any]:
    """Return all that stands under a name, wherever."""
    if isinstance(node, list):
        return [found for item in node for found in find(item, name)]
    if not isinstance(node, dict):
        return []
    here = node.get(name, [])
    return [*(here if isinstance(here, list) else [here]), *(f for item in node.values() for f in find(item, name))]


# ---------------------------------------------------------------------------------------------- numbers


def test_heights_are_densities_and_points_have_errors() -> None:
    shown = panel()
    table = rows_of(response_chart([shown]).to_dict())
    for name in NAMES:
        test = [row for row in table if row["class"] == name and row["sample"] == "test"]
        h = shown.test[name]
        np.testing.assert_allclose([r["y"] for r in test[:-1]], h.contents / h.contents.sum() / 0.3, rtol=1e-5)
        np.testing.assert_allclose([r["x"] for r in test], h.edges, atol=1e-6)
        assert test[-1]["x"] == test[-1]["x2"]
        assert test[-1]["y"] == test[-2]["y"]
        h = shown.training[name]
        points = [row for row in table if row["class"] == name and row["sample"] == "training"]
        there = h.contents > 0
        scale = h.contents.sum() * 0.3
        errors = np.sqrt(h.variances[there]) / scale
        np.testing.assert_allclose([r["high"] - r["y"] for r in points], errors, rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose([r["x"] for r in points], h.centers[there], atol=1e-6)
    assert sum(row["first"] == 1 for row in table if "first" in row) == 1


def test_what_lies_outside_is_said() -> None:
    wide = fill(ClassSample("c", np.array([0.0, 1.0, 9.0, 9.0]), np.ones(4)), 4, -2.0, 2.0, name="h", title="h")
    chart = response_chart([ResponsePanel("BDT", {"Signal": wide}, {}, ())])
    assert chart.to_dict()["title"]["text"] == ["outside the range: Signal 50 %"]


def test_a_roc_chart_holds_points_of_the_curve_and_of_its_band() -> None:
    exact = line("BDT")
    table = rows_of(roc_chart([exact]).to_dict())
    test = [row for row in table if row["sample"] == "test"]
    on_curve = {
        (float(f"{x:.6g}"), float(f"{b:.6g}"))
        for x, b in zip(exact.signal_efficiency, exact.background_efficiency, strict=True)
    }
    assert {(r["x"], r["b"]) for r in test} <= on_curve
    assert len(test) <= 250
    assert (test[0]["x"], test[-1]["x"]) == (0.0, 1.0)
    assert test[0]["c"] is None  # infinite
    assert [r["x2"] for r in test[:-1]] == [r["x"] for r in test[1:]]
    assert [r["c2"] for r in test[:-1]] == [r["c"] for r in test[1:]]
    x, b = np.array([r["x"] for r in test]), np.array([r["b"] for r in test])
    assert np.sum(np.diff(b) * (x[1:] + x[:-1]) / 2) == pytest.approx(exact.area, abs=3e-3)
    assert {r["sample"] for r in table} == {"test", "training", "band"}
    band = [r for r in table if r["sample"] == "band"]
    for row in band[:: len(band) // 4]:
        at = roc_curve_of(sample()).signal_efficiency_at(row["b"])
        assert 0.5 * (row["low"] + row["high"]) == pytest.approx(at.value, abs=1e-3) or row["high"] == 1.0


def test_cuts_keep_the_optimum() -> None:
    scan = cut_scan(sample(), 300.0, 700.0)
    spec = cut_efficiency_chart("BDT", scan).to_dict()
    table = rows_of(spec)
    best = scan.optimum
    kept = [row for row in table if row["cut"] == float(f"{best.cut:.6g}")]
    assert len(kept) == 1
    s, b = 300 * kept[0]["effS"], 700 * kept[0]["effB"]
    assert s / np.sqrt(s + b) == pytest.approx(best.significance, rel=1e-5)
    assert {p["name"]: p.get("value") for p in spec["params"]} | {"n_signal": 300.0, "n_background": 700.0, "cuts": {}} == {
        p["name"]: p.get("value") for p in spec["params"]
    }  # fmt: skip
    said = " ".join(spec["title"]["text"])
    assert f"{best.significance:.4g} ± {best.significance_error:.2g}, at {best.cut:.4g}" in said
    assert find(spec, "as").count("significance") >= 1


def test_maps_hold_the_filled_bins() -> None:
    values = np.zeros((50, 50))
    values[3, 7], values[49, 0] = 5.0, 2.0
    spec = deviation_chart(square(values)).to_dict()
    cells = [row for row in rows_of(spec) if row.get("n")]
    assert sorted((round(r["x"], 2), round(r["y"], 2), r["n"]) for r in cells) == [
        (-0.88, -0.72, 5.0),
        (0.96, -1.0, 2.0),
    ]
    means = [row for row in rows_of(spec) if row.get("m") is not None]
    assert [(round(r["x"], 2), round(r["m"], 2)) for r in means] == [(-0.86, -0.7), (0.98, -0.98)]
    joined = rebinned(PAIR, 30)
    assert joined.values.shape == (30, 30)
    assert joined.values.sum() == PAIR.values.sum()
    assert joined.values[2, 4] == PAIR.values[4:6, 8:10].sum()


def test_a_profile_of_a_histogram() -> None:
    profile = profile_of(PAIR, 20)
    centers = 0.5 * (PAIR.y_edges[1:] + PAIR.y_edges[:-1])
    columns = PAIR.values.reshape(20, 3, 60).sum(axis=1)
    np.testing.assert_allclose(profile.values, columns @ centers / columns.sum(axis=1))
    spread2 = columns @ centers**2 / columns.sum(axis=1) - profile.values**2
    np.testing.assert_allclose(profile.errors, np.sqrt(spread2 / columns.sum(axis=1)))


def test_correlations_by_sign_and_strength() -> None:
    spec = CHARTS["correlation"]().to_dict()
    table = {(row["x"], row["y"]): row for row in rows_of(spec)}
    assert table["a (1)", "a (2)"]["text"] == "−30"
    assert table["a (1)", "a (2)"]["sign"] == "negative"
    assert (table["a (2)", "a (1)"]["strength"], table["a (2)", "a (1)"]["r"]) == (30.0, -30.0)
    assert [row["text"] for row in table.values() if row["r"] is None] == ["–"]
    assert len(correlation_chart([str(i) for i in range(31)], np.eye(31)).to_dict()["layer"]) == 1


def test_networks_are_drawn_up_to_their_strongest_synapses() -> None:
    synapses, left_out = NETWORK.synapses()
    assert (len(synapses), left_out) == (3 * 40 + 41, 0)
    assert {round(share, 12) for layer, *_, share in synapses if layer == 0 and share == 1.0} == {1.0}
    assert NETWORK.names(0) == ["a", HOSTILE, "bias"]
    assert NETWORK.names(1)[-1] == "bias"
    large = Network("N", (), (), [RNG.normal(size=(101, 100))])
    synapses, left_out = large.synapses()
    assert (len(synapses), left_out) == (600, 10_100 - 600)
    weakest = min(abs(weight) for *_, weight, _ in synapses)
    assert (np.abs(large.weights[0]) > weakest).sum() <= 600
    assert any("9500 weakest" in line for line in network_chart(large).to_dict()["title"]["text"])
    with pytest.raises(DataError, match="no layers"):
        network_chart(Network("N", (), (), []))


def test_parallel_coordinates_lie_between_the_ends() -> None:
    assert EVENTS.scaled.min() >= 0.0
    assert EVENTS.scaled.max() <= 1.0
    np.testing.assert_allclose(EVENTS.scaled, (EVENTS.values + 4) / 8)
    constant = replace(EVENTS, lowest=np.full(8, 4.0))
    np.testing.assert_allclose(constant.scaled, 0.5)
    low = replace(EVENTS, values=EVENTS.values - 10.0 * (EVENTS.class_index == 0)[:, np.newaxis])
    for events, side in ((low, "<="), (replace(low, class_index=1 - low.class_index), ">=")):
        assert f"datum.r {side} cuts[datum.method]" in json.dumps(parallel_chart(events).to_dict())
    with pytest.raises(DataError, match="no events"):
        parallel_chart(replace(EVENTS, values=np.zeros((0, 8)), class_index=np.zeros(0, int)))


# ---------------------------------------------------------------------------------------------- what cannot be drawn


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: response_chart([]), "no response"),
        (lambda: response_chart([panel(), replace(panel(), test={"a": histogram(0.0)})]), "the classes are not"),
        (lambda: variables_chart([]), "no variable"),
        (lambda: variables_chart([VariablePanel("a", "", panel().test), VariablePanel("b", "", {"x": histogram(0.0)})]), "b: the classes"),
        (lambda: roc_chart([]), "no ROC curve"),
        (lambda: roc_chart([RocLine("BDT", np.zeros(1), np.zeros(1))]), "two or more"),
        (lambda: significance_chart({}), "no method"),
        (lambda: history_chart({}), "no record"),
        (lambda: history_chart({"A": [Curve("c", "c")]}), "has no points"),
        (lambda: pdf_chart([]), "no PDF"),
        (lambda: average_deviation_chart([]), "no deviations"),
        (lambda: pair_chart([]), "no pair"),
        (lambda: pair_chart([PairPanel("x", "y", square(np.zeros((4, 4))), profile_of(PAIR, 4))]), "is empty"),
        (lambda: deviation_chart(square(np.zeros((4, 4)))), "is empty"),
        (lambda: correlation_chart(["a"], np.eye(2)), "has shape"),
        (lambda: map_chart([], "x"), "no map"),
        (lambda: pair_figure([]), "1 to 6 pairs, not 0"),
        (lambda: map_figure([MAP] * 7, "x"), "1 to 6 pairs, not 7"),
        (lambda: pair_figure([PairPanel("x", "y", square(np.zeros((4, 4))), profile_of(PAIR, 4))]), "is empty"),
        (lambda: pdf_figure([]), "1 to 6 PDFs"),
        (lambda: average_deviation_figure([]), "no deviations"),
        (lambda: network_figure(Network("N", (), (), [])), "no layers"),
        (lambda: parallel_figure(replace(EVENTS, values=np.zeros((0, 8)), class_index=np.zeros(0, int))), "no events"),
    ],
)  # fmt: skip
def test_what_is_refused(call: Any, text: str) -> None:
    with pytest.raises(DataError, match=text):
        call()
    with pytest.raises(OptionError, match="no ROC chart 'effBvS'"):
        roc_chart([line("BDT")], "effBvS")  # type: ignore[arg-type]


# ---------------------------------------------------------------------------------------------- figures


@pytest.mark.parametrize(
    "draw",
    [
        lambda **k: pair_figure([PairPanel(HOSTILE, "y", PAIR, profile_of(PAIR, 20))], HOSTILE, **k),
        lambda **k: map_figure([MAP], HOSTILE, **k),
        lambda **k: pdf_figure([PdfPanel(t, panel().test, panel().training) for t in "ab"], **k),
        lambda **k: pdf_figure([PdfPanel(HOSTILE, panel().test, {})], **k),
        lambda **k: average_deviation_figure(DEVIATIONS, **k),
        lambda **k: network_figure(NETWORK, **k),
        lambda **k: parallel_figure(EVENTS, **k),
    ],
)
def test_figures_of_the_same_results(draw: Any) -> None:
    drawn = draw(label="own")
    figure = drawn.figure
    figure.draw_without_rendering()
    texts = [axes.get_title(loc="left") for axes in figure.axes] + [
        t.get_text() for axes in figure.axes for t in axes.texts
    ]
    assert "own" in texts
    assert drawn._repr_png_().startswith(b"\x89PNG")


def test_titles_in_unicode() -> None:
    assert unicode_text("#eta_{1}^{2} #rightarrow p_{T}") == "η₁² → p_T"
    assert unicode_text("#bar{t}") == "t\N{COMBINING MACRON}"
    assert unicode_text(" a_b  #1 <b> ") == "a_b #1 <b>"
    assert unicode_text("#eta" * 100) == "#eta" * 100


def test_rows_round_and_have_no_nan() -> None:
    part = base.rows(
        x=np.array([1 / 3, np.nan, np.inf]),
        n=np.arange(3),
        flag=np.array([True, False, True]),
        name="a",
        one=0.1234567891,
    )
    assert part == [
        {"x": [0.333333, None, None], "n": [0, 1, 2], "flag": [True, False, True], "name": "a", "one": 0.123457}
    ]
    assert base.rows(c=np.array(["a", "b"], dtype=object)) == [{"c": ["a", "b"]}]
    assert base.shortened("a" * 100, 10) == "aaaaaa…aaa"
    assert base.log_floor([np.array([0.0, 2.0]), np.array([0.5])]) == 0.25
    assert base.log_floor([np.array([1.0, 1e-12])]) == 1e-5
    assert base.log_floor([]) == 0.0


def test_what_a_notebook_is_given() -> None:
    from mvakit_gui.figures.saving import mimebundle

    drawn = pair_figure([PairPanel("x", "y", PAIR, profile_of(PAIR, 20))])
    bundle = mimebundle(drawn.figure, CHARTS["efficiency"])
    assert bundle["image/png"].startswith(b"\x89PNG")
    (name,) = (name for name in bundle if "vegalite" in name)
    assert re.fullmatch(r"application/vnd\.vegalite\.v\d+\+json", name)
    assert bundle[name]["usermeta"]["mvakit"]["methods"] == ["BDT"]
    assert set(mimebundle(drawn.figure, None)) == {"image/png", "text/plain"}


def test_what_cannot_be_a_density_is_refused() -> None:
    contents = np.array([1.0, 3.0, 0.0])
    good = Histogram("h", "h", np.array([0.0, 1.0, 2.0, 4.0]), contents, contents)
    with pytest.raises(DataError, match="not finite"):
        density_of(replace(good, values=np.full_like(good.values, np.nan)))
    with pytest.raises(DataError, match="is empty: its contents sum to 0"):
        density_of(replace(good, values=np.zeros_like(good.values)))
    with pytest.raises(DataError, match="there is no histogram to draw"):
        check_bins([], "nothing")
    with pytest.raises(DataError, match="a and b have different bins"):
        check_bins([("a", good), ("b", replace(good, edges=good.edges + 1.0))], "BDT")
    density = density_of(replace(good, underflow=4.0))
    assert density.outside == pytest.approx(0.5)
    assert density.top == pytest.approx(float((density.values + density.errors).max()))
    assert float((density.values * np.diff(density.edges)).sum()) == pytest.approx(1.0)

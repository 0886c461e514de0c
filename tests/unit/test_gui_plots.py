"""Result files as plots: under TMVA's names, in safe places, each of them whole, and what is missing is said."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
from mvakit_gui import display
from mvakit_gui.catalogue import Catalogue, View
from mvakit_gui.plots import save_plots
from mvakit_gui.views import Source

from mvakit.dataset import DataSet, Sample
from mvakit.errors import DataError, MissingPackageError, OptionError, ResultFileError
from mvakit.evaluation import (
    ClassificationResult,
    Histogram1D,
    MulticlassSample,
    RegressionSample,
    TwoClassSample,
    evaluate_classification,
    evaluate_multiclass,
    evaluate_regression,
    ks_binned,
    ks_unbinned,
    response_histograms,
    roc_curve,
)
from mvakit.progress import Messenger
from mvakit.resultfile import (
    Curve,
    DatasetContents,
    MethodContents,
    ResultContents,
    ResultFile,
    TransformedInputs,
    write_result_file,
)
from mvakit.types import AnalysisType
from mvakit.variables import define

N = 240
VARIABLES = (define("pt", "p_{T}", "GeV"), define("a_b_c", "$a_b^c$"), *(define(f"v{i}") for i in range(5)))
HOSTILE = "$x^2$ <b>"
CLASSES = ("Signal", "Background")


class Listener(Messenger):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__("Plots")
        self.said: list[str] = []

    def info(self, text: str) -> None:
        self.said.append(text)

    def warning(self, text: str) -> None:
        self.said.append(f"warning: {text}")


def make_sample(seed: int, classes: int = 2) -> Sample:
    rng = np.random.default_rng(seed)
    class_index = np.arange(N) % classes
    X = rng.normal(size=(N, len(VARIABLES))).astype(np.float32) + class_index[:, None].astype(np.float32)
    return Sample(X, class_index, rng.uniform(0.5, 1.5, N))


def two(sample: Sample, scores: np.ndarray) -> TwoClassSample:
    return TwoClassSample.from_arrays(scores, sample.is_signal, sample.weight)


def curve_histogram(name: str, values: np.ndarray) -> Histogram1D:
    return Histogram1D(name, name, 0.0, 1.0, np.concatenate([[0.0], values, [0.0]]), np.zeros(len(values) + 2))


CURVES = (
    Curve("loss", "Loss", "Epoch", "Loss", np.arange(1.0, 4.0), np.array([3.0, 2.0, 1.0])),
    Curve("ErrFractHist", "Errors", "#tree", "error fraction", np.arange(4.0), np.zeros(4)),
)


def make_contents(name: str = "loader", *, with_trees: bool = True) -> DatasetContents:
    dataset = DataSet(name, VARIABLES, (), (), CLASSES, make_sample(1), make_sample(2))
    methods = []
    for title, sign in (("BDTG", -1.0), (HOSTILE, 1.0)):
        train, test = (sign * s.X[:, :2].sum(axis=1).astype(np.float64) for s in (dataset.train, dataset.test))
        histograms = response_histograms(title, two(dataset.test, test), two(dataset.train, train))
        methods.append(
            MethodContents(
                "BDT", title, histograms=tuple(histograms), curves=CURVES,
                train_scores=train if with_trees else None, test_scores=test if with_trees else None,
            )
        )  # fmt: skip
    eff = (np.arange(100) + 0.5) / 100
    cuts = [curve_histogram("MVA_Cuts_effBvsS", eff**2), curve_histogram("MVA_Cuts_rejBvsS", 1 - eff**2)]
    methods.append(MethodContents("Cuts", "Cuts", histograms=cuts, test_scores=np.zeros(N)))
    methods.append(MethodContents("Cuts", "Nothing"))
    correlation = np.corrcoef(dataset.train.X.T)
    return DatasetContents(
        dataset,
        AnalysisType.CLASSIFICATION,
        [TransformedInputs(dataset.train, pairs=False), TransformedInputs(dataset.train, "Gauss_Deco", pairs=False)],
        dict.fromkeys(CLASSES, correlation),
        methods,
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("result") / "TMVA.root"
    write_result_file(path, ResultContents([make_contents()]))
    return path


def printed(file: ResultFile) -> dict[str, View]:
    """Return the views that are drawn as files, by name."""
    return {view.name: view for view in Catalogue([Source.of(file)]) if view.in_print}


EXPECTED = {
    "variables_id_c1", "variables_id_c2", "variables_gauss_deco_c1", "variables_gauss_deco_c2",
    "correlationS", "correlationB",
    "mva_BDTG", "overtrain_BDTG", "mvaeffs_BDTG", "training_BDTG",
    f"mva_{HOSTILE}", f"overtrain_{HOSTILE}", f"mvaeffs_{HOSTILE}", f"training_{HOSTILE}",
    "rejBvsS", "invBeffvsSeff", "effBvsS",
}  # fmt: skip
# What is there, but zero throughout.
EMPTY = {"BDTG_ControlPlots", f"{HOSTILE}_ControlPlots"}


def test_views_and_what_is_said_of_those_that_are_missing(path: Path) -> None:
    with ResultFile(path) as file:
        views = printed(file)
        assert set(views) == EXPECTED | EMPTY
        for name in EXPECTED:
            assert views[name].figure().axes
        for name in EMPTY:
            with pytest.raises(DataError, match="recorded nothing but zeros"):
                views[name].figure()


def test_roc_lines_are_exact_where_there_are_events_else_from_histograms(path: Path) -> None:
    dataset = make_contents().dataset
    with ResultFile(path) as file:
        source = Source.of(file)
        lines = {title: source.line(title) for title in ("BDTG", HOSTILE, "Cuts")}
    for title, sign in (("BDTG", -1), (HOSTILE, 1)):
        for sample, found in ((dataset.test, None), (dataset.train, lines[title].training)):
            scores = sign * sample.X[:, :2].sum(axis=1)
            exact = roc_curve(scores, sample.is_signal, sample.weight.astype(np.float32), orientation=-sign)
            if found is None:
                assert lines[title].area == exact.area > 0.5
                np.testing.assert_array_equal(lines[title].background_efficiency, exact.background_efficiency)
                np.testing.assert_array_equal(lines[title].thresholds, exact.thresholds)
            else:
                np.testing.assert_array_equal(found[0], exact.signal_efficiency)
                np.testing.assert_array_equal(found[1], exact.background_efficiency)
    assert lines["Cuts"].area == pytest.approx(2 / 3, abs=1e-3)
    assert lines["Cuts"].area_error is None
    np.testing.assert_allclose(lines["Cuts"].signal_efficiency, (np.arange(100) + 0.5) / 100)


def test_kolmogorov_smirnov_from_events_else_from_bins(path: Path, tmp_path: Path) -> None:
    contents = make_contents()
    train, test = contents.dataset.train, contents.dataset.test
    with ResultFile(path) as file:
        views = printed(file)
        drawn = views["overtrain_BDTG"].draw()
    exact = []
    for is_signal in (True, False):
        x, y = (s.X[s.is_signal == is_signal, :2].sum(axis=1) for s in (test, train))
        w, v = (s.weight[s.is_signal == is_signal].astype(np.float32) for s in (test, train))
        exact.append(ks_unbinned(-x, -y, w, v).probability)
    assert drawn.ks.get_text() == f"K–S probability: Signal {exact[0]:.3g}, Background {exact[1]:.3g}"

    bare = tmp_path / "bare.root"
    write_result_file(bare, ResultContents([make_contents(with_trees=False)]))
    histograms = {h.name: h for h in contents.methods[0].histograms}
    binned = [ks_binned(histograms[f"MVA_BDTG_{c}"], histograms[f"MVA_BDTG_Train_{c}"]).probability for c in "SB"]
    with ResultFile(bare) as file:
        views = printed(file)
        drawn = views["overtrain_BDTG"].draw()
        lines = [Source.of(file).line(title) for title in ("BDTG", HOSTILE, "Cuts")]
    assert drawn.ks.get_text() == f"K–S probability: Signal {binned[0]:.3g}, Background {binned[1]:.3g}"
    assert binned[0] != pytest.approx(exact[0], rel=1e-3)
    assert [line.area_error for line in lines] == [None] * 3
    assert len(lines[0].signal_efficiency) == 100


def test_histograms_of_probability_and_rarity(tmp_path: Path) -> None:
    contents = make_contents()
    method = contents.methods[0]
    more = [replace(h, name=h.name.replace("_S", "_Proba_S")) for h in method.histograms if h.name == "MVA_BDTG_S"]
    more += [replace(h, name=h.name.replace("_B", "_Proba_B", 2)) for h in method.histograms if h.name == "MVA_BDTG_B"]
    more[1] = replace(more[1], name="MVA_BDTG_Proba_B")
    only = replace(method, histograms=[h for h in method.histograms if "Train" not in h.name] + more)
    file_path = tmp_path / "TMVA.root"
    write_result_file(file_path, ResultContents([replace(contents, methods=[only], inputs=(), correlations={})]))
    with ResultFile(file_path) as file:
        views = printed(file)
        drawn = views["proba_BDTG"].draw()
    assert drawn.axes.get_xlabel() == "BDTG signal probability"
    assert "overtrain_BDTG" not in views
    assert "rarity_BDTG" not in views


# ---------------------------------------------------------------------------------------------- other analyses


def test_multiclass(tmp_path: Path) -> None:
    classes = ("Signal", "bg0", "bg1")
    dataset = DataSet("loader", VARIABLES[:2], (), (), classes, *(make_sample(s, 3) for s in (1, 2)))
    dataset = replace(dataset, train=select(dataset.train), test=select(dataset.test))
    rng = np.random.default_rng(3)
    scores = [rng.dirichlet(np.ones(3), N) for _ in range(2)]
    bins = np.linspace(0, 1, 11)
    histograms = []
    for which, sample, values in (("Train", dataset.train, scores[0]), ("Test", dataset.test, scores[1])):
        for i, true in enumerate(classes):
            for k, name in enumerate(classes):
                contents = np.histogram(values[sample.class_index == i, k], bins)[0].astype(float)
                histograms.append(curve_histogram(f"MVA_M_{which}_{true}_prob_for_{name}", contents))
    method = MethodContents("MLP", "M", histograms=histograms, train_scores=scores[0], test_scores=scores[1])
    partial = MethodContents("MLP", "P", histograms=histograms[:1])
    contents = DatasetContents(dataset, AnalysisType.MULTICLASS, methods=[method, partial])
    file_path = tmp_path / "TMVA.root"
    write_result_file(file_path, ResultContents([contents]))
    with ResultFile(file_path) as file:
        views = printed(file)
        assert {n for n in views if "bg1" in n and "_vs_" not in n} == {
            "mva_M_bg1", "overtrain_M_bg1", "rejBvsS_bg1", "invBeffvsSeff_bg1", "effBvsS_bg1",
        }  # fmt: skip
        checked = views["overtrain_M_bg1"].draw()
        roc = views["rejBvsS_bg1"].draw()
        assert len(views["mva_M_Signal"].draw().filled) == 3
    expected = []
    for i in range(3):
        tr, te = dataset.train.class_index == i, dataset.test.class_index == i
        expected.append(
            ks_unbinned(
                scores[1][te, 2].astype(np.float32), scores[0][tr, 2].astype(np.float32),
                dataset.test.weight[te].astype(np.float32), dataset.train.weight[tr].astype(np.float32),
            ).probability
        )  # fmt: skip
    values = ", ".join(f"{c} {p:.3g}" for c, p in zip(classes, expected, strict=True))
    assert checked.ks.get_text() == f"K–S probability: {values}"
    curve = roc_curve(
        scores[1][:, 2].astype(np.float32), dataset.test.class_index == 2, dataset.test.weight.astype(np.float32)
    )
    np.testing.assert_allclose(roc.lines[0].get_ydata(), curve.background_rejection)


def select(sample: Sample) -> Sample:
    return sample.with_inputs(sample.X[:, :2])


def test_regression_says_what_it_cannot_feed(tmp_path: Path) -> None:
    target = (define("t", "Target", "m"),)
    samples = [
        replace(select(make_sample(s)), class_index=np.zeros(N, int), targets=np.ones((N, 1), "f4") * s) for s in (1, 2)
    ]
    dataset = DataSet("loader", VARIABLES[:2], (), target, ("Regression",), *samples)
    contents = DatasetContents(
        dataset, AnalysisType.REGRESSION, correlations={"Regression": np.eye(2)}, methods=[MethodContents("LD", "LD")]
    )
    file_path = tmp_path / "TMVA.root"
    write_result_file(file_path, ResultContents([contents]))
    with ResultFile(file_path) as file:
        assert list(printed(file)) == ["correlation"]


# ---------------------------------------------------------------------------------------------- files


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that feeds few plots, since each takes its time to write."""
    contents = make_contents()
    hostile = contents.methods[1]
    few = [h for h in hostile.histograms if h.name.endswith(("_S", "_B"))]
    methods = [replace(hostile, histograms=few, curves=()), contents.methods[3]]
    path = tmp_path_factory.mktemp("small") / "TMVA.root"
    parts = [
        replace(contents, dataset=replace(contents.dataset, name=name), methods=methods, inputs=(), correlations={})
        for name in ("a", "b.c")
    ]
    write_result_file(path, ResultContents(parts))
    return path


def test_files_in_every_format_under_safe_names(small: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "plots"
    ticks: list[tuple[float, float]] = []
    written = save_plots(
        small,
        out,
        ".PNG, png,svg",
        dataset="a",
        log=Listener(),
        tick=lambda done, total, note="": ticks.append((done, total)),
    )
    names = {"mva__x_2_b_", "overtrain__x_2_b_", "mvaeffs__x_2_b_", "rejBvsS", "invBeffvsSeff", "effBvsS"}
    assert {p.name for p in written} == {f"{name}.{kind}" for name in names for kind in ("png", "svg")}
    assert sorted(written) == sorted(out.iterdir())
    for file in written:
        assert file.read_bytes().startswith(b"\x89PNG" if file.suffix == ".png" else b"<?xml")
    assert ticks[0] == (0, 6)
    assert ticks[-1] == (6, 6)


def test_each_of_several_datasets_has_its_folder(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved: list[Path] = []
    monkeypatch.setattr("mvakit_gui.plots.freeze_layout", lambda figure, style=None: None)
    monkeypatch.setattr(
        "mvakit_gui.plots.save_figure", lambda figure, path, kind, style=None: saved.append(path) or path
    )
    written = save_plots(small, tmp_path, "pdf")
    assert written == saved
    assert {p.parent for p in saved} == {tmp_path / "a", tmp_path / "b.c"}
    assert tmp_path / "b.c" / "rejBvsS.pdf" in saved


def test_a_view_that_fails_does_not_stop_the_others(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener()
    monkeypatch.setattr("mvakit_gui.plots.freeze_layout", lambda figure, style=None: None)
    monkeypatch.setattr("mvakit_gui.plots.save_figure", lambda figure, path, kind, style=None: path)

    def fail(*args: object, **keywords: object) -> None:
        raise DataError("no luck")

    monkeypatch.setattr("mvakit_gui.views.inputs.variables_figure", fail)
    written = save_plots(path, tmp_path, ["pdf"], log=listener)
    assert len(written) == len(EXPECTED) - 4
    assert "warning: variables_id_c1 is not drawn: no luck" in listener.said


def test_what_cannot_be_plotted(small: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="not written as 'gif'"):
        save_plots(small, tmp_path, "gif")
    with pytest.raises(OptionError, match="at least one format"):
        save_plots(small, tmp_path, [])
    with pytest.raises(OptionError, match="at least one format"):
        save_plots(small, tmp_path, "")
    with pytest.raises(OptionError, match="no style 'x'"):
        save_plots(small, tmp_path, "png", style="x")
    with pytest.raises(ResultFileError, match="no dataset 'c'"):
        save_plots(small, tmp_path, dataset="c")
    with pytest.raises(ResultFileError, match="there is no result file"):
        save_plots(tmp_path / "none.root", tmp_path)
    empty = tmp_path / "empty.root"
    bare = DatasetContents(make_contents().dataset, AnalysisType.CLASSIFICATION)
    write_result_file(empty, ResultContents([bare]))
    with pytest.raises(ResultFileError, match="holds nothing that could be drawn"):
        save_plots(empty, tmp_path / "out", "png")
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------------------------------------- display


def evaluated(title: str, sign: float = 1.0, variables: int = 1) -> ClassificationResult:
    train, test = make_sample(1), make_sample(2)
    scores = [sign * s.X[:, :variables].sum(axis=1).astype(np.float64) for s in (test, train)]
    return evaluate_classification(title, two(test, scores[0]), two(train, scores[1]))


def spec_of(drawn: object) -> dict[str, object]:
    """Return the chart that a notebook is given for a figure."""
    bundle = drawn._repr_mimebundle_(include=None, exclude=None)
    assert bundle["image/png"].startswith(b"\x89PNG")
    return next(value for name, value in bundle.items() if "vegalite" in name)


def test_the_entry_point_is_this_module() -> None:
    (entry,) = entry_points(group="mvakit.display")
    assert entry.load() is display or entry.value == "mvakit_gui.display"


def test_roc_curves_of_results() -> None:
    results = [evaluated("LD"), evaluated("$x$", -1.0, 6)]
    drawn = display.draw_roc(results, "effBvsS", label="Mine")
    assert len(drawn.lines) == 2
    np.testing.assert_array_equal(drawn.lines[0].get_ydata(), results[1].roc.background_efficiency)
    assert drawn.axes.get_title(loc="left") == "Mine"
    assert spec_of(drawn)["usermeta"]["mvakit"]["methods"] == ["LD", "$x$"]
    with pytest.raises(DataError, match="no ROC curve"):
        display.draw_roc([])


def test_overtraining_of_results() -> None:
    train, test = make_sample(1), make_sample(2)
    samples = [two(s, s.X[:, 0].astype(np.float64)) for s in (test, train)]
    histograms = response_histograms("LD", *samples)
    result = evaluated("LD")
    drawn = display.draw_overtraining(histograms, result)
    assert result.ks is not None
    assert drawn.ks is not None
    assert drawn.ks.get_text() == f"K–S probability: Signal {result.ks[0]:.3g}, Background {result.ks[1]:.3g}"
    np.testing.assert_allclose(drawn.test[1].get_data().values, histograms.background.contents)
    assert histograms.training is not None
    filled = histograms.training.signal.contents > 0
    np.testing.assert_allclose(drawn.training[0].lines[0].get_ydata(), histograms.training.signal.contents[filled])
    assert f"Signal {result.ks[0]:.3g}, Background {result.ks[1]:.3g}" in " ".join(spec_of(drawn)["title"]["text"])
    assert display.draw_overtraining(histograms).ks is None
    with pytest.raises(DataError, match="LD has no responses of a training sample"):
        display.draw_overtraining(response_histograms("LD", samples[0]))


def test_correlations_and_histories() -> None:
    drawn = display.draw_correlations(["a"], [[100.0]], "Signal")
    assert drawn.cells[0][0].get_text() == "100"
    assert spec_of(drawn)["data"]["values"][0]["text"] == ["100"]
    history = display.draw_history("DNN", CURVES)
    assert len(history.lines) == 2
    assert spec_of(history)["usermeta"]["mvakit"]["methods"] == ["DNN"]


def test_html_of_results() -> None:
    one = display.repr_html(evaluated("<b>"))
    assert "&lt;b&gt;" in one
    assert "<b>" not in one
    assert 'src="data:image/png;base64,' in one
    results = [evaluated("worse", 1.0), evaluated("<i>better", -1.0, 6)]
    several = display.repr_html(results)
    assert several.index("&lt;i&gt;better") < several.index("worse")
    assert f"{results[1].auc:.4f} ± {results[1].auc_error:.4f}" in several
    assert str(results[0].efficiencies[2]) in several


def test_results_show_themselves_in_a_notebook() -> None:
    result = evaluated("<b>LD")
    bundle = result._repr_mimebundle_(include=None, exclude=None)
    assert bundle["text/html"] == result._repr_html_()
    assert bundle["text/plain"] == str(result)
    spec = spec_of(result)
    assert spec["usermeta"]["mvakit"]["methods"] == ["<b>LD"]
    assert any(f"{result.auc:.4f}" in line for line in spec["title"]["text"])

    rng = np.random.default_rng(3)
    index = np.arange(900) % 3
    scores = rng.dirichlet([1, 1, 1], 900) + 0.3 * np.eye(3)[index]
    sample = MulticlassSample.from_arrays(scores, index, classes=("a", "b", "c"))
    several = evaluate_multiclass("BDTG", sample)
    assert spec_of(several)["usermeta"]["mvakit"]["methods"] == [f"BDTG: {name} against the rest" for name in "abc"]

    truth = rng.normal(size=(500, 1))
    deviating = RegressionSample.from_arrays(truth + rng.normal(0, 0.1, (500, 1)), truth, names=["t"])
    regression = evaluate_regression("LD", deviating, deviating)
    shown = spec_of(regression)["data"]["values"][0]
    difference = deviating.estimates - deviating.targets
    assert shown["value"][0] == pytest.approx(np.sqrt(np.mean(difference**2)), rel=1e-5)


def test_results_show_their_table_where_nothing_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise MissingPackageError("drawing", "mvakit_gui", "gui")

    monkeypatch.setattr("mvakit.display.display", none)
    assert set(evaluated("LD")._repr_mimebundle_()) == {"text/plain", "text/html"}

"""The result file, written and read back: everything that goes in comes out, and what is wrong is named."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import uproot

from mvakit.dataset import DataSet, Sample
from mvakit.errors import MvakitError, ResultFileError
from mvakit.evaluation.histograms import Histogram1D
from mvakit.resultfile import (
    Curve,
    DatasetContents,
    Histogram,
    Histogram2D,
    MethodContents,
    Profile,
    ResultContents,
    ResultFile,
    Sums,
    TransformedInputs,
    check_name,
    layout,
    write_result_file,
)
from mvakit.resultfile.inputs import InputPlots
from mvakit.types import AnalysisType
from mvakit.variables import define

N_TRAIN, N_TEST = 300, 200
VARIABLES = (define("sum := a+b", "The sum", "GeV"), define("a-b"), define("n", type="I"))
BEYOND_FLOAT = 2**53 + 1


def make_sample(count: int, seed: int, classes: int = 2, n_targets: int = 0) -> Sample:
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(count, 3)).astype(np.float32)
    X[:, 2] = rng.integers(0, 5, count)
    X[:, 1] += 0.5 * X[:, 0]
    return Sample(
        X,
        np.arange(count) % classes,
        rng.uniform(0.5, 2.0, count),
        rng.normal(size=(count, n_targets)).astype(np.float32),
        {"event": np.arange(count, dtype=np.int64) + BEYOND_FLOAT, "flag": rng.random(count) < 0.5},
    )


def make_dataset(
    classes: tuple[str, ...] = ("Signal", "Background"), n_targets: int = 0, name: str = "loader"
) -> DataSet:
    targets = tuple(define(f"t{i}", f"Target {i}", "m") for i in range(n_targets))
    samples = (make_sample(n, seed, len(classes), n_targets) for n, seed in ((N_TRAIN, 1), (N_TEST, 2)))
    return DataSet(name, VARIABLES, (define("event", type="I"), define("flag")), targets, classes, *samples)


def response(name: str) -> Histogram1D:
    contents = np.arange(12, dtype=np.float64)
    return Histogram1D(
        name, f"{name} title", -1.0, 1.0, contents, contents * 2, 55.0, (1.5, 2.5, 0.25, 4.0), "x of it", "y of it"
    )


CURVES = (
    Curve("BoostWeightVsTree", "Boost weights", "#tree", "w", np.arange(4.0), np.array([0.5, 0.25, 2.0, 1.0])),
    Curve("ErrFractHist", "errors", "#tree", "e", np.arange(4.0), np.array([0.5, 0.125, 0.25, 0.0])),
    Curve("NodesAfterPruning", "nodes", "#tree", "", np.arange(4.0), np.array([7.0, 8.9999999, 3.0, 1.0])),
    Curve(
        "estimatorHistTrain", "training estimator", "epoch", "", np.array([5.0, 10.0, 15.0]), np.array([3.0, 2.0, 1.5])
    ),
    Curve("loss", "Loss", "epoch", "loss", np.array([1.0, 2.0, 3.0]), np.array([0.9, -0.1, 0.3])),
    Curve("rate", "Learning; rate", "step", "eta", np.array([1.0, 2.0, 40.0]), np.array([0.9, 0.5, 0.1])),
    Curve("once", "One point", "", "", np.array([7.0]), np.array([2.0])),
)


def make_contents(name: str = "loader") -> DatasetContents:
    dataset = make_dataset(name=name)
    rng = np.random.default_rng(3)
    methods = [
        MethodContents(
            "BDT",
            "BDTG",
            "loader/weights/Job_BDTG.weights.xml",
            "a/folder",
            [response("MVA_BDTG_S"), response("MVA_BDTG_B")],
            CURVES,
            rng.normal(size=N_TRAIN),
            rng.normal(size=N_TEST),
            {"prob_BDTG": (rng.random(N_TRAIN), rng.random(N_TEST))},
            TransformedInputs(dataset.test, "Norm"),
        ),
        MethodContents(
            "BDT", "Other", histograms=[response("MVA_Other_rejBvsS")], test_scores=rng.normal(size=(N_TEST, 1))
        ),
    ]
    correlation = np.array([[1.0, 0.457, -0.0001], [0.457, 1.0, -0.999], [-0.0001, -0.999, 1.0]])
    shifted = dataset.train.with_inputs(dataset.train.X + np.float32(1))
    return DatasetContents(
        dataset,
        AnalysisType.CLASSIFICATION,
        [TransformedInputs(dataset.train), TransformedInputs(shifted, "Gauss_Deco", pairs=False)],
        {"Signal": correlation, "Background": np.eye(3)},
        methods,
    )


@pytest.fixture(scope="module")
def contents() -> DatasetContents:
    return make_contents()


@pytest.fixture(scope="module")
def path(contents: DatasetContents, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("result") / "TMVA.root"
    write_result_file(path, ResultContents([contents]))
    return path


# ---------------------------------------------------------------------------------------------- round trip


def test_what_there_is(path: Path) -> None:
    with ResultFile(path) as file:
        assert file.datasets == ("loader",)
        dataset = file.dataset()
        assert dataset.name == file.dataset("loader").name == "loader"
        assert [(m.type, m.title, m.path) for m in dataset.methods] == [
            ("BDT", "BDTG", "Method_BDT/BDTG"),
            ("BDT", "Other", "Method_BDT/Other"),
        ]
        assert dataset.analysis is AnalysisType.CLASSIFICATION
        assert dataset.classes == ("Signal", "Background")
        assert dataset.transformations == ("Id", "Gauss_Deco")
        assert [(v.label, v.title, v.unit) for v in dataset.variables] == [
            ("sum", "The sum", "GeV"),
            ("a_M_b", "a-b", ""),
            ("n", "n", ""),
        ]
        assert dataset.targets == ()
        assert dataset.spectators == ("event", "flag")
        assert "loader" in repr(file)
        assert "BDTG" in repr(dataset)


def test_trees(path: Path, contents: DatasetContents) -> None:
    sample = contents.dataset.test
    with ResultFile(path) as file:
        tree = file.dataset().tree("TestTree")
        assert list(tree) == [
            "classID", "className", "sum", "a_M_b", "n", "event", "flag", "weight", "BDTG", "Other", "prob_BDTG",
        ]  # fmt: skip
        assert len(tree) == 11
        assert tree.n_events == N_TEST
        assert tree["classID"].dtype == np.int32
        np.testing.assert_array_equal(tree["classID"], sample.class_index)
        assert list(tree["className"][:3]) == ["Signal", "Background", "Signal"]
        for i, name in enumerate(("sum", "a_M_b", "n")):
            assert tree[name].dtype == np.float32
            np.testing.assert_array_equal(tree[name], sample.X[:, i])
        assert tree["event"].dtype == np.int64
        assert tree["event"][0] == BEYOND_FLOAT
        np.testing.assert_array_equal(tree["flag"], sample.spectators["flag"])
        assert tree["weight"].dtype == np.float32
        np.testing.assert_array_equal(tree["weight"], sample.weight.astype(np.float32))
        np.testing.assert_array_equal(
            tree["prob_BDTG"].astype(np.float32), contents.methods[0].columns["prob_BDTG"][1].astype(np.float32)
        )
        assert "Other" not in file.dataset().tree("TrainTree")
        assert file.dataset().tree("TrainTree").n_events == N_TRAIN
        assert "200 events" in repr(tree)


def test_columns_are_read_once_and_only_those_asked_for(path: Path) -> None:
    with ResultFile(path) as file:
        tree = file.dataset().tree("TestTree", ["weight", "sum"])
        assert list(tree) == ["weight", "sum"]
        assert tree["sum"] is tree["sum"]
        with pytest.raises(KeyError):
            tree["classID"]
        with pytest.raises(ResultFileError, match="no branch 'wieght'; did you mean 'weight'"):
            file.dataset().tree("TestTree", ["wieght"])


def test_responses(path: Path, contents: DatasetContents) -> None:
    with ResultFile(path) as file:
        scores, class_index, weight = file.dataset().responses("BDTG", "TrainTree")
        expected = contents.methods[0].train_scores
        assert expected is not None
        np.testing.assert_array_equal(scores, expected.astype(np.float32))
        np.testing.assert_array_equal(class_index, contents.dataset.train.class_index)
        np.testing.assert_allclose(weight, contents.dataset.train.weight, rtol=1e-7)
        assert scores.dtype == weight.dtype == np.float64
        # One column is one output: a plain branch.
        assert file.dataset().responses("Other")[0].shape == (N_TEST,)
        with pytest.raises(ResultFileError, match="TrainTree of dataset 'loader' has no branch 'Other'"):
            file.dataset().responses("Other", "TrainTree")


def test_method_histograms(path: Path) -> None:
    with ResultFile(path) as file:
        dataset = file.dataset()
        there = dataset.method_histogram("BDTG", "MVA_BDTG_S")
        assert there is not None
        expected = response("MVA_BDTG_S")
        assert (there.name, there.title, there.x_title, there.y_title) == (
            "MVA_BDTG_S", "MVA_BDTG_S title", "x of it", "y of it",
        )  # fmt: skip
        np.testing.assert_array_equal(there.edges, expected.edges)
        np.testing.assert_array_equal(there.values, expected.contents)
        np.testing.assert_array_equal(there.variances, expected.variances)
        np.testing.assert_array_equal(there.errors, np.sqrt(2 * expected.contents))
        assert (there.underflow, there.overflow, there.entries, there.precision) == (0.0, 11.0, 55.0, "D")
        assert there.sums == Sums(1.5, 2.5, 0.25, 4.0)
        np.testing.assert_allclose(there.centers, expected.centers)
        np.testing.assert_allclose(there.widths, expected.width)
        assert dataset.method_histogram("BDTG", "MVA_BDTG_Proba_S") is None
        assert dataset.method_histogram("BDTG", "TrainingPath") is None
        assert dataset.method_histogram_2d("BDTG", "MVA_BDTG_S") is None
        assert dataset.method_text("BDTG", "WeightFileName") == "loader/weights/Job_BDTG.weights.xml"
        assert dataset.method_text("BDTG", "TrainingPath") == "a/folder"
        assert dataset.method_text("Other", "TrainingPath") == str(Path.cwd())
        assert dataset.method_text("BDTG", "MVA_BDTG_S") is None
        assert dataset.method_text("BDTG", "nothing") is None
        assert "MVA_Other_rejBvsS" in dataset.method_names("Other")
        # The method's own plots tell of its transformation.
        own = dataset.method_histogram("BDTG", "sum__Signal")
        assert own is not None
        assert own.x_title == "The sum (Norm)  [GeV]"
        assert "CorrelationPlots" in dataset.method_names("BDTG")


def test_every_kind_of_histogram_keeps_its_contents(tmp_path: Path, contents: DatasetContents) -> None:
    uneven = np.array([0.0, 1.0, 3.0])
    kept = [
        Histogram("D", "d", uneven, np.array([0.1, 0.2]), np.array([0.3, 0.4]), "x", "y", 1.0, 2.0, 9.0, ("u", "v")),
        Histogram("F", "f", np.array([0.0, 1.0, 2.0]), np.array([0.5, 0.25]), np.array([0.5, 0.25]), precision="F"),
        Histogram("I", "i", np.array([0.0, 1.0, 2.0]), np.array([3.0, 2.0]), np.array([3.0, 2.0]), precision="I"),
        Histogram2D(
            "two", "t", uneven, np.array([0.0, 1.0, 2.0, 3.0]), np.arange(6.0).reshape(2, 3), np.arange(6.0).reshape(2, 3) * 2,
            "x", "y", 4.0, ("a", "b"), (), 1.0, 7.0, "D", Sums(1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0),
        ),
        Profile("p", "profile", uneven, np.array([2.0, 0.0]), np.array([3.0, 0.0]), np.array([4.0, 0.0]), np.array([9.0, 0.0]), "x", "y", 2.0),
    ]  # fmt: skip
    part = replace(contents, methods=[MethodContents("T", "t", histograms=kept)])
    write_result_file(tmp_path / "a.root", ResultContents([part]))
    with ResultFile(tmp_path / "a.root") as file:
        dataset = file.dataset()
        for expected in kept[:3]:
            assert isinstance(expected, Histogram)
            found = dataset.method_histogram("t", expected.name)
            assert found is not None
            for name in ("edges", "values", "variances"):
                np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
            for name in (
                "title",
                "x_title",
                "y_title",
                "underflow",
                "overflow",
                "entries",
                "labels",
                "precision",
                "sums",
            ):
                assert getattr(found, name) == getattr(expected, name)
        two, expected_two = dataset.method_histogram_2d("t", "two"), kept[3]
        assert two is not None
        assert isinstance(expected_two, Histogram2D)
        for name in ("x_edges", "y_edges", "values", "variances"):
            np.testing.assert_array_equal(getattr(two, name), getattr(expected_two, name))
        for name in (
            "x_title",
            "y_title",
            "entries",
            "x_labels",
            "y_labels",
            "minimum",
            "maximum",
            "precision",
            "sums",
        ):
            assert getattr(two, name) == getattr(expected_two, name)
        assert dataset.method_histogram_2d("t", "p") is None
    stored = uproot.open(tmp_path / "a.root")["loader/Method_T/t/p"]
    np.testing.assert_allclose(stored.values(), [2.0, 0.0])
    # Spread sqrt(9/2 - 4) over the root of (2^2 / 3) effective entries.
    np.testing.assert_allclose(stored.errors()[0], np.sqrt(0.5 / (4.0 / 3.0)))


def test_curves(path: Path) -> None:
    with ResultFile(path) as file:
        found = {curve.name: curve for curve in file.dataset().curves("BDTG")}
        assert set(found) == {curve.name for curve in CURVES}
        for expected in CURVES:
            curve = found[expected.name]
            np.testing.assert_allclose(curve.x, expected.x, rtol=1e-12)
            np.testing.assert_allclose(curve.y, expected.y, rtol=1e-7)
            assert curve.name != "NodesAfterPruning" or list(curve.y) == [7.0, 9.0, 3.0, 1.0]
            assert curve.title == expected.title.replace(";", ",")
            assert (curve.x_title, curve.y_title) == (expected.x_title, expected.y_title)
        assert file.dataset().curves("Other") == ()
        dataset = file.dataset()
        trees = dataset.method_histogram("BDTG", "NodesAfterPruning")
        assert trees is not None
        assert (trees.precision, trees.edges[0], trees.edges[-1]) == ("I", 0.0, 4.0)
        history = dataset.method_histogram("BDTG", "TrainingHistory_BDTG_loss")
        assert history is not None
        assert (history.precision, history.edges[0], history.edges[-1]) == ("D", 0.5, 3.5)
    ntuple = uproot.open(path)["loader/Method_BDT/BDTG/MonitorNtuple"]
    assert ntuple.title == "BDT variables"
    assert list(ntuple["iTree"].array(library="np")) == [0, 1, 2, 3]
    assert ntuple["iTree"].typename == "int32_t"
    assert list(ntuple["boostWeight"].array(library="np")) == [0.5, 0.25, 2.0, 1.0]
    assert list(ntuple["errorFraction"].array(library="np")) == [0.5, 0.125, 0.25, 0.0]


def test_an_empty_curve_leaves_nothing_and_a_lame_one_is_refused(tmp_path: Path, contents: DatasetContents) -> None:
    part = replace(contents, methods=[MethodContents("T", "t", curves=[Curve("loss", "")])])
    write_result_file(tmp_path / "a.root", ResultContents([part]))
    with ResultFile(tmp_path / "a.root") as file:
        assert file.dataset().curves("t") == ()
    lame = replace(contents, methods=[MethodContents("T", "t", curves=[Curve("loss", "", x=np.zeros(3))])])
    with pytest.raises(ResultFileError, match="curve 'loss' has x of shape"):
        write_result_file(tmp_path / "b.root", ResultContents([lame]))


def test_correlation_matrices(path: Path) -> None:
    with ResultFile(path) as file:
        titles, percent = file.dataset().correlation_matrix("Signal")
        assert titles == ("The sum", "a-b", "n")
        # Cut off, not rounded.
        np.testing.assert_array_equal(percent, [[100, 45, 0], [45, 100, -99], [0, -99, 100]])
        np.testing.assert_array_equal(file.dataset().correlation_matrix("Background")[1], 100 * np.eye(3))
        with pytest.raises(
            ResultFileError, match=r"no correlation matrix 'CorrelationMatrixSygnal'.*CorrelationMatrixS"
        ):
            file.dataset().correlation_matrix("Sygnal")
    stored = uproot.open(path)["loader/CorrelationMatrixS"]
    assert stored.title == "Correlation Matrix (signal)"
    assert stored.axis("x").labels() == stored.axis("y").labels() == ["The sum", "a-b", "n"]
    assert (stored.member("fMinimum"), stored.member("fMaximum"), stored.member("fEntries")) == (-100.0, 100.0, 18.0)
    # ROOT finds a label's bin by its number.
    assert [label.member("@fUniqueID") for label in stored.member("fXaxis").member("fLabels")] == [1, 2, 3]


def test_multiclass(tmp_path: Path) -> None:
    dataset = make_dataset(("Signal", "bg0", "bg1"))
    rng = np.random.default_rng(0)
    scores = rng.random((N_TEST, 3))
    methods = [
        MethodContents("MLP", "M.1", histograms=[response("MVA_M.1_Test_bg0_prob_for_Signal")], test_scores=scores),
        MethodContents("MLP", "M", test_scores=scores[:, ::-1]),
    ]
    correlations = {name: np.eye(3) for name in dataset.classes}
    part = DatasetContents(dataset, AnalysisType.MULTICLASS, [], correlations, methods)
    write_result_file(tmp_path / "m.root", ResultContents([part]))
    with ResultFile(tmp_path / "m.root") as file:
        read = file.dataset()
        assert read.analysis is AnalysisType.MULTICLASS
        assert read.classes == dataset.classes
        np.testing.assert_array_equal(read.responses("M.1")[0], scores.astype(np.float32))
        np.testing.assert_array_equal(read.responses("M")[0], scores[:, ::-1].astype(np.float32))
        assert read.tree("TestTree").outputs("M") == ("Signal", "bg0", "bg1")
        assert read.tree("TestTree").outputs("weight") == ()
        assert read.correlation_matrix("bg1")[1].shape == (3, 3)
        # No plots of the inputs: the variables are those of the trees.
        assert [v.label for v in read.variables][:3] == ["sum", "a_M_b", "n"]
    stored = uproot.open(tmp_path / "m.root")["loader"]
    assert "M.bg1" in stored["TestTree"].keys()  # noqa: SIM118
    assert stored["CorrelationMatrixbg0"].title == "Correlation Matrix (bg0)"


def test_regression(tmp_path: Path) -> None:
    dataset = make_dataset(("Regression",), n_targets=1)
    method = MethodContents(
        "MLP", "R", histograms=[response("MVA_Rtest_Quadr_Deviation_target_0_")], test_scores=np.ones((N_TEST, 1)),
        inputs=TransformedInputs(dataset.test),
    )  # fmt: skip
    inputs = [TransformedInputs(dataset.train)]
    part = DatasetContents(dataset, AnalysisType.REGRESSION, inputs, {"Regression": np.eye(3)}, [method])
    write_result_file(tmp_path / "r.root", ResultContents([part]))
    with ResultFile(tmp_path / "r.root") as file:
        read = file.dataset()
        assert read.analysis is AnalysisType.REGRESSION
        assert read.classes == ("Regression",)
        assert [(v.label, v.title, v.unit) for v in read.targets] == [("t0", "Target 0", "m")]
        assert [v.label for v in read.variables] == ["sum", "a_M_b", "n"]
        assert read.spectators == ("event", "flag")
        histogram = read.input_histogram("t0", "Regression")
        assert histogram.name == "t0__Regression_target_Id"
        np.testing.assert_allclose(histogram.values.sum(), dataset.train.weight.sum(), rtol=1e-5)
        np.testing.assert_array_equal(read.tree("TrainTree")["t0"], dataset.train.targets[:, 0])
        assert read.correlation_matrix("Regression")[1].shape == (3, 3)


def test_several_targets(tmp_path: Path) -> None:
    dataset = make_dataset(("Regression",), n_targets=2)
    method = MethodContents("MLP", "R", train_scores=dataset.train.targets + 1)
    part = DatasetContents(dataset, AnalysisType.REGRESSION, [TransformedInputs(dataset.train)], {}, [method])
    write_result_file(tmp_path / "r.root", ResultContents([part]))
    with ResultFile(tmp_path / "r.root") as file:
        read = file.dataset()
        np.testing.assert_array_equal(read.responses("R", "TrainTree")[0], dataset.train.targets + 1)
        assert read.tree("TrainTree").outputs("R") == ("t0", "t1")
        # With more than one target TMVA adds no "_target".
        assert read.input_histogram("t1", "Regression").name == "t1__Regression_Id"


def test_many_events_go_into_several_baskets(
    tmp_path: Path, contents: DatasetContents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mvakit.resultfile.write._CHUNK", 64)
    write_result_file(tmp_path / "a.root", ResultContents([replace(contents, inputs=[], methods=[])]))
    with ResultFile(tmp_path / "a.root") as file:
        tree = file.dataset().tree("TrainTree")
        np.testing.assert_array_equal(tree["sum"], contents.dataset.train.X[:, 0])
        assert list(tree["className"]) == ["Signal", "Background"] * (N_TRAIN // 2)
    assert uproot.open(tmp_path / "a.root")["loader/TrainTree/sum"].num_baskets == 5


def test_several_datasets(tmp_path: Path) -> None:
    parts = [replace(make_contents(name), methods=[]) for name in ("one", "two")]
    write_result_file(tmp_path / "a.root", ResultContents(parts))
    with ResultFile(tmp_path / "a.root") as file:
        assert file.datasets == ("one", "two")
        assert file.dataset("two").name == "two"
        with pytest.raises(ResultFileError, match="several datasets, name one of them: one, two"):
            file.dataset()
        with pytest.raises(ResultFileError, match="no dataset 'tow'; did you mean 'two'"):
            file.dataset("tow")


def test_a_file_without_a_directory_for_the_dataset(tmp_path: Path) -> None:
    """As TMVA wrote before there were DataLoaders."""
    with uproot.recreate(tmp_path / "old.root") as file:
        tree = file.mktree("TestTree", {"classID": "int32", "var": "float32", "weight": "float32", "Fisher": "float32"})
        tree.extend({"classID": [0, 1], "var": [1.0, 2.0], "weight": [1.0, 3.0], "Fisher": [0.5, -0.5]})
        file.mkdir("Method_Fisher").mkdir("Fisher")
    with ResultFile(tmp_path / "old.root") as result:
        dataset = result.dataset()
        assert result.datasets == ("",)
        assert [m.title for m in dataset.methods] == ["Fisher"]
        assert list(dataset.responses("Fisher")[0]) == [0.5, -0.5]
        assert [v.label for v in dataset.variables] == ["var"]
        assert dataset.classes == ()


# ---------------------------------------------------------------------------------------------- input plots


@pytest.fixture(scope="module")
def plots(contents: DatasetContents) -> InputPlots:
    dataset = contents.dataset
    return InputPlots(dataset.train, dataset.variables, (), dataset.classes, "Id", "Id")


def test_distributions(plots: InputPlots) -> None:
    found = list(plots.histograms())
    assert [h.name for h in found] == [
        f"{v}__{c}_Id" for v in ("sum", "a_M_b", "n") for c in ("Signal", "Background")
    ]  # fmt: skip
    sample = plots.sample
    for i, histogram in enumerate(found):
        column, chosen = sample.X[:, i // 2].astype(np.float64), sample.class_index == i % 2
        low, high = column.min(), column.max()
        edges = np.arange(6.0) if i >= 4 else np.linspace(low, high + (high - low) / 40, 41)
        np.testing.assert_allclose(histogram.edges, edges, atol=1e-12)
        for stored, weights in (
            (histogram.contents, sample.weight),
            (histogram.variances, sample.weight**2),
        ):
            np.testing.assert_allclose(
                stored, np.histogram(column[chosen], edges, weights=weights[chosen])[0], rtol=1e-12
            )
        assert histogram.storage == "F"
    assert (found[0].title, found[0].x_title) == ("The sum", "The sum  [GeV]")
    assert found[0].y_title == f"dN_{{ }}/^{{ }}{found[0].width:.3g} GeV"
    assert found[4].y_title == "dN_{ }/^{ }1 "


def test_far_outliers_and_constants(contents: DatasetContents) -> None:
    X = np.zeros((1000, 3), np.float32)
    X[:, 0] = np.random.default_rng(0).normal(size=1000)
    X[0, 0] = 1e6
    X[:, 1] = -4.0
    X[:, 2] = np.linspace(0, 1e6, 1000)
    sample = Sample(X, np.zeros(1000, int), np.ones(1000))
    found = list(InputPlots(sample, VARIABLES, (), ("Signal", "Background")).histograms())
    mean, rms = X[:, 0].astype(float).mean(), X[:, 0].astype(float).std()
    top = mean + 8 * rms
    assert found[0].high == pytest.approx(top + (top - X[:, 0].min()) / 40)
    assert found[0].overflow == 1.0
    assert (found[2].low, found[2].high) == (-4.0, -3.0 + 1 / 40)
    # An integer variable of so many values has no bin for each.
    assert found[4].nbins == 40
    # A class without events has empty histograms.
    assert found[1].contents.sum() == 0.0
    scatter = next(InputPlots(sample, VARIABLES, (), ("Signal",)).pairs())
    assert isinstance(scatter, Histogram2D)
    assert (scatter.y_edges[0], scatter.y_edges[-1]) == (-4.0, -3.0)
    assert scatter.values[:, 0].sum() == 999.0


def test_integers_have_bins_of_their_own_only_untransformed(contents: DatasetContents) -> None:
    dataset = contents.dataset
    transformed = list(InputPlots(dataset.train, dataset.variables, (), dataset.classes, "Norm").histograms())
    assert transformed[4].nbins == 40
    assert transformed[4].x_title == "n (Norm)"


def test_weights_that_sum_to_nothing(contents: DatasetContents) -> None:
    sample = make_sample(10, 5).with_weight(np.array([1.0, -1.0] * 5))
    found = list(InputPlots(sample, VARIABLES, (), ("Signal", "Background")).histograms())
    assert found[0].contents.sum() == 5.0
    assert found[1].contents.sum() == -5.0


def test_pairs(plots: InputPlots) -> None:
    found = list(plots.pairs())
    assert [p.name for p in found] == [
        f"{kind}_{y}_vs_{x}_{c}_Id"
        for x, y in (("sum", "a_M_b"), ("sum", "n"), ("a_M_b", "n"))
        for c in ("Signal", "Background")
        for kind in ("scat", "prof")
    ]
    sample = plots.sample
    chosen = sample.class_index == 1
    x, y, w = sample.X[chosen, 0].astype(float), sample.X[chosen, 2].astype(float), sample.weight[chosen]
    scatter, profile = found[6], found[7]
    assert isinstance(scatter, Histogram2D)
    assert isinstance(profile, Profile)
    low, high = sample.X.astype(float).min(axis=0), sample.X.astype(float).max(axis=0)
    inside = (x < high[0]) & (y < high[2])
    assert inside.sum() < len(x)
    np.testing.assert_allclose(scatter.x_edges, np.linspace(low[0], high[0], 301))
    np.testing.assert_allclose(scatter.y_edges, np.linspace(low[2], high[2], 301))
    expected = np.histogram2d(x[inside], y[inside], (scatter.x_edges, scatter.y_edges), weights=w[inside])[0]
    np.testing.assert_allclose(scatter.values, expected, rtol=1e-12)
    assert scatter.sums is not None
    moments = [
        np.sum(np.where(inside, value, 0))
        for value in (w, w**2, w * x, w * x**2, w * y, w * y**2, w * x * y)
    ]  # fmt: skip
    s = scatter.sums
    np.testing.assert_allclose([s.w, s.w2, s.wx, s.wx2, s.wy, s.wy2, s.wxy], moments, rtol=1e-10)
    assert scatter.title == "n versus The sum (Background)_Id"
    assert (scatter.x_title, scatter.y_title, scatter.entries) == ("The sum  [GeV]", "n", float(chosen.sum()))

    edges = np.linspace(low[0], high[0], 41)
    np.testing.assert_allclose(profile.edges, edges)
    below = x < high[0]
    for stored, value in ((profile.weight, w), (profile.weight2, w**2), (profile.wy, w * y), (profile.wy2, w * y**2)):
        np.testing.assert_allclose(stored, np.histogram(x[below], edges, weights=value[below])[0], atol=1e-12)
    in_bin = (x >= edges[20]) & (x < edges[21])
    mean = np.average(y[in_bin], weights=w[in_bin])
    variance = np.average((y[in_bin] - mean) ** 2, weights=w[in_bin])
    effective = w[in_bin].sum() ** 2 / (w[in_bin] ** 2).sum()
    assert profile.values[20] == pytest.approx(mean)
    assert profile.errors[20] == pytest.approx(np.sqrt(variance / effective))
    assert profile.centers[0] == pytest.approx(0.5 * (edges[0] + edges[1]))
    assert profile.title == "profile n versus The sum (Background)_Id"
    assert profile.sums is not None
    assert profile.sums.w == pytest.approx(w[below].sum())


def test_pairs_in_the_file(path: Path, plots: InputPlots) -> None:
    expected = {p.name: p for p in plots.pairs()}
    with ResultFile(path) as file:
        dataset = file.dataset()
        scatter = dataset.input_pair("sum", "n", "Background")
        wanted = expected["scat_n_vs_sum_Background_Id"]
        assert isinstance(wanted, Histogram2D)
        np.testing.assert_allclose(scatter.values, wanted.values, rtol=1e-6)
        turned = dataset.input_pair("n", "sum", "Background")
        np.testing.assert_array_equal(turned.values, scatter.values.T)
        np.testing.assert_array_equal(turned.x_edges, scatter.y_edges)
        assert (turned.x_title, turned.y_title) == (scatter.y_title, scatter.x_title)
        assert turned.sums is not None
        assert scatter.sums is not None
        assert (turned.sums.wx, turned.sums.wy2, turned.sums.wxy) == (
            scatter.sums.wy,
            scatter.sums.wx2,
            scatter.sums.wxy,
        )
        profile = dataset.input_profile("sum", "n", "Background")
        kept = expected["prof_n_vs_sum_Background_Id"]
        assert isinstance(kept, Profile)
        np.testing.assert_allclose(profile.values, kept.values)
        np.testing.assert_allclose(profile.errors, kept.errors)
        assert kept.sums is not None
        assert profile.sums == replace(kept.sums, wxy=0.0)
        with pytest.raises(ResultFileError, match="no plot 'prof_sum_vs_n_Background_Id'"):
            dataset.input_profile("n", "sum", "Background")
        with pytest.raises(ResultFileError, match="no plot 'scat_n_vs_sum_Signal_Gauss_Deco'"):
            dataset.input_pair("sum", "n", "Signal", "Gauss_Deco")


def test_too_many_variables_for_pairs() -> None:
    variables = tuple(define(f"v{i}") for i in range(21))
    sample = Sample(np.zeros((4, 21), np.float32), np.zeros(4, int), np.ones(4))
    plots = InputPlots(sample, variables, (), ("Signal",))
    assert list(plots.pairs()) == []
    assert len(list(plots.histograms())) == 21
    fewer = InputPlots(sample.with_inputs(sample.X[:, :20]), variables[:20], (), ("Signal",))
    assert len(list(fewer.pairs())) == 2 * 190


def test_no_events_make_no_plots() -> None:
    sample = Sample(np.zeros((0, 3), np.float32), np.zeros(0, int), np.zeros(0))
    plots = InputPlots(sample, VARIABLES, (), ("Signal",))
    assert list(plots.histograms()) == []
    assert list(plots.pairs()) == []


# ---------------------------------------------------------------------------------------------- what is refused


def test_unknown_names(path: Path) -> None:
    with ResultFile(path) as file:
        dataset = file.dataset()
        with pytest.raises(ResultFileError, match="no method 'BDTB'; did you mean 'BDTG'"):
            dataset.method_histogram("BDTB", "x")
        with pytest.raises(ResultFileError, match="no tree 'TestTre'; did you mean 'TestTree'"):
            dataset.tree("TestTre")
        with pytest.raises(ResultFileError, match=r"no input histograms of transformation 'Deco'.*Gauss_Deco"):
            dataset.input_histogram("sum", "Signal", "Deco")
        with pytest.raises(ResultFileError, match="no histogram 'sun__Signal_Id'; did you mean 'sum__Signal_Id'"):
            dataset.input_histogram("sun", "Signal")


def test_files_that_are_none(tmp_path: Path, path: Path) -> None:
    with pytest.raises(ResultFileError, match="there is no result file"):
        ResultFile(tmp_path / "missing.root")
    (tmp_path / "text.root").write_text("not a ROOT file")
    with pytest.raises(ResultFileError, match="is no ROOT file"):
        ResultFile(tmp_path / "text.root")
    (tmp_path / "head.root").write_bytes(b"root")
    with pytest.raises(ResultFileError, match="damaged or truncated"):
        ResultFile(tmp_path / "head.root")
    with uproot.recreate(tmp_path / "data.root") as file:
        file.mktree("tree", {"x": "float32"}).extend({"x": [1.0]})
        file.mkdir("a/b/c")
    with pytest.raises(ResultFileError, match="is a ROOT file, but no result file"):
        ResultFile(tmp_path / "data.root")


@pytest.mark.parametrize("fraction", [0.001, 0.01, 0.5, 0.9999])
def test_truncated_files(tmp_path: Path, path: Path, fraction: float) -> None:
    data = path.read_bytes()
    (tmp_path / "cut.root").write_bytes(data[: int(len(data) * fraction)])
    with pytest.raises(ResultFileError, match="truncated"):
        ResultFile(tmp_path / "cut.root")


def test_damage_is_told_as_such(tmp_path: Path, path: Path) -> None:
    """Whatever is overwritten: an answer or a ResultFileError, nothing else."""
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(4)
    failures = 0
    for start in rng.integers(100, len(data) - 4000, 30):
        damaged = data.copy()
        damaged[start : start + 4000] = rng.bytes(4000)
        (tmp_path / "damaged.root").write_bytes(damaged)
        try:
            with ResultFile(tmp_path / "damaged.root") as file:
                dataset = file.dataset()
                for column in dataset.tree("TestTree"):
                    dataset.tree("TestTree")[column]
                dataset.curves("BDTG")
                dataset.correlation_matrix("Signal")
        except ResultFileError:
            failures += 1
    assert failures > 0


@pytest.mark.parametrize("name", ["", "a/b", "a;1", "a\nb", "tab\t"])
def test_names_that_a_file_cannot_hold(name: str, tmp_path: Path, contents: DatasetContents) -> None:
    with pytest.raises(ResultFileError, match="a method that goes into a result file needs a printable name"):
        check_name("method", name)
    bad = replace(contents, methods=[MethodContents("BDT", name)])
    with pytest.raises(ResultFileError, match="needs a printable name"):
        write_result_file(tmp_path / "a.root", ResultContents([bad]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"train_scores": np.zeros(3)}, "branch 'M' of TrainTree would have 3 entries, but the sample has 300 events"),
        ({"test_scores": np.zeros((N_TEST, 2))}, "the responses of method 'M' have shape"),
        ({"columns": {"weight": (np.zeros(N_TRAIN), np.zeros(N_TEST))}}, "two different columns would be the branch 'weight'"),
        ({"columns": {"p": (np.zeros(N_TRAIN), np.zeros((N_TEST, 2)))}}, "'p' is a column of numbers"),
        ({"columns": {"p": (np.array(["a"] * N_TRAIN), np.zeros(N_TEST))}}, "'p' is a column of numbers"),
    ],
)  # fmt: skip
def test_columns_that_do_not_fit(
    change: dict[str, object], text: str, tmp_path: Path, contents: DatasetContents
) -> None:
    part = replace(contents, inputs=[], methods=[replace(MethodContents("T", "M"), **change)])  # type: ignore[arg-type]
    with pytest.raises(ResultFileError, match=text):
        write_result_file(tmp_path / "a.root", ResultContents([part]))
    assert list(tmp_path.iterdir()) == []


def test_a_failed_writing_leaves_the_old_file(tmp_path: Path, path: Path, contents: DatasetContents) -> None:
    target = tmp_path / "TMVA.root"
    shutil.copy(path, target)
    before = target.read_bytes()
    bad = replace(contents, correlations={"Signal": np.eye(2)})
    with pytest.raises(ResultFileError, match="CorrelationMatrixS has shape"):
        write_result_file(target, ResultContents([bad]))
    assert target.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["TMVA.root"]


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/dev/full").exists(), reason="nothing that cannot be written to")
def test_a_folder_that_cannot_be_made(tmp_path: Path, contents: DatasetContents) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MvakitError, match="cannot be written"):
        write_result_file(tmp_path / "file" / "a.root", ResultContents([contents]))


def test_a_full_disk_is_told(tmp_path: Path, contents: DatasetContents, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mvakit.resultfile.write._write_dataset", full)
    with pytest.raises(ResultFileError, match="cannot be written: No space left on device"):
        write_result_file(tmp_path / "a.root", ResultContents([contents]))
    assert list(tmp_path.iterdir()) == []


def test_contents_that_contradict_themselves(contents: DatasetContents) -> None:
    with pytest.raises(ResultFileError, match="more than one method 'M'"):
        replace(contents, methods=[MethodContents("A", "M"), MethodContents("B", "M")])
    with pytest.raises(ResultFileError, match="more than one dataset is named 'loader'"):
        ResultContents([contents, contents])
    with pytest.raises(ResultFileError, match="there is none to write"):
        ResultContents([])
    with pytest.raises(ResultFileError, match=r"'Id' have shape \(300, 3\), but there are 300 events and 2 variables"):
        InputPlots(contents.dataset.train, VARIABLES[:2], (), ("Signal",))


def test_a_spectator_that_is_a_variable_too(tmp_path: Path, contents: DatasetContents) -> None:
    def with_spectator(values: np.ndarray) -> DatasetContents:
        dataset = contents.dataset
        train, test = (
            replace(s, spectators={"sum": values[: len(s)] if len(values) else s.X[:, 0].astype(np.float64)})
            for s in (dataset.train, dataset.test)
        )
        return replace(contents, dataset=replace(dataset, train=train, test=test), inputs=[], methods=[])

    write_result_file(tmp_path / "a.root", ResultContents([with_spectator(np.zeros(0))]))
    with ResultFile(tmp_path / "a.root") as file:
        assert list(file.dataset().tree("TrainTree")).count("sum") == 1
    with pytest.raises(ResultFileError, match="two different columns would be the branch 'sum'"):
        write_result_file(tmp_path / "b.root", ResultContents([with_spectator(np.zeros(N_TRAIN))]))


def test_narrow_types_of_spectators(tmp_path: Path, contents: DatasetContents) -> None:
    types = ("float16", "float32", "float64", "longdouble", "int8", "uint16", "uint64", "bool")
    samples = [
        replace(s, spectators={t: (np.arange(len(s)) % 2).astype(t) for t in types})
        for s in (contents.dataset.train, contents.dataset.test)
    ]
    dataset = replace(contents.dataset, train=samples[0], test=samples[1])
    write_result_file(tmp_path / "a.root", ResultContents([replace(contents, dataset=dataset, inputs=[], methods=[])]))
    with ResultFile(tmp_path / "a.root") as file:
        tree = file.dataset().tree("TestTree")
        kept = {"float16": "float32", "longdouble": "float64"}
        for name in types:
            assert tree[name].dtype == np.dtype(kept.get(name, name))
            np.testing.assert_array_equal(tree[name], np.arange(N_TEST) % 2)


# ---------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("name", "transformation", "expected"),
    [
        ("var1__Signal_Id", "Id", ("var1", "Signal", False)),
        ("a__b__Back_ground_Gauss_Deco", "Gauss_Deco", ("a__b", "Back_ground", False)),
        ("f__Regression_target", "", ("f", "Regression", True)),
        ("var1__Signal_Id", "Deco", None),
        ("MVA_BDT_S", "", None),
        ("__Signal", "", None),
        ("var__", "", None),
    ],
)
def test_names_of_input_histograms(name: str, transformation: str, expected: object) -> None:
    assert layout.parse_input_name(name, transformation) == expected


@pytest.mark.parametrize(
    ("keys", "matrices", "classes", "expected"),
    [
        (["MVA_X_rejBvsS"], [], [], AnalysisType.CLASSIFICATION),
        (["TrainingPath", "MVA_X_Test_a_prob_for_b"], ["CorrelationMatrixS"], [], AnalysisType.MULTICLASS),
        (["MVA_Xtest_reg_var0_rtgt0"], [], [], AnalysisType.REGRESSION),
        (["MVA_Xtest_Quadr_Deviation_target_0_"], [], [], AnalysisType.REGRESSION),
        ([], ["CorrelationMatrix"], ["a", "b"], AnalysisType.REGRESSION),
        ([], ["CorrelationMatrixB"], ["a", "b"], AnalysisType.CLASSIFICATION),
        ([], ["CorrelationMatrixSignal", "CorrelationMatrixbg"], ["Signal", "bg"], AnalysisType.MULTICLASS),
        ([], [], ["Background", "Signal"], AnalysisType.CLASSIFICATION),
        ([], [], ["Regression"], AnalysisType.REGRESSION),
    ],
)
def test_the_analysis_is_told_by_the_names(
    keys: list[str], matrices: list[str], classes: list[str], expected: AnalysisType
) -> None:
    assert layout.analysis_of(keys, matrices, classes) is expected


def test_units_in_titles() -> None:
    variable = define("x", "The x [1]", "GeV/c")
    assert layout.axis_title(variable) == "The x [1]  [GeV/c]"
    assert layout.axis_title(variable, "PCA") == "The x [1] (PCA)  [GeV/c]"
    assert layout.parse_axis_title("The x [1]  [GeV/c]", "The x [1]") == "GeV/c"
    assert layout.parse_axis_title("x  [y]", "x  [y]") == ""
    assert layout.parse_axis_title("x", "x") == ""


def test_importing_the_room_loads_no_root_reader() -> None:
    code = "import sys, mvakit.resultfile; sys.exit(any(m in sys.modules for m in ('uproot', 'awkward', 'hist')))"
    root = Path(__file__).parents[2]
    result = subprocess.run([sys.executable, "-c", code], check=False, env={**os.environ, "PYTHONPATH": str(root)})
    assert result.returncode == 0

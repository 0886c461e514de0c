"""The result file against TMVA's own: read what TMVA wrote, and rebuild it from the events that it holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from mvakit.dataset import DataSet, Sample
from mvakit.errors import ResultFileError
from mvakit.evaluation.correlation import correlation_matrix
from mvakit.resultfile import (
    DatasetContents,
    MethodContents,
    ResultContents,
    ResultDataset,
    ResultFile,
    TransformedInputs,
    write_result_file,
)
from mvakit.types import AnalysisType

C, M, R = AnalysisType.CLASSIFICATION, AnalysisType.MULTICLASS, AnalysisType.REGRESSION
FOUR = ("Signal", "bg0", "bg1", "bg2")
FILES = {
    "tutorial/class/TMVAC.root": (C, ("Signal", "Background"), 14, ("Id", "Deco", "PCA", "Gauss_Deco"), ("spec1", "spec2")),
    "tutorial/higgs/Higgs_ClassificationOutput.root": (C, ("Signal", "Background"), 4, ("Id",), ()),
    "tutorial/multi/TMVAMulticlass.root": (M, FOUR, 3, ("Id", "Deco", "PCA", "Gauss_Deco"), ()),
    "tutorial/reg/TMVAReg.root": (R, ("Regression",), 7, ("Id",), ("spec1", "spec2")),
    "toy/cat/TMVA.root": (C, ("Signal", "Background"), 2, (), ("eta", "njet")),
    "toy/multi/TMVA.root": (M, FOUR, 4, ("Id", "Deco", "Gauss"), ("eta", "njet")),
    "toy/reg/TMVA.root": (R, ("Regression",), 11, ("Id", "Norm"), ("eta", "njet")),
}  # fmt: skip


# ---------------------------------------------------------------------------------------------- reading TMVA's


@pytest.mark.parametrize("name", FILES)
def test_what_tmva_files_hold(reference: Path, name: str) -> None:
    analysis, classes, n_methods, transformations, spectators = FILES[name]
    stored = uproot.open(reference / name)
    kinds = stored.classnames(cycle=False)
    with ResultFile(reference / name) as file:
        dataset = file.dataset()
        assert dataset.name == ("datasetreg" if "TMVAReg" in name else "dataset")
        assert (dataset.analysis, dataset.classes) == (analysis, classes)
        assert len(dataset.methods) == n_methods
        assert dataset.transformations == transformations
        assert dataset.spectators == spectators
        assert [v.label for v in dataset.targets] == (["fvalue"] if analysis is R else [])
        for method in dataset.methods:
            assert dataset.method_text(method.title, "WeightFileName").endswith(f"_{method.title}.weights.xml")
            for key in dataset.method_names(method.title):
                path = f"{dataset.name}/{method.path}/{key}"
                kind = kinds[path]
                if kind.startswith("TH1"):
                    histogram = dataset.method_histogram(method.title, key)
                    np.testing.assert_array_equal(histogram.values, stored[path].values())
                    np.testing.assert_allclose(histogram.errors, stored[path].errors())
                elif kind.startswith("TH2"):
                    np.testing.assert_array_equal(
                        dataset.method_histogram_2d(method.title, key).values, stored[path].values()
                    )
            for which in ("TrainTree", "TestTree"):
                scores, class_index, weight = dataset.responses(method.title, which)
                tree = stored[f"{dataset.name}/{which}"]
                branch = tree[method.title].array(library="np")
                expected = np.column_stack([branch[c] for c in classes]) if analysis is M else branch
                np.testing.assert_array_equal(scores, expected)
                np.testing.assert_array_equal(class_index, tree["classID"].array(library="np"))
                np.testing.assert_array_equal(weight, tree["weight"].array(library="np"))


def test_titles_and_units(reference: Path) -> None:
    with ResultFile(reference / "tutorial/class/TMVAC.root") as file:
        variables = file.dataset().variables
        assert [(v.label, v.title, v.unit) for v in variables] == [
            ("myvar1", "myvar1", ""), ("myvar2", "Expression 2", ""), ("var3", "Variable 3", "units"),
            ("var4", "Variable 4", "units"),
        ]  # fmt: skip
    with ResultFile(reference / "toy/reg/TMVA.root") as file:
        (target,) = file.dataset().targets
        assert (target.title, target.unit) == ("target", "GeV")
    with ResultFile(reference / "toy/cat/TMVA.root") as file:
        # No histograms of the inputs were asked for here: those of the methods tell.
        assert [(v.label, v.title, v.unit) for v in file.dataset().variables][1] == ("diff", "Difference", "GeV")


def test_correlations_and_what_is_missing(reference: Path) -> None:
    with ResultFile(reference / "tutorial/class/TMVAC.root") as file:
        titles, percent = file.dataset().correlation_matrix("Signal")
        assert titles == ("myvar1", "Expression 2", "Variable 3", "Variable 4")
        np.testing.assert_array_equal(percent[0], [100, -3, 77, 93])
        assert file.dataset().method_histogram("BDTG", "MVA_BDTG_Proba_S") is None
    with (
        ResultFile(reference / "toy/cat/TMVA.root") as file,
        pytest.raises(ResultFileError, match="CorrelationMatrixS"),
    ):
        file.dataset().correlation_matrix("Signal")


def test_monitoring_of_trees_and_epochs(reference: Path) -> None:
    with ResultFile(reference / "tutorial/class/TMVAC.root") as file:
        curves = {c.name: c for c in file.dataset().curves("BDT")}
        assert list(curves) == ["BoostWeightVsTree", "ErrFractHist", "NodesBeforePruning", "NodesAfterPruning"]
        boost = curves["BoostWeightVsTree"]
        np.testing.assert_array_equal(boost.x, np.arange(850))
        np.testing.assert_allclose(boost.y[:3], [0.579001, 0.633231, 0.465336], rtol=1e-5)
        assert (boost.title, boost.x_title) == ("Boost weights vs tree", "#tree")
        np.testing.assert_array_equal(curves["NodesBeforePruning"].y[:5], [7, 11, 7, 11, 11])
        (train, test) = file.dataset().curves("MLP")
        assert (train.name, test.name) == ("estimatorHistTrain", "estimatorHistTest")
        np.testing.assert_array_equal(train.x[:3], [4.5, 9.5, 14.5])
        assert file.dataset().curves("Fisher") == ()


def test_means_and_their_errors_are_those_of_tprofile(reference: Path) -> None:
    path = reference / "tutorial/class/TMVAC.root"
    with ResultFile(path) as file:
        for class_name in ("Signal", "Background"):
            profile = file.dataset().input_profile("myvar1", "var4", class_name, "PCA")
            key = f"dataset/InputVariables_PCA/CorrelationPlots/prof_var4_vs_myvar1_{class_name}_PCA"
            stored = uproot.open(path)[key]
            np.testing.assert_allclose(profile.values, stored.values(), rtol=1e-12)
            np.testing.assert_allclose(profile.errors, stored.errors(), rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------------------------------------- rebuilding


def _sample(dataset: ResultDataset, which: str) -> Sample:
    tree = dataset.tree(which)
    return Sample(
        np.column_stack([tree[v.label] for v in dataset.variables]),
        tree["classID"],
        tree["weight"].astype(np.float64),
        np.column_stack([tree[v.label] for v in dataset.targets]) if dataset.targets else np.zeros((0, 0), np.float32),
        {label: tree[label] for label in dataset.spectators},
    )


def _rebuilt(dataset: ResultDataset) -> DatasetContents:
    """Return what the Factory would hand over after TMVA's own training, as far as the file tells."""
    train, test = (_sample(dataset, which) for which in ("TrainTree", "TestTree"))
    methods = []
    for method in dataset.methods:
        title = method.title
        names = [name for name in dataset.method_names(title) if name.startswith("MVA_")]
        histograms = [dataset.method_histogram(title, n) or dataset.method_histogram_2d(title, n) for n in names]
        # A method with transformed inputs cannot be told from the trees.
        plain = dataset.method_histogram(title, f"{dataset.variables[0].label}__{dataset.classes[0]}")
        untransformed = plain is not None and "(" not in plain.x_title
        tree = dataset.tree("TestTree")
        extra = [n for n in (f"prob_{title}", f"{title}_cat1", f"{title}_cat2") if n in tree]
        methods.append(
            MethodContents(
                method.type,
                title,
                dataset.method_text(title, "WeightFileName") or "",
                dataset.method_text(title, "TrainingPath") or "",
                [h for h in histograms if h is not None],
                dataset.curves(title),
                dataset.responses(title, "TrainTree")[0],
                dataset.responses(title, "TestTree")[0],
                {n: (dataset.tree("TrainTree")[n], tree[n]) for n in extra},
                TransformedInputs(test) if untransformed else None,
            )
        )
    rows = [train.class_index == c for c in range(len(dataset.classes))]
    correlations = {
        name: correlation_matrix(train.X[chosen], train.weight[chosen])
        for name, chosen in zip(dataset.classes, rows, strict=True)
    }
    prepared = DataSet(dataset.name, dataset.variables, (), dataset.targets, dataset.classes, train, test)
    return DatasetContents(prepared, dataset.analysis, [TransformedInputs(train)], correlations, methods)


REBUILT = ("tutorial/class/TMVAC.root", "tutorial/reg/TMVAReg.root", "toy/cat/TMVA.root", "toy/multi/TMVA.root")
# What only the methods themselves could give: their PDFs, weights and histories of boosting.
NOT_OURS = re.compile(
    r"(_tr_[SB]|_(sig|bgd)(_\w+)?$|_additional_check$|/weights_hist\d+$|/EpochMonitoring|/BoostWeight$|"
    r"_smoothed|_original|Method_Category/FisherCat/Method_Fisher|/MonitorNtuple$|InputVariables_(?!Id))"
)


@pytest.fixture(scope="module")
def rebuild(
    reference: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], tuple[Any, Any, DatasetContents]]:
    done: dict[str, tuple[Any, Any, DatasetContents]] = {}

    def function(name: str) -> tuple[Any, Any, DatasetContents]:
        if name not in done:
            with ResultFile(reference / name) as file:
                contents = _rebuilt(file.dataset())
            path = tmp_path_factory.mktemp("rebuilt") / "TMVA.root"
            write_result_file(path, ResultContents([contents]))
            done[name] = uproot.open(reference / name), uproot.open(path), contents
        return done[name]

    return function


@pytest.mark.parametrize("name", REBUILT)
def test_names_and_classes_are_tmvas(rebuild: Callable[[str], tuple[Any, Any, DatasetContents]], name: str) -> None:
    theirs, ours, contents = rebuild(name)
    without_inputs = [f"Method_{m.type}/{m.title}/" for m in contents.methods if m.inputs is None]
    expected = {
        key: kind
        for key, kind in theirs.classnames(cycle=False).items()
        if not NOT_OURS.search(key)
        and not (
            any(w in key for w in without_inputs) and re.search(r"__(Signal|Background|bg\d|Regression)|Plots", key)
        )
    }
    found = {k: v for k, v in ours.classnames(cycle=False).items() if not k.endswith("/MonitorNtuple")}
    if "cat" in name:
        # Its run had neither plots of the inputs nor correlation matrices.
        found = {k: v for k, v in found.items() if "InputVariables" not in k and "CorrelationMatrix" not in k}
    assert found == expected


@pytest.mark.parametrize("name", REBUILT)
def test_plots_of_inputs_bin_by_bin(rebuild: Callable[[str], tuple[Any, Any, DatasetContents]], name: str) -> None:
    theirs, ours, contents = rebuild(name)
    # All methods' plots are made alike; one that sees the plain inputs is enough.
    plain = next(m for m in contents.methods if m.inputs is not None)
    places = ("/InputVariables_Id/", f"/Method_{plain.type}/{plain.title}/")
    compared = 0
    for key, kind in ours.classnames(cycle=False).items():
        plots = any(p in key for p in places) and ("__" in key or "/CorrelationPlots/" in key)
        if not plots or not kind.startswith(("TH", "TProfile")) or ("cat" in name and "InputVariables" in key):
            continue
        a, b = theirs[key], ours[key]
        assert b.title == a.title
        for which in ("fXaxis", "fYaxis"):
            for member in ("fTitle", "fNbins"):
                assert b.member(which).member(member) == a.member(which).member(member), key
            for member in ("fXmin", "fXmax"):
                assert b.member(which).member(member) == pytest.approx(a.member(which).member(member), rel=1e-12)
        # TMVA's weights are doubles, the trees keep them as floats; its TH1F sum up in single precision.
        np.testing.assert_allclose(b.values(), a.values(), rtol=3e-6, atol=1e-6, err_msg=key)
        if kind != "TH2F":
            np.testing.assert_allclose(b.errors(), a.errors(), rtol=1e-5, atol=1e-5, err_msg=key)
        for member in ("fEntries", "fTsumw", "fTsumw2", "fTsumwx", "fTsumwx2"):
            assert b.member(member) == pytest.approx(a.member(member), rel=1e-6, abs=1e-4), (key, member)
        compared += 1
    assert compared >= 10


@pytest.mark.parametrize("name", REBUILT)
def test_correlation_matrices_are_tmvas(rebuild: Callable[[str], tuple[Any, Any, DatasetContents]], name: str) -> None:
    theirs, ours, contents = rebuild(name)
    directory = contents.dataset.name
    keys = [k for k in theirs[directory].keys(cycle=False, recursive=False) if k.startswith("CorrelationMatrix")]
    assert len(keys) == (0 if "cat" in name else len(contents.dataset.classes))
    for key in keys:
        a, b = theirs[f"{directory}/{key}"], ours[f"{directory}/{key}"]
        np.testing.assert_array_equal(b.values(), a.values())
        assert b.title == a.title
        assert b.axis("x").labels() == a.axis("x").labels()
        for member in ("fMinimum", "fMaximum", "fEntries"):
            assert b.member(member) == a.member(member)
        for member in ("fBits2", "fLabelSize", "fNbins", "fXmin", "fXmax"):
            assert b.member("fXaxis").member(member) == pytest.approx(a.member("fXaxis").member(member))


@pytest.mark.parametrize("name", REBUILT)
def test_method_histograms_survive(rebuild: Callable[[str], tuple[Any, Any, DatasetContents]], name: str) -> None:
    theirs, ours, contents = rebuild(name)
    for method in contents.methods:
        directory = f"{contents.dataset.name}/Method_{method.type}/{method.title}"
        for value in method.histograms:
            a, b = theirs[f"{directory}/{value.name}"], ours[f"{directory}/{value.name}"]
            assert b.classname == a.classname
            np.testing.assert_array_equal(b.values(), a.values())
            np.testing.assert_array_equal(b.errors(), a.errors())
            assert (b.title, b.member("fEntries")) == (a.title, a.member("fEntries"))
        for curve in method.curves:
            a, b = theirs[f"{directory}/{curve.name}"], ours[f"{directory}/{curve.name}"]
            assert b.classname == a.classname
            np.testing.assert_array_equal(b.values(), a.values())
            np.testing.assert_allclose(b.axis().edges(), a.axis().edges())


@pytest.mark.parametrize("name", REBUILT)
def test_trees_are_tmvas(rebuild: Callable[[str], tuple[Any, Any, DatasetContents]], name: str) -> None:
    theirs, ours, contents = rebuild(name)
    multiclass = contents.analysis is AnalysisType.MULTICLASS
    titles = [m.title for m in contents.methods]
    for which in ("TrainTree", "TestTree"):
        a, b = theirs[f"{contents.dataset.name}/{which}"], ours[f"{contents.dataset.name}/{which}"]
        assert b.title == which
        assert b.num_entries == a.num_entries
        for branch in a.branches:
            values = branch.array(library="np")
            if multiclass and branch.name in titles:
                for output in contents.dataset.classes:
                    np.testing.assert_array_equal(b[f"{branch.name}.{output}"].array(library="np"), values[output])
                continue
            assert b[branch.name].typename == branch.typename
            np.testing.assert_array_equal(b[branch.name].array(library="np"), values)
        count = len(a.branches) + (len(titles) * (len(contents.dataset.classes) - 1) if multiclass else 0)
        assert len(b.branches) == count

"""The Factory: booking, training, testing, evaluating, and what is refused along the way."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvakit import DataLoader, Factory, Reader, RReader, Types
from mvakit.compat.ROOT import TFile
from mvakit.errors import DataError, MethodError, MvakitError, OptionError, ResultFileError, TransformationError
from mvakit.evaluation import ClassificationResult, MulticlassResult, RegressionResult
from mvakit.resultfile import ResultFile


def columns(n: int, shift: float, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    x, y = random.normal(size=(2, n)) + shift
    return {
        "x": x.astype(np.float32),
        "y": (y + 0.5 * x).astype(np.float32),
        "n": np.arange(n, dtype=np.int64) + 2**53 + 1,
    }


def loader(name: str = "dataset", n: int = 400) -> DataLoader:
    made = DataLoader(name)
    made.AddVariable("sum := x+y", "The sum", "GeV", "F")
    made.AddVariable("y", "F")
    made.AddSpectator("n")
    made.AddSignalTree(columns(n, 0.7, 1))
    made.AddBackgroundTree(columns(n, -0.7, 2), 0.5)
    made.PrepareTrainingAndTestTree("", "SplitMode=Random:NormMode=NumEvents")
    return made


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(factory: Factory) -> None:
    factory.TrainAllMethods()
    factory.TestAllMethods()
    factory.EvaluateAllMethods()


def test_a_job_from_booking_to_the_result_file(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="mvakit")
    data = loader()
    factory = Factory(
        "Job", TFile.Open("TMVA.root", "RECREATE"), "!V:!Silent:Transformations=I;D;G,D:AnalysisType=Classification"
    )
    fisher = factory.BookMethod(data, Types.kFisher, "Fisher", "H:!V:Fisher:VarTransform=None")
    factory.BookMethod(data, "LD", "LDG", "VarTransform=G,D")
    assert repr(fisher) == "BookedMethod(Fisher::Fisher of 'dataset', booked)"
    run(factory)
    assert (fisher.GetName(), fisher.GetMethodTypeName()) == ("Fisher", "Fisher")
    assert repr(fisher).endswith("evaluated)")
    assert factory.HasMethod(data, "LDG")
    assert not factory.HasMethod("dataset", "LDX")
    assert factory.GetMethod("dataset", "Fisher") is fisher
    assert repr(factory) == "Factory('Job': Fisher, LDG)"
    result = factory.GetResults(data, "Fisher")
    assert isinstance(result, ClassificationResult)
    assert factory.GetROCIntegral(data, "Fisher") == result.auc == factory.GetROCCurve(data, "Fisher").area
    assert 0.85 < result.auc < 0.99
    assert 0 < result.auc_error < 0.03
    with pytest.raises(MethodError, match="no curve of class 1"):
        factory.GetROCIntegral(data, "Fisher", 1)
    assert factory.GetROCIntegral("dataset", "Fisher", 0, Types.kTraining) == pytest.approx(result.auc_train, rel=1e-12)
    for text in (
        "Booking method: Fisher", "VarTransform = None", "Train all methods for Classification", "after the transformation Gauss_Deco",
        "Ranking input variables (method unspecific)", ": Separation", "The sum", "Begin training", "Creating xml weight file: dataset/weights/Job_Fisher.weights.xml",
        "Discr. power", "Evaluation results ranked by best signal efficiency and purity (area)", "@B=0.01", "ROC-integ", "Sepa-", "Signifi-",
        "Testing efficiency compared to training efficiency (overtraining check)", "Created tree 'TestTree' with 400 events",
    ):  # fmt: skip
        assert text in caplog.text, text

    reader, values = Reader("Silent"), ([0.0], [0.0])
    reader.AddVariable("sum := x+y", values[0])
    reader.AddVariable("y", values[1])
    with ResultFile("TMVA.root") as file:
        dataset = file.dataset()
        assert [m.title for m in dataset.methods] == ["Fisher", "LDG"]
        assert set(dataset.transformations) == {"Id", "Deco", "Gauss_Deco"}
        for name, sample in data.prepare().samples():
            tree = dataset.tree(name)
            assert np.array_equal(tree["n"], sample.spectators["n"])
            assert np.array_equal(tree["sum"], sample.X[:, 0])
            assert np.allclose(tree["weight"], sample.weight, rtol=1e-7)
            assert np.array_equal(tree["classID"], sample.class_index)
    for title in ("Fisher", "LDG"):
        path = f"dataset/weights/Job_{title}.weights.xml"
        reader.BookMVA(title, path)
        by_array = RReader(path).Compute(data.prepare().test.X)
        with ResultFile("TMVA.root") as file:
            stored, _, _ = file.dataset().responses(title, "TestTree")
        assert np.allclose(stored, by_array, rtol=1e-6)
        for i in range(20):
            values[0][0], values[1][0] = map(float, data.prepare().test.X[i])
            assert reader.EvaluateMVA(title) == pytest.approx(by_array[i], rel=1e-12)
    factory.DeleteAllMethods()
    assert repr(factory) == "Factory('Job': nothing booked)"


def test_without_a_result_file_or_weight_files(folder: Path) -> None:
    data = loader()
    factory = Factory("Job", "Silent:!ModelPersistence:AnalysisType=Auto")
    factory.BookMethod(data, "Fisher", "Fisher")
    run(factory)
    assert factory.GetROCIntegral(data, "Fisher") > 0.8
    assert list(folder.iterdir()) == []


def test_silent_means_silent(
    folder: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO, logger="mvakit")
    factory = Factory("Job", "TMVA.root", Silent=True, Color=False)
    factory.BookMethod(loader(), "Fisher", "Fisher", "!H")
    run(factory)
    assert caplog.text == ""
    assert capsys.readouterr().out == ""


def test_two_data_loaders_in_one_factory(folder: Path) -> None:
    factory = Factory("Job", Path("TMVA.root"), "Silent")
    first, second = loader("first"), loader("second", 300)
    factory.BookMethod(first, "Fisher", "Fisher")
    factory.BookMethod(second, "Fisher", "Fisher")
    run(factory)
    with ResultFile("TMVA.root") as file:
        assert set(file.datasets) == {"first", "second"}
    assert factory.GetROCIntegral("first", "Fisher") != factory.GetROCIntegral("second", "Fisher")
    with pytest.raises(MethodError, match="another DataLoader is called 'first'"):
        factory.BookMethod(loader("first"), "LD", "LD")


def test_training_anew_replaces_what_was_tested(folder: Path) -> None:
    data = loader()
    factory = Factory("Job", "Silent")
    booked = factory.BookMethod(data, "Fisher", "Fisher")
    run(factory)
    factory.TrainAllMethods()
    assert booked.result is None
    with pytest.raises(MethodError, match="is not tested"):
        factory.EvaluateAllMethods()


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (
            lambda f, d: f.BookMethod(d, "Fischer", "F"),
            MethodError,
            "there is no method 'Fischer'; did you mean 'Fisher'",
        ),
        (lambda f, d: f.BookMethod(d, "Fisher", "A", "Fisher:Mahalanobi"), OptionError, "did you mean 'Mahalanobis'"),
        (lambda f, d: f.BookMethod(d, "Fisher", "A", Methd="Fisher"), OptionError, "did you mean 'Method'"),
        (lambda f, d: f.BookMethod(d, "Fisher", "A", "VarTransform=GD"), TransformationError, "GD"),
        (
            lambda f, d: f.BookMethod(d, "Fisher", "booked"),
            MethodError,
            "a method with the title 'booked' is booked already",
        ),
        (lambda f, d: f.BookMethod(d, "Fisher", "Booked"), MethodError, "is booked already"),
        (lambda f, d: f.BookMethod(d, "Fisher", "a/b"), MethodError, "is part of file names"),
        (lambda f, d: f.BookMethod(d, "Fisher", "sum"), MethodError, "'sum' is the name of a variable"),
        (lambda f, d: f.BookMethod(d, "Fisher", "n"), MethodError, "'n' is the name of a spectator"),
        (lambda f, d: f.BookMethod(d, "Fisher", "a;b"), ResultFileError, "needs a printable name"),
        (lambda f, d: f.BookMethod("dataset", "Fisher", "A"), MethodError, "takes a DataLoader"),
        (lambda f, d: f.TestAllMethods(), MethodError, "'booked' is not trained"),
        (lambda f, d: f.EvaluateAllMethods(), MethodError, "'booked' is not tested"),
        (lambda f, d: f.GetResults(d, "booked"), MethodError, "'booked' is not evaluated"),
        (lambda f, d: f.GetROCIntegral(d, "booked"), MethodError, "'booked' is not tested"),
        (lambda f, d: f.GetROCIntegral(d, "boked"), MethodError, "did you mean 'booked'"),
        (lambda f, d: f.GetROCIntegral("datset", "booked"), MethodError, "did you mean 'dataset'"),
    ],
)
def test_what_the_factory_refuses(folder: Path, call: Any, kind: type[MvakitError], said: str) -> None:
    data = loader()
    factory = Factory("Job", "TMVA.root", "Silent")
    factory.BookMethod(data, "Fisher", "booked")
    with pytest.raises(kind, match=re.escape(said)):
        call(factory, data)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        (("a/b",), MethodError, "is part of file names"),
        (("Job", "TMVA.root", "AnalysisType=Clasification"), OptionError, "did you mean 'Classification'"),
        (("Job", "Silentt"), OptionError, "did you mean 'Silent'"),
    ],
)
def test_factories_that_cannot_be_made(arguments: tuple[str, ...], kind: type[MvakitError], said: str) -> None:
    with pytest.raises(kind, match=re.escape(said)):
        Factory(*arguments)


def test_analysis_types(folder: Path) -> None:
    data = loader()
    with pytest.raises(MethodError, match="made for Classification, not for Regression"):
        Factory("Job", "Silent:AnalysisType=Regression").BookMethod(data, "Fisher", "F")
    with pytest.raises(MethodError, match="a regression needs a target, and 'dataset' has none"):
        Factory("Job", "Silent:AnalysisType=Regression").BookMethod(data, "LD", "L")
    data.AddTree(columns(50, 0.0, 3), "third")
    with pytest.raises(DataError, match="has two classes; 'dataset' has 3"):
        Factory("Job", "Silent:AnalysisType=Classification").BookMethod(data, "Fisher", "F")
    with pytest.raises(MethodError, match="not for Multiclass"):
        Factory("Job", "Silent").BookMethod(data, "Fisher", "F")
    single = DataLoader("single")
    single.AddVariable("x")
    single.AddSignalTree(columns(50, 0.0, 3))
    with pytest.raises(DataError, match="has a single class, 'Signal', and no target"):
        Factory("Job", "Silent").BookMethod(single, "Fisher", "F")


def test_a_multiclass_job(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="mvakit")
    data = DataLoader("dataset")
    data.AddVariable("x")
    data.AddVariable("y")
    for i, name in enumerate(("Signal", "bg0", "bg1")):
        tree = columns(300, 0.0, i)
        tree["x"] = tree["x"] + np.float32((0, 2, -2)[i])
        data.AddTree(tree, name)
    factory = Factory("Job", "TMVA.root", "Transformations=I;G,D:AnalysisType=Multiclass")
    factory.BookMethod(data, "LD", "LD", "VarTransform=N")
    run(factory)
    result = factory.GetResults(data, "LD")
    assert isinstance(result, MulticlassResult)
    for i, name in enumerate(("Signal", "bg0", "bg1")):
        area = factory.GetROCIntegral(data, "LD", i)
        assert area == result.auc[i] == factory.GetROCCurve(data, "LD", i).area
        assert name == "Signal" or area > 0.9
    assert factory.GetROCIntegral(data, "LD", 1, Types.kTraining) > 0.9
    with pytest.raises(MethodError, match="there is no class 3; the classes are 0 to 2"):
        factory.GetROCIntegral(data, "LD", 3)
    for text in (
        "best signal efficiency times signal purity",
        "1-vs-rest performance metrics per class",
        "Confusion matrices for all methods",
    ):
        assert text in caplog.text
    path = "dataset/weights/Job_LD.weights.xml"
    inputs = data.prepare().test.X
    responses = RReader(path).Compute(inputs)
    with ResultFile("TMVA.root") as file:
        stored, index, _ = file.dataset().responses("LD", "TestTree")
        assert file.dataset().method_histogram("LD", "MVA_LD_Test_bg0_prob_for_Signal") is not None
    assert responses.shape == stored.shape == (450, 3)
    assert np.allclose(stored, responses, rtol=1e-6, atol=1e-7)
    assert np.array_equal(index, data.prepare().test.class_index)
    reader = Reader("Silent")
    buffers = ([0.0], [0.0])
    for label, buffer in zip("xy", buffers, strict=True):
        reader.AddVariable(label, buffer)
    reader.BookMVA("LD", path)
    for i in range(5):
        buffers[0][0], buffers[1][0] = map(float, inputs[i])
        assert reader.EvaluateMulticlass("LD") == responses[i].tolist()
        assert reader.EvaluateMulticlass(2, "LD") == responses[i, 2]
    with pytest.raises(MethodError, match="has 3 outputs"):
        reader.EvaluateMVA("LD")
    with pytest.raises(DataError, match="none of index 3"):
        reader.EvaluateMulticlass(3, "LD")


@pytest.mark.parametrize("transform", ["None", "N", "U", "N(_T_)"])
def test_a_regression_job(folder: Path, caplog: pytest.LogCaptureFixture, transform: str) -> None:
    caplog.set_level(logging.INFO, logger="mvakit")
    tree = columns(600, 0.0, 5)
    tree["t"] = (3 * tree["x"] - tree["y"] + 10).astype(np.float32)
    data = DataLoader("dataset")
    data.AddVariable("x")
    data.AddVariable("y")
    data.AddTarget("t", "The target", "GeV")
    data.AddRegressionTree(tree)
    factory = Factory("Job", "TMVA.root", "Transformations=I;N:AnalysisType=Regression")
    factory.BookMethod(data, "LD", "LD", f"VarTransform={transform}")
    run(factory)
    result = factory.GetResults(data, "LD")
    assert isinstance(result, RegressionResult)
    assert result.rms < (1.0 if transform == "U" else 1e-4)
    with pytest.raises(MethodError, match="is a regression, which has no ROC curve"):
        factory.GetROCIntegral(data, "LD")
    assert "Evaluation results ranked by smallest RMS on test sample" in caplog.text
    assert "(overtraining check)" in caplog.text
    path = "dataset/weights/Job_LD.weights.xml"
    inputs = data.prepare().test.X
    estimates = RReader(path).Compute(inputs)
    assert estimates.shape == (300,)
    with ResultFile("TMVA.root") as file:
        stored, _, _ = file.dataset().responses("LD", "TestTree")
        assert file.dataset().method_histogram("LD", "MVA_LDtest_Quadr_Deviation_target_0_") is not None
    assert np.allclose(np.ravel(stored), estimates, rtol=1e-6)
    reader = Reader("Silent")
    reader.BookMVA("LD", path)
    assert reader.EvaluateRegression(inputs[0].tolist(), "LD") == [estimates[0]]
    assert reader.EvaluateMVA(inputs[0].tolist(), "LD") == estimates[0]


def test_a_transformation_of_the_factory_that_cannot_be_made(folder: Path) -> None:
    with pytest.raises(TransformationError, match="Z"):
        Factory("Job", "Silent:Transformations=I;Z").BookMethod(loader(), "Fisher", "F")


def test_a_variable_with_the_name_of_a_branch_that_every_tree_has(folder: Path) -> None:
    data = loader()
    data.AddVariable("weight := x*x")
    with pytest.raises(MethodError, match=re.escape("give it a label: 'my_weight := x*x'")):
        Factory("Job", "Silent").BookMethod(data, "Fisher", "F")


def test_nothing_booked() -> None:
    for call in ("TrainAllMethods", "TestAllMethods", "EvaluateAllMethods"):
        with pytest.raises(MethodError, match="call BookMethod first"):
            getattr(Factory("Job", "Silent"), call)()


def test_a_result_file_that_cannot_be_written_leaves_the_old_one(folder: Path) -> None:
    (folder / "file").write_text("")
    data = loader()
    factory = Factory("Job", folder / "file" / "TMVA.root", "Silent")
    factory.BookMethod(data, "Fisher", "F")
    factory.TrainAllMethods()
    factory.TestAllMethods()
    with pytest.raises(MvakitError, match="cannot be written to"):
        factory.EvaluateAllMethods()
    assert sorted(p.name for p in folder.iterdir()) == ["dataset", "file"]


def test_old_scripts_call_the_factory_where_newer_ones_call_a_data_loader(folder: Path) -> None:
    factory = Factory("Old", "TMVA.root", "!V:Silent")
    factory.AddVariable("sum := x+y", "The sum", "GeV", "F")
    factory.AddVariable("y", "F")
    factory.AddSpectator("n")
    factory.AddSignalTree(columns(300, 0.7, 1), 1.0)
    factory.AddBackgroundTree(columns(300, -0.7, 2), 1.0)
    factory.SetBackgroundWeightExpression("1+0*x")
    factory.PrepareTrainingAndTestTree("", "", "nTrain_Signal=100:nTrain_Background=100:SplitMode=Random")
    factory.BookMethod(Types.kFisher, "Fisher", "H:!V:Fisher")
    factory.BookMethod("LD", "LD")
    run(factory)
    assert factory.GetROCIntegral("dataset", "Fisher") > 0.85
    assert sorted(p.name for p in (folder / "weights").iterdir()) == ["Old_Fisher.weights.xml", "Old_LD.weights.xml"]
    with pytest.raises(AttributeError, match="did you mean 'AddVariable'"):
        factory.AddVariabel("x")


def test_folders_and_names_of_weight_files_can_be_set(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mvakit import TMVA

    names = TMVA.gConfig().GetIONames()
    for name, value in (
        ("fWeightFileDir", "models"),
        ("fWeightFileDirPrefix", "out"),
        ("fWeightFileExtension", "trained"),
    ):
        monkeypatch.setattr(names, name, value)
    factory = Factory("Job", "Silent")
    factory.BookMethod(loader(), "Fisher", "Fisher")
    factory.TrainAllMethods()
    assert (folder / "out" / "dataset" / "models" / "Job_Fisher.trained.xml").is_file()
    with pytest.raises(OptionError, match="did you mean 'fWeightFileDir'"):
        names.fWeightFileDr = "x"

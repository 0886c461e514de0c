"""Whole jobs: the demo and every example, as a person would run them."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import uproot

from mvakit import DataLoader, Factory, Reader, RReader
from mvakit.demo import run_demo, write_toy
from mvakit.errors import MvakitError
from mvakit.resultfile import ResultFile

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@pytest.mark.keras
@pytest.mark.slow
def test_the_demo_leaves_everything_that_it_says(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("keras")
    run_demo(tmp_path / "demo", 1500)
    folder = tmp_path / "demo"
    titles = ("Fisher", "BDT", "BDTG", "DNN")
    for title in titles:
        assert (folder / "dataset" / "weights" / f"Demo_{title}.weights.xml").is_file()
        assert (folder / "plots" / f"overtrain_{title}.png").is_file()
        assert f"average response of {title}" in caplog.text
    assert "Where to look" in caplog.text
    with ResultFile(folder / "TMVA.root") as file:
        dataset = file.dataset("dataset")
        assert {m.title for m in dataset.methods} == set(titles)
        assert set(dataset.transformations) == {"Id", "Deco", "PCA", "Gauss_Deco"}
        test = dataset.tree("TestTree")
        assert test["eventNumber"].dtype == np.int64
        for title in titles:
            # One number, whichever door it is asked at.
            path = folder / "dataset" / "weights" / f"Demo_{title}.weights.xml"
            inputs = np.column_stack([test[label] for label in ("sum", "diff", "var3", "var4")])
            assert np.allclose(RReader(path).Compute(inputs), test[title], rtol=1e-6, atol=0)
            reader = Reader("Silent")
            reader.BookMVA(title, path)
            for i in range(0, len(inputs), 97):
                assert reader.EvaluateMVA(inputs[i].tolist(), title) == pytest.approx(float(test[title][i]), rel=1e-6)


def run_example(name: str, *arguments: str) -> None:
    before = sys.argv
    sys.argv = [name, *arguments]
    try:
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    finally:
        sys.argv = before


@pytest.mark.slow
def test_the_classification_example_and_its_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run_example("classification.py")
    assert float(re.findall(r"ROC integral of BDTG: ([\d.]+)", capsys.readouterr().out)[0]) > 0.85
    run_example("classification_application.py")
    printed = capsys.readouterr().out
    assert len(re.findall(r"^\d Fisher=[+-][\d.]+ LD=[+-][\d.]+ BDTG=[+-][\d.]+$", printed, re.MULTILINE)) == 5
    assert "BDTG ['var1+var2', 'var1-var2', 'var3', 'var4'] mean response on signal:" in printed


@pytest.mark.keras
@pytest.mark.slow
def test_the_keras_workshop_example_and_its_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("keras")
    monkeypatch.chdir(tmp_path)
    run_example("keras_workshop.py")
    capsys.readouterr()
    # Applying needs no Keras: it is not even imported.
    done = subprocess.run(
        [sys.executable, "-c", "import runpy, sys; sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name='__main__'); print('keras' in sys.modules, 'tensorflow' in sys.modules)", str(EXAMPLES / "keras_workshop_application.py")],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    signal, background = (float(x) for x in re.findall(r"Average response on \w+: ([\d.]+)", done.stdout))
    assert signal - background > 0.3
    assert done.stdout.strip().endswith("False False")


def test_every_example_is_run_here() -> None:
    text = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    for example in EXAMPLES.glob("*.py"):
        assert f'"{example.name}"' in text, example.name


def tutorial(path: str, name: str = "dataset") -> DataLoader:
    """The DataLoader of TMVA's classification tutorial."""
    loader = DataLoader(name)
    loader.AddVariable("myvar1 := var1+var2", "F")
    loader.AddVariable("myvar2 := var1-var2", "Expression 2", "", "F")
    loader.AddVariable("var3", "Variable 3", "units", "F")
    loader.AddVariable("var4", "Variable 4", "units", "F")
    loader.AddSignalTree(f"{path}:TreeS", 1.0)
    loader.AddBackgroundTree(f"{path}:TreeB", 1.0)
    loader.SetBackgroundWeightExpression("weight")
    loader.PrepareTrainingAndTestTree(
        "", "", "nTrain_Signal=1000:nTrain_Background=1000:SplitMode=Random:NormMode=NumEvents:!V"
    )
    return loader


@pytest.mark.slow
def test_the_tutorial_on_tmva_s_own_sample(reference: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TMVA's Fisher has 0.919 there, and its BDT 0.869 to 0.883, depending on the split."""
    monkeypatch.chdir(tmp_path)
    loader = tutorial(f"{reference}/data/tmva_class_example.root")
    factory = Factory(
        "TMVAClassification", "TMVA.root", "!V:Silent:Transformations=I;D;P;G,D:AnalysisType=Classification"
    )
    factory.BookMethod(
        loader,
        "Fisher",
        "Fisher",
        "H:!V:Fisher:VarTransform=None:CreateMVAPdfs:PDFInterpolMVAPdf=Spline2:NbinsMVAPdf=50:NsmoothMVAPdf=10",
    )
    factory.BookMethod(
        loader,
        "BDT",
        "BDT",
        "!H:!V:NTrees=850:MinNodeSize=2.5%:MaxDepth=3:BoostType=AdaBoost:AdaBoostBeta=0.5:UseBaggedBoost:BaggedSampleFraction=0.5:SeparationType=GiniIndex:nCuts=20",
    )
    factory.TrainAllMethods()
    factory.TestAllMethods()
    factory.EvaluateAllMethods()
    assert factory.GetROCIntegral(loader, "Fisher") == pytest.approx(0.919, abs=0.005)
    assert factory.GetROCIntegral(loader, "BDT") >= 0.865


@pytest.mark.parametrize("what", ["missing tree", "missing file", "missing branch", "not a ROOT file"])
def test_bad_input_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    monkeypatch.chdir(tmp_path)
    write_toy(Path("toy.root"), 300)
    loader = tutorial("toy.root")
    loader.PrepareTrainingAndTestTree("", "")
    if what == "missing tree":
        loader.AddSignalTree("toy.root:TreX")
    elif what == "missing file":
        loader.AddSignalTree("nowhere.root:TreeS")
    elif what == "missing branch":
        loader.AddVariable("vra3*2")
    else:
        Path("text.root").write_text("not ROOT at all" * 100)
        loader.AddSignalTree("text.root:TreeS")
    factory = Factory("Job", "TMVA.root", "Silent")
    named = {
        "missing tree": "TreeS",
        "missing file": "nowhere.root",
        "missing branch": "var3",
        "not a ROOT file": "text.root",
    }[what]
    with pytest.raises(MvakitError, match=named):
        factory.BookMethod(loader, "Fisher", "Fisher")
    assert {p.name for p in tmp_path.iterdir()} <= {"toy.root", "text.root"}


@pytest.mark.slow
def test_the_script_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_toy(Path("toy.root"), 2500)
    names = [f"var{i}" for i in range(1, 5)]
    with uproot.open("toy.root") as toy, uproot.recreate("tmva_class_example.root") as file:
        for name in ("TreeS", "TreeB"):
            file.mktree(name, dict.fromkeys(names, "f4")).extend(toy[name].arrays(names, library="np"))
    text = (EXAMPLES.parent / "README.md").read_text()
    script = text.split("```python\n")[1].split("```")[0]
    Path("script.py").write_text(script)
    subprocess.run([sys.executable, "script.py"], check=True, capture_output=True)
    with ResultFile("TMVA.root") as file:
        assert [m.title for m in file.dataset().methods] == ["Fisher", "BDTG"]

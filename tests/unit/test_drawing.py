"""Draw... of a Factory: the views of what it has just written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from mvakit import DataLoader, Factory
from mvakit.errors import MethodError, ResultFileError


def events(shift: float, seed: int) -> dict[str, np.ndarray]:
    return dict(
        zip(("a", "b"), np.random.default_rng(seed).normal(shift, 1.0, (2, 600)).astype(np.float32), strict=True)
    )


def booked(target: str | None) -> tuple[Factory, DataLoader]:
    loader = DataLoader("dataset")
    for name in ("a", "b"):
        loader.AddVariable(name, "F")
    loader.AddSignalTree(events(0.5, 1))
    loader.AddBackgroundTree(events(-0.5, 2))
    loader.PrepareTrainingAndTestTree("", "nTrain_Signal=300:nTrain_Background=300:!V")
    factory = Factory("Job", target, "Silent:!DrawProgressBar:AnalysisType=Classification")
    factory.BookMethod(loader, "Fisher", "Fisher", "CreateMVAPdfs")
    factory.BookMethod(loader, "BDT", "BDT", "NTrees=3")
    return factory, loader


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Factory, DataLoader]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("drawing"))
        factory, loader = booked(str(Path("TMVA.root").resolve()))
        with pytest.raises(MethodError, match="call EvaluateAllMethods first"):
            factory.DrawROCCurve(loader)
        factory.TrainAllMethods()
        factory.TestAllMethods()
        factory.EvaluateAllMethods()
        yield factory, loader


def test_each_view_is_that_of_the_gui(evaluated: tuple[Factory, DataLoader]) -> None:
    factory, loader = evaluated
    views = [
        factory.DrawROCCurve(loader),
        factory.DrawOutputDistribution("dataset", "BDT"),
        factory.DrawProbabilityDistribution(loader, "Fisher"),
        factory.DrawCutEfficiencies(loader, "Fisher"),
        factory.DrawDecisionTree(loader, "BDT"),
    ]
    assert [view.name for view in views] == ["rejBvsS", "overtrain_BDT", "proba_Fisher", "mvaeffs_Fisher", "tree_BDT_0"]
    shown = views[0]._repr_mimebundle_()
    assert "image/png" in shown
    assert any("vegalite" in kind or "html" in kind for kind in shown)
    assert "Fisher" in json.dumps(views[0].chart().to_dict())


def test_any_tree_of_a_forest(evaluated: tuple[Factory, DataLoader]) -> None:
    factory, loader = evaluated
    assert factory.DrawDecisionTree(loader, "BDT", 2).name == "tree_BDT_2"
    with pytest.raises(ResultFileError, match="3 trees, counted from 0, but no 3"):
        factory.DrawDecisionTree(loader, "BDT", 3)


def test_what_a_file_cannot_feed_is_told(evaluated: tuple[Factory, DataLoader]) -> None:
    factory, loader = evaluated
    with pytest.raises(ResultFileError, match=r"no view 'overtrain_BTD' of 'dataset'; did you mean .*'overtrain_BDT'"):
        factory.DrawOutputDistribution(loader, "BTD")
    with pytest.raises(ResultFileError, match="no view 'network_BDT'"):
        factory.DrawNeuralNetwork(loader, "BDT")


def test_without_a_result_file_there_is_nothing_to_draw() -> None:
    factory, loader = booked(None)
    with pytest.raises(MethodError, match=r"give it one, as in Factory\('Job', 'TMVA.root'\)"):
        factory.DrawROCCurve(loader)

"""A job with every kind of network: what is recorded epoch by epoch comes to the result file, under names that last."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mvakit import DataLoader, Factory
from mvakit.resultfile import ResultFile

pytestmark = pytest.mark.keras


def test_what_networks_record_is_in_the_result_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keras = pytest.importorskip("keras")
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(1)
    loader = DataLoader("dataset")
    for name in "ab":
        loader.AddVariable(name, "F")
    for shift, add in enumerate((loader.AddSignalTree, loader.AddBackgroundTree)):
        add({name: random.normal(shift, 1, 200).astype(np.float32) for name in "ab"})
    loader.PrepareTrainingAndTestTree("", "SplitMode=Random:!V")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(loss="binary_crossentropy", optimizer="sgd", weighted_metrics=["accuracy"])
    factory = Factory("Job", "job.root", "Silent:!DrawProgressBar:AnalysisType=Classification")
    factory.BookMethod(loader, "MLP", "MLP", "NCycles=20:TestRate=5:HiddenLayers=2:ValidationSize=20%")
    factory.BookMethod(
        loader, "DL", "DL", "RandomSeed=1:Layout=TANH|3,LINEAR:TrainingStrategy=MaxEpochs=2,BatchSize=20|MaxEpochs=1"
    )
    # The schedule as the workshops' slides have it, blanks and all; warnings are errors here.
    factory.BookMethod(
        loader, "PyKeras", "PyKeras", "NumEpochs=4:Verbose=0:LearningRateSchedule=[1,0.01; 3,0.001]:BatchSize=20",
        Model=model,
    )  # fmt: skip
    factory.TrainAllMethods()
    factory.TestAllMethods()
    factory.EvaluateAllMethods()
    with ResultFile("job.root") as file:
        curves = {
            title: {curve.name: curve for curve in file.dataset().curves(title)} for title in ("MLP", "DL", "PyKeras")
        }
    assert curves["MLP"]["estimatorHistTrain"].y.shape == (4,)
    assert not np.array_equal(curves["MLP"]["estimatorHistTrain"].y, curves["MLP"]["estimatorHistTest"].y)
    for name in ("loss", "val_loss"):
        assert curves["DL"][name].x.tolist() == [1, 2, 3]
        assert curves["PyKeras"][name].x.tolist() == [1, 2, 3, 4]
    assert {"accuracy", "val_accuracy"} <= set(curves["PyKeras"])
    np.testing.assert_allclose(curves["PyKeras"]["learning_rate"].y, [0.01, 0.01, 0.01, 0.001], rtol=1e-6)

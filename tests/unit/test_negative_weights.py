"""Events with negative weights: every method that can be trained does with them what it says, and says it."""

from __future__ import annotations

import dataclasses
import logging
import warnings
from pathlib import Path

import numpy as np
import pytest

from mvakit.dataset import DataSet, Sample
from mvakit.errors import MvakitError
from mvakit.model import train
from mvakit.registry import method_class, method_names
from mvakit.variables import define

TRAINED = [name for name in method_names() if method_class(name).capabilities.trainable]
OPTIONS = {
    "BDT": "NTrees=5",
    "DL": "RandomSeed=1:Layout=DENSE|4|TANH,DENSE|1|LINEAR:TrainingStrategy=MaxEpochs=2,BatchSize=50",
    "DNN": "RandomSeed=1:Layout=TANH|4,LINEAR:TrainingStrategy=MaxEpochs=2,BatchSize=50",
    "MLP": "NCycles=5",
    "PyGTB": "NEstimators=5",
    "PyKeras": "FilenameModel={}:NumEpochs=2:BatchSize=50:Verbose=0",
}


def events(seed: int) -> Sample:
    random = np.random.default_rng(seed)
    index = np.repeat([0, 1], 200)
    X = random.normal(np.where(index, -0.5, 0.5)[:, None], 1, (400, 2)).astype(np.float32)
    return Sample(X, index, random.permutation(np.repeat([1.0, 2.0, -0.5], [180, 180, 40])))


@pytest.fixture(scope="module")
def dataset() -> DataSet:
    return DataSet("d", (define("a"), define("b")), (), (), ("Signal", "Background"), events(1), events(2))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras = pytest.importorskip("keras")
        model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1, activation="sigmoid")])
        model.compile("sgd", "binary_crossentropy", weighted_metrics=[])
        path = tmp_path_factory.mktemp("network") / "model.keras"
        model.save(path)
    return path


@pytest.mark.parametrize("name", TRAINED)
def test_what_becomes_of_them_is_said(
    name: str, dataset: DataSet, network: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def trained(data: DataSet, more: str = "") -> np.ndarray:
        options = OPTIONS.get(name, "").format(network)
        return train(data, name, f"{options}{more}", folder=tmp_path).predict(data.test.X)

    with caplog.at_level(logging.INFO):
        left_out = trained(dataset, ":IgnoreNegWeightsInTraining")
    assert "40 events with negative weights are left out of the training" in caplog.text
    positive = dataset.train.select(dataset.train.weight > 0)
    np.testing.assert_array_equal(left_out, trained(dataclasses.replace(dataset, train=positive)))
    caplog.clear()
    try:
        with caplog.at_level(logging.INFO):
            kept = trained(dataset)
    except MvakitError as error:
        assert "negative weights" in str(error)
    else:
        assert "negative weights" in caplog.text
        assert not np.array_equal(kept, left_out)


def test_methods_are_trained() -> None:
    assert {"Fisher", "LD", "BDT", "PyKeras"} <= set(TRAINED)

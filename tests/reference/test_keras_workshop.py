"""The Keras job of the TMVA workshop: one hidden layer on TMVA's example, and the average responses its slides show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import uproot
from mvakit_methods._keras_session import import_keras, quiet
from mvakit_methods.keras import PyKeras, PyKerasOptions

from mvakit.dataset import Sample
from mvakit.method import FitContext
from mvakit.transformations import fit_chain
from mvakit.types import AnalysisType
from mvakit.variables import define

pytestmark = [pytest.mark.keras, pytest.mark.slow]

CLASSES = ("Signal", "Background")
VARIABLES = tuple(define(f"var{i}") for i in range(1, 5))


def events(reference: Path) -> tuple[np.ndarray, np.ndarray]:
    with uproot.open(reference / "data" / "tmva_class_example.root") as file:
        signal, background = (
            np.column_stack([file[tree][v.label].array(library="np") for v in VARIABLES]) for tree in ("TreeS", "TreeB")
        )
    return signal, background


def average_responses(signal: np.ndarray, background: np.ndarray, folder: Path, seed: int) -> tuple[float, float]:
    """Train on 4000 events of each class, and average over all events of both trees."""
    keras = import_keras("PyKeras")
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(64, activation="relu"), keras.layers.Dense(2, activation="softmax")]
    )
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    with quiet():
        model.save(folder / "model.keras")
    rng = np.random.default_rng(seed)
    X = np.concatenate([signal[rng.permutation(6000)[:4000]], background[rng.permutation(6000)[:4000]]])
    train = Sample(X, np.repeat([0, 1], 4000), np.ones(8000))
    method = PyKeras(
        PyKerasOptions.parse(
            "!H:!V:VarTransform=G:NumEpochs=10:BatchSize=32:Verbose=0",
            FilenameModel=folder / "model.keras",
            RandomSeed=seed,
        )
    )
    context = FitContext(AnalysisType.CLASSIFICATION, "PyKeras", VARIABLES, CLASSES)
    method.check(context)
    chain = fit_chain(method.options.var_transform, train, VARIABLES, CLASSES)
    state = method.fit(train.with_inputs(chain.apply(train.X)), context)
    on_signal, on_background = (method.predict(state, chain.apply(x)).mean() for x in (signal, background))
    return float(on_signal), float(on_background)


def test_average_responses_of_the_workshop(reference, tmp_path):
    pytest.importorskip("keras")
    signal, background = events(reference)
    for seed in (1, 2):
        on_signal, on_background = average_responses(signal, background, tmp_path, seed)
        assert on_signal == pytest.approx(0.78, abs=0.04)
        assert on_background == pytest.approx(0.21, abs=0.04)
        assert on_signal - on_background == pytest.approx(0.57, abs=0.02)

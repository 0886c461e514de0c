"""Small networks on the multiclass and regression tutorials of TMVA, measured against TMVA's own methods on its own events."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import uproot
from mvakit_methods._keras_session import import_keras, quiet
from mvakit_methods.keras import PyKeras, PyKerasOptions
from sklearn.metrics import roc_auc_score

from mvakit.dataset import Sample
from mvakit.method import FitContext
from mvakit.transformations import fit_chain
from mvakit.types import AnalysisType
from mvakit.variables import define

pytestmark = [pytest.mark.keras, pytest.mark.slow]

CLASSES = ("Signal", "bg0", "bg1", "bg2")
MULTICLASS = FitContext(AnalysisType.MULTICLASS, "Net", tuple(define(f"var{i}") for i in range(1, 5)), CLASSES)
REGRESSION = FitContext(
    AnalysisType.REGRESSION, "Net", (define("var1"), define("var2")), ("Regression",), (define("fvalue"),)
)


def events(file: uproot.ReadOnlyDirectory, tree: str, context: FitContext) -> Sample:
    inputs, targets = ([v.label for v in columns] for columns in (context.variables, context.targets))
    v = file[tree].arrays([*inputs, *targets, "classID", "weight"], library="np")
    X = np.column_stack([v[label] for label in inputs])
    y = np.column_stack([v[label] for label in targets]) if targets else np.zeros((0, 0), np.float32)
    return Sample(X, v["classID"], v["weight"].astype(np.float64), y)


def estimates(
    context: FitContext, widths: tuple[int, ...], options: str, train: Sample, X: np.ndarray, folder: Path
) -> np.ndarray:
    """Train on normalised inputs and targets, and apply to events."""
    keras = import_keras("PyKeras")
    keras.utils.set_random_seed(1)
    n_outputs = len(context.targets) or len(context.classes)
    hidden = [keras.layers.Dense(n, activation="relu") for n in widths]
    last = keras.layers.Dense(n_outputs, activation="linear" if context.targets else "softmax")
    model = keras.Sequential([keras.Input((len(context.variables),)), *hidden, last])
    loss = "mse" if context.targets else "categorical_crossentropy"
    model.compile(loss=loss, optimizer=keras.optimizers.Adam(learning_rate=0.01))
    with quiet():
        model.save(folder / "model.keras")
    method = PyKeras(
        PyKerasOptions.parse(
            f"!H:!V:VarTransform=N:Verbose=0:TriesEarlyStopping=15:{options}", FilenameModel=folder / "model.keras"
        )
    )
    method.check(context)
    chain = fit_chain(method.options.var_transform, train, context.variables, context.classes, context.targets)
    targets = chain.apply_targets(train.targets) if context.targets else train.targets
    state = method.fit(dataclasses.replace(train, X=chain.apply(train.X), targets=targets), context)
    response = method.predict(state, chain.apply(X))
    return chain.invert_targets(response[:, np.newaxis])[:, 0] if context.targets else response


def test_four_classes_are_told_as_well_as_by_tmvas_mlp(reference, tmp_path):
    pytest.importorskip("keras")
    with uproot.open(reference / "tutorial" / "multi" / "TMVAMulticlass.root") as file:
        train, test = (events(file, f"dataset/{tree}", MULTICLASS) for tree in ("TrainTree", "TestTree"))
        mlp = file["dataset/TestTree/MLP"].array(library="np")
    response = estimates(
        MULTICLASS,
        (64, 32),
        "NumEpochs=30:BatchSize=200:LearningRateSchedule=20,0.002",
        train,
        test.X,
        tmp_path,
    )
    np.testing.assert_allclose(response.sum(axis=1), 1, rtol=1e-9)
    for index, name in enumerate(CLASSES):
        ours, theirs = (
            roc_auc_score(test.class_index == index, scores, sample_weight=test.weight)
            for scores in (response[:, index], mlp[name])
        )
        assert ours > theirs - 0.005, name


def test_a_target_is_estimated_far_better_than_by_a_line(reference, tmp_path):
    pytest.importorskip("keras")
    with uproot.open(reference / "tutorial" / "reg" / "TMVAReg.root") as file:
        train, test = (events(file, f"datasetreg/{tree}", REGRESSION) for tree in ("TrainTree", "TestTree"))
        line = file["datasetreg/TestTree/LD"].array(library="np")
    network = estimates(
        REGRESSION,
        (64, 64),
        "NumEpochs=50:BatchSize=25:LearningRateSchedule=40,0.002",
        train,
        test.X,
        tmp_path,
    )
    ours, theirs = (
        np.sqrt(np.average((values - test.targets[:, 0]) ** 2, weights=test.weight)) for values in (network, line)
    )
    assert theirs == pytest.approx(19.7, abs=0.05)
    assert ours < theirs / 8

"""MLP and DL on events in mapped files: the same networks as from memory, and no copies of the events."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mvakit_methods.dl import DL, DLOptions
from mvakit_methods.mlp import MLPOptions
from mvakit_methods.mlp import training as mlp_training
from mvakit_methods.mlp.training import train_perceptron

from mvakit.columnstore import Space
from mvakit.dataset import Sample
from mvakit.method import FitContext
from mvakit.types import AnalysisType
from mvakit.variables import define

ANALYSES = list(AnalysisType)


def events(analysis: AnalysisType, n: int = 300) -> Sample:
    random = np.random.default_rng(3)
    which = np.arange(n) % (3 if analysis is AnalysisType.MULTICLASS else 2)
    X = (random.normal(size=(n, 4)) + 0.7 * which[:, np.newaxis]).astype(np.float32)
    return Sample(X, which, random.uniform(0.5, 1.5, n), X[:, :2] * X[:, 2:])


def mapped(sample: Sample, folder: Path) -> Sample:
    """The same events in files; all but the smallest arrays that are made of them go to files, too."""
    return Sample(
        sample.X, sample.class_index, sample.weight, sample.targets, space=Space(1 << 10, folder)
    ).select(np.arange(len(sample)))  # fmt: skip


def context(analysis: AnalysisType) -> FitContext:
    classes = {AnalysisType.MULTICLASS: ("x", "y", "z"), AnalysisType.REGRESSION: ("Regression",)}
    targets = (define("t"), define("u")) if analysis is AnalysisType.REGRESSION else ()
    return FitContext(
        analysis, "M", tuple(map(define, "abcd")), classes.get(analysis, ("Signal", "Background")), targets
    )


@pytest.mark.parametrize("analysis", ANALYSES)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "ValidationSize=20%:Sampling=0.6:SamplingTesting:TestRate=2",
        "TrainingMethod=BFGS:ValidationSize=50:Sampling=0.5:SamplingEpoch=0.5:TestRate=2:EpochMonitoring",
        "TrainingMethod=BFGS:UseRegulator:BPMode=batch",
    ],
)
def test_an_mlp_learns_the_same_from_mapped_events(tmp_path, analysis, text):
    options = MLPOptions.parse(f"NCycles=8:HiddenLayers=3:{text}")
    here = events(analysis)
    found = [train_perceptron(options, sample, context(analysis)) for sample in (here, mapped(here, tmp_path))]
    for ours, theirs in zip(found[0].weights, found[1].weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(found[0].curves, found[1].curves, strict=True):
        np.testing.assert_array_equal(ours.y, theirs.y)


def test_an_mlp_makes_no_copies_of_mapped_events(tmp_path, monkeypatch):
    seen = []
    train = mlp_training._Training.run
    monkeypatch.setattr(mlp_training._Training, "run", lambda self, cycle: (seen.append(self), train(self, cycle)))
    there = mapped(events(AnalysisType.CLASSIFICATION), tmp_path)
    for text in ("", "ValidationSize=20%"):
        train_perceptron(MLPOptions.parse(f"NCycles=1:{text}"), there, context(AnalysisType.CLASSIFICATION))
    whole, split = seen
    assert np.shares_memory(whole.learn.X, there.X)
    assert np.shares_memory(whole.learn.weight, there.weight)
    for part in (whole.learn.desired, split.learn.X, split.learn.desired, split.learn.weight, split.tests.X):
        assert isinstance(part.base, np.memmap)
    assert (len(split.learn), len(split.tests)) == (240, 60)


@pytest.mark.keras
@pytest.mark.parametrize("analysis", ANALYSES)
def test_a_deep_network_learns_the_same_from_mapped_events(tmp_path, analysis):
    pytest.importorskip("tensorflow")
    strategy = "MaxEpochs=2,BatchSize=32,DropConfig=0+0.2|MaxEpochs=2,BatchSize=64,LearningRate=1e-2"
    error = "SUMOFSQUARES" if analysis is AnalysisType.REGRESSION else "CROSSENTROPY"
    method = DL(
        DLOptions.parse(f"RandomSeed=5:ErrorStrategy={error}", Layout="TANH|6,LINEAR", TrainingStrategy=strategy)
    )
    here = events(analysis)
    found = [method.fit(sample, context(analysis)) for sample in (here, mapped(here, tmp_path))]
    np.testing.assert_array_equal(found[0](here.X), found[1](here.X))
    for ours, theirs in zip(found[0].curves, found[1].curves, strict=True):
        assert ours.y.tolist() == theirs.y.tolist()
        assert len(ours.y) == 4

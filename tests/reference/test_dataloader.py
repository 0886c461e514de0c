"""The events that TMVA took, weighted as TMVA weighted them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import uproot

from mvakit import DataLoader
from mvakit.dataset import DataSet


def toy_loader(name: str) -> DataLoader:
    loader = DataLoader(name)
    loader.AddVariable("sum := var1+var2", "F")
    loader.AddVariable("diff := var1-var2", "Difference", "GeV", "F")
    loader.AddVariable("var3", "Variable 3", "GeV", "F")
    loader.AddVariable("var4", "Variable 4", "", "F")
    loader.AddSpectator("eta", "pseudorapidity")
    loader.AddSpectator("njet")
    return loader


def assert_events_are_those_of(path: Path, data: DataSet) -> None:
    with uproot.open(path) as file:
        for name, sample in data.samples():
            tree = file[f"dataset/{name}"].arrays(library="np")
            assert np.array_equal(tree["classID"], sample.class_index)
            for i, label in enumerate(data.labels):
                assert np.array_equal(tree[label], sample.X[:, i]), (name, label)
            for i, target in enumerate(data.targets):
                assert np.array_equal(tree[target.label], sample.targets[:, i])
            for label, column in sample.spectators.items():
                assert np.array_equal(tree[label], column)
            assert np.allclose(tree["weight"], sample.weight, rtol=2e-7)


def test_alternate_takes_tmva_s_events_in_its_order(reference: Path) -> None:
    loader = toy_loader("multi")
    for tree, name in (("TreeS", "Signal"), ("TreeB0", "bg0"), ("TreeB1", "bg1"), ("TreeB2", "bg2")):
        loader.AddTree(f"{reference}/toy/toy_multiclass.root:{tree}", name)
    loader.PrepareTrainingAndTestTree("", "SplitMode=Alternate")
    assert_events_are_those_of(reference / "toy" / "multi" / "TMVA.root", loader.prepare())


def test_block_takes_tmva_s_events_in_its_order(reference: Path) -> None:
    loader = DataLoader("reg")
    loader.AddVariable("var1")
    loader.AddVariable("var2")
    loader.AddTarget("fvalue")
    loader.AddRegressionTree(f"{reference}/toy/toy_regression.root:TreeR")
    loader.SetWeightExpression("weight", "Regression")
    loader.PrepareTrainingAndTestTree("", "nTrain_Regression=1500:SplitMode=Block:NormMode=NumEvents")
    data = loader.prepare()
    assert_events_are_those_of(reference / "toy" / "reg" / "TMVA.root", data)
    log = (reference / "toy" / "reg" / "training.log").read_text()
    assert f"Rescale Regression event weights by factor: {data.counts[0].rescale:.5g}" in log


def test_sums_of_weights_and_counts_are_those_of_tmva_s_log(toy: Path) -> None:
    loader = toy_loader("dataset")
    loader.AddSignalTree(f"{toy}/toy_classification.root:TreeS", 2.0)
    loader.AddBackgroundTree(f"{toy}/toy_classification.root:TreeB", 0.5)
    loader.SetSignalWeightExpression("weight*(1+0.1*abs(eta))")
    loader.SetBackgroundWeightExpression("weight")
    loader.PrepareTrainingAndTestTree(
        "abs(eta)<2.4",
        "abs(eta)<2.4 && njet>0",
        "nTrain_Signal=1200:nTrain_Background=1300:SplitMode=Random:SplitSeed=7:NormMode=NumEvents",
    )
    data = loader.prepare()
    log = (toy / "class" / "training.log").read_text()
    found = re.findall(r"(Signal|Background) +-- number of events( passed)? *: (\d+) +/ sum of weights: ([\d.]+)", log)
    assert len(found) == 4
    for name, passed, number, total in found:
        counts = data.counts[data.classes.index(name)]
        assert (counts.n_passed if passed else counts.n_input) == int(number)
        # TMVA adds the weights up in single precision and prints six digits.
        assert (counts.sum_passed if passed else counts.sum_input) == pytest.approx(float(total), rel=5e-6)
    for name, text in re.findall(r"(Signal|Background) +-- efficiency +: ([\d.]+)", log):
        assert data.counts[data.classes.index(name)].efficiency == pytest.approx(float(text), abs=2e-6)
    for name, kind, number, text in re.findall(
        r"(Signal|Background) +-- (training|testing) events +: (\d+) \(sum of weights: ([\d.]+)\)", log
    ):
        counts = data.counts[data.classes.index(name)]
        assert (counts.n_train if kind == "training" else counts.n_test) == int(number)
        if kind == "training":
            assert counts.sum_train == pytest.approx(float(text), rel=1e-6)

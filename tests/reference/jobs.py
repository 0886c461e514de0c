"""The jobs that TMVA 4.2.1 ran for the reference data, as its scripts said them, and what its logs say of their events."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from mvakit import DataLoader

CLASSES = {"TreeS": "Signal", "TreeB0": "bg0", "TreeB1": "bg1", "TreeB2": "bg2"}


def _derived(loader: DataLoader, sum_label: str = "sum", diff_label: str = "diff") -> None:
    loader.AddVariable(f"{sum_label} := var1+var2", "F")
    loader.AddVariable(f"{diff_label} := var1-var2", "Difference", "GeV", "F")
    loader.AddVariable("var3", "Variable 3", "GeV", "F")
    loader.AddVariable("var4", "Variable 4", "", "F")


def toy_loader(folder: Path) -> DataLoader:
    """Two classes with tree weights, weight expressions, some of them negative, and cuts."""
    loader = DataLoader("dataset")
    _derived(loader)
    loader.AddSpectator("eta", "pseudorapidity")
    loader.AddSpectator("njet")
    loader.AddSignalTree(f"{folder}/toy/toy_classification.root:TreeS", 2.0)
    loader.AddBackgroundTree(f"{folder}/toy/toy_classification.root:TreeB", 0.5)
    loader.SetSignalWeightExpression("weight*(1+0.1*abs(eta))")
    loader.SetBackgroundWeightExpression("weight")
    return loader


def toy_class(folder: Path) -> DataLoader:
    loader = toy_loader(folder)
    loader.PrepareTrainingAndTestTree(
        "abs(eta)<2.4",
        "abs(eta)<2.4 && njet>0",
        "nTrain_Signal=1200:nTrain_Background=1300:SplitMode=Random:SplitSeed=7:NormMode=NumEvents",
    )
    return loader


def toy_cat(folder: Path) -> DataLoader:
    loader = toy_loader(folder)
    loader.PrepareTrainingAndTestTree("abs(eta)<2.4", "abs(eta)<2.4 && njet>0", "SplitMode=Alternate")
    return loader


def toy_multi(folder: Path) -> DataLoader:
    loader = DataLoader("dataset")
    _derived(loader)
    loader.AddSpectator("eta")
    loader.AddSpectator("njet")
    for tree, name in CLASSES.items():
        loader.AddTree(f"{folder}/toy/toy_multiclass.root:{tree}", name)
    loader.PrepareTrainingAndTestTree("", "SplitMode=Alternate")
    return loader


def toy_reg(folder: Path) -> DataLoader:
    loader = DataLoader("dataset")
    loader.AddVariable("var1")
    loader.AddVariable("var2")
    loader.AddTarget("fvalue")
    loader.AddRegressionTree(f"{folder}/toy/toy_regression.root:TreeR")
    loader.SetWeightExpression("weight", "Regression")
    loader.PrepareTrainingAndTestTree("", "nTrain_Regression=1500:SplitMode=Block:NormMode=NumEvents")
    return loader


def tutorial_class(folder: Path) -> DataLoader:
    loader = DataLoader("dataset")
    _derived(loader, "myvar1", "myvar2")
    loader.AddSpectator("spec1 := var1*2", "Spectator 1", "units")
    loader.AddSpectator("spec2 := var1*3", "Spectator 2", "units")
    loader.AddSignalTree(f"{folder}/data/tmva_class_example.root:TreeS", 1.0)
    loader.AddBackgroundTree(f"{folder}/data/tmva_class_example.root:TreeB", 1.0)
    loader.SetBackgroundWeightExpression("weight")
    loader.PrepareTrainingAndTestTree(
        "", "nTrain_Signal=1000:nTrain_Background=1000:SplitMode=Random:NormMode=NumEvents:!V"
    )
    return loader


def tutorial_higgs(folder: Path) -> DataLoader:
    loader = DataLoader("dataset")
    for variable in ("m_jj", "m_jjj", "m_lv", "m_jlv", "m_bb", "m_wbb", "m_wwbb"):
        loader.AddVariable(variable)
    loader.AddSignalTree(f"{folder}/data/Higgs_data.root:sig_tree", 1.0)
    loader.AddBackgroundTree(f"{folder}/data/Higgs_data.root:bkg_tree", 1.0)
    loader.PrepareTrainingAndTestTree(
        "", "nTrain_Signal=7000:nTrain_Background=7000:SplitMode=Random:NormMode=NumEvents:!V"
    )
    return loader


def tutorial_multi(folder: Path) -> DataLoader:
    loader = DataLoader("dataset")
    for variable in ("var1", "var2", "var3", "var4"):
        loader.AddVariable(variable)
    for tree, name in CLASSES.items():
        loader.AddTree(f"{folder}/data/tmva_multiclass_example.root:{tree}", name)
    loader.PrepareTrainingAndTestTree("", "SplitMode=Random:NormMode=NumEvents:!V")
    return loader


def tutorial_reg(folder: Path) -> DataLoader:
    loader = DataLoader("datasetreg")
    loader.AddVariable("var1", "Variable 1", "units", "F")
    loader.AddVariable("var2", "Variable 2", "units", "F")
    loader.AddSpectator("spec1 := var1*2", "Spectator 1", "units")
    loader.AddSpectator("spec2 := var1*3", "Spectator 2", "units")
    loader.AddTarget("fvalue")
    loader.AddRegressionTree(f"{folder}/data/tmva_reg_example.root:TreeR", 1.0)
    loader.SetWeightExpression("var1", "Regression")
    loader.PrepareTrainingAndTestTree(
        "", "nTrain_Regression=1000:nTest_Regression=0:SplitMode=Random:NormMode=NumEvents:!V"
    )
    return loader


def tutorial_categ(folder: Path) -> DataLoader:
    loader = DataLoader("dataset")
    for variable in ("var1", "var2", "var3", "var4"):
        loader.AddVariable(variable)
    loader.AddSpectator("eta")
    loader.AddSignalTree(f"{folder}/data/toy_sigbkg_categ_offset.root:TreeS", 1.0)
    loader.AddBackgroundTree(f"{folder}/data/toy_sigbkg_categ_offset.root:TreeB", 1.0)
    loader.PrepareTrainingAndTestTree("", "SplitMode=Random:NormMode=NumEvents:!V")
    return loader


@dataclass(frozen=True)
class Job:
    """A job: how it is told to a DataLoader, and where below the reference folder TMVA's log and result file lie."""

    make: Callable[[Path], DataLoader]
    log: str
    result: str = ""


JOBS = {
    "toy/class": Job(toy_class, "toy/class/training.log"),
    "toy/cat": Job(toy_cat, "toy/cat/training.log", "toy/cat/TMVA.root"),
    "toy/multi": Job(toy_multi, "toy/multi/training.log", "toy/multi/TMVA.root"),
    "toy/reg": Job(toy_reg, "toy/reg/training.log", "toy/reg/TMVA.root"),
    "tutorial/class": Job(tutorial_class, "tutorial/class/class_training.log", "tutorial/class/TMVAC.root"),
    "tutorial/higgs": Job(
        tutorial_higgs, "tutorial/higgs/higgs_training.log", "tutorial/higgs/Higgs_ClassificationOutput.root"
    ),
    "tutorial/multi": Job(tutorial_multi, "tutorial/multi/multi_training.log", "tutorial/multi/TMVAMulticlass.root"),
    "tutorial/reg": Job(tutorial_reg, "tutorial/reg/reg_training.log", "tutorial/reg/TMVAReg.root"),
    "tutorial/categ": Job(tutorial_categ, "tutorial/categ/categ_training.log"),
}


@dataclass
class LoggedEvents:
    """What a log of TMVA says of the events of one data set; numbers as they are printed."""

    splitmode: str = ""
    before: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Of each class, the number of events in its trees and the sum of their weights."""
    cuts: dict[str, str] = field(default_factory=dict)
    passed: dict[str, tuple[int, str]] = field(default_factory=dict)
    efficiency: dict[str, str] = field(default_factory=dict)
    factor: dict[str, str] = field(default_factory=dict)
    split: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)
    """Of each class and ``training``, ``testing`` and ``training and testing``."""
    correlation: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """Of each class, the rows by the expressions of the variables."""


def read_log(path: Path) -> dict[str, LoggedEvents]:
    """Return what a log says of the events of each data set; a category method has some of its own."""
    found: dict[str, LoggedEvents] = {}
    lines = [line.split(": ", 1)[-1].strip() for line in path.read_text().splitlines()]
    for number, line in enumerate(lines):
        named = re.match(r"Dataset\[(\w+)\] : +(.*)", line)
        if named is None:
            continue
        events, said = found.setdefault(named[1], LoggedEvents()), named[2]
        if m := re.match(r'Splitmode is: "(\w+)"', said):
            events.splitmode = m[1]
        elif m := re.match(r"(\w+) +-- number of events +: (\d+) +/ sum of weights: (\S+)", said):
            events.before[m[1]] = int(m[2]), m[3]
        elif m := re.match(r'(\w+) +requirement: "(.*)"', said):
            events.cuts[m[1]] = m[2]
        elif m := re.match(r"(\w+) +-- number of events passed: (\d+) +/ sum of weights: (\S+)", said):
            events.passed[m[1]] = int(m[2]), m[3]
        elif m := re.match(r"(\w+) +-- efficiency +: (\S+)", said):
            events.efficiency[m[1]] = m[2]
        elif m := re.match(r"--> Rescale (\w+) +event weights by factor: (\S+)", said):
            events.factor[m[1]] = m[2]
        elif m := re.match(r"(\w+) +-- ([\w ]+?) events *: (\d+) \(sum of weights: (\S+)\)", said):
            events.split[m[1], m[2]] = int(m[3]), m[4]
        elif m := re.match(r"Correlation matrix \((\w+)\):", said):
            end = lines.index(lines[number + 1], number + 2)
            rows = (row.rsplit(":", 1) for row in lines[number + 3 : end])
            events.correlation[m[1]] = {label: values.split() for label, values in rows}
    return found

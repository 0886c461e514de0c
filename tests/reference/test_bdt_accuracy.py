"""Every BDT of the reference that draws no random numbers, trained as TMVA was told to: the same first tree, and as good."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numba import config

from mvakit.dataset import DataSet
from mvakit.errors import MvakitWarning
from mvakit.evaluation import roc_curve
from mvakit.model import Model, train
from mvakit.progress import Messenger
from mvakit.types import AnalysisType
from mvakit.weightfile import read_document
from tests.reference.jobs import JOBS

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="takes minutes without the compiler")

PREFIXES = {
    "toy/class": "Toy",
    "toy/reg": "ToyReg",
    "tutorial/class": "TMVAClassification",
    "tutorial/reg": "TMVARegression",
}
CASES = [
    *((f"toy/class/{title}") for title in ("BDT", "BDTCE", "BDTD", "BDTF", "BDTG", "BDTReal", "BDTnoYN", "BDTprune")),
    *("toy/reg/BDT", "toy/reg/BDTlin", "tutorial/class/BDTD", "tutorial/class/BDTF", "tutorial/reg/BDT"),
]


@cache
def events(reference: Path, job: str) -> DataSet:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MvakitWarning)
        return JOBS[job].make(reference).prepare()


def weights(reference: Path, case: str) -> Path:
    job, _, title = case.rpartition("/")
    return reference / job / "weights" / f"{PREFIXES[job]}_{title}.weights.xml"


def ours(reference: Path, case: str, **more: bool) -> Model:
    """Train with what TMVA's file says was asked for, and no more."""
    document = read_document(weights(reference, case))
    asked: dict[str, object] = {
        name: text for name, was_set, text in document.options if was_set and name not in {"V", "H"}
    }
    job = case.rpartition("/")[0]
    if job == "toy/class":
        # TMVA's switch IgnoreNegWeightsInTraining of one method holds for all that are trained with it.
        asked["IgnoreNegWeightsInTraining"] = True
    return train(events(reference, job), "BDT", log=Messenger("BDT", silent=True), **asked, **more)


def figure(model: Model, data: DataSet) -> float:
    """The area under the ROC curve of the test events, or the spread of deviations."""
    response = model.predict(data.test.X).ravel()
    if model.analysis is not AnalysisType.REGRESSION:
        return roc_curve(response, data.test.is_signal, data.test.weight).area
    deviation, weight = response - data.test.targets[:, 0], data.test.weight
    return float(np.sqrt(np.average((deviation - np.average(deviation, weights=weight)) ** 2, weights=weight)))


def test_every_file_is_compared(reference):
    """What is left out draws random numbers."""
    drawn = {"UseBaggedBoost": "True", "BoostType": "Bagging", "UseRandomisedTrees": "True"}
    for job, prefix in PREFIXES.items():
        for path in (reference / job / "weights").glob(f"{prefix}_BDT*.xml"):
            options = {name: text for name, _, text in read_document(path).options}
            title = path.name.removeprefix(f"{prefix}_").split(".")[0]
            assert (f"{job}/{title}" in CASES) != any(options[name] == text for name, text in drawn.items())


@pytest.mark.parametrize("case", CASES)
def test_the_first_tree_is_cut_where_tmva_cuts(reference, case):
    data, theirs = events(reference, case.rpartition("/")[0]), Model.load(weights(reference, case))
    found = ours(reference, case, ExactCuts=True)
    a, b = found.state.nodes, theirs.state.nodes
    some = slice(0, int(theirs.state.first[1]))
    assert found.state.first[1] == some.stop
    np.testing.assert_array_equal(a.variable[some], b.variable[some])
    x = theirs.chain.apply_to(data.train).X
    place = b.variable[some]
    plain = (place >= 0) & (place < x.shape[1])
    assert plain.any()
    # A discriminant adds up to a few units.
    width = np.append(np.ptp(x, axis=0), 1.0)[np.where(plain, place, -1)]
    difference = np.abs(a.cut[some] - b.cut[some])
    assert np.all(difference[place >= 0] <= 1e-4 * width[place >= 0])


@pytest.mark.parametrize("case", CASES)
def test_the_same_options_find_as_much_as_in_tmva(reference, case):
    data = events(reference, case.rpartition("/")[0])
    theirs, found = figure(Model.load(weights(reference, case)), data), figure(ours(reference, case), data)
    assert found <= 1.02 * theirs if "/reg/" in case else found >= theirs - 0.002

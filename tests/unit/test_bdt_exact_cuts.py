"""Exact cuts of many events, found in histograms and sorted events, are those found in the events of each node."""

from __future__ import annotations

import numpy as np
import pytest
from mvakit_methods.bdt import BDT, BDTOptions, exact_cuts, team, training
from mvakit_methods.bdt.forest import BDTState
from numba import config

from mvakit.dataset import Sample
from mvakit.method import FitContext
from mvakit.modelfile import same_parts
from mvakit.types import AnalysisType
from mvakit.variables import Variable, define

# Several events in a bin of 256.
SIZE, TREES = 6000, 1 if config.DISABLE_JIT else 6
VARIABLES = (Variable("n", "n", type="I"), *(define(name) for name in "abcd"))


def sample(*, weights: bool = False, regression: bool = False, values: int = 9) -> Sample:
    """A whole number, two normal variables, one that is missing for half of the events, and multiples of 0.1."""
    rng = np.random.default_rng(7)
    index = rng.permutation(np.arange(SIZE) % 2)
    X = rng.normal(size=(SIZE, 5)) + 0.5 * (1 - index[:, None])
    X[:, 0] = np.clip(np.round((values / 6) * X[:, 0]), -values, values)
    X[rng.random(SIZE) < 0.5, 2] = -999
    X[:, 3] = np.round(X[:, 3], 1)
    weight = rng.uniform(0.2, 2, SIZE) if weights else np.ones(SIZE)
    if not regression:
        return Sample(X.astype(np.float32), index, weight)
    target = X[:, 1] + np.abs(X[:, 3]) + (X[:, 0] > 1) + rng.normal(scale=0.2, size=SIZE)
    return Sample(X.astype(np.float32), np.zeros(SIZE, int), weight, target.astype(np.float32)[:, None])


def fit(train: Sample, text: str) -> BDTState:
    if train.targets.size:
        place = FitContext(AnalysisType.REGRESSION, "BDT", VARIABLES, ("Regression",), (define("t"),))
    else:
        place = FitContext(AnalysisType.CLASSIFICATION, "BDT", VARIABLES, ("Signal", "Background"))
    options = BDTOptions.parse(f"NTrees={TREES}:MinNodeSize=1%:ExactCuts:" + text)
    return BDT(options.for_analysis(place.analysis)).fit(train, place)


@pytest.fixture
def searches(monkeypatch) -> list[exact_cuts.ExactSearch]:
    """Let the faster search take part whatever the size; return those that were made."""
    made = []

    def make(*arguments) -> exact_cuts.ExactSearch:
        made.append(exact_cuts.ExactSearch(*arguments))
        return made[-1]

    monkeypatch.setattr(training, "ExactSearch", make)
    monkeypatch.setattr(training, "LEAST_EVENTS", 0)
    return made


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "MaxDepth=3:nCuts=20",
        "MaxDepth=3:nCuts=7:UseBaggedBoost:BaggedSampleFraction=0.7:SeparationType=CrossEntropy",
        "MaxDepth=5:nCuts=20:BoostType=Grad",
        "MaxDepth=4:nCuts=33:BoostType=Grad:UseBaggedBoost:BaggedSampleFraction=1.4",
        "MaxDepth=2:nCuts=20:BoostType=Grad:SigToBkgFraction=0.3",
    ],
)
def test_the_forest_is_that_of_events_looked_at_node_by_node(text, weights, searches, monkeypatch):
    train = sample(weights=weights)
    found = fit(train, text)
    assert len(searches) == 1
    monkeypatch.setattr(training, "LEAST_EVENTS", SIZE + 1)
    expected = fit(train, text)
    assert len(searches) == 1
    for name in ("variable", "left", "right", "kind"):
        np.testing.assert_array_equal(getattr(found.nodes, name), getattr(expected.nodes, name))
    np.testing.assert_array_equal(found.cuts(), expected.cuts())
    np.testing.assert_allclose(found.nodes.response, expected.nodes.response, rtol=1e-6)
    np.testing.assert_allclose(found.boost_weight, expected.boost_weight, rtol=1e-12)


@pytest.mark.parametrize("text", ["BoostType=Grad:RegressionLossFunctionBDTG=LeastSquares", "AdaBoostBeta=1"])
def test_so_is_that_of_a_regression(text, searches, monkeypatch):
    train, text = sample(regression=True, weights=True), "MaxDepth=4:nCuts=20:" + text
    found = fit(train, text)
    assert len(searches) == 1
    monkeypatch.setattr(training, "LEAST_EVENTS", SIZE + 1)
    expected = fit(train, text)
    np.testing.assert_array_equal(found.nodes.variable, expected.nodes.variable)
    np.testing.assert_array_equal(found.cuts(), expected.cuts())


@pytest.mark.parametrize("text", ["MaxDepth=4:BoostType=Grad", "MaxDepth=4:UseBaggedBoost"])
def test_what_is_left_of_a_cut_is_what_goes_left(text, searches, monkeypatch):
    """Multiples of 0.1 lie right at cuts, which as float32 numbers may have them on the other side."""
    best_cuts, n_compared = exact_cuts.ExactSearch.best_cuts, 0

    def compare(self, level, *arguments):
        nonlocal n_compared
        before = level.totals.copy()
        result = best_cuts(self, level, *arguments)
        if level.nodes != [0]:
            np.testing.assert_array_equal(level.totals, before)
            n_compared += 1
        return result

    monkeypatch.setattr(exact_cuts.ExactSearch, "best_cuts", compare)
    train = sample()
    train.X[:] = np.round(np.clip(np.abs(train.X), 0, 1), 1)
    fit(train, "nCuts=9:" + text)
    assert n_compared >= 2 * TREES


@pytest.mark.parametrize("text", ["MaxDepth=3", "MaxDepth=3:BoostType=Grad:UseBaggedBoost"])
def test_threads_change_nothing(text, searches, monkeypatch):
    monkeypatch.setattr(team, "_WORTH_SHARING", 0)
    train, found = sample(weights=True), []
    for workers in (1, 2):
        monkeypatch.setattr(team, "default_workers", lambda workers=workers: workers)
        found.append(fit(train, text))
    assert len(searches) == 2
    assert same_parts(*found)


@pytest.mark.parametrize(
    ("text", "values"), [("MaxDepth=8", 9), ("nCuts=2000", 9), ("UseRandomisedTrees", 9), ("MaxDepth=3", 900)]
)
def test_many_cuts_are_looked_for_node_by_node(text, values, searches):
    state = fit(sample(values=values), text)
    assert not searches
    assert len(state.boost_weight) == TREES

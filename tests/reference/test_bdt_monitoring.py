"""What the training of BDT records of itself, against the histograms and trees in TMVA's result files."""

from __future__ import annotations

import re

import numpy as np
import pytest
import uproot
from numba import config

from mvakit.dataset import DataSet, Sample
from mvakit.evaluation import Curve
from mvakit.method import Ranking
from mvakit.resultfile import DatasetContents, MethodContents, ResultContents, write_result_file
from mvakit.types import AnalysisType
from mvakit.variables import define
from tests.reference import test_bdt, test_bdt_analyses
from tests.reference.test_bdt import toy_sample  # noqa: F401 - a fixture

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="takes minutes without the compiler")

REGRESSIONS = ("toy/reg/BDT", "toy/reg/BDTlin", "toy/reg/BDTG", "tutorial/reg/BDT")
CURVES = ("BoostWeightVsTree", "ErrFractHist", "NodesBeforePruning", "NodesAfterPruning")


def trained(reference, name: str):
    """Return method, state, result file and the path of TMVA's histograms."""
    folder, title = name.rsplit("/", 1)
    if folder in {"class", "higgs"}:
        sample, _ = test_bdt.tutorial_sample(reference, folder, "TrainTree")
        method, state = test_bdt.train(sample, test_bdt.RUNS[name], test_bdt.FILES[folder][2])
        return method, state, reference / test_bdt.FILES[folder][0], f"dataset/Method_BDT/{title}"
    run = test_bdt_analyses.RUNS[name]
    sample = test_bdt_analyses.sample_of(reference, run, "TrainTree")
    method, state = test_bdt_analyses.train(run, sample)
    dataset = "datasetreg" if folder.startswith("tutorial") else "dataset"
    return method, state, reference / folder / f"{run.result}.root", f"{dataset}/Method_BDT/{title}"


@pytest.mark.parametrize("name", ["class/BDT", "class/BDTG", *REGRESSIONS])
def test_monitoring_is_that_of_tmva(reference, tmp_path, name):
    method, state, path, place = trained(reference, name)
    ours: dict[str, Curve] = {curve.name: curve for curve in method.monitoring(state)}
    kept = {histogram.name: histogram for histogram in method.histograms(state)}
    gradient = name.endswith("G")
    # From then on the rounding of TMVA's float32 numbers makes other trees, as `test_bdt_analyses` tells.
    n = 18 if name == "tutorial/reg/BDT" else None
    assert list(ours) == list(CURVES[2 if gradient else 0 :])
    assert list(kept) == ([] if gradient else ["BoostWeight"])
    with uproot.open(path) as file:
        for curve in ours.values():
            theirs = file[f"{place}/{curve.name}"]
            assert (curve.x_title, curve.y_title) == (
                theirs.member("fXaxis").member("fTitle"),
                theirs.member("fYaxis").member("fTitle"),
            )
            assert curve.title == theirs.title
            np.testing.assert_allclose(curve.y[:n], theirs.values()[:n], rtol=2e-6)
            np.testing.assert_array_equal(curve.x, theirs.axis().centers())
        for histogram in kept.values():
            theirs = file[f"{place}/{histogram.name}"]
            np.testing.assert_array_equal(histogram.edges, theirs.axis().edges())
            assert histogram.x_title == theirs.member("fXaxis").member("fTitle")
            assert histogram.entries == theirs.member("fEntries")
            # An event of many at the edge of a bin may lie on its other side.
            difference = np.abs(histogram.flow_contents - theirs.values(flow=True)).sum()
            assert difference <= (2e-4 if n is None else 0.1) * histogram.entries
        if not gradient:
            assert_same_ntuple(tmp_path, ours, file[f"{place}/MonitorNtuple"], state.analysis, n)


def assert_same_ntuple(folder, curves, theirs, analysis, n) -> None:
    """The curves make the ntuple of TMVA when they are written."""
    regression = analysis is AnalysisType.REGRESSION
    index = np.zeros(2, int) if regression else np.arange(2)
    sample = Sample(np.zeros((2, 1), np.float32), index, np.ones(2), np.zeros((2, 1), np.float32))
    data = DataSet(
        "dataset", (define("x"),), (), (define("t"),) if regression else (),
        ("Regression",) if regression else ("Signal", "Background"), sample, sample,
    )  # fmt: skip
    method = MethodContents("BDT", "BDT", curves=list(curves.values()))
    write_result_file(folder / "x.root", ResultContents([DatasetContents(data, analysis, methods=[method])]))
    with uproot.open(folder / "x.root") as file:
        ours = file["dataset/Method_BDT/BDT/MonitorNtuple"].arrays(library="np")
    expected = theirs.arrays(library="np")
    assert list(ours) == list(expected)
    for column in ours:
        np.testing.assert_allclose(ours[column][:n], expected[column][:n], rtol=2e-6)


# What TMVA's log of the toy ranks by; titles of which the same trees grow again.
RANKED = {**test_bdt.TOY_OPTIONS, **{t: test_bdt.MORE_TOY_OPTIONS[t] for t in ("BDTReal", "BDTCE", "BDTprune", "BDTF")}}


@pytest.mark.parametrize("title", RANKED)
def test_the_ranking_is_that_of_tmva_s_log(reference, toy_sample, title):  # noqa: F811
    labels = ("sum", "diff", "var3", "var4")
    options = RANKED[title] + ("" if "IgnoreNeg" in RANKED[title] else ":NegWeightTreatment=IgnoreNegWeightsInTraining")
    method, state = test_bdt.train(toy_sample, options, labels)
    ranking = method.ranking(state, tuple(define(label) for label in labels))
    assert isinstance(ranking, Ranking)
    log = (reference / "toy" / "class" / "training.log").read_text()
    table = log[log.index(f"--- {title:<25}: Rank : Variable ") :].splitlines()[2:6]
    found = dict(re.fullmatch(r"--- \S+ +: +\d : (\S+) +: (\S+)", line).groups() for line in table)
    np.testing.assert_allclose(
        [value for _, value in ranking.values], [float(found[label]) for label in labels], atol=6e-4
    )

"""BDT of several classes and of regressions against TMVA: forests grown from its own training events, tree by tree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import uproot
from mvakit_methods.bdt import BDT, BDTOptions, regression_boosting, training
from mvakit_methods.bdt.forest import BDTState
from mvakit_methods.bdt.multiclass_boosting import MulticlassGradientBoost
from numba import config

from mvakit import Factory
from mvakit.dataset import Sample
from mvakit.method import FitContext, WeightContext
from mvakit.model import Model
from mvakit.types import AnalysisType
from mvakit.variables import define
from mvakit.weightfile import read_document
from tests.reference.jobs import JOBS
from tests.reference.naive.weights import NaiveModel

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="takes minutes without the compiler")

BAGGED = "UseBaggedBoost:BaggedSampleFraction=0.5"


@dataclass(frozen=True)
class Run:
    """A training of TMVA: the folder, its result file and weight file, and the options."""

    folder: str
    result: str
    weights: str
    options: str
    labels: tuple[str, ...]

    @property
    def analysis(self) -> AnalysisType:
        return AnalysisType.REGRESSION if self.folder.endswith("reg") else AnalysisType.MULTICLASS


XY, FOUR = ("var1", "var2"), ("var1", "var2", "var3", "var4")
R2 = "nCuts=20:BoostType=AdaBoostR2:SeparationType=RegressionVariance:MinNodeSize=1.0%"
GRAD = f"nCuts=20:BoostType=Grad:Shrinkage=0.1:{BAGGED}"
RUNS = {
    "toy/multi/BDTG": Run(
        "toy/multi", "TMVA", "ToyMulti", f"NTrees=30:MaxDepth=2:{GRAD}", ("sum", "diff", "var3", "var4")
    ),
    "tutorial/multi/BDTG": Run(
        "tutorial/multi", "TMVAMulticlass", "TMVAMulticlass", f"NTrees=1000:MaxDepth=2:{GRAD}", FOUR
    ),
    "toy/reg/BDT": Run("toy/reg", "TMVA", "ToyReg", f"NTrees=15:MaxDepth=5:{R2}", XY),
    "toy/reg/BDTlin": Run("toy/reg", "TMVA", "ToyReg", f"NTrees=15:MaxDepth=4:AdaBoostR2Loss=Linear:{R2}", XY),
    "toy/reg/BDTG": Run("toy/reg", "TMVA", "ToyReg", f"NTrees=60:MaxDepth=3:{GRAD}", XY),
    "tutorial/reg/BDT": Run(
        "tutorial/reg",
        "TMVAReg",
        "TMVARegression",
        f"NTrees=100:{R2}:PruneMethod=CostComplexity:PruneStrength=30",
        XY,
    ),
    "tutorial/reg/BDTG": Run("tutorial/reg", "TMVAReg", "TMVARegression", f"NTrees=2000:MaxDepth=4:{GRAD}", XY),
}


def sample_of(reference: Path, run: Run, tree: str) -> Sample:
    with uproot.open(reference / run.folder / f"{run.result}.root") as file:
        name = next(key for key in file.keys(recursive=False) if key.startswith("dataset"))
        columns = file[f"{name.split(';')[0]}/{tree}"].arrays(library="np")
    X = np.column_stack([columns[label] for label in run.labels])
    weight = columns["weight"].astype(np.float64)
    if run.analysis is AnalysisType.REGRESSION:
        return Sample(X, np.zeros(len(X), int), weight, columns["fvalue"].reshape(-1, 1))
    return Sample(X, columns["classID"], weight)


def theirs_of(reference: Path, name: str) -> BDTState:
    run = RUNS[name]
    path = reference / run.folder / "weights" / f"{run.weights}_{name.split('/')[-1]}.weights.xml"
    document = read_document(path)
    options = {name: text for name, _, text in document.options}
    context = WeightContext(
        run.analysis, "BDT", document.variables, document.classes, document.targets, options, lambda name: b"", {}
    )
    return BDT(BDTOptions()).read_state(document.weights, context)


def train(run: Run, sample: Sample, more: str = "ExactCuts") -> tuple[BDT, BDTState]:
    multi = run.analysis is AnalysisType.MULTICLASS
    classes = ("Signal", "bg0", "bg1", "bg2") if multi else ("Regression",)
    context = FitContext(
        run.analysis, "BDT", tuple(map(define, run.labels)), classes, () if multi else (define("fvalue"),)
    )
    method = BDT(BDTOptions.parse(f"{run.options}:{more}").for_analysis(run.analysis))
    method.check(context)
    return method, method.fit(sample, context)


def assert_same_trees(ours: BDTState, theirs: BDTState, n: int | None = None) -> None:
    """The first n trees are the same but for the rounding of a single-precision number."""
    n = len(theirs.boost_weight) if n is None else n
    np.testing.assert_array_equal(ours.first[: n + 1], theirs.first[: n + 1])
    np.testing.assert_allclose(ours.boost_weight[:n], theirs.boost_weight[:n], rtol=1e-6)
    some = slice(0, ours.first[n])
    a, b = ours.nodes, theirs.nodes
    for name in ("variable", "left", "right", "depth"):
        np.testing.assert_array_equal(getattr(a, name)[some], getattr(b, name)[some], err_msg=name)
    inner = b.variable[some] >= 0
    np.testing.assert_allclose(a.cut[some][inner], b.cut[some][inner], rtol=1e-6, atol=1e-6)
    scale = np.abs(b.response[some]).max()
    np.testing.assert_allclose(a.response[some], b.response[some], rtol=1e-5, atol=1e-5 * scale)
    np.testing.assert_allclose(a.rms[some], b.rms[some], rtol=1e-4, atol=1e-5 * scale)
    np.testing.assert_allclose(a.purity[some], b.purity[some], atol=1e-6)


# ------------------------------------------------------------------------------------------ several classes


class GrownOnTheFirstClass(MulticlassGradientBoost):
    """What TMVA 4.2.1 does: all trees are grown on the residuals of class 0, and only leaves say those of their own."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.views = [replace(view, target=self.target[0]) for view in self.views]
        self.view = self.views[0]

    def learn(self, shape, leaf, count, team):
        grown, n = shape.sums.copy(), len(shape.sums)
        w, t = self.view.original, self.target[self.turn].astype(np.float64)
        times = count if len(count) else 1
        shape.sums[:, 2] = np.bincount(leaf, times * w * t, n)
        shape.sums[:, 4] = np.bincount(leaf, times * w * w * np.abs(t) * (1 - np.abs(t)), n)
        verdict = super().learn(shape, leaf, count, team)
        shape.sums[:] = grown
        return verdict


@pytest.mark.parametrize("name", ["toy/multi/BDTG", "tutorial/multi/BDTG"])
def test_several_classes_grow_as_in_tmva(reference, monkeypatch, name):
    run = RUNS[name]
    sample = sample_of(reference, run, "TrainTree")
    # TMVA 4.2.1 scales class 0 and the rest to the same weight; later releases and we do not.
    first = sample.class_index == 0
    halves = np.where(first, sample.weight / sample.weight[first].sum(), sample.weight / sample.weight[~first].sum())
    scaled = sample.with_weight(halves * len(sample) / 2)
    theirs = theirs_of(reference, name)
    assert_same_trees(train(run, scaled)[1], theirs, 1)
    monkeypatch.setattr(training, "MulticlassGradientBoost", GrownOnTheFirstClass)
    _, ours = train(run, scaled)
    assert_same_trees(ours, theirs)
    np.testing.assert_array_equal(ours.boost_weight, 1)


@pytest.mark.parametrize("more", ["ExactCuts", "!ExactCuts"])
@pytest.mark.parametrize("name", ["toy/multi/BDTG", "tutorial/multi/BDTG"])
def test_several_classes_are_told_apart_as_well_as_by_tmva(reference, name, more):
    from sklearn.metrics import roc_auc_score

    run = RUNS[name]
    method, ours = train(run, sample_of(reference, run, "TrainTree"), more)
    test = sample_of(reference, run, "TestTree")
    theirs = method.predict(theirs_of(reference, name), test.X)
    response = method.predict(ours, test.X)
    np.testing.assert_allclose(response.sum(axis=1), 1)
    for k in range(4):
        area, bound = (
            roc_auc_score(test.class_index == k, r[:, k], sample_weight=test.weight) for r in (response, theirs)
        )
        assert area > bound - 0.002
    if name == "tutorial/multi/BDTG":
        assert bound == pytest.approx(0.9558, abs=5e-5)


# ----------------------------------------------------------------------------------------------- regression


@pytest.mark.parametrize("name", ["toy/reg/BDT", "toy/reg/BDTlin"])
def test_adaptive_regressions_grow_as_in_tmva(reference, name):
    run = RUNS[name]
    assert_same_trees(train(run, sample_of(reference, run, "TrainTree"))[1], theirs_of(reference, name))


def medians_of_tmva_4_2(residual, weight, first, transition, begin, end, out) -> None:
    """What leaves say in TMVA 4.2.1: where the median is beyond the last event it is 0; later releases take the last."""
    for k in range(begin, end):
        x, w = residual[first[k] : first[k + 1]], weight[first[k] : first[k + 1]]
        order = np.argsort(x, kind="stable")
        below = np.cumsum(w[order])
        place = int(np.searchsorted(below, below[-1] / 2, side="right")) + 1 if len(x) else 0
        median = x[order][place] if place < len(x) else 0.0
        out[k] = median + np.clip(x - median, -transition, transition).mean() if len(x) else 0.0


def test_gradient_regressions_grow_as_in_tmva(reference, monkeypatch):
    run = RUNS["toy/reg/BDTG"]
    sample, theirs = sample_of(reference, run, "TrainTree"), theirs_of(reference, "toy/reg/BDTG")
    assert_same_trees(train(run, sample)[1], theirs, 45)
    monkeypatch.setattr(regression_boosting, "medians", medians_of_tmva_4_2)
    assert_same_trees(train(run, sample)[1], theirs)


def tutorial_sample(reference: Path) -> Sample:
    """TMVA's events with their weights in full, which its result file keeps in single precision."""
    return JOBS["tutorial/reg"].make(reference).prepare().train


def test_pruned_regressions_grow_as_in_tmva(reference):
    run = RUNS["tutorial/reg/BDT"]
    _, ours = train(run, tutorial_sample(reference))
    assert_same_trees(ours, theirs_of(reference, "tutorial/reg/BDT"))
    assert (ours.nodes_before > np.diff(ours.first)).all()


def deviation(method: BDT, state: BDTState, test: Sample) -> float:
    """How much responses spread about targets, as TMVA's table has it."""
    difference = method.predict(state, test.X).ravel() - test.targets[:, 0]
    mean = np.average(difference, weights=test.weight)
    return float(np.sqrt(np.average((difference - mean) ** 2, weights=test.weight)))


def test_the_gradient_regression_of_the_tutorial(reference, monkeypatch):
    run = RUNS["tutorial/reg/BDTG"]
    sample, test = tutorial_sample(reference), sample_of(reference, run, "TestTree")
    method, ours = train(run, sample)
    theirs = theirs_of(reference, "tutorial/reg/BDTG")
    # A leaf of the next tree has its median beyond the last event.
    assert_same_trees(ours, theirs, 1)
    bound = deviation(method, theirs, test)
    assert bound == pytest.approx(2.37, abs=5e-3)
    found = [deviation(*train(run, sample, f"RandomSeed={seed}"), test) for seed in range(1, 6)]
    assert np.mean(found) < 1.02 * bound
    monkeypatch.setattr(regression_boosting, "medians", medians_of_tmva_4_2)
    # Tree 31 cuts four events in two by the one variable or the other, the same two: rounding decides.
    assert_same_trees(
        train(replace(run, options=run.options.replace("NTrees=2000", "NTrees=30")), sample)[1], theirs, 30
    )


@pytest.mark.parametrize(
    ("job", "options"),
    [
        ("toy/multi", "BoostType=Grad:NTrees=5:UseBaggedBoost"),
        ("toy/reg", "NTrees=5:MaxDepth=5"),
        ("toy/reg", "BoostType=Grad:NTrees=5"),
    ],
)
def test_a_job_from_the_events_to_the_files(reference, tmp_path, monkeypatch, job, options):
    monkeypatch.chdir(tmp_path)
    analysis = "Multiclass" if job == "toy/multi" else "Regression"
    factory, loader = Factory("Job", "job.root", f"!V:Silent:AnalysisType={analysis}"), JOBS[job].make(reference)
    factory.BookMethod(loader, "BDT", "BDT", options)
    factory.TrainAllMethods()
    factory.TestAllMethods()
    factory.EvaluateAllMethods()
    path = tmp_path / "dataset" / "weights" / "Job_BDT.weights.xml"
    X = loader.prepare().test.X[:200]
    response = Model.load(path).predict(X).reshape(200, -1)
    with uproot.open(tmp_path / "job.root") as file:
        written = file["dataset/TestTree"].arrays(library="np", entry_stop=200)
        assert "dataset/Method_BDT/BDT/NodesBeforePruning" in file
    columns = [written["BDT"]] if "BDT" in written else [written[name] for name in written if name.startswith("BDT")]
    np.testing.assert_allclose(np.column_stack([np.ravel(c) for c in columns]).reshape(200, -1), response, rtol=1e-5)
    naive = NaiveModel(path)
    for x, expected in zip(X[::20], response[::20], strict=True):
        np.testing.assert_allclose(naive.responses(x.tolist()), expected, rtol=1e-5)

"""BDT against TMVA: responses from its weight files, and forests grown from its own training events, tree by tree."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import uproot
from mvakit_methods.bdt import BDT, BDTOptions
from mvakit_methods.bdt.forest import BDTState
from mvakit_methods.bdt.randomness import uniforms
from numba import config

from mvakit.dataset import Sample
from mvakit.method import FitContext, WeightContext
from mvakit.model import Model
from mvakit.types import AnalysisType
from mvakit.variables import define
from mvakit.weightfile import read_document

compiled = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="takes minutes without the compiler")

TOY_OPTIONS = {
    "BDT": "NTrees=40:MaxDepth=3:MinNodeSize=2.5%:nCuts=20:AdaBoostBeta=0.5:IgnoreNegWeightsInTraining",
    "BDTB": "NTrees=20:nCuts=20:BoostType=Bagging",
    "BDTG": "NTrees=60:MaxDepth=3:MinNodeSize=2.5%:nCuts=20:BoostType=Grad:Shrinkage=0.1",
    # TMVA's switch IgnoreNegWeightsInTraining of one method holds for all that are trained with it.
    "BDTGbag": "NTrees=40:MaxDepth=2:nCuts=20:BoostType=Grad:UseBaggedBoost:Shrinkage=0.2:BaggedSampleFraction=0.5",
    "BDTnoYN": "NTrees=20:MaxDepth=3:nCuts=20:!UseYesNoLeaf",
}
MORE_TOY_OPTIONS = {
    "BDTReal": "NTrees=20:MaxDepth=3:nCuts=20:BoostType=RealAdaBoost",
    "BDTCE": "NTrees=10:MaxDepth=3:nCuts=20:SeparationType=CrossEntropy",
    "BDTprune": "NTrees=10:MaxDepth=5:nCuts=20:PruneMethod=CostComplexity:PruneStrength=2",
    "BDTF": "NTrees=10:MaxDepth=3:MinNodeSize=2.5%:UseFisherCuts",
}
BAGGED = "UseBaggedBoost:BaggedSampleFraction=0.5"
RUNS = {
    "class/BDT": f"NTrees=850:MaxDepth=3:MinNodeSize=2.5%:nCuts=20:BoostType=AdaBoost:AdaBoostBeta=0.5:{BAGGED}",
    "class/BDTB": "NTrees=400:BoostType=Bagging:SeparationType=GiniIndex:nCuts=20",
    "class/BDTG": f"NTrees=1000:MaxDepth=2:MinNodeSize=2.5%:nCuts=20:BoostType=Grad:Shrinkage=0.1:{BAGGED}",
    "class/BDTF": "NTrees=50:MaxDepth=3:MinNodeSize=2.5%:BoostType=AdaBoost:AdaBoostBeta=0.5:UseFisherCuts",
    "higgs/BDT": f"NTrees=200:MaxDepth=2:MinNodeSize=2.5%:nCuts=20:BoostType=AdaBoost:AdaBoostBeta=0.5:{BAGGED}",
}
FILES = {
    "class": (
        "tutorial/class/TMVAC.root",
        "tutorial/class/weights/TMVAClassification_{}.weights.xml",
        ("myvar1", "myvar2", "var3", "var4"),
    ),
    "higgs": (
        "tutorial/higgs/Higgs_ClassificationOutput.root",
        "tutorial/higgs/weights/TMVA_Higgs_Classification_{}.weights.xml",
        ("m_jj", "m_jjj", "m_lv", "m_jlv", "m_bb", "m_wbb", "m_wwbb"),
    ),
}


def read_state(path: Path) -> BDTState:
    document = read_document(path)
    options = {name: text for name, _, text in document.options}
    context = WeightContext(
        AnalysisType.CLASSIFICATION, "BDT", document.variables, document.classes, (), options, lambda name: b"", {}
    )
    return BDT(BDTOptions()).read_state(document.weights, context)


def train(sample: Sample, options: str, labels: tuple[str, ...]) -> tuple[BDT, BDTState]:
    """Train with the cuts where TMVA has them."""
    return train_as_it_is(sample, options + ":ExactCuts", labels)


def train_as_it_is(sample: Sample, options: str, labels: tuple[str, ...]) -> tuple[BDT, BDTState]:
    context = FitContext(AnalysisType.CLASSIFICATION, "BDT", tuple(define(v) for v in labels), ("Signal", "Background"))
    method = BDT(BDTOptions.parse(options))
    method.check(context)
    return method, method.fit(sample, context)


def assert_same_forest(ours: BDTState, theirs: BDTState) -> None:
    """The same trees: variables, cuts, leaves and what they say, in single precision; weights in double precision."""
    assert len(ours.boost_weight) == len(theirs.boost_weight)
    np.testing.assert_array_equal(ours.first, theirs.first)
    np.testing.assert_allclose(ours.boost_weight, theirs.boost_weight, rtol=0, atol=1e-8)
    a, b = ours.nodes, theirs.nodes
    for name in ("variable", "left", "right", "depth", "kind"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
    inner = b.variable >= 0
    np.testing.assert_allclose(a.cut[inner], b.cut[inner], rtol=1e-5, atol=1e-6)
    # Inner nodes of Grad hold a mean that nobody uses, and that is 0 but for rounding at the root.
    np.testing.assert_allclose(a.response, b.response, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(a.purity, b.purity, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(a.rms, b.rms, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(a.discriminants, b.discriminants, rtol=1e-6, atol=1e-8)


# ------------------------------------------------------------------------------------------------ the toy


def toy_columns(toy: Path, tree: str) -> dict[str, np.ndarray]:
    with uproot.open(toy / "toy_classification.root") as file:
        return file[tree].arrays(library="np")


def inputs(columns: dict[str, np.ndarray]) -> np.ndarray:
    v1, v2 = columns["var1"], columns["var2"]
    return np.column_stack([v1 + v2, v1 - v2, columns["var3"], columns["var4"]]).astype(np.float32)


def shuffled(size: int, numbers) -> np.ndarray:
    """The shuffle of TMVA's random split: each entry changes places with one up to itself."""
    order = np.arange(size)
    for i in range(1, size):
        j = int(next(numbers) * (i + 1))
        order[i], order[j] = order[j], order[i]
    return order


@pytest.fixture(scope="module")
def toy_sample() -> Sample:
    """The events on which TMVA trained its toy methods: cut, shuffled with SplitSeed=7, and weighted."""
    toy = Path(__file__).parent / "toy"
    numbers = iter(uniforms(np.random.RandomState(7), 20_000))
    samples = []
    for index, (tree, factor, n) in enumerate((("TreeS", 2.0, 1200), ("TreeB", 0.5, 1300))):
        columns = toy_columns(toy, tree)
        eta = np.abs(columns["eta"].astype(np.float64))
        weight = columns["weight"] * (1 + 0.1 * eta) if tree == "TreeS" else columns["weight"].astype(np.float64)
        passed = np.flatnonzero((eta < 2.4) & ((columns["njet"] > 0) | (tree == "TreeS")))
        chosen = passed[shuffled(len(passed), numbers)][:n]
        weight = factor * weight.astype(np.float32).astype(np.float64)[chosen]
        samples.append((inputs(columns)[chosen], np.full(n, index), weight * (n / weight.sum())))
    order = shuffled(2500, numbers)
    return Sample(*(np.concatenate(parts)[order] for parts in zip(*samples, strict=True)))


def test_the_toy_s_events_are_those_of_tmva_s_log(toy, toy_sample):
    log = (toy / "class" / "training.log").read_text()
    negative = toy_sample.weight < 0
    assert f"(unweighted) sig: 1200 bkg: {np.sum(~toy_sample.is_signal & ~negative)}\n" in log


def assert_grows_the_toy(path: Path, sample: Sample, options: str) -> None:
    if "IgnoreNeg" not in options:
        options += ":NegWeightTreatment=IgnoreNegWeightsInTraining"
    _, state = train(sample, options, ("sum", "diff", "var3", "var4"))
    assert_same_forest(state, read_state(path))


@compiled
@pytest.mark.parametrize("title", TOY_OPTIONS)
def test_the_forest_of_the_toy_grows_again(toy, toy_sample, title):
    assert_grows_the_toy(toy / "class" / "weights" / f"Toy_{title}.weights.xml", toy_sample, TOY_OPTIONS[title])


@compiled
@pytest.mark.parametrize("title", MORE_TOY_OPTIONS)
def test_further_forests_of_the_toy_grow_again(reference, toy_sample, title):
    path = reference / "toy" / "class" / "weights" / f"Toy_{title}.weights.xml"
    assert_grows_the_toy(path, toy_sample, MORE_TOY_OPTIONS[title])


def toy_responses(toy: Path, title: str) -> tuple[np.ndarray, list[float]]:
    events = {tree: inputs(toy_columns(toy, tree)) for tree in ("TreeS", "TreeB")}
    with (toy / "class" / "responses.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 300
    X = np.stack([events[row["tree"]][int(row["entry"])] for row in rows])
    return X, [float(row[title]) for row in rows]


@pytest.mark.parametrize("title", [*TOY_OPTIONS, "BDTD"])
def test_responses_of_the_toy(toy, title):
    X, expected = toy_responses(toy, title)
    model = Model.load(toy / "class" / "weights" / f"Toy_{title}.weights.xml")
    np.testing.assert_allclose(model.predict(X), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("title", MORE_TOY_OPTIONS)
def test_further_responses_of_the_toy(reference, toy, title):
    X, expected = toy_responses(toy, title)
    model = Model.load(reference / "toy" / "class" / "weights" / f"Toy_{title}.weights.xml")
    np.testing.assert_allclose(model.predict(X), expected, rtol=0, atol=1e-6)


# ------------------------------------------------------------------------------------------ the tutorials


def tutorial_sample(reference: Path, run: str, tree: str) -> tuple[Sample, dict[str, np.ndarray]]:
    path, _, labels = FILES[run]
    with uproot.open(reference / path) as file:
        columns = file[f"dataset/{tree}"].arrays(library="np")
    X = np.column_stack([columns[label] for label in labels])
    return Sample(X, columns["classID"], columns["weight"].astype(np.float64)), columns


@compiled
@pytest.mark.parametrize("run", RUNS)
def test_the_forest_of_the_tutorial_grows_again(reference, run):
    name, title = run.split("/")
    sample, _ = tutorial_sample(reference, name, "TrainTree")
    method, state = train(sample, RUNS[run], FILES[name][2])
    assert_same_forest(state, read_state(reference / FILES[name][1].format(title)))
    log = reference / "tutorial" / name / ("class_extra" if title == "BDTF" else name)
    text = log.with_name(log.name + "_training.log").read_text()
    table = text[text.index(f"{title:<25}: Rank : Variable ") :].split("\n")[2:]
    ranking = dict(method.ranking(state, tuple(define(label) for label in FILES[name][2])).values)
    for line in table[: len(ranking)]:
        _, _, label, value = (word.strip() for word in line.split(":"))
        # A cut that was taken back counts; where two variables cut the same events apart, rounding decides.
        assert ranking[label] == pytest.approx(float(value), abs=3e-4)
    assert sum(ranking.values()) == pytest.approx(1)


@compiled
@pytest.mark.parametrize("run", [run for run in RUNS if run != "class/BDTF"])
def test_responses_of_the_tutorial(reference, run):
    name, title = run.split("/")
    sample, columns = tutorial_sample(reference, name, "TestTree")
    model = Model.load(reference / FILES[name][1].format(title))
    np.testing.assert_allclose(model.predict(sample.X), columns[title], rtol=0, atol=1e-6)


def test_responses_with_fisher_cuts(reference):
    with (reference / "tutorial" / "class" / "responses_extra.csv").open() as file:
        rows = list(csv.DictReader(file))
    with uproot.open(reference / "data" / "tmva_class_example.root") as file:
        events = {tree: inputs(file[tree].arrays(library="np")) for tree in ("TreeS", "TreeB")}
    X = np.stack([events[row["tree"]][int(row["entry"])] for row in rows])
    model = Model.load(reference / FILES["class"][1].format("BDTF"))
    assert len(model.state.nodes.discriminants) > 50
    expected = [float(row["BDTF"]) for row in rows]
    np.testing.assert_allclose(model.predict(X), expected, rtol=0, atol=1e-6)


def weighted_roc_integral(response: np.ndarray, signal: np.ndarray, weight: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(signal, response, sample_weight=weight))


@compiled
@pytest.mark.parametrize("run", ["class/BDT", "class/BDTB", "class/BDTG", "higgs/BDT"])
@pytest.mark.parametrize("fit", [train, train_as_it_is], ids=["ExactCuts", "default"])
def test_the_mean_of_five_seeds_separates_as_well_as_tmva(reference, run, fit):
    name, title = run.split("/")
    sample, _ = tutorial_sample(reference, name, "TrainTree")
    test, columns = tutorial_sample(reference, name, "TestTree")
    found = []
    for seed in range(1, 6):
        method, state = fit(sample, f"{RUNS[run]}:RandomSeed={seed}", FILES[name][2])
        found.append(weighted_roc_integral(method.predict(state, test.X), test.is_signal, test.weight))
    assert len(set(found)) == 5
    theirs = weighted_roc_integral(columns[title], test.is_signal, test.weight)
    assert np.mean(found) > theirs - 0.002
    if fit is train:
        assert found[0] == pytest.approx(theirs, abs=1e-6)


@compiled
def test_bins_made_once_separate_as_well_as_cuts_at_every_node(reference):
    sample, _ = tutorial_sample(reference, "higgs", "TrainTree")
    test, columns = tutorial_sample(reference, "higgs", "TestTree")
    options, found = RUNS["higgs/BDT"].replace("nCuts=20", "nCuts=-1"), []
    for seed in range(1, 6):
        method, state = train(sample, f"{options}:RandomSeed={seed}", FILES["higgs"][2])
        found.append(weighted_roc_integral(method.predict(state, test.X), test.is_signal, test.weight))
    assert np.mean(found) > weighted_roc_integral(columns["BDT"], test.is_signal, test.weight) - 0.002


@compiled
def test_a_trained_forest_is_read_back_as_it_was_written(tmp_path, toy_sample):
    from mvakit.dataset import DataSet
    from mvakit.model import train as train_model

    variables = tuple(define(label) for label in ("sum", "diff", "var3", "var4"))
    data = DataSet("dataset", variables, (), (), ("Signal", "Background"), toy_sample, toy_sample)
    model = train_model(data, "BDT", "NTrees=15:UseBaggedBoost:NegWeightTreatment=Pray")
    again = Model.load(model.save(tmp_path / "x.weights.xml"))
    np.testing.assert_array_equal(model.predict(toy_sample.X), again.predict(toy_sample.X))
    assert again.ranking() == model.ranking()
    ours, theirs = model.method.monitoring(model.state), again.method.monitoring(again.state)
    assert [curve.name for curve in ours] == [curve.name for curve in theirs]
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a.y, b.y)
    assert replace(again.method.options, modified=model.method.options.modified) == model.method.options

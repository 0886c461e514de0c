"""BDT: the losses on training and validation events, the trees that are kept, and responses stage by stage."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods._validation import validation_mask
from mvakit_methods.bdt import BDT, BDTOptions, team
from mvakit_methods.bdt import validation as validation_module
from mvakit_methods.bdt.events import prepare
from mvakit_methods.bdt.staged import first_rounds, monitored_rounds
from numba import config
from sklearn.metrics import roc_auc_score

from mvakit.dataset import DataSet, Sample
from mvakit.errors import DataError, MethodError, OptionError, WeightFileError
from mvakit.importance import staged_scores
from mvakit.method import FitContext, WeightContext
from mvakit.model import Model
from mvakit.model import train as train_model
from mvakit.modelfile import same_parts
from mvakit.types import AnalysisType
from mvakit.variables import define

CLASSIFICATION, MULTICLASS, REGRESSION = AnalysisType.CLASSIFICATION, AnalysisType.MULTICLASS, AnalysisType.REGRESSION
VARIABLES, TARGETS = (define("x"), define("y"), define("z")), (define("t"),)
CLASSES = {CLASSIFICATION: ("Signal", "Background"), MULTICLASS: ("one", "two", "three"), REGRESSION: ("Regression",)}
SIZE = 150
RUNS = {
    "AdaBoost": (CLASSIFICATION, "AdaBoostBeta=1"),
    "purities": (CLASSIFICATION, "!UseYesNoLeaf:AdaBoostBeta=1:SigToBkgFraction=2"),
    "RealAdaBoost": (CLASSIFICATION, "BoostType=RealAdaBoost:UseBaggedBoost"),
    "Bagging": (CLASSIFICATION, "BoostType=Bagging:UseRandomisedTrees"),
    "pruned": (CLASSIFICATION, "MaxDepth=5:PruneMethod=CostComplexity:PruneStrength=-1"),
    "Fisher": (CLASSIFICATION, "UseFisherCuts:AdaBoostBeta=1"),
    "Grad": (CLASSIFICATION, "BoostType=Grad:Shrinkage=0.5:UseBaggedBoost"),
    "preselection": (CLASSIFICATION, "BoostType=Grad:DoPreselection"),
    "Multiclass": (MULTICLASS, "BoostType=Grad:Shrinkage=0.5"),
    "Huber": (REGRESSION, "BoostType=Grad:Shrinkage=0.5:MaxDepth=4"),
    "LeastSquares": (REGRESSION, "BoostType=Grad:Shrinkage=0.5:MaxDepth=4:RegressionLossFunctionBDTG=LeastSquares"),
    "R2": (REGRESSION, "MaxDepth=4"),
    "R2 linear": (REGRESSION, "MaxDepth=5:AdaBoostR2Loss=Linear:PruneMethod=CostComplexity:PruneStrength=30"),
    "R2 bagged": (REGRESSION, "MaxDepth=4:UseBaggedBoost"),
    "regression, Bagging": (REGRESSION, "MaxDepth=4:BoostType=Bagging"),
}  # fmt: skip


def sample(analysis: AnalysisType, n: int = 600, seed: int = 1) -> Sample:
    rng = np.random.default_rng(seed)
    weight = rng.uniform(0.5, 2, n)
    if analysis is REGRESSION:
        X = rng.uniform(-2, 2, size=(n, 3)).astype(np.float32)
        target = 3 * X[:, 0] + X[:, 1] ** 2 + rng.normal(scale=0.5, size=n)
        return Sample(X, np.zeros(n, int), weight, target.astype(np.float32)[:, None])
    index = rng.permutation(np.arange(n) % len(CLASSES[analysis]))
    X = rng.normal(size=(n, 3)) + np.array([[0, 0, 0.3], [0.8, 0.3, 0], [0, 1, 0]])[index]
    return Sample(X.astype(np.float32), index, weight)


def context(analysis: AnalysisType) -> FitContext:
    targets = TARGETS if analysis is REGRESSION else ()
    return FitContext(analysis, "BDT", VARIABLES, CLASSES[analysis], targets)


def fit(analysis: AnalysisType, text: str, train: Sample | None = None):
    method = BDT(BDTOptions.parse(text).for_analysis(analysis))
    method.check(context(analysis))
    return method, method.fit(sample(analysis) if train is None else train, context(analysis))


def dataset(analysis: AnalysisType) -> DataSet:
    targets = TARGETS if analysis is REGRESSION else ()
    return DataSet("d", VARIABLES, (), targets, CLASSES[analysis], sample(analysis), sample(analysis, seed=2))


def by_hand(name: str, response: np.ndarray, some: Sample) -> float:
    """The loss of responses, from their definition."""
    analysis, text = RUNS[name]
    if analysis is REGRESSION:
        deviation = response - some.targets[:, 0]
        if "Linear" in text or name == "Huber":
            return float(np.average(np.abs(deviation), weights=some.weight))
        return float(np.sqrt(np.average(deviation**2, weights=some.weight)))
    if analysis is MULTICLASS:
        share = response[np.arange(len(some)), some.class_index]
        return float(np.average(-np.log(share), weights=some.weight))
    if "Grad" not in text:
        return 1 - float(roc_auc_score(some.is_signal, response, sample_weight=some.weight))
    probability = np.where(some.is_signal, 1 + response, 1 - response) / 2
    weight = some.weight.copy()
    factor = prepared(name).factor
    weight *= np.where(some.is_signal, *factor)
    return float(np.average(-np.log(probability), weights=weight))


def prepared(name: str):
    analysis, text = RUNS[name]
    options = BDTOptions.parse(f"{text}:ValidationSize={SIZE}").for_analysis(analysis)
    return prepare(sample(analysis), options, context(analysis))


@pytest.mark.parametrize("name", RUNS)
def test_losses_are_those_of_the_responses(name):
    analysis, text = RUNS[name]
    train, events = sample(analysis), prepared(name)
    method, state = fit(analysis, f"NTrees=12:ValidationSize={SIZE}:{text}")
    rows = np.arange(len(train)) if events.rows is None else events.rows
    validation = train.select(rows[events.validation])
    trained = rows[~events.held_out]
    assert len(validation) == SIZE
    assert method.stages(state) == 12 == state.losses.shape[1]
    for row, some in zip(state.losses, (train.select(trained), validation), strict=True):
        staged = method.predict_stages(state, some.X, range(1, 13))
        expected = [by_hand(name, response, some) for response in staged]
        np.testing.assert_allclose(row, expected, rtol=1e-6, atol=1e-9)
    assert len(np.unique(state.losses)) > 12


def test_of_many_events_a_part_is_followed(monkeypatch):
    monkeypatch.setattr(validation_module, "_LEAST_CHOSEN", 100)
    train, events = sample(CLASSIFICATION), prepared("AdaBoost")
    method, state = fit(CLASSIFICATION, f"NTrees=5:ValidationSize={SIZE}:AdaBoostBeta=1")
    trained = train.select(np.flatnonzero(~events.held_out)[::3])
    assert len(trained) == SIZE
    staged = method.predict_stages(state, trained.X, range(1, 6))
    np.testing.assert_allclose(state.losses[0], [by_hand("AdaBoost", found, trained) for found in staged], rtol=1e-9)


@pytest.mark.parametrize("name", RUNS)
def test_responses_in_stages_are_those_of_the_first_trees(name):
    analysis, text = RUNS[name]
    method, state = fit(analysis, f"NTrees=7:{text}")
    X = sample(analysis, 400, seed=5).X
    found = list(method.predict_stages(state, X, [1, 2, 5, 7]))
    for n, response in zip([1, 2, 5, 7], found, strict=True):
        # The whole forest adds up its trees in pairs.
        np.testing.assert_allclose(response, method.predict(first_rounds(state, n), X), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(found[-1], method.predict(state, X), rtol=1e-12, atol=1e-14)
    # A median of two is that of the better tree.
    assert not np.array_equal(found[0], found[2])
    again = list(method.predict_stages(state, X, range(1, 8)))
    np.testing.assert_array_equal(again[4], found[2])


@pytest.mark.parametrize("name", ["AdaBoost", "Grad", "Multiclass", "Huber", "R2"])
def test_the_forest_that_is_kept_is_the_best_beginning(name):
    analysis, text = RUNS[name]
    text = f"NTrees=60:ValidationSize={SIZE}:{text}"
    _, all_of_them = fit(analysis, text)
    losses = all_of_them.losses[1]
    best = 1 + next(
        i
        for i in range(60)
        if losses[i] < losses[:i].min(initial=np.inf) and (losses[i + 1 : i + 4] >= losses[i]).all()
    )
    method, state = fit(analysis, f"{text}:TriesEarlyStopping=3")
    assert method.stages(state) == best
    assert state.losses.shape == (2, min(best + 3, 60))
    np.testing.assert_array_equal(state.losses, all_of_them.losses[:, : best + 3])
    beginning = first_rounds(all_of_them, best)
    for part in ("nodes", "first", "boost_weight", "error", "nodes_before"):
        assert same_parts(getattr(state, part), getattr(beginning, part)), part
    assert state.importance.sum() == pytest.approx(1)
    assert not np.array_equal(state.importance, all_of_them.importance)
    assert best < 57


def test_without_early_stopping_all_trees_are_kept():
    _, state = fit(CLASSIFICATION, "NTrees=40:ValidationSize=25%:AdaBoostBeta=1")
    assert state.losses[1].argmin() < 39
    assert len(state.boost_weight) == 40
    _, plain = fit(CLASSIFICATION, "NTrees=40")
    assert plain.losses.shape == (2, 0)


def test_trees_grow_from_the_other_events_alone():
    train, events = sample(CLASSIFICATION), prepared("Grad")
    held = events.validation
    np.testing.assert_array_equal(held, validation_mask(train.class_index, SIZE, 1))
    assert abs(int(held[train.is_signal].sum()) - SIZE // 2) <= 1
    text = "NTrees=5:BoostType=Grad:ExactCuts:nCuts=20"
    _, state = fit(CLASSIFICATION, f"{text}:ValidationSize={SIZE}")
    _, alone = fit(CLASSIFICATION, text, train.select(~held))
    assert same_parts(state.nodes, alone.nodes)
    _, other = fit(CLASSIFICATION, f"{text}:ValidationSize={SIZE}:RandomSeed=2")
    assert not same_parts(other.nodes, state.nodes)


def test_pruning_and_validation_have_events_of_their_own():
    events = prepared("pruned")
    assert not (events.pruning & events.validation).any()
    np.testing.assert_array_equal(events.pruning | events.validation, events.held_out)
    assert events.pruning.sum() == (~events.validation[::2]).sum()
    assert not (events.factor[:, None] == 1).all()
    plain = prepare(sample(CLASSIFICATION), BDTOptions.parse(RUNS["pruned"][1]), context(CLASSIFICATION))
    np.testing.assert_array_equal(plain.pruning, np.arange(600) % 2 == 0)


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="takes minutes without the compiler")
@pytest.mark.parametrize("name", ["AdaBoost", "Grad", "Multiclass", "LeastSquares", "R2"])
def test_threads_do_not_matter(monkeypatch, name):
    analysis, text = RUNS[name]
    found = []
    for workers in (1, 3):
        monkeypatch.setattr(team, "default_workers", lambda workers=workers: workers)
        train = sample(analysis, 70_000)
        found.append(fit(analysis, f"NTrees=6:ValidationSize=20%:TriesEarlyStopping=3:{text}", train)[1])
    assert same_parts(found[0], found[1])


@pytest.mark.parametrize("name", RUNS)
def test_what_was_recorded_is_read_back(tmp_path, name):
    analysis, text = RUNS[name]
    model = train_model(dataset(analysis), "BDT", f"NTrees=8:{text}:ValidationSize=0.2:TriesEarlyStopping=2")
    again = Model.load(model.save(tmp_path / "x.weights.xml"))
    for part in ("losses", "boost_factors", "gain", "importance"):
        np.testing.assert_array_equal(getattr(again.state, part), getattr(model.state, part))
    names = [curve.name for curve in model.method.monitoring(model.state)]
    assert names[-2:] == ["trainLoss", "valLoss"]
    assert names == [curve.name for curve in again.method.monitoring(again.state)]
    assert (again.method.options.validation_size, again.method.options.tries_early_stopping) == ("0.2", 2)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("trainingLoss", "1 2"), ("validationLoss", "1 nan 2"), ("validationLoss", "1 2 x"), ("variableGain", "1 2"),
        ("variableGain", "1 -1 1"), ("variableImportance", "1 x 2"), ("boostFactors", "1 2"),
        ("boostFactors", " ".join(["-1"] * 102)), ("boostFactors", " ".join(["0.5"] * 102)),
        ("boostFactors", " ".join(["1e300"] * 102)),
    ],
)  # fmt: skip
def test_damaged_records_are_refused(name, text):
    method, state = fit(REGRESSION, "NTrees=3:ValidationSize=20%")
    weights = ET.Element("Weights")
    method.write_state(state, weights)
    place = WeightContext(
        REGRESSION, "BDT", VARIABLES, ("Regression",), TARGETS, {"BoostType": "AdaBoostR2"}, lambda name: b"", {}
    )
    method.read_state(weights, place)
    weights.set(name, text)
    with pytest.raises(WeightFileError, match=name):
        method.read_state(weights, place)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("TriesEarlyStopping=5", "'TriesEarlyStopping' of BDT is 5 and needs validation events: add ValidationSize"),
        ("TriesEarlyStopping=0:ValidationSize=20%", "1 or more, or a negative number for never; it is 0"),
        ("ValidationSize=some", "'ValidationSize' of BDT takes a percentage"),
        ("ValidationSize=100%", "'ValidationSize' of BDT takes a percentage"),
        ("ValidationSize=600", "600 of the 600 training events"),
    ],
)
def test_options_that_cannot_be(text, message):
    with pytest.raises(OptionError, match=message):
        fit(CLASSIFICATION, text)


def test_validation_needs_events_of_each_class():
    train = sample(CLASSIFICATION)
    with pytest.raises(MethodError, match=r"background events among those that ValidationSize=1 takes add up to 0"):
        fit(CLASSIFICATION, "ValidationSize=1:RandomSeed=4", train)
    negative = Sample(train.X, train.class_index, np.where(prepared("Grad").validation, -0.1, train.weight))
    with pytest.raises(MethodError, match="validation needs a positive sum"):
        fit(CLASSIFICATION, f"ValidationSize={SIZE}:NegWeightTreatment=Pray", negative)


# ---------------------------------------------------------------------------------------------- the model


def test_a_model_answers_stage_by_stage():
    data = dataset(CLASSIFICATION)
    model = train_model(data, "BDT", "NTrees=9:BoostType=Grad:VarTransform=N")
    assert model.n_stages == 9
    staged = list(model.staged_predict(data.test.X))
    assert len(staged) == 9
    np.testing.assert_array_equal(staged[-1], model.predict(data.test.X))
    np.testing.assert_array_equal(next(model.staged_predict(data.test.X, [4])), staged[3])
    scores = staged_scores(model, data.test)
    expected = [roc_auc_score(data.test.is_signal, found, sample_weight=data.test.weight) for found in staged]
    np.testing.assert_allclose(scores, expected, rtol=1e-12)
    for stages in ([0], [3, 3], [4, 2], [10]):
        with pytest.raises(DataError, match="from 1 to 9 that ascend"):
            next(model.staged_predict(data.test.X, stages))
    with pytest.raises(DataError, match="shape"):
        next(model.staged_predict(data.test.X[:, :2]))
    assert list(model.staged_predict(data.test.X, [])) == []


def test_other_methods_have_no_stages():
    data = dataset(CLASSIFICATION)
    model = train_model(data, "Fisher")
    assert model.n_stages == 0
    with pytest.raises(MethodError, match="no stages"):
        next(model.staged_predict(data.test.X))
    with pytest.raises(MethodError, match="no stages"):
        model.method.predict_stages(model.state, data.test.X, [1])
    assert model.method.staged_monitoring(model.state, data.test, model.staged_predict, "test") == ()
    assert model.method.histograms(model.state) == ()


def test_estimates_in_stages_are_in_the_units_of_the_target():
    data = dataset(REGRESSION)
    model = train_model(data, "BDT", "NTrees=5:BoostType=Grad:VarTransform=N(_V0_,_T0_)")
    assert "Target" in model.chain.kinds
    np.testing.assert_array_equal(list(model.staged_predict(data.test.X))[-1], model.predict(data.test.X))


def test_cross_entropy_of_large_sums_is_finite():
    _, state = fit(MULTICLASS, "BoostType=Grad:Shrinkage=1e3:NTrees=3:ValidationSize=20%")
    assert np.isfinite(state.losses).all()
    assert state.losses.max() > 10


def test_tmva_looks_at_fewer_and_fewer_trees():
    assert monitored_rounds(1) == [1]
    assert monitored_rounds(12) == [1, 6, 11, 12]
    found = monitored_rounds(1300)
    expected = [
        i + 1 for i in range(1300)
        if i == 1299 or i % 500 == 0 or (i % 250 == 0 and i < 1000) or (i % 100 == 0 and i < 500)
        or (i % 50 == 0 and i < 250) or (i % 25 == 0 and i < 150) or (i % 10 == 0 and i < 50) or (i % 5 == 0 and i < 20)
    ]  # fmt: skip
    assert found == expected


def test_a_forest_with_no_better_tree_keeps_the_first():
    train = sample(CLASSIFICATION)
    rng = np.random.default_rng(0)
    noise = dataclasses.replace(train, X=rng.normal(size=train.X.shape).astype(np.float32))
    _, state = fit(CLASSIFICATION, "NTrees=30:ValidationSize=50%:TriesEarlyStopping=1:BoostType=Grad:MaxDepth=5", noise)
    assert 1 <= len(state.boost_weight) <= 3

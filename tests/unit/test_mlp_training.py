"""Training of MLP: gradients, the line search, sampling, convergence, and every option that changes a training."""

from __future__ import annotations

import dataclasses
import logging
from itertools import pairwise
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods._trandom3 import TRandom3, seed_or_entropy
from mvakit_methods.mlp import MLP, MLPOptions
from mvakit_methods.mlp.objective import Events, Objective
from mvakit_methods.mlp.propagation import CODES, COMBINATION_CODES, propagate_epoch, shuffle
from mvakit_methods.mlp.quasi_newton import QuasiNewton, inverse_hessian, regulator_groups
from mvakit_methods.mlp.sampling import Convergence, Sampling
from mvakit_methods.mlp.training import train_perceptron

from mvakit.dataset import Sample
from mvakit.errors import MethodError, MvakitWarning, OptionError
from mvakit.method import FitContext, WeightContext
from mvakit.progress import Messenger
from mvakit.types import AnalysisType
from mvakit.variables import define

CLASSIFICATION, MULTICLASS, REGRESSION = AnalysisType.CLASSIFICATION, AnalysisType.MULTICLASS, AnalysisType.REGRESSION
VARIABLES = tuple(define(label) for label in "ab")
FUNCTIONS = [name for name in CODES if name not in {"fast_tanh", "open_fast_tanh"}]


def sample(n: int = 60, n_classes: int = 2, seed: int = 1) -> Sample:
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, size=(n, 2)).astype(np.float32)
    classes = np.digitize(X[:, 0] + 0.3 * rng.normal(size=n), np.linspace(-1, 1, n_classes + 1)[1:-1])
    targets = np.column_stack([X[:, 0] ** 2, X[:, 1]]).astype(np.float32)
    return Sample(X, classes, rng.uniform(0.5, 1.5, n), targets)


def context(analysis: AnalysisType = CLASSIFICATION, **changes: object) -> FitContext:
    classes = {CLASSIFICATION: ("Signal", "Background"), MULTICLASS: ("x", "y", "z"), REGRESSION: ("Regression",)}
    targets = (define("t"), define("u")) if analysis is REGRESSION else ()
    return FitContext(analysis, "M", VARIABLES, classes[analysis], targets, **changes)  # type: ignore[arg-type]


def train(text: str, analysis: AnalysisType = CLASSIFICATION, events: Sample | None = None) -> np.ndarray:
    """Return all weights of a training, one after the other."""
    events = sample(n_classes=3 if analysis is MULTICLASS else 2) if events is None else events
    asked = {word.split("=")[0] for word in text.split(":")}
    others = [word for word in ("NCycles=12", "HiddenLayers=3", "TestRate=2") if word.split("=")[0] not in asked]
    options = MLPOptions.parse(":".join([*others, text]))
    return np.concatenate([w.ravel() for w in train_perceptron(options, events, context(analysis)).weights])


# ------------------------------------------------------------------------------------------ the objective


def objective(
    neuron: str = "tanh", combination: str = "sum", estimator: str = "MSE"
) -> tuple[Objective, Events, np.ndarray]:
    rng = np.random.default_rng(4)
    goal = Objective((2, 4, 3, 2 if estimator == "MSE" else 1), neuron, combination, estimator)
    X, desired = rng.normal(size=(30, 2)), rng.integers(0, 2, size=(30, goal.layout[-1])).astype(float)
    return goal, Events(X, desired, rng.uniform(-0.2, 2, 30)), rng.normal(size=goal.n_weights)


@pytest.mark.parametrize("combination", COMBINATION_CODES)
@pytest.mark.parametrize("neuron", FUNCTIONS)
@pytest.mark.parametrize("estimator", ["MSE", "CE"])
def test_the_gradient_is_that_of_the_error(neuron, combination, estimator):
    goal, events, weights = objective(neuron, combination, estimator)
    step, found = 1e-6, goal.gradient(events, weights)
    for index in range(goal.n_weights):
        change = np.zeros_like(weights)
        change[index] = step
        slope = (goal.error(events, weights + change) - goal.error(events, weights - change)) / (2 * step)
        assert found[index] == pytest.approx(slope, rel=1e-4, abs=1e-6 * max(1.0, np.abs(found).max()))


@pytest.mark.parametrize("combination", COMBINATION_CODES)
@pytest.mark.parametrize("neuron", [*FUNCTIONS, "fast_tanh", "open_fast_tanh"])
@pytest.mark.parametrize("estimator", ["MSE", "CE"])
def test_events_one_by_one_make_the_same_gradient(neuron, combination, estimator):
    goal, events, weights = objective(neuron, combination, estimator)
    gradient, moved = np.zeros_like(weights), weights.copy()
    count = propagate_epoch(
        events.X, events.desired, events.weight, np.arange(30), moved, np.array(goal.layout), CODES[neuron],
        CODES["sigmoid" if estimator == "CE" else "linear"], COMBINATION_CODES[combination], 0.1, 1000, gradient, 0,
    )  # fmt: skip
    assert count == 30
    np.testing.assert_array_equal(moved, weights)
    np.testing.assert_allclose(gradient, goal.gradient(events, weights), rtol=2e-6, atol=1e-6)


def test_a_batch_moves_by_its_mean_and_an_event_by_itself():
    goal, events, weights = objective()
    codes = CODES["tanh"], CODES["linear"], COMBINATION_CODES["sum"]
    batched, gradient = weights.copy(), np.zeros_like(weights)
    layout = np.array(goal.layout)
    left = propagate_epoch(
        events.X, events.desired, events.weight, np.arange(12), batched, layout, *codes, 0.1, 10, gradient, 0
    )
    assert left == 2
    first = events.select(np.arange(10))
    np.testing.assert_allclose(batched, weights - 0.1 * goal.gradient(first, weights) / 10, rtol=1e-12)
    alone = weights.copy()
    for event in range(12):
        alone -= 0.1 * goal.gradient(events.select(np.array([event])), alone)
    found = weights.copy()
    propagate_epoch(events.X, events.desired, events.weight, np.arange(12), found, layout, *codes, 0.1, 0, gradient, 0)
    np.testing.assert_allclose(found, alone, rtol=1e-10)


def test_the_estimator_of_the_events_with_the_smallest_deviations():
    goal = Objective((1, 1, 1), "linear", "sum", "MSE")
    # The response is x itself, what is desired 0.
    weights = np.array([1.0, 0.0, 1.0, 0.0])
    events = Events(np.array([[3.0], [1.0], [2.0]]), np.zeros((3, 1)), np.array([1.0, 2.0, 1.0]))
    assert goal.mean_estimator(events, weights) == pytest.approx((9 + 2 * 1 + 4) / 4)
    assert goal.mean_estimator(events, weights, 0.75) == pytest.approx((2 * 1 + 4) / 3)
    assert goal.mean_estimator(events, weights, 0.5) == pytest.approx(1)
    assert goal.mean_estimator(Events(events.X, events.desired, np.zeros(3)), weights) == 0
    cross = Objective((1, 1, 1), "linear", "sum", "CE")
    expected = -2 * np.log(1 - 1 / (1 + np.exp(-3.0)))
    assert cross.mean_estimator(events.select(np.array([0])), weights) == pytest.approx(expected)
    assert cross.responses(events, weights)[0, 0] == pytest.approx(1 / (1 + np.exp(-3.0)))


def test_the_second_derivatives_of_a_linear_network():
    goal = Objective((2, 1, 1), "linear", "sum", "MSE")
    rng = np.random.default_rng(0)
    events = Events(rng.normal(size=(40, 2)), np.zeros((40, 1)), np.ones(40))
    weights = np.array([0.5, -0.2, 0.1, 2.0, 0.3])
    with_bias = np.hstack([events.X, np.ones((40, 1))])
    hidden = with_bias @ weights[:3]
    slopes = np.column_stack([2.0 * with_bias, hidden, np.ones(40)])
    np.testing.assert_allclose(goal.normal_matrix(events, weights), slopes.T @ slopes, rtol=1e-12)
    inverse = inverse_hessian(goal, events, weights)
    np.testing.assert_allclose(inverse @ (slopes.T @ slopes + 1e-6 * np.eye(5)), np.eye(5), atol=1e-6)
    sigmoid = Objective((2, 1, 1), "linear", "sum", "CE")
    p = sigmoid.responses(events, weights)[:, 0]
    np.testing.assert_allclose(sigmoid.normal_matrix(events, weights), (slopes.T * p * (1 - p)) @ slopes, rtol=1e-12)


# ----------------------------------------------------------------------------------------- the quasi-Newton method


def test_it_finds_the_minimum_of_a_linear_problem():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 2))
    events = Events(X, (X @ [2.0, -1.0] + 0.5)[:, np.newaxis], np.ones(200))
    goal = Objective((2, 1, 1), "linear", "sum", "MSE")
    weights = np.array([0.1, 0.2, 0.0, 1.0, 0.0])
    method = QuasiNewton(goal, weights, tau=3.0, reset_step=50)
    errors = []
    for cycle in range(60):
        if not method.step(events, cycle, 60):
            break
        errors.append(goal.error(events, weights))
    assert errors[-1] < 1e-10
    assert all(b <= a for a, b in pairwise(errors))
    # At the minimum no direction leads down.
    weights[:] = [2.0, -1.0, 0.5, 1.0, 0.0]
    assert not QuasiNewton(goal, weights, tau=3.0, reset_step=50).step(events, 0, 10)
    np.testing.assert_array_equal(weights, [2.0, -1.0, 0.5, 1.0, 0.0])


def test_regulators_of_neurons_and_layers():
    groups = regulator_groups((2, 3, 2, 1))
    # Two variables and a bias with three synapses each, then four neurons, then three.
    assert groups.tolist() == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 8 + [4] * 3


def test_regulators_are_set_by_the_evidence():
    goal, events, weights = objective(estimator="MSE")
    method = QuasiNewton(goal, weights, tau=3.0, reset_step=50, regulated=True, update_limit=10)
    method.regulators[:] = 0.5
    matrix = goal.normal_matrix(events, weights) + 0.5 * np.eye(weights.size)
    spread = np.diag(np.linalg.inv(matrix))
    known = (1 - 0.5 * spread).sum()
    variance = goal.mean_estimator(events, weights)
    if len(events) > known:
        variance /= 1 - known / len(events)
    method.update_regulators(events)
    for group in range(len(method.regulators)):
        mine = method.groups == group
        expected = variance * mine.sum() / (np.square(weights[mine]).sum() + variance * spread[mine].sum())
        assert method.regulators[group] == pytest.approx(max(expected, 0), rel=1e-9)


def test_regulated_weights_are_smaller():
    free, held = (train(f"TrainingMethod=BFGS:NCycles=80:HiddenLayers=8{more}") for more in ("", ":UseRegulator"))
    assert np.square(held).sum() < 0.6 * np.square(free).sum()
    limited = train("TrainingMethod=BFGS:NCycles=80:HiddenLayers=8:UseRegulator:UpdateLimit=1")
    assert not np.allclose(limited, held)


# ------------------------------------------------------------------------------- sampling and convergence


def test_the_numbers_of_trandom3():
    # The first words of MT19937 for the seed 5489, as its authors give them, in units of 2**-32.
    words = np.array([3499211612, 581869302, 3890346734])
    np.testing.assert_array_equal(TRandom3(5489).rndm(3), words / 2**32)
    assert seed_or_entropy(7) == 7
    assert seed_or_entropy(0) != seed_or_entropy(0)


def test_the_shuffle_never_asks_for_the_last_event():
    order = np.arange(4)
    shuffle(np.array([0.99, 0.0, 0.5, 0.4]), order)
    # 0<->2, 1<->0, 2<->1, 3<->1
    assert order.tolist() == [1, 3, 2, 0]


def test_sampled_events():
    sampling = Sampling(10, 0.35, 1.0, TRandom3(3))
    assert sampling.active
    uniform = np.sort((TRandom3(3).rndm(3) * np.float32(10)).astype(np.float32))
    # Event k reaches k + 1; a position takes the first event that reaches it and was not taken.
    expected: list[int] = []
    for position in uniform:
        expected.append(max(int(np.ceil(position)) - 1, expected[-1] + 1 if expected else 0))
    assert sampling.draw().tolist() == expected
    everything = Sampling(10, 1.0, 1.0, TRandom3(3))
    assert not everything.active
    assert everything.draw().tolist() == list(range(10))


def test_importance_of_sampled_events():
    sampling = Sampling(100, 0.2, 0.5, TRandom3(3))
    chosen = sampling.draw()
    sampling.result(success=True)
    assert np.all(sampling.importance[chosen] == 0.5)
    assert sampling.importance.sum() == 90
    sampling.result(success=False)
    sampling.result(success=False)
    # Never above 1.
    assert np.all(sampling.importance == 1)


def test_convergence():
    test = Convergence(2, 0.1)
    # Nothing is better than the first; then 3 is.
    assert [test.reached(e) for e in (5.0, 4.95, 3.0, 2.95, 2.92, 2.91)] == [False, False, False, False, True, True]
    hasty = Convergence(1, 0.1)
    assert [hasty.reached(e) for e in (5.0, 4.95)] == [False, True]
    test.begin_again()
    assert not test.reached(2.9)
    for off in (Convergence(-1, 0.1), Convergence(1, -1.0)):
        assert not any(off.reached(1.0) for _ in range(9))


# -------------------------------------------------------------------------------------------- the options


@pytest.mark.parametrize(
    ("base", "change"),
    [
        ("", "NCycles=13"),
        ("", "HiddenLayers=4"),
        ("", "NeuronType=tanh"),
        ("", "NeuronType=radial"),
        ("", "NeuronType=ReLU"),
        ("", "NeuronType=linear"),
        ("", "NeuronInputType=sqsum"),
        ("", "NeuronInputType=abssum"),
        ("", "EstimatorType=MSE"),
        ("", "RandomSeed=2"),
        ("", "TrainingMethod=BFGS"),
        ("", "LearningRate=0.05"),
        ("", "DecayRate=0.1"),
        ("", "Sampling=0.5"),
        ("Sampling=0.5", "SamplingEpoch=0.5"),
        ("Sampling=0.5", "!SamplingTraining"),
        ("Sampling=0.5", "SamplingImportance=0.3"),
        ("Sampling=0.5", "TestRate=3"),
        ("", "BPMode=batch"),
        ("BPMode=batch", "BatchSize=7"),
        ("", "ConvergenceTests=0:ConvergenceImprove=0.5"),
        ("ConvergenceTests=1:ConvergenceImprove=0.001", "ConvergenceImprove=0.1"),
        ("ConvergenceTests=1:ConvergenceImprove=0.01", "WeightRange=0.4"),
        ("", "ValidationSize=50%"),
        (
            "ValidationSize=20:ConvergenceTests=1:ConvergenceImprove=0.01",
            "Sampling=0.4:!SamplingTraining:SamplingTesting",
        ),
        ("TrainingMethod=BFGS:NCycles=30", "ResetStep=2"),
        ("TrainingMethod=BFGS", "Tau=5"),
        ("TrainingMethod=BFGS:NCycles=80", "UseRegulator"),
        ("TrainingMethod=BFGS:NCycles=80:UseRegulator", "UpdateLimit=0"),
    ],
)
def test_each_option_changes_the_training(base, change):
    kept = [word for word in base.split(":") if word.split("=")[0] != change.split("=")[0]]
    plain, changed = train(base), train(":".join([*kept, change]))
    assert np.isfinite(changed).all()
    assert plain.shape != changed.shape or not np.allclose(plain, changed, rtol=1e-6)


def test_the_same_seed_makes_the_same_weights():
    np.testing.assert_array_equal(train(""), train(""))
    assert not np.array_equal(train("RandomSeed=0"), train("RandomSeed=0"))
    first = train("NCycles=0")
    np.testing.assert_array_equal(first, 4 * TRandom3(1).rndm(first.size) - 2)


@pytest.mark.parametrize("method", ["BP", "BFGS"])
def test_it_learns(method):
    events = sample(400)
    fitted = MLP(MLPOptions.parse(f"NCycles=60:HiddenLayers=5:NeuronType=tanh:TrainingMethod={method}"))
    response = fitted.predict(fitted.fit(events, context()), events.X)
    assert response.min() >= 0
    assert response.max() <= 1
    assert response[events.is_signal].mean() > response[~events.is_signal].mean() + 0.4


def test_several_classes_and_targets():
    options = "NCycles=150:HiddenLayers=6:NeuronType=tanh:TrainingMethod=BFGS"
    events = sample(300, 3)
    method = MLP(MLPOptions.parse(options))
    response = method.predict(method.fit(events, context(MULTICLASS)), events.X)
    assert response.shape == (300, 3)
    np.testing.assert_allclose(response.sum(axis=1), 1)
    assert np.mean(response.argmax(axis=1) == events.class_index) > 0.65
    regression = Sample(events.X, np.zeros(300, int), events.weight, events.targets)
    response = method.predict(method.fit(regression, context(REGRESSION)), events.X)
    assert np.abs(response - events.targets).mean() < 0.05
    sequential = MLP(MLPOptions.parse("NCycles=150:HiddenLayers=6:NeuronType=tanh:LearningRate=0.05"))
    response = sequential.predict(sequential.fit(regression, context(REGRESSION)), events.X)
    assert np.abs(response - events.targets).mean() < 0.1


@pytest.mark.parametrize(
    ("analysis", "text", "estimator", "output"),
    [
        (CLASSIFICATION, "", "CE", "sigmoid"),
        (CLASSIFICATION, "EstimatorType=CE", "CE", "sigmoid"),
        (CLASSIFICATION, "EstimatorType=MSE", "MSE", "linear"),
        (MULTICLASS, "", "MSE", "linear"),
        (MULTICLASS, "EstimatorType=CE", "MSE", "linear"),
        (REGRESSION, "EstimatorType=CE", "MSE", "linear"),
    ],
)
def test_the_file_says_what_was_minimised(analysis, text, estimator, output):
    method = MLP(MLPOptions.parse(f"NCycles=2:CalculateErrors:{text}"))
    where = context(analysis)
    events = sample(n_classes=3 if analysis is MULTICLASS else 2)
    state = method.fit(events, where)
    assert method.options.estimator_type == estimator
    assert state.output == output
    assert ("EstimatorType" in method.options.modified) == bool(text)
    element = ET.Element("Weights")
    method.write_state(state, element)
    options = {spec.name: spec.text(value) for spec, value in method.options.items()}
    again = method.read_state(
        ET.fromstring(ET.tostring(element)),
        WeightContext(analysis, "M", VARIABLES, where.classes, where.targets, options, lambda name: b"", {}),
    )
    np.testing.assert_allclose(method.predict(again, events.X), method.predict(state, events.X), rtol=1e-12)
    np.testing.assert_allclose(again.inverse_hessian, state.inverse_hessian, rtol=1e-15)
    assert state.inverse_hessian.shape == (sum(w.size for w in state.weights),) * 2


def test_errors_are_kept_where_they_are_asked_for():
    for text, kept in (("", False), ("CalculateErrors", True), ("TrainingMethod=BFGS:UseRegulator", True)):
        state = train_perceptron(MLPOptions.parse(f"NCycles=2:{text}"), sample(), context())
        assert (state.inverse_hessian is not None) == kept


# ------------------------------------------------------------------------------------------ what is told


def test_what_is_refused():
    with pytest.raises(MethodError, match="TrainingMethod=GA.*TrainingMethod=BP or BFGS"):
        MLP(MLPOptions.parse("TrainingMethod=GA")).check(context())
    with pytest.raises(MethodError, match="HiddenLayers"):
        MLP(MLPOptions.parse("HiddenLayers=x")).check(context())
    with pytest.raises(OptionError, match="'ValidationSize' of MLP takes"):
        MLP(MLPOptions.parse("ValidationSize=much")).check(context())
    with pytest.raises(OptionError, match="which is 60 of the 60 training events"):
        train("ValidationSize=60")
    with pytest.raises(MethodError, match="M has no training events"):
        train("", events=sample().select(slice(0, 0)))
    with pytest.raises(MethodError, match="no longer finite after 12 cycles; a smaller LearningRate"):
        train("LearningRate=1e9:EstimatorType=MSE:NeuronType=linear")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("TrainingMethod=BFGS:LearningRate=0.1", "LearningRate changes nothing with TrainingMethod=BFGS"),
        ("Tau=2", "Tau changes nothing with TrainingMethod=BP"),
        ("BatchSize=9", "BatchSize changes nothing with BPMode=sequential"),
        ("UseRegulator", "UseRegulator changes nothing of the weights with TrainingMethod=BP"),
        ("SamplingEpoch=0.3", "SamplingEpoch changes nothing without Sampling"),
        ("SamplingTesting", "SamplingTesting changes nothing without Sampling"),
        ("!SamplingTraining:Sampling=0.5", "Sampling changes nothing without SamplingTraining or SamplingTesting"),
        ("TrainingMethod=BFGS:UpdateLimit=5", "UpdateLimit changes nothing without UseRegulator"),
        ("ConvergenceImprove=9", "ConvergenceImprove changes nothing without ConvergenceTests"),
        (
            "ConvergenceImprove=-1:ConvergenceTests=1",
            "ConvergenceTests changes nothing with a negative ConvergenceImprove",
        ),
    ],
)
def test_what_changes_nothing_is_told(caplog, text, told):
    with caplog.at_level(logging.WARNING):
        MLP(MLPOptions.parse(text)).check(context())
    assert told in caplog.text
    name = text.rsplit(":", 1)[-1]
    before = text.removesuffix(name)
    np.testing.assert_array_equal(train(text), train(before))


def test_a_cross_entropy_of_targets_is_told_of(caplog):
    with caplog.at_level(logging.WARNING):
        MLP(MLPOptions.parse("EstimatorType=CE")).check(context(REGRESSION))
    assert "EstimatorType=CE is for two classes; as in TMVA, MSE is taken for Regression" in caplog.text
    caplog.clear()
    MLP(MLPOptions()).check(context(REGRESSION))
    assert not caplog.text


def test_too_many_weights_are_told_of(caplog):
    with caplog.at_level(logging.WARNING):
        train("HiddenLayers=50:NCycles=1")
    assert "more weights (201) than there are events to train on (60)" in caplog.text


def test_what_is_recorded():
    ticks: list[tuple[float, float, str]] = []
    where = context(tick=lambda done, total, note="": ticks.append((done, total, note)))
    options = MLPOptions.parse("NCycles=20:HiddenLayers=3:TestRate=5:EpochMonitoring:ValidationSize=20")
    method = MLP(options)
    events = sample()
    state = method.fit(events, where)
    curves = {curve.name: curve for curve in method.monitoring(state)}
    assert curves["estimatorHistTrain"].x.tolist() == [5, 10, 15, 20]
    assert ticks[3][2].startswith("estimator ")
    assert ticks[-1][:2] == (20, 20)
    assert not np.allclose(curves["estimatorHistTrain"].y, curves["estimatorHistTest"].y)
    last = curves["epochmonitoring___epoch_0019_weights"]
    np.testing.assert_array_equal(last.y, np.concatenate([w.ravel() for w in state.weights]))
    train_signal = curves["convergencetest___mlp_train_epoch_0019_S"]
    assert len(train_signal.x) == 100
    assert train_signal.x[0] == -1.98
    totals = [
        curves[f"convergencetest___mlp_{kind}_epoch_0019_{c}"].y.sum() for kind in ("train", "test") for c in "SB"
    ]
    assert sum(totals) == pytest.approx(events.weight.sum())
    assert totals[0] + totals[2] == pytest.approx(events.weight[events.is_signal].sum())
    # The estimators follow from the weights that were recorded with them.
    goal = Objective((2, 3, 1), "sigmoid", "sum", "CE")
    plain = MLP(MLPOptions.parse("NCycles=20:HiddenLayers=3:TestRate=5"))
    state = plain.fit(events, context())
    weights = np.concatenate([w.ravel() for w in state.weights])
    everything = Events(events.X.astype(float), events.is_signal.astype(float)[:, np.newaxis], events.weight)
    assert state.curves[0].y[-1] == pytest.approx(goal.mean_estimator(everything, weights), rel=1e-12)
    assert not any("epoch_" in curve.name for curve in state.curves)


@pytest.mark.parametrize("text", ["", "TrainingMethod=BFGS:ConvergenceTests=3:SamplingEpoch=0.5:Sampling=0.5"])
def test_an_interrupt_keeps_the_weights(text):
    def tick(done, total, note=""):
        if done == 10:
            raise KeyboardInterrupt

    options = MLPOptions.parse(f"NCycles=40:HiddenLayers=3:TestRate=5:{text}")
    with pytest.warns(MvakitWarning, match="interrupted in cycle 10 of 40; the weights of this moment are kept"):
        state = train_perceptron(options, sample(), context(tick=tick))
    shorter = train_perceptron(dataclasses.replace(options, epoch_monitoring=True, n_cycles=40), sample(), context())
    tenth = next(c for c in shorter.curves if c.name == "epochmonitoring___epoch_0009_weights")
    np.testing.assert_array_equal(np.concatenate([w.ravel() for w in state.weights]), tenth.y)


def test_convergence_ends_the_training(caplog):
    with caplog.at_level(logging.INFO):
        log = Messenger("M")
        options = MLPOptions.parse("NCycles=50:HiddenLayers=3:TestRate=5:ConvergenceTests=1:ConvergenceImprove=9")
        train_perceptron(options, sample(), context(log=log))
    assert "The training ended after cycle 10 of 50" in caplog.text
    # While events are sampled, convergence goes on to the cycles with all events; BP then decays its rate faster first.
    sampled = dataclasses.replace(options, sampling=0.5, sampling_epoch=0.4)
    state = train_perceptron(sampled, sample(), context())
    assert state.curves[0].x.tolist() == [5, 10, 25, 30, 35]
    quasi_newton = dataclasses.replace(sampled, training_method="BFGS")
    assert train_perceptron(quasi_newton, sample(), context()).curves[0].x.tolist() == [5, 10, 25, 30]

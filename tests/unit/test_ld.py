from __future__ import annotations

import logging
from dataclasses import replace
from math import fsum
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods.ld import LD, LDOptions, LDState

from mvakit.dataset import Sample
from mvakit.errors import MethodError, WeightFileError
from mvakit.method import FitContext, WeightContext
from mvakit.progress import Messenger
from mvakit.types import AnalysisType
from mvakit.variables import define

CLASSES = ("Signal", "Background")


def context(*labels: str) -> FitContext:
    variables = tuple(define(label) for label in labels or ("a", "b"))
    return FitContext(AnalysisType.CLASSIFICATION, "LD", variables, CLASSES, log=Messenger("LDTest"))


def regression(*targets: str) -> FitContext:
    return replace(
        context(),
        analysis=AnalysisType.REGRESSION,
        classes=("Regression",),
        targets=tuple(define(label) for label in targets),
    )


def multiclass(*classes: str) -> FitContext:
    return replace(context(), analysis=AnalysisType.MULTICLASS, classes=classes)


def sample(n: int = 80, *, negative: bool = False) -> Sample:
    rng = np.random.default_rng(11)
    which = (rng.random(n) < 0.7).astype(int)
    X = rng.normal(size=(n, 2)) @ [[2, 0.7], [0, 1]] + np.outer(which, [1.0, -0.5]) + [3, 100]
    weight = rng.uniform(0.2, 3, n)
    if negative:
        weight[::8] *= -1
    return Sample(X.astype(np.float32), which, weight)


@pytest.mark.parametrize("negative", [False, True])
def test_the_coefficients_minimise_the_weighted_squares(negative):
    train = sample(negative=negative)
    state = LD(LDOptions()).fit(train, context())
    rows = [
        ((1.0, *x), w, float(c == 0))
        for x, w, c in zip(train.X.tolist(), train.weight.tolist(), train.class_index, strict=True)
    ]
    total = fsum(w for _, w, _ in rows)
    # At the minimum the residuals are orthogonal to every input, the constant among them.
    mean = [fsum(w * x[i] for x, w, _ in rows) / total for i in range(3)]
    signal = fsum(w * y for _, w, y in rows) / total
    a, b = state.coefficients[:, 0]
    constant = signal - a * mean[1] - b * mean[2]
    for i in range(3):
        terms = [w * x[i] * (y - constant - a * x[1] - b * x[2]) for x, w, y in rows]
        assert fsum(terms) == pytest.approx(0, abs=1e-11 * sum(map(abs, terms)))
    # TMVA's offset is not that of the fit.
    assert state.offset[0] == pytest.approx(-0.5 * (a * mean[1] + b * mean[2]), rel=1e-12)


def measured(*, negative: bool = False) -> Sample:
    """A target far from zero that bends, and one of another size."""
    train = sample(negative=negative)
    a, b = train.X.astype(np.float64).T
    targets = np.column_stack([500 + a**2 - 3 * b, 1e-3 * (a * b + 2)])
    return replace(train, class_index=np.zeros(len(train), int), targets=targets.astype(np.float32))


def assert_least_squares(train: Sample, wanted: np.ndarray, offset: float, coefficients: np.ndarray) -> None:
    """At the minimum the weighted residuals are orthogonal to every input and to a constant."""
    rows = list(zip(train.X.tolist(), train.weight.tolist(), wanted.tolist(), strict=True))
    residuals = [w * (y - offset - fsum(c * v for c, v in zip(coefficients, x, strict=True))) for x, w, y in rows]
    for column in ([1.0] * len(rows), *zip(*(x for x, _, _ in rows), strict=True)):
        terms = [c * r for c, r in zip(column, residuals, strict=True)]
        assert fsum(terms) == pytest.approx(0, abs=1e-10 * sum(map(abs, terms)))


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("targets", [("y",), ("y", "z")])
def test_a_regression_minimises_the_weighted_squares_of_each_target(negative, targets):
    train = measured(negative=negative)
    train = replace(train, targets=train.targets[:, : len(targets)])
    method = LD(LDOptions())
    state = method.fit(train, regression(*targets))
    assert state.coefficients.shape == (2, len(targets))
    for k in range(len(targets)):
        assert_least_squares(train, train.targets[:, k].astype(float), state.offset[k], state.coefficients[:, k])
    estimates = method.predict(state, train.X)
    assert estimates.shape == ((80,) if len(targets) == 1 else (80, 2))
    # The constant of the fit makes the mean right.
    np.testing.assert_allclose(
        np.average(estimates, axis=0, weights=train.weight).ravel(),
        np.average(train.targets, axis=0, weights=train.weight),
        rtol=2e-7,
    )
    # TMVA adds the terms of an estimate in single precision.
    assert (estimates == estimates.astype(np.float32)).all()


def test_a_linear_target_is_found():
    train = measured()
    wanted = (train.X.astype(np.float64) @ [[0.25], [-4.0]] + 1000).astype(np.float32)
    state = LD(LDOptions()).fit(replace(train, targets=wanted), regression("y"))
    assert state.coefficients.ravel() == pytest.approx([0.25, -4.0], rel=1e-4)
    assert state.offset == pytest.approx([1000], rel=1e-4)


def test_a_multiclass_output_is_the_least_squares_of_its_class():
    train = sample(120)
    train = replace(train, class_index=np.arange(120) % 3, X=train.X + np.outer(np.arange(120) % 3, [1, 2]))
    train = replace(train, X=train.X.astype(np.float32))
    method = LD(LDOptions())
    state = method.fit(train, multiclass("s", "b", "c"))
    for k in range(3):
        assert_least_squares(train, (train.class_index == k).astype(float), state.offset[k], state.coefficients[:, k])
    response = method.predict(state, train.X)
    np.testing.assert_allclose(response.sum(axis=1), 1, rtol=5e-6)
    for k in range(3):
        assert response[train.class_index == k, k].mean() > response[train.class_index != k, k].mean()


def test_two_classes_of_a_multiclass_analysis_have_two_outputs():
    train = sample()
    both = LD(LDOptions()).fit(train, multiclass("s", "b"))
    binary = LD(LDOptions()).fit(train, context())
    np.testing.assert_allclose(both.coefficients, binary.coefficients * [1, -1], rtol=1e-10)
    assert both.offset.sum() == pytest.approx(1)


def test_events_without_positive_weight_are_refused():
    train = measured()
    with pytest.raises(MethodError, match="LD: the 80 training events have a sum of weights of -80; it has to be pos"):
        LD(LDOptions()).fit(train.with_weight(np.full(80, -1.0)), regression("y", "z"))
    with pytest.raises(MethodError, match="the 0 training events of class 'c' have"):
        LD(LDOptions()).fit(sample(), multiclass("a", "b", "c"))


def test_a_class_without_positive_weight_is_named():
    train = sample()
    with pytest.raises(MethodError, match="LD: the 0 training events of class 'Signal' have a sum of weights of 0"):
        LD(LDOptions()).fit(train.select(train.class_index == 1), context())
    weight = np.where(train.class_index == 1, -1.0, 1.0)
    with pytest.raises(MethodError, match="class 'Background' have a sum of weights of -"):
        LD(LDOptions()).fit(train.with_weight(weight), context())


def test_constant_and_dependent_variables_are_named():
    train = sample()
    flat = np.column_stack([train.X[:, 0], np.full(len(train), 7)]).astype(np.float32)
    with pytest.raises(MethodError, match="the variable 'b' has no spread in the training events"):
        LD(LDOptions()).fit(train.with_inputs(flat), context())
    twice = np.column_stack([train.X[:, 0], -3 * train.X[:, 0]]).astype(np.float32)
    with pytest.raises(MethodError, match="the variables 'a' and 'b' have a linear relation"):
        LD(LDOptions()).fit(train.with_inputs(twice), context())


def test_ranking_is_by_the_size_of_the_coefficients():
    state = LDState(np.zeros(1), np.array([[0.5], [-2.0], [1.0]]))
    ranking = LD(LDOptions()).ranking(state, context("a", "b", "c").variables)
    assert ranking is not None
    assert ranking.criterion == "Discr. power"
    assert ranking.ordered() == [("b", 2.0), ("c", 1.0), ("a", 0.5)]


def test_the_coefficients_are_printed(caplog):
    with caplog.at_level(logging.INFO):
        state = LD(LDOptions.parse("VarTransform=D")).fit(sample(), context("a", "b"))
    assert "Results for LD coefficients:" in caplog.text
    assert "transformation D" in caplog.text
    assert f"       b: {state.coefficients[1, 0]:+12.3f}" in caplog.text


def test_each_output_has_its_table(caplog):
    with caplog.at_level(logging.INFO):
        state = LD(LDOptions()).fit(measured(), regression("y", "z"))
    assert "Results for LD coefficients of y:" in caplog.text
    assert "Results for LD coefficients of z:" in caplog.text
    for offset in state.offset:
        assert f"(offset): {offset:+12.3f}" in caplog.text


# ------------------------------------------------------------------------------------------------- weight file


def weight_context(n: int = 2, question: FitContext | None = None) -> WeightContext:
    variables = tuple(define(f"v{i}") for i in range(n))
    of = question or context()
    return WeightContext(of.analysis, "LD", variables, of.classes, of.targets, {}, lambda name: b"", {})


@pytest.mark.parametrize(
    ("outputs", "question"),
    [(1, context()), (1, regression("y")), (3, regression("y", "z", "t")), (3, multiclass("s", "b", "c"))],
)
def test_writing_and_reading_give_the_same_state(outputs, question):
    rng = np.random.default_rng(0)
    method = LD(LDOptions())
    state = LDState(rng.normal(size=outputs), rng.normal(size=(2, outputs)))
    element = ET.Element("Weights")
    assert method.write_state(state, element) == {}
    assert element.attrib == {"NOut": str(outputs), "NCoeff": "3"}
    again = method.read_state(ET.fromstring(ET.tostring(element)), weight_context(2, question))
    assert (again.offset == state.offset).all()
    assert (again.coefficients == state.coefficients).all()
    X = rng.normal(size=(5, 2)).astype(np.float32)
    response = method.predict(again, X)
    assert response.shape == ((5,) if outputs == 1 else (5, 3))
    affine = method.structure(again)
    expected = affine.offset + X.astype(np.float64) @ affine.coefficients
    np.testing.assert_allclose(response.reshape(5, outputs), expected, rtol=1e-6, atol=5e-7)
    assert (method.predict(again, X[3:4]).ravel() == response.reshape(5, outputs)[3]).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<Weights NCoeff='2'/>", "lacks the attribute 'NOut'"),
        ("<Weights NOut='0' NCoeff='2'/>", "NOut='0'> of LD should hold one output for each of: signal"),
        ("<Weights NOut='1' NCoeff='4'/>", "should hold 2 coefficients for each output"),
        ("<Weights NOut='1' NCoeff='2'/>", "lacks the coefficient 0 of the output 0"),
        (
            "<Weights NOut='1' NCoeff='2'><Coefficient IndexOut='1' IndexCoeff='0' Value='1'/></Weights>",
            "between 0 and 0",
        ),
        ("<Weights NOut='1' NCoeff='2'><Coefficient IndexOut='0' IndexCoeff='0' Value='x'/></Weights>", "a number"),
        (
            "<Weights NOut='1' NCoeff='2'>" + 2 * "<Coefficient IndexOut='0' IndexCoeff='1' Value='1'/>" + "</Weights>",
            "two coefficients 1 for the output 0",
        ),
    ],
)
def test_damaged_files_are_refused(text, words):
    with pytest.raises(WeightFileError, match=words):
        LD(LDOptions()).read_state(ET.fromstring(text), weight_context(1))


def test_outputs_have_to_fit_the_targets_and_classes():
    element = ET.Element("Weights")
    method = LD(LDOptions())
    method.write_state(LDState(np.zeros(2), np.zeros((2, 2))), element)
    with pytest.raises(WeightFileError, match="NOut='2'> of LD should hold one output for each of: y, z, t"):
        method.read_state(element, weight_context(2, regression("y", "z", "t")))
    with pytest.raises(WeightFileError, match="should hold one output for each of: s, b, c"):
        method.read_state(element, weight_context(2, multiclass("s", "b", "c")))
    assert method.read_state(element, weight_context(2, regression("y", "z"))).offset.shape == (2,)

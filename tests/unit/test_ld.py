from __future__ import annotations

import logging
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
    with pytest.raises(MethodError, match="the variable 'b' has no spread"):
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


# ------------------------------------------------------------------------------------------------- weight file


def weight_context(n: int = 2) -> WeightContext:
    variables = tuple(define(f"v{i}") for i in range(n))
    return WeightContext(AnalysisType.CLASSIFICATION, "LD", variables, CLASSES, (), {}, lambda name: b"", {})


@pytest.mark.parametrize("outputs", [1, 3])
def test_writing_and_reading_give_the_same_state(outputs):
    rng = np.random.default_rng(0)
    method = LD(LDOptions())
    state = LDState(rng.normal(size=outputs), rng.normal(size=(2, outputs)))
    element = ET.Element("Weights")
    assert method.write_state(state, element) == {}
    assert element.attrib == {"NOut": str(outputs), "NCoeff": "3"}
    again = method.read_state(ET.fromstring(ET.tostring(element)), weight_context())
    assert (again.offset == state.offset).all()
    assert (again.coefficients == state.coefficients).all()
    X = rng.normal(size=(5, 2)).astype(np.float32)
    response = method.predict(again, X)
    assert response.shape == ((5,) if outputs == 1 else (5, 3))
    affine = method.structure(again)
    expected = affine.offset + X.astype(np.float64) @ affine.coefficients
    np.testing.assert_allclose(response.reshape(5, outputs), expected, rtol=1e-12, atol=1e-14)
    assert (method.predict(again, X[3:4]).ravel() == response.reshape(5, outputs)[3]).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<Weights NCoeff='2'/>", "lacks the attribute 'NOut'"),
        ("<Weights NOut='0' NCoeff='2'/>", "between 1 and"),
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

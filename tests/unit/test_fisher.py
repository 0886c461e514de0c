from __future__ import annotations

import logging
from math import fsum, sqrt
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods import _linear
from mvakit_methods.fisher import Fisher, FisherOptions, FisherState

from mvakit.dataset import Sample
from mvakit.errors import MethodError, OptionError, WeightFileError
from mvakit.method import FitContext, WeightContext
from mvakit.progress import Messenger
from mvakit.types import AnalysisType
from mvakit.variables import define

CLASSES = ("Signal", "Background")


def context(*labels: str) -> FitContext:
    variables = tuple(define(label) for label in labels or ("a", "b", "c"))
    return FitContext(AnalysisType.CLASSIFICATION, "Fisher", variables, CLASSES, log=Messenger("FisherTest"))


def sample(n: int = 90, *, negative: bool = False, seed: int = 5) -> Sample:
    rng = np.random.default_rng(seed)
    which = (rng.random(n) < 0.4).astype(int)
    X = (
        rng.normal(size=(n, 3)) @ [[1, 0.4, 0], [0, 1, -0.6], [0.2, 0, 3]]
        + np.outer(which, [0.5, -1.5, 2])
        + [10, 0, -4]
    )
    weight = rng.uniform(0.5, 2, n) * np.where(which == 0, 1.0, 3.0)
    if negative:
        weight[::9] *= -1
    return Sample(X.astype(np.float32), which, weight)


def by_hand(train: Sample) -> tuple[list[list[float]], list[list[list[float]]], list[float]]:
    """Means, covariances and sums of weights of both classes, event by event in exact sums."""
    means, covariances, sums = [], [], []
    for index in (0, 1):
        rows = [
            (x, w)
            for x, w, c in zip(train.X.tolist(), train.weight.tolist(), train.class_index, strict=True)
            if c == index
        ]
        total = fsum(w for _, w in rows)
        mean = [fsum(w * x[i] for x, w in rows) / total for i in range(3)]
        covariances.append(
            [
                [fsum(w * (x[i] - mean[i]) * (x[j] - mean[j]) for x, w in rows) / total for j in range(3)]
                for i in range(3)
            ]
        )
        means.append(mean)
        sums.append(total)
    return means, covariances, sums


def solve(matrix, right):
    """Gauss' elimination, independent of any library."""
    rows = [[*row, r] for row, r in zip(matrix, right, strict=True)]
    for i in range(len(rows)):
        for k in range(len(rows)):
            if k != i:
                factor = rows[k][i] / rows[i][i]
                rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i], strict=True)]
    return [row[-1] / row[i] for i, row in enumerate(rows)]


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("method", ["Fisher", "Mahalanobis"])
def test_coefficients_and_power_are_those_of_the_definition(method, negative):
    train = sample(negative=negative)
    state = Fisher(FisherOptions.parse(method)).fit(train, context())
    (signal, background), (c_s, c_b), (s_s, s_b) = by_hand(train)
    common = [(s_s * a + s_b * b) / (s_s + s_b) for a, b in zip(signal, background, strict=True)]
    between = [
        [
            (s_s * (signal[i] - common[i]) * (signal[j] - common[j])
             + s_b * (background[i] - common[i]) * (background[j] - common[j])) / (s_s + s_b)
            for j in range(3)
        ]
        for i in range(3)
    ]  # fmt: skip
    within = [[c_s[i][j] + c_b[i][j] for j in range(3)] for i in range(3)]
    everything = [[within[i][j] + between[i][j] for j in range(3)] for i in range(3)]
    difference = [a - b for a, b in zip(signal, background, strict=True)]
    factor = sqrt(s_s * s_b) / (s_s + s_b)
    expected = [factor * v for v in solve(within if method == "Fisher" else everything, difference)]
    offset = -0.5 * sum(f * (a + b) for f, a, b in zip(expected, signal, background, strict=True))
    np.testing.assert_allclose(state.coefficients, expected, rtol=1e-11)
    assert state.offset == pytest.approx(offset, rel=1e-10)
    np.testing.assert_allclose(state.power, [between[i][i] / everything[i][i] for i in range(3)], rtol=1e-11)


def test_a_sample_longer_than_a_block_is_the_sum_of_its_blocks(monkeypatch):
    train = sample(3000)
    fitted = [Fisher(FisherOptions()).fit(train, context())]
    monkeypatch.setattr(_linear, "_BLOCK", 100_000)
    fitted.append(Fisher(FisherOptions()).fit(train, context()))
    np.testing.assert_allclose(fitted[0].coefficients, fitted[1].coefficients, rtol=1e-12)


def test_inputs_far_from_zero_lose_nothing():
    train = sample(500)
    shift = np.array([0, 4096, -65536], np.float32)
    train = train.with_inputs(np.round(train.X * 64) / 64)
    state = Fisher(FisherOptions()).fit(train, context())
    moved = Fisher(FisherOptions()).fit(train.with_inputs(train.X + shift), context())
    np.testing.assert_allclose(moved.coefficients, state.coefficients, rtol=1e-9)


def test_the_bare_token_of_tmva_is_an_option():
    assert FisherOptions.parse("H:!V:Fisher:VarTransform=D,G").method == "Fisher"
    assert FisherOptions.parse("Method=mahalanobis").method == "Mahalanobis"
    with pytest.raises(OptionError, match="Mahalanobis"):
        FisherOptions.parse("Method=Mahalonobis")


@pytest.mark.parametrize("n", [0, 1, 2, _linear._BLOCK, _linear._BLOCK + 1, 2 * _linear._BLOCK + 7])
def test_a_response_is_the_same_alone_and_among_many(n):
    state = FisherState(0.1, np.array([1 / 3, -2e-5, 7e4]))
    X = np.random.default_rng(2).normal(size=(n, 3)).astype(np.float32)
    method = Fisher(FisherOptions())
    response = method.predict(state, X)
    assert response.shape == (n,)
    assert response.dtype == np.float64
    for i in {0, n // 2, n - 1} if n else ():
        x = [float(v) for v in X[i]]
        alone = ((0.1 + (1 / 3) * x[0]) + -2e-5 * x[1]) + 7e4 * x[2]
        assert response[i] == method.predict(state, X[i : i + 1])[0] == alone


@pytest.mark.parametrize("absent", [0, 1])
def test_a_class_without_events_is_named(absent):
    train = sample()
    with pytest.raises(
        MethodError, match=f"0 training events of class '{CLASSES[absent]}' have a sum of weights of 0;"
    ):
        Fisher(FisherOptions()).fit(train.select(train.class_index != absent), context())


def test_a_class_without_positive_weight_is_named():
    train = sample()
    weight = np.where(train.class_index == 1, -train.weight, train.weight)
    with pytest.raises(MethodError, match=r"Fisher: .* class 'Background' have a sum of weights of -"):
        Fisher(FisherOptions()).fit(train.with_weight(weight), context())


def test_constant_variables_are_named():
    train = sample()
    X = train.X.copy()
    X[:, 1] = 3.3
    with pytest.raises(MethodError, match="the variable 'b' has no spread"):
        Fisher(FisherOptions()).fit(train.with_inputs(X), context())
    X[:, 2] = np.where(train.is_signal, 1, 2)
    with pytest.raises(MethodError, match="the variables 'b' and 'c' have no spread within the classes"):
        Fisher(FisherOptions()).fit(train.with_inputs(X), context())


@pytest.mark.parametrize("scale", [1, 1e-6, 1e12])
def test_variables_that_depend_on_one_another_are_named(scale):
    train = sample(400)
    X = np.column_stack([train.X, 0.5 * train.X[:, 0] - 2 * train.X[:, 2]]) * np.float32(scale)
    with pytest.raises(MethodError, match=r"singular: the variables 'a', 'c' and 'd' have a linear relation"):
        Fisher(FisherOptions()).fit(train.with_inputs(X.astype(np.float32)), context("a", "b", "c", "d"))


def test_variables_that_nearly_depend_on_one_another_are_told_of(caplog):
    train = sample(400)
    noise = np.random.default_rng(0).normal(size=400) * 1e-4
    X = np.column_stack([train.X, train.X[:, 1] + noise]).astype(np.float32)
    with caplog.at_level(logging.WARNING):
        Fisher(FisherOptions()).fit(train.with_inputs(X), context("a", "b", "c", "d"))
    assert "almost singular: the variables 'b' and 'd' have almost a linear relation" in caplog.text


def test_a_covariance_that_negative_weights_turned_over_is_told_of(caplog):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 2)).astype(np.float32)
    weight = np.ones(200)
    # Far away and negative: the weighted variance of the first variable is negative, the sum of weights is not.
    X[:20, 0] *= 100
    weight[:20] = -1
    train = Sample(X, np.arange(200) % 2, weight)
    with caplog.at_level(logging.WARNING):
        state = Fisher(FisherOptions()).fit(train, context("a", "b"))
    assert "not positive definite" in caplog.text
    assert np.isfinite(state.coefficients).all()


def test_the_coefficients_are_printed(caplog):
    with caplog.at_level(logging.INFO):
        state = Fisher(FisherOptions.parse("VarTransform=N")).fit(sample(), context("a", "b", "a_long_label"))
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "Results for Fisher coefficients:"
    assert "transformation N" in lines[1]
    assert f"a_long_label: {state.coefficients[2]:+12.3f}" in lines
    assert f"    (offset): {state.offset:+12.3f}" in lines
    rule = "-" * len("a_long_label:  Coefficient:")
    assert [line for line in lines if line == rule] == [rule] * 3
    assert "    Variable:  Coefficient:" in lines


def test_ranking_puts_the_best_variable_first():
    train = sample()
    method = Fisher(FisherOptions())
    state = method.fit(train, context())
    ranking = method.ranking(state, context().variables)
    assert ranking is not None
    assert ranking.criterion == "Discr. power"
    assert [label for label, _ in ranking.values] == ["a", "b", "c"]
    assert ranking.ordered()[0][0] == "abc"[int(np.argmax(state.power))]


def test_structure_is_the_response():
    method = Fisher(FisherOptions())
    state = method.fit(sample(), context())
    affine = method.structure(state)
    X = sample(seed=8).X
    np.testing.assert_allclose(
        (affine.offset + X.astype(np.float64) @ affine.coefficients)[:, 0], method.predict(state, X), rtol=1e-12
    )


# ------------------------------------------------------------------------------------------------- weight file


def weight_context(n: int = 3) -> WeightContext:
    variables = tuple(define(f"v{i}") for i in range(n))
    return WeightContext(AnalysisType.CLASSIFICATION, "Fisher", variables, CLASSES, (), {}, lambda name: b"", {})


def test_writing_and_reading_give_the_same_state():
    method = Fisher(FisherOptions())
    state = method.fit(sample(), context())
    element = ET.Element("Weights")
    assert method.write_state(state, element) == {}
    assert element.attrib == {"NCoeff": "4"}
    assert [c.attrib["Index"] for c in element] == ["0", "1", "2", "3"]
    again = method.read_state(ET.fromstring(ET.tostring(element)), weight_context())
    assert again.offset == state.offset
    assert (again.coefficients == state.coefficients).all()
    assert method.ranking(again, weight_context().variables) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<Weights/>", "lacks the attribute 'NCoeff'"),
        ("<Weights NCoeff='2'><Coefficient Index='0' Value='1'/></Weights>", "lacks the coefficient 1"),
        ("<Weights NCoeff='5'/>", "should hold 2 coefficients, one for each of the 1 variables"),
        ("<Weights NCoeff='2'><Coefficient Index='2' Value='1'/></Weights>", "between 0 and 1"),
        ("<Weights NCoeff='2'><Coefficient Index='0' Value='nan'/></Weights>", "finite"),
        (
            "<Weights NCoeff='2'>" + 2 * "<Coefficient Index='0' Value='1'/>" + "</Weights>",
            "two coefficients with the index 0",
        ),
    ],
)
def test_damaged_files_are_refused(text, words):
    with pytest.raises(WeightFileError, match=words):
        Fisher(FisherOptions()).read_state(ET.fromstring(text), weight_context(1))

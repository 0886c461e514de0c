"""Means and covariances in one pass: exact where they can be, and the same however the events are handed over."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from mvakit.evaluation.correlation import correlation_matrix, correlation_of, covariance_matrix
from mvakit.evaluation.moments import CHUNK, Moments, moments_by_class


def moments(x: np.ndarray, w: np.ndarray | None = None, block: int = 4 * CHUNK) -> Moments:
    made = Moments(Moments.near(x))
    for begin in range(0, len(x), block):
        made.add(x[begin : begin + block], None if w is None else w[begin : begin + block])
    return made


def exact(x: np.ndarray, w: np.ndarray) -> tuple[list[float], list[list[float]]]:
    """Mean and covariance in rational numbers."""
    rows = [[Fraction(float(v)) for v in row] for row in x]
    weights = [Fraction(float(v)) for v in w]
    total = sum(weights)
    size = x.shape[1]
    mean = [sum(v * row[i] for v, row in zip(weights, rows, strict=True)) / total for i in range(size)]
    matrix = [
        [
            sum(v * (row[i] - mean[i]) * (row[j] - mean[j]) for v, row in zip(weights, rows, strict=True)) / total
            for j in range(size)
        ]
        for i in range(size)
    ]
    return [float(m) for m in mean], [[float(c) for c in row] for row in matrix]


@pytest.mark.parametrize("offset", [0.0, 1e3, -1e6])
@pytest.mark.parametrize("low", [0.5, -0.4], ids=["positive", "signed"])
def test_against_rational_numbers(offset: float, low: float) -> None:
    random = np.random.default_rng(1)
    x = (random.normal(size=(300, 3)) @ [[1, 0.9, 0], [0, 1, 0], [0, 0, 5]] + offset).astype(np.float32)
    w = random.uniform(low, 1.5, 300)
    mean, matrix = exact(x, w)
    found = moments(x, w)
    np.testing.assert_allclose(found.mean, mean, rtol=1e-14)
    np.testing.assert_allclose(found.covariance, matrix, rtol=0, atol=1e-14 * np.max(matrix))
    assert found.total == pytest.approx(w.sum(), rel=1e-15)
    np.testing.assert_array_equal([found.minimum, found.maximum], [x.min(axis=0), x.max(axis=0)])
    np.testing.assert_allclose(covariance_matrix(x, np.abs(w)), moments(x, np.abs(w)).covariance, rtol=1e-9)


def test_a_drift_that_leaves_the_origin_far_behind_loses_no_digits() -> None:
    x = np.column_stack([np.arange(200_000), np.random.default_rng(2).normal(size=200_000)]).astype(np.float32)
    n = 200_000
    assert moments(x).covariance[0, 0] == pytest.approx((n * n - 1) / 12, rel=1e-13)


def test_the_sums_do_not_depend_on_the_blocks() -> None:
    random = np.random.default_rng(3)
    x, w = random.normal(size=(5 * CHUNK + 100, 2)).astype(np.float32), random.uniform(size=5 * CHUNK + 100)
    one, other = moments(x, w, block=10**9), moments(x, w, block=CHUNK)
    assert np.array_equal(one.covariance, other.covariance)
    assert np.array_equal(one.mean, other.mean)


def test_what_does_not_vary_has_no_covariance_at_all() -> None:
    x = np.random.default_rng(4).normal(size=(100, 3)).astype(np.float32)
    x[:, 1] = 0.1
    found = Moments(np.array([0.3, 77.7, 0.1]))
    found.add(x, np.random.default_rng(5).uniform(size=100))
    assert not found.covariance[1].any()
    assert not found.covariance[:, 1].any()
    assert np.array_equal(correlation_of(found.covariance)[1], [0, 1, 0])


def test_classes_add_up_to_all_events() -> None:
    random = np.random.default_rng(6)
    x, w = random.normal(size=(9000, 3)).astype(np.float32), random.uniform(size=9000)
    index = random.integers(0, 3, 9000).astype(np.int16)
    blocks = [(x[i : i + CHUNK], index[i : i + CHUNK], w[i : i + CHUNK]) for i in range(0, 9000, CHUNK)]
    found = moments_by_class(blocks, 3, 3)
    for i, of_class in enumerate(found):
        assert of_class.count == (index == i).sum()
        np.testing.assert_allclose(of_class.covariance, moments(x[index == i], w[index == i]).covariance, atol=1e-14)
    every, direct = Moments.joined(found), moments(x, w)
    assert every.count == 9000
    np.testing.assert_allclose(every.covariance, direct.covariance, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(every.mean, direct.mean, rtol=1e-13)
    np.testing.assert_array_equal(every.maximum, x.max(axis=0))
    np.testing.assert_allclose(correlation_of(every.covariance), correlation_matrix(x, w), atol=1e-13)


def test_events_without_weights_count_once() -> None:
    x = np.random.default_rng(7).normal(size=(50, 2)).astype(np.float32)
    np.testing.assert_allclose(moments(x).covariance, np.cov(x.T.astype(np.float64), ddof=0), rtol=1e-14)
    assert moments(x).total == 50


def test_no_events() -> None:
    [found] = moments_by_class([], 2, 1)
    assert found.count == 0
    assert found.total == 0
    assert Moments.near(np.zeros((0, 2))).tolist() == [0, 0]


def test_what_rounding_takes_is_given_back() -> None:
    found = Moments(np.zeros(1))
    for weight in (1e17, *[1.0] * 1000, -1e17):
        found.add(np.ones((1, 1), np.float32), np.array([weight]))
    assert found.total == 1000
    assert found.mean == [1.0]
    twice = Moments.joined([found, found])
    assert twice.total == 2000

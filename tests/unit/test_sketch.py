"""The summary of a column that cannot be sorted: how wrong it may be, how wrong it is, and what U and G make of it."""

from __future__ import annotations

import numpy as np
import pytest

from mvakit.transformations import sketch
from mvakit.transformations.cumulative import Cumulative
from mvakit.transformations.sketch import FAN, QuantileSketch, Summary, stable_order


def summarised(values: np.ndarray, weight: np.ndarray, points: int, block: int = 1000) -> Summary:
    made = QuantileSketch(points)
    for begin in range(0, len(values), block):
        made.add(values[begin : begin + block], weight[begin : begin + block])
    return made.summary()


def shares(values: np.ndarray, weight: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Return the weight up to and including each value of `at`."""
    order = np.argsort(values, kind="stable")
    below = np.concatenate([[0.0], np.cumsum(weight[order])])
    return below[np.searchsorted(values[order], at, side="right")]


DISTRIBUTIONS = {
    "normal": lambda random, n: random.normal(size=n),
    "sorted": lambda random, n: np.sort(random.normal(size=n)),
    "falling": lambda random, n: -np.arange(n),
    "heavy": lambda random, n: random.standard_cauchy(n),
    "spike": lambda random, n: np.where(np.arange(n) == 7, -1, np.maximum(random.normal(-1.5, 1, n), 0)),
    "steps": lambda random, n: np.where(random.uniform(size=n) < 0.5, random.poisson(3, n), random.normal(size=n)),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("low", [0.2, -0.5], ids=["positive", "signed"])
def test_the_error_is_within_what_is_promised(name: str, low: float) -> None:
    random = np.random.default_rng(1)
    n, points = 60_000, 50
    values = DISTRIBUTIONS[name](random, n).astype(np.float32)
    weight = random.uniform(low, 1.0, n) ** 3
    found = summarised(values, weight, points)
    size = np.abs(weight).sum()
    assert len(found.values) < 5 * FAN * points * 2
    assert np.all(np.diff(found.values) > 0)
    assert found.total == pytest.approx(weight.sum(), rel=1e-12)
    assert found.weight.sum() == pytest.approx(weight.sum(), rel=1e-9)
    assert found.smallest_weight == weight.min()
    assert (found.values[0], found.values[-1]) == (values.min(), values.max())
    at = np.quantile(values, np.linspace(0, 1, 5000)).astype(np.float32)
    wrong = np.abs(shares(found.values, found.weight, at) - shares(values, weight, at)).max() / size
    assert 0 < wrong <= found.error
    levels = 1 + np.log(n / (FAN * points)) / np.log(FAN)
    assert found.error <= (levels + 1) / (2 * points)


def test_the_error_that_is_promised_for_the_columns_of_a_large_sample() -> None:
    random = np.random.default_rng(2)
    values = random.normal(size=2_000_000).astype(np.float32)
    found = summarised(values, np.ones(len(values)), sketch.POINTS, 1 << 16)
    assert found.error < 2.5e-4
    at = np.quantile(values, np.linspace(0, 1, 2000)).astype(np.float32)
    wrong = np.abs(shares(found.values, found.weight, at) - shares(values, np.ones(len(values)), at)).max()
    assert wrong / len(values) < 1e-4


@pytest.mark.parametrize("kind", ["few events", "few values"])
def test_short_and_discrete_columns_are_exact(kind: str) -> None:
    random = np.random.default_rng(3)
    n = 300 if kind == "few events" else 100_000
    values = random.normal(size=n) if kind == "few events" else random.poisson(20, n)
    values, weight = values.astype(np.float32), random.uniform(size=n)
    found = summarised(values, weight, 50, 500)
    assert found.error == 0.0
    distinct, inverse = np.unique(values, return_inverse=True)
    assert np.array_equal(found.values, distinct)
    np.testing.assert_allclose(found.weight, np.bincount(inverse, weight), rtol=1e-12)


def test_joining_is_summarising_everything() -> None:
    random = np.random.default_rng(4)
    values, weight = random.normal(size=30_000).astype(np.float32), random.uniform(size=30_000)
    parts = [summarised(values[:10_000], weight[:10_000], 50), summarised(values[10_000:], weight[10_000:], 50)]
    joined = Summary.joined(parts)
    assert joined.total == pytest.approx(weight.sum())
    assert joined.smallest_weight == weight.min()
    assert min(p.error for p in parts) < joined.error < max(p.error for p in parts)
    wrong = np.abs(shares(joined.values, joined.weight, values) - shares(values, weight, values)).max()
    assert wrong <= joined.error * weight.sum()


def test_no_events_and_no_weight() -> None:
    nothing = QuantileSketch().summary()
    assert len(nothing.values) == 0
    assert nothing.total == 0.0
    light = summarised(np.arange(2000, dtype=np.float32), np.zeros(2000), 10)
    assert light.total == 0.0
    assert light.error == 0.0


def test_the_histogram_of_a_summary_is_that_of_the_events() -> None:
    random = np.random.default_rng(5)
    values = random.normal(size=5000).astype(np.float32)
    weight = random.uniform(0.5, 1, 5000).astype(np.float32).astype(np.float64)
    exact = Cumulative.fit(values, weight, stable_order(values))
    found = Cumulative.of_summary(summarised(values, weight, 5000))
    np.testing.assert_array_equal(exact.edges, found.edges)
    np.testing.assert_allclose(exact.contents, found.contents, atol=1e-6)


def test_the_bins_of_a_long_column_hold_a_2000th_each() -> None:
    random = np.random.default_rng(6)
    values = random.exponential(size=400_000).astype(np.float32)
    found = Cumulative.of_summary(summarised(values, np.ones(len(values)), 8192, 1 << 16))
    exact = Cumulative.fit(values, np.ones(len(values)), stable_order(values))
    assert abs(found.contents.size - exact.contents.size) < 250
    assert found.edges[-1] == exact.edges[-1] == values.max()
    at = np.quantile(values, np.linspace(0.001, 0.999, 500))
    ours, theirs = (np.interp(at, c.edges[1:], c.contents) for c in (found, exact))
    assert np.abs(ours - theirs).max() < 5e-4

"""The weighted quantile of TMVA, found by narrowing a range, is the one found by sorting."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from mvakit_methods.bdt import quantiles

RNG = np.random.default_rng(4)
N = 5000
NORMAL = RNG.normal(size=N)
VALUES = {
    "normal": NORMAL,
    "far apart": np.exp(60 * NORMAL),
    "one far away": np.append(NORMAL[1:], 1e300),
    "both ends": np.concatenate([NORMAL[2:], [-1e308, 1e308]]),
    "few values": np.round(NORMAL),
    "mostly one value": np.where(NORMAL > 1.5, NORMAL, 0.25),
    "one value": np.full(N, -3.5),
    "all but one": np.append(np.zeros(N - 1), 1.0),
    "hardly apart": 1e-310 * np.round(9 * NORMAL),
}
WEIGHTS = {
    "equal": np.ones(N),
    "whole": RNG.integers(0, 4, N).astype(np.float64),
    "some negative": RNG.integers(-1, 4, N).astype(np.float64),
}


def by_sorting(values: np.ndarray, weight: np.ndarray, share: float) -> float:
    order = np.argsort(values, kind="stable")
    total, limit, place = 0.0, share * weight.sum(), 0
    while place < len(order) - 1 and total <= limit:
        total += weight[order[place]]
        place += 1
    return values[order[place]]


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_quantile_is_that_of_sorted_values(kind, weights):
    values, weight = VALUES[kind], WEIGHTS[weights]
    for share in (0.0, 1e-3, 0.25, 0.5, 0.7, 0.9995, 1.0):
        assert quantiles.weighted_quantile(values, weight, share) == by_sorting(values, weight, share), share


def test_medians_are_those_of_the_leaves():
    values, first = VALUES["normal"], np.array([0, 3000, 3000, 3001, N])
    weight, found = WEIGHTS["whole"] + 1, np.empty(4)
    quantiles.medians(values, weight, first, 0.8, 0, 4, found)
    for k, (begin, end) in enumerate(itertools.pairwise(first)):
        some = values[begin:end]
        if not len(some):
            assert found[k] == 0
            continue
        median = by_sorting(some, weight[begin:end], 0.5)
        assert found[k] == pytest.approx(median + np.clip(some - median, -0.8, 0.8).mean(), rel=1e-12)

"""Kolmogorov-Smirnov tests: against ROOT 6.40 (numbers below), scipy, and cases done by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from mvakit.errors import DataError
from mvakit.evaluation import Histogram1D, kolmogorov_probability, ks_binned, ks_unbinned

# TMath::KolmogorovProb of ROOT 6.40
ROOT_PROBABILITIES = {
    0.1: 1.0,
    0.2: 0.999999999999495,
    0.3: 0.9999906941986826,
    0.5: 0.9639452437314863,
    0.7: 0.7112351955631828,
    0.9: 0.39273070795172355,
    1.0: 0.26999967167737987,
    1.2: 0.11224966665965574,
    1.5: 0.022217962616525123,
    2.0: 0.0006709252557796953,
    3.0: 3.045995948942526e-08,
    5.0: 3.8574996959278356e-22,
}


@pytest.mark.parametrize(("z", "expected"), ROOT_PROBABILITIES.items())
def test_probability_is_roots(z, expected):
    assert kolmogorov_probability(z) == pytest.approx(expected, rel=1e-8)
    assert kolmogorov_probability(-z) == kolmogorov_probability(z)


def test_probability_is_scipys():
    z = np.linspace(0.01, 4.0, 800)
    np.testing.assert_allclose([kolmogorov_probability(x) for x in z], special.kolmogorov(z), rtol=1e-11, atol=1e-12)
    assert kolmogorov_probability(0.0) == 1.0
    assert kolmogorov_probability(50.0) == 0.0


def histogram(contents, errors=None):
    flow = np.concatenate([[3.0], contents, [5.0]])  # under- and overflow do not count
    variances = None if errors is None else np.concatenate([[1.0], np.square(errors), [1.0]])
    return Histogram1D("h", "h", 0.0, 1.0, flow, variances)


# distance and probability of TH1D::KolmogorovTest (options "M" and none) of ROOT 6.40
def test_binned_is_roots_without_errors():
    result = ks_binned(histogram([3, 7, 12, 9, 4]), histogram([5, 9, 9, 5, 7]))
    assert result.distance == pytest.approx(0.11428571428571427, rel=1e-14)
    assert result.probability == pytest.approx(0.9762589132952211, rel=1e-8)
    assert float(result) == result.probability


def test_binned_is_roots_with_errors_and_a_negative_content():
    first = histogram([1.5, 3.25, 6.0, 4.5, 2.0, -0.25], [0.5, 0.75, 1.0, 0.8, 0.6, 0.3])
    second = histogram([2.0, 4.0, 5.0, 3.0, 3.0, 1.0], [1.0, 1.5, 1.25, 1.0, 1.1, 0.5])
    result = ks_binned(first, second)
    assert result.distance == pytest.approx(0.1192810457516339, rel=1e-14)
    assert result.probability == pytest.approx(0.7735743993820654, rel=1e-8)
    function = histogram([1.0, 2.0, 3.0, 2.0, 1.0, 0.5], np.zeros(6))
    for pair in ((first, function), (function, first)):
        result = ks_binned(*pair)
        assert result.distance == pytest.approx(0.0673374613003096, rel=1e-14)
        assert result.probability == pytest.approx(0.7573210896493795, rel=1e-8)


def test_binned_refuses():
    first = histogram([1.0, 2.0])
    with pytest.raises(DataError, match="different bins"):
        ks_binned(first, histogram([1.0, 2.0, 3.0]))
    with pytest.raises(DataError, match="sum to zero"):
        ks_binned(first, histogram([1.0, -1.0]))
    with pytest.raises(DataError, match="has errors"):
        ks_binned(histogram([1.0, 2.0], [0.0, 0.0]), histogram([1.0, 2.0], [0.0, 0.0]))


def test_unbinned_is_roots():
    # TMath::KolmogorovTest of ROOT 6.40
    first = [0.1, 0.4, 0.5, 0.8, 1.3, 2.2]
    second = [0.2, 0.5, 0.9, 1.1, 1.6, 1.9, 2.5, 3.0]
    result = ks_unbinned(first, second)
    assert result.distance == pytest.approx(0.41666666666666663, rel=1e-14)
    assert result.probability == pytest.approx(0.5910986832397154, rel=1e-8)


def test_unbinned_distance_is_scipys_with_ties():
    rng = np.random.default_rng(5)
    first, second = np.round(rng.normal(0.0, 1.0, 300), 1), np.round(rng.normal(0.2, 1.1, 200), 1)
    expected = stats.ks_2samp(first, second)
    result = ks_unbinned(first, second)
    assert result.distance == pytest.approx(expected.statistic, abs=1e-14)
    assert result.probability == pytest.approx(special.kolmogorov(expected.statistic * np.sqrt(300 * 200 / 500)))


def test_unbinned_weights_by_hand():
    result = ks_unbinned([1.0, 2.0, 3.0], [1.5, 2.5], [1.0, 1.0, 2.0], [3.0, 1.0])
    # cumulative: .25 | .25-.75 | .5-.75 | .5-1 | 1-1
    assert result.distance == pytest.approx(0.5)
    first, second = 16 / 6, 16 / 10
    assert result.probability == pytest.approx(special.kolmogorov(0.5 * np.sqrt(first * second / (first + second))))


def test_unbinned_probability_is_uniform_for_weighted_samples_of_one_distribution():
    rng = np.random.default_rng(7)
    probabilities = [
        ks_unbinned(
            rng.normal(size=400), rng.normal(size=300), rng.exponential(size=400), rng.uniform(0.5, 1.5, 300)
        ).probability
        for _ in range(400)
    ]
    assert stats.kstest(probabilities, "uniform").pvalue > 1e-3


def test_unbinned_refuses():
    with pytest.raises(DataError, match="no second-sample events"):
        ks_unbinned([1.0], [])
    with pytest.raises(DataError, match="entry 1 of the first sample is nan"):
        ks_unbinned([1.0, np.nan], [1.0])
    with pytest.raises(DataError, match="sum to 0"):
        ks_unbinned([1.0, 2.0], [1.0], [1.0, -1.0])

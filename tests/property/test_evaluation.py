"""What holds for every sample: symmetries, bounds, and equality with the definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mvakit.evaluation import (
    ClassSample,
    TwoClassSample,
    evaluate_classification,
    fill,
    ks_unbinned,
    response_histograms,
    roc_curve,
    tmva_estimates,
)


@st.composite
def samples(draw, *, negative=False, max_size=30):
    """Scores with ties, truth and weights, both classes with a positive sum of weights."""
    n_signal, n_background = draw(st.integers(1, max_size)), draw(st.integers(1, max_size))
    n = n_signal + n_background
    scores = draw(hnp.arrays(np.float64, n, elements=st.integers(-6, 6).map(lambda i: i / 4)))
    weights = draw(hnp.arrays(np.float64, n, elements=st.integers(1, 12).map(lambda i: i / 8)))
    is_signal = np.arange(n) < n_signal
    if negative:
        # an event of negative weight in a class whose sum stays positive
        weights[0] = 10.0
        weights[n_signal] = 10.0
        weights = np.where((np.arange(n) % 3 == 2) & (weights < 10.0), -weights / 4, weights)
    return scores, is_signal, weights


def area(scores, is_signal, weights):
    x, y = scores[is_signal][:, np.newaxis], scores[~is_signal]
    products = weights[is_signal][:, np.newaxis] * weights[~is_signal]
    return (products * ((x > y) + 0.5 * (x == y))).sum() / products.sum()


@settings(deadline=None)
@given(samples(negative=True))
def test_area_is_the_definition(sample):
    roc = roc_curve(*sample)
    assert roc.area == pytest.approx(area(*sample), abs=1e-12)
    assert roc.area == pytest.approx(np.trapezoid(roc.signal_efficiency, roc.background_efficiency), abs=1e-12)
    assert roc.area_error >= 0 or np.isnan(roc.area_error)
    assert (roc.signal_efficiency[0], roc.background_efficiency[0]) == (0.0, 0.0)
    assert (roc.signal_efficiency[-1], roc.background_efficiency[-1]) == (1.0, 1.0)


@settings(deadline=None)
@given(samples())
def test_positive_weights_give_a_rising_curve_with_area_in_bounds(sample):
    roc = roc_curve(*sample)
    assert np.all(np.diff(roc.signal_efficiency) >= 0)
    assert np.all(np.diff(roc.background_efficiency) >= 0)
    assert -1e-12 <= roc.area <= 1 + 1e-12
    efficiencies = [roc.signal_efficiency_at(b).value for b in np.linspace(0, 1, 11)]
    assert np.all(np.diff(efficiencies) >= 0)
    assert efficiencies[-1] == 1.0
    for s in np.linspace(0, 1, 7):
        # at the smallest background efficiency that reaches s, the signal efficiency is at least s
        assert roc.signal_efficiency_at(min(1.0, roc.background_efficiency_at(s))).value >= s - 1e-9


@settings(deadline=None)
@given(samples(negative=True), st.randoms(use_true_random=False))
def test_area_does_not_depend_on_order_scale_or_increasing_maps(sample, random):
    scores, is_signal, weights = sample
    expected = roc_curve(*sample)
    order = np.array(random.sample(range(len(scores)), len(scores)))
    for other in (
        roc_curve(scores[order], is_signal[order], weights[order]),
        roc_curve(np.exp(scores), is_signal, 3.5 * weights),
        roc_curve(-scores, is_signal, weights, orientation=-1),
    ):
        assert other.area == pytest.approx(expected.area, abs=1e-12)
        assert other.area_error == pytest.approx(expected.area_error, abs=1e-9, nan_ok=True)
    assert roc_curve(-scores, is_signal, weights).area == pytest.approx(1 - expected.area, abs=1e-12)
    exchanged = roc_curve(scores, ~is_signal, weights)
    assert exchanged.area == pytest.approx(1 - expected.area, abs=1e-12)
    assert exchanged.area_error == pytest.approx(expected.area_error, abs=1e-9, nan_ok=True)


@settings(deadline=None)
@given(samples(max_size=15))
def test_integer_weights_are_copies_of_events(sample):
    scores, is_signal, weights = sample
    copies = (8 * weights).astype(int)
    expanded = roc_curve(np.repeat(scores, copies), np.repeat(is_signal, copies))
    weighted = roc_curve(scores, is_signal, weights)
    assert weighted.area == pytest.approx(expanded.area, abs=1e-12)
    np.testing.assert_allclose(weighted.signal_efficiency, expanded.signal_efficiency, atol=1e-12)
    np.testing.assert_array_equal(weighted.thresholds, expanded.thresholds)


@settings(deadline=None)
@given(samples(), samples())
def test_ks_is_symmetric_and_bounded(first, second):
    result = ks_unbinned(first[0], second[0], first[2], second[2])
    other = ks_unbinned(second[0], first[0], second[2], first[2])
    assert result.distance == pytest.approx(other.distance, abs=1e-12)
    assert result.probability == pytest.approx(other.probability, abs=1e-9)
    assert 0 <= result.distance <= 1 + 1e-12
    assert 0 <= result.probability <= 1
    assert ks_unbinned(first[0], first[0], first[2], first[2]).probability == 1.0


@settings(deadline=None)
@given(samples(negative=True), st.integers(1, 20))
def test_filling_loses_nothing(sample, nbins):
    scores, _, weights = sample
    histogram = fill(ClassSample("x", scores, weights), nbins, -0.7, 0.6, name="h", title="h")
    assert histogram.flow_contents.sum() == pytest.approx(weights.sum(), abs=1e-9)
    position = np.floor(nbins * (scores + 0.7) / (0.6 + 0.7))
    expected = [weights[position == i].sum() for i in range(nbins)]
    np.testing.assert_allclose(histogram.contents, expected, atol=1e-12)
    assert histogram.underflow == pytest.approx(weights[scores < -0.7].sum(), abs=1e-9)
    assert histogram.overflow == pytest.approx(weights[scores >= 0.6].sum(), abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(samples())
def test_histograms_and_estimates_exist_for_every_sample(arrays):
    sample = TwoClassSample.from_arrays(*arrays)
    histograms = response_histograms("M", sample, sample)
    for histogram in (histograms.signal, histograms.background, histograms.signal_fine):
        assert histogram.contents.sum() * histogram.width == pytest.approx(1.0)
    for histogram in (histograms.signal_efficiency, histograms.background_efficiency):
        # with cuts from above the last bin's events are never counted, which may be all of them
        assert histogram.contents.max() == pytest.approx(1.0) or histograms.orientation == -1
        assert np.all(histogram.contents <= 1.0 + 1e-12)
    estimates = tmva_estimates(histograms)
    result = evaluate_classification("M", sample, sample)
    assert all(0.0 <= float(e) <= 1.0 for e in estimates.efficiencies)
    # the integral in 100 steps may exceed 1 a little where the densities are spikes
    assert 0.0 <= estimates.separation <= 1.1
    assert estimates.separation == result.separation
    assert result.ks == (1.0, 1.0)

"""What holds for the evaluation of any multiclass responses and any estimates."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mvakit.evaluation import (
    MulticlassSample,
    RegressionSample,
    best_working_points,
    evaluate_multiclass,
    evaluate_regression,
    multiclass_histograms,
    mutual_information,
    quadratic_deviations,
)


@st.composite
def multiclass(draw, signs=False):
    count = draw(st.integers(2, 4))
    index = np.array([*range(count), *draw(st.lists(st.integers(0, count - 1), max_size=25))])
    scores = draw(arrays(np.float32, (len(index), count), elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])))
    least = -0.5 if signs else 0.25
    weights = draw(arrays(float, len(index), elements=st.floats(least, 4.0)))
    sums = np.bincount(index, weights, minlength=count)
    assume((sums > 0.1).all())
    return MulticlassSample.from_arrays(scores, index, weights, classes=[f"c{i}" for i in range(count)])


@st.composite
def regression(draw):
    length = draw(st.integers(2, 40))
    numbers = arrays(float, length, elements=st.floats(-100.0, 100.0, width=32))
    weights = draw(arrays(float, length, elements=st.floats(0.25, 4.0)))
    return RegressionSample.from_arrays(draw(numbers), draw(numbers), weights, names=["t"])


@settings(deadline=None, max_examples=60)
@given(multiclass())
def test_multiclass_numbers_are_fractions(sample):
    result = evaluate_multiclass("M", sample, sample)
    assert result.test.accuracy == pytest.approx(
        np.dot(np.diag(result.test.assignments.values), np.bincount(sample.class_index, sample.weights))
        / sample.weights.sum()
    )
    np.testing.assert_allclose(result.test.assignments.values.sum(axis=1), 1.0)
    for i in range(len(sample.classes)):
        assert 0.0 <= result.auc[i] <= 1.0 + 1e-12
        assert result.ks[i] == (1.0, 1.0)
        values = np.delete(result.test.one_vs_one.values[i], i)
        assert ((values >= 0.0) & (values <= 1.0 + 1e-12)).all()
        point = result.working_points[i]
        # no cut at all is one of the choices
        own = sample.weights[sample.class_index == i].sum()
        assert point.product >= own / sample.weights.sum() * (1.0 - 1e-9)
        assert 0.0 < point.efficiency <= 1.0 + 1e-12
        assert 0.0 < point.purity <= 1.0 + 1e-12
        assert point.product_error >= 0.0


@settings(deadline=None, max_examples=60)
@given(multiclass(signs=True))
def test_best_cuts_survive_negative_weights(sample):
    for point in best_working_points(sample):
        assert math.isfinite(point.product)
        assert point.purity <= 1.0


@settings(deadline=None, max_examples=40)
@given(multiclass())
def test_multiclass_histograms_have_unit_area(sample):
    for histogram in multiclass_histograms("M", sample):
        assert histogram.contents.sum() * histogram.width == pytest.approx(1.0)


@settings(deadline=None, max_examples=60)
@given(regression(), st.floats(-5.0, 5.0), st.floats(0.5, 4.0))
def test_a_shift_of_the_estimates_moves_the_bias_alone(sample, shift, scale):
    found = evaluate_regression("M", sample).test[0].full
    moved = RegressionSample.from_arrays(sample.estimates + shift, sample.targets, scale * sample.weights, names=["t"])
    other = evaluate_regression("M", moved).test[0].full
    assert other.bias == pytest.approx(found.bias + shift, abs=1e-9)
    assert other.bias_error == pytest.approx(found.bias_error, abs=1e-9)
    assert other.rms == pytest.approx(found.rms, abs=1e-6)
    assert found.mean_absolute >= abs(found.bias) - 1e-9


@settings(deadline=None, max_examples=60)
@given(regression())
def test_truncation_leaves_no_more_spread(sample):
    part = evaluate_regression("M", sample).test[0]
    assert part.truncated.rms <= part.full.rms * (1.0 + 1e-9)


@settings(deadline=None, max_examples=60)
@given(regression())
def test_mutual_information_is_bounded_and_knows_no_order_of_events(sample):
    x, y, w = sample.estimates[:, 0], sample.targets[:, 0], sample.weights
    value, error = mutual_information(x, y, w)
    assert -1e-12 <= value <= math.log(50)
    assert error >= 0.0
    turned = mutual_information(x[::-1], y[::-1], w[::-1])
    assert turned == pytest.approx((value, error), abs=1e-6)


@settings(deadline=None, max_examples=60)
@given(regression())
def test_quadratic_deviations_count_every_event(sample):
    everything, best = quadratic_deviations("M", sample, 0, which="test")
    assert everything.flow_contents.sum() == pytest.approx(sample.weights.sum())
    assert everything.underflow == everything.overflow == best.underflow == best.overflow == 0.0
    # what the bin of the limit holds may fall on either side of it
    assert best.entries <= everything.entries
    assert best.contents.sum() <= sample.weights.sum() * (0.9 + 1e-9) + everything.contents.max()

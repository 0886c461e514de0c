"""The exact ROC curve: against sklearn's numbers, brute force, DeLong's formula and the bootstrap."""

from __future__ import annotations

import numpy as np
import pytest

from mvakit.errors import DataError
from mvakit.evaluation import ClassSample, RocCurve, TwoClassSample, roc_curve

SCORES = np.array([0.9, 0.8, 0.8, 0.7, 0.55, 0.5, 0.5, 0.4, 0.3, 0.3, 0.2, 0.1])
IS_SIGNAL = np.array([1, 1, 0, 1, 1, 0, 1, 0, 1, 0, 0, 0], dtype=bool)
WEIGHTS = np.array([1.0, 0.5, 2.0, 1.5, 0.25, 1.0, 1.0, 0.75, 2.0, 1.25, 0.5, 3.0])
SKLEARN_WEIGHTED = 0.7129411764705882


def brute_force_area(scores, is_signal, weights):
    total = 0.0
    for x, w in zip(scores[is_signal], weights[is_signal], strict=True):
        for y, v in zip(scores[~is_signal], weights[~is_signal], strict=True):
            total += w * v * (1.0 if x > y else 0.5 if x == y else 0.0)
    return total / (weights[is_signal].sum() * weights[~is_signal].sum())


def test_area_is_sklearns():
    # sklearn.metrics.roc_auc_score of the same arrays, without and with sample_weight
    assert roc_curve(SCORES, IS_SIGNAL).area == pytest.approx(0.7916666666666667, abs=1e-15)
    assert roc_curve(SCORES, IS_SIGNAL, WEIGHTS).area == pytest.approx(SKLEARN_WEIGHTED, abs=1e-15)


def test_area_is_the_integral_of_the_curve_and_the_mann_whitney_statistic():
    weights = WEIGHTS * np.where(np.arange(12) % 5 == 3, -0.4, 1.0)
    for w in (WEIGHTS, weights):
        roc = roc_curve(SCORES, IS_SIGNAL, w)
        assert roc.area == pytest.approx(np.trapezoid(roc.signal_efficiency, roc.background_efficiency), abs=1e-14)
        assert roc.area == pytest.approx(brute_force_area(SCORES, IS_SIGNAL, w), abs=1e-14)


def test_points_by_hand():
    roc = roc_curve([0.9, 0.8, 0.8, 0.1], [True, True, False, False], [1.0, 3.0, 1.0, 1.0])
    np.testing.assert_array_equal(roc.thresholds, [np.inf, 0.9, 0.8, 0.1])
    np.testing.assert_allclose(roc.signal_efficiency, [0.0, 0.25, 1.0, 1.0])
    np.testing.assert_allclose(roc.background_efficiency, [0.0, 0.0, 0.5, 1.0])
    np.testing.assert_allclose(roc.background_rejection, [1.0, 1.0, 0.5, 0.0])
    np.testing.assert_array_equal(roc.inverse_background_efficiency, [np.inf, np.inf, 2.0, 1.0])
    assert roc.area == pytest.approx(0.5 * (0.25 + 1.0) / 2 + 0.5)
    assert (roc.effective_signal, roc.effective_background) == (pytest.approx(1.6), pytest.approx(2.0))


def test_points_within_straight_runs_are_dropped():
    roc = roc_curve([6.0, 5.0, 4.0, 3.0, 2.0, 1.0], [True, True, True, False, False, False])
    np.testing.assert_array_equal(roc.thresholds, [np.inf, 4.0, 1.0])
    assert roc.area == 1.0
    assert roc.area_error == 0.0


def test_events_without_weight_change_nothing():
    scores, is_signal = [4.0, 3.0, 2.0, 1.0, 0.0], [False, False, True, False, True]
    roc = roc_curve(scores, is_signal, [1.0, 0.0, 1.0, 1.0, 0.0])
    np.testing.assert_array_equal(roc.thresholds, [np.inf, 4.0, 2.0, 1.0])
    np.testing.assert_array_equal(roc.signal_efficiency, [0.0, 0.0, 1.0, 1.0])
    np.testing.assert_array_equal(roc.background_efficiency, [0.0, 0.5, 0.5, 1.0])
    # nor does a score at which weights cancel
    cancelled = roc_curve([*scores, 3.0], [*is_signal, False], [1.0, 0.5, 1.0, 1.0, 0.0, -0.5])
    np.testing.assert_array_equal(cancelled.signal_efficiency, roc.signal_efficiency)
    np.testing.assert_array_equal(cancelled.background_efficiency, roc.background_efficiency)


def test_points_where_negative_weights_turn_the_curve_are_kept():
    roc = roc_curve([5.0, 4.0, 3.0, 2.0, 1.0], [True, True, True, False, False], [3.0, -1.0, 2.0, 4.0, -2.0])
    np.testing.assert_array_equal(roc.signal_efficiency, [0.0, 0.75, 0.5, 1.0, 1.0, 1.0])
    np.testing.assert_array_equal(roc.background_efficiency, [0.0, 0.0, 0.0, 0.0, 2.0, 1.0])
    assert roc.area == 1.0


def test_all_tied_is_the_diagonal():
    roc = roc_curve(np.ones(7), np.arange(7) < 3)
    np.testing.assert_array_equal(roc.signal_efficiency, [0.0, 1.0])
    assert roc.area == 0.5


def test_orientation_selects_below():
    above, below = roc_curve(-SCORES, IS_SIGNAL, WEIGHTS), roc_curve(-SCORES, IS_SIGNAL, WEIGHTS, orientation=-1)
    assert above.area == pytest.approx(1.0 - SKLEARN_WEIGHTED, abs=1e-14)
    assert below.area == pytest.approx(SKLEARN_WEIGHTED, abs=1e-14)
    assert below.orientation == -1
    assert below.thresholds[0] == -np.inf
    assert below.thresholds[1] == -0.9
    selected = below.thresholds[2] >= -SCORES
    assert below.signal_efficiency[2] == pytest.approx(
        WEIGHTS[selected & IS_SIGNAL].sum() / WEIGHTS[IS_SIGNAL].sum(), abs=1e-15
    )
    with pytest.raises(DataError, match="orientation"):
        roc_curve(SCORES, IS_SIGNAL, orientation=0)


def test_error_is_delongs_for_unit_weights():
    rng = np.random.default_rng(3)
    scores = np.round(np.concatenate([rng.normal(1.0, 1.0, 40), rng.normal(0.0, 1.5, 70)]), 1)
    is_signal = np.arange(110) < 40
    beats = (scores[is_signal][:, None] > scores[~is_signal]) + 0.5 * (scores[is_signal][:, None] == scores[~is_signal])
    delong = np.var(beats.mean(axis=1), ddof=1) / 40 + np.var(beats.mean(axis=0), ddof=1) / 70
    assert roc_curve(scores, is_signal).area_error == pytest.approx(delong**0.5, rel=1e-12)
    # nothing changes when all weights are multiplied
    assert roc_curve(scores, is_signal, np.full(110, 0.37)).area_error == pytest.approx(delong**0.5, rel=1e-12)


@pytest.fixture(scope="module")
def bootstrap():
    """A weighted sample (some weights negative) and the spread of what resampling it gives."""
    rng = np.random.default_rng(11)
    is_signal = np.arange(700) < 300
    scores = np.where(is_signal, rng.normal(0.8, 1.0, 700), rng.normal(0.0, 1.0, 700))
    weights = rng.exponential(1.0, 700) * np.where(rng.uniform(size=700) < 0.04, -1.0, 1.0)
    areas, efficiencies = [], []
    for _ in range(600):
        pick = np.concatenate([rng.integers(0, 300, 300), rng.integers(300, 700, 400)])
        roc = roc_curve(scores[pick], is_signal[pick], weights[pick])
        areas.append(roc.area)
        efficiencies.append(roc.signal_efficiency_at(0.3).value)
    return roc_curve(scores, is_signal, weights), np.std(areas), np.std(efficiencies)


def test_error_of_the_area_is_the_bootstraps(bootstrap):
    roc, spread, _ = bootstrap
    # 600 samples give the spread to 3 %
    assert roc.area_error == pytest.approx(spread, rel=0.1)


def test_error_of_the_efficiency_is_the_bootstraps(bootstrap):
    roc, _, spread = bootstrap
    efficiency = roc.signal_efficiency_at(0.3)
    assert efficiency.error == pytest.approx(spread, rel=0.2)
    binomial = (efficiency.value * (1 - efficiency.value) / roc.effective_signal) ** 0.5
    assert spread > 1.3 * binomial, "the cut's own uncertainty is not negligible here"


def test_one_event_has_no_error():
    assert np.isnan(roc_curve([0.5, 0.2, 0.7], [True, False, False]).area_error)
    assert np.isnan(roc_curve([0.5, 0.2, 0.7], [True, False, True]).area_error)
    assert roc_curve([0.5, 0.2, 0.7], [True, False, False]).area == 0.5


def curve(signal, background):
    n = len(signal)
    return RocCurve(np.array(signal), np.array(background), np.arange(n) * 1.0, 0.5, 0.0, 100.0, 400.0)


def test_signal_efficiency_between_points_and_on_vertical_runs():
    roc = curve([0.0, 0.2, 0.6, 0.8, 1.0], [0.0, 0.0, 0.2, 0.2, 1.0])
    assert roc.signal_efficiency_at(0.0).value == pytest.approx(0.2)
    assert roc.signal_efficiency_at(0.1).value == pytest.approx(0.4)
    assert roc.signal_efficiency_at(0.2).value == pytest.approx(0.8)
    assert roc.signal_efficiency_at(0.6).value == pytest.approx(0.9)
    assert roc.signal_efficiency_at(1.0).value == 1.0
    assert roc.background_efficiency_at(0.0) == 0.0
    assert roc.background_efficiency_at(0.4) == pytest.approx(0.1)
    assert roc.background_efficiency_at(0.7) == pytest.approx(0.2)
    assert roc.background_efficiency_at(1.0) == pytest.approx(1.0)


def test_full_efficiency_is_exactly_one_whatever_the_rounding():
    rng = np.random.default_rng(8)
    for _ in range(20):
        weights = rng.uniform(0.1, 1.0, 50)
        roc = roc_curve(np.arange(50.0), np.arange(50) >= 25, weights)
        assert roc.background_efficiency_at(1.0) == 0.0
        assert roc.signal_efficiency_at(0.0).value == 1.0


def test_error_of_the_efficiency_by_hand():
    roc = curve([0.0, 1.0], [0.0, 1.0])
    efficiency = roc.signal_efficiency_at(0.2)
    assert efficiency.value == pytest.approx(0.2)
    # signal: 0.2 * 0.8 / 100; the cut: slope 1 times the error of the background, 0.2 * 0.8 / 400
    assert efficiency.error == pytest.approx((0.16 / 100 + 0.16 / 400) ** 0.5, rel=1e-12)
    assert efficiency.background_efficiency == 0.2
    assert float(efficiency) == efficiency.value


def test_where_negative_weights_make_the_curve_turn_the_tightest_cut_counts():
    roc = curve([0.0, 0.3, 0.5, 0.7, 1.0], [0.0, 0.4, 0.2, 0.6, 1.0])
    assert roc.signal_efficiency_at(0.3).value == pytest.approx(0.225)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_efficiencies_outside_0_and_1_are_refused(value):
    roc = roc_curve(SCORES, IS_SIGNAL)
    with pytest.raises(DataError, match="background efficiency lies between"):
        roc.signal_efficiency_at(value)
    with pytest.raises(DataError, match="signal efficiency lies between"):
        roc.background_efficiency_at(value)


def test_curve_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        roc_curve(SCORES, IS_SIGNAL).signal_efficiency[0] = 1.0


def test_repr_is_short():
    assert repr(roc_curve(SCORES, IS_SIGNAL)) == "RocCurve(area=0.7917 ± 0.1419, 8 points)"


class TestWhatIsRefused:
    def test_nan_is_named(self):
        with pytest.raises(DataError, match=r"entry 2 of the scores is nan: 1 of 4 entries"):
            roc_curve([0.0, 1.0, np.nan, 2.0], [True, False, True, False])

    def test_infinity_is_named(self):
        with pytest.raises(DataError, match=r"entry 0 of the weights of the scores is inf"):
            roc_curve([0.0, 1.0], [True, False], [np.inf, 1.0])

    def test_empty_classes_are_named(self):
        with pytest.raises(DataError, match="no signal events among the scores"):
            roc_curve([0.0, 1.0], [False, False])
        with pytest.raises(DataError, match="no background events among the scores"):
            roc_curve([0.0, 1.0], [True, True])

    def test_a_sum_of_weights_that_is_not_positive(self):
        with pytest.raises(DataError, match=r"weights of the 2 background events among the scores sum to 0;"):
            roc_curve([0.0, 1.0, 2.0], [True, False, False], [1.0, 1.0, -1.0])
        with pytest.raises(DataError, match="signal events among the scores sum to -1"):
            roc_curve([0.0, 1.0, 2.0], [True, False, False], [-1.0, 1.0, 1.0])

    def test_class_indices_are_no_truth_values(self):
        with pytest.raises(DataError, match="compare class indices"):
            roc_curve([0.0, 1.0], [0, 1])

    def test_shapes(self):
        with pytest.raises(DataError, match="one-dimensional"):
            roc_curve([[0.0, 1.0]], [True, False])
        with pytest.raises(DataError, match=r"weights have shape \(3,\)"):
            roc_curve([0.0, 1.0], [True, False], [1.0, 1.0, 1.0])
        with pytest.raises(DataError, match=r"is_signal has shape \(1,\)"):
            roc_curve([0.0, 1.0], [True])


def test_samples():
    sample = TwoClassSample.from_arrays([1.0, 2.0, 4.0, 0.0], [True, True, True, False], [1.0, 1.0, 2.0, 0.5])
    assert len(sample.signal) == 3
    assert sample.signal.sum_of_weights == 4.0
    assert sample.signal.effective_number == pytest.approx(16 / 6)
    assert sample.signal.mean == pytest.approx(11 / 4)
    assert sample.signal.rms == pytest.approx((37 / 4 - (11 / 4) ** 2) ** 0.5)
    assert sample.orientation == 1
    assert repr(sample.signal) == "ClassSample('signal', 3 events, sum of weights 4)"
    # negative weights can make the variance negative: its modulus
    assert ClassSample("x", np.array([0.0, 1.0]), np.array([2.0, -1.0])).rms == pytest.approx(2.0**0.5)

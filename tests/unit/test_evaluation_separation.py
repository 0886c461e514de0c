"""Separation, significance, input variable plots and ranking, moments and correlations."""

from __future__ import annotations

import numpy as np
import pytest

from mvakit.errors import DataError
from mvakit.evaluation import (
    ClassSample,
    Histogram1D,
    TwoClassSample,
    VariableRank,
    correlation_matrix,
    correlation_percent,
    covariance_matrix,
    rank_by_separation,
    response_separation,
    separation,
    significance,
    variable_histograms,
    variable_range,
    variable_statistics,
)


def histogram(contents, low=0.0, high=1.0):
    return Histogram1D("h", "h", low, high, np.concatenate([[7.0], contents, [9.0]]))


class TestSeparation:
    def test_by_hand(self):
        # s = .25 .75 0, b = .5 .25 .25
        expected = 0.5 * (0.25**2 / 0.75 + 0.5**2 / 1.0 + 0.25)
        assert separation(histogram([1.0, 3.0, 0.0]), histogram([2.0, 1.0, 1.0])) == pytest.approx(expected)

    def test_limits(self):
        assert separation(histogram([1.0, 2.0]), histogram([2.0, 4.0])) == pytest.approx(0.0, abs=1e-15)
        assert separation(histogram([1.0, 0.0]), histogram([0.0, 4.0])) == pytest.approx(1.0)

    def test_refuses(self):
        with pytest.raises(DataError, match="different bins"):
            separation(histogram([1.0, 2.0]), histogram([1.0, 2.0], high=2.0))
        with pytest.raises(DataError, match="different bins"):
            response_separation(histogram([1.0, 2.0, 3.0]), histogram([1.0, 2.0, 3.0, 4.0]))
        with pytest.raises(DataError, match="sum to 0"):
            separation(histogram([1.0, 2.0]), histogram([1.0, -1.0]))
        with pytest.raises(DataError, match="three are needed"):
            response_separation(histogram([1.0, 2.0]), histogram([1.0, 2.0]))


class TestResponseSeparation:
    def test_transcription(self):
        """The number comes from a scalar transcription that reproduces all separations printed in the reference."""
        x = np.arange(40)
        signal = np.exp(-0.5 * ((x - 26) / 4.0) ** 2) * (x != 30)
        background = np.exp(-0.5 * ((x - 14) / 5.0) ** 2)
        signal[signal < 1e-3] = 0.0
        background[background < 1e-3] = 0.0
        value = response_separation(histogram(signal, -2.0, 3.0), histogram(background, -2.0, 3.0))
        assert value == pytest.approx(0.7271263931089798, rel=1e-9)

    def test_transcription_with_ends_that_do_not_vanish(self):
        value = response_separation(histogram([1.0, 4.0, 2.0, 1.0, 3.0]), histogram([2.0, 2.0, 1.0, 0.5, 6.0]))
        assert value == pytest.approx(0.10766732321846066, rel=1e-9)

    def test_parabolas_are_met_exactly(self):
        # densities 3 x^2 and 1.5 (1 - x^2) in [0, 1]: the integral of (s - b)^2 / (s + b) by quadrature
        from scipy.integrate import quad

        x = (np.arange(40) + 0.5) / 40
        expected, _ = quad(lambda t: 0.5 * (4.5 * t * t - 1.5) ** 2 / (1.5 * t * t + 1.5), 0, 1)
        value = response_separation(histogram(3 * x**2), histogram(1.5 * (1 - x**2)))
        assert value == pytest.approx(expected, rel=1e-3)

    def test_scale_does_not_matter(self):
        signal, background = [1.0, 4.0, 2.0, 1.0], [2.0, 2.0, 1.0, 0.5]
        once = response_separation(histogram(signal), histogram(background))
        scaled = response_separation(
            histogram(np.multiply(10, signal), -5.0, 15.0), histogram(np.multiply(7, background), -5.0, 15.0)
        )
        assert once == pytest.approx(scaled, rel=1e-9)


def test_significance_by_hand():
    signal = ClassSample("s", np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    background = ClassSample("b", np.array([0.0, 4.0]), np.array([3.0, 1.0]))
    # means 2 and 1, variances 1 and 3
    assert significance(signal, background) == pytest.approx(0.5)
    assert significance(background, signal) == pytest.approx(0.5)
    one = ClassSample("s", np.array([1.0]), np.array([1.0]))
    assert significance(one, one) == 0.0


class TestVariables:
    def test_range_is_eight_rms_clipped_and_one_bin_more(self):
        values = np.array([0.0, 1.0] * 100 + [40.0])
        nbins, low, high = variable_range(ClassSample("x", values, np.ones(201)))
        mean = 140 / 201
        rms = ((100 + 1600) / 201 - mean**2) ** 0.5
        assert nbins == 40
        assert low == 0.0
        assert high == pytest.approx((mean + 8 * rms) * 41 / 40)

    def test_range_of_integers_and_constants(self):
        assert variable_range(ClassSample("x", np.array([-2.0, 5.0, 3.0]), np.ones(3)), integer=True) == (8, -2.0, 6.0)
        assert variable_range(ClassSample("x", np.array([2.0, 2.0]), np.ones(2))) == (40, 2.0, pytest.approx(2.205))
        assert variable_range(ClassSample("x", np.zeros(2), np.ones(2))) == (40, 0.0, pytest.approx(1.025))

    def test_histograms(self):
        sample = TwoClassSample.from_arrays([0.0, 1.0, 2.0, 4.0], [True, True, False, False], [1.0, 2.0, 1.0, 0.5])
        signal, background = variable_histograms(sample, name="v", title="Velocity", unit="m/s", transformation="Deco")
        assert (signal.name, background.name) == ("v__Signal_Deco", "v__Background_Deco")
        assert (signal.title, signal.x_title) == ("Velocity", "Velocity  [m/s]")
        assert signal.y_title == "dN_{ }/^{ }0.102 m/s"
        assert signal.storage == "F"
        assert (signal.low, signal.high) == (background.low, background.high) == (0.0, 4.1)
        assert (signal.contents.sum(), background.contents.sum()) == (3.0, 1.5)

    def test_ranking(self):
        values = np.array([[0.0, 5.0, 1.0], [0.0, 6.0, 2.0], [1.0, 5.0, 2.0], [1.0, 6.0, 2.0]])
        ranking = rank_by_separation(["a", "b", "c"], values, [True, True, False, False])
        assert ranking == (
            VariableRank(1, "a", pytest.approx(1.0)),
            VariableRank(2, "c", pytest.approx(0.5 * (0.5 + 0.25 / 1.5))),
            VariableRank(3, "b", pytest.approx(0.0, abs=1e-15)),
        )
        weighted = rank_by_separation(["c"], values[:, 2:], [True, True, False, False], [1.0, 3.0, 1.0, 1.0])
        assert weighted[0].value == pytest.approx(0.5 * (0.25 + 0.0625 / 1.75))

    def test_ranking_of_integers_keeps_neighbours_apart(self):
        values = np.concatenate([np.arange(0, 200, 2), np.arange(1, 201, 2)]).astype(float)[:, np.newaxis]
        is_signal = np.arange(200) < 100
        assert rank_by_separation(["n"], values, is_signal, integer=[True])[0].value == pytest.approx(1.0)
        assert rank_by_separation(["n"], values, is_signal)[0].value < 0.1

    def test_ranking_refuses(self):
        with pytest.raises(DataError, match="by 2 variables"):
            rank_by_separation(["a", "b"], [[1.0], [2.0]], [True, False])
        with pytest.raises(DataError, match="values of variable 'a' is nan"):
            rank_by_separation(["a"], [[np.nan], [2.0]], [True, False])


class TestMoments:
    VALUES = np.array([[1.0, 2.0], [3.0, 1.0], [2.0, 5.0], [0.0, 4.0]])
    WEIGHTS = np.array([1.0, 2.0, 0.5, -0.25])

    def test_statistics(self):
        first, second = variable_statistics(["a", "b"], self.VALUES, self.WEIGHTS)
        assert first.name == "a"
        mean = (1 + 6 + 1) / 3.25
        assert first.mean == pytest.approx(mean)
        assert first.rms == pytest.approx(((1 + 18 + 2) / 3.25 - mean**2) ** 0.5)
        assert (first.minimum, first.maximum) == (0.0, 3.0)
        assert (second.minimum, second.maximum) == (1.0, 5.0)

    def test_covariance_and_correlation_are_numpys(self):
        expected = np.cov(self.VALUES[:3].T, aweights=self.WEIGHTS[:3], bias=True)
        np.testing.assert_allclose(covariance_matrix(self.VALUES[:3], self.WEIGHTS[:3]), expected, rtol=1e-13)
        np.testing.assert_allclose(correlation_matrix(self.VALUES), np.corrcoef(self.VALUES.T), rtol=1e-13)

    def test_constant_variable(self):
        np.testing.assert_array_equal(correlation_matrix([[1.0, 2.0], [1.0, 3.0]]), np.eye(2))

    def test_percent_is_cut_off(self):
        np.testing.assert_array_equal(
            correlation_percent(np.array([[1.0, -0.789], [0.509, 1.0]])), [[100, -78], [50, 100]]
        )

    def test_refuses(self):
        with pytest.raises(DataError, match="1 names for 2 variables"):
            variable_statistics(["a"], self.VALUES)
        with pytest.raises(DataError, match="not of shape"):
            covariance_matrix([1.0, 2.0])
        with pytest.raises(DataError, match="not of shape"):
            covariance_matrix(np.zeros((0, 2)))
        with pytest.raises(DataError, match="there are 4 events"):
            covariance_matrix(self.VALUES, [1.0])
        with pytest.raises(DataError, match="entry 1 of the variables is not finite"):
            covariance_matrix([[1.0, 2.0], [1.0, np.nan]])
        with pytest.raises(DataError, match="entry 0 of the weights is not finite"):
            covariance_matrix(self.VALUES, [np.inf, 1.0, 1.0, 1.0])
        with pytest.raises(DataError, match="sum to -1"):
            covariance_matrix(self.VALUES, [-1.0, 1.0, -1.0, 0.0])

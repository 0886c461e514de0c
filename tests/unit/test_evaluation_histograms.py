"""Histograms: filling, normalising, TMVA's ranges and efficiencies, by hand and by loops over events."""

from __future__ import annotations

import numpy as np
import pytest

from mvakit.errors import DataError, MvakitWarning
from mvakit.evaluation import (
    ClassSample,
    Histogram1D,
    TwoClassSample,
    distribution_pair,
    fill,
    normalised,
    response_histograms,
    response_range,
    tmva_estimates,
)
from mvakit.evaluation.efficiency import (
    background_versus_signal,
    cuts_at_signal_efficiency,
    efficiency_histogram,
    roc_integral,
    signal_efficiency_at,
)


def class_sample(values, weights=None):
    values = np.array(values, dtype=float)
    return ClassSample("x", values, np.ones(len(values)) if weights is None else np.array(weights, dtype=float))


def test_fill_by_hand():
    histogram = fill(
        class_sample([-0.5, 0.0, 0.4, 0.5, 1.9999, 2.0, 7.0], [1.0, 2.0, -1.0, 0.5, 3.0, 4.0, 0.25]),
        4,
        0.0,
        2.0,
        name="n",
        title="t",
        x_title="x",
        y_title="y",
        storage="F",
    )
    np.testing.assert_array_equal(histogram.flow_contents, [1.0, 1.0, 0.5, 0.0, 3.0, 4.25])
    np.testing.assert_array_equal(histogram.flow_variances, [1.0, 5.0, 0.25, 0.0, 9.0, 16.0625])
    np.testing.assert_array_equal(histogram.contents, [1.0, 0.5, 0.0, 3.0])
    np.testing.assert_array_equal(histogram.variances, [5.0, 0.25, 0.0, 9.0])
    np.testing.assert_array_equal(histogram.edges, [0.0, 0.5, 1.0, 1.5, 2.0])
    np.testing.assert_array_equal(histogram.centers, [0.25, 0.75, 1.25, 1.75])
    assert (histogram.underflow, histogram.overflow, histogram.entries) == (1.0, 4.25, 7.0)
    assert (histogram.nbins, histogram.width) == (4, 0.5)
    # w, w^2, w x, w x^2 of what is inside
    assert histogram.moments == pytest.approx((4.5, 4 + 1 + 0.25 + 9, -0.4 + 0.25 + 5.9997, -0.16 + 0.125 + 11.9988))
    assert (histogram.name, histogram.title, histogram.x_title, histogram.y_title) == ("n", "t", "x", "y")
    assert histogram.storage == "F"
    assert repr(histogram) == "Histogram1D('n', 4 bins in [0, 2])"


def test_upper_end_is_overflow_whatever_the_rounding():
    for nbins in range(1, 50):
        assert fill(class_sample([0.6]), nbins, -0.7, 0.6, name="n", title="t").overflow == 1.0


def test_normalised_has_unit_area_and_scaled_moments():
    histogram = fill(class_sample([0.1, 0.7, 1.7, 5.0], [1.0, 2.0, 1.0, 9.0]), 4, 0.0, 2.0, name="n", title="t")
    unit = normalised(histogram)
    assert unit.contents.sum() * unit.width == pytest.approx(1.0)
    assert unit.overflow == pytest.approx(4.5)
    np.testing.assert_allclose(unit.variances, np.array([1.0, 4.0, 0.0, 1.0]) / 4)
    assert unit.moments == pytest.approx((2.0, 6 / 4, 3.2 / 2, (0.01 + 0.98 + 2.89) / 2))
    assert unit.entries == 4.0


def test_what_cannot_be_normalised_is_left_with_a_warning():
    histogram = fill(class_sample([0.5, 0.6], [1.0, -2.0]), 2, 0.0, 1.0, name="n", title="t")
    with pytest.warns(MvakitWarning, match="'n' cannot be normalised: its contents sum to -1"):
        assert normalised(histogram) is histogram


def test_histogram_refuses_nonsense():
    with pytest.raises(DataError, match="range"):
        Histogram1D("h", "h", 1.0, 1.0, np.zeros(4))
    with pytest.raises(DataError, match="at least one bin"):
        Histogram1D("h", "h", 0.0, 1.0, np.zeros(2))
    with pytest.raises(DataError, match="4 contents, but 5 variances"):
        Histogram1D("h", "h", 0.0, 1.0, np.zeros(4), np.zeros(5))
    with pytest.raises(ValueError, match="read-only"):
        Histogram1D("h", "h", 0.0, 1.0, np.zeros(4)).contents[0] = 1.0


def test_range_is_ten_rms_clipped():
    signal = np.array([1.0, -1.0] * 500 + [60.0])
    background = np.array([0.5, -0.5] * 500 + [-3.0])
    sample = TwoClassSample.from_arrays(np.concatenate([signal, background]), np.arange(2002) < 1001)
    mean = 60.0 / 1001
    rms = ((1000 + 3600) / 1001 - mean**2) ** 0.5
    low, high = response_range(sample)
    assert low == -3.0
    assert high == pytest.approx(mean + 10 * rms + 1e-5, rel=1e-12)
    # mirrored, it is the lower end that is cut, and the upper one gets the margin
    low, high = response_range(
        TwoClassSample.from_arrays(-np.concatenate([signal, background]), np.arange(2002) < 1001)
    )
    assert low == pytest.approx(-mean - 10 * rms, rel=1e-12)
    assert high == 3.0 + 1e-5


def test_range_of_equal_responses_is_not_empty():
    for value in (0.0, -1.0, 1e15):
        low, high = response_range(TwoClassSample.from_arrays([value, value], [True, False]))
        assert low <= value < high


def efficiency_by_loops(values, weights, nbins, low, high, orientation):
    """Each event is counted in every bin whose cut it passes; see the docstring for what lies outside."""
    contents = np.zeros(nbins)
    for x, w in zip(values, weights, strict=True):
        bin_of_x = int((x - low) / (high - low) * nbins)  # towards zero
        for i in range(nbins):
            if (orientation > 0 and i <= max(bin_of_x, 0) and bin_of_x < nbins) or (
                orientation < 0 and i > min(bin_of_x, nbins - 1) and bin_of_x >= 0
            ):
                contents[i] += w
    return contents / contents.max()


@pytest.mark.parametrize("orientation", [1, -1])
def test_efficiency_histogram_is_the_loop_over_events(orientation):
    rng = np.random.default_rng(2)
    values, weights = rng.normal(0.0, 0.6, 80), rng.uniform(-0.2, 1.0, 80)
    histogram = efficiency_histogram(
        ClassSample("x", values, weights), 20, -1.0, 1.0, orientation=orientation, name="e", title="t"
    )
    expected = efficiency_by_loops(values, weights, 20, -1.0, 1.0, orientation)
    np.testing.assert_allclose(histogram.contents, expected, atol=1e-12)
    assert (values < -1).any()
    assert (values > 1).any()
    assert histogram.entries == 0.0
    assert not histogram.variances.any()


def sharp_curve(nbins, steps, orientation):
    """Efficiency histogram in [0, nbins]: falling (or rising) in the given bins."""
    return efficiency_histogram(
        class_sample(steps), nbins, 0.0, float(nbins), orientation=orientation, name="e", title="t"
    )


def test_cut_lies_where_the_line_between_bin_centres_crosses():
    # efficiencies 1, .75, .75, .25, 0 at centres .5 ... 4.5
    histogram = sharp_curve(5, [0.2, 2.5, 2.5, 3.9], 1)
    np.testing.assert_allclose(histogram.contents, [1.0, 0.75, 0.75, 0.25, 0.0])
    cuts = cuts_at_signal_efficiency(histogram, np.array([0.9, 0.5, 0.1]), orientation=1)
    np.testing.assert_allclose(cuts, [0.5 + 0.4, 2.5 + 0.5, 3.5 + 0.6], atol=1e-9)
    histogram = sharp_curve(5, [0.2, 2.5, 2.5, 3.9], -1)
    # rising: what is below the bin
    np.testing.assert_allclose(histogram.contents, np.array([0.0, 0.25, 0.25, 0.75, 1.0]))
    cuts = cuts_at_signal_efficiency(histogram, np.array([0.1, 0.5, 0.9]), orientation=-1)
    np.testing.assert_allclose(cuts, [0.9, 3.0, 4.1], atol=1e-9)


def test_ends_of_the_range_select_everything_and_nothing():
    # the largest efficiency between bin centres is 1 only at the first centre; beyond it the line goes on upwards,
    # yet the cut for .999 stays in the range
    histogram = sharp_curve(5, [0.2, 1.5, 2.5, 3.5, 4.5], 1)
    cuts = cuts_at_signal_efficiency(histogram, np.array([0.001, 0.999]), orientation=1)
    assert (cuts > 0.0).all()
    assert (cuts < 5.0).all()
    assert cuts[0] == pytest.approx(5.0 - 1e-5, abs=2e-5)  # at the last centre the efficiency is still .2


def test_cut_on_a_plateau_is_the_one_tmvas_root_finder_stops_at():
    histogram = efficiency_histogram(
        class_sample([0.15, 0.45, 0.55, 0.95, 1.05, 1.45, 1.65, 1.85]),
        20,
        0.0,
        2.0,
        orientation=1,
        name="e",
        title="t",
    )
    cuts = cuts_at_signal_efficiency(histogram, np.arange(1, 8) / 8, orientation=1)
    # from a scalar transcription of that root finder, which reproduces every effBvsS histogram of the reference
    expected = [1.7500131229767397, 1.6000039995800128, 1.24999375, 1.05, 0.7499962499999999, 0.55, 0.2500016666861114]
    np.testing.assert_allclose(cuts, expected, rtol=0, atol=1e-12)


def test_curve_is_tmvas_to_the_last_plateau():
    """200 signal events make every hundredth a plateau: any other rounding or step of the root finder shows."""
    k = np.arange(200)
    signal, background = ((k * k * 37 + 11 * k) % 1009) / 1009, ((k * k * 53 + 7 * k) % 997) / 997
    pair = [
        efficiency_histogram(class_sample(values), 1000, 0.0, 1.00001, orientation=1, name="e", title="t")
        for values in (1 - signal**2, background**2)
    ]
    cuts = cuts_at_signal_efficiency(pair[0], (np.arange(100) + 0.5) * 0.01, orientation=1)
    curve = background_versus_signal(*pair, orientation=1)
    # from the scalar transcription, as above
    expected_cuts = [0.99999, 0.9951766183333333, 0.980509805, 0.9530060454890391, 0.891508915, 0.8297852915070155]
    expected_cuts += [0.7375925925925926, 0.6249262572533849, 0.48350483499999997, 0.3736306968548388]
    expected_cuts += [0.20050200499999998, 0.013728070175438607]
    np.testing.assert_allclose(cuts[::9], expected_cuts, rtol=0, atol=1e-12)
    assert cuts.sum() == pytest.approx(68.98066721045421, abs=1e-9)
    expected = [0.0, 0.0, 0.0, 0.01, 0.035, 0.0486150313146092, 0.09457391629787398, 0.16, 0.265, 0.355, 0.515]
    np.testing.assert_allclose(curve[::9], [*expected, 0.8538603355194517], rtol=0, atol=1e-10)
    assert curve.sum() == pytest.approx(17.133993511877204, abs=1e-8)


def test_background_versus_signal_and_what_is_read_from_it():
    rng = np.random.default_rng(4)
    signal, background = class_sample(rng.normal(1.0, 1.0, 3000)), class_sample(rng.normal(0.0, 1.0, 3000))
    pair = [efficiency_histogram(s, 10000, -5.0, 6.0, orientation=1, name="e", title="t") for s in (signal, background)]
    curve = background_versus_signal(*pair, orientation=1)
    assert len(curve) == 100
    cut = np.quantile(signal.values, 1 - 0.495)
    assert curve[49] == pytest.approx((background.values > cut).mean(), abs=2e-3)
    assert np.all(np.diff(curve) >= 0)
    exact = np.mean(signal.values[:, None] > background.values)
    assert roc_integral(curve) == pytest.approx(exact, abs=1e-3)
    # mirrored responses with the other orientation
    mirrored = [
        efficiency_histogram(
            ClassSample("x", -s.values, s.weights), 10000, -6.0, 5.0, orientation=-1, name="e", title="t"
        )
        for s in (signal, background)
    ]
    np.testing.assert_allclose(background_versus_signal(*mirrored, orientation=-1), curve, atol=2e-3)


def scan_by_loops(curve, reference):
    """Read as TMVA does: 1000 steps, straight lines between the bin centres, mean of the points around the crossing."""
    centres = (np.arange(100) + 0.5) / 100

    def evaluate(x):
        i = min(max(int(np.searchsorted(centres, x, side="right")) - 1, 0), 98)
        return curve[i] + (x - centres[i]) * (curve[i + 1] - curve[i]) / (centres[i + 1] - centres[i])

    points = [((i + 0.5) / 1000, evaluate((i + 0.5) / 1000)) for i in range(1000)]
    area = 1 - sum(b for _, b in points) / 1000
    before = (0.0, 0.0)
    for point in points:
        if (point[1] - reference) * (before[1] - reference) <= 0:
            return area, (point[0] + before[0]) / 2
        before = point
    return area, before[0]


@pytest.mark.parametrize("power", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("reference", [0.0123, 0.1234, 0.3021, 0.9999])
def test_reading_the_curve_is_the_loop(power, reference):
    curve = ((np.arange(100) + 0.5) / 100) ** power
    area, efficiency = scan_by_loops(curve, float(np.float32(reference)))
    assert roc_integral(curve) == pytest.approx(area, abs=1e-12)
    assert signal_efficiency_at(reference, curve) == pytest.approx(efficiency, abs=1e-12)


def test_efficiency_where_background_never_gets_that_low_is_half_a_step():
    assert signal_efficiency_at(0.01, np.full(100, 0.5)) == pytest.approx(0.00025)


def test_reference_background_efficiency_is_taken_in_single_precision():
    # 0.1 in single precision lies above 0.1 in double precision, so a flat curve at the latter never reaches it
    assert signal_efficiency_at(0.10, np.full(100, 0.10)) == 0.9995


def two_gaussians(seed, shift=1.0, n=2000):
    rng = np.random.default_rng(seed)
    is_signal = np.arange(2 * n) < n
    return TwoClassSample.from_arrays(rng.normal(np.where(is_signal, shift, 0.0), 1.0), is_signal)


NAMES = [
    "MVA_M_S",
    "MVA_M_B",
    "MVA_M_S_high",
    "MVA_M_B_high",
    "MVA_M_effS",
    "MVA_M_effB",
    "MVA_M_effBvsS",
    "MVA_M_rejBvsS",
    "MVA_M_invBeffvsSeff",
    "MVA_M_Train_S",
    "MVA_M_Train_B",
    "MVA_M_trainingEffS",
    "MVA_M_trainingEffB",
    "MVA_M_trainingEffBvsS",
    "MVA_M_trainingRejBvsS",
]


def test_all_histograms_are_there_in_order():
    test, train = two_gaussians(1), two_gaussians(2)
    histograms = response_histograms("M", test, train)
    assert [h.name for h in histograms] == NAMES
    assert [h.name for h in response_histograms("M", test)] == NAMES[:9]
    assert [h.nbins for h in histograms] == [40, 40, *[10000] * 4, *[100] * 3, 40, 40, 10000, 10000, 100, 100]
    assert {(h.low, h.high) for h in list(histograms)[:6]} == {response_range(test)}
    assert histograms.signal_weight == 2000.0
    curve = histograms.background_versus_signal.contents
    np.testing.assert_allclose(histograms.rejection_versus_signal.contents, 1 - curve)
    filled = curve > 0
    np.testing.assert_allclose(histograms.inverse_background_versus_signal.contents[filled], 1 / curve[filled])
    assert histograms.inverse_background_versus_signal.entries == filled.sum()
    assert not histograms.inverse_background_versus_signal.contents[~filled].any()


def test_training_curve_shows_the_training_sample_unless_tmvas_cuts_are_wanted():
    test, train = two_gaussians(1, shift=1.0), two_gaussians(2, shift=2.5)
    own = response_histograms("M", test, train).training.background_versus_signal.contents
    alone = response_histograms("M", train).background_versus_signal.contents
    np.testing.assert_allclose(own[10:], alone[10:], atol=0.03)
    tmva = response_histograms("M", test, train, training_cuts="test").training.background_versus_signal.contents
    # both backgrounds are alike, so with the test sample's cuts the training sample looks like the test sample
    np.testing.assert_allclose(tmva, response_histograms("M", test).background_versus_signal.contents, atol=0.06)
    assert np.abs(tmva - own).max() > 0.3


def test_estimates_agree_with_the_gaussian_truth_and_flip_with_the_response():
    from scipy.stats import norm

    sample = two_gaussians(3, shift=1.5, n=20000)
    estimates = tmva_estimates(response_histograms("M", sample, two_gaussians(4, shift=1.5)))
    assert estimates.roc_integral == pytest.approx(norm.cdf(1.5 / 2**0.5), abs=5e-3)
    for efficiency, b in zip(estimates.efficiencies, (0.01, 0.10, 0.30), strict=True):
        assert efficiency.background_efficiency == b
        assert efficiency.value == pytest.approx(norm.sf(norm.isf(b) - 1.5), abs=0.02)
        assert efficiency.error == pytest.approx((efficiency.value * (1 - efficiency.value) / 20000) ** 0.5)
    assert estimates.training_efficiencies == pytest.approx([e.value for e in estimates.efficiencies], abs=0.06)
    mirrored = TwoClassSample.from_arrays(
        -np.concatenate([sample.signal.values, sample.background.values]), np.arange(40000) < 20000
    )
    histograms = response_histograms("M", mirrored)
    flipped = tmva_estimates(histograms)
    assert histograms.orientation == -1
    assert flipped.training_efficiencies is None
    assert flipped.roc_integral == pytest.approx(estimates.roc_integral, abs=1e-3)
    assert [float(e) for e in flipped.efficiencies] == pytest.approx(
        [float(e) for e in estimates.efficiencies], abs=3e-3
    )
    assert flipped.separation == pytest.approx(estimates.separation, abs=1e-3)


def test_equal_responses_do_not_separate():
    sample = TwoClassSample.from_arrays(np.zeros(20), np.arange(20) < 10)
    estimates = tmva_estimates(response_histograms("M", sample))
    assert estimates.roc_integral == pytest.approx(0.5, abs=0.01)
    assert estimates.separation == 0.0


def test_distribution_pair_is_named_and_normalised():
    signal, background = distribution_pair(two_gaussians(1), 40, 0.0, 1.0, prefix="MVA_M_Rarity")
    assert (signal.name, background.name) == ("MVA_M_Rarity_S", "MVA_M_Rarity_B")
    assert signal.contents.sum() == pytest.approx(40.0)
    assert background.title == "MVA_M_Rarity_B"

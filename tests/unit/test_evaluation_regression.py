"""Regression: bias, RMS and mutual information with their uncertainties, distributions, and what results show."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from mvakit.dataset import DataSet, Sample
from mvakit.errors import DataError
from mvakit.evaluation import (
    Deviation,
    RegressionResult,
    RegressionSample,
    TargetDeviation,
    evaluate_regression,
    mutual_information,
    quadratic_deviations,
)
from mvakit.resultfile.deviations import regression_histograms
from mvakit.variables import Variable


def arrays(seed, n=500):
    """Estimates and targets of two kinds, and weights."""
    rng = np.random.default_rng(seed)
    targets = rng.uniform(0.0, 10.0, (n, 2))
    estimates = targets + rng.normal([0.5, -0.2], [1.0, 0.3], (n, 2))
    return estimates, targets, rng.uniform(0.5, 1.5, n)


def sample(seed, **settings):
    return RegressionSample.from_arrays(*arrays(seed, **settings), names=["E", "mass"])


# ------------------------------------------------------------------------------------------------ samples


def test_sample():
    events = sample(1)
    estimates, targets, weights = arrays(1)
    assert len(events) == 500
    assert repr(events) == "RegressionSample(500 events with E, mass)"
    deviation = events.deviation(1)
    np.testing.assert_array_equal(deviation.values, estimates[:, 1] - targets[:, 1])
    np.testing.assert_array_equal(deviation.weights, weights)
    assert deviation.name == "mass"
    flat = RegressionSample.from_arrays(estimates[:, 0], targets[:, :1], names=["E"])
    assert flat.estimates.shape == (500, 1)
    np.testing.assert_array_equal(flat.weights, np.ones(500))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": []}, "one target or more"),
        ({"names": ["a"]}, r"the estimates have shape \(500, 2\), but must be events by 1 targets \(a\)"),
        ({"targets": np.zeros((500, 3))}, r"targets of the estimates have shape \(500, 3\)"),
        ({"targets": np.zeros((499, 2))}, "500 estimates, but 499 events with targets"),
        ({"targets": np.full((500, 2), np.inf)}, "entry 0 of the targets of the estimates is inf for E: 500 of 500"),
        ({"weights": np.zeros(500)}, "weights of the 500 regression events among the estimates sum to 0"),
        ({"weights": np.ones(3)}, r"weights have shape \(3,\)"),
        (
            {"estimates": np.zeros((0, 2)), "targets": np.zeros((0, 2)), "weights": np.zeros(0)},
            "no regression events among the estimates",
        ),
    ],
)
def test_sample_refuses(change, message):
    estimates, targets, weights = arrays(1)
    given = {"estimates": estimates, "targets": targets, "weights": weights, "names": ["E", "mass"], **change}
    with pytest.raises(DataError, match=message):
        RegressionSample.from_arrays(**given)


# ----------------------------------------------------------------------------------------------- numbers


def test_bias_and_rms_of_every_target():
    estimates, targets, weights = arrays(1)
    result = evaluate_regression("M", sample(1), sample(2), method_type="LD", dataset="dataset")
    assert (result.title, result.method_type, result.dataset, result.targets) == ("M", "LD", "dataset", ("E", "mass"))
    for part, d in zip(result.test, (estimates - targets).T, strict=True):
        bias = np.average(d, weights=weights)
        rms = np.average((d - bias) ** 2, weights=weights) ** 0.5
        assert (part.full.bias, part.full.rms) == (pytest.approx(bias), pytest.approx(rms))
        assert part.full.mean_absolute == pytest.approx(np.average(np.abs(d), weights=weights))
        near = np.abs(d - bias) <= 2 * rms
        assert 0.9 < near.mean() < 0.99
        bias = np.average(d[near], weights=weights[near])
        rms = np.average((d[near] - bias) ** 2, weights=weights[near]) ** 0.5
        assert (part.truncated.bias, part.truncated.rms) == (pytest.approx(bias), pytest.approx(rms))
        assert part.truncated.mean_absolute == pytest.approx(np.average(np.abs(d[near]), weights=weights[near]))
    for i, part in enumerate(result.test):
        x, y = estimates[:, i], targets[:, i]
        near = np.abs(x - y - part.full.bias) <= 2 * part.full.rms
        whole = (min(x.min(), y.min()), max(x.max(), y.max()))
        for found, chosen in ((part.full, slice(None)), (part.truncated, near)):
            expected = mutual_information(x[chosen], y[chosen], weights[chosen], extent=whole)
            assert (found.mutual_information, found.mutual_information_error) == expected
    assert result.train == evaluate_regression("M", sample(2)).test
    assert (result.bias, result.rms) == (result.test[0].full.bias, result.test[0].full.rms)
    assert result.mutual_information == result.test[0].full.mutual_information
    assert result.of("mass") is result.test[1]


def test_errors_for_equal_weights():
    d = np.array([1.0, 2.0, 3.0, 6.0])
    events = RegressionSample.from_arrays(d, np.zeros(4), np.full(4, 3.0), names=["t"])
    found = evaluate_regression("M", events).test[0].full
    assert found.bias == pytest.approx(3.0)
    assert found.bias_error == pytest.approx(np.std(d, ddof=1) / 2)
    assert found.rms == pytest.approx(3.5**0.5)
    # squared deviations 4, 1, 0, 9 from the bias; their spread over 2 RMS
    squares = np.array([4.0, 1.0, 0.0, 9.0])
    assert found.rms_error == pytest.approx(np.std(squares, ddof=1) / 2 / (2 * 3.5**0.5))


def test_errors_with_weights_are_the_spread_of_many_samples():
    found = []
    for seed in range(300):
        rng = np.random.default_rng(seed)
        weights = rng.exponential(1.0, 200)
        events = RegressionSample.from_arrays(rng.normal(0.3, 2.0, 200), np.zeros(200), weights, names=["t"])
        full = evaluate_regression("M", events).test[0].full
        found.append([full.bias, full.rms, full.bias_error, full.rms_error])
    spread, errors = np.std(found, axis=0)[:2], np.mean(found, axis=0)[2:]
    np.testing.assert_allclose(errors, spread, rtol=0.12)


def test_perfect_estimates():
    targets = np.linspace(0.0, 1.0, 100)
    full = evaluate_regression("M", RegressionSample.from_arrays(targets, targets, names=["t"])).test[0].full
    assert (full.bias, full.bias_error, full.rms, full.rms_error, full.mean_absolute) == (0.0, 0.0, 0.0, 0.0, 0.0)
    shifted = evaluate_regression("M", RegressionSample.from_arrays(targets * 0 + 0.1, targets * 0, names=["t"]))
    assert shifted.test[0].full.bias == pytest.approx(0.1)
    assert shifted.test[0].truncated.bias == pytest.approx(0.1)
    assert shifted.test[0].full.rms == pytest.approx(0.0, abs=1e-15)


def test_one_event_has_no_uncertainty():
    one = evaluate_regression("M", RegressionSample.from_arrays([2.0], [1.5], names=["t"])).test[0].full
    assert (one.bias, one.rms, one.mutual_information) == (0.5, 0.0, 0.0)
    assert np.isnan([one.bias_error, one.rms_error]).all()


def test_truncated_events_may_sum_to_nothing():
    # negative weights make the variance vanish, so that the middle alone is near enough, which has a negative weight
    estimates = [0.0, -5.0, 5.0, -10.0, 10.0]
    events = RegressionSample.from_arrays(estimates, np.zeros(5), [-1.0, 4.0, 4.0, -1.0, -1.0], names=["t"])
    found = evaluate_regression("M", events).test[0]
    assert (found.full.bias, found.full.rms) == (0.0, 0.0)
    assert np.isnan(dataclasses.astuple(found.truncated)).all()


def test_unknown_target_and_other_targets_are_refused():
    with pytest.raises(DataError, match="no target 'mas'; did you mean 'mass'"):
        evaluate_regression("M", sample(1)).of("mas")
    estimates, targets, _ = arrays(2)
    other = RegressionSample.from_arrays(estimates, targets, names=["E", "p"])
    with pytest.raises(DataError, match="training sample of 'M' has the targets E, p, but the test sample has E, mass"):
        evaluate_regression("M", sample(1), other)


# ------------------------------------------------------------------------------------ mutual information


def test_mutual_information_is_that_of_the_bins():
    estimates, targets, _ = arrays(1)
    x, y = estimates[:, 0], targets[:, 0]
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    inside = (x < high) & (y < high)
    columns = np.digitize(x, np.linspace(low, high, 76)) - 1
    rows = np.digitize(y, np.linspace(low, high, 51)) - 1
    value, error = mutual_information(x, y)
    assert value == pytest.approx(mutual_info_score(rows[inside], columns[inside]), rel=1e-9)
    p = np.histogram2d(columns[inside], rows[inside], (np.arange(76), np.arange(51)))[0] / inside.sum()
    product = np.outer(p.sum(1), p.sum(0))
    logarithms = np.log(p[p > 0] / product[p > 0])
    assert error == pytest.approx((np.average((logarithms - value) ** 2, weights=p[p > 0]) / inside.sum()) ** 0.5)


def test_mutual_information_depends_on_ratios_of_weights_alone():
    estimates, targets, weights = (a.T for a in arrays(1))
    once = mutual_information(estimates[0], targets[0], weights)
    assert mutual_information(estimates[0], targets[0], 7.0 * weights) == pytest.approx(once)
    twice = mutual_information(np.tile(estimates[0], 2), np.tile(targets[0], 2), np.tile(weights, 2))
    assert twice[0] == pytest.approx(once[0])
    assert twice[1] == pytest.approx(once[1] / 2**0.5)


def test_mutual_information_error_is_the_spread_of_many_samples():
    found = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        steps = rng.integers(0, 4, 2000)
        seen = np.where(rng.uniform(size=2000) < 0.7, steps, rng.integers(0, 4, 2000))
        weights = rng.exponential(1.0, 2000)
        found.append(mutual_information(seen, steps, weights, extent=(0.0, 4.0)))
    values, errors = np.array(found).T
    assert errors.mean() == pytest.approx(values.std(), rel=0.15)


def test_mutual_information_of_independent_and_equal_numbers():
    steps = np.repeat(np.arange(4.0), 4)
    others = np.tile(np.arange(4.0), 4)
    assert mutual_information(steps, others, extent=(0.0, 4.0)) == (
        pytest.approx(0.0, abs=1e-12),
        pytest.approx(0.0, abs=1e-7),
    )
    value, error = mutual_information(steps, steps, extent=(0.0, 4.0))
    assert value == pytest.approx(np.log(4.0))
    assert error == pytest.approx(0.0, abs=1e-7)
    # the largest of all lies at the end of the range and is not counted
    assert mutual_information(steps, steps)[0] == pytest.approx(np.log(3.0))
    # nor is what lies outside
    assert mutual_information(steps, steps, extent=(1.0, 3.0))[0] == pytest.approx(np.log(2.0))


def test_mutual_information_of_nothing():
    assert mutual_information([1.0, 1.0], [1.0, 1.0]) == (0.0, 0.0)
    assert mutual_information([1.0, 2.0, 2.0], [1.0, 1.0, 2.0], [-1.0, 1.0, 1.0]) == (0.0, 0.0)
    assert mutual_information([0.0, 9.0], [0.0, 9.0], extent=(1.0, 2.0)) == (0.0, 0.0)
    for pair in (([], []), ([1.0], [1.0, 2.0])):
        with pytest.raises(DataError, match="equal numbers, not 0"):
            mutual_information(*pair)


# -------------------------------------------------------------------------------------------- histograms


def test_quadratic_deviations():
    events = sample(1)
    everything, best = quadratic_deviations("M", events, 1, which="test")
    assert (everything.name, best.name) == (
        "MVA_Mtest_Quadr_Deviation_target_1_",
        "MVA_Mtest_Quadr_Dev_best90perc_target_1_",
    )
    squares = (events.estimates[:, 1] - events.targets[:, 1]) ** 2
    assert (everything.nbins, everything.low) == (500, 0.0)
    assert everything.high == pytest.approx(1.1 * squares.max(), rel=1e-6)
    assert everything.high == float(np.float32(everything.high))
    assert everything.flow_contents.sum() == pytest.approx(events.weights.sum())
    assert everything.entries == 500
    order = np.argsort(squares)
    fraction = np.cumsum(events.weights[order]) / events.weights.sum()
    limit = squares[order][np.searchsorted(fraction, 0.9)]
    assert best.high == pytest.approx(1.1 * limit, abs=1.1 * everything.width)
    assert best.entries == np.count_nonzero(squares <= best.high / 1.1)
    assert best.contents.sum() == pytest.approx(0.9 * events.weights.sum(), rel=0.01)
    assert (best.x_title, best.y_title, best.storage) == ("Quadratic Deviation", "Weighted Entries", "F")


def test_quantile_is_read_within_the_bin():
    # nine tenths of a single bin's contents lie at nine tenths of the bin, of 3/4 and 1/4 at 6/10 of the second
    one = RegressionSample.from_arrays([1.0, *[0.0] * 99], np.zeros(100), [1e-9, *[1.0] * 99], names=["t"])
    first, best = quadratic_deviations("M", one, 0, which="test")
    assert best.high == pytest.approx(1.1 * 0.9 * first.width, rel=1e-6)
    two = RegressionSample.from_arrays([0.0, 0.0, 0.0, 0.05, 1.0], np.zeros(5), [1.0, 1.0, 1.0, 1.0, 1e-9], names=["t"])
    first, best = quadratic_deviations("M", two, 0, which="test")
    assert int(np.flatnonzero(first.contents)[1]) == 1
    assert best.high == pytest.approx(1.1 * 1.6 * first.width, rel=1e-6)


def test_extreme_deviations_keep_a_range():
    for estimates in ([0.0, 0.0], [1e-30, 0.0]):
        everything, best = quadratic_deviations(
            "M", RegressionSample.from_arrays(estimates, [0.0, 0.0], names=["t"]), 0, which="test"
        )
        assert (everything.low, everything.high) == (0.0, 1.0)
        assert best.contents.sum() == 2.0
    huge = RegressionSample.from_arrays([1e30, -1e200], [0.0, 0.0], names=["t"])
    for histogram in quadratic_deviations("M", huge, 0, which="test"):
        assert np.isfinite(histogram.high)
        assert histogram.flow_contents.sum() == 2.0
    negative = RegressionSample.from_arrays([0.0, 1e20], [0.0, 0.0], [-1.0, 2.0], names=["t"])
    assert all(np.isfinite(h.high) for h in quadratic_deviations("M", negative, 0, which="test"))


def dataset(n=300, constant=False):
    rng = np.random.default_rng(1)
    samples = []
    for scale in (2.0, 1.0):  # training, test
        X = rng.uniform(-scale, scale, (n, 3)).astype(np.float32)
        if constant:
            X[:, 1] = 1e6
        targets = X[:, :2] * np.float32(3.0)
        samples.append(Sample(X, np.zeros(n, int), rng.uniform(0.5, 1.5, n), targets))
    variables = tuple(Variable(v, v, title) for v, title in (("a", "A"), ("b", ""), ("c", "C")))
    targets = (Variable("t", "t", "T", "GeV"), Variable("u", "u"))
    return DataSet("dataset", variables, (), targets, ("Regression",), *samples)


def test_deviation_histograms():
    events = dataset()
    rng = np.random.default_rng(2)
    estimates = [s.targets + rng.normal(size=s.targets.shape) for s in (events.test, events.train)]
    histograms = {h.name: h for h in regression_histograms("M", events, *estimates)}
    of_sample = ["reg_var0_rtgt0", "reg_var0_rtgt1", "reg_var1_rtgt0", "reg_var1_rtgt1", "reg_var2_rtgt0"]
    of_sample += ["reg_var2_rtgt1", "reg_tgt0_rtgt0", "reg_tgt0_rtgt1", "reg_tgt1_rtgt0", "reg_tgt1_rtgt1"]
    of_sample += [f"Quadr_{kind}_target_{i}_" for i in (0, 1) for kind in ("Deviation", "Dev_best90perc")]
    assert list(histograms) == [f"MVA_M{which}_{name}" for which in ("test", "train") for name in of_sample]

    found = histograms["MVA_Mtrain_reg_var2_rtgt1"]
    assert found.x_edges[0] == float(np.float32(found.x_edges[0]))
    x = events.train.X[:, 2].astype(float)
    y = estimates[1][:, 1] - events.train.targets[:, 1]
    for edges, values in ((found.x_edges, x), (found.y_edges, y)):
        low, high = values.min(), values.max()
        step = 1.01 * (high - low) / 49
        assert edges[[0, -1]] == pytest.approx([low - step, high + step], rel=1e-6)
    expected = np.histogram2d(x, y, (found.x_edges, found.y_edges))[0]
    assert np.abs(found.values - expected).sum() <= 2
    assert found.values.sum() == found.entries == 300
    assert (found.x_title, found.y_title) == ("C", "u_{regression} - u_{true}")
    assert histograms["MVA_Mtest_reg_tgt0_rtgt0"].y_title == "T_{regression} - T_{true}"
    assert histograms["MVA_Mtest_reg_tgt0_rtgt0"].x_title == "T"
    sums = [300, 300, x.sum(), x @ x, y.sum(), y @ y, x @ y]
    assert dataclasses.astuple(found.sums) == pytest.approx(sums, rel=1e-5)
    # the axis of an input or target reaches as far for the test sample as for the training sample
    for name, reach in (("reg_var0_rtgt0", 2.0), ("reg_tgt1_rtgt0", 6.0)):
        edges = [histograms[f"MVA_M{which}_{name}"].x_edges for which in ("test", "train")]
        np.testing.assert_array_equal(*edges)
        assert edges[0][-1] == pytest.approx(reach, rel=0.05)
    names = [h.name for h in regression_histograms("M", events, estimates[0])]
    assert names == [f"MVA_Mtest_{name}" for name in of_sample]


def test_deviation_histograms_of_constants_have_a_range():
    events = dataset(constant=True)
    (found,) = (
        h for h in regression_histograms("M", events, events.test.targets) if h.name == "MVA_Mtest_reg_var1_rtgt1"
    )
    assert found.x_edges[0] < 1e6 < found.x_edges[-1]
    assert found.y_edges[[0, -1]].tolist() == [-0.5, 0.5]
    assert found.values.sum() == 300


def test_estimates_that_do_not_fit_are_refused():
    events = dataset()
    with pytest.raises(DataError, match=r"the estimates of M have shape \(300,\), but must be events by 2 targets"):
        regression_histograms("M", events, np.zeros(300))


# ------------------------------------------------------------------------------------------------- shown


def shown():
    full = Deviation(-0.01582, 0.0038, 0.3101, 0.0021, 0.26, 3.4331, 0.0089)
    part = TargetDeviation("E<", full, dataclasses.replace(full, bias=1.5, rms=0.25))
    return RegressionResult("M<", "MLP", "dataset", ("E<",), (part,), (part,))


def test_shows_as_text():
    assert repr(shown()) == (
        "RegressionResult('M<' [MLP] of 'dataset': E<: bias -0.01582 ± 0.0038, RMS 0.3101 ± 0.0021)"
    )
    assert str(shown()).splitlines() == [
        "M< (MLP), dataset dataset",
        "  E<: bias                               -0.01582 ± 0.0038     -0.01582 ± 0.0038",
        "  E<: RMS                                0.3101 ± 0.0021       0.3101 ± 0.0021",
        "  E<: mutual information                 3.433 ± 0.0089        3.433 ± 0.0089",
        "  E<: bias within 2 sigma                1.5 ± 0.0038          1.5 ± 0.0038",
        "  E<: RMS within 2 sigma                 0.25 ± 0.0021         0.25 ± 0.0021",
        "  E<: mutual information within 2 sigma  3.433 ± 0.0089        3.433 ± 0.0089",
    ]
    alone = dataclasses.replace(shown(), train=None)
    assert str(alone).splitlines()[1] == "  E<: bias                               -0.01582 ± 0.0038"


def test_shows_as_html():
    text = shown()._repr_html_()
    assert "M&lt; (MLP), dataset dataset" in text
    assert "<tr><th>E&lt;: RMS</th><td>0.3101 ± 0.0021</td><td>0.3101 ± 0.0021</td></tr>" in text
    assert "M<" not in text

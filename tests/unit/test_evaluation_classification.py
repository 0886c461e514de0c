"""The whole evaluation in one call, and how its result shows itself."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy import special, stats

from mvakit.evaluation import (
    ClassificationResult,
    EfficiencyAtBackground,
    TwoClassSample,
    evaluate_classification,
    response_histograms,
    roc_curve,
    tmva_estimates,
)


def arrays(seed, n=400):
    rng = np.random.default_rng(seed)
    is_signal = np.arange(2 * n) < n
    return rng.normal(np.where(is_signal, 1.0, 0.0), 1.0), is_signal, rng.uniform(0.5, 1.5, 2 * n)


@pytest.fixture(scope="module")
def result():
    test, train = TwoClassSample.from_arrays(*arrays(1)), TwoClassSample.from_arrays(*arrays(2))
    return evaluate_classification("MyBDT<", test, train, method_type="BDT", dataset="dataset")


def test_every_number_is_that_of_its_own_function(result):
    test = TwoClassSample.from_arrays(*arrays(1))
    roc, roc_train = roc_curve(*arrays(1)), roc_curve(*arrays(2))
    assert (result.title, result.method_type, result.dataset) == ("MyBDT<", "BDT", "dataset")
    assert (result.auc, result.auc_error) == (roc.area, roc.area_error)
    assert (result.auc_train, result.auc_train_error) == (roc_train.area, roc_train.area_error)
    assert result.efficiencies == tuple(roc.signal_efficiency_at(b) for b in (0.01, 0.10, 0.30))
    assert result.efficiencies_train == tuple(roc_train.signal_efficiency_at(b) for b in (0.01, 0.10, 0.30))
    assert result.separation == tmva_estimates(response_histograms("x", test)).separation
    spread = (test.signal.rms**2 + test.background.rms**2) ** 0.5
    assert result.significance == pytest.approx((test.signal.mean - test.background.mean) / spread)
    assert (result.mean_signal, result.rms_signal) == (test.signal.mean, test.signal.rms)
    assert (result.mean_background, result.rms_background) == (test.background.mean, test.background.rms)
    assert result.orientation == 1


def test_ks_compares_test_with_training_class_by_class():
    scores, is_signal, _ = arrays(1)
    train_scores, _, _ = arrays(2)
    train_scores = np.where(is_signal, train_scores + 0.5, train_scores)
    result = evaluate_classification(
        "M", TwoClassSample.from_arrays(scores, is_signal), TwoClassSample.from_arrays(train_scores, is_signal)
    )
    for found, chosen in zip(result.ks, (is_signal, ~is_signal), strict=True):
        distance = stats.ks_2samp(scores[chosen], train_scores[chosen]).statistic
        assert found == pytest.approx(special.kolmogorov(distance * 200**0.5), rel=1e-9)
    assert result.ks == (result.ks_signal, result.ks_background)
    assert result.ks_signal < 1e-6 < result.ks_background


def test_without_training_sample():
    result = evaluate_classification("M", TwoClassSample.from_arrays(*arrays(1)), background_efficiencies=(0.2,))
    assert result.roc_train is None
    assert result.auc_train is None
    assert result.auc_train_error is None
    assert result.efficiencies_train is None
    assert result.ks is None
    assert [e.background_efficiency for e in result.efficiencies] == [0.2]
    assert "train" not in repr(result)
    assert "K-S" not in str(result)


def test_threads_change_nothing():
    samples = [TwoClassSample.from_arrays(*arrays(i)) for i in (1, 2)]
    one, two = (evaluate_classification("M", *samples, threads=threads) for threads in (1, 3))
    assert str(one) == str(two)
    assert (one.auc, one.ks, one.auc_train) == (two.auc, two.ks, two.auc_train)
    np.testing.assert_array_equal(one.roc.thresholds, two.roc.thresholds)


def test_response_that_puts_signal_below_is_turned_round(result):
    (scores, is_signal, weights), (train_scores, _, train_weights) = arrays(1), arrays(2)
    flipped = evaluate_classification(
        "M",
        TwoClassSample.from_arrays(-scores, is_signal, weights),
        TwoClassSample.from_arrays(-train_scores, is_signal, train_weights),
    )
    assert flipped.orientation == -1
    assert flipped.auc == pytest.approx(result.auc, abs=1e-12)
    assert flipped.auc_train == pytest.approx(result.auc_train, abs=1e-12)
    assert flipped.ks == pytest.approx(result.ks, rel=1e-6)


def shown():
    roc = dataclasses.replace(roc_curve(*arrays(1)), area=0.91896, area_error=0.00321)
    return ClassificationResult(
        "Fisher<1>",
        "Fisher",
        "dataset",
        roc,
        (EfficiencyAtBackground(0.01, 0.35, 0.04),),
        0.5444,
        1.3961,
        0.0,
        1.0,
        0.0,
        1.0,
        roc,
        (EfficiencyAtBackground(0.01, 0.45, 0.08),),
        0.146,
        0.53,
    )


def test_shows_as_text():
    assert repr(shown()) == (
        "ClassificationResult('Fisher<1>' [Fisher] of 'dataset': AUC 0.9190 ± 0.0032, train 0.9190 ± 0.0032)"
    )
    assert str(shown()).splitlines() == [
        "Fisher<1> (Fisher), dataset dataset",
        "  ROC integral                  0.9190 ± 0.0032   0.9190 ± 0.0032",
        "  signal efficiency at B=0.01   0.3500 ± 0.0400   0.4500 ± 0.0800",
        "  separation                    0.544",
        "  significance                  1.396",
        "  K-S probability, signal       0.146",
        "  K-S probability, background   0.53",
    ]


def test_shows_as_html_with_names_escaped():
    html = shown()._repr_html_()
    assert "<caption>Fisher&lt;1&gt; (Fisher), dataset dataset</caption>" in html
    assert "<tr><th>ROC integral</th><td>0.9190 ± 0.0032</td><td>0.9190 ± 0.0032</td></tr>" in html
    assert html.count("<tr>") == 7


def test_is_frozen(result):
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.separation = 0.0

"""Several classes: each against the rest and against each other, the best cuts, and what the results show."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, roc_auc_score

from mvakit.errors import DataError, MvakitWarning
from mvakit.evaluation import (
    ClassMatrix,
    EfficiencyAtBackground,
    MulticlassPerformance,
    MulticlassResult,
    MulticlassSample,
    ScoreCut,
    WorkingPoint,
    best_working_points,
    evaluate_multiclass,
    ks_unbinned,
    multiclass_histograms,
    one_vs_one_curve,
    one_vs_rest_curve,
    roc_curve,
    working_point,
    working_points,
)

CLASSES = ("Signal", "bg0", "bg1")


def arrays(seed, n=200, separation=1.5):
    """Softmax of normal numbers, one of them shifted: scores, classes, weights."""
    rng = np.random.default_rng(seed)
    index = np.repeat(np.arange(3), [n, 2 * n, n // 2])
    raw = rng.normal(size=(len(index), 3))
    raw[np.arange(len(index)), index] += separation
    scores = np.exp(raw)
    return scores / scores.sum(axis=1, keepdims=True), index, rng.uniform(0.5, 1.5, len(index))


def sample(seed, **settings):
    return MulticlassSample.from_arrays(*arrays(seed, **settings), classes=CLASSES)


@pytest.fixture(scope="module")
def result():
    return evaluate_multiclass("MyBDT<", sample(1), sample(2), method_type="BDT", dataset="dataset")


# ------------------------------------------------------------------------------------------------ samples


def test_sample_tells_class_and_output_apart():
    scores, index, weights = arrays(1)
    events = MulticlassSample.from_arrays(scores, index, weights, classes=CLASSES)
    assert len(events) == 700
    np.testing.assert_array_equal(events.output(2, 1).values, scores[index == 1, 2])
    np.testing.assert_array_equal(events.output(2, 1).weights, weights[index == 1])
    pair = events.versus(2, 1)
    np.testing.assert_array_equal(pair.signal.values, scores[index == 2, 2])
    np.testing.assert_array_equal(pair.background.values, scores[index == 1, 2])
    rest = events.versus_rest(1)
    np.testing.assert_array_equal(rest.background.values, scores[index != 1, 1])
    np.testing.assert_array_equal(rest.background.weights, weights[index != 1])
    assert (rest.signal.name, rest.background.name) == ("bg0", "all but bg0")
    assert repr(events) == "MulticlassSample(700 events of Signal, bg0, bg1)"


def test_weights_are_1_when_left_out():
    scores, index, _ = arrays(1)
    np.testing.assert_array_equal(MulticlassSample.from_arrays(scores, index, classes=CLASSES).weights, np.ones(700))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": ("a",)}, "two or more classes"),
        ({"classes": ("a", "b", "a")}, "different names"),
        ({"classes": ("a", "b")}, r"shape \(700, 3\), but must be events by 2 classes \(a, b\)"),
        ({"scores": np.zeros(700)}, r"shape \(700,\)"),
        ({"class_index": np.zeros(700)}, "700 integers, but are of type float64"),
        ({"class_index": np.zeros(699, int)}, r"700 integers, .* shape \(699,\)"),
        ({"class_index": np.r_[np.repeat([0, 1, 2], 233), 3]}, "entry 699 of the responses has class 3"),
        ({"class_index": np.r_[-1, np.repeat([0, 1, 2], 233)]}, "entry 0 of the responses has class -1"),
        ({"class_index": np.repeat([0, 1], 350)}, "no bg1 events among the responses"),
        ({"weights": np.where(arrays(1)[1] == 1, -1.0, 1.0)}, "weights of the 400 bg0 events .* sum to -400"),
        ({"weights": np.ones(3)}, r"weights have shape \(3,\)"),
    ],
)
def test_sample_refuses(change, message):
    scores, index, weights = arrays(1)
    given = {"scores": scores, "class_index": index, "weights": weights, "classes": CLASSES, **change}
    with pytest.raises(DataError, match=message):
        MulticlassSample.from_arrays(**given)


def test_sample_names_the_entry_that_is_not_finite():
    scores, index, weights = arrays(1)
    scores[5, 2] = np.nan
    scores[7, 0] = np.inf
    with pytest.raises(DataError, match="entry 5 of the responses of X is nan for bg1: 2 of 700 entries"):
        MulticlassSample.from_arrays(scores, index, weights, classes=CLASSES, what="responses of X")


# ----------------------------------------------------------------------------------------------- numbers


def test_areas_are_those_of_sklearn(result):
    scores, index, weights = arrays(1)
    assert result.classes == CLASSES
    for i in range(3):
        area = roc_auc_score(index == i, scores[:, i], sample_weight=weights)
        assert result.auc[i] == pytest.approx(area, rel=1e-12)
        assert result.auc_error[i] == roc_curve(scores[:, i], index == i, weights).area_error
        assert result.test.roc(CLASSES[i]) is result.test.one_vs_rest[i]
        for j in range(3):
            if i == j:
                continue
            both = (index == i) | (index == j)
            area = roc_auc_score(index[both] == i, scores[both, i], sample_weight=weights[both])
            value, error = result.test.one_vs_one.of(CLASSES[i], CLASSES[j])
            assert value == pytest.approx(area, rel=1e-12)
            assert error == roc_curve(scores[both, i], index[both] == i, weights[both]).area_error
    assert np.isnan(np.diag(result.test.one_vs_one.values)).all()


def test_efficiencies_are_read_off_the_curves(result):
    assert result.background_efficiencies == (0.01, 0.10, 0.30)
    events = sample(1)
    for i in range(3):
        curve = one_vs_rest_curve(events, i)
        assert result.test.efficiencies[i] == tuple(curve.signal_efficiency_at(b) for b in (0.01, 0.10, 0.30))
        for j in {0, 1, 2} - {i}:
            curve = one_vs_one_curve(events, i, j)
            for matrix, reference in zip(result.test.confusion, (0.01, 0.10, 0.30), strict=True):
                expected = curve.signal_efficiency_at(reference)
                assert matrix.of(CLASSES[i], CLASSES[j]) == (expected.value, expected.error)
        assert np.isnan(result.test.confusion[0].values[i, i])


def test_accuracy_and_assignments(result):
    scores, index, weights = arrays(1)
    chosen = scores.argmax(axis=1)
    assert result.accuracy == pytest.approx(accuracy_score(index, chosen, sample_weight=weights))
    expected = confusion_matrix(index, chosen, sample_weight=weights, normalize="true")
    np.testing.assert_allclose(result.test.assignments.values, expected, rtol=1e-12)
    np.testing.assert_allclose(result.test.assignments.values.sum(axis=1), 1.0)


def test_errors_are_binomial_for_equal_weights():
    scores, index, _ = arrays(3)
    result = evaluate_multiclass("M", MulticlassSample.from_arrays(scores, index, np.full(700, 7.0), classes=CLASSES))
    accuracy = np.mean(scores.argmax(axis=1) == index)
    assert result.accuracy_error == pytest.approx((accuracy * (1 - accuracy) / 700) ** 0.5)
    p, error = result.test.assignments.of("bg0", "Signal")
    assert p == np.mean(scores[index == 1].argmax(axis=1) == 0)
    assert error == pytest.approx((p * (1 - p) / 400) ** 0.5)


def test_errors_with_weights_are_the_spread_of_many_samples():
    found = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        index = np.repeat([0, 1], 150)
        scores = rng.normal(np.where(index == 0, 1.0, -1.0), 1.0)
        weights = rng.exponential(1.0, 300)
        events = MulticlassSample.from_arrays(np.stack([scores, -scores], 1), index, weights, classes=("a", "b"))
        performance = evaluate_multiclass("M", events).test
        point = working_point(events, 0, [ScoreCut(0, "a", 0.5, True), ScoreCut(1, "b", 2.0, False)])
        found.append(
            [
                *(performance.accuracy, point.efficiency, point.purity, point.product),
                *(performance.accuracy_error, point.efficiency_error, point.purity_error, point.product_error),
            ]
        )
    spread, errors = np.std(found, axis=0)[:4], np.mean(found, axis=0)[4:]
    np.testing.assert_allclose(errors, spread, rtol=0.12)


def test_training_sample_and_ks(result):
    test, train = sample(1), sample(2)
    alone = evaluate_multiclass("M", train)
    assert result.train.accuracy == alone.accuracy
    assert [roc.area for roc in result.train.one_vs_rest] == list(alone.auc)
    for i, (own, rest) in enumerate(result.ks):
        pairs = [
            (s.scores[chosen, i], s.weights[chosen])
            for chosen_is in (True, False)
            for s in (test, train)
            for chosen in [(s.class_index == i) == chosen_is]
        ]
        expected = [ks_unbinned(a, b, wa, wb).probability for (a, wa), (b, wb) in (pairs[:2], pairs[2:])]
        assert [own, rest] == expected


def test_without_training_sample():
    result = evaluate_multiclass("M", sample(1), background_efficiencies=(0.2,))
    assert result.train is None
    assert result.ks is None
    assert [e.background_efficiency for e in result.test.efficiencies[1]] == [0.2]
    assert len(result.test.confusion) == 1
    assert "train" not in repr(result)
    assert "K-S" not in str(result)


def test_training_sample_of_other_classes_is_refused():
    other = MulticlassSample.from_arrays(*arrays(2), classes=("a", "b", "c"))
    with pytest.raises(DataError, match="'M' has the classes a, b, c, but the test sample has Signal, bg0, bg1"):
        evaluate_multiclass("M", sample(1), other)


def test_response_that_is_the_wrong_way_round_stays_so():
    scores, index, weights = arrays(1)
    turned = evaluate_multiclass("M", MulticlassSample.from_arrays(-scores, index, weights, classes=CLASSES))
    assert max(turned.auc) < 0.5


# ------------------------------------------------------------------------------------------ working points


def merit(events, signal, cuts):
    passed = np.logical_and.reduce([cut.passes(events.scores) for cut in cuts]) if cuts else np.ones(len(events), bool)
    own = events.class_index == signal
    selected = events.weights[passed].sum()
    return events.weights[passed & own].sum() ** 2 / selected / events.weights[own].sum() if selected else 0.0


def test_score_cut():
    scores = np.array([[0.1, 0.5], [0.2, 0.6], [0.3, 0.7]])
    assert ScoreCut(0, "a", 0.2, True).passes(scores).tolist() == [False, False, True]
    assert ScoreCut(1, "b", 0.6, False).passes(scores).tolist() == [True, True, False]
    assert str(ScoreCut(0, "a", 0.25, True)) == "a > 0.25"
    assert str(ScoreCut(1, "b", 0.6, False)) == "b <= 0.6"


def test_working_point_counts():
    # 4 of class a (weights 1, 1, 1, 3), 3 of class b (weights 1, 2, 2)
    scores = np.array([[0.9, 0.1], [0.8, 0.1], [0.3, 0.1], [0.9, 0.9], [0.9, 0.2], [0.4, 0.2], [0.9, 0.9]])
    events = MulticlassSample.from_arrays(
        scores, [0, 0, 0, 0, 1, 1, 1], [1.0, 1.0, 1.0, 3.0, 1.0, 2.0, 2.0], classes=("a", "b")
    )
    cuts = [ScoreCut(0, "a", 0.5, True), ScoreCut(1, "b", 0.5, False)]
    point = working_point(events, 0, cuts)
    # passed: 2 of class a (weight 2), failed: weight 4; of class b: weight 1
    assert (point.name, point.cuts) == ("a", tuple(cuts))
    assert point.efficiency == pytest.approx(2 / 6)
    assert point.purity == pytest.approx(2 / 3)
    assert point.product == pytest.approx(2 / 9)
    # sums of squared weights: 2 passed, 10 failed, 1 of background
    assert point.efficiency_error == pytest.approx(((4 / 6) ** 2 * 2 + (2 / 6) ** 2 * 10) ** 0.5 / 6)
    assert point.purity_error == pytest.approx(((1 / 3) ** 2 * 2 + (2 / 3) ** 2 * 1) ** 0.5 / 3)
    relative = (2 / 2 - 1 / 6 - 1 / 3) ** 2 * 2 + 10 / 36 + 1 / 9
    assert point.product_error == pytest.approx(2 / 9 * relative**0.5)
    nothing = working_point(events, 0, [ScoreCut(0, "a", 2.0, True)])
    assert (nothing.efficiency, nothing.efficiency_error, nothing.purity, nothing.product) == (0.0, 0.0, 0.0, 0.0)
    everything = working_point(events, 1, [])
    assert (everything.efficiency, everything.efficiency_error) == (1.0, 0.0)
    assert everything.purity == pytest.approx(5 / 11)
    assert str(everything).endswith("with no cut")
    assert str(point) == ("a: efficiency 0.3333 ± 0.2357, purity 0.6667 ± 0.2722 with a > 0.5, b <= 0.5")


def test_purity_is_never_above_1():
    events = MulticlassSample.from_arrays(
        [[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.2, 0.8]], [0, 0, 1, 1], [1.0, 1.0, -0.5, 2.0], classes=("a", "b")
    )
    point = working_point(events, 0, [ScoreCut(0, "a", 0.5, True)])
    assert (point.efficiency, point.purity) == (1.0, 1.0)
    assert best_working_points(events)[0].product == 1.0
    # a cut between the first two would leave next to nothing
    events = MulticlassSample.from_arrays(
        [[0.9, 0.0], [0.8, 0.0], [0.95, 0.0], [0.1, 0.0]], [0, 0, 1, 1], [1.0, 1.0, -0.9, 3.0], classes=("a", "b")
    )
    assert best_working_points(events)[0].efficiency == 1.0


def test_best_cuts_are_what_working_points_say(result):
    events = sample(1)
    for i, point in enumerate(result.working_points):
        assert point == result.working_point(CLASSES[i]) == working_point(events, i, point.cuts)
        assert point.product == pytest.approx(merit(events, i, point.cuts))
        assert [cut.output for cut in point.cuts] == sorted({cut.output for cut in point.cuts})
        assert all(cut.name == CLASSES[cut.output] for cut in point.cuts)


@pytest.mark.parametrize("seed", range(5))
def test_no_change_of_one_cut_improves_the_best_cuts(seed):
    events = sample(seed, n=60)
    for i, point in enumerate(best_working_points(events)):
        cuts = {cut.output: cut for cut in point.cuts}
        for output in range(3):
            for threshold, above in itertools.product(np.unique(events.scores[:, output]), (True, False)):
                other = {**cuts, output: ScoreCut(output, CLASSES[output], float(threshold), above)}
                assert merit(events, i, list(other.values())) <= point.product * (1 + 2e-6)


@pytest.mark.parametrize("seed", range(5))
def test_best_cuts_of_few_events_are_the_best_there_are(seed):
    rng = np.random.default_rng(seed)
    index = np.repeat([0, 1], 6)
    events = MulticlassSample.from_arrays(
        rng.normal(size=(12, 2)) + 1.5 * np.eye(2)[index], index, rng.uniform(0.5, 2.0, 12), classes=("a", "b")
    )
    options = [
        [ScoreCut(i, "ab"[i], t, above) for t in (*events.scores[:, i], -9.0) for above in (True, False)]
        for i in range(2)
    ]
    for i, point in enumerate(best_working_points(events)):
        assert point.product == pytest.approx(max(merit(events, i, cuts) for cuts in itertools.product(*options)))


def test_cuts_lie_between_the_events(result):
    events = sample(1)
    for point in result.working_points:
        for cut in point.cuts:
            column = np.sort(events.scores[:, cut.output])
            i = np.searchsorted(column, cut.threshold)
            assert cut.threshold == pytest.approx(0.5 * (column[i - 1] + column[i]), rel=1e-12)


def test_cut_between_neighbouring_numbers():
    # whose middle rounds to the upper one
    low = np.nextafter(1.0, 2.0)
    high = np.nextafter(low, 2.0)
    assert 0.5 * low + 0.5 * high == high
    events = MulticlassSample.from_arrays(
        [[high, 0.0], [high, 0.0], [low, 0.0], [low, 0.0]], [0, 0, 1, 1], classes=("a", "b")
    )
    signal, background = best_working_points(events)
    assert (signal.product, background.product) == (1.0, 1.0)
    assert signal.cuts == (ScoreCut(0, "a", low, True),)
    assert background.cuts == (ScoreCut(0, "a", low, False),)


def test_without_information_there_is_no_cut():
    events = MulticlassSample.from_arrays(np.full((6, 2), 0.5), [0, 0, 0, 1, 1, 1], classes=("a", "b"))
    point = best_working_points(events)[0]
    assert (point.cuts, point.efficiency, point.purity) == ((), 1.0, 0.5)


def test_cuts_found_with_part_of_the_events_are_as_good(monkeypatch):
    events = sample(4, n=1000)
    complete = best_working_points(events)
    monkeypatch.setattr(working_points, "SEARCHED", 200)
    parts = best_working_points(events)
    assert parts == best_working_points(events)
    for some, everything in zip(parts, complete, strict=True):
        assert some.product == pytest.approx(everything.product, rel=0.01)
    thinned = working_points._thinned(events)
    assert np.bincount(thinned.class_index).tolist() == [200, 200, 200]
    scaled = np.bincount(thinned.class_index, thinned.weights) / np.bincount(events.class_index, events.weights)
    np.testing.assert_allclose(scaled, 1.0, rtol=0.1)
    # every event once
    assert len(np.unique(thinned.scores[:, 0])) == 600


# -------------------------------------------------------------------------------------------- histograms


def test_histograms_say_output_first_and_true_class_last():
    events = sample(1)
    histograms = {h.name: h for h in multiclass_histograms("M", events, sample(2))}
    assert len(histograms) == 18
    histogram = histograms["MVA_M_Test_bg0_prob_for_Signal"]
    assert histogram.title == histogram.name
    assert histogram.storage == "F"
    chosen = events.class_index == 0
    contents, edges = np.histogram(
        events.scores[chosen, 1],
        40,
        (float(np.float32(-0.0002)), float(np.float32(1.0002))),
        weights=events.weights[chosen],
    )
    np.testing.assert_allclose(histogram.edges, edges)
    np.testing.assert_allclose(histogram.contents, contents / contents.sum() / np.diff(edges))
    assert histogram.entries == 200
    assert all("_Test_" in h.name for h in multiclass_histograms("M", events))


def test_responses_outside_are_not_shown():
    scores, index, weights = arrays(1)
    events = MulticlassSample.from_arrays(scores + 5.0, index, weights, classes=CLASSES)
    with pytest.warns(MvakitWarning, match="cannot be normalised"):
        histograms = multiclass_histograms("M", events)
    assert not histograms[0].contents.any()
    assert histograms[0].overflow > 0.0


# ------------------------------------------------------------------------------------------------- shown


def test_matrix():
    matrix = ClassMatrix(("a", "b"), np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[5.0, 6.0], [7.0, 8.0]]))
    assert matrix.of("a", "b") == (2.0, 6.0)
    assert repr(matrix) == "ClassMatrix(a, b)"
    with pytest.raises(DataError, match=r"no class 'bg' *; *the classes: a, b|no class 'bg'"):
        matrix.of("a", "bg")
    with pytest.raises(ValueError, match="read-only"):
        matrix.values[0, 0] = 0.0
    with pytest.raises(ValueError, match="read-only"):
        matrix.errors[0, 0] = 0.0
    with pytest.raises(DataError, match=r"matrix of 2 classes has shape \(2, 2\), not \(3, 3\)"):
        ClassMatrix(("a", "b"), np.zeros((3, 3)), np.zeros((3, 3)))
    with pytest.raises(DataError, match=r"errors of shape \(1, 1\)"):
        ClassMatrix(("a", "b"), np.zeros((2, 2)), np.zeros((1, 1)))


def test_unknown_class_is_named(result):
    with pytest.raises(DataError, match="no class 'Signla'; did you mean 'Signal'"):
        result.working_point("Signla")
    with pytest.raises(DataError, match="no class 'bg'; did you mean"):
        result.test.roc("bg")


def shown():
    roc = dataclasses.replace(roc_curve([0.0, 1.0], [False, True]), area=0.91896, area_error=0.00321)
    matrix = ClassMatrix(("a<", "b"), np.full((2, 2), np.nan), np.full((2, 2), np.nan))
    efficiency = EfficiencyAtBackground(0.01, 0.35, 0.04)
    performance = MulticlassPerformance(
        ("a<", "b"), (roc, roc), ((efficiency,), (efficiency,)), matrix, (matrix,), matrix, 0.7455, 0.0069
    )
    point = WorkingPoint("a<", (), 0.8, 0.01, 0.9, 0.02, 0.72, 0.03)
    return MulticlassResult(
        "M<", "BDT", "dataset", ("a<", "b"), (0.01,), (point, point), performance, performance, ((0.5, 0.25),) * 2
    )


def test_shows_as_text():
    assert repr(shown()) == (
        "MulticlassResult('M<' [BDT] of 'dataset', 2 classes: accuracy 0.7455 ± 0.0069, train 0.7455 ± 0.0069)"
    )
    assert (
        repr(shown().test)
        == "MulticlassPerformance(accuracy 0.7455 ± 0.0069; AUC a< 0.9190 ± 0.0032, b 0.9190 ± 0.0032)"
    )
    assert str(shown()).splitlines()[:6] == [
        "M< (BDT), dataset dataset",
        "  accuracy                             0.7455 ± 0.0069   0.7455 ± 0.0069",
        "  a< against the rest: ROC integral    0.9190 ± 0.0032   0.9190 ± 0.0032",
        "  a<: efficiency at B=0.01             0.3500 ± 0.0400   0.3500 ± 0.0400",
        "  a<: best efficiency times purity     0.7200 ± 0.0300",
        "  a<: K-S probability, class and rest  0.5 and 0.25",
    ]
    alone = dataclasses.replace(shown(), train=None, ks=None)
    assert str(alone).splitlines()[2:4] == [
        "  a< against the rest: ROC integral  0.9190 ± 0.0032",
        "  a<: efficiency at B=0.01           0.3500 ± 0.0400",
    ]


def test_shows_as_html():
    text = shown()._repr_html_()
    assert "M&lt; (BDT), dataset dataset" in text
    assert "<tr><th>a&lt;: efficiency at B=0.01</th><td>0.3500 ± 0.0400</td><td>0.3500 ± 0.0400</td></tr>" in text
    assert "M<" not in text


def test_results_are_frozen(result):
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.title = "other"

"""What cuts achieve: against sums over events written out, against each other, and at the ends."""

from __future__ import annotations

import math
from dataclasses import asdict, astuple

import numpy as np
import pytest
from mvakit_gui.merit import DEFAULT_MERIT, figure_of_merit

from mvakit.errors import DataError, FormulaError, OptionError
from mvakit.evaluation import (
    TwoClassSample,
    average_deviation,
    cut_point,
    cut_scan,
    cut_scan_of_efficiencies,
    efficiency_band,
    project_cells,
    roc_curve_of,
)

RNG = np.random.default_rng(5)
VALUES = np.round(np.concatenate([RNG.normal(1.0, 1.0, 300), RNG.normal(0.0, 1.0, 500)]), 1)
IS_SIGNAL = np.arange(800) < 300
WEIGHTS = RNG.uniform(0.5, 1.5, 800)
SAMPLE = TwoClassSample.from_arrays(VALUES, IS_SIGNAL, WEIGHTS)


def efficiency(cut: float, chosen: np.ndarray, side: int = 1) -> tuple[float, float]:
    """The selected fraction of a class and its uncertainty, event by event."""
    total = passed = squares_passed = squares_failed = 0.0
    for value, weight, counted in zip(VALUES, WEIGHTS, chosen, strict=True):
        if counted:
            total += weight
            if side * value >= side * cut:
                passed += weight
                squares_passed += weight**2
            else:
                squares_failed += weight**2
    e = passed / total
    return e, math.sqrt((1 - e) ** 2 * squares_passed + e**2 * squares_failed) / total


@pytest.mark.parametrize("cut", [-0.35, 0.0, 0.7, 9.0, -9.0])
@pytest.mark.parametrize("side", [1, -1])
def test_a_cut_against_sums_over_events(cut: float, side: int) -> None:
    point = cut_point(SAMPLE, cut, 120.0, 3000.0, orientation=side)
    (eff_s, err_s), (eff_b, err_b) = efficiency(cut, IS_SIGNAL, side), efficiency(cut, ~IS_SIGNAL, side)
    s, b = 120 * eff_s, 3000 * eff_b
    assert (point.signal_efficiency, point.background_efficiency) == pytest.approx((eff_s, eff_b), abs=1e-12)
    assert (point.signal_efficiency_error, point.background_efficiency_error) == pytest.approx((err_s, err_b), abs=1e-9)
    assert (point.signal, point.background) == pytest.approx((s, b), abs=1e-9)
    if s + b == 0:
        assert (point.significance, point.purity, point.product) == (0.0, 0.0, 0.0)
        return
    assert point.significance == pytest.approx(s / math.sqrt(s + b), rel=1e-12)
    assert point.purity == pytest.approx(s / (s + b), rel=1e-12)
    assert point.product == pytest.approx(eff_s * s / (s + b), rel=1e-12)
    # The derivatives of S / sqrt(S + B) and of S / (S + B) by hand.
    by_s, by_b = (s + 2 * b) / (2 * (s + b) ** 1.5), -s / (2 * (s + b) ** 1.5)
    assert point.significance_error == pytest.approx(math.hypot(by_s * 120 * err_s, by_b * 3000 * err_b), rel=1e-4)
    assert point.purity_error == pytest.approx(
        math.hypot(b / (s + b) ** 2 * 120 * err_s, s / (s + b) ** 2 * 3000 * err_b), rel=1e-4, abs=1e-12
    )


def test_a_scan_is_its_cuts() -> None:
    scan = cut_scan(SAMPLE, 120.0, 3000.0, figure_of_merit("S/sqrt(B)"))
    assert len(scan) == len(np.unique(VALUES))
    assert (np.diff(scan.cuts) > 0).all()
    for index in (0, 17, len(scan) - 1):
        point = cut_point(SAMPLE, scan.cuts[index], 120.0, 3000.0, figure_of_merit("S/sqrt(B)"))
        assert astuple(scan.at(index)) == pytest.approx(astuple(point), rel=1e-10, abs=1e-12)
    assert scan.optimum.significance == scan.significance.max()
    assert scan.significance[0] == pytest.approx(120 / math.sqrt(3000))
    np.testing.assert_allclose(scan.product, scan.signal_efficiency * scan.purity)
    assert "CutScan(" in repr(scan)


def test_the_cut_of_a_signal_efficiency() -> None:
    scan = cut_scan(SAMPLE)
    index = scan.index_at_signal_efficiency(0.5)
    assert scan.signal_efficiency[index] >= 0.5 > scan.signal_efficiency[index + 1]
    assert scan.index_at_signal_efficiency(2.0) == 0


def test_a_scan_thinned_at_once_is_the_scan_thinned_later() -> None:
    sample = TwoClassSample.from_arrays(RNG.normal(size=800) + IS_SIGNAL, IS_SIGNAL, WEIGHTS)
    for side in (1, -1):
        later = cut_scan(sample, orientation=side).thinned(60)
        at_once = cut_scan(sample, orientation=side, most=60)
        assert [asdict(later.at(i)) for i in range(len(later))] == [asdict(at_once.at(i)) for i in range(len(at_once))]
        assert at_once.available == 800


def test_a_thinned_scan_keeps_its_ends_and_its_optimum() -> None:
    scan = cut_scan(TwoClassSample.from_arrays(RNG.normal(size=800) + IS_SIGNAL, IS_SIGNAL, WEIGHTS))
    thin = scan.thinned(50)
    assert len(thin) <= 50
    assert set(thin.cuts) <= set(scan.cuts)
    assert (thin.cuts[0], thin.cuts[-1]) == (scan.cuts[0], scan.cuts[-1])
    assert thin.optimum == scan.optimum
    assert scan.thinned(10_000) is scan
    assert (scan.available, thin.available) == (800, 800)
    with pytest.raises(OptionError, match="10 cuts or more, not 9"):
        scan.thinned(9)


def test_signal_that_lies_below() -> None:
    turned = TwoClassSample.from_arrays(-VALUES, IS_SIGNAL, WEIGHTS)
    one, other = cut_scan(SAMPLE), cut_scan(turned)
    assert (one.orientation, other.orientation) == (1, -1)
    np.testing.assert_array_equal(one.cuts, -other.cuts)
    np.testing.assert_allclose(one.significance, other.significance)


def test_from_efficiencies_there_are_no_uncertainties() -> None:
    scan = cut_scan(SAMPLE, 50.0, 60.0)
    same = cut_scan_of_efficiencies(scan.cuts, scan.signal_efficiency, scan.background_efficiency, 50.0, 60.0)
    np.testing.assert_allclose(same.significance, scan.significance)
    assert not same.significance_error.any()
    assert same.optimum.cut == scan.optimum.cut


def test_a_figure_of_merit_that_is_no_number_somewhere() -> None:
    scan = cut_scan(SAMPLE, merit=lambda s, b: np.where(b > 500.0, np.nan, s))
    assert scan.optimum.background <= 500.0


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: cut_scan(SAMPLE, 0.0), OptionError, "n_signal is a positive number of events, not 0"),
        (lambda: cut_scan(SAMPLE, 1.0, math.inf), OptionError, "n_background"),
        (lambda: cut_scan(SAMPLE, orientation=2), OptionError, "the orientation of a cut is 1 or -1, not 2"),
        (lambda: cut_point(SAMPLE, 0.0, orientation=0), OptionError, "the orientation of a cut is 1 or -1, not 0"),
        (lambda: cut_point(SAMPLE, math.nan), DataError, "a cut is a finite number, not nan"),
        (lambda: cut_scan_of_efficiencies(np.zeros(2), np.zeros(2), np.zeros(1)), DataError, "equal numbers"),
        (lambda: cut_scan_of_efficiencies(*(np.zeros(0),) * 3), DataError, "equal numbers"),
    ],
)
def test_what_is_refused(call: object, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        call()


# ---------------------------------------------------------------------------------------------- formulae


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DEFAULT_MERIT, lambda s, b: s / math.sqrt(s + b)),
        ("S/sqrt(B)", lambda s, b: s / math.sqrt(b)),
        ("S/B", lambda s, b: s / b),
        ("sqrt(2*((S+B)*log(1+S/B)-S))", lambda s, b: math.sqrt(2 * ((s + b) * math.log1p(s / b) - s))),
        ("S/sqrt(B+(0.1*B)**2)", lambda s, b: s / math.sqrt(b + (0.1 * b) ** 2)),
        ("pow(S,2)/(S+B)", lambda s, b: s**2 / (s + b)),
        ("2*S^2/(S+B) - abs(B-S)/exp(1)", lambda s, b: 2 * s**2 / (s + b) - abs(b - s) / math.e),
    ],
)
def test_formulae_of_signal_and_background(text: str, expected: object) -> None:
    s, b = np.array([3.0, 120.0]), np.array([7.0, 11.5])
    np.testing.assert_allclose(figure_of_merit(text)(s, b), [expected(*pair) for pair in zip(s, b, strict=True)])


def test_a_division_by_zero_is_root_s() -> None:
    assert figure_of_merit("S/sqrt(B)")(np.array([3.0]), np.array([0.0])).tolist() == [0.0]


@pytest.mark.parametrize("text", ["S/", "S/X", "__import__('os')", "", "S+" * 200 + "S", "B[0]["])
def test_formulae_that_are_refused(text: str) -> None:
    with pytest.raises(FormulaError):
        figure_of_merit(text)


# ---------------------------------------------------------------------------------------------- what else views need


def test_the_band_of_a_curve_is_what_the_curve_says() -> None:
    curve = roc_curve_of(SAMPLE)
    background, signal, error = efficiency_band(curve, 10)
    assert background[0] == 0.0
    assert background[-1] == 1.0
    assert 1e-3 in background
    for b, s, e in zip(background, signal, error, strict=True):
        found = curve.signal_efficiency_at(b)
        assert (found.value, found.error) == (s, e)


def test_average_deviation_against_events() -> None:
    squares, weights = RNG.exponential(2.0, 50), RNG.uniform(0.5, 2.0, 50)
    value, error = average_deviation(
        weights.sum(), (weights**2).sum(), (weights * squares).sum(), (weights * squares**2).sum()
    )
    mean = np.average(squares, weights=weights)
    spread = math.sqrt(np.average((squares - mean) ** 2, weights=weights))
    effective = weights.sum() ** 2 / (weights**2).sum()
    assert value == pytest.approx(math.sqrt(mean))
    assert error == pytest.approx(spread / math.sqrt(effective) / (2 * math.sqrt(mean)))
    assert average_deviation(1.0, 1.0, 0.0, 0.0) == (0.0, 0.0)
    assert np.isnan(average_deviation(0.0, 1.0, 1.0, 1.0)).all()


def test_projections_of_cells() -> None:
    # The unit cube, halved in x, and its upper half halved again in z.
    lower = np.array([[0.0, 0, 0], [0.5, 0, 0], [0.5, 0, 0.25]])
    upper = np.array([[0.5, 1, 1], [1.0, 1, 0.25], [1.0, 1, 1]])
    values = np.array([2.0, 4.0, 8.0])
    xy = project_cells(lower, upper, values, (0, 1), 4)
    np.testing.assert_allclose(xy[:2], 2.0)
    np.testing.assert_allclose(xy[2:], 0.25 * 4 + 0.75 * 8)
    xz = project_cells(lower, upper, values, (0, 2), 4)
    np.testing.assert_allclose(xz[2:, 0], 4.0)
    np.testing.assert_allclose(xz[2:, 1:], 8.0)
    np.testing.assert_allclose(project_cells(lower, upper, values, (2, 0), 4), xz.T)
    # Whatever the plane, the mean over it is the mean over the cube.
    assert xy.mean() == pytest.approx((values * np.prod(upper - lower, axis=1)).sum())
    for dimensions in ((0, 0), (0, 3), (-1, 1)):
        with pytest.raises(DataError, match="no plane"):
            project_cells(lower, upper, values, dimensions)
    with pytest.raises(DataError, match="do not match"):
        project_cells(lower, upper, values[:2], (0, 1))

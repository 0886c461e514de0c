"""What a cut on the response of a classifier does: efficiencies, purity, and the significance of so many events.

TMVA's window of cut efficiencies, exact: every distinct response of the test sample is a cut, where TMVA has bins; the
uncertainties are those of the efficiencies, which a limited number of events measures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from mvakit.errors import DataError, OptionError
from mvakit.evaluation.ordered import OrderedSample, in_order
from mvakit.evaluation.samples import ClassSample, FloatArray, IndexArray, TwoClassSample

__all__ = [
    "CutPoint",
    "CutScan",
    "FigureOfMerit",
    "cut_point",
    "cut_scan",
    "cut_scan_in_order",
    "cut_scan_of_efficiencies",
    "signal_over_root_of_all",
]

# Takes the expected numbers of selected signal and background events.
FigureOfMerit = Callable[[FloatArray, FloatArray], FloatArray]

# Of a numerical derivative, in units of the events before the cut.
_STEP = 1e-5


def signal_over_root_of_all(signal: FloatArray, background: FloatArray) -> FloatArray:
    """Return S / sqrt(S + B), and 0 where nothing is selected."""
    both = signal + background
    return np.divide(signal, np.sqrt(np.maximum(both, 0.0)), out=np.zeros_like(both), where=both > 0.0)


@dataclass(frozen=True, slots=True)
class CutPoint:
    """A cut, and what it achieves.

    Attributes
    ----------
    cut : float
        Selected is ``response >= cut``, or ``<=`` where signal lies lower.
    signal_efficiency, background_efficiency : float
        Selected fractions of the sums of weights, with their standard uncertainties ``..._error``.
    signal, background : float
        Events expected to be selected.
    purity, purity_error : float
        Fraction of signal in what is selected; 0 where that is nothing.
    significance, significance_error : float
        The figure of merit; its uncertainty is that from both efficiencies.
    """

    cut: float
    signal_efficiency: float
    signal_efficiency_error: float
    background_efficiency: float
    background_efficiency_error: float
    signal: float
    background: float
    purity: float
    purity_error: float
    significance: float
    significance_error: float

    @property
    def product(self) -> float:
        """Signal efficiency times purity."""
        return self.signal_efficiency * self.purity


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CutScan:
    """What cuts achieve, from the loosest to the tightest.

    Attributes
    ----------
    cuts : ndarray, shape (n,)
        Selected is ``response >= cut`` for orientation 1, ``<=`` for -1.
    signal_efficiency, background_efficiency : ndarray, shape (n,)
    purity, product, significance : ndarray, shape (n,)
        The product is that of signal efficiency and purity.
    signal_efficiency_error, background_efficiency_error, significance_error : ndarray, shape (n,)
        Standard uncertainties; zero where the number of events is not known.
    n_signal, n_background : float
        Events expected before the cut.
    orientation : int
    available : int
        How many cuts there are, of which these may be some.
    """

    cuts: FloatArray
    signal_efficiency: FloatArray
    signal_efficiency_error: FloatArray
    background_efficiency: FloatArray
    background_efficiency_error: FloatArray
    purity: FloatArray
    purity_error: FloatArray
    significance: FloatArray
    significance_error: FloatArray
    n_signal: float
    n_background: float
    orientation: int
    available: int

    @property
    def product(self) -> FloatArray:
        """Signal efficiency times purity, shape (n,)."""
        return self.signal_efficiency * self.purity

    @property
    def optimum(self) -> CutPoint:
        """The cut of the largest significance; of equal ones the loosest."""
        return self.at(int(np.argmax(np.nan_to_num(self.significance, nan=-np.inf))))

    def at(self, index: int) -> CutPoint:
        """Return one of the cuts."""
        eff_s, eff_b = float(self.signal_efficiency[index]), float(self.background_efficiency[index])
        return CutPoint(
            float(self.cuts[index]),
            eff_s,
            float(self.signal_efficiency_error[index]),
            eff_b,
            float(self.background_efficiency_error[index]),
            self.n_signal * eff_s,
            self.n_background * eff_b,
            float(self.purity[index]),
            float(self.purity_error[index]),
            float(self.significance[index]),
            float(self.significance_error[index]),
        )

    def index_at_signal_efficiency(self, efficiency: float) -> int:
        """Return the tightest cut that keeps at least this signal efficiency."""
        reached = np.flatnonzero(self.signal_efficiency >= efficiency)
        return int(reached[-1]) if len(reached) else 0

    def thinned(self, most: int) -> CutScan:
        """Return the scan of no more than `most` of the cuts: even in both efficiencies and among the cuts, with the best.

        Raises
        ------
        OptionError
            If `most` is less than 10.
        """
        kept = _kept(self.signal_efficiency, self.background_efficiency, self.significance, most)
        if len(kept) == len(self):
            return self
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        arrays: dict[str, Any] = {name: v[kept] for name, v in values.items() if isinstance(v, np.ndarray)}
        return replace(self, **arrays)

    def __len__(self) -> int:
        return len(self.cuts)

    def __repr__(self) -> str:
        return f"CutScan({len(self)} cuts for {self.n_signal:g} signal and {self.n_background:g} background events)"


def cut_scan(
    sample: TwoClassSample,
    n_signal: float = 1000.0,
    n_background: float = 1000.0,
    merit: FigureOfMerit = signal_over_root_of_all,
    *,
    orientation: int | None = None,
    most: int | None = None,
) -> CutScan:
    """Return what every distinct response achieves as a cut.

    Parameters
    ----------
    sample : TwoClassSample
        Of the responses.
    n_signal, n_background : float
        Events expected before the cut.
    merit : callable
        The significance, of the expected numbers S and B.
    orientation : {1, -1}, optional
        Whether what lies above (1) or below (-1) is selected; by default the side on which signal has its mean.
    most : int, optional
        Keep no more than so many of the cuts, as `CutScan.thinned` does.

    Raises
    ------
    OptionError
        If a number of events is not positive, the orientation neither 1 nor -1, or `most` less than 10.

    Notes
    -----
    The variance of an efficiency e of weighted events is [(1 - e)^2 sum_pass w^2 + e^2 sum_fail w^2] / (sum w)^2. Those of
    purity and significance f follow from (df/dS)^2 N_S^2 V(e_S) + (df/dB)^2 N_B^2 V(e_B).
    """
    side = sample.orientation if orientation is None else orientation
    if side not in {1, -1}:
        raise OptionError(f"the orientation of a cut is 1 or -1, not {orientation}")
    return cut_scan_in_order(in_order(sample), n_signal, n_background, merit, orientation=side, most=most)


def cut_scan_in_order(
    ordered: OrderedSample,
    n_signal: float,
    n_background: float,
    merit: FigureOfMerit = signal_over_root_of_all,
    *,
    orientation: int,
    most: int | None = None,
) -> CutScan:
    """Return the scan of a sample that is sorted already; see `cut_scan`."""
    _check_numbers(n_signal, n_background)
    parts = (ordered.signal, ordered.background)
    chosen: slice | IndexArray = slice(None)
    efficiencies = [part.selected(orientation)[::orientation] / part.total for part in parts]
    if most is not None:
        significance = merit(n_signal * efficiencies[0], n_background * efficiencies[1])
        chosen = _kept(efficiencies[0], efficiencies[1], significance, most)
    found = []
    for part, whole in zip(parts, efficiencies, strict=True):
        efficiency = whole[chosen]
        passed = part.selected(orientation, squares=True)[::orientation][chosen]
        found.append((efficiency, _error(efficiency, passed, float(part.squares_up_to[-1]), part.total)))
    cuts = ordered.values[::orientation][chosen]
    return _scan(cuts, found[0], found[1], n_signal, n_background, merit, orientation, len(ordered.values))


def cut_scan_of_efficiencies(
    cuts: FloatArray,
    signal_efficiency: FloatArray,
    background_efficiency: FloatArray,
    n_signal: float = 1000.0,
    n_background: float = 1000.0,
    merit: FigureOfMerit = signal_over_root_of_all,
    *,
    orientation: int = 1,
) -> CutScan:
    """Return the same from efficiencies that are known at some cuts, as those of TMVA's histograms; without uncertainties.

    Raises
    ------
    DataError
        If the arrays do not match, or are empty.
    OptionError
        If a number of events is not positive.
    """
    if not len(cuts) == len(signal_efficiency) == len(background_efficiency) or len(cuts) == 0:
        raise DataError(
            f"there are {len(cuts)} cuts, {len(signal_efficiency)} signal and {len(background_efficiency)} background "
            "efficiencies; equal numbers, not 0, are needed"
        )
    none = np.zeros(len(cuts))
    return _scan(
        cuts,
        (signal_efficiency, none),
        (background_efficiency, none),
        n_signal,
        n_background,
        merit,
        orientation,
        len(cuts),
    )


def cut_point(
    sample: TwoClassSample,
    cut: float,
    n_signal: float = 1000.0,
    n_background: float = 1000.0,
    merit: FigureOfMerit = signal_over_root_of_all,
    *,
    orientation: int | None = None,
) -> CutPoint:
    """Return what one cut achieves, whether or not it is one of the responses; see `cut_scan`.

    Raises
    ------
    DataError
        If the cut is not finite.
    OptionError
        If a number of events is not positive, or the orientation neither 1 nor -1.
    """
    if not np.isfinite(cut):
        raise DataError(f"a cut is a finite number, not {cut}")
    side = sample.orientation if orientation is None else orientation
    if side not in {1, -1}:
        raise OptionError(f"the orientation of a cut is 1 or -1, not {orientation}")
    signal, background = (_selected(part, cut, side) for part in (sample.signal, sample.background))
    return _scan(np.array([float(cut)]), signal, background, n_signal, n_background, merit, side, 1).at(0)


def _selected(sample: ClassSample, cut: float, side: int) -> tuple[FloatArray, FloatArray]:
    """Return the fraction that one cut selects and its uncertainty, each of shape (1,)."""
    weights = sample.weights
    chosen = weights[side * sample.values >= side * cut]
    total = sample.sum_of_weights
    efficiency = np.array([float(chosen.sum()) / total])
    squares = np.array([float((chosen * chosen).sum())])
    return efficiency, _error(efficiency, squares, float((weights * weights).sum()), total)


def _error(efficiency: FloatArray, passed: FloatArray, all_squares: float, total: float) -> FloatArray:
    """Return the uncertainty of an efficiency, from the sum of squared weights that pass and that of all."""
    variance = ((1.0 - efficiency) ** 2 * passed + efficiency**2 * (all_squares - passed)) / total**2
    return np.sqrt(np.maximum(variance, 0.0))


def _kept(signal: FloatArray, background: FloatArray, significance: FloatArray, most: int) -> IndexArray:
    """Return which cuts of a scan to keep; see `CutScan.thinned`."""
    if most < 10:
        raise OptionError(f"a thinned scan has 10 cuts or more, not {most}")
    count = len(signal)
    if count <= most:
        return np.arange(count)
    share = (most - 1) // 3
    best = np.argmax(np.nan_to_num(significance, nan=-np.inf))
    chosen: list[IndexArray] = [np.linspace(0, count - 1, share, dtype=np.intp), np.array([best], dtype=np.intp)]
    # Logarithmic in what is left of the background, of which the tight cuts leave little.
    for falling in (signal, np.log(np.maximum(background, 1e-6))):
        rising = np.maximum.accumulate(-falling)
        chosen.append(np.searchsorted(rising, np.linspace(rising[0], rising[-1], share)).clip(0, count - 1))
    return np.unique(np.concatenate(chosen))


def _check_numbers(n_signal: float, n_background: float) -> None:
    for name, number in (("n_signal", n_signal), ("n_background", n_background)):
        if not (number > 0.0 and np.isfinite(number)):
            raise OptionError(f"{name} is a positive number of events, not {number}")


def _scan(
    cuts: FloatArray,
    signal: tuple[FloatArray, FloatArray],
    background: tuple[FloatArray, FloatArray],
    n_signal: float,
    n_background: float,
    merit: FigureOfMerit,
    side: int,
    available: int,
) -> CutScan:
    _check_numbers(n_signal, n_background)
    s, b = n_signal * signal[0], n_background * background[0]
    errors = (n_signal * signal[1], n_background * background[1])
    steps = (_STEP * n_signal, _STEP * n_background)
    return CutScan(
        cuts, *signal, *background, _purity(s, b), _propagated(_purity, (s, b), errors, steps),
        np.asarray(merit(s, b), dtype=np.float64), _propagated(merit, (s, b), errors, steps),
        float(n_signal), float(n_background), side, available,
    )  # fmt: skip


def _purity(signal: FloatArray, background: FloatArray) -> FloatArray:
    both = signal + background
    return np.divide(signal, both, out=np.zeros_like(both), where=both > 0.0)


def _propagated(
    function: FigureOfMerit,
    at: tuple[FloatArray, FloatArray],
    errors: tuple[FloatArray, FloatArray],
    steps: tuple[float, float],
) -> FloatArray:
    """Return the uncertainty of a function of two independent numbers, with numerical derivatives."""
    variance = np.zeros(len(at[0]))
    for i in range(2):
        # Numbers of events stay positive where they are: a root has no value below.
        down = np.where(at[i] >= 0.0, np.minimum(steps[i], 0.5 * at[i]), steps[i])
        moved = [[*at], [*at]]
        moved[0][i], moved[1][i] = at[i] - down, at[i] + steps[i]
        slope = (function(*moved[1]) - function(*moved[0])) / (steps[i] + down)
        variance += (slope * errors[i]) ** 2
    return np.sqrt(variance)

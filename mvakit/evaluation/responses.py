"""The histograms that a result file holds for the response of a two-class method, and TMVA's numbers from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mvakit.evaluation.efficiency import (
    UPPER_MARGIN,
    background_versus_signal,
    efficiency_histogram,
    roc_integral,
    signal_efficiency_at,
)
from mvakit.evaluation.histograms import Histogram1D, fill, normalised
from mvakit.evaluation.results import EfficiencyAtBackground, TmvaEstimates
from mvakit.evaluation.samples import FloatArray, TwoClassSample
from mvakit.evaluation.separation import response_separation

__all__ = [
    "BACKGROUND_EFFICIENCIES",
    "ResponseHistograms",
    "TrainingHistograms",
    "distribution_pair",
    "response_histograms",
    "response_range",
    "tmva_estimates",
]

BACKGROUND_EFFICIENCIES = (0.01, 0.10, 0.30)
RESPONSE_BINS = 40
FINE_BINS = 10000
CURVE_BINS = 100
TIMES_RMS = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class TrainingHistograms:
    """Response histograms of the training sample, in TMVA's order."""

    signal: Histogram1D
    background: Histogram1D
    signal_efficiency: Histogram1D
    background_efficiency: Histogram1D
    background_versus_signal: Histogram1D
    rejection_versus_signal: Histogram1D

    def __iter__(self) -> Iterator[Histogram1D]:
        yield self.signal
        yield self.background
        yield self.signal_efficiency
        yield self.background_efficiency
        yield self.background_versus_signal
        yield self.rejection_versus_signal


@dataclass(frozen=True, slots=True, eq=False)
class ResponseHistograms:
    """Response histograms of one method; iterating yields all of them in TMVA's order.

    Attributes
    ----------
    title : str
        Title of the method: the histograms are called ``MVA_<title>_...``.
    orientation : int
        1 when signal has the larger mean response, -1 otherwise; cuts select above or below accordingly.
    signal_weight : float
        Sum of weights of the signal test events.
    signal, background : Histogram1D
        ``_S``, ``_B``: 40 bins, unit area.
    signal_fine, background_fine : Histogram1D
        ``_S_high``, ``_B_high``: 10000 bins, unit area.
    signal_efficiency, background_efficiency : Histogram1D
        ``_effS``, ``_effB``: 10000 bins, efficiency of a cut.
    background_versus_signal, rejection_versus_signal, inverse_background_versus_signal : Histogram1D
        ``_effBvsS``, ``_rejBvsS``, ``_invBeffvsSeff``: 100 bins of signal efficiency.
    training : TrainingHistograms or None
        ``_Train_S``, ``_Train_B``, ``_trainingEffS``, ``_trainingEffB``, ``_trainingEffBvsS``, ``_trainingRejBvsS``.
    """

    title: str
    orientation: int
    signal_weight: float
    signal: Histogram1D
    background: Histogram1D
    signal_fine: Histogram1D
    background_fine: Histogram1D
    signal_efficiency: Histogram1D
    background_efficiency: Histogram1D
    background_versus_signal: Histogram1D
    rejection_versus_signal: Histogram1D
    inverse_background_versus_signal: Histogram1D
    training: TrainingHistograms | None = None

    def __iter__(self) -> Iterator[Histogram1D]:
        yield self.signal
        yield self.background
        yield self.signal_fine
        yield self.background_fine
        yield self.signal_efficiency
        yield self.background_efficiency
        yield self.background_versus_signal
        yield self.rejection_versus_signal
        yield self.inverse_background_versus_signal
        if self.training is not None:
            yield from self.training


def response_range(sample: TwoClassSample) -> tuple[float, float]:
    """Return the range of TMVA's response histograms.

    The means plus and minus 10 RMS, whichever class reaches further, but no further than the responses do, and a
    little more at the upper end.
    """
    means = (sample.signal.mean, sample.background.mean)
    spreads = (TIMES_RMS * sample.signal.rms, TIMES_RMS * sample.background.rms)
    smallest = min(float(sample.signal.values.min()), float(sample.background.values.min()))
    largest = max(float(sample.signal.values.max()), float(sample.background.values.max()))
    low = max(min(means[0] - spreads[0], means[1] - spreads[1]), smallest)
    high = min(max(means[0] + spreads[0], means[1] + spreads[1]), largest)
    # The margin would be lost on responses larger than 1e11.
    return low, max(high + UPPER_MARGIN, float(np.nextafter(max(high, low), np.inf)))


def distribution_pair(
    sample: TwoClassSample, nbins: int, low: float, high: float, *, prefix: str, suffix: str = ""
) -> tuple[Histogram1D, Histogram1D]:
    """Return the distributions of signal and background, of unit area.

    They are called ``<prefix>_S<suffix>`` and ``<prefix>_B<suffix>``; with prefix ``MVA_<title>_Proba`` or
    ``MVA_<title>_Rarity`` and 40 bins in [0, 1] they are TMVA's distributions of the signal probability and rarity.
    """
    pair = []
    for letter, class_sample in (("S", sample.signal), ("B", sample.background)):
        name = f"{prefix}_{letter}{suffix}"
        pair.append(normalised(fill(class_sample, nbins, low, high, name=name, title=name)))
    return pair[0], pair[1]


def response_histograms(
    title: str,
    test: TwoClassSample,
    train: TwoClassSample | None = None,
    *,
    training_cuts: Literal["training", "test"] = "training",
) -> ResponseHistograms:
    """Return TMVA's standard histograms of a response.

    Parameters
    ----------
    title : str
        Title of the method.
    test, train : TwoClassSample
        Responses and weights; without a training sample there are no training histograms.
    training_cuts : {"training", "test"}
        The sample that tells which cut belongs to a signal efficiency in ``_trainingEffBvsS`` and
        ``_trainingRejBvsS``. TMVA takes the *test* sample, so that what it plots, and prints as training efficiency,
        is the test sample's signal efficiency against the training sample's background efficiency, which hides
        part of the overtraining. The default shows the training sample alone; "test" gives TMVA's histograms.
    """
    low, high = response_range(test)
    orientation = test.orientation
    prefix = f"MVA_{title}"
    efficiencies = _efficiency_pair(test, low, high, orientation, prefix, ("_effS", "_effB"))
    curve = background_versus_signal(*efficiencies, orientation=orientation, nbins=CURVE_BINS)
    signal, background = distribution_pair(test, RESPONSE_BINS, low, high, prefix=prefix)
    signal_fine, background_fine = distribution_pair(test, FINE_BINS, low, high, prefix=prefix, suffix="_high")
    training = None
    if train is not None:
        reference = efficiencies[0] if training_cuts == "test" else None
        training = _training_histograms(train, low, high, orientation, prefix, reference)
    return ResponseHistograms(
        title,
        orientation,
        test.signal.sum_of_weights,
        signal,
        background,
        signal_fine,
        background_fine,
        *efficiencies,
        _curve(f"{prefix}_effBvsS", prefix, curve, "Backgr eff"),
        _curve(f"{prefix}_rejBvsS", prefix, 1.0 - curve, "Backgr rejection (1-eff)"),
        _inverse_curve(f"{prefix}_invBeffvsSeff", prefix, curve, "Inverse backgr. eff (1/eff)"),
        training,
    )


def tmva_estimates(
    histograms: ResponseHistograms, background_efficiencies: tuple[float, ...] = BACKGROUND_EFFICIENCIES
) -> TmvaEstimates:
    """Return the numbers of TMVA's evaluation tables, from the histograms as TMVA finds them."""
    curve = histograms.background_versus_signal.contents
    efficiencies = []
    for reference in background_efficiencies:
        value = signal_efficiency_at(reference, curve)
        error = (value * (1.0 - value) / histograms.signal_weight) ** 0.5
        efficiencies.append(EfficiencyAtBackground(reference, value, error))
    training = None
    if histograms.training is not None:
        training_curve = histograms.training.background_versus_signal.contents
        training = tuple(signal_efficiency_at(reference, training_curve) for reference in background_efficiencies)
    return TmvaEstimates(
        roc_integral(curve),
        tuple(efficiencies),
        training,
        response_separation(histograms.signal, histograms.background),
    )


def _efficiency_pair(
    sample: TwoClassSample, low: float, high: float, orientation: int, prefix: str, suffixes: tuple[str, str]
) -> tuple[Histogram1D, Histogram1D]:
    signal, background = (
        efficiency_histogram(
            class_sample,
            FINE_BINS,
            low,
            high,
            orientation=orientation,
            name=f"{prefix}{suffix}",
            title=f"{prefix} ({class_sample.name})",
        )
        for class_sample, suffix in zip((sample.signal, sample.background), suffixes, strict=True)
    )
    return signal, background


def _training_histograms(
    sample: TwoClassSample, low: float, high: float, orientation: int, prefix: str, reference: Histogram1D | None
) -> TrainingHistograms:
    signal, background = distribution_pair(sample, RESPONSE_BINS, low, high, prefix=f"{prefix}_Train")
    signal_efficiency, background_efficiency = _efficiency_pair(
        sample, low, high, orientation, prefix, ("_trainingEffS", "_trainingEffB")
    )
    curve = background_versus_signal(
        reference or signal_efficiency, background_efficiency, orientation=orientation, nbins=CURVE_BINS
    )
    return TrainingHistograms(
        signal,
        background,
        signal_efficiency,
        background_efficiency,
        _curve(f"{prefix}_trainingEffBvsS", prefix, curve),
        _curve(f"{prefix}_trainingRejBvsS", prefix, 1.0 - curve),
    )


def _curve(name: str, title: str, values: FloatArray, y_title: str = "") -> Histogram1D:
    """Return a curve over signal efficiency as a histogram without errors."""
    return Histogram1D(
        name,
        title,
        0.0,
        1.0,
        np.concatenate([[0.0], values, [0.0]]),
        entries=float(len(values)),
        x_title="Signal eff" if y_title else "",
        y_title=y_title,
    )


def _inverse_curve(name: str, title: str, values: FloatArray, y_title: str) -> Histogram1D:
    """Return the inverse of a curve; bins where it vanishes are left at zero, and not counted as entries."""
    filled = values > np.finfo(np.float64).eps
    inverse = np.divide(1.0, values, out=np.zeros_like(values), where=filled)
    return Histogram1D(
        name,
        title,
        0.0,
        1.0,
        np.concatenate([[0.0], inverse, [0.0]]),
        entries=float(np.count_nonzero(filled)),
        x_title="Signal eff",
        y_title=y_title,
    )

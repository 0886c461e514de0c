"""The evaluation of a multiclass method: each class against the rest, against each other, and all at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mvakit.errors import DataError
from mvakit.evaluation.histograms import Histogram1D, fill, normalised
from mvakit.evaluation.ks import ks_of
from mvakit.evaluation.multiclass_results import ClassMatrix, MulticlassPerformance, MulticlassResult
from mvakit.evaluation.outputs import MulticlassSample
from mvakit.evaluation.responses import BACKGROUND_EFFICIENCIES, RESPONSE_BINS
from mvakit.evaluation.results import RocCurve
from mvakit.evaluation.roc import roc_curve_of
from mvakit.evaluation.samples import FloatArray, IndexArray
from mvakit.evaluation.working_points import best_working_points

__all__ = ["evaluate_multiclass", "multiclass_histograms", "one_vs_one_curve", "one_vs_rest_curve"]

# TMVA's axis of a probability, in single precision: 0 and 1 lie inside.
LOW, HIGH = float(np.float32(-0.0002)), float(np.float32(1.0002))


def one_vs_rest_curve(sample: MulticlassSample, signal: int) -> RocCurve:
    """Return the ROC curve of a class against all others, by the response for that class.

    Large responses are taken as signal-like, whatever the means: a response that puts its own class below the others
    has an area under one half.
    """
    return roc_curve_of(sample.versus_rest(signal))


def one_vs_one_curve(sample: MulticlassSample, signal: int, background: int) -> RocCurve:
    """Return the ROC curve of a class against one other, by the response for the first; see `one_vs_rest_curve`."""
    return roc_curve_of(sample.versus(signal, background))


def evaluate_multiclass(
    title: str,
    test: MulticlassSample,
    train: MulticlassSample | None = None,
    *,
    method_type: str = "",
    dataset: str = "",
    background_efficiencies: tuple[float, ...] = BACKGROUND_EFFICIENCIES,
) -> MulticlassResult:
    """Measure how well a method tells several classes apart, and how much of that is learned by heart.

    Parameters
    ----------
    title : str
        Title of the method.
    test, train : MulticlassSample
        Responses, classes and weights; without a training sample what compares with it is None in the result.
    method_type, dataset : str
        TMVA's name of the method type, and the DataLoader's name.
    background_efficiencies : tuple of float
        Where signal efficiencies are read off.

    Returns
    -------
    MulticlassResult
        ROC curves, efficiencies and Kolmogorov-Smirnov tests are exact (unbinned).

    Raises
    ------
    DataError
        If the two samples are not of the same classes.
    """
    if train is not None and train.classes != test.classes:
        raise DataError(
            f"the training sample of {title!r} has the classes {', '.join(train.classes)}, "
            f"but the test sample has {', '.join(test.classes)}"
        )
    return MulticlassResult(
        title,
        method_type,
        dataset,
        test.classes,
        background_efficiencies,
        best_working_points(test),
        _performance(test, background_efficiencies),
        None if train is None else _performance(train, background_efficiencies),
        None if train is None else tuple(_ks(test, train, i) for i in range(len(test.classes))),
    )


def multiclass_histograms(
    title: str, test: MulticlassSample, train: MulticlassSample | None = None
) -> tuple[Histogram1D, ...]:
    """Return TMVA's histograms of the responses of a multiclass method, those of the test sample first.

    ``MVA_<title>_Test_<a>_prob_for_<b>`` is the distribution of the response *for* class a over the true events *of*
    class b, which the name says the other way round; it has 40 bins from just below 0 to just above 1 and unit area.
    Responses outside are not shown.

    Parameters
    ----------
    title : str
        Title of the method.
    test, train : MulticlassSample
        Without a training sample there are no histograms ``MVA_<title>_Train_...``.
    """
    histograms = []
    for which, sample in (("Test", test), ("Train", train)):
        if sample is None:
            continue
        for true, true_name in enumerate(sample.classes):
            for output, output_name in enumerate(sample.classes):
                name = f"MVA_{title}_{which}_{output_name}_prob_for_{true_name}"
                filled = fill(sample.output(output, true), RESPONSE_BINS, LOW, HIGH, name=name, title=name, storage="F")
                histograms.append(normalised(filled))
    return tuple(histograms)


def _performance(sample: MulticlassSample, background_efficiencies: tuple[float, ...]) -> MulticlassPerformance:
    count = len(sample.classes)
    curves = tuple(one_vs_rest_curve(sample, i) for i in range(count))
    areas = _Pairs(count)
    confusion = [_Pairs(count) for _ in background_efficiencies]
    for i in range(count):
        for j in range(count):
            if i == j:
                continue
            curve = one_vs_one_curve(sample, i, j)
            areas.set(i, j, curve.area, curve.area_error)
            for pairs, reference in zip(confusion, background_efficiencies, strict=True):
                efficiency = curve.signal_efficiency_at(reference)
                pairs.set(i, j, efficiency.value, efficiency.error)
    chosen = np.argmax(sample.scores, axis=1)
    accuracy, accuracy_error = _fraction(chosen == sample.class_index, sample.weights)
    return MulticlassPerformance(
        sample.classes,
        curves,
        tuple(tuple(curve.signal_efficiency_at(b) for b in background_efficiencies) for curve in curves),
        areas.matrix(sample.classes),
        tuple(pairs.matrix(sample.classes) for pairs in confusion),
        _assignments(sample, chosen),
        accuracy,
        accuracy_error,
    )


def _assignments(sample: MulticlassSample, chosen: IndexArray) -> ClassMatrix:
    pairs = _Pairs(len(sample.classes))
    for true in range(len(sample.classes)):
        rows = sample.class_index == true
        for output in range(len(sample.classes)):
            pairs.set(true, output, *_fraction(chosen[rows] == output, sample.weights[rows]))
    return pairs.matrix(sample.classes)


def _fraction(selected: NDArray[np.bool_], weights: FloatArray) -> tuple[float, float]:
    """Return the weighted fraction of selected events and its uncertainty, binomial where the weights are equal."""
    total = float(weights.sum())
    fraction = float(weights[selected].sum()) / total
    deviation = weights * (selected - fraction)
    return fraction, float(np.dot(deviation, deviation)) ** 0.5 / total


def _ks(test: MulticlassSample, train: MulticlassSample, signal: int) -> tuple[float, float]:
    first, second = test.versus_rest(signal), train.versus_rest(signal)
    return ks_of(first.signal, second.signal).probability, ks_of(first.background, second.background).probability


class _Pairs:
    """A matrix in the making; what is not set is NaN."""

    def __init__(self, count: int) -> None:
        self.values = np.full((count, count), np.nan)
        self.errors = np.full((count, count), np.nan)

    def set(self, row: int, column: int, value: float, error: float) -> None:
        self.values[row, column], self.errors[row, column] = value, error

    def matrix(self, classes: tuple[str, ...]) -> ClassMatrix:
        return ClassMatrix(classes, self.values, self.errors)

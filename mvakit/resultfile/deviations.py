"""The histograms that a result file holds of a regression: its deviations from the targets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mvakit.dataset import DataSet, Sample
from mvakit.evaluation.histograms import Histogram1D, bin_numbers
from mvakit.evaluation.outputs import RegressionSample
from mvakit.evaluation.regression import quadratic_deviations, single_precision
from mvakit.resultfile.values import Histogram2D, Sums

__all__ = ["regression_histograms"]

FloatArray = npt.NDArray[np.float64]

BINS = 50


def regression_histograms(
    title: str, dataset: DataSet, test_estimates: npt.ArrayLike, train_estimates: npt.ArrayLike | None = None
) -> list[Histogram1D | Histogram2D]:
    """Return TMVA's histograms of the deviations of a regression, those of the test sample first.

    ``MVA_<title>test_reg_var<i>_rtgt<j>`` and ``..._reg_tgt<i>_rtgt<j>`` show estimate minus true value of target j
    against variable i and target i, with 50 by 50 bins. Every event counts as one in them, whatever its weight. The
    horizontal axis covers the values in the sample and in the training sample, and a good bin more at both ends; the
    vertical axis likewise the deviations in the sample. Then there are for every target the `quadratic_deviations`,
    with weights.

    Parameters
    ----------
    title : str
        Title of the method.
    dataset : DataSet
        Of which come inputs, targets and weights, and the titles of the axes.
    test_estimates, train_estimates : array_like, shape (n_events, n_targets), or (n_events,) for one target
        Without estimates for the training sample there are no histograms ``MVA_<title>train_...``.

    Raises
    ------
    DataError
        If the estimates do not fit the events.
    """
    histograms: list[Histogram1D | Histogram2D] = []
    for which, sample, estimates in (
        ("test", dataset.test, test_estimates),
        ("train", dataset.train, train_estimates),
    ):
        if estimates is None:
            continue
        names = [target.label for target in dataset.targets]
        estimated = RegressionSample.from_arrays(
            estimates, sample.targets, sample.weight, names=names, what=f"estimates of {title}"
        )
        histograms += _deviations(f"MVA_{title}{which}_reg", dataset, sample, estimated)
        for i in range(len(names)):
            histograms += quadratic_deviations(title, estimated, i, which=which)
    return histograms


def _deviations(prefix: str, dataset: DataSet, sample: Sample, estimated: RegressionSample) -> list[Histogram2D]:
    """Return the deviations of every target against every variable, then against every target."""
    deviations = single_precision(single_precision(estimated.estimates) - single_precision(estimated.targets))
    histograms = []
    for kind, variables, seen, trained in (
        ("var", dataset.variables, sample.X, dataset.train.X),
        ("tgt", dataset.targets, sample.targets, dataset.train.targets),
    ):
        for i, variable in enumerate(variables):
            column = single_precision(np.asarray(seen[:, i], dtype=np.float64))
            both = [column, single_precision(np.asarray(trained[:, i], dtype=np.float64))]
            x_range = _range(min(float(c.min()) for c in both), max(float(c.max()) for c in both))
            for j, target in enumerate(dataset.targets):
                deviation = np.ascontiguousarray(deviations[:, j])
                title = target.title or target.label
                histograms.append(
                    _scatter(
                        f"{prefix}_{kind}{i}_rtgt{j}",
                        (column, deviation),
                        (x_range, _range(float(deviation.min()), float(deviation.max()))),
                        (variable.title or variable.label, f"{title}_{{regression}} - {title}_{{true}}"),
                    )
                )
    return histograms


def _range(low: float, high: float) -> tuple[float, float]:
    """Return a range that goes a little more than one of 49 bins beyond both ends, in single precision as TMVA's."""
    step = 1.01 * float(single_precision(single_precision(np.array(high - low)) / (BINS - 1)))
    first, last = (float(single_precision(np.array(end))) for end in (low - step, high + step))
    if first < last:
        return first, last
    # A constant, which has no extent of its own.
    half = max(0.5, 1e-3 * abs(low))
    return low - half, low + half


def _scatter(
    name: str,
    values: tuple[FloatArray, FloatArray],
    ranges: tuple[tuple[float, float], tuple[float, float]],
    titles: tuple[str, str],
) -> Histogram2D:
    (x, y), size = values, BINS + 2
    columns, rows = (bin_numbers(v, BINS, *r) for v, r in zip(values, ranges, strict=True))
    contents = np.bincount(columns * size + rows, minlength=size * size).reshape(size, size)[1:-1, 1:-1]
    count = float(len(x))
    return Histogram2D(
        name=name,
        title=name,
        x_edges=np.linspace(*ranges[0], BINS + 1),
        y_edges=np.linspace(*ranges[1], BINS + 1),
        values=contents.astype(np.float64),
        x_title=titles[0],
        y_title=titles[1],
        entries=count,
        sums=Sums(count, count, float(x.sum()), float(x @ x), float(y.sum()), float(y @ y), float(x @ y)),
    )

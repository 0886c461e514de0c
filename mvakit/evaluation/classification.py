"""The whole evaluation of a two-class response in one call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from mvakit.evaluation.ks import ks_of
from mvakit.evaluation.responses import (
    BACKGROUND_EFFICIENCIES,
    RESPONSE_BINS,
    distribution_pair,
    response_range,
)
from mvakit.evaluation.results import ClassificationResult, KolmogorovSmirnov, RocCurve
from mvakit.evaluation.roc import roc_curve_of
from mvakit.evaluation.samples import TwoClassSample
from mvakit.evaluation.separation import response_separation, significance

__all__ = ["evaluate_classification"]

T = TypeVar("T")


def evaluate_classification(
    title: str,
    test: TwoClassSample,
    train: TwoClassSample | None = None,
    *,
    method_type: str = "",
    dataset: str = "",
    background_efficiencies: tuple[float, ...] = BACKGROUND_EFFICIENCIES,
    threads: int = 1,
) -> ClassificationResult:
    """Measure how well a response separates signal from background, and how much of that is learned by heart.

    Parameters
    ----------
    title : str
        Title of the method.
    test, train : TwoClassSample
        Responses and weights; without a training sample what compares with it is None in the result.
    method_type, dataset : str
        TMVA's name of the method type, and the DataLoader's name.
    background_efficiencies : tuple of float
        Where the signal efficiency is read off.
    threads : int
        How many of the curves and comparisons are made at once; the result is the same.

    Returns
    -------
    ClassificationResult
        ROC curves, efficiencies and Kolmogorov-Smirnov tests are exact (unbinned). Separation and significance are
        TMVA's. When background has the larger mean response in the test sample, smaller responses are taken as more
        signal-like, in the training sample as well, as in TMVA.
    """
    orientation = test.orientation
    jobs: list[Callable[[], RocCurve | KolmogorovSmirnov]] = [partial(roc_curve_of, test, orientation=orientation)]
    if train is not None:
        jobs.append(partial(roc_curve_of, train, orientation=orientation))
        jobs += [partial(ks_of, test.signal, train.signal), partial(ks_of, test.background, train.background)]
    done = _all(jobs, threads)
    roc, *curves = (found for found in done if isinstance(found, RocCurve))
    roc_train = curves[0] if curves else None
    ks: list[float | None] = [found.probability for found in done if isinstance(found, KolmogorovSmirnov)]
    low, high = response_range(test)
    signal, background = distribution_pair(test, RESPONSE_BINS, low, high, prefix=f"MVA_{title}")
    return ClassificationResult(
        title=title,
        method_type=method_type,
        dataset=dataset,
        roc=roc,
        efficiencies=tuple(roc.signal_efficiency_at(reference) for reference in background_efficiencies),
        separation=response_separation(signal, background),
        significance=significance(test.signal, test.background),
        mean_signal=test.signal.mean,
        rms_signal=test.signal.rms,
        mean_background=test.background.mean,
        rms_background=test.background.rms,
        roc_train=roc_train,
        efficiencies_train=(
            None
            if roc_train is None
            else tuple(roc_train.signal_efficiency_at(reference) for reference in background_efficiencies)
        ),
        ks_signal=ks[0] if ks else None,
        ks_background=ks[1] if ks else None,
    )


def _all(jobs: Sequence[Callable[[], T]], threads: int) -> list[T]:
    if threads < 2:
        return [job() for job in jobs]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda job: job(), jobs))

"""One number for how good responses are: what trainings are monitored by, and permutations of a variable measured by."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mvakit.dataset import Sample
from mvakit.evaluation import MulticlassSample, RegressionSample, one_vs_rest_curve, roc_curve
from mvakit.types import AnalysisType

__all__ = ["larger_is_better", "score", "score_title"]

FloatArray = npt.NDArray[np.float64]


def score_title(analysis: AnalysisType) -> str:
    """Return what the score of an analysis is called."""
    if analysis is AnalysisType.CLASSIFICATION:
        return "ROC integral"
    return (
        "RMS of the deviations" if analysis is AnalysisType.REGRESSION else "Mean ROC integral of one against the rest"
    )


def larger_is_better(analysis: AnalysisType) -> bool:
    """Return whether a larger score is a better one."""
    return analysis is not AnalysisType.REGRESSION


def score(analysis: AnalysisType, response: FloatArray, sample: Sample) -> float:
    """Return the score of responses to a sample.

    Parameters
    ----------
    analysis : AnalysisType
    response : ndarray of float64, shape (n_events,) or (n_events, n_outputs)
        What a model answers to the events of the sample.
    sample : Sample

    Returns
    -------
    float
        The exact weighted ROC integral; of several classes its mean over one against the rest; of a regression the root
        of the weighted mean of squared deviations, of several targets all in units of the spread of theirs.

    Raises
    ------
    DataError
        If a response is not finite, or a class has no events or no positive sum of weights.
    """
    if analysis is AnalysisType.CLASSIFICATION:
        return roc_curve(response, sample.is_signal, sample.weight).area
    if analysis is AnalysisType.MULTICLASS:
        names = [str(k) for k in range(response.shape[1])]
        several = MulticlassSample.from_arrays(response, sample.class_index, sample.weight, classes=names)
        return float(np.mean([one_vs_rest_curve(several, k).area for k in range(len(names))]))
    names = [str(k) for k in range(sample.targets.shape[1])]
    estimated = RegressionSample.from_arrays(
        response.reshape(len(response), -1), sample.targets, sample.weight, names=names
    )
    weight, targets = estimated.weights, estimated.targets
    squares = np.average((estimated.estimates - targets) ** 2, axis=0, weights=weight)
    if len(names) > 1:
        squares /= np.average((targets - np.average(targets, axis=0, weights=weight)) ** 2, axis=0, weights=weight)
    return float(np.sqrt(np.mean(squares)))

"""From trained and tested models to what the result file holds of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mvakit.dataset import DataSet, Sample
from mvakit.evaluation import TwoClassSample, correlation_matrix, response_histograms
from mvakit.model import Model
from mvakit.resultfile import DatasetContents, MethodContents, TransformedInputs
from mvakit.transformations import fit_chain, parse_list
from mvakit.types import AnalysisType

__all__ = ["TestedModel", "dataset_contents", "two_classes"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TestedModel:
    """A model with its responses to the two samples.

    Attributes
    ----------
    model : Model
    weight_file : Path
    train_scores, test_scores : ndarray
    """

    model: Model
    weight_file: Path
    train_scores: FloatArray
    test_scores: FloatArray

    __test__ = False  # no test class, whatever its name begins with


def two_classes(scores: FloatArray, sample: Sample, title: str) -> TwoClassSample:
    """Return the responses to the events of a sample as signal and background."""
    return TwoClassSample.from_arrays(scores, sample.is_signal, sample.weight, what=f"responses of {title}")


def _transformed(sample: Sample, text: str, dataset: DataSet) -> TransformedInputs:
    chain = fit_chain(text, dataset.train, dataset.variables, dataset.classes)
    return TransformedInputs(sample.with_inputs(chain.apply(sample.X)) if chain else sample, chain.suffix)


def _method(tested: TestedModel, dataset: DataSet) -> MethodContents:
    model = tested.model
    histograms = response_histograms(
        model.title,
        two_classes(tested.test_scores, dataset.test, model.title),
        two_classes(tested.train_scores, dataset.train, model.title),
    )
    inputs = dataset.test.with_inputs(model.chain.apply(dataset.test.X)) if model.chain else dataset.test
    return MethodContents(
        model.method.name,
        model.title,
        str(tested.weight_file),
        str(tested.weight_file.parent),
        tuple(histograms),
        model.method.monitoring(model.state),
        tested.train_scores,
        tested.test_scores,
        inputs=TransformedInputs(inputs, model.chain.suffix, pairs=False),
    )


def dataset_contents(
    dataset: DataSet, analysis: AnalysisType, tested: Sequence[TestedModel], transformations: str
) -> DatasetContents:
    """Return what a result file holds of one DataLoader and its methods.

    Parameters
    ----------
    dataset : DataSet
    analysis : AnalysisType
    tested : sequence of TestedModel
    transformations : str
        The Factory's option ``Transformations``.
    """
    inputs = [
        _transformed(dataset.train, text, dataset)
        for text in parse_list(transformations, dataset.variables, dataset.classes)
    ]
    correlations = {}
    for index, name in enumerate(dataset.classes):
        chosen = dataset.train.class_index == index
        correlations[name] = correlation_matrix(dataset.train.X[chosen], dataset.train.weight[chosen])
    return DatasetContents(dataset, analysis, inputs, correlations, [_method(t, dataset) for t in tested])

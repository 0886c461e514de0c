"""From trained and tested models to what is measured on them, and to what the result file holds of them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mvakit.dataset import DataSet, Sample
from mvakit.evaluation import (
    ClassificationResult,
    Curve,
    Histogram1D,
    MulticlassResult,
    MulticlassSample,
    RegressionResult,
    RegressionSample,
    TwoClassSample,
    correlation_matrix,
    distribution_pair,
    evaluate_classification,
    evaluate_multiclass,
    evaluate_regression,
    multiclass_histograms,
    response_histograms,
)
from mvakit.model import Model, pdf_weight
from mvakit.pdfs import ResponsePdfs
from mvakit.resultfile import DatasetContents, Histogram2D, MethodContents, TransformedInputs, regression_histograms
from mvakit.transformations import fit_chain, parse_list
from mvakit.types import AnalysisType

__all__ = ["Result", "TestedModel", "dataset_contents", "evaluate", "several_classes", "two_classes"]

FloatArray = npt.NDArray[np.float64]
Result = ClassificationResult | MulticlassResult | RegressionResult

_PROBABILITY_BINS = 40


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


def several_classes(scores: FloatArray, sample: Sample, dataset: DataSet, title: str) -> MulticlassSample:
    """Return the responses to the events of a sample, with a column for each class."""
    return MulticlassSample.from_arrays(
        scores, sample.class_index, sample.weight, classes=dataset.classes, what=f"responses of {title}"
    )


def _estimates(scores: FloatArray, sample: Sample, dataset: DataSet, title: str) -> RegressionSample:
    names = [target.label for target in dataset.targets]
    return RegressionSample.from_arrays(
        scores, sample.targets, sample.weight, names=names, what=f"estimates of {title}"
    )


def evaluate(tested: TestedModel, dataset: DataSet) -> Result:
    """Measure a tested model, as its analysis asks.

    Returns
    -------
    ClassificationResult, MulticlassResult or RegressionResult

    Raises
    ------
    DataError
        If responses are not finite, or a class has no events or no positive sum of weights.
    """
    model, title = tested.model, tested.model.title
    samples = ((tested.test_scores, dataset.test), (tested.train_scores, dataset.train))
    kind, name = model.method.name, dataset.name
    if model.analysis is AnalysisType.REGRESSION:
        estimated = [_estimates(*pair, dataset, title) for pair in samples]
        return evaluate_regression(title, *estimated, method_type=kind, dataset=name)
    if model.analysis is AnalysisType.MULTICLASS:
        sorted_out = [several_classes(*pair, dataset, title) for pair in samples]
        return evaluate_multiclass(title, *sorted_out, method_type=kind, dataset=name)
    separated = [two_classes(*pair, title) for pair in samples]
    return evaluate_classification(title, *separated, method_type=kind, dataset=name)


def _transformed(sample: Sample, text: str, dataset: DataSet) -> TransformedInputs:
    chain = fit_chain(text, dataset.train, dataset.variables, dataset.classes, dataset.targets, dataset.spectators)
    return TransformedInputs(chain.apply_to(sample), chain.suffix)


def _histograms(tested: TestedModel, dataset: DataSet) -> list[Histogram1D | Histogram2D]:
    model, title = tested.model, tested.model.title
    samples = ((tested.test_scores, dataset.test), (tested.train_scores, dataset.train))
    if model.analysis is AnalysisType.REGRESSION:
        return regression_histograms(title, dataset, tested.test_scores, tested.train_scores)
    if model.analysis is AnalysisType.MULTICLASS:
        return [*multiclass_histograms(title, *(several_classes(*pair, dataset, title) for pair in samples))]
    of_pdfs = _pdf_histograms(tested, model.pdfs, dataset) if model.pdfs else []
    return [*of_pdfs, *response_histograms(title, *(two_classes(*pair, title) for pair in samples))]


def _method(tested: TestedModel, dataset: DataSet) -> MethodContents:
    model = tested.model
    inputs = dataset.test.map_inputs(model.chain.apply) if model.chain else dataset.test
    return MethodContents(
        model.method.name,
        model.title,
        str(tested.weight_file),
        str(tested.weight_file.parent),
        [*_histograms(tested, dataset), *model.method.histograms(model.state)],
        _curves(model, dataset),
        tested.train_scores,
        tested.test_scores,
        _probabilities(tested) if model.pdfs else {},
        inputs=TransformedInputs(inputs, model.chain.suffix, pairs=False),
    )


def _curves(model: Model, dataset: DataSet) -> list[Curve]:
    """Return what the training recorded of itself, and how responses developed with its stages where that is wanted."""
    curves = [*model.method.monitoring(model.state)]
    for which, sample in (("test", dataset.test), ("training", dataset.train)):
        respond = functools.partial(model.staged_predict, sample.X)
        curves += model.method.staged_monitoring(model.state, sample, respond, which)
    return curves


def _probabilities(tested: TestedModel) -> dict[str, tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """Return the column of TrainTree and TestTree with the probabilities to be signal."""
    train, test = (
        tested.model.probability(scores).astype(np.float32) for scores in (tested.train_scores, tested.test_scores)
    )
    return {f"prob_{tested.model.title}": (train, test)}


def _pdf_histograms(tested: TestedModel, pdfs: ResponsePdfs, dataset: DataSet) -> list[Histogram1D]:
    """Return the PDFs of a response with what they are made of, and the distributions of probability and rarity."""
    model, train, test = tested.model, dataset.train, dataset.test
    counted = train.with_weight(pdf_weight(train, model.method))
    made_of = distribution_pair(
        two_classes(_single(tested.train_scores), counted, model.title),
        pdfs.signal.original.size,
        pdfs.signal.low,
        pdfs.signal.high,
        prefix=f"{model.method.name}_tr",
    )
    histograms = [*made_of, *pdfs.histograms(model.method.name)]
    # TMVA takes the probability of the full response and rounds it, and the rarity of the rounded response
    values = {
        "Proba": _single(model.probability(tested.test_scores)),
        "Rarity": model.rarity(_single(tested.test_scores)),
    }
    for name, column in values.items():
        sample = two_classes(column, test, model.title)
        histograms += distribution_pair(sample, _PROBABILITY_BINS, 0.0, 1.0, prefix=f"MVA_{model.title}_{name}")
    return histograms


def _single(values: FloatArray) -> FloatArray:
    """Return numbers as a branch of single precision keeps them."""
    return values.astype(np.float32).astype(np.float64)


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
        for text in parse_list(transformations, dataset.variables, dataset.classes, dataset.targets, dataset.spectators)
    ]
    correlations = {}
    for index, name in enumerate(dataset.classes):
        chosen = dataset.train.class_index == index
        correlations[name] = correlation_matrix(dataset.train.X[chosen], dataset.train.weight[chosen])
    return DatasetContents(dataset, analysis, inputs, correlations, [_method(t, dataset) for t in tested])

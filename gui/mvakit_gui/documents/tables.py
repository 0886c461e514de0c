"""The table of results: its columns by analysis, and each method's row, measured from the events."""

from __future__ import annotations

import os
from typing import Any, Final

import numpy as np

from mvakit.errors import MvakitError
from mvakit.evaluation import (
    BACKGROUND_EFFICIENCIES,
    RegressionResult,
    RegressionSample,
    evaluate_classification,
    evaluate_regression,
    one_vs_rest_curve,
)
from mvakit.resultfile import MethodEntry
from mvakit.types import AnalysisType
from mvakit_gui.catalogue import Catalogue
from mvakit_gui.views.source import Source

__all__ = ["columns", "row"]

Cells = dict[str, Any]
# As many curves of one method as are made at once.
_THREADS: Final = min(4, os.cpu_count() or 1)
_TREES: Final = ("TestTree", "TrainTree")


def columns(catalogue: Catalogue) -> list[dict[str, str]]:
    """Return the columns: a key, a heading, a sentence, and the key of the uncertainty where there is one."""
    made = [_column("name", "Method", "The title of the method"), _column("type", "Type", "TMVA's name of its kind")]
    if catalogue.analysis is AnalysisType.CLASSIFICATION:
        made.append(_column("auc", "ROC integral", "Exact area under the ROC curve of the test sample", "auc_error"))
        made.append(_column("auc_train", "of training", "The same of the training sample", "auc_train_error"))
        for point in BACKGROUND_EFFICIENCIES:
            key = _at(point)
            told = f"Signal efficiency of the test sample at a background efficiency of {point:g}"
            made.append(_column(key, f"ε_S at B={point:.2f}", told, f"{key}_error"))
        made += [
            _column("separation", "Separation", "Half the integral of (s - b)² / (s + b) of the response"),
            _column("significance", "Significance", "Distance of the means over the quadratic sum of the RMS"),
            _column("ks_signal", "K-S signal", "Probability that test and training signal are of one distribution"),
            _column("ks_background", "K-S backgr.", "The same of the background"),
        ]
    elif catalogue.analysis is AnalysisType.MULTICLASS:
        told = "How often the largest response is that for the event's own class"
        made.append(_column("accuracy", "Accuracy", told, "accuracy_error"))
        for index, name in enumerate(catalogue.classes):
            told = f"Exact area under the ROC curve of {name} against all others, test sample"
            made.append(_column(f"auc{index}", f"ROC integral {name}", told, f"auc{index}_error"))
    else:
        targets = [target.label for target in catalogue.sources[0].dataset.targets]
        for index, name in enumerate(targets):
            of = f" {name}" if len(targets) > 1 else ""
            made += [
                _column(
                    f"rms{index}", f"RMS{of}", "Root mean square of the deviation, test sample", f"rms{index}_error"
                ),
                _column(
                    f"rms_train{index}", "of training", "The same of the training sample", f"rms_train{index}_error"
                ),
                _column(f"rms_t{index}", f"RMS truncated{of}", "Without events further than 2σ from the average"),
                _column(f"bias{index}", f"Bias{of}", "Mean deviation from the true target", f"bias{index}_error"),
                _column(f"mutual{index}", f"Mutual information{of}", "Between estimate and true target"),
            ]
    return made


def row(source: Source, method: MethodEntry) -> Cells:
    """Return a method's row; ``remark`` says why numbers are missing."""
    cells: Cells = {"name": source.shown(method.title), "type": method.type, "remark": None}
    analysis = source.dataset.analysis
    try:
        if analysis is AnalysisType.CLASSIFICATION:
            return cells | _classifier(source, method)
        if analysis is AnalysisType.MULTICLASS:
            return cells | _multiclass(source, method.title)
        return cells | _regression(source, method.title)
    except MvakitError as error:
        return cells | {"remark": str(error)}


def _column(key: str, title: str, told: str, error: str = "") -> dict[str, str]:
    return {"key": key, "title": title, "told": told, "error": error}


def _at(point: float) -> str:
    return f"at{point:g}".replace(".", "_")


def _classifier(source: Source, method: MethodEntry) -> Cells:
    title = method.title
    if not source.has(title, f"MVA_{title}_S"):
        return {"remark": "it answers to one cut only: there is no distribution of its response"}
    test = source.two_classes(title)
    train = source.two_classes(title, "TrainTree") if source.has_events(title, "TrainTree") else None
    result = evaluate_classification(title, test, train, threads=_THREADS)
    cells: Cells = {
        "auc": result.auc,
        "auc_error": result.auc_error,
        "auc_train": result.auc_train,
        "auc_train_error": result.auc_train_error,
        "separation": result.separation,
        "significance": result.significance,
        "ks_signal": result.ks_signal,
        "ks_background": result.ks_background,
    }
    for point, found in zip(BACKGROUND_EFFICIENCIES, result.efficiencies, strict=True):
        cells |= {_at(point): found.value, f"{_at(point)}_error": found.error}
    return cells


def _multiclass(source: Source, title: str) -> Cells:
    sample = source.many_classes(title)
    right = np.argmax(sample.scores, axis=1) == sample.class_index
    total = float(sample.weights.sum())
    accuracy = float(sample.weights[right].sum()) / total
    # That of a ratio of sums of weights, as of an efficiency.
    variance = float(np.sum(sample.weights**2 * (right - accuracy) ** 2))
    cells: Cells = {"accuracy": accuracy, "accuracy_error": variance**0.5 / total}
    for index in range(len(sample.classes)):
        curve = one_vs_rest_curve(sample, index)
        cells |= {f"auc{index}": curve.area, f"auc{index}_error": curve.area_error}
    return cells


def _regression(source: Source, title: str) -> Cells:
    samples = [_estimates(source, title, which) for which in _TREES if source.has_events(title, which)]
    if not samples or not source.has_events(title):
        return {"remark": "there are no estimates in TestTree"}
    result: RegressionResult = evaluate_regression(title, *samples)
    cells: Cells = {}
    for index, part in enumerate(result.test):
        full = part.full
        cells |= {f"rms{index}": full.rms, f"rms{index}_error": full.rms_error, f"rms_t{index}": part.truncated.rms}
        cells |= {f"bias{index}": full.bias, f"bias{index}_error": full.bias_error}
        cells[f"mutual{index}"] = full.mutual_information
    for index, part in enumerate(result.train or ()):
        cells |= {f"rms_train{index}": part.full.rms, f"rms_train{index}_error": part.full.rms_error}
    return cells


def _estimates(source: Source, title: str, which: str) -> RegressionSample:
    columns = source.dataset.tree(which)
    names = [target.label for target in source.dataset.targets]
    targets = np.stack([np.asarray(columns[name], dtype=np.float64) for name in names], axis=1)
    return RegressionSample.from_arrays(
        columns[title], targets, columns["weight"], names=names, what=f"estimates of {title} in {which}"
    )

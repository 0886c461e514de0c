"""Training with scikit-learn, and its trees as flat arrays. Imported only when something trains."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import AdaBoostClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from mvakit.dataset import Sample
from mvakit.errors import MethodError, MvakitWarning
from mvakit.method import FitContext
from mvakit.types import AnalysisType
from mvakit_methods.sklearn_files.forest import SklearnForest

__all__ = ["train_adaboost", "train_forest", "train_gradient_boosting"]

FloatArray = npt.NDArray[np.float64]

_COMPARED: int = 256


def train_forest(owner: str, arguments: dict[str, Any], train: Sample, context: FitContext) -> SklearnForest:
    """Train a random forest; its response is the mean of the shares of a class in the leaves."""
    model = RandomForestClassifier(**arguments)
    _fit(owner, model, train, context)
    if arguments["oob_score"]:
        context.log.info(f"Accuracy for events that a tree was not given: {model.oob_score_:.4f}")
    trees = [tree.tree_ for tree in model.estimators_]
    columns = _columns(context)
    # Shares of the classes, whatever version of scikit-learn counts weights in its leaves.
    values = [tree.value[:, 0, :] / tree.value[:, 0, :].sum(axis=1, keepdims=True) for tree in trees]
    forest = _flat(
        trees,
        [value[:, columns] for value in values],
        [0] * len(trees),
        np.zeros(len(columns)),
        1.0 / len(trees),
        "identity",
        model.feature_importances_,
    )
    return _compared(owner, forest, model, train, context)


def train_adaboost(owner: str, arguments: dict[str, Any], train: Sample, context: FitContext) -> SklearnForest:
    """Train by AdaBoost (SAMME); each leaf votes for one class with the weight of its tree."""
    estimator = DecisionTreeClassifier(**arguments["estimator"])
    model = AdaBoostClassifier(**{**arguments, "estimator": estimator})
    _fit(owner, model, train, context)
    trees, weights = [tree.tree_ for tree in model.estimators_], model.estimator_weights_[: len(model.estimators_)]
    n_classes, columns = len(context.classes), _columns(context)
    votes = []
    for tree, weight in zip(trees, weights, strict=True):
        chosen = np.argmax(tree.value[:, 0, :], axis=1)
        vote = np.where(chosen[:, np.newaxis] == columns, 1.0, -1.0 / (n_classes - 1))
        votes.append(weight / weights.sum() * vote)
    # Twice the margin of two classes is the logarithm of their odds.
    scale, link = (2.0, "logistic") if len(columns) == 1 else (1.0 / (n_classes - 1), "softmax")
    forest = _flat(trees, votes, [0] * len(trees), np.zeros(len(columns)), scale, link, model.feature_importances_)
    curves = (("EstimatorWeight", weights.copy()), ("EstimatorError", model.estimator_errors_[: len(trees)].copy()))
    return _compared(owner, _with_curves(forest, curves), model, train, context)


def train_gradient_boosting(owner: str, arguments: dict[str, Any], train: Sample, context: FitContext) -> SklearnForest:
    """Train by gradient boosting; leaves add to the logarithms of odds, class by class."""
    n_classes = len(context.classes)
    if arguments["loss"] == "exponential" and n_classes > 2:
        raise MethodError(f"{owner}: Loss=exponential is for two classes, and there are {n_classes}; take log_loss")
    model = GradientBoostingClassifier(**arguments)
    total = arguments["n_estimators"]

    def watch(done: int, _model: Any, _locals: Any) -> bool:
        context.tick(done + 1, total)
        return False

    _fit(owner, model, train, context, monitor=watch)
    trees = [tree.tree_ for tree in model.estimators_.ravel()]
    columns = [index % model.estimators_.shape[1] for index in range(len(trees))]
    two = context.analysis is AnalysisType.CLASSIFICATION
    # Of two classes scikit-learn adds up for the second, and the exponential loss counts half.
    factor = (-2.0 if arguments["loss"] == "exponential" else -1.0) if two else 1.0
    values = [factor * tree.value[:, 0, :] for tree in trees]
    importance = model.feature_importances_
    n_outputs = model.estimators_.shape[1]
    forest = _flat(
        trees, values, columns, np.zeros(n_outputs), model.learning_rate, "logistic" if two else "softmax", importance
    )
    first = np.ascontiguousarray(train.X[:1], dtype=np.float32)
    raw = np.atleast_1d(factor * np.asarray(model.decision_function(first), dtype=np.float64)[0])
    base = raw - model.learning_rate * _sums(forest, first)
    forest = _replaced(forest, base=base)
    return _compared(owner, _with_curves(forest, (("TrainScore", model.train_score_.copy()),)), model, train, context)


def _columns(context: FitContext) -> npt.NDArray[np.intp]:
    """Return the classes that the outputs stand for: signal, or all of them."""
    return np.arange(1 if context.analysis is AnalysisType.CLASSIFICATION else len(context.classes))


def _fit(
    owner: str, model: Any, train: Sample, context: FitContext, monitor: Callable[..., bool] | None = None
) -> None:
    """Fit a classifier on the indices of the classes."""
    for index, name in enumerate(context.classes):
        total = float(train.weight[train.class_index == index].sum())
        if not total > 0:
            raise MethodError(
                f"{owner}: the training events of class {name!r} have a sum of weights of {total:g}; it has to be positive"
            )
    further = {} if monitor is None else {"monitor": monitor}
    try:
        with warnings.catch_warnings():
            # Of some events no tree may have been without.
            warnings.filterwarnings("ignore", "Some inputs do not have OOB scores")
            model.fit(train.X, train.class_index.astype(np.intp), sample_weight=train.weight, **further)
    except KeyboardInterrupt:
        if monitor is None or not len(getattr(model, "estimators_", [])) or model.estimators_[0, 0] is None:
            raise
        done = sum(tree is not None for tree in model.estimators_[:, 0])
        model.estimators_ = model.estimators_[:done]
        model.train_score_ = model.train_score_[:done]
        warnings.warn(
            f"the training of {context.title} was interrupted; its first {done} trees are kept",
            MvakitWarning,
            stacklevel=5,
        )
    except ValueError as error:
        raise MethodError(f"{owner}: scikit-learn could not train {context.title}: {error}") from error


def _flat(
    trees: Sequence[Any],
    values: Sequence[FloatArray],
    columns: Sequence[int],
    base: FloatArray,
    scale: float,
    link: str,
    importance: FloatArray,
) -> SklearnForest:
    sizes = [tree.node_count for tree in trees]
    leaf = np.concatenate([tree.children_left < 0 for tree in trees])
    threshold = np.concatenate([tree.threshold for tree in trees])
    # The largest number of single precision that is not above the cut says the same of inputs in single precision.
    cut = threshold.astype(np.float32)
    cut = np.where(cut > threshold, np.nextafter(cut, np.float32(-np.inf)), cut)
    value = np.concatenate(values).astype(np.float64)
    value[~leaf] = 0.0
    return SklearnForest(
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        np.where(leaf, -1, np.concatenate([tree.feature for tree in trees])).astype(np.int32),
        np.where(leaf, np.float32(0), cut).astype(np.float32),
        np.where(leaf, 0, np.concatenate([tree.children_left for tree in trees])).astype(np.int32),
        np.where(leaf, 0, np.concatenate([tree.children_right for tree in trees])).astype(np.int32),
        np.ascontiguousarray(value),
        np.array(columns, dtype=np.int32),
        base,
        scale,
        link,
        np.asarray(importance, dtype=np.float64),
    )


def _replaced(forest: SklearnForest, **changes: Any) -> SklearnForest:
    import dataclasses

    return dataclasses.replace(forest, **changes)


def _with_curves(forest: SklearnForest, curves: tuple[tuple[str, FloatArray], ...]) -> SklearnForest:
    return _replaced(forest, curves=curves)


def _sums(forest: SklearnForest, X: npt.NDArray[np.float32]) -> FloatArray:
    """Return what the leaves of all trees add up to for the first event."""
    plain = _replaced(forest, base=np.zeros_like(forest.base), scale=1.0, link="identity")
    return np.asarray(plain(X)[0])


def _compared(owner: str, forest: SklearnForest, model: Any, train: Sample, context: FitContext) -> SklearnForest:
    """Return the forest if it answers as scikit-learn does."""
    X = np.ascontiguousarray(train.X[:_COMPARED], dtype=np.float32)
    expected = model.predict_proba(X)[:, _columns(context)]
    if not np.allclose(forest(X), expected, rtol=0, atol=1e-9):
        raise MethodError(
            f"{owner}: the trees of this version of scikit-learn answer otherwise when they are applied by themselves, by "
            f"{np.abs(forest(X) - expected).max():.2g}; please report it"
        )
    return forest

"""What trainings recorded of themselves: histories, convergence, control plots of trees and of boosting."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from mvakit.errors import DataError
from mvakit.evaluation import Curve
from mvakit.resultfile import Histogram
from mvakit_gui.catalogue import Group, Keys, View
from mvakit_gui.figures import history_figure
from mvakit_gui.views.source import Source, listed

__all__ = ["boosting", "control", "convergence", "histories"]

_EPOCHS: Final = ("estimatorHistTrain", "estimatorHistTest")
_TREES: Final = ("BoostWeight", "BoostWeightVsTree", "ErrFractHist", "NodesBeforePruning", "NodesAfterPruning")
_NTUPLE: Final = "MonitorNtuple"
_BOOSTER: Final = {
    "Booster_BoostWeight": "Boost weight",
    "Booster_MethodWeight": "Weight of the classifier",
    "Booster_ErrFraction": "Error fraction, boosted weights",
    "Booster_OrigErrFraction": "Error fraction, original weights",
    "Booster_ROCIntegral_test": "ROC integral of one classifier",
    "Booster_ROCIntegral_train": "ROC integral of one classifier",
    "Booster_ROCIntegralBoosted_test": "ROC integral of all",
    "Booster_ROCIntegralBoosted_train": "ROC integral of all",
}


def _group(
    key: str, title: str, sources: Sequence[Source], keys: Keys, *, prefix: str, suffix: str, noun: str, reason: str,
    holds: Callable[[Source, str], bool], curves: Callable[[Source, str], list[Curve]], together: bool = False,
) -> Group:  # fmt: skip
    there = [(s, m.title) for s in sources for m in s.dataset.methods if holds(s, m.title)]
    views = []
    titles = tuple(source.shown(method) for source, method in there)
    if together and len(there) > 1:
        views.append(
            View(
                keys(prefix), prefix, f"All methods: {noun}", f"The {noun} of {listed(titles)}.",
                functools.partial(_chart, there, curves), functools.partial(_figure, *there[0], curves), titles,
                in_print=False,
            )
        )  # fmt: skip
    for (source, method), shown in zip(there, titles, strict=True):
        views.append(
            View(
                keys(prefix, shown), f"{prefix}_{shown}" if not suffix else f"{shown}_{suffix}", f"{shown}: {noun}",
                f"The {noun} of {shown}, as it was recorded.",
                functools.partial(_chart, [(source, method)], curves), functools.partial(_figure, source, method, curves),
                (shown,),
            )
        )  # fmt: skip
    return Group(key, title, tuple(views), None if views else reason)


def _filled(source: Source, title: str, curves: list[Curve]) -> list[Curve]:
    """Return the curves that are not zero throughout."""
    found = [curve for curve in curves if np.any(curve.y != 0.0)]
    if not found:
        raise DataError(f"{source.shown(title)} recorded nothing but zeros")
    return found


def _chart(there: Sequence[tuple[Source, str]], curves: Callable[[Source, str], list[Curve]]) -> Any:
    from mvakit_gui.charts.curves import history_chart

    return history_chart(
        {source.shown(title): _filled(source, title, curves(source, title)) for source, title in there}
    )


def _figure(source: Source, title: str, curves: Callable[[Source, str], list[Curve]], **keywords: Any) -> Any:
    return history_figure(source.shown(title), _filled(source, title, curves(source, title)), **keywords)


def histories(key: str, sources: Sequence[Source], keys: Keys) -> Group:
    """Return 8, the histories that newer TMVA and mvakit keep."""

    def holds(source: Source, title: str) -> bool:
        return any(name.startswith(f"TrainingHistory_{title}_") for name in source.names(title))

    def curves(source: Source, title: str) -> list[Curve]:
        return [c for c in source.dataset.curves(title) if c.name not in (*_EPOCHS, *_TREES)]

    return _group(
        key, "Training history", sources, keys, prefix="training", suffix="", noun="training history", holds=holds,
        curves=curves, together=True, reason="no method recorded a history: there is no TrainingHistory_<title>_*",
    )  # fmt: skip


def convergence(key: str, sources: Sequence[Source], keys: Keys) -> Group:
    """Return 10b, the estimators of networks against the epoch."""
    return _group(
        key, "Network convergence test", sources, keys, prefix="convergence", suffix="", noun="convergence",
        holds=lambda source, title: source.has(title, _EPOCHS[0]), together=True,
        curves=lambda source, title: [c for c in source.dataset.curves(title) if c.name in _EPOCHS],
        reason="no method recorded an estimator against the epoch: there is no estimatorHistTrain",
    )  # fmt: skip


def control(key: str, sources: Sequence[Source], keys: Keys, title: str = "Decision tree control plots") -> Group:
    """Return 12, what was recorded of every tree."""

    def curves(source: Source, method: str) -> list[Curve]:
        found = [c for c in source.dataset.curves(method) if c.name in _TREES]
        weights = source.dataset.method_histogram(method, "BoostWeight")
        if weights is not None:
            found.insert(0, _curve(weights, "Boost weights", "Boost weight", "Trees"))
        return found

    def holds(source: Source, method: str) -> bool:
        names = source.names(method)
        if names & set(_TREES):
            return True
        if _NTUPLE in names:
            if any(curve.name in _TREES for curve in source.dataset.curves(method)):
                return True
            empty.append(source.shown(method))
        return False

    empty: list[str] = []
    reason = "no method recorded its trees: there is no BoostWeightVsTree, ErrFractHist, NodesBeforePruning or the like"
    drawn = _group(
        key, title, sources, keys, prefix="control", suffix="ControlPlots", noun="control plots", curves=curves,
        holds=holds, reason=reason,
    )  # fmt: skip
    if drawn.reason and empty:
        return Group(key, title, (), f"{reason}, and {_NTUPLE} of {listed(empty)} has no entries")
    return drawn


def boosting(key: str, sources: Sequence[Source], keys: Keys) -> Group:
    """Return 14, what the boosting of any method recorded."""

    def curves(source: Source, method: str) -> list[Curve]:
        found = []
        for name, y_title in _BOOSTER.items():
            histogram = source.dataset.method_histogram(method, name)
            if histogram is not None:
                curve = _curve(histogram, histogram.title or name, "Classifier", y_title)
                found.append(replace(curve, x=np.arange(len(curve.x), dtype=np.float64)))
        return found

    return _group(
        key, "Boost control plots", sources, keys, prefix="boost", suffix="BoostControlPlots", noun="boost control plots",
        curves=curves, holds=lambda source, method: bool(source.names(method) & set(_BOOSTER)),
        reason="no method was boosted by Boost: there is no Booster_*",
    )  # fmt: skip


def _curve(histogram: Histogram, title: str, x_title: str, y_title: str) -> Curve:
    return Curve(histogram.name, title, x_title, y_title, histogram.centers, histogram.values)

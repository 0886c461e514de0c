"""What a training recorded of itself, under TMVA's names: curves against the number of the tree, and distributions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from mvakit.dataset import Sample
from mvakit.evaluation import Histogram1D
from mvakit.evaluation.histograms import NO_MOMENTS, bin_numbers
from mvakit.method import Curve, Staged
from mvakit.scores import score, score_title
from mvakit_methods.bdt.forest import BDTState
from mvakit_methods.bdt.options import BDTOptions
from mvakit_methods.bdt.staged import monitored_rounds, n_rounds
from mvakit_methods.bdt.validation import loss_of

__all__ = ["boost_monitor", "curves", "histograms"]

FloatArray = npt.NDArray[np.float64]

_BINS: Final = 100
_LARGEST_WEIGHT: Final = 30.0


def curves(state: BDTState, options: BDTOptions) -> tuple[Curve, ...]:
    """Return boost weight, error fraction, number of nodes and losses against the number of the tree.

    The boost weight of AdaBoost.R2 is, as in TMVA, ``1 / b`` and not its logarithm, with which the tree counts.
    """
    tree = np.arange(len(state.boost_weight), dtype=np.float64) + 0.5
    return (*_boosting(state, tree), *_nodes(state, tree), *_losses(state, options))


def _boosting(state: BDTState, tree: FloatArray) -> Iterator[Curve]:
    if state.gradient:
        return
    weight = np.exp(state.boost_weight) if state.median else state.boost_weight
    yield Curve("BoostWeightVsTree", "Boost weights vs tree", "#tree", "boost weight", tree, weight)
    if np.isfinite(state.error).all():
        yield Curve("ErrFractHist", "error fraction vs tree number", "#tree", "error fraction", tree, state.error)


def _nodes(state: BDTState, tree: FloatArray) -> Iterator[Curve]:
    after, before = np.diff(state.first).astype(np.float64), state.nodes_before.astype(np.float64)
    yield Curve("NodesBeforePruning", "nodes before pruning", "#tree", "#tree nodes", tree, before)
    yield Curve("NodesAfterPruning", "nodes after pruning", "#tree", "#tree nodes", tree, after)


def _losses(state: BDTState, options: BDTOptions) -> Iterator[Curve]:
    title = loss_of(options, state.analysis).title
    for name, what, values in zip(("trainLoss", "valLoss"), ("training", "validation"), state.losses, strict=True):
        if len(values):
            yield Curve(
                name, f"{title}, {what} events", "Number of trees", title, np.arange(1.0, len(values) + 1), values
            )


def histograms(state: BDTState) -> tuple[Histogram1D, ...]:
    """Return the distribution of boost weights or, of AdaBoost.R2, of the factors by which weights were boosted."""
    if state.median:
        title, contents, high, moments = "Boost event weights distribution", state.boost_factors, 1.0, NO_MOMENTS
    elif not state.gradient and np.isfinite(state.error).all():
        title, high, weights = "AdaBoost weight distribution", _LARGEST_WEIGHT, state.boost_weight
        contents = np.bincount(bin_numbers(weights, _BINS, 0.0, high), minlength=_BINS + 2)
        inside = weights[(weights >= 0) & (weights < high)]
        moments = (float(len(inside)), float(len(inside)), float(inside.sum()), float(inside @ inside))
    else:
        return ()
    if not len(contents):
        return ()
    found = contents.astype(np.float64)
    entries = float(found.sum())
    return (Histogram1D("BoostWeight", title, 0.0, high, found, None, entries, moments, "boost weight", "", "F"),)


def boost_monitor(state: BDTState, sample: Sample, respond: Staged, which: str) -> Curve:
    """Return the score of the response to a sample against the number of trees, at TMVA's choice of numbers.

    TMVA makes the graph of the test sample of two classes, and takes the ROC integral of smoothed histograms.
    """
    rounds = monitored_rounds(n_rounds(state))
    scores = [score(state.analysis, found, sample) for found in respond(rounds)]
    title = score_title(state.analysis)
    return Curve(
        "BoostMonitorGraph" + ("" if which == "test" else f"_{which}"),
        f"{title}, {which} events",
        "Number of trees",
        title,
        np.array(rounds, np.float64),
        np.array(scores),
    )

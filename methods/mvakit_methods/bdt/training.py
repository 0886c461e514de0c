"""The training loop: sample, tree, boost, and again."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mvakit.errors import MethodError
from mvakit.method import FitContext
from mvakit.types import AnalysisType
from mvakit_methods.bdt.binning import bin_variables
from mvakit_methods.bdt.boosting import AdaptiveBoost, Boost, GradientBoost
from mvakit_methods.bdt.events import TrainingEvents
from mvakit_methods.bdt.exact_cuts import LEAST_EVENTS, ExactSearch, pays
from mvakit_methods.bdt.fisher_cuts import FisherSearch
from mvakit_methods.bdt.forest import BDTState
from mvakit_methods.bdt.grower import Grower, Growth, Search, Tree, View
from mvakit_methods.bdt.multiclass_boosting import MulticlassGradientBoost
from mvakit_methods.bdt.options import BDTOptions
from mvakit_methods.bdt.partition import CHUNK, leaf_sums
from mvakit_methods.bdt.pruning import (
    prune_by_cost_complexity,
    prune_by_deviations,
    prune_by_expected_error,
    prune_by_validation,
)
from mvakit_methods.bdt.randomness import bagging_seed, draw_counts, subset_drawer
from mvakit_methods.bdt.regression_boosting import AdaptiveRegressionBoost, GradientRegressionBoost
from mvakit_methods.bdt.searches import CodeSearch, ValueSearch
from mvakit_methods.bdt.shaping import Shape
from mvakit_methods.bdt.team import Team
from mvakit_methods.bdt.trees import TreeArrays
from mvakit_methods.bdt.validation import Validation

__all__ = ["train_forest"]

FloatArray = npt.NDArray[np.float64]


def _search(events: TrainingEvents, options: BDTOptions, context: FitContext, team: Team) -> Search:
    integer = np.array([variable.type == "I" for variable in context.variables])
    if options.use_fisher_cuts:
        return FisherSearch(
            events.columns(), integer, options.steps, events.group == 1, least_correlation=options.least_correlation,
            exclusive=options.exclusive_variables,
        )  # fmt: skip
    if options.steps > 0 and options.exact(len(events.weight)):
        columns = events.columns()
        if len(events.weight) >= LEAST_EVENTS and not options.use_randomised_trees:
            bins = bin_variables(events, integer, np.zeros(len(integer), np.bool_), team)
            if pays(bins, integer, options.steps, options.depth()):
                return ExactSearch(columns, bins, integer, options.steps, team)
        return ValueSearch(columns, integer, options.steps)
    # Whole numbers are cut everywhere.
    steps = np.where(integer, 0, max(options.steps, 0)).astype(np.int64)
    # A histogram can be subtracted only if it was filled for every variable of both nodes.
    return CodeSearch(bin_variables(events, integer, steps > 0, team), steps, subtract=not options.use_randomised_trees)


def _add_up(tree: Tree, view: View, count: npt.NDArray[np.uint8], leaf: npt.NDArray[Any], team: Team) -> FloatArray:
    """Return what the events of the sample add up to in each leaf."""
    sums = np.empty((-(-len(leaf) // CHUNK), len(tree), 5))
    team.run(
        lambda begin, end: leaf_sums(
            leaf, view.original, view.factor, view.group, view.target, view.by_class, count, begin, end, sums
        ),
        len(sums),
        5 * len(leaf),
    )
    # Chunk by chunk: the sum must not depend on how many there are at once.
    return np.asarray(np.add.accumulate(sums)[-1])


def _prune(shape: Shape, options: BDTOptions, events: TrainingEvents, leaf: npt.NDArray[Any]) -> None:
    """Take back the splits that do not pay."""
    if options.prune_method == "ExpectedError":
        prune_by_expected_error(shape, options.prune_strength)
    elif not options.validates:
        prune_by_cost_complexity(shape, options.prune_strength)
    elif len(events.target):
        deciding = events.pruning
        weight, target = events.weight[deciding], events.target[deciding].astype(np.float64)
        reached, size = leaf[deciding], len(shape.tree)
        sums = (np.bincount(reached, w, size).astype(np.float64) for w in (weight, weight * target, weight * target**2))
        prune_by_deviations(shape, *sums)
    else:
        deciding = events.pruning
        signal, background = deciding & (events.group == 0), deciding & (events.group == 1)
        size = len(shape.tree)
        prune_by_validation(
            shape,
            np.bincount(leaf[signal], events.weight[signal], size).astype(np.float64),
            np.bincount(leaf[background], events.weight[background], size).astype(np.float64),
        )


def train_forest(events: TrainingEvents, options: BDTOptions, context: FitContext, team: Team) -> BDTState:
    """Grow a forest.

    Raises
    ------
    MethodError
        If not even the first tree separates anything.
    """
    n_variables, n_outputs = events.X.shape[1], events.n_outputs
    n_events, seed = len(events.weight), options.random_seed
    count = (~events.held_out).astype(np.uint8)
    usable = np.flatnonzero(count) if len(count) else slice(None)
    n = int(count.sum(dtype=np.int64)) if len(count) else n_events
    fraction = options.sample_fraction(n)
    search = _search(events, options, context, team)
    boost = _boost(events, options)
    growth = Growth(boost.criterion, options.depth(), options.min_percent(n))
    grower = Grower(search, growth, team, n_events)
    leaf = grower.node
    subset = options.use_n_vars or int(n_variables**0.5 + 0.6)
    trees: list[TreeArrays] = []
    boost_weight, error, nodes_before = [], [], []
    # Of each tree, by the rules of `BDTState.importance` and of its `gain`.
    importance: list[FloatArray] = []
    gain: list[FloatArray] = []
    validation = Validation(events, options, context.analysis) if len(events.validation) else None
    for i in range(options.n_trees * n_outputs):
        context.tick(i // n_outputs, options.n_trees)
        if options.bagged:
            if not len(count):
                count = np.zeros(n_events, np.uint8)
            count[usable] = draw_counts(bagging_seed(i, seed), n, fraction)
            if not count.any():
                raise MethodError(
                    f"BDT: the random sample of tree {i + 1} is empty: {n} events are too few for a "
                    f"BaggedSampleFraction of {fraction:g}"
                )
        choose = None
        if options.use_randomised_trees:
            choose = subset_drawer(bagging_seed(i, seed) + 1, n_variables, subset, poisson=options.use_poisson_n_vars)
        boost.look(count)
        tree = grower.grow(boost.view, count, choose)
        shape = Shape(tree, _add_up(tree, boost.view, count, leaf, team), boost.criterion, options.node_purity_limit)
        if options.yes_no:
            shape.clean()
        nodes_before.append(shape.n_nodes)
        verdict = boost.learn(shape, leaf, count, team)
        if options.prunes:
            _prune(shape, options, events, leaf)
            if options.yes_no:
                shape.clean()
        trees.append(shape.arrays(n_variables, verdict.response))
        boost_weight.append(verdict.boost_weight)
        error.append(verdict.error)
        counts = verdict.boost_weight if options.boost_type != "Grad" else 1.0
        importance.append(counts * shape.importance(n_variables))
        gain.append(counts * shape.gain(n_variables))
        if len(trees) == n_outputs and (max(nodes_before) == 1 or not (verdict.go_on or verdict.boost_weight > 0)):
            raise MethodError(_futile(options, context, n, verdict.error))
        if validation is not None and not validation.see(shape, leaf, verdict, team):
            break
        if not verdict.go_on:
            context.log.info(f"boosting ends with tree {i + 1}, whose error fraction is {verdict.error:.3g}")
            break
    context.tick(options.n_trees, options.n_trees)
    n_kept = len(trees)
    if validation is not None and options.stops_early:
        n_kept = max(validation.best, 1) * n_outputs
        context.log.info(_stopped(len(validation.losses), validation.best, options))
    kept = slice(n_kept)
    return BDTState.join(
        trees[kept], n_variables, np.array(boost_weight[kept]), np.array(error[kept]), np.array(nodes_before[kept]),
        _shares(np.sqrt(np.add.accumulate(importance[kept])[-1])),
        gain=_shares(np.add.accumulate(gain[kept])[-1]),
        losses=np.array(validation.losses).T if validation is not None else np.empty((2, 0)),
        boost_factors=boost.factors,
        gradient=options.boost_type == "Grad", yes_no=options.yes_no, preselection=events.preselection,
        analysis=context.analysis, n_outputs=n_outputs, median=options.boost_type == "AdaBoostR2",
    )  # fmt: skip


def _shares(values: FloatArray) -> FloatArray:
    """Return what numbers are of their sum; nothing if it is none."""
    total = values.sum()
    return values / total if total > 0 else np.empty(0)


def _stopped(n: int, best: int, options: BDTOptions) -> str:
    """Tell how many trees there are and why."""
    if n < options.n_trees and n - best >= options.tries_early_stopping:
        why = f"boosting ends after {n} trees, as the last {n - best} did not make the validation loss smaller"
    else:
        why = f"{n} trees were grown"
    return f"{why}; the first {best}, whose validation loss is smallest, are kept"


def _boost(events: TrainingEvents, options: BDTOptions) -> Boost:
    gradient = options.boost_type == "Grad"
    if len(events.target):
        return GradientRegressionBoost(events, options) if gradient else AdaptiveRegressionBoost(events, options)
    if events.n_outputs > 1:
        return MulticlassGradientBoost(events, options)
    return GradientBoost(events, options) if gradient else AdaptiveBoost(events, options)


def _futile(options: BDTOptions, context: FitContext, n: int, error: float) -> str:
    """Tell why not even the first tree is worth anything."""
    if context.analysis is not AnalysisType.REGRESSION:
        what = "separates signal from background" if len(context.classes) == 2 else "separates the classes"
    elif error >= 0.5:
        return f"BDT: the error of the first tree, {error:.3g}, is not below 0.5: AdaBoostR2 cannot boost it"
    else:
        what = "tells targets apart"
    return (
        f"BDT: no cut {what} and leaves MinNodeSize={options.min_percent(n):g}% of the {n} training events on each side"
    )

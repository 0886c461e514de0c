"""Responses of a forest as if its training had ended earlier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.application import answer, is_squeezed, respond, squeeze
from mvakit_methods.bdt.compiled import kernel
from mvakit_methods.bdt.forest import BDTState
from mvakit_methods.bdt.team import Team, team
from mvakit_methods.bdt.trees import FlatTrees, TreeArrays

__all__ = ["first_rounds", "monitored_rounds", "n_rounds", "respond_in_stages"]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]


@kernel
def _add_trees(
    X: Array,
    root: Array,
    variable: Array,
    cut: Array,
    children: Array,
    value: Array,
    begin: int,
    end: int,
    total: Array,
) -> None:
    """Add what trees say of each event, one after the other, to what others before them have said."""
    for e in range(begin, end):
        summed = total[e]
        for t in range(root.size):
            k = root[t]
            while children[k, 0] != k:
                k = children[k, 1 if X[e, variable[k]] >= cut[k] else 0]
            summed += value[k]
        total[e] = summed


def n_rounds(state: BDTState) -> int:
    """Return the number of trees or, of several classes, of trees of each class."""
    return len(state.boost_weight) // state.n_outputs


def first_rounds(state: BDTState, n: int) -> BDTState:
    """Return the forest of the first `n` trees or, of several classes, the first `n` of each class."""
    n_trees = n * state.n_outputs
    n_nodes = int(state.first[n_trees])
    columns = {column.name: getattr(state.nodes, column.name) for column in fields(TreeArrays)}
    discriminants = columns.pop("discriminants")
    columns = {name: column[:n_nodes] for name, column in columns.items()}
    used = max(int(columns["variable"].max()) + 1 - state.n_variables, 0)
    return replace(
        state,
        nodes=TreeArrays(**columns, discriminants=discriminants[:used]),
        first=state.first[: n_trees + 1],
        boost_weight=state.boost_weight[:n_trees],
        error=state.error[:n_trees],
        nodes_before=state.nodes_before[:n_trees],
    )


def respond_in_stages(state: BDTState, X: npt.NDArray[np.float32], stages: Sequence[int]) -> Iterator[FloatArray]:
    """Yield the response of the first trees for each of the numbers `stages`, which ascend.

    All together take little longer than the last, but where the answer is a median, or trees cut on discriminants: there
    every stage is an application of its own.
    """
    X = np.ascontiguousarray(X, np.float32)
    if state.median or len(state.nodes.discriminants):
        for n in stages:
            yield respond(first_rounds(state, n), X)
        return
    layouts = [state.flat.every(state.n_outputs, start) for start in range(state.n_outputs)]
    totals, norms = [np.zeros(len(X)) for _ in layouts], np.add.accumulate(state.weight)
    done = 0
    for n in stages:
        with team() as crew:
            for trees, total in zip(layouts, totals, strict=True):
                _add_some(replace(trees, root=trees.root[done:n]), X, total, crew)
        done, so_far = n, [total.copy() for total in totals]
        if is_squeezed(state):
            squeeze(so_far[0])
        yield answer(state, so_far, float(norms[n * state.n_outputs - 1]), X)


def _add_some(trees: FlatTrees, X: npt.NDArray[np.float32], total: FloatArray, crew: Team) -> None:
    arrays = trees.arrays()
    crew.run(lambda begin, end: _add_trees(X, *arrays, begin, end, total), len(X), 20.0 * len(X) * len(trees.root))


def monitored_rounds(n: int) -> list[int]:
    """Return the numbers of trees up to `n` at which TMVA's ``DoBoostMonitor`` looks: fewer and fewer as they grow."""
    steps = ((20, 5), (50, 10), (150, 25), (250, 50), (500, 100), (1000, 250), (n, 500))
    chosen = {tree for below, step in steps for tree in range(0, min(below, n), step)}
    return sorted(tree + 1 for tree in chosen | {n - 1})

"""Pruning: taking back splits of a tree that do not pay, by TMVA's two recipes.

Both work on a `Shape`. A node's ``R`` is its weight times its separation index; ``T`` stands for the tree below it.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.criteria import REGRESSION_VARIANCE, separation_index
from mvakit_methods.bdt.shaping import Shape

__all__ = [
    "cost_complexity_sequence",
    "prune_by_cost_complexity",
    "prune_by_deviations",
    "prune_by_expected_error",
    "prune_by_validation",
]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]

_EPSILON: Final = 2.0**-52


def _impurity(shape: Shape) -> FloatArray:
    """Return the separation index of each node, or the variance of its targets, as TMVA keeps it."""
    if shape.criterion == REGRESSION_VARIANCE:
        weight = shape.sums[:, 0] + shape.sums[:, 1]
        square = np.divide(shape.sums[:, 3], weight, out=np.zeros(len(weight)), where=weight != 0)
        return np.asarray((square - shape.means() ** 2).astype(np.float32), np.float64)
    index = [separation_index(shape.criterion, s, b) for s, b in shape.sums[:, :2].tolist()]
    return np.array(index, np.float32).astype(np.float64)


def prune_by_expected_error(shape: Shape, strength: float) -> None:
    """Prune the nodes that may err no more often alone than the leaves below them.

    The error rate of a node of purity p is ``1 - f`` with ``f`` the share of its majority, and `strength` standard
    deviations of ``f`` more.
    """
    weight = shape.sums[:, 0] + shape.sums[:, 1]
    majority = np.where(shape.kind > 0, shape.purity, 1 - shape.purity).astype(np.float64)
    spread = np.sqrt(np.maximum(majority * (1 - majority), 0) / np.maximum(weight, _EPSILON))
    alone = np.minimum(1.0, 1.0 - (majority - strength * spread))
    below = alone.copy()
    useless = []
    for node in reversed(shape.members()):
        if shape.tree.variable[node] >= 0:
            left, right = shape.tree.left[node], shape.tree.right[node]
            below[node] = (weight[left] * below[left] + weight[right] * below[right]) / weight[node]
            if below[node] >= alone[node]:
                useless.append(node)
    for node in useless:
        shape.make_leaf(node)


def cost_complexity_sequence(shape: Shape) -> list[int]:
    """Return the nodes in the order in which they are pruned as a leaf costs more and more, up to the root's turn.

    A node's turn comes at ``alpha = (R - R(T)) / (leaves(T) - 1)`` (Breiman, Friedman, Olshen, Stone, 1984); among the
    nodes below a node with the same alpha, the left branch goes first.
    """
    tree, members = shape.tree, shape.members()
    n = len(tree)
    s, b = shape.sums[:, 0].astype(np.float32).astype(float), shape.sums[:, 1].astype(np.float32).astype(float)
    alone = (s + b) * _impurity(shape)
    below, leaves = alone.copy(), np.ones(n)
    alpha, least = np.full(n, math.inf), np.full(n, math.inf)
    parent = {side: node for node in members for side in (tree.left[node], tree.right[node])}

    def update(node: int) -> None:
        left, right = tree.left[node], tree.right[node]
        leaves[node] = leaves[left] + leaves[right]
        below[node] = below[left] + below[right]
        alpha[node] = (alone[node] - below[node]) / (leaves[node] - 1)
        least[node] = min(alpha[node], least[left], least[right])

    for node in reversed(members):
        if tree.variable[node] >= 0:
            update(node)
    sequence = []
    while leaves[0] > 1 and least[0] < alpha[0]:
        node = 0
        while least[node] < alpha[node]:
            left = tree.left[node]
            node = left if abs(least[node] - least[left]) < _EPSILON else tree.right[node]
        sequence.append(node)
        leaves[node], below[node], alpha[node], least[node] = 1, alone[node], math.inf, math.inf
        while node != 0:
            node = parent[node]
            update(node)
    return sequence


def prune_by_cost_complexity(shape: Shape, strength: float) -> None:
    """Prune the first `strength` percent of the sequence."""
    sequence = cost_complexity_sequence(shape)
    for node in sequence[: int(strength / 100 * len(sequence))]:
        shape.make_leaf(node)


def prune_by_validation(shape: Shape, signal: FloatArray, background: FloatArray) -> None:
    """Prune as far as the weight on the wrong side of a validation sample falls.

    Parameters
    ----------
    shape : Shape
    signal, background : ndarray of float64, shape (n_nodes,)
        The weights of the validation sample that reach each leaf that has grown.
    """
    signal, background = _of_all_nodes(shape, signal), _of_all_nodes(shape, background)
    _prune_while_it_falls(shape, np.where(shape.kind > 0, background, signal))


def prune_by_deviations(shape: Shape, weight: FloatArray, first: FloatArray, second: FloatArray) -> None:
    """Prune as far as the squared deviations of a validation sample from what nodes say fall.

    Parameters
    ----------
    shape : Shape
    weight, first, second : ndarray of float64, shape (n_nodes,)
        Of the validation sample that reaches each leaf that has grown the sums of weights, of weights times targets, and of
        weights times squared targets.
    """
    says = shape.means()
    weight, first, second = (_of_all_nodes(shape, held) for held in (weight, first, second))
    _prune_while_it_falls(shape, second - 2 * says * first + says**2 * weight)


def _of_all_nodes(shape: Shape, of_leaves: FloatArray) -> FloatArray:
    """Return sums over leaves with those of the nodes above filled in."""
    held, tree = of_leaves.copy(), shape.tree
    for node in reversed(range(len(tree))):
        if tree.left[node] >= 0:
            held[node] = held[tree.left[node]] + held[tree.right[node]]
    return held


def _prune_while_it_falls(shape: Shape, wrong: FloatArray) -> None:
    """Prune the first nodes of the sequence such that the sum of `wrong` over the leaves is least."""
    tree = shape.tree
    sequence = cost_complexity_sequence(shape)
    pruned: set[int] = set()

    def quality() -> float:
        waiting, total = [0], 0.0
        while waiting:
            node = waiting.pop()
            if tree.variable[node] < 0 or node in pruned:
                total += float(wrong[node])
            else:
                waiting += [tree.left[node], tree.right[node]]
        return total

    best, keep = quality(), 0
    for i, node in enumerate(sequence):
        pruned.add(node)
        found = quality()
        if found < best:
            # TMVA stops one node before the best place.
            best, keep = found, i
    for node in sequence[:keep]:
        shape.make_leaf(node)

"""The search tree of KNN: a kd-tree that is filled in the order of the events, as TMVA fills it.

The neighbours of an event do not depend on the tree, but which of two equally distant ones counts does: the one that the
search comes to first. Events of whole-numbered variables have many such, so the tree and the search are TMVA's, in its
single precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError
from mvakit_methods._compiled import kernel

__all__ = ["SearchTree", "nearest"]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]

# Steps down the tree that filling it may take: some seconds. A tree of a million scattered events takes 30 million.
_MOST_STEPS: Final = 300_000_000


@dataclass(frozen=True, slots=True, eq=False)
class SearchTree:
    """A kd-tree as arrays, one row a node.

    Attributes
    ----------
    scale : ndarray of float64, shape (n_variables,)
        What variables are divided by.
    position : ndarray of float32, shape (n_nodes, n_variables)
        In units of that scale.
    event : ndarray of int64, shape (n_nodes,)
        The event in the file; -1 for the nodes that only balance the tree.
    weight : ndarray of float64, shape (n_nodes,)
    split, lowest, highest : ndarray of float32, shape (n_nodes,)
        Where the node divides its variable, and the range of the events below it.
    children : ndarray of int64, shape (n_nodes, 2)
        The node of the smaller values and that of the others; -1 for none.
    depth : int
    """

    scale: FloatArray
    position: npt.NDArray[np.float32]
    event: npt.NDArray[np.int64]
    weight: FloatArray
    split: npt.NDArray[np.float32]
    lowest: npt.NDArray[np.float32]
    highest: npt.NDArray[np.float32]
    children: npt.NDArray[np.int64]
    depth: int

    @classmethod
    def of(
        cls,
        X: npt.NDArray[np.float32],
        weight: FloatArray,
        kind: npt.NDArray[np.int64],
        labels: list[str],
        *,
        balance_depth: int,
        scale_fraction: float,
        trim: bool,
    ) -> SearchTree:
        """Fill the tree.

        Raises
        ------
        WeightFileError
            If the events are too few, or alike in too many ways.
        """
        rows = np.flatnonzero(_trimmed(kind)) if trim else np.arange(len(X))
        X, weight = X[rows], weight[rows]
        n, n_variables = X.shape
        if n < 2 or n * n_variables < 2**balance_depth:
            raise WeightFileError(f"<Weights NEvents={n}> is too few for a tree with BalanceDepth={balance_depth}")
        scale = _widths(X, scale_fraction, labels)
        position = (X / scale).astype(np.float32)
        splits = _balancing_splits(np.sort(position, axis=0), balance_depth)
        n_balancing = len(splits)
        n_nodes = n_balancing + n
        split, children = np.empty(n_nodes, np.float32), np.full((n_nodes, 2), -1, np.int64)
        split[:n_balancing] = splits
        children[: n_balancing // 2] = np.arange(1, n_balancing).reshape(-1, 2)
        low, high = split.copy(), split.copy()
        depth = _fill(position, n_balancing, split, low, high, children, _MOST_STEPS)
        if depth < 0:
            raise WeightFileError(
                f"the {n} <Event> are too much alike for a search tree: most lie one behind the other in it"
            )
        return cls(
            scale,
            np.concatenate([np.repeat(splits[:, np.newaxis], n_variables, axis=1), position]),
            np.concatenate([np.full(n_balancing, -1), rows]),
            np.concatenate([np.full(n_balancing, -1.0), weight]),
            split,
            low,
            high,
            children,
            depth,
        )


def _trimmed(kind: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return which events are among the first of their class, of which each keeps as many as the smallest has."""
    smallest = int(np.unique(kind, return_counts=True)[1].min(initial=len(kind)))
    kept = np.zeros(len(kind), bool)
    for one in np.unique(kind):
        kept[np.flatnonzero(kind == one)[:smallest]] = True
    return kept


def _widths(X: npt.NDArray[np.float32], fraction: float, labels: list[str]) -> FloatArray:
    """Return the width of the middle part of the events of each variable, in whole percent, as TMVA measures it."""
    percent = 100 if fraction >= 1 else int(100.0 * float(np.float32(max(fraction, 0.0))))
    n = len(X)
    if percent == 0:
        return np.ones(X.shape[1])
    if n < 100:
        raise WeightFileError(f"<Weights NEvents={n}> is too few to measure variables; ScaleFrac takes 100 events")
    below = (100 - percent) // 2
    ordered = np.sort(X, axis=0).astype(np.float64)
    # The first event at which a whole percentage has come before it; none has 100 % before it, and then all are taken.
    first, last = -(-below * n // 100), -(-(100 - below) * n // 100)
    if last >= n:
        first, last = 0, n - 1
    widths: FloatArray = ordered[last] - ordered[first]
    if not (widths > 0).all():
        label = labels[int(np.argmin(widths > 0))]
        raise WeightFileError(f"the middle {percent} % of the <Event> have one value of the variable {label!r}")
    return widths


def _balancing_splits(ordered: npt.NDArray[np.float32], levels: int) -> npt.NDArray[np.float32]:
    """Return where the nodes of the first levels divide, level after level, each by the whole sample's quantiles."""
    n, n_variables = ordered.shape
    splits = [ordered[[n // 2], 0]]
    for level in range(1, levels):
        children = np.arange(1, 2**level + 1)
        splits.append(ordered[n * children // (2**level + 1), level % n_variables])
    return np.concatenate(splits).astype(np.float32)


@kernel
def _fill(
    position: Array, n_balancing: int, split: Array, low: Array, high: Array, children: Array, most_steps: int
) -> int:
    """Add events one after the other; return the depth of the tree, or -1 if that takes too many steps."""
    n_variables = position.shape[1]
    deepest, steps = 0, 0
    for i in range(position.shape[0]):
        node, variable, depth = 0, 0, 1
        while True:
            value = position[i, variable]
            low[node] = min(low[node], value)
            high[node] = max(high[node], value)
            side = 0 if value < split[node] else 1
            variable = (variable + 1) % n_variables
            depth += 1
            if children[node, side] < 0:
                break
            node = children[node, side]
        new = n_balancing + i
        children[node, side] = new
        split[new] = low[new] = high[new] = position[i, variable]
        deepest = max(deepest, depth)
        steps += depth
        if steps > most_steps:
            return -1
    return deepest


@kernel
def nearest(
    x: Array,
    position: Array,
    weight: Array,
    split: Array,
    low: Array,
    high: Array,
    children: Array,
    found: Array,
    distance: Array,
    waiting: Array,
) -> int:
    """Find the nodes nearest to a point, the nearest first, and the squares of their distances.

    Parameters
    ----------
    x : ndarray of float32
        In units of the tree's scale.
    position, weight, split, low, high, children
        The tree.
    found, distance : ndarray of int64 and float32
        Take what is found; as many are looked for as they are long.
    waiting : ndarray of int64, shape (depth + 2, 2)
        Room for the nodes that are yet to be looked at.

    Returns
    -------
    int
        How many were found; fewer than asked for where fewer nodes have a positive weight.
    """
    wanted, n_variables = found.size, x.size
    count, top = 0, 1
    waiting[0, 0], waiting[0, 1] = 0, 0
    while top:
        top -= 1
        node, variable = waiting[top, 0], waiting[top, 1]
        value = x[variable]
        if weight[node] > 0.0:
            if count == wanted:
                farthest = distance[count - 1]
                if value > high[node]:
                    gap = high[node] - value
                    if gap * gap > farthest:
                        continue
                elif value < low[node]:
                    gap = low[node] - value
                    if gap * gap > farthest:
                        continue
            square = np.float32(0.0)
            for v in range(n_variables):
                gap = position[node, v] - x[v]
                square += gap * gap
            if count < wanted or square < distance[count - 1]:
                # Behind those that are as near: they came first.
                place = count if count < wanted else count - 1
                while place > 0 and square < distance[place - 1]:
                    found[place], distance[place] = found[place - 1], distance[place - 1]
                    place -= 1
                found[place], distance[place] = node, square
                count = min(count + 1, wanted)
        near = 0 if value < split[node] else 1
        below = (variable + 1) % n_variables
        for side in (1 - near, near):
            if children[node, side] >= 0:
                waiting[top, 0], waiting[top, 1] = children[node, side], below
                top += 1
    return count

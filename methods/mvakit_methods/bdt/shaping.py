"""From the tree that grew to the one that is kept: what its nodes hold, and the splits that are taken back."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.criteria import REGRESSION_VARIANCE
from mvakit_methods.bdt.grower import Tree
from mvakit_methods.bdt.trees import TreeArrays

__all__ = ["Shape"]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]

_TINY: Final = 2.0**-1022


class Shape:
    """A grown tree with the contents of its nodes.

    Numbers are rounded to float32 where TMVA keeps them so.

    Parameters
    ----------
    tree : Tree
    sums : ndarray of float64, shape (n_nodes, 5)
        Of each leaf, what `mvakit_methods.bdt.partition.leaf_sums` adds; those of other nodes are filled in here.
    criterion : int
    purity_limit : float
        Nodes of larger purity are signal.
    """

    def __init__(self, tree: Tree, sums: FloatArray, criterion: int, purity_limit: float) -> None:
        self.tree = tree
        self.criterion = criterion
        self.sums = sums
        # Gains are those of targets in this unit.
        self.target_scale = 1.0
        for node in reversed(range(len(tree))):
            if tree.variable[node] >= 0:
                sums[node] = sums[tree.left[node]] + sums[tree.right[node]]
        s, b = sums[:, 0].astype(np.float32), sums[:, 1].astype(np.float32)
        total = s + b
        self.purity = np.where(total > 0, s / np.where(total > 0, total, 1), np.float32(0.5)).astype(np.float32)
        self.kind = np.where(self.purity > np.float32(purity_limit), 1, -1).astype(np.int8)

    def move_targets(self, centre: float, scale: float) -> None:
        """Change sums over targets from ``(t - centre) / scale`` to ``t``."""
        weight, first, second = self.sums[:, 0] + self.sums[:, 1], self.sums[:, 2].copy(), self.sums[:, 3].copy()
        self.sums[:, 2] = centre * weight + scale * first
        self.sums[:, 3] = centre**2 * weight + 2 * centre * scale * first + scale**2 * second
        self.target_scale = scale

    def means(self) -> FloatArray:
        """Return the mean target of each node; 0 where weights add up to nothing."""
        weight = self.sums[:, 0] + self.sums[:, 1]
        return np.divide(self.sums[:, 2], weight, out=np.zeros(len(weight)), where=weight != 0)

    @property
    def n_nodes(self) -> int:
        """How many nodes are still part of the tree."""
        return 1 + 2 * sum(1 for node in self.members() if self.tree.variable[node] >= 0)

    def members(self) -> list[int]:
        """The nodes that are still part of the tree, each before its children, the left branch before the right one."""
        tree, waiting, found = self.tree, [0], []
        while waiting:
            node = waiting.pop()
            found.append(node)
            if tree.variable[node] >= 0:
                waiting += [tree.right[node], tree.left[node]]
        return found

    def leaves(self) -> list[int]:
        """The nodes that are leaves."""
        return [node for node in self.members() if self.tree.variable[node] < 0]

    def make_leaf(self, node: int) -> None:
        """Take a split back, and all below it."""
        self.tree.variable[node] = -1
        self.tree.cut[node] = 0.0

    def clean(self) -> None:
        """Take back the splits between two leaves of the same kind, from below."""
        tree = self.tree
        for node in reversed(self.members()):
            left, right = tree.left[node], tree.right[node]
            if (
                tree.variable[node] >= 0
                and tree.variable[left] < 0
                and tree.variable[right] < 0
                and self.kind[left] == self.kind[right]
            ):
                self.make_leaf(node)

    def spread(self, values: Array) -> Array:
        """Return, for every node that grew, the entry of `values` of the leaf in which it has ended."""
        tree = self.tree
        ends = np.arange(len(values))
        for node in range(len(values)):
            if tree.left[node] >= 0 and tree.variable[ends[node]] < 0:
                ends[[tree.left[node], tree.right[node]]] = ends[node]
        return values[ends]

    def importance(self, n_variables: int) -> FloatArray:
        """Return the importance of each variable in this tree: its squared gains times squared weights, adding up to 1.

        A cut on a discriminant counts for each variable as its squared coefficient says. Splits that were taken back
        count, as in TMVA.
        """
        tree, found = self.tree, np.zeros(n_variables)
        weight = self.sums[:, 0] + self.sums[:, 1]
        gain = np.array(tree.gain) * self.target_scale**2
        if self.criterion == REGRESSION_VARIANCE:
            squares = self.sums[:, 3] - np.divide(
                self.sums[:, 2] ** 2, weight, out=np.zeros_like(gain), where=weight > 0
            )
            gain = np.divide(gain, squares, out=np.zeros_like(gain), where=squares > 0)
        for node, variable in enumerate(tree.selected):
            if variable >= n_variables:
                found += (tree.discriminants[variable - n_variables][:-1] * gain[node] * weight[node]) ** 2
            elif variable >= 0:
                found[variable] += (gain[node] * weight[node]) ** 2
        total = found.sum()
        return found / total if total > 0 else found

    def gain(self, n_variables: int) -> FloatArray:
        """Return what the cuts on each variable that are left gain, in weight times separation index or as sum of squares.

        The gain of a cut on a discriminant is shared among the variables by their squared coefficients.
        """
        tree, found = self.tree, np.zeros(n_variables)
        # That of targets is one of their sum of squares already.
        weight = self.sums[:, 0] + self.sums[:, 1] if self.criterion != REGRESSION_VARIANCE else None
        for node in self.members():
            variable = tree.variable[node]
            if variable < 0:
                continue
            gain = tree.gain[node] * (self.target_scale**2 if weight is None else float(weight[node]))
            if variable >= n_variables:
                squares = tree.discriminants[variable - n_variables][:-1] ** 2
                found += gain * squares / max(float(squares.sum()), _TINY)
            else:
                found[variable] += gain
        return found

    def arrays(self, n_variables: int, response: FloatArray | None = None) -> TreeArrays:
        """Return what is left of the tree; `response` is what the leaves of a tree of Grad add, by node."""
        tree, members = self.tree, self.members()
        variable = np.array([tree.variable[node] for node in members], np.int32)
        # Discriminants that are left are numbered anew, in the order of the nodes.
        kept = np.flatnonzero(variable >= n_variables)
        discriminants = [tree.discriminants[k] for k in variable[kept] - n_variables]
        variable[kept] = n_variables + np.arange(len(kept))
        place = {node: i for i, node in enumerate(members)}
        inner = np.array([tree.variable[node] >= 0 for node in members])
        n = len(members)
        kind = np.where(inner, 0, self.kind[members]).astype(np.int8)
        answer, rms = np.full(n, -99.0, np.float32), np.zeros(n, np.float32)
        if response is not None:
            kind[~inner] = -99
            total, first, second = (self.sums[members][:, [0, 1]].sum(axis=1), *self.sums[members][:, [2, 3]].T)
            # Negative weights may add up to nothing.
            mean, square = (np.divide(x, total, out=np.zeros(n), where=total != 0) for x in (first, second))
            answer = np.where(inner, mean, response[members]).astype(np.float32)
            rms = np.sqrt(np.maximum(square - mean * mean, 0)).astype(np.float32)
        return TreeArrays(
            variable=variable,
            cut=np.array([tree.cut[node] for node in members], np.float32),
            left=np.array([place.get(tree.left[node], -1) for node in members], np.int32),
            right=np.array([place.get(tree.right[node], -1) for node in members], np.int32),
            depth=np.array([tree.depth[node] for node in members], np.int32),
            purity=self.purity[members],
            response=answer,
            rms=rms,
            kind=kind,
            discriminants=np.array(discriminants, np.float64).reshape(-1, n_variables + 1),
        )

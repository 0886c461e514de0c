"""What a training leaves: trees, how their answers are added, and what was recorded on the way."""

from __future__ import annotations

import functools
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

from mvakit_methods.bdt.preselection import Preselection
from mvakit_methods.bdt.trees import CompleteTrees, FlatTrees, TreeArrays, lay_out

__all__ = ["BDTState"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class BDTState:
    """A trained forest.

    Attributes
    ----------
    nodes : TreeArrays
        Of all trees, one after the other; children are counted within their tree.
    first : ndarray of int64, shape (n_trees + 1,)
        Where each tree begins.
    n_variables : int
    gradient : bool
        Whether the answer is ``2 / (1 + exp(-2 sum)) - 1`` of the sum of the responses, as for Grad; otherwise it is the
        mean of what the leaves say, weighted by `boost_weight`.
    yes_no : bool
        Whether a leaf says 1 or -1, or its purity.
    boost_weight, error : ndarray of float64, shape (n_trees,)
        Weight and error fraction of each tree.
    nodes_before : ndarray of int64, shape (n_trees,)
        Nodes before pruning.
    importance : ndarray of float64, shape (n_variables,) or (0,)
        Of each variable, adding up to 1; empty if it was not recorded, as in TMVA's files.
    preselection : Preselection or None
        Regions that are signal or background whatever the trees say.
    """

    nodes: TreeArrays
    first: npt.NDArray[np.int64]
    n_variables: int
    gradient: bool
    yes_no: bool
    boost_weight: FloatArray
    error: FloatArray
    nodes_before: npt.NDArray[np.int64]
    importance: FloatArray
    preselection: Preselection | None = None

    @classmethod
    def join(
        cls,
        trees: list[TreeArrays],
        n_variables: int,
        boost_weight: FloatArray,
        error: FloatArray,
        nodes_before: npt.NDArray[np.int64],
        importance: FloatArray,
        *,
        gradient: bool,
        yes_no: bool,
        preselection: Preselection | None = None,
    ) -> BDTState:
        """Put trees one after the other."""
        columns = {c.name: np.concatenate([getattr(tree, c.name) for tree in trees]) for c in fields(TreeArrays)}
        first = np.cumsum([0, *(len(tree) for tree in trees)])
        # Discriminants are numbered through the forest.
        before = np.cumsum([0, *(len(tree.discriminants) for tree in trees[:-1])])
        variable = columns["variable"]
        columns["variable"] = variable + np.where(variable >= n_variables, np.repeat(before, np.diff(first)), 0)
        columns["variable"] = columns["variable"].astype(np.int32)
        return cls(
            TreeArrays(**columns),
            first,
            n_variables,
            gradient,
            yes_no,
            boost_weight,
            error,
            nodes_before,
            importance,
            preselection,
        )

    def answers(self) -> FloatArray:
        """What each node says if it is a leaf: its response, 1 or -1, or its purity."""
        nodes = self.nodes
        return (nodes.response if self.gradient else nodes.kind if self.yes_no else nodes.purity).astype(np.float64)

    @functools.cached_property
    def norm(self) -> float:
        """The sum of the boost weights, in their order."""
        return float(np.add.accumulate(self.boost_weight)[-1])

    @functools.cached_property
    def layout(self) -> CompleteTrees | FlatTrees:
        """The trees as they are applied, each weighted."""
        value = self.answers()
        if not self.gradient:
            value = np.repeat(self.boost_weight, np.diff(self.first)) * value
        return lay_out(self.nodes, self.first, value)

"""What a training leaves: trees, how their answers are added, and what was recorded on the way."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, fields

import numpy as np
import numpy.typing as npt

from mvakit.types import AnalysisType
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
        Whether the answer is made of the sum of the responses, as for Grad: ``2 / (1 + exp(-2 sum)) - 1``, the shares of
        ``exp(sum)`` of several classes, or in a regression the sum and the weight of the first tree. Otherwise it is the
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
    analysis : AnalysisType
    n_outputs : int
        The number of classes of a multiclass forest, whose tree i belongs to class ``i % n_outputs``; 1 for others.
    median : bool
        Whether the answer is the mean of the responses around their weighted median, as for AdaBoost.R2.
    equal_weights : bool
        Whether trees count the same whatever their boost weight (UseWeightedTrees=False, up to TMVA 4.1).
    above : bool
        Whether an event goes right if its value is above the cut, as up to TMVA 4.1; not, if it is not below it.
    gain : ndarray of float64, shape (n_variables,) or (0,)
        What the cuts on each variable gain, adding up to 1; empty if it was not recorded.
    losses : ndarray of float64, shape (2, n_rounds)
        The loss on the events trained on and on those for validation after each tree (of each class) that was grown, kept
        or not; empty if there was no validation.
    boost_factors : ndarray of int64, shape (102,) or (0,)
        Of AdaBoost.R2, how many factors by which weights of events were boosted lie below 0, in each hundredth up to 1, and
        above; empty for others.
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
    analysis: AnalysisType = AnalysisType.CLASSIFICATION
    n_outputs: int = 1
    median: bool = False
    equal_weights: bool = False
    above: bool = False
    gain: FloatArray = field(default_factory=lambda: np.empty(0))
    losses: FloatArray = field(default_factory=lambda: np.empty((2, 0)))
    boost_factors: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

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
        analysis: AnalysisType = AnalysisType.CLASSIFICATION,
        n_outputs: int = 1,
        median: bool = False,
        gain: FloatArray,
        losses: FloatArray,
        boost_factors: npt.NDArray[np.int64],
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
            analysis,
            n_outputs,
            median,
            gain=gain,
            losses=losses,
            boost_factors=boost_factors,
        )

    @property
    def says_response(self) -> bool:
        """Whether a leaf says its response, not a class or a purity."""
        return self.gradient or self.analysis is AnalysisType.REGRESSION

    def answers(self) -> FloatArray:
        """What each node says if it is a leaf: its response, 1 or -1, or its purity."""
        nodes = self.nodes
        answers = nodes.response if self.says_response else nodes.kind if self.yes_no else nodes.purity
        return np.asarray(answers, np.float64)

    def cuts(self) -> npt.NDArray[np.float32]:
        """The cuts such that an event goes right if its value is not below it; discriminants have to be above theirs."""
        if not self.above:
            return self.nodes.cut
        with np.errstate(over="ignore"):  # above the largest number there is infinity
            following = np.nextafter(self.nodes.cut, np.float32(np.inf))
        return np.where(self.nodes.variable < self.n_variables, following, self.nodes.cut)

    @functools.cached_property
    def weight(self) -> FloatArray:
        """What each tree counts."""
        return np.ones(len(self.boost_weight)) if self.equal_weights else self.boost_weight

    @functools.cached_property
    def norm(self) -> float:
        """The sum of the weights of the trees, in their order."""
        return float(np.add.accumulate(self.weight)[-1])

    @functools.cached_property
    def layout(self) -> CompleteTrees | FlatTrees:
        """The trees as they are applied, each weighted where the answer is their mean."""
        return lay_out(self.nodes, self.cuts(), self.first, self._values(), complete=not self.median)

    @functools.cached_property
    def flat(self) -> FlatTrees:
        """The same, whatever their shape, as trees to walk through."""
        trees = lay_out(self.nodes, self.cuts(), self.first, self._values(), complete=False)
        assert isinstance(trees, FlatTrees)
        return trees

    def _values(self) -> FloatArray:
        value = self.answers()
        return value if self.gradient or self.median else np.repeat(self.weight, np.diff(self.first)) * value

    @functools.cached_property
    def layouts(self) -> tuple[CompleteTrees | FlatTrees, ...]:
        """The trees of each output as they are applied."""
        return tuple(self.layout.every(self.n_outputs, start) for start in range(self.n_outputs))

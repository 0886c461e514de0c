"""Trees as flat arrays: as they are kept, and as they are laid out to be applied."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

__all__ = ["CodedTrees", "CompleteTrees", "FlatTrees", "TreeArrays", "lay_out"]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]
FloatArray32 = npt.NDArray[np.float32]

UNROLLED_DEPTH: Final = 3
_MAX_COMPLETE_DEPTH: Final = 6
_MAX_EDGES: Final = 255
_CELLS: Final = 1 << 10
# Tables of pairs of deeper trees would not stay in the cache.
_MAX_PAIRED_DEPTH: Final = 4


@dataclass(frozen=True, slots=True, eq=False)
class TreeArrays:
    """The nodes of one tree or, one tree after the other, of a forest.

    Attributes
    ----------
    variable : ndarray of int32
        The variable that is cut on; -1 for a leaf; ``n_variables + k`` for the k-th discriminant.
    cut : ndarray of float32
        An event goes right if its value is not below it, or its discriminant above it.
    left, right : ndarray of int32
        The children, counted within the tree; -1 for a leaf.
    depth : ndarray of int32
    purity, response, rms : ndarray of float32
        Share of signal; for Grad, what a leaf adds, the mean residual in other nodes, and the spread of residuals.
    kind : ndarray of int8
        1 for a signal leaf, -1 for a background leaf, 0 for other nodes and -99 for the leaves of Grad, as in TMVA.
    discriminants : ndarray of float64, shape (n_discriminants, n_variables + 1)
        The coefficients of each, and the offset, of Fisher discriminants that nodes are cut on.
    """

    variable: npt.NDArray[np.int32]
    cut: npt.NDArray[np.float32]
    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    depth: npt.NDArray[np.int32]
    purity: npt.NDArray[np.float32]
    response: npt.NDArray[np.float32]
    rms: npt.NDArray[np.float32]
    kind: npt.NDArray[np.int8]
    discriminants: FloatArray

    def __len__(self) -> int:
        return len(self.variable)


@dataclass(frozen=True, eq=False)
class CompleteTrees:
    """Trees of one depth without gaps: the children of node k are 2 k + 1 and 2 k + 2.

    Attributes
    ----------
    depth : int
    variable : ndarray of uint32, shape (n_trees, 2**depth - 1)
    cut : ndarray of float32, shape (n_trees, 2**depth - 1)
    value : ndarray of float64, shape (n_trees, 2**depth)
        From the leftmost leaf to the rightmost one.
    """

    depth: int
    variable: npt.NDArray[np.uint32]
    cut: npt.NDArray[np.float32]
    value: FloatArray

    def arrays(self) -> tuple[int, Array, Array, Array]:
        """Return what kernels that walk take."""
        return self.depth, self.variable, self.cut, self.value

    @functools.cached_property
    def coded(self) -> CodedTrees:
        """The same trees for values that are told by the cuts that they are not below."""
        column_variable: list[int] = []
        edges: list[npt.NDArray[np.float32]] = []
        # With trees that say nothing there are as many as are applied at once.
        more = [(0, -len(self.variable) % 4), (0, 0)]
        variable, cut, value = np.pad(self.variable, more), np.pad(self.cut, more), np.pad(self.value, more)
        column, code = np.zeros(variable.shape, np.uint32), np.zeros(variable.shape, np.uint8)
        for f in np.unique(variable).tolist():
            here = variable == f
            cuts, place = np.unique(cut[here], return_inverse=True)
            column[here] = len(edges) + place // _MAX_EDGES
            code[here] = place % _MAX_EDGES + 1
            for first in range(0, len(cuts), _MAX_EDGES):
                edges.append(cuts[first : first + _MAX_EDGES])
                column_variable.append(f)
        pairs = np.empty((0, 0))
        if self.depth <= _MAX_PAIRED_DEPTH:
            pairs = (value[0::2, :, None] + value[1::2, None, :]).reshape(len(value) // 2, -1)
        return CodedTrees(self.depth, np.array(column_variable, np.int64), *_grids(edges), column, code, value, pairs)

    def every(self, n: int, start: int) -> CompleteTrees:
        """Return every n-th tree."""
        if n == 1:
            return self
        return CompleteTrees(
            self.depth,
            np.ascontiguousarray(self.variable[start::n]),
            np.ascontiguousarray(self.cut[start::n]),
            np.ascontiguousarray(self.value[start::n]),
        )


def _grids(
    columns: list[npt.NDArray[np.float32]],
) -> tuple[FloatArray32, FloatArray32, FloatArray32, npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return edges, low, scale, below and halvings as `CodedTrees` has them, of edges in ascending order."""
    n, top = len(columns), np.float32(_CELLS - 1)
    # No value reaches what is no number.
    edges = np.full((n, 2 * _MAX_EDGES), np.nan, np.float32)
    low, scale = np.empty(n, np.float32), np.empty(n, np.float32)
    below, halvings = np.empty((n, _CELLS), np.uint8), np.empty(n, np.int64)
    for q, some in enumerate(columns):
        edges[q, : len(some)] = some
        numbers = some[~np.isnan(some)]
        ends = numbers[np.isfinite(numbers)][[0, -1]] if np.isfinite(numbers).any() else np.zeros(2, np.float32)
        # Where cuts are so far apart, or so close, that this overflows, they share a cell.
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            low[q], scale[q] = ends[0], top / (ends[1] - ends[0]) if ends[1] > ends[0] else 1
            y = numbers - low[q]
            y = np.where(y > 0, y, np.float32(0)) * scale[q]
            cell = np.where(y < top, y, top).astype(np.int64)
        below[q] = np.searchsorted(cell, np.arange(_CELLS))
        halvings[q] = max(1, int(np.bincount(cell, minlength=1).max()).bit_length())
    return edges, low, scale, below, halvings


@dataclass(frozen=True, slots=True, eq=False)
class CodedTrees:
    """Complete trees that compare one byte with another.

    Each variable has a column of codes for every 255 cuts on it: how many of these cuts a value is not below. A value is
    not below a cut if its code is not below that of the cut. To find it the range of the cuts is divided into equal cells:
    those in cells below that of the value are known, and in its cell there are few.

    Attributes
    ----------
    depth : int
    column_variable : ndarray of int64, shape (n_columns,)
    edges : ndarray of float32, shape (n_columns, 510)
        The cuts in ascending order, filled up with nan.
    low, scale : ndarray of float32, shape (n_columns,)
        The cell of x is the whole number below ``scale * max(x - low, 0)``, or the last cell.
    below : ndarray of uint8, shape (n_columns, n_cells)
        How many cuts lie in the cells before each.
    halvings : ndarray of int64, shape (n_columns,)
        No cell holds ``2**halvings`` cuts.
    column : ndarray of uint32, shape (n_trees, 2**depth - 1)
        The number of trees is a multiple of four.
    code : ndarray of uint8, shape (n_trees, 2**depth - 1)
    value : ndarray of float64, shape (n_trees, 2**depth)
    pair_value : ndarray of float64, shape (n_trees / 2, 4**depth) or (0, 0)
        What two trees say together, by the leaf of the first and that of the second; empty where trees are deep.
    """

    depth: int
    column_variable: npt.NDArray[np.int64]
    edges: FloatArray32
    low: FloatArray32
    scale: FloatArray32
    below: npt.NDArray[np.uint8]
    halvings: npt.NDArray[np.int64]
    column: npt.NDArray[np.uint32]
    code: npt.NDArray[np.uint8]
    value: FloatArray
    pair_value: FloatArray

    def arrays(self) -> tuple[int, Array, Array, Array, Array, Array, Array, Array, Array, Array, Array]:
        """Return what kernels take."""
        return (
            self.depth, self.column_variable, self.edges, self.low, self.scale, self.below, self.halvings, self.column,
            self.code, self.value, self.pair_value,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class FlatTrees:
    """Trees of any shape; a leaf is its own child.

    Attributes
    ----------
    root : ndarray of uint32, shape (n_trees,)
    variable : ndarray of uint32, shape (n_nodes,)
    cut : ndarray of float32, shape (n_nodes,)
    children : ndarray of uint32, shape (n_nodes, 2)
    value : ndarray of float64, shape (n_nodes,)
    """

    root: npt.NDArray[np.uint32]
    variable: npt.NDArray[np.uint32]
    cut: npt.NDArray[np.float32]
    children: npt.NDArray[np.uint32]
    value: FloatArray

    def arrays(self) -> tuple[Array, Array, Array, Array, Array]:
        """Return what kernels take."""
        return self.root, self.variable, self.cut, self.children, self.value

    def every(self, n: int, start: int) -> FlatTrees:
        """Return every n-th tree."""
        return replace(self, root=np.ascontiguousarray(self.root[start::n]))


def lay_out(
    nodes: TreeArrays,
    cut: npt.NDArray[np.float32],
    first: npt.NDArray[np.int64],
    value: FloatArray,
    *,
    complete: bool = True,
) -> CompleteTrees | FlatTrees:
    """Lay trees out for application; `value` is what each node adds if it is a leaf.

    To these trees a discriminant is a variable that is 1 above the cut, and 0 otherwise. Trees that are small become
    complete ones, if `complete`.
    """
    inner = nodes.variable >= 0
    cuts = np.where(nodes.variable >= nodes.discriminants.shape[1] - 1, np.float32(0.5), cut)
    offset = np.repeat(first[:-1], np.diff(first))
    itself = np.arange(len(nodes))
    left = np.where(inner, nodes.left + offset, itself)
    right = np.where(inner, nodes.right + offset, itself)
    depth = max(int(nodes.depth.max()), UNROLLED_DEPTH)
    if depth > _MAX_COMPLETE_DEPTH or not complete:
        return FlatTrees(
            first[:-1].astype(np.uint32),
            np.where(inner, nodes.variable, 0).astype(np.uint32),
            cuts,
            np.stack([left, right], axis=1).astype(np.uint32),
            value,
        )
    # Level by level; below a leaf both sides lead to the leaf again.
    level, variable, cut_of_level = first[:-1, None], [], []
    for _ in range(depth):
        variable.append(np.where(inner[level], nodes.variable[level], 0))
        cut_of_level.append(cuts[level])
        level = np.stack([left[level], right[level]], axis=2).reshape(len(level), -1)
    return CompleteTrees(
        depth,
        np.concatenate(variable, axis=1).astype(np.uint32),
        np.ascontiguousarray(np.concatenate(cut_of_level, axis=1), np.float32),
        value[level],
    )

"""Applying a forest: the sum over the trees of what the leaf of an event says.

Small trees are laid out as complete ones. Events then come in blocks of 128, variable after variable, and all
comparisons of a tree of depth 3 are made without a branch, so that the loop over events can use vector instructions.
The trees are added in their order, whatever the number of events and of threads: an event alone gets the same response,
bit for bit, as among a million others.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.types import AnalysisType
from mvakit_methods.bdt.compiled import kernel
from mvakit_methods.bdt.fisher_cuts import fisher_values
from mvakit_methods.bdt.forest import BDTState
from mvakit_methods.bdt.team import team
from mvakit_methods.bdt.trees import UNROLLED_DEPTH, CompleteTrees, FlatTrees

__all__ = ["respond"]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]

_BLOCK: Final = 128
_CHUNK: Final = 1 << 14
_FEW: Final = 8
_EPSILON: Final = 2.0**-52
_LARGEST_EXPONENT: Final = 700.0  # the response is -1 long before


@kernel
def _one_by_one(
    X: Array, depth: int, variable: Array, cut: Array, value: Array, begin: int, end: int, out: Array
) -> None:
    """Walk through complete trees event by event."""
    first_leaf = np.uint32((1 << depth) - 1)
    for e in range(begin, end):
        x, total = X[e], 0.0
        for t in range(variable.shape[0]):
            k = np.uint32(0)
            for _ in range(depth):
                k = np.uint32(2) * k + (np.uint32(2) if x[variable[t, k]] >= cut[t, k] else np.uint32(1))
            total += value[t, k - first_leaf]
        out[e] = total


@kernel
def _walk(
    X: Array, root: Array, variable: Array, cut: Array, children: Array, value: Array, begin: int, end: int, out: Array
) -> None:
    """Walk through trees of any shape event by event."""
    for e in range(begin, end):
        x, total = X[e], 0.0
        for t in range(root.size):
            k = root[t]
            while children[k, 0] != k:
                k = children[k, 1 if x[variable[k]] >= cut[k] else 0]
            total += value[k]
        out[e] = total


@kernel
def _around_the_median(
    X: Array, root: Array, variable: Array, cut: Array, children: Array, value: Array, weight: Array,
    begin: int, end: int, out: Array,
) -> None:  # fmt: skip
    """Walk through trees event by event; the answer is the mean of the third of the responses around the median.

    This is how TMVA has it, AdaBoost.R2 itself takes the median: the responses in ascending order, each with the weight of
    its tree, those of equal size in the order of their trees; the median is where half of the weight is exceeded.
    """
    n = root.size
    response, half = np.empty(n), 0.0
    for t in range(n):
        half += weight[t]
    half /= 2.0
    for e in range(begin, end):
        x = X[e]
        for t in range(n):
            k = root[t]
            while children[k, 0] != k:
                k = children[k, 1 if x[variable[k]] >= cut[k] else 0]
            response[t] = value[k]
        order = np.argsort(response, kind="mergesort")
        median, total = 0, 0.0
        while total <= half and median < n:
            total += weight[order[median]]
            median += 1
        low, high = max(0, int(median - n // 6 - 0.5)), min(n, int(median + n // 6 + 0.5))
        total = 0.0
        for t in range(low, high):
            total += response[order[t]]
        # Negative weights of trees may leave none around the median.
        out[e] = total / (high - low) if high > low else np.nan


@kernel
def _transpose(X: Array, start: int, size: int, block: Array) -> None:
    for e in range(size):
        for f in range(X.shape[1]):
            block[f, e] = X[start + e, f]


@kernel
def _unrolled(X: Array, variable: Array, cut: Array, value: Array, begin: int, end: int, out: Array) -> None:
    """Apply complete trees of depth 3 to the blocks `begin` to `end`, all comparisons made and no branch taken."""
    block, total = np.zeros((X.shape[1], _BLOCK), np.float32), np.empty(_BLOCK)
    for b in range(begin, end):
        start = b * _BLOCK
        size = min(_BLOCK, X.shape[0] - start)
        _transpose(X, start, size, block)
        for e in range(_BLOCK):
            total[e] = 0.0
        for t in range(variable.shape[0]):
            w, c, v = variable[t], cut[t], value[t]
            x0, x1, x2, x3, x4, x5, x6 = (
                block[w[0]], block[w[1]], block[w[2]], block[w[3]], block[w[4]], block[w[5]], block[w[6]]
            )  # fmt: skip
            c0, c1, c2, c3, c4, c5, c6 = c[0], c[1], c[2], c[3], c[4], c[5], c[6]
            v0, v1, v2, v3, v4, v5, v6, v7 = v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]
            for e in range(_BLOCK):
                left = (v3 if x4[e] >= c4 else v2) if x1[e] >= c1 else (v1 if x3[e] >= c3 else v0)
                right = (v7 if x6[e] >= c6 else v6) if x2[e] >= c2 else (v5 if x5[e] >= c5 else v4)
                total[e] += right if x0[e] >= c0 else left
        for e in range(size):
            out[start + e] = total[e]


@kernel
def _by_level(
    X: Array, depth: int, variable: Array, cut: Array, value: Array, begin: int, end: int, out: Array
) -> None:
    """Apply complete trees to the blocks `begin` to `end`, all events going down one level at a time."""
    block, total = np.zeros((X.shape[1], _BLOCK), np.float32), np.empty(_BLOCK)
    node, first_leaf = np.empty(_BLOCK, np.uint32), np.uint32((1 << depth) - 1)
    for b in range(begin, end):
        start = b * _BLOCK
        size = min(_BLOCK, X.shape[0] - start)
        _transpose(X, start, size, block)
        for e in range(_BLOCK):
            total[e] = 0.0
        for t in range(variable.shape[0]):
            w, c, v = variable[t], cut[t], value[t]
            for e in range(_BLOCK):
                node[e] = 0
            for _ in range(depth):
                for e in range(_BLOCK):
                    k = node[e]
                    node[e] = np.uint32(2) * k + (np.uint32(2) if block[w[k], e] >= c[k] else np.uint32(1))
            for e in range(_BLOCK):
                total[e] += v[node[e] - first_leaf]
        for e in range(size):
            out[start + e] = total[e]


def _sum(trees: CompleteTrees | FlatTrees, X: npt.NDArray[np.float32], workers: int | None) -> FloatArray:
    """Add up the trees for every event."""
    n = len(X)
    out = np.empty(n)
    if isinstance(trees, FlatTrees):
        arrays = (trees.root, trees.variable, trees.cut, trees.children, trees.value)
        if n <= _FEW:
            _walk(X, *arrays, 0, n, out)
        else:
            with team(workers) as crew:
                crew.run(lambda begin, end: _walk(X, *arrays, begin, end, out), n, 20.0 * n * len(trees.root))
        return out
    if n <= _FEW:
        _one_by_one(X, trees.depth, trees.variable, trees.cut, trees.value, 0, n, out)
        return out

    def apply(begin: int, end: int) -> None:
        if trees.depth == UNROLLED_DEPTH:
            _unrolled(X, trees.variable, trees.cut, trees.value, begin, end, out)
        else:
            _by_level(X, trees.depth, trees.variable, trees.cut, trees.value, begin, end, out)

    with team(workers) as crew:
        crew.run(apply, -(-n // _BLOCK), 1.0 * n * len(trees.value) * trees.depth)
    return out


def _with_discriminants(state: BDTState, X: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return events with a column for each discriminant: whether it exceeds the cut of its node."""
    nodes = state.nodes
    inner = nodes.variable >= state.n_variables
    cut = np.empty((len(nodes.discriminants), 1), np.float32)
    cut[nodes.variable[inner] - state.n_variables, 0] = nodes.cut[inner]
    above = fisher_values(nodes.discriminants, X.T) > cut
    return np.concatenate([X, above.T.astype(np.float32)], axis=1)


def _medians(state: BDTState, X: npt.NDArray[np.float32], workers: int | None) -> FloatArray:
    """Return the mean of the responses around their weighted median."""
    trees, out = state.layout, np.empty(len(X))
    assert isinstance(trees, FlatTrees)
    arrays = (trees.root, trees.variable, trees.cut, trees.children, trees.value, state.weight)

    def apply(begin: int, end: int) -> None:
        _around_the_median(X, *arrays, begin, end, out)

    if len(X) <= _FEW:
        apply(0, len(X))
    else:
        with team(workers) as crew:
            crew.run(apply, len(X), 100.0 * len(X) * len(trees.root))
    return out


def _sums(state: BDTState, X: npt.NDArray[np.float32], workers: int | None) -> list[FloatArray]:
    """Return, for each output, what the trees add up to."""
    if state.median:
        return [_medians(state, X, workers)]
    return [_sum(trees, X, workers) for trees in state.layouts]


def respond(state: BDTState, X: npt.NDArray[np.float32], workers: int | None = None) -> FloatArray:
    """Return the response to events, shape (n,), or (n, n_classes) for several classes."""
    X = np.ascontiguousarray(X, np.float32)
    if len(state.nodes.discriminants):
        starts = range(0, max(len(X), 1), _CHUNK)
        parts = [_sums(state, _with_discriminants(state, X[i : i + _CHUNK]), workers) for i in starts]
        totals = [np.concatenate(part) for part in zip(*parts, strict=True)]
    else:
        totals = _sums(state, X, workers)
    if state.analysis is AnalysisType.MULTICLASS:
        return _shares(totals)
    (total,) = totals
    if state.median:
        return total
    if not state.gradient:
        response = total / state.norm if state.norm > _EPSILON else np.zeros(len(X))
    elif state.analysis is AnalysisType.REGRESSION:
        response = total + state.weight[0]
    else:
        response = 2.0 / (1.0 + np.exp(np.minimum(-2.0 * total, _LARGEST_EXPONENT))) - 1.0
    if state.preselection is not None and state.analysis is AnalysisType.CLASSIFICATION:
        verdict = state.preselection.verdict(X)
        response = np.where(verdict != 0, verdict, response)
    return response


def _shares(totals: list[FloatArray]) -> FloatArray:
    """Return the share of each class, as TMVA computes it: of the exponentials, by their ratios."""
    shares = np.empty((len(totals[0]), len(totals)))
    with np.errstate(over="ignore"):
        for i, total in enumerate(totals):
            others = np.zeros(len(total))
            for j, other in enumerate(totals):
                if i != j:
                    others += np.exp(other - total)
            shares[:, i] = 1.0 / (1.0 + others)
    return shares

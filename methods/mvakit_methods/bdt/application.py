"""Applying a forest: the sum over the trees of what the leaf of an event says.

Small trees are laid out as complete ones. Events then come in blocks, variable after variable, as numbers of cuts that the
values are not below: one byte each, which says all that a comparison with a cut does. All comparisons of a tree are made
without a branch, so that the loops over events can use vector instructions.
The trees are added in their order, complete ones pair by pair, whatever the number of events and of threads: an event
alone gets the same response, bit for bit, as among a million others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.types import AnalysisType
from mvakit_methods.bdt.compiled import brief_kernel, kernel
from mvakit_methods.bdt.fisher_cuts import fisher_values
from mvakit_methods.bdt.forest import BDTState
from mvakit_methods.bdt.team import team
from mvakit_methods.bdt.trees import UNROLLED_DEPTH, CompleteTrees, FlatTrees

__all__ = ["answer", "is_squeezed", "respond", "single_event", "squeeze"]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]

_BLOCK: Final = 1024
# Events whose values lie ready at once while they are compared with the cuts of one variable after the other.
_PART: Final = 256
_CHUNK: Final = 1 << 14
_FEW: Final = 128  # a block would take longer
_EPSILON: Final = 2.0**-52
_LARGEST_EXPONENT: Final = 700.0  # the response is -1 long before


@kernel
def _walk_complete(x: Array, depth: int, variable: Array, cut: Array, value: Array) -> float:
    """Add up what complete trees say of one event, two trees at a time."""
    one, two, first_leaf = np.uint32(1), np.uint32(2), np.uint32((1 << depth) - 1)
    total, first = 0.0, 0.0
    for t in range(variable.shape[0]):
        k = one + np.uint32(x[variable[t, 0]] >= cut[t, 0])
        if depth == UNROLLED_DEPTH:  # the usual depth: a loop takes half as long again
            k = two * k + one + np.uint32(x[variable[t, k]] >= cut[t, k])
            k = two * k + one + np.uint32(x[variable[t, k]] >= cut[t, k])
        else:
            for _ in range(depth - 1):
                k = two * k + one + np.uint32(x[variable[t, k]] >= cut[t, k])
        # Not two trees in one turn: pairs of numbers would be made of what has nothing to do with each other.
        if t % 2:
            total += first + value[t, k - first_leaf]
            first = 0.0
        else:
            first = value[t, k - first_leaf]
    return total + first


@kernel
def _walk_flat(x: Array, root: Array, variable: Array, cut: Array, children: Array, value: Array) -> float:
    """Add up what trees of any shape say of one event."""
    total = 0.0
    for t in range(root.size):
        k = root[t]
        while children[k, 0] != k:
            k = children[k, 1 if x[variable[k]] >= cut[k] else 0]
        total += value[k]
    return total


@kernel
def _one_by_one(
    X: Array, depth: int, variable: Array, cut: Array, value: Array, begin: int, end: int, out: Array
) -> None:
    """Walk through complete trees event by event."""
    for e in range(begin, end):
        out[e] = _walk_complete(X[e], depth, variable, cut, value)


@kernel
def _walk(
    X: Array, root: Array, variable: Array, cut: Array, children: Array, value: Array, begin: int, end: int, out: Array
) -> None:
    """Walk through trees of any shape event by event."""
    for e in range(begin, end):
        out[e] = _walk_flat(X[e], root, variable, cut, children, value)


@kernel
def _any_nan(x: Array) -> bool:
    n = 0
    for f in range(x.size):  # without a way out, so that it can use vector instructions
        n += 1 if np.isnan(x[f]) else 0
    return n > 0


@brief_kernel
def _complete_alone(x: Array, depth: int, variable: Array, cut: Array, value: Array) -> float:
    """Return the sum for an event, or nan if one of its values is no number."""
    return np.nan if _any_nan(x) else _walk_complete(x, depth, variable, cut, value)


@brief_kernel
def _flat_alone(x: Array, root: Array, variable: Array, cut: Array, children: Array, value: Array) -> float:
    """Return the sum for an event, or nan if one of its values is no number."""
    return np.nan if _any_nan(x) else _walk_flat(x, root, variable, cut, children, value)


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
def _encode(
    X: Array, variable: Array, edges: Array, low: Array, scale: Array, below: Array, halvings: Array, start: int, size: int,
    codes: Array,
) -> None:  # fmt: skip
    """Write the codes of the events from `start` on: how many edges of each column their values are not below."""
    values, cell = np.zeros((X.shape[1], _PART), np.float32), np.empty(_PART, np.int32)
    zero, top = np.float32(0.0), np.float32(below.shape[1] - 1)
    for first in range(0, size, _PART):
        n = min(_PART, size - first)
        for e in range(n):
            for f in range(X.shape[1]):
                values[f, e] = X[start + first + e, f]
        for q in range(variable.size):
            x, edge, code, least, width, before = values[variable[q]], edges[q], codes[q], low[q], scale[q], below[q]
            for e in range(_PART):
                # As `mvakit_methods.bdt.trees` has it, what is no number included: it comes into the first cell.
                y = x[e] - least
                y = (y if y > zero else zero) * width  # noqa: FURB136
                cell[e] = np.int32(y if y < top else top)  # noqa: FURB136
            # Few halvings are left, each of which has to wait for the one before.
            if halvings[q] == 1:
                for e in range(n):
                    k = before[cell[e]]
                    code[first + e] = k + (1 if x[e] >= edge[k] else 0)
            elif halvings[q] == 2:
                for e in range(n):
                    k = np.int64(before[cell[e]])
                    k += 2 if x[e] >= edge[k + 1] else 0
                    code[first + e] = k + (1 if x[e] >= edge[k] else 0)
            else:
                for e in range(n):
                    k, half = np.int64(before[cell[e]]), 1 << (halvings[q] - 1)
                    while half > 0:
                        k += half if x[e] >= edge[k + half - 1] else 0
                        half >>= 1
                    code[first + e] = k


@kernel
def _leaves(codes: Array, w: Array, c: Array, n_lowest: int, label: Array, found: Array) -> None:
    """Write into row 1 of `found` the label of the leaf in which each event ends, from the three lowest levels upwards."""
    # Row k holds what is found below node k - 1: no loop writes the row that it reads. All is in one function, as arrays
    # are costly to hand on, and both loops go upwards: so all loops over events become vector instructions.
    for j in range(n_lowest):
        # A node, its children, and theirs.
        k, i = n_lowest + j, 8 * j
        p, q = 2 * k, 4 * k
        x0, x1, x2, x3, x4, x5, x6 = (
            codes[w[k - 1]], codes[w[p - 1]], codes[w[p]], codes[w[q - 1]], codes[w[q]], codes[w[q + 1]], codes[w[q + 2]]
        )  # fmt: skip
        c0, c1, c2, c3, c4, c5, c6 = c[k - 1], c[p - 1], c[p], c[q - 1], c[q], c[q + 1], c[q + 2]
        v0, v1, v2, v3 = label[i], label[i + 1], label[i + 2], label[i + 3]
        v4, v5, v6, v7 = label[i + 4], label[i + 5], label[i + 6], label[i + 7]
        here = found[k]
        for e in range(_BLOCK):
            left = (v3 if x4[e] >= c4 else v2) if x1[e] >= c1 else (v1 if x3[e] >= c3 else v0)
            right = (v7 if x6[e] >= c6 else v6) if x2[e] >= c2 else (v5 if x5[e] >= c5 else v4)
            here[e] = right if x0[e] >= c0 else left
    for j in range(1, n_lowest):
        k = n_lowest - j
        x0, c0, below, above, here = codes[w[k - 1]], c[k - 1], found[2 * k], found[2 * k + 1], found[k]
        for e in range(_BLOCK):
            high, low = above[e], below[e]
            here[e] = high if x0[e] >= c0 else low


@kernel
def _complete(
    X: Array, depth: int, column_variable: Array, edges: Array, low: Array, scale: Array, below: Array, halvings: Array,
    column: Array, code: Array, value: Array, pair_value: Array, begin: int, end: int, out: Array,
) -> None:  # fmt: skip
    """Apply complete trees to the blocks `begin` to `end`; what they take is told in `CodedTrees`."""
    codes, total = np.zeros((column_variable.size, _BLOCK), np.uint8), np.empty(_BLOCK)
    n_lowest, n_trees = 1 << (depth - 3), column.shape[0]
    # Of two trees with a common table the first one tells the row.
    label = np.empty((2, 1 << depth), np.uint8)
    for i in range(1 << depth):
        label[0, i], label[1, i] = (i << depth if pair_value.size else i), i
    found = np.empty((4, 2 * n_lowest, _BLOCK), np.uint8)
    i0, i1, i2, i3 = found[0, 1], found[1, 1], found[2, 1], found[3, 1]
    for b in range(begin, end):
        start = b * _BLOCK
        size = min(_BLOCK, X.shape[0] - start)
        _encode(X, column_variable, edges, low, scale, below, halvings, start, size, codes)
        total[:] = 0.0
        # Two pairs of trees at a time; the two of a pair are added first.
        for t in range(0, n_trees, 4):
            for s in range(4):
                _leaves(codes, column[t + s], code[t + s], n_lowest, label[s % 2], found[s])
            if pair_value.size:
                v0, v1 = pair_value[t // 2], pair_value[t // 2 + 1]
                for e in range(_BLOCK):
                    i1[e] += i0[e]
                for e in range(_BLOCK):
                    i3[e] += i2[e]
                for e in range(_BLOCK):
                    total[e] = (total[e] + v0[i1[e]]) + v1[i3[e]]
            else:
                w0, w1, w2, w3 = value[t], value[t + 1], value[t + 2], value[t + 3]
                for e in range(_BLOCK):
                    total[e] = (total[e] + (w0[i0[e]] + w1[i1[e]])) + (w2[i2[e]] + w3[i3[e]])
        for e in range(size):
            out[start + e] = total[e]


def _sum(
    trees: CompleteTrees | FlatTrees,
    X: npt.NDArray[np.float32],
    workers: int | None,
    finish: Callable[[FloatArray], None] | None = None,
) -> FloatArray:
    """Add up the trees for every event; `finish`, if given, changes the sums in place."""
    n, out = len(X), np.empty(len(X))

    def few(begin: int, end: int) -> None:
        if isinstance(trees, FlatTrees):
            _walk(X, *trees.arrays(), begin, end, out)
        else:
            _one_by_one(X, *trees.arrays(), begin, end, out)
        if finish is not None:
            finish(out[begin:end])

    def many(begin: int, end: int) -> None:
        assert isinstance(trees, CompleteTrees)
        _complete(X, *trees.coded.arrays(), begin, end, out)
        if finish is not None:
            finish(out[begin * _BLOCK : end * _BLOCK])

    if n <= _FEW:
        few(0, n)
        return out
    with team(workers) as crew:
        if isinstance(trees, FlatTrees):
            crew.run(few, n, 20.0 * n * len(trees.root))
        else:
            crew.run(many, -(-n // _BLOCK), 1.0 * n * len(trees.value) * trees.depth)
    return out


def squeeze(total: FloatArray) -> None:
    """Make the responses of gradient boosting of sums, ``2 / (1 + exp(-2 total)) - 1``."""
    for first in range(0, len(total), _CHUNK):
        some = total[first : first + _CHUNK]
        some *= -2.0
        np.minimum(some, _LARGEST_EXPONENT, out=some)
        np.exp(some, out=some)
        some += 1.0
        np.divide(2.0, some, out=some)
        some -= 1.0


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
    arrays = (*trees.arrays(), state.weight)

    def apply(begin: int, end: int) -> None:
        _around_the_median(X, *arrays, begin, end, out)

    if len(X) <= _FEW:
        apply(0, len(X))
    else:
        with team(workers) as crew:
            crew.run(apply, len(X), 100.0 * len(X) * len(trees.root))
    return out


def _sums(state: BDTState, X: npt.NDArray[np.float32], workers: int | None) -> list[FloatArray]:
    """Return, for each output, what the trees add up to; of gradient boosting of two classes the response at once."""
    if state.median:
        return [_medians(state, X, workers)]
    finish = squeeze if is_squeezed(state) else None
    return [_sum(trees, X, workers, finish) for trees in state.layouts]


def is_squeezed(state: BDTState) -> bool:
    """Whether the response is the squeezed sum of the trees."""
    return state.gradient and state.analysis is AnalysisType.CLASSIFICATION


def respond(state: BDTState, X: npt.NDArray[np.float32], workers: int | None = None) -> FloatArray:
    """Return the response to events, shape (n,), or (n, n_classes) for several classes."""
    X = np.ascontiguousarray(X, np.float32)
    if len(state.nodes.discriminants):
        starts = range(0, max(len(X), 1), _CHUNK)
        parts = [_sums(state, _with_discriminants(state, X[i : i + _CHUNK]), workers) for i in starts]
        totals = [np.concatenate(part) for part in zip(*parts, strict=True)]
    else:
        totals = _sums(state, X, workers)
    return answer(state, totals, state.norm, X)


def answer(state: BDTState, totals: list[FloatArray], norm: float, X: npt.NDArray[np.float32]) -> FloatArray:
    """Return the response to events, for each output of which trees add up to `totals`, and their weights to `norm`.

    The total of gradient boosting of two classes is squeezed already.
    """
    if state.analysis is AnalysisType.MULTICLASS:
        return _shares(totals)
    (total,) = totals
    if state.median or is_squeezed(state):
        response = total
    elif not state.gradient:
        response = total / norm if norm > _EPSILON else np.zeros(len(X))
    else:
        response = total + state.weight[0]
    if state.preselection is not None and state.analysis is AnalysisType.CLASSIFICATION:
        verdict = state.preselection.verdict(X)
        response = np.where(verdict != 0, verdict, response)
    return response


def single_event(state: BDTState) -> Callable[[npt.NDArray[np.float32]], float] | None:
    """Return what tells the response to one event, bit for bit as `respond`; None if it takes more than the sum of the trees.

    It answers nan if a value is no number.
    """
    if state.median or state.analysis is AnalysisType.MULTICLASS:
        return None
    if state.preselection is not None or len(state.nodes.discriminants):
        return None
    trees, exp, norm = state.layout, np.exp, state.norm
    walk: Callable[..., float] = _complete_alone if isinstance(trees, CompleteTrees) else _flat_alone
    arrays = trees.arrays()

    def mean(x: npt.NDArray[np.float32]) -> float:
        total = walk(x, *arrays)
        return total / norm if norm > _EPSILON else total * 0.0

    if not state.gradient:
        return mean
    if state.analysis is AnalysisType.REGRESSION:
        offset = float(state.weight[0])
        return lambda x: walk(x, *arrays) + offset

    def squeezed(x: npt.NDArray[np.float32]) -> float:
        exponent = -2.0 * walk(x, *arrays)
        if exponent > _LARGEST_EXPONENT:  # noqa: PLR1730 - this is what takes time, and `min` takes ten times as long
            exponent = _LARGEST_EXPONENT
        # NumPy's function, as it is applied to many events: others differ in the last bit.
        return 2.0 / (1.0 + float(exp(exponent))) - 1.0

    return squeezed


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

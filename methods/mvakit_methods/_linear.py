"""What the linear methods share: weighted moments, a solver that names what makes a matrix singular, and the response.

Everything is summed in double precision and in blocks of fixed size, so that neither memory nor the number of threads
matters to a result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from mvakit.errors import MvakitError
from mvakit.progress import Messenger

__all__ = ["Moments", "apply_affine", "coefficient_table", "moments", "solve_covariance"]

FloatArray = npt.NDArray[np.float64]

# Small enough for a product to stay in one thread and in the cache.
_BLOCK: Final = 1024
# Half a unit in the last place of a float32: what rounding alone may have added to an input.
_ROUNDING: Final = 2.0**-24
_SINGULAR: Final = 1e-13
_NEARLY_SINGULAR: Final = 1e-8


@dataclass(frozen=True, slots=True)
class Moments:
    """Weighted moments of some columns.

    Attributes
    ----------
    weight : float
        The sum of weights.
    mean : ndarray, shape (n_columns,)
    covariance : ndarray, shape (n_columns, n_columns)
        ``sum w (x - mean)(x - mean)^T / sum w``; negative weights enter as they are.
    largest : ndarray, shape (n_columns,)
        The largest absolute value of each column, for judging what rounding did.
    """

    weight: float
    mean: FloatArray
    covariance: FloatArray
    largest: FloatArray


def _blocks(columns: Sequence[npt.NDArray[np.generic]], weight: FloatArray) -> Iterator[tuple[FloatArray, FloatArray]]:
    for start in range(0, len(weight), _BLOCK):
        rows = slice(start, start + _BLOCK)
        yield np.concatenate([c[rows] for c in columns], axis=1, dtype=np.float64), weight[rows, np.newaxis]


def moments(columns: Sequence[npt.NDArray[np.generic]], weight: FloatArray) -> Moments:
    """Sum the weighted moments of matrices that stand side by side, each of shape (n_events, any).

    The sum of weights has to differ from zero.
    """
    width = sum(c.shape[1] for c in columns)
    total = float(weight.sum())
    mean, largest = np.zeros(width), np.zeros(width)
    for x, w in _blocks(columns, weight):
        mean += (w * x).sum(axis=0)
        np.maximum(largest, np.abs(x).max(axis=0), out=largest)
    mean /= total
    covariance = np.zeros((width, width))
    for x, w in _blocks(columns, weight):
        centred = x - mean
        covariance += (w * centred).T @ centred
    covariance = (covariance + covariance.T) / (2 * total)
    return Moments(total, mean, covariance, largest)


def solve_covariance(
    covariance: FloatArray,
    right: FloatArray,
    largest: FloatArray,
    labels: Sequence[str],
    refuse: Callable[[str], MvakitError],
    log: Messenger,
    *,
    where: str = "within the classes",
) -> FloatArray:
    """Solve ``covariance @ x = right``, or say which variables stand in the way.

    Singular is what float32 inputs cannot tell from singular: the smallest eigenvalue of the correlation matrix is
    compared with what rounding alone puts there.

    Parameters
    ----------
    covariance : ndarray, shape (n, n)
    right : ndarray, shape (n,) or (n, k)
    largest : ndarray, shape (n,)
        The largest absolute values of the inputs.
    labels : sequence of str
        The names of the inputs.
    refuse : callable
        Makes an error from a sentence.
    log : Messenger
        Hears of what is doubtful.
    where : str
        What the spread was looked for in, for messages.

    Raises
    ------
    MvakitError
        Made by `refuse`, naming the variables without spread or those that depend on one another.
    """
    variance = np.abs(np.diag(covariance))
    rounding = (_ROUNDING * largest) ** 2
    flat = [label for label, v, r in zip(labels, variance, rounding, strict=True) if not v > r]
    if flat:
        raise refuse(
            f"{_listed(flat)} no spread {where}, so the covariance matrix cannot be inverted; "
            "leave out what is constant"
        )
    scale = np.sqrt(variance)
    correlation = covariance / np.outer(scale, scale)
    values, vectors = np.linalg.eigh(correlation)
    smallest = int(np.argmin(np.abs(values)))
    involved = [label for label, v in zip(labels, np.abs(vectors[:, smallest]), strict=True) if v > 0.01]
    if abs(values[smallest]) <= _SINGULAR + float((rounding / variance).sum()):
        raise refuse(
            f"the covariance matrix is singular: {_listed(involved)} a linear relation to each other; leave one of them out"
            if len(involved) > 1
            else f"the covariance matrix is singular because of {_listed(involved)} no independent information"
        )
    if abs(values[smallest]) < _NEARLY_SINGULAR:
        log.warning(f"the covariance matrix is almost singular: {_listed(involved)} almost a linear relation")
    if values[0] < 0:
        log.warning("the covariance matrix is not positive definite, which only negative weights can do")
    scaled = right / (scale if right.ndim == 1 else scale[:, np.newaxis])
    solution = np.linalg.solve(correlation, scaled)
    return np.asarray(solution / (scale if right.ndim == 1 else scale[:, np.newaxis]))


def _listed(labels: Sequence[str]) -> str:
    quoted = [repr(label) for label in labels]
    if len(quoted) == 1:
        return f"the variable {quoted[0]} has"
    return f"the variables {', '.join(quoted[:-1])} and {quoted[-1]} have"


def apply_affine(
    X: npt.NDArray[np.float32], offset: FloatArray, coefficients: FloatArray, *, single: bool = False
) -> FloatArray:
    """Return ``offset + X @ coefficients``, shape (n, k), summed variable by variable.

    A fixed order of summation makes a response the same, bit for bit, alone or among a million.

    Parameters
    ----------
    X : ndarray, shape (n, n_variables)
    offset : ndarray, shape (k,)
    coefficients : ndarray, shape (n_variables, k)
    single : bool
        Whether every sum is rounded to single precision before the next term is added.
    """
    if len(X) == 1 and not single:
        row = X[0].tolist()
        return np.array([[_plain_sum(float(o), row, c) for o, c in zip(offset, coefficients.T.tolist(), strict=True)]])
    out = np.empty((len(X), len(offset)), np.float32 if single else np.float64)
    out[:] = offset
    for start in range(0, len(X), _BLOCK):
        block, part = X[start : start + _BLOCK], out[start : start + _BLOCK]
        for j in range(X.shape[1]):
            column = block[:, j].astype(np.float64)
            for k in range(len(offset)):
                part[:, k] = part[:, k] + coefficients[j, k] * column
    return out.astype(np.float64, copy=False)


def _plain_sum(total: float, row: Sequence[float], coefficients: Sequence[float]) -> float:
    for value, coefficient in zip(row, coefficients, strict=True):
        total += coefficient * value
    return total


def coefficient_table(labels: Sequence[str], offset: float, coefficients: Sequence[float]) -> list[str]:
    """Return the lines of TMVA's table of coefficients."""
    rows = [*zip(labels, coefficients, strict=True), ("(offset)", offset)]
    width = max(len(label) for label, _ in [*rows, ("Variable", 0.0)])
    rule = "-" * (width + 15)
    lines = [rule, f"{'Variable':>{width}}:  Coefficient:", rule]
    lines += [f"{label:>{width}}: {value:+12.3f}" for label, value in rows]
    return [*lines, rule]

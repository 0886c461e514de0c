"""Linear algebra whose result for an event does not depend on the events beside it, nor on the number of threads."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from mvakit.errors import TransformationError

__all__ = ["rotate", "symmetric_eigen"]

Float32Array = npt.NDArray[np.float32]
FloatArray = npt.NDArray[np.float64]

MAX_ITERATIONS: Final = 60


def rotate(values: Float32Array, matrix: FloatArray, origin: FloatArray | None = None) -> Float32Array:
    """Return ``matrix @ (x - origin)`` of every event, summed in double precision from the first input to the last.

    Parameters
    ----------
    values : ndarray of float32, shape (n_events, n_inputs)
    matrix : ndarray of float64, shape (n_outputs, n_inputs)
    origin : ndarray of float64, shape (n_inputs,), optional

    Notes
    -----
    A BLAS product would differ in its last bit with the size of the batch and the number of threads.
    """
    columns = values.T.astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):  # infinite inputs have infinite or undefined results
        if origin is not None:
            columns -= origin[:, None]
        total = np.zeros((len(matrix), len(values)))
        for weights, column in zip(matrix.T, columns, strict=True):
            total += weights[:, None] * column
        return np.ascontiguousarray(total.T.astype(np.float32))


def symmetric_eigen(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the eigenvalues, largest first, and the eigenvectors (as columns) of a symmetric matrix.

    Householder's reduction to a tridiagonal matrix and the QL algorithm with implicit shifts: ``tred2`` and ``tql2`` of
    EISPACK. Any solver finds the same vectors up to their signs. ROOT uses these two, and following their steps
    reproduces its signs too, which a principal component analysis shows.

    References
    ----------
    H. Bowdler, R. S. Martin, C. Reinsch, J. H. Wilkinson, *The QR and QL Algorithms for Symmetric Matrices*,
    Numerische Mathematik 11 (1968) 293.
    """
    # A power of two changes no digit, and brings what is near the smallest of numbers into their midst.
    _, exponent = np.frexp(np.abs(matrix).max(initial=0.0))
    vectors, diagonal, off = _tridiagonal(np.ldexp(np.array(matrix, dtype=np.float64), -exponent))
    _ql(vectors, diagonal, off)
    order = np.argsort(-diagonal, kind="stable")
    return np.ldexp(diagonal[order], exponent), np.ascontiguousarray(vectors[:, order])


def _tridiagonal(v: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Reduce `v`, from its last row upwards; return the transformation, the diagonal and the subdiagonal."""
    n = len(v)
    d = v[n - 1].copy()
    e = np.zeros(n)
    for i in range(n - 1, 0, -1):
        scale = np.abs(d[:i]).sum()
        h = 0.0
        if scale == 0.0:
            e[i] = d[i - 1]
            d[:i] = v[i - 1, :i]
            v[i, :i] = v[:i, i] = 0.0
        else:
            d[:i] /= scale
            h = float((d[:i] ** 2).sum())
            f = d[i - 1]
            g = -np.sqrt(h) if f > 0 else np.sqrt(h)
            e[i] = scale * g
            h -= f * g
            d[i - 1] = f - g
            u = d[:i].copy()
            v[:i, i] = u
            lower = np.tril(v[:i, :i])  # only the lower triangle is kept up to date
            p = np.einsum("jk,k->j", lower + np.tril(lower, -1).T, u) / h
            q = p - float((p * u).sum()) / (2.0 * h) * u
            v[:i, :i] -= np.tril(np.outer(u, q) + np.outer(q, u))
            d[:i] = v[i - 1, :i]
            v[i, :i] = 0.0
        d[i] = h
    for i in range(n - 1):  # multiply the reflections together
        v[n - 1, i] = v[i, i]
        v[i, i] = 1.0
        h = d[i + 1]
        if h != 0.0:
            u = v[: i + 1, i + 1].copy()
            v[: i + 1, : i + 1] -= np.outer(u / h, np.einsum("k,kj->j", u, v[: i + 1, : i + 1]))
        v[: i + 1, i + 1] = 0.0
    d = v[n - 1].copy()
    v[n - 1] = 0.0
    v[n - 1, n - 1] = 1.0
    e[0] = 0.0
    return v, d, e


def _ql(v: FloatArray, d: FloatArray, e: FloatArray) -> None:
    """Bring the tridiagonal matrix to its diagonal by rotations, which are accumulated in the columns of `v`."""
    n = len(d)
    e[:-1] = e[1:].copy()
    e[-1] = 0.0
    shift = largest = 0.0
    for low in range(n):
        largest = max(largest, abs(d[low]) + abs(e[low]))
        small = max(np.finfo(np.float64).eps * largest, np.finfo(np.float64).tiny)
        high = low
        while abs(e[high]) > small:  # the last one is zero
            high += 1
        iteration = 0
        while high > low:
            iteration += 1
            if iteration > MAX_ITERATIONS:
                raise TransformationError("the eigenvalues of a covariance matrix were not found; is a variable huge?")
            g = d[low]
            p = (d[low + 1] - g) / (2.0 * e[low])
            r = float(np.hypot(p, 1.0))
            if p < 0:
                r = -r
            d[low] = e[low] / (p + r)
            d[low + 1] = e[low] * (p + r)
            below = d[low + 1]
            h = g - d[low]
            d[low + 2 :] -= h
            shift += h
            p = d[high]
            c = c2 = c3 = 1.0
            s = s2 = 0.0
            e_next = e[low + 1]
            for i in range(high - 1, low - 1, -1):
                c3, c2, s2 = c2, c, s
                g = c * e[i]
                h = c * p
                r = float(np.hypot(p, e[i]))
                e[i + 1] = s * r
                s = e[i] / r
                c = p / r
                p = c * d[i] - s * g
                d[i + 1] = h + s * (c * g + s * d[i])
                right = v[:, i + 1].copy()
                v[:, i + 1] = s * v[:, i] + c * right
                v[:, i] = c * v[:, i] - s * right
            p = -s * s2 * c3 * e_next * e[low] / below
            e[low] = s * p
            d[low] = c * p
            if abs(e[low]) <= small:
                break
        d[low] += shift
        e[low] = 0.0

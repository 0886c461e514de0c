"""Projections of a box that is divided into cells, as a foam is, onto two of its dimensions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError

__all__ = ["project_cells"]

FloatArray = npt.NDArray[np.float64]


def project_cells(
    lower: FloatArray, upper: FloatArray, values: FloatArray, dimensions: tuple[int, int], bins: int = 50
) -> FloatArray:
    """Return the mean of a quantity over all other dimensions, on a grid of two.

    Parameters
    ----------
    lower, upper : ndarray, shape (n, d)
        The ends of the cells in fractions of the box; together they fill it.
    values : ndarray, shape (n,)
        What a cell holds everywhere within it.
    dimensions : tuple of 2 ints
        Those of the grid; the same one twice is refused.
    bins : int
        Each way; the value is that at the middle of a bin.

    Returns
    -------
    ndarray of float64, shape (bins, bins)
        Each cell counts with its extent in the other dimensions.

    Raises
    ------
    DataError
        If the arrays do not match, or a dimension does not exist.
    """
    first, second = dimensions
    if lower.shape != upper.shape or lower.ndim != 2 or values.shape != lower.shape[:1]:
        raise DataError(f"cells of shapes {lower.shape} and {upper.shape} do not match values of shape {values.shape}")
    if first == second or not (0 <= first < lower.shape[1] and 0 <= second < lower.shape[1]):
        raise DataError(f"there is no plane of the dimensions {first} and {second} in a box of {lower.shape[1]}")
    others = [k for k in range(lower.shape[1]) if k not in dimensions]
    share = np.prod((upper - lower)[:, others], axis=1)
    middles = (np.arange(bins) + 0.5) / bins
    inside = [(middles >= lower[:, [k]]) & (middles < upper[:, [k]]) for k in dimensions]
    weighted = inside[0].astype(np.float64) * (values * share)[:, np.newaxis]
    return np.asarray(weighted.T @ inside[1].astype(np.float64))

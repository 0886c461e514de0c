"""The histogram behind a PDF: its grid, and how it is smoothed before anything is drawn through it."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError
from mvakit.evaluation.smoothing import smooth

__all__ = ["centres", "edges", "single", "smoothed"]

FloatArray = npt.NDArray[np.float64]

# Bins times passes; a weight file may ask for more than anyone would wait for.
_MAX_WORK: Final = 10_000_000


def single(values: npt.ArrayLike) -> FloatArray:
    """Return numbers rounded to single precision, in which TMVA keeps the contents of these histograms."""
    return np.asarray(values).astype(np.float32).astype(np.float64)


def edges(n_bins: int, low: float, high: float) -> FloatArray:
    """Return the edges of equal bins, shape (n_bins + 1,), by ROOT's arithmetic."""
    return low + np.arange(n_bins + 1, dtype=np.float64) * ((high - low) / n_bins)


def centres(n_bins: int, low: float, high: float) -> FloatArray:
    """Return the centres of equal bins, shape (n_bins,), by ROOT's arithmetic."""
    width = (high - low) / n_bins
    return low + np.arange(n_bins, dtype=np.float64) * width + 0.5 * width


def smoothed(contents: FloatArray, minimum: int, maximum: int) -> FloatArray:
    """Return the contents smoothed as TMVA does.

    Where `minimum` and `maximum` differ, bins with larger relative errors ask for more passes. TMVA means to smooth each
    region of two or more such bins by itself, but what it does, and so this, is to smooth the whole histogram once for
    each region that ends before the last bin and for each number of passes above the minimum, and then ``minimum + 1``
    times more. The errors are the roots of the contents, as they are once the histogram has been in a weight file.

    Parameters
    ----------
    contents : ndarray of float64, shape (n_bins,)
    minimum, maximum : int
        Passes; there are none unless `maximum` is positive and `minimum` not negative.

    Raises
    ------
    DataError
        If that is too much work for any histogram to need.
    """
    if maximum <= 0 or minimum < 0 or contents.size == 1:
        return contents
    if minimum == maximum:
        _check_work(contents.size * minimum)
        return single(smooth(contents, minimum))
    wanted = _wanted_passes(contents, minimum, maximum)
    passes = minimum + 1 + sum(_regions(wanted >= n) for n in range(minimum + 1, maximum + 1))
    _check_work(contents.size * passes)
    result = contents
    for _ in range(passes):
        result = single(smooth(result))
    return result


def _check_work(work: int) -> None:
    if work > _MAX_WORK:
        raise DataError(f"smoothing takes {work} bins times passes; at most {_MAX_WORK} make sense")


def _wanted_passes(contents: FloatArray, minimum: int, maximum: int) -> npt.NDArray[np.int64]:
    """Return how often each bin asks to be smoothed, by its relative error, in single precision as TMVA counts."""
    error = np.sqrt(np.abs(contents))
    significant = contents > error
    relative = np.divide(error, contents, out=np.zeros_like(contents), where=significant).astype(np.float32)
    chosen = relative[significant]
    wanted = np.full(contents.size, maximum, dtype=np.int64)
    if chosen.size == 0:
        return wanted
    count = np.float32(chosen.size)
    mean = np.add.accumulate(chosen)[-1] / count
    variance = np.add.accumulate(chosen * chosen)[-1] / count - mean * mean
    # where all errors are equal, TMVA's division by zero leaves the minimum
    wanted[significant] = minimum
    if variance > 0:
        spread = np.sqrt(variance)
        above = (chosen - (mean - spread)) / ((mean + spread) - (mean - spread)) * np.float32(maximum - minimum)
        wanted[significant] += above.astype(np.int64)
    return np.clip(wanted, minimum, maximum)


def _regions(mask: npt.NDArray[np.bool_]) -> int:
    """Return how many runs of two or more true values end before the last."""
    steps = np.diff(mask.astype(np.int8), prepend=0, append=0)
    begins, ends = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    return int(np.count_nonzero((ends - begins >= 2) & (ends < mask.size)))

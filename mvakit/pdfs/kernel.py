"""A kernel density estimate of a histogram: each bin spread by a Gaussian, in TMVA's single-precision arithmetic."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError
from mvakit.pdfs.histogram import centres, edges, single
from mvakit.pdfs.recipe import Border, Kernel

__all__ = ["spread"]

FloatArray = npt.NDArray[np.float64]


def spread(contents: FloatArray, low: float, high: float, kernel: Kernel, n_fine: int) -> FloatArray:
    """Return a histogram in which each bin of another is spread by the kernel; not normalised.

    The last bins of both histograms are left out, as TMVA does.

    Parameters
    ----------
    contents : ndarray of float64, shape (n_bins,)
    low, high : float
        The range of both histograms.
    kernel : Kernel
    n_fine : int
        Bins of the new histogram.

    Raises
    ------
    DataError
        If the histogram has no width, or an adaptive kernel none.

    References
    ----------
    D. W. Scott, *Multivariate Density Estimation*, Wiley 1992, for the width of a kernel that is the same everywhere.
    """
    common = _width(contents, low, high)
    widths = np.full(contents.size, common)
    if kernel.adaptive:
        widths = _adapted(contents, low, high, kernel, common)
    return _spread(contents, widths, low, high, kernel.border, n_fine)


def _width(contents: FloatArray, low: float, high: float) -> float:
    """Return the width of the kernel, times the square root of two, in single precision."""
    total = float(contents.sum())
    if not total > 0:
        raise DataError(f"a kernel density estimate needs contents that sum to more than zero, not to {total:.6g}")
    x = centres(contents.size, low, high)
    mean = float((contents * x).sum()) / total
    rms = np.sqrt(abs(float((contents * x * x).sum()) / total - mean * mean))
    width = float(np.float32(np.sqrt(2.0) * (4.0 / 3.0) ** 0.2 * rms * total**-0.2))
    if not width > 0:
        raise DataError("a kernel density estimate needs contents in more than one bin")
    return width


def _adapted(contents: FloatArray, low: float, high: float, kernel: Kernel, common: float) -> FloatArray:
    """Return widths that go as one over the root of a first estimate of the density."""
    first = _spread(contents, np.full(contents.size, common), low, high, kernel.border, contents.size)
    bin_width = (high - low) / contents.size
    integral = np.float32(0)
    for content in first[:-1]:
        integral = np.float32(float(integral) + content * bin_width)
    density = single(first * (1.0 / float(integral)))
    used = contents != 0
    used[-1] = False
    if not np.all(density[used] > 0):
        raise DataError("negative weights leave no density for an adaptive kernel; take KDEiter=Nonadaptive")
    widths = np.zeros(contents.size)
    scale = float(np.float32(np.float32(kernel.fine_factor) * np.float32(common)))
    widths[used] = single(scale / np.sqrt(density[used]))
    return widths


def _spread(
    contents: FloatArray, widths: FloatArray, low: float, high: float, border: Border, n_fine: int
) -> FloatArray:
    # everything is rounded where TMVA passes it on in single precision
    grid = single(edges(n_fine, low, high))
    ends = single([low, high])
    places = centres(contents.size, low, high)
    result = np.zeros(n_fine, dtype=np.float32)
    for i in np.flatnonzero(contents[:-1]):
        means = [places[i]]
        if border is Border.MIRROR and i + 1 < contents.size // 5:
            means.append(2 * ends[0] - places[i])
        if border is Border.MIRROR and i + 1 > 4 * contents.size // 5:
            means.append(2 * ends[1] - places[i])
        for mean in single(means):
            share = _gaussian(grid, mean, widths[i])
            if border is Border.RENORM:
                share = float(np.float32(1.0 / _gaussian(ends, mean, widths[i])[0])) * share
            result[:-1] += (contents[i] * single(share[:-1])).astype(np.float32)
    return result.astype(np.float64)


def _gaussian(between: FloatArray, mean: float, width: float) -> FloatArray:
    """Return the integrals of a Gaussian between neighbouring edges."""
    from scipy.special import erf

    return np.diff(0.5 * erf(single((between - mean) / width)))

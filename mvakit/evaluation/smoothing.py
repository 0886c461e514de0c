"""Friedman's smoothing "353QH, twice", as HBOOK's HSMOOF and ROOT's ``TH1::Smooth`` do it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["smooth"]

FloatArray = npt.NDArray[np.float64]


def smooth(contents: npt.ArrayLike, passes: int = 1) -> FloatArray:
    """Return the contents of neighbouring bins smoothed; what is nowhere negative stays so.

    A pass takes running medians of 3, 5 and 3 bins, a parabola where they leave three equal bins on a slope or a summit,
    and a running mean with weights 1/4, 1/2, 1/4; the same once more for the residuals, which are added back ("twice").
    Fewer than three bins stay as they are.

    References
    ----------
    J. Friedman, *Data analysis techniques for high energy particle physics*, Proceedings of the 1974 CERN School of
    Computing, CERN 74-23 (1974) 271; SLAC-R-176, section 4.2.
    """
    result = np.array(contents, dtype=np.float64)
    if result.size < 3:
        return result
    for _ in range(passes):
        negative = result.min() < 0
        first = _pass(result)
        result = first + _pass(result - first)
        if not negative:
            result = np.maximum(result, 0.0)
    return result


def _median3(z: FloatArray) -> FloatArray:
    """Return the medians of three neighbours; the ends stay."""
    result = z.copy()
    result[1:-1] = np.median(np.lib.stride_tricks.sliding_window_view(z, 3), axis=1)
    return result


def _pass(contents: FloatArray) -> FloatArray:
    z = _median3(contents)
    # the end points: the median of the point, its neighbour, and a line through the next two
    z[0] = np.median([z[1], z[0], 3 * z[1] - 2 * z[2]])
    z[-1] = np.median([z[-2], z[-1], 3 * z[-2] - 2 * z[-3]])
    before = z.copy()
    if z.size > 4:
        z[2:-2] = np.median(np.lib.stride_tricks.sliding_window_view(before, 5), axis=1)
    z[1], z[-2] = np.median(before[:3]), np.median(before[-3:])
    z = _median3(z)
    y = _parabolas(z)
    z[1:-1] = 0.25 * y[:-2] + 0.5 * y[1:-1] + 0.25 * y[2:]
    z[0], z[-1] = y[0], y[-1]
    return z


def _parabolas(z: FloatArray) -> FloatArray:
    """Bend three equal bins that are a summit or a valley, from the side whose neighbour is nearer."""
    y = z.copy()
    if z.size < 5:
        return y
    left, right = z[:-4] - z[2:-2], z[4:] - z[2:-2]
    flat = (z[1:-3] == z[2:-2]) & (z[2:-2] == z[3:-1]) & (left * right > 0)
    i = np.flatnonzero(flat) + 2
    step = np.where(np.abs(right[i - 2]) > np.abs(left[i - 2]), -1, 1)
    near, far = z[i - 2 * step], z[i + 2 * step]
    y[i] = -0.5 * near + z[i] / 0.75 + far / 6.0
    y[i + step] = 0.5 * (far - near) + z[i]
    return y

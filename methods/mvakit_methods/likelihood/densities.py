"""The densities of all variables and of both classes side by side, read as TMVA's likelihood reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from mvakit.pdfs import Interpolation, Pdf

__all__ = ["SMALLEST", "Densities"]

FloatArray = npt.NDArray[np.float64]

SMALLEST: Final = 1e3 * float(np.finfo(np.float64).tiny)  # no density, and no product of densities, is less
_BELOW_LAST: Final = 1e-10  # how far below the end of the range TMVA takes what lies beyond it
_PAD: Final = 2  # empty bins on both sides, of which a density at the end of its range may need one


class Densities:
    """Densities of the classes of one sample, one for each variable; immutable and thread-safe.

    What TMVA's likelihood does is not what `Pdf` does by itself: a value beyond the range of the signal density counts
    as one at its end, for background, too; a background density knows nothing beyond its own range; there is no
    interpolation between bins where the *signal* density has none.

    Parameters
    ----------
    pdfs : sequence of Pdf
        One for each variable.
    signal : sequence of Pdf
        Those of signal, which define the ranges.
    steps : sequence of bool
        For each variable, whether the density of a bin holds for all of it.
    """

    def __init__(self, pdfs: Sequence[Pdf], signal: Sequence[Pdf], steps: Sequence[bool]) -> None:
        self._low = np.array([pdf.low for pdf in pdfs])
        self._high = np.array([pdf.high for pdf in pdfs])
        self._n_bins = np.array([pdf.fine.size for pdf in pdfs])
        self._width = (self._high - self._low) / self._n_bins
        self._from = np.array([pdf.low for pdf in signal])
        self._to = np.array([pdf.high for pdf in signal])
        self._last = self._to - _BELOW_LAST
        self._slopes = np.array(
            [
                not (s.recipe.interpolation is Interpolation.SPLINE0 or flat)
                for s, flat in zip(signal, steps, strict=True)
            ]
        )
        sizes = [pdf.fine.size + 2 * _PAD for pdf in pdfs]
        # where the bin with the number 0, the one below the range, lies among the heights
        self._zero = np.cumsum([0, *sizes[:-1]]) + _PAD - 1
        self._heights = np.concatenate([np.pad(pdf.fine, _PAD) for pdf in pdfs])

    def __call__(self, X: npt.NDArray[np.float32]) -> FloatArray:
        """Return the product of the densities of each event, shape (n_events,)."""
        x = X.astype(np.float64)
        undefined = np.isnan(x)  # what a transformation made of infinities
        x[undefined] = 0.0
        x = np.where(x >= self._to, self._last, np.maximum(x, self._from))
        bins = self._bins(x)
        away = x - (self._low + (bins - 1) * self._width + 0.5 * self._width)
        onward = np.where(((away > 0) & (bins != self._n_bins)) | (bins == 1), 1, -1)
        place = self._zero + bins
        here = self._heights[place]
        rise = (here - self._heights[place + onward]) / (-onward * self._width)
        density = np.maximum(here + np.where(self._slopes, away * rise, 0.0), SMALLEST)
        product: FloatArray = np.multiply.reduce(density, axis=1)
        return np.where(undefined.any(axis=1), np.nan, np.maximum(product, SMALLEST))

    def _bins(self, x: FloatArray) -> npt.NDArray[np.intp]:
        """Return the bin of each value as ROOT 6.40 finds it: 0 below the range, ``n_bins + 1`` above it."""
        within = np.clip(x, self._low, self._high) - self._low
        bins: npt.NDArray[np.intp] = (self._n_bins * within / (self._high - self._low)).astype(np.intp) + 1
        bins -= x < self._low + (bins - 1) * self._width
        bins += x >= self._low + bins * self._width
        bins[x < self._low] = 0
        np.copyto(bins, self._n_bins + 1, where=x >= self._high)
        return bins

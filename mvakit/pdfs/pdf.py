"""One probability density: a histogram made smooth, sampled in fine bins, normalised, and read between their centres."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Self
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError, WeightFileError
from mvakit.evaluation.histograms import Histogram1D, bin_numbers
from mvakit.pdfs.histogram import centres, single, smoothed
from mvakit.pdfs.interpolation import interpolate
from mvakit.pdfs.kernel import spread
from mvakit.pdfs.recipe import MAX_BINS, Interpolation, Recipe
from mvakit.weightfile import (
    attribute,
    boolean_attribute,
    child,
    float_attribute,
    int_attribute,
    number,
    numbers,
    text_numbers,
)

__all__ = ["FINE_BINS", "Pdf"]

FloatArray = npt.NDArray[np.float64]

FINE_BINS: Final = 10_000
_TINY: Final = 1e-12  # no density is less
_FAR: Final = 1e100


@dataclass(frozen=True, eq=False)
class Pdf:
    """A probability density made of a histogram with equal bins, as TMVA makes it. Immutable and thread-safe.

    Attributes
    ----------
    low, high : float
        The range of the histogram.
    original : ndarray of float64, shape (n_bins,)
        Its contents, rounded to single precision.
    recipe : Recipe
    smoothed : ndarray of float64, shape (n_bins,)
        The contents after smoothing.
    fine : ndarray of float64, shape (10000,)
        The densities at the centres of fine bins; with SPLINE0, in the bins of the histogram. Their integral is one.

    Raises
    ------
    DataError
        If the range is empty, the bins are too few or too many, or the contents are not finite or leave no density.
    """

    low: float
    high: float
    original: FloatArray
    recipe: Recipe
    smoothed: FloatArray = field(init=False, repr=False)
    fine: FloatArray = field(init=False, repr=False)
    _shares: FloatArray = field(init=False, repr=False)

    def __post_init__(self) -> None:
        original = single(self.original)
        kind = self.recipe.interpolation
        if not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise DataError(f"a PDF needs a finite range that is not empty, not [{self.low}, {self.high}]")
        if original.ndim != 1 or not kind.fewest_bins <= original.size <= MAX_BINS:
            raise DataError(
                f"a PDF with {kind.option} is made of {kind.fewest_bins} to {MAX_BINS} bins, not of {original.shape}"
            )
        if not np.isfinite(original).all():
            raise DataError("a PDF is made of finite contents")
        smooth = original
        if kind is Interpolation.KDE:
            fine = spread(original, self.low, self.high, self.recipe.kernel, FINE_BINS)
        else:
            smooth = smoothed(original, self.recipe.min_smooth, self.recipe.max_smooth)
            fine = smooth if kind is Interpolation.SPLINE0 else self._sampled(smooth)
        width = (self.high - self.low) / fine.size
        integral = float(np.add.accumulate(fine)[-1]) * width
        if not integral > 0:
            raise DataError(f"a PDF with {kind.option} needs contents that sum to more than zero")
        fine = single(fine * (1.0 / integral))
        # the shares up to the edges of the bins, whose widths TMVA takes in single precision
        widths = np.full(fine.size, width)
        widths[0] = (self.low + width) - self.low
        shares = np.concatenate([[0.0], np.add.accumulate(fine * single(widths))])
        for name, values in (("original", original), ("smoothed", smooth), ("fine", fine), ("_shares", shares)):
            kept = np.array(values)
            kept.flags.writeable = False
            object.__setattr__(self, name, kept)

    def _sampled(self, smooth: FloatArray) -> FloatArray:
        x = centres(FINE_BINS, self.low, self.high)
        y = interpolate(self.recipe.interpolation, centres(smooth.size, self.low, self.high), smooth, x)
        # where a spline dips to zero or below, the histogram counts
        y = np.where(y <= _TINY, smooth[self._bins(x, smooth.size)], y)
        return single(np.maximum(y, _TINY))

    def _bins(self, x: FloatArray, n_bins: int) -> npt.NDArray[np.intp]:
        """Return the bins of `x` counted from zero, the first and the last going on beyond the range."""
        bins = bin_numbers(x.ravel(), n_bins, self.low, self.high).reshape(x.shape)
        return np.clip(bins - 1, 0, n_bins - 1)

    def _centre(self, i: npt.NDArray[np.intp]) -> FloatArray:
        """Return the centres of fine bins counted from zero."""
        width = (self.high - self.low) / self.fine.size
        return self.low + i.astype(np.float64) * width + 0.5 * width

    def __repr__(self) -> str:
        return (
            f"Pdf({self.recipe.interpolation.option}, {self.original.size} bins in [{self.low:.6g}, {self.high:.6g}])"
        )

    # -------------------------------------------------------------------------------------- as a function

    def __call__(self, x: npt.ArrayLike) -> FloatArray:
        """Return the density at `x`: on the lines between the centres of fine bins, with SPLINE0 in the bin.

        Beyond the range the outermost line goes on, as far as it is positive; the density is 1e-12 at least. Not a
        number where `x` is not.
        """
        given = np.asarray(x, dtype=np.float64)
        known = np.clip(np.where(np.isnan(given), self.low, given), -_FAR, _FAR)
        i = self._bins(known, self.fine.size)
        if self.recipe.interpolation is Interpolation.SPLINE0:
            y = self.fine[i]
        else:
            at = self._centre(i)
            right = ((known > at) & (i < self.fine.size - 1)) | (i == 0)
            j = np.where(right, i + 1, i - 1)
            y = self.fine[i] + (known - at) * (self.fine[i] - self.fine[j]) / (at - self._centre(j))
        return np.where(np.isnan(given), np.nan, np.maximum(y, _TINY))

    def integral(self, x: npt.ArrayLike) -> FloatArray:
        """Return the share of the density from the lower end of the range up to `x`, between zero and one.

        Within the range it is TMVA's, which counts the first bin whole. Beyond the upper end TMVA goes on adding the
        density of the last bin, so that its shares may exceed one; here all that lies there has a share of one.
        """
        given = np.asarray(x, dtype=np.float64)
        known = np.clip(np.where(np.isnan(given), self.low, given), self.low, self.high)
        i = self._bins(known, self.fine.size)
        width = (self.high - self.low) / self.fine.size
        part = self._shares[i] + self.fine[i] * single(known - (self.low + i * width))
        share = np.where(i == 0, self._shares[1], part)
        share = np.where(given < self.low, 0.0, np.clip(share, 0.0, 1.0))
        return np.where(np.isnan(given), np.nan, share)

    # -------------------------------------------------------------------------------------- files

    def histograms(self, name: str) -> tuple[Histogram1D, Histogram1D, Histogram1D]:
        """Return the histograms that TMVA keeps in a result file: as it came, smoothed, and in fine bins.

        Parameters
        ----------
        name : str
            ``"Fisher_tr_S"``.
        """
        spline = self.recipe.interpolation
        kind = spline.option.lower() if spline is not Interpolation.KDE else "KDE"
        names = (f"{name}_original", f"{name}_smoothed", f"{name}_smoothed_hist_from_{kind}")
        titles = (names[0], names[1], f"{name}_smoothed_hist from_{kind}")
        made = [
            Histogram1D(
                name=own,
                title=title,
                low=self.low,
                high=self.high,
                flow_contents=np.concatenate([[0.0], contents, [0.0]]),
                entries=float(contents.size),
                storage="F",
            )
            for own, title, contents in zip(names, titles, (self.original, self.smoothed, self.fine), strict=True)
        ]
        return made[0], made[1], made[2]

    def write(self, parent: ET.Element, name: str, histogram: str) -> None:
        """Append ``<PDF>`` with the histogram that it is made of.

        Parameters
        ----------
        parent : Element
        name : str
            ``"Fisher_PDFSig"``.
        histogram : str
            ``"Fisher_tr_S"``.
        """
        pdf = ET.SubElement(parent, "PDF", {"Name": name, **self.recipe.attributes()})
        element = ET.SubElement(
            pdf,
            "Histogram",
            Name=f"{histogram}_original",
            NBins=str(self.original.size),
            XMin=number(self.low),
            XMax=number(self.high),
            HasEquidistantBins="1",
        )
        element.text = numbers(self.original)

    @classmethod
    def read(cls, pdf: ET.Element) -> Self:
        """Read ``<PDF>``; everything else follows from its histogram.

        Raises
        ------
        WeightFileError
            If something is missing or no PDF can be made of it.
        """
        recipe = Recipe.read(pdf)
        histogram = child(pdf, "Histogram")
        bins = int_attribute(histogram, "NBins", 1, MAX_BINS)
        if not boolean_attribute(histogram, "HasEquidistantBins"):
            raise WeightFileError(
                f"<PDF Name={attribute(pdf, 'Name')!r}> has bins of different widths, which no PDF has"
            )
        low, high = float_attribute(histogram, "XMin"), float_attribute(histogram, "XMax")
        try:
            return cls(low, high, text_numbers(histogram, bins), recipe)
        except DataError as error:
            raise WeightFileError(f"<PDF Name={attribute(pdf, 'Name')!r}>: {error}") from None

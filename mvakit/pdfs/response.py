"""The PDFs of a method's response for signal and background: ``CreateMVAPdfs`` and the ``<MVAPdfs>`` of a weight file."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Self
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError, MvakitWarning, WeightFileError
from mvakit.evaluation.histograms import Histogram1D, fill, normalised
from mvakit.evaluation.samples import ClassSample, TwoClassSample
from mvakit.pdfs.interpolation import rounding
from mvakit.pdfs.pdf import FINE_BINS, Pdf
from mvakit.pdfs.recipe import Recipe, bins_for

__all__ = ["ResponsePdfs"]

FloatArray = npt.NDArray[np.float64]

_SUFFIX: Final = "MVAPdf"  # of the options
_ROUGH: Final = 0.01


@dataclass(frozen=True, eq=False)
class ResponsePdfs:
    """The PDFs of a response; from them the probability of an event to be signal, and its rarity. Thread-safe.

    Attributes
    ----------
    signal, background : Pdf
    """

    signal: Pdf
    background: Pdf

    @classmethod
    def fit(
        cls,
        scores: npt.ArrayLike,
        is_signal: npt.ArrayLike,
        weights: npt.ArrayLike | None,
        recipe: Recipe,
        *,
        bins: int = 0,
        events_per_bin: int = 50,
        check: bool = False,
    ) -> Self:
        """Make the PDFs of the responses to a training sample.

        Parameters
        ----------
        scores : array_like, shape (n_events,)
            Taken in single precision. They span the range, whose upper end belongs to no bin.
        is_signal : array_like of bool, shape (n_events,)
        weights : array_like, shape (n_events,), or None
        recipe : Recipe
        bins, events_per_bin : int
            See `bins_for`.
        check : bool
            Whether to warn where more than half of the bins are empty.

        Raises
        ------
        DataError
            If a class has no positive sum of weights, the responses are all the same or not finite, or the bins are too
            few or too many.
        """
        single = np.asarray(scores, dtype=np.float32)
        sample = TwoClassSample.from_arrays(single, is_signal, weights, what="responses")
        low, high = float(single.min()), float(single.max())
        if not low < high:
            raise DataError(f"all responses are {low:.6g}, which has no density")
        count = bins_for(single.size, recipe.interpolation, bins=bins, events_per_bin=events_per_bin, suffix=_SUFFIX)
        if rounding(recipe.interpolation, low, high, count, FINE_BINS) > _ROUGH:
            warnings.warn(
                f"responses between {low:.6g} and {high:.6g} in {count} bins are so far from zero that "
                f"{recipe.interpolation.option}, which computes in single precision as TMVA does, is inaccurate; take "
                f"PDFInterpol{_SUFFIX}=Spline3",
                MvakitWarning,
                stacklevel=2,
            )
        pair = [
            Pdf(low, high, _histogram(one, count, low, high, check=check), recipe)
            for one in (sample.signal, sample.background)
        ]
        return cls(pair[0], pair[1])

    # -------------------------------------------------------------------------------------- applying

    def probability(self, scores: npt.ArrayLike, signal_fraction: float = 0.5) -> FloatArray:
        """Return the probabilities of events to be signal.

        Parameters
        ----------
        scores : array_like, shape (n_events,)
        signal_fraction : float
            The fraction of signal expected among the events.

        Returns
        -------
        ndarray of float64, shape (n_events,)
            Signal density times fraction, over the sum of that and the same for background.

        Raises
        ------
        DataError
            If the fraction does not lie between 0 and 1.
        """
        if not 0 <= signal_fraction <= 1:
            raise DataError(f"the fraction of signal should lie between 0 and 1, which {signal_fraction} does not")
        signal = self.signal(scores) * signal_fraction
        return signal / (signal + self.background(scores) * (1 - signal_fraction))

    def rarity(self, scores: npt.ArrayLike) -> FloatArray:
        """Return the fractions of background with lower responses; for background they are spread evenly from 0 to 1."""
        return self.background.integral(scores)

    # -------------------------------------------------------------------------------------- files

    def histograms(self, method: str) -> Iterator[Histogram1D]:
        """Yield the histograms of a result file, ``Fisher_tr_S_original`` and so on; they are named by the type."""
        for letter, pdf in (("S", self.signal), ("B", self.background)):
            yield from pdf.histograms(f"{method}_tr_{letter}")

    def write(self, element: ET.Element, method: str, title: str) -> None:
        """Fill ``<MVAPdfs>`` for a method of that type and title."""
        self.signal.write(element, f"{title}_PDFSig", f"{method}_tr_S")
        self.background.write(element, f"{title}_PDFBkg", f"{method}_tr_B")

    @classmethod
    def read(cls, element: ET.Element) -> Self | None:
        """Read ``<MVAPdfs>``; None where it is empty.

        Raises
        ------
        WeightFileError
            If it holds something else than one PDF for signal and one for background.
        """
        found = element.findall("PDF")
        if not found:
            return None
        if len(found) != 2:
            raise WeightFileError(
                f"<{element.tag}> holds {len(found)} <PDF>, not one for signal and one for background"
            )
        return cls(Pdf.read(found[0]), Pdf.read(found[1]))


def _histogram(sample: ClassSample, n_bins: int, low: float, high: float, *, check: bool) -> FloatArray:
    """Return the contents of the normalised histogram of a class."""
    histogram = fill(sample, n_bins, low, high, name=sample.name, title=sample.name)
    if not histogram.contents.sum() > 0:
        raise DataError(
            f"no weight of {sample.name} is left below the largest response, {high:.6g}, so its PDF cannot be made"
        )
    contents = normalised(histogram).contents
    empty = float(np.mean(contents == 0))
    if check and empty > 0.5:
        warnings.warn(
            f"{empty:.0%} of the {n_bins} bins of the {sample.name} responses are empty",
            MvakitWarning,
            stacklevel=4,
        )
    return contents

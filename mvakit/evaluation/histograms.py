"""One-dimensional histograms as plain values, and the filling and normalising that ROOT and TMVA do.

Bins are found with ROOT's own arithmetic, so that a histogram made here has the contents it would have there, events
on a bin edge included.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from mvakit.errors import DataError, MvakitWarning
from mvakit.evaluation.samples import ClassSample, FloatArray, IndexArray

__all__ = ["Histogram1D", "bin_numbers", "fill", "normalised"]

NO_MOMENTS = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Histogram1D:
    """A histogram with equal bins, and all that a ROOT file keeps of one.

    Attributes
    ----------
    name, title : str
    low, high : float
        Range of the axis.
    flow_contents : ndarray, shape (nbins + 2,)
        Underflow, contents, overflow.
    flow_variances : ndarray, shape (nbins + 2,), or None
        Squared errors (ROOT's ``Sumw2``); None where ROOT keeps none.
    entries : float
        Number of fills.
    moments : tuple of 4 floats
        Sums of w, w^2, w x and w x^2 over what was filled inside the range (ROOT's statistics).
    x_title, y_title : str
        Axis titles.
    storage : {"D", "F"}
        Precision in a ROOT file: ``TH1D`` or ``TH1F``.
    """

    name: str
    title: str
    low: float
    high: float
    flow_contents: FloatArray
    flow_variances: FloatArray | None = None
    entries: float = 0.0
    moments: tuple[float, float, float, float] = NO_MOMENTS
    x_title: str = ""
    y_title: str = ""
    storage: Literal["D", "F"] = "D"

    def __post_init__(self) -> None:
        if not self.high > self.low:
            raise DataError(f"histogram {self.name!r}: the range [{self.low}, {self.high}] is empty")
        if self.flow_contents.ndim != 1 or len(self.flow_contents) < 3:
            raise DataError(f"histogram {self.name!r} needs at least one bin between underflow and overflow")
        if self.flow_variances is not None and self.flow_variances.shape != self.flow_contents.shape:
            raise DataError(
                f"histogram {self.name!r} has {len(self.flow_contents)} contents, "
                f"but {len(self.flow_variances)} variances"
            )
        self.flow_contents.flags.writeable = False
        if self.flow_variances is not None:
            self.flow_variances.flags.writeable = False

    @property
    def nbins(self) -> int:
        """Number of bins, without underflow and overflow."""
        return len(self.flow_contents) - 2

    @property
    def width(self) -> float:
        """Width of a bin."""
        return (self.high - self.low) / self.nbins

    @property
    def edges(self) -> FloatArray:
        """Edges of the bins, shape (nbins + 1,)."""
        return np.linspace(self.low, self.high, self.nbins + 1, dtype=np.float64)

    @property
    def centers(self) -> FloatArray:
        """Centres of the bins, shape (nbins,)."""
        return self.low + (np.arange(self.nbins, dtype=np.float64) + 0.5) * self.width

    @property
    def contents(self) -> FloatArray:
        """Contents without underflow and overflow, shape (nbins,)."""
        return self.flow_contents[1:-1]

    @property
    def variances(self) -> FloatArray | None:
        """Squared errors without underflow and overflow, shape (nbins,), or None."""
        return None if self.flow_variances is None else self.flow_variances[1:-1]

    @property
    def underflow(self) -> float:
        """Content below the range."""
        return float(self.flow_contents[0])

    @property
    def overflow(self) -> float:
        """Content at and above the upper end of the range."""
        return float(self.flow_contents[-1])

    def scaled(self, factor: float) -> Histogram1D:
        """Return the histogram times a factor."""
        w, w2, wx, wx2 = self.moments
        return replace(
            self,
            flow_contents=self.flow_contents * factor,
            flow_variances=None if self.flow_variances is None else self.flow_variances * factor**2,
            moments=(w * factor, w2 * factor**2, wx * factor, wx2 * factor),
        )

    def __repr__(self) -> str:
        return f"Histogram1D({self.name!r}, {self.nbins} bins in [{self.low:.6g}, {self.high:.6g}])"


def bin_numbers(values: FloatArray, nbins: int, low: float, high: float) -> IndexArray:
    """Return the bin of each value: 0 below the range, 1 to `nbins` inside, ``nbins + 1`` at or above its end."""
    position = nbins * (np.clip(values, low, high) - low) / (high - low)
    bins = position.astype(np.intp) + 1
    bins[values < low] = 0
    bins[values >= high] = nbins + 1  # where the division may have rounded down
    return bins


def fill(
    sample: ClassSample,
    nbins: int,
    low: float,
    high: float,
    *,
    name: str,
    title: str,
    x_title: str = "",
    y_title: str = "",
    storage: Literal["D", "F"] = "D",
) -> Histogram1D:
    """Return the histogram of a sample.

    Parameters
    ----------
    sample : ClassSample
    nbins : int
    low, high : float
        Range; a value equal to `high` counts as overflow.
    name, title, x_title, y_title, storage : str
        See `Histogram1D`.
    """
    values, weights = sample.values, sample.weights
    bins = bin_numbers(values, nbins, low, high)
    inside = (bins > 0) & (bins <= nbins)
    w, x = np.where(inside, weights, 0.0), np.where(inside, values, 0.0)
    wx = w * x
    return Histogram1D(
        name=name,
        title=title,
        low=low,
        high=high,
        flow_contents=_sums(bins, weights, nbins + 2),
        flow_variances=_sums(bins, weights * weights, nbins + 2),
        entries=float(len(values)),
        moments=(float(w.sum()), float((w * w).sum()), float(wx.sum()), float((wx * x).sum())),
        x_title=x_title,
        y_title=y_title,
        storage=storage,
    )


def _sums(bins: IndexArray, weights: FloatArray, length: int) -> FloatArray:
    return np.bincount(bins, weights, minlength=length).astype(np.float64, copy=False)


def normalised(histogram: Histogram1D) -> Histogram1D:
    """Return the histogram scaled to unit area within its range.

    One whose contents do not sum to more than zero is returned as it is, with a warning.
    """
    area = float(histogram.contents.sum()) * histogram.width
    if not area > 0.0:
        warnings.warn(
            f"histogram {histogram.name!r} cannot be normalised: its contents sum to {histogram.contents.sum():.6g}",
            MvakitWarning,
            stacklevel=2,
        )
        return histogram
    return histogram.scaled(1.0 / area)

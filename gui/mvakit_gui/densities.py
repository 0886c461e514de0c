"""Histograms of classes scaled to unit area, as charts and figures draw them over each other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError
from mvakit.evaluation.histograms import Histogram1D
from mvakit.resultfile import Histogram

__all__ = ["AnyHistogram", "Density", "check_bins", "contents_of", "density_of"]

FloatArray = npt.NDArray[np.float64]
AnyHistogram = Histogram | Histogram1D


@dataclass(frozen=True, slots=True, eq=False)
class Density:
    """A histogram scaled to unit area, and which fraction of its events lies outside its range."""

    edges: FloatArray
    values: FloatArray
    errors: FloatArray
    outside: float

    @property
    def centers(self) -> FloatArray:
        """The middle of each bin, shape (n,)."""
        return np.asarray(0.5 * (self.edges[1:] + self.edges[:-1]))

    @property
    def top(self) -> float:
        """The upper end of the highest error bar."""
        return float(np.max(self.values + self.errors))


def contents_of(histogram: AnyHistogram) -> FloatArray:
    """Return the contents without underflow and overflow, shape (n,)."""
    return np.asarray(histogram.contents if isinstance(histogram, Histogram1D) else histogram.values)


def density_of(histogram: AnyHistogram) -> Density:
    """Return a histogram scaled to unit area.

    Raises
    ------
    DataError
        If it is empty, or has contents that are not finite.
    """
    contents = contents_of(histogram)
    variances = np.abs(contents) if histogram.variances is None else np.maximum(histogram.variances, 0.0)
    total = float(contents.sum())
    if not np.isfinite(contents).all():
        raise DataError(f"histogram {histogram.name!r} has contents that are not finite")
    if not total > 0.0:
        raise DataError(f"histogram {histogram.name!r} is empty: its contents sum to {total:.6g}")
    flow = abs(histogram.underflow) + abs(histogram.overflow)
    scale = total * np.diff(histogram.edges)
    return Density(histogram.edges, contents / scale, np.sqrt(variances) / scale, flow / (total + flow))


def check_bins(named: Iterable[tuple[str, AnyHistogram]], what: str) -> None:
    """Refuse histograms of different bins.

    Raises
    ------
    DataError
        If there is none, or two of them differ.
    """
    named = list(named)
    if not named:
        raise DataError(f"{what}: there is no histogram to draw")
    first = named[0][1]
    for name, histogram in named[1:]:
        if len(histogram.edges) != len(first.edges) or not np.allclose(histogram.edges, first.edges):
            raise DataError(f"{what}: the histograms of {named[0][0]} and {name} have different bins")

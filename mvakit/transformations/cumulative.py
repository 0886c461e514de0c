"""The cumulative distribution of a variable in bins of about equal content, as Uniform and Gauss use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError
from mvakit.evaluation.smoothing import smooth
from mvakit.transformations.base import Float32Array, FloatArray, frozen, require_finite
from mvakit.transformations.sketch import Summary
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

__all__ = ["Cumulative", "Curves"]

MAX_BINS: Final = 2000
MIN_EVENTS: Final = 10  # the fewest events in a bin, counted in the smallest weight
MARGIN: Final = np.float32(1e-4)  # width of the first bin, which ends at the smallest value
GRID: Final = 10_000  # points at which TMVA samples the curve before it interpolates
TINY: Final = 1e-12
FAR: Final = 1e12

_LINEAR: Final = 1  # TMVA's number of the interpolation Spline1


@dataclass(frozen=True, eq=False)
class Cumulative:
    """A histogram whose contents rise to one.

    Attributes
    ----------
    edges : ndarray of float64, shape (n_bins + 1,)
    contents : ndarray of float64, shape (n_bins,)
        The share of the weight that lies in a bin and those before it; numbers of single precision.
    """

    edges: FloatArray
    contents: FloatArray

    # ------------------------------------------------------------------------------------------ from events

    @classmethod
    def fit(cls, values: Float32Array, weight: FloatArray, order: npt.NDArray[np.intp]) -> Cumulative:
        """Make the histogram as TMVA does: bins by the sum of weights, contents smoothed, then summed.

        Parameters
        ----------
        values, weight : ndarray, shape (n_events,)
        order : ndarray of int, shape (n_events,)
            Sorts the values; equal values keep their order.
        """
        single = weight.astype(np.float32)
        return cls._made(values[order], single, order, _least_content(single))

    @classmethod
    def of_summary(cls, summary: Summary) -> Cumulative:
        """Make the histogram of events of which only a summary is left; each of its values counts as an event."""
        single = summary.weight.astype(np.float32)
        least = max(MIN_EVENTS * summary.smallest_weight, summary.total / MAX_BINS)
        return cls._made(summary.values, single, np.arange(single.size), np.float32(least))

    @classmethod
    def _made(
        cls, ascending: Float32Array, single: Float32Array, order: npt.NDArray[np.intp], least: np.float32
    ) -> Cumulative:
        edges = _edges(ascending, single[order], least)
        contents = smooth(_fill(edges, ascending, single, order)).astype(np.float32).astype(np.float64)
        total = np.cumsum(np.maximum(contents, 0.0))
        # where every event sits on the last edge, which belongs to no bin, the distribution is a step
        share = total / total[-1] if total[-1] > 0 else np.linspace(0.0, 1.0, total.size)
        return cls(frozen(edges, np.float64), frozen(share.astype(np.float32), np.float64))

    # ------------------------------------------------------------------------------------------ as a function

    @cached_property
    def samples(self) -> FloatArray:
        """The polygon through the bin centres at the centres of `GRID` equal bins, in single precision."""
        low, high = self.edges[0], self.edges[-1]
        x = low + (np.arange(GRID) + 0.5) * ((high - low) / GRID)
        y = _polygon(x, self.edges[:-1] + 0.5 * np.diff(self.edges), self.contents)
        bins = np.clip(np.searchsorted(self.edges, x, side="right") - 1, 0, self.contents.size - 1)
        y = np.where(y <= TINY, self.contents[bins], y)  # where the first segment goes on below zero
        return frozen(np.maximum(y, TINY).astype(np.float32), np.float64)

    def inverse(self, share: FloatArray) -> FloatArray:
        """Return where the cumulative share is reached, at most half a grid bin outside of the sampled range."""
        low, high = self.edges[0], self.edges[-1]
        x = low + (np.arange(-1, GRID) + 0.5) * ((high - low) / GRID)
        rising = np.maximum.accumulate(np.concatenate([[0.0], self.samples]))
        return np.where(np.isnan(share), np.nan, np.interp(share, rising, x))

    # ------------------------------------------------------------------------------------------ weight file

    def write(self, parent: ET.Element, variable: int, block: int) -> None:
        """Append ``<PDF>`` with its histogram."""
        pdf = ET.SubElement(
            parent,
            "PDF",
            Name=f"GaussTransform var{variable} cls{block}",
            MinNSmooth="0",
            MaxNSmooth="0",
            InterpolMethod=str(_LINEAR),
            KDE_type="0",
            KDE_iter="1",
            KDE_border="1",
            KDE_finefactor=number(0.0),
        )
        bins = str(self.contents.size)
        ET.SubElement(
            pdf,
            "Histogram",
            Name=f"Cumulative_Var{variable}_cls{block}_original",
            NBins=bins,
            XMin=number(
                float(np.float32(self.edges[0]))
            ),  # in full, where the edges of a file of TMVA have nine digits
            XMax=number(float(np.float32(self.edges[-1]))),
            HasEquidistantBins="0",
        ).text = numbers(self.contents)
        ET.SubElement(pdf, "HistogramBinning", NBins=bins).text = numbers(self.edges)

    @classmethod
    def read(cls, pdf: ET.Element, *, applies: bool) -> Cumulative:
        """Read ``<PDF>``.

        Parameters
        ----------
        pdf : Element
        applies : bool
            Whether it is of the block that applies. Of another class it may be undefined, as TMVA leaves it where the
            variable is constant.

        Raises
        ------
        WeightFileError
            If edges or contents are missing or fall, or another interpolation than TMVA's linear one is asked for.
        """
        if int_attribute(pdf, "InterpolMethod") != _LINEAR or int_attribute(pdf, "MinNSmooth") != 0:
            raise WeightFileError(
                "a cumulative distribution is interpolated linearly and not smoothed (InterpolMethod='1' "
                f"MinNSmooth='0'), not with InterpolMethod={attribute(pdf, 'InterpolMethod')!r} "
                f"MinNSmooth={attribute(pdf, 'MinNSmooth')!r}"
            )
        histogram = child(pdf, "Histogram")
        bins = int_attribute(histogram, "NBins", 2)
        contents = text_numbers(histogram, bins).astype(np.float32).astype(np.float64)
        if boolean_attribute(histogram, "HasEquidistantBins"):
            low, high = float_attribute(histogram, "XMin"), float_attribute(histogram, "XMax")
            edges = np.linspace(low, high, bins + 1)
        else:
            binning = child(pdf, "HistogramBinning")
            edges = text_numbers(binning, bins + 1)
        require_finite(edges, "HistogramBinning")
        if applies:
            require_finite(contents, "Histogram")
            if not (np.all(np.diff(edges) >= 0) and np.all(edges[2:] > edges[:-2])):
                raise WeightFileError("the edges of a cumulative distribution should rise")
        return cls(frozen(edges, np.float64), frozen(contents, np.float64))


@dataclass(frozen=True, eq=False)
class Curves:
    """Several cumulative distributions side by side, sampled, to be evaluated together.

    Attributes
    ----------
    low, scale : ndarray of float64, shape (n,)
        Where the grids begin, and one over the width of their bins.
    first : ndarray of int, shape (n,)
        Where the samples of each begin.
    samples, slopes : ndarray of float64, shape (n GRID,)
    """

    low: FloatArray
    scale: FloatArray
    first: npt.NDArray[np.intp]
    samples: FloatArray
    slopes: FloatArray

    @classmethod
    def of(cls, distributions: Sequence[Cumulative]) -> Curves:
        """Sample the distributions."""
        samples = np.concatenate([d.samples for d in distributions])
        low, high = (np.array([d.edges[i] for d in distributions]) for i in (0, -1))
        with np.errstate(divide="ignore"):
            scale = GRID / (high - low)
        return cls(
            frozen(low, np.float64),
            frozen(scale, np.float64),
            np.arange(len(distributions), dtype=np.intp) * GRID,
            frozen(samples, np.float64),
            frozen(np.diff(samples, append=samples[-1]), np.float64),
        )

    def __call__(self, x: FloatArray) -> FloatArray:
        """Return the cumulative shares at `x`, shape (n_events, n); the first and the last segment go on beyond the range.

        `x` is overwritten.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            x -= self.low
            x *= self.scale
        x -= 0.5
        np.clip(x, -FAR, FAR, out=x)  # an infinite input times a slope of zero would be undefined
        with np.errstate(invalid="ignore"):
            segment = x.astype(np.intp)  # undefined inputs land anywhere, and stay undefined below
        np.clip(segment, 0, GRID - 2, out=segment)
        x -= segment
        segment += self.first
        x *= self.slopes[segment]
        x += self.samples[segment]
        return x


def _least_content(weight: Float32Array) -> np.float32:
    """Return the least sum of weights of a bin: a 2000th of all, or ten times the smallest weight."""
    share = np.add.accumulate(weight)[-1] / np.float32(MAX_BINS)
    return np.float32(max(np.float32(weight.min() * np.float32(MIN_EVENTS)), share))


def _edges(values: Float32Array, weight: Float32Array, least: np.float32) -> Float32Array:
    """Cut sorted values into bins: one ends where its weights have summed to `least` and the value rises.

    The sums are TMVA's, in single precision from the start of each bin: whether ten equal weights reach ten times the
    weight is a matter of rounding.
    """
    edges = [values[0] - MARGIN, values[0]]
    begin, length = 0, 64
    while begin < values.size:
        rising = begin if values[begin] > edges[-1] else int(np.searchsorted(values, edges[-1], side="right"))
        end = begin
        found = -1
        total = np.float32(0)
        while end < values.size and found < 0:
            chunk = weight[end : end + length].copy()
            chunk[0] += total
            sums = np.add.accumulate(chunk)
            first = max(rising - end, 0)
            reached = np.flatnonzero(sums[first:] >= least)
            if reached.size:
                found = end + first + int(reached[0])
            total = sums[-1]
            end += chunk.size
        if found < 0:
            if total != 0:
                edges.append(values[-1])
            break
        edges.append(values[found])
        length = max(64, 2 * (found - begin))
        begin = found + 1
    if edges[0] == edges[-1]:  # a constant too large for the margin to show
        edges[0] = np.nextafter(edges[0], np.float32(-np.inf))
    return np.array(edges, dtype=np.float32)


def _fill(
    edges: Float32Array, ascending: Float32Array, weight: Float32Array, order: npt.NDArray[np.intp]
) -> Float32Array:
    """Sum the weights in each bin, in single precision and in the order of the events, as TMVA does.

    A bin holds its lower edge. Where two edges are equal the bin between them holds it, and what is on the last edge is in
    no bin at all.
    """
    begins = np.searchsorted(ascending, edges, side="left")
    again = np.flatnonzero(edges[1:-1] == edges[:-2]) + 1
    begins[again] = np.searchsorted(ascending, edges[again], side="right")
    place = np.empty(order.size, np.intp)
    place[order] = np.repeat(np.arange(edges.size + 1), np.diff(begins, prepend=0, append=order.size))
    sums = np.zeros(edges.size + 1, np.float32)
    np.add.at(sums, place, weight)
    return sums[1:-1]


def _polygon(x: FloatArray, at: FloatArray, heights: FloatArray) -> FloatArray:
    """Interpolate linearly; the first and the last segment go on beyond their ends."""
    i = np.clip(np.searchsorted(at, x, side="right") - 1, 0, at.size - 2)
    with np.errstate(divide="ignore", invalid="ignore"):  # bins without width, in a block that TMVA left undefined
        result: FloatArray = heights[i] + (x - at[i]) * (heights[i + 1] - heights[i]) / (at[i + 1] - at[i])
    return result

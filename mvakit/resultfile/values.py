"""Plain typed values that a result file holds: histograms of one and two dimensions, profiles and curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from mvakit.evaluation import Curve

__all__ = ["Curve", "Histogram", "Histogram2D", "Profile", "Sums"]

FloatArray = npt.NDArray[np.float64]
Precision = Literal["I", "F", "D"]


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over what was filled within the range, from which ROOT takes mean and RMS.

    Attributes
    ----------
    w, w2, wx, wx2 : float
        Sums of weight, squared weight, weight times x, weight times x squared.
    wy, wy2, wxy : float
        The same with y, for two dimensions and profiles.
    """

    w: float
    w2: float
    wx: float
    wx2: float
    wy: float = 0.0
    wy2: float = 0.0
    wxy: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Histogram:
    """A histogram of one dimension.

    Attributes
    ----------
    name, title : str
        The name is its key in the file.
    edges : ndarray of float64, shape (n + 1,)
    values, variances : ndarray of float64, shape (n,)
    x_title, y_title : str
        Of the axes.
    underflow, overflow : float
    entries : float
        The number of fills.
    labels : tuple of str
        Of the bins, or empty.
    precision : str
        ``"D"``, ``"F"`` or ``"I"``: how the values are stored, as in ``TH1D``.
    sums : Sums or None
        None where only the bins are known.
    """

    name: str
    title: str
    edges: FloatArray
    values: FloatArray
    variances: FloatArray
    x_title: str = ""
    y_title: str = ""
    underflow: float = 0.0
    overflow: float = 0.0
    entries: float = 0.0
    labels: tuple[str, ...] = ()
    precision: Precision = "D"
    sums: Sums | None = None

    @property
    def centers(self) -> FloatArray:
        """The middle of each bin, shape (n,)."""
        return np.asarray(0.5 * (self.edges[1:] + self.edges[:-1]))

    @property
    def widths(self) -> FloatArray:
        """The width of each bin, shape (n,)."""
        return np.diff(self.edges)

    @property
    def errors(self) -> FloatArray:
        """The standard deviation of each bin's content, shape (n,)."""
        return np.sqrt(np.maximum(self.variances, 0.0))


@dataclass(frozen=True, slots=True, eq=False)
class Histogram2D:
    """A histogram of two dimensions.

    Attributes
    ----------
    x_edges, y_edges : ndarray of float64, shapes (nx + 1,), (ny + 1,)
    values : ndarray of float64, shape (nx, ny)
        Without underflow and overflow.
    variances : ndarray of float64, shape (nx, ny), or None
        None where they are the values.
    x_labels, y_labels : tuple of str
        Of the bins, or empty.
    minimum, maximum : float or None
        What the drawn scale is fixed to, if it is.
    """

    name: str
    title: str
    x_edges: FloatArray
    y_edges: FloatArray
    values: FloatArray
    variances: FloatArray | None = None
    x_title: str = ""
    y_title: str = ""
    entries: float = 0.0
    x_labels: tuple[str, ...] = ()
    y_labels: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    precision: Precision = "F"
    sums: Sums | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """The mean of y in bins of x.

    Attributes
    ----------
    edges : ndarray of float64, shape (n + 1,)
    weight, weight2 : ndarray of float64, shape (n,)
        Sums of weights and of squared weights in a bin.
    wy, wy2 : ndarray of float64, shape (n,)
        Sums of weight times y and of weight times y squared in a bin.
    """

    name: str
    title: str
    edges: FloatArray
    weight: FloatArray
    weight2: FloatArray
    wy: FloatArray
    wy2: FloatArray
    x_title: str = ""
    y_title: str = ""
    entries: float = 0.0
    sums: Sums | None = None

    @property
    def centers(self) -> FloatArray:
        """The middle of each bin, shape (n,)."""
        return np.asarray(0.5 * (self.edges[1:] + self.edges[:-1]))

    @property
    def values(self) -> FloatArray:
        """The mean of y, shape (n,); zero where a bin is empty."""
        mean = np.zeros_like(self.wy)
        np.divide(self.wy, self.weight, out=mean, where=self.weight != 0)
        return mean

    @property
    def errors(self) -> FloatArray:
        """The error of the mean, shape (n,): spread over root of the effective entries, as ROOT's default has it."""
        spread2 = np.zeros_like(self.wy)
        np.divide(self.wy2, self.weight, out=spread2, where=self.weight != 0)
        spread2 = np.maximum(spread2 - self.values**2, 0.0)
        effective = np.zeros_like(self.wy)
        np.divide(self.weight**2, self.weight2, out=effective, where=self.weight2 != 0)
        error = np.zeros_like(self.wy)
        np.divide(spread2, effective, out=error, where=effective != 0)
        return np.sqrt(error)

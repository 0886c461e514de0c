"""The plots of the inputs: each variable by class, and each pair of variables as scatter plot and profile.

TMVA makes them of the training sample after every transformation, and once more of the test sample as each method
sees it. Everything is made when it is asked for, one plot after the other, since a scatter plot has 90000 bins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mvakit.dataset import Sample
from mvakit.errors import ResultFileError
from mvakit.evaluation.histograms import Histogram1D, bin_numbers, fill
from mvakit.evaluation.inputs import variable_range
from mvakit.evaluation.samples import ClassSample
from mvakit.resultfile import layout
from mvakit.resultfile.values import Histogram2D, Profile, Sums
from mvakit.variables import Variable

__all__ = ["InputPlots"]

FloatArray = npt.NDArray[np.float64]

SCATTER_BINS = 300
PROFILE_BINS = 40
# No pairs of more variables than this, and no integer variable with more values than that.
MAX_PAIRED = 20
MAX_INTEGER_BINS = 10_000


@dataclass(frozen=True, slots=True)
class InputPlots:
    """What is needed to plot the inputs of one sample.

    Attributes
    ----------
    sample : Sample
        With the inputs, and in a regression the targets, as they are to be plotted.
    variables, targets : sequence of Variable
    classes : sequence of str
    transformation : str
        ``"Id"``, ``"Norm"``, ``"Gauss_Deco"``: what the axes tell of the inputs.
    suffix : str
        What the names end with: the transformation's name for the training sample, nothing for a method's own plots.
    """

    sample: Sample
    variables: Sequence[Variable]
    targets: Sequence[Variable]
    classes: Sequence[str]
    transformation: str = "Id"
    suffix: str = ""

    def __post_init__(self) -> None:
        if self.sample.X.shape != (len(self.sample), len(self.variables)):
            raise ResultFileError(
                f"the inputs of transformation {self.transformation!r} have shape {self.sample.X.shape}, but there are "
                f"{len(self.sample)} events and {len(self.variables)} variables"
            )

    def histograms(self) -> Iterator[Histogram1D]:
        """Yield the distribution of every variable and target in every class."""
        rows = self._rows()
        yield from self._distributions(self.sample.X, self.variables, list(self.classes), rows)
        if len(self.targets):
            suffix = layout.TARGET_SUFFIX if len(self.targets) == 1 else ""
            yield from self._distributions(self.sample.targets, self.targets, [c + suffix for c in self.classes], rows)

    def pairs(self) -> Iterator[Histogram2D | Profile]:
        """Yield scatter plot and profile of every pair of variables in every class; of more than 20 variables, none."""
        count = len(self.variables)
        if count + len(self.targets) > MAX_PAIRED or len(self.sample) == 0:
            return
        columns = [np.ascontiguousarray(self.sample.X[:, i], dtype=np.float64) for i in range(count)]
        ranges = [_full_range(column) for column in columns]
        filled = [
            _PairFiller([column[rows] for column in columns], self.sample.weight[rows], ranges) for rows in self._rows()
        ]
        for i in range(count):
            for j in range(i + 1, count):
                for class_name, filler in zip(self.classes, filled, strict=True):
                    yield self._scatter(filler, i, j, class_name)
                    yield self._profile(filler, i, j, class_name)

    # ---------------------------------------------------------------------------------------- one variable

    def _rows(self) -> list[npt.NDArray[np.intp]]:
        return [np.flatnonzero(self.sample.class_index == c) for c in range(len(self.classes))]

    def _distributions(
        self,
        values: npt.NDArray[np.float32],
        variables: Sequence[Variable],
        class_names: Sequence[str],
        rows: Sequence[npt.NDArray[np.intp]],
    ) -> Iterator[Histogram1D]:
        if len(values) == 0:
            return
        weights = np.asarray(self.sample.weight, dtype=np.float64)
        for i, variable in enumerate(variables):
            column = np.ascontiguousarray(values[:, i], dtype=np.float64)
            nbins, low, high = self._binning(column, weights, variable)
            for class_name, chosen in zip(class_names, rows, strict=True):
                yield fill(
                    ClassSample(class_name, column[chosen], weights[chosen]),
                    nbins,
                    low,
                    high,
                    name=layout.input_name(variable.internal, class_name, self.suffix),
                    title=variable.title or variable.label,
                    x_title=layout.axis_title(variable, self.transformation),
                    y_title=layout.density_title((high - low) / nbins, variable.unit),
                    storage="F",
                )

    def _binning(self, column: FloatArray, weights: FloatArray, variable: Variable) -> tuple[int, float, float]:
        integer = variable.type == "I" and self.transformation == "Id" and float(np.ptp(column)) < MAX_INTEGER_BINS
        # Weights that sum to nothing have no mean to centre the range on.
        usable = weights if float(weights.sum()) > 0.0 else np.ones_like(weights)
        return variable_range(ClassSample("all", column, usable), integer=integer)

    # ---------------------------------------------------------------------------------------- two variables

    def _pair_title(self, i: int, j: int, class_name: str) -> str:
        x, y = self.variables[i], self.variables[j]
        title = f"{y.title or y.label} versus {x.title or x.label} ({class_name})"
        return f"{title}_{self.suffix}" if self.suffix else title

    def _scatter(self, filler: _PairFiller, i: int, j: int, class_name: str) -> Histogram2D:
        x, y = self.variables[i], self.variables[j]
        values, sums = filler.scatter(i, j)
        return Histogram2D(
            name=layout.pair_name("scat", x.internal, y.internal, class_name, self.suffix),
            title=self._pair_title(i, j, class_name),
            x_edges=np.linspace(*filler.ranges[i], SCATTER_BINS + 1),
            y_edges=np.linspace(*filler.ranges[j], SCATTER_BINS + 1),
            values=values,
            x_title=layout.axis_title(x, self.transformation),
            y_title=layout.axis_title(y, self.transformation),
            entries=filler.entries,
            sums=sums,
        )

    def _profile(self, filler: _PairFiller, i: int, j: int, class_name: str) -> Profile:
        x, y = self.variables[i], self.variables[j]
        weight, weight2, wy, wy2, sums = filler.profile(i, j)
        return Profile(
            name=layout.pair_name("prof", x.internal, y.internal, class_name, self.suffix),
            title=f"profile {self._pair_title(i, j, class_name)}",
            edges=np.linspace(*filler.ranges[i], PROFILE_BINS + 1),
            weight=weight,
            weight2=weight2,
            wy=wy,
            wy2=wy2,
            x_title=layout.axis_title(x, self.transformation),
            y_title=layout.axis_title(y, self.transformation),
            entries=filler.entries,
            sums=sums,
        )


def _full_range(column: FloatArray) -> tuple[float, float]:
    low, high = float(column.min()), float(column.max())
    return (low, high) if low < high else (low, low + 1.0)


class _PairFiller:
    """The variables of one class with their bins, found once and used in every pair.

    The sums over the events inside a plot are those over all events, which one product of matrices gives for all
    pairs, less the few outside: a plot spans the full range of its variables, so only the largest values fall beyond.
    """

    def __init__(self, columns: list[FloatArray], weight: FloatArray, ranges: list[tuple[float, float]]) -> None:
        self.ranges = ranges
        self.weight = np.asarray(weight, dtype=np.float64)
        self.entries = float(len(weight))
        self._columns = columns
        self._fine = [bin_numbers(c, SCATTER_BINS, *r) for c, r in zip(columns, ranges, strict=True)]
        self._coarse = [bin_numbers(c, PROFILE_BINS, *r) for c, r in zip(columns, ranges, strict=True)]
        self._beyond = [np.flatnonzero(c >= high) for c, (_, high) in zip(columns, ranges, strict=True)]
        self._moments = self._moments_of(slice(None), range(len(columns)))
        self._of_x = [self._in_bins(bins, self.weight) for bins in self._coarse]
        squares = self.weight * self.weight
        self._squares_of_x = [self._in_bins(bins, squares) for bins in self._coarse]

    def scatter(self, i: int, j: int) -> tuple[FloatArray, Sums]:
        """Return the contents, shape (300, 300), and the sums of the events inside."""
        size = SCATTER_BINS + 2
        filled = np.bincount(self._fine[j] * size + self._fine[i], self.weight, minlength=size * size)
        contents = filled.astype(np.float64, copy=False).reshape(size, size)
        return contents[1:-1, 1:-1].T, self._sums(i, j, np.union1d(self._beyond[i], self._beyond[j]))

    def profile(self, i: int, j: int) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, Sums]:
        """Return the sums of w, w^2, w y and w y^2 in the bins of x, each of shape (40,), and those of all inside."""
        y = self._columns[j]
        wy = self.weight * y
        bins = self._coarse[i]
        sums = self._sums(i, j, self._beyond[i])
        return self._of_x[i], self._squares_of_x[i], self._in_bins(bins, wy), self._in_bins(bins, wy * y), sums

    @staticmethod
    def _in_bins(bins: npt.NDArray[np.intp], values: FloatArray) -> FloatArray:
        return np.bincount(bins, values, minlength=PROFILE_BINS + 2)[1:-1].astype(np.float64, copy=False)

    def _moments_of(self, rows: npt.NDArray[np.intp] | slice, chosen: Sequence[int]) -> tuple[FloatArray, float]:
        """Return the weighted moments of 1 and the chosen columns, up to second order, and the sum of w^2."""
        w = self.weight[rows]
        table = np.column_stack([np.ones_like(w), *(self._columns[k][rows] for k in chosen)])
        return (table * w[:, np.newaxis]).T @ table, float(w @ w)

    def _sums(self, i: int, j: int, outside: npt.NDArray[np.intp]) -> Sums:
        m, w2 = self._moments
        of_all = m[np.ix_((0, i + 1, j + 1), (0, i + 1, j + 1))]
        less, less_w2 = self._moments_of(outside, (i, j))
        inside = of_all - less
        return Sums(
            float(inside[0, 0]),
            w2 - less_w2,
            float(inside[0, 1]),
            float(inside[1, 1]),
            float(inside[0, 2]),
            float(inside[2, 2]),
            float(inside[1, 2]),
        )

"""What a DataLoader holds, in numbers: classes, samples, cuts and variables, as a result that prints itself as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.columnstore import spans
from mvakit.cuts import cut_flow_table
from mvakit.dataset import Sample, SampleCounts
from mvakit.errors import DataError, did_you_mean
from mvakit.evaluation.correlation import VariableStatistics, correlation_of
from mvakit.evaluation.histograms import Histogram1D, bin_numbers
from mvakit.evaluation.inputs import VariableRank, variable_range
from mvakit.evaluation.moments import Moments, moments_by_class
from mvakit.evaluation.samples import ClassSample
from mvakit.evaluation.separation import separation
from mvakit.kept import Prepared
from mvakit.nonfinite import NonFinite
from mvakit.reporttable import ReportTable
from mvakit.variables import Variable

__all__ = ["ColumnSummary", "DataLoaderSummary", "summarise"]

FloatArray = npt.NDArray[np.float64]

STRONG: Final = 0.9
"""Absolute correlation above which a pair of variables is named."""
_MOST_SHOWN: Final = 25
"""Variables whose correlation matrix is shown."""
_MOST_BINS: Final = 1_000_000
"""Bins of an integer variable; one that spans more has those of a real one."""


@dataclass(frozen=True, slots=True)
class ColumnSummary:
    """A variable, target or spectator in the training sample.

    Attributes
    ----------
    kind : str
        ``"variable"``, ``"target"`` or ``"spectator"``.
    label, expression, unit : str
    statistics : tuple of VariableStatistics
        Range, weighted mean and RMS of its finite values in each class; NaN where there are none, or where the weights
        do not sum to more than zero.
    """

    kind: str
    label: str
    expression: str
    unit: str
    statistics: tuple[VariableStatistics, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DataLoaderSummary:
    """What a DataLoader holds.

    Attributes
    ----------
    name : str
        Of the DataLoader.
    counts : tuple of SampleCounts
        Of each class: events, sums of weights and effective numbers, and the cut flow.
    negative : tuple of (int, int)
        How many training and test events of each class have negative weights.
    columns : tuple of ColumnSummary
        Variables, targets and spectators of the training sample.
    ranking : tuple of VariableRank
        The variables by their separation of two classes, best first; empty for any other number of classes.
    correlations : tuple of ndarray or None
        Linear correlation coefficients of the variables in the training events of each class; None where the weights do
        not sum to more than zero.
    non_finite : tuple of NonFinite
        Which file has how many entries with NaN or infinities, in which value.
    problem : str
        Why no method can be trained on these events; then there are no samples, and nothing is known of the variables.
    """

    name: str
    counts: tuple[SampleCounts, ...]
    negative: tuple[tuple[int, int], ...] = ()
    columns: tuple[ColumnSummary, ...] = ()
    ranking: tuple[VariableRank, ...] = ()
    correlations: tuple[FloatArray | None, ...] = ()
    non_finite: tuple[NonFinite, ...] = ()
    problem: str = ""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes."""
        return tuple(count.name for count in self.counts)

    @property
    def variables(self) -> tuple[ColumnSummary, ...]:
        """The input variables."""
        return tuple(column for column in self.columns if column.kind == "variable")

    def strongly_correlated(self, class_name: str) -> tuple[tuple[str, str, float], ...]:
        """Return the pairs of variables with a correlation beyond 0.9 or -0.9 in a class, the strongest first.

        Raises
        ------
        DataError
            If there is no such class.
        """
        if class_name not in self.classes:
            raise DataError(
                f"there is no class {class_name!r}; {did_you_mean(class_name, self.classes, noun='the classes')}"
            )
        matrix = self.correlations[self.classes.index(class_name)] if self.correlations else None
        if matrix is None:
            return ()
        labels = [variable.label for variable in self.variables]
        first, second = np.nonzero(np.triu(np.abs(matrix) > STRONG, 1))
        pairs = [(labels[i], labels[j], float(matrix[i, j])) for i, j in zip(first, second, strict=True)]
        return tuple(sorted(pairs, key=lambda pair: -abs(pair[2])))

    def tables(self) -> tuple[ReportTable, ...]:
        """Return everything as tables, for text and for notebooks."""
        return tuple(self._tables())

    def __repr__(self) -> str:
        if self.problem:
            return f"DataLoaderSummary({self.name!r}: {self.problem.splitlines()[0]})"
        samples = ", ".join(f"{c.name} {c.n_train} + {c.n_test} events" for c in self.counts)
        return f"DataLoaderSummary({self.name!r}: {samples}; {len(self.variables)} variables)"

    def __str__(self) -> str:
        return "\n\n".join(str(table) for table in self.tables())

    def _repr_html_(self) -> str:
        return f"<div>{''.join(table._repr_html_() for table in self.tables())}</div>"

    # ------------------------------------------------------------------------------------------ as tables

    def _tables(self) -> Iterator[ReportTable]:
        yield ReportTable(f"DataLoader {self.name}", remarks=self._problems())
        yield self._events()
        yield from (cut_flow_table(count) for count in self.counts if count.cut_flow)
        yield self._not_finite()
        for kind in ("variable", "target", "spectator"):
            if columns := [column for column in self.columns if column.kind == kind]:
                yield _statistics(f"{kind.capitalize()}s in the training sample", columns, self.classes)
        if self.ranking:
            rows = tuple((str(rank.rank), rank.name, f"{rank.value:.3e}") for rank in self.ranking)
            title = f"Ranking of the variables ({self.classes[0]} against {self.classes[1]})"
            yield ReportTable(title, ("Rank", "Variable", "Separation"), rows, words=2)
        for name, matrix in zip(self.classes, self.correlations, strict=False):
            yield self._correlations(name, matrix)

    def _problems(self) -> tuple[str, ...]:
        if self.problem:
            return ("No method can be trained on these events:", *self.problem.splitlines())
        constant = [
            f"The {column.kind} {column.label!r} is constant: it is {column.statistics[0].minimum:g} in every training event."
            for column in self.columns
            if column.kind != "spectator" and _is_constant(column)
        ]
        return tuple(constant)

    def _events(self) -> ReportTable:
        rows = []
        for i, c in enumerate(self.counts):
            rows.append((c.name, "input trees", f"{c.n_input}", f"{c.sum_input:.6g}", "", ""))
            if c.cut_flow:
                rows.append((c.name, "after the cuts", f"{c.n_passed}", f"{c.sum_passed:.6g}", "", ""))
            if self.negative:
                train, test = self.negative[i]
                rows += [
                    (c.name, "training", f"{c.n_train}", f"{c.sum_train:.6g}", f"{c.effective_train:.6g}", f"{train}"),
                    (c.name, "test", f"{c.n_test}", f"{c.sum_test:.6g}", f"{c.effective_test:.6g}", f"{test}"),
                ]
        head = ("Class", "Sample", "Events", "Sum of weights", "Effective number", "Negative weights")
        return ReportTable("Events", head, tuple(rows), words=2)

    def _not_finite(self) -> ReportTable:
        if not self.non_finite:
            return ReportTable("No NaN or infinity in any event after the cuts")
        rows = tuple(
            (row.class_name, row.label, row.kind, row.file, f"{row.n_entries}", f"{row.n_nan}", f"{row.n_infinite}", f"{row.first_entry}")
            for row in self.non_finite
        )  # fmt: skip
        head = ("Class", "Value", "Kind", "File", "Entries", "With NaN", "With infinity", "First")
        return ReportTable("Entries with NaN or infinities after the cuts", head, rows, words=4)

    def _correlations(self, name: str, matrix: FloatArray | None) -> ReportTable:
        title = f"Correlation matrix ({name})"
        if matrix is None:
            return ReportTable(title, remarks=("The training weights do not sum to more than zero.",))
        labels = tuple(variable.label for variable in self.variables)
        remarks = tuple(
            f"Strongly correlated in {name}: {one!r} and {other!r} ({value:+.3f})"
            for one, other, value in self.strongly_correlated(name)
        )
        if len(labels) > _MOST_SHOWN:
            return ReportTable(title, remarks=(f"Of {len(labels)} variables: see `correlations`.", *remarks))
        rows = tuple(
            (label, *(f"{value:+.3f}" for value in row)) for label, row in zip(labels, matrix.tolist(), strict=True)
        )
        return ReportTable(title, ("", *labels), rows, remarks=remarks)


def _is_constant(column: ColumnSummary) -> bool:
    ends = {end for row in column.statistics for end in (row.minimum, row.maximum)}
    return len(ends) == 1


def _statistics(title: str, columns: Sequence[ColumnSummary], classes: Sequence[str]) -> ReportTable:
    rows = []
    for column in columns:
        name = f"{column.label} [{column.unit}]" if column.unit else column.label
        for class_name, s in zip(classes, column.statistics, strict=True):
            numbers = (f"{value:.5g}" for value in (s.mean, s.rms, s.minimum, s.maximum))
            rows.append((name, class_name, *numbers))
    return ReportTable(title, ("Name", "Class", "Mean", "RMS", "Min", "Max"), tuple(rows), words=2)


# ------------------------------------------------------------------------------------------------ from the events


def summarise(name: str, kinds: Mapping[str, Sequence[Variable]], events: Prepared) -> DataLoaderSummary:
    """Return the summary of prepared events, in two passes over the training sample, block by block.

    Parameters
    ----------
    name : str
        Of the DataLoader.
    kinds : mapping of str to sequence of Variable
        Each ``"variable"``, ``"target"`` and ``"spectator"``, in the order of the columns.
    events : Prepared
    """
    train, n_classes = events.train, len(events.counts)
    variables = kinds["variable"]
    moments = moments_by_class(((b.X, b.class_index, b.weight) for b in train.blocks()), len(variables), n_classes)
    columns = [
        ColumnSummary("variable", v.label, v.expression, v.unit, tuple(_row(v.label, m, place) for m in moments))
        for place, v in enumerate(variables)
    ]
    for kind in ("target", "spectator"):
        for place, v in enumerate(kinds[kind]):
            whole = train.targets[:, place] if kind == "target" else train.spectators[v.label]
            if whole.dtype.kind in "fiub":
                rows = tuple(_row(v.label, m, 0) for m in _moments_of(whole, train, n_classes))
                columns.append(ColumnSummary(kind, v.label, v.expression, v.unit, rows))
    positive = all(m.total > 0 for m in moments)
    ranking = _ranking(train, variables, moments) if n_classes == 2 and positive else ()
    correlations = tuple(correlation_of(m.covariance) if m.total > 0 else None for m in moments)
    negative = tuple(zip(_negative(train, n_classes), _negative(events.test, n_classes), strict=True))
    return DataLoaderSummary(
        name, events.counts, negative, tuple(columns), ranking, correlations, events.non_finite
    )  # fmt: skip


def _moments_of(column: npt.NDArray[Any], sample: Sample, n_classes: int) -> list[Moments]:
    """Return the moments of the finite values of one column in each class."""

    def blocks() -> Iterator[tuple[FloatArray, npt.NDArray[np.integer], FloatArray]]:
        for rows in spans(len(column)):
            values = column[rows].astype(np.float64)
            good = np.isfinite(values)
            if good.any():
                yield values[good, np.newaxis], sample.class_index[rows][good], sample.weight[rows][good]

    return moments_by_class(blocks(), 1, n_classes)


def _row(label: str, moments: Moments, place: int) -> VariableStatistics:
    mean = rms = np.nan
    if moments.total > 0:
        mean, rms = moments.mean[place], np.sqrt(abs(moments.covariance[place, place]))
    low, high = (moments.minimum[place], moments.maximum[place]) if moments.count else (np.nan, np.nan)
    return VariableStatistics(label, float(mean), float(rms), float(low), float(high))


def _negative(sample: Sample, n_classes: int) -> list[int]:
    """Return how many events of each class have negative weights."""
    found = np.zeros(n_classes, np.int64)
    for rows in spans(len(sample)):
        found += np.bincount(sample.class_index[rows][sample.weight[rows] < 0], minlength=n_classes)
    return [int(number) for number in found]


@dataclass(frozen=True, slots=True, eq=False)
class _Measured(ClassSample):
    """A column whose mean and RMS are known, and whose values are its ends."""

    known: tuple[float, float] = (0.0, 0.0)

    @property
    def mean(self) -> float:
        """Weighted mean."""
        return self.known[0]

    @property
    def rms(self) -> float:
        """Weighted root mean square deviation from the mean."""
        return self.known[1]


def _ranking(train: Sample, variables: Sequence[Variable], moments: Sequence[Moments]) -> tuple[VariableRank, ...]:
    """Rank the variables as `rank_by_separation` does, block by block."""
    every = Moments.joined(moments)
    binnings = [_binning(_row(v.label, every, place), v) for place, v in enumerate(variables)]
    contents = [np.zeros((2, bins + 2)) for bins, _, _ in binnings]
    for block in train.blocks():
        of_class = [np.flatnonzero(block.class_index == index) for index in (0, 1)]
        for place, (bins, low, high) in enumerate(binnings):
            numbers = bin_numbers(block.X[:, place].astype(np.float64), bins, low, high)
            for index, rows in enumerate(of_class):
                contents[place][index] += np.bincount(numbers[rows], block.weight[rows], bins + 2)
    found = []
    for v, (_, low, high), filled in zip(variables, binnings, contents, strict=True):
        signal, background = (Histogram1D(v.label, v.label, low, high, row) for row in filled)
        positive = signal.contents.sum() > 0 and background.contents.sum() > 0
        found.append((v.label, separation(signal, background) if positive else float("nan")))
    found.sort(key=lambda pair: -pair[1] if pair[1] == pair[1] else np.inf)
    return tuple(VariableRank(rank, label, value) for rank, (label, value) in enumerate(found, start=1))


def _binning(row: VariableStatistics, variable: Variable) -> tuple[int, float, float]:
    ends = np.array([row.minimum, row.maximum])
    column = _Measured(variable.label, ends, np.ones(2), (row.mean, row.rms))
    return variable_range(column, integer=variable.type == "I" and row.maximum - row.minimum < _MOST_BINS)

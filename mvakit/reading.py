"""Reading one tree: its chunks through formulae, weight and cut, into the columns of a sample."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.columnstore import BLOCK, Column, ColumnStore, spans, total
from mvakit.cuts import Cut, CutTally
from mvakit.dataset import Sample, SampleCounts
from mvakit.errors import DataError, MvakitWarning
from mvakit.formula import Formula
from mvakit.nonfinite import NonFinite, NonFiniteTally
from mvakit.progress import Messenger
from mvakit.sources import Tree, files_of, open_tree
from mvakit.variables import Variable

__all__ = ["Chunk", "Evaluator", "TreeEvents", "TreeReading", "read_events"]

_CHUNK: Final = "32 MB"
_STRIPE: Final = 8192
"""Events put side by side at once, few enough to stay in the cache of the processor."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """The values of formulae for the events of a chunk.

    Attributes
    ----------
    values : list of ndarray
        One for each formula, all of the same length.
    entries : ndarray of int
        The entry that each event comes from.
    """

    values: list[npt.NDArray[Any]]
    entries: npt.NDArray[np.intp]


class Evaluator:
    """Formulae of one tree, evaluated chunk by chunk.

    Parameters
    ----------
    tree : Tree
    wanted : sequence of (str, str or Formula)
        What each value is called, and its formula.

    Raises
    ------
    FormulaError
        If a formula does not parse or names something that the tree lacks.
    """

    def __init__(self, tree: Tree, wanted: Sequence[tuple[str, str | Formula]]) -> None:
        self.tree = tree
        self.labels = [label for label, _ in wanted]
        self.formulae = [Formula(formula) if isinstance(formula, str) else formula for _, formula in wanted]
        branches = tree.branches
        needed = dict.fromkeys(name for f in self.formulae for name in f.required(branches))
        # Formulae without any branch still need the number of entries.
        self.needed = list(needed) or list(branches[:1])
        self.notes: list[str] = []
        self._odd: list[Counter[str]] = [Counter() for _ in wanted]

    def chunks(self, step_size: int | str = "100 MB") -> Iterator[Chunk]:
        """Yield the values of all formulae, one event per entry or, where one of them is a vector, one per element.

        A warning at the end counts, by formula, the entries in which ROOT's value was taken where mathematics has none;
        `notes` keeps what was said.

        Raises
        ------
        SourceError
            If a file cannot be read.
        DataError
            If two vectors have different lengths in an entry.
        """
        entries = self.tree.num_entries
        for first, columns in self.tree.chunks(self.needed, step_size):
            values = [
                formula.evaluate(columns, first_entry=first, entries=entries, name=label, counts=odd)
                for formula, label, odd in zip(self.formulae, self.labels, self._odd, strict=True)
            ]
            yield self._flat(first, values)
        for label, formula, odd in zip(self.labels, self.formulae, self._odd, strict=True):
            if odd:
                said = "; ".join(f"{n} entries with {kind}" for kind, n in sorted(odd.items()))
                self.notes.append(
                    f"{label!r} ({formula.text}) in {self.tree.location}: {said}; ROOT's value is taken there"
                )
                warnings.warn(self.notes[-1], MvakitWarning, stacklevel=3)

    def _flat(self, first: int, values: list[Any]) -> Chunk:
        lengths = {}
        for i, value in enumerate(values):
            if not (isinstance(value, np.ndarray) and value.ndim == 1):
                import awkward as ak

                lengths[i] = np.asarray(ak.num(value, axis=1))
                values[i] = np.asarray(ak.flatten(value, axis=1))
        n_entries = len(next(iter(lengths.values()))) if lengths else len(values[0])
        entries = np.arange(first, first + n_entries)
        # Lists of one element each, such as an array at a fixed index, are scalars.
        lengths = {i: counts for i, counts in lengths.items() if not np.all(counts == 1)}
        if not lengths:
            return Chunk(values, entries)
        (one, counts), *others = lengths.items()
        for i, other in others:
            if not np.array_equal(counts, other):
                entry = int(np.flatnonzero(counts != other)[0])
                raise DataError(
                    f"the vectors {self.labels[one]!r} and {self.labels[i]!r} have {counts[entry]} and {other[entry]} "
                    f"elements in entry {first + entry} of {self.tree.location}; one event is made of each element, "
                    "so their lengths have to agree"
                )
        flat = [value if i in lengths else np.repeat(value, counts) for i, value in enumerate(values)]
        return Chunk(flat, np.repeat(entries, counts))


@dataclass(frozen=True, slots=True)
class TreeReading:
    """What is read of one tree.

    Attributes
    ----------
    source : tree
        Anything that `mvakit.sources.open_tree` takes.
    variables, targets, spectators : tuple of Variable
    tree_weight : float
        The weight of the tree.
    weight, tree_cut, cut : str
        Formulae, or empty: the weight of the class, the cut of this tree, and that of the class.
    class_name : str
        For messages.
    """

    source: object
    variables: tuple[Variable, ...]
    targets: tuple[Variable, ...]
    spectators: tuple[Variable, ...]
    tree_weight: float
    weight: str
    tree_cut: str
    cut: str
    class_name: str

    def wanted(self, cut: Cut | None) -> list[tuple[str, str | Formula]]:
        """Return what each value of an event is called, and its formula: variables, targets, spectators, weight and cut."""
        found: list[tuple[str, str | Formula]] = [
            (v.label, v.expression) for v in (*self.variables, *self.targets, *self.spectators)
        ]
        if self.weight.strip():
            found.append((f"the weight of class {self.class_name}", self.weight))
        if cut is not None:
            found.append((f"the cut of class {self.class_name}", cut))
        return found

    def selection(self) -> Cut | None:
        """Return both cuts as one, or None where there is none."""
        return Cut.of(self.tree_cut, self.cut)


@dataclass(frozen=True, slots=True)
class TreeEvents:
    """What was read of one tree.

    Attributes
    ----------
    sample : Sample
        The events that passed the cut.
    counts : SampleCounts
        Sums are those of weights that are finite.
    negative : int
        How many of these events have negative weights.
    notes : tuple of str
        What was said of its formulae in warnings.
    non_finite : tuple of NonFinite
        Where values of these events are no finite numbers.
    """

    sample: Sample
    counts: SampleCounts
    negative: int
    notes: tuple[str, ...] = ()
    non_finite: tuple[NonFinite, ...] = ()


def read_events(reading: TreeReading, class_index: int, log: Messenger, store: ColumnStore | None = None) -> TreeEvents:
    """Read one tree through its formulae, weight and cut, in one pass.

    Parameters
    ----------
    reading : TreeReading
    class_index : int
    log : Messenger
    store : ColumnStore, optional
        Where the columns grow; by default in memory.

    Raises
    ------
    SourceError
        If the file, tree or a branch is missing.
    FormulaError
        If a formula does not parse or names something that the tree lacks.
    DataError
        If two vectors have different lengths in an entry.
    OutputError
        If the columns do not fit into memory, nor onto the disk.
    """
    tree = open_tree(reading.source)
    log.info(f"Add Tree {tree.name} of type {reading.class_name} with {tree.num_entries} events")
    store = store or ColumnStore()
    numeric = [*(("variable", v) for v in reading.variables), *(("target", v) for v in reading.targets)]
    has_weight, cut = bool(reading.weight.strip()), reading.selection()
    entries, n_variables = tree.num_entries, len(reading.variables)
    X = store.column(np.float32, n_variables, entries)
    targets = store.column(np.float32, len(reading.targets), entries)
    weights = store.column(np.float64, None, entries)
    spectators: dict[str, Column] = {}
    n_input, sum_input, negative = 0, 0.0, 0
    evaluator = Evaluator(tree, reading.wanted(cut))
    tally, odd = CutTally(cut, tree.location), NonFiniteTally(files_of(tree), reading.class_name)
    for chunk in evaluator.chunks(_CHUNK):
        values = chunk.values
        # TMVA keeps the product of tree weight and expression in single precision.
        weight = np.full(len(chunk.entries), reading.tree_weight, np.float32)
        bits = None if cut is None else values.pop()
        if has_weight:
            weight = weight * values.pop().astype(np.float32)
        known = np.isfinite(weight)
        counted = weight if known.all() else np.where(known, weight, np.float32(0))
        n_input += len(weight)
        sum_input += float(np.sum(counted, dtype=np.float64))
        if cut is None or bits is None:
            passed = np.arange(len(weight))
        else:
            passed = np.flatnonzero(cut.passed(bits))
            tally.add(bits, counted)
        del bits, counted, known  # what comes next can do with their memory
        weight = weight[passed]
        odd.passing(chunk.entries, passed)
        odd.add("weight", "weight", reading.weight, weight, chunk.entries, passed)
        negative += int((weight < 0).sum())
        weights.append(weight)
        numbers = values[: len(numeric)]
        all_finite = True
        for rows in spans(len(passed), BLOCK):
            table = _side_by_side(numbers, passed[rows])
            all_finite = all_finite and bool(np.isfinite(table).all())
            X.append(table[:, :n_variables])
            targets.append(table[:, n_variables:])
        if not all_finite:
            for (kind, variable), value in zip(numeric, numbers, strict=True):
                chosen = _side_by_side([value], passed)[:, 0]
                odd.add(kind, variable.label, variable.expression, chosen, chunk.entries, passed)
        for variable, value in zip(reading.spectators, values[len(numeric) :], strict=True):
            if variable.label not in spectators:
                spectators[variable.label] = store.column(value.dtype, None, entries)
            kept = value[passed]
            odd.add("spectator", variable.label, variable.expression, kept, chunk.entries, passed)
            spectators[variable.label].append(kept)

    n_events, all_weights = len(weights), weights.finish()
    sample = Sample(
        X.finish(),
        np.broadcast_to(np.int16(class_index), n_events),
        all_weights,
        targets.finish(),
        {
            v.label: spectators[v.label].finish() if v.label in spectators else np.zeros(0, np.float32)
            for v in reading.spectators
        },
    )
    sum_passed = total(all_weights)
    if not np.isfinite(sum_passed):
        sum_passed = total(np.where(np.isfinite(all_weights), all_weights, 0.0))
    steps = tally.steps(n_input, sum_input, n_events, sum_passed)
    counts = SampleCounts(reading.class_name, reading.cut, n_input, sum_input, n_events, sum_passed, cut_flow=steps)
    return TreeEvents(sample, counts, negative, tuple(evaluator.notes), odd.found())


def _side_by_side(columns: Sequence[npt.NDArray[Any]], rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
    """Return some rows of columns as a table; what is too large for single precision is infinite."""
    table = np.empty((len(rows), len(columns)), np.float32)
    with np.errstate(over="ignore"):
        for stripe in spans(len(rows), _STRIPE):
            which: npt.NDArray[np.intp] | slice = rows[stripe]
            if rows[stripe.stop - 1] - rows[stripe.start] + 1 == len(rows[stripe]):  # without gaps
                which = slice(int(rows[stripe.start]), int(rows[stripe.stop - 1]) + 1)
            for i, column in enumerate(columns):
                table[stripe, i] = column[which]
    return table

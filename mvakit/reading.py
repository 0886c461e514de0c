"""Reading one tree: its chunks through formulae, weight and cut, into the columns of a sample."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mvakit.dataset import Sample, SampleCounts
from mvakit.errors import DataError, MvakitWarning
from mvakit.formula import Formula
from mvakit.progress import Messenger
from mvakit.sources import Tree, open_tree
from mvakit.variables import Variable

__all__ = ["Chunk", "Evaluator", "TreeReading", "read_events"]


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
    wanted : sequence of (str, str)
        What each value is called, and its formula.

    Raises
    ------
    FormulaError
        If a formula does not parse or names something that the tree lacks.
    """

    def __init__(self, tree: Tree, wanted: Sequence[tuple[str, str]]) -> None:
        self.tree = tree
        self.labels = [label for label, _ in wanted]
        self.formulae = [Formula(text) for _, text in wanted]
        branches = tree.branches
        needed = dict.fromkeys(name for f in self.formulae for name in f.required(branches))
        # Formulae without any branch still need the number of entries.
        self.needed = list(needed) or list(branches[:1])
        self._odd: list[Counter[str]] = [Counter() for _ in wanted]

    def chunks(self) -> Iterator[Chunk]:
        """Yield the values of all formulae, one event per entry or, where one of them is a vector, one per element.

        A warning at the end counts, by formula, the entries in which ROOT's value was taken where mathematics has none.

        Raises
        ------
        SourceError
            If a file cannot be read.
        DataError
            If two vectors have different lengths in an entry.
        """
        entries = self.tree.num_entries
        for first, columns in self.tree.chunks(self.needed):
            values = [
                formula.evaluate(columns, first_entry=first, entries=entries, name=label, counts=odd)
                for formula, label, odd in zip(self.formulae, self.labels, self._odd, strict=True)
            ]
            yield self._flat(first, values)
        for label, formula, odd in zip(self.labels, self.formulae, self._odd, strict=True):
            if odd:
                said = "; ".join(f"{n} entries with {kind}" for kind, n in sorted(odd.items()))
                warnings.warn(
                    f"{label!r} ({formula.text}) in {self.tree.location}: {said}; ROOT's value is taken there",
                    MvakitWarning,
                    stacklevel=3,
                )

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
    weight, cut : str
        Formulae, or empty.
    class_name : str
        For messages.
    """

    source: object
    variables: tuple[Variable, ...]
    targets: tuple[Variable, ...]
    spectators: tuple[Variable, ...]
    tree_weight: float
    weight: str
    cut: str
    class_name: str


def _finite(values: npt.NDArray[Any], what: str, label: str, entries: npt.NDArray[np.intp], tree: Tree) -> None:
    bad = np.flatnonzero(~np.isfinite(values))
    if not len(bad):
        return
    where = f"{values[bad[0]]} at entry {entries[bad[0]]}"
    if len(bad) == len(values):
        where = "only values that are no finite numbers"
    raise DataError(
        f"the {what} has {where} in {tree.location} ({len(bad)} of {len(values)} events after the cut); "
        f"cut these events away, as in '{label} == {label}' for what is not a number"
    )


def read_events(reading: TreeReading, class_index: int, log: Messenger) -> tuple[Sample, SampleCounts]:
    """Read one tree through its formulae, weight and cut.

    Raises
    ------
    SourceError
        If the file, tree or a branch is missing.
    FormulaError
        If a formula does not parse or names something that the tree lacks.
    DataError
        If a value that passed the cut is not a finite number.
    """
    tree = open_tree(reading.source)
    log.info(f"Add Tree {tree.name} of type {reading.class_name} with {tree.num_entries} events")
    numeric = [*(("variable", v) for v in reading.variables), *(("target", v) for v in reading.targets)]
    wanted = [(v.label, v.expression) for v in (*reading.variables, *reading.targets, *reading.spectators)]
    columns: list[list[npt.NDArray[Any]]] = [[] for _ in wanted]
    has_weight, has_cut = bool(reading.weight.strip()), bool(reading.cut.strip())
    if has_weight:
        wanted.append((f"the weight of class {reading.class_name}", reading.weight))
    if has_cut:
        wanted.append((f"the cut of class {reading.class_name}", reading.cut))

    weights: list[npt.NDArray[np.float64]] = []
    n_input, sum_input = 0, 0.0
    for chunk in Evaluator(tree, wanted).chunks():
        values = chunk.values
        passed = values.pop() >= 0.5 if has_cut else np.ones(len(chunk.entries), dtype=bool)
        # TMVA keeps the product of tree weight and expression in single precision.
        weight = np.full(len(chunk.entries), reading.tree_weight, np.float32)
        if has_weight:
            weight = weight * values.pop().astype(np.float32)
        n_input += len(weight)
        sum_input += float(np.sum(weight, dtype=np.float64, where=np.isfinite(weight)))
        entries = chunk.entries[passed]
        weights.append(weight[passed].astype(np.float64))
        _finite(weights[-1], f"weight of class {reading.class_name}", reading.weight, entries, tree)
        for i, value in enumerate(values):
            chosen = value[passed]
            if i < len(numeric):
                kind, variable = numeric[i]
                with np.errstate(over="ignore"):  # what is too large for single precision is refused as infinite
                    chosen = chosen.astype(np.float32)
                _finite(chosen, f"{kind} {variable.label!r}", variable.expression, entries, tree)
            columns[i].append(chosen)
    joined = [np.concatenate(parts) if parts else np.zeros(0, np.float32) for parts in columns]
    all_weights = np.concatenate(weights) if weights else np.zeros(0)
    n_events, n_variables = len(all_weights), len(reading.variables)
    sample = Sample(
        _side_by_side(joined[:n_variables], n_events),
        np.full(n_events, class_index, np.int16),
        all_weights,
        _side_by_side(joined[n_variables : len(numeric)], n_events),
        {v.label: column for v, column in zip(reading.spectators, joined[len(numeric) :], strict=True)},
    )
    counts = SampleCounts(reading.class_name, reading.cut, n_input, sum_input, n_events, float(all_weights.sum()))
    return sample, counts


def _side_by_side(columns: Sequence[npt.NDArray[Any]], n_events: int) -> npt.NDArray[np.float32]:
    table = np.empty((n_events, len(columns)), np.float32)
    for i, column in enumerate(columns):
        table[:, i] = column
    return table

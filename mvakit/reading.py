"""Reading one tree: its chunks through formulae, weight and cut, into the columns of a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mvakit.dataset import Sample, SampleCounts
from mvakit.errors import DataError
from mvakit.formula import Formula
from mvakit.progress import Messenger
from mvakit.sources import Tree, open_tree
from mvakit.variables import Variable

__all__ = ["Columns", "TreeReading", "evaluate_variables", "read_events"]

Columns = Mapping[str, Any]


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


def evaluate_variables(
    formulae: Sequence[Formula], labels: Sequence[str], columns: Columns, first_entry: int
) -> tuple[list[npt.NDArray[Any]], npt.NDArray[np.intp] | None]:
    """Evaluate formulae on a chunk, one event per entry or, where one of them is a vector, one per element.

    Returns
    -------
    values : list of ndarray
        All of the same length.
    counts : ndarray or None
        The number of events that each entry gave, where vectors were flattened.

    Raises
    ------
    DataError
        If two vectors have different lengths in an entry.
    """
    values = [
        f.evaluate(columns, first_entry=first_entry, name=label) for f, label in zip(formulae, labels, strict=True)
    ]
    jagged = [i for i, value in enumerate(values) if not (isinstance(value, np.ndarray) and value.ndim == 1)]
    if not jagged:
        return values, None
    import awkward as ak

    counts = np.asarray(ak.num(ak.Array(values[jagged[0]]), axis=1))
    for i in jagged[1:]:
        other = np.asarray(ak.num(ak.Array(values[i]), axis=1))
        if not np.array_equal(counts, other):
            entry = int(np.flatnonzero(counts != other)[0])
            raise DataError(
                f"the vectors {labels[jagged[0]]!r} and {labels[i]!r} have {counts[entry]} and {other[entry]} elements in entry "
                f"{first_entry + entry}; one event is made of each element, so their lengths have to agree"
            )
    flat = [
        np.asarray(ak.flatten(ak.Array(v), axis=1)) if i in jagged else np.repeat(v, counts)
        for i, v in enumerate(values)
    ]
    return flat, counts


def _finite(values: npt.NDArray[Any], label: str, kind: str, entries: npt.NDArray[np.intp], tree: Tree) -> None:
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        what = (
            "only values that are no finite numbers"
            if len(bad) == len(values)
            else f"{values[bad[0]]} at entry {entries[bad[0]]}"
        )
        raise DataError(
            f"the {kind} {label!r} has {what} in {tree.location} ({len(bad)} of {len(values)} events after the cut); "
            f"cut these events away, as in '{label} == {label}'"
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
    wanted = [*reading.variables, *reading.targets, *reading.spectators]
    formulae = [Formula(v.expression) for v in wanted]
    labels = [v.label for v in wanted]
    for text, label in ((reading.weight, "weight"), (reading.cut, "cut")):
        if text.strip():
            formulae.append(Formula(text))
            labels.append(f"the {label} of class {reading.class_name}")
    branches = tree.branches
    needed = list(dict.fromkeys(name for f in formulae for name in f.required(branches)))

    n_variables, n_targets = len(reading.variables), len(reading.targets)
    kept: list[list[npt.NDArray[Any]]] = []
    weights: list[npt.NDArray[np.float64]] = []
    n_input, sum_input = 0, 0.0
    for first_entry, columns in tree.chunks(needed):
        values, counts = evaluate_variables(formulae, labels, columns, first_entry)
        n_events = len(values[0])
        passed = values.pop() >= 0.5 if reading.cut.strip() else np.ones(n_events, dtype=bool)
        # TMVA keeps the product of tree weight and expression in single precision.
        weight = np.full(n_events, reading.tree_weight, np.float32)
        if reading.weight.strip():
            weight = weight * values.pop().astype(np.float32)
        n_input += n_events
        passed_weight = weight[passed].astype(np.float64)
        entries = (
            np.arange(first_entry, first_entry + n_events)
            if counts is None
            else first_entry + np.repeat(np.arange(len(counts)), counts)
        )
        entries = entries[passed]
        _finite(passed_weight, reading.weight, "weight of class " + reading.class_name, entries, tree)
        sum_input += float(np.sum(weight, dtype=np.float64, where=np.isfinite(weight)))
        chosen = [value[passed] for value in values]
        for value, label, kind in zip(
            chosen, labels, ["variable"] * n_variables + ["target"] * n_targets, strict=False
        ):
            _finite(value, label, kind, entries, tree)
        kept.append([v.astype(np.float32) if i < n_variables + n_targets else v for i, v in enumerate(chosen)])
        weights.append(passed_weight)
    columns_ = (
        [np.concatenate(parts) for parts in zip(*kept, strict=True)]
        if kept
        else [np.zeros(0, np.float32) for _ in wanted]
    )
    weight_ = np.concatenate(weights) if weights else np.zeros(0)
    n = len(weight_)
    sample = Sample(
        np.column_stack(columns_[:n_variables]) if n else np.zeros((0, n_variables), np.float32),
        np.full(n, class_index, np.int16),
        weight_,
        np.column_stack(columns_[n_variables : n_variables + n_targets])
        if n_targets and n
        else np.zeros((n, n_targets), np.float32),
        {v.label: columns_[n_variables + n_targets + i] for i, v in enumerate(reading.spectators)},
    )
    return sample, SampleCounts(reading.class_name, reading.cut, n_input, sum_input, n, float(weight_.sum()))

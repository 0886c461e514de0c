"""From trees to prepared events: read, split and mixed; in memory while they fit, beyond it in files that are found again.

The files are an entry of a `Cache` whose key says all that the events depend on: what the trees hold, the formulae, cuts
and weights, how the events are split and mixed, and the releases that did it.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mvakit.cache import Cache, DamagedError
from mvakit.columnstore import ColumnStore, Space, total
from mvakit.cuts import cut_flow_table, joined_steps
from mvakit.dataset import DataSet, Sample, SampleCounts, row_bytes
from mvakit.errors import DataError, MvakitWarning
from mvakit.evaluation.correlation import correlation_of
from mvakit.evaluation.moments import Moments, moments_by_class
from mvakit.kept import ClassInput, Prepared, facts_of, key_of, prepared_of, tree_of
from mvakit.memory import bytes_text
from mvakit.nonfinite import NonFinite, UnusableEventsError, non_finite_error
from mvakit.preparation import ClassEvents, Maker, Preparation, sample_of
from mvakit.progress import Messenger
from mvakit.reading import Evaluator, read_events
from mvakit.sources import open_tree
from mvakit.variables import Variable

__all__ = ["ClassInput", "Prepared", "class_correlation", "correlation_table", "dataset_of", "prepare_events"]

FloatArray = npt.NDArray[np.float64]


def class_correlation(train: Sample, class_index: int) -> FloatArray:
    """Return the weighted linear correlation coefficients of the variables in the events of a class.

    Raises
    ------
    DataError
        If its weights do not sum to more than zero.
    """
    blocks = ((b.X, np.where(b.class_index == class_index, 0, 1), b.weight) for b in train.blocks())
    moments = moments_by_class(blocks, train.X.shape[1], 1)[0]
    if not moments.total > 0:
        raise DataError(
            f"the weights of the {moments.count} events sum to {moments.total:.6g}; a positive sum is needed"
        )
    return correlation_of(moments.covariance)


def dataset_of(name: str, kinds: Mapping[str, Sequence[Variable]], events: Prepared) -> DataSet:
    """Return prepared events as a data set, whose variables have the ranges of the training sample.

    Parameters
    ----------
    name : str
    kinds : mapping of str to sequence of Variable
        Each ``"variable"``, ``"target"`` and ``"spectator"``.
    events : Prepared

    Raises
    ------
    DataError
        If a variable or target is constant.
    """
    classes = tuple(count.name for count in events.counts)
    variables, targets, spectators = (
        _with_ranges(kinds[kind], events.ranges[kind], kind, classes, constant_is_error=kind != "spectator")
        for kind in ("variable", "target", "spectator")
    )
    return DataSet(name, variables, spectators, targets, classes, events.train, events.test, events.counts)


def _with_ranges(
    variables: Sequence[Variable],
    ranges: FloatArray,
    kind: str,
    classes: Sequence[str],
    *,
    constant_is_error: bool,
) -> tuple[Variable, ...]:
    """Give the variables the ranges that they have in the training sample."""
    ranged = []
    for variable, (low, high) in zip(variables, ranges.tolist(), strict=True):
        if low == high and constant_is_error:
            masks = "_there_" in variable.label and variable.expression.startswith("Length$(")
            out = "leave it out" + (", naming the elements that need one: mask=[1, 2]" if masks else "")
            raise DataError(
                f"the {kind} {variable.label!r} ({variable.expression}) is constant: it is {low:g} in every training "
                f"event of {' and '.join(classes)}; {out}"
            )
        ranged.append(dataclasses.replace(variable, minimum=low, maximum=high))
    return tuple(ranged)


def correlation_table(labels: Sequence[str], matrix: FloatArray) -> str:
    """Return a matrix of correlation coefficients as TMVA prints it."""
    width = max(7, *(len(label) for label in labels))
    rule = "-" * (width + 1 + (width + 1) * len(labels))
    lines = [rule, " " * (width + 1) + " ".join(f"{label:>{width}}" for label in labels)]
    lines += [
        f"{label:>{width}}:" + " ".join(f"{value:>+{width}.3f}" for value in row)
        for label, row in zip(labels, matrix, strict=True)
    ]
    return "\n".join([*lines, rule])


def prepare_events(classes: Sequence[ClassInput], preparation: Preparation, space: Space, log: Messenger) -> Prepared:
    """Read, split, renormalise and mix the events of all classes, or find what an earlier run made of them.

    Parameters
    ----------
    classes : sequence of ClassInput
    preparation : Preparation
    space : Space
        The memory that events may take, and the folder of files beyond it, which is that of the cache.
    log : Messenger

    Raises
    ------
    SourceError, FormulaError
        If a file, tree or branch is missing or a formula does not parse.
    UnusableEventsError
        If a class is empty after its cut, a value is no finite number, or there are too few events; it has what was
        counted.
    OutputError
        If the events are larger than memory and the folder cannot take them.
    """
    classes = [_opened(item) for item in classes]
    cache = Cache(space.folder)
    # What the time has shuffled is never found again.
    job = _Job(classes, preparation, space, cache if preparation.values["SplitSeed"] else None, log)
    made = job.find() if len(cache) and _may_exceed(classes, space) else None
    if made is None:
        made = job.make()
    log.info("Number of training and testing events after rescaling:\n" + _split_table(made.counts))
    return made


class _Job:
    """One preparation: what goes in, and where it may have been kept."""

    def __init__(
        self,
        classes: Sequence[ClassInput],
        preparation: Preparation,
        space: Space,
        cache: Cache | None,
        log: Messenger,
    ) -> None:
        self.classes, self.preparation, self.space, self.cache, self.log = classes, preparation, space, cache, log

    @property
    def correlated(self) -> bool:
        """Whether somebody wants to see the correlations; events in files may be found by those who do."""
        return bool(self.preparation.values["Correlations"] and self.preparation.values["CalcCorrelations"])

    @cached_property
    def key(self) -> str:
        """A digest of all that the events depend on."""
        return key_of(self.classes, self.preparation)

    def find(self) -> Prepared | None:
        """Return what an earlier run made of the same events, if it is there and whole."""
        if self.cache is None:
            return None
        try:
            entry = self.cache.find(self.key)
            if entry is None:
                return None
            found = prepared_of(entry, self.classes, self.space)
        except DamagedError as error:
            self.log.warning(f"events that were prepared before are prepared again: {error}")
            return None
        self.log.info(f"Take the events as they were prepared before, from {entry.path}")
        for note in found.notes:
            warnings.warn(note, MvakitWarning, stacklevel=2)
        self._say_counts(found.counts, found.negative)
        self.log.info(self.preparation.norm_mode)
        self._say_factors(found.counts)
        return found

    def make(self) -> Prepared:
        """Read the events and make the samples of them."""
        with ColumnStore(self.space) as store:
            read = [_read(item, index, store, self.log) for index, item in enumerate(self.classes)]
        events = [of_class.events for of_class in read]
        negative = tuple(of_class.negative for of_class in read)
        notes = tuple(note for of_class in read for note in of_class.notes)
        non_finite = tuple(row for of_class in read for row in of_class.non_finite)
        counted = tuple(e.counts for e in events)
        _require_usable(counted, non_finite)
        self._say_counts(counted, negative)

        def split(make: Maker | None = None, space: Space | None = None) -> Prepared:
            try:
                train, test, counts = self.preparation(events, self.log, make, space)
            except DataError as error:
                raise UnusableEventsError(str(error), counted, non_finite) from None
            ranges, covariances = _measure(train, len(events), covariances=space is not None or self.correlated)
            return Prepared(train, test, counts, ranges, covariances, negative, notes, non_finite)

        if not store.mapped:
            made = split()
        else:
            size = sum(len(part) * _row(part) for e in events for part in e.parts)
            self.log.info(
                f"The events take {bytes_text(size)}, more than half of {bytes_text(self.space.limit)} (MaxMemory): "
                f"they go to files in {self.space.folder} (CacheDir)"
            )
            if self.cache is None:
                made = split(lambda _, shape, dtype: self.space.empty(shape, dtype), self.space)
            else:
                with self.cache.new(self.key, size) as entry:
                    made = split(entry.make, self.space)
                    labels = list(made.train.spectators)
                    kept = entry.keep(facts_of(made)).columns
                train, test = (sample_of(kept, purpose, labels, self.space) for purpose in ("train", "test"))
                made = dataclasses.replace(made, train=train, test=test)
        self._say_factors(made.counts)
        return made

    def _say_counts(self, counts: Sequence[SampleCounts], negative: Sequence[int]) -> None:
        log, width = self.log, max(len(c.name) for c in counts)
        log.info("Number of events in input trees (after possible flattening of arrays):")
        for c in counts:
            log.info(
                f"    {c.name:<{width}}      -- number of events       : {c.n_input:<6} / sum of weights: {c.sum_input:g}"
            )
        if any(c.cut for c in counts):
            scaled = "WILL" if self.preparation.values["ScaleWithPreselEff"] else "will NOT"
            log.info(f"Preselection: ({scaled} affect number of requested training and testing events)")
            for c in counts:
                log.info(f'    {c.name:<{width}} requirement: "{c.cut}"')
                log.info(
                    f"    {c.name:<{width}}      -- number of events passed: {c.n_passed:<6} / sum of weights: {c.sum_passed:g}"
                )
                log.info(f"    {c.name:<{width}}      -- efficiency             : {c.efficiency:g}")
        for c in counts:
            if len(c.cut_flow) > 1:
                log.info(str(cut_flow_table(c)))
        for c, below in zip(counts, negative, strict=True):
            if below:
                log.warning(
                    f"{below} events of class {c.name} have negative weights; see the option IgnoreNegWeightsInTraining"
                )

    def _say_factors(self, counts: Sequence[SampleCounts]) -> None:
        width = max(len(c.name) for c in counts)
        for c in counts:
            self.log.info(f"--> Rescale {c.name:<{width}} training event weights by factor: {c.rescale:g}")


# ---------------------------------------------------------------------------------------------------- reading


def _opened(item: ClassInput) -> ClassInput:
    """Open the trees of a class, once for all that is to be known of them."""
    trees = ((dataclasses.replace(reading, source=open_tree(reading.source)), p) for reading, p in item.trees)
    return dataclasses.replace(item, trees=tuple(trees))


def _row(sample: Sample) -> int:
    return row_bytes([sample.X, sample.class_index, sample.weight, sample.targets, *sample.spectators.values()])


def _may_exceed(classes: Sequence[ClassInput], space: Space) -> bool:
    """Whether the events could be more than memory is to hold, before any of them is read."""
    size = 0.0
    for item in classes:
        for reading, _ in item.trees:
            tree = tree_of(reading)
            wanted = reading.wanted(reading.selection())
            if any(tree.column_type(name).shape for name in Evaluator(tree, wanted).needed):
                return True  # an entry may have any number of elements, and be as many events
            numbers = len(reading.variables) + len(reading.targets) + 2 * len(reading.spectators)
            size += tree.num_entries * (4 * numbers + 8)
    return size > ColumnStore(space).limit


@dataclass(frozen=True, slots=True)
class _ClassRead:
    """The events of a class, how many of them have negative weights, and what was said and found in reading them."""

    events: ClassEvents
    negative: int
    notes: tuple[str, ...]
    non_finite: tuple[NonFinite, ...]


def _read(item: ClassInput, index: int, store: ColumnStore, log: Messenger) -> _ClassRead:
    """Read the trees of a class."""
    found = [read_events(reading, index, log, store) for reading, _ in item.trees]
    single = [sample for sample, _ in item.events]
    if not found and not single:
        raise DataError(f"class {item.name!r} has no trees")
    sums = [total(sample.weight) for sample in single]
    counts = SampleCounts(
        item.name,
        item.cut,
        sum(f.counts.n_input for f in found) + sum(len(sample) for sample in single),
        sum(f.counts.sum_input for f in found) + sum(sums),
        sum(f.counts.n_passed for f in found) + sum(len(sample) for sample in single),
        sum(f.counts.sum_passed for f in found) + sum(sums),
        cut_flow=joined_steps(
            [(reading.tree_cut, f.counts.cut_flow) for (reading, _), f in zip(item.trees, found, strict=True)]
        ),
    )
    purposes = tuple(purpose for _, purpose in (*item.trees, *item.events))
    negative = sum(f.negative for f in found) + sum(int((sample.weight < 0).sum()) for sample in single)
    notes = tuple(note for f in found for note in f.notes)
    non_finite = (*(row for f in found for row in f.non_finite), *item.non_finite)
    return _ClassRead(ClassEvents((*(f.sample for f in found), *single), purposes, counts), negative, notes, non_finite)


def _require_usable(counts: tuple[SampleCounts, ...], non_finite: tuple[NonFinite, ...]) -> None:
    """Refuse events that no method can be trained on."""
    for c in counts:
        if not c.n_passed:
            said = f"class {c.name!r} is empty: its trees have no entries"
            if c.n_input:
                cut = c.cut or " or ".join(step.cut for step in c.cut_flow)
                said = f"class {c.name!r} is empty: none of its {c.n_input} events passed the cut {cut!r}"
            for step in c.cut_flow[1:]:
                if step.n_before and not step.n_after:
                    said += f"; of {step.n_before} events that came to {step.cut!r} none is left"
            raise UnusableEventsError(said, counts, non_finite)
    if any(row.refused for row in non_finite):
        raise UnusableEventsError(non_finite_error(non_finite), counts, non_finite)


def _measure(
    train: Sample, n_classes: int, *, covariances: bool
) -> tuple[dict[str, FloatArray], tuple[FloatArray, ...]]:
    """Return the ranges of all values in training and, if wanted, the covariances of each class, in one pass."""
    widths = {"variable": train.X.shape[1], "target": train.targets.shape[1], "spectator": len(train.spectators)}
    ranges = {kind: np.tile([np.inf, -np.inf], (count, 1)) for kind, count in widths.items()}

    def blocks() -> Iterator[tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]]:
        for block in train.blocks():
            for kind, table in (("target", block.targets), ("variable", block.X[:, :0] if covariances else block.X)):
                if table.size:
                    ends = ranges[kind]
                    ends[:, 0] = np.minimum(ends[:, 0], table.min(axis=0))
                    ends[:, 1] = np.maximum(ends[:, 1], table.max(axis=0))
            for ends, column in zip(ranges["spectator"], block.spectators.values(), strict=True):
                ends[:] = np.minimum(ends[0], column.min()), np.maximum(ends[1], column.max())
            yield block.X, block.class_index, block.weight

    if not covariances:
        deque(blocks(), maxlen=0)
        return ranges, ()
    found = moments_by_class(blocks(), train.X.shape[1], n_classes)
    every = Moments.joined(found)
    ranges["variable"] = np.column_stack([every.minimum, every.maximum])
    undefined = np.full((train.X.shape[1],) * 2, np.nan)
    return ranges, tuple(m.covariance if m.total > 0 else undefined for m in found)


def _split_table(counts: Sequence[SampleCounts]) -> str:
    width = max(len(c.name) for c in counts)
    lines = ["-" * 75]
    for c in counts:
        rows = (
            ("training events", c.n_train, c.sum_train, f", effective number: {c.effective_train:.6g}"),
            ("testing events", c.n_test, c.sum_test, f", effective number: {c.effective_test:.6g}"),
            ("training and testing events", c.n_train + c.n_test, c.sum_train + c.sum_test, ""),
        )
        lines += [
            f"{c.name:<{width}} -- {what:<27}: {n:<6} (sum of weights: {total:g}{more})"
            for what, n, total, more in rows
        ]
    return "\n".join(lines)

"""From trees to prepared events: read, split and mixed; in memory while they fit, beyond it in files that are found again.

The files are an entry of a `Cache` whose key says all that the events depend on: what the trees hold, the formulae, cuts
and weights, how the events are split and mixed, and the releases that did it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.cache import Cache, DamagedError, Entry
from mvakit.columnstore import ColumnStore, Space, total
from mvakit.dataset import Sample, SampleCounts, row_bytes
from mvakit.errors import DataError, MvakitWarning
from mvakit.evaluation.correlation import correlation_of
from mvakit.evaluation.moments import Moments, moments_by_class
from mvakit.memory import bytes_text
from mvakit.preparation import ClassEvents, Maker, Preparation, sample_of
from mvakit.progress import Messenger
from mvakit.reading import Evaluator, TreeReading, read_events
from mvakit.sources import Tree, open_tree

__all__ = ["ClassInput", "Prepared", "class_correlation", "prepare_events"]

FloatArray = npt.NDArray[np.float64]

_FORMAT: Final = 1
_ONLY_SAID: Final = frozenset({"V", "VerboseLevel", "Correlations", "CalcCorrelations"})
"""Options that change nothing in the events."""


@dataclass(frozen=True, slots=True)
class ClassInput:
    """What a class is made of.

    Attributes
    ----------
    name, cut : str
    trees : tuple of (TreeReading, int)
        With what each tree is for: 0 training, 1 test, 2 either.
    events : tuple of (Sample, int)
        Events that were added one by one, likewise.
    """

    name: str
    cut: str
    trees: tuple[tuple[TreeReading, int], ...]
    events: tuple[tuple[Sample, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """The events of a DataLoader and what was noted of them.

    Attributes
    ----------
    train, test : Sample
    counts : tuple of SampleCounts
    ranges : mapping of str to ndarray, shape (n, 2)
        The smallest and the largest value of every ``"variable"``, ``"target"`` and ``"spectator"`` in training.
    covariances : tuple of ndarray
        Of the variables in the training events of each class, if they were asked for; not numbers where the weights do not
        sum to more than zero.
    negative : tuple of int
        How many events of each class have negative weights.
    notes : tuple of str
        The warnings of their reading.
    """

    train: Sample
    test: Sample
    counts: tuple[SampleCounts, ...]
    ranges: Mapping[str, FloatArray]
    covariances: tuple[FloatArray, ...]
    negative: tuple[int, ...]
    notes: tuple[str, ...] = ()

    def correlation(self, class_index: int) -> FloatArray:
        """Return the linear correlation coefficients of the variables in the training events of a class.

        Raises
        ------
        DataError
            If its weights do not sum to more than zero.
        """
        covariance = self.covariances[class_index]
        if np.isnan(covariance).any():
            count = self.counts[class_index]
            raise DataError(
                f"the training weights of class {count.name!r} sum to {count.sum_train:.6g}; a positive sum is needed "
                "for the correlations of its variables"
            )
        return correlation_of(covariance)


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
    DataError
        If a class is empty after its cut, a value is no finite number, or there are too few events.
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
        """A digest of all that the events depend on; of trees in memory it takes a pass over them."""
        told = {
            "format": _FORMAT,
            "releases": [_release("mvakit"), np.__version__],
            "options": {k: v for k, v in self.preparation.values.items() if k not in _ONLY_SAID},
            "classes": [_told(item) for item in self.classes],
        }
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def find(self) -> Prepared | None:
        """Return what an earlier run made of the same events, if it is there and whole."""
        if self.cache is None:
            return None
        try:
            entry = self.cache.find(self.key)
            if entry is None:
                return None
            found = _prepared(entry, self.classes, self.space)
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
        self._say_counts([e.counts for e in events], negative)

        def split(make: Maker | None = None, space: Space | None = None) -> Prepared:
            train, test, counts = self.preparation(events, self.log, make, space)
            ranges, covariances = _measure(train, len(events), covariances=space is not None or self.correlated)
            return Prepared(train, test, counts, ranges, covariances, negative, notes)

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
                    kept = entry.keep(_facts(made)).columns
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


def _tree(reading: TreeReading) -> Tree:
    assert isinstance(reading.source, Tree)  # see _opened
    return reading.source


def _row(sample: Sample) -> int:
    return row_bytes([sample.X, sample.class_index, sample.weight, sample.targets, *sample.spectators.values()])


def _may_exceed(classes: Sequence[ClassInput], space: Space) -> bool:
    """Whether the events could be more than memory is to hold, before any of them is read."""
    size = 0.0
    for item in classes:
        for reading, _ in item.trees:
            tree = _tree(reading)
            if any(tree.column_type(name).shape for name in Evaluator(tree, reading.wanted()).needed):
                return True  # an entry may have any number of elements, and be as many events
            numbers = len(reading.variables) + len(reading.targets) + 2 * len(reading.spectators)
            size += tree.num_entries * (4 * numbers + 8)
    return size > ColumnStore(space).limit


@dataclass(frozen=True, slots=True)
class _ClassRead:
    """The events of a class, how many of them have negative weights, and what was said in reading them."""

    events: ClassEvents
    negative: int
    notes: tuple[str, ...]


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
    )
    if not counts.n_passed:
        raise DataError(
            f"class {item.name!r} is empty: none of its {counts.n_input} events passed the cut {item.cut!r}"
            if counts.n_input
            else f"class {item.name!r} is empty: its trees have no entries"
        )
    purposes = tuple(purpose for _, purpose in (*item.trees, *item.events))
    negative = sum(f.negative for f in found) + sum(int((sample.weight < 0).sum()) for sample in single)
    notes = tuple(note for f in found for note in f.notes)
    return _ClassRead(ClassEvents((*(f.sample for f in found), *single), purposes, counts), negative, notes)


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


# -------------------------------------------------------------------------------------------- keeping and finding


def _release(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _told(item: ClassInput) -> dict[str, Any]:
    """Say what the events of a class depend on."""
    trees = []
    for reading, purpose in item.trees:
        values = {
            kind: [[v.label, v.expression] for v in variables]
            for kind, variables in (
                ("variables", reading.variables),
                ("targets", reading.targets),
                ("spectators", reading.spectators),
            )
        }
        one = {"tree": _tree(reading).fingerprint(), "purpose": purpose, "tree weight": reading.tree_weight.hex()}
        trees.append({**values, **one, "weight": reading.weight, "cut": reading.cut})
    events = []
    for sample, purpose in item.events:
        digest = hashlib.sha256(repr([sample.X.shape, sample.targets.shape, *sample.spectators]).encode())
        for column in (sample.X, sample.weight, sample.targets, *sample.spectators.values()):
            digest.update(np.ascontiguousarray(column).tobytes())
        events.append([digest.hexdigest(), purpose])
    return {"name": item.name, "cut": item.cut, "trees": trees, "events": events}


def _facts(made: Prepared) -> dict[str, Any]:
    return {
        "counts": [dataclasses.asdict(count) for count in made.counts],
        "ranges": {kind: ranges.tolist() for kind, ranges in made.ranges.items()},
        "covariances": [matrix.tolist() for matrix in made.covariances],
        "negative": list(made.negative),
        "notes": list(made.notes),
    }


def _prepared(entry: Entry, classes: Sequence[ClassInput], space: Space) -> Prepared:
    """Return what an entry holds.

    Raises
    ------
    DamagedError
        If that is not what these classes would come to.
    """
    facts = entry.facts
    item = classes[0]
    if item.trees:
        reading = item.trees[0][0]
        variables, targets = len(reading.variables), len(reading.targets)
        labels = [v.label for v in reading.spectators]
    else:
        sample = item.events[0][0]
        variables, targets, labels = sample.X.shape[1], sample.targets.shape[1], list(sample.spectators)
    try:
        counts = tuple(SampleCounts(**{n: _FIELDS[n](v) for n, v in told.items()}) for told in facts["counts"])
        widths = {"variable": variables, "target": targets, "spectator": len(labels)}
        ranges = {k: np.array(facts["ranges"][k], np.float64).reshape(n, 2) for k, n in widths.items()}
        square = (len(classes), variables, variables)
        covariances = tuple(np.array(facts["covariances"], np.float64).reshape(square))
        negative = tuple(int(count) for count in facts["negative"])
        notes = tuple(str(note) for note in facts["notes"])
        train, test = (sample_of(entry.columns, purpose, labels, space) for purpose in ("train", "test"))
        for sample, length in ((train, sum(c.n_train for c in counts)), (test, sum(c.n_test for c in counts))):
            _check(sample, length, variables, targets, len(classes))
        if [c.name for c in counts] != [c.name for c in classes] or len(negative) != len(classes):
            raise ValueError("it has other classes")
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise DamagedError(f"{entry.path} does not hold what it should: {error}") from None
    return Prepared(train, test, counts, ranges, covariances, negative, notes)


_FIELDS: Final[dict[str, Callable[[Any], Any]]] = {
    f.name: {"str": str, "int": int, "float": float}[str(f.type)] for f in dataclasses.fields(SampleCounts)
}


def _check(sample: Sample, length: int, variables: int, targets: int, n_classes: int) -> None:
    """Refuse columns that no preparation makes.

    Raises
    ------
    ValueError
        Saying what is wrong.
    """
    for column, dtype, shape in (
        (sample.X, np.float32, (length, variables)),
        (sample.class_index, np.int16, (length,)),
        (sample.weight, np.float64, (length,)),
        (sample.targets, np.float32, (length, targets)),
        *((column, column.dtype, (length,)) for column in sample.spectators.values()),
    ):
        if column.dtype != dtype or column.shape != shape:
            raise ValueError(f"a column of {column.dtype} has the shape {column.shape}, not {shape}")
    if length and not 0 <= int(sample.class_index.min()) <= int(sample.class_index.max()) < n_classes:
        raise ValueError("there are events of no class")


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

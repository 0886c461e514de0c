"""Prepared events as an entry of a cache keeps them: what they depend on, what is noted with them, and what is found again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.cache import DamagedError, Entry
from mvakit.columnstore import Space
from mvakit.dataset import CutStep, Sample, SampleCounts
from mvakit.errors import DataError
from mvakit.evaluation.correlation import correlation_of
from mvakit.nonfinite import NonFinite
from mvakit.preparation import Preparation, sample_of
from mvakit.reading import TreeReading
from mvakit.sources import Tree

__all__ = ["ClassInput", "Prepared", "facts_of", "key_of", "prepared_of", "tree_of"]

FloatArray = npt.NDArray[np.float64]

_FORMAT: Final = 2
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
    non_finite : tuple of NonFinite
        Which values of these are no finite numbers.
    """

    name: str
    cut: str
    trees: tuple[tuple[TreeReading, int], ...]
    events: tuple[tuple[Sample, int], ...] = ()
    non_finite: tuple[NonFinite, ...] = ()


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
    non_finite : tuple of NonFinite
        Where spectators are no finite numbers; nothing else may be.
    """

    train: Sample
    test: Sample
    counts: tuple[SampleCounts, ...]
    ranges: Mapping[str, FloatArray]
    covariances: tuple[FloatArray, ...]
    negative: tuple[int, ...]
    notes: tuple[str, ...] = ()
    non_finite: tuple[NonFinite, ...] = ()

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


def tree_of(reading: TreeReading) -> Tree:
    """Return the tree of a reading, which has been opened."""
    assert isinstance(reading.source, Tree)
    return reading.source


def key_of(classes: Sequence[ClassInput], preparation: Preparation) -> str:
    """Return a digest of all that prepared events depend on; of trees in memory it takes a pass over them."""
    told = {
        "format": _FORMAT,
        "releases": [_release("mvakit"), np.__version__],
        "options": {k: v for k, v in preparation.values.items() if k not in _ONLY_SAID},
        "classes": [_told(item) for item in classes],
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


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
        one = {"tree": tree_of(reading).fingerprint(), "purpose": purpose, "tree weight": reading.tree_weight.hex()}
        trees.append({**values, **one, "weight": reading.weight, "cut": [reading.tree_cut, reading.cut]})
    events = []
    for sample, purpose in item.events:
        digest = hashlib.sha256(repr([sample.X.shape, sample.targets.shape, *sample.spectators]).encode())
        for column in (sample.X, sample.weight, sample.targets, *sample.spectators.values()):
            digest.update(np.ascontiguousarray(column).tobytes())
        events.append([digest.hexdigest(), purpose])
    return {"name": item.name, "cut": item.cut, "trees": trees, "events": events}


def facts_of(made: Prepared) -> dict[str, Any]:
    """Return what is to be noted with the columns of prepared events."""
    return {
        "counts": [dataclasses.asdict(count) for count in made.counts],
        "ranges": {kind: ranges.tolist() for kind, ranges in made.ranges.items()},
        "covariances": [matrix.tolist() for matrix in made.covariances],
        "negative": list(made.negative),
        "notes": list(made.notes),
        "non_finite": [dataclasses.asdict(row) for row in made.non_finite],
    }


def prepared_of(entry: Entry, classes: Sequence[ClassInput], space: Space) -> Prepared:
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
        counts = tuple(_counts(told) for told in facts["counts"])
        widths = {"variable": variables, "target": targets, "spectator": len(labels)}
        ranges = {k: np.array(facts["ranges"][k], np.float64).reshape(n, 2) for k, n in widths.items()}
        square = (len(classes), variables, variables)
        covariances = tuple(np.array(facts["covariances"], np.float64).reshape(square))
        negative = tuple(int(count) for count in facts["negative"])
        notes = tuple(str(note) for note in facts["notes"])
        non_finite = tuple(NonFinite(**_typed(NonFinite, told)) for told in facts["non_finite"])
        train, test = (sample_of(entry.columns, purpose, labels, space) for purpose in ("train", "test"))
        for sample, length in ((train, sum(c.n_train for c in counts)), (test, sum(c.n_test for c in counts))):
            _check(sample, length, variables, targets, len(classes))
        if [c.name for c in counts] != [c.name for c in classes] or len(negative) != len(classes):
            raise ValueError("it has other classes")
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise DamagedError(f"{entry.path} does not hold what it should: {error}") from None
    return Prepared(train, test, counts, ranges, covariances, negative, notes, non_finite)


def _counts(told: Mapping[str, Any]) -> SampleCounts:
    steps = tuple(CutStep(**_typed(CutStep, step)) for step in told["cut_flow"])
    others = {name: value for name, value in told.items() if name != "cut_flow"}
    return SampleCounts(**_typed(SampleCounts, others), cut_flow=steps)


_PLAIN: Final[dict[str, Callable[[Any], Any]]] = {"str": str, "int": int, "float": float}


def _typed(kind: type[Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a dataclass that are noted, each in its own type."""
    types = {f.name: str(f.type) for f in dataclasses.fields(kind)}
    return {name: _PLAIN[types[name]](value) for name, value in told.items()}


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

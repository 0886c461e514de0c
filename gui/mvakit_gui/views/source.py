"""A dataset of a result file as the views see it: typed values by method, each read when it is asked for."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

from mvakit.errors import MvakitError, ResultFileError
from mvakit.evaluation import MulticlassSample, TwoClassSample
from mvakit.model import Model
from mvakit.resultfile import Histogram, MethodEntry, ResultDataset, ResultFile

__all__ = ["LETTERS", "Source", "gather", "listed"]

T = TypeVar("T")
FloatArray = npt.NDArray[np.float64]

# What the two classes are called in the names of histograms.
LETTERS: Final = {"Signal": "S", "Background": "B"}
_KEPT_MODELS: Final = 3


@dataclass(frozen=True, eq=False)
class Source:
    """A dataset of a result file.

    Attributes
    ----------
    dataset : ResultDataset
    label : str
        What tells it from other files that are drawn over it; may be empty where it is alone.
    weight_file : callable
        Returns the path of a method's weight file by the method's title, or None where it is not found.
    """

    dataset: ResultDataset
    label: str = ""
    weight_file: Callable[[str], Path | None] = field(default=lambda title: None, repr=False)  # noqa: ARG005

    @classmethod
    def of(cls, file: ResultFile, name: str | None = None, label: str = "") -> Source:
        """Return a dataset of a file; weight files are looked for where the file says, seen from its own folder.

        Raises
        ------
        ResultFileError
            If there is no such dataset.
        """
        dataset = file.dataset(name)
        return cls(dataset, label, functools.partial(find_weight_file, dataset, file.path.resolve().parent))

    def shown(self, title: str) -> str:
        """Return what a method is called in charts."""
        return f"{self.label}: {title}" if self.label else title

    # ------------------------------------------------------------------------------------------ names

    @functools.cached_property
    def _names(self) -> dict[str, frozenset[str]]:
        return {m.title: frozenset(self.dataset.method_names(m.title)) for m in self.dataset.methods}

    def has(self, title: str, *names: str) -> bool:
        """Return whether a method's directory holds all these."""
        return self._names[title].issuperset(names)

    def names(self, title: str) -> frozenset[str]:
        """Return the names of all that a method's directory holds."""
        return self._names[title]

    def having(self, *patterns: str) -> list[MethodEntry]:
        """Return the methods with all these histograms, ``{}`` standing for the title: ``"MVA_{}_S"``."""
        return [m for m in self.dataset.methods if self.has(m.title, *(p.format(m.title) for p in patterns))]

    def branches(self, which: str) -> tuple[str, ...]:
        """Return the names of a tree's branches; of none if there is no such tree."""
        return self._branches.get(which, ())

    @functools.cached_property
    def _branches(self) -> dict[str, tuple[str, ...]]:
        found = {}
        for which in ("TestTree", "TrainTree"):
            try:
                found[which] = tuple(self.dataset.tree(which))
            except ResultFileError:
                continue
        return found

    def has_events(self, title: str, which: str = "TestTree") -> bool:
        """Return whether a tree holds a method's responses, with classes and weights."""
        return {title, "classID", "weight"} <= set(self.branches(which))

    # ------------------------------------------------------------------------------------------ values

    def histogram(self, title: str, name: str) -> Histogram:
        """Return a histogram of a method.

        Raises
        ------
        ResultFileError
            If it has none of this name.
        """
        found = self.dataset.method_histogram(title, name)
        if found is None:
            raise ResultFileError(f"{title} of dataset {self.dataset.name!r} has no histogram {name!r}")
        return found

    def pair(self, title: str, middle: str = "") -> dict[str, Histogram]:
        """Return two histograms ``MVA_<title>_<middle>S`` and ``...B`` of a method, by class."""
        return {name: self.histogram(title, f"MVA_{title}_{middle}{letter}") for name, letter in LETTERS.items()}

    def two_classes(self, title: str, which: str = "TestTree") -> TwoClassSample:
        """Return a classifier's responses to the events of a tree.

        Raises
        ------
        MvakitError
            If there are none, or they cannot be compared.
        """
        scores, class_index, weight = self.dataset.responses(title, which)
        classes = self.dataset.classes
        signal = classes.index("Signal") if "Signal" in classes else 0
        return TwoClassSample.from_arrays(
            scores, class_index == signal, weight, what=f"responses of {title} in {which}"
        )

    def many_classes(self, title: str, which: str = "TestTree") -> MulticlassSample:
        """Return a multiclass method's responses to the events of a tree.

        Raises
        ------
        MvakitError
            If there are none, or they do not belong to the classes.
        """
        scores, class_index, weight = self.dataset.responses(title, which)
        return MulticlassSample.from_arrays(
            scores, class_index, weight, classes=self.dataset.classes, what=f"responses of {title} in {which}"
        )

    # ------------------------------------------------------------------------------------------ models

    @functools.cached_property
    def model(self) -> Callable[[str], Model]:
        """A function that returns the model of a method, from its weight file; the last few are kept."""
        return functools.lru_cache(maxsize=_KEPT_MODELS)(self._model)

    def _model(self, title: str) -> Model:
        path = self.weight_file(title)
        if path is None:
            raise ResultFileError(f"the weight file of {title} is not there: {self.where(title)}")
        return Model.load(path)

    def where(self, title: str) -> str:
        """Return what the file says of where a method's weight file lies."""
        try:
            name = self.dataset.method_text(title, "WeightFileName")
        except MvakitError:
            name = None
        return f"the result file names {name!r}" if name else "the result file names none"


def find_weight_file(dataset: ResultDataset, folder: Path, title: str) -> Path | None:
    """Return the weight file that a result file names, seen from the folder of the result file.

    The two may have been moved together: what counts is the end of the path, from the longest that exists to the
    file's own name, and the folder ``weights``. A name that climbs out with ``..``, or is no ``.xml``, is not followed.
    """
    told = dataset.method_text(title, "WeightFileName") or ""
    parts = [part for part in PurePosixPath(told.replace("\\", "/")).parts if part not in {"/", "."}]
    if not parts or ".." in parts or not re.fullmatch(r".*\.xml", parts[-1]):
        return None
    candidates = [Path(told)] if Path(told).is_absolute() else []
    candidates += [folder.joinpath(*parts[start:]) for start in range(len(parts))]
    candidates.append(folder / "weights" / parts[-1])
    for candidate in candidates:
        try:
            if candidate.is_file():
                return candidate
        except (OSError, ValueError):  # a name that no file can have
            continue
    return None


def gather(there: Sequence[tuple[Source, str]], make: Callable[[Source, str], T]) -> tuple[list[T], list[str]]:
    """Make something of every method that it can be made of; of the others return why not.

    Raises
    ------
    MvakitError
        If it can be made of none.
    """
    found: list[T] = []
    notes: list[str] = []
    failed: MvakitError | None = None
    for source, title in there:
        try:
            found.append(make(source, title))
        except MvakitError as error:
            failed = error
            notes.append(f"{source.shown(title)} is not drawn: {error}")
    if failed is not None and not found:
        raise failed
    return found, notes


def listed(names: Sequence[str], most: int = 4) -> str:
    """Return names in a sentence, the first few of many."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown

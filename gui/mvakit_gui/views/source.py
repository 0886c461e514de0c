"""A dataset of a result file as the views see it: typed values by method, each read when it is asked for."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError, MvakitError, ResultFileError
from mvakit.evaluation import (
    CutScan,
    MulticlassSample,
    TwoClassSample,
    cut_scan,
    cut_scan_of_efficiencies,
    roc_curve_of,
)
from mvakit.evaluation.efficiency import roc_integral
from mvakit.resultfile import Histogram, MethodEntry, ResultDataset, ResultFile
from mvakit_gui.figures import RocLine

if TYPE_CHECKING:
    from mvakit.model import Model

__all__ = ["LETTERS", "Source", "gather", "in_several", "listed"]

T = TypeVar("T")
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# What the two classes are called in the names of histograms.
LETTERS: Final = {"Signal": "S", "Background": "B"}
_KEPT_MODELS: Final = 3
# Curves that are kept, some hundred kilobytes each, and cuts of each scan.
_KEPT_CURVES: Final = 64
_KEPT_CUTS: Final = 3000
# As many methods are measured at once as there are cores; more add memory, but no speed.
_MOST_THREADS: Final = 4


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
        is_signal, _, weight = self._labels(which)
        scores = self.dataset.scores(title, which)
        return TwoClassSample.from_arrays(scores, is_signal, weight, what=f"responses of {title} in {which}")

    def many_classes(self, title: str, which: str = "TestTree") -> MulticlassSample:
        """Return a multiclass method's responses to the events of a tree.

        Raises
        ------
        MvakitError
            If there are none, or they do not belong to the classes.
        """
        _, class_index, weight = self._labels(which)
        scores = self.dataset.scores(title, which)
        return MulticlassSample.from_arrays(
            scores, class_index, weight, classes=self.dataset.classes, what=f"responses of {title} in {which}"
        )

    @functools.cached_property
    def _labels(self) -> Callable[[str], tuple[BoolArray, npt.NDArray[np.int64], FloatArray]]:
        """A function that returns whether each event of a tree is signal, its class and its weight."""
        return functools.lru_cache(maxsize=2)(self._read_labels)

    def _read_labels(self, which: str) -> tuple[BoolArray, npt.NDArray[np.int64], FloatArray]:
        class_index, weight = self.dataset.labels(which)
        classes = self.dataset.classes
        return class_index == (classes.index("Signal") if "Signal" in classes else 0), class_index, weight

    # ------------------------------------------------------------------------------------------ what is measured

    @functools.cached_property
    def line(self) -> Callable[[str], RocLine]:
        """A function that returns the ROC curve of a classifier; the last ones are kept. See `_line`."""
        return functools.lru_cache(maxsize=_KEPT_CURVES)(self._line)

    def _line(self, title: str) -> RocLine:
        """Measure it on the events where there are any, else take it from TMVA's histogram.

        Raises
        ------
        MvakitError
            If there is neither, or the events cannot make one.
        """
        # A method without distributions of its response (Cuts) keeps in the tree its answer to one cut only.
        if self.has_events(title) and self.has(title, f"MVA_{title}_S"):
            sample = self.two_classes(title)
            side = sample.orientation
            curve = roc_curve_of(sample, orientation=side)
            del sample
            training = None
            if self.has_events(title, "TrainTree"):
                training = roc_curve_of(self.two_classes(title, "TrainTree"), orientation=side)
            return RocLine.of(self.shown(title), curve, training)
        test = self.histogram(title, f"MVA_{title}_effBvsS")
        name = f"MVA_{title}_trainingEffBvsS"
        trained = self.histogram(title, name) if self.has(title, name) else None
        return RocLine(
            self.shown(title), test.centers, test.values, roc_integral(test.values),
            training=None if trained is None else (trained.centers, trained.values),
        )  # fmt: skip

    @functools.cached_property
    def scan(self) -> Callable[[str], CutScan]:
        """A function that returns up to 3000 cuts on a response, for 1000 events of each class; the last ones are kept.

        They are measured on the events in TestTree, else taken from TMVA's histograms of efficiencies.
        """
        return functools.lru_cache(maxsize=_KEPT_CURVES)(self._scan)

    def _scan(self, title: str) -> CutScan:
        if self.has_events(title):
            return cut_scan(self.two_classes(title), most=_KEPT_CUTS)
        found = self.pair(title, "eff")
        signal, background = found["Signal"], found["Background"]
        if len(signal.edges) != len(background.edges) or not np.allclose(signal.edges, background.edges):
            raise DataError(f"{title}: the efficiencies of signal and background have different bins")
        # The content of a bin is the efficiency of a cut at its lower edge.
        side = 1 if signal.values[0] >= signal.values[-1] else -1
        return cut_scan_of_efficiencies(signal.edges[:-1], signal.values, background.values, orientation=side)

    # ------------------------------------------------------------------------------------------ models

    @functools.cached_property
    def model(self) -> Callable[[str], Model]:
        """A function that returns the model of a method, from its weight file; the last few are kept."""
        return functools.lru_cache(maxsize=_KEPT_MODELS)(self._model)

    def _model(self, title: str) -> Model:
        path = self.weight_file(title)
        if path is None:
            raise ResultFileError(f"the weight file of {title} is not there: {self.where(title)}")
        from mvakit.model import Model

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

    def made(one: tuple[Source, str]) -> T | MvakitError:
        try:
            return make(*one)
        except MvakitError as error:
            return error

    with ThreadPoolExecutor(min(len(there), os.cpu_count() or 1, _MOST_THREADS) or 1) as threads:
        for (source, title), result in zip(there, threads.map(made, there), strict=True):
            if isinstance(result, MvakitError):
                failed = result
                notes.append(f"{source.shown(title)} is not drawn: {result}")
            else:
                found.append(result)
    if failed is not None and not found:
        raise failed
    return found, notes


def in_several(there: Sequence[tuple[Source, str]]) -> dict[str, list[tuple[Source, str]]]:
    """Return the titles that several of the files have, each with where it is."""
    by_title: dict[str, list[tuple[Source, str]]] = {}
    for source, title in there:
        by_title.setdefault(title, []).append((source, title))
    return {title: found for title, found in by_title.items() if len(found) > 1}


def listed(names: Sequence[str], most: int = 4) -> str:
    """Return names in a sentence, the first few of many."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown

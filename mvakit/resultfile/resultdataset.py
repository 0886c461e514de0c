"""What one DataLoader left in a result file, by name; only what is asked for is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from mvakit.errors import ResultFileError, did_you_mean
from mvakit.resultfile import decode, layout
from mvakit.resultfile.access import Directory, TreeColumns, reading
from mvakit.resultfile.values import Curve, Histogram, Histogram2D, Profile
from mvakit.types import AnalysisType
from mvakit.variables import Variable

__all__ = ["MethodEntry", "ResultDataset"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MethodEntry:
    """A method that a dataset's directory holds.

    Attributes
    ----------
    type, title : str
        ``"BDT"`` and ``"BDTG"``.
    path : str
        Below the dataset: ``"Method_BDT/BDTG"``.
    """

    type: str
    title: str
    path: str


class ResultDataset:
    """What one DataLoader left in a result file. Made by `ResultFile.dataset`."""

    def __init__(self, directory: Directory, name: str) -> None:
        self._directory = directory
        self.name = name
        self._trees: dict[str, tuple[Mapping[str, decode.BranchGroup], int, str]] = {}

    def __repr__(self) -> str:
        return f"ResultDataset({self.name!r}: {', '.join(m.title for m in self.methods) or 'no methods'})"

    # ------------------------------------------------------------------------------------------ what there is

    @cached_property
    def methods(self) -> tuple[MethodEntry, ...]:
        """The methods, in the order of the file."""
        found = []
        for name in self._directory.directories():
            if not name.startswith(layout.METHOD_PREFIX):
                continue
            below = self._directory.enter(name)
            assert below is not None
            kind = name.removeprefix(layout.METHOD_PREFIX)
            found += [MethodEntry(kind, title, f"{name}/{title}") for title in below.directories()]
        return tuple(found)

    @cached_property
    def transformations(self) -> tuple[str, ...]:
        """The suffixes of the input histograms' directories: ``"Id"``, ``"Deco"``, ``"Gauss_Deco"``."""
        prefix = layout.INPUT_PREFIX
        return tuple(n.removeprefix(prefix) for n in self._directory.directories() if n.startswith(prefix))

    @cached_property
    def _inputs(self) -> list[tuple[str, str, bool, Directory, str]]:
        """Variable, class, is-target, directory and key of every input histogram, untransformed if there are such.

        A file without directories of input histograms still has those that every evaluated method leaves.
        """
        places: list[tuple[str, str]] = [(f"{layout.INPUT_PREFIX}{t}", t) for t in self.transformations]
        places.sort(key=lambda place: place[1] != "Id")
        places += [(method.path, "") for method in self.methods]
        for path, transformation in places:
            directory = self._directory.enter(path)
            assert directory is not None
            found = []
            for key in directory:
                parsed = layout.parse_input_name(key, transformation)
                if parsed is not None and directory.classes[key].startswith("TH1"):
                    found.append((*parsed, directory, key))
            if found:
                return found
        return []

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The classes, in the order of their indices; a regression has the one class ``Regression``."""
        named = tuple(dict.fromkeys(entry[1] for entry in self._inputs))
        return named or self._classes_of_tree()

    def _classes_of_tree(self) -> tuple[str, ...]:
        for which in layout.TREES:
            if which not in self._directory:
                continue
            columns = self.tree(which)
            if {"classID", "className"} <= set(columns):
                index, first = np.unique(columns["classID"], return_index=True)
                return tuple(str(columns["className"][i]) for _, i in sorted(zip(index, first, strict=True)))
        return ()

    @cached_property
    def analysis(self) -> AnalysisType:
        """The analysis type, told from the histograms there are."""
        keys: list[str] = []
        for method in self.methods:
            directory = self._directory.enter(method.path)
            keys += directory if directory is not None else ()
        return layout.analysis_of(keys, self._directory, self.classes)

    def _described(self, targets: bool) -> tuple[Variable, ...]:
        found: dict[str, Variable] = {}
        for name, _, is_target, directory, key in self._inputs:
            if is_target == targets and name not in found:
                histogram = self._histogram(directory, key)
                unit = layout.parse_axis_title(histogram.x_title, histogram.title)
                low, high = float(histogram.edges[0]), float(histogram.edges[-1])
                found[name] = Variable(name, name, histogram.title or name, unit, "F", low, high)
        return tuple(found.values())

    @cached_property
    def variables(self) -> tuple[Variable, ...]:
        """The input variables: label, title and unit; expressions are not in the file, the range is the plots'."""
        return self._described(targets=False) or tuple(
            Variable(name, name, name) for name in self._columns_before_weight() if name not in self._appended
        )

    @cached_property
    def targets(self) -> tuple[Variable, ...]:
        """The regression targets."""
        return self._described(targets=True)

    @cached_property
    def spectators(self) -> tuple[str, ...]:
        """The labels of the spectators; those that a Category method added to tell its categories are left out."""
        known = {v.label for v in (*self.variables, *self.targets)}
        return tuple(n for n in self._columns_before_weight() if n not in known and n not in self._appended)

    @cached_property
    def _appended(self) -> set[str]:
        titles = [method.title for method in self.methods]
        return {
            name
            for name in self._columns_before_weight()
            for title in titles
            if name.startswith(f"{title}_cat") and name.removeprefix(f"{title}_cat").isdecimal()
        }

    def _columns_before_weight(self) -> list[str]:
        for which in layout.TREES:
            if which in self._directory:
                names = list(self.tree(which))
                end = names.index("weight") if "weight" in names else len(names)
                return [name for name in names[:end] if name not in {"classID", "className"}]
        return []

    # ------------------------------------------------------------------------------------------ inputs

    def input_histogram(self, variable: str, class_name: str, transformation: str = "Id") -> Histogram:
        """Return the distribution of an input variable (or target) in the training sample.

        Parameters
        ----------
        variable : str
            Its label.
        class_name : str
        transformation : str, default "Id"
            One of `transformations`.

        Raises
        ------
        ResultFileError
            If the file has none.
        """
        directory = self._transformed(transformation)
        names = [
            layout.input_name(variable, c, transformation) for c in (class_name, class_name + layout.TARGET_SUFFIX)
        ]
        for name in names:
            if name in directory:
                return self._histogram(directory, name)
        raise ResultFileError(
            f"{directory.where} has no histogram {names[0]!r}; {did_you_mean(names[0], directory, noun='what it has')}"
        )

    def input_pair(self, x: str, y: str, class_name: str, transformation: str = "Id") -> Histogram2D:
        """Return the scatter plot of two input variables, whichever of the two TMVA put on the x axis.

        Raises
        ------
        ResultFileError
            If the file has none, as for more than 20 variables.
        """
        value = self._pair("scat", x, y, class_name, transformation)
        if not isinstance(value, Histogram2D):
            raise ResultFileError(f"{value.name!r} of dataset {self.name!r} is no histogram of two dimensions")
        return value

    def input_profile(self, x: str, y: str, class_name: str, transformation: str = "Id") -> Profile:
        """Return the profile of `y` in bins of `x`.

        Raises
        ------
        ResultFileError
            If the file has none; TMVA makes one of each pair only, with the earlier variable on the x axis.
        """
        value = self._pair("prof", x, y, class_name, transformation)
        if not isinstance(value, Profile):
            raise ResultFileError(f"{value.name!r} of dataset {self.name!r} is no profile")
        return value

    def pair_names(self, transformation: str = "Id") -> tuple[str, ...]:
        """Return the names of all plots of pairs of variables after a transformation; of none if there are no such.

        Raises
        ------
        ResultFileError
            If the file has no such transformation.
        """
        directory = self._transformed(transformation).enter(layout.CORRELATION_PLOTS)
        return () if directory is None else tuple(directory)

    @property
    def correlated(self) -> tuple[str, ...]:
        """The classes of which there is a correlation matrix."""
        return tuple(name for name in self.classes if self._matrix_name(name) is not None)

    def _matrix_name(self, class_name: str) -> str | None:
        names = [layout.correlation_name(analysis, class_name) for analysis in (self.analysis, *AnalysisType)]
        return next((name for name in names if name in self._directory), None)

    def _pair(
        self, kind: str, x: str, y: str, class_name: str, transformation: str
    ) -> Histogram | Histogram2D | Profile:
        directory = self._transformed(transformation).enter(layout.CORRELATION_PLOTS)
        names = [layout.pair_name(kind, x, y, class_name, transformation)]
        if kind == "scat":
            names.append(layout.pair_name(kind, y, x, class_name, transformation))
        for i, name in enumerate(names):
            if directory is not None and name in directory:
                value = self._value(directory, name)
                if i and isinstance(value, Histogram2D):
                    return decode.transposed(value)
                return value
        raise ResultFileError(f"dataset {self.name!r} has no plot {names[0]!r}")

    def _transformed(self, transformation: str) -> Directory:
        directory = self._directory.enter(f"{layout.INPUT_PREFIX}{transformation}")
        if directory is None:
            raise ResultFileError(
                f"dataset {self.name!r} has no input histograms of transformation {transformation!r}; "
                f"{did_you_mean(transformation, self.transformations, noun='its transformations')}"
            )
        return directory

    def correlation_matrix(self, class_name: str) -> tuple[tuple[str, ...], FloatArray]:
        """Return the titles of the variables and their linear correlations in percent, shape (n, n).

        Raises
        ------
        ResultFileError
            If the file has none for this class.
        """
        name = self._matrix_name(class_name)
        value = None if name is None else self._value(self._directory, name)
        if isinstance(value, Histogram2D):
            return value.x_labels or tuple(v.title for v in self.variables), value.values
        expected = layout.correlation_name(self.analysis, class_name)
        there = [n for n in self._directory if n.startswith(layout.CORRELATION_PREFIX)]
        raise ResultFileError(
            f"dataset {self.name!r} has no correlation matrix {expected!r} of class {class_name!r}; "
            f"{did_you_mean(expected, there, noun='its matrices')}"
        )

    # ------------------------------------------------------------------------------------------ methods

    def method(self, title: str) -> MethodEntry:
        """Return the method of this title.

        Raises
        ------
        ResultFileError
            If there is none, naming the nearest.
        """
        for entry in self.methods:
            if entry.title == title:
                return entry
        raise ResultFileError(
            f"dataset {self.name!r} has no method {title!r}; "
            f"{did_you_mean(title, [m.title for m in self.methods], noun='its methods')}"
        )

    def _of_method(self, title: str) -> Directory:
        directory = self._directory.enter(self.method(title).path)
        assert directory is not None
        return directory

    def method_names(self, title: str) -> tuple[str, ...]:
        """Return the names of everything in a method's directory.

        Raises
        ------
        ResultFileError
            If there is no such method.
        """
        return tuple(self._of_method(title))

    def method_histogram(self, title: str, name: str) -> Histogram | None:
        """Return a histogram of a method, as ``method_histogram("BDTG", "MVA_BDTG_S")``, or None if it has none.

        Raises
        ------
        ResultFileError
            If there is no such method.
        """
        value = self._method_value(title, name)
        return value if isinstance(value, Histogram) else None

    def method_histogram_2d(self, title: str, name: str) -> Histogram2D | None:
        """Return a histogram of two dimensions of a method, as of a regression's deviations, or None.

        Raises
        ------
        ResultFileError
            If there is no such method.
        """
        value = self._method_value(title, name)
        return value if isinstance(value, Histogram2D) else None

    def _method_value(self, title: str, name: str) -> Histogram | Histogram2D | Profile | None:
        directory = self._of_method(title)
        if not directory.classes.get(name, "").startswith(("TH1", "TH2", "TProfile")):
            return None
        return self._value(directory, name)

    def method_text(self, title: str, name: str) -> str | None:
        """Return a text of a method, ``"WeightFileName"`` or ``"TrainingPath"``, or None if it has none.

        Raises
        ------
        ResultFileError
            If there is no such method.
        """
        found = self._of_method(title).get(name)
        return str(found) if isinstance(found, str) else None

    def curves(self, title: str) -> tuple[Curve, ...]:
        """Return what the training recorded of itself: estimators by epoch, boost weights by tree, losses.

        Raises
        ------
        ResultFileError
            If there is no such method.
        """
        directory = self._of_method(title)
        fixed = (*layout.EPOCH_CURVES, *layout.TREE_CURVES)
        found = []
        for name, kind in directory.classes.items():
            history = name.startswith(layout.history_name(title, ""))
            short = name.removeprefix(layout.history_name(title, ""))
            if kind.startswith("TH1") and (history or name in fixed):
                histogram = self._histogram(directory, name)
                found.append(decode.curve_of_histogram(histogram, short, by_tree=name in layout.TREE_CURVES))
            elif kind == "TGraph" and name in layout.GRAPH_CURVES:
                with reading(f"{name!r} in {directory.where}"):
                    found.append(decode.curve_of_graph(directory.get(name), name))
            elif kind == "TTree" and history:
                with reading(f"{name!r} in {directory.where}"):
                    found.append(decode.curve_of_tree(directory.get(name), short))
        # TMVA writes some of them twice; of a multiclass training this is all there is.
        if not any(curve.name in layout.NTUPLE_BRANCHES for curve in found):
            found += self._ntuple_curves(directory)
        return tuple(found)

    def _ntuple_curves(self, directory: Directory) -> Iterator[Curve]:
        name = layout.MONITOR_NTUPLE
        if directory.classes.get(name) != "TTree":
            return
        with reading(f"{name!r} in {directory.where}"):
            tree = directory.get(name)
            if not tree.num_entries:
                return
            branches = {branch: name for name, branch in layout.NTUPLE_BRANCHES.items() if branch in tree.keys()}  # noqa: SIM118
            for branch, short in branches.items():
                yield decode.curve_of_branches(tree, layout.NTUPLE_INDEX, branch, short)

    # ------------------------------------------------------------------------------------------ events

    def tree(self, which: str, columns: Iterable[str] | None = None) -> TreeColumns:
        """Return the branches of a tree as arrays, each read when it is asked for.

        Parameters
        ----------
        which : str
            ``"TrainTree"`` or ``"TestTree"``.
        columns : iterable of str, optional
            Offer these only, in this order.

        Raises
        ------
        ResultFileError
            If there is no such tree or branch.
        """
        if self._directory.classes.get(which) != "TTree":
            there = [name for name, kind in self._directory.classes.items() if kind == "TTree"]
            raise ResultFileError(
                f"dataset {self.name!r} has no tree {which!r}; {did_you_mean(which, there, noun='its trees')}"
            )
        return TreeColumns(*self._branches_of(which), columns)

    def _branches_of(self, which: str) -> tuple[Mapping[str, decode.BranchGroup], int, str]:
        if which not in self._trees:
            where = f"{self._directory.where}/{which}"
            with reading(where):
                tree = self._directory.get(which)
                groups = decode.branch_groups(tree, [method.title for method in self.methods])
                self._trees[which] = groups, int(tree.num_entries), where
        return self._trees[which]

    def responses(self, title: str, which: str = "TestTree") -> tuple[FloatArray, npt.NDArray[np.int64], FloatArray]:
        """Return a method's responses with classes and weights.

        Returns
        -------
        scores : ndarray of float64, shape (n_events,) or (n_events, n_outputs)
        class_index : ndarray of int64, shape (n_events,)
        weight : ndarray of float64, shape (n_events,)

        Raises
        ------
        ResultFileError
            If there is no such tree, or no response of this title in it.
        """
        return self.scores(title, which).astype(np.float64), *self.labels(which)

    def scores(self, title: str, which: str = "TestTree") -> npt.NDArray[np.floating]:
        """Return a method's responses in the precision of the file, shape (n_events,) or (n_events, n_outputs).

        Raises
        ------
        ResultFileError
            If there is no such tree, or no response of this title in it.
        """
        found: npt.NDArray[np.floating] = self._column(title, which)
        return found

    def labels(self, which: str = "TestTree") -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Return class and weight of each event of a tree, shape (n_events,) each.

        Raises
        ------
        ResultFileError
            If there is no such tree, or it lacks them.
        """
        return (
            self._column("classID", which).astype(np.int64),
            self._column("weight", which).astype(np.float64),
        )

    def _column(self, name: str, which: str) -> npt.NDArray[Any]:
        columns = self.tree(which)
        if name not in columns:
            raise ResultFileError(
                f"{which} of dataset {self.name!r} has no branch {name!r}; "
                f"{did_you_mean(name, columns, noun='its branches')}"
            )
        return columns[name]

    # ------------------------------------------------------------------------------------------ reading

    def _value(self, directory: Directory, name: str) -> Histogram | Histogram2D | Profile:
        stored = directory.get(name)
        with reading(f"{name!r} in {directory.where}"):
            return decode.value_of(stored)

    def _histogram(self, directory: Directory, name: str) -> Histogram:
        value = self._value(directory, name)
        if not isinstance(value, Histogram):
            raise ResultFileError(f"{name!r} in {directory.where} is no histogram of one dimension")
        return value

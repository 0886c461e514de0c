"""The DataLoader: what a script says of its trees, variables, weights and cuts, and the events that come of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mvakit.cache import default_folder
from mvakit.columnstore import Space
from mvakit.dataset import DataSet
from mvakit.declaration import ClassDeclaration, declared_html, variable_of
from mvakit.errors import DataError, OptionError, did_you_mean
from mvakit.memory import free_memory, parse_bytes
from mvakit.nonfinite import UnusableEventsError
from mvakit.options import Options, option
from mvakit.preparation import PURPOSE, Preparation
from mvakit.prepared import ClassInput, Prepared, class_correlation, correlation_table, dataset_of, prepare_events
from mvakit.progress import Messenger, show_messages
from mvakit.reading import TreeReading
from mvakit.summary import DataLoaderSummary, summarise
from mvakit.types import TreeType
from mvakit.variables import Variable, define, expand

__all__ = ["DataLoader"]

SIGNAL, BACKGROUND, REGRESSION = "Signal", "Background", "Regression"


@dataclass(frozen=True, kw_only=True)
class DataLoaderOptions(Options):
    """The options of a DataLoader; TMVA has none."""

    owner = "DataLoader"

    max_memory: str = option(
        "MaxMemory",
        "",
        "memory that the events may take while they are prepared, as in 512MB or 2GiB; beyond it they lie in files "
        "(by default half of what is free)",
        extension=True,
    )
    cache_dir: str = option(
        "CacheDir",
        "",
        "folder of these files, which are found again the next time (by default a folder mvakit in the user's cache)",
        extension=True,
    )

    def space(self) -> Space:
        """Return the memory for the events and the folder for more of them.

        Raises
        ------
        OptionError
            If ``MaxMemory`` is no amount of memory.
        """
        limit = parse_bytes(self.max_memory) if self.max_memory else max(1, free_memory() // 2)
        if limit is None:
            raise OptionError(
                f"the option 'MaxMemory' of {self.owner} takes an amount of memory such as 512MB, 2GiB or 1000000 (bytes), "
                f"not {self.max_memory!r}"
            )
        return Space(limit, Path(self.cache_dir).expanduser() if self.cache_dir else default_folder())


class DataLoader:
    """Collects trees, variables, weights and cuts in TMVA's words, and prepares the events once they are needed.

    Parameters
    ----------
    name : str
        The folder of the weight files and the top directory of the result file.
    options : str
        An option string; the options may be given as keywords as well. ``MaxMemory`` is the memory that the events may
        take; beyond it they lie in files in ``CacheDir``, which are found again the next time.

    Examples
    --------
    >>> loader = DataLoader("dataset", MaxMemory="2GB")
    >>> loader.AddVariable("myvar1 := var1+var2", "F")
    >>> loader.AddVariable("var3", "Variable 3", "GeV", "F")
    """

    def __init__(self, name: str = "default", options: str = "", **keywords: Any) -> None:
        show_messages()
        self.options = DataLoaderOptions.parse(options, **keywords)
        self.options.space()  # says now what is wrong with them
        self.name = _folder_name(name)
        self._variables: list[Variable] = []
        self._spectators: list[Variable] = []
        self._targets: list[Variable] = []
        self._classes: dict[str, ClassDeclaration] = {}
        self._preparation: tuple[str, dict[str, object]] = ("", {})
        self._changed()
        self.log = Messenger("DataLoader")

    @property
    def _kinds(self) -> dict[str, list[Variable]]:
        return {"variable": self._variables, "target": self._targets, "spectator": self._spectators}

    def _changed(self) -> None:
        """Forget what was made of the events."""
        self._events: Prepared | None = None
        self._dataset: DataSet | None = None
        self._summary: DataLoaderSummary | None = None

    def __repr__(self) -> str:
        classes = ", ".join(f"{c.name} ({len(c.trees)} trees)" for c in self._classes.values()) or "no classes"
        return f"DataLoader({self.name!r}: {len(self._variables)} variables, {classes})"

    def _repr_html_(self) -> str:
        """Show the summary, or what was declared as long as nothing is read."""
        if self._events is not None or self._summary is not None:
            return self.Summary()._repr_html_()
        return declared_html(self.name, self._kinds, self._classes.values())

    def GetName(self) -> str:
        """Return the name."""
        return self.name

    # ------------------------------------------------------------------------------------- variables

    def AddVariable(self, expression: str, *arguments: Any, **named: Any) -> None:
        """Add an input variable.

        Parameters
        ----------
        expression : str
            A formula, or ``label := formula``.
            A vector of fixed length, ``jet_pt[:4]``, becomes one variable for each element.
        *arguments
            ``(type='F', min=0, max=0)`` or ``(title, unit, type='F', min=0, max=0)``, as in TMVA; all of them may be
            named.
        **named
            The same by name; and for a vector of fixed length `fill`, the value of elements that an entry lacks (0),
            and `mask`, whether variables that tell which elements are there are added as well.

        Raises
        ------
        DataError
            If the definition is malformed or the label is taken.
        """
        fill, mask = named.pop("fill", 0.0), named.pop("mask", False)
        definitions = expand(str(expression), fill, mask=mask)
        for position, definition in enumerate(definitions):
            variable = variable_of(definition, arguments, named)
            if len(definitions) > 1 and variable.title != variable.label:
                variable = dataclasses.replace(variable, title=f"{variable.title} {position}")
            self._add(self._variables, "variable", variable)

    def AddVariablesArray(
        self, expression: str, size: int, type: str = "F", min: float = 0.0, max: float = 0.0
    ) -> None:
        """Add one variable for each of the first `size` elements of an array: ``expression[i]``.

        Raises
        ------
        DataError
            If the size is not positive. An entry with fewer elements has no such variable; ``AddVariable("x[:4]")``
            fills what is missing.
        """
        if size < 1:
            raise DataError(f"the array {expression!r} needs at least one element, not {size}")
        for i in range(size):
            self._add(self._variables, "variable", define(f"{expression}[{i}]", type=type, minimum=min, maximum=max))

    def AddSpectator(
        self, expression: str, title: str = "", unit: str = "", min: float = 0.0, max: float = 0.0
    ) -> None:
        """Add a variable that is carried along but not trained on; it keeps the type that the tree has."""
        self._add(self._spectators, "spectator", define(str(expression), title, unit, "F", min, max))

    def AddTarget(self, expression: str, title: str = "", unit: str = "", min: float = 0.0, max: float = 0.0) -> None:
        """Add a regression target."""
        self._add(self._targets, "target", define(str(expression), title, unit, "F", min, max))

    AddRegressionTarget = AddTarget

    def _add(self, to: list[Variable], kind: str, variable: Variable) -> None:
        for what, known in (("variable", self._variables), ("spectator", self._spectators), ("target", self._targets)):
            for other in known:
                if other.internal == variable.internal:
                    raise DataError(
                        f"the {kind} {variable.label!r} has the label of the {what} {other.label!r}; give it one of its own: 'label := {variable.expression}'"
                    )
        to.append(variable)
        self._changed()

    # ----------------------------------------------------------------------------------------- trees

    def AddSignalTree(self, tree: object, weight: float = 1.0, treetype: TreeType | str = TreeType.BOTH) -> None:
        """Add a tree of signal events; see `AddTree`."""
        self.AddTree(tree, SIGNAL, weight, "", treetype)

    def AddBackgroundTree(self, tree: object, weight: float = 1.0, treetype: TreeType | str = TreeType.BOTH) -> None:
        """Add a tree of background events; see `AddTree`."""
        self.AddTree(tree, BACKGROUND, weight, "", treetype)

    def AddRegressionTree(self, tree: object, weight: float = 1.0, treetype: TreeType | str = TreeType.BOTH) -> None:
        """Add a tree for a regression; see `AddTree`."""
        self.AddTree(tree, REGRESSION, weight, "", treetype)

    def AddTree(
        self,
        tree: object,
        className: str,
        weight: float = 1.0,
        cut: object = "",
        treetype: TreeType | str = TreeType.BOTH,
    ) -> None:
        """Add a tree of a class.

        Parameters
        ----------
        tree : tree
            ``"file.root:Tree"`` (globs and lists too), an uproot tree, an awkward array, a mapping of NumPy columns, a
            data frame, a ``.parquet`` path, or a tree of `mvakit.compat.ROOT`.
        className : str
            The class; classes count in the order in which they were first named.
        weight : float
            A weight for all events of the tree; the weight expression of the class multiplies it.
        cut : str
            A cut for this tree alone.
        treetype : TreeType or str
            ``"Training"`` or ``"Test"``; by default the split decides.

        Raises
        ------
        DataError
            If the weight is not a number or the tree type is unknown.
        """
        try:
            purpose = TreeType.parse(treetype)
        except ValueError as error:
            raise DataError(f"the tree type of class {className!r}: {error}") from None
        if isinstance(weight, bool | str) or not np.isfinite(weight):
            raise DataError(f"the weight of a tree of class {className!r} is a finite number, not {weight!r}")
        self._class(className).trees.append((tree, float(weight), str(cut), purpose))
        self._changed()

    def SetInputTrees(self, signal: object, background: object, *arguments: Any) -> None:
        """Add both trees: ``(signal, background, weight, weight)``, or ``(tree, signal cut, background cut)``."""
        if isinstance(background, str) and len(arguments) == 1 and isinstance(arguments[0], str):
            self.AddTree(signal, SIGNAL, cut=background)
            self.AddTree(signal, BACKGROUND, cut=arguments[0])
            return
        weights = [*arguments, 1.0, 1.0]
        self.AddSignalTree(signal, weights[0])
        self.AddBackgroundTree(background, weights[1])

    def _class(self, name: str) -> ClassDeclaration:
        name = str(name)
        if not name:
            raise DataError("a class needs a name")
        if name not in self._classes:
            self._classes[name] = ClassDeclaration(name)
        return self._classes[name]

    # ---------------------------------------------------------------------------------- single events

    def AddTrainingEvent(self, className: str, event: Sequence[float], weight: float = 1.0) -> None:
        """Add one event to the training sample: the variables in order, then targets, then spectators."""
        self._class(className).events.setdefault(TreeType.TRAINING, []).append((list(event), float(weight)))
        self._changed()

    def AddTestEvent(self, className: str, event: Sequence[float], weight: float = 1.0) -> None:
        """Add one event to the test sample: the variables in order, then targets, then spectators."""
        self._class(className).events.setdefault(TreeType.TESTING, []).append((list(event), float(weight)))
        self._changed()

    def AddSignalTrainingEvent(self, event: Sequence[float], weight: float = 1.0) -> None:
        """Add one signal event to the training sample."""
        self.AddTrainingEvent(SIGNAL, event, weight)

    def AddBackgroundTrainingEvent(self, event: Sequence[float], weight: float = 1.0) -> None:
        """Add one background event to the training sample."""
        self.AddTrainingEvent(BACKGROUND, event, weight)

    def AddSignalTestEvent(self, event: Sequence[float], weight: float = 1.0) -> None:
        """Add one signal event to the test sample."""
        self.AddTestEvent(SIGNAL, event, weight)

    def AddBackgroundTestEvent(self, event: Sequence[float], weight: float = 1.0) -> None:
        """Add one background event to the test sample."""
        self.AddTestEvent(BACKGROUND, event, weight)

    # ------------------------------------------------------------------------------- weights and cuts

    def SetSignalWeightExpression(self, expression: str) -> None:
        """Set the formula of the weight of signal events."""
        self.SetWeightExpression(expression, SIGNAL)

    def SetBackgroundWeightExpression(self, expression: str) -> None:
        """Set the formula of the weight of background events."""
        self.SetWeightExpression(expression, BACKGROUND)

    def SetWeightExpression(self, expression: str, className: str = "") -> None:
        """Set the formula of the weight of a class, or of every class named so far."""
        for item in self._these(className):
            item.weight = str(expression)
        self._changed()

    def SetCut(self, cut: object, className: str = "") -> None:
        """Set the cut of a class, or of every class named so far; an event with a value below 0.5 is rejected."""
        for item in self._these(className):
            item.cuts = [str(cut)] if str(cut).strip() else []
        self._changed()

    def AddCut(self, cut: object, className: str = "") -> None:
        """Add a cut to those of a class, or of every class named so far."""
        for item in self._these(className):
            if str(cut).strip():
                item.cuts.append(str(cut))
        self._changed()

    def _these(self, name: str) -> list[ClassDeclaration]:
        if name:
            return [self._class(name)]
        if not self._classes:
            raise DataError("no class is known yet: add the trees first, or name the class")
        return list(self._classes.values())

    # ---------------------------------------------------------------------------------- preparation

    def PrepareTrainingAndTestTree(self, cut: object = "", *arguments: object, **keywords: Any) -> None:
        """Say how events are cut, split and renormalised; the work is done once the events are needed.

        Parameters
        ----------
        cut : str
            A cut for every class.
        *arguments
            ``(options)``; ``(background cut, options)``, then `cut` is the signal's; or
            ``(n signal training, n background training, n signal test, n background test, options)``.
        **keywords
            The options as keywords: ``nTrain_Signal=1000, SplitMode="Random"``.

        Raises
        ------
        OptionError
            If an option is unknown or the arguments fit none of TMVA's forms.
        DataError
            If a cut is for a class that is not known.
        """
        strings = [a for a in arguments if not isinstance(a, int | float) or isinstance(a, bool)]
        counts = [a for a in arguments if isinstance(a, int | float) and not isinstance(a, bool)]
        options = ""
        if counts:
            names = {
                2: ("nTrain_Signal", "nTest_Signal", "nTrain_Background", "nTest_Background"),
                4: ("nTrain_Signal", "nTrain_Background", "nTest_Signal", "nTest_Background"),
            }.get(len(counts))
            if names is None or len(strings) > 1 or any(arguments.index(s) < len(counts) for s in strings):
                raise OptionError(
                    "PrepareTrainingAndTestTree takes (cut, nTrainS, nTrainB, nTestS, nTestB, options), (cut, nTrain, nTest, options), (cut, options) or (signal cut, background cut, options)"
                )
            keywords = {**dict(zip(names, counts * (4 // len(counts)), strict=True)), **keywords}
            options = str(strings[0]) if strings else ""
            self._cut_all(cut)
        elif len(strings) <= 1:
            options = str(strings[0]) if strings else ""
            self._cut_all(cut)
        elif len(strings) == 2:
            for name, text in ((SIGNAL, cut), (BACKGROUND, strings[0])):
                if name not in self._classes:
                    raise DataError(
                        f"a cut is given for class {name!r}, but {did_you_mean(name, self._classes, noun='the classes')}"
                    )
                self.SetCut(text, name)
            options = str(strings[1])
        else:
            raise OptionError(
                f"PrepareTrainingAndTestTree takes at most a signal cut, a background cut and options, not {len(strings) + 1} strings"
            )
        self._preparation = (options, keywords)
        self._changed()
        if self._classes:
            Preparation.parse(list(self._classes), options, keywords)

    def _cut_all(self, cut: object) -> None:
        if str(cut).strip():
            self.SetCut(cut)

    def prepare(self) -> DataSet:
        """Read, cut, split and renormalise the events; the result is kept until something changes.

        Raises
        ------
        SourceError, FormulaError
            If a file, tree or branch is missing or a formula does not parse.
        DataError
            If a class is empty after its cut, a variable is constant or not a number, or there are too few events.
        """
        if self._dataset is None:
            self._dataset = self._prepare()
        return self._dataset

    def _preparing(self) -> Preparation:
        text, keywords = self._preparation
        return Preparation.parse(tuple(self._classes), text, keywords)

    def _prepared(self) -> Prepared:
        """Read, cut and split the events, whatever they are."""
        if self._events is None:
            if not self._variables:
                raise DataError(f"DataLoader {self.name!r} has no variables: call AddVariable")
            if not self._classes:
                raise DataError(
                    f"DataLoader {self.name!r} has no trees: call AddSignalTree, AddBackgroundTree or AddTree"
                )
            preparation = self._preparing()
            classes = [self._input(item, index) for index, item in enumerate(self._classes.values())]
            self._events = prepare_events(classes, preparation, self.options.space(), self.log)
        return self._events

    def _prepare(self) -> DataSet:
        events = self._prepared()
        dataset = dataset_of(self.name, self._kinds, events)
        wanted = self._preparing().values
        if wanted["Correlations"] and wanted["CalcCorrelations"]:
            for index, name in enumerate(dataset.classes):
                table = correlation_table(dataset.labels, events.correlation(index))
                self.log.info(f"Correlation matrix ({name}):\n" + table)
        return dataset

    def _input(self, item: ClassDeclaration, index: int) -> ClassInput:
        trees = []
        for tree, weight, cut, purpose in item.trees:
            reading = TreeReading(
                tree, tuple(self._variables), tuple(self._targets), tuple(self._spectators),
                weight, item.weight, cut, item.cut, item.name,
            )  # fmt: skip
            trees.append((reading, PURPOSE[purpose]))
        added = item.single_events(index, self._variables, self._targets, self._spectators)
        events = tuple((sample, PURPOSE[purpose]) for sample, purpose, _ in added)
        return ClassInput(item.name, item.cut, tuple(trees), events, tuple(row for _, _, odd in added for row in odd))

    # ------------------------------------------------------------------------------------- questions

    def Summary(self) -> DataLoaderSummary:
        """Return what the classes, samples and variables hold, and what each cut left; it prints as tables.

        The events are prepared if they are not yet. Of events that no method can be trained on (a class is empty, values
        are no finite numbers, there are too few of them) it tells what was counted and why, where `prepare` raises.

        Raises
        ------
        SourceError, FormulaError
            If a file, tree or branch is missing or a formula does not parse.
        DataError
            If nothing was declared to be read.
        """
        if self._summary is None:
            try:
                self._summary = summarise(self.name, self._kinds, self._prepared())
            except UnusableEventsError as error:
                self._summary = DataLoaderSummary(
                    self.name, error.counts, non_finite=error.non_finite, problem=str(error)
                )
        return self._summary

    def GetDataSetInfo(self) -> DataSet:
        """Return the prepared events with variables, classes and counts."""
        return self.prepare()

    def GetCorrelationMatrix(self, className: str) -> npt.NDArray[np.float64]:
        """Return the linear correlation coefficients of the variables in the training events of a class.

        Raises
        ------
        DataError
            If there is no such class.
        """
        dataset = self.prepare()
        if className not in dataset.classes:
            raise DataError(
                f"there is no class {className!r}; {did_you_mean(className, dataset.classes, noun='the classes')}"
            )
        return class_correlation(dataset.train, dataset.classes.index(className))


# ---------------------------------------------------------------------------------------------- helpers


def _folder_name(name: str) -> str:
    text = str(name)
    if not text or text in {".", ".."} or any(c in text for c in "/\\:\0"):
        raise DataError(f"the name of a DataLoader is that of a folder, so it cannot be {text!r}")
    return text

"""The Factory: books methods, trains, tests and evaluates them, prints TMVA's tables and writes its result file."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.config import CONFIG
from mvakit.dataloader import DataLoader
from mvakit.dataset import DataSet
from mvakit.drawing import ResultDrawing
from mvakit.errors import DataError, MethodError, did_you_mean
from mvakit.evaluation import (
    RocCurve,
    one_vs_rest_curve,
    rank_by_separation,
    roc_curve_of,
    variable_statistics,
)
from mvakit.method import AnyMethod, MethodOptions
from mvakit.model import Model, book, train
from mvakit.options import Options, option
from mvakit.progress import Messenger, progress_bar, show_messages
from mvakit.resultfile import ResultContents, check_name, write_result_file
from mvakit.results import Result, TestedModel, dataset_contents, evaluate, several_classes, two_classes
from mvakit.tables import ranking_table, result_tables, statistics_table
from mvakit.transformations import fit_chain, parse_list
from mvakit.types import AnalysisType, TreeType
from mvakit.variables import internal_name

__all__ = ["BookedMethod", "Factory"]

FloatArray = npt.NDArray[np.float64]

_RESERVED: Final = frozenset({"classID", "className", "weight"})
# The calls that scripts made on the Factory before there were DataLoaders.
_LOADER_CALLS: Final = ("Add", "Set", "PrepareTrainingAndTestTree")
_ANALYSES: Final = ("Auto", "Classification", "Regression", "Multiclass")


@dataclass(frozen=True, kw_only=True)
class FactoryOptions(Options):
    """The options of a Factory."""

    owner = "Factory"

    verbose: bool = option("V", False, "say more")
    verbose_level: str = option("VerboseLevel", "Info", "what is said", choices=("Info", "Debug", "Verbose"))
    color: bool = option("Color", True, "colour what is printed on a terminal")
    transformations: str = option(
        "Transformations", "I", "transformations for which the input variables are plotted: 'I;D;P;G,D'"
    )
    correlations: bool = option("Correlations", False, "plot the correlations of the variables after training")
    roc: bool = option("ROC", True, "compute ROC curves and their integrals")
    silent: bool = option("Silent", False, "say only what went wrong")
    draw_progress_bar: bool = option("DrawProgressBar", True, "show a progress bar, on a terminal or in Jupyter")
    model_persistence: bool = option("ModelPersistence", True, "write weight files")
    analysis_type: str = option("AnalysisType", "Auto", "what is asked of the methods", choices=_ANALYSES)


@dataclass
class BookedMethod:
    """What ``BookMethod`` returns: a method on its way from booking to evaluation.

    Attributes
    ----------
    loader : DataLoader
    method : Method
    title : str
    folder : Path
        Where its weight file lies.
    weight_file : Path
    model : Model or None
        Once it is trained.
    scores : dict of TreeType to ndarray
        Responses on the training and the test sample, once it is tested.
    result : ClassificationResult, MulticlassResult, RegressionResult or None
        Once it is evaluated.
    """

    loader: DataLoader
    method: AnyMethod
    title: str
    weight_file: Path
    model: Model | None = None
    scores: dict[TreeType, FloatArray] = field(default_factory=dict)
    result: Result | None = None

    def __repr__(self) -> str:
        state = "evaluated" if self.result else "tested" if self.scores else "trained" if self.model else "booked"
        return f"BookedMethod({self.method.name}::{self.title} of {self.loader.name!r}, {state})"

    def GetName(self) -> str:
        """Return the title."""
        return self.title

    GetMethodName = GetName

    def tested(self) -> TestedModel:
        """Return the model with its responses.

        Raises
        ------
        MethodError
            If it is not trained and tested.
        """
        if self.model is None or not self.scores:
            raise MethodError(f"{self.title!r} is not tested: call TrainAllMethods and TestAllMethods first")
        return TestedModel(self.model, self.weight_file, self.scores[TreeType.TRAINING], self.scores[TreeType.TESTING])

    def GetMethodTypeName(self) -> str:
        """Return TMVA's name of the method."""
        return self.method.name


class Factory(ResultDrawing):
    """TMVA's Factory.

    Parameters
    ----------
    job : str
        Begins the names of the weight files.
    target : path or TFile, optional
        The result file, written when the methods are evaluated. Without one nothing but weight files is written.
    options : str
        As in ``"!V:!Silent:Color:DrawProgressBar:Transformations=I;D;P;G,D:AnalysisType=Classification"``; also as
        keywords.

    Examples
    --------
    >>> factory = Factory("TMVAClassification", "TMVA.root", "!V:Silent:AnalysisType=Classification")
    """

    def __init__(self, job: str, target: Any = None, options: str = "", **keywords: Any) -> None:
        if isinstance(target, str) and not options and not target.endswith(".root"):
            target, options = None, target  # TMVA's other form: (job, options)
        self.job = _file_name(job, "job of a Factory")
        self.target = None if target is None or target == "" else Path(getattr(target, "mvakit_path", target))
        self.options = FactoryOptions.parse(options, **keywords)
        if not self.options.silent:
            show_messages(color=self.options.color)
        self.log = Messenger("Factory", silent=self.options.silent, verbose=self._verbose)
        self._booked: dict[str, dict[str, BookedMethod]] = {}
        self._own: DataLoader | None = None

    def __getattr__(self, name: str) -> Any:
        """Hand the calls of TMVA's older scripts, ``factory.AddVariable(...)``, to a DataLoader of the Factory's own."""
        if name.startswith(_LOADER_CALLS) and hasattr(DataLoader, name):
            if self._own is None:
                self._own = DataLoader("dataset")
                self._silence(self._own)
            return getattr(self._own, name)
        calls = [known for known in (*dir(type(self)), *dir(DataLoader)) if not known.startswith("_")]
        raise AttributeError(f"a Factory has no {name!r}; {did_you_mean(name, calls)}")

    def __repr__(self) -> str:
        return f"Factory({self.job!r}: {', '.join(b.title for b in self._all()) or 'nothing booked'})"

    def _all(self) -> list[BookedMethod]:
        return [booked for methods in self._booked.values() for booked in methods.values()]

    # --------------------------------------------------------------------------------------- booking

    def BookMethod(
        self, loader: Any, method: str = "", title: str = "", options: str = "", **keywords: Any
    ) -> BookedMethod:
        """Book a method; what cannot be trained is refused here.

        Parameters
        ----------
        loader : DataLoader
            Its events are prepared now, if they are not yet. Scripts that call ``factory.AddVariable`` and the like
            leave it out, as TMVA's older ones do: ``BookMethod(method, title, options)``.
        method : str
            ``"BDT"`` or ``Types.kBDT``.
        title : str
            Names the weight file and the directory of the result file; by default the method.
        options : str
            Its option string; also as keywords.

        Returns
        -------
        BookedMethod

        Raises
        ------
        MethodError
            If the method is unknown, unfit for the analysis, or the title is taken.
        MvakitError
            If an option, a transformation or the events are at fault.
        """
        if isinstance(loader, str) and self._own is not None and not options:
            loader, method, title, options = self._own, loader, method, title
        if not isinstance(loader, DataLoader):
            raise MethodError(
                f"BookMethod takes a DataLoader, a method, a title and options; its first argument is {loader!r}"
            )
        title = _file_name(title or str(method), "title of a method")
        methods = self._booked.get(loader.name, {})
        for taken, other in methods.items():
            if internal_name(taken).lower() == internal_name(title).lower():
                raise MethodError(
                    f"a method with the title {taken!r} is booked already for {loader.name!r}; give this one another"
                )
            if other.loader is not loader:
                raise MethodError(
                    f"another DataLoader is called {loader.name!r} already; its files would be overwritten"
                )
        self.log.info(f"Booking method: {title} DataSet Name: {loader.name}")
        self._silence(loader)
        dataset = loader.prepare()
        analysis = self._analysis(dataset)
        _check_names(title, dataset)
        for chain in parse_list(
            self.options.transformations, dataset.variables, dataset.classes, dataset.targets, dataset.spectators
        ):
            self.log.detail(f"current transformation string: '{chain}'")
        names = CONFIG.GetIONames()
        folder = Path(names.fWeightFileDirPrefix) / ("" if loader is self._own else loader.name) / names.fWeightFileDir
        instance = book(dataset, str(method), options, title=title, analysis=analysis, folder=folder, **keywords)
        if instance.options.help:
            self.log.info(_help(instance))
        weight_file = folder / f"{self.job}_{title}.{names.fWeightFileExtension}.xml"
        booked = BookedMethod(loader, instance, title, weight_file)
        self._booked.setdefault(loader.name, {})[title] = booked
        return booked

    def _silence(self, loader: DataLoader) -> None:
        loader.log.silent = loader.log.silent or self.options.silent

    def _analysis(self, dataset: DataSet) -> AnalysisType:
        if self.options.analysis_type != "Auto":
            analysis = AnalysisType(self.options.analysis_type)
            if analysis is AnalysisType.CLASSIFICATION and len(dataset.classes) != 2:
                raise DataError(
                    f"a classification has two classes; {dataset.name!r} has {len(dataset.classes)}: {', '.join(dataset.classes)}"
                )
            return analysis
        if len(dataset.classes) < 2 and not dataset.targets:
            raise DataError(
                f"{dataset.name!r} has a single class, {dataset.classes[0]!r}, and no target: there is nothing to learn"
            )
        return dataset.default_analysis()

    def _find(self, loader: DataLoader | str, title: str) -> BookedMethod:
        name = loader if isinstance(loader, str) else loader.name
        methods = self._booked.get(str(name))
        if methods is None:
            raise MethodError(
                f"nothing is booked for {str(name)!r}; {did_you_mean(str(name), self._booked, noun='the DataLoaders')}"
            )
        if str(title) not in methods:
            raise MethodError(
                f"no method is booked as {str(title)!r}; {did_you_mean(str(title), methods, noun='the titles')}"
            )
        return methods[str(title)]

    def GetMethod(self, loader: DataLoader | str, title: str) -> BookedMethod:
        """Return a booked method."""
        return self._find(loader, title)

    def HasMethod(self, loader: DataLoader | str, title: str) -> bool:
        """Return whether a method is booked under a title."""
        name = loader if isinstance(loader, str) else loader.name
        return str(title) in self._booked.get(str(name), {})

    def DeleteAllMethods(self) -> None:
        """Forget all booked methods; files stay."""
        self._booked.clear()

    # -------------------------------------------------------------------------------------- training

    def TrainAllMethods(self) -> None:
        """Train every booked method and write its weight file.

        Raises
        ------
        MethodError
            If nothing is booked, or events cannot train a method.
        """
        self._need_methods("train")
        for methods in self._booked.values():
            dataset = next(iter(methods.values())).loader.prepare()
            analysis = self._analysis(dataset)
            self.log.info(f"Train all methods for {analysis} ...")
            self._say_inputs(dataset, analysis)
            for booked in methods.values():
                self._train(booked, dataset, analysis)
            for booked in methods.values():
                ranking = booked.model.ranking() if booked.model else None
                if ranking is None:
                    self.log.info(f"No variable ranking supplied by classifier: {booked.title}")
                else:
                    self.log.info(f"Ranking input variables (method specific) of {booked.title}...")
                    self._messenger(booked).info(ranking_table(ranking.ordered(), ranking.criterion))

    def _is_evaluated(self) -> bool:
        return any(booked.result is not None for booked in self._all())

    def _messenger(self, booked: BookedMethod) -> Messenger:
        options: MethodOptions = booked.method.options
        return options.messenger(booked.title, silent=self.options.silent, verbose=self._verbose)

    @property
    def _verbose(self) -> bool:
        return self.options.verbose or self.options.verbose_level != "Info"

    def _train(self, booked: BookedMethod, dataset: DataSet, analysis: AnalysisType) -> None:
        log = self._messenger(booked)
        self.log.info(f"Train method: {booked.title} for {analysis}")
        log.info("Begin training")
        started = time.perf_counter()
        with progress_bar(booked.title, enabled=self.options.draw_progress_bar and not self.options.silent) as tick:
            booked.model = train(
                dataset,
                booked.method,
                title=booked.title,
                analysis=analysis,
                folder=booked.weight_file.parent,
                log=log,
                tick=tick,
            )
        log.info(f"Elapsed time for training with {len(dataset.train)} events: {time.perf_counter() - started:.3g} sec")
        booked.scores, booked.result = {}, None
        if self.options.model_persistence:
            booked.model.save(booked.weight_file)
            log.info(f"Creating xml weight file: {booked.weight_file}")

    def _say_inputs(self, dataset: DataSet, analysis: AnalysisType) -> None:
        """Print moments of the variables after each transformation, and of two classes their ranking by separation."""
        sample, columns = dataset.train, (dataset.variables, dataset.classes, dataset.targets, dataset.spectators)
        for text in parse_list(self.options.transformations, *columns):
            chain = fit_chain(text, sample, *columns)
            moments = variable_statistics(dataset.labels, chain.apply(sample.X) if chain else sample.X, sample.weight)
            self.log.info(f"Input variables after the transformation {chain.suffix}:\n" + statistics_table(moments))
        if analysis is not AnalysisType.CLASSIFICATION:
            return
        ranks = rank_by_separation(
            [v.title or v.label for v in dataset.variables],
            sample.X,
            sample.is_signal,
            sample.weight,
            integer=[v.type == "I" for v in dataset.variables],
        )
        self.log.info(
            "Ranking input variables (method unspecific)...\n"
            + ranking_table([(r.name, r.value) for r in ranks], "Separation")
        )

    # -------------------------------------------------------------------------------------- testing

    def TestAllMethods(self) -> None:
        """Apply every trained method to the training and the test sample.

        Raises
        ------
        MethodError
            If nothing is booked or a method is not trained.
        """
        self._need_methods("test")
        self.log.info("Test all methods...")
        for booked in self._all():
            if booked.model is None:
                raise MethodError(f"{booked.title!r} is not trained: call TrainAllMethods before TestAllMethods")
            dataset = booked.loader.prepare()
            self.log.info(f"Test method: {booked.title} for {booked.model.analysis} performance")
            for kind, sample in ((TreeType.TRAINING, dataset.train), (TreeType.TESTING, dataset.test)):
                started = time.perf_counter()
                response = booked.model.respond(sample)
                # As TestTree will hold it, so that tables, histograms and tree tell the same.
                booked.scores[kind] = response.astype(np.float32).astype(np.float64)
                if kind is TreeType.TESTING:
                    self._messenger(booked).info(
                        f"Elapsed time for evaluation of {len(sample)} events: {time.perf_counter() - started:.3g} sec"
                    )

    def EvaluateAllMethods(self) -> None:
        """Measure every tested method, print TMVA's tables and write the result file.

        Raises
        ------
        MethodError
            If nothing is booked or a method is not tested.
        OutputError
            If the result file cannot be written.
        """
        self._need_methods("evaluate")
        self.log.info("Evaluate all methods...")
        for booked in self._all():
            if not booked.scores:
                raise MethodError(f"{booked.title!r} is not tested: call TestAllMethods before EvaluateAllMethods")
            self.log.info(f"Evaluate classifier: {booked.title}")
            booked.result = evaluate(booked.tested(), booked.loader.prepare())
        for table in result_tables([booked.result for booked in self._all() if booked.result]):
            self.log.info(table)
        if self.target is not None:
            self._write(self.target)

    def _write(self, target: Path) -> None:
        contents = []
        for methods in self._booked.values():
            dataset = next(iter(methods.values())).loader.prepare()
            tested = [booked.tested() for booked in methods.values()]
            contents.append(dataset_contents(dataset, self._analysis(dataset), tested, self.options.transformations))
        write_result_file(target, ResultContents(contents))
        for methods in self._booked.values():
            dataset = next(iter(methods.values())).loader.prepare()
            for name, sample in dataset.samples():
                self.log.info(f"Dataset {dataset.name}: Created tree '{name}' with {len(sample)} events")
        self.log.info(f"The results are in {target}")

    def _need_methods(self, verb: str) -> None:
        if not self._booked:
            raise MethodError(f"there is nothing to {verb}: call BookMethod first")

    # ------------------------------------------------------------------------------------- questions

    def GetResults(self, loader: DataLoader | str, title: str) -> Result:
        """Return everything measured on a method.

        Raises
        ------
        MethodError
            If it is not evaluated.
        """
        booked = self._find(loader, title)
        if booked.result is None:
            raise MethodError(f"{booked.title!r} is not evaluated: call EvaluateAllMethods first")
        return booked.result

    def GetROCCurve(
        self, loader: DataLoader | str, title: str = "", iClass: int = 0, type: TreeType | str = TreeType.TESTING
    ) -> Any:
        """Return the exact ROC curve of a method, or without a title a figure of the curves of all of them.

        Parameters
        ----------
        loader : DataLoader or str
        title : str
        iClass : int
            Of a multiclass method, the class that is taken for signal against all others.
        type : TreeType
            ``Types.kTesting`` or ``Types.kTraining``.

        Raises
        ------
        MethodError
            If a method is not tested, or is a regression, which has no ROC curve.
        """
        if not title:
            from mvakit.display import display

            name = loader if isinstance(loader, str) else loader.name
            return display().draw_roc([self.GetResults(name, t) for t in self._booked.get(name, {})])
        return self._roc(self._find(loader, title), iClass, type)

    def _roc(self, booked: BookedMethod, i_class: int, type: TreeType | str) -> RocCurve:
        training = TreeType.parse(type) is TreeType.TRAINING
        tested, dataset = booked.tested(), booked.loader.prepare()
        sample, scores = (dataset.train, tested.train_scores) if training else (dataset.test, tested.test_scores)
        if tested.model.analysis is AnalysisType.REGRESSION:
            raise MethodError(f"{booked.title!r} is a regression, which has no ROC curve")
        if tested.model.analysis is AnalysisType.MULTICLASS:
            if not 0 <= i_class < len(dataset.classes):
                raise MethodError(f"there is no class {i_class}; the classes are 0 to {len(dataset.classes) - 1}")
            return one_vs_rest_curve(several_classes(scores, sample, dataset, booked.title), i_class)
        if i_class:
            raise MethodError(f"a classification has its signal in class 0, so there is no curve of class {i_class}")
        two = two_classes(scores, sample, booked.title)
        # Cuts are oriented by the test sample, in the training sample as well.
        orientation = (
            two_classes(tested.test_scores, dataset.test, booked.title).orientation if training else two.orientation
        )
        return roc_curve_of(two, orientation=orientation)

    def GetROCIntegral(
        self, loader: DataLoader | str, title: str, iClass: int = 0, type: TreeType | str = TreeType.TESTING
    ) -> float:
        """Return the exact, weighted area under the ROC curve; the parameters are those of `GetROCCurve`."""
        return self._roc(self._find(loader, title), iClass, type).area


# ---------------------------------------------------------------------------------------------- helpers


def _check_names(title: str, dataset: DataSet) -> None:
    """Refuse, before any training, names that the result file could not hold."""
    check_name("title of a method", title)
    for name in dataset.classes:
        check_name("class", name)
    for kind, variables in (
        ("variable", dataset.variables),
        ("spectator", dataset.spectators),
        ("target", dataset.targets),
    ):
        for variable in variables:
            if variable.label in _RESERVED:
                raise MethodError(
                    f"the {kind} {variable.label!r} has the name of a branch that every TestTree has; "
                    f"give it a label: 'my_{variable.label} := {variable.expression}'"
                )
            if title in {variable.label, variable.internal}:
                raise MethodError(
                    f"the title {title!r} is the name of a {kind}, and both are branches of TestTree; give the method another"
                )


def _help(method: AnyMethod) -> str:
    lines = [f"{method.name}: {(type(method).__doc__ or '').strip().splitlines()[0]}", "Options:"]
    lines += [f"  {spec.name} = {spec.text(value)}: {spec.help}" for spec, value in method.options.items()]
    return "\n".join(lines)


def _file_name(text: str, what: str) -> str:
    name = str(text)
    if not name or name in {".", ".."} or any(c in name for c in "/\\:\0") or name != name.strip():
        raise MethodError(f"the {what} is part of file names, so it cannot be {name!r}")
    return name

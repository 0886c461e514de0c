"""What a result file can feed: each view is a figure by its name among TMVA's plots, drawn when it is asked for.

The exact ROC curves and Kolmogorov-Smirnov tests come from the events in TrainTree and TestTree. Where a file has none,
or a method left no response in them, TMVA's histograms stand in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Final, get_args

import numpy as np
import numpy.typing as npt

from mvakit.errors import MvakitError
from mvakit.evaluation import (
    ClassSample,
    Histogram1D,
    KolmogorovSmirnov,
    TwoClassSample,
    ks_binned,
    ks_unbinned,
    roc_curve_of,
)
from mvakit.evaluation.efficiency import roc_integral
from mvakit.progress import Messenger
from mvakit.resultfile import Histogram, MethodEntry, ResultDataset, TreeColumns
from mvakit.types import AnalysisType
from mvakit.variables import Variable
from mvakit_gui.figures import (
    RocForm,
    RocLine,
    VariablePanel,
    correlation_figure,
    cut_efficiency_figure,
    deviation_figure,
    history_figure,
    overtraining_figure,
    response_figure,
    roc_figure,
    variables_figure,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["DatasetViews", "View"]

FloatArray = npt.NDArray[np.float64]
_PAGE: Final = 6
_LETTERS: Final = {"Signal": "S", "Background": "B"}


@dataclass(frozen=True, slots=True)
class View:
    """A figure that a dataset can feed.

    Attributes
    ----------
    name : str
        As TMVA calls the file of the plot: ``"overtrain_BDTG"``. It holds titles as they are, so it is no file name yet.
    draw : callable
        Takes the keywords ``label`` and ``style`` of the drawing functions and returns what they return.
    """

    name: str
    draw: Callable[..., Any]

    def figure(self, **keywords: Any) -> Figure:
        """Draw it and return the figure alone."""
        figure: Figure = self.draw(**keywords).figure
        return figure


class DatasetViews:
    """The views of one dataset of a result file; iterating yields them.

    Parameters
    ----------
    dataset : ResultDataset
    log : Messenger, optional
        Is told what cannot be drawn, and why.
    """

    def __init__(self, dataset: ResultDataset, log: Messenger | None = None) -> None:
        self.dataset = dataset
        self.log = log or Messenger("Plots", silent=True)

    def __iter__(self) -> Iterator[View]:
        yield from self._variables()
        yield from self._correlations()
        analysis = self.dataset.analysis
        for method in self.dataset.methods:
            if analysis is AnalysisType.CLASSIFICATION:
                yield from self._classifier(method)
            elif analysis is AnalysisType.MULTICLASS:
                yield from self._multiclass(method)
            else:
                yield from self._regression(method)
            yield from self._history(method)
        if analysis is AnalysisType.CLASSIFICATION:
            yield from self._roc("", self.roc_lines())
        elif analysis is AnalysisType.MULTICLASS:
            for index, name in enumerate(self.dataset.classes):
                yield from self._roc(f"_{name}", self.roc_lines_of_class(index))
        else:
            self.log.info(f"{self.dataset.name} is a regression: it has no ROC curves and no overtraining check")

    # ------------------------------------------------------------------------------------------ events

    @cached_property
    def _trees(self) -> dict[str, TreeColumns]:
        found = {}
        for which in ("TestTree", "TrainTree"):
            try:
                columns = self.dataset.tree(which)
            except MvakitError as error:
                self.log.info(f"{error}")
                continue
            if {"classID", "weight"} <= set(columns):
                found[which] = columns
        return found

    def _scores(self, title: str, which: str) -> FloatArray | None:
        """Return a method's responses in a tree, or None if there are none."""
        columns = self._trees.get(which)
        if columns is None or title not in columns:
            return None
        return np.asarray(columns[title], dtype=np.float64)

    def two_classes(self, title: str, which: str = "TestTree") -> TwoClassSample | None:
        """Return a classifier's responses in a tree by class, or None if there are none."""
        scores = self._scores(title, which)
        if scores is None:
            return None
        columns = self._trees[which]
        classes = self.dataset.classes
        signal = classes.index("Signal") if "Signal" in classes else 0
        return TwoClassSample.from_arrays(
            scores, columns["classID"] == signal, columns["weight"], what=f"responses of {title} in {which}"
        )

    # ------------------------------------------------------------------------------------------ ROC

    def roc_lines(self) -> list[RocLine]:
        """Return the ROC curve of every classifier that has one: exact from the events, else from the histogram."""
        lines = []
        for method in self.dataset.methods:
            title = method.title
            try:
                # A method without distributions of its response (Cuts) keeps in the tree its answer to one cut only.
                distributed = self._histogram(title, "S") is not None
                sample = self.two_classes(title) if distributed else None
                curve = self._histogram(title, "effBvsS")
                if sample is not None:
                    lines.append(RocLine.of(title, roc_curve_of(sample, orientation=sample.orientation)))
                elif curve is not None:
                    area = roc_integral(curve.values)
                    lines.append(RocLine(title, curve.centers, curve.values, area))
                else:
                    self.log.info(f"{title} has neither responses in TestTree nor a histogram of its ROC curve")
            except MvakitError as error:
                self.log.warning(f"the ROC curve of {title} is not drawn: {error}")
        return lines

    def roc_lines_of_class(self, index: int) -> list[RocLine]:
        """Return, for every multiclass method, the ROC curve of one class against all others."""
        lines = []
        for method in self.dataset.methods:
            scores = self._scores(method.title, "TestTree")
            if scores is None or scores.ndim != 2 or index >= scores.shape[1]:
                self.log.info(f"{method.title} has no responses of class {index} in TestTree")
                continue
            columns = self._trees["TestTree"]
            try:
                sample = TwoClassSample.from_arrays(
                    scores[:, index],
                    columns["classID"] == index,
                    columns["weight"],
                    what=f"responses of {method.title}",
                )
                lines.append(RocLine.of(method.title, roc_curve_of(sample)))
            except MvakitError as error:
                self.log.warning(f"the ROC curve of {method.title} is not drawn: {error}")
        return lines

    def _roc(self, suffix: str, lines: list[RocLine]) -> Iterator[View]:
        if not lines:
            self.log.info(f"{self.dataset.name} has no ROC curves{suffix and f' of {suffix[1:]}'}")
            return
        for form in get_args(RocForm):
            yield View(f"{form}{suffix}", partial(roc_figure, lines, form))

    # ------------------------------------------------------------------------------------------ inputs

    def _variables(self) -> Iterator[View]:
        if not self.dataset.transformations:
            self.log.info(f"{self.dataset.name} has no histograms of the input variables")
        for transformation in self.dataset.transformations:
            panels = []
            for variable in (*self.dataset.variables, *self.dataset.targets):
                try:
                    panels.append(self._panel(variable, transformation))
                except MvakitError as error:
                    self.log.info(f"{error}")
            for page, start in enumerate(range(0, len(panels), _PAGE), 1):
                name = f"variables_{transformation.lower()}_c{page}"
                yield View(name, partial(variables_figure, panels[start : start + _PAGE]))

    def _panel(self, variable: Variable, transformation: str) -> VariablePanel:
        histograms = {
            name: self.dataset.input_histogram(variable.label, name, transformation) for name in self.dataset.classes
        }
        # A transformed variable is a mixture of others, or on another scale: the unit is lost.
        if transformation == "Id":
            return VariablePanel(variable.title, variable.unit, histograms)
        return VariablePanel(f"{variable.title} ({transformation})", "", histograms)

    def _correlations(self) -> Iterator[View]:
        for name in self.dataset.classes:
            try:
                titles, percent = self.dataset.correlation_matrix(name)
            except MvakitError as error:
                self.log.info(f"{error}")
                continue
            short = {AnalysisType.CLASSIFICATION: _LETTERS.get(name, name), AnalysisType.REGRESSION: ""}
            title = "" if self.dataset.analysis is AnalysisType.REGRESSION else name
            yield View(
                f"correlation{short.get(self.dataset.analysis, name)}",
                partial(correlation_figure, titles, percent, title),
            )

    # ------------------------------------------------------------------------------------------ methods

    def _histogram(self, title: str, name: str) -> Histogram | None:
        return self.dataset.method_histogram(title, f"MVA_{title}_{name}")

    def _pair(self, title: str, middle: str = "", end: tuple[str, str] = ("S", "B")) -> dict[str, Histogram] | None:
        """Return two histograms of a method, of signal and background, or None where one is missing."""
        found = {
            name: self._histogram(title, middle + letter)
            for name, letter in zip(("Signal", "Background"), end, strict=True)
        }
        there = {name: histogram for name, histogram in found.items() if histogram is not None}
        return there if len(there) == len(found) else None

    def _classifier(self, method: MethodEntry) -> Iterator[View]:
        title = method.title
        test, training = self._pair(title), self._pair(title, "Train_")
        if test is None:
            self.log.info(f"{title} has no distributions of a response: no plots of it")
        else:
            yield View(f"mva_{title}", partial(response_figure, test, f"{title} response"))
            if training is None:
                self.log.info(f"{title} has no response in the training sample: no overtraining check")
            else:
                yield View(f"overtrain_{title}", partial(self._overtraining, title, test, training))
        for prefix, middle, x_title in (
            ("proba", "Proba_", f"{title} signal probability"),
            ("rarity", "Rarity_", f"{title} signal rarity"),
        ):
            pair = self._pair(title, middle)
            if pair is not None:
                yield View(f"{prefix}_{title}", partial(response_figure, pair, x_title))
        efficiencies = self._pair(title, "eff")
        if test is not None and efficiencies is not None:
            yield View(
                f"mvaeffs_{title}",
                partial(cut_efficiency_figure, title, (efficiencies["Signal"], efficiencies["Background"])),
            )

    def _overtraining(
        self, title: str, test: Mapping[str, Histogram], training: Mapping[str, Histogram], **keywords: Any
    ) -> Any:
        return overtraining_figure(title, test, training, self.ks(title, test, training), **keywords)

    def ks(
        self, title: str, test: Mapping[str, Histogram], training: Mapping[str, Histogram]
    ) -> dict[str, KolmogorovSmirnov]:
        """Compare the responses of the test and the training sample, class by class.

        Event by event where both trees hold them, else bin by bin.
        """
        samples = [self.two_classes(title, which) for which in ("TestTree", "TrainTree")]
        first, second = samples
        if first is None or second is None:
            return {name: ks_binned(_fixed_bins(test[name]), _fixed_bins(training[name])) for name in test}
        return {
            "Signal": _compare(first.signal, second.signal),
            "Background": _compare(first.background, second.background),
        }

    def _multiclass(self, method: MethodEntry) -> Iterator[View]:
        title, classes = method.title, self.dataset.classes
        for output, name in enumerate(classes):
            found = [
                {
                    true: histogram
                    for true in classes
                    if (histogram := self._histogram(title, f"{which}_{name}_prob_for_{true}")) is not None
                }
                for which in ("Test", "Train")
            ]
            test, training = found
            if len(test) < len(classes):
                self.log.info(f"{title} has no distributions of its response for class {name}")
                continue
            yield View(f"mva_{title}_{name}", partial(response_figure, test, f"{title} response for {name}"))
            if len(training) == len(classes):
                yield View(
                    f"overtrain_{title}_{name}",
                    partial(overtraining_figure, f"{title} {name}", test, training, self._ks_of_output(title, output)),
                )

    def _ks_of_output(self, title: str, output: int) -> dict[str, KolmogorovSmirnov]:
        scores = [self._scores(title, which) for which in ("TestTree", "TrainTree")]
        found = {}
        for index, name in enumerate(self.dataset.classes):
            columns = []
            for which, values in zip(("TestTree", "TrainTree"), scores, strict=True):
                if values is None or values.ndim != 2 or output >= values.shape[1]:
                    return {}
                chosen = self._trees[which]["classID"] == index
                columns.append((values[chosen, output], self._trees[which]["weight"][chosen]))
            (test, test_weights), (training, training_weights) = columns
            found[name] = ks_unbinned(test, training, test_weights, training_weights)
        return found

    def _regression(self, method: MethodEntry) -> Iterator[View]:
        title = method.title
        for name in self.dataset.method_names(title):
            # MVA_<title>test_reg_var0_rtgt0 against an input, ..._reg_tgt0_rtgt0 against the target.
            for which in ("test", "train"):
                prefix = f"MVA_{title}{which}_reg_"
                histogram = self.dataset.method_histogram_2d(title, name) if name.startswith(prefix) else None
                if histogram is not None:
                    yield View(
                        f"deviation_{title}_{which}_{name.removeprefix(prefix)}",
                        partial(deviation_figure, f"{title} ({'training' if which == 'train' else 'test'})", histogram),
                    )

    def _history(self, method: MethodEntry) -> Iterator[View]:
        curves = []
        for curve in self.dataset.curves(method.title):
            if np.any(curve.y != 0.0):
                curves.append(curve)
            else:
                self.log.info(f"{method.title} recorded nothing but zeros for {curve.name}")
        if curves:
            yield View(f"training_{method.title}", partial(history_figure, method.title, curves))


def _compare(first: ClassSample, second: ClassSample) -> KolmogorovSmirnov:
    return ks_unbinned(first.values, second.values, first.weights, second.weights)


def _fixed_bins(histogram: Histogram) -> Histogram1D:
    """Return a histogram of a file as the evaluation knows them."""
    flow = ([histogram.underflow], [histogram.overflow])
    return Histogram1D(
        histogram.name,
        histogram.title,
        float(histogram.edges[0]),
        float(histogram.edges[-1]),
        np.concatenate([flow[0], histogram.values, flow[1]]),
        np.concatenate([[0.0], histogram.variances, [0.0]]),
    )

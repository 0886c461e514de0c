"""The input variables: distributions, pairs, and correlation matrices."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any, Final

from mvakit.errors import ResultFileError
from mvakit.resultfile import ResultDataset
from mvakit.types import AnalysisType
from mvakit.variables import Variable
from mvakit_gui.catalogue import Group, Keys, Pages, View
from mvakit_gui.figures import (
    PairPanel,
    VariablePanel,
    correlation_figure,
    pair_figure,
    variables_figure,
)
from mvakit_gui.figures.maps import profile_of
from mvakit_gui.views.source import LETTERS, Source

__all__ = ["correlations", "pairs", "variables"]

_PAGE: Final = 6
_PROFILE: Final = 40
_NO_INPUTS: Final = "the file has none of the training sample: there is no directory InputVariables_Id or the like"


def _letter(number: int) -> str:
    """Return a, b, ..., z, aa, ab, ..."""
    return ("" if number < 26 else _letter(number // 26 - 1)) + chr(ord("a") + number % 26)


def _called(transformation: str) -> str:
    return "" if transformation == "Id" else f", {transformation}-transformed"


def _title(variable: Variable, transformation: str) -> str:
    return variable.title if transformation == "Id" else f"{variable.title} ({transformation})"


def variables(sources: Sequence[Source], keys: Keys) -> Iterator[Group]:
    """Yield 1a, 1b, ...: the variables, and in a regression the targets, after each transformation.

    Of several files each has its own views, with the outlines of the others over them.
    """
    regression = sources[0].dataset.analysis is AnalysisType.REGRESSION
    what = "Input variables and targets" if regression else "Input variables"
    transformations = _transformations(sources)
    if not transformations:
        yield Group("1a", f"{what}, training sample", (), _NO_INPUTS)
    for number, transformation in enumerate(transformations):
        title = f"{what}{_called(transformation)}, training sample"
        views: list[View] = []
        there = [source for source in sources if transformation in source.dataset.transformations]
        for source in there:
            dataset = source.dataset
            count = len(dataset.variables) + len(dataset.targets)
            others = [other for other in there if other is not source]
            for page, start in enumerate(range(0, count, _PAGE), 1):
                panels = functools.partial(_panels, dataset, transformation, start)
                shown = title if count <= _PAGE else f"{title}, {start + 1} to {min(start + _PAGE, count)}"
                ending = [source.label] if source.label else []
                views.append(
                    View(
                        keys("variables", transformation.lower(), f"c{page}", *ending),
                        "_".join(["variables", transformation.lower(), f"c{page}", *ending]), source.shown(shown),
                        f"Distributions of {what.lower()}{_called(transformation)} in the training sample, class by class.",
                        functools.partial(_variables_chart, panels, source.label, others, transformation),
                        functools.partial(_variables_figure, panels),
                    )
                )  # fmt: skip
        yield Group(f"1{_letter(number)}", title, tuple(views), None if views else "no variable has a histogram")


def _transformations(sources: Sequence[Source]) -> list[str]:
    """Return those of any file, in the order of the first that has them."""
    return list(dict.fromkeys(name for source in sources for name in source.dataset.transformations))


def _panels(dataset: ResultDataset, transformation: str, start: int) -> list[VariablePanel]:
    panels = []
    for variable in (*dataset.variables, *dataset.targets)[start : start + _PAGE]:
        histograms = {}
        for name in dataset.classes:
            try:
                histograms[name] = dataset.input_histogram(variable.label, name, transformation)
            except ResultFileError:
                continue  # a target that a transformation leaves out
        if histograms:
            # A transformed variable is a mixture of others, or on another scale: the unit is lost.
            unit = variable.unit if transformation == "Id" else ""
            panels.append(VariablePanel(_title(variable, transformation), unit, histograms))
    return panels


def _variables_chart(panels: Any, label: str, sources: Sequence[Source], transformation: str) -> Any:
    from mvakit_gui.charts.distributions import variables_chart

    drawn = panels()
    others: dict[str, dict[str, Any]] = {}
    for source in sources:
        count = len(source.dataset.variables) + len(source.dataset.targets)
        for start in range(0, count, _PAGE):
            for panel in _panels(source.dataset, transformation, start):
                others.setdefault(panel.title, {})[source.label] = panel.histograms
    return variables_chart(drawn, others, label=label)


def _variables_figure(panels: Any, **keywords: Any) -> Any:
    return variables_figure(panels(), **keywords)


# ---------------------------------------------------------------------------------------------- pairs


def pairs(sources: Sequence[Source], keys: Keys) -> Iterator[Group]:
    """Yield 2a, 2b, ...: each variable against all others, events and profile, after each transformation."""
    transformations = _transformations(sources)
    if not transformations:
        yield Group("2a", "Input variable correlations, scatter plots and profiles", (), _NO_INPUTS)
    for number, transformation in enumerate(transformations):
        title = f"Input variable correlations{_called(transformation)}, scatter plots and profiles"
        there = [source for source in sources if transformation in source.dataset.transformations]
        views = [
            _pair_view(source, transformation, variable, name, keys)
            for source in there
            if any(name.startswith("scat_") for name in source.dataset.pair_names(transformation))
            for variable in source.dataset.variables
            for name in source.dataset.classes
        ]
        count = len(there[0].dataset.variables)
        reason = "there is one variable only" if count < 2 else (
            f"the file has no scat_* in InputVariables_{transformation}/CorrelationPlots; none are made of more than "
            f"20 variables, and there are {count}"
        )  # fmt: skip
        yield Group(f"2{_letter(number)}", title, tuple(views), None if views else reason)


def _pair_view(source: Source, transformation: str, variable: Variable, name: str, keys: Keys) -> View:
    dataset = source.dataset
    others = [other for other in dataset.variables if other.label != variable.label]
    number = -(-len(others) // _PAGE)
    of_class = "" if dataset.analysis is AnalysisType.REGRESSION else f" ({name})"
    title = source.shown(f"{variable.title} against the other variables{_called(transformation)}{of_class}")

    def page(i: int) -> View:
        panels = functools.partial(_pair_panels, dataset, transformation, variable, name, i)
        return View(
            key, f"scat_{variable.label}_{name}_{transformation}_c{i + 1}", title,
            f"Bins of events and profiles of {variable.title} against each other variable{_called(transformation)}{of_class}.",
            functools.partial(_pair_chart, panels), functools.partial(_pair_figure, panels, of_class.strip(" ()")),
            pages=pages, in_print=transformation == "Id",
        )  # fmt: skip

    key = keys("scatter", transformation.lower(), variable.label, name, *([source.label] if source.label else []))
    pages = Pages(lambda: number, page, "page") if number > 1 else None
    return page(0)


def _pair_panels(
    dataset: ResultDataset, transformation: str, variable: Variable, name: str, page: int
) -> list[PairPanel]:
    others = [other for other in dataset.variables if other.label != variable.label]
    panels = []
    for other in others[page * _PAGE : (page + 1) * _PAGE]:
        histogram = dataset.input_pair(variable.label, other.label, name, transformation)
        try:
            profile = dataset.input_profile(variable.label, other.label, name, transformation)
        except ResultFileError:
            profile = profile_of(histogram, _PROFILE)  # the file has the profile the other way round
        panels.append(PairPanel(_title(variable, transformation), _title(other, transformation), histogram, profile))
    return panels


def _pair_chart(panels: Any) -> Any:
    from mvakit_gui.charts.maps import pair_chart

    return pair_chart(panels())


def _pair_figure(panels: Any, title: str, **keywords: Any) -> Any:
    return pair_figure(panels(), title, **keywords)


# ---------------------------------------------------------------------------------------------- matrices


def correlations(sources: Sequence[Source], keys: Keys) -> Group:
    """Return 3, the matrices of linear correlations."""
    title = "Linear correlation coefficients of the input variables"
    views = []
    for source in sources:
        dataset = source.dataset
        for name in dataset.correlated:
            two = dataset.analysis is AnalysisType.CLASSIFICATION
            short = "" if dataset.analysis is AnalysisType.REGRESSION else LETTERS.get(name, name) if two else name
            of_class = name if short else ""
            shown = source.shown(f"Linear correlations{f' ({of_class})' if of_class else ''}")
            views.append(
                View(
                    keys("correlation", *([short] if short else []), *([source.label] if source.label else [])),
                    f"correlation{short}{source.label and f'_{source.label}'}", shown,
                    f"Matrix of linear correlation coefficients of the variables, in percent{f', {of_class}' if of_class else ''}.",
                    functools.partial(_correlation_chart, dataset, name),
                    functools.partial(_correlation_figure, dataset, name, of_class),
                )
            )  # fmt: skip
    return Group("3", title, tuple(views), None if views else "the file has no CorrelationMatrix*")


def _correlation_chart(dataset: ResultDataset, name: str) -> Any:
    from mvakit_gui.charts.maps import correlation_chart

    return correlation_chart(*dataset.correlation_matrix(name))


def _correlation_figure(dataset: ResultDataset, name: str, title: str, **keywords: Any) -> Any:
    return correlation_figure(*dataset.correlation_matrix(name), title, **keywords)

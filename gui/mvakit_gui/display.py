"""What low rooms may ask to be drawn, by the entry point ``mvakit.display``; they know these names and nothing else.

Figures come back as named tuples with ``figure``, ``axes`` and the artists; a notebook shows the chart of the same results,
or a picture where it cannot.
"""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy.typing as npt

from mvakit.errors import DataError, ResultFileError, did_you_mean
from mvakit.evaluation import ClassificationResult, Curve, MulticlassResult, RegressionResult, ResponseHistograms
from mvakit.evaluation.regression_results import Deviation
from mvakit.method import Forest
from mvakit.model import Model
from mvakit.resultfile import ResultFile
from mvakit.types import AnalysisType
from mvakit_gui.catalogue import Catalogue, View
from mvakit_gui.doors import TMVAGui, save_report, serve_gui
from mvakit_gui.figures import (
    AverageDeviation,
    CorrelationFigure,
    HistoryFigure,
    OvertrainingFigure,
    RocFigure,
    RocForm,
    RocLine,
    Style,
    TreeFigure,
    average_deviation_figure,
    correlation_figure,
    figure_bytes,
    history_figure,
    overtraining_figure,
    roc_figure,
    tree_figure,
    tree_layout,
)
from mvakit_gui.figures.saving import mimebundle
from mvakit_gui.plots import save_plots
from mvakit_gui.views.source import Source

__all__ = [
    "TMVAGui",
    "draw_correlations",
    "draw_history",
    "draw_overtraining",
    "draw_result",
    "draw_roc",
    "draw_tree",
    "draw_view",
    "repr_html",
    "save_plots",
    "save_report",
    "serve_gui",
]


def draw_roc(
    results: Iterable[ClassificationResult | RocLine],
    form: RocForm = "rejBvsS",
    *,
    label: str | None = None,
    style: Style = None,
) -> RocFigure:
    """Draw the ROC curves of the test samples of several results in one figure.

    Parameters
    ----------
    results : iterable of ClassificationResult or RocLine
    form : {"rejBvsS", "invBeffvsSeff", "effBvsS"}
    label, style
        See `mvakit_gui.figures.roc_figure`.

    Raises
    ------
    DataError
        If there is no result.
    """
    lines = [RocLine.of_result(r) if isinstance(r, ClassificationResult) else r for r in results]

    def chart() -> Any:
        from mvakit_gui.charts.roc import roc_chart

        return roc_chart(lines, form)

    return roc_figure(lines, form, label=label, style=style)._replace(make_chart=chart)


def draw_overtraining(
    histograms: ResponseHistograms,
    result: ClassificationResult | None = None,
    *,
    logy: bool = False,
    label: str | None = None,
    style: Style = None,
) -> OvertrainingFigure:
    """Draw a response in the test and in the training sample.

    Parameters
    ----------
    histograms : ResponseHistograms
        With those of the training sample.
    result : ClassificationResult, optional
        Where the Kolmogorov-Smirnov probabilities are taken from.
    logy, label, style
        See `mvakit_gui.figures.overtraining_figure`.

    Raises
    ------
    DataError
        If there are no histograms of a training sample.
    """
    training = histograms.training
    if training is None:
        raise DataError(f"{histograms.title} has no responses of a training sample to compare with")
    ks = None
    if result is not None and result.ks is not None:
        ks = dict(zip(("Signal", "Background"), result.ks, strict=True))
    test = {"Signal": histograms.signal, "Background": histograms.background}
    trained = {"Signal": training.signal, "Background": training.background}

    def chart() -> Any:
        from mvakit_gui.charts.distributions import ResponsePanel, response_chart

        said = ", ".join(f"{name} {float(value):.3g}" for name, value in (ks or {}).items())
        notes = [f"K–S probability of test and training: {said}"] if said else []
        panel = ResponsePanel(histograms.title, test, trained, notes)
        return response_chart([panel], f"{histograms.title} response")

    drawn = overtraining_figure(histograms.title, test, trained, ks, logy=logy, label=label, style=style)
    return drawn._replace(make_chart=chart)


def draw_correlations(
    names: Sequence[str], percent: npt.ArrayLike, title: str = "", *, label: str | None = None, style: Style = None
) -> CorrelationFigure:
    """Draw a matrix of linear correlations in percent; see `mvakit_gui.figures.correlation_figure`."""

    def chart() -> Any:
        from mvakit_gui.charts.maps import correlation_chart

        return correlation_chart(names, percent)

    return correlation_figure(names, percent, title, label=label, style=style)._replace(make_chart=chart)


def draw_history(
    title: str, curves: Sequence[Curve], *, label: str | None = None, style: Style = None
) -> HistoryFigure:
    """Draw what a training recorded of itself; see `mvakit_gui.figures.history_figure`."""

    def chart() -> Any:
        from mvakit_gui.charts.curves import history_chart

        return history_chart({title: curves})

    return history_figure(title, curves, label=label, style=style)._replace(make_chart=chart)


def draw_tree(model: Model, tree: int = 0, *, label: str | None = None, style: Style = None) -> TreeFigure:
    """Draw one tree of a model that is a forest, as TMVA's viewer does.

    Parameters
    ----------
    model : Model
    tree : int
        Counted from 0, as TMVA does.
    label, style
        See `mvakit_gui.figures.tree_figure`.

    Raises
    ------
    DataError
        If the model is no forest, there is no such tree, or it is too large to be drawn.
    """
    forest = model.structure()
    if not isinstance(forest, Forest):
        raise DataError(
            f"{model.title} cannot be drawn as a tree: {model.method.name} is no forest whose cuts are on one variable each"
        )
    classes = model.classes if model.analysis is AnalysisType.MULTICLASS else ()
    layout = tree_layout(
        forest, tree, [v.label for v in model.variables], title=model.title, analysis=model.analysis, classes=classes
    )
    return tree_figure(layout, label=label, style=style)


def draw_view(path: str | os.PathLike[str], dataset: str, name: str, page: int = 0) -> View:
    """Return a view of a result file by its name among TMVA's plots: ``"overtrain_BDTG"``.

    It reads the file when it is looked at, which stays open as long as the view lives.

    Parameters
    ----------
    path : path-like
    dataset : str
    name : str
    page : int
        Of a view with many pages: ``"tree_BDTG_0"`` is the first tree, and page 17 its tree 17.

    Raises
    ------
    ResultFileError
        If the file has no such dataset, or cannot feed this view.
    """
    catalogue = Catalogue([Source.of(ResultFile(path), dataset)])
    views = {view.name: view for view in catalogue}
    if name in views:
        return views[name] if page == 0 else catalogue.view(f"{views[name].key}.{page}")
    raise ResultFileError(
        f"{str(path)!r} has no view {name!r} of {dataset!r}; {did_you_mean(name, views, noun='its views')}"
    )


def draw_result(result: ClassificationResult | MulticlassResult | RegressionResult) -> dict[str, Any]:
    """Return what a notebook shows of a result beside its table: a picture, and the chart that the browser has.

    ROC curves of a classifier, and of each class of several against the rest; the deviations of a regression.
    """
    if isinstance(result, RegressionResult):
        parts = [(p, "test sample") for p in result.test] + [(p, "training sample") for p in result.train or ()]
        several = len(result.targets) > 1
        deviations = [
            _average(f"{result.title} {part.name}" if several else result.title, f"{sample}, {within}", deviation)
            for part, sample in parts
            for deviation, within in ((part.full, "all events"), (part.truncated, "within 2 sigma"))
        ]

        def chart() -> Any:
            from mvakit_gui.charts.curves import average_deviation_chart

            return average_deviation_chart(deviations)

        bundle = mimebundle(average_deviation_figure(deviations).figure, chart)
    else:
        lines = _lines(result)

        def chart() -> Any:
            from mvakit_gui.charts.roc import roc_chart

            return roc_chart(lines, notes=str(result).splitlines())

        bundle = mimebundle(roc_figure(lines).figure, chart)
    return {kind: value for kind, value in bundle.items() if kind != "text/plain"}


def _average(method: str, kind: str, deviation: Deviation) -> AverageDeviation:
    """Return the root of the mean squared deviation: RMS and bias, which are independent, in quadrature."""
    value = math.hypot(deviation.bias, deviation.rms)
    error = math.hypot(deviation.bias * deviation.bias_error, deviation.rms * deviation.rms_error)
    return AverageDeviation(method, kind, value, error / value if value > 0.0 else 0.0)


def _lines(result: ClassificationResult | MulticlassResult) -> list[RocLine]:
    if isinstance(result, ClassificationResult):
        return [RocLine.of_result(result)]
    trained = [None] * len(result.classes) if result.train is None else result.train.one_vs_rest
    return [
        RocLine.of(f"{result.title}: {name} against the rest", test, train)
        for name, test, train in zip(result.classes, result.test.one_vs_rest, trained, strict=True)
    ]


def repr_html(results: ClassificationResult | Iterable[ClassificationResult]) -> str:
    """Return a table of results and their ROC curves as HTML, for a notebook.

    Raises
    ------
    DataError
        If there is no result.
    """
    listed = [results] if isinstance(results, ClassificationResult) else list(results)
    picture = base64.b64encode(figure_bytes(draw_roc(listed).figure, "png", dpi=80)).decode("ascii")
    image = f'<img alt="ROC curves" src="data:image/png;base64,{picture}">'
    if len(listed) == 1:
        return f"<div>{listed[0]._repr_html_()}{image}</div>"
    points = [f"signal efficiency at B={e.background_efficiency:.2f}" for e in listed[0].efficiencies]
    head = "".join(f"<th>{escape(name)}</th>" for name in ("method", "ROC integral", *points))
    rows = "".join(
        "<tr>"
        f"<th>{escape(result.title)}</th><td>{result.auc:.4f} ± {result.auc_error:.4f}</td>"
        + "".join(f"<td>{escape(str(efficiency))}</td>" for efficiency in result.efficiencies)
        + "</tr>"
        for result in sorted(listed, key=lambda result: -result.auc)
    )
    return f"<div><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{image}</div>"

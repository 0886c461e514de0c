"""What low rooms may ask to be drawn, by the entry point ``mvakit.display``; they know these names and nothing else.

Figures come back as named tuples with ``figure``, ``axes`` and the artists; a notebook shows them as pictures.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape

import numpy.typing as npt

from mvakit.errors import DataError
from mvakit.evaluation import ClassificationResult, Curve, ResponseHistograms
from mvakit_gui.figures import (
    CorrelationFigure,
    HistoryFigure,
    OvertrainingFigure,
    RocFigure,
    RocForm,
    RocLine,
    Style,
    correlation_figure,
    figure_bytes,
    history_figure,
    overtraining_figure,
    roc_figure,
)
from mvakit_gui.plots import save_plots

__all__ = [
    "draw_correlations",
    "draw_history",
    "draw_overtraining",
    "draw_roc",
    "repr_html",
    "save_plots",
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
    return roc_figure(lines, form, label=label, style=style)


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
    return overtraining_figure(
        histograms.title,
        {"Signal": histograms.signal, "Background": histograms.background},
        {"Signal": training.signal, "Background": training.background},
        ks,
        logy=logy,
        label=label,
        style=style,
    )


def draw_correlations(
    names: Sequence[str], percent: npt.ArrayLike, title: str = "", *, label: str | None = None, style: Style = None
) -> CorrelationFigure:
    """Draw a matrix of linear correlations in percent; see `mvakit_gui.figures.correlation_figure`."""
    return correlation_figure(names, percent, title, label=label, style=style)


def draw_history(
    title: str, curves: Sequence[Curve], *, label: str | None = None, style: Style = None
) -> HistoryFigure:
    """Draw what a training recorded of itself; see `mvakit_gui.figures.history_figure`."""
    return history_figure(title, curves, label=label, style=style)


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

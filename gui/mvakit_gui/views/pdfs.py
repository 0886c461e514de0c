"""PDFs that were made of histograms: of the responses, and of the variables of a likelihood."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Final

from mvakit.resultfile import Histogram
from mvakit_gui.catalogue import Group, Keys, View
from mvakit_gui.figures import PdfPanel, pdf_figure
from mvakit_gui.views.source import LETTERS, Source

__all__ = ["references", "response_pdfs"]

_PAGE: Final = 6
_SUFFIXES: Final = {"Signal": "_sig", "Background": "_bgd"}


def _fine(source: Source, title: str, name: str) -> Histogram | None:
    """Return the fine histogram of the PDF that was made of a histogram: ``<name>_smoothed_hist_from_spline2``."""
    for candidate in sorted(source.names(title)):
        if candidate.startswith(name) and candidate[len(name) :].startswith(("_smoothed_hist_from_", "_hist_from_")):
            return source.histogram(title, candidate)
    return None


def _panel(source: Source, title: str, shown: str, names: dict[str, str]) -> PdfPanel:
    histograms, pdfs = {}, {}
    for class_name, name in names.items():
        histograms[class_name] = source.histogram(title, name)
        fine = _fine(source, title, name)
        if fine is not None:
            pdfs[class_name] = fine
    return PdfPanel(shown, histograms, pdfs)


def response_pdfs(sources: Sequence[Source], keys: Keys) -> Group:
    """Return 7, the PDFs of the responses."""
    views = []
    for source in sources:
        for method in source.having("{}_tr_S", "{}_tr_B"):
            shown = source.shown(method.title)
            names = {name: f"{method.title}_tr_{letter}" for name, letter in LETTERS.items()}
            panels = functools.partial(_response_panels, source, method.title, names)
            views.append(
                View(
                    keys("pdf", shown), f"mvapdf_{shown}", f"{shown}: PDF of the response",
                    f"Histograms of the response of {shown} in the training sample, and the PDFs that were made of them.",
                    functools.partial(_chart, panels), functools.partial(_figure, panels), (shown,),
                )
            )  # fmt: skip
    reason = "no method was booked with CreateMVAPdfs: there are no histograms <title>_tr_S and <title>_tr_B"
    return Group("7", "PDFs of the classifiers", tuple(views), None if views else reason)


def _response_panels(source: Source, title: str, names: dict[str, str]) -> list[PdfPanel]:
    return [_panel(source, title, f"{source.shown(title)} response", names)]


def references(key: str, sources: Sequence[Source], keys: Keys) -> Group:
    """Return 9, the reference distributions of a likelihood."""
    views = []
    for source in sources:
        for method in source.dataset.methods:
            present = source.names(method.title)
            labels = [name.removesuffix("_sig") for name in sorted(present) if name.endswith("_sig")]
            labels = [label for label in labels if f"{label}_bgd" in present]
            order = {v.label: i for i, v in enumerate(source.dataset.variables)}
            labels.sort(key=lambda label: order.get(label, len(order)))
            shown = source.shown(method.title)
            for page, start in enumerate(range(0, len(labels), _PAGE), 1):
                panels = functools.partial(_reference_panels, source, method.title, labels[start : start + _PAGE])
                views.append(
                    View(
                        keys("likelihood", shown, f"c{page}"), f"likelihood_{shown}_c{page}",
                        f"{shown}: reference distributions" + (f", page {page}" if len(labels) > _PAGE else ""),
                        f"Histograms of the variables in the training sample, and the PDFs that {shown} made of them.",
                        functools.partial(_chart, panels), functools.partial(_figure, panels), (shown,),
                    )
                )  # fmt: skip
    reason = "no method left reference distributions: there are no histograms <variable>_sig and <variable>_bgd"
    return Group(key, "Likelihood reference distributions", tuple(views), None if views else reason)


def _reference_panels(source: Source, title: str, labels: Sequence[str]) -> list[PdfPanel]:
    titles = {v.label: v.title for v in source.dataset.variables}
    return [
        _panel(source, title, titles.get(label, label), {name: label + end for name, end in _SUFFIXES.items()})
        for label in labels
    ]


def _chart(panels: Any) -> Any:
    from mvakit_gui.charts.curves import pdf_chart

    return pdf_chart(panels())


def _figure(panels: Any, **keywords: Any) -> Any:
    return pdf_figure(panels(), **keywords)

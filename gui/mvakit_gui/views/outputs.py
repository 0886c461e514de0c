"""Distributions of the responses of classifiers: test, test over training, probability, rarity."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from mvakit.evaluation import ClassSample, Histogram1D, KolmogorovSmirnov, ks_binned, ks_unbinned
from mvakit.resultfile import Histogram
from mvakit_gui.catalogue import Group, Keys, View
from mvakit_gui.densities import density_of
from mvakit_gui.figures import overtraining_figure, response_figure
from mvakit_gui.views.source import LETTERS, Source, gather, in_several, listed

__all__ = ["comparisons", "distributions", "fixed_bins", "ks_of", "probabilities", "rarities"]


def fixed_bins(histogram: Histogram) -> Histogram1D:
    """Return a histogram of a file as the evaluation knows them."""
    return Histogram1D(
        histogram.name,
        histogram.title,
        float(histogram.edges[0]),
        float(histogram.edges[-1]),
        np.concatenate([[histogram.underflow], histogram.values, [histogram.overflow]]),
        np.concatenate([[0.0], histogram.variances, [0.0]]),
    )


def _compare(first: ClassSample, second: ClassSample) -> KolmogorovSmirnov:
    return ks_unbinned(first.values, second.values, first.weights, second.weights)


def ks_of(source: Source, title: str) -> tuple[dict[str, KolmogorovSmirnov] | None, dict[str, KolmogorovSmirnov]]:
    """Compare a classifier's responses in the test and the training sample, class by class.

    Returns
    -------
    events : dict or None
        Event by event, where both trees hold the responses.
    bins : dict
        Bin by bin, as ROOT's ``TH1::KolmogorovTest`` without options; TMVA's own number adds pseudo-experiments to it.
    """
    test, training = source.pair(title), source.pair(title, "Train_")
    bins = {name: ks_binned(fixed_bins(test[name]), fixed_bins(training[name])) for name in test}
    if not (source.has_events(title) and source.has_events(title, "TrainTree")):
        return None, bins
    first, second = (source.two_classes(title, which) for which in ("TestTree", "TrainTree"))
    return {
        "Signal": _compare(first.signal, second.signal),
        "Background": _compare(first.background, second.background),
    }, bins


def _notes(source: Source, title: str) -> list[str]:
    events, bins = ks_of(source, title)
    said = [
        (how, ", ".join(f"{name} {ks.probability:.3g}" for name, ks in found.items()))
        for how, found in (("event by event", events), ("40 bins, as ROOT", bins))
        if found
    ]
    return ["K–S probability of test and training: " + "; ".join(f"{text} ({how})" for how, text in said)]


def _group(
    key: str, title: str, sources: Sequence[Source], keys: Keys, *, prefix: str, middle: str, noun: str, reason: str,
    training: bool = False,
) -> Group:  # fmt: skip
    patterns = [f"MVA_{{}}_{middle}{letter}" for letter in LETTERS.values()]
    if training:
        patterns += [f"MVA_{{}}_Train_{letter}" for letter in LETTERS.values()]
    there = [(source, method.title) for source in sources for method in source.having(*patterns)]
    if not there:
        return Group(key, title, (), reason)
    titles = tuple(source.shown(method) for source, method in there)
    what = f"{noun} of signal and background in the test sample{' and in the training sample' if training else ''}"

    def chart(chosen: Sequence[tuple[Source, str]]) -> Any:
        from mvakit_gui.charts.distributions import ResponsePanel, response_chart

        def panel(source: Source, method: str) -> ResponsePanel:
            pair = source.pair(method, middle)
            for histogram in pair.values():
                density_of(histogram)  # an empty one of many is left out
            trained = source.pair(method, "Train_") if training else {}
            return ResponsePanel(
                source.shown(method), pair, trained, _notes(source, method) if training and len(chosen) == 1 else ()
            )

        panels, notes = gather(chosen, panel)
        x_title = noun if len(chosen) > 1 else f"{panels[0].method} {noun}"
        return response_chart(panels, x_title, cuts=not middle, notes=notes)

    def overlay(alike: Sequence[tuple[Source, str]]) -> Any:
        from mvakit_gui.charts.distributions import ResponsePanel, response_chart

        (first, method), *others = alike
        outlines = {source.label: source.pair(title, middle) for source, title in others}
        panel = ResponsePanel(first.shown(method), first.pair(method, middle), {}, others=outlines)
        return response_chart([panel], f"{method} {noun}", cuts=not middle)

    def draw(source: Source, method: str, **keywords: Any) -> Any:
        if training:
            events, bins = ks_of(source, method)
            return overtraining_figure(
                source.shown(method), source.pair(method), source.pair(method, "Train_"), events or bins, **keywords
            )
        return response_figure(source.pair(method, middle), f"{source.shown(method)} {noun}", **keywords)

    def draw_first(**keywords: Any) -> Any:
        return draw(*there[0], **keywords)

    views = []
    if len(there) > 1:
        views.append(
            View(
                keys(prefix), prefix, f"All methods: {noun}", f"Small charts of the {what}, for {listed(titles)}.",
                functools.partial(chart, there), draw_first, titles, in_print=False,
            )
        )  # fmt: skip
    for method, alike in in_several(there).items():
        names = tuple(source.shown(method) for source, _ in alike)
        how = "side by side" if training else "over each other"
        views.append(
            View(
                keys(prefix, "all", method), f"{prefix}_{method}", f"{method}, all files: {noun}",
                f"The {what}, for {method} of {listed([source.label for source, _ in alike])} {how}.",
                functools.partial(chart if training else overlay, alike), functools.partial(draw, *alike[0]), names,
                in_print=False,
            )
        )  # fmt: skip
    for (source, method), shown in zip(there, titles, strict=True):
        views.append(
            View(
                keys(prefix, shown), f"{prefix}_{shown}", f"{shown}: {noun}", f"The {what}, for {shown}.",
                functools.partial(chart, [(source, method)]), functools.partial(draw, source, method), (shown,),
            )
        )  # fmt: skip
    return Group(key, title, tuple(views))


def distributions(sources: Sequence[Source], keys: Keys) -> Group:
    """Return 4a, the responses in the test sample."""
    return _group(
        "4a", "Classifier output distributions, test sample", sources, keys, prefix="mva", middle="", noun="response",
        reason="no method left distributions of its response: there are no histograms MVA_<title>_S and MVA_<title>_B",
    )  # fmt: skip


def comparisons(sources: Sequence[Source], keys: Keys) -> Group:
    """Return 4b, the responses in the test sample and in the training sample."""
    return _group(
        "4b", "Classifier output distributions, test and training sample", sources, keys, prefix="overtrain",
        middle="", noun="response", training=True,
        reason="no method left its response in the training sample: there are no histograms MVA_<title>_Train_S and ..._B",
    )  # fmt: skip


def probabilities(sources: Sequence[Source], keys: Keys) -> Group:
    """Return 4c, the probabilities to be signal."""
    return _group(
        "4c", "Classifier probability distributions, test sample", sources, keys, prefix="proba", middle="Proba_",
        noun="signal probability",
        reason="no method was booked with CreateMVAPdfs: there are no histograms MVA_<title>_Proba_S and ..._B",
    )  # fmt: skip


def rarities(sources: Sequence[Source], keys: Keys) -> Group:
    """Return 4d, the rarities."""
    return _group(
        "4d", "Classifier rarity distributions, test sample", sources, keys, prefix="rarity", middle="Rarity_",
        noun="signal rarity",
        reason="no method was booked with CreateMVAPdfs: there are no histograms MVA_<title>_Rarity_S and ..._B",
    )  # fmt: skip

"""The responses of multiclass methods: for each class, in the test sample and over the training sample."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Final

from mvakit.evaluation import KolmogorovSmirnov, ks_unbinned
from mvakit.resultfile import Histogram
from mvakit_gui.catalogue import Group, Keys, View
from mvakit_gui.figures import overtraining_figure, response_figure
from mvakit_gui.views.source import Source

__all__ = ["comparisons", "distributions", "ks_of_output"]

_TREES: Final = {"Test": "TestTree", "Train": "TrainTree"}


def _names(source: Source, title: str, which: str, output: str) -> dict[str, str]:
    """Return the names of the histograms of the response for a class, by the true class."""
    return {true: f"MVA_{title}_{which}_{output}_prob_for_{true}" for true in source.dataset.classes}


def _histograms(source: Source, title: str, which: str, output: str) -> dict[str, Histogram]:
    return {true: source.histogram(title, name) for true, name in _names(source, title, which, output).items()}


def ks_of_output(source: Source, title: str, output: int) -> dict[str, KolmogorovSmirnov]:
    """Compare the responses for a class in both samples, event by event, by the true class; empty without events."""
    if not all(source.has_events(title, which) for which in _TREES.values()):
        return {}
    test, training = (source.many_classes(title, which) for which in _TREES.values())
    found = {}
    for true, name in enumerate(source.dataset.classes):
        first, second = test.output(output, true), training.output(output, true)
        found[name] = ks_unbinned(first.values, second.values, first.weights, second.weights)
    return found


def _group(key: str, title: str, sources: Sequence[Source], keys: Keys, *, training: bool) -> Group:
    samples = ("Test", "Train") if training else ("Test",)
    views = []
    for source in sources:
        for method in source.dataset.methods:
            for output, name in enumerate(source.dataset.classes):
                wanted = [n for which in samples for n in _names(source, method.title, which, name).values()]
                if not source.has(method.title, *wanted):
                    continue
                shown = source.shown(method.title)
                prefix = "overtrain" if training else "mva"
                where = "test and the training sample" if training else "test sample"
                views.append(
                    View(
                        keys(prefix, shown, name), f"{prefix}_{shown}_{name}", f"{shown}: response for {name}",
                        f"Distributions of the response of {shown} for class {name} over all true classes in the {where}.",
                        functools.partial(_chart, source, method.title, output, training),
                        functools.partial(_figure, source, method.title, output, training), (shown,),
                    )
                )  # fmt: skip
    which = "Train" if training else "Test"
    reason = f"no method left distributions of its responses: there are no histograms MVA_<title>_{which}_<class>_prob_for_<class>"
    return Group(key, title, tuple(views), None if views else reason)


def distributions(sources: Sequence[Source], keys: Keys) -> Group:
    """Return 4a, the responses in the test sample."""
    return _group("4a", "Classifier output distributions, test sample", sources, keys, training=False)


def comparisons(sources: Sequence[Source], keys: Keys) -> Group:
    """Return 4b, the responses in the test sample and in the training sample."""
    return _group("4b", "Classifier output distributions, test and training sample", sources, keys, training=True)


def _chart(source: Source, title: str, output: int, training: bool) -> Any:
    from mvakit_gui.charts.distributions import ResponsePanel, response_chart

    name = source.dataset.classes[output]
    test = _histograms(source, title, "Test", name)
    trained = _histograms(source, title, "Train", name) if training else {}
    ks = ks_of_output(source, title, output) if training else {}
    said = ", ".join(f"{true} {found.probability:.3g}" for true, found in ks.items())
    notes = [f"K–S probability of test and training: {said} (event by event)"] if said else []
    shown = source.shown(title)
    return response_chart([ResponsePanel(shown, test, trained, notes)], f"{shown} response for {name}", cuts=False)


def _figure(source: Source, title: str, output: int, training: bool, **keywords: Any) -> Any:
    name = source.dataset.classes[output]
    shown, test = source.shown(title), _histograms(source, title, "Test", name)
    if not training:
        return response_figure(test, f"{shown} response for {name}", **keywords)
    trained = _histograms(source, title, "Train", name)
    return overtraining_figure(f"{shown} {name}", test, trained, ks_of_output(source, title, output), **keywords)

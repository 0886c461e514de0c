"""What a cut on a response does, and how the events lie across response and variables."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from mvakit_gui.catalogue import Group, Keys, View
from mvakit_gui.figures import ParallelEvents, cut_efficiency_figure, parallel_figure
from mvakit_gui.views.source import Source, gather, in_several, listed

__all__ = ["efficiencies", "parallel"]

# Lines, and points of lines, in one chart of parallel coordinates.
_LINES: Final = 1000
_POINTS: Final = 12_000
_SEED: Final = 1


def efficiencies(sources: Sequence[Source], keys: Keys) -> Group:
    """Return 5a, efficiencies, purity and significance against the cut."""
    title = "Classifier cut efficiencies"
    there = [
        (source, method.title)
        for source in sources
        for method in source.having("MVA_{}_S", "MVA_{}_B")
        if source.has_events(method.title) or source.has(method.title, f"MVA_{method.title}_effS", f"MVA_{method.title}_effB")
    ]  # fmt: skip
    if not there:
        reason = (
            "no method left its response: there are no histograms MVA_<title>_S with MVA_<title>_effS, and no events"
        )
        return Group("5a", title, (), reason)
    titles = tuple(source.shown(method) for source, method in there)
    views = []
    if len(there) > 1:
        views.append(
            View(
                keys("mvaeffs"), "mvaeffs", "All methods: significance", f"Significance of S signal and B background events against the signal efficiency, for {listed(titles)}.",
                functools.partial(_significance_chart, there), functools.partial(_figure, *there[0]), titles, in_print=False,
            )
        )  # fmt: skip
    for method, alike in in_several(there).items():
        names = tuple(source.shown(method) for source, _ in alike)
        views.append(
            View(
                keys("mvaeffs", "all", method), f"mvaeffs_{method}", f"{method}, all files: significance",
                f"Significance of S signal and B background events against the signal efficiency, for {listed(names)}.",
                functools.partial(_significance_chart, alike), functools.partial(_figure, *alike[0]), names, in_print=False,
            )
        )  # fmt: skip
    for (source, method), shown in zip(there, titles, strict=True):
        views.append(
            View(
                keys("mvaeffs", shown), f"mvaeffs_{shown}", f"{shown}: cut efficiencies",
                f"Signal and background efficiency, purity, their product and the significance against the cut on {shown}.",
                functools.partial(_chart, source, method), functools.partial(_figure, source, method), (shown,),
            )
        )  # fmt: skip
    return Group("5a", title, tuple(views))


def _chart(source: Source, method: str) -> Any:
    from mvakit_gui.charts.efficiencies import cut_efficiency_chart

    return cut_efficiency_chart(source.shown(method), source.scan(method))


def _significance_chart(there: Sequence[tuple[Source, str]]) -> Any:
    from mvakit_gui.charts.efficiencies import significance_chart

    found, notes = gather(there, lambda source, method: (source.shown(method), source.scan(method)))
    return significance_chart(dict(found), notes=notes)


def _figure(source: Source, method: str, **keywords: Any) -> Any:
    return cut_efficiency_figure(source.shown(method), source.scan(method), **keywords)


# ---------------------------------------------------------------------------------------------- parallel coordinates


def parallel(sources: Sequence[Source], keys: Keys) -> Group:
    """Return 6, the events across a response and the variables."""
    title = "Parallel coordinates"
    views = []
    for source in sources:
        branches = set(source.branches("TestTree"))
        if not {v.label for v in source.dataset.variables} & branches:
            continue
        for method in source.dataset.methods:
            if source.has_events(method.title):
                shown = source.shown(method.title)
                events = functools.partial(_events, source, method.title)
                views.append(
                    View(
                        keys("paracoor", shown), f"paracoor_{shown}", f"{shown}: parallel coordinates",
                        f"One line for each of some events of the test sample, across the response of {shown} and the variables.",
                        functools.partial(_parallel_chart, events), functools.partial(_parallel_figure, events), (shown,),
                        in_print=False,
                    )
                )  # fmt: skip
    return Group("6", title, tuple(views), None if views else "there are no variables with responses in TestTree")


def _events(source: Source, title: str) -> ParallelEvents:
    dataset = source.dataset
    columns = dataset.tree("TestTree")
    variables = [v for v in dataset.variables if v.label in columns]
    number = 1 + len(variables)
    class_index = columns["classID"].astype(np.int64)
    total = len(class_index)
    count = min(_LINES, _POINTS // number)
    # As many of each class, so that a rare one is seen; always the same events.
    generator = np.random.default_rng(_SEED)
    chosen = []
    for index in range(len(dataset.classes)):
        rows = np.flatnonzero(class_index == index)
        share = max(1, count // len(dataset.classes))
        chosen.append(np.sort(generator.choice(rows, share, replace=False)) if len(rows) > share else rows)
    kept = np.concatenate(chosen)
    arrays = [columns[title].astype(np.float64), *(columns[v.label].astype(np.float64) for v in variables)]
    return ParallelEvents(
        source.shown(title),
        [source.shown(title), *(v.title for v in variables)],
        dataset.classes,
        np.column_stack([values[kept] for values in arrays]),
        class_index[kept],
        np.array([float(values.min()) for values in arrays]),
        np.array([float(values.max()) for values in arrays]),
        total,
    )


def _parallel_chart(events: Any) -> Any:
    from mvakit_gui.charts.parallel import parallel_chart

    return parallel_chart(events())


def _parallel_figure(events: Any, **keywords: Any) -> Any:
    return parallel_figure(events(), **keywords)

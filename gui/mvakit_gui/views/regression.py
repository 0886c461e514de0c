"""The deviations of regressions: against the target and the variables, and their averages."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from mvakit.errors import DataError
from mvakit.evaluation import average_deviation
from mvakit_gui.catalogue import Group, Keys, View
from mvakit_gui.figures import AverageDeviation, average_deviation_figure, deviation_figure
from mvakit_gui.views.source import Source, listed

__all__ = ["averages", "deviations"]

_SAMPLES: Final = {"test": "test sample", "train": "training sample"}


def deviations(sources: Sequence[Source], keys: Keys) -> Iterator[Group]:
    """Yield 4a to 4d: against the targets and the variables, in the test and in the training sample."""
    for letter, kind, which in (
        ("a", "tgt", "test"),
        ("b", "tgt", "train"),
        ("c", "var", "test"),
        ("d", "var", "train"),
    ):
        against = "target" if kind == "tgt" else "input variables"
        title = f"Deviation of the regression from the target against the {against}, {_SAMPLES[which]}"
        views = [
            view
            for source in sources
            for method in source.dataset.methods
            for view in _views(source, method.title, kind, which, keys)
        ]
        reason = f"no method left histograms MVA_<title>{which}_reg_{kind}*"
        yield Group(f"4{letter}", title, tuple(views), None if views else reason)


def _views(source: Source, title: str, kind: str, which: str, keys: Keys) -> Iterator[View]:
    pattern = re.compile(rf"{re.escape(f'MVA_{title}{which}_reg_')}({kind}(\d+)_rtgt(\d+))")
    shown, dataset = source.shown(title), source.dataset
    found = [match for name in source.names(title) if (match := pattern.fullmatch(name))]
    for match in sorted(found, key=lambda match: (int(match[3]), int(match[2]))):
        seen = dataset.targets if kind == "tgt" else dataset.variables
        against = seen[int(match[2])].title if int(match[2]) < len(seen) else match[1]
        yield View(
            keys("deviation", shown, which, match[1]), f"deviation_{shown}_{which}_{match[1]}",
            f"{shown}: deviation against {against}, {_SAMPLES[which]}",
            f"Regression minus true target of {shown} against {against} in the {_SAMPLES[which]}, with the mean in each bin.",
            functools.partial(_deviation_chart, source, title, match[0]),
            functools.partial(_deviation_figure, source, title, match[0], f"{shown} ({'training' if which == 'train' else 'test'})"),
            (shown,),
        )  # fmt: skip


def _histogram(source: Source, title: str, name: str) -> Any:
    histogram = source.dataset.method_histogram_2d(title, name)
    if histogram is None:
        raise DataError(f"{name} of {title} is no histogram of two dimensions")
    return histogram


def _deviation_chart(source: Source, title: str, name: str) -> Any:
    from mvakit_gui.charts.maps import deviation_chart

    return deviation_chart(_histogram(source, title, name))


def _deviation_figure(source: Source, title: str, name: str, shown: str, **keywords: Any) -> Any:
    return deviation_figure(shown, _histogram(source, title, name), **keywords)


# ---------------------------------------------------------------------------------------------- averages

_KINDS: Final = (
    ("test", "Deviation", "test sample, all events"),
    ("test", "Dev_best90perc", "test sample, best 90 %"),
    ("train", "Deviation", "training sample, all events"),
    ("train", "Dev_best90perc", "training sample, best 90 %"),
)


def averages(key: str, sources: Sequence[Source], keys: Keys) -> Group:
    """Return 5, the average deviations of all methods from each target."""
    number = len(sources[0].dataset.targets) or 1
    views = []
    for target in range(number):
        there = [
            (source, method.title)
            for source in sources
            for method in source.having(f"MVA_{{}}test_Quadr_Deviation_target_{target}_")
        ]
        if there:
            titles = tuple(source.shown(title) for source, title in there)
            targets = sources[0].dataset.targets
            named = targets[target].title if target < len(targets) else f"target {target}"
            found = functools.partial(_averages, there, target)
            views.append(
                View(
                    keys("averagedevs", str(target)), f"regression_average_devs_target{target}",
                    f"Average deviation from {named}",
                    f"Root of the mean squared deviation from {named}, of all events and of the best 90 %, in both samples, for {listed(titles)}.",
                    functools.partial(_average_chart, found), functools.partial(_average_figure, found), titles,
                )
            )  # fmt: skip
    reason = "no method left histograms MVA_<title>test_Quadr_Deviation_target_*"
    return Group(key, "Summary of average regression deviations", tuple(views), None if views else reason)


def _averages(there: Sequence[tuple[Source, str]], target: int) -> list[AverageDeviation]:
    found = []
    for source, title in there:
        for which, name, kind in _KINDS:
            full = f"MVA_{title}{which}_Quadr_{name}_target_{target}_"
            if source.has(title, full):
                sums = source.histogram(title, full).sums
                if sums is not None:
                    value, error = average_deviation(sums.w, sums.w2, sums.wx, sums.wx2)
                    found.append(AverageDeviation(source.shown(title), kind, value, error))
    return found


def _average_chart(found: Any) -> Any:
    from mvakit_gui.charts.curves import average_deviation_chart

    return average_deviation_chart(found())


def _average_figure(found: Any, **keywords: Any) -> Any:
    return average_deviation_figure(found(), **keywords)

"""ROC curves: of classifiers, and of multiclass methods for one class against the rest or against one other."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any, Final, get_args

from mvakit.evaluation import one_vs_one_curve, one_vs_rest_curve
from mvakit_gui.catalogue import Group, Keys, View
from mvakit_gui.figures import RocForm, RocLine, roc_figure
from mvakit_gui.views.source import Source, gather, listed

__all__ = ["curves", "one_vs_one", "one_vs_rest"]

_TITLES: Final[dict[str, str]] = {
    "rejBvsS": "Background rejection against signal efficiency",
    "effBvsS": "Background efficiency against signal efficiency",
    "invBeffvsSeff": "1 / background efficiency against signal efficiency",
}


def _has_curve(source: Source, title: str) -> bool:
    return source.has(title, f"MVA_{title}_effBvsS") or (
        source.has_events(title) and source.has(title, f"MVA_{title}_S")
    )


def curves(sources: Sequence[Source], keys: Keys) -> Iterator[Group]:
    """Yield the groups 5b, of which TMVA has two: rejection and efficiency, and the inverse."""
    there = [(s, m.title) for s in sources for m in s.dataset.methods if _has_curve(s, m.title)]
    reason = None if there else "no method left a histogram of its ROC curve, or responses in TestTree"
    lines = functools.cache(lambda: gather(there, lambda source, title: source.line(title)))

    def view(form: RocForm) -> View:
        def chart() -> Any:
            from mvakit_gui.charts.roc import roc_chart

            found, notes = lines()
            return roc_chart(found, form, notes=notes)

        titles = tuple(source.shown(title) for source, title in there)
        description = f"{_TITLES[form]}, one curve for each of {listed(titles)}, in the test sample."
        return View(keys(form), form, _TITLES[form], description, chart, functools.partial(_draw, lines, form), titles)

    buttons: tuple[tuple[str, str, tuple[RocForm, ...]], ...] = (
        ("5b", "ROC curve: background rejection against signal efficiency", ("rejBvsS", "effBvsS")),
        ("5b-inverse", "ROC curve: 1 / background efficiency against signal efficiency", ("invBeffvsSeff",)),
    )
    for key, title, forms in buttons:
        yield Group(key, title, tuple(view(form) for form in forms) if there else (), reason)


def _class_group(
    key: str, title: str, sources: Sequence[Source], keys: Keys, pairs: Sequence[tuple[int, int | None]]
) -> Group:
    there = [(s, m.title) for s in sources for m in s.dataset.methods if s.has_events(m.title)]
    classes = sources[0].dataset.classes
    if not there or len(classes) < 2:
        return Group(key, title, (), "no method left its responses in TestTree")
    titles = tuple(source.shown(method) for source, method in there)

    def views(signal: int, background: int | None) -> Iterator[View]:
        name, other = classes[signal], "all other classes" if background is None else classes[background]
        suffix = f"_{name}" if background is None else f"_{name}_vs_{other}"

        @functools.cache
        def lines() -> tuple[list[RocLine], list[str]]:
            return gather(there, functools.partial(_line_of_class, signal=signal, background=background))

        for form in get_args(RocForm):

            def chart(form: RocForm = form) -> Any:
                from mvakit_gui.charts.roc import roc_chart

                found, notes = lines()
                return roc_chart(found, form, notes=notes)

            shown = f"{_TITLES[form]}: {name} against {other}"
            yield View(
                keys(form, name, *([] if background is None else ["vs", other])), f"{form}{suffix}", shown,
                f"{shown}, one curve for each of {listed(titles)}, in the test sample.",
                chart, functools.partial(_draw, lines, form), titles,
            )  # fmt: skip

    return Group(key, title, tuple(view for pair in pairs for view in views(*pair)))


def _draw(lines: Any, form: RocForm, **keywords: Any) -> Any:
    return roc_figure(lines()[0], form, **keywords)


def _line_of_class(source: Source, title: str, signal: int, background: int | None) -> RocLine:
    curves = []
    for which in ("TestTree", "TrainTree"):
        if source.has_events(title, which):
            sample = source.many_classes(title, which)
            curves.append(
                one_vs_rest_curve(sample, signal)
                if background is None
                else one_vs_one_curve(sample, signal, background)
            )
    return RocLine.of(source.shown(title), *curves)


def one_vs_rest(key: str, sources: Sequence[Source], keys: Keys) -> Group:
    """Return the ROC curves of each class against all others."""
    number = len(sources[0].dataset.classes)
    return _class_group(
        key, "ROC curves: one class against the rest", sources, keys, [(i, None) for i in range(number)]
    )


def one_vs_one(key: str, sources: Sequence[Source], keys: Keys) -> Group:
    """Return the ROC curves of each class against each other one."""
    number = len(sources[0].dataset.classes)
    pairs = [(i, j) for i in range(number) for j in range(number) if i != j]
    return _class_group(key, "ROC curves: one class against one other", sources, keys, pairs)

"""Decision trees, any of a forest, from the weight file that the result file names."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from mvakit.errors import DataError
from mvakit.method import Forest
from mvakit.types import AnalysisType
from mvakit_gui.catalogue import Group, Keys, Pages, View
from mvakit_gui.figures.trees import TreeLayout, tree_figure, tree_layout
from mvakit_gui.views.source import Source, listed

__all__ = ["forests"]

# What the training of a forest leaves in a result file.
# The part of a weight file that has its options, and what the nodes with a Fisher discriminant hold.
_HEAD: Final = 60_000
_SWITCHED_ON: Final = re.compile(r'<Option name="(UseFisherCuts|DoPreselection)"[^>]*>\s*(?:True|1)\s*<', re.IGNORECASE)
_FISHER_NODE: Final = ' fC0="'
_RECORDS: Final = frozenset({"BoostWeightVsTree", "NodesBeforePruning", "MonitorNtuple"})


def forests(key: str, sources: Sequence[Source], keys: Keys, title: str = "Decision trees") -> Group:
    """Return 11, the trees of each forest, one to a page."""
    views: list[View] = []
    missing = []
    for source in sources:
        for method in source.dataset.methods:
            if not source.names(method.title) & _RECORDS:
                continue
            if source.weight_file(method.title) is None:
                missing.append(
                    f"the weight file of {source.shown(method.title)} is not there: {source.where(method.title)}"
                )
                continue
            partial = _partial(source, method.title)
            if partial is not None:
                missing.append(partial)
                continue
            views += _view(source, method.title, keys)
    reason = "no method recorded trees: there is no BoostWeightVsTree, NodesBeforePruning or MonitorNtuple"
    if missing:
        reason = f"no method has trees that can be drawn ({listed(missing, 2)})"
    return Group(key, title, tuple(views), None if views else reason)


def _partial(source: Source, title: str) -> str | None:
    """Return why the trees of a weight file do not say all of its answer, as seen from its options; None if they do."""
    path = source.weight_file(title)
    assert path is not None
    with path.open(encoding="utf-8", errors="replace") as file:
        head = file.read(_HEAD)
        options = set(_SWITCHED_ON.findall(head))
        if "DoPreselection" in options:
            return f"{source.shown(title)} selects events before its trees do, with DoPreselection"
        if "UseFisherCuts" in options and (_FISHER_NODE in head or any(_FISHER_NODE in line for line in file)):
            return f"the trees of {source.shown(title)} cut on Fisher discriminants, not on one variable at a time"
    return None


def _view(source: Source, title: str, keys: Keys) -> Iterator[View]:
    shown = source.shown(title)
    key = keys("trees", shown)

    def page(i: int) -> View:
        layout = functools.partial(_layout, source, title, i)
        return View(
            key, f"tree_{shown}_{i}", f"{shown}: tree {i}",
            f"Tree {i} of {shown}: its cuts, and what its leaves say, from background red to signal blue.",
            functools.partial(_chart, layout), functools.partial(_figure, layout), (shown,), pages=pages,
        )  # fmt: skip

    pages = Pages(lambda: len(_forest(source, title).first) - 1, page, "tree")
    yield page(0)


def _forest(source: Source, title: str) -> Forest:
    structure = source.model(title).structure()
    if not isinstance(structure, Forest):
        raise DataError(
            f"the trees of {title} say less than all of its answer, as with Fisher cuts or a preselection, and are not shown"
        )
    return structure


def _layout(source: Source, title: str, tree: int) -> TreeLayout:
    forest, model = _forest(source, title), source.model(title)
    analysis = model.analysis
    classes = model.classes if analysis is AnalysisType.MULTICLASS else ()
    names = [variable.label for variable in model.variables]
    return tree_layout(forest, tree, names, title=source.shown(title), analysis=analysis, classes=classes)


def _chart(layout: Any) -> Any:
    from mvakit_gui.charts.trees import tree_chart

    return tree_chart(layout())


def _figure(layout: Any, **keywords: Any) -> Any:
    return tree_figure(layout(), **keywords)

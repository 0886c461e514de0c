"""Decision trees, any of a forest, from the weight file that the result file names."""

from __future__ import annotations

import functools
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
                missing.append(f"{source.shown(method.title)}: {source.where(method.title)}, which is not there")
                continue
            views += _view(source, method.title, keys)
    reason = "no method recorded trees: there is no BoostWeightVsTree, NodesBeforePruning or MonitorNtuple"
    if missing:
        reason = f"the weight files with the trees are not there ({listed(missing, 2)})"
    return Group(key, title, tuple(views), None if views else reason)


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

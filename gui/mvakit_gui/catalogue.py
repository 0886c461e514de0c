"""What result files can show: TMVA's buttons as groups of views, each drawn when it is asked for.

A `Catalogue` looks at the names in the files alone; what a view needs is read when its chart or figure is made::

    with ResultFile("TMVA.root") as file:
        catalogue = Catalogue([Source.of(file)])
        for group in catalogue.groups:
            print(group.key, group.title, group.reason or [view.key for view in group.views])
        chart = catalogue.view("overtrain-BDTG").chart()      # Altair
        figure = catalogue.view("overtrain-BDTG").figure()    # matplotlib
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from mvakit.errors import DataError, ResultFileError, did_you_mean
from mvakit.types import AnalysisType

if TYPE_CHECKING:
    import altair as alt
    from matplotlib.figure import Figure

    from mvakit_gui.views.source import Source

__all__ = ["Catalogue", "Group", "Pages", "View"]

_PAGE: Final = re.compile(r"(?P<key>.+)\.(?P<page>\d+)")


@dataclass(frozen=True, slots=True)
class Pages:
    """A view that has many pages, of which one is drawn: the trees of a forest.

    Attributes
    ----------
    count : callable
        Returns how many there are; reads what it has to.
    page : callable
        Returns the view of one of them, counted from 0.
    noun : str
        What a page is: ``"tree"``.
    """

    count: Callable[[], int]
    page: Callable[[int], View]
    noun: str


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One thing that can be drawn, as a chart for the screen and as a figure for print, from the same results.

    Attributes
    ----------
    key : str
        Unique in its catalogue, and safe in a URL: letters, digits, ``-``, ``_`` and ``.``.
    name : str
        As TMVA calls the file of the plot: ``"overtrain_BDTG"``. It holds titles as they are, so it is no file name yet.
    title : str
        For people; it holds titles as they are.
    description : str
        One sentence for those who do not see the chart.
    make_chart : callable
        Returns the Altair chart.
    draw : callable
        Takes the keywords ``label`` and ``style`` of the functions of `mvakit_gui.figures` and returns what they return.
    methods : tuple of str
        The titles of the methods in it, as the chart's parameter ``methods`` knows them.
    pages : Pages or None
        Where this is the first of many pages.
    in_print : bool
        Whether `save_plots` draws it; a summary whose parts are drawn one by one is left out.
    """

    key: str
    name: str
    title: str
    description: str
    make_chart: Callable[[], alt.TopLevelMixin] = field(repr=False)
    draw: Callable[..., Any] = field(repr=False)
    methods: tuple[str, ...] = ()
    pages: Pages | None = field(default=None, repr=False)
    in_print: bool = True

    def chart(self) -> alt.TopLevelMixin:
        """Return the Altair chart, with its data, its title and its description.

        Raises
        ------
        MvakitError
            If what it shows is empty, or cannot be read.
        """
        from altair.utils.schemapi import debug_mode

        # Looking at every part as it is made would take most of the time; the whole is looked at by `to_dict`.
        with debug_mode(False):
            chart: Any = self.make_chart()
        chart.description = self.description
        return chart  # type: ignore[no-any-return]

    def figure(self, label: str | None = None, style: Any = None) -> Figure:
        """Return the matplotlib figure.

        Raises
        ------
        MvakitError
            If what it shows is empty, or cannot be read.
        """
        figure: Figure = self.draw(label=label, style=style).figure
        return figure

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        from mvakit_gui.figures.saving import mimebundle

        return mimebundle(self.figure(), self.chart) | {"text/plain": repr(self)}


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """One of TMVA's buttons.

    Attributes
    ----------
    key : str
        TMVA's number, ``"4b"``.
    title : str
    views : tuple of View
        Empty where nothing can be drawn.
    reason : str or None
        Why there are none.
    """

    key: str
    title: str
    views: tuple[View, ...] = ()
    reason: str | None = None

    def __post_init__(self) -> None:
        if bool(self.views) == bool(self.reason):
            raise DataError(f"group {self.key} has either views, or a reason why there are none")


class Keys:
    """Hands out keys that are safe in a URL, no two alike, the same ones for the same names in the same order."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def __call__(self, *parts: str) -> str:
        """Return the parts joined by ``-``, what a URL cannot have replaced; a number is appended where it is taken."""
        words = [re.sub(r"[^A-Za-z0-9_]+", "_", part)[:60].strip("_") or "_" for part in parts]
        key = candidate = "-".join(words)
        count = 1
        while candidate.lower() in self._taken:
            count += 1
            candidate = f"{key}-{count}"
        self._taken.add(candidate.lower())
        return candidate


class Catalogue:
    """Everything that one dataset of a result file can show, or several of them over each other.

    Parameters
    ----------
    sources : sequence of Source
        The datasets, all of the same analysis; the first one says which inputs there are.

    Raises
    ------
    ResultFileError
        If there is no source, or their analyses differ.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        if not sources:
            raise ResultFileError("a catalogue needs a dataset of a result file")
        kinds = {source.dataset.analysis for source in sources}
        if len(kinds) > 1:
            raise ResultFileError(
                f"only datasets of the same analysis are drawn over each other, not {' and '.join(sorted(k.value for k in kinds))}"
            )
        labels = [source.label for source in sources]
        if len(sources) > 1 and (len(set(labels)) < len(labels) or "" in labels):
            raise ResultFileError("datasets that are drawn over each other need labels, each its own")
        self.sources = tuple(sources)

    @property
    def analysis(self) -> AnalysisType:
        """The analysis of all sources."""
        return self.sources[0].dataset.analysis

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, in the order of their indices."""
        return self.sources[0].dataset.classes

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """The titles of all methods, as charts show them: with the label of the file where there are several."""
        return tuple(source.shown(method.title) for source in self.sources for method in source.dataset.methods)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """TMVA's buttons for this analysis, in TMVA's order."""
        from mvakit_gui import views

        return tuple(views.groups(self.sources, Keys()))

    def __iter__(self) -> Iterator[View]:
        for group in self.groups:
            yield from group.views

    @cached_property
    def _views(self) -> dict[str, View]:
        return {view.key: view for view in self}

    def view(self, key: str) -> View:
        """Return the view of this key; ``"trees-BDT.17"`` is page 17 of ``"trees-BDT"``.

        Raises
        ------
        ResultFileError
            If there is none.
        """
        found = self._views.get(key)
        if found is not None:
            return found
        parsed = _PAGE.fullmatch(key)
        first = self._views.get(parsed["key"]) if parsed else None
        if parsed is not None and first is not None and first.pages is not None:
            page, count = int(parsed["page"][:9]), first.pages.count()
            if not 0 <= page < count:
                raise ResultFileError(f"{first.title} has {count} {first.pages.noun}s, counted from 0, but no {page}")
            return replace(first.pages.page(page), key=key)
        raise ResultFileError(f"there is no view {key!r}; {did_you_mean(key, self._views, noun='its views')}")

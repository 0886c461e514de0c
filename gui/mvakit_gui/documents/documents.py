"""The documents of one or more result files, by path."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from mvakit.errors import MvakitError, ResultFileError, did_you_mean
from mvakit.resultfile import MethodEntry, ResultFile
from mvakit.types import AnalysisType
from mvakit_gui.catalogue import Catalogue, View
from mvakit_gui.documents.cards import card
from mvakit_gui.documents.encoding import encoded
from mvakit_gui.documents.points import cut_document, points_document
from mvakit_gui.documents.tables import columns, row
from mvakit_gui.views.source import Source

__all__ = ["Documents"]

_TRIM: Final = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
# What is asked for again, such as a chart that was looked at, is kept up to this size.
_KEPT_BYTES: Final = 16_000_000
_DATASET: Final = re.compile(r"d/(?P<dataset>\d{1,4})/(?P<rest>.+)", re.ASCII)
_VIEW: Final = re.compile(r"(?P<kind>view|pages)/(?P<key>[A-Za-z0-9_.-]{1,400})\.json", re.ASCII)
_METHOD: Final = re.compile(r"method/(?P<method>\d{1,5})/(?P<kind>row|card|points|cut)\.json", re.ASCII)


@dataclass(frozen=True, eq=False)
class _Dataset:
    """A dataset, or those of several files that are laid over each other."""

    name: str
    sources: tuple[Source, ...]

    @cached_property
    def catalogue(self) -> Catalogue:
        return Catalogue(self.sources)

    @cached_property
    def methods(self) -> tuple[tuple[Source, MethodEntry], ...]:
        return tuple((source, method) for source in self.sources for method in source.dataset.methods)

    def summary(self) -> dict[str, Any]:
        catalogue = self.catalogue
        return {
            "name": self.name,
            "analysis": str(catalogue.analysis.value),
            "files": [source.label for source in self.sources],
            "classes": list(catalogue.classes),
            "methods": [
                {
                    "name": source.shown(method.title),
                    "title": method.title,
                    "type": method.type,
                    "file": source.label,
                    "cuts": catalogue.analysis is AnalysisType.CLASSIFICATION
                    and source.has(method.title, f"MVA_{method.title}_S")
                    and source.has_events(method.title),
                }
                for source, method in self.methods
            ],
            "groups": [
                {
                    "key": group.key,
                    "title": group.title,
                    "reason": group.reason,
                    "views": [_view_summary(view) for view in group.views],
                }
                for group in catalogue.groups
            ],
        }


def _view_summary(view: View) -> dict[str, Any]:
    return {
        "key": view.key,
        "title": view.title,
        "description": view.description,
        "methods": list(view.methods),
        "pages": view.pages.noun if view.pages is not None else None,
    }


class Documents:
    """The documents of result files; safe to ask from several threads.

    Parameters
    ----------
    paths : sequence of Path
    dataset : str, optional
        The dataset to begin with.

    Raises
    ------
    ResultFileError
        If a file is missing, damaged or no result file, or none has such a dataset.
    """

    def __init__(self, paths: Sequence[str | os.PathLike[str]], dataset: str | None = None) -> None:
        self._lock = threading.Lock()  # around what is kept
        self._making = threading.Lock()  # around what is made
        self._kept: OrderedDict[tuple[str, tuple[tuple[str, str], ...]], bytes] = OrderedDict()
        self._size = 0
        self._open = contextlib.ExitStack()
        if not paths:
            raise ResultFileError("there is no result file to show: name one")
        try:
            self._files = [self._open.enter_context(ResultFile(path)) for path in paths]
            self.labels = _labels([file.path for file in self._files])
            self._datasets = tuple(self._joined())
            self._start = self._first(dataset)
        except MvakitError:
            self.close()
            raise

    def _joined(self) -> Iterator[_Dataset]:
        several = len(self._files) > 1
        labelled = list(zip(self._files, self.labels if several else [""], strict=True))
        if several and all(len(file.datasets) == 1 for file in self._files):
            sources = tuple(Source.of(file, None, label) for file, label in labelled)
            if len({source.dataset.analysis for source in sources}) == 1:
                yield _Dataset(" + ".join(dict.fromkeys(source.dataset.name for source in sources)), sources)
                return
        for name in dict.fromkeys(name for file in self._files for name in file.datasets):
            sources = tuple(Source.of(file, name, label) for file, label in labelled if name in file.datasets)
            for kind in dict.fromkeys(source.dataset.analysis for source in sources):
                alike = tuple(source for source in sources if source.dataset.analysis is kind)
                yield _Dataset(name if len(alike) == len(sources) else f"{name} ({kind.value})", alike)

    def _first(self, dataset: str | None) -> int:
        if dataset is None:
            return 0
        for number, found in enumerate(self._datasets):
            if dataset in {found.name, *(source.dataset.name for source in found.sources)}:
                return number
        names = [found.name for found in self._datasets]
        raise ResultFileError(
            f"there is no dataset {dataset!r} in {', '.join(self.labels)}; "
            f"{did_you_mean(dataset, names, noun='the datasets')}"
        )

    def close(self) -> None:
        """Close the files."""
        self._open.close()

    # ------------------------------------------------------------------------------------------ reading

    def read(self, path: str, query: Mapping[str, str] | None = None) -> bytes | None:
        """Return the document of a path, or None where there is none.

        Raises
        ------
        MvakitError
            If what it tells cannot be read, or a number in the query is none.
        """
        asked = {name: text for name, text in (query or {}).items() if name != "token"}
        key = (path, tuple(sorted(asked.items())))
        kept = self._known(key)
        if kept is not None:
            return kept
        with self._making:
            kept = self._known(key)  # another thread may have made it meanwhile
            if kept is not None:
                return kept
            found = self._made(path, asked)
            if found is None:
                return None
            document = encoded(found)
            del found
            _give_back()
            with self._lock:
                self._keep(key, document)
            return document

    def prepare(self) -> None:
        """Make what a page asks for first before it asks: the catalogue to begin with, and its first view.

        What goes wrong is told when the page asks.
        """
        # Brought in before the lock is taken, so that nothing that is ready waits for it.
        with contextlib.suppress(MvakitError, ImportError):
            self.read("index.json")
            self.read(f"d/{self._start}/catalogue.json")
            import altair as alt  # noqa: F401

            first = next(iter(self._datasets[self._start].catalogue), None)
            if first is not None:
                self.read(f"d/{self._start}/view/{first.key}.json")

    def _known(self, key: tuple[str, tuple[tuple[str, str], ...]]) -> bytes | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: tuple[str, tuple[tuple[str, str], ...]], document: bytes) -> None:
        if len(document) > _KEPT_BYTES // 4:
            return
        self._kept[key] = document
        self._size += len(document)
        while self._size > _KEPT_BYTES:
            self._size -= len(self._kept.popitem(last=False)[1])

    def _made(self, path: str, query: Mapping[str, str]) -> Any:
        if path == "index.json":
            return {
                "files": self.labels,
                "datasets": [dataset.name for dataset in self._datasets],
                "start": self._start,
            }
        parsed = _DATASET.fullmatch(path)
        if parsed is None or int(parsed["dataset"]) >= len(self._datasets):
            return None
        dataset, rest = self._datasets[int(parsed["dataset"])], parsed["rest"]
        if rest == "catalogue.json":
            return dataset.summary()
        if rest == "table.json":
            return columns(dataset.catalogue)
        if (asked := _VIEW.fullmatch(rest)) is not None:
            return _drawn(dataset.catalogue, asked["kind"], asked["key"])
        if (asked := _METHOD.fullmatch(rest)) is not None and int(asked["method"]) < len(dataset.methods):
            source, method = dataset.methods[int(asked["method"])]
            of: dict[str, Callable[[], Any]] = {
                "row": lambda: row(source, method),
                "card": lambda: card(source, method),
                "points": lambda: points_document(source, method.title, len(dataset.methods)),
                "cut": lambda: cut_document(source, method.title, query),
            }
            return of[asked["kind"]]()
        return None

    # ------------------------------------------------------------------------------------------ all of them

    def paths(self) -> Iterator[str]:
        """Yield the path of every document there is, but for those that a query asks for."""
        yield "index.json"
        for number, dataset in enumerate(self._datasets):
            yield from (f"d/{number}/catalogue.json", f"d/{number}/table.json")
            for index in range(len(dataset.methods)):
                yield from (f"d/{number}/method/{index}/{kind}.json" for kind in ("row", "card", "points"))
            for view in dataset.catalogue:
                yield f"d/{number}/view/{view.key}.json"
                if view.pages is not None:
                    yield f"d/{number}/pages/{view.key}.json"


def _give_back() -> None:
    """Return memory that is free to the system, where the C library would keep it (glibc)."""
    if _TRIM is not None:
        _TRIM(0)


def _drawn(catalogue: Catalogue, kind: str, key: str) -> Any:
    view = catalogue.view(key)
    if kind == "pages":
        if view.pages is None:
            return None
        return {"count": view.pages.count(), "noun": view.pages.noun}
    return view.chart().to_dict(validate=False)


def _labels(paths: Sequence[Path]) -> list[str]:
    """Return names that tell the files apart: their own, or with as many folders before them as that takes."""
    full = [path.resolve() for path in paths]
    if len(set(full)) < len(full):
        raise ResultFileError("the same result file is named twice")
    depth = 1
    while True:
        names = ["/".join(path.parts[-depth:]) for path in full]
        if len(set(names)) == len(names):
            return names
        depth += 1

"""What a script says of variables and classes, before anything is read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from mvakit.dataset import Sample
from mvakit.errors import DataError, did_you_mean
from mvakit.nonfinite import NonFinite, NonFiniteTally
from mvakit.reporttable import ReportTable
from mvakit.types import TreeType
from mvakit.variables import Variable, define

__all__ = ["ClassDeclaration", "declared_html", "variable_of"]

KINDS: Final = ("variable", "target", "spectator")

_FOR: Final = {TreeType.TRAINING: "training", TreeType.TESTING: "test", TreeType.BOTH: "training and test"}
_MOST: Final = 10
"""Trees of a class that are shown."""


@dataclass
class ClassDeclaration:
    """What was said of one class."""

    name: str
    trees: list[tuple[object, float, str, TreeType]] = field(default_factory=list)
    events: dict[TreeType, list[tuple[Sequence[float], float]]] = field(default_factory=dict)
    weight: str = ""
    cuts: list[str] = field(default_factory=list)

    @property
    def cut(self) -> str:
        """All cuts of the class as one."""
        return " && ".join(f"({cut})" for cut in self.cuts) if len(self.cuts) > 1 else "".join(self.cuts)

    def single_events(
        self, index: int, variables: Sequence[Variable], targets: Sequence[Variable], spectators: Sequence[Variable]
    ) -> list[tuple[Sample, TreeType, tuple[NonFinite, ...]]]:
        """Return the events that were added one by one, what they are for, and which values are no finite numbers.

        Raises
        ------
        DataError
            If an event has too few values, or too many.
        """
        made = []
        values = [(k, v) for k, vs in zip(KINDS, (variables, targets, spectators), strict=True) for v in vs]
        for purpose, events in self.events.items():
            rows, weights = zip(*events, strict=True)
            for row in rows:
                if len(row) != len(values):
                    raise DataError(
                        f"an event of class {self.name!r} has {len(row)} values; {len(values)} are needed: variables, "
                        "targets, spectators"
                    )
            table, weight = np.array(rows, dtype=np.float64), np.array(weights, dtype=np.float64)
            with np.errstate(over="ignore"):
                single = table.astype(np.float32)
            last = len(variables) + len(targets)
            tally = NonFiniteTally(
                [(f"the events added to class {self.name} for {_FOR[purpose]}", len(table))], self.name
            )
            numbers = np.arange(len(table))
            tally.passing(numbers, numbers)
            tally.add("weight", "weight", "", weight, numbers, numbers)
            for place, (kind, variable) in enumerate(values):
                column = (single if place < last else table)[:, place]
                tally.add(kind, variable.label, variable.expression, column, numbers, numbers)
            sample = Sample(
                single[:, : len(variables)],
                np.full(len(table), index, np.int16),
                weight,
                single[:, len(variables) : last],
                {s.label: table[:, last + i] for i, s in enumerate(spectators)},
            )
            made.append((sample, purpose, tally.found()))
        return made


def variable_of(expression: str, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Variable:
    """Sort TMVA's two forms of the arguments: ``(type, min, max)`` and ``(title, unit, type, min, max)``."""
    names: tuple[str, ...] = ("title", "unit", "type", "min", "max")
    strings = [a for a in arguments if isinstance(a, str)]
    if len(strings) == 1 and arguments and arguments[0] in {"F", "I", "D"}:
        names = ("type", "min", "max")
    elif len(strings) < len(arguments) and strings and len(strings) < 3:
        names = (*("title", "unit")[: len(strings)], "min", "max")
    if len(arguments) > len(names):
        raise DataError(
            f"AddVariable({expression!r}, ...) takes (type, min, max) or (title, unit, type, min, max), not {arguments!r}"
        )
    given = {**dict(zip(names, arguments, strict=False)), **named}
    unknown = set(given) - {"title", "unit", "type", "min", "max"}
    if unknown:
        word = min(unknown)
        raise DataError(
            f"AddVariable has no argument {word!r}; {did_you_mean(word, ('title', 'unit', 'type', 'min', 'max'))}"
        )
    return define(
        str(expression),
        given.get("title", ""),
        given.get("unit", ""),
        given.get("type", "F"),
        given.get("min", 0.0),
        given.get("max", 0.0),
    )


def declared_html(name: str, kinds: Mapping[str, Sequence[Variable]], classes: Iterable[ClassDeclaration]) -> str:
    """Return what a DataLoader was told, as HTML for a notebook; nothing is opened or read.

    Parameters
    ----------
    name : str
        Of the DataLoader.
    kinds : mapping of str to sequence of Variable
        The variables, targets and spectators.
    classes : iterable of ClassDeclaration
    """
    values = [
        (v.label, kind, v.expression, v.title, v.unit, v.type) for kind, variables in kinds.items() for v in variables
    ]
    rows = [row for item in classes for row in _declared(item)]
    tables = (
        ReportTable(f"DataLoader {name}", remarks=("Not read yet: Summary() reads the events.",)),
        ReportTable("Variables", ("Label", "Kind", "Expression", "Title", "Unit", "Type"), tuple(values), words=6)
        if values
        else ReportTable("No variables"),
        ReportTable("Classes", ("Class", "Tree", "For", "Weight", "Cut"), tuple(rows), words=5)
        if rows
        else ReportTable("No classes"),
    )
    return f"<div>{''.join(table._repr_html_() for table in tables)}</div>"


def _declared(item: ClassDeclaration) -> Iterator[tuple[str, ...]]:
    """Yield a row for each tree of a class, or for as many as are worth one."""
    for tree, weight, cut, purpose in item.trees[:_MOST]:
        cuts = " && ".join(f"({c})" for c in (cut, item.cut) if c.strip()) if cut.strip() else item.cut
        weights = [f"{weight:g}" if weight != 1 or not item.weight else "", f"({item.weight})" if item.weight else ""]
        yield item.name, _source(tree), _FOR[purpose], "*".join(filter(None, weights)), cuts
    if len(item.trees) > _MOST:
        yield item.name, f"and {len(item.trees) - _MOST} more trees", "", "", ""
    for purpose, events in item.events.items():
        yield item.name, f"{len(events)} events added one by one", _FOR[purpose], "", ""
    if not item.trees and not item.events:
        yield item.name, "no trees", "", "", item.cut


def _source(tree: object) -> str:
    """Say in few words what was given as a tree."""
    if isinstance(tree, str | os.PathLike):
        return os.fspath(tree) if not isinstance(tree, str) else tree
    if isinstance(tree, list | tuple) and tree:
        return _source(tree[0]) + (f" and {len(tree) - 1} more" if len(tree) > 1 else "")
    location = getattr(getattr(tree, "mvakit_tree", tree), "location", None)
    return location if isinstance(location, str) else type(tree).__name__

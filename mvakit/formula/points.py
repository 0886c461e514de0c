"""Where a formula is evaluated: events, and instances within them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["AllPoints", "Integers", "Points", "Rows", "enumerate_lists", "offsets_of"]

Integers: TypeAlias = NDArray[np.int64]


class Points:
    """Where a formula is to be evaluated: pairs of an event and an instance, in the order of events.

    Parameters
    ----------
    size
        The number of points.
    events
        The event of each; by default they are those that follow on `begin`.
    instances
        The instance of each; by default all are 0.
    begin
        The first event, if `events` is not given.
    """

    def __init__(
        self, size: int, events: Integers | None = None, instances: Integers | None = None, begin: int = 0
    ) -> None:
        self.size = size
        self.events = events
        self.instances = instances
        self.begin = begin

    def of_event(self, values: Any) -> Any:
        """Spread values of events, or one that is the same for all, over the points."""
        if np.ndim(values) == 0:
            return values
        return values[self.begin : self.begin + self.size] if self.events is None else values[self.events]

    def event_numbers(self) -> Integers:
        """Return the event of each point."""
        return np.arange(self.begin, self.begin + self.size) if self.events is None else self.events

    def select(self, chosen: NDArray[np.bool_]) -> Points:
        """Return some of the points."""
        instances = None if self.instances is None else self.instances[chosen]
        return Points(int(np.count_nonzero(chosen)), self.event_numbers()[chosen], instances)


class AllPoints(Points):
    """Every instance of every event, so many in each; spelled out only when that is needed."""

    def __init__(self, counts: Integers) -> None:
        self.counts = counts
        self.size = int(counts.sum())
        self.begin = 0

    @cached_property
    def _spelled(self) -> tuple[Integers, Integers]:
        return enumerate_lists(self.counts)

    @property
    def events(self) -> Integers:  # type: ignore[override]
        """The event of each point."""
        return self._spelled[0]

    @property
    def instances(self) -> Integers:  # type: ignore[override]
        """The instance of each point."""
        return self._spelled[1]

    def of_event(self, values: Any) -> Any:
        """Spread values of events over the points."""
        return values if np.ndim(values) == 0 else np.repeat(values, self.counts)


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The outer elements of nested lists that a formula loops over: rows, those of all events one after the other.

    Attributes
    ----------
    begin
        The instance, counted through all events, at which each row begins, and the end.
    first
        The first row of each event, and the end.
    lengths
        How many elements the inner lists have in each row.
    """

    begin: Integers
    first: Integers
    lengths: Integers

    def place(self, points: Points) -> tuple[Integers, Integers, Integers]:
        """Return the row of each point, that row counted within its event, and the instance counted within the row."""
        instance = points.of_event(self.begin[self.first[:-1]])
        if points.instances is not None:
            instance = instance + points.instances
        row = np.searchsorted(self.begin, instance, side="right") - 1
        row = np.minimum(row, max(len(self.lengths) - 1, 0))
        return row, row - points.of_event(self.first[:-1]), instance - self.begin[row]


def offsets_of(counts: Integers) -> Integers:
    """Return where lists of these lengths begin, one behind the other, and where the last one ends."""
    begin = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=begin[1:])
    return begin


def enumerate_lists(counts: Integers) -> tuple[Integers, Integers]:
    """Return the number of the list and the number within it of every element of lists of these lengths."""
    lists = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    return lists, np.arange(len(lists), dtype=np.int64) - np.repeat(offsets_of(counts)[:-1], counts)

"""Values that are no finite numbers: how many entries of which file hold them, and the error that says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.dataset import SampleCounts
from mvakit.errors import DataError

__all__ = ["NonFinite", "NonFiniteTally", "UnusableEventsError", "non_finite_error"]

_KINDS: Final = ("weight", "variable", "target", "spectator")
_MOST: Final = 10
"""Values, and files of each of them, that an error names."""


@dataclass(frozen=True, slots=True)
class NonFinite:
    """The entries of one file in which one value is not finite, of those with events that passed the cut.

    Attributes
    ----------
    class_name : str
    kind : str
        ``"variable"``, ``"target"``, ``"spectator"`` or ``"weight"``.
    label, expression : str
        Of the value.
    file : str
        Where the tree is: ``"file.root:TreeS"``.
    n_entries : int
        Entries of that file, whether they passed or not.
    n_nan, n_infinite : int
        Entries with NaN, and with an infinity (or what is too large for single precision).
    n_events, n_passed : int
        Events that are not finite, and all events of the file that passed; an entry may be several events.
    first_entry : int
        The first such entry, counted from the beginning of the file.
    first_value : str
        ``"nan"``, ``"inf"`` or ``"-inf"``.
    """

    class_name: str
    kind: str
    label: str
    expression: str
    file: str
    n_entries: int
    n_nan: int
    n_infinite: int
    n_events: int
    n_passed: int
    first_entry: int
    first_value: str

    @property
    def refused(self) -> bool:
        """Whether no method can be trained on such events; spectators may hold anything."""
        return self.kind != "spectator"


class UnusableEventsError(DataError):
    """No method can be trained on what the trees hold; what was counted in reading them is kept.

    Attributes
    ----------
    counts : tuple of SampleCounts
        Of all classes, as far as the cuts.
    non_finite : tuple of NonFinite
    """

    def __init__(
        self, message: str, counts: tuple[SampleCounts, ...] = (), non_finite: tuple[NonFinite, ...] = ()
    ) -> None:
        super().__init__(message)
        self.counts = counts
        self.non_finite = non_finite


class NonFiniteTally:
    """Counts the values of one tree that are not finite, by file.

    Parameters
    ----------
    files : sequence of (str, int)
        Location and number of entries of each part of the tree; see `mvakit.sources.files_of`.
    class_name : str
    """

    def __init__(self, files: Sequence[tuple[str, int]], class_name: str) -> None:
        self._class_name = class_name
        self._files = tuple(files)
        self._ends = np.cumsum([entries for _, entries in self._files])
        self._passed = np.zeros(len(self._files), np.int64)
        self._found: dict[tuple[str, str, str], npt.NDArray[np.int64]] = {}
        self._first: dict[tuple[tuple[str, str, str], int], tuple[int, str]] = {}

    def passing(self, entries: npt.NDArray[np.intp], passed: npt.NDArray[np.intp]) -> None:
        """Note which of some events passed the cut, given the entries that they come from, in order."""
        if len(self._files) == 1:
            self._passed[0] += len(passed)
        else:
            self._passed += np.diff(np.searchsorted(passed, np.searchsorted(entries, self._ends)), prepend=0)

    def add(
        self,
        kind: str,
        label: str,
        expression: str,
        values: npt.NDArray[Any],
        entries: npt.NDArray[np.intp],
        passed: npt.NDArray[np.intp],
    ) -> None:
        """Look at the values of one thing in events that passed the cut.

        Parameters
        ----------
        kind, label, expression : str
        values : ndarray, shape (n_passed,)
        entries : ndarray of int, shape (n_events,)
            The entries that events come from, in order, before the cut. None of them is shared out among several calls.
        passed : ndarray of int, shape (n_passed,)
            Which events passed.
        """
        key = (kind, label, expression)
        found = self._found.get(key)
        if found is None:  # in the order of the first call, whether there is something or not
            found = self._found[key] = np.zeros((len(self._files), 3), np.int64)
        bad = np.flatnonzero(~np.isfinite(values))
        if not len(bad):
            return
        at = entries[passed[bad]]
        is_nan = np.isnan(values[bad])
        for place, chosen in enumerate((np.unique(at[is_nan]), np.unique(at[~is_nan]), at)):
            found[:, place] += np.diff(np.searchsorted(chosen, self._ends), prepend=0)
        in_file = np.searchsorted(self._ends, at, side="right")
        for file, first in zip(*np.unique(in_file, return_index=True), strict=True):
            entry = int(at[first] - self._ends[file] + self._files[file][1])
            self._first.setdefault((key, int(file)), (entry, str(values[bad[first]])))

    def found(self) -> tuple[NonFinite, ...]:
        """Return what was counted, by value and file."""
        rows = []
        for key, counted in sorted(self._found.items(), key=lambda item: _KINDS.index(item[0][0])):
            for file in np.flatnonzero(counted[:, 2]).tolist():
                entry, value = self._first[key, file]
                location, entries = self._files[file]
                nan, infinite, events = counted[file].tolist()
                numbers = (entries, nan, infinite, events, int(self._passed[file]))
                rows.append(NonFinite(self._class_name, *key, location, *numbers, entry, value))
        return tuple(rows)


def non_finite_error(found: Iterable[NonFinite]) -> str:
    """Return what is to be said of values that are refused: of each the first entry, and how many in which files."""
    by_value: dict[tuple[str, str, str], list[NonFinite]] = {}
    for row in found:
        if row.refused:
            by_value.setdefault((row.kind, row.label, row.class_name), []).append(row)
    said = [_said(rows) for rows in list(by_value.values())[:_MOST]]
    if len(by_value) > _MOST:
        said.append(f"and so have {len(by_value) - _MOST} more")
    only_nan = not any(row.n_infinite for rows in by_value.values() for row in rows)
    rows = next(iter(by_value.values()))
    expression = rows[0].expression
    remedy = (
        f"'{expression} == {expression}' for what is not a number"
        if only_nan
        else f"'abs({expression}) < 1e38' for what is infinite or not a number"
    )
    return "\n".join(said) + f"\ncut these events away, as in {remedy}; Summary() counts them by file"


def _said(rows: Sequence[NonFinite]) -> str:
    """Return a sentence on one value of one class."""
    first = rows[0]
    events, passed = sum(row.n_events for row in rows), sum(row.n_passed for row in rows)
    what = f"the weight of class {first.class_name}" if first.kind == "weight" else f"the {first.kind} {first.label!r}"
    where = f"{first.first_value} at entry {first.first_entry} of {first.file}"
    if events == passed:
        where = f"only values that are no finite numbers in {first.file}"
    of_class = "" if first.kind == "weight" else f" (class {first.class_name})"
    files = [f"{_entries(row)} of {row.file}" for row in rows[:_MOST]]
    if len(rows) > _MOST:
        files.append(f"in entries of {len(rows) - _MOST} more files")
    return f"{what} has {where}{of_class}: {events} of {passed} events after the cut, {', '.join(files)}"


def _entries(row: NonFinite) -> str:
    counted = [(row.n_nan, "NaN"), (row.n_infinite, "infinity")]
    return " and ".join(f"{kind} in {n} {'entries' if n != 1 else 'entry'}" for n, kind in counted if n)

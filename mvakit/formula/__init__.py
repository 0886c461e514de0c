"""Formulas over columns: `TTreeFormula`'s language, read once, evaluated for all events at once.

The text is parsed into a tree of frozen nodes (`parser`, `syntax`), nothing is ever handed to Python's own `eval`; the
names in it are found among the columns (`columns`); how often and for which elements it is evaluated is worked out as
ROOT does (`instances`); the rest is NumPy (`evaluate`, `functions`, `special`).
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mvakit.errors import FormulaError, MvakitWarning
from mvakit.formula.columns import CONSTANTS, Columns, find, unknown
from mvakit.formula.evaluate import Evaluation
from mvakit.formula.parser import parse
from mvakit.formula.syntax import Name, Node, Special, names, walk

if TYPE_CHECKING:
    import awkward as ak

__all__ = ["Formula"]


@dataclass(frozen=True)
class Formula:
    """An expression in ROOT's language of trees, such as ``sqrt(px*px+py*py) > 20 && Sum$(jet>30) > 2``.

    Immutable, equal and hashable by its text, and safe to share between threads.

    Parameters
    ----------
    text
        The expression.

    Raises
    ------
    FormulaError
        If it cannot be read; the message shows the place.

    Notes
    -----
    Values are those of ROOT, in double precision. Where mathematics has none, ROOT's is taken (``1/0`` is 0, ``log`` of
    what is not positive is 0, ``sqrt(-a)`` is ``sqrt(a)``), and the number of entries is reported. Beyond ROOT: a
    remainder by zero is 0 where ROOT crashes; ``rndm`` depends on the entry alone, not on a generator's state;
    ``LocalEntry$`` and ``LocalEntries$`` are ``Entry$`` and ``Entries$``; strings have one value per entry; a short name
    that may be several columns is refused, as is a comparison of what was shifted without brackets; and where ROOT reads
    from memory that holds something else (negative indexes, lists that end, columns of the entry before) there is NaN,
    or the value of this entry.
    """

    text: str
    _root: Node = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise FormulaError(f"a formula is a text, not {type(self.text).__name__}: {self.text!r:.60}")
        try:
            object.__setattr__(self, "_root", parse(self.text))
        except RecursionError:
            raise FormulaError(f"the formula is nested too deep: {self.text[:60]!r}...") from None

    def __str__(self) -> str:
        return self.text

    @property
    def is_constant(self) -> bool:
        """Whether the value is the same for every entry of every tree (a column may still be called ``pi``)."""
        return not any(
            (isinstance(node, Special) and node.name != "Length$") or (isinstance(node, Name) and node.name != "pi")
            for node in walk(self._root)
        ) and not any(not isinstance(name, Name) for name in names(self._root))

    def required(self, available: Iterable[str]) -> tuple[str, ...]:
        """Return which of the columns `available` this formula reads, each once, in the order of the text.

        Parameters
        ----------
        available
            The names of the columns of a tree: branches, leaves as ``branch.leaf``, columns of friends as
            ``friend.column``.

        Raises
        ------
        FormulaError
            If a name is none of them; the message has the nearest.
        """
        known = list(available)
        found: dict[str, None] = {}
        for node in names(self._root):
            place = find(node.name, known)
            if place is not None:
                found[place[0]] = None
            elif not (isinstance(node, Name) and node.name in CONSTANTS and not node.indexes):
                raise unknown(node.name, known, self.text)
        return tuple(found)

    def evaluate(
        self,
        columns: Mapping[str, Any] | ak.Array,
        *,
        first_entry: int = 0,
        entries: int | None = None,
        name: str | None = None,
        counts: Counter[str] | None = None,
    ) -> NDArray[Any] | ak.Array:
        """Return the value of the formula for every event.

        Parameters
        ----------
        columns
            A mapping from names to arrays with one row per event (NumPy arrays of one or more dimensions, structured
            arrays, awkward arrays of numbers, lists, nested lists, strings or records), or an awkward record array.
        first_entry
            The number of the first event in the whole tree, where `columns` are a chunk of it: ``Entry$``.
        entries
            The number of events of the whole tree, ``Entries$``; by default all there are up to the end of the chunk.
        name
            What the result is called in warnings.
        counts
            Where to add up, by kind, the number of events in which mathematics gives no value; without it an
            `MvakitWarning` says so.

        Returns
        -------
        ndarray or awkward.Array
            ROOT's multiplicity 0: an array of shape (events,) of float64. Else an awkward array with a list for each
            event, also where that has one element throughout (``arr[0]``). A column by itself is handed back as it
            is, so that no bit of a 64-bit integer is lost; it is not to be written to.

        Raises
        ------
        FormulaError
            If a name is no column, a column holds what a formula cannot read, or an index is too large for an array.
        """
        evaluation = Evaluation(Columns(columns, self.text), self._root, first_entry, entries)
        try:
            with np.errstate(all="ignore"):
                scope, value = evaluation.values()
        except RecursionError:
            raise FormulaError(f"the formula is nested too deep: {self.text[:60]!r}...") from None
        if value.dtype.kind == "U":
            raise FormulaError(f"the formula {self.text!r} is a string, no number: compare it with one")
        if not isinstance(self._root, Name) or not value.ndim:
            value = np.asarray(value, dtype=np.float64)
        if value.ndim == 0:
            value = np.full(scope.points.size, value)
        self._report(evaluation, name, counts)
        if scope.multiplicity == 0:
            return value
        import awkward as ak

        return ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(scope.offsets), ak.contents.NumpyArray(value)))

    def _report(self, evaluation: Evaluation, name: str | None, counts: Counter[str] | None) -> None:
        found = {kind: int(events.sum()) for kind, events in evaluation.odd.items()}
        if counts is not None:
            counts.update(found)
        elif found:
            said = "; ".join(f"{n} {'entries' if n != 1 else 'entry'} with {kind}" for kind, n in found.items())
            called = repr(self.text) if name in (None, self.text) else f"{name!r} ({self.text})"
            warnings.warn(MvakitWarning(f"formula {called}: {said}"), stacklevel=3)

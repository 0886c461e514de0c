"""What a transformation acts on: a choice among the variables, targets and spectators of an event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError, did_you_mean
from mvakit.variables import Variable
from mvakit.weightfile import attribute, child, int_attribute

__all__ = ["KINDS", "Columns", "Entry", "Kind", "Selection"]

IntArray = npt.NDArray[np.intp]
Kind = Literal["Variable", "Target", "Spectator"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of an event: of which kind, at which place among its kind, and its names."""

    kind: Kind
    index: int
    variable: Variable


@dataclass(frozen=True, slots=True)
class Columns:
    """The values that an event consists of, by kind."""

    variables: tuple[Variable, ...]
    targets: tuple[Variable, ...] = ()
    spectators: tuple[Variable, ...] = ()

    def of(self, kind: Kind) -> tuple[Entry, ...]:
        """Return every entry of one kind."""
        members = {"Variable": self.variables, "Target": self.targets, "Spectator": self.spectators}[kind]
        return tuple(Entry(kind, i, variable) for i, variable in enumerate(members))

    def find(self, label: str, expression: str, kinds: Sequence[Kind] = KINDS) -> Entry | None:
        """Return the entry of that label or, failing that, of that expression; variables before targets and spectators."""
        for kind in kinds:
            for entry in self.of(kind):
                if entry.variable.label == label:
                    return entry
            for entry in self.of(kind):
                if entry.variable.expression == expression:
                    return entry
        return None

    def names(self, kinds: Sequence[Kind] = KINDS) -> list[str]:
        """Return every label and expression once, for error messages."""
        variables = [entry.variable for kind in kinds for entry in self.of(kind)]
        return list(dict.fromkeys(name for v in variables for name in (v.label, v.expression)))


@dataclass(frozen=True, slots=True)
class Selection:
    """The entries that a transformation reads, and those that it writes its results to.

    The two are the same except in a few files of TMVA that rearrange variables.

    Attributes
    ----------
    inputs, outputs : tuple of Entry
        Of the same length, and of the same kinds place by place.
    """

    inputs: tuple[Entry, ...]
    outputs: tuple[Entry, ...]

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Selection:
        """Return the selection of these entries in TMVA's order: variables, targets, spectators, each by its index."""
        ordered = tuple(sorted(dict.fromkeys(entries), key=lambda entry: (KINDS.index(entry.kind), entry.index)))
        return cls(ordered, ordered)

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def labels(self) -> list[str]:
        """The labels of the inputs."""
        return [entry.variable.label for entry in self.inputs]

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of value that are transformed."""
        return frozenset(entry.kind for entry in self.inputs)

    def places(self, kind: Kind) -> tuple[IntArray, IntArray, IntArray]:
        """Return where one kind sits: its positions in the selection, the columns read and the columns written."""
        positions = [i for i, entry in enumerate(self.inputs) if entry.kind == kind]
        return (
            np.array(positions, dtype=np.intp),
            np.array([self.inputs[i].index for i in positions], dtype=np.intp),
            np.array([self.outputs[i].index for i in positions], dtype=np.intp),
        )

    # ------------------------------------------------------------------------------------------ weight file

    def write(self, transform: ET.Element) -> None:
        """Append ``<Selection>`` to a ``<Transform>``."""
        element = ET.SubElement(transform, "Selection")
        for tag, entries in (("Input", self.inputs), ("Output", self.outputs)):
            group = ET.SubElement(element, tag, {f"N{tag}s": str(len(entries))})
            for entry in entries:
                ET.SubElement(
                    group, tag, Type=entry.kind, Label=entry.variable.label, Expression=entry.variable.expression
                )

    @classmethod
    def read(cls, transform: ET.Element, columns: Columns) -> Selection:
        """Read the ``<Selection>`` of a ``<Transform>``; the files of TMVA 4.0 have none and mean everything.

        Raises
        ------
        WeightFileError
            If it names a variable that the file does not have, or miscounts.
        """
        element = transform.find("Selection")
        if element is None:
            whole = columns.of("Variable")
            if transform.get("NTargets") is not None and int_attribute(transform, "NTargets", 0) > 0:
                whole += columns.of("Target")
            return cls(whole, whole)
        inputs, outputs = (_read_entries(child(element, tag), tag, columns) for tag in ("Input", "Output"))
        if [e.kind for e in inputs] != [e.kind for e in outputs] or len(set(outputs)) != len(outputs):
            raise WeightFileError("a <Selection> should write as many different values of each kind as it reads")
        return cls(inputs, outputs)


def _read_entries(group: ET.Element, tag: str, columns: Columns) -> tuple[Entry, ...]:
    entries = []
    for item in group.findall(tag):
        kind = attribute(item, "Type")
        if kind not in KINDS:
            raise WeightFileError(f"<{tag} Type={kind!r}>: {did_you_mean(kind, KINDS, noun='the types')}")
        kinds = (kind,)
        label = attribute(item, "Label")
        entry = columns.find(label, item.get("Expression", label), kinds)
        if entry is None:
            known = columns.names(kinds)
            raise WeightFileError(
                f"a transformation selects the {kind.lower()} {label!r}, which the file does not declare; "
                f"{did_you_mean(label, known, noun=f'the {kind.lower()}s')}"
            )
        entries.append(entry)
    if int_attribute(group, f"N{tag}s", 0) != len(entries):
        raise WeightFileError(f"<{tag} N{tag}s={group.get(f'N{tag}s')!r}> holds {len(entries)} entries")
    return tuple(entries)

"""The grammar of ``VarTransform``: chains, subsets of variables, and the class whose events define a transformation.

::

    chain  = "" | "None" | step { ("," | "+") step }
    step   = name [ "(" subset ")" ] [ "_" class ]        (the subset may also follow the class)
    name   = I | Ident | Identity | D | Deco | Decorrelate | P | PCA | U | Uniform | G | Gauss
           | N | Norm | Normalise | Normalize             (upper and lower case differ)
    subset = item { "," item }
    item   = label | expression | _V_ | _V0_ | _T_ | _T0_ | _S_ | _S0_
    class  = a class of the data set | AllClasses

TMVA cuts a step at every ``_``, so that a class whose name holds one is out of its reach. Here the class is the longest
known name that fits, whatever it holds. A name in a subset is sought among the variables, then the targets, then the
spectators, by label before expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mvakit.errors import TransformationError, did_you_mean
from mvakit.transformations.selection import Columns, Entry, Kind, Selection
from mvakit.variables import Variable

__all__ = ["Step", "letters", "parse_chain", "parse_list"]

ALL_CLASSES: Final = "AllClasses"

_NAMES: Final = {
    "I": "I", "Ident": "I", "Identity": "I",
    "D": "D", "Deco": "D", "Decorrelate": "D",
    "P": "P", "PCA": "P",
    "U": "U", "Uniform": "U",
    "G": "G", "Gauss": "G",
    "N": "N", "Norm": "N", "Normalise": "N", "Normalize": "N",
}  # fmt: skip

_ALONG_WITH_TARGETS: Final = frozenset("NU")  # these transform the targets too, unless a subset says otherwise
_ONE_KIND: Final = frozenset("DP")  # these mix their inputs, which only makes sense within one kind

_TOKEN: Final = re.compile(r"_([VTS])(\d{0,9})_")
_TOKEN_KINDS: Final[dict[str, Kind]] = {"V": "Variable", "T": "Target", "S": "Spectator"}


@dataclass(frozen=True, slots=True)
class Step:
    """One transformation as it was booked.

    Attributes
    ----------
    letter : str
        ``I``, ``D``, ``P``, ``U``, ``G`` or ``N``.
    text : str
        The step as it was written.
    selection : Selection
    reference : int or None
        The class whose events define it; None for the events of all classes.
    """

    letter: str
    text: str
    selection: Selection
    reference: int | None = None


def parse_chain(
    text: str,
    variables: Sequence[Variable],
    classes: Sequence[str],
    targets: Sequence[Variable] = (),
    spectators: Sequence[Variable] = (),
) -> tuple[Step, ...]:
    """Parse the text of ``VarTransform``.

    Parameters
    ----------
    text : str
        ``"None"``, ``"N"``, ``"G,D"``, ``"N(var1,var3)+D_Signal"``...
    variables, targets, spectators : sequence of Variable
        What subsets choose from.
    classes : sequence of str
        In the order of their index.

    Returns
    -------
    tuple of Step
        Empty for ``"None"`` and for an empty text.

    Raises
    ------
    TransformationError
        Naming the piece that is wrong and the nearest valid spelling.
    """
    text = text.strip()
    if text in {"", "None"}:
        return ()
    columns = Columns(tuple(variables), tuple(targets), tuple(spectators))
    return tuple(_Parser(text, columns, tuple(classes)).steps())


def parse_list(
    text: str,
    variables: Sequence[Variable],
    classes: Sequence[str],
    targets: Sequence[Variable] = (),
    spectators: Sequence[Variable] = (),
) -> tuple[str, ...]:
    """Split the Factory's ``Transformations=I;D;P;G,D`` into its chains, each checked.

    Raises
    ------
    TransformationError
        As `parse_chain` does.
    """
    chains = tuple(piece.strip() for piece in text.split(";") if piece.strip())
    for chain in chains:
        parse_chain(chain, variables, classes, targets, spectators)
    return chains


def letters(text: str) -> str | None:
    """Return the letters of the transformations of a chain without looking at subsets and classes.

    A weight file says the rest itself, and may have been booked with names that TMVA ignored with a warning.
    None if the text is not a chain.
    """
    if text.strip() in {"", "None"}:
        return ""
    names = (re.split(r"[_(]", piece.strip(), maxsplit=1)[0] for piece in _split(text, ",+"))
    found = [_NAMES.get(name) for name in names]
    return None if None in found else "".join(letter for letter in found if letter is not None)


def _split(text: str, separators: str) -> Iterator[str]:
    """Cut at separators that stand outside of brackets."""
    depth, begin = 0, 0
    for i, character in enumerate(text):
        depth += (character in "([") - (character in ")]")
        if depth == 0 and character in separators:
            yield text[begin:i]
            begin = i + 1
    yield text[begin:]


class _Parser:
    """Reads a chain from left to right."""

    def __init__(self, text: str, columns: Columns, classes: tuple[str, ...]) -> None:
        self.text = text
        self.columns = columns
        self.classes = classes
        self.at = 0

    def steps(self) -> Iterator[Step]:
        while True:
            yield self.step()
            if self.at == len(self.text):
                return
            self.at += 1  # over the separator

    def step(self) -> Step:
        begin = self.at
        match = re.compile(r"[^_(,+]*").match(self.text, begin)
        name = match.group().strip() if match else ""
        letter = _NAMES.get(name)
        if letter is None:
            wrong = f"the transformation {name!r} is not known" if name else "a transformation is missing"
            raise TransformationError(
                f"{wrong} in VarTransform={self.text!r}: {did_you_mean(name, _NAMES, noun='the transformations')}"
            )
        self.at = match.end() if match else begin
        subset: str | None = None
        reference: int | None = None
        class_given = False
        while self.at < len(self.text) and self.text[self.at] not in ",+":
            if self.text[self.at] == "(" and subset is None:
                subset = self.subset()
            elif self.text[self.at] == "_" and not class_given:
                reference, class_given = self.reference(), True
            else:
                raise TransformationError(
                    f"{self.text[self.at :]!r} is one thing too many in VarTransform={self.text!r}; a transformation "
                    "is a name, at most one (subset) and at most one _class"
                )
        return Step(letter, self.text[begin : self.at].strip(), self.selection(letter, name, subset), reference)

    def subset(self) -> str:
        """Read a bracketed subset; brackets within it belong to expressions."""
        depth = 0
        for end in range(self.at, len(self.text)):
            depth += (self.text[end] == "(") - (self.text[end] == ")")
            if depth == 0:
                subset = self.text[self.at + 1 : end]
                self.at = end + 1
                self.skip_blanks()
                return subset
        raise TransformationError(
            f"the bracket of {self.text[self.at :]!r} is not closed in VarTransform={self.text!r}"
        )

    def reference(self) -> int | None:
        """Read a class: the longest known name that ends where a step may end."""
        begin = self.at + 1
        for name in sorted((*self.classes, ALL_CLASSES), key=len, reverse=True):
            end = begin + len(name)
            if self.text.startswith(name, begin) and re.compile(r"\s*(?:[,+(]|$)").match(self.text, end):
                self.at = end
                self.skip_blanks()
                return self.classes.index(name) if name in self.classes else None
        wrong = re.split(r"[,+(]", self.text[begin:], maxsplit=1)[0].strip()
        raise TransformationError(
            f"the class {wrong!r} in VarTransform={self.text!r} is not known: "
            f"{did_you_mean(wrong, (*self.classes, ALL_CLASSES), noun='the classes')}"
        )

    def skip_blanks(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def selection(self, letter: str, name: str, subset: str | None) -> Selection:
        if subset is None:
            kinds: tuple[Kind, ...] = ("Variable", "Target") if letter in _ALONG_WITH_TARGETS else ("Variable",)
            return Selection.of([entry for kind in kinds for entry in self.columns.of(kind)])
        if letter == "I":
            raise TransformationError(f"the identity {name!r} takes no subset of variables; write {name!r} alone")
        selection = Selection.of([entry for item in _split(subset, ",") for entry in self.item(item)])
        if letter in _ONE_KIND and len(selection.kinds) > 1:
            raise TransformationError(
                f"{name}({subset}) mixes its inputs, which have to be of one kind, not {' and '.join(selection.kinds)}"
            )
        return selection

    def item(self, text: str) -> tuple[Entry, ...]:
        """Return the entries that one item of a subset stands for."""
        item = re.sub(r"\s+", "", text)
        token = _TOKEN.fullmatch(item)
        if token is None:
            entry = self.columns.find(item, item)
            if entry is None:
                raise TransformationError(
                    f"the variable {item!r} in VarTransform={self.text!r} is not known: "
                    f"{did_you_mean(item, self.columns.names(), noun='the variables')}"
                )
            return (entry,)
        kind = _TOKEN_KINDS[token.group(1)]
        entries = self.columns.of(kind)
        if not entries:
            raise TransformationError(f"{item} in VarTransform={self.text!r}: there are no {kind.lower()}s")
        if not token.group(2):
            return entries
        index = int(token.group(2))
        if index >= len(entries):
            raise TransformationError(
                f"{item} in VarTransform={self.text!r}: there are {len(entries)} {kind.lower()}s, counted from 0"
            )
        return (entries[index],)

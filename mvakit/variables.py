"""Variables, targets and spectators: expression, label, title, unit, type and range."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mvakit.errors import DataError

__all__ = ["Variable", "define", "expand", "internal_name", "split_definition"]

_SLICE = re.compile(r"([A-Za-z_][\w.:]*)\[:(\d+)\]")
_MAX_ELEMENTS = 10_000

# TMVA's table of replacements; the two-character operators come first.
_REPLACEMENTS = (
    ("::", "_"),
    ("$", "_S_"), ("&", "_A_"), ("%", "_MOD_"), ("|", "_O_"), ("*", "_T_"), ("/", "_D_"), ("+", "_P_"), ("-", "_M_"),
    ("=", "_E_"), (">", "_GT_"), ("<", "_LT_"),
    (" ", "_"), ("[", "_"), ("]", "_"), ("(", "_"), (")", "_"),
)  # fmt: skip

_TYPES = {"F": "F", "I": "I", "D": "F", "FLOAT": "F", "INT": "I", "DOUBLE": "F"}


def internal_name(text: str) -> str:
    """Return TMVA's internal name of an expression: every operator replaced, fit for a branch or a C++ identifier.

    Examples
    --------
    >>> internal_name("var1+var2")
    'var1_P_var2'
    """
    for character, replacement in _REPLACEMENTS:
        text = text.replace(character, replacement)
    return text


def split_definition(definition: str) -> tuple[str, str]:
    """Split ``"label := expression"`` into label and expression; without a label the expression is its own.

    White space inside an expression means nothing to a formula and is dropped, as TMVA drops it.

    Raises
    ------
    DataError
        If the expression, or the label before ``:=``, is empty.
    """
    label, found, expression = definition.partition(":=")
    if not found:
        label, expression = definition, definition
    label = re.sub(r"\s+", "", label)
    expression = re.sub(r"\s+", "", expression)
    if not expression or not label:
        raise DataError(
            f"a variable is 'expression' or 'label := expression', but {definition!r} leaves one of them empty"
        )
    return label, expression


@dataclass(frozen=True, slots=True)
class Variable:
    """One input variable, target or spectator.

    Attributes
    ----------
    expression : str
        The formula that is evaluated on a tree.
    label : str
        Its short name: of a branch in TrainTree and of the option ``VarTransform=N(label)``.
    title, unit : str
        What axes and tables say.
    type : str
        TMVA's type letter, ``"F"`` or ``"I"``.
    minimum, maximum : float
        The range seen in training; equal where it has not been seen yet.
    """

    expression: str
    label: str
    title: str = ""
    unit: str = ""
    type: str = "F"
    minimum: float = 0.0
    maximum: float = 0.0

    @property
    def internal(self) -> str:
        """The label in TMVA's internal spelling."""
        return internal_name(self.label)

    @property
    def axis_title(self) -> str:
        """The title with its unit in brackets, as an axis shows it."""
        title = self.title or self.label
        return f"{title} [{self.unit}]" if self.unit else title


def expand(definition: str, fill: float = 0.0, *, mask: bool | Iterable[int] = False) -> list[str]:
    """Expand a vector of fixed length, ``jet_pt[:4]``, into the definitions of its elements.

    Element ``i`` becomes ``Alt$(jet_pt[i],fill)``, which is a formula of ROOT's: what a vector has beyond the length is
    left out, and what it lacks is filled. Its label is that of the definition with ``_i``. A definition without ``[:n]``
    is returned as it is.

    Parameters
    ----------
    definition : str
        ``expression`` or ``label := expression``; all vectors in it have the same length.
    fill : float
        The value of elements that are not there.
    mask : bool or iterable of int
        Whether a variable is added for each element that is 1 where it is there and 0 where it is filled; or the elements
        that one is added for. An element that every event has needs none.

    Raises
    ------
    DataError
        If the lengths differ or are not between 1 and 10 000, or the mask names an element that the vector has not.

    Examples
    --------
    >>> expand("pt[:2]", -1, mask=True)
    ['pt_0:=Alt$(pt[0],-1)', 'pt_1:=Alt$(pt[1],-1)', 'pt_there_0:=Length$(pt)>0', 'pt_there_1:=Length$(pt)>1']
    """
    label, expression = split_definition(definition)
    found = _SLICE.findall(expression)
    if not found:
        return [definition]
    lengths = {int(length) for _, length in found}
    if len(lengths) > 1 or not 1 <= max(lengths) <= _MAX_ELEMENTS:
        raise DataError(
            f"the vectors of {definition!r} need one length between 1 and {_MAX_ELEMENTS}, as in 'pt[:4]', "
            f"and have {', '.join(map(str, sorted(lengths)))}"
        )
    stem = label if ":=" in definition else internal_name(_SLICE.sub(r"\1", expression))
    elements = range(max(lengths))
    parts = [_SLICE.sub(lambda match, i=i: f"{match[1]}[{i}]", expression) for i in elements]  # type: ignore[misc]
    definitions = [f"{stem}_{i}:=Alt$({part},{fill:.17g})" for i, part in enumerate(parts)]
    masked = [i for i in elements if mask] if isinstance(mask, bool) else list(dict.fromkeys(mask))
    for i in masked:
        if i not in elements:
            raise DataError(
                f"the mask of {definition!r} takes elements 0 to {max(lengths) - 1} (or True for all), not {i!r}"
            )
        definitions.append(f"{stem}_there_{i}:=Length$({found[0][0]})>{i}")
    return definitions


def define(
    definition: str, title: str = "", unit: str = "", type: str = "F", minimum: float = 0.0, maximum: float = 0.0
) -> Variable:
    """Make a `Variable` from TMVA's ``AddVariable`` arguments.

    Raises
    ------
    DataError
        If the definition is empty or the type letter is neither ``F`` nor ``I``.
    """
    label, expression = split_definition(definition)
    letter = _TYPES.get(type.upper())
    if letter is None:
        raise DataError(f"the type of variable {label!r} is 'F' or 'I', not {type!r}")
    return Variable(expression, label, title or label, unit, letter, float(minimum), float(maximum))

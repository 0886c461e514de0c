"""Variables, targets and spectators: expression, label, title, unit, type and range."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mvakit.errors import DataError

__all__ = ["Variable", "define", "internal_name", "split_definition"]

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

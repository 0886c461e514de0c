"""From the formula of a weight file, ``(0)+(1)*x0``, to its values."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from mvakit.errors import FormulaError
from mvakit.formula import Formula
from mvakit_methods.fda.expression import Expression

__all__ = ["MAX_PARAMETERS", "Discriminant", "slots"]

FloatArray = npt.NDArray[np.float64]

MAX_PARAMETERS: Final = 1000
_BLOCK: Final = 8192  # events at a time, so that what lies between two operations stays in the cache
_PARAMETER: Final = re.compile(r"\((0|[1-9][0-9]*)\)")
_VARIABLE: Final = re.compile(r"x(0|[1-9][0-9]*)")
_SLOT: Final = re.compile(r"\[([0-9]+)\]")
_ENTRY_WORDS: Final = re.compile(r"\$|\brndm\b|@|\.size\b")  # of trees, not of numbers


def slots(text: str, n_parameters: int, n_variables: int) -> str:
    """Replace parameters, ``(0)``, and variables, ``x0``, by slots: parameters are the first, variables follow.

    It is done as TMVA does it, letter by letter: any number in brackets of its own is a parameter.

    Raises
    ------
    FormulaError
        If there is no such parameter or variable.
    """
    for pattern, count, what in (
        (_PARAMETER, n_parameters, "parameter"),
        (_VARIABLE, n_variables, "variable"),
    ):
        for match in pattern.finditer(text):
            if len(match[1]) > 9 or int(match[1]) >= count:
                raise FormulaError(
                    f"the formula {text[:200]!r} names the {what} {match[0][:20]}, but there are {count}, counted from 0"
                )
    text = _PARAMETER.sub(r"[\1]", text)
    return _VARIABLE.sub(lambda match: f"[{int(match[1]) + n_parameters}]", text)


@dataclass(frozen=True)
class Discriminant:
    """A formula with the values of its parameters; immutable and thread-safe.

    Attributes
    ----------
    text : str
        As a weight file has it.
    parameters : tuple of float
    n_variables : int
    classic : bool
        Whether it follows the rules of ROOT 5, in which 1/2 is a half and 1/0 is 0, and not those of C++.

    Raises
    ------
    FormulaError
        If the formula cannot be read, or names what is not there.
    """

    text: str
    parameters: tuple[float, ...]
    n_variables: int
    classic: bool = False
    _compiled: Formula | Expression = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        numbered = slots(self.text, len(self.parameters), self.n_variables)
        compiled: Formula | Expression
        if self.classic:
            unknown = _ENTRY_WORDS.search(numbered)
            if unknown is not None:
                raise FormulaError(f"{unknown[0]!r} has no meaning in the formula {self.text[:200]!r}")
            compiled = Formula(_SLOT.sub(self._named, numbered))
            compiled.required(self._names())
        else:
            compiled = Expression(numbered, len(self.parameters) + self.n_variables)
        object.__setattr__(self, "_compiled", compiled)

    def _named(self, slot: re.Match[str]) -> str:
        """Return what stands in a classic formula: the value of a parameter, or the name of a variable."""
        index = int(slot[1])
        if index < len(self.parameters):
            return f"({self.parameters[index]!r})"
        return f"_x{index - len(self.parameters)}"  # which no text can hold: x0 was replaced

    def _names(self) -> list[str]:
        return [f"_x{i}" for i in range(self.n_variables)]

    def __call__(self, X: npt.NDArray[np.float32]) -> FloatArray:
        """Return the value for each event, shape (n_events,)."""
        columns = [X[:, i].astype(np.float64) for i in range(self.n_variables)]
        if isinstance(self._compiled, Formula):
            return np.asarray(self._compiled.evaluate(dict(zip(self._names(), columns, strict=True))), np.float64)
        response = np.empty(len(X))
        for begin in range(0, len(X), _BLOCK):
            rows = slice(begin, begin + _BLOCK)
            response[rows] = self._compiled.evaluate([*self.parameters, *(column[rows] for column in columns)])
        return response

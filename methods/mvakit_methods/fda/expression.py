"""Formulas as ROOT 6 evaluates them: those of C++, in which whole numbers divide to whole numbers and 1/0 is infinite.

The formulas of trees, `mvakit.formula`, keep the rules of ROOT 5: another precedence of operators, ``1/2`` is a half and
``1/0`` is 0. `TFormula` of ROOT 6 hands its text to the C++ compiler instead; only ``^`` and ``**`` are its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import numpy as np
import numpy.typing as npt

from mvakit.errors import FormulaError, did_you_mean
from mvakit.formula.functions import FUNCTIONS, to_int64

__all__ = ["Expression"]

FloatArray = npt.NDArray[np.float64]

MAX_LENGTH: Final = 20_000
MAX_DEPTH: Final = 100
_DIGITS: Final = 18  # of a whole number in 64 bits

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|\[(?P<slot>\d+)\]"
    r"|(?P<name>[A-Za-z_]\w*(?:::\w+)*)"
    r"|(?P<operator>\*\*|&&|\|\||[<>=!]=|[-+*/^!<>?:(),]))"
)
_LEVEL: Final = {
    "?": 1, "||": 2, "&&": 3, "==": 4, "!=": 4, "<": 5, ">": 5, "<=": 5, ">=": 5, "+": 6, "-": 6, "*": 7, "/": 7, "^": 9,
}  # fmt: skip
_SIGN: Final = 8  # of a minus or ! before an operand, which binds less than a power
_CONSTANTS: Final[Mapping[str, float | int]] = {
    "pi": np.pi,
    "e": np.e,
    "sqrt2": np.sqrt(2.0),
    "ln10": np.log(10.0),
    "loge": np.log10(np.e),
    "infinity": np.inf,
    "true": 1,
    "false": 0,
}


def _whole(x: Any) -> bool:
    return np.asarray(x).dtype.kind == "i"


def _divide(a: Any, b: Any) -> Any:
    if not (_whole(a) and _whole(b)):
        return np.true_divide(a, b)
    size = np.abs(a) // np.where(b == 0, 1, np.abs(b))
    return np.where(b == 0, 0, np.sign(a) * np.sign(b) * size)


def _truth(operation: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *x: np.asarray(operation(*x)).astype(np.int64)


def _power(a: Any, b: Any) -> Any:
    return np.power(np.asarray(a, np.float64), np.asarray(b, np.float64))


_OPERATIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": _divide,
    "^": _power,
    "<": _truth(np.less),
    ">": _truth(np.greater),
    "<=": _truth(np.less_equal),
    ">=": _truth(np.greater_equal),
    "==": _truth(np.equal),
    "!=": _truth(np.not_equal),
    "&&": _truth(np.logical_and),
    "||": _truth(np.logical_or),
    "!": _truth(np.logical_not),
    "negative": np.negative,
    "positive": np.positive,
    "?": np.where,
    # functions that keep whole numbers whole, and one that mvakit.formula bounds
    "abs": np.abs,
    "min": lambda a, b: np.where(b < a, b, a),
    "max": lambda a, b: np.where(a < b, b, a),
    "int": lambda x: x if _whole(x) else to_int64(x),
    "exp": lambda x: np.exp(np.asarray(x, np.float64)),
}
_SIGNS: Final = {"-": "negative", "+": "positive", "!": "!"}
_NOT_HERE: Final = frozenset({"strstr"})  # of texts


@dataclass(frozen=True, slots=True)
class _Step:
    """What is done next: ``"[]"`` and ``"number"`` put a value on a stack, others replace the last ones there."""

    what: str
    operands: int = 0
    value: float | int = 0


@dataclass(frozen=True)
class Expression:
    """A formula of numbered slots, ``[0]+[1]*exp(-[2])``; immutable and thread-safe.

    Parameters
    ----------
    text : str
    n_slots : int

    Raises
    ------
    FormulaError
        If it cannot be read, or names what is not there.
    """

    text: str
    n_slots: int
    _steps: tuple[_Step, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.text) > MAX_LENGTH:
            raise FormulaError(f"a formula has {MAX_LENGTH} characters at most, not {len(self.text)}")
        object.__setattr__(self, "_steps", tuple(_Parser(self.text, self.n_slots).parse()))

    def evaluate(self, slots: Sequence[Any]) -> FloatArray:
        """Return the value where each slot is a number or a column."""
        given = [np.asarray(slot, np.float64) for slot in slots]
        stack: list[Any] = []
        with np.errstate(all="ignore"):
            for step in self._steps:
                if step.what == "number":
                    stack.append(np.asarray(step.value))
                elif step.what == "[]":
                    stack.append(given[int(step.value)])
                else:
                    operands = stack[len(stack) - step.operands :]
                    del stack[len(stack) - step.operands :]
                    stack.append(_compute(step.what, operands))
            return np.asarray(stack[0], dtype=np.float64)


def _compute(what: str, operands: Sequence[Any]) -> Any:
    if what in _OPERATIONS:
        return _OPERATIONS[what](*operands)
    function = FUNCTIONS[what]
    return (function.ordinary or function.compute)(*(np.asarray(x, np.float64) for x in operands))


class _Parser:
    """Text to steps, by the precedence of C++."""

    def __init__(self, text: str, n_slots: int) -> None:
        self.text = text
        self.n_slots = n_slots
        self.words: list[tuple[str, str]] = []
        self.steps: list[_Step] = []
        self.next = 0
        self.depth = 0
        place, end = 0, len(text.rstrip())
        while place < end:
            match = _TOKEN.match(text, place)
            if match is None:
                self.refuse(f"{text[place:].strip()[:20]!r} is not understood")
            kind = str(match.lastgroup)
            self.words.append((kind, match[kind].replace("**", "^")))
            place = match.end()

    def refuse(self, why: str) -> NoReturn:
        raise FormulaError(f"{why} in the formula {self.text[:200]!r}")

    def peek(self) -> str:
        return self.words[self.next][1] if self.next < len(self.words) else ""

    def take(self, operator: str = "") -> tuple[str, str]:
        """Return the next word, which may have to be an operator."""
        if self.next == len(self.words):
            self.refuse(f"{operator!r} is missing" if operator else "something is missing at the end")
        kind, word = self.words[self.next]
        if operator and word != operator:
            self.refuse(f"{operator!r} is expected before {word!r}")
        self.next += 1
        return kind, word

    def parse(self) -> list[_Step]:
        self.operation(0)
        if self.next < len(self.words):
            self.refuse(f"{self.peek()!r} is not expected")
        return self.steps

    def operation(self, least: int) -> None:
        """Read operands joined by operators that bind at least that strongly."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.refuse(f"there are more than {MAX_DEPTH} levels")
        self.operand()
        while (operator := self.peek()) in _LEVEL and _LEVEL[operator] >= least:
            level = _LEVEL[operator]
            self.take()
            if operator == "?":
                self.operation(0)
                self.take(":")
            self.operation(level if operator in {"?", "^"} else level + 1)
            self.steps.append(_Step(operator, 3 if operator == "?" else 2))
        self.depth -= 1

    def operand(self) -> None:
        kind, word = self.take()
        if kind == "number":
            if word.isdigit() and len(word) > _DIGITS:
                self.refuse(f"the whole number {word[:20]}... is too large")
            self.steps.append(_Step("number", value=int(word) if word.isdigit() else float(word)))
        elif kind == "slot":
            if len(word) > 9 or int(word) >= self.n_slots:
                self.refuse(f"there is no [{word[:20]}]")
            self.steps.append(_Step("[]", value=int(word)))
        elif kind == "name":
            self.name(word)
        elif word == "(":
            self.operation(0)
            self.take(")")
        elif word in _SIGNS:
            self.operation(_SIGN)
            self.steps.append(_Step(_SIGNS[word], 1))
        else:
            self.refuse(f"{word!r} is not expected")

    def name(self, name: str) -> None:
        """Read a constant, or a function with its arguments."""
        if self.peek() != "(":
            if name not in _CONSTANTS:
                self.refuse(f"{name!r} is not known ({did_you_mean(name, _CONSTANTS, noun='the constants')})")
            self.steps.append(_Step("number", value=_CONSTANTS[name]))
            return
        if name not in FUNCTIONS or name in _NOT_HERE:
            self.refuse(f"the function {name!r} is not known ({did_you_mean(name, FUNCTIONS, noun='the functions')})")
        self.take("(")
        count = 0
        if self.peek() != ")":
            self.operation(0)
            count += 1
            while self.peek() == ",":
                self.take(",")
                self.operation(0)
                count += 1
        self.take(")")
        arity = FUNCTIONS[name].arity
        if count not in arity:
            self.refuse(f"{name} takes {' or '.join(map(str, arity))} arguments, not {count}")
        self.steps.append(_Step(name, count))

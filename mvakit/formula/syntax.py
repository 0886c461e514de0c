"""The tree that a formula's text becomes: what was written, before any column is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "Alternate",
    "Call",
    "Chain",
    "Choice",
    "Index",
    "Name",
    "Node",
    "Number",
    "Reduction",
    "SizeOf",
    "Special",
    "Text",
    "Unary",
    "children",
    "names",
    "walk",
]


@dataclass(frozen=True, slots=True)
class Number:
    """A literal number."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A literal string, only ever compared."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """A column, with an entry for every pair of brackets behind it.

    An index is None for ``[]`` (every element), an int for a literal, or the node that computes it.
    """

    name: str
    indexes: tuple[Index, ...]
    position: int


@dataclass(frozen=True, slots=True)
class SizeOf:
    """``@name.size()``: how many elements the outermost list of a column holds."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Unary:
    """``-a`` or ``!a``."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Chain:
    """Operands joined by one and the same operator: flat, so that a sum of hundreds of terms is no deep tree."""

    operator: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """``condition ? yes : no``."""

    condition: Node
    yes: Node
    no: Node


@dataclass(frozen=True, slots=True)
class Call:
    """A function of numbers, by its key in `mvakit.formula.functions.FUNCTIONS`."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Special:
    """``Entry$``, ``LocalEntry$``, ``Entries$``, ``LocalEntries$``, ``Iteration$``, ``Length$`` or ``rndm``."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Reduction:
    """``Sum$``, ``Min$``, ``Max$``, ``Length$`` of a formula, or ``MinIf$``, ``MaxIf$`` of one under a condition."""

    name: str
    formula: Node
    condition: Node | None = None


@dataclass(frozen=True, slots=True)
class Alternate:
    """``Alt$(primary, alternate)``: the alternate where the primary has no such element."""

    primary: Node
    alternate: Node


Node: TypeAlias = Number | Text | Name | SizeOf | Unary | Chain | Choice | Call | Special | Reduction | Alternate
Index: TypeAlias = int | Node | None


def children(node: Node) -> tuple[Node, ...]:
    """Return what stands directly below `node`, in the order of the text."""
    match node:
        case Name(indexes=indexes):
            return tuple(index for index in indexes if index is not None and not isinstance(index, int))
        case Unary(operand=operand):
            return (operand,)
        case Chain(operands=operands):
            return operands
        case Choice(condition=condition, yes=yes, no=no):
            return (condition, yes, no)
        case Call(arguments=arguments):
            return arguments
        case Reduction(formula=formula, condition=condition):
            return (formula,) if condition is None else (formula, condition)
        case Alternate(primary=primary, alternate=alternate):
            return (primary, alternate)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """Yield `node` and everything below it, in the order of the text."""
    stack = [node]
    while stack:
        node = stack.pop()
        yield node
        stack.extend(reversed(children(node)))


def names(node: Node) -> Iterator[Name | SizeOf]:
    """Yield whatever in `node` may name a column, in the order of the text."""
    return (below for below in walk(node) if isinstance(below, Name | SizeOf))

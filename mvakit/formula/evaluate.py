"""The value of a formula on given columns, all events at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mvakit.errors import FormulaError
from mvakit.formula.columns import Columns
from mvakit.formula.functions import FUNCTIONS, Array, to_int64, to_uint64
from mvakit.formula.instances import Scope
from mvakit.formula.parser import RIGHT_TO_LEFT
from mvakit.formula.points import Points
from mvakit.formula.syntax import (
    Alternate,
    Call,
    Chain,
    Choice,
    Name,
    Node,
    Number,
    Reduction,
    SizeOf,
    Special,
    Text,
    Unary,
)

__all__ = ["Evaluation"]

Live: TypeAlias = NDArray[np.bool_] | None
"""At which points a value matters: not where ``&&``, ``||`` or ``?:`` pass it by; None is everywhere."""

_ARITHMETIC = {"+": np.add, "-": np.subtract, "*": np.multiply, "^": np.power}
_COMPARISON = {
    "<": np.less,
    ">": np.greater,
    "<=": np.less_equal,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": np.not_equal,
}
_BITS = {"&": np.bitwise_and, "|": np.bitwise_or, "<<": np.left_shift, ">>": np.right_shift}
_EXTREME = {"Min$": np.fmin, "Max$": np.fmax, "MinIf$": np.fmin, "MaxIf$": np.fmax}

_BLOCK = 32_768
"""Events at a time, so that what lies between two operations stays in the cache of the processor."""

_DIVISION = "division by zero, taken as 0"
_MODULO = "remainder of a division by zero, taken as 0"
_MISSING = "index outside the array, taken as NaN"
_STRAYED = "index outside the array, the last element taken"
_EMPTY = "index into an empty list, taken as 0"


@dataclass
class Evaluation:
    """One call of `Formula.evaluate`: the columns, which entries they are, and what was odd."""

    columns: Columns
    root: Node
    first_entry: int
    entries: int | None
    odd: dict[str, NDArray[np.bool_]] = field(default_factory=dict)
    """For each thing that mathematics does not define, the events in which it happened."""

    def values(self) -> tuple[Scope, Array]:
        """Return the scope of the formula and its value at every instance of it (or one for all)."""
        scope = Scope(self.columns, self.root)
        scope.resolve(lambda index, points: self.index(index, points, None))
        if isinstance(self.root, Name):
            return scope, self.run(scope, 0, scope.points, None)
        blocks = scope.blocks(_BLOCK)
        if len(blocks) == 1:
            return scope, self.run(scope, 0, scope.points, None)
        value = np.empty(scope.events, dtype=np.float64)
        for points in blocks:
            found = self.run(scope, 0, points, None)
            if found.dtype.kind == "U":
                return scope, found
            value[points.begin : points.begin + points.size] = found
        return scope, value

    def run(self, scope: Scope, which: int, points: Points, live: Live, manager: Scope | None = None) -> Array:
        """Evaluate one of the formulae of a scope."""
        return _Run(self, scope, manager or scope, points).result(scope.roots[which], live)

    def index(self, scope: Scope, points: Points, live: Live) -> NDArray[np.int64]:
        """Evaluate the formula of an index; what is no index becomes -1."""
        value = np.asarray(self.run(scope, 0, points, live), dtype=np.float64)
        fits = np.abs(value) < 2.0**31
        return np.broadcast_to(np.where(fits, np.where(fits, value, 0.0).astype(np.int64), -1), points.size)

    def note(self, kind: str, where: Array, points: Points, live: Live) -> None:
        """Remember the events in which something happened that counts."""
        where = np.broadcast_to(where if live is None else where & live, points.size)
        if not where.any():
            return
        events = self.odd.setdefault(kind, np.zeros(self.columns.events(), dtype=np.bool_))
        events[points.event_numbers()[where]] = True


class _Run:
    """One formula at given points."""

    def __init__(self, evaluation: Evaluation, scope: Scope, manager: Scope, points: Points) -> None:
        self.evaluation = evaluation
        self.scope = scope
        self.manager = manager  # whose Length$ it is
        self.points = points
        self.lost: NDArray[np.bool_] | None = None  # where an element that is missing makes the formula NaN

    def result(self, root: Node, live: Live) -> Array:
        value = self.value(root, live)
        if self.lost is None:
            return value
        return np.where(self.lost, np.nan, value)

    def error(self, what: str) -> FormulaError:
        return FormulaError(f"{what}: {self.evaluation.columns.formula!r}")

    def value(self, node: Node, live: Live) -> Array:
        """Return the value at every point, or one for all: numbers of any type, booleans or strings."""
        match node:
            case Number(value=number):
                return np.float64(number)  # type: ignore[return-value]  # a scalar is an Array here
            case Text(value=text):
                return np.asarray(text)
            case Name():
                return self.name(node, live)
            case SizeOf(name=name):
                column = self.evaluation.columns.get(name)
                if column.outer is None:
                    raise self.error(f"{name!r} has no size(): it is no list of variable length")
                return self.spread(column.lengths)
            case Special():
                return self.special(node.name, node.position)
            case Unary(operator="!", operand=operand):
                return np.logical_not(self.truth(operand, live))
            case Unary(operand=operand):
                value, reusable = self.double(operand, live)
                return np.negative(value, out=reusable)
            case Chain():
                return self.chain(node, live)
            case Choice():
                return self.choice(node, live)
            case Call():
                return self.call(node, live)
            case Reduction():
                return self.reduction(node, live)
            case Alternate():
                return self.alternate(node, live)

    def is_text(self, node: Node) -> bool:
        """Whether the value of a node is a string, told without working it out."""
        while isinstance(node, Choice):
            node = node.yes
        if isinstance(node, Name) and id(node) in self.scope.leaves:
            return self.scope.leaves[id(node)].column.content.dtype.kind == "U"
        return isinstance(node, Text)

    def number(self, node: Node, live: Live) -> Array:
        value = self.value(node, live)
        if value.dtype.kind == "U":
            what = f"{node.name!r} is a string" if isinstance(node, Name) else "a string stands"
            raise self.error(f"{what} where a number is needed")
        return value

    def double(self, node: Node, live: Live) -> tuple[Array, Any]:
        """Return the value in double precision and, if nobody else sees that memory, again to write a result into."""
        value = self.number(node, live)
        if value.dtype != np.float64:
            value = value.astype(np.float64)
            return value, value if value.ndim else None
        return value, None if isinstance(node, Name) or not value.ndim else value

    def truth(self, node: Node, live: Live) -> Array:
        value = self.number(node, live)
        return value if value.dtype.kind == "b" else np.asarray(np.not_equal(value, 0))

    def spread(self, values: Any) -> Array:
        return np.asarray(self.points.of_event(values))

    def note(self, kind: str, where: Array, live: Live) -> None:
        self.evaluation.note(kind, where, self.points, live)

    # --- names --------------------------------------------------------------------------------------------------

    def name(self, node: Name, live: Live) -> Array:
        leaf = self.scope.leaves.get(id(node))
        if leaf is None:
            return self.special(node.name, node.position)
        content = leaf.column.content
        if not leaf.indexes:
            return self.spread(content)
        if self.scope.whole(leaf, self.points):
            return content
        element = self.scope.element(leaf, self.points)
        if element is not None:
            return element
        place = self.scope.locate(leaf, self.points, lambda index, at: self.evaluation.index(index, at, live))
        value = content[place.position] if len(content) else np.zeros(self.points.size, dtype=content.dtype)
        self.note(_STRAYED, place.strayed, live)
        if place.missing.any():
            self.note(_MISSING, place.missing, live)
            lost = place.missing if live is None else place.missing & live
            self.lost = lost if self.lost is None else self.lost | lost
        if place.zero is not None and place.zero.any():
            self.note(_EMPTY, place.zero, live)
            value = np.where(place.zero, 0, value)
        return value

    def special(self, name: str, position: int) -> Array:
        evaluation, points = self.evaluation, self.points
        if name == "pi":
            return np.float64(np.pi)  # type: ignore[return-value]
        if name == "Iteration$":
            return np.asarray(0 if points.instances is None else points.instances)
        if name == "Length$":
            return self.spread(1 if self.manager.loop == -1 else self.manager.count)
        if name in ("Entries$", "LocalEntries$"):
            known = evaluation.entries
            return np.float64(evaluation.first_entry + self.scope.events if known is None else known)  # type: ignore[return-value]
        entry = points.event_numbers() + evaluation.first_entry
        return entry if name != "rndm" else _uniform(entry, points.instances, position)

    # --- operators ----------------------------------------------------------------------------------------------

    def chain(self, node: Chain, live: Live) -> Array:
        operator = node.operator
        if operator in ("&&", "||"):
            return self.logic(node, live)
        if operator in ("==", "!=") and all(self.is_text(operand) for operand in node.operands[:2]):
            if len(node.operands) > 2:
                raise self.error("a string stands where a number is needed")
            first, second = (self.value(operand, live) for operand in node.operands)
            return np.asarray(first == second if operator == "==" else first != second)
        backwards = operator in RIGHT_TO_LEFT
        operands = node.operands[::-1] if backwards else node.operands
        compare = operator in _COMPARISON
        value, reusable = self.double(operands[0], live)
        for operand in operands[1:]:
            other, spare = self.double(operand, live)
            first, second = (other, value) if backwards else (value, other)
            if operator in _ARITHMETIC:
                out = reusable if reusable is not None else spare
                square = operator == "^" and isinstance(operand, Number) and operand.value == 2
                value = np.square(first, out=reusable) if square else _ARITHMETIC[operator](first, second, out=out)
            elif compare:
                value = _COMPARISON[operator](first, second)
            elif operator == "/":
                value = self.divide(first, second, reusable, live)
            elif operator == "%":
                value = self.remainder(first, second, live)
            else:
                whole, count = to_uint64(first), to_uint64(second)
                value = _BITS[operator](whole, count & np.uint64(63) if operator in ("<<", ">>") else count)
                value = value.astype(np.float64)
            reusable = value if value.ndim and not compare else None
            if compare and operand is not operands[-1]:
                value = value.astype(np.float64)
        return value

    def logic(self, node: Chain, live: Live) -> Array:
        is_and = node.operator == "&&"
        value = self.truth(node.operands[0], live)
        for operand in node.operands[1:]:
            undecided = value if is_and else ~value
            right = self.truth(operand, _both(live, undecided))
            value = np.logical_and(value, right) if is_and else np.logical_or(value, right)
        return value

    def divide(self, first: Array, second: Array, out: Any, live: Live) -> Array:
        zero = np.equal(second, 0)
        if not zero.any():
            return np.asarray(np.divide(first, second, out=out))
        self.note(_DIVISION, zero, live)
        return np.where(zero, 0.0, np.divide(first, np.where(zero, 1.0, second)))

    def remainder(self, first: Array, second: Array, live: Live) -> Array:
        dividend, divisor = to_int64(first), to_int64(second)
        zero = np.equal(divisor, 0)
        if zero.any():
            self.note(_MODULO, zero, live)
        trivial = zero | (divisor == -1)  # of the most negative number by -1 there is no quotient
        if not trivial.any():
            return np.fmod(dividend, divisor).astype(np.float64)
        return np.where(trivial, 0, np.fmod(dividend, np.where(trivial, 1, divisor))).astype(np.float64)

    def choice(self, node: Choice, live: Live) -> Array:
        condition = self.truth(node.condition, live)
        yes = self.value(node.yes, _both(live, condition))
        no = self.value(node.no, _both(live, ~condition))
        if (yes.dtype.kind == "U") != (no.dtype.kind == "U"):
            raise self.error("both values of '?:' must be numbers, or both strings")
        if yes.dtype.kind != "U":
            yes, no = yes.astype(np.float64, copy=False), no.astype(np.float64, copy=False)
        return np.where(condition, yes, no)

    def call(self, node: Call, live: Live) -> Array:
        function = FUNCTIONS[node.function]
        if node.function == "strstr":
            texts = [self.value(argument, live) for argument in node.arguments]
            if any(text.dtype.kind != "U" for text in texts):
                raise self.error("strstr compares two strings")
            return np.asarray(function.compute(*texts))
        arguments = [self.double(argument, live)[0] for argument in node.arguments]
        if function.undefined is not None:
            undefined = function.undefined(arguments[0])
            if not undefined.any():
                return np.asarray((function.ordinary or function.compute)(*arguments))
            self.note(function.kind, undefined, live)
        return np.asarray(function.compute(*arguments))

    # --- formulae within the formula ----------------------------------------------------------------------------

    def reduction(self, node: Reduction, live: Live) -> Array:
        evaluation, scope = self.evaluation, self.scope.inner[id(node)]
        if node.name == "Length$":
            return self.spread(scope.count)
        points = scope.points
        if live is not None:  # an inner formula matters where the outer one does, at any instance
            matters = np.zeros(scope.events, dtype=np.bool_)
            matters[self.points.event_numbers()[np.broadcast_to(live, self.points.size)]] = True
            live = points.of_event(matters)
        offsets = scope.offsets
        if node.condition is not None:
            chosen = evaluation.run(scope, 1, points, live)
            chosen = np.broadcast_to(np.not_equal(chosen, 0), points.size)
            value = np.broadcast_to(evaluation.run(scope, 0, points, _both(live, chosen)), points.size)[chosen]
            offsets = np.concatenate(([0], np.cumsum(chosen)))[offsets]
        else:
            value = np.broadcast_to(evaluation.run(scope, 0, points, live), points.size)
        if value.dtype.kind == "U":
            raise self.error(f"{node.name} of strings")
        return self.spread(_reduce(node.name, value.astype(np.float64), offsets))

    def alternate(self, node: Alternate, live: Live) -> Array:
        evaluation, points = self.evaluation, self.points
        primary, alternate = self.scope.inner[id(node.primary)], self.scope.inner[id(node.alternate)]
        instance = 0 if points.instances is None else points.instances
        exists = np.broadcast_to(instance < self.spread(primary.count), points.size)
        result = np.empty(points.size, dtype=np.float64)
        for scope, chosen in ((primary, exists), (alternate, ~exists)):
            if chosen.any():
                matters = None if live is None else np.broadcast_to(live, points.size)[chosen]
                manager = self.manager if scope is alternate else None
                value = evaluation.run(scope, 0, points.select(chosen), matters, manager)
                if value.dtype.kind == "U":
                    raise self.error("Alt$ of strings")
                result[chosen] = value
        return result


def _both(live: Live, condition: Array) -> Live:
    return np.logical_and(condition, True if live is None else live)


def _reduce(name: str, value: NDArray[np.float64], offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return sum, minimum or maximum of each list, 0 for an empty one; as in ROOT a NaN counts if it comes first."""
    result = np.zeros(len(offsets) - 1, dtype=np.float64)
    filled = offsets[1:] > offsets[:-1]
    begin = offsets[:-1][filled]
    if not len(begin):
        return result
    if name == "Sum$":
        result[filled] = np.add.reduceat(value, begin)
    else:
        extreme = _EXTREME[name].reduceat(value, begin)
        result[filled] = np.where(np.isnan(value[begin]), np.nan, extreme)
    return result


def _uniform(entry: Array, instance: Array | None, position: int) -> Array:
    """Return numbers in [0, 1) that look random, the same for an entry however the tree is read (splitmix64)."""
    bits = (entry.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(position)
    if instance is not None:
        bits = bits ^ (instance.astype(np.uint64) * np.uint64(0xD6E8FEB86659FD93))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits = (bits ^ (bits >> np.uint64(shift))) * np.uint64(factor)
    bits = bits ^ (bits >> np.uint64(31))
    return np.asarray((bits >> np.uint64(11)) * 2.0**-53)

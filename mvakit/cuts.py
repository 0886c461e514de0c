"""A cut as the steps that ``&&`` joins, each with the events that it lets through.

The events that pass are those of the whole formula, to the last of them: its terms are evaluated within its loops over
vectors, one after the other as ``&&`` does, and all that is added is to remember the value of each.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.dataset import CutStep, SampleCounts
from mvakit.errors import FormulaError
from mvakit.formula import Formula
from mvakit.formula.columns import Columns
from mvakit.formula.evaluate import Evaluation
from mvakit.formula.instances import Scope
from mvakit.formula.parser import LEVEL, PRIMARY
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
from mvakit.reporttable import ReportTable

if TYPE_CHECKING:
    import awkward as ak

__all__ = ["Cut", "CutTally", "cut_flow_table", "formula_text", "joined_steps"]

_MOST: Final = 32
"""Terms of the cut of a tree, or of that of a class, that are told apart; one with more of them is a single step."""
_BLOCK: Final = 32_768
"""Events at a time, so that what lies between two terms stays in the cache of the processor."""


@dataclass(frozen=True)
class Cut(Formula):
    """The cut of a tree and that of its class, or one of them.

    Parameters
    ----------
    text : str
        The formula; of both cuts ``(cut of the tree) && (cut of the class)``.
    of_tree : bool
        Whether it begins with a cut of the tree.
    of_class : bool
        Whether it ends with a cut of the class.
    """

    of_tree: bool = False
    of_class: bool = True
    _terms: tuple[Node, ...] = field(init=False, repr=False, compare=False)
    tree_terms: int = field(init=False, repr=False, compare=False)
    """How many of the terms belong to the cut of the tree."""

    @classmethod
    def of(cls, tree_cut: str, class_cut: str) -> Cut | None:
        """Return the cut of the events of a tree, or None where neither the tree nor its class has one."""
        cuts = [cut for cut in (tree_cut, class_cut) if cut.strip()]
        if not cuts:
            return None
        return cls(" && ".join(f"({cut})" for cut in cuts), bool(tree_cut.strip()), bool(class_cut.strip()))

    def __post_init__(self) -> None:
        super().__post_init__()
        parts: tuple[Node, ...] = (self._root,)
        if self.of_tree and self.of_class and isinstance(self._root, Chain) and self._root.operator == "&&":
            parts = self._root.operands
        terms = [_terms(part) for part in parts]
        object.__setattr__(self, "_terms", tuple(term for part in terms for term in part))
        object.__setattr__(self, "tree_terms", len(terms[0]) if self.of_tree else 0)

    @cached_property
    def terms(self) -> tuple[str, ...]:
        """The formulae of the terms, in the order in which they are applied."""
        return tuple(formula_text(term) for term in self._terms)

    def evaluate(
        self,
        columns: Mapping[str, Any] | ak.Array,
        *,
        first_entry: int = 0,
        entries: int | None = None,
        name: str | None = None,
        counts: Counter[str] | None = None,
    ) -> npt.NDArray[Any] | ak.Array:
        """Return the value for every event; of several terms a number whose bits tell which of them hold.

        See `Formula.evaluate`; `passed` and `held` understand the values.
        """
        if len(self._terms) == 1:
            return super().evaluate(columns, first_entry=first_entry, entries=entries, name=name, counts=counts)
        evaluation = Evaluation(Columns(columns, self.text), self._root, first_entry, entries)
        try:
            with np.errstate(all="ignore"):
                scope = Scope(evaluation.columns, self._root)
                scope.resolve(lambda index, points: evaluation.index(index, points, None))
                value = self._bits(evaluation, scope)
        except RecursionError:
            raise FormulaError(f"the formula is nested too deep: {self.text[:60]!r}...") from None
        self._report(evaluation, name, counts)
        if scope.multiplicity == 0:
            return value
        import awkward as ak

        return ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(scope.offsets), ak.contents.NumpyArray(value)))

    def _bits(self, evaluation: Evaluation, scope: Scope) -> npt.NDArray[np.unsignedinteger]:
        # Twice not is the truth of a term, and not a number where an element is missing, which rejects the event.
        scope.roots = tuple(Unary("!", Unary("!", term)) for term in self._terms)
        dtype = np.min_scalar_type(self._all)
        bits = np.zeros(scope.points.size, dtype)
        for points in scope.blocks(_BLOCK):
            here, live = bits[points.begin : points.begin + points.size], None
            for number in range(len(scope.roots)):
                holds = np.equal(evaluation.run(scope, number, points, live), 1)
                here |= holds.astype(dtype) << dtype.type(number)
                live = holds if live is None else live & holds
        return bits

    @property
    def _all(self) -> int:
        return (1 << len(self._terms)) - 1

    def passed(self, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        """Return which events pass: those of at least 0.5, or with all terms true."""
        return np.asarray(values >= 0.5 if len(self._terms) == 1 else values == self._all)

    def held(self, values: npt.NDArray[Any], number: int, *, alone: bool) -> npt.NDArray[np.bool_]:
        """Return for which events a term holds, or all of the first terms up to it; there are several terms."""
        wanted = values.dtype.type(1 << number if alone else (2 << number) - 1)
        return np.asarray((values & wanted) == wanted)


class CutTally:
    """Adds up what the terms of a cut leave of the events of a tree.

    Parameters
    ----------
    cut : Cut or None
    location : str
        Of the tree.
    """

    def __init__(self, cut: Cut | None, location: str) -> None:
        self._cut = cut
        self._location = location
        self._several = cut is not None and len(cut.terms) > 1
        count = len(cut.terms) if cut is not None else 0
        self._after: list[tuple[int, float]] = [(0, 0.0)] * count
        self._alone: list[tuple[int, float]] = [(0, 0.0)] * count

    def add(self, values: npt.NDArray[Any], weight: npt.NDArray[np.floating[Any]]) -> None:
        """Add events: the values of the cut, and their weights, all of which are finite."""
        if not self._several or self._cut is None:
            return
        last = len(self._after) - 1
        for number in range(last + 1):
            if number:
                self._alone[number] = _added(self._alone[number], self._cut.held(values, number, alone=True), weight)
            if number < last:
                self._after[number] = _added(self._after[number], self._cut.held(values, number, alone=False), weight)

    def steps(self, n_input: int, sum_input: float, n_passed: int, sum_passed: float) -> tuple[CutStep, ...]:
        """Return the steps of a tree, given what came of it and what the whole cut left."""
        if self._cut is None:
            return ()
        after = [*self._after[:-1], (n_passed, sum_passed)]
        alone = [after[0], *self._alone[1:]]
        before = [(n_input, sum_input), *after[:-1]]
        return tuple(
            CutStep(term, self._location if number < self._cut.tree_terms else "", *before[number], *after[number], *alone[number])
            for number, term in enumerate(self._cut.terms)
        )  # fmt: skip


def _added(
    so_far: tuple[int, float], held: npt.NDArray[np.bool_], weight: npt.NDArray[np.floating[Any]]
) -> tuple[int, float]:
    count, whole = so_far
    return count + int(np.count_nonzero(held)), whole + float(np.sum(weight * held, dtype=np.float64))


def joined_steps(trees: Sequence[tuple[str, Sequence[CutStep]]]) -> tuple[CutStep, ...]:
    """Return the steps of a class, given the cut of each of its trees by itself and its steps.

    Trees with the same cut have their steps in common; the cuts of the class come to the events of all trees.
    """
    own: dict[tuple[str, int], list[CutStep]] = {}
    common: dict[int, list[CutStep]] = {}
    for tree_cut, steps in trees:
        of_tree = [step for step in steps if step.trees]
        for number, step in enumerate(of_tree):
            own.setdefault((tree_cut, number), []).append(step)
        for number, step in enumerate(steps[len(of_tree) :]):
            common.setdefault(number, []).append(step)
    return tuple(_sum(steps) for steps in (*own.values(), *common.values()))


def _sum(steps: Sequence[CutStep]) -> CutStep:
    first, *others = steps
    if not others:
        return first
    return CutStep(
        first.cut,
        f"{first.trees} and {len(others)} more" if first.trees else "",
        sum(step.n_before for step in steps),
        math.fsum(step.sum_before for step in steps),
        sum(step.n_after for step in steps),
        math.fsum(step.sum_after for step in steps),
        sum(step.n_alone for step in steps),
        math.fsum(step.sum_alone for step in steps),
    )


def cut_flow_table(counts: SampleCounts) -> ReportTable:
    """Return what each cut left of the events of a class, as a table."""
    rows = []
    for number, step in enumerate(counts.cut_flow, start=1):
        cut = f"{step.cut}  [{step.trees}]" if step.trees else step.cut
        numbers = (
            f"{step.n_before}",
            f"{step.n_after}",
            f"{step.sum_after:.6g}",
            f"{step.efficiency:.4g}",
            f"{step.n_alone}",
        )
        rows.append((f"{number}", cut, *numbers))
    return ReportTable(
        f"Cut flow of class {counts.name}",
        ("Step", "Cut", "Came", "Passed", "Sum of weights", "Efficiency", "Alone"),
        tuple(rows),
        words=2,
    )  # fmt: skip


def _terms(node: Node) -> tuple[Node, ...]:
    found = tuple(_joined(node))
    return found if len(found) <= _MOST else (node,)


def _joined(node: Node) -> Iterator[Node]:
    """Yield what ``&&`` joins, in order; brackets around some of it do not change the whole."""
    stack = [node]
    while stack:
        node = stack.pop()
        if isinstance(node, Chain) and node.operator == "&&":
            stack.extend(reversed(node.operands))
        else:
            yield node


# ---------------------------------------------------------------------------------------------- tree to text

_EXPONENT: Final = re.compile(r"(?:.*\W)?[eE]")
"""What ROOT would take for the beginning of an exponent if a minus came next."""


def formula_text(node: Node) -> str:
    """Return a formula as text, with the brackets that it needs: what is read of it is the same tree."""
    return _written(node)[0]


def _written(node: Node) -> tuple[str, int]:
    """Return the text of a node, and how tightly it binds."""
    match node:
        case Number(value=value):
            return _number(value), PRIMARY
        case Text(value=value):
            return f'"{value}"', PRIMARY
        case Name(name=name, indexes=indexes):
            return _name(name) + "".join(f"[{_index(index)}]" for index in indexes), PRIMARY
        case SizeOf(name=name):
            return f"@{_name(name)}.size()", PRIMARY
        case Special(name=name):
            return "rndm()" if name == "rndm" else name, PRIMARY
        case Unary(operator="!", operand=operand):
            return f"!{_within(operand, PRIMARY)}", PRIMARY
        case Unary(operand=operand):
            return f"-{_within(operand, LEVEL['-'] + 1)}", LEVEL["-"]
        case Chain(operator=operator, operands=operands):
            level = LEVEL[operator]
            texts = [_within(operand, level + 1) for operand in operands]
            if operator == "+":
                texts[1:] = [f"({text})" if text.startswith("-") else text for text in texts[1:]]
            if operator == "-":
                texts[:-1] = [f"({text})" if _EXPONENT.fullmatch(text) else text for text in texts[:-1]]
            return operator.join(texts), level
        case Choice(condition=condition, yes=yes, no=no):
            level = LEVEL["?"]
            return f"{_within(condition, level + 1)}?{_within(yes, level + 1)}:{_within(no, level)}", level
        case Call(function=name, arguments=arguments):
            return f"{name}({','.join(map(formula_text, arguments))})", PRIMARY
        case Reduction(name=name, formula=formula, condition=condition):
            inside = [formula] if condition is None else [formula, condition]
            return f"{name}({','.join(map(formula_text, inside))})", PRIMARY
        case Alternate(primary=primary, alternate=alternate):
            return f"Alt$({formula_text(primary)},{formula_text(alternate)})", PRIMARY


def _within(node: Node, least: int) -> str:
    """Return the text of an operand, in brackets unless it binds at least as tightly as asked."""
    text, level = _written(node)
    is_shift = isinstance(node, Chain) and node.operator in {"<<", ">>"}  # ROOT takes it for a comparison
    return f"({text})" if level < least or is_shift else text


def _number(value: float) -> str:
    if value == float("inf"):
        return "1e999"
    return f"{value:.0f}" if value < 1e15 and value == int(value) else repr(value)


def _index(index: int | Node | None) -> str:
    if index is None:
        return ""
    if isinstance(index, Number):
        return repr(index.value)  # a literal without a point is an index of another kind
    return str(index) if isinstance(index, int) else formula_text(index)


def _name(name: str) -> str:
    return name.replace("/", "\\/")

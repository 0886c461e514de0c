"""Text to tree: ROOT's grammar of formulas, read by a small Pratt parser.

ROOT's `TTreeFormula` is not C. What differs, and is kept because a training and its application must agree:

* Blanks mean nothing; ``**`` is ``^``; ``->`` is ``.``; ``--`` and ``++`` are ``+``, ``+-`` and ``-+`` are ``-``.
* From loosest to tightest: ``?:``, ``||``, ``&&``, ``|``, ``&``, ``<``, ``>``, ``<=``, ``>=``, ``==``, ``!=``, ``+``,
  ``-`` (with one or two sides), ``%``, ``>>``, ``<<``, ``*``, ``/``, ``^``, ``!``. So ``10%4*2`` is ``10%8``, ``1<<2+1``
  is ``(1<<2)+1``, ``i&3==3`` is ``i&(3==3)`` and ``-x^2`` is ``-(x^2)``.
* ``+ - / ^`` group from the left (``2^3^2`` is 64), all others from the right (``x<y<3`` is ``x<(y<3)``).
* There is no ``+x``, only ``+3``; a minus may begin an operand, or follow ``* / ^``, but not ``% << >> !``.
* ``2*E-5`` is ``2*(E-5)``: ROOT takes ``E-5`` for the tail of a number. A warning says so.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from typing import NoReturn

from mvakit.errors import FormulaError, MvakitWarning, did_you_mean
from mvakit.formula.functions import FUNCTIONS
from mvakit.formula.syntax import (
    Alternate,
    Call,
    Chain,
    Choice,
    Index,
    Name,
    Node,
    Number,
    Reduction,
    SizeOf,
    Special,
    Text,
    Unary,
    children,
)

__all__ = ["MAXIMAL_DEPTH", "MAXIMAL_LENGTH", "MAXIMAL_NODES", "RIGHT_TO_LEFT", "parse"]

MAXIMAL_LENGTH = 20_000
"""Characters in one formula."""
MAXIMAL_NAME = 2_048
"""Characters in one name: what ROOT allows."""
MAXIMAL_DEPTH = 100
"""Brackets, signs and conditions inside one another."""
MAXIMAL_INDEX = 2**31 - 1
"""What is written in brackets behind a name: a number of 32 bits, as in ROOT."""
MAXIMAL_NODES = 1_000
"""Operands and operations in one formula: what ROOT allows."""

CHOICE, COMPARISON, EQUALITY, PLUS, MINUS, POWER, PRIMARY = 1, 6, 7, 9, 10, 16, 17
LEVEL = {
    "?": CHOICE,
    "||": 2,
    "&&": 3,
    "|": 4,
    "&": 5,
    "<": COMPARISON,
    ">": COMPARISON,
    "<=": COMPARISON,
    ">=": COMPARISON,
    "==": EQUALITY,
    "!=": 8,
    "+": PLUS,
    "-": MINUS,
    "%": 11,
    ">>": 12,
    "<<": 13,
    "*": 14,
    "/": 15,
    "^": POWER,
}
RIGHT_TO_LEFT = frozenset(LEVEL) - {"?", "+", "-", "/", "^"}
REDUCTIONS = {"Sum$": 1, "Min$": 1, "Max$": 1, "Length$": 1, "MinIf$": 2, "MaxIf$": 2}
SPECIALS = ("Entry$", "LocalEntry$", "Entries$", "LocalEntries$", "Iteration$", "Length$")

REWRITTEN = {"**": "^", "++": "+", "--": "+", "+-": "-", "-+": "-", "->": "."}
TOKEN = re.compile(
    r"""(?P<hexadecimal>0[xX][0-9a-fA-F]++(?![\w.$@#]))
    |(?P<number>(?>[0-9]+\.?[0-9]*|\.[0-9]+)(?>(?:[eE][+-]?[0-9]+)?)(?![\w.$@#]))
    |(?P<name>(?:[\w.$@#]|\\/|::)+)
    |(?P<text>"[^"]*")
    |(?P<operator>\|\||&&|<<|>>|<=|>=|==|!=|[-+*/%^&|<>!?:()\[\],])""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the formula and where it stands in the text as written."""

    kind: str
    text: str
    start: int


def parse(text: str) -> Node:
    """Read a formula.

    Raises
    ------
    FormulaError
        Where ROOT could not read it either; the message shows the place.
    """
    if len(text) > MAXIMAL_LENGTH:
        raise FormulaError(
            f"the formula has {len(text)} characters; at most {MAXIMAL_LENGTH} are read: {text[:60]!r}..."
        )
    node = _Parser(text).formula()
    level: list[Node] = [node]
    depth = count = 0
    while level:
        depth, count = depth + 1, count + len(level)
        level = [below for above in level for below in children(above)]
    if count > MAXIMAL_NODES:
        raise FormulaError(f"the formula has more than {MAXIMAL_NODES} operands and operations: {text[:60]!r}...")
    if depth > MAXIMAL_DEPTH:
        raise FormulaError(f"the formula is nested more than {MAXIMAL_DEPTH} deep: {text[:60]!r}...")
    return node


def _squeeze(text: str) -> tuple[str, list[int]]:
    """Drop blanks and rewrite doubled operators, remembering where each character stood."""
    kept: list[str] = []
    places: list[int] = []
    quoted = False
    for place, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif not quoted:
            if character.isspace():
                continue
            while kept and (shorter := REWRITTEN.get(kept[-1] + character)):
                kept.pop()
                place = places.pop()  # noqa: PLW2901  the shorter one stands where the pair began
                character = shorter  # noqa: PLW2901
        kept.append(character)
        places.append(place)
    return "".join(kept), places


def _complain(text: str, place: int, what: str) -> NoReturn:
    first = max(0, place - 40)
    shown = "".join(c if c.isprintable() else " " for c in text[first : place + 40])
    raise FormulaError(f"{what}\n    {shown}\n    {' ' * (place - first)}^")


def _tokens(text: str) -> list[Token]:
    squeezed, places = _squeeze(text)
    places.append(len(text))
    found = []
    at = 0
    while at < len(squeezed):
        match = TOKEN.match(squeezed, at)
        if match is None:
            what = "this string has no closing quote" if squeezed[at] == '"' else f"unexpected {squeezed[at]!r}"
            _complain(text, places[at], what)
        found.append(Token(match.lastgroup or "", match.group(), places[at]))
        at = match.end()
    found.append(Token("end", "", len(text)))
    return found


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.at = 0
        self.depth = 0
        self.shifts: set[str] = set()  # the shift operators met so far beside the present comparison

    # --- the stream of tokens -----------------------------------------------------------------------------------

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def advance(self) -> Token:
        token = self.tokens[self.at]
        self.at += 1
        return token

    def accept(self, operator: str) -> bool:
        if self.token.kind == "operator" and self.token.text == operator:
            self.advance()
            return True
        return False

    def expect(self, operator: str, opened: Token) -> None:
        if not self.accept(operator):
            if self.token.kind == "end":
                self.fail(f"{operator!r} is missing: {opened.text!r} is never closed", opened)
            self.fail(f"{operator!r} expected, but here is {self.token.text!r}")

    def fail(self, what: str, token: Token | None = None) -> NoReturn:
        _complain(self.text, (token or self.token).start, what)

    # --- the grammar --------------------------------------------------------------------------------------------

    def formula(self) -> Node:
        if self.token.kind == "end":
            self.fail("the formula is empty")
        node = self.expression(CHOICE)
        if self.token.kind != "end":
            self.fail("')' without '('" if self.token.text == ")" else f"unexpected {self.token.text!r}")
        return node

    def expression(self, level: int) -> Node:
        """Read an operand and every operator behind it that binds at least as tightly as `level`."""
        self.depth += 1
        if self.depth > MAXIMAL_DEPTH:
            self.fail(f"nested more than {MAXIMAL_DEPTH} deep")
        outer = self.shifts
        if level <= COMPARISON:
            self.shifts = set()
        left = self.operand(level)
        if level > MINUS and self.exponent_in_disguise(left):
            left = self.disguised(left, level)
        while self.token.kind == "operator" and LEVEL.get(self.token.text, 0) >= level:
            operator = self.token.text
            binding = LEVEL[operator]
            if binding == CHOICE:
                left = self.choice(left)
            elif binding == COMPARISON:
                left = self.comparisons(left)
            else:
                operands = [left]
                while self.accept(operator):
                    if operator in ("<<", ">>"):
                        self.shifts.add(operator[0])
                    operands.append(self.expression(binding + 1))
                left = Chain(operator, tuple(operands))
        if level <= COMPARISON:
            self.shifts = outer
        self.depth -= 1
        return left

    def choice(self, condition: Node) -> Node:
        question = self.advance()
        yes = self.expression(CHOICE + 1)
        if self.token.kind == "operator" and self.token.text == "?":
            self.fail("put brackets around a condition between '?' and ':'")
        self.expect(":", question)
        return Choice(condition, yes, self.expression(CHOICE))

    def operand(self, level: int) -> Node:
        """Read what an operator stands behind: a sign and its operand, or a primary."""
        token = self.token
        if token.kind == "operator" and token.text == "-":
            before = self.tokens[self.at - 1].text if self.at else ""
            if level > MINUS and before not in ("*", "/", "^"):
                self.fail(f"a sign cannot follow {before!r}: put brackets around the negative operand")
            self.advance()
            return Unary("-", self.expression(MINUS + 1 if level <= MINUS else level))
        if token.kind == "operator" and token.text == "+":
            self.advance()
            if level > PLUS or self.token.kind != "number":
                self.fail("a plus sign needs an operand on its left", token)
        if self.accept("!"):
            return Unary("!", self.expression(PRIMARY))
        return self.primary()

    def exponent_in_disguise(self, left: Node) -> bool:
        """Whether ROOT takes the minus behind a column E or e for that of an exponent, as in ``2*E-5``."""
        if not (isinstance(left, Name) and left.name in ("e", "E") and not left.indexes):
            return False
        if self.tokens[self.at - 1].text not in ("e", "E"):
            return False  # it was (E)
        minus, number = self.tokens[self.at], self.tokens[min(self.at + 1, len(self.tokens) - 1)]
        return (
            minus.kind == "operator" and minus.text == "-" and number.text[:1].isdigit() | number.text.startswith(".")
        )

    def disguised(self, left: Node, level: int) -> Node:
        before = self.tokens[self.at - 2].text
        warnings.warn(
            MvakitWarning(
                f"ROOT reads the minus in {self.text!r} as one that binds to the E on its left; so does mvakit. "
                f"Put brackets around E to have the usual meaning."
            ),
            stacklevel=2,
        )
        self.advance()
        return Chain("-", (left, self.expression(level - 1 if before in RIGHT_TO_LEFT else level)))

    def comparisons(self, left: Node) -> Node:
        """Read a run of ``<``, ``>``, ``<=`` and ``>=`` and group it."""
        operands, operators = [left], list[tuple[Token, bool]]()
        while self.token.kind == "operator" and LEVEL.get(self.token.text) == COMPARISON:
            operator = self.token
            if operator.text in self.shifts:
                self.fail(f"put brackets around the shift to the left of {operator.text!r}")
            operators.append((self.advance(), operator.text[0] in self.shifts))
            word, behind = self.tokens[self.at : self.at + 2] if self.token.kind != "end" else (operator, operator)
            if operator.text == "<" and re.fullmatch(r"\w+", word.text) and behind.text.startswith(">"):
                self.fail(f"ROOT reads '<{word.text}>' as a template: put brackets", operator)
            operands.append(self.expression(COMPARISON + 1))
            if len(operators) > MAXIMAL_DEPTH:
                self.fail(f"more than {MAXIMAL_DEPTH} comparisons in a row", operator)
        return self.group(operands, operators)

    def group(self, operands: list[Node], operators: list[tuple[Token, bool]]) -> Node:
        """Group a run of comparisons, each told with whether a shift of its kind stands before it, as ROOT does.

        It splits at the first ``<`` if any, else ``>``, else ``<=``, else ``>=``; but a ``<`` to the left of the first
        ``<=`` is not seen, and a second ``<=`` is taken for a ``<`` and then not understood; likewise ``>``.
        """
        if not operators:
            return operands[0]
        split = None
        loosely: list[int] = []
        for strict, loose in (("<", "<="), (">", ">=")):
            found = first_loose = None
            for at, (token, shifted) in enumerate(operators):
                if found is None and (token.text == strict or (token.text == loose and not shifted)):
                    found = at
                if token.text == loose and first_loose is None:
                    found, first_loose = None, at
                    loosely.append(at)
            if split is None and found is not None:
                split = found
        if split is None:
            split = loosely[0]
        elif "=" in operators[split][0].text:
            self.fail(f"{operators[split][0].text!r} cannot follow another one: put brackets", operators[split][0])
        left = self.group(operands[: split + 1], operators[:split])
        return Chain(operators[split][0].text, (left, self.group(operands[split + 1 :], operators[split + 1 :])))

    # --- what needs no operator ---------------------------------------------------------------------------------

    def primary(self) -> Node:
        token = self.advance()
        match token.kind, token.text:
            case "number", text:
                return Number(float(text))
            case "hexadecimal", text:
                return Number(float(min(int(text, 16), 2**64 - 1)))
            case "text", text:
                return Text(text[1:-1])
            case "name", _:
                return self.named(token)
            case "operator", "(":
                return self.bracketed(token)
            case "end", _:
                what = "the formula ends where an operand is expected"
            case _, "[":
                what = "a parameter has no value here: '[' must follow the name of a column"
            case _:
                what = f"an operand is expected here, not {token.text!r}"
        return self.fail(what, token)

    def bracketed(self, opened: Token) -> Node:
        if self.token.kind == "operator" and self.token.text == ")":
            self.fail("nothing between the brackets")
        node = self.expression(CHOICE)
        self.expect(")", opened)
        if isinstance(node, Name) and not node.indexes:
            return Name(node.name, self.indexes(), node.position)  # as in (v)[0]
        return node

    def named(self, token: Token) -> Node:
        name = token.text
        if len(name) > MAXIMAL_NAME:
            self.fail(f"a name of {len(name)} characters; at most {MAXIMAL_NAME} are read", token)
        called = self.token.kind == "operator" and self.token.text == "("
        if size := re.fullmatch(r"@([^@]+)\.size|([^@]+)@\.size", name):
            if not called:
                self.fail("brackets are missing: size()", token)
            self.arguments(name, token, (0,))
            return SizeOf((size[1] or size[2]).replace("\\/", "/"), token.start)
        if name == "Alt$":
            return Alternate(*self.arguments(name, token, (2,)))
        if name in REDUCTIONS and (called or name not in SPECIALS):
            return Reduction(name, *self.arguments(name, token, (REDUCTIONS[name],)))
        if name in SPECIALS:
            if called:
                self.fail(f"{name} takes no brackets")
            return Special(name, token.start)
        if name == "rndm" and called:
            self.arguments(name, token, (0, 1))
            return Special(name, token.start)
        if name.endswith("$"):
            self.fail(f"unknown {name!r}; {did_you_mean(name, [*SPECIALS, *REDUCTIONS, 'Alt$'])}", token)
        if called:
            function = FUNCTIONS.get(name)
            if function is None:
                self.fail(
                    f"unknown function {name!r}; {did_you_mean(name, [*REDUCTIONS, 'Alt$', *FUNCTIONS], noun='functions')}",
                    token,
                )
            return Call(name, self.arguments(name, token, function.arity))
        if "::" in name:
            hint = f": write {name}()" if name in FUNCTIONS else ""
            self.fail(f"{name!r} is no column{hint}", token)
        indexes = self.indexes()
        while indexes and self.token.kind == "name" and self.token.text.startswith("."):  # as in jets[0].pt
            name += self.advance().text
            indexes += self.indexes()
        return Name(name.replace("\\/", "/"), indexes, token.start)

    def arguments(self, name: str, token: Token, arity: tuple[int, ...]) -> tuple[Node, ...]:
        opened = self.token
        if not self.accept("("):
            self.fail(f"{name} needs its argument in brackets", token)
        found: list[Node] = []
        if not self.accept(")"):
            while True:
                found.append(self.expression(CHOICE))
                if not self.accept(","):
                    break
            self.expect(")", opened)
        if len(found) not in arity:
            wanted = " or ".join(str(n) for n in arity)
            self.fail(f"{name} takes {wanted} argument{'s' * (arity != (1,))}, not {len(found)}", token)
        return tuple(found)

    def indexes(self) -> tuple[Index, ...]:
        found: list[Index] = []
        while self.token.kind == "operator" and self.token.text == "[":
            opened = self.advance()
            if self.accept("]"):
                found.append(None)
                continue
            index = self.expression(CHOICE)
            self.expect("]", opened)
            last = self.tokens[self.at - 2]
            if not (isinstance(index, Number) and last.text.isdecimal()):
                found.append(index)
            elif index.value > MAXIMAL_INDEX:
                self.fail(
                    f"the index {last.text:.30} is too large, no list has more than {MAXIMAL_INDEX} elements", last
                )
            else:
                found.append(int(index.value))
        return tuple(found)

"""Formulas of any text, and of valid ones with something done to them: read or refused, never a crash, never a long wait.

`make fuzz` asks of 100 000 texts, `make test` of a few hundred.
"""

from __future__ import annotations

import os
import re
import time
import warnings
from typing import Any

import awkward as ak
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mvakit.errors import FormulaError, MvakitWarning
from mvakit.formula import Formula

from ..reference.test_formula import EVENTS, rows

TEXTS = 100_000 if os.environ.get("HYPOTHESIS_PROFILE") == "explore" else 400
LONGEST = 1.0  # seconds of the processor
ENTRIES = 6

VALID = [row.values[0] for row in rows()]
PIECES = [
    *EVENTS,
    *("0", "1", "2.5", "0x1F", "1e-3", "1e308", "9223372036854775808", "E", "pi", "rndm", "true", "nothing", "jet_x"),
    *("(", ")", "[", "]", "[]", "[0]", "[-1]", "[i]", "[99999999999]", ",", '"', '"bkg"', ".", "$", "@", "\\/", "::", " ", "\t"),
    *("+", "-", "*", "/", "%", "^", "**", "&", "|", "&&", "||", "<<", ">>", "<", ">", "<=", ">=", "==", "!=", "!", "?", ":", "->"),
    *("sqrt(", "min(", "strstr(", "TMath::", "TMath::Gaus(", "TMath::Pi()", "Sum$(", "Max$(", "MaxIf$(", "Alt$(", "Length$("),
    *("Length$", "Iteration$", "Entry$", "Entries$", ".size()", "é", "\0", "\u2212", "\U0001d54f"),
]  # fmt: skip
WORD = re.compile(r"[\w.$@:]+|\S|\s+")


def changed(text: str, step: tuple[str, int, int, str]) -> str:
    """Return a text with something done to it, somewhere."""
    kind, one, other, piece = step
    words = WORD.findall(text) or [""]
    at, end = one % len(words), other % len(words)
    match kind:
        case "insert":
            words.insert(at, piece)
        case "replace":
            words[at] = piece
        case "delete":
            del words[at : at + 1 + other % 3]
        case "swap":
            words[at], words[end] = words[end], words[at]
        case "again":
            words[at:at] = words[min(at, end) : max(at, end) + 1]
        case "wrap":
            words[min(at, end) : min(at, end)] = [piece if piece.endswith("(") else "("]
            words.insert(max(at, end) + 2, ")")
        case "splice":
            words[at:] = [piece, *WORD.findall(VALID[other % len(VALID)])]
        case "cut":
            return text[: one % (len(text) + 1)]
        case "many":
            words[at:at] = [piece] * (other % 400)
    return "".join(words)


steps = st.tuples(
    st.sampled_from(["insert", "replace", "delete", "swap", "again", "wrap", "splice", "cut", "many"]),
    st.integers(0, 1 << 16),
    st.integers(0, 1 << 16),
    st.sampled_from(PIECES),
)


@st.composite
def mutated(draw: st.DrawFn) -> str:
    text: str = draw(st.sampled_from(VALID))
    for step in draw(st.lists(steps, min_size=1, max_size=5)):
        text = changed(text, step)
    return text


texts = st.one_of(
    mutated(), mutated(), st.lists(st.sampled_from(PIECES), max_size=20).map("".join), st.text(max_size=60)
)


@pytest.fixture(scope="module")
def columns() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, values in EVENTS.items():
        try:
            found[name] = np.array(values)
        except ValueError:
            found[name] = ak.Array(values)
    found["lists"] = ak.Array(EVENTS["vv"])
    Formula("vv*jet+Sum$(v)").evaluate(found)  # whatever is loaded and compiled once
    return found


@settings(max_examples=TEXTS)
@given(texts)
@example("1" * 3000 + "x")
@example("e-5" * 3000)
@example("1e" * 10_000)
@example("::" * 900)
@example("x" * 20_000)
@example("-" * 20_000 + "x")
@example("!" * 20_000 + "x")
@example("x?" * 5_000)
@example("x?" * 300 + "x" + ":x" * 300)
@example("+".join("x" * 2_000))
@example("^".join(["1.5"] * 400))
@example("2^" * 99 + "x")
@example("(" * 20_000)
@example("(" * 99 + "x" + ")" * 99)
@example("jet[" * 45 + "jet" + "]" * 45)
@example("Sum$(" * 90 + "jet" + ")" * 90)
@example("Alt$(" * 60 + "jet" + ",0)" * 60)
@example("Sum$(Max$(jet[Iteration$])*vv)")
@example("vv*vv*ww*ww*jm*jm*mat*mat")
@example("jet[99999999999999999999]")
@example("arr[1e300]")
@example('strstr("' + "a" * 10_000 + '",name)')
def test_any_text_is_read_or_refused(columns: dict[str, Any], text: str) -> None:
    # Once more before it is called slow: Python may have stopped to collect what a hundred thousand examples left.
    if seconds_taken(columns, text) > LONGEST:
        assert seconds_taken(columns, text) < LONGEST, f"{text!r:.200} takes too long"


def seconds_taken(columns: dict[str, Any], text: str) -> float:
    began = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MvakitWarning)
        try:
            formula = Formula(text)
            formula.required(columns)
            found = formula.evaluate(columns)
        except FormulaError as error:
            assert str(error)
        else:
            assert len(found) == ENTRIES
            content = found if isinstance(found, np.ndarray) else ak.to_numpy(ak.flatten(found, axis=None))
            assert content.dtype.kind in "biuf"
            assert isinstance(formula.is_constant, bool)
            assert Formula(text) == formula
    return time.process_time() - began

"""Formulas against formulate, which reads ROOT's language too, where both mean the same; ROOT's own values decide where not."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import formulate
import numpy as np
import uproot
from hypothesis import given
from hypothesis import strategies as st

from mvakit.errors import MvakitWarning
from mvakit.formula import Formula

RANDOM = np.random.default_rng(1)
COLUMNS: dict[str, np.ndarray] = {
    "x": RANDOM.uniform(-5, 5, 40),
    "y": RANDOM.normal(0, 2, 40).clip(-5, 5),
    "pos": RANDOM.uniform(0.5, 5, 40),
    "zero": np.where(np.arange(40) % 3 == 0, 0.0, 1.0),
    "number": np.arange(40) % 6,
    "sign": np.arange(40) % 5 - 2,
}
LARGEST = 5.0

# Where formulate departs from ROOT; of these the reference expressions hold ROOT's values.
DEPARTURES = {
    "2^3^2": "formulate groups powers from the right, ROOT from the left",
    "x<y<3": "formulate compares from the left, ROOT from the right",
    "i%3": "formulate's remainder has the sign of the divisor, ROOT's that of the dividend",
    "1/(x-x)": "0 in ROOT, infinite in formulate",
    "sqrt(-1-x*x)": "the root of the absolute value in ROOT, not a number in formulate",
}


def peer(text: str, columns: dict[str, np.ndarray]) -> Any:
    """Evaluate a formula with formulate, in double precision as ROOT does."""
    code = formulate.from_root(text).to_python()
    doubles = {name: column.astype(np.float64) for name, column in columns.items()}
    with np.errstate(all="ignore"):
        return eval(code, {"np": np, "__builtins__": {}}, doubles)


def ours(text: str, columns: dict[str, np.ndarray]) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MvakitWarning)
        return Formula(text).evaluate(columns)


class Drawn:
    """A formula, the largest absolute value that it may have, and its rounding in units of the precision."""

    def __init__(self, text: str, size: float, rounding: float) -> None:
        self.text, self.size, self.rounding = text, size, rounding + size


# What none of them magnifies a rounding by more than the number behind it, and how large its value is.
FUNCTIONS: dict[str, tuple[float, Callable[[float], float]]] = {
    "sin({})": (1, lambda a: 1),
    "cos({})": (1, lambda a: 1),
    "tanh({})": (1, lambda a: 1),
    "atan({})": (1, lambda a: 2),
    "TMath::ATan({})": (1, lambda a: 2),
    "abs({})": (1, lambda a: a),
    "TMath::Abs({})": (1, lambda a: a),
    "sqrt(1+({})**2)": (4, lambda a: 1 + a),
    "TMath::Sqrt(1+({})^2)": (4, lambda a: 1 + a),
    "log(1+abs({}))": (2, lambda a: 1 + a),
    "log10(1+abs({}))": (2, lambda a: 1 + a),
    "exp(-abs({}))": (1, lambda a: 1),
    "atan2({},pos)": (2, lambda a: 2),
    "(-({}))": (1, lambda a: a),
    "(({})*TMath::Pi())": (4, lambda a: 4 * a),
}

constants = st.one_of(st.integers(0, 9), st.floats(0, 9).map(lambda x: round(x, 3)), st.sampled_from([1e-3, 2.5e1]))
operators = st.sampled_from(["<", ">", "<=", ">=", "==", "!="])
scalars = st.one_of(st.sampled_from(list(COLUMNS)), constants.map(repr))


sides = st.one_of(scalars, st.tuples(scalars, st.sampled_from("+-*"), scalars).map("".join))


@st.composite
def conditions(draw: st.DrawFn, depth: int) -> str:
    """Draw something true or false; what is compared is rounded once at most, so that both round it alike."""
    if depth == 0 or draw(st.booleans()):
        return f"{draw(sides)}{draw(operators)}{draw(sides)}"
    parts = draw(st.lists(conditions(depth - 1), min_size=2, max_size=3))
    match draw(st.sampled_from(["&&", "||", "mixed", "!", "()"])):
        case "!":
            return f"!({parts[0]})"
        case "()":
            return f"({parts[0]})"
        case "mixed":
            return f"({parts[0]}) && ({parts[1]}) || ({parts[-1]})"
        case operator:
            return f" {operator} ".join(f"({part})" for part in parts)


@st.composite
def arithmetic(draw: st.DrawFn, depth: int = 3) -> Drawn:
    kind = draw(st.sampled_from(["leaf", "sum", "product", "function", "power", "choice"] if depth else ["leaf"]))
    below = arithmetic(depth - 1)
    match kind:
        case "leaf":
            text = draw(scalars)
            return Drawn(text, LARGEST if text in COLUMNS else max(float(text), 1.0), 0.0)
        case "sum":
            terms = draw(st.lists(below, min_size=2, max_size=4))
            text = terms[0].text
            for term in terms[1:]:
                text += draw(st.sampled_from(["+", "-", " + ", " - "])) + (
                    f"({term.text})" if is_sum(term.text) else term.text
                )
            size = sum(term.size for term in terms)
            return Drawn(text, size, sum(term.rounding for term in terms) + size)
        case "product":
            factors = draw(st.lists(below, min_size=2, max_size=3))
            text = "*".join(f"({factor.text})" if is_sum(factor.text) else factor.text for factor in factors)
            if draw(st.booleans()):
                text += "/pos" + draw(st.sampled_from(["", "*2", "/2"]))
            size = 4 * math.prod(max(factor.size, 1.0) for factor in factors)
            return Drawn(text, size, size * sum(factor.rounding / max(factor.size, 1.0) for factor in factors))
        case "function":
            inner = draw(below)
            template = draw(st.sampled_from(list(FUNCTIONS)))
            slope, largest = FUNCTIONS[template]
            return Drawn(template.format(inner.text), largest(inner.size), slope * inner.rounding)
        case "power":
            base, exponent = draw(
                st.sampled_from([("pos", "0.5"), ("pos", "(-1.5)"), ("x", "2"), ("x", "3"), ("sign", "2")])
            )
            return Drawn(draw(st.sampled_from(["{}^{}", "{}**{}", "pow({},{})"])).format(base, exponent), 125.0, 0.0)
        case _:
            inner = draw(below)
            return Drawn(f"({draw(conditions(2))})*({inner.text})", inner.size, inner.rounding)


def is_sum(text: str) -> bool:
    """Whether there is a sum outside of all brackets."""
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter in "+-" and depth == 0 and at and text[at - 1] not in "eE":
            return True
    return False


@given(arithmetic())
def test_formulate_agrees_on_arithmetic(drawn: Drawn) -> None:
    found, expected = ours(drawn.text, COLUMNS), np.broadcast_to(peer(drawn.text, COLUMNS), 40)
    # Sums and products group differently: what they round differently is a few units of the largest number within.
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15 * drawn.rounding, err_msg=drawn.text)


@given(conditions(3))
def test_formulate_agrees_on_conditions(text: str) -> None:
    expected = np.broadcast_to(peer(text, COLUMNS), 40)
    assert np.array_equal(ours(text, COLUMNS), expected.astype(np.float64)), text


def test_the_reference_expressions_decide_where_formulate_departs(reference: Path) -> None:
    with uproot.open(reference / "formula" / "formula.root") as file:
        columns = {
            name: branch.array(library="np")
            for name, branch in file["t"].items()
            if branch.interpretation.numpy_dtype.kind in "bifu" and not branch.interpretation.numpy_dtype.shape
        }
    agreed = []
    for text, root in json.loads((reference / "formula" / "expected.json").read_text()).items():
        if "error" in root or root["multiplicity"]:
            continue
        try:
            found = np.broadcast_to(peer(text, columns), len(root["values"]))
        except (formulate.ParseError, ValueError, SyntaxError, NameError):
            continue  # what formulate does not know
        values = [float(value[0]) for value in root["values"]]
        if text in DEPARTURES:
            assert not np.allclose(found, values, rtol=1e-12, atol=0), text
            np.testing.assert_allclose(ours(text, columns), values, rtol=1e-12, err_msg=text)
        else:
            np.testing.assert_allclose(found, values, rtol=1e-9, err_msg=text)
            np.testing.assert_allclose(found, ours(text, columns), rtol=1e-12, err_msg=text)
            agreed.append(text)
    assert len(agreed) > 50

"""Formulas: what holds for any text and any columns."""

from __future__ import annotations

import math
import warnings
from typing import Any

import awkward as ak
import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mvakit.errors import FormulaError, MvakitWarning
from mvakit.formula import Formula

COLUMNS = {
    "x": np.array([-1.0, 0.0, 2.5]),
    "i": np.array([0, 3, -2]),
    "arr": np.arange(6.0).reshape(3, 2),
    "jet": ak.Array([[1.0, 2.0], [], [3.0]]),
    "vv": ak.Array([[[1.0], []], [], [[2.0, 3.0]]]),
    "s": np.array(["a", "b", ""]),
}
PIECES = [
    *COLUMNS,
    *("1", "2.5", "0x1F", "1e-3", "E", "(", ")", "[", "]", "+", "-", "*", "/", "%", "^", "&", "|", "<", ">", "=", "!"),
    *("?", ":", ",", '"', " ", ".", "$", "@", "sqrt(", "min(", "Sum$(", "Alt$(", "MaxIf$(", "Length$", "Iteration$"),
    *("Entry$", "TMath::Pi()", ".size()", "::", "\\/", "pi", "rndm"),
]


def evaluate(text: str, columns: Any, **keywords: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MvakitWarning)
        return Formula(text).evaluate(columns, **keywords)


@settings(max_examples=250, deadline=None)
@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from(PIECES), max_size=15).map("".join)))
@example("1" * 3000 + "x")
@example("e-5" * 3000)
@example("::" * 900)
@example("jet[" * 45 + "jet" + "]" * 45)
@example("(" * 99 + "x" + ")" * 99)
@example("Sum$(Max$(jet[Iteration$])*vv)")
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = evaluate(text, COLUMNS)
    except FormulaError:
        return
    assert len(found) == 3


numbers = st.one_of(st.integers(0, 1000), st.floats(0, 1e6, allow_nan=False).map(lambda x: round(x, 3)))


@st.composite
def arithmetic(draw: st.DrawFn, depth: int = 4) -> tuple[str, float]:
    """Draw an expression with every bracket written, and its value."""
    kind = draw(st.sampled_from("nn+-*m?<" if depth else "n"))
    if kind == "n":
        number = draw(numbers)
        return repr(number), float(number)
    first, a = draw(arithmetic(depth - 1))
    second, b = draw(arithmetic(depth - 1))
    if kind == "m":
        return f"max({first},{second})", max(a, b)
    if kind == "?":
        third, c = draw(arithmetic(depth - 1))
        return f"(({first})>({second}) ? ({second}) : ({third}))", b if a > b else c
    value = {"+": a + b, "-": a - b, "*": a * b, "<": float(a < b)}[kind]
    return f"(({first}){kind}({second}))", value


@settings(max_examples=80, deadline=None)
@given(arithmetic())
def test_arithmetic_is_arithmetic(drawn: tuple[str, float]) -> None:
    text, value = drawn
    assert evaluate(text, COLUMNS).tolist() == [value] * 3


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("+-"), st.integers(-50, 50)), min_size=1, max_size=30))
def test_sums_and_differences(terms: list[tuple[str, int]]) -> None:
    text = "0" + "".join(f" {sign} {number}" for sign, number in terms)
    assert evaluate(text, COLUMNS)[0] == sum(number if sign == "+" else -number for sign, number in terms)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(-2, 2), min_size=2, max_size=5))
def test_powers_group_from_the_left(exponents: list[int]) -> None:
    value = 1.5
    for exponent in exponents:
        value = math.pow(value, exponent)
    np.testing.assert_allclose(evaluate("^".join(["1.5", *map(str, exponents)]), COLUMNS)[0], value, rtol=1e-12)


values = st.floats(-100, 100, allow_nan=False).map(lambda x: round(x, 2))
events = st.lists(
    st.tuples(values, st.lists(values, max_size=5), st.lists(values, max_size=5)), min_size=1, max_size=12
)


def columns_of(drawn: list[tuple[float, list[float], list[float]]]) -> dict[str, Any]:
    offsets = np.cumsum([0, *(len(v) for _, v, _ in drawn)])
    content = np.array([e for _, v, _ in drawn for e in v], dtype=np.float64)
    v = ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(offsets), ak.contents.NumpyArray(content)))
    w = ak.values_astype(ak.Array([w for _, _, w in drawn]), np.float64)
    return {
        "x": np.array([x for x, _, _ in drawn]),
        "v": v,
        "w": w,
        "arr": np.array([[x, -x, 2 * x] for x, _, _ in drawn]),
    }


@settings(max_examples=40, deadline=None)
@given(events)
def test_lists_are_loops(drawn: list[tuple[float, list[float], list[float]]]) -> None:
    columns = columns_of(drawn)
    expected: dict[str, list[Any]] = {
        "v*2+x": [[2 * e + x for e in v] for x, v, _ in drawn],
        "v>x && v>0": [[float(e > x and e > 0) for e in v] for x, v, _ in drawn],
        "v+arr": [[a + b for a, b in zip(v, (x, -x, 2 * x), strict=False)] for x, v, _ in drawn],
        "Length$(v)": [len(v) for _, v, _ in drawn],
        "@v.size()": [len(v) for _, v, _ in drawn],
        "Sum$(v)": [math.fsum(v) for _, v, _ in drawn],
        "Sum$(v>x)": [sum(e > x for e in v) for x, v, _ in drawn],
        "Max$(v)": [max(v, default=0) for _, v, _ in drawn],
        "Min$(v)": [min(v, default=0) for _, v, _ in drawn],
        "MaxIf$(v,v<x)": [max((e for e in v if e < x), default=0) for x, v, _ in drawn],
        "MinIf$(v,v>x)": [min((e for e in v if e > x), default=0) for x, v, _ in drawn],
        "Alt$(v[2],x)": [v[2] if len(v) > 2 else x for x, v, _ in drawn],
        "v[1]": [v[1:2] for _, v, _ in drawn],
        "Sum$(v*Iteration$)": [math.fsum(k * e for k, e in enumerate(v)) for _, v, _ in drawn],
        "v-Max$(w)": [[e - max(w, default=0) for e in v] for _, v, w in drawn],
        "arr[1]*x": [[-x * x] for x, _, _ in drawn],
        "Sum$(arr)": [2 * x for x, _, _ in drawn],
    }
    for text, lists in expected.items():
        found = ak.to_list(evaluate(text, columns))
        assert len(found) == len(lists)
        for mine, other in zip(found, lists, strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-9, err_msg=text)


TEXTS = [
    *("x", "x*2-1", "1/x", "x>0?sqrt(x):-x", "v", "v*x", "Sum$(v)", "Max$(v)-x", "v+w", "w+v", "arr", "arr[0]", "v[0]"),
    *("Entry$*2", "rndm", "v*rndm", "v[Length$(v)-1]", "Alt$(v[1],x)", "Sum$(v*arr)", "arr*v", "3", "Iteration$+v"),
]


@settings(max_examples=40, deadline=None)
@given(events, st.integers(0, 12), st.sampled_from(TEXTS))
def test_chunks_make_no_difference(drawn: Any, cut: int, text: str) -> None:
    columns = columns_of(drawn)
    whole = ak.to_list(evaluate(text, columns, first_entry=7))
    parts = []
    for first, last in ((0, min(cut, len(drawn))), (min(cut, len(drawn)), len(drawn))):
        chunk = {name: column[first:last] for name, column in columns.items()}
        parts += ak.to_list(evaluate(text, chunk, first_entry=7 + first))
    assert str(parts) == str(whole)  # which takes NaN for equal


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.lists(values, max_size=3), max_size=4), min_size=1, max_size=8))
def test_nested_lists_are_nested_loops(drawn: list[list[list[float]]]) -> None:
    column = ak.values_astype(ak.from_iter([*drawn, [[0.0]]])[:-1], np.float64)
    columns = {"vv": column, "x": np.arange(len(drawn)) + 1.0}
    for text, expected in {
        "vv*x": [[e * (k + 1) for v in vv for e in v] for k, vv in enumerate(drawn)],
        "vv[][0]": [[v[0] for v in vv if v] for vv in drawn],
        "vv[1]": [vv[1] if len(vv) > 1 else [] for vv in drawn],
        "Length$(vv)": [sum(map(len, vv)) for vv in drawn],
        "@vv.size()": [len(vv) for vv in drawn],
    }.items():
        found = ak.to_list(evaluate(text, columns))
        for mine, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-12, err_msg=text)

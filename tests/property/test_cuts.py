"""Cuts as steps: whatever the cut, the events that pass are those of the formula, and its terms say the same."""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from typing import Any

import awkward as ak
import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mvakit.cuts import Cut, formula_text
from mvakit.errors import FormulaError, MvakitWarning
from mvakit.formula import Formula
from mvakit.formula.parser import parse

COLUMNS = {
    "x": np.array([-1.0, 0.0, np.nan, 2.5, 0.3]),
    "E": np.array([1.0, 0.0, 3.0, -4.0, 5.0]),
    "i": np.array([0, 3, -2, 1, 0]),
    "arr": np.arange(-5.0, 10.0).reshape(5, 3),
    "jet": ak.Array([[1.0, -2.0], [], [3.0], [0.0, 1.0, 2.0], [-1.0]]),
    "vv": ak.Array([[[1.0], []], [], [[2.0, 3.0]], [[0.0], [1.0, -1.0]], [[]]]),
}
OPERATORS = (
    "+", "-", "*", "/", "%", "^", "&", "|", "<", ">", "<=", ">=", "==", "!=", "<<", ">>", "&&", "||",
)  # fmt: skip
leaves = st.sampled_from(
    ["x", "E", "jet", "vv", "arr", "arr[1]", "vv[][0]", "jet[i]", "2.5", "3", "0", "1e-5", "0x1F", "pi", "Entry$",
     "@jet.size()", "jet[1]", "jet[0.]", "Length$(jet)"]
)  # fmt: skip


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from(OPERATORS), inner).map("".join),
        inner.map("({})".format),
        inner.map("-{}".format),
        inner.map("!{}".format),
        st.tuples(inner, inner, inner).map(lambda three: "({}?{}:{})".format(*three)),
        st.tuples(st.sampled_from(["Sum$", "sqrt", "Max$"]), inner).map(lambda two: "{}({})".format(*two)),
        st.tuples(inner, inner).map(lambda two: "Alt$({},{})".format(*two)),
    )


formulae = st.recursive(leaves, larger, max_leaves=8)
cuts = st.lists(st.one_of(formulae, formulae.map("({})".format)), min_size=1, max_size=4).map("&&".join)


def without_places(node: Any) -> Any:
    """Return a tree of nested tuples that does not tell where in the text its names stood."""
    if dataclasses.is_dataclass(node):
        kept = (f.name for f in dataclasses.fields(node) if f.name != "position")
        return type(node).__name__, *(without_places(getattr(node, name)) for name in kept)
    return tuple(map(without_places, node)) if isinstance(node, tuple) else node


@settings(max_examples=300)
@given(formulae)
def test_the_text_of_a_tree_is_read_as_that_tree(text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MvakitWarning)
        try:
            read = parse(text)
        except FormulaError:
            assume(False)
        assert without_places(parse(formula_text(read))) == without_places(read)


@settings(max_examples=300)
@given(cuts, st.sampled_from(["", "x>0", "jet>0 && E>0"]))
def test_the_events_that_pass_are_those_of_the_formula(class_cut: str, tree_cut: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MvakitWarning)
        joined = " && ".join(f"({c})" for c in (tree_cut, class_cut) if c)
        try:
            expected = Formula(joined).evaluate(COLUMNS)
        except FormulaError:
            assume(False)
        cut = Cut.of(tree_cut, class_cut)
        assert cut is not None
        found = cut.evaluate(COLUMNS)
    assert cut.text == joined
    if isinstance(expected, ak.Array):
        assert ak.num(found).tolist() == ak.num(expected).tolist()
        expected, found = np.asarray(ak.flatten(expected)), np.asarray(ak.flatten(found))
    passed = cut.passed(found)
    assert np.array_equal(passed, expected >= 0.5)
    if len(cut.terms) > 1:
        steps = [cut.held(found, number, alone=False) for number in range(len(cut.terms))]
        assert np.array_equal(steps[-1], passed)
        alone = [cut.held(found, number, alone=True) for number in range(len(cut.terms))]
        assert np.array_equal(np.logical_and.reduce(alone), passed)
        assert all((later <= earlier).all() for earlier, later in itertools.pairwise(steps))

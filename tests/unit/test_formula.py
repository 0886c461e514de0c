"""Formulas: text, names, columns, what is reported. Their values are compared with ROOT's in tests/reference."""

from __future__ import annotations

import dataclasses
import inspect
import pickle
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import awkward as ak
import numpy as np
import pandas as pd
import pytest

from mvakit.errors import FormulaError, MvakitWarning
from mvakit.formula import Formula

X = np.array([1.0, -2.0, 0.0, 4.0])


def value(text: str, columns: Any = None, **keywords: Any) -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MvakitWarning)
        found = Formula(text).evaluate({"x": X} if columns is None else columns, **keywords)
    return found.tolist()  # type: ignore[no-any-return]


# --- the object ------------------------------------------------------------------------------------------------------


def test_is_its_text() -> None:
    formula = Formula("x + 1")
    assert formula.text == str(formula) == "x + 1"
    assert formula == Formula("x + 1")
    assert formula != Formula("x+1")
    assert hash(formula) == hash(Formula("x + 1"))
    assert repr(formula) == "Formula(text='x + 1')"
    with pytest.raises(dataclasses.FrozenInstanceError):
        formula.text = "y"  # type: ignore[misc]


def test_survives_pickling() -> None:
    again = pickle.loads(pickle.dumps(Formula("Sum$(jet)+x")))
    assert again == Formula("Sum$(jet)+x")
    assert again.evaluate({"jet": ak.Array([[1, 2], []]), "x": np.array([1, 2])}).tolist() == [4, 2]


def test_needs_a_text() -> None:
    with pytest.raises(FormulaError, match="a formula is a text, not int: 3"):
        Formula(3)  # type: ignore[arg-type]


def test_is_shared_by_threads() -> None:
    formula = Formula("Sum$(jet > x) / x")
    columns = {"jet": ak.Array([[1, 2, 3], [], [5]] * 500), "x": np.array([2.0, 1.0, -1.0] * 500)}
    expected = [0.5, 0.0, -1.0] * 500
    with ThreadPoolExecutor(8) as pool:
        for found in pool.map(lambda _: formula.evaluate(columns).tolist(), range(40)):
            assert found == expected


def test_awkward_is_imported_only_for_lists() -> None:
    program = (
        "import sys, numpy; from mvakit.formula import Formula; "
        "Formula('sqrt(x)>1 && arr[0]*0+1').required(['x', 'arr']); Formula('x>1 ? x : log(x)').evaluate({'x': numpy.ones(3)}); "
        "sys.exit('awkward' in sys.modules or 'scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    ("text", "constant"),
    [
        ("1+2", True),
        ("pi*TMath::E()", True),
        ("Sum$(2)", True),
        ("Length$", True),
        ("x", False),
        ("0*x", False),
        ("Entry$", False),
        ("Entries$", False),
        ("Iteration$", False),
        ("rndm", False),
        ("rndm()", False),
        ("@v.size()", False),
        ("arr[0]", False),
        ("Max$(jet)", False),
    ],
)
def test_is_constant(text: str, constant: bool) -> None:
    assert Formula(text).is_constant is constant


def test_constant_has_one_value_per_event() -> None:
    assert value("2*3") == [6.0] * 4
    assert Formula("2*3").evaluate({"x": X}).dtype == np.float64
    assert value("2", ak.Array({"x": [1, 2, 3]})) == [2.0] * 3
    with pytest.raises(FormulaError, match="the number of events is unknown for '2\\*3': there are no columns"):
        value("2*3", {})


# --- reading ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "what"),
    [
        ("", 0, "the formula is empty"),
        ("  ", 2, "the formula is empty"),
        ("x + ", 4, "the formula ends where an operand is expected"),
        ("x + * y", 4, "an operand is expected here, not '*'"),
        ("sqrt(x", 4, "')' is missing: '(' is never closed"),
        ("sqrt(x]", 6, "')' expected, but here is ']'"),
        ("x)", 1, "')' without '('"),
        ("x y ) z", 4, "')' without '('"),
        ("x (y)", 0, "unknown function 'x'"),
        ("2 (y)", 2, "unexpected '('"),
        ("x ; y", 2, "unexpected ';'"),
        ("x = y", 2, "unexpected '='"),
        ("x == 'a'", 5, 'unexpected "\'"'),
        ('x == "a', 5, "this string has no closing quote"),
        ("()", 1, "nothing between the brackets"),
        ("[0]", 0, "a parameter has no value here"),
        ("x[0", 1, "']' is missing"),
        ("x > 0 ? 1", 6, "':' is missing"),
        ("x ? y ? 1 : 2 : 3", 6, "put brackets around a condition"),
        ("x % -2", 4, "a sign cannot follow '%'"),
        ("!-x", 1, "a sign cannot follow '!'"),
        ("x * +y", 4, "a plus sign needs an operand on its left"),
        ("x < y > 3", 2, "ROOT reads '<y>' as a template"),
        ("x <= y <= 3", 7, "'<=' cannot follow another one"),
        ("x << 2 < y", 7, "put brackets around the shift to the left of '<'"),
        ("y+sqr(x)", 2, "unknown function 'sqr'; did you mean 'sqrt'"),
        ("TMath::Sqr(x)", 0, "unknown function 'TMath::Sqr'; did you mean 'TMath::Sqrt'"),
        ("2*TMath::Pi", 2, "'TMath::Pi' is no column: write TMath::Pi()"),
        ("std::pi", 0, "'std::pi' is no column"),
        ("atan2(x)", 0, "atan2 takes 2 arguments, not 1"),
        ("sqrt(x, y)", 0, "sqrt takes 1 argument, not 2"),
        ("TMath::Gaus()", 0, "TMath::Gaus takes 1 or 2 or 3 or 4 arguments, not 0"),
        ("Sum(x)+Sum$", 0, "unknown function 'Sum'; did you mean 'Sum$'"),
        ("1+Sum$", 2, "Sum$ needs its argument in brackets"),
        ("Sum$(x,y)", 0, "Sum$ takes 1 argument, not 2"),
        ("MaxIf$(x)", 0, "MaxIf$ takes 2 arguments, not 1"),
        ("Alt$(x)", 0, "Alt$ takes 2 arguments, not 1"),
        ("Entry$()", 6, "Entry$ takes no brackets"),
        ("Entry1$", 0, "unknown 'Entry1$'; did you mean 'Entry$'"),
        ("v@.size", 0, "brackets are missing: size()"),
    ],
)
def test_error_points_at_the_place(text: str, place: int, what: str) -> None:
    with pytest.raises(FormulaError) as caught:
        Formula(text)
    said, shown, caret = str(caught.value).split("\n")
    assert what in said
    assert shown == f"    {text}"
    assert caret == " " * (4 + place) + "^"


def test_error_in_a_long_text_shows_what_is_around() -> None:
    with pytest.raises(FormulaError) as caught:
        Formula("x+" * 200 + "*y" + "+x" * 200)
    shown, caret = str(caught.value).split("\n")[1:]
    assert len(shown) < 100
    assert shown[caret.index("^")] == "*"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("(" * 5000 + "x" + ")" * 5000, "nested more than 100 deep"),
        ("!" * 500 + "x", "nested more than 100 deep"),
        ("abs(1+" * 60 + "x" + ")" * 60, "nested more than 100 deep"),
        ("(" * 40 + "x" + "^2*3+1)" * 40, "the formula is nested more than 100 deep"),
        ("x?1:" * 500 + "2", "nested more than 100 deep"),
        ("+".join(["x"] * 2000), "more than 1000 operands and operations"),
        ("<".join(["x"] * 500), "more than 100 comparisons"),
        ("x" * 2049, "a name of 2049 characters"),
        ("x" * 20001, "the formula has 20001 characters; at most 20000 are read"),
        ("1" * 19000 + "x", "a name of 19001 characters"),
    ],
)
def test_hostile_text_is_refused(text: str, what: str) -> None:
    with pytest.raises(FormulaError, match=what):
        Formula(text)


def test_long_but_harmless_text_is_read() -> None:
    assert value("+".join(["x"] * 400)) == [400.0, -800.0, 0.0, 1600.0]
    assert value("&&".join(["x>0"] * 200)) == [1.0, 0.0, 0.0, 1.0]
    assert value("(" * 60 + "x" + "+1)" * 60) == [61.0, 58.0, 60.0, 64.0]
    assert value("(" * 60 + "x" + "==1)" * 60) == [1.0, 0.0, 0.0, 0.0]
    assert value("Sum$(" * 45 + "x" + "!=0)" * 45) == [1.0, 1.0, 0.0, 1.0]


def at_depth(depth: int, call: Callable[[], Any]) -> Any:
    return at_depth(depth - 1, call) if depth else call()


def test_call_from_deep_down_ends_in_an_error_not_in_a_crash() -> None:
    text = "jet[" * 45 + "0" + "]" * 45
    formula, columns = Formula(text), {"jet": ak.Array([[0], [0]])}
    assert formula.evaluate(columns).tolist() == [[0], [0]]
    room = sys.getrecursionlimit() - len(inspect.stack())
    with pytest.raises(FormulaError, match="the formula is nested too deep: 'jet"):
        at_depth(room - 70, lambda: Formula(text))
    with pytest.raises(FormulaError, match="the formula is nested too deep: 'jet"):
        at_depth(room - 70, lambda: formula.evaluate(columns))


def test_warns_of_the_exponent_that_is_none() -> None:
    with pytest.warns(MvakitWarning, match="'2\\*E-5' as one that binds to the E on its left"):
        formula = Formula("2*E-5")
    assert formula.evaluate({"E": np.array([10.0])}).tolist() == [10.0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert value("E-5+2*(E)-3+2*E-E", {"E": np.array([10.0])}) == [32.0]


# --- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "available", "required"),
    [
        ("x+y*x", ["y", "x", "z"], ("x", "y")),
        ("1+pi", ["x"], ()),
        ("1+pi", ["x", "pi"], ("pi",)),
        ("rndm<0.5", [], ()),
        ("Entry$%2", ["x"], ()),
        ("Sum$(jet>30)>2?jet[i]:Alt$(z,w)", ["i", "jet", "w", "z"], ("jet", "i", "z", "w")),
        ("MaxIf$(a,b)+@c.size()", ["a", "b", "c"], ("a", "b", "c")),
        ("pt", ["ev.pt", "ev.eta"], ("ev.pt",)),
        ("ev.pt", ["ev.pt", "pt"], ("ev.pt",)),
        ("ev.pt+pt", ["ev.pt", "pt"], ("ev.pt", "pt")),
        ("ev.pt+ev.eta", ["ev", "x"], ("ev",)),
        ("ev->pt", ["ev"], ("ev",)),
        ("ev.pt", ["ev."], ("ev.",)),
        ("ev", ["ev."], ("ev.",)),
        ("ev.", ["ev"], ("ev",)),
        ("x.x", ["x"], ("x",)),
        ("z+u.x+x", ["x", "u.x", "u.z"], ("u.z", "u.x", "x")),
        ("b.pt", ["a.b.pt"], ("a.b.pt",)),
        ("ev.pt", ["ev/pt"], ("ev/pt",)),
        ("pt", ["ev/pt"], ("ev/pt",)),
        ("a\\/b*2", ["a/b"], ("a/b",)),
        ("jets[0].pt", ["jets.pt"], ("jets.pt",)),
        ("4lep", ["4lep"], ("4lep",)),
        ("Größe*2", ["Größe"], ("Größe",)),
    ],
)
def test_required(text: str, available: list[str], required: tuple[str, ...]) -> None:
    assert Formula(text).required(iter(available)) == required


def test_required_names_the_nearest() -> None:
    with pytest.raises(FormulaError, match="no branch or leaf 'var11' of the formula 'var11\\+1'; did you mean 'var1'"):
        Formula("var11+1").required(["var1", "eta"])
    with pytest.raises(FormulaError, match="no branch or leaf 'q'; branches: eta, var1"):
        Formula("q").required(["var1", "eta"])
    with pytest.raises(FormulaError, match="pi"):
        Formula("pi[0]").required(["x"])


def test_short_name_of_several_columns() -> None:
    with pytest.raises(FormulaError, match="'pt' may be any of 'a.pt', 'b.pt': write which"):
        Formula("pt").required(["a.pt", "b.pt"])
    with pytest.raises(FormulaError, match="'pt' may be any of 'a.pt', 'b.pt': write which"):
        value("pt", {"a": ak.Array({"pt": X}), "b": ak.Array({"pt": X})})
    assert Formula("pt").required(["a.pt", "b.pt", "pt"]) == ("pt",)


def test_evaluate_names_the_nearest() -> None:
    columns = {"var1": X, "ev": ak.Array({"pt": X})}
    with pytest.raises(FormulaError, match="no branch or leaf 'var11'; did you mean 'var1'"):
        value("var11", columns)
    with pytest.raises(
        FormulaError, match=r"no branch or leaf 'ev\.pz' of the formula '2\*ev\.pz'; did you mean 'ev\.pt'"
    ):
        value("2*ev.pz", columns)


def test_column_takes_precedence_over_a_constant() -> None:
    assert value("pi", {"x": X}) == [np.pi] * 4
    assert value("pi", {"pi": X}) == X.tolist()


def test_leaves_of_records() -> None:
    records = ak.Array({"pt": [1.0, 2.0], "w": [[1, 2], [3, 4]]})
    structured = np.array([(1.0, [1, 2]), (2.0, [3, 4])], dtype=[("pt", "f8"), ("w", "i4", (2,))])
    for column in (records, structured):
        for name in ("ev", "ev."):
            columns = {"x": np.array([1.0, 2.0]), name: column}
            assert value("ev.pt*2", columns) == [2.0, 4.0]
            assert value("pt*2", columns) == [2.0, 4.0]
            assert value("w[1]", columns) == [[2], [4]]
            assert value("ev", columns) == [1.0, 2.0]  # the first leaf
    outer = ak.Array([{"ev": {"pt": 1.0, "q": {"z": 2.0}}}, {"ev": {"pt": 5.0, "q": {"z": 3.0}}}])
    for name in ("ev.pt+ev.q.z", "pt+q.z"):
        assert value(name, outer) == [3.0, 8.0]
    jets = ak.Array({"jets": [[{"pt": 1.0}, {"pt": 2.0}], []]})
    assert value("Sum$(jets.pt)", jets) == [3.0, 0.0]
    assert value("jets[1].pt", jets) == [[2.0], []]


# --- columns ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", ">i8", "i1", "u2", "f2", "?", "g"])
def test_numbers_of_any_type(dtype: str) -> None:
    column = np.array([0, 1, 1, 0]).astype(dtype)
    assert value("x*2+0.5", {"x": column}) == [0.5, 2.5, 2.5, 0.5]
    assert Formula("x*2").evaluate({"x": column}).dtype == np.float64
    assert Formula("x").evaluate({"x": column}).dtype == np.dtype(dtype).newbyteorder("=")


def test_single_precision_is_compared_in_double() -> None:
    assert value("x>0.1", {"x": np.array([0.1], dtype="f4")}) == [1.0]
    assert value("x==0.1", {"x": np.array([0.1], dtype="f4")}) == [0.0]
    assert value("1?0.1:x", {"x": np.array([0.1], dtype="f4")}) == [0.1]


def test_bare_column_keeps_every_bit() -> None:
    column = np.array([2**62 + 1, -(2**62) - 1])
    found = Formula(" l ").evaluate({"l": column})
    assert found.dtype == np.int64
    assert found.tolist() == [2**62 + 1, -(2**62) - 1]
    lists = Formula("v").evaluate({"v": ak.Array([[2**62 + 1], []])})
    assert lists.tolist() == [[2**62 + 1], []]


def test_columns_are_not_written_to() -> None:
    columns = {"x": X.copy(), "y": X.copy(), "jet": ak.Array([[1.0], [], [2.0], [3.0]])}
    for text in ("-x", "x+y", "x*y-1", "sqrt(abs(x))*x", "-x+-y", "x^2", "x/(y+10)", "-jet*2+x", "1-x", "2*x*y"):
        value(text, columns)
    assert columns["x"].tolist() == columns["y"].tolist() == X.tolist()
    assert columns["jet"].tolist() == [[1.0], [], [2.0], [3.0]]


def test_frame_is_a_mapping() -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5], "s": ["p", "q"]})
    assert value("a+b", frame) == [1.5, 3.5]
    assert value('s=="q"', frame) == [0.0, 1.0]


def test_fixed_arrays() -> None:
    columns = {"m": np.arange(12).reshape(2, 2, 3), "one": np.array([[7], [8]])}
    assert value("m[1][2]", columns) == [[5], [11]]
    assert value("m[][0]", columns) == [[0, 3], [6, 9]]
    assert value("m", columns) == [list(range(6)), list(range(6, 12))]
    assert value("one+1", columns) == [8, 9]
    assert value("m[0]", {"m": ak.from_numpy(columns["m"])}) == [[0, 1, 2], [6, 7, 8]]
    with pytest.raises(
        FormulaError, match="index 3 of 'm' in 'm\\[1\\]\\[3\\]' is too large: dimension 2 has 3 elements"
    ):
        value("m[1][3]", columns)
    with pytest.raises(FormulaError, match=r"dimension 1 has 1 element$"):
        value("one[1]", columns)


def test_objects() -> None:
    lists = np.empty(2, dtype=object)
    lists[:] = [np.array([1, 2]), np.array([3])]
    nested = np.empty(2, dtype=object)
    nested[:] = [[[1, 2], []], [[3]]]
    mixed = np.array([1, 2.5], dtype=object)
    assert value("Sum$(j)", {"j": lists}) == [3.0, 3.0]
    assert value("n[0]", {"n": nested}) == [[1, 2], [3]]
    assert value("x*2", {"x": mixed}) == [2.0, 5.0]
    with pytest.raises(FormulaError, match="the column 'x' holds objects that are neither numbers nor strings"):
        value("x", {"x": np.array([1, {}], dtype=object)})


@pytest.mark.parametrize(
    ("column", "what"),
    [
        (np.array(["2024-01-01"], dtype="M8[D]"), "the column 'x' holds datetime64"),
        (np.array([1j]), "the column 'x' holds complex128"),
        (np.ma.masked_array([1, 2], mask=[0, 1]), "the column 'x' has missing values"),
        (ak.Array([1, None]), "the column 'x' has missing values"),
        (ak.Array([[1], None]), "the column 'x' has missing values"),
        (3.0, "the column 'x' is a single number"),
        (ak.Array([[[[1]]]]), "lists of variable length inside nested lists"),
        (ak.to_regular(ak.Array([[[1], [2]]]), axis=1), "lists of variable length inside arrays"),
        (ak.to_regular(ak.Array([[[[1, 2]]]]), axis=3), "arrays inside nested lists"),
        (ak.Array([["a"]]), "the column 'x' holds lists of strings"),
        (ak.Array([1, "a"]), "the column 'x' holds union"),
    ],
)
def test_column_that_no_formula_reads(column: Any, what: str) -> None:
    with pytest.raises(FormulaError, match=what):
        value("x+1", {"x": column})


def test_option_and_category_types_without_gaps() -> None:
    option = ak.Array([[1, None], [2]])[[True, True]]
    full = ak.mask(ak.Array([1.0, 2.0]), [True, True])
    assert value("x*2", {"x": full}) == [2.0, 4.0]
    assert value("x*2", {"x": ak.Array([1.0, 2.0, 3.0])[[2, 0]]}) == [6.0, 2.0]
    assert value("Sum$(x)", {"x": ak.Array([[1, 2], [], [3]])[[2, 0]]}) == [3.0, 3.0]
    assert value("x*2", {"x": ak.str.to_categorical(ak.Array(["a"])) == "a"}) == [2.0]
    indexed = ak.contents.IndexedArray(ak.index.Index64([2, 0]), ak.contents.NumpyArray(np.array([5, 6, 7])))
    assert value("x*2", {"x": ak.Array(indexed)}) == [14.0, 10.0]
    assert value("x", {"x": np.ma.masked_array([1, 2], mask=[0, 0])}) == [1, 2]
    with pytest.raises(FormulaError, match="missing values"):
        value("x", {"x": option})


def test_columns_of_different_length() -> None:
    with pytest.raises(FormulaError, match="in 'x\\+y': 'x' has 4 events, 'y' has 3"):
        value("x+y", {"x": X, "y": X[:3]})


@pytest.mark.parametrize("empty", [np.zeros(0), np.zeros((0, 2)), ak.Array([]), ak.Array([[1.0]])[:0]])
def test_no_events(empty: Any) -> None:
    for text in ("v", "v*2", "Sum$(v)", "Length$(v)", "Alt$(v,1)", "1", "v[0]>0&&v>1", "Entry$", "Max$(v)/Min$(v)"):
        assert value(text, {"v": empty}) == []


def test_events_with_nothing_in_them() -> None:
    empty = ak.Array([[], []])
    assert value("v[0]", {"v": empty}) == [[], []]
    assert value("Sum$(v)+Max$(v)", {"v": empty}) == [0.0, 0.0]
    nested = ak.values_astype(ak.Array([[[]], []]), float)
    assert value("vv", {"vv": nested}) == [[], []]
    assert value("vv[][0]", {"vv": nested}) == [[], []]
    assert value("Alt$(vv[0][0],-1)", {"vv": ak.values_astype(ak.Array([[], []]), float)}) == [-1, -1]


def test_strings() -> None:
    for names in (ak.Array(["a", "bc", ""]), np.array(["a", "bc", ""]), np.array(["a", "bc", ""], dtype=object)):
        columns = {"s": names, "x": np.array([1, 2, 3])}
        assert value('s=="bc"', columns) == [0.0, 1.0, 0.0]
        assert value('"bc"!=s', columns) == [1.0, 0.0, 1.0]
        assert value('x*(s=="a")', columns) == [1.0, 0.0, 0.0]
        assert value('strstr(s,"c")', columns) == [0.0, 1.0, 0.0]
        assert value('(x>1?s:"a")=="a"', columns) == [1.0, 0.0, 0.0]
        assert value("s==s", columns) == [1.0, 1.0, 1.0]
    assert value('s=="x y"', {"s": np.array([b"x y", b"xy"])}) == [1.0, 0.0]
    assert value('s=="b"', {"s": ak.Array([b"a", b"b"])}) == [0.0, 1.0]
    assert value('"a"=="a"', columns) == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("s", "the formula 's' is a string, no number"),
        ('"a"', "is a string, no number"),
        ("s+1", "'s' is a string where a number is needed: 's\\+1'"),
        ("sqrt(s)", "'s' is a string"),
        ("!s", "'s' is a string"),
        ('x>"a"', "a string stands where a number is needed"),
        ("s==x", "'s' is a string"),
        ('(x?s:1)=="a"', "both values of '\\?:' must be numbers, or both strings"),
        ("strstr(s,x)", "strstr compares two strings"),
        ("Max$(s)", "Max\\$ of strings"),
        ("Alt$(s,1)", "Alt\\$ of strings"),
        ("@s.size()", "'s' has no size"),
        ("s==s==s", "a string stands"),
        ("x==1==s", "'s' is a string"),
        ('(x?s:"b")==x', "a string stands"),
    ],
)
def test_string_where_a_number_is_needed(text: str, what: str) -> None:
    with pytest.raises(FormulaError, match=what):
        value(text, {"s": np.array(["a", "b"]), "x": np.array([1, 2])})


# --- events and instances --------------------------------------------------------------------------------------------


def test_shape_follows_the_multiplicity() -> None:
    columns = {"x": X[:2], "arr": np.ones((2, 3)), "jet": ak.Array([[1, 2], []])}
    for text in ("x", "x+1", "Sum$(jet)", "Length$(arr)", "Alt$(jet[0],1)", "3"):
        assert isinstance(Formula(text).evaluate(columns), np.ndarray)
    for text in ("arr", "arr[0]", "jet", "jet[0]", "jet*x", "arr[0]+x", "Iteration$"):
        found = Formula(text).evaluate(columns)
        assert isinstance(found, ak.Array)
        assert found.ndim == 2
        assert len(found) == 2


def test_second_argument_of_alt_is_one_number() -> None:
    with pytest.raises(FormulaError, match="the second argument of Alt\\$ must be one number per event in 'Alt"):
        value("Alt$(jet,jet[0])", {"jet": ak.Array([[1.0]])})


def test_nested_lists_take_one_number_as_index() -> None:
    with pytest.raises(FormulaError, match="nested lists 'vv' in 'vv\\[v\\]' take one number as an index"):
        value("vv[v]", {"vv": ak.Array([[[1]]]), "v": ak.Array([[0]])})


def test_computed_index_into_nested_lists() -> None:
    columns = {"vv": ak.Array([[[1, 2], [3]], [[4]], []]), "i": np.array([1, 0, 0])}
    assert value("vv[i]", columns) == [[3], [4], []]
    assert value("Alt$(vv[i][0],-1)", columns)[:2] == [3, 4]
    assert value("vv[0][i]", columns) == [[2], [4], []]
    with pytest.warns(MvakitWarning, match="1 entry with index outside the array, taken as NaN"):
        found = Formula("vv[][i]*1").evaluate(columns)
    np.testing.assert_array_equal(ak.flatten(found), [2, np.nan, 4])


def test_arrays_of_three_dimensions() -> None:
    cube = np.arange(48.0).reshape(2, 2, 3, 4)
    columns = {"c": cube, "i": np.array([1, 0])}
    assert value("c*1", columns) == cube.reshape(2, -1).tolist()
    assert value("c[1]", columns) == cube[:, 1].reshape(2, -1).tolist()
    assert value("c[][2]", columns) == cube[:, :, 2].reshape(2, -1).tolist()
    assert value("c[][][3]", columns) == cube[:, :, :, 3].reshape(2, -1).tolist()
    assert value("c[0][][1]", columns) == cube[:, 0, :, 1].tolist()
    assert value("c[][i][2]", columns) == [cube[0, :, 1, 2].tolist(), cube[1, :, 0, 2].tolist()]
    assert value("c[i][2][3]", columns) == [[cube[0, 1, 2, 3]], [cube[1, 0, 2, 3]]]


def test_missing_elements_are_nan() -> None:
    columns = {"jet": ak.Array([[1.0], []]), "i": np.array([0, 0]), "b": np.array([[1, 2], [3, 4]])}
    np.testing.assert_array_equal(value("jet[i]+1", columns), [[2.0], [np.nan]])
    assert value("b[0][0]+i", {"b": columns["b"].reshape(2, 1, 2), "i": columns["i"]}) == [[1], [3]]
    assert value("Length$(jet)>0?jet[i]:-1", columns) == [[1.0], [-1.0]]  # not looked at, not missing


def test_entry_numbers_of_a_chunk() -> None:
    columns = {"x": X}
    assert value("Entry$", columns, first_entry=10) == [10, 11, 12, 13]
    assert value("LocalEntry$*2", columns, first_entry=10) == [20, 22, 24, 26]
    assert value("Entries$", columns, first_entry=10) == [14.0] * 4
    assert value("Entries$", columns, first_entry=10, entries=99) == [99.0] * 4
    assert value("LocalEntries$", columns, entries=99) == [99.0] * 4


def test_rndm_is_the_entry_s_alone() -> None:
    columns = {"x": np.zeros(50_000)}
    whole = np.array(value("rndm", columns))
    assert 0 <= whole.min() < 0.001
    assert 0.999 < whole.max() < 1
    np.testing.assert_allclose(np.histogram(whole, bins=10, range=(0, 1))[0], 5000, atol=300)
    assert abs(np.corrcoef(whole[1:], whole[:-1])[0, 1]) < 0.02
    part = value("rndm", {"x": np.zeros(100)}, first_entry=40_000)
    assert part == whole[40_000:40_100].tolist()
    first, second = np.array(value("1*rndm+0", columns)), np.array(value("0*rndm+rndm()", columns))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02
    lists = value("rndm*jet", {"jet": ak.Array([[1, 1], [1]])})
    assert len({*lists[0], *lists[1]}) == 3


def test_blocks_do_not_show() -> None:
    x = np.random.default_rng(1).normal(size=100_003)
    y = np.arange(100_003) % 7 - 3
    columns = {"x": x, "y": y.astype(np.int32)}
    counts: Counter[str] = Counter()
    found = Formula("x/y + (y>1 && x<0) - Entry$*0.5").evaluate(columns, first_entry=5, counts=counts)
    with np.errstate(divide="ignore"):
        expected = np.where(y == 0, 0, x / y) + ((y > 1) & (x < 0)) - 0.5 * (np.arange(100_003) + 5)
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert list(counts.values()) == [int((y == 0).sum())]
    assert value("1+1", columns) == [2.0] * 100_003
    assert sum(value('s=="a"', {"s": np.array(["a", "b"] * 40_000)})) == 40_000
    with pytest.raises(FormulaError, match="is a string"):
        value('x>0?s:"b"', {"x": np.ones(80_000), "s": np.array(["a", "b"] * 40_000)})


# --- what is reported ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "kind", "events"),
    [
        ("1/x", "division by zero, taken as 0", 1),
        ("1/0", "division by zero, taken as 0", 4),
        ("5%x", "remainder of a division by zero, taken as 0", 1),
        ("log(x)", "logarithm of a number that is not positive, taken as 0", 2),
        ("log10(x)", "logarithm of a number that is not positive, taken as 0", 2),
        ("sqrt(x)", "square root of a negative number, taken of its absolute value", 1),
        ("acos(x)", "inverse function outside its domain, taken as 0", 2),
        ("asin(x)", "inverse function outside its domain, taken as 0", 2),
        ("acosh(x)", "inverse function outside its domain, taken as 0", 2),
        ("atanh(x)", "inverse function outside its domain, taken as 0", 2),
        ("exp(300*x)", "exponential of a number above 700, taken of 700", 1),
        ("v[x]", "index outside the array, taken as NaN", 2),
        ("m[0][x]", "index outside the array, the last element taken", 2),
        ("vv[0][0]", "index into an empty list, taken as 0", 1),
        ("Sum$(1/v)", "division by zero, taken as 0", 2),
        ("1/v", "division by zero, taken as 0", 2),
        ("1/x+2/x", "division by zero, taken as 0", 1),
    ],
)
def test_counts(text: str, kind: str, events: int) -> None:
    columns = {
        "x": X,
        "v": ak.Array([[0, 0, 2], [], [1, 0], [5]]),
        "m": np.ones((4, 2, 2)),
        "vv": ak.Array([[[], [1]], [[2]], [], [[3]]]),
    }
    counts: Counter[str] = Counter()
    Formula(text).evaluate(columns, counts=counts)
    assert counts == {kind: events}
    Formula(text).evaluate(columns, counts=counts)
    assert counts == {kind: 2 * events}  # chunks add up


@pytest.mark.parametrize(
    "text",
    [
        "x!=0 ? 1/x : 0",
        "x==0 ? 0 : 1/x",
        "x!=0 && 1/x>0",
        "x==0 || 1/x>0",
        "x>0 ? log(x) : x<0 ? sqrt(-x) : 1",
        "x!=0 && (x>0 || 1/x<0) && 1%x<2",
        "Length$(v)>0 ? Sum$(v)/Length$(v) : 0",
        "Sum$(v>0 && 1/v>0)",
        "v>0 && 1/v>0",
        "Sum$(v!=0 ? 2/v : 0)",
        "x>0 ? Sum$(log(v+10)) : 0",
        "Length$(v)>0 && Max$(v[0*x])>0",
        "MaxIf$(1/v,v!=0)",
        "Alt$(1/v[5],3)",
        "exp(-1e9)+atanh(0.5)+acosh(1)+acos(1)",
    ],
)
def test_what_is_not_looked_at_is_not_counted(text: str) -> None:
    columns = {"x": X, "v": ak.Array([[0, 0, 2], [], [1, 0], [5]])}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Formula(text).evaluate(columns)


def test_condition_guards_only_its_own_events() -> None:
    counts: Counter[str] = Counter()
    columns = {"x": X, "v": ak.Array([[0.0], [1.0], [0.0], [2.0]])}
    Formula("x>0 ? Sum$(1/v) : 7").evaluate(columns, counts=counts)
    assert counts == {"division by zero, taken as 0": 1}
    counts.clear()
    Formula("v*(x!=1 ? Sum$(1/v) : 7)").evaluate(columns, counts=counts)
    assert counts == {"division by zero, taken as 0": 1}


def test_warning_names_the_variable_once() -> None:
    with pytest.warns(MvakitWarning) as caught:
        Formula("1/x+log(x)").evaluate({"x": X}, name="myvar")
    said = (
        "formula 'myvar' (1/x+log(x)): 1 entry with division by zero, taken as 0; "
        "2 entries with logarithm of a number that is not positive, taken as 0"
    )
    assert [str(w.message) for w in caught] == [said]
    assert caught[0].filename == __file__
    with pytest.warns(MvakitWarning, match="^formula '1/x': 1 entry with division"):
        Formula("1/x").evaluate({"x": X})


def test_remainder_of_the_most_negative_number() -> None:
    assert value("x%y", {"x": np.array([-(2.0**63), 7.0]), "y": np.array([-1.0, -2.0])}) == [0.0, 1.0]


def test_bits_of_what_is_no_integer() -> None:
    big, nan = 2.0**63, float("nan")
    assert value("x|0", {"x": np.array([big, -1.0, nan, 2.0**65])}) == [big, 2.0**64, big, 0.0]
    assert value("int(x)", {"x": np.array([nan, 1e30])}) == [-big, -big]
    assert value("i<<1", {"i": np.array([2**40])}) == [2.0**41]


def test_nan_in_sums_and_extremes() -> None:
    columns = {"v": ak.Array([[1.0, np.nan, 3.0], [np.nan, 1.0], [2.0]])}
    np.testing.assert_array_equal(value("Max$(v)", columns), [3.0, np.nan, 2.0])
    np.testing.assert_array_equal(value("Min$(v)", columns), [1.0, np.nan, 2.0])
    np.testing.assert_array_equal(value("Sum$(v)", columns), [np.nan, np.nan, 2.0])
    np.testing.assert_array_equal(value("MinIf$(v,v>1)", columns), [3.0, 0.0, 2.0])


def test_fused_and_rarer_functions() -> None:
    assert value("fma(x,2,1)") == [3.0, -3.0, 1.0, 9.0]
    assert value("std::hypot(3,4,12)") == [13.0] * 4
    assert value("TMath::Prob(-1,5)+TMath::Prob(0,5)") == [1.0] * 4
    assert np.isnan(value("TMath::Binomial(2,3)")).all()
    assert value("TMath::Gamma(0-1,2)") == [1.0] * 4
    assert value("TMath::Gamma(0)") == [np.inf] * 4
    assert np.isnan(value("TMath::Landau(0/x*TMath::QuietNaN())")).all()

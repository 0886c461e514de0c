"""FDA: formulas by the rules of C++ and of ROOT 5, several outputs, and damaged files."""

from __future__ import annotations

import math
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods.fda import FDA, FDAOptions
from mvakit_methods.fda.expression import MAX_DEPTH, MAX_LENGTH, Expression
from mvakit_methods.fda.formula import Discriminant, slots
from mvakit_methods.fda.method import FDAState

from mvakit.errors import FormulaError, MethodError, MvakitWarning, WeightFileError
from mvakit.model import Model
from tests.unit.toy_files import changed, doubled, events, load, set_to, tree, without

# What TFormula of ROOT 6.40 says with [0] = 1.5 and [1] = 0.
ROOT_6 = {
    "1/2": 0.0,
    "5/2*[0]": 3.0,
    "-5/2": -2.0,
    "7/2/2.": 1.5,
    "1.5/2*3": 2.25,
    "3*(2+1)/2": 4.0,
    "[0]*1/2": 0.75,
    "[0]*(1/2)": 0.0,
    "abs(-3)/2": 1.0,
    "int([0])/2": 0.0,
    "(1>0)/2": 0.0,
    "(1>0)+(2>1)": 2.0,
    "([0]?3:2)/2": 1.0,
    "[0]-[1]-1": 0.5,
    "[0]/[0]/2": 0.5,
    "2--1": 3.0,
    "2+-+1": 1.0,
    "-[0]^2": -2.25,
    "(-[0])^2": 2.25,
    "2^3^2": 512.0,
    "2*[0]**[1]": 2.0,
    "2^-1": 0.5,
    "[0]^0.5^2": 1.1066819197003215,
    "[0]/0.": math.inf,
    "log([1])": -math.inf,
    "log([0]-3)": math.nan,
    "sqrt(-[0])": math.nan,
    "(-[0])^0.5": math.nan,
    "asin(2)": math.nan,
    "exp(800)": math.inf,
    "1<2<3": 1.0,
    "3>2>1": 0.0,
    "1+2==3": 1.0,
    "2!=3": 1.0,
    "2<=2": 1.0,
    "[0]>=2": 0.0,
    "[0]>1?[0]<1?1:2:3": 2.0,
    "[0]&&1": 1.0,
    "[1]||[1]": 0.0,
    "!([0]>1)": 0.0,
    "1||0&&0": 1.0,
    "pi": math.pi,
    "e*[0]": 4.077422742688568,
    "true/2.": 0.5,
    "TMath::Gaus([0],0,1)": 0.32465246735834974,
    "TMath::Min([0],2.)": 1.5,
    "max([0],[1])": 1.5,
    "min([0],[1])": 0.0,
    "sq([0])": 2.25,
    "atan2([0],[1])": 1.5707963267948966,
    "log10([0])": 0.17609125905568124,
    "exp(-0.5*(([0]-1)/2)^2)": 0.9692332344763441,
    "1/(1+exp(-[0]))": 0.8175744761936437,
    ".5*[0] + 1e0": 1.75,
}


@pytest.mark.parametrize("text", ROOT_6)
def test_root_6(text: str) -> None:
    expression = Expression(text, 2)
    assert float(expression.evaluate([1.5, 0.0])) == pytest.approx(ROOT_6[text], rel=1e-14, nan_ok=True)
    column = np.broadcast_to(expression.evaluate([np.full(3, 1.5), np.zeros(3)]), 3)
    assert column == pytest.approx([ROOT_6[text]] * 3, rel=1e-14, nan_ok=True)


@pytest.mark.parametrize(
    "text",
    ["", "[0]+", "sin(", "foo([0])", "[2]", "[99999999999999999999]", "1 2", "[0]%2", "sin([0],1)", "sin()", "sin(1,)", "(1", "1)", "1?2",
     "x", "__import__('os')", "a.b", "strstr([0],[1])", "1;2", ",", "[0][1]", "2[0]", "9" * 19, "9" * 5000],
)  # fmt: skip
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(FormulaError):
        Expression(text, 2)


def test_size_is_bounded() -> None:
    with pytest.raises(FormulaError, match="levels"):
        Expression("(" * (MAX_DEPTH + 1) + "1" + ")" * (MAX_DEPTH + 1), 0)
    with pytest.raises(FormulaError, match="levels"):
        Expression("-" * 5000 + "1", 0)
    with pytest.raises(FormulaError, match="characters"):
        Expression("1+" * MAX_LENGTH + "1", 0)
    assert float(Expression("+".join(["[0]"] * 4000), 1).evaluate([1.0])) == 4000.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(0)+(1)*x0", "[0]+[1]*[12]"),
        ("(1)*x10+(0)*x1", "[1]*[22]+[0]*[13]"),
        ("exp(-(11)*x2)", "exp(-[11]*[14])"),
        ("pow(x0,(2))+(2.)", "pow([12],[2])+(2.)"),
    ],
)
def test_parameters_and_variables_become_slots(text: str, expected: str) -> None:
    assert slots(text, 12, 11) == expected


@pytest.mark.parametrize(
    ("text", "word"), [("(12)", r"parameter \(12\)"), ("x11", "variable x11"), ("(99999999999999)", "parameter")]
)
def test_what_is_not_there_is_refused(text: str, word: str) -> None:
    with pytest.raises(FormulaError, match=word):
        slots(text, 12, 11)


def test_classic_formulas_keep_the_rules_of_root_5() -> None:
    X = np.float32([[0.0, 2.0], [4.0, 3.0]])
    found = Discriminant("(0)*x1+1/2+(1)^3^2", (-1.5, 2.0), 2, classic=True)(X)
    assert found.tolist() == [-1.5 * 2 + 0.5 + 64, -1.5 * 3 + 0.5 + 64]
    with pytest.warns(MvakitWarning, match="division by zero"):
        assert Discriminant("(0)/x0", (1.0,), 2, classic=True)(X).tolist() == [0.0, 0.25]
    assert Discriminant("(0)/x0", (1.0,), 2)(X).tolist() == [math.inf, 0.25]
    assert Discriminant("(0)", (7.0,), 2, classic=True)(X).tolist() == [7.0, 7.0]


@pytest.mark.parametrize("text", ["Entry$", "Sum$(x0)", "rndm", "x", "v0", "x0+", "sin(x0", "@x0.size()"])
def test_classic_formulas_are_of_numbers_alone(text: str) -> None:
    with pytest.raises(FormulaError):
        Discriminant(text, (), 1, classic=True)


def formula(text: str, release: str = "6.24/06 [399366]"):
    """Give a toy file another formula and another release of ROOT."""

    def change(root: ET.Element) -> None:
        root.find("Weights").set("Formula", text)
        root.find("GeneralInfo/Info[@name='ROOT Release']").set("value", release)

    return change


@pytest.mark.parametrize(
    ("release", "half"), [("5.34/09 [336393]", 0.5), ("6.24/06 [399366]", 0.0), ("", 0.0), ("odd", 0.0)]
)
def test_the_release_of_root_decides(toy, tmp_path, release: str, half: float) -> None:
    model = changed(toy, tmp_path, "FDA", formula("(1)*x0+1/2", release))
    X = events(20)
    assert model.predict(X) == pytest.approx(float(model.state.parameters[0, 1]) * X[:, 0].astype(float) + half)


def test_responses_that_are_none_are_refused(toy, tmp_path) -> None:
    model = changed(toy, tmp_path, "FDA", formula("log(x0)"))
    with pytest.raises(MethodError, match=r"nan.* for event 1, and not finite for 2 of 3 events"):
        model.predict(np.float32([[1, 0, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 0]]))
    assert model.predict(np.float32([[1, 0, 0, 0]])) == [0.0]


def test_an_event_is_the_same_alone_and_among_many(toy, tmp_path) -> None:
    model = changed(toy, tmp_path, "FDA", formula("(0)+(1)*exp(-x0*x0)+(2)*x1/(1+x2*x2)"))
    X = np.tile(events(), (30, 1))
    together = model.predict(X)
    assert [float(model.predict(X[i : i + 1])[0]) for i in range(50)] == together[:50].tolist()
    assert model.predict(X[:0]).shape == (0,)


def test_classes_share_what_is_one() -> None:
    state = FDAState("(0)*x0", np.array([[1.0], [2.0], [-1.0]]), 1, classes=True)
    found = FDA(FDAOptions()).predict(state, np.float32([[0.0], [1.0], [500.0]]))
    assert found.sum(axis=1) == pytest.approx([1, 1, 1])
    powers = np.exp([1.0, 2.0, -1.0])
    assert found[:2] == pytest.approx(np.array([[1 / 3] * 3, powers / powers.sum()]))
    assert found[2].tolist() == [pytest.approx(math.exp(-500)), 1.0, 0.0]
    with pytest.raises(MethodError, match="for event 1"):
        FDA(FDAOptions()).predict(state, np.float32([[1.0], [3e38]]))


def test_several_targets_have_a_column_each() -> None:
    state = FDAState("(0)+(1)*x0", np.array([[1.0, 2.0], [3.0, 4.0]]), 1)
    assert FDA(FDAOptions()).predict(state, np.float32([[1.0], [2.0]])).tolist() == [[3.0, 7.0], [5.0, 11.0]]


def test_a_file_is_written_as_it_was_read(toy, tmp_path) -> None:
    model = changed(toy, tmp_path, "FDA")
    copy = model.save(tmp_path / "copy.weights.xml")
    again = Model.load(copy)
    assert again.predict(events()).tolist() == model.predict(events()).tolist()
    assert again.save(tmp_path / "again.weights.xml").read_bytes() == copy.read_bytes()
    ours, theirs = ET.parse(copy).getroot().find("Weights"), tree(toy, "FDA").find("Weights")
    assert [(e.tag, e.attrib) for e in ours.iter()] == [(e.tag, e.attrib) for e in theirs.iter()]


def test_older_files_do_not_say_how_many_outputs_there_are(toy, tmp_path) -> None:
    X = events()
    model = changed(toy, tmp_path, "FDA", without("Weights", "NDim"))
    assert model.predict(X).tolist() == load(tree(toy, "FDA"), tmp_path).predict(X).tolist()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (set_to("Weights", NPars="4"), r"Index"),
        (set_to("Weights", NPars="6"), "lacks the parameter 5"),
        (set_to("Weights", NPars="1000000000"), "NPars"),
        (set_to("Weights", NDim="2"), "NDim='2'"),
        (set_to("Weights", NDim="-1"), "NDim='-1'"),
        (without("Weights", "NPars"), "NPars"),
        (without("Weights", "Formula"), "Formula"),
        (set_to("Weights", Formula="(0)+(7)*x0"), "parameter"),
        (set_to("Weights", Formula="(0)*x9"), "variable x9"),
        (set_to("Weights", Formula="system(0)"), "Formula"),
        (set_to("Weights", Formula=""), "Formula"),
        (without("Weights/Parameter"), "lacks the parameter 0"),
        (doubled("Weights/Parameter"), "two parameters"),
        (set_to("Weights/Parameter", Index="5"), "Index"),
        (set_to("Weights/Parameter", Value="inf"), "Value"),
        (without("Weights/Parameter", "Value"), "Value"),
    ],
)
def test_damaged_files_are_refused(toy, tmp_path, change, word: str) -> None:
    with pytest.raises(WeightFileError, match=word):
        changed(toy, tmp_path, "FDA", change)


def test_options_are_tmva_s() -> None:
    options = FDAOptions.parse(
        "Formula=(0)+(1)*x0:ParRanges=(-1,1);(-10,10):FitMethod=GA:Converger=MINUIT:Trim:SaveBestGen=2"
    )
    assert (options.formula, options.ranges) == ("(0)+(1)*x0", "(-1,1);(-10,10)")
    assert (options.fit_method, options.converger, options.trim, options.best_of_generation) == (
        "GA",
        "MINUIT",
        True,
        2,
    )
    assert FDAOptions().fit_method == "MINUIT"


def test_it_is_not_trained() -> None:
    with pytest.raises(MethodError, match="FDA"):
        FDA(FDAOptions()).fit(None, None)

"""Cuts as steps: the events that each of them leaves, counted as one would by hand."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvakit import DataLoader
from mvakit.cuts import Cut, formula_text
from mvakit.dataset import CutStep, SampleCounts
from mvakit.errors import FormulaError, MvakitWarning
from mvakit.formula.parser import parse

N = 2000
RANDOM = np.random.default_rng(5)
EVENTS = {
    "pt": RANDOM.exponential(30, N),
    "eta": RANDOM.normal(0, 2, N),
    "njet": RANDOM.integers(0, 5, N),
    "w": RANDOM.normal(1, 0.5, N).astype(np.float32),
}
BACKGROUND = {name: values[:500] for name, values in EVENTS.items()}


def loader(**trees: Any) -> DataLoader:
    made = DataLoader("d")
    made.AddVariable("pt")
    made.AddVariable("eta")
    for name, tree in trees.items():
        made.AddTree(tree, name)
    return made


def counts(made: DataLoader, name: str = "Signal") -> SampleCounts:
    return next(c for c in made.prepare().counts if c.name == name)


def by_hand(terms: dict[str, np.ndarray], weight: np.ndarray) -> list[CutStep]:
    """Return the steps of an array of truths for each term."""
    came = np.ones(len(weight), bool)
    found = []
    for cut, holds in terms.items():
        left = came & holds
        numbers = [
            n for mask in (came, left, holds) for n in (int(mask.sum()), float(weight[mask].astype(np.float64).sum()))
        ]
        found.append(CutStep(cut, "", *numbers))
        came = left
    return found


def same_steps(found: tuple[CutStep, ...], expected: list[CutStep]) -> None:
    assert [(s.cut, s.trees) for s in found] == [(s.cut, s.trees) for s in expected]
    for one, other in zip(found, expected, strict=True):
        for part in ("before", "after", "alone"):
            assert getattr(one, f"n_{part}") == getattr(other, f"n_{part}"), (one.cut, part)
            assert getattr(one, f"sum_{part}") == pytest.approx(getattr(other, f"sum_{part}"), rel=1e-9)


TERMS = {
    "pt>20": EVENTS["pt"] > 20,
    "abs(eta)<2.4": np.abs(EVENTS["eta"]) < 2.4,
    "njet>0": EVENTS["njet"] > 0,
}


@pytest.mark.parametrize(
    "cut",
    [
        "pt>20 && abs(eta)<2.4 && njet>0",
        "(pt > 20 && (abs(eta)<2.4 && (njet)>(0)))",
        "((pt>20) && abs(eta) < 2.4) && njet>0.",
    ],
)
def test_every_term_is_a_step(cut: str) -> None:
    made = loader(Signal=EVENTS, Background=BACKGROUND)
    made.SetWeightExpression("w")
    made.SetCut(cut, "Signal")
    found = counts(made)
    same_steps(found.cut_flow, by_hand(TERMS, EVENTS["w"]))
    last = found.cut_flow[-1]
    assert (last.n_after, last.sum_after) == (found.n_passed, found.sum_passed)
    assert (found.cut_flow[0].n_before, found.cut_flow[0].sum_before) == (found.n_input, found.sum_input)
    assert last.efficiency == last.sum_after / last.sum_before
    assert counts(made, "Background").cut_flow == ()


def test_cuts_that_are_added_one_after_the_other_are_steps_in_that_order() -> None:
    made = loader(Signal=EVENTS, Background=BACKGROUND)
    made.AddCut("njet>0", "Signal")
    made.AddCut("pt>20 && abs(eta)<2.4", "Signal")
    expected = by_hand({name: TERMS[name] for name in ("njet>0", "pt>20", "abs(eta)<2.4")}, np.ones(N))
    same_steps(counts(made).cut_flow, expected)
    made.SetCut("pt>20", "Signal")
    same_steps(counts(made).cut_flow, by_hand({"pt>20": TERMS["pt>20"]}, np.ones(N)))


@pytest.mark.parametrize(
    ("cut", "steps"),
    [
        ("pt>20 || eta>0 && njet>0", ["pt>20||eta>0&&njet>0"]),
        ("(pt>20 || eta>0) && njet>0", ["pt>20||eta>0", "njet>0"]),
        ("!(pt>20 && eta>0)", ["!(pt>20&&eta>0)"]),
        ("pt>20 && eta>0 ? njet>0 : njet>1", ["pt>20&&eta>0?njet>0:njet>1"]),
        ("(pt>20)*(eta>0)", ["(pt>20)*(eta>0)"]),
        ("pt > 20 & eta > 0", ["pt>20&eta>0"]),
        ("pt", ["pt"]),
    ],
)
def test_only_what_and_joins_at_the_top_is_a_step(cut: str, steps: list[str]) -> None:
    made = loader(Signal=EVENTS, Background=BACKGROUND)
    made.SetCut(cut, "Signal")
    assert [step.cut for step in counts(made).cut_flow] == steps


def test_a_value_below_one_half_is_true_within_a_cut_but_rejects_as_the_whole() -> None:
    tree = {"pt": np.arange(6.0), "eta": np.arange(6.0), "c": np.array([0.0, 0.3, 0.5, 1.0, np.nan, -2.0])}
    made = loader(Signal=tree, Background=BACKGROUND)
    made.SetCut("c && pt<5", "Signal")
    assert [step.n_after for step in counts(made).cut_flow] == [5, 4]
    made.SetCut("c", "Signal")
    assert [step.n_after for step in counts(made).cut_flow] == [2]


def test_the_cut_of_a_tree_comes_to_its_own_events() -> None:
    made = loader(Background=BACKGROUND)
    one, two, three = ({name: values[i::3] for name, values in EVENTS.items()} for i in range(3))
    for tree, cut, weight in ((one, "pt>20 && njet>0", 1.0), (two, "", 2.0), (three, "pt>20 && njet>0", 1.0)):
        made.AddTree(tree, "Signal", weight, cut)
    made.SetCut("abs(eta)<2.4", "Signal")
    cut_trees, whole = np.arange(N) % 3 != 1, np.where(np.arange(N) % 3 == 1, 2.0, 1.0)
    passed = ~cut_trees | (TERMS["pt>20"] & TERMS["njet>0"])
    first = by_hand(
        {name: TERMS[name][cut_trees] for name in ("pt>20", "njet>0")}, np.ones(int(cut_trees.sum()))
    )  # fmt: skip
    eta = TERMS["abs(eta)<2.4"]
    numbers = [n for mask in (passed, passed & eta, eta) for n in (int(mask.sum()), float(whole[mask].sum()))]
    expected = [
        *(CutStep(s.cut, "columns and 1 more", *(getattr(s, n) for n in CutStep.__slots__[2:])) for s in first),
        CutStep("abs(eta)<2.4", "", *numbers),
    ]
    same_steps(counts(made).cut_flow, expected)


def test_a_cut_of_a_tree_alone() -> None:
    made = loader(Background=BACKGROUND)
    made.AddTree(EVENTS, "Signal", 1.0, "pt>20")
    [step] = counts(made).cut_flow
    assert (step.cut, step.trees, step.n_before, step.n_after) == ("pt>20", "columns", N, TERMS["pt>20"].sum())


def test_vectors_are_flattened_as_the_whole_cut_has_them() -> None:
    ak = pytest.importorskip("awkward")
    lists = [[1.0, 30.0, 50.0], [], [25.0, 15.0], [10.0, 40.0]]
    other = [[1, 0], [], [1, 1, 1], [1, 1]]  # the cut loops as far as the shorter of both
    tree = {"jet": ak.Array(lists), "flag": ak.Array(other), "n": np.array([1.0, 2.0, 3.0, 4.0]), "eta": np.zeros(4)}
    cut = "jet>20 && flag && n<4"
    instances = [
        (jet > 20, bool(flag), n < 4)
        for jets, flags, n in zip(lists, other, (1, 2, 3, 4), strict=True)
        for jet, flag in zip(jets, flags, strict=False)
    ]
    made = DataLoader("d")
    made.AddVariable("n")
    made.AddTree(tree, "Signal", 1.0)
    made.AddTree({"n": np.arange(9.0)}, "Background")
    made.SetCut(cut, "Signal")
    summary = made.Summary()
    assert summary.problem == "class 'Signal' has no events left for the training sample"
    truth = np.array(instances)
    expected = by_hand(dict(zip(("jet>20", "flag", "n<4"), truth.T, strict=True)), np.ones(len(truth)))
    same_steps(summary.counts[0].cut_flow, expected)


def test_an_element_that_is_missing_rejects_the_event() -> None:
    ak = pytest.importorskip("awkward")
    jets = ak.Array([[5.0], [5.0], [5.0, 5.0, 5.0], [5.0]])
    tree = {"arr": np.arange(12.0).reshape(4, 3), "i": np.array([0, 1, 2, 9]), "jet": jets}
    cut = Cut("arr[0] >= 0 && jet[i] > 1 && i > -1")
    noted: Counter[str] = Counter()
    values = np.asarray(ak.flatten(cut.evaluate(tree, counts=noted)))
    assert values.tolist() == [7, 5, 7, 5]
    assert cut.passed(values).tolist() == [True, False, True, False]
    assert [cut.held(values, 2, alone=alone).tolist() for alone in (True, False)] == [
        [True] * 4,
        [True, False, True, False],
    ]
    assert noted == {"index outside the array, taken as NaN": 2}


def test_what_a_cut_passes_by_is_not_complained_about(tmp_path: Path) -> None:
    made = loader(Signal={**EVENTS, "n": np.arange(N) % 2}, Background=BACKGROUND)
    made.SetCut("n>0 && pt/n>20", "Signal")
    assert [step.n_after for step in counts(made).cut_flow][1] == (EVENTS["pt"][1::2] > 20).sum()
    made.SetCut("pt/n>20 && n>0", "Signal")
    with pytest.warns(MvakitWarning, match="1000 entries with division by zero"):
        counts(made)


def test_a_cut_of_very_many_terms_is_one_step() -> None:
    made = loader(Background=BACKGROUND)
    terms = [f"pt!={i}" for i in range(32)]
    made.AddTree(EVENTS, "Signal", 1.0, " && ".join(terms))
    made.SetCut("njet>0 && eta<1", "Signal")
    flow = counts(made).cut_flow
    assert [step.cut for step in flow] == [*terms, "njet>0", "eta<1"]
    assert [bool(step.trees) for step in flow] == [True] * 32 + [False] * 2
    assert flow[-1].n_after == ((EVENTS["njet"] > 0) & (EVENTS["eta"] < 1)).sum()
    made = loader(Background=BACKGROUND)
    made.AddTree(EVENTS, "Signal", 1.0, " && ".join([*terms, "pt!=32"]))
    made.SetCut(" && ".join(terms), "Signal")
    flow = counts(made).cut_flow
    assert [step.cut for step in flow] == ["&&".join([*terms, "pt!=32"]), *terms]
    assert {step.n_after for step in flow} == {N}


def test_a_cut_that_is_a_text_or_nested_too_deep_is_refused() -> None:
    with pytest.raises(FormulaError, match="string stands where a number"):
        Cut('"a" && x>0').evaluate({"x": np.zeros(3)})
    with pytest.raises(FormulaError):
        Cut("(" * 101 + "x" + ")" * 101)


def test_events_added_one_by_one_come_to_no_cut() -> None:
    made = loader(Signal=EVENTS, Background=BACKGROUND)
    made.SetCut("pt>20 && njet>0", "Signal")
    made.AddSignalTrainingEvent([1.0, 0.0])
    found = counts(made)
    assert found.cut_flow[0].n_before == N
    assert found.cut_flow[-1].n_after == found.n_passed - 1
    assert found.n_input == N + 1


def test_what_is_printed(caplog: pytest.LogCaptureFixture) -> None:
    made = loader(Signal=EVENTS, Background=BACKGROUND)
    made.SetCut("pt>20")
    made.prepare()
    assert "Cut flow" not in caplog.text
    assert caplog.text.count('requirement: "pt>20"') == 2
    made.AddCut("njet>0", "Signal")
    made.prepare()
    assert caplog.text.count("Cut flow") == 1
    table = next(r.getMessage() for r in caplog.records if r.getMessage().startswith("Cut flow of class Signal"))
    lines = table.splitlines()
    one, both = TERMS["pt>20"].sum(), (TERMS["pt>20"] & TERMS["njet>0"]).sum()
    assert lines[2].split("  ")[0] == "Step"
    assert lines[4].split() == ["1", "pt>20", str(N), str(one), str(one), f"{one / N:.4g}", str(one)]
    assert lines[5].split() == [
        "2", "njet>0", str(one), str(both), str(both), f"{both / one:.4g}", str(TERMS["njet>0"].sum()),
    ]  # fmt: skip


def test_the_cut_that_leaves_nothing_is_named() -> None:
    made = loader(Signal=EVENTS, Background=BACKGROUND)
    made.SetCut("njet>0 && pt<0 && eta<1", "Background")
    came = (BACKGROUND["njet"] > 0).sum()
    with pytest.raises(ValueError, match=rf"passed the cut .*; of {came} events that came to 'pt<0' none is left$"):
        made.prepare()
    summary = made.Summary()
    assert [step.n_after for step in summary.counts[1].cut_flow] == [came, 0, 0]
    assert summary.counts[0].n_passed == N
    assert "class 'Background' is empty" in summary.problem


@pytest.mark.parametrize(
    "text",
    [
        "pt>20", "a-(b-c)", "(a-b)-c", "-x^2", "(-x)^2", "a+(-b)", "a-(-b)", "2*(E-5)", "(2*E)-5", "a-(E)-5", "(a<b)<c",
        "(1<<2)<x", "1<<2+1", "x?y:z?1:2", "(x?y:z)?1:2", "!x", "!(x>0)", "!!x", "Sum$(jet>30)>2", "MaxIf$(pt,eta>0)",
        "Alt$(jet[1],-1)", "jet[i+1][]", "jet[2.0]", '@jet.size()>2', 'name=="mu"', "min(x,y)", "Entry$%2==0", "1e999>x",
        "rndm()<0.5", "x<-2", "a\\/b>0", "1e-05*x", "a&(b==c)", "Length$(jet)", "Length$", "TMath::Pi()*x", "1e+22",
    ],
)  # fmt: skip
def test_the_text_of_a_term_is_read_as_the_same_tree(text: str) -> None:
    written = formula_text(parse(text))
    assert formula_text(parse(written)) == written
    columns = {name: np.array([1.5, -2.0, 3.0]) for name in ("pt", "a", "b", "c", "x", "y", "z", "E")}
    if all(word not in text for word in ("jet", "name", "eta", "\\/", "Entry$", "rndm")):
        from mvakit.formula import Formula

        assert np.array_equal(Formula(text).evaluate(columns), Formula(written).evaluate(columns))

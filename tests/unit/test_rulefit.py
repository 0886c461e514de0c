"""RuleFit: rules and linear terms, their importance, and damaged files."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods.rulefit import RuleFit, RuleFitOptions
from mvakit_methods.rulefit.xml import read_ensemble

from mvakit.errors import MethodError, WeightFileError
from mvakit.model import Model
from tests.unit.toy_files import changed, doubled, events, set_to, tree, without

HEAD = {
    "LearningModel": "0",
    "ImportanceCut": "0.001",
    "LinQuantile": "0.025",
    "AverageSupport": "0.2",
    "AverageRuleSigma": "0.4",
}
INFORMATION = {
    "Importance": "0.5",
    "Ref": "1",
    "Support": "0.1",
    "Sigma": "0.3",
    "Norm": "3",
    "SSB": "0.7",
    "SSBNeve": "10",
}


def weights(model: str = "0") -> ET.Element:
    """0.25, 1 where 0 < x0 < 1 and x1 > 2, 10 where x1 < 3, and 4 times x0 within -1 and 2."""
    root = ET.Element("Weights", {**HEAD, "LearningModel": model, "NRules": "2", "NLinear": "2", "Offset": "0.25"})
    first = ET.SubElement(root, "Rule", {**INFORMATION, "Coeff": "1", "Nvars": "2"})
    ET.SubElement(first, "Cut", Selector="0", Min="0", Max="1", DoMin="T", DoMax="T")
    ET.SubElement(first, "Cut", Selector="1", Min="2", Max="0", DoMin="T", DoMax="F")
    second = ET.SubElement(
        root, "Rule", {**INFORMATION, "Coeff": "10", "Nvars": "1", "Importance": "0.25", "Norm": "inf"}
    )
    ET.SubElement(second, "Cut", Selector="1", Min="nan", Max="3", DoMin="F", DoMax="T")
    ET.SubElement(root, "Linear", OK="1", Coeff="2", Norm="2", DM="-1", DP="2", Importance="0.125")
    ET.SubElement(root, "Linear", OK="0", Coeff="7", Norm="inf", DM="0", DP="0", Importance="9")
    return root


X = np.float32([[0.5, 2.5], [0.5, 3.0], [0.0, 2.5], [1.0, 2.5], [9.0, 5.0], [-9.0, 5.0], [0.5, -np.inf], [0.5, np.inf]])
OF_RULES = [11.0, 1.0, 10.0, 10.0, 0.0, 0.0, 10.0, 1.0]
OF_TERMS = [2.0, 2.0, 0.0, 4.0, 8.0, -4.0, 2.0, 2.0]


@pytest.mark.parametrize(("model", "rules", "terms"), [("0", 1, 1), ("1", 1, 0), ("2", 0, 1)])
def test_rules_and_linear_terms_are_added(model: str, rules: int, terms: int) -> None:
    state = read_ensemble(weights(model), 2)
    expected = 0.25 + rules * np.array(OF_RULES) + terms * np.array(OF_TERMS)
    assert RuleFit(RuleFitOptions()).predict(state, X).tolist() == expected.tolist()


@pytest.mark.parametrize(("model", "expected"), [("0", [0.375, 0.5]), ("1", [0.25, 0.5]), ("2", [0.125, 0.0])])
def test_importance_is_shared_by_the_variables_of_a_rule(model: str, expected: list[float]) -> None:
    found = read_ensemble(weights(model), 2).importance(2)
    assert found == pytest.approx(np.array(expected) / max(expected))


def test_an_ensemble_may_be_empty() -> None:
    root = ET.Element("Weights", {**HEAD, "NRules": "0", "NLinear": "0", "Offset": "3"})
    state = read_ensemble(root, 2)
    assert RuleFit(RuleFitOptions()).predict(state, X).tolist() == [3.0] * len(X)
    assert state.importance(2).tolist() == [0.0, 0.0]


def test_responses_beyond_numbers_are_left_for_the_model_to_refuse() -> None:
    root = weights()
    root.find("Linear").set("Coeff", "1e308")
    assert np.isinf(RuleFit(RuleFitOptions()).predict(read_ensemble(root, 2), X)[3])


def test_an_event_is_the_same_alone_and_among_many(toy, tmp_path) -> None:
    model = changed(toy, tmp_path, "RuleFit")
    inputs = np.tile(events(), (30, 1))
    together = model.predict(inputs)
    assert together[:300].tolist() == together[-300:].tolist()
    assert [float(model.predict(inputs[i : i + 1])[0]) for i in range(50)] == together[:50].tolist()
    assert model.predict(inputs[:0]).shape == (0,)


def test_files_of_friedman_s_program_are_applied(toy, tmp_path) -> None:
    def friedman(root: ET.Element) -> None:
        root.find("Options/Option[@name='RuleFitModule']").text = "rffriedman"

    model = changed(toy, tmp_path, "RuleFit", friedman)
    assert model.method.options.module == "RFFriedman"
    assert model.predict(events()).tolist() == changed(toy, tmp_path, "RuleFit").predict(events()).tolist()


def test_a_file_is_written_as_it_was_read(toy, tmp_path) -> None:
    model = changed(toy, tmp_path, "RuleFit")
    copy = model.save(tmp_path / "copy.weights.xml")
    again = Model.load(copy)
    assert again.predict(events()).tolist() == model.predict(events()).tolist()
    assert again.save(tmp_path / "again.weights.xml").read_bytes() == copy.read_bytes()
    ours, theirs = ET.parse(copy).getroot().find("Weights"), tree(toy, "RuleFit").find("Weights")
    assert [(e.tag, e.attrib) for e in ours.iter()] == [(e.tag, e.attrib) for e in theirs.iter()]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (set_to("Weights", NRules="30"), "holds 31 <Rule>"),
        (set_to("Weights", NRules="2000000000"), "NRules"),
        (set_to("Weights", NLinear="3"), "holds 4 <Linear>"),
        (set_to("Weights", NLinear="5"), "NLinear"),
        (set_to("Weights", LearningModel="3"), "LearningModel"),
        (set_to("Weights", Offset="nan"), "Offset"),
        (without("Weights", "ImportanceCut"), "ImportanceCut"),
        (without("Weights/Rule"), "holds 30 <Rule>"),
        (doubled("Weights/Linear"), "holds 5 <Linear>"),
        (set_to("Weights/Rule", Coeff="inf"), "Coeff"),
        (without("Weights/Rule", "SSB"), "SSB"),
        (set_to("Weights/Rule", Nvars="3"), "holds 2 <Cut>"),
        (set_to("Weights/Rule", Nvars="0"), "Nvars"),
        (set_to("Weights/Rule/Cut", Selector="4"), "Selector"),
        (set_to("Weights/Rule/Cut", Max="nan"), "Max"),
        (set_to("Weights/Rule/Cut", DoMin="maybe"), "DoMin"),
        (set_to("Weights/Linear", DP="-inf"), "DP"),
        (set_to("Weights/Linear", OK="2"), "OK"),
    ],
)
def test_damaged_files_are_refused(toy, tmp_path, change, word: str) -> None:
    with pytest.raises(WeightFileError, match=word):
        changed(toy, tmp_path, "RuleFit", change)


def test_options_are_tmva_s() -> None:
    options = RuleFitOptions.parse(
        "RuleFitModule=RFTMVA:Model=ModRuleLinear:MinImp=0.001:nTrees=20:fEventsMax=0.5:GDTau=-1.0:Random"
    )
    assert (options.least_importance, options.most_events, options.forest) == (0.001, 0.5, "Random")
    assert (options.n_steps, options.error_scale, options.linear_quantile, options.most_rules) == (
        10_000,
        1.1,
        0.025,
        2000,
    )


def test_it_is_not_trained() -> None:
    with pytest.raises(MethodError, match="RuleFit"):
        RuleFit(RuleFitOptions()).fit(None, None)

"""The weight files of BDT: what is written, what is read, and what is refused."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods.bdt import BDT, BDTOptions
from mvakit_methods.bdt import xml as bdt_xml

from mvakit.dataset import Sample
from mvakit.errors import WeightFileError
from mvakit.method import FitContext, WeightContext
from mvakit.types import AnalysisType
from mvakit.variables import define

VARIABLES = tuple(define(label) for label in "abc")
CLASSES = ("Signal", "Background")


def sample(n: int = 200) -> Sample:
    rng = np.random.default_rng(1)
    index = np.arange(n) % 2
    X = rng.normal(size=(n, 3)) + np.outer(1 - index, [0.9, 0.5, 0.2])
    X[:, 2] += 3 * X[:, 0]
    return Sample(X.astype(np.float32), index, rng.uniform(0.5, 2, n))


def context(options: dict[str, str] | None = None, analysis=AnalysisType.CLASSIFICATION) -> WeightContext:
    return WeightContext(analysis, "BDT", VARIABLES, CLASSES, (), options or {}, lambda name: b"", {})


def written(text: str = "") -> tuple[BDT, object, ET.Element]:
    method = BDT(BDTOptions.parse(f"NTrees=4:{text}"))
    state = method.fit(sample(), FitContext(AnalysisType.CLASSIFICATION, "BDT", VARIABLES, CLASSES))
    weights = ET.Element("Weights")
    assert method.write_state(state, weights) == {}
    return method, state, ET.fromstring(ET.tostring(weights))


def as_tmva(weights: ET.Element, options: dict[str, str], x: np.ndarray) -> float:
    """What TMVA answers to one event, from the XML alone."""
    for f in range(3):
        for name, sign in (("LowBkg", -1), ("LowSig", 1), ("HighBkg", -1), ("HighSig", 1)):
            if weights.get(f"Preselection{name}Var{f}") == "1":
                border = float(weights.get(f"Preselection{name}Var{f}Value"))
                if (x[f] < border) if "Low" in name else (x[f] > border):
                    return sign
    total = norm = 0.0
    for tree in weights:
        (node,) = tree
        while node.get("nType") == "0":
            n = int(node.get("NCoef"))
            if n:
                value = float(node.get(f"fC{n - 1}")) + sum(float(node.get(f"fC{i}")) * x[i] for i in range(n - 1))
                right = value > float(node.get("Cut"))
            else:
                right = x[int(node.get("IVar"))] >= np.float32(node.get("Cut"))
            if node.get("cType") == "0":
                right = not right
            sides = {child.get("pos"): child for child in node}
            node = sides["r" if right else "l"]
        if options.get("BoostType") == "Grad":
            total += float(node.get("res"))
        else:
            weight = float(tree.get("boostWeight"))
            total += weight * float(node.get("nType" if options.get("UseYesNoLeaf", "True") == "True" else "purity"))
            norm += weight
    return 2 / (1 + np.exp(-2 * total)) - 1 if options.get("BoostType") == "Grad" else total / norm


OPTIONS = {
    "": {},
    "BoostType=Grad": {"BoostType": "Grad"},
    "UseYesNoLeaf=False": {"UseYesNoLeaf": "False"},
    "BoostType=Bagging": {"BoostType": "Bagging"},
    "UseFisherCuts": {"UseFisherCuts": "True"},
    "DoPreselection": {"DoPreselection": "True"},
}


@pytest.mark.parametrize("text", OPTIONS)
def test_what_is_written_answers_the_same_when_it_is_read_by_tmva_s_rules_and_by_ours(text):
    method, state, weights = written(text)
    again = method.read_state(weights, context(OPTIONS[text]))
    X = np.concatenate([sample(40).X, 9 * np.eye(3, dtype=np.float32), -9 * np.eye(3, dtype=np.float32)])
    response = method.predict(state, X)
    np.testing.assert_array_equal(method.predict(again, X), response)
    np.testing.assert_allclose([as_tmva(weights, OPTIONS[text], x) for x in X], response, rtol=0, atol=1e-14)
    assert method.ranking(again, VARIABLES) == method.ranking(state, VARIABLES)
    for a, b in zip(method.monitoring(again), method.monitoring(state), strict=True):
        np.testing.assert_array_equal(a.y, b.y)
    second = ET.Element("Weights")
    method.write_state(again, second)
    assert ET.tostring(second) == ET.tostring(weights)


def test_nodes_are_written_as_tmva_writes_them():
    _, state, weights = written("MaxDepth=2")
    assert weights.get("NTrees") == "4"
    assert weights.get("AnalysisType") == "0"
    tree = weights[0]
    assert tree.get("type") == "DecisionTree"
    assert tree.get("itree") == "0"
    (root,) = tree
    assert list(root.attrib) == ["pos", "depth", "NCoef", "IVar", "Cut", "cType", "res", "rms", "purity", "nType"]
    assert (root.get("pos"), root.get("depth"), root.get("nType"), root.get("IVar")) == (
        "s", "0", "0", str(state.nodes.variable[0]),
    )  # fmt: skip
    assert float(root.get("purity")) == 0.5
    assert float(root.get("res")) == -99
    assert [(node.get("pos"), node.get("depth")) for node in root] == [("l", "1"), ("r", "1")]
    for node in weights.iter("Node"):
        assert (len(node) == 0) == (node.get("nType") in {"1", "-1"}) == (node.get("IVar") == "-1")
    _, _, weights = written("BoostType=Grad")
    assert weights.get("AnalysisType") == "1"
    assert {node.get("nType") for node in weights.iter("Node")} == {"0", "-99"}


def test_cuts_of_the_other_direction_are_turned():
    method, state, weights = written()
    for node in weights.iter("Node"):
        if len(node):
            node.set("cType", "0")
            for child in node:
                child.set("pos", "l" if child.get("pos") == "r" else "r")
    X = sample().X
    again = method.read_state(weights, context())
    np.testing.assert_array_equal(method.predict(again, X), method.predict(state, X))
    np.testing.assert_array_equal(again.nodes.cut, state.nodes.cut)


def test_older_files_are_read():
    method, state, weights = written()
    weights.set("TreeType", weights.attrib.pop("AnalysisType"))
    for name in ("variableImportance",):
        del weights.attrib[name]
    for tree in weights:
        del tree.attrib["errorFraction"], tree.attrib["nodesBeforePruning"]
    for node in weights.iter("Node"):
        purity = float(node.attrib.pop("purity"))
        node.set("nS", repr(40 * purity))
        node.set("nB", repr(40 * (1 - purity)))
        del node.attrib["NCoef"], node.attrib["res"], node.attrib["rms"]
    again = method.read_state(weights, context())
    np.testing.assert_allclose(again.nodes.purity, state.nodes.purity, rtol=1e-6)
    X = sample().X
    np.testing.assert_array_equal(method.predict(again, X), method.predict(state, X))
    assert method.ranking(again, VARIABLES) is None
    assert [curve.name for curve in method.monitoring(again)] == [
        "BoostWeightVsTree", "NodesBeforePruning", "NodesAfterPruning",
    ]  # fmt: skip
    first = next(weights.iter("Node"))
    first.set("nS", "0")
    first.set("nB", "0")
    assert method.read_state(weights, context()).nodes.purity[0] == 0.5


def test_options_are_found_however_they_are_spelled():
    method, _, weights = written("BoostType=Grad")
    again = method.read_state(weights, context({"boosttype": " grad "}))
    assert again.gradient
    for name, yes_no in (("1", True), ("True", True), ("0", False), ("False", False)):
        assert method.read_state(written()[2], context({"UseYesNoLeaf": name})).yes_no is yes_no
    assert not method.read_state(written()[2], context({"BoostType": "RealAdaBoost"})).yes_no
    assert not method.read_state(written()[2], context({"BoostType": "AdaCost"})).yes_no


def first_inner(weights: ET.Element) -> ET.Element:
    return weights[0][0]


def first_leaf(weights: ET.Element) -> ET.Element:
    return next(node for node in weights.iter("Node") if not len(node))


def remove_child(weights: ET.Element) -> None:
    root = first_inner(weights)
    root.remove(root[1])


def third_child(weights: ET.Element) -> None:
    root = first_inner(weights)
    root.append(root[1])


def deep(weights: ET.Element, depth: int = 600) -> None:
    # From the bottom, so that nothing is nested while it is written.
    tree, leaf = weights[0], first_leaf(weights)
    tree.remove(tree[0])
    attributes = {"IVar": "0", "Cut": "0.0", "cType": "1", "purity": "0.5", "nType": "0", "NCoef": "0"}
    node = ET.Element("Node", {**leaf.attrib, "pos": "l"})
    for level in range(depth):
        parent = ET.Element("Node", attributes, pos="s" if level == depth - 1 else "l")
        parent.append(node)
        parent.append(ET.Element("Node", {**leaf.attrib, "pos": "r"}))
        node = parent
    tree.append(node)


DAMAGE = {
    "no root": (lambda w: w[0].remove(w[0][0]), "has one root, but one has 0"),
    "two roots": (lambda w: w[0].append(w[0][0]), "has one root, but one has 2"),
    "no trees": (lambda w: [w.remove(tree) for tree in list(w)], "holds 0 <BinaryTree>"),
    "fewer trees": (lambda w: w.remove(w[0]), "holds 3 <BinaryTree>"),
    "more trees": (lambda w: w.set("NTrees", "3"), "holds 4 <BinaryTree>"),
    "too many trees": (lambda w: w.set("NTrees", "1000000000"), "NTrees='1000000000'"),
    "no number of trees": (lambda w: w.attrib.pop("NTrees"), "lacks the attribute 'NTrees'"),
    "an analysis": (lambda w: w.set("AnalysisType", "1"), "does not go with BoostType='adaboost'"),
    "an unknown analysis": (lambda w: w.set("AnalysisType", "2"), "AnalysisType='2'"),
    "one child": (remove_child, "children 'l' and 'r', or none, but one has 'l'"),
    "three children": (third_child, "one has 'l', 'r', 'r'"),
    "two left children": (lambda w: first_inner(w)[1].set("pos", "l"), "one has 'l', 'l'"),
    "no place": (lambda w: first_inner(w)[1].attrib.pop("pos"), "lacks the attribute 'pos'"),
    "a leaf that is none": (lambda w: first_leaf(w).set("nType", "0"), "nType=0 .* has no children"),
    "children of a leaf": (lambda w: first_inner(w).set("nType", "1"), "nType=1 .* has children"),
    "a kind that is none": (lambda w: first_leaf(w).set("nType", "2"), "nType='2'"),
    "a kind of regression": (lambda w: first_leaf(w).set("nType", "-99"), "UseYesNoLeaf has nType=1"),
    "a variable too large": (lambda w: first_inner(w).set("IVar", "3"), "IVar='3'> should lie between 0 and 2"),
    "a negative variable": (lambda w: first_inner(w).set("IVar", "-1"), "IVar='-1'"),
    "no variable": (lambda w: first_inner(w).attrib.pop("IVar"), "lacks the attribute 'IVar'"),
    "a cut that is no number": (lambda w: first_inner(w).set("Cut", "nan"), "Cut='nan'> should be a finite number"),
    "a cut that is infinite": (lambda w: first_inner(w).set("Cut", "inf"), "Cut='inf'"),
    "a cut that is too large": (
        lambda w: first_inner(w).set("Cut", "1e39"),
        "Cut=1e[+]?39> is too large for a float32",
    ),
    "a cut that is text": (lambda w: first_inner(w).set("Cut", "x"), "Cut='x'> should be a number"),
    "no cut": (lambda w: first_inner(w).attrib.pop("Cut"), "lacks the attribute 'Cut'"),
    "a direction": (lambda w: first_inner(w).set("cType", "2"), "cType='2'"),
    "a purity": (lambda w: first_leaf(w).set("purity", "nan"), "purity='nan'"),
    "no purity": (lambda w: first_leaf(w).attrib.pop("purity"), "lacks the attribute 'nS'"),
    "a weight": (lambda w: w[0].set("boostWeight", "inf"), "boostWeight='inf'"),
    "a negative weight": (lambda w: w[0].set("boostWeight", "-1"), "negative boostWeight"),
    "no weight": (lambda w: w[0].attrib.pop("boostWeight"), "lacks the attribute 'boostWeight'"),
    "coefficients": (lambda w: first_inner(w).set("NCoef", "2"), "NCoef='2'> should be 0 or, with an offset, 4"),
    "coefficients that lack": (lambda w: first_inner(w).set("NCoef", "4"), "lacks the attribute 'fC0'"),
    "an importance": (lambda w: w.set("variableImportance", "1 0"), "should hold 3 numbers"),
    "an importance that is text": (lambda w: w.set("variableImportance", "1 0 x"), "should hold 3 numbers"),
    "a negative importance": (lambda w: w.set("variableImportance", "1 1 -1"), "none negative"),
    "a preselection": (lambda w: w.set("PreselectionLowBkgVar0", "1"), "lacks the attribute 'PreselectionLowBkgVar1'"),
    "a deep tree": (deep, "deeper than 500 nodes"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_files_are_refused(name):
    method, _, weights = written("MaxDepth=2")
    damage, message = DAMAGE[name]
    damage(weights)
    with pytest.raises(WeightFileError, match=message):
        method.read_state(weights, context())


def test_a_deep_tree_is_read_written_and_applied():
    method, _, weights = written("MaxDepth=2")
    deep(weights, 400)
    state = method.read_state(weights, context())
    assert state.nodes.depth.max() == 400
    again = ET.Element("Weights")
    method.write_state(state, again)
    X = sample(20).X
    np.testing.assert_array_equal(method.predict(method.read_state(again, context()), X), method.predict(state, X))


def test_other_analyses_are_refused():
    method, _, weights = written()
    with pytest.raises(WeightFileError, match="BDT for Regression"):
        method.read_state(weights, context(analysis=AnalysisType.REGRESSION))


def test_a_forest_without_weight_answers_nothing():
    method, _, weights = written()
    for tree in weights:
        tree.set("boostWeight", "0")
    state = method.read_state(weights, context())
    np.testing.assert_array_equal(method.predict(state, sample(20).X), 0.0)


def test_huge_sums_are_no_overflow():
    method, _, weights = written("BoostType=Grad")
    for node, response in zip((n for n in weights.iter("Node") if not len(n)), [1e38, -1e38] * 99, strict=False):
        node.set("res", repr(response))
    state = method.read_state(weights, context({"BoostType": "Grad"}))
    assert set(method.predict(state, sample().X)) <= {-1.0, 0.0, 1.0}


def test_numbers_are_written_in_full():
    _, state, weights = written("BoostType=Grad")
    responses = [np.float32(node.get("res")) for node in weights.iter("Node")]
    np.testing.assert_array_equal(responses, state.nodes.response)
    assert all(re.fullmatch(r"-?\d\.\d{16}e[+-]\d\d", node.get("Cut")) for node in weights.iter("Node"))
    assert bdt_xml.MAX_DEPTH < 1000  # Python's own bound on recursion, which the standard library's writer meets

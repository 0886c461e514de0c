"""The weight files of BDT: what is written, what is read, and what is refused."""

from __future__ import annotations

import dataclasses
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods.bdt import BDT, BDTOptions
from mvakit_methods.bdt import reading as bdt_reading

from mvakit.dataset import DataSet, Sample
from mvakit.errors import WeightFileError
from mvakit.method import FitContext, WeightContext
from mvakit.model import Model, train
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
    "no root": (lambda w: w[0].remove(w[0][0]), "has one root, but one has none"),
    "two roots": (lambda w: w[0].append(w[0][0]), "has one root, but one has more"),
    "no trees": (lambda w: [w.remove(tree) for tree in list(w)], "holds 0 <BinaryTree>"),
    "fewer trees": (lambda w: w.remove(w[0]), "holds 3 <BinaryTree>"),
    "more trees": (lambda w: w.set("NTrees", "3"), "holds more <BinaryTree> than that"),
    "too many trees": (lambda w: w.set("NTrees", "1000000000"), "NTrees='1000000000'"),
    "no number of trees": (lambda w: w.attrib.pop("NTrees"), "lacks the attribute 'NTrees'"),
    "an analysis": (lambda w: w.set("AnalysisType", "1"), "does not go with BoostType='adaboost'"),
    "an unknown analysis": (lambda w: w.set("AnalysisType", "7"), "AnalysisType='7'"),
    "one child": (remove_child, "children 'l' and 'r', but one has 'l'"),
    "three children": (third_child, "another with pos='r'"),
    "two left children": (lambda w: first_inner(w)[1].set("pos", "l"), "another with pos='l'"),
    "no place": (lambda w: first_inner(w)[1].attrib.pop("pos"), "another with pos=None"),
    "a leaf that is none": (
        lambda w: first_leaf(w).attrib.update(nType="0", IVar="0"),
        "nType=0 has the children .* but one has no children",
    ),
    "children of a leaf": (lambda w: first_inner(w).set("nType", "1"), "nType=1 has children"),
    "a kind that is none": (lambda w: first_leaf(w).set("nType", "2"), "nType='2'"),
    "a kind of regression": (lambda w: first_leaf(w).set("nType", "-99"), "UseYesNoLeaf has nType=1"),
    "a variable too large": (lambda w: first_inner(w).set("IVar", "3"), "IVar='3'> should lie between 0 and 2"),
    "a negative variable": (lambda w: first_inner(w).set("IVar", "-1"), "IVar='-1'"),
    "no variable": (lambda w: first_inner(w).attrib.pop("IVar"), "lacks the attribute 'IVar'"),
    "a cut that is no number": (lambda w: first_inner(w).set("Cut", "nan"), "Cut='nan'> should be a finite number"),
    "a cut that is infinite": (lambda w: first_inner(w).set("Cut", "inf"), "Cut='inf'"),
    "a cut that is too large": (
        lambda w: first_inner(w).set("Cut", "1e39"),
        "Cut='1e39'> is too large for a float32",
    ),
    "a cut that is text": (lambda w: first_inner(w).set("Cut", "x"), "Cut='x'> should be a number"),
    "no cut": (lambda w: first_inner(w).attrib.pop("Cut"), "lacks the attribute 'Cut'"),
    "a direction": (lambda w: first_inner(w).set("cType", "2"), "cType='2'"),
    "no purity": (lambda w: first_leaf(w).attrib.pop("purity"), "lacks the attribute 'nS'"),
    "a weight": (lambda w: w[0].set("boostWeight", "inf"), "boostWeight='inf'"),
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


def test_the_trees_have_to_go_with_the_analysis():
    method, _, weights = written()
    with pytest.raises(WeightFileError, match="AnalysisType='0'> does not go with BoostType='adaboost' and Regression"):
        method.read_state(weights, context(analysis=AnalysisType.REGRESSION))
    _, _, weights = written("BoostType=Grad")
    three = dataclasses.replace(context({"BoostType": "Grad"}, AnalysisType.MULTICLASS), classes=("a", "b", "c"))
    with pytest.raises(WeightFileError, match="NTrees='4'> should be a multiple of the 3 classes"):
        method.read_state(weights, three)
    weights.set("AnalysisType", "0")
    with pytest.raises(WeightFileError, match="a BDT for Multiclass has BoostType=Grad"):
        method.read_state(weights, dataclasses.replace(three, options={"BoostType": "AdaBoost"}))


def by_hand(weights: ET.Element, x: np.ndarray) -> list[float]:
    """What the leaf of each tree says, from the XML alone."""
    found = []
    for tree in weights:
        (node,) = tree
        while node.get("nType") == "0":
            right = (x[int(node.get("IVar"))] >= np.float32(node.get("Cut"))) == (node.get("cType") == "1")
            node = {child.get("pos"): child for child in node}["r" if right else "l"]
        found.append(float(np.float32(node.get("res"))))
    return found


def forest(n_trees: int, depth: int, seed: int = 1) -> ET.Element:
    """A forest of responses with cuts of both directions."""
    random = np.random.default_rng(seed)

    def node(parent: ET.Element, pos: str, level: int) -> None:
        leaf = level == depth or (level and random.uniform() < 0.2)
        attributes = {
            "pos": pos, "depth": str(level), "NCoef": "0", "IVar": "-1" if leaf else str(random.integers(3)),
            "Cut": repr(float(np.float32(random.normal()))), "cType": str(random.integers(2)),
            "res": repr(float(np.float32(random.normal()))), "rms": "-nan", "purity": "-nan(ind)",
            "nType": "-99" if leaf else "0",
        }  # fmt: skip
        element = ET.SubElement(parent, "Node", attributes)
        if not leaf:
            # TMVA writes the left one first; no order is needed.
            for side in random.permutation(["l", "r"]):
                node(element, str(side), level + 1)

    weights = ET.Element("Weights", NTrees=str(n_trees), AnalysisType="1")
    for tree in range(n_trees):
        item = ET.SubElement(weights, "BinaryTree", boostWeight=repr(float(random.uniform(0.1, 3))), itree=str(tree))
        node(item, "s", 0)
    return weights


@pytest.mark.parametrize("depth", [3, 9])
@pytest.mark.parametrize("n", [1, 300])
def test_several_classes(depth, n):
    """Tree i belongs to class i modulo their number, and a class has the share of its exponential."""
    weights = forest(12, depth)
    classes = dataclasses.replace(context({"BoostType": "Grad"}, AnalysisType.MULTICLASS), classes=tuple("abcd"))
    method = BDT(BDTOptions())
    X = np.random.default_rng(2).normal(size=(n, 3)).astype(np.float32)
    sums = np.array([[sum(by_hand(weights, x)[c::4]) for c in range(4)] for x in X])
    expected = np.exp(sums) / np.exp(sums).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(method.predict(method.read_state(weights, classes), X), expected, rtol=1e-12)


def test_a_gradient_boosted_regression_begins_with_the_weight_of_its_first_tree():
    weights, method = forest(7, 5), BDT(BDTOptions())
    state = method.read_state(weights, context({"BoostType": "Grad"}, AnalysisType.REGRESSION))
    X = np.random.default_rng(2).normal(size=(50, 3)).astype(np.float32)
    start = float(weights[0].get("boostWeight"))
    np.testing.assert_allclose(method.predict(state, X), [start + sum(by_hand(weights, x)) for x in X], rtol=1e-12)


@pytest.mark.parametrize("n_trees", [1, 5, 30])
def test_adaboost_r2_answers_with_the_middle_third(n_trees):
    weights, method = forest(n_trees, 4), BDT(BDTOptions())
    state = method.read_state(weights, context({"BoostType": "AdaBoostR2"}, AnalysisType.REGRESSION))
    X = np.random.default_rng(2).normal(size=(50, 3)).astype(np.float32)
    boost = [float(tree.get("boostWeight")) for tree in weights]

    def tmva(x: np.ndarray) -> float:
        ordered = sorted(zip(by_hand(weights, x), boost, strict=True), key=lambda pair: pair[0])
        t = total = 0
        while total <= sum(boost) / 2:
            total += ordered[t][1]
            t += 1
        middle = [r for r, _ in ordered[max(0, int(t - n_trees // 6 - 0.5)) : min(n_trees, t + n_trees // 6)]]
        return sum(middle) / len(middle)

    expected = [tmva(x) for x in X]
    np.testing.assert_allclose(method.predict(state, X), expected, rtol=1e-12)
    np.testing.assert_allclose(np.concatenate([method.predict(state, x[None]) for x in X]), expected, rtol=1e-12)
    # Equal weights of nothing: the answer is that of TMVA's last tree, not an endless search.
    for tree in weights:
        tree.set("boostWeight", "0")
    nothing = method.read_state(weights, context({"BoostType": "AdaBoostR2"}, AnalysisType.REGRESSION))
    assert np.isfinite(method.predict(nothing, X)).all()


def test_other_regressions_are_the_weighted_mean():
    weights, method = forest(6, 4), BDT(BDTOptions())
    X = np.random.default_rng(2).normal(size=(20, 3)).astype(np.float32)
    boost = [float(tree.get("boostWeight")) for tree in weights]
    for options, weight in (
        ({"BoostType": "Bagging"}, boost),
        ({"BoostType": "Bagging", "UseWeightedTrees": "0"}, [1] * 6),
    ):
        state = method.read_state(weights, context(options, AnalysisType.REGRESSION))
        expected = [np.average(by_hand(weights, x), weights=weight) for x in X]
        np.testing.assert_allclose(method.predict(state, X), expected, rtol=1e-12)


@pytest.mark.parametrize(("release", "right"), [("4.1.2 [262402]", False), ("4.2.0 [262656]", True), ("", True)])
def test_the_release_tells_on_which_side_a_cut_is(release, right):
    """Up to TMVA 4.1 a value equal to the cut goes left."""
    weights = ET.Element("Weights", NTrees="1", AnalysisType="1")
    root = ET.SubElement(ET.SubElement(weights, "BinaryTree", boostWeight="1"), "Node")
    root.attrib |= {"pos": "s", "IVar": "1", "Cut": "2.5", "cType": "1", "nType": "0", "res": "0", "purity": "0"}
    for pos, res in (("l", "1"), ("r", "2")):
        ET.SubElement(root, "Node", pos=pos, IVar="-1", Cut="0", cType="1", nType="-99", res=res, purity="0")
    method = BDT(BDTOptions())
    found = dataclasses.replace(context({"BoostType": "Grad"}, AnalysisType.REGRESSION), info={"TMVA Release": release})
    state = method.read_state(weights, found)
    above = np.nextafter(np.float32(2.5), np.float32(3))
    X = np.array([[0, 2.4, 0], [0, 2.5, 0], [0, above, 0]], np.float32)
    np.testing.assert_array_equal(method.predict(state, X), [2, 3 if right else 2, 3])
    assert method.structure(state).cut[0] == (2.5 if right else above)
    assert state.nodes.cut[0] == 2.5  # and so it is written


def test_numbers_that_nothing_is_made_of_may_be_missing_or_odd():
    """TMVA has written ``-nan``, in several spellings, for spreads and purities."""
    method, state, weights = written()
    X = sample().X
    for node in weights.iter("Node"):
        node.attrib |= {"purity": "-nan(ind)", "rms": "-nan", "res": "inf"}
    np.testing.assert_array_equal(method.predict(method.read_state(weights, context()), X), method.predict(state, X))
    with pytest.raises(WeightFileError, match="lacks purity, or it is no finite"):
        method.read_state(weights, context({"UseYesNoLeaf": "False"}))
    weights.set("AnalysisType", "1")
    for node in weights.iter("Node"):
        node.set("res", "1e39")
    with pytest.raises(WeightFileError, match="lacks res, or it is no finite float32"):
        method.read_state(weights, context({"BoostType": "Grad"}))


def test_weights_may_be_negative():
    method, _, weights = written()
    weights[0].set("boostWeight", "-0.25")
    again = method.read_state(weights, context())
    X = sample(40).X
    np.testing.assert_allclose(method.predict(again, X), [as_tmva(weights, {}, x) for x in X], rtol=0, atol=1e-14)


def test_unknown_elements_and_attributes_are_passed_over():
    method, state, weights = written("UseFisherCuts")
    for element in list(weights.iter()):
        element.set("Novelty", "1")
        element.insert(0, ET.Element("Comment", kind="new"))
        element[0].append(ET.Element("Node", pos="l"))
    again = method.read_state(weights, context({"UseFisherCuts": "True"}))
    np.testing.assert_array_equal(method.predict(again, sample().X), method.predict(state, sample().X))


def test_trees_of_many_blocks(monkeypatch):
    """Blocks of nodes are put in order one by one; nothing depends on where they end."""
    weights = forest(40, 6)
    fisher = [node for node in weights.iter("Node") if node.get("nType") == "0"][::3]
    random = np.random.default_rng(5)
    for node in fisher:
        node.attrib |= {"NCoef": "4"} | {f"fC{i}": repr(float(random.normal())) for i in range(4)}
    method, classes = BDT(BDTOptions()), context({"BoostType": "Grad"}, AnalysisType.REGRESSION)
    one = method.read_state(weights, classes)
    monkeypatch.setattr(bdt_reading, "_BLOCK", 50)
    many = method.read_state(weights, classes)
    for name in ("variable", "cut", "left", "right", "depth", "response", "kind", "discriminants"):
        np.testing.assert_array_equal(getattr(one.nodes, name), getattr(many.nodes, name), err_msg=name)
    # Each node comes before its children, the left one next to it, and keeps its own discriminant.
    inner = one.nodes.variable >= 0
    begin = np.repeat(one.first[:-1], np.diff(one.first))
    np.testing.assert_array_equal((one.nodes.left + begin)[inner], np.flatnonzero(inner) + 1)
    written_again = ET.Element("Weights")
    method.write_state(one, written_again)
    X = random.normal(size=(30, 3)).astype(np.float32)
    np.testing.assert_array_equal(method.predict(method.read_state(written_again, classes), X), method.predict(one, X))
    start = float(weights[0].get("boostWeight"))

    def says(tree: ET.Element, x: np.ndarray) -> float:
        (node,) = tree
        while node.get("nType") == "0":
            if node.get("NCoef") == "4":
                c = [float(node.get(f"fC{i}")) for i in range(4)]
                above = c[3] + c[0] * x[0] + c[1] * x[1] + c[2] * x[2] > np.float32(node.get("Cut"))
            else:
                above = x[int(node.get("IVar"))] >= np.float32(node.get("Cut"))
            node = {child.get("pos"): child for child in node}["r" if above == (node.get("cType") == "1") else "l"]
        return float(np.float32(node.get("res")))

    expected = [start + sum(says(tree, x) for tree in weights) for x in X.astype(float)]
    np.testing.assert_allclose(method.predict(one, X), expected, rtol=1e-12)


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
    assert bdt_reading.MAX_DEPTH < 1000  # Python's own bound on recursion, which the standard library's writer meets


def test_a_trained_file_names_only_options_that_every_release_knows(toy, tmp_path):
    data = DataSet(
        "d", (define("a"), define("b")), (), (), ("Signal", "Background"),
        *(
            Sample(np.random.default_rng(i).normal(size=(200, 2)).astype(np.float32), np.arange(200) % 2, np.ones(200))
            for i in (1, 2)
        ),
    )  # fmt: skip
    path = train(data, "BDT", "NTrees=3:SkipNormalization").save(tmp_path / "x.weights.xml")
    names = {item.get("name") for item in ET.parse(path).findall("Options/Option")}
    known = ET.parse(toy / "class" / "weights" / "Toy_BDT.weights.xml").findall("Options/Option")
    assert names <= {item.get("name") for item in known}
    assert Model.load(path).method.options.skip_normalization

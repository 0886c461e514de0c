"""The ``<Weights>`` of a BDT, both ways: TMVA's nested nodes, and nothing else that TMVA would stumble over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from xml.etree import ElementTree as ET

import numpy as np

from mvakit.errors import WeightFileError
from mvakit.weightfile import attribute, boolean_attribute, float_attribute, int_attribute, number
from mvakit_methods.bdt.forest import BDTState
from mvakit_methods.bdt.preselection import Preselection
from mvakit_methods.bdt.trees import TreeArrays

__all__ = ["read_forest", "write_forest"]

MAX_TREES: Final = 1_000_000
MAX_DEPTH: Final = 500

_CLASSIFICATION: Final = 0
_REGRESSION: Final = 1


def _option(options: Mapping[str, str], name: str, default: str) -> str:
    by_lower = {key.lower(): text for key, text in options.items()}
    return by_lower.get(name.lower(), default).strip().lower()


def _float32(element: ET.Element, name: str) -> float:
    value = float_attribute(element, name)
    if abs(value) > float(np.finfo(np.float32).max):
        raise WeightFileError(f"<{element.tag} {name}={value!r}> is too large for a float32 number")
    return value


def _purity(node: ET.Element) -> float:
    if node.get("purity") is not None:
        return _float32(node, "purity")
    # Files of TMVA 4.0 hold the weights instead.
    signal, background = _float32(node, "nS"), _float32(node, "nB")
    return signal / (signal + background) if signal + background else 0.5


def _children(node: ET.Element) -> tuple[ET.Element, ET.Element] | None:
    """Return the left and the right child of a node, or None."""
    children = node.findall("Node")
    if not children:
        return None
    sides = {attribute(child, "pos"): child for child in children}
    if len(children) != 2 or set(sides) != {"l", "r"}:
        found = ", ".join(repr(child.get("pos")) for child in children)
        raise WeightFileError(f"a <Node> of a decision tree has the children 'l' and 'r', or none, but one has {found}")
    return sides["l"], sides["r"]


def _read_tree(root: ET.Element, n_variables: int) -> TreeArrays:
    """Read a tree; its nodes come each before its children, the left branch before the right one."""
    waiting: list[tuple[ET.Element, int, int, int]] = [(root, 0, -1, 0)]
    rows: list[tuple[int, float, int, float, float, float, int]] = []
    links: list[list[int]] = []
    discriminants: list[list[float]] = []
    while waiting:
        node, depth, parent, side = waiting.pop()
        if depth > MAX_DEPTH:
            raise WeightFileError(f"a decision tree is deeper than {MAX_DEPTH} nodes")
        place = len(rows)
        links.append([-1, -1])
        if parent >= 0:
            links[parent][side] = place
        children, kind = _children(node), int_attribute(node, "nType", -99, 1)
        if (children is None) != (kind != 0):
            has = "no children" if children is None else "children"
            raise WeightFileError(f"a <Node> with nType={kind} (0: it has children) has {has}")
        response, rms = (_float32(node, name) if node.get(name) is not None else 0.0 for name in ("res", "rms"))
        variable, cut = -1, 0.0
        if children is not None:
            variable, cut = _read_variable(node, n_variables, discriminants), _float32(node, "Cut")
            left, right = children
            if int_attribute(node, "cType", 0, 1) == 0:
                left, right = right, left
            waiting += [(right, depth + 1, place, 1), (left, depth + 1, place, 0)]
        rows.append((variable, cut, depth, _purity(node), response, rms, kind))
    variables, cuts, depths, purities, responses, spreads, kinds = zip(*rows, strict=True)
    return TreeArrays(
        variable=np.array(variables, np.int32),
        cut=np.array(cuts, np.float32),
        left=np.array([link[0] for link in links], np.int32),
        right=np.array([link[1] for link in links], np.int32),
        depth=np.array(depths, np.int32),
        purity=np.array(purities, np.float32),
        response=np.array(responses, np.float32),
        rms=np.array(spreads, np.float32),
        kind=np.array(kinds, np.int8),
        discriminants=np.array(discriminants, np.float64).reshape(-1, n_variables + 1),
    )


def _read_variable(node: ET.Element, n_variables: int, discriminants: list[list[float]]) -> int:
    """Return what a node cuts on; a discriminant is added to the list."""
    n_coefficients = int_attribute(node, "NCoef", 0) if node.get("NCoef") is not None else 0
    if not n_coefficients:
        return int_attribute(node, "IVar", 0, n_variables - 1)
    if n_coefficients != n_variables + 1:
        raise WeightFileError(f"<Node NCoef={node.get('NCoef')!r}> should be 0 or, with an offset, {n_variables + 1}")
    discriminants.append([float_attribute(node, f"fC{i}") for i in range(n_coefficients)])
    return n_variables + len(discriminants) - 1


_REGIONS: Final = (
    ("low_background", "PreselectionLowBkgVar{}"),
    ("low_signal", "PreselectionLowSigVar{}"),
    ("high_background", "PreselectionHighBkgVar{}"),
    ("high_signal", "PreselectionHighSigVar{}"),
)


def _read_preselection(weights: ET.Element, n_variables: int) -> Preselection | None:
    if weights.get(_REGIONS[0][1].format(0)) is None:
        return None
    borders = {}
    for name, pattern in _REGIONS:
        flags = [boolean_attribute(weights, pattern.format(f)) for f in range(n_variables)]
        values = [float_attribute(weights, pattern.format(f) + "Value") for f in range(n_variables)]
        borders[name] = np.where(flags, values, np.nan)
    return Preselection(**borders)


def _write_preselection(preselection: Preselection, weights: ET.Element, n_variables: int) -> None:
    for f in range(n_variables):
        for name, pattern in _REGIONS:
            border = float(getattr(preselection, name)[f])
            weights.set(pattern.format(f), "1" if np.isfinite(border) else "0")
            weights.set(pattern.format(f) + "Value", number(border if np.isfinite(border) else 0.0))


def _trees(weights: ET.Element, expected: int) -> Iterator[ET.Element]:
    found = weights.findall("BinaryTree")
    if len(found) != expected or not found:
        raise WeightFileError(f"<Weights NTrees={expected!r}> holds {len(found)} <BinaryTree>, and needs one at least")
    yield from found


def read_forest(weights: ET.Element, n_variables: int, options: Mapping[str, str]) -> BDTState:
    """Read a forest that TMVA or mvakit has written.

    Cuts of the other direction (``cType=0``) are turned: the children change places.

    Parameters
    ----------
    weights : Element
    n_variables : int
    options : mapping of str to str
        Those of the file; ``BoostType`` and ``UseYesNoLeaf`` say how the trees are added.

    Raises
    ------
    WeightFileError
        If a node lacks a child or an attribute, or a number is none.
    """
    n_trees = int_attribute(weights, "NTrees", 1, MAX_TREES)
    # TMVA 4.0 called it TreeType.
    name = "TreeType" if weights.get("AnalysisType") is None and weights.get("TreeType") is not None else "AnalysisType"
    boost_type = _option(options, "BoostType", "AdaBoost")
    gradient = boost_type == "grad"
    if int_attribute(weights, name, _CLASSIFICATION, _REGRESSION) != (_REGRESSION if gradient else _CLASSIFICATION):
        raise WeightFileError(
            f"<Weights {name}={weights.get(name)!r}> does not go with BoostType={boost_type!r}: "
            f"the trees of Grad have {_REGRESSION}, others {_CLASSIFICATION}"
        )
    yes_no = boost_type in {"adaboost", "bagging"} and _option(options, "UseYesNoLeaf", "True") in {"1", "true", "t"}
    trees, boost_weight, error, nodes_before = [], [], [], []
    for tree in _trees(weights, n_trees):
        roots = tree.findall("Node")
        if len(roots) != 1:
            raise WeightFileError(f"a <BinaryTree> has one root, but one has {len(roots)}")
        arrays = _read_tree(roots[0], n_variables)
        trees.append(arrays)
        boost_weight.append(float_attribute(tree, "boostWeight"))
        error.append(float_attribute(tree, "errorFraction") if tree.get("errorFraction") is not None else np.nan)
        before = tree.get("nodesBeforePruning") is not None
        nodes_before.append(int_attribute(tree, "nodesBeforePruning", 1) if before else len(arrays))
    importance = np.empty(0)
    if weights.get("variableImportance") is not None:
        try:
            importance = np.array(attribute(weights, "variableImportance").split(), np.float64)
        except ValueError:
            importance = np.full(1, np.nan)
        if importance.shape != (n_variables,) or not np.isfinite(importance).all() or (importance < 0).any():
            raise WeightFileError(f"<Weights variableImportance=...> should hold {n_variables} numbers, none negative")
    state = BDTState.join(
        trees, n_variables, np.array(boost_weight), np.array(error), np.array(nodes_before, np.int64), importance,
        gradient=gradient, yes_no=yes_no, preselection=_read_preselection(weights, n_variables),
    )  # fmt: skip
    leaves = state.nodes.kind[state.nodes.variable < 0]
    if yes_no and not np.isin(leaves, (-1, 1)).all():
        raise WeightFileError(
            "a leaf of a BDT with UseYesNoLeaf has nType=1 (signal) or -1 (background), and one has not"
        )
    if not gradient and (state.boost_weight < 0).any():
        raise WeightFileError("a <BinaryTree> has a negative boostWeight")
    return state


def write_forest(state: BDTState, weights: ET.Element) -> None:
    """Fill ``<Weights>`` as TMVA does; what only mvakit records goes into further attributes, which TMVA ignores."""
    nodes = state.nodes
    if state.preselection is not None:
        _write_preselection(state.preselection, weights, state.n_variables)
    weights.set("NTrees", str(len(state.boost_weight)))
    weights.set("AnalysisType", str(_REGRESSION if state.gradient else _CLASSIFICATION))
    if len(state.importance):
        weights.set("variableImportance", " ".join(number(value) for value in state.importance))
    for t, start in enumerate(state.first[:-1].tolist()):
        tree = ET.SubElement(
            weights, "BinaryTree", type="DecisionTree", boostWeight=number(state.boost_weight[t]), itree=str(t)
        )
        if np.isfinite(state.error[t]):
            tree.set("errorFraction", number(state.error[t]))
        tree.set("nodesBeforePruning", str(int(state.nodes_before[t])))
        waiting = [(0, "s", tree)]
        while waiting:
            node, pos, parent = waiting.pop()
            i = start + node
            variable, row = int(nodes.variable[i]), np.empty(0)
            if variable >= state.n_variables:
                row, variable = nodes.discriminants[variable - state.n_variables], state.n_variables
            element = ET.SubElement(parent, "Node", pos=pos, depth=str(int(nodes.depth[i])), NCoef=str(len(row)))
            for k, coefficient in enumerate(row):
                element.set(f"fC{k}", number(coefficient))
            element.set("IVar", str(variable))
            element.set("Cut", number(nodes.cut[i]))
            element.set("cType", "1")
            element.set("res", number(nodes.response[i]))
            element.set("rms", number(nodes.rms[i]))
            element.set("purity", number(nodes.purity[i]))
            element.set("nType", str(int(nodes.kind[i])))
            if nodes.variable[i] >= 0:
                waiting += [(int(nodes.right[i]), "r", element), (int(nodes.left[i]), "l", element)]

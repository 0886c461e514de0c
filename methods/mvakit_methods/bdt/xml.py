"""The ``<Weights>`` of a BDT as elements: TMVA's nested nodes, and nothing else that TMVA would stumble over."""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree as ET

import numpy as np

from mvakit.weightfile import number
from mvakit_methods.bdt.forest import BDTState
from mvakit_methods.bdt.preselection import write_preselection
from mvakit_methods.bdt.records import write_records

__all__ = ["write_forest"]

_CLASSIFICATION: Final = 0
_REGRESSION: Final = 1


def write_forest(state: BDTState, weights: ET.Element) -> None:
    """Fill ``<Weights>`` as TMVA does; what only mvakit records goes into further attributes, which TMVA ignores."""
    nodes = state.nodes
    if state.preselection is not None:
        write_preselection(state.preselection, weights, state.n_variables)
    weights.set("NTrees", str(len(state.boost_weight)))
    weights.set("AnalysisType", str(_REGRESSION if state.says_response else _CLASSIFICATION))
    write_records(state, weights)
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

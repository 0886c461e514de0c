"""Range search: TMVA's files of training events in a search tree, read, applied and written.

An event is given the ratio of the densities of signal and background in a volume about it, or the mean targets in there
(ROOT's ``tmva/tmva/src/MethodPDERS.cxx`` and ``BinarySearchTree.cxx``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError
from mvakit.method import Capabilities, Method, WeightContext
from mvakit.types import AnalysisType
from mvakit.weightfile import attribute, child, float_attribute, int_attribute, number, numbers, text_numbers
from mvakit_methods._classes import signal_and_background
from mvakit_methods.pders.options import PDERSOptions
from mvakit_methods.pders.search import classify, regress
from mvakit_methods.pders.tree import EventTree, Volume

__all__ = ["PDERS", "PDERSState"]

FloatArray = npt.NDArray[np.float64]

# As deep as XML can be written again; a tree of a million scattered events is some fifty nodes deep.
MAX_DEPTH: Final = 900
# TMVA 4.0 wrote names.
_KINDS: Final = {"0": 0, "1": 1, "Signal": 0, "Background": 1}


@dataclass(frozen=True, slots=True, eq=False)
class PDERSState:
    """The training events and the volume with which searches among them begin.

    Attributes
    ----------
    tree : EventTree
    volume : Volume
    signal : int
        The number of the class that is signal.
    regression : bool
    """

    tree: EventTree
    volume: Volume
    signal: int
    regression: bool


class PDERS(Method[PDERSOptions, PDERSState]):
    """The training events in a volume about an event: the probability to be signal, from 0 to 1, or mean targets.

    TMVA interprets ``VolumeRangeMode``, ``KernelEstimator`` and ``GaussSigma`` only when it trains. Files, and with them
    the tests after a training, it applies with an adaptive volume in which all events count alike; so does this. Of
    several targets, TMVA estimates the first.
    """

    name = "PDERS"
    options_type = PDERSOptions
    capabilities = Capabilities(
        analyses=frozenset({AnalysisType.CLASSIFICATION, AnalysisType.REGRESSION}), trainable=False
    )

    def predict(
        self,
        state: PDERSState,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,  # noqa: ARG002
        efficiency: float | None = None,  # noqa: ARG002
    ) -> FloatArray:
        """Return the probability of signal, shape (n,), or the targets, shape (n,) for one and (n, k) for k.

        Raises
        ------
        DataError
            If no volume about an event holds ``NEventsMin``.
        """
        if state.regression:
            found = regress(state.tree, state.volume, X, self.options)
            return found[:, 0] if found.shape[1] == 1 else found
        return classify(state.tree, state.volume, X, self.options, state.signal)

    def write_state(self, state: PDERSState, weights: ET.Element) -> Mapping[str, bytes]:
        """Write the tree as nested ``<Node>``, each with its variables and targets."""
        tree = state.tree
        values = np.hstack([tree.X, tree.targets])
        n_variables = tree.X.shape[1]
        waiting = [(0, "s", ET.SubElement(weights, "BinaryTree", type="BinarySearchTree"))]
        while waiting:
            i, pos, parent = waiting.pop()
            depth = int(tree.depth[i])
            attributes = {
                "pos": pos,
                "depth": str(depth),
                "selector": str(depth % n_variables),
                "weight": number(float(tree.weight[i])),
                "type": str(int(tree.kind[i])),
                "NVars": str(n_variables),
            }
            node = ET.SubElement(parent, "Node", attributes)
            node.text = numbers(values[i].tolist())
            left, right = tree.children[i].tolist()
            waiting += [(place, side, node) for place, side in ((right, "r"), (left, "l")) if place >= 0]
        return {}

    def read_state(self, weights: ET.Element, context: WeightContext) -> PDERSState:
        """Read what `write_state` or TMVA wrote.

        Raises
        ------
        WeightFileError
            If nodes are damaged, or a search among them would never end.
        """
        regression = context.analysis is AnalysisType.REGRESSION
        n_targets = len(context.targets) if regression else 0
        if not context.variables or (regression and not n_targets):
            raise WeightFileError(f"{context.title} has no variables, or is a regression without targets")
        tree = _read_tree(child(weights, "BinaryTree"), len(context.variables), n_targets)
        volume = Volume.of(tree, self.options, tuple(v.label for v in context.variables), regression=regression)
        return PDERSState(tree, volume, signal_and_background(context.classes)[0], regression)


def _read_tree(element: ET.Element, n_variables: int, n_targets: int) -> EventTree:
    waiting = [(node, "s", 0, -1) for node in element.findall("Node")]
    if len(waiting) != 1:
        raise WeightFileError(f"<BinaryTree> should have one <Node> as its root and has {len(waiting)}")
    values: list[FloatArray] = []
    weight: list[float] = []
    kind: list[int] = []
    depths: list[int] = []
    children: list[list[int]] = []
    while waiting:
        node, pos, depth, parent = waiting.pop()
        if depth > MAX_DEPTH:
            raise WeightFileError(f"the nodes of <BinaryTree> are deeper than {MAX_DEPTH}")
        place = len(values)
        if parent >= 0:
            children[parent][0 if pos == "l" else 1] = place
        int_attribute(node, "depth", depth, depth)
        int_attribute(node, "selector", depth % n_variables, depth % n_variables)
        int_attribute(node, "NVars", n_variables, n_variables)
        called = attribute(node, "type")
        if called not in _KINDS:
            raise WeightFileError(f"<Node type={called!r}> should be 0 or 1, the number of a class")
        kind.append(_KINDS[called])
        weight.append(float_attribute(node, "weight"))
        values.append(text_numbers(node, n_variables + n_targets))
        depths.append(depth)
        children.append([-1, -1])
        below = node.findall("Node")
        sides = [attribute(item, "pos") for item in below]
        if sides not in ([], ["l"], ["r"], ["l", "r"], ["r", "l"]):
            raise WeightFileError(f"a <Node> of <BinaryTree> has at most a child 'l' and one 'r', but one has {sides}")
        waiting += [(item, side, depth + 1, place) for side, item in sorted(zip(sides, below, strict=True), key=_right)]
    with np.errstate(over="ignore"):
        table, single = np.array(values).astype(np.float32), np.array(weight).astype(np.float32)
    if not (np.isfinite(table).all() and np.isfinite(single).all()):
        raise WeightFileError("a <Node> of <BinaryTree> holds a number that is not finite in single precision")
    return EventTree(
        np.ascontiguousarray(table[:, :n_variables]),
        np.ascontiguousarray(table[:, n_variables:]),
        single,
        np.array(kind, np.int64),
        np.array(depths, np.int64),
        np.array(children, np.int64),
    )


def _right(item: tuple[str, ET.Element]) -> bool:
    """Order the right child before the left one, which is then taken first."""
    return item[0] != "r"

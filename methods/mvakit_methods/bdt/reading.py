"""Reading a forest while the file is parsed: nodes go into flat arrays as they come, and none becomes an element."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError
from mvakit.method import WeightContext
from mvakit.types import AnalysisType
from mvakit.weightfile import float_attribute, int_attribute, release_code
from mvakit_methods.bdt.forest import BDTState
from mvakit_methods.bdt.preselection import read_preselection
from mvakit_methods.bdt.records import read_records
from mvakit_methods.bdt.trees import TreeArrays

__all__ = ["ForestReader"]

MAX_TREES: Final = 1_000_000
MAX_DEPTH: Final = 500

_CLASSIFICATION: Final = 0
_REGRESSION: Final = 1
_LARGEST: Final = float(np.finfo(np.float32).max)
_LEAST_KIND: Final = -99
# Nodes that are kept as Python's numbers before they go into arrays.
_BLOCK: Final = 1 << 14
_DTYPES: Final[dict[str, Any]] = {
    "variable": np.int32, "cut": np.float32, "left": np.int32, "right": np.int32, "depth": np.int32,
    "purity": np.float32, "response": np.float32, "rms": np.float32, "kind": np.int8,
}  # fmt: skip
_CODES: Final = {name: {np.int32: "i", np.float32: "f", np.int8: "b"}[dtype] for name, dtype in _DTYPES.items()}
_TURNED: Final = {"1": False, "0": True}
# Before TMVA 4.2.0 an event went right if its value was above the cut; from then on, if it is not below it.
_CUTS_INCLUDED: Final = (4 << 16) + (2 << 8)
_TMVA_4: Final = 4 << 16
_YES: Final = frozenset({"1", "true", "t", "yes"})


class ForestReader:
    """Reads the ``<Weights>`` of a BDT of TMVA or mvakit.

    Cuts of the other direction (``cType=0``) are turned: the children change places.

    Parameters
    ----------
    context : WeightContext
        Its options say how the trees are added; the release that wrote the file, on which side of a cut its own value is.
    """

    def __init__(self, context: WeightContext) -> None:
        self.context = context
        self.n_variables = len(context.variables)
        self._depth = 0
        self._in_tree = False
        self._weights: Element | None = None
        self._n_trees = 0
        # The nodes that are open, by their places in the block; the trees of the block, and the columns of its nodes.
        self._open: list[int] = []
        self._block = _Block()
        self._begin = 0
        self._columns: dict[str, array[Any]] = {name: array(code) for name, code in _CODES.items()}
        self._discriminants = array("d")
        self._first, self._nodes_before = array("q", [0]), array("q")
        self._boost_weight, self._error = array("d"), array("d")

    # ------------------------------------------------------------------------------------------ events

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Begin an element; what is neither a tree nor a node of one is passed over."""
        self._depth += 1
        if tag == "Node" and self._in_tree and self._depth == len(self._open) + 3:
            self._start_node(attributes)
        elif self._depth == 1:
            self._weights = Element(tag, attributes)
            self._n_trees = int_attribute(self._weights, "NTrees", 1, MAX_TREES)
        elif self._depth == 2 and tag == "BinaryTree":
            self._in_tree = True
            self._start_tree(Element(tag, attributes))

    def data(self, text: str) -> None:
        """Take a piece of text; a forest has none."""

    def end(self, tag: str) -> None:
        """End an element."""
        self._depth -= 1
        block = self._block
        if self._open and self._depth == len(self._open) + 1:
            place = self._open.pop()
            if block.kind[place] == 0 and (block.left[place] < 0 or block.right[place] < 0):
                found = "'l'" if block.left[place] >= 0 else "'r'" if block.right[place] >= 0 else "no children"
                raise WeightFileError(f"a <Node> with nType=0 has the children 'l' and 'r', but one has {found}")
        elif self._depth == 1 and tag == "BinaryTree":
            self._in_tree = False
            size = len(block.kind) - self._begin
            if not size:
                raise WeightFileError("a <BinaryTree> has one root, but one has none")
            self._first.append(self._first[-1] + size)
            if not self._nodes_before[-1]:
                self._nodes_before[-1] = size
            block.sizes.append(size)
            if len(block.kind) >= _BLOCK:
                self._flush()
            self._begin = len(self._block.kind)

    def _start_tree(self, tree: Element) -> None:
        if len(self._boost_weight) == self._n_trees:
            raise WeightFileError(f"<Weights NTrees={str(self._n_trees)!r}> holds more <BinaryTree> than that")
        self._boost_weight.append(float_attribute(tree, "boostWeight"))
        self._error.append(float_attribute(tree, "errorFraction") if tree.get("errorFraction") is not None else np.nan)
        before = tree.get("nodesBeforePruning") is not None
        self._nodes_before.append(int_attribute(tree, "nodesBeforePruning", 1, 2**62) if before else 0)

    def _start_node(self, attributes: dict[str, str]) -> None:
        block = self._block
        place, level = len(block.kind), len(self._open)
        if level:
            self._link(place, attributes)
            if level > MAX_DEPTH:
                raise WeightFileError(f"a decision tree is deeper than {MAX_DEPTH} nodes")
        elif place != self._begin:
            raise WeightFileError("a <BinaryTree> has one root, but one has more")
        self._open.append(place)
        variable, cut, turned = -1, 0.0, False
        try:
            kind = int(attributes["nType"])
            if kind == 0:
                cut, variable = float(attributes["Cut"]), int(attributes["IVar"])
                turned = _TURNED[attributes["cType"]]
            purity, response, rms = float(attributes["purity"]), float(attributes["res"]), float(attributes["rms"])
        except (KeyError, ValueError):
            kind, variable, cut, turned, purity, response, rms = _slowly(attributes, self.n_variables)
        if not (_LEAST_KIND <= kind <= 1 and -_LARGEST <= cut <= _LARGEST):
            raise _complaint(attributes, self.n_variables)
        if kind == 0:
            if attributes.get("NCoef", "0") != "0":
                variable = self._coefficients(attributes)
            elif not 0 <= variable < self.n_variables:
                raise _complaint(attributes, self.n_variables)
        block.variable.append(variable)
        block.left.append(-1)
        block.right.append(-1)
        block.depth.append(level)
        block.cut.append(cut)
        block.purity.append(purity)
        block.response.append(response)
        block.rms.append(rms)
        block.kind.append(kind)
        block.turned.append(turned)

    def _link(self, place: int, attributes: dict[str, str]) -> None:
        """Tell the parent of a node where it is."""
        block = self._block
        parent, side = self._open[-1], attributes.get("pos")
        if block.kind[parent] != 0:
            raise WeightFileError(
                f"a <Node> with nType={block.kind[parent]} has children, and only one with nType=0 has"
            )
        children = block.left if side == "l" else block.right
        if side not in {"l", "r"} or children[parent] >= 0:
            raise WeightFileError(
                f"a <Node> of a decision tree has the children 'l' and 'r', or none, but one has another with pos={side!r}"
            )
        children[parent] = place - self._begin

    def _coefficients(self, attributes: dict[str, str]) -> int:
        """Keep the discriminant of a node, and return what the node cuts on."""
        node = Element("Node", attributes)
        n_coefficients = int_attribute(node, "NCoef", 0)
        if n_coefficients != self.n_variables + 1:
            raise WeightFileError(
                f"<Node NCoef={attributes['NCoef']!r}> should be 0 or, with an offset, {self.n_variables + 1}"
            )
        self._discriminants.extend(float_attribute(node, f"fC{i}") for i in range(n_coefficients))
        return self.n_variables + len(self._discriminants) // n_coefficients - 1

    # ------------------------------------------------------------------------------------------- state

    def close(self) -> BDTState:
        """Return the forest.

        Raises
        ------
        WeightFileError
            If trees are missing, or leaves do not say what the options ask them for.
        """
        weights, context = self._weights, self.context
        assert weights is not None
        if len(self._boost_weight) != self._n_trees:
            raise WeightFileError(
                f"<Weights NTrees={str(self._n_trees)!r}> holds {len(self._boost_weight)} <BinaryTree>, and needs as many"
            )
        boost_type = context.option("BoostType", "AdaBoost").strip().lower()
        gradient, regression = boost_type == "grad", context.analysis is AnalysisType.REGRESSION
        release = release_code(context.info)
        if release is None or release >= _TMVA_4:  # what TMVA 3 counted there is not known
            _check_analysis(weights, context.analysis, boost_type)
        yes_no = (
            not regression
            and boost_type in {"adaboost", "bagging"}
            and context.option("UseYesNoLeaf", "True").strip().lower() in _YES
        )
        n_outputs = len(context.classes) if context.analysis is AnalysisType.MULTICLASS else 1
        if self._n_trees % n_outputs:
            raise WeightFileError(
                f"<Weights NTrees={str(self._n_trees)!r}> should be a multiple of the {n_outputs} classes"
            )
        self._flush()
        first = np.frombuffer(self._first, np.int64)
        nodes = TreeArrays(
            **{name: np.frombuffer(column, _DTYPES[name]) for name, column in self._columns.items()},
            discriminants=np.array(self._discriminants).reshape(-1, self.n_variables + 1),
        )
        state = BDTState(
            nodes,
            first,
            self.n_variables,
            gradient,
            yes_no,
            np.frombuffer(self._boost_weight),
            np.frombuffer(self._error),
            np.frombuffer(self._nodes_before, np.int64),
            preselection=read_preselection(weights, self.n_variables),
            analysis=context.analysis,
            n_outputs=n_outputs,
            median=regression and boost_type == "adaboostr2",
            equal_weights=context.option("UseWeightedTrees", "True").strip().lower() not in _YES,
            above=release is not None and release < _CUTS_INCLUDED,
            **read_records(weights, self.n_variables),
        )
        leaf = nodes.variable < 0
        if yes_no and not np.isin(nodes.kind[leaf], (-1, 1)).all():
            raise WeightFileError(
                "a leaf of a BDT with UseYesNoLeaf has nType=1 (signal) or -1 (background), and one has not"
            )
        answer = nodes.response if state.says_response else nodes.kind if yes_no else nodes.purity
        if not np.isfinite(answer[leaf]).all():
            which = "res" if state.says_response else "purity"
            raise WeightFileError(f"a leaf <Node> lacks {which}, or it is no finite float32 number")
        return state

    def _flush(self) -> None:
        """Put the trees of the block behind those before, each node before its children, the left branch first."""
        block, self._block = self._block, _Block()
        columns = block.columns()
        if not len(columns["kind"]):
            return
        # Every node of the block knows where its tree begins.
        begin = np.repeat(np.cumsum([0, *block.sizes[:-1]]), block.sizes)
        inner = columns["variable"] >= 0
        if (columns["left"] + begin != np.arange(1, len(begin) + 1))[inner].any():
            left, right = columns["left"] + begin, columns["right"] + begin
            moved = _preorder(left, right, columns["depth"], inner)
            for name, side in (("left", left), ("right", right)):
                columns[name] = np.where(inner, moved[np.where(inner, side, 0)] - begin, -1)
            order = np.argsort(moved)
            columns = {name: column[order] for name, column in columns.items()}
        fisher = columns["variable"] >= self.n_variables
        if fisher.any():
            # Discriminants are numbered as their nodes are.
            known = len(self._discriminants) // (self.n_variables + 1)
            numbers = columns["variable"][fisher] - self.n_variables
            columns["variable"][fisher] = self.n_variables + np.arange(known - len(numbers), known)
            rows = np.array(self._discriminants[(known - len(numbers)) * (self.n_variables + 1) :])
            rows = rows.reshape(len(numbers), -1)[numbers - (known - len(numbers))]
            self._discriminants[(known - len(numbers)) * (self.n_variables + 1) :] = array("d", rows.ravel().tolist())
        for name, column in self._columns.items():
            column.frombytes(columns[name].astype(_DTYPES[name]).tobytes())


class _Block:
    """The nodes of some trees, as they come."""

    def __init__(self) -> None:
        self.variable: list[int] = []
        self.left: list[int] = []
        self.right: list[int] = []
        self.depth: list[int] = []
        self.cut: list[float] = []
        self.purity: list[float] = []
        self.response: list[float] = []
        self.rms: list[float] = []
        self.kind: list[int] = []
        self.turned: list[bool] = []
        self.sizes: list[int] = []

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """Return the nodes as columns, the children of those of the other direction changed."""
        with np.errstate(over="ignore"):  # what is too large is infinite, and refused where it counts
            found = {name: np.array(getattr(self, name)).astype(dtype) for name, dtype in _DTYPES.items()}
        turned = np.array(self.turned, np.bool_)
        left, right = found["left"], found["right"]
        found["left"], found["right"] = np.where(turned, right, left), np.where(turned, left, right)
        return found


def _levels(depth: npt.NDArray[np.int32], inner: npt.NDArray[np.bool_]) -> Iterator[npt.NDArray[np.int64]]:
    """Yield the inner nodes of each depth, of all trees at once."""
    nodes = np.flatnonzero(inner)
    nodes = nodes[np.argsort(depth[nodes], kind="stable")]
    yield from np.split(nodes, np.flatnonzero(np.diff(depth[nodes])) + 1)


def _preorder(
    left: npt.NDArray[Any], right: npt.NDArray[Any], depth: npt.NDArray[np.int32], inner: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Return where each node goes so that left branches come before right ones; roots stay."""
    levels = list(_levels(depth, inner))
    size = np.ones(len(depth), np.int64)
    for nodes in reversed(levels):
        size[nodes] += size[left[nodes]] + size[right[nodes]]
    place = np.arange(len(depth))
    for nodes in levels:
        place[left[nodes]] = place[nodes] + 1
        place[right[nodes]] = place[nodes] + 1 + size[left[nodes]]
    return place


# ------------------------------------------------------------------------------------------- attributes


def _float32(element: Element, name: str) -> float:
    value = float_attribute(element, name)
    if abs(value) > _LARGEST:
        raise WeightFileError(f"<{element.tag} {name}={element.get(name)!r}> is too large for a float32 number")
    return value


def _number(attributes: dict[str, str], name: str) -> float:
    """Return a number that only some forests use, or not-a-number: TMVA wrote ``-nan`` in some, in several spellings."""
    try:
        return float(attributes[name])
    except (KeyError, ValueError):
        return 0.0 if name not in attributes else np.nan


def _slowly(attributes: dict[str, str], n_variables: int) -> tuple[int, int, float, bool, float, float, float]:
    """Return kind, variable, cut, direction, purity, response and spread of a node of which some are missing or odd."""
    variable, cut, turned = -1, 0.0, False
    try:
        kind = int(attributes["nType"])
        if kind == 0:
            cut, turned = float(attributes["Cut"]), not int_attribute(Element("Node", attributes), "cType", 0, 1)
            variable = int(attributes["IVar"]) if attributes.get("NCoef", "0") == "0" else 0
        if "purity" in attributes:
            purity = _number(attributes, "purity")
        else:
            # Files of TMVA 4.0 hold the weights instead, and those made of the text files of TMVA 3 call them s and b.
            names = ("nS", "nB") if "nS" in attributes or "s" not in attributes else ("s", "b")
            signal, background = (float(attributes[name]) for name in names)
            purity = signal / (signal + background) if signal + background else 0.5
    except (KeyError, ValueError):
        raise _complaint(attributes, n_variables) from None
    return kind, variable, cut, turned, purity, _number(attributes, "res"), _number(attributes, "rms")


def _complaint(attributes: dict[str, str], n_variables: int) -> WeightFileError:
    """Return the error that says what is wrong with the attributes of a node."""
    node = Element("Node", attributes)
    try:
        if int_attribute(node, "nType", _LEAST_KIND, 1) == 0:
            _float32(node, "Cut")
            int_attribute(node, "cType", 0, 1)
            int_attribute(node, "IVar", 0, n_variables - 1)
        for name in ("nS", "nB"):
            float_attribute(node, name)
    except WeightFileError as error:
        return error
    return WeightFileError("a <Node> has attributes that are no numbers")


def _check_analysis(weights: Element, analysis: AnalysisType, boost_type: str) -> None:
    """Check what the trees are said to be for: those of regressions and of Grad answer with a number of their own."""
    # TMVA 4.0 called it TreeType.
    name = "TreeType" if weights.get("TreeType") is not None else "AnalysisType"
    if weights.get(name) is None:
        return
    regression = analysis is AnalysisType.REGRESSION or boost_type == "grad"
    if int_attribute(weights, name, _CLASSIFICATION, 4) != (_REGRESSION if regression else _CLASSIFICATION):
        raise WeightFileError(
            f"<Weights {name}={weights.get(name)!r}> does not go with BoostType={boost_type!r} and {analysis}: the trees of "
            f"Grad and of regressions have {_REGRESSION}, others {_CLASSIFICATION}"
        )
    if analysis is AnalysisType.MULTICLASS and boost_type != "grad":
        raise WeightFileError(f"a BDT for {analysis} has BoostType=Grad, and this one BoostType={boost_type!r}")

"""The state of PyRandomForest, PyGTB and PyAdaBoost: flat trees, applied by a compiled walk, kept as text in XML.

An event goes left where its variable is at most the cut. What the leaves of its trees say is added up, scaled, put on a
base, and sent through a link: ``identity`` for the shares of classes, ``logistic`` and ``softmax`` for sums of logarithms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError
from mvakit.weightfile import attribute, child, float_attribute, int_attribute, numbers, text_numbers
from mvakit_methods._compiled import kernel, over_events
from mvakit_methods._network import sigmoid, softmax

__all__ = ["LINKS", "SklearnForest", "read_forest", "write_forest"]

Array = npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]

LINKS: Final = ("identity", "logistic", "softmax")
_MAX_TREES: Final = 1_000_000
_MAX_NODES: Final = 1 << 26
_MAX_OUTPUTS: Final = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class SklearnForest:
    """A trained forest.

    Attributes
    ----------
    first : ndarray of int64, shape (n_trees + 1,)
        Node `i` of tree `t` is entry ``first[t] + i`` of the arrays of nodes.
    variable : ndarray of int32, shape (n_nodes,)
        That of the cut; -1 for a leaf.
    cut : ndarray of float32, shape (n_nodes,)
    left, right : ndarray of int32, shape (n_nodes,)
        The children, counted within the tree, always behind their parent.
    value : ndarray of float64, shape (n_nodes, n_values)
        What a leaf says.
    column : ndarray of int32, shape (n_trees,)
        The output to which the first value of a tree's leaves belongs.
    base : ndarray of float64, shape (n_outputs,)
    scale : float
    link : str
        One of `LINKS`.
    importance : ndarray of float64, shape (n_variables,)
    curves : tuple of (str, ndarray)
        What the training recorded, tree by tree.
    """

    first: Array
    variable: Array
    cut: Array
    left: Array
    right: Array
    value: FloatArray
    column: Array
    base: FloatArray
    scale: float
    link: str
    importance: FloatArray
    curves: tuple[tuple[str, FloatArray], ...] = ()

    def __call__(self, X: npt.NDArray[np.float32]) -> FloatArray:
        """Return the outputs, shape (n_events, n_outputs)."""
        X = np.ascontiguousarray(X, dtype=np.float32)
        out = np.zeros((len(X), len(self.base)))

        def work(begin: int, end: int) -> None:
            _walk(
                X[begin:end], self.first, self.variable, self.cut, self.left, self.right, self.value, self.column,
                out[begin:end],
            )  # fmt: skip

        over_events(work, len(X))
        out = self.base + self.scale * out
        if self.link == "softmax":
            return softmax(out)
        return sigmoid(out) if self.link == "logistic" else out


@kernel
def _walk(
    X: Array, first: Array, variable: Array, cut: Array, left: Array, right: Array, value: Array, column: Array,
    out: Array,
) -> None:  # fmt: skip
    """Add what the leaves of all trees say of each event."""
    for event in range(X.shape[0]):
        for tree in range(column.size):
            begin = first[tree]
            node = begin
            while variable[node] >= 0:
                goes_left = X[event, variable[node]] <= cut[node]
                node = begin + (left[node] if goes_left else right[node])
            for i in range(value.shape[1]):
                out[event, column[tree] + i] += value[node, i]


def write_forest(forest: SklearnForest, weights: ET.Element) -> Mapping[str, bytes]:
    """Write a ``<Tree>`` for each tree, with a line for each of its arrays; of the values those of leaves alone."""
    weights.set("NTrees", str(len(forest.column)))
    weights.set("NOutputs", str(len(forest.base)))
    weights.set("NValues", str(forest.value.shape[1]))
    weights.set("Link", forest.link)
    weights.set("Scale", repr(forest.scale))
    ET.SubElement(weights, "Base").text = numbers(forest.base)
    ET.SubElement(weights, "Importance", NVar=str(len(forest.importance))).text = numbers(forest.importance)
    for name, values in forest.curves:
        ET.SubElement(weights, "Curve", Name=name, NValues=str(len(values))).text = numbers(values)
    for index, column in enumerate(forest.column.tolist()):
        nodes = slice(int(forest.first[index]), int(forest.first[index + 1]))
        variable = forest.variable[nodes]
        inner = variable >= 0
        tree = ET.SubElement(weights, "Tree", Output=str(column), NNodes=str(len(variable)))
        ET.SubElement(tree, "Variable").text = " ".join(map(str, variable.tolist()))
        # Single precision needs nine digits.
        ET.SubElement(tree, "Cut").text = " ".join(f"{cut:.9g}" for cut in forest.cut[nodes][inner].tolist())
        ET.SubElement(tree, "Left").text = " ".join(map(str, forest.left[nodes][inner].tolist()))
        ET.SubElement(tree, "Right").text = " ".join(map(str, forest.right[nodes][inner].tolist()))
        ET.SubElement(tree, "Value").text = " ".join(map(repr, forest.value[nodes][~inner].ravel().tolist()))
    return {}


def read_forest(weights: ET.Element, n_variables: int, n_outputs: int) -> SklearnForest:
    """Read what `write_forest` wrote.

    Raises
    ------
    WeightFileError
        If a tree is missing or damaged, does not end, or does not fit the variables and outputs, or a number is not
        finite.
    """
    if int_attribute(weights, "NOutputs", 1, _MAX_OUTPUTS) != n_outputs:
        raise WeightFileError(f"<Weights NOutputs={weights.get('NOutputs')!r}> should be {n_outputs}")
    n_values = int_attribute(weights, "NValues", 1, n_outputs)
    link = attribute(weights, "Link")
    if link not in LINKS:
        raise WeightFileError(f"<Weights Link={link!r}> should be one of {', '.join(LINKS)}")
    trees = weights.findall("Tree")
    if int_attribute(weights, "NTrees", 1, _MAX_TREES) != len(trees):
        raise WeightFileError(f"<Weights NTrees={weights.get('NTrees')!r}> holds {len(trees)} <Tree>")
    parts = [_read_tree(tree, n_variables, n_values) for tree in trees]
    variable, cut, left, right, value = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    sizes = [len(part[0]) for part in parts]
    column = [int_attribute(tree, "Output", 0, n_outputs - n_values) for tree in trees]
    importance = child(weights, "Importance")
    return SklearnForest(
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        variable,
        cut,
        left,
        right,
        value,
        np.array(column, dtype=np.int32),
        _finite(child(weights, "Base"), n_outputs),
        float_attribute(weights, "Scale"),
        link,
        _finite(importance, int_attribute(importance, "NVar", n_variables, n_variables)),
        tuple(
            (attribute(item, "Name"), text_numbers(item, int_attribute(item, "NValues", 0, _MAX_TREES)))
            for item in weights.findall("Curve")
        ),
    )


def _read_tree(tree: ET.Element, n_variables: int, n_values: int) -> tuple[Array, Array, Array, Array, FloatArray]:
    size = int_attribute(tree, "NNodes", 1, _MAX_NODES)
    variable = _whole(child(tree, "Variable"), size, -1, n_variables - 1)
    inner = variable >= 0
    at = np.flatnonzero(inner)
    cut, left, right = np.zeros(size, np.float32), np.zeros(size, np.int32), np.zeros(size, np.int32)
    with np.errstate(over="ignore"):
        cut[inner] = _finite(child(tree, "Cut"), len(at)).astype(np.float32)
    if not np.isfinite(cut).all():
        raise WeightFileError("<Cut> of a <Tree> holds a number that is too large for a float32 number")
    for tag, side in (("Left", left), ("Right", right)):
        side[inner] = _whole(child(tree, tag), len(at), 1, size - 1)
        if (side[inner] <= at).any():
            node = at[np.argmax(side[inner] <= at)]
            raise WeightFileError(f"<{tag}> of a <Tree> leads from node {node} to {side[node]}, which is not behind it")
    value = np.zeros((size, n_values))
    value[~inner] = _finite(child(tree, "Value"), (size - len(at)) * n_values).reshape(-1, n_values)
    return variable.astype(np.int32), cut, left, right, value


def _finite(element: ET.Element, expected: int) -> FloatArray:
    values = text_numbers(element, expected)
    if not np.isfinite(values).all():
        raise WeightFileError(f"<{element.tag}> holds a number that is not finite")
    return values


def _whole(element: ET.Element, expected: int, lowest: int, highest: int) -> Array:
    values = text_numbers(element, expected)
    if not np.all((values == np.floor(values)) & (values >= lowest) & (values <= highest)):
        raise WeightFileError(f"<{element.tag}> of a <Tree> should hold whole numbers from {lowest} to {highest}")
    return values.astype(np.int64)

"""K nearest neighbours: TMVA's files of training events, read, applied and written.

The file holds the training events. An event is given the fraction of signal among the ``nkNN`` of them nearest to it, by
weight, or their mean targets. Distances are measured in units of the widths of the variables (ROOT's
``tmva/tmva/src/MethodKNN.cxx`` and ``ModulekNN.cxx``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError
from mvakit.method import Capabilities, Method, WeightContext
from mvakit.types import AnalysisType
from mvakit.weightfile import int_attribute, number, numbers
from mvakit_methods.knn.application import GAUSS, NO_KERNEL, PADDING, POLYNOMIAL, SIGNAL, classify, regress
from mvakit_methods.knn.options import KNNOptions
from mvakit_methods.knn.tree import SearchTree

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["KNN", "KNNState"]

FloatArray = npt.NDArray[np.float64]

BACKGROUND: Final = 2
_KERNELS: Final = {"Gaus": GAUSS, "Poln": POLYNOMIAL}


@dataclass(frozen=True, slots=True, eq=False)
class KNNState:
    """The training events and the tree to search them with.

    Attributes
    ----------
    X : ndarray of float32, shape (n, n_variables)
    targets : ndarray of float32, shape (n, n_targets)
        None for a classification: shape (n, 0).
    weight : ndarray of float64, shape (n,)
    kind : ndarray of int64, shape (n,)
        1 for signal, 2 for background.
    labels : tuple of str
    tree : SearchTree
    """

    X: npt.NDArray[np.float32]
    targets: npt.NDArray[np.float32]
    weight: FloatArray
    kind: npt.NDArray[np.int64]
    labels: tuple[str, ...]
    tree: SearchTree


class KNN(Method[KNNOptions, KNNState]):
    """The nearest training events: the fraction of signal among them, from 0 to 1, or their mean targets.

    Two details of TMVA are kept: the Gaussian kernel compares scaled neighbours with the unscaled event, and a regression
    knows of no kernel.
    """

    name = "KNN"
    options_type = KNNOptions
    capabilities = Capabilities(
        analyses=frozenset({AnalysisType.CLASSIFICATION, AnalysisType.REGRESSION}), trainable=False
    )

    def predict(
        self,
        state: KNNState,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,  # noqa: ARG002
        efficiency: float | None = None,  # noqa: ARG002
    ) -> FloatArray:
        """Return the fraction of signal, shape (n,), or the targets, shape (n,) for one and (n, k) for k.

        Raises
        ------
        DataError
            If an event's neighbours give a kernel no width.
        """
        options, tree = self.options, state.tree
        if state.targets.shape[1]:
            targets = state.targets[tree.event]
            found = regress(tree, targets, X, used=options.n_neighbours, weighted=options.use_weight)
            return found[:, 0] if found.shape[1] == 1 else found
        return classify(
            tree,
            state.kind[tree.event] == SIGNAL,
            X,
            state.labels,
            used=options.n_neighbours,
            mode=_KERNELS.get(options.kernel, NO_KERNEL) if options.use_kernel else NO_KERNEL,
            factor=abs(float(np.float32(options.sigma_factor))),
            weighted=options.use_weight,
        )

    def write_state(self, state: KNNState, weights: Element) -> Mapping[str, bytes]:
        """Write ``<Event Type= Weight=>``, each with its variables and targets."""
        weights.set("NEvents", str(len(state.X)))
        weights.set("NVar", str(state.X.shape[1]))
        weights.set("NTgt", str(state.targets.shape[1]))
        values = np.hstack([state.X, state.targets]).tolist()
        for row, weight, kind in zip(values, state.weight.tolist(), state.kind.tolist(), strict=True):
            ET.SubElement(weights, "Event", Type=str(kind), Weight=number(weight)).text = numbers(row)
        return {}

    def read_state(self, weights: Element, context: WeightContext) -> KNNState:
        """Read what `write_state` or TMVA wrote, and make the tree.

        Raises
        ------
        WeightFileError
            If events are missing, damaged, or too few for the options.
        """
        if self.options.use_lda:
            raise WeightFileError(
                f"{context.title} has UseLDA=True, a discriminant that TMVA never finished: it cannot be applied"
            )
        regression = context.analysis is AnalysisType.REGRESSION
        n_variables, n_targets = len(context.variables), len(context.targets) if regression else 0
        if regression and not n_targets:
            raise WeightFileError(f"{context.title} is a regression without targets")
        int_attribute(weights, "NVar", n_variables, n_variables)
        if weights.get("NTgt") is not None or n_targets:
            int_attribute(weights, "NTgt", n_targets, n_targets)
        values, weight, kind = _read_events(weights, n_variables + n_targets)
        if not n_targets and not np.isin(kind, (SIGNAL, BACKGROUND)).all():
            other = int(kind[~np.isin(kind, (SIGNAL, BACKGROUND))][0])
            raise WeightFileError(f"<Event Type='{other}'> should be {SIGNAL} (signal) or {BACKGROUND} (background)")
        labels = tuple(v.label for v in context.variables)
        tree = SearchTree.of(
            np.ascontiguousarray(values[:, :n_variables]),
            weight,
            kind,
            list(labels),
            balance_depth=self.options.balance_depth,
            scale_fraction=self.options.scale_fraction,
            trim=self.options.trim,
        )
        usable = int((tree.weight > 0).sum())
        if usable < self.options.n_neighbours + PADDING:
            raise WeightFileError(
                f"<Weights NEvents={weights.get('NEvents')!r}> of {context.title} holds {usable} events of positive weight, "
                f"and nkNN={self.options.n_neighbours} needs {self.options.n_neighbours + PADDING}"
            )
        X, targets = np.ascontiguousarray(values[:, :n_variables]), np.ascontiguousarray(values[:, n_variables:])
        return KNNState(X, targets, weight, kind, labels, tree)


def _read_events(weights: Element, n_values: int) -> tuple[npt.NDArray[np.float32], FloatArray, npt.NDArray[np.int64]]:
    """Return values, weight and type of every event."""
    events = weights.findall("Event")
    if weights.get("NEvents") is not None:
        int_attribute(weights, "NEvents", len(events), len(events))
    words: list[str] = []
    for event in events:
        found = (event.text or "").split()
        if len(found) != n_values:
            raise WeightFileError(f"<Event> should hold {n_values} numbers and holds {len(found)}")
        words += found
    values = _numbers(words, "<Event>").reshape(-1, n_values)
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    if not np.isfinite(single).all():
        raise WeightFileError("an <Event> holds a number that is not finite in single precision")
    weight = _numbers([event.get("Weight", "") for event in events], "<Event Weight=>")
    if not np.isfinite(weight).all():
        raise WeightFileError("an <Event Weight=> is not finite")
    kind = [int_attribute(event, "Type", -(2**15), 2**15 - 1) for event in events]
    return single, weight, np.array(kind, np.int64)


def _numbers(words: list[str], what: str) -> FloatArray:
    try:
        return np.array(words, np.float64)
    except ValueError as error:
        raise WeightFileError(f"{what} holds something that is not a number: {error}") from None

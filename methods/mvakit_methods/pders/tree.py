"""The training events of PDERS in their binary search tree, and what is computed of them when a file is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError
from mvakit_methods.pders.options import PDERSOptions

__all__ = ["EventTree", "Volume"]

FloatArray = npt.NDArray[np.float64]
SingleArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class EventTree:
    """Training events as nodes of a tree, each before its children and the left branch before the right one.

    A node divides the variable that is its depth modulo their number: smaller or equal values lie to the left.

    Attributes
    ----------
    X : ndarray of float32, shape (n, n_variables)
    targets : ndarray of float32, shape (n, n_targets)
    weight : ndarray of float32, shape (n,)
    kind : ndarray of int64, shape (n,)
        The number of the class.
    depth : ndarray of int64, shape (n,)
    children : ndarray of int64, shape (n, 2)
        Left and right; -1 for none.
    """

    X: SingleArray
    targets: SingleArray
    weight: SingleArray
    kind: npt.NDArray[np.int64]
    depth: npt.NDArray[np.int64]
    children: npt.NDArray[np.int64]

    def sum_of_weights(self, kind: int) -> float:
        """Return the sum of weights of a class, added in the order of the tree as TMVA adds it."""
        weight = self.weight[self.kind == kind].astype(np.float64)
        return float(np.cumsum(weight)[-1]) if len(weight) else 0.0

    def spread(self, kind: int) -> SingleArray:
        """Return the root mean square about the mean of each variable of a class, with TMVA's roundings."""
        inside = self.kind == kind
        total = self.sum_of_weights(kind)
        if total == 0:
            return np.zeros(self.X.shape[1], np.float32)
        X, weight = self.X[inside], self.weight[inside].astype(np.float64)[:, np.newaxis]
        mean = (np.cumsum(X * weight, axis=0)[-1] / total).astype(np.float32)
        square = np.cumsum((X * X) * weight, axis=0)[-1] / total
        with np.errstate(invalid="ignore"):
            spread: SingleArray = np.sqrt(square - mean * mean).astype(np.float32)
        return spread


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """The volume with which the search about an event begins, and how classes compare.

    Attributes
    ----------
    delta : ndarray of float32, shape (n_variables,)
        Its widths.
    scale : tuple of float32
        What the sums of signal and background are multiplied with.
    """

    delta: SingleArray
    scale: tuple[np.float32, np.float32]

    @classmethod
    def of(cls, tree: EventTree, options: PDERSOptions, labels: tuple[str, ...], *, regression: bool) -> Volume:
        """Measure the events.

        Raises
        ------
        WeightFileError
            If a search among them would never end.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            spread = tree.spread(0)
            if not regression:
                spread = ((spread + tree.spread(1)).astype(np.float64) * 0.5).astype(np.float32)
            delta = spread * np.float32(options.delta_fraction)
        good = np.isfinite(delta) & (delta > 0)
        if not good.all():
            raise WeightFileError(
                f"the events of <BinaryTree>, times DeltaFrac={options.delta_fraction:g}, have no spread in the variable "
                f"{labels[int(np.argmin(good))]!r}, in which neighbours are to be found"
            )
        everything = float(np.float32(tree.weight.astype(np.float64).sum()))
        if everything < options.min_events:
            raise WeightFileError(
                f"the events of <BinaryTree> have a sum of weights of {everything:g}, so no volume holds "
                f"NEventsMin={options.min_events:g}"
            )
        signal, background = (
            np.float32(1.0 / total if total > 0 else 1.0) for total in map(tree.sum_of_weights, (0, 1))
        )
        return cls(delta, (signal, background))

"""The events a forest is grown from: what becomes of negative weights, and the balance of signal and background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mvakit.dataset import Sample
from mvakit.errors import MethodError
from mvakit.progress import Messenger
from mvakit_methods.bdt.options import BDTOptions
from mvakit_methods.bdt.preselection import Preselection, find_preselection

__all__ = ["TrainingEvents", "prepare"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TrainingEvents:
    """Events as boosting sees them.

    Attributes
    ----------
    X : ndarray of float32, shape (n, n_variables)
        All events of the sample, which are not copied.
    rows : ndarray of uint32, shape (n_events,), or None
        Which of them are trained on; None for all.
    group : ndarray of uint8, shape (n_events,)
        0 for signal, 1 for background.
    weight : ndarray of float64, shape (n_events,)
        As the sample has it, or as pairing left it.
    factor : ndarray of float64, shape (2,)
        The first boost weight of signal and of background, which balances them.
    held_out : ndarray of bool, shape (n_events,) or (0,)
        Events that no tree is grown from, as they decide on pruning; empty if there are none.
    preselection : Preselection or None
        The regions whose events were left out.
    """

    X: npt.NDArray[np.float32]
    rows: npt.NDArray[np.uint32] | None
    group: npt.NDArray[np.uint8]
    weight: FloatArray
    factor: FloatArray
    held_out: npt.NDArray[np.bool_]
    preselection: Preselection | None = None

    def columns(self) -> npt.NDArray[np.float32]:
        """Return a copy of the inputs of the events, variable by variable, shape (n_variables, n_events)."""
        X = self.X if self.rows is None else self.X[self.rows]
        return np.ascontiguousarray(X.T)


def prepare(train: Sample, options: BDTOptions, log: Messenger) -> TrainingEvents:
    """Return the events to train on.

    Events of weight zero are left out, negative weights are treated as the options say, and signal and background are
    scaled so that their weights add up to the number of events, shared in the ratio ``SigToBkgFraction``.

    Raises
    ------
    MethodError
        If a class has no events, or its weights do not add up to something positive.
    """
    X, signal, weight = np.asarray(train.X, np.float32), train.is_signal, np.asarray(train.weight, np.float64)
    use = weight != 0
    preselection = None
    if options.do_preselection:
        preselection = find_preselection(X, signal, weight)
        use &= preselection.verdict(X) == 0
    negative = use & (weight < 0)
    if negative.any():
        treatment = options.negative_weights
        if options.ignore_negative_weights or treatment in {"IgnoreNegWeightsInTraining", "NoNegWeightsInTraining"}:
            log.info(f"{negative.sum()} events with negative weights are left out of the training")
            use &= ~negative
        elif treatment == "PairNegWeightsGlobal":
            weight = np.where(use, weight, 0.0)
            weight = _pair(X, signal, weight, log)
            use = weight > 0
        else:
            log.warning(
                f"{negative.sum()} events with negative weights are used in the training: if nodes are small, or "
                "boosting stops early, try IgnoreNegWeightsInTraining"
            )
    rows = None
    group = (~signal).astype(np.uint8)
    if not use.all():
        rows = np.flatnonzero(use).astype(np.uint32)
        group, weight = group[rows], weight[rows]
    held_out = np.zeros(0, np.bool_)
    if options.validates:
        number = np.arange(len(weight)) if rows is None else rows
        held_out = number % options.validation_period() == 0
    factor = np.ones(2)
    n, fraction = len(weight) - int(held_out.sum()), options.signal_to_background
    for which, (name, share) in enumerate((("signal", fraction / (1 + fraction)), ("background", 1 / (1 + fraction)))):
        members = group == which
        if len(held_out):
            members &= ~held_out
        total = float(weight[members].sum())
        if not members.any():
            raise MethodError(f"BDT: there is no {name} event with a usable weight to train on")
        if not total > 0:
            raise MethodError(
                f"BDT: the weights of the {name} events add up to {total:g}; training needs a positive sum, "
                "as NegWeightTreatment=IgnoreNegWeightsInTraining gives"
            )
        if not options.skip_normalization:
            factor[which] = n * share / total
    return TrainingEvents(X, rows, group, weight, factor, held_out, preselection)


def _pair(X: npt.NDArray[np.float32], signal: npt.NDArray[np.bool_], weight: FloatArray, log: Messenger) -> FloatArray:
    """Let every negative weight eat up those of the nearest positive events of its class.

    Distances are measured by the inverse of the weighted covariance matrix of the class.
    """
    weight = weight.copy()
    for members in (np.flatnonzero(signal), np.flatnonzero(~signal)):
        values, total = X[members].astype(np.float64), weight[members].sum()
        if not total > 0:
            raise MethodError(
                "BDT: PairNegWeightsGlobal needs more positive than negative weight in each class, but the weights of "
                f"one add up to {total:g}"
            )
        mean = weight[members] @ values / total
        covariance = (weight[members][:, None] * values).T @ values / total - np.outer(mean, mean)
        metric = np.linalg.pinv(covariance, hermitian=True)
        for event in members[weight[members] < 0]:
            partners = members[weight[members] > 0]
            difference = X[partners].astype(np.float64) - X[event]
            distance = np.einsum("ei,ij,ej->e", difference, metric, difference)
            for partner in partners[np.argsort(distance, kind="stable")]:
                rest = weight[event] + weight[partner]
                weight[partner], weight[event] = max(rest, 0.0), min(rest, 0.0)
                if rest >= 0:
                    break
    log.info(f"negative weights were paired away; {int(np.sum(weight > 0))} events are left")
    return weight

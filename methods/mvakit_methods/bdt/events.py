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
    X : ndarray of float32, shape (n_events, n_variables)
    signal : ndarray of bool, shape (n_events,)
    weight : ndarray of float64, shape (n_events,)
        As the sample has it, or as pairing left it.
    boost : ndarray of float64, shape (n_events,)
        The first boost weight: the factor that balances signal and background.
    held_out : ndarray of bool, shape (n_events,)
        Events that no tree is grown from, as they decide on pruning.
    preselection : Preselection or None
        The regions whose events were left out.
    """

    X: npt.NDArray[np.float32]
    signal: npt.NDArray[np.bool_]
    weight: FloatArray
    boost: FloatArray
    held_out: npt.NDArray[np.bool_]
    preselection: Preselection | None = None


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
    X, signal, weight, number = X[use], signal[use], weight[use], np.flatnonzero(use)
    held_out = np.zeros(len(number), np.bool_)
    if options.validates:
        held_out = number % options.validation_period() == 0
    boost = np.ones(len(weight))
    n, fraction = int(np.sum(~held_out)), options.signal_to_background
    for name, members, share in (
        ("signal", signal & ~held_out, fraction / (1 + fraction)),
        ("background", ~signal & ~held_out, 1 / (1 + fraction)),
    ):
        total = float(weight[members].sum())
        if not members.any():
            raise MethodError(f"BDT: there is no {name} event with a usable weight to train on")
        if not total > 0:
            raise MethodError(
                f"BDT: the weights of the {name} events add up to {total:g}; training needs a positive sum, "
                "as NegWeightTreatment=IgnoreNegWeightsInTraining gives"
            )
        if not options.skip_normalization:
            boost[members] = n * share / total
    return TrainingEvents(X, signal, weight, boost, held_out, preselection)


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

"""The events a forest is grown from: what becomes of negative weights, and the balance of signal and background."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mvakit.dataset import Sample
from mvakit.errors import MethodError
from mvakit.method import FitContext
from mvakit.progress import Messenger
from mvakit.types import AnalysisType
from mvakit_methods._validation import parse_validation_size, validation_mask
from mvakit_methods.bdt.options import BDTOptions
from mvakit_methods.bdt.preselection import Preselection, find_preselection

__all__ = ["TrainingEvents", "prepare"]

FloatArray = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


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
        0 for signal, 1 for background; of several classes the number of the class, and 0 in a regression.
    weight : ndarray of float64, shape (n_events,)
        As the sample has it, or as pairing left it.
    factor : ndarray of float64, shape (2,)
        The first boost weight of signal and of background, which balances them; ones if these are not the classes.
    held_out : ndarray of bool, shape (n_events,) or (0,)
        Events that no tree is grown from, as they decide on pruning or on the number of trees; empty if there are none.
    preselection : Preselection or None
        The regions whose events were left out.
    target : ndarray of float32, shape (n_events,) or (0,)
        What a regression is to find; empty for others.
    n_outputs : int
        The number of classes where there are several; 1 for others.
    validation : ndarray of bool, shape (n_events,) or (0,)
        Those of the events held out that validate the forest; empty if there are none. The others decide on pruning.
    """

    X: npt.NDArray[np.float32]
    rows: npt.NDArray[np.uint32] | None
    group: npt.NDArray[np.uint8]
    weight: FloatArray
    factor: FloatArray
    held_out: Mask
    preselection: Preselection | None = None
    target: npt.NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    n_outputs: int = 1
    validation: Mask = field(default_factory=lambda: np.zeros(0, np.bool_))

    @property
    def pruning(self) -> Mask:
        """Which events decide on pruning."""
        return self.held_out & ~self.validation if len(self.validation) else self.held_out

    def columns(self) -> npt.NDArray[np.float32]:
        """Return a copy of the inputs of the events, variable by variable, shape (n_variables, n_events)."""
        X = self.X if self.rows is None else self.X[self.rows]
        return np.ascontiguousarray(X.T)


def prepare(train: Sample, options: BDTOptions, context: FitContext) -> TrainingEvents:
    """Return the events to train on.

    Events of weight zero are left out, negative weights are treated as the options say, and signal and background are
    scaled so that their weights add up to the number of events, shared in the ratio ``SigToBkgFraction``. The weights of
    several classes and of a regression stay as they are.

    Raises
    ------
    MethodError
        If a class has no events, or its weights do not add up to something positive.
    """
    X, weight = np.asarray(train.X, np.float32), np.asarray(train.weight, np.float64)
    two_classes = context.analysis is AnalysisType.CLASSIFICATION
    names = ("signal", "background") if two_classes else context.classes
    group = np.asarray(~train.is_signal if two_classes else train.class_index).astype(np.uint8)
    if context.analysis is AnalysisType.REGRESSION:
        names, group = ("training",), np.zeros(len(weight), np.uint8)
    use = weight != 0
    preselection = None
    if options.do_preselection:
        preselection = find_preselection(X, group == 0, weight)
        use &= preselection.verdict(X) == 0
    use, weight = _treat_negative(X, group, weight, use, options, context.log)
    rows, target = None, np.empty(0, np.float32)
    if context.analysis is AnalysisType.REGRESSION:
        target = np.asarray(train.targets[:, 0], np.float32)
    if not use.all():
        rows = np.flatnonzero(use).astype(np.uint32)
        group, weight = group[rows], weight[rows]
        target = target[rows] if len(target) else target
    validation = _draw_validation(group, options)
    held_out = validation
    if options.validates:
        number = np.arange(len(weight)) if rows is None else rows
        held_out = number % options.validation_period() == 0
        if len(validation):
            held_out |= validation
    factor = np.ones(2)
    n = len(weight) - int(held_out.sum())
    fraction = options.signal_to_background
    shares = (fraction / (1 + fraction), 1 / (1 + fraction))
    for which, name in enumerate(names):
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
        if len(validation):
            _check_validation(float(weight[validation & (group == which)].sum()), name, options)
        if two_classes and not options.skip_normalization:
            factor[which] = n * shares[which] / total
    n_outputs = len(names) if context.analysis is AnalysisType.MULTICLASS else 1
    return TrainingEvents(X, rows, group, weight, factor, held_out, preselection, target, n_outputs, validation)


def _draw_validation(group: npt.NDArray[np.uint8], options: BDTOptions) -> Mask:
    """Draw the events that validate the forest, of each class its share."""
    if not options.validation_size:
        return np.zeros(0, np.bool_)
    size = parse_validation_size(options.validation_size, "BDT", len(group))
    return validation_mask(group, size, options.random_seed)


def _check_validation(total: float, name: str, options: BDTOptions) -> None:
    if not total > 0:
        raise MethodError(
            f"BDT: the weights of the {name} events among those that ValidationSize={options.validation_size} takes add up "
            f"to {total:g}; validation needs a positive sum, so a larger part of the events"
        )


def _treat_negative(
    X: npt.NDArray[np.float32],
    group: npt.NDArray[np.uint8],
    weight: FloatArray,
    use: Mask,
    options: BDTOptions,
    log: Messenger,
) -> tuple[Mask, FloatArray]:
    """Return which events are used, and their weights."""
    negative = use & (weight < 0)
    if negative.any():
        treatment = options.negative_weights
        if options.ignore_negative_weights or treatment in {"IgnoreNegWeightsInTraining", "NoNegWeightsInTraining"}:
            log.info(f"{negative.sum()} events with negative weights are left out of the training")
            use &= ~negative
        elif treatment == "PairNegWeightsGlobal":
            weight = np.where(use, weight, 0.0)
            weight = _pair(X, group, weight, log)
            use = weight > 0
        else:
            log.warning(
                f"{negative.sum()} events with negative weights are used in the training: if nodes are small, or "
                "boosting stops early, try IgnoreNegWeightsInTraining"
            )
    return use, weight


def _pair(X: npt.NDArray[np.float32], group: npt.NDArray[np.uint8], weight: FloatArray, log: Messenger) -> FloatArray:
    """Let every negative weight eat up those of the nearest positive events of its class.

    Distances are measured by the inverse of the weighted covariance matrix of the class.
    """
    weight = weight.copy()
    for which in range(int(group.max()) + 1):
        members = np.flatnonzero(group == which)
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

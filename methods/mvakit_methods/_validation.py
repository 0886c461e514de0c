"""The part of the training events that a network is validated with: how it is asked for, and which events it is."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from mvakit.columnstore import BLOCK, spans
from mvakit.dataset import Sample
from mvakit.errors import MethodError, OptionError
from mvakit.method import FitContext
from mvakit.types import AnalysisType

__all__ = ["check_learnable", "parse_validation_size", "sole_class", "validation_mask"]

_SIZE: Final = "a percentage ('20%'), a fraction below 1 ('0.2') or a number of events ('100')"


def parse_validation_size(text: str, owner: str, n_events: int | None = None) -> int:
    """Read the number of validation events out of `n_events` training events.

    Parameters
    ----------
    text : str
        ``20%`` and ``0.2`` are a fifth, ``100`` is a hundred events.
    owner : str
        The method, for messages.
    n_events : int, optional
        Without it, only the form is checked and 0 returned.

    Raises
    ------
    OptionError
        If it is none of these forms, or leaves nothing to validate or to train on.
    """
    word = text.strip()
    percent = word.endswith("%")
    try:
        size = float(word.removesuffix("%")) / (100 if percent else 1)
    except ValueError:
        size = math.nan
    # From 1 on a plain number counts events.
    counted = not percent and size >= 1
    if not 0 < size < math.inf or (percent and size >= 1) or (counted and not size.is_integer()):
        raise OptionError(f"the option 'ValidationSize' of {owner} takes {_SIZE}, not {text!r}")
    if n_events is None:
        return 0
    events = int(size) if counted else int(size * n_events)
    if not 0 < events < n_events:
        raise OptionError(
            f"the option 'ValidationSize' of {owner} is {text!r}, which is {events} of the {n_events} training events; "
            "some are needed for validation and some for training"
        )
    return events


def validation_mask(class_index: npt.NDArray[np.integer], size: int, seed: int) -> npt.NDArray[np.bool_]:
    """Return which events of a sample are kept for validation.

    TMVA takes the last events of the sample, which are of one class where the sample is in blocks. Here each class gives
    its share, drawn at random within each block of `BLOCK` events; the shares of a block differ from exact ones by less
    than one event.

    Parameters
    ----------
    class_index : ndarray of int
        It may lie in a mapped file.
    size : int
        The number of validation events.
    seed : int
    """
    mask = np.zeros(len(class_index), np.bool_)
    for number, rows in enumerate(spans(len(mask), BLOCK)):
        share = size * rows.stop // len(mask) - size * rows.start // len(mask)
        mask[rows.start + _drawn(np.asarray(class_index[rows]), share, np.random.default_rng([seed, number]))] = True
    return mask


def _drawn(class_index: npt.NDArray[np.integer], size: int, random: np.random.Generator) -> npt.NDArray[np.intp]:
    order = random.permutation(len(class_index))
    # An event's rank within its class, as a fraction, sorts all classes into one list that is even in each of its parts.
    rank = np.empty(len(order))
    for index in np.unique(class_index):
        mine = order[class_index[order] == index]
        rank[mine] = (np.arange(len(mine)) + 0.5) / len(mine)
    return order[np.argsort(rank[order], kind="stable")][:size]


def sole_class(class_index: npt.NDArray[np.integer], analysis: AnalysisType) -> npt.NDArray[np.integer]:
    """Return the classes of events, of which a regression has one whatever its trees are called."""
    return np.zeros(len(class_index), np.int8) if analysis is AnalysisType.REGRESSION else class_index


def check_learnable(train: Sample, learn: npt.NDArray[np.bool_], context: FitContext, owner: str) -> None:
    """Refuse a training without events, or without those of a class.

    Parameters
    ----------
    train : Sample
    learn : ndarray of bool
        Which of its events are trained on.
    context : FitContext
    owner : str
        The method, for messages.

    Raises
    ------
    MethodError
        If a sum of weights is not positive.
    """
    classes = [""]
    if context.analysis is not AnalysisType.REGRESSION:
        classes = [f" of class {name!r}" for name in context.classes]
    sums = np.zeros(len(classes))
    for rows in spans(len(train)):
        index = sole_class(train.class_index[rows][learn[rows]], context.analysis)
        sums += np.bincount(index, train.weight[rows][learn[rows]], len(classes))
    for which, total in zip(classes, sums, strict=True):
        if not total > 0:
            raise MethodError(
                f"{owner}: the training events{which} have a sum of weights of {total:g}; it has to be positive"
            )

"""The part of the training events that a network is validated with: how it is asked for, and which events it is."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from mvakit.errors import OptionError

__all__ = ["parse_validation_size", "split_validation"]

_SIZE: Final = "a fraction as in '20%' or '0.2', or a number of events as in '100'"


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


def split_validation(
    class_index: npt.NDArray[np.integer], size: int, seed: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Split the events of a sample into those to train on and those to validate with.

    TMVA takes the last events of the sample, which are of one class where the sample is in blocks. Here each class gives
    its share, drawn at random; the shares differ from exact ones by less than one event.

    Parameters
    ----------
    class_index : ndarray of int
    size : int
        The number of validation events.
    seed : int

    Returns
    -------
    train, validation : ndarray of int
        Positions in the sample, in its order.
    """
    order = np.random.default_rng(seed).permutation(len(class_index))
    # An event's rank within its class, as a fraction, sorts all classes into one list that is even in each of its parts.
    rank = np.empty(len(order))
    for index in np.unique(class_index):
        mine = order[class_index[order] == index]
        rank[mine] = (np.arange(len(mine)) + 0.5) / len(mine)
    by_rank = order[np.argsort(rank[order], kind="stable")]
    return np.sort(by_rank[size:]), np.sort(by_rank[:size])

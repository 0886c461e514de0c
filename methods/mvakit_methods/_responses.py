"""What the methods that apply weight files share: a response is a number, or it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from mvakit.errors import MvakitError

__all__ = ["refuse_undefined"]

Number = TypeVar("Number", np.float32, np.float64)


def refuse_undefined(
    response: npt.NDArray[Number], refuse: Callable[[str], MvakitError], what: str = "the response"
) -> npt.NDArray[Number]:
    """Return the response, shape (n_events,) or (n_events, k), if all of it is finite.

    Parameters
    ----------
    response : ndarray
    refuse : callable
        Makes an error from a sentence.
    what : str
        What it is called there.

    Raises
    ------
    MvakitError
        Made by `refuse`, naming the first event without a response, and how many there are.
    """
    undefined = np.atleast_2d(~np.isfinite(response.T)).any(axis=0)
    if undefined.any():
        event = int(np.argmax(undefined))
        raise refuse(
            f"{what} is {response[event]} for event {event}, and not finite for {int(undefined.sum())} of {len(response)} "
            "events; cut such events away"
        )
    return response

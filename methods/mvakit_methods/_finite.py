"""Responses that are numbers, or an error that says which is none."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError

__all__ = ["all_finite"]


def all_finite(response: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return responses, of which each is a number.

    Raises
    ------
    DataError
        If one is none, since sums for an event became too large for the precision in which TMVA keeps them.
    """
    if not np.isfinite(response).all():
        event = int(np.argwhere(~np.isfinite(response))[0, 0])
        raise DataError(f"event {event}: its response is not a finite number, as the numbers of the file are too large")
    return response

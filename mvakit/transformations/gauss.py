"""G: each value to that of a normal distribution with the same share of training events below it."""

from __future__ import annotations

from typing import ClassVar, Final

import numpy as np

from mvakit.transformations.base import FloatArray
from mvakit.transformations.uniform import Uniform

__all__ = ["Gauss"]

ROOT_TWO: Final = 1.414213562  # TMVA's digits
REACH: Final = 0.99999999  # largest argument of the inverse error function


class Gauss(Uniform):
    """The cumulative distribution of each variable, followed by the inverse of that of a normal distribution."""

    letter: ClassVar[str] = "G"
    short_name: ClassVar[str] = "Gauss"
    shape: ClassVar[str] = "Gauss"

    def _from_share(self, share: FloatArray) -> FloatArray:
        from scipy.special import erfinv

        result: FloatArray = ROOT_TWO * erfinv(np.clip(2.0 * share - 1.0, -REACH, REACH))
        return result

    def _to_share(self, value: FloatArray) -> FloatArray:
        from scipy.special import erf

        result: FloatArray = (erf(value / ROOT_TWO) + 1.0) / 2.0
        return result

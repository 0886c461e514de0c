"""Figures of merit as people type them: formulae of S and B, the expected numbers of selected events."""

from __future__ import annotations

from collections import Counter
from typing import Final

import numpy as np
import numpy.typing as npt

from mvakit.errors import FormulaError
from mvakit.evaluation import FigureOfMerit
from mvakit.formula import Formula

__all__ = ["DEFAULT_MERIT", "figure_of_merit"]

FloatArray = npt.NDArray[np.float64]

DEFAULT_MERIT: Final = "S/sqrt(S+B)"
_LONGEST: Final = 200


def figure_of_merit(text: str = DEFAULT_MERIT) -> FigureOfMerit:
    """Return the function that a formula of ``S`` and ``B`` stands for, ``"S/sqrt(S+B)"`` or ``"sqrt(2*((S+B)*log(1+S/B)-S))"``.

    ROOT's arithmetic holds: ``1/0`` is 0, ``sqrt(-a)`` is ``sqrt(a)``, the logarithm of what is not positive is 0.

    Raises
    ------
    FormulaError
        If it cannot be read, is too long, or has a name other than S and B.
    """
    if len(text) > _LONGEST:
        raise FormulaError(f"a formula of S and B has up to {_LONGEST} characters, not {len(text)}")
    formula = Formula(text.strip())
    formula.required(("S", "B"))

    def merit(signal: FloatArray, background: FloatArray) -> FloatArray:
        counted: Counter[str] = Counter()
        found = formula.evaluate({"S": np.asarray(signal), "B": np.asarray(background)}, counts=counted)
        return np.asarray(found, dtype=np.float64)

    return merit

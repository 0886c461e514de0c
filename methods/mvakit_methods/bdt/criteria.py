"""Separation criteria: what a cut gains, from the sums on its left and in the node.

Every criterion sees the same two sums of a node. In classification they are the weights of signal and background; for
`REGRESSION_VARIANCE` the sum of weights and the sum of weight times target. The formulae are those of TMVA's separation
classes (TMVA Users Guide, section 8.13.3), gains below the square root of the machine epsilon counting as none.
"""

from __future__ import annotations

import math
from typing import Final

from mvakit_methods.bdt.compiled import kernel

__all__ = ["CRITERIA", "REGRESSION_VARIANCE", "separation_gain", "separation_index"]

GINI: Final = 0
CROSS_ENTROPY: Final = 1
GINI_LAPLACE: Final = 2
MISCLASSIFICATION: Final = 3
SIGNIFICANCE: Final = 4
REGRESSION_VARIANCE: Final = 5

CRITERIA: Final = {
    "GiniIndex": GINI,
    "CrossEntropy": CROSS_ENTROPY,
    "GiniIndexWithLaplace": GINI_LAPLACE,
    "MisClassificationError": MISCLASSIFICATION,
    "SDivSqrtSPlusB": SIGNIFICANCE,
}

_NO_GAIN: Final = 2.0**-26  # the square root of the machine epsilon


@kernel
def separation_index(criterion: int, s: float, b: float) -> float:
    """Return the impurity of a node with signal weight `s` and background weight `b`; 0 for a pure one."""
    n = s + b
    if n <= 0.0:
        return 0.0
    if criterion == SIGNIFICANCE:
        return s / math.sqrt(n)
    if criterion == MISCLASSIFICATION:
        return min(s / n, 1.0 - s / n)
    if s <= 0.0 or b <= 0.0:
        return 0.0
    if criterion == GINI:
        return 2.0 * s * b / n / n
    if criterion == GINI_LAPLACE:
        return (s * b + n + 1.0) / (n + 2.0) / (n + 2.0)
    p = s / n
    return -(p * math.log2(p) + (1.0 - p) * math.log2(1.0 - p))


@kernel
def separation_gain(criterion: int, left: float, left2: float, total: float, total2: float) -> float:
    """Return the gain of a cut that leaves the sums `left`, `left2` of a node with `total`, `total2` on its left.

    The gain of `REGRESSION_VARIANCE` lacks the division by the sum of squared deviations in the node, which is the same
    for all of its cuts.
    """
    right = total - left
    right2 = total2 - left2
    if criterion == REGRESSION_VARIANCE:
        return left2 * left2 / left + right2 * right2 / right - total2 * total2 / total
    if right == left and right2 == left2:
        return 0.0
    n = total + total2
    gain = (
        separation_index(criterion, total, total2)
        - (right + right2) / n * separation_index(criterion, right, right2)
        - (left + left2) / n * separation_index(criterion, left, left2)
    )
    return gain if gain >= _NO_GAIN else 0.0

"""What a training records of itself as it goes: one number against another."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mvakit.evaluation.samples import FloatArray

__all__ = ["Curve"]


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A monitoring curve: loss against epoch, boost weight against tree.

    Attributes
    ----------
    name, title, x_title, y_title : str
        The name is short: ``"loss"``, ``"BoostWeightVsTree"``.
    x, y : ndarray of float64
        Of the same length.
    """

    name: str
    title: str
    x_title: str = ""
    y_title: str = ""
    x: FloatArray = field(default_factory=lambda: np.zeros(0))
    y: FloatArray = field(default_factory=lambda: np.zeros(0))

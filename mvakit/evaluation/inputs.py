"""Distributions of the input variables as TMVA plots them, and the ranking it makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mvakit.errors import DataError
from mvakit.evaluation.histograms import Histogram1D, fill
from mvakit.evaluation.samples import ClassSample, TwoClassSample
from mvakit.evaluation.separation import separation

__all__ = ["VariableRank", "rank_by_separation", "variable_histograms", "variable_range"]

VARIABLE_BINS = 40
TIMES_RMS = 8.0


@dataclass(frozen=True, slots=True)
class VariableRank:
    """One row of a ranking.

    Attributes
    ----------
    rank : int
        From 1, the best.
    name : str
    value : float
        What is ranked by.
    """

    rank: int
    name: str
    value: float


def variable_range(sample: ClassSample, *, integer: bool = False) -> tuple[int, float, float]:
    """Return number of bins and range of TMVA's plots of a variable.

    Parameters
    ----------
    sample : ClassSample
        The variable in all classes together.
    integer : bool
        Variables of type I have one bin per integer. Others have 40 bins over the mean plus and minus 8 RMS, but no
        further than the values reach, and one more fortieth at the upper end.
    """
    smallest, largest = float(sample.values.min()), float(sample.values.max())
    if integer:
        low, high = float(np.rint(smallest)), float(np.rint(largest) + 1.0)
        return round(high - low), low, high
    low = max(smallest, sample.mean - TIMES_RMS * sample.rms)
    high = min(largest, sample.mean + TIMES_RMS * sample.rms)
    if low >= high:
        high = low * 1.1 if low > 0.0 else low + 1.0
    return VARIABLE_BINS, low, high + (high - low) / VARIABLE_BINS


def variable_histograms(
    sample: TwoClassSample,
    *,
    name: str,
    title: str = "",
    unit: str = "",
    transformation: str = "Id",
    class_names: tuple[str, str] = ("Signal", "Background"),
    integer: bool = False,
) -> tuple[Histogram1D, Histogram1D]:
    """Return TMVA's histograms of one variable, ``<name>__<class>_<transformation>``, not normalised.

    Parameters
    ----------
    sample : TwoClassSample
        The variable in the training sample.
    name, title, unit : str
        The variable's internal name, title and unit.
    transformation : str
        ``Id``, ``Deco``, ...: the suffix of the name.
    class_names : tuple of str
        Names of signal and background.
    integer : bool
        Whether the variable is of type I.
    """
    both = ClassSample(
        "all",
        np.concatenate([sample.signal.values, sample.background.values]),
        np.concatenate([sample.signal.weights, sample.background.weights]),
    )
    nbins, low, high = variable_range(both, integer=integer)
    signal, background = (
        fill(
            class_sample,
            nbins,
            low,
            high,
            name=f"{name}__{class_name}_{transformation}",
            title=title or name,
            x_title=f"{title or name}  [{unit}]" if unit else title or name,
            y_title=f"dN_{{ }}/^{{ }}{(high - low) / nbins:.3g} {unit}",
            storage="F",
        )
        for class_sample, class_name in zip((sample.signal, sample.background), class_names, strict=True)
    )
    return signal, background


def rank_by_separation(
    names: Sequence[str],
    values: ArrayLike,
    is_signal: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    integer: Sequence[bool] | None = None,
) -> tuple[VariableRank, ...]:
    """Rank the input variables by separation: TMVA's "method unspecific" ranking.

    Parameters
    ----------
    names : sequence of str, length k
    values : array_like, shape (n, k)
        Training events in rows.
    is_signal : array_like of bool, shape (n,)
    weights : array_like, shape (n,), optional
    integer : sequence of bool, length k, optional
        Which variables are of type I.

    Returns
    -------
    tuple of VariableRank
        Best first; variables of equal separation in the given order.
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 2 or x.shape[1] != len(names):
        raise DataError(f"expected events by {len(names)} variables, but the values have shape {x.shape}")
    separations = []
    for i, name in enumerate(names):
        sample = TwoClassSample.from_arrays(x[:, i], is_signal, weights, what=f"values of variable {name!r}")
        pair = variable_histograms(sample, name=name, integer=bool(integer[i]) if integer is not None else False)
        separations.append(separation(*pair))
    order = sorted(range(len(names)), key=lambda i: -separations[i])
    return tuple(VariableRank(rank, str(names[i]), separations[i]) for rank, i in enumerate(order, start=1))

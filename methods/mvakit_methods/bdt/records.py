"""What mvakit records of a training beside the trees, as attributes of ``<Weights>``, which TMVA passes over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError
from mvakit.weightfile import attribute, number
from mvakit_methods.bdt.forest import BDTState

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["read_records", "write_records"]

FloatArray = npt.NDArray[np.float64]

_IMPORTANCE: Final = {"importance": "variableImportance", "gain": "variableGain"}
# On the events trained on, and on those for validation.
_LOSSES: Final = ("trainingLoss", "validationLoss")
_FACTORS: Final = "boostFactors"
_LARGEST_COUNT: Final = 2.0**53


def write_records(state: BDTState, weights: Element) -> None:
    """Set the attributes of what was recorded."""
    for field, name in _IMPORTANCE.items():
        values = getattr(state, field)
        if len(values):
            weights.set(name, " ".join(map(number, values)))
    if state.losses.size:
        for name, values in zip(_LOSSES, state.losses, strict=True):
            weights.set(name, " ".join(map(number, values)))
    if len(state.boost_factors):
        weights.set(_FACTORS, " ".join(map(str, state.boost_factors.tolist())))


def read_records(weights: Element, n_variables: int) -> dict[str, Any]:
    """Return the fields of a `BDTState` that the attributes tell.

    Raises
    ------
    WeightFileError
        If one of them does not hold what it should.
    """
    found: dict[str, Any] = {}
    for field, name in _IMPORTANCE.items():
        values = _values(weights, name)
        if values.shape not in {(0,), (n_variables,)} or not np.isfinite(values).all() or (values < 0).any():
            raise WeightFileError(f"<Weights {name}=...> should hold {n_variables} numbers, none negative")
        found[field] = values
    trained, validated = (_values(weights, name) for name in _LOSSES)
    if len(trained) != len(validated) or not np.isfinite([trained, validated]).all():
        raise WeightFileError(f"<Weights {_LOSSES[0]}=... {_LOSSES[1]}=...> should hold as many numbers each")
    found["losses"] = np.array([trained, validated])
    counts = _values(weights, _FACTORS)
    if len(counts) not in {0, 102} or not ((counts >= 0) & (counts < _LARGEST_COUNT) & (counts % 1 == 0)).all():
        raise WeightFileError(f"<Weights {_FACTORS}=...> should hold 102 numbers of entries")
    found["boost_factors"] = counts.astype(np.int64)
    return found


def _values(weights: Element, name: str) -> FloatArray:
    """Return the numbers of an attribute; not-a-number if one is none, and none if there is no attribute."""
    if weights.get(name) is None:
        return np.empty(0)
    try:
        return np.array(attribute(weights, name).split(), np.float64)
    except ValueError:
        return np.full(1, np.nan)

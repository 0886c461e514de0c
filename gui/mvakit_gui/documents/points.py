"""What cuts on a classifier's response select: enough of them to slide over, and any one exactly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.errors import OptionError, ResultFileError
from mvakit.evaluation import ClassSample, TwoClassSample, cut_point
from mvakit_gui.documents.encoding import packed
from mvakit_gui.merit import DEFAULT_MERIT, figure_of_merit
from mvakit_gui.views.source import Source

__all__ = ["cut_document", "points_document"]

FloatArray = npt.NDArray[np.float64]

# Of all methods together, and of each.
_ALL_POINTS: Final = 40_000
_MOST_POINTS: Final = 2000
_FEWEST_POINTS: Final = 500


def points_document(source: Source, title: str, methods: int) -> dict[str, Any]:
    """Return the cuts of a method, from the loosest to the tightest, with what they select, and events per bin.

    Raises
    ------
    MvakitError
        If the file holds no responses of this method, or they cannot be compared.
    """
    sample = _sample(source, title)
    scan = source.scan(title).thinned(max(_FEWEST_POINTS, min(_MOST_POINTS, _ALL_POINTS // max(methods, 1))))
    edges = source.histogram(title, f"MVA_{title}_S").edges
    return {
        "name": source.shown(title),
        "orientation": scan.orientation,
        "exact": len(scan) == scan.available,
        "cuts": packed(scan.cuts),
        "effS": packed(scan.signal_efficiency),
        "effB": packed(scan.background_efficiency),
        "errS": packed(scan.signal_efficiency_error),
        "errB": packed(scan.background_efficiency_error),
        "edges": packed(edges),
        "binsS": packed(_fractions(sample.signal, edges)),
        "binsB": packed(_fractions(sample.background, edges)),
    }


def cut_document(source: Source, title: str, query: Mapping[str, str]) -> dict[str, Any]:
    """Return what one cut selects, from the events themselves.

    Parameters
    ----------
    source : Source
    title : str
    query : mapping of str to str
        ``cut``; and ``signal``, ``background`` (numbers of events, 1000 each) and ``formula`` (``S/sqrt(S+B)``).

    Raises
    ------
    MvakitError
        If a number is none, the formula is none of S and B, or there are no responses.
    """
    cut = _number(query, "cut", None)
    n_signal, n_background = _number(query, "signal", 1000.0), _number(query, "background", 1000.0)
    merit = figure_of_merit(query.get("formula", DEFAULT_MERIT))
    return asdict(cut_point(_sample(source, title), cut, n_signal, n_background, merit))


def _sample(source: Source, title: str) -> TwoClassSample:
    if not source.has(title, f"MVA_{title}_S"):
        raise ResultFileError(f"{title} answers to one cut only: there is no distribution of its response to cut on")
    return source.two_classes(title)


def _fractions(sample: ClassSample, edges: FloatArray) -> FloatArray:
    counts, _ = np.histogram(sample.values, edges, weights=sample.weights)
    return np.asarray(counts / sample.sum_of_weights, dtype=np.float64)


def _number(query: Mapping[str, str], name: str, default: float | None) -> float:
    text = query.get(name, "" if default is None else str(default))
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise OptionError(f"{name} is a number, not {text!r}")
    return value

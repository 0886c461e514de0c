"""Every response that TMVA wrote down, from its weight file: the table of the largest differences.

A column passes if no event differs by more than the tolerance of its method, times the response where that is larger than
one. The last lines of a run hold the table: each method of each set, its largest difference and the share of the tolerance.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvakit.errors import MethodError
from mvakit.formula import Formula
from mvakit.model import Model
from tests.reference.catalogue import (
    HERE,
    PART_OF_A_BOOST,
    Column,
    columns,
    events,
    head,
    reference_folder,
    without_column,
    without_weights,
)

ROOT = reference_folder() or HERE / "toy"
COLUMNS = list(columns(ROOT))

DENSITY = 1e-5
TOLERANCES = {
    "Cuts": 0.0,
    "DL": 1e-5,
    "Likelihood": DENSITY,
    "PDERS": DENSITY,
    "PDEFoam": DENSITY,
}
TOLERANCE = 1e-6  # of trees, linear methods, networks, neighbours and all others


@functools.lru_cache(maxsize=8)
def model(path: Path) -> Model:
    """A weight file; its columns come one after the other."""
    return Model.load(path)


@functools.lru_cache(maxsize=8)
def inputs(weights: Path, table: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Return variables and spectators of the events of a table, by the formulae of the weight file."""
    branches = events(table)
    found = [
        np.column_stack([np.asarray(Formula(v.expression).evaluate(branches), np.float64) for v in group])
        if group
        else None
        for group in (model(weights).variables, model(weights).spectators)
    ]
    assert found[0] is not None
    return found[0], found[1]


@functools.lru_cache(maxsize=32)
def response(weights: Path, table: Path, efficiency: float | None) -> np.ndarray:
    X, spectators = inputs(weights, table)
    known = spectators if model(weights).needs_spectators else None
    found: np.ndarray = model(weights).predict(X, known, efficiency)
    return found


def told(column: Column) -> np.ndarray:
    """Return what mvakit says."""
    found = response(column.weights, column.table, column.efficiency)
    if column.quantity == "probability":
        return model(column.weights).probability(found, column.fraction)
    if column.quantity == "rarity":
        return model(column.weights).rarity(found)
    return found if column.output is None else found[:, column.output]


def tolerance(column: Column) -> float:
    if column.quantity != "response":
        return DENSITY
    if column.method == "Category":
        # As good as the methods within; which of them decides has to be right for every event.
        text = column.weights.read_text()
        return DENSITY if 'Method="Likelihood::' in text else TOLERANCE
    return TOLERANCES.get(column.method, TOLERANCE)


@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.label)
def test_column(column, record_property):
    expected = column.expected
    if column.quantity != "response" and "<PDF " not in column.weights.read_text():
        # Without PDFs of the response TMVA says -1 and 0; mvakit refuses.
        assert set(expected) == {-1.0 if column.quantity == "probability" else 0.0}
        with pytest.raises(MethodError, match="CreateMVAPdfs"):
            told(column)
        return
    found = told(column)
    assert found.shape == expected.shape
    difference = np.abs(found - expected)
    scaled = difference / np.maximum(1, np.abs(expected))
    allowed = tolerance(column)
    row: dict[str, Any] = {
        "column": column.label,
        "method": column.method,
        "events": len(expected),
        "difference": float(difference.max()),
        "share": float(scaled.max() / allowed) if allowed else float(np.inf if scaled.any() else 0),
    }
    record_property("responses", row)
    worst = int(np.argmax(scaled))
    assert np.all(scaled <= allowed), (
        f"{column.label}: event {worst} of {len(expected)} is {found[worst]!r}, and {expected[worst]!r} for TMVA; "
        f"{int((scaled > allowed).sum())} events differ by more than {allowed:g}"
    )


def test_every_column_has_a_weight_file(reference):
    assert without_weights(reference) == set()


def test_every_weight_file_has_a_column(reference):
    """But for the parts of a Boost, which is a file of its own."""
    titles = {head(column.weights)[1] for column in columns(reference)}
    for path in without_column(reference):
        match = PART_OF_A_BOOST.fullmatch(head(path)[1])
        assert match is not None, path
        assert match[1] in titles


@pytest.mark.parametrize(
    "path", sorted(without_column(ROOT)) if reference_folder() else [], ids=lambda path: path.name.split(".")[0]
)
def test_parts_of_a_boost(path):
    """The file of a part says what the file of the Boost says of it."""
    from xml.etree import ElementTree as ET

    title = head(path)[1]
    whole = ET.parse(path.with_name(path.name.replace(title, PART_OF_A_BOOST.fullmatch(title)[1]))).getroot()
    part = next(item for item in whole.find("Weights") if item.get("MethodName") == title)
    numbers = [float(item.get("Value")) for item in part.find("Weights")]
    state = Model.load(path).structure()
    np.testing.assert_array_equal([*state.offset, *state.coefficients[:, 0]], numbers)

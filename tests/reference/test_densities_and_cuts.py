"""Likelihood, Cuts, HMatrix, FDA and RuleFit against TMVA: the toy set's responses, and what its log says of them."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import uproot

from mvakit.formula import Formula
from mvakit.model import Model

# At most so different, in units of the response or of one; a decision is the same or not.
LARGEST = {
    "Likelihood": 1e-6,
    "LikelihoodD": 5e-6,
    "LikelihoodS3": 1e-10,
    "LikelihoodKDE": 3e-6,
    "HMatrix": 1e-10,
    "FDA": 1e-10,
    "RuleFit": 1e-10,
    "CutsMC@0.3": 0.0,
    "CutsMC@0.7": 0.0,
}


@pytest.fixture(scope="module")
def responses(toy: Path) -> list[dict[str, str]]:
    with (toy / "class" / "responses.csv").open() as file:
        return list(csv.DictReader(file))


def toy_model(toy: Path, title: str) -> Model:
    return Model.load(toy / "class" / "weights" / f"Toy_{title}.weights.xml")


def inputs(model: Model, toy: Path, rows: list[dict[str, str]]) -> np.ndarray:
    tables = {}
    with uproot.open(toy / "toy_classification.root") as file:
        for name in ("TreeS", "TreeB"):
            branches = file[name].arrays(library="np")
            columns = [Formula(v.expression).evaluate(branches) for v in model.variables]
            tables[name] = np.column_stack(columns).astype(np.float32)
    return np.stack([tables[row["tree"]][int(row["entry"])] for row in rows])


@pytest.mark.parametrize("column", LARGEST)
def test_responses_of_the_toy(toy, responses, column: str) -> None:
    title, _, efficiency = column.partition("@")
    model = toy_model(toy, title)
    found = model.predict(inputs(model, toy, responses), efficiency=float(efficiency) if efficiency else None)
    expected = np.array([float(row[column]) for row in responses])
    assert len(np.unique(expected)) > (1 if efficiency else 300)
    assert np.max(np.abs(found - expected) / np.maximum(1, np.abs(expected))) <= LARGEST[column]


def test_rulefit_ranks_the_variables_as_tmva_does(toy) -> None:
    log = (toy / "class" / "training.log").read_text()
    table = re.search(r"RuleFit +: Rank : Variable +: Importance\n.*-+\n((?:.*: +\d+ : .*\n)+)", log)
    expected = re.findall(r": +\d+ : (\S+) +: (\S+)", table.group(1))
    found = toy_model(toy, "RuleFit").ranking().ordered()
    assert [(name, f"{value:.3e}") for name, value in found] == expected


def test_the_cuts_that_tmva_shows_are_those_of_the_file(toy) -> None:
    state = toy_model(toy, "CutsMC").state
    efficiency, low, high = state.at(0.305)
    assert efficiency == state.signal[30]
    assert np.array_equal(low, state.low[30])
    assert np.array_equal(high, state.high[30])
    assert [state.at(e + 0.005)[0] for e in state.signal] == state.signal.tolist()

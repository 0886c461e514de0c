"""MLP and DL against TMVA, closer than the tolerance of all responses: which tangent, which rounding, which softmax."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from mvakit_methods.mlp import Perceptron

from mvakit.formula import Formula
from mvakit.model import Model
from tests.reference.catalogue import columns, events


def beside(table: Path, title: str) -> tuple[Model, np.ndarray, np.ndarray]:
    """Return a model, the events of a table, and TMVA's responses of shape (n, k)."""
    found = [c for c in columns(table.parent) if c.table == table and c.title == title and c.quantity == "response"]
    model = Model.load(found[0].weights)
    branches = events(table)
    X = np.column_stack([Formula(v.expression).evaluate(branches) for v in model.variables])
    return model, X.astype(np.float32), np.column_stack([c.expected for c in found])


def largest(model: Model, X: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(model.predict(X).reshape(expected.shape) - expected).max())


@pytest.mark.parametrize("title", ["MLP", "MLPCE", "MLPBFGS"])
def test_the_toy_to_the_last_digit_of_its_table(reference, title):
    model, X, expected = beside(reference / "toy" / "class" / "responses.csv", title)
    assert largest(model, X, expected) < 1e-12
    # One at a time it is the same.
    np.testing.assert_allclose([model.predict(x[np.newaxis])[0] for x in X[:20]], model.predict(X[:20]), rtol=1e-14)


@pytest.mark.parametrize(
    ("table", "title"),
    [
        ("tutorial/class/responses.csv", "MLP"),
        ("tutorial/class/responses_extra.csv", "MLPBFGS"),
        ("tutorial/class/responses_extra.csv", "MLPBNN"),
        ("tutorial/higgs/responses.csv", "MLP"),
    ],
)
def test_two_classes(reference, table, title):
    model, X, expected = beside(reference / table, title)
    assert largest(model, X, expected) < 1e-15


def test_an_open_tangent_is_not_that_of_mathematics(reference):
    model, X, expected = beside(reference / "tutorial" / "class" / "responses_extra.csv", "MLPBFGS")
    assert model.state.neuron == "open_fast_tanh"
    for other in ("tanh", "fast_tanh"):
        changed = dataclasses.replace(model, state=dataclasses.replace(model.state, neuron=other))
        assert largest(changed, X, expected) > 1e-2


def test_weights_are_taken_in_single_precision(reference):
    model, X, expected = beside(reference / "toy" / "class" / "responses.csv", "MLPCE")
    state = model.state
    exact = Perceptron(state.weights, state.neuron, state.output)
    object.__setattr__(exact, "_steps", tuple((w[:-1], w[-1]) for w in state.weights))
    assert largest(dataclasses.replace(model, state=exact), X, expected) > 1e-9


@pytest.mark.parametrize("title", ["MLP", "MLPN"])
def test_several_classes(reference, title):
    model, X, expected = beside(reference / "toy" / "multi" / "responses.csv", title)
    assert largest(model, X, expected) < 5e-8


def test_regression(reference):
    model, X, expected = beside(reference / "tutorial" / "reg" / "responses.csv", "MLP")
    assert np.abs(model.predict(X) / expected[:, 0] - 1).max() < 1e-6


def test_a_deep_network(reference):
    model, X, expected = beside(reference / "dl" / "responses.csv", "DL_CPU")
    assert expected.shape == (500, 4)
    assert largest(model, X, expected) < 1e-6


def test_what_errors_need_is_kept(reference, tmp_path):
    model, _, _ = beside(reference / "tutorial" / "class" / "responses_extra.csv", "MLPBNN")
    again = Model.load(model.save(tmp_path / "again.weights.xml"))
    hessian = model.state.inverse_hessian
    assert hessian.shape == (55, 55)
    assert hessian[1, 0] == 9.4875096892592282e01
    np.testing.assert_array_equal(again.state.inverse_hessian, hessian)

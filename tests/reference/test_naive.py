"""A second, naive reader of weight files agrees with TMVA about TMVA's files, and with mvakit about mvakit's."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import uproot

from mvakit.dataset import DataSet, Sample
from mvakit.model import Model, train
from mvakit.variables import define
from tests.reference.catalogue import HERE, Column, columns, events, reference_folder
from tests.reference.naive import NaiveModel
from tests.reference.naive.weights import METHODS

TOLERANCE = 1e-6
LARGE = 1 << 20
ROOT = reference_folder() or HERE / "toy"


def inputs(expressions: list[str], branches: dict[str, np.ndarray]) -> np.ndarray:
    """Return the variables of events: a branch, or the sum or difference of two."""
    found = []
    for expression in expressions:
        first, sign, second = re.fullmatch(r"(\w+)(?:([+-])(\w+))?", expression).groups()
        column = branches[first].astype(np.float64)
        if sign:
            column = column + (1 if sign == "+" else -1) * branches[second].astype(np.float64)
        found.append(column.astype(np.float32))
    return np.column_stack(found)


def compare(model: NaiveModel, X: np.ndarray, expected: np.ndarray) -> None:
    """Compare the responses to events, one by one; `expected` has a column for each."""
    found = np.array([model.responses(event) for event in X.tolist()])
    assert found.shape == expected.shape
    assert np.all(np.abs(found - expected) <= TOLERANCE * np.maximum(1, np.abs(expected)))


def of_files() -> dict[Path, list[Column]]:
    """The columns of each weight file of the methods that are read here."""
    found: dict[Path, list[Column]] = {}
    for column in columns(ROOT):
        if column.method in METHODS and column.quantity == "response":
            found.setdefault(column.weights, []).append(column)
    return found


FILES = of_files()


@pytest.fixture(scope="module", params=FILES, ids=lambda path: path.name.removesuffix(".weights.xml"))
def file(request) -> tuple[Path, np.ndarray, np.ndarray]:
    """Each file of TMVA, the variables of some events, and TMVA's responses to them."""
    path = request.param
    branches = events(FILES[path][0].table)
    expected = np.column_stack([column.expected for column in FILES[path]])
    chosen = np.linspace(0, len(expected) - 1, 25 if path.stat().st_size < LARGE else 8).astype(int)
    X = inputs(NaiveModel(path).expressions, {name: values[chosen] for name, values in branches.items()})
    return path, X, expected[chosen]


def test_tmvas_files(file):
    path, X, expected = file
    compare(NaiveModel(path), X, expected)


def test_tmvas_files_written_by_mvakit(file, tmp_path):
    """The file that mvakit makes of TMVA's still says what TMVA's does."""
    path, X, expected = file
    written = Model.load(path).save(tmp_path / path.name)
    compare(NaiveModel(written), X, expected)


# ---------------------------------------------------------------------------- what mvakit trains and writes

LABELS = ["var1", "var2", "var3", "var4"]


def sample(X: np.ndarray, kinds: np.ndarray, weight: np.ndarray, targets: np.ndarray | None = None) -> Sample:
    nothing = np.zeros((0, 0), np.float32)
    return Sample(X.astype(np.float32), kinds.astype(np.int16), weight, nothing if targets is None else targets)


@pytest.fixture(scope="module")
def branches(toy) -> dict[str, np.ndarray]:
    """Four hundred toy events of each class, one after the other."""
    with uproot.open(toy / "toy_classification.root") as file:
        parts = [file[tree].arrays(library="np", entry_stop=400) for tree in ("TreeS", "TreeB")]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def dataset(branches: dict[str, np.ndarray], kind: str) -> DataSet:
    """The toy events as a question for two classes, for three (the third one is signal moved), or for two targets."""
    X = np.column_stack([branches[label] for label in LABELS]).astype(np.float32)
    n = len(X) // 2
    index, weight = np.repeat([0, 1], n), np.abs(branches["weight"].astype(np.float64))
    classes, targets, values = ("Signal", "Background"), (), None
    if kind == "multiclass":
        X = np.concatenate([X, X[:n] * np.float32(0.5) - np.float32(1.5)])
        index, weight = np.concatenate([index, np.full(n, 2)]), np.concatenate([weight, weight[:n]])
        classes = ("Signal", "Background", "Other")
    if kind == "regression":
        values = np.column_stack([3 * X[:, 0] + X[:, 1] ** 2, np.exp(X[:, 2] / 2)]).astype(np.float32)
        index, classes, targets = np.zeros(len(X)), ("Regression",), ("first", "second")
    events = sample(X, index, weight, values)
    return DataSet("dataset", tuple(map(define, LABELS)), (), tuple(map(define, targets)), classes, events, events)


# With the number of steps in each.
TRANSFORMATIONS = {"None": 0, "N": 1, "D": 1, "P": 1, "G": 1, "U": 1, "G,D": 2, "N(var1,var3)+P(var2,var4)": 2}
BDTS = {
    "AdaBoost": {},
    "purity": {"UseYesNoLeaf": False},
    "RealAdaBoost": {"BoostType": "RealAdaBoost"},
    "AdaCost": {"BoostType": "AdaCost", "Cts_sb": 0.7, "Ctb_ss": 0.9},
    "Bagging": {"BoostType": "Bagging"},
    "Grad": {"BoostType": "Grad", "Shrinkage": 0.3},
    "bagged Grad": {"BoostType": "Grad", "UseBaggedBoost": True},
    "Fisher cuts": {"UseFisherCuts": True, "MinLinCorrForFisher": 0.2},
    "preselection": {"DoPreselection": True},
    "preselected Grad": {"BoostType": "Grad", "DoPreselection": True},
    "randomised": {"UseRandomisedTrees": True, "UseNvars": 2},
    "pruned": {"PruneMethod": "CostComplexity", "PruneStrength": 30},
    "deep": {"MaxDepth": 9, "MinNodeSize": "0.5%"},
}


def check_training(data: DataSet, tmp_path: Path, method: str, transformation: str, **options: object) -> NaiveModel:
    """Train, write, and compare what both readers say of a few events."""
    model = train(data, method, title=method, VarTransform=transformation, **options)
    naive = NaiveModel(model.save(tmp_path / "Toy.weights.xml"))
    assert len(naive.chain.steps) == TRANSFORMATIONS[transformation]
    X = data.train.X[::40]
    compare(naive, X, model.predict(X).reshape(len(X), -1))
    return naive


@pytest.mark.parametrize("transformation", TRANSFORMATIONS)
@pytest.mark.parametrize(
    ("method", "kind", "options"),
    [
        ("Fisher", "classification", {}),
        ("Fisher", "classification", {"Method": "Mahalanobis"}),
        ("LD", "classification", {}),
        ("LD", "multiclass", {}),
        ("LD", "regression", {}),
    ],
)
def test_linear_methods(branches, tmp_path, method, kind, options, transformation):
    check_training(dataset(branches, kind), tmp_path, method, transformation, **options)


@pytest.mark.parametrize("transformation", TRANSFORMATIONS)
def test_transformations_before_trees(branches, tmp_path, transformation):
    check_training(dataset(branches, "classification"), tmp_path, "BDT", transformation, NTrees=4)


@pytest.mark.parametrize("options", BDTS.values(), ids=list(BDTS))
def test_trees(branches, tmp_path, options):
    naive = check_training(dataset(branches, "classification"), tmp_path, "BDT", "None", NTrees=8, **options)
    # What is to be shown does occur.
    text = (tmp_path / "Toy.weights.xml").read_text()
    assert ('NCoef="5"' in text) == ("UseFisherCuts" in options)
    assert (re.search(r'Preselection\w+="1"', text) is not None) == ("DoPreselection" in options)
    assert naive.options["BoostType"] == options.get("BoostType", "AdaBoost")

"""Weight files and events whose response is no number: refused with the event, never answered."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest

from mvakit.errors import DataError, MvakitError
from mvakit.model import Model


def changed(source: Path, folder: Path, *replacements: tuple[str, str]) -> Path:
    text = source.read_text()
    for pattern, new in replacements:
        text, count = re.subn(pattern, new, text)
        assert count, pattern
    path = folder / source.name
    path.write_text(text)
    return path


def test_a_response_beyond_all_numbers_is_refused(toy: Path) -> None:
    model = Model.load(toy / "class" / "weights" / "Toy_FisherP.weights.xml")
    X = np.zeros((3, 4))
    X[1] = [3e38, -3e38, 3e38, 3e38]
    with pytest.raises(DataError, match=r"the response of FisherP to event 1 is (nan|-?inf): sum=3e\+38, diff=-3e\+38"):
        model.predict(X)


@pytest.mark.parametrize("name", ["Likelihood", "LikelihoodD"])
def test_infinite_inputs_of_likelihoods(toy: Path, name: str) -> None:
    model = Model.load(toy / "class" / "weights" / f"Toy_{name}.weights.xml")
    X = np.array([[0.0, 0.0, 0.0, 0.0], [np.inf, -np.inf, np.inf, 0.0]])
    if name == "Likelihood":
        assert np.isfinite(model.predict(X)).all()  # beyond the range is the last bin
        return
    with pytest.raises(MvakitError, match="event 1"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        model.predict(X)


def test_no_events_and_transformed_targets(reference: Path) -> None:
    model = Model.load(reference / "toy" / "reg" / "weights" / "ToyReg_LDN.weights.xml")
    assert "Target" in model.chain.kinds
    assert model.predict(np.zeros((0, 2))).shape == (0,)


def test_trees_that_outweigh_one_another_have_no_median(reference: Path, tmp_path: Path) -> None:
    source = reference / "toy" / "reg" / "weights" / "ToyReg_BDT.weights.xml"
    trees = re.findall(r"<BinaryTree .*?</BinaryTree>", source.read_text(), re.DOTALL)[:2]
    text = re.sub(r"<BinaryTree .*</BinaryTree>", lambda _: "\n".join(trees), source.read_text(), flags=re.DOTALL)
    path = tmp_path / "two.weights.xml"
    path.write_text(re.sub(r'NTrees="\d+"', 'NTrees="2"', re.sub(r'boostWeight="[^"]*"', 'boostWeight="-1"', text)))
    with pytest.raises(DataError, match="the response of BDT to event 0 is nan"):
        Model.load(path).predict(np.zeros((2, 2)))


def test_an_enormous_scale_of_neighbours_is_the_whole_sample(reference: Path, tmp_path: Path) -> None:
    source = reference / "toy" / "reg" / "weights" / "ToyReg_KNN.weights.xml"
    pattern = r'(<Option name="ScaleFrac" modified="\w+">)[^<]*'
    X = np.random.default_rng(1).normal(size=(10, 2))
    whole, enormous = (
        Model.load(changed(source, tmp_path, (pattern, rf"\g<1>{value}"))).predict(X) for value in ("1.0", "1e300")
    )
    np.testing.assert_array_equal(whole, enormous)

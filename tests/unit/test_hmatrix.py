"""HMatrix: the difference of two chi-squareds, classes with transformations of their own, and damaged files."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods.hmatrix import HMatrix, HMatrixOptions, HMatrixState

from mvakit.errors import MethodError, WeightFileError
from mvakit.model import Model
from tests.unit.toy_files import background_first, changed, events, set_to, text, tree, without


def test_the_response_compares_two_distances() -> None:
    state = HMatrixState(
        np.array([[0.0, 0.0], [1.0, 1.0]]), np.array([[[1.0, 0.5], [0.5, 2.0]], [[4.0, 0.0], [0.0, 4.0]]])
    )
    X = np.float32([[2.0, 1.0], [0.0, 0.0], [1.0, 1.0]])
    # signal: 4 + 2*0.5*2 + 2 = 8, 0, 4; background: 4, 8, 0
    assert HMatrix(HMatrixOptions()).predict(state, np.broadcast_to(X, (2, 3, 2))).tolist() == [-4 / 12, 1.0, -1.0]


def test_an_event_is_the_same_alone_and_among_many(toy, tmp_path) -> None:
    model = changed(toy, tmp_path, "HMatrix")
    X = np.tile(events(), (30, 1))
    together = model.predict(X)
    assert together[:300].tolist() == together[-300:].tolist()
    assert [float(model.predict(X[i : i + 1])[0]) for i in range(50)] == together[:50].tolist()
    assert model.predict(X[:0]).shape == (0,)


def decorrelated(toy):
    def change(root: ET.Element) -> None:
        root.remove(root.find("Transformations"))
        root.insert(5, tree(toy, "LikelihoodD").find("Transformations"))
        root.find("Options/Option[@name='VarTransform']").text = "D"

    return change


def test_each_class_has_its_own_transformation(toy, tmp_path) -> None:
    model, X = changed(toy, tmp_path, "HMatrix", decorrelated(toy)), events()
    inputs = np.stack([model.chain.apply(X, 0), model.chain.apply(X, 1)]).astype(np.float64)
    away = inputs - model.state.means[:, np.newaxis]
    chi2 = np.einsum("cni,cij,cnj->cn", away, model.state.matrices, away)
    assert model.predict(X) == pytest.approx((chi2[1] - chi2[0]) / (chi2[1] + chi2[0]))
    swapped = changed(toy, tmp_path, "HMatrix", decorrelated(toy), background_first)
    assert swapped.state.places == (1, 0)
    away = inputs[::-1] - model.state.means[:, np.newaxis]
    chi2 = np.einsum("cni,cij,cnj->cn", away, model.state.matrices, away)
    assert swapped.predict(X) == pytest.approx((chi2[1] - chi2[0]) / (chi2[1] + chi2[0]))


def test_classes_of_other_names_are_signal_and_background_in_order(toy, tmp_path) -> None:
    def renamed(root: ET.Element) -> None:
        for item, name in zip(root.findall("Classes/Class"), ("b", "light"), strict=True):
            item.set("Name", name)

    assert changed(toy, tmp_path, "HMatrix", renamed).state.places == (0, 1)


def test_a_negative_chi_squared_is_refused_as_tmva_does() -> None:
    state = HMatrixState(np.zeros((2, 1)), np.array([[[-1.0]], [[1.0]]]))
    with pytest.raises(MethodError, match="event 1 for signal is -4"):
        HMatrix(HMatrixOptions()).predict(state, np.broadcast_to(np.float32([[0.0], [2.0]]), (2, 2, 1)))


def test_an_event_in_both_means_is_neither() -> None:
    state = HMatrixState(np.zeros((2, 1)), np.ones((2, 1, 1)))
    assert HMatrix(HMatrixOptions()).predict(state, np.zeros((2, 1, 1), np.float32)).tolist() == [0.0]


def test_infinite_distances_are_refused() -> None:
    state = HMatrixState(np.zeros((2, 1)), np.array([[[1.0]], [[1e308]]]))
    with pytest.raises(MethodError, match="the chi-squared for background is inf for event 1"):
        HMatrix(HMatrixOptions()).predict(state, np.broadcast_to(np.float32([[1.0], [2.0]]), (2, 2, 1)))


def test_a_file_is_written_as_it_was_read(toy, tmp_path) -> None:
    model = changed(toy, tmp_path, "HMatrix")
    copy = model.save(tmp_path / "copy.weights.xml")
    again = Model.load(copy)
    assert again.predict(events()).tolist() == model.predict(events()).tolist()
    assert again.save(tmp_path / "again.weights.xml").read_bytes() == copy.read_bytes()
    ours, theirs = ET.parse(copy).getroot().find("Weights"), tree(toy, "HMatrix").find("Weights")
    assert [(e.tag, e.attrib) for e in ours] == [(e.tag, e.attrib) for e in theirs]
    for one, two in zip(ours, theirs, strict=True):
        assert np.array_equal(np.array(one.text.split(), float), np.array(two.text.split(), float))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (without("Weights/VecMeanB"), "lacks <VecMeanB>"),
        (without("Weights/InvHMatS"), "lacks <InvHMatS>"),
        (set_to("Weights/InvHMatB", Rows="3"), "4 rows"),
        (set_to("Weights/InvHMatB", Columns="40000"), "4 columns"),
        (set_to("Weights/VecMeanS", Rows="2"), "1 rows"),
        (without("Weights/VecMeanS", "Columns"), "Columns"),
        (text("Weights/VecMeanS", "1 2 3"), "should hold 4 numbers"),
        (text("Weights/VecMeanS", "1 2 3 nan"), "<VecMeanS> holds a number that is not finite"),
        (text("Weights/InvHMatB", "x"), "not a number"),
    ],
)
def test_damaged_files_are_refused(toy, tmp_path, change, word: str) -> None:
    with pytest.raises(WeightFileError, match=word):
        changed(toy, tmp_path, "HMatrix", change)


def test_it_is_not_trained() -> None:
    with pytest.raises(MethodError, match="HMatrix"):
        HMatrix(HMatrixOptions()).fit(None, None)

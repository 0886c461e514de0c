"""Cuts: decisions at a signal efficiency, the cuts behind them, and damaged files."""

from __future__ import annotations

from array import array
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods.cuts import Cuts, CutsOptions, CutsState

from mvakit.errors import DataError, MethodError, MvakitWarning, WeightFileError
from mvakit.model import Model
from mvakit.reader import Reader, RReader
from tests.unit.toy_files import changed, doubled, events, set_to, tree, without

BIN = "Weights/Bin"


def ladder(n_bins: int) -> CutsState:
    """Bin i, counted from zero, keeps what lies between i and i + 1."""
    low = np.arange(n_bins, dtype=np.float64)[:, np.newaxis]
    return CutsState(low, low + 1, np.arange(n_bins) / n_bins, np.zeros(n_bins))


def passing(state: CutsState, efficiency: float) -> list[int]:
    """Which of the intervals passes at an efficiency."""
    x = np.arange(len(state.signal), dtype=np.float32)[:, np.newaxis] + np.float32(0.5)
    return np.flatnonzero(Cuts(CutsOptions()).predict(state, x, efficiency=efficiency)).tolist()


@pytest.mark.parametrize(
    ("efficiency", "applied"),
    # bins as ROOT 6.40 finds them: 0.7 is in the one that ends at 70 times 0.01; TMVA takes the cuts of the next one
    [(1e-9, 1), (0.3, 31), (0.305, 31), (0.5, 51), (0.7, 70), (0.71, 72), (0.29, 30), (0.9, 91), (0.985, 99), (0.995, 99), (1.0, 99), (7.0, 99)],
)  # fmt: skip
def test_the_bin_above_decides(efficiency: float, applied: int) -> None:
    assert passing(ladder(100), efficiency) == [applied]


def test_what_root_counts() -> None:
    state = ladder(100)
    assert [state.bin(e) for e in (-0.1, 0.0, 0.005, 0.01, 0.69, 0.7, 0.82, 0.94, 0.995, 1.0, 2.0)] == [
        0, 1, 1, 2, 69, 70, 82, 94, 100, 101, 101,
    ]  # fmt: skip
    with pytest.raises(DataError, match="nan"):
        state.bin(float("nan"))


def test_what_tmva_shows() -> None:
    state = ladder(100)
    efficiency, low, high = state.at(0.705)
    assert (efficiency, low.tolist(), high.tolist()) == (70 * 0.01, [70.0], [71.0])
    assert state.at(-3)[1] == [0.0]
    assert state.at(3)[1] == [99.0]
    low[:] = -1
    assert state.at(0.705)[1] == [70.0]


def test_a_cut_is_open_below_and_closed_above() -> None:
    state = ladder(2)
    assert Cuts(CutsOptions()).predict(state, np.float32([[1.0], [1.0000001], [2.0], [2.0000002]]), efficiency=0.9).tolist() == [
        0.0, 1.0, 1.0, 0.0,
    ]  # fmt: skip


@pytest.mark.parametrize("efficiency", [None, 0.0, -0.5])
def test_without_an_efficiency_nothing_passes(toy, tmp_path, efficiency) -> None:
    model = changed(toy, tmp_path, "CutsMC")
    with pytest.warns(MvakitWarning, match="efficiency"):
        assert model.predict(events(5), efficiency=efficiency).tolist() == [0.0] * 5


def test_all_variables_have_to_pass(toy, tmp_path) -> None:
    model, X = changed(toy, tmp_path, "CutsMC"), events(3000)
    low, high = model.state.low[70], model.state.high[70]
    expected = np.array([all(a < x <= b for a, x, b in zip(low, row, high, strict=True)) for row in X.astype(float)])
    assert 100 < expected.sum() < 2900
    assert model.predict(X, efficiency=0.7).tolist() == expected.astype(float).tolist()
    assert float(model.predict(X[:1], efficiency=0.7)[0]) == float(expected[0])


def test_the_reader_passes_the_efficiency_on(toy) -> None:
    path = toy / "class" / "weights" / "Toy_CutsMC.weights.xml"
    reader, buffers = Reader("Silent"), [array("f", [0.0]) for _ in range(4)]
    model = Model.load(path)
    for variable, buffer in zip(model.variables, buffers, strict=True):
        reader.AddVariable(f"{variable.label}:={variable.expression}", buffer)
    reader.BookMVA("cuts", path)
    X = events(40)
    found = []
    for row in X:
        for buffer, value in zip(buffers, row, strict=True):
            buffer[0] = value
        found.append(
            [reader.EvaluateMVA("cuts", 0.3), reader.EvaluateMVA("cuts", 0.7), reader.EvaluateMVA(row, "cuts", 0.9)]
        )
    expected = np.column_stack([model.predict(X, efficiency=e) for e in (0.3, 0.7, 0.9)])
    assert found == expected.tolist()
    assert len(np.unique(expected)) == 2
    assert RReader(path).Compute(X, efficiency=0.7).tolist() == expected[:, 1].tolist()


def test_cuts_on_transformed_variables(toy, tmp_path) -> None:
    def decorrelated(root: ET.Element) -> None:
        root.remove(root.find("Transformations"))
        root.insert(5, tree(toy, "FisherD").find("Transformations"))
        root.find("Options/Option[@name='VarTransform']").text = "D"

    model, plain = changed(toy, tmp_path, "CutsMC", decorrelated), changed(toy, tmp_path, "CutsMC")
    X = events()
    assert len(model.chain) == 1
    assert model.predict(X, efficiency=0.9).tolist() == plain.predict(model.chain.apply(X), efficiency=0.9).tolist()
    assert model.predict(X, efficiency=0.9).tolist() != plain.predict(X, efficiency=0.9).tolist()


def test_a_file_is_written_as_it_was_read(toy, tmp_path) -> None:
    model = changed(toy, tmp_path, "CutsMC")
    copy = model.save(tmp_path / "copy.weights.xml")
    again = Model.load(copy)
    for name in ("low", "high", "signal", "background", "fit_method", "efficiency_method"):
        assert np.array_equal(getattr(again.state, name), getattr(model.state, name)), name
    assert again.save(tmp_path / "again.weights.xml").read_bytes() == copy.read_bytes()
    ours, theirs = ET.parse(copy).getroot(), tree(toy, "CutsMC")
    assert [(e.tag, e.attrib) for e in ours.find("Weights").iter()] == [
        (e.tag, e.attrib) for e in theirs.find("Weights").iter()
    ]
    for name in ("CutRangeMin", "VarProp"):
        found, expected = (root.find(f"Options/Option[@name='{name}']") for root in (ours, theirs))
        assert (found.attrib, found.text) == (expected.attrib, expected.text)
    assert "<!--Below are the optimised cuts for 4 variables" in copy.read_text()


def test_files_of_more_bins_are_read(toy, tmp_path) -> None:
    def fewer(root: ET.Element) -> None:
        weights = root.find("Weights")
        for item in weights.findall("Bin")[:0:-1]:
            weights.remove(item)
        weights.set("nbins", "1")

    model = changed(toy, tmp_path, "CutsMC", fewer)
    assert model.state.low.shape == (1, 4)
    assert model.predict(events(3), efficiency=0.5).shape == (3,)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (set_to("Weights", nbins="99"), "holds 100 <Bin>"),
        (set_to("Weights", nbins="2000000000"), "nbins"),
        (set_to("Weights", nbins="0"), "nbins"),
        (without("Weights", "nbins"), "nbins"),
        (without("Weights", "FitMethod"), "FitMethod"),
        (set_to("Weights", OptimisationMethod="x"), "OptimisationMethod"),
        (without(BIN), "holds 99 <Bin>"),
        (doubled(BIN), "holds 101 <Bin>"),
        (set_to(BIN, ibin="2"), "two <Bin ibin='2'>"),
        (set_to(BIN, ibin="0"), "ibin"),
        (set_to(BIN, ibin="101"), "ibin"),
        (set_to(BIN, effB="nan"), "effB"),
        (without(BIN, "effS"), "effS"),
        (without(f"{BIN}/Cuts"), "lacks <Cuts>"),
        (set_to(f"{BIN}/Cuts", cutMin_2="inf"), "cutMin_2"),
        (without(f"{BIN}/Cuts", "cutMax_3"), "cutMax_3"),
    ],
)
def test_damaged_files_are_refused(toy, tmp_path, change, word: str) -> None:
    with pytest.raises(WeightFileError, match=word):
        changed(toy, tmp_path, "CutsMC", change)


def test_options_are_tmva_s() -> None:
    options = CutsOptions.parse("FitMethod=SA:EffPDF:CutRangeMin[0]=-10:VarProp[1]=FMax:PopSize=400")
    assert (options.fit_method, options.efficiency_method, options.population) == ("SA", "EffPDF", 400)
    assert options.range_minimum.resolve(2, "CutRangeMin") == [-10.0, -1.0]
    assert options.properties.resolve(2, "VarProp") == ["NotEnforced", "FMax"]
    assert (options.steps, options.cycles, options.convergence, options.samples) == (40, 3, 0.001, 100_000)


def test_it_is_not_trained() -> None:
    with pytest.raises(MethodError, match="Cuts"):
        Cuts(CutsOptions()).fit(None, None)


def test_the_reader_finds_the_cuts(toy) -> None:
    weights = toy / "class" / "weights"
    reader = Reader("Silent")
    model = reader.BookMVA("cuts", weights / "Toy_CutsMC.weights.xml")
    reader.BookMVA("fisher", weights / "Toy_Fisher.weights.xml")
    assert reader.FindMVA("cuts") is model
    low, high = [5.0], []
    assert reader.FindCutsMVA("cuts").GetCuts(0.705, low, high) == 70 * 0.01
    assert (low, high) == (model.state.low[70].tolist(), model.state.high[70].tolist())
    with pytest.raises(MethodError, match="Fisher, which has no cuts"):
        reader.FindCutsMVA("fisher")
    fisher = reader.FindMVA("fisher")
    with pytest.raises(MethodError, match="has no cuts"):
        fisher.method.cuts(fisher.state, 0.5)

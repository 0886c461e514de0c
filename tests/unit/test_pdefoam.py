"""PDEFoam: foams made by hand against their boxes, the file of TMVA's toy, and files that are damaged."""

from __future__ import annotations

import dataclasses
import lzma
import struct
import zlib
from pathlib import Path
from xml.etree import ElementTree as ET

import cramjam
import numpy as np
import pytest
from mvakit_methods.pdefoam import PDEFoam, PDEFoamOptions, foam, method, rootfile
from mvakit_methods.pdefoam.application import GAUSS, LINEAR_NEIGHBOURS, NO_KERNEL, cell_values, targets
from mvakit_methods.pdefoam.foam import Foam
from mvakit_methods.pdefoam.rootfile import FoamFile, StreamedFoam

from mvakit.errors import MethodError, WeightFileError
from mvakit.method import FitContext, WeightContext
from mvakit.types import AnalysisType
from mvakit.variables import Variable
from tests.unit.foam_files import Box, block, foam_bytes, grow, streamed, with_record

RNG = np.random.default_rng(3)
BOXES = grow(RNG, 2, 40)
SPARSE = grow(RNG, 3, 60, empty=0.4)
EVENTS = RNG.uniform(-1, 11, (200, 3)).astype(np.float32)
STEP = 1e-6


def at(boxes: list[Box], x: np.ndarray) -> Box:
    """Return the leaf at a point; the outer ones reach on."""
    for box in boxes:
        above = (x > box.low) | (box.low < 1e-12)
        below = (x <= box.low + box.size) | (box.low + box.size > 1 - 1e-12)
        if not box.daughters and (above & below).all():
            return box
    raise AssertionError(x)


def beyond(boxes: list[Box], x: np.ndarray, d: int, place: float) -> Box:
    moved = x.copy()
    moved[d] = place
    return at(boxes, moved)


def known(box: Box) -> bool:
    return box.elements[1] != -1


def around(boxes: list[Box], x: np.ndarray) -> float:
    """Return the mean of the neighbours that have a value."""
    box = at(boxes, x)
    sides = [
        beyond(boxes, x, d, place)
        for d in range(len(x))
        for place in (box.low[d] - STEP, box.low[d] + box.size[d] + STEP)
    ]
    values = [side.elements[0] for side in sides if known(side)]
    return float(np.mean(values)) if values else 0.0


def linear(boxes: list[Box], x: np.ndarray) -> float:
    box, shares = at(boxes, x), []
    for d in range(len(x)):
        inside = (x[d] - box.low[d]) / box.size[d]
        near = box.low[d] - STEP if inside < 0.5 else box.low[d] + box.size[d] + STEP
        share, other = min(inside, 1 - inside), beyond(boxes, x, d, near)
        if known(other):
            shares.append(box.elements[0] * (0.5 + share) + other.elements[0] * (0.5 - share))
    return float(np.mean(shares)) if shares else box.elements[0]


def gauss(boxes: list[Box], x: np.ndarray, sigma: float) -> float:
    instead, x = around(boxes, x), np.clip(x, 0, 1)
    leaves = [box for box in boxes if not box.daughters]
    gaps = [x - np.clip(x, box.low, box.low + box.size) for box in leaves]
    weight = np.exp([-0.5 * (gap @ gap) / sigma**2 for gap in gaps])
    values = [box.elements[0] if known(box) else instead for box in leaves]
    return float(weight @ values / weight.sum())


def of(boxes: list[Box], kind: str = "PDEFoamDiscriminant", **other) -> Foam:
    return Foam.of(streamed(boxes, kind, **other), len(boxes[0].low), "a foam")


@pytest.mark.parametrize("kernel", [NO_KERNEL, GAUSS, LINEAR_NEIGHBOURS])
@pytest.mark.parametrize(("boxes", "kind"), [(BOXES, "PDEFoamDiscriminant"), (SPARSE, "PDEFoamTarget")])
def test_what_cells_say(boxes, kind, kernel):
    n = len(boxes[0].low)
    expected = []
    for x in (EVENTS[:, :n] / np.float32(10)).astype(np.float64):
        if kind == "PDEFoamTarget" and not known(at(boxes, x)):
            expected.append(around(boxes, x))
        elif kernel == GAUSS:
            expected.append(gauss(boxes, x, 0.05))
        else:
            expected.append(linear(boxes, x) if kernel == LINEAR_NEIGHBOURS else at(boxes, x).elements[0])
    found = cell_values(of(boxes, kind), EVENTS[:, :n], kernel, 0.05)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_an_older_foam_says_by_a_number_that_it_is_of_a_target():
    assert of(SPARSE, "PDEFoam", foam_type=2).undefined.any()
    assert not of(SPARSE, "PDEFoam", foam_type=1).undefined.any()
    assert not of(SPARSE, "PDEFoamDiscriminant", foam_type=2).undefined.any()


def test_density():
    expected = [at(BOXES, x).elements[0] / at(BOXES, x).volume for x in EVENTS[:, :2].astype(np.float64) / 10]
    np.testing.assert_allclose(cell_values(of(BOXES), EVENTS[:, :2], NO_KERNEL, 1, density=True), expected, rtol=1e-6)


@pytest.mark.parametrize("most_probable", [True, False])
def test_targets(most_probable):
    """Two variables and one target, and one variable and two."""
    for n_variables in (2, 1):
        expected = []
        for x in np.clip(EVENTS[:, :n_variables].astype(np.float64) / 10, 1e-7, 1 - 1e-7):
            leaves = [
                box
                for box in SPARSE
                if not box.daughters and ((x > box.low[:n_variables]) & (x <= (box.low + box.size)[:n_variables])).all()
            ]
            density = np.array([box.elements[0] / box.volume for box in leaves])
            middle = np.array([10 * (box.low + box.size / 2)[n_variables:] for box in leaves])
            if not density.any():
                expected.append(np.zeros(3 - n_variables) if most_probable else np.full(3 - n_variables, 5.0))
            elif most_probable:
                # TMVA sets the first target only.
                expected.append([middle[np.argmax(density)][0], *[0.0] * (2 - n_variables)])
            else:
                expected.append(density @ middle / density.sum())
        found = targets(of(SPARSE), EVENTS[:, :n_variables], most_probable=most_probable)
        np.testing.assert_allclose(found, expected, rtol=1e-4)


# ------------------------------------------------------------------------------------------------- the method


def context(analysis=AnalysisType.CLASSIFICATION, n_variables=2, n_targets=0, data=b"", n_classes=2) -> WeightContext:
    names = [Variable(f"x{i}", f"x{i}", "", "", "F", 0, 1) for i in range(n_variables + n_targets)]
    classes = ("Signal", "Background", "bg2")[:n_classes]

    def beside(name: str) -> bytes:
        assert name == "*_foams.root"
        return data

    variables, of_targets = tuple(names[:n_variables]), tuple(names[n_variables:])
    return WeightContext(analysis, "Foam", variables, classes, of_targets, {}, beside, {})


def element(n_dimensions: int = 2, **attributes: str) -> ET.Element:
    settings = {
        "SigBgSeparated": "0", "Frac": "1e-3", "DiscrErrCut": "-1", "VolFrac": "0.1", "nCells": "999", "nSampl": "2000",
        "nBin": "5", "EvPerBin": "10000", "Compress": "1", "DoRegression": "0", "CutNmin": "1", "Nmin": "100",
        "CutRMSmin": "0", "RMSmin": "0.0", "Kernel": "0", "TargetSelection": "0", "FillFoamWithOrigWeights": "0",
        "UseYesNoCell": "0",
    }  # fmt: skip
    weights = ET.Element("Weights", {**settings, **attributes})
    for tag, value in (("Xmin", "0.0"), ("Xmax", "10.0")):
        for i in range(n_dimensions):
            ET.SubElement(weights, tag, Index=str(i), Value=value)
    return weights


FOAMS = {
    "DiscrFoam": streamed(BOXES),
    "SignalFoam": streamed(BOXES, "PDEFoamEvent"),
    "BgFoam": streamed(grow(RNG, 2, 10, empty=0.5), "PDEFoamEvent"),
    **{f"MultiClassFoam{i}": streamed(grow(RNG, 2, 10)) for i in range(3)},
    "MonoTargetRegressionFoam": streamed(grow(RNG, 2, 30, empty=0.3), "PDEFoamTarget"),
    "MultiTargetRegressionFoam": streamed(SPARSE, "PDEFoamMultiTarget", selection=1),
}


@pytest.fixture
def made_by_hand(monkeypatch):
    """Let the file have all the foams."""

    def read(self: FoamFile, names: tuple[str, ...]) -> list[StreamedFoam]:
        return [FOAMS[name] for name in names]

    monkeypatch.setattr(method.FoamFile, "read", read)


def answer(weights: ET.Element, options: str = "", n_events: int = 200, **keywords) -> np.ndarray:
    pdefoam = PDEFoam(PDEFoamOptions.parse(options))
    state = pdefoam.read_state(weights, context(**keywords))
    return pdefoam.predict(state, EVENTS[:n_events, : keywords.get("n_variables", 2)])


def told(name: str, **keywords) -> np.ndarray:
    made = Foam.of(FOAMS[name], 2, name)
    return cell_values(made, EVENTS[:, :2], keywords.pop("kernel", NO_KERNEL), keywords.pop("sigma", 1), **keywords)


@pytest.mark.usefixtures("made_by_hand")
def test_answers_of_a_classification():
    np.testing.assert_array_equal(answer(element()), told("DiscrFoam"))
    np.testing.assert_array_equal(answer(element(UseYesNoCell="1")), np.sign(told("DiscrFoam") - 0.5))
    np.testing.assert_array_equal(
        answer(element(Kernel="1")), told("DiscrFoam", kernel=GAUSS, sigma=float(np.float32(0.05)))
    )
    np.testing.assert_array_equal(answer(element(Kernel="2")), told("DiscrFoam", kernel=LINEAR_NEIGHBOURS))
    signal, background = told("SignalFoam", density=True), told("BgFoam", density=True)
    assert (background == 0).any()
    np.testing.assert_allclose(answer(element(SigBgSeparated="1")), signal / (signal + background))


@pytest.mark.usefixtures("made_by_hand")
def test_two_foams_that_are_empty_at_an_event_leave_it_open(monkeypatch):
    nothing = [dataclasses.replace(box, elements=()) for box in BOXES]
    monkeypatch.setitem(FOAMS, "SignalFoam", streamed(nothing, "PDEFoamEvent"))
    monkeypatch.setitem(FOAMS, "BgFoam", streamed(nothing, "PDEFoamEvent"))
    assert set(answer(element(SigBgSeparated="1"))) == {0.5}


@pytest.mark.usefixtures("made_by_hand")
def test_answers_of_a_multiclass():
    found = answer(element(), analysis=AnalysisType.MULTICLASS, n_classes=3)
    shares = np.exp(np.column_stack([told(f"MultiClassFoam{i}") for i in range(3)]))
    np.testing.assert_allclose(found, shares / shares.sum(axis=1, keepdims=True), rtol=1e-6)


def test_a_multiclass_needs_classes():
    with pytest.raises(WeightFileError, match="has none"):
        answer(element(), analysis=AnalysisType.MULTICLASS, n_classes=0)


@pytest.mark.usefixtures("made_by_hand")
def test_answers_of_a_regression():
    regression = {"analysis": AnalysisType.REGRESSION}
    one = answer(element(), n_targets=1, **regression)
    np.testing.assert_array_equal(one, told("MonoTargetRegressionFoam"))
    two = answer(element(3), "MultiTargetRegression", n_variables=1, n_targets=2, **regression)
    # What the foam says of its targets counts more than what the weight file does.
    made = Foam.of(FOAMS["MultiTargetRegressionFoam"], 3, "")
    np.testing.assert_array_equal(two, targets(made, EVENTS[:, :1], most_probable=True))
    single = answer(element(3), "MultiTargetRegression", n_variables=2, n_targets=1, **regression)
    np.testing.assert_array_equal(single, targets(made, EVENTS[:, :2], most_probable=True)[:, 0])
    with pytest.raises(WeightFileError, match="2 targets"):
        answer(element(), n_targets=2, **regression)


@pytest.mark.usefixtures("made_by_hand")
def test_read_write_read():
    pdefoam = PDEFoam(PDEFoamOptions())
    weights = element()
    state = pdefoam.read_state(weights, context(data=b"the file"))
    again = ET.Element("Weights")
    assert pdefoam.write_state(state, again) == {"*_foams.root": b"the file"}
    assert again.attrib == weights.attrib
    assert [(e.tag, e.get("Index"), float(e.get("Value", ""))) for e in again] == [
        (e.tag, e.get("Index"), float(e.get("Value", ""))) for e in weights
    ]
    back = pdefoam.read_state(again, context(data=b"the file"))
    np.testing.assert_array_equal(pdefoam.predict(back, EVENTS[:, :2]), pdefoam.predict(state, EVENTS[:, :2]))


@pytest.mark.usefixtures("made_by_hand")
def test_ranking_counts_divisions():
    pdefoam = PDEFoam(PDEFoamOptions())
    state = pdefoam.read_state(element(), context())
    ranking = pdefoam.ranking(state, context().variables)
    divided = [box.best for box in BOXES if box.daughters]
    np.testing.assert_allclose([v for _, v in ranking.values], np.bincount(divided, minlength=2) / len(divided))


def test_options_are_those_of_tmva():
    found = {spec.name: spec.default for spec in PDEFoamOptions.declared()}
    expected = {
        "SigBgSeparate": False, "TailCut": 0.001, "VolFrac": 1 / 15, "nActiveCells": 500, "nSampl": 2000, "nBin": 5,
        "Compress": True, "MultiTargetRegression": False, "Nmin": 100, "MaxDepth": 0, "FillFoamWithOrigWeights": False,
        "UseYesNoCell": False, "DTLogic": "None", "Kernel": "None", "TargetSelection": "Mean",
    }  # fmt: skip
    assert {name: found[name] for name in expected} == expected


def test_it_is_not_trained():
    with pytest.raises(MethodError, match="cannot be trained"):
        PDEFoam(PDEFoamOptions()).fit(None, FitContext(AnalysisType.CLASSIFICATION, "Foam", (), ()))


SETTINGS = {
    "SigBgSeparated": lambda w: w.set("SigBgSeparated", "x"),
    "VolFrac": lambda w: w.set("VolFrac", "0"),
    "VolFrac='1e39'": lambda w: w.set("VolFrac", "1e39"),
    "Kernel": lambda w: w.set("Kernel", "3"),
    "TargetSelection": lambda w: w.attrib.pop("TargetSelection"),
    "2 <Xmin>": lambda w: w.remove(w[0]),
    "Index": lambda w: w[3].set("Index", "2"),
    "2 <Xmax>": lambda w: w[3].set("Index", "0"),
    "Value": lambda w: w[0].set("Value", "nan"),
}


@pytest.mark.usefixtures("made_by_hand")
@pytest.mark.parametrize("what", SETTINGS)
def test_damaged_settings_are_refused(what):
    weights = element()
    SETTINGS[what](weights)
    with pytest.raises(WeightFileError, match=what):
        answer(weights)


# ----------------------------------------------------------------------------------------------- cells and bytes


def changed(i: int, **values) -> StreamedFoam:
    whole = streamed(BOXES)
    cells = list(whole.cells)
    cells[i] = dataclasses.replace(cells[i], **values)
    return dataclasses.replace(whole, cells=cells)


LEAF = next(i for i, box in enumerate(BOXES) if not box.daughters)
BAD_FOAMS = {
    "3 dimensions": dataclasses.replace(streamed(BOXES), n_dimensions=3),
    "no box": dataclasses.replace(streamed(BOXES), highest=(10.0, 0.0)),
    "fills no": dataclasses.replace(streamed(BOXES), lowest=(float("nan"), 0.0)),
    "a circle": changed(1, daughters=(2, 3)),
    "its own parent": changed(2, parent=3),
    "no daughters": changed(LEAF, active=False),
    "lost cells": changed(0, active=True),
    "a number": changed(LEAF, elements=(float("inf"), 0.0)),
    "a volume": changed(LEAF, volume=float("nan")),
    "a division": changed(0, division=1.5),
    "no division": changed(0, division=float("nan")),
    "a dimension": changed(0, best=2),
    "a huge dimension": changed(0, best=2**63),
}


@pytest.mark.parametrize("what", BAD_FOAMS)
def test_cells_that_are_no_foam_are_refused(what):
    with pytest.raises(WeightFileError, match="the foam"):
        Foam.of(BAD_FOAMS[what], 2, "the foam")


def test_deep_and_large_foams_are_refused(monkeypatch):
    monkeypatch.setattr(foam, "MAX_DEPTH", 3)
    with pytest.raises(WeightFileError, match="more than 3 times"):
        of(BOXES)
    monkeypatch.setattr(foam, "MAX_NUMBERS", 10)
    with pytest.raises(WeightFileError, match="too many"):
        of(BOXES)


@pytest.fixture(scope="module")
def data(toy: Path) -> bytes:
    return (toy / "class" / "weights" / "Toy_PDEFoam.weights_foams.root").read_bytes()


def test_a_file_of_tmva(data):
    (found,) = FoamFile(data, "the file").read(("DiscrFoam",))
    assert (found.kind, found.n_dimensions) == ("TMVA::PDEFoamDiscriminant", 4)
    made = Foam.of(found, 4, "the foam")
    leaves = made.dimension < 0
    np.testing.assert_allclose(made.size[leaves].prod(axis=1).sum(), 1)
    np.testing.assert_allclose([cell.volume for cell in found.cells], made.size.prod(axis=1), rtol=1e-12)


PACKERS = {
    "not at all": None,
    "ZL": lambda raw: block(b"ZL", zlib.compress(raw), len(raw)),
    "XZ": lambda raw: block(b"XZ", lzma.compress(raw), len(raw)),
    "ZS": lambda raw: block(b"ZS", bytes(cramjam.zstd.compress(raw)), len(raw)),
    "L4": lambda raw: block(b"L4", b"checksum" + bytes(cramjam.lz4.compress_block(raw, store_size=False)), len(raw)),
    "two blocks": lambda raw: (
        block(b"ZL", zlib.compress(raw[:500]), 500) + block(b"ZL", zlib.compress(raw[500:]), len(raw) - 500)
    ),
}


@pytest.mark.parametrize("packer", PACKERS)
def test_a_foam_made_by_hand_is_read_from_its_bytes(data, packer):
    file = with_record(data, lambda _, head: foam_bytes(BOXES, head), PACKERS[packer])
    (found,) = FoamFile(file, "the file").read(("DiscrFoam",))
    assert found == dataclasses.replace(streamed(BOXES), foam_type=1)


BAD_PACKERS = {
    "unpacks to": lambda raw: block(b"ZL", zlib.compress(raw[:-1]), len(raw) - 1),
    "cannot be unpacked": lambda raw: block(b"ZL", b"y" + zlib.compress(raw)[1:], len(raw)),
    "another number of bytes": lambda raw: block(b"ZL", zlib.compress(raw * 1000), len(raw)),
    "not known": lambda raw: block(b"CS", zlib.compress(raw), len(raw)),
    "ends early": lambda raw: b"ZL",
    "number of bytes than it says": lambda raw: block(b"XZ", lzma.compress(raw)[:200], len(raw)),
}


@pytest.mark.parametrize("what", BAD_PACKERS)
def test_bytes_that_are_badly_packed_are_refused(data, what):
    file = with_record(data, lambda _, head: foam_bytes(BOXES, head), BAD_PACKERS[what])
    with pytest.raises(WeightFileError, match=what):
        FoamFile(file, "the file").read(("DiscrFoam",))


def test_records_that_are_too_large_are_refused(data, monkeypatch):
    monkeypatch.setattr(rootfile, "MAX_OBJECT_BYTES", 1000)
    with pytest.raises(WeightFileError, match="larger than"):
        FoamFile(data, "the file").read(("DiscrFoam",))
    monkeypatch.setattr(rootfile, "MAX_STREAMER_BYTES", 1000)
    with pytest.raises(WeightFileError, match="description of classes"):
        FoamFile(data, "the file").read(("DiscrFoam",))
    monkeypatch.setattr(rootfile, "MAX_OBJECT_BYTES", 10**9)
    monkeypatch.setattr(rootfile, "MAX_STREAMER_BYTES", 10**9)
    monkeypatch.setattr(rootfile, "MAX_CELLS", 10)
    with pytest.raises(WeightFileError, match="between 1 and 10 cells"):
        FoamFile(data, "the file").read(("DiscrFoam",))


@pytest.mark.parametrize("bad", [b"", b"root", b"root" + bytes(500), b"<xml/>" * 100])
def test_what_is_no_root_file_is_refused(bad):
    with pytest.raises(WeightFileError, match="the file"):
        FoamFile(bad, "the file").read(("DiscrFoam",))


def test_foams_that_are_not_there_are_refused(data):
    with pytest.raises(WeightFileError, match="lacks 'SignalFoam'.*'DiscrFoam'"):
        FoamFile(data, "the file").read(("SignalFoam",))
    with pytest.raises(WeightFileError, match="is a TProcessID, not a foam"):
        FoamFile(data, "the file").read(("ProcessID0",))


def patched(place: int, code: str, value: float):
    """Write a number over the bytes of the foam."""

    def make(_: bytes, head: int) -> bytes:
        raw = bytearray(foam_bytes(BOXES, head))
        struct.pack_into(">" + code, raw, place, value)
        return bytes(raw)

    return make


# The places of: the version, fNCells, fLastCe, the first cell's tag, and the flags that say another file's object is meant.
HEAD = 12 + 10 + 10
PATCHES = {
    "ends early": patched(0, "I", 0x7FFFFFFF),
    "which its file does not describe": patched(4, "H", 9),
    "is not as long as it says": patched(0, "I", 0x40000000 | 100),
    "between 1 and 1000000 cells, not -1": patched(HEAD + 4, "i", -1),
    "between 1 and 1000000 cells, not 2147483647": patched(HEAD + 4, "i", 2**31 - 1),
    "fLastCe=5000": patched(HEAD + 24, "i", 5000),
    "a class that it has not named": patched(HEAD + 28 + 6 + 4, "I", 0x80000123),
    "has a XMVA::PDEFoamCell": patched(HEAD + 28 + 6 + 8, "c", b"X"),
    "refers to an object of another file": patched(HEAD + 28 + 6 + 8 + 18 + 6 + 12 + 10 + 6, "I", 0x20),
}


@pytest.mark.parametrize("what", PATCHES)
def test_damaged_bytes_are_refused(data, what):
    with pytest.raises(WeightFileError, match=what):
        FoamFile(with_record(data, PATCHES[what]), "the file").read(("DiscrFoam",))


def test_every_cut_is_noticed(data):
    whole = foam_bytes(BOXES, 0)
    for size in range(0, len(whole), 997):
        cut = with_record(data, lambda _, head, size=size: foam_bytes(BOXES, head)[:size])
        with pytest.raises(WeightFileError):
            FoamFile(cut, "the file").read(("DiscrFoam",))


def test_damaged_files_are_read_or_refused(data):
    rng = np.random.default_rng(8)
    raw_file = with_record(data, lambda raw, _: raw)
    for original in (data, raw_file):
        for _ in range(40):
            file = bytearray(original)
            for place in rng.integers(0, len(file), rng.integers(1, 4)):
                file[place] = rng.integers(256)
            try:
                Foam.of(FoamFile(bytes(file), "the file").read(("DiscrFoam",))[0], 4, "the foam")
            except WeightFileError as error:
                assert "the f" in str(error)

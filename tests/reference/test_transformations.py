"""TMVA's own transformations: read, applied, made again from TMVA's own training events."""

from __future__ import annotations

import csv
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import uproot

from mvakit.dataset import Sample
from mvakit.transformations import Chain, fit_chain
from mvakit.weightfile import WeightDocument, read_document

CLASS = "TMVAClassification"


def read(path: Path) -> tuple[WeightDocument, Chain]:
    document = read_document(path)
    chain = Chain.read(
        document.transformations,
        document.option("VarTransform") or "",
        document.variables,
        document.classes,
        document.targets,
        document.spectators,
    )
    return document, chain


def column(path: Path, name: str) -> np.ndarray:
    with path.open() as lines:
        return np.array([float(row[name]) for row in csv.DictReader(lines)])


@pytest.fixture(scope="module")
def events(toy: Path) -> np.ndarray:
    """The first 200 events of each tree: var1+var2, var1-var2, var3, var4."""
    found = []
    with uproot.open(toy / "toy_classification.root") as file:
        for tree in ("TreeS", "TreeB"):
            v = file[tree].arrays(["var1", "var2", "var3", "var4"], library="np", entry_stop=200)
            first, second = v["var1"].astype(float), v["var2"].astype(float)
            found.append(np.column_stack([first + second, first - second, v["var3"], v["var4"]]))
    return np.vstack(found).astype(np.float32)


@pytest.mark.parametrize(
    ("title", "text", "suffix", "tolerance"),
    [
        ("FisherN", "N", "Norm", 1e-10),
        ("FisherNsub", "N(var1,var3)", "Norm", 1e-10),
        ("FisherD", "D", "Deco", 1e-10),
        ("FisherDsig", "D_Signal", "Deco", 1e-10),
        ("FisherP", "P", "PCA", 1e-10),
        ("FisherU", "U", "Uniform", 1e-10),
        ("FisherG", "G", "Gauss", 1e-6),  # ROOT's inverse error function is good to 1e-8
        ("FisherGD", "G,D", "Gauss_Deco", 1e-6),
        ("FisherNDP", "N+D+P", "Norm_Deco_PCA", 1e-10),
    ],
)
def test_responses(toy, events, title, text, suffix, tolerance):
    document, chain = read(toy / "class" / "weights" / f"Toy_{title}.weights.xml")
    assert (chain.text, chain.suffix) == (text, suffix)
    offset, *coefficients = (float(c.get("Value")) for c in document.weights.findall("Coefficient"))
    response = offset + chain.apply(events).astype(float) @ coefficients
    np.testing.assert_allclose(response, column(toy / "class" / "responses.csv", title), rtol=0, atol=tolerance)


def same(mine: ET.Element, theirs: ET.Element, tolerance: float) -> None:
    """Compare every element, attribute and number."""
    assert mine.tag == theirs.tag
    assert list(mine.keys()) == list(theirs.keys()), mine.tag
    for name, value in mine.items():
        if name in {"Min", "Max", "XMin", "XMax"}:
            assert float(value) == float(theirs.get(name)), (mine.tag, name)
        else:
            assert value == theirs.get(name), (mine.tag, name)
    numbers, expected = (np.array((e.text or "").split(), float) for e in (mine, theirs))
    np.testing.assert_allclose(numbers, expected, rtol=tolerance, atol=0, err_msg=mine.tag)
    assert len(mine) == len(theirs)
    for child, other in zip(mine, theirs, strict=True):
        same(child, other, tolerance)


def written_as_read(path: Path) -> int:
    """Write a file's transformations and read them back; return how many there are."""
    document, chain = read(path)
    written = chain.write()
    same(written, document.transformations, 1e-7)  # contents of single precision come with nine digits
    rest = (document.variables, document.classes, document.targets, document.spectators)
    back = Chain.read(ET.fromstring(ET.tostring(written)), chain.text, *rest)
    assert ET.tostring(back.write()) == ET.tostring(written)
    return len(chain)


def test_every_file_is_written_as_it_was_read(toy):
    files = list(toy.rglob("*.weights.xml"))
    declared = sum(path.read_text().count("<Transform ") for path in files)
    assert sum(written_as_read(path) for path in files) == declared > 12


def test_every_other_file_is_written_as_it_was_read(reference):
    paths = [path for path in reference.rglob("*.weights.xml") if "<Transform " in path.read_text()]
    assert sum(written_as_read(path) for path in paths) == 36


def tree(path: Path, names: list[str], targets: tuple[str, ...] = ()) -> Sample:
    """TMVA's training events in TMVA's order."""
    with uproot.open(path) as file:
        columns = file["dataset/TrainTree" if "dataset" in file else "datasetreg/TrainTree"].arrays(
            [*names, *targets, "classID", "weight"], library="np"
        )
    return Sample(
        np.column_stack([columns[n] for n in names]).astype(np.float32),
        columns["classID"],
        columns["weight"].astype(float),
        np.column_stack([columns[n] for n in targets]).astype(np.float32) if targets else np.zeros((0, 0), np.float32),
    )


@pytest.mark.parametrize(
    ("weights", "file"),
    [
        *(
            (f"tutorial/class/weights/{CLASS}_{title}.weights.xml", "tutorial/class/TMVAC.root")
            for title in ("MLP", "BDTD", "LikelihoodD", "FisherP", "FisherU", "FisherG", "FisherGD")
        ),
        (
            "tutorial/higgs/weights/TMVA_Higgs_Classification_MLP.weights.xml",
            "tutorial/higgs/Higgs_ClassificationOutput.root",
        ),
        ("toy/multi/weights/ToyMulti_MLPN.weights.xml", "toy/multi/TMVA.root"),
        ("toy/reg/weights/ToyReg_LDN.weights.xml", "toy/reg/TMVA.root"),
        ("tutorial/reg/weights/TMVARegression_MLP.weights.xml", "tutorial/reg/TMVAReg.root"),
    ],
)
def test_made_again_from_tmvas_training_events(reference, weights, file):
    """Ranges, matrices, axes with their signs, bins and cumulative contents: all as TMVA wrote them."""
    document, chain = read(reference / weights)
    train = tree(reference / file, [v.label for v in document.variables], tuple(v.label for v in document.targets))
    made = fit_chain(chain.text, train, document.variables, document.classes, document.targets)
    same(made.write(), document.transformations, 5e-8)
    np.testing.assert_allclose(made.apply(train.X), chain.apply(train.X), rtol=1e-5, atol=1e-6)


def test_regression_targets(reference):
    """LD on normalised variables and target: the response is brought back to the target's own scale."""
    document, chain = read(reference / "toy" / "reg" / "weights" / "ToyReg_LDN.weights.xml")
    expected = column(reference / "toy" / "reg" / "responses.csv", "LDN")
    with uproot.open(reference / "toy" / "toy_regression.root") as file:
        v = file["TreeR"].arrays(["var1", "var2"], library="np", entry_stop=len(expected))
    offset, *coefficients = (float(c.get("Value")) for c in document.weights.findall("Coefficient"))
    response = offset + chain.apply(np.column_stack([v["var1"], v["var2"]])).astype(float) @ coefficients
    assert chain.kinds == {"Variable", "Target"}
    np.testing.assert_allclose(chain.invert_targets(response[:, None])[:, 0], expected, rtol=0, atol=1e-5)

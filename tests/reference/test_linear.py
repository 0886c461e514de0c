"""Fisher and LD against TMVA: responses from its weight files, and coefficients from its own training events."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
import pytest
import uproot
from mvakit_methods.fisher import Fisher, FisherOptions
from mvakit_methods.ld import LD, LDOptions

from mvakit.dataset import Sample
from mvakit.method import AnyMethod, FitContext, WeightContext
from mvakit.types import AnalysisType
from mvakit.weightfile import WeightDocument, read_document


def method_of(document: WeightDocument) -> AnyMethod:
    if document.method == "LD":
        return LD(LDOptions())
    return Fisher(FisherOptions.parse(f"Method={document.option('Method')}"))


def state_of(document: WeightDocument):
    context = WeightContext(
        AnalysisType.CLASSIFICATION, document.title, document.variables, document.classes, (), {}, lambda name: b"", {}
    )
    return method_of(document).read_state(document.weights, context)


def flat(method: AnyMethod, state) -> np.ndarray:
    affine = method.structure(state)
    return np.append(affine.offset, affine.coefficients)


def toy_inputs(toy: Path) -> dict[str, np.ndarray]:
    inputs = {}
    with uproot.open(toy / "toy_classification.root") as file:
        for tree in ("TreeS", "TreeB"):
            v = file[tree].arrays(["var1", "var2", "var3", "var4"], library="np")
            columns = [v["var1"] + v["var2"], v["var1"] - v["var2"], v["var3"], v["var4"]]
            inputs[tree] = np.column_stack(columns).astype(np.float32)
    return inputs


@pytest.mark.parametrize("title", ["Fisher", "Mahalanobis", "LD"])
def test_responses_of_the_toy(toy, title):
    document = read_document(toy / "class" / "weights" / f"Toy_{title}.weights.xml")
    inputs = toy_inputs(toy)
    with (toy / "class" / "responses.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 300
    X = np.stack([inputs[row["tree"]][int(row["entry"])] for row in rows])
    response = method_of(document).predict(state_of(document), X)
    np.testing.assert_allclose(response, [float(row[title]) for row in rows], rtol=1e-6, atol=1e-6)


def test_a_weight_file_of_tmva_is_written_as_it_was_read(toy):
    from xml.etree import ElementTree as ET

    for title in ("Fisher", "Mahalanobis", "LD"):
        document = read_document(toy / "class" / "weights" / f"Toy_{title}.weights.xml")
        element = ET.Element("Weights")
        method_of(document).write_state(state_of(document), element)
        assert element.attrib == document.weights.attrib
        assert [c.attrib for c in element] == [c.attrib for c in document.weights]


# ------------------------------------------------------------------------------------------------- training

RUNS = {
    "class": (
        "tutorial/class/TMVAC.root",
        "tutorial/class/weights/TMVAClassification_{}.weights.xml",
        "tutorial/class/class_training.log",
    ),
    "higgs": (
        "tutorial/higgs/Higgs_ClassificationOutput.root",
        "tutorial/higgs/weights/TMVA_Higgs_Classification_{}.weights.xml",
        "tutorial/higgs/higgs_training.log",
    ),
    # Weights of both signs, other class weights than event counts.
    "cat": ("toy/cat/TMVA.root", "toy/cat/weights/ToyCat_{}.weights.xml", "toy/cat/training.log"),
}


def train_tree(reference: Path, run: str, document: WeightDocument) -> tuple[Sample, FitContext]:
    with uproot.open(reference / RUNS[run][0]) as file:
        columns = file["dataset/TrainTree"].arrays(
            [*(v.label for v in document.variables), "classID", "weight"], library="np"
        )
    X = np.column_stack([columns[v.label] for v in document.variables])
    context = FitContext(AnalysisType.CLASSIFICATION, document.title, document.variables, document.classes)
    return Sample(X, columns["classID"], columns["weight"].astype(np.float64)), context


def printed_ranking(log: Path, title: str) -> list[tuple[str, float]]:
    """Read the table "Ranking result" of a method from a training log of TMVA's."""
    text = log.read_text()
    start = text.index("Ranking input variables (method specific)")
    rows = re.findall(rf"^--- {title} +: +\d+ : (\S+) +: (\S+)$", text[start:], re.MULTILINE)
    return [(label, float(value)) for label, value in rows]


@pytest.mark.parametrize(
    ("run", "title"), [("class", "Fisher"), ("class", "LD"), ("higgs", "Fisher"), ("cat", "Fisher")]
)
def test_training_on_the_events_of_tmva(reference, run, title):
    document = read_document(reference / RUNS[run][1].format(title))
    method = method_of(document)
    train, context = train_tree(reference, run, document)
    state = method.fit(train, context)
    # What is left is the single precision of the weights in the tree.
    np.testing.assert_allclose(flat(method, state), flat(method, state_of(document)), rtol=1e-6)
    ranking = method.ranking(state, context.variables)
    printed = printed_ranking(reference / RUNS[run][2], title)
    assert [label for label, _ in ranking.ordered()] == [label for label, _ in printed]
    np.testing.assert_allclose([v for _, v in ranking.ordered()], [v for _, v in printed], rtol=6e-4)


def test_mahalanobis_is_fisher_on_another_scale(toy):
    """With one direction between the classes, the matrix of all events only shortens the vector of coefficients."""
    fisher, mahalanobis = (
        flat(method_of(d), state_of(d))
        for d in (read_document(toy / "class" / "weights" / f"Toy_{t}.weights.xml") for t in ("Fisher", "Mahalanobis"))
    )
    ratio = mahalanobis / fisher
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)
    train = Sample(np.concatenate(list(toy_inputs(toy).values())), np.repeat([0, 1], 3000), np.repeat([1.0, 0.5], 3000))
    document = read_document(toy / "class" / "weights" / "Toy_Fisher.weights.xml")
    context = FitContext(AnalysisType.CLASSIFICATION, "Fisher", document.variables, document.classes)
    ours = [
        np.append(s.offset, s.coefficients)
        for s in (Fisher(FisherOptions.parse(m)).fit(train, context) for m in ("Fisher", "Mahalanobis"))
    ]
    np.testing.assert_allclose(ours[1] / ours[0], ours[1][0] / ours[0][0], rtol=1e-9)
    assert 0 < ours[1][0] / ours[0][0] < 1

"""Fisher and LD against TMVA: responses from its weight files, and coefficients from its own training events."""

from __future__ import annotations

import csv
import dataclasses
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import uproot
from mvakit_methods.fisher import Fisher, FisherOptions
from mvakit_methods.ld import LD, LDOptions

from mvakit.dataset import Sample
from mvakit.method import AnyMethod, FitContext, WeightContext
from mvakit.transformations import Chain, fit_chain
from mvakit.types import AnalysisType
from mvakit.weightfile import WeightDocument, read_document


def method_of(document: WeightDocument) -> AnyMethod:
    if document.method == "LD":
        return LD(LDOptions())
    return Fisher(FisherOptions.parse(f"Method={document.option('Method')}"))


def state_of(document: WeightDocument):
    analysis = AnalysisType(document.info["AnalysisType"])
    context = WeightContext(
        analysis, document.title, document.variables, document.classes, document.targets, {}, lambda name: b"", {}
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


# ----------------------------------------------------------------------------------------------- regression

REGRESSIONS = {
    "tutorial": ("tutorial/reg/TMVAReg.root", "datasetreg", "tutorial/reg/weights/TMVARegression_LD.weights.xml"),
    "toy": ("toy/reg/TMVA.root", "dataset", "toy/reg/weights/ToyReg_LD.weights.xml"),
    # Variables and target normalised.
    "toy, N": ("toy/reg/TMVA.root", "dataset", "toy/reg/weights/ToyReg_LDN.weights.xml"),
}


def regression(reference: Path, run: str) -> tuple[WeightDocument, Chain, dict[str, Sample]]:
    """Return a weight file of TMVA's with its transformations, and the events that TMVA trained and tested on."""
    name, folder, weights = REGRESSIONS[run]
    document = read_document(reference / weights)
    transform = document.option("VarTransform")
    chain = Chain.read(
        document.transformations, transform, document.variables, document.classes, document.targets, document.spectators
    )
    samples = {}
    with uproot.open(reference / name) as file:
        for tree in ("TrainTree", "TestTree"):
            v = file[f"{folder}/{tree}"].arrays(["var1", "var2", "fvalue", "weight"], library="np")
            X, targets = np.column_stack([v["var1"], v["var2"]]), v["fvalue"][:, np.newaxis]
            samples[tree] = Sample(X, np.zeros(len(X), int), v["weight"].astype(np.float64), targets)
    return document, chain, samples


@pytest.mark.parametrize("run", REGRESSIONS)
def test_regression_on_the_events_of_tmva(reference, run):
    document, _, samples = regression(reference, run)
    train, method = samples["TrainTree"], method_of(document)
    context = FitContext(
        AnalysisType.REGRESSION, document.title, document.variables, document.classes, document.targets
    )
    chain = fit_chain(document.option("VarTransform"), train, document.variables, document.classes, document.targets)
    train = dataclasses.replace(train, X=chain.apply(train.X), targets=chain.apply_targets(train.targets))
    state = method.fit(train, context)
    np.testing.assert_allclose(flat(method, state), flat(method, state_of(document)), rtol=1e-7)


# As TMVA's log has them: the bias and the RMS on the test and on the training sample.
@pytest.mark.parametrize(("tree", "bias", "rms"), [("TestTree", -0.0832, 19.7), ("TrainTree", 2.81e-6, 18.9)])
def test_the_deviation_of_the_tutorial(reference, tree, bias, rms):
    document, _, samples = regression(reference, "tutorial")
    sample, method = samples[tree], method_of(document)
    state = method.fit(
        samples["TrainTree"],
        FitContext(AnalysisType.REGRESSION, "LD", document.variables, document.classes, document.targets),
    )
    deviation = method.predict(state, sample.X) - sample.targets[:, 0]
    mean = np.average(deviation, weights=sample.weight)
    assert mean == pytest.approx(bias, rel=1e-3, abs=1e-5)
    assert np.sqrt(np.average(deviation**2, weights=sample.weight) - mean**2) == pytest.approx(rms, abs=0.05)


@pytest.mark.parametrize("run", REGRESSIONS)
def test_regression_responses(reference, run):
    document, chain, _ = regression(reference, run)
    source = (reference / REGRESSIONS[run][2]).parent.parent
    with (source / "responses.csv").open() as file:
        rows = list(csv.DictReader(file))
    if run == "tutorial":
        X = np.array([[float(row["var1"]), float(row["var2"])] for row in rows], dtype=np.float32)
    else:
        with uproot.open(reference / "toy" / "toy_regression.root") as file:
            v = file["TreeR"].arrays(["var1", "var2"], library="np")
        X = np.column_stack([v["var1"], v["var2"]]).astype(np.float32)[[int(row["entry"]) for row in rows]]
    assert len(rows) >= 200
    response = method_of(document).predict(state_of(document), chain.apply(X))
    estimates = chain.invert_targets(response[:, np.newaxis])[:, 0]
    # TMVA adds the terms, which are some hundreds, in single precision.
    np.testing.assert_allclose(estimates, [float(row[document.title]) for row in rows], rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("run", REGRESSIONS)
def test_a_regression_file_of_tmva_is_written_as_it_was_read(reference, run):
    document, _, _ = regression(reference, run)
    element = ET.Element("Weights")
    method_of(document).write_state(state_of(document), element)
    assert element.attrib == document.weights.attrib
    assert [c.attrib for c in element] == [c.attrib for c in document.weights]


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

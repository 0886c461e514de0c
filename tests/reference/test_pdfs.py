"""PDFs of responses against TMVA: probability and rarity from its weight files, its result file, and its own events."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from mvakit.dataset import DataSet, Sample
from mvakit.evaluation.histograms import Histogram1D
from mvakit.evaluation.separation import separation
from mvakit.method import MethodOptions
from mvakit.model import Model, train
from mvakit.pdfs import Interpolation, Pdf, Recipe, ResponsePdfs
from mvakit.resultfile import MethodContents
from mvakit.results import TestedModel, dataset_contents
from mvakit.types import AnalysisType
from mvakit.weightfile import read_document

RESULTS = "tutorial/class/TMVAC.root"
OPTIONS = "CreateMVAPdfs:PDFInterpolMVAPdf=Spline2:NbinsMVAPdf=50:NsmoothMVAPdf=10"


def columns(path: Path) -> dict[str, np.ndarray]:
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def pdfs_of(path: Path) -> ResponsePdfs:
    pdfs = ResponsePdfs.read(read_document(path).pdfs)
    assert pdfs is not None
    return pdfs


# ----------------------------------------------------------------------------------- what TMVA's Reader says


def test_probability_and_rarity_of_the_toy(toy: Path) -> None:
    theirs = columns(toy / "class" / "responses.csv")
    pdfs = pdfs_of(toy / "class" / "weights" / "Toy_Fisher.weights.xml")
    response = theirs["Fisher"].astype(float)
    np.testing.assert_allclose(pdfs.probability(response), theirs["Fisher_proba"].astype(float), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(pdfs.rarity(response), theirs["Fisher_rarity"].astype(float), rtol=1e-7, atol=1e-10)


def test_the_model_of_the_toy(toy: Path) -> None:
    """The whole road: inputs, response, probability."""
    theirs = columns(toy / "class" / "responses.csv")
    model = Model.load(toy / "class" / "weights" / "Toy_Fisher.weights.xml")
    inputs = {}
    with uproot.open(toy / "toy_classification.root") as file:
        for tree in ("TreeS", "TreeB"):
            v = file[tree].arrays(["var1", "var2", "var3", "var4"], library="np")
            inputs[tree] = np.column_stack([v["var1"] + v["var2"], v["var1"] - v["var2"], v["var3"], v["var4"]])
    X = np.stack([inputs[t][int(i)] for t, i in zip(theirs["tree"], theirs["entry"], strict=True)])
    response = model.predict(X)
    np.testing.assert_allclose(model.probability(response), theirs["Fisher_proba"].astype(float), atol=1e-5)
    np.testing.assert_allclose(model.rarity(response), theirs["Fisher_rarity"].astype(float), atol=1e-5)


@pytest.mark.parametrize(
    ("folder", "file", "title"),
    [
        ("tutorial/class", "TMVAClassification_Fisher", "Fisher"),
        ("tutorial/class", "TMVAClassification_LD", "LD"),
        ("tutorial/higgs", "TMVA_Higgs_Classification_Fisher", "Fisher"),
    ],
)
def test_probability_and_rarity_of_the_tutorials(reference: Path, folder: str, file: str, title: str) -> None:
    theirs = columns(reference / folder / "responses.csv")
    pdfs = pdfs_of(reference / folder / "weights" / f"{file}.weights.xml")
    response = theirs[title].astype(float)
    np.testing.assert_allclose(
        pdfs.probability(response), theirs[f"{title}_proba0.5"].astype(float), rtol=1e-9, atol=1e-12
    )
    np.testing.assert_allclose(
        pdfs.rarity(response), np.minimum(theirs[f"{title}_rarity"].astype(float), 1), rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize(
    ("title", "kind", "tolerance"),
    [("LikelihoodS3", Interpolation.SPLINE3, 1e-9), ("LikelihoodKDE", Interpolation.KDE, 3e-6)],
)
def test_densities_of_variables_by_the_likelihoods_made_of_them(
    reference: Path, title: str, kind: Interpolation, tolerance: float
) -> None:
    """TMVA's likelihood ratio is the product of the signal densities over the sum of both products."""
    toy = reference / "toy"
    theirs = columns(toy / "class" / "responses.csv")
    inputs = {}
    with uproot.open(toy / "toy_classification.root") as file:
        for tree in ("TreeS", "TreeB"):
            v = file[tree].arrays(["var1", "var2", "var3", "var4"], library="np")
            inputs[tree] = np.column_stack([v["var1"] + v["var2"], v["var1"] - v["var2"], v["var3"], v["var4"]])
    X = np.stack([inputs[t][int(i)] for t, i in zip(theirs["tree"], theirs["entry"], strict=True)]).astype(np.float32)
    document = read_document(toy / "class" / "weights" / f"Toy_{title}.weights.xml")
    pdfs = [Pdf.read(element) for element in document.weights.iter("PDF")]
    assert {pdf.recipe.interpolation for pdf in pdfs} == {kind}
    products = np.ones((2, len(X)))
    for variable, values in enumerate(X.T.astype(float)):
        pair = pdfs[2 * variable : 2 * variable + 2]
        x = np.clip(values, pair[0].low, pair[0].high - 1e-10)
        products *= [pdf(x) for pdf in pair]
    # TMVA cuts products off below; far from there they can be compared
    sound = (products > 1e-9).all(axis=0)
    assert sound.mean() > 0.8
    ratio = products[0] / products.sum(axis=0)
    np.testing.assert_allclose(ratio[sound], theirs[title].astype(float)[sound], atol=tolerance)


# ----------------------------------------------------------------------------------------- TMVA's result file


@pytest.fixture(scope="module")
def tutorial(reference: Path) -> DataSet:
    """The events on which TMVA trained and tested."""
    document = read_document(reference / "tutorial/class/weights/TMVAClassification_Fisher.weights.xml")
    samples = []
    with uproot.open(reference / RESULTS) as file:
        for name in ("TrainTree", "TestTree"):
            tree = file[f"dataset/{name}"].arrays([*(v.label for v in document.variables), "classID", "weight"])
            X = np.column_stack([np.asarray(tree[v.label]) for v in document.variables])
            samples.append(Sample(X, np.asarray(tree["classID"]), np.asarray(tree["weight"], dtype=np.float64)))
    return DataSet("dataset", document.variables, (), (), document.classes, samples[0], samples[1])


def contents_of(
    reference: Path, tutorial: DataSet, title: str
) -> tuple[MethodContents, dict[str, Any], dict[str, Any]]:
    """Return our contents for TMVA's own model and responses, TMVA's histograms, and its columns prob_<title>."""
    path = reference / f"tutorial/class/weights/TMVAClassification_{title}.weights.xml"
    with uproot.open(reference / RESULTS) as file:
        trees = {name: file[f"dataset/{name}"].arrays([title, f"prob_{title}"]) for name in ("TrainTree", "TestTree")}
        scores = [np.asarray(tree[title], dtype=np.float64) for tree in trees.values()]
        tested = TestedModel(Model.load(path), path, *scores)
        folder = file[f"dataset/Method_{title}/{title}"]
        theirs = {key.split(";")[0]: folder[key] for key in folder.keys(recursive=False, filter_classname="TH1*")}
        columns = {name: np.asarray(tree[f"prob_{title}"]) for name, tree in trees.items()}
    contents = dataset_contents(tutorial, AnalysisType.CLASSIFICATION, [tested], "I").methods[0]
    return contents, theirs, columns


@pytest.mark.parametrize("title", ["Fisher", "LD"])
def test_histograms_and_columns_of_the_result_file(reference: Path, tutorial: DataSet, title: str) -> None:
    contents, theirs, columns = contents_of(reference, tutorial, title)
    ours = {h.name: h for h in contents.histograms if isinstance(h, Histogram1D)}
    expected = [f"MVA_{title}_{what}_{c}" for what in ("Proba", "Rarity") for c in "SB"] + [
        f"{title}_tr_{c}{suffix}"
        for c in "SB"
        for suffix in ("", "_original", "_smoothed", "_smoothed_hist_from_spline2")
    ]
    for name in expected:
        one, other = ours[name], theirs[name]
        axis = other.member("fXaxis")
        assert one.title == other.member("fTitle")
        assert f"TH1{one.storage}" == other.classname
        assert (one.low, one.high) == (axis.member("fXmin"), axis.member("fXmax"))
        if "_tr_" in name:
            # one fine bin of the LD rounds to another place in single precision
            assert np.count_nonzero(~np.isclose(one.contents, other.values(), rtol=2e-7, atol=0)) <= 1
            np.testing.assert_allclose(one.contents, other.values(), rtol=1e-5)
            assert one.entries == other.member("fEntries")
        else:
            np.testing.assert_allclose(one.flow_contents, other.values(flow=True), rtol=1e-9)
    for c in "SB":
        np.testing.assert_allclose(ours[f"{title}_tr_{c}"].variances, theirs[f"{title}_tr_{c}"].variances(), rtol=1e-6)
    for column, (name, probability) in zip(contents.columns[f"prob_{title}"], columns.items(), strict=True):
        assert column.dtype == np.float32
        np.testing.assert_allclose(column, probability, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("title", ["Fisher", "LD"])
def test_pdfs_of_tmva_s_own_responses(reference: Path, tutorial: DataSet, title: str) -> None:
    """Fitted on the responses in TrainTree, they are those that TMVA wrote."""
    theirs = pdfs_of(reference / f"tutorial/class/weights/TMVAClassification_{title}.weights.xml")
    with uproot.open(reference / RESULTS) as file:
        scores = file["dataset/TrainTree"][title].array(library="np")
    sample = tutorial.train
    recipe = MethodOptions.parse(OPTIONS).pdf_recipe()
    ours = ResponsePdfs.fit(scores, sample.is_signal, sample.weight, recipe, bins=50)
    for one, other in ((ours.signal, theirs.signal), (ours.background, theirs.background)):
        assert (one.low, one.high, one.recipe) == (other.low, other.high, other.recipe)
        # nine digits are printed; the weights of the tree have seven
        np.testing.assert_allclose(one.original, other.original, rtol=2e-7)
        np.testing.assert_allclose(one.fine, other.fine, rtol=0, atol=1e-5)
    text = (reference / "tutorial/class/class_training.log").read_text()
    printed = re.search(rf"--- {title} +: <CreateMVAPdfs> Separation from histogram \(PDF\): (\S+)", text)
    assert printed is not None
    made = [
        Histogram1D("h", "h", pdf.low, pdf.high, np.concatenate([[0.0], pdf.original, [0.0]]))
        for pdf in (ours.signal, ours.background)
    ]
    assert f"{separation(made[0], made[1]):.3f}" == printed[1]


def test_a_training_on_tmva_s_events_gives_its_pdfs(reference: Path, tutorial: DataSet) -> None:
    theirs = Model.load(reference / "tutorial/class/weights/TMVAClassification_Fisher.weights.xml")
    ours = train(tutorial, "Fisher", OPTIONS)
    assert ours.pdfs is not None
    assert ours.pdfs.signal.recipe == Recipe(Interpolation.SPLINE2, 10, 10)
    response = ours.predict(tutorial.test.X)
    np.testing.assert_allclose(ours.probability(response), theirs.probability(response), atol=1e-4)
    np.testing.assert_allclose(ours.rarity(response), theirs.rarity(response), atol=1e-4)

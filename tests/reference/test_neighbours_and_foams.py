"""KNN, PDERS, SVM and PDEFoam against what TMVA wrote beside its responses, which `test_responses.py` compares."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods.knn import KNN, KNNOptions
from mvakit_methods.pdefoam import PDEFoam, PDEFoamOptions
from mvakit_methods.pders import PDERS, PDERSOptions

from mvakit.method import AnyMethod, MethodOptions, WeightContext
from mvakit.types import AnalysisType
from mvakit.weightfile import WeightDocument, read_document

RANKED = [
    ("toy/class", "Toy_PDEFoam", "training.log"),
    ("tutorial/class", "TMVAClassification_PDEFoam", "class_extra_training.log"),
    ("tutorial/multi", "TMVAMulticlass_PDEFoam", "multi_training.log"),
]
FOAMS = [*(row[:2] for row in RANKED), ("toy/reg", "ToyReg_PDEFoam"), ("tutorial/reg", "TMVARegression_PDEFoam")]


def read(method_type: type[AnyMethod], options_type: type[MethodOptions], path: Path):
    document = read_document(path)
    known = {spec.name for spec in options_type.declared()}
    options = options_type.parse("", **{name: text for name, _, text in document.options if name in known})
    method = method_type(options)
    return method, method.read_state(document.weights, context(document)), document


def context(document: WeightDocument) -> WeightContext:
    path = document.path
    assert path is not None
    return WeightContext(
        AnalysisType(document.info["AnalysisType"]),
        document.title,
        document.variables,
        document.classes,
        document.targets,
        {},
        lambda name: path.with_name(name.replace("*", path.name.removesuffix(".xml"))).read_bytes(),
        document.info,
    )


@pytest.mark.parametrize(("folder", "name"), FOAMS)
def test_foams_fill_their_box_and_are_written_as_they_were(reference, folder, name):
    path = reference / folder / "weights" / f"{name}.weights.xml"
    method, state, document = read(PDEFoam, PDEFoamOptions, path)
    for foam in state.foams:
        np.testing.assert_allclose(foam.size[foam.dimension < 0].prod(axis=1).sum(), 1)
        # The weight file has the borders in single precision.
        np.testing.assert_array_equal(foam.lowest.astype(np.float32), state.lowest.astype(np.float32))
        np.testing.assert_array_equal(foam.highest.astype(np.float32), state.highest.astype(np.float32))
    again = ET.Element("Weights")
    beside = method.write_state(state, again)
    assert beside == {"*_foams.root": path.with_name(path.name.replace(".xml", "_foams.root")).read_bytes()}
    assert ET.tostring(again) == re.sub(rb">\s+<", b"><", ET.tostring(document.weights)).strip()


@pytest.mark.parametrize(("folder", "name", "log"), RANKED)
def test_ranking_is_that_of_the_log(reference, folder, name, log):
    lines = (reference / folder / log).read_text()
    told = re.findall(r"PDEFoam +: +\d+ : (\S+) +: (\d\.\d+e[+-]\d+)", lines)
    method, state, document = read(PDEFoam, PDEFoamOptions, reference / folder / "weights" / f"{name}.weights.xml")
    ranking = dict(method.ranking(state, document.variables).values)
    assert told
    for label, value in told:
        assert ranking[label] == pytest.approx(float(value), rel=1e-3), (label, log)


@pytest.mark.parametrize("path", ["toy/class/weights/Toy", "tutorial/class/weights/TMVAClassification"])
def test_trees_hold_the_same_training_events(reference, path):
    """KNN and PDERS keep the events that all methods were trained on, but for those whose weights are negative."""
    _, knn, document = read(KNN, KNNOptions, reference / f"{path}_KNN.weights.xml")
    _, pders, _ = read(PDERS, PDERSOptions, reference / f"{path}_PDERS.weights.xml")
    known = {tuple(row): kind for row, kind in zip(knn.X.tolist(), knn.kind.tolist(), strict=True)}
    shared = [
        (known[tuple(row)], k)
        for row, k in zip(pders.tree.X.tolist(), pders.tree.kind, strict=True)
        if tuple(row) in known
    ]
    assert len(shared) > 0.9 * len(pders.tree.X)
    assert {(kind - 1, other) for kind, other in shared} == {(0, 0), (1, 1)}
    assert document.classes == ("Signal", "Background")

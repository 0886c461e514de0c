"""How well the methods separate, beside TMVA: trained on TMVA's own TrainTree, scored on its TestTree, with its options.

Usage: python benchmarks/accuracy.py [REFERENCE]

REFERENCE is the folder with TMVA's outputs, by default ../shared/reference beside the checkout. Mean of five seeds where
there is randomness.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import uproot

from mvakit.dataset import DataSet, Sample
from mvakit.errors import MvakitWarning
from mvakit.evaluation import roc_curve
from mvakit.model import Model, train
from mvakit.variables import define
from mvakit.weightfile import read_document

RUNS = (
    (
        "tutorial/class/TMVAC.root",
        "tutorial/class/weights/TMVAClassification",
        ("Fisher", "LD", "BDT", "BDTG", "BDTD", "BDTB"),
    ),
    (
        "tutorial/higgs/Higgs_ClassificationOutput.root",
        "tutorial/higgs/weights/TMVA_Higgs_Classification",
        ("Fisher", "BDT"),
    ),
)
SEEDS = range(1, 6)


def sample(columns: dict[str, np.ndarray], labels: list[str]) -> Sample:
    X = np.column_stack([columns[label] for label in labels]).astype(np.float32)
    return Sample(X, columns["classID"].astype(np.int16), columns["weight"].astype(np.float64))


def main(reference: Path) -> int:
    failed = 0
    print(f"{'sample':<10} {'method':<8} {'TMVA':>8} {'mvakit':>8} {'spread':>8} {'difference':>10}")
    for file, weights, titles in RUNS:
        document = read_document(reference / f"{weights}_{titles[0]}.weights.xml")
        labels = [variable.label for variable in document.variables]
        with uproot.open(reference / file) as root:
            training, test = (root[f"dataset/{name}"].arrays(library="np") for name in ("TrainTree", "TestTree"))
        variables = tuple(define(label) for label in labels)
        data = DataSet("dataset", variables, (), (), document.classes, sample(training, labels), sample(test, labels))
        for title in titles:
            document = read_document(reference / f"{weights}_{title}.weights.xml")
            options = {
                name: text
                for name, was_set, text in document.options
                if was_set and name not in {"V", "H", "CreateMVAPdfs"}
            }
            theirs = roc_curve(test[title], data.test.is_signal, data.test.weight).area
            found = []
            for seed in SEEDS:
                model: Model = train(data, document.method, title=title, RandomSeed=seed, **options)
                found.append(roc_curve(model.predict(data.test.X), data.test.is_signal, data.test.weight).area)
            ours = float(np.mean(found))
            failed += ours < theirs - 0.002
            print(
                f"{Path(file).parent.name:<10} {title:<8} {theirs:8.4f} {ours:8.4f} {np.std(found):8.4f} {ours - theirs:+10.4f}"
            )
    return failed


if __name__ == "__main__":
    warnings.simplefilter("ignore", MvakitWarning)
    beside = Path(__file__).parent.parent.parent / "shared" / "reference"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else beside
    if not folder.is_dir():
        print(f"there is no folder {folder}, so there is nothing to compare with")
        sys.exit(0 if len(sys.argv) == 1 else 1)
    sys.exit(main(folder))

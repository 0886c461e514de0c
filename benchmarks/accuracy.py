"""How well methods find what they look for, beside TMVA: trained on TMVA's own training events with its options.

Usage: python benchmarks/accuracy.py [REFERENCE] [TITLE ...]

REFERENCE is the folder with TMVA's outputs, by default ../shared/reference beside the checkout. Of the methods with these
titles, or of all, the figure on TMVA's test events is compared with that of TMVA's own weight file, as the mean of five
seeds where training draws random numbers. Figures are the area under the ROC curve, for each class of several against the
rest, which may be less by 0.002, and the spread of a regression's deviations (RMS), which may be 1.02 times as large.
BDTs are also trained with ExactCuts, the cuts where TMVA has them, which has no limit.
"""

from __future__ import annotations

import contextlib
import io
import sys
import time
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from mvakit.dataset import DataSet  # noqa: E402
from mvakit.errors import MvakitWarning  # noqa: E402
from mvakit.evaluation import roc_curve  # noqa: E402
from mvakit.model import Model, train  # noqa: E402
from mvakit.progress import Messenger  # noqa: E402
from mvakit.types import AnalysisType  # noqa: E402
from mvakit.weightfile import read_document  # noqa: E402
from tests.reference.jobs import JOBS  # noqa: E402

RUNS = {
    "tutorial/class": ("TMVAClassification", ("Fisher", "LD", "BDT", "BDTG", "BDTB", "BDTD", "BDTF")),
    "tutorial/higgs": ("TMVA_Higgs_Classification", ("Fisher", "BDT")),
    "tutorial/multi": ("TMVAMulticlass", ("BDTG",)),
    "tutorial/reg": ("TMVARegression", ("LD", "BDT", "BDTG")),
    "toy/class": (
        "Toy",
        ("BDT", "BDTB", "BDTCE", "BDTD", "BDTF", "BDTG", "BDTGbag", "BDTReal", "BDTnoYN", "BDTprune"),
    ),
    "toy/multi": ("ToyMulti", ("BDTG",)),
    "toy/reg": ("ToyReg", ("LD", "BDT", "BDTlin", "BDTG")),
}
SEEDS = range(1, 6)
AREA_LOST, SPREAD_GAINED = 0.002, 1.02
QUIET = Messenger("", silent=True)
RANDOM = ("UseBaggedBoost", "UseRandomisedTrees")


def figures(model: Model, data: DataSet) -> dict[str, float]:
    """Return what is compared."""
    test, response = data.test, model.predict(data.test.X)
    if model.analysis is AnalysisType.REGRESSION:
        deviation = response.ravel() - test.targets[:, 0]
        mean = np.average(deviation, weights=test.weight)
        return {"RMS": float(np.sqrt(np.average((deviation - mean) ** 2, weights=test.weight)))}
    if model.analysis is AnalysisType.MULTICLASS:
        return {
            f"AUC {name}": roc_curve(response[:, k], test.class_index == k, test.weight).area
            for k, name in enumerate(data.classes)
        }
    return {"AUC": roc_curve(response, test.is_signal, test.weight).area}


def trained(data: DataSet, method: str, title: str, options: Mapping[str, str]) -> dict[str, float]:
    """Return the figures of a training, and their means if it draws random numbers."""
    drawn = method == "BDT" and any(options.get(name, "False") == "True" for name in RANDOM)
    drawn |= options.get("BoostType", "").lower() == "bagging"
    found = [
        figures(train(data, method, title=title, log=QUIET, **options, **({"RandomSeed": seed} if drawn else {})), data)
        for seed in (SEEDS if drawn else (1,))
    ]
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def main(reference: Path, titles: list[str]) -> int:
    failed = 0
    print("| events | method | figure | TMVA | mvakit | difference | limit | ok | ExactCuts | seconds |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for job, (prefix, booked) in RUNS.items():
        with contextlib.redirect_stdout(io.StringIO()):
            data = JOBS[job].make(reference).prepare()
        for title in booked:
            if titles and title not in titles:
                continue
            path = reference / job / "weights" / f"{prefix}_{title}.weights.xml"
            document = read_document(path)
            options = {
                name: text
                for name, was_set, text in document.options
                if was_set and name not in {"V", "H", "CreateMVAPdfs"}
            }
            if job == "toy/class":
                # In TMVA this switch of one method holds for all that are trained with it.
                options["IgnoreNegWeightsInTraining"] = "True"
            theirs, started = figures(Model.load(path), data), time.perf_counter()
            ours, seconds = trained(data, document.method, title, options), time.perf_counter() - started
            exact = trained(data, "BDT", title, options | {"ExactCuts": "True"}) if document.method == "BDT" else {}
            for name, value in theirs.items():
                spread = name == "RMS"
                limit = value * SPREAD_GAINED if spread else value - AREA_LOST
                good = ours[name] <= limit if spread else ours[name] >= limit
                failed += not good
                again = f"{exact[name]:.4f}" if exact else ""
                print(
                    f"| {job} | {title} | {name} | {value:.4f} | {ours[name]:.4f} | {ours[name] - value:+.4f} | "
                    f"{limit:.4f} | {'yes' if good else 'NO'} | {again} | {seconds:.1f} |",
                    flush=True,
                )
    print(f"{failed} beyond the limit")
    return int(failed > 0)


if __name__ == "__main__":
    warnings.simplefilter("ignore", MvakitWarning)
    given = sys.argv[1:]
    folder = Path(given[0]) if given else ROOT.parent / "shared" / "reference"
    if not folder.is_dir():
        print(f"there is no folder {folder}, so there is nothing to compare with")
        sys.exit(1 if given else 0)
    sys.exit(main(folder, given[1:]))

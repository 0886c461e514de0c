"""How fast BDT trains and answers, and in how much memory, beside other libraries on the same events in the same run.

    python benchmarks/bdt.py                  # 500 000 events, 20 variables, 400 trees of depth 3: about three minutes
    python benchmarks/bdt.py --events 50000   # or 2000000
    python benchmarks/bdt.py --full           # also depth 5, exact cuts, growth to 8 M events, 11 M mapped ones

Only ratios of one run mean anything: what else the machine does slows everyone alike. XGBoost and LightGBM take part
where they are installed. Every ratio is told with what it may be at most.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from _measure import best, measured, own_memory, verdict
from mvakit_methods.bdt import BDT, BDTOptions
from mvakit_methods.bdt.forest import BDTState
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from mvakit.dataset import DataSet, Sample
from mvakit.method import FitContext
from mvakit.model import train
from mvakit.reader import Reader
from mvakit.types import AnalysisType
from mvakit.variables import define

DEPTH, RATE = 3, 0.1
GRAD = f"BoostType=Grad:Shrinkage={RATE}:nCuts=-1"


@dataclass(frozen=True)
class Contender:
    """A library: what trains a forest, and what answers with it."""

    name: str
    fit: Callable[[int, int], object]
    answer: Callable[[object, np.ndarray], np.ndarray]


def events(n: int, n_variables: int, seed: int) -> Sample:
    """Normal variables, half of which are shifted a little for signal, and one of which is wider."""
    rng = np.random.default_rng(seed)
    signal = rng.random(n) < 0.5
    X = rng.normal(size=(n, n_variables)).astype(np.float32)
    X[:, : n_variables // 2] += np.where(signal, 0.12, -0.12)[:, None].astype(np.float32)
    X[signal, -1] *= np.float32(1.2)
    return Sample(X, (~signal).astype(np.int64), np.ones(n))


def fit(sample: Sample, options: str, trees: int, depth: int = DEPTH) -> BDTState:
    variables = tuple(define(f"v{i}") for i in range(sample.X.shape[1]))
    context = FitContext(AnalysisType.CLASSIFICATION, "BDT", variables, ("Signal", "Background"))
    return BDT(BDTOptions.parse(f"NTrees={trees}:MaxDepth={depth}:MinNodeSize=0.1%:{options}")).fit(sample, context)


def ours(name: str, options: str, sample: Sample) -> Contender:
    return Contender(name, lambda trees, depth: fit(sample, options, trees, depth), BDT(BDTOptions()).predict)


def rivals(sample: Sample) -> list[Contender]:
    X, signal = sample.X, sample.is_signal
    found = [
        Contender(
            "HistGradientBoosting",
            lambda trees, depth: HistGradientBoostingClassifier(
                max_iter=trees, max_depth=depth, learning_rate=RATE, early_stopping=False, max_leaf_nodes=None
            ).fit(X, signal),
            lambda model, Z: model.predict_proba(Z)[:, 1],
        )
    ]
    try:
        import xgboost
    except ImportError:
        print("XGBoost is not installed and takes no part")
    else:
        found.append(
            Contender(
                "XGBoost",
                lambda trees, depth: (
                    xgboost.XGBClassifier(n_estimators=trees, max_depth=depth, learning_rate=RATE, tree_method="hist")
                    .fit(X, signal)
                    .get_booster()
                ),
                lambda model, Z: model.inplace_predict(Z),
            )
        )
    try:
        import lightgbm
    except ImportError:
        print("LightGBM is not installed and takes no part")
    else:
        found.append(
            Contender(
                "LightGBM",
                lambda trees, depth: lightgbm.LGBMClassifier(
                    n_estimators=trees, max_depth=depth, num_leaves=2**depth, learning_rate=RATE, verbose=-1
                ).fit(X, signal),
                lambda model, Z: model.predict_proba(Z)[:, 1],
            )
        )
    return found


def race(contenders: list[Contender], test: Sample, trees: int, depth: int, repeat: int) -> dict[str, list[float]]:
    """Return the best times to train and to answer, and the ROC integral, of each; in turn, so that all see the same."""
    results: dict[str, list[float]] = {}
    for one in contenders:
        one.answer(one.fit(2, depth), test.X[:1000])  # compiles what is compiled
    for _ in range(repeat):
        for one in contenders:
            started = time.perf_counter()
            model = one.fit(trees, depth)
            trained = time.perf_counter() - started
            answered = best(lambda one=one, model=model: one.answer(model, test.X), 3)
            area = float(roc_auc_score(test.is_signal, one.answer(model, test.X)))
            earlier = results.get(one.name, [np.inf, np.inf, 0.0])
            results[one.name] = [min(earlier[0], trained), min(earlier[1], answered), area]
    print(f"{len(test)} events of {test.X.shape[1]} variables, {trees} trees of depth {depth}, best of {repeat}")
    for name, (trained, answered, area) in results.items():
        print(f"  {name:24}{trained:8.2f} s to train{len(test) / answered / 1e6:8.2f} M/s answered   ROC {area:.4f}")
    return results


def compare(sample: Sample, test: Sample, trees: int, repeat: int, *, full: bool) -> bool:
    contenders = [ours("Grad", GRAD, sample), ours("AdaBoost", "nCuts=-1", sample)]
    contenders.append(ours("Grad, nCuts=20", GRAD.replace("-1", "20"), sample))
    if full:
        contenders.append(ours("Grad, ExactCuts", GRAD.replace("-1", "20:ExactCuts"), sample))
    found = race(contenders + rivals(sample), test, trees, DEPTH, repeat)
    grad, good = found["Grad"], True
    for name, limit in (("HistGradientBoosting", 0.85), ("XGBoost", 1.0), ("LightGBM", 1.0)):
        if name in found:
            good &= verdict(f"training, Grad / {name}", grad[0] / found[name][0], limit)
            good &= verdict(f"ROC integral, {name} - Grad", found[name][2] - grad[2], 0.001)
    for name, limit in (("AdaBoost", 1.3), ("Grad, nCuts=20", 1.1), ("Grad, ExactCuts", 4.0)):
        if name in found:
            good &= verdict(f"training, {name} / Grad", found[name][0] / grad[0], limit)
    if "XGBoost" in found:
        good &= verdict("answering, depth 3, Grad / XGBoost", grad[1] / found["XGBoost"][1], 0.1)
    return good


def deeper(sample: Sample, test: Sample, trees: int) -> bool:
    contenders = [ours("Grad", GRAD, sample), *(one for one in rivals(sample) if one.name == "XGBoost")]
    found = race(contenders, test, trees, 5, 1)
    if "XGBoost" not in found:
        return True
    return verdict("answering, depth 5, Grad / XGBoost", found["Grad"][1] / found["XGBoost"][1], 0.2)


def _memory(n: int, n_variables: int, options: str) -> float:
    sample = events(n, n_variables, 1)
    fit(sample.select(slice(0, 5000)), options, 2)
    gc.collect()
    before = own_memory()
    with measured(0.002) as found:
        fit(sample, options, 10)
    return (found.peak - before) / sample.X.nbytes


def memory(n: int, n_variables: int) -> bool:
    """Measure in processes of their own: what was freed before would not be counted."""
    good = True
    for name, options in (("Grad", GRAD), ("AdaBoost", "nCuts=20")):
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            ratio = pool.submit(_memory, n, n_variables, options).result()
        good &= verdict(f"memory beyond the input, {name} / input", ratio, 0.5)
    return good


def one_event(sample: Sample, trees: int) -> bool:
    """Time a Reader as a script uses it: numbers go into arrays of one element, and the response comes back."""
    some = sample.select(slice(0, 50_000))
    variables = tuple(define(f"v{i}") for i in range(sample.X.shape[1]))
    data = DataSet("dataset", variables, (), (), ("Signal", "Background"), some, some)
    model = train(data, "BDT", f"NTrees={trees}:MaxDepth={DEPTH}:{GRAD}")
    with tempfile.TemporaryDirectory() as folder:
        path = model.save(Path(folder) / "Job_BDT.weights.xml")
        reader, buffers = Reader("!Color:Silent"), [np.zeros(1, np.float32) for _ in variables]
        for variable, buffer in zip(variables, buffers, strict=True):
            reader.AddVariable(variable.label, buffer)
        reader.BookMVA("BDT", str(path))
    rows = sample.X[:2000].tolist()

    def loop() -> None:
        for row in rows:
            for buffer, value in zip(buffers, row, strict=True):
                buffer[0] = value
            reader.EvaluateMVA("BDT")

    return verdict("one event of a Reader", best(loop, 20) / len(rows) * 1e6, 6.0, " us")


def growth(n_variables: int) -> bool:
    """Time per event and tree of 8 M events over that of half a million."""
    seconds = {}
    for n in (500_000, 8_000_000):
        sample = events(n, n_variables, 3)
        few, many = (best(lambda trees=trees, sample=sample: fit(sample, GRAD, trees), 2) for trees in (5, 25))
        seconds[n] = (many - few) / 20 / n
    return verdict("time per event, 8 M / 0.5 M", seconds[8_000_000] / seconds[500_000], 1.2)


def mapped(n: int = 11_000_000, n_variables: int = 28, trees: int = 100) -> bool:
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        X = np.lib.format.open_memmap(Path(folder) / "X.npy", "w+", np.float32, (n, n_variables))
        index, weight = np.empty(n, np.int16), np.ones(n)
        for start in range(0, n, 1_000_000):
            part = events(min(1_000_000, n - start), n_variables, start)
            X[start : start + len(part)], index[start : start + len(part)] = part.X, part.class_index
        sample = Sample(X, index, weight)
        with measured() as found:
            fit(sample, GRAD, trees)
    print(f"{n} mapped events of {n_variables} variables: {trees} trees in {found.seconds:.0f} s")
    return verdict("memory", found.peak / 2**30, 4.0, " GiB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--variables", type=int, default=20)
    parser.add_argument("--trees", type=int, default=400)
    parser.add_argument("--repeat", type=int, default=1, help="the best of so many runs counts")
    parser.add_argument("--full", action="store_true", help="also what takes long")
    arguments = parser.parse_args()
    sample = events(arguments.events, arguments.variables, 1)
    test = events(arguments.events, arguments.variables, 2)
    good = memory(arguments.events, arguments.variables)
    good &= one_event(sample, arguments.trees)
    good &= compare(sample, test, arguments.trees, arguments.repeat, full=arguments.full)
    if arguments.full:
        good &= deeper(sample, test, arguments.trees)
        del sample, test
        good &= growth(arguments.variables)
        good &= mapped()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

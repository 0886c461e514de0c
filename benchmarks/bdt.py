"""How fast BDT trains and answers, and in how much memory, beside other libraries on the same events in the same run.

    python benchmarks/bdt.py                  # 500 000 events, 20 variables, 400 trees of depth 3: about four minutes
    python benchmarks/bdt.py --events 50000   # or 2000000
    python benchmarks/bdt.py --full           # also 50 000 and 2 M events, growth to 8 M, and 11 M mapped ones

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
import numpy.typing as npt
from _measure import best, measured, own_memory, verdict
from mvakit_methods.bdt import BDT, BDTOptions
from mvakit_methods.bdt.forest import BDTState
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import roc_auc_score

from mvakit.dataset import DataSet, Sample
from mvakit.method import FitContext
from mvakit.model import train
from mvakit.reader import Reader
from mvakit.types import AnalysisType
from mvakit.variables import define

DEPTH, RATE = 3, 0.1
GRAD = f"BoostType=Grad:Shrinkage={RATE}:nCuts=-1"
# What each ratio of seconds may be at most.
TRAINING = {"HistGradientBoosting": 0.85, "XGBoost": 1.0, "LightGBM": 1.0}
OF_GRAD = {"AdaBoost": 1.3, "Grad, nCuts=20": 1.1, "Grad, nCuts=20, ExactCuts": 4.0}
ANSWERING = {3: 0.1, 5: 0.2}


@dataclass(frozen=True)
class Contender:
    """A library: what trains a forest, and what answers with it."""

    name: str
    fit: Callable[[int, int], object]
    answer: Callable[[object, np.ndarray], np.ndarray]


@dataclass
class Result:
    """The best seconds to train and to answer, and the ROC integral."""

    trained: float = np.inf
    answered: float = np.inf
    area: float = 0.0


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
    if sample.targets.size:
        context = FitContext(AnalysisType.REGRESSION, "BDT", variables, ("Regression",), (define("target"),))
    else:
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


def race(contenders: list[Contender], test: Sample, trees: int, depth: int, repeat: int) -> dict[str, Result]:
    """Return the best times to train and to answer; in turn, so that all see the same of what else the machine does."""
    results, models = {one.name: Result() for one in contenders}, {}
    for one in contenders:
        one.answer(one.fit(2, depth), test.X[:1000])  # compiles what is compiled
    for _ in range(repeat):
        for one in contenders:
            started = time.perf_counter()
            models[one.name] = one.fit(trees, depth)
            results[one.name].trained = min(results[one.name].trained, time.perf_counter() - started)
    for _ in range(3 * repeat):
        for one in contenders:
            seconds = best(lambda one=one: one.answer(models[one.name], test.X), 1)
            results[one.name].answered = min(results[one.name].answered, seconds)
    for one in contenders:
        results[one.name].area = float(roc_auc_score(test.is_signal, one.answer(models[one.name], test.X)))
    return results


def tell(results: dict[str, Result], test: Sample) -> None:
    for name, one in results.items():
        speed = len(test) / one.answered / 1e6
        print(f"  {name:28}{one.trained:8.2f} s to train{speed:8.2f} M/s answered   ROC {one.area:.4f}")


def compare(n: int, n_variables: int, trees: int, repeat: int) -> bool:
    sample, test = events(n, n_variables, 1), events(n, n_variables, 2)
    contenders = [ours("Grad", GRAD, sample), ours("AdaBoost", "nCuts=-1", sample)]
    contenders.append(ours("Grad, nCuts=20", GRAD.replace("-1", "20"), sample))
    contenders.append(ours("Grad, nCuts=20, ExactCuts", GRAD.replace("-1", "20:ExactCuts"), sample))
    found = race(contenders + rivals(sample), test, trees, DEPTH, repeat)
    print(f"{n} events of {n_variables} variables, {trees} trees of depth {DEPTH}, best of {repeat}")
    tell(found, test)
    grad, good = found["Grad"], True
    for name, limit in TRAINING.items():
        if name in found:
            good &= verdict(f"training, Grad / {name}", grad.trained / found[name].trained, limit)
            good &= verdict(f"ROC integral, {name} - Grad", found[name].area - grad.area, 0.001)
    for name, limit in OF_GRAD.items():
        good &= verdict(f"training, {name} / Grad", found[name].trained / grad.trained, limit)
    return good & answering(found, DEPTH)


def answering(found: dict[str, Result], depth: int) -> bool:
    if "XGBoost" not in found:
        return True
    ratio = found["Grad"].answered / found["XGBoost"].answered
    return verdict(f"answering, depth {depth}, seconds of Grad / XGBoost", ratio, ANSWERING[depth])


def deeper(n: int, n_variables: int, trees: int, repeat: int) -> bool:
    """Compare deeper trees, which few events will do to train."""
    sample, test = events(50_000, n_variables, 1), events(n, n_variables, 2)
    contenders = [ours("Grad", GRAD, sample), *(one for one in rivals(sample) if one.name == "XGBoost")]
    found = race(contenders, test, trees, 5, repeat)
    print(f"{trees} trees of depth 5 from {len(sample)} events, applied to {n}")
    tell(found, test)
    return answering(found, 5)


def regression(n: int, n_variables: int, trees: int, repeat: int) -> None:
    """Tell how a regression compares; there is no limit to it."""

    def made(seed: int) -> Sample:
        one = events(n, n_variables, seed)
        noise = np.random.default_rng(seed + 10).normal(size=n)
        target = one.X[:, 0] + np.abs(one.X[:, 1]) + one.X[:, 2] * (one.X[:, 3] > 0) + 0.3 * noise
        return Sample(one.X, np.zeros(n, np.int64), one.weight, target.astype(np.float32)[:, None])

    sample, test = made(1), made(2)
    rival = HistGradientBoostingRegressor(
        max_iter=trees, max_depth=DEPTH, learning_rate=RATE, early_stopping=False, max_leaf_nodes=None
    )
    fits: dict[str, Callable[[], npt.NDArray[np.float64]]] = {
        "HistGradientBoosting": lambda: rival.fit(sample.X, sample.targets[:, 0]).predict(test.X)
    }
    for loss in ("LeastSquares", "Huber"):
        options = f"{GRAD}:RegressionLossFunctionBDTG={loss}"
        fit(sample, options, 2)
        fits[loss] = lambda options=options: BDT(BDTOptions()).predict(fit(sample, options, trees), test.X)
    seconds, spread = dict.fromkeys(fits, np.inf), {}
    for _ in range(repeat):
        for name, function in fits.items():
            started = time.perf_counter()
            found = function()
            seconds[name] = min(seconds[name], time.perf_counter() - started)
            spread[name] = np.std(found - test.targets[:, 0])
    print(f"regression, {n} events of {n_variables} variables, {trees} trees of depth {DEPTH}, for information")
    for name in fits:
        ratio = seconds[name] / seconds["HistGradientBoosting"]
        print(f"  {name:28}{seconds[name]:8.2f} s to train and to answer ({ratio:.2f})   RMS {spread[name]:.4f}")


def _memory(n: int, n_variables: int, options: str) -> float:
    sample = events(n, n_variables, 1)
    # So many that what is measured is compiled: few events would be cut exactly.
    fit(sample.select(slice(0, 10_000)), options, 2)
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
        good &= verdict(f"memory beyond the input, {name}, {n} events / input", ratio, 0.5)
    return good


def one_event(n_variables: int, trees: int) -> bool:
    """Time a Reader as a script uses it: numbers go into arrays of one element, and the response comes back."""
    some = events(50_000, n_variables, 1)
    variables = tuple(define(f"v{i}") for i in range(n_variables))
    data = DataSet("dataset", variables, (), (), ("Signal", "Background"), some, some)
    model = train(data, "BDT", f"NTrees={trees}:MaxDepth={DEPTH}:{GRAD}")
    with tempfile.TemporaryDirectory() as folder:
        path = model.save(Path(folder) / "Job_BDT.weights.xml")
        reader, buffers = Reader("!Color:Silent"), [np.zeros(1, np.float32) for _ in variables]
        for variable, buffer in zip(variables, buffers, strict=True):
            reader.AddVariable(variable.label, buffer)
        reader.BookMVA("BDT", str(path))
    rows = some.X[:2000].tolist()

    def loop() -> None:
        for row in rows:
            for buffer, value in zip(buffers, row, strict=True):
                buffer[0] = value
            reader.EvaluateMVA("BDT")

    return verdict("one event of a Reader", best(loop, 50) / len(rows) * 1e6, 6.0, " us")


def growth(n_variables: int, trees: int = 50) -> bool:
    """Compare the time per event of 8 M events with that of half a million."""
    samples = [events(n, n_variables, 3) for n in (500_000, 8_000_000)]
    for _ in range(2):
        seconds = [best(lambda sample=sample: fit(sample, GRAD, trees), 2) / len(sample) for sample in samples]
    print(f"growth: {trees} trees, {seconds[0] * 1e6:.2f} us per event of 0.5 M, {seconds[1] * 1e6:.2f} us of 8 M")
    return verdict("time per event, 8 M / 0.5 M", seconds[1] / seconds[0], 1.2)


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
    return verdict("memory of its own (RssAnon)", found.peak / 2**30, 4.0, " GiB")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--variables", type=int, default=20)
    parser.add_argument("--trees", type=int, default=400)
    parser.add_argument("--repeat", type=int, default=1, help="the best of so many runs counts")
    parser.add_argument("--full", action="store_true", help="also what takes long")
    arguments = parser.parse_args()
    n, n_variables, trees, repeat = arguments.events, arguments.variables, arguments.trees, arguments.repeat
    good = one_event(n_variables, trees)
    for size in sorted({n, 50_000, 2_000_000}) if arguments.full else [n]:
        if size >= 500_000:  # fewer take less than what does not grow with them
            good &= memory(size, n_variables)
        good &= compare(size, n_variables, trees, repeat)
    good &= deeper(n, n_variables, trees, repeat)
    regression(n, n_variables, trees, repeat)
    if arguments.full:
        good &= growth(n_variables)
        good &= mapped()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

"""How fast BDT trains and answers, beside other libraries' gradient boosting on the same events in the same run.

    python benchmarks/bdt.py --events 500000 --variables 20 --trees 400

Each forest has trees of depth 3 and the learning rate 0.1. Only ratios of one run mean anything: what else the machine
does slows everyone alike. XGBoost and LightGBM take part where they are installed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from mvakit_methods.bdt import BDT, BDTOptions
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from mvakit.dataset import Sample
from mvakit.method import FitContext
from mvakit.types import AnalysisType
from mvakit.variables import define

DEPTH, RATE = 3, 0.1


@dataclass(frozen=True)
class Contender:
    """A library: what trains a forest, and what answers with it."""

    name: str
    fit: Callable[[int], object]
    answer: Callable[[object, np.ndarray], np.ndarray]


def events(n: int, n_variables: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal variables, half of which are shifted a little for signal, and one of which is wider."""
    rng = np.random.default_rng(seed)
    signal = rng.random(n) < 0.5
    X = rng.normal(size=(n, n_variables)).astype(np.float32)
    X[:, : n_variables // 2] += np.where(signal, 0.12, -0.12)[:, None].astype(np.float32)
    X[signal, -1] *= np.float32(1.2)
    return X, signal


def ours(name: str, options: str, X: np.ndarray, signal: np.ndarray) -> Contender:
    sample = Sample(X, (~signal).astype(np.int64), np.ones(len(X)))
    variables = tuple(define(f"v{i}") for i in range(X.shape[1]))
    context = FitContext(AnalysisType.CLASSIFICATION, "BDT", variables, ("Signal", "Background"))

    def fit(trees: int) -> object:
        method = BDT(BDTOptions.parse(f"NTrees={trees}:MaxDepth={DEPTH}:MinNodeSize=0.1%:{options}"))
        return method.fit(sample, context)

    return Contender(name, fit, BDT(BDTOptions()).predict)


def contenders(X: np.ndarray, signal: np.ndarray) -> list[Contender]:
    grad = f"BoostType=Grad:Shrinkage={RATE}"
    found = [
        ours("mvakit, nCuts=-1", f"{grad}:nCuts=-1", X, signal),
        ours("mvakit, nCuts=20 as TMVA", f"{grad}:nCuts=20", X, signal),
        ours("mvakit, AdaBoost nCuts=20", "nCuts=20", X, signal),
        Contender(
            "HistGradientBoosting",
            lambda trees: HistGradientBoostingClassifier(
                max_iter=trees, max_depth=DEPTH, learning_rate=RATE, early_stopping=False, max_leaf_nodes=None
            ).fit(X, signal),
            lambda model, Z: model.predict_proba(Z)[:, 1],
        ),
    ]
    try:
        import xgboost
    except ImportError:
        pass
    else:
        found.append(
            Contender(
                "XGBoost",
                lambda trees: xgboost.XGBClassifier(
                    n_estimators=trees, max_depth=DEPTH, learning_rate=RATE, tree_method="hist"
                ).fit(X, signal),
                lambda model, Z: model.predict_proba(Z)[:, 1],
            )
        )
    try:
        import lightgbm
    except ImportError:
        pass
    else:
        found.append(
            Contender(
                "LightGBM",
                lambda trees: lightgbm.LGBMClassifier(
                    n_estimators=trees, max_depth=DEPTH, num_leaves=2**DEPTH, learning_rate=RATE, verbose=-1
                ).fit(X, signal),
                lambda model, Z: model.predict_proba(Z)[:, 1],
            )
        )
    return found


def timed(work: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=500_000)
    parser.add_argument("--variables", type=int, default=20)
    parser.add_argument("--trees", type=int, default=400)
    parser.add_argument("--repeat", type=int, default=3, help="the best of so many runs counts")
    arguments = parser.parse_args()
    X, signal = events(arguments.events, arguments.variables, 1)
    Z, truth = events(arguments.events, arguments.variables, 2)
    rivals = contenders(X, signal)
    results: dict[str, tuple[float, float, float, float]] = {}
    for rival in rivals:
        rival.answer(rival.fit(2), Z[:1000])  # compiles what is compiled
    # In turn, so that all see the machine in the same moods.
    for _ in range(arguments.repeat):
        for rival in rivals:
            fit, model = timed(lambda rival=rival: rival.fit(arguments.trees))
            apply, response = timed(lambda rival=rival, model=model: rival.answer(model, Z))
            one = min(timed(lambda rival=rival, model=model: rival.answer(model, Z[:1]))[0] for _ in range(200))
            auc = float(roc_auc_score(truth, response))
            best = results.get(rival.name, (np.inf, np.inf, np.inf, 0.0))
            results[rival.name] = (min(best[0], fit), min(best[1], apply), min(best[2], one), auc)
    reference = results["HistGradientBoosting"]
    print(f"{arguments.events} events of {arguments.variables} variables, {arguments.trees} trees of depth {DEPTH}")
    print(f"{'':28}{'fit':>9}{'ratio':>7}{'apply':>12}{'ratio':>7}{'one event':>12}{'ROC integral':>14}")
    for name, (fit, apply, one, auc) in results.items():
        print(
            f"{name:28}{fit:7.2f} s{fit / reference[0]:7.2f}{len(Z) / apply / 1e6:7.2f} M/s{apply / reference[1]:8.2f}"
            f"{one * 1e6:9.1f} us{auc:14.4f}"
        )


if __name__ == "__main__":
    main()

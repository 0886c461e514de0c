"""Every weight file of TMVA applied: the largest difference from what TMVA said, and how fast.

Usage: python benchmarks/responses.py [TITLE...]

For each weight file with a column of responses beside it: the largest difference, events per second of 100 000 events at
once (repeated from the table), and how many times faster that is than asking for one event after the other. A method that
would need more than half a minute is timed with fewer events, which is told by a star.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from mvakit.errors import MvakitError
from mvakit.formula import Formula
from mvakit.model import Model
from tests.reference.catalogue import HERE, Column, columns, events, reference_folder

EVENTS = 100_000
PATIENCE = 30.0
ONE_BY_ONE = 200


def seconds(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def table(model: Model, column: Column) -> tuple[np.ndarray, np.ndarray | None]:
    """Return variables and spectators of the events of a column."""
    branches = events(column.table)
    X, *spectators = (
        np.column_stack([np.asarray(Formula(v.expression).evaluate(branches), np.float64) for v in group])
        for group in (model.variables, model.spectators)
        if group
    )
    return X.astype(np.float32), spectators[0] if model.needs_spectators else None


def measure(of_file: list[Column]) -> str:
    first = of_file[0]
    model = Model.load(first.weights)
    X, spectators = table(model, first)

    def respond(rows: np.ndarray | slice, efficiency: float | None) -> np.ndarray:
        return model.predict(X[rows], None if spectators is None else spectators[rows], efficiency)

    difference = 0.0
    for column in of_file:
        found = respond(slice(None), column.efficiency)
        found = found if column.output is None else found[:, column.output]
        difference = max(difference, float(np.abs(found - column.expected).max()))
    some = np.arange(min(2000, 2 * len(X))) % len(X)
    per_event = seconds(lambda: respond(some, first.efficiency)) / len(some)
    count = EVENTS if per_event * EVENTS < PATIENCE else max(len(some), int(PATIENCE / per_event))
    many = np.arange(count) % len(X)
    rate = count / seconds(lambda: respond(many, first.efficiency))
    singles = [slice(i, i + 1) for i in range(min(ONE_BY_ONE, len(X)))]
    alone = len(singles) / seconds(lambda: [respond(one, first.efficiency) for one in singles])
    star = "" if count == EVENTS else "*"
    return f"{difference:>10.2e} {rate:>13,.0f}{star:<1} {rate / alone:>10,.1f}"


def main(titles: list[str]) -> int:
    files: dict[Path, list[Column]] = {}
    for column in columns(reference_folder() or HERE / "toy"):
        if column.quantity == "response" and (not titles or column.title in titles):
            files.setdefault(column.weights, []).append(column)
    failed = 0
    print(f"{'set':<16} {'method':<12} {'title':<15} {'difference':>10} {'events/s':>13}  {'batch gain':>10}")
    for of_file in files.values():
        first = of_file[0]
        try:
            told = measure(of_file)
        except MvakitError as error:
            told, failed = f"{type(error).__name__}: {str(error)[:90]}", failed + 1
        print(f"{first.label.split()[0]:<16} {first.method:<12} {first.title:<15} {told}", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

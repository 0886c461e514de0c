"""What TMVA's logs say of events, weights and correlations, said again to the last digit printed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mvakit import DataLoader
from mvakit.dataset import DataSet
from mvakit.prepared import class_correlation
from mvakit.progress import Messenger
from mvakit.reading import TreeReading, read_events

from .jobs import JOBS, LoggedEvents, read_log


def single(weights: np.ndarray) -> np.float32:
    """Add weights up as TMVA does before the split: one after the other, in single precision."""
    return np.float32(0) if not len(weights) else np.cumsum(weights, dtype=np.float32)[-1]


def read_weights(loader: DataLoader, index: int, cut: str) -> np.ndarray:
    """Return the weights of the events of a class that pass a cut, in the order of its trees."""
    item = list(loader._classes.values())[index]
    parts = [
        read_events(
            TreeReading(tree, tuple(loader._variables[:1]), (), (), weight, item.weight, "", cut, item.name),
            index,
            Messenger("Test", silent=True),
        )
        for tree, weight, _, _ in item.trees
    ]
    return np.concatenate([part.sample.weight for part in parts])


def assert_says(loader: DataLoader, data: DataSet, log: LoggedEvents) -> None:
    """Every number of the log, as text."""
    assert list(log.before) == list(log.factor) == list(log.correlation) == list(data.classes)
    for index, (name, counts) in enumerate(zip(data.classes, data.counts, strict=True)):
        before = read_weights(loader, index, "")
        assert (counts.n_input, f"{single(before):g}") == log.before[name]
        assert counts.sum_input == pytest.approx(before.sum(), rel=1e-12)
        if name in log.cuts:
            after = read_weights(loader, index, log.cuts[name])
            assert (counts.n_passed, f"{single(after):g}") == log.passed[name]
            assert counts.sum_passed == pytest.approx(after.sum(), rel=1e-12)
            assert f"{single(after) / single(before):g}" == log.efficiency[name]
            assert counts.efficiency == pytest.approx(float(log.efficiency[name]), rel=5e-6)
        else:
            assert (counts.n_passed, counts.sum_passed) == (counts.n_input, counts.sum_input)
        assert f"{counts.rescale:g}" == log.factor[name]
        for kind, number, total in (
            ("training", counts.n_train, counts.sum_train),
            ("testing", counts.n_test, counts.sum_test),
            ("training and testing", counts.n_train + counts.n_test, counts.sum_train + counts.sum_test),
        ):
            assert (number, f"{total:g}") == log.split[name, kind]
        # A category may be told to use some of the variables.
        used = [i for i, variable in enumerate(data.variables) if variable.expression in log.correlation[name]]
        matrix = class_correlation(data.train, index)[np.ix_(used, used)]
        said = {data.variables[i].expression: [f"{v:+.3f}" for v in row] for i, row in zip(used, matrix, strict=True)}
        assert said == log.correlation[name]


def assert_log_is_said_again(name: str, folder: Path) -> None:
    log = read_log(folder / JOBS[name].log)
    loader = JOBS[name].make(folder)
    data = loader.prepare()
    assert len(log[data.name].split) == 3 * len(data.classes)
    assert_says(loader, data, log[data.name])


def test_the_log_of_the_toy(toy: Path) -> None:
    assert_log_is_said_again("toy/class", toy.parent)


@pytest.mark.parametrize("name", JOBS)
def test_the_logs_of_all_jobs(reference: Path, name: str) -> None:
    assert_log_is_said_again(name, reference)


@pytest.mark.parametrize("name", ["toy/cat", "tutorial/categ"])
def test_the_logs_of_categories(reference: Path, name: str) -> None:
    found = read_log(reference / JOBS[name].log)
    parts = [log for dataset, log in found.items() if dataset.startswith("Category_")]
    assert len(parts) >= 2
    for log in parts:
        loader = JOBS[name].make(reference)
        for part, cut in log.cuts.items():
            loader.SetCut(cut, part)
        assert_says(loader, loader.prepare(), log)

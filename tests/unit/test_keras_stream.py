"""Batches from memory and from mapped files: every event once an epoch, shuffled, and the same wherever they lie."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from mvakit_methods._keras_session import import_keras

from mvakit.columnstore import Space
from mvakit.dataset import Sample

pytestmark = pytest.mark.keras


@pytest.fixture
def stream(monkeypatch):
    pytest.importorskip("keras")
    import_keras("PyKeras")
    from mvakit_methods import _stream as module

    monkeypatch.setattr(module, "_CHUNK", 16)
    # Pools of three chunks, of events of 2 inputs, 1 output and a weight.
    monkeypatch.setattr(module, "_POOL", 3 * 16 * 4 * 4)
    return module


def sample(n: int = 500) -> Sample:
    """The first input of an event is its number."""
    number = np.arange(n, dtype=np.float32)
    X = np.column_stack([number, -number])
    return Sample(X, (np.arange(n) >= n // 2).astype(np.int32), np.arange(n) / 2.0, targets=3 * X[:, :1])


def mapped(events: Sample, folder: Path) -> Sample:
    return Sample(
        events.X, events.class_index, events.weight, events.targets, space=Space(1 << 10, folder)
    ).select(np.arange(len(events)))  # fmt: skip


def table(batches: Iterable[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, list[int]]:
    """The events of an epoch, one a row, and the sizes of its batches."""
    parts = list(batches)
    sizes = [x.shape[1] for x, _, _ in parts for _ in range(len(x))]
    rows = [np.column_stack([a.reshape(-1, a.shape[-1] if a.ndim == 3 else 1) for a in part]) for part in parts]
    return np.concatenate(rows), sizes


def test_every_event_comes_once_an_epoch(stream):
    mask = np.arange(500) % 5 != 0
    events = stream.Stream(sample(), mask, 1, False, 30, seed=1)
    first, sizes = table(events.epoch(0))
    assert sizes == [30] * 13 + [10]
    assert (len(events), events.n_batches) == (400, 14)
    ordered = first[np.argsort(first[:, 0])]
    numbers = np.flatnonzero(mask)
    np.testing.assert_array_equal(ordered, np.column_stack([numbers, -numbers, numbers < 250, numbers / 2]))
    # Shuffled well: events of both classes in the first batches, neighbours apart, another order in another epoch.
    assert 0.2 < (first[:90, 0] < 250).mean() < 0.8
    assert (np.diff(first[:, 0]) == 1).mean() < 0.1
    assert not np.array_equal(table(events.epoch(1))[0], first)
    np.testing.assert_array_equal(table(events.epoch(0))[0], first)
    other = stream.Stream(sample(), mask, 1, False, 30, seed=2)
    assert not np.array_equal(table(other.epoch(0))[0], first)


def test_without_a_seed_events_keep_their_order(stream):
    rows, _ = table(stream.Stream(sample(100), np.ones(100, bool), None, False, 64).epoch(0))
    np.testing.assert_array_equal(rows[:, 0], np.arange(100))
    np.testing.assert_array_equal(rows[:, 2], 3 * np.arange(100))


def test_events_are_the_same_in_mapped_files(stream, tmp_path):
    events = sample()
    there = mapped(events, tmp_path)
    assert isinstance(there.X, np.memmap)
    mask = np.arange(500) % 3 != 0
    epochs = [table(stream.Stream(s, mask, 2, False, 32, seed=4).epoch(3))[0] for s in (events, there)]
    np.testing.assert_array_equal(*epochs)


def test_it_is_told_how_far_an_epoch_is(stream):
    told: list[tuple[int, float]] = []
    list(stream.Stream(sample(), np.ones(500, bool), 1, False, 30, 1, lambda *what: told.append(what)).epoch(2))
    assert {epoch for epoch, _ in told} == {2}
    fractions = [fraction for _, fraction in told]
    assert len(fractions) == 10
    assert fractions == sorted(fractions)
    assert 0 < fractions[0] < fractions[-1] < 1


def test_a_network_learns_the_same_from_mapped_events(stream, tmp_path):
    keras = import_keras("PyKeras")
    from mvakit_methods.keras import PyKeras, PyKerasOptions

    from mvakit.method import FitContext
    from mvakit.types import AnalysisType
    from mvakit.variables import define

    random = np.random.default_rng(2)
    which = np.arange(500) % 2
    events = Sample(
        (random.normal(size=(500, 2)) + which[:, np.newaxis]).astype(np.float32),
        which,
        np.ones(500),
        np.zeros((500, 0), np.float32),
    )
    context = FitContext(AnalysisType.CLASSIFICATION, "Net", tuple(map(define, "ab")), ("Signal", "Background"))
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, activation="sigmoid")])
    model.compile(loss="binary_crossentropy", optimizer="sgd")
    method = PyKeras(PyKerasOptions.parse("NumEpochs=3:BatchSize=32:Verbose=0", Model=model))
    histories = [dict(method.fit(s, context).history) for s in (events, mapped(events, tmp_path))]
    np.testing.assert_array_equal(histories[0]["loss"], histories[1]["loss"])
    np.testing.assert_array_equal(histories[0]["val_loss"], histories[1]["val_loss"])
    assert len(histories[0]["loss"]) == 3

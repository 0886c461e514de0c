"""Columns that leave memory at a limit: what is in them, where it lies, and what happens when the disk is full."""

from __future__ import annotations

import errno
import gc
import os
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from mvakit import columnstore
from mvakit.columnstore import BLOCK, ColumnStore, Space, gather, index_type, spans, total
from mvakit.dataset import Sample
from mvakit.files import OutputError


@pytest.fixture
def space(tmp_path: Path) -> Space:
    return Space(1000, tmp_path / "cache")


def is_mapped(array: np.ndarray[Any, Any]) -> bool:
    return isinstance(array, np.memmap)


def test_a_column_stays_in_memory_up_to_half_of_the_limit(space: Space) -> None:
    with ColumnStore(space) as store:
        column = store.column(np.float32, 5, expected=3)
        for i in range(25):
            column.append(np.full((1, 5), i, np.float64))
        found = column.finish()
    assert len(column) == 25
    assert not store.mapped
    assert not is_mapped(found)
    assert found.dtype == np.float32
    assert np.array_equal(found[:, 3], np.arange(25))
    assert not space.folder.exists()


def test_a_column_beyond_that_goes_to_a_file_without_a_name(space: Space) -> None:
    with ColumnStore(space) as store:
        wide, narrow = store.column(np.float32, 5, expected=10**12), store.column(np.int64)
        for i in range(26):
            wide.append(np.full((1, 5), i))
        narrow.append(np.arange(26))
        found, others = wide.finish(), narrow.finish()
    assert store.mapped
    assert is_mapped(found)
    assert not is_mapped(others)  # what it released is there for others
    assert np.array_equal(found, np.repeat(np.arange(26), 5).reshape(26, 5))
    assert np.array_equal(others, np.arange(26))
    assert list(space.folder.iterdir()) == []
    assert space.folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 1


def test_the_limit_is_that_of_all_columns_together(space: Space) -> None:
    with ColumnStore(space) as store:
        columns = [store.column(np.uint8) for _ in range(3)]
        for column in columns:
            column.append(np.arange(200, dtype=np.uint8))
        assert [is_mapped(column.finish()) for column in columns] == [False, False, True]


def test_columns_without_events_or_without_width(space: Space) -> None:
    with ColumnStore(space) as store:
        assert store.column(np.float32, 3).finish().shape == (0, 3)
        column = store.column(np.float32, 0)
        column.append(np.zeros((7, 0)))
        assert column.finish().shape == (7, 0)
    unlimited = ColumnStore().column(np.float64)
    unlimited.append(np.arange(5000.0))
    assert not is_mapped(unlimited.finish())


def test_a_store_that_is_left_early_leaves_nothing_open(space: Space) -> None:
    with pytest.raises(KeyError), ColumnStore(space) as store:
        store.column(np.float64).append(np.arange(500.0))
        raise KeyError
    gc.collect()  # an open file would be a warning here, and so an error
    assert list(space.folder.iterdir()) == []


def test_large_arrays_are_mapped_and_small_ones_are_not(space: Space) -> None:
    assert not is_mapped(space.empty((7,), np.float64))
    made = space.empty((8, 2), np.float64)
    assert is_mapped(made)
    made[:] = np.arange(16.0).reshape(8, 2)
    assert made.sum() == 120
    assert not is_mapped(Space(1, space.folder).empty((5, 0), np.float32))


@pytest.mark.parametrize("what", ["folder", "disk", "old system", "old disk"])
def test_disks_that_cannot(what: str, space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.ENOSPC if what == "disk" else errno.EOPNOTSUPP, "no more room")

    if what == "folder":
        space.folder.write_text("a file")
        with pytest.raises(OutputError, match="choose another folder with CacheDir, or raise MaxMemory"):
            space.empty((1000,), np.float64)
        return
    if what == "old system":
        monkeypatch.delattr(os, "posix_fallocate")
    else:
        monkeypatch.setattr(os, "posix_fallocate", refuse)
    if what == "disk":
        with pytest.raises(OutputError, match="no more room"):
            space.empty((1000,), np.float64)
        return
    made = space.empty((300_000,), np.float64)
    assert not made.any()
    made[:] = 1.0
    assert made.sum() == 300_000


def test_a_column_on_a_full_disk(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(Space, "file", lambda self: Full())
    with ColumnStore(space) as store, pytest.raises(OutputError, match="No space left on device"):
        store.column(np.float64).append(np.arange(500.0))


def test_sums_are_exact_over_blocks() -> None:
    values = np.zeros(3 * BLOCK)
    values[5], values[-1] = 1e17, -1e17
    values[BLOCK : 2 * BLOCK] = 0.1
    assert total(values) == np.full(BLOCK, 0.1).sum()
    assert total(np.full(10, 0.1, np.float32)) == float(np.float32(0.1)) * 10
    assert total(np.zeros(0)) == 0.0


def test_numbers_of_events() -> None:
    assert index_type(2**32) == np.uint32
    assert index_type(2**32 + 1) == np.int64
    assert [(s.start, s.stop) for s in spans(5, 2)] == [(0, 2), (2, 4), (4, 5)]


def test_gathering_in_buckets_reads_parts_of_several_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columnstore, "_STRIDE", 7)
    parts = [
        [np.arange(10, dtype=np.int32), np.broadcast_to(np.int16(0), 10)],
        [np.arange(10, 15, dtype=np.int64), np.broadcast_to(np.int16(1), 5)],
    ]
    order = np.random.default_rng(1).permutation(15)[:13]
    for bucket in (0, 1, 4, 13, 100):
        outs = [np.empty(13, np.int64), np.empty(13, np.int16)]
        gather(parts, order, outs, bucket)
        assert np.array_equal(outs[0], order)
        assert np.array_equal(outs[1], order >= 10)


# ------------------------------------------------------------------------------------------------------ samples


def sample(n: int, space: Space | None) -> Sample:
    random = np.random.default_rng(3)
    X, targets = random.normal(size=(n, 3)).astype(np.float32), random.normal(size=(n, 1)).astype(np.float32)
    columns = [X, np.arange(n, dtype=np.int16) % 2, random.normal(size=n), targets, np.arange(n) + 2**60]
    if space is not None:
        stored = []
        for column in columns:
            with ColumnStore(space) as store:
                grown = store.column(column.dtype, *column.shape[1:])
                grown.append(column)
                stored.append(grown.finish())
        columns = stored
    return Sample(*columns[:4], {"event": columns[4], "twice": columns[4]}, space)


def alike(one: Sample, other: Sample) -> bool:
    return (
        all(
            getattr(one, name).dtype == getattr(other, name).dtype
            and np.array_equal(getattr(one, name), getattr(other, name))
            for name in ("X", "class_index", "weight", "targets")
        )
        and list(one.spectators) == list(other.spectators)
        and all(np.array_equal(one.spectators[label], other.spectators[label]) for label in one.spectators)
    )


@pytest.mark.parametrize(
    "which",
    [
        slice(3, 50, 2),
        np.array([5, 5, 0, 399, 7, 8, 9]),
        np.array([-1, -400, 3]),
        np.arange(400) % 3 == 1,
        np.zeros(400, bool),
        np.random.default_rng(5).permutation(400),
    ],
    ids=["slice", "repeated", "negative", "mask", "none", "permutation"],
)
def test_a_mapped_sample_selects_as_one_in_memory_does(which: Any, space: Space) -> None:
    expected, found = sample(400, None).select(which), sample(400, space).select(which)
    assert alike(expected, found)
    assert found.space is space
    assert expected.space is None
    assert is_mapped(found.X) == (len(found) * 12 > space.small)


def test_events_that_are_not_there(space: Space) -> None:
    with pytest.raises(IndexError, match="no event -401 or"):
        sample(400, space).select(np.array([3, -801]))


def test_blocks_are_all_events_in_order(space: Space) -> None:
    whole = sample(400, space)
    blocks = list(whole.blocks(150))
    assert [len(block) for block in blocks] == [150, 150, 100]
    assert np.array_equal(np.concatenate([block.spectators["event"] for block in blocks]), whole.spectators["event"])
    assert all(np.shares_memory(block.X, whole.X) for block in blocks)


def test_inputs_are_mapped_by_blocks(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def double(X: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        seen.append(len(X))
        return X * 2

    monkeypatch.setattr("mvakit.dataset.spans", lambda n: spans(n, 100))
    made = sample(250, space).map_inputs(double)
    assert seen == [100, 100, 50]
    assert is_mapped(made.X)
    assert np.array_equal(made.X, sample(250, None).map_inputs(double).X)
    assert seen[-1] == 250
    columns = made.spectator_columns()
    assert is_mapped(columns)
    assert np.array_equal(columns, sample(250, None).spectator_columns())
    assert np.array_equal(columns[:, 1], made.spectators["twice"].astype(np.float64))

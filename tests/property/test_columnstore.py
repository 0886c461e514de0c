"""Whatever is appended and gathered, in whatever order and with whatever limit, NumPy's own answer comes out."""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest.mock import patch

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mvakit import columnstore
from mvakit.columnstore import ColumnStore, Space, gather

sizes = st.lists(st.integers(0, 40), min_size=1, max_size=6)


@given(sizes, st.integers(0, 5), st.integers(1, 2000), st.integers(0, 100), st.sampled_from(["f4", "i8", "?"]))
def test_columns_are_what_was_appended(chunks: list[int], width: int, limit: int, expected: int, kind: str) -> None:
    random = np.random.default_rng(0)
    values = [(random.normal(size=(n, width)) * 9).astype(kind) for n in chunks]
    with tempfile.TemporaryDirectory() as folder, ColumnStore(Space(limit, Path(folder))) as store:
        column = store.column(kind, width, expected)
        for chunk in values:
            column.append(chunk)
        found = column.finish()
        assert found.dtype == np.dtype(kind)
        assert np.array_equal(found, np.concatenate(values))
        assert store.mapped == (found.nbytes > limit / 2)
        del found


@given(sizes, st.data(), st.integers(0, 30), st.integers(1, 20))
def test_gathering_is_indexing(lengths: list[int], data: st.DataObject, bucket: int, stride: int) -> None:
    n = sum(lengths)
    indices = st.integers(0, max(n - 1, 0))
    order = np.array(data.draw(st.lists(indices, max_size=80 if n else 0)), dtype=np.uint32)
    if data.draw(st.booleans()):
        order = np.unique(order)
    wide, flat = np.arange(2.0 * n).reshape(n, 2), np.arange(n)
    ends = np.cumsum(lengths)[:-1]
    parts = list(zip(np.split(wide, ends), np.split(flat, ends), strict=True))
    outs = [np.full((len(order), 2), -1.0), np.full(len(order), -1)]
    with patch.object(columnstore, "_STRIDE", stride):
        gather(parts, order, outs, bucket)
    assert np.array_equal(outs[0], wide[order])
    assert np.array_equal(outs[1], flat[order])

"""Whatever the chunks, the bounds and the pieces of a tree, the columns are the same."""

from __future__ import annotations

import itertools
from typing import Any

import awkward as ak
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mvakit.sources import open_tree, with_friends
from mvakit.sources.opening import split_path
from mvakit.sources.root import _blocks

counts = st.lists(st.integers(0, 3), max_size=40)
cuts = st.lists(st.integers(0, 40), max_size=4)
bound = st.none() | st.integers(-45, 45)


def pieces(data: dict[str, Any], at: list[int]) -> Any:
    """The same columns as a chain of trees."""
    size = len(data["x"])
    edges = [0, *sorted(min(cut, size) for cut in at), size]
    parts = [{name: column[a:b] for name, column in data.items()} for a, b in itertools.pairwise(edges)]
    return open_tree([part for part in parts if len(part["x"])] or parts[:1])


@given(counts, cuts, cuts, st.integers(1, 50), bound, bound)
def test_chains_and_friends_read_in_any_chunks(
    sizes: list[int], own: list[int], other: list[int], step: int, start: int | None, stop: int | None
) -> None:
    data = {"x": np.arange(len(sizes)), "v": ak.unflatten(np.arange(sum(sizes), dtype="f4"), np.array(sizes, int))}
    tree = with_friends(pieces(data, own), {"u": pieces(data, other)})
    expected = np.arange(len(sizes))[start:stop]
    at = int(expected[0]) if len(expected) else 0
    for first, columns in tree.chunks(["x", "u.x", "v", "u.v"], step, start, stop):
        size = len(columns["x"])
        assert first == at
        assert 0 < size <= step
        for name in ("x", "u.x"):
            assert columns[name].tolist() == list(range(at, at + size))
        for name in ("v", "u.v"):
            assert columns[name].to_list() == data["v"][at : at + size].to_list()
        at += size
    assert at == (expected[-1] + 1 if len(expected) else 0)


@given(st.sets(st.integers(0, 200)), st.integers(1, 250), st.integers(0, 200), st.integers(0, 200))
def test_blocks_cover_every_entry_once(borders: set[int], size: int, start: int, stop: int) -> None:
    blocks = list(_blocks(sorted(borders), size, start, stop))
    assert [entry for lower, upper in blocks for entry in range(lower, upper)] == list(range(start, stop))
    assert all(upper - lower <= size for lower, upper in blocks)
    assert all(2 * (upper - lower) >= size for lower, upper in blocks[:-1])  # else much would be unpacked twice


files = st.text("abyzAZ09_./*?-", max_size=12).map(lambda text: f"{text}xy.root")
trees = st.sampled_from(["TreeS", "t", "folder/TreeS", "a/b/c;12", "TreeS;1"])


@given(files, trees)
def test_a_path_and_a_tree_are_told_apart(file: str, tree: str) -> None:
    assert split_path(f"{file}:{tree}") == (file, tree)
    assert split_path(file) == (file, "")
    for address in (f"root://user@host:1094/{file}", f"C:\\{file}"):
        assert split_path(f"{address}:{tree}") == (address, tree)
        assert split_path(address) == (address, "")

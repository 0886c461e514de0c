"""Every adapter gives the same columns; names, chunks, friends and what is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot

from mvakit.errors import SourceError
from mvakit.sources import ColumnType, Tree, files_of, open_tree, with_friends

N = 400
FLAT = ("x", "y", "i", "u", "us", "l", "b")


def make_data() -> dict[str, Any]:
    rng = np.random.default_rng(7)
    x = rng.normal(size=N).astype(np.float32)
    x[:3] = np.nan, -0.0, np.inf
    counts = rng.integers(0, 4, N)
    return {
        "x": x,
        "y": rng.normal(size=N),
        "i": rng.integers(-100, 100, N).astype(np.int32),
        "u": rng.integers(0, 256, N).astype(np.uint8),
        "us": rng.integers(0, 65536, N).astype(np.uint16),
        "l": rng.integers(-(2**62), 2**62, N),
        "b": rng.random(N) < 0.5,
        "arr": rng.normal(size=(N, 3)).astype(np.float32),
        "jet": ak.unflatten(rng.normal(size=int(counts.sum())).astype(np.float32), counts),
        "s": ak.Array(["signal" if odd else "" for odd in rng.random(N) < 0.5]),
    }


DATA = make_data()
NUMBERS = tuple(name for name in DATA if name != "s")


def lists(name: str) -> list[np.ndarray]:
    """The entries of a list column, each a NumPy array."""
    return [np.asarray(row) for row in DATA[name]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sources")
    types = {name: DATA[name].dtype for name in FLAT}
    with uproot.recreate(path / "ttree.root") as file:
        tree = file.mktree("t", {**types, "arr": (np.dtype("f4"), (3,)), "jet": "var * float32"})
        for first in range(0, N, 120):
            tree.extend({name: DATA[name][first : first + 120] for name in NUMBERS})
    with uproot.recreate(path / "rntuple.root") as file:
        array = ak.Array({name: ak.to_regular(ak.Array(DATA[name])) if name == "arr" else DATA[name] for name in DATA})
        ntuple = file.mkrntuple("t", array[:120])
        for first in range(120, N, 120):
            ntuple.extend(array[first : first + 120])
    pq.write_table(arrow_table(), path / "table.parquet", row_group_size=120)
    return path


def arrow_table() -> pa.Table:
    arrays = {name: pa.array(DATA[name]) for name in FLAT}
    arrays["arr"] = pa.FixedSizeListArray.from_arrays(pa.array(DATA["arr"].ravel()), 3)
    arrays["jet"] = pa.array(lists("jet"), type=pa.list_(pa.float32()))
    arrays["s"] = pa.array(DATA["s"].to_list())
    return pa.table(arrays)


def source(kind: str, folder: Path) -> Any:
    flat = {name: DATA[name] for name in FLAT}
    words = DATA["s"].to_list()
    match kind:
        case "TTree":
            return str(folder / "ttree.root") + ":t"
        case "RNTuple":
            return str(folder / "rntuple.root") + ":t"
        case "Parquet":
            return folder / "table.parquet"
        case "Arrow":
            return arrow_table()
        case "awkward":
            return ak.Array({**DATA, "arr": ak.to_regular(ak.Array(DATA["arr"]))})
        case "NumPy":
            return DATA
        case "NumPy big-endian, strided and objects":
            odd = {
                name: np.repeat(values, 2)[::2].astype(values.dtype.newbyteorder(">")) for name, values in flat.items()
            }
            rows = np.empty(N, dtype=object)
            rows[:] = lists("jet")
            return {**odd, "arr": np.asfortranarray(DATA["arr"]), "jet": rows, "s": np.array(words)}
        case "pandas":
            return pd.DataFrame({**flat, "jet": lists("jet"), "s": words})
        case "pandas nullable":
            nullable = {"y": "Float64", "i": "Int32", "u": "UInt8", "us": "UInt16", "l": "Int64", "b": "boolean"}
            return (
                pd.DataFrame(flat)
                .astype(nullable)
                .assign(
                    s=pd.Categorical(words), jet=pd.Series(lists("jet"), dtype=pd.ArrowDtype(pa.list_(pa.float32())))
                )
            )
        case "polars":
            return pl.DataFrame({**flat, "arr": pl.Series(DATA["arr"]), "jet": pl.Series(lists("jet")), "s": words})
        case "polars lazy":
            return pl.DataFrame(flat).lazy()
    raise AssertionError(kind)


KINDS = (
    *("TTree", "RNTuple", "Parquet", "Arrow", "awkward", "NumPy", "NumPy big-endian, strided and objects"),
    *("pandas", "pandas nullable", "polars", "polars lazy"),
)


def read(tree: Tree, names: list[str], **bounds: Any) -> dict[str, Any]:
    """All chunks, joined; they have to follow each other."""
    parts: list[Any] = []
    at = bounds.get("start") or 0
    for first, columns in tree.chunks(names, **bounds):
        assert first == at
        assert list(columns) == names
        sizes = {len(array) for array in columns.values()}
        assert len(sizes) == 1
        at += sizes.pop()
        parts.append(columns)
    join = {name: np.concatenate if isinstance(parts[0][name], np.ndarray) else ak.concatenate for name in names}
    return {name: join[name]([part[name] for part in parts]) for name in names}


def assert_same(got: Any, expected: Any) -> None:
    """The same bits in the same type."""
    if isinstance(expected, np.ndarray):
        assert isinstance(got, np.ndarray)
        assert type(got) is np.ndarray
        assert got.dtype == expected.dtype
        assert got.dtype.isnative
        assert got.flags.c_contiguous
        assert got.shape == expected.shape
        assert got.tobytes() == expected.tobytes()
    else:
        assert got.type == expected.type
        assert got.to_list() == expected.to_list()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step_size", ["100 MB", "2 kB", 37])
def test_every_adapter_gives_the_same_columns(kind: str, step_size: int | str, folder: Path) -> None:
    tree = open_tree(source(kind, folder))
    assert isinstance(tree, Tree)
    assert tree.num_entries == N
    names = [name for name in DATA if name in tree.branches]
    assert set(FLAT) <= set(names)
    columns = read(tree, names, step_size=step_size)
    for name in names:
        assert_same(columns[name], DATA[name])


@pytest.mark.parametrize("kind", KINDS)
def test_types_are_known_before_reading(kind: str, folder: Path) -> None:
    tree = open_tree(source(kind, folder))
    for name in FLAT:
        assert tree.column_type(name) == ColumnType(DATA[name].dtype)
    if "arr" in tree.branches:
        assert str(tree.column_type("arr")) == "float32[3]"
        assert tree.column_type("arr").is_numpy
    if "jet" in tree.branches:
        assert tree.column_type("jet") == ColumnType(np.dtype("f4"), (None,))
        assert tree.column_type("jet").is_jagged
    if "s" in tree.branches:
        assert tree.column_type("s").is_text
        assert str(tree.column_type("s")) == "text"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("start", "stop"), [(119, 121), (120, 240), (-183, None), (395, 5000)])
def test_bounds_are_those_of_a_slice(kind: str, start: int, stop: int | None, folder: Path) -> None:
    tree = open_tree(source(kind, folder))
    first, last, _ = slice(start, stop).indices(N)
    columns = read(tree, ["y", "b"], start=first, stop=stop, step_size=100)
    assert_same(columns["y"], DATA["y"][first:last])
    assert_same(columns["b"], DATA["b"][first:last])
    assert next(tree.chunks(["y"], 1000, start, stop))[0] == first


@pytest.mark.parametrize("kind", KINDS)
def test_chunks_are_no_larger_than_asked(kind: str, folder: Path) -> None:
    tree = open_tree(source(kind, folder))
    assert {len(c["x"]) for _, c in tree.chunks(["x"], 100)} == {100}
    assert max(len(c["y"]) for _, c in tree.chunks(["y", "l"], "1600 B")) <= 100
    assert list(tree.chunks(["x"], start=5, stop=5)) == []
    assert [(first, dict(columns)) for first, columns in tree.chunks([], 250)] == [(0, {}), (250, {})]


@pytest.mark.parametrize("kind", KINDS)
def test_reading_may_stop_early_and_begin_again(kind: str, folder: Path) -> None:
    tree = open_tree(source(kind, folder))
    iterator = tree.chunks(["x"], 10)
    next(iterator)
    both = zip(tree.chunks(["x"], 10), tree.chunks(["x"], 10), strict=True)
    assert all(np.array_equal(a[1]["x"], b[1]["x"], equal_nan=True) for a, b in both)
    del iterator
    assert_same(read(tree, ["x"])["x"], DATA["x"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_branch_is_refused_at_the_call(kind: str, folder: Path) -> None:
    tree = open_tree(source(kind, folder))
    with pytest.raises(SourceError, match="there is no branch 'uss'; did you mean 'us'") as error:
        tree.chunks(["x", "uss"])
    assert tree.location in str(error.value)
    with pytest.raises(SourceError, match="list of names"):
        tree.chunks("x")


@pytest.mark.parametrize("step_size", [0, -1, "100 parsecs", "0 MB", "", 1.5, True, None])
def test_a_step_size_is_entries_or_memory(step_size: Any) -> None:
    with pytest.raises(SourceError, match="step_size must be a positive number of entries or an amount like '100 MB'"):
        open_tree({"x": [1.0]}).chunks(["x"], step_size)


@pytest.mark.parametrize(("text", "entries"), [("8 B", 1), ("80B", 10), ("1 kB", 125), ("1KiB", 128), (".5 MB", 62500)])
def test_units_of_a_step_size(text: str, entries: int) -> None:
    tree = open_tree({"x": np.zeros(100_000)})
    assert len(next(tree.chunks(["x"], text))[1]["x"]) == entries


@pytest.mark.parametrize("kind", ["TTree", "RNTuple", "Parquet", "NumPy", "pandas", "polars"])
def test_fingerprints_stay_where_nothing_changes(kind: str, folder: Path) -> None:
    assert open_tree(source(kind, folder)).fingerprint() == open_tree(source(kind, folder)).fingerprint()


def test_fingerprints_tell_content_apart(folder: Path) -> None:
    prints = {
        open_tree(source(kind, folder)).fingerprint() for kind in ("TTree", "RNTuple", "Parquet", "NumPy", "pandas")
    }
    changed = {**DATA, "y": DATA["y"] + (np.arange(N) == 200)}
    renamed = {**{name: DATA[name] for name in DATA if name != "y"}, "yy": DATA["y"]}
    prints |= {open_tree(changed).fingerprint(), open_tree(renamed).fingerprint()}
    assert len(prints) == 7


def test_fingerprints_see_jagged_content() -> None:
    def fingerprint(rows: list[list[float]]) -> str:
        return open_tree({"jet": rows}).fingerprint()

    assert fingerprint([[1.0, 2.0], [3.0]]) == fingerprint([[1.0, 2.0], [3.0]])
    assert fingerprint([[1.0, 2.0], [3.0]]) != fingerprint([[1.0], [2.0, 3.0]])


def test_nothing_heavy_is_imported_for_arrays() -> None:
    code = (
        "import sys, numpy; from mvakit.sources import open_tree\n"
        "list(open_tree({'x': numpy.zeros(3)}).chunks(['x']))\n"
        "assert not {'uproot', 'awkward', 'pandas', 'polars', 'pyarrow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)}, timeout=60)


# Names


RECORDS = ak.Array(
    [{"ev": {"pt": i, "n": i % 2}, "mu": [{"pt": 1.5, "q": -1}] * (i % 3), "t": (i, 2.5)} for i in range(6)]
)


def test_records_become_dotted_columns_with_short_names() -> None:
    tree = open_tree(RECORDS)
    assert tree.branches == ("ev.pt", "ev.n", "mu.pt", "mu.q", "t.0", "t.1", "n", "q")
    columns = read(tree, ["n", "ev.n", "q", "mu.pt", "t.1"], step_size=4)
    assert_same(columns["n"], np.arange(6) % 2)
    assert_same(columns["ev.n"], columns["n"])
    assert columns["q"].to_list() == [[-1] * (i % 3) for i in range(6)]
    assert columns["mu.pt"].to_list() == [[1.5] * (i % 3) for i in range(6)]
    assert_same(columns["t.1"], np.full(6, 2.5))


@pytest.mark.parametrize(
    "given", [RECORDS, {"ev": RECORDS.ev, "mu": RECORDS.mu}, pl.DataFrame(RECORDS[["ev", "mu"]].to_list())]
)
def test_an_ambiguous_or_partial_name_is_refused(given: Any) -> None:
    tree = open_tree(given)
    with pytest.raises(SourceError, match=r"'pt' may be any of 'ev\.pt', 'mu\.pt': write which"):
        tree.column_type("pt")
    with pytest.raises(SourceError, match=r"'ev' is a group of columns, not a column: 'ev\.pt', 'ev\.n'"):
        tree.column_type("ev")


def test_lists_of_records_at_the_top() -> None:
    tree = open_tree(RECORDS.mu)
    assert str(tree.column_type("pt")) == "float64[]"
    assert read(tree, ["q"])["q"].to_list() == RECORDS.mu.q.to_list()


def test_a_structured_array() -> None:
    array = np.zeros(5, dtype=[("x", ">f4"), ("p", [("a", "i4"), ("v", "f8", (2, 3))])])
    array["x"] = np.arange(5)
    array["p"]["v"][4, 1, 2] = 9.0
    tree = open_tree(array)
    assert tree.branches == ("x", "p.a", "p.v", "a", "v")
    assert tree.column_type("v").shape == (2, 3)
    columns = read(tree, ["x", "v"])
    assert_same(columns["x"], np.arange(5, dtype=np.float32))
    assert columns["v"][4, 1, 2] == 9.0


def test_text_of_fixed_width() -> None:
    tree = open_tree({"a": np.array(["signal", "bg"]), "b": np.array([b"x", b"yy"])})
    columns = read(tree, ["a", "b"])
    assert (columns["a"].to_list(), columns["b"].to_list()) == (["signal", "bg"], ["x", "yy"])


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"x": np.zeros(2), "z": np.zeros(2, complex)}, "its type is complex128, neither number nor text"),
        ({"x": [1.0, 2.0], "z": [1.0, {"a": 1}]}, "its type differs from entry to entry"),
        ({"x": [1.0, 2.0], "z": [object(), object()]}, "no array can be made of it: cannot convert <object"),
        ({"x": [1.0, 2.0], "z": 3.0}, "no array can be made of it: it is the single value 3.0"),
        (pd.DataFrame({"x": [1.0], "z": pd.to_datetime(["2026-01-01"])}), r"its type is datetime64\[.*\], neither"),
        (pl.DataFrame({"x": [1.0], "z": [b"bytes"]}), "no array can be made of it: it is of type Binary"),
        (pa.table({"x": [1.0], "z": pa.array([1], type=pa.timestamp("s"))}), r"its type is datetime64\[s\], neither"),
        (ak.Array({"x": [1.0], "z": np.array([1], "M8[s]")}), r"its type is datetime64\[s\], neither"),
    ],
)
def test_what_no_formula_can_use_is_left_out_and_said(given: Any, why: str) -> None:
    tree = open_tree(given)
    assert tree.branches == ("x",)
    assert len(read(tree, ["x"])["x"]) == tree.num_entries
    with pytest.raises(SourceError, match=f"'z' cannot be used as a variable: {why}"):
        tree.column_type("z")


def test_columns_of_a_frame_that_have_no_text_for_a_name() -> None:
    frame = pd.DataFrame(np.zeros((3, 2)), columns=["x", 0])
    assert open_tree(frame).branches == ("x",)


# What is missing


@pytest.mark.parametrize("library", ["awkward", "pandas", "pandas nullable", "polars", "Arrow", "NumPy", "objects"])
def test_missing_floats_are_nan_and_other_missing_values_an_error(library: str) -> None:
    data: dict[str, list[Any]] = {"f": [1.0, None, 3.0], "i": [1, 2, None], "w": ["a", None, "c"]}
    match library:
        case "awkward":
            given: Any = ak.Array(data)
        case "pandas":
            given = pd.DataFrame({"f": data["f"], "i": pd.array(data["i"], "Int64"), "w": data["w"]})
        case "pandas nullable":
            given = pd.DataFrame(data).astype({"f": "Float32", "i": "Int16", "w": pd.ArrowDtype(pa.string())})
        case "polars":
            given = pl.DataFrame(data)
        case "Arrow":
            given = pa.table(data)
        case "NumPy":
            masks = [[False, True, False], [False, False, True]]
            given = {
                "f": np.ma.array([1.0, 9.0, 3.0], mask=masks[0]),
                "i": np.ma.array([1, 2, 9], mask=masks[1]),
                "w": data["w"],
            }
        case "objects":
            given = pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in data.items()})
    tree = open_tree(given)
    floats = read(tree, ["f"])["f"]
    assert floats.dtype == (np.float32 if library == "pandas nullable" else np.float64)
    np.testing.assert_array_equal(floats, [1.0, np.nan, 3.0])
    assert_same(read(tree, ["i"], stop=2)["i"].astype(np.int64), np.array([1, 2]))
    with pytest.raises(SourceError, match="'i' has no value in entry 2: fill or drop what is missing"):
        list(tree.chunks(["i"], 2))
    with pytest.raises(SourceError, match="'w' has no value in entry 1"):
        list(tree.chunks(["w"], 1))


def test_missing_words_of_a_masked_array() -> None:
    tree = open_tree({"w": np.ma.array(["a", "b"], mask=[False, True])})
    with pytest.raises(SourceError, match="'w' has no value in entry 1"):
        list(tree.chunks(["w"]))


def test_missing_in_lists() -> None:
    tree = open_tree(ak.Array({"jet": [[1.0, None], [], [2.0]], "n": [[1], [None], [2]], "none": [[1.0], None, [2.0]]}))
    assert np.isnan(read(tree, ["jet"])["jet"].to_list()[0][1])
    assert str(read(tree, ["jet"])["jet"].type) == "3 * var * float64"
    with pytest.raises(SourceError, match="'n' has no value: fill"):
        list(tree.chunks(["n"]))
    with pytest.raises(SourceError, match="'none' has no value in entry 1"):
        list(tree.chunks(["none"]))
    assert read(tree, ["none"], stop=1)["none"].to_list() == [[1.0]]


def test_nested_polars_columns() -> None:
    frame = pl.DataFrame(
        {
            "vv": [[[1.0], []], [], [[2.0, 3.0]]],
            "fixed": pl.Series([[[1, 2], [3, 4]]] * 3, dtype=pl.Array(pl.Array(pl.Int16, 2), 2)),
            "word": pl.Series(["a", "b", "a"], dtype=pl.Categorical),
            "lists": [["a"], [], ["b", "c"]],
            "gone": [[1.0], None, []],
            "rec": [{"a": 1, "b": [1.0]}, {"a": 2, "b": []}, {"a": 3, "b": [2.0]}],
        }
    )
    tree = open_tree(frame)
    columns = read(tree, ["vv", "fixed", "word", "lists", "rec.a", "b"], step_size=2)
    assert columns["vv"].to_list() == frame["vv"].to_list()
    assert_same(columns["fixed"], np.array([[[1, 2], [3, 4]]] * 3, dtype=np.int16))
    assert columns["word"].to_list() == ["a", "b", "a"]
    assert columns["lists"].to_list() == frame["lists"].to_list()
    assert_same(columns["rec.a"], np.array([1, 2, 3]))
    assert columns["b"].to_list() == [[1.0], [], [2.0]]
    with pytest.raises(SourceError, match="'gone' has no value in entry 1"):
        list(tree.chunks(["gone"]))


def test_a_record_batch_and_an_arrow_table_of_several_chunks() -> None:
    batch = pa.record_batch({"x": [1, 2], "v": pa.array([[1.0], None])})
    assert_same(read(open_tree(batch), ["x"])["x"], np.array([1, 2]))
    table = pa.Table.from_batches([batch, batch.slice(0, 1)])
    assert read(open_tree(table), ["x"], step_size=2)["x"].tolist() == [1, 2, 1]
    with pytest.raises(SourceError, match="'v' has no value in entry 1"):
        list(open_tree(table).chunks(["v"], 1))


def test_categories_are_read_as_what_they_stand_for() -> None:
    numbers = pd.DataFrame({"n": pd.Categorical([3, 5, 3]), "s": pd.Categorical(["b", "a", "b"])})
    columns = read(open_tree(numbers), ["n", "s"])
    assert_same(columns["n"], np.array([3, 5, 3]))
    assert columns["s"].to_list() == ["b", "a", "b"]
    table = pa.table({"s": pa.array(["b", "a", "b"]).dictionary_encode()})
    assert read(open_tree(table), ["s"])["s"].to_list() == ["b", "a", "b"]


def test_an_empty_list_column_takes_the_type_it_was_given() -> None:
    tree = open_tree(ak.Array({"e": ak.Array([[], []]), "jet": ak.values_astype(ak.Array([[], []]), np.float32)}))
    assert str(read(tree, ["e"])["e"].type) == "2 * var * float64"


# What is no tree


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (np.zeros((3, 2)), r"shape \(3, 2\) has no column names"),
        (ak.Array([1.0, 2.0]), "has no column names: hand over an array of records"),
        ({"x": [1.0, 2.0], "y": [1.0]}, "'x' has 2 entries, 'y' has 1"),
        ({1: [1.0]}, "a column is named by text, not by 1"),
        (pd.DataFrame([[1, 2]], columns=["x", "x"]), "two columns are named 'x'"),
        (42, "int is none of these"),
        (None, "NoneType is none of these"),
        (pd.Series([1.0]), "Series is none of these"),
        (ak.Record({"x": 1.0}), "Record is none of these"),
        (pa.schema([("x", pa.int8())]), "Schema is none of these"),
        ([], "nothing is in it"),
        (b"file.root", "bytes is none of these"),
    ],
)
def test_what_is_no_tree_is_said_to_be_none(given: Any, why: str) -> None:
    with pytest.raises(SourceError, match=why):
        open_tree(given)


def test_trees_and_what_hands_one_over_are_taken_as_they_are() -> None:
    class Handle:
        mvakit_tree = {"x": np.arange(3)}  # noqa: RUF012

    tree = open_tree({"x": np.arange(3)}, tree_name="mine")
    assert open_tree(tree) is tree
    assert (tree.name, tree.location, repr(tree)) == ("mine", "mine", "<MemoryTree 'mine': 3 entries>")
    assert_same(read(open_tree(Handle()), ["x"])["x"], np.arange(3))


def test_a_mapping_may_change_between_chunks_but_not_its_types() -> None:
    values = pd.DataFrame({"n": pd.array([1, 2, 3], "Int64")})
    tree = open_tree(values)
    tree._slicers["n"] = lambda first, last: np.array([1.5, 2.5])[first:last]
    with pytest.raises(SourceError, match="'n' is of type float64 from entry 0 on and was int64 before"):
        list(tree.chunks(["n"]))


# Trees made of trees


def test_a_chain_reads_one_after_the_other(folder: Path) -> None:
    tree = open_tree([source("TTree", folder), DATA, source("Parquet", folder)])
    assert tree.num_entries == 3 * N
    assert tree.location.endswith("ttree.root:t and 2 more")
    columns = read(tree, ["x", "arr", "jet"], step_size=128, start=300, stop=1100)
    expected = {name: (np if name != "jet" else ak).concatenate([DATA[name]] * 3)[300:1100] for name in columns}
    for name, values in columns.items():
        assert_same(values, expected[name])
    assert tree.fingerprint() != open_tree([source("Parquet", folder), DATA]).fingerprint()


def test_a_chain_tells_its_files(folder: Path) -> None:
    path = source("TTree", folder)
    inner = open_tree([{"x": np.zeros(4)}, {"x": np.zeros(5)}])
    tree = open_tree([path, {"x": np.zeros(3)}, {"x": np.zeros(0)}, inner])
    parts = ((open_tree(path).location, N), ("columns", 3), ("columns", 4), ("columns", 5))
    assert files_of(tree) == parts
    assert files_of(with_friends(inner, {"u": open_tree({"y": np.zeros(9)})})) == parts[2:]
    assert files_of(open_tree(path)) == parts[:1]


def test_a_tree_of_a_stranger_is_one_file() -> None:
    class Stranger:
        name, location, num_entries, branches = "t", "somewhere", 7, ("x",)

        def column_type(self, name: str) -> ColumnType:
            return ColumnType(np.dtype("f8"))

        def chunks(self, names: Any, step_size: Any = "1 MB", start: Any = None, stop: Any = None) -> Any:
            yield 0, {name: np.zeros(7) for name in names}

        def fingerprint(self) -> str:
            return "fixed"

    assert files_of(open_tree(Stranger())) == (("somewhere", 7),)


def test_a_chain_gives_one_type_throughout() -> None:
    parts = [
        {"x": np.arange(3, dtype=t), "v": ak.values_astype(ak.Array([[1], [], [2]]), t)} for t in ("i4", "f4", "u1")
    ]
    tree = open_tree(parts)
    assert tree.column_type("x").dtype == np.float64
    assert all(
        c["x"].dtype == np.float64 and str(c["v"].type) == "3 * var * float64" for _, c in tree.chunks(["x", "v"])
    )


def test_a_chain_of_text() -> None:
    assert read(open_tree([{"s": ["a"]}, {"s": ["b"]}]), ["s"])["s"].to_list() == ["a", "b"]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"y": np.zeros(2)}, "second: there is no branch 'x'"),
        ({"x": np.zeros((2, 3))}, r"'x' is float64 in columns and float64\[3\] in second"),
        ({"x": ["a", "b"]}, "'x' is float64 in columns and text in second"),
    ],
)
def test_a_chain_names_the_tree_that_differs(other: dict[str, Any], why: str) -> None:
    tree = open_tree([{"x": np.zeros(2), "only": np.zeros(2)}, open_tree(other, tree_name="second")])
    with pytest.raises(SourceError, match=why):
        list(tree.chunks(["x"]))
    with pytest.raises(SourceError, match="columns: there is no branch 'xx'"):
        tree.chunks(["xx"])


@pytest.mark.parametrize("step_size", [11, 64, "100 MB"])
def test_friends_are_read_alongside(step_size: int | str, folder: Path) -> None:
    friends = {"u": open_tree(source("RNTuple", folder)), "v": open_tree(source("NumPy", folder))}
    main = open_tree([{"x": DATA["y"][:170], "own": DATA["i"][:170]}, {"x": DATA["y"][170:], "own": DATA["i"][170:]}])
    tree = with_friends(main, friends)
    names = ["own", "x", "u.x", "v.jet", "u.jet", "u.arr", "u.s"]
    columns = read(tree, names, step_size=step_size, start=10, stop=350)
    expected = [DATA[name] for name in ("i", "y", "x", "jet", "jet", "arr", "s")]
    for name, values in zip(names, expected, strict=True):
        assert_same(columns[name], values[10:350])
    assert_same(read(tree, ["u.y"])["u.y"], DATA["y"])
    assert tree.name == main.name
    assert tree.fingerprint() != with_friends(main, {"w": friends["u"]}).fingerprint()


def test_names_of_friends() -> None:
    main = open_tree({"x": np.zeros(3)})
    one, two = open_tree({"x": np.ones(3), "z": np.ones(3)}), open_tree({"z": np.zeros(3), "q": np.zeros(3)})
    assert with_friends(main, {}) is main
    assert with_friends(main, {"u": one}).branches == ("x", "u.x", "u.z", "z")
    tree = with_friends(main, {"u": one, "w": two})
    assert tree.branches == ("x", "u.x", "u.z", "w.z", "w.q", "q")
    assert_same(read(tree, ["x"])["x"], np.zeros(3))
    with pytest.raises(SourceError, match=r"'z' may be any of 'u\.z', 'w\.z'"):
        tree.chunks(["z"])


def test_unfit_friends_are_refused() -> None:
    main = open_tree({"x": np.zeros(3), "u": ak.Array([{"z": 1.0}] * 3)})
    with pytest.raises(SourceError, match=r"the friend 'w' \(other\) has 2 entries, and columns has 3"):
        with_friends(main, {"w": open_tree({"x": np.zeros(2)}, tree_name="other")})
    with pytest.raises(SourceError, match=r"'u\.z' is a column of columns as well as one of the friend 'u'"):
        with_friends(main, {"u": open_tree({"z": np.zeros(3)})})
    with pytest.raises(SourceError, match=r"the alias of a friend is a word.*not 'a\.b'"):
        with_friends(main, {"a.b": main})

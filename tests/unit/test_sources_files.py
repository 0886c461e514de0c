"""Files: what a path may say, what is in them, and what is wrong with them."""

from __future__ import annotations

import json
import logging
import os
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import awkward as ak
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import uproot

from mvakit.errors import MvakitWarning, SourceError
from mvakit.sources import Tree, open_tree, with_friends
from mvakit.sources.opening import split_path
from mvakit.sources.root import _blocks, _branch_types

N = 90


def write(path: Path, *, trees: dict[str, Any] | None = None) -> str:
    """Write TTrees of one column ``x`` each, in baskets of 40 entries."""
    with uproot.recreate(path) as file:
        for name, values in (trees or {"TreeS": np.arange(N)}).items():
            tree = file.mktree(name, {"x": np.dtype("f8"), "n": np.dtype("i4")})
            for first in range(0, len(values), 40):
                part = np.asarray(values[first : first + 40], float)
                tree.extend({"x": part, "n": part.astype("i4")})
    return str(path)


def values(tree: Tree, name: str = "x", **bounds: Any) -> list[float]:
    return [value for _, columns in tree.chunks([name], **bounds) for value in columns[name].tolist()]


@pytest.fixture
def file(tmp_path: Path) -> str:
    return write(
        tmp_path / "data.root", trees={"TreeS": np.arange(N), "sub/deep/TreeB": -np.arange(5), "sub/TreeC": [7]}
    )


# Paths


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("file.root:TreeS", ("file.root", "TreeS")),
        ("file.root", ("file.root", "")),
        ("file.root:", ("file.root", "")),
        ("a/b.root:dir/TreeS;2", ("a/b.root", "dir/TreeS;2")),
        ("/abs/x*.root:T", ("/abs/x*.root", "T")),
        ("C:\\data\\x.root:Tree", ("C:\\data\\x.root", "Tree")),
        ("C:/data/x.root", ("C:/data/x.root", "")),
        ("root://host:1094//store/x.root:T", ("root://host:1094//store/x.root", "T")),
        ("root://host:1094//store/x.root", ("root://host:1094//store/x.root", "")),
        ("root://me:secret@host//store/x.root", ("root://me:secret@host//store/x.root", "")),
        ("https://host/x.root:dir/T", ("https://host/x.root", "dir/T")),
        ("zip://x.root::https://host:8/y.zip:T", ("zip://x.root::https://host:8/y.zip", "T")),
        ("\0.root:T", ("\0.root", "T")),
    ],
)
def test_file_and_tree_in_a_path(text: str, expected: tuple[str, str]) -> None:
    assert split_path(text) == expected


def test_a_file_may_have_colons_in_its_name(tmp_path: Path) -> None:
    path = write(tmp_path / "run:12:30.root")
    assert values(open_tree(path)) == values(open_tree(f"{path}:TreeS")) == list(range(N))


def test_the_tree_may_be_named_apart(file: str) -> None:
    assert open_tree(Path(file), tree_name="sub/TreeC").num_entries == 1
    with pytest.raises(SourceError, match="there is no file"):
        open_tree(f"{file}:TreeS", tree_name="TreeS")


def test_home_folders_are_known(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(Path(file).parent))
    assert open_tree("~/data.root:TreeS").num_entries == N
    assert open_tree("~/d*.root:TreeS").num_entries == N


def test_folders_cycles_and_branches(tmp_path: Path, file: str) -> None:
    assert values(open_tree(f"{file}:sub/deep/TreeB")) == [0, -1, -2, -3, -4]
    assert open_tree(f"{file}:/sub/deep/TreeB;1").location == f"{file}:sub/deep/TreeB"
    assert open_tree(f"{file}:TreeS").name == "TreeS"
    assert open_tree(f"{file}:sub/deep").name == "TreeB"
    assert open_tree(f"{file}:TreeS/x").num_entries == N
    twice = tmp_path / "cycles.root"
    write(twice)
    with uproot.update(twice) as updated:
        updated.mktree("TreeS", {"x": np.dtype("f8")}).extend({"x": np.ones(2)})
    assert values(open_tree(f"{twice}:TreeS;1"))[:3] == [0.0, 1.0, 2.0]
    assert (
        values(open_tree(f"{twice}:TreeS;2"))
        == values(open_tree(f"{twice}:TreeS"))
        == values(open_tree(twice))
        == [1.0, 1.0]
    )


@pytest.mark.parametrize(
    ("inside", "why"),
    [
        (":TreeX", "data.root has no 'TreeX'; did you mean 'TreeS'"),
        (":sub/TreeX", "has no 'sub/TreeX'; did you mean 'sub/TreeC'"),
        (":TreeS;9", "has no 'TreeS;9'; did you mean 'TreeS'"),
        ("", "data.root has 3 trees: say which, as in .*; trees: TreeS, sub/TreeC, sub/deep/TreeB"),
        (":sub", "the folder 'sub' of .*data.root has 2 trees"),
        (":TreeS/who", r"data\.root:TreeS: there is no branch 'who'; branches: n, x"),
    ],
)
def test_a_missing_tree_is_named_with_those_there_are(file: str, inside: str, why: str) -> None:
    with pytest.raises(SourceError, match=why):
        open_tree(file + inside)


def test_what_else_a_file_may_hold(tmp_path: Path) -> None:
    path = tmp_path / "hist.root"
    with uproot.recreate(path) as written:
        written["h"] = np.histogram([1.0])
        written["dir/text"] = "x"
    with pytest.raises(SourceError, match="'h' is a TH1D, not a tree"):
        open_tree(f"{path}:h")
    with pytest.raises(SourceError, match=r"hist\.root has no tree; it holds TH1D, TObjString"):
        open_tree(path)
    with uproot.recreate(tmp_path / "dirs.root") as written:
        written.mkdir("a/b")
    with pytest.raises(SourceError, match="has no tree; it holds nothing but folders"):
        open_tree(tmp_path / "dirs.root")
    with pytest.raises(SourceError, match=r"the folder 'dir' of .* has no tree; it holds TObjString"):
        open_tree(f"{path}:dir")


def test_missing_files(tmp_path: Path, file: str) -> None:
    with pytest.raises(SourceError, match=r"there is no file '.*dataa\.root'; did you mean 'data\.root'"):
        open_tree(file.replace("data.root", "dataa.root:TreeS"))
    with pytest.raises(SourceError, match="there is no f"):
        open_tree("~nobody-of-that-name/x.root:T")
    with pytest.raises(SourceError, match="there is no folder"):
        open_tree(tmp_path / "none" / "x.root")
    with pytest.raises(SourceError, match=r"no file matches '.*/z\*\.root'"):
        open_tree(f"{tmp_path}/z*.root:T")
    with pytest.raises(SourceError, match=r"is a folder: name its files, as in '.*/\*\.root:Tree'"):
        open_tree(tmp_path)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_that_may_not_be_read(file: str) -> None:
    Path(file).chmod(0)
    with pytest.raises(SourceError, match="cannot be opened: Permission denied"):
        open_tree(file)


def test_what_is_no_root_file(tmp_path: Path) -> None:
    path = tmp_path / "x.root"
    path.write_text("var1,var2\n")
    with pytest.raises(SourceError, match=r"x\.root is neither a ROOT nor a Parquet file: it begins with b'var1'"):
        open_tree(f"{path}:T")
    path.write_bytes(b"")
    with pytest.raises(SourceError, match=r"x\.root is empty: it has no bytes"):
        open_tree(f"{path}:T")


@pytest.mark.parametrize("address", ["https://localhost:1/x.root:T", "nonsense://host/x.root:T"])
def test_an_address_out_of_reach(address: str) -> None:
    with pytest.raises(SourceError, match=r"x\.root"):
        open_tree(address)


def test_what_is_not_done_with_addresses() -> None:
    with pytest.raises(SourceError, match="give a list of addresses"):
        open_tree("root://host//store/*.root:T")
    with pytest.raises(SourceError, match="Parquet is read from local files"):
        open_tree("https://host/x.parquet")


def test_an_address_is_handed_to_uproot(file: str) -> None:
    tree = open_tree(f"file://{file}:TreeS")
    assert values(tree) == list(range(N))
    assert tree.fingerprint().startswith("root:")


# Lists of files


def test_patterns_and_lists(tmp_path: Path) -> None:
    for i in (2, 0, 1):
        write(tmp_path / f"part{i}.root", trees={"TreeS": [10 * i, 10 * i + 1]})
    expected = [0, 1, 10, 11, 20, 21]
    assert values(open_tree(f"{tmp_path}/part*.root:TreeS")) == expected
    assert values(open_tree(f"{tmp_path}/part[12].root")) == expected[2:]
    assert values(open_tree([f"{tmp_path}/part2.root:TreeS", tmp_path / "part0.root"]), start=1, stop=3) == [21, 0]
    (tmp_path / "sub").mkdir()
    shutil.copy(tmp_path / "part2.root", tmp_path / "sub" / "more.root")
    assert open_tree(f"{tmp_path}/**/*.root:TreeS").num_entries == 8
    assert open_tree([f"{tmp_path}/part1.root"]).location == f"{tmp_path}/part1.root:TreeS"


def test_a_mapping_of_files_to_their_trees(tmp_path: Path) -> None:
    for name, tree, first in (("a", "TreeS", 0), ("b1", "TreeB", 10), ("b2", "TreeB", 20)):
        write(tmp_path / f"{name}.root", trees={tree: [first, first + 1], "Other": [5]})
    tree = open_tree({f"{tmp_path}/b*.root": "TreeB", tmp_path / "a.root": "TreeS"})
    assert values(tree) == [10, 11, 20, 21, 0, 1]
    with pytest.raises(SourceError, match=r"a\.root has no 'TreeB'"):
        open_tree({tmp_path / "a.root": "TreeB"})


def test_empty_files_and_trees_are_skipped_and_said_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    full, zero = write(tmp_path / "a.root"), write(tmp_path / "b.root", trees={"TreeS": []})
    (tmp_path / "c.root").touch()
    uproot.recreate(tmp_path / "d.root").close()
    with caplog.at_level(logging.INFO, "mvakit.sources"):
        tree = open_tree(f"{tmp_path}/*.root:TreeS")
    assert values(tree) == list(range(N))
    assert tree.location == f"{full}:TreeS"
    said = [record.getMessage() for record in caplog.records]
    assert [message.partition(": ")[0] for message in said] == ["skipped"] * 3
    assert any("b.root:TreeS has no entries" in message for message in said)
    assert any("c.root is empty: it has no bytes" in message for message in said)
    assert any("d.root is empty: it has no objects" in message for message in said)
    assert open_tree([zero, str(tmp_path / "c.root")]).num_entries == 0
    assert list(open_tree(zero).chunks(["x"])) == []
    with pytest.raises(SourceError, match=r"d\.root is empty"):
        open_tree([tmp_path / "d.root", tmp_path / "c.root"])


def test_a_list_names_the_file_that_is_wrong(tmp_path: Path) -> None:
    good = write(tmp_path / "a.root")
    other = write(tmp_path / "b.root", trees={"Other": [1]})
    with pytest.raises(SourceError, match=r"b\.root has no 'TreeS'"):
        open_tree(f"{tmp_path}/*.root:TreeS")
    tree = open_tree([good, other, {"y": [1.0]}])
    with pytest.raises(SourceError, match="columns: there is no branch 'x'"):
        list(tree.chunks(["x"]))


def test_a_file_given_twice_is_warned_of(file: str) -> None:
    with pytest.warns(MvakitWarning, match=r"data\.root is given 2 times, and is read as often"):
        tree = open_tree([f"{file}:TreeS", f"{file}:TreeS"])
    assert tree.num_entries == 2 * N


# uproot objects


def test_uproot_objects_are_taken_and_left_open(file: str) -> None:
    with uproot.open(file) as opened:
        tree = open_tree(opened["TreeS"])
        assert (tree.name, tree.location) == ("TreeS", f"{file}:TreeS")
        assert values(tree) == list(range(N))
        assert open_tree(opened["sub/deep"]).location == f"{file}:sub/deep/TreeB"
        assert open_tree(opened, tree_name="TreeS").location == f"{file}:TreeS"
        with pytest.raises(SourceError, match="is neither a TTree nor an RNTuple but Model_TBranch"):
            open_tree(opened["TreeS/x"])
        assert not opened.closed
        held = opened["TreeS"]
    with pytest.raises(SourceError, match=r"data\.root:TreeS has been closed"):
        open_tree(held)
    with pytest.raises(SourceError, match="cannot be read"):
        list(tree.chunks(["x"]))


@pytest.mark.parametrize("kind", ["TTree", "RNTuple"])
def test_one_tree_may_be_read_by_several_threads(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "x.root"
    with uproot.recreate(path) as written:
        make = written.mktree if kind == "TTree" else written.mkrntuple
        make("t", {"x": np.dtype("f8")}).extend({"x": np.arange(500.0)})
    tree = open_tree(path)
    found: list[list[float]] = []
    threads = [threading.Thread(target=lambda: found.append(values(tree, step_size=7))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [np.arange(500.0).tolist()] * 4


# Reading in blocks


@pytest.mark.parametrize(
    ("borders", "size", "start", "stop", "expected"),
    [
        ([0, 40, 80, 90], 100, 0, 90, [(0, 90)]),
        ([0, 40, 80, 90], 50, 0, 90, [(0, 40), (40, 90)]),
        ([0, 40, 80, 90], 45, 0, 90, [(0, 40), (40, 80), (80, 90)]),
        ([0, 40, 80, 90], 85, 0, 90, [(0, 80), (80, 90)]),
        ([0, 40, 80, 90], 50, 30, 85, [(30, 80), (80, 85)]),
        ([0, 90], 40, 0, 90, [(0, 40), (40, 80), (80, 90)]),  # baskets larger than a block
        ([0, 40, 90], 81, 0, 90, [(0, 81), (81, 90)]),  # a border that would leave less than half a block
        ([], 60, 0, 90, [(0, 60), (60, 90)]),
        ([0, 1], 1, 5, 7, [(5, 6), (6, 7)]),
    ],
)
def test_blocks_end_with_baskets_where_that_is_cheap(
    borders: list[int], size: int, start: int, stop: int, expected: list[tuple[int, int]]
) -> None:
    assert list(_blocks(borders, size, start, stop)) == expected


@pytest.mark.parametrize("kind", ["TTree", "RNTuple"])
def test_small_blocks_give_the_same(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.root"
    counts = np.arange(N) % 4
    data = {"x": np.arange(N, dtype="f4"), "v": ak.unflatten(np.arange(counts.sum(), dtype="i4"), counts)}
    with uproot.recreate(path) as written:
        make = written.mktree if kind == "TTree" else written.mkrntuple
        tree = make("t", {"x": np.dtype("f4"), "v": "var * int32"} if kind == "TTree" else ak.Array(data)[:0])
        for first in range(0, N, 40):
            part = {name: column[first : first + 40] for name, column in data.items()}
            tree.extend(part if kind == "TTree" else ak.Array(part))
    monkeypatch.setattr("mvakit.sources.root._BLOCK", "400 B")
    for step in (1, 13, 100):
        assert values(open_tree(path), "x", step_size=step) == data["x"].tolist()
        assert values(open_tree(path), "v", step_size=step) == data["v"].to_list()


@pytest.mark.parametrize("name", ["data.root:TreeS", "table.parquet"])
def test_no_file_stays_open(name: str, file: str) -> None:
    folder = Path(file).parent
    pq.write_table(pa.table({"x": np.arange(float(N))}), folder / "table.parquet")

    def open_files() -> list[str]:
        links = [str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
        return [link for link in links if link.startswith(str(folder))]

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("only Linux tells which files are open")
    threads = threading.active_count()
    tree = open_tree(folder / name)
    assert open_files() == []
    chunks = tree.chunks(["x"], 10)
    next(chunks)
    chunks.close()  # type: ignore[attr-defined]
    assert open_files() == []
    assert values(tree) == list(range(N))
    assert open_files() == []
    with pytest.raises(SourceError):
        open_tree(folder / (name + "x"))
    assert open_files() == []
    assert threading.active_count() <= threads + 1  # pyarrow keeps one of its own


# Damage


@pytest.mark.parametrize("kind", ["TTree", "RNTuple", "Parquet"])
@pytest.mark.parametrize("kept", [0.001, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_an_error_that_names_it(kind: str, kept: float, tmp_path: Path) -> None:
    path = tmp_path / "cut.root"
    data = {"x": np.random.default_rng(1).normal(size=3000)}
    if kind == "Parquet":
        pq.write_table(pa.table(data), path)
    else:
        with uproot.recreate(path) as written:
            (written.mktree if kind == "TTree" else written.mkrntuple)("t", {"x": np.dtype("f8")}).extend(data)
    whole = path.read_bytes()
    path.write_bytes(whole[: max(5, int(kept * len(whole)))])
    with pytest.raises(SourceError, match=r"cut\.root"):
        list(open_tree(path).chunks(["x"]))


def test_damage_within_the_data_is_an_error_that_names_the_tree(tmp_path: Path) -> None:
    path = tmp_path / "bad.root"
    with uproot.recreate(path, compression=uproot.ZLIB(1)) as written:
        written.mktree("t", {"x": np.dtype("f8")}).extend({"x": np.repeat(np.arange(300.0), 20)})
    content = bytearray(path.read_bytes())
    at = content.index(b"ZL\x08") + 30
    content[at : at + 50] = bytes(50)
    path.write_bytes(content)
    tree = open_tree(f"{path}:t")
    with pytest.raises(SourceError, match=r"bad\.root:t cannot be read: it is damaged"):
        list(tree.chunks(["x"]))


def test_a_file_that_changes_under_a_tree_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "x.root")
    tree = open_tree(path)
    before = tree.fingerprint()
    write(tmp_path / "x.root", trees={"TreeS": -np.arange(N)})
    with pytest.raises(SourceError, match=r"x\.root:TreeS has changed since it was opened"):
        list(tree.chunks(["x"]))
    assert open_tree(path).fingerprint() != before
    Path(path).unlink()
    with pytest.raises(SourceError, match=r"x\.root cannot be read"):
        list(tree.chunks(["x"]))


def test_a_branch_that_uproot_cannot_read_is_said_to_be_so() -> None:
    unknown = uproot.interpretation.identify.UnknownInterpretation("none of the rules matched", "x.root", "t;1")
    assert list(_branch_types(SimpleNamespace(), unknown)) == [((), "uproot cannot read it: none of the rules matched")]

    class Strange:
        def awkward_form(self, file: object) -> None:
            raise ValueError("no form\nfor this")

    branch = SimpleNamespace(file=None, typename="std::map<Foo,Bar>")
    reason = "uproot cannot make an array of its type std::map<Foo,Bar> (no form)"
    assert list(_branch_types(branch, Strange())) == [((), reason)]


# Parquet


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pq.write_table(pa.table({"x": [1.0]}), tmp_path / "x.parquet")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SourceError, match="needs the package 'pyarrow'"):
        open_tree(tmp_path / "x.parquet")


def test_parquet_names_types_and_fingerprint(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    table = pa.table(
        {
            "ev": [{"pt": 1.5, "n": 1}],
            "when": pa.array([1], type=pa.date32()),
            "amount": pa.array([None], pa.decimal128(5, 2)),
        }
    )
    pq.write_table(table, path)
    tree = open_tree(path)
    assert (tree.name, tree.location) == ("x", str(path))
    assert tree.branches == ("ev.pt", "ev.n", "pt", "n")
    with pytest.raises(SourceError, match="'amount' cannot be used as a variable: its type is decimal"):
        tree.chunks(["amount"])
    with pytest.raises(SourceError, match=r"x\.parquet is a Parquet file, and has no 'T' in it: leave ':T' away"):
        open_tree(f"{path}:T")
    before = tree.fingerprint()
    pq.write_table(pa.table({"x": [1.0, 2.0]}), path)
    assert open_tree(path).fingerprint() != before
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"]), path)
    with pytest.raises(SourceError, match="two columns are named 'x'"):
        open_tree(path)


# What ROOT wrote


@pytest.fixture
def by_root() -> Tree:
    return open_tree(Path(__file__).parent.parent / "reference" / "sources" / "written_by_root.root")


def test_names_mean_what_they_mean_to_root(by_root: Tree) -> None:
    """Leaf lists, leaves of other names, split and unsplit objects: every number is what ROOT's TTree::Draw says."""
    path = Path(__file__).parent.parent / "reference" / "sources" / "written_by_root.json"
    expected = json.loads(path.read_text())
    assert set(expected) <= set(by_root.branches)
    for first, columns in by_root.chunks(list(expected)):
        assert first == 0
        for name, numbers in expected.items():
            assert ak.to_numpy(ak.flatten(columns[name], axis=None)).tolist() == numbers, name


def test_layouts_that_root_writes(by_root: Tree) -> None:
    names = ["two", "mat", "v", "vv", "s", "cs", "vs", "ev.w", "nm.fName", "d32"]
    types = [
        "float32[2][3]",
        "float32[][2]",
        "float32[]",
        "float32[][]",
        "text",
        "text",
        "text[]",
        "float32[3]",
        "text",
        "float64",
    ]
    assert [str(by_root.column_type(name)) for name in names] == types
    sizes = [(i * 7) % 4 for i in range(7)]
    for first, columns in by_root.chunks(names, 3):
        entries = range(first, first + len(columns["s"]))
        assert columns["s"].to_list() == ["Signal" if i % 2 else "Background" for i in entries]
        assert columns["cs"].to_list() == ["sig" if i % 2 else "bkg" for i in entries]
        assert columns["vs"].to_list() == [["even", "odd", "even"][: sizes[i]] for i in entries]
        assert columns["vv"].to_list() == [[[float(i)] * j for j in range(sizes[i])] for i in entries]
        assert columns["mat"].to_list() == [[[j, -j] for j in range(i % 3)] for i in entries]
        assert columns["two"].shape == (len(entries), 2, 3)


def test_a_leaf_of_two_branches_is_ambiguous(by_root: Tree) -> None:
    with pytest.raises(SourceError, match=r"'pt' may be any of 'ev\.pt', 'mu\.pt'"):
        by_root.chunks(["pt"])


def test_reference_trees_with_a_friend(reference: Path) -> None:
    """Bare names, leaves and the columns of a friend, against what ROOT's TTreeFormula gave."""
    expected = json.loads((reference / "formula" / "nested_expected.json").read_text())
    folder = reference / "formula"
    tree = with_friends(open_tree(folder / "formula_nested.root"), {"u": open_tree(folder / "formula_friend.root")})
    names = [name for name in expected if name in tree.branches]
    assert {"pt", "ev.pt", "n" if "n" in expected else "met", "w", "dyn", "vv", "v", "z", "u.z"} <= set(names)
    for step in (7, "100 MB"):
        for first, columns in tree.chunks(names, step):
            for name in names:
                for i, row in enumerate(columns[name]):
                    flat = np.asarray(ak.flatten(row, axis=None) if tree.column_type(name).shape else [row], float)
                    assert flat.tolist() == expected[name]["values"][first + i], name


def test_reference_multiclass_responses_are_groups(reference: Path) -> None:
    tree = open_tree(f"{reference}/toy/multi/TMVA.root:dataset/TestTree")
    assert tree.num_entries == 3000
    assert {"BDTG.Signal", "BDTG.bg0", "className", "sum"} <= set(tree.branches)
    with pytest.raises(SourceError, match=r"'BDTG' is a group of columns, not a column: 'BDTG\.Signal'"):
        tree.column_type("BDTG")
    with pytest.raises(SourceError, match=r"'Signal' may be any of 'BDTG\.Signal', 'FDA\.Signal'"):
        tree.column_type("Signal")

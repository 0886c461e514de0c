"""The same job on the same events, whatever they come in: the same samples to the last bit, the same weight files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
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

from mvakit import DataLoader, Factory
from mvakit.dataset import DataSet
from mvakit.sources import open_tree

Columns = Mapping[str, Any]
Way = Callable[[Columns, Path], Any]
N = 700
FIRST_EVENT = 2**53 + 1  # beyond what double precision can tell apart
TYPES = {
    "event": np.int64,
    "run": np.uint32,
    "lumi": np.uint64,
    "njet": np.int32,
    "charge": np.int16,
    "flag": np.uint8,
    "good": np.bool_,
    "eta": np.float32,
    "mass": np.float64,
}


@pytest.fixture(scope="module")
def events() -> dict[str, Columns]:
    """Events of the toy with columns of many types, and in the column `jet` none to three numbers."""
    found = {}
    path = Path(__file__).parent.parent / "reference" / "toy" / "toy_classification.root"
    for seed, (tree, name) in enumerate((("TreeS", "Signal"), ("TreeB", "Background"))):
        with uproot.open(path) as file:
            columns = {k: v[:N] for k, v in file[tree].arrays(library="np").items()}
        random = np.random.default_rng(seed)
        numbers = np.arange(N)
        columns["weight"] = columns["weight"] * (1 + 1e-9 * numbers)  # in double precision
        columns["event"] = FIRST_EVENT + 2 * numbers.astype(np.int64)
        columns["run"] = (2**32 - 1 - numbers).astype(np.uint32)
        columns["lumi"] = np.uint64(2**64 - 1) - numbers.astype(np.uint64)
        columns["charge"] = (numbers % 3 - 1).astype(np.int16)
        columns["flag"] = (numbers % 256).astype(np.uint8)
        columns["good"] = random.uniform(size=N) < 0.9
        columns["mass"] = random.normal(91.2, 2.5, N)
        columns["jet"] = ak.unflatten(
            random.exponential(30, int((numbers % 4).sum())).astype(np.float32), numbers.astype(int) % 4
        )
        found[name] = columns
    return found


def lists(columns: Columns) -> dict[str, Any]:
    return {k: v.to_list() if isinstance(v, ak.Array) else v for k, v in columns.items()}


def objects(columns: Columns) -> dict[str, Any]:
    """Lists of numbers as NumPy holds them: one array for each entry."""
    made = dict(columns)
    made["jet"] = np.empty(len(columns["jet"]), object)
    made["jet"][:] = [np.asarray(one) for one in columns["jet"]]
    return made


def arrow(columns: Columns) -> pa.Table:
    return pa.table(
        {
            k: ak.to_arrow(v, extensionarray=False) if isinstance(v, ak.Array) else pa.array(v)
            for k, v in columns.items()
        }
    )


def pieces(columns: Columns) -> Iterator[dict[str, Any]]:
    for begin, end in ((0, 150), (150, 151), (151, 500), (500, N)):
        yield {name: column[begin:end] for name, column in columns.items()}


def ttree(columns: Columns, folder: Path, name: str = "one.root") -> str:
    with uproot.recreate(folder / name) as file:
        file["t"] = dict(columns)
    return f"{folder}/{name}:t"


def rntuple(columns: Columns, folder: Path) -> str:
    with uproot.recreate(folder / "ntuple.root") as file:
        file.mkrntuple("t", ak.Array(dict(columns)))
    return f"{folder}/ntuple.root:t"


def parquet(columns: Columns, folder: Path) -> str:
    pq.write_table(arrow(columns), folder / "t.parquet", row_group_size=200)
    return f"{folder}/t.parquet"


def several_files(columns: Columns, folder: Path) -> list[str]:
    return [ttree(piece, folder, f"part{number}.root") for number, piece in enumerate(pieces(columns))]


def glob(columns: Columns, folder: Path) -> str:
    several_files(columns, folder)
    return f"{folder}/part*.root:t"


def of_each_kind(columns: Columns, folder: Path) -> list[Any]:
    ways: tuple[Way, ...] = (ttree, parquet, lambda piece, _: arrow(piece), lambda piece, _: pl.DataFrame(lists(piece)))
    return [way(piece, folder) for way, piece in zip(ways, pieces(columns), strict=True)]


WAYS: dict[str, Way] = {
    "TTree": ttree,
    "TTree opened by uproot": lambda columns, folder: uproot.open(ttree(columns, folder)),
    "RNTuple": rntuple,
    "RNTuple opened by uproot": lambda columns, folder: uproot.open(rntuple(columns, folder)),
    "Parquet": parquet,
    "awkward": lambda columns, _: ak.Array(dict(columns)),
    "NumPy": lambda columns, _: objects(columns),
    "pandas": lambda columns, _: pd.DataFrame(objects(columns)),
    "pandas of Arrow": lambda columns, _: arrow(columns).to_pandas(types_mapper=pd.ArrowDtype),
    "polars": lambda columns, _: pl.DataFrame(
        {k: pl.Series(v.to_list(), dtype=pl.List(pl.Float32)) if k == "jet" else v for k, v in columns.items()}
    ),
    "polars, lazy": lambda columns, _: pl.from_arrow(arrow(columns)).lazy(),
    "Arrow": lambda columns, _: arrow(columns),
    "files by glob": glob,
    "files by list": several_files,
    "files by mapping": lambda columns, folder: {one.removesuffix(":t"): "t" for one in several_files(columns, folder)},
    "a list of kinds": of_each_kind,
}


def prepared(events: dict[str, Columns], way: Way, folder: Path, *, vectors: bool = False) -> DataLoader:
    loader = DataLoader("dataset")
    loader.AddVariable("sum := var1+var2", "F")
    loader.AddVariable("var3", "F")
    loader.AddVariable("var4*sqrt(abs(mass))", "F")
    if vectors:
        loader.AddVariable("pt := log(1+jet)", "F")
    for label in TYPES:
        loader.AddSpectator(label)
    loader.AddSpectator("twice := 2*event")
    for number, (name, columns) in enumerate(events.items()):
        below = folder / name
        below.mkdir(parents=True)
        loader.AddTree(way(columns, below), name, 1.5 - number)
    loader.SetSignalWeightExpression("weight*(1+0.1*abs(eta))")
    loader.SetBackgroundWeightExpression("weight")
    loader.PrepareTrainingAndTestTree(
        "good && abs(eta)<2.4 && njet>0", "SplitMode=Random:SplitSeed=7:NormMode=EqualNumEvents:!V"
    )
    return loader


def assert_same(one: DataSet, other: DataSet) -> None:
    assert one.counts == other.counts
    assert one.variables == other.variables
    assert one.spectators == other.spectators
    for first, second in ((one.train, other.train), (one.test, other.test)):
        assert list(first.spectators) == list(second.spectators)
        pairs = [(getattr(first, name), getattr(second, name)) for name in ("X", "class_index", "weight", "targets")]
        pairs += zip(first.spectators.values(), second.spectators.values(), strict=True)
        for a, b in pairs:
            assert a.dtype == b.dtype
            assert a.tobytes() == b.tobytes()


@pytest.fixture(scope="module", params=[False, True], ids=["scalars", "vectors"])
def expected(
    request: pytest.FixtureRequest, events: dict[str, Columns], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    loader = prepared(events, WAYS["TTree"], tmp_path_factory.mktemp("expected"), vectors=request.param)
    return request.param, loader.prepare()


def test_the_samples_hold_what_was_written(expected: Any, events: dict[str, Columns]) -> None:
    vectors, data = expected
    for index, columns in enumerate(events.values()):
        chosen = columns["good"] & (np.abs(columns["eta"]) < np.float64(2.4)) & (columns["njet"] > 0)
        written, found = Counter[tuple[int, float]](), Counter[tuple[int, float]]()
        for entry in np.flatnonzero(chosen):
            values = np.log(1 + columns["jet"][entry].to_numpy().astype(float)) if vectors else [0.0]
            written.update((int(columns["event"][entry]), float(np.float32(value))) for value in values)
        for sample in (data.train, data.test):
            here = sample.class_index == index
            entry = (sample.spectators["event"][here] - FIRST_EVENT) // 2
            for label, dtype in TYPES.items():
                assert sample.spectators[label].dtype == dtype
                assert np.array_equal(sample.spectators[label][here], columns[label][entry])
            assert np.array_equal(sample.X[here, 1], columns["var3"][entry])
            values = sample.X[here, 3] if vectors else np.zeros(here.sum())
            found.update(zip(sample.spectators["event"][here].tolist(), values.tolist(), strict=True))
        assert found <= written
        assert written.total() - found.total() <= 1  # of an odd number one is left over


@pytest.mark.parametrize("name", WAYS)
def test_every_way_in_gives_the_same_samples(
    name: str, expected: Any, events: dict[str, Columns], tmp_path: Path
) -> None:
    vectors, data = expected
    assert_same(prepared(events, WAYS[name], tmp_path, vectors=vectors).prepare(), data)


def test_a_structured_array_of_scalars_too(expected: Any, events: dict[str, Columns], tmp_path: Path) -> None:
    vectors, data = expected
    if vectors:
        pytest.skip("a structured array holds no lists")

    def structured(columns: Columns, folder: Path) -> np.ndarray:
        scalars = {k: v for k, v in columns.items() if k != "jet"}
        made = np.empty(N, [(k, v.dtype) for k, v in scalars.items()])
        for k, v in scalars.items():
            made[k] = v
        return made

    assert_same(prepared(events, structured, tmp_path).prepare(), data)


BOOKINGS = {
    "Fisher": "Fisher:VarTransform=N,D",
    "BDT": "NTrees=8:MaxDepth=3:nCuts=20:UseBaggedBoost:NegWeightTreatment=Pray",
}
_OF_THE_RUN = re.compile(r'<Info name="(?:Date|TrainingTime)" value="[^"]*" ?/>')


def weight_files(loader: DataLoader) -> dict[str, str]:
    """Train, and return the weight files but for what tells of date and time."""
    factory = Factory("Job", None, "!V:Silent:AnalysisType=Classification")
    for method, options in BOOKINGS.items():
        factory.BookMethod(loader, method, method, f"!H:!V:{options}")
    factory.TrainAllMethods()
    texts = {method: Path(f"dataset/weights/Job_{method}.weights.xml").read_text() for method in BOOKINGS}
    assert all(len(_OF_THE_RUN.findall(text)) == 2 for text in texts.values())
    return {method: _OF_THE_RUN.sub("", text) for method, text in texts.items()}


def test_every_way_in_trains_the_same_weight_files(
    events: dict[str, Columns], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = {}
    for number, (name, way) in enumerate(WAYS.items()):
        found[name] = weight_files(prepared(events, way, tmp_path / str(number), vectors=True))
    assert found["TTree"]["BDT"].count("<BinaryTree") == 8
    for name, files in found.items():
        assert files == found["TTree"], name


@pytest.mark.parametrize("name", WAYS)
def test_every_way_in_tells_the_types_of_its_columns(name: str, events: dict[str, Columns], tmp_path: Path) -> None:
    tree = open_tree(WAYS[name](events["Signal"], tmp_path))
    assert tree.num_entries == N
    for label, dtype in TYPES.items():
        assert tree.column_type(label).dtype == dtype
    assert tree.column_type("jet").shape == (None,)

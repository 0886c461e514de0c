"""Events larger than memory: the same samples, splits and models as in memory, and found again the next time."""

from __future__ import annotations

import itertools
import json
import os
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from mvakit import DataLoader
from mvakit.cache import Cache
from mvakit.dataset import DataSet, Sample
from mvakit.errors import DataError, MvakitWarning, OptionError, TransformationError
from mvakit.files import OutputError
from mvakit.model import Model, train
from mvakit.sources import ColumnType, open_tree
from mvakit.transformations import fit_chain

N = 1500


def columns(n: int, shift: float, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    x, y = random.normal(shift, 1, n), random.normal(-shift, 1, n)
    return {
        "x": x.astype(np.float32),
        "y": (y + 0.5 * x).astype(np.float32),
        "eta": random.uniform(-2.5, 2.5, n).astype(np.float32),
        "weight": random.uniform(-0.05, 1.5, n).astype(np.float32),
        "event": np.arange(n, dtype=np.int64) + 10**16 + 1,
        "good": random.uniform(size=n) > 0.5,
    }


SIGNAL, BACKGROUND, MORE = columns(N, 0.5, 1), columns(N + 300, -0.5, 2), columns(200, 0.0, 3)
Change = Callable[[DataLoader], object]


def loader(memory: str, folder: Path, *, spectators: bool = True) -> DataLoader:
    made = DataLoader("dataset", MaxMemory=memory, CacheDir=folder)
    made.AddVariable("sum := x+y", "F")
    made.AddVariable("x", "F")
    made.AddVariable("eta", "F")
    if spectators:
        made.AddSpectator("event")
        made.AddSpectator("good")
    made.AddSignalTree(SIGNAL, 1.5)
    made.AddBackgroundTree(BACKGROUND)
    return made


def prepare(
    memory: str, folder: Path, options: str = "", change: Change = lambda made: None, cut: str = "abs(eta)<2.2"
) -> DataSet:
    made = loader(memory, folder)
    change(made)
    made.PrepareTrainingAndTestTree(cut, options)
    return made.prepare()


def is_mapped(sample: Sample) -> bool:
    assert isinstance(sample.X, np.memmap) == (sample.space is not None)
    return sample.space is not None


def same(one: DataSet, other: DataSet) -> None:
    """Everything about two data sets is equal to the last digit."""
    assert one.counts == other.counts
    assert (one.variables, one.spectators, one.targets) == (other.variables, other.spectators, other.targets)
    for first, second in ((one.train, other.train), (one.test, other.test)):
        assert list(first.spectators) == list(second.spectators)
        pairs = [(getattr(first, name), getattr(second, name)) for name in ("X", "class_index", "weight", "targets")]
        pairs += [(first.spectators[label], second.spectators[label]) for label in first.spectators]
        for a, b in pairs:
            assert a.dtype == b.dtype
            assert np.array_equal(a, b)


def three_ways(folder: Path, options: str, change: Change = lambda made: None) -> tuple[DataSet, DataSet, DataSet]:
    """In memory, in files, and found again."""
    ways = tuple(prepare(memory, folder, options, change) for memory in ("1GB", "1kB", "1kB"))
    assert [is_mapped(way.train) and is_mapped(way.test) for way in ways] == [False, True, True]
    assert len(Cache(folder)) == (0 if "SplitSeed=0" in options else 1)
    return ways  # type: ignore[return-value]


# ------------------------------------------------------------------------------------------------- the same events


@pytest.mark.parametrize(
    ("split", "norm", "mix"),
    [
        *itertools.product(
            ("Random", "Alternate", "Block"), ("None", "NumEvents", "EqualNumEvents"), ("SameAsSplitMode",)
        ),
        ("Random", "NumEvents", "Block"),
        ("Block", "NumEvents", "Random"),
        ("Block", "NumEvents", "Alternate"),
    ],
)
def test_every_split_is_the_same(split: str, norm: str, mix: str, tmp_path: Path) -> None:
    options = f"SplitMode={split}:NormMode={norm}:MixMode={mix}:nTrain_Signal=400:nTrain_Background=350:nTest_Background=300:SplitSeed=7:!V"
    memory, files, again = three_ways(tmp_path, options)
    same(memory, files)
    same(memory, again)


def weights(made: DataLoader) -> None:
    made.SetSignalWeightExpression("weight*(1+0.1*abs(eta))")
    made.SetBackgroundWeightExpression("weight")


def trees(made: DataLoader) -> None:
    made.AddBackgroundTree(MORE, 2.0, "Training")
    made.AddSignalTree(MORE, 0.5, "Test")
    made.AddTree(MORE, "Signal", 1.0, "x > 0")
    made.AddTree({name: values[:0] for name, values in MORE.items()}, "Signal")


def classes(made: DataLoader) -> None:
    made.AddTree(MORE, "Third", 1.0)
    made.SetCut("x > -1", "Third")


def targets(made: DataLoader) -> None:
    made.AddTarget("t := x*x + y")
    made.AddTarget("eta2 := eta*eta")


def single(made: DataLoader) -> None:
    for i in range(30):
        made.AddSignalTrainingEvent([i, 1.0 * i % 7, i * i, 2.0**40, 0], 0.5 * i)
        made.AddBackgroundTestEvent([-i, 1.0 * i % 5, i, 1, 1], -0.5)


def vectors(made: DataLoader) -> None:
    ak = pytest.importorskip("awkward")
    lists = ak.Array([[1.0 * i, 2.0, 3.0][: i % 4] for i in range(N)])
    made.AddVariable("pt", "F")
    made._classes.clear()
    for name, source in (("Signal", SIGNAL), ("Background", BACKGROUND)):
        made.AddTree({"pt": lists, **{k: v[:N] for k, v in source.items()}}, name)


@pytest.mark.parametrize("change", [weights, trees, classes, targets, single, vectors])
@pytest.mark.parametrize("split", ["Random", "Alternate"])
def test_whatever_is_read_is_the_same(change: Change, split: str, tmp_path: Path) -> None:
    memory, files, again = three_ways(
        tmp_path, f"SplitMode={split}:NormMode=NumEvents:nTrain_Signal=300:nTrain_Background=300", change
    )
    same(memory, files)
    same(memory, again)


def steps(made: DataLoader) -> None:
    weights(made)
    made.AddTree(MORE, "Signal", 1.0, "x > 0 && y < 1")
    made.AddTree(MORE, "Signal", 1.0, "x > 0 && y < 1")


def test_the_steps_of_the_cuts_are_found_again(tmp_path: Path) -> None:
    found = [
        prepare(memory, tmp_path, "!Correlations", steps, "abs(eta)<2.2 && good>0 && y>-2").counts
        for memory in ("1GB", "1kB", "1kB")
    ]
    assert [step.cut for step in found[2][0].cut_flow] == ["x>0", "y<1", "abs(eta)<2.2", "good>0", "y>-2"]
    assert found[0] == found[1] == found[2]
    assert found[2][0].cut_flow[-1].n_after == found[2][0].n_passed
    assert len(Cache(tmp_path)) == 1


def test_a_seed_from_the_time_is_not_found_again(tmp_path: Path) -> None:
    memory, one, other = three_ways(tmp_path, "SplitSeed=0")
    assert memory.counts[0].n_train == one.counts[0].n_train
    assert not np.array_equal(one.train.X, other.train.X)
    assert sorted(tmp_path.iterdir()) == []
    prepare("1kB", tmp_path)
    assert not np.array_equal(prepare("1kB", tmp_path, "SplitSeed=0").train.X, one.train.X)
    assert len(Cache(tmp_path)) == 1


def test_many_buckets_make_the_same_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mvakit.columnstore._SMALLEST_BUCKET", 3000)
    memory, files, _ = three_ways(tmp_path, "SplitMode=Random")
    same(memory, files)


def test_correlations_are_the_same(tmp_path: Path) -> None:
    made = [loader(memory, tmp_path) for memory in ("1GB", "1kB", "1kB")]
    for one in made:
        weights(one)
        one.PrepareTrainingAndTestTree("abs(eta)<2.2", "SplitMode=Random")
    found = [one.GetCorrelationMatrix("Signal") for one in made]
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])
    train = made[0].prepare().train
    chosen = train.class_index == 0
    covariance = np.cov(train.X[chosen].T.astype(np.float64), aweights=np.abs(train.weight[chosen]), ddof=0)
    assert found[0][0, 1] == pytest.approx(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]), abs=0.1)


def odd(made: DataLoader) -> None:
    weights(made)
    made.AddVariable("odd := x/one")
    made._classes.clear()
    made.AddSignalTree({**SIGNAL, "one": (np.arange(N) >= 5).astype(np.float64), "weight": np.arange(-40.0, N - 40)})
    made.AddBackgroundTree({**BACKGROUND, "one": np.ones(N + 300)})
    made.SetWeightExpression("weight")


def test_what_is_said_is_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    said = []
    for memory in ("1GB", "1kB", "1kB"):
        caplog.clear()
        with pytest.warns(
            MvakitWarning, match=r"'odd' \(x/one\) in columns: 5 entries with division by zero"
        ) as caught:
            prepare(memory, tmp_path, "SplitMode=Block", odd)
        assert len(caught) == 1
        said.append([r.getMessage() for r in caplog.records if not r.getMessage().startswith("Add Tree")])
    plain, files, again = said
    expected = int((np.abs(SIGNAL["eta"][:40]) < 2.2).sum())
    assert any(line.startswith(f"{expected} events of class Signal have negative weights") for line in plain)
    assert any(line.startswith("Correlation matrix (Signal)") for line in plain)
    where = re.escape(str(tmp_path))
    for lines, pattern in (
        (
            files,
            rf"The events take 1\d\d kB, more than half of 1 kB \(MaxMemory\): they go to files in {where} \(CacheDir\)",
        ),
        (again, rf"Take the events as they were prepared before, from {where}"),
    ):
        assert [line for line in lines if not re.match(pattern, line)] == plain
        assert len(lines) == len(plain) + 1


# ------------------------------------------------------------------------------------------------ found or made again


def test_what_fits_is_not_kept(tmp_path: Path) -> None:
    prepare("1GB", tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


def reads(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Note every tree that is read."""
    from mvakit import prepared

    found: list[object] = []
    original = prepared.read_events

    def noting(reading: Any, *arguments: Any) -> Any:
        found.append(reading)
        return original(reading, *arguments)

    monkeypatch.setattr(prepared, "read_events", noting)
    return found


@pytest.mark.parametrize(
    "change",
    [
        lambda made: made.AddVariable("y"),
        lambda made: made.AddTarget("y"),
        lambda made: made.AddSpectator("weight"),
        lambda made: made.SetWeightExpression("weight+1", "Signal"),
        lambda made: made.AddTree(MORE, "Signal"),
        lambda made: made.AddTree(MORE, "Signal", 1.0, "", "Training"),
        lambda made: made.AddTree(MORE, "Third"),
        lambda made: made.AddSignalTrainingEvent([1, 2, 3, 4, 5]),
        lambda made: made._variables.reverse(),
        lambda made: made.AddCut("x>-2", "Signal"),
    ],
)
def test_whatever_changes_the_events_makes_them_again(
    change: Change, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare("1kB", tmp_path)
    found = reads(monkeypatch)
    prepare("1kB", tmp_path)
    assert found == []
    made = loader("1kB", tmp_path)
    made.PrepareTrainingAndTestTree("abs(eta)<2.2", "")
    change(made)
    made.prepare()
    assert len(found) >= 2
    assert len(Cache(tmp_path)) == 2


@pytest.mark.parametrize(
    "changes",
    [
        [lambda made, t=t: made.AddTree(MORE, "Signal", 1.0, "", t) for t in ("Training", "Test")],
        [lambda made, w=w: made.AddTree(MORE, "Signal", w) for w in (1.0, np.nextafter(1.0, 2))],
        [lambda made, c=c: made.AddTree(MORE, "Signal", 1.0, c) for c in ("x>0", "x<0")],
        [lambda made, c=c: (made.SetCut("y>0", "Signal"), made.AddTree(MORE, "Signal", 1.0, c)) for c in ("x>0", "")],
        [lambda made, c=c: made.AddTree(MORE, c) for c in ("One", "Other")],
        [lambda made, e=e: made.AddSignalTrainingEvent([1, 2, e, 4, 5]) for e in (3.0, 3.5)],
    ],
    ids=["purpose", "weight", "cut", "whose cut", "class", "event"],
)
def test_events_that_differ_in_one_thing_are_kept_apart(changes: list[Change], tmp_path: Path) -> None:
    for change in changes:
        prepare("1kB", tmp_path, "", change)
    assert len(Cache(tmp_path)) == 2


def test_events_of_another_release_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare("1kB", tmp_path)
    monkeypatch.setattr("mvakit.kept._release", lambda package: "0.0.0")
    prepare("1kB", tmp_path)
    monkeypatch.setattr("numpy.__version__", "0.0.0")
    prepare("1kB", tmp_path)
    assert len(Cache(tmp_path)) == 3


def test_what_is_only_said_changes_no_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare("1kB", tmp_path, "!Correlations")
    found = reads(monkeypatch)
    with_correlations = prepare("1kB", tmp_path, "V:VerboseLevel=Debug")
    assert found == []
    same(with_correlations, prepare("1GB", tmp_path))


def test_other_data_or_another_option_makes_them_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare("1kB", tmp_path)
    found = reads(monkeypatch)
    prepare("1kB", tmp_path, "SplitSeed=5")
    prepare("1kB", tmp_path, "NormMode=None")
    assert len(found) == 4
    monkeypatch.setitem(SIGNAL, "x", SIGNAL["x"].copy())
    prepare("1kB", tmp_path)
    assert len(found) == 4
    SIGNAL["x"][700] += 1
    prepare("1kB", tmp_path)
    assert len(found) == 6


def test_a_file_that_changed_is_read_again(tmp_path: Path, toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "toy.root"
    file.write_bytes((toy / "toy_classification.root").read_bytes())

    def prepared() -> DataSet:
        made = DataLoader("d", MaxMemory="1kB", CacheDir=tmp_path / "cache")
        made.AddVariable("var1+var2")
        made.AddVariable("var3")
        made.AddSignalTree(f"{file}:TreeS")
        made.AddBackgroundTree(f"{file}:TreeB")
        return made.prepare()

    first = prepared()
    found = reads(monkeypatch)
    same(first, prepared())
    assert found == []
    os.utime(file, (1, 1))
    same(first, prepared())
    assert len(found) == 2


def test_small_events_are_not_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare("1kB", tmp_path)
    looked: list[str] = []
    monkeypatch.setattr(Cache, "find", lambda self, key: looked.append(key))
    prepare("1GB", tmp_path)
    assert looked == []
    prepare("1GB", tmp_path, "", vectors)  # how many events there are only their reading tells
    assert len(looked) == 1


def test_damage_is_said_and_repaired(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    first = prepare("1kB", tmp_path)
    [entry] = tmp_path.iterdir()
    file = entry / "train_weight.npy"
    data = bytearray(file.read_bytes())
    data[-1] ^= 255
    file.unlink()  # the data set that is open keeps its own
    file.write_bytes(data)
    found = reads(monkeypatch)
    second = prepare("1kB", tmp_path)
    assert "events that were prepared before are prepared again: " in caplog.text
    assert "train_weight.npy is not what was written" in caplog.text
    assert len(found) == 2
    same(first, second)
    same(first, prepare("1kB", tmp_path))
    assert len(found) == 2


def rewrite(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    [entry] = folder.iterdir()
    manifest = json.loads((entry / "manifest.json").read_text().splitlines()[0])
    change(manifest)
    text = json.dumps(manifest)
    (entry / "manifest.json").write_text(f"{text}\n{zlib.crc32(text.encode()):08x}\n")


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m["facts"].clear(),
        lambda m: m["facts"].update(counts=[]),
        lambda m: m["facts"].update(counts=["a", "b"]),
        lambda m: m["facts"]["counts"][0].update(n_train="many"),
        lambda m: m["facts"]["counts"][0].update(n_train=5),
        lambda m: m["facts"]["counts"][0].update(n_train=1e999),
        lambda m: m["facts"]["counts"][0].update(name="Other"),
        lambda m: m["facts"]["counts"][0].update(more=1),
        lambda m: m["facts"]["ranges"].update(variable=[[0, 1]]),
        lambda m: m["facts"].update(covariances=[[1]]),
        lambda m: m["facts"].update(negative=[1]),
        lambda m: m["facts"].update(notes=7),
        lambda m: m["facts"].pop("non_finite"),
        lambda m: m["facts"].update(non_finite=[{"file": "a.root"}]),
        lambda m: m["facts"]["counts"][0].pop("cut_flow"),
        lambda m: m["facts"]["counts"][0].update(cut_flow=[{"cut": "x>0"}]),
        lambda m: m["facts"]["counts"][0].update(cut_flow=[{**m["facts"]["counts"][0]["cut_flow"][0], "n_after": "x"}]),
        lambda m: m["columns"].pop("test_X"),
        lambda m: m["columns"].update(train_X=m["columns"]["test_X"]),
        lambda m: m["columns"].update(train_weight=m["columns"]["train_spectator_0"]),
    ],
)
def test_facts_that_do_not_fit_are_refused(
    change: Callable[[dict[str, Any]], object], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = prepare("1kB", tmp_path)
    rewrite(tmp_path, change)
    same(first, prepare("1kB", tmp_path))
    assert "are prepared again" in caplog.text


def test_events_of_no_class_are_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = prepare("1kB", tmp_path)
    [entry] = tmp_path.iterdir()
    data = np.load(entry / "test_class_index.npy")
    data[3] = 2
    with Cache(tmp_path).new("a" * 64, 0) as aside:
        for name, column in (("test_class_index", data),):
            aside.make(name, column.shape, column.dtype)[:] = column
        other = aside.keep({}).path
    (other / "test_class_index.npy").rename(entry / "test_class_index.npy")
    made = json.loads((other / "manifest.json").read_text().splitlines()[0])["columns"]
    for file in other.iterdir():
        file.unlink()
    other.rmdir()
    rewrite(tmp_path, lambda m: m["columns"].update(made))
    same(first, prepare("1kB", tmp_path))
    assert "there are events of no class" in caplog.text


def test_a_folder_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another folder with CacheDir, or raise MaxMemory"):
        prepare("1kB", tmp_path / "file")
    prepare("1GB", tmp_path / "file")


def test_a_reading_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nTrain_Signal"):
        prepare("1kB", tmp_path, "nTrain_Signal=100000")
    bad = {**SIGNAL, "x": np.where(np.arange(N) == 1400, np.nan, SIGNAL["x"])}
    with pytest.raises(DataError, match="the variable 'sum' has nan at entry 1400"):
        prepare("1kB", tmp_path, "", lambda made: made.AddSignalTree(bad), cut="")
    assert list(tmp_path.iterdir()) == []


# --------------------------------------------------------------------------------------------------------- options


@pytest.mark.parametrize("amount", ["much", "-1MB", "0", "5 apples"])
def test_amounts_that_are_none(amount: str) -> None:
    with pytest.raises(OptionError, match=r"'MaxMemory' of DataLoader takes an amount of memory such as 512MB, 2GiB"):
        DataLoader("d", MaxMemory=amount.replace(" ", ""))


def test_options_in_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert DataLoader("d", "MaxMemory=512MB").options.space().limit == 512_000_000
    assert DataLoader("d", MaxMemory=10**6).options.space().limit == 10**6
    assert DataLoader("d", "CacheDir=~/here").options.space().folder == Path.home() / "here"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("mvakit.dataloader.free_memory", lambda: 1001)
    space = DataLoader("d").options.space()
    assert (space.limit, space.folder) == (500, tmp_path / "mvakit")


# ------------------------------------------------------------------------------------------------------- training


def written(model: Model, folder: Path) -> str:
    """Return the weight file without what tells when it was made."""
    path = model.save(folder / "model.weights.xml")
    root = ET.parse(path).getroot()
    for info in root.iter("Info"):
        if info.get("name") in {"Date", "TrainingTime"}:
            info.set("value", "")
    return ET.tostring(root, encoding="unicode")


@pytest.mark.parametrize("transform", ["None", "N", "D", "P", "N,D", "P_Signal", "D(x,eta)+N", "D,P,N"])
@pytest.mark.parametrize("method", ["Fisher", "LD"])
def test_weight_files_are_the_same(method: str, transform: str, tmp_path: Path) -> None:
    models = []
    for memory in ("1GB", "1kB", "1kB"):
        data = prepare(memory, tmp_path / "cache", "SplitMode=Random", weights)
        models.append(train(data, method, VarTransform=transform, IgnoreNegWeightsInTraining=True))
        assert len(models[-1].respond(data.test)) == len(data.test)
    texts = {written(model, tmp_path) for model in models}
    assert len(texts) == 1
    assert np.array_equal(models[0].respond(data.test), models[0].predict(np.array(data.test.X)))


@pytest.mark.parametrize("transform", ["N", "N(good)", "D(_T_)", "N(_V_,_T_),P(_T_),N(good)"])
def test_targets_and_spectators_are_transformed_the_same(transform: str, tmp_path: Path) -> None:
    memory, files, _ = three_ways(tmp_path, "SplitMode=Random", targets)
    chains = [
        fit_chain(transform, data.train, data.variables, data.classes, data.targets, data.spectators)
        for data in (memory, files)
    ]
    texts = [ET.tostring(chain.write()) for chain in chains]
    assert texts[0] == texts[1]
    assert b"Type=" in texts[0]


@pytest.mark.parametrize("transform", ["U", "G", "G,D", "U_Background", "N+G"])
def test_distributions_of_summaries_are_those_of_the_events(transform: str, tmp_path: Path) -> None:
    # A split in which N makes no two values equal: a summary has one value of them, which moves the edge of a bin by an event.
    memory, files, _ = three_ways(tmp_path, "SplitMode=Random:SplitSeed=1", weights)
    chains = [fit_chain(transform, data.train, data.variables, data.classes) for data in (memory, files)]
    X = memory.test.X
    first, second = (chain.apply(X) for chain in chains)
    assert np.abs(first - second).max() < 1e-5
    assert np.array_equal(second, files.test.map_inputs(chains[1].apply).X)


@pytest.mark.parametrize(
    ("transform", "values", "said"),
    [
        ("D", 7.0, "'x' is always 7 among the training events"),
        ("U", 7.0, "'x' is always 7 among the training events"),
        ("N", 7.0, "'x' is always 7 among the training events"),
        ("N,P", np.inf, "'x' is inf in 2 of 1650 training events, first in number"),
        ("U", np.nan, "'x' is nan in 2 of 1650 training events, first in number"),
    ],
)
def test_transformations_refuse_the_same(transform: str, values: float, said: str, tmp_path: Path) -> None:
    messages = []
    for memory in ("1GB", "1kB"):
        data = prepare(memory, tmp_path, "SplitMode=Block", cut="")
        X = np.array(data.train.X)
        X[:, 1] = np.where(np.arange(len(X)) % 1000 == 600, values, X[:, 1]) if not np.isfinite(values) else values
        with pytest.raises(TransformationError, match=said) as caught:
            fit_chain(transform, data.train.with_inputs(X), data.variables, data.classes)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


class Made:
    """A stranger's tree, whose events are made as they are read."""

    name = location = "made"
    num_entries = 5000
    branches = ("x", "y")

    def column_type(self, name: str) -> ColumnType:
        return ColumnType(np.dtype(np.float64))

    def chunks(self, names: Any, step_size: Any = "1 MB", start: Any = None, stop: Any = None) -> Any:
        for first in range(0, 5000, 700):
            count = min(700, 5000 - first)
            yield first, {n: np.random.default_rng([first, ord(n)]).normal(size=count) for n in names}

    def fingerprint(self) -> str:
        return "made"


def test_trees_of_strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_tree(Made()).num_entries == 5000

    def prepared(memory: str) -> DataSet:
        made = DataLoader("d", MaxMemory=memory, CacheDir=tmp_path)
        made.AddVariable("x")
        made.AddVariable("x*y")
        made.AddSignalTree(Made())
        made.AddBackgroundTree(Made(), 2.0)
        return made.prepare()

    memory, files = prepared("1GB"), prepared("20kB")
    same(memory, files)
    found = reads(monkeypatch)
    same(memory, prepared("20kB"))
    assert found == []

"""Whole jobs on events that are larger than MaxMemory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mvakit import DataLoader, Factory
from mvakit.cache import Cache

PREPARE = """
import sys
import numpy as np
from mvakit import DataLoader

loader = DataLoader("dataset", MaxMemory="50kB", CacheDir=sys.argv[1])
for name in ("x", "y"):
    loader.AddVariable(name)
for name, seed in (("Signal", 1), ("Background", 2)):
    random = np.random.default_rng(seed)
    loader.AddTree({"x": random.normal(seed, 1, 20_000), "y": random.normal(size=20_000)}, name)
loader.PrepareTrainingAndTestTree("x > 0", "SplitMode=Random")
events = loader.prepare()
print("sum", events.train.X.sum(dtype=np.float64), (events.test.X[:, 0] * np.arange(len(events.test))).sum())
"""

PEAK = """
import re
import sys
import threading
from pathlib import Path

import numpy as np
from mvakit import DataLoader
from mvakit.sources import ColumnType

NAMES = [f"v{i}" for i in range(20)]


class Made:
    name = location = "made"
    num_entries = 600_000
    branches = tuple(NAMES)

    def column_type(self, name):
        return ColumnType(np.dtype(np.float32))

    def chunks(self, names, step_size=0, start=None, stop=None):
        for first in range(0, self.num_entries, 50_000):
            random = np.random.default_rng(first)
            yield first, {name: random.standard_normal(50_000, np.float32) for name in names}

    def fingerprint(self):
        return "made"


peak = 0
done = threading.Event()


def look():
    global peak
    while not done.wait(0.002):
        peak = max(peak, int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]))


watcher = threading.Thread(target=look)
watcher.start()
try:
    loader = DataLoader("dataset", MaxMemory=sys.argv[2], CacheDir=sys.argv[1])
    for name in NAMES:
        loader.AddVariable(name)
    loader.AddSignalTree(Made())
    loader.AddBackgroundTree(Made(), 2.0)
    train = loader.prepare().train
finally:
    done.set()
    watcher.join()
print("peak", peak, train.X[::1000].sum(dtype=np.float64))
"""


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def last_line(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    return out.splitlines()[-1]


def test_processes_that_prepare_the_same_events_at_once(tmp_path: Path) -> None:
    lines = {last_line(process) for process in [start(PREPARE, tmp_path) for _ in range(3)]}
    assert len(lines) == 1
    assert len(Cache(tmp_path)) == 1
    assert len(list(tmp_path.iterdir())) == 1
    again = start(PREPARE, tmp_path)
    out, _ = again.communicate(timeout=120)
    assert "Take the events as they were prepared before" in out
    assert out.splitlines()[-1] in lines


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system does not tell RssAnon")
def test_events_in_files_are_not_in_memory(tmp_path: Path) -> None:
    in_memory, in_files = (last_line(start(PEAK, tmp_path, m)).split() for m in ("2GB", "8MB"))
    assert in_memory[2] == in_files[2]
    size = 1_200_000 * 20 * 4 / 1024  # 96 MB, in memory once as read and once as split
    assert int(in_memory[1]) - int(in_files[1]) > 1.2 * size


def test_a_factory_says_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toy: Path, caplog: pytest.LogCaptureFixture
) -> None:
    results = []
    for memory in ("1GB", "1kB"):
        folder = tmp_path / memory
        folder.mkdir()
        monkeypatch.chdir(folder)
        loader = DataLoader("dataset", MaxMemory=memory, CacheDir=tmp_path / "cache")
        for name in ("var1+var2", "var1-var2", "var3", "var4"):
            loader.AddVariable(name)
        loader.AddSpectator("eta")
        for tree in ("Signal", "Background"):
            loader.AddTree(f"{toy / 'toy_classification.root'}:Tree{tree[0]}", tree)
        loader.PrepareTrainingAndTestTree("abs(eta)<2.4", "SplitMode=Random:NormMode=NumEvents:!V")
        factory = Factory("Job", "TMVA.root", "Silent:Transformations=I;N,D:AnalysisType=Classification")
        factory.BookMethod(loader, "Fisher", "Fisher", "CreateMVAPdfs:VarTransform=N,P")
        factory.BookMethod(loader, "BDT", "BDTG", "NTrees=20:BoostType=Grad:MaxDepth=2")
        factory.TrainAllMethods()
        factory.TestAllMethods()
        factory.EvaluateAllMethods()
        assert isinstance(loader.prepare().train.X, np.memmap) == (memory == "1kB")
        results.append([factory.GetROCIntegral(loader, title) for title in ("Fisher", "BDTG")])
        assert (folder / "TMVA.root").exists()
    assert results[0] == results[1]

"""Events that are larger than memory may be: prepared and split with MaxMemory=512MB, and again from the cache.

Twenty million events of twenty variables, 1.6 GB in single precision, are made on the fly, or with --root lie in a ROOT
file. The cache lies in a temporary folder and takes as much disk, twice that while it is made.

    python benchmarks/large.py [--events 20000000] [--memory 512MB] [--folder FOLDER] [--root] [--train "N,D"]
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from _measure import measured, own_memory, verdict

from mvakit import DataLoader
from mvakit.sources import ColumnType
from mvakit.sources.tree import entries_per_chunk

COLUMNS = [f"v{i}" for i in range(20)]
_MADE_AT_ONCE = 100_000


class MadeTree:
    """A tree whose events are made as they are read."""

    def __init__(self, name: str, num_entries: int, shift: float) -> None:
        self.name = self.location = name
        self.num_entries = num_entries
        self.branches = tuple(COLUMNS)
        self._shift = np.float32(shift)

    def column_type(self, name: str) -> ColumnType:  # noqa: ARG002
        """Every column holds single precision."""
        return ColumnType(np.dtype(np.float32))

    def chunks(
        self, names: Sequence[str], step_size: int | str = "100 MB", start: int | None = None, stop: int | None = None
    ) -> Iterator[tuple[int, Mapping[str, np.ndarray[Any, Any]]]]:
        """Yield the events; those with a number are always the same."""
        step = max(1, entries_per_chunk(step_size, 4.0 * len(names)) // _MADE_AT_ONCE) * _MADE_AT_ONCE
        first, last, _ = slice(start, stop).indices(self.num_entries)
        for begin in range(first, last, step):
            end = min(begin + step, last)
            made = {name: np.empty(end - begin, np.float32) for name in names}
            for part in range(begin, end, _MADE_AT_ONCE):
                count = min(_MADE_AT_ONCE, end - part)
                random = np.random.default_rng([part, int(1000 * self._shift)])
                for i, name in enumerate(COLUMNS):
                    values = random.standard_normal(count, np.float32)
                    if name in made:
                        made[name][part - begin : part - begin + count] = values + self._shift * (i % 3)
            yield begin, made

    def fingerprint(self) -> str:
        """Say what the events depend on."""
        return f"made:{self.num_entries}:{self._shift}"


def trees(events: int) -> list[MadeTree]:
    """Return the trees of signal and background."""
    return [MadeTree("TreeS", events // 2, 0.2), MadeTree("TreeB", events - events // 2, 0.0)]


def write(path: Path, events: int) -> None:
    """Write the trees to a ROOT file."""
    import uproot

    with uproot.recreate(path) as file:
        for tree in trees(events):
            file.mktree(tree.name, dict.fromkeys(COLUMNS, "f4"))
            for _, columns in tree.chunks(COLUMNS, _MADE_AT_ONCE):
                file[tree.name].extend(dict(columns))


def loader(sources: Sequence[object], memory: str, folder: str) -> DataLoader:
    """Return a DataLoader of two classes."""
    made = DataLoader("dataset", MaxMemory=memory, CacheDir=folder)
    for name in COLUMNS[:18]:
        made.AddVariable(name, "F")
    made.AddVariable("sum := v18 + v19", "F")
    made.AddVariable("radius := sqrt(v18*v18 + v19*v19)", "F")
    made.AddSignalTree(sources[0])
    made.AddBackgroundTree(sources[1])
    made.PrepareTrainingAndTestTree("v0 > -9", "SplitMode=Random:NormMode=NumEvents:!V")
    return made


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--memory", default="512MB")
    parser.add_argument("--folder", default=None, help="where the temporary folder of the cache is made")
    parser.add_argument("--root", action="store_true", help="read the events from a ROOT file")
    parser.add_argument("--train", default="", help="train Fisher with this VarTransform as well")
    arguments = parser.parse_args()
    logging.getLogger("mvakit").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        sources: Sequence[object] = trees(arguments.events)
        if arguments.root:
            path = Path(folder) / "events.root"
            write(path, arguments.events)
            sources = [f"{path}:TreeS", f"{path}:TreeB"]
        start = own_memory()
        with measured() as first:
            dataset = loader(sources, arguments.memory, folder).prepare()
        print(
            f"{len(dataset.train)} + {len(dataset.test)} events prepared in {first.seconds:.1f} s; "
            f"own memory {start / 2**20:.0f} MiB before, {first.peak / 2**20:.0f} MiB at its highest"
        )
        events = dataset.train.X[:1000].copy()
        del dataset
        with measured() as second:
            again = loader(sources, arguments.memory, folder).prepare()
        assert np.array_equal(events, again.train.X[:1000])
        print(f"and again from the cache in {second.seconds:.2f} s")
        good = [
            verdict("own memory", first.peak / 2**30, 1.0, " GiB"),
            verdict("again / first", 100 * second.seconds / first.seconds, 2.0, " %"),
        ]
        if arguments.train:
            from mvakit.model import train

            with measured() as training:
                model = train(again, "Fisher", VarTransform=arguments.train)
            with measured() as testing:
                model.respond(again.test)
            for what, taken in (("trained", training), ("applied", testing)):
                print(f"Fisher {what} in {taken.seconds:.1f} s, own memory {taken.peak / 2**30:.2f} GiB at its highest")
    raise SystemExit(not all(good))


if __name__ == "__main__":
    main()

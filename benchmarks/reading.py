"""Reading through a DataLoader, beside bare uproot in the same run.

One million events of twenty variables, two of them expressions, and a cut; uproot reads the same branches into NumPy.

    python benchmarks/reading.py [--events 1000000] [--repeat 5]
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path

import numpy as np
import uproot
from _measure import best, verdict

from mvakit import DataLoader

BRANCHES = [f"v{i}" for i in range(22)]
CUT = "v0 > -1.5"


def write(path: Path, events: int) -> None:
    """Write trees TreeS and TreeB with `events` in all."""
    random = np.random.default_rng(1)
    with uproot.recreate(path) as file:
        for tree, shift in (("TreeS", 0.3), ("TreeB", 0.0)):
            file.mktree(tree, dict.fromkeys(BRANCHES, "f4"))
            left = events // 2
            while left > 0:
                count = min(left, 100_000)
                file[tree].extend({name: random.normal(shift, 1, count).astype(np.float32) for name in BRANCHES})
                left -= count


def bare(path: Path) -> None:
    """Read the branches."""
    with uproot.open(path) as file:
        for tree in ("TreeS", "TreeB"):
            file[tree].arrays(BRANCHES, library="np")


def through_dataloader(path: Path) -> None:
    """Read, cut, split and mix."""
    loader = DataLoader("dataset")
    for name in BRANCHES[:18]:
        loader.AddVariable(name, "F")
    loader.AddVariable("sum := v18 + v19", "F")
    loader.AddVariable("radius := sqrt(v20*v20 + v21*v21)", "F")
    loader.AddSignalTree(f"{path}:TreeS")
    loader.AddBackgroundTree(f"{path}:TreeB")
    loader.PrepareTrainingAndTestTree(CUT, "SplitMode=Random:NormMode=NumEvents:!V")
    loader.prepare()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    arguments = parser.parse_args()
    logging.getLogger("mvakit").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.root"
        write(path, arguments.events)
        through_dataloader(path)
        alone = best(lambda: bare(path), arguments.repeat)
        ours = best(lambda: through_dataloader(path), arguments.repeat)
    print(f"{arguments.events} events: uproot {alone:.2f} s, DataLoader {ours:.2f} s (read, cut, split, mixed)")
    raise SystemExit(not verdict("DataLoader / uproot", ours / alone, 1.5))


if __name__ == "__main__":
    main()

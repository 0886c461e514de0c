"""What TMVA's own files say: every column of its tables of responses, beside the weight file that it comes from.

Everything is found by looking: the tables by their names, the weight files by the method and title inside of them, the
events in the table itself or, where it holds only their numbers, in the ROOT file beside it that has those trees.
"""

from __future__ import annotations

import csv
import functools
import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import uproot

Quantity = Literal["response", "probability", "rarity"]

HERE = Path(__file__).parent
# What no table has a column for: each is written beside a Boost, which holds the same.
PART_OF_A_BOOST = re.compile(r"(.+)_B\d{4}")
_HEAD = re.compile(r'<MethodSetup Method="(\w+)::([^"]+)"')
_EXPRESSION = re.compile(r' Expression="([^"]*)"')
_SUFFIX = re.compile(
    r"(?P<title>.+?)(?:_(?P<output>\d)|@(?P<efficiency>[\d.]+)|_proba(?P<fraction>[\d.]*)|_(?P<rarity>rarity))"
)


def reference_folder() -> Path | None:
    """The full reference beside the checkout, or None."""
    beside = HERE.parent.parent.parent / "shared" / "reference"
    return beside if beside.is_dir() else None


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    table : Path
    name : str
        The heading: ``"BDTG"``, ``"BDTG_2"``, ``"Cuts@0.3"``, ``"Fisher_proba0.5"``, ``"Fisher_rarity"``.
    weights : Path
    method, title : str
    quantity : str
    output : int or None
        The class that it is the response for.
    efficiency : float or None
        The signal efficiency at which it was asked for.
    fraction : float
        The fraction of signal that a probability was asked for with.
    """

    table: Path
    name: str
    weights: Path
    method: str
    title: str
    quantity: Quantity = "response"
    output: int | None = None
    efficiency: float | None = None
    fraction: float = 0.5

    @property
    def label(self) -> str:
        """``"toy/class BDTG"``."""
        folders = self.table.parent.parts
        return f"{'/'.join(folders[len(folders) - (2 if folders[-2] in {'toy', 'tutorial'} else 1) :])} {self.name}"

    @property
    def expected(self) -> np.ndarray:
        """What TMVA says, shape (n_events,)."""
        return table(self.table)[self.name].astype(np.float64)


@functools.lru_cache
def table(path: Path) -> dict[str, np.ndarray]:
    """Return the columns of a table: numbers but for ``tree``."""
    with path.open() as lines:
        rows = list(csv.reader(lines))
    return {
        name: np.array(column) if name == "tree" else np.array(column, np.float64)
        for name, *column in zip(*rows, strict=True)
    }


@functools.lru_cache
def head(path: Path) -> tuple[str, str]:
    """Return method and title of a weight file."""
    with path.open() as file:
        match = _HEAD.search(file.read(1000))
    assert match is not None, path
    return match[1], match[2]


@functools.lru_cache
def words(path: Path) -> frozenset[str]:
    """Return the words in the expressions of the variables, spectators and targets of a weight file."""
    with path.open() as file:
        beginning = itertools.takewhile(lambda line: "<Weights" not in line, file)
        return frozenset(word for line in beginning for word in re.findall(r"\w+", " ".join(_EXPRESSION.findall(line))))


@functools.lru_cache
def events(path: Path) -> dict[str, np.ndarray]:
    """Return the branches of the events of a table, in single precision or as integers."""
    known = table(path)
    trees = list(dict.fromkeys(known.get("tree", [])))
    for candidate in sorted(path.parent.parent.glob("*.root")):
        with uproot.open(candidate) as file:
            if not trees or not {f"{tree};1" for tree in trees} >= set(file.keys()):
                continue
            parts = []
            for tree in trees:
                entries = known["entry"][known["tree"] == tree].astype(int)
                parts.append({k: v[entries] for k, v in file[tree].arrays(library="np").items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    inputs = {word for file in weight_files(path.parent) for word in words(file)}
    return {name: column.astype(np.float32) for name, column in known.items() if name in inputs}


def tables(root: Path) -> list[Path]:
    """Return the tables of responses below a folder."""
    return sorted(root.rglob("responses*.csv"))


def weight_files(root: Path) -> list[Path]:
    """Return the weight files below a folder."""
    return sorted(root.rglob("*.weights.xml"))


def columns(root: Path) -> Iterator[Column]:
    """Yield every column that has a weight file."""
    for path in tables(root):
        by_title = {head(file)[1]: file for file in weight_files(path.parent)}
        for name in table(path):
            if name in by_title:
                yield Column(path, name, by_title[name], *head(by_title[name]))
                continue
            match = _SUFFIX.fullmatch(name)
            if match is None or match["title"] not in by_title:
                continue
            weights = by_title[match["title"]]
            quantity: Quantity = (
                "rarity" if match["rarity"] else "probability" if match["fraction"] is not None else "response"
            )
            yield Column(
                path,
                name,
                weights,
                *head(weights),
                quantity,
                None if match["output"] is None else int(match["output"]),
                None if match["efficiency"] is None else float(match["efficiency"]),
                float(match["fraction"] or 0.5),
            )


def without_weights(root: Path) -> set[str]:
    """Return the columns of all tables that neither have a weight file nor say what an event is, as ``"class/BDT"``."""
    known = {(column.table, column.name) for column in columns(root)}
    inputs = {word for file in weight_files(root) for word in words(file)} | {"tree", "entry"}
    return {
        f"{path.parent.name}/{name}"
        for path in tables(root)
        for name in table(path)
        if (path, name) not in known and name not in inputs
    }


def without_column(root: Path) -> set[Path]:
    """Return the weight files of which no table has a column."""
    return set(weight_files(root)) - {column.weights for column in columns(root)}

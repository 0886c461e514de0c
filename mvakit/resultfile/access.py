"""Access to the objects of a ROOT file by exact name, each read when it is asked for, damage told in one kind of error."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

import numpy.typing as npt

from mvakit.errors import ResultFileError, did_you_mean
from mvakit.resultfile import decode

__all__ = ["Directory", "TreeColumns", "reading"]

_ONE_READER: Final = threading.RLock()


@contextlib.contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn whatever a damaged file makes the ROOT reader raise into one error that names the file and the object.

    One thread reads at a time: the reader shares a position in the file, and caches, among all that it hands out.
    """
    try:
        with _ONE_READER:
            yield
    except ResultFileError:
        raise
    except Exception as error:
        text = str(error).strip().splitlines()
        reason = f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
        raise ResultFileError(f"{what} cannot be read ({reason}); the file may be damaged or truncated") from error


class Directory:
    """A directory of the file: the names of what it holds, newest cycle of each, and access by exact name."""

    def __init__(self, directory: Any, where: str) -> None:
        self._directory = directory
        self.where = where

    @cached_property
    def classes(self) -> dict[str, str]:
        """ROOT's class of each object, by name, in the order of the file."""
        with reading(self.where):
            found: dict[str, str] = self._directory.classnames(recursive=False, cycle=False)
        return found

    def __contains__(self, name: str) -> bool:
        return name in self.classes

    def __iter__(self) -> Iterator[str]:
        return iter(self.classes)

    def get(self, name: str) -> Any:
        """Return an object as the ROOT reader gives it, or None if there is none of this name."""
        if name not in self.classes:
            return None
        with reading(f"{name!r} in {self.where}"):
            return self._directory[name]

    def enter(self, path: str) -> Directory | None:
        """Return a directory below this one, or None."""
        here = self
        for name in path.split("/"):
            if not here.classes.get(name, "").startswith("TDirectory"):
                return None
            here = Directory(here.get(name), f"{here.where}/{name}")
        return here

    def directories(self) -> list[str]:
        """Return the names of the directories below this one."""
        return [name for name, kind in self.classes.items() if kind.startswith("TDirectory")]


class TreeColumns(Mapping[str, npt.NDArray[Any]]):
    """The branches of TrainTree or TestTree by name; a branch is read when it is asked for, and then kept.

    Responses with several outputs (a class or a target each) are arrays of shape (n_events, n_outputs).
    """

    def __init__(
        self, branches: Mapping[str, decode.BranchGroup], length: int, where: str, columns: Iterable[str] | None = None
    ) -> None:
        self._where = where
        self._branches = branches
        self._length = length
        if columns is not None:
            chosen = list(columns)
            for name in chosen:
                if name not in self._branches:
                    raise ResultFileError(
                        f"{where} has no branch {name!r}; {did_you_mean(name, self._branches, noun='its branches')}"
                    )
            self._branches = {name: self._branches[name] for name in chosen}
        self._read: dict[str, npt.NDArray[Any]] = {}

    @property
    def n_events(self) -> int:
        """The number of entries."""
        return self._length

    def outputs(self, name: str) -> tuple[str, ...]:
        """Return the names of a response's outputs, classes or targets; empty for a plain branch."""
        return self._branches[name].fields

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        if name not in self._branches:
            raise KeyError(name)
        if name not in self._read:
            with reading(f"branch {name!r} of {self._where}"):
                self._read[name] = self._branches[name].array()
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._branches)

    def __len__(self) -> int:
        return len(self._branches)

    def __contains__(self, name: object) -> bool:
        return name in self._branches

    def __repr__(self) -> str:
        return f"TreeColumns({self._where}: {self._length} events; {', '.join(self._branches)})"

"""What a training or application script takes from ``ROOT``: change ``from ROOT import`` to ``from mvakit.compat.ROOT import``.

Trees are read through uproot; a tree obtained here may be handed to a DataLoader, walked entry by entry into buffers,
or looped over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from mvakit.compat import tmva as TMVA  # noqa: N812 - ROOT's spelling
from mvakit.errors import DataError, SourceError, did_you_mean
from mvakit.reading import Evaluator
from mvakit.sources import Tree, open_tree

__all__ = ["TMVA", "TBranch", "TChain", "TCut", "TFile", "TString", "TTree"]

_CHUNK: Final = 100_000


class TString(str):
    """A string with the calls of ROOT's that scripts make."""

    __slots__ = ()

    def Data(self) -> str:
        """Return the text."""
        return str(self)

    def Length(self) -> int:
        """Return the number of characters."""
        return len(self)

    def Contains(self, other: str) -> bool:
        """Return whether `other` occurs in the text."""
        return other in self


class TCut(str):
    """A selection: ``+`` joins two by *and*, ``*`` multiplies them, `&` and `|` join by *and* and *or*."""

    __slots__ = ()

    def __new__(cls, *arguments: str) -> Self:
        """Make a cut from ``(cut)`` or ``(name, cut)``."""
        return super().__new__(cls, arguments[-1] if arguments else "")

    def _join(self, operator: str, other: str) -> TCut:
        parts = [f"({part})" for part in (str(self), str(other)) if part.strip()]
        return TCut(operator.join(parts))

    def __add__(self, other: str) -> TCut:
        return self._join("&&", other)

    __and__ = __add__

    def __radd__(self, other: str) -> TCut:
        return TCut(other)._join("&&", self)

    def __or__(self, other: str) -> TCut:
        return self._join("||", other)

    def __mul__(self, other: object) -> TCut:
        return self._join("*", str(other))

    def __invert__(self) -> TCut:
        return TCut(f"!({self!s})")

    def GetTitle(self) -> str:
        """Return the text of the cut."""
        return str(self)


class TBranch:
    """A branch by its name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def GetName(self) -> str:
        """Return the name."""
        return self.name

    GetTitle = GetName

    def __repr__(self) -> str:
        return f"TBranch({self.name!r})"


class TTree:
    """A tree of a file: walked by ``GetEntry`` into the buffers of ``SetBranchAddress``, or looped over.

    Parameters
    ----------
    tree : Tree
        What `mvakit.sources.open_tree` returned.
    """

    def __init__(self, tree: Tree) -> None:
        self.mvakit_tree = tree
        self._reset()

    def _reset(self) -> None:
        self._buffers: dict[str, Any] = {}
        self._chunk: tuple[int, int, dict[str, Any]] = (0, 0, {})
        self._entry = -1

    def __repr__(self) -> str:
        return f"TTree({self.mvakit_tree.location!r}, {self.GetEntries()} entries)"

    def GetName(self) -> str:
        """Return the name of the tree."""
        return self.mvakit_tree.name

    def GetEntries(self, selection: str = "") -> int:
        """Return the number of entries, or of those that pass a selection."""
        if not str(selection).strip():
            return int(self.mvakit_tree.num_entries)
        chunks = Evaluator(self.mvakit_tree, [("selection", str(selection))]).chunks()
        return sum(int(np.count_nonzero(chunk.values[0])) for chunk in chunks)

    GetEntriesFast = GetEntries

    def __len__(self) -> int:
        return self.GetEntries()

    def GetListOfBranches(self) -> list[TBranch]:
        """Return the branches, in order."""
        return [TBranch(name) for name in self.mvakit_tree.branches]

    GetListOfLeaves = GetListOfBranches

    def GetBranch(self, name: str) -> TBranch | None:
        """Return a branch, or None where the tree has none of that name."""
        return TBranch(str(name)) if str(name) in self.mvakit_tree.branches else None

    def _known(self, name: str) -> str:
        if name not in self.mvakit_tree.branches:
            raise SourceError(
                f"{self.mvakit_tree.location} has no branch {name!r}; {did_you_mean(name, self.mvakit_tree.branches, noun='its branches')}"
            )
        return name

    def SetBranchAddress(self, name: str, buffer: Any) -> None:
        """Have ``GetEntry`` write a branch into a one-element buffer.

        Raises
        ------
        SourceError
            If there is no such branch.
        DataError
            If the buffer cannot be written to.
        """
        name = self._known(str(name))
        if not (hasattr(buffer, "__setitem__") or hasattr(buffer, "value")):
            raise DataError(
                f"the branch {name!r} is written into a one-element buffer such as array('f', [0.]), not into {buffer!r}"
            )
        self._buffers[name] = buffer

    def ResetBranchAddresses(self) -> None:
        """Forget all buffers."""
        self._buffers.clear()

    def GetEntry(self, entry: int) -> int:
        """Read an entry into the buffers.

        Returns
        -------
        int
            The number of bytes read; 0 where there is no such entry.
        """
        if not 0 <= entry < self.GetEntries():
            return 0
        self._entry = entry
        size = 0
        for name, buffer in self._buffers.items():
            value = self._value(name, entry)
            size += getattr(value, "nbytes", 8)
            if hasattr(buffer, "value") and not hasattr(buffer, "__setitem__"):
                buffer.value = value
            elif np.ndim(value) == 0:
                buffer[0] = value
            else:
                if len(value) > len(buffer):
                    raise DataError(
                        f"entry {entry} of the branch {name!r} has {len(value)} elements; its buffer has room for {len(buffer)}"
                    )
                for i, element in enumerate(value):
                    buffer[i] = element
        return size or 1

    def _value(self, name: str, entry: int) -> Any:
        first, stop, columns = self._chunk
        if not first <= entry < stop:
            first = entry - entry % _CHUNK
            stop = min(first + _CHUNK, self.GetEntries())
            columns = {}
            self._chunk = (first, stop, columns)
        if name not in columns:
            parts = [chunk[name] for _, chunk in self.mvakit_tree.chunks([name], _CHUNK, first, stop)]
            columns[name] = parts[0] if len(parts) == 1 else _join(parts)
        return columns[name][entry - first]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name == "mvakit_tree":
            raise AttributeError(name)
        if name in self.mvakit_tree.branches:
            if self._entry < 0:
                raise AttributeError(f"the branch {name!r} has no value before GetEntry")
            return self._value(name, self._entry)
        raise AttributeError(
            f"{self.mvakit_tree.location} has no branch {name!r}, and this TTree no such call; {did_you_mean(name, self.mvakit_tree.branches, noun='its branches')}"
        )

    def __iter__(self) -> Iterator[TTree]:
        for entry in range(self.GetEntries()):
            self.GetEntry(entry)
            yield self


def _join(parts: Sequence[Any]) -> Any:
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts)
    import awkward as ak

    return ak.concatenate(parts)


class TChain(TTree):
    """Trees of the same name in several files, one behind the other.

    Parameters
    ----------
    name : str
        The name of the trees.
    """

    def __init__(self, name: str, title: str = "") -> None:  # noqa: ARG002 - ROOT's form
        self._name = str(name)
        self._files: list[str] = []
        self._opened: Tree | None = None
        self._reset()

    def Add(self, path: str) -> int:
        """Add a file, or all files that a pattern matches; ``file.root/Tree`` and ``file.root:Tree`` name another tree.

        Returns
        -------
        int
            1, the number of arguments understood; files are looked for when the chain is read.
        """
        text = str(path)
        file, found, tree = text.partition(".root/")
        if found and tree:
            text = f"{file}.root:{tree}"
        elif ":" not in text.removeprefix("root://"):
            text = f"{text}:{self._name}"
        self._files.append(text)
        self._opened = None
        self._reset()
        return 1

    AddFile = Add

    @property
    def mvakit_tree(self) -> Tree:  # type: ignore[override]
        """The chained trees."""
        if self._opened is None:
            if not self._files:
                raise SourceError(f"the chain {self._name!r} has no files: call Add")
            self._opened = open_tree(list(self._files))
        return self._opened

    def GetName(self) -> str:
        """Return the name of the trees."""
        return self._name

    def GetNtrees(self) -> int:
        """Return the number of files or patterns that were added."""
        return len(self._files)


class TFile:
    """A ROOT file: read for its trees, or the place where a Factory will write its results.

    Parameters
    ----------
    path : str
    mode : str
        ``"READ"``, or ``"RECREATE"``, ``"NEW"``, ``"CREATE"`` for a Factory's file.
    """

    def __init__(self, path: str | os.PathLike[str], mode: str = "READ") -> None:
        self.mvakit_path = os.fspath(path)
        self.mode = mode.upper() or "READ"
        if self.mode == "READ":
            if "://" not in self.mvakit_path and not Path(self.mvakit_path).is_file():
                raise SourceError(f"there is no file {self.mvakit_path!r}")
        elif self.mode in {"NEW", "CREATE"}:
            if Path(self.mvakit_path).exists():
                raise SourceError(f"the file {self.mvakit_path!r} exists already; 'RECREATE' replaces it")
        elif self.mode != "RECREATE":
            raise SourceError(f"a file is opened to 'READ', 'RECREATE' or 'CREATE', not to {mode!r}")

    @classmethod
    def Open(cls, path: str | os.PathLike[str], mode: str = "READ") -> Self:
        """Open a file.

        Raises
        ------
        SourceError
            If the file is missing, or may not be replaced.
        """
        return cls(path, mode)

    def __repr__(self) -> str:
        return f"TFile({self.mvakit_path!r}, {self.mode!r})"

    def Get(self, name: str) -> TTree:
        """Return a tree of the file.

        Raises
        ------
        SourceError
            If the file has no such tree.
        """
        return TTree(open_tree(f"{self.mvakit_path}:{name}"))

    def __getattr__(self, name: str) -> TTree:
        if name.startswith("_") or name in {"mvakit_path", "mode"}:
            raise AttributeError(name)
        try:
            return self.Get(name)
        except SourceError as error:
            raise AttributeError(str(error)) from None

    def GetName(self) -> str:
        """Return the path."""
        return self.mvakit_path

    def IsZombie(self) -> bool:
        """Return False; a file that cannot be opened has raised an error."""
        return False

    def IsOpen(self) -> bool:
        """Return True."""
        return True

    def cd(self) -> bool:
        """Return True; there is no current directory to change."""
        return True

    def Write(self) -> int:
        """Return 0; a Factory writes its file when it evaluates."""
        return 0

    def Close(self) -> None:
        """Do nothing: no file is held open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.Close()

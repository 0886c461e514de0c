"""Trees of ROOT files, TTree and RNTuple, read with uproot.

Only raw branches and fields are ever asked of uproot: what a formula makes of them is not its business.
"""

from __future__ import annotations

import bisect
import hashlib
import os
import re
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import uproot
from uproot.interpretation.identify import UnknownInterpretation
from uproot.interpretation.numerical import AsDtype, TruncatedNumerical
from uproot.interpretation.objects import AsStridedObjects

from mvakit.errors import SourceError, did_you_mean
from mvakit.sources.columns import RecordTree, dtype_types, form_types
from mvakit.sources.local import EmptyFileError, file_stamp, reading
from mvakit.sources.tree import Column, ColumnType, entries_per_chunk

if TYPE_CHECKING:
    from mvakit.sources.tree import Array

__all__ = ["NTupleTree", "RootTree", "TTreeTree", "from_uproot", "open_root"]

_TREE_CLASSES = frozenset({"TTree", "TNtuple", "TNtupleD", "ROOT::RNTuple"})
_FOLDER_CLASSES = frozenset({"TDirectory", "TDirectoryFile"})
_BASE_CLASS = 1
"""TBranchElement's `fType` of the members of a base class, which ROOT names as if they were the class's own."""
_BLOCK = "100 MB"
"""What is read at once where chunks are smaller, so that a basket is not unpacked again for each of them."""

Opener = Callable[[], AbstractContextManager[Any]]


class RootTree(RecordTree):
    """A tree of a ROOT file.

    Parameters
    ----------
    name, location : str
    source : object
        The uproot tree, opened, which tells its entries and columns.
    opener : callable
        Gives the uproot tree within a ``with``, to read from.
    """

    def __init__(self, name: str, location: str, source: Any, opener: Opener) -> None:
        with reading(location):
            super().__init__(name, location, int(source.num_entries), self._describe(source))
            self._identity = str(source.file.uuid)
            self._stamp = file_stamp(source.file.file_path)
        self._opener = opener

    @staticmethod
    @abstractmethod
    def _describe(source: Any) -> Iterator[Column]:
        """Yield the columns of an uproot tree."""

    @abstractmethod
    def _borders(self, source: Any, keys: Sequence[str]) -> Sequence[int]:
        """Return the entries, in order, at which nothing needs to be unpacked twice."""

    @abstractmethod
    def _bytes(self, source: Any, columns: Sequence[Column]) -> float:
        """Return the bytes of one entry of some columns."""

    @abstractmethod
    def _block_reader(
        self, source: Any, keys: Sequence[str]
    ) -> AbstractContextManager[Callable[[int, int], Mapping[str, Array]]]:
        """Return what reads the entries of some keys from one to another."""

    def _read_keys(
        self, columns: list[Column], step_size: int | str, start: int, stop: int
    ) -> Iterator[tuple[int, Mapping[str, Array]]]:
        keys = list(dict.fromkeys(column.key for column in columns))
        with self._opener() as source:
            with reading(self.location):
                if source.num_entries != self.num_entries or str(source.file.uuid) != self._identity:
                    raise SourceError(f"{self.location} has changed since it was opened")
                size = self._bytes(source, columns)
                step = entries_per_chunk(step_size, size)
                most = max(step, entries_per_chunk(_BLOCK, size))
                blocks = list(_blocks(self._borders(source, keys), most, start, stop))
            with self._block_reader(source, keys) as read_block:
                for lower, upper in blocks:
                    with reading(self.location):
                        block = read_block(lower, upper)
                    for first in range(lower, upper, step):
                        rows = slice(first - lower, min(first + step, upper) - lower)
                        yield first, {key: array[rows] for key, array in block.items()}

    def fingerprint(self) -> str:
        """Return a digest of where the file is, its size, time and identity, and of the tree."""
        text = f"{self._stamp}|{self._identity}|{self.location}|{self.num_entries}"
        return f"root:{hashlib.sha256(text.encode()).hexdigest()}"


def _blocks(borders: Sequence[int], size: int, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield bounds from `start` to `stop`, at most `size` apart, on `borders` where that at most halves a block."""
    while start < stop:
        upper = min(start + size, stop)
        if upper < stop:
            at = bisect.bisect_right(borders, upper)
            border = borders[at - 1] if at else 0
            upper = border if border > start + size // 2 else upper
        yield start, upper
        start = upper


class TTreeTree(RootTree):
    """A ``TTree``: branches, leaves and the parts of split objects are columns."""

    @staticmethod
    def _describe(source: Any) -> Iterator[Column]:
        paths: dict[str, tuple[str, ...]] = {}
        for key, branch in source.iteritems(recursive=True, full_paths=True):
            above = paths.get(key[: -len(branch.name) - 1], ())
            is_base = branch.member("fType", none_if_missing=True) == _BASE_CLASS
            path = paths[key] = above if is_base else _branch_path(branch.name, above)
            interpretation = branch.interpretation
            if isinstance(interpretation, uproot.AsGrouped):
                continue  # it holds nothing but the branches below it
            also: tuple[str, ...] = ()
            leaves = branch.member("fLeaves")
            if (
                branch.classname == "TBranch"
                and len(leaves) == 1
                and (leaf := leaves[0].member("fName")) != branch.name
            ):
                also = (leaf, f"{branch.name}.{leaf}")
            for within, found in _branch_types(branch, interpretation):
                yield Column((*path, *within), found, key, within, also)

    def _borders(self, source: Any, keys: Sequence[str]) -> Sequence[int]:
        branches = _branches(source)
        offsets = [set(branches[key].entry_offsets) for key in keys]
        return sorted(set.intersection(*offsets))

    def _bytes(self, source: Any, columns: Sequence[Column]) -> float:
        branches = _branches(source)
        stored = sum(branches[key].uncompressed_bytes for key in {column.key for column in columns})
        return float(stored) / self.num_entries

    @contextmanager
    def _block_reader(self, source: Any, keys: Sequence[str]) -> Iterator[Callable[[int, int], Mapping[str, Array]]]:
        found = _branches(source)
        branches = {key: found[key] for key in keys}
        with ThreadPoolExecutor(_workers(), "mvakit-unpack") as pool:

            def read_block(lower: int, upper: int) -> dict[str, Array]:
                return {
                    key: branch.array(
                        entry_start=lower,
                        entry_stop=upper,
                        decompression_executor=pool,
                        array_cache=None,
                        library="np" if _is_plain(branch.interpretation) else "ak",
                    )
                    for key, branch in branches.items()
                }

            yield read_block


def _branches(source: Any) -> dict[str, Any]:
    branches: dict[str, Any] = {}
    for key, branch in source.iteritems(recursive=True, full_paths=True):
        branches.setdefault(key, branch)
    return branches


def _branch_path(name: str, parent: tuple[str, ...]) -> tuple[str, ...]:
    """Return the parts of a branch's name: ``q.fX`` below ``q.`` is ``q``, ``fX``, and so is ``fX`` below ``q``."""
    name = re.sub(r"(\[.*\])?\.?$", "", name)  # of an array within an object the branch has the dimensions in its name
    return (*parent, name.removeprefix(".".join(parent) + ".") if parent else name)


def _branch_types(branch: Any, interpretation: Any) -> Iterable[tuple[tuple[str, ...], ColumnType | str]]:
    """Return path and type of each column in a branch."""
    if isinstance(interpretation, UnknownInterpretation):
        return [((), f"uproot cannot read it: {interpretation.reason}")]
    if _is_plain(interpretation):
        return dtype_types(interpretation.to_dtype)
    try:
        types = list(form_types(interpretation.awkward_form(branch.file)))
    except Exception as error:  # noqa: BLE001  (classes nobody foresaw: the other branches are none the worse)
        reason = str(error).partition("\n")[0]
        return [((), f"uproot cannot make an array of its type {branch.typename} ({reason})")]
    # bases of C++ classes and the like have names that no formula can say
    return [(path, found) for path, found in types if not any(part.startswith("@") for part in path)]


def _is_plain(interpretation: Any) -> bool:
    """Whether a branch has the same numbers of bytes in every entry, and NumPy can hold it."""
    if isinstance(interpretation, AsStridedObjects):
        return False
    return isinstance(interpretation, AsDtype | TruncatedNumerical)


class NTupleTree(RootTree):
    """An ``RNTuple``: its fields are columns, and so are those of records within records and lists."""

    @staticmethod
    def _describe(source: Any) -> Iterator[Column]:
        form, _ = source.to_akform()
        for path, found in form_types(form):
            yield Column(path, found, key=".".join(path))

    def _borders(self, source: Any, keys: Sequence[str]) -> Sequence[int]:  # noqa: ARG002  (one border for all)
        return [int(cluster.num_first_entry) for cluster in source.cluster_summaries]

    def _bytes(self, source: Any, columns: Sequence[Column]) -> float:
        return 1e9 / float(source.num_entries_for(10**9, filter_name=[column.key for column in columns]))

    @contextmanager
    def _block_reader(self, source: Any, keys: Sequence[str]) -> Iterator[Callable[[int, int], Mapping[str, Array]]]:
        fields = {key: source[key] for key in keys}
        cache = uproot.LRUArrayCache(_BLOCK)  # uproot reads one cluster too many where a block ends with a cluster

        def read_field(key: str, lower: int, upper: int) -> Array:
            return fields[key].array(entry_start=lower, entry_stop=upper, array_cache=cache)

        with ThreadPoolExecutor(_workers(), "mvakit-unpack") as pool:

            def read_block(lower: int, upper: int) -> dict[str, Array]:
                # the first field fills what uproot remembers of the file, for the threads only to look up
                first, *others = keys
                block = {first: read_field(first, lower, upper)}
                block.update(zip(others, pool.map(lambda key: read_field(key, lower, upper), others), strict=True))
                return block

            yield read_block


def _workers() -> int:
    return min(8, os.cpu_count() or 1)


def from_uproot(source: Any, tree_name: str | None = None) -> RootTree:
    """Return the tree that an uproot object is: a TTree, an RNTuple, or a folder that holds one tree.

    Its file stays the caller's to close.

    Raises
    ------
    SourceError
        It is something else, or its file is closed.
    """
    file = getattr(source, "file", None)
    inside = str(getattr(source, "object_path", "")).strip("/").partition(";")[0]
    file_path = getattr(file, "file_path", "uproot")
    where = f"{file_path}:{inside}" if inside else file_path
    if getattr(file, "closed", False):
        raise SourceError(
            f"the file of {where} has been closed: hand the tree over while it is open, or as 'file:tree'"
        )
    if isinstance(source, uproot.reading.ReadOnlyDirectory):
        with reading(where):
            path = _find(source, tree_name or "", where)
            source = source[path]
        where = f"{where}{'/' if inside else ':'}{path.rpartition(';')[0]}"
    return _tree(source, where, lambda: nullcontext(source))


def open_root(path: str, tree_path: str) -> RootTree:
    """Open a tree of a ROOT file, which is open only while it is read.

    Parameters
    ----------
    path : str
        A local path or an address (``root://``, ``https://``).
    tree_path : str
        Where it is in the file: ``"folder/TreeS;1"``; the newest cycle without a number, the only tree if empty.

    Raises
    ------
    EmptyFileError
        The file holds nothing at all.
    SourceError
        There is no such file or tree, more than one where none is named, or the file is damaged.
    """

    @contextmanager
    def opened() -> Iterator[Any]:
        with ExitStack() as stack:
            with reading(path):
                source = stack.enter_context(uproot.open({path: None}))[found]
            yield source

    with reading(path), uproot.open({path: None}) as file:
        found = _find(file, tree_path, path)
        return _tree(file[found], f"{path}:{found.rpartition(';')[0]}", opened)


def _tree(source: Any, location: str, opener: Opener) -> RootTree:
    if isinstance(source, uproot.TTree):
        return TTreeTree(source.name, location, source, opener)
    if isinstance(source, uproot.behaviors.RNTuple.RNTuple):
        return NTupleTree(source.name, location, source, opener)
    raise SourceError(f"{location} is neither a TTree nor an RNTuple but {type(source).__name__}")


def _find(folder: Any, wanted: str, location: str) -> str:
    """Return path and cycle of a tree below a folder of a file.

    `wanted` may also be a folder with one tree in it, or go on to name a branch.
    """
    if not folder.keys(recursive=False):
        raise EmptyFileError(f"{location} is empty: it has no objects")
    parts = [part for part in wanted.split("/") if part]
    at = folder
    for depth, part in enumerate(parts):
        try:
            key = at.key(part)
        except uproot.KeyInFileError:
            hint = did_you_mean(wanted, _trees(folder), noun="trees in the file")
            raise SourceError(f"{location} has no {wanted!r}; {hint}") from None
        if key.fClassName in _TREE_CLASSES:
            path = "/".join([*parts[:depth], key.fName])
            if parts[depth + 1 :]:
                _check_branch(at[part], "/".join(parts[depth + 1 :]), f"{location}:{path}")
            return f"{path};{key.fCycle}"
        if key.fClassName not in _FOLDER_CLASSES:
            inside = "/".join(parts[: depth + 1])
            raise SourceError(f"{location}: {inside!r} is a {key.fClassName}, not a tree")
        at = key.get()
    trees = _trees(at)
    if len(trees) == 1:
        return "/".join([*parts, next(iter(trees.values()))])
    inside = f"the folder {wanted!r} of {location}" if parts else location
    if trees:
        raise SourceError(
            f"{inside} has {len(trees)} trees: say which, as in {location + ':' + min(trees)!r}; "
            + did_you_mean("", trees, noun="trees")
        )
    kinds = sorted(set(at.classnames(recursive=True).values()) - _FOLDER_CLASSES)
    raise SourceError(f"{inside} has no tree; it holds {', '.join(kinds[:10]) or 'nothing but folders'}")


def _trees(folder: Any) -> dict[str, str]:
    """Return the trees in a folder and below it: path to path and cycle, the newest of each."""
    newest: dict[str, int] = {}
    for key, kind in folder.iterclassnames(recursive=True, cycle=True):
        path, _, cycle = key.rpartition(";")
        if kind in _TREE_CLASSES:
            newest[path] = max(newest.get(path, 0), int(cycle))
    return {path: f"{path};{cycle}" for path, cycle in newest.items()}


def _check_branch(tree: Any, branch: str, location: str) -> None:
    """Refuse a path that goes on after a tree with what is no branch of it."""
    known = tree.keys()
    if branch not in known:
        raise SourceError(f"{location}: there is no branch {branch!r}; {did_you_mean(branch, known, noun='branches')}")

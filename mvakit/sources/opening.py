"""From what a user calls a tree to a `Tree`: paths, lists of paths, and what is in memory."""

from __future__ import annotations

import glob
import logging
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mvakit.errors import MvakitWarning, SourceError
from mvakit.sources.combined import ChainedTree
from mvakit.sources.local import EmptyFileError, file_kind
from mvakit.sources.memory import from_awkward, from_frame, from_mapping, from_structured
from mvakit.sources.series import package_of
from mvakit.sources.tree import Tree

__all__ = ["open_tree", "split_path"]

_log = logging.getLogger("mvakit.sources")


def open_tree(source: object, *, tree_name: str | None = None) -> Tree:
    """Return `source` as a tree.

    Parameters
    ----------
    source : object
        One of: ``"file.root:TreeS"``, with wildcards in the file, folders (``file.root:folder/TreeS``) and cycles
        (``TreeS;2``); without ``:TreeS`` where the file has one tree; an address that uproot opens (``root://``,
        ``https://``); a ``.parquet`` path; an uproot TTree or RNTuple; an awkward record array; a mapping of columns;
        a structured NumPy array; a pandas or polars frame; a pyarrow table; what has an attribute ``mvakit_tree``
        that is one of these; or a list of any of them, which are read one after the other; or, in uproot's manner, a
        mapping of files to the trees in them, ``{"2017_*.root": "TreeS", "2018.root": "ntuple/TreeS"}``.
    tree_name : str, optional
        The tree in a file, in which case a path is that of the file alone; what the tree is called, for one in memory.

    Returns
    -------
    Tree

    Raises
    ------
    SourceError
        There is no such file, tree or branch; the file is damaged; or `source` is none of these.
    """
    if isinstance(source, Tree):
        return source
    if isinstance(source, str | os.PathLike):
        return _open_all([(source, tree_name)])
    if isinstance(source, list | tuple):
        return _open_all([(one, tree_name) for one in source])
    if isinstance(source, Mapping) and source and all(isinstance(name, str) for name in source.values()):
        return _open_all(list(source.items()))
    handed = getattr(source, "mvakit_tree", None)
    if handed is not None:
        return open_tree(handed, tree_name=tree_name)
    return _open_object(source, tree_name)


def _open_object(source: Any, tree_name: str | None) -> Tree:
    package, kind = package_of(source), type(source).__name__
    if package == "uproot":
        from mvakit.sources.root import from_uproot

        return from_uproot(source, tree_name)
    if package == "awkward" and hasattr(source, "layout") and hasattr(source, "ndim"):  # an array, not one record of it
        return from_awkward(source, tree_name or "awkward array")
    if package in {"pandas", "polars", "pyarrow"} and (kind.endswith("Frame") or kind in {"Table", "RecordBatch"}):
        return from_frame(source, tree_name or f"{package} {'table' if package == 'pyarrow' else 'frame'}")
    if isinstance(source, np.ndarray):
        return from_structured(source, tree_name or "array")
    if isinstance(source, Mapping):
        return from_mapping(source, tree_name or "columns")
    raise SourceError(
        "a tree is a path such as 'file.root:TreeS', a list of paths, an uproot tree, an awkward record array, "
        f"a mapping of columns or a frame; {kind} is none of these"
    )


def _open_all(sources: Iterable[tuple[object, str | None]]) -> Tree:
    """Open everything in a list, each with the tree that is meant, and read it one after the other, but what is empty."""
    openers: list[Callable[[], Tree]] = []
    files: list[tuple[str, str]] = []
    for source, tree_name in sources:
        if isinstance(source, str | os.PathLike):
            found = _files(source, tree_name)
            files.extend(found)
            openers.extend(partial(_open_file, *file) for file in found)
        else:
            openers.append(partial(open_tree, source, tree_name=tree_name))
    if not openers:
        raise SourceError("a list of trees was given, and nothing is in it")
    for (file, _), count in Counter(files).items():
        if count > 1:
            warnings.warn(f"{file} is given {count} times, and is read as often", MvakitWarning, stacklevel=3)
    if len(openers) == 1:
        return openers[0]()

    trees: list[Tree] = []
    empty: list[Tree | EmptyFileError] = []
    for opener in openers:
        try:
            tree = opener()
        except EmptyFileError as error:
            _log.info("skipped: %s", error)
            empty.append(error)
            continue
        if tree.num_entries:
            trees.append(tree)
        else:
            _log.info("skipped: %s has no entries", tree.location)
            empty.insert(0, tree)
    if not trees:
        if isinstance(empty[0], EmptyFileError):
            raise empty[0]
        return empty[0]
    return ChainedTree(trees) if len(trees) > 1 else trees[0]


def split_path(text: str) -> tuple[str, str]:
    """Split ``"file.root:folder/TreeS"`` into file and tree; the tree is empty where none is named.

    A colon after the letter of a drive, in an address before its path, or in the name of a file that exists is none
    that separates.
    """
    colons = [i for i, letter in enumerate(text) if letter == ":"]
    candidates = [
        (text, ""),
        *((text[:i], text[i + 1 :]) for i in reversed(colons) if _separates(text[:i], text[i + 1 :])),
    ]
    for file, tree in candidates:
        if _exists(file):
            return file, tree
    return candidates[1] if len(candidates) > 1 else candidates[0]


def _separates(head: str, tail: str) -> bool:
    """Whether a colon between `head` and `tail` may be the one between file and tree."""
    if not head or tail.startswith("//") or (len(head) == 1 and head.isalpha() and tail[:1] in {"/", "\\"}):
        return False
    _, scheme, rest = head.rpartition("://")
    return not scheme or "/" in rest


def _exists(file: str) -> bool:
    try:
        return Path(file).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # too long, of impossible letters, or of a user who is not
        return False


def _files(source: str | os.PathLike[Any], tree_name: str | None) -> list[tuple[str, str]]:
    """Return file and tree for each file that a path or pattern stands for, in alphabetical order."""
    text = os.fspath(source)
    if not isinstance(text, str):
        raise SourceError(f"a path is text, not {text!r}")
    file, tree = split_path(text) if tree_name is None else (text, tree_name)
    if "://" in file:
        if "*" in file:
            raise SourceError(f"{file}: wildcards are for local files; give a list of addresses")
        return [(file, tree)]
    if glob.has_magic(file) and not _exists(file):
        found = sorted(glob.glob(os.path.expanduser(file), recursive=True))  # noqa: PTH111, PTH207  (** within paths)
        if not found:
            raise SourceError(f"no file matches {file!r}")
        return [(name, tree) for name in found]
    return [(file, tree)]


def _open_file(file: str, tree: str) -> Tree:
    if "://" not in file:
        path = Path(file).expanduser() if _exists(file) else Path(file)
        if file_kind(path) == "Parquet":
            if tree:
                raise SourceError(f"{file} is a Parquet file, and has no {tree!r} in it: leave ':{tree}' away")
            from mvakit.sources.parquet import ParquetTree

            return ParquetTree(path)
        file = str(path)
    elif file.endswith(".parquet"):
        raise SourceError(f"{file}: Parquet is read from local files")
    from mvakit.sources.root import open_root

    return open_root(file, tree)

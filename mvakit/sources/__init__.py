"""Anything that holds events, seen as a *tree*: named columns of equal length, read in chunks.

`open_tree` makes a `Tree` of a path, an uproot tree, an awkward array, a mapping of NumPy columns or a frame;
`with_friends` reads several alongside. What a column holds is told by `ColumnType` before anything is read.
"""

from __future__ import annotations

from mvakit.sources.combined import with_friends
from mvakit.sources.opening import open_tree
from mvakit.sources.tree import ColumnType, Tree, files_of

__all__ = ["ColumnType", "Tree", "files_of", "open_tree", "with_friends"]

"""The branches of TrainTree and TestTree."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mvakit.dataset import Sample
from mvakit.errors import ResultFileError
from mvakit.resultfile.contents import DatasetContents, MethodContents
from mvakit.types import AnalysisType
from mvakit.variables import internal_name

__all__ = ["tree_columns"]

Array = npt.NDArray[Any]
Text = tuple[tuple[str, ...], npt.NDArray[np.integer]]
# Narrow or machine-dependent types are written as the next one that a branch can have.
_WIDER = {"f2": np.float32, "f12": np.float64, "f16": np.float64}


def tree_columns(part: DatasetContents, which: str) -> dict[str, Array | Text]:
    """Return the branches of a tree in TMVA's order.

    Parameters
    ----------
    part : DatasetContents
    which : str
        ``"TrainTree"`` or ``"TestTree"``.

    Returns
    -------
    dict of str to ndarray, or to a tuple
        Text as the tuple of its distinct values and the index of each entry's. A response with several outputs has
        the branches ``<title>.<output>``.

    Raises
    ------
    ResultFileError
        If two different columns have one name, or a column has not as many entries as there are events.
    """
    dataset = part.dataset
    sample = dict(dataset.samples())[which]
    columns = _Columns(which, len(sample))
    index = np.asarray(sample.class_index)
    columns.add("classID", index.astype(np.int32))
    columns.add("className", (dataset.classes, index))
    for i, variable in enumerate(dataset.variables):
        columns.add(variable.internal, sample.X[:, i].astype(np.float32))
    for i, target in enumerate(dataset.targets):
        columns.add(target.internal, sample.targets[:, i].astype(np.float32))
    _add_spectators(columns, sample)
    columns.add("weight", sample.weight.astype(np.float32))
    for method in part.methods:
        _add_response(columns, method, part, which)
    for method in part.methods:
        for name, both in method.columns.items():
            columns.add(internal_name(name), _native(name, np.asarray(both[0 if which == "TrainTree" else 1])))
    return columns.found


class _Columns:
    """Columns by name, each as long as the sample and no name twice."""

    def __init__(self, which: str, length: int) -> None:
        self.which = which
        self.length = length
        self.found: dict[str, Array | Text] = {}

    def add(self, name: str, column: Array | Text) -> None:
        length = len(column[1]) if isinstance(column, tuple) else len(column)
        if length != self.length:
            raise ResultFileError(
                f"branch {name!r} of {self.which} would have {length} entries, but the sample has {self.length} events"
            )
        if name in self.found:
            raise ResultFileError(
                f"two different columns would be the branch {name!r} of {self.which}; "
                f"variables, targets, spectators and the titles of methods must differ, also from classID, className "
                f"and weight"
            )
        self.found[name] = column


def _add_spectators(columns: _Columns, sample: Sample) -> None:
    for label, values in sample.spectators.items():
        name, column = internal_name(label), _native(label, np.asarray(values))
        there = columns.found.get(name)
        # A variable may be a spectator as well; its column is there already.
        if isinstance(there, np.ndarray) and np.array_equal(there, column.astype(there.dtype)):
            continue
        columns.add(name, column)


def _native(label: str, column: Array) -> Array:
    """Return a column in its own type, as long as a branch can have it."""
    if column.dtype.kind not in "biuf" or column.ndim != 1:
        raise ResultFileError(
            f"{label!r} is a column of numbers, one for each event, not of type {column.dtype} and shape {column.shape}"
        )
    wider = _WIDER.get(column.dtype.str[1:])
    return column if wider is None else column.astype(wider)


def _add_response(columns: _Columns, method: MethodContents, part: DatasetContents, which: str) -> None:
    scores = method.train_scores if which == "TrainTree" else method.test_scores
    if scores is None:
        return
    scores = np.asarray(scores).astype(np.float32)
    name = method.title
    if scores.ndim == 1 or scores.shape[1:] == (1,):
        columns.add(name, scores.reshape(len(scores)))
        return
    dataset = part.dataset
    outputs = (
        dataset.classes if part.analysis is AnalysisType.MULTICLASS else tuple(t.internal for t in dataset.targets)
    )
    if scores.shape[1:] != (len(outputs),):
        raise ResultFileError(
            f"the responses of method {name!r} have shape {scores.shape}, but there are {len(outputs)} outputs: "
            f"{', '.join(outputs)}"
        )
    for i, output in enumerate(outputs):
        columns.add(f"{name}.{output}", np.ascontiguousarray(scores[:, i]))

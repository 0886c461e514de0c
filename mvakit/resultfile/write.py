"""Writing a TMVA.root: the same directories, names, titles and trees as TMVA's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mvakit.errors import MvakitError, ResultFileError
from mvakit.evaluation import Curve
from mvakit.files import written_aside
from mvakit.resultfile import encode, layout
from mvakit.resultfile.columns import tree_columns
from mvakit.resultfile.contents import DatasetContents, MethodContents, ResultContents, TransformedInputs
from mvakit.resultfile.inputs import InputPlots
from mvakit.types import AnalysisType

__all__ = ["write_result_file"]

# Events in one basket of a branch.
_CHUNK = 100_000


def write_result_file(path: str | os.PathLike[str], contents: ResultContents) -> None:
    """Write a result file with TMVA's layout; it takes the place of `path` once it is whole.

    Parameters
    ----------
    path : path-like
    contents : ResultContents

    Raises
    ------
    ResultFileError
        If something in `contents` does not fit the rest, or the file cannot be written.
    """
    import uproot

    for part in contents.datasets:
        _check_names(part)
    try:
        with (
            written_aside(path) as temporary,
            # Read by ROOT since 6.20; twenty times as fast as the older ZLIB for columns of numbers.
            uproot.recreate(temporary, compression=uproot.ZSTD(1)) as file,
        ):
            for part in contents.datasets:
                _write_dataset(file.mkdir(part.dataset.name), part)
    except MvakitError:
        raise
    except OSError as error:
        raise ResultFileError(f"the result file {str(path)!r} cannot be written: {error.strerror or error}") from error


def _check_names(part: DatasetContents) -> None:
    """Refuse, before anything is written, names that a ROOT file could not hold as they are."""
    layout.check_name("dataset", part.dataset.name)
    for class_name in part.dataset.classes:
        layout.check_name("class", class_name)
    for method in part.methods:
        layout.check_name("method", method.type)
        layout.check_name("method", method.title)
        for value in method.histograms:
            layout.check_name("histogram", value.name)
        for curve in method.curves:
            layout.check_name("curve", curve.name)


def _write_dataset(directory: Any, part: DatasetContents) -> None:
    dataset = part.dataset
    for class_name, coefficients in part.correlations.items():
        name = layout.correlation_name(part.analysis, class_name)
        title = layout.correlation_title(part.analysis, class_name)
        directory[name] = encode.writable(
            encode.correlation_histogram(name, title, np.asarray(coefficients, dtype=np.float64), dataset.variables)
        )
    for inputs in part.inputs:
        name = inputs.transformation
        _write_inputs(directory.mkdir(f"{layout.INPUT_PREFIX}{name}"), inputs, part, name)
    types: dict[str, Any] = {}
    for method in part.methods:
        if method.type not in types:
            types[method.type] = directory.mkdir(f"{layout.METHOD_PREFIX}{method.type}")
        _write_method(types[method.type].mkdir(method.title), method, part)
    for which in reversed(layout.TREES):
        _write_tree(directory, which, tree_columns(part, which))


def _write_inputs(directory: Any, inputs: TransformedInputs, part: DatasetContents, suffix: str) -> None:
    dataset = part.dataset
    plots = InputPlots(
        inputs.sample, dataset.variables, dataset.targets, dataset.classes, inputs.transformation, suffix
    )
    for histogram in plots.histograms():
        directory[histogram.name] = encode.writable(histogram)
    if inputs.pairs:
        below = directory.mkdir(layout.CORRELATION_PLOTS)
        for value in plots.pairs():
            below[value.name] = encode.writable(value)


def _write_method(directory: Any, method: MethodContents, part: DatasetContents) -> None:
    directory[layout.TRAINING_PATH] = method.training_path or str(Path.cwd())
    directory[layout.WEIGHT_FILE_NAME] = method.weight_file
    for histogram in method.histograms:
        directory[histogram.name] = encode.writable(histogram)
    if method.inputs is not None:
        _write_inputs(directory, method.inputs, part, "")
    for curve in method.curves:
        _write_curve(directory, method.title, curve)
    _write_monitor_ntuple(directory, method, part.analysis)


def _write_curve(directory: Any, title: str, curve: Curve) -> None:
    """Write a curve as the histogram or graph that TMVA makes of it; one of no name of TMVA's whose points are not evenly spaced as a small tree."""
    name = layout.curve_name(title, curve.name)
    if len(curve.x) == 0:
        return
    if name in layout.GRAPH_CURVES:
        directory[layout.GRAPH_CURVES[name]] = encode.writable(encode.graph_frame(curve, layout.GRAPH_CURVES[name]))
        directory[name] = encode.graph(curve)
        return
    histogram = encode.curve_histogram(curve, name)
    if histogram is not None:
        directory[name] = encode.writable(histogram)
        return
    name = layout.history_name(title, curve.name)
    titles = ";".join(text.replace(";", ",") for text in (curve.title, curve.x_title, curve.y_title))
    tree = directory.mktree(name, {"x": np.float64, "y": np.float64}, title=titles)
    tree.extend({"x": np.asarray(curve.x, dtype=np.float64), "y": np.asarray(curve.y, dtype=np.float64)})


def _write_monitor_ntuple(directory: Any, method: MethodContents, analysis: AnalysisType) -> None:
    """Write boost weight and error fraction by tree, where a method tells them, as the ntuple that TMVA has of them."""
    by_name = {curve.name: curve for curve in method.curves}
    curves = [(branch, by_name[name]) for name, branch in layout.NTUPLE_BRANCHES.items() if name in by_name]
    if len(curves) < len(layout.NTUPLE_BRANCHES) or len({len(curve.x) for _, curve in curves}) > 1:
        return
    columns: dict[str, npt.NDArray[np.generic]] = {"iTree": np.asarray(curves[0][1].x).astype(np.int32)}
    columns |= {branch: np.asarray(curve.y, dtype=np.float64) for branch, curve in curves}
    if analysis is AnalysisType.REGRESSION:
        # The boost weight of AdaBoost.R2 is b there, and 1 / b in the histogram; where nothing is boosted both are 0.
        weights = np.asarray(columns["boostWeight"], dtype=np.float64)
        columns["boostWeight"] = np.divide(1.0, weights, out=np.zeros(len(weights)), where=weights != 0.0)
    tree = directory.mktree(
        layout.MONITOR_NTUPLE,
        {name: column.dtype for name, column in columns.items()},
        title=f"{method.type} variables",
    )
    tree.extend(columns)


def _write_tree(directory: Any, name: str, columns: dict[str, Any]) -> None:
    """Write a tree; a column is an array, or for text a pair of the distinct texts and the index of each entry's."""
    types = {name: "string" if isinstance(column, tuple) else column.dtype for name, column in columns.items()}
    length = len(columns["classID"])
    tree = directory.mktree(name, types, title=name, initial_basket_capacity=length // _CHUNK + 3)
    for start in _starts(length):
        chosen = slice(start, start + _CHUNK)
        tree.extend({name: _part(column, chosen) for name, column in columns.items()})


def _starts(length: int) -> Iterator[int]:
    yield from range(0, length, _CHUNK)


def _part(column: Any, chosen: slice) -> Any:
    if isinstance(column, tuple):
        import awkward

        texts, index = column
        return awkward.Array(list(texts))[index[chosen]]
    return column[chosen]

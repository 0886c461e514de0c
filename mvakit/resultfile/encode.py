"""From plain values to what the ROOT writer takes; it is loaded when the first value is turned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.errors import ResultFileError
from mvakit.evaluation import Curve
from mvakit.evaluation.correlation import correlation_percent
from mvakit.evaluation.histograms import Histogram1D
from mvakit.resultfile import layout
from mvakit.resultfile.contents import AnyHistogram
from mvakit.resultfile.decode import NOT_SET
from mvakit.resultfile.values import Histogram, Histogram2D, Precision, Profile, Sums
from mvakit.variables import Variable

__all__ = ["correlation_histogram", "curve_histogram", "graph", "graph_frame", "writable"]

FloatArray = npt.NDArray[np.float64]

_DTYPES: Final[dict[Precision, npt.DTypeLike]] = {"D": np.float64, "F": np.float32, "I": np.int32}
# TMVA enlarges the labels of the correlation matrices so that they can be read.
_LABEL_SIZE = 0.055


def writable(value: AnyHistogram) -> Any:
    """Return a histogram or profile as an object that the ROOT writer takes."""
    if isinstance(value, Histogram1D):
        return _from_evaluation(value)
    if isinstance(value, Histogram):
        return _histogram(value)
    if isinstance(value, Histogram2D):
        return _histogram_2d(value)
    return _profile(value)


def _axis(which: str, title: str, edges: FloatArray, labels: Sequence[str] = ()) -> Any:
    from uproot.writing import identify as root

    count, low, high = len(edges) - 1, float(edges[0]), float(edges[-1])
    uneven = not np.array_equal(edges, np.linspace(low, high, count + 1))
    return root.to_TAxis(
        which,
        title,
        count,
        low,
        high,
        fXbins=np.asarray(edges, dtype=np.float64) if uneven else None,
        fLabels=_labels(labels) if labels else None,
        fLabelSize=_LABEL_SIZE if labels else 0.035,
        # ROOT's own mark that the axis has labels.
        fBits2=3 if labels else 0,
    )


def _labels(labels: Sequence[str]) -> Any:
    from uproot.writing import identify as root

    texts = [root.to_TObjString(label) for label in labels]
    for i, text in enumerate(texts, start=1):
        # The bin that a label belongs to is its object's number.
        text._bases[0]._members["@fUniqueID"] = i  # noqa: SLF001
    return root.to_THashList(texts)


def _y_axis(title: str) -> Any:
    from uproot.writing import identify as root

    return root.to_TAxis("yaxis", title, 1, 0.0, 1.0)


def _th1(
    title: str,
    contents: FloatArray,
    squares: FloatArray | None,
    entries: float,
    moments: tuple[float, float, float, float],
    x_axis: Any,
    y_title: str,
    precision: Precision,
) -> Any:
    from uproot.writing import identify as root

    return root.to_TH1x(
        None,
        title,
        np.asarray(np.rint(contents) if precision == "I" else contents).astype(_DTYPES[precision]),
        entries,
        *moments,
        np.zeros(0) if squares is None else squares.astype(np.float64),
        x_axis,
        fYaxis=_y_axis(y_title),
    )


def _from_evaluation(value: Histogram1D) -> Any:
    from uproot.writing import identify as root

    axis = root.to_TAxis("xaxis", value.x_title, value.nbins, value.low, value.high)
    return _th1(
        value.title,
        value.flow_contents,
        value.flow_variances,
        value.entries,
        value.moments,
        axis,
        value.y_title,
        value.storage,
    )


def _histogram(value: Histogram) -> Any:
    contents = np.concatenate([[value.underflow], value.values, [value.overflow]])
    squares = np.concatenate([[abs(value.underflow)], value.variances, [abs(value.overflow)]])
    poisson = np.array_equal(squares, np.abs(contents))
    s = value.sums
    return _th1(
        value.title,
        contents,
        None if poisson else squares,
        value.entries,
        (0.0, 0.0, 0.0, 0.0) if s is None else (s.w, s.w2, s.wx, s.wx2),
        _axis("xaxis", value.x_title, value.edges, value.labels),
        value.y_title,
        value.precision,
    )


def _with_flow(values: FloatArray, dtype: npt.DTypeLike) -> npt.NDArray[Any]:
    """Return contents with empty underflow and overflow, in ROOT's order: along x first."""
    nx, ny = values.shape
    padded = np.zeros((ny + 2, nx + 2), dtype)
    padded[1:-1, 1:-1] = values.T
    return padded.ravel()


def _histogram_2d(value: Histogram2D) -> Any:
    from uproot.writing import identify as root

    s = value.sums or Sums(0.0, 0.0, 0.0, 0.0)
    return root.to_TH2x(
        None,
        value.title,
        _with_flow(value.values, _DTYPES[value.precision]),
        value.entries,
        s.w,
        s.w2,
        s.wx,
        s.wx2,
        s.wy,
        s.wy2,
        s.wxy,
        np.zeros(0) if value.variances is None else _with_flow(value.variances, np.float64),
        _axis("xaxis", value.x_title, value.x_edges, value.x_labels),
        _axis("yaxis", value.y_title, value.y_edges, value.y_labels),
        fMinimum=NOT_SET if value.minimum is None else value.minimum,
        fMaximum=NOT_SET if value.maximum is None else value.maximum,
    )


def _profile(value: Profile) -> Any:
    from uproot.writing import identify as root

    s = value.sums or Sums(0.0, 0.0, 0.0, 0.0)
    return root.to_TProfile(
        None,
        value.title,
        np.pad(value.wy, 1).astype(np.float64),
        value.entries,
        s.w,
        s.w2,
        s.wx,
        s.wx2,
        s.wy,
        s.wy2,
        np.pad(value.wy2, 1).astype(np.float64),
        np.pad(value.weight, 1).astype(np.float64),
        np.pad(value.weight2, 1).astype(np.float64),
        _axis("xaxis", value.x_title, value.edges),
        fYaxis=_y_axis(value.y_title),
    )


def correlation_histogram(
    name: str, title: str, coefficients: FloatArray, variables: Sequence[Variable]
) -> Histogram2D:
    """Return a correlation matrix as TMVA stores it: in whole percent, the titles of the variables at the axes.

    Raises
    ------
    ResultFileError
        If the matrix is not one of these variables.
    """
    count = len(variables)
    if np.shape(coefficients) != (count, count):
        raise ResultFileError(f"{name} has shape {np.shape(coefficients)}, but there are {count} variables")
    titles = tuple(v.title or v.label for v in variables)
    return Histogram2D(
        name,
        title,
        np.arange(count + 1, dtype=np.float64),
        np.arange(count + 1, dtype=np.float64),
        correlation_percent(coefficients),
        entries=2.0 * count * count,
        x_labels=titles,
        y_labels=titles,
        minimum=-100.0,
        maximum=100.0,
    )


def _points(curve: Curve) -> tuple[FloatArray, FloatArray]:
    x, y = np.asarray(curve.x, dtype=np.float64), np.asarray(curve.y, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape:
        raise ResultFileError(f"curve {curve.name!r} has x of shape {x.shape} and y of shape {y.shape}")
    return x, y


def graph(curve: Curve) -> Any:
    """Return a curve as a graph that the ROOT writer takes.

    Raises
    ------
    ResultFileError
        If x and y are not of the same length.
    """
    import uproot

    x, y = _points(curve)
    return uproot.as_TGraph({"x": x, "y": y}, curve.title, curve.x_title, curve.y_title)


def graph_frame(curve: Curve, name: str) -> Histogram2D:
    """Return the empty histogram in which TMVA's macros draw a curve of numbers between 0 and 1."""
    x, _ = _points(curve)
    edges, heights = np.linspace(0.0, float(x.max()), 3), np.linspace(0.0, 1.05, 3)
    return Histogram2D(
        name, "ROC Integral Vs iTree", edges, heights, np.zeros((2, 2)), None, "#tree", curve.y_title, precision="F"
    )


def curve_histogram(curve: Curve, name: str) -> Histogram | None:
    """Return a curve as a histogram with one bin for each point, or None if its points are not evenly spaced.

    Parameters
    ----------
    curve : Curve
    name : str
        Under which it will be stored; TMVA's own curves by tree have the bin [i, i + 1) for tree i, in any other a
        point is the middle of its bin.

    Raises
    ------
    ResultFileError
        If x and y are not of the same length.
    """
    x, y = _points(curve)
    steps = np.diff(x)
    step = float(steps[0]) if len(steps) else 1.0
    if not (step > 0.0 and np.isfinite(x).all() and np.allclose(steps, step, rtol=1e-6, atol=0.0)):
        return None
    from_zero = name in layout.TREE_CURVES and x[0] == 0.0 and step == 1.0
    low = 0.0 if from_zero else float(x[0]) - 0.5 * step
    precision: Precision = "D"
    if name in (*layout.TREE_CURVES, *layout.EPOCH_CURVES):
        precision = "I" if name in layout.INTEGER_CURVES else "F"
    return Histogram(
        name,
        curve.title,
        np.linspace(low, low + step * len(x), len(x) + 1),
        y,
        np.abs(y),
        curve.x_title,
        curve.y_title,
        entries=float(len(x)),
        precision=precision,
    )

"""From the ROOT reader's objects to plain values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.errors import ResultFileError
from mvakit.resultfile.values import Curve, Histogram, Histogram2D, Precision, Profile, Sums

__all__ = [
    "branch_groups",
    "curve_of_branches",
    "curve_of_graph",
    "curve_of_histogram",
    "curve_of_tree",
    "transposed",
    "value_of",
]

FloatArray = npt.NDArray[np.float64]

# ROOT's marker for "no minimum or maximum has been set".
NOT_SET: Final = -1111.0

_PRECISIONS: Final[dict[str, Precision]] = {"D": "D", "F": "F", "I": "I", "S": "I", "C": "I", "L": "I"}


def value_of(stored: Any) -> Histogram | Histogram2D | Profile:
    """Return a ``TH1*``, ``TH2*`` or ``TProfile`` as a plain value.

    Raises
    ------
    ResultFileError
        If it is none of these.
    """
    kind = str(stored.classname)
    if kind == "TProfile":
        return _profile(stored)
    if kind.startswith("TH1"):
        return _histogram(stored, _PRECISIONS.get(kind[3:4], "D"))
    if kind.startswith("TH2"):
        return _histogram_2d(stored, _PRECISIONS.get(kind[3:4], "D"))
    raise ResultFileError(f"a {kind} is neither a histogram of one or two dimensions nor a profile")


def _text(stored: Any, member: str) -> str:
    return str(stored.member(member))


def _edges(axis: Any) -> FloatArray:
    edges = np.asarray(axis.member("fXbins"), dtype=np.float64)
    if len(edges):
        return edges
    return np.linspace(axis.member("fXmin"), axis.member("fXmax"), int(axis.member("fNbins")) + 1)


def _labels(axis: Any) -> tuple[str, ...]:
    labels = axis.labels()
    return tuple(str(label) for label in labels) if labels else ()


def _sums(stored: Any, *, two: bool = False) -> Sums | None:
    w, w2, wx, wx2 = (float(stored.member(f"fTsum{name}")) for name in ("w", "w2", "wx", "wx2"))
    if w == 0.0:
        return None
    if not two:
        return Sums(w, w2, wx, wx2)
    has_xy = stored.has_member("fTsumwxy")
    return Sums(
        w,
        w2,
        wx,
        wx2,
        float(stored.member("fTsumwy")),
        float(stored.member("fTsumwy2")),
        float(stored.member("fTsumwxy")) if has_xy else 0.0,
    )


def _histogram(stored: Any, precision: Precision) -> Histogram:
    x = stored.member("fXaxis")
    contents = np.asarray(stored.values(flow=True), dtype=np.float64)
    squares = np.asarray(stored.member("fSumw2"), dtype=np.float64)
    variances = squares if len(squares) == len(contents) else np.abs(contents)
    return Histogram(
        name=_text(stored, "fName"),
        title=_text(stored, "fTitle"),
        edges=_edges(x),
        values=contents[1:-1],
        variances=variances[1:-1],
        x_title=_text(x, "fTitle"),
        y_title=_text(stored.member("fYaxis"), "fTitle"),
        underflow=float(contents[0]),
        overflow=float(contents[-1]),
        entries=float(stored.member("fEntries")),
        labels=_labels(x),
        precision=precision,
        sums=_sums(stored),
    )


def _histogram_2d(stored: Any, precision: Precision) -> Histogram2D:
    x, y = stored.member("fXaxis"), stored.member("fYaxis")
    contents = np.asarray(stored.values(flow=True), dtype=np.float64)
    squares = np.asarray(stored.member("fSumw2"), dtype=np.float64)
    # ROOT's arrays run along x first.
    variances = squares.reshape(contents.shape, order="F")[1:-1, 1:-1] if squares.size == contents.size else None
    low, high = float(stored.member("fMinimum")), float(stored.member("fMaximum"))
    return Histogram2D(
        name=_text(stored, "fName"),
        title=_text(stored, "fTitle"),
        x_edges=_edges(x),
        y_edges=_edges(y),
        values=contents[1:-1, 1:-1],
        variances=variances,
        x_title=_text(x, "fTitle"),
        y_title=_text(y, "fTitle"),
        entries=float(stored.member("fEntries")),
        x_labels=_labels(x),
        y_labels=_labels(y),
        minimum=None if low == NOT_SET else low,
        maximum=None if high == NOT_SET else high,
        precision=precision,
        sums=_sums(stored, two=True),
    )


def _profile(stored: Any) -> Profile:
    from uproot.models.TArray import Model_TArrayD

    x = stored.member("fXaxis")
    (contents,) = stored.bases[0].base(Model_TArrayD)
    weight = np.asarray(stored.member("fBinEntries"), dtype=np.float64)
    squares = np.asarray(stored.member("fBinSumw2"), dtype=np.float64)
    weight2 = squares if len(squares) == len(weight) else weight
    return Profile(
        name=_text(stored, "fName"),
        title=_text(stored, "fTitle"),
        edges=_edges(x),
        weight=weight[1:-1],
        weight2=weight2[1:-1],
        wy=np.asarray(contents, dtype=np.float64)[1:-1],
        wy2=np.asarray(stored.member("fSumw2"), dtype=np.float64)[1:-1],
        x_title=_text(x, "fTitle"),
        y_title=_text(stored.member("fYaxis"), "fTitle"),
        entries=float(stored.member("fEntries")),
        sums=_sums(stored, two=True),
    )


def transposed(histogram: Histogram2D) -> Histogram2D:
    """Return the histogram with x and y exchanged."""
    sums = histogram.sums
    return replace(
        histogram,
        x_edges=histogram.y_edges,
        y_edges=histogram.x_edges,
        values=histogram.values.T,
        variances=None if histogram.variances is None else histogram.variances.T,
        x_title=histogram.y_title,
        y_title=histogram.x_title,
        x_labels=histogram.y_labels,
        y_labels=histogram.x_labels,
        sums=None if sums is None else replace(sums, wx=sums.wy, wx2=sums.wy2, wy=sums.wx, wy2=sums.wx2),
    )


def curve_of_histogram(histogram: Histogram, name: str, *, by_tree: bool) -> Curve:
    """Return a monitoring histogram as a curve.

    Parameters
    ----------
    histogram : Histogram
    name : str
    by_tree : bool
        Whether a bin that begins at the integer i stands for tree i; otherwise its middle is x.
    """
    edges = histogram.edges
    integers = by_tree and bool(np.all(edges == np.rint(edges)))
    x = edges[:-1] if integers else histogram.centers
    return Curve(name, histogram.title, histogram.x_title, histogram.y_title, x, histogram.values)


def curve_of_graph(graph: Any, name: str) -> Curve:
    """Return a curve that was stored as a graph, the titles of its axes after its own and parted by semicolons."""
    titles = (*_text(graph, "fTitle").split(";"), "", "")
    x, y = (np.asarray(values, dtype=np.float64) for values in graph.values())
    return Curve(name, titles[0], titles[1], titles[2], x, y)


def curve_of_tree(tree: Any, name: str) -> Curve:
    """Return a curve that was stored as a tree with branches x and y, its titles parted by semicolons."""
    titles = (*str(tree.title).split(";"), "", "")
    x, y = (np.asarray(tree[axis].array(library="np"), dtype=np.float64) for axis in "xy")
    return Curve(name, titles[0], titles[1], titles[2], x, y)


def curve_of_branches(tree: Any, x: str, y: str, name: str) -> Curve:
    """Return one branch of a tree of numbers against another as a curve."""
    values = [np.asarray(tree[branch].array(library="np"), dtype=np.float64) for branch in (x, y)]
    return Curve(name, y, "Tree", y, values[0], values[1])


# ------------------------------------------------------------------------------------------------ trees


@dataclass(frozen=True, slots=True)
class BranchGroup:
    """One column: a plain branch, a branch with several leaves, or branches ``name.field`` that belong together."""

    fields: tuple[str, ...]
    branches: tuple[Any, ...]

    def array(self) -> npt.NDArray[Any]:
        """Read it: shape (n,), or (n, n_fields)."""
        arrays: list[npt.NDArray[Any]] = [branch.array(library="np") for branch in self.branches]
        if arrays[0].dtype.fields:
            return np.column_stack([arrays[0][field] for field in self.fields])
        return np.column_stack(arrays) if self.fields else arrays[0]


def branch_groups(tree: Any, titles: Iterable[str] = ()) -> dict[str, BranchGroup]:
    """Return the columns of a tree, in its order.

    Parameters
    ----------
    tree : TTree
    titles : iterable of str
        Of the methods: branches ``<title>.<output>`` are taken together.
    """
    plain = {str(branch.name): branch for branch in tree.branches}
    heads = sorted((t for t in titles if t not in plain), key=len, reverse=True)
    groups: dict[str, BranchGroup] = {}
    for name, branch in plain.items():
        head = next((h for h in heads if name.startswith(f"{h}.")), None)
        if head is None:
            dtype = getattr(branch.interpretation, "numpy_dtype", None)
            groups[name] = BranchGroup(tuple(dtype.fields or ()) if dtype is not None else (), (branch,))
            continue
        before = groups.get(head, BranchGroup((), ()))
        groups[head] = BranchGroup((*before.fields, name.removeprefix(f"{head}.")), (*before.branches, branch))
    return groups

"""One column in memory, of whatever library, as something that gives its entries from one to another.

pandas, polars and pyarrow are never imported here: whoever hands over a column of theirs has them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from mvakit.sources.tree import Array

__all__ = ["Slicer", "package_of", "slicer"]

Slicer: TypeAlias = "Callable[[int, int], Array]"

_LIBRARIES = frozenset({"awkward", "pandas", "polars", "pyarrow", "uproot"})


def package_of(value: object) -> str:
    """Return the library that `value` is of (``"pandas"``, ``"uproot"``, ...) or an empty text."""
    packages = (cls.__module__.partition(".")[0] for cls in type(value).__mro__)
    return next((package for package in packages if package in _LIBRARIES), "")


def slicer(values: Any) -> Slicer:
    """Return what gives the entries of a column from one to another, as NumPy or awkward arrays.

    Parameters
    ----------
    values : array_like
        A NumPy, awkward or Arrow array, a pandas or polars series, or a list.

    Raises
    ------
    TypeError, ValueError
        No array can be made of it.
    """
    match package_of(values):
        case "awkward":
            return partial(_slice, values)
        case "pandas":
            return _pandas_slicer(values)
        case "polars":
            return partial(_polars_slice, values)
        case "pyarrow":
            return partial(_arrow_slice, values)
        case _:
            return partial(_slice, _array(values))


def _slice(array: Array, first: int, last: int) -> Array:
    part: Array = array[first:last]
    return part


def _array(values: Any) -> Array:
    """Return an array of anything that NumPy or awkward can make one of."""
    try:
        array = np.asanyarray(values)  # a masked array stays one
    except ValueError:  # lists of different lengths
        return _objects(list(values))
    if array.ndim == 0:
        raise TypeError(f"it is the single value {values!r}, not one value per entry")
    return _objects(array.tolist()) if array.dtype.kind == "O" else array


def _objects(values: list[Any]) -> Array:
    """Return an awkward array of Python objects: words, or lists of numbers."""
    if any(isinstance(value, str) for value in values):
        return _words(values)
    import awkward as ak

    if values and all(isinstance(value, np.ndarray) and value.ndim == 1 for value in values):
        return ak.unflatten(np.concatenate(values), [len(value) for value in values])  # keeps the type of the numbers
    return ak.from_iter(values)


def _words(values: Sequence[Any]) -> Any:
    """Return an awkward array of words; what is no text is missing."""
    import awkward as ak

    return ak.from_iter([*(value if isinstance(value, str) else None for value in values), "typed"])[:-1]


def _pandas_slicer(series: Any) -> Slicer:
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        return partial(_slice, _array(series.to_numpy()))
    match type(dtype).__name__:
        case "ArrowDtype":
            return partial(_arrow_slice, series.array.__arrow_array__())
        case "StringDtype":
            return lambda first, last: _words(series.iloc[first:last].tolist())
    if hasattr(dtype, "numpy_dtype"):
        return partial(_nullable_slice, series)
    return partial(_slice, _array(np.asarray(series)))  # categories, sparse numbers, ...


def _nullable_slice(series: Any, first: int, last: int) -> Array:
    part = series.iloc[first:last]
    numbers = part.to_numpy(dtype=part.dtype.numpy_dtype, na_value=part.dtype.numpy_dtype.type(0))
    return np.ma.MaskedArray(numbers, part.isna().to_numpy())


def _arrow_slice(values: Any, first: int, last: int) -> Array:
    import pyarrow as pa

    part = values.slice(first, last - first)
    kind = part.type
    if not part.null_count and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        numbers: Array = part.to_numpy()
        return numbers
    import awkward as ak

    # of a slice that begins within a buffer awkward takes the wrong entries for missing: give it a copy
    chunks = part.chunks if isinstance(part, pa.ChunkedArray) else [part]
    return ak.from_arrow(pa.concat_arrays(chunks) if chunks else pa.array([], type=kind))


def _polars_slice(series: Any, first: int, last: int) -> Array:
    part = series.slice(first, last - first)
    if _is_polars_number(part) and not part.null_count():
        numbers: Array = part.to_numpy()
        return numbers
    import awkward as ak

    return ak.Array(_polars_layout(part))


_POLARS_WORDS = frozenset({"String", "Categorical", "Enum"})


def _is_polars_number(series: Any) -> bool:
    return _polars_kind(series) == "Boolean" or (series.dtype.is_numeric() and not series.dtype.is_decimal())


def _polars_kind(series: Any) -> str:
    kind: str = series.dtype.base_type().__name__
    return kind


def _polars_layout(series: Any) -> Any:
    """Return the awkward layout of a polars series; pyarrow could do it, but need not be there."""
    import awkward as ak

    if series.null_count():
        valid = series.is_not_null().to_numpy()
        index = np.where(valid, np.cumsum(valid) - 1, -1)
        return ak.contents.IndexedOptionArray.simplified(ak.index.Index64(index), _polars_layout(series.drop_nulls()))
    kind = _polars_kind(series)
    if kind == "List":
        counts = series.list.len().to_numpy()
        offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)))
        content = _polars_layout(series.filter(series.list.len() > 0).explode())  # an empty list would leave a null
        return ak.contents.ListOffsetArray(ak.index.Index64(offsets), content)
    if kind == "Array":
        return ak.contents.RegularArray(_polars_layout(series.explode()), series.dtype.shape[0], len(series))
    if kind == "Struct":
        fields = series.struct.fields
        contents = [_polars_layout(series.struct.field(field)) for field in fields]
        return ak.contents.RecordArray(contents, fields, length=len(series))
    if kind in _POLARS_WORDS:
        return _words(series.to_list()).layout
    if not _is_polars_number(series):
        raise TypeError(f"it is of type {series.dtype}")
    return ak.contents.NumpyArray(series.to_numpy())

"""From what a source hands over to what a formula takes: one type and one layout per column.

Sources describe themselves by a NumPy type or an awkward form, and hand over NumPy or awkward arrays with records,
options and categories in them. Here records become columns with dotted names, and the rest plain numbers, lists of
numbers, or text.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from mvakit.errors import SourceError
from mvakit.sources.tree import BaseTree, Column, ColumnType

if TYPE_CHECKING:
    from mvakit.sources.tree import Array

__all__ = ["RecordTree", "as_column", "columns_of", "dtype_types", "form_types"]

Path = tuple[str, ...]
_TEXT = np.dtype("U")


def dtype_types(dtype: np.dtype[Any], shape: tuple[int | None, ...] = ()) -> Iterator[tuple[Path, ColumnType | str]]:
    """Yield path and type of each column in a NumPy type: itself, or the fields of a structure.

    Parameters
    ----------
    dtype : numpy.dtype
        The type of one entry.
    shape : tuple of (int or None)
        Dimensions around it.

    Yields
    ------
    (tuple of str, ColumnType or str)
        The field names that lead there, and its type, or the reason why no formula can use it.
    """
    if dtype.subdtype is not None:
        base, inner = dtype.subdtype
        yield from dtype_types(base, (*shape, *inner))
    elif dtype.names is not None:
        for field in dtype.names:
            for path, found in dtype_types(dtype[field], shape):
                yield (field, *path), found
    elif dtype.kind in "biuf":
        yield (), ColumnType(dtype.newbyteorder("="), shape)
    elif dtype.kind in "US":
        yield (), ColumnType(_TEXT, shape)
    else:
        yield (), f"its type is {dtype}, neither number nor text"


def form_types(form: Any, shape: tuple[int | None, ...] = ()) -> Iterator[tuple[Path, ColumnType | str]]:
    """Yield path and type of each column in an awkward form; as `dtype_types`."""
    if form.parameter("__array__") in {"string", "bytestring"}:
        yield (), ColumnType(_TEXT, shape)
    elif form.is_record:
        for field in form.fields:
            for path, found in form_types(form.content(field), shape):
                yield (field, *path), found
    elif form.is_union:
        yield (), "its type differs from entry to entry"
    elif form.is_regular:
        yield from form_types(form.content, (*shape, form.size))
    elif form.is_list:
        yield from form_types(form.content, (*shape, None))
    elif form.is_option or form.is_indexed:
        yield from form_types(form.content, shape)
    elif form.is_numpy:
        yield from dtype_types(np.dtype((np.dtype(form.primitive), form.inner_shape)), shape)
    else:  # an empty list: nothing says of what
        yield (), ColumnType(np.dtype(np.float64), shape)


def columns_of(name: str, prototype: Array) -> Iterator[Column]:
    """Yield the columns in what a source holds under `name`, told from an array of it; one of no entries will do."""
    if isinstance(prototype, np.ndarray):
        types = dtype_types(prototype.dtype, prototype.shape[1:])
    else:
        types = form_types(prototype.layout.form)
    for path, found in types:
        yield Column((name, *path), found, key=name, within=path)


def as_column(raw: Array, within: Path, column_type: ColumnType, what: str, first: int) -> Array:
    """Return one column as a formula takes it.

    Parameters
    ----------
    raw : numpy.ndarray or awkward.Array
        Entries as the source gave them.
    within : tuple of str
        Record fields that lead to the column.
    column_type : ColumnType
        What it holds.
    what : str
        What a person would call it in an error.
    first : int
        The number of the first entry.

    Raises
    ------
    SourceError
        A value is missing that cannot be NaN: an integer, a word, a whole list.
    """
    if isinstance(raw, np.ndarray):
        for field in within:
            raw = raw[field]
        if not column_type.is_text:
            return _numbers(raw, column_type, what, first)
        if isinstance(raw, np.ma.MaskedArray) and raw.mask.any():
            _missing(what, first + int(np.argmax(raw.mask)))
        import awkward as ak

        return ak.from_numpy(np.char.decode(raw, "utf-8", "replace") if raw.dtype.kind == "S" else np.asarray(raw))
    import awkward as ak

    array = raw[within] if within else raw
    array = _plain(array, what, first)
    if column_type.is_text:
        return array
    if column_type.is_jagged:
        found = _number_type(array.layout.form)
        if found is not None and found == column_type.dtype:  # (None would equal float64)
            return array
        lists = " * ".join("var" if size is None else str(size) for size in column_type.shape)
        return ak.enforce_type(array, f"{lists} * {column_type.dtype}")
    return _numbers(ak.to_numpy(array), column_type, what, first)


def _numbers(values: np.ndarray[Any, np.dtype[Any]], column_type: ColumnType, what: str, first: int) -> Array:
    """Return numbers in memory order, of the type promised; what is masked becomes NaN."""
    if isinstance(values, np.ma.MaskedArray):
        if values.dtype.kind == "f":
            values = values.filled(np.nan)
        elif values.mask.any():
            _missing(what, first + int(np.argmax(values.mask.reshape(len(values), -1).any(axis=1))))
        values = np.asarray(values)
    if not np.can_cast(values.dtype, column_type.dtype, "same_kind"):
        raise SourceError(f"{what} is of type {values.dtype} from entry {first} on and was {column_type.dtype} before")
    return np.ascontiguousarray(values, dtype=column_type.dtype)


def _missing(what: str, entry: int | None) -> NoReturn:
    where = "" if entry is None else f" in entry {entry}"
    raise SourceError(
        f"{what} has no value{where}: fill or drop what is missing (a float that is missing is read as NaN)"
    )


def _plain(array: Any, what: str, first: int) -> Any:
    """Return an awkward array without options and categories; floats that are missing become NaN."""
    import awkward as ak

    if not _is_wrapped(array.layout.form):
        return array
    array = ak.to_packed(array)  # else what lies outside a slice would be looked at as well
    outermost = array.layout

    def unwrap(layout: Any) -> Any:
        def action(node: Any, **_: Any) -> Any:
            if node.is_option:
                missing = np.asarray(node.mask_as_bool(valid_when=False))
                if missing.any():
                    if node.content.is_numpy and node.content.dtype.kind == "f":
                        return ak.contents.NumpyArray(ak.to_numpy(ak.Array(node), allow_missing=True).filled(np.nan))
                    _missing(what, first + int(np.argmax(missing)) if node is outermost else None)
            return unwrap(node.project()) if node.is_option or node.is_indexed else None

        return ak.transform(action, layout, highlevel=False)

    return ak.Array(unwrap(outermost))


def _is_wrapped(form: Any) -> bool:
    """Whether a form has options or categories in it."""
    if form.is_option or form.is_indexed:
        return True
    if form.is_record or form.is_union:
        return any(_is_wrapped(content) for content in form.contents)
    return not (form.is_numpy or form.is_unknown) and _is_wrapped(form.content)


def _number_type(form: Any) -> np.dtype[Any] | None:
    """Return the type of the numbers in nested lists; None where an empty list leaves it open."""
    while form.is_list:
        form = form.content
    return np.dtype(form.primitive) if form.is_numpy else None


class RecordTree(BaseTree):
    """A tree whose source is read by keys, each of which may hold several columns.

    An adapter says in `_read_keys` how; the columns are picked from what it yields.
    """

    def _read(
        self, names: list[str], step_size: int | str, start: int, stop: int
    ) -> Iterator[tuple[int, dict[str, Array]]]:
        wanted = [self._columns[name] for name in names]
        for first, raw in self._read_keys(wanted, step_size, start, stop):
            yield first, {column.name: self._pick(column, raw, first) for column in wanted}

    def _pick(self, column: Column, raw: Mapping[str, Array], first: int) -> Array:
        assert isinstance(column.type, ColumnType)  # the others are never read
        what = f"{self.location}: {column.name!r}"
        return as_column(raw[column.key], column.within, column.type, what, first)

    @abstractmethod
    def _read_keys(
        self, columns: list[Column], step_size: int | str, start: int, stop: int
    ) -> Iterator[tuple[int, Mapping[str, Array]]]:
        """Yield first entry and, for each key among `columns`, its entries."""

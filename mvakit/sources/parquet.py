"""Trees of Parquet files."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mvakit.errors import SourceError
from mvakit.sources.columns import RecordTree, columns_of
from mvakit.sources.local import file_stamp, reading
from mvakit.sources.series import slicer
from mvakit.sources.tree import Column, entries_per_chunk

if TYPE_CHECKING:
    from mvakit.sources.tree import Array

__all__ = ["ParquetTree"]

_ROWS_AT_ONCE = 65_536
"""What pyarrow decodes in one go; much larger batches are slower."""


class ParquetTree(RecordTree):
    """A tree of the columns of one Parquet file, which is open only while it is read.

    Parameters
    ----------
    path : pathlib.Path

    Raises
    ------
    SourceError
        pyarrow is not installed, or the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        if importlib.util.find_spec("pyarrow") is None:
            raise SourceError(
                f"{path} is a Parquet file, and to read it needs the package 'pyarrow': pip install pyarrow"
            )
        import pyarrow.parquet as pq

        self._path = path
        self._stamp = file_stamp(str(path))
        columns: list[Column] = []
        with reading(str(path)), pq.ParquetFile(path) as file:
            schema, num_entries = file.schema_arrow, file.metadata.num_rows
            for field in schema:
                columns.extend(_columns(field))
        if len(set(schema.names)) < len(schema.names):
            twice = next(name for name in schema.names if schema.names.count(name) > 1)
            raise SourceError(f"{path}: two columns are named {twice!r}")
        super().__init__(path.stem, str(path), num_entries, columns)

    def _read_keys(
        self, columns: list[Column], step_size: int | str, start: int, stop: int
    ) -> Iterator[tuple[int, Mapping[str, Array]]]:
        import pyarrow as pa

        step = entries_per_chunk(step_size, sum(self.column_type(column.name).nbytes for column in columns))
        keys = list(dict.fromkeys(column.key for column in columns))
        batches = self._batches(keys, min(step, _ROWS_AT_ONCE), start, stop)
        held: list[Any] = []
        first = start
        while first < stop:
            wanted = min(step, stop - first) - sum(batch.num_rows for batch in held)
            with reading(self.location):
                while wanted > 0:
                    held.append(next(batches))
                    wanted -= held[-1].num_rows
                last = held.pop()
                cut = last.num_rows + wanted
                table = pa.Table.from_batches([*held, last.slice(0, cut)])
                raw = {key: slicer(table.column(key))(0, table.num_rows) for key in keys}
            held = [last.slice(cut)] if cut < last.num_rows else []
            yield first, raw
            first += table.num_rows

    def _batches(self, keys: list[str], size: int, start: int, stop: int) -> Iterator[Any]:
        """Yield record batches that together hold the entries from `start` to `stop`."""
        import pyarrow.parquet as pq

        with pq.ParquetFile(self._path) as file:
            group_start = 0
            for group in range(file.num_row_groups):
                group_stop = group_start + file.metadata.row_group(group).num_rows
                if start < group_stop and group_start < stop:
                    at = group_start
                    for batch in file.iter_batches(batch_size=size, row_groups=[group], columns=keys):
                        lower, upper = max(start - at, 0), min(stop - at, batch.num_rows)
                        if lower < upper:
                            yield batch.slice(lower, upper - lower)
                        at += batch.num_rows
                group_start = group_stop

    def fingerprint(self) -> str:
        """Return a digest of where the file is, its size and time."""
        return f"parquet:{hashlib.sha256(self._stamp.encode()).hexdigest()}"


def _columns(field: Any) -> Iterator[Column]:
    """Yield the columns of one field of an Arrow schema."""
    import pyarrow as pa

    try:
        yield from columns_of(field.name, slicer(pa.array([], type=field.type))(0, 0))
    except (TypeError, ValueError, NotImplementedError):
        yield Column((field.name,), f"its type is {field.type}", key=field.name)

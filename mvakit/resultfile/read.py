"""Opening a TMVA.root, of TMVA or of mvakit, and finding the datasets in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final

from mvakit.errors import ResultFileError, did_you_mean
from mvakit.resultfile import layout
from mvakit.resultfile.access import Directory, reading
from mvakit.resultfile.resultdataset import ResultDataset

if TYPE_CHECKING:
    from typing import Self

__all__ = ["ResultFile"]

# How deep a dataset's directory may lie.
_DEPTH: Final = 4


class ResultFile:
    """A result file, opened for reading.

    Parameters
    ----------
    path : path-like
        A ``TMVA.root`` of TMVA or of mvakit.

    Raises
    ------
    ResultFileError
        If the file is missing, is no ROOT file, or holds nothing that a Factory left.

    Examples
    --------
    >>> with ResultFile("TMVA.root") as file:          # doctest: +SKIP
    ...     dataset = file.dataset()
    ...     for method in dataset.methods:
    ...         signal = dataset.method_histogram(method.title, f"MVA_{method.title}_S")
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        import uproot

        self.path = Path(path)
        where = repr(str(self.path))
        if not self.path.is_file():
            raise ResultFileError(f"there is no result file {where}")
        with reading(where):
            with self.path.open("rb") as stream:
                if stream.read(4) != b"root":
                    raise ResultFileError(f"{where} is no ROOT file")
            # What is read is kept by whoever asked for it; a second copy of it in the reader's cache is of no use.
            self._file = uproot.open({self.path: None}, array_cache=None)
        try:
            size, expected = self.path.stat().st_size, int(self._file.file.fEND)
            if size < expected:
                raise ResultFileError(f"{where} is truncated: it has {size} bytes of {expected}")
            self._datasets = dict(self._find(Directory(self._file, str(self.path)), "", _DEPTH))
            if not self._datasets:
                raise ResultFileError(
                    f"{where} is a ROOT file, but no result file: none of its directories has a TrainTree, a TestTree, "
                    f"{layout.METHOD_PREFIX}* or {layout.INPUT_PREFIX}*"
                )
        except ResultFileError:
            self.close()
            raise

    @classmethod
    def _find(cls, directory: Directory, name: str, depth: int) -> Iterator[tuple[str, Directory]]:
        if layout.is_dataset(directory):
            yield name, directory
        elif depth > 0:
            for below in directory.directories():
                inner = directory.enter(below)
                assert inner is not None
                yield from cls._find(inner, f"{name}/{below}" if name else below, depth - 1)

    @property
    def datasets(self) -> tuple[str, ...]:
        """The names of the datasets, in the order of the file."""
        return tuple(self._datasets)

    def dataset(self, name: str | None = None) -> ResultDataset:
        """Return a dataset; without a name, the only one there is.

        Raises
        ------
        ResultFileError
            If there is none of this name, or several and no name was given.
        """
        if name is None:
            if len(self._datasets) > 1:
                raise ResultFileError(
                    f"{str(self.path)!r} holds several datasets, name one of them: {', '.join(self._datasets)}"
                )
            name = next(iter(self._datasets))
        if name not in self._datasets:
            raise ResultFileError(
                f"{str(self.path)!r} has no dataset {name!r}; {did_you_mean(name, self._datasets, noun='its datasets')}"
            )
        return ResultDataset(self._datasets[name], name)

    def close(self) -> None:
        """Close the file; what was read before stays valid."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"ResultFile({str(self.path)!r}: {', '.join(self._datasets)})"

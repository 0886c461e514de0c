"""TMVA's global settings: where weight files go and what they are called."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from mvakit.errors import OptionError, did_you_mean

__all__ = ["CONFIG", "Config", "IONames"]


@dataclass
class IONames:
    """Folders and names of files, ``gConfig().GetIONames()``.

    Attributes
    ----------
    fWeightFileDir : str
        The folder of the weight files, below that of the DataLoader.
    fWeightFileDirPrefix : str
        A folder before that of the DataLoader.
    fWeightFileExtension : str
        What stands before ``.xml``.
    """

    fWeightFileDir: str = "weights"
    fWeightFileDirPrefix: str = ""
    fWeightFileExtension: str = "weights"

    def __setattr__(self, name: str, value: object) -> None:
        if name not in self.__dataclass_fields__:
            raise OptionError(f"GetIONames() has no {name!r}; {did_you_mean(name, self.__dataclass_fields__)}")
        object.__setattr__(self, name, str(value))


@dataclass(frozen=True)
class Config:
    """What ``TMVA.gConfig()`` returns."""

    names: IONames = field(default_factory=IONames)

    def GetIONames(self) -> IONames:
        """Return the names of folders and files, to be read and set."""
        return self.names


CONFIG: Final = Config()

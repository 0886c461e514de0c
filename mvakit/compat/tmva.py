"""The namespace ``TMVA``: ``TMVA.Factory``, ``TMVA.Types.kBDT``, ``TMVA.Tools.Instance()``, so that scripts read on."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from mvakit.config import CONFIG, Config
from mvakit.errors import did_you_mean

_HOMES: Final = {
    "DataLoader": "mvakit.dataloader",
    "Factory": "mvakit.factory",
    "RReader": "mvakit.reader",
    "Reader": "mvakit.reader",
    "TMVAGui": "mvakit.display",
    "Types": "mvakit.types",
}

__all__ = [*_HOMES, "Experimental", "gConfig", "PyMethodBase", "Tools"]  # noqa: PLE0604 - names of the lazy ones


class Tools:
    """Stands for TMVA's tools, which have nothing to set up here."""

    @staticmethod
    def Instance() -> type[Tools]:
        """Return the tools."""
        return Tools


class PyMethodBase:
    """Stands for TMVA's Python interpreter, which this is."""

    @staticmethod
    def PyInitialize() -> None:
        """Have Python ready, as it is."""

    @staticmethod
    def PyIsInitialized() -> bool:
        """Return True."""
        return True


def gConfig() -> Config:
    """Return TMVA's global settings: ``gConfig().GetIONames().fWeightFileDir = "models"``."""
    return CONFIG


class _Experimental:
    """``TMVA.Experimental.RReader``."""

    def __getattr__(self, name: str) -> Any:
        if name == "RReader":
            return import_module("mvakit.reader").RReader
        raise AttributeError(f"TMVA.Experimental has no {name!r} here; did you mean 'RReader'?")


Experimental: Final = _Experimental()


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"TMVA has no {name!r}; {did_you_mean(name, __all__)}")


def __dir__() -> list[str]:
    return __all__

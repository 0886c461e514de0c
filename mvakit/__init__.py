"""mvakit: TMVA's workflow without ROOT.

Nothing is imported until a name is asked for, so ``import mvakit`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mvakit.dataloader import DataLoader
    from mvakit.display import TMVAGui
    from mvakit.factory import Factory
    from mvakit.formula import Formula
    from mvakit.model import Model
    from mvakit.reader import Reader, RReader
    from mvakit.types import Types

__all__ = ["TMVA", "DataLoader", "Factory", "Formula", "Model", "RReader", "Reader", "TMVAGui", "Types", "__version__"]

_HOMES: Final = {
    "DataLoader": "mvakit.dataloader",
    "Factory": "mvakit.factory",
    "Formula": "mvakit.formula",
    "Model": "mvakit.model",
    "RReader": "mvakit.reader",
    "Reader": "mvakit.reader",
    "TMVAGui": "mvakit.display",
    "Types": "mvakit.types",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("mvakit")
    if name == "TMVA":
        return import_module("mvakit.compat.tmva")
    if name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'mvakit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)

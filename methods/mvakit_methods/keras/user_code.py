"""A user's own Python file, run before a model is opened: only where the caller says that it is trusted."""

from __future__ import annotations

import functools
import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from mvakit.errors import MethodError

__all__ = ["custom_objects_of"]

_NAME: Final = "load_model_custom_objects"


def custom_objects_of(path: str, *, trusted: bool) -> Mapping[str, Any]:
    """Run a Python file, once as long as it does not change, and return its ``load_model_custom_objects``.

    Parameters
    ----------
    path : str
    trusted : bool
        Whether the caller has said so.

    Raises
    ------
    MethodError
        If it is not trusted, missing, or fails.
    """
    file = Path(path)
    if not trusted:
        raise MethodError(
            f"PyKeras: UserCode={path} would run that file, which can do anything that you can; "
            "say TrustFiles if you trust it"
        )
    try:
        changed = file.stat().st_mtime_ns
    except OSError as error:
        raise MethodError(f"PyKeras: the file {path!r} of UserCode cannot be read: {error.strerror}") from None
    objects = getattr(_module(str(file.resolve()), changed), _NAME, None)
    if objects is None:
        return {}
    if not isinstance(objects, Mapping):
        raise MethodError(f"PyKeras: {_NAME} of {path!r} should be a dictionary of names and objects, not {objects!r}")
    return objects


@functools.lru_cache(maxsize=16)
def _module(path: str, changed: int) -> ModuleType:  # noqa: ARG001 - a file that has changed is run anew
    name = f"mvakit_user_code_{Path(path).stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise MethodError(f"PyKeras: the file {path!r} of UserCode is no Python file, which ends in .py")
    module = importlib.util.module_from_spec(spec)
    # Classes that are made in it find their module by its name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise MethodError(f"PyKeras: the file {path!r} of UserCode fails: {type(error).__name__}: {error}") from error
    return module

"""Values as JSON that every browser reads: numbers that JSON has no word for become null."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["encoded", "packed"]


def encoded(value: Any) -> bytes:
    """Return a value as JSON in UTF-8."""
    try:
        text = _dumps(value)
    except (ValueError, TypeError):
        text = _dumps(_plain(value))
    return text.encode("utf-8", errors="replace")


def packed(values: npt.ArrayLike) -> str:
    """Return numbers as text, bit by bit: base64 of 64-bit floats, little-endian."""
    return base64.b64encode(np.asarray(values, dtype="<f8").tobytes()).decode("ascii")


def _dumps(value: Any) -> str:
    return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(below) for key, below in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(below) for below in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

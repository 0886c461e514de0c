"""Numbers of single precision."""

from __future__ import annotations

import math
import struct


def single(value: float) -> float:
    """Round to single precision."""
    try:
        return struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)

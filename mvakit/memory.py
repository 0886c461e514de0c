"""Amounts of memory: as people write them, and as the machine has them free."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

__all__ = ["bytes_text", "free_memory", "parse_bytes"]

_UNITS: Final = {
    "": 1, "b": 1,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_AMOUNT: Final = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-z]*)\s*")
_UNKNOWN: Final = 2**31
"""What is taken for free where the machine does not say."""


def parse_bytes(text: str) -> int | None:
    """Return the bytes that a text such as ``"512MB"``, ``"1.5 GiB"`` or ``"100000"`` means, or None if it means none.

    kB, MB, GB and TB are powers of 1000; KiB, MiB, GiB and TiB are powers of 1024. Case does not matter.
    """
    match = _AMOUNT.fullmatch(text)
    unit = _UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None or len(match[1]) > 30:
        return None
    amount = int(float(match[1]) * unit)
    return amount if 0 < amount < 2**63 else None


def bytes_text(amount: float) -> str:
    """Write an amount as a person would: ``"1.6 GB"``."""
    for unit in ("TB", "GB", "MB", "kB"):
        if amount >= _UNITS[unit.lower()]:
            return f"{amount / _UNITS[unit.lower()]:.3g} {unit}"
    return f"{amount:.0f} bytes"


def free_memory() -> int:
    """Return how many bytes can still be used without swapping; less where a container is allowed less."""
    free = _available(Path("/proc/meminfo"))
    if free is None:
        try:
            # Systems that do not say what is free say at least what there is.
            free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
        except (AttributeError, ValueError, OSError):
            free = _UNKNOWN
    allowed = [
        _left(Path("/sys/fs/cgroup"), "memory.max", "memory.current", "inactive_file"),
        _left(Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ]
    return max(1, min([free, *(left for left in allowed if left is not None)]))


def _available(meminfo: Path) -> int | None:
    try:
        match = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo.read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(match[1]) * 1024 if match else None


def _left(group: Path, limit: str, usage: str, cache: str) -> int | None:
    """Return what a control group of Linux still allows; files that the kernel could drop do not count as used."""
    try:
        allowed = int((group / limit).read_text())
        used = int((group / usage).read_text())
        match = re.search(rf"^{cache} (\d+)$", (group / "memory.stat").read_text(), re.MULTILINE)
    except (OSError, ValueError):  # no such group, or "max": no limit
        return None
    return max(0, allowed - used + (int(match[1]) if match else 0))

"""What the benchmarks share: time, memory of one's own, and how both are told."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


def own_memory() -> int:
    """Return the bytes of anonymous memory that this process holds: what is its own, and no page of a file (Linux)."""
    match = re.search(r"^RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    if match is None:
        raise SystemExit("this system does not tell RssAnon")
    return int(match[1]) * 1024


@dataclass
class Measured:
    """What a stretch of work took."""

    seconds: float = 0.0
    peak: int = 0


@contextmanager
def measured(interval: float = 0.02) -> Iterator[Measured]:
    """Take the time, and look at one's own memory every so often."""
    found = Measured(peak=own_memory())
    done = threading.Event()

    def look() -> None:
        while not done.wait(interval):
            found.peak = max(found.peak, own_memory())

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    started = time.perf_counter()
    try:
        yield found
    finally:
        found.seconds = time.perf_counter() - started
        done.set()
        watcher.join()


def best(function: Callable[[], object], repeat: int) -> float:
    """Return the shortest time that a function took."""
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times)


def verdict(what: str, value: float, limit: float, unit: str = "") -> bool:
    """Print a number beside what it may be at most."""
    good = value <= limit
    print(f"{what}: {value:.3g}{unit} (at most {limit:g}{unit}) {'ok' if good else 'TOO MUCH'}")
    return good

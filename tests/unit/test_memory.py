"""Amounts of memory: as people write them, and as the machine has them free."""

from __future__ import annotations

from pathlib import Path

import pytest

from mvakit.memory import _available, _left, bytes_text, free_memory, parse_bytes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1000000", 1_000_000),
        ("17 B", 17),
        ("1kB", 1000),
        ("512MB", 512_000_000),
        ("1gb", 10**9),
        ("1.5 GiB", 3 * 2**29),
        (".5KiB", 512),
        ("2TB", 2 * 10**12),
        ("3TiB", 3 * 2**40),
        ("1e9", None),
        ("1000000000.0", 10**9),
        ("", None),
        ("0", None),
        ("0.1", None),
        ("-5MB", None),
        ("MB", None),
        ("5 apples", None),
        ("9" * 40, None),
        ("20000000TiB", None),
    ],
)
def test_amounts(text: str, expected: int | None) -> None:
    assert parse_bytes(text) == expected


def test_amounts_are_written_as_people_do() -> None:
    assert [bytes_text(n) for n in (12, 1500, 16e5, 1.6e9, 2e12)] == ["12 bytes", "1.5 kB", "1.6 MB", "1.6 GB", "2 TB"]


def test_what_the_machine_says(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    assert _available(meminfo) is None
    meminfo.write_text("MemTotal:  9 kB\nMemFree:  3 kB\nMemAvailable:     4096 kB\n")
    assert _available(meminfo) == 4096 * 1024
    assert 2**20 < free_memory() < 2**50


def test_what_a_container_is_allowed(tmp_path: Path) -> None:
    names = ("memory.max", "memory.current", "inactive_file")
    assert _left(tmp_path, *names) is None
    for name, text in (("max", "max"), ("current", "700"), ("stat", "anon 5\ninactive_file 200\n")):
        (tmp_path / f"memory.{name}").write_text(text + "\n")
    assert _left(tmp_path, *names) is None
    (tmp_path / "memory.max").write_text("1000\n")
    assert _left(tmp_path, *names) == 1000 - 700 + 200
    (tmp_path / "memory.current").write_text("5000\n")
    assert _left(tmp_path, *names) == 200 * (1000 - 5000 > 0)

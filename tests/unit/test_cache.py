"""The cache of columns: found again whole or not at all, whatever happened to it in between."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvakit import cache as module
from mvakit.cache import Cache, DamagedError, Entry, default_folder
from mvakit.files import OutputError

KEY, OTHER = "ab" * 32, "cd" * 32
FACTS = {"names": ["x"], "sum": 0.1, "nothing": float("nan"), "deep": {"a": [1, 2]}}


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "deep" / "cache")


def keep(cache: Cache, key: str = KEY, n: int = 1000) -> Entry:
    with cache.new(key, 12 * n) as entry:
        made = entry.make("train_X", (n, 2), np.float32)
        made[:] = np.arange(2 * n).reshape(n, 2)
        entry.make("event", (n,), np.int64)[:] = np.arange(n)
        entry.make("none", (n, 0), np.float32)
        return entry.keep(FACTS)


def check(entry: Entry | None, n: int = 1000) -> None:
    assert entry is not None
    assert np.array_equal(entry.columns["train_X"], np.arange(2 * n).reshape(n, 2))
    assert entry.columns["train_X"].dtype == np.float32
    assert isinstance(entry.columns["train_X"], np.memmap)
    assert np.array_equal(entry.columns["event"], np.arange(n))
    assert entry.columns["none"].shape == (n, 0)
    assert entry.facts["deep"] == {"a": [1, 2]}
    assert entry.facts["sum"] == 0.1


def test_what_was_kept_is_found(cache: Cache) -> None:
    assert cache.find(KEY) is None
    assert len(cache) == 0
    check(keep(cache))
    check(cache.find(KEY))
    assert cache.find(OTHER) is None
    assert len(cache) == 1
    assert cache.folder.stat().st_mode & 0o777 == 0o700
    found = cache.find(KEY)
    assert found is not None
    with pytest.raises(ValueError, match="read-only"):
        found.columns["event"][0] = 1
    assert np.array_equal(np.load(found.path / "event.npy"), np.arange(1000))  # what any NumPy reads


def test_what_was_not_kept_is_gone(cache: Cache) -> None:
    with pytest.raises(KeyError), cache.new(KEY, 100) as entry:
        entry.make("x", (10,), np.float64)
        raise KeyError
    assert list(cache.folder.iterdir()) == []


def flip(path: Path, at: int = -10) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda e: flip(e / "train_X.npy"), "is not what was written, 0 MiB from its beginning"),
        (lambda e: flip(e / "train_X.npy", 3), "is not what was written"),
        (lambda e: os.truncate(e / "event.npy", 500), "has 500 bytes, not 8128"),
        (lambda e: (e / "event.npy").unlink(), "lacks a file"),
        (lambda e: (e / "manifest.json").unlink(), "lacks a file"),
        (lambda e: (e / "manifest.json").write_bytes(b""), "does not have its checksum"),
        (lambda e: flip(e / "manifest.json", 60), "does not have its checksum"),
        (lambda e: os.truncate(e / "manifest.json", 100), "does not have its checksum"),
        (lambda e: ((e / "event.npy").unlink(), os.mkfifo(e / "event.npy")), "has 0 bytes"),
        (lambda e: ((e / "manifest.json").unlink(), os.mkfifo(e / "manifest.json")), "is no file"),
        (lambda e: ((e / "event.npy").unlink(), (e / "event.npy").mkdir()), "bytes, not 8128"),
    ],
)
def test_damage_is_noticed_and_repaired(damage: Callable[[Path], object], said: str, cache: Cache) -> None:
    damage(keep(cache).path)
    with pytest.raises(DamagedError, match=said):
        cache.find(KEY)
    check(keep(cache))
    check(cache.find(KEY))
    assert len(list(cache.folder.iterdir())) == 1


def test_damage_that_hides_behind_the_old_time_is_noticed_in_small_files(cache: Cache) -> None:
    file = keep(cache).path / "train_X.npy"
    status = file.stat()
    flip(file)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(DamagedError, match="is not what was written"):
        cache.find(KEY)


def test_all_of_a_large_file_is_looked_at_if_its_time_changed(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BLOCK", 64)
    looked: list[int] = []
    original = module._checksums

    def counting(path: Path, blocks: Any) -> Any:
        blocks = list(blocks)
        if path.name == "event.npy":
            looked.append(len(blocks))
        return original(path, blocks)

    monkeypatch.setattr(module, "_checksums", counting)
    file = keep(cache).path / "event.npy"
    looked.clear()
    check(cache.find(KEY))
    assert looked == [module._SAMPLED]
    os.utime(file)
    check(cache.find(KEY))
    assert looked == [module._SAMPLED, 8128 // 64]
    flip(file, 4000)
    with pytest.raises(DamagedError, match="event.npy"):
        cache.find(KEY)


def rewrite(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a manifest, and its checksum with it."""
    manifest = json.loads(path.read_text().splitlines()[0])
    change(manifest)
    text = json.dumps(manifest)
    path.write_text(f"{text}\n{zlib.crc32(text.encode()):08x}\n")


def told(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda manifest: manifest["columns"]["event"].update(changes)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(format="mvakit columns 0"),
        lambda m: m.update(columns=[]),
        lambda m: m.update(facts=[]),
        lambda m: m.pop("columns"),
        lambda m: m["columns"].update({"../event": m["columns"].pop("event")}),
        lambda m: m["columns"].update({"/etc/passwd": m["columns"].pop("event")}),
        lambda m: m.update(columns={f"x{i}": {} for i in range(10_001)}),
        lambda m: m["columns"].update(event=None),
        lambda m: m["columns"].update(event="text"),
        told(type="|O"),
        told(type="O"),
        told(type=["<i8"]),
        told(type="<f8"),
        told(type="<U2"),
        told(shape=[1001]),
        told(shape=[-1000]),
        told(shape=[2**60, 2**60]),
        told(shape=[10, 10, 10]),
        told(shape=[True]),
        told(shape="1000"),
        told(shape=[500, 2]),
        told(size=10**400),
        told(size=None),
        told(sums=""),
        told(sums="0" * 16),
        told(sums=["0"] * 8),
        told(sums=8),
        lambda m: m["columns"]["event"].pop("sums"),
    ],
)
def test_a_manifest_that_lies_is_refused(change: Callable[[dict[str, Any]], object], cache: Cache) -> None:
    rewrite(keep(cache).path / "manifest.json", change)
    with pytest.raises(DamagedError):
        cache.find(KEY)


@pytest.mark.parametrize("text", [b"[" * 100_000, b"[1, 2]", b"{", b"\xff\xfe", b'{"a": ' + b"9" * 5000 + b"}"])
def test_a_manifest_that_is_none_is_refused(text: bytes, cache: Cache) -> None:
    path = keep(cache).path / "manifest.json"
    path.write_bytes(text + b"\n%08x\n" % zlib.crc32(text))
    with pytest.raises(DamagedError):
        cache.find(KEY)


def test_a_manifest_without_end_is_not_read(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MANIFEST_BYTES", 1 << 10)
    os.truncate(keep_small(cache), 1 << 40)
    with pytest.raises(DamagedError, match="larger than"):
        cache.find(KEY)


def keep_small(cache: Cache) -> Path:
    with cache.new(KEY, 0) as entry:
        return entry.keep({}).path / "manifest.json"


# ------------------------------------------------------------------------------------------------------ tidiness


def age(path: Path, seconds: float) -> None:
    for file in (*path.iterdir(), path):
        os.utime(file, (time.time() - seconds,) * 2)


def test_entries_that_nobody_used_for_a_month_go(cache: Cache) -> None:
    old, new = keep(cache, OTHER), keep(cache)
    age(old.path, 31 * 86400)
    age(new.path, 29 * 86400)
    cache.tidy()
    assert not old.path.exists()
    assert new.path.exists()
    assert np.array_equal(old.columns["event"], np.arange(1000))  # who has it open keeps it


def test_use_keeps_an_entry_young(cache: Cache) -> None:
    entry = keep(cache)
    age(entry.path, 31 * 86400)
    check(cache.find(KEY))
    cache.tidy()
    check(cache.find(KEY))


def test_the_least_recently_used_makes_room(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [f"{i}" * 64 for i in range(3)]
    for i, key in enumerate(keys):
        age(keep(cache, key).path, 1000 * (i + 1))
    held = sum(file.stat().st_size for key in keys for file in (cache.folder / key).iterdir())
    usage = type("usage", (), {"free": held})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    cache.tidy(held // 3)  # half of what would be free holds three such entries
    assert [(cache.folder / key).exists() for key in keys] == [True, True, False]


def test_what_a_process_left_behind_goes_once_it_is_gone(cache: Cache) -> None:
    keep(cache)
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left = {}
    for who, host, process in (
        ("gone", socket.gethostname(), int(ended.stdout)),
        ("here", socket.gethostname(), os.getpid()),
        ("elsewhere", "another", 1),
        ("huge", socket.gethostname(), 10**30),
    ):
        left[who] = cache.folder / f"aside-{host}-{process}-{'0' * 32}"
        left[who].mkdir()
        (left[who] / "x.npy").write_bytes(b"1")
    cache.tidy()
    assert all(path.exists() for path in left.values())
    for path in left.values():
        age(path, 2 * 3600)
    cache.tidy()
    assert [who for who, path in left.items() if not path.exists()] == ["gone"]
    for path in left.values():
        if path.exists():
            age(path, 3 * 86400)
    cache.tidy()
    assert list(cache.folder.iterdir()) == [cache.folder / KEY]


def test_two_that_make_the_same_entry_both_have_it(cache: Cache) -> None:
    with cache.new(KEY, 0) as one, cache.new(KEY, 0) as other:
        for entry in (one, other):
            entry.make("x", (1000,), np.float64)[:] = 1.0
        first, second = one.keep({}), other.keep({})
    assert first.columns["x"].sum() == second.columns["x"].sum() == 1000
    assert list(cache.folder.iterdir()) == [cache.folder / KEY]
    found = cache.find(KEY)
    assert found is not None
    assert found.columns["x"].sum() == 1000


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="choose another folder with CacheDir"):
        Cache(tmp_path / "file" / "cache").new(KEY, 0)
    with pytest.raises(DamagedError, match="cannot be read: Not a directory"):
        Cache(tmp_path / "file").find(KEY)
    assert len(Cache(tmp_path / "file")) == 0


def test_a_disk_that_fills_up(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(OutputError, match=r"written: No space left on device; choose"):
        keep(cache)
    assert list(cache.folder.iterdir()) == []


def test_an_entry_that_cannot_be_put_into_place(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        keep(cache)


def test_the_folder_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == tmp_path / "mvakit"
    for unset in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert default_folder() == Path.home() / ".cache" / "mvakit"

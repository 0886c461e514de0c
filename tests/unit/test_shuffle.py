"""Orders that ROOT 6.40 makes with ``TRandom3`` and ``std::random_shuffle``."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mvakit import shuffle
from mvakit.shuffle import Shuffler

MANY = 3_000_000


def shuffled(shuffler: Shuffler, size: int, dtype: Any = np.uint32) -> np.ndarray:
    items = np.arange(size, dtype=dtype)
    shuffler.shuffle(items)
    return items


@pytest.mark.parametrize(
    ("seed", "expected"),
    [(7, [2, 4, 5, 10, 8, 7, 11, 1, 0, 9, 3, 6]), (2**32 - 1, [9, 0, 4, 10, 5, 1, 8, 3, 7, 2, 6, 11])],
)
def test_the_order_is_root_s(seed: int, expected: list[int]) -> None:
    assert shuffled(Shuffler(seed), 12).tolist() == expected
    assert shuffled(Shuffler(seed), 12, np.int64).tolist() == expected


def test_the_next_order_goes_on_with_the_generator() -> None:
    shuffler = Shuffler(7)
    shuffled(shuffler, 5)
    assert shuffled(shuffler, 12).tolist() == [11, 0, 8, 2, 7, 9, 4, 3, 6, 5, 1, 10]


@pytest.mark.parametrize("dtype", [np.uint32, np.int64])
def test_the_order_of_millions_is_root_s(dtype: Any) -> None:
    found = shuffled(Shuffler(100), MANY, dtype)
    assert found[[0, MANY // 2, -1]].tolist() == [2517881, 2421567, 2597854]
    assert int(np.dot(found.astype(np.uint64), np.arange(MANY, dtype=np.uint64))) == 6750194560997459348


def test_compiled_or_not_the_order_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 70_000  # more than are worked on at once
    plain = shuffled(Shuffler(3), size)
    monkeypatch.setattr(shuffle, "_MANY", 2)
    assert np.array_equal(shuffled(Shuffler(3), size), plain)
    assert not np.array_equal(shuffled(Shuffler(4), size), plain)
    assert np.array_equal(np.sort(plain), np.arange(size))


@pytest.mark.parametrize("size", [0, 1])
def test_nothing_to_put_in_order_draws_nothing(size: int) -> None:
    shuffler = Shuffler(7)
    assert shuffled(shuffler, size).tolist() == [*range(size)]
    assert shuffled(shuffler, 12).tolist()[:3] == [2, 4, 5]


def test_zeros_of_the_generator_are_passed_over() -> None:
    words = iter([5, 0, 0, 2**31, 0, 1, 2**32 - 1])

    def randint(low: int, high: int, size: int, dtype: Any) -> np.ndarray:
        return np.array([next(words) for _ in range(size)], dtype)

    shuffler = Shuffler(1)
    shuffler._state = SimpleNamespace(randint=randint)  # type: ignore[assignment]
    assert shuffler._words(3).tolist() == [5, 2**31, 1]
    assert shuffler._words(1).tolist() == [2**32 - 1]


def test_a_compiler_without_a_folder_for_its_cache_still_compiles(monkeypatch: pytest.MonkeyPatch) -> None:
    import numba

    def njit(*, nogil: bool, cache: bool = False) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(numba, "njit", njit)
    assert shuffle._compiled.__wrapped__() is shuffle._exchange


def test_the_compiler_is_loaded_for_large_samples_alone() -> None:
    code = (
        "import sys, numpy as np; from mvakit.shuffle import Shuffler; Shuffler(1).shuffle(np.arange(50_000)); "
        "sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""The split and the mixing of TMVA, played with cards, against whole columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mvakit.dataset import Sample, SampleCounts
from mvakit.errors import DataError
from mvakit.preparation import ClassEvents, Preparation
from mvakit.progress import Messenger

QUIET = Messenger("Test", silent=True)
NAMES = ["Signal", "Background", "Third"]
Cards = list[int]
Shuffle = Callable[[Cards], None]


def shuffling(seed: int) -> Shuffle:
    """Return a shuffle with the numbers of TRandom3."""

    def numbers() -> Iterator[float]:
        state = np.random.RandomState(seed)
        while True:
            yield int.from_bytes(state.bytes(4), "little") / 2**32

    drawn = numbers()

    def shuffle(cards: Cards) -> None:
        for i in range(1, len(cards)):
            j = int((i + 1) * next(drawn))
            cards[i], cards[j] = cards[j], cards[i]

    return shuffle


def dealt(
    piles: tuple[Cards, Cards, Cards], asked: tuple[int, int], mode: str, shuffle: Shuffle
) -> tuple[Cards, Cards]:
    """Deal the cards of one class, those without a place after those that have one, and discard what is too much."""
    train, test, free = (list(pile) for pile in piles)
    n_train, n_test = asked
    every = len(train) + len(test) + len(free)
    if n_train == n_test == 0:
        to_train = to_test = every // 2
        if len(free) < abs(len(train) - len(test)):
            to_train, to_test = len(train), len(test)
            if to_train < to_test:
                to_train += len(free)
            else:
                to_test += len(free)
        n_train, n_test = to_train, to_test
    elif n_test == 0:
        to_train = max(n_train, len(train))
        to_test = n_test = every - to_train
    elif n_train == 0:
        to_test = max(n_test, len(test))
        to_train = n_train = every - to_test
    else:
        missing = max(n_train - len(train), 0) + max(n_test - len(test), 0)
        assume(missing <= len(free))
        to_train = max(n_train, len(train)) + (len(free) - missing) // 2
        to_test = every - to_train
    assume(n_train > 0)
    assume(n_test > 0)
    if mode == "Alternate":
        turn = len(train)
        while free:
            turn += 1
            if turn <= n_train:
                train.append(free.pop(0))
            if free:
                test.append(free.pop(0))
    else:
        assume(to_train - len(train) <= len(free))
        assume(to_test - len(test) <= len(free))
        while len(train) < to_train:
            train.append(free.pop(0))
        while len(test) < to_test:
            test.append(free.pop(0))
    assume(len(train) >= n_train)
    assume(len(test) >= n_test)
    for pile, size in ((train, n_train), (test, n_test)):
        if mode == "Random" and len(pile) > size:
            places = list(range(len(pile)))
            shuffle(places)
            out = set(places[: len(pile) - size])
            pile[:] = [card for place, card in enumerate(pile) if place not in out]
        del pile[size:]
    return train, test


def mixed(piles: list[Cards], mode: str, shuffle: Shuffle) -> Cards:
    """Join the cards of all classes."""
    if mode != "Alternate":
        joined = [card for pile in piles for card in pile]
        if mode == "Random":
            shuffle(joined)
        return joined
    joined = list(piles[0])
    for position, pile in enumerate(piles[1:], start=1):
        place = -1
        for number, card in enumerate(pile):
            if len(joined) - place < position + 1:
                joined += pile[number:]
                break
            place += position + 1
            joined.insert(place, card)
    return joined


trees = st.lists(st.tuples(st.sampled_from([0, 1, 2, 2, 2]), st.integers(2, 20)), min_size=1, max_size=4)
asked = st.one_of(st.just(0), st.integers(1, 8))
classes = st.lists(st.tuples(trees, asked, asked), min_size=1, max_size=3)
modes = st.sampled_from(["Random", "Alternate", "Block"])


def events(index: int, drawn: list[tuple[int, int]]) -> ClassEvents:
    numbers = np.arange(sum(size for _, size in drawn), dtype=np.float32) + 1000 * index
    parts = tuple(
        Sample(
            piece[:, None],
            np.full(len(piece), index, np.int16),
            np.ones(len(piece)),
            np.zeros((len(piece), 0), np.float32),
        )
        for piece in np.split(numbers, np.cumsum([size for _, size in drawn])[:-1])
    )
    n = len(numbers)
    return ClassEvents(parts, tuple(purpose for purpose, _ in drawn), SampleCounts(NAMES[index], "", n, n, n, n))


@given(classes, modes, st.sampled_from(["SameAsSplitMode", "Random", "Alternate", "Block"]), st.integers(1, 2**32 - 1))
def test_the_samples_are_what_tmva_deals(drawn, mode: str, mix: str, seed: int) -> None:
    shuffle = shuffling(seed)
    given_events = [events(index, tree) for index, (tree, _, _) in enumerate(drawn)]
    piles = []
    for of_class in given_events:
        cards: tuple[Cards, Cards, Cards] = ([], [], [])
        for part, purpose in zip(of_class.parts, of_class.purposes, strict=True):
            cards[purpose].extend(part.X[:, 0].astype(int).tolist())
        piles.append(cards)
    if mode == "Random":
        for _, _, free in piles:
            shuffle(free)
    hands = [dealt(cards, (r, s), mode, shuffle) for cards, (_, r, s) in zip(piles, drawn, strict=True)]
    mix_mode = mode if mix == "SameAsSplitMode" else mix
    train, test = (mixed([hand[which] for hand in hands], mix_mode, shuffle) for which in (0, 1))
    names = NAMES[: len(drawn)]
    numbers = {f"nTrain_{n}": r for n, (_, r, _) in zip(names, drawn, strict=True)} | {
        f"nTest_{n}": s for n, (_, _, s) in zip(names, drawn, strict=True)
    }
    preparation = Preparation.parse(names, f"SplitMode={mode}:MixMode={mix}:SplitSeed={seed}", numbers)
    found = preparation(given_events, QUIET)[:2]
    assert [sample.X[:, 0].astype(int).tolist() for sample in found] == [train, test]


@given(classes, modes)
def test_every_split_is_one_or_is_refused(drawn, mode: str) -> None:
    names = NAMES[: len(drawn)]
    given_events = [events(index, tree) for index, (tree, _, _) in enumerate(drawn)]
    numbers = {
        f"{option}_{n}": d[k] for n, d in zip(names, drawn, strict=True) for k, option in ((1, "nTrain"), (2, "nTest"))
    }
    try:
        samples = Preparation.parse(names, f"SplitMode={mode}", numbers)(given_events, QUIET)[:2]
    except DataError:
        return
    train, test = (set(sample.X[:, 0].tolist()) for sample in samples)
    assert not train & test
    for index, (tree, n_train, n_test) in enumerate(drawn):
        place = np.repeat([purpose for purpose, _ in tree], [size for _, size in tree])
        for sample, asked_for, forbidden in ((train, n_train, 1), (test, n_test, 0)):
            mine = [int(x) % 1000 for x in sample if x // 1000 == index]
            assert len(mine) == asked_for or not asked_for
            assert mine
            assert forbidden not in place[mine]


@pytest.mark.parametrize("mode", ["Random", "Alternate", "Block"])
def test_the_same_seed_is_the_same_split(mode: str) -> None:
    given_events = [events(0, [(2, 12), (0, 3)]), events(1, [(2, 9)])]
    preparation = Preparation.parse(NAMES[:2], f"SplitMode={mode}:SplitSeed=5", {})
    one, other = preparation(given_events, QUIET)[0], preparation(given_events, QUIET)[0]
    assert np.array_equal(one.X, other.X)

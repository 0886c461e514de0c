"""Splitting, renormalising and mixing, against what TMVA documents of them."""

from __future__ import annotations

import re

import numpy as np
import pytest

from mvakit.dataset import Sample, SampleCounts
from mvakit.errors import DataError, OptionError
from mvakit.preparation import ClassEvents, Preparation
from mvakit.progress import Messenger

QUIET = Messenger("Test", silent=True)


def events(
    index: int,
    n: int,
    *,
    name: str | None = None,
    weight: float = 1.0,
    purpose: list[int] | None = None,
    n_input: int | None = None,
) -> ClassEvents:
    name = name or ("Signal", "Background", "Third")[index]
    X = (1000 * index + np.arange(n, dtype=np.float32))[:, None]
    sample = Sample(
        X,
        np.full(n, index, np.int16),
        np.full(n, weight),
        np.zeros((n, 0), np.float32),
        {"id": X[:, 0].astype(np.int64)},
    )
    # A tree of its own for every event whose purpose is told.
    parts = tuple(sample.select(slice(i, i + 1)) for i in range(n)) if purpose else (sample,)
    return ClassEvents(parts, tuple(purpose or [2]), SampleCounts(name, "", n_input or n, n * weight, n, n * weight))


def prepared(classes: list[ClassEvents], text: str) -> tuple[list[int], list[int]]:
    names = [c.counts.name for c in classes]
    train, test, _ = Preparation.parse(names, text, {})(classes, QUIET)
    return train.X[:, 0].astype(int).tolist(), test.X[:, 0].astype(int).tolist()


def test_halves_by_default() -> None:
    train, test = prepared([events(0, 10), events(1, 7)], "SplitMode=Block")
    assert train == [*range(5), 1000, 1001, 1002]
    assert test == [*range(5, 10), 1003, 1004, 1005]


def test_alternate_gives_training_the_first_of_each_pair_and_mixes_the_classes() -> None:
    train, test = prepared([events(0, 6), events(1, 6)], "SplitMode=Alternate")
    assert train == [0, 1000, 2, 1002, 4, 1004]
    assert test == [1, 1001, 3, 1003, 5, 1005]


def test_alternate_gives_the_rest_to_the_test_once_training_has_enough() -> None:
    train, test = prepared([events(0, 8), events(1, 8)], "SplitMode=Alternate:nTrain_Signal=2:nTrain_Background=3")
    assert [x for x in train if x < 1000] == [0, 2]
    assert [x for x in test if x < 1000] == [1, 3, 4, 5, 6, 7]
    assert [x for x in train if x >= 1000] == [1000, 1002, 1004]


def test_alternate_mixing_of_three_classes_of_different_sizes() -> None:
    train, _ = prepared([events(0, 4), events(1, 8), events(2, 2)], "SplitMode=Block:MixMode=Alternate")
    assert train == [0, 1000, 2000, 1, 1001, 1002, 1003]


def test_block_takes_the_first_for_training() -> None:
    train, test = prepared(
        [events(0, 10), events(1, 10)], "SplitMode=Block:nTrain_Signal=3:nTrain_Background=4:nTest_Background=2"
    )
    assert train == [0, 1, 2, 1000, 1001, 1002, 1003]
    assert [x for x in test if x < 1000] == [3, 4, 5, 6, 7, 8, 9]
    # The events that nobody asked for are shared out before the samples are cut to size, as in TMVA.
    assert [x for x in test if x >= 1000] == [1006, 1007]


def test_random_shares_without_overlap_and_by_seed() -> None:
    classes = [events(0, 50), events(1, 40)]
    train, test = prepared(classes, "nTrain_Signal=20:nTest_Signal=10:nTrain_Background=15")
    assert sum(x < 1000 for x in train) == 20
    assert sum(x < 1000 for x in test) == 10
    assert sum(x >= 1000 for x in train) == 15
    assert sum(x >= 1000 for x in test) == 25
    assert not set(train) & set(test)
    assert train != sorted(train)
    assert prepared(classes, "nTrain_Signal=20:nTest_Signal=10:nTrain_Background=15") == (train, test)
    assert prepared(classes, "nTrain_Signal=20:nTest_Signal=10:nTrain_Background=15:SplitSeed=7") != (train, test)


def test_seed_zero_takes_the_time() -> None:
    classes = [events(0, 200), events(1, 200)]
    assert prepared(classes, "SplitSeed=0") != prepared(classes, "SplitSeed=0")


def test_trees_that_are_for_one_sample_stay_there() -> None:
    signal = events(0, 6, purpose=[0, 1, 2, 2, 0, 1])
    train, test = prepared([signal, events(1, 6)], "SplitMode=Block")
    assert sorted(x for x in train if x < 1000) == [0, 2, 4]
    assert sorted(x for x in test if x < 1000) == [1, 3, 5]


def test_unbalanced_trees_give_the_free_events_to_the_smaller_sample() -> None:
    signal = events(0, 6, purpose=[0, 0, 0, 0, 2, 1])
    train, test = prepared([signal, events(1, 6)], "SplitMode=Block")
    assert [x for x in train if x < 1000] == [0, 1, 2, 3]
    assert sorted(x for x in test if x < 1000) == [4, 5]
    signal = events(0, 6, purpose=[1, 1, 1, 1, 2, 0])
    train, test = prepared([signal, events(1, 6)], "SplitMode=Block")
    assert sorted(x for x in train if x < 1000) == [4, 5]


def test_a_fraction_overrides_numbers() -> None:
    train, test = prepared([events(0, 10), events(1, 10)], "SplitMode=Block:TrainTestSplit_Signal=0.7:nTrain_Signal=2")
    assert sum(x < 1000 for x in train) == 7
    assert sum(x < 1000 for x in test) == 3


def test_numbers_scaled_by_the_efficiency_of_the_cut() -> None:
    train, _ = prepared(
        [events(0, 10, n_input=20), events(1, 10)], "SplitMode=Block:nTrain_Signal=8:ScaleWithPreselEff"
    )
    assert sum(x < 1000 for x in train) == 4


def test_fractions_are_taken_in_single_precision() -> None:
    # 0.29 * 100 is 28.999999999999996 in double precision.
    train, _ = prepared([events(0, 100), events(1, 10)], "SplitMode=Block:TrainTestSplit_Signal=0.29")
    assert sum(x < 1000 for x in train) == 29
    # Of 7 times 1/7 single precision makes 1, though 1/7 is a little less there.
    train, test = prepared(
        [events(0, 10, n_input=70), events(1, 10)],
        "SplitMode=Block:nTrain_Signal=7:nTest_Signal=14:ScaleWithPreselEff",
    )
    assert sum(x < 1000 for x in train) == 1
    assert sum(x < 1000 for x in test) == 2


def test_the_efficiency_scales_what_was_asked_for_and_nothing_else() -> None:
    classes = [events(0, 10, n_input=20), events(1, 10)]
    assert prepared(classes, "SplitMode=Block:ScaleWithPreselEff") == prepared(classes, "SplitMode=Block")
    train, _ = prepared(classes, "SplitMode=Block:TrainTestSplit_Signal=0.8:ScaleWithPreselEff")
    assert sum(x < 1000 for x in train) == 4
    # 25 of 20 events times 10/20 are 12 of the 10 that passed.
    with pytest.raises(DataError, match="12 training events of class 'Signal' are asked for"):
        prepared(classes, "SplitMode=Block:nTrain_Signal=25:ScaleWithPreselEff")


def test_random_samples_of_explicit_trees_are_cut_to_size_in_their_order() -> None:
    signal = events(0, 8, purpose=[0, 0, 0, 0, 0, 1, 1, 1])
    text = "SplitMode=Random:MixMode=Block:nTrain_Signal=3:nTest_Signal=2"
    train, test = prepared([signal, events(1, 4)], text)
    chosen = [x for x in train if x < 1000]
    assert len(chosen) == 3
    assert chosen == sorted(chosen)
    assert set(chosen) < set(range(5))
    rest = [x for x in test if x < 1000]
    assert rest == sorted(rest)
    assert set(rest) < {5, 6, 7}
    assert len({tuple(prepared([signal, events(1, 4)], f"{text}:SplitSeed={seed}")[0]) for seed in range(1, 9)}) > 3


@pytest.mark.parametrize(
    ("mode", "sums"), [("None", (30.0, 8.0)), ("NumEvents", (10.0, 4.0)), ("EqualNumEvents", (10.0, 10.0))]
)
def test_norm_modes_renormalise_the_training_alone(mode: str, sums: tuple[float, float]) -> None:
    classes = [events(0, 20, weight=3.0), events(1, 8, weight=2.0)]
    train, test, counts = Preparation.parse(["Signal", "Background"], f"NormMode={mode}", {})(classes, QUIET)
    for index, expected in enumerate(sums):
        assert train.weight[train.class_index == index].sum() == pytest.approx(expected, rel=1e-12)
        assert counts[index].sum_train == pytest.approx(expected, rel=1e-12)
    assert test.weight[test.class_index == 0].sum() == pytest.approx(30.0)
    assert counts[0].sum_test == pytest.approx(30.0)
    assert test.weight[test.class_index == 1].sum() == pytest.approx(8.0)
    assert counts[1].rescale == pytest.approx(sums[1] / 8.0)


def test_effective_numbers_of_events() -> None:
    signal = events(0, 4)
    signal.parts[0].weight[:] = [1.0, 3.0, 2.0, -1.0]
    _, _, counts = Preparation.parse(["Signal", "Background"], "SplitMode=Block", {})([signal, events(1, 4)], QUIET)
    assert counts[0].effective_train == pytest.approx((1 + 3) ** 2 / (1 + 9), rel=1e-12)
    assert counts[0].effective_test == pytest.approx((2 - 1) ** 2 / (4 + 1), rel=1e-12)
    assert counts[1].effective_train == pytest.approx(2.0, rel=1e-12)


def test_spectators_travel_with_their_events() -> None:
    train, test, _ = Preparation.parse(["Signal", "Background"], "", {})([events(0, 20), events(1, 20)], QUIET)
    for sample in (train, test):
        assert sample.spectators["id"].dtype == np.int64
        assert np.array_equal(sample.spectators["id"], sample.X[:, 0].astype(np.int64))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nTrain_Signal=11", "11 training events of class 'Signal' are asked for (nTrain_Signal), but only 10"),
        ("nTest_Background=11", "11 test events of class 'Background'"),
        ("nTrain_Signal=6:nTest_Signal=5", "6 training and 5 test events of class 'Signal'"),
        ("nTrain_Signal=10", "no events left for the test sample"),
        ("nTest_Signal=10", "no events left for the training sample"),
        ("TrainTestSplit_Signal=1", "leaves no events for the test"),
        ("TrainTestSplit_Signal=0.01", "TrainTestSplit_Signal=0.01 of 10 events leaves no events for the training"),
        ("SplitMode=Alternate:nTrain_Signal=6", "SplitMode=Alternate finds only 5 events"),
    ],
)
def test_more_events_than_there_are(text: str, said: str) -> None:
    with pytest.raises(DataError, match=re.escape(said)):
        prepared([events(0, 10), events(1, 10)], text)


@pytest.mark.parametrize(("option", "purpose"), [("nTrain", "training"), ("nTest", "test")])
def test_an_efficiency_that_leaves_nothing_of_what_was_asked_for(option: str, purpose: str) -> None:
    classes = [events(0, 10, n_input=100), events(1, 10)]
    with pytest.raises(
        DataError, match=f"2 {purpose} events of class 'Signal' times the efficiency of its cut, 10/100"
    ):
        prepared(classes, f"{option}_Signal=2:ScaleWithPreselEff")


def test_negative_sum_of_weights_cannot_be_renormalised() -> None:
    with pytest.raises(DataError, match="class 'Background' sum to -5"):
        prepared([events(0, 10), events(1, 10, weight=-1.0)], "NormMode=NumEvents")
    prepared([events(0, 10), events(1, 10, weight=-1.0)], "NormMode=None")


def test_options_of_classes_that_do_not_exist() -> None:
    with pytest.raises(OptionError, match="did you mean 'nTrain_Signal'"):
        Preparation.parse(["Signal", "Background"], "nTrain_Signl=3", {})
    assert Preparation.parse(["Signal", "bg0"], "", {"nTrain_bg0": 5}).values["nTrain_bg0"] == 5

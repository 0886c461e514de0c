"""The events that are kept to validate a network with: how many, which, and what is left to train on."""

from __future__ import annotations

import numpy as np
import pytest
from mvakit_methods import _validation
from mvakit_methods._validation import check_learnable, parse_validation_size, sole_class, validation_mask

from mvakit.dataset import Sample
from mvakit.errors import MethodError, OptionError
from mvakit.method import FitContext
from mvakit.types import AnalysisType


@pytest.mark.parametrize(
    ("text", "events"), [("20%", 200), ("0.2", 200), ("100", 100), ("1", 1), ("12.5%", 125), ("3.0", 3)]
)
def test_sizes(text, events):
    assert parse_validation_size(text, "DL", 1000) == events
    assert parse_validation_size(text, "DL") == 0


@pytest.mark.parametrize("text", ["", "x", "%", "-5", "0", "0%", "100%", "2.5", "nan", "inf", "-20%"])
def test_sizes_that_are_none(text):
    with pytest.raises(OptionError, match="'ValidationSize' of PyKeras takes a percentage"):
        parse_validation_size(text, "PyKeras")


@pytest.mark.parametrize(("text", "n"), [("100", 100), ("5%", 10)])
def test_events_are_left_to_both(text, n):
    with pytest.raises(OptionError, match=f"'ValidationSize' of MLP is '{text}'.* of the {n} training events"):
        parse_validation_size(text, "MLP", n)


def test_every_class_gives_its_share(monkeypatch):
    which = np.repeat([0, 1, 2], [700, 290, 10])
    check = validation_mask(which, 200, seed=4)
    assert np.bincount(which[check]).tolist() == [140, 58, 2]
    assert not check[560:700].all()
    np.testing.assert_array_equal(validation_mask(which, 200, seed=4), check)
    assert not np.array_equal(validation_mask(which, 200, seed=5), check)
    # Larger samples give their share block by block.
    monkeypatch.setattr(_validation, "BLOCK", 300)
    by_block = validation_mask(which, 200, seed=4)
    assert [int(by_block[begin : begin + 300].sum()) for begin in range(0, 1000, 300)] == [60, 60, 60, 20]
    assert not np.array_equal(by_block[:100], by_block[300:400])


def test_each_class_has_to_have_weight_left():
    which = np.repeat([0, 1], 50)
    learn = np.arange(100) % 2 == 0
    weight = np.where((which == 1) & learn, -1.0, 1.0)
    events = Sample(np.zeros((100, 1), np.float32), which, weight)
    context = FitContext(AnalysisType.CLASSIFICATION, "Net", (), ("Signal", "Background"))
    with pytest.raises(
        MethodError, match="DL: the training events of class 'Background' have a sum of weights of -25;"
    ):
        check_learnable(events, learn, context, "DL")
    check_learnable(events, ~learn, context, "DL")
    regression = FitContext(AnalysisType.REGRESSION, "Net", (), ("Signal", "Background"))
    with pytest.raises(MethodError, match="DL: the training events have a sum of weights of 0;"):
        check_learnable(events, learn, regression, "DL")
    assert sole_class(which, AnalysisType.REGRESSION).tolist() == [0] * 100
    assert sole_class(which, AnalysisType.MULTICLASS) is which

"""Options: what is written is read back."""

from __future__ import annotations

import warnings

from hypothesis import given
from hypothesis import strategies as st

from mvakit.errors import MvakitWarning, OptionError
from mvakit.options import ArrayValue

from ..unit.test_options import Toy

text = st.text(st.characters(exclude_characters=":", exclude_categories=("Cs",)), max_size=30)


@st.composite
def toys(draw: st.DrawFn) -> Toy:
    indices = st.dictionaries(st.integers(0, 20), st.integers(0, 99), max_size=4)
    return Toy(
        n_trees=draw(st.integers(1, 10**9)),
        boost=draw(st.sampled_from(["AdaBoost", "Grad", "Bagging"])),
        separation=draw(st.sampled_from(["GiniIndex", "CrossEntropy"])),
        method=draw(st.sampled_from(["Fisher", "Mahalanobis"])),
        verbose=draw(st.booleans()),
        bagged=draw(st.booleans()),
        shrinkage=draw(st.floats(0, 1)),
        strategy=draw(text),
        smooth=ArrayValue(draw(st.integers(0, 99)), tuple(sorted(draw(indices).items()))),
    )


@given(toys())
def test_parse_of_format_is_the_identity(toy: Toy) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MvakitWarning)
        assert Toy.parse(toy.format()) == toy


@given(
    st.text(max_size=60)
    | st.lists(st.sampled_from([":", "=", "!", "V", "NTrees", "Grad", "[", "]", "0", " "]), max_size=20).map("".join)
)
def test_any_text_is_read_or_refused(string: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MvakitWarning)
        try:
            toy = Toy.parse(string)
        except OptionError as error:
            assert str(error)
        else:
            assert Toy.parse(toy.format()) == toy

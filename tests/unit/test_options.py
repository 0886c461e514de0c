"""Option strings: TMVA's grammar, and what is said where it is broken."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from mvakit.errors import MvakitWarning, OptionError
from mvakit.options import ArrayValue, Options, OptionSpec, array_option, assign_options, option


@dataclass(frozen=True, kw_only=True)
class Toy(Options):
    owner = "Toy"

    n_trees: int = option("NTrees", 800, "number of trees", minimum=1)
    boost: str = option("BoostType", "AdaBoost", choices=("AdaBoost", "Grad", "Bagging"))
    separation: str = option("SeparationType", "GiniIndex", choices=("GiniIndex", "CrossEntropy"))
    method: str = option("Method", "Fisher", choices=("Fisher", "Mahalanobis"))
    verbose: bool = option("V", False)
    bagged: bool = option("UseBaggedBoost", False, aliases=("UseBaggedGrad",))
    shrinkage: float = option("Shrinkage", 1.0, minimum=0.0, maximum=1.0)
    file: str = option("FilenameModel", "")
    strategy: str = option("TrainingStrategy", "", holds_options=True)
    smooth: ArrayValue = array_option("NSmooth", 1, minimum=0)
    interpolation: ArrayValue = array_option("PDFInterpol", "Spline2", choices=("Spline2", "Spline3", "KDE"))


def test_a_tutorial_string_is_read() -> None:
    toy = Toy.parse("!V:NTrees=1000:BoostType=Grad:Shrinkage=0.10:UseBaggedBoost:FilenameModel=model.keras")
    assert toy == Toy(n_trees=1000, boost="Grad", shrinkage=0.1, bagged=True, file="model.keras")
    assert toy.modified == {"V", "NTrees", "BoostType", "Shrinkage", "UseBaggedBoost", "FilenameModel"}


@pytest.mark.parametrize("text", ["", ":", "::", ":NTrees=800:", "NTrees=800::V=0"])
def test_empty_tokens_are_harmless(text: str) -> None:
    assert Toy.parse(text) == Toy()


def test_keys_and_enumerated_values_ignore_case() -> None:
    assert Toy.parse("nTREES=3:boosttype=gRAD") == Toy(n_trees=3, boost="Grad")


def test_a_bare_value_sets_its_enumeration() -> None:
    assert Toy.parse("grad:Mahalanobis:CrossEntropy") == Toy(
        boost="Grad", method="Mahalanobis", separation="CrossEntropy"
    )


@pytest.mark.parametrize("word", ["V", "V=1", "V=True", "V=kTRUE", "V=t", "v"])
def test_true(word: str) -> None:
    assert Toy.parse(word).verbose is True


@pytest.mark.parametrize("word", ["!V", "V=0", "V=false", "V=kFalse", "V=F", "!v"])
def test_false(word: str) -> None:
    assert Toy.parse(word).verbose is False


def test_array_elements() -> None:
    toy = Toy.parse("NSmooth=2:NSmooth[1]=20:NSmooth[0]=10:PDFInterpol[1]=kde")
    assert toy.smooth.resolve(3, "NSmooth") == [10, 20, 2]
    assert toy.interpolation.resolve(2, "PDFInterpol") == ["Spline2", "KDE"]
    with pytest.raises(OptionError, match=re.escape("NSmooth[1] does not exist")):
        toy.smooth.resolve(1, "NSmooth")


def test_the_value_of_all_keeps_elements_that_were_set_before() -> None:
    assert Toy.parse("NSmooth[1]=20:NSmooth=3").smooth.resolve(2, "NSmooth") == [3, 20]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("NTree=4", "did you mean 'NTrees'"),
        ("grat", "did you mean 'Grad'"),
        ("BoostType=Grid", "takes one of AdaBoost, Grad, Bagging, not 'Grid'; did you mean 'Grad'"),
        ("NTrees=many", "takes a whole number, at least 1, not 'many'"),
        ("NTrees=0", "at least 1, not '0'"),
        ("NTrees=1.5", "a whole number"),
        ("NTrees=1_000", "a whole number"),
        ("Shrinkage=nan", "a number from 0 to 1, not 'nan'"),
        ("Shrinkage=1.5", "a number from 0 to 1, not '1.5'"),
        ("!NTrees", "'!NTrees' gives it none"),
        ("NTrees", "'NTrees' gives it none"),
        ("!NTrees=3", "both denies an option and gives it a value"),
        ("V=maybe", "takes true or false, not 'maybe'"),
        ("NTrees[0]=3", "is not an array"),
        ("NSmooth[x]=3", "should be a whole number"),
        ("NSmooth[-1]=3", "should be a whole number"),
        ("NTrees=400BoostType=Grad", "did you mean 'NTrees=400:BoostType=Grad'"),
        ("NTrees=400!V", "did you mean 'NTrees=400:!V'"),
        ("VNTrees=400", "did you mean 'V:NTrees=400'"),
        ("FilenameModel=model.h5NTrees=20", "did you mean 'FilenameModel=model.h5:NTrees=20'"),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    with pytest.raises(OptionError, match=re.escape(said)) as caught:
        Toy.parse(text)
    assert "Toy" in str(caught.value)


def test_a_value_that_holds_options_of_its_own_is_left_alone() -> None:
    assert Toy.parse("TrainingStrategy=Shrinkage=0.1,NTrees=3").strategy == "Shrinkage=0.1,NTrees=3"


def test_white_space_in_a_value_is_kept_with_a_warning() -> None:
    with pytest.warns(MvakitWarning, match="kept whole"):
        assert Toy.parse("FilenameModel=my model.keras").file == "my model.keras"


def test_white_space_around_tokens_and_numbers_means_nothing() -> None:
    assert Toy.parse(" NTrees = 3 : !V :\n BoostType = Grad ") == Toy(n_trees=3, boost="Grad")


def test_an_exponent_in_a_whole_number_is_read_with_a_warning() -> None:
    with pytest.warns(MvakitWarning, match="read as 1000"):
        assert Toy.parse("NTrees=1e3").n_trees == 1000


@pytest.mark.parametrize(
    "text", ["NTrees=1:NTrees=2", "BoostType=Bagging:Grad:NTrees=2", "UseBaggedGrad:!UseBaggedBoost:NTrees=2"]
)
def test_duplicates_warn_and_the_last_one_counts(text: str) -> None:
    with pytest.warns(MvakitWarning, match="set twice"):
        assert Toy.parse(text).n_trees == 2


def test_a_bare_value_of_two_enumerations_goes_to_the_first_with_a_warning() -> None:
    specs = [
        OptionSpec("FitMethod", str, "MC", choices=("MC", "MINUIT")),
        OptionSpec("Converger", str, "None", choices=("None", "MINUIT")),
    ]
    with pytest.warns(MvakitWarning, match="taken for FitMethod"):
        assert assign_options(specs, "MINUIT", owner="FDA") == {"FitMethod": "MINUIT"}


def test_keywords_alone_and_with_a_string() -> None:
    assert Toy.parse(NTrees=400, UseBaggedBoost=True, BoostType="grad") == Toy(n_trees=400, bagged=True, boost="Grad")
    assert Toy.parse("!V:Grad", NTrees="400") == Toy(n_trees=400, boost="Grad")
    assert Toy.parse(Mahalanobis=True).method == "Mahalanobis"
    assert Toy.parse(PDFInterpol=["KDE", "Spline3"]).interpolation.by_index == ((0, "KDE"), (1, "Spline3"))
    assert Toy.parse(NSmooth=ArrayValue(2, ((1, 3),))).smooth == ArrayValue(2, ((1, 3),))


def test_a_keyword_wins_over_the_string_with_a_warning() -> None:
    with pytest.warns(MvakitWarning, match="set twice"):
        assert Toy.parse("NTrees=3", NTrees=4).n_trees == 4


def test_further_options_inside_a_keyword() -> None:
    toy = Toy.parse(PDFInterpol="Spline3:NSmooth[0]=20:!V:Grad")
    assert toy.interpolation.every == "Spline3"
    assert toy.smooth.by_index == ((0, 20),)
    assert toy.boost == "Grad"


def test_a_colon_inside_a_keyword_that_is_no_option_stays() -> None:
    assert Toy.parse(FilenameModel="C:\\models\\m.keras").file == "C:\\models\\m.keras"


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"NTree": 3}, "did you mean 'NTrees'"),
        ({"NTrees": 2.5}, "whole number"),
        ({"NTrees": True}, "whole number"),
        ({"NTrees": None}, "whole number"),
        ({"V": 2}, "true or false"),
        ({"V": None}, "true or false"),
        ({"BoostType": 3}, "one of AdaBoost"),
        ({"Mahalanobis": False}, "no option 'Mahalanobis'"),
    ],
)
def test_wrong_keywords(keywords: dict[str, object], said: str) -> None:
    with pytest.raises(OptionError, match=re.escape(said)):
        Toy.parse(**keywords)


def test_options_that_are_no_string() -> None:
    with pytest.raises(OptionError, match="are a string"):
        assign_options(Toy.declared(), 3, owner="Toy")  # type: ignore[arg-type]


def test_format_writes_every_option_or_only_those_that_were_set() -> None:
    toy = Toy.parse("V:NTrees=3:NSmooth[1]=5")
    assert toy.format(every=False) == "NTrees=3:V:NSmooth=1:NSmooth[1]=5"
    assert Toy.parse(toy.format()) == toy
    with pytest.raises(OptionError, match="cannot carry"):
        Toy(file="a:b").format()


def test_what_an_option_expects_in_words() -> None:
    expects = {spec.name: spec.expects for spec in Toy.declared()}
    assert expects["NTrees"] == "a whole number, at least 1"
    assert expects["Shrinkage"] == "a number from 0 to 1"
    assert expects["V"] == "true or false"
    assert expects["FilenameModel"] == "text"
    assert OptionSpec("x", float, 0.0, maximum=2.0).expects == "a number, at most 2"

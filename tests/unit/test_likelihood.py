"""Likelihood: densities read as TMVA reads them, classes with transformations of their own, and damaged files."""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods.likelihood import Likelihood, LikelihoodOptions
from mvakit_methods.likelihood.densities import SMALLEST, Densities
from mvakit_methods.likelihood.method import LikelihoodState

from mvakit.errors import DataError, MethodError, OptionError, WeightFileError
from mvakit.model import Model
from mvakit.pdfs import Interpolation, Pdf, Recipe
from tests.unit.toy_files import background_first, changed, doubled, events, load, set_to, text, tree, without

SIGNAL = "Weights/PDFDescriptor[1]"


def pdf(kind: Interpolation, contents: list[float], low: float = 0.0, high: float = 1.0) -> Pdf:
    return Pdf(low, high, np.array(contents), Recipe(kind))


def slowly(of: Pdf, signal: Pdf, x: float, *, steps: bool = False) -> float:
    """The density of one value, word by word."""
    if x >= signal.high:
        x = signal.high - 1e-10
    elif x < signal.low:
        x = signal.low
    n, width = of.fine.size, (of.high - of.low) / of.fine.size
    heights = {i + 1: float(h) for i, h in enumerate(of.fine)}

    def centre(bin_: int) -> float:
        return of.low + (bin_ - 1) * width + 0.5 * width

    bin_ = 0 if x < of.low else n + 1 if x >= of.high else 1 + int(n * (x - of.low) / (of.high - of.low))
    if steps or signal.recipe.interpolation is Interpolation.SPLINE0:
        return max(heights.get(bin_, 0.0), SMALLEST)
    other = bin_ + 1 if (x > centre(bin_) and bin_ != n) or bin_ == 1 else bin_ - 1
    rise = (heights.get(bin_, 0.0) - heights.get(other, 0.0)) / (centre(bin_) - centre(other))
    return max(heights.get(bin_, 0.0) + (x - centre(bin_)) * rise, SMALLEST)


@pytest.mark.parametrize("of", [Interpolation.SPLINE0, Interpolation.SPLINE2])
@pytest.mark.parametrize("signal", [Interpolation.SPLINE0, Interpolation.SPLINE2])
@pytest.mark.parametrize("steps", [False, True])
@pytest.mark.parametrize("low", [0.0, 0.3, -0.4])
def test_densities_are_tmva_s(of: Interpolation, signal: Interpolation, steps: bool, low: float) -> None:
    first, second = pdf(signal, [1.0, 4.0, 2.0, 3.0]), pdf(of, [3.0, 0.0, 5.0, 1.0, 2.0], low, low + 0.9)
    x = np.float32([-3.0, 0.0, 1e-5, 0.013, 0.25001, 0.29, 0.31, 0.5, 0.503, 0.74, 0.90001, 0.99999, 1.0, 7.0])
    found = Densities([second], [first], [steps])(x[:, np.newaxis])
    assert found == pytest.approx([slowly(second, first, float(v), steps=steps) for v in x], rel=1e-9)


def test_steps_end_where_root_s_bins_do() -> None:
    stairs = pdf(Interpolation.SPLINE0, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 0.0, 0.7)
    at_edges = np.float32([0.0, 0.25, 0.5])[:, np.newaxis]
    assert np.argmax(stairs.fine) == 6
    found = Densities([stairs], [stairs], [False])(at_edges)
    assert found == pytest.approx(stairs.fine[[0, 2, 5]])


def test_a_product_is_never_zero() -> None:
    assert pytest.approx(2.2250738585072014e-305, rel=1e-12) == SMALLEST  # a thousand times DBL_MIN
    empty = pdf(Interpolation.SPLINE0, [0.0, 1.0])
    assert Densities([empty] * 3, [empty] * 3, [False] * 3)(np.zeros((1, 3), np.float32)) == [SMALLEST]
    assert Densities([empty], [empty], [False])(np.float32([[0.7]])) == [2.0]


def likelihood(signal: Pdf, background: Pdf, **options: object) -> tuple[Likelihood, LikelihoodState]:
    state = LikelihoodState((signal,), (background,), (("s", "b"),), "L")
    return Likelihood(LikelihoodOptions.parse("", **options)), state


def test_the_response_is_the_share_of_signal() -> None:
    method, state = likelihood(pdf(Interpolation.SPLINE0, [3.0, 1.0]), pdf(Interpolation.SPLINE0, [2.0, 2.0]))
    X = np.broadcast_to(np.float32([[0.2], [0.9]]), (2, 2, 1))
    assert method.predict(state, X) == pytest.approx([0.6, 1 / 3])
    method, state = likelihood(state.signal[0], state.background[0], TransformOutput=True)
    assert method.predict(state, X) == pytest.approx([math.log(1.5) / 15, math.log(0.5) / 15])


def test_responses_stay_off_one_and_zero() -> None:
    method, state = likelihood(pdf(Interpolation.SPLINE0, [1.0, 0.0]), pdf(Interpolation.SPLINE0, [0.0, 1.0]))
    X = np.broadcast_to(np.float32([[0.2], [0.9]]), (2, 2, 1))
    assert method.predict(state, X).tolist() == [1 - 1e-15, SMALLEST / (2 + SMALLEST)]
    method, state = likelihood(state.signal[0], state.background[0], TransformOutput=True)
    found = method.predict(state, X)
    assert found[0] == pytest.approx(math.log(1e15) / 15, rel=0.02)
    assert found[1] == pytest.approx(math.log(SMALLEST / 2) / 15)


def test_products_beyond_numbers() -> None:
    narrow = pdf(Interpolation.SPLINE0, [1.0, 0.0], 0.0, 1e-30)
    state, X = (
        LikelihoodState((narrow,) * 12, (narrow,) * 12, (("s", "b"),) * 12, "L"),
        np.zeros((2, 1, 12), np.float32),
    )
    with pytest.raises(MethodError, match="the response is nan for event 0"):
        Likelihood(LikelihoodOptions()).predict(state, X)
    # TMVA's transformed response is minus infinity where 1/response is
    halves = [pdf(Interpolation.SPLINE0, contents, 0.0, 1e-6) for contents in ([0.0, 1.0], [1.0, 0.0])]
    method, state = likelihood(*halves, TransformOutput=True)
    assert method.predict(state, X[:, :, :1]) == pytest.approx([(math.log(SMALLEST) - math.log(2e6)) / 15], rel=1e-6)


def test_an_event_is_the_same_alone_and_among_many(toy, tmp_path) -> None:
    model = changed(toy, tmp_path, "LikelihoodD")
    X = np.tile(events(), (30, 1))  # more than one block
    together = model.predict(X)
    assert together[:300].tolist() == together[-300:].tolist()
    assert [float(model.predict(X[i : i + 1])[0]) for i in range(50)] == together[:50].tolist()
    assert model.predict(X[:0]).shape == (0,)


def test_each_class_has_its_own_transformation(toy, tmp_path) -> None:
    model = changed(toy, tmp_path, "LikelihoodD")
    X = events()
    by_class = np.stack([model.chain.apply(X, 0), model.chain.apply(X, 1)])
    assert not np.array_equal(by_class[0], by_class[1])
    of = [d(x) for d, x in zip(model.state.densities, by_class, strict=True)]
    assert model.predict(X) == pytest.approx(of[0] / (of[0] + of[1]))


def test_the_class_called_signal_is_signal(toy, tmp_path) -> None:
    X = events()
    usual = changed(toy, tmp_path, "LikelihoodD")
    swapped = changed(toy, tmp_path, "LikelihoodD", background_first)
    assert swapped.classes == ("Background", "Signal")
    assert swapped.state.places == (1, 0)
    # the blocks of the transformation did change places
    by_class = [usual.chain.apply(X, 1), usual.chain.apply(X, 0)]
    of = [d(x) for d, x in zip(usual.state.densities, by_class, strict=True)]
    assert swapped.predict(X) == pytest.approx(of[0] / (of[0] + of[1]))


def test_variables_without_a_type_are_not_interpolated(toy, tmp_path) -> None:
    stairs = changed(toy, tmp_path, "Likelihood", set_to("Variables/Variable[2]", Type="N"))
    assert stairs.state.steps == (False, True, False, False)
    X = events()
    assert not np.array_equal(stairs.predict(X), changed(toy, tmp_path, "Likelihood").predict(X))


def test_a_file_is_written_as_it_was_read(toy, tmp_path) -> None:
    model = changed(toy, tmp_path, "LikelihoodKDE")
    copy = model.save(tmp_path / "copy.weights.xml")
    again = Model.load(copy)
    assert again.predict(events()).tolist() == model.predict(events()).tolist()
    assert again.save(tmp_path / "again.weights.xml").read_bytes() == copy.read_bytes()
    ours, theirs = tree(toy, "LikelihoodKDE").find("Weights"), load_tree(copy).find("Weights")
    assert [(e.tag, *sorted(e.attrib)) for e in ours.iter()] == [(e.tag, *sorted(e.attrib)) for e in theirs.iter()]
    assert [e.get("Name") for e in ours.iter() if e.get("Name")] == [
        e.get("Name") for e in theirs.iter() if e.get("Name")
    ]


def load_tree(path: Path) -> ET.Element:
    return ET.parse(path).getroot()


def test_options_of_densities_are_kept_where_a_file_has_them(toy, tmp_path) -> None:
    """Those of TMVA 4.0 did; today each density says how it was made."""

    def older(root: ET.Element) -> None:
        options = root.find("Options")
        ET.SubElement(options, "Option", name="NSmooth", modified="Yes").text = "3"
        ET.SubElement(
            options, "Option", name="PDFInterpol", size="4", modified="Yes"
        ).text = "Spline2 KDE Spline2 Spline5"
        ET.SubElement(options, "Option", name="NSmoothSig", size="4", modified="No").text = "0 0 0 0"

    model = changed(toy, tmp_path, "Likelihood", older)
    assert model.method.options.smooth == 3
    assert model.method.options.interpolation.resolve(4, "PDFInterpol") == ["Spline2", "KDE", "Spline2", "Spline5"]
    found = {o.get("name"): o for o in load_tree(model.save(tmp_path / "b.weights.xml")).findall("Options/Option")}
    assert (found["PDFInterpol"].text, found["PDFInterpol"].get("size")) == ("Spline2 KDE Spline2 Spline5", "4")
    assert found["NSmoothSig"].text == "0 0 0 0"
    assert "Nbins" not in found  # TMVA refuses a file that says more than it does


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (set_to("Weights", NVariables="5"), "4 variables"),
        (set_to("Weights", NClasses="3"), "2 classes"),
        (set_to("Weights", NVariables="9" * 30), "NVariables"),
        (without("Weights", "NClasses"), "NClasses"),
        (without(SIGNAL), "lacks the <PDFDescriptor> of variable 0 and class 0"),
        (doubled(SIGNAL), "two <PDFDescriptor> of variable 0"),
        (set_to(SIGNAL, VarIndex="4"), "VarIndex"),
        (set_to(SIGNAL, ClassIndex="-1"), "ClassIndex"),
        (without(f"{SIGNAL}/PDF"), "lacks <PDF>"),
        (without(f"{SIGNAL}/PDF/Histogram"), "lacks <Histogram>"),
        (without(f"{SIGNAL}/PDF/Histogram", "Name"), "'Name'"),
        (set_to(f"{SIGNAL}/PDF/Histogram", NBins="2000000000"), "NBins"),
        (set_to(f"{SIGNAL}/PDF/Histogram", NBins="23"), "should hold 23 numbers"),
        (set_to(f"{SIGNAL}/PDF/Histogram", XMax="nan"), "XMax"),
        (set_to(f"{SIGNAL}/PDF/Histogram", XMax="-99"), "range"),
        (set_to(f"{SIGNAL}/PDF", MaxNSmooth="1000000000"), "MaxNSmooth"),
        (set_to(f"{SIGNAL}/PDF", InterpolMethod="6"), "InterpolMethod"),
        (text(f"{SIGNAL}/PDF/Histogram", "nan " * 24), "finite"),
        (text(f"{SIGNAL}/PDF/Histogram", "a " * 24), "not a number"),
    ],
)
def test_damaged_files_are_refused(toy, tmp_path, change, word: str) -> None:
    with pytest.raises(WeightFileError, match=word):
        changed(toy, tmp_path, "Likelihood", change)


def test_it_is_not_trained() -> None:
    with pytest.raises(MethodError, match="Likelihood"):
        Likelihood(LikelihoodOptions()).fit(None, None)


def test_options_are_tmva_s() -> None:
    options = LikelihoodOptions.parse(
        "TransformOutput:NSmoothSig[0]=20:NSmoothBkg[1]=10:PDFInterpolSig[2]=KDE:KDEborder=Mirror"
    )
    assert options.transform_output
    assert options.smooth_signal.resolve(3, "NSmoothSig") == [20, -1, -1]
    assert options.interpolation_signal.resolve(3, "PDFInterpolSig") == ["Default", "Default", "KDE"]
    assert (options.events_per_bin, options.smooth, options.kernel_border) == (50, 0, "Mirror")
    with pytest.raises(OptionError, match="PDFInterpol"):
        LikelihoodOptions.parse("PDFInterpol=Spline7")


def test_values_that_are_none_are_refused(toy, tmp_path) -> None:
    model = load(tree(toy, "Likelihood"), tmp_path)
    with pytest.raises(DataError, match="sum"):
        model.predict(np.float32([[np.nan, 0, 0, 0]]))
    assert np.isfinite(model.predict(np.float32([[np.inf, -np.inf, 3e38, -3e38]]))).all()

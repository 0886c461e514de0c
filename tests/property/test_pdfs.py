"""What holds of every PDF: it is positive, its integral is one, and files and other scales do not change it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mvakit.pdfs import Border, Interpolation, Kernel, Pdf, Recipe, ResponsePdfs

contents = hnp.arrays(np.float64, st.integers(3, 40), elements=st.integers(0, 200).map(float)).filter(
    lambda c: np.count_nonzero(c[:-1]) > 1
)
splines = st.sampled_from([i for i in Interpolation if i is not Interpolation.KDE])


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    low = draw(st.integers(0, 3))
    kernel = Kernel(draw(st.booleans()), draw(st.sampled_from(Border)), draw(st.sampled_from([0.5, 1.0, 1.5])))
    return Recipe(draw(st.sampled_from(Interpolation)), low, draw(st.integers(low, 4)), kernel)


@given(contents, recipes(), st.floats(-3.0, 3.0), st.floats(0.5, 10.0))
@settings(deadline=None, max_examples=60)
def test_every_density(contents: np.ndarray, recipe: Recipe, low: float, width: float) -> None:
    pdf = Pdf(low, low + width, contents, recipe)
    assert abs(pdf.fine.sum() * width / pdf.fine.size - 1) < 1e-5
    x = np.linspace(low - width, low + 2 * width, 301)
    assert pdf(x).min() >= 1e-12
    shares = pdf.integral(x)
    assert np.all(np.diff(shares) >= 0)
    assert shares[0] == 0
    assert 1 - 1e-5 < shares[-1] <= 1

    parent = ET.Element("Weights")
    pdf.write(parent, "name", "histogram")
    again = Pdf.read(ET.fromstring(ET.tostring(parent))[0])
    assert again.recipe == recipe
    np.testing.assert_array_equal(again(x), pdf(x))


@given(contents, splines, st.integers(0, 3))
@settings(deadline=None, max_examples=40)
def test_a_spline_does_not_depend_on_the_scale_of_the_contents(
    contents: np.ndarray, kind: Interpolation, passes: int
) -> None:
    one, other = (Pdf(0.0, 1.0, c, Recipe(kind, passes, passes)) for c in (contents, 64 * contents))
    np.testing.assert_allclose(one.smoothed * 64, other.smoothed, rtol=1e-6)
    np.testing.assert_allclose(one.fine, other.fine, rtol=1e-5, atol=1e-10)


@given(st.integers(0, 2**31), splines, st.integers(0, 64).map(lambda k: k / 64))
@settings(deadline=None, max_examples=20)
def test_probabilities_exchange_with_the_classes(seed: int, kind: Interpolation, fraction: float) -> None:
    random = np.random.default_rng(seed)
    is_signal = np.arange(600) % 2 == 0
    scores = random.normal(np.where(is_signal, 1.0, 0.0))
    pair = [ResponsePdfs.fit(scores, chosen, None, Recipe(kind), bins=15) for chosen in (is_signal, ~is_signal)]
    x = random.uniform(-4, 5, 50)
    probability = pair[0].probability(x, fraction)
    assert np.all((probability >= 0) & (probability <= 1))
    np.testing.assert_allclose(probability + pair[1].probability(x, 1 - fraction), 1.0, rtol=1e-9)

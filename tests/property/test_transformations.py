from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mvakit.dataset import Sample
from mvakit.errors import TransformationError
from mvakit.evaluation.smoothing import smooth
from mvakit.transformations import Chain, fit_chain, parse_chain
from mvakit.transformations.linear import symmetric_eigen
from mvakit.transformations.sketch import stable_order
from mvakit.variables import Variable

VARIABLES = [Variable(f"x{i}", f"v{i}") for i in range(3)]
CLASSES = ("Signal", "Back_ground")
NAMES = ["I", "Deco", "PCA", "Uniform", "G", "Normalise"]

single = st.floats(-1e6, 1e6, width=32)
steps = st.builds(
    lambda name, subset, suffix: name + ("" if name == "I" else subset) + suffix,
    st.sampled_from(NAMES),
    st.sampled_from(["", "(v0,v2)", "(_V_)", "(x1,_V0_)"]),
    st.sampled_from(["", "_Signal", "_Back_ground", "_AllClasses"]),
)
chains = st.lists(steps, min_size=1, max_size=4).flatmap(
    lambda names: st.sampled_from([",".join(names), "+".join(names), " , ".join(names)])
)


@st.composite
def samples(draw):
    """Correlated events with weights, some of them negative, on any scale."""
    seed = draw(st.integers(0, 2**32 - 1))
    n = draw(st.integers(20, 300))
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)) @ rng.normal(size=(3, 3)) * 10.0 ** rng.integers(-3, 4, 3) + rng.normal(size=3)
    if draw(st.booleans()):
        X = np.sign(X) * np.floor(np.abs(X)) + rng.normal(size=X.shape) * draw(st.sampled_from([0.0, 1e-3]))
    weight = rng.uniform(0.1, 2, n)
    weight[::7] *= draw(st.sampled_from([1.0, -0.1]))
    return Sample(X.astype(np.float32), np.arange(n) % 2, weight)


@settings(deadline=None, max_examples=40)
@given(chains, samples())
def test_whatever_can_be_made_is_finite_local_and_survives_the_file(text, train):
    try:
        chain = fit_chain(text, train, VARIABLES, CLASSES)
    except TransformationError:
        assume(False)
    result = chain.apply(train.X)
    assert result.shape == train.X.shape
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    half = len(train) // 2
    np.testing.assert_array_equal(np.vstack([chain.apply(train.X[:half]), chain.apply(train.X[half:])]), result)
    back = Chain.read(ET.fromstring(ET.tostring(chain.write())), text, VARIABLES, CLASSES)
    assert back.suffix == chain.suffix
    np.testing.assert_array_equal(back.apply(train.X), result)
    for i in range(2):
        np.testing.assert_array_equal(back.apply(train.X, i), chain.apply(train.X, i))


@settings(deadline=None)
@given(chains)
def test_a_chain_that_parses_says_what_was_written(text):
    parsed = parse_chain(text, VARIABLES, CLASSES)
    assert re.sub(r"[ ,+]", "", "".join(step.text for step in parsed)) == re.sub(r"[ ,+]", "", text)
    assert parse_chain("+".join(step.text for step in parsed), VARIABLES, CLASSES) == parsed


@settings(deadline=None)
@given(st.text(alphabet="IDPUGN_(),+ VT01vxSignal", max_size=25))
def test_any_text_is_a_chain_or_refused(text):
    try:
        parsed = parse_chain(text, VARIABLES, CLASSES)
    except TransformationError:
        return
    assert all(step.selection.kinds <= {"Variable"} for step in parsed)
    assert all(step.reference in {None, 0, 1} for step in parsed)


@settings(deadline=None, max_examples=40)
@given(samples(), st.sampled_from(["N", "U", "G"]))
def test_single_values_keep_their_order(train, letter):
    train = train.with_weight(np.abs(train.weight))
    try:
        chain = fit_chain(letter, train, VARIABLES, CLASSES)
    except TransformationError:
        assume(False)
    result = chain.apply(train.X)
    for i in range(3):
        assert np.all(np.diff(result[np.argsort(train.X[:, i], kind="stable"), i]) >= 0)


@settings(deadline=None, max_examples=40)
@given(samples())
def test_normalising_a_target_and_back(train):
    targets = [Variable(f"t{i}", f"t{i}") for i in range(3)]
    train = Sample(train.X, train.class_index * 0, train.weight, train.X)
    try:
        chain = fit_chain("N(_T_)", train, VARIABLES, ("Regression",), targets)
    except TransformationError:
        assume(False)
    there = chain.apply_targets(train.targets)
    assert np.all(np.abs(there) <= 1 + 1e-6)
    width = np.ptp(train.targets, axis=0) + np.abs(train.targets).max(axis=0)
    assert np.all(np.abs(chain.invert_targets(there) - train.targets) <= 1e-6 * width)


@settings(deadline=None)
@example(np.array([[1e-311, 1.0], [1e-311, 1e-311], [0.0, 0.0], [0.0, 0.0]]))  # overflowed in the first rotation
@given(hnp.arrays(np.float64, st.integers(1, 6).map(lambda n: (n + 2, n)), elements=st.floats(-100, 100)))
def test_eigenvectors(rows):
    matrix = rows.T @ rows
    values, vectors = symmetric_eigen(matrix)
    scale = np.abs(matrix).max() or 1.0
    assert np.all(np.diff(values) <= 0)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(len(matrix)), atol=1e-12)
    np.testing.assert_allclose((vectors * values) @ vectors.T, matrix, atol=1e-12 * scale)


@given(hnp.arrays(np.float64, st.integers(1, 40), elements=st.integers(0, 1000)))
def test_smoothing_keeps_flat_and_positive_what_is_so(contents):
    result = smooth(contents)
    assert np.all(result >= 0)
    np.testing.assert_array_equal(smooth(np.full_like(contents, contents[0])), contents[0])
    np.testing.assert_allclose(smooth(4 * contents), 4 * result)


@given(hnp.arrays(np.float32, st.integers(1, 200), elements=st.one_of(single, st.sampled_from([0.0, -0.0, 1.0, -1.0]))))
def test_the_order_of_equal_values_is_kept(values):
    np.testing.assert_array_equal(stable_order(values), np.argsort(values, kind="stable"))

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from mvakit.dataset import Sample
from mvakit.errors import TransformationError, WeightFileError
from mvakit.evaluation.moments import Moments
from mvakit.evaluation.smoothing import smooth
from mvakit.transformations import Chain, fit_chain, linear, parse_chain, parse_list
from mvakit.transformations.chain import CHUNK
from mvakit.transformations.cumulative import Cumulative
from mvakit.transformations.linear import symmetric_eigen
from mvakit.variables import Variable, define

VARIABLES = [define("sum := var1+var2"), define("diff := var1-var2"), define("var3"), define("var4")]
TARGETS = [define("mass"), define("pt")]
SPECTATORS = [define("eta"), define("njet")]
CLASSES = ("Signal", "Background")

# fmt: off
# what ROOT 6.40 makes of these: TMatrixDSymEigen and TH1D::Smooth
ROOT_VALUES = [6.98934153176, 3.60257440034, 2.36094542697, 1.04713864093]
ROOT_VECTORS = [
    [0.600760433742, -0.227179602505, -0.717499498688, -0.26957521926],
    [0.213018822872, -0.793935388458, 0.234822461093, 0.518794749224],
    [-0.729168545327, -0.504917573633, -0.328740403918, -0.324501499493],
    [0.249044403387, -0.251225538104, 0.567435131077, -0.743558999788],
]
ROOT_SMOOTHED = [
    ([1, 2], [1, 2]),
    ([5, 1, 4], [4.0, 4.0, 4.0]),
    ([0, 9, 2, 3], [0.0, 1.75, 2.75, 3.0]),
    ([1, 2, 2, 2, 1, 0], [2.0, 2.0, 2.0, 1.75, 1.0, 0.0]),
    ([3, 5, 5, 5, 2, 7, 1, 1], [5.0, 5.0, 5.0, 5.0, 4.25, 2.5, 1.25, 1.0]),
    ([0, 3, 8, 8, 8, 4, 4, 1, 9, 0, 2, 6], [0.0, 3.5, 7.20833333333, 9.04166666667, 7.58333333333, 4.875, 3.875, 3.5, 2.5, 2.0, 2.0, 2.0]),
    ([-1, 4, 2, 8, -5, 7, 7, 7, 3, 1.5], [-1.0, 1.25, 2.5, 4.25, 6.25, 7.0, 7.0, 6.0, 3.625, 1.5]),
    ([2, 1, 1, 1, 4, 4, 4, 9, 0, 0], [1.0, 1.0, 1.0, 1.75, 3.25, 4.0, 4.0, 3.0, 1.0, 0.0]),
    ([9, 6, 3, 2, 9, 2, 5, 6, 2, 3, 7], [9.0, 5.92708333333, 3.23958333333, 2.0, 2.61979166667, 4.10590277778, 4.88368055556, 4.37673611111, 3.41666666667, 3.0, 3.0]),
    ([1, 6, 0, 5, 0, 0, 2, 7, 4], [1.0, 1.13541666667, 1.07638888889, 0.423611111111, 0.0, 0.427083333333, 2.0, 3.5, 4.0]),
    ([6, 0, 9, 4, 8, 7, 2, 3, 6], [6.0, 5.92708333333, 6.40625, 7.66666666667, 8.0, 6.23958333333, 3.92708333333, 3.0, 3.0]),
    ([2, 2, 15, 9, 11], [2, 3.75, 7.75, 10.5, 11]),
    ([12, 14, 0, 9, 2, 8], [12, 11.25, 9.5, 8.25, 8, 8]),
    ([18, 10, 1, 10, 2, 15, 18], [10, 10, 10, 10, 11.25, 14.5, 18]),
    ([19, 12, 17, 7, 2, 10, 8, 13], [19, 15.8541666667, 11.0625, 7, 5.33333333333, 6.39583333333, 9.60416666667, 13]),
    ([19, 5, 17, 2, 6, 15, 4, 13, 9], [19, 14.75, 8.75, 6, 6, 6.75, 8.25, 9, 9]),
    ([10, 18, 16, 16, 10, 19, 19, 2, 4], [16, 16, 16, 16, 16, 16, 13, 7, 4]),
]
# fmt: on


def sample(n: int = 400, seed: int = 3, n_classes: int = 2, n_targets: int = 0) -> Sample:
    rng = np.random.default_rng(seed)
    mixing = np.array([[1.0, 0.5, 0, 0], [0, 1, 0.3, 0], [0, 0, 1, -0.4], [0.2, 0, 0, 2]])
    X = (rng.normal(size=(n, 4)) @ mixing + [1, -2, 0, 10]).astype(np.float32)
    which = np.arange(n) % n_classes
    X[which == 1] *= 1.5
    targets = rng.gamma(2.0, size=(n, n_targets)).astype(np.float32)
    spectators = {"eta": rng.normal(size=n).astype(np.float32), "njet": rng.integers(0, 5, n)}
    return Sample(X, which, rng.uniform(0.5, 2, n), targets, spectators)


def fit(text: str, train: Sample | None = None, classes=CLASSES, **more) -> Chain:
    train = sample(n_classes=len(classes)) if train is None else train
    return fit_chain(text, train, VARIABLES, classes, **more)


def again(chain: Chain, classes=CLASSES, **more) -> Chain:
    return Chain.read(ET.fromstring(ET.tostring(chain.write())), chain.text, VARIABLES, classes, **more)


# ------------------------------------------------------------------------------------------------- the grammar


@pytest.mark.parametrize(
    ("letter", "names"),
    [
        ("I", "I Ident Identity"),
        ("D", "D Deco Decorrelate"),
        ("P", "P PCA"),
        ("U", "U Uniform"),
        ("G", "G Gauss"),
        ("N", "N Norm Normalise Normalize"),
    ],
)
def test_every_name_of_tmva_is_known(letter, names):
    for name in names.split():
        (step,) = parse_chain(name, VARIABLES, CLASSES)
        assert (step.letter, step.text, step.reference) == (letter, name, None)
        assert step.selection.labels == ["sum", "diff", "var3", "var4"]


@pytest.mark.parametrize("text", ["", "None", "  None "])
def test_no_transformation(text):
    assert parse_chain(text, VARIABLES, CLASSES) == ()


@pytest.mark.parametrize("text", ["G,D", "G+D", " G , D "])
def test_both_separators_chain(text):
    assert [step.letter for step in parse_chain(text, VARIABLES, CLASSES)] == ["G", "D"]


@pytest.mark.parametrize(
    ("subset", "labels"),
    [
        ("var3,sum", ["sum", "var3"]),  # in the order of the data set
        ("var1+var2", ["sum"]),
        (" var1 - var2 , var4", ["diff", "var4"]),
        ("_V_", ["sum", "diff", "var3", "var4"]),
        ("_V0_,_V3_", ["sum", "var4"]),
        ("_V2_,var3", ["var3"]),
        ("_T_", ["mass", "pt"]),
        ("_T1_,sum", ["sum", "pt"]),
        ("_S_", ["eta", "njet"]),
        ("_S1_,_T0_,_V1_", ["diff", "mass", "njet"]),
    ],
)
def test_subsets(subset, labels):
    (step,) = parse_chain(f"N({subset})", VARIABLES, CLASSES, TARGETS, SPECTATORS)
    assert step.selection.labels == labels
    assert step.selection.inputs == step.selection.outputs


def test_expressions_with_brackets_and_commas_can_be_selected():
    variables = [define("m := max(abs(a),b)"), define("x[1]"), define("b")]
    first, second = parse_chain("N(max(abs(a),b),x[1])+D(b,m)_Signal", variables, CLASSES)
    assert first.selection.labels == ["m", "x[1]"]
    assert (second.selection.labels, second.reference) == (["m", "b"], 0)


def test_a_label_goes_before_an_expression_and_a_variable_before_a_target():
    variables = [define("a := b"), define("b := a"), define("c")]
    (step,) = parse_chain("N(a,c)", variables, CLASSES, targets=[define("c")])
    assert [(e.kind, e.index) for e in step.selection.inputs] == [("Variable", 0), ("Variable", 2)]


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("D_Signal", 0),
        ("D_Background", 1),
        ("D_AllClasses", None),
        ("D(sum,diff)_Background", 1),
        ("D_Signal(sum,diff)", 0),
    ],
)
def test_reference_class(text, reference):
    (step,) = parse_chain(text, VARIABLES, CLASSES)
    assert step.reference == reference
    assert len(step.selection) == (2 if "(" in text else 4)


def test_class_names_that_tmva_cuts():
    classes = ("bg", "bg_0", "W+jets", "t,x (semi)")
    steps = parse_chain("D_bg_0,D_bg+P_W+jets,N_t,x (semi)", VARIABLES, classes)
    assert [(step.letter, step.reference) for step in steps] == [("D", 1), ("D", 0), ("P", 2), ("N", 3)]


def test_normalize_and_uniform_take_the_targets_along():
    for letter in "IDPG":
        assert parse_chain(letter, VARIABLES, CLASSES, TARGETS)[0].selection.kinds == {"Variable"}
    for letter in "NU":
        assert parse_chain(letter, VARIABLES, CLASSES, TARGETS)[0].selection.labels[-2:] == ["mass", "pt"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Decorelate", "'Decorelate' is not known in VarTransform='Decorelate': did you mean 'Decorrelate'"),
        ("n", "the transformation 'n' is not known"),
        ("G,,D", "a transformation is missing in VarTransform='G,,D'"),
        ("G,", "a transformation is missing"),
        ("D_Signl", "the class 'Signl' in VarTransform='D_Signl' is not known: did you mean 'Signal'"),
        ("N(vr3)", "the variable 'vr3' in VarTransform='N\\(vr3\\)' is not known: did you mean 'var3'"),
        ("N(var1)", "the variable 'var1' .* is not known"),
        ("N()", "the variable '' "),
        ("N(_V4_)", "_V4_ .* there are 4 variables, counted from 0"),
        ("N(_T_)", "there are no targets"),
        ("N(_S0_)", "there are no spectators"),
        ("N(sum", "the bracket of '\\(sum' is not closed"),
        ("N(sum)(diff)", "one thing too many"),
        ("D_Signal_Background", "the class 'Signal_Background' .* did you mean 'Background' or 'Signal'"),
        ("I(sum)", "the identity 'I' takes no subset"),
        ("N(sum)x", "'x' is one thing too many"),
    ],
)
def test_a_wrong_chain_is_refused_by_name(text, message):
    with pytest.raises(TransformationError, match=message):
        parse_chain(text, VARIABLES, CLASSES)


def test_kinds_are_not_mixed_by_rotations():
    for letter in "DP":
        with pytest.raises(TransformationError, match="mixes its inputs"):
            parse_chain(f"{letter}(_V_,_T_)", VARIABLES, CLASSES, TARGETS)


def test_list_of_chains():
    assert parse_list("I;D; P ;G,D;", VARIABLES, CLASSES) == ("I", "D", "P", "G,D")
    assert parse_list("", VARIABLES, CLASSES) == ()
    with pytest.raises(TransformationError, match="'Q'"):
        parse_list("I;Q", VARIABLES, CLASSES)


# ---------------------------------------------------------------------------------------------------- Identity


def test_identity_changes_nothing_and_leaves_a_place_in_the_suffix():
    train = sample()
    chain = fit("I,N", train)
    assert chain.suffix == "Id_Norm"
    assert chain.write().get("NTransformations") == "2"
    assert len(chain.write()) == 1
    back = again(chain)
    assert (back.suffix, len(back)) == ("Id_Norm", 2)
    assert fit("I", train).apply(train.X) is train.X
    (identity,) = fit("I", train)
    assert identity.kinds() == frozenset()
    assert identity.transform(train.X, np.arange(4), 2) is identity.invert(train.X, np.arange(4), 2) is train.X


def test_an_empty_chain():
    chain = fit("None")
    assert (len(chain), bool(chain), chain.suffix, chain.text) == (0, False, "Id", "None")
    assert ET.tostring(chain.write()) == b'<Transformations NTransformations="0" />'
    np.testing.assert_array_equal(chain.apply([[1, 2, 3, 4]]), np.array([[1, 2, 3, 4]], np.float32))
    assert chain.apply([[1, 2, 3, 4]]).dtype == np.float32


@pytest.mark.parametrize(
    ("text", "suffix"),
    [("D", "Deco"), ("P", "PCA"), ("U", "Uniform"), ("G", "Gauss"), ("N", "Norm"), ("G,D", "Gauss_Deco")],
)
def test_suffix_is_that_of_tmvas_directories(text, suffix):
    chain = fit(text)
    assert chain.suffix == suffix
    assert [type(step).letter for step in chain] == list(text.replace(",", ""))


# --------------------------------------------------------------------------------------------------- Normalize


def test_normalize_maps_the_range_of_its_class():
    train = sample()
    for text, which in [
        ("N", slice(None)),
        ("N_Signal", train.class_index == 0),
        ("N_Background", train.class_index == 1),
    ]:
        result = fit(text, train).apply(train.X)[which]
        np.testing.assert_array_equal(result.min(axis=0), -1)
        np.testing.assert_allclose(result.max(axis=0), 1, rtol=2e-7)


def test_normalize_is_linear_beyond_its_range():
    train = Sample(np.array([[0, 0], [4, 10]], np.float32), np.zeros(2, int), np.ones(2))
    chain = fit_chain("N", train, VARIABLES[:2], ["one"])
    np.testing.assert_array_equal(chain.apply([[1, 15], [8, -10]]), [[-0.5, 2], [3, -3]])


def test_a_subset_leaves_the_others_alone():
    train = sample()
    result = fit("N(var3)", train).apply(train.X)
    np.testing.assert_array_equal(result[:, [0, 1, 3]], train.X[:, [0, 1, 3]])
    np.testing.assert_array_equal(result[:, 2], fit("N", train).apply(train.X)[:, 2])


def test_class_index_overrides_the_reference_class():
    train = sample()
    for letter in "NDPUG":
        plain, signal = fit(letter, train), fit(f"{letter}_Signal", train)
        np.testing.assert_array_equal(plain.apply(train.X, 0), signal.apply(train.X))
        np.testing.assert_array_equal(plain.apply(train.X, 1), signal.apply(train.X, 1))
        assert not np.array_equal(plain.apply(train.X), signal.apply(train.X))
        with pytest.raises(TransformationError, match="there are 2 classes"):
            plain.apply(train.X, 2)


# ----------------------------------------------------------------------------------------------- Decorrelation


def weighted_covariance(x, w):
    mean = np.average(x, axis=0, weights=w)
    return np.cov(x.T.astype(float), aweights=w, bias=True), mean


def test_decorrelation_is_the_inverse_root_of_the_weighted_covariance():
    train = sample()
    for text, which in [("D", slice(None)), ("D_Background", train.class_index == 1)]:
        matrix, _ = weighted_covariance(train.X[which], train.weight[which])
        values, vectors = np.linalg.eigh(matrix)
        root = vectors @ np.diag(values**-0.5) @ vectors.T
        chain = fit(text, train)
        expected = train.X.astype(float) @ root
        np.testing.assert_allclose(chain.apply(train.X), expected, rtol=1e-5, atol=1e-6)
        after, _ = weighted_covariance(chain.apply(train.X)[which], train.weight[which])
        np.testing.assert_allclose(after, np.eye(4), atol=1e-5)


def test_decorrelation_refuses_what_has_no_inverse():
    train = sample()
    X = train.X.copy()
    X[:, 3] = X[:, 0] + X[:, 1]
    with pytest.raises(TransformationError, match="D: 'sum', 'diff', 'var4' depend on each other linearly"):
        fit("D", train.with_inputs(X))
    X = train.X.copy()
    X[:, 2] = 7
    with pytest.raises(TransformationError, match=r"'var3' is always 7 .* 'D\(sum,diff,var4\)'"):
        fit("D", train.with_inputs(X))
    X = train.X * np.array([1e9, 1, 1, 1], np.float32)
    with pytest.raises(TransformationError, match=r"'sum' varies by .* 'N,D'"):
        fit("D", train.with_inputs(X))
    assert fit("N,D", train.with_inputs(X))


def test_weights_that_leave_no_covariance():
    train = sample()
    with pytest.raises(TransformationError, match="weights of the events of class 'Signal' sum to -"):
        fit("D", train.with_weight(np.where(train.class_index == 0, -1.0, 5.0)))
    with pytest.raises(TransformationError, match="weights of the training events sum to 0"):
        fit("U", Sample(train.X, train.class_index * 0, np.zeros(400)), classes=("one",))
    for direction, message in (
        ([1, 0, 0, 0], "leave 'sum' no positive"),
        ([1, 1, 0, 0], "a combination of 'sum', 'diff'"),
    ):
        X = np.random.default_rng(1).normal(size=(2000, 4)).astype(np.float32)
        weight = np.where(np.abs(X @ direction) > 1.7 * np.hypot(*direction[:2]), -4.0, 2.0)
        with pytest.raises(TransformationError, match=message):
            fit("D", Sample(X, np.zeros(2000, int), weight), classes=("one",))


def test_covariance_does_not_lose_digits_to_a_large_mean():
    x = np.array([[4096.0, 0], [4097, 1], [4098, 2]], np.float32) * 1024
    moments = Moments(Moments.near(x))
    moments.add(x)
    np.testing.assert_array_equal(moments.mean, [4097 * 1024, 1024])
    np.testing.assert_allclose(moments.covariance, np.full((2, 2), 2 / 3 * 1024**2), rtol=1e-15)


# --------------------------------------------------------------------------------------------------------- PCA


def test_principal_components_are_uncorrelated_ordered_and_ignore_weights():
    train = sample()
    result = fit("P", train).apply(train.X)
    np.testing.assert_allclose(result.mean(axis=0), 0, atol=1e-5)
    matrix = np.cov(result.T, bias=True)
    np.testing.assert_allclose(matrix - np.diag(np.diag(matrix)), 0, atol=1e-5)
    assert np.all(np.diff(np.diag(matrix)) < 0)
    np.testing.assert_array_equal(result, fit("P", train.with_weight(np.ones(len(train)))).apply(train.X))


def test_eigenvectors_have_the_signs_of_root():
    matrix = np.array([[4, 1, -2, 0.5], [1, 3, 0, 1], [-2, 0, 5, -1], [0.5, 1, -1, 2.0]])
    values, vectors = symmetric_eigen(matrix)
    np.testing.assert_allclose(values, ROOT_VALUES, rtol=1e-11)
    np.testing.assert_allclose(vectors, ROOT_VECTORS, rtol=1e-10)
    np.testing.assert_allclose(symmetric_eigen(np.diag([1.0, 3.0, 2.0]))[1], np.eye(3)[:, [1, 2, 0]])
    np.testing.assert_array_equal(symmetric_eigen(np.zeros((2, 2)))[0], 0)


def test_a_search_for_eigenvalues_ends(monkeypatch):
    monkeypatch.setattr(linear, "MAX_ITERATIONS", 1)
    with pytest.raises(TransformationError, match="eigenvalues of a covariance matrix were not found"):
        symmetric_eigen([[4, 1, -2, 0.5], [1, 3, 0, 1], [-2, 0, 5, -1], [0.5, 1, -1, 2.0]])


def test_principal_components_need_two_variables_that_vary():
    with pytest.raises(TransformationError, match="need two variables, not 1"):
        fit("P(var3)")
    train = sample()
    with pytest.raises(TransformationError, match="no variable varies among the training events"):
        fit("P", train.with_inputs(np.ones_like(train.X)))


# ------------------------------------------------------------------------------------------- Uniform and Gauss


@pytest.mark.parametrize(("contents", "expected"), ROOT_SMOOTHED)
def test_smoothing_is_that_of_root(contents, expected):
    np.testing.assert_allclose(smooth(contents), expected, rtol=1e-11)


def plain_edges(values, weight):
    """The bins of TMVA's cumulative distributions, as a plain loop in single precision."""
    total = np.float32(0)
    for w in weight:
        total += w
    least = max(weight.min() * np.float32(10), total / np.float32(2000))
    pairs = sorted(zip(values, weight, strict=True), key=lambda pair: pair[0])
    last = pairs[0][0]
    edges = [last - np.float32(1e-4), last]
    content = np.float32(0)
    for value, w in pairs:
        content += w
        if content >= least and value > last:
            edges.append(value)
            last, content = value, np.float32(0)
    if content != 0:
        edges.append(pairs[-1][0])
    return edges


@pytest.mark.parametrize("kind", ["equal", "exact", "one left", "weighted", "ties", "many", "huge"])
def test_bins_of_a_cumulative_distribution(kind):
    rng = np.random.default_rng(8)
    n = {"many": 30_000, "one left": 701}.get(kind, 700)
    values = rng.normal(size=n).astype(np.float32)
    weight = rng.uniform(0.1, 3, n).astype(np.float32) if kind in {"weighted", "many"} else np.full(n, 0.7, np.float32)
    weight[-1] += 3000 * (kind == "many")
    if kind in {"exact", "one left"}:  # the last event ends the last bin, or is alone in it
        weight = np.ones(n, np.float32)
    if kind == "ties":
        values = np.round(values)
    if kind == "huge":
        values = np.round(values * 1e4) + np.float32(1e6)  # where the margin of 1e-4 is lost to rounding
    order = np.argsort(values, kind="stable")
    found = Cumulative.fit(values, weight.astype(float), order)
    edges = np.array(plain_edges(values, weight), np.float32)
    np.testing.assert_array_equal(found.edges, edges)

    filled = np.zeros(edges.size - 1, np.float32)
    for value, w in zip(values, weight, strict=True):
        bins = [b for b in range(edges.size - 1) if edges[b] <= value < edges[b + 1] or edges[b] == value < edges[-1]][
            :1
        ]
        filled[bins] += w
        if kind == "many":
            break
    if kind != "many":
        contents = smooth(filled).astype(np.float32).astype(float)
        np.testing.assert_array_equal(found.contents, (np.cumsum(contents) / contents.sum()).astype(np.float32))


def test_uniform_is_the_share_of_weight_below():
    train = sample(20_000)
    for text, which in [("U", slice(None)), ("U_Signal", train.class_index == 0)]:
        x, w = train.X[which], train.weight[which]
        result = fit(text, train).apply(x)
        for i in range(4):
            order = np.argsort(x[:, i])
            share = np.cumsum(w[order]) / w.sum()
            assert np.abs(result[order, i] - share).max() < 2e-3
            assert np.all(np.diff(result[order, i]) >= 0)


def test_gauss_is_normal_and_bounded():
    train = sample(20_000)
    result = fit("G", train).apply(train.X)
    mean, variance = (
        np.average(result, axis=0, weights=train.weight),
        np.average(result**2, axis=0, weights=train.weight),
    )
    np.testing.assert_allclose(mean, 0, atol=5e-3)
    np.testing.assert_allclose(variance, 1, atol=2e-2)
    far = fit("G", train).apply([[1e30, -1e30, np.inf, -np.inf]])
    # sqrt(2) erfinv(0.99999999), by scipy.stats.norm.ppf(0.999999995)
    np.testing.assert_allclose(far, [[5.7307288683, -5.7307288683, 5.7307288683, -5.7307288683]], rtol=1e-6)
    far = fit("U", train).apply([[1e30, -1e30, np.inf, -np.inf]])
    np.testing.assert_array_equal(far, np.array([[1 - 1e-9, 1e-9, 1 - 1e-9, 1e-9]], np.float32))


def test_the_distribution_of_a_constant_is_a_step():
    for value in (3.0, 3e6):  # the margin of the first bin shows, or not
        values = np.full(12, value, np.float32)
        step = Cumulative.fit(values, np.ones(12), np.arange(12))
        np.testing.assert_array_equal(step.edges[1:], value)
        assert 0 < value - step.edges[0] < max(1.1e-4, 1e-6 * value)
        np.testing.assert_array_equal(step.contents, [0, 1])


def test_a_distribution_as_a_function():
    even = Cumulative(np.arange(5.0), np.array([0.125, 0.375, 0.625, 0.875]))
    np.testing.assert_allclose(even.samples, (np.arange(10_000) + 0.5) / 10_000, rtol=1e-6)
    np.testing.assert_allclose(even.inverse(np.array([0.25, 0.5, 0.75])), [1, 2, 3], atol=1e-6)
    np.testing.assert_allclose(even.inverse(np.array([0.0, 1.0])), [-0.0002, 3.9998], atol=1e-6)
    # where the first segment would go on below zero stands the content of the bin, as in TMVA
    steep = Cumulative(np.arange(5.0), np.array([0.1, 0.9, 0.95, 1.0]))
    np.testing.assert_allclose(steep.samples[[0, 937, 938, 1250]], [0.1, 0.1, 0.00032, 0.10016], rtol=1e-4)
    empty = Cumulative(np.arange(5.0), np.array([0.0, 0.9, 0.95, 1.0]))
    np.testing.assert_allclose(empty.samples[[0, 1249, 1250]], [1e-12, 1e-12, 0.00018], rtol=1e-4)
    twice = Cumulative(np.arange(5.0), np.array([0.1, 0.0, 0.0, 1.0]))
    np.testing.assert_allclose(twice.samples[[0, 5000, 9999]], [0.14998, 1e-12, 1.4998], rtol=1e-5)


def test_undefined_values_stay_undefined_and_do_not_spread():
    train = sample()
    X = train.X[:3].copy()
    X[1, 2] = np.nan
    for letter in "NUG":
        chain = fit(letter, train)
        result, whole = chain.apply(X), chain.apply(train.X[:3])
        assert np.isnan(result[1, 2])
        X_defined = ~np.isnan(X)
        np.testing.assert_array_equal(result[X_defined], whole[X_defined])
    for letter in "DP":
        result = fit(letter, train).apply(X)
        assert np.isnan(result[1]).all()
        assert np.isfinite(result[[0, 2]]).all()


# ------------------------------------------------------------------------------------------------------ chains


def test_each_step_is_made_from_the_output_of_those_before():
    train = sample()
    whole = fit("G,D_Signal+N(var3)", train)
    first = fit("G", train)
    second = fit("D_Signal", train.with_inputs(first.apply(train.X)))
    third = fit("N(var3)", train.with_inputs(second.apply(first.apply(train.X))))
    np.testing.assert_array_equal(whole.apply(train.X), third.apply(second.apply(first.apply(train.X))))


@pytest.mark.parametrize("text", ["N", "D", "P", "U", "G", "N,U,D,G,P"])
def test_an_event_does_not_depend_on_its_neighbours_nor_on_threads(text):
    train = sample()
    chain = fit(text, train)
    X = np.resize(train.X, (2 * CHUNK + 17, 4))
    result = chain.apply(X)
    np.testing.assert_array_equal(result[:400], chain.apply(X[:400]))
    np.testing.assert_array_equal(result[CHUNK + 3], chain.apply(X[CHUNK + 3 : CHUNK + 4])[0])
    with ThreadPoolExecutor(4) as pool:
        for other in pool.map(fit(text, train).apply, [X] * 4):
            np.testing.assert_array_equal(other, result)


def test_input_is_left_alone():
    train = sample()
    before = train.X.copy()
    for letter in "NDPUG":
        fit(letter, train).apply(train.X)
    np.testing.assert_array_equal(train.X, before)


def test_what_is_fitted_cannot_be_changed():
    chain = fit("N,D,P,U")
    norm, deco, pca, uniform = chain
    curve = uniform.distributions[0][0]
    for array in (
        norm.minimum,
        norm.maximum,
        deco.matrices,
        pca.means,
        pca.vectors,
        curve.edges,
        curve.contents,
        curve.samples,
    ):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(AttributeError):
        chain.text = "D"


@pytest.mark.parametrize("shape", [(4,), (3, 5), (2, 3, 4)])
def test_a_wrong_shape_is_refused(shape):
    with pytest.raises(TransformationError, match="takes 4 variables of each event"):
        fit("N").apply(np.zeros(shape))


@pytest.mark.parametrize("letter", "NDPUG")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_undefined_training_events_are_refused(letter, value):
    train = sample()
    X = train.X.copy()
    X[[5, 9], 2] = value
    with pytest.raises(
        TransformationError, match=f"{letter}: 'var3' is {value} in 2 of 400 training events, first in number 5"
    ):
        fit(letter, train.with_inputs(X))
    assert fit(f"{letter}(sum,diff)", train.with_inputs(X))


def test_a_class_without_events_is_refused():
    with pytest.raises(TransformationError, match="the class 'Other' has no training events"):
        fit_chain("N", sample(), VARIABLES, ("Signal", "Background", "Other"))


@pytest.mark.parametrize("letter", "NUGD")
def test_constant_variables(letter):
    train = sample()
    X = train.X.copy()
    X[:, 1] = -3
    with pytest.raises(TransformationError, match=f"{letter}: 'diff' is always -3 among the training events"):
        fit(letter, train.with_inputs(X))
    with pytest.raises(TransformationError, match=r"nothing to transform; drop it$"):
        fit("N(diff)", train.with_inputs(X))
    X[train.class_index == 1, 1] = np.linspace(0, 1, 200)
    with pytest.raises(TransformationError, match="'diff' is always -3 among the events of class 'Signal'"):
        fit(f"{letter}_Signal", train.with_inputs(X))
    chain = fit(letter, train.with_inputs(X))  # as in TMVA, where it is constant in one class only
    assert np.isfinite(chain.apply(X)).all()
    assert np.isfinite(chain.apply(X, 0)).all()
    back = again(chain)
    np.testing.assert_array_equal(back.apply(X, 0), chain.apply(X, 0))
    X[train.class_index == 0, 1] = 1e6  # too large for the margin of the first bin
    assert np.isfinite(fit(letter, train.with_inputs(X)).apply(X, 0)).all()


# -------------------------------------------------------------------------------------- targets and spectators


def test_targets_go_there_and_back():
    train = sample(3000, n_classes=1, n_targets=2)
    for text in ["N", "U", "G(_T_)", "N,U", "G(_T1_)+N", "D,N"]:
        chain = fit(text, train, classes=("Regression",), targets=TARGETS)
        assert "Target" in chain.kinds
        there = chain.apply_targets(train.targets)
        assert not np.array_equal(there[:, 1], train.targets[:, 1])
        inner = (train.targets > 0.2) & (train.targets < 6)  # where the distribution is not cut
        back = chain.invert_targets(there)
        np.testing.assert_allclose(back[inner], train.targets[inner], rtol=2e-2 if {"U", "G"} & set(text) else 1e-5)
        read = again(chain, classes=("Regression",), targets=TARGETS)
        np.testing.assert_array_equal(read.invert_targets(there), back)
        assert read.kinds == chain.kinds


def test_normalised_targets():
    train = sample(50, n_classes=1, n_targets=2)
    chain = fit("N(_T0_)", train, classes=("Regression",), targets=TARGETS)
    low, high = train.targets[:, 0].min(), train.targets[:, 0].max()
    np.testing.assert_allclose(
        chain.invert_targets([[-1, 5], [1, 6], [0, 7]]), [[low, 5], [high, 6], [(low + high) / 2, 7]]
    )
    np.testing.assert_array_equal(chain.apply(train.X), train.X)


def test_the_inverse_of_a_distribution_is_its_inverse():
    train = sample(5000, n_classes=1, n_targets=2)
    chain = fit("U(_T_)", train, classes=("Regression",), targets=TARGETS)
    share = np.linspace(0.01, 0.99, 50)[:, None].repeat(2, 1)
    np.testing.assert_allclose(chain.apply_targets(chain.invert_targets(share)), share, atol=1e-5)
    ends = chain.invert_targets([[0, 0], [1, 1], [np.nan, np.nan]])
    np.testing.assert_allclose(ends[0], train.targets.min(axis=0), atol=2e-3)
    np.testing.assert_allclose(ends[1], train.targets.max(axis=0), rtol=3e-2)  # the centre of the last bin
    np.testing.assert_allclose(chain.apply_targets(ends[:2]), [[0, 0], [1, 1]], atol=1e-3)
    assert np.isnan(ends[2]).all()


def test_rotated_targets_have_no_way_back():
    chain = fit("D(_T_)", sample(n_classes=1, n_targets=2), classes=("Regression",), targets=TARGETS)
    with pytest.raises(TransformationError, match="'Deco' of targets cannot be undone"):
        chain.invert_targets([[1, 2]])


def test_spectators_change_only_when_selected():
    train = sample()
    table = np.column_stack([train.spectators["eta"], train.spectators["njet"]])
    chain = fit("N(_S1_)", train, spectators=SPECTATORS)
    assert chain.kinds == {"Spectator"}
    np.testing.assert_allclose(chain.apply_spectators(table)[:, 1], table[:, 1] / 2 - 1)
    np.testing.assert_array_equal(chain.apply_spectators(table)[:, 0], train.spectators["eta"])
    np.testing.assert_array_equal(chain.apply(train.X), train.X)
    np.testing.assert_array_equal(
        fit("N", train, spectators=SPECTATORS).apply_spectators(table), table.astype(np.float32)
    )
    identity = fit("I,U(_S_)", train, spectators=SPECTATORS)
    assert identity.kinds == {"Spectator"}


# ------------------------------------------------------------------------------------------------- weight files


@pytest.mark.parametrize(
    "text", ["N", "D", "P", "U", "G", "N(var3,sum)", "I", "None", "I,G,I,D", "U_Signal,D_Background,P"]
)
@pytest.mark.parametrize("classes", [("Signal", "Background"), ("a", "b", "c_d"), ("Regression",)])
def test_reading_what_was_written(text, classes):
    if "_Sig" in text and "Signal" not in classes:
        text = text.replace("Signal", classes[-1]).replace("Background", classes[0])
    train = sample(n_classes=len(classes))
    chain = fit(text, train, classes)
    back = again(chain, classes)
    assert (back.text, back.suffix, len(back)) == (chain.text, chain.suffix, len(chain))
    np.testing.assert_array_equal(back.apply(train.X), chain.apply(train.X))
    for i in range(len(classes)):
        np.testing.assert_array_equal(back.apply(train.X, i), chain.apply(train.X, i))
    assert ET.tostring(back.write()) == ET.tostring(chain.write())


def test_the_block_of_the_reference_class_is_written_last():
    # TMVA applies the last block, whatever VarTransform says
    for text in ("D_Signal", "D_Background"):
        blocks = [m.text for m in fit(text).write().iter("Matrix")]
        assert blocks[2] == blocks["Signal" not in text]
        assert blocks[0] != blocks[1]


def test_layout():
    element = fit("N(sum,var3),U(diff),D(sum,var3),P(sum,diff)").write()
    assert element.attrib == {"NTransformations": "4"}
    assert [t.attrib for t in element] == [
        {"Name": "Normalize"},
        {"Name": "Gauss", "FlatOrGauss": "Flat"},
        {"Name": "Decorrelation"},
        {"Name": "PCA"},
    ]
    norm, uniform, deco, pca = element
    selection = norm.find("Selection")
    assert [child.attrib for child in selection] == [{"NInputs": "2"}, {"NOutputs": "2"}]
    for group in selection:
        assert [item.attrib for item in group] == [
            {"Type": "Variable", "Label": "sum", "Expression": "var1+var2"},
            {"Type": "Variable", "Label": "var3", "Expression": "var3"},
        ]
    assert [c.get("ClassIndex") for c in norm.findall("Class")] == ["0", "1", "2"]
    assert [r.get("Index") for r in norm.find("Class/Ranges")] == ["0", "1"]
    assert [m.attrib for m in deco.findall("Matrix")] == [{"Rows": "2", "Columns": "2"}] * 3
    assert [(s.tag, *s.attrib.values()) for s in pca[1:]] == [
        *(("Statistics", name, str(i), "2") for i, name in enumerate(["Signal", "Background", "Combined"])),
        *(("Eigenvectors", name, str(i), "2", "2") for i, name in enumerate(["Signal", "Background", "Combined"])),
    ]
    assert uniform[1].attrib == {"VarIndex": "0"}
    assert [c.tag for c in uniform[1]] == ["CumulativePDF_cls0", "CumulativePDF_cls1", "CumulativePDF_cls2"]
    pdf = uniform[1][2][0]
    assert pdf.attrib == {
        "Name": "GaussTransform var0 cls2",
        "MinNSmooth": "0",
        "MaxNSmooth": "0",
        "InterpolMethod": "1",
        "KDE_type": "0",
        "KDE_iter": "1",
        "KDE_border": "1",
        "KDE_finefactor": "0.0000000000000000e+00",
    }
    histogram, binning = pdf
    assert histogram.get("Name") == "Cumulative_Var0_cls2_original"
    assert histogram.get("HasEquidistantBins") == "0"
    edges, contents = (np.array(e.text.split(), float) for e in (binning, histogram))
    assert histogram.get("NBins") == binning.get("NBins") == str(len(contents)) == str(len(edges) - 1)
    assert (float(histogram.get("XMin")), float(histogram.get("XMax"))) == (edges[0], edges[-1])
    assert contents[-1] == 1


def read(xml: str, text: str = "", classes=("one",), **more) -> Chain:
    return Chain.read(ET.fromstring(xml), text, VARIABLES, classes, **more)


SELECTION = '<Selection><Input NInputs="{n}">{i}</Input><Output NOutputs="{n}">{o}</Output></Selection>'


def select(*labels: str, out: tuple[str, ...] = (), kind: str = "Variable") -> str:
    items = [
        "".join(f'<{tag} Type="{kind}" Label="{label}" Expression="{label}"/>' for label in names)
        for tag, names in (("Input", labels), ("Output", out or labels))
    ]
    return SELECTION.format(n=len(labels), i=items[0], o=items[1])


def ranges(*pairs: tuple[float, float]) -> str:
    items = "".join(f'<Range Index="{i}" Min="{a}" Max="{b}"/>' for i, (a, b) in enumerate(pairs))
    return f'<Class ClassIndex="0"><Ranges>{items}</Ranges></Class>'


def norm(inside: str) -> str:
    return f'<Transformations NTransformations="1"><Transform Name="Normalize">{inside}</Transform></Transformations>'


def test_the_file_says_what_is_selected_whatever_the_option():
    chain = read(norm(select("var3") + ranges((0, 2))), "N(var1,var3)")
    np.testing.assert_array_equal(chain.apply([[1, 1, 1, 1]]), [[1, 1, 0, 1]])
    chain = read(norm(select("var1-var2") + ranges((0, 2))), "nonsense")  # by expression
    np.testing.assert_array_equal(chain.apply([[1, 1, 1, 1]]), [[1, 0, 1, 1]])
    assert chain.suffix == "Norm"


def test_a_file_may_write_elsewhere_than_it_reads():
    chain = read(norm(select("var4", "sum", out=("sum", "var4")) + ranges((0, 2), (0, 4))))
    np.testing.assert_array_equal(chain.apply([[1, 5, 6, 2]]), [[1, 5, 6, -0.5]])
    assert ET.tostring(again(chain, ("one",)).write()) == ET.tostring(chain.write())


def test_files_of_tmva_4_0_have_no_selection():
    variables = "".join(f'<Variable VarIndex="{i}" Min="0" Max="{i + 1}"/>' for i in range(4))
    targets = '<Target TargetIndex="0" Min="0" Max="10"/><Target TargetIndex="1" Min="0" Max="20"/>'
    xml = f"""<Transformations NTransformations="1"><Transform Name="Normalize" NVariables="4" NTargets="2">
      <Class ClassIndex="0"><Variables>{variables}</Variables><Targets>{targets}</Targets></Class>
    </Transform></Transformations>"""
    chain = read(xml, "N", targets=TARGETS)
    np.testing.assert_array_equal(chain.apply([[1, 1, 3, 2]]), [[1, 0, 1, 0]])
    np.testing.assert_array_equal(chain.invert_targets([[0, 1]]), [[5, 20]])
    alone = xml.replace('NTargets="2"', 'NTargets="0"').replace(f"<Targets>{targets}</Targets>", "")
    np.testing.assert_array_equal(read(alone).apply([[1, 1, 3, 2]]), [[1, 0, 1, 0]])


def test_equidistant_bins():
    xml = """<Transformations NTransformations="1"><Transform Name="Gauss" FlatOrGauss="Flat">%s
      <Variable VarIndex="0"><CumulativePDF_cls0><PDF MinNSmooth="0" MaxNSmooth="0" InterpolMethod="1">
      <Histogram NBins="4" XMin="0" XMax="4" HasEquidistantBins="1">0.125 0.375 0.625 0.875</Histogram>
      </PDF></CumulativePDF_cls0></Variable></Transform></Transformations>""" % select("var3")  # noqa: UP031
    chain = read(xml)
    np.testing.assert_allclose(
        chain.apply([[0, 0, x, 0] for x in (0.1, 1, 2.2, 3.9)])[:, 2], [0.025, 0.25, 0.55, 0.975], rtol=1e-6
    )
    with pytest.raises(WeightFileError, match="lacks <HistogramBinning>"):
        read(xml.replace('Bins="1"', 'Bins="0"'))
    with pytest.raises(WeightFileError, match="InterpolMethod='2'"):
        read(xml.replace('InterpolMethod="1"', 'InterpolMethod="2"'))
    with pytest.raises(WeightFileError, match="should hold 5 numbers and holds 4"):
        read(xml.replace('NBins="4"', 'NBins="5"'))
    with pytest.raises(WeightFileError, match="not finite"):
        read(xml.replace("0.875", "nan"))
    with pytest.raises(WeightFileError, match="edges of a cumulative distribution should rise"):
        read(xml.replace('XMax="4"', 'XMax="0"'))
    with pytest.raises(WeightFileError, match="of 1 inputs holds 0 cumulative distributions"):
        read(xml.replace("<Variable ", "<Var ").replace("</Variable>", "</Var>"))
    with pytest.raises(WeightFileError, match="lacks <CumulativePDF_cls1>"):
        read(xml, classes=CLASSES)


def test_classes_that_tmva_leaves_undefined_do_not_spoil_the_rest():
    train = sample()
    for letter in "DPUG":
        element = fit(letter, train).write()
        (transform,) = element
        for item in transform.iter():
            if item.get("ClassIndex", "0") == "0" and item.tag in {
                "Matrix",
                "Statistics",
                "Eigenvectors",
                "CumulativePDF_cls0",
            }:
                for block in item.iter():
                    if block.text and block.tag != "HistogramBinning":
                        block.text = " ".join("nan" for _ in block.text.split())
                if item.tag == "Matrix":
                    break
        chain = Chain.read(element, letter, VARIABLES, CLASSES)
        assert np.isnan(chain.apply(train.X, 0)).all()
        np.testing.assert_array_equal(chain.apply(train.X), fit(letter, train).apply(train.X))
        with pytest.raises(WeightFileError, match=r"not finite|should hold"):
            Chain.read(ET.fromstring(ET.tostring(element).replace(b"e-0", b"e+999")), letter, VARIABLES, CLASSES)


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (norm(select("vr3") + ranges((0, 1))), "selects the variable 'vr3', .* did you mean 'var3'"),
        (norm(select("mass", kind="Target") + ranges((0, 1))), "selects the target 'mass'"),
        (norm(select("var3", kind="Varible") + ranges((0, 1))), "did you mean 'Variable'"),
        (norm(select("var3").replace('NInputs="1"', 'NInputs="2"') + ranges((0, 1))), "holds 1 entries"),
        (norm(select("var3", "sum", out=("sum", "sum")) + ranges((0, 1), (0, 1))), "as many different values"),
        (norm(select("var3") + ranges()), "lacks a range"),
        (norm(select("var3") + ranges((1, 0))), "Min is above its Max"),
        (norm(select("var3") + ranges((0, 1), (0, 1))), "number 1 of 1 inputs"),
        (norm(select("var3") + ranges((0, 1)) * 2), "should hold 1 <Class>"),
        (norm(select("var3") + ranges((0, 1)).replace('="0"><Ra', '="1"><Ra')), "should hold 1 <Class>"),
        (
            norm(select("var3") + ranges((0, 1))).replace('NTransformations="1"', 'NTransformations="3"'),
            "holds 1 <Transform>",
        ),
        (norm("").replace("Normalize", "Shuffle"), "the transformation 'Shuffle', which is not known"),
        (norm("").replace("Normalize", "Decorelation"), "did you mean 'Decorrelation'"),
        (
            norm(select("var3") + '<Matrix Rows="2" Columns="1">1 2</Matrix>').replace("Normalize", "Decorrelation"),
            "of 1 rows",
        ),
        (
            norm(select("var3") + '<Matrix Rows="1" Columns="1">1 2</Matrix>').replace("Normalize", "Decorrelation"),
            "hold 1 numbers",
        ),
        (
            norm(select("var3") + '<Matrix Rows="1" Columns="1">inf</Matrix>').replace("Normalize", "Decorrelation"),
            "not finite",
        ),
        (norm(select("var3")).replace("Normalize", "PCA"), "should hold 1 <Statistics>"),
        (norm(select("var3") + '<Statistics NRows="2">1 2</Statistics>').replace("Normalize", "PCA"), "need 1 means"),
        (
            norm(
                select("var3")
                + '<Statistics NRows="1">1</Statistics><Eigenvectors NRows="1" NCols="2">1 2</Eigenvectors>'
            ).replace("Normalize", "PCA"),
            "need 1 eigenvectors",
        ),
    ],
)
def test_damaged_files(xml, message):
    with pytest.raises(WeightFileError, match=message):
        read(xml)


def test_numbers_of_every_step_matter():
    """No two letters do the same, in any order."""
    train = sample()
    results = [fit(",".join(pair), train).apply(train.X).tobytes() for pair in itertools.permutations("NDPUG", 2)]
    assert len(set(results)) == len(results)
    assert isinstance(VARIABLES[0], Variable)

"""SVM against its formulae in double precision, and against files that are damaged."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods.svm import SVM, SVMOptions

from mvakit.errors import MethodError, WeightFileError
from mvakit.method import FitContext, WeightContext
from mvakit.types import AnalysisType
from mvakit.variables import Variable

RNG = np.random.default_rng(7)
N = 30
VECTORS = RNG.uniform(-1, 1, (N, 2)).astype(np.float32)
KIND = RNG.choice([-1, 1], N)
ALPHA = RNG.uniform(0, 1, N).astype(np.float32)
ALPHA_P = RNG.uniform(0, 1, N).astype(np.float32)
EVENTS = RNG.uniform(-1, 1, (50, 2)).astype(np.float32)
OFFSET, GAMMA, GAMMAS, THETA, ORDER = 0.125, 0.75, (0.5, 2.0), 0.5, 3
NEWER = {"fGammaList": "0.5,2", "fTheta": repr(THETA), "fOrder": str(ORDER)}


def context(n_variables: int = 2, analysis: AnalysisType = AnalysisType.CLASSIFICATION, n_targets: int = 0):
    names = [Variable(f"x{i}", f"x{i}", "", "", "F", 0, 1) for i in range(n_variables + n_targets)]
    classes = ("Signal", "Background")
    variables, targets = tuple(names[:n_variables]), tuple(names[n_variables:])
    return WeightContext(analysis, "SVM", variables, classes, targets, {}, lambda name: b"", {})


def element(**attributes: str) -> ET.Element:
    weights = ET.Element("Weights", fBparm=repr(OFFSET), fGamma=repr(GAMMA), **attributes, NSupVec=str(N))
    for i in range(N):
        row = [i, KIND[i], ALPHA[i], ALPHA_P[i], *VECTORS[i]]
        ET.SubElement(weights, "SupportVector", Rows="1", Columns="6").text = " ".join(f"{v:.16e}" for v in row)
    ET.SubElement(weights, "Maxima", Var0="1.0", Var1="0.5")
    ET.SubElement(weights, "Minima", Var0="-1.0", Var1="-0.5")
    return weights


GAP = EVENTS[:, np.newaxis].astype(np.float64) - VECTORS
PRODUCT = EVENTS.astype(np.float64) @ VECTORS.T.astype(np.float64)
RBF = np.exp(-GAMMA * (GAP**2).sum(axis=2))
MULTI = np.exp(-(GAP**2 * GAMMAS).sum(axis=2))
POLYNOMIAL = (PRODUCT + THETA) ** ORDER


def load(options: str = "", weights: ET.Element | None = None, **keywords):
    method = SVM(SVMOptions.parse(options))
    return method, method.read_state(element(**NEWER) if weights is None else weights, context(**keywords))


@pytest.mark.parametrize(
    ("options", "kernel"),
    [
        ("", RBF),
        ("Kernel=Gauss", RBF),
        ("Kernel=MultiGauss", MULTI),
        ("Kernel=Polynomial", POLYNOMIAL),
        ("Kernel=Sum:KernelList=RBF+Polynomial", RBF + POLYNOMIAL),
        ("Kernel=Sum:KernelList=RBF+MultiGauss+RBF", 2 * RBF + MULTI),
        # TMVA's Reader adds them, too.
        ("Kernel=Prod:KernelList=MultiGauss*Polynomial", MULTI + POLYNOMIAL),
    ],
)
def test_kernels(options, kernel):
    method, state = load(options)
    expected = 1 / (1 + np.exp(kernel @ (ALPHA * KIND).astype(np.float64) - OFFSET))
    np.testing.assert_allclose(method.predict(state, EVENTS), expected, rtol=1e-5)
    method, state = load(options, analysis=AnalysisType.REGRESSION, n_targets=1)
    expected = kernel @ (ALPHA - ALPHA_P).astype(np.float64) + OFFSET
    np.testing.assert_allclose(method.predict(state, EVENTS), expected, rtol=1e-4, atol=1e-5)


def test_files_without_kernels_to_choose_from_have_the_radial_one():
    plain, old = load(weights=element())
    method, new = load()
    np.testing.assert_array_equal(plain.predict(old, EVENTS), method.predict(new, EVENTS))
    weights = ET.Element("Weights")
    plain.write_state(old, weights)
    # Without these, ROOT since 6.08 does not read a file.
    assert (weights.get("fGammaList"), float(weights.get("fTheta", "")), weights.get("fOrder")) == ("", 1.0, "3")


def test_an_event_alone_gets_the_same_response():
    method, state = load()
    many = method.predict(state, np.resize(EVENTS, (20_000, 2)))
    one = np.concatenate([method.predict(state, EVENTS[i : i + 1]) for i in range(len(EVENTS))])
    np.testing.assert_array_equal(many[: len(EVENTS)], one)


def test_a_far_event_is_half_way_to_the_offset():
    method, state = load()
    np.testing.assert_allclose(method.predict(state, np.float32([[1e20, 1]])), 1 / (1 + np.exp(-OFFSET)))


@pytest.mark.parametrize("attributes", [{}, NEWER])
def test_read_write_read(attributes):
    weights = element(**attributes)
    method, state = load(weights=weights)
    again = ET.Element("Weights")
    assert method.write_state(state, again) == {}
    copy = method.read_state(ET.fromstring(ET.tostring(again)), context())
    np.testing.assert_array_equal(method.predict(copy, EVENTS), method.predict(state, EVENTS))
    assert set(again.keys()) == set(weights.keys()) | set(NEWER)
    assert [e.tag for e in again] == [e.tag for e in weights]
    for mine, theirs in zip(again, weights, strict=True):
        assert mine.keys() == theirs.keys()
        assert [float(w) for w in (mine.text or "").split()] == [float(w) for w in (theirs.text or "").split()]
        assert [float(mine.get(k)) for k in mine.keys()] == [float(theirs.get(k)) for k in theirs.keys()]  # noqa: SIM118


def test_options_are_those_of_tmva():
    found = {spec.name: spec.default for spec in SVMOptions.declared()}
    expected = {
        "Kernel": "RBF",
        "Gamma": 1.0,
        "Order": 3,
        "Theta": 1.0,
        "GammaList": "",
        "Tune": "All",
        "KernelList": "None",
        "Loss": "hinge",
        "C": 1.0,
        "Tol": 0.01,
        "MaxIter": 1000,
    }
    assert {name: found[name] for name in expected} == expected


def test_it_is_not_trained():
    with pytest.raises(MethodError, match="cannot be trained"):
        SVM(SVMOptions()).fit(None, FitContext(AnalysisType.CLASSIFICATION, "SVM", (), ()))


DAMAGES = {
    "fBparm": lambda w: w.attrib.pop("fBparm"),
    "fGamma": lambda w: w.set("fGamma", "inf"),
    "fGamma=1e[+]300": lambda w: w.set("fGamma", "1e300"),
    "fOrder": lambda w: w.set("fOrder", "1000000000"),
    "NSupVec": lambda w: w.set("NSupVec", "1000000000000"),
    "Columns": lambda w: w[0].set("Columns", "7"),
    "lacks the attribute 'Rows'": lambda w: w[0].attrib.pop("Rows"),
    "not finite": lambda w: setattr(w[0], "text", "0 1 nan 0 0 0"),
    "second number": lambda w: setattr(w[0], "text", "0 2 0 0 0 0"),
    "holds 5": lambda w: setattr(w[0], "text", "0 1 0 0 0"),
    "Maxima": lambda w: w.remove(w.find("Maxima")),
    "Var1": lambda w: w.find("Minima").attrib.pop("Var1"),
}


@pytest.mark.parametrize("what", DAMAGES)
def test_damaged_files_are_refused(what):
    weights = element(**NEWER)
    DAMAGES[what](weights)
    with pytest.raises(WeightFileError, match=what):
        load(weights=weights)


@pytest.mark.parametrize(
    ("options", "attributes", "what"),
    [
        ("Kernel=RFB", NEWER, "'RFB'; did you mean 'RBF'"),
        ("Kernel=Sum:KernelList=RBF*Polynomial", NEWER, r"'RBF\*Polynomial'"),
        ("Kernel=Sum", NEWER, "'None'"),
        ("Kernel=Polynomial", {}, "fTheta"),
        ("Kernel=Polynomial", {"fTheta": "1"}, "fOrder"),
        ("Kernel=MultiGauss", {}, "fGammaList"),
        ("Kernel=MultiGauss", {"fGammaList": "1"}, "2 numbers"),
        ("Kernel=MultiGauss", {"fGammaList": "1,two"}, "2 numbers"),
    ],
)
def test_kernels_that_a_file_does_not_describe_are_refused(options, attributes, what):
    with pytest.raises(WeightFileError, match=what):
        load(options, element(**attributes))


def test_several_targets_are_refused():
    with pytest.raises(WeightFileError, match="2 targets"):
        load(analysis=AnalysisType.REGRESSION, n_targets=2)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of sums that overflow
def test_sums_too_large_for_a_number_are_left_for_the_model_to_refuse():
    weights = element(fTheta="3e38", fOrder="3")
    method, state = load("Kernel=Polynomial", weights)
    assert not np.isfinite(method.predict(state, EVENTS)).all()

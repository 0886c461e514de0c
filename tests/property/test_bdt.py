"""Whatever the events: a forest grows or a reason is given, it answers within bounds, and files hold all of it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import hypothesis.extra.numpy as arrays
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from mvakit_methods.bdt import BDT, BDTOptions

from mvakit.dataset import Sample
from mvakit.errors import MethodError
from mvakit.method import FitContext, WeightContext
from mvakit.types import AnalysisType
from mvakit.variables import Variable

CLASSES = ("Signal", "Background")
VALUES = st.one_of(
    st.integers(-3, 3).map(float),
    st.floats(-(2.0**100), 2.0**100, width=32, allow_subnormal=False),
    st.floats(-2.0, 2.0, width=32, allow_subnormal=False),
)
OPTIONS = st.tuples(
    st.sampled_from(["AdaBoost", "RealAdaBoost", "AdaCost:Cts_sb=0.5", "Bagging", "Grad", "Grad:UseBaggedBoost"]),
    st.sampled_from(["nCuts=1", "nCuts=20", "nCuts=300", "nCuts=-1", "UseFisherCuts", "UseRandomisedTrees"]),
    st.integers(1, 8),
    st.sampled_from(["1%", "10%", "40%"]),
    st.sampled_from(["", "SkipNormalization", "SigToBkgFraction=3", "DoPreselection", "Pray"]),
)


@st.composite
def samples(draw) -> Sample:
    n, n_variables = draw(st.integers(4, 40)), draw(st.integers(1, 3))
    X = draw(arrays.arrays(np.float32, (n, n_variables), elements=VALUES))
    index = draw(arrays.arrays(np.int64, n, elements=st.integers(0, 1)))
    weight = draw(arrays.arrays(np.float64, n, elements=st.floats(-0.5, 3.0)))
    return Sample(X, index, weight)


@settings(max_examples=150, deadline=None)
@given(sample=samples(), options=OPTIONS, kind=st.sampled_from("FI"))
def test_a_forest_or_a_reason(sample, options, kind):
    boost, search, depth, size, more = options
    variables = tuple(Variable(f"v{i}", f"v{i}", type=kind) for i in range(sample.X.shape[1]))
    method = BDT(BDTOptions.parse(f"NTrees=5:BoostType={boost}:{search}:MaxDepth={depth}:MinNodeSize={size}:{more}"))
    context = FitContext(AnalysisType.CLASSIFICATION, "BDT", variables, CLASSES)
    try:
        state = method.fit(sample, context)
    except MethodError as error:
        assert str(error).startswith("BDT: ")
        return
    response = method.predict(state, sample.X)
    assert np.isfinite(response).all()
    if (sample.weight >= 0).all() or state.yes_no or state.gradient:  # otherwise a purity may be any number
        assert (np.abs(response) <= 1).all()
    alone = np.concatenate([method.predict(state, sample.X[e : e + 1]) for e in range(len(sample))])
    np.testing.assert_array_equal(alone, response)
    # The same events in the same order: the same forest.
    again = method.fit(sample, context)
    np.testing.assert_array_equal(again.nodes.cut, state.nodes.cut)
    np.testing.assert_array_equal(again.nodes.response, state.nodes.response)
    weights = ET.Element("Weights")
    method.write_state(state, weights)
    options_of_file = {"BoostType": boost.split(":")[0]}
    read = method.read_state(
        ET.fromstring(ET.tostring(weights)),
        WeightContext(
            AnalysisType.CLASSIFICATION, "BDT", variables, CLASSES, (), options_of_file, lambda name: b"", {}
        ),
    )
    np.testing.assert_array_equal(method.predict(read, sample.X), response)
    ranking = method.ranking(state, variables)
    assert ranking is None or np.isclose(sum(value for _, value in ranking.values), 1)

"""TMlpANN against ROOT's TMultiLayerPerceptron: its weights, and what it answers with them."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods.tmlpann import TMlpANN, TMlpANNOptions

from mvakit.errors import WeightFileError
from mvakit.method import WeightContext
from mvakit.types import AnalysisType
from mvakit.variables import define

VARIABLES = tuple(define(f"var{i}") for i in range(3))
CONTEXT = WeightContext(
    AnalysisType.CLASSIFICATION, "T", VARIABLES, ("Signal", "Background"), (), {}, lambda name: b"", {}
)
# DumpWeights of TMultiLayerPerceptron("@var0,@var1,@var2:4:3:type"), ROOT 6.40.
INPUT = "1.69598 0.152906 2.76487 2.92978 3.58277 5.7886"
NEURONS = "0.112303 -0.212357 0.256865 -0.0879905 0.287813 0.565885 0.141498 -0.602649 0.319961 -0.490927 -0.51505"
SYNAPSES = (
    "-3.38494 -0.0808582 -1.02454 -0.532971 0.656523 0.0470907 0.626417 0.355341 0.408367 0.479324 0.12255 -0.178011 "
    "-2.04954 2.17302 1.74649 0.0321541 -0.390103 0.577434 0.53201 -0.155988 -1.26409 0.351266 0.464054 0.120638 "
    "0.277672 0.0509566 2.12667"
)
# What its Evaluate says.
EVENTS = np.array(
    [
        [-4.3693528175354, 1.0348594188690186, 4.69709587097168],
        [-1.3662257194519043, 1.5590285062789917, 2.601994276046753],
        [1.1283687353134155, 3.54724383354187, 9.245333671569824],
        [-0.3565373420715332, 5.8888325691223145, 3.720182180404663],
        [-0.22158300876617432, 3.248520612716675, 6.1455583572387695],
        [-2.9584314823150635, -0.5354859828948975, 8.960118293762207],
        [-1.7736059427261353, 6.058330535888672, 11.725678443908691],
        [4.22298002243042, -1.622302532196045, 8.652327537536621],
    ],
    dtype=np.float32,
)
RESPONSES = [
    0.04430811976572829, 0.06842772281365156, 0.8708171345855364, 0.3114103980442073, 0.38966785309743546,
    0.04846198952652192, 0.30957344410493197, 0.8134703596474439,
]  # fmt: skip


def document(structure: str = "@var0,@var1,@var2:4:3:type") -> ET.Element:
    weights = ET.Element("Weights")
    ET.SubElement(weights, "Architecture", BuildOptions=structure)
    for tag, text in (("input", INPUT), ("output", "1 0"), ("neurons", NEURONS), ("synapses", SYNAPSES)):
        ET.SubElement(weights, tag).text = f"\n  {text} \n"
    return weights


def test_it_answers_as_root_does():
    method = TMlpANN(TMlpANNOptions())
    state = method.read_state(document(), CONTEXT)
    np.testing.assert_allclose(method.predict(state, EVENTS), RESPONSES, rtol=1e-12)
    many = np.tile(EVENTS, (2000, 1))
    np.testing.assert_allclose(method.predict(state, many), np.tile(RESPONSES, 2000), rtol=1e-12)
    assert not method.capabilities.trainable


def test_a_file_is_written_as_it_was_read():
    method = TMlpANN(TMlpANNOptions())
    weights = document()
    element = ET.Element("Weights")
    assert method.write_state(method.read_state(weights, CONTEXT), element) == {}
    assert [(e.tag, e.attrib) for e in element.iter()] == [(e.tag, e.attrib) for e in weights.iter()]
    assert [(e.text or "").split() for e in element.iter()] == [(e.text or "").split() for e in weights.iter()]


def test_digits_that_tmva_would_not_read_do_not_count():
    method = TMlpANN(TMlpANNOptions())
    weights = document()
    for tag, text in (("neurons", NEURONS), ("synapses", SYNAPSES), ("input", INPUT)):
        weights.find(tag).text = " ".join(f"{float(word) * (1 + 1e-7):.17g}" for word in text.split())
    state = method.read_state(weights, CONTEXT)
    np.testing.assert_allclose(method.predict(state, EVENTS), RESPONSES, rtol=1e-12)
    element = ET.Element("Weights")
    method.write_state(state, element)
    np.testing.assert_array_equal(method.read_state(element, CONTEXT).synapses, state.synapses)


@pytest.mark.parametrize(
    ("tag", "text", "message"),
    [
        ("input", INPUT + " 1", "<input> should hold 6 numbers and holds 7"),
        ("input", INPUT.replace("2.76487", "0"), "'var1' has an rms of 0"),
        ("output", "1", "<output> should hold 2"),
        ("neurons", NEURONS[:-8], "<neurons> should hold 11 numbers and holds 10"),
        ("synapses", SYNAPSES.replace("-3.38494", "nan"), "<synapses> holds a number that is not finite"),
        ("synapses", SYNAPSES.replace("-3.38494", "?"), "not a number"),
    ],
)
def test_numbers_that_are_refused(tag, text, message):
    weights = document()
    weights.find(tag).text = text
    with pytest.raises(WeightFileError, match=message):
        TMlpANN(TMlpANNOptions()).read_state(weights, CONTEXT)
    weights.remove(weights.find(tag))
    with pytest.raises(WeightFileError, match=f"lacks <{tag}>"):
        TMlpANN(TMlpANNOptions()).read_state(weights, CONTEXT)


@pytest.mark.parametrize(
    "structure",
    ["", "type", "@a,@b,@c:type", "@a,@b,@c:4:x:type", "@a:4:0:type", "@a:4:3:type!", "@a:4:3:@type", "@a:-4:type",
     "@a:99999999:type", ":" * 100_000],
)  # fmt: skip
def test_layouts_that_are_refused(structure):
    with pytest.raises(WeightFileError, match="<Architecture BuildOptions"):
        TMlpANN(TMlpANNOptions()).read_state(document(structure), CONTEXT)


def test_an_absurd_layout_is_refused_by_its_count():
    with pytest.raises(WeightFileError, match="<neurons> should hold 2000002 numbers"):
        TMlpANN(TMlpANNOptions()).read_state(document("@a,@b,@c:999999:999999:type"), CONTEXT)

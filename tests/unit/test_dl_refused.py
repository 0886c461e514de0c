"""DL: files that are refused, and digits that are kept."""

from __future__ import annotations

import copy
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods.dl import DL, DLOptions
from mvakit_methods.dl import xml as dl_xml

from mvakit.errors import WeightFileError
from tests.unit.test_dl import INPUTS, STEPS, add, context, dense, flat, norm, random, recurrent, root


def network() -> ET.Element:
    """A convolution, pooling, normalisation, and two sequences, in 8 variables."""
    weights = root(2, 2, 2)
    add(weights, "ConvLayer", {"Weights": random(3, 2), "Biases": random(3)}, Depth=3, FilterHeight=1, FilterWidth=1,
        StrideRows=1, StrideCols=1, PaddingHeight=0, PaddingWidth=0, ActivationFunction=1)  # fmt: skip
    add(weights, "MaxPoolLayer", FilterHeight=1, FilterWidth=1, StrideRows=1, StrideCols=1)
    norm(weights, 3)
    flat(weights)
    add(weights, "ReshapeLayer", Depth=STEPS, Height=1, Width=3, Flattening=0)
    recurrent(weights, "LSTMLayer", sequence=True, n_inputs=3)
    recurrent(weights, "GRULayer", sequence=False, n_inputs=3)
    dense(weights, 3, 1)
    return weights


CONV, POOL, NORM, FLAT, SHAPE, LSTM, GRU, DENSE = range(8)


def at(layer: int, name: str, value: str):
    return lambda w: w[layer].set(name, value)


def inside(layer: int, tag: str, text: str):
    def change(w: ET.Element) -> None:
        w[layer].find(tag).text = text

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.set("NetDepth", "900000000"), "NetDepth='900000000'"),
        (lambda w: w.set("NetDepth", "7"), "NetDepth=7> of D holds 8 layers"),
        (lambda w: w.set("InputDepth", "-2"), "InputDepth='-2'"),
        (lambda w: w.set("InputDepth", "3"), "takes 12 values, and there are 8 variables"),
        (lambda w: w.attrib.pop("BatchSize"), "lacks the attribute 'BatchSize'"),
        (lambda w: w.set("OutputFunction", "Q"), "OutputFunction='Q'"),
        (lambda w: setattr(w[FLAT], "tag", "TransConvLayer"), "a layer <TransConvLayer>; did you mean 'ConvLayer'"),
        (at(CONV, "Depth", "1000000"), "should be 1000000"),
        (at(CONV, "FilterHeight", "3"), "FilterHeight='3'"),
        (at(CONV, "FilterHeight", "0"), "FilterHeight='0'"),
        (at(CONV, "StrideRows", "0"), "StrideRows='0'"),
        (lambda w: w[CONV].attrib.update(PaddingHeight="9999", PaddingWidth="9999"), "values of one event"),
        (at(CONV, "ActivationFunction", "8"), "ActivationFunction='8'"),
        (inside(CONV, "Weights", "1 2 3 4 5 inf"), "<Weights> holds a number that is not finite"),
        (inside(CONV, "Weights", "1 2 3 4 5"), "<Weights> should hold 6 numbers"),
        (inside(CONV, "Biases", "1 2 x"), "not a number"),
        (lambda w: w[CONV].remove(w[CONV].find("Biases")), "<ConvLayer> lacks <Biases>"),
        (lambda w: w[CONV].find("Weights").set("Columns", "3"), "Columns='3'"),
        (at(POOL, "FilterWidth", "3"), "FilterWidth='3'"),
        (inside(NORM, "Training-variance", "1 -2 1"), "variance that is not positive"),
        (at(NORM, "Epsilon", "nan"), "Epsilon='nan'"),
        (at(SHAPE, "Width", "4"), "makes 4 x 1 x 4 of 12 values"),
        (at(SHAPE, "Flattening", "1"), "should get the time steps"),
        (at(LSTM, "TimeSteps", "100000"), "should get the time steps one after the other"),
        (at(LSTM, "InputSize", "2"), "should get the time steps one after the other"),
        (at(LSTM, "StateSize", "100000"), "should be 100000"),
        (at(LSTM, "RememberState", "1"), "depend on the events before"),
        (inside(LSTM, "OuputWeights", "1"), "<OuputWeights> should hold 9 numbers"),
        (at(LSTM, "ReturnSequence", "0"), "should get the time steps one after the other"),
        (at(GRU, "ReturnSequence", "1"), "TMVA flattens it"),
        (at(GRU, "ResetGateAfter", "perhaps"), "ResetGateAfter='perhaps'"),
        (at(DENSE, "Width", "2"), "should be 2"),
        (lambda w: (w.remove(w[DENSE]), w.set("NetDepth", "7")), "ends in 3 outputs"),
        (lambda w: (w.remove(w[FLAT]), w.set("NetDepth", "7")), "does not flatten takes a row"),
    ],
)
def test_what_is_refused(change, message):
    weights = network()
    DL(DLOptions()).read_state(weights, context(8))
    change(weights)
    with pytest.raises(WeightFileError, match=message.replace("(", r"\(")):
        DL(DLOptions()).read_state(copy.deepcopy(weights), context(8))


def test_layers_that_do_not_follow_each_other():
    weights = root(2, 2, 2)
    dense(weights, 8, 1)
    with pytest.raises(WeightFileError, match="<DenseLayer> takes a row of values, and gets 2 x 2 x 2"):
        DL(DLOptions()).read_state(weights, context(8))
    weights = root(STEPS, 1, INPUTS)
    recurrent(weights, "RNNLayer", sequence=True)
    add(weights, "MaxPoolLayer", FilterHeight=1, FilterWidth=1, StrideRows=1, StrideCols=1)
    with pytest.raises(WeightFileError, match="takes an image, and gets a sequence of 4 steps"):
        DL(DLOptions()).read_state(weights, context(8))
    weights = root(STEPS, 1, INPUTS)
    recurrent(weights, "RNNLayer", sequence=True)
    norm(weights, 3)
    with pytest.raises(WeightFileError, match="<BatchNormLayer> takes a row of values"):
        DL(DLOptions()).read_state(weights, context(8))


def test_numbers_of_all_digits_are_kept():
    weights = root(1, 1, 1)
    add(weights, "DenseLayer", {"Weights": np.ones((1, 1)), "Biases": np.zeros(1)}, Width=1, ActivationFunction=0)
    weights[0].find("Weights").text = "1.2345678901234567e-01"
    method = DL(DLOptions())
    state = method.read_state(weights, context(1))
    element = ET.Element("Weights")
    dl_xml.write_deep_network(state, element)
    assert element[0].find("Weights").text == "1.2345678901234566e-01"
    assert element[0].find("Biases").text == "0.000000e+00"

"""MLP and dense layers of DL: neuron by neuron."""

from __future__ import annotations

import itertools
import math
from xml.etree.ElementTree import Element

from tests.reference.naive.single import single


def quick_tanh(x: float) -> float:
    """TMVA's hyperbolic tangent since 4.2.1: a quotient of polynomials in single precision, which leaves [-1, 1]."""
    square = single(x * x)
    above = below = None
    for coefficient in (1.0, 378.0, 17325.0, 135135.0):
        above = coefficient if above is None else single(coefficient + single(square * above))
    for coefficient in (28.0, 3150.0, 62370.0, 135135.0):
        below = coefficient if below is None else single(coefficient + single(square * below))
    return single(single(x * above) / below)


def sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


NEURONS = {
    "linear": lambda x: x,
    "sigmoid": sigmoid,
    "tanh": quick_tanh,
    "radial": lambda x: math.exp(-x * x / 2),
    "relu": lambda x: max(x, 0.0),
}
COLLECTED = {"sum": lambda x: x, "sqsum": lambda x: x * x, "abssum": abs}

# Of DL: numbers of the activation functions, letters of the output functions.
ACTIVATIONS = {
    0: lambda x: x,
    1: lambda x: max(x, 0.0),
    2: sigmoid,
    3: math.tanh,
    4: abs,
    5: lambda x: x / (1 + abs(x)),
    6: lambda x: math.exp(-x * x),
    7: math.tanh,
}


def softmax(values: list[float]) -> list[float]:
    return [1.0 / sum(math.exp(other - own) for other in values) for own in values]


def mlp(weights: Element, options: dict[str, str], event: list[float]) -> list[float]:
    """Return what the output neurons say."""
    layers = sorted(weights.find("Layout").findall("Layer"), key=lambda layer: int(layer.get("Index")))
    activate, collect = NEURONS[options["NeuronType"].lower()], COLLECTED[options["NeuronInputType"].lower()]
    values = event
    for number, (layer, following) in enumerate(itertools.pairwise(layers)):
        last = number == len(layers) - 2
        n_outputs = int(following.get("NNeurons")) - (0 if last else 1)
        inputs = [0.0] * n_outputs
        # The last neuron of a layer that is not the last is the bias.
        for neuron, value in zip(layer.findall("Neuron"), [*values, 1.0], strict=True):
            for i, word in enumerate(neuron.text.split()):
                inputs[i] += collect(single(float(word)) * value)
        if not last:
            values = [activate(x) for x in inputs]
        elif options["EstimatorType"] == "CE":
            values = [sigmoid(x) for x in inputs]
        else:
            values = inputs
    return values


def deep(weights: Element, event: list[float]) -> list[float]:
    """Return what comes out of a chain of dense layers."""
    values = event
    for layer in weights:
        matrix = [float(word) for word in layer.find("Weights").text.split()]
        biases = [float(word) for word in layer.find("Biases").text.split()]
        n_inputs = len(values)
        activate = ACTIVATIONS[int(layer.get("ActivationFunction"))]
        values = [
            activate(sum(matrix[row * n_inputs + i] * values[i] for i in range(n_inputs)) + biases[row])
            for row in range(len(biases))
        ]
    output = weights.get("OutputFunction")
    return softmax(values) if output == "M" else [sigmoid(x) for x in values] if output == "S" else values

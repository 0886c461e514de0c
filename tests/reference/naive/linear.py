"""Fisher and LD: an offset and a coefficient for each variable."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from tests.reference.naive.single import single


def fisher(weights: Element, event: list[float]) -> float:
    total = 0.0
    for item in weights.findall("Coefficient"):
        index, value = int(item.get("Index")), float(item.get("Value"))
        total += value if index == 0 else value * event[index - 1]
    return total


def linear_discriminant(weights: Element, event: list[float]) -> list[float]:
    # TMVA adds up in single precision.
    outputs = [0.0] * int(weights.get("NOut"))
    for item in weights.findall("Coefficient"):
        output, index, value = int(item.get("IndexOut")), int(item.get("IndexCoeff")), float(item.get("Value"))
        outputs[output] = single(outputs[output] + (value if index == 0 else value * event[index - 1]))
    return outputs

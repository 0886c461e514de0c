"""N, D, P, G and U of an event, and back for targets: by the block of all classes, which comes last."""

from __future__ import annotations

import itertools
import math
from xml.etree.ElementTree import Element

from tests.reference.naive.single import single

GRID = 10_000
SMALLEST = 1e-12
Values = dict[tuple[str, int], float]  # by kind and position: ("Variable", 0)


def places(transform: Element, tag: str, root: Element) -> list[tuple[str, int]]:
    """What a transformation reads (Input) or writes (Output)."""
    known = {
        kind: [(item.get("Expression"), item.get("Label")) for item in root.findall(f"{kind}s/{kind}")]
        for kind in ("Variable", "Target", "Spectator")
    }
    return [
        (item.get("Type"), known[item.get("Type")].index((item.get("Expression"), item.get("Label"))))
        for item in transform.findall(f"Selection/{tag}/{tag}")
    ]


def numbers(element: Element) -> list[float]:
    return [float(word) for word in element.text.split()]


def ranges(transform: Element) -> list[tuple[float, float]]:
    return [
        (single(float(item.get("Min"))), single(float(item.get("Max"))))
        for item in transform.findall("Class")[-1].findall("Ranges/Range")
    ]


def normalised(transform: Element, values: list[float | None]) -> list[float | None]:
    result: list[float | None] = []
    for value, (low, high) in zip(values, ranges(transform), strict=True):
        if value is None:
            result.append(None)
            continue
        scale = single(1.0 / single(high - low))
        result.append(single(single(single(single(value - low) * scale) * 2) - 1))
    return result


def restored(transform: Element, values: list[float | None]) -> list[float | None]:
    result: list[float | None] = []
    for value, (low, high) in zip(values, ranges(transform), strict=True):
        if value is None:
            result.append(None)
            continue
        scale = single(1.0 / single(high - low))
        result.append(single(low + single(single(value + 1) / single(scale * 2))))
    return result


def decorrelated(transform: Element, values: list[float]) -> list[float]:
    matrix, n = numbers(transform.findall("Matrix")[-1]), len(values)
    return [single(sum(matrix[row * n + i] * values[i] for i in range(n))) for row in range(n)]


def principal(transform: Element, values: list[float]) -> list[float]:
    means, n = numbers(transform.findall("Statistics")[-1]), len(values)
    vectors = numbers(transform.findall("Eigenvectors")[-1])
    return [single(sum((values[i] - means[i]) * vectors[i * n + k] for i in range(n))) for k in range(n)]


class Cumulative:
    """A cumulative distribution as TMVA evaluates it: its polygon, sampled at many points in single precision."""

    def __init__(self, pdf: Element) -> None:
        contents = [single(value) for value in numbers(pdf.find("Histogram"))]
        edges = numbers(pdf.find("HistogramBinning"))
        centres = [(low + high) / 2 for low, high in itertools.pairwise(edges)]
        self.low, self.high = edges[0], edges[-1]
        self.samples = []
        segment = bin_ = 0
        for i in range(GRID):
            x = self.centre(i)
            while segment < len(centres) - 2 and x >= centres[segment + 1]:
                segment += 1
            while bin_ < len(contents) - 1 and x >= edges[bin_ + 1]:
                bin_ += 1
            share = (x - centres[segment]) / (centres[segment + 1] - centres[segment])
            y = contents[segment] + share * (contents[segment + 1] - contents[segment])
            self.samples.append(single(max(y if y > SMALLEST else contents[bin_], SMALLEST)))

    def centre(self, i: int) -> float:
        return self.low + (i + 0.5) * (self.high - self.low) / GRID

    def share(self, x: float) -> float:
        """Between two samples, and beyond the first and the last pair, along a straight line."""
        i = math.floor((x - self.low) / (self.high - self.low) * GRID - 0.5)
        i = min(max(i, 0), GRID - 2)
        slope = (self.samples[i + 1] - self.samples[i]) / (self.centre(i + 1) - self.centre(i))
        return min(max(self.samples[i] + (x - self.centre(i)) * slope, 1e-9), 1 - 1e-9)

    def inverse(self, share: float) -> float:
        """Where the samples first reach a share."""
        for i in range(GRID):
            if self.samples[i] >= share:
                before = self.samples[i - 1] if i else 0.0
                return self.centre(i - 1) + (share - before) / (self.samples[i] - before) * (
                    self.centre(i) - self.centre(i - 1)
                )
        return self.centre(GRID - 1)


def inverse_error_function(y: float) -> float:
    low, high = -5.0, 5.0
    for _ in range(80):
        middle = (low + high) / 2
        if math.erf(middle) < y:
            low = middle
        else:
            high = middle
    return low


def from_share(transform: Element, share: float) -> float:
    if transform.get("FlatOrGauss") == "Flat":
        return single(share)
    return single(1.414213562 * inverse_error_function(min(max(2 * share - 1, -0.99999999), 0.99999999)))


def to_share(transform: Element, value: float) -> float:
    return value if transform.get("FlatOrGauss") == "Flat" else (math.erf(value / 1.414213562) + 1) / 2


class Chain:
    """The transformations of a weight file."""

    def __init__(self, root: Element) -> None:
        self.steps = [
            (transform, places(transform, "Input", root), places(transform, "Output", root))
            for transform in root.findall("Transformations/Transform")
        ]
        self.cumulatives = {
            id(transform): [
                Cumulative([block for block in variable if block.tag.startswith("CumulativePDF")][-1].find("PDF"))
                for variable in transform.findall("Variable")
            ]
            for transform, _, _ in self.steps
            if transform.get("Name") == "Gauss"
        }

    def forward(self, event: list[float]) -> list[float]:
        """Transform the variables of an event."""
        values: Values = {("Variable", i): single(x) for i, x in enumerate(event)}
        for transform, inputs, outputs in self.steps:
            taken = [values.get(place) for place in inputs]  # targets are not known
            name = transform.get("Name")
            if name == "Normalize":
                given = normalised(transform, taken)
            elif name == "Gauss":
                curves = self.cumulatives[id(transform)]
                given = [
                    None if x is None else from_share(transform, curve.share(x))
                    for x, curve in zip(taken, curves, strict=True)
                ]
            elif None in taken:  # a transformation of targets alone
                continue
            else:
                given = {"Decorrelation": decorrelated, "PCA": principal}[name](transform, taken)
            values |= {place: x for place, x in zip(outputs, given, strict=True) if x is not None}
        return [values["Variable", i] for i in range(len(event))]

    def back(self, targets: list[float]) -> list[float]:
        """Bring estimates of targets back to their own scale."""
        values: Values = {("Target", i): single(y) for i, y in enumerate(targets)}
        for transform, inputs, outputs in reversed(self.steps):
            taken = [values.get(place) for place in outputs]
            if all(y is None for y in taken):
                continue
            if transform.get("Name") == "Normalize":
                given = restored(transform, taken)
            else:
                curves = self.cumulatives[id(transform)]
                given = [
                    None if y is None else single(curve.inverse(to_share(transform, y)))
                    for y, curve in zip(taken, curves, strict=True)
                ]
            values |= {place: y for place, y in zip(inputs, given, strict=True) if y is not None}
        return [values["Target", i] for i in range(len(targets))]

"""A weight file, from the variables of an event to its responses."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

from tests.reference.naive import linear, networks, trees
from tests.reference.naive.transformations import Chain

METHODS = frozenset({"BDT", "Fisher", "LD", "MLP", "DL"})


class NaiveModel:
    """What a weight file says, taken at its word."""

    def __init__(self, path: Path) -> None:
        self.root = ET.parse(path).getroot()
        self.method = self.root.get("Method").split("::")[0]
        self.options = {item.get("name"): (item.text or "").strip() for item in self.root.findall("Options/Option")}
        self.analysis = next(
            item.get("value") for item in self.root.findall("GeneralInfo/Info") if item.get("name") == "AnalysisType"
        )
        self.expressions = [item.get("Expression") for item in self.root.findall("Variables/Variable")]
        self.n_classes = len(self.root.findall("Classes/Class"))
        self.weights = self.root.find("Weights")
        self.chain = Chain(self.root)

    def responses(self, event: list[float]) -> list[float]:
        """Return the responses to an event: one, or one for each class or target."""
        found = self.method_responses(self.chain.forward(event))
        return self.chain.back(found) if self.analysis == "Regression" else found

    def method_responses(self, inputs: list[float]) -> list[float]:
        if self.method == "Fisher":
            return [linear.fisher(self.weights, inputs)]
        if self.method == "LD":
            return linear.linear_discriminant(self.weights, inputs)
        if self.method == "MLP":
            outputs = networks.mlp(self.weights, self.options, inputs)
            return networks.softmax(outputs) if self.analysis == "Multiclass" else outputs
        if self.method == "DL":
            return networks.deep(self.weights, inputs)
        if self.analysis == "Multiclass":
            return trees.multiclass(self.weights, self.n_classes, inputs)
        if self.analysis == "Regression":
            return [trees.regression(self.weights, self.options, inputs)]
        return [trees.classification(self.weights, self.options, inputs)]

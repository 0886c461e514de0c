"""BDT: every event walks down every tree, by the attributes of the nodes."""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element

from tests.reference.naive.single import single


def leaf(node: Element, event: list[float]) -> Element:
    while len(node) > 0:
        left, right = (next(child for child in node if child.get("pos") == side) for side in "lr")
        cut = single(float(node.get("Cut")))
        n_coefficients = int(node.get("NCoef", "0"))
        if n_coefficients:
            discriminant = float(node.get(f"fC{n_coefficients - 1}"))
            for i in range(n_coefficients - 1):
                discriminant += float(node.get(f"fC{i}")) * event[i]
            passes = discriminant > cut
        else:
            passes = event[int(node.get("IVar"))] >= cut
        if node.get("cType") == "0":
            passes = not passes
        node = right if passes else left
    return node


def responses(weights: Element, event: list[float]) -> list[float]:
    """What the leaves of the trees add, where trees were grown as regression trees."""
    return [single(float(leaf(tree[0], event).get("res"))) for tree in weights]


def boost_weights(weights: Element) -> list[float]:
    return [single(float(tree.get("boostWeight"))) for tree in weights]


def preselected(weights: Element, event: list[float]) -> float:
    """Return 1 or -1 for an event that a preselection decides on, otherwise 0."""
    result = 0.0
    for i, x in enumerate(event):
        for name, side, verdict in (
            ("LowBkg", 1, -1.0),
            ("LowSig", 1, 1.0),
            ("HighBkg", -1, -1.0),
            ("HighSig", -1, 1.0),
        ):
            if weights.get(f"Preselection{name}Var{i}") == "1":
                border = float(weights.get(f"Preselection{name}Var{i}Value"))
                if (x < border) if side == 1 else (x > border):
                    result = verdict
    return result


def classification(weights: Element, options: dict[str, str], event: list[float]) -> float:
    if options.get("DoPreselection") == "True":
        verdict = preselected(weights, event)
        if verdict != 0:
            return verdict
    if options["BoostType"].lower() == "grad":
        return 2.0 / (1.0 + math.exp(-2.0 * sum(responses(weights, event)))) - 1.0
    # Leaves of RealAdaBoost and AdaCost say how pure they are.
    yes_no = options["UseYesNoLeaf"] == "True" and options["BoostType"].lower() not in {"realadaboost", "adacost"}
    total = norm = 0.0
    for tree, boost_weight in zip(weights, boost_weights(weights), strict=True):
        end = leaf(tree[0], event)
        total += boost_weight * (int(end.get("nType")) if yes_no else single(float(end.get("purity"))))
        norm += boost_weight
    return total / norm


def multiclass(weights: Element, n_classes: int, event: list[float]) -> list[float]:
    found = responses(weights, event)
    sums = [sum(found[i::n_classes]) for i in range(n_classes)]
    return [1.0 / sum(math.exp(other - own) for other in sums) for own in sums]


def regression(weights: Element, options: dict[str, str], event: list[float]) -> float:
    found, weight = responses(weights, event), boost_weights(weights)
    if options["BoostType"].lower() == "grad":
        return sum(found) + weight[0]
    if options["BoostType"].lower() != "adaboostr2":
        return sum(w * r for w, r in zip(weight, found, strict=True)) / sum(weight)
    # The weighted median, and the mean of a third of the trees around it.
    order = sorted(range(len(found)), key=lambda t: found[t])
    count, below = 0, 0.0
    while below <= sum(weight) / 2:
        below += weight[order[count]]
        count += 1
    begin = max(0, int(count - len(found) // 6 - 0.5))
    end = min(len(found), int(count + len(found) // 6 + 0.5))
    return sum(found[t] for t in order[begin:end]) / (end - begin)

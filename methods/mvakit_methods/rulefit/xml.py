"""The ``<Weights>`` of a RuleFit, both ways."""

from __future__ import annotations

from typing import Final
from xml.etree import ElementTree as ET

import numpy as np

from mvakit.errors import WeightFileError
from mvakit.weightfile import boolean_attribute, float_attribute, int_attribute, number
from mvakit_methods.rulefit.ensemble import LINEAR, Linear, RuleFitState, Rules

__all__ = ["read_ensemble", "write_ensemble"]

_MAX_RULES: Final = 1_000_000
_MAX_CUTS: Final = 1000
# What the response depends on; the rest may be undefined, as the norm of a rule that holds for all events.
_FINITE: Final = ("Coeff",)


def read_ensemble(weights: ET.Element, n_variables: int) -> RuleFitState:
    """Read rules and linear terms that TMVA or mvakit has written.

    Raises
    ------
    WeightFileError
        If there are not as many as the file says, a rule has no cuts, or a number is none.
    """
    model = int_attribute(weights, "LearningModel", 0, LINEAR)
    rules, terms = weights.findall("Rule"), weights.findall("Linear")
    for name, elements, most in (("NRules", rules, _MAX_RULES), ("NLinear", terms, n_variables)):
        if int_attribute(weights, name, 0, most) != len(elements):
            raise WeightFileError(
                f"<Weights {name}={weights.get(name)!r}> holds {len(elements)} <{'Rule' if name == 'NRules' else 'Linear'}>"
            )
    return RuleFitState(
        _read_rules(rules, n_variables),
        _read_linear(terms),
        model,
        float_attribute(weights, "Offset"),
        *(float_attribute(weights, name, finite=False) for name in _INFORMATION),
    )


_INFORMATION: Final = ("ImportanceCut", "LinQuantile", "AverageSupport", "AverageRuleSigma")


def _read_rules(elements: list[ET.Element], n_variables: int) -> Rules:
    values, first = np.empty((len(elements), len(Rules.VALUES))), [0]
    cuts: list[tuple[int, float, float, bool, bool]] = []
    for row, rule in zip(values, elements, strict=True):
        row[:] = [float_attribute(rule, name, finite=name in _FINITE) for name in Rules.VALUES]
        of_rule = rule.findall("Cut")
        if int_attribute(rule, "Nvars", 1, _MAX_CUTS) != len(of_rule):
            raise WeightFileError(f"<Rule Nvars={rule.get('Nvars')!r}> holds {len(of_rule)} <Cut>")
        cuts += [_read_cut(cut, n_variables) for cut in of_rule]
        first.append(len(cuts))
    variable, low, high, has_low, has_high = zip(*cuts, strict=True) if cuts else ((),) * 5
    return Rules(
        np.array(first, np.int64),
        np.array(variable, np.int64),
        np.array(low, np.float64),
        np.array(high, np.float64),
        np.array(has_low, np.bool_),
        np.array(has_high, np.bool_),
        values,
    )


def _read_cut(cut: ET.Element, n_variables: int) -> tuple[int, float, float, bool, bool]:
    sides = boolean_attribute(cut, "DoMin"), boolean_attribute(cut, "DoMax")
    low, high = (float_attribute(cut, name, finite=side) for name, side in zip(("Min", "Max"), sides, strict=True))
    return int_attribute(cut, "Selector", 0, n_variables - 1), low, high, *sides


def _read_linear(elements: list[ET.Element]) -> Linear:
    used, values = np.zeros(len(elements), np.bool_), np.empty((len(elements), len(Linear.VALUES)))
    for i, term in enumerate(elements):
        used[i] = int_attribute(term, "OK", 0, 1) == 1
        values[i] = [float_attribute(term, n, finite=bool(used[i]) and n != "Importance") for n in Linear.VALUES]
    return Linear(used, values)


def write_ensemble(state: RuleFitState, weights: ET.Element) -> None:
    """Fill ``<Weights>`` as TMVA does."""
    weights.set("NRules", str(len(state.rules)))
    weights.set("NLinear", str(len(state.linear.used)))
    weights.set("LearningModel", str(state.model))
    information = (state.importance_cut, state.linear_quantile, state.average_support, state.average_sigma)
    for name, value in zip(_INFORMATION, information, strict=True):
        weights.set(name, number(value))
    weights.set("Offset", number(state.offset))
    rules = state.rules
    for r, row in enumerate(rules.values):
        rule = ET.SubElement(weights, "Rule", {n: number(v) for n, v in zip(Rules.VALUES, row, strict=True)})
        begin, end = int(rules.first[r]), int(rules.first[r + 1])
        rule.set("Nvars", str(end - begin))
        for c in range(begin, end):
            cut = ET.SubElement(rule, "Cut", Selector=str(int(rules.variable[c])))
            cut.set("Min", number(rules.low[c]))
            cut.set("Max", number(rules.high[c]))
            cut.set("DoMin", "T" if rules.has_low[c] else "F")
            cut.set("DoMax", "T" if rules.has_high[c] else "F")
    for used, row in zip(state.linear.used, state.linear.values, strict=True):
        term = ET.SubElement(weights, "Linear", OK="1" if used else "0")
        for name, value in zip(Linear.VALUES, row, strict=True):
            term.set(name, number(value))

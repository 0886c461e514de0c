"""The card of a method: its options, variables and training, from the weight file where that is found."""

from __future__ import annotations

import dataclasses
from typing import Any

from mvakit.errors import MvakitError
from mvakit.resultfile import MethodEntry
from mvakit.variables import Variable
from mvakit_gui.views.source import Source

__all__ = ["card"]


def card(source: Source, method: MethodEntry) -> dict[str, Any]:
    """Return what is known of a method; where its weight file is not found, or is damaged, what the result file knows."""
    from mvakit.description import describe

    dataset = source.dataset
    known: dict[str, Any] = {
        "name": source.shown(method.title),
        "title": method.title,
        "type": method.type,
        "weights": None,
        "options": [],
        "optionCount": 0,
        "variables": [_variable(v) for v in dataset.variables],
        "targets": [_variable(v) for v in dataset.targets],
        "spectators": [{"label": name} for name in dataset.spectators],
        "training": {},
        "transformations": [],
        "parts": [],
        "needs": [],
        "obstacle": None,
    }
    try:
        path = source.weight_file(method.title)
        if path is None:
            return known | {"obstacle": f"the weight file is not there: {source.where(method.title)}"}
        found = describe(path)
    except MvakitError as error:
        return known | {"obstacle": str(error)}
    return known | {
        "weights": path.name,
        "options": [dataclasses.asdict(option) for option in found.options],
        "optionCount": found.n_options,
        "variables": [_variable(v) for v in found.variables],
        "targets": [_variable(v) for v in found.targets],
        "spectators": [_variable(v) for v in found.spectators],
        "training": found.training,
        "transformations": list(found.transformations),
        "parts": [dataclasses.asdict(part) for part in found.parts],
        "needs": list(found.needs),
        "obstacle": found.obstacle,
    }


def _variable(variable: Variable) -> dict[str, Any]:
    return {
        "label": variable.label,
        "expression": variable.expression,
        "title": variable.title,
        "unit": variable.unit,
        "minimum": variable.minimum,
        "maximum": variable.maximum,
    }

"""Every weight file of TMVA, read, written and read again: the same model, and nothing of the file is lost."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from mvakit.formula import Formula
from mvakit.model import Model
from tests.reference.catalogue import HERE, columns, events, reference_folder, tables, weight_files

ROOT = reference_folder() or HERE / "toy"
EFFICIENCY = {path: column.efficiency for column in columns(ROOT) for path in [column.weights]}


def name(path: Path) -> str:
    return path.name.removesuffix(".weights.xml")


@dataclass
class Rewritten:
    """A file, what it holds, where it is written to, and what that file holds."""

    path: Path
    model: Model
    copy: Path
    again: Model

    @functools.cached_property
    def trees(self) -> tuple[ET.Element, ET.Element]:
        """TMVA's file and ours."""
        return ET.parse(self.path).getroot(), ET.parse(self.copy).getroot()


@pytest.fixture(scope="module", params=weight_files(ROOT), ids=name)
def rewritten(request, tmp_path_factory) -> Rewritten:
    """Each file in turn, for all tests."""
    model = Model.load(request.param)
    copy = model.save(tmp_path_factory.mktemp("weights") / request.param.name)
    return Rewritten(request.param, model, copy, Model.load(copy))


def some_events(path: Path, model: Model) -> tuple[np.ndarray, np.ndarray | None]:
    """Return variables and spectators of events of the table beside a weight file."""
    near = next(t for t in tables(ROOT) if t.parent in path.parents)
    branches = {key: values[::10] for key, values in events(near).items()}
    found = [
        np.column_stack([np.asarray(Formula(v.expression).evaluate(branches), np.float64) for v in group])
        for group in (model.variables, model.spectators)
        if group
    ]
    return found[0], found[1] if len(found) > 1 and model.needs_spectators else None


def test_the_same_model_comes_back(rewritten, tmp_path):
    model, again = rewritten.model, rewritten.again
    X, spectators = some_events(rewritten.path, model)
    efficiency = EFFICIENCY.get(rewritten.path)
    response = model.predict(X, spectators, efficiency)
    np.testing.assert_array_equal(again.predict(X, spectators, efficiency), response)
    if model.pdfs is not None:
        np.testing.assert_array_equal(again.probability(response), model.probability(response))
        np.testing.assert_array_equal(again.rarity(response), model.rarity(response))
    for field in ("title", "analysis", "variables", "spectators", "targets", "classes", "info", "other_options"):
        assert getattr(again, field) == getattr(model, field), field
    assert again.method.options == model.method.options
    # Written once more, the file does not change.
    assert again.save(tmp_path / rewritten.copy.name).read_bytes() == rewritten.copy.read_bytes()


def contents(element: ET.Element, place: str = "") -> Iterator[str]:
    """Yield the elements of a tree by where they are and what they are called, their attributes, and where text is.

    The order of elements does not count: a node of a decision tree may change places with its neighbour.
    """
    called = element.get("name") or element.get("Name")
    place = f"{place}/{element.tag}" + (f"[{called}]" if called else "")
    yield place
    # A leaf of a BDT may still have the coefficients of a cut that was given up.
    given_up = element.tag == "Node" and element.get("IVar") == "-1"
    yield from (f"{place} {name}=" for name in element.attrib if not (given_up and re.fullmatch(r"fC\d+", name)))
    if (element.text or "").strip():
        yield f"{place} text"
    for child in element:
        yield from contents(child, place)


def test_nothing_is_lost(rewritten):
    """Every element and attribute of TMVA's file is in mvakit's, as often."""
    theirs, mine = (Counter(contents(root)) for root in rewritten.trees)
    missing = theirs - mine
    assert not missing, dict(missing.most_common(10))


def test_options_keep_their_values(rewritten):
    """And whether they were set; numbers may be spelled otherwise, and enumerated values in other letters."""

    def values(root: ET.Element) -> dict[str, tuple[str | None, object]]:
        found: dict[str, tuple[str | None, object]] = {}
        for item in root.findall("Options/Option"):
            text = (item.text or "").strip()
            try:
                found[item.get("name", "")] = item.get("modified"), float(text)
            except ValueError:
                found[item.get("name", "")] = item.get("modified"), text.lower()
        return found

    theirs, mine = map(values, rewritten.trees)
    assert {key: mine.get(key) for key in theirs} == theirs


def test_a_file_names_no_option_that_its_reader_would_not_know(rewritten):
    """TMVA's Reader stops at an option that its release does not have."""
    tmva, ours = ({item.get("name") for item in root.findall("Options/Option")} for root in rewritten.trees)
    assert ours == tmva

"""Weight files of the toy set, to be changed and loaded again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np

from mvakit.model import Model

Change = Callable[[ET.Element], object]


def tree(toy: Path, title: str) -> ET.Element:
    """Return the root of TMVA's weight file of that title."""
    return ET.parse(toy / "class" / "weights" / f"Toy_{title}.weights.xml").getroot()


def load(root: ET.Element, folder: Path) -> Model:
    """Write a weight file, and load it."""
    path = folder / "changed.weights.xml"
    path.write_bytes(ET.tostring(root))
    return Model.load(path)


def changed(toy: Path, folder: Path, title: str, *changes: Change) -> Model:
    """Load a toy weight file after changes to it."""
    root = tree(toy, title)
    for change in changes:
        change(root)
    return load(root, folder)


def set_to(path: str, **attributes: str) -> Change:
    """Return a change of attributes of the first element at a path."""

    def change(root: ET.Element) -> None:
        found = root.find(path)
        assert found is not None, path
        found.attrib.update(attributes)

    return change


def without(path: str, attribute: str = "") -> Change:
    """Return a change that takes away the first element at a path, or one of its attributes."""

    def change(root: ET.Element) -> None:
        found = root.find(path)
        assert found is not None, path
        if attribute:
            del found.attrib[attribute]
            return
        parent = next(element for element in root.iter() if found in list(element))
        parent.remove(found)

    return change


def doubled(path: str) -> Change:
    """Return a change that adds the first element at a path once more."""

    def change(root: ET.Element) -> None:
        found = root.find(path)
        assert found is not None, path
        parent = next(element for element in root.iter() if found in list(element))
        parent.append(found)

    return change


def text(path: str, value: str) -> Change:
    """Return a change of the text of the first element at a path."""

    def change(root: ET.Element) -> None:
        found = root.find(path)
        assert found is not None, path
        found.text = value

    return change


def background_first(root: ET.Element) -> None:
    """Put the background before the signal, in the classes alone."""
    for item in root.findall("Classes/Class"):
        item.set("Index", str(1 - int(item.get("Index", "0"))))


def events(n: int = 300) -> np.ndarray:
    """Return events within and beyond the ranges of the toy variables."""
    return np.random.default_rng(8).uniform(-9, 9, (n, 4)).astype(np.float32)

"""Damaged weight files: TMVA's small ones, cut short, and then mutated in bytes, elements, attributes, text and company.

A case is a number; the same number is the same file every time. ``python -m tests.property.damage 12345 > bad.xml`` writes
the file of a case.
"""

from __future__ import annotations

import copy
import functools
import random
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from tests.reference.catalogue import HERE, reference_folder

LARGEST_SOURCE = 700_000
TREES, EVENTS, OTHERS = 4, 120, 12  # that are kept of many: trees, events, and rules, bins or cuts
FEWER = {"NEventsMin": "3", "NEventsMax": "6"}  # options that ask for more events than are kept
NUMBERS = (
    "", " ", "nan", "inf", "-inf", "-1", "0", "1", "2", "3", "-0.0", "1e308", "-1e308", "1e39", "-3.5e38", "1e-320", "1e999",
    "2147483648", "-2147483649", "99999999999999999999", "9" * 5000, "1_0", "0x7f", "+1", "1e3", "0.5", "١٢", "½", "1,5", "1 2",
    "true", "F", "None", "x", "A" * 100_000,
)  # fmt: skip
WORDS = (
    "", "Signal", "Grad", "AdaBoost", "AdaBoostR2", "Gauss", "Flat", "Regression", "Multiclass", "Classification", "Variable", "Target",
    "Spectator", "N", "G,D_Signal", "D(var1,var2)+P", "tanh", "radial", "abssum", "KDE", "Spline5", "Fisher::x", "Cuts::x", "::", "x" * 70_000,
    "../../etc/passwd", "/dev/zero", "%s%n", "var1+var2", "(((((((((((1", "0/0", "__import__('os')", "x0" + "**9" * 40,
    "9" * 400 + "*x0", "(0)+(1)*x0", "(99999999)", "eta<1" + "||eta>2" * 3000, "\u202e", "𝔫",
)  # fmt: skip
TAGS = (
    "Weights", "Node", "BinaryTree", "Event", "Coefficient", "PDF", "Histogram", "Transform", "Class", "Layout", "Neuron", "SubMethod",
    "Method", "Rule", "Selection", "x",
)  # fmt: skip


@dataclass(frozen=True)
class Seed:
    """A small weight file, and the files that belong beside it."""

    name: str
    root: ET.Element
    beside: dict[str, bytes]


def shorten(element: ET.Element) -> None:
    """Keep a few of many elements of one kind, and say so where their number is told; likewise for bins."""
    for parent in list(element.iter()):
        for tag in {child.tag for child in parent} - {
            "Node",
            "Option",
            "Info",
            "Variable",
            "Neuron",
            "Layer",
            "Parameter",
        }:
            children = parent.findall(tag)
            kept = {"BinaryTree": TREES, "Event": EVENTS}.get(tag, OTHERS)
            for child in children[kept:]:
                parent.remove(child)
            for name, value in parent.attrib.items():
                if value == str(len(children)):
                    parent.set(name, str(min(kept, len(children))))
        if parent.tag == "Node" and "selector" in parent.attrib and int(parent.get("depth", "0")) >= 3:
            for child in list(parent):
                parent.remove(child)
        if parent.tag == "PDF" and parent.find("HistogramBinning") is not None:
            for item, more in ((parent[0], 0), (parent[1], 1)):
                words = (item.text or "").split()
                item.text = " ".join([*words[:OTHERS], *words[-1 - more :]])
                item.set("NBins", str(OTHERS + 1))


@functools.cache
def seeds() -> tuple[Seed, ...]:
    """Return one small file of every kind that there is: of each method, analysis, boosting and transformation."""
    found: dict[tuple[str, ...], Seed] = {}
    root = reference_folder() or HERE / "toy"
    for path in sorted(root.rglob("*.weights.xml"), key=lambda p: ("toy" not in p.parts, p)):
        if path.stat().st_size > LARGEST_SOURCE:
            continue
        tree = ET.parse(path).getroot()
        options = {item.get("name"): item.text for item in tree.findall("Options/Option")}
        words = (
            "BoostType",
            "VarTransform",
            "CreateMVAPdfs",
            "PDFInterpolSig[0]",
            "NeuronType",
            "UseYesNoLeaf",
            "UseFisherCuts",
        )
        analysis = tree.find("GeneralInfo/Info[@name='AnalysisType']")
        key = (
            tree.get("Method", "").split("::")[0],
            "" if analysis is None else analysis.get("value", ""),
            *(str(options.get(word)) for word in words),
            *(item.get("Method", "").split("::")[0] for item in tree.findall("Weights/SubMethod")),
        )
        if key in found:
            continue
        shorten(tree)
        for item in tree.findall("Options/Option"):
            if item.get("name") in FEWER:
                item.text = FEWER[str(item.get("name"))]
        foam = path.with_name(path.name.replace(".xml", "_foams.root"))
        found[key] = Seed(path.name, tree, {foam.name: foam.read_bytes()} if foam.exists() else {})
    return tuple(found.values())


# ------------------------------------------------------------------------------------------------ mutations

Mutation = Callable[[random.Random, ET.Element], None]


def parents(root: ET.Element) -> list[ET.Element]:
    """Return the elements with children."""
    if not len(root):
        ET.SubElement(root, "x", x="1").text = "1"
    return [element for element in root.iter() if len(element)]


def part(rng: random.Random, root: ET.Element) -> ET.Element:
    """Return the whole file or, more often, a section with numbers."""
    sections = [child for child in root if child.tag in {"Weights", "Transformations", "MVAPdfs"} and len(child)]
    return rng.choice(sections) if sections and rng.random() < 0.6 else root


def pick(rng: random.Random, root: ET.Element) -> ET.Element:
    """Return an element; as likely a rare one as one of many of its kind."""
    by_tag: dict[str, list[ET.Element]] = {}
    for element in part(rng, root).iter():
        by_tag.setdefault(str(element.tag), []).append(element)
    return rng.choice(by_tag[rng.choice(sorted(by_tag))])


def delete(rng: random.Random, root: ET.Element) -> None:
    parent = rng.choice(parents(part(rng, root)))
    parent.remove(rng.choice(list(parent)))


def duplicate(rng: random.Random, root: ET.Element) -> None:
    parent = rng.choice(parents(part(rng, root)))
    chosen = copy.deepcopy(rng.choice(list(parent)))
    parent.insert(rng.randrange(len(parent) + 1), chosen)


def swap(rng: random.Random, root: ET.Element) -> None:
    parent = rng.choice(parents(part(rng, root)))
    i, j = rng.randrange(len(parent)), rng.randrange(len(parent))
    parent[i], parent[j] = copy.deepcopy(parent[j]), copy.deepcopy(parent[i])


def transplant(rng: random.Random, root: ET.Element) -> None:
    """Put a copy of an element of this or another file somewhere else."""
    other = root if rng.random() < 0.5 else rng.choice(seeds()).root
    pick(rng, root).append(copy.deepcopy(pick(rng, other)))


def replace_section(rng: random.Random, root: ET.Element) -> None:
    """Take a section of another file."""
    other = rng.choice(seeds()).root
    child = rng.choice([*parents(root)[0]])
    theirs = other.find(str(child.tag))
    if theirs is not None:
        root[list(root).index(child)] = copy.deepcopy(theirs)


def set_attribute(rng: random.Random, root: ET.Element) -> None:
    element = pick(rng, root)
    if element.attrib:
        element.set(rng.choice(list(element.attrib)), rng.choice(NUMBERS if rng.random() < 0.8 else WORDS))


def borrow(rng: random.Random, root: ET.Element) -> None:
    """Give an attribute the value of another one of this file, or a value nearby: what is plausible goes deeper."""
    element, other = pick(rng, root), pick(rng, root)
    if not element.attrib or not other.attrib:
        return
    name = rng.choice(list(element.attrib))
    value = other.get(name, rng.choice(list(other.attrib.values()))) if rng.random() < 0.6 else element.get(name, "")
    if rng.random() < 0.6:
        try:
            number = float(value) * rng.choice([-1, 0.5, 2, 10, 1e3, 1e-3, 1e6, 1e15, 1e20, 1e30])
            value = str(int(number)) if value.lstrip("-").isdigit() else repr(number)
        except (ValueError, OverflowError):
            pass
    element.set(name, value)


def set_count(rng: random.Random, root: ET.Element) -> None:
    """Make one of the numbers that count something huge, or off by one."""
    counts = [
        (element, name)
        for element in part(rng, root).iter()
        for name, value in element.attrib.items()
        if re.fullmatch(r"\d{1,6}", value)
    ]
    if not counts:
        return
    element, name = rng.choice(counts)
    value = int(element.get(name, "0"))
    element.set(name, str(rng.choice([value + 1, value - 1, 10**5, 10**7, 10**9, 10**12, 10**18, -value])))


def drop_attribute(rng: random.Random, root: ET.Element) -> None:
    element = pick(rng, root)
    if element.attrib:
        del element.attrib[rng.choice(list(element.attrib))]


def rename_attribute(rng: random.Random, root: ET.Element) -> None:
    element = pick(rng, root)
    if element.attrib:
        name = rng.choice(list(element.attrib))
        element.attrib[rng.choice(["x", name.lower(), name + "s", "Index", "Value"])] = element.attrib.pop(name)


def rename(rng: random.Random, root: ET.Element) -> None:
    pick(rng, root).tag = rng.choice(TAGS)


def change_text(rng: random.Random, root: ET.Element) -> None:
    texts = [element for element in part(rng, root).iter() if (element.text or "").strip()]
    if not texts:
        return
    element = rng.choice(texts)
    words = (element.text or "").split()
    place = rng.randrange(len(words))
    action = rng.randrange(7)
    if action == 0:
        del words[place]
    elif action == 1:
        words[place] = rng.choice(NUMBERS)
    elif action == 2:
        words.insert(place, rng.choice(NUMBERS))
    elif action == 3:
        words = [rng.choice(NUMBERS)] * len(words)
    elif action == 4:
        words = words * 20
    elif action == 5:
        rng.shuffle(words)
    else:
        scale = rng.choice([-1, 0, 2, 1e6, 1e15, 1e25, 1e37])
        words = [repr(float(word) * scale) if re.fullmatch(r"-?\d+\.\d+(e[+-]\d+)?", word) else word for word in words]
    element.text = " ".join(words)


def change_option(rng: random.Random, root: ET.Element) -> None:
    options = root.findall("Options/Option")
    if options:
        option = rng.choice(options)
        option.text = rng.choice(NUMBERS + WORDS)
        if rng.random() < 0.2:
            option.set("name", rng.choice(options).get("name", ""))


def change_method(rng: random.Random, root: ET.Element) -> None:
    """Say that a file is of another method or analysis."""
    if rng.random() < 0.6:
        root.set("Method", rng.choice(seeds()).root.get("Method", ""))
    else:
        for item in root.findall("GeneralInfo/Info"):
            if item.get("name") == "AnalysisType":
                item.set("value", rng.choice(["Classification", "Regression", "Multiclass", "", "Clustering"]))


MUTATIONS: tuple[Mutation, ...] = (
    delete, duplicate, swap, transplant, replace_section, set_attribute, set_attribute, set_attribute, borrow, borrow, borrow, set_count, set_count,
    drop_attribute, drop_attribute, rename_attribute, rename, change_text, change_text, change_option, change_method,
)  # fmt: skip


def damaged_bytes(rng: random.Random, data: bytes) -> bytes:
    """Damage what was written."""
    place = rng.randrange(len(data))
    action = rng.randrange(10)
    if action == 0:
        return data[:place]
    if action == 1:
        changed = bytearray(data)
        for _ in range(rng.choice([1, 3, 30])):
            changed[rng.randrange(len(data))] = rng.randrange(256)
        return bytes(changed)
    if action == 2:
        other = ET.tostring(rng.choice(seeds()).root)
        return data[:place] + other[rng.randrange(len(other)) :]
    if action == 3:
        end = rng.randrange(place, len(data))
        return data[:place] + data[end:]
    if action == 4:
        return b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>' + data.replace(b"Label", b"&b;", 1)
    if action == 5:
        return data.replace(b' value="', b' value="&#x41;&amp;&lt;', 1) if rng.random() < 0.5 else b""
    if action == 6:
        return data.decode("ascii", "replace").encode(rng.choice(["utf-16", "utf-32", "utf-8-sig"]))
    if action == 7:
        return (
            b'<?xml version="1.0" encoding="' + rng.choice([b"utf-7", b"ebcdic", b"utf-16", b"latin1"]) + b'"?>' + data
        )
    if action == 8:
        # An element deep inside of others of its kind.
        opening = rng.choice(re.findall(rb"<(\w+)[^<>/]*>", data) or [b"x"])
        tag, depth = re.search(rb"<" + opening + rb"[^<>/]*>", data), rng.choice([50, 400, 1900, 3000])
        inside = (tag[0] if tag else b"<x>") * depth + (b"</" + opening + b">") * depth
        end = tag.end() if tag else place
        return data[:end] + inside + data[end:]
    return (
        data[:place] + rng.choice([b"\0", b"<![CDATA[", b"<!--", b"<x>", b"&#0;", b"\xff\xfe", b"]]>"]) + data[place:]
    )


def case(number: int) -> tuple[str, bytes, dict[str, bytes]]:
    """Return the name of a file, what is in it, and the files beside it."""
    rng = random.Random(number)
    seed = rng.choice(seeds())
    root, beside = copy.deepcopy(seed.root), dict(seed.beside)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        rng.choice(MUTATIONS)(rng, root)
    data = ET.tostring(root)
    if rng.random() < 0.15:
        data = damaged_bytes(rng, data)
    for name, content in seed.beside.items():
        if rng.random() < 0.4:
            beside[name] = damaged_bytes(rng, content)
        elif rng.random() < 0.1:
            del beside[name]
    return seed.name, data, beside


if __name__ == "__main__":
    sys.stdout.buffer.write(case(int(sys.argv[1]))[1])

"""The weight file: read, written, and refused where it is damaged or hostile."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from mvakit import weightbytes
from mvakit import weightfile as wf
from mvakit.errors import WeightFileError
from mvakit.variables import Variable


def test_tmva_s_file_is_read_section_by_section(toy: Path) -> None:
    document = wf.read_document(toy / "class" / "weights" / "Toy_FisherGD.weights.xml")
    assert (document.method, document.title) == ("Fisher", "FisherGD")
    assert document.info["TMVA Release"] == "4.2.1 [262657]"
    assert document.info["Training events"] == "2500"
    assert document.options[0] == ("V", True, "False")
    assert document.option("vartransform") == "G,D"
    assert document.option("nothing") is None
    assert document.variables[1] == Variable("var1-var2", "diff", "Difference", "GeV", "F", -5.99214268, 3.89347839)
    assert [s.label for s in document.spectators] == ["eta", "njet"]
    assert document.classes == ("Signal", "Background")
    assert len(document.transformations.findall("Transform")) == 2
    assert document.weights.get("NCoeff") == "5"


def test_read_write_read_is_the_identity(toy: Path, tmp_path: Path) -> None:
    for path in sorted((toy / "class" / "weights").glob("*.xml")):
        first = wf.read_document(path)
        again = wf.read_document(wf.write_document(first, tmp_path / path.name, {"beside.bin": b"1"}))
        assert (tmp_path / "beside.bin").read_bytes() == b"1"
        for name in ("method", "title", "info", "options", "variables", "spectators", "targets", "classes"):
            assert getattr(again, name) == getattr(first, name), (path.name, name)
        for name in ("transformations", "pdfs", "weights"):
            one, two = getattr(first, name), getattr(again, name)
            assert [(e.tag, e.attrib) for e in one.iter()] == [(e.tag, e.attrib) for e in two.iter()]


def test_names_with_markup_survive(tmp_path: Path) -> None:
    document = wf.WeightDocument(
        "Fisher", "a<b&\"c'é", classes=("Signal", "B<0>"), variables=(Variable("x<y&&z>1", "ü", "<b>", '"'),)
    )
    again = wf.read_document(wf.write_document(document, tmp_path / "x.weights.xml"))
    assert (again.title, again.classes) == (document.title, document.classes)
    assert again.variables == document.variables


def test_numbers_are_written_so_that_they_come_back() -> None:
    values = np.array([1 / 3, -1e-300, 0.0, 5e-324, 1.7976931348623157e308, np.float32(0.1)])
    element = ET.Element("Row")
    element.text = wf.numbers(values)
    assert np.array_equal(wf.text_numbers(element, len(values)), values)


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "x.weights.xml"
    path.write_text(text)
    return path


WHOLE = (
    '<MethodSetup Method="Fisher::F"><Variables NVar="1"><Variable Expression="x"/></Variables><Weights/></MethodSetup>'
)


def test_a_minimal_file_is_tolerated(tmp_path: Path) -> None:
    document = wf.read_document(_file(tmp_path, WHOLE))
    assert document.variables == (Variable("x", "x", "x"),)
    latin = wf.read_document(_file(tmp_path, '<?xml version="1.0" encoding="ISO-8859-1"?>' + WHOLE))
    assert latin.variables == document.variables
    assert wf.read_document(_file(tmp_path, '<MethodSetup Method="Fisher"><Weights/></MethodSetup>')).title == "Fisher"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is not a whole XML file"),
        ("<MethodSetup", "is not a whole XML file"),
        (WHOLE[:-5], "is not a whole XML file"),
        ("<html/>", "its root is <html>"),
        ("<MethodSetup/>", "lacks the attribute 'Method'"),
        (WHOLE.replace("<Weights/>", ""), "lacks <Weights>"),
        (WHOLE.replace('NVar="1"', 'NVar="7"'), "holds 1 <Variable>"),
        (WHOLE.replace('NVar="1"', 'NVar="-1"'), "should lie between 0 and inf"),
        (WHOLE.replace('Expression="x"', 'Expresion="x"'), "did you mean 'Expresion'"),
        (WHOLE.replace('"x"/>', '"x" Min="low"/>'), "should be a number"),
        ('<!DOCTYPE a [<!ENTITY b "c">]>' + WHOLE, "declares a document type or an entity"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd">' + WHOLE, "declares a document type or an entity"),
        ("<a>" * 3000, "its root is <a>"),
        ("<MethodSetup>" + "<a>" * 3000, "nests deeper"),
        (WHOLE + "\x00", "is not a whole XML file"),
        ('<?xml version="1.0" encoding="big5"?>' + WHOLE, "is said to be written in 'big5'"),
        ('<?xml version="1.0" encoding="none-such"?>' + WHOLE, "is said to be written in 'none-such'"),
    ],
)
def test_damaged_and_hostile_files_are_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(WeightFileError, match=re.escape(said)):
        wf.read_document(_file(tmp_path, text))


def test_every_truncation_of_a_file_is_refused(toy: Path, tmp_path: Path) -> None:
    data = (toy / "class" / "weights" / "Toy_Fisher.weights.xml").read_bytes().rstrip()
    path = tmp_path / "cut.weights.xml"
    for length in range(0, len(data), 97):
        path.write_bytes(data[:length])
        with pytest.raises(WeightFileError):
            wf.read_document(path)


def test_files_that_are_not_there_or_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightFileError, match="cannot be read: No such file"):
        wf.read_document(tmp_path / "none.xml")
    monkeypatch.setattr(weightbytes, "MAX_BYTES", 10)
    with pytest.raises(WeightFileError, match="is larger than"):
        wf.read_document(_file(tmp_path, WHOLE))


def test_attributes() -> None:
    element = ET.Element("Node", n="3", x="1.5", bad="1,5", nan="nan", yes="True", no="0", text="two")
    assert wf.int_attribute(element, "n", 0, 3) == 3
    assert wf.float_attribute(element, "x") == 1.5
    assert np.isnan(wf.float_attribute(element, "nan", finite=False))
    assert wf.boolean_attribute(element, "yes")
    assert not wf.boolean_attribute(element, "no")
    for call, said in [
        (lambda: wf.int_attribute(element, "n", 4), "between 4 and inf"),
        (lambda: wf.int_attribute(element, "n", maximum=2), "between -inf and 2"),
        (lambda: wf.int_attribute(element, "x"), "a whole number"),
        (lambda: wf.float_attribute(element, "bad"), "should be a number"),
        (lambda: wf.float_attribute(element, "nan"), "a finite number"),
        (lambda: wf.boolean_attribute(element, "text"), "should be 0 or 1"),
        (lambda: wf.attribute(element, "y"), "lacks the attribute 'y'"),
        (lambda: wf.child(element, "Leaf"), "lacks <Leaf>"),
    ]:
        with pytest.raises(WeightFileError, match=re.escape(said)):
            call()
    row = ET.Element("Row")
    row.text = "1 2 three"
    with pytest.raises(WeightFileError, match="not a number"):
        wf.text_numbers(row)
    row.text = "1 2"
    with pytest.raises(WeightFileError, match="should hold 3 numbers and holds 2"):
        wf.text_numbers(row, 3)


class Recorder:
    """Keeps what a reader of weights is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, object]] = []

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.events.append((f"<{tag}>", dict(attributes)))

    def data(self, text: str) -> None:
        if text and self.events[-1][0] == "text":
            self.events[-1] = ("text", f"{self.events[-1][1]}{text}")
        elif text:
            self.events.append(("text", text))

    def end(self, tag: str) -> None:
        self.events.append((f"</{tag}>", None))

    def close(self) -> list[tuple[str, object]]:
        return self.events


INSIDE = '<Weights N="1">one<A i="0"><B/>two</A>three<A i="1">four</A></Weights>'
TOLD = [
    ("<Weights>", {"N": "1"}), ("text", "one"), ("<A>", {"i": "0"}), ("<B>", {}), ("</B>", None), ("text", "two"),
    ("</A>", None), ("text", "three"), ("<A>", {"i": "1"}), ("text", "four"), ("</A>", None), ("</Weights>", None),
]  # fmt: skip


def test_weights_are_consumed_while_the_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = WHOLE.replace("<Variables", "<Options/><Variables").replace("<Weights/>", INSIDE)
    path = _file(tmp_path, text)
    seen = []

    def begin(document: wf.WeightDocument) -> Recorder:
        seen.append(document.variables)
        return Recorder()

    for piece in (1, 7, 1 << 20):
        monkeypatch.setattr(weightbytes, "_PIECE", piece)
        document = wf.read_document(path, begin)
        assert document.state == TOLD
        assert not list(document.weights)
        assert document.weights.attrib == {"N": "1"}
    assert seen[0] == (Variable("x", "x", "x"),)
    assert wf.read_document(path).state is None
    assert wf.read_document(path, lambda _: None).weights[1].text == "four"
    assert wf.feed(ET.fromstring(INSIDE), Recorder()) == TOLD
    # Without the options before them, they become an element.
    late = wf.read_document(_file(tmp_path, WHOLE.replace("<Weights/>", INSIDE + "<Options/>")), begin)
    assert late.state is None
    assert len(late.weights) == 2
    with pytest.raises(WeightFileError, match="<Classes> comes after <Weights>"):
        wf.read_document(_file(tmp_path, text.replace("</MethodSetup>", "<Classes/></MethodSetup>")), begin)
    with pytest.raises(WeightFileError, match="nests deeper"):
        wf.read_document(_file(tmp_path, text.replace("<B/>", "<B>" * 3000)), begin)


def test_too_many_elements_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wf, "MAX_ELEMENTS", 6)
    path = _file(tmp_path, WHOLE.replace("<Weights/>", "<Weights>" + "<a/>" * 4 + "</Weights>"))
    with pytest.raises(WeightFileError, match="more than 6 elements"):
        wf.read_document(path)


@pytest.mark.parametrize(
    ("info", "code"),
    [
        ({"TMVA Release": "4.2.1 [262657]"}, 262657),
        ({"TMVA": "4.0.1 [262145]"}, 262145),
        ({"TMVA Release": "4.2.1"}, None),
        ({"TMVA Release": "[9999999999]"}, None),
        ({}, None),
    ],
)
def test_the_release_that_wrote_a_file(info: dict[str, str], code: int | None) -> None:
    assert wf.release_code(info) == code


def test_files_without_weights(tmp_path: Path) -> None:
    path = _file(tmp_path, WHOLE.replace("<Weights/>", ""))
    assert not wf.read_document(path, need_weights=False).has_weights
    assert wf.read_document(_file(tmp_path, WHOLE)).has_weights


def test_methods_are_named_in_the_way_of_older_files(tmp_path: Path) -> None:
    document = wf.read_document(_file(tmp_path, WHOLE.replace("Fisher::F", "Method Fisher::F")))
    assert (document.method, document.title) == ("Fisher", "F")

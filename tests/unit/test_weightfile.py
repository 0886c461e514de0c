"""The weight file: read, written, and refused where it is damaged or hostile."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

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
        ("<a>" * 3000, "nests deeper"),
        (WHOLE + "\x00", "is not a whole XML file"),
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
    monkeypatch.setattr(wf, "MAX_BYTES", 10)
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

"""Tables that are text on a terminal and HTML in a notebook."""

from __future__ import annotations

from mvakit.reporttable import ReportTable


def test_words_stand_left_and_numbers_right() -> None:
    table = ReportTable("T", ("a", "b"), (("long name", "1"), ("x", "20")))
    rule = "-" * 13
    assert str(table).splitlines() == ["T", rule, "a           b", rule, "long name   1", "x          20", rule]
    words = ReportTable("T", ("a", "b"), (("x", "long name"), ("y", "z")), words=2, remarks=("said",))
    assert str(words).splitlines()[4:] == ["x  long name", "y  z", "-" * 12, "said"]


def test_a_table_without_rows_is_its_title() -> None:
    assert str(ReportTable("Nothing", ("a",), remarks=("really",))) == "Nothing\nreally"
    assert ReportTable("A & B")._repr_html_() == "<p><strong>A &amp; B</strong></p>"


def test_whatever_stands_in_it_is_escaped() -> None:
    table = ReportTable("<t>", ("<h>",), (("<c>",),), remarks=("<r>",))
    cell = '<th style="text-align: left">'
    assert table._repr_html_() == (
        f"<table><caption>&lt;t&gt;</caption><thead><tr>{cell}&lt;h&gt;</th></tr></thead>"
        f"<tbody><tr>{cell}&lt;c&gt;</th></tr></tbody></table><p>&lt;r&gt;</p>"
    )

"""Names as figures and file systems can take them."""

from __future__ import annotations

import re
import warnings

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mvakit_gui.figures import drawing
from mvakit_gui.figures.text import FileNames, plain, safe_name, shown
from mvakit_gui.figures.titles import axis_text, own_text, title_text

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=80)
PIECES = [*"ab_^{}#$\\%&~ -'", "#eta", "_{", "^{", "#bar{", "#sqrt{", "}"]
MARKUP = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


def displayed(text: str) -> str:
    """What matplotlib makes of a text that is no formula."""
    from matplotlib.text import Text

    content, is_formula = Text(0, 0, text)._preprocess_math(text)
    assert is_formula is False
    return content


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("$x$", "$x$"),
        (r"\$x$", r"\$x$"),
        ("<b>bold</b>", "<b>bold</b>"),
        ("a_b^c", "a_b^c"),
        ("100% & more ~ {}", "100% & more ~ {}"),
        ("  two\t blanks ", "two blanks"),
        ("line\nbreak\0", "line\\nbreak\\x00"),
        ("日本", "\\u65e5\\u672c"),
        ("µ → √s", "µ → √s"),
        ("\udcff", "\\udcff"),
        ("\u202eright to left", "\\u202eright to left"),
    ],
)
def test_names_are_shown_literally(name: str, expected: str) -> None:
    with drawing():
        assert plain(name) == expected
        assert displayed(shown(name)) == expected
        assert displayed(title_text(name)) == expected


def test_the_middle_of_a_long_name_is_left_out() -> None:
    with drawing():
        assert plain("a" * 60 + "z", 12) == "aaaaaaa…aaaz"
        assert len(plain("a" * 60 + "z", 12)) == 12
        assert plain("x" * 12, 12) == "x" * 12
        assert len(plain("x" * 10**6)) == 48
        # An escape is never cut in two.
        assert plain("日本語日本語", 20) == "\\u65e5\\u672c…\\u8a9e"


@given(ANY_TEXT)
@example("$")
@example("\\")
@example("$\\frac")
@settings(max_examples=60, deadline=None)
def test_any_text_is_shown_as_it_is_and_warns_of_no_glyph(text: str) -> None:
    from matplotlib.figure import Figure

    with drawing(), warnings.catch_warnings():
        warnings.simplefilter("error")
        literal = shown(text)
        assert displayed(literal) == plain(text)
        assert len(plain(text)) <= 48
        figure = Figure((1, 1))
        figure.text(0, 0, literal)
        figure.draw_without_rendering()


# ---------------------------------------------------------------------------------------------- ROOT's markup


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("p_{T}", r"p$_{\mathregular{T}}$"),
        ("p_{T}^{miss}", r"p$_{\mathregular{T}}^{\mathregular{miss}}$"),
        ("#eta_{#mu}", r"η$_{\mathregular{μ}}$"),
        ("#Delta#phi", "Δφ"),
        ("#etajet", "ηjet"),
        ("m_{t#bar{t}}", r"m$_{\mathregular{t}\overline{\mathregular{t}}}$"),
        ("#sqrt{s}", r"$\sqrt{\mathregular{s}}$"),
        ("x^{2} y^{3}", r"x$^{\mathregular{2}}$ y$^{\mathregular{3}}$"),
        ("A_{i j}", r"A$_{\mathregular{i\ j}}$"),
        ("$x_{1}$", r"\$x$_{\mathregular{1}}$\$"),
        ("#sigma, #varsigma, #omega, #Omega", "σ, ς, ω, Ω"),
        # No markup, or markup that is not well-formed: literal.
        ("#tree", "#tree"),
        ("#1", "#1"),
        ("a_b^c", "a_b^c"),
        ("x_{", "x_{"),
        ("x_{}", "x_{}"),
        (r"x_{\evil}", r"x_{\evil}"),
        ("x_{" * 6 + "y" + "}" * 6, "x_{" * 6 + "y" + "}" * 6),
    ],
)
def test_titles_in_tlatex(title: str, expected: str) -> None:
    with drawing():
        assert title_text(title) == expected


@given(MARKUP)
@settings(max_examples=60, deadline=None)
def test_any_markup_can_be_drawn(title: str) -> None:
    from matplotlib.figure import Figure

    with drawing():
        figure = Figure((1, 1))
        figure.text(0, 0, title_text(title))
        figure.draw_without_rendering()


def test_units_stand_in_brackets() -> None:
    with drawing():
        assert axis_text("p_{T}", "GeV") == r"p$_{\mathregular{T}}$ [GeV]"
        assert axis_text("n", " ") == "n"
        assert axis_text("E", "$") == r"E [\$]"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"$\sqrt{s}$ = 13 TeV", r"$\sqrt{s}$ = 13 TeV"),
        ("costs $5", r"costs \$5"),
        (r"$\nonsense{$", r"\$\nonsense{\$"),
        (r"\$5", r"\\$5"),
        ("plain", "plain"),
    ],
)
def test_what_the_user_typed_may_hold_mathtext(text: str, expected: str) -> None:
    with drawing():
        assert own_text(text) == expected


# ---------------------------------------------------------------------------------------------- file names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("overtrain_BDTG", "overtrain_BDTG"),
        ("BDT.v2-a", "BDT.v2-a"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a/b\\c:d", "a_b_c_d"),
        (".hidden", "hidden"),
        ("-rf", "rf"),
        ("", "_"),
        ("...", "_"),
        ("日本", "_"),
        ("con", "_con"),
        ("LPT1.txt", "_LPT1.txt"),
        ("x" * 300, "x" * 80),
        ("new\nline", "new_line"),
    ],
)
def test_safe_names(text: str, expected: str) -> None:
    assert safe_name(text) == expected


@given(st.lists(ANY_TEXT, max_size=12))
@settings(max_examples=60, deadline=None)
def test_file_names_are_safe_and_unlike(texts: list[str]) -> None:
    names = FileNames()
    given_out = [names(text) for text in texts]
    assert len({name.lower() for name in given_out}) == len(texts)
    for name in given_out:
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name)


def test_a_number_is_appended_to_a_name_that_is_taken() -> None:
    names = FileNames()
    assert [names(t) for t in ("mva_a", "mva_A", "mva a", "mva_a-2", "mva_a")] == [
        "mva_a", "mva_A-2", "mva_a-3", "mva_a-2-2", "mva_a-4",
    ]  # fmt: skip

r"""Titles in the markup that ROOT users write, TLatex, as matplotlib shows them.

Only what cannot be meant otherwise counts as markup: ``#eta`` and the like, ``p_{T}``, ``x^{2}``, ``#bar{t}``,
``#sqrt{s}``. A name such as ``a_b^c``, ``$x$`` or ``#1`` is shown as it is.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from mvakit_gui.figures.text import LIMIT, plain, shown

__all__ = ["axis_text", "own_text", "title_text", "unicode_text"]

_MAX_LENGTH: Final = 120
_MAX_DEPTH: Final = 4

# The Greek letters in the order of their code points, which has two forms of sigma.
_GREEK: Final = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi",
    "omicron", "pi", "rho", "varsigma", "sigma", "tau", "upsilon", "phi", "chi", "psi", "omega",
)  # fmt: skip
_SYMBOLS: Final = {
    **{name: chr(ord("α") + i) for i, name in enumerate(_GREEK)},
    **{name.capitalize(): chr(ord("Α") + i) for i, name in enumerate(_GREEK) if name != "varsigma"},
    "varepsilon": "ε", "vartheta": "ϑ", "varphi": "φ",
    "infty": "∞", "pm": "±", "mp": "∓", "times": "×", "cdot": "·", "circ": "°", "prime": "′", "ldots": "…",
    "leq": "≤", "geq": "≥", "neq": "≠", "approx": "≈", "sim": "∼", "propto": "∝", "parallel": "∥", "perp": "⊥",
    "rightarrow": "→", "leftarrow": "←", "partial": "∂", "nabla": "∇", "sum": "∑", "int": "∫", "hbar": "ħ",
}  # fmt: skip
# What takes a group in braces, and mathtext's word for it.
_ACCENTS: Final = {"bar": "overline", "hat": "hat", "tilde": "tilde", "vec": "vec", "dot": "dot", "sqrt": "sqrt"}
_MARKUP: Final = re.compile(r"#[A-Za-z]+|[_^]\{")
# What Unicode has of scripts, and of accents, for where there are no formulae.
_SCRIPT: Final = re.compile(r"([_^])\{([^{}]*)\}")
_SUPERSCRIPTS: Final = dict(zip("0123456789+-=()nij", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱʲ", strict=True))
_SUBSCRIPTS: Final = dict(zip("0123456789+-=()aeijkmnopt", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑᵢⱼₖₘₙₒₚₜ", strict=True))
_ACCENTED: Final = re.compile(r"#(bar|hat|tilde|vec|dot)\{([^{}]{1,3})\}")
_MARKS: Final = {"bar": "\u0304", "hat": "\u0302", "tilde": "\u0303", "vec": "\u20d7", "dot": "\u0307"}
_WORD: Final = re.compile(r"#([A-Za-z]+)")


class _NoMarkupError(Exception):
    """The text is not markup that can be shown; it stands for itself."""


class _Converter:
    """Turns TLatex into plain text with formulae, from left to right."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def whole(self) -> str:
        """Return the text for matplotlib: plain characters, and formulae between dollar signs."""
        parts: list[str] = []
        while self.position < len(self.text):
            formula = self._formula(0)
            if formula is None:
                character = self._character()
                parts.append(shown(character) if character.strip() else " ")
            elif parts and parts[-1].endswith("$") and not parts[-1].endswith(r"\$"):
                parts[-1] = f"{parts[-1][:-1]}{formula}$"  # x_{i}^{2}: both belong to one x
            else:
                parts.append(f"${formula}$")
        return "".join(parts)

    def _formula(self, depth: int) -> str | None:
        """Read a script or an accented group at the position; None if there is none."""
        text, start = self.text, self.position
        if text[start] in "_^" and text[start + 1 : start + 2] == "{":
            self.position += 1
            return f"{text[start]}{{{self._group(depth + 1)}}}"
        word = _WORD.match(text, start)
        if word and word.group(1) in _ACCENTS and text[word.end() : word.end() + 1] == "{":
            self.position = word.end()
            return f"\\{_ACCENTS[word.group(1)]}{{{self._group(depth + 1)}}}"
        return None

    def _character(self) -> str:
        """Read one character, or a symbol by its name; unknown names are characters like others."""
        word = _WORD.match(self.text, self.position)
        if word:
            # "#etajet" is eta followed by jet, as in ROOT: the longest name that fits counts.
            name = next((n for n in sorted(_SYMBOLS, key=len, reverse=True) if word.group(1).startswith(n)), None)
            if name is not None:
                self.position += 1 + len(name)
                return _SYMBOLS[name]
        self.position += 1
        return self.text[self.position - 1]

    def _group(self, depth: int) -> str:
        """Read a group in braces and return it for mathtext."""
        if depth > _MAX_DEPTH:
            raise _NoMarkupError
        self.position += 1
        upright: list[str] = []
        parts: list[str] = []

        def close_upright() -> None:
            if upright:
                parts.append(rf"\mathregular{{{''.join(upright)}}}")
                upright.clear()

        while self.position < len(self.text):
            if self.text[self.position] == "}":
                self.position += 1
                close_upright()
                if not parts:
                    raise _NoMarkupError
                return "".join(parts)
            formula = self._formula(depth)
            if formula is not None:
                close_upright()
                parts.append(formula)
                continue
            upright.append(_math_character(self._character()))
        raise _NoMarkupError


def _math_character(character: str) -> str:
    if character == " ":
        return r"\ "
    if character in "\\{&~":
        raise _NoMarkupError
    if character in "$%#_^":
        return f"\\{character}" if character != "^" else "ˆ"
    return plain(character)


@functools.lru_cache(maxsize=512)
def _parses(text: str) -> bool:
    from matplotlib.mathtext import MathTextParser

    try:
        MathTextParser("agg").parse(text)
    except (ValueError, RuntimeError):
        return False
    return True


def title_text(title: str, limit: int = LIMIT) -> str:
    """Return a title of a variable for matplotlib: TLatex shown as ROOT would, anything else literally.

    Call it while the look is in force (see `drawing`).
    """
    if len(title) <= _MAX_LENGTH and _MARKUP.search(title):
        try:
            converted = _Converter(title.strip()).whole()
        except _NoMarkupError:
            return shown(title, limit)
        if _parses(converted):
            return converted
    return shown(title, limit)


def unicode_text(title: str) -> str:
    """Return a title of a variable without formulae, for charts and pages: ``#eta_{jet}`` as ``η_jet``, all else literally."""
    text = " ".join(str(title).split())
    if len(text) > _MAX_LENGTH or not _MARKUP.search(text):
        return text
    for name in sorted(_SYMBOLS, key=len, reverse=True):
        text = text.replace(f"#{name}", _SYMBOLS[name])
    text = _SCRIPT.sub(_script, text)
    return _ACCENTED.sub(lambda found: f"{found[2]}{_MARKS[found[1]]}", text)


def _script(found: re.Match[str]) -> str:
    """Return a superscript or subscript in characters, where there are such; else after ``^`` or ``_`` without braces."""
    known = _SUPERSCRIPTS if found[1] == "^" else _SUBSCRIPTS
    return "".join(known[c] for c in found[2]) if set(found[2]) <= set(known) else f"{found[1]}{found[2]}"


def axis_text(title: str, unit: str = "", limit: int = LIMIT) -> str:
    """Return the title of an axis for matplotlib, with its unit in brackets."""
    text = title_text(title, limit)
    return f"{text} [{title_text(unit, 12)}]" if unit.strip() else text


def own_text(text: str) -> str:
    """Return what somebody typed to stand on a figure: mathtext if it is well-formed, literal otherwise."""
    if text.count("$") - text.count(r"\$") > 0 and _parses(text):
        return text
    return shown(text, 200)

"""Names as figures and file systems can take them: shown literally, shortened, and safe as the name of a file."""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from typing import Final

__all__ = ["LIMIT", "FileNames", "plain", "safe_name", "shown"]

# What a title may take in a figure; the middle of a longer one is left out.
LIMIT: Final = 48
_MAX_LENGTH: Final = 10_000
_SAFE_LIMIT: Final = 80
# Names that Windows keeps for devices, whatever the suffix.
_RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
_FALLBACK_FONT: Final = "DejaVu Sans"


@functools.lru_cache(maxsize=32)
def _glyphs(families: tuple[str, ...]) -> frozenset[int]:
    """Return the code points that the installed ones among these fonts, and matplotlib's own, can show."""
    from matplotlib import font_manager

    known = set(font_manager.fontManager.get_font_names())
    found: set[int] = set()
    for family in {*families, _FALLBACK_FONT} & known:
        found.update(font_manager.get_font(font_manager.findfont(family)).get_charmap())
    return frozenset(found)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def plain(text: str, limit: int = LIMIT) -> str:
    r"""Return a name in characters that a figure can show, not yet safe from mathtext.

    Runs of blanks become one; control characters and those that no font at hand has are written as ``\n`` or
    ``\u4e2d``. The middle of what is then longer than `limit` is left out.
    """
    import matplotlib as mpl

    glyphs = _glyphs(tuple(mpl.rcParams["font.family"]))
    words = re.sub(r"[ \t]+", " ", str(text)[:_MAX_LENGTH]).strip()
    pieces = [c if ord(c) in glyphs and unicodedata.category(c)[0] != "C" else _escaped(c) for c in words]
    if sum(map(len, pieces)) <= limit:
        return "".join(pieces)
    head = _fitting(pieces, (limit - 1) * 2 // 3)
    tail = _fitting(pieces[::-1], limit - 1 - len("".join(head)))
    return f"{''.join(head)}…{''.join(tail[::-1])}"


def _fitting(pieces: list[str], length: int) -> list[str]:
    """Return the first pieces that together are no longer than `length`."""
    ends = itertools.accumulate(len(piece) for piece in pieces)
    return pieces[: sum(end <= length for end in ends)]


def shown(text: str, limit: int = LIMIT) -> str:
    """Return a name so that a figure shows it literally: no dollar sign starts a formula."""
    return plain(text, limit).replace("$", r"\$")


def safe_name(text: str) -> str:
    """Return a name that is one component of a path on every system: letters, digits, ``-``, ``_`` and inner dots."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", str(text))[:_SAFE_LIMIT].strip(".-")
    if not name or _RESERVED.match(name):
        name = f"_{name}"
    return name


class FileNames:
    """Hands out safe names, no two alike, case ignored."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def __call__(self, text: str) -> str:
        """Return a safe name for `text`; a number is appended where it is taken."""
        name = candidate = safe_name(text)
        count = 1
        while candidate.lower() in self._taken:
            count += 1
            candidate = f"{name}-{count}"
        self._taken.add(candidate.lower())
        return candidate

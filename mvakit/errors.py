"""Errors and warnings: each names the thing, what was expected, what came, and the nearest valid spelling."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "DataError",
    "FormulaError",
    "MethodError",
    "MissingPackageError",
    "MvakitError",
    "MvakitWarning",
    "OptionError",
    "ResultFileError",
    "SourceError",
    "TransformationError",
    "WeightFileError",
    "did_you_mean",
    "nearest",
]


class MvakitError(Exception):
    """Base of every error that mvakit raises for a reason a user can act upon."""


class OptionError(MvakitError, ValueError):
    """An option is unknown, or its value is not one that it takes."""


class FormulaError(MvakitError, ValueError):
    """An expression cannot be parsed, or names something that the tree lacks."""


class SourceError(MvakitError, OSError):
    """A file, tree or branch is missing or cannot be read."""


class DataError(MvakitError, ValueError):
    """The events are unusable: an empty class, a constant or NaN variable, too few events."""


class TransformationError(MvakitError, ValueError):
    """A variable transformation is unknown or cannot be made from these events."""


class MethodError(MvakitError, ValueError):
    """A method is unknown, unfit for the analysis type, or cannot be trained as asked."""


class WeightFileError(MvakitError, ValueError):
    """A weight file is damaged, hostile, or of a method that is not installed."""


class ResultFileError(MvakitError, ValueError):
    """A result file lacks what was asked of it, or is none."""


class MissingPackageError(MvakitError, ImportError):
    """Something needs an optional package that is not installed."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f"{what} needs the package {package!r}, which is not installed: pip install 'mvakit[{extra}]'")


class MvakitWarning(UserWarning):
    """Something was accepted that its author may not have meant."""


def nearest(name: str, candidates: Iterable[str], count: int = 3) -> list[str]:
    """Return up to `count` of `candidates` that are spelled most like `name`, best first, case ignored."""
    by_lower: dict[str, str] = {}
    for candidate in candidates:
        by_lower.setdefault(candidate.lower(), candidate)
    return [by_lower[match] for match in difflib.get_close_matches(name.lower(), by_lower, n=count, cutoff=0.5)]


def did_you_mean(name: str, candidates: Iterable[str], *, noun: str = "known names") -> str:
    """Return the end of an error sentence: the nearest spellings of `name`, or the list when none is near."""
    known = list(candidates)
    close = nearest(name, known)
    if close:
        return "did you mean " + " or ".join(repr(c) for c in close) + "?"
    if not known:
        return f"there are no {noun.removeprefix('its ').removeprefix('the ')}."
    listed = ", ".join(sorted(known)[:20]) + (", ..." if len(known) > 20 else "")
    return f"{noun}: {listed}."

"""Options, declared once: parsed from TMVA's option strings and from keywords, explained, and written back.

An options class is a frozen dataclass whose fields are made by `option`. Each field carries TMVA's spelling, type,
default, allowed values, aliases, unit and help; everything that speaks of options reads that one declaration.

The grammar is TMVA's: tokens are separated by ``:``; ``Key=value`` with case-insensitive keys; ``Key`` and ``!Key`` for
switches; a bare value of an enumeration sets its option (``Fisher``, ``Grad``); ``Key[2]=value`` sets one element of an
array. Where TMVA silently cuts or guesses, this warns or raises.
"""

from __future__ import annotations

import dataclasses
import math
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

from mvakit.errors import MvakitWarning, OptionError, did_you_mean

__all__ = ["ArrayValue", "OptionSpec", "Options", "array_option", "assign_options", "option"]

_TRUE: Final = frozenset({"1", "true", "ktrue", "t", "yes"})
_FALSE: Final = frozenset({"0", "false", "kfalse", "f", "no"})
_KEY = re.compile(r"^(?P<name>[^\[\]=]+?)(?:\[(?P<index>[^\]]*)\])?$")


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """The declaration of one option.

    Attributes
    ----------
    name : str
        TMVA's spelling.
    kind : type
        bool, int, float or str.
    default : object
        The value where nothing is said.
    choices : tuple of str
        The values of an enumeration in their canonical spelling; empty for a free value.
    aliases : tuple of str
        Older spellings of the name.
    minimum, maximum : float or None
        Bounds of a number, both included.
    unit, help : str
        What `mvakit methods NAME` prints.
    array : bool
        Whether ``Name[i]=`` is allowed.
    holds_options : bool
        Whether a value may itself contain ``Key=value`` pairs (``TrainingStrategy``).
    extension : bool
        True for options that TMVA does not have; they are recorded apart from TMVA's in a weight file.
    apart : bool
        True for options that TMVA has for training alone and keeps in no weight file; they are recorded apart, too.
    """

    name: str
    kind: type[bool | int | float | str]
    default: Any
    help: str = ""
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    array: bool = False
    holds_options: bool = False
    extension: bool = False
    apart: bool = False

    @property
    def expects(self) -> str:
        """What a value has to be, in words."""
        if self.choices:
            return "one of " + ", ".join(self.choices)
        words = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}[self.kind]
        low, high = (None if bound is None else f"{bound:.12g}" for bound in (self.minimum, self.maximum))
        if low is not None and high is not None:
            return f"{words} from {low} to {high}"
        if low is not None:
            return f"{words}, at least {low}"
        if high is not None:
            return f"{words}, at most {high}"
        return words

    def convert(self, value: object, owner: str) -> Any:
        """Turn text or a Python value into the value of this option.

        Raises
        ------
        OptionError
            Naming the option, what it takes and what came.
        """
        converted = self._from_text(value, owner) if isinstance(value, str) else self._from_python(value)
        if converted is None:
            hint = ""
            if self.choices and isinstance(value, str):
                hint = "; " + did_you_mean(value, self.choices, noun="its values").rstrip(".")
            raise OptionError(f"the option {self.name!r} of {owner} takes {self.expects}, not {value!r}{hint}")
        return converted

    def _from_python(self, value: object) -> Any:
        if self.kind is bool:
            return bool(value) if isinstance(value, bool | int) and value in (0, 1) else None
        if isinstance(value, bool):
            return None
        if self.kind is str and not self.choices:
            # Paths and numbers are what their text says: FilenameModel=Path("m.keras"), ValidationSize=0.2.
            return str(value)
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            return None
        if self.kind is int:
            return int(value) if number.is_integer() and self._in_range(number) else None  # type: ignore[call-overload]
        return number if self.kind is float and self._in_range(number) else None

    def _from_text(self, text: str, owner: str) -> Any:
        if self.choices:
            by_lower = {choice.lower(): choice for choice in self.choices}
            return by_lower.get(text.strip().lower())
        if self.kind is str:
            if any(c.isspace() for c in text):
                warnings.warn(
                    f"the option {self.name!r} of {owner} has white space in its value {text!r}, which is kept whole "
                    "(TMVA would cut the value there)",
                    MvakitWarning,
                    stacklevel=2,
                )
            return text
        word = text.strip()
        if self.kind is bool:
            lowered = word.lower()
            return True if lowered in _TRUE else False if lowered in _FALSE else None
        try:
            number = float(word)
        except ValueError:
            return None
        if math.isnan(number) or not self._in_range(number) or "_" in word:
            return None
        if self.kind is float:
            return number
        if not number.is_integer():
            return None
        if not re.fullmatch(r"[+-]?\d+", word):
            warnings.warn(
                f"the option {self.name!r} of {owner} is read as {int(number)} from {word!r} (TMVA would stop at the first "
                "character that is no digit)",
                MvakitWarning,
                stacklevel=2,
            )
            return int(number)
        return int(word)

    def _in_range(self, number: float) -> bool:
        return (self.minimum is None or number >= self.minimum) and (self.maximum is None or number <= self.maximum)

    def text(self, value: Any) -> str:
        """Write a value as an option string writes it; `convert` gives the same value back."""
        if isinstance(value, bool):
            return "True" if value else "False"
        if isinstance(value, float):
            return repr(value)
        return str(value)


@dataclass(frozen=True, slots=True)
class ArrayValue:
    """The value of an array option: one for every element, and those set by index.

    Attributes
    ----------
    every : object
        The value of elements that were not set by index.
    by_index : tuple of (int, object)
        What ``Name[i]=value`` said, sorted by index.
    """

    every: Any
    by_index: tuple[tuple[int, Any], ...] = ()

    def resolve(self, size: int, name: str) -> list[Any]:
        """Return the values of all `size` elements.

        Raises
        ------
        OptionError
            If an index lies outside the array.
        """
        values = [self.every] * size
        for index, value in self.by_index:
            if not 0 <= index < size:
                raise OptionError(f"the option {name!r} has {size} elements, so {name}[{index}] does not exist")
            values[index] = value
        return values

    @classmethod
    def of_elements(cls, values: Sequence[Any]) -> ArrayValue:
        """Return the array of these elements, of which there is one at least."""
        if all(value == values[0] for value in values):
            return cls(values[0])
        return cls(values[0], tuple(enumerate(values)))

    def with_index(self, index: int, value: Any) -> ArrayValue:
        """Return a copy with one element set."""
        merged = dict(self.by_index)
        merged[index] = value
        return ArrayValue(self.every, tuple(sorted(merged.items())))


def option(
    name: str,
    default: Any,
    help: str = "",
    *,
    kind: type | None = None,
    choices: Sequence[str] = (),
    aliases: Sequence[str] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    unit: str = "",
    holds_options: bool = False,
    extension: bool = False,
    apart: bool = False,
) -> Any:
    """Declare an option as a field of an `Options` class; the arguments are those of `OptionSpec`."""
    spec = OptionSpec(
        name, kind or type(default), default, help, tuple(choices), tuple(aliases), minimum, maximum, unit,
        holds_options=holds_options, extension=extension, apart=apart,
    )  # fmt: skip
    return dataclasses.field(default=default, metadata={"option": spec})


def array_option(
    name: str,
    default: Any,
    help: str = "",
    *,
    choices: Sequence[str] = (),
    minimum: float | None = None,
    maximum: float | None = None,
    apart: bool = False,
) -> Any:
    """Declare an option with one value per variable (``Name[i]=value``); its field holds an `ArrayValue`."""
    spec = OptionSpec(name, type(default), default, help, tuple(choices), (), minimum, maximum, array=True, apart=apart)
    return dataclasses.field(default=ArrayValue(default), metadata={"option": spec})


# ------------------------------------------------------------------------------------------- the grammar


class _Assigner:
    """Turns tokens and keywords into values, against one list of declarations."""

    def __init__(self, specs: Sequence[OptionSpec], owner: str) -> None:
        self.specs = specs
        self.owner = owner
        self.values: dict[str, Any] = {}
        self.by_name: dict[str, OptionSpec] = {}
        for spec in specs:
            for spelling in (spec.name, *spec.aliases):
                self.by_name[spelling.lower()] = spec

    def spellings(self) -> list[str]:
        return [spec.name for spec in self.specs]

    def by_choice(self, token: str) -> list[OptionSpec]:
        lowered = token.strip().lower()
        return [s for s in self.specs if lowered in (c.lower() for c in s.choices)]

    def key(self, text: str, token: str) -> tuple[OptionSpec, int | None] | None:
        match = _KEY.match(text.strip())
        if match is None:
            return None
        spec = self.by_name.get(match["name"].strip().lower())
        if spec is None:
            return None
        if match["index"] is None:
            return spec, None
        if not spec.array:
            raise OptionError(
                f"the option {spec.name!r} of {self.owner} is not an array, so {token!r} cannot set one of its elements"
            )
        if not match["index"].isdigit():
            raise OptionError(f"the index in {token!r} of {self.owner} should be a whole number from 0")
        return spec, int(match["index"])

    def understands(self, token: str) -> bool:
        """Whether a token can only be an option of its own."""
        token = token.strip()
        key, equals, _ = token.partition("=")
        if equals:
            return self.key(key, token) is not None
        name = token.removeprefix("!").strip().lower()
        spec = self.by_name.get(name)
        return (spec is not None and spec.kind is bool) or (not token.startswith("!") and bool(self.by_choice(token)))

    def store(self, spec: OptionSpec, index: int | None, value: object) -> None:
        converted = spec.convert(value, self.owner)
        before = self.values.get(spec.name)
        if spec.array:
            current = before if before is not None else ArrayValue(spec.default)
            if index is None:
                if before is not None and before.every != spec.default:
                    self.warn_duplicate(spec.name, before.every, converted)
                self.values[spec.name] = ArrayValue(converted, current.by_index)
            else:
                set_before = dict(current.by_index).get(index)
                if set_before is not None:
                    self.warn_duplicate(f"{spec.name}[{index}]", set_before, converted)
                self.values[spec.name] = current.with_index(index, converted)
            return
        if before is not None:
            self.warn_duplicate(spec.name, before, converted)
        self.values[spec.name] = converted

    def warn_duplicate(self, name: str, before: object, now: object) -> None:
        warnings.warn(
            f"the option {name!r} of {self.owner} is set twice, to {before!r} and to {now!r}; the last one counts",
            MvakitWarning,
            stacklevel=2,
        )

    def ran_together(self, value: str) -> tuple[str, str] | None:
        """Split a value in which a second option begins, or return None."""
        names = sorted(self.by_name, key=len, reverse=True)
        pattern = "|".join(re.escape(name) for name in names)
        match = re.search(rf"(?<=.)(?:(?:{pattern})(?:\[\d+\])?=|!(?:{pattern})$)", value, re.IGNORECASE | re.DOTALL)
        if match is None:
            return None
        return value[: match.start()], value[match.start() :]

    def token(self, token: str) -> None:
        stripped = token.strip()
        if not stripped:
            return
        key, equals, value = token.partition("=")
        if equals:
            found = self.key(key, stripped)
            if found is None:
                if key.strip().startswith("!") and self.key(key.strip()[1:], stripped):
                    raise OptionError(f"{stripped!r} of {self.owner} both denies an option and gives it a value")
                self.unknown(stripped, key.strip())
                return
            spec, index = found
            together = None if spec.holds_options else self.ran_together(value)
            if together is not None:
                first, second = together
                raise OptionError(
                    f"two options of {self.owner} ran together in {stripped!r}: a ':' is missing; "
                    f"did you mean '{key.strip()}={first}:{second}'?"
                )
            self.store(spec, index, value)
            return
        name = stripped.removeprefix("!").strip()
        spec_ = self.by_name.get(name.lower())
        if spec_ is not None:
            if spec_.kind is not bool:
                if not stripped.startswith("!") and self.by_choice(stripped):
                    self.loose(stripped)
                    return
                raise OptionError(
                    f"the option {spec_.name!r} of {self.owner} takes {spec_.expects}, and {stripped!r} gives it none"
                )
            self.store(spec_, None, not stripped.startswith("!"))
            return
        if not stripped.startswith("!") and self.by_choice(stripped):
            self.loose(stripped)
            return
        self.unknown(stripped, name)

    def loose(self, token: str) -> None:
        found = self.by_choice(token)
        if len(found) > 1:
            warnings.warn(
                f"{token!r} is a value of {', '.join(s.name for s in found)} of {self.owner}; it is taken for {found[0].name}",
                MvakitWarning,
                stacklevel=2,
            )
        self.store(found[0], None, token)

    def unknown(self, token: str, name: str) -> None:
        together = self.ran_together(token)
        if together is not None and self.understands(together[0]):
            raise OptionError(
                f"two options of {self.owner} ran together in {token!r}: a ':' is missing; did you mean '{together[0]}:{together[1]}'?"
            )
        loose = [choice for spec in self.specs for choice in spec.choices] if "=" not in token else []
        raise OptionError(
            f"{self.owner} has no option {name!r} (in {token!r}); {did_you_mean(name, [*self.spellings(), *loose], noun='its options')}"
        )

    def keyword(self, name: str, value: object) -> None:
        spec = self.by_name.get(name.lower())
        if spec is None:
            if isinstance(value, bool) and value and self.by_choice(name):
                self.loose(name)
                return
            self.unknown(name, name)
            return
        if isinstance(value, ArrayValue) or (spec.array and isinstance(value, list | tuple)):
            pairs: Iterable[tuple[int, object]] = value.by_index if isinstance(value, ArrayValue) else enumerate(value)
            if isinstance(value, ArrayValue):
                self.store(spec, None, value.every)
            for index, element in pairs:
                self.store(spec, index, element)
            return
        if isinstance(value, str) and ":" in value:
            first, *rest = value.split(":")
            if all(self.understands(token) for token in rest if token.strip()):
                # TMVA's tutorials put further options into the value of a keyword.
                self.store(spec, None, first)
                for token in rest:
                    self.token(token)
                return
        self.store(spec, None, value)


def assign_options(
    specs: Sequence[OptionSpec], text: str = "", keywords: Mapping[str, object] | None = None, *, owner: str
) -> dict[str, Any]:
    """Read an option string and keywords against declarations.

    Parameters
    ----------
    specs : sequence of OptionSpec
        What may be said.
    text : str
        TMVA's option string; it is read first.
    keywords : mapping
        Options as keywords; where both say something the keyword counts, with a warning.
    owner : str
        Whose options these are, for messages: ``"BDT"``, ``"Factory"``.

    Returns
    -------
    dict
        The options that were set, by TMVA's spelling.

    Raises
    ------
    OptionError
        If anything is unknown, has a value of the wrong kind, or two options ran together.
    """
    if not isinstance(text, str):
        raise OptionError(f"the options of {owner} are a string such as 'H:!V', not {text!r}")
    assigner = _Assigner(specs, owner)
    for token in text.split(":"):
        assigner.token(token)
    for name, value in (keywords or {}).items():
        assigner.keyword(name, value)
    return assigner.values


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base of every options class: fields made by `option`, read from text and keywords.

    Attributes
    ----------
    modified : frozenset of str
        TMVA's spellings of the options that were set, whatever to.
    """

    owner: ClassVar[str] = "these options"
    modified: frozenset[str] = dataclasses.field(default=frozenset(), compare=False, repr=False)

    @classmethod
    def declared(cls) -> tuple[OptionSpec, ...]:
        """Return the declarations, in order."""
        return tuple(f.metadata["option"] for f in dataclasses.fields(cls) if "option" in f.metadata)

    @classmethod
    def _attribute_of(cls) -> dict[str, str]:
        return {f.metadata["option"].name: f.name for f in dataclasses.fields(cls) if "option" in f.metadata}

    @classmethod
    def parse(cls, text: str = "", /, *, owner: str | None = None, **keywords: object) -> Self:
        """Read an option string, keywords, or both.

        Raises
        ------
        OptionError
            If anything is unknown, has a value of the wrong kind, or two options ran together.
        """
        values = assign_options(cls.declared(), text, keywords, owner=owner or cls.owner)
        attribute = cls._attribute_of()
        return cls(**{attribute[name]: value for name, value in values.items()}, modified=frozenset(values))

    def items(self) -> list[tuple[OptionSpec, Any]]:
        """Return every declaration with its value here."""
        attribute = self._attribute_of()
        return [(spec, getattr(self, attribute[spec.name])) for spec in self.declared()]

    def format(self, *, every: bool = True) -> str:
        """Write an option string that `parse` reads back to equal options.

        Parameters
        ----------
        every : bool
            Whether to write options that keep their default.

        Raises
        ------
        OptionError
            If a value holds a ``:``, which no option string can carry.
        """
        tokens: list[tuple[str, str | None]] = []
        for spec, value in self.items():
            if not every and spec.name not in self.modified:
                continue
            if isinstance(value, ArrayValue):
                tokens.append((spec.name, spec.text(value.every)))
                tokens.extend((f"{spec.name}[{index}]", spec.text(element)) for index, element in value.by_index)
            elif isinstance(value, bool):
                tokens.append((spec.name if value else f"!{spec.name}", None))
            else:
                tokens.append((spec.name, spec.text(value)))
        for name, text in tokens:
            if text is not None and ":" in text:
                raise OptionError(
                    f"the value {text!r} of {name!r} holds a ':', which an option string cannot carry; pass it as a keyword"
                )
        return ":".join(name if text is None else f"{name}={text}" for name, text in tokens)

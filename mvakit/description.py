"""What a weight file is, for a person: method, options, variables, training, and what who reads it needs."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mvakit.errors import MethodError, MvakitError
from mvakit.method import AnyMethod
from mvakit.model import Model
from mvakit.modelfile import analysis_of, read_model
from mvakit.registry import method_class
from mvakit.variables import Variable
from mvakit.weightfile import WeightDocument, read_document

__all__ = ["Description", "OptionSet", "Part", "describe"]

_LONG: Final = 80
_MAX_COUNTED: Final = 50
_MAX_PARTS: Final = 1000
_TRAINING: Final = (
    "TMVA Release", "ROOT Release", "mvakit Release", "Date", "Creator", "Host", "Dir", "Training events", "TrainingTime",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class OptionSet:
    """An option that had another value than its default in the training.

    Attributes
    ----------
    name, value : str
    default : str or None
        None where it is not known.
    help : str
    """

    name: str
    value: str
    default: str | None = None
    help: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """A model within the model.

    Attributes
    ----------
    method, title : str
    says : str
        Its cut and variables, or its weight.
    """

    method: str
    title: str
    says: str


@dataclass(frozen=True)
class Description:
    """What a weight file says of itself.

    Attributes
    ----------
    path : str
    bytes : int
    method, title, analysis : str
    classes : tuple of str
    options : tuple of OptionSet
        Those whose value is not the default.
    n_options : int
        How many there are.
    variables, spectators, targets : tuple of Variable
    transformations : tuple of str
    training : dict of str to str
        Who trained it, when, with what, on how many events.
    has_pdfs : bool
        Whether there are PDFs of the response, and so probability and rarity.
    weights : dict of str to str
        The attributes of ``<Weights>`` that are short.
    elements : dict of str to int
        How many elements of each name are in ``<Weights>``.
    parts : tuple of Part
    beside : tuple of str
        The files that lie beside it and belong to it.
    needs : tuple of str
        What who reads it has to provide.
    obstacle : str or None
        Why it cannot be applied here, or None.
    """

    path: str
    bytes: int
    method: str
    title: str
    analysis: str
    classes: tuple[str, ...]
    options: tuple[OptionSet, ...]
    n_options: int
    variables: tuple[Variable, ...]
    spectators: tuple[Variable, ...]
    targets: tuple[Variable, ...]
    transformations: tuple[str, ...]
    training: dict[str, str]
    has_pdfs: bool
    weights: dict[str, str]
    elements: dict[str, int]
    parts: tuple[Part, ...]
    beside: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    obstacle: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as numbers, texts, lists and dicts."""
        return dataclasses.asdict(self)


@dataclass
class _Counting:
    """Counts what is in ``<Weights>``, and keeps none of it."""

    counts: Counter[str] = field(default_factory=Counter)
    attributes: dict[str, str] = field(default_factory=dict)
    parts: list[Part] = field(default_factory=list)
    depth: int = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.depth += 1
        if self.depth == 1:
            self.attributes = attributes
        elif (self.depth == 2 or not self.parts) and (tag in self.counts or len(self.counts) < _MAX_COUNTED):
            self.counts[tag] += 1
        if self.depth == 2 and len(self.parts) < _MAX_PARTS:
            if tag == "SubMethod":
                method, _, title = attributes.get("Method", "").partition("::")
                wanted = attributes.get("Variables", "").replace(":", ", ") or "all variables"
                self.parts.append(Part(method, title, f"where {attributes.get('Cut', '')}: {wanted}"))
            elif tag == "Method":
                names = (attributes.get("MethodTypeName", ""), attributes.get("MethodName", ""))
                self.parts.append(Part(*names, f"weight {attributes.get('Weight', '')}"))

    def end(self, tag: str) -> None:  # noqa: ARG002
        self.depth -= 1

    def data(self, text: str) -> None:
        """Take a piece of text."""

    def close(self) -> _Counting:
        return self


def describe(path: str | os.PathLike[str]) -> Description:
    """Say what a weight file is.

    Raises
    ------
    WeightFileError
        If the file is missing, damaged or hostile; that no package offers its method is part of the description.
    """
    path = Path(path)
    document = read_document(path, lambda _: _Counting(), need_weights=False)
    counting = (
        document.state if isinstance(document.state, _Counting) else _Counting(attributes=document.weights.attrib)
    )
    method: type[AnyMethod] | None
    try:
        method = method_class(document.method)
    except MethodError:
        method = None
    beside: list[str] = []
    model: Model | None = None
    obstacle = None
    try:
        model = read_model(path, Model, beside)
    except MvakitError as error:
        obstacle = str(error)
    return Description(
        path=str(path),
        bytes=path.stat().st_size,
        method=document.method,
        title=document.title,
        analysis=str(analysis_of(document)),
        classes=document.classes,
        options=_options(document, method),
        n_options=len(document.options),
        variables=document.variables,
        spectators=document.spectators,
        targets=document.targets,
        transformations=tuple(t.get("Name", "?") for t in document.transformations.findall("Transform")),
        training=_training(document),
        has_pdfs=document.pdfs.find("PDF") is not None,
        weights={name: text for name, text in counting.attributes.items() if len(text) <= _LONG},
        elements=dict(counting.counts),
        parts=tuple(counting.parts),
        beside=tuple(dict.fromkeys(beside)),
        needs=_needs(document, model, beside),
        obstacle=obstacle,
    )


def _options(document: WeightDocument, method: type[AnyMethod] | None) -> tuple[OptionSet, ...]:
    specs = {spec.name.lower(): spec for spec in method.options_type.declared()} if method is not None else {}
    found = []
    for name, modified, value in document.options:
        spec = specs.get(name.lower())
        if spec is None and modified:
            found.append(OptionSet(name, value))
        elif spec is not None and modified and not _equal(value, spec.text(spec.default)):
            found.append(OptionSet(name, value, spec.text(spec.default), spec.help))
    return tuple(found)


def _equal(one: str, other: str) -> bool:
    """Whether two texts are the same value; TMVA writes 0.1 as 1.000000e-01."""
    try:
        return float(one) == float(other)
    except ValueError:
        return one.lower() == other.lower()


def _training(document: WeightDocument) -> dict[str, str]:
    known = {name: document.info[name] for name in _TRAINING if document.info.get(name)}
    return known | {name: text for name, text in document.info.items() if name not in known and text}


def _needs(document: WeightDocument, model: Model | None, beside: list[str]) -> tuple[str, ...]:
    labels = ", ".join(
        v.expression if v.expression == v.label else f"{v.label} := {v.expression}" for v in document.variables
    )
    needs = [f"{len(document.variables)} variables, in this order: {labels}"]
    if document.spectators:
        names = ", ".join(s.expression for s in document.spectators)
        if model is None or model.needs_spectators:
            needs.append(f"the spectators {names}, on which the response depends")
        else:
            needs.append(f"TMVA's Reader wants the spectators {names} declared; mvakit does not need them")
    if model is not None and model.method.capabilities.at_signal_efficiency:
        needs.append("a signal efficiency at which to answer, as in EvaluateMVA(tag, 0.7)")
    if beside:
        needs.append(f"beside it, in the same folder: {', '.join(dict.fromkeys(beside))}")
    return tuple(needs)

"""From a weight file to the parts of a model, those of models within it and beside it included.

It knows no `Model`: whoever reads a file says what is made of the parts.
"""

from __future__ import annotations

import dataclasses
import math
import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import numpy as np

from mvakit.errors import MethodError, MvakitWarning, OptionError, WeightFileError
from mvakit.method import AnyMethod, EmbeddedModel, MethodOptions, WeightContext
from mvakit.options import ArrayValue, OptionSpec
from mvakit.pdfs import ResponsePdfs
from mvakit.registry import method_class
from mvakit.transformations import Chain
from mvakit.types import AnalysisType
from mvakit.weightbytes import pieces
from mvakit.weightfile import SectionReader, WeightDocument, WeightsReader, parse_document

__all__ = ["ModelReader", "analysis_of", "is_kept_apart", "read_model", "same_parts"]

Make = Callable[..., Any]
OtherOptions = list[tuple[str, bool, str]]

_MAX_BESIDE: Final = 1 << 30
# Models within models: how deep, and how many in all.
_MAX_NESTING: Final = 8
_MAX_MODELS: Final = 10_000


def is_kept_apart(spec: OptionSpec) -> bool:
    """Whether an option is kept in the GeneralInfo of a weight file, since TMVA's Reader refuses options it does not know.

    Those are ours, those of the PDFs of the response, and others that TMVA does not keep.
    """
    return spec.extension or spec.apart or spec.name.endswith("MVAPdf")


def _elements(spec: OptionSpec, text: str, owner: str) -> ArrayValue | None:
    """Read the elements of an array option; None where they are not values of it, or none, as TMVA may write."""
    try:
        values = [spec.convert(word, owner) for word in text.split()]
    except OptionError:
        return None
    return ArrayValue.of_elements(values) if values else None


def _not_for_training(spec: OptionSpec, text: str) -> bool:
    """Whether text is a number that is out of our bounds, as ``MaxDepth`` 100000 of TMVA 4.0, or the word None for a number.

    TMVA's Reader takes both, and converters write the latter. No training asks for them here.
    """
    if spec.kind in {int, float} and not spec.array and text.lower() in {"", "none"}:
        return True
    try:
        number = float(text)
    except ValueError:
        return False
    low, high = spec.minimum, spec.maximum
    return (low is not None and number < low) or (high is not None and number > high)


def _options_of(document: WeightDocument, options_type: type[MethodOptions]) -> tuple[MethodOptions, OtherOptions]:
    """Read the options of a file; those that the method does not know are kept apart."""
    known = {spelling.lower(): spec for spec in options_type.declared() for spelling in (spec.name, *spec.aliases)}
    values: dict[str, object] = {}
    modified = set()
    others = []
    for name, was_set, text in document.options:
        spec = known.get(name.lower())
        if (
            spec is None
            or _not_for_training(spec, text)
            or text.lower() in options_type.only_in_files.get(spec.name, ())
        ):
            others.append((name, was_set, text))
            continue
        value = _elements(spec, text, document.method) if spec.array else text
        if spec.array or is_kept_apart(spec):
            others.append((name, was_set, text))  # written again as it is
        if value is None:
            continue
        values[spec.name] = value
        if was_set:
            modified.add(spec.name)
    for name, text in document.info.items():
        spec = known.get(name.removeprefix("Option ").lower()) if name.startswith("Option ") else None
        if spec is not None and is_kept_apart(spec):
            value = _elements(spec, text, document.method) if spec.array else text
            if value is None:
                raise WeightFileError(f"{document.path}: <Info name={name!r}> holds {text!r}")
            values[spec.name] = value
            if not spec.extension:
                modified.add(spec.name)
    try:
        with warnings.catch_warnings():
            # What a training said of its options was said then.
            warnings.simplefilter("ignore", MvakitWarning)
            options = options_type.parse("", owner=f"{document.method} in {document.path}", **values)
    except OptionError as error:
        raise WeightFileError(f"{document.path}: {error}") from None
    return dataclasses.replace(options, modified=frozenset(modified)), others


def analysis_of(document: WeightDocument) -> AnalysisType:
    """Return the question that a weight file answers; older ones do not say it."""
    text = document.info.get("AnalysisType", "")
    for analysis in AnalysisType:
        if analysis.value.lower() == text.lower():
            return analysis
    if document.targets:
        return AnalysisType.REGRESSION
    return AnalysisType.MULTICLASS if len(document.classes) > 2 else AnalysisType.CLASSIFICATION


class _Loading:
    """One loading of a file and of everything within it and beside it.

    Parameters
    ----------
    make : callable
        Makes a model of its parts: the arguments of `Model`.
    beside : list of str, optional
        Is given the names of the files that were read beside it.
    """

    def __init__(self, make: Make, beside: list[str] | None = None) -> None:
        self.make = make
        self.models = 0
        self._beside = [] if beside is None else beside

    def enter(self, place: str, nesting: int) -> None:
        """Count a model, and refuse too many."""
        self.models += 1
        if nesting > _MAX_NESTING or self.models > _MAX_MODELS:
            raise WeightFileError(
                f"{place} nests models deeper than {_MAX_NESTING}, or holds more than {_MAX_MODELS} of them"
            )

    def beside(self, path: Path | None, name: str) -> Path:
        """Return a file in the folder of a weight file; its name is that of a file, not a way out of the folder.

        A ``*`` in it stands for the name of the weight file without ``.xml``.
        """
        if path is None or not name or name in {".", ".."} or any(c in name for c in "/\\:\0"):
            raise WeightFileError(f"{path} names {name!r} beside it; only a file in the same folder is read")
        found = path.parent / name.replace("*", path.name.removesuffix(".gz").removesuffix(".xml"))
        self._beside.append(found.name)
        try:
            if found.resolve().parent != path.parent.resolve():
                raise WeightFileError(f"{path} names {name!r}, which leads out of its folder; it is not read")
            if found.stat().st_size > _MAX_BESIDE:
                raise WeightFileError(f"{found} is larger than {_MAX_BESIDE >> 20} MiB")
        except OSError as error:
            raise WeightFileError(f"{path} needs {name!r} beside it, which cannot be read: {error.strerror}") from None
        return found

    def read_beside(self, path: Path | None, name: str) -> bytes:
        """Read such a file."""
        try:
            return self.beside(path, name).read_bytes()
        except OSError as error:
            raise WeightFileError(f"{path} needs {name!r} beside it, which cannot be read: {error.strerror}") from None


class _Surroundings:
    """How a composite reads what it is made of: an `Embedding`."""

    def __init__(self, loading: _Loading, context: WeightContext, path: Path | None, nesting: int) -> None:
        self._loading, self._context, self._path, self._nesting = loading, context, path, nesting

    def reader(self, place: str) -> WeightsReader:
        return ModelReader(self._loading, f"{self._path}, {place}", self._path, self._nesting + 1)

    def file(self, name: str) -> EmbeddedModel:
        model: EmbeddedModel = _read_file(self._loading, self._loading.beside(self._path, name), self._nesting + 1)
        return model

    def bare(self, method: str, title: str, options: str, weights: ET.Element) -> EmbeddedModel:
        outer = self._context
        document = WeightDocument(method, title, dict(outer.info), path=self._path, weights=weights)
        document.variables, document.spectators = outer.variables, outer.spectators
        document.classes, document.targets = outer.classes, outer.targets
        reader = ModelReader(self._loading, f"{self._path}, {title}", self._path, self._nesting + 1)
        document.options = _options_of_string(options, reader.method_type(document).options_type)
        model: EmbeddedModel = reader.model_of(document)
        return model


def _options_of_string(text: str, options_type: type[MethodOptions]) -> OtherOptions:
    """Return the options of an option string, and the defaults of all others, as a file would have them."""
    known, others = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MvakitWarning)
        for token in filter(None, text.split(":")):
            try:
                options_type.parse(token)
                known.append(token)
            except OptionError:
                name, found, value = token.lstrip("!").partition("=")
                others.append((name, True, value if found else str(not token.startswith("!"))))
        options = options_type.parse(":".join(known))
    missing = {name.lower() for name, _, _ in others}
    every = [(spec.name, spec.name in options.modified, spec.text(value)) for spec, value in options.items()]
    return [*(item for item in every if item[0].lower() not in missing), *others]


class ModelReader:
    """Reads the element of a whole method into a model, its weights while they come where the method can do that."""

    def __init__(self, loading: _Loading, place: str, path: Path | None, nesting: int) -> None:
        self._loading, self._place, self._path, self._nesting = loading, place, path, nesting
        self.sections = SectionReader(place, self._open, path)
        self.start, self.end, self.data = self.sections.start, self.sections.end, self.sections.data
        self._method: AnyMethod | None = None
        self._others: OtherOptions = []
        loading.enter(place, nesting)

    def close(self) -> Any:
        """Return the model."""
        return self.model_of(self.sections.close())

    def model_of(self, document: WeightDocument) -> Any:
        """Return the model of the sections of a file."""
        method = self._method or self._method_of(document)
        if not document.has_weights and method.weights_in_file:
            raise WeightFileError(f"{self._place} lacks <Weights>")
        chain = Chain.read(
            document.transformations,
            method.options.var_transform,
            document.variables,
            document.classes,
            document.targets,
            document.spectators,
        )
        state = document.state
        if state is None:
            state = method.read_state(document.weights, self._context(document))
        apart = {f"Option {spec.name}" for spec in method.options.declared() if is_kept_apart(spec)}
        info = {name: text for name, text in document.info.items() if name not in apart}
        return self._loading.make(
            method, state, document.title, analysis_of(document), document.variables, document.spectators,
            document.targets, document.classes, chain, info, tuple(self._others),
            {name: document.sizes[name] for name, _, _ in self._others if name in document.sizes},
            ResponsePdfs.read(document.pdfs),
            frozenset(name.lower() for name, _, _ in document.options),
        )  # fmt: skip

    def _open(self, document: WeightDocument) -> WeightsReader | None:
        self._method = self._method_of(document)
        return self._method.weights_reader(self._context(document))

    def method_type(self, document: WeightDocument) -> type[AnyMethod]:
        """Return the class of the method of a file."""
        try:
            return method_class(document.method)
        except MethodError as error:
            raise MethodError(
                f"{self._place} holds {document.title!r}, which was trained with {document.method}, and this method is not "
                f"here: {error} Install the package that offers it, or train again with a method that is here"
            ) from None

    def _method_of(self, document: WeightDocument) -> AnyMethod:
        method_type = self.method_type(document)
        options, self._others = _options_of(document, method_type.options_type)
        return method_type(options)

    def _context(self, document: WeightDocument) -> WeightContext:
        context = WeightContext(
            analysis_of(document),
            document.title,
            document.variables,
            document.classes,
            document.targets,
            {name: text for name, _, text in document.options},
            lambda name: self._loading.read_beside(self._path, name),
            document.info,
            document.spectators,
        )
        surroundings = _Surroundings(self._loading, context, self._path, self._nesting)
        return dataclasses.replace(context, embedding=surroundings)


def _read_file(loading: _Loading, path: Path, nesting: int) -> Any:
    reader = ModelReader(loading, str(path), path, nesting)
    return reader.model_of(parse_document(pieces(path), reader.sections))


def read_model(path: str | os.PathLike[str], make: Make, beside: list[str] | None = None) -> Any:
    """Read a weight file of TMVA or mvakit.

    Parameters
    ----------
    path : path
    make : callable
        Makes a model of its parts: the arguments of `Model`.
    beside : list of str, optional
        Is given the names of the files that were read beside it.

    Raises
    ------
    WeightFileError
        If the file is missing, damaged or hostile.
    MethodError
        If no installed package offers its method.
    """
    return _read_file(_Loading(make, beside), Path(path), 0)


def same_parts(one: Any, other: Any) -> bool:
    """Return whether two parts of models are equal: arrays by their elements, objects by what they hold."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        nan = one.dtype.kind in "fc"
        return one.dtype == other.dtype and bool(np.array_equal(one, other, equal_nan=nan))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same_parts(value, other[key]) for key, value in one.items())
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same_parts, one, other))
    if dataclasses.is_dataclass(one):
        names = [f.name for f in dataclasses.fields(one) if f.compare]
        return all(same_parts(getattr(one, name), getattr(other, name)) for name in names)
    compares = getattr(type(one), "__eq__", None) is not getattr(object, "__eq__", None)
    if not compares and hasattr(one, "__dict__"):
        return same_parts(vars(one), vars(other))
    return bool(one == other) or (isinstance(one, float) and math.isnan(one) and math.isnan(other))

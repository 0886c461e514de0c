"""Category: the phase space in regions, with a model of its own variables for each; reading, applying and writing."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError, FormulaError, MvakitWarning, WeightFileError, did_you_mean
from mvakit.formula import Formula
from mvakit.method import Capabilities, EmbeddedModel, Method, MethodOptions, WeightContext
from mvakit.types import AnalysisType
from mvakit.variables import Variable
from mvakit.weightfile import WeightsReader, attribute, feed, int_attribute

__all__ = ["Category", "CategoryState", "Region"]

FloatArray = npt.NDArray[np.float64]
Columns = Mapping[str, npt.NDArray[np.float32]]

_MAX_REGIONS = 10_000


@dataclass(frozen=True, slots=True)
class Region:
    """One category.

    Attributes
    ----------
    cut : Formula
        An event belongs to it if this is above 0.5; it may name variables and spectators.
    variables : str
        The labels of its model's variables, separated by colons; empty for all of them.
    columns : tuple of int
        Where they are among the variables and, behind these, the spectators.
    model : EmbeddedModel
    """

    cut: Formula
    variables: str
    columns: tuple[int, ...]
    model: EmbeddedModel


@dataclass(frozen=True, slots=True)
class CategoryState:
    """The categories, and what their cuts may name.

    Attributes
    ----------
    regions : tuple of Region
    inputs : tuple of Variable
        Variables and spectators.
    n_outputs : int
        The number of classes or targets of a response of shape (n, n_outputs); 0 for one of shape (n,).
    """

    regions: tuple[Region, ...]
    inputs: tuple[Variable, ...]
    n_outputs: int


class Category(Method[MethodOptions, CategoryState]):
    """A model for each region of phase space, as TMVA trains them.

    An event gets the response of the one category whose cut it passes, and 0 if it passes none.
    """

    name: ClassVar[str] = "Category"
    options_type: ClassVar[type[MethodOptions]] = MethodOptions
    capabilities: ClassVar[Capabilities] = Capabilities(
        analyses=frozenset(AnalysisType), trainable=False, spectators=True
    )

    def predict(
        self,
        state: CategoryState,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,
        efficiency: float | None = None,
    ) -> FloatArray:
        """Return the response, shape (n,), or (n, k) for k classes or targets.

        Raises
        ------
        DataError
            If an event belongs to several categories.
        """
        # TMVA holds spectators in single precision, too.
        table = X if spectators is None else np.concatenate([X, spectators.astype(np.float32)], axis=1)
        columns = _columns(state.inputs[: table.shape[1]], table)
        passes = np.stack([_passes(region.cut, columns, len(X)) for region in state.regions])
        count = passes.sum(axis=0)
        if (count > 1).any():
            event = int(np.argmax(count > 1))
            cuts = " and ".join(
                repr(r.cut.text) for r, passed in zip(state.regions, passes, strict=True) if passed[event]
            )
            raise DataError(
                f"the event {event} belongs to several categories, which have to exclude each other: {cuts}"
            )
        if (count == 0).any():
            warnings.warn(
                f"{int((count == 0).sum())} of {len(X)} events belong to no category; their response is 0",
                MvakitWarning,
                stacklevel=2,
            )
        response = np.zeros((len(X), state.n_outputs) if state.n_outputs else len(X))
        for region, passed in zip(state.regions, passes, strict=True):
            if passed.any():
                events = table[passed]
                wanted = region.model.spectators if region.model.method.capabilities.spectators else ()
                own = _places([v.expression for v in wanted], state.inputs, region.cut.text) if wanted else None
                response[passed] = region.model.predict(
                    events[:, region.columns], None if own is None else events[:, own], efficiency
                )
        return response

    def write_state(self, state: CategoryState, weights: ET.Element) -> Mapping[str, bytes]:
        """Write ``<SubMethod Index= Method= Cut= Variables=>`` with the sections of each model."""
        weights.set("NSubMethods", str(len(state.regions)))
        beside: dict[str, bytes] = {}
        for index, region in enumerate(state.regions):
            method = f"{region.model.method.name}::{region.model.title}"
            item = ET.SubElement(
                weights, "SubMethod", Index=str(index), Method=method, Cut=region.cut.text, Variables=region.variables
            )
            for name, data in region.model.write(item).items():
                if beside.setdefault(name, data) != data:
                    raise WeightFileError(
                        f"two categories keep something else each in the file {name!r} beside the weight file, as {method} does"
                    )
        return beside

    def weights_reader(self, context: WeightContext) -> CategoryReader:
        """Return what reads the categories while the file is parsed."""
        return CategoryReader(context)

    def read_state(self, weights: ET.Element, context: WeightContext) -> CategoryState:
        """Read what `write_state` or TMVA wrote.

        Raises
        ------
        WeightFileError
            If a category is damaged, or names what is neither a variable nor a spectator.
        """
        state: CategoryState = feed(weights, self.weights_reader(context))
        return state


class CategoryReader:
    """Reads ``<Weights>``, each category's model by the reader of a whole model."""

    def __init__(self, context: WeightContext) -> None:
        assert context.embedding is not None
        self.context, self.embedding = context, context.embedding
        self.inputs = (*context.variables, *context.spectators)
        self._depth = 0
        self._count = 0
        self._regions: list[Region] = []
        self._item: ET.Element | None = None
        self._model: WeightsReader | None = None

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Begin an element."""
        self._depth += 1
        if self._depth == 1:
            self._count = int_attribute(ET.Element(tag, attributes), "NSubMethods", 1, _MAX_REGIONS)
        elif self._depth == 2 and tag == "SubMethod":
            self._item = ET.Element(tag, attributes)
            self._model = self.embedding.reader(f"SubMethod {len(self._regions)}")
        if self._model is not None:
            self._model.start(tag, attributes)

    def data(self, text: str) -> None:
        """Take a piece of text."""
        if self._model is not None:
            self._model.data(text)

    def end(self, tag: str) -> None:
        """End an element."""
        self._depth -= 1
        if self._model is None:
            return
        self._model.end(tag)
        if self._depth == 1:
            assert self._item is not None
            self._regions.append(self._region(self._item, self._model.close()))
            self._model = None

    def _region(self, item: ET.Element, model: EmbeddedModel) -> Region:
        text, labels = attribute(item, "Cut"), item.get("Variables", "")
        context = self.context
        if model.analysis is not context.analysis:
            raise WeightFileError(
                f"{context.title} is for {context.analysis}, and its category {text!r} for {model.analysis}"
            )
        try:
            cut = Formula(text)
            used = cut.required([name for names in map(_names, self.inputs) for name in names])
        except FormulaError as error:
            raise WeightFileError(f"the category {text!r} of {context.title}: {error}") from None
        if context.option("VarTransform", "None").lower() != "none" and any(
            name in _names(variable) for name in used for variable in context.variables
        ):
            raise WeightFileError(
                f"the category {text!r} of {context.title} cuts on a variable that VarTransform has changed; "
                "make it a spectator, too"
            )
        wanted = [name for name in labels.split(":") if name] or [v.label for v in context.variables]
        if len(wanted) != len(model.variables):
            raise WeightFileError(
                f"<SubMethod Variables={labels!r}> names {len(wanted)} variables, and its model has {len(model.variables)}"
            )
        return Region(cut, labels, tuple(_places(wanted, self.inputs, text)), model)

    def close(self) -> CategoryState:
        """Return the categories."""
        if len(self._regions) != self._count:
            raise WeightFileError(
                f"<Weights NSubMethods={str(self._count)!r}> holds {len(self._regions)} <SubMethod>, and needs as many"
            )
        context, n_outputs = self.context, 0
        if context.analysis is AnalysisType.MULTICLASS:
            n_outputs = len(context.classes)
        elif context.analysis is AnalysisType.REGRESSION and len(context.targets) > 1:
            n_outputs = len(context.targets)
        return CategoryState(tuple(self._regions), self.inputs, n_outputs)


def _names(variable: Variable) -> tuple[str, ...]:
    return (variable.expression, variable.label, variable.internal)


def _columns(inputs: Sequence[Variable], table: npt.NDArray[np.float32]) -> Columns:
    columns: dict[str, npt.NDArray[np.float32]] = {}
    for index, variable in enumerate(inputs):
        for name in _names(variable):
            columns.setdefault(name, table[:, index])
    return columns


def _passes(cut: Formula, columns: Columns, n: int) -> npt.NDArray[np.bool_]:
    used = {name: columns[name] for name in cut.required(columns)}
    # What has no value in mathematics has one in ROOT; the training said so.
    values = np.asarray(cut.evaluate(used or {"": np.zeros(n)}, counts=Counter()))
    return values > 0.5


def _places(labels: Sequence[str], inputs: Sequence[Variable], cut: str) -> list[int]:
    """Return where variables are among all inputs."""
    places = []
    for name in labels:
        found = next((i for i, variable in enumerate(inputs) if name == variable.label), None)
        if found is None:
            found = next((i for i, variable in enumerate(inputs) if name in _names(variable)), None)
        if found is None:
            raise WeightFileError(
                f"the category {cut!r} wants {name!r}, which is neither a variable nor a spectator; "
                f"{did_you_mean(name, [v.label for v in inputs], noun='there are')}"
            )
        places.append(found)
    return places

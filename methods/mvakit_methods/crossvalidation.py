"""CrossValidation: the file that combines the models of the folds, which lie beside it; reading, applying and writing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError, FormulaError, WeightFileError, did_you_mean
from mvakit.formula import Formula
from mvakit.method import Capabilities, EmbeddedModel, Method, MethodOptions, WeightContext
from mvakit.options import option
from mvakit.types import AnalysisType
from mvakit.variables import Variable
from mvakit.weightfile import attribute, int_attribute

__all__ = ["CrossValidation", "CrossValidationOptions", "CrossValidationState"]

FloatArray = npt.NDArray[np.float64]

_MAX_FOLDS = 1000
_PARAMETER = re.compile(r"\[\s*([^\[\]]+?)\s*\]")
_N_FOLDS = frozenset({"NumFolds", "numFolds"})


@dataclass(frozen=True, kw_only=True)
class CrossValidationOptions(MethodOptions):
    """Options of the combined file."""

    method_title: str = option("EncapsulatedMethodName", "", "title of the method of the folds")
    method_type: str = option("EncapsulatedMethodTypeName", "", "the method of the folds")
    n_folds: int = option("NumFolds", 1, "number of folds", minimum=0, maximum=_MAX_FOLDS)
    ensembling: str = option(
        "OutputEnsembling",
        "None",
        "None: an event is answered by the fold whose training did not see it; Avg: by the mean of all folds",
        choices=("None", "Avg"),
    )
    split_expression: str = option("SplitExpr", "", "formula of spectators that gives the number of an event's fold")


@dataclass(frozen=True, slots=True)
class Split:
    """Which fold an event belongs to.

    Attributes
    ----------
    formula : Formula
        Of columns called ``p0``, ``p1``, ...
    spectators : tuple of int
        Which spectator each of them is; -1 for the number of folds.
    """

    formula: Formula
    spectators: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CrossValidationState:
    """The models of the folds, and how they are combined.

    Attributes
    ----------
    folds : tuple of EmbeddedModel
    columns : tuple of tuple of int
        Where the variables of each fold are among the variables.
    job, title, method, split_expression, ensembling : str
        As the weight file has them.
    split : Split or None
        None where every event is answered by all folds.
    """

    folds: tuple[EmbeddedModel, ...]
    columns: tuple[tuple[int, ...], ...]
    job: str
    title: str
    method: str
    split_expression: str
    ensembling: str
    split: Split | None


class CrossValidation(Method[CrossValidationOptions, CrossValidationState]):
    """The models of the folds of a cross-validation together, as TMVA combines them.

    An event is answered by the fold whose training did not see it, as ``SplitExpr`` says, or by the mean of all folds.
    """

    name: ClassVar[str] = "CrossValidation"
    options_type: ClassVar[type[MethodOptions]] = CrossValidationOptions
    capabilities: ClassVar[Capabilities] = Capabilities(
        analyses=frozenset(AnalysisType), trainable=False, spectators=True
    )

    def needs_spectators(self, state: CrossValidationState) -> bool:
        """Return whether spectators tell the fold of an event."""
        return state.split is not None and any(place >= 0 for place in state.split.spectators)

    def predict(
        self,
        state: CrossValidationState,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,
        efficiency: float | None = None,
    ) -> FloatArray:
        """Return the response, shape (n,), or (n, k) for k classes or targets.

        Raises
        ------
        DataError
            If ``SplitExpr`` gives the number of no fold.
        """
        if state.split is None:
            parts = [
                model.predict(X[:, columns], None, efficiency)
                for model, columns in zip(state.folds, state.columns, strict=True)
            ]
            return np.asarray(sum(parts) / len(parts), np.float64)
        fold = self._folds(state, state.split, len(X), spectators)
        nothing = state.folds[0].predict(X[:0, state.columns[0]], None, efficiency)
        response = np.empty((len(X), *nothing.shape[1:]))
        for index, (model, columns) in enumerate(zip(state.folds, state.columns, strict=True)):
            chosen = fold == index
            if chosen.any():
                response[chosen] = model.predict(X[chosen][:, columns], None, efficiency)
        return response

    def _folds(
        self, state: CrossValidationState, split: Split, n: int, spectators: FloatArray | None
    ) -> npt.NDArray[np.float64]:
        """Return the number of the fold of each event."""
        columns = {
            # TMVA holds spectators in single precision.
            f"p{i}": np.full(n, float(len(state.folds)))
            if place < 0 or spectators is None
            else spectators[:, place].astype(np.float32).astype(np.float64)
            for i, place in enumerate(split.spectators)
        }
        value = np.asarray(split.formula.evaluate(columns or {"": np.zeros(n)}, counts=Counter()), np.float64)
        fold = np.trunc(value)
        with np.errstate(invalid="ignore"):
            bad = ~(np.abs(value - fold) <= 1e-5) | ~((fold >= 0) & (fold < len(state.folds)))
        if bad.any():
            event = int(np.argmax(bad))
            raise DataError(
                f"SplitExpr={state.split_expression} is {value[event]:g} for event {event}; it should be a whole number from "
                f"0 to {len(state.folds) - 1}, that of the fold"
            )
        return fold

    def write_state(self, state: CrossValidationState, weights: ET.Element) -> Mapping[str, bytes]:
        """Write what combines the folds; each fold is a file beside it."""
        for name, text in (
            ("JobName", state.job),
            ("SplitExpr", state.split_expression),
            ("NumFolds", str(len(state.folds))),
            ("EncapsulatedMethodName", state.title),
            ("EncapsulatedMethodTypeName", state.method),
            ("OutputEnsembling", state.ensembling),
        ):
            weights.set(name, text)
        beside: dict[str, bytes] = {}
        for index, model in enumerate(state.folds):
            data, others = model.to_file()
            name = _file_name(state.job, state.title, index)
            beside[name] = data
            beside |= {other.replace("*", name.removesuffix(".xml")): content for other, content in others.items()}
        return beside

    def read_state(self, weights: ET.Element, context: WeightContext) -> CrossValidationState:
        """Read what `write_state` or TMVA wrote, and the files of the folds.

        Raises
        ------
        WeightFileError
            If something is damaged or missing, or a fold is of another method.
        """
        assert context.embedding is not None
        names = ("JobName", "EncapsulatedMethodName", "EncapsulatedMethodTypeName", "SplitExpr", "OutputEnsembling")
        job, title, method, expression, ensembling = (attribute(weights, name) for name in names)
        if ensembling not in {"None", "Avg"}:
            raise WeightFileError(f"<Weights OutputEnsembling={ensembling!r}> should be None or Avg")
        if method.lower() == self.name.lower():
            raise WeightFileError(f"the folds of {context.title} are cross-validations themselves")
        n_folds = int_attribute(weights, "NumFolds", 1, _MAX_FOLDS)
        split = None if ensembling == "Avg" else _split(expression, context)
        folds, columns = [], []
        for index in range(n_folds):
            fold = context.embedding.file(_file_name(job, title, index))
            if fold.method.name.lower() != method.lower() or fold.analysis is not context.analysis:
                raise WeightFileError(
                    f"the fold {index + 1} of {context.title} is {fold.method.name} for {fold.analysis}, and should be "
                    f"{method} for {context.analysis}"
                )
            folds.append(fold)
            columns.append(tuple(_place(v, context) for v in fold.variables))
        return CrossValidationState(tuple(folds), tuple(columns), job, title, method, expression, ensembling, split)


def _file_name(job: str, title: str, index: int) -> str:
    return f"{job}_{title}_fold{index + 1}.weights.xml"


def _place(variable: Variable, context: WeightContext) -> int:
    known = [v.expression for v in context.variables]
    if variable.expression not in known:
        raise WeightFileError(
            f"a fold of {context.title} has the variable {variable.expression!r}; "
            f"{did_you_mean(variable.expression, known, noun='there are')}"
        )
    return known.index(variable.expression)


def _split(expression: str, context: WeightContext) -> Split:
    """Read a formula of TMVA's in which spectators, and the number of folds, are in brackets."""
    if not expression.strip():
        raise WeightFileError(
            f"{context.title} has neither a SplitExpr, which would tell the fold of an event, nor OutputEnsembling=Avg; "
            "apply the files of the folds one by one, or combine them again"
        )
    names = list(dict.fromkeys(match[1] for match in _PARAMETER.finditer(expression)))
    places = []
    for name in names:
        found = next((i for i, s in enumerate(context.spectators) if name in {s.expression, s.label, s.internal}), None)
        if found is None and name not in _N_FOLDS:
            raise WeightFileError(
                f"SplitExpr={expression} of {context.title} names {name!r}; "
                f"{did_you_mean(name, [s.label for s in context.spectators], noun='the spectators')}"
            )
        places.append(-1 if found is None else found)
    try:
        formula = Formula(_PARAMETER.sub(lambda match: f"p{names.index(match[1])}", expression))
        formula.required([f"p{i}" for i in range(len(names))])
    except FormulaError as error:
        raise WeightFileError(f"SplitExpr={expression} of {context.title}: {error}") from None
    return Split(formula, tuple(places))

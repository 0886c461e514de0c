"""Applying weight files: `Reader` event by event through buffers, `RReader` on arrays and trees."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.errors import DataError, MethodError, did_you_mean
from mvakit.model import Model, positions
from mvakit.options import Options, option
from mvakit.progress import Messenger, show_messages
from mvakit.reading import Evaluator
from mvakit.sources import open_tree
from mvakit.types import AnalysisType
from mvakit.variables import split_definition

__all__ = ["RReader", "Reader", "responses"]

FloatArray = npt.NDArray[np.float64]

_NOTHING: Final = bytearray()  # joined with others it gives memory that may be written to


@dataclass(frozen=True, kw_only=True)
class ReaderOptions(Options):
    """The options of a Reader."""

    owner = "Reader"

    verbose: bool = option("V", False, "say more")
    color: bool = option("Color", True, "colour what is printed on a terminal")
    silent: bool = option("Silent", False, "say only what went wrong")
    error: bool = option("Error", False, "whether errors of responses are asked for, with GetMVAError")


class Reader:
    """TMVA's Reader: variables are bound to buffers, models are booked under tags, events are evaluated.

    Parameters
    ----------
    options : str
        ``"!Color:Silent"``; also as keywords.

    Examples
    --------
    >>> from array import array
    >>> reader = Reader("!Color:Silent")
    >>> x = array("f", [0.0])
    >>> reader.AddVariable("var1", x)
    """

    def __init__(self, options: str = "", **keywords: Any) -> None:
        self.options = ReaderOptions.parse(options, **keywords)
        if not self.options.silent:
            show_messages()
        self.log = Messenger("Reader", silent=self.options.silent, verbose=self.options.verbose)
        self._variables: dict[str, Any] = {}
        self._spectators: dict[str, Any] = {}
        self._booked: dict[str, _Booked] = {}

    # ------------------------------------------------------------------------------------- declaring

    def AddVariable(self, expression: str, buffer: object) -> None:
        """Bind a variable to a one-element buffer: ``array("f", [0.])``, a NumPy array, a ctypes value, a list.

        Raises
        ------
        DataError
            If the variable is bound already or the buffer holds no number.
        """
        self._bind(self._variables, "variable", expression, buffer)

    def AddSpectator(self, expression: str, buffer: object) -> None:
        """Bind a spectator to a one-element buffer; only models that look at spectators need them."""
        self._bind(self._spectators, "spectator", expression, buffer)

    def _bind(self, to: dict[str, Any], kind: str, expression: str, buffer: object) -> None:
        label, text = split_definition(str(expression))
        name = text if label == text else f"{label}:={text}"
        if name in to:
            raise DataError(f"the {kind} {name!r} is bound twice")
        value = buffer.value if hasattr(buffer, "value") and not hasattr(buffer, "__getitem__") else None
        try:
            float(buffer[0] if value is None else value)  # type: ignore[index]
        except (TypeError, IndexError, ValueError, KeyError):
            raise DataError(
                f"the {kind} {name!r} is bound to a one-element buffer such as array('f', [0.]), not {buffer!r}"
            ) from None
        to[name] = _CValue(buffer) if value is not None else buffer

    def BookMVA(self, tag: str, path: str | os.PathLike[str]) -> Model:
        """Load a weight file under a tag.

        Raises
        ------
        WeightFileError
            If the file is missing or damaged.
        DataError
            If a variable of the model was not added, or the tag is taken.
        """
        tag = str(tag)
        if tag in self._booked:
            raise DataError(f"the tag {tag!r} is booked already; give each model a tag of its own")
        model = Model.load(os.fspath(path) if isinstance(path, os.PathLike) else str(path))
        order = _places(self._variables, model) if self._variables else list(range(len(model.variables)))
        spectators: list[Any] = []
        if model.needs_spectators:
            for spectator in model.spectators:
                buffer = next(
                    (
                        b
                        for n, b in self._spectators.items()
                        if spectator.expression in _names(n) or spectator.label in _names(n)
                    ),
                    None,
                )
                if buffer is None:
                    raise DataError(
                        f"{tag!r} needs the spectator {spectator.expression!r}; {did_you_mean(spectator.expression, self._spectators, noun='the spectators added')}"
                    )
                spectators.append(buffer)
        buffers = list(self._variables.values())
        chosen = [buffers[i] for i in order] if buffers else []
        single = model.single_event() if chosen else None
        joined = all(_is_single(buffer) for buffer in chosen)
        # Memory is told much sooner by a view than by the array itself. NumPy's arrays in use here keep their size anyway.
        memory = [buffer.data if isinstance(buffer, np.ndarray) else buffer for buffer in chosen] if joined else []
        self._booked[tag] = _Booked(model, order, chosen, memory, spectators, single)
        self.log.info(f"Booked {model!r} as {tag!r}")
        return model

    def _find(self, tag: object) -> _Booked:
        found = self._booked.get(str(tag))
        if found is None:
            raise DataError(
                f"nothing is booked as {str(tag)!r}; {did_you_mean(str(tag), self._booked, noun='the tags')}"
            )
        return found

    # ------------------------------------------------------------------------------------ evaluating

    def EvaluateMVA(self, *arguments: Any) -> Any:
        """Evaluate one event: ``(tag)``, ``(tag, signal efficiency)``, ``(values, tag)`` or ``(values, tag, efficiency)``.

        Returns
        -------
        float
            The response; an array of them where `values` is an array of events.
        """
        if len(arguments) == 1 and isinstance(arguments[0], str):
            booked = self._booked.get(arguments[0]) or self._find(arguments[0])
            alone = booked.evaluate_one()
            if alone is not None:
                return alone
        booked, response = self._evaluate("EvaluateMVA", arguments)
        if response.ndim != 1:
            raise MethodError(
                f"{booked.model.title} has {response.shape[1]} outputs; ask EvaluateMulticlass or EvaluateRegression"
            )
        return float(response[0]) if len(response) == 1 else response

    def EvaluateMulticlass(self, *arguments: Any) -> Any:
        """Return the responses of all classes: ``(tag)``; of one class: ``(index, tag)``."""
        return self._several("EvaluateMulticlass", AnalysisType.MULTICLASS, arguments)

    def EvaluateRegression(self, *arguments: Any) -> Any:
        """Return the estimates of all targets: ``(tag)``; of one target: ``(index, tag)``."""
        return self._several("EvaluateRegression", AnalysisType.REGRESSION, arguments)

    def _several(self, name: str, analysis: AnalysisType, arguments: tuple[Any, ...]) -> Any:
        index = None
        if len(arguments) > 1 and isinstance(arguments[0], int):
            index, arguments = arguments[0], arguments[1:]
        booked, response = self._evaluate(name, arguments)
        if booked.model.analysis is not analysis:
            raise MethodError(f"{booked.model.title} was trained for {booked.model.analysis}, so {name} has no answer")
        row = response[0].tolist() if response.ndim == 2 else [float(response[0])]
        if index is None:
            return row
        if not 0 <= index < len(row):
            raise DataError(f"{booked.model.title} has {len(row)} outputs, so none of index {index}")
        return row[index]

    def FindMVA(self, tag: str) -> Model:
        """Return the model that is booked under a tag."""
        return self._find(tag).model

    def FindCutsMVA(self, tag: str) -> CutsAnswer:
        """Return what tells the cuts behind a tag: ``reader.FindCutsMVA("Cuts").GetCuts(0.7, cut_min, cut_max)``.

        Raises
        ------
        MethodError
            If the model has no cuts.
        """
        model = self._find(tag).model
        if not model.method.capabilities.at_signal_efficiency:
            raise MethodError(f"{model.title} is of the method {model.method.name}, which has no cuts")
        return CutsAnswer(model)

    def _evaluate(self, name: str, arguments: tuple[Any, ...]) -> tuple[_Booked, FloatArray]:
        values: Any = None
        if arguments and not isinstance(arguments[0], str):
            values, arguments = arguments[0], arguments[1:]
        if not 1 <= len(arguments) <= 2:
            raise DataError(f"{name} takes (tag), (tag, efficiency), (values, tag) or (values, tag, efficiency)")
        booked = self._find(arguments[0])
        efficiency = float(arguments[1]) if len(arguments) == 2 else None
        return booked, booked.evaluate(values, efficiency)

    # ------------------------------------------------------------------------------------ probability

    def GetProba(self, tag: str, ap_sig: float = 0.5) -> float:
        """Return the probability that the event is signal, for a prior signal fraction `ap_sig`.

        Raises
        ------
        MethodError
            If the model has no PDFs of its response (book it with ``CreateMVAPdfs``).
        """
        booked = self._find(tag)
        return float(booked.model.probability(booked.evaluate(None, None), ap_sig)[0])

    def GetRarity(self, tag: str) -> float:
        """Return the rarity: the background's integral of the response up to this event's.

        Raises
        ------
        MethodError
            If the model has no PDFs of its response.
        """
        booked = self._find(tag)
        return float(booked.model.rarity(booked.evaluate(None, None))[0])


@dataclass(frozen=True, slots=True)
class CutsAnswer:
    """The cuts of a model, in TMVA's words."""

    model: Model

    def GetCuts(self, effS: float, cutMin: list[float], cutMax: list[float]) -> float:
        """Fill two lists with the cuts of the bin of a signal efficiency, and return the lower end of that bin.

        An event passes if ``cutMin < x <= cutMax`` for every variable, after the transformations.
        """
        efficiency, low, high = self.model.method.cuts(self.model.state, float(effS))
        for values, found in ((cutMin, low), (cutMax, high)):
            values.clear()
            values.extend(found.tolist())
        return efficiency


class _CValue:
    """A ctypes value seen as a one-element sequence."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __getitem__(self, index: int) -> float:
        return float(self.value.value)


@dataclass(frozen=True, slots=True)
class _Booked:
    """A model and where its inputs lie.

    Attributes
    ----------
    model : Model
    order : list of int
        Of each variable of the model its place among those of the Reader.
    buffers : list
    memory : list
        The memory of the buffers if each is one float32 number there, so that all can be copied at once; otherwise empty.
    spectators : list
    single : callable or None
        Tells the response to one event.
    """

    model: Model
    order: list[int]
    buffers: list[Any]
    memory: list[Any]
    spectators: list[Any]
    single: Callable[[npt.NDArray[np.float32]], float] | None

    def evaluate_one(self) -> float | None:
        """Return the response to what the buffers hold, or None where `evaluate` has to be asked, or to say what is wrong."""
        if self.single is None:
            return None
        if self.memory:
            x = np.frombuffer(_NOTHING.join(self.memory), np.float32)
            if len(x) != len(self.buffers):  # one has been given another size
                return None
        else:
            x = np.array([buffer[0] for buffer in self.buffers], np.float32)
        response = self.single(x)
        return response if isfinite(response) else None

    def evaluate(self, values: Any, efficiency: float | None) -> FloatArray:
        if values is None:
            if not self.buffers:
                raise DataError(
                    f"{self.model.title}: no variables were added to the Reader; hand over the values: EvaluateMVA(values, tag)"
                )
            inputs = np.array([[buffer[0] for buffer in self.buffers]], dtype=np.float32)
        else:
            inputs = np.atleast_2d(np.asarray(values, dtype=np.float32))
            if inputs.shape[1] > max(self.order, default=0) and self.order != list(range(inputs.shape[1])):
                inputs = inputs[:, self.order]
        spectators = (
            np.array([[buffer[0] for buffer in self.spectators]], dtype=np.float64) if self.spectators else None
        )
        return self.model.predict(inputs, spectators, efficiency)


def _is_single(buffer: Any) -> bool:
    """Whether a buffer is one float32 number in memory."""
    try:
        with memoryview(buffer) as view:
            return view.format == "f" and view.shape == (1,)
    except TypeError:  # a list, for example
        return False


def _names(bound: str) -> tuple[str, ...]:
    label, found, expression = bound.partition(":=")
    return (label, expression) if found else (label,)


def _places(bound: Mapping[str, Any], model: Model) -> list[int]:
    names = [_names(name) for name in bound]
    flat = [
        next((n for n in candidates if any(n in {v.expression, v.label} for v in model.variables)), candidates[-1])
        for candidates in names
    ]
    return positions(flat, model)


# -------------------------------------------------------------------------------------------------- columns


def responses(
    models: Sequence[Model], source: object, *, efficiency: float | None = None
) -> Iterator[tuple[int, list[FloatArray]]]:
    """Apply models to a tree, chunk by chunk.

    Yields
    ------
    first_entry : int
    responses : list of ndarray
        One for each model.

    Raises
    ------
    SourceError, FormulaError
        If the tree lacks something that a formula names.
    """
    tree = open_tree(source)
    wanted: dict[str, str] = {}
    for model in models:
        extra = model.spectators if model.needs_spectators else ()
        wanted.update({v.expression: v.label for v in (*model.variables, *extra)})
    for chunk in Evaluator(tree, [(label, text) for text, label in wanted.items()]).chunks():
        by_text = dict(zip(wanted, chunk.values, strict=True))
        answers = []
        for model in models:
            inputs = np.column_stack([by_text[v.expression].astype(np.float32) for v in model.variables])
            spectators = (
                np.column_stack([np.asarray(by_text[s.expression], np.float64) for s in model.spectators])
                if model.needs_spectators
                else None
            )
            answers.append(model.predict(inputs, spectators, efficiency))
        yield int(chunk.entries[0]) if len(chunk.entries) else 0, answers


class RReader:
    """Applies one weight file to arrays and trees.

    Parameters
    ----------
    path : path
        A ``*.weights.xml`` file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.model = Model.load(path)

    def __repr__(self) -> str:
        return f"RReader({self.model!r})"

    def GetVariableNames(self) -> list[str]:
        """Return the expressions of the variables, in order."""
        return [v.expression for v in self.model.variables]

    def Compute(self, X: Any, efficiency: float | None = None) -> FloatArray:
        """Return the responses to an array of events or to a tree.

        Parameters
        ----------
        X : array, shape (n, n_variables) or (n_variables,), or a tree
            Columns in the order of `GetVariableNames`; where the model needs spectators they follow. On a tree the
            formulae are evaluated.
        efficiency : float, optional
            The signal efficiency at which methods such as Cuts answer.

        Returns
        -------
        ndarray, shape (n,) or (n, k)

        Raises
        ------
        DataError
            If the shape is wrong.
        """
        if not _is_array(X):
            parts = [answers[0] for _, answers in responses([self.model], X, efficiency=efficiency)]
            return np.concatenate(parts) if parts else np.zeros(0)
        table = np.atleast_2d(np.asarray(X))
        n_variables = len(self.model.variables)
        spectators = None
        if (
            self.model.needs_spectators
            and table.ndim == 2
            and table.shape[1] == n_variables + len(self.model.spectators)
        ):
            table, spectators = table[:, :n_variables], table[:, n_variables:]
        return self.model.predict(table, spectators, efficiency)


def _is_array(X: Any) -> bool:
    """Whether this is an array of numbers rather than a tree."""
    if isinstance(X, np.ndarray):
        return X.dtype.names is None
    return isinstance(X, list | tuple) and all(
        isinstance(x, int | float | np.number | list | tuple | np.ndarray) for x in X
    )

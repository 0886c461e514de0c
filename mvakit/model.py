"""The waist of the house: `train` makes a `Model`, files hold it, and everything that applies it calls `Model.predict`."""

from __future__ import annotations

import contextlib
import dataclasses
import getpass
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.dataset import DataSet, Sample
from mvakit.errors import (
    DataError,
    MethodError,
    TransformationError,
    did_you_mean,
)
from mvakit.method import AnyMethod, FitContext, Ranking, Structure
from mvakit.modelfile import is_kept_apart, read_model, same_parts
from mvakit.pdfs import ResponsePdfs, bins_for
from mvakit.progress import Messenger, Tick, no_tick
from mvakit.registry import method_class
from mvakit.transformations import Chain, fit_chain, parse_chain
from mvakit.types import AnalysisType
from mvakit.variables import Variable
from mvakit.weightfile import WeightDocument, fill, to_bytes, write_document

__all__ = ["Model", "book", "pdf_weight", "train"]

FloatArray = npt.NDArray[np.float64]

# The release of TMVA whose conventions our files follow; TMVA decides by it how to read them.
_TMVA_RELEASE: Final = "4.2.1 [262657]"


@dataclass(frozen=True, eq=False)
class Model:
    """A trained thing: variables, transformation chain and the state of a method. Immutable and thread-safe.

    Attributes
    ----------
    method : Method
        The method with its options.
    state : object
        What `Method.fit` returned.
    title : str
        The title under which it was booked.
    analysis : AnalysisType
    variables, spectators, targets : tuple of Variable
    classes : tuple of str
    chain : Chain
        The transformations before the method.
    info : mapping of str to str
        What made it: releases, date, seed, numbers of events, sums of weights.
    other_options : tuple of (name, modified, text)
        Options that the file has and the method does not know, or would not write.
    option_sizes : mapping of str to int
        The numbers of elements of those among them with one value per variable.
    pdfs : ResponsePdfs or None
        The PDFs of the response, where it was booked with ``CreateMVAPdfs``.
    options_of_file : frozenset of str or None
        Of a model that was read, the names of its options in lower case: it is written again without those that the
        release that wrote it did not have, since that release's Reader would refuse them.
    """

    method: AnyMethod
    state: Any
    title: str
    analysis: AnalysisType
    variables: tuple[Variable, ...]
    spectators: tuple[Variable, ...]
    targets: tuple[Variable, ...]
    classes: tuple[str, ...]
    chain: Chain
    info: Mapping[str, str] = field(default_factory=dict, compare=False)
    other_options: tuple[tuple[str, bool, str], ...] = ()
    option_sizes: Mapping[str, int] = field(default_factory=dict)
    pdfs: ResponsePdfs | None = None
    options_of_file: frozenset[str] | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        return f"Model({self.method.name}::{self.title}, {len(self.variables)} variables: {', '.join(v.label for v in self.variables)})"

    # -------------------------------------------------------------------------------------- applying

    @property
    def needs_spectators(self) -> bool:
        """Whether a response depends on the spectators."""
        return bool(self.spectators) and self.method.needs_spectators(self.state)

    def predict(
        self, X: npt.ArrayLike, spectators: npt.ArrayLike | None = None, efficiency: float | None = None
    ) -> FloatArray:
        """Return the response to events.

        Parameters
        ----------
        X : array, shape (n_events, n_variables)
            The variables in the order of the model; taken in single precision, as TMVA takes them.
        spectators : array, shape (n_events, n_spectators), optional
            Only methods that ask for spectators look at them.
        efficiency : float, optional
            The signal efficiency at which methods such as Cuts answer.

        Returns
        -------
        ndarray of float64, shape (n_events,), or (n_events, k) for k classes or targets

        Raises
        ------
        DataError
            If the number of columns is not that of the variables, a value is no number, or a response is not finite.
        """
        inputs, columns = self._prepared(X, spectators)
        return self._checked(self.method.predict(self.state, inputs, columns, efficiency), X)

    def staged_predict(self, X: npt.ArrayLike, stages: Sequence[int] | None = None) -> Iterator[FloatArray]:
        """Yield the response to events as it would be if the training had ended earlier: after the first trees of a forest.

        Parameters
        ----------
        X : array, shape (n_events, n_variables)
        stages : sequence of int, optional
            From 1 to `n_stages`, in ascending order; by default all. The response after the last stage is that of
            `predict`.

        Raises
        ------
        MethodError
            If the method has no stages.
        DataError
            As `predict` does, and if a number is no stage.
        """
        last = self.n_stages
        if not last:
            raise self.method.refuse("its training has no stages after which it could have ended")
        chosen = range(1, last + 1) if stages is None else [int(stage) for stage in stages]
        if any(b <= a for a, b in zip([0, *chosen], [*chosen, last + 1], strict=True)):
            raise DataError(f"the stages of {self.title} are numbers from 1 to {last} that ascend, not {[*chosen]}")
        inputs, _ = self._prepared(X, None)
        for response in self.method.predict_stages(self.state, inputs, chosen):
            yield self._checked(response, X)

    @property
    def n_stages(self) -> int:
        """The number of stages that `staged_predict` knows, such as trees; 0 where there are none."""
        return self.method.stages(self.state)

    def _prepared(
        self, X: npt.ArrayLike, spectators: npt.ArrayLike | None
    ) -> tuple[npt.NDArray[np.float32], FloatArray | None]:
        """Return transformed inputs and spectators, as the method takes them."""
        inputs = np.asarray(X, dtype=np.float32)
        if inputs.ndim != 2 or inputs.shape[1] != len(self.variables):
            raise DataError(
                f"{self.title} takes events of {len(self.variables)} variables ({', '.join(v.label for v in self.variables)}), "
                f"so an array of shape (n, {len(self.variables)}), not {inputs.shape}"
            )
        if np.isnan(inputs).any():
            event, variable = (int(i) for i in np.argwhere(np.isnan(inputs))[0])
            raise DataError(f"the variable {self.variables[variable].label!r} of event {event} is not a number")
        columns = None if spectators is None else np.asarray(spectators, dtype=np.float64)
        if columns is None and self.needs_spectators:
            raise DataError(f"{self.title} needs the spectators {', '.join(s.label for s in self.spectators)}")
        if self.method.capabilities.inputs_per_class:
            inputs = self._per_class(inputs)
        elif self.chain:
            inputs = self.chain.apply(inputs)
        return inputs, columns

    def _checked(self, response: FloatArray, X: npt.ArrayLike) -> FloatArray:
        """Return what the method answered, in the units of the targets, if it is finite."""
        if "Target" in self.chain.kinds:
            estimates = self.chain.invert_targets(response.reshape(len(response), len(self.targets)))
            response = estimates.astype(np.float64).reshape(response.shape)
        if not np.isfinite(response).all():
            event = int(np.argwhere(~np.isfinite(response))[0][0])
            raise DataError(
                f"the response of {self.title} to event {event} is {response[event]}: "
                f"{', '.join(f'{v.label}={x:g}' for v, x in zip(self.variables, np.asarray(X)[event], strict=True))}"
            )
        return response

    def single_event(self) -> Callable[[npt.NDArray[np.float32]], float] | None:
        """Return a function that tells the response to one event much sooner than `predict`; None where there is none.

        It takes the variables in the order of the model, an array of float32 numbers of shape (n_variables,), and
        returns exactly what `predict` does. What it returns is not finite where `predict` refuses the event.
        """
        per_class = self.method.capabilities.inputs_per_class
        return None if self.chain or self.needs_spectators or per_class else self.method.single_event(self.state)

    def _per_class(self, inputs: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the inputs as the transformations of each class make them, shape (n_classes, n_events, n_variables)."""
        n_classes = max(len(self.classes), 2)
        if "Variable" not in self.chain.kinds:
            return np.broadcast_to(inputs, (n_classes, *inputs.shape))
        return np.stack([self.chain.apply(inputs, index) for index in range(n_classes)])

    def respond(self, sample: Sample) -> FloatArray:
        """Return the response to the events of a sample, as `predict` does; to those in mapped files block by block."""
        if sample.space is None:
            return self.predict(sample.X, sample.spectator_columns())
        return np.concatenate([self.predict(block.X, block.spectator_columns()) for block in sample.blocks()])

    def probability(self, response: npt.ArrayLike, signal_fraction: float = 0.5) -> FloatArray:
        """Return the probabilities of events with these responses to be signal.

        Parameters
        ----------
        response : array, shape (n_events,)
            What `predict` returned.
        signal_fraction : float
            The fraction of signal expected among the events.

        Raises
        ------
        MethodError
            If the model has no PDFs of its response.
        DataError
            If the fraction does not lie between 0 and 1.
        """
        return self._pdfs("probability").probability(response, signal_fraction)

    def rarity(self, response: npt.ArrayLike) -> FloatArray:
        """Return the fractions of background with lower responses than these.

        Parameters
        ----------
        response : array, shape (n_events,)
            What `predict` returned.

        Raises
        ------
        MethodError
            If the model has no PDFs of its response.
        """
        return self._pdfs("rarity").rarity(response)

    def _pdfs(self, what: str) -> ResponsePdfs:
        if self.pdfs is None:
            raise MethodError(f"{self.title} has no PDFs of its response, so no {what}; book it with CreateMVAPdfs")
        return self.pdfs

    def ranking(self) -> Ranking | None:
        """Return the method's own ranking of the variables, or None."""
        return self.method.ranking(self.state, self.variables)

    def structure(self) -> Structure | None:
        """Return the state as a forest, a network or an affine map, or None."""
        return self.method.structure(self.state)

    # ------------------------------------------------------------------------------------------ files

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write TMVA's weight file, and what the method keeps beside it.

        Raises
        ------
        OutputError
            If the folder cannot be written to; nothing half-written stays.
        """
        document, beside = self._document()
        return write_document(document, path, beside)

    def write(self, element: ET.Element) -> Mapping[str, bytes]:
        """Fill an element of a composite's weight file; return the files that have to lie beside that."""
        document, beside = self._document()
        fill(element, document)
        return beside

    def to_file(self) -> tuple[bytes, Mapping[str, bytes]]:
        """Return the weight file, and the files that have to lie beside it."""
        document, beside = self._document()
        return to_bytes(document), beside

    def _document(self) -> tuple[WeightDocument, Mapping[str, bytes]]:
        document = WeightDocument(self.method.name, self.title)
        beside = self.method.write_state(self.state, document.weights)
        document.info = {**self.info}
        document.sizes = {**self.option_sizes}
        others = {name.lower() for name, _, _ in self.other_options}
        options = []
        for spec, value in self.method.options.items():
            modified = spec.name in self.method.options.modified
            if spec.name.lower() in others:
                continue
            if self.options_of_file is not None and not (
                is_kept_apart(spec) or modified or spec.name.lower() in self.options_of_file
            ):
                continue
            text = spec.text(value)
            if spec.array:
                text = " ".join(spec.text(element) for element in value.resolve(len(self.variables), spec.name))
            if is_kept_apart(spec):
                if spec.extension or modified:
                    document.info[f"Option {spec.name}"] = text
            else:
                options.append((spec.name, modified, text))
                if spec.array:
                    document.sizes[spec.name] = len(self.variables)
        document.options = [*options, *self.other_options]
        document.variables, document.spectators, document.targets = self.variables, self.spectators, self.targets
        document.classes = self.classes
        document.transformations = self.chain.write()
        if self.pdfs is not None:
            self.pdfs.write(document.pdfs, self.method.name, self.title)
        return document, beside

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Model:
        """Read a weight file of TMVA or mvakit.

        Raises
        ------
        WeightFileError
            If the file is missing, damaged or hostile.
        MethodError
            If no installed package offers its method.
        """
        model: Model = read_model(path, cls)
        return model

    def __eq__(self, other: object) -> bool:
        """Whether both answer alike and were made alike: equal parts, whenever and wherever they were trained."""
        if not isinstance(other, Model):
            return NotImplemented
        return same_parts(self, other)

    def __hash__(self) -> int:
        return hash((self.method.name, self.title, self.variables))


# ------------------------------------------------------------------------------------------------ training


def book(
    dataset: DataSet,
    method: str,
    options: str = "",
    *,
    title: str = "",
    analysis: AnalysisType | None = None,
    folder: Path | None = None,
    log: Messenger | None = None,
    **keywords: Any,
) -> AnyMethod:
    """Make a method with its options and refuse, before any training, what could not be trained.

    Parameters
    ----------
    dataset : DataSet
    method : str
        The name of the method.
    options : str
        Its option string; `keywords` are options, too.
    title : str
        The title under which it is booked; by default the name.
    analysis : AnalysisType, optional
        By default what the classes and targets suggest.
    folder : Path, optional
        Where the weight file will lie.

    Raises
    ------
    MethodError
        If the method is unknown, unfit for the analysis, or cannot be trained as asked.
    OptionError
        If an option is unknown or malformed.
    TransformationError
        If ``VarTransform`` is.
    """
    method_type = method_class(method)
    analysis = analysis or dataset.default_analysis()
    _check_capabilities(method_type, analysis)
    if analysis is AnalysisType.REGRESSION and not dataset.targets:
        raise MethodError(f"a regression needs a target, and {dataset.name!r} has none: call AddTarget")
    parsed = method_type.options_type.parse(options, owner=f"{method_type.name} ({title or method})", **keywords)
    instance = method_type(parsed.for_analysis(analysis))
    _parse_chain(instance, dataset)
    if instance.options.create_mva_pdfs:
        _check_pdfs(instance, analysis, len(dataset.train))
    instance.check(_context(dataset, instance, title or method_type.name, analysis, log, no_tick, folder))
    return instance


def _parse_chain(method: AnyMethod, dataset: DataSet) -> None:
    """Refuse transformations that could not be made, or of which nobody would take notice."""
    text = method.options.var_transform
    steps = parse_chain(text, dataset.variables, dataset.classes, dataset.targets, dataset.spectators)
    if any(entry.kind == "Spectator" for step in steps for entry in step.selection.inputs):
        raise TransformationError(f"VarTransform={text} transforms spectators, and {method.name} looks at none")


def _check_capabilities(method_type: type[AnyMethod], analysis: AnalysisType) -> None:
    capabilities = method_type.capabilities
    if not capabilities.trainable:
        raise MethodError(f"the method {method_type.name} applies weight files but cannot be trained")
    if analysis not in capabilities.analyses:
        able = ", ".join(sorted(a.value for a in capabilities.analyses))
        raise MethodError(f"the method {method_type.name} is made for {able}, not for {analysis}")


def _check_pdfs(method: AnyMethod, analysis: AnalysisType, events: int) -> None:
    """Refuse PDFs of a response that could not be made."""
    if analysis is not AnalysisType.CLASSIFICATION:
        raise MethodError(f"CreateMVAPdfs of {method.name} makes PDFs of signal and background, not for {analysis}")
    if method.capabilities.at_signal_efficiency:
        raise MethodError(
            f"CreateMVAPdfs of {method.name} has no response to work on: it answers at one signal efficiency at a time"
        )
    options = method.options
    bins_for(
        events,
        options.pdf_recipe().interpolation,
        bins=options.pdf_bins,
        events_per_bin=options.pdf_events_per_bin,
        suffix="MVAPdf",
    )


def _context(
    dataset: DataSet,
    method: AnyMethod,
    title: str,
    analysis: AnalysisType,
    log: Messenger | None,
    tick: Tick,
    folder: Path | None,
) -> FitContext:
    log = log or method.options.messenger(title)
    return FitContext(analysis, title, dataset.variables, dataset.classes, dataset.targets, log, tick, folder)


def train(
    dataset: DataSet,
    method: str | AnyMethod,
    options: str = "",
    *,
    title: str = "",
    analysis: AnalysisType | None = None,
    folder: Path | None = None,
    log: Messenger | None = None,
    tick: Tick = no_tick,
    **keywords: Any,
) -> Model:
    """Train a method on the training sample of a dataset.

    Parameters
    ----------
    dataset : DataSet
    method : str or Method
        The name of a method, then `options` and `keywords` are its options; or what `book` returned.
    title, analysis, folder, log
        As for `book`.
    tick : Tick
        Moves a progress bar.

    Returns
    -------
    Model

    Raises
    ------
    MvakitError
        As `book` does, and if these events cannot train the method.
    """
    analysis = analysis or dataset.default_analysis()
    if isinstance(method, str):
        method = book(dataset, method, options, title=title, analysis=analysis, folder=folder, log=log, **keywords)
    title = title or method.name
    context = _context(dataset, method, title, analysis, log, tick, folder)
    sample = _weighted(dataset.train, method, context.log)
    started = time.perf_counter()
    chain = fit_chain(
        method.options.var_transform, sample, dataset.variables, dataset.classes, dataset.targets, dataset.spectators
    )
    state = method.fit(chain.apply_to(sample), context)
    info = _info(dataset, analysis, time.perf_counter() - started)
    model = Model(
        method,
        state,
        title,
        analysis,
        dataset.variables,
        dataset.spectators,
        dataset.targets,
        dataset.classes,
        chain,
        info,
    )
    if method.options.create_mva_pdfs:
        return dataclasses.replace(model, pdfs=_fit_pdfs(model, dataset.train, context.log))
    return model


def _fit_pdfs(model: Model, sample: Sample, log: Messenger) -> ResponsePdfs | None:
    """Make the PDFs of a response; one that has none, such as a constant, is told of and leaves the training as it is."""
    options = model.method.options
    scores = model.respond(sample)
    try:
        pdfs = ResponsePdfs.fit(
            scores,
            sample.is_signal,
            pdf_weight(sample, model.method),
            options.pdf_recipe(),
            bins=options.pdf_bins,
            events_per_bin=options.pdf_events_per_bin,
            check=options.pdf_check,
        )
    except DataError as error:
        log.warning(f"no PDFs of the response can be made: {error}")
        return None
    log.info(f"Made PDFs of the response: {pdfs.signal}")
    return pdfs


def pdf_weight(sample: Sample, method: AnyMethod) -> FloatArray:
    """Return the weights with which events count in the PDFs of a response."""
    return np.maximum(sample.weight, 0.0) if method.options.ignore_negative_weights else sample.weight


def _weighted(sample: Sample, method: AnyMethod, log: Messenger) -> Sample:
    """Apply the policy for negative weights to a training sample."""
    negative = sample.weight < 0
    count = int(negative.sum())
    if not count:
        return sample
    if method.options.ignore_negative_weights:
        log.info(f"{count} events with negative weights are left out of the training")
        return sample.select(~negative)
    if not method.capabilities.negative_weights:
        raise DataError(
            f"{count} training events have negative weights, which {method.name} cannot train on; "
            "leave them out with IgnoreNegWeightsInTraining"
        )
    if not method.options.treats_negative_weights:
        log.warning(
            f"{count} of {len(sample)} training events have negative weights and are trained on as they are; "
            "IgnoreNegWeightsInTraining leaves them out"
        )
    return sample


def _info(dataset: DataSet, analysis: AnalysisType, seconds: float) -> dict[str, str]:
    from importlib.metadata import version

    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):
        user = ""
    info = {
        "TMVA Release": _TMVA_RELEASE,
        "ROOT Release": "",
        "Creator": user,
        "Date": time.strftime("%a %b %d %H:%M:%S %Y"),
        "Host": platform.platform(),
        "Dir": "",
        "Training events": str(len(dataset.train)),
        "TrainingTime": f"{seconds:.8e}",
        "AnalysisType": analysis.value,
    }
    for package in ("mvakit", "numpy"):
        with contextlib.suppress(ModuleNotFoundError):
            info[f"{package} Release"] = version(package)
    for index, name in enumerate(dataset.classes):
        weight = dataset.train.weight[dataset.train.class_index == index]
        info[f"Training events {name}"] = str(len(weight))
        info[f"Sum of weights {name}"] = f"{weight.sum():.16e}"
    return info


def positions(expressions: Sequence[str], model: Model) -> list[int]:
    """Return, for each variable of a model, its place among `expressions`.

    Raises
    ------
    DataError
        If a variable is missing or there are others.
    """
    places = []
    for variable in model.variables:
        found = next((i for i, text in enumerate(expressions) if text in {variable.expression, variable.label}), None)
        if found is None:
            raise DataError(
                f"{model.title} was trained with the variable {variable.expression!r}; {did_you_mean(variable.expression, expressions, noun='the variables given')}"
            )
        places.append(found)
    return places

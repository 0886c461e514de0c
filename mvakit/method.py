"""The contract of a method: declared options and capabilities, fit, predict, and what it tells of itself.

A method is a class with no state of its own beyond its options. `Method.fit` returns a frozen *state*; everything else
is a function of the options and that state. A package offers a method by an entry point of the group
``mvakit.methods`` whose name is TMVA's name of the method::

    [project.entry-points."mvakit.methods"]
    NearestMean = "my_package:NearestMean"
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, TypeVar

import numpy as np
import numpy.typing as npt

from mvakit.dataset import Sample
from mvakit.errors import MethodError
from mvakit.evaluation import Curve, Histogram1D
from mvakit.options import Options, option
from mvakit.pdfs import MAX_BINS, MAX_SMOOTH, Interpolation, Recipe
from mvakit.progress import Messenger, Tick, no_tick
from mvakit.types import AnalysisType
from mvakit.variables import Variable

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from mvakit.weightfile import WeightsReader

__all__ = [
    "Affine",
    "Capabilities",
    "Cells",
    "Curve",
    "DenseLayer",
    "DenseNetwork",
    "EmbeddedModel",
    "Embedding",
    "FitContext",
    "Forest",
    "Method",
    "MethodOptions",
    "Partition",
    "Ranking",
    "Staged",
    "Structure",
    "WeightContext",
]

FloatArray = npt.NDArray[np.float64]
Staged = Callable[[Sequence[int]], Iterator[FloatArray]]


@dataclass(frozen=True, kw_only=True)
class MethodOptions(Options):
    """The options that every method has; a method's own class derives from this one.

    Attributes
    ----------
    treats_negative_weights : bool
        Whether an option of the method's own says what becomes of events with negative weights; then the method reports it.
    """

    treats_negative_weights: ClassVar[bool] = False

    verbose: bool = option("V", False, "say more while training")
    verbosity_level: str = option(
        "VerbosityLevel",
        "Default",
        "what is said while training",
        choices=("Default", "Debug", "Verbose", "Info", "Warning", "Error", "Fatal"),
    )
    var_transform: str = option(
        "VarTransform", "None", "variable transformations before training, as in 'G,D' or 'N(var1,var3)+D_Signal'"
    )
    help: bool = option("H", False, "print the method's options when it is booked")
    create_mva_pdfs: bool = option("CreateMVAPdfs", False, "make PDFs of the response, for probability and rarity")
    pdf_interpolation: str = option(
        "PDFInterpolMVAPdf",
        "Spline2",
        "interpolation of the PDFs of the response",
        choices=tuple(i.option for i in Interpolation),
    )
    pdf_bins: int = option(
        "NbinsMVAPdf", 0, "bins of the PDFs of the response; 0: as NAvEvtPerBinMVAPdf says", minimum=0, maximum=MAX_BINS
    )
    pdf_events_per_bin: int = option(
        "NAvEvtPerBinMVAPdf", 50, "average number of events in a bin of the PDFs of the response", minimum=1
    )
    pdf_smooth: int = option(
        "NSmoothMVAPdf", 0, "smoothing passes over the PDFs of the response", minimum=0, maximum=MAX_SMOOTH
    )
    pdf_min_smooth: int = option(
        "MinNSmoothMVAPdf",
        -1,
        "smoothing passes for the bins with most data; -1: as NSmoothMVAPdf says",
        minimum=-1,
        maximum=MAX_SMOOTH,
    )
    pdf_max_smooth: int = option(
        "MaxNSmoothMVAPdf",
        -1,
        "smoothing passes for the bins with least data; -1: as NSmoothMVAPdf says",
        minimum=-1,
        maximum=MAX_SMOOTH,
    )
    pdf_check: bool = option("CheckHistMVAPdf", False, "warn of PDFs of the response with mostly empty bins")
    # Values of a kernel are no choices: a bare "Gauss" or "Adaptive" belongs to the method.
    pdf_kernel: str = option("KDEtypeMVAPdf", "Gauss", "kernel of the PDFs of the response, with KDE: Gauss")
    pdf_kernel_iteration: str = option(
        "KDEiterMVAPdf", "Nonadaptive", "width of that kernel: Nonadaptive, or Adaptive to the density"
    )
    pdf_kernel_border: str = option(
        "KDEborderMVAPdf", "None", "that kernel at the ends of the range: None, Renorm or Mirror"
    )
    pdf_kernel_factor: float = option(
        "KDEFineFactorMVAPdf", 1.0, "what the width of an adaptive kernel is multiplied with"
    )
    ignore_negative_weights: bool = option(
        "IgnoreNegWeightsInTraining", False, "leave events with negative weights out of the training"
    )
    random_seed: int = option(
        "RandomSeed", 1, "seed of everything random in the training", minimum=0, maximum=2**32 - 1, extension=True
    )

    # Values, in lower case, that weight files of TMVA have and no training takes, by the spelling of the option. They are kept as
    # unknown options are, and methods find them in the `WeightContext`.
    only_in_files: ClassVar[Mapping[str, frozenset[str]]] = MappingProxyType({})

    def for_analysis(self, analysis: AnalysisType) -> Self:  # noqa: ARG002 - what methods may make of it
        """Return the options with the defaults of an analysis where nothing else was said."""
        return self

    def pdf_recipe(self) -> Recipe:
        """Return how PDFs of the response are made.

        Raises
        ------
        OptionError
            If options of the PDFs do not fit together.
        """
        return Recipe.of_options(
            self.pdf_interpolation,
            smooth=self.pdf_smooth,
            min_smooth=self.pdf_min_smooth,
            max_smooth=self.pdf_max_smooth,
            kernel=self.pdf_kernel,
            iteration=self.pdf_kernel_iteration,
            border=self.pdf_kernel_border,
            fine_factor=self.pdf_kernel_factor,
            suffix="MVAPdf",
        )

    def messenger(self, title: str, *, silent: bool = False, verbose: bool = False) -> Messenger:
        """Return what speaks for the method, as loud as ``V`` and ``VerbosityLevel`` ask."""
        return Messenger(
            title,
            silent=silent or self.verbosity_level in {"Warning", "Error", "Fatal"},
            verbose=verbose or self.verbose or self.verbosity_level in {"Debug", "Verbose"},
        )


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a method can do.

    Attributes
    ----------
    analyses : frozenset of AnalysisType
    trainable : bool
        False for methods that only apply a file.
    negative_weights : bool
        Whether training copes with negative event weights by itself.
    deterministic : bool
        Whether the same input, options and seed give the same state.
    spectators : bool
        Whether a response depends on spectators.
    at_signal_efficiency : bool
        Whether a response is asked for at a signal efficiency (Cuts).
    inputs_per_class : bool
        Whether it sees each event once for every class, transformed as that class's events are: its inputs have the
        shape (n_classes, n_events, n_variables) (Likelihood, HMatrix).
    """

    analyses: frozenset[AnalysisType] = frozenset({AnalysisType.CLASSIFICATION})
    trainable: bool = True
    negative_weights: bool = True
    deterministic: bool = True
    spectators: bool = False
    at_signal_efficiency: bool = False
    inputs_per_class: bool = False


@dataclass(frozen=True, slots=True)
class FitContext:
    """What surrounds a training: the question, the names, where to speak and where the job's folder is.

    Attributes
    ----------
    analysis : AnalysisType
    title : str
        The title under which the method was booked.
    variables : tuple of Variable
        The inputs as the method sees them (after the transformations, which keep labels).
    classes : tuple of str
    targets : tuple of Variable
    log : Messenger
    tick : Tick
        Moves the progress bar.
    folder : Path or None
        The folder in which the weight file will lie; methods with files of their own name them relative to it.
    """

    analysis: AnalysisType
    title: str
    variables: tuple[Variable, ...]
    classes: tuple[str, ...]
    targets: tuple[Variable, ...] = ()
    log: Messenger = field(default_factory=lambda: Messenger("Method", silent=True))
    tick: Tick = no_tick
    folder: Path | None = None


class EmbeddedModel(Protocol):
    """A whole model within another one, a category's or a fold's: it is applied and written as every model is."""

    @property
    def method(self) -> AnyMethod:
        """The method with its options."""

    @property
    def state(self) -> Any:
        """What the method has learned."""

    @property
    def title(self) -> str:
        """The title under which it was booked."""

    @property
    def analysis(self) -> AnalysisType:
        """The question it answers."""

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Its own variables, in its own order."""

    @property
    def spectators(self) -> tuple[Variable, ...]:
        """Its own spectators."""

    def predict(
        self, X: npt.ArrayLike, spectators: npt.ArrayLike | None = None, efficiency: float | None = None
    ) -> FloatArray:
        """Return the response to events."""

    def write(self, element: Element) -> Mapping[str, bytes]:
        """Fill an element with its sections; return the files that have to lie beside the weight file."""

    def to_file(self) -> tuple[bytes, Mapping[str, bytes]]:
        """Return its weight file, and the files that have to lie beside it."""


class Embedding(Protocol):
    """How a composite reads the models that it is made of."""

    def reader(self, place: str) -> WeightsReader:
        """Return what reads the element of a whole method, ``<SubMethod Method=...>``, into an `EmbeddedModel`."""

    def file(self, name: str) -> EmbeddedModel:
        """Read a weight file that lies beside this one."""

    def bare(self, method: str, title: str, options: str, weights: Element) -> EmbeddedModel:
        """Return the model of a method of which the file has an option string and ``<Weights>`` alone.

        Its variables are the composite's, after the composite's transformations.
        """


@dataclass(frozen=True, slots=True)
class WeightContext:
    """What a method needs beside its own part of a weight file to read its state back.

    Attributes
    ----------
    analysis : AnalysisType
    title : str
    variables, targets : tuple of Variable
    classes : tuple of str
    options : mapping of str to str
        Every option of the file as text, known or not.
    read_beside : callable
        Reads a file that lies beside the weight file, by its bare name, in which a ``*`` stands for the name of the weight
        file without ``.xml``; refuses names that leave the folder.
    info : mapping of str to str
        GeneralInfo: releases and conventions.
    spectators : tuple of Variable
    embedding : Embedding or None
        Reads the models that a composite is made of.
    """

    analysis: AnalysisType
    title: str
    variables: tuple[Variable, ...]
    classes: tuple[str, ...]
    targets: tuple[Variable, ...]
    options: Mapping[str, str]
    read_beside: Callable[[str], bytes]
    info: Mapping[str, str]
    spectators: tuple[Variable, ...] = ()
    embedding: Embedding | None = None

    def option(self, name: str, default: str = "") -> str:
        """Return the text of an option of the file, case ignored."""
        return next((text for key, text in self.options.items() if key.lower() == name.lower()), default)


# ------------------------------------------------------------------------------- what a state looks like


@dataclass(frozen=True, slots=True)
class Affine:
    """A response linear in the inputs: ``offset + X @ coefficients``; one column per output."""

    offset: FloatArray
    coefficients: FloatArray


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees as flat arrays: node `i` of tree `t` is entry ``first[t] + i`` of each array.

    Attributes
    ----------
    first : ndarray of int, shape (n_trees + 1,)
    variable : ndarray of int, shape (n_nodes,)
        The variable of the cut; -1 for a leaf.
    cut : ndarray of float32, shape (n_nodes,)
        An event goes right if ``x >= cut``.
    left, right : ndarray of int, shape (n_nodes,)
        The children, counted within the tree.
    value : ndarray of float64, shape (n_nodes,)
        What a leaf adds.
    tree_weight : ndarray of float64, shape (n_trees,)
    purity : ndarray of float64, shape (n_nodes,)
    """

    first: npt.NDArray[np.integer]
    variable: npt.NDArray[np.integer]
    cut: npt.NDArray[np.float32]
    left: npt.NDArray[np.integer]
    right: npt.NDArray[np.integer]
    value: FloatArray
    tree_weight: FloatArray
    purity: FloatArray


@dataclass(frozen=True, slots=True)
class DenseLayer:
    """``activation(x @ weights + bias)``; `weights` has shape (n_in, n_out)."""

    weights: npt.NDArray[np.float32]
    bias: npt.NDArray[np.float32]
    activation: str


@dataclass(frozen=True, slots=True)
class DenseNetwork:
    """A chain of dense layers."""

    layers: tuple[DenseLayer, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A box that is divided into cells, each with a number of its own.

    Attributes
    ----------
    name : str
        What the number is: ``"discriminator"``.
    lowest, highest : ndarray of float64, shape (n_dimensions,)
        The ends of the box: of the inputs, and after them of the targets, if these are dimensions of it.
    lower, upper : ndarray of float64, shape (n_cells, n_dimensions)
        The ends of the cells, in fractions of the box.
    value : ndarray of float64, shape (n_cells,)
    """

    name: str
    lowest: FloatArray
    highest: FloatArray
    lower: FloatArray
    upper: FloatArray
    value: FloatArray


@dataclass(frozen=True, slots=True)
class Partition:
    """One box of cells or more: of a discriminator, of the density of each class, of a target."""

    parts: tuple[Cells, ...]


Structure = Affine | Forest | DenseNetwork | Partition


@dataclass(frozen=True, slots=True)
class Ranking:
    """Variables ordered by a method's own measure of importance.

    Attributes
    ----------
    criterion : str
        The column title: ``"Discr. power"``.
    values : tuple of (str, float)
        Label and value, in the order of the variables.
    """

    criterion: str
    values: tuple[tuple[str, float], ...]

    def ordered(self) -> list[tuple[str, float]]:
        """Return label and value, most important first."""
        return sorted(self.values, key=lambda item: -item[1])


OptionsT = TypeVar("OptionsT", bound=MethodOptions)
StateT = TypeVar("StateT")


class Method(ABC, Generic[OptionsT, StateT]):
    """A classifier, regressor or apply-only response.

    Parameters
    ----------
    options : MethodOptions
        Parsed options, of the class `options_type`.
    """

    name: ClassVar[str]
    options_type: ClassVar[type[MethodOptions]] = MethodOptions
    capabilities: ClassVar[Capabilities] = Capabilities()
    # Whether <Weights> are a part of its files; those of TMVA's Python methods have none.
    weights_in_file: ClassVar[bool] = True

    def __init__(self, options: OptionsT) -> None:
        self.options = options

    def check(self, context: FitContext) -> None:
        """Refuse, before any training starts, what could not be trained.

        Raises
        ------
        MvakitError
            Naming the option or the input that stands in the way.
        """

    def fit(self, train: Sample, context: FitContext) -> StateT:  # noqa: ARG002
        """Train on transformed inputs and return a frozen state; methods that only apply files leave this to the base.

        Raises
        ------
        MethodError
            If these events cannot train it.
        """
        raise self.refuse("it applies weight files, and cannot be trained here")

    @abstractmethod
    def predict(
        self,
        state: StateT,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,
        efficiency: float | None = None,
    ) -> FloatArray:
        """Return the response to transformed inputs: shape (n,), or (n, k) for k classes or targets. Thread-safe."""

    def single_event(self, state: StateT) -> Callable[[npt.NDArray[np.float32]], float] | None:  # noqa: ARG002
        """Return a function that tells the response to one event, without what arrays cost; None where there is none.

        It takes transformed inputs, an array of float32 numbers of shape (n_variables,), and returns exactly what
        `predict` does, or something that is not finite if a value is no number. Thread-safe.
        """
        return None

    @abstractmethod
    def write_state(self, state: StateT, weights: Element) -> Mapping[str, bytes]:
        """Fill the ``<Weights>`` element; return the files, if any, that have to lie beside the weight file.

        A ``*`` in the name of a file stands for the name of the weight file without ``.xml``.
        """

    @abstractmethod
    def read_state(self, weights: Element, context: WeightContext) -> StateT:
        """Read what `write_state` or TMVA wrote.

        Raises
        ------
        WeightFileError
            If the element is damaged.
        """

    def needs_spectators(self, state: StateT) -> bool:  # noqa: ARG002
        """Return whether a response depends on spectators."""
        return self.capabilities.spectators

    def weights_reader(self, context: WeightContext) -> WeightsReader | None:  # noqa: ARG002
        """Return what consumes ``<Weights>`` while the file is read, and whose `close` returns the state.

        It is for states that are much smaller than their tree of elements, such as forests. Where it returns None, or
        the file has its sections in another order, `read_state` gets the element.
        """
        return None

    def cuts(self, state: StateT, efficiency: float) -> tuple[float, FloatArray, FloatArray]:  # noqa: ARG002
        """Return the lower end of the bin of a signal efficiency, and the lower and upper cuts on each variable there.

        Raises
        ------
        MethodError
            If the method has no cuts.
        """
        raise self.refuse("it has no cuts; only methods that answer at a signal efficiency do")

    def ranking(self, state: StateT, variables: Sequence[Variable]) -> Ranking | None:  # noqa: ARG002
        """Return the method's own ranking of the variables, or None where it has none."""
        return None

    def monitoring(self, state: StateT) -> tuple[Curve, ...]:  # noqa: ARG002
        """Return what the training recorded of itself."""
        return ()

    def histograms(self, state: StateT) -> tuple[Histogram1D, ...]:  # noqa: ARG002
        """Return distributions that the training recorded of itself, under their names in the result file."""
        return ()

    def staged_monitoring(
        self,
        state: StateT,  # noqa: ARG002
        sample: Sample,  # noqa: ARG002
        respond: Staged,  # noqa: ARG002
        which: str,  # noqa: ARG002
    ) -> tuple[Curve, ...]:
        """Return how the response to a sample developed with the stages of the training, where the options ask for it.

        Parameters
        ----------
        state : object
        sample : Sample
        respond : callable
            Yields the response to the sample after each of the stages that it is given.
        which : {"training", "test"}
        """
        return ()

    def stages(self, state: StateT) -> int:  # noqa: ARG002
        """Return the number of stages after which the training could have ended, such as trees; 0 where there are none."""
        return 0

    def predict_stages(
        self,
        state: StateT,  # noqa: ARG002
        X: npt.NDArray[np.float32],  # noqa: ARG002
        stages: Sequence[int],  # noqa: ARG002
    ) -> Iterator[FloatArray]:
        """Yield the response to transformed inputs as it would be after each of some stages, which ascend from 1."""
        raise self.refuse("its training has no stages after which it could have ended")

    def structure(self, state: StateT) -> Structure | None:  # noqa: ARG002
        """Return the state in one of the shapes that exporters and viewers know, or None."""
        return None

    def refuse(self, text: str) -> MethodError:
        """Return an error that begins with the method's name."""
        return MethodError(f"{self.name}: {text}")


AnyMethod = Method[Any, Any]

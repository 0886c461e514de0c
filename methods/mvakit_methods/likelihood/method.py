r"""The likelihood ratio of independent variables.

The response to an event is

.. math:: y = \frac{L_S}{L_S + L_B}, \quad L_C = \prod_i p_{C,i}(x_i),

a ratio of products of the densities of its variables. Where variables are transformed, each
class has its own transformation: an event has one set of inputs for :math:`L_S` and another for :math:`L_B` (TMVA Users
Guide, arXiv:physics/0703039, section on the projective likelihood). A weight file holds the histograms as they were
filled; they are smoothed and interpolated anew when it is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError
from mvakit.method import Capabilities, Method, MethodOptions, WeightContext
from mvakit.pdfs import Pdf
from mvakit.types import AnalysisType
from mvakit.weightfile import attribute, child, int_attribute
from mvakit_methods._classes import signal_and_background
from mvakit_methods._responses import refuse_undefined
from mvakit_methods.likelihood.densities import SMALLEST, Densities
from mvakit_methods.likelihood.options import LikelihoodOptions

__all__ = ["Likelihood", "LikelihoodState"]

FloatArray = npt.NDArray[np.float64]

_BLOCK: Final = 4096  # events at a time, so that what lies between two operations stays in the cache
_LARGEST: Final = 1.0 - 1e-15
_TAU: Final = 15.0  # what TMVA divides the transformed response by
_CLASSES: Final = ("Sig", "Bkg")
_ORIGINAL: Final = "_original"
_UNTYPED: Final = "N"


@dataclass(frozen=True, slots=True, eq=False)
class LikelihoodState:
    """The densities of a likelihood.

    Attributes
    ----------
    signal, background : tuple of Pdf
        One for each variable.
    names : tuple of (str, str)
        The names of the histograms, of signal and background, for each variable.
    title : str
        Of the model; the densities are named by it.
    places : (int, int)
        The classes of signal and background among those of the model.
    steps : tuple of bool
        For each variable, whether its type forbids to interpolate between bins.
    """

    signal: tuple[Pdf, ...]
    background: tuple[Pdf, ...]
    names: tuple[tuple[str, str], ...]
    title: str
    places: tuple[int, int] = (0, 1)
    steps: tuple[bool, ...] = ()
    densities: tuple[Densities, Densities] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        steps = self.steps or (False,) * len(self.signal)
        pair = [Densities(pdfs, self.signal, steps) for pdfs in (self.signal, self.background)]
        object.__setattr__(self, "densities", (pair[0], pair[1]))


class Likelihood(Method[LikelihoodOptions, LikelihoodState]):
    """The ratio of likelihoods, as a weight file keeps it."""

    name: ClassVar[str] = "Likelihood"
    options_type: ClassVar[type[MethodOptions]] = LikelihoodOptions
    capabilities: ClassVar[Capabilities] = Capabilities(
        analyses=frozenset({AnalysisType.CLASSIFICATION}), trainable=False, inputs_per_class=True
    )

    def predict(
        self,
        state: LikelihoodState,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,  # noqa: ARG002
        efficiency: float | None = None,  # noqa: ARG002
    ) -> FloatArray:
        """Return the response to the inputs of each class, shape (n_classes, n, n_variables).

        It lies between 0 and 1, or with ``TransformOutput`` between -50 and 2.3.

        Raises
        ------
        MethodError
            If the densities of an event are too large for their product to be a number.
        """
        signal, background = (X[place] for place in state.places)
        response = np.empty(X.shape[1])
        for begin in range(0, len(response), _BLOCK):
            rows = slice(begin, begin + _BLOCK)
            with np.errstate(over="ignore", invalid="ignore"):
                of_signal, of_background = (
                    d(x[rows]) for d, x in zip(state.densities, (signal, background), strict=True)
                )
                response[rows] = of_signal / (of_signal + of_background)
        refuse_undefined(response, self.refuse)
        response[response >= 1.0] = _LARGEST
        return _transformed(response) if self.options.transform_output else response

    def write_state(self, state: LikelihoodState, weights: ET.Element) -> Mapping[str, bytes]:
        """Write ``<PDFDescriptor>`` for each variable and class, with the histogram as it was filled."""
        weights.set("NVariables", str(len(state.signal)))
        weights.set("NClasses", str(len(_CLASSES)))
        for variable, (pair, names) in enumerate(
            zip(zip(state.signal, state.background, strict=True), state.names, strict=True)
        ):
            for index, (pdf, name) in enumerate(zip(pair, names, strict=True)):
                descriptor = ET.SubElement(weights, "PDFDescriptor", VarIndex=str(variable), ClassIndex=str(index))
                pdf.write(descriptor, f"{state.title} PDF {_CLASSES[index]}[{variable}]", name)
        return {}

    def read_state(self, weights: ET.Element, context: WeightContext) -> LikelihoodState:
        """Read what `write_state` or TMVA wrote.

        Raises
        ------
        WeightFileError
            If a density is missing, double, or cannot be made of its histogram.
        """
        size = len(context.variables)
        if int_attribute(weights, "NVariables") != size or int_attribute(weights, "NClasses") != len(_CLASSES):
            raise WeightFileError(
                f"<Weights NVariables={weights.get('NVariables')!r} NClasses={weights.get('NClasses')!r}> of "
                f"{context.title} should hold the densities of {size} variables and {len(_CLASSES)} classes"
            )
        found: dict[tuple[int, int], ET.Element] = {}
        for descriptor in weights.findall("PDFDescriptor"):
            key = (int_attribute(descriptor, "VarIndex", 0, size - 1), int_attribute(descriptor, "ClassIndex", 0, 1))
            if key in found:
                raise WeightFileError(
                    f"{context.title} has two <PDFDescriptor> of variable {key[0]} and class {key[1]}"
                )
            found[key] = child(descriptor, "PDF")
        missing = [(v, c) for v in range(size) for c in range(len(_CLASSES)) if (v, c) not in found]
        if missing:
            raise WeightFileError(
                f"{context.title} lacks the <PDFDescriptor> of variable {missing[0][0]} and class {missing[0][1]}"
            )
        pairs = [tuple(Pdf.read(found[v, c]) for c in range(len(_CLASSES))) for v in range(size)]
        return LikelihoodState(
            tuple(pair[0] for pair in pairs),
            tuple(pair[1] for pair in pairs),
            tuple((_histogram(found[v, 0]), _histogram(found[v, 1])) for v in range(size)),
            context.title,
            signal_and_background(context.classes),
            tuple(variable.type == _UNTYPED for variable in context.variables),
        )


def _transformed(response: FloatArray) -> FloatArray:
    """Return ``-ln(1/response - 1)/15``; where the inverse is beyond all numbers, TMVA's is minus infinity."""
    response = np.where(response <= 0.0, SMALLEST, response)
    with np.errstate(over="ignore"):
        inverse = 1.0 / response
    return np.asarray(np.where(np.isinf(inverse), np.log(response), -np.log(inverse - 1.0)) / _TAU)


def _histogram(pdf: ET.Element) -> str:
    """Return the name of the histogram in a ``<PDF>`` without the ending that all have."""
    return attribute(child(pdf, "Histogram"), "Name").removesuffix(_ORIGINAL)

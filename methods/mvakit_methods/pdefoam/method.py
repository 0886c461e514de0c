"""PDEFoam: TMVA's foams, read, applied and written.

The weight file holds the settings; the foams lie beside it in a ROOT file whose name ends in ``.weights_foams.root``. That
file is written again as it was read, byte by byte (ROOT's ``tmva/tmva/src/MethodPDEFoam.cxx`` and ``PDEFoam*.cxx``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError
from mvakit.method import Capabilities, Cells, Method, Partition, Ranking, WeightContext
from mvakit.types import AnalysisType
from mvakit.variables import Variable
from mvakit.weightfile import boolean_attribute, float_attribute, int_attribute, number
from mvakit_methods.pdefoam.application import cell_values, targets
from mvakit_methods.pdefoam.foam import Foam
from mvakit_methods.pdefoam.options import PDEFoamOptions
from mvakit_methods.pdefoam.rootfile import FoamFile

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["PDEFoam", "PDEFoamState"]

FloatArray = npt.NDArray[np.float64]
SingleArray = npt.NDArray[np.float32]

# The star is the name of the weight file without ".xml".
FOAM_FILE: Final = "*_foams.root"
_SMALLEST: Final = 1e-30


@dataclass(frozen=True, slots=True, eq=False)
class PDEFoamState:
    """Foams and how they are asked.

    Attributes
    ----------
    settings : dict of str to str
        The attributes of ``<Weights>``, as they were read.
    lowest, highest : ndarray of float64, shape (n_dimensions,)
        The box of the foams, as the weight file has it.
    foams : tuple of Foam
        One; one of signal and one of background; or one a class.
    data : bytes
        The ROOT file.
    analysis : AnalysisType
    separate, yes_no, most_probable : bool
        Of `settings`: one foam a class; answers of 1 and -1; the densest target.
    kernel : int
    sigma : float
        The width of the Gaussian kernel.
    """

    settings: Mapping[str, str]
    lowest: FloatArray
    highest: FloatArray
    foams: tuple[Foam, ...]
    data: bytes
    analysis: AnalysisType
    separate: bool
    yes_no: bool
    most_probable: bool
    kernel: int
    sigma: float


class PDEFoam(Method[PDEFoamOptions, PDEFoamState]):
    """Cells of a foam: the fraction of signal, from 0 to 1, one such number a class, or targets.

    With ``TargetSelection=Mpv`` and several targets TMVA estimates the first and answers 0 for the others.
    """

    name = "PDEFoam"
    options_type = PDEFoamOptions
    capabilities = Capabilities(
        analyses=frozenset({AnalysisType.CLASSIFICATION, AnalysisType.MULTICLASS, AnalysisType.REGRESSION}),
        trainable=False,
    )

    def predict(
        self,
        state: PDEFoamState,
        X: SingleArray,
        spectators: FloatArray | None = None,  # noqa: ARG002
        efficiency: float | None = None,  # noqa: ARG002
    ) -> FloatArray:
        """Return the response, shape (n,), or (n, k) for k classes or targets."""
        if state.analysis is AnalysisType.REGRESSION and self.options.multi_target:
            found = targets(state.foams[0], X, most_probable=state.most_probable)
            return found[:, 0] if found.shape[1] == 1 else found
        told = [cell_values(foam, X, state.kernel, state.sigma, density=state.separate) for foam in state.foams]
        if state.analysis is AnalysisType.MULTICLASS:
            return _shares(np.column_stack(told))
        if state.analysis is AnalysisType.REGRESSION:
            return told[0]
        response = told[0]
        if state.separate:
            total = told[0] + told[1]
            response = np.where(total > 0, told[0] / np.where(total > 0, total, 1.0), 0.5)
        return np.where(response < 0.5, -1.0, 1.0) if state.yes_no else response

    def ranking(self, state: PDEFoamState, variables: Sequence[Variable]) -> Ranking:
        """Return the variables by how often cells are divided in them, as a fraction, the mean over the foams."""
        shares = np.zeros(len(variables))
        for foam in state.foams:
            counts = np.bincount(foam.dimension[foam.dimension >= 0], minlength=len(variables))[: len(variables)]
            shares += counts / max(1, counts.sum()) / len(state.foams)
        return Ranking(
            "Variable Importance", tuple((v.label, float(s)) for v, s in zip(variables, shares, strict=True))
        )

    def structure(self, state: PDEFoamState) -> Partition:
        """Return the cells of all foams."""
        if state.analysis is AnalysisType.MULTICLASS:
            names = [f"discriminator of class {i}" for i in range(len(state.foams))]
        elif state.separate:
            names = ["signal density", "background density"]
        else:
            of_targets = state.analysis is AnalysisType.REGRESSION
            names = [("density" if self.options.multi_target else "target") if of_targets else "discriminator"]
        parts = []
        for name, foam in zip(names, state.foams, strict=True):
            leaves = foam.dimension < 0
            lower = foam.position[leaves]
            value = (foam.density if "density" in name else foam.value)[leaves].astype(np.float64)
            parts.append(Cells(name, foam.lowest, foam.highest, lower, lower + foam.size[leaves], value))
        return Partition(tuple(parts))

    def write_state(self, state: PDEFoamState, weights: Element) -> Mapping[str, bytes]:
        """Write the settings and the box; return the file of the foams."""
        for name, text in state.settings.items():
            weights.set(name, text)
        for tag, values in (("Xmin", state.lowest), ("Xmax", state.highest)):
            for index, value in enumerate(values.tolist()):
                ET.SubElement(weights, tag, Index=str(index), Value=number(value))
        return {FOAM_FILE: state.data}

    def read_state(self, weights: Element, context: WeightContext) -> PDEFoamState:
        """Read what `write_state` or TMVA wrote.

        Raises
        ------
        WeightFileError
            If settings or foams are missing or damaged.
        """
        regression = context.analysis is AnalysisType.REGRESSION
        multi_target = regression and self.options.multi_target
        if regression and not multi_target and len(context.targets) > 1:
            raise WeightFileError(
                f"{context.title} has {len(context.targets)} targets, of which TMVA estimates several only with "
                "MultiTargetRegression"
            )
        n_dimensions = len(context.variables) + (len(context.targets) if multi_target else 0)
        lowest, highest = (_borders(weights, tag, n_dimensions) for tag in ("Xmin", "Xmax"))
        separate = boolean_attribute(weights, "SigBgSeparated")
        if context.analysis is not AnalysisType.CLASSIFICATION:
            separate = False
        volume_fraction = float_attribute(weights, "VolFrac")
        kernel = int_attribute(weights, "Kernel", 0, 2)
        if not _SMALLEST < volume_fraction < 1 / _SMALLEST:
            raise WeightFileError(f"<Weights VolFrac={weights.get('VolFrac')!r}> should be a fraction of the foam")
        selection = int_attribute(weights, "TargetSelection", 0, 1)
        yes_no = weights.get("UseYesNoCell") is not None and boolean_attribute(weights, "UseYesNoCell")
        names = _foam_names(context, separate=separate, multi_target=multi_target)
        if not names:
            raise WeightFileError(f"{context.title} tells classes from each other, and has none")
        data = context.read_beside(FOAM_FILE)
        file = f"the file of the foams of {context.title}"
        foams = tuple(
            Foam.of(streamed, n_dimensions, f"{name} in {file}")
            for name, streamed in zip(names, FoamFile(data, file).read(names), strict=True)
        )
        most_probable = foams[0].most_probable
        return PDEFoamState(
            dict(weights.attrib),
            lowest,
            highest,
            foams,
            data,
            context.analysis,
            separate,
            yes_no,
            selection == 1 if most_probable is None else most_probable,
            kernel,
            float(np.float32(float(np.float32(volume_fraction)) / 2.0)),
        )


def _foam_names(context: WeightContext, *, separate: bool, multi_target: bool) -> tuple[str, ...]:
    if context.analysis is AnalysisType.REGRESSION:
        return ("MultiTargetRegressionFoam",) if multi_target else ("MonoTargetRegressionFoam",)
    if context.analysis is AnalysisType.MULTICLASS:
        return tuple(f"MultiClassFoam{i}" for i in range(len(context.classes)))
    return ("SignalFoam", "BgFoam") if separate else ("DiscrFoam",)


def _borders(weights: Element, tag: str, n_dimensions: int) -> FloatArray:
    """Return the borders of the box on one side."""
    items = weights.findall(tag)
    values = np.full(n_dimensions, np.nan)
    for item in items:
        values[int_attribute(item, "Index", 0, n_dimensions - 1)] = float_attribute(item, "Value")
    if len(items) != n_dimensions or np.isnan(values).any():
        raise WeightFileError(f"<Weights> should hold {n_dimensions} <{tag}>, one for each dimension, not {len(items)}")
    return values


def _shares(told: FloatArray) -> FloatArray:
    """Return the exponentials of the foams of all classes, each divided by their sum, in TMVA's single precision."""
    single = told.astype(np.float32)
    shares = np.empty_like(told)
    for i in range(told.shape[1]):
        norm = np.zeros(len(told), np.float32)
        for j in range(told.shape[1]):
            if i != j:
                norm = norm + np.exp((single[:, j] - single[:, i]).astype(np.float64)).astype(np.float32)
        shares[:, i] = (1.0 / (1.0 + norm.astype(np.float64))).astype(np.float32)
    return shares

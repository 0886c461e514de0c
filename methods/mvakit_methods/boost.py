"""Boost: one method trained many times on events weighted anew; reading, applying and writing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError
from mvakit.method import Capabilities, EmbeddedModel, Method, MethodOptions, WeightContext
from mvakit.options import option
from mvakit.types import AnalysisType
from mvakit.weightfile import attribute, child, float_attribute, int_attribute, number, release_code

__all__ = ["Boost", "BoostOptions", "BoostState", "Boosted"]

FloatArray = npt.NDArray[np.float64]

_MAX_METHODS = 10_000
# From TMVA 4.2.0 on the response is divided by the sum of the weights.
_DIVIDED = (4 << 16) + (2 << 8)


@dataclass(frozen=True, kw_only=True)
class BoostOptions(MethodOptions):
    """Options of boosting."""

    number: int = option("Boost_Num", 1, "how often the method is trained", minimum=0)
    monitor: bool = option("Boost_MonitorMethod", True, "keep histograms of each training")
    detailed_monitoring: bool = option("Boost_DetailedMonitoring", False, "keep more histograms")
    type: str = option(
        "Boost_Type",
        "AdaBoost",
        "how events are weighted anew",
        choices=("RealAdaBoost", "AdaBoost", "Bagging", "HighEdgeGauss", "HighEdgeCoPara"),
    )
    bagged_sample_fraction: float = option("Boost_BaggedSampleFraction", 0.6, "size of a random sample")
    ada_boost_beta: float = option("Boost_AdaBoostBeta", 1.0, "learning rate of AdaBoost")
    transform: str = option(
        "Boost_Transform",
        "step",
        "what is made of each response before they are added",
        choices=("step", "linear", "log", "gauss"),
    )
    boost_random_seed: int = option("Boost_RandomSeed", 0, "seed of the random samples")


@dataclass(frozen=True, slots=True)
class Boosted:
    """One training of the method.

    Attributes
    ----------
    model : EmbeddedModel
    weight : float
    cut, orientation : float
        A response is like signal if ``response * orientation > cut * orientation``.
    job : str
    options : str
        Its option string, as TMVA writes it.
    main_transformation : str or None
        What the file says of UseMainMethodTransformation; TMVA transforms by the composite's transformations in any case.
    """

    model: EmbeddedModel
    weight: float
    cut: float
    orientation: float
    job: str
    options: str
    main_transformation: str | None


@dataclass(frozen=True, slots=True)
class BoostState:
    """The trainings, and whether their sum is divided by that of their weights."""

    parts: tuple[Boosted, ...]
    divided: bool


class Boost(Method[BoostOptions, BoostState]):
    """A method trained many times on events weighted anew, as TMVA does it with ``Boost_Num``.

    The response is the weighted mean of those of all trainings, each transformed by ``Boost_Transform``.
    """

    name: ClassVar[str] = "Boost"
    options_type: ClassVar[type[MethodOptions]] = BoostOptions
    capabilities: ClassVar[Capabilities] = Capabilities(
        analyses=frozenset({AnalysisType.CLASSIFICATION}), trainable=False
    )

    def predict(
        self,
        state: BoostState,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,
        efficiency: float | None = None,
    ) -> FloatArray:
        """Return the response, shape (n,)."""
        total = np.zeros(len(X))
        for part in state.parts:
            response = part.model.predict(X, spectators, efficiency)
            total += part.weight * self._transformed(response, part)
        norm = sum(part.weight for part in state.parts)
        return total / norm if state.divided and norm else total

    def _transformed(self, response: FloatArray, part: Boosted) -> FloatArray:
        match self.options.transform:
            case "linear":
                return response
            case "log":
                return np.log(np.maximum(response, part.cut) - part.cut + math.exp(-1))
            case "gauss":
                # TMVA's Gaussian has its mean, not its width, at 1; the width is 1 as well.
                return np.exp(-0.5 * (response - part.cut - 1.0) ** 2)
        return np.where(response * part.orientation > part.cut * part.orientation, 1.0, -1.0)

    def write_state(self, state: BoostState, weights: ET.Element) -> Mapping[str, bytes]:
        """Write ``<Method Index= Weight= ...>`` with the weights of each training."""
        weights.set("NMethods", str(len(state.parts)))
        beside: dict[str, bytes] = {}
        for index, part in enumerate(state.parts):
            item = ET.SubElement(
                weights,
                "Method",
                Index=str(index),
                Weight=number(part.weight),
                MethodSigCut=number(part.cut),
                MethodSigCutOrientation=number(part.orientation),
                MethodTypeName=part.model.method.name,
                MethodName=part.model.title,
                JobName=part.job,
                Options=part.options,
            )
            if part.main_transformation is not None:
                item.set("UseMainMethodTransformation", part.main_transformation)
            beside |= part.model.method.write_state(part.model.state, ET.SubElement(item, "Weights"))
        return beside

    def read_state(self, weights: ET.Element, context: WeightContext) -> BoostState:
        """Read what `write_state` or TMVA wrote.

        Raises
        ------
        WeightFileError
            If a training is damaged.
        """
        assert context.embedding is not None
        items = weights.findall("Method")
        if int_attribute(weights, "NMethods", 1, _MAX_METHODS) != len(items):
            raise WeightFileError(f"<Weights NMethods={weights.get('NMethods')!r}> holds {len(items)} <Method>")
        parts = []
        for item in items:
            # TMVA marks with "~" what it passes on; the options of the boosting are not for the method.
            text = attribute(item, "Options")
            own = ":".join(
                o for o in text.replace("~", "").split(":") if not o.lstrip("!").lower().startswith("boost_")
            )
            model = context.embedding.bare(
                attribute(item, "MethodTypeName"), attribute(item, "MethodName"), own, child(item, "Weights")
            )
            parts.append(
                Boosted(
                    model,
                    float_attribute(item, "Weight"),
                    float_attribute(item, "MethodSigCut"),
                    float_attribute(item, "MethodSigCutOrientation"),
                    item.get("JobName", ""),
                    text,
                    item.get("UseMainMethodTransformation"),
                )
            )
        release = release_code(context.info)
        return BoostState(tuple(parts), release is None or release >= _DIVIDED)

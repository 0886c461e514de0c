"""How a PDF is made of a histogram: interpolation, smoothing and kernel, as options say it and as weight files keep it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self
from xml.etree import ElementTree as ET

import numpy as np

from mvakit.errors import DataError, OptionError, WeightFileError, did_you_mean
from mvakit.weightfile import float_attribute, int_attribute, number

__all__ = ["MAX_BINS", "MAX_SMOOTH", "Border", "Interpolation", "Kernel", "Recipe", "bins_for"]

MAX_BINS: Final = 50_000
MAX_SMOOTH: Final = 1000

_KERNELS: Final = ("Gauss",)
_GAUSS: Final = 1  # TMVA's number of the Gaussian kernel; 0 is none
_ITERATIONS: Final = ("Nonadaptive", "Adaptive")
_BORDERS: Final = ("None", "Renorm", "Mirror")
# A kernel wants finer bins than a spline.
_FINER: Final = 5


class Interpolation(IntEnum):
    """What is drawn through the bins; the numbers are those in weight files."""

    SPLINE0 = 0
    SPLINE1 = 1
    SPLINE2 = 2
    SPLINE3 = 3
    SPLINE5 = 4
    KDE = 5

    @property
    def option(self) -> str:
        """The name in option strings: ``"Spline2"``, ``"KDE"``."""
        return self.name if self is Interpolation.KDE else self.name.capitalize()

    @property
    def fewest_bins(self) -> int:
        """The fewest bins of a histogram that it can interpolate."""
        return 1 if self is Interpolation.SPLINE0 else 3


class Border(IntEnum):
    """What a kernel does at the ends of the range: nothing, be normalised within it, or be reflected."""

    NONE = 1
    RENORM = 2
    MIRROR = 3


@dataclass(frozen=True, slots=True)
class Kernel:
    """The Gaussian kernel of a density estimate.

    Attributes
    ----------
    adaptive : bool
        Whether it is wider where the density is low.
    border : Border
    fine_factor : float
        What the width of an adaptive kernel is multiplied with.
    """

    adaptive: bool = False
    border: Border = Border.NONE
    fine_factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a PDF is made of a histogram.

    Attributes
    ----------
    interpolation : Interpolation
    min_smooth, max_smooth : int
        How often the histogram is smoothed; where they differ, the number lies between them and follows the relative
        errors of the contents. A kernel density estimate is not smoothed.
    kernel : Kernel
    """

    interpolation: Interpolation = Interpolation.SPLINE2
    min_smooth: int = 0
    max_smooth: int = 0
    kernel: Kernel = Kernel()

    @classmethod
    def of_options(
        cls,
        interpolation: str = "Spline2",
        *,
        smooth: int = 0,
        min_smooth: int = -1,
        max_smooth: int = -1,
        kernel: str = "Gauss",
        iteration: str = "Nonadaptive",
        border: str = "None",
        fine_factor: float = 1.0,
        suffix: str = "",
    ) -> Self:
        """Return the recipe that TMVA's options ask for.

        Parameters
        ----------
        interpolation : str
            ``PDFInterpol``: ``"Spline0"``, ``"Spline1"``, ``"Spline2"``, ``"Spline3"``, ``"Spline5"`` or ``"KDE"``.
        smooth : int
            ``NSmooth``, which counts unless both of the following are set.
        min_smooth, max_smooth : int
            ``MinNSmooth`` and ``MaxNSmooth``; negative where not set.
        kernel, iteration, border : str
            ``KDEtype``, ``KDEiter`` and ``KDEborder``.
        fine_factor : float
            ``KDEFineFactor``; taken in single precision, as TMVA takes it.
        suffix : str
            What the names of the options end with: ``"MVAPdf"``.

        Raises
        ------
        OptionError
            Naming the option, if a value is not one that it takes.
        """
        if min_smooth < 0 or max_smooth < 0:
            min_smooth = max_smooth = max(smooth, 0)
        elif max_smooth == 0:
            max_smooth = min_smooth
        if not min_smooth <= max_smooth <= MAX_SMOOTH:
            raise OptionError(
                f"MinNSmooth{suffix}={min_smooth} and MaxNSmooth{suffix}={max_smooth} should rise and be at most "
                f"{MAX_SMOOTH}"
            )
        if not 0 < fine_factor < np.inf:
            raise OptionError(f"KDEFineFactor{suffix}={fine_factor} should be positive")
        _choice(f"KDEtype{suffix}", kernel, _KERNELS)
        names = tuple(i.option for i in Interpolation)
        return cls(
            list(Interpolation)[_choice(f"PDFInterpol{suffix}", interpolation, names)],
            min_smooth,
            max_smooth,
            Kernel(
                _choice(f"KDEiter{suffix}", iteration, _ITERATIONS) == 1,
                list(Border)[_choice(f"KDEborder{suffix}", border, _BORDERS)],
                float(np.float32(fine_factor)),
            ),
        )

    def attributes(self) -> dict[str, str]:
        """Return the attributes that keep it in a weight file."""
        return {
            "MinNSmooth": str(self.min_smooth),
            "MaxNSmooth": str(self.max_smooth),
            "InterpolMethod": str(int(self.interpolation)),
            "KDE_type": str(_GAUSS),
            "KDE_iter": str(1 + self.kernel.adaptive),
            "KDE_border": str(int(self.kernel.border)),
            "KDE_finefactor": number(self.kernel.fine_factor),
        }

    @classmethod
    def read(cls, pdf: ET.Element) -> Self:
        """Read the attributes of a ``<PDF>``.

        Raises
        ------
        WeightFileError
            If one is missing or not what it may be.
        """
        interpolation = Interpolation(int_attribute(pdf, "InterpolMethod", 0, max(Interpolation)))
        kernel_type = int_attribute(pdf, "KDE_type", 0, _GAUSS)
        if interpolation is Interpolation.KDE and kernel_type != _GAUSS:
            raise WeightFileError(f"<PDF KDE_type='{kernel_type}'> is no kernel; 1, the Gaussian, is the only one")
        factor = float_attribute(pdf, "KDE_finefactor")
        kernel = Kernel(
            int_attribute(pdf, "KDE_iter", 1, 2) == 2, Border(int_attribute(pdf, "KDE_border", 1, 3)), factor
        )
        if interpolation is Interpolation.KDE and factor <= 0:
            raise WeightFileError(f"<PDF KDE_finefactor='{factor}'> should be positive")
        # TMVA writes -1 where a kernel leaves the smoothing undefined
        return cls(
            interpolation,
            int_attribute(pdf, "MinNSmooth", -1, MAX_SMOOTH),
            int_attribute(pdf, "MaxNSmooth", -1, MAX_SMOOTH),
            kernel,
        )


def bins_for(
    events: int, interpolation: Interpolation, *, bins: int = 0, events_per_bin: int = 50, suffix: str = ""
) -> int:
    """Return the number of bins of the histogram behind a PDF.

    Parameters
    ----------
    events : int
        Events in the sample.
    interpolation : Interpolation
        A kernel density estimate starts from five times as many bins as a spline.
    bins : int
        ``Nbins``, if positive.
    events_per_bin : int
        ``NAvEvtPerBin``, which counts where `bins` does not.
    suffix : str
        What the names of the options end with: ``"MVAPdf"``.

    Raises
    ------
    DataError
        If they are too few or too many.
    """
    count = bins if bins > 0 else events // events_per_bin
    if interpolation is Interpolation.KDE:
        count *= _FINER
    if not interpolation.fewest_bins <= count <= MAX_BINS:
        why = f"Nbins{suffix}={bins}" if bins > 0 else f"{events} events with NAvEvtPerBin{suffix}={events_per_bin}"
        raise DataError(
            f"{why} make a histogram of {count} bins, but PDFs with {interpolation.option} are made of "
            f"{interpolation.fewest_bins} to {MAX_BINS}; set Nbins{suffix} to what suits the sample"
        )
    return count


def _choice(option: str, value: str, choices: tuple[str, ...]) -> int:
    """Return the place of a value among the choices, case ignored."""
    lowered = [choice.lower() for choice in choices]
    if value.lower() not in lowered:
        raise OptionError(
            f"{option} takes {' or '.join(choices)}, not {value!r}; {did_you_mean(value, choices, noun='its values')}"
        )
    return lowered.index(value.lower())

"""The options of `Likelihood`: those of the densities of all variables, and of one variable and class."""

from __future__ import annotations

from dataclasses import dataclass

from mvakit.method import MethodOptions
from mvakit.options import ArrayValue, array_option, option
from mvakit.pdfs import Border, Interpolation

__all__ = ["LikelihoodOptions"]

_INTERPOLATIONS = tuple(i.option for i in Interpolation)
_ITERATIONS = ("Nonadaptive", "Adaptive")
_BORDERS = tuple(b.name.capitalize() for b in Border)
_AS_ALL = "Default"  # of one variable and class: as the option without Sig and Bkg says
_UNSET = -1


@dataclass(frozen=True, kw_only=True)
class LikelihoodOptions(MethodOptions):
    """The options of `Likelihood`.

    Those that end with ``Sig`` and ``Bkg`` are set for each variable, ``NSmoothSig[0]=20``, and count there instead of
    the option without that ending. A weight file keeps ``TransformOutput`` alone: how its densities were made stands
    with each of them.
    """

    transform_output: bool = option(
        "TransformOutput", False, "spread the response, which crowds at 0 and 1: -ln(1/response - 1)/15"
    )
    interpolation: ArrayValue = array_option(
        "PDFInterpol", "Spline2", "what is drawn through the bins of a histogram", choices=_INTERPOLATIONS, apart=True
    )
    interpolation_signal: ArrayValue = array_option(
        "PDFInterpolSig", _AS_ALL, "PDFInterpol of signal", choices=(_AS_ALL, *_INTERPOLATIONS), apart=True
    )
    interpolation_background: ArrayValue = array_option(
        "PDFInterpolBkg", _AS_ALL, "PDFInterpol of background", choices=(_AS_ALL, *_INTERPOLATIONS), apart=True
    )
    smooth: int = option("NSmooth", 0, "smoothing passes over each histogram", apart=True)
    smooth_signal: ArrayValue = array_option("NSmoothSig", _UNSET, "NSmooth of signal", apart=True)
    smooth_background: ArrayValue = array_option("NSmoothBkg", _UNSET, "NSmooth of background", apart=True)
    min_smooth: int = option(
        "MinNSmooth", _UNSET, "smoothing passes for the bins with most data; -1: as NSmooth says", apart=True
    )
    min_smooth_signal: ArrayValue = array_option("MinNSmoothSig", _UNSET, "MinNSmooth of signal", apart=True)
    min_smooth_background: ArrayValue = array_option("MinNSmoothBkg", _UNSET, "MinNSmooth of background", apart=True)
    max_smooth: int = option(
        "MaxNSmooth", _UNSET, "smoothing passes for the bins with least data; -1: as NSmooth says", apart=True
    )
    max_smooth_signal: ArrayValue = array_option("MaxNSmoothSig", _UNSET, "MaxNSmooth of signal", apart=True)
    max_smooth_background: ArrayValue = array_option("MaxNSmoothBkg", _UNSET, "MaxNSmooth of background", apart=True)
    events_per_bin: int = option(
        "NAvEvtPerBin", 50, "average number of events in a bin of the smaller class", apart=True
    )
    events_per_bin_signal: ArrayValue = array_option("NAvEvtPerBinSig", _UNSET, "NAvEvtPerBin of signal", apart=True)
    events_per_bin_background: ArrayValue = array_option(
        "NAvEvtPerBinBkg", _UNSET, "NAvEvtPerBin of background", apart=True
    )
    bins: int = option("Nbins", 0, "bins of each histogram; 0: as NAvEvtPerBin says", apart=True)
    bins_signal: ArrayValue = array_option("NbinsSig", _UNSET, "Nbins of signal", apart=True)
    bins_background: ArrayValue = array_option("NbinsBkg", _UNSET, "Nbins of background", apart=True)
    check: bool = option("CheckHist", False, "warn of histograms with mostly empty bins", apart=True)
    check_signal: ArrayValue = array_option("CheckHistSig", False, "CheckHist of signal", apart=True)
    check_background: ArrayValue = array_option("CheckHistBkg", False, "CheckHist of background", apart=True)
    kernel: str = option("KDEtype", "Gauss", "kernel of the densities with KDE", choices=("Gauss",), apart=True)
    kernel_signal: ArrayValue = array_option(
        "KDEtypeSig", _AS_ALL, "KDEtype of signal", choices=(_AS_ALL, "Gauss"), apart=True
    )
    kernel_background: ArrayValue = array_option(
        "KDEtypeBkg", _AS_ALL, "KDEtype of background", choices=(_AS_ALL, "Gauss"), apart=True
    )
    kernel_iteration: str = option(
        "KDEiter",
        "Nonadaptive",
        "width of the kernel: the same everywhere, or adapted to the density",
        choices=_ITERATIONS,
        apart=True,
    )
    kernel_iteration_signal: ArrayValue = array_option(
        "KDEiterSig", _AS_ALL, "KDEiter of signal", choices=(_AS_ALL, *_ITERATIONS), apart=True
    )
    kernel_iteration_background: ArrayValue = array_option(
        "KDEiterBkg", _AS_ALL, "KDEiter of background", choices=(_AS_ALL, *_ITERATIONS), apart=True
    )
    kernel_border: str = option(
        "KDEborder",
        "None",
        "the kernel at the ends of the range: nothing, normalised within it, or reflected",
        choices=_BORDERS,
        apart=True,
    )
    kernel_border_signal: ArrayValue = array_option(
        "KDEborderSig", _AS_ALL, "KDEborder of signal", choices=(_AS_ALL, *_BORDERS), apart=True
    )
    kernel_border_background: ArrayValue = array_option(
        "KDEborderBkg", _AS_ALL, "KDEborder of background", choices=(_AS_ALL, *_BORDERS), apart=True
    )
    kernel_factor: float = option(
        "KDEFineFactor", 1.0, "what the width of an adaptive kernel is multiplied with", apart=True
    )
    kernel_factor_signal: ArrayValue = array_option(
        "KDEFineFactorSig", float(_UNSET), "KDEFineFactor of signal", apart=True
    )
    kernel_factor_background: ArrayValue = array_option(
        "KDEFineFactorBkg", float(_UNSET), "KDEFineFactor of background", apart=True
    )

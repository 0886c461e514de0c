"""The options of PDERS, as TMVA spells them."""

from __future__ import annotations

from dataclasses import dataclass

from mvakit.method import MethodOptions
from mvakit.options import option

__all__ = ["PDERSOptions"]


@dataclass(frozen=True, kw_only=True)
class PDERSOptions(MethodOptions):
    """Options of the range search."""

    volume_range_mode: str = option(
        "VolumeRangeMode",
        "Adaptive",
        "how large the volume about an event is while training; files are always applied with Adaptive",
        choices=("Unscaled", "MinMax", "RMS", "Adaptive", "kNN"),
    )
    kernel_estimator: str = option(
        "KernelEstimator",
        "Box",
        "what an event in the volume counts while training, by its distance; files are always applied with Box",
        choices=(
            "Box", "Sphere", "Teepee", "Gauss", "Sinc3", "Sinc5", "Sinc7", "Sinc9", "Sinc11",
            "Lanczos2", "Lanczos3", "Lanczos5", "Lanczos8", "Trim",
        ),
    )  # fmt: skip
    delta_fraction: float = option("DeltaFrac", 3.0, "width of the first volume, in spreads of the training events")
    min_events: float = option(
        "NEventsMin", 100.0, "sum of weights in the volume at least", minimum=0, maximum=2**31 - 256
    )
    max_events: float = option(
        "NEventsMax", 200.0, "sum of weights in the volume at most", minimum=0, maximum=2**31 - 256
    )
    max_iterations: float = option(
        "MaxVIterations", 150.0, "volumes that are tried at most", minimum=1, maximum=1_000_000
    )
    initial_scale: float = option("InitialScale", 0.99, "factor of the second volume that is tried")
    gauss_sigma: float = option(
        "GaussSigma", 0.1, "width of the kernel Gauss while training, in half widths of the volume"
    )
    norm_tree: bool = option("NormTree", False, "balance the search tree after filling it")

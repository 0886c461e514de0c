"""The options of KNN, as TMVA spells them."""

from __future__ import annotations

from dataclasses import dataclass

from mvakit.method import MethodOptions
from mvakit.options import option

__all__ = ["KNNOptions"]


@dataclass(frozen=True, kw_only=True)
class KNNOptions(MethodOptions):
    """Options of the nearest neighbours."""

    n_neighbours: int = option("nkNN", 20, "number of nearest neighbours that are asked", minimum=1, maximum=2**31 - 1)
    balance_depth: int = option(
        "BalanceDepth",
        6,
        "levels of the search tree that are made with equal shares of the events before these are filled in",
        minimum=1,
        maximum=31,
    )
    scale_fraction: float = option(
        "ScaleFrac",
        0.8,
        "variables are measured by the width of the middle part of their events that is this fraction; 0: as they are",
    )
    sigma_factor: float = option(
        "SigmaFact", 1.0, "factor of the widths of the Gaussian kernel, which are those of the neighbours"
    )
    kernel: str = option("Kernel", "Gaus", "weights by distance, with UseKernel: Gaus, or Poln for a polynomial")
    trim: bool = option("Trim", False, "use as many events of each class as the smallest has, the first ones")
    use_kernel: bool = option("UseKernel", False, "weigh neighbours by their distance, as Kernel says")
    use_weight: bool = option("UseWeight", True, "weigh neighbours by their event weights")
    use_lda: bool = option(
        "UseLDA", False, "a linear discriminant among the neighbours; unfinished in TMVA, so files with it are refused"
    )

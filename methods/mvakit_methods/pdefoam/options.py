"""The options of PDEFoam, as TMVA spells them."""

from __future__ import annotations

from dataclasses import dataclass

from mvakit.method import MethodOptions
from mvakit.options import option

__all__ = ["PDEFoamOptions"]


@dataclass(frozen=True, kw_only=True)
class PDEFoamOptions(MethodOptions):
    """Options of a foam of cells."""

    separate: bool = option("SigBgSeparate", False, "one foam for signal and one for background")
    tail_cut: float = option(
        "TailCut", 0.001, "fraction of the events that lie outside of the foam on each side of each variable"
    )
    volume_fraction: float = option(
        "VolFrac",
        1.0 / 15.0,
        "size of the box in which densities are counted while the foam grows, as a fraction of each range; half of it is "
        "the width of Kernel=Gauss",
    )
    active_cells: int = option("nActiveCells", 500, "cells at most", minimum=1, maximum=2**30)
    n_samples: int = option(
        "nSampl", 2000, "random points in a cell that is to be divided", minimum=0, maximum=2**31 - 1
    )
    n_bins: int = option("nBin", 5, "places at which a cell may be divided, and one more", minimum=0, maximum=2**31 - 1)
    compress: bool = option("Compress", True, "compress the file of the foams")
    multi_target: bool = option(
        "MultiTargetRegression",
        False,
        "make the targets dimensions of the foam, so that any number of them is estimated",
    )
    n_min: int = option("Nmin", 100, "events in a cell that may be divided", minimum=0, maximum=2**32 - 1)
    max_depth: int = option("MaxDepth", 0, "how often cells may be divided; 0: any number of times", minimum=0)
    original_weights: bool = option(
        "FillFoamWithOrigWeights", False, "fill cells with the event weights as they were before any boosting"
    )
    yes_no: bool = option("UseYesNoCell", False, "answer 1 for signal and -1 for background, not a probability")
    decision_tree: str = option(
        "DTLogic",
        "None",
        "divide cells as a decision tree would, by this criterion",
        choices=(
            "None", "GiniIndex", "MisClassificationError", "CrossEntropy", "GiniIndexWithLaplace", "SdivSqrtSplusB",
        ),
    )  # fmt: skip
    kernel: str = option(
        "Kernel",
        "None",
        "smooth over cells: all, by their distance (Gauss), or the nearest neighbours (LinNeighbors)",
        choices=("None", "Gauss", "LinNeighbors"),
    )
    target_selection: str = option(
        "TargetSelection",
        "Mean",
        "with MultiTargetRegression, the mean of the cells at an event, or the densest of them (Mpv)",
        choices=("Mean", "Mpv"),
    )

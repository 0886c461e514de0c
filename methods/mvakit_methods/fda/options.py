"""The options of `FDA`."""

from __future__ import annotations

from dataclasses import dataclass

from mvakit.options import option
from mvakit_methods._fitter_options import FitterOptions

__all__ = ["FDAOptions"]


@dataclass(frozen=True, kw_only=True)
class FDAOptions(FitterOptions):
    """The options of `FDA`."""

    formula: str = option(
        "Formula", "(0)", "the discriminant, of the parameters (0), (1), ... and the variables x0, x1, ...: (0)+(1)*x0"
    )
    ranges: str = option("ParRanges", "()", "the range of each parameter: (-1,1);(-10,10)")
    fit_method: str = option(
        "FitMethod", "MINUIT", "how the parameters are fitted", choices=("MC", "GA", "SA", "MINUIT")
    )
    converger: str = option(
        "Converger", "None", "what improves each point that FitMethod tries", choices=("None", "MINUIT")
    )

"""The options of `RuleFit`."""

from __future__ import annotations

from dataclasses import dataclass

from mvakit.method import MethodOptions
from mvakit.options import option

__all__ = ["RuleFitOptions"]


@dataclass(frozen=True, kw_only=True)
class RuleFitOptions(MethodOptions):
    """The options of `RuleFit`; those that begin with ``GD`` steer the fit along a gradient-directed path."""

    tau: float = option("GDTau", -1.0, "threshold of the path, from 0 to 1; negative: found by a scan")
    tau_precision: float = option("GDTauPrec", 0.01, "precision of that scan")
    step: float = option("GDStep", 0.01, "length of a step of the path")
    n_steps: int = option("GDNSteps", 10_000, "most steps of the path")
    error_scale: float = option(
        "GDErrScale", 1.1, "the path ends where the error exceeds its smallest value times this"
    )
    linear_quantile: float = option(
        "LinQuantile", 0.025, "fraction of events on each side beyond which a linear term stays constant"
    )
    path_fraction: float = option("GDPathEveFrac", 0.5, "fraction of events for the path")
    validation_fraction: float = option("GDValidEveFrac", 0.5, "fraction of events for the error")
    least_events: float = option("fEventsMin", 0.1, "smallest fraction of events in a node that may be split")
    most_events: float = option("fEventsMax", 0.9, "largest fraction of events in a node that may be split")
    n_trees: int = option("nTrees", 20, "trees from which rules are made")
    forest: str = option(
        "ForestType",
        "AdaBoost",
        "how the trees are made to differ: by boosting, or by random events and variables",
        choices=("AdaBoost", "Random"),
    )
    least_distance: float = option(
        "RuleMinDist", 0.001, "distance of two rules, in units of the spread, below which one is dropped"
    )
    least_importance: float = option("MinImp", 0.01, "smallest relative importance of a term that is kept")
    model: str = option(
        "Model", "ModRuleLinear", "rules, linear terms, or both", choices=("ModRule", "ModRuleLinear", "ModLinear")
    )
    module: str = option(
        "RuleFitModule",
        "RFTMVA",
        "whose implementation fits it: TMVA's or Friedman's",
        choices=("RFTMVA", "RFFriedman"),
    )
    folder: str = option("RFWorkDir", "./rulefit", "folder of Friedman's program")
    most_rules: int = option("RFNrules", 2000, "most rules of Friedman's program")
    end_nodes: int = option("RFNendnodes", 4, "average number of end nodes of its trees")

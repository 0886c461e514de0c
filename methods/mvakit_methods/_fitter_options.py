"""The options of TMVA's minimisers, which `Cuts` and `FDA` take beside their own; a weight file keeps none of them."""

from __future__ import annotations

from dataclasses import dataclass

from mvakit.method import MethodOptions
from mvakit.options import option

__all__ = ["FitterOptions"]


@dataclass(frozen=True, kw_only=True)
class FitterOptions(MethodOptions):
    """Options of the genetic algorithm (GA), Monte Carlo sampling (MC), MINUIT and simulated annealing (SA)."""

    seed: int = option("Seed", 100, "GA, MC: seed of the random generator; 0: another one each time", apart=True)
    population: int = option("PopSize", 300, "GA: size of the population", minimum=1, apart=True)
    steps: int = option("Steps", 40, "GA: steps without progress after which a cycle ends", minimum=1, apart=True)
    cycles: int = option("Cycles", 3, "GA: independent cycles", minimum=1, apart=True)
    spread_steps: int = option("SC_steps", 10, "GA: steps after which the spread of mutations is adjusted", apart=True)
    spread_rate: int = option("SC_rate", 5, "GA: improvements in these steps above which the spread grows", apart=True)
    spread_factor: float = option("SC_factor", 0.95, "GA: what the spread is multiplied with or divided by", apart=True)
    convergence: float = option("ConvCrit", 0.001, "GA: relative change of the best value that is progress", apart=True)
    best_of_generation: int = option(
        "SaveBestGen", 1, "GA: how many of the best of each generation enter the last cycle", apart=True
    )
    best_of_cycle: int = option(
        "SaveBestCycle", 10, "GA: how many of the best of each cycle enter the last cycle", apart=True
    )
    trim: bool = option("Trim", False, "GA: cut the population back to PopSize in each generation", apart=True)
    samples: int = option("SampleSize", 100_000, "MC: points that are tried", minimum=1, apart=True)
    sigma: float = option(
        "Sigma",
        -1.0,
        "MC: if positive, points lie around the best one, with this width in units of the interval",
        apart=True,
    )
    error_level: float = option("ErrorLevel", 1.0, "MINUIT: change of the value that defines errors", apart=True)
    print_level: int = option("PrintLevel", -1, "MINUIT: how much it says, from -1 to 3", apart=True)
    strategy: int = option("FitStrategy", 2, "MINUIT: 0, fast, to 2, careful", apart=True)
    print_warnings: bool = option("PrintWarnings", False, "MINUIT: whether it warns", apart=True)
    improve: bool = option("UseImprove", True, "MINUIT: look for another minimum after the first", apart=True)
    minos: bool = option("UseMinos", True, "MINUIT: compute asymmetric errors", apart=True)
    batch: bool = option("SetBatch", False, "MINUIT: batch mode", apart=True)
    max_calls: int = option(
        "MaxCalls", 0, "MINUIT, SA: most evaluations; 0: 1000 for MINUIT, 100000 for SA", minimum=0, apart=True
    )
    tolerance: float = option("Tolerance", 0.1, "MINUIT: distance from the minimum that is good enough", apart=True)
    initial_temperature: float = option("InitialTemp", 1e6, "SA: temperature at the start", apart=True)
    lowest_temperature: float = option("MinTemp", 1e-6, "SA: temperature at the end", apart=True)
    epsilon: float = option("Eps", 1e-10, "SA: change of the best value that is none", apart=True)
    temperature_scale: float = option("TempScale", 1.0, "SA: scale of the changes of temperature", apart=True)
    adaptive_speed: float = option("AdaptiveSpeed", 1.0, "SA: how fast the temperature adapts", apart=True)
    adaptive_step: float = option(
        "TempAdaptiveStep", 0.009875, "SA: step of the temperature in each generation", apart=True
    )
    default_scale: bool = option("UseDefaultScale", False, "SA: take the default of TempScale", apart=True)
    default_temperature: bool = option("UseDefaultTemp", False, "SA: take the default of InitialTemp", apart=True)
    cooling: str = option(
        "KernelTemp",
        "IncAdaptive",
        "SA: how the temperature falls",
        choices=("IncAdaptive", "DecAdaptive", "Sqrt", "Log", "Sin", "Homo", "Geo"),
        apart=True,
    )

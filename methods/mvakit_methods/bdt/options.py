"""The options of BDT, as TMVA spells them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar, Final, Self

from mvakit.errors import MvakitWarning, OptionError
from mvakit.method import MethodOptions
from mvakit.options import option
from mvakit.types import AnalysisType
from mvakit_methods._validation import parse_validation_size

__all__ = ["BDTOptions"]

# Up to so many events cuts where TMVA has them take no longer than others.
_FEW_EVENTS: Final = 5000


@dataclass(frozen=True, kw_only=True)
class BDTOptions(MethodOptions):
    """Options of boosted decision trees."""

    treats_negative_weights: ClassVar[bool] = True

    n_trees: int = option("NTrees", 800, "number of trees in the forest", minimum=1, maximum=1_000_000)
    max_depth: int = option("MaxDepth", 3, "largest depth of a tree", minimum=1, maximum=500)
    min_node_size: str = option(
        "MinNodeSize",
        "5%",
        "what a node has to hold at least, in percent of the training events, counted and weighted; '5%' and '5' are "
        "the same; 0.2% in a regression",
        unit="%",
    )
    n_cuts: int = option(
        "nCuts",
        20,
        "how many cuts, at equal steps through the range of each variable at each node, are tried, each at the nearest of "
        "at most 255 edges between bins of the variable with as many events each; -1 for every edge",
        minimum=-1,
        maximum=65_535,
    )
    exact_cuts: bool = option(
        "ExactCuts",
        False,
        "place the cuts of nCuts exactly, as TMVA does, not at the nearest edge of a bin; takes up to three times as long. "
        "Unless said otherwise, up to 5000 events from which nothing is drawn at random are cut so, which costs nothing "
        "there: the same events and options grow the forest of TMVA 4.2",
        extension=True,
    )
    boost_type: str = option(
        "BoostType",
        "AdaBoost",
        "how trees are boosted; a regression has AdaBoostR2 (by default), Bagging and Grad, several classes Grad",
        choices=("AdaBoost", "RealAdaBoost", "AdaCost", "Bagging", "Grad", "AdaBoostR2"),
    )
    ada_boost_r2_loss: str = option(
        "AdaBoostR2Loss", "Quadratic", "loss of AdaBoostR2", choices=("Linear", "Quadratic", "Exponential")
    )
    # The Reader of older releases, which lack them, refuses a file that names them.
    regression_loss: str = option(
        "RegressionLossFunctionBDTG",
        "Huber",
        "loss of Grad in a regression",
        choices=("Huber", "AbsoluteDeviation", "LeastSquares"),
        apart=True,
    )
    huber_quantile: float = option(
        "HuberQuantile",
        0.7,
        "Huber: share of the weight whose residuals count squared, those of the rest linearly",
        minimum=0.0,
        maximum=1.0,
        apart=True,
    )
    ada_boost_beta: float = option("AdaBoostBeta", 0.5, "learning rate of AdaBoost", minimum=1e-9, maximum=1e3)
    shrinkage: float = option("Shrinkage", 1.0, "learning rate of Grad", minimum=1e-9, maximum=1e3)
    use_bagged_boost: bool = option("UseBaggedBoost", False, "grow each tree from a random sample of the events")
    bagged_sample_fraction: float = option(
        "BaggedSampleFraction",
        0.6,
        "mean number of times that an event is in a random sample",
        minimum=1e-6,
        maximum=10,
    )
    use_randomised_trees: bool = option(
        "UseRandomisedTrees", False, "choose the cut at each node from a random subset of the variables"
    )
    use_n_vars: int = option("UseNvars", 0, "size of that subset; 0 for sqrt(number of variables)", minimum=0)
    use_poisson_n_vars: bool = option("UsePoissonNvars", True, "take UseNvars for the mean of a Poisson distribution")
    use_yes_no_leaf: bool = option(
        "UseYesNoLeaf", True, "a leaf says signal or background, not its purity (AdaBoost and Bagging)"
    )
    node_purity_limit: float = option(
        "NodePurityLimit", 0.5, "nodes with a larger purity are signal", minimum=0.0, maximum=1.0
    )
    separation_type: str = option(
        "SeparationType",
        "GiniIndex",
        "criterion by which a cut is chosen; Grad and regressions use the variance of their targets, RegressionVariance",
        choices=(
            "CrossEntropy", "GiniIndex", "GiniIndexWithLaplace", "MisClassificationError", "SDivSqrtSPlusB",
            "RegressionVariance",
        ),
    )  # fmt: skip
    negative_weights: str = option(
        "NegWeightTreatment",
        "InverseBoostNegWeights",
        "what becomes of events with negative weights: boosted inversely (Grad keeps them as they are), left out "
        "(two spellings), paired with the nearest positive events, or kept as they are",
        choices=(
            "InverseBoostNegWeights", "IgnoreNegWeightsInTraining", "NoNegWeightsInTraining", "PairNegWeightsGlobal",
            "Pray",
        ),
    )  # fmt: skip
    signal_to_background: float = option(
        "SigToBkgFraction", 1.0, "ratio of signal to background in the training", minimum=1e-9, maximum=1e9
    )
    # The Reader of older releases, which lack it, refuses a file that names it.
    skip_normalization: bool = option(
        "SkipNormalization", False, "keep the weights of signal and background as they are", apart=True
    )
    cost_ss: float = option("Css", 1.0, "AdaCost: cost of signal taken for signal", minimum=0.0, maximum=1.0)
    cost_sb: float = option("Cts_sb", 1.0, "AdaCost: cost of signal taken for background", minimum=0.0, maximum=1.0)
    cost_bs: float = option("Ctb_ss", 1.0, "AdaCost: cost of background taken for signal", minimum=0.0, maximum=1.0)
    cost_bb: float = option("Cbb", 1.0, "AdaCost: cost of background taken for background", minimum=0.0, maximum=1.0)
    prune_method: str = option(
        "PruneMethod",
        "NoPruning",
        "how splits are taken back after a tree has grown (neither for Grad nor for randomised trees)",
        choices=("NoPruning", "ExpectedError", "CostComplexity"),
    )
    prune_strength: float = option(
        "PruneStrength",
        0.0,
        "how much is pruned: standard deviations for ExpectedError, percent of the sequence for CostComplexity; for the "
        "latter a negative number lets a part of the events decide",
    )
    pruning_fraction: float = option(
        "PruningValFraction", 0.5, "share of the events that decide on pruning", minimum=1e-6, maximum=0.5
    )
    use_fisher_cuts: bool = option(
        "UseFisherCuts",
        False,
        "try, at each node, a cut on a Fisher discriminant of correlated variables; sets nCuts=20",
    )
    least_correlation: float = option(
        "MinLinCorrForFisher",
        0.8,
        "how much two variables have to be correlated to be part of the discriminant",
        minimum=0.0,
        maximum=1.0,
    )
    exclusive_variables: bool = option(
        "UseExclusiveVars", False, "do not try variables of the discriminant on their own"
    )
    do_preselection: bool = option(
        "DoPreselection", False, "cut off the ends of variables that hold one class only before trees are grown"
    )
    do_boost_monitor: bool = option(
        "DoBoostMonitor",
        False,
        "record in the result file how the response to the samples improves with the number of trees: the ROC integral, of "
        "several classes the mean over one against the rest, and of a regression the RMS of the deviations",
    )
    validation_size: str = option(
        "ValidationSize",
        "",
        "training events that no tree is grown from and that validate the forest tree by tree: '20%', '0.2', or '100' events",
        extension=True,
    )
    tries_early_stopping: int = option(
        "TriesEarlyStopping",
        -1,
        "end the boosting after so many trees (of each class) without a smaller validation loss, and keep those up to the "
        "smallest; negative: never; needs ValidationSize",
        maximum=1_000_000,
        extension=True,
    )
    importance_type: str = option(
        "ImportanceType",
        "TMVA",
        "what variables are ranked by: TMVA, squared separation gains times squared weights of all cuts; Gain, gains times "
        "weights of the cuts that are left",
        choices=("TMVA", "Gain"),
        extension=True,
    )
    old_n_events_min: int = option("nEventsMin", 0, "deprecated: MinNodeSize as a number of events", minimum=0)
    old_n_nodes_max: int = option("NNodesMax", 0, "deprecated: MaxDepth as a number of nodes", minimum=0)
    old_use_bagged_grad: bool = option("UseBaggedGrad", False, "deprecated: UseBaggedBoost")
    old_grad_bagging_fraction: float = option(
        "GradBaggingFraction", 0.0, "deprecated: BaggedSampleFraction", minimum=0.0, maximum=10.0
    )
    old_use_n_train_events: int = option(
        "UseNTrainEvents", 0, "deprecated: BaggedSampleFraction as a number of events", minimum=0
    )

    only_in_files: ClassVar[Mapping[str, frozenset[str]]] = MappingProxyType(
        {
            "BoostType": frozenset({"regboost"}),
            "NegWeightTreatment": frozenset({"ignorenegweights", "pairnegweightsinnode"}),
        }
    )

    @property
    def yes_no(self) -> bool:
        """Whether leaves say signal or background rather than a purity or, in a regression, a mean."""
        return self.use_yes_no_leaf and self.boost_type in {"AdaBoost", "Bagging"}

    @property
    def bagged(self) -> bool:
        """Whether each tree sees a random sample."""
        return self.use_bagged_boost or self.old_use_bagged_grad or self.boost_type == "Bagging"

    def min_percent(self, n_events: int) -> float:
        """Return MinNodeSize in percent of `n_events`.

        Raises
        ------
        OptionError
            If it is no number between 0 and 50.
        """
        if self.old_n_events_min > 0:
            percent = 100.0 * self.old_n_events_min / n_events
            if not percent < 50:
                raise OptionError(
                    f"the option 'nEventsMin' of BDT has to be less than half of the {n_events} training events, not "
                    f"{self.old_n_events_min}"
                )
            return percent
        text = self.min_node_size.replace(" ", "")
        try:
            percent = float(text.removesuffix("%"))
        except ValueError:
            percent = -1.0
        if not 0 < percent < 50:
            raise OptionError(
                "the option 'MinNodeSize' of BDT takes a percentage between 0 and 50, both excluded, as in '2.5%', not "
                f"{self.min_node_size!r}"
            )
        return percent

    def exact(self, n_events: int) -> bool:
        """Whether cuts are placed exactly: as ExactCuts says, and if it says nothing where TMVA's forest can be grown again."""
        if "ExactCuts" in self.modified:
            return self.exact_cuts
        return self.exact_cuts or (not (self.bagged or self.use_randomised_trees) and n_events <= _FEW_EVENTS)

    @property
    def steps(self) -> int:
        """NCuts, which UseFisherCuts sets to 20."""
        return 20 if self.use_fisher_cuts else self.n_cuts

    @property
    def prunes(self) -> bool:
        """Whether trees are pruned."""
        return self.prune_method != "NoPruning" and self.boost_type != "Grad" and not self.use_randomised_trees

    @property
    def validates(self) -> bool:
        """Whether a part of the events decides on pruning."""
        return self.prunes and self.prune_strength < 0

    @property
    def stops_early(self) -> bool:
        """Whether validation events decide on the number of trees."""
        return self.tries_early_stopping >= 0

    def for_analysis(self, analysis: AnalysisType) -> Self:
        """Return the options with the defaults of an analysis where nothing else was said."""
        if analysis is not AnalysisType.REGRESSION:
            return self
        defaults: dict[str, tuple[str, Any]] = {
            "MaxDepth": ("max_depth", 50),
            "MinNodeSize": ("min_node_size", "0.2%"),
            "BoostType": ("boost_type", "AdaBoostR2"),
            "SeparationType": ("separation_type", "RegressionVariance"),
            "UseYesNoLeaf": ("use_yes_no_leaf", False),
        }
        return replace(self, **dict(found for name, found in defaults.items() if name not in self.modified))

    def depth(self) -> int:
        """Return MaxDepth, or what NNodesMax makes of it."""
        if not self.old_n_nodes_max:
            return self.max_depth
        depth, nodes = 0, 1
        while nodes < self.old_n_nodes_max:
            nodes *= 3
            depth += 1
        return depth

    def sample_fraction(self, n_events: int) -> float:
        """Return BaggedSampleFraction, or what its older spellings make of it."""
        if self.old_use_n_train_events:
            return self.old_use_n_train_events / n_events
        return self.old_grad_bagging_fraction or self.bagged_sample_fraction

    def validation_period(self) -> int:
        """Return n where every n-th event decides on pruning."""
        period = 1.0 / self.pruning_fraction
        return math.ceil(period) if period % 1.0 > 0.5 else math.floor(period)

    def check(self, analysis: AnalysisType = AnalysisType.CLASSIFICATION) -> None:
        """Refuse values that cannot be; warn of those that TMVA overrules, and of deprecated options.

        Raises
        ------
        OptionError
            Naming the option.
        """
        if not self.old_n_events_min:
            self.min_percent(1)
        self._check_analysis(analysis)
        self._check_validation()
        if self.prune_method == "ExpectedError" and self.prune_strength < 0:
            raise OptionError(
                "the option 'PruneStrength' of BDT may be negative for PruneMethod=CostComplexity only, not for "
                f"ExpectedError, and is {self.prune_strength:g}"
            )
        if self.prune_method != "NoPruning" and not self.prunes:
            trees = "trees of BoostType=Grad" if self.boost_type == "Grad" else "randomised trees"
            warnings.warn(
                f"the option 'PruneMethod' of BDT is {self.prune_method}, but {trees} are not pruned",
                MvakitWarning,
                stacklevel=3,
            )
        if self.use_fisher_cuts and self.n_cuts != self.steps:
            warnings.warn(
                f"the option 'UseFisherCuts' of BDT sets nCuts={self.steps}; it was {self.n_cuts}",
                MvakitWarning,
                stacklevel=3,
            )
        for name, value, replacement in (
            ("nEventsMin", self.old_n_events_min, "MinNodeSize, in percent of the training events"),
            ("NNodesMax", self.old_n_nodes_max, f"MaxDepth={self.depth()}"),
            ("UseBaggedGrad", self.old_use_bagged_grad, "UseBaggedBoost"),
            ("GradBaggingFraction", self.old_grad_bagging_fraction, "BaggedSampleFraction"),
            ("UseNTrainEvents", self.old_use_n_train_events, "BaggedSampleFraction, a fraction of the training events"),
        ):
            if value:
                warnings.warn(
                    f"the option {name!r} of BDT is deprecated; use {replacement}", MvakitWarning, stacklevel=3
                )

    def _check_validation(self) -> None:
        """Refuse a size that is none, and early stopping without events that could tell when."""
        if self.validation_size:
            parse_validation_size(self.validation_size, "BDT")
        elif self.stops_early:
            raise OptionError(
                f"the option 'TriesEarlyStopping' of BDT is {self.tries_early_stopping} and needs validation events: add "
                "ValidationSize, as in 'ValidationSize=20%'"
            )
        if self.tries_early_stopping == 0:
            raise OptionError(
                "the option 'TriesEarlyStopping' of BDT takes a number of trees, 1 or more, or a negative number for never; "
                "it is 0"
            )

    def _check_analysis(self, analysis: AnalysisType) -> None:
        """Refuse options that are made for another analysis."""
        able: tuple[str, ...] = ("AdaBoost", "RealAdaBoost", "AdaCost", "Bagging", "Grad")
        if analysis is AnalysisType.MULTICLASS:
            able = ("Grad",)
        elif analysis is AnalysisType.REGRESSION:
            able = ("AdaBoostR2", "Bagging", "Grad")
        if self.boost_type not in able:
            raise OptionError(
                f"the option 'BoostType' of BDT may be {', '.join(able)} for {analysis}, and is {self.boost_type}"
            )
        variance = analysis is AnalysisType.REGRESSION or self.boost_type == "Grad"
        if self.separation_type == "RegressionVariance" and not variance:
            raise OptionError(
                "the option 'SeparationType' of BDT is RegressionVariance, which is for regression and BoostType=Grad, not "
                f"for BoostType={self.boost_type} and {analysis}"
            )
        if analysis is AnalysisType.CLASSIFICATION:
            return
        for name, wanted in (("UseFisherCuts", self.use_fisher_cuts), ("DoPreselection", self.do_preselection)):
            if wanted:
                raise OptionError(f"the option {name!r} of BDT tells signal from background, and is not for {analysis}")
        if analysis is not AnalysisType.REGRESSION:
            return
        if self.use_yes_no_leaf and "UseYesNoLeaf" in self.modified:
            raise OptionError(
                "the option 'UseYesNoLeaf' of BDT is for signal and background: leaves of a regression say a mean"
            )
        if self.separation_type != "RegressionVariance":
            warnings.warn(
                f"the option 'SeparationType' of BDT is {self.separation_type}, but trees of a regression are grown by "
                "RegressionVariance",
                MvakitWarning,
                stacklevel=4,
            )
        if self.prune_method == "ExpectedError":
            raise OptionError(
                "the option 'PruneMethod' of BDT may be CostComplexity for regression, not ExpectedError, which goes by purity"
            )

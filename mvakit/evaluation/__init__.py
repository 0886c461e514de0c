"""Pure statistics: arrays and weights in, typed results with uncertainties out.

Nothing here reads a file, draws, or knows a method. The exact, weighted figures of merit (ROC curve and integral,
signal efficiencies, Kolmogorov-Smirnov tests) stand beside TMVA's estimates of them from histograms, which reproduce
the numbers in its tables and result files.
"""

from __future__ import annotations

from mvakit.evaluation.classification import evaluate_classification
from mvakit.evaluation.correlation import (
    VariableStatistics,
    correlation_matrix,
    correlation_percent,
    covariance_matrix,
    variable_statistics,
)
from mvakit.evaluation.curve import Curve
from mvakit.evaluation.cut_scan import (
    CutPoint,
    CutScan,
    FigureOfMerit,
    cut_point,
    cut_scan,
    cut_scan_of_efficiencies,
    signal_over_root_of_all,
)
from mvakit.evaluation.histograms import Histogram1D, fill, normalised
from mvakit.evaluation.inputs import VariableRank, rank_by_separation, variable_histograms, variable_range
from mvakit.evaluation.ks import kolmogorov_probability, ks_binned, ks_unbinned
from mvakit.evaluation.multiclass import (
    evaluate_multiclass,
    multiclass_histograms,
    one_vs_one_curve,
    one_vs_rest_curve,
)
from mvakit.evaluation.multiclass_results import ClassMatrix, MulticlassPerformance, MulticlassResult
from mvakit.evaluation.outputs import MulticlassSample, RegressionSample
from mvakit.evaluation.projections import project_cells
from mvakit.evaluation.regression import (
    average_deviation,
    evaluate_regression,
    mutual_information,
    quadratic_deviations,
)
from mvakit.evaluation.regression_results import Deviation, RegressionResult, TargetDeviation
from mvakit.evaluation.responses import (
    BACKGROUND_EFFICIENCIES,
    ResponseHistograms,
    TrainingHistograms,
    distribution_pair,
    response_histograms,
    response_range,
    tmva_estimates,
)
from mvakit.evaluation.results import (
    ClassificationResult,
    EfficiencyAtBackground,
    KolmogorovSmirnov,
    RocCurve,
    TmvaEstimates,
)
from mvakit.evaluation.roc import efficiency_band, roc_curve, roc_curve_of
from mvakit.evaluation.samples import ClassSample, TwoClassSample
from mvakit.evaluation.separation import response_separation, separation, significance
from mvakit.evaluation.working_points import ScoreCut, WorkingPoint, best_working_points, working_point

__all__ = [
    "BACKGROUND_EFFICIENCIES",
    "ClassMatrix",
    "ClassSample",
    "ClassificationResult",
    "Curve",
    "CutPoint",
    "CutScan",
    "Deviation",
    "EfficiencyAtBackground",
    "FigureOfMerit",
    "Histogram1D",
    "KolmogorovSmirnov",
    "MulticlassPerformance",
    "MulticlassResult",
    "MulticlassSample",
    "RegressionResult",
    "RegressionSample",
    "ResponseHistograms",
    "RocCurve",
    "ScoreCut",
    "TargetDeviation",
    "TmvaEstimates",
    "TrainingHistograms",
    "TwoClassSample",
    "VariableRank",
    "VariableStatistics",
    "WorkingPoint",
    "average_deviation",
    "best_working_points",
    "correlation_matrix",
    "correlation_percent",
    "covariance_matrix",
    "cut_point",
    "cut_scan",
    "cut_scan_of_efficiencies",
    "distribution_pair",
    "efficiency_band",
    "evaluate_classification",
    "evaluate_multiclass",
    "evaluate_regression",
    "fill",
    "kolmogorov_probability",
    "ks_binned",
    "ks_unbinned",
    "multiclass_histograms",
    "mutual_information",
    "normalised",
    "one_vs_one_curve",
    "one_vs_rest_curve",
    "project_cells",
    "quadratic_deviations",
    "rank_by_separation",
    "response_histograms",
    "response_range",
    "response_separation",
    "roc_curve",
    "roc_curve_of",
    "separation",
    "signal_over_root_of_all",
    "significance",
    "tmva_estimates",
    "variable_histograms",
    "variable_range",
    "variable_statistics",
    "working_point",
]

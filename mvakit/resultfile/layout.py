"""The names in a TMVA.root and what can be told from them: directories, histograms, transformations, classes.

Everything here works on text alone, both ways, so that the reader and the writer cannot disagree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from mvakit.errors import ResultFileError
from mvakit.types import AnalysisType
from mvakit.variables import Variable

__all__ = [
    "CORRELATION_PLOTS",
    "INPUT_PREFIX",
    "METHOD_PREFIX",
    "TREES",
    "analysis_of",
    "axis_title",
    "check_name",
    "correlation_name",
    "correlation_title",
    "curve_name",
    "density_title",
    "history_name",
    "input_name",
    "is_dataset",
    "method_directory",
    "pair_name",
    "parse_axis_title",
    "parse_input_name",
]

TREES: Final = ("TrainTree", "TestTree")
INPUT_PREFIX: Final = "InputVariables_"
METHOD_PREFIX: Final = "Method_"
CORRELATION_PREFIX: Final = "CorrelationMatrix"
CORRELATION_PLOTS: Final = "CorrelationPlots"
TRAINING_PATH: Final = "TrainingPath"
WEIGHT_FILE_NAME: Final = "WeightFileName"
MONITOR_NTUPLE: Final = "MonitorNtuple"
REGRESSION_CLASS: Final = "Regression"
TARGET_SUFFIX: Final = "_target"

# The curves that TMVA stores under a fixed name, and whether their bin i is the interval [i, i + 1) of tree i.
TREE_CURVES: Final = ("BoostWeightVsTree", "ErrFractHist", "NodesBeforePruning", "NodesAfterPruning")
EPOCH_CURVES: Final = ("estimatorHistTrain", "estimatorHistTest")
INTEGER_CURVES: Final = ("NodesBeforePruning", "NodesAfterPruning")
# Those that TMVA stores as graphs, with the empty frame that its macros draw first.
GRAPH_CURVES: Final = {"BoostMonitorGraph": "BoostMonitor"}
# Curves that TMVA writes once more as the branches of a tree.
NTUPLE_BRANCHES: Final = {"BoostWeightVsTree": "boostWeight", "ErrFractHist": "errorFraction"}

NTUPLE_INDEX: Final = "iTree"

# Two-class classification calls its classes by one letter in the names of matrices and responses.
_LETTERS: Final = {"Signal": "S", "Background": "B"}


def is_dataset(names: Iterable[str]) -> bool:
    """Return whether a directory with these keys is what one DataLoader left."""
    return any(n in TREES or n.startswith((INPUT_PREFIX, METHOD_PREFIX)) for n in names)


def method_directory(type: str, title: str) -> str:
    """Return the path of a method below its dataset: ``"Method_BDT/BDTG"``."""
    return f"{METHOD_PREFIX}{type}/{title}"


def input_name(variable: str, class_name: str, transformation: str = "") -> str:
    """Return the name of a histogram of an input: ``"var1__Signal_Id"``; below a method there is no suffix."""
    return f"{variable}__{class_name}" + (f"_{transformation}" if transformation else "")


def parse_input_name(name: str, transformation: str = "") -> tuple[str, str, bool] | None:
    """Return variable, class and whether it is a target, or None if this names no histogram of an input.

    Examples
    --------
    >>> parse_input_name("fvalue__Regression_target_Id", "Id")
    ('fvalue', 'Regression', True)
    """
    if transformation:
        suffix = f"_{transformation}"
        if not name.endswith(suffix):
            return None
        name = name.removesuffix(suffix)
    variable, separator, class_name = name.rpartition("__")
    if not separator or not variable or not class_name:
        return None
    if class_name == REGRESSION_CLASS + TARGET_SUFFIX:
        return variable, REGRESSION_CLASS, True
    return variable, class_name, False


def pair_name(kind: str, x: str, y: str, class_name: str, transformation: str = "") -> str:
    """Return the name of a scatter plot or profile: ``"scat_var2_vs_var1_Signal_Id"``."""
    return f"{kind}_{y}_vs_{x}_{class_name}" + (f"_{transformation}" if transformation else "")


def correlation_name(analysis: AnalysisType, class_name: str) -> str:
    """Return the name of the correlation matrix of a class."""
    if analysis is AnalysisType.CLASSIFICATION:
        return CORRELATION_PREFIX + _LETTERS.get(class_name, class_name)
    return CORRELATION_PREFIX + ("" if analysis is AnalysisType.REGRESSION else class_name)


def correlation_title(analysis: AnalysisType, class_name: str) -> str:
    """Return the title that TMVA gives the correlation matrix of a class."""
    if analysis is AnalysisType.REGRESSION:
        return "Correlation Matrix"
    shown = class_name.lower() if analysis is AnalysisType.CLASSIFICATION else class_name
    return f"Correlation Matrix ({shown})"


def axis_title(variable: Variable, transformation: str = "") -> str:
    """Return the title of an axis: title, transformation if any, and after two blanks the unit in brackets."""
    title = variable.title or variable.label
    if transformation and transformation != "Id":
        title = f"{title} ({transformation})"
    return f"{title}  [{variable.unit}]" if variable.unit else title


def parse_axis_title(text: str, title: str) -> str:
    """Return the unit that the title of an axis ends with, if any; `title` is the variable's own."""
    found = re.fullmatch(r".*  \[(.*)\]", text, flags=re.DOTALL)
    return found.group(1).strip() if found and text != title else ""


def density_title(width: float, unit: str) -> str:
    """Return what TMVA writes at the y axis of a distribution: events per bin width."""
    return f"dN_{{ }}/^{{ }}{width:.3g} {unit}"


def curve_name(method: str, curve: str) -> str:
    """Return the name under which a method's curve is stored: its own if it is one of TMVA's, else a history's."""
    return curve if curve in (*TREE_CURVES, *EPOCH_CURVES, *GRAPH_CURVES) else history_name(method, curve)


def check_name(noun: str, name: str) -> None:
    """Refuse a name that cannot be that of a directory or an object in a ROOT file.

    Raises
    ------
    ResultFileError
        If it is empty, or has a slash, a semicolon or a character that cannot be printed.
    """
    if not name or not name.isprintable() or any(c in name for c in "/;"):
        raise ResultFileError(
            f"a {noun} that goes into a result file needs a printable name without '/' and ';', which {name!r} is not"
        )


def history_name(method: str, curve: str) -> str:
    """Return the name under which TMVA stores a training history: ``"TrainingHistory_DNN_trainError"``."""
    return f"TrainingHistory_{method}_{curve}"


def analysis_of(method_keys: Iterable[str], dataset_keys: Iterable[str], classes: Iterable[str]) -> AnalysisType:
    """Return the analysis type that the histograms below a dataset tell of.

    Parameters
    ----------
    method_keys : iterable of str
        Names below the methods' directories.
    dataset_keys : iterable of str
        Names directly below the dataset.
    classes : iterable of str
    """
    for key in method_keys:
        if "_prob_for_" in key:
            return AnalysisType.MULTICLASS
        if "_Quadr_Deviation_" in key or re.search(r"_reg_(var|tgt)\d+_rtgt\d+$", key):
            return AnalysisType.REGRESSION
        if key.endswith(("_rejBvsS", "_effBvsS")):
            return AnalysisType.CLASSIFICATION
    matrices = {key for key in dataset_keys if key.startswith(CORRELATION_PREFIX)}
    names = list(classes)
    if CORRELATION_PREFIX in matrices or names == [REGRESSION_CLASS]:
        return AnalysisType.REGRESSION
    if matrices & {CORRELATION_PREFIX + "S", CORRELATION_PREFIX + "B"} or set(names) <= set(_LETTERS):
        return AnalysisType.CLASSIFICATION
    return AnalysisType.MULTICLASS

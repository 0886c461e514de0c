"""Publication figures: typed results in, matplotlib artists out. Nothing here reads a file or touches pyplot.

Every function returns a named tuple with the figure, its axes and the artists that carry the numbers, so that a user can
go on from there, and a test can ask what was drawn. matplotlib and mplhep are imported when something is drawn.
"""

from __future__ import annotations

from mvakit_gui.figures.correlations import CorrelationFigure, correlation_figure
from mvakit_gui.figures.deviations import (
    AverageDeviation,
    AverageDeviationFigure,
    DeviationFigure,
    average_deviation_figure,
    deviation_figure,
)
from mvakit_gui.figures.distributions import (
    OvertrainingFigure,
    ResponseFigure,
    VariablePanel,
    VariablesFigure,
    overtraining_figure,
    response_figure,
    variables_figure,
)
from mvakit_gui.figures.efficiencies import CutEfficiencyFigure, cut_efficiency_figure
from mvakit_gui.figures.history import HistoryFigure, history_figure
from mvakit_gui.figures.maps import MapFigure, MapPanel, PairPanel, map_figure, pair_figure
from mvakit_gui.figures.network import Network, NetworkFigure, network_figure
from mvakit_gui.figures.parallel import ParallelEvents, ParallelFigure, parallel_figure
from mvakit_gui.figures.pdfs import PdfFigure, PdfPanel, pdf_figure
from mvakit_gui.figures.roc import RocFigure, RocForm, RocLine, roc_figure
from mvakit_gui.figures.saving import FORMATS, checked_formats, figure_bytes, save_figure
from mvakit_gui.figures.style import Style, drawing
from mvakit_gui.figures.trees import TreeBox, TreeFigure, TreeLayout, TreeLink, tree_figure, tree_layout

__all__ = [
    "FORMATS",
    "AverageDeviation",
    "AverageDeviationFigure",
    "CorrelationFigure",
    "CutEfficiencyFigure",
    "DeviationFigure",
    "HistoryFigure",
    "MapFigure",
    "MapPanel",
    "Network",
    "NetworkFigure",
    "OvertrainingFigure",
    "PairPanel",
    "ParallelEvents",
    "ParallelFigure",
    "PdfFigure",
    "PdfPanel",
    "ResponseFigure",
    "RocFigure",
    "RocForm",
    "RocLine",
    "Style",
    "TreeBox",
    "TreeFigure",
    "TreeLayout",
    "TreeLink",
    "VariablePanel",
    "VariablesFigure",
    "average_deviation_figure",
    "checked_formats",
    "correlation_figure",
    "cut_efficiency_figure",
    "deviation_figure",
    "drawing",
    "figure_bytes",
    "history_figure",
    "map_figure",
    "network_figure",
    "overtraining_figure",
    "pair_figure",
    "parallel_figure",
    "pdf_figure",
    "response_figure",
    "roc_figure",
    "save_figure",
    "tree_figure",
    "tree_layout",
    "variables_figure",
]

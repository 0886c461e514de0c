"""The result file: TMVA's tree of directories, histograms and trees, read and written.

What TMVA's ``TMVA.root`` holds for each dataset (the DataLoader's name)::

    <dataset>/CorrelationMatrixS, CorrelationMatrixB      multiclass: CorrelationMatrix<Class>; regression: CorrelationMatrix
              InputVariables_<Trf>/<var>__<Class>_<Trf>   training sample; Trf is Id, Deco, PCA, Gauss_Deco, ...
                  CorrelationPlots/scat_<y>_vs_<x>_<Class>_<Trf>, prof_...
              Method_<Type>/<Title>/                      responses, efficiencies, inputs of the test sample, monitoring
              TrainTree, TestTree                         the very events, with weights and one response per method

Reading asks for nothing but the file, TMVA's own or mvakit's, and reads no more than it is asked for::

    with ResultFile("TMVA.root") as file:
        dataset = file.dataset()
        [m.title for m in dataset.methods], dataset.analysis, dataset.classes
        dataset.input_histogram("var1", "Signal")                       # Histogram: edges, values, variances, titles
        dataset.correlation_matrix("Signal")                            # titles of the variables, matrix in percent
        dataset.method_histogram("BDTG", "MVA_BDTG_S")                  # Histogram or None
        scores, class_index, weight = dataset.responses("BDTG", "TestTree")
        dataset.tree("TrainTree")["var1"]                               # any branch
        dataset.curves("BDTG")                                          # monitoring

Writing takes plain values and lays them out as TMVA does; the file takes its place once it is whole::

    write_result_file("TMVA.root", ResultContents([DatasetContents(dataset, analysis, inputs, correlations, methods)]))
"""

from __future__ import annotations

from mvakit.resultfile.access import TreeColumns
from mvakit.resultfile.contents import (
    DatasetContents,
    MethodContents,
    ResultContents,
    TransformedInputs,
)
from mvakit.resultfile.deviations import regression_histograms
from mvakit.resultfile.layout import check_name
from mvakit.resultfile.read import ResultFile
from mvakit.resultfile.resultdataset import MethodEntry, ResultDataset
from mvakit.resultfile.values import Curve, Histogram, Histogram2D, Profile, Sums
from mvakit.resultfile.write import write_result_file

__all__ = [
    "Curve",
    "DatasetContents",
    "Histogram",
    "Histogram2D",
    "MethodContents",
    "MethodEntry",
    "Profile",
    "ResultContents",
    "ResultDataset",
    "ResultFile",
    "Sums",
    "TransformedInputs",
    "TreeColumns",
    "check_name",
    "regression_histograms",
    "write_result_file",
]

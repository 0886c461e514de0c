"""The tables of a training: words, columns and order."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mvakit.evaluation import (
    ClassificationResult,
    ClassMatrix,
    Deviation,
    EfficiencyAtBackground,
    MulticlassPerformance,
    MulticlassResult,
    RegressionResult,
    TargetDeviation,
    VariableStatistics,
    WorkingPoint,
    roc_curve,
)
from mvakit.tables import (
    confusion_table,
    evaluation_table,
    one_vs_rest_table,
    overtraining_table,
    ranking_table,
    regression_table,
    statistics_table,
    working_point_table,
)


def roc(area, error=0.004):
    return dataclasses.replace(roc_curve([0.0, 1.0], [False, True]), area=area, area_error=error)


# ------------------------------------------------------------------------------------------- two classes


def test_ranking_and_statistics():
    assert ranking_table([("var4", 0.2843), ("var10", 0.0012)], "Separation").splitlines() == [
        "Ranking result (top variable is best ranked)",
        "-" * 31,
        "Rank : Variable : Separation",
        "-" * 31,
        "   1 : var4     : 2.843e-01",
        "   2 : var10    : 1.200e-03",
        "-" * 31,
    ]
    lines = statistics_table([VariableStatistics("v", 0.5, 1.25, -3.0, 4.0)]).splitlines()
    assert lines[1].split() == ["Variable", "Mean", "RMS", "[", "Min", "Max", "]"]
    assert lines[3] == f"{'v':>8}: {0.5:>14}  {1.25:>14}  [{'-3':>14}  {'4':>14} ]"


def classification(title, area, error=0.004):
    return ClassificationResult(
        title,
        "BDT",
        "dataset",
        roc(area, error),
        (EfficiencyAtBackground(0.1, 0.763, 0.0121),),
        0.5444,
        1.3961,
        *(0.0, 1.0, 0.0, 1.0),
        roc(area),
        (EfficiencyAtBackground(0.1, 0.8, 0.01),),
        0.146,
        0.53,
    )


def test_classification_tables():
    results = [classification("LD", 0.9), classification("Fisher", 0.95, float("nan"))]
    lines = evaluation_table(results).splitlines()
    assert lines[0] == "Evaluation results ranked by best signal efficiency and purity (area)"
    assert "@B=0.10" in lines[3]
    assert lines[5].split() == ["dataset", "Fisher", ":", "0.763(12)", "0.950(--)", "|", "0.544", "1.396"]
    assert lines[6].split()[:2] == ["dataset", "LD"]
    assert lines[6].split()[4] == "0.900(04)"
    lines = overtraining_table(results).splitlines()
    assert lines[5].split() == ["dataset", "Fisher", ":", "0.763", "(0.800)", "0.146", "(0.530)"]


# -------------------------------------------------------------------------------------------- multiclass


def multiclass(title, products, *, train=True, dataset="dataset", classes=("Signal", "bg0")):
    values, errors = np.array([[np.nan, 0.8], [0.7, np.nan]]), np.array([[np.nan, 0.012], [0.011, np.nan]])
    efficiencies = tuple(tuple(EfficiencyAtBackground(b, v, 0.02) for b, v in ((0.01, 0.2), (0.1, 0.5))) for _ in "ab")

    def performance(shift):
        matrices = [ClassMatrix(classes, values + shift + step, errors) for step in (0.0, 0.1)]
        moved = tuple(tuple(dataclasses.replace(e, value=e.value + shift) for e in row) for row in efficiencies)
        curves = (roc(0.96 + shift), roc(0.88 + shift))
        return MulticlassPerformance(
            classes, curves, moved, matrices[0], tuple(matrices), matrices[0], 0.75 + shift, 0.007
        )

    points = tuple(
        WorkingPoint(name, (), 0.9, 0.01, 0.8, 0.01, product, 0.015)
        for name, product in zip(classes, products, strict=True)
    )
    trained = performance(0.01) if train else None
    return MulticlassResult(title, "BDT", dataset, classes, (0.01, 0.1), points, performance(0.0), trained)


def test_working_points_are_ranked_by_their_mean():
    results = [multiclass("BDTG", (0.6964, 0.529)), multiclass("MLP", (0.69, 0.594))]
    assert working_point_table(results).splitlines() == [
        "Evaluation results ranked by best signal efficiency times signal purity",
        "-" * 103,
        "DataSet Name     MVA Method      Signal         bg0",
        "-" * 103,
        "[dataset       ] MLP             0.690(15)      0.594(15)",
        "[dataset       ] BDTG            0.696(15)      0.529(15)",
        "-" * 103,
    ]


def test_working_points_of_several_datasets_have_their_own_columns():
    results = [
        multiclass("A", (0.5, 0.5), dataset="one"),
        multiclass("B", (0.5, 0.5), dataset="two", classes=("x", "y")),
        multiclass("C", (0.6, 0.6), dataset="one"),
    ]
    words = [line.split() for line in working_point_table(results).splitlines() if not line.startswith("-")]
    assert [w[-2:] for w in words if w[0] == "DataSet"] == [["Signal", "bg0"], ["x", "y"]]
    assert [w[2] for w in words if w[0].startswith("[")] == ["C", "A", "B"]


def test_one_vs_rest():
    lines = one_vs_rest_table([multiclass("BDTG", (0.7, 0.5)), multiclass("M", (0.7, 0.5), train=False)]).splitlines()
    assert lines[0] == "1-vs-rest performance metrics per class"
    assert lines[7].split() == ["Dataset", "MVA", "Method", "ROC", "AUC", "Sig", "eff@B=0.01", "Sig", "eff@B=0.10"]
    assert lines[10:15] == [
        "dataset        BDTG",
        "-" * 30,
        "               Signal         0.960(04) (0.970)   0.200(20) (0.210)   0.500(20) (0.510)",
        "               bg0            0.880(04) (0.890)   0.200(20) (0.210)   0.500(20) (0.510)",
        "               largest response is that for the own class: 0.750(07) (0.760)",
    ]
    assert lines[18] == "               Signal         0.960(04)           0.200(20)           0.500(20)"
    assert lines[20] == "               largest response is that for the own class: 0.750(07)"
    # the heads stand above their columns
    assert lines[7].index("ROC") == lines[12].index("0.960")
    assert lines[7].index("Sig eff@B=0.10") == lines[12].index("0.500")


def test_confusion():
    lines = confusion_table([multiclass("BDTG", (0.7, 0.5)), multiclass("M", (0.7, 0.5), train=False)]).splitlines()
    assert lines[0] == "Confusion matrices for all methods"
    assert lines[7:22] == [
        "=== Showing confusion matrix for method : BDTG",
        "(Signal Efficiency for Background Efficiency 0.01)",
        "-" * 51,
        "                Signal              bg0",
        "                test  (train)       test  (train)",
        "Signal          -                   0.800(12) (0.810)",
        "bg0             0.700(11) (0.710)   -",
        "",
        "(Signal Efficiency for Background Efficiency 0.10)",
        "-" * 51,
        "                Signal              bg0",
        "                test  (train)       test  (train)",
        "Signal          -                   0.900(12) (0.910)",
        "bg0             0.800(11) (0.810)   -",
        "",
    ]
    assert lines[-3] == "bg0             0.800(11)           -"


# -------------------------------------------------------------------------------------------- regression


def regression(title, rms, train_rms=None, targets=("E",)):
    def parts(first):
        full = [Deviation(-0.0158, 0.0038, first + i, 0.0021, 0.26, 3.4331, 0.0089) for i in range(len(targets))]
        return tuple(
            TargetDeviation(name, d, dataclasses.replace(d, bias=-0.0148, rms=0.2986, mutual_information=3.4))
            for name, d in zip(targets, full, strict=True)
        )

    return RegressionResult(
        title, "MLP", "datasetreg", targets, parts(rms), None if train_rms is None else parts(train_rms)
    )


HEAD = (
    "DataSet Name:        MVA Method:        <Bias> (error)   <Bias_T>      RMS (error)      RMS_T  |  MutInf MutInf_T"
)


def test_regression_is_ranked_by_its_own_rms():
    results = [regression("LD", 19.71, 0.2), regression("MLP", 0.31, 0.3), regression("KNN", 5.76)]
    lines = regression_table(results).splitlines()
    assert lines[0] == "Evaluation results ranked by smallest RMS on test sample:"
    assert lines[5:10] == [
        "-" * len(HEAD),
        HEAD,
        "-" * len(HEAD),
        "datasetreg           MLP            :  -0.0158 (0.0038)   -0.0148    0.310 (0.0021)     0.299  |  3.433  3.400",
        "datasetreg           KNN            :  -0.0158 (0.0038)   -0.0148     5.76 (0.0021)     0.299  |  3.433  3.400",
    ]
    assert lines[10].startswith("datasetreg           LD ")
    assert lines[11] == "-" * len(HEAD)
    lines = regression_table(results, training=True).splitlines()
    assert lines[:2] == ["Evaluation results ranked by smallest RMS on training sample:", "(overtraining check)"]
    assert [line.split()[1] for line in lines[5:-1]] == ["LD", "MLP"]
    assert lines[5].split()[6] == "0.200"


def test_every_target_has_a_line():
    results = [regression("LD", 9.0, targets=("E", "m")), regression("MLP", 0.5, targets=("E", "m"))]
    rows = regression_table(results).splitlines()[8:-1]
    assert [row.split(":")[0].split()[1:] for row in rows] == [
        ["MLP", "(E)"],
        ["LD", "(E)"],
        ["MLP", "(m)"],
        ["LD", "(m)"],
    ]


def test_columns_stand_below_their_heads():
    line = regression_table([regression("MLP", 0.31)]).splitlines()[8]
    for word, number in ((" <Bias>", "-0.0158"), ("<Bias_T>", "-0.0148"), ("RMS ", "0.310 "), ("RMS_T", "0.299")):
        assert HEAD.index(word) + len(word) == line.index(number) + len(number)


@pytest.mark.parametrize("value", [float("nan")])
def test_numbers_that_are_none(value):
    result = regression("M", 0.3)
    part = result.test[0]
    result = dataclasses.replace(
        result, test=(dataclasses.replace(part, full=dataclasses.replace(part.full, bias_error=value)),)
    )
    assert "(nan)" in regression_table([result])

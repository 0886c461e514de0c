"""The tables that a training prints, in TMVA's words and columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from mvakit.evaluation import (
    ClassificationResult,
    ClassMatrix,
    EfficiencyAtBackground,
    MulticlassResult,
    RegressionResult,
    VariableStatistics,
)

__all__ = [
    "confusion_table",
    "evaluation_table",
    "one_vs_rest_table",
    "overtraining_table",
    "ranking_table",
    "regression_table",
    "statistics_table",
    "working_point_table",
]

_WIDTH: Final = 115
_CELL: Final = 20


def ranking_table(rows: Sequence[tuple[str, float]], criterion: str) -> str:
    """Return the ranking of variables, best first.

    Parameters
    ----------
    rows : sequence of (str, float)
        Name and value, in order of rank.
    criterion : str
        What they are ranked by: ``"Separation"``.
    """
    width = max(len("Variable"), *(len(name) for name, _ in rows))
    rule = "-" * (width + len(criterion) + 13)
    lines = ["Ranking result (top variable is best ranked)", rule, f"Rank : {'Variable':<{width}} : {criterion}", rule]
    lines += [f"{rank:>4} : {name:<{width}} : {value:3.3e}" for rank, (name, value) in enumerate(rows, start=1)]
    return "\n".join([*lines, rule])


def statistics_table(rows: Sequence[VariableStatistics]) -> str:
    """Return mean, RMS and range of each variable."""
    width = max(len("Variable"), *(len(row.name) for row in rows))
    rule = "-" * (width + 70)
    head = f"{'Variable':>{width}}  {'Mean':>14}  {'RMS':>14}  [{'Min':>14}  {'Max':>14} ]"
    lines = [rule, head, rule]
    for row in rows:
        numbers = f"{row.mean:>14.5g}  {row.rms:>14.5g}  [{row.minimum:>14.5g}  {row.maximum:>14.5g} ]"
        lines.append(f"{row.name:>{width}}: {numbers}")
    return "\n".join([*lines, rule])


def _with_error(value: float, error: float) -> str:
    """Write a value and, in brackets, its uncertainty in units of the last digit, as TMVA does."""
    return f"{value:.3f}({round(1000 * error):02d})" if error == error else f"{value:.3f}(--)"  # noqa: PLR0124 - not a number


def _efficiency(efficiency: EfficiencyAtBackground) -> str:
    return _with_error(efficiency.value, efficiency.error)


def evaluation_table(results: Sequence[ClassificationResult]) -> str:
    """Return "Evaluation results ranked by best signal efficiency and purity (area)".

    The ROC integral is the exact, weighted one of the test sample, with its uncertainty in brackets.
    """
    points = results[0].efficiencies
    columns = "  ".join(f"{f'@B={p.background_efficiency:.2f}':<9}" for p in points)
    rule = "-" * _WIDTH
    lines = [
        "Evaluation results ranked by best signal efficiency and purity (area)",
        rule,
        f"{'DataSet':<20} {'MVA':<15}  {'Signal efficiency at bkg eff.(error):':<{len(columns) + 15}}| Sepa-    Signifi-",
        f"{'Name:':<20} {'Method:':<15}  {columns}    {'ROC-integ':<11}| ration:  cance:",
        rule,
    ]
    for r in sorted(results, key=lambda r: -r.auc):
        efficiencies = "  ".join(f"{_efficiency(e):<9}" for e in r.efficiencies)
        lines.append(
            f"{r.dataset:<20} {r.title:<15}: {efficiencies}    {_with_error(r.auc, r.auc_error):<11}"
            f"| {r.separation:<7.3f}  {r.significance:.3f}"
        )
    return "\n".join([*lines, rule])


def overtraining_table(results: Sequence[ClassificationResult]) -> str:
    """Return "Testing efficiency compared to training efficiency (overtraining check)", with the K-S probabilities."""
    points = results[0].efficiencies
    columns = "  ".join(f"{f'@B={p.background_efficiency:.2f}':<17}" for p in points)
    rule = "-" * _WIDTH
    lines = [
        "Testing efficiency compared to training efficiency (overtraining check)",
        rule,
        f"{'DataSet':<20} {'MVA':<15}  {'Signal efficiency: from test sample (from training sample)':<{len(columns)}}  K-S probability",
        f"{'Name:':<20} {'Method:':<15}  {columns}  signal (backgr.)",
        rule,
    ]
    for r in sorted(results, key=lambda r: -r.auc):
        trained = r.efficiencies_train or ()
        pairs = "  ".join(
            f"{f'{test.value:.3f} ({train.value:.3f})':<17}"
            for test, train in zip(r.efficiencies, trained, strict=True)
        )
        ks = f"{r.ks[0]:.3f} ({r.ks[1]:.3f})" if r.ks else ""
        lines.append(f"{r.dataset:<20} {r.title:<15}: {pairs}  {ks}")
    return "\n".join([*lines, rule])


def result_tables(results: Sequence[ClassificationResult | MulticlassResult | RegressionResult]) -> list[str]:
    """Return the tables that TMVA prints of these results, those of each analysis together."""
    tables = []
    if classified := [r for r in results if isinstance(r, ClassificationResult)]:
        tables += [evaluation_table(classified), overtraining_table(classified)]
    if sorted_out := [r for r in results if isinstance(r, MulticlassResult)]:
        tables += [working_point_table(sorted_out), one_vs_rest_table(sorted_out), confusion_table(sorted_out)]
    if estimated := [r for r in results if isinstance(r, RegressionResult)]:
        tables += [regression_table(estimated), regression_table(estimated, training=True)]
    return tables


def working_point_table(results: Sequence[MulticlassResult]) -> str:
    """Return "Evaluation results ranked by best signal efficiency times signal purity", of each class.

    The uncertainty is in brackets. Ranked by the mean of all classes, where TMVA keeps the order of booking.
    """
    lines = ["Evaluation results ranked by best signal efficiency times signal purity"]
    for classes, group in _by_dataset(results):
        columns = "".join(f" {name:<14}" for name in classes)
        header = f"{'DataSet Name':<16} {'MVA Method':<15}{columns}".rstrip()
        rule = "-" * max(103, len(header))
        lines += [rule, header, rule]
        for r in sorted(group, key=lambda r: -sum(point.product for point in r.working_points)):
            products = "".join(f" {_with_error(p.product, p.product_error):<14}" for p in r.working_points)
            lines.append(f"{f'[{r.dataset:<14}]':<16} {r.title:<15}{products}".rstrip())
        lines.append(rule)
    return "\n".join(lines)


def one_vs_rest_table(results: Sequence[MulticlassResult]) -> str:
    """Return "1-vs-rest performance metrics per class": ROC integral and signal efficiencies, test (training).

    The integrals are exact and weighted, with the uncertainty in further brackets. A last line for each method tells
    how many events have their largest response for their own class.
    """
    points = results[0].background_efficiencies
    heads = ["ROC AUC", *(f"Sig eff@B={b:.2f}" for b in points)]
    rule = "-" * max(103, 30 + _CELL * len(heads))
    lines = [
        "1-vs-rest performance metrics per class",
        rule,
        "Considers the listed class as signal and the other classes",
        "as background, reporting the resulting binary performance.",
        "A score of 0.820(12) (0.850) means 0.820 +- 0.012 was achieved on the",
        "test set and 0.850 on the training set.",
        "",
        f"{'Dataset':<15}{'MVA Method':<15}{_cells(heads)}".rstrip(),
        f"{'Name:':<15}{'/ Class:':<15}{_cells(['test  (train)'] * len(heads))}".rstrip(),
    ]
    for r in results:
        lines += ["", f"{r.dataset:<15}{r.title:<15}".rstrip(), "-" * 30]
        for i, name in enumerate(r.classes):
            roc = r.test.one_vs_rest[i]
            trained = None if r.train is None else r.train.one_vs_rest[i].area
            cells = [_tested(roc.area, roc.area_error, trained)]
            for j, efficiency in enumerate(r.test.efficiencies[i]):
                trained = None if r.train is None else r.train.efficiencies[i][j].value
                cells.append(_tested(efficiency.value, efficiency.error, trained))
            lines.append(f"{'':<15}{name:<14} {_cells(cells)}".rstrip())
        accuracy = _tested(r.accuracy, r.accuracy_error, None if r.train is None else r.train.accuracy)
        lines.append(f"{'':<15}largest response is that for the own class: {accuracy}")
    return "\n".join([*lines, rule])


def confusion_table(results: Sequence[MulticlassResult]) -> str:
    """Return "Confusion matrices for all methods": signal efficiencies of each class against each, test (training)."""
    lines = [
        "Confusion matrices for all methods",
        "-" * 103,
        "Does a binary comparison between the two classes given by a",
        "particular row-column combination. In each case, the class",
        "given by the row is considered signal while the class given",
        "by the column index is considered background.",
    ]
    for r in results:
        lines += ["", f"=== Showing confusion matrix for method : {r.title}"]
        for i, reference in enumerate(r.background_efficiencies):
            lines += [
                f"(Signal Efficiency for Background Efficiency {reference:.2f})",
                "-" * 51,
                *_matrix(r.test.confusion[i], None if r.train is None else r.train.confusion[i]),
                "",
            ]
    return "\n".join([*lines, "-" * 103])


def _matrix(test: ClassMatrix, train: ClassMatrix | None) -> Iterator[str]:
    """Yield the lines of a matrix."""
    yield f"{'':<15} {_cells(test.classes)}".rstrip()
    yield f"{'':<15} {_cells(['test  (train)'] * len(test.classes))}".rstrip()
    for i, name in enumerate(test.classes):
        cells = [
            "-"
            if i == j
            else _tested(test.values[i, j], test.errors[i, j], None if train is None else train.values[i, j])
            for j in range(len(test.classes))
        ]
        yield f"{name:<15} {_cells(cells)}".rstrip()


def _cells(texts: Sequence[str]) -> str:
    return "".join(f"{text:<{_CELL - 1}} " for text in texts)


def _tested(value: float, error: float, trained: float | None) -> str:
    """Write a number of the test sample with its uncertainty, and that of the training sample in brackets."""
    return _with_error(value, error) + ("" if trained is None else f" ({trained:.3f})")


def _by_dataset(results: Sequence[MulticlassResult]) -> Iterator[tuple[tuple[str, ...], list[MulticlassResult]]]:
    """Yield the classes and the results of every dataset."""
    for key in dict.fromkeys((r.dataset, r.classes) for r in results):
        yield key[1], [r for r in results if (r.dataset, r.classes) == key]


def regression_table(results: Sequence[RegressionResult], *, training: bool = False) -> str:
    """Return "Evaluation results ranked by smallest RMS on test sample", or that on the training sample.

    Bias and RMS have their uncertainties in brackets. The ranking is that of the RMS in the table, where TMVA ranks
    both by the mean absolute deviation in the test sample. Of several targets each has a line.

    Parameters
    ----------
    results : sequence of RegressionResult
    training : bool
        Show the training sample; results without one are left out.
    """
    numbers = f"{'<Bias>':>9} {'(error)':<9}{'<Bias_T>':>9}{'RMS':>9} {'(error)':<9}{'RMS_T':>9}"
    header = f"{'DataSet Name:':<20} {'MVA Method:':<15} {numbers}  |  MutInf MutInf_T"
    rule = "-" * len(header)
    lines = [f"Evaluation results ranked by smallest RMS on {'training' if training else 'test'} sample:"]
    if training:
        lines.append("(overtraining check)")
    else:
        lines += [
            '("Bias" quotes the mean deviation of the regression from true target.',
            ' "MutInf" is the "Mutual Information" between regression and target.',
            ' Indicated by "_T" are the corresponding "truncated" quantities ob-',
            " tained when removing events deviating more than 2sigma from average.)",
        ]
    lines += [rule, header, rule]
    rows = [(i, part, r) for r in results for i, part in enumerate((r.train or ()) if training else r.test)]
    for _, part, r in sorted(rows, key=lambda row: (row[2].dataset, row[0], row[1].full.rms)):
        full, truncated = part.full, part.truncated
        title = r.title if len(r.targets) == 1 else f"{r.title} ({part.name})"
        lines.append(
            f"{r.dataset:<20} {title:<15}:{full.bias:#9.3g} {f'({full.bias_error:.2g})':<9}{truncated.bias:#9.3g}"
            f"{full.rms:#9.3g} {f'({full.rms_error:.2g})':<9}{truncated.rms:#9.3g}"
            f"  |  {full.mutual_information:#5.3f}  {truncated.mutual_information:#5.3f}"
        )
    return "\n".join([*lines, rule])

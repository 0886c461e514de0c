"""The tables that a training prints, in TMVA's words and columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mvakit.evaluation import ClassificationResult, EfficiencyAtBackground, VariableStatistics

__all__ = ["evaluation_table", "overtraining_table", "ranking_table", "statistics_table"]

_WIDTH: Final = 115


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

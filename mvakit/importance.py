"""How good a trained model of whatever method is with one variable less, or after fewer stages of its training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mvakit.dataset import Sample
from mvakit.errors import DataError
from mvakit.method import Ranking
from mvakit.model import Model
from mvakit.scores import larger_is_better, score, score_title

__all__ = ["PermutationImportance", "permutation_importance", "staged_scores"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class PermutationImportance:
    """How much worse a model answers if the values of one variable are dealt out anew among the events.

    Attributes
    ----------
    score_title : str
        ``"ROC integral"``, its mean over one class against the rest, or ``"RMS of the deviations"``.
    score : float
        Of the sample as it is.
    variables : tuple of str
        Labels.
    losses : ndarray of float64, shape (n_variables, n_repeats)
        By how much the score was worse each time; negative where chance made it better.
    """

    score_title: str
    score: float
    variables: tuple[str, ...]
    losses: FloatArray

    @property
    def importance(self) -> FloatArray:
        """The mean loss of each variable."""
        return np.asarray(self.losses.mean(axis=1))

    @property
    def error(self) -> FloatArray:
        """The standard error of that mean by chance in the permutations; nan of a single one."""
        n = self.losses.shape[1]
        if n < 2:
            return np.full(len(self.losses), np.nan)
        return np.asarray(self.losses.std(axis=1, ddof=1) / np.sqrt(n))

    def ranking(self) -> Ranking:
        """Return the variables with their mean losses."""
        return Ranking(f"Loss of {self.score_title}", tuple(zip(self.variables, self.importance.tolist(), strict=True)))

    def __repr__(self) -> str:
        rows = sorted(zip(self.importance, self.error, self.variables, strict=True), reverse=True)
        found = ", ".join(f"{name} {value:.4f} ± {error:.4f}" for value, error, name in rows)
        return f"PermutationImportance({self.score_title} {self.score:.4f}; {found})"


def permutation_importance(model: Model, sample: Sample, *, repeats: int = 5, seed: int = 1) -> PermutationImportance:
    """Measure how much a model needs each variable (Breiman, Machine Learning 45 (2001) 5).

    The values of one variable are permuted among the events, which leaves its distribution and breaks its correlations
    with the class or target and with other variables. Of variables that tell the same, each may seem of little importance.

    Parameters
    ----------
    model : Model
    sample : Sample
        Best the test sample; it is as large in memory once more.
    repeats : int
        Permutations of each variable.
    seed : int

    Raises
    ------
    DataError
        If `repeats` is less than 1, the model cannot answer the events, or a class has none.
    """
    if repeats < 1:
        raise DataError(f"an importance takes one permutation or more of each variable, not {repeats}")
    rng = np.random.default_rng(seed)
    sign = 1.0 if larger_is_better(model.analysis) else -1.0
    spectators = sample.spectator_columns()
    X = np.array(sample.X, np.float32)
    before = score(model.analysis, model.predict(X, spectators), sample)
    losses = np.empty((X.shape[1], repeats))
    for j in range(X.shape[1]):
        kept = X[:, j].copy()
        for k in range(repeats):
            X[:, j] = rng.permutation(kept)
            losses[j, k] = sign * (before - score(model.analysis, model.predict(X, spectators), sample))
        X[:, j] = kept
    return PermutationImportance(score_title(model.analysis), before, tuple(v.label for v in model.variables), losses)


def staged_scores(model: Model, sample: Sample, stages: Sequence[int] | None = None) -> FloatArray:
    """Return the score of a model's response to a sample after each stage of its training: see `Model.staged_predict`.

    Parameters
    ----------
    model : Model
    sample : Sample
    stages : sequence of int, optional
        By default all.

    Returns
    -------
    ndarray of float64, shape (n_stages,)
        The ROC integral; of several classes its mean over one against the rest; of a regression the RMS of the deviations.

    Raises
    ------
    MethodError
        If the method has no stages.
    DataError
        If the model cannot answer the events, or a class has none.
    """
    return np.array([score(model.analysis, found, sample) for found in model.staged_predict(sample.X, stages)])

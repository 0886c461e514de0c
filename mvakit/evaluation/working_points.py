"""Cuts on all responses of a multiclass method at once that select one class best.

TMVA's figure of merit for several classes is the largest signal efficiency times purity that any set of one cut on
each response reaches, from above or from below. TMVA looks for it with a genetic algorithm, whose result depends on
chance; here the cuts are improved one after the other, each to its exact optimum among all events, which is quicker,
repeatable, and finds at least as much.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mvakit.evaluation.outputs import MulticlassSample
from mvakit.evaluation.samples import FloatArray, IndexArray

__all__ = ["ScoreCut", "WorkingPoint", "best_working_points", "working_point"]

BoolArray = NDArray[np.bool_]

# Improvements below this relative size are not worth another round.
SMALLEST_GAIN = 1e-6
# The number of starts, and of events of a class that choose among them.
STARTS = 4
SEARCHED = 5000
SEED = 1


@dataclass(frozen=True, slots=True)
class ScoreCut:
    """A cut on the response for one class.

    Attributes
    ----------
    output : int
        The class whose response is cut on.
    name : str
        Its name.
    threshold : float
    above : bool
        True where ``score > threshold`` passes, False where ``score <= threshold`` does.
    """

    output: int
    name: str
    threshold: float
    above: bool

    def passes(self, scores: FloatArray) -> BoolArray:
        """Return which events pass, for scores of shape (n, k)."""
        column = scores[:, self.output]
        return np.asarray(column > self.threshold if self.above else column <= self.threshold)

    def __str__(self) -> str:
        return f"{self.name} {'>' if self.above else '<='} {self.threshold:.6g}"


@dataclass(frozen=True, slots=True)
class WorkingPoint:
    """A selection of one class by cuts on the responses, and what it achieves.

    Attributes
    ----------
    name : str
        The class that is selected.
    cuts : tuple of ScoreCut
        All of them are to be passed; responses that are not named are not cut on.
    efficiency, purity, product : float
        Selected fraction of the class, fraction of the class in what is selected, and the product of both. Where
        negative weights make the rest of what is selected sum to less than nothing, the purity is 1.
    efficiency_error, purity_error, product_error : float
        Statistical uncertainties for cuts that were fixed beforehand.
    """

    name: str
    cuts: tuple[ScoreCut, ...]
    efficiency: float
    efficiency_error: float
    purity: float
    purity_error: float
    product: float
    product_error: float

    def __str__(self) -> str:
        return (
            f"{self.name}: efficiency {self.efficiency:.4f} ± {self.efficiency_error:.4f}, "
            f"purity {self.purity:.4f} ± {self.purity_error:.4f} with {', '.join(map(str, self.cuts)) or 'no cut'}"
        )


def working_point(sample: MulticlassSample, signal: int, cuts: Sequence[ScoreCut]) -> WorkingPoint:
    """Return what cuts achieve on a sample.

    Parameters
    ----------
    sample : MulticlassSample
    signal : int
        The class that is to be selected.
    cuts : sequence of ScoreCut
        Found on another sample, if the result is to be unbiased.

    Notes
    -----
    With s, f and b the sums of weights of signal that passes, signal that fails and background that passes, all
    independent, of variances V (sums of squared weights), the efficiency e = s / (s + f) and the purity
    p = s / (s + b) have the variances ((1 - e)^2 V_s + e^2 V_f) / (s + f)^2 and ((1 - p)^2 V_s + p^2 V_b) / (s + b)^2,
    and their product has (e p)^2 [ (2/s - 1/(s + f) - 1/(s + b))^2 V_s + V_f / (s + f)^2 + V_b / (s + b)^2 ].
    """
    passed = np.ones(len(sample), dtype=np.bool_)
    for cut in cuts:
        passed &= cut.passes(sample.scores)
    is_signal = sample.class_index == signal
    s, v_s = _sums(sample.weights[passed & is_signal])
    f, v_f = _sums(sample.weights[~passed & is_signal])
    b, v_b = _sums(sample.weights[passed & ~is_signal])
    total, selected = s + f, s + max(b, 0.0)
    e, e_error = s / total, _root((1.0 - s / total) ** 2 * v_s + (s / total) ** 2 * v_f) / total
    if not s > 0.0:
        return WorkingPoint(sample.classes[signal], tuple(cuts), e, e_error, 0.0, 0.0, 0.0, 0.0)
    p, p_error = s / selected, _root((1.0 - s / selected) ** 2 * v_s + (s / selected) ** 2 * v_b) / selected
    relative = (2.0 / s - 1.0 / total - 1.0 / selected) ** 2 * v_s + v_f / total**2 + v_b / selected**2
    return WorkingPoint(sample.classes[signal], tuple(cuts), e, e_error, p, p_error, e * p, e * p * _root(relative))


def best_working_points(sample: MulticlassSample) -> tuple[WorkingPoint, ...]:
    """Return, for every class, the cuts on all responses with the largest efficiency times purity.

    As in TMVA the cuts are found on the sample on which their merit is measured, which flatters it the more, the
    fewer the events.

    Parameters
    ----------
    sample : MulticlassSample

    Returns
    -------
    tuple of WorkingPoint, length k
        The best of several points that no change of any one cut improves by more than a millionth. Where a class has more than 5000 events,
        5000 of them, always the same, choose among these points; the cuts are then improved on all events.
    """
    everything = _Ranked.of(sample)
    few = _thinned(sample)
    search = everything if few is sample else _Ranked.of(few)
    points = []
    for signal in range(len(sample.classes)):
        cuts = search.best_cuts(signal)
        if search is not everything:
            cuts = everything.ascend(signal, search.order(signal), cuts)[1]
        points.append(working_point(sample, signal, cuts))
    return tuple(points)


def _thinned(sample: MulticlassSample) -> MulticlassSample:
    """Return the sample with no more than `SEARCHED` events of a class, chosen evenly, which stand for all."""
    generator = np.random.default_rng(SEED)
    chosen, factors = [], []
    for true in range(len(sample.classes)):
        rows = np.flatnonzero(sample.class_index == true)
        kept = generator.choice(rows, SEARCHED, replace=False) if len(rows) > SEARCHED else rows
        chosen.append(kept)
        factors.append(np.full(len(kept), len(rows) / len(kept)))
    rows = np.concatenate(chosen)
    if len(rows) == len(sample):
        return sample
    weights = sample.weights[rows] * np.concatenate(factors)
    return MulticlassSample(sample.classes, sample.scores[rows], sample.class_index[rows], weights)


@dataclass(frozen=True, slots=True, eq=False)
class _Ranked:
    """A sample with its responses as ranks, so that two histograms of them tell the merit of every cut on one.

    Attributes
    ----------
    levels : list of ndarray
        The distinct responses for each class, in ascending order.
    ranks : list of ndarray
        Where the events lie among them.
    """

    sample: MulticlassSample
    levels: list[FloatArray]
    ranks: list[IndexArray]

    @classmethod
    def of(cls, sample: MulticlassSample) -> _Ranked:
        pairs = [np.unique(column, return_inverse=True) for column in sample.scores.T]
        return cls(sample, [levels for levels, _ in pairs], [ranks.reshape(-1) for _, ranks in pairs])

    def order(self, signal: int, start: int = 0) -> list[int]:
        """Return in which order responses are cut on: the `start`-th after the class's own first."""
        count = len(self.sample.classes)
        return [(signal + start + i) % count for i in range(count)]

    def best_cuts(self, signal: int) -> tuple[ScoreCut, ...]:
        """Return the best cuts for a class from several starts; of equal ones the first."""
        starts = range(min(len(self.sample.classes), STARTS))
        return max((self.ascend(signal, self.order(signal, start)) for start in starts), key=lambda found: found[0])[1]

    def ascend(
        self, signal: int, order: Sequence[int], start: Sequence[ScoreCut] = ()
    ) -> tuple[float, tuple[ScoreCut, ...]]:
        """Improve one cut after the other until none can be improved; return the merit as well."""
        scores = self.sample.scores
        is_signal = self.sample.class_index == signal
        cuts = {cut.output: cut for cut in start}
        passes = {output: cut.passes(scores) for output, cut in cuts.items()}
        merit, improved = 0.0, True
        while improved:
            improved = False
            for output in order:
                others = np.ones(len(scores), dtype=np.bool_)
                for other, passed in passes.items():
                    if other != output:
                        others &= passed
                found, cut = self._best_cut(output, others, is_signal)
                if found > merit * (1.0 + SMALLEST_GAIN):
                    merit, improved = found, True
                    cuts.pop(output, None)
                    passes.pop(output, None)
                    if cut is not None:
                        cuts[output], passes[output] = cut, cut.passes(scores)
        return merit, tuple(cuts[output] for output in sorted(cuts))

    def _best_cut(self, output: int, counted: BoolArray, is_signal: BoolArray) -> tuple[float, ScoreCut | None]:
        """Return the best cut on one response for the events that are counted, and its merit."""
        levels, ranks, weights = self.levels[output], self.ranks[output], self.sample.weights
        signal, background = (
            np.cumsum(np.bincount(ranks[chosen], weights[chosen], minlength=len(levels)), dtype=np.float64)
            for chosen in (counted & is_signal, counted & ~is_signal)
        )
        below = _merit(signal, background)
        above = _merit(signal[-1] - signal[:-1], background[-1] - background[:-1])
        # The last cut from above lets everything pass: it is none.
        best, cut = float(below[-1]), None
        for merits, is_above in ((below[:-1], False), (above, True)):
            if len(merits) and float(merits.max()) > best:
                at = int(np.argmax(merits))
                best = float(merits[at])
                cut = ScoreCut(output, self.sample.classes[output], _between(levels[at], levels[at + 1]), is_above)
        return best, cut


def _merit(signal: FloatArray, background: FloatArray) -> FloatArray:
    """Return signal times purity, which is efficiency times purity but for a constant."""
    selected = signal + np.maximum(background, 0.0)
    merit = np.zeros(len(signal))
    np.divide(signal * signal, selected, out=merit, where=signal > 0.0)
    return merit


def _between(low: float, high: float) -> float:
    """Return the middle of two numbers; never the upper one, which is to lie above."""
    middle = float(0.5 * low + 0.5 * high)
    return middle if middle < high else float(low)


def _sums(weights: FloatArray) -> tuple[float, float]:
    return float(weights.sum()), float(np.dot(weights, weights))


def _root(value: float) -> float:
    return float(max(value, 0.0) ** 0.5)

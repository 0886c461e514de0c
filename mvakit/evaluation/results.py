"""What evaluating a classifier yields: plain frozen values with their uncertainties."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from mvakit.errors import DataError
from mvakit.evaluation.samples import FloatArray

__all__ = [
    "ClassificationResult",
    "EfficiencyAtBackground",
    "KolmogorovSmirnov",
    "RocCurve",
    "TmvaEstimates",
]


@dataclass(frozen=True, slots=True)
class EfficiencyAtBackground:
    """Signal efficiency at a given background efficiency.

    Attributes
    ----------
    background_efficiency : float
        Where on the curve.
    value, error : float
        The signal efficiency and its standard uncertainty.
    """

    background_efficiency: float
    value: float
    error: float

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        return f"{self.value:.4f} ± {self.error:.4f}"


@dataclass(frozen=True, slots=True)
class KolmogorovSmirnov:
    """Result of a two-sample Kolmogorov-Smirnov test.

    Attributes
    ----------
    distance : float
        Largest difference of the two cumulative distributions.
    probability : float
        Probability of a distance at least as large when both samples come from one distribution.
    """

    distance: float
    probability: float

    def __float__(self) -> float:
        return self.probability


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RocCurve:
    """The exact, weighted receiver operating characteristic: efficiencies as the cut sweeps over every event.

    The curve starts at (0, 0), where nothing is selected, and ends at (1, 1). Negative weights can make it step back
    and leave [0, 1] on the way.

    Attributes
    ----------
    signal_efficiency, background_efficiency : ndarray, shape (n,)
        Selected fractions of the sums of weights.
    thresholds : ndarray, shape (n,)
        Selected at point i is ``score >= thresholds[i]`` (``<=`` for orientation -1). The first one is infinite.
    area, area_error : float
        Area under signal efficiency versus background efficiency, and its standard uncertainty; NaN where a class
        amounts to no more than one event.
    effective_signal, effective_background : float
        Effective numbers of events, (sum w)^2 / sum w^2.
    orientation : int
        +1 when large scores are selected, -1 when small ones are.
    """

    signal_efficiency: FloatArray
    background_efficiency: FloatArray
    thresholds: FloatArray
    area: float
    area_error: float
    effective_signal: float
    effective_background: float
    orientation: int = 1

    @property
    def background_rejection(self) -> FloatArray:
        """1 - background efficiency, at each point."""
        return 1.0 - self.background_efficiency

    @property
    def inverse_background_efficiency(self) -> FloatArray:
        """1 / background efficiency, infinite where no background is selected."""
        inverse = np.full_like(self.background_efficiency, np.inf)
        np.divide(1.0, self.background_efficiency, out=inverse, where=self.background_efficiency != 0.0)
        return inverse

    def signal_efficiency_at(self, background_efficiency: float) -> EfficiencyAtBackground:
        """Return the signal efficiency at a background efficiency, interpolated linearly.

        Where the curve is vertical the upper end counts; where negative weights make it cross several times, the
        crossing at the tightest cut.

        The uncertainty has two parts: the binomial one of the signal that passes, and that of the cut itself, which
        is fixed by a limited number of background events. For the second, the background efficiency is moved by its
        own binomial uncertainty and half the change in signal efficiency is taken.

        Parameters
        ----------
        background_efficiency : float
            Between 0 and 1.
        """
        target = _fraction(background_efficiency, "background efficiency")
        value = self._interpolate(self.background_efficiency, self.signal_efficiency, target)
        binomial = max(value * (1.0 - value), 0.0) / self.effective_signal
        step = (target * (1.0 - target) / self.effective_background) ** 0.5
        upper = self._interpolate(self.background_efficiency, self.signal_efficiency, min(target + step, 1.0))
        lower = self._interpolate(self.background_efficiency, self.signal_efficiency, max(target - step, 0.0))
        return EfficiencyAtBackground(target, value, (binomial + (0.5 * (upper - lower)) ** 2) ** 0.5)

    def background_efficiency_at(self, signal_efficiency: float) -> float:
        """Return the smallest background efficiency at which the signal efficiency is reached."""
        target = _fraction(signal_efficiency, "signal efficiency")
        reached = int(np.argmax(self.signal_efficiency >= target))
        if reached == 0:
            return float(self.background_efficiency[0])
        s0, s1 = self.signal_efficiency[reached - 1 : reached + 1]
        b0, b1 = self.background_efficiency[reached - 1 : reached + 1]
        return float(b0 + (b1 - b0) * (target - s0) / (s1 - s0))

    @staticmethod
    def _interpolate(x: FloatArray, y: FloatArray, target: float) -> float:
        beyond = x > target
        first = int(np.argmax(beyond))
        if not beyond[first]:
            return float(y[-1])
        fraction = (target - x[first - 1]) / (x[first] - x[first - 1])
        return float(y[first - 1] + fraction * (y[first] - y[first - 1]))

    def __repr__(self) -> str:
        return f"RocCurve(area={self.area:.4f} ± {self.area_error:.4f}, {len(self.thresholds)} points)"


def _fraction(value: float, what: str) -> float:
    if not 0.0 <= value <= 1.0:
        raise DataError(f"a {what} lies between 0 and 1, not at {value}")
    return float(value)


@dataclass(frozen=True, slots=True)
class TmvaEstimates:
    """The numbers of TMVA's evaluation tables, estimated as TMVA does, from its histograms.

    They differ from the exact ones by binning (order 1e-3, more where scores are tied). Whether the training
    efficiencies are those of the training sample alone or TMVA's own, which take the cuts from the test sample,
    depends on how the histograms were made: see `training_cuts` of `response_histograms`.

    Attributes
    ----------
    roc_integral : float
        TMVA's ``ROC-integ``.
    efficiencies : tuple of EfficiencyAtBackground
        TMVA's ``@B=0.01``, ``@B=0.10``, ``@B=0.30``; the uncertainty is the binomial one with the sum of signal
        weights for the number of events.
    training_efficiencies : tuple of float, or None
        TMVA's ``(from training sample)``, when the histograms have one.
    separation : float
        TMVA's ``Separation`` of the responses.
    """

    roc_integral: float
    efficiencies: tuple[EfficiencyAtBackground, ...]
    training_efficiencies: tuple[float, ...] | None
    separation: float


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ClassificationResult:
    """Everything measured on the response of one two-class classifier.

    Attributes
    ----------
    title, method_type, dataset : str
        The booked title, TMVA's name of the method type, and the DataLoader's name.
    roc : RocCurve
        From the test sample.
    efficiencies : tuple of EfficiencyAtBackground
        Signal efficiencies of the test sample, at 0.01, 0.10 and 0.30 unless other points were asked for.
    separation, significance : float
        Of the test sample: half the integral of (s - b)^2 / (s + b), and the difference of the means over the
        quadratic sum of the RMS.
    mean_signal, rms_signal, mean_background, rms_background : float
        Weighted moments of the response in the test sample.
    roc_train, efficiencies_train : as above, or None
        From the training sample, where there is one.
    ks_signal, ks_background : float or None
        Kolmogorov-Smirnov probability, test against training sample, of each class (unbinned, weighted).
    """

    title: str
    method_type: str
    dataset: str
    roc: RocCurve
    efficiencies: tuple[EfficiencyAtBackground, ...]
    separation: float
    significance: float
    mean_signal: float
    rms_signal: float
    mean_background: float
    rms_background: float
    roc_train: RocCurve | None = None
    efficiencies_train: tuple[EfficiencyAtBackground, ...] | None = None
    ks_signal: float | None = None
    ks_background: float | None = None

    @property
    def auc(self) -> float:
        """Area under the ROC curve of the test sample."""
        return self.roc.area

    @property
    def auc_error(self) -> float:
        """Standard uncertainty of `auc`."""
        return self.roc.area_error

    @property
    def auc_train(self) -> float | None:
        """Area under the ROC curve of the training sample."""
        return None if self.roc_train is None else self.roc_train.area

    @property
    def auc_train_error(self) -> float | None:
        """Standard uncertainty of `auc_train`."""
        return None if self.roc_train is None else self.roc_train.area_error

    @property
    def ks(self) -> tuple[float, float] | None:
        """Kolmogorov-Smirnov probabilities of signal and background."""
        if self.ks_signal is None or self.ks_background is None:
            return None
        return self.ks_signal, self.ks_background

    @property
    def orientation(self) -> int:
        """+1 when signal has the larger mean response, -1 otherwise."""
        return self.roc.orientation

    def _rows(self) -> Iterable[tuple[str, str, str]]:
        """Quantity, test sample, training sample."""
        train = "" if self.roc_train is None else f"{self.roc_train.area:.4f} ± {self.roc_train.area_error:.4f}"
        yield "ROC integral", f"{self.auc:.4f} ± {self.auc_error:.4f}", train
        for i, efficiency in enumerate(self.efficiencies):
            train = "" if self.efficiencies_train is None else str(self.efficiencies_train[i])
            yield f"signal efficiency at B={efficiency.background_efficiency:.2f}", str(efficiency), train
        yield "separation", f"{self.separation:.3f}", ""
        yield "significance", f"{self.significance:.3f}", ""
        if self.ks is not None:
            yield "K-S probability, signal", f"{self.ks[0]:.3g}", ""
            yield "K-S probability, background", f"{self.ks[1]:.3g}", ""

    def __repr__(self) -> str:
        train = "" if self.auc_train is None else f", train {self.auc_train:.4f} ± {self.auc_train_error:.4f}"
        return (
            f"ClassificationResult({self.title!r} [{self.method_type}] of {self.dataset!r}: "
            f"AUC {self.auc:.4f} ± {self.auc_error:.4f}{train})"
        )

    def __str__(self) -> str:
        lines = [f"{self.title} ({self.method_type}), dataset {self.dataset}"]
        lines += [f"  {name:<29} {test:<17} {train}".rstrip() for name, test, train in self._rows()]
        return "\n".join(lines)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        from mvakit.display import mimebundle

        return mimebundle(self)

    def _repr_html_(self) -> str:
        head = escape(f"{self.title} ({self.method_type}), dataset {self.dataset}")
        rows = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(test)}</td><td>{escape(train)}</td></tr>"
            for name, test, train in self._rows()
        )
        return (
            f"<table><caption>{head}</caption>"
            f"<thead><tr><th></th><th>test</th><th>training</th></tr></thead><tbody>{rows}</tbody></table>"
        )

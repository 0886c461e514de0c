"""What evaluating a regression yields: plain frozen values with their uncertainties."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

from mvakit.errors import DataError, did_you_mean

__all__ = ["Deviation", "RegressionResult", "TargetDeviation"]


@dataclass(frozen=True, slots=True)
class Deviation:
    """How far the estimates of a target are off in a sample.

    Attributes
    ----------
    bias, bias_error : float
        Weighted mean of estimate minus true value, and its standard uncertainty.
    rms, rms_error : float
        Weighted root mean square deviation from the bias, and its standard uncertainty.
    mean_absolute : float
        Weighted mean of the modulus of estimate minus true value.
    mutual_information, mutual_information_error : float
        Between estimate and true value, in units of the natural logarithm; see `mutual_information`.
    """

    bias: float
    bias_error: float
    rms: float
    rms_error: float
    mean_absolute: float
    mutual_information: float
    mutual_information_error: float

    def __str__(self) -> str:
        return f"bias {self.bias:.4g} ± {self.bias_error:.2g}, RMS {self.rms:.4g} ± {self.rms_error:.2g}"


@dataclass(frozen=True, slots=True)
class TargetDeviation:
    """How far the estimates of one target are off.

    Attributes
    ----------
    name : str
        The target.
    full : Deviation
        Over all events.
    truncated : Deviation
        Over events whose deviation is within two RMS of the bias: TMVA's columns ``_T``. The uncertainties are those
        for limits that were fixed beforehand.
    """

    name: str
    full: Deviation
    truncated: Deviation


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RegressionResult:
    """Everything measured on the estimates of one regression.

    Attributes
    ----------
    title, method_type, dataset : str
        The booked title, TMVA's name of the method type, and the DataLoader's name.
    targets : tuple of str, length t
    test : tuple of TargetDeviation, length t
    train : tuple of TargetDeviation, length t, or None
        On the training sample, where there is one.
    """

    title: str
    method_type: str
    dataset: str
    targets: tuple[str, ...]
    test: tuple[TargetDeviation, ...]
    train: tuple[TargetDeviation, ...] | None = None

    @property
    def bias(self) -> float:
        """Bias of the first target in the test sample."""
        return self.test[0].full.bias

    @property
    def rms(self) -> float:
        """RMS of the first target in the test sample."""
        return self.test[0].full.rms

    @property
    def mutual_information(self) -> float:
        """Mutual information of estimates and true values of the first target in the test sample."""
        return self.test[0].full.mutual_information

    def of(self, name: str) -> TargetDeviation:
        """Return what was measured of a target on the test sample.

        Raises
        ------
        DataError
            If there is no such target.
        """
        if name not in self.targets:
            raise DataError(f"there is no target {name!r}; {did_you_mean(name, self.targets, noun='the targets')}")
        return self.test[self.targets.index(name)]

    def _rows(self) -> Iterable[tuple[str, str, str]]:
        """Quantity, test sample, training sample."""
        for i, part in enumerate(self.test):
            test = _quantities(part)
            train = [("", "")] * len(test) if self.train is None else _quantities(self.train[i])
            for (name, value), (_, trained) in zip(test, train, strict=True):
                yield f"{part.name}: {name}", value, trained

    def __repr__(self) -> str:
        targets = "; ".join(f"{part.name}: {part.full}" for part in self.test)
        return f"RegressionResult({self.title!r} [{self.method_type}] of {self.dataset!r}: {targets})"

    def __str__(self) -> str:
        rows = list(self._rows())
        width = max(len(name) for name, _, _ in rows) + 1
        lines = [f"{self.title} ({self.method_type}), dataset {self.dataset}"]
        lines += [f"  {name:<{width}} {test:<21} {train}".rstrip() for name, test, train in rows]
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


def _quantities(part: TargetDeviation) -> list[tuple[str, str]]:
    """Return what is shown of a target, and the numbers with their uncertainties."""
    rows = []
    for deviation, within in ((part.full, ""), (part.truncated, " within 2 sigma")):
        rows += [
            (f"bias{within}", f"{deviation.bias:.4g} ± {deviation.bias_error:.2g}"),
            (f"RMS{within}", f"{deviation.rms:.4g} ± {deviation.rms_error:.2g}"),
            (
                f"mutual information{within}",
                f"{deviation.mutual_information:.4g} ± {deviation.mutual_information_error:.2g}",
            ),
        ]
    return rows

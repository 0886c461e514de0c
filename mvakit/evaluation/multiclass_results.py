"""What evaluating a multiclass method yields: plain frozen values with their uncertainties."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import Any

from mvakit.errors import DataError, did_you_mean
from mvakit.evaluation.results import EfficiencyAtBackground, RocCurve
from mvakit.evaluation.samples import FloatArray
from mvakit.evaluation.working_points import WorkingPoint

__all__ = ["ClassMatrix", "MulticlassPerformance", "MulticlassResult"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class ClassMatrix:
    """A number for every pair of classes, with its uncertainty.

    Attributes
    ----------
    classes : tuple of str, length k
        Of the rows, and of the columns.
    values, errors : ndarray of float64, shape (k, k)
        NaN on the diagonal where a class cannot be compared with itself.
    """

    classes: tuple[str, ...]
    values: FloatArray
    errors: FloatArray

    def __post_init__(self) -> None:
        shape = (len(self.classes), len(self.classes))
        if self.values.shape != shape or self.errors.shape != shape:
            raise DataError(
                f"a matrix of {len(self.classes)} classes has shape {shape}, not {self.values.shape} with errors of "
                f"shape {self.errors.shape}"
            )
        self.values.flags.writeable = False
        self.errors.flags.writeable = False

    def of(self, row: str, column: str) -> tuple[float, float]:
        """Return value and uncertainty for two classes.

        Raises
        ------
        DataError
            If one of them does not exist.
        """
        i, j = class_number(row, self.classes), class_number(column, self.classes)
        return float(self.values[i, j]), float(self.errors[i, j])

    def __repr__(self) -> str:
        return f"ClassMatrix({', '.join(self.classes)})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MulticlassPerformance:
    """How well a multiclass method does on one sample.

    Attributes
    ----------
    classes : tuple of str, length k
    one_vs_rest : tuple of RocCurve, length k
        Each class as signal against all others, by the response for that class.
    efficiencies : tuple of tuple of EfficiencyAtBackground
        Signal efficiencies on these curves: by class, then by background efficiency.
    one_vs_one : ClassMatrix
        Area under the ROC curve of the row's class as signal against the column's class, by the response for the
        row's class. The curves themselves are made by `one_vs_one_curve` when they are wanted.
    confusion : tuple of ClassMatrix
        Signal efficiency on the same curves, one matrix for each background efficiency.
    assignments : ClassMatrix
        Fraction of the row's class whose largest response is that for the column's class.
    accuracy, accuracy_error : float
        Fraction of all events, as weighted in the sample, whose largest response is that for their own class.
    """

    classes: tuple[str, ...]
    one_vs_rest: tuple[RocCurve, ...]
    efficiencies: tuple[tuple[EfficiencyAtBackground, ...], ...]
    one_vs_one: ClassMatrix
    confusion: tuple[ClassMatrix, ...]
    assignments: ClassMatrix
    accuracy: float
    accuracy_error: float

    def roc(self, name: str) -> RocCurve:
        """Return the ROC curve of a class against all others.

        Raises
        ------
        DataError
            If there is no such class.
        """
        return self.one_vs_rest[class_number(name, self.classes)]

    def __repr__(self) -> str:
        areas = ", ".join(
            f"{name} {roc.area:.4f} ± {roc.area_error:.4f}"
            for name, roc in zip(self.classes, self.one_vs_rest, strict=True)
        )
        return f"MulticlassPerformance(accuracy {self.accuracy:.4f} ± {self.accuracy_error:.4f}; AUC {areas})"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class MulticlassResult:
    """Everything measured on the responses of one multiclass method.

    Attributes
    ----------
    title, method_type, dataset : str
        The booked title, TMVA's name of the method type, and the DataLoader's name.
    classes : tuple of str, length k
    background_efficiencies : tuple of float
        At which signal efficiencies are told.
    working_points : tuple of WorkingPoint, length k
        The cuts that select each class best, found and measured on the test sample.
    test : MulticlassPerformance
    train : MulticlassPerformance or None
        On the training sample, where there is one.
    ks : tuple of (float, float), length k, or None
        For the response for each class the Kolmogorov-Smirnov probability, test against training sample, of that
        class and of all others together (unbinned, weighted).
    """

    title: str
    method_type: str
    dataset: str
    classes: tuple[str, ...]
    background_efficiencies: tuple[float, ...]
    working_points: tuple[WorkingPoint, ...]
    test: MulticlassPerformance
    train: MulticlassPerformance | None = None
    ks: tuple[tuple[float, float], ...] | None = None

    @property
    def auc(self) -> tuple[float, ...]:
        """Area under the ROC curve of each class against all others, in the test sample."""
        return tuple(roc.area for roc in self.test.one_vs_rest)

    @property
    def auc_error(self) -> tuple[float, ...]:
        """Standard uncertainties of `auc`."""
        return tuple(roc.area_error for roc in self.test.one_vs_rest)

    @property
    def accuracy(self) -> float:
        """Fraction of the test sample whose largest response is that for its own class."""
        return self.test.accuracy

    @property
    def accuracy_error(self) -> float:
        """Standard uncertainty of `accuracy`."""
        return self.test.accuracy_error

    def working_point(self, name: str) -> WorkingPoint:
        """Return the best cuts for a class.

        Raises
        ------
        DataError
            If there is no such class.
        """
        return self.working_points[class_number(name, self.classes)]

    def _rows(self) -> Iterable[tuple[str, str, str]]:
        """Quantity, test sample, training sample."""
        train = "" if self.train is None else f"{self.train.accuracy:.4f} ± {self.train.accuracy_error:.4f}"
        yield "accuracy", f"{self.accuracy:.4f} ± {self.accuracy_error:.4f}", train
        for i, name in enumerate(self.classes):
            roc, point = self.test.one_vs_rest[i], self.working_points[i]
            train = ""
            if self.train is not None:
                trained = self.train.one_vs_rest[i]
                train = f"{trained.area:.4f} ± {trained.area_error:.4f}"
            yield f"{name} against the rest: ROC integral", f"{roc.area:.4f} ± {roc.area_error:.4f}", train
            for j, efficiency in enumerate(self.test.efficiencies[i]):
                train = "" if self.train is None else str(self.train.efficiencies[i][j])
                yield f"{name}: efficiency at B={efficiency.background_efficiency:.2f}", str(efficiency), train
            yield f"{name}: best efficiency times purity", f"{point.product:.4f} ± {point.product_error:.4f}", ""
            if self.ks is not None:
                yield f"{name}: K-S probability, class and rest", " and ".join(f"{p:.3g}" for p in self.ks[i]), ""

    def __repr__(self) -> str:
        train = "" if self.train is None else f", train {self.train.accuracy:.4f} ± {self.train.accuracy_error:.4f}"
        return (
            f"MulticlassResult({self.title!r} [{self.method_type}] of {self.dataset!r}, {len(self.classes)} classes: "
            f"accuracy {self.accuracy:.4f} ± {self.accuracy_error:.4f}{train})"
        )

    def __str__(self) -> str:
        rows = list(self._rows())
        width = max(len(name) for name, _, _ in rows) + 1
        lines = [f"{self.title} ({self.method_type}), dataset {self.dataset}"]
        lines += [f"  {name:<{width}} {test:<17} {train}".rstrip() for name, test, train in rows]
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


def class_number(name: str, classes: tuple[str, ...]) -> int:
    """Return the index of a class, or raise `DataError` with the nearest spelling."""
    if name not in classes:
        raise DataError(f"there is no class {name!r}; {did_you_mean(name, classes, noun='the classes')}")
    return classes.index(name)

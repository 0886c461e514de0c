"""Draw... of a Factory, as ROOT's notebooks (JsMVA) call them: views of its result file, one at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from mvakit.dataloader import DataLoader
from mvakit.display import display
from mvakit.errors import MethodError

__all__ = ["ResultDrawing"]


class ResultDrawing(ABC):
    """What draws from the result file that `EvaluateAllMethods` has written.

    Each call returns a view: a notebook shows its chart, ``view.chart()`` is that of Altair, and ``view.figure()`` one of
    matplotlib for a publication. `TMVAGui` shows all of them.
    """

    target: Path | None
    job: str

    @abstractmethod
    def _is_evaluated(self) -> bool:
        """Return whether the result file is written."""

    def _draw(self, loader: DataLoader | str, name: str, page: int = 0) -> Any:
        if self.target is None:
            raise MethodError(
                f"the Factory {self.job!r} has no result file to draw from: give it one, as in Factory({self.job!r}, 'TMVA.root')"
            )
        if not self._is_evaluated():
            raise MethodError(f"there is nothing to draw in {str(self.target)!r} yet: call EvaluateAllMethods first")
        return display().draw_view(self.target, loader if isinstance(loader, str) else loader.GetName(), name, page)

    def DrawROCCurve(self, loader: DataLoader | str, class_name: str = "") -> Any:
        """Draw the ROC curves of all methods; of several classes that of one against the rest.

        Parameters
        ----------
        loader : DataLoader or str
        class_name : str
            Of several classes, the one that is signal.

        Raises
        ------
        MethodError
            If nothing is evaluated, or there is no result file.
        ResultFileError
            If the result file cannot feed it; the message tells the nearest names of views.
        MissingPackageError
            If no package is installed that draws.
        """
        return self._draw(loader, _joined("rejBvsS", class_name))

    def DrawOutputDistribution(self, loader: DataLoader | str, title: str, class_name: str = "") -> Any:
        """Draw the response of a method in the test and the training sample; raises as `DrawROCCurve`."""
        return self._draw(loader, _joined("overtrain", title, class_name))

    def DrawProbabilityDistribution(self, loader: DataLoader | str, title: str) -> Any:
        """Draw the signal probability (``CreateMVAPdfs``) of a method; raises as `DrawROCCurve`."""
        return self._draw(loader, _joined("proba", title))

    def DrawCutEfficiencies(self, loader: DataLoader | str, title: str) -> Any:
        """Draw efficiencies, purity and significance against the cut on a response; raises as `DrawROCCurve`."""
        return self._draw(loader, _joined("mvaeffs", title))

    def DrawDecisionTree(self, loader: DataLoader | str, title: str, tree: int = 0) -> Any:
        """Draw a tree of a forest, counted from 0; raises as `DrawROCCurve`."""
        return self._draw(loader, _joined("tree", title, "0"), tree)

    def DrawNeuralNetwork(self, loader: DataLoader | str, title: str) -> Any:
        """Draw the nodes and weights of a network; raises as `DrawROCCurve`."""
        return self._draw(loader, _joined("network", title))


def _joined(*parts: str) -> str:
    return "_".join(part for part in parts if part)

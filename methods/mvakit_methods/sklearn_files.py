"""The weight files of TMVA's methods in Python: they only name a pickle or a TorchScript, which are not opened.

Opening such a file runs whatever code is in it. These methods say what the file is, and what can be done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NoReturn
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError
from mvakit.method import Capabilities, Method, MethodOptions, WeightContext
from mvakit.types import AnalysisType

__all__ = ["PyAdaBoost", "PyGTB", "PyRandomForest", "PyTorch"]


class _Elsewhere(Method[MethodOptions, None]):
    """A method whose model lies in a file that is not opened."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        analyses=frozenset({AnalysisType.CLASSIFICATION, AnalysisType.MULTICLASS}), trainable=False
    )
    weights_in_file: ClassVar[bool] = False
    file_option: ClassVar[str] = "FilenameClassifier"
    default_file: ClassVar[str]
    library: ClassVar[str] = "scikit-learn"
    advice: ClassVar[str]

    def read_state(self, weights: Element, context: WeightContext) -> NoReturn:  # noqa: ARG002
        """Refuse the file.

        Raises
        ------
        WeightFileError
            Always; it names the file that holds the model, and says what can be done.
        """
        file = context.option(self.file_option) or self.default_file.format(context.title)
        raise WeightFileError(
            f"{context.title} is a {self.name} of TMVA's: its model is not in this weight file but in {file!r}, of "
            f"{self.library}, and opening such a file runs the code that is in it, so mvakit does not. {self.advice}"
        )

    def predict(
        self,
        state: None,  # noqa: ARG002
        X: npt.NDArray[np.float32],  # noqa: ARG002
        spectators: npt.NDArray[np.float64] | None = None,  # noqa: ARG002
        efficiency: float | None = None,  # noqa: ARG002
    ) -> NoReturn:
        """Refuse; there is no model."""
        raise self.refuse(f"its models are files of {self.library}, which mvakit does not open")

    def write_state(self, state: None, weights: Element) -> Mapping[str, bytes]:  # noqa: ARG002
        """Refuse; there is no model."""
        raise self.refuse(f"its models are files of {self.library}, which mvakit does not write")


_SKLEARN = (
    "Train the method BDT on the same events{}, or, if you trust whoever made the file, open it with the version of "
    "scikit-learn that wrote it and call predict_proba, or export it from there, for example with skl2onnx"
)


class PyRandomForest(_Elsewhere):
    """Random forests that TMVA trained with scikit-learn; their pickles are not opened."""

    name: ClassVar[str] = "PyRandomForest"
    default_file: ClassVar[str] = "PyRFModel_{}.PyData"
    advice: ClassVar[str] = _SKLEARN.format(", with BoostType=Bagging:UseRandomisedTrees")


class PyGTB(_Elsewhere):
    """Gradient boosted trees that TMVA trained with scikit-learn; their pickles are not opened."""

    name: ClassVar[str] = "PyGTB"
    default_file: ClassVar[str] = "PyGTBModel_{}.PyData"
    advice: ClassVar[str] = _SKLEARN.format(", with BoostType=Grad")


class PyAdaBoost(_Elsewhere):
    """AdaBoost that TMVA trained with scikit-learn; its pickles are not opened."""

    name: ClassVar[str] = "PyAdaBoost"
    default_file: ClassVar[str] = "PyAdaBoostModel_{}.PyData"
    advice: ClassVar[str] = _SKLEARN.format(", with BoostType=AdaBoost")


class PyTorch(_Elsewhere):
    """Networks that TMVA trained with PyTorch; their TorchScript files are not opened."""

    name: ClassVar[str] = "PyTorch"
    capabilities: ClassVar[Capabilities] = Capabilities(analyses=frozenset(AnalysisType), trainable=False)
    file_option: ClassVar[str] = "FilenameTrainedModel"
    default_file: ClassVar[str] = "TrainedModel_{}.pt"
    library: ClassVar[str] = "PyTorch"
    advice: ClassVar[str] = (
        "Train the method PyKeras on the same events, or, if you trust whoever made the file, open it with PyTorch and "
        "export it from there, for example with torch.onnx"
    )

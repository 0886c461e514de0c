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

__all__ = ["PyTorch", "model_elsewhere"]


def model_elsewhere(method: str, title: str, file: str, library: str, advice: str) -> WeightFileError:
    """Return the error for a weight file whose model lies in a file that is not opened."""
    return WeightFileError(
        f"{title} is a {method} of TMVA's: its model is not in this weight file but in {file!r}, of "
        f"{library}, and opening such a file runs the code that is in it, so mvakit does not. {advice}"
    )


class PyTorch(Method[MethodOptions, None]):
    """Networks that TMVA trained with PyTorch; their TorchScript files are not opened."""

    name: ClassVar[str] = "PyTorch"
    capabilities: ClassVar[Capabilities] = Capabilities(analyses=frozenset(AnalysisType), trainable=False)
    weights_in_file: ClassVar[bool] = False

    def read_state(self, weights: Element, context: WeightContext) -> NoReturn:  # noqa: ARG002
        """Refuse the file.

        Raises
        ------
        WeightFileError
            Always; it names the file that holds the model, and says what can be done.
        """
        raise model_elsewhere(
            self.name,
            context.title,
            context.option("FilenameTrainedModel") or f"TrainedModel_{context.title}.pt",
            "PyTorch",
            "Train the method PyKeras on the same events, or, if you trust whoever made the file, open it with PyTorch "
            "and export it from there, for example with torch.onnx",
        )

    def predict(
        self,
        state: None,  # noqa: ARG002
        X: npt.NDArray[np.float32],  # noqa: ARG002
        spectators: npt.NDArray[np.float64] | None = None,  # noqa: ARG002
        efficiency: float | None = None,  # noqa: ARG002
    ) -> NoReturn:
        """Refuse; there is no model."""
        raise self.refuse("its models are files of PyTorch, which mvakit does not open")

    def write_state(self, state: None, weights: Element) -> Mapping[str, bytes]:  # noqa: ARG002
        """Refuse; there is no model."""
        raise self.refuse("its models are files of PyTorch, which mvakit does not write")

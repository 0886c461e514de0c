"""What goes into a result file, as plain values: the Factory fills these, the writer lays them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from mvakit.dataset import DataSet, Sample
from mvakit.errors import ResultFileError
from mvakit.evaluation import Curve, Histogram1D
from mvakit.resultfile.values import Histogram, Histogram2D, Profile
from mvakit.types import AnalysisType

__all__ = ["DatasetContents", "MethodContents", "ResultContents", "TransformedInputs"]

FloatArray = npt.NDArray[np.float64]
AnyHistogram = Histogram1D | Histogram | Histogram2D | Profile


@dataclass(frozen=True, slots=True)
class TransformedInputs:
    """A sample as a transformation leaves it.

    Attributes
    ----------
    sample : Sample
        Same events and columns as the sample it is made of; in a regression with the targets transformed as well.
    transformation : str
        TMVA's name of the chain: ``"Id"``, ``"Deco"``, ``"PCA"``, ``"Norm"``, ``"Gauss_Deco"``.
    pairs : bool, default True
        Whether scatter plots and profiles of pairs of variables are made (of at most 20 variables).
    """

    sample: Sample
    transformation: str = "Id"
    pairs: bool = True


@dataclass(frozen=True, slots=True)
class MethodContents:
    """What a trained and tested method leaves in the file.

    Attributes
    ----------
    type, title : str
        ``"BDT"`` and ``"BDTG"``.
    weight_file : str
        The path of its weight file, as it is to be told.
    training_path : str
        The folder in which it was trained.
    histograms : sequence of Histogram1D, Histogram, Histogram2D or Profile
        With TMVA's names, ``MVA_BDTG_S``.
    curves : sequence of Curve
        What the training recorded of itself.
    train_scores, test_scores : ndarray or None
        The responses to the events of the two samples: shape (n_events,), or (n_events, n_outputs) with a column for
        each class or target.
    columns : mapping of str to (ndarray, ndarray)
        More branches for TrainTree and TestTree, as ``prob_BDTG``.
    inputs : TransformedInputs or None
        The test sample as the method sees it, for its own plots of the inputs.
    """

    type: str
    title: str
    weight_file: str = ""
    training_path: str = ""
    histograms: Sequence[AnyHistogram] = ()
    curves: Sequence[Curve] = ()
    train_scores: FloatArray | None = None
    test_scores: FloatArray | None = None
    columns: Mapping[str, tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]]] = field(default_factory=dict)
    inputs: TransformedInputs | None = None


@dataclass(frozen=True, slots=True)
class DatasetContents:
    """What one DataLoader and its methods leave in the file.

    Attributes
    ----------
    dataset : DataSet
    analysis : AnalysisType
    inputs : sequence of TransformedInputs
        The training sample after each of the Factory's ``Transformations``.
    correlations : mapping of str to ndarray, shape (n_variables, n_variables)
        Linear correlation coefficients, from -1 to 1, by class.
    methods : sequence of MethodContents
    """

    dataset: DataSet
    analysis: AnalysisType
    inputs: Sequence[TransformedInputs] = ()
    correlations: Mapping[str, FloatArray] = field(default_factory=dict)
    methods: Sequence[MethodContents] = ()

    def __post_init__(self) -> None:
        titles = [method.title for method in self.methods]
        for title in titles:
            if titles.count(title) > 1:
                raise ResultFileError(f"dataset {self.dataset.name!r} has more than one method {title!r}")


@dataclass(frozen=True, slots=True)
class ResultContents:
    """Everything that goes into one result file."""

    datasets: Sequence[DatasetContents]

    def __post_init__(self) -> None:
        names = [contents.dataset.name for contents in self.datasets]
        if not names:
            raise ResultFileError("a result file holds one dataset or more, but there is none to write")
        for name in names:
            if names.count(name) > 1:
                raise ResultFileError(f"more than one dataset is named {name!r}")

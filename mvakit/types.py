"""Analysis types, tree types and the names of methods, spelled as TMVA spells them."""

from __future__ import annotations

from enum import Enum, IntEnum
from typing import Final

__all__ = ["AnalysisType", "MethodName", "TreeType", "Types"]


class AnalysisType(Enum):
    """What is asked of a method."""

    CLASSIFICATION = "Classification"
    MULTICLASS = "Multiclass"
    REGRESSION = "Regression"

    def __str__(self) -> str:
        return self.value


class TreeType(Enum):
    """What the events of a tree are for; `BOTH` lets the split decide."""

    TRAINING = "Training"
    TESTING = "Test"
    BOTH = "Both"

    @classmethod
    def parse(cls, value: TreeType | str) -> TreeType:
        """Read TMVA's spellings: ``Types.kTraining``, ``"train"``, ``"Training"``, ``"test"``, ``"Testing"``, ``""``.

        Raises
        ------
        ValueError
            If `value` is none of these.
        """
        if isinstance(value, TreeType):
            return value
        text = str(value).strip().lower()
        if text in {"", "both", "trainingandtesting", "max"}:
            return cls.BOTH
        if text.startswith("train"):
            return cls.TRAINING
        if text.startswith("test"):
            return cls.TESTING
        raise ValueError(f"a tree is for 'Training' or 'Test', not {value!r}")


class MethodName(str):
    """The name of a method, as ``Types.kBDT`` hands it to ``BookMethod``; it compares equal to ``"BDT"``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Types.k{self}"


class SBType(IntEnum):
    """Signal or background."""

    SIGNAL = 0
    BACKGROUND = 1


class _MethodNames(type):
    """Turn ``Types.k<Name>`` into a `MethodName`, for every method that is or will be installed."""

    def __getattr__(cls, attribute: str) -> MethodName:
        if attribute.startswith("k") and attribute[1:2].isupper():
            return MethodName(attribute[1:])
        raise AttributeError(f"Types has no {attribute!r}; a method is spelled Types.k<Name>, as in Types.kFisher")


class Types(metaclass=_MethodNames):
    """TMVA's enumerations: ``Types.kTraining``, ``Types.kSignal``, ``Types.kClassification``, ``Types.k<Method>``."""

    kTraining: Final = TreeType.TRAINING
    kTesting: Final = TreeType.TESTING
    kMaxTreeType: Final = TreeType.BOTH
    kSignal: Final = SBType.SIGNAL
    kBackground: Final = SBType.BACKGROUND
    kClassification: Final = AnalysisType.CLASSIFICATION
    kMulticlass: Final = AnalysisType.MULTICLASS
    kRegression: Final = AnalysisType.REGRESSION

"""The options of PyRandomForest, PyGTB and PyAdaBoost: TMVA's spellings, and what scikit-learn calls them today.

TMVA hands most of these values to Python as they are. Here they are read: ``None``, numbers, and words with or without
quotes; nothing is evaluated.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from mvakit.errors import OptionError, did_you_mean
from mvakit.method import MethodOptions
from mvakit.options import option

__all__ = ["ForestOptions", "PyAdaBoostOptions", "PyGTBOptions", "PyRandomForestOptions", "Reading"]

_SPLIT: Final = "events that a node needs to be split: a number, or a share of all of them"
_LEAF: Final = "events that a leaf needs: a number, or a share of all of them"
_FRACTION: Final = "share of the sum of weights that a leaf needs"
_LEAVES: Final = "leaves of a tree, which then grows best first; None: as many as there are"
_FEATURES: Final = "variables that are looked at for a split: sqrt, log2, a number, a share of them, or None for all"
_STATE: Final = "seed of everything random; None: RandomSeed is"
_FILE: Final = "where TMVA keeps the model; here it lies in the weight file itself"
_VERBOSE: Final = "how much scikit-learn prints of its own"
_WARM: Final = "of no use here: a method is trained once"

# What scikit-learn no longer knows, and what it was.
_RENAMED: Final = {"auto": "sqrt", "deviance": "log_loss"}


class Reading:
    """Reads the values of one method.

    Parameters
    ----------
    owner : str
        The method, for messages.
    note : callable
        Told of an option whose value has another name today, and of that.
    """

    def __init__(self, owner: str, note: Callable[[str, str], None]) -> None:
        self.owner = owner
        self.note = note

    def refuse(self, name: str, text: str, takes: str, hint: str = "") -> OptionError:
        """Return the error for a value that an option does not take."""
        return OptionError(f"the option {name!r} of {self.owner} takes {takes}, not {text!r}{hint}")

    def optional(self, name: str, text: str, lowest: int = 1) -> int | None:
        """Read a whole number, or None."""
        word = text.strip()
        if word == "None":
            return None
        if not word.isdecimal() or int(word) < lowest:
            raise self.refuse(name, text, f"None or a whole number, at least {lowest}")
        return int(word)

    def amount(self, name: str, text: str, lowest: int) -> int | float:
        """Read a number of events, or a share of them between 0 and 1."""
        word = text.strip()
        if word.isdecimal() and int(word) >= lowest:
            return int(word)
        try:
            share = float(word)
        except ValueError:
            share = math.nan
        if word.isdecimal() or not 0 < share < 1:
            raise self.refuse(name, text, f"a whole number, at least {lowest}, or a share between 0 and 1")
        return share

    def word(self, name: str, text: str, words: tuple[str, ...]) -> str:
        """Read one of some words; old ones are told of and replaced."""
        word = text.strip().strip("'\"")
        if word in _RENAMED and _RENAMED[word] in words:
            self.note(name, f"{name}={word} is called {_RENAMED[word]} in today's scikit-learn")
            word = _RENAMED[word]
        if word not in words:
            raise self.refuse(
                name, text, f"one of {', '.join(words)}", f"; {did_you_mean(word, words, noun='they are')}"
            )
        return word

    def features(self, name: str, text: str) -> str | int | float | None:
        """Read how many variables are looked at for a split."""
        word = text.strip().strip("'\"")
        if word == "None":
            return None
        if word[:1].isdigit() or word[:1] == ".":
            return 1.0 if word == "1.0" else self.amount(name, word, 1)
        return self.word(name, text, ("sqrt", "log2"))

    def class_weight(self, name: str, text: str) -> str | dict[int, float] | None:
        """Read the weights of the classes: None, balanced, balanced_subsample, or numbers by the index of the class."""
        word = text.strip().strip("'\"")
        if word == "None":
            return None
        if not word.startswith("{"):
            return self.word(name, text, ("balanced", "balanced_subsample"))
        takes = "None, balanced, balanced_subsample, or numbers by class as in '{0: 1, 1: 2}'"
        try:
            table = ast.literal_eval(word)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise self.refuse(name, text, takes) from None
        if not isinstance(table, dict) or not all(
            isinstance(key, int) and isinstance(value, int | float) and value >= 0 for key, value in table.items()
        ):
            raise self.refuse(name, text, takes)
        return {int(key): float(value) for key, value in table.items()}

    def tree(self, name: str, text: str) -> dict[str, Any]:
        """Read the weak classifier of PyAdaBoost: None, or a ``DecisionTreeClassifier`` with its keywords."""
        takes = "None, or a tree as in 'DecisionTreeClassifier(max_depth=3)'"
        if text.strip() == "None":
            return {"max_depth": 1}
        try:
            call = ast.parse(text.strip(), mode="eval").body
            if not (isinstance(call, ast.Call) and not call.args and isinstance(call.func, ast.Name)):
                raise self.refuse(name, text, takes)
            found = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise self.refuse(name, text, takes) from None
        if call.func.id != "DecisionTreeClassifier" or not all(
            isinstance(value, str | int | float | None) for value in found.values()
        ):
            raise self.refuse(name, text, takes)
        allowed = (
            "criterion", "max_depth", "max_features", "max_leaf_nodes", "min_samples_leaf", "min_samples_split",
            "min_weight_fraction_leaf", "splitter",
        )  # fmt: skip
        for key in found:
            if key not in allowed:
                raise self.refuse(
                    name, text, takes, f"; {did_you_mean(key, allowed, noun='the keywords of a tree are')}"
                )
        return found


@dataclass(frozen=True, kw_only=True)
class ForestOptions(MethodOptions):
    """What the three methods share."""

    # What changes nothing here, and why.
    unused: ClassVar[dict[str, str]] = {
        "FilenameClassifier": "the model lies in the weight file itself",
        "WarmStart": "a method is trained once",
    }

    random_state: str = option("RandomState", "None", _STATE)
    filename_classifier: str = option("FilenameClassifier", "", _FILE)

    def arguments(self, reading: Reading) -> dict[str, Any]:
        """Return the keywords of scikit-learn's classifier.

        Raises
        ------
        OptionError
            If a value is none that the option takes.
        """
        seed = reading.optional("RandomState", self.random_state, 0)
        return {"random_state": self.random_seed if seed is None else seed}


@dataclass(frozen=True, kw_only=True)
class PyRandomForestOptions(ForestOptions):
    """The options of `PyRandomForest`."""

    n_estimators: int = option("NEstimators", 10, "trees", minimum=1)
    criterion: str = option("Criterion", "gini", "what a split makes small: gini, entropy or log_loss")
    max_depth: str = option("MaxDepth", "None", "depth of a tree; None: until leaves are pure")
    min_samples_split: str = option("MinSamplesSplit", "2", _SPLIT)
    min_samples_leaf: str = option("MinSamplesLeaf", "1", _LEAF)
    min_weight_fraction_leaf: float = option("MinWeightFractionLeaf", 0.0, _FRACTION, minimum=0.0, maximum=0.5)
    max_features: str = option("MaxFeatures", "auto", _FEATURES)
    max_leaf_nodes: str = option("MaxLeafNodes", "None", _LEAVES)
    bootstrap: bool = option("Bootstrap", True, "draw the events of each tree with replacement")
    oob_score: bool = option("OoBScore", False, "tell how well trees do on the events that they were not given")
    n_jobs: int = option("NJobs", 1, "threads to train with; -1: all there are")
    forest_verbose: int = option("Verbose", 0, _VERBOSE, minimum=0)
    warm_start: bool = option("WarmStart", False, _WARM)
    class_weight: str = option(
        "ClassWeight", "None", "None, balanced, balanced_subsample, or, as a keyword, ClassWeight={0: 1, 1: 2}"
    )

    def arguments(self, reading: Reading) -> dict[str, Any]:
        """Return the keywords of ``RandomForestClassifier``."""
        if self.oob_score and not self.bootstrap:
            raise OptionError(
                f"the option 'OoBScore' of {reading.owner} needs Bootstrap: else no tree leaves events out"
            )
        return {
            **super().arguments(reading),
            "n_estimators": self.n_estimators,
            "criterion": reading.word("Criterion", self.criterion, ("gini", "entropy", "log_loss")),
            "max_depth": reading.optional("MaxDepth", self.max_depth),
            "min_samples_split": reading.amount("MinSamplesSplit", self.min_samples_split, 2),
            "min_samples_leaf": reading.amount("MinSamplesLeaf", self.min_samples_leaf, 1),
            "min_weight_fraction_leaf": self.min_weight_fraction_leaf,
            "max_features": reading.features("MaxFeatures", self.max_features),
            "max_leaf_nodes": reading.optional("MaxLeafNodes", self.max_leaf_nodes, 2),
            "bootstrap": self.bootstrap,
            "oob_score": self.oob_score,
            "n_jobs": self.n_jobs or 1,
            "verbose": self.forest_verbose,
            "class_weight": reading.class_weight("ClassWeight", self.class_weight),
        }


@dataclass(frozen=True, kw_only=True)
class PyGTBOptions(ForestOptions):
    """The options of `PyGTB`."""

    loss: str = option("Loss", "deviance", "what is made small: log_loss (deviance of old) or exponential")
    learning_rate: float = option("LearningRate", 0.1, "what each tree counts", minimum=1e-12)
    n_estimators: int = option("NEstimators", 100, "trees for each class", minimum=1)
    subsample: float = option("Subsample", 1.0, "share of the events that a tree is given", minimum=1e-6, maximum=1.0)
    min_samples_split: str = option("MinSamplesSplit", "2", _SPLIT)
    min_samples_leaf: str = option("MinSamplesLeaf", "1", _LEAF)
    min_weight_fraction_leaf: float = option("MinWeightFractionLeaf", 0.0, _FRACTION, minimum=0.0, maximum=0.5)
    max_depth: str = option("MaxDepth", "3", "depth of a tree")
    init: str = option("Init", "None", "what the first tree begins with: None for the shares of the classes, or zero")
    max_features: str = option("MaxFeatures", "None", _FEATURES)
    max_leaf_nodes: str = option("MaxLeafNodes", "None", _LEAVES)
    forest_verbose: int = option("Verbose", 0, _VERBOSE, minimum=0)
    warm_start: bool = option("WarmStart", False, _WARM)

    def arguments(self, reading: Reading) -> dict[str, Any]:
        """Return the keywords of ``GradientBoostingClassifier``."""
        init = self.init.strip()
        return {
            **super().arguments(reading),
            "loss": reading.word("Loss", self.loss, ("log_loss", "exponential")),
            "learning_rate": self.learning_rate,
            "n_estimators": self.n_estimators,
            "subsample": self.subsample,
            "min_samples_split": reading.amount("MinSamplesSplit", self.min_samples_split, 2),
            "min_samples_leaf": reading.amount("MinSamplesLeaf", self.min_samples_leaf, 1),
            "min_weight_fraction_leaf": self.min_weight_fraction_leaf,
            "max_depth": reading.optional("MaxDepth", self.max_depth),
            "init": None if init == "None" else reading.word("Init", init, ("zero",)),
            "max_features": reading.features("MaxFeatures", self.max_features),
            "max_leaf_nodes": reading.optional("MaxLeafNodes", self.max_leaf_nodes, 2),
            "verbose": self.forest_verbose,
        }


@dataclass(frozen=True, kw_only=True)
class PyAdaBoostOptions(ForestOptions):
    """The options of `PyAdaBoost`."""

    base_estimator: str = option(
        "BaseEstimator",
        "None",
        "the tree that is boosted: None for one cut, or 'DecisionTreeClassifier(max_depth=3)'",
        holds_options=True,
    )
    n_estimators: int = option("NEstimators", 50, "trees", minimum=1)
    learning_rate: float = option("LearningRate", 1.0, "what each tree counts", minimum=1e-12)
    algorithm: str = option("Algorithm", "SAMME.R", "SAMME; SAMME.R is no longer in scikit-learn, and is taken for it")

    def arguments(self, reading: Reading) -> dict[str, Any]:
        """Return the keywords of ``AdaBoostClassifier``, with those of its tree in place of ``estimator``."""
        if reading.word("Algorithm", self.algorithm, ("SAMME", "SAMME.R")) == "SAMME.R":
            reading.note("Algorithm", "Algorithm=SAMME.R is no longer in scikit-learn, which boosts by SAMME")
        return {
            **super().arguments(reading),
            "estimator": reading.tree("BaseEstimator", self.base_estimator),
            "n_estimators": self.n_estimators,
            "learning_rate": self.learning_rate,
        }

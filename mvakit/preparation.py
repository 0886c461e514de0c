"""From the events of each class to a training and a test sample: split, renormalisation and mixing, as TMVA does them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mvakit.dataset import Sample, SampleCounts
from mvakit.errors import DataError
from mvakit.options import OptionSpec, assign_options
from mvakit.progress import Messenger
from mvakit.types import TreeType

__all__ = ["ClassEvents", "Preparation", "preparation_specs"]

IndexArray = npt.NDArray[np.intp]

_SPLIT_MODES = ("Random", "Alternate", "Block")


@dataclass(frozen=True, slots=True)
class ClassEvents:
    """The events of one class that passed its cut, in the order of its trees.

    Attributes
    ----------
    sample : Sample
    purpose : ndarray of int8, shape (n_events,)
        What the tree of each event is for: 0 training, 1 test, 2 either.
    counts : SampleCounts
    """

    sample: Sample
    purpose: npt.NDArray[np.int8]
    counts: SampleCounts


PURPOSE = {TreeType.TRAINING: 0, TreeType.TESTING: 1, TreeType.BOTH: 2}


def preparation_specs(classes: Sequence[str]) -> tuple[OptionSpec, ...]:
    """Return the declarations of the options of ``PrepareTrainingAndTestTree`` for these classes."""
    specs = [
        OptionSpec("SplitMode", str, "Random", "how events are shared between training and test", _SPLIT_MODES),
        OptionSpec(
            "MixMode", str, "SameAsSplitMode", "order of the classes in a sample", ("SameAsSplitMode", *_SPLIT_MODES)
        ),
        OptionSpec("SplitSeed", int, 100, "seed of the random split; 0 takes the time", minimum=0, maximum=2**32 - 1),
        OptionSpec(
            "NormMode",
            str,
            "EqualNumEvents",
            "renormalisation of the training weights",
            ("None", "NumEvents", "EqualNumEvents"),
        ),
        OptionSpec("ScaleWithPreselEff", bool, False, "scale the numbers asked for by the efficiency of the cut"),
        OptionSpec("V", bool, False, "say more"),
        OptionSpec("VerboseLevel", str, "Info", "what is said", ("Debug", "Verbose", "Info")),
        OptionSpec("Correlations", bool, True, "print the correlation matrices of the variables"),
        OptionSpec("CalcCorrelations", bool, True, "compute the correlation matrices of the variables"),
    ]
    for name in classes:
        specs.append(
            OptionSpec(f"nTrain_{name}", int, 0, f"training events of class {name}; 0 for what is left", minimum=0)
        )
        specs.append(OptionSpec(f"nTest_{name}", int, 0, f"test events of class {name}; 0 for what is left", minimum=0))
        specs.append(
            OptionSpec(
                f"TrainTestSplit_{name}",
                float,
                0.0,
                f"fraction of class {name} for training; overrides nTrain",
                minimum=0.0,
                maximum=1.0,
            )
        )
    return tuple(specs)


@dataclass(frozen=True)
class Preparation:
    """The parsed options of ``PrepareTrainingAndTestTree``, and what they do.

    Attributes
    ----------
    classes : tuple of str
    values : dict
        Every option by TMVA's spelling.
    """

    classes: tuple[str, ...]
    values: dict[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def parse(cls, classes: Sequence[str], text: str, keywords: dict[str, object]) -> Preparation:
        """Read the option string.

        Raises
        ------
        OptionError
            If an option is unknown; options of single classes need these classes to be known.
        """
        specs = preparation_specs(classes)
        values = {spec.name: spec.default for spec in specs}
        values.update(assign_options(specs, text, keywords, owner="PrepareTrainingAndTestTree"))
        return cls(tuple(classes), values)

    # ------------------------------------------------------------------------------------------- split

    def _numbers(self, events: ClassEvents, available: tuple[int, int, int]) -> tuple[int, int, int]:
        """Return how many events to ask for in training and test, and how many to draw the training sample from."""
        name = events.counts.name
        n_train, n_test, n_either = available
        total = n_train + n_test + n_either
        asked_train, asked_test = self.values[f"nTrain_{name}"], self.values[f"nTest_{name}"]
        fraction = self.values[f"TrainTestSplit_{name}"]
        if fraction:
            if fraction >= 1.0:
                raise DataError(
                    f"TrainTestSplit_{name}={fraction:g} leaves no events for the test; it takes a fraction between 0 and 1"
                )
            asked_train, asked_test = int(fraction * total), 0
        if self.values["ScaleWithPreselEff"]:
            scale = events.counts.n_passed / events.counts.n_input
            asked_train, asked_test = int(asked_train * scale), int(asked_test * scale)
        for purpose, option, asked in (("training", "nTrain", asked_train), ("test", "nTest", asked_test)):
            if asked > total:
                raise DataError(
                    f"{asked} {purpose} events of class {name!r} are asked for ({option}_{name}), but only {total} passed the cut"
                )
        if not asked_train and not asked_test:
            if n_either >= abs(n_train - n_test):
                return total // 2, total // 2, total // 2
            from_train = n_train + (n_either if n_train < n_test else 0)
            return from_train, total - from_train, from_train
        if not asked_test:
            from_train = max(asked_train, n_train)
            return asked_train, total - from_train, from_train
        if not asked_train:
            from_test = max(asked_test, n_test)
            return total - from_test, asked_test, total - from_test
        need = max(asked_train - n_train, 0) + max(asked_test - n_test, 0)
        if need > n_either:
            raise DataError(
                f"{asked_train} training and {asked_test} test events of class {name!r} are asked for (nTrain_{name}, nTest_{name}), "
                f"but only {total} passed the cut ({n_train} of them from training trees, {n_test} from test trees)"
            )
        return asked_train, asked_test, max(asked_train, n_train) + (n_either - need) // 2

    def split(self, events: ClassEvents, random: np.random.Generator) -> tuple[IndexArray, IndexArray]:
        """Choose the training and the test events of one class, as indices into its sample.

        Raises
        ------
        DataError
            If more events are asked for than there are, or one of the samples is left empty.
        """
        train, test, either = (np.flatnonzero(events.purpose == code) for code in (0, 1, 2))
        n_train, n_test, n_either = len(train), len(test), len(either)
        asked_train, asked_test, from_train = self._numbers(events, (n_train, n_test, n_either))
        mode = self.values["SplitMode"]
        if mode == "Random":
            either = random.permutation(either)
        if mode == "Alternate":
            # In turn, training first, until training has what it asked for; all others are for the test.
            pairs = min(max(asked_train - n_train, 0), (n_either + 1) // 2)
            to_train = np.zeros(n_either, dtype=bool)
            to_train[: 2 * pairs : 2] = True
        else:
            to_train = np.arange(n_either) < max(from_train - n_train, 0)
        train = np.concatenate([train, either[to_train]])
        test = np.concatenate([test, either[~to_train]])
        if mode == "Random":
            train, test = (
                np.sort(random.choice(chosen, asked, replace=False)) if len(chosen) > asked else chosen
                for chosen, asked in ((train, asked_train), (test, asked_test))
            )
        train, test = train[:asked_train], test[:asked_test]
        for purpose, chosen, asked in (("training", train, asked_train), ("test", test, asked_test)):
            if len(chosen) < asked:
                raise DataError(
                    f"SplitMode={mode} finds only {len(chosen)} events of class {events.counts.name!r} for the {purpose} sample, "
                    f"and {asked} are asked for"
                )
            if not len(chosen):
                raise DataError(f"class {events.counts.name!r} has no events left for the {purpose} sample")
        return train, test

    # --------------------------------------------------------------------------------- renormalisation

    def rescale(self, n_train: Sequence[int], sum_train: Sequence[float]) -> list[float]:
        """Return the factor for the training weights of each class, as NormMode says.

        Raises
        ------
        DataError
            If the weights of a class do not sum to something positive.
        """
        mode = self.values["NormMode"]
        if mode == "None":
            return [1.0] * len(n_train)
        for name, total in zip(self.classes, sum_train, strict=True):
            if not total > 0:
                raise DataError(
                    f"the training weights of class {name!r} sum to {total:g}; NormMode={mode} needs a positive sum (or NormMode=None)"
                )
        target = n_train if mode == "NumEvents" else [n_train[0]] * len(n_train)
        return [n / total for n, total in zip(target, sum_train, strict=True)]

    # -------------------------------------------------------------------------------------------- mix

    def _order(self, sizes: Sequence[int], random: np.random.Generator) -> IndexArray:
        """Return the order in which the concatenated events of the classes enter a sample."""
        mode = self.values["MixMode"]
        if mode == "SameAsSplitMode":
            mode = self.values["SplitMode"]
        total = sum(sizes)
        if mode == "Random":
            return random.permutation(total)
        order = np.arange(total)
        if mode == "Block":
            return order
        mixed = order[: sizes[0]]
        start = sizes[0]
        for position, size in enumerate(sizes[1:], start=1):
            # One event of this class after every `position` of those before it; what is left over comes last.
            after = (np.arange(size) + 1) * position
            key = np.where(after <= len(mixed), after - 0.5, np.inf)
            keys = np.concatenate([np.arange(len(mixed), dtype=np.float64), key])
            mixed = np.concatenate([mixed, np.arange(start, start + size)])[np.argsort(keys, kind="stable")]
            start += size
        return mixed

    def __call__(
        self, classes: Sequence[ClassEvents], log: Messenger
    ) -> tuple[Sample, Sample, tuple[SampleCounts, ...]]:
        """Split, renormalise and mix the events of all classes.

        Returns
        -------
        train, test : Sample
        counts : tuple of SampleCounts

        Raises
        ------
        DataError
            If the events cannot be shared out as asked.
        """
        seed = self.values["SplitSeed"] or time.time_ns() % 2**32
        random = np.random.Generator(np.random.PCG64(seed))
        chosen = [self.split(events, random) for events in classes]
        sums = [float(e.sample.weight[train].sum()) for e, (train, _) in zip(classes, chosen, strict=True)]
        factors = self.rescale([len(train) for train, _ in chosen], sums)
        log.info(_NORM_MODES[self.values["NormMode"]])
        counts = []
        samples: dict[str, list[Sample]] = {"train": [], "test": []}
        for events, (train, test), factor in zip(classes, chosen, factors, strict=True):
            training = events.sample.select(train)
            training = training.with_weight(training.weight * factor)
            testing = events.sample.select(test)
            samples["train"].append(training)
            samples["test"].append(testing)
            counts.append(
                dataclasses.replace(
                    events.counts,
                    n_train=len(training),
                    sum_train=float(training.weight.sum()),
                    n_test=len(testing),
                    sum_test=float(testing.weight.sum()),
                    rescale=factor,
                    effective_train=training.effective_number,
                    effective_test=testing.effective_number,
                )
            )
        mixed = []
        for parts in samples.values():
            order = self._order([len(part) for part in parts], random)
            mixed.append(concatenate(parts).select(order))
        return mixed[0], mixed[1], tuple(counts)


_NORM_MODES = {
    "None": "No weight renormalisation applied: use original global and event weights",
    "NumEvents": (
        'Weight renormalisation mode: "NumEvents": renormalises all event classes\n'
        " such that the effective (weighted) number of events in each class equals the respective\n"
        " number of training events, i.e. such that Sum[i=1..N_j]{w_i} = N_j, j=0,1,2...\n"
        " (test events are not renormalised)"
    ),
    "EqualNumEvents": (
        'Weight renormalisation mode: "EqualNumEvents": renormalises all event classes\n'
        " such that the effective (weighted) number of events in each class is the same\n"
        " (and equals the number of training events of class 0), i.e. Sum[i=1..N_j]{w_i} = N_0, j=0,1,2...\n"
        " (test events are not renormalised)"
    ),
}


def concatenate(samples: Sequence[Sample]) -> Sample:
    """Put samples one behind the other."""
    first = samples[0]
    return Sample(
        np.concatenate([s.X for s in samples]),
        np.concatenate([s.class_index for s in samples]),
        np.concatenate([s.weight for s in samples]),
        np.concatenate([s.targets for s in samples]) if first.targets.size else first.targets,
        {label: np.concatenate([s.spectators[label] for s in samples]) for label in first.spectators},
    )

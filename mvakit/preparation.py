"""From the events of each class to a training and a test sample: split, renormalisation and mixing, as TMVA does them."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mvakit.columnstore import Space, gather, index_type, spans
from mvakit.dataset import Sample, SampleCounts, row_bytes
from mvakit.errors import DataError
from mvakit.options import OptionSpec, assign_options
from mvakit.progress import Messenger
from mvakit.shuffle import Shuffler
from mvakit.types import TreeType

__all__ = ["ClassEvents", "Maker", "Preparation", "preparation_specs", "sample_of"]

IndexArray = npt.NDArray[np.integer[Any]]

Maker = Callable[[str, tuple[int, ...], npt.DTypeLike], npt.NDArray[Any]]
"""Makes a column of a sample from its name, its shape and the type of its numbers, to be filled."""

_SPLIT_MODES = ("Random", "Alternate", "Block")


@dataclass(frozen=True, slots=True)
class ClassEvents:
    """The events of one class that passed its cut, in the order of its trees.

    Attributes
    ----------
    parts : tuple of Sample
        The events of each tree.
    purposes : tuple of int
        What each tree is for: 0 training, 1 test, 2 either.
    counts : SampleCounts
    """

    parts: tuple[Sample, ...]
    purposes: tuple[int, ...]
    counts: SampleCounts

    def __len__(self) -> int:
        return sum(len(part) for part in self.parts)

    def of_purpose(self, purpose: int) -> IndexArray:
        """Return the events of the trees that are for one purpose."""
        number = index_type(len(self))
        begin, found = 0, [np.zeros(0, number)]
        for part, code in zip(self.parts, self.purposes, strict=True):
            if code == purpose:
                found.append(np.arange(begin, begin + len(part), dtype=number))
            begin += len(part)
        return np.concatenate(found) if len(found) != 2 else found[1]

    def weigh(self, chosen: IndexArray, factor: float = 1.0) -> tuple[float, float]:
        """Return the sum of the weights of some events, each multiplied first, and their effective number.

        That is the number of events of unit weight that would fluctuate as much, (sum w)^2 / sum w^2. The order of
        summation does not depend on that of the events.
        """
        wanted = np.zeros(len(self), np.bool_)
        wanted[chosen] = True
        sums, squares, begin = [], [], 0
        for part in self.parts:
            here = wanted[begin : begin + len(part)]
            for rows in spans(len(part)):
                weights = (part.weight[rows] * factor)[here[rows]]
                sums.append(float(weights.sum()))
                squares.append(float(np.dot(weights, weights)))
            begin += len(part)
        whole, square = math.fsum(sums), math.fsum(squares)
        return whole, whole**2 / square if square else 0.0


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

    def _numbers(self, events: ClassEvents, available: tuple[int, int, int]) -> tuple[int, int, int, int]:
        """Return how many events to ask for in training and test, and from how many to take each of them."""
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
            asked_train, asked_test = _share(total, fraction), 0
            if not asked_train:
                raise DataError(
                    f"TrainTestSplit_{name}={fraction:g} of {total} events leaves no events for the training sample"
                )
        if self.values["ScaleWithPreselEff"]:
            passed, before = events.counts.n_passed, events.counts.n_input
            scale = np.float32(passed) / np.float32(before)
            for purpose, asked in (("training", asked_train), ("test", asked_test)):
                if asked and not _share(asked, scale):
                    raise DataError(
                        f"{asked} {purpose} events of class {name!r} times the efficiency of its cut, {passed}/{before} "
                        "(ScaleWithPreselEff), is no event"
                    )
            asked_train, asked_test = _share(asked_train, scale), _share(asked_test, scale)
        for purpose, option, asked in (("training", "nTrain", asked_train), ("test", "nTest", asked_test)):
            if asked > total:
                raise DataError(
                    f"{asked} {purpose} events of class {name!r} are asked for ({option}_{name}), but only {total} passed the cut"
                )
        if not asked_train and not asked_test:
            if n_either >= abs(n_train - n_test):
                return (total // 2,) * 4
            from_train = n_train + (n_either if n_train < n_test else 0)
            return from_train, total - from_train, from_train, total - from_train
        if not asked_test:
            from_train = max(asked_train, n_train)
            return asked_train, total - from_train, from_train, total - from_train
        if not asked_train:
            from_test = max(asked_test, n_test)
            return total - from_test, asked_test, total - from_test, from_test
        need = max(asked_train - n_train, 0) + max(asked_test - n_test, 0)
        if need > n_either:
            raise DataError(
                f"{asked_train} training and {asked_test} test events of class {name!r} are asked for (nTrain_{name}, nTest_{name}), "
                f"but only {total} passed the cut ({n_train} of them from training trees, {n_test} from test trees)"
            )
        from_train = max(asked_train, n_train) + (n_either - need) // 2
        return asked_train, asked_test, from_train, total - from_train

    def split(self, classes: Sequence[ClassEvents], shuffler: Shuffler) -> list[tuple[IndexArray, IndexArray]]:
        """Choose the training and the test events of each class, as indices into its sample.

        ``SplitMode=Random`` draws in TMVA's order: the events of all classes first, then for each class those that
        nobody asked for.

        Raises
        ------
        DataError
            If more events are asked for than there are, or one of the samples is left empty.
        """
        either = [events.of_purpose(2) for events in classes]
        if self.values["SplitMode"] == "Random":
            for free in either:
                shuffler.shuffle(free)
        return [self._split(events, free, shuffler) for events, free in zip(classes, either, strict=True)]

    def _split(self, events: ClassEvents, either: IndexArray, shuffler: Shuffler) -> tuple[IndexArray, IndexArray]:
        train, test = events.of_purpose(0), events.of_purpose(1)
        n_train, n_test, n_either = len(train), len(test), len(either)
        asked_train, asked_test, from_train, from_test = self._numbers(events, (n_train, n_test, n_either))
        mode = self.values["SplitMode"]
        if mode == "Alternate":
            # In turn, training first, until training has what it asked for; all others are for the test.
            pairs = min(max(asked_train - n_train, 0), (n_either + 1) // 2)
            to_train, to_test = either[: 2 * pairs : 2], np.delete(either, np.s_[: 2 * pairs : 2])
        else:
            to_train, to_test = np.split(either, [max(from_train - n_train, 0)])
            to_test = to_test[: max(from_test - n_test, 0)]
        chosen = []
        for purpose, given, added, asked in (
            ("training", train, to_train, asked_train),
            ("test", test, to_test, asked_test),
        ):
            found = np.concatenate([given, added])
            if len(found) < asked:
                raise DataError(
                    f"SplitMode={mode} finds only {len(found)} events of class {events.counts.name!r} for the {purpose} sample, "
                    f"and {asked} are asked for"
                )
            if mode == "Random" and len(found) > asked:
                found = _without(found, len(found) - asked, shuffler)
            if not asked:
                raise DataError(f"class {events.counts.name!r} has no events left for the {purpose} sample")
            chosen.append(found[:asked])
        return chosen[0], chosen[1]

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

    def _order(self, sizes: Sequence[int], shuffler: Shuffler) -> IndexArray:
        """Return the order in which the concatenated events of the classes enter a sample."""
        mode = self.values["MixMode"]
        if mode == "SameAsSplitMode":
            mode = self.values["SplitMode"]
        order = np.arange(sum(sizes), dtype=index_type(sum(sizes)))
        if mode == "Random":
            shuffler.shuffle(order)
        if mode != "Alternate":
            return order
        mixed, *others = np.split(order, np.cumsum(sizes)[:-1])
        for position, added in enumerate(others, start=1):
            # One event of this class after every `position` of those before it; what is left over comes last.
            after = (np.arange(len(added)) + 1) * position
            mixed = np.insert(mixed, np.minimum(after, len(mixed)), added)
        return mixed

    @property
    def norm_mode(self) -> str:
        """What is done to the training weights, in TMVA's words."""
        return _NORM_MODES[self.values["NormMode"]]

    def __call__(
        self, classes: Sequence[ClassEvents], log: Messenger, make: Maker | None = None, space: Space | None = None
    ) -> tuple[Sample, Sample, tuple[SampleCounts, ...]]:
        """Split, renormalise and mix the events of all classes.

        Parameters
        ----------
        classes : sequence of ClassEvents
        log : Messenger
        make : callable, optional
            Makes the columns of the samples, ``train_X`` and so on; by default in memory.
        space : Space, optional
            Of events that are larger than memory.

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
        shuffler = Shuffler(seed)
        chosen = self.split(classes, shuffler)
        sums = [events.weigh(train)[0] for events, (train, _) in zip(classes, chosen, strict=True)]
        factors = self.rescale([len(train) for train, _ in chosen], sums)
        log.info(self.norm_mode)
        counts = []
        for events, (train, test), factor in zip(classes, chosen, factors, strict=True):
            sum_train, effective_train = events.weigh(train, factor)
            sum_test, effective_test = events.weigh(test)
            counts.append(
                dataclasses.replace(
                    events.counts,
                    n_train=len(train),
                    sum_train=sum_train,
                    n_test=len(test),
                    sum_test=sum_test,
                    rescale=factor,
                    effective_train=effective_train,
                    effective_test=effective_test,
                )
            )
        parts = [part for events in classes for part in events.parts]
        total = sum(len(part) for part in parts)
        begins = np.cumsum([0, *(len(events) for events in classes)])
        samples = []
        for which, purpose in enumerate(("train", "test")):
            number = index_type(total)
            indices = [pair[which].astype(number) + number.type(b) for pair, b in zip(chosen, begins, strict=False)]
            order = np.concatenate(indices)[self._order([len(index) for index in indices], shuffler)]
            del indices
            scale = np.array(factors) if purpose == "train" else None
            samples.append(_assemble(parts, order, scale, purpose, make or _in_memory, space))
        return samples[0], samples[1], tuple(counts)


def _share(number: int, fraction: float | np.float32) -> int:
    """Return a fraction of a number of events, in single precision as TMVA has it."""
    return min(int(np.float32(number) * np.float32(fraction)), number)


def _without(events: IndexArray, number: int, shuffler: Shuffler) -> IndexArray:
    """Return the events, in their order, without some that are drawn."""
    drawn = np.arange(len(events), dtype=index_type(len(events)))
    shuffler.shuffle(drawn)
    kept = np.ones(len(events), np.bool_)
    kept[drawn[:number]] = False
    return events[kept]


def _in_memory(name: str, shape: tuple[int, ...], dtype: npt.DTypeLike) -> npt.NDArray[Any]:  # noqa: ARG001
    return np.empty(shape, dtype)


def _assemble(
    parts: Sequence[Sample],
    order: IndexArray,
    scale: npt.NDArray[np.float64] | None,
    purpose: str,
    make: Maker,
    space: Space | None,
) -> Sample:
    """Make a sample of the events of many parts, in some order; `scale` multiplies the weights of each class."""
    sources = [[p.X, p.class_index, p.weight, p.targets, *p.spectators.values()] for p in parts]
    filled = [columns for columns in sources if len(columns[0])] or sources[:1]
    names = ["X", "class_index", "weight", "targets", *(f"spectator_{i}" for i in range(len(parts[0].spectators)))]
    made = {}
    for place, name in enumerate(names):
        dtype = np.result_type(*(columns[place].dtype for columns in filled))
        made[f"{purpose}_{name}"] = make(f"{purpose}_{name}", (len(order), *filled[0][place].shape[1:]), dtype)
    columns = list(made.values())
    gather(filled, order, columns, 0 if space is None else space.bucket(row_bytes(columns)))
    sample = sample_of(made, purpose, list(parts[0].spectators), space)
    if scale is not None:
        for rows in spans(len(order)):
            sample.weight[rows] *= scale[sample.class_index[rows]]
    return sample


def sample_of(
    columns: Mapping[str, npt.NDArray[Any]], purpose: str, spectators: Sequence[str], space: Space | None
) -> Sample:
    """Return the sample of one purpose from columns named ``train_X``, ``train_weight`` and so on."""
    X, class_index, weight, targets = (columns[f"{purpose}_{n}"] for n in ("X", "class_index", "weight", "targets"))
    found = {label: columns[f"{purpose}_spectator_{i}"] for i, label in enumerate(spectators)}
    return Sample(X, class_index, weight, targets, found, space)


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

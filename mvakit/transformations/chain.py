"""A chain of fitted transformations: each is made from the output of those before it, and all are applied in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.columnstore import spans
from mvakit.dataset import Sample
from mvakit.errors import TransformationError, WeightFileError, did_you_mean
from mvakit.transformations.base import Events, Float32Array, Transformation
from mvakit.transformations.decorrelation import Decorrelation
from mvakit.transformations.gauss import Gauss
from mvakit.transformations.grammar import Step, letters, parse_chain
from mvakit.transformations.identity import Identity
from mvakit.transformations.normalize import Normalize
from mvakit.transformations.pca import PrincipalComponents
from mvakit.transformations.rearrange import Rearrange
from mvakit.transformations.selection import Columns, IntArray, Kind, Selection
from mvakit.transformations.uniform import Uniform
from mvakit.variables import Variable
from mvakit.weightfile import attribute, int_attribute

__all__ = ["Chain", "fit_chain"]

Plan = list[tuple[Transformation, IntArray, IntArray | slice, IntArray | slice, int]]

CHUNK: Final = 8192  # events that pass the whole chain while they are in the cache

_BY_LETTER: Final[dict[str, type[Transformation]]] = {
    cls.letter: cls for cls in (Identity, Decorrelation, PrincipalComponents, Uniform, Gauss, Normalize)
}
_BY_XML: Final[dict[tuple[str, str], type[Transformation]]] = {
    ("Normalize", ""): Normalize,
    ("Decorrelation", ""): Decorrelation,
    ("PCA", ""): PrincipalComponents,
    ("Gauss", "Gauss"): Gauss,
    ("Gauss", "Flat"): Uniform,
    ("Uniform", "Flat"): Uniform,
    ("Uniform", "Gauss"): Gauss,
    ("Rearrange", ""): Rearrange,
}


@dataclass(frozen=True, eq=False)
class Chain:
    """Fitted transformations in the order of their application; immutable, and safe to share between threads.

    Attributes
    ----------
    text : str
        As booked: ``"G,D"``.
    steps : tuple of Transformation
    columns : Columns
        What an event consists of.
    """

    text: str
    steps: tuple[Transformation, ...]
    columns: Columns
    _plans: dict[tuple[Kind, int | None], tuple[int, Plan]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __iter__(self) -> Iterator[Transformation]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def suffix(self) -> str:
        """TMVA's name of the chain in directories and histograms: ``"Id"``, ``"Deco"``, ``"Gauss_Deco"``..."""
        return "_".join(step.short_name for step in self.steps) or "Id"

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds of value that the chain changes: ``"Variable"``, ``"Target"``, ``"Spectator"``."""
        return frozenset().union(*(step.kinds() for step in self.steps))

    # ------------------------------------------------------------------------------------------ application

    def apply(self, X: npt.ArrayLike, class_index: int | None = None) -> Float32Array:
        """Transform the variables of events.

        Parameters
        ----------
        X : array_like, shape (n_events, n_variables)
        class_index : int, optional
            The class whose blocks apply, in every step; by default each step's own: that of the class it was booked
            with, or of all classes.

        Returns
        -------
        ndarray of float32, shape (n_events, n_variables)
            Values are rounded to single precision after every step. The result for an event does not depend on the
            others. Without a step that changes variables it is `X` itself, if that is of single precision.

        Raises
        ------
        TransformationError
            If `X` has another number of columns, or there is no such class.
        """
        return self._walk("Variable", X, class_index)

    def apply_targets(self, targets: npt.ArrayLike) -> Float32Array:
        """Transform regression targets, shape (n_events, n_targets), as N and U do unless booked with a subset."""
        return self._walk("Target", targets, None)

    def invert_targets(self, targets: npt.ArrayLike) -> Float32Array:
        """Bring transformed targets back to their own scale, step by step from the last to the first.

        TMVA undoes only the first step of a chain; the two agree where one step transforms the targets.

        Raises
        ------
        TransformationError
            If a step mixes targets, which has no way back.
        """
        return self._walk("Target", targets, None, inverse=True)

    def apply_spectators(self, spectators: npt.ArrayLike) -> Float32Array:
        """Transform spectators, shape (n_events, n_spectators), which only a subset such as ``N(_S_)`` asks for."""
        return self._walk("Spectator", spectators, None)

    def apply_to(self, sample: Sample) -> Sample:
        """Return the same events with transformed variables, and transformed targets where the chain changes these."""
        if "Variable" in self.kinds:
            sample = sample.map_inputs(self.apply)
        return sample.map_targets(self.apply_targets) if "Target" in self.kinds else sample

    def _walk(
        self, kind: Kind, values: npt.ArrayLike, class_index: int | None, *, inverse: bool = False
    ) -> Float32Array:
        table = np.asarray(values)
        known = self._plans.get((kind, class_index))
        if known is None:  # two threads may both make it; they make the same
            width = len(self.columns.of(kind))
            known = self._plans[kind, class_index] = width, _plan(self.steps, kind, width, class_index)
        width, plan = known
        if table.ndim != 2 or table.shape[1] != width:
            raise TransformationError(
                f"the chain {self.text!r} takes {width} {kind.lower()}s of each event, an array of shape (n, {width}), "
                f"not {table.shape}"
            )
        with np.errstate(over="ignore"):  # beyond single precision is infinity
            if not plan:
                return np.asarray(table, dtype=np.float32)
            return _carry(plan, np.array(table, dtype=np.float32, order="C"), inverse=inverse)

    # ------------------------------------------------------------------------------------------ weight file

    def write(self) -> ET.Element:
        """Return ``<Transformations>``."""
        element = ET.Element("Transformations", NTransformations=str(len(self.steps)))
        for step in self.steps:
            step.write(element)
        return element

    @classmethod
    def read(
        cls,
        element: ET.Element,
        var_transform: str,
        variables: Sequence[Variable],
        classes: Sequence[str],
        targets: Sequence[Variable] = (),
        spectators: Sequence[Variable] = (),
    ) -> Chain:
        """Read ``<Transformations>`` of TMVA or mvakit.

        Parameters
        ----------
        element : Element
        var_transform : str
            The file's option ``VarTransform``. What is transformed and how is for the element to say; the text
            only remembers the identities that TMVA leaves out of it.
        variables, targets, spectators : sequence of Variable
            Those of the file, in order.
        classes : sequence of str

        Notes
        -----
        The last block of each transformation applies, as in TMVA, which does not look at ``_Signal`` in the option when
        it reads a file (see `Transformation.written_blocks` for what mvakit does about it).

        Raises
        ------
        WeightFileError
            If the element is damaged or holds a transformation that is not known.
        """
        columns = Columns(tuple(variables), tuple(targets), tuple(spectators))
        n_classes = max(len(classes), 1)
        found = [_read_transform(item, columns, n_classes) for item in element.findall("Transform")]
        booked = letters(var_transform)
        if booked is not None and len(booked.replace("I", "")) == len(found):
            written = iter(found)
            whole = Selection.of(columns.of("Variable"))
            steps = tuple(Identity.read(element, whole, n_classes) if i == "I" else next(written) for i in booked)
        else:
            steps = tuple(found)
        declared = int_attribute(element, "NTransformations", 0)
        if declared not in {len(found), len(steps)}:
            raise WeightFileError(f"<Transformations NTransformations='{declared}'> holds {len(found)} <Transform>")
        return cls(var_transform, steps, columns)


def _read_transform(element: ET.Element, columns: Columns, n_classes: int) -> Transformation:
    name, shape = attribute(element, "Name"), element.get("FlatOrGauss", "")
    transformation = _BY_XML.get((name, shape))
    if transformation is None:
        known = [" ".join(filter(None, key)) for key in _BY_XML]
        raise WeightFileError(
            f"the weight file holds the transformation {f'{name} {shape}'.strip()!r}, which is not known; "
            f"{did_you_mean(name, known, noun='the transformations')}"
        )
    return transformation.read(element, Selection.read(element, columns), n_classes)


def _plan(steps: Sequence[Transformation], kind: Kind, width: int, class_index: int | None) -> Plan:
    """Say what each step that touches one kind of value reads and writes."""
    plan = []
    for step in steps:
        block = step.block(class_index)
        if kind in step.kinds():
            positions, inputs, outputs = step.selection.places(kind)
            plan.append((step, positions, _columns(inputs, width), _columns(outputs, width), block))
    return plan


def _columns(indices: IntArray, width: int) -> IntArray | slice:
    """Return the indices, or the slice that stands for all columns in order and needs no copy."""
    return slice(None) if np.array_equal(indices, np.arange(width)) else indices


def _carry(plan: Plan, table: Float32Array, *, inverse: bool = False) -> Float32Array:
    """Take a table through the steps, in place and a chunk at a time."""
    for begin in range(0, len(table), CHUNK):
        rows = table[begin : begin + CHUNK]
        for step, positions, inputs, outputs, block in reversed(plan) if inverse else plan:
            if inverse:
                rows[:, inputs] = step.invert(rows[:, outputs], positions, block)
            else:
                rows[:, outputs] = step.transform(rows[:, inputs], positions, block)
    return table


def fit_chain(
    text: str,
    train: Sample,
    variables: Sequence[Variable],
    classes: Sequence[str],
    targets: Sequence[Variable] = (),
    spectators: Sequence[Variable] = (),
) -> Chain:
    """Make the transformations of a chain from training events, each from the output of those before it.

    Parameters
    ----------
    text : str
        The text of ``VarTransform``.
    train : Sample
    variables, targets, spectators : sequence of Variable
        Of the columns of `train`.
    classes : sequence of str
        In the order of ``train.class_index``.

    Raises
    ------
    TransformationError
        If the text is no chain (see `parse_chain`), a value is not finite, a class has no events, or a transformation
        cannot be made from them, as that of a constant variable.
    """
    steps = parse_chain(text, variables, classes, targets, spectators)
    columns = Columns(tuple(variables), tuple(targets), tuple(spectators))
    active = [step for step in steps if step.letter != "I"]
    if active:
        present = set().union(*(np.unique(block.class_index) for block in train.blocks()))
        for i, name in enumerate(classes):
            if i not in present:
                raise TransformationError(f"the class {name!r} has no training events to make {text!r} from")
    stage = _Stage(train, spectators if any("Spectator" in step.selection.kinds for step in active) else ())
    fitted: list[Transformation] = []
    for step in steps:
        events = Events(
            partial(stage.inputs, step), train.class_index, train.weight, tuple(classes), train.space is not None
        )
        transformation = _BY_LETTER[step.letter].fit(step, events)
        fitted.append(transformation)
        if step is not steps[-1]:
            stage.advance(transformation)
    return Chain(text.strip(), tuple(fitted), columns)


class _Stage:
    """The training events on their way through the steps of a chain.

    Events in memory are transformed as each step is made. Those in mapped files stay as they are, and every block of them is
    taken through the steps whenever it is read.
    """

    def __init__(self, train: Sample, spectators: Sequence[Variable]) -> None:
        self._train = train
        self._labels = [v.label for v in spectators]
        self._tables: dict[Kind, Float32Array] = {}
        self._ahead: list[Transformation] = []

    def _raw(self, sample: Sample) -> dict[Kind, Float32Array]:
        tables: dict[Kind, Float32Array] = {
            "Variable": np.asarray(sample.X, np.float32),
            "Target": np.asarray(sample.targets, np.float32),
        }
        if self._labels:
            tables["Spectator"] = np.column_stack([sample.spectators[label] for label in self._labels]).astype(
                np.float32
            )
        return tables

    def advance(self, transformation: Transformation) -> None:
        """Take the events through a step."""
        if self._train.space is not None:
            self._ahead.append(transformation)
            return
        self._tables = self._tables or self._raw(self._train)
        for kind in transformation.kinds():
            plan = _plan([transformation], kind, self._tables[kind].shape[1], None)
            self._tables[kind] = _carry(plan, self._tables[kind].copy())

    def _blocks(self) -> Iterator[dict[Kind, Float32Array]]:
        if self._train.space is None:
            self._tables = self._tables or self._raw(self._train)
            for rows in spans(len(self._train)):
                yield {kind: table[rows] for kind, table in self._tables.items()}
            return
        for block in self._train.blocks():
            tables = self._raw(block)
            for kind, table in tables.items():
                plan = _plan(self._ahead, kind, table.shape[1], None)
                if plan:
                    tables[kind] = _carry(plan, table.copy())
            yield tables

    def inputs(self, step: Step) -> Iterator[Float32Array]:
        """Yield what a step reads of the events, block by block.

        Raises
        ------
        TransformationError
            If a value is not finite.
        """
        begin = 0
        first: tuple[int, int, np.float32] | None = None
        undefined = 0
        for tables in self._blocks():
            values = np.empty((len(tables["Variable"]), len(step.selection)), np.float32)
            for kind in step.selection.kinds:
                positions, inputs, _ = step.selection.places(kind)
                values[:, positions] = tables[kind][:, inputs]
            finite = np.isfinite(values)
            if first is None and not finite.all():
                event, place = np.argwhere(~finite)[0].tolist()
                first = begin + event, place, values[event, place]
            if first is None:
                yield values
            else:
                undefined += int((~finite[:, first[1]]).sum())
            begin += len(values)
        if first is not None:
            event, place, value = first
            raise TransformationError(
                f"{step.text}: {step.selection.labels[place]!r} is {value} in {undefined} of {begin} training events, "
                f"first in number {event}; cut such events away"
            )

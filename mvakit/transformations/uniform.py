"""U: each value to the share of training events below it, which is spread evenly over [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final, Self
from xml.etree import ElementTree as ET

import numpy as np

from mvakit.errors import TransformationError, WeightFileError
from mvakit.transformations.base import Events, Float32Array, FloatArray, Transformation
from mvakit.transformations.cumulative import Cumulative, Curves
from mvakit.transformations.grammar import Step
from mvakit.transformations.selection import IntArray, Selection
from mvakit.transformations.sketch import QuantileSketch, Summary, stable_order
from mvakit.weightfile import child, int_attribute

__all__ = ["Uniform"]

EDGE: Final = 1e-9  # the share is kept this far from 0 and 1


@dataclass(frozen=True, eq=False)
class Uniform(Transformation):
    """The weighted cumulative distribution of each variable, applied to it.

    Attributes
    ----------
    distributions : tuple of tuple of Cumulative
        One for each block, for each input.
    """

    distributions: tuple[tuple[Cumulative, ...], ...]
    _tables: dict[tuple[int, ...], Curves] = field(default_factory=dict, init=False, repr=False, compare=False)

    letter: ClassVar[str] = "U"
    short_name: ClassVar[str] = "Uniform"
    shape: ClassVar[str] = "Flat"
    """TMVA's word for it in a weight file."""

    @classmethod
    def fit(cls, step: Step, events: Events) -> Self:
        """Find the distributions: TMVA's own, or where events are larger than memory those of a `QuantileSketch`.

        Raises
        ------
        TransformationError
            If a variable is constant, or the sum of weights is not positive.
        """
        columns = _summarised(step, events) if events.mapped else _sorted(step, events)
        return cls(step.selection, step.reference, len(events.classes), tuple(zip(*columns, strict=True)))

    def transform(self, values: Float32Array, positions: IntArray, block: int) -> Float32Array:
        """Return the cumulative shares, within [1e-9, 1 - 1e-9]."""
        share = self._curves(positions, block)(values.astype(np.float64))
        return self._from_share(np.clip(share, EDGE, 1.0 - EDGE)).astype(np.float32)

    def invert(self, values: Float32Array, positions: IntArray, block: int) -> Float32Array:
        """Return the values that have these shares."""
        share = self._to_share(values.astype(np.float64))
        columns = zip(positions, share.T, strict=True)
        found = [self.distributions[block][position].inverse(column) for position, column in columns]
        return np.column_stack(found).astype(np.float32)

    def _curves(self, positions: IntArray, block: int) -> Curves:
        key = (block, *positions.tolist())
        curves = self._tables.get(key)
        if curves is None:  # two threads may both make it; they make the same
            curves = self._tables[key] = Curves.of([self.distributions[block][position] for position in positions])
        return curves

    def _from_share(self, share: FloatArray) -> FloatArray:
        return share

    def _to_share(self, value: FloatArray) -> FloatArray:
        return value

    def write(self, parent: ET.Element) -> None:
        """Append ``<Transform Name="Gauss">``, of which TMVA makes both U and G."""
        element = ET.SubElement(parent, "Transform", Name="Gauss", FlatOrGauss=self.shape)
        self.selection.write(element)
        for i in range(len(self.selection)):
            variable = ET.SubElement(element, "Variable", VarIndex=str(i))
            for index, block in enumerate(self.written_blocks):
                self.distributions[block][i].write(ET.SubElement(variable, f"CumulativePDF_cls{index}"), i, index)

    @classmethod
    def read(cls, element: ET.Element, selection: Selection, n_classes: int) -> Self:
        """Read the distributions.

        Raises
        ------
        WeightFileError
            If one is missing or damaged.
        """
        expected = n_classes + 1 if n_classes > 1 else 1
        columns: dict[int, list[Cumulative]] = {}
        for variable in element.findall("Variable"):
            index = int_attribute(variable, "VarIndex", 0, len(selection) - 1)
            columns[index] = [
                Cumulative.read(
                    child(child(variable, f"CumulativePDF_cls{block}"), "PDF"), applies=block == expected - 1
                )
                for block in range(expected)
            ]
        if len(columns) != len(selection):
            raise WeightFileError(
                f"a Gauss transformation of {len(selection)} inputs holds {len(columns)} cumulative distributions"
            )
        ordered = [columns[i] for i in range(len(selection))]
        return cls(selection, None, n_classes, tuple(zip(*ordered, strict=True)))


def _refuse_weight(step: Step, events: Events, block: int, total: float) -> None:
    if total <= 0:
        raise TransformationError(
            f"{step.text}: the weights of {events.whose(block)} sum to {total:g}, which distributes nothing"
        )


def _sorted(step: Step, events: Events) -> list[list[Cumulative]]:
    """Return, for each input, the distributions of each block, exactly as TMVA finds them."""
    table = events.table()
    main = events.n_blocks - 1 if step.reference is None else step.reference
    chosen = table[events.rows(main)]
    events.refuse_constant(step, main, chosen.min(axis=0), chosen.max(axis=0))
    for block in range(events.n_blocks):
        _refuse_weight(step, events, block, float(events.weight[events.rows(block)].sum()))
    columns = []
    for column in table.T:
        values = np.ascontiguousarray(column)
        order = stable_order(values)
        found = []
        for block in range(events.n_blocks):
            rows = events.rows(block)
            if isinstance(rows, slice):
                found.append(Cumulative.fit(values, events.weight, order))
            else:  # the sorted events of a class are those of all, without the others
                place = np.full(values.size, -1)
                place[rows] = np.arange(rows.size)
                within = place[order]
                found.append(Cumulative.fit(values[rows], events.weight[rows], within[within >= 0]))
        columns.append(found)
    return columns


def _summarised(step: Step, events: Events) -> list[list[Cumulative]]:
    """Return the same of events that cannot be sorted, from summaries made in one pass."""
    sketches = [[QuantileSketch() for _ in events.classes] for _ in range(len(step.selection))]
    for values, class_index, weight in events.blocks():
        for index in range(len(events.classes)):
            rows = np.flatnonzero(class_index == index)
            for column, of_classes in zip(values[rows].T, sketches, strict=True):
                of_classes[index].add(column, weight[rows])
    columns = []
    main = events.n_blocks - 1 if step.reference is None else step.reference
    for of_classes in sketches:
        summaries = [sketch.summary() for sketch in of_classes]
        if len(summaries) > 1:
            summaries.append(Summary.joined(summaries))
        columns.append(summaries)
    ends = [of_blocks[main].values[[0, -1]] for of_blocks in columns]
    events.refuse_constant(step, main, *np.transpose(ends))
    for block, summary in enumerate(columns[0]):
        _refuse_weight(step, events, block, summary.total)
    return [[Cumulative.of_summary(summary) for summary in of_blocks] for of_blocks in columns]

"""A foam: a tree of cells, each of which is divided in one dimension, with what the training events in them say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError
from mvakit_methods.pdefoam.rootfile import StreamedFoam

__all__ = ["Foam"]

FloatArray = npt.NDArray[np.float64]
SingleArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

MAX_DEPTH: Final = 2000
MAX_NUMBERS: Final = 20_000_000
_UNDEFINED: Final = -1.0
_MONO_TARGET: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Foam:
    """A foam as arrays, one row a cell; the first is the whole.

    Attributes
    ----------
    lowest, highest : ndarray of float64, shape (n_dimensions,)
        The box that the foam fills; cells are told in fractions of it.
    dimension : ndarray of int64, shape (n,)
        In which a cell is divided; -1 for those that are not.
    border : ndarray of float64, shape (n,)
        Where it is divided: smaller and equal coordinates lie in the first daughter.
    daughters : ndarray of int64, shape (n, 2)
    position, size : ndarray of float64, shape (n, n_dimensions)
    value, density : ndarray of float32, shape (n,)
        The first number of a cell; and by volume.
    undefined : ndarray of bool, shape (n,)
        Whether a cell without events has no value, so that its neighbours are asked.
    most_probable : bool or None
        Which target is taken; None where the foam does not say.
    """

    lowest: FloatArray
    highest: FloatArray
    dimension: IntArray
    border: FloatArray
    daughters: IntArray
    position: FloatArray
    size: FloatArray
    value: SingleArray
    density: SingleArray
    undefined: npt.NDArray[np.bool_]
    most_probable: bool | None

    @classmethod
    def of(cls, streamed: StreamedFoam, n_dimensions: int, what: str) -> Foam:
        """Make the arrays.

        Raises
        ------
        WeightFileError
            If the cells are no tree, or a number is none.
        """
        if streamed.n_dimensions != n_dimensions:
            raise WeightFileError(f"{what} has {streamed.n_dimensions} dimensions and should have {n_dimensions}")
        cells = streamed.cells
        if len(cells) * n_dimensions > MAX_NUMBERS:
            raise WeightFileError(f"{what} has {len(cells)} cells of {n_dimensions} dimensions, which are too many")
        lowest, highest = np.array(streamed.lowest), np.array(streamed.highest)
        if lowest.shape != (n_dimensions,) or highest.shape != (n_dimensions,) or not (lowest < highest).all():
            raise WeightFileError(f"{what} fills no box: fXmin={lowest.tolist()}, fXmax={highest.tolist()}")
        active = np.array([cell.active for cell in cells])
        best = np.array([0 if cell.active else min(max(cell.best, -1), n_dimensions) for cell in cells], np.int64)
        division, volume = np.array([cell.division for cell in cells]), np.array([cell.volume for cell in cells])
        numbers = np.array([(*cell.elements[:2], 0.0, 0.0)[:2] for cell in cells], np.float64)
        finite = np.isfinite(numbers).all() and np.isfinite(volume).all() and np.isfinite([*lowest, *highest]).all()
        if not finite or not ((division >= 0) & (division <= 1))[~active].all():
            raise WeightFileError(f"{what} holds a number that is none, or a division outside of its cell")
        if not ((best >= 0) & (best < n_dimensions)).all():
            raise WeightFileError(f"{what} has a cell that is divided in a dimension that there is not")
        parent, daughters = _tree(streamed, what)
        position, size = _geometry(parent, daughters, best, division, n_dimensions, what)
        first = np.where(active, 0, daughters[:, 0])
        rows = np.arange(len(cells))
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            value, error = numbers[:, 0].astype(np.float32), numbers[:, 1].astype(np.float32)
            has_volume = volume > np.finfo(np.float64).eps
            density = np.where(has_volume, value / np.where(has_volume, volume, 1.0), 0.0).astype(np.float32)
        of_target = streamed.kind == "TMVA::PDEFoamTarget" or (
            streamed.kind == "TMVA::PDEFoam" and streamed.foam_type == _MONO_TARGET
        )
        selection = streamed.target_selection
        return cls(
            lowest,
            highest,
            np.where(active, -1, best),
            position[first, best] + size[first, best],
            np.where(active[:, np.newaxis], rows[:, np.newaxis], daughters),
            position,
            size,
            value,
            density,
            (error == _UNDEFINED) if of_target else np.zeros(len(cells), bool),
            None if selection is None else selection == 1,
        )


def _tree(streamed: StreamedFoam, what: str) -> tuple[IntArray, IntArray]:
    """Return the parents and daughters of the cells by their places; -1 for none."""
    cells = streamed.cells
    place = {cell.unique_id: i for i, cell in enumerate(cells) if cell.unique_id}
    parent, daughters = np.full(len(cells), -1), np.full((len(cells), 2), -1)
    reached, waiting = 0, [0]
    while waiting:
        i = waiting.pop()
        reached += 1
        if cells[i].active:
            continue
        for side, unique_id in enumerate(cells[i].daughters):
            j = place.get(unique_id, -1)
            # The first cell is nobody's daughter, and the others are each one cell's: so there are no circles.
            if j <= 0 or parent[j] >= 0 or place.get(cells[j].parent, -1) != i:
                raise WeightFileError(f"{what}: the cells are no tree: daughter {side} of cell {i} is not its own")
            parent[j], daughters[i, side] = i, j
            waiting.append(j)
    if reached != len(cells):
        raise WeightFileError(f"{what}: the cells are no tree: {len(cells) - reached} of them belong to no other")
    return parent, daughters


def _geometry(
    parent: IntArray, daughters: IntArray, best: IntArray, division: FloatArray, n_dimensions: int, what: str
) -> tuple[FloatArray, FloatArray]:
    """Return position and size of every cell, from the innermost division to the outermost, in which order TMVA rounds."""
    n = len(parent)
    position, size = np.zeros((n, n_dimensions)), np.ones((n, n_dimensions))
    cell = np.arange(n)
    rows = np.flatnonzero(parent >= 0)
    for _ in range(MAX_DEPTH):
        if not len(rows):
            return position, size
        above = parent[cell[rows]]
        first = daughters[above, 0] == cell[rows]
        at = (rows, best[above])
        part = np.where(first, division[above], 1.0 - division[above])
        size[at] *= part
        position[at] = np.where(first, position[at] * part, position[at] * part + division[above])
        cell[rows] = above
        rows = rows[parent[above] >= 0]
    raise WeightFileError(f"{what}: its cells are divided more than {MAX_DEPTH} times")

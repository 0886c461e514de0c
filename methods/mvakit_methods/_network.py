"""What the networks of TMVA's weight files share: neuron functions, blocks of events, and numbers that have to be finite.

Sums are double precision. Events are applied in blocks, so that memory stays bounded and small products stay in one
thread, where they are fastest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError
from mvakit.method import WeightContext
from mvakit.types import AnalysisType
from mvakit.weightfile import int_attribute, text_numbers

__all__ = [
    "MAX_VALUES",
    "apply_in_blocks",
    "check_outputs",
    "columns_or_one",
    "fast_tanh",
    "finite_numbers",
    "open_fast_tanh",
    "outputs_of",
    "rows_per_block",
    "sigmoid",
    "softmax",
    "sole_children",
]

FloatArray = npt.NDArray[np.float64]

MAX_VALUES: Final = 1 << 25  # the values that one event may become inside a network: 256 MiB
_BLOCK_VALUES: Final = 1 << 21  # the values of a block of events: 16 MiB
# Multiplications up to which OpenBLAS stays in one thread.
_ONE_THREAD: Final = 1 << 19
_LEAST_ROWS: Final = 32
_LARGE_BLOCK: Final = 512
_FAST_TANH_END: Final = 4.97


def sigmoid(x: FloatArray) -> FloatArray:
    """Return ``1 / (1 + exp(-x))``; for large negative `x` the quotient is 0, as it should be."""
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(-x))


def softmax(x: FloatArray) -> FloatArray:
    """Return ``exp(x) / sum exp(x)``, where the sum is over the columns."""
    y: FloatArray = x - x.max(axis=1, keepdims=True)
    np.exp(y, out=y)
    y /= y.sum(axis=1, keepdims=True)
    return y


def fast_tanh(x: FloatArray) -> FloatArray:
    """Return what ROOT took for a hyperbolic tangent until 6.24: `open_fast_tanh`, with 1 and -1 beyond 4.97 and -4.97."""
    return np.where(np.abs(x) > _FAST_TANH_END, np.sign(x), open_fast_tanh(x))


def open_fast_tanh(x: FloatArray) -> FloatArray:
    """Return a fraction of polynomials in single precision that the first MLPs of TMVA 4.2.1 took for a tangent.

    It follows the hyperbolic tangent to 1e-4 up to 5 and leaves it beyond, towards ``x / 28``. The steps of rounding are
    those of TMVA.
    """
    square = (x * x).astype(np.float32)
    f = np.float32
    numerator = f(135135) + square * (f(17325) + square * (f(378) + square))
    denominator = f(135135) + square * (f(62370) + square * (f(3150) + square * f(28)))
    return np.asarray((x * numerator).astype(np.float32) / denominator, dtype=np.float64)


def rows_per_block(values_of_an_event: int, largest_product: int = 1) -> int:
    """Return how many events a block holds.

    Parameters
    ----------
    values_of_an_event : int
        The most numbers that one event becomes on its way.
    largest_product : int
        The multiplications that one event takes in the largest of the products.
    """
    rows = max(1, min(_BLOCK_VALUES // max(values_of_an_event, 1), 8192))
    in_one_thread = _ONE_THREAD // max(largest_product, 1)
    return min(rows, in_one_thread if in_one_thread >= _LEAST_ROWS else _LARGE_BLOCK)


def apply_in_blocks(
    X: npt.NDArray[np.float32], rows: int, n_outputs: int, function: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """Return `function` of events, shape (n_events, n_outputs), block by block of `rows` events."""
    if len(X) <= rows:
        return function(X.astype(np.float64))
    out = np.empty((len(X), n_outputs))
    for start in range(0, len(X), rows):
        out[start : start + rows] = function(X[start : start + rows].astype(np.float64))
    return out


def columns_or_one(outputs: FloatArray) -> FloatArray:
    """Return outputs of shape (n, k), and of shape (n,) where there is one."""
    return outputs[:, 0] if outputs.shape[1] == 1 else outputs


# ------------------------------------------------------------------------------------------- weight files


def finite_numbers(element: ET.Element, expected: int) -> FloatArray:
    """Read the numbers in the text of an element, which have to be finite and as many as expected.

    Raises
    ------
    WeightFileError
        Naming the element.
    """
    values = text_numbers(element, expected)
    if not np.isfinite(values).all():
        raise WeightFileError(
            f"<{element.tag}> holds a number that is not finite: its number {int(np.argmin(np.isfinite(values)))} is "
            f"{values[np.argmin(np.isfinite(values))]}"
        )
    return values


def sole_children(parent: ET.Element, tag: str, count: str, most: int) -> list[ET.Element]:
    """Return the children of a tag, which have to be as many as the attribute `count` of their parent says.

    Raises
    ------
    WeightFileError
        If there are more or fewer, or none.
    """
    children = parent.findall(tag)
    if int_attribute(parent, count, 1, most) != len(children):
        raise WeightFileError(f"<{parent.tag} {count}={parent.get(count)!r}> holds {len(children)} <{tag}>")
    return children


def outputs_of(context: WeightContext) -> Sequence[str]:
    """Return what each output of a network stands for."""
    if context.analysis is AnalysisType.REGRESSION:
        return [target.label for target in context.targets]
    if context.analysis is AnalysisType.MULTICLASS:
        return context.classes
    return ("signal",)


def check_outputs(n_outputs: int, context: WeightContext, element: str) -> None:
    """Refuse a network that has not one output for each class or target.

    Raises
    ------
    WeightFileError
        Naming the element and what outputs should stand for.
    """
    wanted = outputs_of(context)
    if n_outputs != len(wanted):
        raise WeightFileError(
            f"{element} of {context.title} ends in {n_outputs} outputs; it should have one for each of: "
            f"{', '.join(wanted)}"
        )

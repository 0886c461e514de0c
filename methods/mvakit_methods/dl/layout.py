"""The language of ``InputLayout``, ``BatchLayout`` and ``Layout``: read into layers whose shapes fit one another.

Layers are separated by ``,`` and their fields by ``|``. A field is the name of a function or a formula in `N`, the number
of variables::

    DENSE|width|FUNCTION                                  also FUNCTION|width; a width of 0 is that of the outputs
    CONV|depth|height|width|rows|columns|padRows|padColumns|FUNCTION
    MAXPOOL|height|width|rows|columns
    RESHAPE|FLAT      RESHAPE|depth|height|width
    BNORM|momentum|epsilon
    RNN|state|input|time|remember|sequence                LSTM alike, GRU with a further resetGateAfter
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from mvakit.errors import FormulaError, OptionError, did_you_mean
from mvakit.formula import Formula
from mvakit_methods._network import MAX_VALUES
from mvakit_methods.dl.layers import Flow, Shape, windows

__all__ = [
    "ConvPlan",
    "DensePlan",
    "LayerPlan",
    "NormPlan",
    "PoolPlan",
    "RecurrentPlan",
    "ReshapePlan",
    "input_shape",
    "plan_batch",
    "plan_layers",
]

# Numbers of `ACTIVATIONS`.
_FUNCTIONS: Final = {
    "LINEAR": 0, "RELU": 1, "SIGMOID": 2, "TANH": 3, "SYMMRELU": 4, "SOFTSIGN": 5, "GAUSS": 6, "FTANH": 7,
}  # fmt: skip
_KINDS: Final = ("DENSE", "CONV", "MAXPOOL", "RESHAPE", "BNORM", "RNN", "LSTM", "GRU")
_FORMS: Final = {
    "DENSE": "DENSE|width|FUNCTION",
    "CONV": "CONV|depth|height|width|rows|columns|padRows|padColumns|FUNCTION",
    "MAXPOOL": "MAXPOOL|height|width|rows|columns",
    "RESHAPE": "RESHAPE|FLAT or RESHAPE|depth|height|width",
    "BNORM": "BNORM|momentum|epsilon",
    "RNN": "RNN|state|input|time|remember|sequence",
    "LSTM": "LSTM|state|input|time|remember|sequence",
    "GRU": "GRU|state|input|time|remember|sequence|resetGateAfter",
}
_DEFAULT_FUNCTION: Final = _FUNCTIONS["TANH"]
_MAX_EDGE: Final = 1_000_000
# In TMVA a momentum that is not given averages all batches; this comes near to it, and Keras has it, too.
_MOMENTUM: Final = 0.99
_EPSILON: Final = 1e-4


@dataclass(frozen=True, slots=True)
class LayerPlan:
    """A layer to be made; `inputs` is what one event is before it, `output` what it is behind it."""

    inputs: Shape
    output: Shape


@dataclass(frozen=True, slots=True)
class DensePlan(LayerPlan):
    """A dense layer with a number of `ACTIVATIONS`."""

    activation: int


@dataclass(frozen=True, slots=True)
class ConvPlan(LayerPlan):
    """A convolution: height and width of the filters, of their steps, and of the zeros about the image."""

    filter: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    activation: int


@dataclass(frozen=True, slots=True)
class PoolPlan(LayerPlan):
    """The largest value under each position of a window."""

    filter: tuple[int, int]
    stride: tuple[int, int]


@dataclass(frozen=True, slots=True)
class ReshapePlan(LayerPlan):
    """Another shape for the same values."""

    flattening: bool


@dataclass(frozen=True, slots=True)
class NormPlan(LayerPlan):
    """Batch normalisation, of channels where it follows a convolution or a pooling."""

    momentum: float
    epsilon: float
    channels: bool


@dataclass(frozen=True, slots=True)
class RecurrentPlan(LayerPlan):
    """An ``RNN``, ``LSTM`` or ``GRU``."""

    kind: str
    time_steps: int
    return_sequence: bool
    reset_after: bool


class _Reader:
    """Reads one layer after the other, with what the layer before gives to it.

    Parameters
    ----------
    owner : str
        The method, for messages.
    n_variables, n_outputs : int
    """

    def __init__(self, owner: str, n_variables: int, n_outputs: int) -> None:
        self.owner = owner
        self.n_variables = n_variables
        self.n_outputs = n_outputs
        self.text = ""

    def refuse(self, why: str) -> OptionError:
        return OptionError(f"the option 'Layout' of {self.owner} has the layer {self.text!r}, {why}")

    # ------------------------------------------------------------------------------------------ fields

    def value(self, field: str) -> float:
        """Return the value of a formula in N."""
        try:
            columns = {name: np.array([float(self.n_variables)]) for name in ("N", "n")}
            value = float(np.asarray(Formula(field).evaluate(columns))[0])
        except FormulaError as error:
            names = [*_KINDS, *_FUNCTIONS]
            raise self.refuse(
                f"where {field!r} is neither a layer, nor a function, nor a formula in N; "
                f"{did_you_mean(field.upper(), names, noun='layers and functions')}"
            ) from error
        if not math.isfinite(value):
            raise self.refuse(f"where {field!r} is {value}")
        return value

    def whole(self, field: str, lowest: int) -> int:
        """Return the value of a formula in N without its fraction, as TMVA takes it."""
        number = int(self.value(field))
        if not lowest <= number <= _MAX_EDGE:
            raise self.refuse(f"where {field!r} is {number}; it should be {lowest} to {_MAX_EDGE}")
        return number

    def split(self, fields: list[str]) -> tuple[list[str], int]:
        """Return the fields that are no function, and the function."""
        function, others = None, []
        for field in fields:
            number = _FUNCTIONS.get(field.upper())
            if number is None:
                others.append(field)
            elif function is not None:
                raise self.refuse("which names two functions")
            else:
                function = number
        return others, _DEFAULT_FUNCTION if function is None else function

    def counted(self, kind: str, fields: list[str], least: int, most: int) -> list[str]:
        if not least <= len(fields) <= most:
            raise self.refuse(f"which has {len(fields)} numbers; its form is {_FORMS[kind]}")
        return fields

    # ------------------------------------------------------------------------------------------ shapes

    def plain(self, flow: Flow) -> Shape:
        if flow.rows > 1 or flow.shape.depth * flow.shape.height != 1:
            raise self.refuse(
                f"which takes a row of values, and gets {' x '.join(map(str, flow.shape))}; put RESHAPE|FLAT before it"
            )
        return flow.shape

    def image(self, flow: Flow) -> Shape:
        if flow.rows not in {0, flow.shape.depth}:
            raise self.refuse(f"which takes an image, and gets a sequence of {flow.rows} steps")
        return flow.shape

    def edges(
        self, shape: Shape, size: tuple[int, int], padding: tuple[int, int], stride: tuple[int, int]
    ) -> tuple[int, int]:
        height, width = (windows(shape[i + 1], size[i], padding[i], stride[i]) for i in range(2))
        if height < 1 or width < 1:
            raise self.refuse(f"whose window does not fit into {' x '.join(map(str, shape))}")
        return height, width

    # ------------------------------------------------------------------------------------------ layers

    def dense(self, fields: list[str], flow: Flow) -> tuple[LayerPlan, Flow]:
        others, function = self.split(fields)
        # All of them are read first: the word of an unknown layer is told of before their number is.
        widths = [self.whole(field, 0) for field in others]
        width = widths[0] if self.counted("DENSE", others, 0, 1) else 0
        shape = Shape(1, 1, width or self.n_outputs)
        return DensePlan(self.plain(flow), shape, function), Flow(shape)

    def conv(self, fields: list[str], flow: Flow) -> tuple[LayerPlan, Flow]:
        others, function = self.split(fields)
        numbers = [
            self.whole(field, 0 if index >= 5 else 1) for index, field in enumerate(self.counted("CONV", others, 7, 7))
        ]
        shape, size, stride, padding = self.image(flow), tuple(numbers[1:3]), tuple(numbers[3:5]), tuple(numbers[5:7])
        output = Shape(numbers[0], *self.edges(shape, size, padding, stride))  # type: ignore[arg-type]
        plan = ConvPlan(shape, output, size, stride, padding, function)  # type: ignore[arg-type]
        return plan, Flow(output, rows=output.depth, channels=True)

    def pool(self, fields: list[str], flow: Flow) -> tuple[LayerPlan, Flow]:
        numbers = [self.whole(field, 1) for field in self.counted("MAXPOOL", fields, 4, 4)]
        shape, size, stride = self.image(flow), (numbers[0], numbers[1]), (numbers[2], numbers[3])
        output = Shape(shape.depth, *self.edges(shape, size, (0, 0), stride))
        return PoolPlan(shape, output, size, stride), Flow(output, rows=output.depth, channels=True)

    def reshape(self, fields: list[str], flow: Flow) -> tuple[LayerPlan, Flow]:
        if any(field.upper() == "FLAT" for field in fields):
            shape = Shape(1, 1, flow.shape.size)
            return ReshapePlan(flow.shape, shape, flattening=True), Flow(shape)
        shape = Shape(*(self.whole(field, 1) for field in self.counted("RESHAPE", fields, 3, 3)))
        if shape.size != flow.shape.size:
            raise self.refuse(f"which makes {shape.size} values of {flow.shape.size}")
        if flow.rows > 1:
            raise self.refuse("which takes a row of values; put RESHAPE|FLAT before it")
        return ReshapePlan(flow.shape, shape, flattening=False), Flow(shape, rows=shape.depth)

    def norm(self, fields: list[str], flow: Flow) -> tuple[LayerPlan, Flow]:
        numbers = [self.value(field) for field in self.counted("BNORM", fields, 0, 2)]
        momentum = numbers[0] if numbers and numbers[0] >= 0 else _MOMENTUM
        epsilon = numbers[1] if len(numbers) > 1 else _EPSILON
        if not (0 <= momentum < 1 and 0 < epsilon < 1):
            raise self.refuse("whose momentum should be 0 to 1, and whose epsilon be positive and small")
        shape = flow.shape if flow.channels else self.plain(flow)
        return NormPlan(shape, shape, momentum, epsilon, flow.channels), flow._replace(channels=False)

    def recurrent(self, kind: str, fields: list[str], flow: Flow) -> tuple[LayerPlan, Flow]:
        self.counted(kind, fields, 3, 6 if kind == "GRU" else 5)
        state, width, steps = (self.whole(field, 1) for field in fields[:3])
        remember, sequence, reset_after = ([self.whole(field, 0) for field in fields[3:]] + [0, 0, 0])[:3]
        if remember:
            raise self.refuse("which remembers the events before; each event should be answered for itself")
        shape = flow.shape
        if shape.width != width or shape.depth * shape.height != steps or flow.rows not in {0, steps}:
            raise self.refuse(f"which takes {steps} steps of {width} values, and gets {' x '.join(map(str, shape))}")
        output = Shape(1, steps if sequence else 1, state)
        plan = RecurrentPlan(shape, output, kind, steps, bool(sequence), bool(reset_after))
        return plan, Flow(output, rows=output.height)

    def layer(self, text: str, flow: Flow) -> tuple[LayerPlan, Flow]:
        """Return the plan of a layer and what it gives to the next one."""
        self.text = text
        fields = [field.strip() for field in text.split("|")]
        kind = fields[0].upper()
        if kind in {"RNN", "LSTM", "GRU"}:
            return self.recurrent(kind, fields[1:], flow)
        makers: dict[str, Callable[[list[str], Flow], tuple[LayerPlan, Flow]]] = {
            "DENSE": self.dense, "CONV": self.conv, "MAXPOOL": self.pool, "RESHAPE": self.reshape, "BNORM": self.norm,
        }  # fmt: skip
        if kind in makers:
            return makers[kind](fields[1:], flow)
        # Without a type it is a dense layer.
        return self.dense(fields, flow)


def input_shape(text: str, owner: str, n_variables: int) -> Shape:
    """Read ``InputLayout``: depth, height and width, or time steps and width, or a width; 0 is what is not said.

    Raises
    ------
    OptionError
        If it is no layout, or one for another number of values than there are variables.
    """
    edges = _edges(text, owner, "InputLayout")
    if not any(edges):
        return Shape(1, 1, n_variables)
    # TMVA takes two numbers for steps and width, and one for a width.
    padded = {1: (1, 1, *edges), 2: (edges[0], 1, edges[-1]), 3: tuple(edges)}[len(edges)]
    shape = Shape(*(edge or 1 for edge in padded))
    if shape.size != n_variables:
        raise OptionError(
            f"the option 'InputLayout' of {owner} is {text!r}, which is {shape.size} values for {n_variables} variables"
        )
    return shape


def plan_batch(text: str, owner: str, shape: Shape, batch_size: int) -> Shape:
    """Read ``BatchLayout``, which follows from the inputs and ``BatchSize`` and may say nothing else.

    Raises
    ------
    OptionError
        If it is no layout or says something else.
    """
    if shape.depth == shape.height == 1:
        wanted = Shape(1, batch_size, shape.width)
    else:
        wanted = Shape(batch_size, shape.depth, shape.height * shape.width)
    edges = _edges(text, owner, "BatchLayout")
    if not any(edges):
        return wanted
    fits = len(edges) == 3 and (
        (edges[0] == batch_size and edges[1] * edges[2] == shape.size) or (edges == [1, batch_size, shape.size])
    )
    if not fits:
        raise OptionError(
            f"the option 'BatchLayout' of {owner} is {text!r}; with BatchSize={batch_size} and these inputs it is "
            f"{'|'.join(map(str, wanted))}, which is taken where it is left out"
        )
    return Shape(*edges)


def _edges(text: str, owner: str, option: str) -> list[int]:
    words = [word.strip() for word in text.split("|")]
    if len(words) > 3 or not all(word.isdecimal() and int(word) <= _MAX_EDGE for word in words):
        raise OptionError(
            f"the option {option!r} of {owner} takes depth|height|width in whole numbers, as in '1|8|8', not {text!r}"
        )
    return [int(word) for word in words]


def plan_layers(text: str, owner: str, shape: Shape, n_outputs: int) -> tuple[LayerPlan, ...]:
    """Read ``Layout``.

    Parameters
    ----------
    text : str
    owner : str
        The method, for messages.
    shape : Shape
        What one event is.
    n_outputs : int
        How many outputs the last layer has to have.

    Raises
    ------
    OptionError
        If a layer is unknown or malformed, does not fit the one before it, or if the last one does not fit the outputs.
    """
    reader = _Reader(owner, shape.size, n_outputs)
    flow = Flow(shape, rows=1 if shape.depth == shape.height == 1 else 0)
    plans = []
    for part in text.split(","):
        if not part.strip():
            raise OptionError(f"the option 'Layout' of {owner} is {text!r}, in which a layer is empty")
        plan, flow = reader.layer(part.strip(), flow)
        if plan.output.size > MAX_VALUES:
            raise reader.refuse(f"which makes {plan.output.size} values of one event; at most {MAX_VALUES} are taken")
        plans.append(plan)
    if reader.plain(flow).width != n_outputs:
        raise reader.refuse(
            f"the last one, with {flow.shape.width} outputs where {n_outputs} are needed; a width of 0 stands for them"
        )
    return tuple(plans)

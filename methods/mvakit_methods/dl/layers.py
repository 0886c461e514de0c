"""The layers of a DL without memory: dense, convolution, pooling, reshaping and batch normalisation.

A layer takes events as rows, shape (n_events, size), and returns rows. Inside a row, a depth, a height and a width follow
each other as in TMVA: the depth varies slowest, the width fastest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from mvakit_methods._network import sigmoid

__all__ = [
    "ACTIVATIONS",
    "BatchNorm",
    "Conv",
    "Dense",
    "Flow",
    "MaxPool",
    "Reshape",
    "Shape",
    "windows",
]

FloatArray = npt.NDArray[np.float64]

# By TMVA's numbers; 7 is the fast tangent of ROOT's mathematics library, good to single precision.
ACTIVATIONS: Final[tuple[tuple[str, Callable[[FloatArray], FloatArray]], ...]] = (
    ("linear", lambda x: x),
    ("relu", lambda x: np.maximum(x, 0.0)),
    ("sigmoid", sigmoid),
    ("tanh", np.tanh),
    ("symmetric_relu", np.abs),
    ("softsign", lambda x: x / (1.0 + np.abs(x))),
    ("gauss", lambda x: np.exp(-x * x)),
    ("tanh", np.tanh),
)


class Shape(NamedTuple):
    """What one event is between two layers."""

    depth: int
    height: int
    width: int

    @property
    def size(self) -> int:
        """The number of values."""
        return self.depth * self.height * self.width


class Flow(NamedTuple):
    """What a layer gives to the next.

    Attributes
    ----------
    shape : Shape
    rows : int
        The rows of TMVA's matrix of one event, which layers look at: channels of an image, steps of a sequence, 1 for a
        plain row of values, 0 for an input that may become either.
    channels : bool
        Whether a batch normalisation behind it works on channels.
    """

    shape: Shape
    rows: int = 1
    channels: bool = False


def windows(image: int, window: int, padding: int, stride: int) -> int:
    """Return the number of positions of a window along an edge; 0 or less if it does not fit."""
    return (image - window + 2 * padding) // stride + 1


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """``f(x @ weights.T + biases)``; `weights` has shape (n_out, n_in), `activation` is a number of `ACTIVATIONS`."""

    weights: FloatArray
    biases: FloatArray
    activation: int

    @property
    def work(self) -> int:
        """The most values that one event becomes."""
        return int(max(self.weights.shape))

    def __call__(self, x: FloatArray) -> FloatArray:
        """Return the values of the neurons."""
        y = x @ self.weights.T
        y += self.biases
        return ACTIVATIONS[self.activation][1](y)


@dataclass(frozen=True, slots=True, eq=False)
class Conv:
    """Filters that slide over an image, padded by zeros.

    Attributes
    ----------
    shape : Shape
        Of the image.
    filter, stride, padding : tuple of int
        Height and width.
    weights : ndarray, shape (n_filters, depth * height * width of a filter)
    biases : ndarray, shape (n_filters,)
    activation : int
        A number of `ACTIVATIONS`.
    """

    shape: Shape
    filter: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    weights: FloatArray
    biases: FloatArray
    activation: int

    @property
    def output(self) -> Shape:
        """What one event becomes."""
        height, width = (windows(self.shape[i + 1], self.filter[i], self.padding[i], self.stride[i]) for i in range(2))
        return Shape(len(self.weights), height, width)

    @property
    def work(self) -> int:
        """The most values that one event becomes: those under all windows."""
        _, height, width = self.output
        padded = (self.shape.height + 2 * self.padding[0]) * (self.shape.width + 2 * self.padding[1])
        return max(int(max(self.weights.shape)) * height * width, self.shape.depth * padded)

    def __call__(self, x: FloatArray) -> FloatArray:
        """Return the filtered image."""
        depth, height, width = self.output
        image = x.reshape(len(x), *self.shape)
        if any(self.padding):
            image = np.pad(image, ((0, 0), (0, 0), (self.padding[0],) * 2, (self.padding[1],) * 2))
        views = np.lib.stride_tricks.sliding_window_view(image, self.filter, axis=(2, 3))
        views = views[:, :, :: self.stride[0], :: self.stride[1]].transpose(0, 1, 4, 5, 2, 3)
        y = self.weights @ views.reshape(len(x), self.weights.shape[1], height * width)
        y += self.biases[:, np.newaxis]
        return ACTIVATIONS[self.activation][1](y).reshape(len(x), depth * height * width)


@dataclass(frozen=True, slots=True, eq=False)
class MaxPool:
    """The largest value under each position of a window, channel by channel."""

    shape: Shape
    filter: tuple[int, int]
    stride: tuple[int, int]

    @property
    def output(self) -> Shape:
        """What one event becomes."""
        height, width = (windows(self.shape[i + 1], self.filter[i], 0, self.stride[i]) for i in range(2))
        return Shape(self.shape.depth, height, width)

    @property
    def work(self) -> int:
        """The most values that one event becomes."""
        return self.shape.size

    def __call__(self, x: FloatArray) -> FloatArray:
        """Return the pooled image."""
        image = x.reshape(len(x), *self.shape)
        _, height, width = self.output
        rows = _largest(image, 2, self.filter[0], self.stride[0], height)
        y = _largest(rows, 3, self.filter[1], self.stride[1], width)
        return y.reshape(len(x), self.output.size)


def _largest(values: FloatArray, axis: int, size: int, stride: int, count: int) -> FloatArray:
    """Return the largest values under `count` windows of a size along an axis."""
    parts = [slice(None)] * values.ndim
    largest: FloatArray | None = None
    for first in range(size):
        parts[axis] = slice(first, first + (count - 1) * stride + 1, stride)
        part = values[tuple(parts)]
        largest = part.copy() if largest is None else np.maximum(largest, part, out=largest)
    assert largest is not None
    return largest


@dataclass(frozen=True, slots=True, eq=False)
class Reshape:
    """Another shape for the same values in the same order; `flattening` as a file says it."""

    output: Shape
    flattening: bool

    @property
    def work(self) -> int:
        """The values of an event."""
        return self.output.size

    def __call__(self, x: FloatArray) -> FloatArray:
        """Return what came."""
        return x


@dataclass(frozen=True, slots=True, eq=False)
class BatchNorm:
    """``gamma * (x - mean) / sqrt(variance + epsilon) + beta``, with mean and variance of the training.

    Attributes
    ----------
    momentum, epsilon : float
    mean, variance, gamma, beta : ndarray, shape (n,)
        For each channel, or for each value where an event is a plain row.
    repeats : int
        The values of a channel.
    """

    momentum: float
    epsilon: float
    mean: FloatArray
    variance: FloatArray
    gamma: FloatArray
    beta: FloatArray
    repeats: int

    @property
    def work(self) -> int:
        """The values of an event."""
        return len(self.mean) * self.repeats

    def __call__(self, x: FloatArray) -> FloatArray:
        """Return the normalised values."""
        scale = self.gamma / np.sqrt(self.variance + self.epsilon)
        channels = x.reshape(len(x), len(self.mean), self.repeats)
        y = (channels - self.mean[:, np.newaxis]) * scale[:, np.newaxis] + self.beta[:, np.newaxis]
        return y.reshape(x.shape)

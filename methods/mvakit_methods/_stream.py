"""Batches of a sample, streamed: chunks of events in random order, the events of many chunks shuffled among themselves.

What is held at a time does not grow with the sample. An epoch is the same whether its events lie in memory or in mapped
files, and depends on nothing but the sample, the seed and its number.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt

from mvakit.dataset import Sample

__all__ = ["Stream", "encode_classes", "feed", "steps"]

Float32Array = npt.NDArray[np.float32]
Batch = tuple[Float32Array, Float32Array, Float32Array]

_CHUNK: Final = 1 << 10
"""Events that are read together: long enough for a disk."""
_POOL: Final = 1 << 25
"""Bytes of events that are shuffled among themselves."""


def encode_classes(class_index: npt.NDArray[np.integer], n_outputs: int, *, sparse: bool) -> npt.NDArray[np.float32]:
    """Return what a model is to learn: 1 for signal at one output, else one column for each class, in their order.

    A sparse loss takes the index of the class itself.
    """
    if n_outputs == 1:
        return np.asarray(class_index == 0, dtype=np.float32)[:, np.newaxis]
    if sparse:
        return np.asarray(class_index, dtype=np.float32)[:, np.newaxis]
    return np.asarray(class_index[:, np.newaxis] == np.arange(n_outputs), dtype=np.float32)


@dataclass(frozen=True)
class Stream:
    """Some events of a sample, as a model takes them.

    Attributes
    ----------
    sample : Sample
        Transformed inputs.
    mask : ndarray of bool
        Which of its events.
    n_outputs : int or None
        The outputs that the classes are encoded for; None to learn the targets.
    sparse : bool
        Whether the loss counts classes.
    batch_size : int
    seed : int or None
        None for the order of the sample.
    tell : callable or None
        Told, while an epoch goes on, how much of it was handed out.
    """

    sample: Sample
    mask: npt.NDArray[np.bool_]
    n_outputs: int | None
    sparse: bool
    batch_size: int
    seed: int | None = None
    tell: Callable[[int, float], None] | None = None

    def __len__(self) -> int:
        return int(np.count_nonzero(self.mask))

    @property
    def n_batches(self) -> int:
        """The number of batches of an epoch; the last one may be smaller."""
        return math.ceil(len(self) / self.batch_size)

    @property
    def width(self) -> int:
        """The numbers of an event that are to be learned."""
        if self.n_outputs is None:
            return int(self.sample.targets.shape[1])
        return 1 if self.sparse else self.n_outputs

    def epoch(self, number: int) -> Iterator[Batch]:
        """Yield the inputs, what is to be learned and the weights of an epoch, several batches at a time.

        Each array has the shape (batches, events of a batch, ...). The last batch comes alone if it is smaller.
        """
        sample, size = self.sample, self.batch_size
        starts = np.arange(0, len(sample), _CHUNK)
        random = None if self.seed is None else np.random.default_rng([self.seed, number])
        if random is not None:
            random.shuffle(starts)
        row = 4 * (sample.X.shape[1] + self.width + 1)
        chunks = max(1, _POOL // (row * _CHUNK), -(-size // _CHUNK))
        left: Batch | None = None
        for begin in range(0, len(starts), chunks):
            parts = [self._chunk(int(start)) for start in starts[begin : begin + chunks]]
            x, y, w = (np.concatenate(columns) for columns in zip(*([left] if left else []), *parts, strict=True))
            if random is not None:
                order = random.permutation(len(x))
                x, y, w = x[order], y[order], w[order]
            last = begin + chunks >= len(starts)
            whole = len(x) // size * size
            if whole:
                yield tuple(a[:whole].reshape(-1, size, *a.shape[1:]) for a in (x, y, w))  # type: ignore[misc]
            left = x[whole:], y[whole:], w[whole:]
            if not last and self.tell is not None:
                self.tell(number, (begin + chunks) / len(starts))
        if left is not None and len(left[0]):
            yield tuple(a[np.newaxis] for a in left)  # type: ignore[misc]

    def _chunk(self, start: int) -> Batch:
        rows = slice(start, start + _CHUNK)
        mask = self.mask[rows]
        sample = self.sample
        if self.n_outputs is None:
            wanted = sample.targets[rows][mask]
        else:
            wanted = encode_classes(np.asarray(sample.class_index[rows])[mask], self.n_outputs, sparse=self.sparse)
        # What comes of a mapped file is a plain array from here on.
        return np.asarray(sample.X[rows][mask]), np.asarray(wanted), sample.weight[rows][mask].astype(np.float32)


def feed(stream: Stream) -> Any:
    """Return what Keras takes for `x`: a dataset of TensorFlow, gone through once an epoch, or a generator of epochs without end."""
    if keras.backend.backend() != "tensorflow":
        return _for_ever(stream)
    import tensorflow as tf

    epochs = itertools.count()
    signature = tuple(
        tf.TensorSpec(shape, tf.float32)
        for shape in ((None, None, stream.sample.X.shape[1]), (None, None, stream.width), (None, None))
    )
    parts = tf.data.Dataset.from_generator(lambda: stream.epoch(next(epochs)), output_signature=signature)
    batches = parts.flat_map(lambda x, y, w: tf.data.Dataset.from_tensor_slices((x, y, w)))
    return batches.apply(tf.data.experimental.assert_cardinality(stream.n_batches)).prefetch(2)


def steps(stream: Stream) -> int | None:
    """Return what Keras has to be told of the length of an epoch: nothing where its end can be seen."""
    return None if keras.backend.backend() == "tensorflow" else stream.n_batches


def _for_ever(stream: Stream) -> Iterator[Batch]:
    for number in itertools.count():
        for x, y, w in stream.epoch(number):
            yield from zip(x, y, w, strict=True)

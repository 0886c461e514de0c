r"""The layers of a DL that walk along a sequence: RNN, LSTM and GRU.

With the inputs :math:`x_t` of a time step, the state :math:`h` before it, and for each gate `g` weights :math:`W_g` for
the inputs, :math:`U_g` for the state and biases :math:`b_g`:

- RNN: :math:`h' = \tanh(W x + U h + b)`.
- LSTM, with a cell `c`: :math:`c' = f c + i \tilde c`, :math:`h' = o \tanh c'`, where the gates `i`, `f` and `o` are
  sigmoids of :math:`W_g x + U_g h + b_g` and the candidate :math:`\tilde c` is its hyperbolic tangent.
- GRU: :math:`h' = u h + (1 - u) \tilde h`, where the gates `r` and `u` are sigmoids and
  :math:`\tilde h = \tanh(W x + U (r h) + b)`, or :math:`\tanh(W x + r (U h) + b)` with ``ResetGateAfter``.

Each sequence begins with a state of zeros.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
import numpy.typing as npt

from mvakit_methods._network import sigmoid
from mvakit_methods.dl.layers import Shape

__all__ = ["RECURRENT", "Gru", "Lstm", "Recurrent", "Rnn"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Recurrent(ABC):
    """What recurrent layers have in common.

    Attributes
    ----------
    time_steps : int
    inputs : ndarray, shape (n_gates, n_state, n_inputs)
        In TMVA's order of the gates, which is `gates`.
    states : ndarray, shape (n_gates, n_state, n_state)
    biases : ndarray, shape (n_gates, n_state)
    return_sequence : bool
        Whether the states of all time steps are returned, or the last one.
    reset_after : bool
        Of a GRU: whether the reset gate is applied after the weights.
    """

    tag: ClassVar[str]
    gates: ClassVar[tuple[str, ...]]

    time_steps: int
    inputs: FloatArray
    states: FloatArray
    biases: FloatArray
    return_sequence: bool
    reset_after: bool = False

    @property
    def n_inputs(self) -> int:
        """The values of a time step."""
        return int(self.inputs.shape[2])

    @property
    def n_state(self) -> int:
        """The values of the state."""
        return int(self.inputs.shape[1])

    @property
    def output(self) -> Shape:
        """What one event becomes."""
        return Shape(1, self.time_steps if self.return_sequence else 1, self.n_state)

    @property
    def work(self) -> int:
        """The most values that one event becomes."""
        return max(self.time_steps * max(self.n_inputs, self.n_state), 2 * len(self.gates) * self.n_state)

    def __call__(self, x: FloatArray) -> FloatArray:
        """Return the states of all time steps, or the last one."""
        sequence = x.reshape(len(x), self.time_steps, self.n_inputs)
        state, cell = np.zeros((len(x), self.n_state)), np.zeros((len(x), self.n_state))
        out = np.empty((len(x), self.output.height, self.n_state))
        for step in range(self.time_steps):
            # Shape (n_gates, n_events, n_state).
            given = sequence[:, step] @ self.inputs.transpose(0, 2, 1) + self.biases[:, np.newaxis]
            state, cell = self._step(given, state, cell)
            if self.return_sequence:
                out[:, step] = state
        if not self.return_sequence:
            out[:, 0] = state
        return out.reshape(len(x), self.output.size)

    @abstractmethod
    def _step(self, given: FloatArray, state: FloatArray, cell: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return state and cell after a time step, of which `given` is what the inputs make of each gate."""

    def _from_state(self, state: FloatArray) -> FloatArray:
        return np.asarray(state @ self.states.transpose(0, 2, 1))


class Rnn(Recurrent):
    """A plain recurrent layer."""

    __slots__ = ()
    tag = "RNNLayer"
    gates = ("",)

    def _step(self, given: FloatArray, state: FloatArray, cell: FloatArray) -> tuple[FloatArray, FloatArray]:
        return np.tanh(given + self._from_state(state))[0], cell


class Lstm(Recurrent):
    """A layer of long short-term memory."""

    __slots__ = ()
    tag = "LSTMLayer"
    gates = ("Input", "Forget", "Candidate", "Output")

    def _step(self, given: FloatArray, state: FloatArray, cell: FloatArray) -> tuple[FloatArray, FloatArray]:
        z = given + self._from_state(state)
        cell = sigmoid(z[1]) * cell + sigmoid(z[0]) * np.tanh(z[2])
        return sigmoid(z[3]) * np.tanh(cell), cell


class Gru(Recurrent):
    """A layer of gated recurrent units."""

    __slots__ = ()
    tag = "GRULayer"
    gates = ("Reset", "Update", "Candidate")

    def _step(self, given: FloatArray, state: FloatArray, cell: FloatArray) -> tuple[FloatArray, FloatArray]:
        reset, update = sigmoid(given[:2] + state @ self.states[:2].transpose(0, 2, 1))
        weights = self.states[2].T
        remembered = reset * (state @ weights) if self.reset_after else (reset * state) @ weights
        candidate = np.tanh(given[2] + remembered)
        return update * state + (1.0 - update) * candidate, cell


RECURRENT: Final = {kind.tag: kind for kind in (Rnn, Lstm, Gru)}

"""Training of an MLP: cycles of back-propagation or of the quasi-Newton method, tests, convergence, and what is recorded.

With the same events in the same order the first weights, the order in which events are shown and the events that are
sampled are those of TMVA, and the weights after the training agree with those of its files up to rounding.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from mvakit.columnstore import spans
from mvakit.dataset import Sample
from mvakit.errors import MethodError, MvakitWarning
from mvakit.method import Curve, FitContext
from mvakit.types import AnalysisType
from mvakit_methods._trandom3 import TRandom3, seed_or_entropy
from mvakit_methods._validation import parse_validation_size, sole_class, validation_mask
from mvakit_methods.mlp.network import Perceptron
from mvakit_methods.mlp.objective import Events, Objective
from mvakit_methods.mlp.options import MLPOptions, estimator_of, hidden_widths
from mvakit_methods.mlp.propagation import CODES, COMBINATION_CODES, propagate_epoch, shuffle
from mvakit_methods.mlp.quasi_newton import QuasiNewton, inverse_hessian
from mvakit_methods.mlp.sampling import Convergence, Sampling

__all__ = ["train_perceptron"]

FloatArray = npt.NDArray[np.float64]

_LATE: Final = 0.95  # the share of the cycles after which the learning rate decays faster
_MONITORED: Final = np.linspace(-2.0, 2.0, 101)
_OUTPUTS: Final = {"MSE": "linear", "CE": "sigmoid"}


def _events(sample: Sample, context: FitContext) -> Events:
    """Return the events with what is desired of them; in mapped files where the sample lies in them, too."""
    X, weight = np.asarray(sample.X), np.asarray(sample.weight)
    if context.analysis is AnalysisType.REGRESSION:
        return Events(X, np.asarray(sample.targets), weight, sample.space)
    multiclass = context.analysis is AnalysisType.MULTICLASS
    shape = (len(sample), len(context.classes) if multiclass else 1)
    desired = np.empty(shape, np.float32) if sample.space is None else sample.space.empty(shape, np.float32)
    for rows in spans(len(sample)):
        # One output is that of signal.
        desired[rows] = np.equal.outer(sample.class_index[rows], np.arange(shape[1]))
    return Events(X, np.asarray(desired), weight, sample.space)


def train_perceptron(options: MLPOptions, train: Sample, context: FitContext, neuron: str | None = None) -> Perceptron:
    """Train a network.

    Parameters
    ----------
    options : MLPOptions
    train : Sample
        Transformed inputs.
    context : FitContext
    neuron : str, optional
        The function of the hidden neurons, a key of `NEURONS`; by default that of the options.

    Raises
    ------
    MethodError
        If there are no events to train on, or if the training leads to weights that are not finite.
    OptionError
        If ``ValidationSize`` does not fit the sample.
    """
    seed = seed_or_entropy(options.random_seed)
    learn, tests = _split(options, train, context, seed)
    if not len(learn):
        raise MethodError(f"MLP: {context.title} has no training events")
    layout = (
        learn.X.shape[1],
        *hidden_widths(options.hidden_layers, learn.X.shape[1]),
        learn.desired.shape[1],
    )
    estimator = estimator_of(options, context.analysis)
    objective = Objective(layout, neuron or options.neuron_type, options.neuron_input_type, estimator)
    context.log.info(f"A network of {' - '.join(map(str, layout))} neurons and {objective.n_weights} weights")
    if objective.n_weights > len(learn):
        context.log.warning(
            f"the network has more weights ({objective.n_weights}) than there are events to train on ({len(learn)})"
        )
    random = TRandom3(seed)
    weights = 4.0 * random.rndm(objective.n_weights) - 2.0
    training = _Training(options, context, objective, weights, learn, tests, seed)
    training.run(_backpropagation(training, random) if options.training_method == "BP" else _quasi_newton(training))
    if not np.isfinite(weights.astype(np.float32)).all():
        raise MethodError(
            f"MLP: the weights of {context.title} are no longer finite after {training.cycles} cycles; a smaller "
            "LearningRate or normalised inputs (VarTransform=N) may help"
        )
    hessian = inverse_hessian(objective, learn, weights) if options.calculate_errors or options.use_regulator else None
    return Perceptron(
        tuple(table.copy() for table in objective.tables(weights)),
        objective.neuron,
        _OUTPUTS[estimator],
        objective.combination,
        hessian,
        context.analysis is AnalysisType.MULTICLASS,
        training.curves(),
    )


def _split(options: MLPOptions, train: Sample, context: FitContext, seed: int) -> tuple[Events, Events]:
    """Return the events to train on and those of the tests, which are the same unless some are kept apart."""
    events = _events(train, context)
    if options.validation_size.strip() == "0":
        return events, events
    size = parse_validation_size(options.validation_size, "MLP", len(train))
    check = validation_mask(sole_class(train.class_index, context.analysis), size, seed)
    return events.select(np.flatnonzero(~check)), events.select(np.flatnonzero(check))


@dataclass(eq=False)
class _Training:
    """What the two methods of training share."""

    options: MLPOptions
    context: FitContext
    objective: Objective
    weights: FloatArray
    learn: Events
    tests: Events
    seed: int
    cycles: int = 0
    tested: list[tuple[int, float, float]] = field(default_factory=list)
    monitored: list[Curve] = field(default_factory=list)
    late: int = 0

    def run(self, cycle: Callable[[int, Events], bool]) -> None:
        """Run cycle after cycle until the last one, convergence, or an interrupt; each is told its number and events."""
        options, n = self.options, self.options.n_cycles
        self.late = int(n * _LATE) - 1
        random = TRandom3(self.seed)
        sampled = Sampling(len(self.learn), options.sampling, options.sampling_importance, random)
        tests = Sampling(len(self.tests), options.sampling, options.sampling_importance, random)
        learn, check = self.learn, self.tests
        convergence = Convergence(options.convergence_tests, options.convergence_improve)
        before, index = 0.0, 0
        try:
            while index < n:
                sampling = np.float32(index) / np.float32(n) < np.float32(options.sampling_epoch)
                if sampling and ((index + 1) % options.test_rate == 0 or index == 0):
                    if options.sampling_training and sampled.active:
                        learn = self.learn.select(sampled.draw())
                    if options.sampling_testing and tests.active:
                        check = self.tests.select(tests.draw())
                elif not sampling:
                    learn, check = self.learn, self.tests
                if not cycle(index, learn):
                    self.context.log.info(f"No direction leads down any more after {index} cycles")
                    break
                self.cycles = index + 1
                if (index + 1) % options.test_rate == 0:
                    estimator = self._test(index, learn, check)
                    sampled.result(success=estimator < before or before < 1e-100)
                    before = estimator
                    if convergence.reached(estimator):
                        if sampling:
                            index = int(np.float32(options.sampling_epoch) * np.float32(n))
                            convergence.begin_again()
                        elif options.training_method == "BP" and self.late > index:
                            self.late = index
                        else:
                            break
                index += 1
        except KeyboardInterrupt:
            warnings.warn(
                f"the training of {self.context.title} was interrupted in cycle {index + 1} of {n}; the weights of this "
                "moment are kept",
                MvakitWarning,
                stacklevel=4,
            )
        self.context.tick(n, n)
        if self.cycles < n:
            self.context.log.info(f"The training ended after cycle {self.cycles} of {n}")

    def _test(self, index: int, learn: Events, check: Events) -> float:
        share = self.options.weight_range
        trained = self.objective.mean_estimator(learn, self.weights, share)
        tested = trained if check is learn else self.objective.mean_estimator(check, self.weights, share)
        self.tested.append((index + 1, trained, tested))
        self.context.tick(index + 1, self.options.n_cycles, f"estimator {trained:.4g}, of the tests {tested:.4g}")
        if self.options.epoch_monitoring:
            self._monitor(index, learn, check)
        return tested

    def _monitor(self, index: int, learn: Events, check: Events) -> None:
        axes = ("synapse", "weight")
        name = f"epochmonitoring___epoch_{index:04d}_weights"
        self.monitored.append(Curve(name, name, *axes, np.arange(self.weights.size, dtype=float), self.weights.copy()))
        if self.context.analysis is not AnalysisType.CLASSIFICATION:
            return
        centres = 0.5 * (_MONITORED[1:] + _MONITORED[:-1])
        for kind, events in (("train", learn), ("test", check)):
            response = self.objective.responses(events, self.weights)[:, 0]
            for letter, chosen in (("S", events.desired[:, 0] > 0.5), ("B", events.desired[:, 0] < 0.5)):
                name = f"convergencetest___mlp_{kind}_epoch_{index:04d}_{letter}"
                counts, _ = np.histogram(response[chosen], _MONITORED, weights=events.weight[chosen])
                self.monitored.append(Curve(name, name, "response", "events", centres, counts.astype(np.float64)))

    def curves(self) -> tuple[Curve, ...]:
        """Return what was recorded, under TMVA's names."""
        cycle, train, tests = (
            (np.array(column, dtype=np.float64) for column in zip(*self.tested, strict=True))
            if (self.tested)
            else (np.zeros(0),) * 3
        )
        return (
            Curve("estimatorHistTrain", "training estimator", "epochs", "estimator", cycle, train),
            Curve("estimatorHistTest", "test estimator", "epochs", "estimator", cycle, tests),
            *self.monitored,
        )


def _backpropagation(training: _Training, random: TRandom3) -> Callable[[int, Events], bool]:
    options, objective, weights = training.options, training.objective, training.weights
    layout = np.array(objective.layout)
    codes = CODES[objective.neuron], CODES[_OUTPUTS[objective.estimator]], COMBINATION_CODES[objective.combination]
    size = len(training.learn)
    batch = 0 if options.bp_mode == "sequential" else options.batch_size if 0 < options.batch_size <= size else size
    gradient, count, rate = np.zeros_like(weights), 0, options.learning_rate

    def cycle(index: int, events: Events) -> bool:
        nonlocal count, rate
        order = np.arange(len(events))
        shuffle(random.rndm(len(events)), order)
        with np.errstate(over="ignore", invalid="ignore"):
            count = propagate_epoch(
                events.X, events.desired, events.weight, order, weights, layout, *codes, rate, batch, gradient, count
            )
        rate *= 1.0 - (np.sqrt(options.decay_rate) if index >= training.late else options.decay_rate)
        return True

    return cycle


def _quasi_newton(training: _Training) -> Callable[[int, Events], bool]:
    options = training.options
    method = QuasiNewton(
        training.objective,
        training.weights,
        tau=options.tau,
        reset_step=options.reset_step,
        regulated=options.use_regulator,
        update_limit=options.update_limit,
    )

    def cycle(index: int, events: Events) -> bool:
        return method.step(events, index, options.n_cycles)

    return cycle

"""The language of ``TrainingStrategy``: stages separated by ``|``, each with keys and values separated by ``,``.

A key that a stage leaves out has the value of the option's own default. TMVA takes other ones there (a learning rate of
1e-5, a momentum of 0.3, a test every 7 epochs), ignores keys that it does not know, and takes Adam for an optimizer that it
does not know; here those are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from mvakit.errors import OptionError, did_you_mean

__all__ = ["OPTIMIZERS", "Stage", "parse_strategy"]

# The parameters of each optimizer, and their values where nothing is said.
OPTIMIZERS: Final[dict[str, dict[str, float]]] = {
    "ADAM": {"beta1": 0.9, "beta2": 0.999, "eps": 1e-7},
    "SGD": {},
    "ADAGRAD": {"eps": 1e-8},
    "RMSPROP": {"rho": 0.9, "eps": 1e-7},
    "ADADELTA": {"rho": 0.95, "eps": 1e-8},
}
_WITH_MOMENTUM: Final = frozenset({"SGD", "RMSPROP"})
# Keys of the first DNN, which TMVA itself has not looked at since.
_RETIRED: Final = ("Repetitions", "DropRepetitions", "Multithreading", "Renormalize")


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a training.

    Attributes
    ----------
    learning_rate : float
    momentum : float
        Of SGD and RMSPROP.
    convergence_steps : int
        Epochs without a smaller validation error after which the stage ends.
    max_epochs, batch_size : int
    test_repetitions : int
        The validation error is computed every so many epochs.
    weight_decay : float
        The factor of the regularisation.
    regularization : str
        ``NONE``, ``L1`` or ``L2``.
    drop_config : tuple of float
        The share of the inputs of each layer that is dropped; 0 for layers that are not named.
    optimizer : str
        A key of `OPTIMIZERS`.
    parameters : dict
        Those of the optimizer.
    without_effect : tuple of str
        What was said and changes nothing.
    """

    learning_rate: float = 1e-3
    momentum: float = 0.0
    convergence_steps: int = 100
    max_epochs: int = 2000
    batch_size: int = 30
    test_repetitions: int = 1
    weight_decay: float = 0.0
    regularization: str = "NONE"
    drop_config: tuple[float, ...] = ()
    optimizer: str = "ADAM"
    parameters: dict[str, float] = field(default_factory=dict)
    without_effect: tuple[str, ...] = ()


def parse_strategy(text: str, owner: str, optimizer: str = "ADAM") -> tuple[Stage, ...]:
    """Read a training strategy.

    Parameters
    ----------
    text : str
    owner : str
        The method, for messages.
    optimizer : str
        The optimizer of stages that name none.

    Raises
    ------
    OptionError
        If a key or a value is unknown, or one that cannot be trained with.
    """
    return tuple(_stage(part, owner, optimizer) for part in text.split("|"))


def _number(lowest: float, highest: float, *, open_end: bool = False) -> Callable[[str], float | None]:
    def read(text: str) -> float | None:
        try:
            value = float(text)
        except ValueError:
            return None
        return value if lowest <= value < highest and (value > lowest or not open_end) else None

    return read


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() and 0 < int(text) < 10**9 else None


def _steps(text: str) -> int | None:
    return int(text) if text.isdecimal() and int(text) < 10**9 else None


def _choice(choices: tuple[str, ...]) -> Callable[[str], str | None]:
    return lambda text: text.upper() if text.upper() in choices else None


def _shares(text: str) -> tuple[float, ...] | None:
    share = _number(0.0, 1.0)
    values = [share(word.strip()) for word in text.split("+")]
    return None if any(value is None for value in values) else tuple(float(v) for v in values if v is not None)


_REGULARIZATIONS: Final = ("NONE", "L1", "L2")
# What each key means: the attribute, how it is read, and what it takes.
_KEYS: Final[dict[str, tuple[str, Callable[[str], Any], str]]] = {
    "LearningRate": ("learning_rate", _number(0.0, math.inf, open_end=True), "a positive number"),
    "Momentum": ("momentum", _number(0.0, 1.0), "a number from 0 to 1"),
    "ConvergenceSteps": ("convergence_steps", _steps, "a whole number"),
    "MaxEpochs": ("max_epochs", _whole, "a positive whole number"),
    "BatchSize": ("batch_size", _whole, "a positive whole number"),
    "TestRepetitions": ("test_repetitions", _whole, "a positive whole number"),
    "WeightDecay": ("weight_decay", _number(0.0, math.inf), "a number that is not negative"),
    "Regularization": ("regularization", _choice(_REGULARIZATIONS), "None, L1 or L2"),
    "DropConfig": ("drop_config", _shares, "numbers from 0 to 1 separated by '+', as in '0.0+0.5'"),
    "Optimizer": ("optimizer", _choice(tuple(OPTIMIZERS)), f"one of {', '.join(OPTIMIZERS)}"),
}
_PARAMETERS: Final = {
    f"{name}_{parameter}": (name, parameter) for name, all_of_it in OPTIMIZERS.items() for parameter in all_of_it
}


def _stage(text: str, owner: str, optimizer: str) -> Stage:
    values: dict[str, Any] = {"optimizer": optimizer}
    parameters: dict[str, tuple[str, float]] = {}
    without_effect: list[str] = []
    said: set[str] = set()
    known = {key.lower(): key for key in (*_KEYS, *_PARAMETERS, *_RETIRED)}
    for part in filter(None, (part.strip() for part in text.split(","))):
        word, equals, value = (piece.strip() for piece in part.partition("="))
        key = known.get(word.lower())
        if key is None:
            raise OptionError(
                f"the option 'TrainingStrategy' of {owner} has no key {word!r} (in {part!r}); "
                f"{did_you_mean(word, [*_KEYS, *_PARAMETERS], noun='its keys')}"
            )
        if key in said:
            raise OptionError(
                f"the option 'TrainingStrategy' of {owner} sets {key!r} twice in the stage {text.strip()!r}"
            )
        said.add(key)
        if key in _RETIRED:
            without_effect.append(f"{key}, which TMVA has retired")
        elif key in _PARAMETERS:
            end = 1.0 if _PARAMETERS[key][1] != "eps" else math.inf
            number = _number(0.0, end, open_end=True)(value)
            if not equals or number is None:
                raise _refused(owner, key, "a positive number" + (" below 1" if end == 1.0 else ""), value)
            parameters[key] = (_PARAMETERS[key][0], number)
        else:
            attribute, read, takes = _KEYS[key]
            read_value = read(value) if equals else None
            if read_value is None:
                hint = f"; {did_you_mean(value.upper(), OPTIMIZERS, noun='they are')}" if key == "Optimizer" else ""
                raise _refused(owner, key, takes, value, hint.rstrip("."))
            values[attribute] = read_value
    chosen = values["optimizer"]
    values["parameters"] = dict(OPTIMIZERS[chosen])
    for key, (name, number) in parameters.items():
        if name == chosen:
            values["parameters"][_PARAMETERS[key][1]] = number
        else:
            without_effect.append(f"{key} with Optimizer={chosen}")
    if values.get("momentum") and chosen not in _WITH_MOMENTUM:
        without_effect.append(f"Momentum with Optimizer={chosen}")
    decay, penalty = values.get("weight_decay", 0.0), values.get("regularization", "NONE")
    if decay and penalty == "NONE":
        without_effect.append("WeightDecay without Regularization")
    if penalty != "NONE" and not decay:
        without_effect.append("Regularization without WeightDecay")
    return Stage(**values, without_effect=tuple(without_effect))


def _refused(owner: str, key: str, takes: str, value: str, hint: str = "") -> OptionError:
    return OptionError(
        f"the key {key!r} of the option 'TrainingStrategy' of {owner} takes {takes}, not {value!r}{hint}"
    )

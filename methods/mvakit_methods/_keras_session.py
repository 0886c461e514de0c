"""Keras in this process, for every method that trains with it: imported quietly, and seeded."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import os
import random
import sys
import tempfile
import warnings
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.errors import MethodError, MissingPackageError

__all__ = ["first_line", "import_keras", "numbers_of", "quiet", "seeded", "summary"]

_OLDEST: Final = (3, 10)
_STANDARD_ERROR: Final = 2
# What TensorFlow says on standard error before it can be asked to be quiet.
_CHATTER: Final = (b"WARNING: All log messages before absl", b"I0000 ", b"To enable the following instructions")


def import_keras(method: str) -> Any:
    """Import Keras and its backend, without the backend's start-up lines, and return the module.

    Parameters
    ----------
    method : str
        Who asks for it, for messages.

    Raises
    ------
    MissingPackageError
        If Keras or its backend is not installed.
    MethodError
        If Keras is too old.
    """
    if sys.modules.get("keras") is None:
        if importlib.util.find_spec("keras") is None:
            raise MissingPackageError(f"the method {method}", "keras", "keras")
        # TensorFlow looks at it for as long as it runs.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        try:
            with _without_chatter(), quiet():
                importlib.import_module("keras")
        except ModuleNotFoundError as error:
            raise MissingPackageError(f"the method {method}", error.name or "tensorflow", "keras") from error
    keras = sys.modules["keras"]
    version = keras.__version__
    if tuple(int(word) for word in version.split(".")[:2]) < _OLDEST:
        raise MethodError(f"{method}: needs Keras {_OLDEST[0]}.{_OLDEST[1]} or later; {version} is installed")
    return keras


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """Hold standard error back and let through what is not the backend's start-up chatter.

    These lines come from C++ before its logging is set up, so that no setting reaches them.
    """
    try:
        saved = os.dup(_STANDARD_ERROR)
    except OSError:
        # A process without standard error has nothing to hold back.
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        with tempfile.TemporaryFile() as held:
            os.dup2(held.fileno(), _STANDARD_ERROR)
            try:
                yield
            finally:
                if sys.stderr is not None:
                    sys.stderr.flush()
                os.dup2(saved, _STANDARD_ERROR)
                held.seek(0)
                for line in held:
                    if line.strip() and not line.startswith(_CHATTER):
                        os.write(_STANDARD_ERROR, line)
    finally:
        os.close(saved)


def numbers_of(tensor: Any) -> npt.NDArray[np.float64]:
    """Return a tensor of any backend as an array."""
    convert = sys.modules["keras"].ops.convert_to_numpy  # whoever has a tensor has imported it
    return np.asarray(convert(tensor), dtype=np.float64)


def first_line(error: BaseException) -> str:
    """Return the first line of what a library says of its failure, which often runs on for pages."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the deprecations that Keras, TensorFlow and tf2onnx raise among themselves from the user."""
    # TensorFlow thinks that several trainings in one process are one that is compiled again and again.
    loggers = [logging.getLogger(name) for name in ("absl", "tensorflow", "tf2onnx")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for package in ("keras", "tensorflow", "tf2onnx", "onnx", "h5py", "google"):
            for category in (DeprecationWarning, FutureWarning):
                warnings.filterwarnings("ignore", category=category, module=rf"{package}(\.|$)")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextlib.contextmanager
def seeded(keras: Any, seed: int) -> Iterator[None]:
    """Seed everything random in a training; Python's and NumPy's own states are put back at the end.

    On a GPU TensorFlow's operations are made deterministic as well, which it cannot undo in a process.
    """
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the state that Keras seeds
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if tf.config.list_physical_devices("GPU"):
            tf.config.experimental.enable_op_determinism()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def summary(model: Any) -> str:
    """Return what ``model.summary()`` prints."""
    lines: list[str] = []
    model.summary(print_fn=lambda line, line_break=True: lines.append(line))  # noqa: ARG005 - Keras passes it
    return "\n".join(lines).rstrip()

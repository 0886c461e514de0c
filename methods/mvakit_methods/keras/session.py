"""Keras in this process: imported quietly, seeded, given its threads. Nothing here is needed to apply a network."""

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
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from mvakit.errors import MethodError, MissingPackageError, MvakitError
from mvakit.progress import Messenger
from mvakit_methods.keras.options import GpuOptions

__all__ = ["first_line", "import_keras", "need_exporter", "quiet", "seeded", "set_gpus", "set_threads"]

_OLDEST: Final = (3, 10)
_STANDARD_ERROR: Final = 2
# What TensorFlow says on standard error before it can be asked to be quiet.
_CHATTER: Final = (b"WARNING: All log messages before absl", b"I0000 ", b"To enable the following instructions")


def import_keras() -> Any:
    """Import Keras and its backend, without the backend's start-up lines, and return the module.

    Raises
    ------
    MissingPackageError
        If Keras or its backend is not installed.
    MethodError
        If Keras is too old.
    """
    if sys.modules.get("keras") is None:
        if importlib.util.find_spec("keras") is None:
            raise MissingPackageError("the method PyKeras", "keras", "keras")
        # TensorFlow looks at it for as long as it runs.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        try:
            with _without_chatter(), quiet():
                importlib.import_module("keras")
        except ModuleNotFoundError as error:
            raise MissingPackageError("the method PyKeras", error.name or "tensorflow", "keras") from error
    keras = sys.modules["keras"]
    version = keras.__version__
    if tuple(int(word) for word in version.split(".")[:2]) < _OLDEST:
        raise MethodError(f"PyKeras: needs Keras {_OLDEST[0]}.{_OLDEST[1]} or later; {version} is installed")
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


def first_line(error: BaseException) -> str:
    """Return the first line of what a library says of its failure, which often runs on for pages."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the deprecations that Keras, TensorFlow and tf2onnx raise among themselves from the user."""
    absl = logging.getLogger("absl")
    converter = logging.getLogger("tf2onnx")
    levels = absl.level, converter.level
    with warnings.catch_warnings():
        for package in ("keras", "tensorflow", "tf2onnx", "onnx", "h5py", "google"):
            for category in (DeprecationWarning, FutureWarning):
                warnings.filterwarnings("ignore", category=category, module=rf"{package}(\.|$)")
        absl.setLevel(logging.ERROR)
        converter.setLevel(logging.ERROR)
        try:
            yield
        finally:
            absl.setLevel(levels[0])
            converter.setLevel(levels[1])


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed everything random in a training; Python's and NumPy's own states are put back at the end.

    On a GPU TensorFlow's operations are made deterministic as well, which it cannot undo in a process.
    """
    keras = import_keras()
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


def set_threads(threads: int, refuse: Callable[[str], MvakitError]) -> None:
    """Give TensorFlow or PyTorch its number of CPU threads; 0 leaves them alone.

    Raises
    ------
    MvakitError
        Made by `refuse`, if TensorFlow already runs with another number, or the backend has no such setting.
    """
    if threads == 0:
        return
    backend = import_keras().backend.backend()
    if backend == "torch":
        importlib.import_module("torch").set_num_threads(threads)
        return
    if backend != "tensorflow":
        raise refuse(f"NumThreads={threads} is for TensorFlow and PyTorch, but the backend of Keras is {backend}")
    import tensorflow as tf

    threading = tf.config.threading
    found = threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads()
    if found == (threads, threads):
        return
    try:
        threading.set_intra_op_parallelism_threads(threads)
        threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        raise refuse(
            f"NumThreads={threads} comes too late: TensorFlow already runs in this process, with "
            f"{found[0] or 'its own number of'} threads; set it at the first PyKeras, or start anew"
        ) from None


def set_gpus(options: GpuOptions, refuse: Callable[[str], MvakitError], log: Messenger) -> None:
    """Tell TensorFlow how to use GPUs; what asks for nothing leaves them alone.

    Raises
    ------
    MvakitError
        Made by `refuse`, if TensorFlow already runs on its GPUs in another way, or is not the backend.
    """
    if options == GpuOptions():
        return
    backend = import_keras().backend.backend()
    if backend != "tensorflow":
        raise refuse(f"GpuOptions is for TensorFlow, but the backend of Keras is {backend}")
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        log.warning("GpuOptions changes nothing: TensorFlow finds no GPU")
        return
    if options.visible is not None and max(options.visible) >= len(gpus):
        raise refuse(f"GpuOptions names the GPU {max(options.visible)}; TensorFlow finds {len(gpus)}, counted from 0")
    used = gpus if options.visible is None else [gpus[number] for number in options.visible]
    try:
        if options.visible is not None:
            tf.config.set_visible_devices(used, "GPU")
        for gpu in used:
            if options.allow_growth:
                tf.config.experimental.set_memory_growth(gpu, True)
            if options.memory_limit:
                limit = tf.config.LogicalDeviceConfiguration(memory_limit=options.memory_limit)
                tf.config.set_logical_device_configuration(gpu, [limit])
    except (RuntimeError, ValueError) as error:
        raise refuse(
            f"GpuOptions cannot be set: {first_line(error)}; set it at the first PyKeras of a process, "
            "and either allow_growth or memory_limit"
        ) from None


def need_exporter(layer: str) -> None:
    """Make sure that Keras can export a network with this layer.

    Raises
    ------
    MissingPackageError
        Naming the package that is missing.
    """
    backend = import_keras().backend.backend()
    package = {"tensorflow": "tf2onnx", "jax": "jax2onnx"}.get(backend, "onnx")
    if importlib.util.find_spec(package) is None:
        raise MissingPackageError(f"a PyKeras model with {layer} (it is applied as an ONNX graph)", package, "keras")

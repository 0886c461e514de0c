"""What the backend of Keras is told at the first PyKeras of a process: its threads, its GPUs. Applying needs none of it."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable

from mvakit.errors import MissingPackageError, MvakitError
from mvakit.progress import Messenger
from mvakit_methods._keras_session import first_line, import_keras
from mvakit_methods.keras.options import GpuOptions

__all__ = ["need_exporter", "set_gpus", "set_threads"]


def set_threads(threads: int, refuse: Callable[[str], MvakitError]) -> None:
    """Give TensorFlow or PyTorch its number of CPU threads; 0 leaves them alone.

    Raises
    ------
    MvakitError
        Made by `refuse`, if TensorFlow already runs with another number, or the backend has no such setting.
    """
    if threads == 0:
        return
    backend = import_keras("PyKeras").backend.backend()
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
    backend = import_keras("PyKeras").backend.backend()
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
    backend = import_keras("PyKeras").backend.backend()
    package = {"tensorflow": "tf2onnx", "jax": "jax2onnx"}.get(backend, "onnx")
    if importlib.util.find_spec(package) is None:
        raise MissingPackageError(f"a PyKeras model with {layer} (it is applied as an ONNX graph)", package, "keras")

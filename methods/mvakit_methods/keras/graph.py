"""The ONNX graph of a network, applied by ONNX Runtime."""

from __future__ import annotations

import functools
import importlib.util
import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.errors import MissingPackageError, WeightFileError
from mvakit_methods._keras_session import first_line, quiet
from mvakit_methods.keras.session import need_exporter

__all__ = ["Graph", "export_graph", "has_runtime"]

FloatArray = npt.NDArray[np.float64]

# Events that go through the network together: what they become on their way stays in the cache of a processor.
_ROWS: Final = 512
# Events that are worth a thread.
_SHARE: Final = 16 * _ROWS
_LOCK: Final = threading.Lock()


@functools.cache
def has_runtime() -> bool:
    """Whether ONNX Runtime is installed."""
    return importlib.util.find_spec("onnxruntime") is not None


class Graph:
    """An ONNX graph with one input and one output; immutable, and thread-safe as ONNX Runtime's sessions are.

    Parameters
    ----------
    data : bytes
        The serialised graph.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __reduce__(self) -> tuple[type[Graph], tuple[bytes]]:
        return Graph, (self.data,)

    @functools.cached_property
    def _session(self) -> Any:
        try:
            import onnxruntime
        except ModuleNotFoundError as error:
            raise MissingPackageError(
                "applying a PyKeras model that is not a plain chain of dense layers", "onnxruntime", "keras"
            ) from error
        settings = onnxruntime.SessionOptions()
        settings.log_severity_level = 3
        # Many small blocks of events in threads of our own are faster than large ones that wait for each other.
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        try:
            return onnxruntime.InferenceSession(self.data, settings, providers=["CPUExecutionProvider"])
        except Exception as error:
            raise WeightFileError(f"ONNX Runtime cannot read the graph: {first_line(error)}") from error

    def session(self) -> Any:
        """Return the session that runs the graph, made at the first call.

        Raises
        ------
        MissingPackageError
            If ONNX Runtime is not installed.
        WeightFileError
            If the graph is damaged or not one matrix in and one matrix out.
        """
        with _LOCK:
            session = self._session
        inputs, outputs = session.get_inputs(), session.get_outputs()
        if len(inputs) != 1 or len(outputs) != 1 or inputs[0].type != "tensor(float)" or len(inputs[0].shape) != 2:
            raise WeightFileError("the ONNX graph should take one matrix of single precision and give one back")
        return session

    def __call__(self, X: npt.NDArray[np.float32]) -> FloatArray:
        """Return the outputs, shape (n_events, n_outputs).

        Raises
        ------
        MissingPackageError, WeightFileError
            As `session` does, and if the graph does not take these events.
        """
        session = self.session()
        name = session.get_inputs()[0].name
        X = np.ascontiguousarray(X, dtype=np.float32)
        if len(X) == 0:  # ONNX Runtime does not take none through every graph
            return self(np.zeros((1, X.shape[1]), np.float32))[:0]
        first = _run(session, name, X[:_ROWS])
        if len(X) <= _ROWS:
            return first.astype(np.float64)
        out = np.empty((len(X), first.shape[1]))
        out[:_ROWS] = first

        def fill(begin: int) -> None:
            for start in range(begin, min(begin + _SHARE, len(X)), _ROWS):
                rows = slice(start, min(start + _ROWS, len(X), begin + _SHARE))
                out[rows] = _run(session, name, X[rows])

        begins = range(_ROWS, len(X), _SHARE)
        if len(begins) == 1:
            fill(begins[0])
        else:
            with ThreadPoolExecutor(min(len(begins), _processors())) as pool:
                list(pool.map(fill, begins))
        return out


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _run(session: Any, name: str, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    try:
        part = np.asarray(session.run(None, {name: rows})[0])
    except Exception as error:
        raise WeightFileError(
            f"the ONNX graph does not take events of {rows.shape[1]} variables: {first_line(error)}"
        ) from error
    if part.ndim != 2 or len(part) != len(rows):
        raise WeightFileError(f"the ONNX graph gives an array of shape {part.shape} for {len(rows)} events")
    return part


def export_graph(model: Any) -> Graph:
    """Export a Keras model as an ONNX graph: layer by layer, or by Keras' own exporter where a layer is none of the usual.

    Raises
    ------
    MissingPackageError
        If Keras' exporter is needed, and a package that it needs is not installed.
    Exception
        Whatever Keras' exporter raises for layers that it does not know.
    """
    from mvakit_methods.keras.onnx_layers import UnknownLayerError, graph_of_model

    try:
        return Graph(graph_of_model(model))
    except UnknownLayerError as unknown:
        need_exporter(str(unknown))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        with quiet():
            model.export(str(path), format="onnx", verbose=False)
        return Graph(path.read_bytes())

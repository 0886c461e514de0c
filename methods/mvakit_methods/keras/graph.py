"""The ONNX graph of a network: written by Keras' own exporter, applied by ONNX Runtime."""

from __future__ import annotations

import functools
import tempfile
import threading
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from mvakit.errors import MissingPackageError, WeightFileError
from mvakit_methods.keras.session import first_line, quiet

__all__ = ["Graph", "export_graph"]

FloatArray = npt.NDArray[np.float64]

_ROWS: Final = 65_536
_LOCK: Final = threading.Lock()


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
        # Threads that wait for work should sleep, not spin: the Reader is called once in a while.
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
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
        parts = []
        for start in range(0, max(len(X), 1), _ROWS):
            rows = X[start : start + _ROWS]
            try:
                part = np.asarray(session.run(None, {name: rows})[0], dtype=np.float64)
            except Exception as error:
                raise WeightFileError(
                    f"the ONNX graph does not take events of {X.shape[1]} variables: {first_line(error)}"
                ) from error
            if part.ndim != 2 or len(part) != len(rows):
                raise WeightFileError(f"the ONNX graph gives an array of shape {part.shape} for {len(rows)} events")
            parts.append(part)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def export_graph(model: Any) -> Graph:
    """Export a Keras model as an ONNX graph.

    Raises
    ------
    Exception
        Whatever the exporter raises for layers that it does not know, or for packages that are missing.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        with quiet():
            model.export(str(path), format="onnx", verbose=False)
        return Graph(path.read_bytes())

"""The method PyKeras: what is checked at booking, what a training leaves, and how it is written and read."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.dataset import Sample
from mvakit.errors import MissingPackageError, MvakitError, WeightFileError
from mvakit.method import Capabilities, Curve, DenseNetwork, FitContext, Method, MethodOptions, WeightContext
from mvakit.types import AnalysisType
from mvakit.weightfile import attribute, child, int_attribute, numbers, text_numbers
from mvakit_methods._keras_session import first_line, import_keras, numbers_of, quiet, seeded
from mvakit_methods._validation import parse_validation_size
from mvakit_methods.keras.graph import Graph, export_graph, has_runtime
from mvakit_methods.keras.network import Forward, read_network, write_network
from mvakit_methods.keras.onnx_format import check_graph
from mvakit_methods.keras.onnx_layers import graph_of_dense
from mvakit_methods.keras.options import PyKerasOptions, parse_gpu_options, parse_schedule
from mvakit_methods.keras.session import set_gpus, set_threads
from mvakit_methods.keras.user_code import custom_objects_of
from mvakit_methods.keras.user_model import check_model, open_model, output_counts

__all__ = ["PyKeras", "PyKerasState"]

FloatArray = npt.NDArray[np.float64]

_MANY: Final = 1 << 14
"""Events from which on a network is applied by ONNX Runtime, where it is installed."""


@dataclass(frozen=True, eq=False)
class PyKerasState:
    """A trained network, independent of Keras.

    Attributes
    ----------
    stem : str
        The name, without suffix, of the files beside the weight file.
    analysis : AnalysisType
        Which outputs are the response: of a classification the first, else all.
    n_inputs, n_outputs : int
    network : Forward or Graph
        What is applied: the layers of a chain of dense layers, the ONNX graph of anything else.
    graph : Graph
        The ONNX graph, which is applied to many events, and is there for others' use.
    model : bytes or None
        The ``.keras`` file, for further training; None where it was not found beside the weight file.
    history : tuple of (str, ndarray)
        What was recorded, epoch by epoch.
    """

    stem: str
    analysis: AnalysisType
    n_inputs: int
    n_outputs: int
    network: Forward | Graph
    graph: Graph
    model: bytes | None
    history: tuple[tuple[str, FloatArray], ...] = ()


class PyKeras(Method[PyKerasOptions, PyKerasState]):
    """A Keras model of the user's own, trained here and applied without Keras."""

    name: ClassVar[str] = "PyKeras"
    options_type: ClassVar[type[MethodOptions]] = PyKerasOptions
    capabilities: ClassVar[Capabilities] = Capabilities(analyses=frozenset(AnalysisType))
    # What mvakit writes has them; a file of TMVA only names the Keras file, and `read_state` says so.
    weights_in_file: ClassVar[bool] = False

    # ------------------------------------------------------------------------------------------ training

    def check(self, context: FitContext) -> None:
        """Refuse a model, or an option, that could not be trained.

        Raises
        ------
        OptionError
            If the validation size or the learning rate schedule is malformed.
        MissingPackageError
            If Keras, its backend, or what a network that is not dense needs, is not installed.
        MethodError
            If the model is missing, unreadable, not compiled, or does not fit the variables and the classes or targets.
        """
        parse_validation_size(self.options.validation_size, self.name)
        gpus = parse_gpu_options(self.options.gpu_options)
        schedule = parse_schedule(self.options.learning_rate_schedule)
        trained = self.options.filename_trained_model
        if trained:
            self._check_target(Path(trained))
        from mvakit_methods.keras.layers import dense_network

        keras = import_keras(self.name)
        if not self.options.tf_keras:
            context.log.warning("the option !tf.keras changes nothing: there is one Keras since Keras 3")
        set_threads(self.options.num_threads, self.refuse)
        set_gpus(gpus, self.refuse, context.log)
        if self.options.tensor_board and importlib.util.find_spec("tensorboard") is None:
            raise MissingPackageError("the option TensorBoard of PyKeras", "tensorboard", "keras")
        # Keras draws from Python's generator when it makes layers; the user's own draws stay as they would have been.
        with seeded(keras, self.options.random_seed):
            model, name = self._open(context)
            check_model(model, name, context)
            if schedule:
                self._check_schedule(model, name)
            if dense_network(model, len(context.variables)) is None:
                if not has_runtime():
                    raise MissingPackageError(
                        "a PyKeras model that is not a plain chain of dense layers", "onnxruntime", "keras"
                    )
                check_graph(self._export(model, name).data)

    def _check_target(self, path: Path) -> None:
        if path.suffix not in {".keras", ".h5"}:
            raise self.refuse(f"FilenameTrainedModel ends in .keras or .h5, unlike {str(path)!r}")
        folder = next(p for p in path.absolute().parents if p.exists())
        if not (folder.is_dir() and os.access(folder, os.W_OK)):
            raise self.refuse(f"FilenameTrainedModel={str(path)!r} cannot be written into {str(folder)!r}")

    def _check_schedule(self, model: Any, name: str) -> None:
        try:
            model.optimizer.learning_rate = model.optimizer.learning_rate
        except (AttributeError, TypeError):
            raise self.refuse(
                f"LearningRateSchedule cannot be set on the model {name!r}, whose optimizer has a schedule of its own"
            ) from None

    def _open(self, context: FitContext) -> tuple[Any, str]:
        options = self.options
        custom = dict(options.custom_objects)
        if options.user_code:
            custom.update(custom_objects_of(options.user_code, trusted=options.trust_files))
        if options.model is not None and options.filename_model:
            raise self.refuse(f"Model and FilenameModel={options.filename_model} are two models; hand over one of them")
        if not options.continue_training:
            if options.model is not None:
                return options.model.fresh(), "Model"
            name, option = options.filename_model, "FilenameModel"
        else:
            target = self._target(context)
            if target is None:
                raise self.refuse("ContinueTraining needs FilenameTrainedModel, the model to continue with")
            name, option = str(target), "FilenameTrainedModel"
        return open_model(name, option, custom_objects=custom, trusted=options.trust_files), name

    def _target(self, context: FitContext) -> Path | None:
        """Return where the trained model goes, and where it is found again."""
        if self.options.filename_trained_model:
            return Path(self.options.filename_trained_model)
        return None if context.folder is None else context.folder / f"{_stem(context.title)}.keras"

    def _export(self, model: Any, name: str) -> Graph:
        try:
            return export_graph(model)
        except MissingPackageError:
            raise
        except Exception as error:
            first = first_line(error)
            raise self.refuse(
                f"the model {name!r} is not a plain chain of dense layers, so it is applied as an ONNX graph, "
                f"but cannot be exported as one: {first}"
            ) from error

    def fit(self, train: Sample, context: FitContext) -> PyKerasState:
        """Train the model and return what is needed to apply it.

        Raises
        ------
        MethodError
            As `check` does, and if the events cannot train the model.
        """
        from mvakit_methods.keras.layers import dense_network

        keras = import_keras(self.name)
        set_threads(self.options.num_threads, self.refuse)
        with seeded(keras, self.options.random_seed):
            from mvakit_methods.keras.training import archive, save_model, train_model

            model, name = self._open(context)
            n_inputs = len(context.variables)
            check_model(model, name, context)
            history = train_model(model, self.options, train, context, self._target(context))
            network = dense_network(model, n_inputs)
            applied: Forward | Graph
            if network is None:
                applied = graph = self._export(model, name)
                check_graph(graph.data)
                self._compare(model, graph, train.X[:256])
            else:
                applied, graph = Forward(network), Graph(graph_of_dense(network))
            saved = archive(model)
            trained = self.options.filename_trained_model
            if trained:
                save_model(model, Path(trained))
                context.log.info(f"The trained model is in {trained}")
        n_outputs = int(model.outputs[0].shape[1])
        return PyKerasState(_stem(context.title), context.analysis, n_inputs, n_outputs, applied, graph, saved, history)

    def _compare(self, model: Any, graph: Graph, X: npt.NDArray[np.float32]) -> None:
        with quiet():
            expected = numbers_of(model(X, training=False))
        scale = float(np.abs(expected).max(initial=1.0))
        if not np.allclose(graph(X), expected, rtol=1e-3, atol=1e-4 * scale):
            raise self.refuse(
                f"the ONNX graph of the model differs from the model by {np.abs(graph(X) - expected).max():.2g}, so it "
                "cannot be applied"
            )

    # ------------------------------------------------------------------------------------------ applying

    def predict(
        self,
        state: PyKerasState,
        X: npt.NDArray[np.float32],
        spectators: FloatArray | None = None,  # noqa: ARG002
        efficiency: float | None = None,  # noqa: ARG002
    ) -> FloatArray:
        """Return the probability of signal, those of all classes in their order, or the estimates of the targets.

        Returns
        -------
        ndarray of float64, shape (n,), or (n, k) for a multiclass analysis or k > 1 targets
        """
        # NumPy is the faster of the two for an event or a few, ONNX Runtime for many.
        network = state.graph if len(X) >= _MANY and has_runtime() else state.network
        outputs = network(X)
        first = state.analysis is AnalysisType.CLASSIFICATION or state.n_outputs == 1
        return outputs[:, 0] if first else outputs

    def structure(self, state: PyKerasState) -> DenseNetwork | None:
        """Return the layers of a dense network, None for any other."""
        return state.network.network if isinstance(state.network, Forward) else None

    def monitoring(self, state: PyKerasState) -> tuple[Curve, ...]:
        """Return the loss, the validation loss and the metrics against the epoch."""
        return tuple(
            Curve(name, name, "epoch", name.removeprefix("val_"), np.arange(1.0, len(values) + 1), values)
            for name, values in state.history
        )

    # --------------------------------------------------------------------------------------- weight file

    def write_state(self, state: PyKerasState, weights: ET.Element) -> Mapping[str, bytes]:
        """Write the layers and the history; return the ``.keras`` file and the ONNX graph to lie beside the weight file."""
        weights.set("NInputs", str(state.n_inputs))
        weights.set("NOutputs", str(state.n_outputs))
        files: dict[str, bytes] = {}
        for kind, suffix, data in (
            ("Model", ".keras", state.model),
            ("Graph", ".onnx", state.graph.data),
        ):
            if data is not None:
                files[state.stem + suffix] = data
                weights.set(kind, state.stem + suffix)
                weights.set(f"{kind}SHA256", hashlib.sha256(data).hexdigest())
        if isinstance(state.network, Forward):
            write_network(state.network.network, weights)
        history = ET.SubElement(weights, "History")
        for name, values in state.history:
            ET.SubElement(history, "Curve", Name=name, NEpochs=str(len(values))).text = numbers(values)
        return files

    def read_state(self, weights: ET.Element, context: WeightContext) -> PyKerasState:
        """Read what `write_state` wrote; a ``.keras`` file is carried along but never opened.

        Raises
        ------
        WeightFileError
            If the network is damaged, does not fit the variables, classes or targets, or is not the one that was written
            with the file; or if the file is TMVA's own, whose network lies in a Keras file.
        """
        if "NInputs" not in weights.attrib:
            trained = context.options.get("FilenameTrainedModel", "a Keras file")
            raise WeightFileError(
                f"the network of {context.title} is not in this weight file of TMVA's but in {trained!r}; train it on "
                "here with FilenameModel or ContinueTraining, or open it with Keras if you trust it"
            )
        n_inputs = int_attribute(weights, "NInputs", 1)
        n_outputs = int_attribute(weights, "NOutputs", 1)
        if n_inputs != len(context.variables):
            raise WeightFileError(
                f"the network of {context.title} has {n_inputs} inputs for {len(context.variables)} variables"
            )
        counts, meaning = output_counts(context)
        if n_outputs not in counts:
            wanted = " or ".join(map(str, sorted(counts)))
            raise WeightFileError(
                f"the network of {context.title} has {n_outputs} outputs; it should have {wanted}, {meaning}"
            )
        dense = weights.find("Dense")
        applied: Forward | Graph
        if dense is None:
            applied = graph = Graph(_read_beside(weights, "Graph", context))
            check_graph(graph.data)
        else:
            applied = Forward(read_network(dense, n_inputs))
            if applied.n_outputs != n_outputs:
                raise WeightFileError(
                    f"the network of {context.title} has {applied.n_outputs} outputs, not {n_outputs} as it says"
                )
            graph = Graph(graph_of_dense(applied.network))
        model = _carried(weights, "Model", context)
        history = _read_history(weights)
        return PyKerasState(_stem(context.title), context.analysis, n_inputs, n_outputs, applied, graph, model, history)


def _stem(title: str) -> str:
    return f"TrainedModel_{title}"


def _read_beside(weights: ET.Element, kind: str, context: WeightContext) -> bytes:
    """Read a file beside the weight file and make sure that it is the one that was written with it."""
    name, expected = attribute(weights, kind), attribute(weights, f"{kind}SHA256")
    data = context.read_beside(name)
    if hashlib.sha256(data).hexdigest() != expected:
        raise WeightFileError(
            f"{name!r} beside the weight file of {context.title} is not the one that was written with it; "
            "another training may have taken its name"
        )
    return data


def _carried(weights: ET.Element, kind: str, context: WeightContext) -> bytes | None:
    """Read a file that applying does not need, or return None where it is not there or another's.

    Raises
    ------
    WeightFileError
        If its name is no bare file name.
    """
    name = weights.get(kind)
    if name is None:
        return None
    if "/" in name or "\\" in name:
        raise WeightFileError(f"{context.title} names {name!r} beside its weight file, which is no bare file name")
    try:
        return _read_beside(weights, kind, context)
    except (MvakitError, OSError):
        return None


def _read_history(weights: ET.Element) -> tuple[tuple[str, FloatArray], ...]:
    return tuple(
        (attribute(item, "Name"), text_numbers(item, int_attribute(item, "NEpochs", 0)))
        for item in child(weights, "History").findall("Curve")
    )

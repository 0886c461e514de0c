"""Networks: training on events in mapped files beside Keras' own fit on arrays in memory, and applying beside ONNX Runtime.

    python benchmarks/networks.py train [--events 4000000] [--memory 512MB] [--batch 1024] [--epochs 2] [--folder FOLDER]
    python benchmarks/networks.py apply [--events 1000000]

Each of the two trainings runs in a process of its own, so that neither holds the memory of the other.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import tempfile
import time
from array import array
from pathlib import Path

import numpy as np
from _measure import best, measured, verdict
from large import MadeTree

from mvakit import DataLoader, Reader, RReader
from mvakit.model import train

N_VARIABLES = 28
# The same network, loss and optimizer on both sides.
WIDTHS = (64, 64)


def network(n_inputs: int, activation: str = "relu"):  # type: ignore[no-untyped-def]
    from mvakit_methods._keras_session import import_keras

    keras = import_keras("PyKeras")
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(width, activation=activation) for width in WIDTHS]
    model = keras.Sequential([keras.Input((n_inputs,)), *layers, keras.layers.Dense(1, activation="sigmoid")])
    model.compile(loss="binary_crossentropy", optimizer="adam")
    return model


def prepared(events: int, memory: str, folder: str):  # type: ignore[no-untyped-def]
    """Return a dataset of `events` training events of 28 variables, those beyond the first twenty sums of others."""
    loader = DataLoader("dataset", MaxMemory=memory, CacheDir=folder)
    for i in range(20):
        loader.AddVariable(f"v{i}", "F")
    for i in range(N_VARIABLES - 20):
        loader.AddVariable(f"sum{i} := v{i} + v{i + 1}", "F")
    loader.AddSignalTree(MadeTree("TreeS", events // 2 + 1000, 0.2))
    loader.AddBackgroundTree(MadeTree("TreeB", events // 2 + 1000, 0.0))
    half = events // 2
    loader.PrepareTrainingAndTestTree("", f"nTrain_Signal={half}:nTrain_Background={half}:SplitMode=Random:!V")
    return loader.prepare()


def train_here(arguments: argparse.Namespace) -> tuple[float, float]:
    """Train on mapped events; return the seconds of an epoch and the highest GiB of own memory."""
    dataset = prepared(arguments.events, arguments.memory, arguments.folder)
    assert dataset.train.space is not None, "these events fit into memory"
    times = [time.perf_counter()]

    def tick(done: float, total: float, note: str = "") -> None:  # noqa: ARG001
        if done == int(done):
            times.append(time.perf_counter())

    with measured() as found:
        train(
            dataset, "PyKeras", f"NumEpochs={arguments.epochs}:BatchSize={arguments.batch}:ValidationSize=10%:VarTransform=N",
            Model=network(N_VARIABLES), tick=tick,
        )  # fmt: skip
    return min(np.diff(times)), found.peak / 2**30


def fit_in_memory(arguments: argparse.Namespace) -> tuple[float, float]:
    """Let Keras fit the same network to as many events in memory; return the same of it."""
    model = network(N_VARIABLES)
    random = np.random.default_rng(0)
    X = random.standard_normal((arguments.events, N_VARIABLES), np.float32)
    y = (np.arange(arguments.events) % 2).astype(np.float32)[:, np.newaxis]
    X += 0.2 * y
    weight = np.ones(len(X), np.float32)
    check = slice(0, len(X) // 10)
    learn = slice(len(X) // 10, None)
    times = [time.perf_counter()]
    with measured() as found:
        for _ in range(arguments.epochs):
            model.fit(
                X[learn], y[learn], sample_weight=weight[learn], batch_size=arguments.batch, verbose=0,
                validation_data=(X[check], y[check], weight[check]), validation_batch_size=4096,
            )  # fmt: skip
            times.append(time.perf_counter())
    return min(np.diff(times)), found.peak / 2**30


def compare_trainings(arguments: argparse.Namespace) -> bool:
    """Run both, each in a process of its own, and tell."""
    results = {}
    for side in ("keras", "mvakit"):
        command = [
            sys.executable,
            __file__,
            f"train-{side}",
            "--folder",
            arguments.folder,
            "--memory",
            arguments.memory,
        ]
        for name in ("events", "batch", "epochs"):
            command += [f"--{name}", str(getattr(arguments, name))]
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        results[side] = seconds, gib = [float(word) for word in said.split()[-2:]]
        print(f"{side}: {seconds:.2f} s an epoch, own memory {gib:.2f} GiB at its highest", flush=True)
    return all(
        [
            verdict("own memory", results["mvakit"][1], 2.5, " GiB"),
            verdict("an epoch / Keras' own", results["mvakit"][0] / results["keras"][0], 1.25),
        ]
    )


def apply(arguments: argparse.Namespace) -> bool:
    """Apply a dense network of twenty variables to one event, and to many beside ONNX Runtime."""
    import onnxruntime

    n_variables = 20
    names = [f"v{i}" for i in range(n_variables)]
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        loader = DataLoader("dataset")
        for name in names:
            loader.AddVariable(name, "F")
        for number, add in enumerate((loader.AddSignalTree, loader.AddBackgroundTree)):
            add({name: random.normal(0.3 * number, 1, 1000).astype(np.float32) for name in names})
        loader.PrepareTrainingAndTestTree("", "SplitMode=Random:!V")
        model = network(n_variables)
        trained = train(loader.prepare(), "PyKeras", "NumEpochs=1:Verbose=0", Model=model)
        path = trained.save(Path(folder) / "network.weights.xml")
        reader, columns = Reader("Silent"), RReader(path)
        for name in names:
            reader.AddVariable(name, array("f", [0.3]))
        reader.BookMVA("network", path)
        graph = next(Path(folder).glob("*.onnx")).read_bytes()
    X = random.standard_normal((arguments.events, n_variables), np.float32)
    calls = 1000
    one = min(best(lambda: [reader.EvaluateMVA("network") for _ in range(calls)], 1) / calls for _ in range(10))
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    own, ours = [], []
    for _ in range(5):  # in turns, so that both meet the machine in the same moods
        own.append(best(lambda: session.run(None, {name: X}), 1))
        ours.append(best(lambda: columns.Compute(X), 1))
    print(f"{len(X)} events: {len(X) / min(ours):.3g} a second, ONNX Runtime {len(X) / min(own):.3g} a second")
    some = X[:20_000]
    by_keras = np.asarray(model(some, training=False))[:, 0]
    by_numpy = np.concatenate([columns.Compute(some[i : i + 1000]) for i in range(0, len(some), 1000)])
    differences = [np.abs(values - by_keras).max() for values in (columns.Compute(some), by_numpy)]
    return all(
        [
            verdict("one event", 1e6 * one, 40, " microseconds"),
            verdict("time / ONNX Runtime's own", min(ours) / min(own), 1.0),
            verdict("ONNX, NumPy and Keras differ by", max(differences), 1e-5),
        ]
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("train", "apply", "train-keras", "train-mvakit"))
    parser.add_argument("--events", type=int, default=0)
    parser.add_argument("--memory", default="512MB")
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--folder", default=None, help="where the cache lies")
    arguments = parser.parse_args()
    arguments.events = arguments.events or (1_000_000 if arguments.what == "apply" else 4_000_000)
    logging.getLogger("mvakit").setLevel(logging.WARNING)
    if arguments.what.startswith("train-"):
        print(*(fit_in_memory if arguments.what == "train-keras" else train_here)(arguments))
        return
    if arguments.what == "apply":
        good = apply(arguments)
    else:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            arguments.folder = folder
            good = compare_trainings(arguments)
    raise SystemExit(not good)


if __name__ == "__main__":
    main()

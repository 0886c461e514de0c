"""The whole road on generated toy data, as ``mvakit demo`` walks it."""

from __future__ import annotations

import contextlib
import importlib.util
from array import array
from pathlib import Path
from typing import Final

import numpy as np

from mvakit.dataloader import DataLoader
from mvakit.display import display
from mvakit.factory import Factory
from mvakit.progress import Messenger, show_messages
from mvakit.reader import Reader, RReader

__all__ = ["run_demo", "write_toy"]

_VARIABLES: Final = ("var1", "var2", "var3", "var4")
_SHIFT: Final = 0.2
_BEND: Final = 0.6
_BOOKINGS: Final = (
    ("Fisher", "Fisher", "H:!V:Fisher:VarTransform=None"),
    ("BDT", "BDT", "!H:!V:NTrees=200:MinNodeSize=2.5%:MaxDepth=3:BoostType=AdaBoost:AdaBoostBeta=0.5:UseBaggedBoost:BaggedSampleFraction=0.5:SeparationType=GiniIndex:nCuts=20"),
    ("BDT", "BDTG", "!H:!V:NTrees=200:MinNodeSize=2.5%:BoostType=Grad:Shrinkage=0.10:UseBaggedBoost:BaggedSampleFraction=0.5:nCuts=20:MaxDepth=2"),
)  # fmt: skip


def write_toy(path: Path, n_events: int, seed: int = 1) -> None:
    """Write a ROOT file with the trees TreeS and TreeB: four correlated variables, shifted for signal, bent for background.

    Parameters
    ----------
    path : Path
    n_events : int
        Entries of each tree.
    seed : int
    """
    import uproot

    random = np.random.default_rng(seed)
    mixing = np.array([[1.0, 0.0, 0.0, 0.0], [0.6, 0.8, 0.0, 0.0], [0.5, 0.4, 0.7, 0.0], [0.7, 0.5, 0.4, 0.6]])
    with uproot.recreate(path) as file:
        for name, sign in (("TreeS", 1.0), ("TreeB", -1.0)):
            x = random.normal(size=(n_events, 4)) @ mixing.T + sign * _SHIFT * np.arange(1, 5)
            if sign < 0:  # something that no linear method sees
                x[:, 1] += _BEND * (x[:, 0] ** 2 - 1)
            columns = {label: x[:, i].astype(np.float32) for i, label in enumerate(_VARIABLES)}
            columns["weight"] = random.gamma(20.0, 0.05, n_events).astype(np.float32)
            columns["eventNumber"] = np.arange(n_events, dtype=np.int64)
            tree = file.mktree(name, {label: column.dtype for label, column in columns.items()})
            tree.extend(columns)


def _write_network(path: Path) -> None:
    """Save the network of TMVA's Keras tutorial: 64 nodes, two outputs."""
    import keras

    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(64, activation="relu"), keras.layers.Dense(2, activation="softmax")]
    )
    model.compile(loss="categorical_crossentropy", optimizer="adam", weighted_metrics=["accuracy"])
    model.save(path)


def run_demo(folder: Path, n_events: int = 6000) -> None:
    """Make toy data, train, evaluate, draw and apply, all below `folder`.

    Parameters
    ----------
    folder : Path
        Made if need be; what an earlier run left there is replaced.
    n_events : int
        Events of each class.
    """
    show_messages()
    log = Messenger("Demo")
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(folder):
        write_toy(Path("toy.root"), n_events)
        loader = DataLoader("dataset")
        loader.AddVariable("sum := var1+var2", "F")
        loader.AddVariable("diff := var1-var2", "Difference", "GeV", "F")
        loader.AddVariable("var3", "Variable 3", "GeV", "F")
        loader.AddVariable("var4", "Variable 4", "GeV", "F")
        loader.AddSpectator("eventNumber")
        loader.AddSignalTree("toy.root:TreeS", 1.0)
        loader.AddBackgroundTree("toy.root:TreeB", 1.0)
        loader.SetBackgroundWeightExpression("weight")
        loader.PrepareTrainingAndTestTree("abs(var4) < 5", "SplitMode=Random:NormMode=NumEvents:!V")

        factory = Factory(
            "Demo",
            "TMVA.root",
            "!V:!Silent:Color:DrawProgressBar:Transformations=I;D;P;G,D:AnalysisType=Classification",
        )
        for method, title, options in _BOOKINGS:
            factory.BookMethod(loader, method, title, options)
        titles = [title for _, title, _ in _BOOKINGS]
        if importlib.util.find_spec("keras") is not None:
            _write_network(Path("model.keras"))
            factory.BookMethod(
                loader,
                "PyKeras",
                "DNN",
                "!H:!V:VarTransform=G:FilenameModel=model.keras:NumEpochs=10:BatchSize=64:Verbose=0",
            )
            titles.append("DNN")
        else:
            log.warning("Keras is not installed, so the network is left out: pip install 'mvakit[keras]'")
        factory.TrainAllMethods()
        factory.TestAllMethods()
        factory.EvaluateAllMethods()

        files = {title: f"dataset/weights/Demo_{title}.weights.xml" for title in titles}
        _apply(log, files)
        figures = display().save_plots(Path("TMVA.root"), Path("plots"), formats=("png",))
    log.info(
        f"Where to look, all below {folder}/:\n"
        "  TMVA.root                      the result file: histograms, TrainTree, TestTree; TBrowser and TMVAGui open it\n"
        "  dataset/weights/               the trained models, TMVA's XML\n"
        f"  plots/                         {len(figures)} figures: rejBvsS.png, overtrain_BDTG.png, ...\n"
        f"All of it in a browser: mvakit gui {folder / 'TMVA.root'}"
    )


def _apply(log: Messenger, files: dict[str, str]) -> None:
    """Apply the Reader to one event and the RReader to the file, and say what they find."""
    reader = Reader("!Color:Silent")
    values = {name: array("f", [0.0]) for name in ("var1+var2", "var1-var2", "var3", "var4")}
    for expression, buffer in values.items():
        reader.AddVariable(expression, buffer)
    for title, path in files.items():
        reader.BookMVA(title, path)
    for buffer, value in zip(values.values(), (1.0, 0.1, 0.5, 1.2), strict=True):
        buffer[0] = value
    answers = ", ".join(f"{title} {reader.EvaluateMVA(title):+.3f}" for title in files)
    log.info(f"Reader, one event (1.0, 0.1, 0.5, 1.2): {answers}")
    for title, path in files.items():
        means = [float(RReader(path).Compute(f"toy.root:{tree}").mean()) for tree in ("TreeS", "TreeB")]
        log.info(
            f"RReader, whole trees: average response of {title:<6} {means[0]:+.3f} on signal, {means[1]:+.3f} on background"
        )

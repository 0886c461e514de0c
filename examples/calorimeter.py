"""A toy calorimeter: the total energy of a particle estimated from the energies that thirteen layers have seen.

Usage: python examples/calorimeter.py [events]
Draws the residuals into calorimeter.png.
"""

import sys

import matplotlib as mpl
import numpy as np
from keras import Input, Sequential
from keras.layers import Dense
from keras.optimizers import Adam
from keras.utils import set_random_seed

from mvakit import DataLoader, Factory, RReader

mpl.use("agg")
import matplotlib.pyplot as plt

events = int(sys.argv[1]) if len(sys.argv) > 1 else 12000
LAYERS = 13
random = np.random.default_rng(1)


def showers(n: int) -> dict[str, np.ndarray]:
    """Showers of 10 to 100 GeV: how deep they reach grows with the logarithm of the energy and varies; layers saturate.

    The profile along the depth t is that of an electromagnetic shower, t^(a-1) exp(-b t); each layer samples its share
    with a fluctuation of 10 % / sqrt(E), sees no more than about 12 GeV, and has noise of 50 MeV. What leaks out behind the
    last layer is lost, and the more of it the later the shower began.
    """
    energy = random.uniform(10, 100, n)
    start = random.exponential(1.5, n)
    depth = np.maximum(np.log(energy / 0.01) + random.normal(-0.5, 0.4, n), 1) + start
    edges = np.linspace(0, 22, LAYERS + 1)
    t = 0.5 * (edges[1:] + edges[:-1]) - start[:, np.newaxis]
    b = 0.5
    a = 1 + b * (depth - start)[:, np.newaxis]
    fine = np.linspace(0.05, 40, 400)
    norm = (fine ** (a - 1) * np.exp(-b * fine)).sum(axis=1) * (fine[1] - fine[0])
    profile = np.where(t > 0, np.maximum(t, 1e-9) ** (a - 1) * np.exp(-b * t), 0) * (edges[1] - edges[0]) / norm[:, np.newaxis]
    true = energy[:, np.newaxis] * profile
    sampled = np.maximum(true + random.normal(size=true.shape) * 0.1 * np.sqrt(true), 0)
    seen = 12 * (1 - np.exp(-sampled / 12)) + random.normal(0, 0.05, true.shape)
    tree = {f"layer{i}": seen[:, i].astype(np.float32) for i in range(LAYERS)}
    return {**tree, "energy": energy.astype(np.float32)}


factory = Factory("Calorimeter", "Calorimeter.root", "!V:Silent:AnalysisType=Regression")
loader = DataLoader("calorimeter")
for i in range(LAYERS):
    loader.AddVariable(f"layer{i}", f"Energy in layer {i}", "GeV", "F")
loader.AddTarget("energy", "Energy", "GeV")
loader.AddRegressionTree(showers(events))
loader.PrepareTrainingAndTestTree("", f"nTrain_Regression={events * 2 // 3}:SplitMode=Random:NormMode=NumEvents:!V")

set_random_seed(1)
model = Sequential([Input((LAYERS,)), Dense(64, activation="relu"), Dense(64, activation="relu"), Dense(1)])
model.compile(loss="mse", optimizer=Adam(0.002))
factory.BookMethod(loader, "LD", "LD", "!H:!V:VarTransform=None")
factory.BookMethod(loader, "PyKeras", "PyKeras",
                   "VarTransform=N:NumEpochs=60:BatchSize=64:TriesEarlyStopping=15:LearningRateSchedule=40,0.0005:Verbose=0", Model=model)
factory.TrainAllMethods()
factory.TestAllMethods()
factory.EvaluateAllMethods()

test = loader.prepare().test
energy = test.targets[:, 0]
figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
for title in ("LD", "PyKeras"):
    residual = RReader(f"calorimeter/weights/Calorimeter_{title}.weights.xml").Compute(test.X) - energy
    print(f"{title}: resolution {np.std(residual / energy):.4f}, bias {np.mean(residual / energy):+.4f} (relative to the energy)")
    axes.hist(residual / energy, np.linspace(-0.3, 0.3, 61), histtype="step", linewidth=2, label=title)
axes.set(xlabel="(estimated - true) / true energy", ylabel="events")
axes.legend(frameon=False)
figure.savefig("calorimeter.png", dpi=120)

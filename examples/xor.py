"""XOR of three inputs: what a network without hidden layer cannot learn, and a layer of tanh learns faster than one of sigmoid.

Usage: python examples/xor.py [events]
Draws loss and accuracy of each epoch into xor_<title>.png.
"""

import sys

import numpy as np
from keras import Input, Sequential
from keras.layers import Dense
from keras.optimizers import Adam
from keras.utils import set_random_seed

from mvakit import DataLoader, Factory, RReader
from mvakit_gui.display import draw_history

events = int(sys.argv[1]) if len(sys.argv) > 1 else 4000

# An odd number of positive inputs is signal.
random = np.random.default_rng(1)
x = random.uniform(-1, 1, (events, 3)).astype(np.float32)
odd = (x > 0).sum(axis=1) % 2 == 1
names = ("x1", "x2", "x3")
signal, background = ({name: x[which, i] for i, name in enumerate(names)} for which in (odd, ~odd))

factory = Factory("XOR", "XOR.root", "!V:Silent:AnalysisType=Classification")
loader = DataLoader("xor")
for name in names:
    loader.AddVariable(name, "F")
loader.AddSignalTree(signal)
loader.AddBackgroundTree(background)
loader.PrepareTrainingAndTestTree("", "SplitMode=Random:NormMode=NumEvents:!V")

for title in ("tanh", "sigmoid", "linear"):
    set_random_seed(3)
    hidden = [] if title == "linear" else [Dense(24, activation=title), Dense(24, activation=title)]
    model = Sequential([Input((3,)), *hidden, Dense(1, activation="sigmoid")])
    model.compile(loss="binary_crossentropy", optimizer=Adam(0.01), weighted_metrics=["accuracy"])
    factory.BookMethod(loader, "PyKeras", title, "NumEpochs=30:BatchSize=50:Verbose=0", Model=model)

factory.TrainAllMethods()
factory.TestAllMethods()
factory.EvaluateAllMethods()

test = loader.prepare().test
for title in ("tanh", "sigmoid", "linear"):
    response = RReader(f"xor/weights/XOR_{title}.weights.xml").Compute(test.X)
    print(f"accuracy of {title}: {np.mean((response > 0.5) == test.is_signal):.3f}")
    trained = factory.GetMethod(loader, title).model
    draw_history(title, trained.method.monitoring(trained.state)).figure.savefig(f"xor_{title}.png", dpi=120)

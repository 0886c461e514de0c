"""Fisher's irises: three classes told by networks, each trained on four fifths of the flowers, and which are taken for which.

Usage: python examples/iris.py
"""

import numpy as np
from keras import Input, Sequential
from keras.layers import Dense
from keras.optimizers import Adam
from keras.utils import set_random_seed
from sklearn.datasets import load_iris

from mvakit import DataLoader, Factory, RReader

iris = load_iris()
names = [name.removesuffix(" (cm)").replace(" ", "_") for name in iris.feature_names]


def flowers(species: int, fold: int, *, test: bool) -> dict[str, np.ndarray]:
    """The fifth of the flowers of a species that a fold tests, or all others."""
    table = iris.data[iris.target == species].astype(np.float32)
    tested = np.arange(len(table)) % 5 == fold
    return dict(zip(names, table[tested == test].T, strict=True))


factory = Factory("Iris", "Iris.root", "!V:Silent:!DrawProgressBar:AnalysisType=Multiclass")
loaders = [DataLoader(f"fold{fold}") for fold in range(5)]
for fold, loader in enumerate(loaders):
    for name in names:
        loader.AddVariable(name, name.replace("_", " "), "cm", "F")
    for number, species in enumerate(iris.target_names):
        loader.AddTree(flowers(number, fold, test=False), str(species), 1.0, "", "Training")
        loader.AddTree(flowers(number, fold, test=True), str(species), 1.0, "", "Test")
    loader.PrepareTrainingAndTestTree("", "NormMode=None:!V")
    set_random_seed(1)
    model = Sequential([Input((4,)), Dense(16, activation="tanh"), Dense(3, activation="softmax")])
    model.compile(loss="categorical_crossentropy", optimizer=Adam(0.01), weighted_metrics=["accuracy"])
    # So few flowers are hard to validate with: the last epoch is kept, after some at a lower rate.
    factory.BookMethod(loader, "PyKeras", "PyKeras",
                       "VarTransform=D:NumEpochs=60:BatchSize=16:ValidationSize=6:!SaveBestOnly:LearningRateSchedule=40,0.002:"
                       "Verbose=0", Model=model)
factory.TrainAllMethods()
factory.TestAllMethods()
factory.EvaluateAllMethods()

counts = np.zeros((3, 3), int)
for loader in loaders:
    test = loader.prepare().test
    found = RReader(f"{loader.GetName()}/weights/Iris_PyKeras.weights.xml").Compute(test.X).argmax(axis=1)
    np.add.at(counts, (test.class_index, found), 1)
for species, row in zip(iris.target_names, counts, strict=True):
    print(f"{species:<12}taken for " + ", ".join(f"{name}: {count}" for name, count in zip(iris.target_names, row, strict=True)))
print(f"accuracy: {np.trace(counts) / counts.sum():.3f}")

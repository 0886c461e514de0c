"""Handwritten digits through their principal components: how many of the 64 are needed.

Usage: python examples/digits_pca.py
"""

import numpy as np
from keras import Input, Sequential
from keras.layers import Cropping1D, Dense, Flatten, Reshape
from keras.utils import set_random_seed
from sklearn.datasets import load_digits

from mvakit import DataLoader, Factory, RReader

digits = load_digits()
# Pixels in which no digit ever has any ink tell nothing.
inked = digits.data.std(axis=0) > 0.5
pixels = digits.data[:, inked].astype(np.float32) / 16
n_pixels = pixels.shape[1]

factory = Factory("DigitsPCA", "DigitsPCA.root", "!V:Silent:AnalysisType=Multiclass")
loader = DataLoader("digits_pca")
loader.AddVariable(f"pixel[:{n_pixels}]", "F")
for digit in range(10):
    loader.AddTree({"pixel": pixels[digits.target == digit]}, f"digit{digit}")
loader.PrepareTrainingAndTestTree("", "SplitMode=Random:NormMode=None:!V:" + ":".join(f"nTrain_digit{d}=140" for d in range(10)))

kept = (2, 8, 20)
for n in kept:
    set_random_seed(1)
    # The components come with the largest variance first; all but the first n are cut off.
    model = Sequential([
        Input((n_pixels,)),
        Reshape((n_pixels, 1)),
        Cropping1D((0, n_pixels - n)),
        Flatten(),
        Dense(64, activation="relu"),
        Dense(10, activation="softmax"),
    ])
    model.compile(loss="categorical_crossentropy", optimizer="adam", weighted_metrics=["accuracy"])
    factory.BookMethod(loader, "PyKeras", f"PCA{n}",
                       "VarTransform=P:NumEpochs=40:BatchSize=32:ValidationSize=10%:Verbose=0", Model=model)
factory.TrainAllMethods()
factory.TestAllMethods()
factory.EvaluateAllMethods()

test = loader.prepare().test
for n in kept:
    found = RReader(f"digits_pca/weights/DigitsPCA_PCA{n}.weights.xml").Compute(test.X).argmax(axis=1)
    print(f"accuracy with {n} of {n_pixels} components: {np.mean(found == test.class_index):.3f}")

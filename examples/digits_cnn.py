"""Handwritten digits told by a convolutional network, and digits of image files read by it.

Usage: python examples/digits_cnn.py [images.png ...]
Trains on the 8 x 8 images of scikit-learn, of which a tenth is held back, and on copies of them that are moved a little.
Without image files some of the digits that were held back are written to files and read again.
"""

import sys
from pathlib import Path

import numpy as np
from keras import Input, Sequential
from keras.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D, Reshape
from keras.utils import set_random_seed
from matplotlib import image
from sklearn.datasets import load_digits

from mvakit import DataLoader, Factory, RReader

digits = load_digits()
random = np.random.default_rng(1)
order = random.permutation(len(digits.images))
held_back = order[: len(order) // 10]
learned = order[len(order) // 10:]


def moved(images: np.ndarray, down: int, right: int) -> np.ndarray:
    """Move images by pixels; what leaves them on one side is blank on the other."""
    out = np.zeros_like(images)
    rows, columns = (slice(max(step, 0), 8 + min(step, 0)) for step in (down, right))
    from_rows, from_columns = (slice(max(-step, 0), 8 + min(-step, 0)) for step in (down, right))
    out[:, rows, columns] = images[:, from_rows, from_columns]
    return out


# Augmentation: a digit that is moved by a pixel is the same digit.
steps = ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1))
images = np.concatenate([moved(digits.images[learned], *step) for step in steps]) / 16
numbers = np.tile(digits.target[learned], len(steps))


def columns(pictures: np.ndarray) -> dict[str, np.ndarray]:
    """The tree of some images: a branch with the 64 pixels of each."""
    return {"pixel": pictures.reshape(-1, 64).astype(np.float32)}


factory = Factory("Digits", "Digits.root", "!V:Silent:AnalysisType=Multiclass")
loader = DataLoader("digits")
loader.AddVariable("pixel[:64]", "F")
for digit in range(10):
    loader.AddTree(columns(images[numbers == digit]), f"digit{digit}", 1.0, "", "Training")
    loader.AddTree(columns(digits.images[held_back][digits.target[held_back] == digit] / 16), f"digit{digit}", 1.0, "", "Test")
loader.PrepareTrainingAndTestTree("", "NormMode=None:!V")

set_random_seed(1)
model = Sequential([
    Input((64,)),
    Reshape((8, 8, 1)),
    Conv2D(16, 3, padding="same", activation="relu"),
    BatchNormalization(),   # keeps what goes on to the next layer around zero, with unit width
    MaxPooling2D(),
    Conv2D(32, 3, padding="same", activation="relu"),
    MaxPooling2D(),
    Flatten(),
    Dropout(0.2),           # leaves out a fifth of the numbers, others in each batch, while it is trained
    Dense(10, activation="softmax"),
])
model.compile(loss="categorical_crossentropy", optimizer="adam", weighted_metrics=["accuracy"])
factory.BookMethod(loader, "PyKeras", "CNN", "NumEpochs=20:BatchSize=64:ValidationSize=10%:Verbose=0", Model=model)
factory.TrainAllMethods()
factory.TestAllMethods()
factory.EvaluateAllMethods()

# Application: neither Keras nor TensorFlow is needed from here on.
reader = RReader("digits/weights/Digits_CNN.weights.xml")
test = loader.prepare().test
found = reader.Compute(test.X).argmax(axis=1)
print(f"accuracy on the tenth that was held back: {np.mean(found == test.class_index):.3f}")

paths = [Path(name) for name in sys.argv[1:]]
if not paths:
    for number, picture in enumerate(digits.images[held_back[:10]]):
        paths.append(Path(f"digit_{number}.png"))
        image.imsave(paths[-1], picture, cmap="gray", vmin=0, vmax=16)
    print("these are:", *digits.target[held_back[:10]])
pictures = [image.imread(path)[:8, :8] for path in paths]
grey = np.stack([picture[..., :3].mean(axis=2) if picture.ndim == 3 else picture for picture in pictures])
print("read as:  ", *reader.Compute(grey.reshape(-1, 64)).argmax(axis=1))

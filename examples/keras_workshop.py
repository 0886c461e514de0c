"""The Keras job of the TMVA-Keras workshops: a network of 64 nodes on Gaussianised inputs, beside a Fisher discriminant.

Usage: python examples/keras_workshop.py [tmva_class_example.root]
"""

import sys

from keras import Input
from keras.layers import Dense
from keras.models import Sequential
from keras.optimizers import Adam

from mvakit.compat.ROOT import TMVA, TCut, TFile, TTree
from mvakit.demo import write_toy

path = sys.argv[1] if len(sys.argv) > 1 else "tmva_class_example.root"
if len(sys.argv) < 2:
    write_toy(path, 6000)

# Setup TMVA
TMVA.Tools.Instance()
TMVA.PyMethodBase.PyInitialize()

output = TFile.Open("BinaryClassificationKeras.root", "RECREATE")
factory = TMVA.Factory("TMVAClassification", output,
                       "!V:!Silent:Color:DrawProgressBar:Transformations=G:AnalysisType=Classification")

# Load data
data = TFile.Open(path)
signal: TTree = data.Get("TreeS")
background: TTree = data.Get("TreeB")

dataloader = TMVA.DataLoader("BinaryClassificationKeras")
for name in ("var1", "var2", "var3", "var4"):
    dataloader.AddVariable(name)
dataloader.AddSignalTree(signal, 1.0)
dataloader.AddBackgroundTree(background, 1.0)
dataloader.PrepareTrainingAndTestTree(TCut(""), "nTrain_Signal=4000:nTrain_Background=4000:SplitMode=Random:NormMode=NumEvents:!V")

# Define the model
model = Sequential()
model.add(Input((4,)))
model.add(Dense(64, kernel_initializer="glorot_normal", activation="relu"))
model.add(Dense(2, kernel_initializer="glorot_uniform", activation="softmax"))
model.compile(loss="categorical_crossentropy", optimizer=Adam(), weighted_metrics=["accuracy"])
model.save("model.keras")
model.summary()

# Book methods
factory.BookMethod(dataloader, TMVA.Types.kFisher, "Fisher", "!H:!V:Fisher:VarTransform=None")
factory.BookMethod(dataloader, TMVA.Types.kPyKeras, "PyKeras",
                   "H:!V:VarTransform=G:FilenameModel=model.keras:NumEpochs=10:BatchSize=32")

# Run training, test and evaluation
factory.TrainAllMethods()
factory.TestAllMethods()
factory.EvaluateAllMethods()

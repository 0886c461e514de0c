"""The application of the TMVA-Keras workshops: the average response of the network on signal and on background."""

import sys
from array import array

from mvakit.compat.ROOT import TMVA, TFile, TString

path = sys.argv[1] if len(sys.argv) > 1 else "tmva_class_example.root"

# Setup TMVA
TMVA.Tools.Instance()
TMVA.PyMethodBase.PyInitialize()
reader = TMVA.Reader("Color:!Silent")

# Load data
data = TFile.Open(path)
signal = data.Get("TreeS")
background = data.Get("TreeB")

branches = {}
for branchName in ("var1", "var2", "var3", "var4"):
    branches[branchName] = array("f", [-999])
    reader.AddVariable(branchName, branches[branchName])
    signal.SetBranchAddress(branchName, branches[branchName])
    background.SetBranchAddress(branchName, branches[branchName])

# Book methods
reader.BookMVA("PyKeras", TString("BinaryClassificationKeras/weights/TMVAClassification_PyKeras.weights.xml"))

# Classify both trees and get the average response
responseSignal = 0.0
for i in range(signal.GetEntries()):
    signal.GetEntry(i)
    responseSignal += reader.EvaluateMVA("PyKeras")
responseSignal /= signal.GetEntries()

responseBackground = 0.0
for i in range(background.GetEntries()):
    background.GetEntry(i)
    responseBackground += reader.EvaluateMVA("PyKeras")
responseBackground /= background.GetEntries()

print(f"Average response on signal: {responseSignal}")
print(f"Average response on background: {responseBackground}")

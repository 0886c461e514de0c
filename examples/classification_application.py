"""TMVAClassificationApplication: the trained methods of classification.py, applied event by event and to whole trees."""

import sys
from array import array

from mvakit.compat.ROOT import TMVA, TFile

path = sys.argv[1] if len(sys.argv) > 1 else "tmva_class_example.root"

reader = TMVA.Reader("!Color:Silent")
myvar1, myvar2, var3, var4 = (array("f", [0.0]) for _ in range(4))
reader.AddVariable("myvar1 := var1+var2", myvar1)
reader.AddVariable("myvar2 := var1-var2", myvar2)
reader.AddVariable("var3", var3)
reader.AddVariable("var4", var4)
spec1, spec2 = array("f", [0.0]), array("f", [0.0])
reader.AddSpectator("spec1 := var1*2", spec1)
reader.AddSpectator("spec2 := var1*3", spec2)

methods = ["Fisher", "LD", "BDTG"]
for title in methods:
    reader.BookMVA(title, f"dataset/weights/TMVAClassification_{title}.weights.xml")

tree = TFile.Open(path).Get("TreeS")
for entry, event in enumerate(tree):
    myvar1[0], myvar2[0] = event.var1 + event.var2, event.var1 - event.var2
    var3[0], var4[0] = event.var3, event.var4
    print(entry, *(f"{title}={reader.EvaluateMVA(title):+.4f}" for title in methods))
    if entry == 4:
        break

# The same in one go: the formulae are evaluated on the tree.
for title in methods:
    model = TMVA.RReader(f"dataset/weights/TMVAClassification_{title}.weights.xml")
    print(title, model.GetVariableNames(), "mean response on signal:", model.Compute(f"{path}:TreeS").mean())

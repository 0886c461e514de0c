"""TMVAClassification: signal against background, as in TMVA's first tutorial.

Usage: python examples/classification.py [tmva_class_example.root]
Without a file a toy sample with the same trees is made.
"""

import sys

from mvakit.compat.ROOT import TMVA, TFile, TCut
from mvakit.demo import write_toy

path = sys.argv[1] if len(sys.argv) > 1 else "tmva_class_example.root"
if len(sys.argv) < 2:
    write_toy(path, 6000)

output = TFile.Open("TMVA.root", "RECREATE")
factory = TMVA.Factory("TMVAClassification", output,
                       "!V:!Silent:Color:DrawProgressBar:Transformations=I;D;P;G,D:AnalysisType=Classification")

loader = TMVA.DataLoader("dataset")
loader.AddVariable("myvar1 := var1+var2", "F")
loader.AddVariable("myvar2 := var1-var2", "Expression 2", "", "F")
loader.AddVariable("var3", "Variable 3", "units", "F")
loader.AddVariable("var4", "Variable 4", "units", "F")
loader.AddSpectator("spec1 := var1*2", "Spectator 1", "units")
loader.AddSpectator("spec2 := var1*3", "Spectator 2", "units")

data = TFile.Open(path)
loader.AddSignalTree(data.Get("TreeS"), 1.0)
loader.AddBackgroundTree(data.Get("TreeB"), 1.0)
loader.SetBackgroundWeightExpression("weight")
mycuts = TCut("")
loader.PrepareTrainingAndTestTree(mycuts, mycuts, "nTrain_Signal=1000:nTrain_Background=1000:SplitMode=Random:NormMode=NumEvents:!V")

factory.BookMethod(loader, TMVA.Types.kFisher, "Fisher", "H:!V:Fisher:VarTransform=None")
factory.BookMethod(loader, TMVA.Types.kFisher, "FisherG", "H:!V:VarTransform=Gauss")
factory.BookMethod(loader, TMVA.Types.kLD, "LD", "H:!V:VarTransform=None")
factory.BookMethod(loader, TMVA.Types.kBDT, "BDTG",
                   "!H:!V:NTrees=1000:MinNodeSize=2.5%:BoostType=Grad:Shrinkage=0.10:UseBaggedBoost:BaggedSampleFraction=0.5:nCuts=20:MaxDepth=2")
factory.BookMethod(loader, TMVA.Types.kBDT, "BDT",
                   "!H:!V:NTrees=850:MinNodeSize=2.5%:MaxDepth=3:BoostType=AdaBoost:AdaBoostBeta=0.5:UseBaggedBoost:BaggedSampleFraction=0.5:SeparationType=GiniIndex:nCuts=20")
factory.BookMethod(loader, TMVA.Types.kBDT, "BDTD",
                   "!H:!V:NTrees=400:MinNodeSize=5%:MaxDepth=3:BoostType=AdaBoost:SeparationType=GiniIndex:nCuts=20:VarTransform=Decorrelate")

factory.TrainAllMethods()
factory.TestAllMethods()
factory.EvaluateAllMethods()
output.Close()

print("ROC integral of BDTG:", factory.GetROCIntegral(loader, "BDTG"))

"""HIGGS, shallow against deep: the ROC curves of Baldi, Sadowski and Whiteson (Nature Communications 5, 4308).

Usage: python examples/higgs.py [Higgs_data.root] [epochs]
The file has the trees sig_tree and bkg_tree. Without one, events are made that have masses alike in signal and background
one by one, and a decay chain that ties them together in signal. Draws the curves into higgs_roc.png.
"""

import sys
from pathlib import Path

import numpy as np
import uproot
from keras import Input, Sequential
from keras.layers import Dense, Dropout
from keras.optimizers import Adam
from keras.utils import set_random_seed

from mvakit import DataLoader, Factory

path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("Higgs_toy.root")
epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 30

LOW = ("lepton_pT", "lepton_eta", "lepton_phi", "missing_energy_magnitude", "missing_energy_phi", "jet1_pt", "jet1_eta",
       "jet1_phi", "jet1_b-tag", "jet2_pt", "jet2_eta", "jet2_phi", "jet2_b-tag", "jet3_pt", "jet3_eta", "jet3_phi",
       "jet3_b-tag", "jet4_pt", "jet4_eta", "jet4_phi", "jet4_b-tag")
HIGH = ("m_jj", "m_jjj", "m_lv", "m_jlv", "m_bb", "m_wbb", "m_wwbb")


def toy(n: int, *, signal: bool, seed: int) -> dict[str, np.ndarray]:
    """Seven masses, each spread alike in both classes; in signal three of them come from one chain."""
    random = np.random.default_rng(seed)
    x = random.gamma(9.0, 0.11, (n, len(HIGH)))
    if signal:
        common = random.normal(size=n)
        for i, sign in ((4, 1), (5, 1), (6, -1)):
            x[:, i] = 1 + 0.33 * (0.6 * common * sign + 0.8 * random.normal(size=n))
        x[:, 0] = np.where(np.abs(common) < 0.7, 1 + 0.1 * random.normal(size=n), x[:, 0])
    return {name: x[:, i].astype(np.float32) for i, name in enumerate(HIGH)}


if len(sys.argv) < 2:
    with uproot.recreate(path) as file:
        for name, is_signal in (("sig_tree", True), ("bkg_tree", False)):
            file[name] = toy(10_000, signal=is_signal, seed=int(is_signal))

with uproot.open(path) as file:
    there = set(file["sig_tree"].keys())
    wanted = [name for name in (*LOW, *HIGH) if name in there]
    # In a formula "b-tag" would be a difference.
    signal, background = ({name.replace("-", ""): file[tree][name].array(library="np") for name in wanted}
                          for tree in ("sig_tree", "bkg_tree"))
names = list(signal)
events = min(len(signal[names[0]]), len(background[names[0]]))

factory = Factory("HIGGS", "HIGGS.root", "!V:Silent:AnalysisType=Classification")
loader = DataLoader("higgs")
for name in names:
    loader.AddVariable(name, "F")
loader.AddSignalTree(signal)
loader.AddBackgroundTree(background)
train = events * 7 // 10
loader.PrepareTrainingAndTestTree("", f"nTrain_Signal={train}:nTrain_Background={train}:SplitMode=Random:NormMode=NumEvents:!V")

networks = {
    "shallow": [Dense(64, activation="tanh")],
    "deep": [layer for _ in range(3) for layer in (Dense(128, activation="relu"), Dropout(0.2))],
}
for title, hidden in networks.items():
    set_random_seed(1)
    model = Sequential([Input((len(names),)), *hidden, Dense(1, activation="sigmoid")])
    model.compile(loss="binary_crossentropy", optimizer=Adam(0.001), weighted_metrics=["AUC"])
    factory.BookMethod(loader, "PyKeras", title,
                       f"VarTransform=G:NumEpochs={epochs}:BatchSize=128:TriesEarlyStopping=15:Verbose=0", Model=model)
factory.BookMethod(loader, "Fisher", "Fisher", "H:!V:Fisher")
factory.TrainAllMethods()
factory.TestAllMethods()
factory.EvaluateAllMethods()

for title in ("shallow", "deep", "Fisher"):
    print(f"area under the ROC curve, {title}: {factory.GetROCIntegral(loader, title):.4f}")
factory.GetROCCurve(loader).figure.savefig("higgs_roc.png", dpi=120)

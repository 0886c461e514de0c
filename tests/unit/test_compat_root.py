"""The ROOT-shaped names."""

from __future__ import annotations

import ctypes
from array import array
from pathlib import Path

import numpy as np
import pytest

import mvakit
from mvakit.compat.ROOT import TMVA, TChain, TCut, TFile, TString
from mvakit.errors import DataError, SourceError


@pytest.fixture
def path(toy: Path) -> str:
    return str(toy / "toy_classification.root")


def test_the_namespace_hands_over_the_real_things() -> None:
    assert TMVA.Factory is mvakit.Factory
    assert mvakit.TMVA.DataLoader is mvakit.DataLoader
    assert TMVA.Experimental.RReader is mvakit.RReader
    assert TMVA.Types.kBDT == "BDT"
    TMVA.Tools.Instance()
    TMVA.PyMethodBase.PyInitialize()
    assert TMVA.PyMethodBase.PyIsInitialized()
    assert "Reader" in dir(TMVA)
    with pytest.raises(AttributeError, match="did you mean 'Factory'"):
        _ = TMVA.Fctory
    with pytest.raises(AttributeError, match="RReader"):
        _ = TMVA.Experimental.RBDT


def test_cuts_are_joined_as_in_root() -> None:
    cut = TCut("a>0") + TCut("b<1")
    assert cut == "(a>0)&&(b<1)"
    assert TCut("") + "b<1" == "(b<1)"
    assert "c" + TCut("a>0") == "(c)&&(a>0)"
    assert (TCut("a>0") | "b<1") == "(a>0)||(b<1)"
    assert (TCut("a>0") & "b<1") == "(a>0)&&(b<1)"
    assert TCut("a>0") * "w" == "(a>0)*(w)"
    assert ~TCut("a>0") == "!(a>0)"
    assert TCut("name", "a>0").GetTitle() == "a>0"
    assert TCut() == ""


def test_strings() -> None:
    text = TString("weights.xml")
    assert (text.Data(), text.Length(), text.Contains(".xml")) == ("weights.xml", 11, True)


def test_a_tree_is_walked_into_buffers(path: str) -> None:
    tree = TFile.Open(path).Get("TreeS")
    names = [branch.GetName() for branch in tree.GetListOfBranches()]
    assert names[:4] == ["var1", "var2", "var3", "var4"]
    assert tree.GetEntries() == len(tree) == 3000
    assert tree.GetName() == "TreeS"
    var1, event, njet = array("f", [0.0]), ctypes.c_int64(), [0]
    tree.SetBranchAddress("var1", var1)
    tree.SetBranchAddress("event", event)
    tree.SetBranchAddress("njet", njet)
    import uproot

    with uproot.open(path) as file:
        columns = file["TreeS"].arrays(["var1", "event", "njet"], library="np")
    for entry in (0, 17, 2999):
        assert tree.GetEntry(entry) > 0
        assert var1[0] == columns["var1"][entry]
        assert event.value == columns["event"][entry] >= 10**10
        assert njet[0] == columns["njet"][entry]
    assert tree.GetEntry(3000) == 0
    assert tree.GetEntry(-1) == 0
    tree.ResetBranchAddresses()
    assert tree.GetEntry(0) > 0
    assert var1[0] == columns["var1"][2999]


def test_a_tree_is_looped_over(path: str) -> None:
    file = TFile(path)
    total = 0.0
    for i, event in enumerate(file.TreeB):
        total += event.var1 + event.njet
        if i == 9:
            break
    import uproot

    with uproot.open(path) as opened:
        columns = opened["TreeB"].arrays(["var1", "njet"], entry_stop=10, library="np")
    assert total == pytest.approx(float(columns["var1"].sum() + columns["njet"].sum()), rel=1e-6)


def test_entries_that_pass_a_selection(path: str) -> None:
    tree = TFile(path).Get("TreeS")
    import uproot

    with uproot.open(path) as opened:
        var1 = opened["TreeS"]["var1"].array(library="np")
    assert tree.GetEntries("var1 > 0.5") == np.count_nonzero(var1 > 0.5)


def test_vectors_go_into_buffers_with_room(tmp_path: Path) -> None:
    import awkward as ak
    import uproot

    with uproot.recreate(tmp_path / "v.root") as file:
        file.mktree("T", {"pt": "var * float32"}).extend({"pt": ak.Array([[1.0, 2.0], [3.0]])})
    tree = TFile(tmp_path / "v.root").Get("T")
    pt = array("f", [0.0] * 2)
    tree.SetBranchAddress("pt", pt)
    tree.GetEntry(0)
    assert list(pt) == [1.0, 2.0]
    tree.SetBranchAddress("pt", array("f", [0.0]))
    with pytest.raises(DataError, match="has 2 elements; its buffer has room for 1"):
        tree.GetEntry(0)


def test_what_is_missing_is_named(path: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no file 'none.root'"):
        TFile.Open("none.root")
    with pytest.raises(SourceError, match="TreeS"):
        TFile(path).Get("TreeX")
    tree = TFile(path).Get("TreeS")
    with pytest.raises(SourceError, match="did you mean 'var1'"):
        tree.SetBranchAddress("vra1", array("f", [0.0]))
    with pytest.raises(DataError, match="one-element buffer"):
        tree.SetBranchAddress("var1", 3.0)
    with pytest.raises(AttributeError, match="before GetEntry"):
        _ = tree.var1
    with pytest.raises(AttributeError, match="no branch 'Drw'"):
        tree.Drw("var1")
    with pytest.raises(AttributeError):
        _ = TFile(path).TreeX
    assert tree.GetBranch("var1").GetName() == "var1"  # type: ignore[union-attr]
    assert tree.GetBranch("nothing") is None
    assert "3000 entries" in repr(tree)


def test_files_for_results(tmp_path: Path) -> None:
    target = tmp_path / "new.root"
    with TFile.Open(target, "RECREATE") as file:
        assert file.mvakit_path == str(target)
        assert file.IsOpen()
        assert not file.IsZombie()
        assert file.cd()
        assert file.Write() == 0
        assert file.GetName() == str(target)
    assert not target.exists()  # a Factory writes it
    target.write_bytes(b"")
    with pytest.raises(SourceError, match="exists already"):
        TFile(target, "NEW")
    with pytest.raises(SourceError, match="not to 'append'"):
        TFile(target, "append")


def test_chains(path: str, tmp_path: Path) -> None:
    import shutil

    for name in ("a", "b"):
        shutil.copy(path, tmp_path / f"{name}.root")
    chain = TChain("TreeS")
    with pytest.raises(SourceError, match="has no files: call Add"):
        chain.GetEntries()
    assert chain.Add(f"{tmp_path}/a.root") == 1
    chain.Add(f"{tmp_path}/b.root/TreeB")
    chain.AddFile(f"{tmp_path}/b.root:TreeS")
    assert (chain.GetName(), chain.GetNtrees(), chain.GetEntries()) == ("TreeS", 3, 9000)
    var1 = array("f", [0.0])
    chain.SetBranchAddress("var1", var1)
    chain.GetEntry(6001)
    second = var1[0]
    chain.GetEntry(1)
    assert var1[0] == second
    several = TChain("TreeS")
    several.Add(f"{tmp_path}/*.root")
    assert several.GetEntries() == 6000
    loader = mvakit.DataLoader("d")
    loader.AddVariable("var1")
    loader.AddSignalTree(several)
    loader.AddBackgroundTree(f"{path}:TreeB")
    assert loader.prepare().counts[0].n_input == 6000

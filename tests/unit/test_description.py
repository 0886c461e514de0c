"""What a weight file is, in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mvakit.description import describe
from mvakit.errors import WeightFileError


def test_a_forest_of_tmva_s(toy: Path) -> None:
    found = describe(toy / "class" / "weights" / "Toy_BDTG.weights.xml")
    assert (found.method, found.title, found.analysis) == ("BDT", "BDTG", "Classification")
    assert found.classes == ("Signal", "Background")
    options = {option.name: option for option in found.options}
    assert (options["BoostType"].value, options["BoostType"].default) == ("Grad", "AdaBoost")
    assert "V" not in options  # it was set, to its default
    assert found.n_options > 30
    assert [v.expression for v in found.variables] == ["var1+var2", "var1-var2", "var3", "var4"]
    assert (found.variables[1].minimum, found.variables[1].maximum) == (-5.99214268, 3.89347839)
    assert found.training["TMVA Release"] == "4.2.1 [262657]"
    assert found.training["Training events"] == "2500"
    assert found.elements["BinaryTree"] == int(found.weights["NTrees"])
    assert found.elements["Node"] > found.elements["BinaryTree"]
    assert found.obstacle is None
    assert not found.has_pdfs
    assert found.needs[0] == "4 variables, in this order: sum := var1+var2, diff := var1-var2, var3, var4"
    assert found.needs[1].startswith("TMVA's Reader wants the spectators eta, njet")
    assert json.loads(json.dumps(found.to_dict()))["title"] == "BDTG"


def test_what_it_is_made_of(toy: Path, reference: Path) -> None:
    boost = describe(reference / "toy" / "class" / "weights" / "Toy_BoostedFisher.weights.xml")
    assert [part.title for part in boost.parts] == [f"BoostedFisher_B000{i}" for i in range(5)]
    assert boost.elements == {"Method": 5}
    assert describe(toy / "class" / "weights" / "Toy_FisherGD.weights.xml").transformations == (
        "Gauss",
        "Decorrelation",
    )
    assert describe(toy / "class" / "weights" / "Toy_Fisher.weights.xml").has_pdfs


def test_a_category_depends_on_spectators(reference: Path) -> None:
    found = describe(reference / "toy" / "cat" / "weights" / "ToyCat_FisherCat.weights.xml")
    assert [(p.method, p.says) for p in found.parts] == [
        ("Fisher", "where abs(eta)<=1.3: sum, diff, var3, var4"),
        ("Fisher", "where abs(eta)>1.3: sum, diff, var4"),
    ]
    assert "the spectators eta, njet, on which the response depends" in found.needs


def test_files_that_cannot_be_applied_are_described_all_the_same(toy: Path, tmp_path: Path) -> None:
    text = (toy / "class" / "weights" / "Toy_BDT.weights.xml").read_text()
    path = tmp_path / "x.weights.xml"
    path.write_text(text.replace('"BDT::BDT"', '"C50::Mine"'))
    found = describe(path)
    assert (found.method, found.title) == ("C50", "Mine")
    assert "this method is not here" in found.obstacle
    assert found.options[0].default is None
    path.write_text(text.replace('nType="0"', 'nType="7"', 1))
    assert "nType='7'" in describe(path).obstacle
    path.write_text(text[:3000])
    with pytest.raises(WeightFileError, match="is not a whole XML file"):
        describe(path)


def test_what_lies_beside_it(tmp_path: Path) -> None:
    fold = (
        '<MethodSetup Method="Fisher::F"><Options/><Variables NVar="1"><Variable Expression="x"/></Variables>'
        '<Weights NCoeff="2"><Coefficient Index="0" Value="0"/><Coefficient Index="1" Value="1"/></Weights></MethodSetup>'
    )
    (tmp_path / "J_F_fold1.weights.xml").write_text(fold)
    whole = fold[: fold.index("<Weights")].replace("Fisher", "CrossValidation") + (
        '<Weights JobName="J" SplitExpr="" NumFolds="1" EncapsulatedMethodName="F" EncapsulatedMethodTypeName="Fisher" '
        'OutputEnsembling="Avg"/></MethodSetup>'
    )
    (tmp_path / "J_F.weights.xml").write_text(whole)
    found = describe(tmp_path / "J_F.weights.xml")
    assert found.obstacle is None
    assert found.beside == ("J_F_fold1.weights.xml",)
    assert "beside it, in the same folder: J_F_fold1.weights.xml" in found.needs

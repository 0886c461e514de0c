"""Weight files in forms that experiments keep them in, each as small as it can be."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from mvakit import weightbytes
from mvakit.errors import WeightFileError
from mvakit.model import Model
from mvakit.transformations.grammar import Step
from mvakit.transformations.rearrange import Rearrange

INFO = '<GeneralInfo><Info name="TMVA Release" value="{release}"/><Info name="AnalysisType" value="Classification"/></GeneralInfo>'
VARIABLES = (
    '<Variables NVar="2"><Variable Expression="x" Label="x" Type="F" Min="0" Max="4"/>'
    '<Variable Expression="y" Label="y" Type="F" Min="0" Max="4"/></Variables>'
)
CLASSES = '<Classes NClass="2"><Class Name="Signal" Index="0"/><Class Name="Background" Index="1"/></Classes>'
FISHER = (
    '<Weights NCoeff="3"><Coefficient Index="0" Value="1"/><Coefficient Index="1" Value="10"/>'
    '<Coefficient Index="2" Value="100"/></Weights>'
)
NORMALIZE = '<Transform Name="Normalize">{selection}{classes}</Transform>'
SELECTION = (
    '<Selection><Input NInputs="2">{inputs}</Input><Output NOutputs="2"><Output Type="Variable" Label="x" Expression="x"/>'
    '<Output Type="Variable" Label="y" Expression="y"/></Output></Selection>'
)


def selection(*labels: str) -> str:
    return SELECTION.format(inputs="".join(f'<Input Type="Variable" Label="{a}" Expression="{a}"/>' for a in labels))


def sections(
    options: str = "", transformations: str = "", weights: str = FISHER, release: str = "4.2.1 [262657]"
) -> str:
    n = transformations.count("<Transform ")
    return (
        f"{INFO.format(release=release)}<Options>{options}</Options>{VARIABLES}{CLASSES}"
        f'<Transformations NTransformations="{n}">{transformations}</Transformations><MVAPdfs/>{weights}'
    )


def document(inside: str, method: str = "Fisher::F") -> str:
    return f'<?xml version="1.0"?>\n<MethodSetup Method="{method}">{inside}</MethodSetup>\n'


def saved(folder: Path, text: str | bytes, name: str = "F.weights.xml") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


X = np.array([[1, 2], [3, 0.5]])
ANSWERS = [211, 81]


# ------------------------------------------------------------------------------------------------- the bytes


@pytest.mark.parametrize("before", ["\n", "   ", "\r\n\t\n"])
def test_empty_lines_before_the_declaration(tmp_path: Path, before: str) -> None:
    model = Model.load(saved(tmp_path, before + document(sections())))
    assert model.predict(X).tolist() == ANSWERS


def test_more_empty_lines_than_a_piece_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weightbytes, "_PIECE", 5)
    path = saved(tmp_path, " " * 23 + document(sections()))
    assert Model.load(path).predict(X).tolist() == ANSWERS


def test_blanks_within_a_text_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weightbytes, "_PIECE", 1)
    name = '<Option name="a" modified="No">b  c</Option>'
    assert Model.load(saved(tmp_path, document(sections(name)))).other_options == (("a", False, "b  c"),)


def test_a_file_that_gzip_has_compressed(tmp_path: Path) -> None:
    path = saved(tmp_path, gzip.compress(document(sections()).encode()), "F.weights.xml.gz")
    model = Model.load(path)
    assert model.predict(X).tolist() == ANSWERS
    assert Model.load(model.save(tmp_path / "again.weights.xml")) == model


def test_damaged_and_hostile_archives_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = gzip.compress(document(sections()).encode())
    middle = len(whole) // 2
    for data in (
        whole[:middle],
        whole[:middle] + b"\xff" * 40 + whole[middle + 40 :],
        whole[:-8] + b"\0" * 8,
        whole[:2],
    ):
        with pytest.raises(WeightFileError, match="cannot be unpacked"):
            Model.load(saved(tmp_path, data, "F.weights.xml.gz"))
    monkeypatch.setattr(weightbytes, "MAX_BYTES", 100_000)
    monkeypatch.setattr(weightbytes, "_PIECE", 1000)
    bomb = saved(tmp_path, gzip.compress(b" " * 10_000_000), "F.weights.xml.gz")
    with pytest.raises(WeightFileError, match="when it is unpacked"):
        Model.load(bomb)


def test_a_text_file_of_tmva_3_is_called_by_its_name(tmp_path: Path) -> None:
    text = "#GEN -*-*-*-*-*-*-*-*-*-*-*- general info -*-*-*-*-*-*-*-*-*-*-*-\n\nMethod         : MLP::MLP\n"
    with pytest.raises(WeightFileError, match="is a text file, as TMVA wrote before 4.0"):
        Model.load(saved(tmp_path, text, "MLP.weights.txt"))


# ---------------------------------------------------------------------------------------------- the sections


@pytest.mark.parametrize("text", ["None", "none", ""])
def test_a_number_that_is_none_stays_in_the_file(tmp_path: Path, text: str) -> None:
    """Converters of forests from other libraries write it, and TMVA's Reader takes it."""
    tree = (
        '<Weights NTrees="1" AnalysisType="0"><BinaryTree boostWeight="1" itree="0">'
        '<Node pos="s" depth="0" NCoef="0" IVar="-1" Cut="0" cType="1" res="0" rms="0" purity="1" nType="1"/>'
        "</BinaryTree></Weights>"
    )
    options = f'<Option name="BoostType" modified="Yes">AdaBoost</Option><Option name="UseNvars" modified="Yes">{text}</Option>'
    model = Model.load(saved(tmp_path, document(sections(options, weights=tree), "BDT::B")))
    assert model.predict(X).tolist() == [1, 1]
    assert ("UseNvars", True, text) in model.other_options
    again = model.save(tmp_path / "again.weights.xml")
    assert again.read_text().count('"UseNvars"') == 1
    assert Model.load(again) == model


def test_a_choice_that_is_none_is_still_an_error(tmp_path: Path) -> None:
    options = '<Option name="Method" modified="Yes">None</Option>'
    with pytest.raises(WeightFileError, match="'Method' of Fisher.*'None'"):
        Model.load(saved(tmp_path, document(sections(options))))


@pytest.mark.parametrize("name", ["Normalize", "Gauss"])
def test_a_model_that_was_applied_equals_its_file(tmp_path: Path, name: str) -> None:
    """What a chain keeps from its first application is no part of the model."""
    if name == "Normalize":
        ranges = '<Ranges><Range Index="0" Min="0" Max="4"/><Range Index="1" Min="0" Max="2"/></Ranges>'
        classes = "".join(f'<Class ClassIndex="{i}">{ranges}</Class>' for i in range(3))
        transform = NORMALIZE.format(selection=selection("x", "y"), classes=classes)
    else:
        pdf = (
            '<CumulativePDF_cls{i} ClassIndex="{i}"><PDF Name="C" MinNSmooth="0" MaxNSmooth="0" InterpolMethod="1" KDE_type="0" '
            'KDE_iter="1" KDE_border="0" KDE_finefactor="0"><Histogram Name="h" NBins="2" XMin="0" XMax="4" HasEquidistantBins="1">'
            "0.25 1</Histogram></PDF></CumulativePDF_cls{i}>"
        )
        variables = "".join(
            f'<Variable Name="{label}" VarIndex="{k}">{"".join(pdf.format(i=i) for i in range(3))}</Variable>'
            for k, label in enumerate("xy")
        )
        transform = f'<Transform Name="Gauss" FlatOrGauss="Gauss">{selection("x", "y")}{variables}</Transform>'
    path = saved(tmp_path, document(sections(transformations=transform)))
    model, untouched = Model.load(path), Model.load(path)
    model.predict(X)
    assert model == untouched
    assert model == Model.load(model.save(tmp_path / "again.weights.xml"))


REARRANGE = '<Transform Name="Rearrange">{}</Transform>'


def test_variables_may_be_rearranged(tmp_path: Path) -> None:
    plain = Model.load(saved(tmp_path, document(sections(transformations=REARRANGE.format(selection("x", "y"))))))
    assert plain.predict(X).tolist() == ANSWERS
    assert plain.chain.suffix == "Rearrange"
    turned = Model.load(saved(tmp_path, document(sections(transformations=REARRANGE.format(selection("y", "x"))))))
    assert turned.predict(X).tolist() == [121, 306]
    path = turned.save(tmp_path / "again.weights.xml")
    assert '<Transform Name="Rearrange">' in path.read_text()
    assert Model.load(path) == turned
    chain = turned.chain
    assert chain.steps[0].invert(X.astype(np.float32), np.arange(2), 0).tolist() == X.tolist()


def test_the_models_of_a_category_rearrange_their_variables(tmp_path: Path) -> None:
    """TMVA 4.1 writes it into each of them, with the variables in the order that the category names."""
    inner = sections(transformations=REARRANGE.format(selection("x", "y")))
    regions = "".join(
        f'<SubMethod Index="{i}" Method="Fisher::F{i}" Cut="{cut}" Variables="x:y">{inner}</SubMethod>'
        for i, cut in enumerate(("x &lt; 2", "x &gt;= 2"))
    )
    weights = f'<Weights NSubMethods="2">{regions}</Weights>'
    model = Model.load(saved(tmp_path, document(sections(weights=weights), "Category::C")))
    assert model.predict(X).tolist() == ANSWERS
    assert Model.load(model.save(tmp_path / "again.weights.xml")) == model


def test_a_rearrangement_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightFileError, match="lacks its <Selection>"):
        Model.load(saved(tmp_path, document(sections(transformations='<Transform Name="Rearrange"/>'))))
    with pytest.raises(Exception, match="in weight files only"):
        Rearrange.fit(Step("R", "Rearrange", Model.load(saved(tmp_path, document(sections()))).chain.columns), None)


# ----------------------------------------------------------------------------------------------- the methods


def old_node(side: str, kind: int, inside: str = "", s: int = 3, b: int = 1) -> str:
    variable, cut = (0, 2) if kind == 0 else (-1, 0)
    return (
        f'<Node Cut="{cut}" IVar="{variable}" b="{b}" buw="{b}" cType="1" depth="0" nEv="{s + b}" nEvuw="{s + b}" nType="{kind}" '
        f'pos="{side}" s="{s}" sepG="-1" sepI="-1" seq="0" suw="{s}">{inside}</Node>'
    )


def old_forest(release: str, options: str = "") -> str:
    """What became of a text file of TMVA 3, whose numbers of analyses were others."""
    root = old_node("s", 0, old_node("l", -1) + old_node("r", 1, s=7))
    weights = f'<Weights AnalysisType="1" NTrees="1"><BinaryTree Type="DecisionTree" boostWeight="2" itree="0">{root}</BinaryTree></Weights>'
    options += '<Option modified="Yes" name="BoostType">AdaBoost</Option>'
    return document(sections(options, weights=weights, release=release), "BDT::BDT")


def test_forests_of_tmva_3(tmp_path: Path) -> None:
    model = Model.load(saved(tmp_path, old_forest("3.8.13 [198669]")))
    # At the cut itself events went left until TMVA 4.2.
    assert model.predict([[1, 0], [2, 0], [3, 0]]).tolist() == [-1, -1, 1]
    assert Model.load(model.save(tmp_path / "again.weights.xml")).predict([[2, 0], [3, 0]]).tolist() == [-1, 1]
    shares = '<Option modified="Yes" name="UseYesNoLeaf">False</Option>'
    model = Model.load(saved(tmp_path, old_forest("3.9.5 [198917]", shares)))
    assert model.predict([[1, 0], [3, 0]]).tolist() == [0.75, 0.875]


def test_the_number_of_the_analysis_counts_since_tmva_4(tmp_path: Path) -> None:
    for release in ("4.0.0 [262144]", "unknown"):
        with pytest.raises(WeightFileError, match="AnalysisType='1'> does not go with"):
            Model.load(saved(tmp_path, old_forest(release)))


def test_a_keras_file_of_tmva_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    """TMVA's files of PyKeras have no weights; the network is where an option says."""
    options = '<Option name="FilenameTrainedModel" modified="No">dataset/weights/TrainedModel_K.h5</Option>'
    text = document(sections(options, weights=""), "PyKeras::K")
    with pytest.raises(WeightFileError, match=re.escape("TMVA's but in 'dataset/weights/TrainedModel_K.h5'")):
        Model.load(saved(tmp_path, text))

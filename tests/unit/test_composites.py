"""Models within models: Category, Boost and CrossValidation, read, applied, written, and refused where they are damaged."""

from __future__ import annotations

import math
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from mvakit.errors import DataError, MethodError, MvakitWarning, WeightFileError
from mvakit.model import Model
from mvakit.reader import Reader, RReader

HEAD = (
    '<GeneralInfo><Info name="TMVA Release" value="{release}"/><Info name="AnalysisType" value="{analysis}"/></GeneralInfo>'
    "<Options>{options}</Options>"
    '<Variables NVar="{n}">{variables}</Variables><Spectators NSpec="{n_spectators}">{spectators}</Spectators>'
    '<Classes NClass="{n_classes}">{classes}</Classes>{targets}<Transformations NTransformations="0"/><MVAPdfs/>'
)


def sections(
    variables: str = "x y",
    spectators: str = "",
    options: str = "",
    analysis: str = "Classification",
    release: str = "4.2.1 [262657]",
    n_classes: int = 2,
    targets: str = "",
) -> str:
    """Everything that comes before ``<Weights>``; a variable is ``label`` or ``label:=expression``."""

    def entries(names: str, tag: str) -> str:
        return "".join(
            f'<{tag} Expression="{name.split(":=")[-1]}" Label="{name.split(":=")[0]}" Type="F"/>'
            for name in names.split()
        )

    return HEAD.format(
        release=release,
        analysis=analysis,
        options="".join(
            f'<Option name="{o.split("=")[0]}" modified="Yes">{o.split("=")[1]}</Option>' for o in options.split()
        ),
        n=len(variables.split()),
        variables=entries(variables, "Variable"),
        n_spectators=len(spectators.split()),
        spectators=entries(spectators, "Spectator"),
        n_classes=n_classes,
        classes="".join(f'<Class Name="c{i}" Index="{i}"/>' for i in range(n_classes)),
        targets=f'<Targets NTrgt="{len(targets.split())}">{entries(targets, "Target")}</Targets>' if targets else "",
    )


def fisher(*coefficients: float) -> str:
    items = "".join(f'<Coefficient Index="{i}" Value="{c!r}"/>' for i, c in enumerate(coefficients))
    return f'<Weights NCoeff="{len(coefficients)}">{items}</Weights>'


def region(cut: str, names: str, variables: str, *coefficients: float, method: str = "Fisher", **about: str) -> str:
    cut = cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return (
        f'<SubMethod Index="0" Method="{method}::Part" Cut="{cut}" Variables="{names}">'
        f"{sections(variables, **about)}{fisher(*coefficients)}</SubMethod>"
    )


def category(
    *regions: str, count: int | None = None, variables: str = "x y", spectators: str = "s", **about: str
) -> str:
    return (
        f'<MethodSetup Method="Category::Cat">{sections(variables, spectators, **about)}'
        f'<Weights NSubMethods="{len(regions) if count is None else count}">{"".join(regions)}</Weights></MethodSetup>'
    )


def saved(folder: Path, text: str, name: str = "Job_C.weights.xml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


LEFT = region("s <= 1.5", "x:y", "x y", 0.5, 1.0, 10.0)
RIGHT = region("s > 1.5", "y", "y", 0.25, 3.0)
X = np.array([[1, 2], [3, 4], [5, 6], [7, 8]], np.float32)
S = np.array([[0.0], [2.0], [1.5], [-1.0]])


# ---------------------------------------------------------------------------------------------- category


def test_an_event_is_answered_by_its_category(tmp_path: Path) -> None:
    model = Model.load(saved(tmp_path, category(LEFT, RIGHT)))
    np.testing.assert_array_equal(model.predict(X, S), [21.5, 12.25, 65.5, 87.5])
    # Spectators are single precision to TMVA: this is 1.5 to it.
    np.testing.assert_array_equal(model.predict(X[:1], [[1.5 + 1e-9]]), [21.5])
    with pytest.raises(DataError, match="needs the spectators s"):
        model.predict(X)
    reader, x, y, s = Reader("Silent"), [1.0], [2.0], [0.0]
    for name, buffer in (("x", x), ("y", y)):
        reader.AddVariable(name, buffer)
    with pytest.raises(DataError, match="needs the spectator 's'"):
        reader.BookMVA("early", tmp_path / "Job_C.weights.xml")
    reader.AddSpectator("s", s)
    reader.BookMVA("C", tmp_path / "Job_C.weights.xml")
    assert reader.EvaluateMVA("C") == 21.5
    s[0] = 7
    assert reader.EvaluateMVA("C") == 6.25
    assert RReader(tmp_path / "Job_C.weights.xml").Compute(np.concatenate([X, S], axis=1))[3] == 87.5


def test_cuts_on_variables_and_variables_of_other_names(tmp_path: Path) -> None:
    """Variables are found by their labels; those of a category may be spectators of the whole."""
    text = category(
        region("sum < 5 && abs(t) < 9", "t:sum", "t sum:=x+y", 0.0, 1.0, 100.0),
        region("sum >= 5", "", "sum:=x+y y", 0.0, 1.0, 0.0),
        variables="sum:=x+y y",
        spectators="s t",
    )
    model = Model.load(saved(tmp_path, text))
    events = np.array([[1, 2], [7, 8]], np.float32)
    np.testing.assert_array_equal(model.predict(events, [[0, 5], [0, 6]]), [105.0, 7.0])
    again = Model.load(model.save(tmp_path / "again.weights.xml"))
    assert again == model
    np.testing.assert_array_equal(again.predict(events, [[0, 5], [0, 6]]), [105.0, 7.0])


def test_events_in_no_category_and_in_several(tmp_path: Path) -> None:
    model = Model.load(saved(tmp_path, category(region("s > 1", "x:y", "x y", 1.0, 1.0, 1.0), RIGHT)))
    with pytest.warns(MvakitWarning, match="2 of 4 events belong to no category; their response is 0"):
        np.testing.assert_array_equal(model.predict(X, [[0.0], [1.2], [1.5], [-1.0]]), [0, 8, 12, 0])
    with pytest.raises(DataError, match=re.escape("the event 1 belongs to several categories")):
        model.predict(X[:2], [[1.2], [2.0]])


def forest(analysis: str, outputs: int, value: float) -> str:
    trees = "".join(
        f'<BinaryTree boostWeight="{value}" itree="{i}"><Node pos="s" IVar="-1" Cut="0" cType="1" res="{i + value}" purity="0" '
        'nType="-99"/></BinaryTree>'
        for i in range(outputs)
    )
    return f'<Weights NTrees="{outputs}" AnalysisType="1">{trees}</Weights>'


@pytest.mark.parametrize(("analysis", "outputs"), [("Multiclass", 3), ("Regression", 1)])
def test_categories_of_forests(tmp_path: Path, analysis: str, outputs: int) -> None:
    """The forests are read while the file is; responses have a column for each class."""
    about = {"analysis": analysis, "n_classes": 3 if outputs == 3 else 1, "targets": "" if outputs == 3 else "t"}
    parts = []
    for cut, value in (("s>0", 1.0), ("s<=0", 2.0)):
        parts.append(
            f'<SubMethod Index="0" Method="BDT::B" Cut="{cut.replace("<", "&lt;").replace(">", "&gt;")}" Variables="x:y">'
            f"{sections(options='BoostType=Grad', **about)}{forest(analysis, outputs, value)}</SubMethod>"
        )
    model = Model.load(saved(tmp_path, category(*parts, **about)))
    found = model.predict(X[:2], [[1.0], [-1.0]])
    if outputs == 3:
        softmax = np.exp([0, 1, 2]) / np.exp([0, 1, 2]).sum()
        np.testing.assert_allclose(found, [softmax, softmax], rtol=1e-12)
    else:
        np.testing.assert_array_equal(found, [2.0, 4.0])
    assert Model.load(model.save(tmp_path / "again.weights.xml")) == model


LATE = (
    f'<SubMethod Index="0" Method="BDT::B" Cut="s==0" Variables="x:y">{sections(options="BoostType=Grad")}'
    f"{forest('Classification', 1, 1.0)}<Options/></SubMethod>"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (category(LEFT, count=2), "NSubMethods='2'> holds 1 <SubMethod>"),
        (category(LEFT, count=10**9), "NSubMethods='1000000000'> should lie between"),
        (category(region("s <", "x:y", "x y", 1.0, 1.0, 1.0)), "the category 's <' of Cat"),
        (category(region("z > 0", "x:y", "x y", 1.0, 1.0, 1.0)), "'z'"),
        (category(LEFT.replace(' Cut="s &lt;= 1.5"', "")), "<SubMethod> lacks the attribute 'Cut'"),
        (
            category(region("s>0", "x:z", "x z", 1.0, 1.0, 1.0)),
            "wants 'z', which is neither a variable nor a spectator",
        ),
        (category(region("s>0", "x", "x y", 1.0, 1.0, 1.0)), "names 1 variables, and its model has 2"),
        (category(region("s>0", "x:y", "x y", 1.0, 1.0)), "should hold 3 coefficients"),
        (
            category(region("s>0", "x:y", "x y", 1.0, 1.0, 1.0, analysis="Multiclass")),
            "its category 's>0' for Multiclass",
        ),
        (
            category(region("x>0", "x:y", "x y", 1.0, 1.0, 1.0), options="VarTransform=N"),
            "that VarTransform has changed",
        ),
        (category(LEFT.replace("<Weights", "<W").replace("</Weights", "</W")), "SubMethod 0 lacks <Weights>"),
        (category(LEFT.replace("Fisher::", "Fischer::")), "did you mean 'Fisher'"),
        (category(LATE), "<Options> comes after <Weights>"),
    ],
)
def test_damaged_categories_are_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises((WeightFileError, MethodError), match=re.escape(said)):
        Model.load(saved(tmp_path, text))


def test_a_category_may_have_its_sections_in_any_order(tmp_path: Path) -> None:
    """Weights that come first become elements; then all is as before."""
    before = sections()
    text = category(LEFT, RIGHT)
    start, weights = text.index("<GeneralInfo>"), text.index("<Weights NSub")
    head, body = text[start:weights], text[weights : -len("</MethodSetup>")]
    moved = text[:start] + body.replace(before, before) + head + "</MethodSetup>"
    model = Model.load(saved(tmp_path, moved))
    assert model == Model.load(saved(tmp_path, text, "usual.weights.xml"))


def test_models_nest_only_so_deep(tmp_path: Path) -> None:
    part = LEFT
    for depth in range(12):
        part = (
            f'<SubMethod Index="0" Method="Category::D{depth}" Cut="s>-9" Variables="x:y">'.replace(">-9", "&gt;-9")
            + f'{sections(spectators="s")}<Weights NSubMethods="1">{part}</Weights></SubMethod>'
        )
        path = saved(tmp_path, category(part))
        if depth < 6:
            np.testing.assert_array_equal(Model.load(path).predict(X[:1], S[:1]), [21.5])
        if depth > 7:
            with pytest.raises(WeightFileError, match="nests models deeper than 8"):
                Model.load(path)


# ------------------------------------------------------------------------------------------------- boost


def boosted(transform: str, *, release: str = "4.2.1 [262657]", orientation: float = 1.0) -> str:
    parts = "".join(
        f'<Method Index="{i}" Weight="{weight!r}" MethodSigCut="{cut!r}" MethodSigCutOrientation="{orientation!r}" '
        f'MethodTypeName="Fisher" MethodName="B_B000{i}" JobName="Job" Options="~H:~!V:~Boost_Num=2:Method=Mahalanobis" '
        f'UseMainMethodTransformation="true">{fisher(*coefficients)}</Method>'
        for i, (weight, cut, coefficients) in enumerate(((0.5, 2.0, (0.0, 1.0, 0.0)), (0.25, -1.0, (1.0, 0.0, -1.0))))
    )
    return (
        f'<MethodSetup Method="Boost::B">{sections(options=f"Boost_Num=2 Boost_Transform={transform}", release=release)}'
        f'<Weights NMethods="2">{parts}</Weights></MethodSetup>'
    )


def responses(x: np.ndarray) -> list[tuple[float, float, float]]:
    return [(0.5, 2.0, float(x[0])), (0.25, -1.0, 1.0 - float(x[1]))]


TRANSFORMS = {
    "linear": lambda value, cut: value,
    "step": lambda value, cut: 1.0 if value > cut else -1.0,
    "log": lambda value, cut: math.log(max(value, cut) - cut + 1 / math.e),
    "gauss": lambda value, cut: math.exp(-((value - cut - 1) ** 2) / 2),
}


@pytest.mark.parametrize("transform", TRANSFORMS)
def test_responses_are_transformed_and_averaged(tmp_path: Path, transform: str) -> None:
    model = Model.load(saved(tmp_path, boosted(transform)))
    expected = [sum(w * TRANSFORMS[transform](r, cut) for w, cut, r in responses(x)) / 0.75 for x in X]
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-12)
    # Before TMVA 4.2.0 they were added up.
    old = Model.load(saved(tmp_path, boosted(transform, release="4.1.2 [262402]"), "old.weights.xml"))
    np.testing.assert_allclose(old.predict(X), np.multiply(expected, 0.75), rtol=1e-12)


def test_the_orientation_of_a_cut(tmp_path: Path) -> None:
    model = Model.load(saved(tmp_path, boosted("step", orientation=-1.0)))
    np.testing.assert_allclose(
        model.predict(X), [sum(w * (1 if r < cut else -1) for w, cut, r in responses(x)) / 0.75 for x in X]
    )


def test_a_boost_is_written_as_it_was_read(tmp_path: Path) -> None:
    path = saved(tmp_path, boosted("log"))
    model = Model.load(path)
    copy = model.save(tmp_path / "again.weights.xml")
    assert Model.load(copy) == model
    theirs, ours = (ET.parse(p).getroot().find("Weights") for p in (path, copy))
    assert [e.tag for e in theirs.iter()] == [e.tag for e in ours.iter()]
    for one, two in zip(theirs.findall("Method"), ours.findall("Method"), strict=True):
        assert one.attrib.keys() == two.attrib.keys()
        for name in one.attrib.keys() - {"Weight", "MethodSigCut", "MethodSigCutOrientation"}:
            assert one.get(name) == two.get(name)
    part = model.state.parts[0].model
    assert part.title == "B_B0000"
    assert part.method.options.method == "Mahalanobis"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('NMethods="2"', 'NMethods="3"', "NMethods='3'> holds 2 <Method>"),
        ('NMethods="2"', 'NMethods="99999999"', "should lie between"),
        ('Weight="0.5"', 'Weight="nan"', "should be a finite number"),
        ("MethodSigCut=", "SigCut=", "lacks the attribute 'MethodSigCut'"),
        ('MethodTypeName="Fisher"', 'MethodTypeName="Fishers"', "did you mean 'Fisher'"),
        ("<Weights NCoeff", "<Other NCoeff", "<Method> lacks <Weights>"),
        ('Index="2" Value="0.0"', 'Index="1" Value="0.0"', "two coefficients"),
    ],
)
def test_damaged_boosts_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = (
        boosted("log").replace(old, new).replace("</Coefficient></Weights></Method>", "</Coefficient></Other></Method>")
    )
    if "<Other" in text:
        text = re.sub(r"(<Other.*?)</Weights>", r"\1</Other>", text)
    with pytest.raises((WeightFileError, MethodError), match=re.escape(said)):
        Model.load(saved(tmp_path, text))


# ---------------------------------------------------------------------------------------------- folds


def folds(
    folder: Path, ensembling: str = "None", split: str = "int(fabs([s]))%int([NumFolds])", spectators: str = "s"
) -> Path:
    for i in range(3):
        text = f'<MethodSetup Method="Fisher::F_fold{i + 1}">{sections(spectators=spectators)}{fisher(float(i), 1.0, 10.0)}'
        saved(folder, text + "</MethodSetup>", f"Job_F_fold{i + 1}.weights.xml")
    weights = (
        f'<Weights JobName="Job" SplitExpr="{split}" NumFolds="3" EncapsulatedMethodName="F" '
        f'EncapsulatedMethodTypeName="Fisher" OutputEnsembling="{ensembling}"/>'
    )
    options = f"OutputEnsembling={ensembling} NumFolds=3"
    text = f'<MethodSetup Method="CrossValidation::F">{sections(spectators=spectators, options=options)}{weights}'
    return saved(folder, text + "</MethodSetup>", "Job_F.weights.xml")


def test_an_event_is_answered_by_the_fold_that_has_not_seen_it(tmp_path: Path) -> None:
    model = Model.load(folds(tmp_path))
    assert model.needs_spectators
    np.testing.assert_array_equal(model.predict(X, [[3], [4], [-5], [0]]), [21, 44, 67, 87])
    assert model.predict(X[:0], np.zeros((0, 1))).shape == (0,)
    with pytest.raises(DataError, match="needs the spectators s"):
        model.predict(X)


def test_folds_are_averaged(tmp_path: Path) -> None:
    model = Model.load(folds(tmp_path, "Avg", split=""))
    assert not model.needs_spectators
    np.testing.assert_array_equal(model.predict(X), [22, 44, 66, 88])
    assert RReader(tmp_path / "Job_F.weights.xml").Compute(X[0])[0] == 22


def test_folds_are_written_beside_the_file(tmp_path: Path) -> None:
    model = Model.load(folds(tmp_path))
    folder = tmp_path / "copy"
    again = Model.load(model.save(folder / "Job_F.weights.xml"))
    assert again == model
    assert {p.name for p in folder.iterdir()} == {
        "Job_F.weights.xml",
        *(f"Job_F_fold{i}.weights.xml" for i in (1, 2, 3)),
    }
    assert Model.load(folder / "Job_F_fold2.weights.xml") == Model.load(tmp_path / "Job_F_fold2.weights.xml")
    shutil.copy(folder / "Job_F_fold1.weights.xml", folder / "Job_F_fold2.weights.xml")
    assert Model.load(folder / "Job_F.weights.xml") != model


def test_a_split_that_is_no_fold(tmp_path: Path) -> None:
    model = Model.load(folds(tmp_path, split="[s]"))
    for value in (3, -1, 0.5, math.inf):
        with pytest.raises(DataError, match=re.escape("for event 1; it should be a whole number from 0 to 2")):
            model.predict(X[:2], [[1], [value]])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"split": ""}, "has neither a SplitExpr"),
        ({"split": "[t]"}, "names 't'; did"),
        ({"split": "[s"}, "SplitExpr=[s of F"),
        ({"ensembling": "Max"}, "takes one of None, Avg"),
    ],
)
def test_combinations_that_cannot_be(tmp_path: Path, change: dict[str, str], said: str) -> None:
    said = "names 't'" if "'t'" in said else said
    with pytest.raises(WeightFileError, match=re.escape(said)):
        Model.load(folds(tmp_path, **change))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            'NumFolds="3"',
            'NumFolds="4"',
            "needs 'Job_F_fold4.weights.xml' beside it, which cannot be read: No such file",
        ),
        ('NumFolds="3"', 'NumFolds="1000000"', "should lie between 1 and 1000"),
        ('JobName="Job"', 'JobName="../Job"', "only a file in the same folder is read"),
        ('TypeName="Fisher"', 'TypeName="LD"', "the fold 1 of F is Fisher for Classification, and should be LD"),
        ('TypeName="Fisher"', 'TypeName="CrossValidation"', "cross-validations themselves"),
        ('OutputEnsembling="None"', 'OutputEnsembling="Max"', "should be None or Avg"),
        ('Expression="y"', 'Expression="z"', "a fold of F has the variable 'y'"),
        (' JobName="Job"', "", "lacks the attribute 'JobName'"),
    ],
)
def test_damaged_combinations_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = folds(tmp_path)
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(WeightFileError, match=re.escape(said)):
        Model.load(path)


def test_files_that_name_each_other_end(tmp_path: Path) -> None:
    path = folds(tmp_path)
    for fold in tmp_path.glob("Job_F_fold*"):
        shutil.copy(path, fold)
    with pytest.raises(WeightFileError, match="nests models deeper than 8|should be Fisher"):
        Model.load(path)


# ---------------------------------------------------------------------------- models that lie elsewhere


@pytest.mark.parametrize(
    ("method", "options", "file"),
    [
        ("PyRandomForest", "", "PyRFModel_P.PyData"),
        ("PyGTB", "FilenameClassifier=weights/mine.PyData", "weights/mine.PyData"),
        ("PyAdaBoost", "NEstimators=10", "PyAdaBoostModel_P.PyData"),
    ],
)
def test_pickles_are_not_opened(tmp_path: Path, method: str, options: str, file: str) -> None:
    """TMVA's Python methods leave no weights in their files."""
    path = saved(tmp_path, f'<MethodSetup Method="{method}::P">{sections(options=options)}</MethodSetup>')
    with pytest.raises(WeightFileError, match=re.escape(f"in {file!r}, of scikit-learn")) as refused:
        Model.load(path)
    assert "train the method BDT on the same events" in str(refused.value)


def test_a_torchscript_is_not_opened(tmp_path: Path) -> None:
    from mvakit_methods.sklearn_files import PyTorch

    path = saved(tmp_path, f'<MethodSetup Method="PyTorch::P">{sections()}</MethodSetup>')
    with pytest.raises(WeightFileError, match=re.escape("in 'TrainedModel_P.pt', of PyTorch")):
        Model.load(path)
    instance = PyTorch(PyTorch.options_type())
    with pytest.raises(MethodError, match="does not open"):
        instance.predict(None, X)
    with pytest.raises(MethodError, match="does not write"):
        instance.write_state(None, ET.Element("Weights"))


def test_methods_that_nobody_offers(tmp_path: Path) -> None:
    path = saved(tmp_path, f'<MethodSetup Method="RXGB::X">{sections()}<Weights/></MethodSetup>')
    with pytest.raises(
        MethodError, match=r"holds 'X', which was trained with RXGB.*train again with a method that is here"
    ):
        Model.load(path)

"""The small rooms of the ground floor: errors, types, variables, files, progress, datasets."""

from __future__ import annotations

import io
import logging
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mvakit.dataset import DataSet, Sample, SampleCounts
from mvakit.errors import DataError, MissingPackageError, MvakitError, did_you_mean, nearest
from mvakit.files import write_files, written_aside
from mvakit.progress import Messenger, progress_bar, show_messages
from mvakit.types import AnalysisType, MethodName, TreeType, Types
from mvakit.variables import define, expand, internal_name, split_definition


def test_nearest_ignores_case_and_keeps_spelling() -> None:
    assert nearest("ntres", ["nCuts", "NTrees"])[0] == "NTrees"
    assert did_you_mean("var_1", ["var1", "eta"]) == "did you mean 'var1'?"
    assert did_you_mean("zzz", ["b", "a"], noun="its branches") == "its branches: a, b."
    assert did_you_mean("zzz", [], noun="branches") == "there are no branches."
    assert did_you_mean("#", [f"x{i:02d}" for i in range(30)], noun="n").endswith("x19, ....")


def test_a_missing_package_says_what_to_install() -> None:
    assert str(MissingPackageError("PyKeras", "keras", "keras")) == (
        "PyKeras needs the package 'keras', which is not installed: pip install 'mvakit[keras]'"
    )


def test_types_name_methods_without_knowing_them() -> None:
    assert Types.kBDT == "BDT"
    assert repr(Types.kBDT) == "Types.kBDT"
    assert isinstance(Types.kAnythingNew, MethodName)
    assert Types.kTraining is TreeType.TRAINING
    assert Types.kClassification is AnalysisType.CLASSIFICATION
    assert int(Types.kSignal) == 0
    with pytest.raises(AttributeError, match="Types.k<Name>"):
        _ = Types.BDT


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("train", "TRAINING"),
        ("Training", "TRAINING"),
        ("test", "TESTING"),
        ("Testing", "TESTING"),
        ("", "BOTH"),
        (TreeType.TESTING, "TESTING"),
    ],
)
def test_tree_types(word: str, kind: str) -> None:
    assert TreeType.parse(word) is TreeType[kind]


def test_unknown_tree_type() -> None:
    with pytest.raises(ValueError, match="not 'tarining'"):
        TreeType.parse("tarining")


@pytest.mark.parametrize(
    ("text", "internal"),
    [
        ("var1+var2", "var1_P_var2"),
        ("a-b*c/d", "a_M_b_T_c_D_d"),
        ("x[0] > 2 && y<=3", "x_0___GT__2__A__A__y_LT__E_3"),
        ("TMath::Abs(eta)%2|1", "TMath_Abs_eta__MOD_2_O_1"),
        ("Sum$(x)", "Sum_S__x_"),
    ],
)
def test_internal_names_are_those_of_tmva(text: str, internal: str) -> None:
    assert internal_name(text) == internal


def test_definitions() -> None:
    assert split_definition("sum := var1 + var2") == ("sum", "var1+var2")
    assert split_definition("var1+ var2") == ("var1+var2", "var1+var2")
    variable = define("sum := var1+var2", unit="GeV", type="I")
    assert (variable.title, variable.internal, variable.type, variable.axis_title) == ("sum", "sum", "I", "sum [GeV]")
    assert define("var1+var2").axis_title == "var1+var2"
    for broken in ("", " := x", "x :="):
        with pytest.raises(DataError, match="leaves one of them empty"):
            split_definition(broken)
    with pytest.raises(DataError, match="'F' or 'I', not 'X'"):
        define("x", type="X")


def test_a_file_takes_its_place_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "new" / "a.txt"
    with written_aside(target) as path:
        path.write_text("one")
        assert not target.exists()
    assert target.read_text() == "one"
    with pytest.raises(RuntimeError), written_aside(target) as path:
        path.write_text("half")
        raise RuntimeError
    assert target.read_text() == "one"
    assert [p.name for p in target.parent.iterdir()] == ["a.txt"]


def test_several_files_or_none(tmp_path: Path) -> None:
    write_files(tmp_path, {"a": b"1", "b": b"2"})
    assert (tmp_path / "a").read_bytes() == b"1"
    with pytest.raises(TypeError):
        write_files(tmp_path, {"a": b"3", "b": 4})  # type: ignore[dict-item]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]
    assert (tmp_path / "a").read_bytes() == b"1"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MvakitError, match="cannot be written to"), written_aside(tmp_path / "file" / "x.txt"):
        pass


def test_messages_look_like_tmva_s(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger("mvakit")
    before = root.handlers[:], root.propagate, root.level
    handlers = logging.getLogger().handlers[:]
    try:
        root.handlers.clear()
        for handler in handlers:
            logging.getLogger().removeHandler(handler)
        root.setLevel(logging.NOTSET)
        show_messages()
        show_messages()
        assert len(root.handlers) == 1
        Messenger("Factory").info("two\nlines")
        Messenger("Factory", silent=True).info("unheard")
        Messenger("Factory").detail("unheard")
        Messenger("Factory", verbose=True).detail("heard")
        Messenger("Factory", silent=True).warning("careful")
    finally:
        root.handlers[:], root.propagate, level = before
        root.setLevel(level)
        for handler in handlers:
            logging.getLogger().addHandler(handler)
    printed = capsys.readouterr().out.splitlines()
    assert printed == [
        "Factory                  : two",
        "Factory                  : lines",
        "Factory                  : heard",
        "<WARNING> Factory        : careful",
    ]


def test_a_progress_bar_is_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = io.StringIO()
    monkeypatch.setattr(sys, "stdout", plain)
    with progress_bar("BDT") as tick:
        tick(1, 2)
    assert plain.getvalue() == ""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar("BDT") as tick:
        tick(1, 2, "half")
        tick(2, 2)
    assert "BDT" in terminal.getvalue()
    assert "2/2" in terminal.getvalue()
    silent = Terminal()
    monkeypatch.setattr(sys, "stdout", silent)
    with progress_bar("BDT", enabled=False) as tick:
        tick(1, 2)
    assert silent.getvalue() == ""


def test_what_auto_takes_the_analysis_for() -> None:
    empty = Sample(np.zeros((0, 1), np.float32), np.zeros(0, np.int16), np.zeros(0))

    def analysis(classes: tuple[str, ...], *, target: bool = False) -> AnalysisType:
        targets = (define("y"),) if target else ()
        return DataSet("d", (define("x"),), (), targets, classes, empty, empty).default_analysis()

    assert analysis(("Signal", "Background")) is AnalysisType.CLASSIFICATION
    assert analysis(("Background", "Signal")) is AnalysisType.CLASSIFICATION
    assert analysis(("Signal", "bg0")) is AnalysisType.MULTICLASS
    assert analysis(("a", "b", "c")) is AnalysisType.MULTICLASS
    assert analysis(("Regression",), target=True) is AnalysisType.REGRESSION


def test_samples() -> None:
    sample = Sample(
        np.arange(6, dtype=np.float32).reshape(3, 2),
        np.array([0, 1, 0]),
        np.array([1.0, 2.0, 3.0]),
        spectators={"n": np.array([7, 8, 9])},
    )
    picked = sample.select(sample.is_signal)
    assert picked.X.tolist() == [[0, 1], [4, 5]]
    assert picked.spectator_columns().tolist() == [[7], [9]]  # type: ignore[union-attr]
    assert len(picked) == 2
    assert Sample(sample.X, sample.class_index, sample.weight).spectator_columns() is None
    assert SampleCounts("S", "", 0, 0.0, 0, 0.0).efficiency == 0.0
    assert SampleCounts("S", "", 4, 8.0, 2, 2.0).efficiency == 0.25


def test_importing_mvakit_loads_nothing_heavy() -> None:
    heavy = [
        "numpy",
        "uproot",
        "awkward",
        "numba",
        "sklearn",
        "matplotlib",
        "tensorflow",
        "keras",
        "scipy",
        "rich",
        "click",
    ]
    code = f"import sys, mvakit; mvakit.Types; print([m for m in {heavy} if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_the_package_names_what_it_offers() -> None:
    import mvakit

    assert re.match(r"\d", mvakit.__version__)
    assert set(mvakit.__all__) <= set(dir(mvakit))
    with pytest.raises(AttributeError, match="no attribute 'Fctory'"):
        _ = mvakit.Fctory


def test_a_mask_of_chosen_elements() -> None:
    assert expand("pt[:3]", -1, mask=[1, 2]) == [
        *expand("pt[:3]", -1), "pt_there_1:=Length$(pt)>1", "pt_there_2:=Length$(pt)>2",
    ]  # fmt: skip
    with pytest.raises(DataError, match=r"takes elements 0 to 2 \(or True for all\), not 3"):
        expand("pt[:3]", mask=[1, 3])

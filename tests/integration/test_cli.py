"""The command line, as a user meets it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from mvakit import DataLoader, Factory
from mvakit.cli import main
from mvakit.registry import method_names


def mvakit(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a Fisher discriminant was trained."""
    folder = tmp_path_factory.mktemp("job")
    random = np.random.default_rng(1)
    loader = DataLoader("dataset")
    loader.AddVariable("x", "The x", "GeV", "F")
    loader.AddVariable("s := x+y")
    loader.AddSpectator("y")
    for shift, add in ((0.5, loader.AddSignalTree), (-0.5, loader.AddBackgroundTree)):
        add({name: (random.normal(size=300) + shift).astype(np.float32) for name in "xy"})
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        factory = Factory("Job", "TMVA.root", "Silent:Transformations=I;D")
        factory.BookMethod(loader, "Fisher", "Fisher", "VarTransform=N")
        factory.TrainAllMethods()
        factory.TestAllMethods()
        factory.EvaluateAllMethods()
    return folder


def test_methods_are_listed() -> None:
    result = mvakit("methods")
    assert result.exit_code == 0
    trained, applied = result.output.split("Applied from weight files:\n")
    listed = [[line.split()[0] for line in part.splitlines() if line.startswith("  ")] for part in (trained, applied)]
    assert sorted(listed[0] + listed[1]) == method_names()
    assert "Fisher" in listed[0]
    assert "KNN" in listed[1]


@pytest.mark.parametrize("name", ["bdt", *method_names()])
def test_every_declared_option_is_printed(name: str) -> None:
    from mvakit.registry import method_class

    result = mvakit("methods", name)
    assert result.exit_code == 0
    for spec in method_class(name).options_type.declared():
        assert spec.name in result.output, spec.name
    assert "VarTransform" in result.output


def test_a_mistake_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    for arguments, said in (
        (("methods", "BTD"), "did you mean 'BDT'"),
        (("info", str(tmp_path / "none.weights.xml")), "none.weights.xml"),
        (("info", str(tmp_path / "none.root")), "none.root"),
        (("plots", str(tmp_path / "none.root"), "-o", str(tmp_path / "plots")), "none.root"),
    ):
        result = mvakit(*arguments)
        assert result.exit_code == 1, arguments
        assert result.output.startswith("mvakit: ")
        assert said in result.output
        assert len(result.output.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_mistake_has_an_exit_status_in_a_real_shell() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mvakit.cli", "methods", "BTD"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "did you mean 'BDT'" in done.stderr
    assert "Traceback" not in done.stderr


def test_info_says_what_a_weight_file_holds(job: Path) -> None:
    result = mvakit("info", str(job / "dataset" / "weights" / "Job_Fisher.weights.xml"))
    assert result.exit_code == 0
    for text in (
        "Fisher: Fisher, Classification, classes Signal, Background",
        "The x [GeV]",
        "x+y",
        "Spectators",
        "Transformations before the method: Normalize",
        "VarTransform",
        "Training events: 300",
        "2 variables, in this order: x, s := x+y",
        "It can be applied here.",
    ):
        assert text in result.output, text
    result = mvakit("info", "--json", str(job / "dataset" / "weights" / "Job_Fisher.weights.xml"))
    assert result.exit_code == 0
    assert json.loads(result.output)["options"][0]["name"] == "VarTransform"


def test_info_says_what_a_result_file_holds(job: Path) -> None:
    result = mvakit("info", str(job / "TMVA.root"))
    assert result.exit_code == 0
    for text in ("dataset: Classification, classes Signal, Background", "variables: x, s", "method: Fisher (Fisher)"):
        assert text in result.output, text


def test_plots_are_drawn_in_every_format(job: Path, tmp_path: Path) -> None:
    result = mvakit("plots", str(job / "TMVA.root"), "-o", str(tmp_path / "plots"), "--format", "png, svg")
    assert result.exit_code == 0, result.output
    names = {path.name for path in (tmp_path / "plots").iterdir()}
    for stem in ("rejBvsS", "overtrain_Fisher", "variables_id_c1", "correlationS", "correlationB"):
        assert {f"{stem}.png", f"{stem}.svg"} <= names
    assert {Path(line).name for line in result.output.splitlines() if line.strip()} >= names


def test_version_and_help() -> None:
    assert "version" in mvakit("--version").output
    assert all(command in mvakit("-h").output for command in ("demo", "info", "methods", "plots"))

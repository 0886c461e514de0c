"""The networks of the examples, as a person would run them, and the figures that they print."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent.parent / "examples"

pytestmark = [pytest.mark.keras, pytest.mark.slow]


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("keras")
    monkeypatch.chdir(tmp_path)


def printed(capsys: pytest.CaptureFixture[str], name: str, *arguments: str) -> str:
    before = sys.argv
    sys.argv = [name, *arguments]
    try:
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    finally:
        sys.argv = before
    return capsys.readouterr().out


def numbers(text: str, pattern: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(pattern, text)}


def is_drawn(path: str) -> bool:
    """Whether a picture is there, and is not of one colour."""
    from matplotlib import image

    return float(np.std(image.imread(path))) > 0.01


def test_xor_takes_a_hidden_layer_and_tanh_is_the_faster(capsys: pytest.CaptureFixture[str]) -> None:
    accuracy = numbers(printed(capsys, "xor.py"), r"accuracy of (\w+): ([\d.]+)")
    assert accuracy["tanh"] >= 0.95
    assert accuracy["tanh"] > accuracy["sigmoid"]
    assert accuracy["linear"] == pytest.approx(0.5, abs=0.06)
    assert all(is_drawn(f"xor_{title}.png") for title in accuracy)


def test_irises_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "iris.py")
    assert numbers(text, r"(accuracy): ([\d.]+)")["accuracy"] >= 0.95
    assert len(re.findall(r"taken for setosa: \d+, versicolor: \d+, virginica: \d+", text)) == 3


def test_digits_are_told_and_read_from_image_files(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, "digits_cnn.py")
    assert numbers(text, r"(held back): ([\d.]+)")["held back"] >= 0.97
    written, read = (re.findall(rf"{begin} +([\d ]+)$", text, re.MULTILINE)[0].split() for begin in ("are:", "as:"))
    assert len(written) == 10
    assert sum(a == b for a, b in zip(written, read, strict=True)) >= 9


def test_a_few_principal_components_of_digits_are_enough(capsys: pytest.CaptureFixture[str]) -> None:
    accuracy = numbers(printed(capsys, "digits_pca.py"), r"accuracy with (\d+) of \d+ components: ([\d.]+)")
    assert accuracy["2"] < 0.75
    assert 0.85 < accuracy["8"] < accuracy["20"]
    assert accuracy["20"] >= 0.94


def test_the_energy_in_a_calorimeter_is_resolved_better_than_by_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    resolution = numbers(printed(capsys, "calorimeter.py", "6000"), r"(\w+): resolution ([\d.]+)")
    assert resolution["PyKeras"] < 0.5 * resolution["LD"]
    assert is_drawn("calorimeter.png")


def test_a_deep_network_sees_more_than_a_shallow_one(capsys: pytest.CaptureFixture[str]) -> None:
    area = numbers(printed(capsys, "higgs.py"), r"ROC curve, (\w+): ([\d.]+)")
    assert area["Fisher"] < 0.6
    assert area["deep"] > area["shallow"] > area["Fisher"] + 0.1
    assert is_drawn("higgs_roc.png")


def test_higgs_runs_on_a_file_that_is_given(reference: Path, capsys: pytest.CaptureFixture[str]) -> None:
    area = numbers(
        printed(capsys, "higgs.py", f"{reference}/data/Higgs_data.root", "12"), r"ROC curve, (\w+): ([\d.]+)"
    )
    assert area["deep"] > area["Fisher"] + 0.03

"""Figures of TMVA's own result files: what is drawn is what the files hold, and what TMVA printed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import uproot
from mvakit_gui.catalogue import Catalogue, View
from mvakit_gui.figures import drawing
from mvakit_gui.plots import save_plots
from mvakit_gui.views import Source

from mvakit.resultfile import ResultFile

METHODS = (
    "Likelihood", "LikelihoodD", "KNN", "LD", "Fisher", "FisherG", "MLP", "SVM", "BDTG", "BDT", "BDTB", "BDTD",
)  # fmt: skip
# ROC-integ of TMVA's tables (class_training.log); exact curves differ from its binned estimate by the binning.
INTEGRALS = {
    "Fisher": 0.918, "LD": 0.918, "BDT": 0.873, "BDTB": 0.840, "KNN": 0.842, "CutsGA": 0.793, "Cuts": 0.792,
    "Likelihood": 0.738,
}  # fmt: skip


def printed(file: ResultFile) -> dict[str, View]:
    return {view.name: view for view in Catalogue([Source.of(file)]) if view.in_print}


@pytest.fixture(scope="module")
def tutorial(reference: Path) -> Iterator[dict[str, View]]:
    with ResultFile(reference / "tutorial/class/TMVAC.root") as file:
        yield printed(file)


@pytest.fixture(scope="module")
def stored(reference: Path) -> object:
    return uproot.open(reference / "tutorial/class/TMVAC.root")["dataset"]


def test_every_view_of_the_tutorial(tutorial: dict[str, View]) -> None:
    expected = {f"variables_{t}_c1" for t in ("id", "deco", "pca", "gauss_deco")} | {"correlationS", "correlationB"}
    expected |= {f"{prefix}_{m}" for prefix in ("mva", "overtrain", "mvaeffs") for m in METHODS}
    expected |= {f"{prefix}_{m}" for prefix in ("proba", "rarity") for m in ("Fisher", "LD")}
    expected |= {f"scat_{v}_{c}_Id_c1" for v in ("myvar1", "myvar2", "var3", "var4") for c in ("Signal", "Background")}
    expected |= {f"{name}_{m}{end}" for m in ("BDTG", "BDT", "BDTB", "BDTD") for name, end in (("tree", "_0"),)}
    expected |= {f"{m}_ControlPlots" for m in ("BDTG", "BDT", "BDTB", "BDTD")}
    expected |= {"mvapdf_Fisher", "mvapdf_LD", "likelihood_Likelihood_c1", "likelihood_LikelihoodD_c1"}
    expected |= {"network_MLP", "convergence_MLP"}
    assert set(tutorial) == expected | {"rejBvsS", "invBeffvsSeff", "effBvsS"}


def test_roc_curves_of_the_tutorial(tutorial: dict[str, View], reference: Path) -> None:
    from sklearn.metrics import roc_auc_score

    drawn = tutorial["rejBvsS"].draw()
    entries = [text.get_text().split() for text in drawn.legend.get_texts()]
    shown = {entry[-1]: float(entry[0]) for entry in entries}
    assert len(shown) == 14
    assert list(shown.values()) == sorted(shown.values(), reverse=True)
    for title, integral in INTEGRALS.items():
        # Responses with a narrow peak or few values suffer most from TMVA's bins.
        assert shown[title] == pytest.approx(integral, abs=0.025 if title in {"Likelihood", "BDTB"} else 2e-3)
    tree = uproot.open(reference / "tutorial/class/TMVAC.root")["dataset/TestTree"].arrays(library="np")
    for title in METHODS:
        area = roc_auc_score(tree["classID"] == 0, tree[title].astype(float), sample_weight=tree["weight"])
        assert shown[title] == pytest.approx(area, abs=6e-5)
    lines = {
        text.get_text().split()[-1]: line for text, line in zip(drawn.legend.get_texts(), drawn.lines, strict=True)
    }
    for title in METHODS:
        x, y = lines[title].get_data()
        assert abs(float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))) == pytest.approx(shown[title], abs=2e-4)


def test_cuts_are_drawn_from_their_histogram(tutorial: dict[str, View], stored: dict[str, object]) -> None:
    drawn = tutorial["effBvsS"].draw()
    cuts = next(
        line
        for text, line in zip(drawn.legend.get_texts(), drawn.lines, strict=True)
        if text.get_text().split() == ["0.792", "Cuts"]
    )
    np.testing.assert_array_equal(cuts.get_ydata(), stored["Method_Cuts/Cuts/MVA_Cuts_effBvsS"].values())
    assert "mva_Cuts" not in tutorial
    assert "overtrain_Cuts" not in tutorial


@pytest.mark.parametrize("title", ["BDTG", "Likelihood"])
def test_heights_are_the_contents(tutorial: dict[str, View], stored: dict[str, object], title: str) -> None:
    drawn = tutorial[f"overtrain_{title}"].draw()
    folder = f"Method_{'BDT' if title == 'BDTG' else title}/{title}"
    for letter, outline, points in zip("SB", drawn.test, drawn.training, strict=True):
        # TMVA stores them at unit area.
        test, training = (stored[f"{folder}/MVA_{title}{which}_{letter}"] for which in ("", "_Train"))
        np.testing.assert_allclose(outline.get_data().values, test.values(), rtol=1e-6)
        np.testing.assert_allclose(outline.get_data().edges, test.axis().edges())
        filled = training.values() > 0
        np.testing.assert_allclose(points.lines[0].get_ydata(), training.values()[filled], rtol=1e-6)
        errors = [0.5 * (s[1][1] - s[0][1]) for s in points.lines[2][1].get_segments()]
        np.testing.assert_allclose(errors, training.errors()[filled], rtol=1e-6)


def test_kolmogorov_smirnov_of_the_events(tutorial: dict[str, View], reference: Path) -> None:
    from scipy.stats import kstwobign

    file = uproot.open(reference / "tutorial/class/TMVAC.root")["dataset"]
    trees = [file[which].arrays(["classID", "weight", "MLP"], library="np") for which in ("TestTree", "TrainTree")]
    expected = []
    for class_id in (0, 1):
        steps, numbers = {}, []
        for sign, tree in zip((1, -1), trees, strict=True):
            chosen = tree["classID"] == class_id
            values, weights = tree["MLP"][chosen].astype(float), tree["weight"][chosen].astype(float)
            numbers.append(weights.sum() ** 2 / (weights**2).sum())
            for value, weight in zip(values, weights / weights.sum(), strict=True):
                steps[value] = steps.get(value, 0.0) + sign * weight
        distance = np.abs(np.cumsum([steps[value] for value in sorted(steps)])).max()
        expected.append(kstwobign.sf(distance / np.sqrt(1 / numbers[0] + 1 / numbers[1])))
    drawn = tutorial["overtrain_MLP"].draw()
    assert drawn.ks.get_text() == f"K–S probability: Signal {expected[0]:.3g}, Background {expected[1]:.3g}"


def test_correlations_and_variables(tutorial: dict[str, View], stored: dict[str, object]) -> None:
    for letter in "SB":
        drawn = tutorial[f"correlation{letter}"].draw()
        matrix = stored[f"CorrelationMatrix{letter}"].values()
        assert [[int(cell.get_text().replace("−", "-")) for cell in row] for row in drawn.cells] == matrix.T.tolist()
    page = tutorial["variables_id_c1"].draw()
    assert [axes.get_xlabel() for axes in page.axes] == [
        "myvar1", "Expression 2", "Variable 3 [units]", "Variable 4 [units]",
    ]  # fmt: skip
    for label, outlines in zip(("myvar1", "myvar2", "var3", "var4"), page.filled, strict=True):
        for name, outline in zip(("Signal", "Background"), outlines, strict=True):
            h = stored[f"InputVariables_Id/{label}__{name}_Id"]
            heights = h.values() / (h.values().sum() * np.diff(h.axis().edges()))
            np.testing.assert_allclose(outline.get_data().values, heights, rtol=1e-6)


def test_training_of_the_network(tutorial: dict[str, View], stored: dict[str, object]) -> None:
    drawn = tutorial["convergence_MLP"].draw()
    for which, line in zip(("Train", "Test"), drawn.lines, strict=True):
        np.testing.assert_allclose(line.get_ydata(), stored[f"Method_MLP/MLP/estimatorHist{which}"].values())
    assert (drawn.axes[0].get_xlabel(), drawn.axes[0].get_ylabel()) == ("Epoch", "Estimator")


@pytest.mark.parametrize(
    ("name", "some"),
    [
        ("tutorial/higgs/Higgs_ClassificationOutput.root", {"variables_id_c2", "rejBvsS", "overtrain_BDT"}),
        ("toy/cat/TMVA.root", {"rejBvsS", "overtrain_FisherCat", "mvaeffs_Fisher"}),
        ("toy/multi/TMVA.root", {"overtrain_BDTG_bg1", "rejBvsS_Signal", "correlationbg2", "convergence_MLP"}),
        ("toy/reg/TMVA.root", {"deviation_BDTG_test_tgt0_rtgt0", "variables_norm_c1", "correlation"}),
    ],
)
def test_other_files(reference: Path, name: str, some: set[str]) -> None:
    with ResultFile(reference / name) as file:
        views = printed(file)
        assert some <= set(views)
        for view in [views[name] for name in sorted(some)]:
            figure = view.figure()
            with drawing():
                figure.draw_without_rendering()
                box = figure.get_tightbbox(figure.canvas.get_renderer())
            width, height = figure.get_size_inches()
            assert min(box.x0, box.y0) >= -0.01
            assert box.x1 <= width + 0.01
            assert box.y1 <= height + 0.01


def test_files_of_the_toy(reference: Path, tmp_path: Path) -> None:
    written = save_plots(reference / "toy/cat/TMVA.root", tmp_path, "png", label="Toy")
    titles = ("Fisher", "FisherCat")
    names = {f"{prefix}_{m}.png" for prefix in ("mva", "overtrain", "mvaeffs") for m in titles}
    assert {p.name for p in written} == names | {"rejBvsS.png", "invBeffvsSeff.png", "effBvsS.png"}
    assert sorted(written) == sorted(tmp_path.iterdir())

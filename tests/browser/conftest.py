"""A real headless Chromium, one for all tests, and result files to look at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, chdir
from pathlib import Path

import numpy as np
import pytest
from mvakit_gui.server import Gui

from mvakit import DataLoader, Factory
from mvakit.demo import write_toy
from tests.browser.looking import Looker

HOSTILE = '<img src=x onerror=alert(1)> & "quotes"'


def chromium() -> str | None:
    names = (os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next((found for name in names if name and (found := shutil.which(name))), None)


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    path = chromium()
    if path is None:
        if os.environ.get("MVAKIT_TEST_BROWSER") == "required":
            pytest.fail("there is no Chromium, and this run requires one: see tests/browser/have_chromium")
        pytest.skip("there is no Chromium: see tests/browser/have_chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        # A root's Chromium has no sandbox of its own, and a container's little shared memory.
        opened = driver.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def guis() -> Iterator[Callable[..., Gui]]:
    """Return a function that serves files, and serves the same ones once."""
    running: dict[tuple[Path, ...], Gui] = {}
    with ExitStack() as stack:

        def serve(*paths: Path) -> Gui:
            if paths not in running:
                running[paths] = stack.enter_context(Gui(list(paths)))
            return running[paths]

        yield serve


@pytest.fixture
def look(browser: object, guis: Callable[..., Gui]) -> Iterator[Callable[..., Looker]]:
    """Return a function that opens files in a page of its own, and tells afterwards what the page complained of."""
    lookers: list[Looker] = []
    yield lambda *paths, **how: lookers.append(Looker(browser, guis(*paths).url, **how)) or lookers[-1]
    for looker in lookers:
        looker.close()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result file of mvakit's own: a linear method and a forest."""
    folder = tmp_path_factory.mktemp("demo")
    with chdir(folder):
        write_toy(Path("toy.root"), 600)
        loader = DataLoader("dataset")
        for name in ("var1", "var2", "var3"):
            loader.AddVariable(name, name.title(), "GeV", "F")
        loader.AddSignalTree("toy.root:TreeS")
        loader.AddBackgroundTree("toy.root:TreeB")
        factory = Factory("Demo", "TMVA.root", "Silent:Transformations=I;D")
        factory.BookMethod(loader, "Fisher", "Fisher", "CreateMVAPdfs")
        factory.BookMethod(loader, "BDT", "BDTG", "NTrees=20:BoostType=Grad:MaxDepth=2")
        factory.TrainAllMethods()
        factory.TestAllMethods()
        factory.EvaluateAllMethods()
    return folder / "TMVA.root"


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result file whose names are HTML."""
    folder = tmp_path_factory.mktemp("hostile")
    random = np.random.default_rng(3)
    with chdir(folder):
        loader = DataLoader("dataset")
        loader.AddVariable("x", "<b onmouseover=alert(2)>x</b>", "<script>alert(3)</script>", "F")
        loader.AddVariable("y", "</script><script>alert(4)</script>", "", "F")
        for shift, add in ((0.7, loader.AddSignalTree), (-0.7, loader.AddBackgroundTree)):
            add({name: (random.normal(size=300) + shift).astype(np.float32) for name in "xy"})
        factory = Factory("Job", "TMVA.root", "Silent")
        factory.BookMethod(loader, "Fisher", HOSTILE, "")
        factory.BookMethod(loader, "Fisher", "Plain", "")
        factory.TrainAllMethods()
        factory.TestAllMethods()
        factory.EvaluateAllMethods()
    return folder / "TMVA.root"


@pytest.fixture(scope="session")
def lengthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result file with names as long as people write them."""
    folder = tmp_path_factory.mktemp("lengthy")
    random = np.random.default_rng(5)
    names = [f"v{i}" for i in range(7)]
    with chdir(folder):
        loader = DataLoader("dataset")
        for i, name in enumerate(names):
            loader.AddVariable(name, f"Transverse mass of the lepton and missing energy system {i}", "GeV/c^{2}", "F")
        for shift, add in ((0.5, loader.AddSignalTree), (-0.5, loader.AddBackgroundTree)):
            add({name: (random.normal(size=400) + shift).astype(np.float32) for name in names})
        factory = Factory("Job", "TMVA.root", "Silent:Transformations=I")
        for version in (7, 8):
            title = f"BoostedDecisionTreesGradient_2018_systematics_v{version}_final"
            factory.BookMethod(loader, "BDT", title, "NTrees=5:BoostType=Grad:MaxDepth=4")
        factory.BookMethod(loader, "Fisher", "F", "CreateMVAPdfs")
        factory.TrainAllMethods()
        factory.TestAllMethods()
        factory.EvaluateAllMethods()
    return folder / "TMVA.root"

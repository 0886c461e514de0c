"""The browser application: time to the first page, memory of the server, and how fast a cut moves in 40 methods.

Result files of two sizes are made here; others are named on the command line: ``python benchmarks/gui.py TMVA.root``.
Each number is printed with its limit. ``python benchmarks/gui.py --table TMVA.root ...`` draws everything that files can
feed, and prints which views of which file were drawn, and why the others are greyed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mvakit_gui.server import vega_bundle
from playwright.sync_api import sync_playwright

from mvakit import DataLoader, Factory

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MOVES = 40
# Limits: seconds to the first page of a small and of a large file, which differ at so many megabytes; seconds for a view of
# all methods; milliseconds for a cut to move; megabytes of memory.
FIRST_PAGE = (1.0, 2.0)
BETWEEN = 40.0
ALL_METHODS = 5.0
MOVE = 100.0
MEMORY = 200.0

# Runs in the page: moves the slider, and waits each time until every chart has followed.
LATENCY = """async (moves) => {
  const root = document.getElementById("working-point");
  const slider = root.querySelector("input[type=range]");
  const times = [];
  for (let i = 1; i <= moves; i += 1) {
    const before = root.dataset.moved;
    const started = performance.now();
    slider.value = String(Math.round(slider.max * i / (moves + 1)));
    slider.dispatchEvent(new Event("input"));
    while (root.dataset.moved === before) await new Promise((done) => setTimeout(done, 1));
    times.push(performance.now() - started);
  }
  return times.sort((a, b) => a - b);
}"""


def make_file(folder: Path, events: int, methods: int) -> Path:
    """Train linear methods on different variables, and leave their result file."""
    random = np.random.default_rng(1)
    loader = DataLoader("dataset")
    names = [f"x{i}" for i in range(8)]
    for name in names:
        loader.AddVariable(name)
    for shift, add in ((0.3, loader.AddSignalTree), (-0.3, loader.AddBackgroundTree)):
        add(
            {
                name: (random.normal(size=events) + shift * (i + 1) / 4).astype(np.float32)
                for i, name in enumerate(names)
            }
        )
    folder.mkdir()
    with contextlib.chdir(folder):
        factory = Factory("Job", "TMVA.root", "Silent")
        for i in range(methods):
            chosen = f"({names[i % 8]},{names[(i + 1) % 8]},{names[(i + 3) % 8]})" if i % 4 else ""
            factory.BookMethod(loader, "Fisher", f"Fisher{i}", f"VarTransform={'NDPG'[i % 4]}{chosen}")
        factory.TrainAllMethods()
        factory.TestAllMethods()
        factory.EvaluateAllMethods()
    return folder / "TMVA.root"


@contextlib.contextmanager
def served(path: Path) -> Iterator[tuple[str, int, float]]:
    """Run ``mvakit gui``; yield its address, its process and how long it took to answer."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "mvakit.cli", "gui", str(path), "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        try:
            assert running.stdout is not None
            url = running.stdout.readline().strip()
            yield url, running.pid, time.perf_counter() - started
        finally:
            running.terminate()


def memory(process: int) -> float:
    """Return the megabytes of a process's own memory."""
    found = re.search(r"^RssAnon:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def drawn(page: Any, selector: str = "#desk .panel") -> None:
    page.wait_for_selector(f"{selector}[data-state]:not([data-state=loading])", timeout=120_000)


def told(what: str, value: float, limit: float, unit: str) -> None:
    """Print a number with its limit."""
    verdict = "ok" if value <= limit else "TOO MUCH"
    print(f"  {what:<58} {value:8.2f} {unit:<3} of {limit:g} {unit:<3} {verdict}", flush=True)


def processor_time(process: int) -> float:
    """Return the seconds that a process has computed."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(int(fields[i]) for i in (11, 12)) / os.sysconf("SC_CLK_TCK")


def look(browser: Any, path: Path) -> None:
    megabytes = path.stat().st_size / 1e6
    first = FIRST_PAGE[megabytes > BETWEEN]
    print(f"{path}: {megabytes:.0f} MB; load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with served(path) as (url, process, answering):
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        started = time.perf_counter()
        page.goto(url)
        page.wait_for_selector("#views button")
        listed = time.perf_counter() - started
        drawn(page)
        charted = time.perf_counter() - started
        told("address printed", answering, first + 1.0, "s")
        told("list of views", listed, first, "s")
        told("first chart", charted, first, "s")
        print(f"  processor time of the server until then {processor_time(process):.2f} s")
        titles = [" ".join(b.inner_text().split()) for b in page.query_selector_all("#views button")]
        highest, taken = memory(process), []
        for number, title in enumerate(titles):
            started, computed = time.perf_counter(), processor_time(process)
            page.evaluate("(i) => document.querySelectorAll('#views button')[i].click()", number)
            page.wait_for_timeout(1)
            drawn(page)
            taken.append((time.perf_counter() - started, title, processor_time(process) - computed))
            highest = max(highest, memory(process))
        for seconds, title, computed in sorted(taken, reverse=True)[:3]:
            told(f"button {title[:28]} (computing {computed:.2f} s)", seconds, ALL_METHODS, "s")
        latency(page, titles)
        told("memory of the server, at most", max(highest, memory(process)), MEMORY, "MB")
        page.context.close()


def table(paths: Sequence[Path]) -> None:
    """Draw the charts of all views of some files, and print what became of each button."""
    from mvakit_gui.catalogue import Catalogue
    from mvakit_gui.views import Source

    from mvakit.errors import MvakitError
    from mvakit.resultfile import ResultFile

    for path in paths:
        with ResultFile(path) as file:
            for name in file.datasets:
                catalogue = Catalogue([Source.of(file, name)])
                print(
                    f"\n{path}, {name} ({catalogue.analysis.value}, {len(catalogue.methods)} methods)\n\n| button | views |\n|---|---|"
                )
                for group in catalogue.groups:
                    refused = []
                    for view in group.views:
                        try:
                            view.chart().to_dict(validate=False)
                        except MvakitError as error:
                            refused.append(f"{view.title}: {error}")
                    said = f"greyed: {group.reason}" if group.reason else f"{len(group.views) - len(refused)} drawn"
                    print(f"| {group.key} {group.title} | {'; '.join([said, *refused])} |", flush=True)


def latency(page: Any, titles: list[str]) -> None:
    for wanted in ("4b", "5a", "5b"):
        number = next((i for i, title in enumerate(titles) if title.startswith(wanted)), None)
        if number is None:
            return
        page.evaluate("(i) => document.querySelectorAll('#views button')[i].click()", number)
        page.wait_for_timeout(1)
        drawn(page, "#desk .panel:last-child")
        if wanted == "4b":
            options = page.locator("#desk .walkers option")
            if options.count() > 1:
                page.select_option("#desk .walkers select", index=1)
                page.wait_for_timeout(1)
                drawn(page)
        page.locator("#desk .panel:last-child .corner button:has-text('Keep')").click()
    page.click("text=Set a cut")
    page.wait_for_selector("[data-figure]", timeout=120_000)
    page.click('summary:has-text("All methods")')
    settled = -1
    while (now := int(page.get_attribute("#working-point", "data-moved") or 0)) != settled or now < 2:
        settled = now
        page.wait_for_timeout(1500)
    times = page.evaluate(LATENCY, MOVES)
    methods = page.locator("#working-point .more tbody").first.locator("tr").count()
    told(f"a cut moved in {methods} methods and 3 charts, median", times[len(times) // 2], MOVE, "ms")
    told("the same, 19 of 20", times[int(0.95 * len(times))], MOVE, "ms")


def main() -> None:
    if sys.argv[1:2] == ["--table"]:
        table([Path(name) for name in sys.argv[2:]])
        return
    executable = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if executable is None:
        raise SystemExit("there is no Chromium to look with")
    vega_bundle()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        files = [Path(name) for name in sys.argv[1:]]
        if not files:
            files = [make_file(Path(folder) / "small", 60_000, 14), make_file(Path(folder) / "large", 330_000, 40)]
        for path in files:
            look(browser, path)
        browser.close()


if __name__ == "__main__":
    main()

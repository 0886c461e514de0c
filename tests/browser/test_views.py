"""Every button of TMVA's windows, on TMVA's own result files and on mvakit's: drawn, or greyed with a reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.conftest import HOSTILE
from tests.browser.looking import Looker

Look = Callable[..., Looker]

TMVAS = (
    "tutorial/class/TMVAC.root",
    "tutorial/reg/TMVAReg.root",
    "tutorial/multi/TMVAMulticlass.root",
    "tutorial/higgs/Higgs_ClassificationOutput.root",
    "toy/cat/TMVA.root",
    "toy/multi/TMVA.root",
    "toy/reg/TMVA.root",
)
# Files of which every view behind every button is looked at, of more than so many each fourth; of the others the first and the
# last.
MANY = 10
WHOLE = ("toy/multi/TMVA.root", "toy/reg/TMVA.root")


def walk(looker: Looker, *, whole: bool = False) -> dict[str, str]:
    """Press every button, and choose the views behind it, or the last one only; return what became of each."""
    found = {}
    for number, name in enumerate(looker.groups()):
        became = looker.press(number)
        assert became in {"drawn", "absent"}, (name, looker.says())
        if became == "absent":
            button = looker.page.locator("#views button").nth(number)
            assert button.get_attribute("aria-disabled") == "true", name
            assert len(looker.says()) > len("Not in this file: ") + 10, name
        elif looker.page.locator("#desk .chart canvas").count():
            drawn = looker.page.locator("#desk .chart canvas").bounding_box()
            assert drawn is not None
            assert drawn["width"] > 100, name
            assert drawn["height"] > 100, name
            views = looker.views()
            assert looker.misplaced() == [], name
            step = 1 if views <= MANY else 4
            for view in sorted({*(range(1, views, step) if whole else ()), views - 1} - {0}):
                assert looker.choose_view(view) == "drawn", (name, view, looker.says())
                assert looker.misplaced() == [], (name, view)
        found[name] = became
    return found


@pytest.mark.parametrize("path", TMVAS)
def test_every_button_on_tmvas_own_files(look: Look, reference: Path, path: str) -> None:
    found = walk(look(reference / path), whole=path in WHOLE)
    assert list(found.values()).count("drawn") >= 5


def test_every_button_on_a_file_of_mvakit(look: Look, demo: Path) -> None:
    found = walk(look(demo), whole=True)
    drawn = {name.split()[0] for name, became in found.items() if became == "drawn"}
    assert {"1a", "2a", "3", "4a", "4b", "4c", "4d", "5a", "5b"} <= drawn


def test_names_that_are_html_are_shown_as_they_are(look: Look, hostile: Path) -> None:
    looker = look(hostile)
    walk(looker)
    assert looker.page.locator("img, script:not([src]), b").count() == 0
    assert "<img src=x onerror=alert(1)>" in looker.page.inner_text("#pickers")
    # Results, and the card.
    assert "<img src=x onerror=alert(1)>" in looker.page.inner_text("#desk")


def test_several_files_are_laid_over_each_other(look: Look, demo: Path, hostile: Path) -> None:
    looker = look(demo, hostile)
    looker.wait_for_first()
    text = looker.page.inner_text("#pickers")
    assert "demo" in text
    assert "Methods (4)" in text
    found = list(walk(looker))
    looker.press(next(i for i, name in enumerate(found) if name.endswith("Results")))
    heads = looker.page.locator(".results thead th").all_inner_texts()
    assert heads[:3] == ["Method", "File", "Type"]
    rows = [row.split("\t")[:2] for row in looker.page.locator(".results tbody tr.method").all_inner_texts()]
    assert sorted(title for title, _ in rows) == sorted(["Fisher", "BDTG", HOSTILE, "Plain"])
    assert len({file for _, file in rows}) == 2

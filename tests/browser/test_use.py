"""What a person does with the page: keyboard, working point, selection, narrow and dark screens, the report."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mvakit_gui.merit import figure_of_merit
from mvakit_gui.report import save_report
from mvakit_gui.server import Gui
from mvakit_gui.views.source import Source

from mvakit.evaluation import cut_point
from mvakit.resultfile import ResultFile
from tests.browser.looking import Looker

Look = Callable[..., Looker]
FORMULAE = (
    "S/sqrt(S+B)", "S/sqrt(B)", "sqrt(2*((S+B)*log(1+S/B)-S))", "-S^2/(1+B)", "2^3^2*S-B/4/2", "pow(S,0.5)+log10(B)",
    "exp(S/1000)*abs(S-B)", "2^-1*S**2", "max(S,B)/min(S,B)", "fabs(B-S)/(1.5+sqrt(B))", "S/(B-B)", "log(0-S)", "sqrt(S-10*B)",
)  # fmt: skip


@pytest.fixture(scope="module")
def result(reference: Path) -> Path:
    return reference / "tutorial" / "class" / "TMVAC.root"


def expect(looker: Looker, **fields: str) -> None:
    """Type into the fields of the working point, and wait until the charts have followed."""
    for label, text in fields.items():
        names = {
            "n_s": "Signal events",
            "n_b": "Background events",
            "formula": "Significance,",
            "cut": "Cut on the response",
        }
        before = looker.moves()
        field = looker.page.locator(f'#working-point input:not([type=range])[aria-label^="{names[label]}"]')
        field.fill(text)
        field.press("Tab")
        looker.until(lambda before=before: looker.moves() > before)


def set_cut(looker: Looker, method: str) -> None:
    looker.wait_for_first()
    looker.page.click("text=Set a cut")
    looker.page.select_option('#working-point select[aria-label="Method that is cut on"]', label=method)
    looker.until(lambda: looker.page.locator("#working-point [data-figure]").count() > 0)
    settle(looker)


def settle(looker: Looker) -> None:
    """Wait until the charts have not moved for longer than it takes to ask for exact numbers."""
    while True:
        before = looker.moves()
        looker.page.wait_for_timeout(450)
        if looker.moves() == before:
            return


def test_the_working_point_is_that_of_the_events_to_a_millionth(look: Look, result: Path) -> None:
    looker = look(result)
    set_cut(looker, "BDTG")
    expect(looker, n_s="250", n_b="4000", formula="sqrt(2*((S+B)*log(1+S/B)-S))")
    with ResultFile(result) as file:
        source = Source.of(file)
        sample = source.two_classes("BDTG")
        edges, s, b = (
            source.histogram("BDTG", name).edges if name.endswith("_S") else source.histogram("BDTG", name).values
            for name in ("MVA_BDTG_S", "MVA_BDTG_effS", "MVA_BDTG_effB")
        )
    merit = figure_of_merit("sqrt(2*((S+B)*log(1+S/B)-S))")
    for cut in (-0.4321, 0.0, 0.512345678):
        expect(looker, cut=str(cut))
        settle(looker)
        exact = cut_point(sample, cut, 250.0, 4000.0, merit)
        for name, value in (
            ("significance", exact.significance), ("effS", exact.signal_efficiency), ("effB", exact.background_efficiency),
            ("purity", exact.purity), ("s", exact.signal), ("b", exact.background),
        ):  # fmt: skip
            assert looker.figure(name) == pytest.approx(value, rel=1e-6), (cut, name)
        # And what TMVA's own histograms of 10 000 bins say, to their binning.
        place = int(np.searchsorted(np.linspace(edges[0], edges[-1], len(s) + 1), cut))
        assert looker.figure("effS") == pytest.approx(s[place], abs=3e-3)
        assert looker.figure("effB") == pytest.approx(b[place], abs=3e-3)


def test_the_slider_moves_all_charts_and_the_optimum_is_the_largest_significance(look: Look, result: Path) -> None:
    looker = look(result)
    set_cut(looker, "Fisher")
    best = looker.figure("significance")
    slider = looker.page.locator("#working-point input[type=range]")
    for key in ("ArrowRight", "End", "Home"):
        before = looker.moves()
        slider.press(key)
        looker.until(lambda before=before: looker.moves() > before)
        assert looker.figure("significance") <= best
    assert looker.figure("effS") == 1.0
    looker.page.click('summary:has-text("All methods")')
    rows = looker.page.locator("#working-point tbody tr")
    looker.until(lambda: rows.count() == 12)  # Cuts and CutsGA have no response to cut on
    assert {row.split("\t")[2] for row in rows.all_inner_texts()} == {"1"}, "all at the same signal efficiency"
    looker.page.click('summary:has-text("Events per bin")')
    looker.until(lambda: looker.page.locator("#working-point details:last-child tbody tr").count() == 40)
    bins = looker.page.locator("#working-point details:last-child tbody tr").all_inner_texts()
    assert sum(float(row.split("\t")[2]) for row in bins) == pytest.approx(1000, rel=1e-3)
    looker.page.click('#working-point button:has-text("Optimum")')
    settle(looker)
    assert looker.figure("significance") == best


def test_formulae_are_those_of_the_evaluation(look: Look, demo: Path) -> None:
    looker = look(demo)
    s, b = [0.0, 3.0, 120.5, 1e4], [7.25, 0.0, 40.0, 2e5]
    for formula in FORMULAE:
        found = looker.page.evaluate(
            """async ([formula, s, b]) => {
              const { parseFormula } = await import("./formula.js");
              const merit = parseFormula(formula);
              const step = 1e-6;
              return s.map((x, i) => {
                const [value, byS, byB] = merit(x, b[i]);
                const [up, down] = [merit(x * (1 + step), b[i])[0], merit(x * (1 - step), b[i])[0]];
                return [value, byS, (up - down) / (2 * step * x), byB];
              });
            }""",
            [formula, s, b],
        )
        wanted = figure_of_merit(formula)(np.array(s), np.array(b))
        np.testing.assert_allclose([row[0] for row in found], wanted, rtol=1e-12, err_msg=formula)
        for value, slope, numerical, _ in found[2:]:
            assert slope == pytest.approx(numerical, rel=1e-4, abs=1e-7 * (1 + abs(value))), formula
    for wrong in (
        "",
        "S+",
        "T",
        "S(",
        "alert(1)",
        "S;B",
        "sqrt(S,B)",
        "constructor",
        "__proto__",
        "S" * 300,
        "S B",
        "1..2",
    ):
        said = looker.page.evaluate(
            """async (text) => {
              const { parseFormula } = await import("./formula.js");
              try { parseFormula(text); return null; } catch (error) { return error.message; }
            }""",
            wrong,
        )
        assert said, wrong


def test_a_wrong_formula_is_told_and_the_last_right_one_holds(look: Look, demo: Path) -> None:
    looker = look(demo)
    set_cut(looker, "BDTG")
    before = looker.figure("significance")
    formula = looker.page.locator('#working-point input[aria-label^="Significance"]')
    formula.fill("S/sqrt(T)")
    assert "'T'" in looker.page.inner_text("#working-point [role=alert]")
    assert formula.get_attribute("aria-invalid") == "true"
    assert looker.figure("significance") == before


def test_everything_is_reached_by_the_keyboard(look: Look, demo: Path) -> None:
    looker = look(demo)
    looker.wait_for_first()
    keys = looker.page.keyboard
    focused = "document.activeElement.innerText || document.activeElement.id"
    keys.press("Tab")
    assert looker.page.evaluate(focused) == "To the views"
    keys.press("Enter")
    assert looker.page.evaluate("document.activeElement.id") == "desk"
    looker.page.locator("#views button").first.focus()
    for _ in range(3):
        keys.press("ArrowDown")
    wanted = looker.page.evaluate("document.activeElement.querySelector('.title').innerText")
    keys.press("Enter")
    assert looker.settled("#desk .panel") in {"drawn", "absent"}
    assert looker.page.evaluate("document.activeElement.tagName") == "H2"
    assert looker.page.evaluate(focused) == wanted
    # The list is one stop: from it, Tab goes on to the check boxes.
    looker.page.locator("#views button[tabindex='0']").focus()
    keys.press("Tab")
    assert looker.page.evaluate("document.activeElement.closest('#pickers') !== null")
    for control in looker.page.locator("button:visible, input:visible, select:visible").all():
        name = control.evaluate("(e) => e.innerText || e.ariaLabel || e.labels?.[0]?.innerText || ''")
        assert name.strip(), control.evaluate("(e) => e.outerHTML")
    for chart in looker.page.locator(".drawing canvas").all():
        assert len(chart.get_attribute("aria-label") or "") > 20


def test_panels_are_kept_beside_each_other_and_closed(look: Look, demo: Path) -> None:
    looker = look(demo)
    names = looker.groups()
    looker.page.click(".panel button:has-text('Keep')")
    looker.press(next(i for i, name in enumerate(names) if name.startswith("5b")))
    assert looker.page.locator("#desk .panel").count() == 2
    left, right = (box.bounding_box() for box in looker.page.locator("#desk .panel").all())
    assert left is not None
    assert right is not None
    assert left["y"] == right["y"], "side by side"
    looker.page.locator("#desk .panel .close").last.click()
    assert looker.page.locator("#desk .panel").count() == 1


def test_methods_are_chosen_in_charts_and_tables(look: Look, result: Path) -> None:
    looker = look(result)
    names = looker.groups()
    looker.press(next(i for i, name in enumerate(names) if name.endswith("Results")))
    rows = looker.page.locator(".results tbody .opener")
    assert rows.count() == 14
    assert rows.first.inner_text() in {"Fisher", "LD"}, "the largest ROC integral first"
    looker.page.fill('input[aria-label="Search methods"]', "bdt")
    assert looker.page.locator(".picker .list label:visible").count() >= 4
    looker.page.click('.picker button[title="Show none of the methods"]')
    assert sorted(rows.all_inner_texts()) == sorted(
        ["Cuts", "CutsGA", "Likelihood", "LikelihoodD", "KNN", "LD", "Fisher", "FisherG", "MLP", "SVM"]
    )
    looker.page.fill('input[aria-label="Search methods"]', "")
    looker.page.click('.picker button[title^="Show what is hidden"]')
    assert sorted(rows.all_inner_texts()) == ["BDT", "BDTB", "BDTD", "BDTG"]
    looker.page.click(".results thead button:has-text('Method')")
    assert rows.all_inner_texts() == ["BDT", "BDTB", "BDTD", "BDTG"]
    with looker.page.expect_download() as download:
        looker.page.click(".tools button:has-text('CSV')")
    with Path(download.value.path()).open(newline="", encoding="utf-8") as stream:
        table = list(csv.DictReader(stream))
    assert [row["Method"] for row in table] == ["BDT", "BDTB", "BDTD", "BDTG"]
    assert float(table[3]["ROC integral"]) == pytest.approx(0.900, abs=1e-3)
    opener = looker.page.locator('.opener[title="Options of BDTG"]')
    opener.press("Enter")
    looker.page.wait_for_selector(".results .detail table")
    assert opener.get_attribute("aria-expanded") == "true"
    assert "NTrees\t1000" in looker.page.inner_text(".results .detail")
    looker.page.click(".results .detail button")
    looker.page.wait_for_selector(".panel[data-group=card][data-state=drawn]")
    assert "NTrees" in looker.page.inner_text(".panel[data-group=card]")


def test_charts_are_saved_and_their_axes_changed(look: Look, demo: Path) -> None:
    looker = look(demo)
    number = next(i for i, name in enumerate(looker.groups()) if name.startswith("4b"))
    assert looker.press(number) == "drawn"
    looker.page.click("button:has-text('log y')")
    looker.page.wait_for_timeout(300)
    assert looker.settled("#desk .panel") == "drawn"
    assert looker.page.get_attribute("button:has-text('log y')", "aria-pressed") == "true"
    for kind, start in (("PNG", b"\x89PNG"), ("SVG", b"<svg"), ("JSON", b"{")):
        with looker.page.expect_download() as download:
            looker.page.click(f".exports button:has-text('{kind}')")
        content = Path(download.value.path()).read_bytes()
        assert content.startswith(start), kind
        assert len(content) > 2000
    assert "data" in json.loads(content)


@pytest.mark.parametrize(("scheme", "path"), [("light", "reg/TMVAReg.root"), ("dark", "class/TMVAC.root")])
def test_nothing_is_cut_off_on_a_narrow_screen(look: Look, reference: Path, scheme: str, path: str) -> None:
    looker = look(reference / "tutorial" / path, width=390, height=844, scheme=scheme)
    looker.wait_for_first()
    dark = looker.page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    assert dark == (scheme == "dark")
    assert looker.overflow() == []
    looker.page.click("#side > summary")
    names = looker.groups()
    for number in range(len(names)):
        if not looker.page.locator("#side[open]").count():
            looker.page.click("#side > summary")
        assert looker.press(number) in {"drawn", "absent"}
        assert looker.overflow() == [], names[number]
        assert looker.misplaced() == [], names[number]
    if path.startswith("class"):
        set_cut(looker, "BDTG")
        assert looker.overflow() == []


def test_long_names_are_neither_cut_off_nor_written_over_others(look: Look, lengthy: Path) -> None:
    for width in (390, 1280):
        looker = look(lengthy, width=width)
        looker.wait_for_first()
        looker.page.evaluate("document.getElementById('side').open = true")
        names = looker.groups()
        for number in range(len(names)):
            looker.page.evaluate("document.getElementById('side').open = true")
            if looker.press(number) == "drawn":
                assert [*looker.overflow(), *looker.misplaced()] == [], (width, names[number])


@pytest.mark.parametrize(("path", "reason"), [("multi", "one response for each class"), ("reg", "estimate a target")])
def test_where_there_is_no_cut_the_page_says_why(look: Look, reference: Path, path: str, reason: str) -> None:
    looker = look(reference / "toy" / path / "TMVA.root")
    looker.wait_for_first()
    assert reason in looker.page.inner_text("#working-point")
    assert looker.page.locator("#working-point input").count() == 0


def test_a_chart_that_is_scrolled_away_follows_when_it_comes_back(look: Look, demo: Path) -> None:
    looker = look(demo, height=500)
    looker.press(next(i for i, name in enumerate(looker.groups()) if name.startswith("4b")))
    set_cut(looker, "Fisher")
    picture = "document.querySelector('#desk canvas').toDataURL()"
    looker.page.evaluate("document.querySelector('#desk').style.paddingTop = '3000px'")
    looker.page.wait_for_timeout(200)
    before, moves = looker.page.evaluate(picture), looker.moves()
    looker.page.locator("#working-point input[type=range]").press("End")
    looker.until(lambda: looker.moves() > moves)
    assert looker.page.evaluate(picture) == before
    looker.page.evaluate("document.querySelector('#desk').style.paddingTop = ''")
    looker.until(lambda: looker.page.evaluate(picture) != before)


def test_on_paper_there_are_charts_and_figures_and_nothing_to_press(look: Look, demo: Path) -> None:
    looker = look(demo, scheme="dark")
    looker.press(next(i for i, name in enumerate(looker.groups()) if name.startswith("5b")))
    set_cut(looker, "BDTG")
    looker.page.set_viewport_size({"width": 700, "height": 1000})  # an A4 page
    looker.page.emulate_media(media="print", color_scheme="dark")
    assert looker.page.locator("button:visible, input:visible, select:visible, summary:visible").count() == 0
    assert looker.page.locator("canvas:visible").count() == 1
    assert looker.page.inner_text(".caption") == "Background rejection against signal efficiency"
    assert "Significance" in looker.page.inner_text(".figures")
    assert looker.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert "invert" in looker.page.evaluate("getComputedStyle(document.querySelector('canvas')).filter"), (
        "drawn on black"
    )
    assert looker.overflow() == []


def test_the_colours_change_at_the_press_of_a_button(look: Look, demo: Path) -> None:
    looker = look(demo)
    looker.wait_for_first()
    back = "getComputedStyle(document.body).backgroundColor"
    light = looker.page.evaluate(back)
    looker.page.click("#theme")
    assert looker.page.evaluate(back) == light
    looker.page.click("#theme")
    assert looker.page.evaluate(back) != light
    assert "dark" in str(looker.page.get_attribute("#theme", "aria-label"))


def test_the_token_leaves_the_address_and_the_cookie_stays(look: Look, demo: Path) -> None:
    looker = look(demo)
    assert looker.address == ""
    looker.page.reload()
    looker.page.wait_for_selector("html[data-ready]")
    assert looker.wait_for_first() == "drawn"


def test_without_the_token_there_is_a_sentence_and_no_data(
    browser: object, guis: Callable[..., Gui], demo: Path
) -> None:
    gui = guis(demo)
    page = browser.new_context().new_page()  # type: ignore[attr-defined]
    answer = page.goto(f"http://127.0.0.1:{gui.port}/?token=wrong")
    assert answer.status == 403
    assert "token" in page.inner_text("body")
    page.context.close()


def test_behind_a_proxy_everything_is_found_below_its_prefix(browser: object, demo: Path) -> None:
    prefix = "/user/me/proxy/8888"
    with Gui(demo) as gui:
        app = gui._server.config.loaded_app
        beyond: list[str] = []

        async def proxied(scope: dict[str, Any], receive: Any, send: Any) -> None:
            if not scope["path"].startswith(prefix):
                beyond.append(scope["path"])
            await app({**scope, "path": scope["path"].removeprefix(prefix)}, receive, send)

        gui._server.config.loaded_app = proxied
        looker = Looker(browser, f"http://127.0.0.1:{gui.port}{prefix}/?token={gui.token}")
        assert looker.wait_for_first() == "drawn"
        looker.page.reload()
        assert looker.wait_for_first() == "drawn"
        assert beyond == []
        looker.close()


def test_a_server_that_ended_is_told(browser: object, demo: Path) -> None:
    with Gui(demo) as gui:
        looker = Looker(browser, gui.url)
        looker.groups()
    looker.page.locator("#views button").nth(2).click()
    looker.settled("#desk .panel")
    assert "the server does not answer" in looker.says()
    looker.context.close()


def test_the_report_opens_from_disk_without_a_network(browser: object, result: Path, tmp_path: Path) -> None:
    path = save_report([result], tmp_path / "report.html")
    assert path.stat().st_size < 5_000_000
    looker = Looker(browser, path.as_uri())
    looker.context.set_offline(True)
    from tests.browser.test_views import walk

    found = walk(looker)
    assert len(found) > 10
    looker.press(next(i for i, name in enumerate(found) if name.startswith("11")))
    looker.until(lambda: "The first of 1000 trees" in looker.page.inner_text(".pager"))
    set_cut(looker, "BDTG")
    expect(looker, cut="0.0")
    settle(looker)
    with ResultFile(result) as file:
        exact = cut_point(Source.of(file).two_classes("BDTG"), 0.0)
    assert looker.figure("effS") == pytest.approx(exact.signal_efficiency, abs=1e-3)
    # Between two known cuts, the nearest; it says so.
    assert looker.page.get_attribute(".figures", "data-approximate") == "true"
    looker.page.click('#working-point button:has-text("Optimum")')
    settle(looker)
    assert looker.page.get_attribute(".figures", "data-approximate") == "false"
    assert [url for url in looker.requests if not re.match(r"file://.*report\.html|blob:", url)] == []
    looker.requests.clear()
    looker.close()

"""What those need who do not see the page as others do: names and roles, contrast, the keyboard, no motion."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser.looking import Looker
from tests.browser.test_use import set_cut

Look = Callable[..., Looker]

# WCAG 2.2: 1.4.3 for texts, 1.4.11 for the edges of what is pressed.
TEXT_CONTRAST, EDGE_CONTRAST = 4.5, 3.0

# Every text that is seen, and every control, with the contrast to the ground that it stands on.
CONTRASTS = """() => {
  const parsed = (color) => {
    const [r, g, b, a = 1] = color.match(/[\\d.]+/g).map(Number);
    return { rgb: [r, g, b], a };
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (e) => {
    for (let here = e; here; here = here.parentElement) {
      const { rgb, a } = parsed(getComputedStyle(here).backgroundColor);
      if (a === 1) return rgb;
    }
    return [255, 255, 255];
  };
  const ratio = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  const found = [];
  for (const e of document.querySelectorAll("body *")) {
    if (!e.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    const style = getComputedStyle(e);
    const control = ["BUTTON", "INPUT", "SELECT"].includes(e.tagName);
    const written = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) || (control && e.value);
    const name = `${e.tagName}.${e.className} ${(e.innerText ?? "").slice(0, 30)}`;
    if (written) found.push(["text", name, ratio(parsed(style.color).rgb, ground(e))]);
    const edged = control && parsed(style.borderTopColor).a === 1 && style.borderTopWidth !== "0px" && !/checkbox|range/.test(e.type);
    if (edged) found.push(["edge", name, ratio(parsed(style.borderTopColor).rgb, ground(e.parentElement))]);
  }
  return found;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_and_edges_stand_out_from_their_ground(look: Look, demo: Path, scheme: str) -> None:
    looker = look(demo, scheme=scheme)
    names = looker.groups()
    set_cut(looker, "BDTG")
    seen = 0
    for wanted in ("1a", "4c", "5b", "▦", "⚙"):
        looker.press(next(i for i, name in enumerate(names) if name.startswith(wanted)))
        for kind, name, ratio in looker.page.evaluate(CONTRASTS):
            seen += 1
            assert ratio >= (TEXT_CONTRAST if kind == "text" else EDGE_CONTRAST), (wanted, kind, name, ratio)
    assert seen > 300
    # Charts are drawn in the colours of the page.
    text, ground = looker.page.evaluate(
        """async () => {
          const { chartConfig } = await import("./theme.js");
          const { axis, background } = chartConfig();
          return [axis.labelColor, background];
        }"""
    )
    style = "getComputedStyle(document.documentElement).getPropertyValue('--{}').trim()"
    assert [text, ground] == [looker.page.evaluate(style.format(name)) for name in ("text", "panel")]


def test_everything_has_a_role_and_a_name(look: Look, demo: Path) -> None:
    looker = look(demo)
    names = looker.groups()
    set_cut(looker, "BDTG")
    for wanted in ("5b", "11", "▦", "⚙"):
        looker.press(next(i for i, name in enumerate(names) if name.startswith(wanted)))
        tree = looker.page.locator("body").aria_snapshot()
        for line in tree.splitlines():
            role, _, rest = line.strip().removeprefix("- ").partition(" ")
            if role in {"button", "combobox", "textbox", "spinbutton", "slider", "checkbox", "img", "region", "table"}:
                assert rest.startswith('"'), (wanted, line)
        for landmark in ("banner", 'navigation "Views"', "main", 'region "Working point"'):
            assert f"- {landmark}" in tree, (wanted, landmark)
    ids = looker.page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))
    missing = looker.page.evaluate(
        """[...document.querySelectorAll("[aria-labelledby]")].filter((e) => !document.getElementById(e.getAttribute("aria-labelledby"))).length"""
    )
    assert missing == 0
    assert looker.page.get_attribute("html", "lang") == "en"


def test_the_keyboard_leads_from_the_list_to_the_panel_the_slider_and_the_table(look: Look, demo: Path) -> None:
    looker = look(demo)
    names = looker.groups()
    keys = looker.page.keyboard

    def tab_to(selector: str) -> None:
        for _ in range(60):
            if looker.page.evaluate(f"document.activeElement.matches({selector!r})"):
                return
            keys.press("Tab")
        raise AssertionError(f"Tab does not lead to {selector}")

    tab_to("#views button")
    for _ in range(next(i for i, name in enumerate(names) if name.startswith("5b"))):
        keys.press("ArrowDown")
    keys.press("Enter")
    assert looker.settled("#desk .panel") == "drawn"
    tab_to("#desk .walkers select")
    tab_to("#working-point .bar button")
    keys.press("Enter")
    looker.until(lambda: looker.page.locator("#working-point [data-figure]").count() > 0)
    looker.page.locator("#working-point select").first.focus()
    tab_to("#working-point input[type=range]")
    before = looker.moves()
    keys.press("ArrowRight")
    looker.until(lambda: looker.moves() > before)
    tab_to("#working-point .more summary")
    keys.press("Enter")
    looker.until(lambda: looker.page.locator("#working-point tbody tr").count() == 2)
    looker.press(next(i for i, name in enumerate(names) if name.endswith("Results")))
    tab_to(".results thead button")
    keys.press("Enter")
    tab_to(".results .opener")
    keys.press("Enter")
    looker.page.wait_for_selector(".results .detail table, .results .detail p")
    assert looker.page.evaluate("document.activeElement.matches('.opener')"), "the focus stays where it was"
    # What has the focus is not below the working point.
    box = looker.page.evaluate(
        """[document.activeElement.getBoundingClientRect().bottom, document.getElementById("working-point").getBoundingClientRect().top]"""
    )
    assert box[0] <= box[1] + 1


def test_nothing_moves_for_who_wants_no_motion(look: Look, demo: Path) -> None:
    looker = look(demo)
    looker.wait_for_first()
    moving = """[...document.querySelectorAll("body *")].filter((e) => {
      const { transitionDuration, animationName } = getComputedStyle(e);
      return animationName !== "none" || transitionDuration.split(",").some((d) => parseFloat(d) > 0);
    }).length"""
    looker.page.emulate_media(reduced_motion="reduce")
    assert looker.page.evaluate(moving) == 0

"""A page of the browser, and everything that it did and complained of."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

# Keeps the drawn view of each chart at its element.
_KEEP_VIEWS = """(() => {
  let wrapped;
  Object.defineProperty(window, "vegaEmbed", {
    configurable: true,
    get: () => wrapped,
    set: (embed) => {
      wrapped = Object.assign(async (...given) => {
        const result = await embed(...given);
        given[0].drawnView = result.view;
        return result;
      }, embed);
    },
  });
})()"""

# What is written in the charts: texts with their boxes, in pixels of the canvas; a turned text has a box around it.
_TEXTS = """() => [...document.querySelectorAll("#desk .drawing")].flatMap((drawing) => {
  const view = drawing.drawnView;
  const canvas = drawing.querySelector("canvas");
  if (!view || !canvas) return [];
  const found = [];
  const visit = (mark, x, y) => {
    for (const item of mark.items ?? []) {
      if (mark.marktype === "group") {
        for (const inner of item.items ?? []) visit(inner, x + (item.x ?? 0), y + (item.y ?? 0));
      } else if (mark.marktype === "text" && item.opacity !== 0 && String(item.text ?? "").trim()) {
        const { x1, y1, x2, y2 } = item.bounds;
        found.push({ text: [item.text].flat().join(" "), role: mark.role ?? "", turned: Boolean(item.angle),
                     box: [x1 + x, y1 + y, x2 + x, y2 + y] });
      }
    }
  };
  const [left, top] = view.origin();
  visit(view.scenegraph().root, left, top);
  const { clientWidth: width, clientHeight: height } = canvas;
  return found.map((text) => ({ ...text, width, height }));
})"""


class Looker:
    """An open page.

    Parameters
    ----------
    browser : Browser
    url : str
    width, height : int
        Of the window, in pixels.
    scheme : str
        What the system prefers, light or dark.
    """

    def __init__(self, browser: Any, url: str, *, width: int = 1280, height: int = 800, scheme: str = "light") -> None:
        self.context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, accept_downloads=True
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.origin = url.split("?", maxsplit=1)[0]
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.complaints.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.add_init_script(_KEEP_VIEWS)
        self.page.goto(url)
        self.page.wait_for_selector("html[data-ready]")

    def _heard(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def groups(self) -> list[str]:
        """Return the buttons of TMVA's list: number and title."""
        self.wait_for_first()
        return [" ".join(button.inner_text().split()) for button in self.page.query_selector_all("#views button")]

    def wait_for_first(self) -> str:
        """Wait until the first panel is drawn, or is known not to be."""
        return self.settled(".panel")

    def settled(self, selector: str) -> str:
        """Wait until a panel is drawn or not; return which."""
        self.page.wait_for_selector(f"{selector}[data-state]:not([data-state=loading])")
        return str(self.page.get_attribute(selector, "data-state"))

    def press(self, button: int) -> str:
        """Press one of TMVA's buttons; return what became of it."""
        pressed = self.page.locator("#views button").nth(button)
        pressed.focus()
        pressed.press("Enter")
        return self.settled("#desk .panel:last-child")

    def views(self) -> int:
        """Return the number of views of the panel that is open."""
        return max(1, self.page.locator("#desk .walkers option").count())

    def choose_view(self, number: int) -> str:
        """Choose a view of the panel that is open; return what became of it."""
        self.page.select_option("#desk .walkers select", index=number)
        return self.settled("#desk .panel")

    def says(self) -> str:
        """Return what the panel says where it draws nothing."""
        return str(self.page.inner_text("#desk .panel .message"))

    def figure(self, name: str) -> float:
        """Return a figure of the working point."""
        return float(str(self.page.get_attribute(f"[data-figure={name}]", "data-value")))

    def until(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait for something; the page's own policy forbids the browser's driver to wait for it in there."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "waited in vain"
            self.page.wait_for_timeout(20)

    def moves(self) -> int:
        """Return how often the working point was moved in all charts."""
        return int(self.page.get_attribute("#working-point", "data-moved") or 0)

    def foreign(self) -> list[str]:
        """Return the requests that went anywhere but to the page's own address."""
        own = ("data:", "blob:")
        return [url for url in self.requests if not url.startswith(own) and not url.startswith(self.origin)]

    def overflow(self) -> list[str]:
        """Return what is wider than the window."""
        found: list[str] = self.page.evaluate(
            """() => {
              const wide = document.documentElement.scrollWidth > innerWidth + 1 ? ["the page"] : [];
              for (const e of document.querySelectorAll("body *")) {
                const box = e.getBoundingClientRect();
                if (box.width && box.right > innerWidth + 1 && !e.closest(".scrolled, .scrolls, .skip, .spoken")) {
                  wide.push(e.tagName + "." + e.className + " " + Math.round(box.right));
                }
              }
              return wide;
            }"""
        )
        return found

    def misplaced(self) -> list[str]:
        """Return what is written beyond the edges of a chart, and what is written over something else."""
        texts = self.page.evaluate(_TEXTS)
        found = []
        for one in texts:
            left, top, right, bottom = one["box"]
            if left < -2 or top < -2 or right > one["width"] + 2 or bottom > one["height"] + 2:
                found.append(
                    f"cut off: {one['text']!r} at {[round(v) for v in one['box']]} of {one['width']}, {one['height']}"
                )
        level = [one for one in texts if not one["turned"]]
        for number, one in enumerate(level):
            for other in level[:number]:
                a, b = one["box"], other["box"]
                wide, high = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1))
                if wide > 2 and high > 4:
                    found.append(f"{one['text']!r} over {other['text']!r}")
        return found

    def close(self) -> None:
        """Close the page; it must not have complained, nor asked elsewhere."""
        self.context.close()
        assert self.complaints == []
        assert self.foreign() == []

    @property
    def address(self) -> str:
        """The address that the page shows."""
        return urlsplit(self.page.url).query

// The panels side by side: each shows one of the groups of views, and which of its views.

import { Chart } from "./chart.js";
import { element, freshId, refill } from "./dom.js";
import { source } from "./source.js";
import { inDataset, subscribe } from "./state.js";

/** A frame with a heading, tools and a close button. */
export class Panel {
  constructor(title) {
    const id = freshId("panel");
    this.kept = false;
    this.heading = element("h2", { id, tabindex: "-1" }, title);
    this.tools = element("div", { class: "tools", role: "group", "aria-label": "Tools" });
    this.body = element("div", { class: "body" });
    this.keeper = element(
      "button",
      { type: "button", "aria-pressed": "false", title: "Keep it when another view is chosen", onclick: () => this.keep(!this.kept) },
      "Keep",
    );
    const close = element(
      "button",
      { type: "button", class: "close", "aria-label": `Close ${title}`, title: "Close", onclick: () => this.onclose() },
      "✕",
    );
    this.root = element(
      "section",
      { class: "panel", "aria-labelledby": id },
      element("header", {}, this.heading, element("div", { class: "corner" }, this.keeper, close)),
      this.tools,
      this.body,
    );
    this.onclose = () => {};
  }

  keep(kept) {
    this.kept = kept;
    this.keeper.setAttribute("aria-pressed", String(kept));
  }

  close() {
    this.root.remove();
  }
}

function toggle(label, told, pressed, action) {
  const button = element("button", { type: "button", title: told, "aria-pressed": String(pressed) }, label);
  button.addEventListener("click", () => action(button));
  return button;
}

/** A panel that draws the views of a group, one at a time. */
export class ViewPanel extends Panel {
  #unsubscribe = [];
  #asked = 0;
  #seen = true;
  #waiting = new Set();

  constructor(group, number) {
    super(group.title);
    this.group = group;
    this.number = number;
    this.chart = null;
    this.page = 0;
    this.root.dataset.group = group.key;
    this.body.append(
      (this.caption = element("h3", { class: "caption" })),
      (this.host = element("div", { class: "chart" })),
      (this.message = element("p", { class: "message", role: "status" })),
      (this.description = element("p", { class: "description" })),
    );
    for (const name of ["methods", "classes", "cuts"]) {
      this.#unsubscribe.push(subscribe(name, () => this.#follow(name)));
    }
    this.#unsubscribe.push(subscribe("theme", () => this.chart?.draw()));
    // What is scrolled away follows when it comes back.
    this.observer = new IntersectionObserver((entries) => {
      this.#seen = entries.at(-1).isIntersecting;
      if (this.#seen) this.#catchUp();
    });
    this.observer.observe(this.root);
    if (group.views.length) this.#fillTools();
  }

  #follow(name) {
    if (this.#seen) return this.chart?.update(name);
    this.#waiting.add(name);
    return null;
  }

  #catchUp() {
    const names = [...this.#waiting];
    this.#waiting.clear();
    if (names.length) this.chart?.update(...names);
  }

  #fillTools() {
    const { views } = this.group;
    this.chooser = element(
      "select",
      { "aria-label": `View of ${this.group.title}`, onchange: () => this.show(this.chooser.selectedIndex) },
      ...views.map((view) => element("option", {}, view.title)),
    );
    const step = (by) => this.show((this.index + by + views.length) % views.length);
    const walkers = views.length > 1
      ? [
          element("button", { type: "button", "aria-label": "Previous view", title: "Previous", onclick: () => step(-1) }, "‹"),
          this.chooser,
          element("button", { type: "button", "aria-label": "Next view", title: "Next", onclick: () => step(1) }, "›"),
        ]
      : [];
    this.pager = element("span", { class: "pager" });
    this.axes = element("span", { class: "axes" });
    this.exports = element(
      "span",
      { class: "exports" },
      element("button", { type: "button", title: "Back to the whole range", onclick: () => this.#draw() }, "Reset zoom"),
      element("button", { type: "button", title: "Save as a picture", onclick: () => this.chart?.saveImage("png", this.title) }, "PNG"),
      element("button", { type: "button", title: "Save as vectors", onclick: () => this.chart?.saveImage("svg", this.title) }, "SVG"),
      element("button", { type: "button", title: "Save as Vega-Lite, with its data", onclick: () => this.chart?.saveData(this.title) }, "JSON"),
    );
    refill(
      this.tools,
      walkers.length ? element("span", { class: "walkers" }, ...walkers) : null,
      this.pager, this.axes, this.exports,
    );
  }

  get view() {
    return this.group.views[this.index];
  }

  get title() {
    return this.view.title;
  }

  /** Show a view of the group; resolves when it is drawn, or when it says why not. */
  async show(index = 0) {
    this.index = index;
    this.page = 0;
    if (!this.group.views.length) {
      this.#say(`Not in this file: ${this.group.reason}`, "absent");
      return;
    }
    this.chooser.selectedIndex = index;
    this.chooser.title = this.title;
    refill(this.caption, this.group.views.length > 1 || this.title !== this.group.title ? this.title : null);
    await this.#load(this.view.key);
    this.#offerPages(this.view);
  }

  async #load(key) {
    this.#asked += 1;
    const asked = this.#asked;
    this.root.dataset.state = "loading";
    this.root.dataset.view = key;
    this.root.setAttribute("aria-busy", "true");
    refill(this.message, "Reading…");
    try {
      const spec = await source.read(inDataset(`view/${key}.json`));
      if (asked !== this.#asked) return;
      const logarithmic = this.chart ? ["x", "y"].filter((axis) => this.chart.isLogarithmic(axis)) : [];
      this.chart?.finalize();
      this.chart = new Chart(this.host, spec);
      this.#offerAxes(logarithmic);
      refill(this.description, spec.description ?? this.view.description);
      await this.#draw(asked);
    } catch (error) {
      if (asked === this.#asked) this.#fail(error);
    }
  }

  async #draw(asked = this.#asked) {
    try {
      await this.chart.draw();
      if (asked === this.#asked) this.#say("", "drawn");
    } catch (error) {
      if (asked === this.#asked) this.#fail(error);
    }
  }

  #fail(error) {
    this.chart?.finalize();
    this.chart = null;
    refill(this.host);
    refill(this.description);
    refill(this.axes ?? this.tools);
    this.#say(`It cannot be drawn: ${error.message}`, "failed");
  }

  #say(text, condition) {
    refill(this.message, text);
    this.root.dataset.state = condition;
    this.root.removeAttribute("aria-busy");
  }

  #offerAxes(before) {
    const buttons = (this.chart.offers.log ?? []).map((axis) =>
      toggle(`log ${axis}`, `Logarithmic ${axis} axis`, before.includes(axis), async (button) => {
        const on = !this.chart.isLogarithmic(axis);
        button.setAttribute("aria-pressed", String(on));
        await this.chart.setLogarithmic(axis, on).catch((error) => this.#fail(error));
      }),
    );
    refill(this.axes, ...buttons);
    for (const axis of before) {
      if (this.chart.offers.log?.includes(axis)) this.chart.setLogarithmic(axis, true).catch((error) => this.#fail(error));
    }
  }

  async #offerPages(view) {
    refill(this.pager);
    if (!view.pages) return;
    let count;
    try {
      ({ count } = await source.read(inDataset(`pages/${view.key}.json`)));
    } catch {
      return;
    }
    if (view !== this.view || count < 2) return;
    if (!source.live) {
      refill(this.pager, `The first of ${count} ${view.pages}s; a report holds no others`);
      return;
    }
    const input = element("input", {
      type: "number", min: "1", max: String(count), value: "1", "aria-label": `Number of the ${view.pages}`,
    });
    const turn = (to) => {
      this.page = Math.max(0, Math.min(count - 1, Math.round(to) || 0));
      input.value = String(this.page + 1);
      return this.#load(this.page ? `${view.key}.${this.page}` : view.key);
    };
    input.addEventListener("change", () => turn(Number(input.value) - 1));
    refill(
      this.pager,
      element("button", { type: "button", "aria-label": `Previous ${view.pages}`, onclick: () => turn(this.page - 1) }, "‹"),
      element("label", {}, `${view.pages} `, input, ` of ${count}`),
      element("button", { type: "button", "aria-label": `Next ${view.pages}`, onclick: () => turn(this.page + 1) }, "›"),
    );
  }

  close() {
    this.#asked += 1;
    this.observer.disconnect();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.chart?.finalize();
    super.close();
  }
}

/** The grid of panels. */
export class Desk {
  constructor(root) {
    this.root = root;
    this.panels = [];
  }

  /** Put a panel in the place of the one that is not kept. */
  open(panel) {
    const old = this.panels.findIndex((one) => !one.kept);
    panel.onclose = () => this.close(panel);
    if (old < 0) {
      this.panels.push(panel);
      this.root.append(panel.root);
    } else {
      const [replaced] = this.panels.splice(old, 1, panel);
      replaced.root.before(panel.root);
      replaced.close();
    }
    this.root.dataset.count = String(this.panels.length);
    return panel;
  }

  close(panel) {
    panel.close();
    this.panels = this.panels.filter((one) => one !== panel);
    this.root.dataset.count = String(this.panels.length);
    this.onempty?.(panel);
  }

  clear() {
    for (const panel of [...this.panels]) panel.close();
    this.panels = [];
    this.root.dataset.count = "0";
  }
}

// The working point: one cut, moved in all charts at once.

import { element, refill, shownNumber, textWithError } from "./dom.js";
import { parseFormula } from "./formula.js";
import { achieved, CutPoints } from "./points.js";
import { source } from "./source.js";
import { announce, inDataset, isShown, state, subscribe } from "./state.js";

const FIRST_FORMULA = "S/sqrt(S+B)";
const KNOWN_FORMULAE = ["S/sqrt(S+B)", "S/sqrt(B)", "S/B", "sqrt(2*((S+B)*log(1+S/B)-S))", "S/(1.5+sqrt(B))"];
const NO_RESPONSE = "No cut to set: no method left the responses of the test events, with the distributions of both classes.";
const NO_CUT = {
  Multiclass: "No cut to set: a method has one response for each class here, and an event is of the class with the largest.",
  Regression: "No cut to set: these methods estimate a target, and select no events.",
};
const NARROW = matchMedia("(max-width: 50rem)");
const SETTLING = 250; // milliseconds without a move before the exact numbers are asked for

export class WorkingPoint {
  #points = new Map();
  #index = 0;
  #typed = null; // what was typed lies between two points, and what the server answered to it
  #timer = 0;
  #frame = 0;
  #moving = false;
  #generation = 0;

  constructor(root) {
    this.root = root;
    subscribe("methods", () => this.#fillOthers());
    // On a wide page there is room for all of it.
    NARROW.addEventListener("change", () => {
      if (this.assumptions) this.assumptions.open = !NARROW.matches;
    });
  }

  /** Offer the methods of a dataset that has any with a response to cut on; else say why there is no cut. */
  open(catalogue) {
    this.#generation += 1;
    this.#points.clear();
    this.#typed = null;
    state.cuts = {};
    this.methods = catalogue.methods.map((method, number) => ({ ...method, number })).filter((method) => method.cuts);
    this.root.hidden = false;
    this.root.classList.toggle("without", this.methods.length === 0);
    if (this.methods.length) this.#build();
    else {
      refill(
        this.root,
        element("div", { class: "bar" }, element("h2", {}, "Working point"),
          element("p", { class: "message" }, NO_CUT[catalogue.analysis] ?? NO_RESPONSE)),
      );
    }
  }

  #build() {
    const field = (label, control, told = "") => element("label", { title: told }, element("span", {}, label), control);
    const number = (value, told, action) =>
      element("input", { type: "number", step: "any", value: String(value), "aria-label": told, onchange: action });
    this.method = element(
      "select",
      { "aria-label": "Method that is cut on", onchange: () => this.choose() },
      ...this.methods.map((method) => element("option", {}, method.name)),
    );
    this.range = element("input", {
      type: "range", min: "0", max: "1", value: "0", disabled: true, "aria-label": "Cut on the response",
      oninput: () => this.#slide(Number(this.range.value)),
    });
    this.cut = number("", "Cut on the response", () => this.#type());
    this.nS = number(1000, "Signal events before the cut", () => this.#expect());
    this.nB = number(1000, "Background events before the cut", () => this.#expect());
    for (const input of [this.nS, this.nB]) input.min = "0";
    this.formula = element("input", {
      type: "text", value: FIRST_FORMULA, list: "formulae", maxlength: "200", spellcheck: "false",
      "aria-label": "Significance, a formula of S and B", oninput: () => this.#expect(),
    });
    this.follow = element(
      "select",
      { "aria-label": "What the other methods do", onchange: () => this.#move() },
      element("option", { value: "efficiency" }, "at the same signal efficiency"),
      element("option", { value: "optimum" }, "each at its own optimum"),
    );
    this.figures = element("dl", { class: "figures" });
    this.spoken = element("p", { class: "spoken", role: "status", "aria-live": "polite" });
    this.problem = element("p", { class: "message", role: "alert" });
    this.others = element("tbody");
    this.perBin = element("tbody");
    const start = () => this.choose();
    this.starter = element("button", { type: "button", onclick: start }, "Set a cut");
    this.controls = element(
      "div",
      { class: "controls", hidden: true },
      field("Method", this.method),
      element("label", { class: "wide" }, element("span", {}, "Cut"), this.range),
      field("at", this.cut, "Selected is what lies on the signal's side of it"),
      element("button", { type: "button", onclick: () => this.#goToOptimum(), title: "Where the significance is largest" }, "Optimum"),
      element("button", { type: "button", onclick: () => this.#clear(), title: "No cut in the charts" }, "Clear"),
    );
    this.assumptions = element(
      "details",
      { class: "assumed", hidden: true, open: !NARROW.matches },
      element("summary", {}, "Events and significance"),
      element("div", { class: "controls" },
        field("N_S", this.nS, "Signal events before the cut"),
        field("N_B", this.nB, "Background events before the cut"),
        field("Significance", this.formula, "A formula of S and B, the selected events"),
        field("Others", this.follow)),
    );
    const head = (...titles) => element("thead", {}, element("tr", {}, ...titles.map((t) => element("th", { scope: "col" }, t))));
    const scrolled = (caption, top, body) =>
      element("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": caption },
        element("table", {}, element("caption", {}, caption), top, body));
    this.more = element(
      "div",
      { class: "more", hidden: true },
      element("details", {}, element("summary", {}, "All methods"),
        scrolled("All methods at their cuts", head("Method", "Cut", "ε_S", "ε_B", "Purity", "S", "B", "Significance"), this.others)),
      element("details", {}, element("summary", {}, "Events per bin"),
        scrolled("Events expected in each bin of the response", head("From", "to", "S", "B", "S/B", "Selected"), this.perBin)),
    );
    for (const details of this.more.children) details.addEventListener("toggle", () => this.#fillTables());
    refill(
      this.root,
      element("div", { class: "bar" }, element("h2", {}, "Working point"), this.starter, this.controls),
      element("datalist", { id: "formulae" }, ...KNOWN_FORMULAE.map((value) => element("option", { value }))),
      this.figures, this.spoken, this.problem, this.assumptions, this.more,
    );
    this.#readExpected();
  }

  /** Read the points of the chosen method, and begin at its optimum. */
  async choose() {
    const generation = this.#generation;
    const chosen = this.methods[Math.max(0, this.method.selectedIndex)];
    this.starter.hidden = true;
    this.controls.hidden = this.assumptions.hidden = this.more.hidden = false;
    refill(this.problem);
    try {
      const points = await this.#read(chosen);
      if (generation !== this.#generation || chosen !== this.methods[this.method.selectedIndex]) return;
      this.range.max = String(points.length - 1);
      this.range.disabled = false;
      this.#typed = null;
      this.#index = points.optimum(this.expected);
      await this.#move();
      for (const method of this.methods) {
        if (generation !== this.#generation) return;
        await this.#read(method).catch(() => null);
      }
      if (generation === this.#generation) await this.#move();
    } catch (error) {
      refill(this.problem, error.message);
    }
  }

  async #read(method) {
    if (!this.#points.has(method.name)) {
      const generation = this.#generation;
      const points = new CutPoints(await source.read(inDataset(`method/${method.number}/points.json`)));
      if (generation !== this.#generation) throw new Error("another dataset was chosen");
      this.#points.set(method.name, points);
    }
    return this.#points.get(method.name);
  }

  get chosen() {
    return this.methods[this.method.selectedIndex];
  }

  get current() {
    return this.#points.get(this.chosen?.name);
  }

  #readExpected() {
    const [nS, nB] = [Number(this.nS.value), Number(this.nB.value)];
    if (!(nS > 0 && nB > 0 && Number.isFinite(nS + nB))) throw new Error("N_S and N_B are positive numbers of events");
    this.expected = { nS, nB, merit: parseFormula(this.formula.value) };
  }

  #expect() {
    try {
      this.#readExpected();
      refill(this.problem);
      this.formula.removeAttribute("aria-invalid");
    } catch (error) {
      this.formula.setAttribute("aria-invalid", "true");
      refill(this.problem, error.message);
      return;
    }
    if (this.current) this.#move();
  }

  #slide(index) {
    this.#index = index;
    this.#typed = null;
    this.#schedule();
  }

  /** One move for all events between two frames, and none before the charts have followed the last. */
  #schedule() {
    if (this.#frame || this.#moving) return;
    this.#frame = requestAnimationFrame(async () => {
      this.#frame = 0;
      this.#moving = true;
      const index = this.#index;
      try {
        await this.#move();
      } finally {
        this.#moving = false;
      }
      if (index !== this.#index) this.#schedule();
    });
  }

  async #type() {
    const cut = Number(this.cut.value);
    if (!this.current || this.cut.value === "" || !Number.isFinite(cut)) return;
    this.#index = this.current.indexOfCut(cut);
    this.#typed = { cut, exact: null };
    await this.#move();
  }

  #goToOptimum() {
    this.#typed = null;
    this.#index = this.current.optimum(this.expected);
    this.#move();
  }

  #clear() {
    clearTimeout(this.#timer);
    state.cuts = {};
    this.starter.hidden = false;
    this.controls.hidden = this.assumptions.hidden = this.more.hidden = true;
    refill(this.figures);
    refill(this.spoken);
    announce("cuts");
  }

  /** What is selected now; exact, as soon as the server has told it. */
  #here() {
    const point = this.current.at(this.#index);
    if (!this.#typed) return point;
    const { cut, exact } = this.#typed;
    return exact ?? { ...point, cut };
  }

  async #move() {
    if (!this.current) return;
    const generation = this.#generation;
    const here = this.#here();
    this.range.value = String(this.#index);
    if (document.activeElement !== this.cut || !this.#typed) this.cut.value = String(here.cut);
    const result = achieved(here, this.expected);
    this.#show(result);
    this.rows = [];
    const cuts = {};
    for (const method of this.methods) {
      const points = this.#points.get(method.name);
      if (!points) continue;
      let row = result;
      if (points !== this.current) {
        const index = this.follow.value === "optimum" ? points.optimum(this.expected) : points.indexOfEfficiency(here.effS);
        row = achieved(points.at(index), this.expected);
      }
      cuts[method.name] = row.cut;
      this.rows.push([method.name, row]);
    }
    state.cuts = cuts;
    this.#fillTables();
    await announce("cuts");
    if (generation !== this.#generation) return;
    this.root.dataset.moved = String(Number(this.root.dataset.moved ?? 0) + 1);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#settle(result), SETTLING);
  }

  /** Say the figures to a screen reader once the slider rests, and ask for the exact ones of a typed cut. */
  async #settle(result) {
    refill(
      this.spoken,
      `${this.chosen.name}: cut ${shownNumber(result.cut)}, signal efficiency ${shownNumber(result.effS)}, ` +
        `background efficiency ${shownNumber(result.effB)}, purity ${shownNumber(result.purity)}, ` +
        `significance ${shownNumber(result.significance)}`,
    );
    const typed = this.#typed;
    if (!typed || typed.exact || !source.live) return;
    try {
      const found = await source.read(inDataset(`method/${this.chosen.number}/cut.json`), { cut: typed.cut });
      if (typed !== this.#typed) return;
      typed.exact = {
        cut: found.cut, effS: found.signal_efficiency, effB: found.background_efficiency,
        errS: found.signal_efficiency_error, errB: found.background_efficiency_error,
      };
      await this.#move();
    } catch (error) {
      refill(this.problem, error.message);
    }
  }

  #show(result) {
    const shown = [
      ["ε_S", "effS", result.effS, result.errS, "Signal efficiency"],
      ["ε_B", "effB", result.effB, result.errB, "Background efficiency"],
      ["Purity", "purity", result.purity, result.purityError, "S / (S + B)"],
      ["ε_S·purity", "product", result.product, 0, "Signal efficiency times purity"],
      ["S", "s", result.s, result.sError, "Signal events after the cut"],
      ["B", "b", result.b, result.bError, "Background events after the cut"],
      ["Significance", "significance", result.significance, result.significanceError, this.formula.value],
    ];
    refill(
      this.figures,
      ...shown.map(([label, key, value, error, told]) =>
        element("div", { title: told }, element("dt", {}, label), element("dd", { "data-figure": key, "data-value": value }, textWithError(value, error)))),
    );
    this.figures.dataset.approximate = String(Boolean(this.#typed) && !this.#typed.exact && !this.current.exact);
  }

  #fillTables() {
    const [all, perBin] = this.more.children;
    if (all.open) this.#fillOthers();
    if (!perBin.open || !this.rows?.length) return;
    const here = this.#here();
    refill(
      this.perBin,
      ...this.current.bins(here.cut, this.expected).map(({ low, high, s, b, selected }) =>
        element("tr", { class: selected > 0 ? "selected" : "" },
          ...[shownNumber(low), shownNumber(high), shownNumber(s), shownNumber(b), b > 0 ? shownNumber(s / b) : "–",
            selected === 1 ? "yes" : selected === 0 ? "no" : "in part"].map((text) => element("td", {}, text)))),
    );
  }

  #fillOthers() {
    if (!this.rows) return;
    refill(
      this.others,
      ...this.rows.filter(([name]) => isShown(name)).map(([name, row]) =>
        element("tr", { class: name === this.chosen.name ? "selected" : "" },
          element("th", { scope: "row" }, name),
          ...[shownNumber(row.cut), textWithError(row.effS, row.errS), textWithError(row.effB, row.errB), shownNumber(row.purity),
            shownNumber(row.s), shownNumber(row.b), textWithError(row.significance, row.significanceError)].map((text) => element("td", {}, text)))),
    );
  }
}

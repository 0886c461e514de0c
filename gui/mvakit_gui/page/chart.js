// One chart: drawn from its description, driven through its parameters, exported.

import { download, fileName } from "./dom.js";
import { vega } from "./source.js";
import { state } from "./state.js";
import { chartConfig } from "./theme.js";

const ATTACHED = 52; // pixels beside a panel of a grid: axis labels and the gap
const HALF_BOX = 60; // pixels around a place that is to be seen
const NARROWEST_PANEL = 120;
const WIDEST_PANEL = 1.7; // of the width that a panel has by itself
const LETTER = 0.58; // the width of a letter, of its height
const MARGIN = 64; // pixels before a title
const AROUND = 90; // pixels beside a chart's axis
const HEIGHT = 300; // pixels of an axis of unknown height
const AXIS_TITLE = 13; // pixels, bold
const LABEL = 11; // pixels
const RESIZING = 120; // milliseconds without another change of size
const ERRORS_ONLY = 1; // Vega's level of messages
const SYMBOL = 45; // pixels of a legend's symbol and gaps
const LEGEND_LETTER = 6;
const LONGEST_LABEL = 175; // as legends have it
const LONGEST_LINE = 120; // letters of a note

/** What a page may offer for a chart. */
export function offered(spec) {
  return spec.usermeta?.mvakit ?? {};
}

function walk(node, visit) {
  if (Array.isArray(node)) node.forEach((item) => walk(item, visit));
  else if (node && typeof node === "object") {
    visit(node);
    for (const [name, item] of Object.entries(node)) {
      if (name !== "data" && name !== "datasets") walk(item, visit);
    }
  }
}

/** Make every quantitative encoding of an axis logarithmic, with what the chart says takes the place of zero. */
export function makeLogarithmic(spec, axis) {
  const floor = offered(spec).logmin?.[axis];
  walk(spec, (node) => {
    const channel = node.encoding?.[axis];
    if (channel?.type === "quantitative" && channel.scale !== null) {
      const { zero, domain, ...kept } = channel.scale ?? {};
      channel.scale = { ...kept, type: "log" };
    }
    if (node.name === "floor" && "value" in node) node.value = floor;
  });
}

function isGrid(spec) {
  return "columns" in spec && ("facet" in spec || "concat" in spec || "repeat" in spec);
}

/** How many columns fill the rows evenly, of those that there is room for. */
function columnsOf(spec, width) {
  if (!isGrid(spec)) return 1;
  const { panel, methods } = offered(spec);
  const most = Math.max(1, Math.round((width - 10) / (panel + ATTACHED)));
  const panels = Math.max(1, spec.concat?.length ?? methods?.length ?? most);
  return Math.ceil(panels / Math.ceil(panels / most));
}

/** Let the panels of a grid fill its columns, less what turned out to be too much. */
function fitGrid(spec, width, excess) {
  const { panel, scrolls } = offered(spec);
  if (!panel || scrolls) return;
  const columns = columnsOf(spec, width);
  const room = Math.min(panel * WIDEST_PANEL, Math.floor((width - 10) / columns) - ATTACHED);
  const filling = Math.max(NARROWEST_PANEL, Math.floor(Math.min(room, isGrid(spec) ? room : panel) - excess / columns));
  const taller = Math.max(1, filling / panel);
  walk(spec, (node) => {
    if (isGrid(node)) node.columns = columns;
    if (node.width !== panel) return;
    node.width = filling;
    if (isGrid(spec) && typeof node.height === "number") node.height = Math.round(node.height * taller);
  });
}

function wrapped(text, letters) {
  if (text.length <= letters) return [text];
  const lines = [];
  let current = "";
  const pieces = new RegExp(`.{1,${letters}}`, "gu"); // of a word that is longer than a line
  for (const word of text.split(" ").flatMap((long) => long.match(pieces) ?? [])) {
    if (current && current.length + word.length + 1 > letters) {
      lines.push(current);
      current = word;
    } else current = current ? `${current} ${word}` : word;
  }
  return [...lines, current];
}

/** The expression of a label whose middle is left out where it has more letters than this. */
function shortening(letters) {
  const [before, after] = [Math.ceil(letters * 0.6) - 1, Math.floor(letters * 0.4)];
  return `length(datum.label) > ${letters} ? slice(datum.label, 0, ${before}) + '…' + slice(datum.label, -${after}) : datum.label`;
}

/** The names in the legends of a chart. */
function legendNames(spec) {
  const names = new Set();
  walk(spec, (node) => {
    for (const channel of ["color", "strokeDash", "shape"]) {
      const { scale, legend } = node.encoding?.[channel] ?? {};
      if (legend !== null && Array.isArray(scale?.domain)) scale.domain.forEach((name) => names.add(String(name)));
    }
  });
  return [...names];
}

/** Break notes into lines that fit, and legends into as many columns as do. */
function fitTexts(spec, width) {
  const { notes, panel, scrolls } = offered(spec);
  if (notes?.length && spec.title?.text) {
    // A title does not make a chart wider than it is.
    const room = panel && (scrolls || !isGrid(spec)) ? Math.min(width, panel) : width;
    const letters = Math.max(30, Math.min(LONGEST_LINE, Math.floor((room - MARGIN) / (LETTER * spec.title.fontSize))));
    spec.title.text = notes.flatMap((note) => wrapped(note, letters));
  }
  const names = legendNames(spec);
  const longest = Math.min(LONGEST_LABEL, LEGEND_LETTER * Math.max(0, ...names.map((name) => name.length)));
  const legend = spec.config?.legend;
  if (legend && names.length > 1) {
    const most = Math.max(1, Math.min(names.length, Math.floor(width / (longest + SYMBOL))));
    legend.columns = Math.ceil(names.length / Math.ceil(names.length / most));
  }
  // Names that differ at their ends only are to be told apart.
  walk(spec, (node) => {
    for (const channel of ["color", "strokeDash", "shape"]) {
      const { scale, legend: own } = node.encoding?.[channel] ?? {};
      if (own === null || typeof scale?.domain?.[0] !== "string") continue;
      node.encoding[channel].legend = { ...own, labelExpr: shortening(Math.floor(LONGEST_LABEL / LEGEND_LETTER)) };
    }
    if (node.facet?.header) node.facet.header.labelExpr = shortening(Math.floor((panel ?? width) / (LETTER * LABEL)));
  });
}

/** Break the titles of axes that are longer than the axes. */
function fitAxes(spec, width) {
  const length = { x: width - AROUND, y: HEIGHT };
  const visit = (node, outer) => {
    if (Array.isArray(node)) node.forEach((item) => visit(item, outer));
    else if (node && typeof node === "object") {
      const own = { x: typeof node.width === "number" ? node.width : outer.x, y: typeof node.height === "number" ? node.height : outer.y };
      for (const axis of ["x", "y"]) {
        const channel = node.encoding?.[axis];
        if (typeof channel?.title === "string") {
          const lines = wrapped(channel.title, Math.max(12, Math.floor(own[axis] / (LETTER * AXIS_TITLE))));
          if (lines.length > 1) channel.title = lines;
        }
      }
      for (const [name, item] of Object.entries(node)) if (!["data", "datasets", "encoding"].includes(name)) visit(item, own);
    }
  };
  visit(spec, length);
}

/** Make a chart fit into so many pixels. */
function fit(spec, width, excess) {
  fitGrid(spec, width, excess);
  fitTexts(spec, width);
  fitAxes(spec, width);
}

function refusingLoader() {
  const refuse = async () => {
    throw new Error("charts load nothing");
  };
  return { load: refuse, sanitize: refuse, http: refuse, file: refuse };
}

/** Put text where a mark would be that a screen reader cannot see. */
function describe(host, spec) {
  const drawn = host.querySelector("svg, canvas");
  if (!drawn) return;
  drawn.setAttribute("role", "img");
  if (spec.description) drawn.setAttribute("aria-label", spec.description);
}

export class Chart {
  #spec;
  #host;
  #result = null;
  #logarithmic = new Set();
  #generation = 0;
  #width = 0;
  #timer = 0;

  constructor(host, spec) {
    this.#host = host;
    this.#spec = spec;
    host.classList.toggle("scrolls", Boolean(this.offers.scrolls));
    this.#reach();
    this.observer = new ResizeObserver(() => this.#resized());
    this.observer.observe(host);
  }

  /** What scrolls is scrolled with the keyboard as well. */
  #reach() {
    const named = { tabindex: "0", role: "region", "aria-label": this.#spec.description ?? "Chart" };
    for (const [name, value] of Object.entries(named)) {
      if (this.offers.scrolls) this.#host.setAttribute(name, value);
      else this.#host.removeAttribute(name);
    }
  }

  /** Bring into sight what a chart that is larger than its place begins with. */
  #focus() {
    const { focus } = this.offers;
    const drawn = this.#host.querySelector("canvas");
    if (!focus || !drawn) return;
    const [right, down] = focus;
    const from = (place, room) => (place + HALF_BOX > room ? place - room / 2 : 0);
    this.#host.scrollLeft = from(right * drawn.clientWidth, this.#host.clientWidth);
    this.#host.scrollTop = from(down * drawn.clientHeight, this.#host.clientHeight);
  }

  get offers() {
    return offered(this.#spec);
  }

  isLogarithmic(axis) {
    return this.#logarithmic.has(axis);
  }

  /** Draw, or draw anew; of several at once only the last is kept. */
  async draw(excess = 0) {
    this.#generation += 1;
    const generation = this.#generation;
    await vega();
    this.#width = this.#host.clientWidth;
    const spec = structuredClone(this.#spec);
    for (const axis of this.#logarithmic) makeLogarithmic(spec, axis);
    fit(spec, this.#width, excess);
    const target = document.createElement("div");
    target.className = "drawing";
    this.#host.append(target);
    let result;
    try {
      result = await window.vegaEmbed(target, spec, {
        actions: false,
        ast: true,
        config: chartConfig(),
        defaultStyle: false,
        loader: refusingLoader(),
        logLevel: ERRORS_ONLY,
        mode: "vega-lite",
        renderer: "canvas",
        tooltip: { disableDefaultStyle: true, theme: "page" },
      });
    } catch (error) {
      target.remove();
      throw error;
    }
    if (generation !== this.#generation) {
      result.finalize();
      target.remove();
      return;
    }
    // Labels that are longer than most take what the panels have too much.
    const more = target.scrollWidth - this.#width;
    if (this.offers.panel && !this.offers.scrolls && more > 0 && excess === 0) {
      result.finalize();
      target.remove();
      await this.draw(more + 2);
      return;
    }
    const before = this.#result;
    const places = [this.#host.scrollLeft, this.#host.scrollTop];
    this.#result = result;
    before?.finalize();
    for (const child of [...this.#host.children]) if (child !== target) child.remove();
    if (before) [this.#host.scrollLeft, this.#host.scrollTop] = places;
    else this.#focus();
    await this.#settle(["methods", "classes", "cuts"]);
    describe(target, spec);
  }

  /** Tell the chart what was chosen; resolves once it is drawn. */
  update(...names) {
    return this.#settle(names);
  }

  async #settle(names) {
    if (!this.#result) return;
    const { view } = this.#result;
    const known = view.getState({ signals: (name) => names.includes(name), data: () => false }).signals;
    let changed = false;
    for (const name of names) {
      if (!(name in known)) continue;
      const wanted = this.#wanted(name);
      if (JSON.stringify(known[name]) === JSON.stringify(wanted)) continue;
      view.signal(name, wanted);
      changed = true;
    }
    if (changed) await view.runAsync();
  }

  #wanted(name) {
    if (name === "cuts") return state.cuts;
    const chosen = state[name];
    if (chosen === null) return null;
    // A chart of a single method shows it, chosen or not; so does one of a class that is not in the list.
    const there = this.offers[name] ?? [];
    return there.some((title) => chosen.includes(title)) || there.length > 1 ? chosen : null;
  }

  async setLogarithmic(axis, on) {
    if (on) this.#logarithmic.add(axis);
    else this.#logarithmic.delete(axis);
    await this.draw();
  }

  #resized() {
    if (!this.#result || this.#host.clientWidth === this.#width || this.#host.clientWidth === 0) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.draw().catch(() => {}), RESIZING);
  }

  async saveImage(kind, title) {
    if (!this.#result) return;
    const { view } = this.#result;
    if (kind === "svg") download(fileName(title, "svg"), await view.toSVG(), "image/svg+xml");
    else download(fileName(title, "png"), await view.toImageURL("png", 2), "image/png");
  }

  saveData(title) {
    const text = JSON.stringify({ $schema: "https://vega.github.io/schema/vega-lite/v6.json", ...this.#spec });
    download(fileName(title, "vl.json"), text, "application/json");
  }

  finalize() {
    this.#generation += 1;
    clearTimeout(this.#timer);
    this.observer.disconnect();
    this.#result?.finalize();
    this.#result = null;
  }
}

// One chart: drawn from its description, driven through its parameters, exported.

import { download, fileName } from "./dom.js";
import { vega } from "./source.js";
import { state } from "./state.js";
import { chartConfig } from "./theme.js";

const ATTACHED = 52; // pixels beside a panel of a grid: axis labels and the gap
const NARROWEST_PANEL = 120;
const LETTER = 0.56; // the width of a letter, of its height
const MARGIN = 40; // pixels before a title
const RESIZING = 120; // milliseconds without another change of size
const ERRORS_ONLY = 1; // Vega's level of messages
const SYMBOL = 45; // pixels of a legend's symbol and gaps

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

/** Let a grid have as many columns as there is room for, and its panels fill that. */
function fitGrid(spec, width, attached) {
  const { panel, scrolls } = offered(spec);
  if (!panel || scrolls) return;
  const columns = isGrid(spec) ? Math.max(1, Math.round((width - 10) / (panel + attached))) : 1;
  const room = Math.max(NARROWEST_PANEL, Math.floor((width - 10) / columns) - attached);
  const filling = isGrid(spec) ? room : Math.min(panel, room);
  walk(spec, (node) => {
    if (isGrid(node)) node.columns = columns;
    if (node.width === panel) node.width = filling;
  });
}

function wrapped(text, letters) {
  const given = [text].flat().map(String);
  if (given.every((line) => line.length <= letters)) return given;
  const lines = [];
  let current = "";
  for (const word of given.join(" ").split(" ")) {
    if (current && current.length + word.length + 1 > letters) {
      lines.push(current);
      current = word;
    } else current = current ? `${current} ${word}` : word;
  }
  return [...lines, current];
}

/** Break titles into lines that fit, and legends into as many columns as do. */
function fitTexts(spec, width) {
  const letters = (size) => Math.max(20, Math.floor((width - MARGIN) / (LETTER * size)));
  const { title } = spec;
  if (typeof title === "string") spec.title = { text: wrapped(title, letters(13)) };
  else if (title) {
    if (title.text) title.text = wrapped(title.text, letters(title.fontSize ?? 13));
    if (title.subtitle) title.subtitle = wrapped(title.subtitle, letters(title.subtitleFontSize ?? 11));
  }
  const names = [...(offered(spec).methods ?? []), ...(offered(spec).classes ?? [])];
  const longest = Math.min(220, 6 * Math.max(0, ...names.map((name) => name.length)));
  const legend = spec.config?.legend;
  if (legend && names.length > 1) legend.columns = Math.max(1, Math.floor(width / (longest + SYMBOL)));
}

/** Make a chart fit into so many pixels, of which each panel of a grid leaves some to its labels. */
function fit(spec, width, attached) {
  fitGrid(spec, width, attached);
  fitTexts(spec, width);
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
    this.observer = new ResizeObserver(() => this.#resized());
    this.observer.observe(host);
  }

  get offers() {
    return offered(this.#spec);
  }

  isLogarithmic(axis) {
    return this.#logarithmic.has(axis);
  }

  /** Draw, or draw anew; of several at once only the last is kept. */
  async draw(attached = ATTACHED) {
    this.#generation += 1;
    const generation = this.#generation;
    await vega();
    this.#width = this.#host.clientWidth;
    const spec = structuredClone(this.#spec);
    for (const axis of this.#logarithmic) makeLogarithmic(spec, axis);
    fit(spec, this.#width, attached);
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
    const excess = target.scrollWidth - this.#width;
    if (this.offers.panel && !this.offers.scrolls && excess > 0 && attached === ATTACHED) {
      result.finalize();
      target.remove();
      await this.draw(ATTACHED + excess);
      return;
    }
    const before = this.#result;
    this.#result = result;
    before?.finalize();
    for (const child of [...this.#host.children]) if (child !== target) child.remove();
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

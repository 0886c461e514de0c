// The card of a method: the options, variables and training behind it.

import { element, refill, shownNumber } from "./dom.js";
import { Panel } from "./panel.js";
import { source } from "./source.js";
import { inDataset, state } from "./state.js";

export function listing(title, heads, rows) {
  if (!rows.length) return null;
  return element("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": title },
    element("table", {},
      element("caption", {}, title),
      element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head)))),
      element("tbody", {}, ...rows.map(([first, ...others]) =>
        element("tr", {}, element("th", { scope: "row" }, first), ...others.map((text) => element("td", {}, text ?? ""))))),
    ));
}

function variables(title, found) {
  const number = (value) => (value === undefined ? "" : shownNumber(value));
  return listing(title, ["Name", "Expression", "Title", "Unit", "From", "to"],
    found.map((v) => [v.label, v.expression, v.title, v.unit, number(v.minimum), number(v.maximum)]));
}

export class CardPanel extends Panel {
  constructor() {
    super("Method");
    this.root.dataset.group = "card";
    this.chooser = element("select", { "aria-label": "Method", onchange: () => this.show(this.chooser.selectedIndex) },
      ...state.catalogue.methods.map((method) => element("option", {}, method.name)));
    refill(this.tools, this.chooser);
  }

  async show(number = 0) {
    this.chooser.selectedIndex = number;
    this.asked = number;
    this.root.dataset.state = "loading";
    refill(this.body, element("p", { class: "message", role: "status" }, "Reading…"));
    let card;
    try {
      card = await source.read(inDataset(`method/${number}/card.json`));
    } catch (error) {
      refill(this.body, element("p", { class: "message", role: "alert" }, error.message));
      this.root.dataset.state = "failed";
      return;
    }
    if (this.asked !== number) return;
    refill(this.heading, `${card.name} (${card.type})`);
    refill(
      this.body,
      card.obstacle ? element("p", { class: "message" }, card.obstacle) : null,
      card.weights ? element("p", {}, `Weight file: ${card.weights}`) : null,
      card.transformations.length ? element("p", {}, `Transformations before the method: ${card.transformations.join(", ")}`) : null,
      card.weights && !card.options.length ? element("p", {}, `All ${card.optionCount} options have their defaults.`) : null,
      listing(`Options changed from their defaults (${card.options.length} of ${card.optionCount})`,
        ["Option", "Value", "Default", "What it does"],
        card.options.map((option) => [option.name, option.value, option.default ?? "?", option.help])),
      variables("Variables", card.variables),
      variables("Targets", card.targets),
      variables("Spectators", card.spectators),
      listing("Models within", ["Title", "Method", ""], card.parts.map((part) => [part.title, part.method, part.says])),
      listing("Training", ["", ""], Object.entries(card.training)),
      card.needs.length ? element("ul", {}, ...card.needs.map((need) => element("li", {}, need))) : null,
    );
    this.root.dataset.state = "drawn";
  }
}

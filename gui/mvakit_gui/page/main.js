// The page: the list of views at the side, the panels in the middle, the working point below.

import { CardPanel } from "./card.js";
import { element, refill, roving } from "./dom.js";
import { Desk, ViewPanel } from "./panel.js";
import { fillPicker } from "./picker.js";
import { WorkingPoint } from "./slider.js";
import { source, vega } from "./source.js";
import { inDataset, state } from "./state.js";
import { TablePanel } from "./table.js";
import { bindTheme } from "./theme.js";

const byId = (id) => document.getElementById(id);
const desk = new Desk(byId("desk"));
const workingPoint = new WorkingPoint(byId("working-point"));
const narrow = matchMedia("(max-width: 50rem)");

function mark(current) {
  for (const button of byId("views").querySelectorAll("button")) {
    if (button === current) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

function present(panel, focus) {
  desk.open(panel);
  if (narrow.matches && focus) byId("side").open = false;
  if (focus) {
    panel.heading.focus({ preventScroll: true });
    panel.root.scrollIntoView({ block: "nearest" });
  }
  return panel;
}

function openGroup(group, number, focus = true) {
  return present(new ViewPanel(group, number), focus).show(0);
}

function openCard(number) {
  return present(new CardPanel(), true).show(number);
}

function openTable() {
  return present(new TablePanel(openCard), true).show();
}

function item(number, title, reason, action) {
  const button = element(
    "button",
    { type: "button", "aria-disabled": reason ? "true" : null, title: reason ?? title },
    element("span", { class: "number" }, number),
    element("span", { class: "title" }, title),
    reason ? element("span", { class: "reason" }, reason) : null,
  );
  button.addEventListener("click", () => {
    mark(button);
    action();
  });
  return element("li", {}, button);
}

function fillViews(catalogue) {
  refill(
    byId("views"),
    ...catalogue.groups.map((group, number) =>
      item(group.key.replace(/-.*/, ""), group.title, group.reason, () => openGroup(group, number))),
    item("▦", "Results", null, openTable),
    catalogue.methods.length ? item("⚙", "Methods and their options", null, () => openCard(0)) : null,
  );
  roving(byId("views"), "button");
}

async function openDataset(number) {
  state.dataset = number;
  state.methods = state.classes = null;
  state.cuts = {};
  desk.clear();
  const catalogue = await source.read(inDataset("catalogue.json"));
  if (state.dataset !== number) return;
  state.catalogue = catalogue;
  document.title = `${catalogue.name} – ${state.index.files.join(", ")}`;
  refill(byId("analysis"), catalogue.analysis);
  fillViews(catalogue);
  fillPicker(byId("pickers"), catalogue);
  workingPoint.open(catalogue);
  const first = catalogue.groups.findIndex((group) => group.views.length);
  if (first >= 0) {
    mark(byId("views").querySelectorAll("button")[first]);
    await openGroup(catalogue.groups[first], first, false);
  } else await openTable();
}

function complain(error) {
  refill(byId("problem"), `It cannot be shown: ${error.message}`);
  byId("problem").hidden = false;
}

async function begin() {
  vega().catch(() => {}); // it comes while the list is read; who draws first is told if it does not
  bindTheme(byId("theme"));
  byId("side").open = !narrow.matches;
  narrow.addEventListener("change", () => (byId("side").open = !narrow.matches));
  desk.onempty = () => byId("views").querySelector("[tabindex='0']")?.focus();
  const index = await source.read("index.json");
  state.index = index;
  refill(byId("files"), index.files.join(" + "));
  byId("files").title = index.files.join("\n");
  const chooser = byId("dataset");
  refill(chooser, ...index.datasets.map((name) => element("option", {}, name)));
  chooser.selectedIndex = index.start;
  byId("datasets").hidden = index.datasets.length < 2;
  chooser.addEventListener("change", () => openDataset(chooser.selectedIndex).catch(complain));
  document.documentElement.dataset.ready = "true";
  await openDataset(index.start);
}

begin().catch(complain);

// The table of results: filled row by row, sorted by any column, saved as CSV.

import { listing } from "./card.js";
import { download, element, fileName, refill, withError } from "./dom.js";
import { Panel } from "./panel.js";
import { source } from "./source.js";
import { inDataset, isShown, state, subscribe } from "./state.js";

function quoted(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  // A text that a spreadsheet would compute is kept a text.
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export class TablePanel extends Panel {
  #rows = [];
  #details = new Map(); // of each method whose options are shown
  #sort = { key: null, falling: true };
  #closed = false;

  constructor(openCard) {
    super("Results");
    this.openCard = openCard;
    this.root.dataset.group = "results";
    this.root.classList.add("wide");
    this.unsubscribe = subscribe("methods", () => this.#fill());
    this.message = element("p", { class: "message", role: "status" });
    this.save = element("button", { type: "button", title: "Save as comma-separated values", onclick: () => this.#save() }, "CSV");
    refill(this.tools, this.save);
  }

  async show() {
    const { dataset, catalogue } = state;
    this.root.dataset.state = "loading";
    try {
      this.columns = await source.read(inDataset("table.json"));
      if (catalogue.files.length > 1) this.columns.splice(1, 0, { key: "file", title: "File", told: "The result file", error: "" });
    } catch (error) {
      refill(this.body, element("p", { class: "message" }, error.message));
      this.root.dataset.state = "failed";
      return;
    }
    this.heads = this.columns.map((column) =>
      element("th", { scope: "col", "aria-sort": "none" },
        element("button", { type: "button", title: column.told, onclick: () => this.#sortBy(column.key) }, column.title)));
    this.rows = element("tbody");
    refill(
      this.body,
      element("div", { class: "scrolled", tabindex: "0", role: "region", "aria-label": "Table of results" },
        element("table", { class: "results" },
          element("thead", {}, element("tr", {}, ...this.heads)), this.rows)),
      this.message,
    );
    for (const [number] of catalogue.methods.entries()) {
      refill(this.message, `Measuring ${number + 1} of ${catalogue.methods.length}…`);
      const row = await source
        .read(inDataset(`method/${number}/row.json`))
        .catch((error) => ({ name: catalogue.methods[number].name, type: catalogue.methods[number].type, remark: error.message }));
      if (this.#closed || dataset !== state.dataset) return;
      const { title, file } = catalogue.methods[number];
      this.#rows.push({ ...row, number, title, file });
      this.#fill();
    }
    refill(this.message);
    const by = this.columns.find((column) => column.error);
    if (by && this.#sort.key === null) this.#sortBy(by.key, !by.key.startsWith("rms"));
    this.root.dataset.state = "drawn";
  }

  #sortBy(key, falling = this.#sort.key === key ? !this.#sort.falling : !["name", "type", "file"].includes(key)) {
    this.#sort = { key, falling };
    this.columns.forEach((column, i) =>
      this.heads[i].setAttribute("aria-sort", column.key !== key ? "none" : falling ? "descending" : "ascending"));
    this.#fill();
  }

  #sorted() {
    const { key, falling } = this.#sort;
    const shown = this.#rows.filter((row) => isShown(row.name));
    if (key === null) return shown;
    const absent = (value) => value === null || value === undefined;
    return shown.sort((a, b) => {
      if (absent(a[key]) || absent(b[key])) return Number(absent(a[key])) - Number(absent(b[key]));
      const order = typeof a[key] === "number" ? a[key] - b[key] : String(a[key]).localeCompare(String(b[key]));
      return falling ? -order : order;
    });
  }

  #fill() {
    if (!this.rows) return;
    refill(this.rows, ...this.#sorted().flatMap((row) => [this.#line(row), this.#details.get(row.number)]));
  }

  /** Show the options behind a method below its row, or hide them. */
  async #toggle(row) {
    const shown = this.#details.delete(row.number);
    if (!shown) this.#details.set(row.number, this.#detail(row));
    this.#fill();
    this.rows.querySelector(`button[data-number="${row.number}"]`)?.focus();
  }

  #detail(row) {
    const cell = element("td", { colspan: String(this.columns.length) }, "Reading…");
    source.read(inDataset(`method/${row.number}/card.json`)).then(
      (card) =>
        refill(cell,
          card.obstacle ? element("p", { class: "message" }, card.obstacle) : null,
          card.weights && !card.options.length ? element("p", {}, `All ${card.optionCount} options have their defaults.`) : null,
          listing(`Options of ${row.name} changed from their defaults (${card.options.length} of ${card.optionCount})`,
            ["Option", "Value", "Default"], card.options.map((option) => [option.name, option.value, option.default ?? "?"])),
          element("button", { type: "button", onclick: () => this.openCard(row.number) }, "Variables, training and more")),
      (error) => refill(cell, error.message),
    );
    return element("tr", { class: "detail" }, cell);
  }

  #line(row) {
    const cells = this.columns.map((column) => {
      const value = row[column.key];
      if (column.key === "name") return element("th", { scope: "row" }, ...this.#opener(row));
      if (typeof value !== "number") return element("td", { class: value ? "" : "none" }, value ?? "–");
      const [shown, error] = withError(value, row[column.error]);
      return element("td", { class: "number" }, shown, error === null ? null : element("small", {}, ` ± ${error}`));
    });
    return element("tr", { class: "method", title: row.remark ?? "" }, ...cells);
  }

  #opener(row) {
    const open = String(this.#details.has(row.number));
    return [
      element("button", {
        type: "button", class: "opener", "data-number": String(row.number), "aria-expanded": open,
        title: `Options of ${row.name}`, onclick: () => this.#toggle(row),
      }, this.columns.some((column) => column.key === "file") ? row.title : row.name),
      row.remark ? element("small", {}, row.remark) : null,
    ];
  }

  #save() {
    if (!this.columns) return;
    const keys = this.columns.flatMap((column) => [column.key, column.error].filter(Boolean));
    const titles = this.columns.flatMap((column) => [column.title, column.error ? `${column.title} error` : ""].filter(Boolean));
    const several = keys.includes("file");
    const cell = (row, key) => (several && key === "name" ? row.title : row[key]);
    const lines = [titles, ...this.#sorted().map((row) => keys.map((key) => cell(row, key)))];
    const text = lines.map((line) => line.map(quoted).join(",")).join("\r\n");
    download(fileName(`${state.catalogue.name} results`, "csv"), `${text}\r\n`, "text/csv");
  }

  close() {
    this.#closed = true;
    this.unsubscribe();
    super.close();
  }
}

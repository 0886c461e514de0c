// The table of results: filled row by row, sorted by any column, saved as CSV.

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
          element("thead", {}, element("tr", {}, ...this.heads, element("th", { scope: "col" }, "Options"))), this.rows)),
      this.message,
    );
    for (const [number] of catalogue.methods.entries()) {
      refill(this.message, `Measuring ${number + 1} of ${catalogue.methods.length}…`);
      const row = await source
        .read(inDataset(`method/${number}/row.json`))
        .catch((error) => ({ name: catalogue.methods[number].name, type: catalogue.methods[number].type, remark: error.message }));
      if (this.#closed || dataset !== state.dataset) return;
      this.#rows.push({ ...row, number });
      this.#fill();
    }
    refill(this.message);
    const by = this.columns.find((column) => column.error);
    if (by && this.#sort.key === null) this.#sortBy(by.key, !by.key.startsWith("rms"));
    this.root.dataset.state = "drawn";
  }

  #sortBy(key, falling = this.#sort.key === key ? !this.#sort.falling : !["name", "type"].includes(key)) {
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
    refill(this.rows, ...this.#sorted().map((row) => this.#line(row)));
  }

  #line(row) {
    const cells = this.columns.map((column) => {
      const value = row[column.key];
      if (column.key === "name") return element("th", { scope: "row" }, value);
      if (typeof value !== "number") return element("td", { class: value ? "" : "none" }, value ?? "–");
      const [shown, error] = withError(value, row[column.error]);
      return element("td", { class: "number" }, shown, error === null ? null : element("small", {}, ` ± ${error}`));
    });
    return element("tr", { title: row.remark ?? "" }, ...cells,
      element("td", {},
        element("button", { type: "button", "aria-label": `Options of ${row.name}`, onclick: () => this.openCard(row.number) }, "show"),
        row.remark ? element("small", {}, ` ${row.remark}`) : null));
  }

  #save() {
    if (!this.columns) return;
    const keys = this.columns.flatMap((column) => [column.key, column.error].filter(Boolean));
    const titles = this.columns.flatMap((column) => [column.title, column.error ? `${column.title} error` : ""].filter(Boolean));
    const lines = [titles, ...this.#sorted().map((row) => keys.map((key) => row[key]))];
    const text = lines.map((line) => line.map(quoted).join(",")).join("\r\n");
    download(fileName(`${state.catalogue.name} results`, "csv"), `${text}\r\n`, "text/csv");
  }

  close() {
    this.#closed = true;
    this.unsubscribe();
    super.close();
  }
}

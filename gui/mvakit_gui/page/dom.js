// Elements made from texts: nothing that comes from a file is ever read as HTML.

/** Make an element; properties that begin with "on" are listeners, children are nodes or texts. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else if (["value", "checked", "disabled", "selected", "open"].includes(name)) made[name] = value;
    else made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** Put other children in the place of those that are there. */
export function refill(parent, ...children) {
  parent.replaceChildren(...children.filter((child) => child !== null && child !== undefined));
}

/** A number for people: so many significant digits, no trailing noise. */
export function shownNumber(value, digits = 4) {
  if (value === null || value === undefined || Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value !== 0 && (Math.abs(value) >= 1e6 || Math.abs(value) < 1e-4)) return value.toExponential(digits - 1);
  return String(Number(value.toPrecision(digits)));
}

/** A number with its uncertainty, both to the second significant digit of that; null where there is none. */
export function withError(value, error) {
  if (!(error > 0) || !Number.isFinite(value) || !Number.isFinite(error)) return [shownNumber(value), null];
  const decimals = Math.max(0, Math.min(12, 1 - Math.floor(Math.log10(error))));
  return decimals > 8 || Math.abs(value) >= 1e6
    ? [shownNumber(value), shownNumber(error, 2)]
    : [value.toFixed(decimals), error.toFixed(decimals)];
}

/** The same as one text. */
export function textWithError(value, error) {
  const [shown, uncertainty] = withError(value, error);
  return uncertainty === null ? shown : `${shown} ± ${uncertainty}`;
}

/** Hand a file to the browser's downloads. */
export function download(name, content, type) {
  const url = content.startsWith("data:") ? content : URL.createObjectURL(new Blob([content], { type }));
  const link = element("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  if (url.startsWith("blob:")) setTimeout(() => URL.revokeObjectURL(url), 60000);
}

/** A file name made of a title. */
export function fileName(title, suffix) {
  return `${title.replace(/[^\p{L}\p{N}_.-]+/gu, "_").slice(0, 80) || "chart"}.${suffix}`;
}

let numbered = 0;

/** A fresh id, for labels and descriptions. */
export function freshId(stem) {
  numbered += 1;
  return `${stem}-${numbered}`;
}

/** Let the arrow keys, Home and End walk through the items of a list; one of them alone is a tab stop. */
export function roving(list, selector) {
  const items = () => [...list.querySelectorAll(selector)].filter((item) => item.offsetParent !== null);
  const settle = (chosen) => {
    for (const item of list.querySelectorAll(selector)) item.tabIndex = item === chosen ? 0 : -1;
  };
  list.addEventListener("focusin", (event) => {
    const item = event.target.closest(selector);
    if (item) settle(item);
  });
  list.addEventListener("keydown", (event) => {
    const all = items();
    const here = all.indexOf(document.activeElement);
    if (here < 0) return;
    const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    all[Math.max(0, Math.min(all.length - 1, to))].focus();
  });
  settle(list.querySelector(selector));
}

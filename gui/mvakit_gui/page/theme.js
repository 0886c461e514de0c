// Light and dark: the system's choice until the person makes another; charts take their colours from the style sheet.

import { announce } from "./state.js";

const THEME_KEY = "mvakit-theme";
const THEMES = ["auto", "light", "dark"];

function stored() {
  try {
    const found = localStorage.getItem(THEME_KEY);
    return THEMES.includes(found) ? found : "auto";
  } catch {
    return "auto";
  }
}

let theme = stored();

function applyTheme(button) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  button.textContent = { auto: "◐ auto", light: "☀ light", dark: "☾ dark" }[theme];
  button.setAttribute("aria-label", `Colours: ${theme}. Change`);
}

/** Make a button that changes between the system's colours, light and dark ones. */
export function bindTheme(button) {
  applyTheme(button);
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    try {
      localStorage.setItem(THEME_KEY, theme);
    } catch {
      // It is then chosen anew each time.
    }
    applyTheme(button);
    announce("theme");
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => announce("theme"));
}

/** Remember for the printed page in which colours the charts are drawn. */
function noteColours(style) {
  document.documentElement.dataset.printed = style.colorScheme.includes("dark") ? "dark" : "light";
}

/** The colours of charts, as a Vega-Lite configuration. */
export function chartConfig() {
  const style = getComputedStyle(document.documentElement);
  noteColours(style);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const [text, soft, line, back] = ["text", "soft", "line", "panel"].map(color);
  const font = "system-ui, sans-serif";
  return {
    background: back,
    font,
    axis: { labelColor: text, titleColor: text, domainColor: soft, tickColor: soft, gridColor: line },
    legend: { labelColor: text, titleColor: text, labelLimit: 220 },
    header: { labelColor: text, titleColor: text },
    title: { color: text, subtitleColor: soft },
    view: { stroke: line },
    style: { "guide-label": { font }, "guide-title": { font }, cell: { stroke: line } },
    rule: { color: text },
    text: { color: text },
  };
}

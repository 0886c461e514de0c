// Which methods and classes are shown: check boxes, with a search where there are many.

import { element, refill } from "./dom.js";
import { announce, state } from "./state.js";

const SEARCHED_FROM = 8;

function checkList(name, titles, chosen, changed) {
  const boxes = titles.map((title) => element("input", { type: "checkbox", checked: chosen(title) }));
  const labels = titles.map((title, i) => element("label", { title }, boxes[i], element("span", {}, title)));
  const tell = () => changed(titles.filter((_, i) => boxes[i].checked));
  const set = (choose) => {
    boxes.forEach((box, i) => {
      if (!labels[i].hidden) box.checked = choose(box.checked);
    });
    tell();
  };
  for (const box of boxes) box.addEventListener("change", tell);
  const button = (text, told, choose) =>
    element("button", { type: "button", title: told, onclick: () => set(choose) }, text);
  const search = element("input", {
    type: "search", placeholder: "Search", "aria-label": `Search ${name.toLowerCase()}`,
    oninput: () => {
      const wanted = search.value.trim().toLowerCase();
      titles.forEach((title, i) => (labels[i].hidden = !title.toLowerCase().includes(wanted)));
    },
  });
  return element(
    "fieldset",
    { class: "picker" },
    element("legend", {}, `${name} (${titles.length})`),
    titles.length >= SEARCHED_FROM ? search : null,
    element("div", { class: "buttons" },
      button("All", `Show all ${name.toLowerCase()}`, () => true),
      button("None", `Show none of the ${name.toLowerCase()}`, () => false),
      button("Invert", "Show what is hidden, and hide what is shown", (checked) => !checked)),
    element("div", { class: "list" }, ...labels),
  );
}

/** Fill the place of the lists for a dataset. */
export function fillPicker(root, catalogue) {
  const lists = [
    ["methods", "Methods", catalogue.methods.map((method) => method.name)],
    ["classes", "Classes", catalogue.classes],
  ];
  refill(
    root,
    ...lists.filter(([, , titles]) => titles.length > 1).map(([key, name, titles]) =>
      checkList(name, titles, () => true, (chosen) => {
        state[key] = chosen.length === titles.length ? null : chosen;
        announce(key);
      })),
  );
}

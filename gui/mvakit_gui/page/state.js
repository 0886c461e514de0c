// What the person has chosen, and who is to be told when it changes.

export const state = {
  dataset: 0,
  index: null,
  catalogue: null,
  methods: null, // titles that are shown; null for all of them
  classes: null,
  cuts: {}, // the cut on each method's response
};

const listeners = new Map();

/** Call a function whenever something of this name was changed. */
export function subscribe(name, listener) {
  if (!listeners.has(name)) listeners.set(name, new Set());
  listeners.get(name).add(listener);
  return () => listeners.get(name).delete(listener);
}

/** Tell that something was changed; returns what the listeners returned. */
export function announce(name) {
  return Promise.all([...(listeners.get(name) ?? [])].map((listener) => listener()));
}

/** Whether a method is among those that are shown. */
export function isShown(method) {
  return state.methods === null || state.methods.includes(method);
}

/** The path of a document of the dataset that is looked at. */
export function inDataset(path) {
  return `d/${state.dataset}/${path}`;
}

// Where documents come from: the server beside this page, or the page itself when it is a report.

const TOKEN = new URLSearchParams(location.search).get("token");

// On the loopback addresses a cookie carries the token from now on, and the address need not show it.
if (TOKEN && /^(localhost|127\.[\d.]+|\[::1\])$/.test(location.hostname)) {
  try {
    history.replaceState(null, "", location.pathname);
  } catch {
    // A frame that may not touch its history shows the token on.
  }
}

function loadScript(address) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = address;
    script.onload = resolve;
    script.onerror = () => reject(new Error("the drawing library cannot be loaded"));
    document.head.append(script);
  });
}

async function inflated(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).text();
}

class ServerSource {
  live = true;

  async read(path, query = {}) {
    const asked = new URLSearchParams(query).toString();
    let response;
    try {
      response = await fetch(`data/${path}${asked ? `?${asked}` : ""}`, {
        headers: TOKEN ? { "X-Mvakit-Token": TOKEN } : {},
      });
    } catch {
      throw new Error("the server does not answer; was it ended?");
    }
    const found = await response.json().catch(() => ({ error: `the server answered ${response.status}` }));
    if (!response.ok) throw new Error(found.error ?? `the server answered ${response.status}`);
    return found;
  }

  loadVega() {
    return loadScript("vega.js");
  }
}

class ReportSource {
  live = false;
  #places;
  #chunks = new Map();

  constructor(places) {
    this.#places = places;
  }

  #chunk(number) {
    if (!this.#chunks.has(number)) {
      const packed = document.getElementById(`mvakit-chunk-${number}`).textContent;
      this.#chunks.set(number, inflated(packed).then(JSON.parse));
    }
    return this.#chunks.get(number);
  }

  async read(path) {
    if (!Object.hasOwn(this.#places, path)) throw new Error("this report does not hold it");
    const found = (await this.#chunk(this.#places[path]))[path];
    if (found && found.error) throw new Error(found.error);
    return structuredClone(found);
  }

  async loadVega() {
    const script = await inflated(document.getElementById("mvakit-vega").textContent);
    const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    await loadScript(address);
    URL.revokeObjectURL(address);
  }
}

function chosenSource() {
  const places = document.getElementById("mvakit-places");
  return places ? new ReportSource(JSON.parse(places.textContent)) : new ServerSource();
}

export const source = chosenSource();

let vegaLoading = null;

/** Load Vega once; the page can be used while it comes. */
export function vega() {
  vegaLoading ??= source.loadVega();
  return vegaLoading;
}

// What cuts select, from points that the server took from the events. No drawing here.

function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Float64Array(bytes.buffer);
}

/** The cuts of one method, from the loosest to the tightest. */
export class CutPoints {
  constructor(document) {
    this.name = document.name;
    this.orientation = document.orientation;
    this.exact = document.exact;
    for (const field of ["cuts", "effS", "effB", "errS", "errB", "edges", "binsS", "binsB"]) {
      this[field] = unpacked(document[field]);
    }
  }

  get length() {
    return this.cuts.length;
  }

  /** The loosest of the points that is not looser than this cut; the last one if all are. */
  indexOfCut(cut) {
    let [low, high] = [0, this.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.orientation * (this.cuts[middle] - cut) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The tightest point that keeps at least this signal efficiency. */
  indexOfEfficiency(efficiency) {
    let [low, high] = [0, this.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.effS[middle] >= efficiency - 1e-12) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The point of the largest significance, the loosest of equal ones. */
  optimum(expected) {
    let [best, found] = [-Infinity, 0];
    for (let i = 0; i < this.length; i += 1) {
      const value = expected.merit(expected.nS * this.effS[i], expected.nB * this.effB[i])[0];
      if (value > best) [best, found] = [value, i];
    }
    return found;
  }

  at(index) {
    return {
      cut: this.cuts[index],
      effS: this.effS[index],
      effB: this.effB[index],
      errS: this.errS[index],
      errB: this.errB[index],
    };
  }

  /** Events expected in each bin of the response, and how much of the bin the cut selects: 1, 0, or something between. */
  bins(cut, expected) {
    const found = [];
    for (let i = 0; i + 1 < this.edges.length; i += 1) {
      const [low, high] = [this.edges[i], this.edges[i + 1]];
      const above = Math.max(0, Math.min(1, (high - cut) / (high - low)));
      found.push({
        low, high, s: expected.nS * this.binsS[i], b: expected.nB * this.binsB[i],
        selected: this.orientation > 0 ? above : 1 - above,
      });
    }
    return found;
  }
}

/** Numbers of events, purity and significance of selected fractions, with uncertainties. */
export function achieved(point, expected) {
  const { nS, nB, merit } = expected;
  const [s, b] = [nS * point.effS, nB * point.effB];
  const [errS, errB] = [nS * point.errS, nB * point.errB];
  const all = s + b;
  const purity = all > 0 ? s / all : 0;
  const purityError = all > 0 ? Math.hypot(b * errS, s * errB) / all ** 2 : 0;
  const [significance, bySignal, byBackground] = merit(s, b);
  return {
    ...point, s, b, sError: errS, bError: errB, purity, purityError, product: point.effS * purity, significance,
    significanceError: Math.hypot(bySignal * errS, byBackground * errB),
  };
}

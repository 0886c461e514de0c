// Formulae of S and B, with their derivatives. The arithmetic is ROOT's: 1/0 is 0, log of what is not positive is 0,
// sqrt(-a) is sqrt(a), ^ binds from the left. A value is [value, d/dS, d/dB].

const constant = (value) => [value, 0, 0];
const chain = (value, slope, a) => [value, slope * a[1], slope * a[2]];

function power(a, b) {
  const value = a[0] ** b[0];
  const bySlope = b[0] === 0 ? 0 : b[0] * a[0] ** (b[0] - 1);
  const byExponent = a[0] > 0 ? value * Math.log(a[0]) : 0;
  return [value, bySlope * a[1] + byExponent * b[1], bySlope * a[2] + byExponent * b[2]];
}

const FUNCTIONS = {
  sqrt: [1, (a) => {
    const root = Math.sqrt(Math.abs(a[0]));
    return chain(root, root === 0 ? 0 : Math.sign(a[0]) / (2 * root), a);
  }],
  log: [1, (a) => (a[0] > 0 ? chain(Math.log(a[0]), 1 / a[0], a) : constant(0))],
  log10: [1, (a) => (a[0] > 0 ? chain(Math.log10(a[0]), 1 / (a[0] * Math.LN10), a) : constant(0))],
  exp: [1, (a) => (a[0] > 700 ? constant(Math.exp(700)) : chain(Math.exp(a[0]), Math.exp(a[0]), a))],
  abs: [1, (a) => chain(Math.abs(a[0]), Math.sign(a[0]), a)],
  fabs: [1, (a) => chain(Math.abs(a[0]), Math.sign(a[0]), a)],
  pow: [2, power],
  min: [2, (a, b) => (a[0] <= b[0] ? a : b)],
  max: [2, (a, b) => (a[0] >= b[0] ? a : b)],
};

const OPERATORS = {
  "+": (a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]],
  "-": (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]],
  "*": (a, b) => [a[0] * b[0], a[1] * b[0] + a[0] * b[1], a[2] * b[0] + a[0] * b[2]],
  "/": (a, b) =>
    b[0] === 0
      ? constant(0)
      : [a[0] / b[0], (a[1] * b[0] - a[0] * b[1]) / b[0] ** 2, (a[2] * b[0] - a[0] * b[2]) / b[0] ** 2],
};

const LONGEST = 200;
const TOKEN_FORM = /\s*(?:((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|([A-Za-z_][A-Za-z_0-9]*)|(\*\*|[-+*/^(),]))/y;

function tokens(text) {
  if (text.length > LONGEST) throw new Error(`a formula has at most ${LONGEST} characters`);
  const found = [];
  const form = new RegExp(TOKEN_FORM);
  while (form.lastIndex < text.trimEnd().length) {
    const at = form.lastIndex;
    const match = form.exec(text);
    if (!match) throw new Error(`'${text.slice(at).trim()[0]}' is not understood`);
    if (match[1] !== undefined) found.push({ number: Number(match[1]), text: match[1] });
    else if (match[2] !== undefined) found.push({ name: match[2], text: match[2] });
    else found.push({ sign: match[3] === "**" ? "^" : match[3], text: match[3] });
  }
  return found;
}

class FormulaParser {
  constructor(text) {
    this.tokens = tokens(text);
    this.at = 0;
  }

  parse() {
    const made = this.sum();
    if (this.at < this.tokens.length) throw new Error(`'${this.tokens[this.at].text}' is not expected there`);
    return made;
  }

  takes(...signs) {
    const token = this.tokens[this.at];
    if (token === undefined || !signs.includes(token.sign)) return null;
    this.at += 1;
    return token.sign;
  }

  needs(sign) {
    if (!this.takes(sign)) throw new Error(`'${sign}' is missing`);
  }

  joined(below, ...signs) {
    let left = below.call(this);
    for (let sign = this.takes(...signs); sign; sign = this.takes(...signs)) {
      const [before, operator, after] = [left, sign === "^" ? power : OPERATORS[sign], below.call(this)];
      left = (s, b) => operator(before(s, b), after(s, b));
    }
    return left;
  }

  sum() {
    return this.joined(this.product, "+", "-");
  }

  product() {
    return this.joined(this.signed, "*", "/");
  }

  signed() {
    if (!this.takes("-")) return this.joined(this.operand, "^");
    const of = this.signed();
    return (s, b) => OPERATORS["-"](constant(0), of(s, b));
  }

  operand() {
    if (this.takes("-")) {
      const of = this.operand();
      return (s, b) => OPERATORS["-"](constant(0), of(s, b));
    }
    const token = this.tokens[this.at];
    if (token === undefined) throw new Error("the formula ends too early");
    this.at += 1;
    if (token.number !== undefined) return () => constant(token.number);
    if (token.sign === "(") {
      const inner = this.sum();
      this.needs(")");
      return inner;
    }
    if (token.name === "S") return (s) => [s, 1, 0];
    if (token.name === "B") return (s, b) => [b, 0, 1];
    if (token.name !== undefined && Object.hasOwn(FUNCTIONS, token.name)) return this.called(token.name);
    const known = token.name === undefined ? "" : `; it knows S, B and ${Object.keys(FUNCTIONS).join(", ")}`;
    throw new Error(`'${token.text}' is not expected there${known}`);
  }

  called(name) {
    const [count, compute] = FUNCTIONS[name];
    this.needs("(");
    const given = [this.sum()];
    while (this.takes(",")) given.push(this.sum());
    this.needs(")");
    if (given.length !== count) throw new Error(`${name} takes ${count} argument${count > 1 ? "s" : ""}`);
    return (s, b) => compute(...given.map((one) => one(s, b)));
  }
}

/** Return a function of S and B that gives [value, d/dS, d/dB]; throws an Error with a sentence for people. */
export function parseFormula(text) {
  if (!text.trim()) throw new Error("type a formula of S and B");
  return new FormulaParser(text).parse();
}

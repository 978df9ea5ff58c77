// The three steps of the chain rule: z = Σ w a + b, a = σ(z), and C. Each equation stands above its derivative. Below a
// hidden neuron's step stands the sum over its paths to the cost.

import {
  formula,
  fraction,
  html,
  identifier,
  mathml,
  numeral,
  operator,
  partial,
  sigmaPrime,
  variable,
} from "../parts/dom.js";
import {
  column,
  foreground,
  operatorColumn,
  outputCost,
  outputSlope,
  parenthesized,
  sumExcept,
  together,
} from "./equations.js";
import { sizeOf } from "../parts/live.js";
import { pathsOf } from "../mathematics/network.js";
import { mountSlope } from "./slope.js";

const row = (...parts) => mathml("mrow", {}, ...parts);
const sumOf = (numbers) => numbers.reduce((sum, number) => sum + number, 0);

// An equation, the panel of its unfolded terms, and its derivative ∂above/∂below = formula = number with what it means.
function stepOf(sheet, equation, panel, { above, below, formula: by, name }) {
  const live = sheet.number((s) => s.derivative[name]);
  const symbols = formula(fraction(above(), below()), operator("="), by);
  return html(
    "li",
    { class: "step" },
    html("div", { class: "equation" }, equation),
    panel,
    html(
      "div",
      { class: "explained" },
      html("p", { class: "slope" }, symbols, " = ", html("b", {}, live.element)),
      sheet.meaning(name),
    ),
  );
}

// A parameter now, or before the last training steps: `s` is one of the two states.
function parameterIn(s, place, { network, current, motion }) {
  const { l, j, k } = place;
  const chosen = current.place;
  if (l === chosen.l && j === chosen.j && k === chosen.k) return s.value;
  if (s === current) return network.parameter(place);
  const view = k === null ? network.b[l] : network.w[l];
  const start = (view.byteOffset - network.w[1].byteOffset) / view.BYTES_PER_ELEMENT;
  return motion.before[start + (k === null ? j : j * network.sizes[l - 1] + k)];
}

// z = w a + the other terms + b, above ∂z/∂w = a.
export function sumStep(sheet, { l, j, k }, v, data, update) {
  const { network } = data;
  const b = (s) => parameterIn(s, { l, j, k: null }, data);
  const z = (s) => s.passed.z[l][j];
  const a = (s) => s.passed.a[l - 1][k];
  const own = (s) => (k === null ? 0 : s.value * a(s));
  const equation = [column(v.z(), sheet.number(z))];
  if (k !== null) {
    const w = sheet.number((s) => s.value);
    const product = [column(v.p(), w), operatorColumn("", "×"), column(v.below(), sheet.number(a))];
    equation.push(together(operatorColumn("="), ...product.map(foreground)));
  }
  let panel = null;
  if (network.sizes[l - 1] > 1 || k === null) {
    const symbol = row(sumExcept("k", k), variable("w", l, j, "k"), variable("a", l - 1, "k"));
    const kind = {
      symbol: (i) => row(variable("w", l, j, i), variable("a", l - 1, i)),
      pattern: ["", " × ", " = "],
      click: (i) => update({ place: { l, j, k: i } }),
      isChosen: (i) => i === k,
      ending: [
        html("span", {}, "The terms add up to "),
        html("span", {}, ". With ", formula(variable("b", l, j)), " = "),
        html("span", {}, " the sum is ", formula(v.z()), " = "),
      ],
    };
    const values = (s) => {
      const terms = Array.from(s.passed.a[l - 1], (a, i) => {
        const w = network.parameter({ l, j, k: i });
        return [w, a, w * a];
      });
      return [terms, [sumOf(terms.map(([, , product]) => product)), network.b[l][j], z(s)]];
    };
    const others = (s) => z(s) - own(s) - b(s);
    const rest = sheet.others("z", others, { symbol, isFirst: k === null }, kind, values);
    equation.push(rest.columns);
    panel = rest.panel;
  }
  const bias = column(variable("b", l, j), sheet.number(b, sizeOf));
  equation.push(together(operatorColumn("+", sheet.signOf(b)), k === null ? foreground(bias) : bias));
  return stepOf(sheet, equation, panel, { above: v.z, below: v.p, formula: v.below(), name: "dz" });
}

// a = σ(z), above ∂a/∂z = σ′(z).
export function activationStep(sheet, { l, j }, v, { network }) {
  const a = (s) => s.passed.a[l][j];
  const z = (s) => s.passed.z[l][j];
  const slope = mountSlope(network.activation[l]);
  sheet.setters.push((s) => slope.set(z(s), a(s), s.derivative.da_dz));
  const inside = sheet.number(z);
  const sigma = html(
    "span",
    { class: "term" },
    html("span", { class: "symbol" }, formula(identifier("σ"), parenthesized(v.z()))),
    html("span", { class: "now" }, formula(identifier("σ")), "(", inside.element, ")"),
    inside.earlier,
  );
  const equation = [column(v.a(), sheet.number(a)), together(operatorColumn("="), sigma), slope.element];
  const prime = row(sigmaPrime(), parenthesized(v.z()));
  return stepOf(sheet, equation, null, { above: v.a, below: v.z, formula: prime, name: "da_dz" });
}

// C = the neuron's own term + the other terms, above ∂C/∂a.
export function costStep(sheet, { l, j, k }, v, data, update) {
  const { network } = data;
  const isSquared = network.costName === "squared_error";
  const y = (i) => data.current.y[i];
  const term = (s, i) => network.cost.C(s.passed.z[l][i], s.passed.a[l][i], y(i));
  const symbolOfTerm = (i) =>
    outputCost(
      network,
      () => variable("a", l, i),
      () => variable("y", null, i),
    );
  const own = () => {
    if (!isSquared)
      return column(
        symbolOfTerm(j),
        sheet.number((s) => term(s, j)),
      );
    const a = sheet.number((s) => s.passed.a[l][j]);
    const desired = sheet.number(() => y(j));
    return html(
      "span",
      { class: "term" },
      html("span", { class: "symbol" }, formula(symbolOfTerm(j))),
      html("span", { class: "now" }, "(", a.element, " − ", desired.element, ")²"),
      a.earlier,
    );
  };
  const C = sheet.number((s) => s.C);
  const equation = [column(v.C(), C), together(operatorColumn("="), foreground(own()))];
  let panel = null;
  if (network.sizes[l] > 1) {
    const symbol = row(sumExcept("j", j), isSquared ? symbolOfTerm("j") : operator("⋯"));
    const kind = {
      symbol: symbolOfTerm,
      pattern: isSquared ? ["(", " − ", ")² = "] : [" = "],
      click: (i) => update({ place: { l, j: i, k } }),
      isChosen: (i) => i === j,
      ending: [html("span", {}, "The terms add up to ", formula(v.C()), " = ")],
    };
    const values = (s) => {
      const terms = Array.from(s.passed.a[l], (a, i) => (isSquared ? [a, y(i), term(s, i)] : [term(s, i)]));
      return [terms, [sumOf(terms.map((numbers) => numbers.at(-1)))]];
    };
    const rest = sheet.others("C", (s) => s.C - term(s, j), { symbol }, kind, values);
    equation.push(rest.columns);
    panel = rest.panel;
  }
  const by = outputSlope(network, v.a, v.y);
  return stepOf(sheet, equation, panel, { above: v.C, below: v.a, formula: by, name: "dC_da" });
}

// ∂C/∂a of a hidden neuron: a sum over the paths through the next layer. The ∂C/∂a at the end of its strongest path is
// such a sum, too, and unfolds, until the path reaches the output. `above` has the neurons of the path.
export function pathsStep(sheet, { l, j }, v, above, data, update, render) {
  const neurons = [{ l, j }, ...above];
  const deeper = neurons.slice(1, -1).map((neuron, n) => {
    const box = html("div", { class: "deeper" }, sumOverPaths(neuron, neurons[n + 2]));
    // It is shown if every sum before it is unfolded.
    const names = neurons.slice(1, n + 2).map((one) => `deeper-${one.l}`);
    sheet.setters.push(() => (box.hidden = !names.every((name) => sheet.unfolded.has(name))));
    return box;
  });
  return html("li", { class: "step" }, sumOverPaths(neurons[0], neurons[1]), sheet.meaning("dC_da"), deeper);

  // ∂C/∂a of a neuron: the path through the next neuron, and the sum over the others. Returns the equation and its panel.
  function sumOverPaths(from, next) {
    const { network } = data;
    const [a, z_j, a_j] = [
      () => variable("a", from.l, from.j),
      () => variable("z", next.l, next.j),
      () => variable("a", next.l, next.j),
    ];
    const place = { ...next, k: from.j };
    const w = (s) => parameterIn(s, place, data);
    const total = (s) => s.back.dC_da[from.l][from.j];
    const dC_da = {
      symbol: fraction(v.C(), a_j()),
      live: sheet.number((s) => s.back.dC_da[next.l][next.j]),
    };
    const unfold = "unfold this derivative: a sum over the paths through the next layer";
    const last =
      next.l === network.L
        ? column(
            dC_da.symbol,
            dC_da.live,
            outputSlope(network, a_j, () => variable("y", null, next.j)),
          )
        : sheet.button(`deeper-${next.l}`, unfold, { ...dC_da, between: "⋯" }, () => render(data.current));
    const da_dz = sheet.number((s) => s.back.da_dz[next.l][next.j]);
    const prime = row(sigmaPrime(), parenthesized(z_j()));
    const times = () => operatorColumn("·", "×", true);
    const equation = [
      column(fraction(v.C(), a()), sheet.number(total), ""),
      together(
        operatorColumn("=", "=", true),
        column(fraction(z_j(), a()), sheet.number(w), variable("w", next.l, next.j, from.j)),
      ),
      together(times(), column(fraction(a_j(), z_j()), da_dz, prime)),
      together(times(), last),
    ];
    let panel = null;
    if (network.sizes[next.l] > 1) {
      const kind = {
        symbol: (i) => row(identifier("j"), operator("="), numeral(i)),
        pattern: ["", " × ", " × ", " = "],
        click: (i) => update({ place: { l: next.l, j: i, k: from.j } }),
        isChosen: () => false,
        ending: [
          html("span", {}, "The shares add up to ", formula(partial(v.C()), operator("/"), partial(a())), " = "),
        ],
      };
      const values = (s) => {
        const shares = pathsOf(network, s.back, from.l, from.j);
        const terms = shares.map(({ w, da_dz, dC_da, product }) => [w, da_dz, dC_da, product]);
        return [terms, [sumOf(shares.map(({ product }) => product))]];
      };
      const symbol = row(sumExcept("j", next.j), operator("⋯"));
      const others = (s) => total(s) - w(s) * s.back.dC_dz[next.l][next.j];
      const rest = sheet.others(`paths-${from.l}`, others, { symbol, between: "" }, kind, values);
      equation.push(rest.columns);
      panel = rest.panel;
    }
    return [html("div", { class: "equation" }, equation), panel];
  }
}

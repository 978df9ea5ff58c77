// The building blocks of the equations: symbols of the chain, and columns with a number below each symbol.

import {
  bracket,
  formula,
  fraction,
  html,
  identifier,
  mathml,
  numeral,
  operator,
  sumOver,
  variable,
} from "../parts/dom.js";
import { symbolOf } from "../mathematics/place.js";

// Functions that return the variables of the chain as MathML. Each call makes a new element.
export function variablesOf(state) {
  const { l, j, k } = state.place;
  return {
    p: () => symbolOf(state.place),
    below: () => (k === null ? numeral(1) : variable("a", l - 1, k)),
    z: () => variable("z", l, j),
    a: () => variable("a", l, j),
    y: () => variable("y", null, j),
    C: () => variable("C", null, state.C_index),
  };
}

export const parenthesized = (...parts) => mathml("mrow", {}, bracket("("), ...parts, bracket(")"));
const minus = () => operator("−");

// ∂C/∂a_j of an output neuron as a formula.
export function outputSlope({ costName }, a, y) {
  if (costName === "squared_error") return mathml("mrow", {}, numeral(2), parenthesized(a(), minus(), y()));
  return mathml(
    "mrow",
    {},
    parenthesized(a(), minus(), y()),
    operator("/"),
    parenthesized(a(), parenthesized(numeral(1), minus(), a())),
  );
}

// The term of an output neuron in C as a formula.
export function outputCost({ costName }, a, y) {
  if (costName === "squared_error")
    return mathml("mrow", {}, bracket("("), a(), minus(), y(), mathml("msup", {}, bracket(")"), numeral(2)));
  const logarithm = (of) => mathml("mrow", {}, operator("ln"), of);
  return mathml(
    "mrow",
    {},
    minus(),
    y(),
    logarithm(a()),
    minus(),
    parenthesized(numeral(1), minus(), y()),
    logarithm(parenthesized(numeral(1), minus(), a())),
  );
}

// Σ over all i but one, in one line of text.
export const sumExcept = (index, one) =>
  mathml(
    "msub",
    {},
    mathml("mo", { largeop: "false" }, "∑"),
    mathml(
      "mrow",
      {},
      identifier(index),
      one === null ? null : [mathml("mo", { lspace: "0", rspace: "0" }, "≠"), numeral(one)],
    ),
  );

// A column of an equation: a symbol, with its number below. `live` is what `liveNumber` returns.
export const column = (symbol, live = null, between = null) =>
  html(
    "span",
    { class: "term" },
    html("span", { class: "symbol" }, symbol && formula(symbol)),
    between === null ? null : html("span", { class: "between" }, between && formula(between)),
    html("span", { class: "now" }, live?.element ?? null),
    live?.earlier ?? html("span", { class: "earlier" }),
  );

// A column with an operator, between symbols and between numbers.
export const operatorColumn = (above, below = above, hasBetween = false) =>
  html(
    "span",
    { class: "term" },
    html("span", { class: "symbol", "aria-hidden": "true" }, above),
    hasBetween ? html("span", { class: "between" }) : null,
    html("span", { class: "now" }, below),
    html("span", { class: "earlier" }),
  );

// Columns that stay on one line: an operator with what follows.
export const together = (...columns) => html("span", { class: "together" }, columns);

// The columns of the chosen parameter stand out among the other terms.
export function foreground(element) {
  element.classList.add("chosen");
  return element;
}

// ∂C/∂a in symbols: of a hidden neuron as a sum over the next layer. If the next layer has one neuron, the sum is one
// product, which goes on up to the cost.
export function upToCost(v, network, l, j) {
  if (l === network.L) return [fraction(v.C(), v.a())];
  const isOne = network.sizes[l + 1] === 1;
  const i = isOne ? 0 : "j";
  const next = { z: () => variable("z", l + 1, i), a: () => variable("a", l + 1, i), C: v.C };
  const product = [fraction(next.z(), v.a()), operator("·"), fraction(next.a(), next.z()), operator("·")];
  if (isOne) return [...product, ...upToCost(next, network, l + 1, 0)];
  return [sumOver("j"), ...product, fraction(v.C(), next.a())];
}

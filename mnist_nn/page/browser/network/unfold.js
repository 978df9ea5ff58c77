// The numbers below the drawing: the sum of the chosen neuron, and the part that a connection has in a sum.

import {
  bracket,
  counted,
  formula,
  fraction,
  html,
  identifier,
  mathml,
  number,
  numeral,
  operator,
  sigmaPrime,
  sumOver,
  unsigned,
  variable,
} from "../parts/dom.js";
import { named, symbolOf } from "../mathematics/place.js";
import { largestOf } from "./shares.js";

const SHOWN_TERMS = 3; // of a sum, with their numbers

// Returns the element, and a function that shows the sum of the chosen neuron with the part of a place {l, j, k}.
export function mountUnfolded(data) {
  const { network } = data;
  const sum = html("p", { class: "neuron-sum" });
  const pointed = html("span", { class: "pointed" });
  const part = html("span", { class: "part" });
  const showSum = mountSentence(sum);
  const showValue = mountSentence(pointed);
  const showShare = mountSentence(part);
  function showPart(state, place, backward) {
    const { l, j, k } = place;
    const kind = [backward, state.C_index, l, j, k].join();
    showValue(kind, [signedNumber(network.parameter(place))], (value) => [named(place), " = ", value]);
    showShare(...(backward ? shareOf : termOf)(network, state, place, kind));
  }
  return {
    element: html("div", { class: "telling" }, html("div", { class: "told" }, sum, html("p", {}, pointed, ". ", part))),
    show(state, place, backward) {
      const { l, j } = state.place;
      showSum(...(backward ? sensitivityOf : weightedSumOf)(network, state, l, j));
      showPart(state, place, backward);
    },
    showPart,
  };
}

// A sentence with numbers. While its `kind` stays the same, only the numbers are written anew: training changes them often.
// A number is {value, format, name}, where `name` is its element. `write` gets their elements and returns the sentence.
function mountSentence(element) {
  let written = null;
  let spans = [];
  return (kind, numbers, write) => {
    if (written !== kind) {
      written = kind;
      spans = numbers.map(({ name }) => (name === "mn" ? mathml("mn", {}) : html("span", { class: "number" })));
      element.replaceChildren(...write(...spans));
    }
    numbers.forEach(({ value, format }, i) => {
      spans[i].textContent = format(value);
      spans[i].setAttribute("data-value", value);
    });
  };
}

const signedNumber = (value) => ({ value, format: number });
const unsignedNumber = (value) => ({ value, format: unsigned });
const inFormula = (value) => ({ value, format: unsigned, name: "mn" });

const step = (...parts) => html("span", {}, ...parts);

// A number of a sum, with its name below it.
const summand = (span, ...below) => html("span", { class: "addend" }, span, html("span", { class: "below" }, ...below));

// The largest terms of a sum: their positions, their values with the sum of the others, and a function that returns the
// names below them.
function largestTerms(terms, index) {
  const most = terms.length === SHOWN_TERMS + 1 ? terms.length : SHOWN_TERMS;
  const largest = largestOf(terms, most);
  const others = terms.length - largest.length;
  const rest = terms.reduce((so_far, term, i) => (largest.includes(i) ? so_far : so_far + term), 0);
  return {
    largest,
    values: [...largest.map((i) => terms[i]), ...(others ? [rest] : [])].map(signedNumber),
    names: (i) =>
      i < largest.length
        ? formula(identifier(index), operator("="), numeral(largest[i]))
        : `the other ${others.toLocaleString("en")}`,
  };
}

// z = Σ w a + b, and a = σ(z).
function weightedSumOf(network, { passed }, l, j) {
  const { largest, values, names } = largestTerms(
    passed.a[l - 1].map((a, k) => network.parameter({ l, j, k }) * a),
    "k",
  );
  const numbers = [
    ...values,
    signedNumber(network.parameter({ l, j, k: null })),
    signedNumber(passed.z[l][j]),
    unsignedNumber(passed.a[l][j]),
  ];
  const [z, b] = [() => variable("z", l, j), () => variable("b", l, j)];
  return [
    ["z", l, j, ...largest].join(),
    numbers,
    (...spans) => {
      const [of_b, of_z, of_a] = spans.slice(-3);
      return [
        formula(
          z(),
          operator("="),
          sumOver("k"),
          variable("w", l, j, "k"),
          variable("a", l - 1, "k"),
          operator("+"),
          b(),
        ),
        "=",
        ...spans.slice(0, -3).map((span, i) => summand(span, names(i))),
        summand(of_b, formula(b())),
        step("= ", of_z),
        step(
          "and ",
          formula(variable("a", l, j), operator("="), identifier("σ"), bracket("("), z(), bracket(")")),
          " = ",
          of_a,
        ),
      ];
    },
  ];
}

// ∂C/∂a = Σ w σ′(z) ∂C/∂a, over the paths through the next layer. Of an output neuron: the derivative of the cost.
function sensitivityOf(network, state, l, j) {
  const { back, passed, y } = state;
  const C = () => variable("C", null, state.C_index);
  const slope = () => fraction(C(), variable("a", l, j));
  const result = signedNumber(back.dC_da[l][j]);
  const kind = ["∂", state.C_index, l, j];
  if (l === network.L) {
    const a = () => variable("a", l, j);
    const times = network.costName === "squared_error" ? 1 : 3; // how often a is in the formula
    return [
      kind.join(),
      [inFormula(y[j]), result, ...Array.from({ length: times }, () => inFormula(passed.a[l][j]))],
      (of_y, of_slope, ...of_a) => [
        formula(slope(), operator("="), ...costSlope(network, a(), variable("y", null, j), a)),
        step("= ", formula(...costSlope(network, of_a.pop(), of_y, () => of_a.pop()))),
        step("= ", of_slope),
      ],
    ];
  }
  const terms = back.dC_dz[l + 1].map((dC_dz, i) => network.parameter({ l: l + 1, j: i, k: j }) * dC_dz);
  const { largest, values, names } = largestTerms(terms, "j");
  return [
    [...kind, ...largest].join(),
    [result, ...values],
    (of_slope, ...spans) => [
      formula(
        slope(),
        operator("="),
        sumOver("j"),
        variable("w", l + 1, "j", j),
        sigmaPrime(),
        bracket("("),
        variable("z", l + 1, "j"),
        bracket(")"),
        fraction(C(), variable("a", l + 1, "j")),
      ),
      "=",
      ...spans.map((span, i) => summand(span, names(i))),
      step("= ", of_slope),
    ],
  ];
}

// 2(a − y), or (a − y) / a(1 − a).
function costSlope({ costName }, a, y, again) {
  const difference = mathml("mrow", {}, a, operator("−"), y);
  if (costName === "squared_error") return [numeral(2), bracket("("), difference, bracket(")")];
  return [
    mathml(
      "mfrac",
      {},
      difference,
      mathml("mrow", {}, again(), bracket("("), numeral(1), operator("−"), again(), bracket(")")),
    ),
  ];
}

// Forward: the term of a weight in its neuron's weighted sum.
function termOf(network, { passed }, place, kind) {
  const { l, j, k } = place;
  const z = () => formula(variable("z", l, j));
  if (k === null) return [kind, [], () => ["It is the last term of ", z(), "."]];
  const [w, a] = [network.parameter(place), passed.a[l - 1][k]];
  return [
    kind,
    [signedNumber(w), unsignedNumber(a), signedNumber(w * a)],
    (of_w, of_a, product) => [
      "Its term of ",
      z(),
      " is ",
      formula(symbolOf(place), variable("a", l - 1, k)),
      " = ",
      of_w,
      " × ",
      of_a,
      " = ",
      product,
      ".",
    ],
  ];
}

// Backward: the share of a path in the ∂C/∂a of the neuron where its weight starts. At the inputs and at a bias the chain
// ends with the derivative itself.
function shareOf(network, state, place, kind) {
  const { l, j, k } = place;
  const { back, passed } = state;
  const C = () => variable("C", null, state.C_index);
  const slope = () => fraction(C(), variable("a", l, j));
  const through = () => [sigmaPrime(), bracket("("), variable("z", l, j), bracket(")"), slope()];
  const factors = [unsignedNumber(back.da_dz[l][j]), unsignedNumber(back.dC_da[l][j])];
  if (k === null) {
    return [
      kind,
      [...factors, signedNumber(back.dC_dz[l][j])],
      (da_dz, dC_da, product) => [
        "The chain ends at a bias: ",
        formula(fraction(C(), symbolOf(place)), operator("="), ...through()),
        " = ",
        da_dz,
        " × ",
        dC_da,
        " = ",
        product,
        ".",
      ],
    ];
  }
  if (l === 1) {
    const a = passed.a[0][k];
    return [
      kind,
      [unsignedNumber(a), ...factors, signedNumber(a * back.dC_dz[l][j])],
      (of_a, da_dz, dC_da, product) => [
        "The inputs are given, so the chain ends at the weight: ",
        formula(fraction(C(), symbolOf(place)), operator("="), variable("a", 0, k), ...through()),
        " = ",
        of_a,
        " × ",
        da_dz,
        " × ",
        dC_da,
        " = ",
        product,
        ".",
      ],
    ];
  }
  const n = network.sizes[l];
  const w = network.parameter(place);
  const share = w * back.dC_dz[l][j];
  let all = 0;
  for (let i = 0; i < n; i++) all += Math.abs(network.parameter({ l, j: i, k }) * back.dC_dz[l][i]);
  const portion = { value: all > 0 ? Math.abs(share) / all : 0, format: percent };
  return [
    kind,
    [signedNumber(w), ...factors, signedNumber(share), ...(n > 1 ? [portion] : [])],
    (of_w, da_dz, dC_da, product, of_all) => [
      "Its path carries ",
      formula(symbolOf(place), ...through()),
      " = ",
      of_w,
      " × ",
      da_dz,
      " × ",
      dC_da,
      " = ",
      product,
      " to ",
      formula(variable("a", l - 1, k)),
      ...(n > 1 ? [": ", of_all, ` of what its ${counted(n, "path")} carry, signs aside.`] : [", as its only path."]),
    ],
  ];
}

const percent = (share) => (share > 0 && share < 0.01 ? "less than 1 %" : `${Math.round(100 * share)} %`);

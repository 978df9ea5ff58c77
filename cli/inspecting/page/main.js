// The page: reads its data, holds its state, and updates the views.

import { setAllDigits } from "./dom.js";
import { Network, answerOf, backprop, costOf, derivativeOf, dzOf, forward, nudgeOf, oneAt } from "./network.js";
import { mountDigit } from "./digit.js";
import { mountLayers } from "./layers.js";
import { mountHeat } from "./heat.js";
import { mountChain, mountNudge, mountTree } from "./chain.js";
import { mountPaths } from "./paths.js";
import { mountAverage } from "./average.js";
import { mountGuess } from "./guess.js";
import { mountGradient } from "./gradient.js";

const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
const doubles = (base64) => {
  const view = new DataView(bytes(base64).buffer);
  return Float64Array.from({ length: view.byteLength / 8 }, (_, i) => view.getFloat64(8 * i, true));
};

// The network and the examples from the embedded data, with each example run forward and back.
function readData(embedded) {
  const { trace } = embedded;
  const network = new Network(
    trace.sizes,
    trace.activation,
    trace.output,
    trace.cost_function,
    doubles(embedded.parameters),
  );
  const inputs = embedded.pixels === null ? doubles(embedded.inputs) : bytes(embedded.pixels);
  const targets = doubles(embedded.targets);
  const [n0, nL] = [network.sizes[0], network.sizes[network.L]];
  const examples = embedded.examples.map((index, n) => {
    const row = inputs.subarray(n * n0, (n + 1) * n0);
    const x = embedded.pixels === null ? row : Float64Array.from(row, (value) => value * (1 / 255));
    const y = targets.subarray(n * nL, (n + 1) * nL);
    const passed = forward(network, x);
    return {
      n,
      index,
      pixels: row,
      x,
      y,
      passed,
      back: backprop(network, passed, y),
      label: answerOf(y),
      answer: answerOf(passed.a[network.L]),
    };
  });
  return {
    network,
    examples,
    trace,
    split: trace.split,
    side: embedded.side,
    deslant: embedded.deslant,
    digits:
      nL > 1 &&
      examples.every(
        ({ y }) => y.every((value) => value === 0 || value === 1) && y.filter((value) => value === 1).length === 1,
      ),
    learningRate: embedded.learning_rate,
    rateOf: embedded.rate_of,
    batch: examples.filter(({ index }) => trace.examples.includes(index)),
    current: null,
  };
}

const data = readData(JSON.parse(document.getElementById("data").textContent));
const { network, examples, trace } = data;
const traced = trace.weight ?? trace.bias; // the derivative that the command took apart
const paper = matchMedia("print");
const darkness = matchMedia("(prefers-color-scheme: dark)");

const start = {
  example: examples.findIndex(({ index }) => index === traced.example),
  place: { l: traced.layer, j: traced.j, k: traced.k ?? null },
  nudgeBy: 0.01, // as in `--json`, with which the page is compared when it opens
  route: [], // neurons walked back through, output first: {l, j, from: the place before the step}
  allPaths: false,
  averaged: false,
  allDigits: false,
  follows: false, // true while y is the digit that the network reads: for a drawing, until the user sets y
  guess: { on: false, made: null, asked: 0, right: 0 },
};

// The state of the views: everything that is shown, computed from the user's choices.
function computeState(chosen) {
  const { x, place, example, guess } = chosen;
  const passed = forward(network, x);
  const y = chosen.follows ? oneAt(answerOf(passed.a[network.L]), chosen.y.length) : chosen.y;
  const back = backprop(network, passed, y);
  const { l, j } = place;
  const isOwn = example === null || y !== examples[example].y; // the user's own input or own y
  const index = isOwn ? "own" : examples[example].index;
  const isTracedExample = index === traced.example;
  const isBlank = data.side !== null && example === null && chosen.pixels.every((value) => value === 0);
  return {
    ...chosen,
    y,
    passed,
    back,
    isOwn,
    isBlank,
    hides: isBlank || (guess.on && guess.made === null), // whether the derivative is hidden
    C: costOf(network, passed, y),
    C_index: index, // C_i is the cost of one example, and C the average over the batch
    C_name: `C_${index}`,
    value: network.parameter(place),
    derivative: {
      dz: dzOf(passed, place),
      da_dz: back.da_dz[l][j],
      dC_da: back.dC_da[l][j],
      product: derivativeOf(passed, back, place),
    },
    nudge: nudgeOf(network, x, y, passed, place, chosen.nudgeBy),
    perExample: data.batch.map((example) => derivativeOf(example.passed, example.back, place)),
    // true for the example, and for the derivative, whose numbers are in `--json`
    isTracedExample,
    isTraced: isTracedExample && l === traced.layer && j === traced.j && place.k === (traced.k ?? null),
    theme: paper.matches ? "paper" : darkness.matches ? "dark" : "light",
  };
}

let chosen = null;
let views = [];

// Change the user's choices and render the views. Choosing another weight clears the walked route, unless a step of the
// walk chose it. A new weight, example or y needs a new guess.
function update(change) {
  const next = { ...chosen, ...change };
  if (change.example !== undefined && change.example !== null) {
    const { x, y, pixels } = examples[change.example];
    Object.assign(next, { x, y, pixels, follows: false });
  }
  if (change.y) {
    const label = examples[next.example]?.y;
    next.y = label && change.y.every((value, j) => value === label[j]) ? label : change.y;
    next.follows = false;
  }
  if (change.place && !change.route) next.route = [];
  const isNew = change.place || change.example !== undefined || change.y;
  if (isNew && next.guess.on && !change.guess) next.guess = { ...next.guess, made: null };
  chosen = next;
  data.current = computeState(chosen);
  setAllDigits(chosen.allDigits);
  keepFocus(() => views.forEach((view) => view(data.current)));
}

// Render, and keep the keyboard focus. Rendering replaces buttons: the new button with the same key gets the focus of the
// old one. Without such a button, another element of the section gets it.
function keepFocus(render) {
  const focused = document.activeElement;
  const section = focused?.closest("section");
  const instead = focused?.closest(".route") ? ".path" : "[data-key='guess'], h2";
  render();
  if (!focused || focused === document.body || focused.isConnected) return;
  const successor = section?.querySelector(`[data-key="${focused.dataset.key}"]:not(:disabled)`);
  (successor ?? section?.querySelector(instead))?.focus();
}

// Compare the page's numbers with those of `--json`, and show the largest difference in the footer.
function compareWithTrace() {
  let compared = 0;
  let largest = 0;
  for (const element of document.querySelectorAll("[data-field]")) {
    const path = element.dataset.field.split(".");
    const expected = path.reduce((part, name) => part?.[name], trace);
    if (typeof expected !== "number") continue;
    compared += 1;
    largest = Math.max(largest, Math.abs(Number(element.dataset.value) - expected) / Math.max(1, Math.abs(expected)));
  }
  document.getElementById("agreement").textContent =
    `This page recomputes its numbers whenever you choose something. When it opened, it compared ${compared} numbers with the output of --json: the largest difference is ${largest.toExponential(0)}.`;
}

const at = (id) => document.getElementById(id);
update(start);
views = [
  mountDigit(at("digit"), data, update),
  mountLayers(at("layers"), data, update),
  mountHeat(at("heat"), data, update),
  mountGuess(at("guess"), data, update),
  mountChain(at("chain"), data),
  mountNudge(at("nudge-section"), data, update),
  mountTree(at("tree"), data),
  mountPaths(at("paths"), data, update),
  mountAverage(at("average"), data, update),
  mountGradient(at("gradient"), data, update),
];
update({});
compareWithTrace();
update({ nudgeBy: 0 });
const digitsSwitch = at("all-digits");
digitsSwitch.addEventListener("change", () => update({ allDigits: digitsSwitch.checked }));
for (const media of [darkness, paper]) media.addEventListener("change", () => update({}));
let resized = 0;
addEventListener("resize", () => {
  cancelAnimationFrame(resized);
  resized = requestAnimationFrame(() => update({}));
});

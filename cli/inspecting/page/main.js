// The page: its data, its one state, and the views that show it.

import { Network, answerOf, backprop, costOf, derivativeOf, dzOf, forward, nudgeOf } from "./network.js";
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

function read(given) {
  const { trace } = given;
  const network = new Network(
    trace.sizes,
    trace.activation,
    trace.output,
    trace.cost_function,
    doubles(given.parameters),
  );
  const inputs = given.pixels === null ? doubles(given.inputs) : bytes(given.pixels);
  const targets = doubles(given.targets);
  const [n0, nL] = [network.sizes[0], network.sizes[network.L]];
  const examples = given.examples.map((index, n) => {
    const row = inputs.subarray(n * n0, (n + 1) * n0);
    const x = given.pixels === null ? row : Float64Array.from(row, (value) => value * (1 / 255));
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
    side: given.side,
    deslant: given.deslant,
    digits:
      nL > 1 &&
      examples.every(
        ({ y }) => y.every((value) => value === 0 || value === 1) && y.filter((value) => value === 1).length === 1,
      ),
    learningRate: given.learning_rate,
    rateOf: given.rate_of,
    batch: examples.filter(({ index }) => trace.examples.includes(index)),
    current: null,
  };
}

const data = read(JSON.parse(document.getElementById("data").textContent));
const { network, examples, trace } = data;
const begins = trace.weight ?? trace.bias;
const paper = matchMedia("print");
const darkness = matchMedia("(prefers-color-scheme: dark)");

const start = {
  example: examples.findIndex(({ index }) => index === begins.example),
  place: { l: begins.layer, j: begins.j, k: begins.k ?? null },
  nudgeBy: 0.01,
  route: [], // of neurons walked back through, the output first: {l, j, from: the place left}
  allPaths: false,
  averaged: false,
  guess: { on: false, made: null, asked: 0, right: 0 },
};

// Everything that is shown, from what was chosen.
function derive(chosen) {
  const { x, y, place, example } = chosen;
  const passed = forward(network, x);
  const back = backprop(network, passed, y);
  const { l, j } = place;
  const index = example === null ? null : examples[example].index;
  const isTracedExample = index === begins.example && examples[example].y === y;
  return {
    ...chosen,
    passed,
    back,
    C: costOf(network, passed, y),
    C_index: index,
    C_name: index === null ? "C" : `C_${index}`,
    value: network.parameter(place),
    derivative: {
      dz: dzOf(passed, place),
      da_dz: back.da_dz[l][j],
      dC_da: back.dC_da[l][j],
      product: derivativeOf(passed, back, place),
    },
    nudge: nudgeOf(network, x, y, passed, place, chosen.nudgeBy),
    perExample: data.batch.map((one) => derivativeOf(one.passed, one.back, place)),
    // whether this is what the command was asked for, and so what `--json` prints
    isTracedExample,
    isTraced: isTracedExample && l === begins.layer && j === begins.j && place.k === (begins.k ?? null),
    theme: paper.matches ? "paper" : darkness.matches ? "dark" : "light",
  };
}

let chosen = null;
let views = [];

// Change what is chosen, and show it. Another weight, unless reached by walking, ends the walk; a guess is for one weight.
function update(change) {
  const next = { ...chosen, ...change };
  if (change.example !== undefined && change.example !== null) {
    const { x, y, pixels } = examples[change.example];
    Object.assign(next, { x, y, pixels });
  }
  if (change.place && !change.route) next.route = [];
  const isNew = change.place || change.example !== undefined || change.y;
  if (isNew && next.guess.on && !change.guess) next.guess = { ...next.guess, made: null };
  chosen = next;
  data.current = derive(chosen);
  keepingFocus(() => views.forEach((view) => view(data.current)));
}

// Views make buttons anew: where the one that had the focus is gone, its successor gets it, else its section's heading.
function keepingFocus(render) {
  const focused = document.activeElement;
  const section = focused?.closest("section");
  const instead = focused?.closest(".route") ? ".path" : "[data-key='guess'], h2";
  render();
  if (!focused || focused === document.body || focused.isConnected) return;
  const successor = section?.querySelector(`[data-key="${focused.dataset.key}"]:not(:disabled)`);
  (successor ?? section?.querySelector(instead))?.focus();
}

// Does this page compute what the command computed? The largest difference over everything that `--json` names.
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
    `This page computes everything anew as you choose. For the derivative that it opens with, ${compared} of its numbers were held against those of the command: the largest difference is ${largest.toExponential(0)}.`;
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
for (const media of [darkness, paper]) media.addEventListener("change", () => update({}));
let resized = 0;
addEventListener("resize", () => {
  cancelAnimationFrame(resized);
  resized = requestAnimationFrame(() => update({}));
});

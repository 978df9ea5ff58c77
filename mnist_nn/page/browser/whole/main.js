// The page: reads its data, holds its state, and updates the views.

import { setAllDigits } from "../parts/dom.js";
import {
  answerOf,
  backprop,
  costOf,
  derivativeOf,
  dzOf,
  forward,
  largestAt,
  nudgeOf,
  oneAt,
} from "../mathematics/network.js";
import { mountDigit } from "../sections/digit.js";
import { mountLayers } from "../network/layers.js";
import { mountFindings } from "../network/findings.js";
import { mountHeat } from "../sections/heat.js";
import { mountChain } from "../chain/chain.js";
import { mountNudge } from "../chain/nudge.js";
import { mountTree } from "../chain/tree.js";
import { mountPaths } from "../chain/paths.js";
import { mountAverage } from "../sections/average.js";
import { mountGuess } from "../chain/guess.js";
import { mountGradient } from "../sections/gradient.js";
import { mountWeights } from "../sections/weights.js";
import { Example } from "../mathematics/example.js";
import { readData } from "./data.js";
import { Motion } from "../motion/motion.js";
import { Player } from "../motion/player.js";
import { fromLink, linkOf } from "./link.js";
import { mountPresent } from "./present.js";
import { mountTour } from "./tour.js";
import { mountHeader } from "./header.js";
import { examplesOf, mountDownhill, mountTransport } from "../sections/downhill.js";
import { mountReplay } from "../sections/replay.js";
import { mountCompare } from "../sections/compare.js";
import { Together } from "../motion/together.js";

const data = await readData(JSON.parse(document.getElementById("data").textContent));
const { network, examples, trace } = data;
const traced = trace.weight ?? trace.bias; // the derivative that the command took apart
const paper = matchMedia("print");
const darkness = matchMedia("(prefers-color-scheme: dark)");
const motion = (data.motion = data.other ? new Together(data) : new Motion(data));
const player = (data.player = new Player(
  motion,
  () => examplesOf(data.current, data),
  () => update({}),
));

const start = {
  example: examples.findIndex(({ index }) => index === traced.example),
  place: { l: traced.layer, j: traced.j, k: traced.k ?? null },
  nudgeBy: 0.01, // as in `--json`, with which the page is compared when it opens
  route: [], // neurons walked back through, output first: {l, j, from: the place before the step}
  direction: "forward", // what the drawing of the network shows: activations, or ∂C/∂a
  allPaths: false,
  averaged: false,
  allDigits: false,
  follows: false, // true while y is the digit that the network reads: for a drawing, until the user sets y
  over: "example", // what a step is taken on
  slide: null, // the slide that is presented, by the names of its sections
  tour: null, // the stop of the tour
  guess: { on: false, made: null, asked: 0, right: 0 },
};

// The largest weight of the first layer in any state of the training: the scale of its pictures.
const weightScale = Math.max(
  ...data.moments.map(({ parameters }) => {
    const w = parameters().subarray(0, network.w[1].length);
    return Math.abs(w[largestAt(w)]);
  }),
);

// The state of the views: everything that is shown, computed from the user's choices and the network.
function computeState(chosen) {
  const { place, example, guess } = chosen;
  const now = passOf(network, chosen, chosen.y);
  const { passed, back, y } = now;
  const { l, j } = place;
  const isOwn = example === null || y !== examples[example].y; // the user's own input or own y
  const index = isOwn ? "own" : examples[example].index;
  const isTracedExample = index === traced.example && motion.moment === data.moments[0] && !motion.kept.length;
  const isBlank = data.side !== null && example === null && chosen.pixels.every((value) => value === 0);
  return {
    ...chosen,
    ...now,
    own: isOwn ? ownExample(network, chosen, y) : examples[example],
    before: beforeOf(chosen, y),
    other: otherOf(chosen, y, isOwn),
    version: network.version,
    isOwn,
    isBlank,
    hides: isBlank || (guess.on && guess.made === null), // whether the derivative is hidden
    C_index: index, // C_i is the cost of one example, and C the average over the batch
    C_name: `C_${index}`,
    nudge: nudgeOf(network, chosen.x, y, passed, place, chosen.nudgeBy),
    perExample: data.batch.map((example) => derivativeOf(example.passed, example.back, place)),
    // true for the example, and for the derivative, whose numbers are in `--json`
    isTracedExample,
    isTraced: isTracedExample && l === traced.layer && j === traced.j && place.k === (traced.k ?? null),
    weightScale,
    theme: paper.matches ? "paper" : (document.documentElement.dataset.theme ?? (darkness.matches ? "dark" : "light")),
  };

  // The same before the last steps of gradient descent, or null.
  function beforeOf(chosen, y) {
    if (!motion.before) return null;
    const { parameters } = network;
    scratch.set(parameters);
    parameters.set(motion.before);
    const before = passOf(network, { ...chosen, follows: false }, y);
    parameters.set(scratch);
    return before;
  }

  // The same in the run beside this one, or null. y is what this network shall answer.
  function otherOf(chosen, y, isOwn) {
    if (!data.other) return null;
    const { network, examples } = data.other;
    const own = isOwn ? ownExample(network, chosen, y) : examples[chosen.example];
    return { ...passOf(network, { ...chosen, follows: false }, y), own };
  }
}

// The passes of the chosen example through a network, and its derivative by the chosen parameter.
function passOf(network, { x, place, follows }, desired) {
  const passed = forward(network, x);
  const y = follows ? oneAt(answerOf(passed.a[network.L]), desired.length) : desired;
  const back = backprop(network, passed, y);
  const { l, j } = place;
  return {
    y,
    passed,
    back,
    C: costOf(network, passed, y),
    value: network.parameter(place),
    derivative: {
      dz: dzOf(passed, place),
      da_dz: back.da_dz[l][j],
      dC_da: back.dC_da[l][j],
      product: derivativeOf(passed, back, place),
    },
  };
}

const scratch = new Float64Array(network.parameters.length);

// The user's own example, for a step on it.
const ownExample = (network, { x, pixels }, y) => new Example(network, { n: null, index: "own", pixels, x, y });

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
  if (!player.isBusy) writeLink();
  keepFocus(() => views.filter(({ isShown }) => isShown()).forEach(({ render }) => render(data.current)));
}

let link = null; // the page's own link, once it has opened
let writing = 0;

const linkNow = () => linkOf(data.current, data) + (motion.linkOfOther ?? "");

// Keep the address up to date, but not at every picture of a movement.
function writeLink() {
  if (link === null || location.protocol === "about:") return; // in a notebook the page has no address
  clearTimeout(writing);
  writing = setTimeout(() => {
    const now = linkNow();
    if (now === link) return;
    link = now;
    history.replaceState(null, "", `#${link}`);
  }, 300);
}

// Show what the address asks for.
function followLink() {
  const { change, moment, steps, rate } = fromLink(location.hash, data);
  player.stop();
  motion.begin(moment);
  if (rate) motion.rate = rate;
  motion.followLinkOfOther?.(location.hash);
  update(change);
  if (steps) player.start(steps);
}

// While the network moves, only what can be seen is rendered, and the rest when it stops or comes into view.
const inSight = new Map();
const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) inSight.set(target, isIntersecting);
  if (player.isBusy) update({});
});

function view(id, mount, ...rest) {
  const root = document.getElementById(id);
  const render = mount(root, ...rest);
  const section = root.closest("section") ?? root;
  sight.observe(section);
  return { render, isShown: () => !player.isBusy || inSight.get(section) !== false };
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
  view("header", mountHeader, data, update),
  view("transport", mountTransport, data, update),
  view("digit", mountDigit, data, update),
  view("layers", mountLayers, data, update),
  view("diagnosis", mountFindings, data),
  view("compare", mountCompare, data, update),
  view("downhill", mountDownhill, data, update),
  view("replay", mountReplay, data, update),
  view("weights", mountWeights, data, update),
  view("heat", mountHeat, data, update),
  view("guess", mountGuess, data, update),
  view("chain", mountChain, data, update),
  view("nudge-section", mountNudge, data, update),
  view("tree", mountTree, data, update),
  view("paths", mountPaths, data, update),
  view("average", mountAverage, data, update),
  view("gradient", mountGradient, data, update),
  view("tour", mountTour, data, update),
  view("present", mountPresent, data, update),
];
update({});
compareWithTrace();
update({ nudgeBy: 0 });
link = linkNow();
if (location.hash) followLink();
addEventListener("hashchange", () => {
  if (location.hash !== `#${link}`) followLink();
});
for (const media of [darkness, paper]) media.addEventListener("change", () => update({}));
let resized = 0;
addEventListener("resize", () => {
  cancelAnimationFrame(resized);
  resized = requestAnimationFrame(() => update({}));
});

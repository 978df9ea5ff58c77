// What is wrong with the network's gradient, in words. The rules are those of mnist_nn/explaining/diagnosis.py, which has
// the reason of each threshold. A test holds the findings of both against each other.
//
// `facts` are, over the same examples:
//   activation, output   names of the activations of the hidden layers and of the last layer
//   learningRate         the η that the user chose
//   cost                 C
//   skill                0: no better than guessing, 1: perfect, null: unknown (see skillOf)
//   outputMean           the average output
//   examples             how many examples
//   isTrained            false before the first step
//   initialization       network.init, or null if it is unknown or no scheme
//   layers               for each layer 1 to L:
//     layer, neurons     its number and its size
//     saturated          the share of σ′ < 0.01
//     dead               the share of neurons with σ′ = 0 for every example
//     dC_dz_rms          the root mean square of ∂C_i/∂z over neurons and examples
//     step_ratio         the length of η ∂C/∂w divided by the length of w, null if w is all 0
//     is_symmetric       true if all neurons of a hidden layer have the same weights, in and out
//     mean_sigma_prime, dC_dw_norm     for display: they decide nothing

import { ACTIVATIONS, answerOf, costOf } from "./network.js";

const DIAGNOSIS = {
  works: 0.5,
  minExamples: 4,
  mostlySaturated: 0.8,
  mostlyStuck: 0.9,
  noGradient: 1e-3,
  nearZero: 0.05,
  mostlyDead: 0.5,
  minForDead: 32,
  vanishing: 1 / 50,
  exploding: 50,
  largeStep: 0.1,
  largeFirstStep: 10,
  smallStep: 1e-6,
  goodStep: 1e-3,
  usualRates: [0.01, 3],
  saturated: 0.01, // σ′ below it, as in mnist_nn/explaining/inspection.py
  equal: 1e-4, // relative difference of weights that count as equal
};

// What is wrong, at most one finding of each kind, causes before consequences: {kind, layer, text, numbers, suggestion}.
// `suggestion` is {key, value}, a setting to try, or null. Empty for a healthy network.
export function diagnose(facts) {
  const findings = symmetricFindings(facts);
  if (facts.skill !== null && facts.skill >= DIAGNOSIS.works) return findings;
  if (facts.skill !== null) findings.push(...saturatedFindings(facts), ...stuckFindings(facts), ...deadFindings(facts));
  if (!findings.length) findings.push(...vanishingFindings(facts));
  if (!findings.length && facts.skill !== null) findings.push(...stepFindings(facts));
  return findings;
}

const centredSuggestion = () => ({ key: "network.init", value: "centred" });
const rateSuggestion = (value) => ({ key: "training.learning_rate", value });

function symmetricFindings({ layers }) {
  const equal = layers.filter((s) => s.is_symmetric);
  if (!equal.length) return [];
  const { layer, neurons } = equal[0];
  const text =
    `All ${neurons} neurons of layer ${layer} have the same weights${otherLayers(equal, "likewise in")}. They get the ` +
    "same gradient and stay equal, so the layer acts like one neuron. " +
    "Start from random weights: network.init=centred.";
  return [{ kind: "symmetric", layer, text, numbers: { neurons }, suggestion: centredSuggestion() }];
}

function saturatedFindings(facts) {
  const flat = facts.layers.slice(0, -1).filter((s) => isBounded(facts, s) && s.saturated >= DIAGNOSIS.mostlySaturated);
  if (!flat.length) return [];
  const { layer, saturated } = greatest(flat, (s) => s.saturated);
  const { advice, suggestion } = tooLarge(facts);
  const text = `${shareText(saturated)} of layer ${layer} is saturated (σ′ < 0.01)${otherLayers(flat, "as are")}: ${advice}`;
  return [{ kind: "saturated", layer, text, numbers: { saturated }, suggestion }];
}

function stuckFindings(facts) {
  const { cost, outputMean } = facts;
  const last = facts.layers.at(-1);
  const { layer, saturated } = last;
  const isStuck = saturated >= DIAGNOSIS.mostlyStuck && last.dC_dz_rms < DIAGNOSIS.noGradient;
  if (!isBounded(facts, last) || !isStuck) return [];
  const at = outputMean >= 0 && outputMean < DIAGNOSIS.nearZero ? "near 0" : "at wrong values";
  const { advice, suggestion } = tooLarge(facts);
  const text =
    `The outputs are stuck ${at}: C = ${twoDigits(cost)}, and σ′ < 0.01 in ${shareText(saturated)} of ` +
    `layer ${layer}, so hardly any gradient gets back: ${advice}`;
  return [{ kind: "stuck", layer, text, numbers: { cost, saturated }, suggestion }];
}

function deadFindings(facts) {
  const off = facts.layers.filter((s) => kindOfLayer(facts, s) === "relu" && s.dead >= DIAGNOSIS.mostlyDead);
  if (!off.length || facts.examples < DIAGNOSIS.minForDead) return [];
  const worst = greatest(off, (s) => s.dead);
  const { layer, neurons } = worst;
  const dead = Math.floor(worst.dead * neurons + 0.5);
  const { advice, suggestion } = tooLarge(facts);
  const text =
    `${dead} of the ${neurons} neurons of layer ${layer} are dead${otherLayers(off, "as in")}: σ′ = 0 for each of ` +
    `${facts.examples} examples, so they learn nothing: ${advice}`;
  return [{ kind: "dead", layer, text, numbers: { dead, neurons }, suggestion }];
}

// The size of ∂C/∂z in the first layer against the last one. The lengths decide, because a wide layer divides the same
// gradient among more neurons. The text tells the rms.
function vanishingFindings(facts) {
  const [first, last] = [facts.layers[0], facts.layers.at(-1)];
  if (first === last || !last.dC_dz_rms || last.is_symmetric || first.is_symmetric) return [];
  const ratio = first.dC_dz_rms / last.dC_dz_rms;
  const length = ratio * Math.sqrt(first.neurons / last.neurons);
  const where = `rms ∂C/∂z changes ×${twoDigits(ratio)} from layer ${last.layer} to layer ${first.layer}`;
  const isCentred = facts.initialization === "centred";
  const finding = { layer: first.layer, numbers: { ratio }, suggestion: isCentred ? null : centredSuggestion() };
  if (length <= DIAGNOSIS.vanishing) {
    const reason = facts.activation === "sigmoid" ? ", because each sigmoid layer multiplies it by σ′ ≤ 0.25" : "";
    const advice = isCentred ? "Use fewer layers." : "Try network.init=centred, or fewer layers.";
    const text = `The gradient vanishes on its way back${reason}: ${where}. The first layers hardly learn. ${advice}`;
    return [{ kind: "vanishing", text, ...finding }];
  }
  if (length >= DIAGNOSIS.exploding) {
    const advice = isCentred ? "Use fewer layers." : "Try network.init=centred.";
    const text = `The gradient explodes on its way back: ${where}. The weights are too large. ${advice}`;
    return [{ kind: "exploding", text, ...finding }];
  }
  return [];
}

// The length of a plain step against the length of the weights, in the layer where it is largest.
function stepFindings(facts) {
  const known = facts.layers.filter((s) => s.step_ratio);
  if (!known.length) return [];
  const { layer, step_ratio } = greatest(known, (s) => s.step_ratio);
  const eta = facts.learningRate;
  const numbers = { step_ratio };
  if (step_ratio > (facts.isTrained ? DIAGNOSIS.largeStep : DIAGNOSIS.largeFirstStep)) {
    const better = smallerRate(eta);
    const text =
      `A step with η = ${rateText(eta)} is ${twoDigits(step_ratio)} times as long as the weights of layer ${layer}: ` +
      `η is probably too large; try ${rateText(better)}.`;
    return [{ kind: "large_steps", layer, text, numbers, suggestion: rateSuggestion(better) }];
  }
  if (step_ratio < DIAGNOSIS.smallStep && eta < DIAGNOSIS.usualRates[0]) {
    const power = Math.floor(Math.log10(DIAGNOSIS.goodStep / step_ratio) + 0.5);
    const better = Math.min(Number((eta * 10 ** power).toExponential(3)), 1);
    const text =
      `A step with η = ${rateText(eta)} is at most ${twoDigits(step_ratio)} times as long as a layer's weights: ` +
      `η is probably too small; try ${rateText(better)}.`;
    return [{ kind: "small_steps", layer, text, numbers, suggestion: rateSuggestion(better) }];
  }
  return [];
}

// What made z too large, and what to try: another initialization, or a smaller η.
function tooLarge({ isTrained, initialization, learningRate }) {
  const beganLarge = initialization === "standard_normal" && learningRate <= DIAGNOSIS.usualRates[1];
  if (!isTrained || beganLarge) {
    return { advice: "the weights begin too large; try network.init=centred.", suggestion: centredSuggestion() };
  }
  const better = smallerRate(learningRate);
  return {
    advice: `η = ${rateText(learningRate)} is probably too large; try ${rateText(better)}.`,
    suggestion: rateSuggestion(better),
  };
}

// A tenth of η, or less if that is still unusual.
const smallerRate = (eta) => Math.min(Number((eta / 10).toExponential(3)), DIAGNOSIS.usualRates[1]);

const kindOfLayer = ({ activation, output, layers }, s) => (s === layers.at(-1) ? output : activation);
const isBounded = (facts, s) => ["sigmoid", "tanh"].includes(kindOfLayer(facts, s)); // σ becomes flat on both sides
const greatest = (all, of) => all.reduce((most, one) => (of(one) > of(most) ? one : most));

function otherLayers(layers, words) {
  const count = layers.length - 1;
  return count ? `, ${words} ${count} other ${count === 1 ? "layer" : "layers"}` : "";
}

// 99.8 %; 100 % only if it is all.
function shareText(share) {
  const value = Math.floor(1000 * share + 0.5) / 10;
  return `${(value >= 100 && share < 1 ? 99.9 : value).toFixed(1).replace(/\.0$/, "")} %`;
}

// Two significant digits: 0.07, 4.3, 3.1e-7. A tie is rounded up.
const twoDigits = (value) => plainNumber((value * (1 + 1e-12)).toExponential(1), 1);

// A learning rate with up to four significant digits, as one types it: 3, 0.05, 1000000, 1e-5.
const rateText = (value) => plainNumber((value * (1 + 1e-12)).toExponential(3), 3);

function plainNumber(text, digits) {
  let [mantissa, exponent] = text.split("e");
  exponent = Number(exponent);
  const trimmed = (number) => (digits === 3 && number.includes(".") ? number.replace(/\.?0+$/, "") : number);
  if (exponent < -4 || exponent >= 7) return `${trimmed(mantissa)}e${exponent}`;
  return trimmed(Number(text).toFixed(Math.max(0, digits - exponent)));
}

// The facts of a network over examples. `passes` has {passed, back, y} of each example, from `forward` and `backprop`.
// Options: `gradient`, the averaged ∇C as one vector in the order of the parameters, if it is known; `isTrained` (default
// true); `initialization` (default null).
export function factsOf(network, passes, learningRate, options = {}) {
  const { gradient = null, isTrained = true, initialization = null } = options;
  const { L, sizes } = network;
  const m = passes.length;
  const nameOfActivation = (l) => Object.keys(ACTIVATIONS).find((name) => ACTIVATIONS[name] === network.activation[l]);
  const outputs = passes.reduce((sum, { passed }) => sum + passed.a[L].reduce((part, a) => part + a, 0), 0);
  const layers = [];
  let start = 0; // of the layer's weights in the gradient
  for (let l = 1; l <= L; l++) {
    const size = sizes[l] * sizes[l - 1];
    const norm = gradient ? lengthOf(gradient.subarray(start, start + size)) : averagedNorm(passes, l);
    start += size + sizes[l];
    const weights = lengthOf(network.w[l]);
    layers.push({
      layer: l,
      neurons: sizes[l],
      ...sigmaPrimeFacts(passes, l),
      dC_dz_rms: Math.sqrt(passes.reduce((sum, { back }) => sum + squaresOf(back.dC_dz[l]), 0) / (m * sizes[l])),
      dC_dw_norm: norm,
      step_ratio: weights ? (learningRate * norm) / weights : null,
      is_symmetric: isSymmetric(network, l),
    });
  }
  return {
    activation: nameOfActivation(1),
    output: nameOfActivation(L),
    learningRate,
    cost: passes.reduce((sum, { passed, y }) => sum + costOf(network, passed, y), 0) / m,
    skill: skillOf(network, passes),
    outputMean: outputs / (m * sizes[L]),
    examples: m,
    isTrained,
    initialization,
    layers,
  };
}

// How much better the network is than guessing: 0 is no better, 1 is perfect, null is unknown. For classes, guessing is
// always to answer the most frequent class. For other desired outputs, it is their average.
function skillOf({ L, sizes }, passes) {
  const m = passes.length;
  if (m < DIAGNOSIS.minExamples) return null;
  if (passes.every(({ y }) => y.every((value) => value === 0 || value === 1))) {
    const counts = new Array(Math.max(sizes[L], 2)).fill(0);
    let correct = 0;
    for (const { passed, y } of passes) {
      counts[answerOf(y)] += 1;
      correct += Number(answerOf(passed.a[L]) === answerOf(y));
    }
    const guessing = Math.max(...counts) / m;
    return guessing < 1 ? (correct / m - guessing) / (1 - guessing) : null;
  }
  let [error, spread] = [0, 0];
  for (let j = 0; j < sizes[L]; j++) {
    const average = passes.reduce((sum, { y }) => sum + y[j], 0) / m;
    for (const { passed, y } of passes) {
      error += (passed.a[L][j] - y[j]) ** 2;
      spread += (y[j] - average) ** 2;
    }
  }
  return spread ? 1 - error / spread : null;
}

function squaresOf(values) {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i];
  return sum;
}

const lengthOf = (values) => Math.sqrt(squaresOf(values));

function sigmaPrimeFacts(passes, l) {
  const n = passes[0].back.da_dz[l].length;
  const isDead = new Array(n).fill(true);
  let [below, sum] = [0, 0];
  for (const { back } of passes) {
    const da_dz = back.da_dz[l];
    for (let j = 0; j < n; j++) {
      sum += da_dz[j];
      if (da_dz[j] < DIAGNOSIS.saturated) below += 1;
      if (da_dz[j] !== 0) isDead[j] = false;
    }
  }
  const count = n * passes.length;
  return { saturated: below / count, mean_sigma_prime: sum / count, dead: isDead.filter(Boolean).length / n };
}

// The length of the averaged ∂C/∂w of a layer. ∂C/∂w is (1/m) Σ_i ∂C_i/∂z a_i, so its squared length is
// (1/m²) Σ_i Σ_h (∂C_i/∂z · ∂C_h/∂z) (a_i · a_h): for few examples that is much less work than the average itself.
function averagedNorm(passes, l) {
  const m = passes.length;
  const [n, below] = [passes[0].back.dC_dz[l].length, passes[0].passed.a[l - 1].length];
  if ((m / 2) * (n + below) > n * below) {
    const average = new Float64Array(n * below);
    for (const { passed, back } of passes) {
      for (let j = 0; j < n; j++) {
        const share = back.dC_dz[l][j] / m;
        for (let k = 0; k < below; k++) average[j * below + k] += share * passed.a[l - 1][k];
      }
    }
    return lengthOf(average);
  }
  const dot = (u, v) => {
    let sum = 0;
    for (let i = 0; i < u.length; i++) sum += u[i] * v[i];
    return sum;
  };
  let sum = 0;
  for (let i = 0; i < m; i++) {
    for (let h = 0; h <= i; h++) {
      const both = dot(passes[i].back.dC_dz[l], passes[h].back.dC_dz[l]);
      if (both) sum += (h < i ? 2 : 1) * both * dot(passes[i].passed.a[l - 1], passes[h].passed.a[l - 1]);
    }
  }
  return Math.sqrt(Math.max(0, sum)) / m;
}

// True if all neurons of a hidden layer are equal up to rounding: in w, in b, and in the weights above.
function isSymmetric({ L, sizes, w, b }, l) {
  const n = sizes[l];
  if (l === L || n === 1) return false;
  const areEqual = (length, at) => {
    let [size, difference] = [0, 0];
    for (let i = 0; i < length; i++) {
      const first = at(0, i);
      for (let j = 0; j < n; j++) {
        const value = at(j, i);
        size = Math.max(size, Math.abs(value));
        difference = Math.max(difference, Math.abs(value - first));
      }
    }
    return difference <= DIAGNOSIS.equal * size;
  };
  return (
    areEqual(1, (j) => b[l][j]) &&
    areEqual(sizes[l + 1], (j, i) => w[l + 1][i * n + j]) &&
    areEqual(sizes[l - 1], (j, k) => w[l][j * sizes[l - 1] + k])
  );
}

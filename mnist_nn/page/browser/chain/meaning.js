// What each factor of the chain means for this example, as sentences. In a sentence {z} stands for the typeset symbol z.

import { counted, unsigned } from "../parts/dom.js";
import { ACTIVATIONS, cancels, largestAt, pathsOf } from "../mathematics/network.js";

const LITTLE = 0.1; // a factor below this share of its largest usual value is called small
const TINY_PRODUCT = 1e-3;
const PEAK = { sigmoid: 0.25, tanh: 1 }; // of σ′
const CLOSE = 0.05; // outputs that differ this little from y

// The sentences below ∂z/∂w, ∂a/∂z, ∂C/∂a and their product.
export function meaningOf(state, data) {
  return {
    dz: meaningOfBelow(state, data),
    da_dz: meaningOfSlope(state, data),
    dC_da: state.place.l === data.network.L ? meaningOfOutput(state, data) : meaningOfPaths(state, data),
    product: meaningOfProduct(state, data),
  };
}

const activationName = (network, l) =>
  Object.keys(ACTIVATIONS).find((name) => ACTIVATIONS[name] === network.activation[l]);

// What the weight is multiplied with: a pixel, another input, or a neuron.
const isPixel = ({ place }, data) => place.l === 1 && data.side !== null;
const subjectBelow = (state, data) =>
  isPixel(state, data) ? "this pixel" : state.place.l === 1 ? "this input" : "the neuron below";
const capital = (text) => text[0].toUpperCase() + text.slice(1);
const parameterWord = ({ place }) => (place.k === null ? "bias" : "weight");

function meaningOfBelow(state, data) {
  const { dz } = state.derivative;
  if (state.place.k === null) return "A bias is simply added: {z} moves exactly as much as the bias.";
  const subject = capital(subjectBelow(state, data));
  const pixel = isPixel(state, data);
  if (dz === 0) {
    const empty = pixel ? "empty" : state.place.l === 1 ? "0" : "silent";
    return `${subject} is ${empty}: for this example its weight cannot matter.`;
  }
  const times = `{z} moves ${unsigned(Math.abs(dz))} times as much as the weight`;
  if (dz < 0) return `${subject} is negative: ${times}, in the opposite direction.`;
  const isBounded = pixel || (state.place.l > 1 && activationName(data.network, state.place.l - 1) in PEAK);
  if (dz > 1 || !isBounded) return `${subject} is ${unsigned(dz)}: ${times}.`;
  if (dz < LITTLE)
    return `${subject} ${pixel ? "has hardly any ink" : "is hardly active"}: its weight has little effect.`;
  if (dz < 0.9) return `${subject} is ${pixel ? "grey" : "partly active"}: ${times}.`;
  return `${subject} is ${pixel ? "full of ink" : "almost fully active"}, so its weight has full effect.`;
}

function meaningOfSlope({ place: { l, j }, passed, derivative: { da_dz } }, { network }) {
  const name = activationName(network, l);
  const z = passed.z[l][j];
  if (name === "identity") return "The activation is {z} itself, so every change passes unchanged.";
  if (name === "relu")
    return z > 0
      ? "{z} is positive: ReLU passes every change on unchanged."
      : `{z} is ${z === 0 ? "0" : "negative"}: ReLU answers 0 and ignores small changes. This neuron is switched off.`;
  const at = `{z} = ${unsigned(z)} lies`;
  const share = da_dz / PEAK[name];
  if (share < 0.04) return `${at} on the flat ${z > 0 ? "upper" : "lower"} end of {σ}: this neuron hardly reacts.`;
  if (share < 0.4) return `${at} where {σ} grows flat: this neuron reacts weakly.`;
  if (share < 0.8) return `${at} on the slope of {σ}: this neuron reacts.`;
  return `${at} in the steep middle of {σ}: this neuron reacts strongly. {σ′} is never above ${PEAK[name]}.`;
}

function meaningOfOutput({ place: { l, j }, passed, y }, { network }) {
  const off = passed.a[l][j] - y[j];
  const reads = `The output is ${unsigned(passed.a[l][j])}`;
  if (off === 0) return `${reads}, exactly as desired: a small change does not move {C}.`;
  const direction = off > 0 ? "fall" : "rise";
  const isEntropy = network.cost.dC_dz !== undefined;
  if (Math.abs(off) < CLOSE)
    return isEntropy
      ? `${reads} and should be ${unsigned(y[j])}: close. With this cost {∂C/∂a} stays large, and {σ′} is small instead.`
      : `${reads} and should be ${unsigned(y[j])}: close, so {C} hardly depends on this output.`;
  if (Math.abs(off) < 0.5) return `${reads} but should be ${unsigned(y[j])}: this output should ${direction} somewhat.`;
  return `${reads} but should be ${unsigned(y[j])}: far off, so everything moves more. This output should ${direction}.`;
}

function meaningOfPaths({ place: { l, j }, back, derivative: { dC_da } }, { network }) {
  const isLast = l + 1 === network.L;
  const shares = pathsOf(network, back, l, j).map(({ product }) => product);
  const strongest = largestAt(shares);
  const through = isLast ? `output ${strongest}` : `neuron ${strongest} of layer ${l + 1}`;
  const effect = dC_da === 0 ? "" : ` If this activation rises, {C} ${dC_da > 0 ? "rises" : "falls"}.`;
  if (shares.length === 1) return `This neuron reaches {C} only through ${through}.${effect}`;
  const over = isLast ? counted(shares.length, "output") : `${counted(shares.length, "neuron")} of layer ${l + 1}`;
  if (shares[strongest] === 0) return `This neuron’s blame is a sum over ${over}. Every share is 0.`;
  return `This neuron’s blame is a sum over ${over}. The largest share, ${unsigned(shares[strongest])}, comes through ${through}.${effect}`;
}

// How the shares of a sum over paths make up the sum. The shares are sorted, the largest first.
export function meaningOfSum(shares) {
  const sum = shares.reduce((so_far, share) => so_far + share, 0);
  const size = shares.reduce((so_far, share) => so_far + Math.abs(share), 0);
  if (shares.length === 1) return `There is one path, so {∂C/∂a} = ${unsigned(sum)} is one product.`;
  if (size === 0) return `{∂C/∂a} is 0: each of its ${shares.length} shares is 0.`;
  let [few, part] = [0, 0];
  while (part < 0.9 * size) part += Math.abs(shares[few++]);
  const percent = (share) => `${Math.round((100 * share) / size)} %`;
  const words = [
    "",
    "one of them makes",
    "two of them make",
    "three of them make",
    "four of them make",
    "five of them make",
  ];
  const cancelled = size - Math.abs(sum);
  const largest = `${words[few] ?? `${few} of them make`} ${percent(part)}`;
  if (cancelled < 0.005 * size)
    return `{∂C/∂a} = ${unsigned(sum)} is the sum of ${shares.length} shares; ${largest} of it.`;
  return `{∂C/∂a} = ${unsigned(sum)} is the sum of ${shares.length} shares; ${largest} of their size. They have both signs: ${percent(cancelled)} of the size cancels.`;
}

// Why the derivative is 0, why it is small, or what its sign means.
function meaningOfProduct(state, data) {
  const { product } = state.derivative;
  const word = parameterWord(state);
  if (product === 0)
    return `Why is the derivative 0? ${capital(reasonForZero(state, data))}. For this example the ${word} cannot change the cost.`;
  const effect = product > 0 ? "raises" : "lowers";
  const step = product > 0 ? "lowers" : "raises";
  if (Math.abs(product) < TINY_PRODUCT) {
    const reasons = reasonsForSmall(state, data);
    const why = reasons.length ? joined(reasons) : "every factor is below 1, and together they are small";
    return `Why is the derivative so small? ${capital(why)}.`;
  }
  return `Raising this ${word} ${effect} the cost, so training ${step} this ${word}.${sourceOfMinus(state)}${cancelling(state, data)}`;
}

function reasonForZero(state, data) {
  const { derivative: d, place, passed, y } = state;
  const { network } = data;
  const isOutput = place.l === network.L;
  const reasons = [
    d.dz === 0 && `${subjectBelow(state, data)} is ${isPixel(state, data) ? "empty" : "0"}, so {∂z/∂w} is 0`,
    cancels(network, place.l)
      ? passed.a[place.l][place.j] === y[place.j] && "the output is exactly as desired"
      : d.da_dz === 0 &&
        (activationName(network, place.l) === "relu"
          ? "ReLU is switched off here, so {σ′} is 0"
          : "{σ} is flat here, so {σ′} is 0"),
    d.dC_da === 0 &&
      (isOutput ? "the output is exactly as desired, so {∂C/∂a} is 0" : "the paths to the cost add up to 0"),
  ];
  return reasons.find(Boolean) || "the product is smaller than the smallest number of the computer";
}

// The factors that are small compared with their usual size, as clauses.
function reasonsForSmall(state, data) {
  const { derivative: d, place, passed, y } = state;
  const { network } = data;
  const { l, j } = place;
  const isOutput = l === network.L;
  const slope = d.da_dz / (PEAK[activationName(network, l)] ?? 1);
  const cause = cancels(network, l) ? passed.a[l][j] - y[j] : d.dC_da / (isOutput ? 2 : 1);
  return [
    Math.abs(d.dz) < LITTLE &&
      `${subjectBelow(state, data)} ${isPixel(state, data) ? "has hardly any ink" : "is hardly active"}`,
    !cancels(network, l) && slope < LITTLE && "this neuron is saturated, so {σ′} is small",
    Math.abs(cause) < LITTLE && (isOutput ? "the output is almost right" : "the cost hardly depends on this neuron"),
  ].filter(Boolean);
}

const joined = (clauses) =>
  clauses.length < 2 ? clauses.join("") : `${clauses.slice(0, -1).join(", ")}, and ${clauses.at(-1)}`;

function sourceOfMinus({ derivative: { dz, dC_da } }) {
  if (dz < 0 && dC_da < 0) return " Two minus signs make a plus.";
  return dC_da < 0 ? " The minus sign comes from {∂C/∂a}." : dz < 0 ? " The minus sign comes from {∂z/∂w}." : "";
}

const cancelling = ({ place: { l, j }, passed, y }, { network }) =>
  cancels(network, l) ? ` {σ′} and {∂C/∂a} multiply to {a} − {y} = ${unsigned(passed.a[l][j] - y[j])}.` : "";

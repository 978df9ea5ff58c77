// The mathematics of the page, with the chapter's symbols, in double precision, for one example at a time.
// The layer is the array index: a[0] is the input, and w[1] to w[L] are the weights. Row j of w[l] holds the weights into
// neuron j of layer l.

// For each activation: σ(z), σ′(z) as a function of a = σ(z), and the range of the number line for a.
export const ACTIVATIONS = {
  sigmoid: { sigma: (z) => 1 / (1 + Math.exp(-z)), sigmaPrime: (a) => a * (1 - a), range: [0, 1] },
  tanh: { sigma: Math.tanh, sigmaPrime: (a) => 1 - a * a, range: [-1, 1] },
  relu: { sigma: (z) => Math.max(z, 0), sigmaPrime: (a) => (a > 0 ? 1 : 0), range: [-3, 3] },
  identity: { sigma: (z) => z, sigmaPrime: () => 1, range: [-3, 3] },
};

const TINY = 2.2250738585072014e-308; // the smallest normal double

// For each cost: the term of one output neuron in C, its ∂C/∂a, and ∂C/∂z if σ′ cancels against ∂C/∂a.
export const COSTS = {
  squared_error: {
    C: (z, a, y) => (a - y) ** 2,
    dC_da: (a, y) => 2 * (a - y),
  },
  // C is computed from z, because ln a is wrong if a rounds to 0 or 1.
  cross_entropy: {
    C: (z, a, y) => y * Math.max(-z, 0) + (1 - y) * Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))),
    dC_da: (a, y) => (a - y) / Math.max(a * (1 - a), TINY),
    dC_dz: (a, y) => a - y,
  },
};

export class Network {
  // `parameters` is one vector in the order of ∇C: (w1, b1, …, wL, bL).
  constructor(sizes, activation, output, cost, parameters) {
    this.sizes = sizes;
    this.L = sizes.length - 1;
    this.costName = cost;
    this.cost = COSTS[cost];
    this.activation = sizes.map((_, l) => ACTIVATIONS[l === this.L ? output : activation]);
    this.parameters = parameters;
    this.version = 0; // grows whenever the parameters have changed
    this.w = [null];
    this.b = [null];
    let end = 0;
    for (let l = 1; l <= this.L; l++) {
      this.w.push(parameters.subarray(end, (end += sizes[l] * sizes[l - 1])));
      this.b.push(parameters.subarray(end, (end += sizes[l])));
    }
  }

  // w_jk^(l), or b_j^(l) if k is null.
  parameter({ l, j, k }) {
    return k === null ? this.b[l][j] : this.w[l][j * this.sizes[l - 1] + k];
  }

  setParameter({ l, j, k }, value) {
    if (k === null) this.b[l][j] = value;
    else this.w[l][j * this.sizes[l - 1] + k] = value;
  }

  // Copy a vector of parameters into the network.
  load(parameters) {
    this.parameters.set(parameters);
    this.version += 1;
  }
}

// The activations of a layer that are not 0, and where they are. Most pixels of a digit are 0, and a sum can leave them
// out. The pixels of an example never change, so they are looked through once; a hidden layer is taken whole.
const inputs = new WeakMap();
const everywhere = new Map(); // 0, 1, …, n − 1 by n
export function liveOf(a, l) {
  if (l > 0) {
    if (!everywhere.has(a.length)) everywhere.set(a.length, Int32Array.from(a.keys()));
    return { at: everywhere.get(a.length), values: a };
  }
  if (!inputs.has(a)) {
    const at = Int32Array.from(a.keys()).filter((k) => a[k] !== 0);
    inputs.set(a, { at, values: Float64Array.from(at, (k) => a[k]) });
  }
  return inputs.get(a);
}

// w a for every neuron, written into z. Four neurons at a time take half as long as one after the other.
function weightedSums(w, { at, values }, width, z) {
  let j = 0;
  for (; j + 4 <= z.length; j += 4) {
    const r0 = j * width;
    const r1 = r0 + width;
    const r2 = r1 + width;
    const r3 = r2 + width;
    let z0 = 0;
    let z1 = 0;
    let z2 = 0;
    let z3 = 0;
    for (let i = 0; i < at.length; i++) {
      const k = at[i];
      const a = values[i];
      z0 += w[r0 + k] * a;
      z1 += w[r1 + k] * a;
      z2 += w[r2 + k] * a;
      z3 += w[r3 + k] * a;
    }
    z[j] = z0;
    z[j + 1] = z1;
    z[j + 2] = z2;
    z[j + 3] = z3;
  }
  for (; j < z.length; j++) {
    z[j] = 0;
    for (let i = 0; i < at.length; i++) z[j] += w[j * width + at[i]] * values[i];
  }
}

// z^(l) = w^(l) a^(l−1) + b^(l),  a^(l) = σ(z^(l)). The result of an earlier pass, if given, is overwritten.
export function forward(network, x, { z, a } = emptyPass(network)) {
  a[0] = x;
  for (let l = 1; l <= network.L; l++) {
    const b = network.b[l];
    const { sigma } = network.activation[l];
    weightedSums(network.w[l], liveOf(a[l - 1], l - 1), a[l - 1].length, z[l]);
    for (let j = 0; j < b.length; j++) {
      z[l][j] += b[j];
      a[l][j] = sigma(z[l][j]);
    }
  }
  return { z, a };
}

const emptyPass = ({ sizes }) => ({ z: layersOf(sizes), a: layersOf(sizes) });
const layersOf = (sizes) => sizes.map((n, l) => (l ? new Float64Array(n) : null));

// C, a sum over the output neurons.
export function costOf(network, { z, a }, y) {
  const L = network.L;
  return y.reduce((sum, y_j, j) => sum + network.cost.C(z[L][j], a[L][j], y_j), 0);
}

// True if σ′ of layer l cancels against ∂C/∂a.
export const cancels = (network, l) => l === network.L && network.cost.dC_dz !== undefined;

// The chain rule, from the last layer to the first: ∂C/∂a_j, σ′(z_j) and ∂C/∂z_j for every neuron of layers 1 to L. The
// result of an earlier pass, if given, is overwritten.
export function backprop(network, { a }, y, { dC_da, da_dz, dC_dz } = emptyBack(network)) {
  const L = network.L;
  for (let j = 0; j < y.length; j++) dC_da[L][j] = network.cost.dC_da(a[L][j], y[j]);
  for (let l = L; l >= 1; l--) {
    const { sigmaPrime } = network.activation[l];
    const below = a[l - 1].length;
    if (l > 1) dC_da[l - 1].fill(0);
    for (let j = 0; j < a[l].length; j++) {
      da_dz[l][j] = sigmaPrime(a[l][j]);
      dC_dz[l][j] = cancels(network, l) ? network.cost.dC_dz(a[L][j], y[j]) : da_dz[l][j] * dC_da[l][j];
      if (l === 1) continue;
      const [w, row, blame, sum] = [network.w[l], j * below, dC_dz[l][j], dC_da[l - 1]];
      for (let k = 0; k < below; k++) sum[k] += w[row + k] * blame; // over every path
    }
  }
  return { dC_da, da_dz, dC_dz };
}

const emptyBack = ({ sizes }) => ({ dC_da: layersOf(sizes), da_dz: layersOf(sizes), dC_dz: layersOf(sizes) });

// ∂z/∂w = a of the neuron where the weight starts. ∂z/∂b = 1.
export const dzOf = ({ a }, { l, k }) => (k === null ? 1 : a[l - 1][k]);

// ∂C/∂w = ∂z/∂w · ∂a/∂z · ∂C/∂a
export const derivativeOf = (passed, back, place) => dzOf(passed, place) * back.dC_dz[place.l][place.j];

// The paths whose sum is ∂C/∂a of neuron k of layer l. For each neuron j of layer l + 1: w_jk · σ′(z_j) · ∂C/∂a_j.
export function pathsOf(network, back, l, k) {
  return Array.from(back.dC_dz[l + 1], (dC_dz, j) => {
    const w = network.parameter({ l: l + 1, j, k });
    return { j, w, da_dz: back.da_dz[l + 1][j], dC_da: back.dC_da[l + 1][j], product: w * dC_dz };
  });
}

// The changes of z, a and C after a nudge of one parameter, from a second forward pass.
export function nudgeOf(network, x, y, passed, place, change) {
  const value = network.parameter(place);
  network.setParameter(place, value + change);
  const after = forward(network, x);
  network.setParameter(place, value);
  const { l, j } = place;
  return {
    parameter: change,
    dz: after.z[l][j] - passed.z[l][j],
    da: after.a[l][j] - passed.a[l][j],
    dC: costOf(network, after, y) - costOf(network, passed, y),
  };
}

// The index of the most active output neuron. For a single output neuron: 1 if a ≥ 1/2, else 0.
export function answerOf(a) {
  return a.length === 1 ? Number(a[0] >= 0.5) : a.indexOf(Math.max(...a));
}

// The desired output y for a digit.
export const oneAt = (digit, n) => Float64Array.from({ length: n }, (_, j) => Number(j === digit));

// The index of the largest absolute value.
export const largestAt = (values) =>
  values.reduce((at, value, i) => (Math.abs(value) > Math.abs(values[at]) ? i : at), 0);

// The values counted in bins of equal, round width. `members` are the positions of the values in a bin. Zero lies on an
// edge, never inside a bin. No bins if a value is not finite.
export function histogram(values, atMost = 9) {
  if (!values.every(Number.isFinite)) return [];
  const low = Math.min(...values);
  const high = Math.max(...values);
  const span = Math.max(high - low, 1e-9 * Math.max(Math.abs(low), Math.abs(high))) || 1;
  const power = 10 ** Math.floor(Math.log10(Math.max(span, 1e-300) / atMost));
  const width = [1, 2, 5, 10, 20]
    .map((factor) => factor * power)
    .find((width) => Math.floor(high / width) - Math.floor(low / width) < atMost);
  const place = values.map((value) => Math.floor(value / width));
  const first = Math.min(...place);
  return Array.from({ length: Math.max(...place) - first + 1 }, (_, n) => ({
    low: (first + n) * width,
    high: (first + n + 1) * width,
    members: place.flatMap((at, i) => (at === first + n ? [i] : [])),
  }));
}

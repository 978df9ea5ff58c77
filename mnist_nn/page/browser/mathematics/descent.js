// Gradient descent on the page: the chapter's ∇C, averaged over examples, and the step −η ∇C.

import { liveOf } from "./network.js";

// Add up ∇C = (1/m) Σ_k ∇C_k into one vector in the order (w1, b1, …, wL, bL). It pauses after every example, so that a
// large network does not block the page.
export function* gradientOver(network, examples, gradient) {
  gradient.fill(0);
  for (const { passed, back } of examples) {
    let start = 0; // of the layer's weights
    for (let l = 1; l <= network.L; l++) {
      const shares = back.dC_dz[l].map((dC_dz) => dC_dz / examples.length);
      const width = passed.a[l - 1].length;
      addWeights(gradient, start, shares, liveOf(passed.a[l - 1], l - 1), width);
      start += shares.length * width;
      for (let j = 0; j < shares.length; j++) gradient[start + j] += shares[j]; // ∂C/∂b = 1 · ∂C/∂z
      start += shares.length;
    }
    yield;
  }
}

// Add ∂C/∂w = ∂z/∂w · ∂C/∂z for every weight of a layer, four neurons at a time (see `weightedSums`).
function addWeights(gradient, start, shares, { at, values }, width) {
  let j = 0;
  for (; j + 4 <= shares.length; j += 4) {
    const r0 = start + j * width;
    const r1 = r0 + width;
    const r2 = r1 + width;
    const r3 = r2 + width;
    const [s0, s1, s2, s3] = [shares[j], shares[j + 1], shares[j + 2], shares[j + 3]];
    for (let i = 0; i < at.length; i++) {
      const k = at[i];
      const a = values[i];
      gradient[r0 + k] += s0 * a;
      gradient[r1 + k] += s1 * a;
      gradient[r2 + k] += s2 * a;
      gradient[r3 + k] += s3 * a;
    }
  }
  for (; j < shares.length; j++)
    for (let i = 0; i < at.length; i++) gradient[start + j * width + at[i]] += shares[j] * values[i];
}

// w ← w − η ∂C/∂w and b ← b − η ∂C/∂b, all in one vector.
export function stepDownhill(network, gradient, rate) {
  const { parameters } = network;
  for (let i = 0; i < parameters.length; i++) parameters[i] -= rate * gradient[i];
  network.version += 1;
}

// ‖v‖²
export function squaredNorm(vector) {
  let sum = 0;
  for (let i = 0; i < vector.length; i++) sum += vector[i] * vector[i];
  return sum;
}

// The average cost of examples, and the share of them that is read right.
export function averageOf(examples) {
  let C = 0;
  let right = 0;
  for (const example of examples) {
    C += example.C;
    right += example.answer === example.label;
  }
  return { C: C / examples.length, accuracy: right / examples.length };
}

// Gradient descent on the page: the chapter's ∇C, averaged over examples, and the step −η ∇C.

import { sparse } from "./network.js";

// Add up ∇C = (1/m) Σ_k ∇C_k into one vector in the order (w1, b1, …, wL, bL). It pauses after every example, so that a
// large network does not block the page.
export function* gradientOver(network, examples, gradient) {
  gradient.fill(0);
  for (const { passed, back } of examples) {
    let start = 0;
    for (let l = 1; l <= network.L; l++) {
      const below = passed.a[l - 1];
      const { at, values } = l === 1 ? sparse(below) : { at: null, values: below };
      const dC_dz = back.dC_dz[l];
      const rows = start + dC_dz.length * below.length; // where the biases begin
      for (let j = 0; j < dC_dz.length; j++, start += below.length) {
        const share = dC_dz[j] / examples.length;
        if (at)
          for (let i = 0; i < at.length; i++) gradient[start + at[i]] += share * values[i]; // ∂z/∂w · ∂C/∂z
        else for (let k = 0; k < values.length; k++) gradient[start + k] += share * values[k];
        gradient[rows + j] += share; // ∂z/∂b = 1
      }
      start = rows + dC_dz.length;
    }
    yield;
  }
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

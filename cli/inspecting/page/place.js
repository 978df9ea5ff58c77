// What a chosen parameter {l, j, k} is and belongs to: w_jk^(l), or b_j^(l) where k is null.

import { largestAt } from "./network.js";

export const letterOf = ({ k }) => (k === null ? "b" : "w");

// Its name as in the terminal: w(2)[4,12].
export const nameOf = ({ l, j, k }) => (k === null ? `b(${l})[${j}]` : `w(${l})[${j},${k}]`);

// A neuron's strongest incoming weight for the example at hand: |∂C/∂w| is largest where a is.
export const strongestInto = (state, l, j) => ({ l, j, k: largestAt(state.passed.a[l - 1]) });

// The neuron whose incoming weights are shown: in the first layer the chosen one, else the one that its weight comes from.
export const weightsOf = ({ l, j, k }) => (l === 1 || k === null ? { l, j } : { l: l - 1, j: k });

// Whose ∂C/∂a is shown: the chosen parameter's own neuron where that is hidden, else the one that its weight comes from.
export function summedNeuron({ l, j, k }, L) {
  if (l < L) return { l, n: j };
  return k === null ? null : { l: l - 1, n: k };
}

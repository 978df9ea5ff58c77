// A place {l, j, k} is the position of a parameter: the weight w_jk^(l), or the bias b_j^(l) if k is null.

import { formula, variable } from "../parts/dom.js";
import { largestAt } from "./network.js";

export const letterOf = ({ k }) => (k === null ? "b" : "w");

// The parameter's name, typeset.
export const symbolOf = (place) => variable(letterOf(place), place.l, place.j, place.k);
export const named = (place) => formula(symbolOf(place));

// The parameter's name as in the terminal, for screen readers: w(2)[4,12].
export const nameOf = ({ l, j, k }) => (k === null ? `b(${l})[${j}]` : `w(${l})[${j},${k}]`);

// A neuron's incoming weight with the largest |∂C/∂w| for the current example. It starts where |a| is largest.
export const strongestInto = (state, l, j) => ({ l, j, k: largestAt(state.passed.a[l - 1]) });

// The neuron whose incoming weights the heat maps show. For a weight above the first layer it is the neuron where the
// weight starts, else the parameter's own neuron.
export const heatMapNeuron = ({ l, j, k }) => (l === 1 || k === null ? { l, j } : { l: l - 1, j: k });

// The neuron whose ∂C/∂a is shown: the parameter's own neuron if it is hidden, else the neuron where its weight starts.
// Null for a bias of the last layer.
export function summedNeuron({ l, j, k }, L) {
  if (l < L) return { l, n: j };
  return k === null ? null : { l: l - 1, n: k };
}

// From a neuron up to the cost: one path through the network, and the forward pass after a nudge.

import { clean } from "../parts/dom.js";
import { largestAt, pathsOf } from "../mathematics/network.js";

// The neurons above a neuron on one path to the cost, as {l, j}, up to the last layer. The path goes through the neurons
// of the walked route. Where the route has none, the path continues where it is strongest.
export function pathUp({ back, route }, network, { l, j }) {
  const above = [];
  let n = j;
  for (let layer = l; layer < network.L; layer++) {
    const walked = route.find((step) => step.l === layer + 1);
    n = walked ? walked.j : largestAt(pathsOf(network, back, layer, n).map(({ product }) => product));
    above.push({ l: layer + 1, j: n });
  }
  return above;
}

// z and a of every layer after a nudge of one parameter. Layers below the parameter stay as they are.
export function passedAfter(network, passed, place, change) {
  if (change === 0) return passed;
  const [z, a] = [[...passed.z], [...passed.a]];
  const value = network.parameter(place);
  network.setParameter(place, value + change);
  for (let l = place.l; l <= network.L; l++) {
    const below = a[l - 1];
    const isFirst = l === place.l; // in this layer only the parameter's own neuron changes
    z[l] = Float64Array.from(passed.z[l]);
    a[l] = Float64Array.from(passed.a[l]);
    for (let j = isFirst ? place.j : 0; j < (isFirst ? place.j + 1 : z[l].length); j++) {
      let sum = 0;
      for (let k = 0; k < below.length; k++) sum += network.w[l][j * below.length + k] * below[k];
      z[l][j] = sum + network.b[l][j];
      a[l][j] = network.activation[l].sigma(z[l][j]);
    }
  }
  network.setParameter(place, value);
  return { z, a };
}

// The change of a value. A change of rounding size counts as 0.
export const changeOf = (after, before) => clean(after - before);

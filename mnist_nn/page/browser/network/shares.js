// What flows back through the network: each path's share of a ∂C/∂a, and the route from the cost to a parameter.

import { largestAt, pathsOf } from "../mathematics/network.js";

export const VISIBLE = 0.02; // a path below this share of its layer's strongest is not drawn
export const MOST_PATHS = 400; // of a layer that are drawn
const BINS = 4096; // for the shares of a layer
const SAMPLE = 50000; // paths of a layer whose shares are counted, at most

// The positions of the n largest absolute values, the largest first.
export function largestOf(values, n) {
  const at = [];
  values.forEach((value, i) => {
    const size = Math.abs(value);
    if (at.length === n && size <= Math.abs(values[at[n - 1]])) return;
    let rank = at.length;
    while (rank > 0 && Math.abs(values[at[rank - 1]]) < size) rank -= 1;
    at.splice(rank, 0, i);
    if (at.length > n) at.pop();
  });
  return at;
}

// The strongest paths from layer l + 1 back to layer l, the weakest first. Each carries w_jk · σ′(z_j) · ∂C/∂a_j. Its `share`
// is relative to the strongest. Among a million paths, one look at each finds the strongest of every row of w. Only rows
// with a path to draw are searched: no drawn path is weaker than the strongest of the row at rank MOST_PATHS.
export function strongestPaths({ sizes, w: weights }, back, l) {
  const [n, m] = [sizes[l], sizes[l + 1]];
  const w = weights[l + 1];
  const dC_dz = back.dC_dz[l + 1];
  const mostOf = new Float64Array(m);
  for (let j = 0; j < m; j++) mostOf[j] = mostIn(w, j * n, (j + 1) * n) * Math.abs(dC_dz[j]);
  const ranked = mostOf.slice().sort();
  const strongest = ranked[m - 1];
  const found = { l, total: n * m, paths: [] };
  if (!(strongest > 0 && strongest < Infinity)) return found;
  const rows = Array.from(mostOf.keys()).filter(
    (j) => mostOf[j] >= Math.max(VISIBLE * strongest, ranked[m - MOST_PATHS] ?? 0),
  );
  const least = leastDrawn(w, n, rows, (j) => Math.abs(dC_dz[j]) / strongest);
  for (const j of rows) {
    const d = dC_dz[j];
    const enough = (least * strongest) / Math.abs(d);
    for (let k = 0; k < n; k++) {
      const w_jk = w[j * n + k];
      if (w_jk < enough && w_jk > -enough) continue;
      found.paths.push({ j, k, value: w_jk * d, share: Math.min(1, Math.abs(w_jk * d) / strongest) });
    }
  }
  found.paths.sort((p, q) => p.share - q.share);
  found.paths = found.paths.slice(-MOST_PATHS);
  return found;
}

function mostIn(values, from, to) {
  let most = 0;
  for (let at = from; at < to; at++) {
    const size = values[at] < 0 ? -values[at] : values[at];
    if (size > most) most = size;
  }
  return most;
}

// A share that about MOST_PATHS paths reach, or some more: from the counts of the shares in bins. Of many paths, only a
// sample is counted.
function leastDrawn(w, n, rows, scaleOf) {
  const stride = Math.ceil((rows.length * n) / SAMPLE);
  const enough = stride === 1 ? MOST_PATHS : 1.3 * (MOST_PATHS / stride);
  const counts = new Uint32Array(BINS + 1);
  for (const [i, j] of rows.entries()) {
    const scale = BINS * scaleOf(j);
    for (let at = j * n + (i % stride); at < (j + 1) * n; at += stride) {
      counts[Math.min(BINS, Math.floor(Math.abs(w[at]) * scale))] += 1;
    }
  }
  let [bin, reached] = [BINS, counts[BINS]];
  while (reached < enough && bin > 0) reached += counts[--bin];
  return Math.max(VISIBLE, bin / BINS);
}

// The neurons from layer L to the chosen parameter's own, one of each layer. The route follows the walk in "Back along the
// paths". Where that says nothing, it takes the strongest path.
export function routeTo(network, { place, route = [], back }) {
  const neurons = [{ l: place.l, j: place.j }];
  for (let l = place.l; l < network.L; l++) {
    const walked = route.find((step) => step.l === l + 1);
    const j = walked?.j ?? largestAt(pathsOf(network, back, l, neurons[0].j).map(({ product }) => product));
    neurons.unshift({ l: l + 1, j });
  }
  return neurons;
}

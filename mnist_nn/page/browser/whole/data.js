// The data that the page was written with: the network, the examples, and the states of the training.

import { Example } from "../mathematics/example.js";
import { Network } from "../mathematics/network.js";

const ARRAYS = {
  "|u1": (buffer) => new Uint8Array(buffer),
  "<i2": (buffer) => read(buffer, 2, "getInt16", Int16Array),
  "<f4": (buffer) => read(buffer, 4, "getFloat32", Float64Array),
  "<f8": (buffer) => read(buffer, 8, "getFloat64", Float64Array),
};

function read(buffer, size, getter, Type) {
  const view = new DataView(buffer);
  return Type.from({ length: view.byteLength / size }, (_, i) => view[getter](size * i, true));
}

// An array from its text: zlib in base64.
async function unpacked({ type, data }) {
  const bytes = Uint8Array.from(atob(data), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return ARRAYS[type](await new Response(stream).arrayBuffer());
}

export const readData = async (embedded) => {
  const { trace } = embedded;
  const inputs = await unpacked(embedded.pixels ?? embedded.inputs);
  const targets = await unpacked(embedded.targets);
  const [n0, nL] = [trace.sizes[0], trace.sizes.at(-1)];
  const rows = [...embedded.examples, ...embedded.held_out].map((index, n) => {
    const pixels = inputs.subarray(n * n0, (n + 1) * n0);
    const x = embedded.pixels === null ? pixels : Float64Array.from(pixels, (value) => value * (1 / 255));
    return { n, index, pixels, x, y: targets.subarray(n * nL, (n + 1) * nL) };
  });
  const { activation, output } = trace;
  const shown = embedded.examples.length;
  return {
    ...(await readRun({ ...embedded, activation, output }, trace, rows, shown)),
    // the run beside this one, on the same examples, or null
    other: embedded.other && (await readRun(embedded.other, trace, rows, shown)),
    trace,
    source: trace.source,
    side: embedded.side,
    deslant: embedded.deslant,
    digits:
      nL > 1 && rows.every(({ y }) => y.every((v) => v === 0 || v === 1) && y.filter((v) => v === 1).length === 1),
    current: null,
  };
};

// One network with its own view of the examples, and what its training recorded. The first `shown` rows can be picked.
async function readRun(run, { sizes, cost_function, examples: batch }, rows, shown) {
  const parameters = await unpacked(run.parameters);
  const network = new Network(sizes, run.activation, run.output, cost_function, parameters.slice());
  const all = rows.map((row) => new Example(network, row));
  const examples = all.slice(0, shown);
  return {
    network,
    examples,
    heldOut: all.slice(shown), // never trained on by the page
    name: run.name,
    learningRate: run.learning_rate,
    initialization: run.initialization,
    batch: examples.filter(({ index }) => batch.includes(index)),
    moments: await readMoments(run, network, parameters),
    metrics: run.metrics,
    settings: run.settings ?? [], // [key, value of the first run, value of this one] of each setting that differs
  };
}

// The states of the network that the page can begin from. Each has a key, a name, its step of the training if it is a
// snapshot, and `parameters()`.
async function readMoments(embedded, network, trained) {
  const moments = [{ key: "trained", name: embedded.moment, step: null, parameters: () => trained }];
  if (embedded.fresh) {
    const fresh = await unpacked(embedded.fresh);
    moments.push({ key: "fresh", name: "fresh: before training", step: null, parameters: () => fresh });
  }
  moments.push({
    key: "zeros",
    name: "all weights and biases 0",
    step: null,
    parameters: () => new Float64Array(trained.length),
  });
  if (!embedded.snapshots) return moments;
  const { steps, epochs, scales, differences } = embedded.snapshots;
  const sizes = network.w.slice(1).flatMap((w, l) => [w.length, network.b[l + 1].length]);
  let rounded = new Int16Array(trained.length);
  for (const [i, step] of steps.entries()) {
    const difference = await unpacked(differences[i]);
    rounded = rounded.map((value, at) => value + difference[at]);
    const kept = rounded;
    const parameters = () => {
      const vector = new Float64Array(kept.length);
      let end = 0;
      sizes.forEach((size, tensor) => {
        for (let start = end; end < start + size; end++) vector[end] = kept[end] * scales[tensor];
      });
      return vector;
    };
    const name = step ? `snapshot: step ${step.toLocaleString("en")}, epoch ${epochs[i]}` : "snapshot: before training";
    moments.push({ key: `step-${step}`, name, step, epoch: epochs[i], parameters });
  }
  return moments;
}

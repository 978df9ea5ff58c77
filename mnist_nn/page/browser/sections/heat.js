// Heat maps of a neuron's incoming weights and of their gradient. A click on a cell chooses its weight.

import { colour, counted, formula, html, inlineFraction, number, unsigned, variable } from "../parts/dom.js";
import { derivativeOf, largestAt } from "../mathematics/network.js";
import { heatMapNeuron, nameOf } from "../mathematics/place.js";

const PALE = 1e-6; // a gradient that is smaller than this share of the layer's largest has no strong colour
const ROUNDING = 1e-12; // nor has one that may be only rounding

// Mount the two heat maps. Negative cells have a dash, so that they can be read without colour.
export function mountHeat(root, data, update) {
  const { network } = data;
  const title = html("p", {});
  const averaged = html("input", {
    type: "checkbox",
    id: "averaged",
    change: () => update({ averaged: averaged.checked }),
  });
  const maps = ["w", "∂C/∂w"].map((name) => {
    const canvas = html("canvas", {
      class: "heat",
      role: "slider",
      tabindex: "0",
      "aria-valuemin": "0",
      click: pick,
      keydown: walk,
    });
    const caption = html("figcaption", {});
    return { canvas, caption, figure: html("figure", { "data-reveals": name !== "w" }, canvas, caption) };
  });
  let shown = null; // the neuron {l, j} whose weights are shown, and the size of the map in cells

  function choose(k) {
    update({ place: { ...shown, k: Math.max(0, Math.min(network.sizes[shown.l - 1] - 1, k)) } });
  }
  function pick(event) {
    const box = event.target.getBoundingClientRect();
    const across = Math.floor(((event.clientX - box.left) / box.width) * shown.across);
    const down = Math.floor(((event.clientY - box.top) / box.height) * shown.down);
    const k = down * shown.across + across;
    if (k < network.sizes[shown.l - 1]) choose(k);
  }
  function walk(event) {
    const moves = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: shown.across,
      ArrowUp: -shown.across,
      Home: -Infinity,
      End: Infinity,
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    choose((data.current.place.l === shown.l ? (data.current.place.k ?? 0) : 0) + moves[event.key]);
  }

  root.append(
    title,
    html(
      "div",
      { class: "heats" },
      maps.map((map) => map.figure),
    ),
    data.batch.length > 1
      ? html(
          "label",
          { class: "screen-only", "data-reveals": true },
          averaged,
          ` average the gradient over the ${data.batch.length} examples of the batch`,
        )
      : "",
    html(
      "p",
      { class: "hint" },
      "A stronger colour is a larger absolute value. A dash marks a negative value. Click a cell or use the arrow keys to choose its weight. For one example, the gradient is the neuron’s input times one number, its ",
      inlineFraction(variable("C", null, "i"), variable("z", null)),
      ". This does not hold for an average over examples.",
    ),
  );

  return (state) => {
    const { l, j, k } = state.place;
    const owner = heatMapNeuron(state.place);
    const n = network.sizes[owner.l - 1];
    const across = owner.l === 1 && data.side ? data.side : Math.ceil(Math.sqrt(n));
    shown = { l: owner.l, j: owner.j, across, down: Math.ceil(n / across) };
    const isIts = owner.l === l;
    const weights = network.w[owner.l].subarray(owner.j * n, (owner.j + 1) * n);
    const gradient = state.averaged
      ? averageGradient(data, owner, n)
      : Float64Array.from({ length: n }, (_, i) => derivativeOf(state.passed, state.back, { ...owner, k: i }));
    title.replaceChildren(
      isIts
        ? `The ${counted(n, "weight")} into neuron ${owner.j} of layer ${owner.l}`
        : `The ${counted(n, "weight")} into neuron ${owner.j} of layer ${owner.l}, where the chosen weight starts`,
    );
    averaged.checked = state.averaged;
    maps.forEach(({ canvas, caption }, i) => {
      const values = i ? gradient : weights;
      const of = i ? `∂${state.averaged ? "C" : state.C_name}/∂w` : "w";
      const C = variable("C", null, state.averaged ? null : state.C_index);
      const symbol = i ? inlineFraction(C, variable("w", null)) : formula(variable("w", null));
      const most = Math.max(...Array.from(values, Math.abs));
      const layers = i ? largestOfLayer(data, state, owner.l) : most;
      const strong = fullColourAt(most, layers);
      paintHeat(canvas, values, strong, shown, isIts ? k : null);
      const at = isIts && k !== null ? k : 0;
      caption.replaceChildren(
        symbol,
        i && state.averaged ? ", averaged over the batch" : "",
        most === 0 ? ": all 0" : `, largest in size: ${unsigned(most)}`,
        isIts && k !== null ? `; chosen: ${number(values[k])}` : "",
        most === 0 || most === strong
          ? ""
          : strong === ROUNDING
            ? ". Pale, because it may be only rounding"
            : `. Pale, because the largest of the layer is ${unsigned(layers)}`,
      );
      canvas.setAttribute("aria-label", `${of} of neuron ${owner.j} of layer ${owner.l}: choose a weight`);
      canvas.setAttribute("aria-valuemax", String(n - 1));
      canvas.setAttribute("aria-valuenow", String(at));
      canvas.setAttribute("aria-valuetext", `${nameOf({ ...owner, k: at })}: ${number(values[at])}`);
    });
  };
}

function averageGradient(data, owner, n) {
  const mean = new Float64Array(n);
  for (const { passed, back } of data.batch) {
    for (let i = 0; i < n; i++) mean[i] += derivativeOf(passed, back, { ...owner, k: i }) / data.batch.length;
  }
  return mean;
}

// The largest |∂C_i/∂w| of layer l, over the examples of the batch and the current one.
function largestOfLayer({ batch }, current, l) {
  const largest = (values) => Math.abs(values[largestAt(values)]);
  return Math.max(...[...batch, current].map(({ passed, back }) => largest(passed.a[l - 1]) * largest(back.dC_dz[l])));
}

// The absolute value with the full colour: the largest of the picture, unless it is tiny beside the largest of the layer.
export const fullColourAt = (most, layers = 0) => Math.max(most, PALE * layers, ROUNDING);

// The colours of the pictures, as the browser has them for the theme: [red, green, blue].
export const heatColours = () =>
  Object.fromEntries(
    ["paper", "plus", "minus", "ink", "mark"].map((name) => [
      name,
      colour(name)
        .match(/[\d.]+/g)
        .slice(0, 3)
        .map(Number),
    ]),
  );

// Paint the values, pixel by pixel, because that is fast enough while the network moves. `strong` is the absolute value
// with the full colour.
export function paintHeat(canvas, values, strong, { across, down }, chosen, colours = heatColours()) {
  const cell = Math.max(8, Math.min(28, Math.floor(280 / across)));
  const [width, height] = [across * cell, down * cell];
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  const pixels = new Uint32Array(image.data.buffer);
  pixels.fill(packed(colours.paper));
  const [begin, end] = [Math.round(cell / 4), Math.round((3 * cell) / 4)]; // of a dash
  values.forEach((value, i) => {
    const strength = Math.min(1, Math.abs(value) / strong);
    const rgb = mixed(colours.paper, value < 0 ? colours.minus : colours.plus, strength);
    const fill = packed(rgb);
    const first = Math.floor(i / across) * cell * width + (i % across) * cell;
    for (let row = 0, from = first; row < cell; row++, from += width) pixels.fill(fill, from, from + cell);
    if (value >= 0 || strength <= 0.08) return;
    const middle = first + Math.floor(cell / 2) * width;
    pixels.fill(packed(mixed(rgb, colours.ink, Math.min(1, 0.35 + strength))), middle + begin, middle + end);
  });
  context.putImageData(image, 0, 0);
  if (chosen === null) return;
  context.strokeStyle = `rgb(${colours.mark})`;
  context.lineWidth = 2;
  context.strokeRect((chosen % across) * cell - 1, Math.floor(chosen / across) * cell - 1, cell + 2, cell + 2);
}

const mixed = (from, to, share) => from.map((value, i) => value + (to[i] - value) * share);

// A colour as one pixel of a canvas. The bytes of a pixel are red, green, blue and alpha, the first one lowest.
const packed = ([red, green, blue]) =>
  ((255 << 24) | (Math.round(blue) << 16) | (Math.round(green) << 8) | Math.round(red)) >>> 0;

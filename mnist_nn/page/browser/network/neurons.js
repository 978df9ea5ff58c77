// The columns of the drawing: the input, and each layer's neurons. Forward they show the activations: a circle is the fuller,
// the larger |a|. Backward they show ∂C/∂a: a triangle is the larger, the larger |∂C/∂a|. It points down where the neuron
// should fall, and up where it should rise.

import { html, listbox, number, svg, unsigned } from "../parts/dom.js";
import { heatMapNeuron, strongestInto } from "../mathematics/place.js";
import { largestAt } from "../mathematics/network.js";
import { paintPicture } from "../sections/digit.js";
import { MANY } from "./layout.js";

const MOVED = 0.0005; // a smaller change of an activation in a step of training is not marked
const TRIANGLE = [
  [0, 1],
  [0.87, -0.5],
  [-0.87, -0.5],
]; // points down; radius 1

export function drawColumn(column, data, update) {
  const { l } = column;
  const title = svg(
    "text",
    { x: column.left + column.width / 2, y: 14, "text-anchor": "middle", class: "column-title" },
    column.width < 40 && l > 0 ? String(l) : `layer ${l}`,
  );
  const draw = column.picture ? drawInput : column.n > MANY ? drawMany : drawNeurons;
  return draw(column, title, data, update);
}

// What a layer shows: its values, and the value that fills a neuron. The inputs are given, and always show a.
export function valuesOf(state, l, backward) {
  const values = backward && l > 0 ? state.back.dC_da[l] : state.passed.a[l];
  const most = Math.abs(values[largestAt(values)]);
  return { values, most: backward && l > 0 ? most || 1 : Math.max(1, most) };
}

const say = (i, l, value, backward) =>
  backward && l > 0
    ? `neuron ${i} of layer ${l}: ∂C/∂a = ${number(value)}${value > 0 ? ", should fall" : value < 0 ? ", should rise" : ""}`
    : `neuron ${i} of layer ${l}: a = ${number(value)}`;

function drawNeurons(column, title, data, update) {
  const { l, n, cell, label, radius } = column;
  const isOutput = label > 0;
  const amountAt = cell / 2 + 4 + 7 * String(n - 1).length + 11; // leaves room for the mark of a move
  const triangle = `M${TRIANGLE.map((point) => point.join(" ")).join("L")}Z`;
  const neurons = Array.from({ length: n }, (_, i) => {
    const parts = {
      activation: svg("circle", { r: 0, class: "activation" }),
      sensitivity: svg("path", { d: triangle, class: "sensitivity" }),
      moved: svg("text", { x: amountAt - 10, y: 3, class: "moved" }),
      amount: svg("tspan", { x: amountAt, class: "amount" }),
      value: null,
      size: null,
    };
    parts.element = svg(
      "g",
      {
        id: `neuron-${l}-${i}`,
        class: "neuron",
        role: l === 0 && "img",
        transform: `translate(${column.xs[i]} ${column.ys[i]})`,
      },
      svg("rect", { x: -cell / 2, y: -cell / 2, width: cell + label, height: cell, class: "target" }),
      svg("circle", { r: radius, class: "edge" }),
      parts.activation,
      parts.sensitivity,
      isOutput
        ? [parts.moved, svg("text", { x: cell / 2 + 4, y: 4 }, svg("tspan", {}, String(i)), parts.amount)]
        : null,
    );
    return parts;
  });
  const elements = neurons.map(({ element }) => element);
  const group = svg(
    "g",
    l === 0 ? { role: "group", "aria-label": "the inputs" } : { "aria-label": `the neurons of layer ${l}` },
    elements,
  );
  const choose = (j) => update({ place: strongestInto(data.current, l, j) });
  const select = l === 0 ? () => {} : listbox(group, elements, () => 1, choose);
  const shown = { direction: null, digits: null, chosen: undefined, source: undefined };
  return {
    element: svg("g", { class: "column", "data-layer": l }, title, group),
    render(state, backward) {
      const { values, most } = valuesOf(state, l, backward);
      const before = !backward && isOutput ? state.before?.passed.a[l] : null;
      const again = shown.direction !== backward || shown.digits !== state.allDigits;
      for (let i = 0; i < n; i++) {
        const parts = neurons[i];
        const value = values[i];
        const size = (radius * Math.sqrt(Math.min(1, Math.abs(value) / most))).toFixed(2);
        if (again || size !== parts.size || value !== parts.value) showValue(parts, i, value, size, backward);
        if (!isOutput) continue;
        const change = before ? value - before[i] : 0;
        const mark = change > MOVED ? "▲" : change < -MOVED ? "▼" : "";
        if (parts.mark !== mark) parts.moved.textContent = parts.mark = mark;
      }
      Object.assign(shown, { direction: backward, digits: state.allDigits });
      const { place } = state;
      const source = l === place.l - 1 ? place.k : null;
      if (shown.source !== source) {
        elements[shown.source]?.classList.remove("source");
        elements[source]?.classList.add("source");
        shown.source = source;
      }
      const chosen = l === place.l ? place.j : null;
      if (shown.chosen !== chosen) select((shown.chosen = chosen));
    },
  };

  function showValue(parts, i, value, size, backward) {
    parts.value = value;
    const shape = backward && l > 0 ? parts.sensitivity : parts.activation;
    const isNegative = value < 0;
    if (parts.shape !== shape || parts.size !== size || parts.isNegative !== isNegative) {
      if (shape === parts.activation) shape.setAttribute("r", size);
      else shape.setAttribute("transform", `scale(${size} ${isNegative ? `-${size}` : size})`);
      shape.classList.toggle("negative", isNegative);
      Object.assign(parts, { shape, size, isNegative });
    }
    parts.element.setAttribute("aria-label", say(i, l, value, backward));
    parts.element.setAttribute("data-value", value);
    if (isOutput) parts.amount.textContent = backward ? number(value) : unsigned(value);
  }
}

// A layer of many neurons is painted on the canvas. The arrow keys choose one of them.
function drawMany(column, title, data, update) {
  const { l, n, cell, rows, across, xs, ys, radius } = column;
  const choose = (j) => l > 0 && update({ place: strongestInto(data.current, l, Math.max(0, Math.min(n - 1, j))) });
  const grid = svg("rect", {
    x: column.left,
    y: column.top,
    width: across * cell,
    height: (rows + 1) * cell,
    class: "grid",
    ...(l > 0 ? { role: "slider", tabindex: 0, "aria-valuemin": 0, "aria-valuemax": n - 1 } : { role: "img" }),
    "aria-label": l === 0 ? "the inputs" : `the neurons of layer ${l}`,
    click: ({ clientX, clientY, currentTarget }) => {
      const box = currentTarget.getBoundingClientRect();
      const x = column.left + ((clientX - box.left) / box.width) * across * cell;
      const y = column.top + ((clientY - box.top) / box.height) * (rows + 1) * cell;
      choose(largestAt(xs.map((x_i, i) => 1 / (1e-9 + Math.hypot(x_i - x, ys[i] - y)))));
    },
    keydown: (event) => {
      const { place } = data.current;
      const moves = { ArrowDown: 1, ArrowUp: -1, ArrowRight: rows, ArrowLeft: -rows, Home: -Infinity, End: Infinity };
      if (!(event.key in moves)) return;
      event.preventDefault();
      choose((place.l === l ? place.j : 0) + moves[event.key]);
    },
  });
  const edges = edgesOf(column);
  const rings = ["chosen", "source"].map((name) => svg("circle", { r: radius + 1, class: `ring ${name}` }));
  return {
    element: svg("g", { class: "column", "data-layer": l }, title, grid, rings),
    render(state, backward) {
      const { place } = state;
      const at = [l === place.l ? place.j : null, l === place.l - 1 ? place.k : null];
      rings.forEach((ring, n) => {
        ring.setAttribute("visibility", at[n] === null ? "hidden" : "visible");
        if (at[n] === null) return;
        ring.setAttribute("cx", xs[at[n]]);
        ring.setAttribute("cy", ys[at[n]]);
      });
      const { values } = valuesOf(state, l, backward);
      const now = at[0] ?? 0;
      if (l > 0) grid.setAttribute("aria-valuenow", now);
      if (l > 0) grid.setAttribute("aria-valuetext", say(now, l, values[now], backward));
    },
    paint(context, state, backward, shades, isWaiting) {
      context.lineWidth = 0.7;
      context.setLineDash([]);
      context.fillStyle = shades.card;
      context.fill(edges);
      context.strokeStyle = shades.quiet;
      context.stroke(edges);
      if (isWaiting) return;
      const { positive, negative } = shapesOf(column, valuesOf(state, l, backward), backward && l > 0);
      context.fillStyle = backward ? shades.plus : shades.text;
      context.fill(positive);
      context.fillStyle = context.strokeStyle = backward ? shades.minus : shades.text;
      if (backward) context.fill(negative);
      else context.stroke(negative);
    },
  };
}

function edgesOf({ n, xs, ys, radius }) {
  const edges = new Path2D();
  for (let i = 0; i < n; i++) {
    edges.moveTo(xs[i] + radius, ys[i]);
    edges.arc(xs[i], ys[i], radius, 0, 2 * Math.PI);
  }
  return edges;
}

// The triangles or discs of many neurons, as one shape for each sign.
function shapesOf({ n, xs, ys, radius }, { values, most }, backward) {
  const [positive, negative] = [new Path2D(), new Path2D()];
  for (let i = 0; i < n; i++) {
    const [x, y, value] = [xs[i], ys[i], values[i]];
    const size = radius * Math.sqrt(Math.min(1, Math.abs(value) / most));
    if (size < 0.3) continue;
    const shape = value < 0 ? negative : positive;
    if (backward) {
      const up = value < 0 ? -size : size;
      shape.moveTo(x, y + up);
      shape.lineTo(x + 0.87 * size, y - 0.5 * up);
      shape.lineTo(x - 0.87 * size, y - 0.5 * up);
      shape.closePath();
    } else {
      shape.moveTo(x + size, y);
      shape.arc(x, y, size, 0, 2 * Math.PI);
    }
  }
  return { positive, negative };
}

// The picture of the input. A click on a pixel chooses its weight.
function drawInput(column, title, data, update) {
  const canvas = html("canvas", { class: "input-picture", "aria-hidden": "true" });
  const marker = svg("rect", { width: column.cell, height: column.cell, class: "pixel" });
  const choose = (event) => {
    const box = canvas.getBoundingClientRect();
    const at = (offset, size) => Math.max(0, Math.min(data.side - 1, Math.floor((offset / size) * data.side)));
    const k = at(event.clientY - box.top, box.height) * data.side + at(event.clientX - box.left, box.width);
    const owner = heatMapNeuron(data.current.place);
    update({ place: { l: 1, j: owner.l === 1 ? owner.j : 0, k } });
  };
  const holder = svg(
    "foreignObject",
    { x: column.left, y: column.top, width: column.picture, height: column.picture, click: choose },
    canvas,
  );
  let painted = {};
  return {
    element: svg("g", { class: "column", "data-layer": 0 }, title, holder, marker),
    render({ pixels, theme, place }) {
      if (painted.pixels !== pixels || painted.theme !== theme) paintPicture(canvas, pixels, data.side);
      painted = { pixels, theme };
      const visible = place.l === 1 && place.k !== null;
      marker.setAttribute("visibility", visible ? "visible" : "hidden");
      if (!visible) return;
      marker.setAttribute("x", column.xs[place.k] - column.cell / 2);
      marker.setAttribute("y", column.ys[place.k] - column.cell / 2);
    },
  };
}

// The connections in the drawing. Forward: those into the chosen neuron. Backward: the paths between neighbouring layers, the
// connections from the output neurons to the cost, and the route from the cost to the chosen parameter.

import { svg } from "../parts/dom.js";
import { routeTo } from "./shares.js";
import { MANY } from "./layout.js";

const STEPS = 8; // of the thickness of a path
const FEW = 200; // paths of a layer that are drawn at full thickness

// The connections into the chosen neuron: thick for a large |w|, dashed for a negative w. From an input picture or a layer
// of many neurons, only the chosen connection is drawn. The heat map shows the others. Backward, the paths are painted
// instead, and only the chosen connection is an element.
export function mountWires(group) {
  let built = {};
  let lines = [];
  let wires = [];

  function build({ columns }, { l, j, k }, backward) {
    const [from, to] = [columns[l - 1], columns[l]];
    const few = backward || from.picture || from.n > MANY;
    const sources = few ? [k].filter((i) => i !== null) : Array.from(from.xs.keys());
    wires = sources.map((i) => ({
      place: { l, j, k: i },
      from: [from.xs[i], from.ys[i]],
      to: [to.xs[j], to.ys[j]],
    }));
    lines = wires.map(({ place, from: [x1, y1], to: [x2, y2] }) =>
      svg("line", { x1, y1, x2, y2, "data-place": Object.values(place).join() }),
    );
    group.replaceChildren(...lines);
  }

  return (frame, network, { place }, backward) => {
    if (built.frame !== frame || built.place !== place || built.backward !== backward) build(frame, place, backward);
    built = { frame, place, backward };
    const w = wires.map((wire) => network.parameter(wire.place));
    const most = w.reduce((largest, value) => Math.max(largest, Math.abs(value)), 1e-12);
    lines.forEach((line, n) => {
      const sign = w[n] < 0 ? "negative" : "positive";
      const name = `wire ${sign}${wires[n].place.k === place.k ? " chosen" : ""}`;
      if (line.getAttribute("class") !== name) line.setAttribute("class", name);
      line.setAttribute("stroke-width", (0.3 + (3 * Math.abs(w[n])) / most).toFixed(2));
    });
    return wires;
  };
}

// The route from the cost to the chosen neuron, as a line for each of its connections.
export function mountRoute(group) {
  let said = "";
  return (frame, network, state, backward) => {
    const neurons = backward ? routeTo(network, state) : [];
    const say = [backward, frame.width, frame.allDigits, ...neurons.map(({ l, j }) => `${l},${j}`)].join(" ");
    if (said === (said = say)) return;
    const output = (j) => costEnds(frame)[j];
    const at = ({ l, j }) => [frame.columns[l].xs[j], frame.columns[l].ys[j]];
    group.replaceChildren(
      ...neurons.map((neuron, n) => {
        const [x1, y1] = n ? at(neurons[n - 1]) : [frame.cost.x, frame.cost.y];
        const [x2, y2] = n ? at(neuron) : output(neuron.j);
        return svg("line", {
          x1,
          y1,
          x2,
          y2,
          class: "lit",
          "data-neuron": `${neuron.l},${neuron.j}`,
          "data-layer": neuron.l,
        });
      }),
    );
  };
}

// Where the connection from each output neuron to the cost begins: after the neuron's label.
export function costEnds({ columns }) {
  const { xs, ys, cell, label } = columns.at(-1);
  return Array.from(xs, (x, j) => [x + cell / 2 + label - 2, ys[j]]);
}

// The paths of one layer as wires {place, from, to, share, value}, where `from` is the left end.
export function wiresOf({ columns }, { l, paths }) {
  const [from, to] = [columns[l], columns[l + 1]];
  return paths.map(({ j, k, share, value }) => ({
    place: { l: l + 1, j, k },
    from: [from.xs[k], from.ys[k]],
    to: [to.xs[j], to.ys[j]],
    share,
    value,
  }));
}

// The connections from the cost to the output neurons, with their shares of the largest |∂C/∂a|.
export function costWires(frame, dC_da) {
  const most = dC_da.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) || 1;
  const to = [frame.cost.x, frame.cost.y];
  return costEnds(frame).map((from, j) => ({ from, to, share: Math.abs(dC_da[j]) / most, value: dC_da[j] }));
}

// Paint wires from their right end to `reach` of their way, by thickness: those of one kind in one stroke. While the pulse
// runs along them, they have a head. The wires must be sorted by share.
export function paintWires(context, wires, reach, shades) {
  if (reach <= 0) return;
  const sparse = Math.min(1, Math.sqrt(FEW / wires.length)); // many wires are thinner and paler
  const kinds = new Map();
  for (const {
    from: [x1, y1],
    to: [x2, y2],
    share,
    value,
  } of wires) {
    if (share === 0) continue;
    const step = Math.ceil(share * STEPS) * Math.sign(value);
    if (!kinds.has(step)) kinds.set(step, new Path2D());
    const path = kinds.get(step);
    path.moveTo(x2, y2);
    path.lineTo(x2 + reach * (x1 - x2), y2 + reach * (y1 - y2));
  }
  for (const step of [...kinds.keys()].sort((p, q) => Math.abs(p) - Math.abs(q))) {
    const share = (Math.abs(step) / STEPS) * sparse;
    context.globalAlpha = 0.18 + 0.72 * share;
    context.lineWidth = 0.3 + 3.2 * share;
    context.strokeStyle = step < 0 ? shades.minus : shades.plus;
    context.setLineDash(step < 0 ? [5, 3] : []);
    context.stroke(kinds.get(step));
  }
  context.globalAlpha = 1;
  if (reach >= 1) return;
  context.fillStyle = shades.C;
  context.beginPath();
  for (const {
    from: [x1, y1],
    to: [x2, y2],
    share,
  } of wires) {
    if (share < 0.15) continue;
    const [x, y] = [x2 + reach * (x1 - x2), y2 + reach * (y1 - y2)];
    context.moveTo(x, y);
    context.arc(x, y, 1.5 + 2.5 * share, 0, 2 * Math.PI);
  }
  context.fill();
}

// Thin lines from the output neurons to the cost, which forward is computed from them.
export function paintCostLines(context, frame, shades) {
  context.globalAlpha = 0.5;
  context.strokeStyle = shades.quiet;
  context.lineWidth = 0.8;
  context.setLineDash([]);
  context.beginPath();
  for (const [x, y] of costEnds(frame)) {
    context.moveTo(x, y);
    context.lineTo(frame.cost.x, frame.cost.y);
  }
  context.stroke();
  context.globalAlpha = 1;
}

// The distance of a point from a wire.
export function distanceTo({ from: [x1, y1], to: [x2, y2] }, x, y) {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const along = Math.max(0, Math.min(1, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy)));
  return Math.hypot(x - x1 - along * dx, y - y1 - along * dy);
}

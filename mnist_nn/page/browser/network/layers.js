// The drawing of the network, forward with the activations or backward with ∂C/∂a. Clicking a neuron, a connection or a pixel
// of the input chooses a weight.

import { colour, html, inlineFraction, svg, unsigned, variable } from "../parts/dom.js";
import { layOut } from "./layout.js";
import { drawColumn } from "./neurons.js";
import { mountPlace } from "./fields.js";
import { mountPulse } from "./pulse.js";
import { MOST_PATHS, VISIBLE, strongestPaths } from "./shares.js";
import { mountUnfolded } from "./unfold.js";
import { costWires, distanceTo, mountRoute, mountWires, paintCostLines, paintWires, wiresOf } from "./wires.js";

const NEAR = 8; // pixels from the pointer to a connection
const SHARPEST = 2; // pixels of the canvas for one of the page, at most

export function mountLayers(root, data, update) {
  const { network } = data;
  const { L } = network;
  const direction = mountDirection(data, update, () => pulse.play(L));
  const canvas = html("canvas", { class: "flow", "aria-hidden": "true" });
  const drawing = html("div", { class: "drawing" });
  const stage = html("div", { class: "stage" }, drawing);
  const told = mountUnfolded(data);
  const place = mountPlace(data, update);
  root.append(direction.element, stage, told.element, place.element);
  const near = svg("line", { class: "wire near" });
  const pulse = mountPulse(() => paint(data.current));
  let built = null; // the frame and what is drawn in it
  let stale = true; // whether the width of the card may have changed
  let shades = {}; // the colours of the canvas
  let wires = []; // the connections that can be clicked
  let layers = []; // backward: what is painted, from the cost to the first layer
  let pointedAt = null;
  let shown = {}; // what was shown last

  addEventListener("resize", () => (stale = true));
  new ResizeObserver(([{ contentRect }]) => {
    if (!built || Math.abs(contentRect.width - built.frame.available) < 1) return;
    stale = true;
    requestAnimationFrame(() => render(data.current));
  }).observe(stage);

  function build(available, allDigits) {
    const frame = layOut(data, available, allDigits);
    const { width, height, scale } = frame;
    const [wireGroup, routeGroup] = [svg("g", { class: "wires" }), svg("g", { class: "lit-route" })];
    const columns = frame.columns.map((column) => drawColumn(column, data, update));
    const cost = drawCost(frame);
    const picture = svg(
      "svg",
      {
        width: width * scale,
        height: height * scale,
        viewBox: `0 0 ${width} ${height}`,
        role: "group",
        "aria-label": "the network",
        pointermove: (event) => point(nearest(event)),
        pointerdown: (event) => point(nearest(event)),
        pointerleave: () => point(null),
        click: (event) => {
          const wire = nearest(event) && (pointedAt ?? nearest(event)); // what is highlighted: a click has whole pixels only
          if (wire) update({ place: wire.place });
        },
      },
      routeGroup,
      wireGroup,
      columns.map(({ element }) => element),
      cost.element,
    );
    const density = Math.min(SHARPEST, devicePixelRatio) * scale;
    canvas.width = Math.ceil(width * density);
    canvas.height = Math.ceil(height * density);
    drawing.replaceChildren(canvas, picture);
    built = {
      frame,
      density,
      columns,
      cost,
      picture,
      wireGroup,
      wires: mountWires(wireGroup),
      route: mountRoute(routeGroup),
    };
    shown.place = null;
  }

  // The connection that is nearest to the pointer. None on a neuron, or if all are out of reach.
  function nearest({ target, clientX, clientY }) {
    if (target.closest(".neuron, .grid, foreignObject")) return null;
    const box = built.picture.getBoundingClientRect();
    const scale = built.frame.width / box.width;
    const [x, y] = [(clientX - box.left) * scale, (clientY - box.top) * scale];
    let [best, least] = [null, NEAR];
    for (const wire of wires) {
      const away = distanceTo(wire, x, y);
      if (away > least || (away === least && best)) continue;
      [best, least] = [wire, away];
    }
    return best;
  }

  // Highlight a connection before it is clicked, and show its part of the sum. Without one, show the chosen parameter's.
  function point(wire) {
    if (wire === pointedAt) return;
    pointedAt = wire;
    highlight(wire);
    told.showPart(data.current, wire?.place ?? data.current.place, isBackward(data.current));
  }

  function highlight(wire) {
    built.picture.classList.toggle("pointing", wire !== null);
    if (!wire) return near.remove();
    ["x1", "y1", "x2", "y2"].forEach((name, i) => near.setAttribute(name, [...wire.from, ...wire.to][i]));
    near.dataset.place = Object.values(wire.place).join();
    built.wireGroup.append(near); // in front of the others
  }

  // Paint the canvas, and show the parts of the drawing that the pulse has reached.
  function paint(state) {
    const { frame, density } = built;
    const backward = isBackward(state);
    const { reach } = pulse;
    const context = canvas.getContext("2d");
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, frame.width, frame.height);
    if (backward) layers.forEach((layer, stage) => paintWires(context, layer, Math.min(1, reach - stage), shades));
    else paintCostLines(context, frame, shades);
    const passed = Math.floor(reach);
    built.columns.forEach((column, l) => {
      column.paint?.(context, state, backward, shades, l > 0 && passed < L - l + 1);
    });
    if (shown.passed === passed) return;
    shown.passed = passed;
    for (const element of built.picture.querySelectorAll("[data-layer]")) {
      const l = Number(element.dataset.layer);
      element.classList.toggle("waiting", l > 0 && passed < L - l + 1);
    }
    built.picture.classList.toggle("pulsing", reach !== Infinity);
  }

  function render(state) {
    const backward = isBackward(state);
    if (stale || shades.theme !== state.theme) {
      const available = stage.clientWidth;
      if (built?.frame.available !== available) build(available, state.allDigits);
      stale = false;
    }
    if (built.frame.allDigits !== state.allDigits) build(built.frame.available, state.allDigits);
    if (shades.theme !== state.theme) shades = shadesOf(state.theme);
    const { frame } = built;
    for (const column of built.columns) column.render(state, backward);
    built.cost.render(state);
    built.picture.classList.toggle("backward", backward);
    built.route(frame, network, state, backward);
    const chosen = built.wires(frame, network, state, backward);
    let drawn = 0;
    layers = [];
    wires = chosen;
    if (backward) {
      layers.push(costWires(frame, state.back.dC_da[L]));
      for (let l = L - 1; l >= 1; l--) {
        const found = strongestPaths(network, state.back, l);
        layers.push(wiresOf(frame, found));
        drawn += found.paths.length;
      }
      wires = layers.slice(1).flat().concat(chosen);
    }
    direction.render(state, backward, drawn);
    const begins = backward && (!shown.backward || (state.example !== null && shown.example !== state.example));
    if (begins) pulse.play(L);
    if (!backward || state.theme === "paper") pulse.stop();
    shown.passed = null; // new elements must wait, too
    paint(state);
    pointedAt = pointedAt && (wires.find(({ place }) => isSame(place, pointedAt.place)) ?? null);
    highlight(pointedAt);
    told.show(state, pointedAt?.place ?? state.place, backward);
    if (shown.place !== state.place) scrollTo(state.place);
    Object.assign(shown, { backward, example: state.example, place: state.place });
    place.render(state);
  }

  function scrollTo({ l }) {
    const { columns, scale, available, width } = built.frame;
    if (width * scale <= available + 1) return;
    stage.scrollLeft = (columns[l].left + columns[l].width) * scale - available;
  }

  return render;
}

// A derivative that is to be guessed is not shown.
const isBackward = (state) => state.direction === "backward" && !state.hides;

const isSame = (p, q) => p.l === q.l && p.j === q.j && p.k === q.k;

const shadesOf = (theme) => ({
  theme,
  ...Object.fromEntries(["text", "quiet", "card", "plus", "minus", "C"].map((name) => [name, colour(name)])),
});

// The cost at the right of the drawing.
function drawCost({ cost: { x, y, r, hasValue } }) {
  const value = svg("text", { x, y: y + r + 14, "text-anchor": "middle" });
  const element = svg(
    "g",
    { class: "cost", role: "img" },
    svg("circle", { cx: x, cy: y, r }),
    svg("text", { x, y: y + 5, "text-anchor": "middle", class: "letter" }, "C"),
    hasValue ? value : null,
  );
  let said = "";
  return {
    element,
    render({ C, C_name, isBlank, allDigits }) {
      const say = isBlank ? "the cost" : `the cost ${C_name} = ${unsigned(C)}`;
      if (said === (said = say + allDigits)) return;
      element.setAttribute("aria-label", say);
      value.textContent = isBlank ? "" : unsigned(C);
    },
  };
}

// The switch between forward and backward, the pulse once more, and what the drawing shows.
function mountDirection(data, update, replay) {
  const slope = () => inlineFraction(variable("C", null), variable("a", null));
  const choice = (name, ...words) => {
    const radio = html("input", {
      type: "radio",
      name: "direction",
      id: `show-${name}`,
      value: name,
      change: () => update({ direction: name }),
    });
    return { radio, element: html("label", {}, radio, ...words) };
  };
  const forward = choice("forward", "forward: activations");
  const backward = choice("backward", "backward: ", slope());
  const again = html("button", { type: "button", id: "pulse-again", click: replay }, "play again");
  const why = html("span", { class: "not-yet" });
  const counts = html("span", { class: "paths-drawn" });
  const legends = {
    forward: html(
      "p",
      { class: "hint" },
      "The fuller the circle, the more active the neuron. Dashed: a negative activation or weight. Click a neuron to see its sum. Point at a connection to see its weight, and click it to take its derivative apart.",
    ),
    backward: html(
      "p",
      { class: "hint" },
      html("span", { class: "falls" }, "▼"),
      " ",
      slope(),
      " > 0: the neuron should fall. ",
      html("span", { class: "rises" }, "▲"),
      " ",
      slope(),
      " < 0: it should rise. The largest of each layer is full size. Dashed: a negative share. ",
      counts,
    ),
  };
  const element = html(
    "div",
    { class: "direction" },
    html(
      "div",
      { class: "switch screen-only", role: "radiogroup", "aria-label": "what the drawing shows" },
      forward.element,
      backward.element,
    ),
    again,
    why,
    html("div", { class: "legends" }, legends.forward, legends.backward),
  );
  const { sizes } = data.network;
  const total = sizes.slice(1, -1).reduce((sum, n, i) => sum + n * sizes[i + 2], 0);
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let said = null;
  return {
    element,
    render(state, isBack, drawn) {
      forward.radio.checked = !isBack;
      backward.radio.checked = isBack;
      backward.radio.disabled = state.hides;
      again.classList.toggle("unseen", !isBack || still.matches);
      legends.forward.classList.toggle("unseen", isBack);
      legends.backward.classList.toggle("unseen", !isBack);
      const say = state.hides ? (state.isBlank ? "needs an example" : "after your guess") : "";
      if (why.textContent !== say) why.textContent = say;
      const some = isBack ? drawn.toLocaleString("en") : "0"; // unseen; keeps the space
      const rule = `over ${100 * VISIBLE} % of their layer’s strongest, at most ${MOST_PATHS} a layer.`;
      const line = total ? `${some} of ${total.toLocaleString("en")} paths drawn: ${rule}` : "";
      if (said !== (said = line)) counts.textContent = line;
    },
  };
}

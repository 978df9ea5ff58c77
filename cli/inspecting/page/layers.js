// The forward pass: the layers as columns of activations, and the connections into the chosen neuron. Clicking a
// connection, or a pixel of the input, chooses that weight.

import { html, listbox, number, svg } from "./dom.js";
import { heatMapNeuron, nameOf, strongestInto } from "./place.js";
import { paintPicture } from "./digit.js";

// Sizes in pixels.
const MAX_HEIGHT = 360; // of a column
const ROW = 26; // height of a row of neurons
const LABEL = 62; // width of the label beside an output neuron
const TOP = 30; // height of the titles
const NARROW = { below: 480, gap: 12, picture: 72 }; // smallest gap between columns, and the side of the input picture
const ROOMY = { gap: 46, picture: 112 };

export function mountLayers(root, data, update) {
  const { network } = data;
  const stage = html("div", { class: "stage" });
  const place = mountPlace(data, update);
  root.append(stage, place.element);
  let built = null;
  let shown = null; // the place that was last scrolled into view

  function build() {
    const room = stage.clientWidth < NARROW.below ? NARROW : ROOMY;
    const most = Math.max(...network.sizes.slice(data.side ? 1 : 0));
    const tall = Math.max(data.side ? room.picture : 0, Math.min(MAX_HEIGHT, most * ROW));
    const columns = network.sizes.map((n, l) => ({ l, ...arrange(n, l, tall, room.picture, data) }));
    const widths = columns.reduce((sum, column) => sum + column.width, 0);
    const width = Math.max(stage.clientWidth, widths + room.gap * network.L);
    const gap = (width - widths) / network.L;
    let left = 0;
    for (const column of columns) {
      column.left = left;
      left += column.width + gap;
    }
    const wires = svg("g", { class: "wires" });
    const groups = columns.map((column) => drawColumn(column, data, update));
    const picture = svg(
      "svg",
      {
        width,
        height: TOP + tall + 10,
        viewBox: `0 0 ${width} ${TOP + tall + 10}`,
        role: "group",
        "aria-label": "the network",
      },
      wires,
      groups.map((group) => group.element),
    );
    stage.replaceChildren(picture);
    built = { width: stage.clientWidth, columns, wires, groups };
  }

  return (state) => {
    if (built?.width !== stage.clientWidth) build();
    built.groups.forEach((group) => group.render(state));
    drawWires(built.wires, built.columns, data, state, update);
    if (shown !== state.place) {
      const column = built.columns[state.place.l];
      stage.scrollLeft = column.left + column.width - stage.clientWidth;
      shown = state.place;
    }
    place.render(state);
  };
}

// The positions of a layer's neurons: one below the other, or in a grid if there are many.
function arrange(n, l, tall, picture, data) {
  if (l === 0 && data.side) {
    const [pixel, top] = [picture / data.side, TOP + (tall - picture) / 2];
    return {
      n,
      width: picture,
      picture,
      pixel,
      top,
      centre: (k) => [((k % data.side) + 0.5) * pixel, top + (Math.floor(k / data.side) + 0.5) * pixel],
    };
  }
  const rows = Math.min(n, n > 120 ? 40 : 20);
  const cell = Math.min(ROW, tall / rows);
  const across = Math.ceil(n / rows);
  const top = TOP + (tall - cell * rows) / 2;
  const pitch = l === data.network.L ? cell + LABEL : cell;
  return {
    n,
    cell,
    rows,
    width: Math.max(44, across * pitch),
    centre: (i) => [Math.floor(i / rows) * pitch + cell / 2, top + ((i % rows) + 0.5) * cell],
  };
}

function drawColumn(column, data, update) {
  const { l } = column;
  const title = svg(
    "text",
    { x: column.left + column.width / 2, y: 14, "text-anchor": "middle", class: "column-title" },
    `layer ${l}`,
  );
  if (column.picture) return drawInput(column, title, data, update);
  const isOutput = l === data.network.L;
  const neurons = Array.from({ length: column.n }, (_, i) => {
    const [x, y] = column.centre(i);
    return svg(
      "g",
      { id: `neuron-${l}-${i}`, class: "neuron", transform: `translate(${column.left + x} ${y})` },
      svg("rect", {
        x: -column.cell / 2,
        y: -column.cell / 2,
        width: column.cell + (isOutput ? LABEL : 0),
        height: column.cell,
        class: "target",
      }),
      svg("circle", { r: Math.max(3, column.cell / 2 - 2), class: "edge" }),
      svg("circle", { r: 0, class: "activation" }),
      isOutput
        ? svg("text", { x: column.cell / 2 + 4, y: 4 }, svg("tspan", {}, String(i)), svg("tspan", { dx: 8 }))
        : null,
    );
  });
  const group = svg("g", { "aria-label": l === 0 ? "the inputs" : `the neurons of layer ${l}` }, neurons);
  const select =
    l === 0
      ? () => {}
      : listbox(
          group,
          neurons,
          () => 1,
          (j) => update({ place: strongestInto(data.current, l, j) }),
        );
  return {
    element: svg("g", {}, title, group),
    render(state) {
      const a = state.passed.a[l];
      const most = Math.max(1, ...Array.from(a.length > 4096 ? [] : a, Math.abs));
      const chosen = l === state.place.l ? state.place.j : null;
      neurons.forEach((neuron, i) => {
        const [, edge, activation, label] = neuron.childNodes;
        activation.setAttribute(
          "r",
          String(Number(edge.getAttribute("r")) * Math.sqrt(Math.min(1, Math.abs(a[i]) / most))),
        );
        activation.classList.toggle("negative", a[i] < 0);
        neuron.classList.toggle("source", l === state.place.l - 1 && i === state.place.k);
        neuron.setAttribute("aria-label", `neuron ${i} of layer ${l}: a = ${number(a[i])}`);
        neuron.dataset.value = String(a[i]);
        if (label) label.lastChild.textContent = a[i].toFixed(3);
      });
      select(chosen);
    },
  };
}

function drawInput(column, title, data, update) {
  const canvas = html("canvas", { class: "input-picture", "aria-hidden": "true" });
  const marker = svg("rect", { width: column.pixel, height: column.pixel, class: "pixel" });
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
  return {
    element: svg("g", {}, title, holder, marker),
    render(state) {
      paintPicture(canvas, state.pixels, data.side);
      const visible = state.place.l === 1 && state.place.k !== null;
      marker.setAttribute("visibility", visible ? "visible" : "hidden");
      if (!visible) return;
      const [x, y] = column.centre(state.place.k);
      marker.setAttribute("x", String(column.left + x - column.pixel / 2));
      marker.setAttribute("y", String(y - column.pixel / 2));
    },
  };
}

// The connections into the chosen neuron: thick for a large |w|, dashed for a negative w. From an input picture or a layer
// of more than 400 neurons, only the chosen connection is drawn. The heat map shows the others.
function drawWires(wires, columns, data, state, update) {
  const { l, j, k } = state.place;
  const [from, to] = [columns[l - 1], columns[l]];
  const sources =
    from.picture || from.n > 400 ? [k].filter((i) => i !== null) : Array.from({ length: from.n }, (_, i) => i);
  const w = sources.map((i) => data.network.parameter({ l, j, k: i }));
  const most = Math.max(...w.map(Math.abs), 1e-12);
  const [x2, y2] = to.centre(j);
  const ends = { x2: to.left + x2, y2 };
  wires.replaceChildren(
    ...sources.flatMap((i, n) => {
      const [x1, y1] = from.centre(i);
      const line = { x1: from.left + x1, y1, ...ends };
      const kind = `wire ${w[n] < 0 ? "negative" : "positive"}${i === k ? " chosen" : ""}`;
      const choose = () => update({ place: { l, j, k: i } });
      return [
        svg("line", { ...line, class: kind, "stroke-width": (0.3 + (3 * Math.abs(w[n])) / most).toFixed(2) }),
        svg(
          "line",
          { ...line, class: "hit", "data-place": `${l},${j},${i}`, click: choose },
          svg("title", {}, `${nameOf({ l, j, k: i })} = ${number(w[n])}`),
        ),
      ];
    }),
  );
}

// Input fields for the chosen parameter, so that every weight and bias can be chosen with the keyboard.
function mountPlace(data, update) {
  const { network } = data;
  const input = (name, label) =>
    html("input", {
      type: "number",
      id: `place-${name}`,
      min: name === "l" ? 1 : 0,
      inputmode: "numeric",
      "aria-label": label,
      change: read,
    });
  const layer = input("l", "layer l");
  const to = input("j", "to neuron j");
  const from = input("k", "from neuron k");
  const bias = html("input", { type: "checkbox", id: "bias", change: read });
  function read() {
    const clamp = (element, least, most) => Math.max(least, Math.min(most, Math.round(Number(element.value)) || 0));
    const l = clamp(layer, 1, network.L);
    const j = clamp(to, 0, network.sizes[l] - 1);
    update({ place: { l, j, k: bias.checked ? null : clamp(from, 0, network.sizes[l - 1] - 1) } });
  }
  const strongest = html(
    "button",
    {
      type: "button",
      id: "strongest",
      click: () => {
        const { l, j } = data.current.place;
        update({ place: strongestInto(data.current, l, j) });
      },
    },
    "strongest weight into this neuron",
  );
  const element = html(
    "div",
    { class: "place", role: "group", "aria-label": "the chosen parameter" },
    html("label", {}, "layer ", layer),
    html("label", {}, "to neuron ", to),
    html("label", {}, "from neuron ", from),
    html("label", {}, bias, " bias"),
    strongest,
  );
  return {
    element,
    render({ place: { l, j, k } }) {
      layer.value = String(l);
      layer.max = String(network.L);
      to.value = String(j);
      to.max = String(network.sizes[l] - 1);
      from.value = k === null ? "" : String(k);
      from.max = String(network.sizes[l - 1] - 1);
      from.disabled = k === null;
      bias.checked = k === null;
    },
  };
}

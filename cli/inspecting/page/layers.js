// The forward pass: the layers as columns of activations, and the connections into the chosen neuron. Clicking a
// connection, or a pixel of the input, chooses that weight.

import { html, listbox, number, numberField, svg, unsigned } from "./dom.js";
import { heatMapNeuron, named, strongestInto } from "./place.js";
import { paintPicture } from "./digit.js";

// Sizes in pixels.
const MAX_HEIGHT = 360; // of a column
const ROW = 26; // height of a row of neurons
const LABEL = { short: 76, long: 176 }; // width of the label beside an output neuron, with three or all digits
const TOP = 30; // height of the titles
// Layouts from wide to narrow: the smallest gap between columns, the side of the input picture, the most rows of neurons,
// and the smallest width of a column.
const LAYOUTS = [
  { gap: 46, picture: 112, rows: 20, least: 44 },
  { gap: 12, picture: 72, rows: 20, least: 44 },
  { gap: 12, picture: 56, rows: 40, least: 28 },
];
const SMALLEST = 0.6; // scale of a network that is wider than its card; one that needs a smaller scale can be scrolled
const REACH = 8; // from the pointer to a connection

export function mountLayers(root, data, update) {
  const { network } = data;
  const stage = html("div", { class: "stage" });
  const place = mountPlace(data, update);
  const pointed = html("p", { class: "pointed" });
  root.append(stage, pointed, place.element);
  let built = null;
  let shown = null; // the place that was last scrolled into view

  function build() {
    const { allDigits } = data.current;
    const most = Math.max(...network.sizes.slice(data.side ? 1 : 0));
    const tall = Math.max(data.side ? LAYOUTS[0].picture : 0, Math.min(MAX_HEIGHT, most * ROW));
    const label = allDigits ? LABEL.long : LABEL.short;
    const layouts = LAYOUTS.map((layout) => {
      const columns = network.sizes.map((n, l) => ({ l, ...arrange(n, l, tall, layout, label, data) }));
      const widths = columns.reduce((sum, column) => sum + column.width, 0);
      return { columns, widths, least: widths + layout.gap * network.L };
    });
    const { columns, widths, least } = layouts.find((layout) => layout.least <= stage.clientWidth) ?? layouts.at(-1);
    const width = Math.max(stage.clientWidth, least);
    const height = TOP + tall + 10;
    const scale = Math.max(SMALLEST, Math.min(1, stage.clientWidth / width));
    const gap = (width - widths) / network.L;
    let left = 0;
    for (const column of columns) {
      column.left = left;
      left += column.width + gap;
    }
    const wires = svg("g", { class: "wires" });
    const groups = columns.map((column) => drawColumn(column, label, data, update));
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
          const wire = nearest(event);
          if (wire) update({ place: wire.place });
        },
      },
      wires,
      groups.map((group) => group.element),
    );
    stage.replaceChildren(picture);
    built = { width: stage.clientWidth, allDigits, scale, columns, wires, groups, picture, drawn: [] };
  }

  // The connection that is nearest to the pointer. None on a neuron, or if all are out of reach.
  function nearest({ target, clientX, clientY }) {
    if (target.closest(".neuron, foreignObject")) return null;
    const box = built.picture.getBoundingClientRect();
    const at = [(clientX - box.left) / built.scale, (clientY - box.top) / built.scale];
    const away = built.drawn.map((wire) => distance(at, wire.from, wire.to));
    const least = Math.min(...away);
    return least <= REACH ? built.drawn[away.indexOf(least)] : null;
  }

  // Highlight a connection before it is clicked, and show its weight. Without one, show the chosen parameter.
  function point(wire) {
    for (const { line } of built.drawn) line.classList.toggle("near", line === wire?.line);
    if (wire) built.wires.append(wire.line); // in front of the others
    built.picture.classList.toggle("pointing", wire !== null);
    const place = wire?.place ?? data.current.place;
    pointed.replaceChildren(named(place), ` = ${number(network.parameter(place))}`);
  }

  return (state) => {
    if (built?.width !== stage.clientWidth || built.allDigits !== state.allDigits) build();
    built.groups.forEach((group) => group.render(state));
    built.drawn = drawWires(built.wires, built.columns, data, state);
    point(null);
    if (shown !== state.place) {
      const column = built.columns[state.place.l];
      stage.scrollLeft = (column.left + column.width) * built.scale - stage.clientWidth;
      shown = state.place;
    }
    place.render(state);
  };
}

// The distance of a point from the line between two others.
function distance([x, y], [x1, y1], [x2, y2]) {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const along = Math.max(0, Math.min(1, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy)));
  return Math.hypot(x - x1 - along * dx, y - y1 - along * dy);
}

// The positions of a layer's neurons: one below the other, or in a grid if there are many. Each column of the grid begins a
// little lower than the one before, so that no connection lies exactly on another.
function arrange(n, l, tall, { picture, rows: most, least }, label, data) {
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
  const rows = Math.min(n, n > 120 ? 40 : most);
  const cell = Math.min(ROW, tall / rows);
  const across = Math.ceil(n / rows);
  const top = TOP + (tall - cell * rows) / 2;
  const pitch = l === data.network.L ? cell + label : cell;
  return {
    n,
    cell,
    rows,
    width: Math.max(least, across * pitch),
    centre: (i) => {
      const column = Math.floor(i / rows);
      return [column * pitch + cell / 2, top + ((i % rows) + (column + 0.5) / across) * cell];
    },
  };
}

function drawColumn(column, label, data, update) {
  const { l } = column;
  const title = svg(
    "text",
    { x: column.left + column.width / 2, y: 14, "text-anchor": "middle", class: "column-title" },
    column.width < 40 && l > 0 ? String(l) : `layer ${l}`,
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
        width: column.cell + (isOutput ? label : 0),
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
        if (label) label.lastChild.textContent = unsigned(a[i]);
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
// Returns each with its place, its two ends and its element.
function drawWires(wires, columns, data, state) {
  const { l, j, k } = state.place;
  const [from, to] = [columns[l - 1], columns[l]];
  const sources =
    from.picture || from.n > 400 ? [k].filter((i) => i !== null) : Array.from({ length: from.n }, (_, i) => i);
  const w = sources.map((i) => data.network.parameter({ l, j, k: i }));
  const most = Math.max(...w.map(Math.abs), 1e-12);
  const [x2, y2] = to.centre(j);
  const end = [to.left + x2, y2];
  const drawn = sources.map((i, n) => {
    const [x1, y1] = from.centre(i);
    const line = svg("line", {
      x1: from.left + x1,
      y1,
      x2: end[0],
      y2,
      class: `wire ${w[n] < 0 ? "negative" : "positive"}${i === k ? " chosen" : ""}`,
      "data-place": `${l},${j},${i}`,
      "stroke-width": (0.3 + (3 * Math.abs(w[n])) / most).toFixed(2),
    });
    return { place: { l, j, k: i }, from: [from.left + x1, y1], to: end, line };
  });
  wires.replaceChildren(...drawn.map(({ line }) => line));
  return drawn;
}

// Input fields for the chosen parameter, so that every weight and bias can be chosen with the keyboard.
function mountPlace(data, update) {
  const { network } = data;
  const input = (name, label) =>
    numberField({ id: `place-${name}`, min: name === "l" ? 1 : 0, inputmode: "numeric", "aria-label": label }, read);
  const layer = input("l", "layer l");
  const to = input("j", "to neuron j");
  const from = input("k", "from neuron k");
  const bias = html("input", { type: "checkbox", id: "bias", change: read });
  function read() {
    const clamp = ({ input }, least, most) => Math.max(least, Math.min(most, Math.round(input.valueAsNumber)));
    const l = clamp(layer, 1, network.L);
    const j = clamp(to, 0, network.sizes[l] - 1);
    if (bias.checked) update({ place: { l, j, k: null } });
    else if (from.input.value === "") update({ place: strongestInto(data.current, l, j) });
    else update({ place: { l, j, k: clamp(from, 0, network.sizes[l - 1] - 1) } });
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
    html("label", {}, "layer ", layer.element),
    html("label", {}, "to neuron ", to.element),
    html("label", {}, "from neuron ", from.element),
    html("label", {}, bias, " bias"),
    strongest,
  );
  return {
    element,
    render({ place: { l, j, k } }) {
      layer.show(l);
      layer.input.max = String(network.L);
      to.show(j);
      to.input.max = String(network.sizes[l] - 1);
      if (k !== null) from.show(k); // beside a bias the weight's number stays, to return to
      from.input.max = String(network.sizes[l - 1] - 1);
      from.input.disabled = k === null;
      bias.checked = k === null;
    },
  };
}

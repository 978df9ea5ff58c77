// The weights of the whole first layer: one picture for each neuron, all on one scale.

import { chartText, sparingly } from "../parts/chart.js";
import { colour, counted, formula, html, unsigned, variable } from "../parts/dom.js";
import { heatMapNeuron, strongestInto } from "../mathematics/place.js";

const MOST_PICTURES = 1024;
const MOST_WEIGHTS = MOST_PICTURES * 784; // fewer pictures are shown if they are larger than MNIST's
const PICTURE_GAP = 1; // pixels around each picture, in the colour --rule
const TALLEST = 400; // CSS pixels of the sheet, if a smaller scale can keep it
const SHADES = 255; // from no colour to the full colour

// Mount the pictures. Returns `render(state)`. It reads the weights of the network anew in every call.
// state.weightScale: the |w| that has the full colour. Without it, this is the largest |w| of the layer.
export function mountWeights(root, data, update) {
  root.closest("section").classList.toggle("absent", !data.side);
  if (!data.side) return () => {};
  const { network, side } = data;
  const n = network.sizes[1];
  const count = Math.max(1, Math.min(n, MOST_PICTURES, Math.floor(MOST_WEIGHTS / side ** 2)));
  const canvas = html("canvas", {
    class: "weight-canvas",
    role: "slider",
    tabindex: "0",
    "aria-label": "weights of layer 1: choose a neuron",
    "aria-valuemin": "0",
    "aria-valuemax": String(count - 1),
    click: (event) => choose(pictureUnder(event)),
    keydown: walk,
    pointermove: (event) => point(pictureUnder(event)),
    pointerleave: () => point(null),
  });
  const context = canvas.getContext("2d");
  const chosenMark = html("div", { class: "weight-mark", hidden: true });
  const pointedMark = html("div", { class: "weight-mark near", hidden: true });
  const sheet = html("div", { class: "weight-sheet" }, canvas, pointedMark, chosenMark);
  const frame = html("div", { class: "weight-frame" }, sheet);
  const [said, lowest, highest, meaning] = [chartText(), chartText(), chartText(), chartText()];
  root.append(
    html(
      "p",
      {},
      formula(variable("w", 1)),
      count < n
        ? `: the weights into the first ${counted(count, "neuron")} of the ${n.toLocaleString("en")} in layer 1.`
        : `: the weights into ${n === 1 ? "the one neuron" : `each of the ${counted(n, "neuron")}`} of layer 1.`,
    ),
    html(
      "figure",
      { class: "weights" },
      frame,
      html("p", { class: "weight-said" }, said.node),
      html(
        "figcaption",
        {},
        html(
          "span",
          { class: "weight-scale" },
          html("span", {}, lowest.node),
          html("span", { class: "weight-strip" }),
          html("span", {}, highest.node),
        ),
        meaning.node,
      ),
    ),
    html(
      "p",
      { class: "hint" },
      "Ink on an orange pixel raises the neuron’s z. Ink on a blue pixel lowers it. Click a picture or use the arrow keys to choose the neuron.",
    ),
  );

  let last = null; // the state of the last call
  let grid = null; // null until the width of the sheet is known
  let image = null; // what is painted
  let shades = null; // the colours of the theme; null for a new image
  let pointed = null;
  let chosen; // null if no neuron of layer 1 is chosen
  let isNear = false; // whether the canvas is in the window, or close to it
  const print = matchMedia("print");

  function pictureUnder(event) {
    if (!grid) return null;
    const box = canvas.getBoundingClientRect();
    const pitch = side + PICTURE_GAP;
    const column = Math.floor((((event.clientX - box.left) / box.width) * canvas.width) / pitch);
    const row = Math.floor((((event.clientY - box.top) / box.height) * canvas.height) / pitch);
    const j = row * grid.columns + column;
    return column >= 0 && column < grid.columns && row >= 0 && j < count ? j : null;
  }
  function choose(j) {
    if (j !== null) update({ place: strongestInto(last, 1, j) });
  }
  function point(j) {
    if (j === pointed) return;
    pointed = j;
    tell();
  }
  function walk(event) {
    if (!grid) return;
    const moves = {
      ArrowRight: 1,
      ArrowLeft: -1,
      ArrowDown: grid.columns,
      ArrowUp: -grid.columns,
      Home: -Infinity,
      End: Infinity,
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    choose(Math.max(0, Math.min(count - 1, (chosen ?? 0) + moves[event.key])));
  }

  const summary = (j) => {
    const w = network.w[1].subarray(j * side ** 2, (j + 1) * side ** 2);
    return `neuron ${j}: largest |w| ${unsigned(largestSize(w))}`;
  };
  const describe = sparingly(() => {
    canvas.setAttribute("aria-valuenow", String(chosen ?? 0));
    canvas.setAttribute("aria-valuetext", chosen === null ? "no neuron of layer 1 is chosen" : summary(chosen));
  });

  // Say which neurons are chosen and pointed at, and frame them.
  function tell() {
    const { l, j } = heatMapNeuron(last.place);
    const before = chosen;
    chosen = l === 1 && j < count ? j : null;
    const about = pointed ?? chosen;
    said.set(
      about !== null
        ? `${summary(about)}${about === chosen ? " (chosen)" : ""}`
        : l === 1
          ? `The chosen neuron ${j} is not among the pictures.`
          : "Point at a picture to see its largest weight.",
    );
    describe(chosen !== before);
    if (!grid) return;
    placeMark(chosenMark, chosen);
    placeMark(pointedMark, pointed === chosen ? null : pointed);
    if (chosen !== before && chosen !== null) scrollToPicture();
  }

  function placeMark(mark, j) {
    mark.hidden = j === null;
    if (j === null) return;
    const pitch = side + PICTURE_GAP;
    mark.style.left = `${(100 * (PICTURE_GAP + (j % grid.columns) * pitch)) / canvas.width}%`;
    mark.style.top = `${(100 * (PICTURE_GAP + Math.floor(j / grid.columns) * pitch)) / canvas.height}%`;
    mark.style.width = `${(100 * side) / canvas.width}%`;
    mark.style.height = `${(100 * side) / canvas.height}%`;
  }

  function scrollToPicture() {
    const pitch = (side + PICTURE_GAP) * grid.scale;
    const above = Math.floor(chosen / grid.columns) * pitch;
    if (above < frame.scrollTop || above + pitch > frame.scrollTop + frame.clientHeight) {
      frame.scrollTop = above - frame.clientHeight / 2 + pitch / 2;
    }
  }

  function arrangeFor(width) {
    const next = pictureGrid(count, side, width);
    if (grid && next.columns === grid.columns && next.scale === grid.scale) return;
    grid = next;
    const pitch = side + PICTURE_GAP;
    canvas.width = grid.columns * pitch + PICTURE_GAP;
    canvas.height = Math.ceil(count / grid.columns) * pitch + PICTURE_GAP;
    sheet.style.width = `${canvas.width * grid.scale}px`;
    image = new ImageData(canvas.width, canvas.height);
    shades = null;
    if (last) show();
  }

  // Paint if it can be seen.
  function show() {
    tell();
    if (!grid || !(isNear || print.matches)) return;
    if (shades?.theme !== last.theme) {
      shades = { theme: last.theme, table: shadeTable(context) };
      paintGaps(image, { count, side, columns: grid.columns }, shades.table);
    }
    const w = network.w[1];
    const isGiven = Number.isFinite(last.weightScale);
    const strong = isGiven ? last.weightScale : largestSize(w);
    paintPictures(image, w, { count, side, columns: grid.columns }, shades.table, strong);
    context.putImageData(image, 0, 0);
    lowest.set(unsigned(-strong));
    highest.set(`+${unsigned(strong)}`);
    meaning.set(`One scale for all: the full colour is the largest |w| of the layer${isGiven ? " so far" : ""}.`);
  }

  new ResizeObserver(([{ contentRect }]) => {
    if (contentRect.width && !(grid && print.matches)) arrangeFor(contentRect.width); // paper keeps the arrangement
  }).observe(frame);
  new IntersectionObserver(
    ([{ isIntersecting }]) => {
      isNear = isIntersecting;
      if (isNear && last) show();
    },
    { rootMargin: "200px" },
  ).observe(frame);
  print.addEventListener("change", () => last && show());
  return (state) => {
    last = state;
    show();
  };
}

// The number of columns, and the CSS pixels for each pixel of a picture: as large as the width and the height allow, with
// rows of equal length where possible.
function pictureGrid(count, side, width) {
  const pitch = side + PICTURE_GAP;
  for (let scale = Math.max(1, Math.ceil(112 / side)); ; scale -= 0.5) {
    const most = Math.max(1, Math.floor((width / scale - PICTURE_GAP) / pitch));
    const rows = Math.ceil(count / most);
    if (scale > 1 && (rows * pitch * scale > TALLEST || most < Math.min(count, 4))) continue;
    return { scale, columns: Math.ceil(count / rows) };
  }
}

// The largest absolute value. Numbers that are not finite do not count.
function largestSize(values) {
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]);
    if (size > largest && size < Infinity) largest = size;
  }
  return largest;
}

// The colours from −SHADES (--minus) over 0 (--paper) to SHADES (--plus), as pixels.
function shadeTable(context) {
  const [paper, plus, minus, rule] = ["paper", "plus", "minus", "rule"].map((name) => {
    context.fillStyle = colour(name); // the canvas turns every colour into #rrggbb
    return [1, 3, 5].map((at) => parseInt(context.fillStyle.slice(at, at + 2), 16));
  });
  const table = new Uint8ClampedArray(4 * (2 * SHADES + 2)); // the last colour is that of the gaps
  for (let shade = -SHADES; shade <= SHADES; shade++) {
    const strength = Math.abs(shade) / SHADES;
    const full = shade < 0 ? minus : plus;
    const mixed = paper.map((value, i) => Math.round(value + strength * (full[i] - value)));
    table.set([...mixed, 255], 4 * (shade + SHADES));
  }
  table.set([...rule, 255], 4 * (2 * SHADES + 1));
  return new Uint32Array(table.buffer);
}

// Fill the image with the colour of the gaps. Where the last row has no pictures, it stays transparent.
function paintGaps(image, { count, side, columns }, table) {
  const pixels = new Uint32Array(image.data.buffer);
  const pitch = side + PICTURE_GAP;
  pixels.fill(table[2 * SHADES + 1]);
  const end = PICTURE_GAP + (((count - 1) % columns) + 1) * pitch;
  for (let row = image.height - pitch; row < image.height; row++) {
    pixels.fill(0, row * image.width + end, (row + 1) * image.width);
  }
}

// Write the pictures into the image. A weight of size `strong` or more has the full colour. One that is no number has none.
function paintPictures(image, w, { count, side, columns }, table, strong) {
  const pixels = new Uint32Array(image.data.buffer);
  const factor = SHADES / (strong || 1);
  const [middle, most] = [SHADES + 0.5, 2 * SHADES];
  const pitch = side + PICTURE_GAP;
  let from = 0;
  for (let j = 0; j < count; j++) {
    let to = (PICTURE_GAP + Math.floor(j / columns) * pitch) * image.width + PICTURE_GAP + (j % columns) * pitch;
    for (let row = 0; row < side; row++) {
      for (let column = 0; column < side; column++) {
        const shade = w[from++] * factor + middle;
        pixels[to++] = table[shade >= 0 ? (shade > most ? most : shade | 0) : shade < 0 ? 0 : SHADES];
      }
      to += image.width - side;
    }
  }
}

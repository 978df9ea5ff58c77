// A line chart that grows while its numbers arrive. The lines are on a canvas, their names and values are text.

import { colour, html, svg, unsigned } from "./dom.js";

const CHART_FONT = "12px system-ui, sans-serif";
const CHART_DASH = [6, 4];
const ON_PAPER = { width: 680, height: 190, scale: 3 }; // size in CSS pixels, and canvas pixels for each of them
const ROUND_ENDS = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10]; // times a power of 10: where an axis can end
const ROUND_STEPS = [1, 2, 5, 10]; // times a power of 10: the distance of two ticks
const wholeNumber = new Intl.NumberFormat("en", { maximumFractionDigits: 3 });

// Mount a chart. Returns `render({ x, lines, cursor, theme })`.
//
// title: text or elements. series: [{ name, colour, dash }], the colour as a property of the style sheet, such as "w".
// xName, yName: names of the axes. xName also names a place on the x axis in words: "at step 40".
// format: turns a value into text, for the values beside the names.
// formatTick: the same for the ticks of the y axis. Without it they are plain round numbers.
// yRange: [low, high]. Without it the y axis goes from 0, or from below the smallest negative value, to a round number.
// xLeast: the x axis goes from 0 to this number at least. It grows in round steps.
// logX: the x axis is that of log(1 + x), so 0 is at its left end.
// onPick: called with the index of a point when the user picks it with the pointer or the arrow keys.
//
// x: the ascending x values, from 0 up. lines: for each series its values; a value that is no finite number is a gap.
// cursor: the x value of the vertical line, or null. The values shown are those at the cursor, or the last ones.
// theme: any string. The colours are read again when it changes.
export function mountChart(root, options) {
  const { title, series, xName, format = unsigned, onPick = null } = options;
  const axes = { yName: "", yRange: null, xLeast: 10, logX: false, formatTick: null, ...options };
  const print = matchMedia("print");
  const canvas = html("canvas", {
    class: onPick ? "chart-canvas picks" : "chart-canvas",
    role: onPick ? "slider" : "img",
    tabindex: onPick ? "0" : null,
    "aria-valuemin": onPick ? "0" : null,
  });
  const context = canvas.getContext("2d");
  const heading = html("b", {}, title);
  const where = chartText();
  const values = series.map(() => chartText());
  const names = series.map(({ name, colour: own, dash }, i) => {
    const line = svg("line", { x1: 1, x2: 27, y1: 5, y2: 5, "stroke-dasharray": dash ? CHART_DASH.join(" ") : null });
    line.style.stroke = `var(--${own})`;
    const sample = svg("svg", { class: "chart-sample", width: 28, height: 10, "aria-hidden": "true" }, line);
    return html("li", {}, sample, `${name} `, html("span", { class: "chart-value" }, values[i].node));
  });
  root.append(
    html(
      "figure",
      { class: "chart" },
      html("figcaption", { class: "chart-head" }, heading, html("span", { class: "chart-where" }, where.node)),
      html("ul", { class: "chart-names" }, names),
      canvas,
    ),
  );

  let shown = { x: [], lines: series.map(() => []), cursor: null, theme: undefined };
  let pointed = null; // the index of the point under the pointer
  let size = null; // of the canvas in CSS pixels
  let scales = null; // of the last drawing
  let colours = null;

  function render(given) {
    const isNew = colours === null || given.theme !== shown.theme;
    shown = { cursor: null, ...given };
    if (isNew) {
      const [text, quiet, rule, card] = ["text", "quiet", "rule", "card"].map(colour);
      colours = { text, quiet, rule, card, lines: series.map((one) => colour(one.colour)) };
    }
    show();
    describe();
  }

  // The index of the point whose values are shown, or −1.
  function currentIndex() {
    const { x, cursor } = shown;
    if (pointed !== null && pointed < x.length) return pointed;
    return cursor === null ? x.length - 1 : nearestIndex(x, cursor);
  }

  function show() {
    const { x, lines, cursor } = shown;
    const index = currentIndex();
    const isLast = cursor === null && pointed === null;
    where.set(index < 0 ? "" : `at ${xName} ${wholeNumber.format(x[index])}`);
    lines.forEach((line, i) => {
      const value = line[isLast ? edgeIndex(line, -1) : index];
      values[i].set(Number.isFinite(value) ? format(value) : "–");
    });
    draw(isLast ? null : index);
  }

  function draw(index) {
    size ??= { width: canvas.clientWidth, height: canvas.clientHeight };
    const { width, height } = print.matches ? ON_PAPER : size;
    if (!width || !height || !colours) return;
    const scale = print.matches ? ON_PAPER.scale : devicePixelRatio;
    if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(width * scale);
      canvas.height = Math.round(height * scale);
    }
    const { x, lines } = shown;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    context.font = CHART_FONT;
    scales = chartScales(context, { ...axes, width, height, x, lines });
    drawAxes(context, scales, colours, { width, xName, yName: axes.yName });
    context.save();
    context.beginPath();
    context.rect(scales.left - 4, scales.top - 2, scales.right - scales.left + 8, scales.bottom - scales.top + 4);
    context.clip();
    context.lineWidth = 1.75;
    context.lineJoin = context.lineCap = "round";
    lines.forEach((line, i) => {
      context.strokeStyle = colours.lines[i];
      context.setLineDash(series[i].dash ? CHART_DASH : []);
      context.beginPath();
      traceLine(context, x, line, scales, scale);
      context.stroke();
    });
    context.restore();
    if (index !== null && index >= 0) drawCursor(context, scales, colours, Math.round(scales.toX(x[index])) + 0.5);
    lines.forEach((line, i) => {
      const end = index ?? edgeIndex(line, -1);
      drawDot(context, scales, x[end], line[end], colours.lines[i], series[i].dash ? colours.card : colours.lines[i]);
    });
  }

  const describe = sparingly(() => {
    const { x, lines } = shown;
    const at = (i) => `${xName} ${wholeNumber.format(x[i])}`;
    const told = lines.map((line, i) => {
      const [first, last] = [edgeIndex(line, 1), edgeIndex(line, -1)];
      const name = series.length === 1 ? heading.textContent : series[i].name;
      if (first < 0) return `${name}: no values yet`;
      const start = `${name}: ${format(line[first])} at ${at(first)}`;
      return first === last ? start : `${start}, ${format(line[last])} at ${at(last)}`;
    });
    canvas.setAttribute("aria-label", `${series.length === 1 ? "" : `${heading.textContent}. `}${told.join("; ")}`);
    if (!onPick) return;
    const index = Math.max(0, shown.cursor === null ? x.length - 1 : nearestIndex(x, shown.cursor));
    const here = lines.map(
      (line, i) => `${series[i].name} ${Number.isFinite(line[index]) ? format(line[index]) : "none"}`,
    );
    canvas.setAttribute("aria-valuemax", String(Math.max(0, x.length - 1)));
    canvas.setAttribute("aria-valuenow", String(index));
    canvas.setAttribute("aria-valuetext", x.length ? `${at(index)}: ${here.join(", ")}` : "no values yet");
  });

  function pick(index) {
    const { x, cursor } = shown;
    if (!x.length) return;
    const within = Math.max(0, Math.min(x.length - 1, index));
    if (x[within] === cursor) return;
    shown = { ...shown, cursor: x[within] };
    pointed = null;
    show();
    describe(true);
    onPick(within);
  }

  function indexUnder(event) {
    if (!scales || !shown.x.length) return null;
    return nearestIndex(shown.x, scales.fromX(event.clientX - canvas.getBoundingClientRect().left));
  }

  function point(index) {
    if (pointed === index) return;
    pointed = index;
    show();
  }
  canvas.addEventListener("pointermove", (event) => {
    const isDragging = event.buttons & 1 && canvas.hasPointerCapture(event.pointerId);
    if (onPick && isDragging) pick(indexUnder(event) ?? 0);
    else point(indexUnder(event));
  });
  for (const end of ["pointerleave", "pointercancel"]) canvas.addEventListener(end, () => point(null));
  if (onPick) {
    canvas.addEventListener("pointerdown", (event) => {
      if (event.pointerType === "mouse") canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("click", (event) => pick(indexUnder(event) ?? 0));
    canvas.addEventListener("keydown", (event) => {
      const page = Math.max(1, Math.round(shown.x.length / 10));
      const moves = {
        ArrowRight: 1,
        ArrowUp: 1,
        ArrowLeft: -1,
        ArrowDown: -1,
        PageUp: page,
        PageDown: -page,
        Home: -Infinity,
        End: Infinity,
      };
      if (!(event.key in moves)) return;
      event.preventDefault();
      const { x, cursor } = shown;
      pick((cursor === null ? x.length - 1 : nearestIndex(x, cursor)) + moves[event.key]);
    });
  }
  new ResizeObserver(([{ contentRect }]) => {
    if (print.matches || (size && size.width === contentRect.width && size.height === contentRect.height)) return;
    size = { width: contentRect.width, height: contentRect.height };
    if (colours) show();
  }).observe(canvas);
  return render;
}

// Returns a function that calls `act` at once, but at most once in a second. A call that comes too early is made up for
// at the end of the second. `sooner` calls at once whatever the time.
export function sparingly(act) {
  let last = -Infinity;
  let waiting = 0;
  const go = () => {
    clearTimeout(waiting);
    waiting = 0;
    last = performance.now();
    act();
  };
  return (sooner = false) => {
    const rest = last + 1000 - performance.now();
    if (sooner || rest <= 0) go();
    else waiting ||= setTimeout(go, rest);
  };
}

// A text that is written only when it changes.
export function chartText() {
  const node = document.createTextNode("");
  return {
    node,
    set(text) {
      if (node.data !== text) node.data = text;
    },
  };
}

// Where values lie on the canvas, and the ticks of both axes.
function chartScales(context, { width, height, x, lines, yRange, xLeast, logX, xName, yName, formatTick }) {
  const [low, high] = yRange ?? roundRange(lines);
  const top = yName ? 24 : 8;
  const bottom = height - 22;
  const yTicks = roundTicks(low, high, Math.max(1, Math.min(4, Math.floor((bottom - top) / 32))));
  if (formatTick) for (const tick of yTicks) tick.text = formatTick(tick.value);
  const widest = Math.max(...[xName, ...yTicks.map(({ text }) => text)].map((text) => context.measureText(text).width));
  const left = Math.ceil(widest) + 10;
  const right = width - 12;
  const end = roundEnd(Math.max(xLeast, x.length ? x[x.length - 1] : 0));
  const most = Math.max(1, Math.min(8, Math.floor((right - left) / 80)));
  const isWhole = x.every(Number.isInteger);
  return {
    ...{ left, right, top, bottom, low, high, yTicks },
    xTicks: logX ? powerTicks(end) : roundTicks(0, end, most, isWhole ? 1 : 0),
    toX: logX
      ? (value) => left + ((right - left) * Math.log1p(value)) / Math.log1p(end)
      : (value) => left + ((right - left) * value) / end,
    fromX: logX
      ? (pixel) => Math.expm1(((pixel - left) / (right - left)) * Math.log1p(end))
      : (pixel) => ((pixel - left) / (right - left)) * end,
    toY: (value) => bottom - ((bottom - top) * (value - low)) / (high - low),
  };
}

// From 0 to a round number that is not below any value, or from a round negative number.
function roundRange(lines) {
  let [low, high] = [0, 0];
  for (const line of lines) {
    for (let i = 0; i < line.length; i++) {
      if (!Number.isFinite(line[i])) continue;
      if (line[i] < low) low = line[i];
      if (line[i] > high) high = line[i];
    }
  }
  if (low === high) return [0, 1];
  return [low < 0 ? -roundEnd(-low) : 0, high > 0 ? roundEnd(high) : 0];
}

// The smallest round number that is not below a positive value.
function roundEnd(value) {
  if (value < 1e-300) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * (ROUND_ENDS.find((end) => end * power >= value) ?? 10);
}

// Round numbers from low to high, at most `most` steps, none shorter than `least`.
function roundTicks(low, high, most, least = 0) {
  const shortest = Math.max((high - low) / most, least);
  const power = 10 ** Math.floor(Math.log10(shortest));
  const step = power * (ROUND_STEPS.find((factor) => factor * power >= shortest * (1 - 1e-9)) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  const largest = Math.max(Math.abs(first), Math.abs(last)) * step;
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const text = (value) => {
    if (value === 0) return "0";
    const isPlain = largest < 1e6 && digits <= 4;
    const size = Math.abs(value);
    const plain = size >= 1000 ? wholeNumber.format(size) : size.toFixed(digits);
    return `${value < 0 ? "−" : ""}${isPlain ? plain : size.toExponential().replace("-", "−").replace("+", "")}`;
  };
  return Array.from({ length: last - first + 1 }, (_, i) => {
    const value = Number(((first + i) * step).toPrecision(12));
    return { value, text: text(value) };
  });
}

// 0 and the powers of 10 up to `end`.
function powerTicks(end) {
  const powers = Array.from({ length: Math.floor(Math.log10(end) + 1e-9) + 1 }, (_, i) => 10 ** i);
  return [0, ...powers].map((value) => ({ value, text: wholeNumber.format(value) }));
}

function drawAxes(context, scales, { quiet, rule }, { width, xName, yName }) {
  const { left, right, top, bottom, xTicks, yTicks, toX, toY } = scales;
  const crisp = (position) => Math.round(position) + 0.5;
  const stroke = (x1, y1, x2, y2) => {
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
  };
  context.lineWidth = 1;
  context.setLineDash([]);
  context.strokeStyle = rule;
  context.beginPath();
  for (const { value } of yTicks) stroke(left, crisp(toY(value)), right, crisp(toY(value)));
  context.stroke();
  context.strokeStyle = quiet;
  context.beginPath();
  stroke(left, crisp(bottom), right, crisp(bottom));
  for (const { value } of xTicks) stroke(crisp(toX(value)), bottom, crisp(toX(value)), bottom + 4);
  context.stroke();
  context.fillStyle = quiet;
  context.textBaseline = "middle";
  context.textAlign = "right";
  for (const { value, text } of yTicks) context.fillText(text, left - 6, toY(value));
  context.textBaseline = "alphabetic";
  context.fillText(xName, left - 10, bottom + 17); // in one row with the labels of its ticks
  context.textAlign = "left";
  if (yName) context.fillText(yName, 0, 11);
  let free = 0; // where the next label can start
  for (const { value, text } of xTicks) {
    const length = context.measureText(text).width;
    const start = Math.min(toX(value) - length / 2, width - length);
    if (start < free) continue;
    context.fillText(text, start, bottom + 17);
    free = start + length + 8;
  }
}

function drawCursor(context, { top, bottom }, { quiet }, x) {
  context.strokeStyle = quiet;
  context.lineWidth = 1;
  context.setLineDash([]);
  context.beginPath();
  context.moveTo(x, top);
  context.lineTo(x, bottom);
  context.stroke();
}

// A dot on a line: filled, or hollow for a dashed line.
function drawDot(context, { toX, toY, low, high }, x, y, edge, fill) {
  if (!Number.isFinite(y) || y < low || y > high) return;
  context.lineWidth = 1.75;
  context.setLineDash([]);
  context.strokeStyle = edge;
  context.fillStyle = fill;
  context.beginPath();
  context.arc(toX(x), toY(y), 3, 0, 2 * Math.PI);
  context.fill();
  context.stroke();
}

// Add a line to the path. Of the points in one column of canvas pixels, only the first, the lowest, the highest and the
// last are drawn, so that no extreme is lost. A point between two gaps is a dot.
function traceLine(context, x, y, { toX, toY }, scale) {
  let [first, low, high, last] = [-1, -1, -1, -1]; // the points of the column
  let column = NaN;
  let drawn = 0; // points since the last gap
  let [across, down] = [0, 0];
  const add = (i) => {
    [across, down] = [toX(x[i]), toY(y[i])];
    if (drawn) context.lineTo(across, down);
    else context.moveTo(across, down);
    drawn += 1;
  };
  const flush = () => {
    if (first < 0) return;
    const [one, other] = low < high ? [low, high] : [high, low];
    add(first);
    if (one !== first) add(one);
    if (other !== one && other !== first) add(other);
    if (last !== other && last !== one && last !== first) add(last);
    first = -1;
  };
  const end = () => {
    flush();
    if (drawn === 1) {
      context.moveTo(across + 1, down);
      context.arc(across, down, 1, 0, 2 * Math.PI);
    }
    drawn = 0;
    column = NaN;
  };
  for (let i = 0; i < x.length; i++) {
    if (!Number.isFinite(y[i])) {
      end();
      continue;
    }
    const here = Math.floor(toX(x[i]) * scale);
    if (here !== column) {
      flush();
      first = low = high = i;
      column = here;
    } else if (y[i] < y[low]) low = i;
    else if (y[i] > y[high]) high = i;
    last = i;
  }
  end();
}

// The index of the number next to `value` in ascending numbers, or −1 if there are none.
function nearestIndex(ascending, value) {
  let [from, to] = [0, ascending.length - 1];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (ascending[middle] < value) from = middle + 1;
    else to = middle;
  }
  return from > 0 && value - ascending[from - 1] < ascending[from] - value ? from - 1 : Math.min(from, to);
}

// The index of the first finite value (direction 1) or of the last one (direction −1), or −1.
function edgeIndex(values, direction) {
  let i = direction > 0 ? 0 : values.length - 1;
  while (i >= 0 && i < values.length && !Number.isFinite(values[i])) i += direction;
  return i < values.length ? i : -1;
}

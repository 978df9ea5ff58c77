// The chapter's tree of dependencies, from the parameter up to the cost, with a number line for every variable. Above a
// hidden neuron the tree follows one path. A click on a variable chooses its parameter or neuron.

import { counted, formula, html, svg, unsigned, variable } from "../parts/dom.js";
import { changeText, liveText } from "../parts/live.js";
import { costOf } from "../mathematics/network.js";
import { strongestInto } from "../mathematics/place.js";
import { changeOf, passedAfter, pathUp } from "./upward.js";

const LINE = 18; // height of a line of text
const GAP = 34; // between boxes, for the arrows

export function mountTree(root, data, update) {
  const { network } = data;
  const stage = html("div", { class: "tree" });
  root.append(stage);
  let built = null;
  let [width, theme] = [0, null];

  // Reading the width makes the browser lay out the page. So it is read when it may have changed, and not in every frame.
  const measure = () => Math.max(300, Math.min(stage.clientWidth || 560, 640));
  new ResizeObserver(() => {
    if (!built || measure() === width) return;
    width = measure();
    render(data.current);
  }).observe(stage);

  function render(state) {
    if (root.closest("[hidden]")) return; // while the user guesses
    if (width === 0 || theme !== state.theme) width = measure();
    theme = state.theme;
    const { l, j, k } = state.place;
    const above = pathUp(state, network, { l, j });
    const key = [l, j, k, state.C_index, width, state.allDigits, ...above.map((step) => step.j)].join();
    if (built?.key !== key) built = { key, ...build(state, above) };
    const after = passedAfter(network, state.passed, state.place, state.nudge.parameter);
    const change = state.nudge.parameter === 0 ? 0 : changeOf(costOf(network, after, state.y), state.C);
    for (const variable of built.variables) variable.set(state, after, change);
    for (const link of built.links) link.set();
  }

  // The variables from top to bottom, with their places.
  function variablesIn(state, above) {
    const { l, j, k } = state.place;
    const { L } = network;
    const { allDigits } = state;
    const isNarrow = width < 400;
    const third = Math.min(206, (width - 16) / 3);
    const centred = (w) => (width - w) / 2;
    const main = {
      w: isNarrow ? width * 0.56 : 268,
      lines: (isNarrow ? 2 : 1) + Number(allDigits) * (isNarrow ? 3 : 1),
    };
    const side = { w: Math.min(170, centred(main.w) - 8), lines: main.lines };
    const first = { w: third, lines: 2 + Number(isNarrow) + Number(allDigits) * (isNarrow ? 4 : 1) };
    const height = ({ lines }) => 30 + LINE * lines;
    const unit = (l) => network.activation[l].range;
    const around = (value) => [value - 1, value + 1];
    const choosesInto = (l, j) => () => update({ place: strongestInto(data.current, l, j) });
    const variables = [];
    let y = 4;
    const put = (letter, of, box, x, rest) => variables.push({ letter, of, x, y, w: box.w, h: height(box), ...rest });

    const bias = {
      value: (s) => [network.b[l][j], k === null ? s.nudge.parameter : 0],
      about: ([b]) => around(b),
      choose: () => update({ place: { l, j, k: null } }),
      to: "z",
    };
    if (k === null) put("b", [l, j], first, centred(first.w), bias);
    else {
      put("w", [l, j, k], first, 0, {
        value: (s) => [s.value, s.nudge.parameter],
        about: ([w]) => around(w),
        choose: () => update({ place: { l, j, k } }),
        to: "z",
      });
      put("a", [l - 1, k], first, centred(first.w), {
        value: (s) => [s.passed.a[l - 1][k], 0],
        about: () => (l === 1 ? [0, 1] : unit(l - 1)),
        choose: l > 1 ? choosesInto(l - 1, k) : null,
        to: "z",
      });
      put("b", [l, j], first, width - first.w, bias);
    }
    y += height(first) + GAP;
    [{ l, j }, ...above].forEach((neuron, n) => {
      const from = n === 0 ? null : n === 1 ? j : above[n - 2].j;
      const choose = from === null ? choosesInto(l, j) : () => update({ place: { l: neuron.l, j: neuron.j, k: from } });
      const change = (layers) => (s, after) => {
        const value = s.passed[layers][neuron.l][neuron.j];
        return [value, changeOf(after[layers][neuron.l][neuron.j], value)];
      };
      const others = neuron.l < L ? network.sizes[neuron.l + 1] - 1 : 0;
      put("z", [neuron.l, neuron.j], main, centred(main.w), {
        value: change("z"),
        about: ([z]) => [Math.min(-6, z - 1), Math.max(6, z + 1)],
        choose,
        to: "a",
        note: () => ["σ"],
      });
      y += height(main) + GAP;
      put("a", [neuron.l, neuron.j], main, centred(main.w), {
        value: change("a"),
        about: () => unit(neuron.l),
        choose,
        to: neuron.l < L ? "z" : "C",
        note: () => (others ? [`and ${counted(others, "other path")}`] : []),
      });
      if (neuron.l === L)
        put("y", [null, neuron.j], side, width - side.w, {
          value: (s) => [s.y[neuron.j], 0],
          about: () => unit(L),
          choose: null,
          to: "C",
        });
      y += height(main) + GAP;
    });
    put("C", [null, state.C_index], main, centred(main.w), {
      value: (s, after, change) => [s.C, change],
      about: ([C]) => [0, Math.max(1, 1.2 * C)],
      choose: null,
      to: null,
    });
    return { variables, height: y + height(main) + 4 };
  }

  function build(state, above) {
    const { variables, height } = variablesIn(state, above);
    const drawn = variables.map((one) => drawVariable(one));
    // Each variable is linked to the next of the letter that depends on it.
    const links = variables.flatMap((one, n) => {
      const target = variables.findIndex((other, m) => m > n && other.letter === one.to);
      if (target < 0) return [];
      const next = variables[target];
      const [x1, y1, x2, y2] = [one.x + one.w / 2, one.y + one.h, next.x + next.w / 2, next.y];
      const bend = (y2 - y1) / 2;
      const path = svg("path", { d: `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}` });
      const set = () => path.setAttribute("class", drawn[n].isMoved() ? "link live" : "link");
      const texts = one.note?.() ?? [];
      const notes = texts.map((text) => svg("text", { x: x1 + 9, y: y1 + GAP / 2 + 5, class: "note" }, text));
      return [{ path, set, notes }];
    });
    stage.replaceChildren(
      svg(
        "svg",
        {
          width,
          height,
          viewBox: `-1 0 ${width + 2} ${height}`,
          role: "group",
          "aria-label": "what depends on what, from the parameter to the cost",
        },
        links.map(({ path }) => path),
        links.map(({ notes }) => notes),
        drawn.map(({ element }) => element),
      ),
    );
    return { variables: drawn, links };
  }

  return render;
}

// A variable's name for screen readers, as in the terminal.
const plainName = ({ letter, of: [layer, ...index] }) =>
  letter === "C" ? `C_${index}` : `${letter}${layer === null ? "" : `(${layer})`}[${index}]`;

// One variable: its name, its value and its change by the nudge, and a number line with a hollow mark for the value before
// the nudge and a full mark for the value after it.
function drawVariable({ letter, of, x, y, w, h, value, about, choose }) {
  const name = plainName({ letter, of });
  const [now, changed] = [liveText(), liveText("span", { class: "after" })];
  const line = h - 16;
  const zero = svg("line", { y1: line - 4, y2: line + 4, class: "zero" });
  const moved = svg("line", { y1: line, y2: line, class: "moved" });
  const before = svg("circle", { cy: line, r: 4, class: "was" });
  const after = svg("circle", { cy: line, r: 3, class: "is" });
  const tick = (at, end) => svg("text", { x: at, y: line + 13, class: "tick", "text-anchor": end });
  const ticks = [tick(10, "start"), tick(w - 10, "end")];
  const press = (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    choose();
  };
  const element = svg(
    "g",
    {
      transform: `translate(${x} ${y})`,
      class: `variable is-${letter}`,
      role: choose ? "button" : "img",
      "data-variable": name,
      ...(choose ? { tabindex: "0", click: choose, keydown: press, "data-key": `tree-${name}` } : {}),
    },
    svg("rect", { width: w, height: h, rx: 8 }),
    svg(
      "foreignObject",
      { x: 8, y: 4, width: w - 12, height: h - 26 },
      html("div", { class: "variable-text" }, formula(variable(letter, ...of)), now.element, changed.element),
    ),
    svg("line", { x1: 10, x2: w - 10, y1: line, y2: line, class: "axis" }),
    zero,
    ticks,
    moved,
    before,
    after,
  );
  let shown = null;
  let isMoved = false;
  return {
    element,
    isMoved: () => isMoved,
    set(state, passedNow, changeOfCost) {
      const [v, change] = value(state, passedNow, changeOfCost);
      const key = `${v} ${change}`;
      if (key === shown) return;
      shown = key;
      isMoved = change !== 0;
      now.set(unsigned(v));
      changed.set(changeText(change));
      const [near, far] = about([v]);
      const [low, high] = [Math.min(near, v), Math.max(far, v)];
      const at = (one) => (10 + ((Math.max(low, Math.min(high, one)) - low) / (high - low || 1)) * (w - 20)).toFixed(2);
      const move = (mark, attribute, one) => mark.setAttribute(attribute, at(one));
      move(zero, "x1", 0);
      move(zero, "x2", 0);
      zero.setAttribute("visibility", low <= 0 && high >= 0 ? "visible" : "hidden");
      move(moved, "x1", v);
      move(moved, "x2", v + change);
      move(before, "cx", v);
      move(after, "cx", v + change);
      element.dataset.value = String(v);
      element.dataset.change = String(change);
      element.setAttribute(
        "aria-label",
        `${name} = ${now.element.textContent}${change ? `, ${changed.element.textContent}` : ""}`,
      );
      ticks[0].textContent = shortTick(low);
      ticks[1].textContent = shortTick(high);
    },
  };
}

const shortTick = (value) => String(Math.round(value * 100) / 100).replace("-", "−");

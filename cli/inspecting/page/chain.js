// The chain rule for the chosen parameter with a number under each fraction, the nudge with its changes, and the
// chapter's tree of dependencies with a number line for every variable.

import {
  clean,
  counted,
  distinguishable,
  field,
  formula,
  fraction,
  html,
  identifier,
  mathml,
  number,
  numeral,
  operator,
  ratio,
  sigmaPrime,
  sumOver,
  svg,
  variable,
} from "./dom.js";
import { letterOf, named, symbolOf } from "./place.js";

// Functions that return the variables of the chain as MathML. Each call makes a new element.
export function variablesOf(state) {
  const { l, j, k } = state.place;
  return {
    p: () => symbolOf(state.place),
    before: () => (k === null ? numeral(1) : variable("a", l - 1, k)),
    z: () => variable("z", l, j),
    a: () => variable("a", l, j),
    y: () => variable("y", null, j),
    C: () => variable("C", null, state.C_index),
  };
}

function thirdFactor(state, data) {
  const { l, j } = state.place;
  const v = variablesOf(state);
  if (l < data.network.L)
    return formula(
      sumOver("j"),
      mathml("mtext", {}, `\u00a0over ${counted(data.network.sizes[l + 1], "path")}, below`),
    );
  const difference = () => [v.a(), operator("−"), v.y()];
  if (data.network.costName === "squared_error")
    return formula(numeral(2), operator("("), ...difference(), operator(")"));
  return formula(
    mathml(
      "mfrac",
      {},
      mathml("mrow", {}, ...difference()),
      mathml("mrow", {}, v.a(), operator("("), numeral(1), operator("−"), v.a(), operator(")")),
    ),
  );
}

export function mountChain(root, data) {
  const rule = html("div", { class: "rule" });
  const names = html("p", { class: "names" });
  root.append(names, rule);
  return (state) => {
    const { place, derivative: d } = state;
    const v = variablesOf(state);
    const traced = state.isTraced ? (name) => `${letterOf(place) === "w" ? "weight" : "bias"}.${name}` : () => null;
    const p = letterOf(place);
    const factor = (fractionOf, meaning, name, value, sign) => [
      html("span", { class: "sign", "aria-hidden": sign === "" }, sign),
      html(
        "div",
        { class: "factor" },
        formula(fractionOf),
        html("div", { class: "meaning" }, meaning),
        html("div", { class: "value" }, field(traced(name), value)),
      ),
    ];
    names.replaceChildren(
      named(place),
      " = ",
      field(traced("value"), state.value),
      place.k === null
        ? `, the bias of neuron ${place.j} of layer ${place.l}`
        : `, from neuron ${place.k} of layer ${place.l - 1} to neuron ${place.j} of layer ${place.l}`,
    );
    rule.replaceChildren(
      ...factor(
        fraction(v.C(), v.p()),
        place.k === null ? "how the bias moves the cost" : "how the weight moves the cost",
        `dC_d${p}`,
        d.product,
        "",
      ),
      ...factor(fraction(v.z(), v.p()), formula(v.before()), `dz_d${p}`, d.dz, "="),
      ...factor(
        fraction(v.a(), v.z()),
        formula(sigmaPrime(), operator("("), v.z(), operator(")")),
        "da_dz",
        d.da_dz,
        "×",
      ),
      ...factor(fraction(v.C(), v.a()), thirdFactor(state, data), "dC_da", d.dC_da, "×"),
    );
  };
}

// The changes Δw → Δz → Δa → ΔC, and each ratio of changes beside the derivative that it approximates.
export function mountNudge(root, data, update) {
  const slider = html("input", {
    type: "range",
    id: "nudge",
    min: -1,
    max: 1,
    step: 0.01,
    input: () => update({ nudgeBy: Number(slider.value) }),
  });
  const sizes = [0, 1e-6, 0.001, 0.01, 0.1, 1].map((size) =>
    html(
      "button",
      { type: "button", "aria-label": `nudge by ${size}`, click: () => update({ nudgeBy: size }) },
      String(size),
    ),
  );
  const label = html("label", { for: "nudge" });
  const body = html("tbody", {});
  const table = html(
    "table",
    { class: "nudged" },
    html(
      "thead",
      {},
      html(
        "tr",
        {},
        ["change", "ratio of the changes", "derivative"].map((text) => html("th", { scope: "col" }, text)),
      ),
    ),
    body,
  );
  const sentence = html("p", {});
  root.append(
    html("div", { class: "slide" }, label, slider, html("span", { class: "screen-only" }, sizes)),
    table,
    sentence,
  );
  return (state) => {
    const { place, derivative: d, nudge: n, value } = state;
    const p = letterOf(place);
    const v = variablesOf(state);
    const traced =
      state.isTraced && n.parameter === 0.01 ? (name) => `${p === "w" ? "weight" : "bias"}.nudge.${name}` : () => null;
    slider.value = String(n.parameter);
    label.replaceChildren(
      "nudge ",
      named(place),
      " by ",
      html("b", {}, n.parameter === 0 ? "0" : (n.parameter < 0 ? "−" : "+") + Math.abs(n.parameter)),
    );
    const delta = (of) => formula(mathml("mrow", {}, identifier("Δ"), of));
    const quotient = (above, below) =>
      formula(
        mathml("mfrac", {}, mathml("mrow", {}, identifier("Δ"), above), mathml("mrow", {}, identifier("Δ"), below)),
      );
    const equals = (symbol, value) => html("td", {}, html("span", { class: "pair" }, symbol, html("span", {}, value)));
    const row = (change, of, below, by, derivative) =>
      html(
        "tr",
        {},
        change,
        below
          ? equals(quotient(of(), below()), ratio(of === v.z ? n.dz : of === v.a ? n.da : n.dC, by))
          : html("td", {}),
        below ? equals(formula(fraction(of(), below())), number(derivative)) : html("td", {}),
      );
    const change = (of, name, value) => equals(delta(of()), field(traced(name), value));
    body.replaceChildren(
      row(change(v.p, `d${p}`, n.parameter), v.p),
      row(change(v.z, "dz", n.dz), v.z, v.p, n.parameter, d.dz),
      row(change(v.a, "da", n.da), v.a, v.z, n.dz, d.da_dz),
      row(change(v.C, "dC", n.dC), v.C, v.a, n.da, d.dC_da),
      row(html("td", {}, html("b", {}, "in total")), v.C, v.p, n.parameter, d.product),
    );
    const moved =
      clean(n.dC) === 0
        ? "leaves the cost unchanged"
        : `${n.dC < 0 ? "lowers" : "raises"} the cost from ${distinguishable(state.C, state.C + n.dC).join(" to ")}`;
    const step = distinguishable(value, value + n.parameter).join(" to ");
    slider.setAttribute("aria-valuetext", `${n.parameter}, which ${moved}`);
    sentence.replaceChildren(
      ...(n.parameter === 0
        ? ["Move the slider. How much does ", formula(v.C()), " change?"]
        : ["Changing ", named(place), ` from ${step} ${moved}.`]),
    );
  };
}

// The tree of dependencies: z depends on the weight, the previous activation and the bias. Then a depends on z, and C
// depends on a and y.
export function mountTree(root, data) {
  const stage = html("div", { class: "tree" });
  root.append(stage);
  return (state) => {
    const width = Math.max(300, Math.min(stage.clientWidth || 560, 720));
    const isNarrow = width < 400;
    const lines = 2 + Number(isNarrow) + Number(state.allDigits) * (isNarrow ? 3 : 1); // of text in each box
    const box = { w: Math.min(190, (width - 16) / 3), h: 30 + 18 * lines };
    const [top, second, third, fourth] = [0, 1, 2, 3].map((row) => 4 + row * (box.h + 38));
    const { l, j, k } = state.place;
    const n = state.nudge;
    const { network } = data;
    const b = network.b[l][j];
    const w = k === null ? null : state.value;
    const before = k === null ? null : state.passed.a[l - 1][k];
    const z = state.passed.z[l][j];
    const a = state.passed.a[l][j];
    const columns = [0, (width - box.w) / 2, width - box.w];
    const middle = columns[1];
    const range = network.activation[l].range;
    const nodes = [
      k === null
        ? null
        : {
            x: columns[0],
            y: top,
            letter: "w",
            of: [l, j, k],
            value: w,
            change: n.parameter,
            about: [w - 1, w + 1],
          },
      k === null
        ? null
        : {
            x: middle,
            y: top,
            letter: "a",
            of: [l - 1, k],
            value: before,
            change: 0,
            about: l === 1 ? [0, 1] : network.activation[l - 1].range,
          },
      {
        x: k === null ? middle : columns[2],
        y: top,
        letter: "b",
        of: [l, j],
        value: b,
        change: k === null ? n.parameter : 0,
        about: [b - 1, b + 1],
      },
      {
        x: middle,
        y: second,
        letter: "z",
        of: [l, j],
        value: z,
        change: n.dz,
        about: [Math.min(-6, z - 1), Math.max(6, z + 1)],
      },
      { x: middle, y: third, letter: "a", of: [l, j], value: a, change: n.da, about: range },
      l === network.L
        ? { x: columns[2], y: third, letter: "y", of: [null, j], value: state.y[j], change: 0, about: range }
        : null,
      {
        x: middle,
        y: fourth,
        letter: "C",
        of: [null, state.C_index],
        value: state.C,
        change: n.dC,
        about: [0, Math.max(1, 1.2 * state.C)],
      },
    ].filter(Boolean);
    const below = (node) => [node.x + box.w / 2, node.y + box.h];
    const above = (node) => [node.x + box.w / 2, node.y];
    const find = (letter, y) => nodes.find((node) => node.letter === letter && node.y === y);
    const links = [
      ...nodes
        .filter((node) => node.y === top)
        .map((node) => [below(node), above(find("z", second)), node.change !== 0]),
      [below(find("z", second)), above(find("a", third)), true],
      [below(find("a", third)), above(find("C", fourth)), true],
      ...(l === network.L ? [[below(find("y", third)), above(find("C", fourth)), false]] : []),
    ];
    const notes = [
      [below(find("z", second)), "σ"],
      ...(l < network.L ? [[below(find("a", third)), counted(network.sizes[l + 1], "path")]] : []),
    ];
    const drawn = svg(
      "svg",
      {
        width,
        height: fourth + box.h + 4,
        viewBox: `-1 0 ${width + 2} ${fourth + box.h + 4}`,
        role: "img",
        "aria-label": `what depends on what: ${nodes.map((node) => `${plainName(node)} = ${number(node.value)}`).join(", ")}`,
      },
      links.map(([[x1, y1], [x2, y2], live]) =>
        svg("path", {
          d: `M${x1} ${y1} C${x1} ${y1 + 20} ${x2} ${y2 - 20} ${x2} ${y2}`,
          class: live ? "link live" : "link",
        }),
      ),
      notes.map(([[x, y], text]) => svg("text", { x: x + 8, y: y + 24, class: "note" }, text)),
      nodes.map((node) => drawVariable(node, box)),
    );
    stage.replaceChildren(drawn);
  };
}

// A variable's name for screen readers, as in the terminal.
const plainName = ({ letter, of: [layer, ...index] }) =>
  letter === "C" ? `C_${index}` : `${letter}${layer === null ? "" : `(${layer})`}[${index}]`;

// One variable: its name, its value before and after the nudge, and a number line with a hollow mark for the value before
// and a full mark for the value after.
function drawVariable({ x, y, letter, of, value, change, about }, box) {
  const [low, high] = [Math.min(about[0], value), Math.max(about[1], value)];
  const at = (v) => 10 + ((Math.max(low, Math.min(high, v)) - low) / (high - low || 1)) * (box.w - 20);
  const line = box.h - 16;
  const [before, after] = distinguishable(value, value + change);
  const zero =
    low <= 0 && high >= 0 ? [svg("line", { x1: at(0), x2: at(0), y1: line - 4, y2: line + 4, class: "zero" })] : [];
  return svg(
    "g",
    { transform: `translate(${x} ${y})`, class: `variable is-${letter}` },
    svg("rect", { width: box.w, height: box.h, rx: 8 }),
    svg(
      "foreignObject",
      { x: 8, y: 4, width: box.w - 12, height: box.h - 24 },
      html(
        "div",
        { class: "variable-text" },
        formula(variable(letter, ...of)),
        html("span", {}, before),
        after === undefined ? null : html("span", { class: "after" }, `→ ${after}`),
      ),
    ),
    svg("line", { x1: 10, x2: box.w - 10, y1: line, y2: line, class: "axis" }),
    zero,
    svg("text", { x: 10, y: line + 13, class: "tick" }, tick(low)),
    svg("text", { x: box.w - 10, y: line + 13, class: "tick", "text-anchor": "end" }, tick(high)),
    change ? svg("line", { x1: at(value), x2: at(value + change), y1: line, y2: line, class: "moved" }) : null,
    svg("circle", { cx: at(value), cy: line, r: 4, class: "was" }),
    svg("circle", { cx: at(value + change), cy: line, r: 3, class: "is" }),
  );
}

const tick = (value) => String(Math.round(value * 100) / 100).replace("-", "−");

// ∂C/∂a of a neuron as the sum over its paths through the next layer. A click on a path walks the chain back one layer.

import {
  counted,
  formula,
  fraction,
  html,
  identifier,
  mathml,
  number,
  operator,
  sumOver,
  variable,
} from "../parts/dom.js";
import { liveNumber, liveSentence, liveText } from "../parts/live.js";
import { meaningOfSum } from "./meaning.js";
import { pathsOf } from "../mathematics/network.js";
import { strongestInto, summedNeuron } from "../mathematics/place.js";

const SHOWN = 10; // paths, unless all are shown

export function mountPaths(root, data, update) {
  const { network } = data;
  const L = network.L;
  const route = html("p", { class: "route" });
  const title = html("div", { class: "sum" });
  const list = html("ol", { class: "paths" });
  const total = html("p", {});
  const all = html("button", {
    type: "button",
    id: "all-paths",
    click: () => update({ allPaths: !data.current.allPaths }),
  });
  const hint = html("p", { class: "hint" });
  root.append(route, title, list, total, all, hint);

  // Go back one layer. The neuron j of the clicked path joins the route. If the walk leaves a hidden neuron, it joins, too.
  function walk(neuron, j) {
    const { place, route: walked } = data.current;
    const isOutput = place.l === L;
    const next = isOutput
      ? { l: neuron.l, j: neuron.n }
      : { l: place.l - 1, j: place.k ?? strongestInto(data.current, place.l, place.j).k };
    if (next.l < 1) return;
    const chosenBefore = walked.find((step) => step.l === neuron.l + 1);
    update({
      place: strongestInto(data.current, next.l, next.j),
      route: [
        ...walked.filter((step) => step.l > neuron.l + 1),
        { l: neuron.l + 1, j, from: chosenBefore?.from ?? place },
        ...(isOutput ? [] : [{ l: neuron.l, j: neuron.n, from: place }]),
      ],
    });
  }

  const meaning = liveSentence("p", {});
  root.prepend(meaning.element);
  const sum = liveNumber(number);
  const rest = liveText();
  const paths = liveText();
  total.append(paths.element, html("b", {}, sum.element), rest.element);
  const rows = [];

  // Rows are made once, and set in every frame.
  function makeRow(rank) {
    const through = mathml("mn", {});
    const numbers = Array.from({ length: 4 }, () => liveNumber(number));
    const [product, w, da_dz, dC_da] = numbers;
    const fill = html("span", { class: "fill" });
    const button = html(
      "button",
      { type: "button", "data-key": `path-${rank}`, click: () => walk(summedNeuron(data.current.place, L), row.j) },
      html("span", { class: "through" }, formula(identifier("j"), operator("="), through)),
      html("span", { class: "product" }, product.element),
      html("span", { class: "bar" }, fill),
      html("span", { class: "factors" }, w.element, " × ", da_dz.element, " × ", dC_da.element),
    );
    const row = { element: html("li", {}, button), button, through, numbers, fill, j: null };
    return row;
  }

  function setRow(row, path, most, traced) {
    const { j, product, w, da_dz, dC_da } = path;
    if (row.j !== j) row.through.textContent = row.button.dataset.j = String(j);
    row.j = j;
    row.button.className = product < 0 ? "path negative" : "path positive";
    const names = ["product", "w", "da_dz", "dC_da"];
    [product, w, da_dz, dC_da].forEach((value, n) => row.numbers[n].set(value, null, traced(`terms.${j}.${names[n]}`)));
    const share = product / most;
    row.fill.style.width = `${50 * Math.abs(share)}%`;
    row.fill.style.left = `${share < 0 ? 50 - 50 * Math.abs(share) : 50}%`;
  }

  let drawn = null; // the neuron and route of the title

  return (state) => {
    if (root.closest("[hidden]")) return; // while the user guesses
    const neuron = summedNeuron(state.place, L);
    root.classList.toggle("empty", !neuron);
    for (const element of [meaning.element, route, list, total, hint]) element.hidden = !neuron;
    if (!neuron) {
      title.replaceChildren("A bias of the last layer has only one path to the cost: the three factors above.");
      all.hidden = true;
      drawn = null;
      return;
    }
    const { l, n } = neuron;
    const terms = pathsOf(network, state.back, l, n);
    const ranked = [...terms].sort((p, q) => Math.abs(q.product) - Math.abs(p.product));
    const shown = state.allPaths ? ranked : ranked.slice(0, SHOWN);
    const most = Math.abs(ranked[0].product) || 1;
    const traced = state.isTraced ? (name) => `${l === state.place.l ? "paths" : "route.0"}.${name}` : () => null;
    const key = JSON.stringify([l, n, state.place, state.C_index, state.route, state.allDigits]);
    if (drawn !== key) {
      drawRoute(route, state, neuron, update);
      drawTitle(title, state, neuron);
      hint.replaceChildren(
        state.place.l > 1
          ? "Click a path to follow the chain back to the previous layer."
          : "This is the first layer: the chain has reached the input.",
      );
      if (drawn === null || state.allDigits !== rows.allDigits) rows.length = 0;
      rows.allDigits = state.allDigits;
    }
    drawn = key;
    meaning.set(meaningOfSum(ranked.map(({ product }) => product)));
    while (rows.length < shown.length) rows.push(makeRow(rows.length));
    shown.forEach((path, rank) => setRow(rows[rank], path, most, traced));
    if (list.childElementCount !== shown.length || list.firstChild !== rows[0].element)
      list.replaceChildren(...rows.slice(0, shown.length).map(({ element }) => element));
    paths.set(`sum over ${counted(terms.length, "path")}: `);
    sum.set(
      terms.reduce((so_far, path) => so_far + path.product, 0),
      null,
      traced("sum"),
    );
    const left = ranked.slice(shown.length);
    rest.set(
      left.length
        ? `, of which ${number(left.reduce((so_far, path) => so_far + path.product, 0))} through the ${left.length} not shown`
        : "",
    );
    all.hidden = terms.length <= SHOWN;
    all.textContent = state.allPaths ? `show the ${SHOWN} strongest` : `show all ${terms.length}`;
  };
}

// ∂C/∂a of the neuron, as a sum over paths.
function drawTitle(element, state, { l, n }) {
  const C = () => variable("C", null, state.C_index);
  const a = () => variable("a", l, n);
  const z_j = () => variable("z", l + 1, "j");
  const a_j = () => variable("a", l + 1, "j");
  element.replaceChildren(
    formula(
      fraction(C(), a()),
      operator("="),
      sumOver("j"),
      fraction(z_j(), a()),
      fraction(a_j(), z_j()),
      fraction(C(), a_j()),
    ),
  );
}

// The route walked so far, from the cost back. Clicking a step returns to it.
function drawRoute(element, state, neuron, update) {
  const a = (l, j) => formula(variable("a", l, j));
  const back = (step) => update({ place: step.from, route: state.route.filter(({ l }) => l > step.l) });
  element.replaceChildren(
    formula(variable("C", null, state.C_index)),
    ...state.route.flatMap((step) => [
      " ← ",
      html("button", { type: "button", "data-key": `route-${step.l}`, click: () => back(step) }, a(step.l, step.j)),
    ]),
    " ← ",
    a(neuron.l, neuron.n),
  );
}
